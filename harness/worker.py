"""The worker's side of a sitting: runs one algorithm, answers one parent, knows nothing else.

Started by the parent in an empty folder. It answers five requests: prepare, train, predict (or step,
for sequences, and rule, where a rule is searched for), pictures and end.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from algorithms.base import Algorithm, Progress, Query, Refused
from harness import wire
from harness.load import load_class
from tasks.base import TaskError
from tasks.classification import Classification
from tasks.rule_search import RuleSearch
from tasks.sequence import SequenceSpec

PROGRESS_EVERY_S = 0.25
PR_SET_PDEATHSIG = 1
SPECS: dict[str, type] = {
    "classification": Classification,
    "sequence": SequenceSpec,
    "rule_search": RuleSearch,
}


class Worker:
    """One algorithm and the predictors it has trained, one per draw."""

    def __init__(self, channel: Connection) -> None:
        self.channel = channel
        self.algorithm: Algorithm | None = None
        self.predictors: list[Any] = []
        self.counting: Any = None  # a harness.counting.Counting, in a worker that counts
        self._said_s = 0.0

    def serve(self, until: tuple[str, ...] = ("end",)) -> str:
        """Answers requests until one of these words comes, which is returned."""
        requests: dict[str, Callable[..., dict[str, Any]]] = {
            "prepare": self.prepare,
            "train": self.train,
            "predict": self.predict,
            "step": self.step,
            "rule": self.rule,
            "pictures": self.pictures,
        }
        while True:
            message = wire.receive(self.channel)
            do = message.pop("do")
            if do in until:
                return str(do)
            wire.send(self.channel, requests[do](**message))

    def prepare(self, target: str, fields: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
        """Constructs the algorithm and lets it warm up on the public spec."""
        self.algorithm = load_class(target)(**fields)
        self.spec = SPECS[spec["family"]](**spec)
        self.algorithm.prepare(self.spec)
        synchronise()
        draws = getattr(type(self.algorithm), "pictures", Algorithm.pictures)
        return {
            "is": "ready",
            "adapts": bool(self.algorithm.adapts),
            "pictures": draws is not Algorithm.pictures,
        }

    def train(
        self,
        draws: list[dict[str, np.ndarray]],
        pauses: dict[str, float] | None = None,
        count: bool = False,
    ) -> dict[str, Any]:
        """Trains on every draw, each from a fresh state. pauses: as in `Pauses`; None for none.

        count: every operation is counted, which slows it down many times over.
        """
        if not count:
            self._train(draws, Pauses(**pauses) if pauses else None)
            return {"is": "trained"}
        from harness.counting import Counting  # late: a measured worker has no use for it

        assert self.algorithm is not None
        with Counting(self.algorithm, self.spec) as self.counting:
            self._train(self.counting.wrap(draws), None)
        return {"is": "trained", "counts": self.counting.told()}

    def _train(self, draws: list[dict[str, np.ndarray]], due: Pauses | None) -> None:
        assert self.algorithm is not None
        for index, data in enumerate(draws):
            training = self.algorithm.train(data)
            answer = None
            while True:
                try:
                    event = training.send(answer)
                except StopIteration as end:
                    self.predictors.append(end.value)
                    break
                answer = None
                if isinstance(event, Query):
                    wire.send(self.channel, {"is": "query", "draw": index, "x": event.x})
                    answer = wire.receive(self.channel)["y"]
                    if self.counting:
                        answer = self.counting.wrap(answer)
                elif isinstance(event, Progress):
                    if due and event.predictor is not None and due.now():
                        if not self._pause(event):
                            training.close()
                            self.predictors.append(event.predictor)
                            break
                        due.go_on()
                    else:
                        self._progress(event, index)
                else:
                    raise TypeError(
                        f"train yielded a {type(event).__name__}; yield Progress or Query"
                    )
        for predictor in self.predictors:
            self._first_answer(predictor)
        synchronise()

    def _pause(self, event: Progress) -> bool:
        """Lets the parent question the predictor as it stands. Whether training shall go on."""
        self._first_answer(event.predictor)  # what it puts off until then is training
        synchronise()
        told = {"step": event.step, "of": event.of, "loss": as_float(event.loss)}
        self.predictors.append(event.predictor)
        wire.send(self.channel, {"is": "paused", **told})
        go_on = self.serve(until=("go_on", "stop")) == "go_on"
        self.predictors.pop()
        return go_on

    def _first_answer(self, predictor: Any) -> None:
        """A predictor is ready once it has answered: what it puts off until then is training."""
        spec: Any = self.spec
        if spec.family == "classification":
            if self.counting:  # the same each time, and not made here, where it would be counted
                predictor.predict(self.counting.first)
                return
            signs = np.frombuffer(os.urandom(spec.n), np.uint8) & 1
            predictor.predict((2 * signs.astype(np.int8) - 1)[None])
        elif spec.family == "rule_search":
            predictor.rule()
        else:
            predictor.reset(1)
            predictor.predict()

    def predict(self, draw: int, x: np.ndarray) -> dict[str, Any]:
        """Labels of a classification predictor."""
        return {"is": "value", "value": np.asarray(self.predictors[draw].predict(x))}

    def step(
        self, draw: int, lanes: int | None = None, symbols: np.ndarray | None = None
    ) -> dict[str, Any]:
        """One position of a sequence predictor: reset or observe, then predict."""
        predictor = self.predictors[draw]
        if lanes is not None:
            predictor.reset(lanes)
        if symbols is not None:
            predictor.observe(symbols)
        value = np.asarray(predictor.predict())
        if value.dtype.kind == "f" and value.dtype != np.float32:
            value = value.astype(np.float32)  # half the traffic, and all that the score can use
        return {"is": "value", "value": value}

    def rule(self, draw: int) -> dict[str, Any]:
        """The table of a predictor that has searched for a rule."""
        return {"is": "value", "value": np.asarray(self.predictors[draw].rule())}

    def pictures(self, data: dict[str, np.ndarray]) -> dict[str, Any]:
        """What the algorithm draws of its training. The last request: nothing is measured any more."""
        assert self.algorithm is not None
        return {"is": "pictures", "files": self.algorithm.pictures(data)}

    def _progress(self, event: Progress, draw: int) -> None:
        now = time.monotonic()
        if now - self._said_s >= PROGRESS_EVERY_S:
            self._said_s = now
            # To read a loss may take an operation, and how often it is read depends on the clock.
            loss = None if self.counting else as_float(event.loss)
            told = {"step": event.step, "of": event.of, "loss": loss}
            wire.send(self.channel, {"is": "progress", "draw": draw, **told})


class Pauses:
    """When to pause: after first_s seconds of training, then each time it has grown by `ratio`."""

    def __init__(self, first_s: float, ratio: float) -> None:
        self.next_s, self.ratio = first_s, ratio
        self.trained_s, self.begun_s = 0.0, time.monotonic()

    def now(self) -> bool:
        """Whether one is due; if so, seconds do not count until `go_on`."""
        trained_s = self.trained_s + time.monotonic() - self.begun_s
        if trained_s < self.next_s:
            return False
        self.trained_s = trained_s
        while self.next_s <= trained_s:
            self.next_s *= self.ratio
        return True

    def go_on(self) -> None:
        self.begun_s = time.monotonic()


def as_float(loss: Any) -> float | None:
    return None if loss is None else float(loss)


def synchronise() -> None:
    """Waits for a GPU's queue, so that no work is left over when a window closes."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def main(fd: int) -> None:
    """Serves the parent on an inherited socket; any error goes there, in words."""
    if sys.platform == "linux":  # a killed parent must not leave us running
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    channel = Connection(fd)
    try:
        Worker(channel).serve()
    except EOFError:
        return
    except BaseException as error:
        traceback.print_exc()
        kind = "refused" if isinstance(error, (Refused, TaskError)) else "error"
        text = str(error) if kind == "refused" else f"{type(error).__name__}: {error}"
        trace = traceback.extract_tb(error.__traceback__)
        where = f"{Path(trace[-1].filename).name}:{trace[-1].lineno}" if trace else ""
        memory = isinstance(error, MemoryError) or "can't allocate memory" in text
        wire.send(channel, {"is": kind, "text": text[:2000], "where": where, "memory": memory})
