"""Algorithms of known length and known work, for audits of metrics under a scripted power.

Each sleeps, so that its seconds are known, and adds up arrays of so many numbers, so that its operations
are. The watts are the script's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from algorithms.base import Algorithm, Progress, Query, Training
from tasks.native.build import library, opened
from tests.faulty import Returns

KERNEL = 'extern "C" int answer() { return 42; }'


@dataclass
class Burner(Algorithm):
    """Sleeps for `seconds` and adds `thousands` of thousands of float32 to themselves."""

    families: ClassVar[tuple[str, ...]] = ("classification",)
    seconds: float = 0.05
    thousands: int = 1

    def train(self, data: dict[str, np.ndarray]) -> Training:
        yield Progress(0, 1, 0.5)
        numbers = np.resize(data["x"], 1000).astype(np.float32)
        for _ in range(self.thousands):
            numbers + numbers
        time.sleep(self.seconds)
        return Returns(lambda x: np.ones(len(x), int))


@dataclass
class Solver(Burner):
    """Sleeps as the others do, and has learned task.k=1 by then."""

    families: ClassVar[tuple[str, ...]] = ("classification",)
    seconds: float = 0.4

    def train(self, data: dict[str, np.ndarray]) -> Training:
        yield from super().train(data)
        agree = (data["x"] * data["y"][:, None]).mean(axis=0)
        column = int(np.argmax(agree))
        return Returns(lambda x: x[:, column].astype(np.int64))


@dataclass
class Brief(Burner):
    families: ClassVar[tuple[str, ...]] = ("classification",)
    seconds: float = 0.3
    thousands: int = 700


@dataclass
class Short(Burner):
    families: ClassVar[tuple[str, ...]] = ("classification",)
    seconds: float = 0.5
    thousands: int = 500


@dataclass
class Medium(Burner):
    families: ClassVar[tuple[str, ...]] = ("classification",)
    seconds: float = 1.0
    thousands: int = 1000


@dataclass
class Long(Burner):
    families: ClassVar[tuple[str, ...]] = ("classification",)
    seconds: float = 1.6
    thousands: int = 1600


@dataclass
class Dense(Burner):
    families: ClassVar[tuple[str, ...]] = ("classification",)
    seconds: float = 0.4
    thousands: int = 2000


@dataclass
class Sparse(Burner):
    families: ClassVar[tuple[str, ...]] = ("classification",)
    seconds: float = 0.8
    thousands: int = 150


@dataclass
class Lazy(Burner):
    families: ClassVar[tuple[str, ...]] = ("classification",)
    seconds: float = 2.0
    thousands: int = 300


@dataclass
class Heavy(Burner):
    families: ClassVar[tuple[str, ...]] = ("classification",)
    seconds: float = 1.2
    thousands: int = 1900


class Asks(Burner):
    """Of labels that it asks for, and of random numbers: both follow from the seed."""

    families = ("classification",)
    access: ClassVar[tuple[str, ...]] = ("queries",)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        rng = np.random.default_rng(self.spec.seed)
        y = yield Query(rng.choice(np.array([-1, 1], np.int8), (10, self.spec.n)))
        seen = int((y == 1).sum())
        for _ in range(seen):
            y + y
        return Returns(lambda x: np.ones(len(x), int))


class Kernel(Burner):
    """Calls a kernel that does not count itself."""

    families = ("classification",)

    def prepare(self, spec: Any) -> None:
        super().prepare(spec)
        self.kernel = opened(library(KERNEL, "mute"))

    def train(self, data: dict[str, np.ndarray]) -> Training:
        self.kernel.answer()
        yield from super().train(data)
        return Returns(lambda x: np.ones(len(x), int))


class SometimesMute(Kernel):
    """Has the method, and nothing to say."""

    families = ("classification",)

    def counts(self) -> dict[str, Any] | None:
        return None


class Speaks(Kernel):
    """Counts its kernel itself."""

    families = ("classification",)
    said: ClassVar[dict[str, Any]] = {
        "operations": {"int32_add": 7, "bf16_mul": 0},
        "communication_bytes": 11,
        "peak_bytes": 10**9,
        "notes": ["the price of an answer"],
    }

    def counts(self) -> dict[str, Any] | None:
        return self.said


class SpeaksRubbish(Kernel):
    families = ("classification",)

    def counts(self) -> dict[str, Any] | None:
        return {"operations": {"fp32_sub": 3}}


class SpeaksBfloat(Kernel):
    """Of a kind that the table of 45 nm lacks."""

    families = ("classification",)

    def counts(self) -> dict[str, Any] | None:
        return {"operations": {"bf16_mul": 3}}


class Hides(Burner):
    families = ("classification",)
    counts: ClassVar[bool] = True  # type: ignore[assignment]


class Fails(Burner):
    families = ("classification",)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        yield Progress(0, 1)
        raise RuntimeError("the loss went to infinity")


class ImportsTorchLate(Burner):
    families = ("classification",)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        import torch

        yield Progress(torch.ones(1).numel())
        return Returns(lambda x: np.ones(len(x), int))


class Torch(Burner):
    """A step of gradient descent on a linear layer, compiled where that is allowed."""

    families = ("classification",)

    def prepare(self, spec: Any) -> None:
        super().prepare(spec)
        import torch

        self.torch = torch
        self.compiled = torch.compile(lambda x, w: (x @ w).tanh().sum())

    def train(self, data: dict[str, np.ndarray]) -> Training:
        torch = self.torch
        x = torch.tensor(data["x"], dtype=torch.float32)
        w = torch.ones(x.shape[1], 3, requires_grad=True)
        loss = self.compiled(x, w)
        loss.backward()
        yield Progress(1, 1, loss)
        return Returns(lambda x: np.ones(len(x), int))
