"""An algorithm with a search space of its own, some of whose settings go wrong, for
tests/test_tune_command.py."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from algorithms.base import Algorithm, Progress, Refused, Training


class Column:
    """Predicts by one column, or by nothing that is a label."""

    def __init__(self, column: int, diverged: bool) -> None:
        self.column, self.diverged = column, diverged

    def predict(self, x: np.ndarray) -> np.ndarray:
        if self.diverged:
            return np.full(len(x), np.nan)
        return x[:, self.column].astype(np.int64)


@dataclass
class Tunable(Algorithm):
    """Learns task.k=1 by the column that agrees; how: what it does, cost_s: CPU seconds that it takes."""

    families: ClassVar[tuple[str, ...]] = ("classification",)
    search: ClassVar[dict[str, Any]] = {
        "how": {"choices": ["learns", "crashes", "hangs", "diverges", "refuses", "dies"]},
        "cost_s": {"low": 0.001, "high": 0.05, "log": True},
    }
    how: str = "learns"
    cost_s: float = 0.05

    def prepare(self, spec: Any) -> None:
        super().prepare(spec)
        if self.how == "refuses":
            raise Refused("algo.how=refuses: not on such a day")

    def train(self, data: dict[str, np.ndarray]) -> Training:
        yield Progress(0)
        end_s = time.process_time() + self.cost_s
        while time.process_time() < end_s:
            pass
        if self.how == "crashes":
            raise RuntimeError("no")
        if self.how == "dies":
            os._exit(3)
        if self.how == "hangs":
            time.sleep(600)
        agree = (data["x"] * data["y"][:, None]).mean(axis=0)
        return Column(int(np.argmax(agree)), self.how == "diverges")
