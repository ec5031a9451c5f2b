"""Statistics of a gate: two independent samples, of then and of now, and how far apart they may lie.

Joules are compared on the log scale, where scatter in per cent is the same at every size and a difference
is a ratio. The samples are of different days, so nothing is paired: Welch's t test, each sample with a
variance of its own and the degrees of freedom of Welch (1947) and Satterthwaite (1946). Power by the
noncentral t distribution. Several tests at once: Holm (1979).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MOST_RUNS = 200  # beyond this a number of runs is no advice
TINY = 1e-9  # scatter and differences below this share of the values are rounding


@dataclass(frozen=True)
class Sample:
    """n values with their mean and standard deviation (0 where n < 2)."""

    n: int
    mean: float
    sd: float


@dataclass(frozen=True)
class Welch:
    """Mean of now less mean of then, in the unit of the values: positive is more.

    se: its standard error; df: degrees of freedom, None where a sample has less than two values, and then
    nothing is tested: every p is 1 and there is no interval.
    """

    then: Sample
    now: Sample
    difference: float
    se: float
    df: float | None

    def p_above(self, bound: float) -> float:
        """One-sided p of the null hypothesis that the true difference is at most `bound`."""
        return self._p(self.difference - bound)

    def p_below(self, bound: float) -> float:
        """One-sided p of the null hypothesis that the true difference is at least `bound`."""
        return self._p(bound - self.difference)

    def _p(self, excess: float) -> float:
        if self.df is None:
            return 1.0
        rounding = TINY * max(abs(self.then.mean), abs(self.now.mean), 1.0)
        if self.se < rounding:  # no scatter at all
            return 0.0 if excess > rounding else 1.0
        return float(_special().stdtr(self.df, -excess / self.se))

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """Two-sided interval of the difference."""
        if self.df is None:
            return None
        half = self.se * float(_special().stdtrit(self.df, (1 + confidence) / 2))
        return self.difference - half, self.difference + half

    def detectable(self, bound: float, alpha: float, power: float = 0.8) -> float | None:
        """The true difference that `p_above(bound)` ≤ alpha finds with this power, at the scatter seen."""
        if self.df is None:
            return None
        special = _special()
        df = _planned_df(self.then, self.now)
        critical = special.stdtrit(df, 1 - alpha)
        return bound + self.se * float(special.nctdtrinc(df, 1 - power, critical))


def welch(then: Sequence[float], now: Sequence[float]) -> Welch:
    """Compares two samples of at least one value each."""
    a, b = _sample(then), _sample(now)
    return _welch(a, b)


def _sample(values: Sequence[float]) -> Sample:
    n = len(values)
    return Sample(n, statistics.fmean(values), statistics.stdev(values) if n > 1 else 0.0)


def _welch(a: Sample, b: Sample) -> Welch:
    of_a, of_b = a.sd**2 / a.n, b.sd**2 / b.n
    df: float | None = None
    if a.n > 1 and b.n > 1:
        shares = of_a**2 / (a.n - 1) + of_b**2 / (b.n - 1)
        df = (of_a + of_b) ** 2 / shares if shares > 0 else float(a.n + b.n - 2)
    return Welch(a, b, b.mean - a.mean, math.sqrt(of_a + of_b), df)


def _planned_df(a: Sample, b: Sample) -> float:
    """Degrees of freedom that samples of these sizes and true deviations will have, for planning.

    Satterthwaite's fraction takes the deviations that a test will happen to see, which costs power where n
    is small: here are the expectations of its numerator and denominator, by E s² = σ² and
    E s⁴ = σ⁴ (n + 1) / (n - 1) of normal samples.
    """
    parts = [(s.sd**2 / s.n, s.n) for s in (a, b)]
    below = sum(v**2 * (n + 1) / (n - 1) ** 2 for v, n in parts)
    if below == 0:
        return float(a.n + b.n - 2)
    return (sum(v for v, _ in parts) ** 2 + sum(2 * v**2 / (n - 1) for v, n in parts)) / below


def power_of(then: Sample, now: Sample, bound: float, alpha: float) -> float:
    """Probability that `p_above(bound)` ≤ alpha, were means and deviations true."""
    found = _welch(then, now)
    if found.df is None or found.difference <= bound:
        return 0.0
    if found.se < TINY:
        return 1.0
    special = _special()
    df = _planned_df(then, now)
    critical = float(special.stdtrit(df, 1 - alpha))
    away = (found.difference - bound) / found.se
    if away - critical > 8:  # beyond what nctdtr can do; less than 1e-14 is missing
        return 1.0
    return 1.0 - float(special.nctdtr(df, away, critical))


def runs_needed(
    found: Welch, bound: float, alpha: float, power: float = 0.8
) -> tuple[int | None, int | None]:
    """Runs for this power, were the difference and scatter seen the true ones.

    The first: runs of now, all in all, beside the runs of then that there are. The second: of either, where
    then is run again as well. None where `MOST_RUNS` would not do, or scatter is not known.
    """
    if found.df is None:
        return None, None

    def enough(n_then: int, n_now: int) -> bool:
        then = Sample(n_then, found.then.mean, found.then.sd)
        now = Sample(n_now, found.now.mean, found.now.sd)
        return power_of(then, now, bound, alpha) >= power

    sizes = range(2, MOST_RUNS + 1)
    alone = next((n for n in sizes if enough(found.then.n, n)), None)
    both = next((n for n in sizes if enough(n, n)), None)
    return alone, both


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's adjusted p of each: held against α, at most a share α of families has a false one."""
    adjusted = [0.0] * len(ps)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        highest = max(highest, min(1.0, ps[index] * (len(ps) - rank)))
        adjusted[index] = highest
    return adjusted


def _special() -> Any:
    import scipy.special  # late: half a second

    return scipy.special
