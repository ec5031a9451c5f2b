"""Predictors at the other end of the wire, one proxy per problem family.

They have the same methods as the real ones, so tasks score them without knowing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.sitting import Sitting


class RemoteClassifier:
    """`tasks.classification.Predictor` in the worker."""

    def __init__(self, sitting: Sitting, draw: int) -> None:
        self.sitting = sitting
        self.draw = draw

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.sitting.value({"do": "predict", "draw": self.draw, "x": x})


class RemoteSequence:
    """`tasks.sequence.Predictor` in the worker. One round trip per position: reset and observe wait
    for the next predict, so the worker never has a symbol before it has answered for it."""

    def __init__(self, sitting: Sitting, draw: int) -> None:
        self.sitting = sitting
        self.draw = draw
        self.pending: dict[str, Any] = {}

    def reset(self, lanes: int) -> None:
        self.pending = {"lanes": lanes}

    def observe(self, symbols: np.ndarray) -> None:
        self.pending = {"symbols": symbols}

    def predict(self) -> np.ndarray:
        request, self.pending = self.pending, {}
        return self.sitting.value({"do": "step", "draw": self.draw, **request})


class RemoteRule:
    """`tasks.rule_search.Predictor` in the worker."""

    def __init__(self, sitting: Sitting, draw: int) -> None:
        self.sitting = sitting
        self.draw = draw

    def rule(self) -> np.ndarray:
        return self.sitting.value({"do": "rule", "draw": self.draw})


REMOTE: dict[str, Any] = {
    "classification": RemoteClassifier,
    "sequence": RemoteSequence,
    "rule_search": RemoteRule,
}
