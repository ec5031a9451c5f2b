"""How often `bench check` raises an alarm, by simulation of the very procedure.

    python -m tests.benchmarks.gate_power                 # about 4 minutes
    python -m tests.benchmarks.gate_power checks=100

Every check writes whole Records of n runs then and n runs now, makes a baseline file of the first and holds
the others against it by the code of the command. J of a run is lognormal with the CV named; its skill
scatters by 0.5 %, so that joules per accuracy carry both. margin 5 %, α 5 %, which is what is stated: a true
ratio within the margin fails at most 5 % of checks.
"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

import numpy as np

from metrics.record import Record
from metrics.regression import Sample, power_of
from metrics.store import Store
from reports.baseline import load, read, write
from reports.gate import POWER, UNDECIDED, Gate, Rules, gate
from reports.gate_rows import rows_of
from tests.gate_records import run, save

RULES = Rules()
RATIOS = (1.0, 1.05, 1.10, 1.20)
CVS = (0.01, 0.02, 0.05, 0.10)
SKILL_CV = 0.005


def records(
    draw: np.random.Generator, n: int, cv: float, ratio: float = 1.0, algos: int = 1
) -> list[Record]:
    """n runs of each of some algorithms, whose mean J is that of an alike baseline times `ratio`."""
    sigma = math.sqrt(math.log1p(cv**2))
    made = []
    for algo in range(algos):
        for seed in range(n):
            joules = 50.0 * ratio * math.exp(sigma * draw.standard_normal())
            skill = 0.96 * math.exp(SKILL_CV * draw.standard_normal())
            made.append(run(joules, min(skill, 1.0), seed, algo=f"tiny{algo}", met=True))
    return made


def check(folder: Path, then: list[Record], now: list[Record], rules: Rules = RULES) -> Gate:
    """One check, through both files."""
    path = folder / "energy.json"
    write(path, Store(save(folder / "then", then)))
    baseline = read(path)
    return gate(baseline.rows, rows_of(load(Store(save(folder / "now", now)))), rules)


def as_nothing_rose(found: Gate) -> bool:
    """What the other rule would have said: ratio as seen beyond the margin, and "none rose" rejected."""
    (one,) = found.findings
    assert one.joules and one.ratio
    return one.ratio > 1 + RULES.margin and one.joules.p_above(0.0) <= RULES.alpha


def main() -> int:
    checks = next((int(w[7:]) for w in sys.argv[1:] if w.startswith("checks=")), 500)
    draw = np.random.default_rng(20260101)
    print(f"{checks} checks each; standard error at most {50 / math.sqrt(checks):.1f} %")
    print(
        "\nchecks that fail, %, by true ratio; [undecided]; (with the null 'no rise', for comparison)"
    )
    print("CV     n   " + "".join(f"{r:>22.2f}" for r in RATIOS))
    with tempfile.TemporaryDirectory(prefix="joulebench-gate-") as name:
        folder = Path(name)
        for cv in CVS:
            for n in (3, 5, 10):
                cells = []
                for ratio in RATIOS:
                    fails = open_ = other = 0
                    for _ in range(checks):
                        found = check(folder, records(draw, n, cv), records(draw, n, cv, ratio))
                        fails += found.exit_code == 4
                        open_ += found.findings[0].verdict == UNDECIDED
                        other += as_nothing_rose(found)
                    shares = [100 * x / checks for x in (fails, open_, other)]
                    cells.append("{:6.1f} [{:4.1f}] ({:5.1f})".format(*shares))
                print(f"{cv:<6.0%} {n:<3} " + "".join(f"{cell:>22}" for cell in cells), flush=True)
        stated(folder, draw, checks)
        families(folder, draw, checks)
    return 0


def stated(folder: Path, draw: np.random.Generator, checks: int) -> None:
    """Power as `metrics.regression` states it at the true scatter, and as checks have it."""
    print(
        "\nstated power, %, and checks that fail, %: at a ratio of 1.10, and where 80 % is stated"
    )
    print("CV     n     1.10: stated   seen     80 % at ratio   seen")
    bound = math.log1p(RULES.margin)
    for cv in CVS:
        sd = math.sqrt(math.log1p(cv**2) + math.log1p(SKILL_CV**2))
        for n in (3, 5, 10):

            def power(ratio: float, n: int = n, sd: float = sd) -> float:
                then, now = Sample(n, 0.0, sd), Sample(n, math.log(ratio), sd)
                return power_of(then, now, bound, RULES.alpha)

            grid = np.geomspace(1.05, 3.0, 4001)
            ratio = float(next(r for r in grid if power(float(r)) >= POWER))
            seen = [
                sum(
                    check(folder, records(draw, n, cv), records(draw, n, cv, r)).exit_code == 4
                    for _ in range(checks)
                )
                for r in (1.10, ratio)
            ]
            a, b = (100 * x / checks for x in seen)
            line = f"{100 * power(1.10):14.1f} {a:6.1f} {ratio:17.3f} {b:6.1f}"
            print(f"{cv:<6.0%} {n:<3} {line}", flush=True)


def families(folder: Path, draw: np.random.Generator, checks: int) -> None:
    """Checks of five rows at once: α is of the whole check."""
    print("\nfive rows, CV 2 %, 5 runs: checks that fail, %")
    for what, ratios in {
        "all unchanged": (1.0,) * 5,
        "all exactly at the margin": (1.05,) * 5,
        "one of them at 1.10": (1.0,) * 4 + (1.10,),
    }.items():
        fails = 0
        for _ in range(checks):
            then = records(draw, 5, 0.02, algos=5)
            now = []
            for algo, ratio in enumerate(ratios):
                fresh = records(draw, 5, 0.02, ratio, algos=algo + 1)
                now += fresh[-5:]
            fails += check(folder, then, now).exit_code == 4
        print(f"{what:<28} {100 * fails / checks:5.1f}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
