"""ByteDMD: published values, a naive stack as the reference, and every way out of the trace."""

from __future__ import annotations

import copy
import math
import pickle
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.bytedmd import apply, bytedmd
from metrics.lru_depth import depths, freed_above, price
from metrics.tape import BytedmdError, Escape

Matrix = list[list[Any]]

# Worked values of the ByteDMD cost (Ding and Smith 2022; Bulatov's definition), all as published.
SUM = {1: 4, 2: 12, 3: 21, 4: 29, 8: 70}
MATVEC = {2: 26, 4: 157, 8: 896, 16: 5354}
VECMAT = {2: 25, 4: 150, 8: 832, 16: 4688}
MATMUL = {2: 57, 4: 720, 8: 8867, 16: 109783}


def dot(a: list[Any], b: list[Any]) -> Any:
    """Without a zero to start from."""
    products = (x * y for x, y in zip(a, b, strict=True))
    return sum(products, start=next(products))


def matvec(A: Matrix, x: list[Any]) -> list[Any]:
    return [dot(row, x) for row in A]


def vecmat(A: Matrix, x: list[Any]) -> list[Any]:
    return [dot(x, list(column)) for column in zip(*A, strict=True)]


def matmul(A: Matrix, B: Matrix) -> Matrix:
    return [[dot(row, list(column)) for column in zip(*B, strict=True)] for row in A]


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape)


def test_addition() -> None:
    def add(a: Any, b: Any, c: Any) -> Any:
        return (a + b) + c

    one, two = bytedmd(add, 1, 2, 3), bytedmd(add, 1, 2, 3, bytes_per_scalar=2)
    assert (one.cost, one.trace.tolist(), one.reads, one.result) == (6, [1, 2, 1, 2], 4, 6)
    assert two.cost == 14 and two.trace.tolist() == [1, 2, 1, 2]
    assert bytedmd(lambda a: a + a, 1).trace.tolist() == [1, 1]


@pytest.mark.parametrize(("n", "cost"), SUM.items())
def test_dot_product(n: int, cost: int) -> None:
    def summed(a: Any, b: Any) -> Any:
        return sum(x * y for x, y in zip(a, b, strict=True))

    a = list(range(n))
    assert bytedmd(summed, a, list(a)).cost == cost
    assert bytedmd(summed, np.arange(n), tuple(a)).result == summed(a, a)


def test_dot_product_unrolled() -> None:
    assert bytedmd(lambda a, b: a[0] * b[0] + a[1] * b[1], [1, 2], [3, 4]).cost == 11


@pytest.mark.parametrize(
    ("function", "shapes", "n", "cost"),
    [
        *((matvec, 1, n, cost) for n, cost in MATVEC.items()),
        *((vecmat, 1, n, cost) for n, cost in VECMAT.items()),
        *((matmul, 2, n, cost) for n, cost in MATMUL.items()),
    ],
)
def test_linear_algebra(function: Callable[..., Any], shapes: int, n: int, cost: int) -> None:
    found = bytedmd(function, ones(n, n), ones(*[n] * shapes))
    assert found.cost == cost
    assert np.array_equal(found.result, np.full([n] * shapes, n))


