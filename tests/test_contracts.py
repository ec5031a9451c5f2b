"""Contracts that every yaml joins by being there."""

from __future__ import annotations

import dataclasses
import inspect
import random
from typing import Any

import numpy as np
import pytest

from algorithms.base import Algorithm, Progress, Query
from harness import registry
from harness.load import hash_sources, load_class, sources
from harness.processes.space import Space
from harness.registry import Choice
from harness.trackers.base import Tracker
from harness.worker import SPECS
from metrics.meter import Meter
from tasks.base import Draw, Task
from tasks.classification import Classification
from tasks.rule_search import RuleSearch
from tasks.sequence import SequenceSpec, check_log_probabilities

TASKS = registry.choices("task")
ALGORITHMS = registry.choices("algo")
METERS = registry.choices("meter")
PROCESSES = registry.choices("process")
TRACKERS = registry.choices("tracker")
SEARCHED = [choice for choice in ALGORITHMS if choice.about.get("search")]

# Smaller than the default, so that every algorithm sits every family in a second or two.
QUICK: dict[str, dict[str, Any]] = {
    "backprop/rule_search": {
        "starts": 1,
        "fresh": 2,
        "iterations": 100,
        "refine": 50,
        "patience": 1,
    },
    "backprop/sequence": {"max_iters": 3},
    "feedback_alignment/classification": {"steps": 50},
    "feedback_alignment/sequence": {"steps": 20, "hidden": 32},
    "forward_forward": {"steps": 20, "hidden": 32},
    "genetic": {"generations": 3, "population": 10, "elite": 2, "retest": 64},
    "transformer": {"n_embd": 16},
}
SMALL: dict[str, dict[str, Any]] = {
    "ca_evolution": {"width": 31, "steps": 40, "held_out": 256},
    "nanogpt": {"text": "grammar", "bytes": 40_000, "score_bytes": 2048},
}
# What an algorithm sits of a family of which it takes not every task.
OTHER: dict[str, dict[str, Any]] = {"lookup": {"goal": "life", "held_out": 20}}


def by_name(choice: Choice) -> str:
    return choice.option


def build(choice: Choice, **fields: Any) -> Any:
    return load_class(choice.target)(**{**choice.fields, **fields})


@pytest.mark.parametrize(
    "choice", [*TASKS, *ALGORITHMS, *METERS, *PROCESSES, *TRACKERS], ids=by_name
)
def test_yaml_and_class_agree(choice: Choice) -> None:
    """A description of one line, and exactly the constructor's fields with the same defaults."""
    assert choice.description and "\n" not in choice.description
    parameters = inspect.signature(load_class(choice.target)).parameters
    assert list(choice.fields) == list(parameters)
    for name, parameter in parameters.items():
        default = parameter.default
        if repr(default) == "<factory>":
            default = getattr(build(choice), name)
        assert choice.fields[name] == default, name
    assert load_class(choice.target).__doc__
    for line in registry.field_lines(choice):
        assert "#" in line or line.startswith(" "), f"a field without a comment: {line}"


@pytest.mark.parametrize("choice", TASKS, ids=by_name)
class TestTasks:
    """What the harness asks of a task."""

    def test_names_family_and_bar(self, choice: Choice) -> None:
        task = build(choice, **SMALL.get(choice.name, {}))
        assert isinstance(task, Task) and task.name == choice.name
        assert choice.families == [task.family]
        draws = task.draws([1, 2], 1)
        target = task.target(draws)
        assert target.direction in ("min", "max") and target.margin > 0
        assert target.skill(target.perfect) == 1.0 and target.skill(target.chance) == 0.0
        assert task.variant and task.access and task.max_repeats() >= 1

    def test_the_spec_is_public_and_known_to_the_worker(self, choice: Choice) -> None:
        task = build(choice, **SMALL.get(choice.name, {}))
        spec = task.spec(7)
        assert type(spec) is SPECS[task.family] and spec.seed == 7
        assert all(
            isinstance(v, int | float | str | None) for v in dataclasses.asdict(spec).values()
        )

    def test_a_draw_is_a_pure_function_of_its_entropy(self, choice: Choice) -> None:
        def draws(entropy: list[int]) -> list[Draw]:
            return build(choice, **SMALL.get(choice.name, {})).draws(entropy, 2)

        def same(a: Draw, b: Draw) -> bool:
            return all(
                np.array_equal(x[name], y[name])
                for x, y in ((a.train, b.train), (a.key, b.key))
                for name in x
            )

        one, again, other = draws([1, 2]), draws([1, 2]), draws([1, 3])
        assert same(one[0], again[0]) and same(one[1], again[1])
        assert not same(one[0], other[0]) and not same(one[0], one[1])


