"""Hypercell's rules and kinds: the kernel against its oracle, by every schedule and as CUDA."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from algorithms.hypercell import cuda, density
from algorithms.hypercell.cuda import CudaWorld
from algorithms.hypercell.density_oracle import (
    AGE,
    BATCHES,
    FOOD,
    FOOD_ID,
    HITS,
    MATED,
    SCORE,
    DensityLife,
    power,
    quotient,
)
from algorithms.hypercell.space import Axis
from algorithms.hypercell.world import Ablation, Founder, genes
from tasks.automaton.rules import complemented, mirrored
from tasks.native.nvrtc import compile_cuda
from tests import emulated
from tests.hypercells import SEEDS, Case, any_genes, geometries, geometry, mostly

NVRTC = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("cuda", "nvidia")),
    reason="cuda-core is not installed: pip install 'joulebench[cuda]'",
)
# Cells and radius of a ring: tables of four words, of one, and of a part of one, where guessing is worth
# a negative number of points.
SIZES = [(21, 3), (13, 2), (9, 1)]
TICKS = (1, 5, 24)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any small space, full of rules and kinds of all sorts, in any setting."""
    shape = draw(geometries(12))
    rng = random.Random(draw(st.integers(0, 1 << 32)))
    size, params = draw(st.sampled_from(SIZES)), [0] * 12
    params[density.STEPS] = draw(st.sampled_from([0, 1, 3, 18]))
    params[density.BRIEF] = draw(st.sampled_from([1, 2, 18]))
    params[density.COINS] = draw(st.integers(0, 1))
    params[density.RIPEN] = draw(st.sampled_from([1, 2, 7]))
    params[density.FADE] = draw(st.sampled_from([0, 1, 9, 40]))
    params[density.TOP] = draw(mostly(1300, 1, 100_000))
    params[density.MEMORY] = draw(st.sampled_from([1, 2, 16]))
    params[density.GROWN] = rng.randint(1, params[density.MEMORY])
    params[density.REST] = rng.randint(1, 4)
    params[density.FEED] = draw(mostly(64, 0, 448))
    params[density.FOLDS] = draw(st.integers(1, 15))
    params[density.MENU] = draw(mostly(0, 1, density.SPREADS))
    founders = [founder(*size, at, rng, params) for at in range(shape.locations)]
    ablation = draw(st.builds(Ablation, *[mostly(True, True, False)] * 3))
    return Case(
        shape,
        density.biology(*size),
        DensityLife(*size),
        tuple(params),
        None,
        tuple(founders),
        draw(SEEDS),
        density.ECONOMY,
        ablation,
    )


def founder(width: int, radius: int, at: int, rng: random.Random, params: list[int]) -> Founder:
    fold = rng.choice([f for f in range(4) if params[density.FOLDS] >> f & 1])
    word = density.traits(fold, *(rng.choice([0, 40, 255]) for _ in range(3)))
    engine = any_genes(rng) if rng.random() < 0.5 else genes(rng.choice([0, 40, 255]), threshold=64)
    if rng.random() < 0.4 and not params[density.MENU]:
        one = density.kinds(radius, at, word, rng.randrange(density.SPREADS), engine)
        return replace(one, state=lived(len(one.state), rng, params))
    table = np.array([rng.random() < 0.5 for _ in range(2 ** (2 * radius + 1))], np.uint8)
    if rng.random() < 0.5:  # a majority of its neighbourhood: some of a batch are solved
        table = np.array(
            [2 * at.bit_count() > 2 * radius + 1 for at in range(len(table))], np.uint8
        )
    one = density.rule(radius, at, word, table, engine)
    return replace(one, state=lived(len(one.state), rng, params))


