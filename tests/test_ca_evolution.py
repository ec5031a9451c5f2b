"""The task ca_evolution and its family: what is asked, how it is scored, what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.empty import Empty, Zero
from algorithms.rule_pictures import Rule
from harness.assemble import hash_draws
from tasks.automaton import bits, oracle
from tasks.automaton.rules import parse_rule
from tasks.base import Draw, PredictionError, TaskError
from tasks.ca_evolution import CaEvolution
from tasks.rule_search import RuleSearch, ask, entries
from tests.conftest import Bench

SMALL: dict[str, Any] = {"width": 31, "steps": 40, "held_out": 150}
BLINKS = np.array([1, 1, 1, 0, 1, 0, 0, 0], np.uint8)  # the opposite of the majority of three cells
SHIFT_BACK = np.array([1, 1, 0, 0, 1, 1, 0, 0], np.uint8)  # a cell's opposite: blinks, never agrees


def cells_of(draw: Draw, m: int) -> np.ndarray:
    return bits.unpack(draw.key["state"], m)


def tables(radius: int) -> st.SearchStrategy[np.ndarray]:
    count = entries("density", radius)
    return st.lists(st.integers(0, 1), min_size=count, max_size=count).map(
        lambda values: np.array(values, np.uint8)
    )


@settings(max_examples=60)
@given(st.integers(1, 3).flatmap(tables), st.integers(1, 12))
def test_scores_are_those_of_the_definition(table: np.ndarray, steps: int) -> None:
    radius = (len(table).bit_length() - 2) // 2
    width = 2 * radius + 3  # few widths: for each a simulator is compiled
    for goal in ("density", "synchronise"):
        task = CaEvolution(goal=goal, width=width, radius=radius, steps=steps, held_out=70)
        draw = task.draws([3], 1)[0]
        cells = cells_of(draw, 70)
        end = oracle.run(table, cells, steps)
        equal = (end == end[:, :1]).all(axis=1)
        if goal == "density":
            most = np.repeat(2 * cells.sum(axis=1, keepdims=True) > width, width, axis=1)
            right = (end == most).all(axis=1) & (oracle.run(table, end, 1) == most).all(axis=1)
        else:
            then = oracle.run(table, end, 1)
            right = (
                equal & (then == 1 - end).all(axis=1) & (oracle.run(table, then, 1) == end).all(1)
            )
        score = task.examine(draw, Rule(table))
        assert score.value == right.mean() and score.predictions == 1
        assert score.secondary["uniform"] == equal.mean()


def test_the_hardest_are_those_nearest_to_one_half() -> None:
    task = CaEvolution(**SMALL)
    draw = task.draws([1], 1)[0]
    cells = cells_of(draw, 150)
    near = np.abs(2 * cells.sum(axis=1, dtype=int) - 31) == 1
    end = oracle.run(parse_rule("gkl"), cells[near], 40)
    right = (end == (2 * cells[near].sum(axis=1) > 31)[:, None]).all(axis=1)
    assert 0 < near.sum() < 150 and 0 < right.mean() < 1
    score = task.examine(draw, Rule(parse_rule("gkl")))
    assert score.secondary["hardest"] == right.mean() < score.value


def test_a_standard_error_is_what_draws_scatter_by() -> None:
    task = CaEvolution(**SMALL)
    scores = [task.examine(d, Rule(parse_rule("phi_par"))) for d in task.draws([8], 60)]
    spread = np.std([s.value for s in scores], ddof=1)
    assert 0.7 < spread / np.mean([s.se for s in scores]) < 1.4
    assert task.combine(scores).se == pytest.approx(np.mean([s.se for s in scores]) / 60**0.5, 0.5)


def test_constant_rules_are_at_chance() -> None:
    for goal, low, high in (("density", 0.4, 0.6), ("synchronise", 0.0, 0.0), ("life", 0.4, 0.7)):
        task = CaEvolution(goal=goal, held_out=2000 if goal == "density" else 50)
        draws = task.draws([5], 1)
        chance = task.target(draws).chance
        found = [
            task.examine(draws[0], Rule(np.full(n, v, np.uint8)))
            for v in (0, 1)
            for n in (entries(goal, 3),)
        ]
        assert low <= chance <= high and max(s.value for s in found) == pytest.approx(
            chance, abs=0.05
        )
        assert all(s.se > 0 for s in found)


def test_blinking_together_is_told_from_blinking() -> None:
    task = CaEvolution(goal="synchronise", radius=1, **SMALL)
    draw = task.draws([2], 1)[0]
    assert task.examine(draw, Rule(SHIFT_BACK)).value == 0.0
    calm = {"state": np.zeros((31, 3), np.uint64)}
    assert task.examine(Draw({}, calm), Rule(SHIFT_BACK)).value == 1.0
    assert task.examine(Draw({}, calm), Rule(BLINKS)).value == 1.0
    rests = task.examine(Draw({}, calm), Rule(np.zeros(8, np.uint8)))
    assert rests.value == 0.0 and rests.secondary["uniform"] == 1.0


def test_an_answer_that_does_not_stay_is_none() -> None:
    """A rule that blinks, and that is at an even step what a density classifier is at every step."""
    gkl = parse_rule("gkl")
    task = CaEvolution(**SMALL)
    draw = task.draws([2], 1)[0]
    blinks = gkl.copy()
    blinks[0], blinks[-1] = 1, 0
    calm = Draw({}, {"state": np.repeat(np.array([[0, ~np.uint64(0), 0]], np.uint64), 31, axis=0)})
    assert task.examine(calm, Rule(gkl)).value == 1.0
    assert task.examine(calm, Rule(blinks)).value == 0.0
    blinks[-1] = 1
    assert task.examine(calm, Rule(blinks)).value == 1 / 150 * 64  # ones stay, zeros do not
    assert task.examine(calm, Rule(blinks)).secondary["uniform"] == 1.0
    assert task.examine(draw, Rule(gkl)).value > 0.8


@pytest.mark.parametrize("goal", ["density", "synchronise", "life"])
def test_draws(goal: str) -> None:
    task = CaEvolution(goal=goal, held_out=100)
    draws = task.draws([5, 6], 3)
    assert hash_draws(draws) == hash_draws(CaEvolution(goal=goal, held_out=100).draws((5, 6), 3))
    assert len({draw.train["seed"].tobytes() for draw in draws + task.draws([5, 7], 3)}) == 6
    assert len({hash_draws([draw]) for draw in draws}) == 3
    assert all(draw.train["seed"].dtype == np.uint64 for draw in draws)
    if goal != "life":
        ones = np.concatenate([cells_of(d, 100).ravel() for d in draws]).mean()
        assert draws[0].key["state"].shape == (149, 2) and abs(ones - 0.5) < 0.01
        assert set(draws[0].train) == {"seed"}
    else:
        assert draws[0].train["before"].shape == (4, 20, 20)
        assert not (draws[0].key["tori"][:4] == draws[0].train["before"]).all()


def test_golden_draw() -> None:
    draw = CaEvolution(width=7, held_out=70).draws([2024, 7], 2)[1]
    assert [f"{word:016x}" for word in draw.key["state"][0]] == [
        "4f9929663bfd8b27",
        "32e5d7392f95425a",
    ]
    assert f"{draw.train['seed'][0]:016x}" == "70273ac8a36af7af"


def test_the_spec_and_the_variants() -> None:
    assert CaEvolution().spec(3) == RuleSearch(149, 3, 320, "density", 0, 3)
    assert CaEvolution(goal="life").spec(3) == RuleSearch(20, 1, 1, "life", 4, 3)
    assert CaEvolution(goal="life").spec(3).entries == 512
    assert CaEvolution(width=599).variant == "density width=599 radius=3 steps=1286"
    assert CaEvolution(width=999).spec(0).steps == 2146
    assert CaEvolution(held_out=64).variant.endswith("steps=320 held_out=64")
    assert CaEvolution().compared_at() == [0.65, 0.75, 0.81, 0.86]
    assert CaEvolution(bar=0.8).target([]).value == 0.8
    assert CaEvolution(goal="synchronise").target([]).value == 0.95
    assert CaEvolution(width=2999).max_repeats() == 7


@pytest.mark.parametrize(
    "fields,says",
    [
        ({"goal": "densty"}, "did you mean density"),
        ({"width": 150}, "take 149 or 151"),
        ({"width": 5}, "from 7 to 16383"),
        ({"width": 16385}, "from 7 to 16383"),
        ({"width": True}, "a whole number"),
        ({"radius": 4}, "from 1 to 3"),
        ({"radius": 0}, "from 1 to 3"),
        ({"steps": 0}, "from 1 to 65536"),
        ({"steps": 10**6}, "from 1 to 65536"),
        ({"held_out": 0}, "from 1 to"),
        ({"pairs": 0}, "from 1 to"),
        ({"bar": 1.5}, "above 0 and at most 1"),
        ({"margin": 0.0}, "above 0 and at most 1"),
        ({"bars": {"densty": 0.5}}, "task.bars=densty: did you mean density"),
        ({"ladder": {"life": [0.5, 2]}}, "task.ladder.life=2"),
        ({"width": 9999, "held_out": 10**6}, "more than 256 MiB"),
        ({"goal": "life", "radius": 2}, "sees radius 1"),
        ({"goal": "life", "steps": 2}, "is of one step"),
    ],
)
def test_what_cannot_be_set(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(TaskError) as error:
        CaEvolution(**fields)
    assert says in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "table,says",
    [
        (np.zeros(64, np.uint8), "shape [64]"),
        (np.zeros((128, 1), np.uint8), "shape [128, 1]"),
        (np.zeros(128), "float64"),
        (np.full(128, 2), "holds 2"),
        (-np.ones(128, np.int8), "holds -1"),
    ],
)
def test_what_is_no_table(table: np.ndarray, says: str) -> None:
    with pytest.raises(PredictionError) as error:
        ask(Rule(table), 128)
    assert says in str(error.value)
    good = ask(Rule(np.ones(128, bool)), 128)
    assert good.dtype == np.uint8 and good.all()


def test_the_empty_algorithm_answers_zero() -> None:
    algorithm = Empty()
    algorithm.prepare(CaEvolution(radius=2).spec(0))
    with pytest.raises(StopIteration) as end:
        next(algorithm.train({}))
    assert isinstance(end.value.value, Zero) and not end.value.value.rule().any()
    assert len(end.value.value.rule()) == 32


QUICK = ("task=ca_evolution", "task.held_out=20000", "repeats=1")


def record(home: Any) -> dict[str, Any]:
    return json.loads((home / "results" / "records.jsonl").read_text().splitlines()[-1])


@pytest.mark.parametrize(
    "words,low,high",
    [
        (("algo=known_rule", "algo.rule=gkl"), 0.80, 0.83),
        (("algo=known_rule", "algo.rule=0505408305C90101200B0EFB94C7CFF7"), 0.63, 0.67),
        (
            ("algo=genetic", "task.goal=synchronise", "task.width=61", "task.held_out=1000"),
            0.1,
            1.0,
        ),
        (("algo=lookup", "task.goal=life", "task.held_out=100"), 0.95, 1.0),
    ],
)
def test_a_run(bench: Bench, home: Any, words: tuple[str, ...], low: float, high: float) -> None:
    done = bench("run", *QUICK, *words)
    found = record(home)
    assert low <= found["score"]["value"] <= high and found["score"]["name"] == "accuracy"
    assert found["empty"] and found["task"]["family"] == "rule_search"
    assert f"{found['score']['value']:.4f}" in done.stdout
    kept = next((w.removeprefix("algo.rule=") for w in words if w.startswith("algo.rule=0")), None)
    assert len(found["audit"]["rule"]) in (32, 128) and kept in (None, found["audit"]["rule"])
    drawn = {path.rpartition("/")[2]: path for path in found["pictures"]}
    assert ({"easy.png", "hard.png"} <= set(drawn)) == (found["task"]["config"]["goal"] != "life")
    for name, path in drawn.items():
        start = b"<svg" if name == "score.svg" else b"\x89PNG"
        assert (home / "results" / path).read_bytes().startswith(start)


@pytest.mark.parametrize(
    "words,says",
    [
        (("algo=known_rule", "algo.rule=gkll"), "did you mean gkl"),
        (("algo=known_rule", "algo.rule=00FF"), "hexadecimal digits"),
        (("algo=known_rule", f"algo.rule={'0' * 31}G"), "no hexadecimal digit"),
        (("algo=known_rule", "task.width=150"), "take 149 or 151"),
        (("algo=known_rule", "task.radius=2"), "radius 3, not 2"),
        (("algo=known_rule", "task.goal=life"), "does not learn from pairs"),
        (("algo=lookup",), "does not learn from simulation"),
        (("algo=ngram",), "does not take the family"),
    ],
)
def test_bad_input_is_one_line(bench: Bench, words: tuple[str, ...], says: str) -> None:
    done = bench("run", "task=ca_evolution", *words, code=2)
    assert says in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_an_answer_that_is_none_fails_the_run(bench: Bench, home: Any) -> None:
    (home / "mine.py").write_text(
        "from dataclasses import dataclass\n"
        "import numpy as np\n"
        "from algorithms.base import Algorithm\n"
        "@dataclass\n"
        "class Mine(Algorithm):\n"
        "    '''Returns twos.'''\n"
        "    families = ('rule_search',)\n"
        "    def train(self, data):\n"
        "        yield from ()\n"
        "        return self\n"
        "    def rule(self):\n"
        "        return np.full(self.spec.entries, 2)\n"
    )
    bench("run", *QUICK, "algo=./mine.py:Mine", code=2)
    assert record(home)["status"] == "failed" and "holds 2" in record(home)["error"]
