"""What an exam is made of: its words, its sides, the order in which they sit, and the plan on disk.

Candidate and baseline (and ablations of the candidate, where they are asked for) sit in pairs: each in a
fresh process, all of one pair on the same draw, in an order that a recorded seed tells. The plan (pairs,
the one extension, every α, margins, seeds, configurations and code by their hashes, meter and machine)
is written before the first run. A draw's nonce is random and in no plan, so it is no tuning draw, which
follows from the seed.
"""

from __future__ import annotations

import hashlib
import json
import platform
import random
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import host, registry
from harness.config import Config, configure, products
from harness.errors import BadInputError, did_you_mean
from harness.found import sha256
from harness.load import hash_sources
from harness.runner import Run
from metrics import paired
from metrics.record import canonical
from reports.exam_runs import BASELINE, CANDIDATE
from tasks.base import Target

FOLDER = "exams"
PLAN = "plan.json"
TUNED_BASELINE = "backprop_tuned"
MOST_PAIRS = 1000
OTHERS = {
    "bench tune has a search": ("process=", "process.", "budget.", "tune."),
    "bench curve has pauses": ("curve.",),
    "bench run has suites": ("suite=",),
    "bench count has energy tables": ("energy=", "energy."),
}


@dataclass(frozen=True)
class Words:
    """The command line, taken apart. rest: as for bench run. baseline_fields: words, as algo.X=V."""

    rest: list[str]
    baseline: str = TUNED_BASELINE
    baseline_fields: tuple[str, ...] = ()
    pairs: int = 10
    extension: int = 10
    ablations: str = ""


def take_apart(words: list[str]) -> Words:
    """baseline=, baseline.X=, pairs=, extension= and ablations= are of an exam, all else is of a run."""
    for what, marks in OTHERS.items():
        for bad in [word for word in words if word.startswith(marks)]:
            raise BadInputError(f"{bad}: only {what}")
    rest, own, fields = [], {}, []
    for word in words:
        name, _, value = word.partition("=")
        if name.startswith("baseline."):
            fields.append(f"algo.{name.removeprefix('baseline.')}={value}")
        elif name in ("baseline", "pairs", "extension", "ablations"):
            own[name] = value
        else:
            rest.append(word)
    pairs = _count("pairs", own.get("pairs", "10"), 2)
    extension = _count("extension", own.get("extension", str(pairs)), 0)
    return Words(
        rest,
        own.get("baseline", TUNED_BASELINE),
        tuple(fields),
        pairs,
        extension,
        own.get("ablations", ""),
    )


