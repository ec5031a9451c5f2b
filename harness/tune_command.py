"""`bench tune`: from the words to a search, and from a search to found.yaml."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from harness import found, host, registry
from harness.config import Config, configure
from harness.errors import BadInputError
from harness.load import construct, hash_sources
from harness.processes.base import Problem, Process
from harness.processes.space import Space
from harness.progress import Display
from harness.run_command import keep
from harness.runner import Hooks
from harness.search_setup import budget_of, identity, rules_of, search_folder
from harness.trial_run import Sat, TrialRun, check_draws
from harness.trials import ENDED, Trials
from harness.tune import Search
from metrics.cpu_time import PUBLISHED_W, CpuTime
from metrics.store import Store
from reports.search import print_search
from reports.units import scaled
from tasks.base import Target, Task

OF_SEARCH = re.compile(r"algo[=.]|process|budget\.|tune\.")  # what is no word of an exam
SILENT = Hooks(lambda line: None, lambda moment: None)


class Tuning:
    """One search as the command line asks for it; constructing it checks everything but the worker."""

    def __init__(self, config: Config, fresh: bool) -> None:
        if config.process is None:
            known = ", ".join(registry.names("process"))
            raise BadInputError(f"which process? say process=NAME, one of: {known}")
        self.config, self.name = config, config.process.name
        algo = config.algo
        if algo.about.get("found"):
            raise BadInputError(
                f"algo={algo.name}: this yaml is itself what a search found; search from the published one "
                f"(algo={algo.name})"
            )
        self.process: Process = construct(config.process.target, config.process.fields, "process")
        held = {w.partition("=")[0].removeprefix("algo.") for w in config.overrides if "=" in w}
        where = f"algo={algo.name}"
        if self.process.bounded and not algo.about.get("search"):
            space = Space(())
        else:
            space = Space.read(algo.about.get("search"), algo.fields, where).without(held)
            if not space.dimensions:
                raise BadInputError(f"{where}: every field of its search space is held")
        self.budget = budget_of(config.budget, self.process.bounded)
        self.rules = rules_of(config.tune)
        probe = TrialRun(config, SILENT, 0, self.name, {})
        self.task: Task = probe.task
        self.target: Target = check_draws(config, self.task)
        modelled = next((m for m in probe.meter.meters if isinstance(m, CpuTime)), None)
        self.counted = probe.meter.source.startswith("modelled") and modelled is not None
        self.watts = (
            (modelled.w_per_cpu_s, modelled.low_w_per_cpu_s, modelled.high_w_per_cpu_s)
            if modelled
            else PUBLISHED_W
        )
        self.spare = config.tune["spare"]
        if self.spare is None:
            self.spare = self.target.margin / 2
        if not self.spare >= 0:
            raise BadInputError(f"tune.spare={self.spare:g}: must be at least 0")
        self.problem = Problem(
            algo=algo.name,
            task=config.task.name,
            variant=self.task.variant,
            space=space,
            published={d.name: algo.fields[d.name] for d in space.dimensions},
            seed=config.seed,
            bar=held_to(self.target, self.spare),
            direction=self.target.direction,
        )
        self.folder = search_folder(config, self.problem, fresh)
        self.console = Console(stderr=True)

    def run(self) -> int:
        """The whole of it; returns the exit code."""
        store = Store(self.folder)
        store.check_writable()
        with Trials(self.folder) as trials:
            self._same(trials)
            search = Search(
                *(self.process, self.problem, trials, self._sit, self.budget, self.rules),
                watts=self.watts if self.counted else None,
                say=self._say,
            )
            self.search = search
            self._tell_of_resuming()
            try:
                why = search.run()
            except BadInputError as error:
                if search.best():
                    self._leave(str(error))
                raise BadInputError(f"{error}. {self._kept()}") from None
            print(f"bench: {why}", file=sys.stderr)
            if not search.best():
                print(f"bench: no trial has finished. {self._kept()}", file=sys.stderr)
                return 2
            self._leave(why)
            if not search.complete:
                print(f"bench: {self._kept()}", file=sys.stderr)
        return 0 if search.complete else 2

    def _same(self, trials: Trials) -> None:
        """That the file is of this very search; a new one is made so."""
        mine, theirs = identity(self.config, self.problem), trials.meta("identity")
        if theirs is None:
            trials.keep("identity", mine)
        elif theirs != mine:
            other = [name for name in mine if theirs.get(name) != mine[name]]
            raise BadInputError(
                f"{self.folder} is another search ({', '.join(other)} differ); begin anew with --fresh, or "
                "name this one with tune.name=NAME"
            )

    def _sit(
        self, fields: dict[str, Any], draw: int, mark: dict[str, Any], limits: dict[str, float]
    ) -> Sat:
        """A trial on one draw, its Record kept."""
        config = self.config
        bounds = dict(config.limits)
        for phase, limit_s in limits.items():
            own_s = bounds[f"{phase}_s"]
            bounds[f"{phase}_s"] = limit_s if own_s is None else min(own_s, limit_s)
        trial = replace(
            config,
            algo=replace(config.algo, fields={**config.algo.fields, **fields}),
            results=str(self.folder),
            limits=bounds,
            trace=bool(config.trace),
        )
        seated = TrialRun(trial, SILENT, draw, self.name, {"search": self.folder.name, **mark})
        title = f"{mark['stage']} {mark['number'] + 1} · {self._state()}"
        with seated.tracking as tracking:
            with Display(self.console, title) as show:
                seated.hooks = Hooks(lambda line: None, show.watch)
                record = seated.execute()
            keep(record, Store(self.folder))
            tracking.finish(record)
        if record.status == "failed" and seated.log.strip():
            (self.folder / "logs").mkdir(exist_ok=True)
            (self.folder / "logs" / f"{record.run}.log").write_bytes(seated.log)
        return seated.sat(record)

    def _say(self, line: str) -> None:
        self.console.print(
            f"{line}  ({self._state()})", highlight=False, markup=False, soft_wrap=True
        )

    def _state(self) -> str:
        """Best so far, and the spent of the budget."""
        best = self.search.best()[:1]
        parts = [f"best {scaled(t.energy_j, 'J')}" for t in best if t.distance == 0]
        of = self.budget.energy_j
        spent = scaled(self.search.spent()["value"], "J")
        parts.append(f"{spent} spent" + (f" of {scaled(of, 'J')}" if of is not None else ""))
        return ", ".join(parts)

    def _tell_of_resuming(self) -> None:
        rows = self.search.rows
        if rows:
            self.console.print(
                f"going on with {self.folder}: {len(rows)} trials, "
                f"{scaled(self.search.spent()['value'], 'J')} spent (--fresh begins anew)",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )

    def _kept(self) -> str:
        return (
            f"{len(self.search.rows)} trials are kept in {self.folder}; the same words again go on"
        )

    def _leave(self, why: str) -> None:
        """found.yaml, and the result on standard output."""
        search = self.search
        choice = search.choice()
        algo = replace(self.config.algo, fields={**self.config.algo.fields, **choice.trial.fields})
        figures = self.figures(why)
        description = f"{algo.name}, found by {self.name} on {self.config.task.name}"
        path = found.write(self.folder, algo, figures, description)
        done = [asdict(row) for row in search.rows if row.state == "done"]
        print_search(done, choice.trial.number, self.problem.published, figures)
        print(f"found     {path}")
        words = [w for w in self.config.overrides if not OF_SEARCH.match(w)]
        print(f"exam      bench run {shlex.join([*words, f'algo={path}'])}")

    def figures(self, why: str) -> dict[str, Any]:
        """about.found: plain values only."""
        search, config = self.search, self.config
        choice, spent = search.choice(), search.spent()
        rows = [*search.rows, *search.confirmations]
        cpu_s = search.proposer_cpu_s()
        optuna = {"optuna": host.version("optuna")} if self.name == "tpe" else {}
        assert config.process is not None
        return {
            "process": self.name,
            "process_config": dict(config.process.fields),
            "search": self.folder.name,
            "seed": config.seed,
            "trials": sum(row.state in ENDED for row in search.rows),
            "failed": sum(row.state == "failed" for row in rows),
            "refused": sum(row.state == "refused" for row in rows),
            "unmetered": sum(row.unmetered for row in rows),
            "find_j": spent["value"],
            "find_low_j": spent["low"],
            "find_high_j": spent["high"],
            "source": search.source() or "",
            "device": search.device(),
            "proposer": {
                "cpu_s": cpu_s,
                "energy_j": cpu_s * self.watts[0],
                "source": "modelled:cpu_time",
                "counted": self.counted,
            },
            "declared": search.declared(),
            "wall_s": search.wall_s(),
            "task": config.task.name,
            "variant": self.task.variant,
            "access": self.task.access,
            "bar": self.target.value,
            "spare": self.spare,
            "held_to": self.problem.bar,
            "met": choice.met,
            "score_name": self.target.name,
            "score": choice.score,
            "energy_j": choice.energy_j,
            "chosen_trial": choice.trial.number + 1,
            "confirmations": choice.confirmed,
            "as_published": search.as_published(),
            "draws": "tuning draws of the seed, shared with every search of that seed, never an exam's",
            "budget": {k: v for k, v in config.budget.items() if v is not None},
            "tune": {k: v for k, v in config.tune.items() if k != "name"},
            "ended": why,
            "complete": search.complete,
            "code_sha256": hash_sources(config.algo.target)[0],
            "versions": {
                "joulebench": host.code().version,
                "commit": host.code().commit,
                "python": sys.version.split()[0],
                **optuna,
            },
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def held_to(target: Target, spare: float) -> float:
    """The bar with the spare, no further than the best score there can be."""
    assert target.value is not None
    if target.direction == "max":
        return min(target.value + spare, max(target.value, target.perfect))
    return max(target.value - spare, min(target.value, target.perfect))


def tune(words: list[str], multirun: bool, fresh: bool) -> int:
    """Every search that the words ask for, one after the other; all are checked before any begins."""
    if meant := [word for word in words if re.match(r"(curve\.|suite=)", word)]:
        raise BadInputError(f"{meant[0]}: is nothing for bench tune; see bench tune --help")
    searches = [Tuning(config, fresh) for config in configure(words, multirun)]
    codes = []
    for search in searches:
        codes.append(search.run())
        if not search.search.complete and codes[-1]:
            break
    return max(codes)
