"""The stand-in drivers against the scripted truth, through the real pynvml, the real zeus and files."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.standin.powercap import Powercap
from tests.standin.script import Board, Script, build, environment
from tests.standin.waveform import Burst, Constant, Ramp, Square, Waveform

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the stand-ins need Linux"),
    pytest.mark.alone,
]
PYNVML = pytest.mark.skipif(not find_spec("pynvml"), reason="needs nvidia-ml-py (extra `meters`)")
ZEUS = pytest.mark.skipif(not find_spec("zeus"), reason="needs zeus (extra `meters`)")
WAVEFORMS = [
    Constant(310.0),
    Square(100.0, 400.0, 0.5, 0.3, 0.9),
    Square(100.0, 400.0, 50.0, 0.5, 0.25),
    Ramp(80.0, 500.0, 0.15),
    Burst(60.0, 600.0, 0.02, 0.11, 0.4),
    Burst(60.0, 600.0, 0.5, 0.8),
]
# Answers "board call" lines with what pynvml says, stamped before and after.
READER = """
import json, sys, time
import pynvml
pynvml.nvmlInit()
devices = []
for i in range(pynvml.nvmlDeviceGetCount()):
    devices.append(pynvml.nvmlDeviceGetHandleByIndex(i))
for line in sys.stdin:
    board, call = line.split()
    before = time.monotonic()
    try:
        value = getattr(pynvml, "nvmlDevice" + call)(devices[int(board)])
    except pynvml.NVMLError as error:
        value = type(error).__name__
    print(json.dumps([before, value, time.monotonic()]), flush=True)
