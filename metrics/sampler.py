"""The sampler: power, temperature and clocks over time, read by a process of its own.

A sensor that is slow to answer then delays neither the work nor the meter, and what sampling costs is
on nobody's bill. Every row is one `write` of one line, so that a killed sampler leaves all its rows.
The file has three kinds of JSON lines: a header (array of column names, again when one is added), a
row (array of numbers; null where nothing was read), and an object: an error, or the sampler's cost.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metrics.trace import Trace

PR_SET_PDEATHSIG = 1
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 2.0
Probe = Callable[[], dict[str, float | None]]


class Sampler:
    """Samples probes at `hz` into the file `path` while the context is open.

    probes: as in Meter.probes(). The sampler is a child of this process, which a ProcessTree must
    `ignore`, and must be stopped by the thread that started it: it ends with that thread. A probe that
    fails, or a sampler that does, never raises here; the Trace says what was lost.
    """

    def __init__(
        self, probes: list[tuple[str, dict[str, Any]]], path: str | Path, hz: float = 10.0
    ) -> None:
        if not 0 < hz <= 1000:
            raise ValueError(f"hz={hz:g}: must be above 0 and at most 1000")
        self.probes = probes
        self.path = Path(path)
        self.hz = hz
        self.trace: Trace | None = None

    def __enter__(self) -> Sampler:
        words = (str(self.hz), str(self.path.resolve()), str(os.getpid()), json.dumps(self.probes))
        self.path.write_bytes(b"")
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "metrics.sampler", *words],
            stdin=subprocess.PIPE,  # its end of file is what stops the sampler
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the work, not for the sampler
        )
        assert self.process.stdout is not None
        # Imports are over once it has spoken: nothing of its start falls into a window.
        select.select([self.process.stdout], [], [], START_TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> Trace:
        """Ends the sampler and returns what it saw. May be called again."""
        from metrics.trace import read_rows

        if self.trace is None:
            assert self.process.stdin is not None and self.process.stdout is not None
            with contextlib.suppress(OSError):
                self.process.stdin.close()
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.trace = read_rows(self.path)
            if code := self.process.returncode:
                how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
                self.trace.problems.append(f"the sampler ended early ({how}); its rows are kept")
        return self.trace


class Rows:
    """The sampler's side: probes, and the file they are written to."""

    def __init__(self, file: int, probes: list[tuple[str, dict[str, Any]]]) -> None:
        self.file = file
        self.columns: list[str] = []
        self.probes: list[tuple[str, Probe]] = []
        for name, fields in probes:
            try:
                module, _, factory = name.rpartition(".")
                probe = getattr(importlib.import_module(module), factory)(**fields)
                self.probes.append((name, probe))
            except Exception as error:  # a stranger's driver may raise anything
                self.fail(name, error)

    def sample(self) -> None:
        """Calls every probe once and writes a row; its time is that at which reading began."""
        t_s = time.monotonic()
        seen: dict[str, float | None] = {}
        for name, probe in self.probes:
            try:
                seen |= {column: finite(value) for column, value in probe().items()}
            except Exception as error:
                self.fail(name, error)
        new = [column for column in seen if column not in self.columns]
        if new or not self.columns:
            self.columns += new
            self.write(["t_s", *self.columns])
        self.write([t_s, *map(seen.get, self.columns)])

    def fail(self, name: str, error: Exception) -> None:
        self.write({"probe": name, "error": f"{type(error).__name__}: {error}"[:200]})

    def write(self, entry: Any) -> None:
        os.write(self.file, json.dumps(entry).encode() + b"\n")


def finite(value: float | None) -> float | None:
    """A number that JSON can hold, or None."""
    return None if value is None or not math.isfinite(value) else float(value)


def run(rows: Rows, hz: float, started: Callable[[], None]) -> None:
    """Samples until standard input ends. Deadlines are fixed at the start; one that was missed is
    skipped, never caught up with."""
    rows.sample()
    started()
    start_s, start_cpu_s = time.monotonic(), time.process_time()
    tick = 0
    while True:
        tick = max(tick + 1, math.ceil((time.monotonic() - start_s) * hz))
        left_s = start_s + tick / hz - time.monotonic()
        if select.select([0], [], [], max(0.0, left_s))[0]:
            break
        rows.sample()
    cpu_s = time.process_time() - start_cpu_s
    rows.write({"cpu_s": cpu_s, "elapsed_s": time.monotonic() - start_s})


def main(words: list[str]) -> None:
    """`python -P -m metrics.sampler HZ FILE PARENT PROBES`."""
    hz, path, parent, probes = float(words[0]), words[1], int(words[2]), json.loads(words[3])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked to be told
        return
    speak, silence = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # a driver that prints must not fill a pipe that nobody empties

    def started() -> None:
        gc.collect()
        gc.freeze()  # what the imports left is not walked again
        os.write(speak, b"started\n")

    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    run(Rows(file, probes), hz, started)


if __name__ == "__main__":
    main(sys.argv[1:])
