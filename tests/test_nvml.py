"""NVIDIA boards through the real pynvml on a stand-in driver, in processes of their own, since a process
finds its driver once and for all when it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from metrics.meter import MeterError
from metrics.nvml import Nvml
from metrics.nvml_board import visible
from tests.standin.script import Board, Script, build, environment

ROOT = Path(__file__).parent.parent
pytest.importorskip("pynvml", reason="needs joulebench[meters]")

pytestmark = pytest.mark.alone
Run = Callable[..., Any]
QUICK = ({"period_s": 0.01},)

# What every test's process begins with: the script is created there, so that the test can play it.
PRELUDE = """
import json, os, sys, time
from pathlib import Path
from metrics.meter import MeterError, Window, monotonic_s
from metrics.nvml import Nvml, sample_factory
from metrics.process_tree import ProcessTree
from tests.standin.script import Board, Script
from tests.standin.waveform import Constant, Square
script = Script(Path(os.environ["STANDIN_NVML"]), [Board(**b) for b in json.loads(sys.argv[1])])
n = len(script.boards)

def opened(**fields):
    meter = Nvml(**fields)
    meter.open(ProcessTree(os.getpid()))
    return meter

def measure(meter, seconds=0.5, **fault):
    begin = meter.begin()
    begin_s = monotonic_s()
    end_s = begin_s + seconds
    script.fault(0, **{k: begin_s + v for k, v in fault.items()})
    for i in range(n):
        script.play(i, Square(100.0, 400.0 + i, 7.0), begin_s + 0.01)
        script.play(i, Constant(50.0), end_s)
    while (left_s := end_s - monotonic_s()) > 0:
        time.sleep(min(left_s, 0.2))
        meter.glance(begin)
    window = Window("train", 1, begin_s, end_s, begin, meter.end(end_s))
    return [
        {"domain": r.domain, "source": r.source, "gross_j": r.gross_j, "low_j": r.low_j,
         "high_j": r.high_j, "flags": r.flags, "period_s": r.resolution_s,
         "truth_j": script.truth(int(r.domain[3:]), begin_s, end_s)}
        for r in meter.rows(window, [])
    ]

def error_of(work):
    try:
        return work()
    except MeterError as error:
        return str(error)
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def run(driver: Path, tmp_path: Path) -> Run:
    """Runs code in a process with stand-in boards; returns what its `answer` is."""

    def call(code: str, boards: Sequence[dict[str, Any]] = QUICK, **variables: str) -> Any:
        script = Script(tmp_path / "script", [Board()])  # only its path is wanted here
        code = f"{PRELUDE}\n{code}\nprint(json.dumps(answer))"
        done = subprocess.run(
            [sys.executable, "-c", code, json.dumps(list(boards))],
            env={**environment(script, driver), **variables},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return call


def test_several_boards_against_the_truth(run: Run) -> None:
    boards = [{"period_s": 0.1}, {"period_s": 0.02, "phase_s": 0.007}, {"period_s": 0.01}]
    code = """
meter = opened()
rows = measure(meter, 0.5)
name, fields = meter.probes()[0]
sample = sample_factory(**fields)()
answer = [rows, meter.domains, meter.about(), name, sample, [s.usable for s in Nvml().sensors()]]
"""
    rows, domains, about, name, sample, usable = run(code, boards)
    assert domains == ["gpu0", "gpu1", "gpu2"] and usable == [True] * 3
    for row, board in zip(rows, boards, strict=True):
        assert row["gross_j"] == pytest.approx(row["truth_j"], rel=0.01)
        assert row["low_j"] < row["gross_j"] < row["high_j"]
        assert row["source"] == "measured:nvml"
        assert row["period_s"] == pytest.approx(board["period_s"], rel=0.1)
        (flag,) = row["flags"]
        assert flag.startswith("driver outside the system: ")
    assert len(about["library"]["sha256"]) == 64 and about["library"]["system"] is False
    assert about["library"]["path"].endswith("libnvidia-ml.so.1")
    assert about["boards"][1]["name"] == "Stand-in GPU" and about["boards"][1]["sm_mhz"] == 1755
    assert about["driver"] == "000.00-standin"
    assert name == "metrics.nvml.sample_factory"
    assert {f"gpu2_{k}" for k in ("power_w", "energy_j", "temperature_c", "sm_mhz")} <= set(sample)


def test_a_board_without_a_counter_is_integrated(run: Run) -> None:
    code = "meter = opened()\nanswer = [measure(meter, 1.5), meter.source, meter.floor_s]"
    (row,), source, floor_s = run(code, [{"has_counter": False, "period_s": 0.02}])
    assert source == row["source"] == "measured:nvml_power" and floor_s == 5.0
    assert any("power integration" in flag for flag in row["flags"])
    assert row["low_j"] < row["truth_j"] < row["high_j"]
    assert row["high_j"] - row["low_j"] > 0.05 * row["truth_j"]


def test_a_window_too_short_for_power_readings_claims_nothing(run: Run) -> None:
    (row,) = run("answer = measure(opened(), 0.1)", [{"has_counter": False}])
    assert (row["low_j"], row["high_j"]) == (0.0, pytest.approx(70.0))  # its limit of 700 W


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("reset_s", "went back to"),
        ("freeze_s", "stood still"),
        ("vanish_s", r"GPU 0 \(Stand-in GPU\) does not answer any more \(GPU is lost\): .*dmesg"),
    ],
)
def test_faults_during_work_are_errors(run: Run, fault: str, says: str) -> None:
    found = run(f"meter = opened()\nanswer = error_of(lambda: measure(meter, 0.4, {fault}=0.2))")
    with pytest.raises(MeterError, match=says):
        raise MeterError(found)


