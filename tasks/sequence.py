"""The family of tasks that ask for the next symbol's probabilities, over bytes or tokens.

Held-out text is cut into segments that start from the trained state. The segments of one batch run
side by side, in lanes: `reset(lanes)`, then for every position `predict()` gives log-probabilities
[lanes, vocab] and `observe(symbols)` tells what came. Within its own lane a predictor may carry and
change whatever it likes; from one lane to another nothing may pass, which `audit` checks.

`vocab` is 256 for bytes, 50,257 for GPT-2 tokens. A batch of log-probabilities is one message, so
lanes times vocab has a bound (`most_lanes`). Every probability is floored, for bytes at 2**-16; for a
larger vocabulary the floor is lower, so that all floors together never hold more than 2**-8 of the
mass: 50,257 times 2**-16 would be 0.77, a gift to whoever leaves out the rare tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tasks.base import PredictionError, Score

VOCAB = 256
FLOOR = 2.0**-16
MOST_BATCH_BYTES = 60 << 20  # of float32 log-probabilities; the harness takes replies of 64 MiB
SUM_TOLERANCE = 1e-3
AUDIT_LANES = 4


@dataclass(frozen=True)
class SequenceSpec:
    """Public specification of a sequence task.

    train_bytes: length of the training text in symbols, about (draws may differ by some).
    segment: length of a held-out segment. lanes: how many segments may run side by side.
    seed: for the learner's own randomness. vocab: number of symbols: 256, and the text is uint8,
    or more, and it is uint16. An algorithm that knows bytes alone refuses the latter (`only_bytes`).
    """

    train_bytes: int
    segment: int
    lanes: int
    seed: int
    vocab: int = VOCAB
    family: str = "sequence"


@dataclass(frozen=True)
class SequenceScore(Score):
    """nats: what the first AUDIT_LANES segments cost, float32 [segments, length], for `audit`.

    accuracy_se: standard error of secondary["greedy_accuracy"].
    """

    accuracy_se: float = float("inf")
    nats: np.ndarray = field(
        default_factory=lambda: np.empty((0, 0), np.float32), compare=False, repr=False
    )


class Predictor(Protocol):
    def reset(self, lanes: int) -> None:
        """Back to the trained state, for `lanes` segments side by side with nothing seen yet."""
        ...

    def predict(self) -> np.ndarray:
        """Natural log-probabilities of the next symbol, float32 [lanes, vocab]; -inf is allowed."""
        ...

    def observe(self, symbols: np.ndarray) -> None:
        """symbols: uint8 or (vocab > 256) uint16 [lanes], what came."""
        ...


def floor(vocab: int) -> float:
    """What a probability counts as at least: 2**-16 for bytes, 2**-8 / vocab in general."""
    return FLOOR * VOCAB / vocab


def most_lanes(vocab: int) -> int:
    """How many lanes of float32 log-probabilities make up one message."""
    return MOST_BATCH_BYTES // (4 * vocab)


def only_bytes(spec: SequenceSpec, who: str) -> str:
    """Why an algorithm that knows bytes alone must refuse this spec; empty where it need not."""
    if spec.vocab == VOCAB:
        return ""
    return (
        f"{who} learns bytes, and this text is made of {spec.vocab:,} symbols; use a text of bytes "
        "(task.text=wikitext103, tinyshakespeare, pydocs, grammar or a file)"
    )


def check_log_probabilities(logp: np.ndarray, lanes: int, vocab: int = VOCAB) -> np.ndarray:
    """Returns log-probabilities [lanes, vocab] as they are, or says what is wrong with them."""
    if logp.shape != (lanes, vocab):
        raise PredictionError(
            f"predict returned shape {list(logp.shape)}; it must be [lanes, {vocab}] = "
            f"[{lanes}, {vocab}]"
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


def stream(
    segments: np.ndarray, predictor: Predictor, steps: int, vocab: int = VOCAB
) -> tuple[np.ndarray, np.ndarray]:
    """Runs the first `steps` symbols of segments [lanes, length] past a predictor.

    Returns nats [lanes, steps], each symbol's cost with its probability floored (see `floor`), and
    hits [lanes, steps], whether the likeliest symbol was the one that came.
    """
    return stream_together([segments], [predictor], steps, vocab)[0]


def stream_together(
    segments: Sequence[np.ndarray],
    predictors: Sequence[Predictor],
    steps: int,
    vocab: int = VOCAB,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """`stream` for several predictors in step: a symbol is shown only when all have predicted it.

    The draws of one window share held-out text, and their predictors share a process; one after the
    other, the later ones could have been told what the first was shown.
    """
    nats = [np.empty((len(s), steps), np.float32) for s in segments]
    hits = [np.empty((len(s), steps), bool) for s in segments]
    least = np.log(floor(vocab))
    for lanes, predictor in zip(segments, predictors, strict=True):
        predictor.reset(len(lanes))
    for t in range(steps):
        for lanes, predictor, cost, hit in zip(segments, predictors, nats, hits, strict=True):
            logp = check_log_probabilities(np.asarray(predictor.predict()), len(lanes), vocab)
            came = lanes[:, t]
            cost[:, t] = -np.maximum(logp[np.arange(len(lanes)), came], least)
            hit[:, t] = logp.argmax(axis=1) == came
        if t + 1 < steps:
            for lanes, predictor in zip(segments, predictors, strict=True):
                predictor.observe(lanes[:, t])
    return list(zip(nats, hits, strict=True))


def examine(
    segments: np.ndarray, predictor: Predictor, lanes: int, vocab: int = VOCAB
) -> SequenceScore:
    """Nats per symbol and greedy accuracy over segments [count, length], `lanes` at a time.

    The standard error is that of the mean over segments, which are the independent units.
    """
    return examine_together([segments], [predictor], lanes, vocab)[0]


def examine_together(
    segments: Sequence[np.ndarray],
    predictors: Sequence[Predictor],
    lanes: int,
    vocab: int = VOCAB,
) -> list[SequenceScore]:
    """`examine` for the predictors of several draws, in step (see `stream_together`)."""
    count, length = segments[0].shape
    parts = [
        stream_together([s[i : i + lanes] for s in segments], predictors, length, vocab)
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
    cost, right = (what.mean(axis=1, dtype=np.float64) for what in (nats, hits))
    return SequenceScore(
        value=float(cost.mean()),
        se=_se(cost),
        predictions=nats.size,
        secondary={"greedy_accuracy": float(right.mean())},
        accuracy_se=_se(right),
        nats=nats[:kept].copy(),
    )


def _se(per_segment: np.ndarray) -> float:
    """Standard error of the mean of independent values; infinite for a single one."""
    count = len(per_segment)
    return float(per_segment.std(ddof=1) / np.sqrt(count)) if count > 1 else float("inf")


def audit(
    segments: np.ndarray,
    predictor: Predictor,
    score: SequenceScore,
    steps: int = 256,
    vocab: int = VOCAB,
) -> float:
    """Mean |difference| in nats per symbol when the first segments of an exam are run once more.

    segments, score: what `examine` was given and returned, for the same predictor. Each segment now
    runs alone and in reversed order, after the exam. Whoever learns from one lane for another loses
    that company; whoever remembers across `reset` has meanwhile seen all the text. An honest
    predictor differs by no more than the rounding of its arithmetic. Only the first batch can be
    compared: at its time there was nothing to remember.
    """
    before = score.nats[:, :steps]
    after = np.empty_like(before)
    for i in reversed(range(len(before))):
        after[i] = stream(segments[i : i + 1], predictor, before.shape[1], vocab)[0]
    return float(np.abs(after - before).mean())
