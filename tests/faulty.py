"""Algorithms that break every rule there is, one each, for tests/test_faults.py."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from algorithms.base import Algorithm, Progress, Query, Refused, Training
from algorithms.empty import Empty
from harness import wire


class Sequence:
    """An honest predictor of uniform bytes, to be spoilt."""

    def reset(self, lanes: int) -> None:
        self.lanes = lanes

    def observe(self, symbols: np.ndarray) -> None:
        return

    def predict(self) -> np.ndarray:
        return np.full((self.lanes, 256), -np.log(256), np.float32)


class Returns:
    """A classifier that returns something of its own."""

    def __init__(self, make: Any) -> None:
        self.make = make

    def predict(self, x: np.ndarray) -> Any:
        return self.make(x)


@dataclass
class Faulty(Algorithm):
    """Does one wrong thing in train, or returns a predictor that does."""

    families: ClassVar[tuple[str, ...]] = ("classification", "sequence")

    def fault(self) -> Any:
        return None

    def train(self, data: dict[str, np.ndarray]) -> Training:
        yield Progress(0)
        return self.fault()


class Raises(Faulty):
    families = ("classification",)

    def fault(self) -> Any:
        raise RuntimeError("the loss went\nto infinity")


class Exits(Faulty):
    families = ("classification",)

    def fault(self) -> Any:
        print("last words", file=sys.stderr, flush=True)
        os._exit(3)


class Segfaults(Faulty):
    families = ("classification",)

    def fault(self) -> Any:
        os.kill(os.getpid(), signal.SIGSEGV)


class Hangs(Faulty):
    families = ("classification",)

    def fault(self) -> Any:
        time.sleep(600)


class HangsInPrepare(Faulty):
    families = ("classification",)

    def prepare(self, spec: Any) -> None:
        time.sleep(600)


@dataclass
class Works(Faulty):
    """Takes its time in every phase and says in a file which it is in, for Ctrl-C."""

    families: ClassVar[tuple[str, ...]] = ("classification",)
    seconds: float = 3.0

    def prepare(self, spec: Any) -> None:
        self.linger("setup")

    def train(self, data: dict[str, np.ndarray]) -> Training:
        yield Progress(1, 15, 0.5)
        self.linger("train")
        return Returns(self.answer)

    def answer(self, x: np.ndarray) -> np.ndarray:
        if len(x) > 1:  # the one input that ends training is answered at once
            self.linger("inference")
        return np.ones(len(x), int)

    def linger(self, phase: str) -> None:
        Path(phase).touch()
        time.sleep(self.seconds)


class Grows(Faulty):
    families = ("classification",)

    def fault(self) -> Any:
        held = []
        while True:
            held.append(np.ones(1 << 22))
            time.sleep(0.02)


class Allocates(Faulty):
    families = ("classification",)

    def fault(self) -> Any:
        raise MemoryError("cannot allocate 3 TB")


class WrongShape(Faulty):
    families = ("classification",)

    def fault(self) -> Any:
        return Returns(lambda x: np.ones(7, int))


class ReturnsNan(Faulty):
    families = ("classification",)

    def fault(self) -> Any:
        return Returns(lambda x: np.full(len(x), np.nan))


class ReturnsText(Faulty):
    families = ("classification",)

    def fault(self) -> Any:
        return Returns(lambda x: "yes")


class ReturnsNothing(Faulty):
    families = ("classification",)


class YieldsRubbish(Faulty):
    families = ("classification",)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        yield "half way"  # type: ignore[misc]


class AsksTooMuch(Faulty):
    families = ("classification",)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        yield Query(np.ones((10**5, 20), np.int8))


class SpeaksRubbish(Faulty):
    """Finds the wire and writes to it."""

    families = ("classification",)

    def fault(self) -> Any:
        for fd in range(3, 32):
            with contextlib.suppress(OSError):
                os.write(fd, b"\x00\x00\x00\x03\xc1\xc1\xc1")
        time.sleep(600)


class Detaches(Faulty):
    """Leaves a process behind that has left the worker's group."""

    families = ("classification",)

    def fault(self) -> Any:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                with contextlib.suppress(OSError):
                    os.closerange(3, 64)
                end = time.process_time() + 0.6
                while time.process_time() < end:
                    pass
                Path("burnt").touch()
                time.sleep(600)
            os._exit(0)
        while not Path("burnt").exists():
            time.sleep(0.05)
        return Returns(lambda x: np.ones(len(x), int))


