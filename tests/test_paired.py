"""The exam's statistics: known values, degenerate cases, and a quick simulation of the whole rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from metrics import paired
from metrics.paired import MET, OPEN, REFUTED, Look
from tests.benchmarks.exam_statistics import Truth, simulate

REPEATS = 4000


def one(*values: float) -> np.ndarray:
    return np.array(values, float)


def test_the_interval_is_scipys() -> None:
    rng = np.random.default_rng(0)
    d = rng.normal(0.3, 2.0, (3, 7))
    low, high = paired.interval(d, 0.005)
    for row, a, b in zip(d, low, high, strict=True):
        wanted = stats.t.interval(0.99, 6, row.mean(), stats.sem(row))
        assert (a, b) == pytest.approx(wanted)


def test_looks_share_alpha() -> None:
    first, second = paired.looks(10, 10)
    assert (first.pairs, second.pairs) == (10, 20)
    for name, alpha in paired.ALPHA.items():
        assert first.alpha(name) + second.alpha(name) == pytest.approx(alpha)
    assert paired.looks(5, 0) == (Look(5, 1.0),)


def test_what_does_not_scatter() -> None:
    """Of one pair, or of joules that are equal to the last digit, nothing is known; of scores it is."""
    for d, measured in ((one(-1.0), True), (one(-1.0), False), (one(-1.0, -1.0), True)):
        low, high = paired.interval(d, 0.05, measured)
        assert (low, high) == (-math.inf, math.inf)
    assert paired.interval(one(0.0, 0.0), 0.05, measured=False) == (0.0, 0.0)


def test_where_an_interval_stands() -> None:
    stand = paired.standing
    assert stand(one(-2, -2, 1), one(-1, 1, 2), 0.0, True).tolist() == [MET, OPEN, REFUTED]
    assert stand(one(0), one(0), 0.0, True).tolist() == [OPEN]  # as much energy is not less
    assert stand(one(0), one(0), 0.0, False).tolist() == [MET]  # by the margin is not beyond it
    assert paired.together([MET, OPEN, REFUTED]) == REFUTED
    assert paired.together([MET, OPEN]) == OPEN and paired.together([MET, MET]) == MET


def exam(energy: np.ndarray, score: float = 0.0, wall: float = -0.5) -> dict[str, np.ndarray]:
    wiggle = 1e-3 * np.cos(np.arange(len(energy)))
    return {"energy": energy, "score": score + 0 * energy, "wall": wall + wiggle}


def test_all_four_must_hold_and_one_refuted_is_enough() -> None:
    saved = np.log(0.8) + 0.01 * np.sin(np.arange(20))
    plan = paired.looks(10, 10)

    def word(d: dict[str, np.ndarray], target: tuple[int, int] = (MET, MET)) -> int:
        return int(paired.decide(d, 0.01, plan, target)[0])

    assert word(exam(saved)) == MET
    assert word(exam(-saved)) == REFUTED
    assert word(exam(saved, score=0.02)) == REFUTED
    assert word(exam(saved, wall=math.log(1.2))) == REFUTED
    assert word(exam(saved), (REFUTED, REFUTED)) == REFUTED
    assert word(exam(saved), (OPEN, OPEN)) == OPEN
    ends, at = paired.decide(exam(saved), 0.01, plan, (OPEN, MET))
    assert (ends, at) == (MET, 1)
    assert paired.decide(exam(saved), 0.01, plan)[1] == 0


def test_an_extension_cannot_undo_a_first_look() -> None:
    d = exam(np.concatenate([np.log(0.8) + 0.01 * np.sin(np.arange(10)), np.full(10, 3.0)]))
    ends, at = paired.decide(d, 0.01, paired.looks(10, 10))
    assert (ends, at) == (MET, 0)


@pytest.mark.parametrize(
    ("cv", "effect", "pairs"),
    [(0.01, 0.02, 7), (0.02, 0.02, 19), (0.02, 0.05, 5), (0.05, 0.05, 19)],
)
def test_pairs_needed_as_published(cv: float, effect: float, pairs: int) -> None:
    """The usual sample sizes of a paired t test at a two-sided α of 0.05, per-run CV to effect; the
    published ones are rounded up from a simulation."""
    sd = math.sqrt(2) * cv
    assert abs((paired.pairs_needed(effect, sd, 0.025) or 0) - pairs) <= 1
    needed = paired.pairs_needed(effect, sd, 0.005)
    assert needed is not None
    assert (
        paired.power(effect, sd, needed, 0.005) >= 0.8 > paired.power(effect, sd, needed - 1, 0.005)
    )
    assert paired.power(paired.detectable(sd, needed, 0.005), sd, needed, 0.005) == pytest.approx(
        0.8
    )


def test_no_number_of_pairs_shows_what_is_not_there() -> None:
    assert paired.pairs_needed(0.0, 0.1, 0.01) is None
    assert paired.pairs_needed(-0.1, 0.1, 0.01) is None
    assert paired.pairs_needed(math.nan, 0.1, 0.01) is None
    assert paired.pairs_needed(1e-6, 0.1, 0.01) is None  # beyond MOST_PAIRS
    assert paired.pairs_needed(0.1, 0.0, 0.01) == 2


NULLS = {
    "nothing saved": Truth(saving=0.0),
    "nothing saved, 5 % drift, autocorrelated": Truth(saving=0.0, drift=0.05, rho=0.8),
    "score worse by the margin": Truth(saving=0.5, worse=1.0),
    "5 % slower": Truth(saving=0.5, slower=0.05),
}


@pytest.mark.parametrize("null", NULLS)
def test_false_passes_stay_below_alpha(null: str) -> None:
    """By the union bound at most 1 % where nothing is saved and 5 % at the other limits; three standard
    errors of the simulation are allowed on top."""
    alpha = 0.01 if "nothing" in null else 0.05
    shares = simulate(NULLS[null], REPEATS, seed=1)
    assert shares.passed <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / REPEATS)
    assert shares.passed + shares.failed < 1  # most such exams are undecided


def test_a_saving_is_found_and_a_waste_refuted() -> None:
    assert simulate(Truth(saving=0.10), 500, seed=2).passed > 0.95
    assert simulate(Truth(saving=-0.20), 500, seed=3).failed > 0.95


def test_coverage() -> None:
    """Of a 95 % interval at the first look, where both bounds are at 2.5 %."""
    error = 3 * math.sqrt(0.95 * 0.05 / REPEATS)
    assert abs(simulate(Truth(saving=0.1), REPEATS, seed=4).covered - 0.95) < error
