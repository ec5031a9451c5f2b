"""Feedback alignment for classification (see `algorithms/feedback_alignment.py`)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from algorithms.base import Query, Training
from algorithms.feedback_alignment import Aligned, Net
from tasks.classification import Classification


class Rows:
    """A `tasks.classification.Predictor`."""

    def __init__(self, net: Net, classes: np.ndarray) -> None:
        self.net, self.classes = net, classes

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.classes[self.net.logits(x.astype(np.float32)).argmax(axis=1)]


@dataclass
class FeedbackAlignmentRows(Aligned):
    """For classification."""

    hidden: int = 64
    init: float = 0.3
    lr: float = 0.02
    batch: int = 64
    steps: int = 1000
    epochs: float = 100.0

    def train(self, data: dict[str, np.ndarray]) -> Training:
        spec: Classification = self.spec
        x, y = data["x"], data["y"]
        if spec.access == "queries":
            rng = np.random.default_rng([spec.seed, 2])
            x = 1 - 2 * rng.integers(2, size=(spec.budget, spec.n), dtype=np.int8)
            y = yield Query(x)
        classes, came = np.unique(y, return_inverse=True)
        x = x.astype(np.float32)

        def batch(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
            at = rng.integers(len(x), size=size)
            return x[at], came[at]

        net = self.net(spec.n, len(classes), math.sqrt(spec.n))
        return (yield from self.fit(net, batch, len(x), Rows(net, classes)))
