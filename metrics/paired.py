"""The statistics of an exam: paired differences, their t intervals, and the rule that decides.

Pure functions on arrays. A difference is candidate against baseline within one pair, and less is better:
log ratios of joules and of wall time, and by how much the score is worse, in its own unit. The last axis
runs over pairs; axes before it are other exams, so that tests/benchmarks/exam_statistics.py simulates
this very code. All tests are one-sided; an exam may look at most twice, and each look has half of every α
(Bonferroni), so that a bound of the first condition at α = 0.01 is an end of a 99 % interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MET, OPEN, REFUTED = 1, 0, -1
CONDITIONS = ("energy", "score", "wall")
ALPHA = {"energy": 0.01, "score": 0.05, "wall": 0.05, "target": 0.05}  # over all looks together
ENERGY_LIMIT = 0.0  # of the log ratio: the candidate must lie below it
WALL_LIMIT = math.log(1.05)
POWER = 0.80
MOST_PAIRS = 100_000  # beyond these nobody will go


@dataclass(frozen=True)
class Look:
    """A moment at which an exam may end: after so many pairs, with this share of every α."""

    pairs: int
    share: float

    def alpha(self, condition: str) -> float:
        return ALPHA[condition] * self.share


def looks(pairs: int, extension: int) -> tuple[Look, ...]:
    """One look after `pairs`, and a second one after `extension` more if there are any."""
    if not extension:
        return (Look(pairs, 1.0),)
    return Look(pairs, 0.5), Look(pairs + extension, 0.5)


def interval(
    differences: np.ndarray, alpha: float, measured: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Student's t bounds [...] of the mean of differences [..., pairs], each missed with probability α.

    Of less than two pairs nothing is known. measured: where differences of a measured quantity do not
    scatter at all, its sensor's steps are too coarse to know their error, so nothing is known either;
    scores may well be equal in every pair.
    """
    from scipy.special import stdtrit

    count = differences.shape[-1]
    if count < 2:
        nothing = np.full(differences.shape[:-1], np.inf)
        return -nothing, nothing
    mean, sd = differences.mean(axis=-1), differences.std(axis=-1, ddof=1)
    half = stdtrit(count - 1, 1 - alpha) * sd / math.sqrt(count)
    if measured:
        half = np.where(sd <= 1e-12 * np.abs(mean), np.inf, half)
    return mean - half, mean + half


def standing(low: np.ndarray, high: np.ndarray, limit: float, strict: bool) -> np.ndarray:
    """MET where the interval lies below the limit (or, not strict, reaches it), REFUTED above, else OPEN."""
    met = high < limit if strict else high <= limit
    return np.where(met, MET, np.where(low > limit, REFUTED, OPEN))


def bounds(
    differences: dict[str, np.ndarray], look: Look
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Intervals of the three conditions at one look, of its pairs alone."""
    return {
        name: interval(differences[name][..., : look.pairs], look.alpha(name), name != "score")
        for name in CONDITIONS
    }


def standings(
    differences: dict[str, np.ndarray], margin: float, look: Look
) -> dict[str, np.ndarray]:
    """Where the three conditions stand at one look."""
    limits = {"energy": ENERGY_LIMIT, "score": margin, "wall": WALL_LIMIT}
    found = bounds(differences, look)
    return {n: standing(*found[n], limits[n], strict=n == "energy") for n in CONDITIONS}


def together(states: Sequence[np.ndarray | int]) -> np.ndarray:
    """MET where all are, REFUTED where any is, else OPEN: the minimum."""
    return np.minimum.reduce(np.broadcast_arrays(*states))


def decide(
    differences: dict[str, np.ndarray],
    margin: float,
    plan: Sequence[Look],
    target: Sequence[int] = (MET, MET),
) -> tuple[np.ndarray, np.ndarray]:
    """The whole procedure: what exams [...] come to, and the index of the look at which each ended.

    An exam that is OPEN at one look goes on to the next. target: where the fourth condition, which is
    not one of differences, stands at each look.
    """
    shape = differences["energy"].shape[:-1]
    ends, at = np.full(shape, OPEN), np.zeros(shape, int)
    for index, look in enumerate(plan):
        state = together([*standings(differences, margin, look).values(), target[index]])
        going = ends == OPEN
        ends = np.where(going, state, ends)
        at = np.where(going, index, at)
    return ends, at


def power(effect: float, sd: float, pairs: int, alpha: float) -> float:
    """Chance that `pairs` differences of a true mean -effect and this sd have their upper bound below 0.

    By the noncentral t distribution.
    """
    from scipy.special import nctdtr, stdtrit

    df = pairs - 1
    return float(1 - nctdtr(df, effect * math.sqrt(pairs) / sd, stdtrit(df, 1 - alpha)))


def pairs_needed(effect: float, sd: float, alpha: float) -> int | None:
    """Fewest pairs for a power of 80 %; None where there is no effect, or beyond MOST_PAIRS."""
    if not (effect > 0 and math.isfinite(effect) and math.isfinite(sd)):
        return None
    low, high = 1, 2  # power(low) < 0.8 <= power(high), and power grows with pairs
    while sd > 0 and power(effect, sd, high, alpha) < POWER:
        if high > MOST_PAIRS:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = power(effect, sd, middle, alpha) >= POWER
        low, high = (low, middle) if enough else (middle, high)
    return high


def detectable(sd: float, pairs: int, alpha: float) -> float:
    """The least effect that `pairs` differences of this sd show with a power of 80 %."""
    from scipy.special import nctdtrinc, stdtrit

    df = pairs - 1
    return float(nctdtrinc(df, 1 - POWER, stdtrit(df, 1 - alpha))) * sd / math.sqrt(pairs)
