"""What meters of several sensors share: they wait at the edges of a window until every sensor is lined
up, look at all of them while work goes on, and make one row per sensor.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from metrics.idle import against_idle
from metrics.meter import Meter, MeterError, Window
from metrics.record import EnergyRow

EDGE_POLL_S = 0.001  # at the edges, where no work is disturbed
GLANCE_S = 0.05  # never more often during work: reading NVML faster disturbs what it measures


class Gauge(ABC):
    """One sensor of one domain.

    source: as in EnergyRow. period_s: how often it changes. gain_rel: calibration error. joules:
    drawn since some moment before the window, roughly. flags: true of every row. events: what has
    gone wrong so far; a row is flagged with those between its edges.
    """

    domain: str
    source: str
    period_s: float
    gain_rel: float
    joules: float = 0.0

    def __init__(self) -> None:
        self.flags: list[str] = []
        self.events: list[str] = []

    @abstractmethod
    def start(self, end_s: float | None) -> None:
        """An edge begins: before work (None), or after work that ended at end_s (monotonic)."""

    @abstractmethod
    def poll(self) -> None:
        """Reads the sensor. Raises MeterError where it has failed."""

    @abstractmethod
    def edge(self) -> Any | None:
        """All that `estimate` needs of this edge; None while there is more to wait for."""

    @abstractmethod
    def estimate(
        self, begin_s: float, end_s: float, begin: Any, end: Any
    ) -> tuple[float, float, float]:
        """Joules between two moments from the edges around them: value, low, high (95 %)."""


@dataclass(frozen=True)
class Mark:
    """One edge of a window: per gauge its edge, its joules, and its number of events so far."""

    edges: list[Any]
    joules: list[float]
    events: list[int]


class GaugeMeter(Meter):
    """A meter made of gauges, which `open` fills in."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.gauges: list[Gauge] = []
        self.flags: list[str] = []
        self.clock, self.sleep = clock, sleep
        self._failed: MeterError | None = None
        self._glanced_s = 0.0

    def begin(self) -> Mark:
        self._failed = None
        events = [len(gauge.events) for gauge in self.gauges]  # those of this edge count
        return Mark(self._line_up(None), [gauge.joules for gauge in self.gauges], events)

    def end(self, now_s: float) -> Mark:
        if self._failed:
            raise self._failed
        edges = self._line_up(now_s)
        joules = [gauge.joules for gauge in self.gauges]
        return Mark(edges, joules, [len(gauge.events) for gauge in self.gauges])

    def _line_up(self, end_s: float | None) -> list[Any]:
        """Polls until every gauge has its edge. The last one to settle has just ticked."""
        for gauge in self.gauges:
            gauge.start(end_s)
        poll_s = min([EDGE_POLL_S, *(gauge.period_s / 4 for gauge in self.gauges)])
        while True:
            for gauge in self.gauges:
                gauge.poll()
            edges = [gauge.edge() for gauge in self.gauges]
            if all(edge is not None for edge in edges):
                return edges
            self.sleep(poll_s)

    def glance(self, begin: Mark) -> float:
        now_s = self.clock()
        if now_s - self._glanced_s >= GLANCE_S and not self._failed:
            self._glanced_s = now_s
            try:
                for gauge in self.gauges:
                    gauge.poll()
            except MeterError as error:  # of the meter, not of the work: `end` tells
                self._failed = error
        return sum(
            gauge.joules - before for gauge, before in zip(self.gauges, begin.joules, strict=True)
        )

    def rows(self, window: Window, idle: list[Window]) -> list[EnergyRow]:
        return [self._row(i, window, idle) for i in range(len(self.gauges))]

    def _row(self, i: int, window: Window, idle: list[Window]) -> EnergyRow:
        gauge = self.gauges[i]
        gross_j, low_j, high_j = self._estimate(i, window)
        flags = [*self.flags, *gauge.flags, *self._events(i, window)]
        others = [] if window.phase == "idle" else [w for w in idle if w.length_s > 0]
        for other in others:
            flags += [f"in an idle window: {event}" for event in self._events(i, other)]
        watts = [tuple(j / w.length_s for j in self._estimate(i, w)) for w in others]
        return EnergyRow(
            phase=window.phase,
            domain=gauge.domain,
            source=gauge.source,
            gross_j=gross_j,
            low_j=low_j,
            high_j=high_j,
            **against_idle(gross_j, low_j, high_j, window.length_s, watts),  # type: ignore[arg-type]
            window_s=window.length_s,
            repeats=window.repeats,
            resolution_s=gauge.period_s,
            gain_rel=gauge.gain_rel,
            flags=flags,
        )

    def _estimate(self, i: int, w: Window) -> tuple[float, float, float]:
        return self.gauges[i].estimate(w.begin_s, w.end_s, w.begin.edges[i], w.end.edges[i])

    def _events(self, i: int, window: Window) -> list[str]:
        seen = Counter(self.gauges[i].events[window.begin.events[i] : window.end.events[i]])
        return [text if n == 1 else f"{text} ({n} times)" for text, n in seen.items()]
