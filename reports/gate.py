"""The gate: rows of today against the rows of a baseline, and what each of them has to say.

Joules per accuracy. A row fails where the null hypothesis "the true ratio of now to then is at most 1 +
margin" is rejected: one-sided Welch t test on logarithms (`metrics.regression`), at α over all rows of the
check together (Holm). So a check in which every true ratio is within the margin fails with a probability of
at most α, and no row fails whose ratio, as seen, is within it. A ratio beyond the margin that is not
significant is undecided, which fails nothing unless that is asked for. Scores likewise, as a family of their
own, on their own scale and with the task's margin. A run that misses its target, fails or is missing fails
its row at once.

Counts are the same to the unit on one draw, so there is nothing to test: an increase is one.

Modelled joules follow the CPU seconds of a machine that has other work, so they are shown, with what they
could have seen, and fail nothing unless that is asked for.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

from metrics.record import COUNT
from metrics.regression import Welch, holm, runs_needed, welch
from reports.gate_counts import CountChange, changes
from reports.gate_pairs import changed, libraries, pair, refuse_other_data
from reports.gate_rows import Row

OK, BETTER, NEW, UNDECIDED = "ok", "improvement", "new", "undecided"
WORSE, LOWER, MISSED = "regression", "worse score", "target missed"
FAILED, MISSING = "failed", "missing"
FAILS = (WORSE, LOWER, MISSED, FAILED, MISSING)
POWER = 0.8
MUCH = 1 / 3  # of a run's joules, for its path


@dataclass(frozen=True)
class Rules:
    """margin, count_margin: relative increases that are let through. alpha: of the whole check.

    modelled: whether modelled joules are gated. strict: whether undecided fails the check.
    """

    margin: float = 0.05
    alpha: float = 0.05
    count_margin: float = 0.0
    modelled: bool = False
    strict: bool = False


@dataclass
class Finding:
    """One row's outcome. then, now: joules per accuracy (geometric means), or the floor of a count's.

    ratio with its 95 % interval; p: adjusted by Holm; sees: the smallest ratio that four checks in five would
    have failed, at the scatter seen. gated: whether its joules can fail the check. notes: what a reader must
    know.
    """

    label: str
    row: Row
    verdict: str = OK
    gated: bool = True
    then: float | None = None
    now: float | None = None
    runs: tuple[int, int] = (0, 0)
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None
    sees: float | None = None
    notes: list[str] = field(default_factory=list)
    other_boards: bool = False
    joules: Welch | None = None
    score: Welch | None = None

    @property
    def fails(self) -> bool:
        return self.verdict in FAILS and (self.gated or self.verdict != WORSE)

    def worsen(self, verdict: str, note: str) -> None:
        """Takes a verdict unless it has one that fails already, and says why in any case."""
        if not self.fails:
            self.verdict = verdict
        self.notes.append(note)


@dataclass(frozen=True)
class Gate:
    """What a check found."""

    rules: Rules
    findings: list[Finding]

    @property
    def failed(self) -> list[Finding]:
        return [f for f in self.findings if f.fails]

    @property
    def undecided(self) -> list[Finding]:
        return [f for f in self.findings if f.verdict == UNDECIDED and f.gated]

    @property
    def exit_code(self) -> int:
        if self.failed:
            return 4
        return 3 if self.undecided and self.rules.strict else 0


def gate(baseline: list[Row], fresh: list[Row], rules: Rules) -> Gate:
    """Holds the rows of today against the baseline's; raises StoreError where they do not compare."""
    pairs, new = pair(baseline, fresh)
    findings = [_found(then, now, rules) for then, now in pairs]
    for gated in (True, False):  # what cannot fail the check takes no share of its α
        judge([f for f in findings if f.gated == gated and f.joules], rules)
    judge_scores([f for f in findings if f.score], rules)
    findings += [
        Finding(
            row.label, row, NEW, runs=(0, len(row.runs)), notes=["not in the baseline, not gated"]
        )
        for row in new
    ]
    _tell_apart(findings)
    return Gate(rules, findings)


def _tell_apart(findings: list[Finding]) -> None:
    """Adds to labels that are alike what their rows differ in, or the hash of the configuration."""
    for more in ("variant", "algo_sha256"):
        labels = [found.label for found in findings]
        for found in findings:
            if labels.count(found.label) > 1:
                found.label += f" ({getattr(found.row, more)[:40]})"


def _found(then: Row, now: Row | None, rules: Rules) -> Finding:
    """A row before it is judged: what needs no test is settled here."""
    if now is None:
        way = "bench count" if then.kind == COUNT else "bench run"
        words = " ".join([*then.words, f"seed={','.join(map(str, then.seeds))}"])
        note = f"none of today; make with: {way} {'-m ' if len(then.seeds) > 1 else ''}{words}"
        return Finding(then.label, then, MISSING, runs=(len(then.runs), 0), notes=[note])
    refuse_other_data(then, now)
    found = Finding(then.label, now, runs=(len(then.runs), len(now.runs)), notes=changed(then, now))
    if now.failed:
        found.verdict = FAILED
        found.notes += [f"{len(now.failed)} failed: {now.failed[0]}"]
    elif then.kind == COUNT:
        _counted(found, changes(then, now), then, now, rules)
    else:
        _measured(found, then, now, rules)
    return found


