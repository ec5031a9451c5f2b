"""`bench tune` as a user types it."""

from __future__ import annotations

import csv
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.config import configure
from harness.errors import BadInputError
from harness.found import provenance, write
from harness.processes.base import Problem, Told
from harness.processes.command import MAX_LINES, Command
from harness.processes.space import Space
from harness.search_setup import budget_of
from harness.trials import FILE
from metrics.process_tree import children
from metrics.record import TRIAL, Record
from metrics.store import Store
from tests.conftest import Bench, command

TESTS = Path(__file__).parent
TASK = ("task=sparse_parity", "task.n=12", "task.k=2", "repeats=2")
PARITY = (*TASK, "algo=backprop")
ONE = ("tune.confirm=1", "tune.confirm_draws=1")
OWN = ("task=sparse_parity", "task.k=1", "repeats=1", f"algo={TESTS / 'tunable.py'}:Tunable")


FOUND = "_target_: algorithms.empty.Empty\nabout: {found: {"


def proposer(how: str) -> tuple[str, ...]:
    words = f"{sys.executable} {TESTS / 'proposer.py'} {how}"
    return (*PARITY, "process=command", f"process.command='{words}'", *ONE)


def folder(home: Path) -> Path:
    (found,) = (home / "results" / "tune").iterdir()
    return found


def trials(path: Path) -> list[tuple[Any, ...]]:
    with sqlite3.connect(path / FILE) as db:
        return db.execute(
            "SELECT number, fields, state, error FROM trials WHERE stage = 'search' ORDER BY number"
        ).fetchall()


def found(path: Path) -> dict[str, Any]:
    content = yaml.safe_load((path / "found.yaml").read_text())
    return dict(content["about"]["found"])


def test_from_the_search_to_the_exam_to_the_board(bench: Bench, home: Path) -> None:
    """Four trials, an exam with what was found, what the Record and the board say of it, and `like`."""
    words = (*PARITY, "process=tpe", "process.startup=2", "budget.trials=4", *ONE)
    done = bench("tune", *words, "seed=3")
    path = folder(home)
    assert "to find" in done.stdout and str(path.relative_to(home)) in done.stdout
    assert "trial 4" in done.stderr and "spent" in done.stderr
    sat = Store(path).load(Record).records
    assert (
        len(sat) == 5 and {r.kind for r in sat} == {TRIAL} and {r.process for r in sat} == {"tpe"}
    )
    assert [r.settings["trial"]["number"] for r in sat[:4]] == [0, 1, 2, 3]
    assert len({r.draw.nonce for r in sat[:4]}) == 1 != len({r.draw.nonce for r in sat})
    assert all(r.empty is None for r in sat)
    said = found(path)
    spent = sum(e.gross_j for r in sat for e in r.energy if e.domain == "worker")
    assert said["find_j"] == pytest.approx(spent + said["proposer"]["energy_j"])
    assert said["proposer"]["counted"] and said["source"] == "modelled:cpu_time"
    assert said["trials"] == 4 and said["seed"] == 3 and said["confirmations"] == 1

    exam_line = next(x for x in done.stdout.splitlines() if x.startswith("exam"))
    kept = [*TASK, "seed=3", f"algo={path.relative_to(home) / 'found.yaml'}"]
    assert shlex.split(exam_line)[1:] == ["bench", "run", *kept]
    yaml_ = str(path / "found.yaml")
    words_ = (*TASK, f"algo={yaml_}", "process=random", "budget.trials=1")
    assert "is itself what a search found" in bench("tune", *words_, code=2).stderr
    for algo in (yaml_, "backprop"):
        bench("run", *TASK, f"algo={algo}")
    exam, plain = Store(home / "results").load(Record).records
    assert exam.algorithm.name == "backprop" and exam.process == "tpe"
    assert exam.found is not None and exam.found["find_j"] == said["find_j"]
    assert exam.draw.nonce not in {r.draw.nonce for r in sat}
    assert plain.process == "as_published" and plain.found is None

    other = "algo.lr=0.0777"
    bench("run", *TASK, f"algo={yaml_}", other)
    changed = Store(home / "results").load(Record).records[-1]
    assert changed.process == "by_hand" and changed.found is None
    assert "changed since" in changed.warnings[0]
    assert "J to find" in re.sub(r"\s+", " ", bench("leaderboard").stdout)
    with (home / "results" / "leaderboard.csv").open() as file:
        rows = {row["process"]: row for row in csv.DictReader(file)}
    assert float(rows["tpe"]["find_j"]) == said["find_j"] and not rows["by_hand"]["find_j"]
    assert (
        "is a trial of a search"
        in bench("replay", sat[0].run, "--results", str(path), code=2).stderr
    )

    like = (*PARITY, "process=random", f"budget.like={path}", *ONE)
    bench("tune", *like)
    (equal,) = (found(p) for p in (home / "results" / "tune").iterdir() if "random" in p.name)
    assert equal["trials"] <= 4
    last_j = max(e.gross_j for r in sat for e in r.energy) * 4  # one trial may go over
    assert equal["find_j"] <= said["find_j"] + last_j


