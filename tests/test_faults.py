"""Whatever an algorithm does, the user gets one line, exit code 2, and a Record of what was spent."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from metrics.record import Record
from metrics.store import Store
from tests.conftest import TESTS, Bench, command

FAULTY = f"algo={TESTS / 'faulty.py'}"
PARITY = ("task=sparse_parity", "repeats=1")


def only_record(folder: Path) -> Record:
    records = Store(folder / "results").load(Record).records
    assert len(records) == 1
    return records[0]


@pytest.mark.parametrize(
    ("name", "words", "says"),
    [
        ("Raises", (), "RuntimeError: the loss went to infinity (at faulty.py:"),
        ("Exits", (), "ended in train with exit code 3: last words"),
        ("Segfaults", (), "crashed in train (SIGSEGV)"),
        ("Hangs", ("limits.train_s=0.5",), "still in train after limits.train_s=0.5"),
        ("HangsInPrepare", ("limits.setup_s=1",), "still in setup after limits.setup_s=1"),
        ("Grows", ("limits.memory_gb=0.3",), "above limits.memory_gb=0.3"),
        ("Allocates", (), "ran out of memory in train (MemoryError: cannot allocate 3 TB)"),
        ("WrongShape", (), "returned shape [7] for 1000 inputs"),
        ("ReturnsNan", (), "NaN"),
        ("ReturnsText", (), "numbers"),
        ("ReturnsNothing", (), "has no attribute 'predict'"),
        ("YieldsRubbish", (), "train yielded a str; yield Progress or Query"),
        ("AsksTooMuch", (), "task.access=samples"),
        ("SpeaksRubbish", (), "not a message"),
        ("AsksForAnotherDraw", (), "a Query came for draw 99 of 1"),
        ("SaysNothing", (), "does not say what it is"),
        ("DiesOfARealTimeSignal", (), "(signal 40)"),
        (
            "AsksForNothingForEver",
            ("task.access=queries", "limits.train_s=1"),
            "still in train after limits.train_s=1",
        ),
        ("Drips", ("limits.train_s=1",), "still in train after limits.train_s=1"),
        ("RefusesLate", (), "refused in train: I do not like this draw"),
        ("HidesItsChildren", (), "ignores SIGCHLD"),
    ],
)
def test_classifiers_that_fail(
    bench: Bench, home: Path, name: str, words: tuple[str, ...], says: str
) -> None:
    done = bench("run", *PARITY, f"{FAULTY}:{name}", *words, code=2)
    lines = [line for line in done.stderr.splitlines() if line.startswith("bench:")]
    assert len(lines) == 1 and says in lines[0], done.stderr
    record = only_record(home)
    assert record.status == "failed" and record.error and says in record.error
    assert record.score is None and record.headline is None
    assert record.run in lines[0]
    assert record.energy and all(row.gross_j >= 0 for row in record.energy)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Nan", "NaN"),
        ("TooLikely", "sum to 2.718"),
        ("WrongLanes", "must be [lanes, 256]"),
        ("Shares", "segment"),
    ],
)
def test_sequence_predictors_that_fail(bench: Bench, home: Path, name: str, says: str) -> None:
    words = ("task=nanogpt", "task.text=grammar", "task.bytes=60000", "repeats=1")
    done = bench("run", *words, f"{FAULTY}:{name}", code=2)
    assert says in done.stderr.splitlines()[-1]
    assert only_record(home).status == "failed"


def test_a_refusal_is_the_users_error_and_leaves_no_record(bench: Bench, home: Path) -> None:
    done = bench("run", "task=sparse_parity", "task.rule=and", "algo=xor_elimination", code=2)
    assert done.stderr.count("\n") == 1 and "task.rule=parity only" in done.stderr
    assert not Store(home / "results").load(Record).records


@pytest.mark.parametrize("phase", ["setup", "train", "inference"])
def test_ctrl_c_in_each_phase(home: Path, phase: str) -> None:
    process = subprocess.Popen(
        command("run", *PARITY, f"{FAULTY}:Works"), stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list((home / "tmp").glob(f"joulebench-*/work/{phase}")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2, errors
    record = only_record(home)
    assert record.status == "interrupted"
    assert f"interrupted in {phase}" in errors
    assert record.phases[-1].phase == phase
    assert not list((home / "tmp").glob("joulebench-2*"))
    assert not workers(home)


def workers(home: Path) -> list[int]:
    """Workers of runs started under this home."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if any("harness.worker" in word for word in line) and str(home) in process.environ().get(
            "TMPDIR", ""
        ):
            found.append(process.pid)
    return found


def test_a_killed_parent_leaves_no_worker(home: Path) -> None:
    process = subprocess.Popen(command("run", *PARITY, f"{FAULTY}:Hangs"))
    deadline = time.monotonic() + 30
    while not workers(home):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)
    process.kill()
    process.wait()
    time.sleep(0.5)
    assert not workers(home)


