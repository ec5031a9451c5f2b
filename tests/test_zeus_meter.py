"""The zeus meter: on a monitor that the test plays, and on the real one with a stand-in driver."""

from __future__ import annotations

import json
import math
import os
import random
import statistics
import subprocess
import sys
import types
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from metrics import zeus_meter
from metrics.meter import MeterError, Window
from metrics.process_tree import ProcessTree
from metrics.zeus_meter import Zeus, by_domain
from tests.standin.script import Board, Script, build, environment
from tests.standin.waveform import Square

ZEUS = pytest.mark.skipif(not find_spec("zeus"), reason="needs zeus (extra `meters`)")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the stand-in driver needs Linux")
TICK_S = 0.1


class Machine:
    """Scripted energy on a clock of its own; `zeus.monitor` as far as the meter uses it.

    energy: joules by time, of a GPU counter that ticks every 0.1 s and of a CPU counter that does not.
    """

    def __init__(self) -> None:
        self.now_s = 100.0
        self.watts: Callable[[float], float] = lambda t_s: 200.0
        self.total_j = 0.0
        self.shown_j = 0.0
        self.extra_j = 0.0  # what a miscounted wrap adds to the CPU's counter
        self.soc: Any = None
        self.gpus = [0]
        self.cpus = [0]
        self.fails = False

    def pass_s(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.001)):
            self.now_s += 0.001
            self.total_j += self.watts(self.now_s) * 0.001
            if round(self.now_s * 1000) % round(TICK_S * 1000) == 0:
                self.shown_j = self.total_j

    def module(self) -> types.ModuleType:
        machine = self

        class ZeusMonitor:
            def __init__(self, approx_instant_energy: bool) -> None:
                assert not approx_instant_energy
                self.gpu_indices, self.cpu_indices = machine.gpus, machine.cpus
                self.soc_is_present = machine.soc is not None
                self.power_monitor = None
                self.open: dict[str, tuple[float, float]] = {}

            def begin_window(self, key: str, sync_execution: bool) -> None:
                assert not sync_execution and key not in self.open
                self.open[key] = machine.shown_j, machine.total_j + machine.extra_j

            def end_window(self, key: str, sync_execution: bool) -> Any:
                assert not sync_execution
                if machine.fails:
                    raise RuntimeError("GPU is lost")
                gpu_j, cpu_j = self.open.pop(key)
                return types.SimpleNamespace(
                    gpu_energy=dict.fromkeys(machine.gpus, machine.shown_j - gpu_j),
                    cpu_energy=dict.fromkeys(
                        machine.cpus, machine.total_j + machine.extra_j - cpu_j
                    ),
                    dram_energy=None,
                    soc_energy=machine.soc,
                )

        module = types.ModuleType("zeus.monitor")
        module.ZeusMonitor = ZeusMonitor  # type: ignore[attr-defined]
        return module


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setitem(sys.modules, "zeus.monitor", machine.module())
    monkeypatch.setattr(zeus_meter, "monotonic_s", lambda: machine.now_s)
    return machine


@pytest.fixture
def meter(machine: Machine) -> Zeus:
    meter = Zeus()
    meter.open(ProcessTree(os.getpid()))
    return meter


def metered(
    meter: Zeus, machine: Machine, seconds: float, act: Callable[[], None] = lambda: None
) -> Window:
    """A window with four glances, and something that happens halfway."""
    begin, begin_s = meter.begin(), machine.now_s
    for i in range(4):
        machine.pass_s(seconds / 4)
        if i == 1:
            act()
        meter.glance(begin)
    return Window("train", 1, begin_s, machine.now_s, begin, meter.end(machine.now_s))


