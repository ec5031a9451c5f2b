"""Regularised evolution (Real, Aggarwal, Huang and Le 2019): of the last `population` trials a few are
drawn, the best of them has a child, and the oldest dies.

That nobody lives for ever matters where energy is measured: one lucky reading does not rule the rest of
the search.
"""

from __future__ import annotations

import random
from typing import Any

from harness.errors import BadInputError
from harness.processes.base import Process, Proposal
from harness.processes.space import Dimension


class Evolve(Process):
    """population: trials alive; the first so many are random. sample: how many are drawn for each child.
    changes: fields that a child has changed, at most. step: standard deviation of a change, of the
    (logarithmic) range. published: begin with the settings as published."""

    def __init__(
        self,
        population: int = 12,
        sample: int = 4,
        changes: int = 3,
        step: float = 0.15,
        published: bool = True,
    ) -> None:
        if not 1 <= sample <= population:
            raise BadInputError(
                f"process.sample={sample}: must be 1 to process.population={population}"
            )
        if changes < 1 or not 0 < step <= 1:
            raise BadInputError("process.changes must be at least 1, process.step above 0, to 1")
        self.population = population
        self.sample = sample
        self.changes = changes
        self.step = step
        self.published = published

    def ask(self) -> Proposal | None:
        number, space = len(self.told), self.problem.space
        if self.published and not number:
            return Proposal(self.problem.published)
        rng = self.problem.rng(number, "evolve")
        if number < self.population:
            return Proposal(space.sample(rng))
        drawn = rng.sample(self.told[-self.population :], self.sample)
        parent = min(drawn, key=lambda trial: trial.order)
        child = dict(parent.fields)
        most = min(self.changes, len(space.dimensions))
        for dimension in rng.sample(space.dimensions, rng.randint(1, most)):
            child[dimension.name] = self._changed(dimension, child.get(dimension.name), rng)
        return Proposal(child)

    def _changed(self, dimension: Dimension, value: Any, rng: random.Random) -> Any:
        """A step away from a number, another choice; drawn anew where the value is not of the space."""
        if dimension.choices:
            others = [one for one in dimension.choices if one != value] or list(dimension.choices)
            return others[rng.randrange(len(others))]
        if not dimension.holds(value):
            return dimension.sample(rng)
        unit = dimension.unit(value) + rng.gauss(0, self.step)
        moved = dimension.at(abs(unit) % 2 if abs(unit) % 2 <= 1 else 2 - abs(unit) % 2)
        if moved == value and dimension.whole:  # too small a step for whole numbers
            moved = dimension.tidy(value + rng.choice((-1, 1)))
        return moved
