import dataclasses
import hashlib
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.empty import Empty
from tasks.base import PredictionError, TaskError
from tasks.classification import Classification
from tasks.sequence import SequenceSpec, check_log_probabilities
from tasks.sparse_parity import SparseParity


def direct(rule: str, bits: list[int]) -> int:
    if rule == "parity":
        return prod(bits)
    return sum(bits) if rule == "sum" else (1 if all(b == 1 for b in bits) else -1)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["parity", "sum", "and"]),
    st.integers(1, 40),
    st.data(),
    st.lists(st.integers(0, 2**70), max_size=4),
)
def test_labels_are_the_rule_of_the_secret_bits(
    rule: str, n: int, data: st.DataObject, entropy: list[int]
) -> None:
    k = data.draw(st.integers(1, n))
    task = SparseParity(rule=rule, n=n, k=k, rows=30, held_out=20, bar=None)
    draw = task.draws(entropy, 1)[0]
    secret = draw.key["secret"].tolist()
    assert len(set(secret)) == k and min(secret) >= 0 and max(secret) < n
    for x, y in ((draw.train["x"], draw.train["y"]), (draw.key["x"], draw.key["y"])):
        assert x.dtype == np.int8 and y.dtype == np.int64 and set(np.unique(x)) <= {-1, 1}
        assert y.tolist() == [direct(rule, [int(row[i]) for i in secret]) for row in x]
    assert set(draw.train) == {"x", "y"}
    assert draw.train["x"].shape == (30, n) and draw.key["x"].shape == (20, n)


def test_draws_depend_on_entropy_and_index_alone() -> None:
    task = SparseParity()
    draws = task.draws([5, 6], 40)
    again = SparseParity().draws((5, 6), 3)
    for a, b in zip(draws, again, strict=False):
        assert all((a.train[n] == b.train[n]).all() for n in a.train)
        assert all((a.key[n] == b.key[n]).all() for n in a.key)
    others = draws + task.draws([5, 7], 40)
    assert len({d.train["x"].tobytes() for d in others}) == 80
    assert len({d.key["x"].tobytes() for d in others}) == 80
    assert len({d.key["secret"].tobytes() for d in others}) > 60  # of 1,140


def test_golden_draw() -> None:
    draw = SparseParity(noise=0.1).draws([2024, 7], 2)[1]
    parts = (draw.train["x"], draw.train["y"], draw.key["x"], draw.key["y"])
    digest = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
    assert (draw.key["secret"].tolist(), digest[:16]) == ([8, 14, 15], "4fea80d6e4e2b216")


def test_inputs_and_secrets_are_uniform() -> None:
    draws = SparseParity().draws([1], 1000)
    mean = np.mean([d.train["x"].mean(axis=0) for d in draws[:100]], axis=0)
    assert np.abs(mean).max() < 5 / np.sqrt(100 * 1000)
    counts = np.bincount(np.concatenate([d.key["secret"] for d in draws]), minlength=20)
    assert np.abs(counts - 150).max() < 5 * np.sqrt(150 * 0.85)


@pytest.mark.parametrize("rule", ["parity", "sum", "and"])
@pytest.mark.parametrize("access", ["samples", "queries"])
def test_noise_has_its_rate_and_stays_in_range(rule: str, access: str) -> None:
    clean = SparseParity(rule=rule, rows=20_000, access=access)
    noisy = SparseParity(rule=rule, rows=20_000, access=access, noise=0.2)
    a, b = clean.draws([3], 1)[0], noisy.draws([3], 1)[0]
    assert (a.key["y"] == b.key["y"]).all()  # held-out labels are clean
    if access == "queries":
        x = np.repeat(a.key["x"], 20, axis=0)
        before, after = clean.answer(a, x, 0), noisy.answer(b, x, 0)
    else:
        assert (a.train["x"] == b.train["x"]).all()
        before, after = a.train["y"], b.train["y"]
    wrong = before != after
    assert wrong.mean() == pytest.approx(0.2, abs=5 * np.sqrt(0.16 / 20_000))
    assert set(np.unique(after)) == set(np.unique(before))
    if rule == "sum":  # each other value as often as the next
        counts = [np.mean(after[wrong & (before == 1)] == v) for v in (-3, -1, 3)]
        assert counts == pytest.approx([1 / 3] * 3, abs=0.05)


def test_queries_are_answered_within_the_budget_whatever_the_batches() -> None:
    task = SparseParity(access="queries", rows=50, noise=0.3)
    draw = task.draws([8], 1)[0]
    assert draw.train["x"].shape == (0, 20) and draw.train["y"].shape == (0,)
    x = draw.key["x"][:50]
    at_once = task.answer(draw, x, 0)
    assert at_once.tolist() == [int(task.answer(draw, x[i : i + 1], i)[0]) for i in range(50)]
    assert (at_once != draw.key["y"][:50]).any()
    with pytest.raises(PredictionError, match=r"51 labels asked for; .* task\.rows=50"):
        task.answer(draw, x[:1], 50)
    with pytest.raises(PredictionError, match=r"shape \[1, 19\]"):
        task.answer(draw, x[:1, :19], 0)
    with pytest.raises(PredictionError, match=r"-1 and \+1"):
        task.answer(draw, np.zeros((1, 20), np.int8), 0)
    with pytest.raises(PredictionError, match=r"-1 and \+1"):
        task.answer(draw, np.full((1, 20), np.nan), 0)
    with pytest.raises(TaskError, match=r"task\.access=samples"):
        SparseParity().answer(draw, x, 0)


