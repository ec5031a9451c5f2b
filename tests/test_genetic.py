"""The genetic algorithm: its operators, its record of the best, and that it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from algorithms.base import Progress, Refused
from algorithms.genetic import Genetic
from algorithms.rule_pictures import chart
from tasks.automaton import bits, oracle
from tasks.automaton.rules import complemented, mirrored, parse_rule, to_hex
from tasks.ca_evolution import CaEvolution

SMALL = CaEvolution(width=31, radius=2, steps=60, held_out=2000)


def ready(task: CaEvolution = SMALL, **fields: Any) -> Genetic:
    algorithm = Genetic(**fields)
    algorithm.prepare(task.spec(0))
    return algorithm


def trained(algorithm: Genetic, task: CaEvolution, entropy: int = 1) -> tuple[Any, list[Progress]]:
    events: list[Any] = []
    training = algorithm.train(task.draws([entropy], 1)[0].train)
    while True:
        try:
            events.append(next(training))
        except StopIteration as end:
            return end.value, events


def test_the_first_rules_are_of_every_density() -> None:
    tables = ready(population=2000, elite=20, symmetric=False)._first(np.random.default_rng(0))
    ones = tables.sum(axis=1)
    assert tables.dtype == np.uint8 and set(np.unique(ones)) == set(range(1, 32))
    assert np.bincount(ones)[1:].min() > 30  # 61 expected of each
    assert np.abs(tables.mean(axis=0)[1:-1] - 0.5).max() < 0.05
    assert not tables[:, 0].any() and tables[:, -1].all()


def test_children_are_of_two_parents_and_two_mutations() -> None:
    genetic = ready(population=3000, elite=2, symmetric=False)
    parents = np.array([np.zeros(32), np.ones(32)], np.uint8)
    rng = np.random.default_rng(1)
    children = genetic._children(rng, parents)
    assert children.shape == (2998, 32)
    inner = children[:, 1:-1].astype(int)
    # A child of unequal parents, unmutated, changes its value once; two mutations add up to four.
    changes = (np.diff(inner, axis=1) != 0).sum(axis=1)
    assert changes.max() <= 5 and (changes % 2 == 0).any() and (changes % 2 == 1).any()
    same = genetic._children(rng, np.zeros((2, 32), np.uint8))[:, 1:-1].sum(axis=1)
    assert set(np.unique(same)) == {0, 1, 2}  # fewer where both fell on one place, or on an end
    assert (same == 2).mean() == pytest.approx(30 * 29 / 32**2, abs=0.03)
    assert not children[:, 0].any() and children[:, -1].all()


@pytest.mark.parametrize(
    "uniform,generation,share",
    [(10, 0, 1.0), (10, 4, 0.6), (10, 10, 0.0), (10, 99, 0.0), (0, 0, 0.0), (-1, 99, 1.0)],
)
def test_density_goes_over_to_fair_coins(uniform: int, generation: int, share: float) -> None:
    genetic = ready(uniform=uniform, configurations=2000)
    state = genetic._configurations(np.random.default_rng(2), generation)
    ones = bits.ones(state)[:2000]
    # Of fair coins hardly any has fewer than 8 or more than 23 ones of 31; of uniform density half.
    assert ((ones < 8) | (ones > 23)).mean() == pytest.approx(share / 2, abs=0.04)


@pytest.mark.parametrize("goal", ["density", "synchronise"])
def test_rules_are_right_where_the_definition_says(goal: str) -> None:
    task = CaEvolution(goal=goal, width=9, radius=1, steps=12, held_out=100)
    genetic = ready(task, symmetric=False)
    tables = genetic._ended(((np.arange(256)[::2, None] >> np.arange(8)) & 1).astype(np.uint8))
    state = bits.fair_coins(np.random.default_rng(3), 70, 9)
    cells = bits.unpack(state, 70)
    right = genetic._right(tables, state, 70)
    assert right.shape == (128, 70) and right.any() and not right.all()
    for table, found in zip(tables, right, strict=True):
        end = oracle.run(table, cells, 12)
        wanted = np.repeat(end[:, :1], 9, axis=1)
        if goal == "density":
            wanted = np.repeat(cells.sum(axis=1, dtype=int)[:, None] > 4, 9, axis=1)
        assert (found == (end == wanted).all(axis=1)).all()


@pytest.mark.parametrize("symmetric,low", [(True, 0.75), (False, 0.55)])
def test_a_rule_learned_is_better_than_a_guess(symmetric: bool, low: float) -> None:
    task = CaEvolution(width=61, held_out=2000)
    predictor, events = trained(ready(task, generations=40, retest=512, symmetric=symmetric), task)
    score = task.examine(task.draws([2], 1)[0], predictor)
    assert score.value > low
    assert [event.step for event in events] == list(range(1, 41))
    told = [event.loss for event in events]
    assert told == sorted(told) and abs(told[-1] - score.value) < 0.1


def test_early_ends_are_cheaper_and_learn_as_well() -> None:
    task, steps, scores = CaEvolution(width=61, held_out=2000), [], []
    for brief in (0, 32):
        genetic = ready(task, generations=40, retest=512, brief=brief)
        predictor, _ = trained(genetic, task)
        steps.append(genetic.counts()["operations"]["int32_add"])
        scores.append(task.examine(task.draws([2], 1)[0], predictor).value)
    assert steps[1] < 0.9 * steps[0] and min(scores) > 0.75


def test_only_what_comes_to_rest_can_end_early() -> None:
    with pytest.raises(Refused, match="leave it at 0"):
        ready(CaEvolution(goal="synchronise"), brief=32)


def test_synchronising_is_learned() -> None:
    task = CaEvolution(goal="synchronise", width=31, radius=2, steps=60, held_out=500)
    predictor, _ = trained(ready(task, generations=40, retest=512), task)
    assert task.examine(task.draws([2], 1)[0], predictor).value > 0.5


def test_the_draw_seeds_it_and_nothing_is_carried_over() -> None:
    genetic = ready(generations=12, population=10, elite=3, retest=64)
    (first, _), (other, _), (again, _) = (trained(genetic, SMALL, e) for e in (1, 2, 1))
    assert (first.rule() == again.rule()).all() and not (first.rule() == other.rule()).all()


def test_it_starts_afresh_when_nothing_better_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    genetic = ready(generations=60, population=4, elite=1, patience=10, uniform=10, retest=64)
    starts: list[int] = []
    first = genetic._first
    monkeypatch.setattr(genetic, "_first", lambda rng: starts.append(1) or first(rng))
    monkeypatch.setattr(genetic, "_check", lambda rng, elite, best: 0.0)
    trained(genetic, SMALL)
    assert len(starts) == 3  # 10 generations of the fall and 10 of patience each
    starts.clear()
    genetic.patience = 0
    trained(genetic, SMALL)
    assert len(starts) == 1


def test_the_best_is_kept_through_later_starts() -> None:
    genetic = ready(generations=80, population=20, elite=4, patience=10, uniform=0, retest=256)
    predictor, events = trained(genetic, SMALL)
    best = genetic.histories[int(SMALL.draws([1], 1)[0].train["seed"][0])]
    assert (predictor.rule() == best.table).all() and events[-1].loss == best.score
    assert (events[-1].predictor.rule() == best.table).all()
    scores = [score for _, score in best.points]
    assert scores == sorted(scores) and len(scores) > 1


def test_pictures() -> None:
    genetic = ready(generations=40, population=20, elite=4, retest=256)
    data = SMALL.draws([1], 1)[0].train
    predictor, _ = trained(genetic, SMALL)
    files = genetic.pictures(data)
    assert f">{to_hex(predictor.rule())}: density by" in files["score.svg"].decode()
    assert set(files) == {"easy.png", "hard.png", "score.svg"}
    assert files["easy.png"].startswith(b"\x89PNG") and files["easy.png"] != files["hard.png"]


def test_a_chart_has_a_step_for_each_score() -> None:
    drawn = chart([(0.1, 0.2), (1.0, 0.5), (10.0, 0.8)], "score").decode()
    assert "0.1 s" in drawn and "10 s" in drawn and drawn.count("V") >= 3


@pytest.mark.parametrize(
    "fields,says",
    [
        ({"elite": 100}, "below algo.population"),
        ({"generations": 0}, "at least 1"),
        ({"uniform": -2}, "at least -1"),
        ({"mutations": 1.5}, "whole number"),
        ({"patience": -1}, "at least 0"),
        ({"retest": None}, "whole number"),
    ],
)
def test_what_it_refuses(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(Refused, match=says):
        Genetic(**fields)


def test_it_has_no_torus() -> None:
    with pytest.raises(Refused, match="algo=lookup"):
        ready(CaEvolution(goal="life"))


@pytest.mark.parametrize("goal", ["density", "synchronise"])
def test_symmetric_rules_treat_both_states_alike(goal: str) -> None:
    task = CaEvolution(goal=goal, held_out=64)
    genetic = ready(task, symmetric=True)
    assert genetic.mirrors and ready(task).mirrors == (goal == "density")
    rng = np.random.default_rng(4)
    tables = genetic._first(rng)
    both = np.concatenate([tables, genetic._children(rng, tables[:20])])
    assert all((complemented(mirrored(table)) == table).all() for table in both)
    assert len(np.unique(both, axis=0)) > 150  # some children are as a parent was
    if goal == "density":
        gkl = parse_rule("gkl")
        assert (genetic._ended(gkl[None].copy())[0] == gkl).all()
