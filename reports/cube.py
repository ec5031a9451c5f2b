"""The cube: process × metric × problem; in each cell the best algorithm and its ratio to the baseline.

Like is only held against like: a board is one task variant, access model, bar and device class, and a row
of it is one rung of the metric axis, from one source. In a cell stands the algorithm with the least of that
rung among those whose median score meets the bar; figures are medians over the runs of one configuration
with the latest of its code. As on the front, a configuration with less than half the runs of another of its
algorithm, or with failures, comes behind it. The **baseline** of a row is the cheapest gradient-trained one
of the board, by whatever process it was found; which algorithms are trained by gradient end to end their
yamls say (`about.gradient`), so that a name alone makes nobody a baseline. Axes come in as arguments.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from metrics.count_base import PYTHON
from metrics.record import RUN
from reports import metrics_lines
from reports.cube_axes import COUNTED, METRICS, Axes, Metric, Problem, metric_of, to_fill
from reports.lines import Score
from reports.metrics_lines import counted_rungs, rungs, without_python


class Task(metrics_lines.Task, gc=False, kw_only=True):
    bar: float | None = None
    config: dict[str, Any] = {}


class Ends(metrics_lines.Value, gc=False, kw_only=True):
    low: float
    high: float


class Headline(metrics_lines.Headline, gc=False, kw_only=True):
    energy_j: Ends


class Settings(msgspec.Struct, gc=False):
    overrides: list[str] = []


class Line(metrics_lines.Line, gc=False, kw_only=True):
    """The fields of a Record that the cube needs."""

    task: Task
    headline: Headline | None
    score: Score | None
    process: str
    settings: Settings

    @property
    def ranked(self) -> bool:
        """Whether it sat an exam that could not be foreseen, held to a bar."""
        sat = self.kind == RUN and self.status != "interrupted" and self.draw.replay_of is None
        return sat and self.task.bar is not None


@dataclass(frozen=True)
class Figure:
    """A median over `runs`; low, high: of the interval, where the rung has one."""

    value: float
    runs: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Entry:
    """One configuration of an algorithm on a board. figures: by rung. blind: its counts missed Python."""

    algo: str
    process: str
    config_sha256: str
    score: float
    meets: bool
    runs: int
    failed: int
    figures: dict[str, Figure]
    blind: bool = False


@dataclass(frozen=True)
class Board:
    """What may be compared. rows: (metric, rung) that somebody has, in the order of the axis."""

    problem: Problem
    variant: str
    access: str
    bar: float
    score_name: str
    score_unit: str
    sign: int  # 1 where more is better
    device: str
    words: str
    entries: list[Entry]
    rows: list[tuple[Metric, str]]

    @property
    def target(self) -> str:
        unit = "" if self.score_unit == "1" else f" {self.score_unit}"
        return f"{self.score_name} {'≥' if self.sign > 0 else '≤'} {self.bar:.4g}{unit}"


@dataclass(frozen=True)
class Cell:
    """best: None where nobody who has the rung meets the bar. tried: how many algorithms have the rung.

    ratio: best / baseline, None where either is missing. to_fill: a command, where the cell is empty.
    """

    problem: Problem
    process: str
    metric: Metric
    board: Board | None = None
    rung: str = ""
    best: Entry | None = None
    baseline: Entry | None = None
    tried: int = 0
    to_fill: str = ""

    @property
    def ratio(self) -> float | None:
        if self.best is None or self.baseline is None:
            return None
        below = self.baseline.figures[self.rung].value
        return self.best.figures[self.rung].value / below if below > 0 else None

    @property
    def note(self) -> str:
        """What a reader must know before believing the figure."""
        counted = self.metric.name in COUNTED or self.rung.startswith("modelled:operations")
        return PYTHON if self.best and self.best.blind and counted else ""


@dataclass(frozen=True)
class Cube:
    """Boards by problem, every cell of the cube, and how many runs had no bar to be held to."""

    boards: list[Board]
    cells: list[Cell]
    without_bar: int


def cube(lines: list[Line], axes: Axes) -> Cube:
    """All boards, and a cell for every process and metric of each, and of problems that nobody sat."""
    counted, blind = counted_rungs(list(lines)), without_python(list(lines))
    groups: dict[tuple[Any, ...], list[Line]] = defaultdict(list)
    for line in lines:
        if line.ranked:
            task = line.task
            key = (task.name, task.variant, task.access, task.bar, line.host.device_class)
            groups[key].append(line)
    boards = [_board(group, axes, counted, blind) for group in groups.values()]
    places = {problem: place for place, problem in enumerate(axes.problems)}
    last = len(places)
    boards.sort(
        key=lambda b: (
            *(places.get(b.problem, last), b.problem.name, b.variant, b.access, b.device),
            b.sign * b.bar,
        )
    )
    seen = {entry.process for board in boards for entry in board.entries}
    processes = [*axes.processes, *sorted(seen - set(axes.processes))]
    cells = [cell for board in boards for cell in _cells(board, processes, axes.gradient)]
    for problem in axes.problems:
        if not any(board.problem == problem for board in boards):
            cells += [
                Cell(
                    problem, process, metric, to_fill=to_fill(problem.words, None, process, metric)
                )
                for process in processes
                for metric in METRICS
            ]
    without = sum(
        line.kind == RUN and line.task.bar is None and line.headline is not None for line in lines
    )
    return Cube(boards, cells, without)


def _board(
    group: list[Line],
    axes: Axes,
    counted: dict[tuple[str, ...], dict[str, float]],
    blind: set[tuple[str, ...]],
) -> Board:
    task, host = group[-1].task, group[-1].host
    assert task.bar is not None
    imported = {line.run: line.imported_from for line in group if line.imported_from}
    by_identity: dict[tuple[Any, ...], list[Line]] = defaultdict(list)
    for line in group:
        algo = line.algorithm
        by_identity[line.process, algo.name, algo.config_sha256, line.host.threads].append(line)
    made = [_entry(lines, imported, counted, blind) for lines in by_identity.values()]
    entries = [entry for entry in made if entry is not None]
    scores = [line.score for line in group if line.score]
    source = {rung: line.source for line in group for rung in _rungs(line, counted)}
    rows = {rung: metric_of(rung, source[rung]) for entry in entries for rung in entry.figures}
    ordered = sorted(
        ((metric, rung) for rung, metric in rows.items() if metric),
        key=lambda row: (METRICS.index(row[0]), row[1]),
    )
    problem = axes.of(task.name, task.variant, task.config)
    return Board(
        problem,
        task.variant,
        task.access,
        task.bar,
        scores[-1].name if scores else "score",
        scores[-1].unit if scores else "1",
        1 if scores and scores[-1].direction == "max" else -1,
        host.device_class,
        problem.asked(group[-1].settings.overrides, task.bar),
        entries,
        ordered,
    )


def _rungs(line: Line, counted: dict[tuple[str, ...], dict[str, float]]) -> dict[str, float]:
    """What a finished run has on the axis, its algorithm's counts included; each once, and only wholes."""
    if line.headline is None:
        return {}
    found = counted.get(line.counted, {}) | rungs(line)
    return {rung: figure for rung, figure in found.items() if metric_of(rung, line.source)}


