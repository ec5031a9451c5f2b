"""What the tests of the classical text opponents share."""

from __future__ import annotations

from typing import Any

import numpy as np

from algorithms.base import Algorithm, Progress
from tasks.sequence import SequenceSpec

SEGMENT = 64


def as_text(text: bytes) -> np.ndarray:
    return np.frombuffer(text, np.uint8)


def train(algorithm: Algorithm, text: bytes, segment: int = SEGMENT) -> Any:
    """The predictor, after at least one Progress that counts up to the text's end."""
    algorithm.prepare(SequenceSpec(train_bytes=len(text), segment=segment, lanes=4, seed=0))
    training = algorithm.train({"text": as_text(text)})
    steps: list[Any] = []
    while True:
        try:
            steps.append(next(training))
        except StopIteration as stop:
            predictor = stop.value
            break
    assert steps and all(isinstance(s, Progress) for s in steps)
    assert steps[-1].step == steps[-1].of
    return predictor


def asked(predictor: Any, segments: np.ndarray) -> np.ndarray:
    """Log-probabilities before each byte and after the last, [length + 1, lanes, 256]."""
    predictor.reset(len(segments))
    out = [predictor.predict()]
    for symbols in segments.T:
        predictor.observe(symbols)
        out.append(predictor.predict())
    return np.array(out)


def answers(predictor: Any, segments: np.ndarray) -> np.ndarray:
    """The same, and all are checked."""
    found = asked(predictor, segments)
    assert found.dtype == np.float32 and np.isfinite(found).all()
    assert np.abs(np.exp(found.astype(float)).sum(2) - 1).max() < 1e-4
    return found


def nats(predictor: Any, segments: np.ndarray) -> float:
    found = answers(predictor, segments)[:-1]
    return float(-np.take_along_axis(found, segments.T[:, :, None].astype(int), 2).mean())


def words(length: int, seed: int = 1) -> bytes:
    """Words of a made-up language, in lines."""
    rng = np.random.default_rng(seed)
    language = np.random.default_rng(0)
    letters = (
        (97 + language.integers(0, 26, n)).astype(np.uint8) for n in language.integers(2, 9, 60)
    )
    known = [word.tobytes() for word in letters]
    chosen = (known[i] for i in (60 * rng.random(length) ** 2).astype(int))
    text = b""
    for i, word in enumerate(chosen):
        text += word + (b"\n" if i % 9 == 8 else b" ")
        if len(text) >= length:
            break
    return text[:length]


def segments(count: int, length: int = SEGMENT, seed: int = 9) -> np.ndarray:
    return as_text(words(count * length, seed)).reshape(count, length)


ODD = {
    "one byte": b"x",
    "zero": b"\0",
    "two bytes": b"xy",
    "one symbol": b"x" * 5000,
    "two symbols": b"xy" * 500,
    "all bytes": bytes(range(256)) * 8,
    "noise": np.random.default_rng(2).integers(0, 256, 3000).astype(np.uint8).tobytes(),
    "no UTF-8": b"\xff\xfe\x80 ab" * 50,
    "skewed": b"".join(bytes([i]) * (1 << min(i, 11)) for i in range(20)),
}