"""
COUNTER = "GetTotalEnergyConsumption"


class Reader:
    """A process with the real pynvml on the stand-in library."""

    def __init__(self, script: Script, folder: Path) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-c", READER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(script, folder),
        )

    def ask(self, board: int, call: str) -> tuple[float, Any, float]:
        """Moment before, value, moment after."""
        assert self.child.stdin is not None and self.child.stdout is not None
        self.child.stdin.write(f"{board} {call}\n")
        self.child.stdin.flush()
        before_s, value, after_s = json.loads(self.child.stdout.readline())
        return before_s, value, after_s

    def value(self, board: int, call: str = COUNTER) -> Any:
        return self.ask(board, call)[1]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:  # a rewrite at 1 kHz needs memory
        yield Path(name)


@pytest.fixture
def reader(request: pytest.FixtureRequest) -> Iterator[list[Reader]]:
    """Readers put here are ended."""
    readers: list[Reader] = []
    yield readers
    for each in readers:
        each.child.kill()
        each.child.communicate()


def start(readers: list[Reader], library: Path, folder: Path, boards: list[Board]) -> Script:
    script = Script(folder / "script", boards)
    readers.append(Reader(script, library))
    readers[0].value(0)  # answers: its slow start lies behind us
    return script


def ticks(board: Board, before_s: float, after_s: float) -> list[float]:
    """Ticks whose energy a read between two moments may show."""
    first, last = (math.floor((t - board.phase_s) / board.period_s) for t in (before_s, after_s))
    return [n * board.period_s + board.phase_s for n in range(first, last + 1)]


@pytest.mark.parametrize("waveform", WAVEFORMS, ids=repr)
def test_the_truth_is_the_integral_of_the_power(waveform: Waveform) -> None:
    for s0, s1 in ((0.0, 0.1234), (0.03, 1.7), (1.0, 1.001)):
        n = 100_000
        step_s = (s1 - s0) / n
        slow = sum(waveform.watts(s0 + (i + 0.5) * step_s) for i in range(n)) * step_s
        assert waveform.joules(s0, s1) == pytest.approx(slow, rel=1e-3, abs=1e-3)


@PYNVML
def test_the_counter_shows_the_truth_of_its_last_tick(
    library: Path, folder: Path, reader: list[Reader]
) -> None:
    """Every waveform on a board of its own, changed while it is read, at all three periods."""
    periods_s = (0.01, 0.02, 0.1)
    boards = [Board(periods_s[i % 3], 0.007 * i, gain=1 + 0.02 * i) for i in range(len(WAVEFORMS))]
    script = start(reader, library, folder, boards)
    reads = []
    for turn in range(3):
        script.play_all(WAVEFORMS[turn:] + WAVEFORMS[:turn])
        for _ in range(12):
            time.sleep(random.uniform(0.01, 0.04))
            reads += [(i, *reader[0].ask(i, COUNTER)) for i in range(len(boards))]
    assert len({value for i, _, value, _ in reads if i == 0}) > 20
    for i, before_s, value, after_s in reads:
        right = [
            math.floor(1e3 * (1000 + boards[i].gain * script.truth(i, 0.0, t)))
            for t in ticks(boards[i], before_s, after_s)
        ]
        assert any(abs(value - mj) <= 1 for mj in right), (i, value, right)


@PYNVML
def test_power_is_the_mean_before_the_last_tick(
    library: Path, folder: Path, reader: list[Reader]
) -> None:
    boards = [Board(0.02), Board(0.1, 0.03, power_window_s=0.025, has_counter=False)]
    script = start(reader, library, folder, boards)
    script.play_all([Square(100.0, 400.0, 7.0), Ramp(50.0, 500.0, 0.5)])
    time.sleep(0.2)
    for _ in range(10):
        time.sleep(random.uniform(0.01, 0.04))
        for i, window_s in ((0, 0.02), (1, 0.025)):
            before_s, mw, after_s = reader[0].ask(i, "GetPowerUsage")
            right = [
                1e3 * script.truth(i, t - window_s, t) / window_s
                for t in ticks(boards[i], before_s, after_s)
            ]
            assert any(abs(mw - each) <= 1 for each in right), (i, mw, right)
    assert reader[0].value(1) == "NVMLError_NotSupported"


@PYNVML
def test_faults_of_a_board(library: Path, folder: Path, reader: list[Reader]) -> None:
    """Six boards at 10 ms and 200 W, a fault each, all at one moment."""
    boards = [Board(0.01, idle_w=200.0) for _ in range(5)]
    boards.append(Board(0.01, idle_w=200.0, start_j=0.0, modulus_j=20.0))
    script = start(reader, library, folder, boards)
    before = [reader[0].value(i) for i in range(6)]
    fault_s = time.monotonic() + 0.1
    script.fault(0, reset_s=fault_s)
    script.fault(1, freeze_s=fault_s)
    script.fault(2, error_from_s=fault_s, error_to_s=fault_s + 0.2)
    script.fault(3, vanish_s=fault_s)
    time.sleep(0.15)
    during = [reader[0].value(i) for i in range(6)]
    assert 0 <= during[0] < 40_000 < before[0]
    assert during[2:4] == ["NVMLError_Unknown", "NVMLError_GpuIsLost"]
    assert reader[0].value(3, "GetPowerUsage") == "NVMLError_GpuIsLost"
    time.sleep(0.2)
    after = [reader[0].value(i) for i in range(6)]
    assert after[1] == during[1] > before[1]  # stands still
    assert reader[0].value(1, "GetPowerUsage") == 200_000  # while the board draws on
    assert after[2] > before[2]  # answers again
    assert after[3] == "NVMLError_GpuIsLost"
    assert after[4] > during[4] > before[4]  # the sound one
    for i, from_s, modulus_mj in ((0, fault_s, math.inf), (5, 0.0, 20_000)):
        before_s, value, after_s = reader[0].ask(i, COUNTER)
        right = [
            1e3 * script.truth(i, from_s, t) % modulus_mj
            for t in ticks(boards[i], before_s, after_s)
        ]
        assert any(abs(value - mj) <= 1 for mj in right), (i, value, right)
    assert script.truth(5, 0.0, time.monotonic()) > 40  # it did wrap


@PYNVML
def test_what_else_a_trace_reads(library: Path, folder: Path, reader: list[Reader]) -> None:
    script = start(reader, library, folder, [Board(), Board(idle_w=200.0)])
    script.occupy(1, 4321)
    for call, told in (("GetName", "Stand-in GPU"), ("GetEnforcedPowerLimit", 700_000)):
        assert reader[0].value(1, call) == told
    code = (
        "import pynvml as p\np.nvmlInit()\nd = p.nvmlDeviceGetHandleByIndex(1)\n"
        "print([f.value.uiVal for f in p.nvmlDeviceGetFieldValues(d, [185, 186])],"
        " p.nvmlDeviceGetClockInfo(d, p.NVML_CLOCK_SM), p.nvmlSystemGetDriverVersion(),"
        " [q.pid for q in p.nvmlDeviceGetComputeRunningProcesses(d)],"
        " p.nvmlDeviceGetTemperatureV(d, 0) == p.nvmlDeviceGetTemperature(d, 0) > 30)"
    )
    time.sleep(1.1)  # field 185 is a mean over a second
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(script, library),
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[200000, 200000] 1755 000.00-standin [4321] True\n", done.stderr


@PYNVML
@ZEUS
def test_zeus_reads_the_stand_in(library: Path, folder: Path) -> None:
    """ZeusMonitor over a window of two boards; its own error is up to one tick at either end."""
    script = Script(folder / "script", [Board(0.01), Board(0.02, 0.005)])
    script.play_all([Constant(300.0), Square(100.0, 400.0, 20.0)])
    code = (
        "import json, time\nfrom zeus.monitor import ZeusMonitor\n"
        "m = ZeusMonitor(cpu_indices=[])\nm.begin_window('w', sync_execution=False)\n"
        "a = time.monotonic()\ntime.sleep(0.6)\nb = time.monotonic()\n"
        "print(json.dumps([a, b, m.end_window('w', sync_execution=False).gpu_energy]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(script, library),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    begin_s, end_s, joules = json.loads(done.stdout.splitlines()[-1])
    for i, peak_w in ((0, 300.0), (1, 400.0)):
        loose_j = peak_w * (script.boards[i].period_s + 0.005)
        assert abs(joules[str(i)] - script.truth(i, begin_s, end_s)) <= loose_j


def energy_uj(folder: Path) -> int:
    return int((folder / "energy_uj").read_text())


def test_powercap_follows_and_fails_as_told(library: Path, folder: Path) -> None:
    boards = [
        Board(0.001, idle_w=100.0, start_j=0.0, modulus_j=10.0),
        Board(0.001, idle_w=20.0),
        Board(0.001, idle_w=0.0, start_j=0.0),
        Board(0.001, idle_w=30.0),
    ]
    script = Script(folder / "script", boards)
    names = ["package-0", "dram", "psys", "package-1"]
    with Powercap(script, library, folder, names) as tree:
        package, dram, zero, other = tree.folders
        assert (dram / "name").read_text() == "dram\n"
        assert dram.parent == package and other.parent == folder
        assert (package / "max_energy_range_uj").read_text() == "10000000\n"
        first_s, first_uj = time.monotonic(), energy_uj(dram)
        moment_s = first_s + 0.1
        script.fault(1, reset_s=moment_s + 0.2)
        script.fault(3, error_from_s=moment_s, error_to_s=moment_s + 0.15)
        seen = set()
        while time.monotonic() < moment_s + 0.05:
            seen.add(energy_uj(package))
            time.sleep(0.001)
        assert len(seen) > 40 and max(seen) < 10_000_000 and 0 <= min(seen) < max(seen)
        assert not (other / "energy_uj").exists()
        told_j = 1e-6 * (energy_uj(dram) - first_uj)
        assert told_j == pytest.approx(script.truth(1, first_s, time.monotonic()), abs=0.6)
        time.sleep(0.2)
        assert energy_uj(other) > 1e9  # back again
        assert energy_uj(dram) < 1e8 < first_uj  # began again at 0
        assert energy_uj(zero) == 0
    still = energy_uj(dram)
    time.sleep(0.05)
    assert energy_uj(dram) == still


def test_the_powercap_writer_ends_with_its_parent(library: Path, folder: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from tests.standin.powercap import Powercap\nfrom tests.standin.script import *\n"
        "library, folder = map(Path, sys.argv[1:])\n"
        "script = Script(folder / 'script', [Board(0.001)])\n"
        "Powercap(script, library, folder, ['package-0']).__enter__()\nos._exit(0)"
    )
    words = [sys.executable, "-c", code, str(library), str(folder)]
    subprocess.run(words, check=True, cwd=Path(__file__).parent.parent)
    counter = folder / "intel-rapl:0"
    time.sleep(0.1)
    still = energy_uj(counter)
    time.sleep(0.1)
    assert energy_uj(counter) == still