def _counted(found: Finding, moved: list[CountChange], then: Row, now: Row, rules: Rules) -> None:
    found.then, found.now = then.floor_j, now.floor_j
    found.ratio = now.floor_j / then.floor_j if then.floor_j else None
    more = [c for c in moved if c.gated and c.now > c.then * (1 + rules.count_margin)]
    less = [c for c in moved if c.gated and c.now < c.then]
    found.verdict = (
        WORSE if more else BETTER if less and not any(c.now > c.then for c in moved) else OK
    )
    found.notes += [str(change) for change in moved]
    if moved:
        found.notes += libraries(then, now)
        if then.device_class != now.device_class:
            found.notes.append(f"counted on {then.device_class} then, on {now.device_class} now")
    if found.verdict == BETTER:
        found.notes.append("hold it: write a new baseline with --write")


def _measured(found: Finding, then: Row, now: Row, rules: Rules) -> None:
    found.gated = rules.modelled or not now.modelled
    found.other_boards = bool(then.boards and now.boards and then.boards != now.boards)
    if found.other_boards:
        found.notes.append(
            f"other boards than the baseline's: their calibration (±{100 * now.gain_rel:g} % each) is let "
            "through besides the margin"
        )
    paths = [s.empty_j / s.energy_j for s in now.samples if s.empty_j and s.energy_j > 0]
    if paths and statistics.median(paths) > MUCH:
        found.notes.append(
            f"{100 * min(1.0, statistics.median(paths)):.0f} % of its joules are what the path itself costs, "
            "which hides changes of the algorithm; bench count sees them"
        )
    missed = [s.run for s in now.samples if s.met is False or not s.joules_per_accuracy]
    if missed:
        found.verdict = MISSED
        found.notes.append(f"{len(missed)} of {len(now.samples)} runs miss the target: {missed[0]}")
    joules = [
        [s.joules_per_accuracy for s in row.samples if s.joules_per_accuracy] for row in (then, now)
    ]
    if not all(joules):
        return
    logs = [[math.log(value) for value in values] for values in joules]
    found.joules = welch(*logs)
    found.then, found.now = (math.exp(s.mean) for s in (found.joules.then, found.joules.now))
    found.ratio = math.exp(found.joules.difference)
    ends = found.joules.interval()
    found.interval = (math.exp(ends[0]), math.exp(ends[1])) if ends else None
    sign = -1.0 if then.more_is_better else 1.0  # so that more is worse
    found.score = welch(*[[sign * s.score for s in row.samples] for row in (then, now)])
    if found.verdict == OK and found.joules.df is None:
        found.verdict = UNDECIDED
        found.notes.append("one run has no scatter to judge by; make at least 2, better 5")


def judge(findings: list[Finding], rules: Rules) -> None:
    """Verdicts of one family of joules, each with its adjusted p and what it could have seen."""
    bounds = [_bound(found, rules) for found in findings]
    tests = [found.joules for found in findings if found.joules]
    above = holm([t.p_above(b) for t, b in zip(tests, bounds, strict=True)])
    below = holm([t.p_below(-b) for t, b in zip(tests, bounds, strict=True)])
    level = rules.alpha / max(1, len(findings))
    for found, test, bound, p, q in zip(findings, tests, bounds, above, below, strict=True):
        found.p = p if test.df is not None else None
        seen = test.detectable(bound, level, POWER)
        found.sees = math.exp(seen) if seen is not None else None
        if test.df is None:
            continue
        if p <= rules.alpha:
            found.worsen(WORSE, f"J per accuracy is {_change(found.ratio)}")
        elif test.difference > bound:
            found.worsen(UNDECIDED, _needed(found, test, bound, level))
        elif q <= rules.alpha and found.verdict == OK:
            found.verdict = BETTER
            found.notes.append("hold it: write a new baseline with --write")


def judge_scores(findings: list[Finding], rules: Rules) -> None:
    """Whether scores are worse by more than the task's margin."""
    tests = [found.score for found in findings if found.score]
    margins = [found.row.score_margin for found in findings]
    ps = holm([test.p_above(margin) for test, margin in zip(tests, margins, strict=True)])
    for found, test, margin, p in zip(findings, tests, margins, ps, strict=True):
        if p <= rules.alpha:
            sign = -1 if found.row.more_is_better else 1
            found.worsen(
                LOWER,
                f"{found.row.score_name} {sign * test.then.mean:.4g} → {sign * test.now.mean:.4g}, worse by "
                f"more than the task's margin of {margin:g} (p {p:.2g})",
            )


def _bound(found: Finding, rules: Rules) -> float:
    """ln of the largest ratio that is let through: the margin, and where other boards than the baseline's
    were read, what the calibration of two boards may differ by."""
    gain = found.row.gain_rel if found.other_boards else 0.0
    return math.log1p(rules.margin) + math.log1p(gain) - math.log1p(-gain)


def _needed(found: Finding, test: Welch, bound: float, level: float) -> str:
    alone, both = runs_needed(test, bound, level, POWER)
    if alone and alone > test.now.n:
        way = f"{alone - test.now.n} more runs of today"
    elif alone:
        way = f"{alone} fresh runs"  # chance was against these
    elif both:
        way = f"a new baseline of {both} runs and as many of today"
    else:
        way = "no number of runs within reach"
    return (
        f"{_change(found.ratio)}, beyond what is let through but not significant; were that true, {way} "
        "would show it four times in five"
    )


def _change(ratio: float | None) -> str:
    """ "+10.2 %"."""
    return "" if ratio is None else f"{100 * (ratio - 1):+.1f} %"
