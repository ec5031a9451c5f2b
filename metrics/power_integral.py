"""Joules summed from power readings, for a sensor that has no counter of energy.

Trapezoids between the readings taken during work, the first and last of them held to its ends. Error
(95 %): what lies between two readings is unknown, so they count as a random sample of the work's
power (Student's t); and a reading lags by up to LAG_S, a sensor's averaging window (10 to 100 ms on
boards without a counter: Yang, Adámek, Armour, SC'24). With fewer than two readings all that is known
is that the sensor's limit was not passed.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from statistics import stdev

from metrics.gauges import GLANCE_S, Gauge
from metrics.meter import MeterError
from metrics.ticking import RETRY_S, ReadError

LAG_S = 0.1
# Student's t for 95 %, from one degree of freedom on.
T95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)


class PowerSensor(ABC):
    """A reading of power. limit_w: more is never drawn. what, remedy: as in ticking.Counter."""

    domain: str
    what: str
    remedy: str
    limit_w: float

    @abstractmethod
    def read_w(self) -> float:
        """Power now, in watts. Raises ReadError."""


class PowerIntegral(Gauge):
    """Sums one power sensor's readings, taken no more often than every 50 ms."""

    def __init__(
        self, sensor: PowerSensor, source: str, gain_rel: float, clock: Callable[[], float]
    ) -> None:
        super().__init__()
        self.sensor, self.domain, self.clock = sensor, sensor.domain, clock
        self.source, self.gain_rel, self.period_s = source, gain_rel, GLANCE_S
        self.flags = ["power integration: the board has no energy counter"]
        self._times: list[float] = []
        self._watts: list[float] = []
        self.start(None)

    def start(self, end_s: float | None) -> None:
        self._edge_s = self.clock() if end_s is None else end_s
        self._asked_s = self._answered_s = self.clock()
        self._due_s = 0.0

    def poll(self) -> None:
        now_s = self.clock()
        if now_s < self._due_s:
            return
        self._due_s = now_s + GLANCE_S
        try:
            power_w = self.sensor.read_w()
        except ReadError as error:
            if now_s - self._answered_s > RETRY_S:
                raise MeterError(
                    f"{self.sensor.what} does not answer any more ({error}): {self.sensor.remedy}"
                ) from None
            self.events.append("a reading failed and was repeated")
            return
        if self._times:
            self.joules += (power_w + self._watts[-1]) / 2 * (now_s - self._times[-1])
        self._times.append(now_s)
        self._watts.append(power_w)
        self._answered_s = now_s

    def edge(self) -> int | None:
        """The index of a reading outside of the work, None until it is there."""
        found = bool(self._times) and self._times[-1] >= self._edge_s
        return len(self._times) - 1 if found else None

    def estimate(
        self, begin_s: float, end_s: float, begin: int, end: int
    ) -> tuple[float, float, float]:
        length_s = end_s - begin_s
        first, last = bisect_right(self._times, begin_s), bisect_left(self._times, end_s)
        times, watts = self._times[first:last], self._watts[first:last]
        around = self._watts[begin : end + 1]
        if len(times) < 2:
            return sum(around) / len(around) * length_s, 0.0, self.sensor.limit_w * length_s
        joules = watts[0] * (times[0] - begin_s) + watts[-1] * (end_s - times[-1])
        for k in range(1, len(times)):
            joules += (watts[k] + watts[k - 1]) / 2 * (times[k] - times[k - 1])
        sampling_w = T95[min(len(watts) - 2, len(T95) - 1)] * stdev(watts) / math.sqrt(len(watts))
        half_j = math.hypot(sampling_w * length_s, (max(around) - min(around)) * LAG_S)
        return joules, joules - half_j, joules + half_j
