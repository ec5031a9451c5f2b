"""What there is to choose from: one yaml per choice. Reads names and `about` blocks, nothing else.

A choice is `configs/<group>/<name>.yaml`, or `configs/<group>/<name>/<family>.yaml` where one
algorithm differs by the family of the task. What searches have found is kept in `configs/tuned/`, as
`bench tune` wrote it: algo=tuned/<name>.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import configs
from harness.checks import check_type
from harness.errors import BadInputError, did_you_mean
from harness.load import is_file_target, outline

OWN = ("task", "algo")  # groups that take a file of one's own
TUNED = "tuned"  # not a group of its own, but a shelf of algorithms
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
    def has_family(self) -> bool:
        """Tasks and algorithms are of families; meters and processes are not."""
        return self.group in OWN

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
    if name.endswith((".yaml", ".yml")) and group in OWN:
        return [from_yaml(group, name)]
    if group == "algo" and name.startswith(f"{TUNED}/"):
        return [_tuned(name)]
    found = [choice for choice in choices(group) if name in (choice.name, choice.option)]
    if not found:
        own = f"; or a class in a file: {group}=./mine.py:Mine" if group in OWN else ""
        raise BadInputError(
            f"no {group} is called {name}{did_you_mean(name, [*names(group), *shelf(group)])}; "
            f"there are: {', '.join(names(group))}{own}"
        )
    return found


def shelf(group: str = "algo") -> list[str]:
    """tuned/NAME of everything that searches have found."""
    return [f"{TUNED}/{choice.option}" for choice in choices(TUNED)] if group == "algo" else []


def _tuned(name: str) -> Choice:
    """The choice behind tuned/NAME."""
    if name not in shelf():
        raise BadInputError(
            f"no configuration is called {name}{did_you_mean(name, shelf())}; there are: "
            f"{', '.join(shelf())}"
        )
    return from_yaml("algo", str(FOLDER / f"{name}.yaml"))


def from_yaml(group: str, name: str) -> Choice:
    """A yaml of one's own, such as found.yaml: the choice whose class it names, with other fields.

    What it leaves out is as published. Raises BadInputError, naming the file.
    """
    from harness.found import load  # late: a list of names needs no Records

    content = load(Path(name).expanduser())
    about, target = content.pop("about"), content.pop("_target_")
    if is_file_target(target):
        base = find(group, target)[0]
    else:
        same = [choice for choice in choices(group) if choice.target == target]
        if not same:
            known = [choice.target for choice in choices(group)]
            raise BadInputError(
                f"{name}: no {group} has _target_ {target}{did_you_mean(target, known)}; a class of your "
                f"own is named by its file: _target_: /path/mine.py:Mine"
            )
        base = same[0]
    for field, value in content.items():
        if field not in base.fields:
            raise BadInputError(
                f"{name}: {base.name} has no field {field}{did_you_mean(field, base.fields)}; it has: "
                f"{', '.join(base.fields) or 'no fields'}"
            )
        if base.fields[field] is not None and not follows(base.fields[field]):
            check_type(f"{name}: {field}: {value}", value, base.fields[field])
    own = {key: about[key] for key in ("description", "found") if key in about}
    fields = {**base.fields, **content}
    return Choice(group, base.name, "_file", base.target, {**base.about, **own}, fields)


def follows(default: Any) -> bool:
    """Whether a field is by default what another one is (${task.bar}): it may be of any type then."""
    return isinstance(default, str) and default.startswith("${")


def _declared(constants: dict[str, Any], name: str) -> dict[str, Any]:
    """Family, access, threads and search space from the class's own constants."""
    families = constants.get("families", constants.get("family"))
    if isinstance(families, str):
        families = [families]
    if not isinstance(families, list) or not families:
        raise BadInputError(
            f"{name} does not say which families it takes; "
            'write in the class: families = ("classification",) or family = "sequence"'
        )
    others = ("access", "threads", "search", "ablations")
    return {"families": families, **{name: constants.get(name) for name in others}}


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
