from typing import Any

import numpy as np
import pytest

from algorithms.base import Refused
from algorithms.forward_forward import ForwardForward, Layer
from algorithms.window import Lanes, Window, surprise
from tasks.sequence import FLOOR, SequenceSpec
from tests.opponents import ODD, answers, as_text, nats, segments, train, words

SMALL: dict[str, Any] = {"hidden": 48, "context": 5, "batch": 64, "steps": 150}
TEXT = as_text(words(5000))


def layer(inputs: int, symbols: int, **fields: Any) -> Layer:
    own = ForwardForward(**SMALL | {"init": 0.5, "heat": 10.0} | fields)
    return Layer(np.random.default_rng(3), inputs, symbols, own)


def arrays(found: Layer) -> list[np.ndarray]:
    return [array.copy() for array in found.learned]


def layers_of(predictor: Lanes) -> list[Layer]:
    """The layers that a predictor's logits are made of."""
    cells = dict(
        zip(predictor.logits.__code__.co_freevars, predictor.logits.__closure__ or (), strict=True)
    )
    return cells["layers"].cell_contents


def trained(layers: int, meddle: bool = False, ask: bool = False, **fields: Any) -> Any:
    """A predictor; to meddle is to overwrite the second layer at every Progress."""
    algorithm = ForwardForward(**SMALL | {"layers": layers} | fields)
    algorithm.prepare(SequenceSpec(len(TEXT), 64, 4, 0))
    training = algorithm.train({"text": TEXT})
    while True:
        try:
            seen = next(training)
        except StopIteration as end:
            return end.value
        if meddle:
            second = layers_of(seen.predictor)[1]
            for array in second.learned:
                array[:] = np.random.default_rng(5).random(array.shape)
        if ask:
            answers(seen.predictor, segments(2))


def test_the_first_layer_learns_the_same_whatever_the_second_is() -> None:
    alone, over, meddled = (arrays(layers_of(trained(*how))[0]) for how in ((1,), (3,), (2, True)))
    for one, two, three in zip(alone, over, meddled, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)


