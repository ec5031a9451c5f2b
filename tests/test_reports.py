"""Boards and numbers, from Records with known figures."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.record import Interval
from reports.leaderboard import COLUMNS, Line, board_rows, to_csv
from reports.units import interval, scaled, score


def line(algo: str, joules: float, skill: float, **changes: Any) -> Line:
    """A Record's line with the figures that matter here."""
    record: dict[str, Any] = {
        "schema_version": 1,
        "status": "ok",
        "task": {"name": "t", "variant": "v", "access": "samples", "bar": 0.9, "margin": 0.01},
        "algorithm": {
            "name": algo,
            "config_sha256": algo * 12,
            "code_sha256": "c" * 64,
            "config": {},
            "adapts": False,
        },
        "process": "as_published",
        "draw": {"replay_of": None},
        "host": {"device_class": "cpu: c x2", "threads": 1},
        "source": "modelled:cpu_time",
        "headline": {
            "energy_j": {"value": joules, "low": joules / 5, "high": joules * 1.3},
            "cold_j": {"value": joules + 1, "low": 0.1, "high": joules + 2},
            "inference_j": {"value": 1e-6, "low": 1e-7, "high": 1e-5},
            "wall_s": joules,
            "cpu_s": joules,
        },
        "score": {
            "name": "accuracy",
            "unit": "1",
            "value": (skill + 1) / 2,
            "se": 0.01,
            "target": 0.9,
            "direction": "max",
            "skill": skill,
        },
    }
    return msgspec.json.decode(msgspec.json.encode(record | changes), type=Line)


def rows(*lines: Line) -> list[dict[str, Any]]:
    return board_rows(list(lines))


def test_ranked_by_energy_among_those_that_meet_the_target() -> None:
    board = rows(
        line("a", 9.0, 0.95), line("b", 3.0, 0.9), line("c", 0.1, 0.2), line("d", 0.2, 0.5)
    )
    assert [(r["algo"], r["rank"]) for r in board] == [("b", 1), ("a", 2), ("d", 3), ("c", 4)]
    assert board[0]["joules_per_accuracy"] == pytest.approx(3.0 / 0.9)
    assert board[2]["joules_per_accuracy"] is None


def test_a_row_is_the_median_of_its_runs() -> None:
    (row,) = rows(line("a", 1.0, 0.9), line("a", 9.0, 0.8), line("a", 2.0, 1.0))
    assert row["energy_j"] == 2.0 and row["skill"] == 0.9 and row["runs"] == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"task": {"name": "t", "variant": "w", "access": "samples"}},
        {"task": {"name": "t", "variant": "v", "access": "queries"}},
        {"host": {"device_class": "cpu: other x2", "threads": 1}},
        {"source": "measured:nvml"},
        {"source": "modelled:cpu_time(1e-06 W, 1e-09-1e-05)"},
        {"task": {"name": "t", "variant": "v", "access": "samples", "bar": 0.5, "margin": 0.01}},
    ],
)
def test_what_differs_is_on_another_board(changes: dict[str, Any]) -> None:
    board = rows(line("a", 1.0, 0.9), line("b", 2.0, 0.9, **changes))
    assert len({r["board"] for r in board}) == 2 and [r["rank"] for r in board] == [1, 1]


def test_other_threads_or_code_make_another_row() -> None:
    threads = {"device_class": "cpu: c x2", "threads": 2}
    board = rows(line("a", 1.0, 0.9), line("a", 2.0, 0.9, host=threads))
    assert [(r["threads"], r["rank"]) for r in board] == [(1, 1), (2, 2)]


def test_failures_count_and_replays_do_not() -> None:
    failed = line("a", 1.0, 0.9, status="failed", headline=None, score=None)
    replayed = line("a", 0.001, 0.9, draw={"replay_of": "x"})
    interrupted = line("a", 1.0, 0.9, status="interrupted", headline=None, score=None)
    (row,) = rows(line("a", 5.0, 0.9), failed, replayed, interrupted)
    assert row["runs"] == 1 and row["failed"] == 1 and row["energy_j"] == 5.0
    (row,) = rows(failed)
    assert row["runs"] == 0 and row["rank"] is None and row["energy_j"] is None


