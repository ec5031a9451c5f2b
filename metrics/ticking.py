"""Joules between two arbitrary moments, from a counter that is updated only every so often.

Such a counter shows the energy up to its last update, its tick: with period T and power P, a window
between arbitrary moments is off by up to P*T at either end. So a window is taken from tick to tick,
and what lies between a tick and the work, where the worker waits, is taken off at the power there:

    E = C_b - C_a - P0 * (t_s - tau_a) - P1 * (tau_b - t_e)

a: a tick before work starts at t_s. b: the first tick surely after work ended at t_e. P0, P1:
mean power between ticks wholly before and wholly after the work; the interval that ends with tick b
has work in it and is never used. The energy is as good as power is steady around the work.

Error: a tick lies within the bracket of two polls, uniformly, which is P*width/sqrt(12) as standard
deviation; the counter's unit likewise. P0 and P1 inherit it through their own ticks. How far power
would have drifted, had it gone on as between two neighbouring stretches, counts as one standard
deviation of it. These parts are independent and add in quadrature, times 2 for 95 %.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from metrics.gauges import Gauge
from metrics.meter import MeterError

BASELINE_S = 0.025  # shortest stretch that P0 and P1 are taken over
LATE_S = 0.002  # an update may be shown late: the first one after work may be from before its end
LOW = "the counter stands so low that a reset would not be noticed"
RETRY_S = 1.0
PROBE_TICKS, PROBE_TICKS_LATE = 8, 3
TICKS_KEPT = 4096


class ReadError(Exception):
    """A reading failed; the next may succeed."""


class Counter(ABC):
    """A counter of energy. modulus: where it wraps to 0, None if never. unit_j: joules per step.
    what: the sensor as a person knows it. remedy: what to do if it stays silent."""

    domain: str
    what: str
    remedy: str
    unit_j: float
    modulus: int | None = None

    @abstractmethod
    def read(self) -> int:
        """The counter now. Raises ReadError."""


@dataclass(frozen=True)
class Tick:
    """An update: joules shown from then on. It happened after low_s and not after high_s."""

    joules: float
    low_s: float
    high_s: float

    @property
    def time_s(self) -> float:
        return (self.low_s + self.high_s) / 2

    @property
    def sigma_s(self) -> float:
        return (self.high_s - self.low_s) / math.sqrt(12)


@dataclass(frozen=True)
class Edge:
    """The tick next to the work, one further from it, and one further still."""

    tick: Tick
    near: Tick
    far: Tick

    @property
    def baseline_s(self) -> float:
        return abs(self.near.time_s - self.tick.time_s)

    @property
    def power_w(self) -> float:
        return _power_w(self.tick, self.near)

    def variance(self, length_s: float, unit_j: float) -> float:
        """Of tick.joules ± power_w * length_s, in J², where length_s reaches from tick to work."""
        ratio = length_s / self.baseline_s
        tick, near = (
            (self.power_w * t.sigma_s) ** 2 + unit_j**2 / 12 for t in (self.tick, self.near)
        )
        # Where power went on as it did from `far` to `near`, it was off by so much next to the work.
        drift_w = (_power_w(self.near, self.far) - self.power_w) * (1 + ratio) / 2
        # The tick's own time enters twice: through length_s and through power_w.
        return (1 + ratio) ** 2 * tick + ratio**2 * near + (drift_w * length_s) ** 2


def _power_w(a: Tick, b: Tick) -> float:
    return (b.joules - a.joules) / (b.time_s - a.time_s)


class Ticking(Gauge):
    """Follows one counter; `joules` counts on over its wraps.

    max_power_w: no domain draws more, so a step beyond it is no energy but a fault.
    """

    def __init__(
        self,
        counter: Counter,
        source: str,
        gain_rel: float,
        max_power_w: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        super().__init__()
        self.counter, self.domain = counter, counter.domain
        self.source, self.gain_rel, self.max_power_w = source, gain_rel, max_power_w
        self.clock, self.sleep = clock, sleep
        self.period_s = math.inf  # until probed
        self.start(None)

    def probed(self) -> bool:
        """Whether enough ticks have been seen to know the period: eight, or three within a second."""
        self._check_frozen(RETRY_S)
        late = self.clock() - self._edge_s > RETRY_S
        return len(self._ticks) >= (PROBE_TICKS_LATE if late else PROBE_TICKS)

    def period(self) -> float:
        """Mean interval between the ticks seen, the sum of two left out."""
        steps = [b.time_s - a.time_s for a, b in pairwise(self._ticks)]
        single = [step for step in steps if step <= 1.5 * median(steps)]
        return sum(single) / len(single)

    def start(self, end_s: float | None) -> None:
        self._end_s, self._edge_s = end_s, self.clock()
        self._ticks: deque[Tick] = deque(maxlen=TICKS_KEPT)
        if end_s is None:  # what happened between windows is nobody's
            self._raw: int | None = None
            self._answered_s = self._read_s = self._edge_s
            self._tick_low_s = -math.inf
            self._still_said = False
            self._low_said = self._wrapped = False

    def poll(self) -> None:
        before_s = self.clock()
        try:
            raw = self.counter.read()
        except ReadError as error:
            if before_s - max(self._answered_s, self._edge_s) > RETRY_S:
                raise MeterError(
                    f"{self.counter.what} does not answer any more ({error}): {self.counter.remedy}"
                ) from None
            self.events.append("a reading failed and was repeated")
            return
        after_s = self.clock()
        if self._raw is None:
            self._changed_s = after_s
        elif raw != self._raw:
            self.joules += self._step_j(raw, after_s)
            self._ticks.append(Tick(self.joules, self._read_s, after_s))
            self._tick_low_s, self._changed_s, self._still_said = self._read_s, after_s, False
        elif before_s - self._changed_s > max(3 * self.period_s, 0.1) and not self._still_said:
            self._still_said = True
            self.events.append("the counter stood still for a while: energy may be missing")
        self._raw, self._read_s, self._answered_s = raw, before_s, after_s

    def _step_j(self, raw: int, now_s: float) -> float:
        """Joules since the last reading. Raises MeterError where they are impossible or unknown."""
        assert self._raw is not None
        counter, units = self.counter, raw - self._raw
        if counter.modulus is None:
            if units < 0:
                raise MeterError(
                    f"{counter.what} went back to {raw * counter.unit_j:.6g} J during a window (it "
                    "was reset, or its driver was loaded again): run again"
                )
        else:
            gap_s, range_j = now_s - self._read_s, counter.modulus * counter.unit_j
            if gap_s * self.max_power_w > range_j:
                raise MeterError(
                    f"{counter.what} was not read for {gap_s:.3g} s, in which it may have wrapped "
                    f"unseen (every {range_j / self.max_power_w:.3g} s at {self.max_power_w:g} W): "
                    "set meter.max_power_w to what this machine can draw"
                )
            self._wrapped |= units < 0
            units %= counter.modulus
        step_j = units * counter.unit_j
        low = self._raw * counter.unit_j < (now_s - self._read_s) * self.max_power_w
        if low and not (self._wrapped or self._low_said):
            self._low_said = True  # reset, it could have climbed past where it was
            self.events.append(LOW)
        power_w = step_j / (now_s - self._tick_low_s + self.period_s)  # an update may come late
        if power_w > self.max_power_w:
            raise MeterError(
                f"{counter.what} went from {self._raw * counter.unit_j:.6g} to "
                f"{raw * counter.unit_j:.6g} J, which would be {power_w:.3g} W or more, above "
                f"meter.max_power_w={self.max_power_w:g} (it was reset, or misread): run again"
            )
        return step_j

    def edge(self) -> Edge | None:
        """Power is taken over 25 ms at least, and after work over half of the tail at least."""
        self._check_frozen(max(1.0, 10 * self.period_s))
        ticks: Iterable[Tick] = reversed(self._ticks)
        if self._end_s is not None:
            ticks = (tick for tick in self._ticks if tick.low_s >= self._end_s + LATE_S)
        chosen: list[Tick] = []
        apart_s = BASELINE_S
        for tick in ticks:
            if not chosen or abs(tick.time_s - chosen[-1].time_s) >= apart_s:
                chosen.append(tick)
                if len(chosen) == 3:
                    return Edge(*chosen)
                if self._end_s is not None:
                    apart_s = max(BASELINE_S, (chosen[0].time_s - self._end_s) / 2)
        return None

    def _check_frozen(self, limit_s: float) -> None:
        since_s = max(self._edge_s, self._ticks[-1].high_s if self._ticks else 0.0)
        if self._answered_s - since_s > limit_s:
            raise MeterError(
                f"{self.counter.what} has stood still for {self._answered_s - since_s:.3g} s: "
                f"{self.counter.remedy}"
            )

    def estimate(
        self, begin_s: float, end_s: float, begin: Edge, end: Edge
    ) -> tuple[float, float, float]:
        head_s, tail_s = begin_s - begin.tick.time_s, end.tick.time_s - end_s
        joules = end.tick.joules - begin.tick.joules
        joules -= begin.power_w * head_s + end.power_w * tail_s
        sigma_j = math.sqrt(
            begin.variance(head_s, self.counter.unit_j) + end.variance(tail_s, self.counter.unit_j)
        )
        return joules, joules - 2 * sigma_j, joules + 2 * sigma_j


def probe(gauges: Sequence[Ticking], poll_s: float) -> None:
    """Finds the periods of several counters at once. Raises MeterError where one does not tick."""
    for gauge in gauges:
        gauge.start(None)
    while not all(gauge.probed() for gauge in gauges):
        for gauge in gauges:
            gauge.poll()
        if gauges:
            gauges[0].sleep(poll_s)
    for gauge in gauges:
        gauge.period_s = gauge.period()
