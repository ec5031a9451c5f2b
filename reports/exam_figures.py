"""From the runs of an exam to the arrays, intervals and medians that its verdict rests on."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

from metrics import paired
from metrics.paired import MET, OPEN, REFUTED, Look
from metrics.record import Headline
from reports.doubts import tuning
from reports.exam_runs import BASELINE, CANDIDATE, Exam
from reports.verdict_fields import STATES, Condition, Side

LEVEL = 0.99  # of the effect that is quoted


def both(exam: Exam, pair: int) -> bool:
    """Whether both sides of a pair finished and converged."""
    runs = [exam.runs.get((pair, side)) for side in (CANDIDATE, BASELINE)]
    return all(run is not None and not run.failure for run in runs)


def energy_j(head: Headline) -> float:
    return head.energy_j.value


def cold_j(head: Headline) -> float:
    return head.cold_j.value


def logs(exam: Exam, pairs: list[int], side: str, which: Callable[[Headline], float]) -> np.ndarray:
    heads = [exam.runs[p, side].headline for p in pairs]
    return np.log(np.array([which(h) for h in heads if h], float))


def differences(
    exam: Exam, pairs: list[int], which: Callable[[Headline], float]
) -> dict[str, np.ndarray]:
    """Of `metrics.paired`, by condition, [pairs]."""
    scores = {
        side: np.array([s.value for p in pairs if (s := exam.runs[p, side].score)], float)
        for side in (CANDIDATE, BASELINE)
    }
    sign = 1.0 if direction(exam) == "max" else -1.0

    def ratio(of: Callable[[Headline], float]) -> np.ndarray:
        return logs(exam, pairs, CANDIDATE, of) - logs(exam, pairs, BASELINE, of)

    return {
        "energy": ratio(which),
        "score": sign * (scores[BASELINE] - scores[CANDIDATE]),
        "wall": ratio(lambda head: head.wall_s),
    }


def direction(exam: Exam) -> str:
    return next((r.score.direction for r in exam.runs.values() if r.score), "max")


def margin(exam: Exam) -> float:
    return next((r.score.margin for r in exam.runs.values() if r.score), 0.0)


def scores(exam: Exam, side: str, pairs: int) -> list[float]:
    return [r.score.value for r in exam.of(side)[:pairs] if r.score and not r.failure]


def bar(exam: Exam) -> float:
    """The target's; not a number where no run got that far. An exam of a task without a bar is not begun."""
    found = next((r.task.bar for r in exam.runs.values() if r.task.bar is not None), None)
    return math.nan if found is None else found


def meets(exam: Exam, score: float) -> bool:
    return score >= bar(exam) if direction(exam) == "max" else score <= bar(exam)


def target(exam: Exam, look: Look) -> int:
    """Where the fourth condition stands at a look that no failure of the candidate came before."""
    mine, aim = scores(exam, CANDIDATE, look.pairs), bar(exam)
    if meets(exam, statistics.median(mine)):
        return MET
    low, high = paired.interval(np.array(mine), look.alpha("target"), measured=False)
    beyond = high < aim if direction(exam) == "max" else low > aim
    return REFUTED if beyond else OPEN


def target_condition(exam: Exam, look: Look, state: int) -> Condition:
    mine, alpha = scores(exam, CANDIDATE, look.pairs), look.alpha("target")
    low, high = (
        paired.interval(np.array(mine), alpha, measured=False) if mine else (-math.inf, math.inf)
    )
    value = statistics.median(mine) if mine else math.nan
    ends = float(low), float(high), 1 - 2 * alpha
    return Condition("target", STATES[state], value, *ends, bar(exam))


def condition(
    name: str, differences: dict[str, np.ndarray], margin: float, look: Look, last: Look
) -> Condition:
    d = differences[name][: look.pairs]
    limit = {"energy": paired.ENERGY_LIMIT, "score": margin, "wall": paired.WALL_LIMIT}[name]
    low, high = (float(end) for end in paired.bounds(differences, look)[name])
    state = int(paired.standings(differences, margin, look)[name])
    mean = float(d.mean()) if len(d) else math.nan
    needed = None
    if state == OPEN and len(d) > 1:
        needed = paired.pairs_needed(limit - mean, float(d.std(ddof=1)), last.alpha(name))
        needed = needed and max(needed, len(d) + 1)
    level = 1 - 2 * look.alpha(name)
    ends = (mean, low, high, limit)
    if name != "score":
        ends = (_exp(mean), _exp(low), _exp(high), _exp(limit))
    return Condition(name, STATES[state], ends[0], ends[1], ends[2], level, ends[3], needed)


def _exp(log: float) -> float:
    return math.exp(log) if log < 700 else math.inf


def ratio(logs: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """A ratio with its 99 % interval; None where there is none."""
    if not len(logs):
        return None, None, None
    low, high = (float(end) for end in paired.interval(logs, (1 - LEVEL) / 2))
    return _exp(float(logs.mean())), _exp(low), _exp(high)


def side(exam: Exam, name: str, pairs: list[int]) -> Side:
    """Medians of a side's runs up to the last of these pairs."""
    runs = [r for r in exam.of(name) if r.exam and r.exam.pair <= max(pairs, default=1)]
    done = [(r.headline, r.score) for r in runs if r.headline and r.score and not r.failure]
    against: tuple[float | None, float | None, float | None] = (None, None, None)
    if name not in (CANDIDATE, BASELINE):
        shared = [p for p in pairs if (r := exam.runs.get((p, name))) and not r.failure]
        ours, theirs = (logs(exam, shared, n, energy_j) for n in (name, CANDIDATE))
        against = ratio(ours - theirs)
    one = runs[0] if runs else exam.first

    def median(of: Callable[[Any, Any], float]) -> float | None:
        return statistics.median(of(h, s) for h, s in done) if done else None

    return Side(
        name=name,
        algorithm=one.algorithm.name,
        config_sha256=one.algorithm.config_sha256,
        code_sha256=one.algorithm.code_sha256,
        runs=len(runs),
        failed=sum(r.failure is not None for r in runs),
        energy_j=median(lambda h, s: h.energy_j.value),
        cold_j=median(lambda h, s: h.cold_j.value),
        wall_s=median(lambda h, s: h.wall_s),
        score=median(lambda h, s: s.value),
        tuning=tuning(one),
        ratio=against[0],
        low=against[1],
        high=against[2],
    )
