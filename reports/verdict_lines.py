"""How a verdict is printed: the word first, the four conditions, then whatever else one should know."""

from __future__ import annotations

import math

from rich.table import Table

from reports.console import table_console
from reports.doubts import Tuning
from reports.exam_runs import Exam
from reports.units import scaled
from reports.verdict_fields import FAIL, INDICATIVE, PASS, UNDECIDED, Condition, Side, Verdict

STYLES = {PASS: "bold green", FAIL: "bold red", UNDECIDED: "bold yellow", INDICATIVE: "bold yellow"}
MARKS = {"met": "yes", "refuted": "NO", "open": "not decided"}


def print_verdict(v: Verdict) -> None:
    """On standard output; in colour on a terminal."""
    console = table_console()

    def line(name: str, text: str) -> None:
        console.print(f"{name:<11}{text}", markup=False, soft_wrap=True)

    ours, theirs = labels(v)
    kind = v.source.partition(":")[2] or v.source
    console.print(
        f"[{STYLES[v.word]}]{v.word} ({kind})[/]  {ours} against {theirs}", soft_wrap=True
    )
    sign = "≥" if v.direction == "max" else "≤"
    console.print(f"{v.task}, {v.variant}, {v.score_name} {sign} {v.bar:.4g}", markup=False)
    for reason in v.reasons:
        line("because", reason)
    table = Table(box=None, pad_edge=False)
    for name in ("condition", "must be", "seen", "interval", "met"):
        table.add_column(name)
    for condition in v.conditions:
        table.add_row(*cells(condition, v))
    console.print(table)
    more = f"; {v.more} more are to come" if v.word == UNDECIDED and v.more else ""
    line("pairs", f"{v.pairs} of {v.planned}, look {v.look} of {v.looks}{more}")
    if v.word == UNDECIDED:
        line("", _needed(v))
    if v.saving_detectable is not None and v.scatter is not None:
        line(
            "power",
            f"{v.pairs} pairs of this scatter ({100 * v.scatter:.2g} %) show a saving of "
            f"{100 * v.saving_detectable:.2g} % or more four times in five",
        )
    line("joules", f"{_joules(v.candidate)} against {_joules(v.baseline)} (medians)")
    line("cold", _cold(v))
    line("tuning", f"{_tuned(v.candidate.tuning)}; baseline: {_tuned(v.baseline.tuning)}")
    for note in v.notes:
        line("note", note)
    if v.ablations:
        _print_ablations(v)
    line("exam", f"{v.exam} on {v.device}")
    console.print(f"\n{paste(v)}", markup=False, soft_wrap=True)


def labels(v: Verdict) -> tuple[str, str]:
    """Names of candidate and baseline, told apart where they are the same."""
    ours, theirs = v.candidate.algorithm, v.baseline.algorithm
    if v.baseline.tuning.trials:
        theirs += f" (tuned, {v.baseline.tuning.process})"
    if ours == v.baseline.algorithm:
        ours += f" ({v.candidate.tuning.process}, {v.candidate.config_sha256[:6]})"
        theirs += f" ({v.baseline.tuning.process}, {v.baseline.config_sha256[:6]})"
    return ours, theirs


def paste(v: Verdict) -> str:
    """The one line to quote."""
    ours, theirs = labels(v)
    kind = v.source.partition(":")[2] or v.source
    effect = "no energy ratio"
    if v.effect is not None and v.effect_low is not None and v.effect_high is not None:
        effect = f"{v.effect:.3g} times the energy of {theirs}"
        if math.isfinite(v.effect_high):
            effect += f" (99 % interval {v.effect_low:.3g} … {v.effect_high:.3g})"
    return f"{v.word} ({kind}): {ours} takes {effect} on {v.task}, {v.pairs} pairs, {v.source}, {v.device}"