@pytest.mark.parametrize(
    ("fields", "chance"),
    [
        ({"rule": "parity", "k": 5}, 0.5),
        ({"rule": "and", "k": 3}, 7 / 8),
        ({"rule": "and", "k": 1}, 1 / 2),
        ({"rule": "sum", "k": 3}, 3 / 8),
        ({"rule": "sum", "k": 4}, 6 / 16),
    ],
)
def test_chance_is_what_the_best_constant_answer_gets(
    fields: dict[str, Any], chance: float
) -> None:
    task = SparseParity(**fields, held_out=20_000)
    draws = task.draws([4], 1)
    target = task.target(draws)
    y = draws[0].key["y"]
    assert target.chance == chance
    assert np.unique(y, return_counts=True)[1].max() / len(y) == pytest.approx(chance, abs=0.02)
    assert (target.value, target.direction, target.margin, target.perfect) == (0.99, "max", 0.01, 1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"k": 30}, r"^task\.k=30: cannot exceed task\.n=20$"),
        ({"rows": 0}, r"^task\.rows=0: must be a whole number of at least 1"),
        ({"n": 0}, r"^task\.n=0: "),
        ({"k": 0}, r"^task\.k=0: "),
        ({"held_out": -1}, r"^task\.held_out=-1: "),
        ({"n": "many"}, r"^task\.n='many': must be a whole number"),
        ({"n": True}, r"^task\.n=True: must be a whole number"),
        ({"noise": 0.5}, r"^task\.noise=0\.5: must be at least 0 and below 0\.5"),
        ({"noise": -0.1}, r"^task\.noise=-0\.1: "),
        ({"noise": float("nan")}, r"^task\.noise=nan: "),
        ({"noise": "some"}, r"^task\.noise=some: "),
        ({"noise": None}, r"^task\.noise=None: "),
        ({"margin": -1}, r"^task\.margin=-1: "),
        ({"bar": 1.1}, r"^task\.bar=1\.1: must be above 0 and at most 1"),
        (
            {"rule": "party"},
            r"^task\.rule=party: did you mean parity\? known are parity, sum, and$",
        ),
        ({"rule": 3}, r"^task\.rule=3: known are"),
        ({"access": "querys"}, r"^task\.access=querys: did you mean queries\? known are"),
        ({"n": 10**6}, r"^task\.n=1000000: .* draw takes 1907 MiB, more than 256 MiB"),
        ({"rule": "and", "k": 7}, r"^task\.bar=0\.99: a constant answer already reaches 0\.9922"),
    ],
)
def test_what_cannot_be_set_is_refused_in_one_line(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message) as caught:
        SparseParity(**fields)
    assert "\n" not in str(caught.value)


def test_spec_variant_and_access() -> None:
    task = SparseParity()
    assert task.spec(5) == Classification(
        n=20, rows=1000, access="samples", budget=0, rule="parity", k=None, seed=5
    )
    assert (task.variant, task.access) == ("parity n=20 k=3 rows=1000", "samples")
    task = SparseParity(access="queries", rows=64, noise=0.1, known_k=True, held_out=500)
    assert task.variant == "parity n=20 k=3 budget=64 noise=0.1 held_out=500"
    assert task.access == "queries+known_k"
    spec = task.spec(0)
    assert (spec.rows, spec.budget, spec.access, spec.k) == (0, 64, "queries", 3)
    assert dataclasses.replace(task, n=25).access == "queries+known_k"


def test_a_window_of_the_largest_draws_stays_small() -> None:
    assert SparseParity().max_repeats() == 4096
    assert SparseParity(rows=5_000_000).max_repeats() == 1
    assert 1 < SparseParity(n=200, rows=10_000).max_repeats() < 200


def test_examine_scores_accuracy() -> None:
    task = SparseParity()
    draw = task.draws([1], 1)[0]

    class Oracle:
        def predict(self, x: np.ndarray) -> np.ndarray:
            return x[:, draw.key["secret"]].prod(axis=1)

    assert task.examine(draw, Oracle()).value == 1
    assert task.examine(draw, Oracle()).predictions == 1000


def finish(training: Any) -> Any:
    with pytest.raises(StopIteration) as end:
        next(training)
    return end.value.value


def test_empty_answers_both_families() -> None:
    task, empty = SparseParity(), Empty()
    draw = task.draws([1], 1)[0]
    empty.prepare(task.spec(0))
    score = task.examine(draw, finish(empty.train(draw.train)))
    assert score.value == np.mean(draw.key["y"] == 1)
    empty.prepare(SequenceSpec(train_bytes=0, segment=16, lanes=4, seed=0))
    uniform = finish(empty.train({}))
    for lanes in (4, 2):
        uniform.reset(lanes)
        for _ in range(2):
            logp = check_log_probabilities(uniform.predict(), lanes)
            assert np.allclose(logp, -np.log(256))
            uniform.observe(np.zeros(lanes, np.uint8))
