"""What a count has to say."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from metrics.record import CountInfo, Record
from reports.units import scaled


def print_count(record: Record, kept: str) -> None:
    """Operations by kind, bytes, and the modelled joules with what a reader must know of them."""
    console = Console(highlight=False, soft_wrap=True)
    task, name = record.task, record.algorithm.name
    console.print(
        f"{task.name} ({task.variant}) · {name} · seed {record.draw.seed}, counted",
        style="bold",
        markup=False,
    )
    if record.counts is None:
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    for what, figure in figures(record.counts):
        table.add_row(what, figure)
    console.print(table)
    rows = []
    for row in record.energy:
        ends = f"at least {scaled(row.low_j, 'J')}, at most {scaled(row.high_j, 'J')} by the same counts"
        rows.append(("modelled", f"{ends}; {row.source}"))
        rows += [("", flag) for flag in row.flags]
    rows.append(("counted", ", ".join(record.counts.how) or "nothing"))
    rows += [("note", note) for note in record.counts.notes]
    rows += [("warning", warning) for warning in record.warnings]
    rows.append(("record", f"{record.run} in {kept}"))
    for what, text in rows:
        console.print(f"{what:<9} {text}", markup=False)


def figures(counts: CountInfo) -> list[tuple[str, str]]:
    """Every count with its name, to the unit."""
    found = [
        ("operations", sum(counts.operations.values())),
        *((f"  {kind}", number) for kind, number in counts.operations.items()),
        ("bytes read", counts.read_bytes),
        ("bytes written", counts.written_bytes),
        ("bytes communicated", counts.communication_bytes),
        ("most bytes at once", counts.peak_bytes),
    ]
    return [(what, f"{number:,}") for what, number in found]