def test_domains_rows_and_idle(meter: Zeus, machine: Machine) -> None:
    machine.watts = lambda t_s: 50.0
    machine.pass_s(0.05)
    idle = [metered(meter, machine, 5.0), metered(meter, machine, 5.0)]
    machine.watts = lambda t_s: 200.0
    window = metered(meter, machine, 5.0)
    gpu, cpu = meter.rows(window, idle)
    assert meter.domains == ("gpu0", "package0") == (gpu.domain, cpu.domain)
    assert cpu.gross_j == pytest.approx(1000) and cpu.net_j == pytest.approx(750)
    assert gpu.gross_j == pytest.approx(1000, abs=20)
    assert gpu.high_j - gpu.gross_j == pytest.approx(0.8 * 0.1 * gpu.gross_j / 5, rel=0.01)
    assert gpu.resolution_s == 0.1 and cpu.resolution_s == 0.002 and gpu.gain_rel == 0.05
    assert window.begin.seen_j == pytest.approx(2000, abs=40)  # both domains, for the display
    assert meter.rows(window, [])[0].net_j is None


@pytest.mark.parametrize("length_s", [1.0, 5.0])
def test_the_interval_of_an_unaligned_window(
    meter: Zeus, machine: Machine, length_s: float
) -> None:
    """Windows at random phases of the counter's ticks, at a power that swings."""
    rng = random.Random(3)
    machine.watts = lambda t_s: 400.0 if (t_s / 0.37) % 1 < 0.5 else 200.0
    errors, halves, covered = [], [], []
    for _ in range(100 if length_s == 1 else 30):
        machine.pass_s(rng.uniform(0.1, 0.2))
        before_j = machine.total_j
        window = metered(meter, machine, length_s)
        row = meter.rows(window, [])[0]
        true_j = machine.total_j - before_j
        errors.append(abs(row.gross_j - true_j))
        halves.append((row.high_j - row.low_j) / 2)
        covered.append(row.low_j <= true_j <= row.high_j)
    assert statistics.fmean(covered) >= 0.93
    assert statistics.median(halves) <= 2 * sorted(errors)[int(0.95 * len(errors))]


def test_a_miscounted_wrap_is_no_number(meter: Zeus, machine: Machine) -> None:
    """One that stays shows in 5 s as 52 kW; in an hour as 273 W, and only glances tell."""
    wrap_j = 262_144.0

    def wrap() -> None:
        machine.extra_j += wrap_j

    window = metered(meter, machine, 5.0, wrap)
    with pytest.raises(
        MeterError, match=r"package0 .*more than meter.max_power_w=1500.*meter=rapl"
    ):
        meter.rows(window, [])
    begin, begin_s = meter.begin(), machine.now_s
    machine.now_s, machine.total_j = machine.now_s + 3600, machine.total_j + 3600 * 100
    machine.shown_j = machine.total_j
    meter.glance(begin)
    wrap()
    machine.pass_s(0.2)
    window = Window("train", 1, begin_s, machine.now_s, begin, meter.end(machine.now_s))
    assert window.end.joules["package0"] / 3600 < 200
    with pytest.raises(MeterError, match="for package0 in train, but its counter leapt"):
        meter.rows(window, [])


def test_a_wrap_counted_late_within_the_window_cancels(meter: Zeus, machine: Machine) -> None:
    begin, begin_s = meter.begin(), machine.now_s
    for step_j in (-262_144.0, 262_144.0, 0.0):
        machine.extra_j += step_j
        machine.pass_s(1.0)
        meter.glance(begin)
    window = Window("train", 1, begin_s, machine.now_s, begin, meter.end(machine.now_s))
    assert meter.rows(window, [])[1].gross_j == pytest.approx(600)


def test_a_counter_that_goes_back(meter: Zeus, machine: Machine) -> None:
    def reset() -> None:
        machine.shown_j -= 5000
        machine.total_j -= 5000

    window = metered(meter, machine, 2.0, reset)
    with pytest.raises(MeterError, match=r"gpu0 in train.*counter was reset"):
        meter.rows(window, [])


def test_what_cannot_be_resolved_keeps_its_width(meter: Zeus, machine: Machine) -> None:
    machine.pass_s(0.01)
    gpu, _ = meter.rows(metered(meter, machine, 0.08), [])
    assert gpu.low_j == 0 and gpu.high_j >= 100 and "no figure to quote" in gpu.flags[0]
    machine.watts = lambda t_s: 0.0
    machine.pass_s(0.2)
    frozen, _ = meter.rows(metered(meter, machine, 2.0), [])
    assert frozen.gross_j == 0 and frozen.high_j >= 3000 and "did not move" in frozen.flags[0]


