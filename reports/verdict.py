"""The verdict of an exam, computed from its Records alone.

A candidate passes by four conditions, all of them on paired differences of one plan:

* energy: the ratio of J per training is below 1 (α = 0.01);
* score: not worse than the baseline's by more than the task's margin (α = 0.05);
* wall: seconds per training are not more than 5 % above the baseline's (α = 0.05);
* target: every run of the candidate finished and its median score meets the bar. It is refuted where a
  run failed or did not converge, or where the interval of its mean score lies beyond the bar (α = 0.05).

PASS where all four hold, FAIL where one is refuted, else UNDECIDED. INDICATIVE stands in place of PASS
where something that does not scatter from run to run could undo it: the error of a model of joules, the
calibration of sensors, a baseline that misses the bar, or a candidate that was tuned for longer. A
baseline that fails is no baseline, and there is no verdict.
"""

from __future__ import annotations

import math
import statistics

import numpy as np

from metrics import paired
from metrics.paired import MET, REFUTED, Look
from metrics.store import StoreError
from reports import exam_figures as figures
from reports.doubts import outspent, systematic
from reports.exam_runs import BASELINE, CANDIDATE, Exam
from reports.verdict_fields import FAIL, INDICATIVE, PASS, WORDS, Side, Verdict

FULL = 10  # pairs of an exam; fewer are a screening


def judge(exam: Exam) -> Verdict | None:
    """The verdict, or None before the first look. Raises StoreError where there can be none."""
    _check_baseline(exam)
    plan = paired.looks(exam.info.pairs, exam.info.extension)
    whole = exam.whole()
    failed = bool(exam.failures(CANDIDATE))
    reached = [look for look in plan if look.pairs <= whole]
    if not reached and not failed:
        return None
    done = [p for p in range(1, plan[-1].pairs + 1) if figures.both(exam, p)]
    energy, cold = (
        figures.differences(exam, done, which) for which in (figures.energy_j, figures.cold_j)
    )
    margin = figures.margin(exam)
    if failed:  # that ends it, whatever the others say
        look, index, state = Look(len(done), plan[0].share), len(reached[1:]), REFUTED
    else:
        targets = [figures.target(exam, look) for look in reached]
        ends, at = paired.decide(energy, margin, reached, targets)
        state, index = int(ends), int(at)
        look = reached[index]
    pairs = done[: look.pairs]
    target = REFUTED if failed else figures.target(exam, look)
    factor, why = systematic([(exam.runs[p, CANDIDATE], exam.runs[p, BASELINE]) for p in pairs])
    sides = {n: figures.side(exam, n, pairs) for n in exam.info.sides}
    doubts = _doubts(exam, sides)

    def said(differences: dict[str, np.ndarray], state: int) -> tuple[str, list[str]]:
        """The word for these joules, and what keeps it from being PASS."""
        if state != MET:
            return WORDS[state], []
        reasons = list(doubts)
        _, high = paired.bounds(differences, look)["energy"]
        if math.exp(float(high)) * factor >= 1:
            reasons.insert(0, why)
        return (INDICATIVE if reasons else PASS), reasons

    word, reasons = said(energy, state)
    colder = paired.standings(cold, margin, look)
    cold_word, _ = said(cold, int(paired.together([*colder.values(), np.array(target)])))
    last = plan[-1]
    chill = figures.condition("energy", cold, margin, look, last)
    conditions = [
        *(figures.condition(name, energy, margin, look, last) for name in paired.CONDITIONS),
        figures.target_condition(exam, look, target),
    ]
    if failed:
        reasons = _listed("the candidate", exam.failures(CANDIDATE), whole)
    effect, low, high = figures.ratio(energy["energy"][: look.pairs])
    needed = [c.needed for c in conditions if c.state == "open"]
    scatter = float(np.std(energy["energy"][: look.pairs], ddof=1)) if len(pairs) > 1 else None
    shown = paired.detectable(scatter, len(pairs), last.alpha("energy")) if scatter else None
    first = exam.of(BASELINE)[0] if exam.of(BASELINE) else exam.first
    score = next(r.score for r in exam.runs.values() if r.score) if done else None
    return Verdict(
        exam=exam.name,
        word=word,
        source=first.source,
        reasons=reasons,
        task=first.task.name,
        variant=first.task.variant,
        bar=figures.bar(exam),
        score_name=score.name if score else "score",
        score_unit=score.unit if score else "1",
        direction=score.direction if score else "max",
        device=first.host.device_class,
        conditions=conditions,
        pairs=len(pairs),
        planned=plan[index].pairs,
        look=index + 1,
        looks=len(plan),
        more=plan[index + 1].pairs - look.pairs if index + 1 < len(plan) else 0,
        effect=effect,
        effect_low=low,
        effect_high=high,
        bound=1 / factor,
        scatter=scatter,
        saving_detectable=1 - math.exp(-shown) if shown is not None else None,
        pairs_needed=max((n for n in needed if n), default=None) if all(needed) else None,
        cold_ratio=chill.value if done else None,
        cold_low=chill.low if done else None,
        cold_high=chill.high if done else None,
        cold_word=FAIL if failed else cold_word,
        candidate=sides.pop(CANDIDATE),
        baseline=sides.pop(BASELINE),
        ablations=list(sides.values()),
        notes=_notes(exam, pairs),
        runs=[exam.runs[p, s].run for p in pairs for s in exam.info.sides if (p, s) in exam.runs],
        words=list(first.settings.get("exam_words", [])),
    )


