"""What the density biology counts of itself, against the instruments of `instrumented.py`."""

from __future__ import annotations

import ctypes
from collections import Counter
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest

from algorithms.counting import Counts, counted
from algorithms.hypercell import density
from algorithms.hypercell.learn_density import HypercellDensity
from algorithms.hypercell.world import Ablation, Kernel, World
from metrics import counts as tables
from tasks.native import build
from tasks.rule_search import RuleSearch
from tests import instrumented
from tests.hypercells import geometry
from tests.instrumented import accesses, bytes_of, ended, gcc, operations, watch, with_accesses
from tests.test_hypercell_density import SIZES, crowd

# A vector of eight words as a class, and constants that the language wants of templates and arrays.
CELLS = """
struct Cells { u64 lane[8]; };
#define LANEWISE(op) static Cells operator op(Cells a, Cells b) { \\
  for (int i = 0; i < 8; i++) a.lane[i] = a.lane[i] op b.lane[i]; \\
  return a; }
LANEWISE(&) LANEWISE(|) LANEWISE(^)
static Cells operator~(Cells a) {
  for (int i = 0; i < 8; i++) a.lane[i] = ~a.lane[i];
  return a;
}
"""
PLAIN = [
    ("typedef u64 Cells __attribute__((vector_size(64)));", CELLS),
    ("template <i32 LEVEL>", "template <int LEVEL>"),
    ("const i32 digits =", "const int digits ="),
    ("RADIUS + 1 < 5 ? 1 :", "RADIUS + 1 < 5 ? (1) :"),  # no outcomes of a choice on data
    ("INPUTS < 5 ? 1 :", "INPUTS < 5 ? (1) :"),
]


class Plain(density.Biology):
    """The biology, its text as the operations' integers can be put into it."""

    def source(self, host: str) -> str:
        text = super().source(host)
        for before, after in PLAIN:
            assert text.count(before) == 1
            text = text.replace(before, after)
        return text


@cache
def kernels(width: int, radius: int) -> tuple[Kernel, Counts, ctypes.CDLL, ctypes.CDLL]:
    """One that counts itself, and the libraries that count its accesses and operations."""
    biology = density.biology(width, radius)
    table = biology.events()
    assert table
    kernel = Kernel(build.library(counted(biology.source("cpu"), table), "density"), biology)
    seen = with_accesses(biology.source("cpu"), f"density-{width}-{radius}")
    done = ctypes.CDLL(str(instrumented.with_operations(Plain(**vars(biology)))))
    for lib in (seen, done):
        for name in ("run", "champion"):
            getattr(lib, name).argtypes = getattr(kernel.lib, name).argtypes
            getattr(lib, name).restype = None
    return kernel, Counts(kernel.lib, table), seen, done


TICKS = 100
CROWDS = [  # menu, steps, folds, ablation: every event happens in one of them
    (0, 6, 15, Ablation()),
    (0, 41, 9, Ablation()),
    (density.SPREADS, 6, 15, Ablation()),
    (density.SPREADS, 40, 4, Ablation(heredity=False)),
    (0, 7, 2, Ablation(heredity=False)),
    (0, 6, 15, Ablation(reproduction=False)),
]


