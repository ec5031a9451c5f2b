"""The cube, from Records with known figures."""

from __future__ import annotations

import csv
import io
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness import registry
from harness.cube_command import axes
from harness.cube_command import cube as command
from metrics.count_base import PYTHON
from metrics.record import Record, encode
from metrics.store import Store, StoreError
from reports.cube import Cell, Cube, Line, cube
from reports.cube_axes import METRICS, Axes, Problem, metric_of
from reports.cube_table import print_cube
from reports.export import to_csv
from reports.tabular import cube_table
from tests.conftest import Bench
from tests.papers import counted, row, sat

AXES = Axes(
    [
        Problem("sparse_parity"),
        *(Problem("nanogpt", "text", t) for t in ("grammar", "tinyshakespeare")),
    ],
    ["as_published", "set_by_hand", "tpe"],
    frozenset({"backprop", "hashed_softmax"}),
)


def of(*records: Record) -> Cube:
    return cube([msgspec.json.decode(encode(record), type=Line) for record in records], AXES)


def cell(made: Cube, metric: str, process: str = "as_published", **wanted: Any) -> Cell:
    """The one cell of a board with these coordinates."""
    (found,) = (
        c
        for c in made.cells
        if c.board
        and (c.metric.name, c.process) == (metric, process)
        and all(getattr(c.board, k, getattr(c, k, None)) == v for k, v in wanted.items())
    )
    return found


def test_the_cheapest_that_meets_the_bar_and_its_ratio_to_the_cheapest_gradient_trained() -> None:
    made = of(
        *(sat("ngram", 2.0), sat("ppm", 1.0, score=1.6), sat("backprop", 400.0)),
        *(sat("hashed_softmax", 8.0), sat("hashed_softmax", 4.0, process="tpe", config=1)),
    )
    here = cell(made, "modelled_j")
    assert here.best and here.baseline and here.best.algo == "ngram"
    assert (here.baseline.algo, here.baseline.process) == ("hashed_softmax", "tpe")
    assert here.ratio == pytest.approx(0.5) and here.tried == 4 and not here.to_fill
    tuned = cell(made, "modelled_j", "tpe")
    assert tuned.best == tuned.baseline and tuned.ratio == 1.0


def test_every_metric_has_a_winner_of_its_own() -> None:
    made = of(sat("backprop", 8.0, wall_s=1.0), sat("ngram", 2.0, wall_s=3.0))
    wall, joules = cell(made, "wall_s"), cell(made, "modelled_j")
    assert wall.best and joules.best and (wall.best.algo, joules.best.algo) == ("backprop", "ngram")
    assert wall.ratio == 1.0 and joules.ratio == 0.25


def test_like_is_only_held_against_like() -> None:
    made = of(
        *(sat("backprop", 8.0), sat("ngram", 2.0, bar=1.88), sat("ngram", 3.0, device="cpu: d x2")),
        sat("ngram", 1.0, source="measured:rapl"),
        sat("ngram", 1.0, source="modelled:cpu_time(1 W, 1-2)"),
    )
    assert len(made.boards) == 3
    for c in made.cells:
        if c.board and c.best and c.best.algo == "ngram" and c.metric.unit == "J":
            assert c.baseline is None and c.ratio is None
    sources = {c.rung for c in made.cells if c.metric.name == "modelled_j" and c.best}
    assert sources == {"modelled:cpu_time", "modelled:cpu_time(1 W, 1-2)"}
    bars = [b.bar for b in made.boards if b.device == "cpu: c x2"]
    assert bars == [1.88, 1.47]  # from the easiest to the hardest


def test_who_misses_the_bar_stands_in_no_cell() -> None:
    here = cell(of(sat("ppm", 1.0, score=1.6), sat("backprop", 2.0, score=1.5)), "modelled_j")
    assert here.best is None and here.baseline is None and here.tried == 2 and not here.to_fill


def test_a_lucky_run_or_a_failing_setting_does_not_stand_for_its_algorithm() -> None:
    steady = [sat("ngram", 5.0, config=1)] * 5
    made = of(
        sat("ngram", 1.0, config=2),
        *(msgspec.structs.replace(r, run=str(i)) for i, r in enumerate(steady)),
    )
    assert cell(made, "modelled_j").best.config_sha256 == "ngram1"  # type: ignore[union-attr]
    lost = msgspec.structs.replace(sat("ngram", 1.0), status="failed", headline=None, score=None)
    fails = [lost, sat("ngram", 1.0)]
    made = of(*fails, sat("ngram", 5.0, config=1))
    best = cell(made, "modelled_j").best
    assert best and best.config_sha256 == "ngram1" and best.failed == 0
    (alone,) = of(*fails).boards
    assert alone.entries[0].failed == 1 and alone.entries[0].runs == 1


