"""Measuring any command and any stretch of Python: exit codes, streams, signals, energy, Records."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from harness.errors import BadInputError
from harness.measure import measure
from harness.measure_command import measure as bench_measure
from harness.measure_command import measure_command
from harness.run_command import replay
from metrics.cpu_time import CpuTime
from metrics.idle import against_idle
from metrics.meter import Meter, MeterError, Window
from metrics.record import EnergyRow, Record, json_schema
from metrics.store import Store
from reports.leaderboard import Line, board_rows
from reports.runs import show

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parent.parent
BURN = "import time\nend = time.process_time() + {s}\nwhile time.process_time() < end: pass\n"


class Watts(Meter):
    """A steady 10 W, of which 4 W are idle; the sensor goes where `broken` says so."""

    name = "watts"
    source = "measured:watts"
    domains = ("wall",)
    floor_s = 0.01
    idle_s = 0.1

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken
        self.glances = 0

    def begin(self) -> float:
        return time.monotonic()

    def end(self, now_s: float) -> float:
        if self.broken:
            raise MeterError("the plug is gone")
        return now_s

    def glance(self, begin: float) -> float:
        self.glances += 1
        return 0.0

    def rows(self, window: Window, idle: list[Window]) -> list[EnergyRow]:
        gross_j = (4.0 if window.phase == "idle" else 10.0) * window.length_s
        return [
            EnergyRow(
                phase=window.phase,
                domain="wall",
                source=self.source,
                gross_j=gross_j,
                low_j=0.9 * gross_j,
                high_j=1.1 * gross_j,
                window_s=window.length_s,
                repeats=1,
                resolution_s=0.0,
                **against_idle(
                    gross_j,
                    0.9 * gross_j,
                    1.1 * gross_j,
                    window.length_s,
                    [(4.0, 3.9, 4.1) for _ in idle],
                ),
            )
        ]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def run(home: Path, argv: list[str], meter: Meter | None = None, trace: bool = False) -> int:
    return measure_command(argv, meter or CpuTime(), Store(home / "results"), trace=trace)


def records(home: Path) -> list[Record]:
    return Store(home / "results").load(Record).records


@pytest.mark.parametrize(
    ("code", "exits", "status"),
    [
        ("", 0, "ok"),
        ("raise SystemExit(3)", 3, "failed"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 128 + 9, "failed"),
    ],
)
def test_the_exit_code_is_the_commands_own(
    home: Path, code: str, exits: int, status: str, capfd: pytest.CaptureFixture[str]
) -> None:
    spoken = "import sys; print('to stdout', flush=True); print('to stderr', file=sys.stderr)\n"
    assert run(home, python(spoken + code)) == exits
    out, err = capfd.readouterr()
    assert out == "to stdout\n"  # results are told on standard error
    assert err.startswith("to stderr\n") and "modelled:cpu_time" in err and "wall" in err
    (record,) = records(home)
    assert (record.kind, record.status, record.audit) == (
        "measured command",
        status,
        {"exit_code": exits if exits < 128 else -9},
    )
    assert record.headline and record.headline.energy_j.value > 0  # of a failed one as well
    assert record.headline.inference_j is None and record.score is None
    assert record.algorithm.config["argv"][0] == sys.executable
    jsonschema.validate(json.loads((home / "results/records.jsonl").read_text()), json_schema())


def test_energy_of_a_command_and_all_its_children(home: Path) -> None:
    child = f"{sys.executable} -c '{BURN.format(s=0.2)}'"
    detached = f"setsid {child} & sleep 0.8"
    assert run(home, ["sh", "-c", f"{child} & {child}; wait; {detached}"]) == 0
    (record,) = records(home)
    head = record.headline
    assert head and 0.6 <= head.cpu_s < 0.9  # three of 0.2 s, and interpreters that start
    assert head.energy_j.value == pytest.approx(3.5 * head.cpu_s, rel=0.02)
    assert head.energy_j.low < head.energy_j.value < head.energy_j.high
    assert head.wall_s >= 0.8 and head.source == "modelled:cpu_time" and head.modelled
    memory = next(row for row in record.energy if row.domain == "dram")
    assert memory.gross_j == pytest.approx(0.392 * 0.015 * head.wall_s, rel=0.9)
    assert record.phases[0].peak_rss_bytes > 8e6


def test_starting_a_command_is_not_on_its_bill(home: Path) -> None:
    assert run(home, ["true"]) == 0
    (record,) = records(home)
    assert record.headline and record.headline.cpu_s < 0.006  # an interpreter alone takes more


def test_idle_is_bracketed_and_slow_sensors_are_looked_at(home: Path) -> None:
    meter = Watts()
    assert run(home, ["sleep", "0.3"], meter) == 0
    (record,) = records(home)
    assert [phase.phase for phase in record.phases] == ["idle", "command", "idle"]
    head = record.headline
    assert head and head.net_j and not head.modelled
    assert head.energy_j.value == pytest.approx(10 * head.wall_s)
    assert head.net_j.value == pytest.approx(6 * head.wall_s)
    assert 0.3 <= head.wall_s < 0.45 and meter.glances > 3


def test_a_lost_sensor_is_a_failed_record_but_not_a_failed_command(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(home, ["true"], Watts(broken=True)) == 0
    (record,) = records(home)
    assert record.status == "failed" and record.headline is None
    assert record.error and "watts in command: the plug is gone" in record.error
    assert "the plug is gone" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "bench measure -- python train.py"),
        (["nonesuch-command"], "cannot start nonesuch-command: there is no such command"),
        (["./folder"], "cannot start ./folder"),
        (["./rubbish"], "cannot start ./rubbish: Exec format error"),
    ],
)
def test_what_cannot_be_started(home: Path, argv: list[str], says: str) -> None:
    (home / "folder").mkdir()
    (home / "rubbish").write_bytes(b"\x00rubbish")
    (home / "rubbish").chmod(0o755)
    with pytest.raises(BadInputError, match=says):
        run(home, argv, trace=True)
    assert not records(home) and not list((home / "results").glob("traces/*"))


RUNS_ONE = (
    "import sys; from harness.measure_command import measure_command\n"
    "from metrics.cpu_time import CpuTime; from metrics.store import Store\n"
    "sys.exit(measure_command([sys.executable, '-c', sys.argv[1]], CpuTime(), Store('results'), "
    "trace=False))"
)


@pytest.mark.parametrize(
    ("number", "to_group", "command", "exits", "status"),
    [
        (signal.SIGINT, True, "time.sleep(20)", 128 + 2, "interrupted"),
        (signal.SIGINT, True, "try: time.sleep(20)\nexcept: sys.exit(7)", 7, "interrupted"),
        (signal.SIGINT, False, "time.sleep(0.5)", 0, "ok"),
        (signal.SIGTERM, False, "time.sleep(20)", 128 + 15, "failed"),
    ],
    ids=["Ctrl-C", "Ctrl-C caught", "INT to us alone", "TERM passed on"],
)
def test_signals(
    home: Path, number: int, to_group: bool, command: str, exits: int, status: str
) -> None:
    ready = "print('ready', flush=True); "
    code = "import sys, time\n" + command.replace("time.sleep", ready + "time.sleep")
    process = subprocess.Popen(
        [sys.executable, "-c", RUNS_ONE, code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    (os.killpg if to_group else os.kill)(process.pid, number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == exits, err
    (record,) = records(home)
    assert record.status == status and record.headline and record.headline.energy_j.value > 0


def test_a_measurement_given_up_before_the_start_leaves_nothing(home: Path) -> None:
    class Slow(Watts):
        def begin(self) -> float:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(home, ["touch", "was-here"], Slow())
    assert not records(home) and not Path("was-here").exists()


@pytest.mark.skipif(not shutil.which("head"), reason="needs head")
def test_a_pipe_that_closes_ends_the_command(home: Path) -> None:
    """Python ignores SIGPIPE; the command must not inherit that."""
    code = RUNS_ONE.replace("[sys.executable, '-c', sys.argv[1]]", "['yes']")
    line = f'"{sys.executable}" -c "$CODE" 2> err | head -1'
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, env={**os.environ, "CODE": code}, timeout=10
    )
    assert done.stdout == b"y\n" and "SIGPIPE" in Path("err").read_text()


def test_the_trace_lies_beside_the_records(home: Path) -> None:
    assert run(home, python(BURN.format(s=0.6)), trace=True) == 0
    (record,) = records(home)
    assert record.trace == f"traces/{record.run}.parquet"
    files = {path.name for path in (home / "results/traces").iterdir()}
    assert files == {f"{record.run}.parquet", f"{record.run}.png"}
    assert record.phases[0].peak_rss_bytes < 20e6  # the sampler is no part of the tree


def test_readers_know_what_it_is(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(home, ["true"])
    (record,) = records(home)
    assert board_rows(Store(home / "results").load(Line).records) == []
    capsys.readouterr()
    assert show(home / "results", "last", as_json=False) == 0
    shown = capsys.readouterr().out
    assert "in all; modelled:cpu_time" in shown and '"argv": ["true"]' in shown
    assert "nonce" not in shown
    with pytest.raises(BadInputError, match=r"no draw to replay.*bench measure -- true"):
        replay(record.run, str(home / "results"), [])


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_measure_a_stretch_of_python(home: Path) -> None:
    burn(0.1)  # before: not on the bill
    with measure("my training", meter="cpu_time", results="results") as m:
        burn(0.2)
        child = subprocess.Popen(python(BURN.format(s=0.2) + "raise SystemExit(5)"))
        time.sleep(0.6)  # it ends meanwhile; its exit code must still be there
        assert child.wait() == 5
    assert 0.4 <= m.headline.cpu_s < 0.55 and m.headline.wall_s >= 0.75
    assert m.energy_j == pytest.approx(3.5 * m.headline.cpu_s, rel=0.03)
    assert m.low_j < m.energy_j < m.high_j and m.source == "modelled:cpu_time"
    assert [row.domain for row in m.rows] == ["worker", "dram"]
    assert str(m).startswith("my training: ") and "modelled:cpu_time" in str(m)
    (record,) = records(home)
    assert record.algorithm.name == "my training" and record.task.variant == "code"
    assert record.headline == m.headline and record.kind == "measured command"


def test_waiting_is_nearly_free() -> None:
    with measure(meter="cpu_time") as m:
        time.sleep(1)
    assert m.headline.cpu_s < 0.02  # the watching itself, on the bill as it is in this process


def test_an_exception_passes_and_its_energy_is_kept(home: Path) -> None:
    with pytest.raises(ZeroDivisionError), measure("f", meter="cpu_time", results="results"):
        burn(0.05)
        print(1 / 0)
    (record,) = records(home)
    assert record.status == "failed" and record.error == "ZeroDivisionError: division by zero"
    assert record.headline and record.headline.energy_j.value > 0.17


def test_as_a_decorator_each_call_is_measured(home: Path) -> None:
    @measure("square", meter="cpu_time", results="results")
    def square(x: int) -> int:
        burn(0.05 * x)
        return x * x

    assert (square(1), square(4)) == (1, 16)
    one, four = (r.headline.energy_j.value for r in records(home) if r.headline)
    assert 0.05 * 3.5 <= one < 0.15 * 3.5 and 0.2 * 3.5 <= four < 0.3 * 3.5


def test_idle_and_trace_of_a_stretch(home: Path) -> None:
    with measure("s", meter=Watts(), results="results", trace=True, idle=True) as m:
        time.sleep(0.2)
    assert m.net_j and m.net_j.value == pytest.approx(6 * m.headline.wall_s)
    assert m.record and m.record.trace and (home / "results" / m.record.trace).exists()
    assert m.metering.trace and len(m.metering.trace.t_s)
    assert not list((home / "results" / "traces").glob("*.rows"))


def test_a_stretch_whose_sensor_is_lost_has_no_figure() -> None:
    with measure("s", meter=Watts(broken=True)) as m:
        pass
    with pytest.raises(MeterError, match="the plug is gone"):
        _ = m.energy_j


def test_meters_by_name(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert bench_measure(["sh", "-c", "exit 4"], "cpu_time", "there", "a name", trace=False) == 4
    (record,) = Store("there").load(Record).records
    assert record.algorithm.name == "a name" and record.settings == {"meter": "cpu_time"}
    assert capfd.readouterr().err.startswith("a name · exit code 4\n")
    with pytest.raises(BadInputError, match="no meter is called"):
        bench_measure(["true"], "nonesuch", "there", None, trace=False)


def test_a_trace_needs_a_folder() -> None:
    with pytest.raises(BadInputError, match="results=DIR"):
        measure("s", meter="cpu_time", trace=True)