def test_killed_in_the_middle_of_a_trial(bench: Bench, home: Path) -> None:
    """kill -9, then the same words: the same trials as a search that was left alone, each sat once."""
    words = (*PARITY, "process=random", "budget.trials=6", *ONE)
    bench("tune", *words, "results=whole")
    (whole,) = (home / "whole" / "tune").iterdir()
    search = subprocess.Popen(
        command("tune", *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    records = home / "results" / "tune" / whole.name / "records.jsonl"
    until = time.monotonic() + 60
    while time.monotonic() < until and (
        not records.exists() or records.read_bytes().count(b"\n") < 2
    ):
        time.sleep(0.02)
    time.sleep(0.15)
    os.kill(search.pid, signal.SIGKILL)
    search.wait()
    before = [row for row in trials(records.parent) if row[2] == "done"]
    assert 2 <= len(before) < 6
    done = bench("tune", *words)
    assert "going on with" in done.stderr
    assert [row[:3] for row in trials(records.parent)] == [row[:3] for row in trials(whole)]
    assert trials(records.parent)[: len(before)] == before
    again = bench("tune", *words)
    assert "trial 1:" not in again.stderr  # all done: nothing is sat again
    bench("tune", *words, "--fresh", "budget.trials=1")
    assert {p.name for p in records.parents[1].iterdir()} == {whole.name, f"{whole.name}-2"}


def test_ctrl_c_ends_with_what_is_there(bench: Bench, home: Path) -> None:
    search = subprocess.Popen(
        command("tune", *PARITY, "process=random", "budget.trials=500"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert search.stderr is not None
    for line in search.stderr:
        if line.startswith("trial 3"):
            break
    search.send_signal(signal.SIGINT)
    out, err = search.communicate(timeout=60)
    assert search.returncode == 2 and "the same words again go on" in err, err
    assert "found.yaml" in out and found(folder(home))["complete"] is False
    assert found(folder(home))["confirmations"] == 0


def test_trials_that_go_wrong(bench: Bench, home: Path) -> None:
    """Whatever an algorithm does, the search goes on, and what it cost is counted."""
    words = (*OWN, "process=random", "budget.trials=7", "limits.train_s=1", "seed=20", *ONE)
    bench("tune", *words)
    rows = trials(folder(home))
    errors = " ".join(str(row[3]) for row in rows)
    assert len(rows) == 7 and rows[0][2] == "done"
    for said in ("no (at", "after limits.train_s=1", "exit code 3", "the algorithm refused"):
        assert said in errors, errors
    said = found(folder(home))
    assert said["failed"] == 5 and said["met"]
    records = Store(folder(home)).load(Record).records
    spent = sum(e.gross_j for r in records for e in r.energy if e.domain == "worker")
    assert said["find_j"] == pytest.approx(spent + said["proposer"]["energy_j"])


def test_a_program_proposes(bench: Bench, home: Path) -> None:
    """What it declares is kept apart; when it has no more to propose, the search is complete."""
    bench("tune", *proposer("ends"), "budget.trials=5")
    said = found(folder(home))
    assert said["trials"] == 2 and said["ended"] == "the process has nothing more to propose"
    assert said["declared"] == {"tokens": 207.0, "energy_j": 1.0}
    records = Store(folder(home)).load(Record).records
    spent = sum(e.gross_j for r in records for e in r.energy if e.domain == "worker")
    assert said["find_j"] == pytest.approx(spent + said["proposer"]["energy_j"])
    assert said["proposer"]["cpu_s"] > 0.01  # that of a Python interpreter, which it was
    assert [yaml.safe_load(row[1])["hidden"] for row in trials(folder(home))] == [12, 12]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("unknown", "there is no field rl (did you mean lr?) in the search space"),
        ("type", "lr='fast': must be a number from 0.005 to 3"),
    ],
)
def test_proposals_that_are_refused(bench: Bench, home: Path, how: str, says: str) -> None:
    bench("tune", *proposer(how), "budget.trials=4")
    rows = trials(folder(home))
    assert [row[2] for row in rows] == ["refused", "done", "refused", "done"]
    assert says in rows[0][3] and found(folder(home))["refused"] == 2


def test_programs_that_do_not_propose(bench: Bench, home: Path) -> None:
    done = bench("tune", *proposer("rubbish"), "budget.trials=9", "tune.give_up=3", code=2)
    assert "3 trials in a row came to nothing" in done.stderr and "no JSON" in done.stderr
    done = bench("tune", *proposer("exits"), "budget.trials=9", code=2)
    assert "ended with exit code 3 in the middle of the search. 1 trials are kept" in done.stderr
    done = bench("tune", *proposer("never"), "process.timeout_s=0.5", "budget.trials=9", code=2)
    assert "proposed nothing within process.timeout_s=0.5" in done.stderr


def asked(how: str, timeout_s: float = 5.0) -> Command:
    """A program that has begun."""
    process = Command(f"{sys.executable} {TESTS / 'proposer.py'} {how}", timeout_s)
    space = {"lr": {"low": 0.005, "high": 3.0, "log": True}}
    made = Space.read(space, {"lr": 0.1}, "algo=made_up")
    process.begin(Problem("made_up", "none", "none", made, {"lr": 0.1}, 0, 0.9, "max"))
    return process


def test_a_program_that_floods_or_does_not_listen_or_says_too_much() -> None:
    process = asked("flood")
    while process.lines.qsize() < MAX_LINES:
        time.sleep(0.01)
    with pytest.raises(BadInputError, match="1000 lines without having been asked"):
        process.ask()
    began_s = time.monotonic()
    assert process.end() == {} and time.monotonic() - began_s < 3
    process = asked("deaf", 0.3)
    with pytest.raises(BadInputError, match=r"read nothing of what it was told, for 0\.3 s"):
        for number in range(100):
            process.tell(Told(number, {"lr": 0.1}, "failed", None, None, None, "x" * 9000))
    process.end()
    for how, says in (("deep", "no JSON"), ("huge", "declared must be")):
        process = asked(how)
        proposal = process.ask()
        assert proposal and proposal.refusal and says in proposal.refusal
        process.end()


def test_nothing_that_a_program_started_outlives_it(tmp_path: Path) -> None:
    process = asked("child")
    assert process.ask() and process.process is not None
    below = children(process.process.pid)
    assert len(below) == 1 and process.end() == {"tokens": 7.0}
    until_s = time.monotonic() + 5
    while time.monotonic() < until_s and Path(f"/proc/{below[0]}/cmdline").exists():
        if not Path(f"/proc/{below[0]}/cmdline").read_bytes():  # nobody has waited for it
            break
        time.sleep(0.01)
    else:
        assert not Path(f"/proc/{below[0]}").exists()
    script = tmp_path / "script"
    script.write_text("print()")
    script.chmod(0o755)
    process = Command(str(script))
    with pytest.raises(BadInputError, match=r"cannot start .*script: Exec format error"):
        process.begin(None)  # type: ignore[arg-type]
    assert process.end() == {}


SEARCH = "task=sparse_parity algo=backprop process=random budget.trials=3"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("task=sparse_parity algo=backprop budget.trials=3", "which process? say process=NAME"),
        (SEARCH.replace("random", "randum"), "did you mean random?"),
        ("task=sparse_parity algo=backprop process=random", "how long may it search?"),
        (f"{SEARCH} budget.trials=0", "must be above 0"),
        (f"{SEARCH} budget.trails=3", "did you mean trials?"),
        (f"{SEARCH} budget.like=none.yaml", "cannot read none.yaml"),
        (f"{SEARCH} process.startup=3", "there is no field process.startup"),
        (f"{SEARCH} tune.name=a/b", "letters, digits"),
        (f"{SEARCH} tune.confirm=-1", "at least 0"),
        (f"{SEARCH} seed=1,2", "several values need -m"),
        (f"{SEARCH} curve.first_s=1", "nothing for bench tune"),
        (SEARCH.replace("backprop", "empty"), "algo=empty has no search space"),
        (SEARCH.replace("process=random", "process=command"), "which program?"),
        (
            SEARCH.replace("process=random", "process=command process.command=nonesuch"),
            "no program",
        ),
        (
            "task=nanogpt task.text=grammar task.bytes=40000 algo=ngram process=random budget.trials=2 "
            "algo.order=3 algo.last_bytes=10000",
            "every field of its search space is held",
        ),
    ],
)
def test_bad_input_is_one_line(bench: Bench, home: Path, words: str, says: str) -> None:
    done = bench("tune", *words.split(), code=2)
    assert done.stderr.startswith("bench: ") and done.stderr.count("\n") == 1, done.stderr
    assert says in done.stderr


