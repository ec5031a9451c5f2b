"""A space that lives on a GPU, and ends in the same bits as `world.World` on a CPU.

The device holds the same buffer as the host, array by array. What is asked of a space (its hash, its
champion) is computed on the host, from a copy of the arrays that it takes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from functools import cache
from math import prod
from typing import Any

import numpy as np

from algorithms.base import Refused
from algorithms.hypercell.layout import CSpace, Layout
from algorithms.hypercell.space import NAMES, Geometry
from algorithms.hypercell.world import Founder, World
from tasks.native.nvrtc import Cubin, compile_cuda

WARP, BLOCK = 32, 256  # threads; BLOCK is kernel/cuda.h's
INSTALL = "pip install 'joulebench[cuda]'"


def open_device(ordinal: int = 0) -> Any:
    """A cuda.core.Device, made current. Raises Refused where there is none."""
    try:
        from cuda.core import Device
    except ImportError as error:
        raise Refused(f"hypercell on a GPU needs cuda-core ({error}): {INSTALL}") from None
    try:
        device = Device(ordinal)
        device.set_current()
    except Exception as error:  # cuda.core documents no type: no driver, no GPU, no such ordinal
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise Refused(
            f"no GPU {ordinal} that CUDA can use ({reason}): check nvidia-smi, or run hypercell on "
            "the CPU"
        ) from None
    return device


@cache
def compiled(source: str, arch: str) -> Cubin:
    """Machine code, made once per process."""
    return compile_cuda(source, arch)


def good_tile(geometry: Geometry, multiprocessors: int) -> int:
    """Locations per tile that keep a GPU busy: the most of whole axes that fit a block and leave two
    tiles to every multiprocessor, and in a small space the least that fill a warp."""
    sizes = [prod(geometry.lengths[a:]) for a in range(len(NAMES))]
    fitting = [size for size in sizes if size <= BLOCK] or sizes[-1:]
    many = [size for size in fitting if geometry.locations // size >= 2 * multiprocessors]
    return max(many or [size for size in fitting if size >= WARP][-1:] or fitting[:1])


def epoch_end(layout: Layout, tick: int, until: int) -> int:
    """How far every tile may go without looking at another, when all stand at `tick`: across an axis of
    stretch T, to the first opening that is at least T ahead."""
    outer = [axis for axis in layout.geometry.axes[: layout.outer] if axis.length > 1]
    return min([until, *((-(-tick // axis.stretch) + 1) * axis.stretch for axis in outer)])


class CudaWorld:
    """A world on a GPU. host: it makes the space and keeps a copy of it; between `run` and `pull` that
    copy is old, and after changing it (loading a snapshot, say) call `push`."""

    def __init__(self, host: World, ordinal: int = 0) -> None:
        if host.layout.slab.axis >= 0:
            raise Refused("a GPU takes a whole space, not the part of one that a process holds")
        device = open_device(ordinal)
        from cuda.core import ObjectCode

        self.host, self.device, self.tick = host, device, host.tick
        self._stream = device.create_stream()
        cubin = compiled(host.biology.source("cuda"), f"sm_{device.arch}")
        code = ObjectCode.from_cubin(cubin.code)
        self.kernels = {name: code.get_kernel(name) for name in cubin.kernels}
        self.resources = cubin.kernels
        self._buffer = self._allocate(host.layout.bytes, "space")
        self._space = self._allocate(ctypes.sizeof(CSpace), "space")
        self._data: dict[int, Any] = {}
        self._stale: set[str] = set()  # arrays of which the host's copy is old
        for slot, array in list(host.fed.items()):
            self.feed(slot, array)
        self.push()

    def found(self, founders: Iterable[Founder]) -> None:
        """Places the first organisms, before tick 0."""
        self.pull()
        self.host.found(founders)
        self.push()

    def feed(self, slot: int, data: np.ndarray) -> None:
        """Copies an array to the device as the kernel's data[slot]; call it again if that changes."""
        self.host.feed(slot, data)
        if slot not in self._data or self._data[slot].size < data.nbytes:
            self._data[slot] = self._allocate(max(data.nbytes, 1), f"data[{slot}]")
        self._upload(self._data[slot].handle, data.ctypes.data, data.nbytes)

    def run(self, until: int, persistent: bool = False) -> None:
        """Brings every tile to tick `until`: by one launch per epoch, or by a single one."""
        if until <= self.tick:
            return
        self._describe()
        at, stale = int(self._space.handle), set(self.host.layout.shapes)
        if persistent:
            self._launch("persistent", self.resident_blocks(), at, until)
        else:
            tick = self.tick
            while tick < until:
                end = epoch_end(self.host.layout, tick, until)
                self._launch("epoch", self.host.layout.tiles, at, tick, end)
                tick = end
        self._stream.sync()
        self.tick, self._stale = until, stale

    def push(self) -> None:
        """The host's state becomes the device's."""
        layout, host = self.host.layout, self.host
        if (host.arrays["clocks"] != host.tick).any():
            raise Refused(
                "the tiles of this space are at different ticks; a GPU begins at one tick"
            )
        # Before the first tick no message counts, and messages are most of the memory.
        size = layout.bytes if host.tick else layout.fresh_bytes
        self._upload(self._buffer.handle, host.buffer.ctypes.data, size)
        self.tick = host.tick
        self._stale = set()

    def pull(self, *names: str) -> None:
        """The device's state becomes the host's: these arrays, or all of them."""
        from cuda.bindings import driver

        host, wanted = self.host, self._stale & set(names or self._stale)
        for name in sorted(wanted):
            array, offset = host.arrays[name], host.layout.offsets[name]
            source = int(self._buffer.handle) + offset
            check(driver.cuMemcpyDtoHAsync(array.ctypes.data, source, array.nbytes, self._handle))
        self._stream.sync()
        self._stale -= wanted
        host.tick = self.tick

    def hash(self) -> int:
        """64 bits of everything that the future depends on, as `World.hash`."""
        self.pull()
        return self.host.hash()

    def champion(self) -> tuple[int, int]:
        """Location of the individual of highest merit (-1: nobody lives) and that merit."""
        self.pull("energy", "body")
        return self.host.champion()

    def genome(self, location: int) -> np.ndarray:
        """uint32 [genome] of whoever lives there."""
        self.pull("body")
        return self.host.genome(location)

    def tallies(self) -> dict[str, int]:
        """Events and energy so far, over all tiles."""
        self.pull("tallies")
        return self.host.tallies()

    def balance(self) -> tuple[int, int]:
        """(energy of the living and on its way + burned, initial + minted): equal at every cut."""
        self.pull()
        return self.host.balance()

    @property
    def population(self) -> int:
        """Locations that are lived in."""
        self.pull("energy")
        return self.host.population

    @property
    def threads(self) -> int:
        """Of a block: one per location of a tile, in whole warps; where a tile has more, they take turns."""
        return min(BLOCK, -(-self.host.layout.tile // WARP) * WARP)

    def resident_blocks(self) -> int:
        """Blocks of the persistent kernel: as many as there are tiles, or as the GPU runs at once. Where
        tiles are more, every block has several."""
        occupancy = self.kernels["persistent"].occupancy
        each = occupancy.max_active_blocks_per_multiprocessor(self.threads, 0)
        return min(self.host.layout.tiles, each * self.device.properties.multiprocessor_count)

    def _launch(self, name: str, blocks: int, at: int, *ticks: int) -> None:
        from cuda.core import LaunchConfig, launch

        config = LaunchConfig(grid=blocks, block=self.threads, is_cooperative=name == "persistent")
        words = [ctypes.c_uint32(tick) for tick in ticks]
        launch(self._stream, config, self.kernels[name], at, *words)

    def _describe(self) -> None:
        """Uploads the space's description: the host's, with the device's addresses."""
        host = self.host
        space = host.layout.c_space(int(self._buffer.handle), host.seed, host.economy)
        for name in ("params", "fertile", "neighbours", "heredity"):
            setattr(space, name, getattr(host.space, name))
        for slot, data in self._data.items():
            space.data[slot] = int(data.handle)
        self._upload(self._space.handle, ctypes.addressof(space), ctypes.sizeof(space))

    @property
    def _handle(self) -> Any:
        return self._stream.handle

    def _allocate(self, size: int, what: str) -> Any:
        from cuda.bindings import driver

        free, total = check(driver.cuMemGetInfo())
        if size > free:
            raise Refused(
                f"{what} needs {size / 1e9:,.3g} GB on the GPU, of whose {total / 1e9:,.3g} GB "
                f"{free / 1e9:,.3g} are free. {self.host.geometry.describe()} has "
                f"{self.host.geometry.locations:,} locations: choose a smaller algo.geometry, "
                "shorten an axis, or run it on the CPU"
            )
        return self.device.allocate(size, stream=self._stream)

    def _upload(self, to: Any, source: int, size: int) -> None:
        """Waits, since the source may be changed afterwards."""
        from cuda.bindings import driver

        check(driver.cuMemcpyHtoDAsync(int(to), source, size, self._handle))
        self._stream.sync()


def check(outcome: tuple[Any, ...]) -> Any:
    """What a driver call returned behind its error code, if that is none."""
    from cuda.bindings import driver

    code, *rest = outcome
    if code != driver.CUresult.CUDA_SUCCESS:
        raise RuntimeError(f"CUDA: {code.name if hasattr(code, 'name') else code}")
    return rest[0] if len(rest) == 1 else tuple(rest)
