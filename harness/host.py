"""What a Record says of the machine and of this program."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from functools import cache
from pathlib import Path

import psutil

from metrics.record import Code, Host

LIBRARIES = ("numpy", "torch", "msgspec", "hydra-core")


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def cpu_model() -> str:
    """The processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    except OSError:
        pass
    return platform.processor() or platform.machine()


def temperature_c() -> float | None:
    """The hottest sensor, or None where the machine shows none."""
    read = getattr(psutil, "sensors_temperatures", None)
    values = [t.current for group in (read() if read else {}).values() for t in group]
    return max(values, default=None)


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def describe(threads: int) -> Host:
    """The machine now; `device_class` is what may share a board."""
    cores = available_cores()
    return Host(
        device_class=f"cpu: {cpu_model()} x{cores}",
        cpu=cpu_model(),
        cores=cores,
        threads=threads,
        memory_bytes=psutil.virtual_memory().total,
        platform=platform.platform(),
        python=platform.python_version(),
        libraries={name: found for name in LIBRARIES if (found := version(name))},
        temperature_c=temperature_c(),
    )


@cache
def code() -> Code:
    """This program's version, and its commit where it runs from a git checkout of its own."""
    root = Path(__file__).parent.parent
    commit = dirty = None
    if (root / ".git").exists():
        commit = _git(root, "rev-parse", "HEAD")
        status = _git(root, "status", "--porcelain")
        dirty = bool(status) if status is not None else None
    return Code(version=version("joulebench") or "unknown", commit=commit, dirty=dirty)


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
