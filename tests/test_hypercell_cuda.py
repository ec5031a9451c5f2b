"""CUDA: what can be proven without a GPU, and where there is one, that it ends in the CPU's bits."""

from __future__ import annotations

import importlib.util
import random
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from algorithms.base import Refused
from algorithms.hypercell import cuda, parity
from algorithms.hypercell.biology import Biology
from algorithms.hypercell.cuda import CudaWorld, epoch_end, good_tile
from algorithms.hypercell.layout import Slab
from algorithms.hypercell.space import Axis
from algorithms.hypercell.space import geometry as named
from algorithms.hypercell.world import World
from tasks.native.nvrtc import compile_cuda
from tests import emulated, hypercells
from tests.biologies.messenger import MESSENGER
from tests.biologies.toy_text import TOY_TEXT
from tests.hypercells import Case
from tests.test_hypercell_density import crowd

NVRTC = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("cuda", "nvidia")),
    reason="cuda-core is not installed: pip install 'joulebench[cuda]'",
)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the emulation needs Linux's ucontext")


def no_gpu() -> str:
    """Why there is none; empty where there is one."""
    try:
        cuda.open_device()
    except Refused as error:
        return str(error)
    return ""


GPU = pytest.mark.skipif(bool(no_gpu()), reason=f"needs a CUDA device: {no_gpu()}")


@NVRTC
@pytest.mark.parametrize(
    "biology",
    [parity.biology(20), parity.biology(100), TOY_TEXT, MESSENGER],
    ids=["parity20", "parity100", "toy_text", "messenger"],
)
def test_compiles_for_an_h200_without_spills(biology: Biology) -> None:
    kernels = compile_cuda(biology.source("cuda"), "sm_90").kernels
    assert set(kernels) == {"epoch", "persistent"}
    for name, takes in kernels.items():
        print(f"{biology.name} {name}: {takes}")
        assert takes.spill_stores_bytes == takes.spill_loads_bytes == 0, (name, takes)
        # Two blocks of 256 threads share the 65,536 registers of a multiprocessor.
        assert takes.registers <= 65536 // (2 * cuda.BLOCK), (name, takes)


@LINUX
@given(hypercells.geometries(), st.integers(1, 40), st.integers(0, 100), st.integers(1, 100))
def test_an_epoch_is_the_light_cone_of_tiles_at_one_tick(
    shape: hypercells.Geometry, tile: int, tick: int, more: int
) -> None:
    world = hypercells.messenger_case(shape, random.Random(0), [0], 1).world(tile)
    world.arrays["clocks"][:] = tick
    cone = emulated.library(world.biology.source("cuda")).cone
    limits = [cone(world.address, i, tick + more) for i in range(world.layout.tiles)]
    assert epoch_end(world.layout, tick, tick + more) == min(limits) > tick


@LINUX
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(hypercells.cases(), st.data())
def test_the_kernels_in_emulation_end_in_the_bits_of_the_cpu(
    case: Case, data: st.DataObject
) -> None:
    draw = data.draw
    tile, ticks = (
        draw(st.integers(1, 12)),
        draw(st.lists(st.integers(1, 30), min_size=1, max_size=3)),
    )
    gpu = emulated.Gpu(
        draw(st.integers(1, 3)), draw(st.integers(1, 2)), seed=draw(st.integers(0, 99))
    )
    with pytest.MonkeyPatch.context() as patch:
        emulated.install(patch, gpu)
        agree(case, tile, ticks, draw(st.booleans()))


def agree(case: Case, tile: int, ticks: list[int], persistent: bool) -> None:
    """Both run the same, with a look at every stop, by kernels in turn."""
    world, there = case.world(tile), CudaWorld(case.world(tile))
    for more in ticks:
        until = world.tick + more
        world.run(until)
        there.run(until, persistent)
        assert there.tallies() == world.tallies()
        assert there.champion() == world.champion()
        assert there.hash() == world.hash(), (until, persistent)
        assert there.balance() == world.balance()
        persistent = not persistent


@LINUX
def test_a_space_changed_on_the_host_goes_on_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = emulated.Gpu()
    emulated.install(monkeypatch, gpu)
    case = busy(7)
    world, there = case.world(8), CudaWorld(case.world(8))
    world.run(17)
    there.run(17)
    assert gpu.launches == 17 // 3 + 1  # the outer axis has a stretch of 3
    assert there.population == world.population > 1
    assert there.genome(world.champion()[0]).tolist() == world.genome(world.champion()[0]).tolist()
    there.pull()
    again = CudaWorld(there.host)  # what a snapshot does: messages on their way go along
    again.run(40, persistent=True)
    world.run(40)
    assert again.hash() == world.hash()
    assert gpu.launches == 17 // 3 + 2
    world.space.params[parity.SEEN] = again.host.space.params[parity.SEEN] = 31
    world.run(60)
    again.run(60)
    assert again.hash() == world.hash()
    again.run(60)
    assert again.tick == 60
    other = np.ascontiguousarray(case.data[::-1])
    world.feed(0, other)
    again.feed(0, other)
    world.run(80)
    again.run(80)
    assert again.hash() == world.hash()