def lived(registers: int, rng: random.Random, params: list[int]) -> tuple[int, ...]:
    """Registers as of one who has lived long, and is close to a bound of some of them."""
    state = [rng.getrandbits(32) for _ in range(registers)]
    state[SCORE], state[BATCHES] = rng.randrange(4000), rng.randint(0, params[density.MEMORY])
    state[FOOD], state[FOOD_ID] = rng.choice([0, 1, 64]), rng.randrange(40)
    state[AGE], state[HITS] = rng.randint(28, 34), rng.randrange(257)
    state[MATED] = rng.randrange(2)
    return tuple(state) if rng.random() < 0.5 else (0,) * registers


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases(), st.sampled_from([1, 3, 8]), st.integers(0, 1 << 40))
def test_every_schedule_ends_where_the_oracle_does(case: Case, tile: int, luck: int) -> None:
    oracle = case.oracle()
    worlds = {name: case.world(tile) for name in ("one", "two", "lockstep", "random")}
    for until in TICKS:
        oracle.run(until)
        worlds["one"].run(until)
        worlds["two"].run(until, 2)
        worlds["lockstep"].run_lockstep(until, 2)
        worlds["random"].run_at_random(until, 20, luck)
        worlds["random"].run_at_random(until, 200, luck + 1)
        worlds["random"].run(until)
        wanted = oracle.tallies(), oracle.champion(), oracle.balance(), f"{oracle.hash():016x}"
        for name, world in worlds.items():
            found = world.tallies(), world.champion(), world.balance(), f"{world.hash():016x}"
            assert (name, until, *found) == (name, until, *wanted)


def crowd(menu: int = 0, size: tuple[int, int] = (21, 3), seed: int = 5) -> Case:
    """A full torus in which all that can happen happens: see the test below."""
    rng = random.Random(seed)
    params = [0] * 12
    params[density.STEPS], params[density.TOP], params[density.MEMORY] = 6, 1300, 4
    params[density.FEED], params[density.FOLDS] = 64, 15
    params[density.MENU], params[density.GROWN], params[density.REST] = menu, 2, 2
    params[density.BRIEF], params[density.COINS], params[density.RIPEN] = 4, 1, 8
    params[density.FADE] = 50
    shape = geometry(sm=Axis(4, True, 2, 0), warp=Axis(4, True, 1, 0))
    founders = []
    for at in range(shape.locations):
        one = founder(*size, at, rng, params)
        founders.append(replace(one, genes=genes(40, threshold=64)))
    return Case(
        shape,
        density.biology(*size),
        DensityLife(*size),
        tuple(params),
        None,
        tuple(founders),
        seed,
        density.ECONOMY,
    )


@pytest.mark.parametrize("menu", [0, density.SPREADS])
def test_a_crowd_that_lives_long_ends_where_the_oracle_does(menu: int) -> None:
    """Kinds that are eaten and that starve, crossings, folds of all sorts, the grown and the tired."""
    case, seen = crowd(menu), Counter[str]()
    world, oracle = case.world(4), case.oracle()
    for until in range(1, 101):
        world.run(until, 2)
        oracle.run(until)
        assert (until, world.hash()) == (until, oracle.hash())
        for me in filter(None, oracle.living):
            kind = "rule" if me.genome[0] == density.RULE else "kind"
            seen[kind] += 1
            seen[f"fold {me.genome[1] & 3}"] += 1
            seen[f"judged {kind}"] += me.state[BATCHES] >= case.params[density.MEMORY]
            seen[f"born {kind}"] += me.born > 0
            seen["mated"] += me.state[MATED]
    wanted = [
        "rule",
        "judged rule",
        "born rule",
        "mated",
        *(f"fold {f}" for f in range(4)),
    ]
    if not menu:
        wanted += ["kind", "judged kind", "born kind"]
    assert min(seen[name] for name in wanted) > 10, seen
    tallies = world.tallies()
    assert tallies == oracle.tallies() and tallies["births"] > 100 and tallies["displaced"] > 10
    assert world.champion() == oracle.champion() and world.champion()[1] > 0
    found = density.census(world)
    assert (found["rules"] + found["configurations"]) == world.population
    assert (found["configurations"] == 0) == bool(menu)


