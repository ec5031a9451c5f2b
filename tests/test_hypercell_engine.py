"""The oracle says what is right: every schedule of the kernel ends in its hash, in any space."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.hypercell import parity
from algorithms.hypercell.arithmetic import philox
from algorithms.hypercell.biology import Economy
from algorithms.hypercell.space import Axis
from algorithms.hypercell.world import Ablation, Kernel, World
from tasks.native import build
from tests.biologies.messenger import MESSENGER
from tests.biologies.toy_text import TOY_TEXT
from tests.hypercells import (
    Case,
    cases,
    compiled,
    geometry,
    messenger_case,
    parity_of,
    toy_case,
)

# philox4x32-10 of kat_vectors in Random123 (Salmon et al. 2011, github.com/DEShawResearch/random123):
# counter, key, answer. The last one is digits of pi.
VECTORS = [
    ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]
TICKS = (1, 8, 40)


@pytest.mark.parametrize(("counter", "key", "answer"), VECTORS)
def test_philox_is_random123s(counter: list[int], key: list[int], answer: str) -> None:
    out = (ctypes.c_uint32 * 4)()
    compiled("messenger").lib.random_block(
        (ctypes.c_uint32 * 4)(*counter), (ctypes.c_uint32 * 2)(*key), out
    )
    assert [f"{word:08x}" for word in out] == answer.split()
    assert [f"{word:08x}" for word in philox(counter, key)] == answer.split()


def at_random(seed: int) -> Callable[[World, int], None]:
    """A schedule that no machine would choose."""

    def run(world: World, until: int) -> None:
        world.run_at_random(until, 20, seed)
        world.run_at_random(until, 500, seed + 1)
        world.run(until)

    return run


@settings(max_examples=150)
@given(cases(), st.sampled_from([1, 3, 8, 20]), st.integers(0, 1 << 40))
def test_every_schedule_ends_where_the_oracle_does(case: Case, tile: int, luck: int) -> None:
    oracle = case.oracle()
    schedules: dict[str, tuple[World, Callable[[World, int], None]]] = {
        "one thread": (case.world(), lambda world, until: world.run(until)),
        "small tiles": (case.world(tile), lambda world, until: world.run(until)),
        "two threads": (case.world(tile), lambda world, until: world.run(until, 2)),
        "lockstep": (case.world(tile), lambda world, until: world.run_lockstep(until, 2)),
        "at random": (case.world(tile), at_random(luck)),
    }
    for until in TICKS:
        oracle.run(until)
        wanted = oracle.tallies(), oracle.champion(), oracle.balance(), f"{oracle.hash():016x}"
        for name, (world, run) in schedules.items():
            run(world, until)
            found = world.tallies(), world.champion(), world.balance(), f"{world.hash():016x}"
            assert (name, until, *found) == (name, until, *wanted)


@settings(max_examples=150)
@given(cases(), st.sampled_from([1, 3, 8]), st.integers(0, 1 << 40))
def test_energy_is_conserved_at_every_cut(case: Case, tile: int, luck: int) -> None:
    """In the middle of a random schedule, when tiles stand at different ticks, and with all in flight."""
    world = case.world(tile)
    for step in range(60):
        world.run_at_random(50, 1 + step % 5, luck + step)
        have, ought = world.balance()
        assert have == ought


def test_cuts_are_ragged() -> None:
    """The test above sees what it should: tiles far apart in time, energy on its way between them."""
    shape = geometry(rack=Axis(4, True, 7, 1), sm=Axis(3, False, 5, 1), warp=Axis(3, False, 1, 1))
    case = messenger_case(shape, random.Random(1), [0, 17], 100)
    world = case.world(tile=3)
    apart, flying = [], []
    for step in range(60):
        world.run_at_random(1000, 3, step)
        clocks = world.arrays["clocks"]
        apart.append(int(clocks.max() - clocks.min()))
        flying.append(int(world.kernel.lib.in_flight(world.address)))
        assert world.balance()[0] == world.balance()[1]
    assert max(apart) > 14  # further than one neighbour may be
    assert sum(energy > 0 for energy in flying) > 30


@pytest.mark.parametrize("make", [messenger_case, toy_case])
def test_extinction_is_survived(make: Callable[..., Case]) -> None:
    shape = geometry(sm=Axis(3, False, 2, 1), warp=Axis(4, True, 1, 1))
    case = make(shape, random.Random(2), [0, 5], 0).but(economy=Economy(rent=40, endowment=500))
    world, oracle = case.world(tile=4), case.oracle()
    world.run(40)
    oracle.run(40)
    assert world.population == 0 and world.champion() == oracle.champion() == (-1, 0)
    assert world.tallies()["starved"] > 0
    assert world.balance()[0] == world.balance()[1] == world.tallies()["burned"]
    before = world.hash()
    assert before == oracle.hash()
    world.run(1000)
    assert world.hash() == before  # a desert stays as it is


def test_overpopulation_is_survived() -> None:
    """All of space is full, everybody breeds at every tick, everything above the cap is burned."""
    shape = geometry(sm=Axis(3, True, 1, 0), warp=Axis(4, True, 1, 0))
    case = messenger_case(shape, random.Random(3), [0], 5000)
    founder = replace(case.founders[0], genes=(255 << 16, 0x01111111))
    case = case.but(economy=Economy(breed=0, cap=6000), founders=(founder,))
    world, oracle = case.world(tile=4), case.oracle()
    world.run(60, threads=2)
    oracle.run(60)
    assert world.hash() == oracle.hash()
    tallies = world.tallies()
    assert world.population == shape.locations == tallies["settled"] + 1
    assert tallies["births"] == tallies["lived"] > 500  # all of the living, at every tick
    assert tallies["repelled"] + tallies["displaced"] > tallies["births"] / 2
    assert tallies["capped"] > 0
    assert world.balance()[0] == world.balance()[1]


def test_many_speak_at_once() -> None:
    """A crowd on a torus, all of them talking: some are told more than four things in one tick."""
    shape = geometry(**{name: Axis(3, True, 1, 0) for name in ("row", "sm", "warp")})
    case = toy_case(shape, random.Random(6), list(range(27)), 10)
    founders = tuple(replace(f, genes=(0, 0x01100001), genome=(255,)) for f in case.founders)
    case = case.but(founders=founders, ablation=Ablation(reproduction=False))
    world, oracle = case.world(tile=9), case.oracle()
    most = 0
    for tick in range(1, 41):
        oracle.run(tick)
        most = max(most, *map(len, oracle.mail[tick].values()))
    world.run(40, threads=2)
    assert most > 4
    assert (world.hash(), world.tallies()) == (oracle.hash(), oracle.tallies())


@pytest.mark.parametrize("field", ["genome", "state", "signal", "carry", "arena"])
def test_a_biology_of_other_sizes_is_refused(field: str) -> None:
    library = build.library(TOY_TEXT.source("cpu"), "toy_text")
    Kernel(library, TOY_TEXT)
    other = replace(TOY_TEXT, **{field: getattr(TOY_TEXT, field) + 8})
    with pytest.raises(AssertionError, match=r"toy_text\.h has sizes"):
        Kernel(library, other)


def test_the_least_biology_has_nothing() -> None:
    assert (MESSENGER.body, MESSENGER.message) == (4, 6)


def test_the_parity_oracle_finds_a_secret() -> None:
    """What is right is also sensible: without noise, one organism that meets the samples solves it."""
    n = 20
    case = parity_of(geometry(), random.Random(4), [], 1, n, noise=0.0)
    founder = parity.holder(n, 0, parity.Traits(), (0, 0))
    oracle = case.but(founders=(founder,), ablation=Ablation(reproduction=False)).oracle()
    oracle.params[parity.SEEN] = oracle.params[parity.ROWS] = 200
    oracle.run(40)
    assert oracle.champion() == (0, 1 << 30)
    me = oracle.living[0]
    assert me and me.genome[2] == 1 | 1 << n // 2 | 1 << n - 1 | 1 << n


def test_toy_texts_learn_and_listen() -> None:
    """The contract carries a text: bytes are foreseen, the sooner where neighbours are heard."""
    shape = geometry(warp=Axis(2, False, 1, 0))
    case = toy_case(shape, random.Random(5), [0, 1], 10)
    minted = []
    for ear in (0, 255):
        founders = tuple(
            replace(f, genes=(0, 1 << 24), genome=(ear,), state=(40 * i, 0, 0))
            for i, f in enumerate(case.founders)
        )
        case = case.but(
            founders=founders,
            params=(case.params[0], 4, 10, 0),
            ablation=Ablation(reproduction=False),
        )
        world = case.world()
        world.run(20)
        minted.append(world.tallies()["minted"])
        assert world.tallies()["told"] > 30
        world.run(200)
        assert world.champion()[1] > 8  # of the last 32 bytes
    assert minted[1] > 1.1 * minted[0] > 0
