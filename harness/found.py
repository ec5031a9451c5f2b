"""What a search leaves behind: found.yaml, which `bench run algo=PATH/found.yaml` takes.

Below about.found stands what the search says of itself: process, seed, trials, J to find with their
source. A run with it has these figures in its Record, as long as the configuration is the one that was
found; where it was changed since, the Record says so and has none.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from harness import registry
from harness.errors import BadInputError
from harness.load import is_file_target
from metrics import record as rec

if TYPE_CHECKING:
    from harness.config import Choosing

FILE = "found.yaml"
BY_HAND = "by_hand"
SET_BY_HAND = "set_by_hand"
NEEDED = ("process", "trials", "find_j", "source", "config_sha256")  # for a Record, and to equal it


def sha256(choosing: Choosing) -> str:
    """Identity of a configuration: its class and every field."""
    content = rec.canonical({"target": choosing.target, "fields": choosing.fields})
    return hashlib.sha256(content).hexdigest()


def provenance(algo: Choosing) -> tuple[str, dict[str, Any] | None, list[str]]:
    """A configuration's process, what its search says of itself, and what a reader must be told."""
    found = algo.about.get("found")
    if found is None:
        return "as_published" if published(algo) else SET_BY_HAND, None, []
    if found.get("found_sha256", of_search(found)) != of_search(found):
        note = f"what stands below about.found is not what {found['process']} wrote: it was changed since"
        return BY_HAND, None, [note]
    if sha256(algo) != found["config_sha256"]:
        note = (
            f"the configuration is not the one that {found['process']} found: it was changed since"
        )
        return BY_HAND, None, [note]
    return str(found["process"]), dict(found), []


def published(algo: Choosing) -> bool:
    """Whether every field is as in the yaml, or the class, of its name; what follows the task is."""
    if is_file_target(algo.target):
        choices = registry.find("algo", algo.target)
    else:
        choices = [c for c in registry.choices("algo") if c.target == algo.target]
    return any(
        all(algo.fields.get(n) == v for n, v in c.fields.items() if not registry.follows(v))
        for c in choices
    )


def of_search(found: dict[str, Any]) -> str:
    """Identity of what a search says of itself."""
    rest = {name: value for name, value in found.items() if name != "found_sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, default=str).encode()).hexdigest()


def write(folder: Path, algo: Choosing, found: dict[str, Any], description: str) -> Path:
    """Writes found.yaml, whole or not at all; returns its path."""
    path = folder / FILE
    found = yaml.safe_load(yaml.safe_dump({**found, "config_sha256": sha256(algo)}))
    whole = {
        "about": {
            "description": description,
            "found": {**found, "found_sha256": of_search(found)},
        },
        "_target_": algo.target,
        **algo.fields,
    }
    text = (
        f"# Written by bench tune. Sit an exam with it: bench run task=... algo={path}\n"
        + yaml.safe_dump(whole, sort_keys=False, width=110, allow_unicode=True)
    )
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path


def read(path: str) -> dict[str, Any]:
    """about.found of a found.yaml, or of the one in a search's folder, or beside its search.sqlite.

    Raises BadInputError where it is none.
    """
    file = Path(path)
    if file.suffix == ".sqlite" or file.is_dir():
        file = (file if file.is_dir() else file.parent) / FILE
    found = load(file).get("about", {}).get("found")
    if found is None:
        raise BadInputError(f"{file} is not what a search has found: there is no about.found in it")
    return dict(found)


def load(file: Path) -> dict[str, Any]:
    """A yaml of one's own with _target_, fields and, at will, about; checked as far as that goes."""
    try:
        content = yaml.safe_load(file.read_bytes())
    except OSError as error:
        raise BadInputError(f"cannot read {file}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadInputError(f"{file} is no yaml: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not isinstance(content.get("_target_"), str):
        raise BadInputError(
            f"{file}: must have _target_ and fields, as the yamls in configs/algo do, or be a found.yaml "
            "of bench tune"
        )
    about = content.setdefault("about", {})
    if not isinstance(about, dict):
        raise BadInputError(f"{file}: about must hold names and values")
    found = about.get("found")
    missing = [n for n in NEEDED if n not in found] if isinstance(found, dict) else NEEDED
    if found is not None and missing:
        raise BadInputError(f"{file}: about.found lacks {', '.join(missing)}")
    if found is not None and (wrong := [n for n, kind in KINDS.items() if not kind(found.get(n))]):
        raise BadInputError(
            f"{file}: about.found is not as bench tune wrote it: {wrong[0]} is {found.get(wrong[0])!r}"
        )
    return content


def _count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _joules(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf


def _word(value: Any) -> bool:
    return isinstance(value, str)


KINDS = {
    "trials": _count,
    "find_j": _joules,
    "find_low_j": lambda value: value is None or _joules(value),
    "find_high_j": lambda value: value is None or _joules(value),
    "process": _word,
    "source": _word,
    "device": lambda value: value is None or _word(value),
    "config_sha256": _word,
}
