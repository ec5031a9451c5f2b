"""Tables of pJ per operation and byte: those in `configs/energy/`, or a yaml of one's own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import configs
from harness.errors import BadInputError, did_you_mean
from metrics.operation_energy import Table, read_table

FOLDER = Path(configs.__file__).parent / "energy"


@cache
def tables() -> dict[str, Table]:
    """Every table of ours, by the name of its file."""
    return {path.stem: read_table(path) for path in sorted(FOLDER.glob("*.yaml"))}


def find(name: str) -> Table:
    """The table that `energy=` names: by its file, by its own name (45nm), or by a path."""
    if name.endswith((".yaml", ".yml")):
        return read_table(Path(name).expanduser())
    for stem, table in tables().items():
        if name in (stem, table.name):
            return table
    known = [word for stem, table in tables().items() for word in (stem, table.name)]
    raise BadInputError(
        f"no energy table is called {name}{did_you_mean(name, known)}; there are: {', '.join(known)}; or "
        "one of your own: energy=./mine.yaml"
    )


def with_kinds(kinds: list[str]) -> list[str]:
    """Names of our tables that price all of these operations."""
    return [stem for stem, table in tables().items() if set(kinds) <= set(table.operations)]
