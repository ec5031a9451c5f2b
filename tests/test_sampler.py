"""The sampler: its schedule, what it costs, and what is left when it or its parent is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metrics.machine_probe import machine
from metrics.process_tree import ProcessTree, is_dead, own_cpu_s
from metrics.sampler import Probe, Sampler

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parent.parent
HERE = "tests.test_sampler"


def constant() -> Probe:
    return lambda: {"gpu0_power_w": 100.0}


def stumbling(at: int, for_s: float) -> Probe:
    """Stays away for `for_s` at its call number `at`."""
    calls = iter(range(10**9))

    def probe() -> dict[str, float | None]:
        if next(calls) == at:
            time.sleep(for_s)
        return {"n": 1.0}

    return probe


def failing(every: int) -> Probe:
    """Raises at every so many calls; gives what is no number at the second."""
    calls = iter(range(10**9))

    def probe() -> dict[str, float | None]:
        call = next(calls)
        if call % every == 0:
            raise OSError(f"no answer to call {call}")
        return {
            "n": float("nan") if call == 1 else float(call),
            **({"late": 1.0} if call > 5 else {}),
        }

    return probe


def chatty() -> Probe:
    def probe() -> dict[str, float | None]:
        print("x" * 20_000, flush=True)
        return {"n": 1.0}

    return probe


@pytest.fixture
def sampler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Sampler]:
    """A sampler of this file's probes: sampler(hz, name=fields, ...)."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def make(hz: float, **probes: dict[str, object]) -> Sampler:
        named = [(f"{HERE}.{name}", fields) for name, fields in probes.items()]
        return Sampler(named, tmp_path / "rows", hz)

    return make


def test_a_steady_schedule_without_drift(sampler: Callable[..., Sampler]) -> None:
    with sampler(100, constant={}) as sampling:
        time.sleep(1.5)
        trace = sampling.stop()
    late_s = (
        trace.t_s[1:, None] - trace.t_s[1:]
    ) % 0.01  # each row after a grid through each other
    assert 90 <= len(trace.t_s) <= 160  # fewer on a busy machine, never more
    # One grid of 10 ms holds from the first row to the last; drifting rows lie anywhere, 20 % by chance.
    assert (late_s < 2e-3).mean(axis=0).max() > 0.45
    assert (trace.columns["gpu0_power_w"] == 100).all() and not trace.problems


def test_missed_deadlines_are_skipped_not_caught_up_with(sampler: Callable[..., Sampler]) -> None:
    with sampler(20, stumbling={"at": 5, "for_s": 0.33}) as sampling:
        time.sleep(1.2)
        trace = sampling.stop()
    gaps = np.diff(trace.t_s)
    assert 0.33 <= gaps[5] < 1.0
    assert np.delete(gaps, 5)[1:].min() > 0.025  # the burst that catching up would be
    assert 9 <= len(trace.t_s) <= 20


def test_it_costs_little(sampler: Callable[..., Sampler]) -> None:
    with sampler(10, constant={}) as sampling:
        time.sleep(2)
        trace = sampling.stop()
    assert trace.cpu_share is not None
    print(f"sampler at 10 Hz: {100 * trace.cpu_share:.2f} % of one core")
    assert 0 < trace.cpu_share < 0.05  # no busy loop; the figure itself is the benchmark's to tell


def test_a_killed_sampler_keeps_its_rows(sampler: Callable[..., Sampler], tmp_path: Path) -> None:
    with sampler(100, constant={}) as sampling:
        time.sleep(0.5)
        os.kill(sampling.pid, signal.SIGKILL)
        sampling.process.wait()
        with (tmp_path / "rows").open("ab") as file:
            file.write(b"[12.5, 1")  # torn: the kernel may cut a last write short
        trace = sampling.stop()
    assert len(trace.t_s) >= 40 and (trace.columns["gpu0_power_w"] == 100).all()
    assert trace.cpu_share is None and "SIGKILL" in trace.problems[0]


