"""The gradient through an automaton's steps against one in numpy, and that rules are learned by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from algorithms.automaton_gradient import GOALS, WORDS, Gradient, opposite
from algorithms.backprop_automaton import BackpropAutomaton
from algorithms.base import Progress, Refused
from tasks.automaton import oracle, torus
from tasks.automaton.rules import parse_rule
from tasks.ca_evolution import CaEvolution

SMALL = CaEvolution(width=31, held_out=2000)
FEW: dict[str, Any] = {"starts": 1, "fresh": 4, "iterations": 500, "refine": 200, "patience": 2}


def words(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 1 << 32, WORDS, dtype=np.uint32)


def reference(
    table: np.ndarray, cells: np.ndarray, radius: int, steps: int, goal: str, limit: float
) -> tuple[float, np.ndarray]:
    """Loss and gradient where nothing is left to chance: forward by the oracle, backward by hand."""
    rows = [cells]
    for _ in range(steps):
        rows.append(oracle.run(table, rows[-1], 1))
    m, width = cells.shape
    most = (2 * rows[0 if goal == "density" else -1].sum(axis=1, dtype=int) > width)[:, None]
    share = (rows[-1] == most).mean(axis=1, keepdims=True)
    pull = 1.0 if goal == "density" else 2 * share - 1
    g = np.where(most, -1.0, 1.0) * pull * np.ones((m, width))
    total, index = np.zeros(len(table)), np.arange(len(table))
    for x in reversed(rows[:-1]):
        places = range(-radius, radius + 1)
        n = sum(np.roll(x, -k, axis=1).astype(int) << (radius - k) for k in places)
        total += np.bincount(n.ravel(), g.ravel(), len(table))
        back = np.zeros_like(g)
        for k in places:
            bit = 1 << (radius - k)
            slope = table[index | bit].astype(float) - table[index & ~bit]
            back += np.roll(g * slope[n], k, axis=1)
        g = np.clip(back, -limit, limit)
    return 1 - float(share.mean()), total / cells.size


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize(
    "radius,width,steps,limit",
    [(3, 21, 1, 9.0), (3, 37, 12, 1e9), (3, 63, 25, 1.5), (2, 33, 9, 0.7), (1, 3, 6, 2.0)],
)
def test_gradient_is_that_of_numpy(
    goal: str, radius: int, width: int, steps: int, limit: float
) -> None:
    rng = np.random.default_rng(width)
    table = rng.integers(0, 2, 2 << 2 * radius).astype(np.uint8)
    cells = rng.integers(0, 2, (12, width)).astype(np.uint8)
    wanted_loss, wanted = reference(table, cells, radius, steps, goal, limit)
    assert np.abs(wanted).max() > 0
    gradient = Gradient(radius, width, steps + 3, goal, limit)
    loss, found = gradient(table, cells, steps, words(0))
    assert loss == pytest.approx(wanted_loss, abs=1e-6)
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-5 * np.abs(wanted).max())


def test_gradient_is_unbiased_for_one_step_after_a_drawn_one() -> None:
    """The last of two steps sees cells that were drawn; with respect to their chances the mean over
    many draws is the slope of the expected loss. The map is linear in every cell, so it is exact."""
    rng = np.random.default_rng(4)
    p, cells = rng.uniform(0.2, 0.8, 8), np.zeros((400, 3), np.uint8)
    gradient, state = Gradient(1, 3, 2, "density", 1e9), words(1)
    found = np.mean([gradient(p, cells, 2, state)[1] for _ in range(400)], axis=0)

    def expected(p: np.ndarray) -> float:
        """All rings are 000 and so p[0] is the chance of a 1 for every cell after the first step."""
        total = 0.0
        for n in range(8):
            ones = bin(n).count("1")
            total += p[0] ** ones * (1 - p[0]) ** (3 - ones) * p[n]
        return total  # a zero was wanted: what is lost is the chance of a 1

    for n in range(8):
        move = np.eye(8)[n] * 1e-4
        slope = (expected(p + move) - expected(p - move)) / 2e-4
        assert found[n] == pytest.approx(slope, abs=0.02)


def test_cells_are_drawn_by_their_chances() -> None:
    cells = np.ones((64, 149), np.uint8)
    loss, _ = Gradient(3, 149, 1, "density", 1.0)(np.full(128, 0.3), cells, 1, words(2))
    assert loss == pytest.approx(0.7, abs=5 * np.sqrt(0.21 / cells.size))


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_opposites_pair_off(radius: int) -> None:
    index = opposite(radius)
    assert (index[index] == np.arange(len(index))).all() and (index != np.arange(len(index))).all()
    assert index[0] == len(index) - 1 and index[1] == len(index) - 1 - len(index) // 2


def test_gkl_is_its_own_opposite() -> None:
    gkl = parse_rule("gkl")
    assert (gkl[opposite(3)] == 1 - gkl).all()


def trained(
    task: CaEvolution, entropy: int, algorithm: BackpropAutomaton
) -> tuple[Any, list[Progress]]:
    events: list[Any] = []
    training = algorithm.train(task.draws([entropy], 1)[0].train)
    while True:
        try:
            events.append(next(training))
        except StopIteration as end:
            return end.value, events


def ready(task: CaEvolution, **fields: Any) -> BackpropAutomaton:
    algorithm = BackpropAutomaton(**fields)
    algorithm.prepare(task.spec(0))
    return algorithm


def test_a_rule_is_learned_and_told_on_the_way() -> None:
    algorithm = ready(SMALL, **FEW)
    predictor, events = trained(SMALL, 1, algorithm)
    draw = SMALL.draws([2], 1)[0]
    score = SMALL.examine(draw, predictor).value
    assert score > 0.65  # a constant: 0.5
    told = [e.loss for e in events if e.loss is not None]
    assert len(told) >= 5 and told == sorted(told, reverse=True)
    assert 1 - told[-1] == pytest.approx(score, abs=0.05)
    assert SMALL.examine(draw, events[-1].predictor).value == score
    table = predictor.rule()
    assert (table[opposite(3)] == 1 - table).all() and table[0] == 0
    points = algorithm.pictures(SMALL.draws([1], 1)[0].train)
    assert {"easy.png", "hard.png"} <= set(points)


def test_the_gradient_is_what_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the gradient's sign turned round, the same search finds nothing better than a constant."""
    call = Gradient.__call__

    def turned(self: Gradient, *given: Any) -> tuple[float, np.ndarray]:
        loss, gradient = call(self, *given)
        return loss, -gradient

    monkeypatch.setattr(Gradient, "__call__", turned)
    predictor, _ = trained(SMALL, 1, ready(SMALL, **FEW))
    assert SMALL.examine(SMALL.draws([2], 1)[0], predictor).value < 0.5


