"""A trial of a search: a sitting like any other, on a draw that the search's seed tells.

An exam's nonce is random and private until its Record. A trial's is derived from the seed, the task and
the number of the draw, so that all trials of a search, and of another one with the same seed, sit the
same; its Record is of kind "trial" and on no board.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from harness.config import Config
from harness.errors import BadInputError, WorkerError
from harness.found import sha256
from harness.runner import Hooks, Run
from metrics import record as rec
from metrics.record import EnergyRow, Record
from tasks.base import Draw, Target, Task

PHASES = ("setup", "train", "inference")


@dataclass(frozen=True)
class Sat:
    """What a sitting came to. energy_j: J per training. spent_j: gross by phase, of all windows, pilots
    included; low_j, high_j: ends of their sum. longest_s: longest window of each phase. device: class of
    the machine."""

    run: str
    status: str
    error: str | None
    score: float | None
    energy_j: float | None
    spent_j: dict[str, float]
    low_j: float
    high_j: float
    source: str
    longest_s: dict[str, float] = field(default_factory=dict)
    device: str = ""


class TrialRun(Run):
    """A run whose draw can be foreseen, without the run of the empty algorithm.

    What the algorithm refuses is a failure of the trial, not bad input of the user's.
    """

    kind = rec.TRIAL
    with_empty = False

    def __init__(
        self, config: Config, hooks: Hooks, draw: int, process: str, mark: dict[str, Any]
    ) -> None:
        super().__init__(config, hooks, nonce=tuning_nonce(config, draw))
        self.process, self.found, self.notes = process, None, []
        self.marks = {"trial": mark}
        self.rows: list[EnergyRow] = []

    def _sit(self, outcome: Any) -> None:
        try:
            super()._sit(outcome)
        except BadInputError as refusal:
            raise WorkerError(f"the algorithm refused: {refusal}") from None

    def _attempt(self, outcome: Any, last: bool) -> int | None:
        outcome.rows = []
        try:
            return super()._attempt(outcome, last)
        finally:
            self.rows += outcome.rows  # of pilots as well: the search has spent them
            self.marks["trial"]["spent_j"] = sum(self.spent().values())

    def counted(self) -> list[EnergyRow]:
        """Rows of all attempts that are on the bill."""
        return [row for row in self.rows if row.phase in PHASES and self.meter.counts(row)]

    def spent(self) -> dict[str, float]:
        """J by phase, gross, of all attempts."""
        rows = self.counted()
        return {p: sum(r.gross_j for r in rows if r.phase == p) for p in PHASES}

    def sat(self, record: Record) -> Sat:
        """What is to be remembered of it."""
        counted = self.counted()
        longest: dict[str, float] = {}
        for phase in record.phases:
            longest[phase.phase] = max(longest.get(phase.phase, 0.0), phase.wall_s)
        return Sat(
            run=record.run,
            status=record.status,
            error=record.error,
            score=record.score.value if record.score else None,
            energy_j=record.headline.energy_j.value if record.headline else None,
            spent_j=self.spent(),
            low_j=sum(r.low_j for r in counted),
            high_j=sum(r.high_j for r in counted),
            source=record.source,
            longest_s=longest,
            device=record.host.device_class,
        )


def tuning_nonce(config: Config, draw: int) -> int:
    """128 bits that follow from the seed, the task and the number of the draw."""
    text = f"joulebench tuning draw {config.seed} {sha256(config.task)} {draw}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def check_draws(config: Config, task: Task) -> Target:
    """The task's target. Raises BadInputError where it has no bar, or where every draw is the same, so
    that tuning would be on the exam itself."""

    def drawn(number: int) -> Draw:
        return task.draws([config.seed, tuning_nonce(config, number)], 1)[0]

    first = drawn(0)
    target = task.target([first])
    if target.value is None:
        raise BadInputError(
            f"task={config.task.name} has no bar here, and a search needs one; say task.bar=..."
        )
    second = drawn(1)
    if all(first.key[name].tobytes() == second.key[name].tobytes() for name in first.key):
        raise BadInputError(
            "this task asks the same of every draw, so a search would be shown the exam itself; search on "
            "another split (task.split=random), then sit the exam on this one with what was found"
        )
    return target