Program = tuple[int, list[list[int]], list[int]]


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Arguments, operands of every instruction, values that stay."""
    arguments = draw(st.integers(1, 8))
    made: list[list[int]] = []
    for t in range(draw(st.integers(0, 30))):
        value = st.integers(0, arguments + t - 1)
        made.append(draw(st.lists(value, min_size=1, max_size=4)))
    kept = draw(st.lists(st.integers(0, arguments + len(made) - 1), max_size=4))
    return arguments, made, kept


def naive(arguments: int, program: list[list[int]], kept: list[int]) -> list[int]:
    """The definition, word by word, on a list whose end is the top."""
    stack, trace = list(range(arguments)), []
    last = {value: t for t, operands in enumerate(program) for value in operands}
    for t, operands in enumerate(program):
        trace += [len(stack) - stack.index(value) for value in operands]
        for value in dict.fromkeys(operands):
            stack.remove(value)
            if last[value] > t or value in kept:
                stack.append(value)
        stack.append(arguments + t)
    return trace


def fast(arguments: int, program: list[list[int]], kept: list[int]) -> list[int]:
    flat = np.array([value for operands in program for value in operands], np.int64)
    arity = np.array([len(operands) for operands in program], np.uint8)
    return depths(np.arange(arguments), flat, arity, np.array(kept, np.int64)).tolist()


@given(programs())
def test_depths_are_those_of_a_naive_stack(program: Program) -> None:
    assert fast(*program) == naive(*program)


def test_depths_of_a_long_program() -> None:
    rng = random.Random(7)
    program = [
        [rng.randrange(50 + t) for _ in range(rng.choice((1, 2, 2, 3)))] for t in range(1500)
    ]
    kept = [rng.randrange(1500) for _ in range(100)]
    assert fast(50, program, kept) == naive(50, program, kept)


@given(programs())
def test_a_traced_function_is_its_program(program: Program) -> None:
    arguments, instructions, kept = program

    def function(*values: Any) -> list[Any]:
        known = list(values)
        for operands in instructions:
            known.append(apply(lambda *x: 1, *(known[i] for i in operands)))
        return [known[i] for i in kept]

    found = bytedmd(function, *range(arguments))  # the first on top: argument i lies where i did
    mirror = [
        arguments - 1 - i if i < arguments else i for i in range(arguments + len(instructions))
    ]
    expected = naive(
        arguments, [[mirror[i] for i in op] for op in instructions], [mirror[i] for i in kept]
    )
    assert found.trace.tolist() == expected and found.cost == sum(map(root, expected))


@given(st.lists(st.integers(0, 9), max_size=70))
def test_inversions(freed: list[int]) -> None:
    expected = [sum(later < x for later in freed[i:]) for i, x in enumerate(freed)]
    assert freed_above(np.array(freed, np.int64)).tolist() == expected


def root(j: int) -> int:
    return math.isqrt(j - 1) + 1


@given(st.lists(st.integers(1, 3000), max_size=5), st.integers(1, 9))
def test_price_is_the_sum_over_bytes(trace: list[int], size: int) -> None:
    expected = sum(root(j) for d in trace for j in range((d - 1) * size + 1, d * size + 1))
    assert price(np.array(trace, np.int64), size) == expected


@pytest.mark.parametrize("depth", [1, 999**2, 999**2 + 1, 999_999**2, 999_999**2 + 1, 10**12])
def test_price_is_exact(depth: int) -> None:
    assert price(np.array([depth])) == root(depth)


def test_what_is_returned_stays() -> None:
    def returns(a: Any, b: Any) -> Any:
        s = a + a
        t = s + s  # the last read of s
        return t + b, s

    assert bytedmd(returns, 1, 2).trace.tolist() == [1, 1, 1, 1, 1, 3]
    assert bytedmd(lambda a, b: returns(a, b)[0], 1, 2).trace.tolist() == [1, 1, 1, 1, 1, 2]


def test_what_is_stored_in_an_argument_stays() -> None:
    def stores(a: Any, b: Any, keep: list[Any]) -> Any:
        s = a + a
        keep[0] = s
        return s + s + b

    def drops(a: Any, b: Any, keep: list[Any]) -> Any:
        s = a + a
        return s + s + b

    assert bytedmd(stores, 1, 2, [0]).trace.tolist() == [1, 1, 1, 1, 1, 3]
    assert bytedmd(drops, 1, 2, [0]).trace.tolist() == [1, 1, 1, 1, 1, 2]


def test_an_unused_argument_is_in_the_way() -> None:
    assert bytedmd(lambda a, b: b + 1, 1, 2).trace.tolist() == [2]


def test_of_a_list_the_last_lies_on_top_and_the_same_list_lies_once() -> None:
    assert bytedmd(lambda a, b: a[0] + a[1] + b, [1, 2], 3).trace.tolist() == [2, 1, 1, 2]
    a = [1, 2]
    assert bytedmd(lambda x, y: x[1] * y[1], a, a).trace.tolist() == [1, 1]
    assert bytedmd(lambda x, y: x[1] * y[1], a, list(a)).trace.tolist() == [1, 3]


def test_callers_lists_are_left_alone() -> None:
    a = [3, 4]

    def change(x: list[Any]) -> None:
        x[0] = x[0] + x[1]

    found = bytedmd(change, a)
    assert a == [3, 4] and found.result is None and found.reads == 2


def test_operators_read_what_they_should() -> None:
    def every(a: Any, b: Any) -> list[Any]:
        one = [a + 1, 1 + a, 2 - a, a // 2, 7 % a, a**2, 2**a, -a, +a, abs(a), ~a, a << 1, 1 << a]
        one += [1 & a, a ^ 1, 1 ^ a, a <= 1, a != 1, round(a), math.floor(a), math.ceil(a)]
        one += [math.trunc(a), np.float32(2) * a, np.exp(a), copy.deepcopy(a) * 1, a * True]
        two = [a - b, a * b, a / b, a >> b, a & b, a | b, a < b, a == b]
        two += [np.maximum(a, b), apply(math.hypot, a, b)]
        return [one, two, [apply(lambda c, x, y: x if c else y, two[6], a, b)]]

    one = [4, 4, -1, 1, 1, 9, 8, -3, 3, 3, ~3, 6, 8, 1, 2, 2, False, True, 3, 3, 3]
    one += [3, 6.0, math.exp(3), 3, 3]
    two = [1, 6, 1.5, 0, 2, 3, False, False, 3, math.hypot(3, 2)]
    found = bytedmd(every, 3, 2)
    assert [*found.result[0], *found.result[1], *found.result[2]] == pytest.approx([*one, *two, 2])
    assert found.reads == len(one) + 2 * len(two) + 3


ESCAPES: dict[str, Callable[[Any], Any]] = {
    "if": lambda x: 1 if x else 0,
    "while": lambda x: [0 for _ in iter(lambda: bool(x < 3), False)],
    "and": lambda x: x and 1,
    "not": lambda x: not x,
    "chain": lambda x: 0 < x < 3,
    "in": lambda x: x in [5, 6],
    "count": [1, 2].count,
    "min": lambda x: min(x, 3),
    "sorted": lambda x: sorted([x, 2]),
    "float": float,
    "sqrt": math.sqrt,
    "int": int,
    "complex": complex,
    "index": lambda x: [1, 2, 3][x],
    "slice": lambda x: [1, 2, 3][:x],
    "range": lambda x: list(range(x)),
    "repeat": lambda x: [0] * x,
    "chr": chr,
    "hash": hash,
    "set": lambda x: {x},
    "key": lambda x: {1: 2}[x],
    "str": str,
    "print": print,
    "f-string": lambda x: f"{x}",
    "f-string with format": lambda x: f"{x:.3f}",
    "percent": lambda x: "%d" % x,  # noqa: UP031
    "bytes": bytes,
    "array": np.array,
    "array of floats": lambda x: np.array([x, x], float),
    "item": lambda x: np.zeros(3).__setitem__(0, x),
    "array index": lambda x: np.zeros(3)[x],
    "array plus": lambda x: np.zeros(3) + x,
    "plus array": lambda x: np.add(x, np.zeros(3)),
    "reduce": lambda x: np.add.reduce([x, x], out=np.zeros(1)),
    "divmod": lambda x: divmod(x, 2),
    "rdivmod": lambda x: divmod(2, x),
    "iterate": list,
    "pickle": pickle.dumps,
}


@pytest.mark.parametrize("name", ESCAPES)
def test_escapes_are_refused(name: str) -> None:
    with pytest.raises(Escape) as error:
        bytedmd(ESCAPES[name], 2)
    message = str(error.value)
    assert "would be too low" in message and message.count(";") == 1  # why, and what to do


def test_a_refusal_that_is_caught_is_one_still() -> None:
    def asks(x: Any) -> Any:
        try:
            return 1 if x > 3 else 0
        except ValueError:
            return x

    def caught(*operation: Any) -> Callable[[Any], Any]:
        def function(x: Any) -> Any:
            try:
                return operation[0](x)
            except Exception:
                return 0

        return function

    with pytest.raises(Escape, match="branching on a value"):
        bytedmd(asks, 2)
    for branch in (
        lambda x: 1 / x,
        lambda x: x % x,
        lambda x: 1 << (x - 1),
        lambda x: apply(lambda v: [][v], x),
    ):
        with pytest.raises(Escape, match="an error that depends on a value"):
            bytedmd(caught(branch), 0)
    with pytest.raises(BytedmdError, match="a str met"):
        bytedmd(caught(lambda x: apply(lambda v: "" if v else 1, x)), 1)


def test_no_value_shows() -> None:
    assert bytedmd(repr, 23571).result == "<tracked scalar 0>"


def test_a_value_of_another_call_is_refused() -> None:
    left: list[Any] = []
    bytedmd(left.append, 1)
    with pytest.raises(Escape, match="after its function had ended"):
        left[0] + 1
    for use in (lambda x: x + left[0], lambda x: left[0], lambda x: apply(max, x, left[0])):
        with pytest.raises(Escape, match="another call"):
            bytedmd(use, 1)


@pytest.mark.parametrize(
    ("function", "args", "says"),
    [
        (lambda x: x, ["word"], "holds a str.*functools.partial"),
        (lambda x: x, [{1: 2}], "holds a dict"),
        (lambda x: x, [np.array(["a"])], "holds a ndarray"),
        (lambda x: (x for _ in "ab"), [1], "returned.* a generator"),
        (lambda x: apply(str, x), [1], "a str met a tracked scalar"),
        (lambda x: apply(max, 1, 2), [1], "0 tracked operands"),
    ],
)
def test_what_cannot_be_priced(function: Callable[..., Any], args: list[Any], says: str) -> None:
    with pytest.raises(BytedmdError, match=says):
        bytedmd(function, *args)


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "1", 5000])
def test_scalars_have_whole_bytes(size: Any) -> None:
    with pytest.raises(BytedmdError, match="bytes_per_scalar"):
        bytedmd(lambda x: x + 1, 1, bytes_per_scalar=size)


def test_nothing_read_costs_nothing() -> None:
    for found in (bytedmd(lambda: None), bytedmd(lambda x: x, [1, 2])):
        assert (found.cost, found.reads, found.trace.tolist()) == (0, 0, [])
