"""Scripted power: how many watts at a moment, how many joules between two.

The joules are summed over the pieces at one power, one by one, where the driver library nvml.c uses
antiderivatives: two ways to the same figure. Times in seconds from the waveform's own start.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import astuple, dataclass
from typing import ClassVar


class Waveform(ABC):
    """Power over time from a start; holds until the next waveform begins."""

    kind: ClassVar[int]

    @abstractmethod
    def watts(self, s: float) -> float:
        """Power in watts, `s` seconds after the start."""

    @abstractmethod
    def joules(self, s0: float, s1: float) -> float:
        """Energy in joules from s0 to s1."""

    def parameters(self) -> tuple[float, ...]:
        """As nvml.c wants them, at most six."""
        return astuple(self)  # type: ignore[call-overload]


@dataclass(frozen=True)
class Constant(Waveform):
    """The same power throughout."""

    w: float
    kind: ClassVar[int] = 0

    def watts(self, s: float) -> float:
        return self.w

    def joules(self, s0: float, s1: float) -> float:
        return self.w * (s1 - s0)


@dataclass(frozen=True)
class Square(Waveform):
    """high_w for the first `duty` of every period, then low_w. phase: periods already gone by at the
    start, 0 to 1."""

    low_w: float
    high_w: float
    hz: float
    duty: float = 0.5
    phase: float = 0.0
    kind: ClassVar[int] = 1

    def watts(self, s: float) -> float:
        return self.high_w if (s * self.hz + self.phase) % 1.0 < self.duty else self.low_w

    def joules(self, s0: float, s1: float) -> float:
        first, last = (math.floor(s * self.hz + self.phase) for s in (s0, s1))
        high_s = 0.0
        for n in range(first, last + 1):
            on_s = (n - self.phase) / self.hz
            high_s += max(0.0, min(s1, on_s + self.duty / self.hz) - max(s0, on_s))
        return self.low_w * (s1 - s0 - high_s) + self.high_w * high_s


@dataclass(frozen=True)
class Ramp(Waveform):
    """A straight line from one power to another over over_s seconds; then it stays there."""

    from_w: float
    to_w: float
    over_s: float
    kind: ClassVar[int] = 2

    def watts(self, s: float) -> float:
        return self.from_w + (self.to_w - self.from_w) * min(1.0, s / self.over_s)

    def joules(self, s0: float, s1: float) -> float:
        bend_s = min(max(self.over_s, s0), s1)
        line_j = (self.watts(s0) + self.watts(bend_s)) / 2 * (bend_s - s0)
        return line_j + self.to_w * (s1 - bend_s)


@dataclass(frozen=True)
class Burst(Waveform):
    """peak_w for burst_s of every every_s seconds, else base_w. phase: as in Square."""

    base_w: float
    peak_w: float
    burst_s: float
    every_s: float
    phase: float = 0.0
    kind: ClassVar[int] = 3

    def square(self) -> Square:
        return Square(
            self.base_w, self.peak_w, 1 / self.every_s, self.burst_s / self.every_s, self.phase
        )

    def watts(self, s: float) -> float:
        return self.square().watts(s)

    def joules(self, s0: float, s1: float) -> float:
        return self.square().joules(s0, s1)
