"""The opponents that hypercell is shown beside find what they are there to find."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from algorithms.base import Algorithm, Progress, Refused
from tasks.base import Draw
from tasks.sparse_parity import SparseParity
from tests.benchmarks.parity_opponents import BACKPROP, SGD, Exhaustive, SgdC, opponent


def learn(algorithm: Algorithm, task: SparseParity, draw: Draw) -> tuple[Any, list[Progress]]:
    """Trains on one draw; returns the predictor and the progress seen."""
    algorithm.prepare(task.spec(3))
    training = algorithm.train(draw.train)
    seen = []
    while True:
        try:
            seen.append(next(training))
        except StopIteration as end:
            return end.value, seen


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 20, 64, 65])
@pytest.mark.parametrize("rows", [90, 1000])
def test_exhaustive_search_finds_masks_of_any_weight(n: int, rows: int) -> None:
    for k in {1, 2, 3, 4, min(n, 9)} - set(range(n + 1, 5)):
        if n > 20 and k > 4:
            continue
        task = SparseParity(n=n, k=k, rows=rows, held_out=10)
        for draw in task.draws([41], 3):
            assert learn(Exhaustive(), task, draw)[0].columns == draw.key["secret"].tolist()


@pytest.mark.parametrize(
    ("n", "k", "noise"), [(20, 3, 0.1), (20, 6, 0.1), (50, 4, 0.1), (9, 2, 0.3)]
)
def test_exhaustive_search_finds_them_under_noise(n: int, k: int, noise: float) -> None:
    task = SparseParity(n=n, k=k, noise=noise)
    for draw in task.draws([42], 10):
        assert learn(Exhaustive(), task, draw)[0].columns == draw.key["secret"].tolist()


def test_exhaustive_search_gives_up_and_can_be_paused() -> None:
    task = SparseParity(n=30, k=5)
    draw = task.draws([43], 1)[0]
    predictor, seen = learn(Exhaustive(slice=1000), task, draw)
    assert predictor.columns == draw.key["secret"].tolist()
    assert [event.step for event in seen] == [1 + 30 + 435, 4526, 31931]  # weights 2, 3 and 4
    predictor, _ = learn(Exhaustive(masks=31_931), task, draw)
    assert predictor.columns != draw.key["secret"].tolist()
    with pytest.raises(Refused, match="parity only"):
        Exhaustive().prepare(SparseParity(rule="and").spec(0))


def test_exhaustive_search_starts_afresh_with_every_draw() -> None:
    task = SparseParity(n=12, k=3)
    algorithm = Exhaustive()
    algorithm.prepare(task.spec(0))
    for draw in task.draws([44], 5):
        with pytest.raises(StopIteration) as end:
            next(algorithm.train(draw.train))
        assert end.value.value.columns == draw.key["secret"].tolist()


@pytest.mark.parametrize("activation", ["relu", "cube"])
def test_sgd_learns(activation: str) -> None:
    task = SparseParity(n=12, k=2)
    for draw in task.draws([45], 3):
        settings = {"lr": 0.02, "batch": 8} if activation == "cube" else {}
        network, seen = learn(SgdC(activation=activation, **settings), task, draw)
        assert task.examine(draw, network).value >= 0.99
        assert len(seen) < 100
        again, _ = learn(SgdC(activation=activation, **settings), task, draw)
        assert (again.W == network.W).all() and again.W is not network.W


@pytest.mark.parametrize("activation", ["relu", "cube"])
def test_a_step_of_sgd_goes_down_the_gradient(activation: str) -> None:
    """Every row is within the hinge's margin at first, so one batch has a gradient in closed form."""
    task = SparseParity(n=9, k=2, rows=27)  # two rows held back, and one batch of 25
    draw = task.draws([46], 1)[0]
    x, y = np.c_[draw.train["x"], np.ones(27)][2:], draw.train["y"][2:]
    fields: dict[str, Any] = {"activation": activation, "hidden": 20, "validation": 0.1}
    algorithm = SgdC(**fields, lr=0.5, weight_decay=0.2, epochs=1, batch=25, init_out=0.01)
    algorithm.prepare(task.spec(3))
    algorithm._begin(draw.train["x"], draw.train["y"])
    W, V = algorithm.weights[:-1].astype(float), algorithm.weights[-1].astype(float)
    algorithm.library.epoch(algorithm.at, 2)
    z = x @ W
    h, slope = (z**3, 3 * z**2) if activation == "cube" else (np.maximum(z, 0), z > 0)
    assert (y * (h @ V) < 1).all()
    V_after = V * 0.9 + 0.5 * y @ h / 25
    W_after = W * 0.9 + 0.5 * x.T @ (y[:, None] * slope * V) / 25
    np.testing.assert_allclose(
        algorithm.weights, np.vstack([W_after, V_after]), rtol=2e-4, atol=1e-6
    )
    assert (algorithm.weights[:, 20:] == 0).all()


def test_there_are_settings_for_every_task() -> None:
    tasks = [
        (n, k, noise)
        for n, k in ((20, 3), (50, 3), (50, 5), (64, 5), (100, 6))
        for noise in (0.0, 0.1)
    ]
    assert list(BACKPROP) == tasks and list(SGD) == tasks
    for name in ("exhaustive", "sgd_c", "sgd_c_recipe", "backprop", "xor_elimination"):
        for n, k, noise in tasks:
            opponent(name, n, k, noise)
