"""What a page is given: all of it plain, nothing lost, and a line for everything that could not be read."""

from __future__ import annotations

import base64
import gzip
import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.record import MEASURED_COMMAND, Record, encode
from metrics.store import Store, StoreError
from reports.cube_axes import Axes, Problem
from reports.export import to_csv
from reports.page import details
from reports.page.columns import IN_DETAILS, packed
from reports.page.data import Collector, collect
from reports.page.figures import write_csv
from reports.page.reading import Reader
from reports.tabular import Column, Table
from tests.papers import counted, curve, row, sat
from tests.test_export import WILD, store

AXES = Axes([Problem("nanogpt", "text", "tinyshakespeare")], ["as_published"], frozenset())
PNG = b"\x89PNG\r\n\x1a\n" + bytes(90)


def page(*folders: Path) -> dict[str, Any]:
    """What is collected, after it was JSON, which it must be able to be."""
    made = collect(list(folders), AXES, "t")
    again: dict[str, Any] = json.loads(json.dumps(made, allow_nan=False))
    assert again == made
    return again


def column(data: dict[str, Any], table: str, name: str) -> list[Any]:
    """A column of a table as it was before it was packed."""
    return unpacked(data["tables"][table]["data"][name])


def unpacked(packed: dict[str, Any]) -> list[Any]:
    if "levels" not in packed:
        return list(packed["values"])
    return [None if code < 0 else packed["levels"][code] for code in packed["codes"]]


def detail(data: dict[str, Any], run: str) -> Any:
    """A Record as the page opens it."""
    chunk, place = data["details"]["index"][run]
    return json.loads(gzip.decompress(base64.b64decode(data["details"]["chunks"][chunk])))[place]


def lost(algo: str) -> Record:
    bare = {"headline": None, "score": None}
    return msgspec.structs.replace(sat(algo, 1.0), status="failed", error="it\nbroke", **bare)


def command() -> Record:
    """What `bench measure` leaves."""
    return msgspec.structs.replace(sat("ls", 1.0, bar=None), kind=MEASURED_COMMAND, score=None)


def of_all_kinds() -> list[Record]:
    first = sat("ngram", 1.0 / 3.0)
    points = [(1.0, 2.0), (4.0, 1.4)]
    return [
        *(first, lost("ppm"), counted(first, 7), command(), sat("free", 2.0, bar=None)),
        *(curve("ngram", [(j * f, s) for j, s in points]) for f in (1.0, 1.1, 1.2)),
        *(sat(name, 1.0) for name in WILD),
    ]


def test_without_records_it_says_how_to_make_one(tmp_path: Path) -> None:
    data = page(tmp_path)
    assert data["about"]["records"] == 0 and data["about"]["make_one"].startswith("bench run ")
    assert data["problems"] == [] and data["tables"]["runs"]["rows"] == 0
    assert data["details"] == {"index": {}, "chunks": []} and data["verdicts"] == []
    assert data["tables"]["cube"]["rows"] > 0  # all empty: what could be done
    with pytest.raises(StoreError, match=r"there is no folder .*none; Records are made there by"):
        page(tmp_path / "none")


@pytest.mark.parametrize(
    "made",
    [
        [sat("a", 1.0)],
        [lost("a")],
        [command()],
        [sat("a", 1.0, bar=None)],
        [curve("a", [(1.0, 2.0)])],
    ],
    ids=["one", "only failed", "only measured commands", "no bar", "one point"],
)
def test_whatever_there_is_stands_in_the_table_of_runs(tmp_path: Path, made: list[Record]) -> None:
    data = page(store(tmp_path, made))
    assert data["problems"] == []
    assert column(data, "runs", "run") == [record.run for record in made]
    assert detail(data, made[0].run) == json.loads(encode(made[0]))


