"""The family of tasks that ask for the rule of a cellular automaton: `rule() -> table`.

The predictor is asked once for its table. The parent checks it and runs the automaton by itself.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tasks.base import PredictionError, TaskError

RINGS = ("density", "synchronise")  # goals on a ring of cells
GOALS = (*RINGS, "life")
# A ring's rule that is to be right on everything makes this of a neighbourhood of zeros, its first entry,
# and of ones, its last.
ENDS = {"density": (0, 1), "synchronise": (1, 0)}


@dataclass(frozen=True)
class RuleSearch:
    """Public specification of a search for a rule.

    goal: "density" (all cells come to be what the majority was, and stay so), "synchronise" (all come
    to blink together) or "life" (reproduce a hidden rule of which pairs are shown). width: cells of the ring;
    for life the side of a torus of width x width cells. radius: neighbours to each side that a cell
    sees; for life 1, the square of nine cells. steps: after how many the outcome counts. pairs: for
    life how many tori are shown before and after one step, otherwise 0. seed: the run's, the same for
    all draws; randomness that differs from draw to draw comes from the draw's `seed`.

    A draw's training data: always "seed", uint64 [1], for the learner's own randomness. For life also
    "before" and "after", uint8 [pairs, width, width] of 0 and 1. For the rings there is nothing else:
    whoever wants configurations draws them.

    A table's index is the neighbourhood read as a binary number, the leftmost cell as the high bit;
    for life the nine cells are read row by row, the top left one as the high bit (the cell itself
    counts 16).
    """

    width: int
    radius: int
    steps: int
    goal: str
    pairs: int
    seed: int
    family: str = "rule_search"

    def __post_init__(self) -> None:
        check_goal("goal", self.goal)

    @property
    def entries(self) -> int:
        """Length of the rule's table."""
        return entries(self.goal, self.radius)


class Predictor(Protocol):
    def rule(self) -> np.ndarray:
        """The table, uint8 [entries] of 0 and 1: a cell's next state for every neighbourhood."""
        ...


def check_goal(name: str, goal: str) -> None:
    """TaskError, which calls the value `name`, if there is no such goal."""
    if goal not in GOALS:
        near = difflib.get_close_matches(str(goal), GOALS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise TaskError(f"{name}={goal}: {hint}known are {', '.join(GOALS)}")


def entries(goal: str, radius: int) -> int:
    """Neighbourhoods of a cell: 2**(2*radius+1) on a ring, 2**9 on a torus."""
    return 2 ** (2 * radius + 1) if goal in RINGS else 512


def ask(predictor: Predictor, count: int) -> np.ndarray:
    """The predictor's table, uint8 [count]; PredictionError if it is none."""
    table = np.asarray(predictor.rule())
    if table.shape != (count,):
        raise PredictionError(
            f"rule returned shape {list(table.shape)}; a table here has one entry for each of "
            f"{count} neighbourhoods, shape [{count}]"
        )
    if table.dtype.kind not in "iub":
        raise PredictionError(f"rule returned {table.dtype}; a table holds whole numbers 0 and 1")
    if not ((table == 0) | (table == 1)).all():
        wrong = table[(table != 0) & (table != 1)][0]
        raise PredictionError(f"rule returned a table that holds {wrong}; it may hold 0 and 1 only")
    return table.astype(np.uint8)
