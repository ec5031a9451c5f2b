"""Shared by all tests: the command `bench` as a user runs it, in a folder of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Machines that run tests are busy: an example may take its time. CI tries the same examples each time.
settings.register_profile("joulebench", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("joulebench")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded: two cores, many processes

SHARED = "JOULEBENCH_TESTS"  # the folder of one session of tests, made by its controller
worker = os.environ.get("PYTEST_XDIST_WORKER")
TESTS = Path(__file__).parent
Bench = Callable[..., subprocess.CompletedProcess[str]]


def pytest_configure(config: pytest.Config) -> None:
    """Each worker of pytest-xdist has temporary files, and so a device lock, of its own."""
    if worker is None:
        folder = tempfile.TemporaryDirectory(prefix="joulebench-tests-")
        os.environ[SHARED] = folder.name
        config.add_cleanup(folder.cleanup)
        return
    tempfile.tempdir = os.environ["TMPDIR"] = str(Path(os.environ[SHARED], worker))
    Path(tempfile.tempdir).mkdir()
    for name in ("COLUMNS", "LINES"):  # of a terminal that is not there: tables would be cut
        os.environ.pop(name, None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test marked `alone` waits until no other worker runs a test, and none begins one before it ends."""
    with neighbours(item.get_closest_marker("alone") is None):
        return (yield)


@contextlib.contextmanager
def neighbours(welcome: bool) -> Iterator[None]:
    """Whoever waits to be alone holds the door meanwhile, so that others cannot keep it waiting."""
    if worker is None:
        yield
        return
    folder = Path(os.environ[SHARED])
    with (folder / "door").open("w") as door, (folder / "room").open("w") as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_SH if welcome else fcntl.LOCK_EX)
        fcntl.flock(door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(room, fcntl.LOCK_UN)  # closing is not enough: forks have it open as well


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, with its own device lock so that tests do not queue for the machine."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path


@pytest.fixture
def bench(home: Path) -> Bench:
    """Runs `bench` in the working folder; checks the exit code and returns what it printed."""

    def call(*words: str, code: int = 0, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command(*words), capture_output=True, text=True, timeout=timeout, env=dict(os.environ)
        )
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return call


def command(*words: str) -> list[str]:
    """The installed command, by this interpreter."""
    return [str(Path(sys.executable).with_name("bench")), *words]