def test_every_record_is_there_whole_and_names_are_as_they_were(tmp_path: Path) -> None:
    made = of_all_kinds()
    data = page(store(tmp_path, made))
    assert data["problems"] == []
    assert column(data, "runs", "algo") == [record.algorithm.name for record in made]
    assert [detail(data, r.run) for r in made] == [json.loads(encode(r)) for r in made]
    about = data["about"]
    assert (about["records"], about["failed"]) == (len(made), 1)
    assert about["kinds"]["curve"] == 3 and about["kinds"]["count"] == 1
    assert {c["name"] for c in data["tables"]["runs"]["columns"]}.isdisjoint(IN_DETAILS)
    assert column(data, "runs", "energy_j")[0] == 0.3333333
    for name, table in data["tables"].items():
        assert {len(unpacked(v)) for v in table["data"].values()} == {table["rows"]}, name
        assert list(table["data"]) == [c["name"] for c in table["columns"]], name


@given(
    st.lists(
        st.tuples(st.none() | st.text(), st.none() | st.floats(), st.none() | st.booleans()),
        min_size=1,
    )
)
def test_packing_a_table_loses_nothing_but_the_eighth_digit(rows: list[tuple[Any, ...]]) -> None:
    names = ("text", "figure", "met")
    columns = [Column("text", str), Column("figure", float), Column("met", bool)]
    made = packed(Table("t", columns, [dict(zip(names, values, strict=True)) for values in rows]))
    texts, figures, met = (unpacked(made["data"][name]) for name in names)
    assert texts == [a for a, _, _ in rows] and met == [c for _, _, c in rows]
    for (_, was, _), now in zip(rows, figures, strict=True):
        finite = was is not None and math.isfinite(float(f"{was:.7g}"))
        assert now == (pytest.approx(was, rel=1e-6) if finite else None)


def test_curves_have_medians_and_the_joules_to_each_bar(tmp_path: Path) -> None:
    task = msgspec.structs.replace(sat("a", 1.0).task, ladder=[1.88, 1.0])
    made = [curve("a", [(f, 2.0), (4.0 * f, 1.4)], task=task) for f in (1.0, 1.5, 2.0)]
    data = page(store(tmp_path, made))
    assert column(data, "bars", "bar") == [1.88, 1.0, 1.47] * 3
    assert column(data, "bars", "target_met") == [True, False, True] * 3
    assert column(data, "bars", "energy_j")[:3] == [4.0, None, 4.0]
    assert column(data, "bars", "before_j")[:3] == [1.0, None, 1.0]
    assert column(data, "bars", "score")[:3] == [1.4, 1.4, 1.4]  # where it was not met, the best
    assert set(column(data, "medians", "draws")) == {3}
    joules, scores = (column(data, "medians", name) for name in ("energy_j", "score"))
    assert (joules[0], joules[-1]) == pytest.approx((2.0, 4.0))
    assert scores[0] == pytest.approx(2.0 - 0.6 * math.log(2 / 1.5) / math.log(4))
    assert len(set(column(data, "curves", "board"))) == 1


def test_how_far_a_cheap_metric_can_be_trusted_is_said_for_each(tmp_path: Path) -> None:
    made = [
        sat(
            *(name, j),
            source="measured:nvml",
            wall_s=wall_s,
            rows=[row("measured:nvml", j, "gpu0"), row("modelled:cpu_time", 5.0 - j)],
        )
        for name, j, wall_s in (("a", 1.0, 1.0), ("b", 2.0, 2.0), ("c", 3.0, 3.0), ("d", 4.0, 4.0))
    ]
    data = page(store(tmp_path, made))
    rungs = column(data, "audit", "rung")
    said = dict(zip(rungs, column(data, "audit", "tau"), strict=True))
    assert said["wall_s"] == 1.0 and said["modelled:cpu_time"] == -1.0
    assert set(column(data, "audit", "reference")) == {"measured:nvml"}
    wrong = rungs.index("modelled:cpu_time")
    assert column(data, "audit", "worst_times")[wrong] == 4.0
    assert column(data, "audit", "prefers")[wrong] == "d"
    data = page(store(tmp_path / "few", [sat("a", 1.0)]))
    assert column(data, "audit", "sentence") == ["no run was measured: nothing to audit against"]


def test_a_run_in_two_folders_is_one_and_its_files_are_found_in_either(tmp_path: Path) -> None:
    record = sat("a", 1.0, pictures=["p.png"])
    for name in ("one", "two"):
        store(tmp_path / name, [record])
    (tmp_path / "two" / "p.png").write_bytes(PNG)
    data = page(tmp_path / "one", tmp_path / "two")
    assert column(data, "runs", "run") == [record.run] and data["problems"] == []
    assert data["pictures"][record.run][0]["type"] == "image/png"


