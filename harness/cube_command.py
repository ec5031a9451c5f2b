"""`bench cube`: its axes are what there is to choose from."""

from __future__ import annotations

import math
from pathlib import Path

from harness import registry
from reports.cube_axes import Axes, Problem
from reports.cube_table import print_cube

BY_HAND = ("set_by_hand", "by_hand")  # processes that are no yaml (metrics/record.py)


def cube(folders: list[str], csv_path: str | None) -> int:
    """Prints the cube of all Records in `folders`."""
    return print_cube([Path(folder) for folder in folders], axes(), csv_path)


def axes() -> Axes:
    """Problems and what is trained by gradient, as the yamls say; a task that says nothing comes last."""
    problems = []
    for choice in sorted(registry.choices("task"), key=_place):
        place = choice.about.get("cube") or {"values": [None]}
        problems += [Problem(choice.name, place.get("field"), v) for v in place["values"]]
    gradient = frozenset(c.name for c in registry.choices("algo") if c.about.get("gradient"))
    searches = [name for name in registry.names("process") if name != "as_published"]
    return Axes(problems, ["as_published", *BY_HAND, *searches], gradient)


def _place(choice: registry.Choice) -> tuple[float, str]:
    return (choice.about.get("cube") or {"place": math.inf})["place"], choice.name