def test_only_the_latest_code_counts() -> None:
    old = sat("ngram", 1.0)
    new = sat("ngram", 3.0, algorithm=msgspec.structs.replace(old.algorithm, code_sha256="new"))
    assert cell(of(old, new), "modelled_j").best.figures["modelled:cpu_time"].value == 3.0  # type: ignore


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "curve"},
        {"kind": "trial"},
        {"status": "interrupted"},
        {"draw": {"seed": 0, "nonce": "0", "repeats": 1, "replay_of": "x"}},
    ],
)
def test_what_sat_no_exam_is_left_out(changes: dict[str, Any]) -> None:
    record = msgspec.json.decode(encode(sat("ngram", 1.0)))
    made = cube([msgspec.convert(record | changes, Line)], AXES)
    assert not made.boards and not made.without_bar


def test_a_run_without_a_bar_is_told() -> None:
    made = of(sat("ngram", 1.0, bar=None))
    assert not made.boards and made.without_bar == 1


def test_counts_are_joined_to_the_runs_of_the_same_algorithm() -> None:
    ngram, backprop = sat("ngram", 1.0), sat("backprop", 9.0)
    made = of(ngram, backprop, counted(ngram, 10, [PYTHON]), counted(backprop, 40))
    operations = cell(made, "operations")
    assert operations.best and operations.best.figures["count:operations"].value == 10
    assert operations.ratio == 0.25 and operations.note == PYTHON
    assert cell(made, "bytes_moved").best.figures["count:bytes_moved"].value == 30  # type: ignore
    floor = cell(made, "modelled_j", rung="modelled:operations-45nm (floor)")
    assert floor.ratio == 0.25 and floor.note == PYTHON
    assert not cell(made, "modelled_j", rung="modelled:cpu_time").note


def test_a_log_that_was_joined_later_is_of_the_same_run() -> None:
    first = sat("ngram", 1.0, source="measured:rapl")
    later = sat(
        *("ngram", 3.0),
        source="measured:wall:csv",
        imported_from=first.run,
        rows=[row("measured:rapl", 1.0), row("measured:wall:csv", 3.0, "wall")],
    )
    made = of(first, later)
    plug, chip = cell(made, "wall_plug_j"), cell(made, "gpu_cpu_dram_j")
    assert plug.best and plug.best.runs == 1 and plug.best.figures[plug.rung].value == 3.0
    assert chip.best and chip.best.figures["measured:rapl"].value == 1.0


@pytest.mark.parametrize(
    ("rung", "source", "name"),
    [
        ("wall_s", "modelled:cpu_time", "wall_s"),
        ("cpu_s", "modelled:cpu_time", None),
        ("count:operations", "measured:nvml", "operations"),
        ("count:peak_bytes", "measured:nvml", None),
        ("modelled:cpu_time", "modelled:cpu_time", "modelled_j"),
        ("modelled:cpu_time", "measured:nvml", None),  # a part of that machine
        ("modelled:rss", "modelled:cpu_time", None),
        ("modelled:operations-7nm (floor)", "measured:nvml", "modelled_j"),
        ("measured:nvml", "measured:nvml", "gpu_j"),
        ("measured:nvml", "measured:nvml+rapl", "gpu_j"),
        ("measured:nvml+rapl", "measured:nvml+rapl", "gpu_cpu_dram_j"),
        ("measured:rapl", "measured:nvml+rapl", None),
        ("measured:rapl", "measured:rapl", "gpu_cpu_dram_j"),
        ("measured:wall:shelly", "measured:nvml", "wall_plug_j"),
    ],
)
def test_places_on_the_metric_axis(rung: str, source: str, name: str | None) -> None:
    found = metric_of(rung, source)
    assert (found.name if found else None) == name


def test_every_cell_of_the_cube_is_there_and_the_empty_ones_say_what_fills_them() -> None:
    made = of(sat("backprop", 8.0))
    seen = {(c.problem, c.process, c.metric) for c in made.cells}
    assert len(seen) == len(made.cells) == 3 * len(AXES.processes) * len(METRICS)
    for c in made.cells:
        assert bool(c.to_fill) == (c.best is None)
    asked = cell(made, "gpu_j").to_fill
    assert asked == "bench run task=nanogpt task.text=tinyshakespeare algo=backprop meter=nvml"
    assert "process=tpe" in cell(made, "modelled_j", "tpe").to_fill
    assert cell(made, "operations").to_fill.startswith("bench count task=nanogpt")
    never = next(c for c in made.cells if c.problem.task == "sparse_parity")
    assert never.board is None and never.to_fill.startswith("bench run task=sparse_parity algo=")


