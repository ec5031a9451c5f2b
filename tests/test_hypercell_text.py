"""Hypercell on text: the kernel against its oracle, by every schedule."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algorithms.hypercell import grown_text, text, text_oracle_learn
from algorithms.hypercell.processes import Plan, run_together
from algorithms.hypercell.snapshot import load, save
from algorithms.hypercell.space import Axis, Geometry
from algorithms.hypercell.text import P
from algorithms.hypercell.text_oracle import TextLife
from algorithms.hypercell.text_oracle_learn import Mind, claim, visits_of
from algorithms.hypercell.text_oracle_reader import HEAD, MIND
from algorithms.hypercell.world import Ablation, Founder, genes
from tasks.native import build
from tests.hypercells import Case, geometry
from tests.opponents import words

WATERS = geometry(sm=Axis(2, False, 2, 2), warp=Axis(3, True, 1, 1))
HERE = geometry()


def pond(seed: int, shape: Geometry = WATERS, read: bytes = b"", **params: int) -> Case:
    """Places that are full of genomes of all sorts, with tables too small for what they read."""
    rng = np.random.default_rng(seed)
    chosen = {
        "BEGIN": 16, "SPAN": 384, "CHUNK": 48, "SEGMENT": 160, "WIDTH": 64, "BITS": 6, "ROWS": 48,
        "JUDGED": 90, "EXAM": 3, "PRICE": 30, "DOUBLE": 400, "GRACE": 300, "HALF": 4,
        "CROSS": 128, "CHANGE": 96,
    } | params  # fmt: skip
    table = text.Table(chosen["BITS"], chosen["ROWS"], chosen["WIDTH"])
    numbers = [0] * 16
    for name, value in (chosen | {"ARENA": table.arena}).items():
        numbers[getattr(P, name)] = value
    data = np.frombuffer(read or words(chosen["BEGIN"] + chosen["SPAN"], seed), np.uint8)
    class_of = (np.arange(256) % table.width).astype(np.uint8)
    founders = tuple(
        Founder(at, genes(40, threshold=0), text.random_genome(rng), (0,) * text.STATE)
        for at in range(shape.locations)
    )
    return Case(
        shape,
        text.biology(table.arena),
        TextLife(),
        tuple(numbers),
        (data, class_of),
        founders,
        seed,
        text.ECONOMY,
    )


def heirs(seed: int, **params: Any) -> Case:
    """A pond whose founders buy all, some or none of what is sold; few genes change, so much fits."""
    case = pond(seed, **({"CROSS": 60, "CHANGE": 20} | params))
    buys = (255, 255, 170, 100, 20, 0)
    founders = tuple(
        replace(f, genes=genes(40, threshold=0, buy=buys[i % 6]))
        for i, f in enumerate(case.founders)
    )
    return case.but(biology=text.biology(case.biology.arena, inherit=True), founders=founders)


def reader(genome: tuple[int, ...], read: bytes, **params: int) -> Case:
    """One organism alone, that reads all of a text."""
    wanted = {"BEGIN": 0, "SPAN": len(read), "SEGMENT": len(read), "JUDGED": len(read) // 4}
    case = pond(0, HERE, read, **(wanted | params))
    return case.but(founders=(replace(case.founders[0], genome=genome),), ablation=Ablation(False))


def account(world: Any) -> tuple[Any, ...]:
    return world.tallies(), world.champion(), world.balance(), f"{world.hash():016x}"


@pytest.mark.parametrize("seed", range(4))
def test_every_schedule_ends_where_the_oracle_does(seed: int) -> None:
    case = pond(seed)
    oracle = case.oracle()
    worlds = {name: case.world(2) for name in ("one", "two", "lockstep", "random")}
    for until in (1, 7, 24):
        oracle.run(until)
        worlds["one"].run(until)
        worlds["two"].run(until, 2)
        worlds["lockstep"].run_lockstep(until, 2)
        worlds["random"].run_at_random(until, 20, seed)
        worlds["random"].run_at_random(until, 200, seed + 1)
        worlds["random"].run(until)
        wanted = account(oracle)
        for name, world in worlds.items():
            assert (name, until, *account(world)) == (name, until, *wanted)


def test_a_pond_in_which_everything_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children, crossings, deaths of the young and of the old, full tables, contexts that give way."""
    seen = Counter[str]()

    def counted(mind: Mind, hash_: int) -> int | None:
        line = hash_ >> 64 - mind.bits & -8
        before = mind.slots[line : line + 8].tolist()
        found = claim(mind, hash_)
        if found is None:
            seen["nowhere"] += 1
        else:
            was = before[found - line]
            seen["gave way"] += was != 0 and was >> 40 != int(mind.slots[found]) >> 40
        return found

    monkeypatch.setattr(text_oracle_learn, "claim", counted)
    case = pond(11, GRACE=60)
    world, oracle = case.world(2), case.oracle()
    for until in range(1, 71):
        before = [(me, [*me.state]) if me else None for me in oracle.living]
        world.run(until, 2)
        oracle.run(until)
        assert (until, world.hash()) == (until, oracle.hash())
        for at, was in enumerate(before):
            me = oracle.living[at]
            if was and not me:
                seen["died old" if was[1][text.GROWN] else "died young"] += 1
            if me:
                here = oracle._here(at, me, [])
                mind = Mind(here)
                seen["full"] += int(mind.raw["used"]) == mind.capacity
                seen["mated"] += int(mind.raw["mated"])
                seen["a child of the grown"] += me.born > 0 and me.state[text.PARENT + 1] > 0
                seen["grown child"] += me.born > 0 and me.state[text.GROWN] > 0
    tallies = world.tallies()
    assert tallies == oracle.tallies() and world.champion() == oracle.champion()
    seen |= {name: tallies[name] for name in ("births", "displaced", "repelled", "told")}
    wanted = (
        *("nowhere", "gave way", "died old", "died young", "full", "mated", "grown child"),
        *("a child of the grown", "births", "displaced", "repelled", "told"),
    )
    assert all(seen[name] > 2 for name in wanted), seen


