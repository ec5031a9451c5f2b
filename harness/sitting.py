"""One sitting: a fresh worker process from its first instruction to its last, under a meter.

The parent's side of the wire. Every phase is a window between two marks of the meter; whatever happens
inside, the window is closed and its energy kept.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import psutil

from harness import wire
from harness.child import Child
from harness.errors import BadInputError, WorkerError
from harness.settle import settle
from harness.windows import Windows
from metrics.joint import Joint
from metrics.meter import monotonic_s
from tasks.base import Draw, PredictionError

WATCH_EVERY_S = 0.25
MAX_REPLY_BYTES = 64 << 20  # no answer, not even log-probabilities of many lanes, is larger


@dataclass(frozen=True)
class Limits:
    """Bounds on a sitting: seconds for each phase, and gigabytes (1e9 bytes) of resident memory."""

    setup_s: float
    train_s: float
    inference_s: float
    memory_gb: float


@dataclass(frozen=True)
class Moment:
    """What the watcher sees a few times a second: for progress displays. joules: None where nothing is
    metered."""

    phase: str
    elapsed_s: float
    joules: float | None
    loss: float | None = None
    step: int = 0
    of: int = 0


class Sitting(Windows):
    """A worker process with an algorithm in it. Use as a context manager; leaving it ends the worker.

    threads, gpu, variables: as in `Child`. Raises WorkerError where the worker fails, BadInputError where the
    algorithm refuses the task.
    """

    def __init__(
        self,
        meter: Joint,
        limits: Limits,
        threads: int,
        gpu: bool,
        watch: Callable[[Moment], None] = lambda moment: None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.child = Child(threads, gpu, variables)
        super().__init__(meter, self.child.tree)
        self.limits = limits
        self.watch = watch
        self.queries = 0
        self.asked: dict[int, int] = defaultdict(int)
        self.adapts: bool | None = None
        self.draws_pictures = False
        self.log = b""
        self.overdue = False
        self.late = ""
        self.looked_s = 0.0

    def __enter__(self) -> Sitting:
        try:
            self.meter.open(self.tree)
        except BaseException:
            self.child.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.log = self.child.end()
        self.meter.close()

    @contextlib.contextmanager
    def bounded(
        self, phase: str, repeats: int, limit_s: float, before_s: float = 0.0
    ) -> Iterator[None]:
        """A window at whose limit the worker is killed, whatever it and the parent are doing.

        before_s: how much of the limit has been spent in earlier windows of the phase.
        """
        field = {"evaluation": "inference"}.get(phase, phase)
        late = (
            f"the worker was still in {phase} after limits.{field}_s={limit_s:g} and was ended; raise "
            "the limit if that was to be expected"
        )
        limit_s = max(0.001, limit_s - before_s)
        watchdog = self._watchdog(limit_s, late)
        with self.window(phase, repeats), running(watchdog):
            yield

    @contextlib.contextmanager
    def unmetered(self, phase: str, limit_s: float, late: str) -> Iterator[None]:
        """What follows the last window, under a limit as well. late: what is said of an overrun."""
        self.phase, self.begin_s, self.mark = phase, monotonic_s(), None
        with running(self._watchdog(limit_s, late)):
            yield

    def prepare(self, target: str, fields: dict[str, Any], spec: Any) -> None:
        """Imports, allocation, compiling, warm-up: metered as setup, from the process's first import."""
        request = {"do": "prepare", "target": target, "fields": fields, "spec": asdict(spec)}
        with self.bounded("setup", 1, self.limits.setup_s):
            self.child.wake()
            reply = self.ask(request)
        self.adapts = reply.get("adapts") is True
        self.draws_pictures = reply.get("pictures") is True

    def idle(self, settle_s: float) -> None:
        """Measures what the device draws while the worker is stopped, its device context open.

        settle_s: how long to wait at most for temperature and power to be flat.
        """
        if self.meter.idle_s <= 0:
            return
        self.tree.signal(signal.SIGSTOP)
        try:
            if settle_s and (warning := settle(self.meter.probes(), settle_s)):
                self.warnings.append(warning)
            with self.window("idle"):
                while (left_s := self.begin_s + self.meter.idle_s - monotonic_s()) > 0:
                    time.sleep(min(WATCH_EVERY_S, left_s))
                    self._watch()
        finally:
            self.tree.signal(signal.SIGCONT)

    def train(
        self, draws: list[Draw], answer: Callable[[Draw, np.ndarray, int], np.ndarray]
    ) -> None:
        """Hands over every draw's data in one message and waits for the predictors, metered."""
        request = {"do": "train", "draws": [draw.train for draw in draws]}
        with self.bounded("train", len(draws), self.limits.train_s):
            reply = self.ask_training(request, draws, answer)
        if reply["is"] != "trained":
            raise WorkerError(f"the worker answered {reply['is']!r} instead of training")

    def ask_training(
        self,
        request: dict[str, Any],
        draws: list[Draw],
        answer: Callable[[Draw, np.ndarray, int], np.ndarray],
    ) -> dict[str, Any]:
        """`ask` for training, which may ask back: queries are answered and counted."""
        reply = self.ask(request)
        while reply["is"] == "query":
            index, x = reply.get("draw"), reply.get("x")
            if not isinstance(x, np.ndarray):
                raise WorkerError("the algorithm's Query holds no array of inputs")
            if type(index) is not int or not 0 <= index < len(draws):
                raise WorkerError(f"a Query came for draw {index!r} of {len(draws)}")
            labels = answer(draws[index], x, self.asked[index])
            self.asked[index] += len(labels)
            self.queries += len(labels)
            reply = self.ask({"do": "answer", "y": labels})
        return reply

    def inference(self, repeats: int) -> contextlib.AbstractContextManager[None]:
        """Meters the predictions of `repeats` examinations."""
        return self.bounded("inference", repeats, self.limits.inference_s)

    def value(self, request: dict[str, Any]) -> np.ndarray:
        """Asks a predictor something and returns the array that comes back."""
        value = self.ask(request).get("value")
        if not isinstance(value, np.ndarray):
            raise PredictionError(f"predict returned no array but {type(value).__name__}")
        return value

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Sends a request and waits for its reply, watching the worker meanwhile."""
        channel = self.child.channel
        try:
            wire.send(channel, request)
            while True:
                while not channel.poll(WATCH_EVERY_S):
                    self._watch()
                reply = wire.receive(channel, MAX_REPLY_BYTES)
                if not isinstance(reply.get("is"), str) or reply["is"] != "progress":
                    break
                self._watch(reply)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise WorkerError(
                self.late if self.overdue else self.child.obituary(self.phase)
            ) from None
        except BlockingIOError:
            raise WorkerError(
                f"the worker stopped in the middle of a message in {self.phase}"
            ) from None
        except wire.WireError as error:
            raise WorkerError(f"the worker sent something that is {error}") from None
        if monotonic_s() - self.looked_s > WATCH_EVERY_S:
            self._watch()  # a worker that always answers at once is looked at as well
        return self._checked(reply)

    def _checked(self, reply: dict[str, Any]) -> dict[str, Any]:
        """A reply that is an answer; what the worker says of its failure is raised."""
        kind = reply.get("is")
        if not isinstance(kind, str):
            raise WorkerError(f"the worker's reply in {self.phase} does not say what it is")
        if kind not in ("refused", "error"):
            return reply
        text = " ".join(str(reply.get("text")).split())
        if kind == "refused" and self.phase == "setup":
            raise BadInputError(text)
        if kind == "refused":  # too late: whoever has seen the draw may not choose it
            raise WorkerError(f"the algorithm refused in {self.phase}: {text}")
        if reply.get("memory"):
            raise WorkerError(f"the algorithm ran out of memory in {self.phase} ({text[:200]})")
        raise WorkerError(f"the algorithm failed in {self.phase}: {text} (at {reply.get('where')})")

    def _watchdog(self, limit_s: float, late: str) -> threading.Timer:
        self.late = late
        watchdog = threading.Timer(limit_s, self._overrun)
        watchdog.daemon = True
        return watchdog

    def _overrun(self) -> None:
        self.overdue = True
        self.tree.signal(signal.SIGKILL)

    def _watch(self, progress: dict[str, Any] | None = None) -> None:
        self.looked_s = monotonic_s()
        if self.overdue:
            raise WorkerError(self.late)
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
        seen = progress or {}
        loss, step, of = (seen.get(name) for name in ("loss", "step", "of"))
        self.watch(
            Moment(
                phase=self.phase,
                elapsed_s=self.looked_s - self.begin_s,
                joules=self.glance(),
                loss=loss if type(loss) is float else None,
                step=step if type(step) is int else 0,
                of=of if type(of) is int else 0,
            )
        )


@contextlib.contextmanager
def running(watchdog: threading.Timer) -> Iterator[None]:
    """Starts a timer, and stops it if it is left in time."""
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def default_memory_gb() -> float:
    """Nine tenths of what is available now."""
    return 0.9 * psutil.virtual_memory().available / 1e9
