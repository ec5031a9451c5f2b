"""A meter of one domain whose sensor is asked now and then, in a thread of its own."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from metrics.idle import against_idle
from metrics.meter import Meter, MeterError, Window, monotonic_s
from metrics.process_tree import ProcessTree
from metrics.readings import Estimate, Reading, Resolution, estimate, worst_gap
from metrics.record import EnergyRow


@dataclass
class Mark:
    """For progress displays only. seen: readings counted so far. joules: what they came to."""

    seen: int
    joules: float = 0.0


class Poller(threading.Thread):
    """Calls `read` every poll_s and keeps what it gives.

    A thread, so that a slow or silent sensor never holds up a mark: marks are mere moments, and
    energy between them comes from the readings around. error: why the last call gave nothing.
    """

    def __init__(self, read: Callable[[], Reading], poll_s: float) -> None:
        super().__init__(name="joulebench-poller", daemon=True)
        self.read = read
        self.poll_s = poll_s
        self.readings: list[Reading] = []
        self.error = ""
        self.answered = threading.Event()
        self._stop_now = threading.Event()

    def run(self) -> None:
        due_s = monotonic_s()
        while not self._stop_now.wait(max(0.0, due_s - monotonic_s())):
            try:
                self.readings.append(self.read())
                self.error = ""
            except (MeterError, OSError) as error:
                self.error = str(error)
            self.answered.set()
            due_s = max(due_s + self.poll_s, monotonic_s())

    def stop(self) -> None:
        self._stop_now.set()


class Polled(Meter):
    """What battery and wall share: marks, rows, idle, gaps. A subclass reads its sensor in `read`.

    poll_s: seconds between readings. max_gap_s: longest stretch without a reading that is bridged.
    gain_rel: calibration error of the sensor. step: what it can resolve. timeout_s: longest wait for
    one reading.
    """

    poll_s: float
    max_gap_s: float
    gain_rel: float
    step: Resolution
    timeout_s: float
    fallback_period_s: float
    poller: Poller | None = None

    @abstractmethod
    def read(self) -> Reading:
        """One reading, now. Raises MeterError where there is none, with the remedy."""

    def open(self, tree: ProcessTree) -> None:
        super().open(tree)
        self.poller = Poller(self.read, self.poll_s)
        self.poller.start()
        # Another half, so that the reading's own message comes first where it is merely late.
        if not self.poller.answered.wait(1.5 * self.timeout_s + 0.5):
            self.close()
            raise MeterError(
                f"{self.what()} does not answer within {self.timeout_s:g} s: see that it is on"
            )
        if not self.poller.readings or self.poller.readings[-1].fault:
            error = self.poller.error or self.poller.readings[-1].fault
            self.close()
            raise MeterError(error)

    def what(self) -> str:
        """The sensor in a message."""
        return f"the sensor of meter={self.name}"

    def begin(self) -> Mark:
        self._check_alive()
        return Mark(len(self.poller.readings) if self.poller else 0)

    def end(self, now_s: float) -> Any:
        self._check_alive()

    def _check_alive(self) -> None:
        """A long run is not carried on for nothing once its sensor has gone."""
        if self.poller is None:
            raise MeterError(f"meter={self.name} was not opened")
        silent_s = monotonic_s() - self.poller.readings[-1].t_s
        if silent_s > self.max_gap_s + self.poll_s + self.timeout_s:
            raise MeterError(f"{self.what()} went silent {silent_s:.0f} s ago{self._reason()}")

    def glance(self, begin: Mark) -> float:
        readings = self.poller.readings if self.poller else []
        for a, b in pairwise(readings[max(0, begin.seen - 1) :]):
            if b.watts is not None:
                begin.joules += b.watts * (b.t_s - a.t_s)
            elif a.joules is not None and b.joules is not None:
                begin.joules += b.joules - a.joules
        begin.seen = len(readings)
        return begin.joules

    def collected(self) -> list[Reading]:
        """All readings of the sitting so far."""
        return list(self.poller.readings) if self.poller else []

    def rows(self, window: Window, idle: list[Window]) -> list[EnergyRow]:
        readings = self.collected()
        found = self.measure(readings, window)
        quiet = []
        for pause in idle:
            try:
                quiet.append(self.measure(readings, pause).watts(pause.length_s))
            except MeterError as error:
                found.flags.append(f"an idle window was left out: {error}")
        return [
            EnergyRow(
                phase=window.phase,
                domain=self.domains[0],
                source=self.source,
                gross_j=found.joules,
                low_j=found.low_j,
                high_j=found.high_j,
                window_s=window.length_s,
                repeats=window.repeats,
                resolution_s=found.period_s,
                gain_rel=self.gain_rel,
                flags=found.flags,
                **against_idle(found.joules, found.low_j, found.high_j, window.length_s, quiet),
            )
        ]

    def measure(self, readings: list[Reading], window: Window) -> Estimate:
        """The energy of a window; MeterError where readings are missing or do not count."""
        for reading in readings:
            if reading.fault and window.begin_s <= reading.t_s <= window.end_s:
                raise MeterError(f"in {window.phase}: {reading.fault}")
        gap_s = worst_gap(readings, window.begin_s, window.end_s)
        if gap_s > self.max_gap_s:
            raise MeterError(
                f"no reading from {self.what()} for {gap_s:.3g} s of {window.phase}, above "
                f"meter.max_gap_s={self.max_gap_s:g}{self._reason()}; see that it answers all the "
                "time, or raise meter.max_gap_s"
            )
        found = estimate(readings, window.begin_s, window.end_s, self.fallback_period_s, self.step)
        if gap_s > 3 * max(self.poll_s, found.period_s):
            found.flags.append(f"no reading for {gap_s:.3g} s of the window{self._reason()}")
        return found

    def _reason(self) -> str:
        return f" ({self.poller.error})" if self.poller and self.poller.error else ""

    def close(self) -> None:
        if self.poller is not None:
            self.poller.stop()