@pytest.mark.parametrize("width", [128, 256])
def test_wider_rows_end_where_the_oracle_does(width: int) -> None:
    read = np.random.default_rng(width).integers(0, 256, 250, np.uint8).tobytes()
    case = pond(width, read=read + read, BEGIN=3, SPAN=300, CHUNK=100, WIDTH=width, JUDGED=60)
    world, oracle = case.world(), case.oracle()
    world.run(9)
    oracle.run(9)
    assert account(world) == account(oracle)
    assert world.tallies()["births"] > 0


ABLATIONS = {
    "no children": (WATERS, Ablation(reproduction=False)),
    "no neighbours": (WATERS, Ablation(neighbours=False)),
    "no heredity": (WATERS, Ablation(heredity=False)),
    "one location": (HERE, Ablation()),
}


@pytest.mark.parametrize("name", ABLATIONS)
def test_ablations_end_where_the_oracle_does(name: str) -> None:
    shape, ablation = ABLATIONS[name]
    case = pond(5, shape, SPAN=192).but(ablation=ablation)
    world, oracle = case.world(2), case.oracle()
    world.run(16)
    oracle.run(16)
    assert account(world) == account(oracle)
    tallies = world.tallies()
    assert (tallies["births"] > 0) == (name == "no heredity")
    assert (tallies["told"] > 0) == (name in ("no heredity", "no children"))


LINES = words(700, 3) + b"\nTHE END\nthe end\n\xc3\xa9t\xc3\xa9 " + words(600, 3)


