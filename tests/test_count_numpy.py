"""Counts of numpy: functions by hand, the MLP by a closed form, equal results and counts, notes."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.backprop_mlp import BackpropMLP, backward
from algorithms.base import Query
from algorithms.feedback_alignment import FeedbackAlignment
from algorithms.feedback_alignment_rows import FeedbackAlignmentRows
from algorithms.forward_forward import ForwardForward
from algorithms.ngram import Ngram
from algorithms.xor_elimination import XorElimination
from metrics.count_numpy import OUTSIDE, SCALARS, NumpyCounter
from metrics.count_numpy_array import Counted
from metrics.counts import EXPENSIVE
from tasks.sequence import SequenceSpec
from tasks.sparse_parity import SparseParity

ROOT = Path(__file__).parent.parent
USUAL = [SCALARS, "python code is not counted"]
F = np.float32


def counted(function: Callable[..., Any], *args: Any) -> dict[str, Any]:
    with NumpyCounter() as counter:
        function(*(counter.wrap(x) for x in args))
    return counter.tally.told()


def one(*shape: int, dtype: Any = F) -> np.ndarray:
    return np.ones(shape, dtype)


LONG, MASK = np.array([0, 2, 2, 1]), np.array([True, False, True])
SQRT, DIV, EXP = (EXPENSIVE[name] for name in ("sqrt", "div", "exp"))
# what is done to what, operations, bytes read and written
CASES: dict[str, tuple[Callable[..., Any], list[Any], dict[str, int], int, int]] = {
    "add": (lambda x, y: x + y, [one(6), one(6)], {"fp32_add": 6}, 48, 24),
    "broadcast": (lambda x, y: x * y, [one(2, 3), one(3)], {"fp32_mul": 6}, 36, 24),
    "itself": (lambda x: x * x, [one(6)], {"fp32_mul": 6}, 24, 24),
    "in place": (lambda x, y: x.__iadd__(y), [one(6), one(6)], {"fp32_add": 6}, 48, 24),
    "part in place": (lambda x: x.__setitem__(slice(2), x[:2] + 1), [one(6)], {"fp32_add": 2},
                      8 + 8, 8 + 8),
    "out": (lambda x, y: np.add(x, x, out=y), [one(6), one(6)], {"fp32_add": 6}, 24, 24),
    "expand": (lambda x: np.broadcast_to(x, (100, 3)) * F(2), [one(3)], {"fp32_mul": 300}, 12, 1200),
    "views": (lambda x: x.T.T.reshape(3, 2)[1:].ravel().view(np.int32), [one(2, 3)], {}, 0, 0),
    "compare": (lambda x: x > 0, [one(6)], {"fp32_add": 6}, 24, 6),
    "float64": (lambda x: x + x, [one(6, dtype=float)], {"fp32_add": 12}, 48, 48),
    "int8": (lambda x: x & x, [one(6, dtype=np.int8)], {"int8_add": 6}, 6, 6),
    "sqrt": (np.sqrt, [one(6)], {"fp32_add": 6 * SQRT[0], "fp32_mul": 6 * SQRT[1]}, 24, 24),
    "squares": (lambda x: x**2, [one(6)], {"fp32_mul": 6}, 24, 24),
    "sum": (lambda x: x.sum(axis=1), [one(2, 3)], {"fp32_add": 4}, 24, 8),
    "reduce": (np.maximum.reduce, [one(2, 3)], {"fp32_add": 3}, 24, 12),
    "mean": (np.mean, [one(6)], {"fp32_add": 5 + DIV[0], "fp32_mul": DIV[1]}, 24, 0),
    "cumsum": (np.cumsum, [one(6)], {"fp32_add": 6}, 24, 24),
    "diff": (np.diff, [one(6)], {"fp32_add": 5}, 24, 20),
    "matmul": (lambda a, b: a @ b, [one(2, 3), one(3, 5)], {"fp32_add": 30, "fp32_mul": 30}, 84, 40),
    "dot": (lambda a, b: a.dot(b), [one(4), one(4)], {"fp32_add": 4, "fp32_mul": 4}, 32, 0),
    "tensordot": (lambda a, b: np.tensordot(a, b, 1), [one(2, 3), one(3, 5)],
                  {"fp32_add": 30, "fp32_mul": 30}, 84, 40),
    "einsum": (lambda a, b: np.einsum("bij,bjk->bik", a, b), [one(4, 2, 3), one(4, 3, 5)],
               {"fp32_add": 120, "fp32_mul": 120}, 336, 160),
    "sort": (lambda x: x.sort(), [one(8)], {"fp32_add": 24}, 32, 32),
    "argsort": (np.argsort, [one(8)], {"fp32_add": 24}, 32, 64),
    "unique": (np.unique, [one(8)], {"fp32_add": 32}, 32, 4),
    "searchsorted": (np.searchsorted, [one(8), one(5)], {"fp32_add": 15}, 20 + 60, 40),
    "bincount": (np.bincount, [LONG], {"int32_add": 8}, 32, 24),
    "gather": (lambda x, i: x[i], [one(9, 5), LONG], {}, 32 + 80, 80),
    "take": (lambda x, i: x.take(i, axis=0), [one(9, 5), LONG], {}, 32 + 80, 80),
    "mask": (lambda x, m: x[m], [one(3), MASK], {"int8_add": 3}, 3 + 8, 8),
    "place": (lambda x, i, y: x.__setitem__(i, y), [one(9), LONG, one(4)], {}, 32 + 16, 16),
    "add at": (np.add.at, [one(9), LONG, one(4)], {"fp32_add": 4},
               32 + 16 + 16, 16),
    "an element": (lambda x: int(x[3]), [one(9)], {}, 4, 0),
    "where": (lambda m, x: np.where(m, x, F(0)), [MASK, one(3)], {"fp32_add": 3}, 15, 12),
    "astype": (lambda x: x.astype(np.uint8), [one(6)], {"int8_add": 6}, 24, 6),
    "copy": (lambda x: x.copy(), [one(6)], {}, 24, 24),
    "concatenate": (lambda x, y: np.concatenate([x, y]), [one(6), one(3)], {}, 36, 36),
    "zeros": (lambda: np.zeros(6, F) + np.ones(6, F), [], {"fp32_add": 6}, 48, 72),
    "packbits": (np.packbits, [np.ones(16, bool)], {"int8_add": 16}, 16, 2),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_counts_by_hand(case: str) -> None:
    function, args, operations, read, written = CASES[case]
    found = counted(function, *(x.copy() for x in args))
    assert found["operations"] == operations
    assert (found["read_bytes"], found["written_bytes"]) == (read, written)
    assert found["notes"] in (USUAL, [])  # none where nothing but an element was read


def test_a_function_without_a_rule_is_counted_and_named() -> None:
    found = counted(lambda x: np.i0(x) + np.linalg.solve(x, x), np.eye(2))
    assert found["operations"] == {"fp32_add": 3 * 2 * 4}
    words = "no rule, counted as one addition per result"
    assert found["notes"] == sorted([*USUAL, f"i0: {words}", f"solve: {words}"])


def test_an_unknown_type_is_named() -> None:
    notes = counted(lambda x: x + x, np.ones(3, np.longdouble))["notes"]
    assert any("longdouble" in words or "float128" in words for words in notes)


def test_arrays_from_outside_are_noted_and_born_ones_are_counted() -> None:
    early = np.ones(6)
    assert OUTSIDE in counted(lambda x: x + early, np.ones(6))["notes"]
    assert OUTSIDE in counted(lambda x: x[early.astype(int)], np.ones(6))["notes"]
    assert OUTSIDE in counted(lambda: np.sort(early))["notes"]

    def born() -> list[Any]:
        rng = np.random.default_rng(0)
        return [
            np.zeros(3), np.arange(3.0), np.array([1.0, 2, 3]), np.asarray([1.0, 2, 3]), np.eye(3)[0],
            np.full(3, 2.0), np.linspace(0, 1, 3), np.frombuffer(bytes(24)), rng.random(3),
            rng.permutation(3), np.ndarray((3,)), np.ndarray((3,), float, np.zeros(4)),
            np.zeros(3).view(np.ndarray), np.asarray(np.zeros(3)), np.stack([np.zeros(3)])[0],
            np.meshgrid(np.zeros(3))[0], copy.deepcopy(np.zeros(3)), np.random.rand(3),
        ]  # fmt: skip

    with NumpyCounter() as counter:
        found = born()
        before_sums = counter.tally.operations.get("fp32_add", 0)
        for x in found:
            assert type(x) is Counted and isinstance(x, np.ndarray)
            x + 1.0
        # All are float64, and so count twice; the permutation is of integers, its sum is not.
        assert counter.tally.operations["fp32_add"] - before_sums == len(found) * 3 * 2
    assert OUTSIDE not in counter.tally.notes
    assert type(np.zeros(3)) is np.ndarray and np.ndarray is not Counted
    assert type(np.random.default_rng(0)) is np.random.Generator
    assert type(found[0] + 1) is np.ndarray  # outside, nothing is counted any more


def test_random_numbers_cost_words_and_are_the_same() -> None:
    def draw() -> list[Any]:
        rng = np.random.default_rng(5)
        x = np.arange(9)
        rng.shuffle(x)
        return [
            rng.random(4, F),
            rng.standard_normal(3),
            rng.integers(9, size=5),
            rng.choice(7, 3),
            x,
        ]

    expected = draw()
    with NumpyCounter() as counter:
        found = draw()
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    words = 4 + 2 * 3 + 2 * 5 + 2 * 3 + 2 * 9
    # A word each 4 bytes, integers brought into their range by a product.
    assert counter.tally.operations["int32_mul"] == EXPENSIVE["random"][1] * words + 5 + 3 + 9
    assert sorted(counter.tally.notes) == USUAL


def test_peak_is_of_memory_alive_at_once() -> None:
    def run() -> None:
        x = np.zeros(1000, F)  # 4000 bytes
        for _ in range(5):
            x = x[:500].repeat(2) + F(1)  # a copy and a sum, 8000 bytes more for a moment
        x = x.reshape(10, 100).T[:5]  # a view keeps all of it
        y = np.zeros(100, F)
        del x
        np.ones(400, F) + y.sum()

    assert counted(run)["peak_bytes"] == 12000


def test_only_one_at_a_time_and_errors_pass_through() -> None:
    with NumpyCounter() as counter:
        with pytest.raises(RuntimeError, match="open already"), NumpyCounter():
            pass
        with pytest.raises(ValueError, match="broadcast"):
            counter.wrap(np.ones(3)) + counter.wrap(np.ones(4))
        with pytest.raises(IndexError):
            np.ones(3)[5]
    with NumpyCounter():  # the failed one left nothing open
        np.ones(3)


def test_mlp_step_by_a_closed_form() -> None:
    """One step of backprop_mlp's default: cube, Adam without momentum. Sizes m, n + 1, h, one output."""
    m, inputs, h = 6, 5, 4
    rng = np.random.default_rng(0)
    x, sign = rng.standard_normal((m, inputs), F), np.sign(rng.standard_normal((m, 1), F))
    algorithm = BackpropMLP(hidden=h)
    P = (inputs + 1) * h
    weights, gradient = rng.standard_normal(P, F), np.zeros(P, F)
    with NumpyCounter() as counter:
        x, sign, weights, gradient = (counter.wrap(a) for a in (x, sign, weights, gradient))
        W, V = (a.reshape(s, -1) for a, s in ((weights[:-h], inputs), (weights[-h:], h)))
        gW, gV = (a.reshape(s, -1) for a, s in ((gradient[:-h], inputs), (gradient[-h:], h)))
        update = algorithm._adam(weights)
        start = counter.tally.told()
        assert start["operations"] == {}
        backward(x, sign, W, V, gW, gV, cube=True)
        weights -= update(gradient)
    found = counter.tally
    products = m * inputs * h + m * h + h * m + m * h + inputs * m * h  # z, output, gV, back, gW
    elementwise = 2 * m * h + 3 * m + h + m * h  # slope, hidden; sign twice, 1 / m; 3 V; back
    adam = 3 * P
    assert found.operations["fp32_mul"] == products + elementwise + adam + P * (SQRT[1] + DIV[1])
    assert found.operations["fp32_add"] == products + m + 4 * P + P * (SQRT[0] + DIV[0])
    assert set(found.operations) == {"fp32_add", "fp32_mul"}
    mh, mi, ih = m * h, m * inputs, inputs * h
    read = [mi + ih, mh, 2 * mh, mh + h, 2 * m, 2 * m + m / 4, m, mh + m, h, m + h, 2 * mh, mi + mh,
            P, 2 * P, P, 2 * P, P, P, 2 * P, P, 2 * P]  # fmt: skip
    assert found.read_bytes - start["read_bytes"] == 4 * sum(read)
    written = [mh, mh, mh, m, m, m / 4, m, m, h, h, mh, mh, ih, *9 * [P]]
    assert found.written_bytes - start["written_bytes"] == 4 * sum(written)


