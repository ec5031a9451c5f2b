"""What a child buys of what its parent has learned: the kernel against its oracle, and what it may be."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.hypercell import text, text_oracle_legacy
from algorithms.hypercell.biology import KERNEL, inlined
from algorithms.hypercell.oracle import Here, Oracle
from algorithms.hypercell.text import HABITS, LOST, MODELS, ON
from algorithms.hypercell.text_oracle_learn import WEIGHT_LIMIT, Mind
from algorithms.hypercell.text_oracle_reader import BUCKETS, MIND
from algorithms.hypercell.world import Ablation, genes
from tasks.native import build
from tests.hypercells import Case
from tests.test_hypercell_text import account, heirs, pond
from tests.test_hypercell_text_grown import FAST, made

WRAPPERS = """
extern "C" u32 packed(const Space *space, u32 *genome, u8 *arena, const u32 *child, u32 *carry, u32 wanted) {
  Here here;
  here.space = space, here.genome = genome, here.arena = arena;
  return pack(here, child, carry, wanted); }
extern "C" void arrived(const Space *space, u32 *genome, u32 *state, u8 *arena, const u32 *carry, u32 many) {
  Here here;
  here.space = space, here.genome = genome, here.state = state, here.arena = arena;
  arrive(here, carry, many); }
"""


@cache
def kernel() -> ctypes.CDLL:
    source = "\n".join(inlined(part, KERNEL) for part in ("prelude", "philox", "text"))
    return build.opened(build.library("#define INHERIT 1\n" + source + WRAPPERS, "text_legacy"))


def at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


@cache
def empty() -> tuple[Any, Oracle]:
    """A world of one place, and its oracle, for their params."""
    case = heirs(0)
    return case.world(), case.oracle()


def parent(rng: np.random.Generator) -> tuple[list[int], bytearray, np.ndarray]:
    """A genome, an arena, and what has been learned there: within limits, often at them, often nothing."""
    genome, arena = list(text.random_genome(rng)), bytearray(text.Table(6, 48, 64).arena)
    learned = np.ndarray((), MIND, arena)["learned"]
    learned["gain"] = rng.choice([1 << 18, (1 << 26) - 1, 123_456_7], (MODELS, BUCKETS))
    learned["run"] = rng.integers(-WEIGHT_LIMIT, WEIGHT_LIMIT + 1, (MODELS, BUCKETS))
    shape = learned["match"].shape
    learned["match"] = rng.integers(-WEIGHT_LIMIT, WEIGHT_LIMIT + 1, shape) * rng.integers(
        2, size=shape
    )
    learned["match"][0, 3] = 0  # a length that was never met
    learned["match"][:, :, 64:] = 0
    return genome, arena, learned


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(0, text.CARRY), st.integers(0, 6))
def test_what_is_sold_and_what_comes_of_it(seed: int, wanted: int, changes: int) -> None:
    rng = np.random.default_rng(seed)
    world, oracle = empty()
    genome, arena, learned = parent(rng)
    child = [*genome]
    for _ in range(changes):
        child[rng.integers(MODELS)] ^= 1 << int(rng.integers(20))
    child[HABITS] ^= (1 << int(rng.integers(14))) * int(rng.integers(2))
    here = Here(oracle, 0, 0, genome, [0] * text.STATE, arena, [])
    carry = text_oracle_legacy.sold(here, child, wanted)
    words, out = (
        (np.array(genome, np.uint32), np.array(child, np.uint32)),
        np.zeros(text.CARRY, np.uint32),
    )
    memory = np.frombuffer(arena, np.uint8)
    many = kernel().packed(
        ctypes.c_void_p(world.address), at(words[0]), at(memory), at(words[1]), at(out), wanted
    )
    assert out[:many].tolist() == carry and len(carry) <= wanted
    alike = [
        k for k in range(MODELS) if genome[k] & ON and not (genome[k] ^ child[k]) & (2 * ON - 1)
    ]
    matches = not (genome[HABITS] ^ child[HABITS]) & 255
    if wanted == text.CARRY:
        assert [k for k in range(MODELS) if carry and carry[0] >> k & 1] == alike
        assert bool(carry and carry[0] >> MODELS) == matches
    if not carry:
        return

    homes, states = [], []
    for _ in range(2):
        homes.append(bytearray(rng.bytes(1) * len(arena)))
        states.append(np.full(text.STATE, 7, np.uint32))
    homes[1][:] = homes[0]
    heir = Here(oracle, 0, 0, child, states[0].tolist(), homes[0], [])
    heir.space.life.arrive(heir, carry)
    memory = np.frombuffer(homes[1], np.uint8)
    kernel().arrived(
        ctypes.c_void_p(world.address), at(words[1]), at(states[1]), at(memory), at(out), many
    )
    assert homes[0] == homes[1] and states[1].tolist() == heir.state
    has = heir.state[LOST]
    Mind(heir).begin(child, has)
    got, own = np.ndarray((), MIND, homes[0]), [k for k in range(MODELS) if child[k] & ON]
    was = [k for k in range(MODELS) if genome[k] & ON]
    for j, k in enumerate(own):  # as its parent reads them, or as it would begin alone
        gain, run = got["learned"]["gain"][j], got["learned"]["run"][j]
        assert bool(has >> j & 1) == bool(carry[0] >> k & 1)
        if has >> j & 1:
            i = was.index(k)
            assert (gain == learned["gain"][i] >> 11 << 11).all() and (
                run == learned["run"][i] >> 9 << 9
            ).all()
        else:
            assert (gain == got["traits"]["gain"]).all() and not run.any()
    if has >> MODELS:
        low, high = learned["match"].min(-1), learned["match"].max(-1)
        match = got["learned"]["match"]
        assert (match == match[:, :, :1]).all() and not match[0, 3].any()
        assert ((match[:, :, 0] >= low - 1024) & (match[:, :, 0] <= high + 1024)).all()
    else:
        assert not got["learned"]["match"].any()


@pytest.mark.parametrize("seed", range(3))
def test_every_schedule_ends_where_the_oracle_does(seed: int) -> None:
    case = heirs(seed, WIDTH=(64, 128, 64)[seed], SPAN=256)
    oracle = case.oracle()
    worlds = {name: case.world(2) for name in ("one", "two", "lockstep", "random")}
    sold = 0
    for until in (7, 13, 30):
        oracle.run(until)
        worlds["one"].run(until)
        worlds["two"].run(until, 2)
        worlds["lockstep"].run_lockstep(until, 2)
        worlds["random"].run_at_random(until, 200, seed)
        worlds["random"].run(until)
        for name, world in worlds.items():
            assert (name, until, *account(world)) == (name, until, *account(oracle))
        sold += sum(len(message.carry) for message in oracle._on_the_way())
    assert sold > 0 and oracle.count["births"] > 10


def thrifty(case: Case) -> Case:
    """Nobody wants to buy, and that is no gene that changes."""
    founders = tuple(replace(f, genes=genes(0, threshold=0, buy=0)) for f in case.founders)
    return case.but(founders=founders)


def test_who_buys_nothing_lives_as_if_nothing_were_sold() -> None:
    without, offered = thrifty(pond(9)), thrifty(pond(9))
    offered = offered.but(biology=text.biology(without.biology.arena, inherit=True))
    worlds = [case.world() for case in (without, offered)]
    for world in worlds:
        world.run(40)
    assert account(worlds[0]) == account(worlds[1]) and worlds[0].tallies()["births"] > 10
    assert offered.biology.message - without.biology.message == text.CARRY
    # ... and where nothing is sold nothing is as it was before there was anything to sell.
    world = pond(0).world()
    world.run(24)
    assert f"{world.hash():016x}" == "bd30436e8793e880"


def test_buying_is_paid_and_changes_what_children_are() -> None:
    """And energy is conserved; without heredity nothing is bought."""
    assert text.CARRY * text.ECONOMY.price // 16 == 52  # as text_legacy.h says
    case = heirs(2)
    dear = case.but(economy=replace(case.economy, price=1 << 14))
    worlds = [one.world() for one in (case, dear, thrifty(case))]
    for world in worlds:
        for until in range(1, 40, 3):
            world.run(until)
            have, ought = world.balance()
            assert have == ought
    assert len({world.hash() for world in worlds}) == 3
    orphans = case.but(ablation=Ablation(heredity=False))
    ends = [one.world() for one in (orphans, orphans.but(biology=text.biology(case.biology.arena)))]
    for world in ends:
        world.run(30)
    assert account(ends[0]) == account(ends[1])


def test_an_evolution_that_inherits_is_another_and_repeatable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = {"text": np.frombuffer(b"to be or not to be, that is the question. " * 120, np.uint8)}
    found = []
    for threads, inherit in (("1", True), ("2", True), ("1", False)):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        algorithm = made(inherit=inherit, **(FAST | {"lives": 12}))
        for _ in algorithm.train(read):
            pass
        assert algorithm.biology.carry == (text.CARRY if inherit else 0)
        found.append(algorithm.members)
    assert found[0] == found[1] != found[2]
    assert not made(inherit=True).biology.carry  # the genome is given: nobody has children