def test_a_driver_that_fails_mid_run(meter: Zeus, machine: Machine) -> None:
    begin = meter.begin()
    machine.fails = True
    machine.pass_s(0.5)
    assert meter.glance(begin) == 0
    with pytest.raises(MeterError, match=r"RuntimeError: GPU is lost.*show_env"):
        meter.end(machine.now_s)


def test_nothing_here(machine: Machine) -> None:
    machine.gpus, machine.cpus = [], []
    with pytest.raises(MeterError, match=r"neither GPU, SoC nor readable RAPL.*zeusd"):
        Zeus().open(ProcessTree(os.getpid()))
    sensor = Zeus().sensors()[0]
    assert not sensor.usable and "install the GPU's driver" in sensor.remedy


def test_zeus_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zeus.monitor", None)
    assert "pip install 'joulebench[meters]'" in Zeus().sensors()[0].remedy
    with pytest.raises(MeterError, match="was not opened"):
        Zeus().begin()


def test_sensors(machine: Machine) -> None:
    machine.soc = types.SimpleNamespace(cpu_total_mj=1)
    assert [s.domain for s in Zeus().sensors() if s.usable] == ["gpu0", "package0", "soc"]


def measurement(**parts: Any) -> Any:
    soc = types.SimpleNamespace(**parts)
    return types.SimpleNamespace(
        gpu_energy={}, cpu_energy=None, dram_energy={0: 3.0}, soc_energy=soc
    )


@pytest.mark.alone
def test_socs_count_in_millijoules_and_once() -> None:
    apple = measurement(
        cpu_total_mj=2000, gpu_mj=3000, ane_mj=0, dram_mj=500, gpu_sram_mj=None,
        performance_cores_mj=[900, 1000], efficiency_core_manager_mj=5,
    )  # fmt: skip
    assert by_domain(apple) == {"dram0": 3.0, "soc": 5.5}
    jetson = measurement(cpu_energy_mj=2000.0, gpu_energy_mj=3000.0, total_energy_mj=9000.0)
    assert by_domain(jetson)["soc"] == 9.0


REAL = """
import json, os, sys, time
from metrics.meter import Window
from metrics.process_tree import ProcessTree
from metrics.zeus_meter import Zeus
meter = Zeus()
meter.open(ProcessTree(os.getpid()))
rows = []
for _ in range(2):
    begin, begin_s = meter.begin(), time.monotonic()
    for _ in range(4):
        time.sleep(0.2037)
        meter.glance(begin)
    end_s = time.monotonic()
    window = Window("train", 1, begin_s, end_s, begin, meter.end(end_s))
    rows += [[begin_s, end_s, r.domain, r.gross_j, r.low_j, r.high_j] for r in meter.rows(window, [])]
print(json.dumps({"rows": rows, "torch": "torch" in sys.modules, "about": meter.about()}))
"""


@ZEUS
@LINUX
def test_the_real_zeus_on_a_stand_in_driver(tmp_path: Path) -> None:
    """Two boards, of which zeus reads the counters wherever its windows fall."""
    script = Script(tmp_path / "script", [Board(idle_w=60.0), Board(idle_w=90.0, phase_s=0.03)])
    script.play(0, Square(100.0, 400.0, 0.5, 0.3))
    done = subprocess.run(
        [sys.executable, "-c", REAL],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(script, build(tmp_path)),
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert not told["torch"]  # the parent never loads it
    assert told["about"]["version"] and {"gpu0", "gpu1"} <= set(told["about"]["domains"])
    rows = [row for row in told["rows"] if row[2].startswith("gpu")]
    assert len(rows) == 4
    for begin_s, end_s, domain, gross_j, low_j, high_j in rows:
        true_j = script.truth(int(domain[3:]), begin_s, end_s)
        assert math.isclose(gross_j, true_j, rel_tol=0.25)
        assert low_j < gross_j < high_j
        # Ends are off by up to one tick of 0.1 s each, at no more than 400 W.
        assert abs(gross_j - true_j) < 400 * 0.1 + 5
