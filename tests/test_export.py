"""Tables as files: what goes in comes out, and nothing in a name breaks a file."""

from __future__ import annotations

import csv
import io
import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import export_command
from harness.cube_command import axes
from harness.errors import BadInputError
from metrics.record import Record, encode
from metrics.store import Store, StoreError
from metrics.trace import MeterError
from reports.export import FORMATS, export, heading, to_csv, to_latex, to_markdown, to_parquet
from reports.tabular import TABLES, Column, Table, curves_table, energy_table, runs_table, table
from tests.conftest import Bench
from tests.papers import counted, curve, sat

WILD = [
    "[b]x[/b]",
    "a|b",
    'say "hi", twice',
    "two\nlines",
    "a\rb",
    "$x^2_1$ 100% & #\\~{}",
    "=1+1",
    "é µ 数",
]
WILD += ["<script>alert(1)</script>", "n" * 1000, " led", "_hidden", "`code` *b* [l](u)"]


def of_names(names: list[str]) -> Table:
    columns = [
        Column("algo", str, True),
        Column("energy_j", float, True),
        Column("met", bool, True),
    ]
    rows = [{"algo": name, "energy_j": 0.1 + i, "met": i % 2 == 0} for i, name in enumerate(names)]
    return Table("names", columns, rows)


def records() -> list[Record]:
    first = sat("ngram", 1.0 / 3.0)
    failed = msgspec.structs.replace(
        sat("ppm", 1.0), status="failed", error="it\nbroke", headline=None, score=None
    )
    return [first, failed, sat("backprop", 9.0), counted(first, 7)]


def store(folder: Path, made: list[Record]) -> Path:
    for record in made:
        Store(folder).append(record)
    return folder


def test_csv_is_read_back_as_it_was() -> None:
    made = of_names(WILD)
    rows = list(csv.reader(io.StringIO(to_csv(made).decode(), newline="")))
    assert rows[0] == ["algo", "energy_j", "met"]
    assert [row[0] for row in rows[1:]] == WILD
    assert [float(row[1]) for row in rows[1:]] == [row["energy_j"] for row in made.rows]
    assert {row[2] for row in rows[1:]} == {"true", "false"}


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1)
)
def test_any_name_survives_csv(names: list[str]) -> None:
    text = to_csv(of_names(names)).decode()
    assert [row[0] for row in csv.reader(io.StringIO(text, newline=""))][1:] == names


def test_pandas_reads_the_same_values_from_csv_and_parquet(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="needs joulebench[meters]")
    made = runs_table([*records(), *(sat(name, 1.0) for name in WILD)])
    export(made, [tmp_path / "t.csv", tmp_path / "t.parquet"])
    texts = {c.name: str for c in made.columns if c.kind is str}  # a hash may be all digits
    read = pandas.read_csv(tmp_path / "t.csv", dtype=texts, keep_default_na=False, na_values=[""])
    typed = pandas.read_parquet(tmp_path / "t.parquet")
    assert list(read.columns) == list(typed.columns) == [c.name for c in made.columns]
    for column in made.columns:
        want = [row[column.name] for row in made.rows]
        for frame in (read, typed):
            got = [None if pandas.isna(v) else v for v in frame[column.name]]
            assert got == want, column.name


def test_parquet_is_typed_and_says_what_it_is(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="needs joulebench[meters]")
    made = runs_table(records())
    (tmp_path / "t.parquet").write_bytes(to_parquet(made))
    read = pq.read_table(tmp_path / "t.parquet")
    assert read.to_pylist() == made.rows
    kinds = {name: str(read.schema.field(name).type) for name in read.column_names}
    assert (kinds["energy_j"], kinds["operations"]) == ("double", "int64")
    assert (kinds["target_met"], kinds["algo"]) == ("bool", "string")
    assert b'"table": "runs"' in read.schema.metadata[b"joulebench"]
    huge = Table("t", [Column("operations", int)], [{"operations": 2**70}])
    with pytest.raises(StoreError, match="too large for Parquet"):
        to_parquet(huge)


def test_without_pyarrow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MeterError, match=r"Parquet needs pyarrow.*joulebench\[meters\]"):
        to_parquet(runs_table(records()))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_name_breaks_a_markdown_row(name: str) -> None:
    for made in (of_names([name, "b"]), of_names([name] * 2)):  # in a row, and in the caption
        lines = to_markdown(made).decode().split("\n")
        for line in lines[-4:-1]:
            assert len(re.sub(r"\\.", "", line).split("|")) == len(lines[-2].split("|"))
        assert not re.search(r"(?<!\\)(\\\\)*<", lines[-3])


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_name_breaks_a_latex_row(name: str) -> None:
    other = "a" if name == "b" else "b"  # what all rows share stands in the caption
    said = to_latex(of_names([name, other])).decode()
    row = said.split("\\midrule\n")[1].split("\n")[0]
    bare = re.sub(r"\\text[a-z]+\{\}|\\[&%$#_{}]|\$\\[gl]eq\$", "", row.removesuffix(r" \\"))
    assert bare.count("&") == 2 and bare.endswith("& $0.1$ & yes")
    assert not set(bare.split(" & $0.1$")[0]) & set("%#_{}$~^\\")
    assert said.count("\n") == to_latex(of_names(["a", "b"])).count(b"\n")


