"""Shared by all tests: the command `bench` as a user runs it, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# Machines that run tests are busy: an example may take its time. CI tries the same examples each time.
settings.register_profile("joulebench", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("joulebench")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded: two cores, many processes

TESTS = Path(__file__).parent
Bench = Callable[..., subprocess.CompletedProcess[str]]


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