@gcc
def test_density_counts_what_two_instruments_see() -> None:
    happened: Counter[str] = Counter()
    for size, (menu, steps, folds, ablation) in product(SIZES, CROWDS):
        kernel, events, seen, done = kernels(*size)
        case = crowd(menu, size, seed=steps).but(ablation=ablation)
        worlds, best = [], (ctypes.c_int64 * 2)()
        for _ in range(3):
            world = World(kernel, case.geometry, case.biology, case.seed, case.economy, ablation)
            world.space.params[: len(case.params)] = case.params
            world.space.params[density.STEPS] = steps
            world.space.params[density.BRIEF] = 4 if steps < 16 else 20
            world.space.params[density.FOLDS] = folds
            world.found(case.founders)
            worlds.append(world)
        events.restart()
        worlds[0].run(TICKS)
        worlds[0].champion()
        told = events.told(0)
        happened.update(events.events)
        arrays = ("energy", "body", "settled", "outbox", "arena", "messages")
        watch(seen, *(worlds[1].arrays[name] for name in arrays))
        accesses(seen), operations(done)
        for lib, one in ((seen, worlds[1]), (done, worlds[2])):
            lib.run(one.address, TICKS, 0, 1)
            lib.champion(one.address, best)
            one.tick = TICKS
        assert len({one.hash() for one in worlds}) == 1  # all did the same
        found = told["operations"]["int32_add"], told["operations"]["int32_mul"]
        assert bytes_of(told) == accesses(seen)
        assert found == operations(done)
        assert events.events["LIVE"] == worlds[0].tallies()["lived"] > 0
        assert events.events["CHILD"] == worlds[0].tallies()["births"]
    names = kernels(*SIZES[0])[1].names
    elsewhere = {name for name in names if name.startswith("SENT_")}
    elsewhere |= {"PIONEER", "BOUNDED", "TURNED", "BUY", "CAP", "DEATH"}  # of the engine, or rare
    assert not [name for name in names if not happened[name] and name not in elsewhere]


@gcc
@pytest.mark.parametrize("goes", ["in circles", "on"])
def test_a_batch_is_run_on_while_more_of_it_become_uniform(goes: str) -> None:
    """Where every cell stays as it is, no ring of fair coins comes to be uniform; where ones spread by a
    cell a step, all do, each as late as its longest run of zeros is long."""
    width, radius = SIZES[0]
    kernel, events, _, _ = kernels(width, radius)
    at = np.arange(2 ** (2 * radius + 1))
    own, right = at >> radius & 1, at >> radius - 1 & 1
    table = (own if goes == "in circles" else own | right).astype(np.uint8)
    case = crowd(1, (width, radius))
    founder = density.rule(radius, 0, density.traits(0, 0, 0, 0), table, (0, 0))
    world = World(kernel, geometry(), case.biology, 1, case.economy, Ablation(reproduction=False))
    world.space.params[: len(case.params)] = case.params
    world.space.params[density.STEPS], world.space.params[density.BRIEF] = 40, 6
    world.found([founder])
    events.restart()
    world.run(4)
    events.told(0)
    meals, run = events.events["MEAL"], events.events["STEP"]
    assert meals > 1
    if goes == "in circles":
        assert run == meals * 6
    else:
        assert meals * 6 < run <= meals * (width + 5)


def sitting(monkeypatch: pytest.MonkeyPatch, count: bool, threads: int) -> tuple[Any, Any, int]:
    """Of a training: counts, rule, the hash of the space."""
    monkeypatch.setenv("JOULEBENCH_COUNT", str(int(count)))
    monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
    algorithm = HypercellDensity(ticks=60, retest=64)
    algorithm.prepare(RuleSearch(21, 3, 6, "density", 0, 0))
    data = {"seed": np.array([7], np.uint64)}
    answers = [ended(algorithm.train(data)).rule().tolist() for _ in range(2)]
    assert answers[0] == answers[1]
    return algorithm.counts(), answers[0], algorithm.world.hash()


def test_density_counts_the_last_training_the_same_with_any_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told, answers, image = sitting(monkeypatch, True, 1)
    assert sitting(monkeypatch, False, 1) == (None, answers, image)  # an ordinary build: same bits
    for threads in (1, 3):
        again, *same = sitting(monkeypatch, True, threads)
        again["peak_bytes"] = told["peak_bytes"]  # a tile has its clock and its tallies
        assert (again, *same) == (told, answers, image)
    tally = tables.from_mapping(told)
    assert tally.communication_bytes > 0 and tally.peak_bytes > 64 * 4 * 20
    assert tally.read_bytes > tally.written_bytes > 0
    assert set(tally.operations) == {"int32_add", "int32_mul"}
