"""The meters under examination behind one face: ours, plain ZeusMonitor and CodeCarbon's machine mode.

Each begins a window and ends it, and says the joules of every board (or package) by its index. They are
shown the stand-in powercap tree by pointing their constant for its place at it; nothing else is touched.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metrics.gauges import GaugeMeter
from metrics.meter import Window
from metrics.nvml import Nvml
from metrics.process_tree import ProcessTree
from metrics.rapl import Rapl

J_PER_KWH = 3.6e6


@dataclass
class Reading:
    """Joules of one board in one window; low_j, high_j: stated interval, where the tool states one."""

    gross_j: float
    low_j: float | None = None
    high_j: float | None = None
    flags: list[str] = field(default_factory=list)


class Tool(ABC):
    """One meter. `root`: the stand-in powercap tree; None: NVML boards are read."""

    name: str

    @abstractmethod
    def __init__(self, root: Path | None) -> None: ...

    @abstractmethod
    def begin(self) -> None:
        """Work may start when this returns."""

    @abstractmethod
    def end(self, begin_s: float, now_s: float) -> dict[int, Reading]:
        """The window of work between two moments (monotonic), called right after the second."""

    def glance(self) -> None:  # noqa: B027
        """What is called while work goes on."""

    def close(self) -> None:  # noqa: B027
        """Ends what the tool has started, before its counters go."""


class Ours(Tool):
    name = "joulebench"

    def __init__(self, root: Path | None) -> None:
        self.meter: GaugeMeter = Nvml() if root is None else Rapl(root=str(root))
        self.meter.open(ProcessTree(os.getpid()))

    def close(self) -> None:
        self.meter.close()

    def begin(self) -> None:
        self.mark = self.meter.begin()

    def glance(self) -> None:
        self.meter.glance(self.mark)

    def end(self, begin_s: float, now_s: float) -> dict[int, Reading]:
        mark = self.meter.end(now_s)
        rows = self.meter.rows(Window("train", 1, begin_s, now_s, self.mark, mark), [])
        return {
            int(row.domain.lstrip("abcdefghijklmnopqrstuvwxyz")): Reading(
                row.gross_j, row.low_j, row.high_j, list(row.flags)
            )
            for row in rows
            if row.domain.startswith(("gpu", "package"))
        }


class Zeus(Tool):
    name = "ZeusMonitor"

    def __init__(self, root: Path | None) -> None:
        import zeus.device.cpu.rapl
        from zeus.monitor import ZeusMonitor

        if root is None:
            self.monitor = ZeusMonitor(cpu_indices=[])
        else:
            zeus.device.cpu.rapl.RAPL_DIR = str(root)
            self.monitor = ZeusMonitor(gpu_indices=[])
            # Its first window starts a process per counter, whose imports keep a core busy for
            # seconds; that is no part of a window here.
            self.monitor.begin_window("warm-up", sync_execution=False)
            self.monitor.end_window("warm-up", sync_execution=False)
            time.sleep(1.5 * len(self.monitor.cpu_indices))

    def close(self) -> None:
        for cpu in getattr(self.monitor.cpus, "cpus", []):
            cpu.rapl_file.wraparound_tracker._stop()

    def begin(self) -> None:
        self.monitor.begin_window("work", sync_execution=False, restart=True)

    def end(self, begin_s: float, now_s: float) -> dict[int, Reading]:
        result = self.monitor.end_window("work", sync_execution=False)
        return {i: Reading(j) for i, j in (result.gpu_energy or result.cpu_energy or {}).items()}


class Carbon(Tool):
    """A task of an offline tracker. It reports one sum of all boards; each board's share is noted as it
    passes by."""

    name = "CodeCarbon"

    def __init__(self, root: Path | None) -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            # It looks for an AMD driver, aloud. NVML must be at hand already.
            from codecarbon import OfflineEmissionsTracker
            from codecarbon.core import cpu, gpu
            from codecarbon.core.gpu import AllGPUDevices
            from codecarbon.external import hardware

        self.joules: dict[int, float] = {}
        if root is None:
            gpu.is_nvidia_system = lambda: True  # it would ask the command nvidia-smi
            boards = AllGPUDevices.get_delta

            def get_delta(devices: Any, duration: Any) -> Any:
                found = boards(devices, duration)
                for each in found:
                    self.note(each["gpu_index"], each["delta_energy_consumption"].kWh)
                return found

            AllGPUDevices.get_delta = get_delta
        else:
            counters = cpu.IntelRAPL.get_cpu_details

            def get_cpu_details(rapl: Any, duration: Any) -> Any:
                found = counters(rapl, duration)
                for key, kwh in found.items():
                    if key.startswith("Processor Energy Delta_"):
                        self.note(int(key.partition("_")[2].partition("(")[0]), kwh)
                return found

            cpu.IntelRAPL.get_cpu_details = get_cpu_details
            cpu.is_rapl_available = lambda rapl_dir=None: True
            hardware.IntelRAPL = lambda rapl_dir, **rest: cpu.IntelRAPL(str(root), **rest)
        self.tracker = OfflineEmissionsTracker(
            country_iso_code="USA",
            tracking_mode="machine",
            save_to_file=False,
            allow_multiple_runs=True,
            log_level="critical",
        )
        self.begin()  # finds its hardware, which takes seconds
        time.sleep(0.1)
        self.tracker.stop_task()

    def note(self, board: int, kwh: float) -> None:
        self.joules[board] = self.joules.get(board, 0.0) + kwh * J_PER_KWH

    def begin(self) -> None:
        self.tracker.start_task()
        self.joules.clear()

    def end(self, begin_s: float, now_s: float) -> dict[int, Reading]:
        self.tracker.stop_task()
        return {board: Reading(joules) for board, joules in self.joules.items()}