def _entry(
    lines: list[Line],
    imported: dict[str, str],
    counted: dict[tuple[str, ...], dict[str, float]],
    blind: set[tuple[str, ...]],
) -> Entry | None:
    """None where no run finished. A log that was joined later adds its rungs to the run that it is of."""
    lines = [x for x in lines if x.algorithm.code_sha256 == lines[-1].algorithm.code_sha256]
    runs: dict[str, dict[str, float]] = defaultdict(dict)
    ends: dict[str, list[Ends]] = defaultdict(list)
    scores: dict[str, float] = {}
    for line in lines:
        if line.headline is None or line.score is None:
            continue
        first = line.run
        while first in imported:
            first = imported[first]
        runs[first].update(_rungs(line, counted))
        ends[line.source].append(line.headline.energy_j)
        scores[first] = line.score.value
        sign, bar = (1 if line.score.direction == "max" else -1), line.task.bar or 0.0
    if not runs:
        return None
    figures = {}
    for rung in {rung for got in runs.values() for rung in got}:
        values = [got[rung] for got in runs.values() if rung in got]
        figures[rung] = Figure(statistics.median(values), len(values))
        if rung in ends:
            figures[rung] = replace(
                figures[rung],
                low=statistics.median(e.low for e in ends[rung]),
                high=statistics.median(e.high for e in ends[rung]),
            )
    score = statistics.median(scores.values())
    algo = lines[0].algorithm
    return Entry(
        algo.name,
        lines[0].process,
        algo.config_sha256,
        score,
        sign * score >= sign * bar,
        len(runs),
        sum(line.status == "failed" for line in lines),
        figures,
        lines[-1].counted in blind,
    )


def _cells(board: Board, processes: list[str], gradient: frozenset[str]) -> Iterable[Cell]:
    for metric in METRICS:
        for rung in [rung for m, rung in board.rows if m == metric] or [""]:
            having = [entry for entry in board.entries if rung in entry.figures]
            baseline = best([entry for entry in having if entry.algo in gradient], rung)
            for process in processes:
                here = [entry for entry in having if entry.process == process]
                algo = baseline.algo if baseline else None
                yield Cell(
                    *(board.problem, process, metric, board, rung),
                    best(here, rung),
                    baseline,
                    len({entry.algo for entry in here}),
                    "" if here else to_fill(board.words, algo, process, metric),
                )


def best(entries: list[Entry], rung: str) -> Entry | None:
    """Who has the least of `rung` among those that meet the bar, each algorithm by its steadiest setting."""
    chosen = []
    for name in {entry.algo for entry in entries}:
        own = [entry for entry in entries if entry.algo == name]
        most = max(entry.runs for entry in own)
        meeting = [entry for entry in own if entry.meets and 2 * entry.runs >= most]
        if meeting:
            chosen.append(min(meeting, key=lambda e: (e.failed, e.figures[rung].value)))
    return min(chosen, key=lambda e: (e.figures[rung].value, e.algo), default=None)
