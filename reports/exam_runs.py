"""The runs of an exam, found among Records, and whether they can be compared at all."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from metrics import record as rec
from metrics.store import Store, StoreError

CANDIDATE, BASELINE = "candidate", "baseline"
MAKE_ONE = "make one with: bench exam task=sparse_parity algo=xor_elimination"


class Sat(msgspec.Struct, kw_only=True):
    """What a verdict needs of a Record."""

    run: str
    kind: str
    status: str
    error: str | None
    started_at: str
    task: rec.TaskInfo
    algorithm: rec.AlgorithmInfo
    process: str
    found: dict[str, Any] | None = None
    draw: rec.DrawInfo
    score: rec.ScoreResult | None
    headline: rec.Headline | None
    energy: list[rec.EnergyRow]
    empty: rec.EmptyInfo | None
    source: str
    host: rec.Host
    code: rec.Code
    settings: dict[str, Any]
    imported_from: str | None = None
    exam: rec.ExamInfo | None = None

    @property
    def failure(self) -> str | None:
        """Why this run is a failure of its side, if it is one: it did not finish, or did not converge,
        which is said of a score that lies nearer to chance than to the bar."""
        score, bar = self.score, self.task.bar
        if self.status == "failed":
            return self.error or "it failed"
        if score is None or self.headline is None or not math.isfinite(score.value):
            return "it has no score that is a number"
        sign = 1 if score.direction == "max" else -1
        if bar is not None and sign * bar > sign * score.chance:
            middle = (bar + score.chance) / 2
            if sign * score.value < sign * middle:
                return (
                    f"it did not converge: {score.name} {score.value:.4g} is nearer to chance "
                    f"({score.chance:.4g}) than to the bar ({bar:.4g})"
                )
        return None


@dataclass
class Exam:
    """One exam: `info` of any of its runs; runs by pair and side, the first that counts of each.

    again: sittings that say nothing (interrupted, or void) and were sat again. twice: sittings of a pair
    and side that had counted already. others: exams of the same configurations among these Records.
    """

    name: str
    info: rec.ExamInfo
    runs: dict[tuple[int, str], Sat] = field(default_factory=dict)
    again: list[Sat] = field(default_factory=list)
    twice: int = 0
    others: int = 0

    @property
    def first(self) -> Sat:
        return next(iter(self.runs.values()), None) or self.again[0]

    def of(self, side: str) -> list[Sat]:
        """Its runs, by pair."""
        return [self.runs[key] for key in sorted(self.runs) if key[1] == side]

    def whole(self) -> int:
        """How many pairs from the first on have been sat by every side."""
        pair = 0
        while all((pair + 1, side) in self.runs for side in self.info.sides):
            pair += 1
        return pair

    def failures(self, side: str) -> list[tuple[int, str]]:
        """Pair and reason of a side's failures."""
        return [(r.exam.pair, r.failure) for r in self.of(side) if r.exam and r.failure]


def load(folder: Path) -> tuple[list[Sat], list[str]]:
    """Runs of exams among the Records of a folder, and a line for whatever could not be read."""
    loaded = Store(folder).load(Sat)
    runs = [r for r in loaded.records if r.exam and r.kind == rec.RUN and not r.imported_from]
    return runs, loaded.problems


def names(runs: Iterable[Sat]) -> list[str]:
    """Exams, the one that was gone on with last at the end."""
    return list(dict.fromkeys(r.exam.exam for r in reversed(list(runs)) if r.exam))[::-1]


def find(runs: list[Sat], name: str, folder: Path) -> str:
    """The exam that is called `name`, or starts with it, or the last one."""
    known = names(runs)
    if not known:
        raise StoreError(f"there is no exam among the Records in {folder}; {MAKE_ONE}")
    if name == "last":
        return known[-1]
    matches = [n for n in known if n == name] or [n for n in known if n.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    what = f"several exams are called {name}..." if matches else f"no exam is called {name}"
    raise StoreError(f"{what}; there are: {', '.join((matches or known)[-5:])} (or say: last)")


def collect(runs: list[Sat], name: str) -> Exam:
    """An exam's runs. Raises StoreError where they are not of one plan, machine, source and code."""
    mine = {r.run: r for r in runs if r.exam and r.exam.exam == name}  # a Record may be there twice
    if not mine:
        raise StoreError(f"exam {name} has no Records; {MAKE_ONE}")
    first = next(iter(mine.values()))
    assert first.exam is not None
    exam = Exam(name, first.exam)
    for run in mine.values():
        assert run.exam is not None
        key = run.exam.pair, run.exam.side
        if run.exam.void or run.status == "interrupted":
            exam.again.append(run)
        elif key in exam.runs:
            exam.twice += 1
        else:
            exam.runs[key] = run
    _same(list(mine.values()), name)
    exam.others = _others(runs, exam)
    return exam


def _others(runs: list[Sat], exam: Exam) -> int:
    """Other exams here of the same task, candidate and baseline."""

    def identity(name: str) -> set[tuple[str, ...]]:
        of_it = [r for r in runs if r.exam and r.exam.exam == name]
        return {_who(r) for r in of_it if r.exam and r.exam.side in (CANDIDATE, BASELINE)}

    mine = identity(exam.name)
    return sum(name != exam.name and identity(name) == mine for name in names(runs))


def _who(run: Sat) -> tuple[str, ...]:
    assert run.exam is not None
    return run.exam.side, run.task.config_sha256, run.algorithm.config_sha256


def _same(runs: list[Sat], name: str) -> None:
    """That all that an exam must have in common, its runs do."""
    done = [r for r in runs if r.headline]  # a run that failed may have ended before it knew

    def one(what: str, values: Iterable[str], way_out: str) -> None:
        seen = sorted(set(values))
        if len(seen) > 1:
            raise StoreError(
                f"exam {name}: no verdict, because its runs are of different {what} ({'; '.join(seen)}); "
                f"{way_out}"
            )

    fresh = "sit it anew with: bench exam ... --fresh"
    one("plans", (r.exam.plan_sha256[:12] for r in runs if r.exam), fresh)
    one("machines", (r.exam.machine for r in runs if r.exam), fresh)
    one("device classes", (r.host.device_class for r in done), fresh)
    one("energy sources", (r.source for r in done), f"name the meter (meter=...) and {fresh}")
    one("tasks", (f"{r.task.variant}, {r.task.config_sha256[:12]}" for r in runs), fresh)
    one("bars", (f"{r.task.bar}, margin {r.task.margin}" for r in done), fresh)
    for side in {r.exam.side for r in runs if r.exam}:
        mine = [r for r in runs if r.exam and r.exam.side == side]
        hashes = (r.algorithm.config_sha256[:12] for r in mine)
        one(f"configurations of the {side}", hashes, fresh)
        one(f"code of the {side}", (r.algorithm.code_sha256[:12] for r in mine), fresh)
        one(f"numbers of threads of the {side}", (str(r.host.threads) for r in mine), fresh)