def test_a_layer_changes_nothing_of_what_it_is_shown() -> None:
    """No gradient leaves it: neither the activity below nor the goodness below is touched."""
    rng = np.random.default_rng(0)
    x, below = rng.random((9, 6)).astype(np.float32), rng.random((9, 4)).astype(np.float32)
    came = rng.integers(0, 4, 9)
    kept = x.copy(), below.copy(), came.copy()
    found = layer(6, 4)
    up, total, _ = found.learn(x, below, came, 0.01)
    for before, after in zip(kept, (x, below, came), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_allclose(np.linalg.norm(up, axis=1), 1, atol=1e-3)  # length tells nothing
    assert up.shape == (9, found.W.shape[1]) and total.shape == (9, 4)


def test_a_step_is_along_the_gradient_of_its_own_loss() -> None:
    rng = np.random.default_rng(1)
    x, below, came = rng.standard_normal((7, 6)), rng.random((7, 4)), rng.integers(0, 4, 7)

    def loss(found: Layer) -> float:
        total = below + found.goodness(found.activity(x))
        return float(np.mean(np.log(np.exp(total).sum(1)) - total[np.arange(7), came]))

    found = layer(6, 4, hidden=5)
    taken: list[np.ndarray] = []
    for name in ("t", "b", "W", "gates"):
        setattr(found, name, getattr(found, name).astype(float))
    found.adams = [Recorder(taken) for _ in range(4)]  # type: ignore[misc]
    found.learn(x, below, came, 0.01)
    for array, gradient in zip((found.t, found.b, found.W, found.gates), taken, strict=True):
        for at in np.ndindex(array.shape):
            kept, around = array[at], []
            for moved in (kept + 1e-6, kept - 1e-6):
                array[at] = moved
                around.append(loss(found))
            array[at] = kept
            assert gradient[at] == pytest.approx((around[0] - around[1]) / 2e-6, rel=1e-4, abs=1e-7)
    assert all(np.abs(gradient).max() > 1e-3 for gradient in taken)


class Recorder:
    """Stands where Adam is, and takes no step."""

    def __init__(self, taken: list[np.ndarray]) -> None:
        self.taken = taken

    def step(self, gradient: np.ndarray, lr: float) -> None:
        self.taken.append(gradient.copy())


def test_gates_are_never_negative_and_stay_where_they_are_fixed() -> None:
    learned, fixed = (layers_of(trained(1, learn_gates=on))[0] for on in (True, False))
    assert learned.gates.min() >= 0 and len(np.unique(learned.gates)) > 2
    assert set(np.unique(fixed.gates)) == {0.0, 1.0}


@pytest.mark.parametrize("fields", [{}, {"layers": 2}, {"learn_gates": False}], ids=str)
def test_learns_more_than_frequencies(fields: dict[str, Any]) -> None:
    text = words(20_000)
    counts = np.bincount(as_text(text), minlength=256)
    share = counts[counts > 0] / counts.sum()
    predictor = train(ForwardForward(**SMALL | {"steps": 600} | fields), text)
    assert nats(predictor, segments(8)) < 0.7 * -(share * np.log(share)).sum()


def test_asking_on_the_way_changes_nothing_and_seed_decides() -> None:
    lanes = segments(3)
    found = answers(trained(2), lanes)
    np.testing.assert_array_equal(found, answers(trained(2, ask=True), lanes))
    other = ForwardForward(**SMALL)
    other.prepare(SequenceSpec(len(TEXT), 64, 4, 1))
    *_, last = other.train({"text": TEXT})
    assert np.abs(answers(last.predictor, lanes) - found).max() > 0.01


@pytest.mark.parametrize("name", ODD)
def test_odd_texts(name: str) -> None:
    predictor = train(ForwardForward(**SMALL | {"steps": 60, "layers": 2}), ODD[name])
    lanes = np.random.default_rng(0).integers(0, 256, (3, 20)).astype(np.uint8)
    found = answers(predictor, lanes)
    lacks = np.setdiff1d(np.arange(256), as_text(ODD[name]))
    np.testing.assert_allclose(found[:, :, lacks], np.log(FLOOR), rtol=1e-6)
    np.testing.assert_allclose(found, answers(predictor, lanes))  # reset forgets
    np.testing.assert_allclose(found[:, 1:2], answers(predictor, lanes[1:2]), atol=1e-4)


def test_a_window_shows_the_last_bytes_and_fades() -> None:
    window = Window(as_text(b"abcab"), 3, 0.5)
    vectors = window.encode(window.at[[0, 4]][:, :-1])
    assert not vectors[0].any()  # nothing before the first
    expected = np.array([[0, 0.25, 0], [0, 0, 0.5], [1, 0, 0]])  # b, c, a
    np.testing.assert_array_equal(vectors[1].reshape(3, 3), expected)
    assert window.at[:, -1].tolist() == [0, 1, 2, 0, 1]
    assert window.length == pytest.approx(np.linalg.norm(vectors[1]))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"context": 0}, r"^algo\.context=0: must be a whole number from 1 to 64"),
        ({"layers": 1.5}, r"^algo\.layers=1\.5: must be a whole number"),
        ({"hidden": True}, r"^algo\.hidden=True: "),
        ({"fade": 0}, r"^algo\.fade=0: must be a number from 0\.01 to 1"),
        ({"lr": float("nan")}, r"^algo\.lr=nan: "),
        ({"heat": 0}, r"^algo\.heat=0: "),
        ({"density": 2}, r"^algo\.density=2: "),
        ({"steps": 0}, r"^algo\.steps=0: "),
        ({"epochs": "all"}, r"^algo\.epochs=all: "),
        ({"learn_gates": 1}, r"^algo\.learn_gates=1: must be true or false"),
    ],
)
def test_refusals(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message):
        ForwardForward(**fields)


def test_other_refusals() -> None:
    with pytest.raises(Refused, match="learns bytes"):
        ForwardForward().prepare(SequenceSpec(1000, 64, 4, 0, vocab=50_257))
    with pytest.raises(Refused, match="empty"):
        train(ForwardForward(**SMALL), b"")
    with pytest.raises(Refused, match=r"use a lower algo\.lr"):
        surprise(np.full((2, 3), np.nan), np.zeros(2, int))
