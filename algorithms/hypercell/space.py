"""The shape of space: seven axes, each with a length, a topology, a stretch and a toll.

Time is the eighth. Axis a opens at ticks that are multiples of its stretch T; a message sent along it at
tick t arrives at t + T. So stretch is latency, and lookahead: the part of space on one side may run ahead
of the other by that much.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from math import prod
from pathlib import Path
from typing import Any

import yaml

from algorithms.base import Refused

NAMES = ("row", "rack", "host", "device", "cluster", "sm", "warp")
READS = ["../../configs/geometry/*.yaml"]  # counted as code by whoever hashes it
TILE = 1024  # locations that a tile has at most, unless its innermost axis alone is longer


@dataclass(frozen=True)
class Axis:
    """length: locations along it. ring: its ends are joined. stretch: ticks that a message takes. toll:
    energy that a message costs."""

    length: int = 1
    ring: bool = False
    stretch: int = 1
    toll: int = 1


@dataclass(frozen=True)
class Geometry:
    """Seven axes, outermost first; the last varies fastest."""

    name: str
    axes: tuple[Axis, ...]

    @property
    def lengths(self) -> tuple[int, ...]:
        return tuple(axis.length for axis in self.axes)

    @property
    def locations(self) -> int:
        return prod(self.lengths)

    @property
    def strides(self) -> tuple[int, ...]:
        return tuple(prod(self.lengths[a + 1 :]) for a in range(len(NAMES)))

    @property
    def slots(self) -> tuple[int, ...]:
        """A number for every axis that is longer than 1, and -1 for the others."""
        long = [a for a in range(len(NAMES)) if self.axes[a].length > 1]
        return tuple(long.index(a) if a in long else -1 for a in range(len(NAMES)))

    def outer(self, tile: int = TILE) -> int:
        """How many axes lie between tiles: the fewest that leave at most `tile` locations in each."""
        return next(
            (a for a in range(len(NAMES)) if prod(self.lengths[a:]) <= tile), len(NAMES) - 1
        )

    def describe(self) -> str:
        """Its axes that are longer than 1, in words."""
        words = [
            f"{name} {axis.length}{' in a ring' if axis.ring else ''}"
            for name, axis in zip(NAMES, self.axes, strict=True)
            if axis.length > 1
        ]
        return f"{self.name} ({', '.join(words) or 'one location'})"


def geometry(name: str) -> Geometry:
    """A geometry by its name (configs/geometry) or by the absolute path of a yaml like those.

    Raises Refused with the field and the way out.
    """
    shelf = resources.files("configs") / "geometry"
    known = sorted(entry.name[:-5] for entry in shelf.iterdir() if entry.name.endswith(".yaml"))
    if name in known:
        text = (shelf / f"{name}.yaml").read_text()
    elif not Path(name).suffix and not Path(name).is_absolute():
        raise Refused(
            f"algo.geometry={name}: there is none of this name; known are {', '.join(known)}, "
            "or give the absolute path of a yaml"
        )
    elif not Path(name).is_absolute() or not Path(name).is_file():
        raise Refused(
            f"algo.geometry={name}: no such file; give its absolute path, since the algorithm "
            "runs in a folder of its own"
        )
    else:
        text = Path(name).read_text(encoding="utf-8", errors="replace")
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Refused(f"algo.geometry={name}: not a yaml ({str(error).splitlines()[0]})") from None
    if not isinstance(found, dict) or not isinstance(found.get("axes"), dict):
        raise Refused(f"algo.geometry={name}: needs `axes:`, a mapping of {', '.join(NAMES)}")
    return build(Path(name).stem, found["axes"])


def build(name: str, axes: dict[str, Any]) -> Geometry:
    """A geometry from plain values; axes that are not named have length 1."""
    for axis in axes:
        if axis not in NAMES:
            raise Refused(f"geometry {name}: no axis is called {axis}; they are {', '.join(NAMES)}")
    return Geometry(name, tuple(_axis(name, axis, axes.get(axis, {})) for axis in NAMES))


def _axis(name: str, axis: str, fields: Any) -> Axis:
    where, known = f"geometry {name}: {axis}", ", ".join(Axis.__dataclass_fields__)
    if not isinstance(fields, dict):
        raise Refused(f"{where}: {fields!r}: must be a mapping of {known}")
    for field in fields:
        if field not in Axis.__dataclass_fields__:
            raise Refused(f"{where} has no {field}; there are {known}")
    for key, least in (("length", 1), ("stretch", 1), ("toll", 0)):
        value = fields.get(key, least)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 1 << 30:
            most = " and below 2**30" if isinstance(value, int) and value >= 1 << 30 else ""
            raise Refused(
                f"{where}.{key}={value!r}: must be a whole number of at least {least}{most}"
            )
    ring = fields.get("ring", False)
    if not isinstance(ring, bool):
        raise Refused(f"{where}.ring={ring!r}: must be true or false")
    if ring and fields.get("length", 1) == 1:
        raise Refused(f"{where}: a ring of 1 would be its own neighbour; make it longer or a line")
    return Axis(**fields)
