"""Windows between two marks of a meter, a sampler beside them, and the energy of it all."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metrics.joint import Joint
from metrics.meter import Window, monotonic_s, total
from metrics.process_tree import ProcessTree
from metrics.record import EnergyRow, Interval, Phase
from metrics.sampler import Sampler
from metrics.trace import Trace, need, save

MACHINE: tuple[str, dict[str, Any]] = ("metrics.machine_probe.machine", {})


class Windows:
    """What a meter has seen of a process tree, window by window.

    phase, begin_s, mark: of the window that is open, or was last; no mark: nothing is metered any more.
    trace: once sampling has ended.
    """

    def __init__(self, meter: Joint, tree: ProcessTree) -> None:
        self.meter = meter
        self.tree = tree
        self.windows: list[Window] = []
        self.phases: list[Phase] = []
        self.warnings: list[str] = []
        self.phase = "start"
        self.begin_s = monotonic_s()
        self.mark: Any = None
        self.trace: Trace | None = None
        self._stem: Path | None = None
        self._sampler: Sampler | None = None

    @contextlib.contextmanager
    def window(self, phase: str, repeats: int = 1) -> Iterator[None]:
        """Meters what happens inside; however it ends, the window is closed and kept."""
        self.phase = phase
        self.tree.peak_rss_bytes = 0
        self.tree.rss_bytes()
        self.mark = self.meter.begin()
        cpu_s, self.begin_s, begin_unix_s = self.tree.cpu_s(), monotonic_s(), time.time()
        try:
            yield
        finally:
            now_s = monotonic_s()
            cpu_s = self.tree.cpu_s() - cpu_s
            self.tree.rss_bytes()
            end = self.meter.end(now_s)
            self.windows.append(Window(phase, repeats, self.begin_s, now_s, self.mark, end))
            self.phases.append(
                Phase(
                    phase=phase,
                    wall_s=now_s - self.begin_s,
                    cpu_s=cpu_s,
                    peak_rss_bytes=self.tree.peak_rss_bytes,
                    repeats=repeats,
                    begin_unix_s=begin_unix_s,
                )
            )

    def glance(self) -> float | None:
        """Joules of the open window so far, about; lets slow sensors take their samples."""
        return None if self.mark is None else self.meter.glance(self.mark)

    def lasted(self, phase: str) -> Phase:
        """Seconds of the last window of a phase."""
        return next(p for p in reversed(self.phases) if p.phase == phase)

    def spent(self, phase: str) -> tuple[Interval, float, float]:
        """Gross J, wall s and CPU s of all windows of a phase so far, per repeat."""
        windows = [window for window in self.windows if window.phase == phase]
        rows = [row for window in windows for row in self.meter.rows(window, [])]
        phases = [p for p in self.phases if p.phase == phase]
        wall_s = sum(p.wall_s / p.repeats for p in phases)
        return total(rows, phase, self.meter), wall_s, sum(p.cpu_s / p.repeats for p in phases)

    def energy_rows(self) -> list[EnergyRow]:
        """The energy of every window so far, set against the idle ones."""
        idle = [window for window in self.windows if window.phase == "idle"]
        return [row for window in self.windows for row in self.meter.rows(window, idle)]

    def start_trace(self, stem: Path) -> None:
        """Starts sampling, to be saved as `stem`.parquet and `stem`.png. After the meter has opened."""
        need("pyarrow")
        need("matplotlib")
        stem.parent.mkdir(parents=True, exist_ok=True)
        sampler = Sampler([*self.meter.probes(), MACHINE], stem.with_suffix(".rows"))
        self.tree.ignore(sampler.__enter__().pid)
        self._stem, self._sampler = stem, sampler

    def stop_trace(self, keep: bool = True) -> None:
        """Ends sampling. Before the last reading of the tree, which would take its end for its own."""
        if self._sampler is None or self._stem is None:
            return
        trace, self._sampler = self._sampler.stop(), None
        if keep:
            self.trace = trace
            self.warnings += [f"trace: {problem}" for problem in trace.problems]
        else:
            self._stem.with_suffix(".rows").unlink(missing_ok=True)

    def save_trace(self, run: str) -> str | None:
        """Writes the trace; returns its path relative to the Records, or None where there is none."""
        if self.trace is None or self._stem is None:
            return None
        try:
            save(self.trace, self._stem, run, self.windows, self.meter.source)
        except OSError as error:
            self.warnings.append(f"the trace was not saved: {error.strerror or error}")
            return None
        self._stem.with_suffix(".rows").unlink(missing_ok=True)
        return f"{self._stem.parent.name}/{self._stem.name}.parquet"