def test_a_detached_process_is_billed_and_ended(bench: Bench, home: Path) -> None:
    bench("run", *PARITY, f"{FAULTY}:Detaches")
    record = only_record(home)
    train = next(p for p in record.phases if p.phase == "train")
    assert 0.6 <= train.cpu_s < 1.5
    assert not workers(home)


def test_odd_progress_does_no_harm(bench: Bench, home: Path) -> None:
    bench("run", *PARITY, f"{FAULTY}:SaysOddProgress")
    assert only_record(home).status == "ok"


def test_training_that_is_put_off_is_training(bench: Bench, home: Path) -> None:
    bench("run", *PARITY, f"{FAULTY}:PutsTrainingOff")
    train, inference = only_record(home).phases[1:]
    assert train.cpu_s > 0.3 > inference.cpu_s


def test_what_an_algorithm_prints_is_kept(bench: Bench, home: Path) -> None:
    bench("run", *PARITY, f"{FAULTY}:Exits", code=2)
    run = only_record(home).run
    assert (home / "results" / "logs" / f"{run}.log").read_text() == "last words\n"


def test_an_algorithm_edited_while_it_runs_is_recorded_as_it_was(home: Path) -> None:
    bench_new = subprocess.run(command("new", "algorithm", "mine.py"), capture_output=True)
    assert bench_new.returncode == 0
    mine = home / "mine.py"
    text = mine.read_text().replace(
        "        x, y = data", "        import time; time.sleep(2)\n        x, y = data"
    )
    mine.write_text(text)
    process = subprocess.Popen(command("run", *PARITY, "algo=./mine.py:Mine"))
    deadline = time.monotonic() + 60
    while not workers(home):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1.5)
    mine.write_text("def broken(:")
    assert process.wait(60) == 0
    assert only_record(home).algorithm.code_sha256 != ""


def test_ends_from_outside_are_kept(home: Path) -> None:
    process = subprocess.Popen(command("run", *PARITY, f"{FAULTY}:Works"), stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not list((home / "tmp").glob("joulebench-*/work/train")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 2
    assert only_record(home).status == "interrupted"
    assert not list((home / "tmp").glob("joulebench-2*"))


def test_a_sweep_goes_on_after_a_failure(bench: Bench, home: Path) -> None:
    done = bench("run", "-m", *PARITY, f"{FAULTY}:Raises,xor_elimination", code=2)
    assert "1 of 2 runs did not finish" in done.stderr
    statuses = [r.status for r in Store(home / "results").load(Record).records]
    assert statuses == ["failed", "ok"]


def test_a_sweep_goes_on_after_a_refusal(bench: Bench, home: Path) -> None:
    words = ("task=sparse_parity", "task.rule=and", "task.k=1", "algo=xor_elimination,empty")
    done = bench("run", "-m", *words, "repeats=1", code=2)
    assert "task.rule=parity only" in done.stderr and "1 of 2 runs did not finish" in done.stderr
    assert [r.algorithm.name for r in Store(home / "results").load(Record).records] == ["empty"]


def test_results_that_cannot_be_written_are_told_before_anything_runs(
    bench: Bench, home: Path
) -> None:
    (home / "file").write_text("")
    done = bench("run", *PARITY, "algo=xor_elimination", "results=file", code=2)
    assert "cannot write Records to file" in done.stderr and "results=DIR" in done.stderr


def test_a_disk_that_fills_during_the_run_does_not_lose_the_record(home: Path) -> None:
    """RLIMIT_FSIZE stands in for the full disk: appends beyond it fail half-way."""
    store = Store(home / "results")
    (home / "results").mkdir()
    store.path.write_bytes(b'{"schema_version":0}\n' * 4800)
    size = store.path.stat().st_size

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, size + 1000))

    done = subprocess.run(
        command("run", *PARITY, "algo=xor_elimination"),
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )
    assert done.returncode == 0, done.stderr
    assert store.path.stat().st_size == size  # nothing torn stays behind
    saved = list((home / "tmp").glob("joulebench-2*.jsonl"))
    assert len(saved) == 1 and str(saved[0]) in done.stderr
    assert json.loads(saved[0].read_bytes())["status"] == "ok"


def test_a_folder_with_its_own_tasks_and_metrics_does_not_matter(bench: Bench, home: Path) -> None:
    (home / "tasks").mkdir()
    (home / "tasks" / "__init__.py").write_text("raise SystemExit('the wrong tasks')")
    (home / "metrics.py").write_text("raise SystemExit('the wrong metrics')")
    bench("run", *PARITY, "algo=xor_elimination")


def test_another_package_that_hides_ours_is_named(bench: Bench, home: Path) -> None:
    (home / "metrics.py").write_text("")
    os.environ["PYTHONPATH"] = str(home)
    try:
        done = bench("list", code=2)
    finally:
        del os.environ["PYTHONPATH"]
    assert "another package called metrics" in done.stderr
