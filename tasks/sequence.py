"""The family of tasks that ask for the next symbol's probabilities, over bytes.

Held-out text is cut into segments that start from the trained state. The segments of one batch run
side by side, in lanes: `reset(lanes)`, then for every position `predict()` gives log-probabilities
[lanes, 256] and `observe(symbols)` tells what came. Within its own lane a predictor may carry and
change whatever it likes; from one lane to another nothing may pass, which `audit` checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tasks.base import PredictionError, Score

VOCAB = 256
FLOOR = 2.0**-16
SUM_TOLERANCE = 1e-3
AUDIT_LANES = 4


@dataclass(frozen=True)
class SequenceSpec:
    """Public specification of a sequence task.

    train_bytes: length of the training text, about (draws may differ by some bytes).
    segment: length of a held-out segment. lanes: how many segments may run side by side.
    seed: for the learner's own randomness. vocab: number of symbols, always 256 (bytes).
    """

    train_bytes: int
    segment: int
    lanes: int
    seed: int
    vocab: int = VOCAB
    family: str = "sequence"


@dataclass(frozen=True)
class SequenceScore(Score):
    """nats: what the first AUDIT_LANES segments cost, float32 [segments, length], for `audit`."""

    nats: np.ndarray = field(
        default_factory=lambda: np.empty((0, 0), np.float32), compare=False, repr=False
    )


class Predictor(Protocol):
    def reset(self, lanes: int) -> None:
        """Back to the trained state, for `lanes` segments side by side with nothing seen yet."""
        ...

    def predict(self) -> np.ndarray:
        """Natural log-probabilities of the next byte, float32 [lanes, 256]; -inf is allowed."""
        ...

    def observe(self, symbols: np.ndarray) -> None:
        """symbols: uint8 [lanes], the bytes that came."""
        ...


def check_log_probabilities(logp: np.ndarray, lanes: int) -> np.ndarray:
    """Returns logp as float32 [lanes, 256], or says what is wrong with it."""
    if logp.shape != (lanes, VOCAB):
        raise PredictionError(
            f"predict returned shape {list(logp.shape)}; it must be [lanes, {VOCAB}] = "
            f"[{lanes}, {VOCAB}]"
        )
    if logp.dtype.kind != "f":
        raise PredictionError(f"predict returned {logp.dtype}; log-probabilities must be floats")
    with np.errstate(over="ignore"):
        total = np.exp(logp.astype(np.float32, copy=False)).sum(axis=1)
    if np.isnan(total).any():
        raise PredictionError("predict returned NaN among its log-probabilities")
    off = np.abs(total - 1).max()
    if off > SUM_TOLERANCE:
        worst = float(total[np.abs(total - 1).argmax()])
        raise PredictionError(
            f"predict returned probabilities that sum to {worst:.6g}, not to 1 within "
            f"{SUM_TOLERANCE:g}; return natural logarithms of normalised probabilities "
            "(log_softmax)"
        )
    return logp


def stream(segments: np.ndarray, predictor: Predictor, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Runs the first `steps` bytes of uint8 segments [lanes, length] past a predictor.

    Returns nats [lanes, steps], each symbol's cost with its probability floored at 2**-16, and
    hits [lanes, steps], whether the likeliest symbol was the one that came.
    """
    return stream_together([segments], [predictor], steps)[0]


def stream_together(
    segments: Sequence[np.ndarray], predictors: Sequence[Predictor], steps: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """`stream` for several predictors in step: a byte is shown only when all have predicted it.

    The draws of one window share held-out text, and their predictors share a process; one after the
    other, the later ones could have been told what the first was shown.
    """
    nats = [np.empty((len(s), steps), np.float32) for s in segments]
    hits = [np.empty((len(s), steps), bool) for s in segments]
    for lanes, predictor in zip(segments, predictors, strict=True):
        predictor.reset(len(lanes))
    for t in range(steps):
        for lanes, predictor, cost, hit in zip(segments, predictors, nats, hits, strict=True):
            logp = check_log_probabilities(np.asarray(predictor.predict()), len(lanes))
            came = lanes[:, t]
            cost[:, t] = -np.maximum(logp[np.arange(len(lanes)), came], np.log(FLOOR))
            hit[:, t] = logp.argmax(axis=1) == came
        if t + 1 < steps:
            for lanes, predictor in zip(segments, predictors, strict=True):
                predictor.observe(lanes[:, t])
    return list(zip(nats, hits, strict=True))


def examine(segments: np.ndarray, predictor: Predictor, lanes: int) -> SequenceScore:
    """Nats per byte and greedy accuracy over uint8 segments [count, length], `lanes` at a time.

    The standard error is that of the mean over segments, which are the independent units.
    """
    return examine_together([segments], [predictor], lanes)[0]


def examine_together(
    segments: Sequence[np.ndarray], predictors: Sequence[Predictor], lanes: int
) -> list[SequenceScore]:
    """`examine` for the predictors of several draws, in step (see `stream_together`)."""
    count, length = segments[0].shape
    parts = [
        stream_together([s[i : i + lanes] for s in segments], predictors, length)
        for i in range(0, count, lanes)
    ]
    return [
        _score(
            np.concatenate([part[d][0] for part in parts]),
            np.concatenate([part[d][1] for part in parts]),
            min(AUDIT_LANES, lanes),
        )
        for d in range(len(segments))
    ]


def _score(nats: np.ndarray, hits: np.ndarray, kept: int) -> SequenceScore:
    per_segment = nats.mean(axis=1, dtype=np.float64)
    se = float(per_segment.std(ddof=1) / np.sqrt(len(nats))) if len(nats) > 1 else float("inf")
    return SequenceScore(
        value=float(per_segment.mean()),
        se=se,
        predictions=nats.size,
        secondary={"greedy_accuracy": float(hits.mean())},
        nats=nats[:kept].copy(),
    )


def audit(
    segments: np.ndarray, predictor: Predictor, score: SequenceScore, steps: int = 256
) -> float:
    """Mean |difference| in nats per byte when the first segments of an exam are run once more.

    segments, score: what `examine` was given and returned, for the same predictor. Each segment now
    runs alone and in reversed order, after the exam. Whoever learns from one lane for another loses
    that company; whoever remembers across `reset` has meanwhile seen all the text. An honest
    predictor differs by no more than the rounding of its arithmetic. Only the first batch can be
    compared: at its time there was nothing to remember.
    """
    before = score.nats[:, :steps]
    after = np.empty_like(before)
    for i in reversed(range(len(before))):
        after[i] = stream(segments[i : i + 1], predictor, before.shape[1])[0]
    return float(np.abs(after - before).mean())
