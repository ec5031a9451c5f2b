"""Tree-structured Parzen estimators, by Optuna (Bergstra et al. 2011; for two objectives Ozaki et al. 2022).

Optuna keeps nothing here: for every proposal a study is filled with what has been told, and sampled with
the trial's own seed, so that a resumed search is the uninterrupted one.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

from harness.errors import BadInputError
from harness.processes.base import Problem, Process, Proposal, Told
from harness.processes.space import Dimension

OBJECTIVES = ("pareto", "bar")
FAR = 1e6  # in place of ln(J), of whoever misses the bar: only the order counts


class TPE(Process):
    """objective: "pareto", ln(J) and the distance to the bar; or "bar", one scale on which whoever meets
    the bar comes first, by energy, and then the others by distance. startup: random trials before the
    first that is modelled. candidates: drawn for each proposal. published: begin with the settings as
    published."""

    def __init__(
        self,
        objective: str = "pareto",
        startup: int = 10,
        candidates: int = 24,
        published: bool = True,
    ) -> None:
        if objective not in OBJECTIVES:
            raise BadInputError(f"process.objective={objective}: must be {' or '.join(OBJECTIVES)}")
        if startup < 1 or candidates < 1:
            raise BadInputError("process.startup and process.candidates must be at least 1")
        self.objective = objective
        self.startup = startup
        self.candidates = candidates
        self.published = published

    def begin(self, problem: Problem) -> None:
        super().begin(problem)
        try:
            import optuna
        except ImportError:
            raise BadInputError(
                "process=tpe needs Optuna: pip install 'joulebench[tune]'; process=evolve needs nothing"
            ) from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)

    def ask(self) -> Proposal | None:
        number = len(self.told)
        if self.published and not number:
            return Proposal(self.problem.published)
        if number < self.startup:
            return Proposal(self.problem.space.sample(self.problem.rng(number, "tpe")))
        return Proposal(self._modelled(number))

    def _modelled(self, number: int) -> dict[str, Any]:
        import optuna
        from optuna.trial import create_trial

        dimensions = self.problem.space.dimensions
        known = {d.name: distribution(d) for d in dimensions}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # multivariate is called experimental
            sampler = optuna.samplers.TPESampler(
                seed=self.problem.rng(number, "tpe").getrandbits(31),
                multivariate=True,
                n_startup_trials=1,
                n_ei_candidates=self.candidates,
            )
            directions = [optuna.study.StudyDirection.MINIMIZE] * (
                2 if self.objective == "pareto" else 1
            )
            study = optuna.create_study(directions=directions, sampler=sampler)
            # The published settings may lie outside the space: then they teach nothing about it.
            within = [trial for trial in self.told if self.problem.space.holds(trial.fields)]
            study.add_trials(
                [
                    create_trial(
                        params={d.name: encoded(d, trial.fields[d.name]) for d in dimensions},
                        distributions=known,
                        values=self._values(trial),
                    )
                    for trial in within
                ]
            )
            params = study.ask(known).params
        return {
            d.name: d.choices[params[d.name]] if d.choices else d.tidy(params[d.name])
            for d in dimensions
        }

    def _values(self, trial: Told) -> list[float]:
        """What is minimised. One that failed is told as the worst of both, so that it is kept away from."""
        done = [t for t in self.told if t.order[0] < 2]
        worst_j = max((t.energy_j or 0.0 for t in done), default=1.0)
        furthest = max((t.distance or 0.0 for t in done), default=1.0)
        failed = trial.energy_j is None or trial.distance is None or trial.state != "done"
        energy_j = worst_j if failed else trial.energy_j
        distance = 2 * furthest + 1 if failed else trial.distance
        assert energy_j is not None and distance is not None
        log_j = math.log(max(energy_j, 1e-12))
        if self.objective == "pareto":
            return [log_j, distance]
        return [FAR + distance if distance else log_j]


def distribution(dimension: Dimension) -> Any:
    """Optuna's; choices go by their index, which may be of any type then."""
    from optuna import distributions

    if dimension.choices:
        return distributions.CategoricalDistribution(tuple(range(len(dimension.choices))))
    if dimension.whole:
        low, high = int(dimension.low), int(dimension.high)
        return distributions.IntDistribution(low, high, log=dimension.log)
    return distributions.FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def encoded(dimension: Dimension, value: Any) -> Any:
    return dimension.choices.index(value) if dimension.choices else value
