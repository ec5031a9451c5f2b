"""An energy-to-score curve in two tables: its points, and the energy at which it met each bar."""

from __future__ import annotations

from rich.table import Table

from metrics.record import CurvePoint, Record
from reports.console import table_console
from reports.units import interval, scaled
from reports.units import score as scored


def print_curve(record: Record) -> None:
    """On standard output."""
    console = table_console()
    points = Table(title="\ncurve", title_justify="left", box=None, pad_edge=False)
    for name in ("done", "J (interval)", "CPU", "wall", "score", "its own loss"):
        points.add_column(name, justify="right")
    for point in record.curve:
        points.add_row(
            f"{100 * point.step / point.of:.1f} %" if point.of else str(point.step or ""),
            interval(point.energy_j, "J"),
            scaled(point.cpu_s, "s"),
            scaled(point.wall_s, "s"),
            scored(point.score, point.score_se, "1"),
            "" if point.loss is None else f"{point.loss:.4f}",
        )
    console.print(points)
    bars = all_bars(record)
    if not bars:
        return
    table = Table(title="\nenergy to bar", title_justify="left", box=None, pad_edge=False)
    for name in ("bar", "met at", "CPU", "score there", "not yet at"):
        table.add_column(name, justify="right")
    direction = record.score.direction if record.score else "min"
    for bar in bars:
        before, at = crossing(record.curve, bar, direction)
        if at is None:
            best = (max if direction == "max" else min)(p.score for p in record.curve)
            table.add_row(f"{bar:.4g}", "not met", "", f"best {best:.4f}", "")
        else:
            table.add_row(
                f"{bar:.4g}",
                scaled(at.energy_j.value, "J"),
                scaled(at.cpu_s, "s"),
                f"{at.score:.4f}",
                scaled(before.energy_j.value, "J") if before else "",
            )
    console.print(table)


def all_bars(record: Record) -> list[float]:
    """The task's ladder, and the bar of this run."""
    own = [] if record.task.bar is None else [record.task.bar]
    extra = [bar for bar in own if bar not in record.task.ladder]
    return [*record.task.ladder, *extra]


def crossing(
    points: list[CurvePoint], bar: float, direction: str
) -> tuple[CurvePoint | None, CurvePoint | None]:
    """The last point before the bar was first met, and the one at which it was; None for none."""
    before = None
    for point in points:
        if point.score >= bar if direction == "max" else point.score <= bar:
            return before, point
        before = point
    return before, None
