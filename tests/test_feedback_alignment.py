import math
from typing import Any

import numpy as np
import pytest

from algorithms.base import Query, Refused
from algorithms.feedback_alignment import FEEDBACKS, FeedbackAlignment, Net
from algorithms.feedback_alignment_rows import FeedbackAlignmentRows, Rows
from algorithms.window import surprise
from tasks.sequence import FLOOR, SequenceSpec
from tasks.sparse_parity import SparseParity
from tests.opponents import ODD, answers, as_text, nats, segments, train, words

SMALL: dict[str, Any] = {"hidden": 48, "context": 5, "batch": 64, "steps": 150}


def net(feedback: str, sizes: list[int]) -> Net:
    """In double precision, with an output layer that is not zero."""
    rng = np.random.default_rng(4)
    found = Net(rng, sizes, feedback, 0.5, 0)
    for name in ("W", "b", "back"):
        setattr(found, name, [array.astype(float) for array in getattr(found, name)])
    found.W[-1] += rng.standard_normal(found.W[-1].shape)
    return found


def example() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.standard_normal((9, 4)), rng.integers(0, 3, 9)


@pytest.mark.parametrize("hidden", [[6], [6, 5, 7]])
def test_the_ablation_is_the_numerical_gradient(hidden: list[int]) -> None:
    found, (x, came) = net("gradient", [4, *hidden, 3]), example()
    arrays = [array for pair in zip(found.W, found.b, strict=True) for array in pair]
    for array, update in zip(arrays, found.updates(x, came)[1], strict=True):
        for at in np.ndindex(array.shape):
            kept, around = array[at], []
            for moved in (kept + 1e-6, kept - 1e-6):
                array[at] = moved
                around.append(surprise(found.logits(x), came)[0])
            array[at] = kept
            assert update[at] == pytest.approx((around[0] - around[1]) / 2e-6, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("hidden", [[6], [6, 5]])
def test_random_feedback_by_the_true_transposes_is_the_gradient(hidden: list[int]) -> None:
    random, gradient = (net(kind, [4, *hidden, 3]) for kind in ("random", "gradient"))
    apart = [random.updates(*example())[1], gradient.updates(*example())[1]]
    assert np.abs(apart[0][0] - apart[1][0]).max() > 0.01
    np.testing.assert_array_equal(apart[0][-2], apart[1][-2])  # the output's needs no feedback
    random.back = [W.T for W in random.W[1:]]
    for one, other in zip(random.updates(*example())[1], apart[1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_direct_feedback_skips_the_layers_between() -> None:
    """What the first layer learns does not depend on the weights above, but by the error."""
    found, (x, came) = net("direct", [4, 6, 5, 3]), example()
    h = found.forward(x)[1]
    error = surprise(found.logits(x), came)[1]
    assert [matrix.shape for matrix in found.back] == [(3, 6), (3, 5)]
    expected = x.T @ ((error @ found.back[0]) * (h > 0))
    np.testing.assert_allclose(found.updates(x, came)[1][0], expected)


def net_of(predictor: Any) -> Net:
    return predictor.logits.__self__


@pytest.mark.parametrize("feedback", FEEDBACKS)
def test_feedback_never_changes(feedback: str) -> None:
    algorithm = FeedbackAlignment(**SMALL | {"feedback": feedback, "layers": 2})
    text = as_text(words(5000))
    algorithm.prepare(SequenceSpec(len(text), 64, 4, 0))
    training = algorithm.train({"text": text})
    found = net_of(next(training).predictor)
    before = [[array.copy() for array in arrays] for arrays in (found.back, found.W)]
    for _ in training:
        pass
    for one, other in zip(before[0], found.back, strict=True):
        np.testing.assert_array_equal(one, other)
    assert all((one != other).any() for one, other in zip(before[1], found.W, strict=True))


def test_what_comes_forward_turns_towards_what_goes_back() -> None:
    """Alignment (Lillicrap et al. 2016, figure 2): the angle falls below a right one."""
    found = net_of(train(FeedbackAlignment(**SMALL | {"steps": 400}), words(10_000)))
    forward, back = found.W[1].T.ravel(), found.back[0].ravel()
    cosine = forward @ back / np.linalg.norm(forward) / np.linalg.norm(back)
    assert cosine > 0.3


@pytest.mark.parametrize("feedback", FEEDBACKS)
@pytest.mark.parametrize("layers", [1, 2])
def test_learns_more_than_frequencies(feedback: str, layers: int) -> None:
    text = words(20_000)
    counts = np.bincount(as_text(text), minlength=256)
    share = counts[counts > 0] / counts.sum()
    fields = {"steps": 600, "feedback": feedback, "layers": layers}
    predictor = train(FeedbackAlignment(**SMALL | fields), text)
    assert nats(predictor, segments(8)) < 0.75 * -(share * np.log(share)).sum()


def test_one_hidden_layer_knows_no_difference_between_random_and_direct() -> None:
    found = [
        answers(train(FeedbackAlignment(**SMALL | {"feedback": kind}), words(3000)), segments(2))
        for kind in FEEDBACKS
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 0.01


def test_asking_on_the_way_changes_nothing_and_seed_decides() -> None:
    text, found = as_text(words(5000)), []
    for seed, ask in ((0, False), (0, True), (1, False)):
        algorithm = FeedbackAlignment(**SMALL)
        algorithm.prepare(SequenceSpec(len(text), 64, 4, seed))
        for seen in algorithm.train({"text": text}):
            if ask:
                answers(seen.predictor, segments(2))
        found.append(answers(seen.predictor, segments(3)))
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 0.01


@pytest.mark.parametrize("name", ODD)
def test_odd_texts(name: str) -> None:
    predictor = train(FeedbackAlignment(**SMALL | {"steps": 60, "layers": 2}), ODD[name])
    lanes = np.random.default_rng(0).integers(0, 256, (3, 20)).astype(np.uint8)
    found = answers(predictor, lanes)
    lacks = np.setdiff1d(np.arange(256), as_text(ODD[name]))
    np.testing.assert_allclose(found[:, :, lacks], np.log(FLOOR), rtol=1e-6)
    np.testing.assert_allclose(found, answers(predictor, lanes))  # reset forgets
    np.testing.assert_allclose(found[:, 1:2], answers(predictor, lanes[1:2]), atol=1e-4)


def sit(task: SparseParity, **fields: Any) -> float:
    """Accuracy on one draw."""
    algorithm, draw = FeedbackAlignmentRows(**fields), task.draws([31], 1)[0]
    algorithm.prepare(task.spec(0))
    training, answer = algorithm.train(draw.train), None
    while True:
        try:
            event = training.send(answer)
        except StopIteration as end:
            assert isinstance(end.value, Rows)
            return task.examine(draw, end.value).value
        answer = task.answer(draw, event.x, 0) if isinstance(event, Query) else None


@pytest.mark.parametrize(
    "fields", [{"k": 1}, {"k": 1, "access": "queries"}, {"rule": "and", "k": 2}], ids=str
)
def test_rows(fields: dict[str, Any]) -> None:
    assert sit(SparseParity(**fields), steps=300) > 0.95


def test_solves_the_standard_with_its_defaults() -> None:
    assert sit(SparseParity()) > 0.98


def test_few_rows_and_one_class() -> None:
    for rows in (1, 2, 3):
        assert math.isfinite(sit(SparseParity(rows=rows), steps=20))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"feedback": "none"},
            r"^algo\.feedback=none: unknown; known are random, direct, gradient",
        ),
        ({"context": 0}, r"^algo\.context=0: must be a whole number from 1 to 64"),
        ({"layers": 0}, r"^algo\.layers=0: "),
        ({"hidden": 1.5}, r"^algo\.hidden=1\.5: must be a whole number"),
        ({"fade": 2}, r"^algo\.fade=2: must be a number from 0\.01 to 1"),
        ({"lr": float("nan")}, r"^algo\.lr=nan: "),
        ({"lr_deep": -1}, r"^algo\.lr_deep=-1: "),
        ({"steps": 0}, r"^algo\.steps=0: "),
        ({"epochs": 0}, r"^algo\.epochs=0: "),
    ],
)
def test_refusals(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message):
        FeedbackAlignment(**fields)


def test_other_refusals() -> None:
    with pytest.raises(Refused, match="learns bytes"):
        FeedbackAlignment().prepare(SequenceSpec(1000, 64, 4, 0, vocab=50_257))
    with pytest.raises(Refused, match="empty"):
        train(FeedbackAlignment(**SMALL), b"")
    with pytest.raises(Refused, match="unknown"):
        FeedbackAlignmentRows(feedback="none")
