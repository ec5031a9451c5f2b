"""Pictures are drawn after all is measured, and nothing about them can harm a run."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import WorkerError
from harness.pictures import checked
from metrics.record import Record
from metrics.store import Store
from tests.conftest import TESTS, Bench, command
from tests.draws import PNG

DRAWS = f"algo={TESTS / 'draws.py'}:Draws"
PARITY = ("task=sparse_parity", "repeats=2")


def only_record(home: Path) -> Record:
    (record,) = Store(home / "results").load(Record).records
    return record


def files(home: Path) -> list[str]:
    """Everything under results/pictures, or that was meant to climb out of it."""
    found = [*(home / "results").rglob("*"), *home.glob("*.png")]
    kept = (".png", ".gif", ".svg", ".sh")
    return sorted(path.name for path in found if path.suffix in kept)


def test_pictures_are_kept_and_cost_nothing(bench: Bench, home: Path) -> None:
    done = bench("run", *PARITY, DRAWS, "trace=true")
    record = only_record(home)
    assert record.status == "ok" and not any("picture" in warning for warning in record.warnings)
    folder, results = f"pictures/{record.run}", home / "results"
    assert record.pictures == [f"{folder}/{n}" for n in ("film.gif", "labels.png", "began.svg")]
    film, labels, began = ((results / path).read_bytes() for path in record.pictures)
    assert film == PNG
    assert len(labels) % 8 == 0 and set(labels[::8]) == {1, 255}  # a draw's +1 and -1, as int64
    shown = bench("show", record.run).stdout
    for path in record.pictures:
        assert f"picture   results/{path}\n" in done.stdout and f"results/{path}" in shown
    # Drawing took a second of CPU, after all windows and the trace; no phase holds any of it.
    assert sum(phase.cpu_s for phase in record.phases if phase.phase != "setup") < 0.5
    ends = [phase.begin_unix_s + phase.wall_s for phase in record.phases]
    assert ends[-1] == max(ends) <= float(began) + 0.01
    pq = pytest.importorskip("pyarrow.parquet", reason="needs joulebench[meters]")
    assert record.trace
    traced_s = pq.read_table(results / record.trace)["t_s"].to_pylist()
    assert record.phases[0].begin_unix_s + traced_s[-1] <= float(began) + 0.01


@pytest.mark.parametrize("words", [("algo=empty",), (DRAWS, "algo.how=nothing")])
def test_nothing_is_kept_of_who_draws_nothing(
    bench: Bench, home: Path, words: tuple[str, ...]
) -> None:
    bench("run", *PARITY, *words)
    assert only_record(home).pictures == [] and not (home / "results" / "pictures").exists()


def test_as_much_as_is_allowed_is_kept(bench: Bench, home: Path) -> None:
    bench("run", *PARITY, DRAWS, "algo.how=most")
    assert len(only_record(home).pictures) == len(files(home)) == 16


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("raises", "the algorithm failed in pictures: RuntimeError: the ink is dry (at draws.py:"),
        ("refuses", "refused in pictures: no pen here"),
        ("exits", "ended in pictures with exit code 3: no more"),
        ("number", "pictures returned int, no dict of file names"),
        ("text", "pictures returned str as a.png, not bytes"),
        ("object", "cannot send a object"),
        ("climbs", "named a file '../x.png'"),
        ("program", "named a file 'x.sh'"),
        ("many", "17 files; at most 16 are kept"),
        ("large", "40.0 MiB; at most 32 MiB are kept"),
        ("flood", "larger than 64 MiB"),
    ],
)
def test_bad_pictures_cost_a_warning(bench: Bench, home: Path, how: str, says: str) -> None:
    done = bench("run", *PARITY, DRAWS, f"algo.how={how}")
    record = only_record(home)
    assert record.status == "ok" and record.score and record.headline and record.empty
    assert record.pictures == [] and files(home) == []
    (warning,) = [warning for warning in record.warnings if "pictures" in warning]
    assert warning.startswith("no pictures: ") and says in warning
    assert f"warning: {warning}" in done.stderr and f"warning   {warning}" in done.stdout


def test_an_algorithm_that_never_stops_drawing_is_ended(home: Path) -> None:
    words = ["run", *PARITY, DRAWS, "algo.how=hangs"]
    code = (
        "import sys, harness.pictures\nharness.pictures.LIMIT_S = 1.0\n"
        f"from harness.cli import main\nsys.exit(main({words!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    record = only_record(home)
    assert record.status == "ok" and record.score and record.empty
    assert "no pictures: the worker was still drawing after 1 s and was ended" in record.warnings


def test_a_run_that_failed_is_not_drawn(bench: Bench, home: Path) -> None:
    bench("run", *PARITY, DRAWS, "algo.how=fails", code=2)
    assert only_record(home).status == "failed" and files(home) == []


def test_ctrl_c_while_drawing_keeps_the_run(home: Path) -> None:
    """Everything that counts has been measured by then."""
    process = subprocess.Popen(
        command("run", *PARITY, DRAWS, "algo.how=hangs"), stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list((home / "tmp").glob("joulebench-*/work/drawing")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2, errors
    record = only_record(home)
    assert record.status == "ok" and record.headline and record.pictures == []
    assert any("interrupted in pictures" in warning for warning in record.warnings)


def test_pictures_that_cannot_be_written_cost_a_warning(bench: Bench, home: Path) -> None:
    (home / "results").mkdir()
    (home / "results" / "pictures").write_text("in the way")
    bench("run", *PARITY, DRAWS)
    record = only_record(home)
    assert record.status == "ok" and record.pictures == []
    assert any("the pictures were not saved" in warning for warning in record.warnings)


@pytest.mark.parametrize(
    "name", ["", ".png", "a.PNG", "a.png\n", "/a.png", "a/b.png", "..png", "a.html", "ä.png", 3]
)
def test_names_that_are_not_plain(name: object) -> None:
    with pytest.raises(WorkerError, match="named a file"):
        checked({name: PNG})
