"""CPU seconds of a process and all that it starts, against what the processes say themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from metrics.cpu_time import CpuTime
from metrics.meter import MeterError, Window, headline, monotonic_s
from metrics.process_tree import CLOCK_S, TICK_S, ProcessTree, adopt_orphans, children, is_dead
from metrics.record import EnergyRow, Phase

pytestmark = pytest.mark.alone

BURN = "import time\nend = time.process_time() + {s}\nwhile time.process_time() < end: pass\n"


@contextmanager
def process(code: str) -> Iterator[tuple[subprocess.Popen[str], ProcessTree]]:
    """A child that waits for a line, runs `code`, says "done" and waits to be ended."""
    text = (
        f"import sys\nsys.stdin.readline()\n{code}\nprint('done', flush=True)\nsys.stdin.readline()"
    )
    adopt_orphans()
    child = subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    tree = ProcessTree(child.pid)
    try:
        yield child, tree
    finally:
        tree.kill()
        child.wait()


def run(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write("\n")
    child.stdin.flush()
    assert child.stdout.readline() == "done\n"


def test_another_programs_work_is_not_billed() -> None:
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        with process(BURN.format(s=0.2)) as (child, tree):
            before = tree.cpu_s()
            run(child)
            assert 0.2 <= tree.cpu_s() - before < 0.35
    finally:
        other.kill()
        other.wait()


def test_a_lone_worker_is_read_to_the_microsecond() -> None:
    with process(BURN.format(s=0.2)) as (child, tree):
        before = tree.cpu_s()
        run(child)
        spent = tree.cpu_s() - before
        assert 0.2 <= spent < 0.35
        assert tree.resolution_s == CLOCK_S
        assert tree.cpu_s() - before < spent + 0.01  # nothing is spent while it waits


def test_children_that_ended_are_counted() -> None:
    code = f"import subprocess\nsubprocess.run([sys.executable, '-c', {BURN.format(s=0.2)!r}])"
    with process(code) as (child, tree):
        before = tree.cpu_s()
        run(child)
        assert 0.2 <= tree.cpu_s() - before < 0.5
        assert tree.resolution_s == TICK_S


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a parent adopt orphans")
def test_an_orphan_in_a_session_of_its_own_is_counted_and_ended() -> None:
    burn = BURN.format(s=0.2).replace("\n", "\n        ")
    code = (
        "import os\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        f"        {burn}\n"
        "        open('orphan-burnt', 'w').close(); time.sleep(100)\n"
        "    os._exit(0)\n"
        "import time\n"
        "while not os.path.exists('orphan-burnt'): time.sleep(0.01)\n"
        "os.remove('orphan-burnt')"
    )
    with process(code) as (child, tree):
        before = tree.cpu_s()
        run(child)
        assert 0.2 <= tree.cpu_s() - before < 0.5
        assert len(tree.members()) > 1
        tree.kill()
        child.wait()
        assert all(is_dead(pid) for pid in tree.members())
    assert 0.2 <= tree.cpu_s() - before < 0.5  # still on the bill after its death


def test_memory_is_the_trees() -> None:
    with process("x = bytearray(50_000_000)") as (child, tree):
        before = tree.rss_bytes()
        run(child)
        assert 45e6 < tree.rss_bytes() - before < 80e6
        assert tree.peak_rss_bytes == tree.rss_bytes()


def test_children_of_a_process_that_is_gone() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert children(gone.pid) == []
    assert os.getpid() not in children(os.getpid())


def window(meter: CpuTime, child: subprocess.Popen[str], repeats: int = 1) -> Window:
    """What a sitting does around a phase."""
    begin, begin_s = meter.begin(), monotonic_s()
    run(child)
    end_s = monotonic_s()
    return Window("train", repeats, begin_s, end_s, begin, meter.end(end_s))


def test_cpu_time_rows_are_watts_times_seconds() -> None:
    meter = CpuTime()
    with process(BURN.format(s=0.3)) as (child, tree):
        meter.open(tree)
        seen = window(meter, child, 3)
        worker, dram = meter.rows(seen, [])
        assert meter.glance(seen.begin) == pytest.approx(worker.gross_j, rel=0.1)
    cpu_s = seen.end.cpu_s - seen.begin.cpu_s
    assert worker.gross_j == worker.net_j == pytest.approx(3.5 * cpu_s)
    assert worker.low_j == pytest.approx(0.7 * cpu_s, abs=1e-5)
    assert worker.high_j == pytest.approx(4.5 * cpu_s, abs=1e-5)
    assert worker.window_s == seen.length_s and worker.repeats == 3
    assert dram.source == "modelled:rss" and dram.low_j < dram.gross_j < dram.high_j
    assert dram.net_j is None  # its idle was not measured


def test_waiting_costs_nothing() -> None:
    meter = CpuTime()
    with process("import time; time.sleep(0.3)") as (child, tree):
        meter.open(tree)
        worker, _ = meter.rows(window(meter, child), [])
    assert worker.window_s >= 0.3 and worker.gross_j < 0.1


@pytest.mark.parametrize(
    "fields", [{"w_per_cpu_s": 9.0}, {"low_w_per_cpu_s": 0.0}, {"floor_s": 0.0}, {"floor_s": 1e9}]
)
def test_impossible_settings_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(MeterError, match=r"meter\."):
        CpuTime(**fields)


def test_the_headline_adds_up_per_training() -> None:
    def row(
        phase: str, joules: float, repeats: int, domain: str = "worker", net: float | None = 1.0
    ) -> EnergyRow:
        return EnergyRow(
            phase=phase,
            domain=domain,
            source="modelled:cpu_time",
            gross_j=joules,
            low_j=joules / 2,
            high_j=joules * 2,
            window_s=1.0,
            repeats=repeats,
            resolution_s=0.01,
            net_j=net,
            net_low_j=net,
            net_high_j=net,
        )

    rows = [
        row("setup", 8.0, 1),
        row("train", 20.0, 5),
        row("train", 99.0, 5, "dram"),
        row("inference", 10.0, 5),
    ]
    phases = [Phase(phase="train", wall_s=10.0, cpu_s=5.0, peak_rss_bytes=0, repeats=5)]
    head = headline(CpuTime(), rows, phases, predictions=100, skill=0.5)
    assert head.energy_j.value == 4.0 and head.energy_j.low == 2.0 and head.energy_j.high == 8.0
    assert head.cold_j.value == 8.0 + 4.0 + 2.0
    assert head.inference_j.value == 0.02
    assert head.joules_per_accuracy == 8.0
    assert head.net_j and head.net_j.value == 0.2
    assert (head.wall_s, head.cpu_s) == (2.0, 1.0)
    assert headline(CpuTime(), rows, phases, 100, skill=-0.1).joules_per_accuracy is None
    rows.append(row("train", 1.0, 5, net=None))
    assert headline(CpuTime(), rows, phases, 100, skill=0.5).net_j is None
