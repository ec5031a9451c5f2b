"""The tuned baseline is what its evidence says, and says so where there is none."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from algorithms import backprop_tuned
from algorithms.backprop_tuned import (
    EVIDENCE,
    FAMILIES,
    BackpropTuned,
    Row,
    build,
    cheapest,
    evidence,
)
from algorithms.base import Refused
from algorithms.hashed_softmax import HashedSoftmax
from harness.load import sources
from metrics.record import Record
from metrics.store import Store
from tests.conftest import Bench
from tests.opponents import answers, segments, train, words


@pytest.fixture(autouse=True)
def t_has_a_headline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backprop_tuned.HEADLINE, "t", 1.5)


def row(bar: float, cpu_ms: float, adapt: bool = False, text: str = "t") -> Row:
    return Row(text, bar, cpu_ms, bar - 0.01, "hashed_softmax", adapt, {"train_bytes": "5000"})


def test_every_row_of_the_evidence_met_its_bar_and_can_be_built() -> None:
    assert evidence()
    for found in evidence():
        assert found.nats <= found.bar and found.cpu_ms > 0
        build(found)
    with EVIDENCE.open() as file:
        assert {r["algo"] for r in csv.DictReader(file)} > {
            r.algo for r in evidence()
        }  # ngram and others


@pytest.mark.parametrize("bar", [1.88, 1.60, 1.47, 1.42, 1.38])
@pytest.mark.parametrize("adapt", [False, True])
def test_the_cheapest_of_every_family_is_taken(bar: float, adapt: bool) -> None:
    try:
        chosen = cheapest("tinyshakespeare", bar, adapt)
    except Refused:
        assert not [
            r for r in evidence() if r.bar <= bar and r.adapt == adapt and r.text != "grammar"
        ]
        return
    others = [
        r for r in evidence() if r.text == "tinyshakespeare" and r.adapt == adapt and r.bar <= bar
    ]
    assert chosen in others and all(chosen.cpu_ms <= r.cpu_ms for r in others)
    assert BackpropTuned(bar=bar, adapt=adapt).adapts == adapt


def test_a_harder_bar_that_was_cheaper_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = row(1.5, 20.0), row(1.4, 10.0), row(1.3, 5.0, adapt=True), row(1.3, 1.0, text="u")
    monkeypatch.setattr(backprop_tuned, "evidence", lambda: rows)
    assert cheapest("t", 1.5, False) is rows[1]
    assert cheapest("t", 1.5, True) is rows[2]
    with pytest.raises(
        Refused, match=r"bar=1.35: .* hardest that was met is 1.4; take that, or algo.adapt=true"
    ):
        cheapest("t", 1.35, False)
    with pytest.raises(Refused, match=r"algo.text=v: there is evidence for t, u alone"):
        cheapest("v", 1.5, False)


def test_it_is_the_chosen_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backprop_tuned, "evidence", lambda: (row(1.5, 20.0),))
    text, lanes = words(20_000), segments(2)
    mine = answers(train(BackpropTuned(text="t", bar=1.5), text), lanes)
    np.testing.assert_array_equal(
        mine, answers(train(HashedSoftmax(train_bytes=5000), text), lanes)
    )


def test_its_code_is_that_of_all_families_and_the_evidence() -> None:
    names = {path.name for path in sources("algorithms.backprop_tuned.BackpropTuned")}
    assert {"stopping_points.csv", "hashed_softmax.cpp", "backprop_gpt.py"} <= names
    assert FAMILIES[0] == "hashed_softmax"


def test_text_and_bar_are_the_tasks_own(bench: Bench, home: Path) -> None:
    words = (
        "task=nanogpt",
        "task.text=grammar",
        "task.bytes=40000",
        "repeats=1",
        "algo=backprop_tuned",
    )
    bench("run", *words, "task.bar=0.9026")
    (record,) = Store(home / "results").load(Record).records
    assert record.algorithm.config == {"text": "grammar", "bar": 0.9026, "adapt": False}
    assert (
        "no gradient-trained model here has met it"
        in bench("run", *words, "task.bar=0.7", code=2).stderr
    )
    done = bench("run", "task=nanogpt", "algo=backprop_tuned", code=2)
    assert "algo.text=pydocs" in done.stderr and "algo.text=tinyshakespeare" in done.stderr