def test_without_the_symmetry_tables_are_free() -> None:
    predictor, _ = trained(SMALL, 1, ready(SMALL, **FEW, symmetric=False))
    table = predictor.rule()
    assert (table[opposite(3)] == table).any() and table[0] == 0 and table[-1] == 1


def test_the_draw_seeds_it_and_nothing_is_carried_over() -> None:
    algorithm = ready(SMALL, **{**FEW, "fresh": 1})
    (first, _), (other, _), (again, _) = (trained(SMALL, e, algorithm) for e in (1, 2, 1))
    assert (first.rule() == again.rule()).all() and not (first.rule() == other.rule()).all()


def test_synchronising_is_learned_in_part() -> None:
    task = CaEvolution(goal="synchronise", width=31, held_out=500)
    predictor, _ = trained(task, 1, ready(task, **FEW))
    assert task.examine(task.draws([2], 1)[0], predictor).value > 0.1  # a constant: 0


@pytest.mark.parametrize("entropy", range(4))
def test_life_is_inferred_from_pairs(entropy: int) -> None:
    task = CaEvolution(goal="life", pairs=8, held_out=100)
    draw = task.draws([entropy], 1)[0]
    predictor, events = trained(task, entropy, ready(task))
    shown = np.unique(torus.neighbourhoods(draw.train["before"]))
    assert (predictor.rule()[shown] == draw.key["table"][shown]).all()
    losses = [e.loss for e in events if e.loss is not None]
    assert losses[-1] < 0.1 < losses[0]


def test_what_was_not_shown_is_guessed_by_its_kind() -> None:
    task = CaEvolution(goal="life", pairs=1, width=12, held_out=10)
    table = torus.outer_totalistic(np.arange(9) == 3, np.isin(np.arange(9), (2, 3)))
    before = np.random.default_rng(0).integers(0, 2, (1, 12, 12)).astype(np.uint8)
    training = ready(task).train({"before": before, "after": torus.step(table, before)})
    while True:
        try:
            next(training)
        except StopIteration as end:
            found = end.value.rule()
            break
    shown = np.unique(torus.neighbourhoods(before))
    hidden = np.setdiff1d(np.arange(512), shown)
    assert len(hidden) > 300 and (found == table)[hidden].mean() > 0.95


@pytest.mark.parametrize(
    "fields,words",
    [
        ({"starts": 0}, "algo.starts=0: must be a whole number"),
        ({"fresh": True}, "algo.fresh=True: must be a whole number"),
        ({"batch": 30}, "algo.batch=30: must be a multiple of 4"),
        ({"lr": 0.0}, "algo.lr=0.0: must be above 0"),
        ({"limit": float("nan")}, "algo.limit=nan: must be above 0"),
        ({"noise": 0.6}, "algo.noise=0.6: must be above 0 and at most 0.5"),
        ({"ramp": 1.5}, "algo.ramp=1.5: must be above 0 and at most 1.0"),
        ({"init": float("inf")}, "algo.init=inf: must be finite"),
    ],
)
def test_bad_fields_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        BackpropAutomaton(**fields)


def test_a_training_ring_too_small_is_refused() -> None:
    with pytest.raises(Refused, match=r"algo.ring=6: a cell sees 7"):
        ready(CaEvolution(held_out=100), ring=6)