@pytest.mark.parametrize("runs", [1, 3])
def test_a_long_segment_ends_where_the_oracle_does(runs: int) -> None:
    """Longer than what a match looks back over; every sort of context; lines, capitals, no ASCII."""
    kinds = (1, 3, 0x81, text.ABOVE | 1, text.COLUMN, text.FOLD | 7, text.ABOVE | text.COLUMN)
    genes_ = [text.gene(1, text.words(n)) for n in (1, 2, 3)]
    genes_ += [text.gene(kind & 255, kind & ~255, rate=5 + i) for i, kind in enumerate(kinds)]
    genome = text.genome(genes_, matches=(8, 2), runs=runs, lazy=3, end=0.5)
    case = reader(genome, LINES, BITS=12, ROWS=900, CHUNK=500)
    world, oracle = case.world(), case.oracle()
    world.run(5)
    oracle.run(5)
    assert account(world) == account(oracle)
    state = world.arrays["body"][0, 4 + text.GENES :]
    assert state[text.GROWN] > 0 and 0 < state[text.COST] < 6 * text.NATS


def test_what_is_known_for_sure_costs_nothing() -> None:
    """No class but one is worth a 2^-15th of it: their sum is then a little less than one."""
    fast: dict[str, Any] = {"lr": 2.0, "lr_match": 2.0, "lr_run": 0.5, "decay": 0.0, "floor": 1.0}
    genome = text.genome([text.gene(1), text.gene(3)], matches=(2, 1), gain=4.0, end=0.99, **fast)
    case = reader(genome, b"ab\n" * 150, BITS=9, ROWS=200, CHUNK=450, EXAM=0, PRICE=0)
    world, oracle = case.world(), case.oracle()
    world.run(2)
    oracle.run(2)
    state = world.arrays["body"][0, 4 + text.GENES :]
    assert state[text.GROWN] == 1 and state[text.COST] < text.NATS // 2
    assert account(world) == account(oracle)


def test_energy_is_conserved_at_every_cut() -> None:
    world = pond(2).world(2)
    for step in range(60):
        world.run_at_random(60, 1 + step % 5, step)
        have, ought = world.balance()
        assert have == ought
    assert world.tallies()["births"] > 20 and world.tallies()["starved"] > 0


def test_nobody_has_children_before_it_is_grown() -> None:
    """They could pay for them from the first tick on. Bytes 288, 294, where judging begins, 342, 384."""
    world = pond(3).world()
    grown = world.arrays["body"][:, 4 + text.GENES + text.GROWN]
    world.run(8)
    assert not grown.any() and world.population == 6
    world.run(9)
    assert (grown == 1).all() and world.tallies()["births"] == 0
    world.run(10)
    assert world.tallies()["births"] > 0


def test_arenas_are_as_the_kernel_lays_them_out() -> None:
    size = grown_text.kernel().size_of
    assert (size(grown_text.HEAD_BYTES), size(3)) == (HEAD, MIND.itemsize)
    assert HEAD <= text.HEAD  # what Python leaves for it
    assert visits_of(7 << 32) == 7


def test_a_pond_goes_on_from_a_snapshot(tmp_path: Path) -> None:
    """Arenas are as large as a space says: that is in the header, as all of its numbers are."""
    case = pond(4)
    world = case.world()
    world.run(13)
    save(world, tmp_path / "a.snapshot")
    again = case.but(founders=(), params=()).world()
    load(tmp_path / "a.snapshot", again)
    assert again.hash() == world.hash()
    for one in (world, again):
        one.run(30)
    assert account(again) == account(world)


@pytest.mark.parametrize("inherit", [False, True])
def test_two_processes_end_in_the_bits_of_one(inherit: bool) -> None:
    case, ticks = (heirs(6), 24) if inherit else (pond(6), 20)
    world = case.world()
    world.run(ticks)
    plan = Plan(
        case.geometry,
        case.biology,
        build.library(case.biology.source("cpu"), "text"),
        case.founders,
        processes=2,
        ticks=[ticks],
        params=case.params,
        data=dict(enumerate(case.data)),
        seed=case.seed,
        economy=case.economy,
    )
    (standing,) = run_together(plan)
    assert standing.hash == world.hash() and world.tallies()["births"] > 0