class Nan(Faulty):
    families = ("sequence",)

    def fault(self) -> Any:
        class Bad(Sequence):
            def predict(self) -> np.ndarray:
                return np.full((self.lanes, 256), np.nan, np.float32)

        return Bad()


class TooLikely(Faulty):
    families = ("sequence",)

    def fault(self) -> Any:
        class Bad(Sequence):
            def predict(self) -> np.ndarray:
                return super().predict() + 1

        return Bad()


class WrongLanes(Faulty):
    families = ("sequence",)

    def fault(self) -> Any:
        class Bad(Sequence):
            def predict(self) -> np.ndarray:
                return super().predict()[:, :255]

        return Bad()


class Shares(Faulty):
    """Learns from one segment for the others, which is forbidden."""

    families = ("sequence",)

    def fault(self) -> Any:
        class Bad(Sequence):
            counts = np.ones(256)

            def observe(self, symbols: np.ndarray) -> None:
                np.add.at(self.counts, symbols, 1)

            def predict(self) -> np.ndarray:
                logp = np.log(self.counts / self.counts.sum()).astype(np.float32)
                return np.tile(logp, (self.lanes, 1))

        return Bad()


class Fine(Empty):
    """Not faulty at all."""

    families = ("classification", "sequence")


class SaysOddProgress(Faulty):
    families = ("classification",)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        for odd in ("ten", float("nan"), [1], 1e300):
            yield Progress(odd, odd, 0.5)  # type: ignore[arg-type]
            time.sleep(0.3)
        return Returns(lambda x: np.ones(len(x), int))


class AsksForAnotherDraw(Faulty):
    """Forges a message: a query for a draw that is not there."""

    families = ("classification",)

    def fault(self) -> Any:
        return write_to_parent({"is": "query", "draw": 99, "x": np.ones((1, 20), np.int8)})


class SaysNothing(Faulty):
    families = ("classification",)

    def fault(self) -> Any:
        return write_to_parent({"is": np.ones(3)})


class DiesOfARealTimeSignal(Faulty):
    families = ("classification",)

    def fault(self) -> Any:
        os.kill(os.getpid(), 40)


class AsksForNothingForEver(Faulty):
    families = ("classification",)
    access: ClassVar[tuple[str, ...]] = ("queries",)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        while True:
            yield Query(np.ones((0, 20), np.int8))


class Drips(Faulty):
    """Begins a message and sends it a byte at a time."""

    families = ("classification",)

    def fault(self) -> Any:
        fd = parents_socket()
        os.write(fd, b"\x00\x10\x00\x00")
        while True:
            os.write(fd, b"x")
            time.sleep(0.05)


class RefusesLate(Faulty):
    families = ("classification",)

    def fault(self) -> Any:
        raise Refused("I do not like this draw")


class HidesItsChildren(Faulty):
    families = ("classification",)

    def fault(self) -> Any:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        time.sleep(1)
        return Returns(lambda x: np.ones(len(x), int))


class PutsTrainingOff(Faulty):
    """Trains in its first answer."""

    families = ("classification",)

    def fault(self) -> Any:
        done: list[int] = []

        def answer(x: np.ndarray) -> np.ndarray:
            if not done:
                end = time.process_time() + 0.3
                while time.process_time() < end:
                    pass
                done.append(1)
            return np.ones(len(x), int)

        return Returns(answer)


def parents_socket() -> int:
    """The worker's end of the wire, as a stranger would find it."""
    for fd in range(3, 64):
        with contextlib.suppress(OSError):
            if Path(f"/proc/self/fd/{fd}").readlink().name.startswith("socket:"):
                return fd
    raise OSError("no socket")


def write_to_parent(message: dict[str, Any]) -> None:
    data = wire.pack(message)
    os.write(parents_socket(), len(data).to_bytes(4, "big") + data)
    time.sleep(600)
