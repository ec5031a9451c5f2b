"""What a search is made of, checked: its budget, its rules, its identity and its folder."""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path
from typing import Any

from harness import found
from harness.config import Config
from harness.errors import BadInputError
from harness.found import sha256
from harness.load import hash_sources
from harness.processes.base import Problem
from harness.tune import Budget, Rules
from metrics.record import canonical

FOLDER = "tune"


def budget_of(given: dict[str, Any], bounded: bool) -> Budget:
    """The budget of the words; with `like` no more trials and joules than another search has spent.

    bounded: whether the process ends by itself.
    """
    trials, energy_j, wall_s, like = (given[n] for n in ("trials", "energy_j", "wall_s", "like"))
    for name, value in (("trials", trials), ("energy_j", energy_j), ("wall_s", wall_s)):
        if value is not None and not value > 0:
            raise BadInputError(f"budget.{name}={value:g}: must be above 0")
    source = device = None
    if like is not None:
        spent = found.read(like)
        trials = min(trials or math.inf, int(spent["trials"]))
        energy_j = min(energy_j or math.inf, float(spent["find_j"]))
        source, device = str(spent["source"]), spent.get("device")
    if not bounded and trials is energy_j is wall_s is None:
        raise BadInputError(
            "how long may it search? say budget.trials=40, budget.energy_j=100, budget.wall_s=600, or "
            "budget.like=PATH/found.yaml of another search (whichever comes first)"
        )
    return Budget(trials if trials is None else int(trials), energy_j, wall_s, source, device)


def rules_of(given: dict[str, Any]) -> Rules:
    """The fields of `tune` that the loop needs."""
    rules = Rules(
        **{n: given[n] for n in ("draws", "confirm", "confirm_draws", "patience", "give_up")}
    )
    for name in ("draws", "give_up"):
        if getattr(rules, name) < 1:
            raise BadInputError(f"tune.{name}={getattr(rules, name)}: must be at least 1")
    for name in ("confirm", "confirm_draws"):
        if getattr(rules, name) < 0:
            raise BadInputError(f"tune.{name}={getattr(rules, name)}: must be at least 0")
    if rules.patience is not None and not rules.patience > 0:
        raise BadInputError(f"tune.patience={rules.patience:g}: must be above 0")
    return rules


def identity(config: Config, problem: Problem) -> dict[str, Any]:
    """What makes a search this one: with the same, it goes on. The budget is no part of it."""
    assert config.process is not None
    return {
        "task": sha256(config.task),
        "algorithm": sha256(config.algo),
        "code": hash_sources(config.algo.target)[0],
        "space": problem.space.plain(),
        "process": config.process.name,
        "process fields": config.process.fields,
        "seed": config.seed,
        "bar": problem.bar,
        "draws": config.tune["draws"],
        "meter": config.meter,
        "repeats": config.repeats,
        "threads": config.threads,
    }


def search_folder(config: Config, problem: Problem, fresh: bool) -> Path:
    """results/tune/NAME, or the last of NAME-2, NAME-3 ... where it was begun anew; `fresh`: the next."""
    name = config.tune["name"]
    if name is None:
        assert config.process is not None
        about = {k: v for k, v in identity(config, problem).items() if k != "code"}
        digest = hashlib.sha256(canonical(about)).hexdigest()[:6]
        parts = (config.task.name, config.algo.name, config.process.name)
        name = "-".join(re.sub(r"[^\w.]", "_", part) for part in parts) + f"-{digest}"
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise BadInputError(f"tune.name={name}: letters, digits, . _ and - only")
    parent = Path(config.results) / FOLDER
    number = 1
    while (parent / _numbered(name, number + 1)).exists():
        number += 1
    if fresh and (parent / _numbered(name, number)).exists():
        number += 1
    return parent / _numbered(name, number)


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"
