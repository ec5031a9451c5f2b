"""The wall meter on logs of another device, joined by time when the run is over."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from metrics.meter import MeterError, Window, monotonic_s
from metrics.process_tree import ProcessTree
from metrics.wall import Wall


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., Path]:
    """Writes a log from lines."""

    def call(*lines: str) -> Path:
        path = tmp_path / "log.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return call


def logged(path: Path, ago_s: float = 60.0, **fields: Any) -> tuple[Wall, Window]:
    """A meter of the log and a window of 40 s that began ago_s ago."""
    meter = Wall(csv=str(path), **fields)
    meter.open(ProcessTree(os.getpid()))
    begin, begin_s = meter.begin(), monotonic_s() - ago_s
    return meter, Window("train", 1, begin_s, begin_s + 40, begin, meter.end(monotonic_s()))


def lines(columns: str, offset_s: float = 0.0, without: range = range(0)) -> list[str]:
    """A log from 80 s ago until now, of 50 W that flicker; `without` those rows."""
    now_s = time.time() + offset_s
    found = [columns]
    for i in range(80):
        if i in without:
            continue
        t_s = now_s - 80 + i
        named = {
            "time": str(t_s),
            "iso": datetime.fromtimestamp(t_s).isoformat(),
            "power_w": str(50 + i % 2 / 10),
            "energy_j": str(50 * i),
        }
        found.append(",".join(named.get(c, "?") for c in columns.split(",")))
    return [found[0].replace("iso", "time"), *found[1:]]


@pytest.mark.parametrize(
    "columns", ["time,power_w", "iso,power_w", "time,energy_j", "note,iso,energy_j,power_w"]
)
def test_a_log_is_joined_by_time(log: Callable[..., Path], columns: str) -> None:
    meter, window = logged(log(*lines(columns)))
    (row,) = meter.rows(window, [])
    assert row.gross_j == pytest.approx(2000, rel=0.005) and row.source == "measured:wall:csv"
    assert row.low_j <= 2000 <= row.high_j and row.high_j - row.low_j < 200


def test_a_log_with_another_clock(log: Callable[..., Path]) -> None:
    path = log(*lines("time,power_w", offset_s=7200))
    meter, window = logged(path)
    with pytest.raises(MeterError, match=r"covers .* UTC, but .*such as -7200") as failure:
        meter.rows(window, [])
    assert str(failure.value).count("UTC") == 4
    meter, window = logged(path, clock_offset_s=-7200)
    assert meter.rows(window, [])[0].gross_j == pytest.approx(2000, rel=0.005)


def test_a_log_of_another_day(log: Callable[..., Path]) -> None:
    meter, window = logged(log("time,power_w", "1000,5", "1001,5"))
    with pytest.raises(MeterError, match=r"1970-01-01 00:16:40 UTC .*record over the whole run"):
        meter.rows(window, [])


def test_a_log_with_gaps(log: Callable[..., Path]) -> None:
    meter, window = logged(log(*lines("time,power_w", without=range(30, 45))))
    with pytest.raises(MeterError, match=r"no reading .* for 16 s of train.*max_gap_s=10"):
        meter.rows(window, [])
    meter, window = logged(log(*lines("time,power_w", without=range(30, 35))))
    assert any("no reading for 6 s" in flag for flag in meter.rows(window, [])[0].flags)


def test_a_log_that_ends_within_the_window(log: Callable[..., Path]) -> None:
    meter, window = logged(log(*lines("time,power_w", without=range(40, 80))))
    with pytest.raises(MeterError, match="no reading"):
        meter.rows(window, [])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (["time,power_w", "1,5", "", "2,five"], "line 4: cannot be read as numbers: '2,five'"),
        (["time,power_w", "1,5", "2"], "line 3: cannot be read"),
        (["time,power_w", "1,nan"], "line 2: cannot be read"),
        (["time,power_w", "yesterday,5"], "line 2: cannot be read"),
        (["time,power_w", "2,5", "1,5"], "line 3: its time is not later"),
        (["when,watts", "1,5"], "needs a header line .*first line is 'when,watts'"),
        (["time,power_w"], "no readings below"),
        ([], "needs a header line"),
    ],
)
def test_a_log_that_cannot_be_read(log: Callable[..., Path], text: list[str], why: str) -> None:
    meter, window = logged(log(*text))
    with pytest.raises(MeterError, match=why):
        meter.rows(window, [])


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    assert Wall(csv=str(tmp_path / "log.csv")).sensors()[0].usable  # it may yet be recorded
    meter, window = logged(tmp_path / "log.csv")
    with pytest.raises(MeterError, match="is not there: it is read when the run is over"):
        meter.rows(window, [])


def test_a_clock_that_is_set_during_the_run(log: Callable[..., Path]) -> None:
    meter, window = logged(log(*lines("time,power_w")))
    meter.to_monotonic_s += 2
    assert "wall clock was set by" in meter.rows(window, [])[0].flags[-1]