def test_an_exam_that_is_always_the_same_is_not_tuned_on(bench: Bench, home: Path) -> None:
    (home / "mine.txt").write_bytes(b"to be or not to be, that is the question\n" * 1000)
    words = ("task=nanogpt", "task.text=mine.txt", "task.split=nanogpt")
    done = bench("tune", *words, "algo=ngram", "process=random", "budget.trials=2", code=2)
    assert "has no bar here" in done.stderr
    words = (*words, "task.bar=2")
    done = bench("tune", *words, "algo=ngram", "process=random", "budget.trials=2", code=2)
    assert "asks the same of every draw" in done.stderr


def test_a_search_of_another_name_and_on_text(bench: Bench, home: Path) -> None:
    text = ("task=nanogpt", "task.text=grammar", "task.bytes=40000", "task.score_bytes=2048")
    words = (
        *text,
        "algo=ngram",
        "process=evolve",
        "budget.trials=3",
        "tune.name=mine",
        "repeats=1",
    )
    bench("tune", *words, *ONE)
    assert found(folder(home))["task"] == "nanogpt"
    done = bench("tune", *words, *ONE, "seed=9", code=2)
    assert "another search (seed differ" in done.stderr
    assert "only bench tune has a search" in bench("run", *words[:5], "process=tpe", code=2).stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            FOUND + "process: a, trials: many, find_j: 1, source: a, config_sha256: a}}",
            "trials is 'many'",
        ),
        (
            FOUND + "process: a, trials: 1, find_j: -1, source: a, config_sha256: a}}",
            "find_j is -1",
        ),
        (
            FOUND + "process: a, trials: 1, find_j: 1e3, source: a, config_sha256: a}}",
            "find_j is '1e3'",
        ),
        (
            FOUND + "process: a, trials: 1, find_j: .nan, source: a, config_sha256: a}}",
            "find_j is nan",
        ),
        (FOUND + "process: a, trials: 1, find_j: 1, source: 3, config_sha256: a}}", "source is 3"),
        ("_target_: a\nmade: 2001-99-99", "mine.yaml is no yaml"),
        (None, "cannot read mine.yaml"),
        ("a: [", "mine.yaml is no yaml"),
        ("a: 1", "must have _target_"),
        ("_target_: algorithms.ngrm.Ngram", "did you mean algorithms.ngram.Ngram"),
        ("_target_: algorithms.ngram.Ngram\nordr: 3", "did you mean order?"),
        ("_target_: algorithms.ngram.Ngram\norder: long", "must be a whole number"),
        ("_target_: algorithms.ngram.Ngram\nabout: {found: {trials: 3}}", "lacks process"),
        ("_target_: algorithms.empty.Empty\nabout: 3", "about must hold"),
    ],
)
def test_a_yaml_of_ones_own_that_is_none(home: Path, text: str | None, says: str) -> None:
    if text is not None:
        (home / "mine.yaml").write_text(text)
    with pytest.raises(BadInputError, match=re.escape(says)):
        configure(["task=nanogpt", "algo=mine.yaml"], multirun=False)