def cells(c: Condition, v: Verdict) -> list[str]:
    unit = "" if v.score_unit == "1" else f" {v.score_unit}"
    level = f"{100 * c.level:.3g} %"
    known = math.isfinite(c.low) and math.isfinite(c.high)
    if c.name in ("energy", "wall"):
        must = "ratio below 1" if c.name == "energy" else f"ratio at most {c.limit:g}"
        seen, ends = f"{c.value:.3g}", f"{c.low:.3g} … {c.high:.3g}, {level}"
    elif c.name == "score":
        must = f"worse by at most {c.limit:g}{unit}"
        seen = (
            f"{'worse' if c.value > 0 else 'better'} by {abs(c.value):.2g}" if c.value else "equal"
        )
        ends = f"{c.low:+.2g} … {c.high:+.2g}, {level}"
    else:
        sign = "≥" if v.direction == "max" else "≤"
        must = f"all finish, median {sign} {c.limit:.4g}{unit}"
        failed = (
            f", {v.candidate.failed} of {v.candidate.runs} failed" if v.candidate.failed else ""
        )
        seen, ends = f"{c.value:.4f}{failed}", f"mean {c.low:.4f} … {c.high:.4f}, {level}"
    if not math.isfinite(c.value):
        seen = "nothing" + (f", {v.candidate.failed} failed" if c.name == "target" else "")
    return [c.name, must, seen, ends if known else "not known", MARKS[c.state]]


def _needed(v: Verdict) -> str:
    open_ = [c for c in v.conditions if c.state == "open"]
    names = " and ".join(c.name for c in open_)
    if v.pairs_needed is not None:
        return (
            f"{names} would take about {v.pairs_needed} pairs in all, as far as these tell (80 % power); a "
            f"larger exam is a new one: pairs={v.pairs_needed}"
        )
    never = " and ".join(c.name for c in open_ if c.needed is None)
    return (
        f"{never}: what was seen lies hardly off its limit, or on the wrong side of it; no number of pairs "
        "is foreseen to decide that"
    )


def _joules(side: Side) -> str:
    return f"{scaled(side.energy_j, 'J')} per training in {scaled(side.wall_s, 's')}"


def _cold(v: Verdict) -> str:
    if v.cold_ratio is None or v.cold_low is None or v.cold_high is None:
        return "no ratio"
    turn = "the same word" if v.cold_word == v.word else f"would turn it: {v.cold_word}"
    ends = ""
    if math.isfinite(v.cold_high):
        ends = f" ({v.cold_low:.3g} … {v.cold_high:.3g}, {100 * v.conditions[0].level:.3g} %)"
    both = f"{scaled(v.candidate.cold_j, 'J')} against {scaled(v.baseline.cold_j, 'J')}"
    return f"{both}: ratio {v.cold_ratio:.3g}{ends}, setup and one examination included; {turn}"


def _tuned(t: Tuning) -> str:
    process = t.process.replace("_", " ")
    if t.trials is None and t.find_j is None:
        return f"{process}, no search recorded"
    return f"{process}, {t.trials} trials, {scaled(t.find_j, 'J')} to find"


def _print_ablations(v: Verdict) -> None:
    console = table_console()
    table = Table(box=None, pad_edge=False)
    for name in (
        "ablation",
        "J",
        f"of the candidate's {scaled(v.candidate.energy_j, 'J')}",
        v.score_name,
    ):
        table.add_column(name)
    for side in v.ablations:
        ratio = "" if side.ratio is None else f"{side.ratio:.3g} times"
        if side.low is not None and side.high is not None and math.isfinite(side.high):
            ratio += f" ({side.low:.3g} … {side.high:.3g})"
        failed = f"{side.failed} of {side.runs} failed" if side.failed else ""
        score = "" if side.score is None else f"{side.score:.4f}"
        table.add_row(
            side.name, scaled(side.energy_j, "J"), ratio, " ".join(filter(None, (score, failed)))
        )
    console.print(table)


def unfinished(exam: Exam) -> str:
    """What is said before the first look: no figure, since looks are declared."""
    return (
        f"exam {exam.name}: {exam.whole()} of {exam.info.pairs} pairs are sat; there is no verdict before "
        "the last of them, and the same words go on: "
    )
