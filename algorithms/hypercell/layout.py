"""A space in memory: the arrays that the kernel works on, for every kind of host the same.

All of it lies in one buffer, so that a fresh start, a snapshot or a copy to another device is one copy.
Messages come last: what is in them counts only where an outbox says so.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import psutil

from algorithms.base import Refused
from algorithms.hypercell.biology import Biology, Economy
from algorithms.hypercell.space import NAMES, TILE, Geometry

AXES = len(NAMES)
TALLIES = (
    *("minted", "burned", "births", "starved", "displaced", "repelled"),
    *("settled", "capped", "lived", "told"),
)
PARAMS, DATA = 16, 8


class CAxis(ctypes.Structure):
    """`Axis` of kernel/space.h."""

    _fields_ = [
        (n, ctypes.c_int64) for n in ("length", "ring", "stretch", "toll", "stride", "slot")
    ]


class CSpace(ctypes.Structure):
    """`Space` of kernel/space.h; pointers are addresses of the device that runs it."""

    NUMBERS: ClassVar = (
        *("locations", "tile", "tiles", "outer", "begin_tile", "end_tile", "first_id", "seed"),
        *("cap", "settle", "rent", "breed", "price", "fertile", "neighbours", "heredity"),
    )
    POINTERS: ClassVar = (
        *("energy", "body", "arena", "settled", "outbox", "messages"),
        *("clocks", "locks", "tallies"),
    )
    _fields_ = [
        ("axes", CAxis * AXES),
        *((name, ctypes.c_int64) for name in NUMBERS),
        ("params", ctypes.c_int64 * PARAMS),
        *((name, ctypes.c_void_p) for name in POINTERS),
        ("data", ctypes.c_void_p * DATA),
    ]


@dataclass(frozen=True)
class Slab:
    """The part of a space that one process holds: planes `begin` to `end` of its outermost axis, and on
    either side, where there is a neighbour, a ghost plane that only mirrors it.

    axis: which axis is cut, -1 for none. first: the plane of the whole space that is plane 0 here.
    """

    axis: int = -1
    begin: int = 0
    end: int = 0
    planes: int = 0
    first: int = 0


class Layout:
    """Sizes and places of the arrays of a space. tile: locations per tile at most; results do not
    depend on it. Raises Refused for a space that does not fit into memory, before any is taken."""

    def __init__(
        self, geometry: Geometry, biology: Biology, tile: int = TILE, slab: Slab | None = None
    ) -> None:
        self.geometry, self.biology, self.slab = geometry, biology, slab or Slab()
        self.outer = geometry.outer(tile)
        self.tile = geometry.strides[self.outer] * geometry.lengths[self.outer]
        self.locations = geometry.locations
        if self.slab.axis >= 0:
            self.outer = max(self.outer, self.slab.axis + 1)
            self.tile = geometry.strides[self.outer - 1]
            self.locations = self.slab.planes * geometry.strides[self.slab.axis]
        self.tiles = self.locations // self.tile
        size, slots = self.locations, max(geometry.slots) + 1
        self.shapes: dict[str, tuple[tuple[int, ...], str]] = {
            "energy": ((size,), "<i4"),
            "body": ((size, biology.body), "<u4"),
            "settled": ((size,), "u1"),
            "outbox": ((slots, 2, size), "u1"),
            "clocks": ((self.tiles,), "<u4"),
            "locks": ((self.tiles,), "<u4"),
            "tallies": ((self.tiles, len(TALLIES)), "<i8"),
            "arena": ((size, biology.arena), "u1"),
            "messages": ((slots, 2, 2, size, biology.message), "<u4"),
        }
        self.offsets: dict[str, int] = {}
        self.bytes = 0
        for name, (shape, kind) in self.shapes.items():
            self.offsets[name] = self.bytes
            count = int(np.prod(shape, dtype=object)) * np.dtype(kind).itemsize
            self.bytes += -(-count // 64) * 64  # every array on a cache line of its own
        self._check_memory()

    def _check_memory(self) -> None:
        free = psutil.virtual_memory().available
        needed = self.bytes + self.fresh_bytes  # a copy of the state is what a training begins with
        if needed > 0.9 * free:
            raise Refused(
                f"the space {self.geometry.describe()} has {self.geometry.locations:,} locations of "
                f"{needed / self.locations:,.0f} bytes each and needs {needed / 1e9:,.3g} GB; "
                f"{free / 1e9:,.3g} GB are free. Choose a smaller algo.geometry (laptop has 8 "
                "locations) or shorten an axis"
            )
        if self.geometry.locations >= 1 << 31:
            raise Refused(
                f"the space {self.geometry.describe()} has {self.geometry.locations:,} locations; the "
                "kernel counts to 2**31. Shorten an axis"
            )

    @property
    def fresh_bytes(self) -> int:
        """Bytes that make up the state: all but messages, which count only where sent."""
        return self.offsets["messages"]

    def arrays(self, buffer: np.ndarray) -> dict[str, np.ndarray]:
        """Views of uint8 buffer [bytes]."""
        return {
            name: np.ndarray(shape, kind, buffer, self.offsets[name])
            for name, (shape, kind) in self.shapes.items()
        }

    def c_space(self, base: int, seed: int, economy: Economy) -> CSpace:
        """The kernel's view of a buffer that begins at address `base`."""
        geometry, space = self.geometry, CSpace()
        for a, axis in enumerate(geometry.axes):
            length, ring = axis.length, axis.ring
            if a == self.slab.axis:
                length, ring = self.slab.planes, False
            slot = geometry.slots[a]
            space.axes[a] = CAxis(length, ring, axis.stretch, axis.toll, geometry.strides[a], slot)
        per_plane = geometry.strides[self.slab.axis] // self.tile
        whole = self.slab.axis < 0
        numbers = {
            "locations": self.locations,
            "tile": self.tile,
            "tiles": self.tiles,
            "outer": self.outer,
            "begin_tile": 0 if whole else self.slab.begin * per_plane,
            "end_tile": self.tiles if whole else self.slab.end * per_plane,
            "first_id": 0 if whole else self.slab.first * geometry.strides[self.slab.axis],
            "seed": seed & (1 << 63) - 1,
            "cap": economy.cap,
            "settle": economy.settle,
            "rent": economy.rent,
            "breed": economy.breed,
            "price": economy.price,
            "fertile": 1,
            "neighbours": 1,
            "heredity": 1,
        }
        for name, value in numbers.items():
            setattr(space, name, value)
        for name in CSpace.POINTERS:
            setattr(space, name, base + self.offsets[name])
        return space
