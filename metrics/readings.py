"""From readings of watts, or of a counter of joules, to the energy of a window and its interval.

For sensors that change slowly and say nothing of when: a battery, a plug, a logger. Three things are
done about the edges of a window. A reading is believed only once it is fresh, because the first one
after the edge may still tell of what was before it. Energy between an edge and the nearest fresh
reading is taken at that reading's power. And the interval grows with how much the power moved.
Intervals are 95 %, of what a reading every `period_s` can miss; the sensor's gain is not in them.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise

from metrics.meter import MeterError

# Two edges, each lost by a uniform share of one step: a triangle of +-1 step, of which 95 % lies
# within 1 - sqrt(0.05) of it.
TWO_EDGES = 0.776
FEW = 6


@dataclass(frozen=True)
class Reading:
    """t_s: monotonic clock. watts: power shown. joules: a counter's total. fault: why neither counts."""

    t_s: float
    watts: float | None = None
    joules: float | None = None
    fault: str = ""


@dataclass(frozen=True)
class Resolution:
    """The least steps that a sensor can show; None: the least difference between readings is taken."""

    watts: float
    joules: float | None = None


@dataclass
class Estimate:
    """Energy of a window with its 95 % interval, in J; period_s: how often the sensor changed."""

    joules: float
    low_j: float
    high_j: float
    period_s: float
    flags: list[str] = field(default_factory=list)

    def watts(self, window_s: float) -> tuple[float, float, float]:
        """Mean power of the window and its interval."""
        return self.joules / window_s, self.low_j / window_s, self.high_j / window_s


def estimate(
    readings: list[Reading], begin_s: float, end_s: float, fallback_s: float, step: Resolution
) -> Estimate:
    """The narrower of counter and integrated power, with a flag where they contradict each other.

    fallback_s: the sensor's update period where it changed too seldom to tell.
    """
    watts = [(r.t_s, r.watts) for r in readings if r.watts is not None]
    joules = [(r.t_s, r.joules) for r in readings if r.joules is not None]
    by_power = from_power(watts, begin_s, end_s, fallback_s, step.watts) if watts else None
    fell = any(b < a for (_, a), (t, b) in pairwise(joules) if begin_s < t <= end_s)
    if fell and by_power is None:
        raise MeterError(
            "the energy counter went backwards within the window: it was reset or restarted; "
            "run again and leave the device alone meanwhile"
        )
    by_counter = from_counter(joules, begin_s, end_s, step.joules) if joules and not fell else None
    if by_power is None and by_counter is None:
        raise MeterError("no reading of power or energy has come in; check the sensor")
    if by_power is None or by_counter is None:
        chosen = by_power or by_counter
        assert chosen is not None
        if fell:
            chosen.flags.append("the energy counter went backwards: power was integrated instead")
        return chosen
    chosen = min(by_power, by_counter, key=lambda e: (bool(e.flags), e.high_j - e.low_j))
    if by_power.low_j > by_counter.high_j or by_counter.low_j > by_power.high_j:
        chosen.flags.append(
            f"the sensor contradicts itself: {by_counter.joules:.4g} J by its counter, "
            f"{by_power.joules:.4g} J by its power"
        )
    return chosen


def from_power(
    readings: list[tuple[float, float]],
    begin_s: float,
    end_s: float,
    fallback_s: float,
    step_w: float,
) -> Estimate:
    """Integral of (time, watts) by the trapezoid rule over fresh readings.

    Error, in quadrature: what readings once a period miss of a power that moves (the spread of
    neighbours, as if power were independent from one to the next, with Student's t), half a period and
    a poll of lag (whether a value tells of its moment or of the period before is not known, nor
    how old it is when it is read), and rounding.
    """
    period_s = update_period(readings, fallback_s)
    length_s = end_s - begin_s
    # Not the first: a gauge that averages still has what was before the window in it.
    inside = updates(fresh(readings, begin_s, end_s, period_s), period_s)[1:]
    if len(inside) < 3:
        return _bounded(readings, begin_s, end_s, period_s, len(inside))
    times, watts = zip(*inside, strict=True)
    n = len(watts)
    bounds = [begin_s, *((a + b) / 2 for a, b in pairwise(times)), end_s]
    shares_s = [b - a for a, b in pairwise(bounds)]
    gross_j = sum(w * s for w, s in zip(watts, shares_s, strict=True))
    spread_w = math.sqrt(sum((b - a) ** 2 for a, b in pairwise(watts)) / (2 * (n - 1)))
    sampling_j = student(n - 1) * spread_w * math.hypot(*shares_s)
    lag_j = abs(watts[-1] - watts[0]) * (period_s / 2 + spacing(readings))
    shown = sorted({w for _, w in readings})
    rounding_w = min([step_w, *(b - a for a, b in pairwise(shown))]) / 2
    half_j = math.hypot(sampling_j, lag_j, rounding_w * length_s)
    flags = too_few(n, "readings", period_s)
    if len(set(watts)) == 1 and length_s > 4 * period_s:
        flags.append("power did not change during the window: constant, or the sensor is frozen")
    return Estimate(gross_j, gross_j - half_j, gross_j + half_j, period_s, flags)


def _bounded(
    readings: list[tuple[float, float]], begin_s: float, end_s: float, period_s: float, n: int
) -> Estimate:
    """Too few fresh readings: all that is known is that power stayed within what was ever read."""
    near = [w for t, w in readings if begin_s - period_s <= t <= end_s + period_s]
    near = near or [min(readings, key=lambda r: abs(r[0] - end_s))[1]]
    seen = [w for _, w in readings]
    length_s = end_s - begin_s
    flag = f"only {n} fresh readings in {length_s:.3g} s: the interval is the range ever read"
    return Estimate(
        statistics.fmean(near) * length_s,
        min(seen) * length_s,
        max(seen) * length_s,
        period_s,
        [flag],
    )


