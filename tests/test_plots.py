"""Figures for papers: what they draw, and that the same Records give the same bytes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from harness import export_command
from harness.errors import BadInputError
from metrics.meter import Window
from metrics.record import Record, encode
from metrics.store import Store, StoreError
from metrics.trace import Trace, save_parquet
from reports.front import front_rows
from reports.lines import Line
from reports.plots.curve import draw_curve, medians
from reports.plots.front import draw_front, pareto
from reports.plots.style import COLOURS, MARKERS, joules, look, said
from reports.plots.trace import draw_trace
from tests.conftest import Bench
from tests.papers import curve, sat
from tests.test_export import WILD, store

pytest.importorskip("matplotlib", reason="needs joulebench[meters]")
pytest.importorskip("pyarrow", reason="needs joulebench[meters]")


def of_front() -> list[Record]:
    texts = ("tinyshakespeare", "grammar")
    made = [
        sat(algo, j, score, text=t)
        for t in texts
        for algo, j, score in (("a", 1.0, 1.46), ("b", 9.0, 1.2))
    ]
    return [*made, sat("c", 0.2, 1.8, bar=1.88)]


def of_curves() -> list[Record]:
    shapes = ([(1.0, 3.0), (10.0, 1.0)], [(1.0, 2.0), (10.0, 1.4)], [(2.0, 2.5), (20.0, 1.2)])
    return [curve("a", points) for points in shapes] + [curve("b", [(5.0, 1.3)])]


def with_trace(folder: Path, powers: dict[str, Any] | None = None) -> Record:
    """A run whose trace has a gap, and phases of which one is narrow."""
    t = 50.0 + np.arange(0, 10, 0.1)
    power = np.where((t > 52) & (t < 58), 300.0, 60.0)
    power[10:15] = np.nan
    names = (("setup", 0, 2), ("train", 2, 8), ("inference", 8.2, 8.4))
    windows = [
        Window(phase=p, repeats=1, begin_s=50 + b, end_s=50 + e, begin=None, end=None)
        for p, b, e in names
    ]
    record = sat("a", 1.0, trace="t.parquet", source="measured:nvml")
    columns = {"gpu0_w": power, "gpu0_c": power} if powers is None else powers
    folder.mkdir(exist_ok=True)
    save_parquet(Trace(t, columns), folder / "t.parquet", record.run, windows)
    store(folder, [record, sat("later", 1.0)])
    return record


def text_of(path: Path) -> str:
    """matplotlib leaves every text as a comment beside its outlines."""
    ET.parse(path)  # it is XML, whatever is in a name
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_records_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    folder = store(tmp_path / "r", [*of_front(), *of_curves()])
    with_trace(tmp_path / "t")
    for name, draw in (
        ("front", lambda path: draw_front([folder], path, None)),
        ("curve", lambda path: draw_curve([folder], path, None)),
        ("trace", lambda path: draw_trace([tmp_path / "t"], path, None)),
    ):
        twice = [tmp_path / f"{name}{i}{suffix}" for i in (1, 2)]
        for path in twice:
            draw(path)
        first, second = (path.read_bytes() for path in twice)
        assert first == second and len(first) > 5000
        assert first.startswith(b"\x89PNG" if suffix == ".png" else b"<?xml")


def test_a_panel_for_each_board_with_source_and_device_below(tmp_path: Path) -> None:
    folder = store(tmp_path / "r", of_front())
    assert draw_front([folder], tmp_path / "f.svg", None) == "2 panels"
    said = text_of(tmp_path / "f.svg")
    for word in ("nanogpt: grammar split=random", "bar 1.47", "bar 1.88", "nats/byte (less is"):
        assert word in said
    assert "modelled:cpu_time, cpu: c x2" in " ".join(said.split())
    assert draw_front([folder], tmp_path / "f.svg", "grammar") == "1 panel"
    assert "tinyshakespeare" not in text_of(tmp_path / "f.svg")


def test_the_front_is_what_nothing_beats() -> None:
    records = [sat("a", 1.0, 1.46), sat("b", 9.0, 1.2), sat("c", 5.0, 1.46), sat("d", 0.1, 1.6)]
    rows = front_rows([msgspec.json.decode(encode(r), type=Line) for r in records])
    assert [row.algo for row in pareto(rows)] == ["d", "a", "b"]


def test_medians_of_curves_over_the_joules_that_all_went_through() -> None:
    made = medians(of_curves()[:3])
    assert [round(j, 6) for j, _ in made] == [2.0, 10.0]
    assert made[0][1] == pytest.approx(2.39794, rel=1e-3)  # of 2.39794, 1.81938 and 2.5
    assert made[1][1] == pytest.approx(1.4, rel=1e-6)
    assert medians(of_curves()[:2]) == [] and medians(of_curves()[1:]) == []
    apart = [curve("a", [(x, 2.0), (2 * x, 1.0)]) for x in (1.0, 10.0, 100.0)]
    assert medians(apart) == []


def test_curves_say_how_many_draws_and_where_the_bars_are(tmp_path: Path) -> None:
    folder = store(tmp_path / "r", [*of_curves(), sat("a", 1.0)])
    assert draw_curve([folder], tmp_path / "c.svg", None) == "4 curves"
    said = text_of(tmp_path / "c.svg")
    assert "a, 3 draws" in said and "bar 1.47" in said and "modelled:cpu_time" in said


def test_no_name_breaks_a_figure(tmp_path: Path) -> None:
    folder = store(tmp_path / "r", [sat(name, 1.0 + i) for i, name in enumerate(WILD)])
    draw_front([folder], tmp_path / "f.svg", None)
    said = text_of(tmp_path / "f.svg")
    assert "$x^2_1$ 100%" in said and "_hidden" in said and "n" * 60 not in said


def test_a_trace_has_its_phases_named(tmp_path: Path) -> None:
    record = with_trace(tmp_path / "t")
    for run in (None, "last", record.run):
        assert record.run in draw_trace([tmp_path / "t"], tmp_path / "t.svg", run)
    said = text_of(tmp_path / "t.svg")
    for word in ("setup", "train", "inference", "power (W)", "gpu0", "measured:nvml"):
        assert word in said
    assert "gpu0 c" not in said  # a temperature is no power


def test_traces_that_are_not_there(tmp_path: Path) -> None:
    record = with_trace(tmp_path / "t")
    (later,) = (r for r in Store(tmp_path / "t").load(Record).records if r.run != record.run)
    with pytest.raises(StoreError, match=r"has no power trace; make one with: bench run"):
        draw_trace([tmp_path / "t"], tmp_path / "x.png", later.run)
    with pytest.raises(StoreError, match="no run 'nope'"):
        draw_trace([tmp_path / "t"], tmp_path / "x.png", "nope")
    plain = store(tmp_path / "plain", [sat("a", 1.0)])
    with pytest.raises(StoreError, match=r"has a power trace; make one with: bench run"):
        draw_trace([plain], tmp_path / "x.png", None)
    (tmp_path / "t" / "t.parquet").write_bytes(b"torn")
    with pytest.raises(StoreError, match=r"cannot be read \(.*t.parquet\)"):
        draw_trace([tmp_path / "t"], tmp_path / "x.png", record.run)
    (tmp_path / "t" / "t.parquet").unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        draw_trace([tmp_path / "t"], tmp_path / "x.png", record.run)
    with_trace(tmp_path / "heat", {"gpu0_c": np.full(100, 40.0)})
    with pytest.raises(StoreError, match="no power in it"):
        draw_trace([tmp_path / "heat"], tmp_path / "x.png", None)


def test_too_many_boards_for_a_page(tmp_path: Path) -> None:
    folder = store(tmp_path / "r", [sat("a", 1.0, text=f"text{i}") for i in range(9)])
    with pytest.raises(StoreError, match=r"9 boards are too many .* --task TEXT: nanogpt / text0"):
        draw_front([folder], tmp_path / "x.png", None)
    with pytest.raises(StoreError, match="no board has 'text99' in its name"):
        draw_front([folder], tmp_path / "x.png", "text99")


def test_algorithms_are_told_apart_by_colour_and_marker() -> None:
    looks = [(look(i)["color"], look(i)["marker"]) for i in range(len(COLOURS) * len(MARKERS))]
    assert len(set(looks)) == len(looks)
    assert all(len(set(pair)) == 7 for pair in zip(*looks[:7], strict=True))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "100 mJ"), (10.0, "10 J"), (2e-3, "2 mJ"), (2e4, "20 kJ"), (1e-15, "1e-15 J")],
)
def test_ticks_are_written_as_people_do(value: float, text: str) -> None:
    assert joules(value) == text


def test_labels_are_one_short_line() -> None:
    assert said("a\nb\tc\x00") == "a b c" and said("_x") == " _x"
    assert len(said("n" * 1000)) == 40


def test_the_command_and_its_bad_input(bench: Bench, home: Path) -> None:
    store(home / "results", of_front())
    assert "2 panels drawn to results/front.png" in bench("plot", "front").stdout
    assert (home / "results" / "front.png").stat().st_size > 5000
    (home / "taken.png").mkdir()
    for kind, run, out, task, says in (
        ("frnt", None, None, None, "no plot is called frnt (did you mean front?)"),
        ("front", None, "x.pdf", None, "does not end in any of .png, .svg"),
        ("front", None, "taken.png", None, "cannot write taken.png"),
        ("front", "last", None, None, "takes no run"),
        ("trace", None, None, "x", "takes no --task"),
        ("curve", None, None, None, "make some with: bench curve"),
        ("trace", None, None, None, "make one with: bench run"),
    ):
        with pytest.raises((BadInputError, StoreError)) as refused:
            export_command.plot(kind, run, out, task, ["results"])
        assert says in str(refused.value) and "\n" not in str(refused.value)
    done = bench("plot", "front", "--results", "none", code=2)
    assert done.stderr.startswith("bench: there is no folder none") and done.stderr.count("\n") == 1
