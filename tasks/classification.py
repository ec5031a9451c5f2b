"""The family of tasks that ask for a label: `predict(x) -> y`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tasks.base import PredictionError, Score


@dataclass(frozen=True)
class Classification:
    """Public specification of a classification task.

    n: inputs per row. rows: training rows that will be handed over (0 if the learner must ask).
    access: "samples" or "queries". budget: how many labels may be asked for. rule: the kind of secret
    ("parity", "sum", "and"). k: number of secret inputs where the board makes it known, else None.
    seed: for the learner's own randomness.
    """

    n: int
    rows: int
    access: str
    budget: int
    rule: str
    k: int | None
    seed: int
    family: str = "classification"


class Predictor(Protocol):
    def predict(self, x: np.ndarray) -> np.ndarray:
        """x: int8 [m, n] of -1 and +1. Returns integer labels [m]."""
        ...


def examine(x: np.ndarray, y: np.ndarray, predictor: Predictor) -> Score:
    """Accuracy on held-out rows x [m, n] with labels y [m], with its binomial standard error."""
    answers = np.asarray(predictor.predict(x))
    if answers.shape != y.shape:
        raise PredictionError(
            f"predict returned shape {list(answers.shape)} for {len(y)} inputs; "
            f"it must return one label each, shape {list(y.shape)}"
        )
    if answers.dtype.kind not in "iufb":
        raise PredictionError(f"predict returned {answers.dtype}; labels must be numbers")
    if answers.dtype.kind == "f" and not np.isfinite(answers).all():
        raise PredictionError("predict returned NaN or infinity; labels must be finite numbers")
    right = int(np.sum(answers == y))
    # Laplace's estimate, since no finite number of right answers is without error.
    p = (right + 1) / (len(y) + 2)
    return Score(right / len(y), se=float(np.sqrt(p * (1 - p) / len(y))), predictions=len(y))
