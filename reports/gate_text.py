"""A gate's findings for people: a table on the terminal, and the same in Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from metrics.record import COUNT
from reports.console import table_console
from reports.gate import OK, UNDECIDED, WORSE, Finding, Gate
from reports.gate_rows import Row
from reports.units import scaled

COLUMNS = ("row", "what", "then", "now", "runs", "ratio", "95 %", "p", "sees", "verdict")


def verdict(found: Finding) -> str:
    """The word, and that it fails nothing where it does not."""
    return found.verdict + (" (not gated)" if not found.gated and found.verdict == WORSE else "")


def cells(found: Finding) -> list[str]:
    """One row of the table."""
    count = found.row.kind == COUNT
    then, now = found.runs
    ends = f"{found.interval[0]:.3f} … {found.interval[1]:.3f}" if found.interval else ""
    return [
        found.label,
        "counts (floor J)" if count else "J/accuracy",
        scaled(found.then, "J", 4),
        scaled(found.now, "J", 4),
        f"{then} : {now}",
        "" if found.ratio is None else f"{found.ratio:.4f}" if count else f"{found.ratio:.3f}",
        "exact" if count and found.ratio is not None else ends,
        "" if found.p is None else f"{found.p:.2g}",
        "" if found.sees is None else f"≥ {100 * (found.sees - 1):+.1f} %",
        verdict(found),
    ]


def summary(gate: Gate) -> str:
    """The whole check in one sentence."""
    if gate.failed:
        return f"REGRESSION: {len(gate.failed)} of {_rows(gate)} fail: " + "; ".join(
            f"{found.label}: {found.verdict}" for found in gate.failed
        )
    if gate.undecided:
        return f"UNDECIDED: {len(gate.undecided)} of {_rows(gate)}; none fails"
    return f"HOLDS: none of {_rows(gate)} fails"


def _rows(gate: Gate) -> str:
    n = len(gate.findings)
    return f"{n} row" + ("s" if n != 1 else "")


def notes(gate: Gate) -> list[str]:
    """What every row has to say besides its figures, by row."""
    return [f"{f.label}: {note}" for f in gate.findings for note in f.notes]


def terms(gate: Gate, baseline: Iterable[Row]) -> list[str]:
    """What the figures mean: the rule with its numbers, the machine, and what no rule can know."""
    rows, rules = list(baseline), gate.rules
    joules = [row for row in rows if row.samples]
    said = []
    if joules:
        days = sorted(s.started_at[:10] for row in joules for s in row.samples)
        when = days[0] if days[0] == days[-1] else f"{days[0]} … {days[-1]}"
        n = sum(f.gated and f.joules is not None for f in gate.findings)
        said += [
            f"joules: {joules[0].source} on {joules[0].device_class}; baseline of {when}",
            f"fails where the true ratio is above {1 + rules.margin:g} at α = {rules.alpha:g}"
            + (f" over {n} rows together" if n > 1 else "")
            + ' (one-sided Welch t on logarithms, Holm); "sees": the change at which four checks in five '
            "would fail, at this scatter",
            "then and now are not interleaved: a drift of the machine between them counts as a change",
        ]
    if any(row.kind == COUNT for row in rows):
        said.append(
            f"counts: of the same draws, to the unit; up to {100 * rules.count_margin:g} % more is let "
            "through; they know no score"
        )
    if any(not f.gated for f in gate.findings):
        said.append(
            "modelled joules are shown and not gated: gate on counts (bench count), on a meter, or say "
            "--modelled"
        )
    return said


def print_gate(gate: Gate, baseline: Iterable[Row]) -> None:
    """The table, then what is to be said of its rows, the rule, and the sentence."""
    console = table_console(150)
    table = Table(box=None, pad_edge=False)
    for name in COLUMNS:
        left = name in ("row", "what", "verdict")
        table.add_column(name, justify="left" if left else "right", no_wrap=name != "row")
    for found in gate.findings:
        style = "red" if found.fails else "yellow" if found.verdict == UNDECIDED else None
        table.add_row(*cells(found), style=style)
    console.print(table)
    for line in [*notes(gate), "", *terms(gate, baseline), "", summary(gate)]:
        console.print(line, markup=False, soft_wrap=True)


def markdown(gate: Gate, baseline: Iterable[Row]) -> str:
    """For a pull request or a job's summary."""
    lines = ["## bench check", "", f"**{_plain(summary(gate))}**", ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    for found in gate.findings:
        row = [_plain(cell) for cell in cells(found)]
        row[-1] = row[-1] if found.verdict == OK else f"**{row[-1]}**"
        lines.append("| " + " | ".join(row) + " |")
    said = notes(gate)
    lines += ["", *(f"* {_plain(note)}" for note in said)] if said else []
    lines += ["", *(f"{_plain(term)}  " for term in terms(gate, baseline))]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is, within a table too."""
    text = " ".join(text.split())
    for mark in "\\`*_[]<>|":
        text = text.replace(mark, {"<": "&lt;", ">": "&gt;"}.get(mark, f"\\{mark}"))
    return text
