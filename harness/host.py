"""What a Record says of the machine and of this program."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from metrics.record import Code, Host

LIBRARIES = ("numpy", "torch", "msgspec", "hydra-core")


def available_cores() -> int:
    """Cores that this process may use, a container's quota included."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    cores = len(allowed) or os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))


@cache
def cpu_model() -> str:
    """The processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    except OSError:
        pass
    if sys.platform == "darwin":
        named = _output("sysctl", "-n", "machdep.cpu.brand_string")
    else:  # on ARM /proc/cpuinfo gives numbers, lscpu the names
        lines = (_output("lscpu") or "").splitlines()
        named = next((line.partition(":")[2] for line in lines if "Model name" in line), None)
    return " ".join((named or "").split()) or platform.processor() or platform.machine()


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


def describe(threads: int, meters: dict[str, Any] | None = None) -> Host:
    """The machine now; `device_class` is what may share a board.

    meters: what the meters say of themselves; boards on the bill are part of the device class.
    """
    cores = available_cores()
    nvml = (meters or {}).get("nvml", {})
    names = Counter(str(board.get("name")) for board in nvml.get("boards", []))
    gpus = [f"{name} x{count}" for name, count in sorted(names.items())]
    return Host(
        device_class="; ".join(filter(None, [f"cpu: {cpu_model()} x{cores}", *gpus])),
        driver=nvml.get("driver"),
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
    return _output("git", "-C", str(root), *words)


def _output(*words: str) -> str | None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
