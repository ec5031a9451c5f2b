"""Modelled joules from counts: published figures, a floor that says so, tables of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from metrics.operation_energy import (
    Counts,
    OperationEnergyError,
    floor,
    modelled,
    read_table,
    table,
)

SHELF = Path(__file__).parent.parent / "configs" / "energy"
MINE = {
    "name": "mine",
    "source": "a note",
    "operations": {"fp8_mul": 0.5},
    "bytes": {"dram": [1, 2]},
}


def test_a_multiplication_and_a_byte() -> None:
    """Horowitz 2014: 3.7 pJ for a product of fp32, 160 to 325 pJ for a byte from DRAM."""
    found = modelled(
        Counts(operations={"fp32_mul": 1e12}, bytes={"dram": 1e9}),
        read_table(SHELF / "horowitz_45nm.yaml"),
    )
    assert found.gross_j == found.low_j == pytest.approx(3.7 + 0.16)
    assert found.high_j == pytest.approx(3.7 + 0.325)
    assert found.by_kind == pytest.approx({"fp32_mul": 3.7, "dram": 0.16})
    assert found.source == "modelled:operations-45nm (floor)" and "Horowitz" in found.table
    assert found.flags == []


def test_unconfirmed_figures_are_named() -> None:
    prices = read_table(SHELF / "jouppi_7nm.yaml")
    assert "int8_add" in modelled(Counts(operations={"int8_add": 1}), prices).flags[0]
    assert modelled(Counts(bytes={"hbm": 1}), prices).flags == []


@pytest.mark.parametrize("path", sorted(SHELF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_table(path: Path) -> None:
    prices = read_table(path)
    everything = Counts(
        operations=dict.fromkeys(prices.operations, 1.0), bytes=dict.fromkeys(prices.bytes, 1.0)
    )
    found = modelled(everything, prices)
    assert 0 < found.gross_j < found.high_j and found.source.endswith("(floor)")
    assert {"int8_add", "int8_mul", "fp32_add", "fp32_mul", "int32_mul"} <= set(prices.operations)
    assert {"sram_8kb", "sram_32kb", "sram_1mb", "dram"} <= set(prices.bytes)


def test_nothing_counted_is_nothing() -> None:
    assert modelled(Counts(), table(MINE)).gross_j == 0.0


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("{name: mine, source: a note, operations: {fp8_mul: 0.5}, bytes: {}}")
    found = modelled(Counts(operations={"fp8_mul": 2e12}), read_table(path))
    assert found.gross_j == 1.0 and found.source == "modelled:operations-mine (floor)"


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        (
            Counts(operations={"fp8_mull": 1}),
            "has no fp8_mull .did you mean fp8_mul.*it has fp8_mul",
        ),
        (Counts(operations={"dram": 1}), "operations: the table mine has no dram"),
        (Counts(bytes={"drum": 1}), "did you mean dram"),
        (Counts(bytes={"dram": -1}), "bytes.dram=-1: a count is at least 0"),
        (Counts(bytes={"dram": float("nan")}), "a count is at least 0"),
    ],
)
def test_counts_that_do_not_fit(counts: Counts, says: str) -> None:
    with pytest.raises(OperationEnergyError, match=says):
        modelled(counts, table(MINE))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"operation": {}}, "did you mean operations"),
        ({"source": ""}, "source: must be words"),
        ({"operations": 3}, "operations: must be a mapping"),
        ({"operations": {"add": -1}}, "operations.add=-1: must be pJ"),
        ({"operations": {"add": "0.1 pJ"}}, "must be pJ"),
        ({"bytes": {"dram": [2, 1]}}, "a pair"),
        ({"bytes": {"dram": [1, 2, 3]}}, "a pair"),
        ({"unconfirmed": ["fp8_mult"]}, "did you mean fp8_mul"),
        ({"unconfirmed": "all"}, "must be a list"),
    ],
)
def test_tables_that_make_no_sense(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(OperationEnergyError, match=says):
        table(MINE | changes)


@pytest.mark.parametrize("text", [None, "", "[1", "a: b: c", "\udcff"])
def test_files_that_are_none(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(OperationEnergyError, match=r"mine\.yaml"):
        read_table(path)


def test_bytes_between_unknown_levels() -> None:
    """The cheapest for the floor, the dearest above: 8 kB of SRAM and DRAM at 45 nm."""
    prices = read_table(SHELF / "horowitz_45nm.yaml")
    found = floor({"fp32_mul": 10**12}, 10**9, prices)
    assert found.gross_j == found.low_j == pytest.approx(3.7 + 0.00125)
    assert found.high_j == pytest.approx(3.7 + 0.325)
    assert found.flags == ["every byte from sram_8kb in the floor, from dram at the upper end"]
    assert found.source == "modelled:operations-45nm (floor)"
    assert floor({"fp32_mul": 10**12}, 0, prices).high_j == pytest.approx(3.7)


def test_unconfirmed_figures_at_either_end() -> None:
    flags = floor({"fp32_add": 1}, 1, read_table(SHELF / "jouppi_7nm.yaml")).flags
    assert flags[1] == "unconfirmed figures: fp32_add, sram_8kb"


def test_a_table_without_bytes() -> None:
    none = table(MINE | {"bytes": {}})
    assert floor({"fp8_mul": 1}, 0, none).gross_j == 0.5e-12
    with pytest.raises(OperationEnergyError, match="the table mine prices none, and 3 were moved"):
        floor({"fp8_mul": 1}, 3, none)