@pytest.mark.parametrize("heir", [False, True], ids=["alone", "with a child that has its pipes"])
def test_it_ends_with_its_parent(tmp_path: Path, heir: bool) -> None:
    code = (
        "import os, time\nfrom metrics.sampler import Sampler\n"
        f"s = Sampler([], {str(tmp_path / 'rows')!r}).__enter__()\n"
        f"if {heir} and os.fork() == 0: time.sleep(30)\n"
        "print(s.pid, flush=True)\ntime.sleep(30)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT, start_new_session=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert not is_dead(pid)
    parent.kill()
    deadline = time.monotonic() + 3
    while not is_dead(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    gone = is_dead(pid)
    os.killpg(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert gone


def test_failures_of_probes_are_nulls_and_counted(sampler: Callable[..., Sampler]) -> None:
    with sampler(50, failing={"every": 3}, constant={}, nonesuch={}) as sampling:
        time.sleep(0.5)
        trace = sampling.stop()
    n = trace.columns["n"]
    failed = np.arange(len(n)) % 3 == 0
    assert len(n) > 15
    assert np.isnan(n[failed]).all() and np.isnan(n[1]) and np.isfinite(n[2:][~failed[2:]]).all()
    assert trace.errors == {f"{HERE}.failing": failed.sum(), f"{HERE}.nonesuch": 1}
    assert any("OSError: no answer to call" in line for line in trace.problems)
    assert (trace.columns["gpu0_power_w"] == 100).all()  # the others are read all the same
    late = trace.columns["late"]
    assert np.isnan(late[:6]).all() and late[7] == 1.0


def test_a_driver_that_prints_does_no_harm(sampler: Callable[..., Sampler]) -> None:
    with sampler(50, chatty={}) as sampling:
        time.sleep(0.5)
        trace = sampling.stop()
    assert len(trace.t_s) >= 20 and not trace.problems


def test_it_is_on_nobodys_bill(sampler: Callable[..., Sampler]) -> None:
    code = "import time; print(flush=True); time.sleep(30)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    tree = ProcessTree(child.pid)
    with sampler(200, constant={}) as sampling:
        tree.ignore(sampling.pid)
        assert sampling.pid not in tree.members()
        before_s = tree.cpu_s()
        time.sleep(0.5)
        assert sampling.process.poll() is None  # the tree did not reap it either
        assert tree.cpu_s() - before_s < 0.002
    child.kill()
    child.wait()
    child.stdout.close()


def test_what_the_worker_does_is_seen(tmp_path: Path) -> None:
    fields = {"w_per_cpu_s": 3.5, "with_parent": False}
    burn = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    with Sampler([("metrics.machine_probe.worker", fields)], tmp_path / "rows") as sampling:
        cpu_s, start_s = own_cpu_s(burn.pid), time.monotonic()
        time.sleep(1.2)
        rate = (own_cpu_s(burn.pid) - cpu_s) / (time.monotonic() - start_s)
        trace = sampling.stop()
    burn.kill()
    burn.wait()
    busy = trace.columns["worker_busy_cpus"]
    assert np.isnan(busy[0])  # a rate takes two readings
    assert np.nanmean(busy) == pytest.approx(rate, rel=0.1) and rate > 0.1
    assert trace.columns["worker_modelled_power_w"][1:] == pytest.approx(3.5 * busy[1:])


def test_the_machines_own_sensors(tmp_path: Path) -> None:
    assert machine(str(tmp_path))() == {}
    for number, (chip, value) in enumerate((("nvme", "99000"), ("coretemp", "41500"))):
        folder = tmp_path / f"class/hwmon/hwmon{number}"
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{chip}\n")
        (folder / "temp1_input").write_text(f"{value}\n")
    for core in range(6):
        folder = tmp_path / f"devices/system/cpu/cpu{core}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_cur_freq").write_text("2400000\n")
    probe = machine(str(tmp_path))
    assert probe() == pytest.approx({"cpu_temperature_c": 41.5, "cpu_clock_mhz": 2400.0})
    (tmp_path / "class/hwmon/hwmon1/temp1_input").write_text("50000\n")
    assert probe()["cpu_temperature_c"] == pytest.approx(50.0)


def test_rows_are_json_lines(sampler: Callable[..., Sampler], tmp_path: Path) -> None:
    with sampler(20, constant={}):
        time.sleep(0.2)
    lines = [json.loads(line) for line in (tmp_path / "rows").read_text().splitlines()]
    assert lines[0] == ["t_s", "gpu0_power_w"] and lines[1][1] == 100.0
    assert abs(lines[1][0] - time.monotonic()) < 10  # the clock of all windows


@pytest.mark.parametrize("hz", [0.0, -1.0, 1e6, float("nan")])
def test_impossible_rates_are_refused(hz: float) -> None:
    with pytest.raises(ValueError, match="hz="):
        Sampler([], "rows", hz)