def test_a_budget_like_what_is_no_search_is_refused(home: Path) -> None:
    given = dict.fromkeys(("trials", "energy_j", "wall_s")) | {"like": "mine.yaml"}
    for text, says in (
        ("_target_: a", "is not what a search has found"),
        ("made: 2001-99-99", "no yaml"),
        (FOUND + "process: a, trials: [], find_j: 1, source: a, config_sha256: a}}", "trials is"),
    ):
        (home / "mine.yaml").write_text(text)
        with pytest.raises(BadInputError, match=says):
            budget_of(given, False)


def test_what_a_search_says_of_itself_is_kept_as_it_was(home: Path) -> None:
    """And fields that are set by hand are not as published."""
    words = ["task=nanogpt", "task.text=grammar"]
    (config,) = configure([*words, "algo=ngram"], multirun=False)
    assert provenance(config.algo)[0] == "as_published"
    (config,) = configure([*words, "algo=ngram", "algo.order=3"], multirun=False)
    assert provenance(config.algo)[0] == "set_by_hand"
    (config,) = configure([*words, "algo=backprop_tuned"], multirun=False)
    assert provenance(config.algo)[0] == "as_published"
    own = [*OWN[:2], OWN[3]]
    assert provenance(configure(own, multirun=False)[0].algo)[0] == "as_published"
    said = {
        "process": "tpe",
        "trials": 3,
        "find_j": 1e-05,
        "source": "modelled:a",
        "x": [1.0, None],
    }
    (config,) = configure([*words, "algo=ngram", "algo.order=3"], multirun=False)
    path = write(home, config.algo, said, "found")
    (config,) = configure([*words, f"algo={path}"], multirun=False)
    process, kept, notes = provenance(config.algo)
    assert process == "tpe" and kept and kept["find_j"] == 1e-05 and not notes
    path.write_text(path.read_text().replace("1.0e-05", "1.0e-07"))
    (config,) = configure([*words, f"algo={path}"], multirun=False)
    process, kept, notes = provenance(config.algo)
    assert process == "by_hand" and kept is None and "changed since" in notes[0]


def test_processes_and_spaces_are_listed(bench: Bench) -> None:
    said = bench("list").stdout
    assert all(name in said for name in ("as_published", "random", "tpe", "evolve", "command"))
    assert "bench tune searches order: {'low': 2, 'high': 8}" in bench("list", "ngram").stdout
    assert "process.population: 12" in bench("list", "evolve").stdout


def test_a_yaml_of_ones_own_may_leave_fields_out(home: Path) -> None:
    (home / "mine.yaml").write_text("_target_: algorithms.ngram.Ngram\norder: 3\n")
    (config,) = configure(["task=nanogpt", "algo=mine.yaml", "algo.last_bytes=10"], multirun=False)
    assert config.algo.name == "ngram" and config.algo.fields == {"order": 3, "last_bytes": 10}
    assert config.algo.about["threads"] == 1