def _check_baseline(exam: Exam) -> None:
    """Raises StoreError where the baseline failed, or a figure is none whose logarithm could be taken."""
    if failures := exam.failures(BASELINE):
        name = exam.of(BASELINE)[0].algorithm.name
        raise StoreError(
            f"exam {exam.name}: no verdict, because "
            f"{'; '.join(_listed('the baseline', failures, len(exam.of(BASELINE))))}; {name} must finish "
            "and converge in every pair: tune it (bench tune), name another (baseline=NAME), or raise its "
            "limits; the Records stay"
        )
    for side in (CANDIDATE, BASELINE):
        for run in exam.of(side):
            head = run.headline
            if run.failure or head is None:
                continue
            seen = (head.energy_j.value, head.cold_j.value, head.wall_s)
            if not all(math.isfinite(x) and x > 0 for x in seen):
                raise StoreError(
                    f"exam {exam.name}: no verdict, because run {run.run} of the {side} reports "
                    f"{seen[0]:.4g} J, {seen[1]:.4g} J cold and {seen[2]:.4g} s, and no ratio can be made "
                    "of that; let a window last longer (meter.floor_s=5) and sit it anew with --fresh"
                )


def _listed(who: str, failures: list[tuple[int, str]], of: int) -> list[str]:
    """ "the candidate failed in 2 of 10 pairs (pair 3: out of memory)"."""
    pair, why = failures[0]
    return [
        f"{who} failed in {len(failures)} of {max(of, len(failures))} pairs (pair {pair}: {why})"
    ]


def _doubts(exam: Exam, sides: dict[str, Side]) -> list[str]:
    """What keeps a PASS from being one, besides the joules' own errors."""
    reasons = []
    score = sides[BASELINE].score
    if score is not None and not figures.meets(exam, score):
        reasons.append(
            f"the baseline itself misses the bar (median {score:.4g}, bar {figures.bar(exam):.4g}): tune "
            "it to the bar, or name another with baseline="
        )
    return reasons + outspent(sides[CANDIDATE].tuning, sides[BASELINE].tuning)


def _notes(exam: Exam, pairs: list[int]) -> list[str]:
    """What a reader should know beside the figures."""
    notes = []
    used = [exam.runs[p, s] for p in pairs for s in (CANDIDATE, BASELINE)]
    if exam.info.pairs < FULL:
        notes.append(
            f"a screening: an exam has {FULL} pairs, this one began with {exam.info.pairs}"
        )
    if exam.again:
        notes.append(f"sittings that were interrupted, and sat again: {len(exam.again)}")
    if exam.twice:
        notes.append(f"runs after one of the same pair and side, which do not count: {exam.twice}")
    if exam.others:
        notes.append(
            f"exams of these two among these Records besides this one: {exam.others}; a verdict chosen "
            "from several is worth less than its α"
        )
    if len({(r.code.version, r.code.commit) for r in used}) > 1:
        notes.append("joulebench itself changed between runs")
    for side in (CANDIDATE, BASELINE):
        runs = [r for r in used if r.exam and r.exam.side == side]
        shares = [
            r.empty.energy_j / r.headline.energy_j.value for r in runs if r.empty and r.headline
        ]
        if shares and statistics.median(shares) > 1 / 3:
            share = min(1.0, statistics.median(shares))
            notes.append(
                f"{100 * share:.0f} % of the {side}'s energy is what the path itself costs"
            )
    return notes