def test_tables_for_people_have_what_a_page_has_room_for() -> None:
    made = runs_table(records()[:3])
    text, tex = to_markdown(made).decode(), to_latex(made).decode()
    assert text.startswith(
        "task: nanogpt; variant: tinyshakespeare split=random; device: cpu: c x2; "
    )
    assert "source: modelled:cpu\\_time" in text.split("\n")[0]
    assert "energy (J) | energy low (J) | energy high (J)" in text and "| 0.3333 |" in text
    assert "\\toprule" in tex and "\\caption{joulebench, runs; task: nanogpt;" in tex
    small = of_names(["a", "b"])
    small.rows[0]["energy_j"] = 1.5e-7
    assert r"$1.5 \times 10^{-7}$" in to_latex(small).decode()
    assert heading("joules_per_accuracy") == "joules per accuracy"
    assert heading("peak_bytes") == "peak (B)" and heading("s") == "s"


def test_a_row_for_every_record_energy_row_and_point() -> None:
    made = [*records(), curve("ngram", [(1.0, 2.0), (2.0, 1.5)])]
    runs = runs_table(made)
    assert [row["run"] for row in runs.rows] == [record.run for record in made]
    best = runs.rows[0]
    assert best["energy_j"] == 1.0 / 3.0 and best["energy_low_j"] == pytest.approx(1.0 / 15.0)
    assert best["algo_sha256"] == "ngram0" and best["source"] == "modelled:cpu_time"
    assert runs.rows[1]["error"] == "it\nbroke" and runs.rows[1]["energy_j"] is None
    assert runs.rows[3]["operations"] == 7 and runs.rows[3]["read_bytes"] == 14
    energy = energy_table(made)
    assert len(energy.rows) == sum(len(record.energy) for record in made)
    assert energy.rows[0]["gross_j"] == 1.0 / 3.0 and energy.rows[0]["domain"] == "worker"
    points = curves_table(made)
    assert [(r["point"], r["energy_j"], r["score"]) for r in points.rows] == [
        (1, 1.0, 2.0),
        (2, 2.0, 1.5),
    ]


@pytest.mark.parametrize("name", list(TABLES))
def test_every_table_is_of_its_types_in_every_format(name: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs joulebench[meters]")
    folder = store(tmp_path / "r", [*records(), curve("ngram", [(1.0, 2.0), (2.0, 1.5)])])
    made = table(name, [folder], axes())
    names = [column.name for column in made.columns]
    assert len(set(names)) == len(names) and all(list(row) == names for row in made.rows)
    for column in made.columns:
        allowed: Any = (int, float) if column.kind is float else column.kind
        for row in made.rows:
            value = row[column.name]
            assert value is None or isinstance(value, allowed), (column, value)
    said = export(made, [tmp_path / f"t{suffix}" for suffix in FORMATS])
    assert len(said) == len(FORMATS)
    assert all((tmp_path / f"t{suffix}").stat().st_size > 100 for suffix in FORMATS)


def test_the_board_is_what_leaderboard_writes(tmp_path: Path) -> None:
    folder = store(tmp_path, records())
    rows = table("board", [folder], axes()).rows
    assert [row["algo"] for row in rows if row["rank"]] == ["ngram", "backprop"]


def test_a_table_without_rows_says_which_command_makes_some(tmp_path: Path) -> None:
    folder = store(tmp_path, records())
    with pytest.raises(
        StoreError, match=r"no row for the table curves; make some with: bench curve"
    ):
        table("curves", [folder], axes())


def test_the_command_and_its_bad_input(bench: Bench, home: Path) -> None:
    store(home / "results", records())
    said = bench("export", "a.csv", "b.md").stdout
    assert "4 rows of runs" in said and "more in CSV and Parquet" in said
    with (home / "a.csv").open(newline="") as file:
        assert [row["algo"] for row in csv.DictReader(file)] == [
            "ngram",
            "ppm",
            "backprop",
            "ngram",
        ]
    (home / "taken.csv").mkdir()
    (home / "empty").mkdir()
    for files, which, folder, says in (
        (
            ("c.cvs",),
            "runs",
            "results",
            "does not end in any of .csv, .parquet, .md, .tex",
        ),
        (("c.csv", "d.xlsx"), "runs", "results", "d.xlsx"),
        (("c.csv",), "bord", "results", "no table is called bord (did you mean board?)"),
        (("c.csv",), "curves", "results", "bench curve"),
        (("c.csv",), "runs", "none", "there is no folder none"),
        (("c.csv",), "runs", "empty", "make one with: bench run"),
        (("none/c.csv",), "runs", "results", "there is no folder none"),
        (("taken.csv",), "runs", "results", "cannot write taken.csv"),
    ):
        with pytest.raises((BadInputError, StoreError)) as refused:
            export_command.export(list(files), which, [folder])
        assert says in str(refused.value) and "\n" not in str(refused.value)
    assert not (home / "c.csv").exists()
    done = bench("export", "c.csv", "--table", "bord", code=2)
    assert done.stderr.startswith("bench: no table") and done.stderr.count("\n") == 1


def test_records_of_another_version_are_named_and_the_others_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = store(tmp_path, records())
    newer = encode(records()[0]).replace(b'"schema_version":1,', b'"schema_version":9,', 1)
    with (tmp_path / "records.jsonl").open("ab") as file:
        file.write(newer + b"\n")
    assert len(table("runs", [folder], axes()).rows) == 4
    assert "records.jsonl:5: a Record of schema version 9" in capsys.readouterr().err
