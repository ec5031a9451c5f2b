"""Learns nothing and answers at once: what a Record of it shows is the cost of the path itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from algorithms.base import Algorithm, Refused, Training


class Constant:
    """Predicts +1 for every input."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.ones(len(x), np.int64)


class Uniform:
    """Predicts every symbol with the same probability."""

    def __init__(self, vocab: int) -> None:
        self.vocab = vocab

    def reset(self, lanes: int) -> None:
        self.logp = np.full((lanes, self.vocab), -np.log(self.vocab), np.float32)

    def predict(self) -> np.ndarray:
        return self.logp

    def observe(self, symbols: np.ndarray) -> None:
        pass


@dataclass
class Empty(Algorithm):
    """Has no hyperparameters; takes classification and sequence tasks."""

    def prepare(self, spec: Any) -> None:
        if spec.family not in ("classification", "sequence"):
            raise Refused(
                f"empty has no answer for family {spec.family}; classification and sequence"
            )
        super().prepare(spec)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        yield from ()
        return Uniform(self.spec.vocab) if self.spec.family == "sequence" else Constant()
