"""`bench run` under sensors with known truth: the stand-in NVIDIA driver and powercap tree."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import yaml

from metrics.record import Record
from metrics.store import Store
from tests.conftest import TESTS, command
from tests.standin.powercap import Powercap
from tests.standin.script import Board, Script, build, environment

pytest.importorskip("pynvml", reason="needs joulebench[meters]")

pytestmark = pytest.mark.alone

WORKS = (f"algo={TESTS / 'faulty.py'}:Works", "algo.seconds=0.8")
QUICK = ("meter.idle_s=0.6", "settle_s=0", "repeats=1", "task=sparse_parity")


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def script(home: Path, driver: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Two boards of 60 W that any command started from here will meet."""
    made = Script(home / "nvml", [Board(idle_w=60.0), Board(idle_w=60.0, period_s=0.02)])
    for name, value in environment(made, driver).items():
        monkeypatch.setenv(name, value)
    return made


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("run", *QUICK, *words), capture_output=True, text=True, env=dict(os.environ)
    )


def only_record(home: Path) -> Record:
    (record,) = Store(home / "results").load(Record).records
    return record


def test_a_run_reads_what_the_boards_draw(home: Path, script: Script) -> None:
    done = run("meter=nvml+cpu_time", *WORKS)
    assert done.returncode == 0, done.stderr
    record = only_record(home)
    assert record.headline and record.headline.source == record.source == "measured:nvml"
    rows = {(r.phase, r.domain): r for r in record.energy if r.source == "measured:nvml"}
    for phase in ("setup", "train", "inference"):
        for domain in ("gpu0", "gpu1"):
            row = rows[phase, domain]
            assert row.gross_j == pytest.approx(60.0 * row.window_s, rel=0.02)
            # Ends are two standard errors off: one of twenty lies beyond, four of them none.
            assert row.low_j < row.gross_j < row.high_j
            assert abs(60.0 * row.window_s - row.gross_j) <= row.high_j - row.low_j
            assert row.gain_rel == 0.05
    net = record.headline.net_j
    assert net and net.low <= 0.0 <= net.high  # idle boards: nothing above idle, and not clamped
    assert record.headline.energy_j.value == pytest.approx(
        rows["train", "gpu0"].gross_j + rows["train", "gpu1"].gross_j
    )
    assert any(r.source == "modelled:cpu_time" for r in record.energy)
    assert record.trace and (home / "results" / record.trace).exists()
    assert (home / "results" / record.trace).with_suffix(".png").exists()
    assert "library" in str(record.meter["nvml"]) and "sha256" in str(record.meter["nvml"])
    assert record.host.device_class.endswith("; Stand-in GPU x2")
    assert "above idle" in done.stdout


def test_auto_takes_the_board_and_says_why(home: Path, script: Script) -> None:
    done = run("meter=auto", "algo=empty")
    assert done.returncode == 0, done.stderr
    assert "meter=auto took nvml+cpu_time" in done.stdout
    assert only_record(home).source == "measured:nvml"


def test_a_board_that_vanishes_fails_the_run_and_keeps_the_rest(home: Path, script: Script) -> None:
    process = subprocess.Popen(
        command("run", *QUICK, "meter=nvml+cpu_time", *WORKS),
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    deadline = time.monotonic() + 60
    while not list((home / "tmp").glob("joulebench-*/work/train")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    script.fault(0, vanish_s=time.monotonic() + 0.3)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    record = only_record(home)
    assert record.status == "failed" and record.error and "GPU 0" in record.error
    assert record.headline is None
    kept = {(r.phase, r.source) for r in record.energy}
    assert ("setup", "measured:nvml") in kept and ("train", "modelled:cpu_time") in kept
    assert ("train", "measured:nvml") not in kept


def test_a_driver_that_is_not_there_is_bad_input(home: Path) -> None:
    done = subprocess.run(
        command("run", *QUICK, "meter=nvml", "algo=empty"), capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "NVIDIA" in done.stderr and not Store(home / "results").load(Record).records


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="a powercap tree needs a fast /dev/shm")
def test_rapl_and_nvml_make_one_headline(home: Path, script: Script, driver: Path) -> None:
    boards = Script(home / "rapl", [Board(idle_w=20.0, period_s=0.001)])
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm") as root,
        Powercap(boards, driver, Path(root), ["package-0"]) as tree,
    ):
        done = run("meter=nvml+rapl", f"meter.root={tree.root}", *WORKS)
    assert done.returncode == 0, done.stderr
    record = only_record(home)
    assert record.source == "measured:nvml+rapl"
    assert record.headline and set(record.headline.domains) == {"gpu0", "gpu1", "package0"}
    assert record.headline.energy_j.value == pytest.approx(140.0 * record.headline.wall_s, rel=0.03)


def test_zeus_reads_the_same_boards(home: Path, script: Script) -> None:
    pytest.importorskip("zeus", reason="needs joulebench[meters]")
    done = run("meter=zeus", *WORKS)
    assert done.returncode == 0, done.stderr
    record = only_record(home)
    assert record.source == "measured:zeus"
    rows = [r for r in record.energy if r.phase == "train"]
    assert {r.domain for r in rows} == {"gpu0", "gpu1"}
    for row in rows:  # unaligned, as zeus is: a whole period may be missing at either end
        assert row.low_j <= 60.0 * row.window_s <= row.high_j


def test_the_joules_of_a_search_are_of_one_source(home: Path, script: Script) -> None:
    """What its process thought is modelled, and stands apart from what the boards drew."""
    algo = (f"algo={TESTS / 'tunable.py'}:Tunable", "algo.how=learns", "task.k=1")
    search = ("process=random", "budget.trials=1", "tune.confirm=1", "tune.confirm_draws=1")
    words = (*QUICK, "meter=nvml+cpu_time", *algo, *search)
    done = subprocess.run(
        command("tune", *words), capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (home / "results" / "tune").iterdir()
    found = yaml.safe_load((folder / "found.yaml").read_text())["about"]["found"]
    assert found["source"] == "measured:nvml" and found["proposer"]["counted"] is False
    rows = [row for r in Store(folder).load(Record).records for row in r.energy]
    spent = [r.gross_j for r in rows if r.source == "measured:nvml" and r.phase != "idle"]
    assert found["find_j"] == pytest.approx(sum(spent)) and len(spent) == 2 * 2 * 3
    assert "apart; modelled:cpu_time" in done.stdout