def test_csv_has_the_documented_columns() -> None:
    text = to_csv(rows(line("a", 5.0, 0.9), line("b", 5.0, 0.1)))
    table = list(csv.DictReader(io.StringIO(text)))
    assert list(table[0]) == list(COLUMNS)
    assert {"task", "algo", "score", "target_met", "energy_j", "source"} <= set(COLUMNS)
    assert table[0]["target_met"] == "true" and table[1]["target_met"] == "false"
    assert table[1]["joules_per_accuracy"] == "" and float(table[0]["energy_j"]) == 5.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00035, "350 µJ"),
        (1.0, "1.00 J"),
        (12.34, "12.3 J"),
        (999.9, "1.00 kJ"),
        (123456.0, "123 kJ"),
        (4e-7, "400 nJ"),
        (-0.002, "-2.00 mJ"),
        (None, "-"),
    ],
)
def test_scaled(value: float | None, text: str) -> None:
    assert scaled(value, "J") == text


@given(st.floats(1e-9, 1e6))
def test_scaled_keeps_three_digits(value: float) -> None:
    number, unit = scaled(value, "J").split()
    factor = {"n": 1e-9, "µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6}[unit[:-1]]
    assert float(number) * factor == pytest.approx(value, rel=0.006)


def test_a_figure_never_stands_without_its_error() -> None:
    assert interval(Interval(value=2.0, low=0.4, high=2.57), "J") == "2.00 J (400 mJ … 2.57 J)"
    assert score(1.5, 0.01, "nats/byte") == "1.5000 ± 0.01 nats/byte"
    assert score(1.0, None, "1") == "1.0000 ± ?"


def test_when_a_search_has_paid_off() -> None:
    """J to find over what a training saves against the cheapest published row that meets the target."""
    found = {"find_j": 100.0, "source": "modelled:cpu_time"}
    tuned = {"process": "tpe", "found": found}
    own = {"config_sha256": "d" * 64, "code_sha256": "c" * 64, "config": {}, "adapts": False}

    def searched(joules: float, skill: float = 0.9, **more: Any) -> Line:
        return line("a", joules, skill, **{**tuned, "algorithm": {"name": "a", **own}, **more})

    def after(*lines: Line) -> int | None:
        return next(r["pays_off_after"] for r in rows(*lines) if r["process"] == "tpe")

    published = [line("a", 10.0, 0.9), line("a", 10.2, 0.9), line("b", 1.0, 0.9)]
    twice = [searched(7.0), searched(7.2)]
    by_process = {r["process"]: r for r in rows(*published, *twice) if r["algo"] == "a"}
    assert by_process["tpe"]["find_j"] == 100.0 and by_process["tpe"]["pays_off_after"] == 34
    dear = {**found, "find_j": 123456.0}
    assert after(*published, *(searched(7 + d, found=dear) for d in (0, 0.2))) == 42000
    assert after(*published, searched(7.0)) is None  # nobody knows how it scatters
    assert after(*published, searched(2.0), searched(12.0)) is None  # within what it scatters
    threads = {"device_class": "cpu: c x2", "threads": 2}
    assert after(*published, *(searched(j, host=threads) for j in (7.0, 7.2))) is None
    code = {"name": "a", **own, "code_sha256": "e" * 64}
    assert after(*published, *(searched(j, algorithm=code) for j in (7.0, 7.2))) is None
    by_hand = [line("a", j, 0.9, process="set_by_hand") for j in (10.0, 10.2)]
    assert after(*by_hand, *twice) is None
    for other, known in (
        (searched(11.0), 100.0),  # dearer: never
        (searched(7.0, 0.2), 100.0),  # misses the target
        (searched(7.0, found={**found, "source": "measured:nvml"}), None),
        (line("a", 7.0, 0.9, **tuned), 100.0),  # the published settings again
    ):
        row = next(r for r in rows(*published, other) if r["process"] == "tpe")
        assert row["find_j"] == known and row["pays_off_after"] is None
    (alone,) = rows(searched(7.0))
    assert alone["pays_off_after"] is None
