"""The Pareto front: at every bar, what each algorithm spends to meet it, and who spends least.

Rows are medians over the runs of one configuration held to one bar (`task.bar`), with the latest of
its code. Of several configurations of an algorithm the cheapest that meets the bar stands for it, those
that adapt within a segment apart from those that do not; but one with less than half the runs of
another, or with failures, comes behind it. Task variants, access models, energy sources and device
classes are never mixed.
"""

from __future__ import annotations

import csv
import statistics
import sys
from collections import defaultdict
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from rich.table import Table

from metrics.store import Store, StoreError
from reports.console import table_console
from reports.lines import Line
from reports.units import scaled

Board = tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One configuration of an algorithm at one bar; figures are medians over `runs`.

    meets: whether the median score meets the bar; met: how many of the runs do. sign: 1 where more is
    better. inference_j: J per prediction. peak_bytes: resident memory in training. crosses: from how
    many predictions on its training and predictions together cost less than those of the bar's first
    row; None where that never happens, or where one of the two does not meet the bar.
    """

    board: Board
    bar: float
    sign: int
    algo: str
    adapts: bool
    config: str
    score: float
    meets: bool
    met: int
    runs: int
    failed: int
    energy_j: float
    energy_low_j: float
    energy_high_j: float
    cold_j: float
    inference_j: float
    wall_s: float
    cpu_s: float
    peak_bytes: float
    text: str
    text_bytes: int
    crosses: float | None = None

    @property
    def label(self) -> str:
        return self.algo + (", adapts" if self.adapts else "")

    @property
    def standing(self) -> tuple[float, ...]:
        """What an algorithm's configurations are chosen by, the better the smaller."""
        return (self.failed, *self.order)

    @property
    def order(self) -> tuple[float, ...]:
        """Rows that meet the bar by energy, then the others by score."""
        return (0, self.energy_j) if self.meets else (1, -self.sign * self.score)


def front(folder: Path, csv_path: str | None) -> int:
    """Prints every bar of every board, and what a byte costs as texts grow."""
    store = Store(folder)
    loaded = store.load(Line)
    for problem in loaded.problems:
        print(f"bench: {problem}", file=sys.stderr)
    rows = front_rows(loaded.records)
    for label in lost(loaded.records):
        print(f"bench: every run of {label} failed", file=sys.stderr)
    if not rows:
        raise StoreError(
            f"no run in {store.path} was held to a bar; make some with: "
            "bench run suite=tinyshakespeare seed=0,1,2,3,4"
        )
    print_fronts(rows)
    print_growth(rows)
    if csv_path:
        try:
            write_csv(rows, Path(csv_path))
        except OSError as error:
            raise StoreError(
                f"cannot write {csv_path} ({error.strerror}); name another with --csv FILE"
            ) from None
    return 0


