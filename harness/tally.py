"""What is known of a search: its best, its choice, and what it has spent, by source."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass

from harness.processes.base import Problem, Told
from harness.trials import CONFIRM, ENDED, SEARCH, Trial, Trials


@dataclass(frozen=True)
class Choice:
    """The setting that a search ends with. score, energy_j: medians over its confirmations, or of its
    trial where there are none. met: with the spare."""

    trial: Trial
    score: float
    energy_j: float
    distance: float
    confirmed: int

    @property
    def met(self) -> bool:
        return self.distance == 0


class Tally:
    """The rows of a search and what follows from them.

    watts: of a CPU-second of the process and the ends of its interval, if it may be added to the rest.
    """

    def __init__(
        self, problem: Problem, trials: Trials, watts: tuple[float, float, float] | None
    ) -> None:
        self.problem, self.trials, self.watts = problem, trials, watts
        self.rows = trials.all(SEARCH)
        self.confirmations = trials.all(CONFIRM)
        self.kept_cpu_s = float(trials.meta("proposer_cpu_s") or 0.0)  # after the last row
        self.kept_declared: dict[str, float] = dict(trials.meta("declared") or {})
        self.cpu_s = 0.0  # spent on asking and telling, not in a row yet

    def best(self) -> list[Trial]:
        """Finished trials, the best first, each setting once."""
        found: list[Trial] = []
        done = [row for row in self.rows if row.state == "done"]
        for row in sorted(done, key=lambda row: told(row).order):
            if row.fields not in [other.fields for other in found]:
                found.append(row)
        return found

    def choice(self) -> Choice:
        """Of the confirmed the cheapest whose median meets the bar, else the one nearest to it; of the
        other trials the best where none is confirmed. Only where a trial has finished."""
        found = self.confirmed_ones()
        if not found:
            tried = {row.number for row in self.confirmations if row.state in ENDED}
            rest = [trial for trial in self.best() if trial.number not in tried]
            trial = (rest or self.best())[0]
            assert trial.score is not None and trial.energy_j is not None
            distance = self.distance(trial.score) if rest else math.inf  # it failed when sat again
            return Choice(trial, trial.score, trial.energy_j, distance, 0)
        return min(found, key=lambda c: (c.distance > 0, c.energy_j if c.met else c.distance))

    def confirmed_ones(self) -> list[Choice]:
        return [figures for trial in self.best() if (figures := self.confirmed(trial))]

    def confirmed(self, trial: Trial) -> Choice | None:
        """A trial by its confirmations; None where there are none, or one of them failed."""
        sat = [row for row in self.confirmations if row.number == trial.number]
        sat = [row for row in sat if row.state in ENDED]
        scores = [row.score for row in sat if row.score is not None]
        joules = [row.energy_j for row in sat if row.energy_j is not None]
        if not sat or not len(scores) == len(joules) == len(sat):
            return None
        score = statistics.median(scores)
        return Choice(trial, score, statistics.median(joules), self.distance(score), len(sat))

    def as_published(self) -> dict[str, float] | None:
        """Score and J of the published settings, where they were tried: confirmed if they were."""
        trial = next((t for t in self.best() if t.fields == self.problem.published), None)
        if trial is None or trial.score is None or trial.energy_j is None:
            return None
        found = self.confirmed(trial)
        score, energy_j = (found.score, found.energy_j) if found else (trial.score, trial.energy_j)
        return {
            "score": score,
            "energy_j": energy_j,
            "confirmations": found.confirmed if found else 0,
        }

    def distance(self, score: float) -> float:
        """By how much a score misses the bar, 0 where it is met."""
        bar = self.problem.bar
        return max(0.0, bar - score if self.problem.direction == "max" else score - bar)

    def source(self) -> str | None:
        """Of the joules so far."""
        return next((r.source for r in [*self.rows, *self.confirmations] if r.source), None)

    def device(self) -> str | None:
        """Class of the machine on which they were spent."""
        known = self.trials.meta("device")
        return None if known is None else str(known)

    def spent(self) -> dict[str, float]:
        """J of all windows of all trials and confirmations, and of the process where it may be added."""
        rows = [*self.rows, *self.confirmations]
        cpu_s = self.proposer_cpu_s()
        parts = {
            "value": sum(row.spent_j for row in rows),
            "low": sum(row.low_j for row in rows),
            "high": sum(row.high_j for row in rows),
        }
        for part, watts in zip(parts, self.watts or (0.0, 0.0, 0.0), strict=True):
            parts[part] += cpu_s * watts
        return parts

    def proposer_cpu_s(self) -> float:
        """CPU seconds spent on asking and telling."""
        return self.kept_cpu_s + self.cpu_s + sum(row.proposer_cpu_s for row in self.rows)

    def declared(self) -> dict[str, float]:
        """What the process says that it cost, by name."""
        total: Counter[str] = Counter()
        for declared in (self.kept_declared, *(row.declared for row in self.rows)):
            total.update(declared)
        return dict(total)

    def wall_s(self) -> float:
        return sum(row.wall_s for row in [*self.rows, *self.confirmations])

    def line(self, row: Trial) -> str:
        """How a trial went, in a line."""
        if row.stage == SEARCH:
            place = f"trial {row.number + 1}"
        else:
            place = f"trial {row.number + 1} confirmed on draw {row.draw}"
        if row.state != "done" or row.score is None or row.energy_j is None:
            return f"{place}: {row.error}"
        met = "meets the bar" if row.distance == 0 else f"misses it by {row.distance:.3g}"
        return f"{place}: {row.score:.4f} {met}, {row.energy_j:.3g} J"


def told(row: Trial) -> Told:
    """A row as a process hears of it."""
    return Told(
        number=row.number,
        fields=row.fields,
        state=row.state,
        score=row.score,
        energy_j=row.energy_j,
        distance=row.distance,
        error=row.error,
    )
