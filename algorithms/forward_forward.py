"""Forward-Forward on text (Hinton 2022, arXiv:2212.13345): every layer learns by its own goodness alone.

Each layer sees the activity below and a candidate for the next byte, which gates its units. Its goodness
is the sum of its squared activities, so that all candidates share one product:

    h = relu(x W + b),   goodness_c = e^t sum_j (s_jc h_j)^2 = e^t (h^2 gates)_c,   gates = s^2 >= 0

Without `learn_gates` these stay as drawn, 0 or 1: a candidate that enters additively, by a fixed code of 0
for its own units and minus infinity for the others. Positive is the byte that came, negative are all others
at once: a layer descends the cross-entropy of softmax(prior + goodness of the layers below + its own), where
what comes from below is a number to it ("layer collaboration", Lorberbom et al. 2023). Upwards goes h over
its length, without a candidate; downwards goes nothing. Each layer learns its temperature e^-t. The prior
is the text's frequencies. A single layer's rule is the gradient of a network with one hidden layer.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from algorithms.base import Algorithm, Progress, Refused
from algorithms.window import REPORT, Adam, Lanes, Window, demand, surprise
from tasks.sequence import SequenceSpec, only_bytes


class Layer:
    """W [inputs, hidden], b [hidden], gates [hidden, c] and t [1], and their optimizers."""

    def __init__(self, rng: np.random.Generator, inputs: int, c: int, own: ForwardForward) -> None:
        self.W = rng.standard_normal((inputs, own.hidden), dtype=np.float32)
        self.W *= own.init
        self.b = np.zeros(own.hidden, np.float32)
        self.gates = (rng.random((own.hidden, c)) < own.density).astype(np.float32)
        self.t = np.full(1, math.log(own.heat / own.hidden), np.float32)
        self.learned = [self.t, self.b, self.W, *([self.gates] if own.learn_gates else [])]
        self.adams = [Adam(array) for array in self.learned]

    def activity(self, x: np.ndarray) -> np.ndarray:
        h = x @ self.W
        h += self.b
        return np.maximum(h, 0, out=h)

    def goodness(self, h: np.ndarray) -> np.ndarray:
        return np.exp(self.t) * ((h * h) @ self.gates)

    def learn(
        self, x: np.ndarray, below: np.ndarray, came: np.ndarray, lr: float
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """One step; what goes up (activity, goodness [m, c] up to here), and the loss."""
        h = self.activity(x)
        goodness = self.goodness(h)
        loss, error = surprise(below + goodness, came)
        error_t = (error * goodness).sum(keepdims=True)[0]
        error *= np.exp(self.t)
        g = error @ self.gates.T
        g *= h
        g *= 2
        gradients = [error_t, g.sum(axis=0), x.T @ g]
        if len(self.adams) > 3:
            gradients.append((h * h).T @ error)
        for adam, gradient in zip(self.adams, gradients, strict=True):
            adam.step(gradient, lr)
        np.maximum(self.gates, 0, out=self.gates)
        return unit(h), below + goodness, loss


def unit(h: np.ndarray) -> np.ndarray:
    return h / (np.linalg.norm(h, axis=1, keepdims=True) + 1e-6)


@dataclass
class ForwardForward(Algorithm):
    """Fields are explained in configs/algo/forward_forward.yaml."""

    context: int = 8
    fade: float = 0.7
    layers: int = 2
    hidden: int = 512
    learn_gates: bool = True
    density: float = 0.5
    heat: float = 300.0
    init: float = 0.01
    lr: float = 0.03
    batch: int = 256
    steps: int = 2600
    epochs: float = 4.0

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {
            "context": (1, 64),
            "layers": (1, 64),
            "hidden": (1, 1 << 16),
            "fade": (0.01, 1),
            "density": (0, 1),
            "heat": (1e-6, 1e6),
            "init": (0, 100),
            "lr": (0, 1),
            "batch": (1, 1 << 20),
            "steps": (1, 1 << 40),
            "epochs": (1e-6, 1e6),
        }
        demand(self, limits, "context layers hidden batch steps")
        if not isinstance(self.learn_gates, bool):
            raise Refused(f"algo.learn_gates={self.learn_gates}: must be true or false")

    def prepare(self, spec: SequenceSpec) -> None:
        if unfit := only_bytes(spec, "algo=forward_forward"):
            raise Refused(unfit)
        super().prepare(spec)

    def train(self, data: dict[str, np.ndarray]) -> Generator[Progress, Any, Lanes]:
        window = Window(data["text"], self.context, self.fade)
        # Batches have a stream of their own, so that they are the same whatever the layers are.
        rng, order = (np.random.default_rng([self.spec.seed, i]) for i in range(2))
        inputs = [self.context * window.size] + [self.hidden] * (self.layers - 1)
        layers = [Layer(rng, i, window.size, self) for i in inputs]

        def logits(x: np.ndarray) -> np.ndarray:
            total = window.prior
            for layer in layers:
                h = layer.activity(x)
                x, total = unit(h), total + layer.goodness(h)
            return total

        predictor = Lanes(window, logits)
        steps = max(1, min(self.steps, math.ceil(self.epochs * len(data["text"]) / self.batch)))
        for step in range(steps):
            x, came = window.batch(order, self.batch)
            total = window.prior
            for layer in layers:
                x, total, loss = layer.learn(x, total, came, self.lr * (1 - step / steps))
            if (step + 1) % REPORT == 0 or step + 1 == steps:
                yield Progress(step + 1, steps, loss, predictor)
        return predictor
