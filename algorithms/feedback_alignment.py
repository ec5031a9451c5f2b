"""Feedback alignment: a network whose errors come back through fixed random matrices.

Lillicrap et al. 2016 (doi:10.1038/ncomms13276) replace the transposed weights of backpropagation by a fixed
random matrix per layer (`feedback: random`); Nokland 2016 (arXiv:1609.01596) sends the output's error to
every hidden layer at once (`direct`). With one hidden layer the two are the same. `gradient` takes the
true transposes: the ablation that shows what alignment costs. Each array has an Adam of its own.

    h_i = relu(h_(i-1) W_i + b_i),   delta_i = (delta_(i+1) B_i  or  error B_i) * [h_i > 0]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from algorithms.base import Algorithm, Progress, Refused, Training
from algorithms.window import REPORT, Adam, Lanes, Window, demand, surprise
from tasks.sequence import SequenceSpec, only_bytes

FEEDBACKS = ("random", "direct", "gradient")
Batch = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


class Net:
    """W[i] [sizes[i], sizes[i + 1]], b[i], and back[i - 1], by which errors reach layer i's output."""

    def __init__(
        self, rng: np.random.Generator, sizes: list[int], feedback: str, init: float, prior: Any
    ) -> None:
        def draw(rows: int, columns: int, scale: float) -> np.ndarray:
            return rng.standard_normal((rows, columns), dtype=np.float32) * np.float32(scale)

        self.feedback = feedback
        inner = list(pairwise(sizes[:-1]))
        scales = [init] + [math.sqrt(2 / rows) for rows, _ in inner[1:]]
        self.W = [draw(*shape, scale) for shape, scale in zip(inner, scales, strict=True)]
        self.W.append(np.zeros(sizes[-2:], np.float32))
        self.b = [np.zeros(size, np.float32) for size in sizes[1:]]
        self.b[-1] += prior
        above = [sizes[-1] if feedback == "direct" else size for size in sizes[2:]]
        self.back = [
            draw(rows, columns, 1 / math.sqrt(rows))
            for rows, columns in zip(above, sizes[1:-1], strict=True)
        ]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        """x [m, inputs], the hidden activities, the logits."""
        out = [x]
        for i, (W, b) in enumerate(zip(self.W, self.b, strict=True)):
            a = out[-1] @ W
            a += b
            out.append(np.maximum(a, 0, out=a) if i + 1 < len(self.W) else a)
        return out

    def logits(self, x: np.ndarray) -> np.ndarray:
        return self.forward(x)[-1]

    def updates(self, x: np.ndarray, came: np.ndarray) -> tuple[float, list[np.ndarray]]:
        """The loss in nats, and what stands for its gradients by W[0], b[0], W[1], b[1], ..."""
        *h, logits = self.forward(x)
        loss, error = surprise(logits, came)
        delta, out = error, []
        for i in range(len(self.W) - 1, -1, -1):
            out += [delta.sum(axis=0), h[i].T @ delta]
            if i:
                source = error if self.feedback == "direct" else delta
                matrix = self.W[i].T if self.feedback == "gradient" else self.back[i - 1]
                delta = source @ matrix
                delta *= h[i] > 0
        return loss, out[::-1]


@dataclass
class Aligned(Algorithm):
    """What both families share. Fields are explained in configs/algo/feedback_alignment/."""

    feedback: str = "direct"
    layers: int = 1
    hidden: int = 512
    init: float = 0.02
    lr: float = 0.02
    lr_deep: float = 0.1
    batch: int = 256
    steps: int = 5500
    epochs: float = 4.0

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {
            "layers": (1, 64),
            "hidden": (1, 1 << 16),
            "init": (0, 100),
            "lr": (0, 1),
            "lr_deep": (0, 100),
            "batch": (1, 1 << 20),
            "steps": (1, 1 << 40),
        }
        demand(self, limits | {"epochs": (1e-6, 1e6)}, "layers hidden batch steps")
        if self.feedback not in FEEDBACKS:
            known = ", ".join(FEEDBACKS)
            raise Refused(f"algo.feedback={self.feedback}: unknown; known are {known}")

    def net(self, inputs: int, outputs: int, length: float, prior: Any = 0) -> Net:
        """A new net for inputs of this length, by which `init` is the first activities' size."""
        rng = np.random.default_rng([self.spec.seed, 0])
        sizes = [inputs] + [self.hidden] * self.layers + [outputs]
        return Net(rng, sizes, self.feedback, self.init / length, prior)

    def fit(self, net: Net, batch: Batch, examples: int, predictor: Any) -> Training:
        """Steps on batch(rng, size) -> x [size, inputs], came [size]; the rate falls linearly."""
        order = np.random.default_rng([self.spec.seed, 1])
        adams = [Adam(array) for pair in zip(net.W, net.b, strict=True) for array in pair]
        deep = [i not in (0, self.layers) for i in range(self.layers + 1)]
        rates = [self.lr * (self.lr_deep if deep[i // 2] else 1) for i in range(len(adams))]
        steps = max(1, min(self.steps, math.ceil(self.epochs * examples / self.batch)))
        for step in range(steps):
            loss, updates = net.updates(*batch(order, self.batch))
            for adam, update, rate in zip(adams, updates, rates, strict=True):
                adam.step(update, rate * (1 - step / steps))
            if (step + 1) % REPORT == 0 or step + 1 == steps:
                yield Progress(step + 1, steps, loss, predictor)
        return predictor


@dataclass
class FeedbackAlignment(Aligned):
    """For text: the last bytes, one-hot, to the next one's logits."""

    context: int = 8
    fade: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        demand(self, {"context": (1, 64), "fade": (0.01, 1)}, "context")

    def prepare(self, spec: SequenceSpec) -> None:
        if unfit := only_bytes(spec, "algo=feedback_alignment"):
            raise Refused(unfit)
        super().prepare(spec)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        window = Window(data["text"], self.context, self.fade)
        net = self.net(self.context * window.size, window.size, window.length, window.prior)
        text, lanes = data["text"], Lanes(window, net.logits)
        return (yield from self.fit(net, window.batch, len(text), lanes))
