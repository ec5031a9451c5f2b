"""What the local learners share: windows of a text, a predictor in lanes, Adam, limits of fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from algorithms.base import Algorithm, Refused
from tasks.sequence import FLOOR, VOCAB

REPORT = 50  # steps between two reports of progress


class Adam:
    """Adam (Kingma and Ba 2015) for one array, changed in place."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.steps = array, 0
        self.first, self.second, self.work = (np.zeros_like(array) for _ in range(3))

    def step(
        self, gradient: np.ndarray, lr: float, beta1: float = 0.9, beta2: float = 0.99
    ) -> None:
        """One step against `gradient`, of the array's shape; its values are lost."""
        self.steps += 1
        np.subtract(gradient, self.first, out=self.work)
        self.work *= 1 - beta1
        self.first += self.work
        gradient *= gradient
        gradient -= self.second
        gradient *= 1 - beta2
        self.second += gradient
        np.sqrt(self.second, out=self.work)
        self.work += 1e-8
        np.divide(self.first, self.work, out=self.work)
        # Both moments start at zero; this makes up for it, as a factor on the rate.
        self.work *= lr * math.sqrt(1 - beta2**self.steps) / (1 - beta1**self.steps)
        self.array -= self.work


class Window:
    """The last n bytes, one-hot over the text's alphabet, the k-th last times fade^(k - 1); none: zero."""

    def __init__(self, text: np.ndarray, n: int, fade: float) -> None:
        if not len(text):
            raise Refused("the text to learn is empty; give at least one byte")
        counts = np.bincount(text, minlength=VOCAB)
        self.n, self.seen = n, np.flatnonzero(counts)
        self.size = len(self.seen)
        self.ids = np.full(VOCAB, self.size, np.uint16)
        self.ids[self.seen] = np.arange(self.size)
        self.prior = np.log(counts[self.seen] / len(text)).astype(np.float32)
        scale = fade ** np.arange(n - 1, -1, -1.0)
        self.rows = (np.eye(self.size + 1, self.size) * scale[:, None, None]).astype(np.float32)
        self.length = math.sqrt((scale**2).sum())  # of a full window's vector
        padded = np.concatenate([np.full(n, self.size, np.uint16), self.ids[text]])
        self.at = np.lib.stride_tricks.sliding_window_view(padded, n + 1)

    def encode(self, ids: np.ndarray) -> np.ndarray:
        """Identifiers [m, n], the oldest first -> float32 [m, n * size]."""
        return self.rows[np.arange(self.n), ids].reshape(len(ids), -1)

    def batch(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Vectors and next symbols of random positions; some see little, as a segment's first do."""
        at = self.at[rng.integers(len(self.at), size=size)]
        for row in at[: size // 64]:
            row[: rng.integers(1, self.n + 1)] = self.size
        return self.encode(at[:, :-1]), at[:, -1]


class Lanes:
    """A `tasks.sequence.Predictor` by logits(vectors of windows) -> [lanes, size]."""

    def __init__(self, window: Window, logits: Callable[[np.ndarray], np.ndarray]) -> None:
        self.window, self.logits = window, logits
        self.rest = math.log1p(-(VOCAB - window.size) * FLOOR)  # what unseen bytes leave

    def reset(self, lanes: int) -> None:
        self.last = np.full((lanes, self.window.n), self.window.size, np.uint16)

    def predict(self) -> np.ndarray:
        out = np.full((len(self.last), VOCAB), math.log(FLOOR), np.float32)
        logp = log_softmax(self.logits(self.window.encode(self.last)).astype(float))
        out[:, self.window.seen] = logp + self.rest
        return out

    def observe(self, symbols: np.ndarray) -> None:
        self.last = np.column_stack([self.last[:, 1:], self.window.ids[symbols]])


def log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits - logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def surprise(logits: np.ndarray, came: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean cross-entropy of softmax(logits [m, c]), nats, and its gradient by the logits."""
    logp, rows = log_softmax(logits), np.arange(len(came))
    loss = float(-logp[rows, came].mean())
    if not math.isfinite(loss):
        raise Refused("training diverged: its loss is not a number; use a lower algo.lr")
    error = np.exp(logp)
    error[rows, came] -= 1
    error /= len(came)
    return loss, error


def demand(algorithm: Algorithm, limits: Mapping[str, tuple[float, float]], whole: str) -> None:
    """Refuses fields outside of their limits; those named in `whole` must be whole numbers."""
    for name, (least, most) in limits.items():
        value, kind = getattr(algorithm, name), int if name in whole.split() else (int, float)
        right = isinstance(value, kind) and not isinstance(value, bool)
        if not (right and least <= value <= most):
            what = "a whole number" if kind is int else "a number"
            raise Refused(f"algo.{name}={value}: must be {what} from {least} to {most}")
