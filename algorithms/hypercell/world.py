"""A space that lives on a CPU: run, look at, hash, save, resume."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from algorithms.hypercell.biology import Biology, Economy
from algorithms.hypercell.layout import TALLIES, Layout, Slab
from algorithms.hypercell.space import TILE, Geometry
from tasks.native.build import opened
from tasks.native.memory import aligned


@dataclass(frozen=True)
class Founder:
    """An organism that is there at tick 0. genes: threshold and axes' weights, as packed by `genes`."""

    location: int
    genes: tuple[int, int]
    genome: tuple[int, ...]
    state: tuple[int, ...]
    arena: bytes = b""


@dataclass(frozen=True)
class Ablation:
    """What may be switched off, to see whether it does anything: children; everything that crosses
    between locations; inheritance (children get random genomes)."""

    reproduction: bool = True
    neighbours: bool = True
    heredity: bool = True


def genes(
    rate: int = 16, threshold: int = 64, share: int = 255, buy: int = 0, weights: Iterable[int] = ()
) -> tuple[int, int]:
    """The engine's two genes. rate: of mutation, in 1/256. threshold: reproduces from (threshold + 1) *
    Economy.breed on. share: the child gets (share + 1) / 512 of the energy. buy: the child inherits (buy
    + 1) / 256 of what can be carried. weights: 0..15 of each axis, for where children and signals go."""
    axes = [*weights] or [1] * 7
    packed = sum(weight << 4 * a for a, weight in enumerate(axes))
    return rate | threshold << 8 | share << 16 | buy << 24, packed


class Kernel:
    """A compiled biology."""

    def __init__(self, library: Path, biology: Biology) -> None:
        self.lib = opened(library)
        space = ctypes.c_void_p
        wide = ctypes.c_int64
        for name, arguments, result in (
            ("run", [space, wide, wide, wide], None),
            ("run_lockstep", [space, wide, wide, wide, ctypes.c_void_p], None),
            ("run_at_random", [space, wide, wide, wide], None),
            ("live_only", [space, wide], None),
            ("in_flight", [space], wide),
            ("hash", [space, wide], ctypes.c_uint64),
            ("champion", [space, ctypes.c_void_p], None),
            ("sizes", [ctypes.c_void_p], None),
        ):
            function = getattr(self.lib, name)
            function.argtypes, function.restype = arguments, result
        sizes = (ctypes.c_int64 * 9)()
        self.lib.sizes(sizes)
        arena = biology.arena if sizes[4] else 0  # 0: a space's own affair
        wanted = (biology.genome, biology.state, biology.signal, biology.carry, arena)
        if tuple(sizes[:5]) != wanted:
            raise AssertionError(f"{biology.name}.h has sizes {sizes[:5]}, its Python {wanted}")


