"""One sitting: a fresh worker process from its first instruction to its last, under a meter.

The parent's side of the wire. Every phase is a window between two meter readings; whatever happens
inside, the window is closed and its energy kept.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import site
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from harness import wire
from harness.errors import BadInputError, WorkerError
from metrics.meter import Meter, Window, monotonic_s
from metrics.process_tree import ProcessTree, adopt_orphans
from metrics.record import EnergyRow, Phase
from tasks.base import Draw, PredictionError

WATCH_EVERY_S = 0.25
MAX_REPLY_BYTES = (
    64 << 20
)  # the largest answer there can be is log-probabilities of a batch of lanes
LOG_BYTES = 1 << 20
MESSAGE_TIMEOUT = struct.pack("ll", 60, 0)  # a message begun must end within 60 s
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
# The worker waits for a byte before it imports anything, so that its setup is metered as a whole.
BOOT = "import os; os.read({fd}, 1); from harness.worker import main; main({fd})"
KEPT_VARIABLES = ("PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "CC", "CXX")
KEPT_PREFIXES = ("LC_", "CUDA_", "NVIDIA_")


@dataclass(frozen=True)
class Limits:
    """Bounds on a sitting: seconds for each phase, and gigabytes (1e9 bytes) of resident memory."""

    setup_s: float
    train_s: float
    inference_s: float
    memory_gb: float


@dataclass(frozen=True)
class Moment:
    """What the watcher sees a few times a second: for progress displays."""

    phase: str
    elapsed_s: float
    joules: float
    loss: float | None = None
    step: int = 0
    of: int = 0


class Sitting:
    """A worker process with an algorithm in it. Use as a context manager; leaving it ends the worker.

    Raises WorkerError where the worker fails, BadInputError where the algorithm refuses the task.
    """

    def __init__(
        self,
        meter: Meter,
        limits: Limits,
        threads: int,
        gpu: bool,
        watch: Callable[[Moment], None] = lambda moment: None,
    ) -> None:
        self.meter = meter
        self.limits = limits
        self.threads = threads
        self.gpu = gpu
        self.watch = watch
        self.windows: list[Window] = []
        self.phases: list[Phase] = []
        self.phase = "start"
        self.queries = 0
        self.adapts: bool | None = None
        self.log = b""
        self.overdue = False
        self.looked_s = 0.0

    def __enter__(self) -> Sitting:
        self.folder = Path(tempfile.mkdtemp(prefix="joulebench-"))
        for name in ("home", "tmp", "work"):
            (self.folder / name).mkdir()
        ours, theirs = socket.socketpair()
        adopt_orphans()
        with theirs, (self.folder / "worker.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", BOOT.format(fd=theirs.fileno())],
                cwd=self.folder / "work",
                env=environment(self.folder, self.threads, self.gpu),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            ours.setsockopt(socket.SOL_SOCKET, option, MESSAGE_TIMEOUT)
        self.channel = Connection(ours.detach())
        self.tree = ProcessTree(self.process.pid)
        try:
            self.meter.open(self.tree)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            wire.send(self.channel, {"do": "end"})
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=0.2)
        self.tree.kill()
        self.process.wait()
        self.log = self._tail(LOG_BYTES)
        self.channel.close()
        self.meter.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def window(self, phase: str, repeats: int, limit_s: float) -> Iterator[None]:
        """Meters what happens inside, and bounds it."""
        self.phase, self.limit_s = phase, limit_s
        self.tree.peak_rss_bytes = 0
        self.tree.rss_bytes()
        self.mark = self.meter.begin()
        watchdog = threading.Timer(limit_s, self._overrun)
        watchdog.daemon = True
        watchdog.start()
        cpu_s, self.begin_s = self.tree.cpu_s(), monotonic_s()
        try:
            yield
        finally:
            now_s = monotonic_s()
            watchdog.cancel()
            cpu_s = self.tree.cpu_s() - cpu_s
            self.tree.rss_bytes()
            end = self.meter.end(now_s)
            self.windows.append(Window(phase, repeats, self.begin_s, now_s, self.mark, end))
            self.phases.append(
                Phase(
                    phase=phase,
                    wall_s=now_s - self.begin_s,
                    cpu_s=cpu_s,
                    peak_rss_bytes=self.tree.peak_rss_bytes,
                    repeats=repeats,
                )
            )

    def lasted(self, phase: str) -> Phase:
        """Seconds of the last window of a phase."""
        return next(p for p in reversed(self.phases) if p.phase == phase)

    def rows(self) -> list[EnergyRow]:
        """The energy of every window so far, set against the idle ones."""
        idle = [window for window in self.windows if window.phase == "idle"]
        return [row for window in self.windows for row in self.meter.rows(window, idle)]

    def idle(self) -> None:
        """Measures what the device draws while the worker is stopped, its device context open."""
        if self.meter.idle_s <= 0:
            return
        self.tree.signal(signal.SIGSTOP)
        try:
            with self.window("idle", 1, self.meter.idle_s + 60):
                end_s = self.begin_s + self.meter.idle_s
                while (left_s := end_s - monotonic_s()) > 0:
                    time.sleep(min(WATCH_EVERY_S, left_s))
                    self._watch()
        finally:
            self.tree.signal(signal.SIGCONT)

    def prepare(self, target: str, fields: dict[str, Any], spec: Any) -> None:
        """Imports, allocation, compiling, warm-up: metered as setup, from the process's first moment."""
        with self.window("setup", 1, self.limits.setup_s):
            self._wake()
            reply = self.ask(
                {"do": "prepare", "target": target, "fields": fields, "spec": asdict(spec)}
            )
        self.adapts = reply.get("adapts") is True

    def train(
        self, draws: list[Draw], answer: Callable[[Draw, np.ndarray, int], np.ndarray]
    ) -> None:
        """Hands over every draw's data in one message and waits for the predictors, metered."""
        request = {"do": "train", "draws": [draw.train for draw in draws]}
        asked = [0] * len(draws)
        with self.window("train", len(draws), self.limits.train_s):
            reply = self.ask(request)
            while reply["is"] == "query":
                index, x = reply.get("draw"), reply.get("x")
                if not isinstance(x, np.ndarray):
                    raise WorkerError("the algorithm's Query holds no array of inputs")
                if type(index) is not int or not 0 <= index < len(draws):
                    raise WorkerError(f"a Query came for draw {index!r} of {len(draws)}")
                labels = answer(draws[index], x, asked[index])
                asked[index] += len(labels)
                self.queries += len(labels)
                reply = self.ask({"do": "answer", "y": labels})
        if reply["is"] != "trained":
            raise WorkerError(f"the worker answered {reply['is']!r} instead of training")

    @contextlib.contextmanager
    def inference(self, repeats: int) -> Iterator[None]:
        """Meters the predictions of `repeats` examinations."""
        with self.window("inference", repeats, self.limits.inference_s):
            yield

    def value(self, request: dict[str, Any]) -> np.ndarray:
        """Asks a predictor something and returns the array that comes back."""
        value = self.ask(request).get("value")
        if not isinstance(value, np.ndarray):
            raise PredictionError(f"predict returned no array but {type(value).__name__}")
        return value

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Sends a request and waits for its reply, watching the worker meanwhile."""
        try:
            wire.send(self.channel, request)
            while True:
                while not self.channel.poll(WATCH_EVERY_S):
                    self._watch()
                reply = wire.receive(self.channel, MAX_REPLY_BYTES)
                if reply.get("is") == "progress":
                    self._watch(reply)
                    continue
                break
            if monotonic_s() - self.looked_s > WATCH_EVERY_S:
                self._watch()  # a worker that answers at once is looked at as well
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise WorkerError(self._death()) from None
        except BlockingIOError:
            raise WorkerError(
                f"the worker stopped in the middle of a message in {self.phase}"
            ) from None
        except wire.WireError as error:
            raise WorkerError(f"the worker sent something that is {error}") from None
        if not isinstance(reply.get("is"), str):
            raise WorkerError(f"the worker's reply in {self.phase} does not say what it is")
        if reply["is"] not in ("refused", "error"):
            return reply
        text = " ".join(str(reply.get("text")).split())
        if reply["is"] == "refused" and self.phase == "setup":
            raise BadInputError(text)
        if reply["is"] == "refused":  # too late: whoever has seen the draw may not choose it
            raise WorkerError(f"the algorithm refused in {self.phase}: {text}")
        if reply.get("memory"):
            raise WorkerError(f"the algorithm ran out of memory in {self.phase} ({text[:200]})")
        raise WorkerError(f"the algorithm failed in {self.phase}: {text} (at {reply.get('where')})")

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # if it is dead already, the request will tell
            os.write(self.channel.fileno(), b"!")

    def _overrun(self) -> None:
        """The watchdog's: whatever the worker and the parent are doing, it ends here."""
        self.overdue = True
        self.tree.signal(signal.SIGKILL)

    def _late(self) -> str:
        return (
            f"the worker was still in {self.phase} after limits.{self.phase}_s={self.limit_s:g} "
            "and was ended; raise the limit if that was to be expected"
        )

    def _watch(self, progress: dict[str, Any] | None = None) -> None:
        self.looked_s = monotonic_s()
        elapsed_s = self.looked_s - self.begin_s
        if self.overdue:
            raise WorkerError(self._late())
        if self.tree.hides_children():
            raise WorkerError(
                f"the algorithm ignores SIGCHLD in {self.phase}, which hides the CPU time of its "
                "children from every meter; it must not"
            )
        rss_bytes = self.tree.rss_bytes()
        if rss_bytes > self.limits.memory_gb * 1e9:
            raise WorkerError(
                f"the worker's memory reached {rss_bytes / 1e9:.2f} GB, above limits.memory_gb="
                f"{self.limits.memory_gb:.3g}, in {self.phase}; it was ended"
            )
        joules = self.meter.glance(self.mark)
        seen = progress or {}
        loss, step, of = (seen.get(name) for name in ("loss", "step", "of"))
        self.watch(
            Moment(
                phase=self.phase,
                elapsed_s=elapsed_s,
                joules=joules,
                loss=loss if type(loss) is float else None,
                step=step if type(step) is int else 0,
                of=of if type(of) is int else 0,
            )
        )

    def _death(self) -> str:
        if self.overdue:
            return self._late()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=2)
        code = self.process.returncode
        if code is None:
            return f"the worker closed its connection in {self.phase}"
        if code == -signal.SIGKILL:
            return f"the worker was killed in {self.phase} (SIGKILL: most likely out of memory)"
        if code < 0:
            name = {s.value: s.name for s in signal.Signals}.get(-code, f"signal {-code}")
            return f"the worker crashed in {self.phase} ({name}){self._last_words()}"
        return f"the worker ended in {self.phase} with exit code {code}{self._last_words()}"

    def _tail(self, size: int) -> bytes:
        with contextlib.suppress(OSError), (self.folder / "worker.log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read(size)
        return b""

    def _last_words(self) -> str:
        lines = self._tail(2000).decode(errors="replace").split("\n")
        spoken = [line.strip() for line in lines if line.strip()]
        return f": {spoken[-1][:300]}" if spoken else ""


def environment(folder: Path, threads: int, gpu: bool) -> dict[str, str]:
    """The worker's environment: what programs need to run, and nothing of the user's.

    gpu: whether a GPU's work is on the bill. Where it is not, the worker is shown no GPU.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT_VARIABLES or name.startswith(KEPT_PREFIXES)
    }
    return {
        **kept,
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PYTHONUSERBASE": site.getuserbase(),  # packages installed with --user are found by HOME
        "PYTHONHASHSEED": "0",
        **({} if gpu else {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": ""}),
    }


def default_memory_gb() -> float:
    """Nine tenths of what is available now."""
    return 0.9 * psutil.virtual_memory().available / 1e9
