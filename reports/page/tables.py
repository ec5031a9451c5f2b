"""Every table of a page, from Records that are decoded already; `bench report --csv` writes the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from metrics.record import CURVE, Record
from reports import cube, front, tabular
from reports.cube_axes import Axes
from reports.curve import all_bars, crossing
from reports.metrics_audit import Board, audit
from reports.page.reading import Read
from reports.plots.curve import board_of, medians
from reports.tabular import Column, Kind, Table

Names = list[tuple[str, Kind, bool]]


def of_page(read: Read, axes: Axes) -> dict[str, Table]:
    """By name: runs, board, front, curves, medians, bars, cube, audit."""
    boards = read.lines(tabular.BoardLine, "boards")
    lines = read.lines(cube.Line, "the cube and the cheap metrics")
    records = read.records
    curves = [r for r in records if r.kind == CURVE and r.curve and r.score]
    tables = [
        tabular.runs_table(records),
        tabular.board_table(list(boards)),
        tabular.front_table(front.front_rows(list(boards))),
        curves_table(curves),
        medians_table(curves),
        bars_table(curves),
        tabular.cube_table(cube.cube(lines, axes)),
        audit_table(audit(list(lines))),
    ]
    return {table.name: table for table in tables}


def curves_table(curves: list[Record]) -> Table:
    """Every point, with its panel."""
    made = tabular.curves_table(curves)
    panels = {
        r.run: {"board": board_of(r), "direction": r.score.direction if r.score else None}
        for r in curves
    }
    extra = [Column("board", str), Column("direction", str)]
    rows = [{**row, **panels[row["run"]]} for row in made.rows]
    return replace(made, columns=[*made.columns, *extra], rows=rows)


def medians_table(curves: list[Record]) -> Table:
    """The median score over the draws of one configuration, by joules; from three draws on."""
    names: Names = [
        *(("board", str, False), ("task", str, True), ("variant", str, True), ("algo", str, True)),
        *(("algo_sha256", str, False), ("source", str, True), ("device", str, True)),
        *(("draws", int, True), ("score_name", str, True), ("score_unit", str, False)),
        *(("energy_j", float, True), ("score", float, True)),
    ]
    groups: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for r in curves:
        groups[board_of(r), r.algorithm.name, r.algorithm.config_sha256].append(r)

    def rows() -> Iterable[tuple[Any, ...]]:
        for (board, algo, sha), draws in groups.items():
            first = draws[0]
            score = first.score
            assert score is not None
            for energy_j, median in medians(draws):
                yield (
                    *(board, first.task.name, first.task.variant, algo, sha, first.source),
                    *(first.host.device_class, len(draws), score.name, score.unit),
                    *(energy_j, median),
                )

    return _table("medians", names, rows())


def bars_table(curves: list[Record]) -> Table:
    """The joules at which every curve met each bar; nothing there where it did not."""
    names: Names = [
        *(("run", str, False), ("board", str, False), ("task", str, True), ("variant", str, True)),
        *(("algo", str, True), ("algo_sha256", str, False), ("process", str, False)),
        *(("seed", int, True), ("device", str, True), ("source", str, True)),
        *(("score_name", str, True), ("score_unit", str, False), ("direction", str, False)),
        *(("bar", float, True), ("target_met", bool, True), ("score", float, True)),
        *(("energy_j", float, True), ("energy_low_j", float, True), ("energy_high_j", float, True)),
        *(("before_j", float, True), ("wall_s", float, True), ("cpu_s", float, False)),
    ]

    def rows() -> Iterable[tuple[Any, ...]]:
        for r in curves:
            score = r.score
            assert score is not None
            best = (max if score.direction == "max" else min)(p.score for p in r.curve)
            for bar in all_bars(r):
                before, at = crossing(r.curve, bar, score.direction)
                joules = (
                    (at.energy_j.value, at.energy_j.low, at.energy_j.high) if at else (None,) * 3
                )
                yield (
                    *(r.run, board_of(r), r.task.name, r.task.variant, r.algorithm.name),
                    *(r.algorithm.config_sha256, r.process, r.draw.seed, r.host.device_class),
                    *(r.source, score.name, score.unit, score.direction, bar, at is not None),
                    *(at.score if at else best, *joules),
                    before.energy_j.value if before and at else None,
                    *((at.wall_s, at.cpu_s) if at else (None, None)),
                )

    return _table("bars", names, rows())


def audit_table(boards: list[Board]) -> Table:
    """Every cheap rung of every board against the most real one; a board without any, by its note."""
    names: Names = [
        *(("board", str, True), ("reference", str, True), ("rung", str, True)),
        *(("algorithms", int, True), ("tau", float, True), ("tau_low", float, True)),
        *(("tau_high", float, True), ("worst_times", float, True), ("trust", str, True)),
        *(("sentence", str, True), ("prefers", str, False), ("prefers_run", str, False)),
        *(("instead_of", str, False), ("instead_of_run", str, False), ("note", str, False)),
    ]

    def rows() -> Iterable[tuple[Any, ...]]:
        for board in boards:
            blind = ", ".join(board.without_python)
            if not board.audits:
                said = (None, None, None, None, "open", board.note, *(None,) * 4)
                yield board.name, board.reference, None, board.rows, *said, None
            for a in board.audits:
                worst = a.worst
                pair = (*worst.chosen, *worst.better) if worst else (None,) * 4
                note = f"Python code uncounted of {blind}" if blind and "count" in a.rung else None
                yield (
                    *(board.name, board.reference, a.rung, a.rows, a.tau, a.low, a.high),
                    *(worst.factor if worst else None, a.trust, a.sentence, *pair, note),
                )

    return _table("audit", names, rows())


def _table(name: str, names: Names, rows: Iterable[tuple[Any, ...]]) -> Table:
    columns = [Column(*column) for column in names]
    made = [dict(zip((c.name for c in columns), row, strict=True)) for row in rows]
    return Table(name, columns, made)
