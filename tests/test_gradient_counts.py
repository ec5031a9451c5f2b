"""What the gradient of an automaton counts of itself: bytes against an instrument that knows nothing of it
(`instrumented.py`), operations, of which nearly all are floats, against their sum worked out by hand."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from algorithms import automaton_gradient
from algorithms.automaton_gradient import GOALS, KERNEL, LANES, WORDS, Gradient
from algorithms.backprop_automaton import BackpropAutomaton
from algorithms.counting import EXPENSIVE, together
from metrics import counts as tables
from tasks.rule_search import RuleSearch
from tests.instrumented import accesses, bytes_of, ended, gcc, watch, with_accesses

DIV_ADD, DIV_MUL = EXPENSIVE["DIV"]
WIDE = 8  # slopes side by side


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBENCH_COUNT", "1")
    monkeypatch.setattr(automaton_gradient, "kernel", automaton_gradient.kernel.__wrapped__)


def words(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 1 << 32, WORDS, dtype=np.uint32)


CASES = [(3, 21, 6, 99.0), (3, 65, 9, 0.5), (2, 33, 5, 0.3), (1, 3, 4, 0.4)]


@gcc
@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize(("radius", "width", "steps", "limit"), CASES)
def test_a_gradient_counts_what_it_does(
    counting: None, goal: str, radius: int, width: int, steps: int, limit: float
) -> None:
    rng = np.random.default_rng(width)
    chance = rng.uniform(0.05, 0.95, 2 << 2 * radius).astype(np.float32)
    cells = (rng.random((8, width)) < rng.random((8, 1))).astype(np.uint8)
    mine, seen = (Gradient(radius, width, steps + 2, goal, limit) for _ in range(2))
    assert mine.counted
    mine.counted.restart()
    found = mine(chance, cells, steps, words(1))
    told = mine.counted.told()

    lib = with_accesses(f"#define RADIUS {radius}\n{KERNEL.read_text()}", f"gradient-{radius}")
    lib.gradient.argtypes, lib.gradient.restype = mine.kernel.gradient.argtypes, None
    seen.kernel, state = lib, words(1)
    watch(lib, chance, cells, state, seen.past, seen.work, seen.sum, seen.out)
    accesses(lib)
    again = seen(chance, cells, steps, state)
    assert bytes_of(told) == accesses(lib)
    assert again[0] == found[0] and again[1] == pytest.approx(found[1], rel=1e-4, abs=1e-6)

    rings, size, sees = len(cells), len(chance), 2 * radius + 1
    events = mine.counted.events
    ones = np.array([row.sum() for row in cells]) * 2 > width
    if goal == "density":
        assert events["FEW"] == (~ones).sum() and events["PULLED"] == width * ones.sum()
    assert events["FEW"] + events["PULLED"] // width == rings
    assert (events["LOW"] > 0) == (limit < 1)  # gradients come to the bounds, or never do
    drawn = -(-width // (2 * WORDS)) * WORDS  # words: two numbers in each
    integers = rings * (steps * (drawn * 6 + width * (2 * sees + 1)) + 2 * width + 4)
    assert told["operations"]["int32_add"] == integers + events["FEW"]
    assert told["operations"]["int32_mul"] == rings
    moves = rings * steps * width
    sums = moves * (1 + WIDE) + rings * steps * 2 * radius + size * (sees + 1 + LANES) + 2 * rings
    bounds = moves * 3 + events["LOW"] + events["PULLED"] + rings
    extra = rings if goal == "synchronise" else 0  # a pull by how clear the majority is
    divisions = rings + size + 3
    assert told["operations"]["fp32_add"] == sums + bounds + extra + divisions * DIV_ADD
    muls = moves * WIDE + 2 * size + extra + divisions * DIV_MUL
    assert told["operations"]["fp32_mul"] == muls


def sitting(count: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Of two equal trainings: counts of the last; the rule and how many steps it took."""
    monkeypatch.setenv("JOULEBENCH_COUNT", str(int(count)))
    small: dict[str, Any] = {"starts": 1, "fresh": 1, "iterations": 40, "refine": 20, "patience": 1}
    algorithm = BackpropAutomaton(**small)
    algorithm.prepare(RuleSearch(21, 3, 20, "density", 0, 0))
    data = {"seed": np.array([7], np.uint64)}
    answers = [ended(algorithm.train(data)).rule().tolist() for _ in range(2)]
    assert answers[0] == answers[1]
    steps = 40 + 20 * (algorithm.bests[7].trainings - 1)  # of Adam, each on 32 rings
    return algorithm.counts(), (answers[0], steps)


def test_a_training_counts_gradients_and_trials(
    counting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, found = sitting(True, monkeypatch)
    assert sitting(False, monkeypatch) == (None, found)  # an ordinary build: the same bits
    assert sitting(True, monkeypatch) == (told, found)
    tally = tables.from_mapping(told)
    assert tally.read_bytes > tally.written_bytes > 0 and tally.peak_bytes > 4 * 14 * 21
    assert set(tally.operations) == {"int32_add", "int32_mul", "fp32_add", "fp32_mul"}
    assert tally.operations["int32_mul"] == 32 * found[1]
    assert any("rings" in note for note in tally.notes)


def test_pairs_need_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBENCH_COUNT", "1")
    algorithm = BackpropAutomaton()
    algorithm.prepare(RuleSearch(20, 1, 1, "life", 4, 0))
    assert algorithm.counts() is None


def test_an_ordinary_build_knows_of_no_events() -> None:
    lib = automaton_gradient.kernel(2)
    assert isinstance(lib, ctypes.CDLL) and not hasattr(lib, "take_counts")


def test_what_several_kernels_told() -> None:
    one: dict[str, Any] = {"operations": {"int32_add": 3}, "read_bytes": 5, "written_bytes": 1}
    two = {**one, "operations": {"int32_add": 4, "fp32_add": 1}, "peak_bytes": 7, "notes": ["a"]}
    sums = together(one, two)
    assert sums["operations"] == {"int32_add": 7, "fp32_add": 1} and sums["notes"] == ["a"]
    assert (sums["read_bytes"], sums["written_bytes"], sums["peak_bytes"]) == (10, 2, 7)
    assert tables.from_mapping(sums).read_bytes == 10
