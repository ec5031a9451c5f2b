"""What stands between a run and its tracker: thinning, holding back, and that no fault reaches the run."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from filelock import FileLock, Timeout

from harness import device, tracking
from harness.config import Choosing, configure
from harness.errors import BadInputError
from harness.exam_sitting import SILENT, ExamRun
from harness.found import sha256
from harness.sitting import Moment
from harness.trackers.aside import Aside
from harness.trackers.base import TrackerError
from harness.tracking import MOST_HELD, Samples, Tracking, facts
from harness.trial_run import TrialRun
from metrics.process_tree import adopt_orphans, children
from metrics.record import ExamInfo
from metrics.store import Store
from reports.baseline import load
from reports.gate_rows import rows_of
from tests import gate_records
from tests.conftest import Bench
from tests.trackers import PARITY, ROOT, Notes, seated

STAND_IN = "tests.wandb_standin"


class Clock:
    """Seconds that pass when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr(tracking, "monotonic_s", lambda: self.now_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def moments(samples: Samples, clock: Clock, phase: str, seconds: float, joules: float) -> None:
    """Four looks a second at one window, whose joules rise evenly."""
    for tick in range(1, round(4 * seconds) + 1):
        clock.now_s += 0.25
        share = tick / (4 * seconds)
        samples.add(Moment(phase, tick / 4, joules * share, loss=1 - share, step=tick))


def test_one_sample_a_second_and_the_last_of_every_window(clock: Clock) -> None:
    samples = Samples()
    moments(samples, clock, "setup", 0.5, 2.0)
    moments(samples, clock, "train", 3.0, 12.0)
    found = samples.taken(end=True)
    assert [(s.phase, s.at_s) for s in found] == [
        *(("setup", 0.25), ("setup", 0.5)),
        *(("train", 0.75), ("train", 1.75), ("train", 2.75), ("train", 3.5)),
    ]
    assert found[-1].joules == 12.0 and found[-1].step == 12 and found[-1].loss == 0.0
    assert samples.taken(end=True) == []


def test_joules_of_a_phase_go_on_over_its_windows_and_begin_anew_with_a_sitting(
    clock: Clock,
) -> None:
    samples = Samples()
    for _ in range(2):
        moments(samples, clock, "setup", 0.25, 1.0)
        for _ in range(3):  # as `bench curve` pauses training
            moments(samples, clock, "train", 0.5, 4.0)
            moments(samples, clock, "evaluation", 0.25, 1.0)
    found = samples.taken(end=True)
    trained = [s for s in found if s.phase == "train"]
    assert [s.sitting for s in trained] == [1] * 6 + [2] * 6
    assert [s.joules for s in trained] == [2.0, 4.0, 6.0, 8.0, 10.0, 12.0] * 2


def test_joules_that_nobody_knows_are_none(clock: Clock) -> None:
    samples = Samples()
    for joules in (None, math.nan):
        clock.now_s += 2
        samples.add(Moment("train", clock.now_s, joules))
    assert [s.joules for s in samples.taken()] == [None, None]


def test_a_run_of_days_does_not_fill_the_memory(clock: Clock) -> None:
    samples = Samples()
    for second in range(5 * MOST_HELD):
        clock.now_s += 1.0
        samples.add(Moment("train", float(second), 1.0))
    found = samples.taken(end=True)
    assert MOST_HELD / 4 < len(found) < MOST_HELD and samples.every_s >= 4
    assert found[-1].at_s == 5 * MOST_HELD


def notes(**fields: Any) -> Tracking:
    """A tracker that writes down what it hears."""
    return Tracking(Choosing("notes", "tests.trackers.Notes", {"fails": "", **fields}, {}))


def go_through(tracked: Tracking, clock: Clock, finish: bool = True) -> Notes:
    """A run of four seconds, without the run."""
    heard: list[Moment] = []
    run = seated()
    run.hooks = type(run.hooks)(lambda line: None, heard.append)
    tracker = Notes.made[-1]
    with tracked:
        hooks = tracked.begin(run)
        for tick in range(16):
            clock.now_s += 0.25
            hooks.watch(Moment("train", tick / 4, float(tick)))
        tracker.heard.append(("closed", None))
        if finish:
            tracked.finish(gate_records.run(3.0))
    assert len(heard) == 16  # whatever the tracker did, the display saw everything
    return tracker


def test_samples_are_held_back_until_the_last_window_has_closed(home: Path, clock: Clock) -> None:
    heard = go_through(notes(), clock).heard
    assert [name for name, _ in heard] == ["begin", "wants_live", "closed", "watch", "finish"]
    facts = heard[0][1]
    assert (facts.task, facts.algo, facts.modelled) == ("sparse_parity", "xor_elimination", True)
    assert [s.at_s for s in heard[3][1]] == [0.25, 1.25, 2.25, 3.25, 4.0]


def test_live_at_most_one_message_a_second(home: Path, clock: Clock) -> None:
    heard = go_through(notes(live=True), clock).heard
    names = [name for name, _ in heard]
    assert names == ["begin", "wants_live", *["watch"] * 4, "closed", "watch", "finish"]
    samples = [s.at_s for name, what in heard if name == "watch" for s in what]
    assert samples == [0.25, 1.25, 2.25, 3.25, 4.0]


@pytest.mark.parametrize("fails", ["begin", "wants_live", "watch", "finish"])
def test_a_tracker_that_fails_is_one_line_and_then_left_alone(
    home: Path, clock: Clock, fails: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tracker = go_through(notes(fails=fails, live=True), clock)
    assert [name for name, _ in tracker.heard if name != "closed"][-1] == fails
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"bench: tracker=notes: no {fails} (the run itself" in said


def test_a_run_without_a_record_is_told_as_failed(home: Path, clock: Clock) -> None:
    assert go_through(notes(), clock, finish=False).heard[-1] == ("fail", "no Record")
    with pytest.raises(BadInputError), notes() as tracked:
        tracked.begin(seated())
        raise BadInputError("the algorithm refuses")
    assert Notes.made[-1].heard[-1] == ("fail", "the algorithm refuses")


def test_the_device_is_kept_until_the_tracker_is_done(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = home / "lock"
    monkeypatch.setattr(device, "DEVICE_LOCK", lock)
    with notes():
        code = f"from filelock import FileLock\nFileLock({str(lock)!r}).acquire(timeout=0)"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert Timeout.__name__ in other.stderr
    FileLock(lock).acquire(timeout=0)


def test_without_a_tracker_nothing_is_between(home: Path) -> None:
    run = seated()
    with run.tracking as tracked:
        assert tracked.begin(run) is run.hooks
        tracked.finish(gate_records.run(3.0))


def test_no_hash_knows_of_a_tracker() -> None:
    plain, told = (
        configure([*PARITY, *more], False)[0] for more in ([], ["tracker=none", "seed=0"])
    )
    assert plain.tracker and plain.tracker.name == "none"
    assert sha256(plain.algo) == sha256(told.algo) and sha256(plain.task) == sha256(told.task)
    wandb = configure([*PARITY, "tracker=wandb", "tracker.tags=[a,b]"], False)[0]
    assert wandb.tracker and wandb.tracker.fields["tags"] == ["a", "b"]
    assert sha256(wandb.algo) == sha256(plain.algo) and sha256(wandb.task) == sha256(plain.task)
    assert "tracker=wandb" in wandb.overrides


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            "tracker=wnadb",
            "no tracker is called wnadb (did you mean wandb?); there are: none, wandb",
        ),
        ("tracker=wandb tracker.projct=x", "no field tracker.projct (did you mean project?)"),
        ("tracker.mode=offline", "tracker=none has: no fields"),
        ("tracker=", "which tracker? say tracker=NAME"),
        ("tracker=wandb tracker.wait_s=soon", "must be a number"),
    ],
)
def test_bad_words(words: str, says: str) -> None:
    with pytest.raises(BadInputError) as error:
        configure([*PARITY, *words.split()], False)
    assert says in str(error.value) and "\n" not in str(error.value)


