"""What a proposer leaves behind is on its own bill, never on a trial's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.processes.base import Problem
from harness.processes.command import Command
from harness.processes.space import Space
from metrics.process_tree import LINUX, ProcessTree, adopt_orphans, is_dead

pytestmark = pytest.mark.skipif(not LINUX, reason="only Linux gives orphans to whoever adopts them")

# Asked, it starts a program that starts another one, in a session of its own, and ends: an orphan that
# goes on working, as a server that was put into the background does.
LEAVES = """
import json, pathlib, subprocess, sys
BURN = '''import os, time
open("orphan", "w").write(str(os.getpid()))
while time.process_time() < 30: pass'''
START = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {BURN!r}], start_new_session=True)"
for line in sys.stdin:
    if json.loads(line)["do"] == "ask":
        subprocess.run([sys.executable, "-c", START])
        print(json.dumps({"fields": {}}), flush=True)
"""


def until(true: Callable[[], bool], limit_s: float = 20.0) -> None:
    end_s = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end_s
        time.sleep(0.01)


@pytest.fixture
def worker() -> Iterator[int]:
    """A process as a trial's worker is: a child of ours, which adopts orphans."""
    adopt_orphans()
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=-1)
    yield process.pid
    process.kill()
    process.wait()
    assert process.stdin
    process.stdin.close()


def test_an_orphan_of_the_proposers_is_not_the_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: int
) -> None:
    """It appears while a tree is open, stays out of it, is on the proposer's bill, and ends with it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "propose.py").write_text(LEAVES)
    process = Command(f"{sys.executable} propose.py", 60.0)
    made = Space.read({"lr": {"low": 0.1, "high": 1.0}}, {"lr": 0.1}, "algo=made_up")
    process.begin(Problem("made_up", "none", "none", made, {"lr": 0.1}, 0, 0.9, "max"))
    try:
        tree = ProcessTree(worker)
        before_s = process.cpu_s()
        assert process.ask()
        until(lambda: (tmp_path / "orphan").exists() and (tmp_path / "orphan").read_text() != "")
        orphan = int((tmp_path / "orphan").read_text())
        assert process.process is not None and os.getsid(orphan) == orphan
        until(lambda: process.cpu_s() - before_s > 0.5)
        assert tree.members() == [worker] and tree.cpu_s() < 0.4
    finally:
        process.end()
    assert is_dead(orphan) and tree.members() == [worker]
