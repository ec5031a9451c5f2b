"""Streaming held-out text: what is scored, what is refused, and what `audit` finds."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from tasks import sequence
from tasks.base import PredictionError


def held_out(count: int, length: int) -> np.ndarray:
    """uint8 [count, length] of skewed bytes, other ones in each segment."""
    rng = np.random.default_rng(0)
    return (rng.geometric(0.1, (count, length)) % 60 + 5 * np.arange(count)[:, None]).astype(
        np.uint8
    )


class Counts:
    """Honest: each lane learns frequencies of its own from what it has seen since `reset`."""

    def reset(self, lanes: int) -> None:
        self.counts = np.full((lanes, 256), 0.1)

    def predict(self) -> np.ndarray:
        p = self.counts / self.counts.sum(axis=1, keepdims=True)
        return np.log(p).astype(np.float32)

    def observe(self, symbols: np.ndarray) -> None:
        self.counts[np.arange(len(symbols)), symbols] += 1


class Shared(Counts):
    """Cheats: every lane learns from what came in all of them."""

    def observe(self, symbols: np.ndarray) -> None:
        self.counts += np.bincount(symbols, minlength=256)


class Keeping(Counts):
    """Cheats: goes on with what it counted before `reset`."""

    total = 0.0

    def reset(self, lanes: int) -> None:
        super().reset(lanes)
        self.counts += self.total

    def observe(self, symbols: np.ndarray) -> None:
        super().observe(symbols)
        self.total = self.total + np.bincount(symbols, minlength=256)


class Memorising(Counts):
    """Cheats: knows a segment again by its first 8 bytes and then tells what came the last time."""

    def __init__(self) -> None:
        self.memory: dict[bytes, bytes] = {}
        self.seen: list[np.ndarray] = []

    def reset(self, lanes: int) -> None:
        for row in np.array(self.seen, np.uint8).T if self.seen else []:
            self.memory.setdefault(row[:8].tobytes(), row.tobytes())
        self.seen = []
        super().reset(lanes)

    def observe(self, symbols: np.ndarray) -> None:
        super().observe(symbols)
        self.seen.append(symbols.copy())

    def predict(self) -> np.ndarray:
        logp = super().predict()
        t = len(self.seen)
        for lane, row in enumerate(np.array(self.seen[:8], np.uint8).T if t >= 8 else []):
            text = self.memory.get(row.tobytes(), b"")
            if t < len(text):
                logp[lane] = -np.inf
                logp[lane, text[t]] = 0
        return logp


@pytest.mark.parametrize("lanes", [1, 2, 16])
def test_audit_finds_nothing_in_an_honest_predictor(lanes: int) -> None:
    segments = held_out(16, 128)
    predictor = Counts()
    score = sequence.examine(segments, predictor, lanes)
    assert score.nats.shape == (min(4, lanes), 128)
    assert sequence.audit(segments, predictor, score, steps=64) < 1e-6


@pytest.mark.parametrize("cheat", [Shared, Keeping, Memorising])
@pytest.mark.parametrize("segments", [4, 16])
def test_audit_catches(cheat: Callable[[], sequence.Predictor], segments: int) -> None:
    held = held_out(segments, 128)
    predictor = cheat()
    score = sequence.examine(held, predictor, 8)
    assert sequence.audit(held, predictor, score, steps=64) > 0.2


def test_examine_counts_and_averages() -> None:
    segments = held_out(10, 64)
    score = sequence.examine(segments, Counts(), lanes=3)
    nats, hits = sequence.stream(segments, Counts(), 64)
    assert score.predictions == 640
    assert score.value == pytest.approx(nats.mean(), rel=1e-6)
    assert score.se == pytest.approx(nats.mean(axis=1).std(ddof=1) / math.sqrt(10), rel=1e-5)
    assert score.secondary["greedy_accuracy"] == pytest.approx(hits.mean())
    # The first byte is predicted with nothing seen, and each later one from those before it.
    assert nats[:, 0] == pytest.approx(math.log(256))
    counts = np.bincount(segments[3, :20], minlength=256) + 0.1
    assert nats[3, 20] == pytest.approx(-math.log(counts[segments[3, 20]] / counts.sum()), rel=1e-5)


def test_a_probability_of_nought_costs_the_floor() -> None:
    class Sure(Counts):
        def predict(self) -> np.ndarray:
            logp = np.full(self.counts.shape, -np.inf, np.float32)
            logp[:, 255] = 0
            return logp

    score = sequence.examine(held_out(2, 16), Sure(), lanes=2)
    assert score.value == pytest.approx(16 * math.log(2))


@pytest.mark.parametrize(
    ("logp", "words"),
    [
        (np.zeros((2, 255), np.float32), r"shape \[2, 255\]"),
        (np.zeros((2, 256), np.int64), "int64"),
        (np.full((2, 256), np.nan, np.float32), "NaN"),
        (np.full((2, 256), -5.0, np.float32), "sum to 1.72"),
    ],
)
def test_what_is_no_prediction(logp: np.ndarray, words: str) -> None:
    with pytest.raises(PredictionError, match=words):
        sequence.check_log_probabilities(logp, 2)
