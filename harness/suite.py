"""Suites: many runs under one name, each with its stopping point fixed beforehand.

    bench run suite=tinyshakespeare seed=0,1,2,3,4

A suite is `configs/suite/NAME.yaml` or a file of one's own: `words` go to every run, `runs` are the
words of each. What else is on the command line goes to every run as well; comma lists there are swept,
and the whole suite is sat once for each of their combinations, so that what is compared lies close
together in time. Runs of one combination share their nonce, and with it what is held out of a fixed
text; how many draws lie in one window is each run's own. The nonce is thus known once the first of them
has left its Record, when the code of all is long hashed.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import yaml

from harness import registry
from harness.errors import BadInputError, did_you_mean

WORD = "suite="
PARTS = {"about", "words", "runs"}


def expand(words: list[str]) -> list[list[list[str]]]:
    """The words of every run of the suite that is named, once for every combination of comma lists.

    Runs of one combination are compared with each other. algo=NAME leaves those of that algorithm.
    """
    from harness.config import products  # late: it loads Hydra, which a list of names does not need

    named = [word.removeprefix(WORD) for word in words if word.startswith(WORD)]
    if len(named) != 1:
        raise BadInputError("one suite at a time")
    suite = load(named[0])
    algos = [word.removeprefix("algo=") for word in words if word.startswith("algo=")]
    wanted = {name for algo in algos for name in algo.split(",")}
    runs = [run for run in suite["runs"] if not wanted or _algo(run) in wanted]
    if not runs:
        known = sorted({_algo(run) for run in suite["runs"]})
        raise BadInputError(
            f"suite={named[0]} has no run of algo={','.join(sorted(wanted))}; it has: {', '.join(known)}"
        )
    rest = [word for word in words if not word.startswith((WORD, "algo="))]
    return [[[*suite["words"], *run, *job] for run in runs] for job in products(rest)]


def load(name: str) -> dict[str, Any]:
    """A suite's words and runs, each a list of words."""
    path = (
        Path(name)
        if name.endswith((".yaml", ".yml"))
        else registry.FOLDER / "suite" / f"{name}.yaml"
    )
    try:
        content = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        known = names()
        raise BadInputError(
            f"no suite is called {name}{did_you_mean(name, known)}; there are: {', '.join(known)}; or the "
            "path of a yaml of your own"
        ) from None
    except (OSError, yaml.YAMLError) as error:
        raise BadInputError(
            f"suite={name}: cannot be read: {' '.join(str(error).split())}"
        ) from None
    if not isinstance(content, dict) or not set(content) <= PARTS or not content.get("runs"):
        raise BadInputError(
            f"suite={name}: must have runs, and may have words and about; nothing else"
        )
    lines = [content.get("words", ""), *content["runs"]]
    if not isinstance(content["runs"], list) or not all(isinstance(line, str) for line in lines):
        raise BadInputError(
            f"suite={name}: words and each of runs are a line of words, as for bench run"
        )
    common, *runs = map(shlex.split, lines)
    for run in runs:
        if not _algo(run):
            raise BadInputError(f"suite={name}: a run names no algo=: {shlex.join(run)}")
    return {"about": content.get("about") or {}, "words": common, "runs": runs}


def names() -> list[str]:
    """What suite= takes."""
    return sorted(path.stem for path in (registry.FOLDER / "suite").glob("*.yaml"))


def _algo(run: list[str]) -> str:
    return next((word.removeprefix("algo=") for word in run if word.startswith("algo=")), "")