def test_a_task_of_ones_own_has_a_place_of_its_own_and_odd_words_are_quoted() -> None:
    made = of(sat("mine", 8.0, text="/tmp/a b; rm.txt"))
    (board,) = made.boards
    assert board.problem not in AXES.problems and board.variant in board.problem.name
    words = shlex.split(cell(made, "gpu_j").to_fill)
    assert words[:4] == ["bench", "run", "task=nanogpt", "task.text=/tmp/a b; rm.txt"]


def test_the_axes_are_what_there_is_to_choose_from() -> None:
    known = axes()
    tasks = [problem.task for problem in known.problems]
    assert list(dict.fromkeys(tasks)) == ["sparse_parity", "ca_evolution", "nanogpt"]
    assert set(tasks) == {c.name for c in registry.choices("task")}
    texts = [p.value for p in known.problems if p.task == "nanogpt"]
    (nanogpt,) = (c for c in registry.choices("task") if c.name == "nanogpt")
    assert texts == list(nanogpt.fields["bars"]) and texts[-1] == "fineweb"
    assert known.processes[0] == "as_published" and "tpe" in known.processes
    assert known.gradient == {
        *("backprop", "backprop_tuned", "hashed_mlp", "hashed_softmax", "transformer")
    }


def test_as_text_and_as_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path)
    wild = "[red]mine[/red]" + "x" * 200
    for record in (
        *(sat("backprop", 8.0), sat(wild, 2.0), sat("ngram", 1.0, process="tpe", score=1.6)),
        sat("ngram", 1.0, bar=None),
    ):
        store.append(record)
    assert print_cube([tmp_path], AXES, str(tmp_path / "cube.csv")) == 0
    said = capsys.readouterr().out
    assert "[red]mine[/red]" in said.replace("\n", "") and "(×0.25)" in said
    assert "cpu_time" in said and "×0.2 … ×1.3" in said
    assert "none of 1" in said and "1 run held to no bar" in said
    for work in ("problem  sparse_parity", "metric   ByteDMD", "process  set_by_hand"):
        assert work in said
    tables = said.partition("Work to do")[0].splitlines()
    assert max(len(line) for line in tables) <= 120
    with (tmp_path / "cube.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    (best,) = (r for r in rows if r["algo"] == wild and r["metric"] == "modelled_j")
    assert (best["baseline"], float(best["ratio"])) == ("backprop", 0.25)
    assert sum(not r["algo"] and bool(r["to_fill"]) for r in rows) > 50


def test_the_command_on_a_real_run(bench: Bench, home: Path) -> None:
    bench("run", "task=sparse_parity", "algo=xor_elimination", "repeats=2", "results=a")
    (home / "empty").mkdir()
    said = bench("cube", "--results", "a", "--results", "empty").stdout
    assert "xor_elimination" in said and "none yet" in said and "Work to do" in said
    for folder, path, says in (
        ("results", None, "there is no folder results; Records are made there by: bench run"),
        ("empty", None, "make one with: bench run"),
        ("a", "a", "cannot write a"),
    ):
        with pytest.raises(StoreError) as refused:
            command([folder], path)
        assert says in str(refused.value) and "\n" not in str(refused.value)
    assert bench("cube", code=2).stderr.count("\n") == 1


def test_a_record_in_two_folders_is_one_run(tmp_path: Path) -> None:
    record = sat("backprop", 8.0)
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        Store(folder).append(record)
    Store(folders[1]).append(sat("backprop", 2.0))
    print_cube(folders, AXES, str(tmp_path / "c.csv"))
    with (tmp_path / "c.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["algo"] and r["metric"] == "modelled_j"]
    assert [(r["runs"], float(r["value"])) for r in rows] == [("2", 5.0)]


def test_the_table_of_cells_is_what_the_csv_says() -> None:
    table = cube_table(of(sat("backprop", 8.0)))
    rows = list(csv.DictReader(io.StringIO(to_csv(table).decode())))
    assert [r["to_fill"] or None for r in rows] == [row["to_fill"] for row in table.rows]
