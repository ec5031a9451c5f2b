"""Hypercell on the density task: what it finds, that it is the same again, what its switches do."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from algorithms.base import Progress, Refused
from algorithms.hypercell import density
from algorithms.hypercell.learn_density import Hall, HypercellDensity
from algorithms.rule_pictures import Rule
from harness.load import sources
from tasks.automaton.rules import complemented, mirrored, parse_rule
from tasks.automaton.simulator import Simulator
from tasks.base import Draw
from tasks.ca_evolution import CaEvolution

SMALL = CaEvolution(width=29, steps=58, held_out=4000)
TINY = CaEvolution(width=21, steps=6, held_out=500)


def ready(task: CaEvolution = SMALL, seed: int = 0, **fields: Any) -> HypercellDensity:
    algorithm = HypercellDensity(**{"ticks": 300, "retest": 640} | fields)
    algorithm.prepare(task.spec(seed))
    return algorithm


def learn(algorithm: HypercellDensity, draw: Draw) -> tuple[Rule, list[Progress]]:
    events: list[Progress] = []
    training = algorithm.train(draw.train)
    while True:
        try:
            events.append(next(training))
        except StopIteration as end:
            return end.value, events


def test_finds_rules_that_classify() -> None:
    algorithm = ready()
    found = []
    for draw in SMALL.draws([0], 3):
        rule, events = learn(algorithm, draw)
        table = rule.rule()
        assert table.shape == (128,) and (table[0], table[-1]) == (0, 1)
        assert (complemented(mirrored(table)) == table).all()  # folds=both
        score = SMALL.examine(draw, rule).value
        assert score > 0.7 and events[-1].loss == pytest.approx(score, abs=0.05)
        found.append(table)
        assert set(algorithm.pictures(draw.train)) >= {"easy.png", "hard.png", "score.svg"}
    assert algorithm.world.tick == 300
    assert len(set(map(bytes, found))) == 3  # every draw has its own chance


def test_the_same_again_with_any_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = SMALL.draws([5], 2)
    wanted = None
    for threads in ("1", "2", "1"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        algorithm = ready(ticks=100)
        for _ in range(2):  # every training begins afresh
            rule, events = learn(algorithm, first)
            heard = [(e.step, e.loss) for e in events]
            found = rule.rule().tolist(), heard, algorithm.world.hash()
            wanted = wanted or found
            assert found == wanted, threads
            learn(algorithm, other)
            assert algorithm.world.hash() != wanted[2]
        assert (algorithm.world.layout.tiles > 2) == (threads == "2")


def test_the_runs_seed_counts_as_well() -> None:
    draw = SMALL.draws([5], 1)[0]
    hashes = []
    for seed in (0, 1):
        algorithm = ready(seed=seed, ticks=20)
        learn(algorithm, draw)
        hashes.append(algorithm.world.hash())
    assert hashes[0] != hashes[1]


def census(**fields: Any) -> tuple[dict[str, float], dict[str, int], HypercellDensity]:
    algorithm = ready(TINY, **{"ticks": 60, "retest": 64} | fields)
    rule, _ = learn(algorithm, TINY.draws([3], 1)[0])
    table = rule.rule()
    assert table.shape == (128,) and set(table.tolist()) == {0, 1}
    assert algorithm.world.balance()[0] == algorithm.world.balance()[1]
    return density.census(algorithm.world), algorithm.world.tallies(), algorithm


def test_ablations_switch_off_what_they_say() -> None:
    found, whole, algorithm = census()
    assert found["rules"] > 0 and found["configurations"] > 0
    assert whole["births"] > 0 and whole["told"] > 0 and algorithm.world.tick == 60
    found, events, _ = census(kinds=False)
    assert found["rules"] > 0 and found["configurations"] == 0 and events["births"] > 0
    hashes = {census(common_coins=common)[2].world.hash() for common in (True, False)}
    assert len(hashes) == 2
    _, events, _ = census(reproduction=False)
    assert events["births"] == 0 and events["told"] > 0
    _, events, _ = census(neighbours=False)
    assert events["births"] == events["told"] == 0 and events["lived"] > 0
    _, events, _ = census(heredity=False)
    assert events["births"] > 0
    _, events, algorithm = census(one_location=True)
    assert algorithm.shape.locations == 1 and 0 < events["lived"] <= 60
    assert events["births"] == 0


def test_without_heredity_children_are_like_nobody() -> None:
    """Founders and children are of one lineage, their tables half alike."""
    alike = {}
    for heredity in (True, False):
        algorithm = ready(TINY, heredity=heredity, kinds=False, retest=64, ticks=1, cross=0)
        draw = TINY.draws([3], 1)[0]
        world = algorithm._world(int(draw.train["seed"][0]) & (1 << 62) - 1)
        first = {int(body[0]): body.copy() for body in world.arrays["body"]}
        world.run(30)
        shares = []
        for body in world.arrays["body"][world.arrays["energy"] > 0]:
            if body[1] == 0:
                continue
            before = density.table_of(first[int(body[0])][4:], 3)
            shares.append(np.mean(density.table_of(body[4:], 3) == before))
        assert len(shares) > 10
        alike[heredity] = float(np.mean(shares))
    assert alike[True] > 0.8 and 0.4 < alike[False] < 0.6, alike


@pytest.mark.parametrize("folds", ["any", *density.FOLD_NAMES])
def test_folds_stay_what_was_asked_for(folds: str) -> None:
    # Where any may be, the best soon displaces the others: that is for a space that is still young.
    found, _, _ = census(folds=folds, mutation=255, ticks=8 if folds == "any" else 60)
    shares = [found[name] for name in density.FOLD_NAMES]
    assert sum(shares) == pytest.approx(1)
    assert found[folds] == 1 if folds != "any" else max(shares) < 1


@pytest.mark.parametrize("radius", [1, 2])
def test_other_radii(radius: int) -> None:
    task = CaEvolution(width=21, radius=radius, steps=6, held_out=500)
    algorithm = ready(task, ticks=60, retest=64)
    rule, _ = learn(algorithm, task.draws([3], 1)[0])
    assert rule.rule().shape == (2 ** (2 * radius + 1),)


def test_extinction_is_survived(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(density, "ECONOMY", replace(density.ECONOMY, endowment=3))
    algorithm = ready(TINY, founders=0.0, reproduction=False)  # without kinds, rules are hungry
    rule, _ = learn(algorithm, TINY.draws([1], 1)[0])
    assert algorithm.world.population == 0 and algorithm.world.tick == 4  # the last, until tick 300
    assert rule.rule().shape == (128,)
    told = capfd.readouterr().out
    assert told.count("everybody had starved by tick 8;") == told.count("starved by") == 1
    assert "in all 37 spaces of 38 starved" in told  # every epoch of 8


def test_a_space_that_finds_nothing_better_is_given_up() -> None:
    draw = SMALL.draws([2], 1)[0]
    algorithm = ready(ticks=600, patience=40)
    _, events = learn(algorithm, draw)
    # The last space is young; what earlier ones had found is kept until there is a better rule.
    assert algorithm.world.tick < 600 - 40 and events[-1].step == 600
    hall = algorithm.histories[int(draw.train["seed"][0])]
    assert hall.score == events[-1].loss > 0.7
    for_ever = ready(ticks=600, patience=0)
    learn(for_ever, draw)
    assert for_ever.world.tick == 600


def test_the_hall_keeps_the_best_of_all_spaces() -> None:
    hall = Hall(Simulator(3, 29), SMALL.spec(0), np.random.default_rng(0), 640)
    gkl, other = parse_rule("gkl"), np.arange(128).astype(np.uint8) >> 3 & 1  # the cell itself
    hall.look(gkl, 8)
    assert hall.better_at == 8
    hall.renew(16)
    hall.look(other, 24)
    assert hall.better_at in (16, 24) and (hall.best == gkl).all() and hall.score > 0.7
    assert list(hall.tried) == [other.tobytes()]
    hall.renew(32)
    hall.look(gkl, 40)
    assert hall.better_at == 40 and (hall.best == gkl).all()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ticks": 0}, "algo.ticks=0: must be a whole number from 1"),
        ({"top": 0.5}, "algo.top=0.5: must be a whole number"),
        ({"memory": True}, "algo.memory=True: must be a whole number"),
        ({"mutation": 256}, "algo.mutation=256: must be a whole number from 0 to 255"),
        ({"retest": 63}, "algo.retest=63: must be a whole number from 64"),
        ({"feed": 449}, "algo.feed=449"),
        ({"folds": "left"}, "algo.folds=left: must be any, none, swap, mirror, both"),
        ({"founders": 1}, "algo.founders=1: must be at least 0 and below 1"),
        ({"grown": 17}, "algo.grown=17: must be at most algo.memory=16"),
        ({"brief": -1}, "algo.brief=-1: must be a whole number from 0"),
        ({"patience": None}, "algo.patience=None: must be a whole number from 0"),
    ],
)
def test_bad_fields_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=re.escape(words)):
        HypercellDensity(**fields)


@pytest.mark.parametrize(
    ("task", "fields", "words"),
    [
        ({"goal": "synchronise"}, {}, "for task.goal=synchronise try algo=genetic"),
        ({"goal": "life"}, {}, "for task.goal=life try algo=lookup"),
        ({}, {"geometry": "tours"}, "torus"),
        ({}, {"geometry": 7}, "known are cluster, h200, laptop"),
    ],
)
def test_what_cannot_be_prepared_is_refused(
    task: dict[str, Any], fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(Refused, match=re.escape(words)):
        ready(CaEvolution(**task), **fields)


def test_the_hall_forgets_luck() -> None:
    """Of many rules that guess and one that knows, the one is kept, whatever the order."""
    spec = SMALL.spec(0)
    rng = np.random.default_rng(0)
    hall = Hall(Simulator(3, 29), spec, rng, 640)
    tables = [rng.integers(0, 2, 128).astype(np.uint8) for _ in range(20)]
    for table in tables:
        table[0], table[-1] = 0, 1
    gkl = parse_rule("gkl")
    tables.insert(3, gkl)
    for table in tables:
        hall.look(table)
    assert (hall.best == gkl).all() and hall.score > 0.7
    assert hall.tried[gkl.tobytes()][1] > 5 * 640  # tried again, time after time
    assert [score for _, score in hall.points] == sorted(score for _, score in hall.points)


def test_kernel_and_geometry_count_as_code() -> None:
    names = {path.name for path in sources("algorithms.hypercell.learn_density.HypercellDensity")}
    wanted = {"density.h", "ring.h", "engine.h", "torus.yaml", "learn_density.py", "density.py"}
    assert wanted <= names