def test_a_page_never_says_where_a_folder_lies(tmp_path: Path) -> None:
    record = sat("a", 1.0, trace="t.parquet", pictures=["../p.png"])
    folder = store(tmp_path / "mine", [record])
    (folder / "t.parquet").write_text("torn")
    with (folder / "records.jsonl").open("ab") as file:
        file.write(b'{"torn')
    data = page(folder)
    assert data["folders"] == ["mine"] and len(data["problems"]) == 3
    assert str(tmp_path) not in json.dumps(data)


def test_records_that_lack_what_a_table_needs_are_named(tmp_path: Path) -> None:
    odd = sat("odd", 1.0, found={"find_j": "many", "source": 3}, settings={"overrides": 7})
    data = page(store(tmp_path, [sat("a", 2.0), odd]))
    assert column(data, "runs", "algo") == ["a", "odd"]
    assert column(data, "runs", "find_j") == [None, None]
    assert column(data, "board", "algo") == ["a"]
    said = "\n".join(data["problems"])
    assert f"run {odd.run} is left out of boards" in said
    assert f"run {odd.run} is left out of the cube and the cheap metrics" in said


def test_what_has_not_changed_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    load = Store.load

    def watched(self: Store, type: Any) -> Any:
        read.append(self.folder)
        return load(self, type)

    monkeypatch.setattr(Store, "load", watched)
    a, b = store(tmp_path / "a", of_all_kinds()), store(tmp_path / "b", [sat("b", 1.0)])
    collector = Collector([a, b], AXES, "t")
    first, stamp = collector.collect(), collector.stamp()
    again = collector.collect()
    assert read == [a, b] and collector.stamp() == stamp
    assert {**again, "made_at": ""} == {**first, "made_at": ""}
    store(b, [late := sat("late", 1.0)])
    assert collector.stamp() != stamp
    assert column(collector.collect(), "runs", "run")[-1] == late.run and read == [a, b, b]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        *(("traces/a.parquet", True), ("pictures/a.png", True), ("exams/x/verdict.json", True)),
        *(("traces/going_on.parquet", False), ("traces/going_on.rows", False)),
    ],
)
def test_the_stamp_changes_with_what_lies_beside_the_records(
    tmp_path: Path, name: str, changes: bool
) -> None:
    files = {"trace": "traces/a.parquet", "pictures": ["pictures/a.png"]}
    store(tmp_path, [sat("a", 1.0, **files)])
    for folder in ("exams/x", "traces", "pictures"):
        (tmp_path / folder).mkdir(parents=True)
    collector = Collector([tmp_path], AXES, "t")
    collector.collect()
    assert collector.made_of == collector.stamp()
    (tmp_path / name).write_text("x")
    assert (collector.stamp() != collector.made_of) == changes


def test_details_are_packed_by_the_dozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(details, "PACK", 3)
    made = [sat("a", 1.0) for _ in range(7)]
    entries = Reader().read([store(tmp_path, made)]).entries
    packer = details.Packer()
    packed_ = packer.pack(entries)
    assert len(packed_["chunks"]) == 3 and packed_["index"][made[6].run] == [2, 0]
    assert [detail({"details": packed_}, r.run)["run"] for r in made] == [r.run for r in made]


def test_every_figure_is_a_csv_file_with_all_digits(tmp_path: Path) -> None:
    folder = store(tmp_path / "r", of_all_kinds())
    collector = Collector([folder], AXES, "t")
    written = write_csv(collector, collector.collect(), tmp_path / "new" / "csv")
    names = ("runs", "board", "front", "curves", "medians", "bars", "cube", "audit")
    names += ("energy", "verdicts", "traces", "phases")
    assert [path.name for path in written] == [f"{name}.csv" for name in names]
    runs = (tmp_path / "new" / "csv" / "runs.csv").read_bytes()
    assert runs == to_csv(collector.tables["runs"]) and b"0.3333333333333333" in runs
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"cannot write CSV files to .*file"):
        write_csv(collector, collector.collect(), tmp_path / "file")
