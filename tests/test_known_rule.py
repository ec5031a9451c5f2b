"""Published rules reproduce the figures that were published with them."""

from __future__ import annotations

import pytest

from algorithms.base import Refused
from algorithms.known_rule import KnownRule
from tasks.automaton.rules import KNOWN, parse_rule, to_hex
from tasks.base import Score, TaskError
from tasks.ca_evolution import CaEvolution


def sat(rule: str, task: CaEvolution) -> Score:
    algorithm = KnownRule(rule)
    algorithm.prepare(task.spec(0))
    draw = task.draws([11], 1)[0]
    with pytest.raises(StopIteration) as end:
        next(algorithm.train(draw.train))
    return task.examine(draw, end.value.value)


@pytest.mark.parametrize("name", KNOWN)
def test_known_rules_score_what_was_measured(name: str) -> None:
    """Within three standard errors of the listed figure, and of what was published two digits on."""
    score = sat(name, CaEvolution())
    assert score.value == pytest.approx(KNOWN[name].measured, abs=3 * score.se + 0.0005)
    assert score.value == pytest.approx(KNOWN[name].published, abs=3 * score.se + 0.005)
    assert score.secondary["uniform"] >= score.value >= score.secondary["hardest"]


def test_a_name_is_its_digits() -> None:
    task = CaEvolution(held_out=640)
    assert sat("gkl", task) == sat(to_hex(parse_rule("gkl")), task)


@pytest.mark.parametrize("width", [599, 999])
def test_a_rule_generalises_as_its_kind_does(width: int) -> None:
    """GKL gets a little worse on wider rings; the strategy that expands blocks fails on them."""
    task = CaEvolution(width=width, held_out=6400)
    gkl, blocks = sat("gkl", task), sat("phi_exp", task)
    assert 0.65 < gkl.value < 0.80 and blocks.value < 0.55


def test_what_it_refuses() -> None:
    with pytest.raises(Refused, match=r"task\.goal=life"):
        KnownRule().prepare(CaEvolution(goal="life").spec(0))
    with pytest.raises(TaskError, match="hexadecimal"):
        KnownRule("00").prepare(CaEvolution().spec(0))