class Nothing:
    busy = False

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: Any) -> None:
        pass


def run(algorithm: Any, data: Any, answer: Any, wrap: Any) -> Any:
    training = algorithm.train({name: wrap(x) for name, x in data.items()})
    reply = None
    while True:
        try:
            event = training.send(reply)
        except StopIteration as end:
            return end.value
        reply = wrap(answer(event.x)) if isinstance(event, Query) else None


TEXT = np.random.default_rng(0).integers(97, 109, 3000).astype(np.uint8)
LEARNERS: dict[str, tuple[Any, dict[str, Any] | None]] = {
    "ngram": (Ngram(), None),
    "feedback_alignment": (
        FeedbackAlignment(hidden=16, layers=2, steps=5, feedback="random"),
        None,
    ),
    "forward_forward": (ForwardForward(hidden=16, steps=5), None),
    "xor": (XorElimination(), {}),
    "xor noise": (XorElimination(), {"noise": 0.1}),
    "xor queries": (XorElimination(), {"access": "queries", "noise": 0.1}),
    "rows": (FeedbackAlignmentRows(steps=20), {}),
    "mlp": (BackpropMLP(), {}),
    "mlp queries": (BackpropMLP(optimizer="sgd", momentum=0.5), {"access": "queries"}),
}


def learned(name: str, counter: Any) -> bytes:
    """What a learner's predictor says after a training under a counter, or under none."""
    algorithm, fields = LEARNERS[name]
    wrap = getattr(counter, "wrap", lambda x: x)
    if fields is None:
        algorithm.prepare(SequenceSpec(len(TEXT), segment=32, lanes=4, seed=0))
        with counter:
            predictor = run(algorithm, {"text": TEXT}, None, wrap)
        predictor.reset(4)
        found = []
        for i in range(10):
            found.append(predictor.predict())
            predictor.observe(TEXT[4 * i : 4 * i + 4])
        return np.stack(found).tobytes()
    task = SparseParity(**fields)
    draw = task.draws([11], 1)[0]
    algorithm.prepare(task.spec(0))

    def answer(x: Any) -> np.ndarray:
        counter.busy = True  # the task's own work is not the learner's
        try:
            return task.answer(draw, np.asarray(x), 0)
        finally:
            counter.busy = False

    with counter:
        predictor = run(algorithm, draw.train, answer, wrap)
    x = np.sign(np.random.default_rng(1).standard_normal((200, task.n))).astype(np.int8)
    return np.asarray(predictor.predict(x)).tobytes()


