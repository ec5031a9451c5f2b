"""What there is to choose from: one yaml per choice. Reads names and `about` blocks, nothing else.

A choice is `configs/<group>/<name>.yaml`, or `configs/<group>/<name>/<family>.yaml` where one
algorithm differs by the family of the task.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import configs
from harness.errors import BadInputError, did_you_mean
from harness.load import is_file_target, outline

AUTO = "auto"  # in place of a meter's name: the most real meters that work here
FOLDER = Path(configs.__file__).parent
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Choice:
    """One yaml: `option` is what Hydra calls it, `fields` what a user may override, `about` the rest."""

    group: str
    name: str
    option: str
    target: str
    about: dict[str, Any]
    fields: dict[str, Any]

    @property
    def families(self) -> list[str]:
        """Families that a task has (one) or that an algorithm takes."""
        return self.about.get("families") or [self.about["family"]]

    @property
    def description(self) -> str:
        return str(self.about.get("description", ""))


@cache
def choices(group: str) -> list[Choice]:
    """Every choice of a group, by name."""
    found = []
    for path in sorted((FOLDER / group).rglob("*.yaml")):
        option = path.relative_to(FOLDER / group).with_suffix("").as_posix()
        if not option.startswith("_"):
            fields = yaml.load(path.read_bytes(), _Loader)
            about, target = fields.pop("about"), fields.pop("_target_")
            name = option.partition("/")[0]
            found.append(Choice(group, name, option, target, about, fields))
    return found


def names(group: str) -> list[str]:
    """Names that `group=` takes."""
    return sorted({choice.name for choice in choices(group)})


def find(group: str, name: str) -> list[Choice]:
    """The choices behind a name (several where they differ by family), or a class in a file."""
    if name.endswith(".py"):
        raise BadInputError(f"{group}={name}: which class of that file? say {group}={name}:Mine")
    if is_file_target(name):
        seen = outline(name)
        about: dict[str, Any] = {"description": seen.description, **_declared(seen.constants, name)}
        return [Choice(group, Path(name).name, "_file", seen.target, about, seen.fields)]
    found = [choice for choice in choices(group) if name in (choice.name, choice.option)]
    if not found:
        raise BadInputError(
            f"no {group} is called {name}{did_you_mean(name, names(group))}; "
            f"there are: {', '.join(names(group))}; or a class in a file: {group}=./mine.py:Mine"
        )
    return found


def _declared(constants: dict[str, Any], name: str) -> dict[str, Any]:
    """Family and access from the class's own constants."""
    families = constants.get("families", constants.get("family"))
    if isinstance(families, str):
        families = [families]
    if not isinstance(families, list) or not families:
        raise BadInputError(
            f"{name} does not say which families it takes; "
            'write in the class: families = ("classification",) or family = "sequence"'
        )
    return {"families": families, **{k: constants.get(k) for k in ("access", "threads")}}


def field_lines(choice: Choice) -> list[str]:
    """The lines of a choice's yaml below its header: fields, defaults and comments."""
    path = (FOLDER / choice.group / choice.option).with_suffix(".yaml")
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("_target_"))
    return [line for line in lines[start + 1 :] if line.strip()]


def algorithm_for(name: str, task: Choice) -> Choice:
    """The choice of algorithm `name` that takes the task's family."""
    family = task.families[0]
    found = find("algo", name)
    for choice in found:
        if family in choice.families:
            return choice
    takers = sorted({c.name for c in choices("algo") if family in c.families})
    raise BadInputError(
        f"algo={name} does not take the family of task={task.name} ({family}); "
        f"these do: {', '.join(takers)}"
    )
