"""Windows between two marks of a meter, and the energy of them all once the idle ones are known."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from metrics.joint import Joint
from metrics.meter import Window, monotonic_s
from metrics.process_tree import ProcessTree
from metrics.record import EnergyRow, Phase


class Windows:
    """What a meter has seen of a process tree, window by window.

    phase, begin_s, mark: of the window that is open, or was last.
    """

    def __init__(self, meter: Joint, tree: ProcessTree) -> None:
        self.meter = meter
        self.tree = tree
        self.windows: list[Window] = []
        self.phases: list[Phase] = []
        self.phase = "start"
        self.begin_s = monotonic_s()
        self.mark: Any = None

    @contextlib.contextmanager
    def window(self, phase: str, repeats: int = 1) -> Iterator[None]:
        """Meters what happens inside; however it ends, the window is closed and kept."""
        self.phase = phase
        self.tree.peak_rss_bytes = 0
        self.tree.rss_bytes()
        self.mark = self.meter.begin()
        cpu_s, self.begin_s = self.tree.cpu_s(), monotonic_s()
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
                )
            )

    def glance(self) -> float:
        """Joules of the open window so far, about; lets slow sensors take their samples."""
        return self.meter.glance(self.mark)

    def lasted(self, phase: str) -> Phase:
        """Seconds of the last window of a phase."""
        return next(p for p in reversed(self.phases) if p.phase == phase)

    def rows(self) -> list[EnergyRow]:
        """The energy of every window so far, set against the idle ones."""
        idle = [window for window in self.windows if window.phase == "idle"]
        return [row for window in self.windows for row in self.meter.rows(window, idle)]
