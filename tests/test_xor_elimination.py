from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.base import Query, Refused
from algorithms.parity_mask import Parity
from algorithms.xor_elimination import XorElimination, columns_of, errors, lightest, solve
from tasks.base import Draw
from tasks.sparse_parity import SparseParity


def learn(task: SparseParity, draw: Draw, seed: int = 0, **fields: Any) -> tuple[Parity, int]:
    """Trains on one draw; returns the predictor and the number of labels asked for."""
    algorithm = XorElimination(**fields)
    algorithm.prepare(task.spec(seed))
    training = algorithm.train(draw.train)
    asked, answer = 0, None
    while True:
        try:
            event = training.send(answer)
        except StopIteration as end:
            return end.value, asked
        answer = None
        if isinstance(event, Query):
            answer = task.answer(draw, event.x, asked)
            asked += len(event.x)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.data(), st.integers(0, 2**32))
def test_finds_the_secret_of_any_size(n: int, data: st.DataObject, seed: int) -> None:
    task = SparseParity(n=n, k=data.draw(st.integers(1, n)), rows=n + 30, held_out=10)
    draw = task.draws([seed], 1)[0]
    assert learn(task, draw)[0].columns == draw.key["secret"].tolist()


@pytest.mark.parametrize(
    ("fields", "repeats"),
    [
        ({}, 50),
        ({"n": 100, "k": 6}, 10),
        ({"n": 300, "k": 150}, 2),
        ({"known_k": True}, 2),
        ({"noise": 0.1}, 20),
        ({"noise": 0.3}, 5),
        ({"noise": 0.001}, 20),
        ({"noise": 0.1, "k": 10}, 5),
        ({"access": "queries"}, 20),
        ({"access": "queries", "noise": 0.1}, 20),
        ({"access": "queries", "n": 100, "k": 6, "rows": 101}, 5),
    ],
)
def test_solves_every_draw(fields: dict[str, Any], repeats: int) -> None:
    task = SparseParity(**fields)
    for draw in task.draws([11], repeats):
        predictor, asked = learn(task, draw)
        assert predictor.columns == draw.key["secret"].tolist()
        assert task.examine(draw, predictor).value == 1
        assert asked <= (task.rows if "queries" in task.access else 0)


def test_decodes_what_the_light_search_cannot_reach() -> None:
    task = SparseParity(noise=0.1, k=10)
    draw = task.draws([12], 1)[0]
    assert learn(task, draw, masks=0)[0].columns == draw.key["secret"].tolist()
    assert learn(task, draw, masks=0, tries=0)[0].columns == []  # nothing was tried


@pytest.mark.parametrize("check", [1, 24])
def test_asks_for_one_flip_of_each_input_and_the_check(check: int) -> None:
    task = SparseParity(access="queries")
    draw = task.draws([1], 1)[0]
    predictor, asked = learn(task, draw, check=check)
    assert asked == 20 + check
    assert predictor.columns == draw.key["secret"].tolist()


@pytest.mark.parametrize("access", ["samples", "queries"])
@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize("rows", [1, 2, 7, 15, 19, 20, 21, 30])
def test_too_few_rows_are_explained_as_well_as_can_be(rows: int, noise: float, access: str) -> None:
    task = SparseParity(rows=rows, noise=noise, access=access)
    for draw in task.draws([9], 5):
        predictor, asked = learn(task, draw, tries=50)
        assert asked <= (rows if access == "queries" else 0)
        if access == "samples" and not noise:
            assert (predictor.predict(draw.train["x"]) == draw.train["y"]).all()
            if rows >= 15:  # the secret is among the solutions looked at
                assert len(predictor.columns) <= 3


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 14), st.integers(0, 2**32))
def test_solve_against_all_masks(n: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = 1 - 2 * rng.integers(2, size=(m, n), dtype=np.int8)
    y = 1 - 2 * rng.integers(2, size=m)
    columns = columns_of(x, y)
    wrong = [int((Parity(mask).predict(x) != y).sum()) for mask in range(2**n)]
    assert wrong == [errors(columns, mask) for mask in range(2**n)]
    mask, consistent, kernel = solve(x, y)
    assert consistent == (min(wrong) == 0)
    if consistent:
        found = {mask}
        for vector in kernel:
            found |= {other ^ vector for other in found}
        explaining = {mask for mask in range(2**n) if not wrong[mask]}
        assert found == explaining
        assert lightest(mask, kernel).bit_count() == min(map(int.bit_count, explaining))


def test_same_seed_same_answer_and_predictors_are_independent() -> None:
    task = SparseParity(noise=0.35, k=10, rows=60)
    a, b = task.draws([2], 2)
    first, _ = learn(task, a, tries=30)
    before = first.predict(b.key["x"])
    again, _ = learn(task, a, tries=30)
    learn(task, b, tries=30)
    assert first.columns == again.columns
    assert (first.predict(b.key["x"]) == before).all()


def test_predictions_are_fresh_int64_labels() -> None:
    x = SparseParity().draws([1], 1)[0].key["x"]
    kept = x.copy()
    for mask in (0, 1, 0b1011):
        y = Parity(mask).predict(x)
        assert y.dtype == np.int64 and y.shape == (1000,) and set(np.unique(y)) <= {-1, 1}
    assert (x == kept).all()


def test_refusals() -> None:
    for rule in ("sum", "and"):
        with pytest.raises(Refused, match=r"solves task\.rule=parity only.*try algo=backprop"):
            XorElimination().prepare(SparseParity(rule=rule).spec(0))
    with pytest.raises(Refused, match=r"^algo\.tries=-1: must be"):
        XorElimination(tries=-1)
