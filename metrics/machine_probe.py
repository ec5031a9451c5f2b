"""Probes of the machine itself, for the sampler: cheap reads of /proc and /sys, no library."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import psutil

from metrics.process_tree import children, own_cpu_s, reaped_by_s
from metrics.sampler import Probe

CPU_CHIPS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "acpitz")
MAX_CLOCKS = 4
LOOK_SHARE = 5e-4  # of the time, for finding out which processes there are


def machine(root: str = "/sys") -> Probe:
    """cpu_temperature_c: the CPU's own sensor. cpu_clock_mhz: mean over a few cores. Each is a column
    only where the system has it (Linux)."""
    temperature = [
        folder / "temp1_input"
        for chip in CPU_CHIPS
        for folder in sorted(Path(root, "class/hwmon").glob("hwmon*"))
        if _text(folder / "name") == chip and _text(folder / "temp1_input")
    ][:1]
    clocks = sorted(Path(root, "devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))
    clocks = clocks[:: -(-len(clocks) // MAX_CLOCKS)] if clocks else []
    columns = {"cpu_temperature_c": (temperature, 1e-3), "cpu_clock_mhz": (clocks, 1e-3)}
    files = {
        column: ([os.open(path, os.O_RDONLY) for path in paths], unit)
        for column, (paths, unit) in columns.items()
        if paths
    }

    def probe() -> dict[str, float | None]:
        return {
            column: unit * sum(int(os.pread(file, 32, 0)) for file in group) / len(group)
            for column, (group, unit) in files.items()
        }

    return probe


def worker(w_per_cpu_s: float, with_parent: bool = False) -> Probe:
    """worker_busy_cpus: CPU seconds per second of all that the sampler's parent has started (and of
    the parent itself, `with_parent`). worker_modelled_power_w: that times watts per busy CPU.

    What lives shorter than a row shows when it ends, to a clock tick; which processes there are is
    looked up as often as costs a two-thousandth of the time.
    """
    me, parent = os.getpid(), os.getppid()
    members: list[int] = []
    look_s = last_at_s = last_s = 0.0

    def probe() -> dict[str, float | None]:
        nonlocal members, look_s, last_at_s, last_s
        now_s = time.monotonic()
        if now_s >= look_s:
            cost_s = time.thread_time()
            members = _below(parent, me)
            look_s = now_s + (time.thread_time() - cost_s) / LOOK_SHARE
        seconds = reaped_by_s(parent) + (own_cpu_s(parent) if with_parent else 0.0)
        for pid in members:
            with contextlib.suppress(OSError, psutil.Error):
                seconds += own_cpu_s(pid) + reaped_by_s(pid)
        busy = (seconds - last_s) / (now_s - last_at_s)
        # Clocks of ended processes are coarser than of living ones: a fall is that, and no figure.
        known = last_at_s > 0 and busy >= 0
        last_at_s, last_s = now_s, seconds
        if not known:
            return {"worker_busy_cpus": None, "worker_modelled_power_w": None}
        return {"worker_busy_cpus": busy, "worker_modelled_power_w": busy * w_per_cpu_s}

    return probe


def _below(parent: int, me: int) -> list[int]:
    """Every descendant of `parent` but this process."""
    found: list[int] = []
    generation = [pid for pid in children(parent) if pid != me]
    while generation:
        found += generation
        generation = [child for pid in generation for child in children(pid)]
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
