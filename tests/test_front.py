"""The front, from Records with known figures."""

from __future__ import annotations

from typing import Any

import pytest

from reports.front import crossing, front_rows, lost
from reports.leaderboard import Line
from tests.test_reports import line as record


def line(algo: str, joules: float, score: float, bar: float = 1.47, **changes: Any) -> Line:
    """A run on text that was held to a bar. changes: config, inference_j, adapts, variant, source ..."""
    algorithm = {
        "name": algo,
        "config_sha256": algo + str(changes.get("config")),
        "code_sha256": "c",
        "config": {"n": changes.get("config")},
        "adapts": changes.get("adapts", False),
    }
    size = changes.get("bytes", 1000)
    task = {
        "name": "nanogpt",
        "variant": f"text {size}",
        "access": "text",
        "bar": bar,
        "margin": 0.02,
    }
    each = changes.get("inference_j", 1e-6)
    whole = {"value": joules, "low": joules / 5, "high": joules * 1.3}
    return record(
        *(algo, joules, 0.9),
        task={**task, "data": {"name": "text", "bytes": size}},
        algorithm=algorithm,
        headline={
            "energy_j": whole,
            "cold_j": whole,
            "wall_s": joules,
            "cpu_s": joules,
            "inference_j": {"value": each, "low": each, "high": each},
        },
        score={
            "name": "loss",
            "unit": "nats/byte",
            "value": score,
            "se": 0.01,
            "target": bar,
            "direction": "min",
            "skill": 0.9,
        },
        phases=[{"phase": "train", "peak_rss_bytes": 7}, {"phase": "setup", "peak_rss_bytes": 9}],
        **{name: changes[name] for name in ("source", "status", "kind") if name in changes},
    )


def order(*lines: Line) -> list[str]:
    return [row.label for row in front_rows(list(lines))]


def test_who_meets_the_bar_comes_first_and_the_cheapest_first_of_all() -> None:
    rows = front_rows([line("a", 1, 1.6), line("b", 9, 1.4), line("c", 3, 1.47), line("d", 2, 1.5)])
    assert [row.algo for row in rows] == ["c", "b", "d", "a"]
    assert [row.meets for row in rows] == [True, True, False, False]
    assert rows[0].peak_bytes == 7


def test_the_cheapest_setting_that_meets_it_stands_for_an_algorithm() -> None:
    found = front_rows(
        [
            *(line("a", 5, 1.40, config=1), line("a", 3, 1.46, config=2)),
            *(line("a", 1, 1.60, config=3), line("a", 2, 1.3, config=4, adapts=True)),
        ]
    )
    assert [(row.label, row.energy_j) for row in found] == [("a, adapts", 2), ("a", 3)]


def test_a_median_may_meet_it_while_some_draws_do_not() -> None:
    (row,) = front_rows([line("a", 1, 1.5), line("a", 2, 1.4), line("a", 3, 1.46)])
    assert row.meets and row.met == 2 and row.runs == 3 and row.energy_j == 2


def test_bars_and_boards_are_apart_and_easy_bars_first() -> None:
    rows = front_rows(
        [line("a", 1, 1.4, bar=1.42), line("b", 2, 1.4), line("c", 3, 1.4, source="measured:nvml")]
    )
    assert [(row.board[3], row.bar) for row in rows] == [
        *(("measured:nvml", 1.47), ("modelled:cpu_time", 1.47), ("modelled:cpu_time", 1.42)),
    ]


def test_who_misses_the_bar_crosses_nobody() -> None:
    rows = front_rows([line("a", 5, 1.4, inference_j=2e-6), line("b", 1, 1.6, inference_j=1e-9)])
    assert [row.algo for row in rows] == ["a", "b"] and rows[1].crosses is None
    rows = front_rows([line("a", 5, 1.5, inference_j=2e-6), line("b", 1, 1.6, inference_j=1e-9)])
    assert rows[1].crosses is None


def test_one_lucky_run_does_not_stand_for_five() -> None:
    lucky, steady = line("a", 2, 1.469, config=1), [line("a", 5, 1.46, config=2)] * 5
    assert [row.energy_j for row in front_rows([lucky, *steady])] == [5]
    failing = [line("a", 1, 1.4, config=3)] * 4 + [line("a", 1, 1.4, config=3, status="failed")]
    failing[-1].headline = None
    (row,) = front_rows([*failing, *steady])
    assert row.energy_j == 5 and row.failed == 0


def test_settings_of_which_no_run_finished_are_named() -> None:
    gone = line("a", 1, 1.4, status="failed")
    gone.headline = None
    assert front_rows([gone]) == [] and lost([gone, line("b", 1, 1.4)]) == ["a (aNone) at 1.47"]


def test_what_does_not_count_is_left_out() -> None:
    assert order(line("a", 1, 1.4, kind="curve"), line("b", 1, 1.4, status="interrupted")) == []


@pytest.mark.parametrize(
    ("other_j", "other_each", "after"),
    [
        (11.0, 1e-6, 10 / 1e-6),  # 10 J behind, 1 µJ better with every prediction
        (11.0, 2e-6, None),  # never: no better per prediction
        (11.0, 3e-6, None),
    ],
)
def test_where_totals_cross(other_j: float, other_each: float, after: float | None) -> None:
    first, other = front_rows(
        [
            line("first", 1.0, 1.4, inference_j=2e-6),
            line("other", other_j, 1.4, inference_j=other_each),
        ]
    )
    assert first.algo == "first" and first.crosses is None
    assert other.crosses == (None if after is None else pytest.approx(after))
    assert crossing(first, other) == other.crosses
    if after:
        one, two = (row.energy_j + after * row.inference_j for row in (first, other))
        assert one == pytest.approx(two)
