"""RAPL counters: which domains count, what each fault leaves, and a stand-in tree against the truth."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from metrics.meter import MeterError, Window, monotonic_s
from metrics.process_tree import ProcessTree
from metrics.rapl import Rapl, sample_factory, zones
from metrics.record import EnergyRow
from tests.standin.powercap import Powercap
from tests.standin.script import Board, Script, build
from tests.standin.waveform import Constant, Square

pytestmark = pytest.mark.alone

NAMES = ["package-0", "dram", "core", "package-1", "dram"]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, where a rewrite costs some microseconds."""
    with TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


def tree(root: Path, *kinds: tuple[str, str], joules: int = 0) -> Path:
    """A powercap tree that stands still."""
    for zone, kind in kinds:
        folder = root / zone
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{kind}\n")
        (folder / "energy_uj").write_text(f"{joules}\n")
        (folder / "max_energy_range_uj").write_text("262143328850\n")
    return root


def opened(root: Path) -> Rapl:
    meter = Rapl(root=str(root))
    meter.open(ProcessTree(os.getpid()))
    return meter


def measure(
    meter: Rapl, script: Script, seconds: float, boards: int
) -> tuple[list[EnergyRow], Window]:
    """The rows of a window in which every board draws a square wave. What is played starts a little
    later, for the counters must not have told of that moment before it is written."""
    begin = meter.begin()
    begin_s = monotonic_s()
    end_s = begin_s + seconds
    for i in range(boards):
        script.play(i, Square(50.0, 250.0 + 10 * i, 7.0), begin_s + 0.01)
        script.play(i, Constant(20.0), end_s)
    while (left_s := end_s - monotonic_s()) > 0:
        time.sleep(min(left_s, 0.1))
        meter.glance(begin)
    window = Window("train", 1, begin_s, end_s, begin, meter.end(end_s))
    return meter.rows(window, []), window


def test_packages_and_memory_are_measured_and_true(library: Path, memory: Path) -> None:
    script = Script(
        memory / "script", [Board(0.001, 0.0, 20.0, start_j=5000.0 + 7.0 * i) for i in range(5)]
    )
    root = memory / "powercap"
    with Powercap(script, library, root, NAMES):
        meter = opened(root)
        assert meter.domains == ("package0", "package1", "dram0", "dram1")
        rows, window = measure(meter, script, 0.5, 5)
        for row, board in zip(rows, (0, 3, 1, 4), strict=True):
            truth = script.truth(board, window.begin_s, window.end_s)
            assert row.gross_j == pytest.approx(truth, rel=0.01)
            assert row.source == "measured:rapl" and not row.flags and row.gain_rel == 0.05
        assert meter.about()["periods_s"]["package0"] == pytest.approx(0.001, rel=0.5)
        name, arguments = meter.probes()[0]
        assert name == "metrics.rapl.sample_factory"
        sample = sample_factory(**arguments)
        sample()
        time.sleep(0.1)
        assert sample() == {f"{d}_power_w": pytest.approx(20.0, rel=0.2) for d in meter.domains}
        usable = {sensor.domain: sensor.usable for sensor in Rapl(root=str(root)).sensors()}
        assert usable == dict.fromkeys(meter.domains, True)


def test_wraps_in_the_window(library: Path, memory: Path) -> None:
    board = Board(0.001, 0.0, 20.0, start_j=65_500.0, modulus_j=65_536.0)
    script = Script(memory / "script", [board])
    with Powercap(script, library, memory / "powercap", ["package-0"]):
        rows, window = measure(opened(memory / "powercap"), script, 0.5, 1)
    assert rows[0].gross_j == pytest.approx(script.truth(0, window.begin_s, window.end_s), rel=0.01)


def test_memory_that_does_not_answer_is_left_out(library: Path, memory: Path) -> None:
    boards = [Board(0.001, 0.0, 20.0), Board(0.001, 0.0, 0.0, start_j=0.0)]
    script = Script(memory / "script", boards)
    with Powercap(script, library, memory / "powercap", ["package-0", "dram"]):
        meter = opened(memory / "powercap")
        assert meter.domains == ("package0",)
        assert "does not answer a load" in meter.about()["refused"]["dram0"]
        sensors = Rapl(root=str(memory / "powercap")).sensors()
        assert [(s.domain, s.usable) for s in sensors] == [("package0", True), ("dram0", False)]


@pytest.mark.parametrize("fault", ["reset_s", "freeze_s", "vanish_s"])
def test_faults_during_work_are_errors(library: Path, memory: Path, fault: str) -> None:
    says = {"reset_s": "was reset", "freeze_s": "stood still", "vanish_s": "not answer any more"}
    script = Script(memory / "script", [Board(0.001, 0.0, 20.0)])
    with Powercap(script, library, memory / "powercap", ["package-0"]):
        meter = opened(memory / "powercap")
        script.fault(0, **{fault: monotonic_s() + 0.3})
        with pytest.raises(MeterError, match=says[fault]):
            measure(meter, script, 0.6, 1)


def test_a_package_that_always_reads_0_is_refused(tmp_path: Path) -> None:
    root = tree(tmp_path, ("intel-rapl:0", "package-0"))
    with pytest.raises(MeterError, match="does not answer a load: 0 W"):
        opened(root)
    (sensor,) = Rapl(root=str(root)).sensors()
    assert not sensor.usable and "choose another meter" in sensor.remedy


def test_a_machine_without_rapl(tmp_path: Path) -> None:
    with pytest.raises(MeterError, match=r"no RAPL at .* modprobe"):
        opened(tmp_path / "none")
    (sensor,) = Rapl(root=str(tmp_path)).sensors()
    assert not sensor.usable and "no RAPL" in sensor.remedy


def test_a_counter_for_root_alone_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree(tmp_path, ("intel-rapl:0", "package-0"))
    read_text = Path.read_text

    def refusing(path: Path, *arguments: Any, **more: Any) -> str:
        if path.name == "energy_uj":  # root, who runs tests in containers, may read anything
            raise PermissionError(13, "Permission denied", str(path))
        return read_text(path, *arguments, **more)

    monkeypatch.setattr(Path, "read_text", refusing)
    with pytest.raises(MeterError, match=r"sudo chmod a\+r .*intel-rapl:\*/energy_uj .*zeusd"):
        opened(root)
    (sensor,) = Rapl(root=str(root)).sensors()
    assert not sensor.usable and "sudo chmod a+r" in sensor.remedy


def test_only_packages_and_memory_count(tmp_path: Path) -> None:
    """As the kernel shows it: every zone in the root, and sub-zones in their package again."""
    kinds = [
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0/intel-rapl:0:0", "core"),
        ("intel-rapl:0/intel-rapl:0:1", "dram"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:0:1", "dram"),
        ("intel-rapl:1", "psys"),
        ("intel-rapl:2", "package-1-die-0"),
        ("intel-rapl-mmio:0", "package-0"),
    ]
    found = zones(tree(tmp_path, *kinds))
    assert [zone.domain for zone in found] == ["package0", "package1-die-0", "dram0"]


def test_fields_are_checked() -> None:
    with pytest.raises(MeterError, match=r"meter\.floor_s=0: must be 0\.01 to 600"):
        Rapl(floor_s=0.0)