@pytest.mark.parametrize("name", LEARNERS)
def test_learners_have_rules_for_all_they_do_and_learn_the_same(name: str) -> None:
    counter = NumpyCounter()
    assert learned(name, counter) == learned(name, Nothing())
    found = counter.tally.told()
    assert found["notes"] == USUAL
    assert found["operations"] and found["read_bytes"] and found["peak_bytes"]


def told_of_all() -> list[Any]:
    found = []
    for name in LEARNERS:
        counter = NumpyCounter()
        learned(name, counter)
        found.append(counter.tally.told())
    return found


def test_equal_counts_in_two_processes() -> None:
    code = "from tests.test_count_numpy import told_of_all\nprint(told_of_all())"
    lines = [
        subprocess.run(
            [sys.executable, "-c", before + code],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed, before in (("1", ""), ("2", "x = [[] for _ in range(12345)]\n"))
    ]
    assert lines[0].startswith("[{'operations'")
    assert lines[0] == lines[1]


STEPS: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y,
    lambda x, y: x * y - x / (abs(y) + 1),
    lambda x, y: np.sqrt(np.abs(x)),
    lambda x, y: x @ y.T @ x,
    lambda x, y: np.where(x > y, x, y),
    lambda x, y: np.maximum(x, y, out=x.copy()),
    lambda x, y: np.sort(x, axis=0),
    lambda x, y: x[np.argsort(y[:, 0])],
    lambda x, y: x[:, ::-1].copy(),
    lambda x, y: np.cumsum(x, axis=1).astype(np.float32).astype(float),
    lambda x, y: x - x.mean(axis=0, keepdims=True),
    lambda x, y: np.concatenate([x[1:], y[:1]]),
    lambda x, y: np.clip(x, -1, y.max()),
    lambda x, y: np.repeat(x.sum(1, keepdims=True), x.shape[1], 1),
    lambda x, y: np.outer(x[:, 0], y[0]) if y.shape[1] == x.shape[1] else x,
    lambda x, y: np.tile(x.ravel()[: x.size // 2], 2).reshape(x.shape) if x.size % 2 == 0 else x,
    lambda x, y: x**2 + (x.astype(int) >> 1),
    lambda x, y: np.unique(x).sum() + y,
    lambda x, y: np.round(x, 1) + np.searchsorted(np.sort(y.ravel()), x),
    lambda x, y: np.einsum("ij,ij->ij", x, y),
    lambda x, y: np.linalg.norm(x) + y,
    lambda x, y: np.take_along_axis(x, np.argsort(y, axis=1), 1),
    lambda x, y: np.tanh(x) + np.bincount((abs(y.ravel()) % 5).astype(int), minlength=9)[3],
]


def in_place(x: Any, y: Any, step: int) -> None:
    if step % 4 == 0:
        x[x > 1] = 0.5
    elif step % 4 == 1:
        x[:, 0] += y[:, -1]
    elif step % 4 == 2:
        np.add.at(x, (np.zeros(3, int), np.array([0, -1, 0])), 1.5)
    else:
        x.sort(axis=1)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, len(STEPS) - 1), min_size=1, max_size=8),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(0, 2**32),
)
def test_results_are_the_same_to_the_bit(
    steps: list[int], rows: int, columns: int, seed: int
) -> None:
    def program(wrap: Any) -> list[Any]:
        rng = np.random.default_rng(seed)
        x, y = (wrap(a) for a in start)
        found = [rng.random(3)]
        for step in steps:
            with np.errstate(all="ignore"):
                x, y = np.nan_to_num(STEPS[step](x, y), posinf=9.0, neginf=-9.0), x
                x = np.fmin(np.fmax(x, -99), 99)
                in_place(x, y, step)
            found.append(x.copy())
        return found

    start = np.random.default_rng(seed).standard_normal((2, rows, columns))
    expected = program(lambda a: a.copy())
    with NumpyCounter() as counter:
        found = program(lambda a: counter.wrap(a.copy()))
        for a, b in zip(found, expected, strict=True):
            assert type(a) is Counted
            assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    tally = counter.tally
    assert tally.operations and tally.read_bytes and tally.written_bytes
    assert sorted(tally.notes) == USUAL


def test_functions_imported_by_name_are_counted() -> None:
    """from numpy import arange, and default_rng: counted like np.arange; put back afterwards."""
    module = types.ModuleType("an_algorithm")
    code = "from numpy import arange, ones as full\nfrom numpy.random import default_rng\n"
    exec(code, module.__dict__)
    before = dict(vars(module))
    sys.modules[module.__name__] = module
    try:
        own = counted(
            lambda: (module.arange(9.0) + module.full(9)).sum() + module.default_rng(0).random(9)
        )
        usual = counted(
            lambda: (np.arange(9.0) + np.ones(9)).sum() + np.random.default_rng(0).random(9)
        )
        assert own == usual and own["operations"]["fp32_add"] > 2 * 9
    finally:
        del sys.modules[module.__name__]
    assert vars(module) == before
