"""Energy-to-score curves: each draw, and their median."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from metrics.record import CURVE, Record
from reports.curve import all_bars
from reports.folders import gather
from reports.plots.front import HEIGHT_IN, choose
from reports.plots.style import bars, draw, height_in, legend, log_axis, look, said, score_axis


def draw_curve(folders: list[Path], path: Path, only: str | None) -> str:
    """A panel per task variant, energy source and device class; returns what was drawn."""
    boards: dict[str, list[Record]] = defaultdict(list)
    for record in gather(folders, Record):
        if record.kind == CURVE and record.curve and record.score:
            boards[board_of(record)].append(record)
    makes = "bench curve -m task=nanogpt algo=ngram,hashed_softmax seed=0,1,2"
    chosen = choose(list(boards), only, makes, folders)

    def fill(figure: Any, axes: list[Any]) -> str:
        for axis, name in zip(axes, chosen, strict=True):
            panel(axis, boards[name])
        sources = {(boards[name][0].source, boards[name][0].host.device_class) for name in chosen}
        told = "; ".join(f"{source}, {device}" for source, device in sorted(sources))
        return (
            "J of training, pauses and evaluations left out; whiskers at the end: interval of J, standard "
            f"error of the score. {told}. Thin: single draws; thick: their median score."
        )

    labels = [labelled(boards[name]) for name in chosen]
    draw(path, len(chosen), height_in(HEIGHT_IN, labels), fill)
    count = sum(len(boards[name]) for name in chosen)
    return f"{count} curve{'s' * (count != 1)}"


def board_of(record: Record) -> str:
    """What curves must share to be in one panel."""
    task = record.task
    names = (task.name, task.variant, task.access, record.source, record.host.device_class)
    return " / ".join(names)


def labelled(records: list[Record]) -> dict[str, list[Record]]:
    """The draws of each configuration, by what a legend calls it."""
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        groups[record.algorithm.name, record.algorithm.config_sha256].append(record)
    names = [name for name, _ in groups]
    found = {}
    for (name, sha), draws in sorted(groups.items()):
        label = name if names.count(name) == 1 else f"{said(name, 24)} ({sha[:6]})"
        count = f", {len(draws)} draws" if len(draws) > 1 else ""
        found[said(f"{label}{count}", 44)] = draws
    return found


def panel(axis: Any, records: list[Record]) -> None:
    """One board: a look for each configuration."""
    handles = {
        label: lines(axis, draws, look(index))
        for index, (label, draws) in enumerate(labelled(records).items())
    }
    log_axis(axis)
    score = records[-1].score
    assert score is not None
    ladder = sorted({bar for record in records for bar in all_bars(record)})
    seen = [point.score for record in records for point in record.curve]
    sign = 1 if score.direction == "max" else -1
    score_axis(axis, score.name, score.unit, sign, [*ladder, *seen])
    bars(axis, ladder)
    axis.set_xlabel("energy of training so far")
    axis.set_title(said(f"{records[0].task.name}: {records[0].task.variant}", 60), loc="left")
    legend(axis, handles)


def lines(axis: Any, draws: list[Record], style: dict[str, Any]) -> Any:
    """The draws of one configuration; returns what stands for them in the legend."""
    middle = medians(draws)
    for record in draws:
        end = record.curve[-1]
        axis.errorbar(
            *(end.energy_j.value, end.score),
            xerr=[
                [max(0.0, end.energy_j.value - end.energy_j.low)],
                [max(0.0, end.energy_j.high - end.energy_j.value)],
            ],
            yerr=end.score_se or 0.0,
            fmt="none",
            ecolor=style["color"],
            elinewidth=0.5,
            alpha=0.35,
            zorder=1,
        )
        x = [point.energy_j.value for point in record.curve]
        y = [point.score for point in record.curve]
        if middle:
            axis.plot(x, y, color=style["color"], linewidth=0.5, alpha=0.45)
        else:
            (handle,) = axis.plot(x, y, **style, linewidth=0.8)
    if middle:
        (handle,) = axis.plot(*zip(*middle, strict=True), **style, linewidth=1.4, markevery=0.12)
    return handle


def medians(draws: list[Record]) -> list[tuple[float, float]]:
    """(J, median score) over the joules that all draws went through; nothing for less than three draws.

    A draw's score between two pauses is interpolated in the logarithm of its joules, since no two are
    paused at the same.
    """
    if len(draws) < 3 or any(len(record.curve) < 2 for record in draws):
        return []
    tracks = []
    for record in draws:
        points = sorted((p.energy_j.value, p.score) for p in record.curve if p.energy_j.value > 0)
        tracks.append(([math.log(joules) for joules, _ in points], [score for _, score in points]))
    if any(len(track[0]) < 2 for track in tracks):
        return []
    low, high = max(x[0] for x, _ in tracks), min(x[-1] for x, _ in tracks)
    places = sorted({at for x, _ in tracks for at in x if low <= at <= high})
    return [
        (math.exp(at), statistics.median(float(np.interp(at, x, y)) for x, y in tracks))
        for at in (places if len(places) > 1 else [])
    ]
