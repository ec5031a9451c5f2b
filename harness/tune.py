"""The loop of a search: ask, sit, tell, until the budget is spent; then the best are confirmed.

Nothing here knows how a trial is sat (`sit`) or how settings are thought of (`process`), and everything
that is known of a trial is in its row, so a search that was killed goes on from its file.
"""

from __future__ import annotations

import contextlib
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.errors import BadInputError
from harness.processes.base import Problem, Process
from harness.tally import Tally, told
from harness.trial_run import PHASES, Sat
from harness.trials import CONFIRM, ENDED, SEARCH, Trial, Trials

LEAST_LIMIT_S = 10.0
ROUNDS = 3  # of confirming, while nothing confirmed meets the bar


@dataclass(frozen=True)
class Budget:
    """Whichever comes first; None for no bound. source, device: of another search's energy_j."""

    trials: int | None = None
    energy_j: float | None = None
    wall_s: float | None = None
    source: str | None = None
    device: str | None = None


@dataclass(frozen=True)
class Rules:
    """The fields of `tune` in configs/config.yaml."""

    draws: int = 1
    confirm: int = 3
    confirm_draws: int = 3
    patience: float | None = 10.0
    give_up: int = 10


class Search(Tally):
    """sit: (fields of the space, draw, mark for the Record, limits in s by phase) to what came of it.

    watts: as in Tally.
    say: a line that stays, after every trial.
    """

    def __init__(
        self,
        process: Process,
        problem: Problem,
        trials: Trials,
        sit: Callable[[dict[str, Any], int, dict[str, Any], dict[str, float]], Sat],
        budget: Budget,
        rules: Rules,
        watts: tuple[float, float, float] | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        super().__init__(problem, trials, watts)
        self.process, self.sit, self.budget, self.rules, self.say = process, sit, budget, rules, say
        self.complete = False
        self.theirs_s = 0.0  # of the programs that the process started, in all

    def run(self) -> str:
        """Goes on until the budget is spent and the best are confirmed; returns why it ended.

        Ctrl-C ends it with what there is. Raises BadInputError where the process fails.
        """
        try:
            with self._costing():
                self.process.begin(self.problem)
                for row in self.rows:
                    if row.state in ENDED:
                        self.process.tell(told(row))
            why = self._search()
            self._confirm()
            self.complete = True
        except KeyboardInterrupt:
            why = "interrupted"
        finally:
            with self._costing():
                declared = self.process.end()
            self._keep_rest(declared)
        return why

    def _search(self) -> str:
        while True:
            row = self.rows[-1] if self.rows else None
            if row is None or row.state in ENDED:
                if why := self._ended():
                    return why
                with self._costing():
                    proposal = self.process.ask()
                if proposal is None:
                    return "the process has nothing more to propose"
                row = Trial(SEARCH, len(self.rows), -1, proposal.fields)
                row.declared = proposal.declared or {}
                if proposal.refusal:
                    row.state, row.error = "refused", f"refused: {proposal.refusal}"
                self.rows.append(row)
            if row.state != "refused":
                if (over := self._over()) and row.attempts:  # it was cut short, and would be again
                    return over
                self._sit(row, range(self.rules.draws), self._limits())
            self._save(row)
            if row.state == "asked":
                return self._over() or "the last trial was cut short"
            self.say(self.line(row))
            with self._costing():
                self.process.tell(told(row))

    def _ended(self) -> str | None:
        """Which part of the budget is spent; what confirming will cost is held back."""
        rules, budget = self.rules, self.budget
        last = self.rows[-rules.give_up :]
        if len(last) == rules.give_up and all(row.state != "done" for row in last):
            return (
                f"{rules.give_up} trials in a row came to nothing (tune.give_up); {last[-1].error}"
            )
        if budget.trials is not None and len(self.rows) >= budget.trials:
            return f"budget.trials={budget.trials} reached"
        first, times = self._first_round(), rules.confirm_draws / rules.draws
        if budget.energy_j is not None:
            held_j = times * sum(row.spent_j for row in first)
            if self.spent()["value"] + held_j >= budget.energy_j:
                return f"budget.energy_j={budget.energy_j:.4g} spent, confirmations included"
        if budget.wall_s is not None:
            held_s = times * sum(row.wall_s for row in first)
            if self.wall_s() + held_s >= budget.wall_s:
                return f"budget.wall_s={budget.wall_s:g} over, confirmations included"
        return None

    def _over(self) -> str | None:
        """Whether no time is left at all."""
        limit_s = self.budget.wall_s
        over = limit_s is not None and self.wall_s() >= limit_s
        return f"budget.wall_s={limit_s:g} over; the last trial was cut short" if over else None

    def _sit(self, row: Trial, draws: range, limits: dict[str, float]) -> None:
        """Sits a row's draws; the row is written before and must be saved after it."""
        row.state = "running"
        row.attempts += 1
        self._save(row)
        began_s, sats = time.monotonic(), []
        try:
            for draw in draws:
                mark = {"stage": row.stage, "number": row.number, "draw": draw}
                try:
                    sats.append(self.sit(row.fields, draw, mark, limits))
                except BadInputError:  # it never began; what earlier draws spent is in already
                    row.attempts -= 1
                    raise
                self._add(row, sats[-1])
                if sats[-1].status != "ok":
                    break
        except BaseException:
            row.state = "asked"
            self._save(row)
            raise
        finally:
            row.wall_s += time.monotonic() - began_s
        row.metered += 1
        last = sats[-1]
        scores = [sat.score for sat in sats if sat.score is not None]
        joules = [sat.energy_j for sat in sats if sat.energy_j is not None]
        if last.status == "interrupted":
            row.state = "asked"
            self._save(row)
            raise KeyboardInterrupt
        if row.stage == SEARCH and " after limits." in (last.error or "") and self._over():
            row.state = "asked"  # it was the budget's time that was up, not its own
            return
        if last.status == "ok" and len(scores) == len(joules) == len(sats):
            row.state, row.error = "done", None
            row.score, row.energy_j = statistics.median(scores), statistics.median(joules)
            row.distance = self.distance(row.score)
        if row.state != "done" or not math.isfinite(row.score or 0.0):
            row.state, row.error = "failed", last.error or "it has no score"
            row.score = row.energy_j = row.distance = None

    def _add(self, row: Trial, sat: Sat) -> None:
        if sat.low_j:
            self._comparable(sat)
        row.source = sat.source if sat.low_j or not row.source else row.source
        for phase in PHASES:
            name = f"{phase}_j"
            setattr(row, name, getattr(row, name) + sat.spent_j.get(phase, 0.0))
        row.low_j += sat.low_j
        row.high_j += sat.high_j
        row.longest_s |= {k: max(v, row.longest_s.get(k, 0.0)) for k, v in sat.longest_s.items()}
        row.runs.append(sat.run)

    def _comparable(self, sat: Sat) -> None:
        """Raises BadInputError where its joules are of another source or device than those before."""
        before = (self.source(), "metered by"), (self.device(), "sat on")
        here = sat.source, sat.device
        for (known, how), now in zip(before, here, strict=True):
            if known and now != known:
                raise BadInputError(
                    f"the trials so far were {how} {known}, this one {how} {now}, and such joules are "
                    "never summed; begin anew with --fresh"
                )
        for known, now in zip((self.budget.source, self.budget.device), here, strict=True):
            if known and now != known:
                raise BadInputError(
                    f"the search of budget.like spent joules of {known}; here they are of {now}, so only "
                    "trials can be equalled: say budget.trials instead"
                )
        if not self.device():
            self.trials.keep("device", sat.device)

    def _patience(self) -> dict[str, float]:
        """s by phase, by the first trial that finished."""
        first = next((row for row in self.rows if row.state == "done"), None)
        if self.rules.patience is None or first is None:
            return {}
        longest_s = {phase: first.longest_s.get(phase, 0.0) for phase in PHASES}
        return {p: max(LEAST_LIMIT_S, self.rules.patience * s) for p, s in longest_s.items()}

    def _limits(self) -> dict[str, float]:
        """s by phase; nothing may take longer than what is left of the budget."""
        limits = self._patience()
        if self.budget.wall_s is None:
            return limits
        left_s = max(1.0, self.budget.wall_s - self.wall_s())
        return {phase: min(limits.get(phase, math.inf), left_s) for phase in PHASES}

    def _confirm(self) -> None:
        """The best on further draws, and the published settings with them where they meet the bar, since
        times drift; while none but those does, the next that may, and at last those with the best scores."""
        rules = self.rules
        for round_ in range(ROUNDS if rules.confirm and rules.confirm_draws else 0):
            # A search that goes on has some confirmed already.
            rest = self._next_round(round_ == ROUNDS - 1) if round_ else self._first_round()
            if round_ and not (rest and self._affords(rest[: rules.confirm])):
                return
            for draw in range(rules.draws, rules.draws + rules.confirm_draws):
                for trial in rest[: rules.confirm + (round_ == 0)]:
                    self._confirm_on(trial, draw)
            if any(c.met and not self._published(c.trial) for c in self.confirmed_ones()):
                return

    def _next_round(self, last: bool) -> list[Trial]:
        """Who met the bar for less than anything confirmed that does: the cheapest first, of those that
        still would by as much as the trials' draws turned out to be easier; or the best scores first."""
        confirmed, known = self.confirmed_ones(), {row.number for row in self.confirmations}
        most_j = min((c.trial.energy_j or 0.0 for c in confirmed if c.met), default=math.inf)
        missed = [c.score - (c.trial.score or 0.0) for c in confirmed if not c.met]
        easier = statistics.median(missed) if missed else 0.0
        sign = -1 if self.problem.direction == "max" else 1
        rest = [t for t in self.best() if t.number not in known and told(t).met]
        rest = [t for t in rest if (t.energy_j or 0.0) < most_j]
        if last:
            return sorted(rest, key=lambda trial: sign * (trial.score or 0.0))
        return sorted(rest, key=lambda trial: self.distance((trial.score or 0.0) + easier) > 0)

    def _published(self, trial: Trial) -> bool:
        return trial.fields == self.problem.published

    def _first_round(self) -> list[Trial]:
        """Who is confirmed in any case: the best, and the published settings if they meet the bar."""
        best, count = self.best(), self.rules.confirm
        if not count or not self.rules.confirm_draws:
            return []
        also = [t for t in best[count:] if self._published(t) and told(t).met]
        return best[:count] + also

    def _affords(self, rest: list[Trial]) -> bool:
        """Whether so many can be confirmed beyond what was held back for the first round."""
        times, budget = self.rules.confirm_draws / self.rules.draws, self.budget
        joules = self.spent()["value"] + times * sum(row.spent_j for row in rest)
        wall_s = self.wall_s() + times * sum(row.wall_s for row in rest)
        over_j = budget.energy_j is not None and joules > budget.energy_j
        return not over_j and (budget.wall_s is None or wall_s <= budget.wall_s)

    def _confirm_on(self, trial: Trial, draw: int) -> None:
        key = trial.number, draw
        row = next((r for r in self.confirmations if (r.number, r.draw) == key), None)
        if row is None:
            row = Trial(CONFIRM, *key, trial.fields)
            self.confirmations.append(row)
        if row.state not in ENDED:
            self._sit(row, range(draw, draw + 1), self._patience())
            self._save(row)
            self.say(self.line(row))

    def _save(self, row: Trial) -> None:
        if row.stage == SEARCH:
            row.proposer_cpu_s += self.cpu_s
            self.cpu_s = 0.0
        self.trials.save(row)

    def _keep_rest(self, declared: dict[str, float]) -> None:
        self.kept_cpu_s += self.cpu_s
        self.cpu_s = 0.0
        for name, value in declared.items():
            self.kept_declared[name] = self.kept_declared.get(name, 0.0) + value
        self.trials.keep("proposer_cpu_s", self.kept_cpu_s)
        self.trials.keep("declared", self.kept_declared)

    @contextlib.contextmanager
    def _costing(self) -> Iterator[None]:
        """Counts the CPU seconds of this process, and of those that the search's process started."""
        own_s = time.process_time()
        try:
            yield
        finally:
            theirs_s = self.process.cpu_s()
            self.cpu_s += time.process_time() - own_s + max(0.0, theirs_s - self.theirs_s)
            self.theirs_s = theirs_s
