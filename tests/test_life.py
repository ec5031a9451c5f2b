"""ca_evolution's goal on a torus: what is shown, how it is scored, and the reference that looks it up."""

from __future__ import annotations

import numpy as np
import pytest

from algorithms.lookup import Lookup
from algorithms.rule_pictures import Rule
from tasks.automaton import torus
from tasks.ca_evolution import CaEvolution


def test_a_torus_is_read_row_by_row() -> None:
    rng = np.random.default_rng(1)
    cells = rng.integers(0, 2, (2, 5, 5)).astype(np.uint8)
    index = torus.neighbourhoods(cells)
    for m, row, column in np.ndindex(cells.shape):
        seen = [cells[m, (row + i) % 5, (column + j) % 5] for i in (-1, 0, 1) for j in (-1, 0, 1)]
        assert index[m, row, column] == int("".join(map(str, seen)), 2)


def test_a_glider_flies() -> None:
    born, survives = np.zeros((2, 9), np.uint8)
    born[3] = survives[2] = survives[3] = 1
    glider = np.zeros((1, 8, 8), np.uint8)
    glider[0, [0, 1, 2, 2, 2], [1, 2, 0, 1, 2]] = 1
    cells = glider
    for _ in range(4):
        cells = torus.step(torus.outer_totalistic(born, survives), cells)
    assert (cells == np.roll(glider, (1, 1), axis=(1, 2))).all()


def test_life_scores_cells() -> None:
    task = CaEvolution(goal="life", width=12, pairs=1, held_out=30)
    for draw in task.draws([4], 6):
        hidden, tori = draw.key["table"], draw.key["tori"]
        assert (torus.step(hidden, draw.train["before"]) == draw.train["after"]).all()
        table = np.where(np.arange(512) % 3 == 0, 1 - hidden, hidden)
        score = task.examine(draw, Rule(table))
        assert score.value == pytest.approx(
            (torus.step(table, tori) == torus.step(hidden, tori)).mean()
        )
        assert score.secondary["entries"] == (table == hidden).mean()
        assert 0.1 < score.secondary["entries_shown"] < 0.3  # of 144 cells that see 512 things
        assert 0 < score.se < 0.05
        best = task.examine(draw, Rule(hidden))
        assert best.value == 1.0 and best.se > 0


def test_hidden_rules_differ_and_some_count() -> None:
    draws = CaEvolution(goal="life", held_out=2).draws([6], 40)
    hidden = [draw.key["table"] for draw in draws]
    assert len({table.tobytes() for table in hidden}) == 40
    kind = torus.outer_totalistic(np.arange(9), np.arange(9, 18))
    assert set(np.unique(kind)) == set(range(18))
    count = sum(all(len(set(table[kind == k])) == 1 for k in range(18)) for table in hidden)
    assert 8 < count < 32


@pytest.mark.parametrize("width,pairs,low", [(20, 4, 0.97), (20, 1, 0.7)])
def test_looking_up(width: int, pairs: int, low: float) -> None:
    task = CaEvolution(goal="life", width=width, pairs=pairs, held_out=20)
    for draw in task.draws([7], 6):
        algorithm = Lookup()
        algorithm.prepare(task.spec(0))
        with pytest.raises(StopIteration) as end:
            next(algorithm.train(draw.train))
        score = task.examine(draw, end.value.value)
        kind = torus.outer_totalistic(np.arange(9), np.arange(9, 18))
        counts = all(len(set(draw.key["table"][kind == k])) == 1 for k in range(18))
        assert score.value > low and (score.value > 0.99) >= counts
        assert score.secondary["entries"] >= score.secondary["entries_shown"]