def front_rows(lines: list[Line]) -> list[Row]:
    """By board and bar, the easiest bar first, and within a bar by `Row.order`."""
    groups: dict[tuple[object, ...], list[Line]] = defaultdict(list)
    for line in lines:
        if line.counts and line.task.bar is not None:
            algorithm = line.algorithm
            which = (algorithm.name, algorithm.config_sha256, line.host.threads)
            groups[_board(line), line.task.bar, which].append(line)
    able: dict[tuple[Board, float], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for group in groups.values():
        latest = group[-1].algorithm.code_sha256
        row = _row([line for line in group if line.algorithm.code_sha256 == latest])
        if row is not None:
            able[row.board, row.bar][row.label].append(row)
    out: list[Row] = []
    for by_label in able.values():
        chosen = []
        for rows in by_label.values():
            most = max(row.runs for row in rows)
            chosen.append(min((r for r in rows if 2 * r.runs >= most), key=lambda r: r.standing))
        ordered = sorted(chosen, key=lambda row: row.order)
        out += [replace(row, crosses=crossing(ordered[0], row)) for row in ordered]
    return sorted(out, key=lambda row: (row.board, row.sign * row.bar, row.order))


def lost(lines: list[Line]) -> list[str]:
    """Algorithms with settings of which no run finished, at bars."""
    seen: dict[tuple[str, str, float], list[bool]] = defaultdict(list)
    for line in lines:
        if line.counts and line.task.bar is not None:
            key = line.algorithm.name, line.algorithm.config_sha256[:12], line.task.bar
            seen[key].append(line.headline is None)
    return [f"{name} ({sha}) at {bar:.4g}" for (name, sha, bar), all_ in seen.items() if all(all_)]


def crossing(first: Row, other: Row) -> float | None:
    """From how many predictions on `other` costs less than `first`; None for never."""
    if other is first or not (first.meets and other.meets):
        return None
    saved_j = first.inference_j - other.inference_j
    behind_j = other.energy_j - first.energy_j
    if saved_j <= 0:
        return None
    return max(0.0, behind_j / saved_j)


def _board(line: Line) -> Board:
    task = line.task
    return (task.name, task.variant, task.access, line.source, line.host.device_class)


def _row(group: list[Line]) -> Row | None:
    """None where no run finished, which `front` says apart."""
    first, task = group[0], group[0].task
    done = [(g, g.headline, g.score) for g in group if g.headline and g.score]
    if not done or task.bar is None:
        return None
    heads = [head for _, head, _ in done]
    scores = [score for _, _, score in done]
    sign = 1 if scores[0].direction == "max" else -1
    score = statistics.median(s.value for s in scores)
    peaks = [
        max((p.peak_rss_bytes for p in line.phases if p.phase == "train"), default=0)
        for line, _, _ in done
    ]
    predicting = [h.inference_j.value for h in heads if h.inference_j]
    return Row(
        board=_board(first),
        bar=task.bar,
        sign=sign,
        algo=first.algorithm.name,
        adapts=bool(first.algorithm.adapts),
        config=bytes(first.algorithm.config).decode(),
        score=score,
        meets=sign * score >= sign * task.bar,
        met=sum(sign * s.value >= sign * task.bar for s in scores),
        runs=len(done),
        failed=sum(g.status == "failed" for g in group),
        energy_j=statistics.median(h.energy_j.value for h in heads),
        energy_low_j=statistics.median(h.energy_j.low for h in heads),
        energy_high_j=statistics.median(h.energy_j.high for h in heads),
        cold_j=statistics.median(h.cold_j.value for h in heads),
        inference_j=statistics.median(predicting) if predicting else 0.0,
        wall_s=statistics.median(h.wall_s for h in heads),
        cpu_s=statistics.median(h.cpu_s for h in heads),
        peak_bytes=statistics.median(peaks),
        text=str(task.data.get("name", "")),
        text_bytes=int(task.data.get("bytes", 0)),
    )


def print_fronts(rows: list[Row]) -> None:
    """A table per board, its bars one below the other."""
    console = table_console(150)
    boards: dict[Board, list[Row]] = defaultdict(list)
    for row in rows:
        boards[row.board].append(row)
    for (task, variant, access, source, device), found in boards.items():
        console.print(f"{task} ({variant}, {access})  {source}", style="bold", markup=False)
        console.print(device, markup=False)
        table = Table(box=None, pad_edge=False)
        for name in ("bar", "algo", "score", "met", "J", "interval", "cold J", "J/prediction"):
            table.add_column(name, justify="left" if name == "algo" else "right")
        for name in ("CPU", "wall", "memory", "crosses"):
            table.add_column(name, justify="right")
        bar = None
        for row in found:
            if bar is not None and row.bar != bar:
                table.add_section()
            table.add_row(f"{row.bar:.4g}" if row.bar != bar else "", *_cells(row))
            bar = row.bar
        console.print(table)
        console.print()


def _cells(row: Row) -> list[str]:
    low, high = scaled(row.energy_low_j, "J"), scaled(row.energy_high_j, "J")
    failed = f", {row.failed} failed" if row.failed else ""
    return [
        row.label,
        f"{row.score:.4f}",
        f"{row.met} of {row.runs}{failed}" + ("" if row.meets else ", not met"),
        scaled(row.energy_j, "J"),
        f"{low} … {high}",
        scaled(row.cold_j, "J"),
        scaled(row.inference_j, "J"),
        scaled(row.cpu_s, "s"),
        scaled(row.wall_s, "s"),
        scaled(row.peak_bytes, "B"),
        "" if row.crosses is None else scaled(row.crosses, ""),
    ]


def print_growth(rows: list[Row]) -> None:
    """J per byte of the text that was given, and the score, for texts of several lengths; by bar."""
    console = table_console(150)
    growth: dict[tuple[str, ...], dict[str, dict[int, Row]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for row in rows:
        same = (row.board[0], row.text, *row.board[2:], f"{row.bar:.4g}")
        known = growth[same][row.label].get(row.text_bytes)
        if row.text_bytes and (known is None or row.energy_j < known.energy_j):
            growth[same][row.label][row.text_bytes] = row
    for (task, text, *_, bar), by_label in growth.items():
        sizes = sorted({size for found in by_label.values() for size in found})
        if len(sizes) < 2:
            continue
        console.print(
            f"{task} {text}, bar {bar}: J per byte of text, and score", style="bold", markup=False
        )
        table = Table(box=None, pad_edge=False)
        table.add_column("algo")
        for size in sizes:
            table.add_column(scaled(size, "B"), justify="right")
        for label, found in by_label.items():
            cells = [found.get(size) for size in sizes]
            table.add_row(
                label,
                *(
                    f"{scaled(c.energy_j / c.text_bytes, 'J')}  {c.score:.4f}" if c else ""
                    for c in cells
                ),
            )
        console.print(table)
        console.print()


def write_csv(rows: list[Row], path: Path) -> None:
    """One line for each row, with every field."""
    names = [field.name for field in fields(Row)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(asdict(row) | {"board": " / ".join(row.board)})