class World:
    """Organisms in a space, and the clock of every tile of it.

    All methods but `run_at_random` leave the tiles at one tick, `tick`.
    """

    def __init__(
        self,
        kernel: Kernel,
        geometry: Geometry,
        biology: Biology,
        seed: int = 0,
        economy: Economy | None = None,
        ablation: Ablation | None = None,
        tile: int = TILE,
        slab: Slab | None = None,
    ) -> None:
        self.kernel, self.geometry, self.biology, self.seed = kernel, geometry, biology, seed
        self.economy, self.ablation = economy or Economy(), ablation or Ablation()
        self.layout = Layout(geometry, biology, tile, slab)
        self.buffer = aligned(self.layout.bytes)
        self.arrays = self.layout.arrays(self.buffer)
        self.space = self.layout.c_space(self.buffer.ctypes.data, seed, self.economy)
        self.space.fertile = self.ablation.reproduction
        self.space.neighbours = self.ablation.neighbours
        self.space.heredity = self.ablation.heredity
        self.address = ctypes.addressof(self.space)
        self.tick = 0
        self.initial = 0
        self._out = (ctypes.c_int64 * 2)()
        self.fed: dict[int, np.ndarray] = {}

    def found(self, founders: Iterable[Founder]) -> None:
        """Places the first organisms, before tick 0."""
        first = self.space.first_id
        owned = range(
            self.space.begin_tile * self.space.tile, self.space.end_tile * self.space.tile
        )
        for founder in founders:
            at = founder.location - first
            if at not in owned:
                continue
            body = (founder.location + 1, 0, *founder.genes, *founder.genome, *founder.state)
            self.arrays["energy"][at] = self.economy.endowment
            self.arrays["body"][at] = body
            self.arrays["settled"][at] = 1
            if founder.arena:
                self.arrays["arena"][at] = np.frombuffer(founder.arena, np.uint8)
        self.initial = int(self.arrays["energy"].sum(dtype=np.int64))

    def keep(self) -> None:
        """Makes the state of now the one that `reset` goes back to."""
        self.image, self.image_tick = self.buffer[: self.layout.fresh_bytes].copy(), self.tick

    def reset(self) -> None:
        """Back to what `keep` kept."""
        self.buffer[: self.layout.fresh_bytes] = self.image
        self.tick = self.image_tick

    def feed(self, slot: int, data: np.ndarray) -> None:
        """Makes an array the kernel's data[slot]; it is kept alive and must not move."""
        self.fed[slot] = data
        self.space.data[slot] = data.ctypes.data

    def run(self, until: int, threads: int = 1) -> None:
        """Brings every tile to tick `until`."""
        if threads == 1:
            self.kernel.lib.run(self.address, until, 0, 1)
        else:
            self._together(lambda t: self.kernel.lib.run(self.address, until, t, threads), threads)
        self.tick = until

    def run_lockstep(self, until: int, threads: int = 1) -> None:
        """The same with a barrier after every tick, for comparison."""
        arrived = np.zeros(2, np.uint32)
        address = arrived.ctypes.data
        self._together(
            lambda t: self.kernel.lib.run_lockstep(self.address, until, t, threads, address),
            threads,
        )
        self.tick = until

    def run_at_random(self, until: int, steps: int, seed: int) -> None:
        """So many steps of a random schedule; may leave tiles at different ticks."""
        self.kernel.lib.run_at_random(self.address, until, steps, seed)

    def _together(self, work: Callable[[int], object], threads: int) -> None:
        helpers = [threading.Thread(target=work, args=(t,)) for t in range(1, threads)]
        for helper in helpers:
            helper.start()
        work(0)
        for helper in helpers:
            helper.join()

    def hash(self) -> int:
        """64 bits of everything that the future depends on. Sums over parts of a space."""
        return int(self.kernel.lib.hash(self.address, self.tick))

    def champion(self) -> tuple[int, int]:
        """Location of the individual of highest merit (-1: nobody lives) and that merit."""
        self.kernel.lib.champion(self.address, self._out)
        return self._out[0], self._out[1]

    def genome(self, location: int) -> np.ndarray:
        """uint32 [genome] of whoever lives there."""
        return self.arrays["body"][location, 4 : 4 + self.biology.genome].copy()

    def tallies(self) -> dict[str, int]:
        """Events and energy so far, over all tiles."""
        return dict(zip(TALLIES, self.arrays["tallies"].sum(axis=0).tolist(), strict=True))

    def balance(self) -> tuple[int, int]:
        """(energy of the living and on its way + burned, initial + minted): equal at every cut."""
        tallies = self.tallies()
        owned = slice(
            self.space.begin_tile * self.space.tile, self.space.end_tile * self.space.tile
        )
        living = int(self.arrays["energy"][owned].sum(dtype=np.int64))
        flying = int(self.kernel.lib.in_flight(self.address))
        return living + flying + tallies["burned"], self.initial + tallies["minted"]

    @property
    def population(self) -> int:
        """Locations that are lived in."""
        return int(np.count_nonzero(self.arrays["energy"]))
