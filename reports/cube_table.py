"""The cube on a terminal: a table per board, then the planes in which there is nothing yet, as work to do."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from metrics.store import StoreError
from reports.console import table_console
from reports.cube import Axes, Board, Cell, Cube, Line, cube
from reports.cube_axes import METRICS, USUAL, Metric, to_fill
from reports.export import to_csv
from reports.folders import gather
from reports.tabular import cube_table
from reports.units import scaled

WIDTH = 120
EMPTY = "·"
LEGEND = (
    "In a cell: the best algorithm that meets the bar, its figure, and its ratio to the baseline of the row, "
    "which is\nthe cheapest gradient-trained one, with the process that found it. "
    f"Under a source: the interval of its figures.\n{EMPTY} is empty: work to do (--csv FILE: which command)."
)


def print_cube(folders: list[Path], axes: Axes, csv_path: str | None) -> int:
    """Prints the cube of all Records; the CSV has a row per cell, the empty ones included."""
    made = cube(gather(folders, Line), axes)
    if csv_path:
        try:
            Path(csv_path).write_bytes(to_csv(cube_table(made)))
        except OSError as error:
            raise StoreError(
                f"cannot write {csv_path} ({error.strerror}); name another with --csv FILE"
            ) from None
    console = table_console(WIDTH)
    if made.boards:
        console.print(f"{LEGEND}\n", markup=False, soft_wrap=True)
    full = [cell for cell in made.cells if cell.tried]
    processes = [p for p in _in_order(made, "process") if any(c.process == p for c in full)]
    metrics = [metric for metric in METRICS if any(cell.metric == metric for cell in full)]
    for board in made.boards:
        print_board(console, board, [c for c in made.cells if c.board is board], processes, metrics)
    print_work(console, made, axes, processes, metrics)
    if csv_path:
        print(f"\n{len(made.cells)} cells written to {csv_path}")
    return 0


def _in_order(made: Cube, axis: str) -> list[str]:
    return list(dict.fromkeys(getattr(cell, axis) for cell in made.cells))


def print_board(
    console: Console,
    board: Board,
    cells: list[Cell],
    processes: list[str],
    metrics: list[Metric],
) -> None:
    """The part of the cube in which somebody has been: a row per rung, a column per process."""
    console.print(f"{board.problem.name}: {board.target}", style="bold", markup=False)
    console.print(f"{board.variant} ({board.access}) on {board.device}", markup=False)
    table = Table(box=None, pad_edge=False)
    for name in ("", "baseline", *processes):
        table.add_column(name, overflow="fold", no_wrap=not name)
    rows: dict[tuple[Metric, str], dict[str, Cell]] = {}
    for cell in cells:
        if cell.metric in metrics:
            rows.setdefault((cell.metric, cell.rung), {})[cell.process] = cell
    for (metric, rung), row in rows.items():
        label = metric.label
        if metric.unit == "J" and rung:
            label = f"{metric.label}\n  {rung.partition(':')[2]}{_interval(list(row.values()))}"
        table.add_row(
            *(Text(text) for text in (label, _baseline(row), *(_cell(row[p]) for p in processes)))
        )
    console.print(table)
    console.print()


def _figure(cell: Cell, value: float) -> str:
    return scaled(value, cell.metric.unit).strip()


def _interval(row: list[Cell]) -> str:
    """The widest relative interval of a row's figures, which those of one source have much in common."""
    entries = [entry for cell in row for entry in (cell.best, cell.baseline) if entry]
    figures = [entry.figures[row[0].rung] for entry in entries]
    ends = [(f.low / f.value, f.high / f.value) for f in figures if f.low and f.high and f.value]
    if not ends:
        return ""
    return f"\n  ×{min(low for low, _ in ends):.3g} … ×{max(high for _, high in ends):.3g}"


def _baseline(row: dict[str, Cell]) -> str:
    cell = next(iter(row.values()))
    if cell.baseline is None:
        return "none yet" if any(c.tried for c in row.values()) else EMPTY
    own = cell.baseline
    return f"{own.algo}\n{_figure(cell, own.figures[cell.rung].value)}, {own.process}"


def _cell(cell: Cell) -> str:
    if not cell.tried:
        return EMPTY
    if cell.best is None:
        return f"none of {cell.tried}\nmeets it"
    best = cell.best
    ratio = f" (×{cell.ratio:.3g})" if cell.ratio is not None else ""
    if cell.baseline == best:
        ratio = " (baseline)"
    runs = best.figures[cell.rung].runs
    notes = ["1 run"] * (runs == 1) + [f"{best.failed} failed"] * bool(best.failed)
    notes += ["Python uncounted"] * bool(cell.note)
    figure = _figure(cell, best.figures[cell.rung].value)
    return "\n".join([best.algo, figure + ratio, *notes])


def print_work(
    console: Console, made: Cube, axes: Axes, processes: list[str], metrics: list[Metric]
) -> None:
    """What is empty: within the boards, then whole planes, each with a command that begins it."""
    inside = [c for c in made.cells if c.process in processes and c.metric in metrics and c.board]
    empty = sum(not cell.tried for cell in inside)
    if made.without_bar:
        console.print(
            f"{made.without_bar} run{'s' * (made.without_bar != 1)} held to no bar, so in no cell; say "
            "task.bar=SCORE",
            soft_wrap=True,
        )
    console.print("Work to do", style="bold")
    console.print(
        f"{empty} of {len(inside)} cells of the tables above are empty, and these planes of the cube:"
        if inside
        else "No run here sat an exam that has a bar, so the cube is empty. What begins each of its planes:"
    )
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    # On the simplest problem that somebody has sat, with what is the cheapest there.
    sat = made.boards[0] if made.boards else None
    words = sat.words if sat else axes.problems[0].words
    algo = next((c.baseline.algo for c in made.cells if c.board is sat and c.baseline), None)
    lines = [
        ("problem", problem.name, f"bench run {problem.words} algo={USUAL}")
        for problem in axes.problems
        if not any(board.problem == problem for board in made.boards)
    ]
    lines += [
        ("process", process, to_fill(words, algo, process, METRICS[0]))
        for process in axes.processes
        if process not in processes
    ]
    lines += [
        ("metric", metric.label, to_fill(words, algo, "as_published", metric))
        for metric in METRICS
        if metric not in metrics
    ]
    for line in lines:
        table.add_row(*(Text(part) for part in line))
    console.print(table)
