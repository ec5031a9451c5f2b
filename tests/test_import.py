"""A plug's log joined to a run that is over."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
import pytest

from metrics.record import TRIAL, Record
from metrics.store import Store
from tests.conftest import TESTS, Bench

WORKS = (f"algo={TESTS / 'faulty.py'}:Works", "algo.seconds=3")


def records(home: Path) -> list[Record]:
    return Store(home / "results").load(Record).records


def write_log(home: Path, begin_s: float, end_s: float, shift_s: float = 0.0) -> Path:
    """One reading a second, of 80 W and a watt more or less."""
    path = home / "plug.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "power_w"])
        for i in range(int(end_s - begin_s) + 1):
            writer.writerow([begin_s + i + shift_s, 80.0 + (-1) ** i])
    return path


@pytest.fixture
def measured(bench: Bench, home: Path) -> Record:
    """A run of three phases of three seconds, whose joules are modelled."""
    bench("run", "task=sparse_parity", "repeats=1", "meter=cpu_time", *WORKS)
    (record,) = records(home)
    return record


def test_the_wall_stands_beside_what_was_there(bench: Bench, home: Path, measured: Record) -> None:
    begin_s = measured.phases[0].begin_unix_s
    end_s = measured.phases[-1].begin_unix_s + measured.phases[-1].wall_s
    path = write_log(home, begin_s - 20, end_s + 20)
    said = bench("import", "last", path.name).stdout
    assert "measured:wall:csv" in said
    old, new = records(home)
    assert old == measured  # nothing is edited
    assert new.imported_from == old.run and new.source == "measured:wall:csv"
    train = next(p for p in new.phases if p.phase == "train")
    assert new.headline and old.headline
    assert new.headline.energy_j.value == pytest.approx(80 * train.wall_s, rel=0.02)
    assert new.headline.energy_j.low <= 80 * train.wall_s <= new.headline.energy_j.high
    assert old.energy == new.energy[: len(old.energy)]
    boards = bench("leaderboard").stdout
    assert "modelled:cpu_time" in boards and "measured:wall:csv" in boards

    path = write_log(home, begin_s - 20, end_s + 20, shift_s=3600.0)  # a plug in another zone
    done = bench("import", old.run, path.name, code=2)
    assert done.stderr.count("\n") == 1 and "clock_offset" in done.stderr
    bench("import", new.run, path.name, "--clock-offset", "-3600")
    assert len(records(home)) == 3


def test_what_cannot_be_joined(bench: Bench, home: Path, measured: Record) -> None:
    assert "is not there" in bench("import", "last", "none.csv", code=2).stderr
    (home / "odd.csv").write_text("when,what\n1,2\n")
    assert "needs a header line" in bench("import", "last", "odd.csv", code=2).stderr
    train = next(p for p in measured.phases if p.phase == "train")
    path = write_log(home, train.begin_unix_s - 40, train.begin_unix_s - 5)
    assert bench("import", "last", path.name, code=2).stderr.count("\n") == 1
    assert len(records(home)) == 1
    Store(home / "tune").append(msgspec.structs.replace(measured, kind=TRIAL))
    done = bench("import", "last", path.name, "--results", "tune", code=2)
    assert "is a trial of a search" in done.stderr and done.stderr.count("\n") == 1