def _count(name: str, text: str, least: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= MOST_PAIRS:
        more = "; 10 make an exam, 5 a screening" if name == "pairs" else ""
        raise BadInputError(f"{name}={text}: must be a whole number, {least} to {MOST_PAIRS}{more}")
    return int(text)


def sides(words: Words) -> dict[str, Config]:
    """Every side's configuration, by its name."""
    if len(products(words.rest)) > 1:
        raise BadInputError("comma lists are for bench run -m; sit one exam at a time")
    candidate = configure(words.rest, multirun=False)[0]
    common = [w for w in words.rest if not re.match(r"algo[=.]", w)]
    name = baseline_for(words.baseline, candidate)
    try:
        baseline = configure([*common, f"algo={name}", *words.baseline_fields], multirun=False)[0]
    except BadInputError as error:
        raise BadInputError(f"baseline={words.baseline}: {error}") from None
    found = {CANDIDATE: candidate, BASELINE: baseline}
    for label, changes in ablations(words.ablations, candidate).items():
        try:
            found[label] = configure([*words.rest, *changes], multirun=False)[0]
        except BadInputError as error:
            raise BadInputError(f"ablation {label}: {error}") from None
        if sha256(found[label].algo) == sha256(candidate.algo):
            raise BadInputError(f"ablation {label}: changes nothing of the candidate")
    return found


def baseline_for(name: str, candidate: Config) -> str:
    """The choice of algorithm behind baseline=. backprop_tuned is what stands for it on this task: the
    algorithm of that name, or what a search of ours has left in configs/tuned."""
    if name != TUNED_BASELINE:
        return name
    task = candidate.task.name
    families = candidate.task.about.get("families") or [candidate.task.about.get("family")]
    if set(families) & set(registry.find("algo", TUNED_BASELINE)[0].families):
        return TUNED_BASELINE
    kept = f"{registry.TUNED}/backprop_{task}"
    if kept in registry.shelf():
        return kept
    raise BadInputError(
        f"there is no tuned backprop for task={task} (configs/tuned/backprop_{task}.yaml); tune one with "
        f"bench tune task={task} algo=backprop process=tpe budget.trials=40, then say "
        "baseline=results/tune/NAME/found.yaml; or name any algorithm, such as baseline=backprop"
    )


def ablations(text: str, candidate: Config) -> dict[str, list[str]]:
    """Words by an ablation's name: the algorithm's own (ablations=all, or some of their names), or those
    of the text itself: "name: field=value field=value; name: ..."."""
    if not text:
        return {}
    known: dict[str, str] = candidate.algo.about.get("ablations") or {}
    if ":" in text:
        parts = [part.partition(":") for part in text.split(";") if part.strip()]
        chosen = {name.strip(): line.strip() for name, _, line in parts}
    elif text == "all" and known:
        chosen = known
    else:
        chosen = {name.strip(): known.get(name.strip(), "") for name in text.split(",")}
        for name in chosen:
            if name not in known:
                raise BadInputError(
                    f"ablations={text}: {candidate.algo.name} lists no ablation {name}"
                    f"{did_you_mean(name, known)}; it has: {', '.join(known) or 'none'}; or give your own: "
                    "\"ablations='small: field=value; name: field=value'\""
                )
    if bad := [n for n, line in chosen.items() if not n or not line or n in (CANDIDATE, BASELINE)]:
        raise BadInputError(
            f"ablations={text}: {bad[0] or 'one'} has no name or no words of its own"
        )
    return {
        name: [w if w.startswith("algo.") else f"algo.{w}" for w in shlex.split(line)]
        for name, line in chosen.items()
    }


def orders(seed: int, pairs: int, names: list[str]) -> list[list[str]]:
    """Who sits when within each pair: independent random orders from one seed."""
    source = random.Random(seed)
    return [source.sample(names, len(names)) for _ in range(pairs)]


def machine() -> str:
    """Identity of this machine, hashed: the system's own, or its name where it has none."""
    try:
        name = Path("/etc/machine-id").read_text().strip()
    except OSError:
        name = ""
    return hashlib.sha256((name or platform.node()).encode()).hexdigest()[:12]


def plan_of(
    words: Words, configs: dict[str, Config], seats: dict[str, Run], target: Target
) -> dict[str, Any]:
    """What is fixed beforehand, except the random order and the name: equal for equal exams."""
    first = configs[CANDIDATE]
    looks = paired.looks(words.pairs, words.extension)
    total = words.pairs + words.extension
    return {
        "task": {"name": first.task.name, "config": first.task.fields},
        "task config_sha256": sha256(first.task),
        "target": {
            "score": target.name,
            "direction": target.direction,
            "bar": target.value,
            "margin": target.margin,
        },
        "sides": {name: _side(config) for name, config in configs.items()},
        "code": {name: hash_sources(config.algo.target)[0] for name, config in configs.items()},
        "pairs": words.pairs,
        "extension": words.extension,
        "looks": [
            {"pairs": look.pairs, "alpha": {name: look.alpha(name) for name in paired.ALPHA}}
            for look in looks
        ],
        "limits": {"energy ratio": 1.0, "wall ratio": 1.05, "score worse by": target.margin},
        "seeds": [first.seed + pair for pair in range(total)],
        "meter": seats[CANDIDATE].meter.source,
        "meters": {
            c.name: c.fields for c in first.meters if c.name in seats[CANDIDATE].meter.names
        },
        "threads": {name: seat.threads for name, seat in seats.items()},
        "repeats": first.repeats,
        "limits of a run": first.limits,
        "settle_s": first.settle_s,
        "machine": machine(),
        "device": host.describe(seats[CANDIDATE].threads).device_class,
    }


def _side(config: Config) -> dict[str, Any]:
    return {
        "algorithm": config.algo.name,
        "target": config.algo.target,
        "config": config.algo.fields,
        "config_sha256": sha256(config.algo),
        "found": config.algo.about.get("found"),
    }


def digest(words: Words, configs: dict[str, Config]) -> str:
    """Six digits of what was asked for: the same words, whatever has become of code and machine since."""
    first = configs[CANDIDATE]
    asked = {
        "task": sha256(first.task),
        "sides": {name: sha256(config.algo) for name, config in configs.items()},
        "pairs": [words.pairs, words.extension],
        "run": [
            first.seed,
            first.repeats,
            first.threads,
            first.meter,
            first.limits,
            first.settle_s,
        ],
        "meters": {c.name: c.fields for c in first.meters},
    }
    return hashlib.sha256(canonical(asked)).hexdigest()[:6]


def name_of(words: Words, configs: dict[str, Config]) -> str:
    """The exam's name, before it is numbered where it is begun anew."""
    first = configs[CANDIDATE]
    parts = (re.sub(r"[^\w.]", "_", part) for part in (first.task.name, first.algo.name))
    return "-".join([*parts, digest(words, configs)])


def check_same(planned: dict[str, Any], now: dict[str, Any], name: str, words: list[str]) -> None:
    """Refuses to go on with an exam of which anything that was fixed has changed."""
    now = json.loads(json.dumps(now))
    changed = [key for key in now if planned.get(key) != now[key]]
    if not changed:
        return
    if "machine" in changed or "device" in changed:
        why = f"was begun on another machine ({planned.get('device')}; this is {now['device']})"
    else:
        which = [
            f"{key} of {side}"
            for key in changed
            if key in ("code", "sides", "threads")
            for side in now[key]
            if planned.get(key, {}).get(side) != now[key][side]
        ]
        rest = [key for key in changed if key not in ("code", "sides", "threads")]
        why = f"was begun otherwise: {', '.join([*which, *rest])} changed since"
    raise BadInputError(
        f"exam {name} {why}, and what was sat before cannot be paired with what would be now; restore that, "
        f"or begin anew (its Records stay): bench exam --fresh {shlex.join(words)}"
    )
