"""What one of several processes holds of a space, and how it exchanges messages with the others.

The outermost axis that is longer than 1 is cut into slabs. A slab has a ghost plane on either side that
has a neighbour. Every T ticks, T being that axis' stretch, neighbours send each other what their boundary
planes' outboxes say; it is due T ticks later, so a process computes on while its messages travel.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from algorithms.base import Refused
from algorithms.hypercell.biology import Biology, Economy
from algorithms.hypercell.layout import Slab
from algorithms.hypercell.links import Link, LinkError
from algorithms.hypercell.parcel import DOWN, UP, pack, unpack
from algorithms.hypercell.snapshot import first_difference, identity
from algorithms.hypercell.space import TILE, Geometry
from algorithms.hypercell.world import Ablation, Kernel, World

PROTOCOL = 1


@dataclass(frozen=True)
class Standing:
    """What is true of a space, or of a part of it, at a tick. balance: `World.balance`. champion:
    location in the whole space (-1: nobody lives), merit and genome."""

    tick: int
    hash: int
    balance: tuple[int, int]
    population: int
    tallies: dict[str, int]
    champion: tuple[int, int]
    genome: tuple[int, ...]


def cut(geometry: Geometry, rank: int, processes: int) -> Slab:
    """The part of process `rank`. Raises Refused where there are fewer planes than processes."""
    if processes == 1:
        return Slab()
    axis = next((a for a, length in enumerate(geometry.lengths) if length > 1), 0)
    length, ring = geometry.lengths[axis], geometry.axes[axis].ring
    if not 1 <= processes <= length:
        raise Refused(
            f"{geometry.describe()} cannot be cut for {processes} processes: the axis that is cut, its "
            f"outermost, has length {length}; take 1 to {length} processes or lengthen it"
        )
    first, last = length * rank // processes, length * (rank + 1) // processes
    below, above = int(ring or first > 0), int(ring or last < length)
    owned = last - first
    return Slab(axis, below, below + owned, below + owned + above, first - below)


class Share:
    """What one of several processes holds of a space, and its links to the processes on either side.

    `world` is to be filled as if it were the whole one: founders elsewhere are left out.
    """

    def __init__(
        self,
        kernel: Kernel,
        geometry: Geometry,
        biology: Biology,
        rank: int,
        processes: int,
        below: Link | None,
        above: Link | None,
        seed: int = 0,
        economy: Economy | None = None,
        ablation: Ablation | None = None,
        tile: int = TILE,
    ) -> None:
        slab = cut(geometry, rank, processes)
        self.world = World(kernel, geometry, biology, seed, economy, ablation, tile, slab)
        self.processes = processes
        self._stretch, self._slot = geometry.axes[slab.axis].stretch, geometry.slots[slab.axis]
        self._plane = geometry.strides[slab.axis]
        # For each neighbour: the link, the direction that leads there, the plane next to it, its ghost.
        self._sides: list[tuple[Link, int, int, int]] = []
        ghosts = ((below, DOWN, slab.begin, 0), (above, UP, slab.end - 1, slab.planes - 1))
        for link, direction, plane, ghost in ghosts:
            if (slab.axis >= 0 and plane != ghost) != (link is not None):
                raise AssertionError("a link wherever there is a neighbour, and nowhere else")
            if link:
                self._sides.append((link, direction, plane, ghost))
        self._greeted = False

    def run(self, until: int, threads: int = 1) -> None:
        """Brings this part to tick `until`, and with it what its neighbours have sent before then."""
        if not self._greeted:
            self._greet()
        while self._sides:
            opens = -(-self.world.tick // self._stretch) * self._stretch
            if opens >= until:
                break
            self.world.run(opens + 1, threads)
            self._send(opens)
            self.world.run(min(opens + self._stretch, until), threads)  # while messages travel
            self._receive(opens)
        if self.world.tick < until:
            self.world.run(until, threads)

    def hash_part(self) -> int:
        """Sums over the processes, modulo 2^64, to the hash of the whole space."""
        return self.world.hash()

    def balance_part(self) -> tuple[int, int]:
        """Both sides of `World.balance`; they are equal only when summed over the processes."""
        return self.world.balance()

    def standing(self) -> Standing:
        """This part's account."""
        world, (at, merit) = self.world, self.world.champion()
        genome = () if at < 0 else tuple(world.genome(at).tolist())
        return Standing(
            world.tick,
            self.hash_part(),
            self.balance_part(),
            world.population,
            world.tallies(),
            (at if at < 0 else at + world.space.first_id, merit),
            genome,
        )

    def close(self) -> None:
        """Ends the links, when the neighbours have been sent all."""
        for link, *_ in self._sides:
            link.close()

    def _greet(self) -> None:
        """Before the first tick: is the neighbour of the same make, and at the same tick?"""
        made = identity(self.world)
        del made["slab"], made["arrays"]
        mine = {
            "protocol": PROTOCOL,
            "processes": self.processes,
            "tick": self.world.tick,
            **made,
            "params": list(self.world.space.params),
        }
        for link, *_ in self._sides:
            link.send(json.dumps(mine).encode())
        for link, *_ in self._sides:
            difference = first_difference(json.loads(link.receive()), mine)
            if difference:
                name, theirs, here = difference
                raise Refused(
                    f"a neighbouring process has {name}={theirs}, this one has {here}; start all "
                    "processes with the same settings, or from snapshots of the same tick"
                )
        self._greeted = True

    def _send(self, opens: int) -> None:
        opening = opens // self._stretch & 1
        for link, direction, plane, _ in self._sides:
            parcel = pack(self.world, self._slot, direction, opening, self._span(plane))
            link.send(opens.to_bytes(8, "little") + parcel)

    def _receive(self, opens: int) -> None:
        """Into the ghosts, whose clocks then say that they have done that tick."""
        opening, per_plane = opens // self._stretch & 1, self._plane // self.world.layout.tile
        for link, direction, _, ghost in self._sides:
            data = memoryview(link.receive())
            sent = int.from_bytes(data[:8], "little")
            if sent != opens:
                raise LinkError(f"a neighbouring process sent tick {sent}, when {opens} was due")
            try:
                span, towards = self._span(ghost), direction ^ 1
                unpack(self.world, self._slot, towards, opening, span, data[8:])
            except ValueError as error:
                raise LinkError(f"a neighbouring process sent {error}") from None
            clocks = self.world.arrays["clocks"]
            clocks[ghost * per_plane : (ghost + 1) * per_plane] = opens + 1

    def _span(self, plane: int) -> slice:
        return slice(plane * self._plane, (plane + 1) * self._plane)


def together(parts: Iterable[Standing]) -> Standing:
    """The account of a whole space from those of its parts, in their order."""
    parts = list(parts)
    best = max(parts, key=lambda part: (part.champion[0] >= 0, part.champion[1]))
    return Standing(
        parts[0].tick,
        sum(part.hash for part in parts) & (1 << 64) - 1,
        (sum(part.balance[0] for part in parts), sum(part.balance[1] for part in parts)),
        sum(part.population for part in parts),
        {name: sum(part.tallies[name] for part in parts) for name in parts[0].tallies},
        best.champion,
        best.genome,
    )
