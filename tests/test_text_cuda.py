"""The text biology as CUDA: compiled without a GPU, run in emulation, and on a GPU where there is one."""

from __future__ import annotations

import pytest

from algorithms.hypercell import cuda, text
from algorithms.hypercell.biology import Biology
from algorithms.hypercell.cuda import CudaWorld
from algorithms.hypercell.space import Axis
from algorithms.hypercell.text import P
from tasks.native.nvrtc import compile_cuda
from tests import emulated
from tests.hypercells import Case, geometry
from tests.test_hypercell_cuda import GPU, LINUX, NVRTC
from tests.test_hypercell_text import heirs, pond


@NVRTC
def test_compiles_for_an_h200_without_spills() -> None:
    fits(text.biology(0))


def fits(biology: Biology) -> None:
    kernels = compile_cuda(biology.source("cuda"), "sm_90").kernels
    assert set(kernels) == {"epoch", "persistent"}
    for name, takes in kernels.items():
        print(f"text {name}: {takes}")
        assert takes.spill_stores_bytes == takes.spill_loads_bytes == 0, (name, takes)
        assert takes.registers <= 65536 // cuda.BLOCK, (name, takes)  # a block fits
        # Lookups that run ahead (RING of them), and vectors of classes.
        assert 32 * 160 < takes.stack_bytes <= 12 << 10, (name, takes)


def agree(case: Case, tile: int, every: int, lives: int) -> None:
    """On both, with a look at every stop, by kernels in turn; organisms grow up, breed and die."""
    world, there = case.world(tile), CudaWorld(case.world(tile))
    life = -(-case.params[P.SPAN] // case.params[P.CHUNK])
    for stop, until in enumerate(range(every, lives * life + every, every)):
        world.run(until)
        there.run(until, persistent=bool(stop % 2))
        assert there.tallies() == world.tallies()
        assert there.champion() == world.champion()
        assert there.hash() == world.hash(), until
        assert there.balance() == world.balance()
    tallies = world.tallies()
    assert tallies["births"] > 0 and tallies["displaced"] > 0 and world.champion()[1] > 0


@LINUX
@pytest.mark.parametrize("width", text.WIDTHS)
def test_the_kernels_in_emulation_end_in_the_bits_of_the_cpu(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulated.install(monkeypatch, emulated.Gpu(multiprocessors=2, seed=width))
    agree(pond(width, WIDTH=width, SPAN=512, CHUNK=64), 3, 5, 4)


@LINUX
def test_children_that_buy_end_in_the_bits_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    emulated.install(monkeypatch, emulated.Gpu(multiprocessors=2, seed=7))
    agree(heirs(7, SPAN=512, CHUNK=64), 3, 5, 4)


@pytest.mark.gpu
@GPU
@pytest.mark.parametrize("width", text.WIDTHS)
def test_a_gpu_ends_in_the_bits_of_the_cpu(width: int) -> None:
    shape = geometry(device=Axis(4, True, 3, 1), sm=Axis(3, False, 2, 1), warp=Axis(8, True, 1, 1))
    agree(pond(width, shape, WIDTH=width, SPAN=2048, CHUNK=256, ROWS=400), 24, 13, 4)


@pytest.mark.gpu
@GPU
def test_children_that_buy_end_in_the_bits_of_the_cpu_on_a_gpu() -> None:
    fits(text.biology(0, inherit=True))  # here, since it takes many seconds
    agree(heirs(8, SPAN=2048, CHUNK=256, ROWS=400), 3, 13, 4)