def busy(n: int, locations: int = 24) -> Case:
    """A space full of parity in no time."""
    shape = hypercells.geometry(
        device=Axis(locations // 8, True, 3, 1), sm=Axis(2, False, 2, 1), warp=Axis(4, False, 1, 1)
    )
    return hypercells.parity_of(shape, random.Random(n), [0, 5, 9], 10, n, 0.1)


@LINUX
def test_refuses_what_it_cannot_do(monkeypatch: pytest.MonkeyPatch) -> None:
    world = busy(7).world(8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cuda.core", None)
        with pytest.raises(Refused, match=r"needs cuda-core .*joulebench\[cuda\]"):
            CudaWorld(world)
    emulated.install(monkeypatch, emulated.Gpu(memory=10000))
    with pytest.raises(Refused, match=r"needs .* GB on the GPU.*24 locations: choose a smaller"):
        CudaWorld(world)
    emulated.install(monkeypatch, emulated.Gpu())
    world.run_at_random(30, 7, 1)
    with pytest.raises(Refused, match="at different ticks"):
        CudaWorld(world)
    slab = Slab(axis=3, begin=1, end=2, planes=3, first=0)
    part = World(world.kernel, world.geometry, world.biology, slab=slab)
    with pytest.raises(Refused, match="takes a whole space"):
        CudaWorld(part)


@pytest.mark.skipif(not no_gpu(), reason="there is a GPU")
def test_says_that_there_is_no_gpu() -> None:
    with pytest.raises(Refused, match=r"no GPU 0 that CUDA can use|needs cuda-core"):
        CudaWorld(busy(7).world())


def test_tiles_for_a_gpu() -> None:
    assert good_tile(named("h200"), 132) == 32  # 132 tiles: a warp each
    large = hypercells.geometry(device=Axis(4096), sm=Axis(8), warp=Axis(32))
    assert good_tile(large, 132) == 256
    assert good_tile(hypercells.geometry(warp=Axis(9)), 132) == 9
    assert good_tile(hypercells.geometry(warp=Axis(900)), 132) == 900
    assert good_tile(named("laptop"), 132) == 8


@pytest.mark.gpu
@GPU
@pytest.mark.parametrize("seed", range(24))
def test_a_gpu_ends_in_the_bits_of_the_cpu(seed: int) -> None:
    case, luck = large(seed)
    agree(case, luck.choice([1, 8, 32, 300]), [1, 7, 60, 200], bool(seed % 2))


def large(seed: int) -> tuple[Case, random.Random]:
    """Spaces larger than a block, mostly of parity with rows of one word and of two."""
    luck = random.Random(seed)
    lengths = luck.choice([(5, 4, 8), (2, 3, 32), (3, 70), (40, 4), (1, 300), (7, 5, 3)])
    names = luck.sample(["row", "host", "device", "cluster", "sm"], len(lengths) - 1)
    axes = {
        name: Axis(length, length > 2 and luck.random() < 0.5, luck.choice([1, 2, 3, 8]), 1)
        for name, length in zip([*names, "warp"], lengths, strict=True)
    }
    shape = hypercells.geometry(**axes)
    at = luck.sample(range(shape.locations), 5)
    if seed % 8 == 6:
        return hypercells.toy_case(shape, luck, at, 10), luck
    if seed % 8 == 7:
        return hypercells.messenger_case(shape, luck, at, 10), luck
    n, noise = hypercells.SIZES[seed % 3], luck.choice([0, 0.1])
    return hypercells.parity_of(shape, luck, at, 10, n, noise), luck


@pytest.mark.gpu
@GPU
@pytest.mark.parametrize(("size", "menu"), [((21, 3), 0), ((149, 3), 0), ((9, 1), 64)])
def test_density_on_a_gpu_ends_in_the_bits_of_the_cpu(size: tuple[int, int], menu: int) -> None:
    agree(crowd(menu, size), 4, [1, 19, 40, 140], persistent=False)


@pytest.mark.gpu
@GPU
@pytest.mark.parametrize("persistent", [False, True])
def test_a_gpu_ends_in_the_bits_of_the_oracle(persistent: bool) -> None:
    case = busy(70)
    oracle, there = case.oracle(), CudaWorld(case.world(8))
    oracle.run(40)
    there.run(40, persistent)
    assert there.hash() == oracle.hash()


@pytest.mark.gpu
@GPU
def test_more_tiles_than_can_be_resident() -> None:
    shape = hypercells.geometry(device=Axis(16, True, 4), sm=Axis(2000, False, 2), warp=Axis(4))
    case = hypercells.parity_of(shape, random.Random(1), list(range(0, 120000, 997)), 10, 7, 0)
    world, there = case.world(4), CudaWorld(case.world(4))
    assert there.resident_blocks() < there.host.layout.tiles
    world.run(30)
    there.run(30, persistent=True)
    assert there.hash() == world.hash()