def test_failing_reads_are_repeated_and_told(run: Run) -> None:
    (row,) = run("answer = measure(opened(), 0.4, error_from_s=0.3, error_to_s=0.5)")
    assert row["gross_j"] == pytest.approx(row["truth_j"], rel=0.02)
    assert any("a reading failed and was repeated" in flag for flag in row["flags"])


def test_a_counter_that_never_ticks_is_refused(run: Run) -> None:
    code = (
        "script.fault(0, freeze_s=0.0)\nanswer = [[s.usable, s.remedy] for s in Nvml().sensors()]"
    )
    ((usable, remedy),) = run(code)
    assert not usable and "stood still" in remedy and "nvidia-smi" in remedy


def test_strangers_on_the_board_are_told(run: Run) -> None:
    code = """
script.occupy(0, 4242)
answer = [row["flags"] for row in measure(opened(), 0.1)]
script.occupy(0, 0)
meter = opened()
script.occupy(0, os.getppid())
answer += [row["flags"] for row in measure(meter, 0.1)]
script.occupy(0, os.getpid())
answer += [row["flags"] for row in measure(opened(), 0.1)]
"""
    before, during, own = run(code)
    assert "another process was on this board: pid 4242" in before
    assert f"another process was on this board: pid {os.getpid()}" in during
    assert not any("another process" in flag for flag in own)


def test_visible_devices_choose_the_boards(run: Run) -> None:
    boards = [{"period_s": 0.01}] * 3
    code = "answer = error_of(lambda: opened().domains)"
    uuid = "GPU-00000000-0000-0000-0000-000000000002"
    for value, domains in (("2,0", ["gpu2", "gpu0"]), (uuid, ["gpu2"]), ("0,GPU", None)):
        expected = domains or ["gpu0", "gpu1", "gpu2"]
        assert run(code, boards, CUDA_VISIBLE_DEVICES=value) == expected
    assert "hides every GPU" in run(code, boards, CUDA_VISIBLE_DEVICES="")
    code = "answer = [opened(gpus=[1]).domains, error_of(lambda: opened(gpus=[3]))]"
    chosen, error = run(code, boards, CUDA_VISIBLE_DEVICES="")
    assert chosen == ["gpu1"] and "the driver finds 3 GPUs" in error


def test_numbers_are_not_trusted_where_boards_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    boards: list[Any] = [SimpleNamespace(name=n, index=i, uuid="") for i, n in enumerate("ab")]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert visible(boards) == boards
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    assert visible(boards) == boards[1:]


def test_a_machine_without_driver_or_library(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "del os.environ['STANDIN_NVML']\nanswer = [error_of(opened), Nvml().sensors()[0].remedy]"
    for text in run(code):
        assert "no NVIDIA driver answers" in text and "--gpus all" in text
    monkeypatch.setitem(sys.modules, "pynvml", None)
    (sensor,) = Nvml().sensors()
    assert not sensor.usable and "pip install 'joulebench[meters]'" in sensor.remedy


def test_fields_are_checked() -> None:
    for fields in ({"gpus": []}, {"gpus": [0, 0]}, {"period_s": 0.0}):
        with pytest.raises(MeterError, match=f"meter.{next(iter(fields))}="):
            Nvml(**fields)  # type: ignore[arg-type]
