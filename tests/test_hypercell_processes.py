"""One space over two and three processes is the same space, bit by bit; a process that dies is noticed."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.base import Refused
from algorithms.hypercell import processes
from algorithms.hypercell.biology import Economy
from algorithms.hypercell.links import Link, LinkError, Wire
from algorithms.hypercell.parcel import pack, unpack
from algorithms.hypercell.processes import Plan, run_together
from algorithms.hypercell.share import Share, cut, together
from algorithms.hypercell.snapshot import load, save
from algorithms.hypercell.space import Axis, Geometry
from algorithms.hypercell.world import World
from tasks.native import build
from tests.hypercells import Case, cases, compiled, geometry, parity_of

SHAPES = {
    "line, slow": geometry(row=Axis(3, stretch=6, toll=2), sm=Axis(4, stretch=2), warp=Axis(5)),
    "ring, slow": geometry(host=Axis(5, True, 4, 2), warp=Axis(4, True)),
    "line, every tick": geometry(rack=Axis(4), warp=Axis(3, stretch=3)),
    "ring, every tick": geometry(device=Axis(3, True), warp=Axis(2)),
    "planes of one location": geometry(warp=Axis(9, True, 2)),
}
PAIR = geometry(device=Axis(2, True, 3), sm=Axis(4))


def colony(shape: Geometry) -> Case:
    """Parity organisms that spread soon."""
    at = [0, shape.locations // 2, shape.locations - 1]
    return parity_of(shape, random.Random(5), at, 20, 7, 0.1).but(economy=Economy(breed=1, price=0))


@contextmanager
def shares(
    case: Case, count: int, tile: int = 1024, other: dict[int, Case] | None = None
) -> Iterator[list[Share]]:
    """The parts of a space, each with its founders, all in this process and linked by pipes.

    other: what some of them take it for.
    """
    ring = count > 1 and next(axis.ring for axis in case.geometry.axes if axis.length > 1)
    below: list[Link | None] = [None] * count
    above = below.copy()
    for rank in range(count if ring else count - 1):
        above[rank], below[(rank + 1) % count] = (Wire(end, 20) for end in Pipe())
    parts = []
    for rank in range(count):
        own = (other or {}).get(rank, case)
        kernel = compiled(own.biology.name, *own.biology.defines.values())
        make = (own.seed, own.economy, own.ablation, tile)
        part = Share(
            kernel, own.geometry, own.biology, rank, count, below[rank], above[rank], *make
        )
        part.world.space.params[: len(own.params)] = own.params
        if own.data is not None:
            part.world.feed(0, own.data)
        part.world.found(own.founders)
        parts.append(part)
    try:
        yield parts
    finally:
        for part in parts:
            part.close()


def at_once(parts: list[Share], work: Callable[[Share], Any]) -> None:
    """Each in a thread of its own: they wait for each other."""
    with ThreadPoolExecutor(len(parts)) as pool:
        for done in [pool.submit(work, part) for part in parts]:
            done.result()


def assert_same(parts: list[Share], whole: World) -> None:
    """The parts sum up to the whole, and none of the energy is lost between them."""
    sum_of = together(part.standing() for part in parts)
    assert sum_of.hash == whole.hash()
    assert sum_of.balance == whole.balance()
    assert sum_of.balance[0] == sum_of.balance[1]
    assert (sum_of.population, sum_of.tallies) == (whole.population, whole.tallies())
    assert sum_of.champion == whole.champion()
    if sum_of.champion[0] >= 0:
        assert [*sum_of.genome] == whole.genome(sum_of.champion[0]).tolist()


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_parts_make_a_whole(shape: str, count: int) -> None:
    case = colony(SHAPES[shape])
    whole = case.world()
    with shares(case, count) as parts:
        for until in (1, 2, 7, 8, 50, 51, 300):
            whole.run(until)
            at_once(parts, lambda part: part.run(until))  # noqa: B023
            assert_same(parts, whole)
    assert whole.tallies()["births"] > 100
    assert whole.population > SHAPES[shape].locations / 2


@settings(max_examples=25)
@given(cases(), st.sampled_from([2, 3]), st.integers(1, 200), st.sampled_from([1, 1024]))
def test_any_space_may_be_cut(case: Case, count: int, until: int, tile: int) -> None:
    length = next((length for length in case.geometry.lengths if length > 1), 1)
    with shares(case, min(count, length), tile) as parts:
        whole = case.world()
        for tick in (until // 3, until):
            whole.run(tick)
            at_once(parts, lambda part: part.run(tick))  # noqa: B023
            assert_same(parts, whole)


def test_a_ring_of_two_planes() -> None:
    """Both directions lead to the same neighbour, and into two ghosts of the same plane."""
    assert [cut(PAIR, rank, 2).first for rank in (0, 1)] == [-1, 0]
    case = colony(PAIR)
    whole = case.world()
    with shares(case, 2) as parts:
        for until in range(1, 60):
            whole.run(until)
            at_once(parts, lambda part: part.run(until))  # noqa: B023
            assert_same(parts, whole)


def test_energy_is_on_its_way_across_the_cut() -> None:
    """Else the conservation above would say nothing of it."""
    case = colony(SHAPES["line, slow"])
    with shares(case, 2) as parts:
        at_once(parts, lambda part: part.run(61))
        crossing = [
            int(part.world.arrays["outbox"][0, 0, part._span(plane)].any())
            for part, plane in zip(parts, (0, 1), strict=True)
        ]
        lived_in = [int(part.balance_part()[0] - part.balance_part()[1]) for part in parts]
    assert any(crossing) and sum(lived_in) == 0 and any(lived_in)


def test_parts_run_with_threads_of_their_own() -> None:
    case = colony(SHAPES["line, slow"])
    whole = case.world()
    whole.run(100)
    with shares(case, 2, tile=4) as parts:
        at_once(parts, lambda part: part.run(100, threads=2))
        assert_same(parts, whole)


@settings(max_examples=10)
@given(st.integers(0, 40), st.sampled_from([*SHAPES.values(), PAIR]))
def test_parts_go_on_from_snapshots(tmp_path_factory: Any, pause: int, shape: Geometry) -> None:
    case, folder = colony(shape), tmp_path_factory.mktemp("parts")
    whole = case.world()
    whole.run(90)
    with shares(case, 2) as parts:
        at_once(parts, lambda part: part.run(pause))
        for rank, part in enumerate(parts):
            save(part.world, folder / f"{rank}")
    with shares(case, 2) as parts:
        for rank, part in enumerate(parts):
            load(folder / f"{rank}", part.world)
        with pytest.raises(Refused, match="saved with slab"):
            load(folder / "0", parts[1].world)
        at_once(parts, lambda part: part.run(90))
        assert_same(parts, whole)


def test_neighbours_that_differ_refuse() -> None:
    case = colony(PAIR)
    for other, told in (
        (case.but(seed=4), "seed=4, this one has 0|seed=0, this one has 4"),
        (case.but(params=(7, 1)), "params="),
        (case.but(economy=Economy(rent=9)), r"economy\.rent=|economy\.breed="),
    ):
        with shares(case, 2, other={1: other}) as parts, pytest.raises(Refused, match=told):
            at_once(parts, lambda part: part.run(9))


def test_too_many_processes_are_refused() -> None:
    with pytest.raises(
        Refused, match=r"device 2 in a ring.* cannot be cut for 3 processes.*1 to 2"
    ):
        cut(PAIR, 0, 3)
    with pytest.raises(Refused, match="one location"):
        cut(geometry(), 0, 2)
    with pytest.raises(Refused, match="cannot be cut for 0"):
        cut(PAIR, 0, 0)


def test_a_parcel_for_another_place_changes_nothing() -> None:
    case = colony(SHAPES["line, slow"])
    world = case.world()
    world.run(61)
    full, everywhere = world.arrays["outbox"], slice(0, 60)
    slot, way, opening = next(
        (slot, way, opening)
        for slot in range(3)
        for way in (0, 1)
        for opening in (0, 1)
        if (full[slot, opening] >> way & 1).sum() > 3
    )
    data = pack(world, slot, way, opening, everywhere)
    target = case.world()
    assert unpack(target, slot, way, opening, everywhere, memoryview(data)) == len(data)
    assert pack(target, slot, way, opening, everywhere) == data
    before = target.buffer.copy()
    for bad in (b"", data[:3], data[:-1], data[:-1] + b"\xff", b"\xff" * len(data)):
        with pytest.raises(ValueError):
            unpack(target, slot, way, opening, everywhere, memoryview(bad))
    with pytest.raises(ValueError, match="another space"):
        unpack(target, slot, way, opening, slice(0, 1), memoryview(data))
    assert (target.buffer == before).all()


def plan(case: Case, count: int, *ticks: int, **fields: Any) -> Plan:
    library = build.library(case.biology.source("cpu"), case.biology.name)
    data = {0: case.data}
    make = {"params": case.params, "data": data, "seed": case.seed, "economy": case.economy}
    make |= {"ablation": case.ablation, "patience_s": 60.0, **fields}
    return Plan(case.geometry, case.biology, library, case.founders, count, ticks, **make)


@pytest.mark.parametrize(("shape", "count"), [("ring, slow", 3), ("line, every tick", 2)])
def test_processes_make_a_whole(shape: str, count: int) -> None:
    case, ticks = colony(SHAPES[shape]), (1, 40, 333)
    whole = case.world()
    for found, tick in zip(run_together(plan(case, count, *ticks)), ticks, strict=True):
        whole.run(tick)
        assert (found.tick, found.hash, found.balance) == (tick, whole.hash(), whole.balance())
        assert found.champion == whole.champion()


def test_processes_meet_by_gloo(tmp_path: Path) -> None:
    dist = pytest.importorskip("torch.distributed", reason="torch is not installed")
    if not dist.is_available() or not dist.is_gloo_available():
        pytest.skip("this torch was built without gloo")
    case, ticks = colony(PAIR), (5, 200)
    whole = case.world()
    address = f"file://{tmp_path}/meet"
    for found, tick in zip(
        run_together(plan(case, 2, *ticks, address=address)), ticks, strict=True
    ):
        whole.run(tick)
        assert (found.hash, found.balance) == (whole.hash(), whole.balance())


def test_one_process_needs_no_links() -> None:
    case = colony(PAIR)
    whole = case.world()
    whole.run(50)
    (found,) = run_together(plan(case, 1, 50))
    assert (found.hash, found.balance) == (whole.hash(), whole.balance())


def test_what_a_process_refuses_is_told() -> None:
    """A space that is larger than memory: found before any process is started, and by each process."""
    case = colony(PAIR).but(geometry=geometry(row=Axis(2), warp=Axis(1 << 28)))
    with pytest.raises(Refused, match=r"needs .* GB"):
        run_together(plan(case, 2, 10))
    here, there = Pipe()
    processes._work(plan(case, 2, 10), 0, None, None, there)
    said = processes._hear(here)
    assert said and said["refused"]
    error = processes._failure([{"error": "the other is gone", "refused": False}, said], [])
    assert isinstance(error, Refused) and " GB" in str(error)
    here.close()
    there.close()


def test_a_process_that_dies_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of three is killed while it runs a space that would take them minutes."""
    started: list[Any] = []
    heard = processes._hear

    def hear(report: Connection) -> Any:
        if not started:
            started.append(time.monotonic())
            import multiprocessing

            victim = sorted(multiprocessing.active_children(), key=lambda child: child.pid or 0)[1]
            threading.Timer(0.2, lambda: os.kill(victim.pid or 0, signal.SIGKILL)).start()
        return heard(report)

    monkeypatch.setattr(processes, "_hear", hear)
    case = colony(SHAPES["ring, every tick"])
    with pytest.raises(LinkError, match=r"process 1 of 3 was killed \(signal 9\).*start again"):
        run_together(plan(case, 3, 1, 1 << 30))
    assert time.monotonic() - started[0] < 30


def test_a_part_whose_neighbour_is_gone_says_so() -> None:
    case = colony(PAIR)
    with shares(case, 2) as parts:
        at_once(parts, lambda part: part.run(10))
        parts[1].close()
        with pytest.raises(LinkError, match="a neighbouring process has ended"):
            parts[0].run(20)
    assert np.isfinite(parts[0].world.tick)
