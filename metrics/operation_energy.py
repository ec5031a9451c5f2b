"""Modelled joules from counts: operations and bytes moved, times published pJ.

It is a floor: control, clocks, leakage, caches that miss and idle silicon are on nobody's count (a small
training run came out 36 times below watts times CPU seconds). So it is a figure of its own, never added
to another, and its source says so: "modelled:operations-45nm (floor)".

A table is a yaml file like those in `configs/energy/`: `name` and `source`, `operations` (pJ each) and
`bytes` (pJ per byte, by memory level), each a number or a pair [low, high], and `unconfirmed`, the
figures that were not checked at the source.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

PICO = 1e-12
SECTIONS = ("operations", "bytes")
FIELDS = ("name", "source", *SECTIONS, "unconfirmed")


class OperationEnergyError(ValueError):
    """A table or counts that do not fit, with the way out."""


class Counts(msgspec.Struct, kw_only=True, frozen=True):
    """What was done. operations: how many by kind ("fp32_mul"); bytes: moved, by level ("dram")."""

    operations: dict[str, float] = {}
    bytes: dict[str, float] = {}


class Table(msgspec.Struct, kw_only=True, frozen=True):
    """pJ per operation and per byte, as (low, high); source: where the figures were published."""

    name: str
    source: str
    operations: dict[str, tuple[float, float]]
    bytes: dict[str, tuple[float, float]]
    unconfirmed: list[str] = []


class Floor(msgspec.Struct, kw_only=True, frozen=True):
    """Joules, named like an EnergyRow's. gross_j is low_j: of a range, a floor takes the lower end.

    by_kind: share of gross_j, in J. flags: what a reader must know before believing it.
    """

    source: str
    table: str
    gross_j: float
    low_j: float
    high_j: float
    by_kind: dict[str, float]
    flags: list[str]


def read_table(file: str | Path) -> Table:
    """The table in a yaml file."""
    path = Path(file)
    try:
        content = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise OperationEnergyError(
            f"cannot read the energy table {path}: {error.strerror or error}"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OperationEnergyError(
            f"{path} is no yaml: {' '.join(str(error).split())}; compare configs/energy/"
        ) from None
    return table(content, str(path))


def table(content: Any, where: str = "the energy table") -> Table:
    """A table from a mapping, checked; `where` is what errors call it."""
    if not isinstance(content, Mapping):
        raise OperationEnergyError(f"{where}: has no fields; it needs {', '.join(FIELDS[:-1])}")
    for field in content:
        if field not in FIELDS:
            raise OperationEnergyError(f"{where}: no field is called {field}{near(field, FIELDS)}")
    for field in ("name", "source"):
        if not isinstance(content.get(field), str) or not content[field].strip():
            raise OperationEnergyError(f"{where}: {field}: must be words; a figure has a source")
    figures = {section: _section(content.get(section), section, where) for section in SECTIONS}
    known = [*figures["operations"], *figures["bytes"]]
    unconfirmed = content.get("unconfirmed") or []
    if not isinstance(unconfirmed, list):
        raise OperationEnergyError(f"{where}: unconfirmed: must be a list of kinds")
    for kind in unconfirmed:
        if kind not in known:
            raise OperationEnergyError(f"{where}: unconfirmed: no {kind}{near(kind, known)}")
    return Table(name=content["name"], source=content["source"], unconfirmed=unconfirmed, **figures)


def _section(content: Any, section: str, where: str) -> dict[str, tuple[float, float]]:
    if not isinstance(content, Mapping):
        raise OperationEnergyError(f"{where}: {section}: must be a mapping of kinds to pJ")
    found = {}
    for kind, figure in content.items():
        pair = figure if isinstance(figure, (list, tuple)) else [figure, figure]
        if not (len(pair) == 2 and all(_is_size(x) for x in pair) and pair[0] <= pair[1]):
            raise OperationEnergyError(
                f"{where}: {section}.{kind}={figure}: must be pJ (at least 0) or a pair [low, high]"
            )
        found[str(kind)] = (float(pair[0]), float(pair[1]))
    return found


def modelled(counts: Counts, prices: Table) -> Floor:
    """Sum of count times pJ. A kind that the table lacks is refused: at 0 pJ it would be hidden."""
    low: dict[str, float] = {}
    high_j = 0.0
    for section in SECTIONS:
        known: dict[str, tuple[float, float]] = getattr(prices, section)
        for kind, count in getattr(counts, section).items():
            if kind not in known:
                raise OperationEnergyError(
                    f"{section}: the table {prices.name} has no {kind}{near(kind, known)}; "
                    f"it has {', '.join(known)}"
                )
            if not _is_size(count):
                raise OperationEnergyError(f"{section}.{kind}={count}: a count is at least 0")
            low[kind] = low.get(kind, 0.0) + count * known[kind][0] * PICO
            high_j += count * known[kind][1] * PICO
    gross_j = math.fsum(low.values())
    doubtful = [kind for kind in low if kind in prices.unconfirmed]
    return Floor(
        source=f"modelled:operations-{prices.name} (floor)",
        table=prices.source,
        gross_j=gross_j,
        low_j=gross_j,
        high_j=max(high_j, gross_j),
        by_kind=low,
        flags=[f"unconfirmed figures: {', '.join(doubtful)}"] if doubtful else [],
    )


def floor(operations: Mapping[str, int], moved_bytes: int, prices: Table) -> Floor:
    """Joules of operations and of bytes that moved, nobody knows between which levels of memory.

    All of them at the table's cheapest level make the floor, at its dearest the upper end.
    """
    levels = prices.bytes
    if moved_bytes and not levels:
        raise OperationEnergyError(
            f"bytes: the table {prices.name} prices none, and {moved_bytes} were moved; give it a level, "
            "such as dram: [160, 325]"
        )
    counts = Counts(operations=dict(operations))
    if not moved_bytes:
        return modelled(counts, prices)
    cheapest = min(levels, key=lambda level: levels[level])
    dearest = max(levels, key=lambda level: levels[level][::-1])
    low = modelled(Counts(operations=dict(operations), bytes={cheapest: moved_bytes}), prices)
    high_j = modelled(counts, prices).high_j + moved_bytes * levels[dearest][1] * PICO
    doubtful = [kind for kind in (*operations, cheapest, dearest) if kind in prices.unconfirmed]
    flags = [f"every byte from {cheapest} in the floor, from {dearest} at the upper end"]
    if doubtful:
        flags.append(f"unconfirmed figures: {', '.join(dict.fromkeys(doubtful))}")
    return msgspec.structs.replace(low, high_j=max(high_j, low.gross_j), flags=flags)


def near(word: Any, known: Iterable[str]) -> str:
    """ " (did you mean X?)" for the nearest known name, or nothing."""
    found = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return f" (did you mean {found[0]}?)" if found else ""


def _is_size(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value) and value >= 0
