"""Energy against score: every algorithm at every bar, and the Pareto front."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from metrics.store import StoreError
from reports.folders import gather
from reports.front import Board, Row, front_rows
from reports.lines import Score
from reports.plots.style import bars, draw, height_in, legend, log_axis, look, said, score_axis
from reports.tabular import BoardLine

MOST_PANELS = 6
HEIGHT_IN = 2.9


def draw_front(folders: list[Path], path: Path, only: str | None) -> str:
    """A panel per task variant, energy source and device class; returns what was drawn."""
    lines = gather(folders, BoardLine)
    boards: dict[Board, list[Row]] = defaultdict(list)
    for row in front_rows(list(lines)):
        boards[row.board].append(row)
    names = {" / ".join(board): board for board in boards}
    chosen = choose(list(names), only, "bench run suite=tinyshakespeare seed=0,1,2", folders)
    scores: dict[Board, Score] = {}
    for line in lines:
        task = line.task
        if line.score:
            board = (task.name, task.variant, task.access, line.source, line.host.device_class)
            scores[board] = line.score

    def fill(figure: Any, axes: list[Any]) -> str:
        for axis, name in zip(axes, chosen, strict=True):
            panel(axis, boards[names[name]], scores[names[name]])
        sources = {(board[3], board[4]) for board in (names[name] for name in chosen)}
        told = "; ".join(f"{source}, {device}" for source, device in sorted(sources))
        return (
            f"J per training: medians over runs, whiskers: medians of their intervals. {told}. Line: what "
            "nothing beats in both. Hollow: adapts."
        )

    labels = [{said(row.label) for row in boards[names[name]]} for name in chosen]
    draw(path, len(chosen), height_in(HEIGHT_IN, labels), fill)
    return f"{len(chosen)} panel{'s' * (len(chosen) != 1)}"


def choose(names: list[str], only: str | None, makes: str, folders: list[Path]) -> list[str]:
    """The boards to draw, by name; raises StoreError for none and for more than a page has room for."""
    where = ", ".join(str(folder) for folder in folders)
    if not names:
        raise StoreError(f"there is nothing to draw in {where}; make some with: {makes}")
    found = sorted(name for name in names if only is None or only in name)
    if not found:
        raise StoreError(
            f"no board has {only!r} in its name; there are: {'; '.join(sorted(names))}"
        )
    if len(found) > MOST_PANELS:
        raise StoreError(
            f"{len(found)} boards are too many for a page; name some with --task TEXT: {'; '.join(found)}"
        )
    return found


def panel(axis: Any, rows: list[Row], score: Score) -> None:
    """One board. An algorithm keeps its look, hollow where it adapts."""
    sign = rows[0].sign
    algos = list(dict.fromkeys(row.algo for row in sorted(rows, key=lambda r: r.algo)))
    handles: dict[str, Any] = {}
    for row in sorted(rows, key=lambda row: row.label):
        style = look(algos.index(row.algo))
        hollow = {"markerfacecolor": "white"} if row.adapts else {}
        (point,) = axis.plot(row.energy_j, row.score, linestyle="", zorder=3, **style, **hollow)
        error = [[row.energy_j - row.energy_low_j], [row.energy_high_j - row.energy_j]]
        axis.errorbar(
            *(row.energy_j, row.score),
            xerr=[[max(0.0, e) for e in end] for end in error],
            fmt="none",
            ecolor=style["color"],
            elinewidth=0.6,
            alpha=0.6,
            zorder=2,
        )
        handles.setdefault(said(row.label), point)
    log_axis(axis)
    ladder = sorted({row.bar for row in rows})
    score_axis(axis, score.name, score.unit, sign, [*ladder, *(row.score for row in rows)])
    stairs(axis, pareto(rows), sign)
    bars(axis, ladder)
    axis.set_xlabel("energy per training")
    axis.set_title(said(f"{rows[0].board[0]}: {rows[0].board[1]}", 60), loc="left")
    legend(axis, handles)


def stairs(axis: Any, edge: list[Row], sign: int) -> None:
    """The front as stairs: whatever lies behind them is beaten."""
    (left, right), (bottom, top) = axis.get_xlim(), axis.get_ylim()
    worst = bottom if sign > 0 else top
    x = [edge[0].energy_j, *(row.energy_j for row in edge), right]
    y = [worst, *(row.score for row in edge), edge[-1].score]
    axis.step(x, y, where="post", color="#777777", linewidth=0.7, zorder=1)
    axis.set_xlim(left, right)


def pareto(rows: list[Row]) -> list[Row]:
    """Those than which none is cheaper with as good a score, cheapest first."""
    edge: list[Row] = []
    for row in sorted(rows, key=lambda row: (row.energy_j, -row.sign * row.score)):
        if not edge or row.sign * row.score > row.sign * edge[-1].score:
            edge.append(row)
    return edge
