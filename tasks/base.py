"""What every task is: a public specification, draws with a private key, and a score.

A task never meets an algorithm. It is handed something that predicts (`tasks.classification.Predictor`
or `tasks.sequence.Predictor`), and whether that something lives in this process or at the other end of
a pipe is not its business. `tasks` imports nothing else of this project.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

Arrays = dict[str, np.ndarray]


class TaskError(ValueError):
    """A task that cannot be set as asked: says what is wrong and what to do, in one line."""


class PredictionError(ValueError):
    """An answer that is no answer: wrong shape, not finite, probabilities that do not sum to one."""


@dataclass(frozen=True)
class Target:
    """What a score is held against; fixed in the task's yaml before any run.

    value: the bar, in the score's own unit; None where the user has set none.
    direction: "max" if more is better (accuracy), "min" if less is (nats per byte).
    margin: by how much a candidate may be worse than a baseline before it counts as worse.
    chance: score of the best constant answer. perfect: the best score there can be.
    """

    name: str
    unit: str
    value: float | None
    direction: str
    margin: float
    chance: float
    perfect: float

    def met(self, score: float) -> bool | None:
        if self.value is None:
            return None
        return score >= self.value if self.direction == "max" else score <= self.value

    def skill(self, score: float) -> float:
        """Maps a score to 0 (chance) ... 1 (perfect); below chance it is negative."""
        span = self.perfect - self.chance
        return (score - self.chance) / span if span else 0.0


@dataclass(frozen=True)
class Score:
    """A score with its standard error over held-out units, and whatever else was seen on the way."""

    value: float
    se: float
    predictions: int
    secondary: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Draw:
    """One sitting of an exam. `train` goes to the worker; `key` never leaves the parent."""

    train: Arrays
    key: Arrays


class Task(ABC):
    """The contract of a task. Construct it with its yaml's fields; bad values raise TaskError."""

    name: ClassVar[str]
    family: ClassVar[str]

    @property
    @abstractmethod
    def variant(self) -> str:
        """What is asked, in a few words: tasks that differ here are never on one board."""

    @property
    @abstractmethod
    def access(self) -> str:
        """How the learner may look at the problem: "samples", "queries", "text" ..."""

    @abstractmethod
    def spec(self, seed: int) -> Any:
        """The public problem (a frozen dataclass of the family), all that `prepare` may know."""

    @abstractmethod
    def draws(self, entropy: Sequence[int], repeats: int) -> list[Draw]:
        """`repeats` different sittings for one window, a pure function of `entropy` and its index."""

    @abstractmethod
    def examine(self, draw: Draw, predictor: Any) -> Score:
        """Streams the held-out inputs to the predictor and scores what comes back."""

    def examine_all(self, draws: Sequence[Draw], predictors: Sequence[Any]) -> list[Score]:
        """A score for every draw of a window. One after the other, unless draws share answers."""
        return [self.examine(d, p) for d, p in zip(draws, predictors, strict=True)]

    @abstractmethod
    def target(self, draws: Sequence[Draw]) -> Target:
        """The bar, and the chance level on these very draws."""

    def compared_at(self) -> list[float]:
        """Every bar at which algorithms are compared, the easiest first; the target's alone if empty."""
        return []

    def max_repeats(self) -> int:
        """How many different draws one window may hold; 1 where the draw is fixed by publication."""
        return 4096

    def answer(self, draw: Draw, x: np.ndarray, asked: int) -> np.ndarray:
        """Labels for a membership query; `asked` is the number of inputs asked about before."""
        raise TaskError(f"{self.name} answers no queries with task.access={self.access}")

    def audit(self, draw: Draw, predictor: Any) -> dict[str, Any]:
        """Checks of the examined predictor of the first draw, unmetered, and what is worth keeping of it;
        PredictionError if it fails."""
        return {}

    def combine(self, scores: Sequence[Score]) -> Score:
        """One score for a window of independent draws: the mean, and its standard error."""
        values = np.array([s.value for s in scores])
        se = float(np.mean([s.se for s in scores])) / np.sqrt(len(scores))
        if len(scores) > 1:
            se = max(se, float(values.std(ddof=1) / np.sqrt(len(scores))))
        names = scores[0].secondary
        return Score(
            value=float(values.mean()),
            se=float(se),
            predictions=sum(s.predictions for s in scores),
            secondary={n: float(np.mean([s.secondary[n] for s in scores])) for n in names},
        )

    def provenance(self) -> dict[str, Any]:
        """Where the data came from (name, sha256, bytes, ...), for the Record."""
        return {}
