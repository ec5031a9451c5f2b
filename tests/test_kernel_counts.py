"""What hypercell's kernel counts of itself, against two instruments that know nothing of it
(`instrumented.py`): equal to the unit, operations and bytes, whatever is switched off.
"""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from algorithms.counting import EXPENSIVE, Counts, counted
from algorithms.hypercell import parity
from algorithms.hypercell.learn_parity import HypercellParity
from algorithms.hypercell.space import Axis
from algorithms.hypercell.world import Ablation, Kernel, World
from metrics import counts as tables
from tasks.classification import Classification
from tasks.native import build
from tests.hypercells import Case, geometry, parity_of
from tests.instrumented import (
    accesses,
    bytes_of,
    ended,
    gcc,
    operations,
    watch,
    with_accesses,
    with_operations,
)


def test_what_is_expensive_costs_the_same_for_all() -> None:
    names = {"DIV": "div", "EXP": "exp", "LOG": "log", "RSQRT": "rsqrt"}
    assert {name: tables.EXPENSIVE[names[name]] for name in EXPENSIVE} == EXPENSIVE


@cache
def counting_kernel(n: int) -> tuple[Kernel, Counts]:
    biology = parity.biology(n)
    table = biology.events()
    assert table
    kernel = Kernel(build.library(counted(biology.source("cpu"), table), "parity"), biology)
    return kernel, Counts(kernel.lib, table)


def world_of(case: Case, kernel: Kernel) -> World:
    world = World(kernel, case.geometry, case.biology, case.seed, case.economy, case.ablation)
    world.space.params[: len(case.params)] = case.params
    world.feed(0, case.data)
    world.found(case.founders)
    return world


@pytest.fixture(scope="session")
def instruments() -> Callable[[int], tuple[ctypes.CDLL, ctypes.CDLL]]:
    """Of so many inputs: the libraries that count accesses and operations."""

    @cache
    def both(n: int) -> tuple[ctypes.CDLL, ctypes.CDLL]:
        biology, like = parity.biology(n), counting_kernel(n)[0].lib
        seen = with_accesses(biology.source("cpu"), f"parity-{n}")
        done = ctypes.CDLL(str(with_operations(biology)))
        wide, address = ctypes.c_int64, ctypes.c_void_p
        for lib in (seen, done):
            for name in ("run", "champion"):
                getattr(lib, name).argtypes = getattr(like, name).argtypes
                getattr(lib, name).restype = None
        for lib in (seen, done, like):
            lib.pack_rows.argtypes = [address, address, wide, wide, wide, address]
            lib.pack_rows.restype = None
        return seen, done

    return both


ABLATIONS = {
    "all": Ablation(),
    "no reproduction": Ablation(reproduction=False),
    "no neighbours": Ablation(neighbours=False),
    "no heredity": Ablation(heredity=False),
}


@gcc
@pytest.mark.parametrize("n", [7, 70])
@pytest.mark.parametrize("ablation", ABLATIONS)
@pytest.mark.parametrize("seed", range(3))
def test_hypercell_counts_what_two_instruments_see(
    n: int,
    ablation: str,
    seed: int,
    instruments: Callable[[int], tuple[ctypes.CDLL, ctypes.CDLL]],
) -> None:
    rng = random.Random(seed)
    shape = geometry(
        device=Axis(rng.choice([1, 3]), True, 2, 0),
        sm=Axis(rng.choice([2, 4]), False, 1, 1),
        warp=Axis(rng.choice([1, 3]), rng.random() < 0.5, rng.choice([1, 2]), 3),
    )
    at = rng.sample(range(shape.locations), 2)
    case = parity_of(shape, rng, at, rng.choice([10, 300]), n, rng.choice([0, 0.1]))
    case = case.but(seed=seed, ablation=ABLATIONS[ablation])
    kernel, events = counting_kernel(n)
    seen, done = instruments(n)

    worlds = [world_of(case, kernel) for _ in range(3)]
    best = (ctypes.c_int64 * 2)()
    events.restart()
    worlds[0].run(60)
    worlds[0].champion()
    told = events.told(0)
    names = ("energy", "body", "settled", "outbox", "arena", "messages")
    watch(seen, *(worlds[1].arrays[name] for name in names), case.data)
    accesses(seen), operations(done)
    for lib, world in ((seen, worlds[1]), (done, worlds[2])):
        lib.run(world.address, 60, 0, 1)
        lib.champion(world.address, best)
        world.tick = 60
    assert len({world.hash() for world in worlds}) == 1  # all did the same
    found = told["operations"]["int32_add"], told["operations"]["int32_mul"]
    assert found == operations(done)
    assert bytes_of(told) == accesses(seen)
    assert events.events["LIFE"] == worlds[0].tallies()["lived"] > 0
    assert events.events["BIRTH"] == worlds[0].tallies()["births"]


@gcc
@pytest.mark.parametrize("n", [7, 70])
def test_packing_rows_too(
    n: int, instruments: Callable[[int], tuple[ctypes.CDLL, ctypes.CDLL]]
) -> None:
    kernel, events = counting_kernel(n)
    seen, done = instruments(n)
    rng = np.random.default_rng(n)
    x = rng.choice([-1, 1], (50, n)).astype(np.int8)
    y = rng.choice([-1, 1], 50).astype(np.int64)
    rows = np.zeros((58, n // 64 + 1), np.uint64)
    watch(seen, x, y, rows)
    accesses(seen), operations(done), events.restart()
    for lib in (kernel.lib, seen, done):
        lib.pack_rows(y.ctypes.data, x.ctypes.data, n, 0, 50, rows.ctypes.data)
    told = events.told(0)
    assert tuple(told["operations"].values()) == operations(done)
    assert bytes_of(told) == accesses(seen)


def sitting(monkeypatch: pytest.MonkeyPatch, count: bool, threads: int) -> tuple[Any, Any, int]:
    """Of a training on the laptop's eight locations: counts, secret, the hash of the space."""
    monkeypatch.setenv("JOULEBENCH_COUNT", str(int(count)))
    monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
    n, rows = 20, 400
    rng = np.random.default_rng(3)
    x = rng.choice([-1, 1], (rows, n)).astype(np.int8)
    algorithm = HypercellParity(geometry="laptop", bite=8)
    algorithm.prepare(Classification(n, rows, "samples", 0, "parity", None, 1))
    data = {"x": x, "y": x[:, [2, 7, 11]].prod(1).astype(np.int64)}
    answers = [ended(algorithm.train(data)) for _ in range(2)]
    assert answers[0].predict(x).tolist() == answers[1].predict(x).tolist()
    return algorithm.counts(), answers[0].predict(x).tolist(), algorithm.world.hash()


def test_hypercell_counts_the_last_training_the_same_with_any_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told, answers, image = sitting(monkeypatch, True, 1)
    assert sitting(monkeypatch, False, 1) == (None, answers, image)  # an ordinary build: same bits
    for threads in (1, 3):
        assert sitting(monkeypatch, True, threads) == (told, answers, image)
    tally = tables.from_mapping(told)
    assert tally.communication_bytes > 0 and tally.peak_bytes > 8 * 8 * 20
    assert tally.read_bytes > tally.written_bytes > 0
    assert set(tally.operations) == {"int32_add", "int32_mul"}
