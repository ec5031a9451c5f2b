"""Simulates exams by the very procedure of `bench exam`, extension included: how often does it err?

    python -m tests.benchmarks.exam_statistics              # seconds
    python -m tests.benchmarks.exam_statistics repeats=2000

Every simulated exam has its own random order within pairs, lognormal energy and wall time per run (they
share half of their noise, as both follow what the machine does) and scores with a scatter of their own,
of which draws share a part within the pair. Drift is linear over the whole exam as planned; noise may be
an AR(1) process over the runs in the order in which they are sat.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from harness.exam import orders
from metrics import paired
from metrics.paired import MET, REFUTED

MARGIN = 0.01


@dataclass(frozen=True)
class Truth:
    """What is so. saving: of energy; the candidate takes (1 - saving) times as much. worse: of the score,
    in margins. slower: wall time. cv: of one run's energy and wall time. sd: of one run's score, in
    margins. drift: of energy and wall time over the exam. rho: correlation of one run's noise with the
    next one's. outliers: share of runs that another program made half as dear again. pairs, extension: as
    planned."""

    saving: float
    worse: float = 0.0
    slower: float = -0.2
    cv: float = 0.02
    sd: float = 0.3
    drift: float = 0.0
    rho: float = 0.0
    outliers: float = 0.0
    pairs: int = 10
    extension: int = 10


@dataclass(frozen=True)
class Shares:
    """Of all exams: passed, failed and undecided ones; covered: intervals (95 %) of energy at the first
    look that hold the truth; pairs: mean number that was sat."""

    passed: float
    failed: float
    undecided: float
    covered: float
    pairs: float


def simulate(truth: Truth, repeats: int, seed: int) -> Shares:
    """What `repeats` exams come to."""
    rng = np.random.default_rng(seed)
    pairs = truth.pairs + truth.extension
    first = np.array(
        [
            [order[0] == "candidate" for order in orders(int(s), pairs, ["candidate", "baseline"])]
            for s in rng.integers(
                2**63, size=min(repeats, 500)
            )  # orders are used several times over
        ]
    )[rng.integers(min(repeats, 500), size=repeats)]
    slots = 2 * pairs
    ramp = np.log1p(truth.drift * np.linspace(0, 1, slots))
    common = autocorrelated(rng, repeats, slots, truth.rho)
    runs = {
        name: truth.cv * (common + autocorrelated(rng, repeats, slots, truth.rho)) / np.sqrt(2)
        + ramp
        for name in ("energy", "wall")
    }
    energy, wall = (split(runs[name], first) for name in ("energy", "wall"))
    disturbed = np.log(1.5) * (rng.random((repeats, slots)) < truth.outliers)
    energy, wall = (d + split(disturbed, first) for d in (energy, wall))
    scatter = truth.sd * MARGIN * rng.standard_normal((2, repeats, pairs))
    differences = {
        "energy": energy + np.log1p(-truth.saving),
        "score": truth.worse * MARGIN + scatter[0] - scatter[1],
        "wall": wall + np.log1p(truth.slower),
    }
    plan = paired.looks(truth.pairs, truth.extension)
    ends, at = paired.decide(differences, MARGIN, plan)
    low, high = paired.interval(differences["energy"][:, : truth.pairs], 0.025)
    true = np.log1p(-truth.saving)
    return Shares(
        passed=float(np.mean(ends == MET)),
        failed=float(np.mean(ends == REFUTED)),
        undecided=float(np.mean(ends == paired.OPEN)),
        covered=float(np.mean((low <= true) & (true <= high))),
        pairs=float(np.mean([plan[i].pairs for i in at])),
    )


def autocorrelated(rng: np.random.Generator, repeats: int, slots: int, rho: float) -> np.ndarray:
    """A stationary AR(1) process of unit variance, [repeats, slots]."""
    noise = rng.standard_normal((repeats, slots))
    for slot in range(1, slots if rho else 0):
        noise[:, slot] = rho * noise[:, slot - 1] + np.sqrt(1 - rho**2) * noise[:, slot]
    return noise


def split(runs: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Candidate less baseline [repeats, pairs] of runs [repeats, 2 pairs] in the order they were sat."""
    differences: np.ndarray = runs[:, 0::2] - runs[:, 1::2]
    return np.where(first, differences, -differences)


NULLS = {
    "nothing saved": Truth(0.0),
    "nothing saved, CV 5 %": Truth(0.0, cv=0.05),
    "nothing saved, 5 pairs": Truth(0.0, pairs=5, extension=5),
    "nothing saved, no extension": Truth(0.0, extension=0),
    "nothing saved, 5 % drift": Truth(0.0, drift=0.05),
    "nothing saved, 5 % drift, CV 1 %": Truth(0.0, drift=0.05, cv=0.01),
    "nothing saved, AR(1) 0.8": Truth(0.0, rho=0.8),
    "nothing saved, AR(1) 0.8, 5 % drift": Truth(0.0, rho=0.8, drift=0.05),
    "nothing saved, 5 % of runs disturbed": Truth(0.0, outliers=0.05),
    "score worse by the margin": Truth(0.5, worse=1.0),
    "score worse by the margin, AR(1), drift": Truth(0.5, worse=1.0, rho=0.8, drift=0.05),
    "5 % slower": Truth(0.5, slower=0.05),
    "5 % slower, AR(1) 0.8, 5 % drift": Truth(0.5, slower=0.05, rho=0.8, drift=0.05),
    "nothing saved, 5 % slower, score worse": Truth(0.0, worse=1.0, slower=0.05),
}


def main(repeats: int) -> None:
    print(
        f"{repeats} simulated exams each, 10 pairs and an extension of 10 unless it says otherwise\n"
    )
    print(
        f"{'no candidate that deserves to pass':<42} {'PASS':>7} {'FAIL':>7} {'UNDEC.':>7} {'covered':>8}"
    )
    for number, (name, truth) in enumerate(NULLS.items()):
        s = simulate(truth, repeats, seed=number)
        print(f"{name:<42} {s.passed:>7.2%} {s.failed:>7.2%} {s.undecided:>7.2%} {s.covered:>8.2%}")
    for pairs in (5, 10):
        print(
            f"\n{pairs} pairs, extension {pairs}: CV of a run, saving → PASS, FAIL, UNDECIDED, mean pairs"
        )
        for cv in (0.01, 0.02, 0.05):
            for saving in (0.02, 0.05, 0.10, 0.20):
                truth = Truth(saving, cv=cv, pairs=pairs, extension=pairs)
                s = simulate(truth, repeats, seed=100 + pairs)
                print(
                    f"  CV {cv:>4.0%}   saving {saving:>4.0%}   {s.passed:>7.1%} {s.failed:>7.1%} "
                    f"{s.undecided:>7.1%} {s.pairs:>7.1f}"
                )


if __name__ == "__main__":
    main(int(dict(word.split("=") for word in sys.argv[1:]).get("repeats", 20000)))