@pytest.mark.parametrize("choice", ALGORITHMS, ids=by_name)
class TestAlgorithms:
    """What the harness asks of an algorithm."""

    def test_code_is_found_and_hashed(self, choice: Choice) -> None:
        digest, size = hash_sources(choice.target)
        assert len(digest) == 64 and size > 200 and sources(choice.target)

    def test_sits_every_family_it_names(self, choice: Choice) -> None:
        assert set(choice.families) <= set(SPECS)
        for family in choice.families:
            task_choice = next(t for t in TASKS if t.families == [family])
            small = SMALL.get(task_choice.name, {})
            task = build(task_choice, **OTHER.get(choice.option, small))
            algorithm = build(choice, **QUICK.get(choice.option, {}))
            assert isinstance(algorithm, Algorithm)
            algorithm.prepare(task.spec(0))
            draws = task.draws([1, 2], 2)
            for draw in draws:
                for array in draw.train.values():
                    array.setflags(write=False)
            first, second = (train(algorithm, task, draw) for draw in draws)
            check_predictor(family, task, draws[0], first)
            before = answers(family, draws[0], first)
            answers(family, draws[1], second)
            assert np.array_equal(before, answers(family, draws[0], first)), (
                "predictors share state"
            )


def train(algorithm: Algorithm, task: Task, draw: Draw) -> Any:
    """Drives the generator as the worker does."""
    training = algorithm.train(draw.train)
    answer = None
    while True:
        try:
            event = training.send(answer)
        except StopIteration as end:
            return end.value
        assert isinstance(event, Progress | Query)
        answer = task.answer(draw, event.x, 0) if isinstance(event, Query) else None


def answers(family: str, draw: Draw, predictor: Any) -> np.ndarray:
    if family == "classification":
        return np.asarray(predictor.predict(draw.key["x"]))
    if family == "rule_search":
        return np.asarray(predictor.rule()).copy()
    lanes = draw.key["segments"][:2]
    predictor.reset(len(lanes))
    out = [np.asarray(predictor.predict()).copy()]
    for t in range(20):
        predictor.observe(lanes[:, t])
        out.append(np.asarray(predictor.predict()).copy())
    return np.stack(out)


def check_predictor(family: str, task: Task, draw: Draw, predictor: Any) -> None:
    found = answers(family, draw, predictor)
    if family == "sequence":
        for logp in found:
            check_log_probabilities(logp, 2)
    elif family == "classification":
        assert found.shape == draw.key["y"].shape
    score = task.examine(draw, predictor)
    assert np.isfinite(score.value) and score.predictions > 0


@pytest.mark.parametrize("choice", METERS, ids=by_name)
def test_meters(choice: Choice) -> None:
    meter = build(choice)
    assert isinstance(meter, Meter) and meter.name == choice.name
    assert meter.source.partition(":")[0] in ("measured", "modelled")
    assert meter.floor_s > 0 and meter.domains


@pytest.mark.parametrize("choice", TRACKERS, ids=by_name)
def test_trackers(choice: Choice) -> None:
    cls = load_class(choice.target)
    assert issubclass(cls, Tracker)
    for name in ("wants_live", "begin", "watch", "finish", "fail"):
        ours, theirs = (inspect.signature(getattr(c, name)) for c in (Tracker, cls))
        assert list(ours.parameters) == list(theirs.parameters), name


@pytest.mark.parametrize("choice", SEARCHED, ids=by_name)
def test_search_spaces(choice: Choice) -> None:
    """Existing fields, and every end and choice can be constructed beside the defaults."""
    space = Space.read(choice.about["search"], choice.fields, choice.option)
    for dimension in space.dimensions:
        for value in dimension.choices or (dimension.at(0), dimension.at(0.5), dimension.at(1)):
            assert dimension.holds(value)
            build(choice, **{dimension.name: value})
    for number in range(50):
        setting = space.sample(random.Random(number))
        assert space.holds(setting)
        build(choice, **setting)


def test_specs_have_no_room_for_a_secret() -> None:
    """The learner is never told k unless the board says so, nor anything of the key."""
    assert {f.name for f in dataclasses.fields(Classification)} == {
        *("n", "rows", "access", "budget", "rule", "k", "seed", "family")
    }
    assert {f.name for f in dataclasses.fields(SequenceSpec)} == {
        *("train_bytes", "segment", "lanes", "seed", "vocab", "family")
    }
    assert {f.name for f in dataclasses.fields(RuleSearch)} == {
        *("width", "radius", "steps", "goal", "pairs", "seed", "family")
    }
