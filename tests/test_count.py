"""`bench count`: the same counts in every process, what cannot be counted refused, nothing measured."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import energy_tables
from harness.config import configure
from harness.count import counting_nonce
from harness.trial_run import tuning_nonce
from metrics.counts import EXPENSIVE, KINDS, CountsError, Tally, from_mapping, kinds
from metrics.record import CountInfo, Record
from metrics.store import Store
from tests.conftest import Bench
from tests.scripted import burner

PARITY = ("task=sparse_parity",)
TEXT = ("task=nanogpt", "task.text=grammar", "task.bytes=24000", "task.score_bytes=4096")


def records(home: Path) -> list[Record]:
    return Store(home / "results").load(Record).records


def counts(record: Record) -> CountInfo:
    assert record.status == "ok" and record.counts
    return record.counts


def test_a_count_measures_nothing_and_is_whole_otherwise(bench: Bench, home: Path) -> None:
    said = bench("count", *PARITY, burner("Brief")).stdout
    (record,) = records(home)
    found = counts(record)
    assert record.kind == "count" and record.headline is None and record.score is None
    assert [p.phase for p in record.phases] == ["setup", "train"] and record.host.threads == 1
    assert record.phases[1].wall_s >= 0.3 and record.task.data_sha256
    assert found.how == ["numpy"] and found.peak_bytes >= 2 * 4000
    assert found.operations == {"fp32_add": 701_000}  # a thousand of them to change the type
    assert found.read_bytes >= 4 * 700_000 and found.written_bytes >= 4 * 700_000
    (row,) = record.energy
    assert row.source == record.source == "modelled:operations-45nm (floor)"
    assert (row.phase, row.domain) == ("train", "worker") and row.gross_j == row.low_j < row.high_j
    adds_j = 0.9e-12 * found.operations["fp32_add"]
    moved_j = 1.25e-12 * (found.read_bytes + found.written_bytes)
    assert row.low_j == pytest.approx(adds_j + moved_j, rel=0.05)
    assert f"{found.operations['fp32_add']:,}" in said and row.source in said
    assert any("python code is not counted" in note for note in found.notes)
    shown = bench("show", "last").stdout
    assert f"{found.read_bytes:,}" in shown and row.flags[0] in shown
    assert json.loads(bench("show", "--json").stdout)["counts"]["read_bytes"] == found.read_bytes
    assert "no finished runs" in bench("metrics", code=2).stderr
    assert "0 rows of 1 Records" in bench("leaderboard").stdout
    assert record.settings["energy"] == "horowitz_45nm" and record.settings["meters"] == {}


@pytest.mark.parametrize(
    "words",
    [
        (*PARITY, burner("Speaks")),
        (*PARITY, burner("Asks"), "task.access=queries"),
        (*PARITY, "algo=hypercell"),
        (*PARITY, "algo=backprop", "algo.epochs=3"),
        (
            *TEXT,
            "algo=backprop",
            "algo.max_iters=2",
            "algo.n_layer=1",
            "algo.n_embd=8",
            "algo.n_head=1",
        ),
        (*TEXT, "algo=ngram"),
    ],
    ids=lambda words: words[-1].partition("=")[2].rpartition("/")[2] or "words",
)
def test_the_same_command_gives_the_same_counts(
    bench: Bench, home: Path, words: tuple[str, ...]
) -> None:
    """To the unit, in another process; another seed is another draw."""
    bench("count", "-m", *words, "seed=3,3,4")
    first, again, other = records(home)
    assert counts(first) == counts(again) and sum(counts(first).operations.values()) > 0
    assert first.task.data_sha256 == again.task.data_sha256 != other.task.data_sha256
    assert first.energy[0].gross_j == again.energy[0].gross_j > 0
    assert first.run != again.run


def test_a_kernel_speaks_for_itself(bench: Bench, home: Path) -> None:
    bench("count", "-m", *PARITY, burner("Burner", "Speaks"))
    without, found = (counts(record) for record in records(home))
    assert found.operations.get("int32_add", 0) == without.operations.get("int32_add", 0) + 7
    assert "bf16_mul" not in found.operations and found.communication_bytes == 11
    assert without.peak_bytes < found.peak_bytes == 10**9  # its arrays are numpy's as well: once
    assert set(found.how) == {*without.how, "kernel"} and "the price of an answer" in found.notes


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Kernel", "its compiled kernel (mute) does not count itself"),
        ("SometimesMute", "give the class a method counts"),
        ("SpeaksRubbish", "no operation is called fp32_sub"),
        ("SpeaksBfloat", "the table 45nm has no bf16_mul"),
        ("Hides", "rename the field"),
        ("Fails", "the loss went to infinity"),
        ("ImportsTorchLate", "import it in prepare"),
    ],
)
def test_what_cannot_be_counted_fails_and_is_kept(
    bench: Bench, home: Path, name: str, says: str
) -> None:
    done = bench("count", *PARITY, burner(name), code=2)
    (record,) = records(home)
    assert record.status == "failed" and record.error and says in record.error
    assert says in done.stderr and record.run in done.stderr and "J spent" not in done.stderr
    assert record.phases[-1].phase == "train" and not record.energy
    assert (record.counts is not None) == (name == "SpeaksBfloat")


def test_what_cannot_be_priced_is_told_who_can(bench: Bench, home: Path) -> None:
    assert "say energy=jouppi_7nm" in bench("count", *PARITY, burner("SpeaksBfloat"), code=2).stderr
    said = bench("count", *PARITY, burner("SpeaksBfloat"), "energy=7nm").stdout
    assert "unconfirmed figures: " in said and "bf16_mul" in said
    assert records(home)[1].source == "modelled:operations-7nm (floor)"


def test_torch_is_counted_uncompiled(bench: Bench, home: Path) -> None:
    """A product of 1000 x 20 by 20 x 3 and its two halves backward, at a multiplication each."""
    pytest.importorskip("torch", reason="needs joulebench[torch]")
    bench("count", *PARITY, burner("Torch"))
    found = counts(records(home)[0])
    assert "torch" in found.how and found.operations["fp32_mul"] >= 2 * 60_000
    assert any("torch.compile was off" in note for note in found.notes)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("energy=45mm",), "did you mean 45nm?"),
        (("energy=none.yaml",), "none.yaml"),
        (("energy.dram=3",), "energy=./mine.yaml"),
        (("energy=null",), "which table?"),
        (("repeats=2",), "a count is of one training"),
        (("budget.trials=3",), "only bench tune has a search"),
        (("curve.ratio=3",), "only bench curve has pauses"),
        (("seed=1,2",), "need -m"),
    ],
)
def test_bad_input(bench: Bench, home: Path, words: tuple[str, ...], says: str) -> None:
    done = bench("count", *PARITY, burner("Brief"), *words, code=2)
    assert says in done.stderr and done.stderr.count("\n") == 1 and not records(home)


def test_a_table_of_ones_own(bench: Bench, home: Path) -> None:
    (home / "mine.yaml").write_text(
        "{name: mine, source: a note, operations: {fp32_add: 2, int8_add: 0, int32_add: 0, fp32_mul: 0}, "
        "bytes: {near: 0, far: [1, 3]}}"
    )
    bench("count", *PARITY, burner("Brief"), "energy=./mine.yaml")
    (record,) = records(home)
    found, (row,) = counts(record), record.energy
    floor_j = 2e-12 * found.operations["fp32_add"]
    moved_bytes = found.read_bytes + found.written_bytes
    assert row.gross_j == pytest.approx(floor_j)
    assert row.high_j == pytest.approx(floor_j + 3e-12 * moved_bytes)
    assert row.flags == ["every byte from near in the floor, from far at the upper end"]


def test_other_commands_send_counts_and_tables_away(bench: Bench, home: Path) -> None:
    assert "only bench count" in bench("run", *PARITY, "algo=empty", "energy=7nm", code=2).stderr
    bench("count", *PARITY, burner("Burner"), "seed=5")
    assert "bench count task=sparse_parity" in bench("replay", "last", code=2).stderr
    assert "is a count" in bench("import", "last", "log.csv", code=2).stderr
    bench("count", *PARITY, burner("Brief"))
    first, second = (record.run for record in records(home))
    assert "bytes written" in bench("compare", first, second).stdout
    listed = bench("list").stdout
    assert "horowitz_45nm, 45nm" in listed and "energy=NAME" in listed
    assert "fp32_mul: 3.7 pJ" in bench("list", "45nm").stdout
    assert "unconfirmed" in bench("list", "jouppi_7nm").stdout


def test_a_draw_of_its_own() -> None:
    one, two = (configure([*PARITY, "algo=empty", f"seed={s}"], False)[0] for s in (1, 2))
    assert counting_nonce(one) == counting_nonce(one) != counting_nonce(two)
    assert counting_nonce(one) not in {tuning_nonce(one, draw) for draw in range(10)}


def test_every_table_by_both_names() -> None:
    for stem, table in energy_tables.tables().items():
        assert energy_tables.find(stem) == energy_tables.find(table.name) == table
    assert energy_tables.with_kinds(["bf16_mul"]) == ["jouppi_7nm"]
    assert energy_tables.with_kinds(["bf16_mul", "fp16_add"]) == []


@pytest.mark.parametrize(
    ("dtype", "found"),
    [
        ("float32", {"fp32_add": 2, "fp32_mul": 3}),
        ("torch.bfloat16", {"bf16_add": 2, "bf16_mul": 3}),
        ("float64", {"fp32_add": 4, "fp32_mul": 6}),
        ("uint64", {"int32_add": 4, "int32_mul": 6}),
        ("bool", {"int8_add": 2, "int8_mul": 3}),
        ("complex64", {"fp32_add": 10, "fp32_mul": 12}),
    ],
)
def test_kinds(dtype: str, found: dict[str, int]) -> None:
    assert kinds(dtype, adds=2, muls=3) == found


def test_every_kind_has_a_price_somewhere() -> None:
    priced = {kind for table in energy_tables.tables().values() for kind in table.operations}
    assert {f"{kind}_{what}" for kind, _ in KINDS.values() for what in ("add", "mul")} <= priced
    assert all(adds > 0 and muls > 0 for adds, muls in EXPENSIVE.values())
    with pytest.raises(CountsError, match="of the type object"):
        kinds("object", 1)


def test_tallies_add_up() -> None:
    one = Tally(how={"torch"}, notes=["a"], peak_bytes=5)
    one.operate("float32", adds=2)
    one.expensive("div", "float32", 3)
    one.move(read=8, written=4)
    one.note("a")
    two = from_mapping(
        {"operations": {"fp32_add": 1}, "read_bytes": 2, "peak_bytes": 7, "notes": ["b"]}
    )
    one.add(two)
    adds, muls = EXPENSIVE["div"]
    assert one.told() == {
        "operations": {"fp32_add": 3 + 3 * adds, "fp32_mul": 3 * muls},
        "read_bytes": 10,
        "written_bytes": 4,
        "communication_bytes": 0,
        "peak_bytes": 12,
        "how": ["kernel", "torch"],
        "notes": ["a", "b"],
    }


@dataclass
class Said:
    what: dict[str, Any]
    says: str


@pytest.mark.parametrize(
    "said",
    [
        Said({"operations": {"fp32_mul": -1}}, "at least 0"),
        Said({"read_bytes": 1.5}, "a whole number"),
        Said({"read_bytes": float("nan")}, "a whole number"),
        Said({"read_bytes": "many"}, "a whole number"),
        Said({"bytes": 3}, "no field is called bytes"),
        Said({"operations": 3}, "operations"),
    ],
)
def test_what_is_no_count(said: Said) -> None:
    with pytest.raises(CountsError, match=said.says):
        from_mapping(said.what)
