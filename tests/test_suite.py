"""Suites: what they expand to, that their runs share a draw, and what is wrong with those that are."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config import configure
from harness.errors import BadInputError
from harness.load import construct
from harness.suite import expand, load, names
from metrics.record import Record
from metrics.store import Store
from tests.conftest import Bench

MINE = """
about: {description: two algorithms on a short text}
words: task=nanogpt task.text=grammar task.bytes=40000 task.score_bytes=2048
runs:
  - task.bar=3.0 algo=ngram algo.order=2
  - task.bar=3.0 algo=empty
"""


def mine(home: Path, text: str = MINE) -> str:
    (home / "mine.yaml").write_text(text)
    return "suite=mine.yaml"


@pytest.mark.parametrize("name", names())
def test_every_run_of_a_published_suite_can_be_seated(name: str) -> None:
    """Constructs every task and algorithm; a field that is gone or refused shows here."""
    assert load(name)["about"]["description"]
    for job in expand([f"suite={name}"])[0]:
        (config,) = configure(job, multirun=False)
        construct(config.task.target, config.task.fields, "task")
        construct(config.algo.target, config.algo.fields, "algo")
        assert config.task.fields["bar"] is not None, job


def test_combinations_are_sat_one_after_the_other(home: Path) -> None:
    first, second = expand([mine(home), "seed=1,2", "threads=1"])
    assert first[0] == [
        *("task=nanogpt", "task.text=grammar", "task.bytes=40000", "task.score_bytes=2048"),
        *("task.bar=3.0", "algo=ngram", "algo.order=2", "seed=1", "threads=1"),
    ]
    assert len(first) == len(second) == 2 and "seed=2" in second[1]
    assert len(expand([mine(home), "algo=empty"])[0]) == 1


def test_runs_share_their_draw_and_no_other(bench: Bench, home: Path) -> None:
    bench("run", mine(home), "seed=1,2", "repeats=1")
    records = Store(home / "results").load(Record).records
    assert [(r.algorithm.name, r.draw.seed) for r in records] == [
        *(("ngram", 1), ("empty", 1), ("ngram", 2), ("empty", 2)),
    ]
    assert all(r.draw.shared for r in records)
    hashes = [r.task.data_sha256 for r in records]
    assert hashes[0] == hashes[1] != hashes[2] == hashes[3]  # with as many draws in a window
    front = bench("front", "--csv", "front.csv").stdout
    assert "ngram" in front and "2 of 2" in front and "0 of 2, not met" in front
    assert (home / "front.csv").read_text().count("\n") == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "there are: "),
        ("", "must have runs"),
        ("runs: [", "cannot be read"),
        ("runs: [task=nanogpt]", "a run names no algo="),
        ("runs: {a: b}", "each of runs are a line of words"),
        ("runs: [algo=ngram]\nspeed: 3", "nothing else"),
    ],
)
def test_bad_suites(home: Path, text: str | None, says: str) -> None:
    word = "suite=none" if text is None else mine(home, text)
    with pytest.raises(BadInputError, match=says):
        expand([word])


def test_an_algorithm_that_is_not_in_it(home: Path) -> None:
    with pytest.raises(BadInputError, match="has no run of algo=ppm; it has: empty, ngram"):
        expand([mine(home), "algo=ppm"])
    with pytest.raises(BadInputError, match="one suite at a time"):
        expand(["suite=a", "suite=b"])
