from typing import Any

import numpy as np
import pytest

from algorithms.backprop_mlp import BackpropMLP, Network, backward, forward, loss, with_bias
from algorithms.base import Progress, Query, Refused
from tasks.base import Draw
from tasks.sparse_parity import SparseParity

RELU: dict[str, Any] = {
    "activation": "relu",
    "optimizer": "sgd",
    "hidden": 64,
    "lr": 0.8,
    "momentum": 0.5,
    "batch": 96,
    "weight_decay": 0.01,
    "init_out": 2.0,
    "validation": 0.2,
    "stop": 0.02,
    "epochs": 100,
}


def learn(
    task: SparseParity, draw: Draw, seed: int = 0, **fields: Any
) -> tuple[Network, list[Progress], int]:
    """Trains on one draw; returns the predictor, the progress seen and the labels asked for."""
    algorithm = BackpropMLP(**fields)
    algorithm.prepare(task.spec(seed))
    training = algorithm.train(draw.train)
    seen: list[Progress] = []
    asked, answer = 0, None
    while True:
        try:
            event = training.send(answer)
        except StopIteration as end:
            return end.value, seen, asked
        answer = None
        if isinstance(event, Query):
            answer = task.answer(draw, event.x, asked)
            asked += len(event.x)
        else:
            seen.append(event)


@pytest.mark.parametrize("cube", [True, False])
@pytest.mark.parametrize("outputs", [1, 4])
def test_gradients_are_finite_differences(cube: bool, outputs: int) -> None:
    rng = np.random.default_rng(0)
    x, sign = rng.standard_normal((7, 5)), rng.choice([-1.0, 1.0], (7, outputs))
    weights = rng.standard_normal(5 * 6 + 6 * outputs)
    W, V = weights[:30].reshape(5, 6), weights[30:].reshape(6, outputs)
    gradient = np.empty_like(weights)
    backward(x, sign, W, V, gradient[:30].reshape(5, 6), gradient[30:].reshape(6, outputs), cube)
    step = 1e-6
    for i in range(len(weights)):
        around = []
        for move in (step, -2 * step):
            weights[i] += move
            around.append(loss(forward(x, W, V, cube)[0], sign))
        weights[i] += step
        difference = (around[0] - around[1]) / (2 * step)
        assert gradient[i] == pytest.approx(difference, rel=1e-4, abs=1e-6)
    assert np.abs(gradient).max() > 0.1


def test_solves_the_standard_with_its_defaults() -> None:
    task = SparseParity()
    scores = []
    for seed, draw in enumerate(task.draws([21], 20)):
        network, seen, _ = learn(task, draw, seed)
        scores.append(task.examine(draw, network).value)
        assert [event.step for event in seen] == list(range(1, len(seen) + 1))
    assert np.mean(scores) >= 0.99 and min(scores) >= 0.97  # 1 draw in 750 ends below 0.99


@pytest.mark.parametrize(
    ("fields", "algo"),
    [
        ({}, RELU),
        ({"k": 4}, RELU),
        ({"rule": "and"}, RELU),
        ({"rule": "sum"}, {}),
        ({"noise": 0.05, "rows": 2000}, RELU | {"epochs": 20}),
        ({"access": "queries"}, {}),
        ({"n": 40, "rows": 3000}, {}),
    ],
)
def test_solves_other_questions(fields: dict[str, Any], algo: dict[str, Any]) -> None:
    task = SparseParity(**fields)
    for seed, draw in enumerate(task.draws([22], 2)):
        network, _, asked = learn(task, draw, seed, **algo)
        assert task.examine(draw, network).value >= 0.98
        assert asked == (1000 if task.access == "queries" else 0)


def test_cube_does_not_learn_four_bits() -> None:
    task = SparseParity(k=4)
    draw = task.draws([23], 1)[0]
    network, seen, _ = learn(task, draw, epochs=20)
    assert abs(task.examine(draw, network).value - 0.5) < 0.1
    assert len(seen) == 20


@pytest.mark.parametrize("rows", [1, 2, 3, 9, 11])
@pytest.mark.parametrize("rule", ["parity", "sum", "and"])
def test_a_few_rows_do_not_crash(rows: int, rule: str) -> None:
    task = SparseParity(rows=rows, rule=rule)
    for draw in task.draws([24], 3):
        network, _, _ = learn(task, draw, epochs=5)
        assert np.isin(network.predict(draw.key["x"]), draw.train["y"]).all()


def test_diverging_gives_finite_weights() -> None:
    task = SparseParity()
    draw = task.draws([25], 1)[0]
    network, seen, _ = learn(task, draw, **RELU | {"activation": "cube", "lr": 50.0})
    assert np.isfinite(network.W).all() and np.isfinite(network.V).all()
    assert len(seen) < 5


def test_seed_decides_and_predictors_are_independent() -> None:
    task = SparseParity()
    a, b = task.draws([26], 2)
    first, _, _ = learn(task, a, seed=1, epochs=2)
    kept = first.W.copy()
    again, _, _ = learn(task, a, seed=1, epochs=2)
    other, _, _ = learn(task, a, seed=2, epochs=2)
    algorithm = BackpropMLP(epochs=2)
    algorithm.prepare(task.spec(1))
    for draw in (a, b):  # one instance, several draws, as the worker does it
        for _ in algorithm.train(draw.train):
            pass
    assert (kept == first.W).all() and (kept == again.W).all() and (kept != other.W).any()
    assert with_bias(a.key["x"]).shape == (1000, 21)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden": 0}, r"^algo\.hidden=0: must be a whole number of at least 1"),
        ({"batch": 1.5}, r"^algo\.batch=1\.5: "),
        ({"epochs": 0}, r"^algo\.epochs=0: "),
        ({"lr": 0}, r"^algo\.lr=0: must be above 0"),
        ({"init": float("inf")}, r"^algo\.init=inf: "),
        ({"momentum": 1}, r"^algo\.momentum=1: must be at least 0 and below 1"),
        ({"weight_decay": -0.1}, r"^algo\.weight_decay=-0\.1: "),
        ({"validation": float("nan")}, r"^algo\.validation=nan: "),
        ({"activation": "tanh"}, r"^algo\.activation=tanh: unknown; known are cube, relu"),
        ({"optimizer": "lion"}, r"^algo\.optimizer=lion: unknown; known are adam, sgd"),
    ],
)
def test_refusals(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message):
        BackpropMLP(**fields)
