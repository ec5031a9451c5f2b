"""One training on text, as the tuning scripts try settings: what it scored and the CPU time it took."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from algorithms.base import Algorithm
from tasks import texts
from tasks.sequence import SequenceSpec, examine

SEGMENT, LANES = 1024, 128
SLICE = 100_000


def before_validation() -> tuple[np.ndarray, np.ndarray]:
    """tinyshakespeare without its validation part: what trains, uint8 [bytes], and the slice behind it
    that scores, [count, SEGMENT]."""
    text = texts.load("tinyshakespeare").data
    text = text[: int(len(text) * 0.9)]
    return text[:-SLICE], text[-SLICE:][: SLICE // SEGMENT * SEGMENT].reshape(-1, SEGMENT)


def trained(algorithm: Algorithm, text: np.ndarray, seed: int = 0) -> tuple[Any, float]:
    """The predictor, and the CPU seconds of its training."""
    algorithm.prepare(SequenceSpec(len(text), SEGMENT, LANES, seed))
    training = algorithm.train({"text": text})
    start = time.process_time()
    try:
        while True:
            next(training)
    except StopIteration as end:
        return end.value, time.process_time() - start


def sit(algorithm: Algorithm, text: np.ndarray, segments: np.ndarray) -> tuple[float, float]:
    """Nats per byte, and the CPU seconds of the training."""
    predictor, seconds = trained(algorithm, text)
    return examine(segments, predictor, LANES).value, seconds