@pytest.fixture
def stand_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the process that stands in writes what it hears."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("STAND_IN_LOG", str(home / "heard"))
    return home / "heard"


def test_a_process_aside_is_nobodys_child_of_ours(stand_in: Path) -> None:
    """Even where we adopt orphans, and even once it is killed: no CPU second of it can reach a bill."""
    adopt_orphans()
    before = children(os.getpid())
    aside = Aside(STAND_IN)
    assert children(os.getpid()) == before
    process = psutil.Process(aside.hello["pid"])
    assert process.nice() == os.nice(0) + 10 and os.getsid(process.pid) != os.getsid(0)
    assert aside.ask({"do": "begin"}, 20)["is"] == "begin"
    process.kill()
    with pytest.raises(TrackerError, match="its process has ended"):
        aside.ask({"do": "finish"}, 20)
    assert children(os.getpid()) == before and not aside.alive
    aside.offer({"do": "log"})  # nobody is there; nothing is raised


def test_a_process_that_hangs_is_ended_in_time(
    stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN", "hang:begin")
    aside = Aside(STAND_IN)
    with pytest.raises(TrackerError, match=r"did not answer within 0\.3 s and was ended"):
        aside.ask({"do": "begin"}, 0.3)
    assert dead(aside.hello["pid"])


def dead(pid: int) -> bool:
    """Whether a killed process is gone; nobody of ours reaps it."""
    for _ in range(100):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_what_a_full_pipe_does_not_take_is_dropped_and_counted(
    stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN", "hang:log")
    aside = Aside(STAND_IN)
    for _ in range(20):
        aside.offer({"do": "log", "rows": ["x" * 100_000]})
    assert 0 < aside.dropped < 20
    aside.kill()


def test_a_process_that_does_not_start_says_why(
    stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN", "noise")
    with pytest.raises(TrackerError, match=r"has ended \(RuntimeError: nothing works\)"):
        Aside(STAND_IN)


def test_it_ends_when_its_parent_is_killed(stand_in: Path) -> None:
    code = (
        f"import time\nfrom harness.trackers.aside import Aside\naside = Aside({STAND_IN!r})\n"
        "print(aside.hello['pid'], flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    assert dead(pid)


def test_trials_and_sittings_are_in_groups(home: Path) -> None:
    """A search's trials by the search, their part the stage; an exam's runs by the exam, theirs the side."""
    config = configure([*PARITY, "tracker=none"], False)[0]
    mark = {"search": "mine", "stage": "confirm", "number": 3, "draw": 0}
    trial = TrialRun(config, SILENT, 0, "random", mark)
    trial.code = "0" * 64, 1
    told = facts(trial)
    assert (told.group, told.part, told.kind) == ("mine", "confirm", "trial")
    assert told.config["trial"] == {**mark} and told.config["process"] == "random"
    place = ExamInfo(
        exam="e",
        plan_sha256="0",
        pair=1,
        side="baseline",
        position=1,
        sides=["candidate", "baseline"],
        pairs=5,
        extension=0,
        machine="m",
    )
    sitting = ExamRun(config, SILENT, 1, place, [])
    sitting.code = "0" * 64, 1
    told = facts(sitting)
    assert (told.group, told.part, told.config["exam"]["pair"]) == ("e", "baseline", 1)
    alone = facts(seated())
    assert (alone.group, alone.part, alone.kind) == (None, None, "run")


def test_a_baseline_for_ci_takes_no_tracker_with_it(tmp_path: Path) -> None:
    record = gate_records.run(3.0)
    words = ["task=sparse_parity", "algo=tiny", "tracker=wandb", "tracker.mode=online"]
    settings = {**record.settings, "overrides": words}
    odd = msgspec.structs.replace(record, settings=settings)
    (row,) = rows_of(load(Store(gate_records.save(tmp_path, [odd]))))
    assert row.words == ["task=sparse_parity", "algo=tiny"]


def test_help_and_list_tell_of_trackers(bench: Bench) -> None:
    assert "trackers  (tracker=NAME)" in bench("list").stdout
    assert "tracker.mode: auto" in bench("list", "tracker=wandb").stdout
    assert "tracker=wandb" in bench("run", "--help").stdout