@settings(max_examples=25, deadline=None)
@given(cases(), st.sampled_from([1, 3, 8]), st.integers(0, 1 << 40))
def test_energy_is_conserved_at_every_cut(case: Case, tile: int, luck: int) -> None:
    world = case.world(tile)
    for step in range(40):
        world.run_at_random(30, 1 + step % 5, luck + step)
        have, ought = world.balance()
        assert have == ought


@pytest.mark.parametrize("radius", [1, 2, 3])
@pytest.mark.parametrize("fold", range(4))
def test_a_folded_table_is_its_own_image(radius: int, fold: int) -> None:
    rng = np.random.default_rng(radius)
    for _ in range(20):
        genome = rng.integers(0, 1 << 32, 3 + density.table_size(radius), dtype=np.uint32)
        genome[1] = genome[1] & ~np.uint32(3) | np.uint32(fold)
        table = density.table_of(genome, radius)
        assert table.dtype == np.uint8 and table.shape == (2 ** (2 * radius + 1),)
        assert (table[0], table[-1]) == (0, 1)
        image = table
        for bit, turned in ((1, complemented), (2, mirrored)):
            image = turned(image) if fold & bit else image
        assert (image == table).all()
        # The first of an entry and its image is the genome's.
        plain = np.unpackbits(genome[3:].view(np.uint8), bitorder="little")[: len(table)]
        indices = np.arange(len(table))
        images = mirrored_indices(indices, radius) if fold & 2 else indices
        images = len(table) - 1 - images if fold & 1 else images
        own = (indices <= images)[1:-1]
        assert (table[1:-1][own] == plain[1:-1][own]).all()


def mirrored_indices(indices: np.ndarray, radius: int) -> np.ndarray:
    return np.array([int(f"{at:0{2 * radius + 1}b}"[::-1], 2) for at in indices.tolist()])


def test_a_rule_is_founded_as_it_is() -> None:
    rng = np.random.default_rng(0)
    for radius in (1, 2, 3):
        table = rng.integers(0, 2, 2 ** (2 * radius + 1)).astype(np.uint8)
        table[0], table[-1] = 0, 1
        one = density.rule(radius, 0, density.traits(0, 1, 2, 3), table, (0, 0))
        genome = np.array(one.genome, np.uint32)
        assert (density.table_of(genome, radius) == table).all()
        sizes = density.biology(11, radius)
        assert (len(one.genome), len(one.state)) == (sizes.genome, sizes.state)


def test_the_arithmetic_of_worth() -> None:
    assert [power(x) for x in (-9, 0, 16, 24, 32, 448, 999)] == [1, 1, 2, 3, 4, 1 << 28, 1 << 28]
    assert [quotient(a, 4) for a in (-7, -4, 7)] == [-1, -1, 1]


@NVRTC
@pytest.mark.parametrize(("width", "radius"), [(149, 3), (21, 3), (9, 1)])
def test_compiles_for_an_h200(width: int, radius: int) -> None:
    kernels = compile_cuda(density.biology(width, radius).source("cuda"), "sm_90").kernels
    assert set(kernels) == {"epoch", "persistent"}
    for name, takes in kernels.items():
        print(f"density {width} {radius} {name}: {takes}")
        assert takes.registers <= 65536 // cuda.BLOCK, (name, takes)  # a block fits
        assert takes.spill_stores_bytes == takes.spill_loads_bytes == 0, (name, takes)


@pytest.mark.skipif(sys.platform != "linux", reason="the emulation needs Linux's ucontext")
@pytest.mark.parametrize("menu", [0, density.SPREADS])
def test_cuda_in_emulation_ends_in_the_bits_of_the_cpu(
    menu: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulated.install(monkeypatch, emulated.Gpu(multiprocessors=2, seed=menu))
    case = crowd(menu)
    world, there = case.world(4), CudaWorld(case.world(4))
    for until, persistent in ((1, False), (20, True), (41, False), (60, True)):
        world.run(until)
        there.run(until, persistent)
        assert there.tallies() == world.tallies() and there.balance() == world.balance()
        assert there.champion() == world.champion()
        assert there.hash() == world.hash(), (until, persistent)
    assert world.tallies()["births"] > 50