def from_counter(
    readings: list[tuple[float, float]], begin_s: float, end_s: float, step_j: float | None
) -> Estimate | None:
    """Energy by a counter of joules that moves in steps, at moments known only to a poll's length.

    Mean power between the first and the last step within the window, carried to its edges. Error, in
    quadrature: when the two steps happened, how large a step the counter can show, how far the power
    at the edges may lie from the mean, and how late the counter may be while power drifts. With fewer
    than four steps: interpolated between the steps around the window, give or take those steps. None
    before a first step.
    """
    moves = [*readings[:1], *(b for a, b in pairwise(readings) if b[1] != a[1])]
    if len(moves) < 2:
        return None
    period_s = update_period(readings, end_s - begin_s)
    inside = [move for move in moves[1:] if begin_s < move[0] <= end_s]
    if len(inside) < 4:
        return _between_steps(moves, begin_s, end_s, period_s, len(inside))
    (first_s, first_j), (last_s, last_j) = inside[0], inside[-1]
    mean_w = (last_j - first_j) / (last_s - first_s)
    rates = [(j - i) / (t - s) for (s, i), (t, j) in pairwise(inside)]
    tails_s = math.hypot(first_s - begin_s, end_s - last_s)
    poll_s = spacing(readings)
    least_j = min(j - i for (_, i), (_, j) in pairwise(inside))
    middle_s, middle_j = inside[len(inside) // 2]
    drift_w = (last_j - middle_j) / (last_s - middle_s) - (middle_j - first_j) / (
        middle_s - first_s
    )
    half_j = math.hypot(
        TWO_EDGES * mean_w * poll_s,
        TWO_EDGES * min(least_j, step_j if step_j is not None else least_j),
        student(len(rates) - 1) * statistics.stdev(rates) * tails_s,
        drift_w * (period_s + poll_s),
    )
    gross_j = mean_w * (end_s - begin_s)
    flags = too_few(len(inside), "steps of the counter", period_s)
    return Estimate(gross_j, gross_j - half_j, gross_j + half_j, period_s, flags)


def _between_steps(
    moves: list[tuple[float, float]], begin_s: float, end_s: float, period_s: float, n: int
) -> Estimate | None:
    """A window of few steps: the counter is interpolated at its edges, each as far off as its step."""
    times = [t for t, _ in moves]
    levels, steps, indices = [], [], []
    for edge_s in (begin_s, end_s):
        i = min(max(bisect_right(times, edge_s), 1), len(moves) - 1)
        (s, low), (t, high) = moves[i - 1], moves[i]
        levels.append(low + (high - low) * (edge_s - s) / (t - s))
        steps.append(high - low)
        indices.append(i)
    if min(steps) < 0:
        return None  # reset just outside the window
    half_j = steps[0] if indices[0] == indices[1] else sum(steps) / 2
    gross_j = levels[1] - levels[0]
    flag = f"the energy counter moved only {n} times in {end_s - begin_s:.3g} s"
    return Estimate(gross_j, gross_j - half_j, gross_j + half_j, period_s, [flag])


def too_few(n: int, what: str, period_s: float) -> list[str]:
    """A flag where a spread of few says little: coverage fell to 80-90 % in simulation."""
    if n >= FEW:
        return []
    return [f"only {n} {what}, one every {period_s:.3g} s: a longer window is needed to trust them"]


def update_period(readings: list[tuple[float, float]], fallback_s: float) -> float:
    """How often a value changes: the lower quartile of the times between changes.

    A power that holds still hides updates, so long gaps say little. The fallback where it changed
    fewer than four times.
    """
    changes = [b[0] for a, b in pairwise(readings) if b[1] != a[1]]
    gaps = sorted(b - a for a, b in pairwise(changes))
    return gaps[len(gaps) // 4] if len(gaps) >= 3 else fallback_s


def spacing(readings: list[tuple[float, float]]) -> float:
    """Median time between readings, in s."""
    return statistics.median(b[0] - a[0] for a, b in pairwise(readings))


def fresh(
    readings: list[tuple[float, float]], begin_s: float, end_s: float, period_s: float
) -> list[tuple[float, float]]:
    """Readings of the window from the first whose value was seen to change within it.

    What stands there earlier may be left from before. A value that holds still is believed after a
    period.
    """
    inside = [r for r in readings if begin_s < r[0] <= end_s]
    for i in range(1, len(inside)):
        if inside[i][1] != inside[i - 1][1] or inside[i][0] > begin_s + 1.25 * period_s:
            return inside[i:]
    return []


def updates(readings: list[tuple[float, float]], period_s: float) -> list[tuple[float, float]]:
    """One reading per update: a change, or the same value a period later."""
    kept = readings[:1]
    for t, w in readings[1:]:
        if w != kept[-1][1] or t - kept[-1][0] > 1.25 * period_s:
            kept.append((t, w))
    return kept


def worst_gap(readings: list[Reading], begin_s: float, end_s: float) -> float:
    """The longest stretch of the window in which no reading came, in s."""
    times = [r.t_s for r in readings if not r.fault and begin_s < r.t_s < end_s]
    return max(b - a for a, b in pairwise([begin_s, *times, end_s]))


def student(degrees: int) -> float:
    """97.5 % quantile of Student's t (Cornish-Fisher; 4 % low at 3 degrees of freedom, 1 % at 5)."""
    z, v = 1.959964, degrees
    return z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
