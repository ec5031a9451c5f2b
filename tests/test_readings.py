"""Energy from slow sensors against a scripted truth, and what is set against idle."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from metrics.idle import against_idle
from metrics.meter import MeterError
from metrics.readings import (
    Estimate,
    Reading,
    Resolution,
    estimate,
    from_counter,
    from_power,
    update_period,
)

IDLE_W, STEP_S = 10.0, 0.05


def load_w(kind: str, t_s: float, length_s: float, rng: random.Random) -> float:
    """Watts before, within (0 to length_s) and after the work."""
    if not 0 <= t_s <= length_s:
        return IDLE_W
    if kind == "ramp":
        return 36 + 48 * t_s / length_s
    if kind == "step":
        return 42.0 if t_s < 0.4 * length_s else 72.0
    if kind == "square":
        return 78.0 if (t_s / 7.3) % 1 < 0.5 else 42.0
    return 60.0


class Sensor:
    """A sensor that changes every period_s, showing that moment's watts, or the mean since the last
    change, and a counter that moves with it in steps of quantum_j; and the truth."""

    def __init__(
        self, kind: str, length_s: float, period_s: float, mean: bool, rng: random.Random
    ) -> None:
        self.start_s, self.length_s = -4 * period_s, length_s
        self.watts: list[float] = []
        self.total_j = [0.0]
        for i in range(int((length_s + 6 * period_s - self.start_s) / STEP_S)):
            t_s = self.start_s + (i + 0.5) * STEP_S
            if i % round(1 / STEP_S) == 0:
                noise = rng.gauss(1, 0.05)
            self.watts.append(noise * load_w(kind, t_s, length_s, rng))
            self.total_j.append(self.total_j[-1] + self.watts[-1] * STEP_S)
        self.period_s, self.mean = period_s, mean
        self.phase_s, self.offset_j = rng.uniform(0, period_s), rng.uniform(0, 100)

    def index(self, t_s: float) -> int:
        return round((t_s - self.start_s) / STEP_S)

    def joules(self, t_s: float) -> float:
        return self.total_j[self.index(t_s)]

    def truth(self) -> float:
        return self.joules(self.length_s) - self.joules(0)

    def reading(self, t_s: float, quantum_j: float) -> tuple[float, float]:
        tick_s = math.floor((t_s - self.phase_s) / self.period_s) * self.period_s + self.phase_s
        since_j = self.joules(tick_s) - self.joules(tick_s - self.period_s)
        watts = since_j / self.period_s if self.mean else self.watts[self.index(tick_s) - 1]
        total_j = self.joules(tick_s) + self.offset_j
        return round(watts, 1), math.floor(total_j / quantum_j) * quantum_j

    def readings(self, poll_s: float, quantum_j: float, rng: random.Random) -> list[Reading]:
        t_s = self.start_s + 2 * self.period_s + rng.uniform(0, poll_s)
        found = []
        while t_s < self.length_s + 4 * self.period_s:
            found.append(Reading(t_s, *self.reading(t_s, quantum_j)))
            t_s += poll_s
        return found


def judge(found: list[tuple[Estimate, float]]) -> tuple[float, float]:
    """Share of intervals that hold the truth; median half-width over the 95 % error."""
    errors = sorted(abs(e.joules - true) for e, true in found)
    covered = statistics.fmean(e.low_j <= true <= e.high_j for e, true in found)
    half_j = statistics.median((e.high_j - e.low_j) / 2 for e, _ in found)
    return covered, half_j / errors[int(0.95 * len(errors))]


LOADS = ("constant", "ramp", "step", "square")


@pytest.mark.parametrize(
    ("period_s", "length_s", "poll_s"), [(5.0, 60.0, 0.25), (10.0, 120.0, 0.25), (1.0, 30.0, 1.0)]
)
@pytest.mark.parametrize("mean", [False, True], ids=["instant", "mean"])
def test_integrated_power_is_as_good_as_it_says(
    period_s: float, length_s: float, poll_s: float, mean: bool
) -> None:
    rng = random.Random(7)
    found = []
    for kind in LOADS:
        for _ in range(15):
            sensor = Sensor(kind, length_s, period_s, mean, rng)
            readings = [(r.t_s, r.watts or 0.0) for r in sensor.readings(poll_s, 3.6, rng)]
            energy = from_power(readings, 0.0, length_s, 30.0, 0.1)
            assert not energy.flags and energy.period_s == pytest.approx(period_s, abs=poll_s)
            found.append((energy, sensor.truth()))
    covered, lavish = judge(found)
    assert covered >= 0.95
    assert lavish <= 3.2


@pytest.mark.parametrize("quantum_j", [3.6, 60.0])
def test_a_counter_is_as_good_as_it_says(quantum_j: float) -> None:
    rng = random.Random(8)
    found = []
    for kind in LOADS:
        for _ in range(15):
            sensor = Sensor(kind, 60.0, 1.0, True, rng)
            readings = [(r.t_s, r.joules or 0.0) for r in sensor.readings(1.0, quantum_j, rng)]
            energy = from_counter(readings, 0.0, 60.0, quantum_j)
            assert energy is not None and not energy.flags
            found.append((energy, sensor.truth()))
    covered, lavish = judge(found)
    assert covered >= 0.95
    assert lavish <= 3


def steady(watts: float, until_s: float = 60.0, every_s: float = 1.0) -> list[Reading]:
    """Readings of a power that flickers by 0.1 W."""
    times = [i * every_s for i in range(int(until_s / every_s) + 1)]
    return [Reading(t, watts + 0.1 * (i % 2), watts * t) for i, t in enumerate(times)]


def test_the_narrower_of_counter_and_power_is_taken() -> None:
    step = Resolution(0.1, 3.6)
    flickering = [
        Reading(r.t_s, (r.watts or 0) + 5 * (i % 2), r.joules) for i, r in enumerate(steady(50))
    ]
    assert estimate(flickering, 5, 55, 1, step).joules == pytest.approx(
        2500, abs=0.1
    )  # the counter
    coarse = [Reading(r.t_s, r.watts, (r.joules or 0) // 360 * 360) for r in steady(50)]
    assert estimate(coarse, 5, 55, 1, step).joules == pytest.approx(2502.5, abs=0.5)  # 0.05 W more


def test_a_sensor_that_contradicts_itself_is_flagged() -> None:
    wrong = [Reading(r.t_s, r.watts, 2 * (r.joules or 0)) for r in steady(50.0)]
    assert "contradicts itself" in estimate(wrong, 5, 55, 1, Resolution(0.1, 3.6)).flags[-1]


def test_a_counter_that_falls() -> None:
    reset = [Reading(r.t_s, r.watts, (r.joules or 0) % 1500) for r in steady(50.0)]
    found = estimate(reset, 5, 55, 1, Resolution(0.1, 3.6))
    assert found.joules == pytest.approx(2500, rel=0.01) and "backwards" in found.flags[-1]
    bare = [Reading(r.t_s, None, r.joules) for r in reset]
    with pytest.raises(MeterError, match="backwards"):
        estimate(bare, 5, 55, 1, Resolution(0.1, 3.6))


def test_a_counter_that_hardly_moves_keeps_its_whole_step() -> None:
    slow = [(float(t), 3600.0 * (t // 72)) for t in range(300)]  # 50 W in steps of 1 Wh
    found = from_counter(slow, 100, 160, 3600.0)
    assert found is not None and found.low_j <= 3000 <= found.high_j
    assert found.high_j - found.low_j >= 3600 and "moved only" in found.flags[0]


def test_too_short_a_window_says_no_more_than_the_range_ever_read() -> None:
    readings = [(t / 4, 10.0 if t < 240 else 60.0) for t in range(480)]
    found = from_power(readings, 58.0, 59.0, 30.0, 0.1)
    assert (found.low_j, found.high_j) == (10.0, 60.0) and "fresh readings" in found.flags[0]


def test_few_readings_are_flagged() -> None:
    readings = [(float(t), 50 + 0.1 * (t // 30 % 3)) for t in range(400)]
    assert "only 4 readings, one every 30 s" in from_power(readings, 100, 260, 30.0, 0.1).flags[0]
    counter = [(float(t), 50.0 * (t // 30 * 30)) for t in range(400)]
    found = from_counter(counter, 100, 260, 3.6)
    assert found is not None and "only 5 steps of the counter" in found.flags[0]


def test_a_frozen_power_is_flagged_and_keeps_its_rounding() -> None:
    found = from_power([(float(t), 23.0) for t in range(100)], 10, 90, 1.0, 1.0)
    assert found.joules == pytest.approx(23 * 80) and "frozen" in found.flags[0]
    assert found.high_j - found.low_j == pytest.approx(80)


def test_the_period_is_found_though_values_repeat() -> None:
    rng = random.Random(1)
    shown = [rng.choice((20.0, 21.0, 22.0)) for _ in range(40)]
    assert update_period([(t / 4, shown[t // 20]) for t in range(800)], 30.0) == 5.0
    assert update_period([(t / 4, 20.0) for t in range(800)], 30.0) == 30.0


def test_against_idle() -> None:
    found = against_idle(1000.0, 990.0, 1010.0, 10.0, [(40.0, 39.0, 41.0), (44.0, 43.0, 45.0)])
    assert found["idle_j"] == 420.0 and found["net_j"] == 580.0
    half_j = math.hypot(10, 10 * math.hypot(2, 0.5, 0.5))
    assert found["net_low_j"] == pytest.approx(580 - half_j)
    assert found["net_high_j"] == pytest.approx(580 + half_j)
    assert set(against_idle(1.0, 1.0, 1.0, 1.0, []).values()) == {None}


def test_a_net_below_zero_stays_below_zero() -> None:
    found = against_idle(100.0, 95.0, 105.0, 10.0, [(11.0, 10.5, 11.5)])
    assert found["net_j"] == -10.0 and (found["net_low_j"] or 0) < -10
