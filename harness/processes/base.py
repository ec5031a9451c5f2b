"""What every process of search is: it is asked for settings, and told how they did.

A process is deterministic: what it answers depends on the problem (its seed included) and on what it
has been told, in order, and on nothing else. So a search that was killed goes on as if it had not been:
a new process is told the finished trials again. Energies are measured, and never the same twice: of two
searches with one seed, the trials agree for as long as what was told does (`random`: for ever).
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.processes.space import Space


@dataclass(frozen=True)
class Problem:
    """What is to be searched.

    published: the settings as published, of the space's fields. bar: what a score is held to, the
    spare included. direction: "max" or "min".
    """

    algo: str
    task: str
    variant: str
    space: Space
    published: dict[str, Any]
    seed: int
    bar: float
    direction: str

    def rng(self, number: int, salt: str) -> random.Random:
        """The generator of one trial: a resumed search draws what an uninterrupted one would."""
        return random.Random(f"{salt} {self.seed} {number}")


@dataclass(frozen=True)
class Told:
    """How a trial did. fields: of the space. state: "done", "failed" or "refused" (never sat).

    energy_j: J per training. distance: by how much the score missed the bar, 0 where it is met.
    """

    number: int
    fields: dict[str, Any]
    state: str
    score: float | None = None
    energy_j: float | None = None
    distance: float | None = None
    error: str | None = None

    @property
    def met(self) -> bool:
        return self.state == "done" and self.distance == 0

    @property
    def order(self) -> tuple[float, float, float]:
        """Lower is better: who meets the bar by energy, then the others by how near they came."""
        if self.state != "done" or self.energy_j is None or self.distance is None:
            return (2, 0.0, 0.0)
        return (0, self.energy_j, 0.0) if self.met else (1, self.distance, self.energy_j)


@dataclass(frozen=True)
class Proposal:
    """An answer to `ask`. fields: of the space. refusal: why it cannot be sat, where it cannot.
    declared: costs that the proposer states itself, by name with its unit (tokens, energy_j, usd)."""

    fields: dict[str, Any]
    refusal: str | None = None
    declared: dict[str, float] | None = None


class Process(ABC):
    """The contract. Construct it with its yaml's fields; bad values raise BadInputError.

    bounded: whether it ends by itself, so that a search needs no budget.
    """

    bounded: ClassVar[bool] = False

    def begin(self, problem: Problem) -> None:
        """Called once, before anything else."""
        self.problem = problem
        self.told: list[Told] = []

    @abstractmethod
    def ask(self) -> Proposal | None:
        """The next trial's settings, or None where there is nothing more to propose."""

    def tell(self, trial: Told) -> None:
        """How a trial did; each is told once, in order."""
        self.told.append(trial)

    def cpu_s(self) -> float:
        """CPU seconds so far of processes that it started."""
        return 0.0

    def end(self) -> dict[str, float]:
        """Called once at the end, however it came; costs declared since the last proposal."""
        return {}
