"""What every algorithm is: `prepare`, a `train` that can be paused, and the predictor it returns.

An algorithm runs in a worker process. `prepare` sees the public spec alone and is metered as setup:
import what is slow, allocate, compile, warm up on made-up data. `train` is a generator, metered as
training: it yields `Progress` whenever it could be paused, may yield `Query` to ask for labels, and
*returns* a predictor for the task's family (`tasks.classification.Predictor`,
`tasks.sequence.Predictor`). It is called once for every draw of a window, each time from a fresh
state: nothing may be carried over from an earlier call, and predictors must not share state.

A concrete algorithm is a dataclass whose fields are its hyperparameters, listed with their defaults
in its yaml. Slow imports (torch) belong inside `prepare`, so that looking at a module stays cheap.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np


class Refused(ValueError):
    """Raised by an algorithm that cannot take this spec or these hyperparameters, with the way out."""


@dataclass(frozen=True)
class Progress:
    """A point at which training could be paused. step of `of` (0: unknown); loss in the task's unit.

    predictor: what `train` would return if it ended here, where that costs nothing to say; None where
    there is nothing to show before the end. It is asked, if at all, before training goes on, which
    must go on as if it had not been.
    """

    step: int
    of: int = 0
    loss: float | None = None
    predictor: Any = None


@dataclass(frozen=True)
class Query:
    """A membership query: labels [m] of inputs x [m, n] are sent back as the value of the yield."""

    x: np.ndarray


Training = Generator[Progress | Query, Any, Any]


class Algorithm(ABC):
    """The contract. `adapts` says whether a sequence predictor goes on learning within a segment."""

    adapts: bool = False  # of the class, or of one that `adapt` makes so

    def prepare(self, spec: Any) -> None:
        """Gets ready for a task of this spec (`tasks.classification.Classification`, ...)."""
        self.spec = spec

    @abstractmethod
    def train(self, data: dict[str, np.ndarray]) -> Training:
        """Learns from one draw's training data and returns the predictor."""

    def counts(self) -> dict[str, Any] | None:
        """What the compiled kernels did in the last training, its predictor's first answer included.

        Asked for by `bench count` alone, after a training. Some of: operations (whole numbers by kind, as
        in `configs/energy/`: {"int32_add": 12, ...}), read_bytes, written_bytes, communication_bytes,
        peak_bytes (of all its arrays, numpy's included), notes (a list of what is left out). What torch and
        numpy did is counted without you, and does not belong here. None where no kernel ran: one that does
        not count itself is refused. `algorithms.counting` has what a kernel needs for it.
        """
        return None

    def pictures(self, data: dict[str, np.ndarray]) -> dict[str, bytes]:
        """Films and diagrams of the training on `data`, by file name (.png, .gif or .svg).

        Asked for once, after the last measured window, with the first draw's training data, of an
        algorithm that overrides it. It may train again: equal seeds make that the same training.
        Nobody answers its queries. What it raises is a warning in the Record and nothing worse.
        """
        return {}
