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


class Zero:
    """The rule after whose first step every cell is 0."""

    def __init__(self, entries: int) -> None:
        self.entries = entries

    def rule(self) -> np.ndarray:
        return np.zeros(self.entries, np.uint8)


@dataclass
class Empty(Algorithm):
    """Has no hyperparameters; takes tasks of every family."""

    def prepare(self, spec: Any) -> None:
        families = ("classification", "sequence", "rule_search")
        if spec.family not in families:
            raise Refused(
                f"empty has no answer for family {spec.family}; it takes {', '.join(families)}"
            )
        super().prepare(spec)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        yield from ()
        if self.spec.family == "rule_search":
            return Zero(self.spec.entries)
        return Uniform(self.spec.vocab) if self.spec.family == "sequence" else Constant()
