"""What searches have found and the project keeps: algo=tuned/NAME, and the Records behind it."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest

from algorithms.base import Algorithm
from harness import registry
from harness.config import configure
from harness.errors import BadInputError
from harness.found import load, provenance
from harness.load import load_class
from harness.registry import Choice
from metrics.record import RUN, TRIAL, Record
from metrics.store import Store
from reports.leaderboard import board_rows
from reports.lines import Line
from tests.conftest import Bench

PUBLISHED = Path(__file__).parent.parent / "reports" / "published"
SHELF = registry.choices(registry.TUNED)
FOLDERS = sorted(path.parent for path in PUBLISHED.rglob("records.jsonl.gz"))
EXAMS = PUBLISHED / "exams"
TASKS = {"nanogpt": ("task.text=grammar", "task.bytes=40000", "task.score_bytes=2048")}
SEARCHED = (
    *("process_config", "search", "seed", "find_low_j", "find_high_j", "device", "proposer"),
    *("declared", "task", "variant", "bar", "held_to", "met", "score_name", "score", "energy_j"),
    *("confirmations", "as_published", "budget", "tune", "code_sha256", "versions", "wall_s"),
)
ABSOLUTE = re.compile(r"(?<![\w./:-])/(?!sys/class/)\w[\w.-]*/[\w.-]+")


def by_name(choice: Choice) -> str:
    return choice.option


def records(folder: Path) -> list[Record]:
    loaded = Store(folder).load(Record)
    assert not loaded.problems and loaded.records
    return loaded.records


def worker_j(sat: list[Record]) -> float:
    return sum(e.gross_j for r in sat for e in r.energy if e.domain == "worker")


@pytest.mark.parametrize("choice", SHELF, ids=by_name)
class TestShelf:
    """Every yaml in configs/tuned."""

    def test_it_is_as_the_search_left_it(self, choice: Choice) -> None:
        """Every field of its algorithm and no other; the fields and the figures nobody has touched."""
        found = choice.about["found"]
        words = [f"task={found['task']}", f"algo=tuned/{choice.option}"]
        (config,) = configure(words, multirun=False)
        assert set(choice.fields) == set(
            registry.algorithm_for(config.algo.name, task(found)).fields
        )
        assert provenance(config.algo) == (found["process"], found, [])
        assert choice.description and "\n" not in choice.description

    def test_it_says_what_it_cost(self, choice: Choice) -> None:
        found = load(registry.FOLDER / registry.TUNED / f"{choice.option}.yaml")["about"]["found"]
        assert all(name in found for name in SEARCHED)
        assert found["complete"] and found["met"] and found["confirmations"] and found["device"]
        assert 0 < found["find_low_j"] <= found["find_j"] <= found["find_high_j"]

    def test_it_sits_its_tasks_spec(self, choice: Choice) -> None:
        found = choice.about["found"]
        words = [f"task={found['task']}", *TASKS.get(found["task"], ())]
        (config,) = configure([*words, f"algo=tuned/{choice.option}"], multirun=False)
        algorithm = load_class(config.algo.target)(**config.algo.fields)
        assert isinstance(algorithm, Algorithm)
        algorithm.prepare(load_class(config.task.target)(**config.task.fields).spec(0))

    def test_its_evidence_adds_up(self, choice: Choice) -> None:
        """All that its search sat is there, and comes to its J to find; so is an exam, beside the
        published settings."""
        found = choice.about["found"]
        sat = records(PUBLISHED / found["search"])
        assert {r.kind for r in sat} == {TRIAL} and {r.process for r in sat} == {found["process"]}
        numbers = {r.settings["trial"]["number"] for r in sat}
        assert numbers == set(range(found["trials"]))
        own_j = found["proposer"]["energy_j"]
        said = [r.settings["trial"].get("spent_j") for r in sat]
        if None in said:  # older Records leave out what their pilots spent
            assert 0.3 * found["find_j"] < worker_j(sat) + own_j <= found["find_j"]
        else:
            assert found["find_j"] == pytest.approx(sum(said) + own_j, rel=1e-9)
        exams = [r for r in records(EXAMS) if r.task.variant == found["variant"]]
        exams = [r for r in exams if r.task.bar == found["bar"] and r.kind == RUN]
        mine = [r for r in exams if r.algorithm.config_sha256 == found["config_sha256"]]
        assert {r.draw.seed for r in mine} == {0, 1, 2, 3, 4} and all(r.found for r in mine)
        published = [r for r in exams if r.process == "as_published"]
        assert {r.algorithm.target for r in mine} <= {r.algorithm.target for r in published}
        assert not {r.draw.nonce for r in exams} & {r.draw.nonce for r in sat}


def task(found: dict[str, Any]) -> Choice:
    return registry.find("task", found["task"])[0]


def test_there_is_something_on_the_shelf() -> None:
    assert {choice.target for choice in SHELF} >= {"algorithms.backprop_mlp.BackpropMLP"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_published_records_name_no_path_of_a_machine(folder: Path) -> None:
    text = gzip.decompress((folder / "records.jsonl.gz").read_bytes()).decode()
    found = ABSOLUTE.findall(text)
    assert not found and ABSOLUTE.search('"results=/home/me/x"'), found[:3]
    assert folder.name in (PUBLISHED / "README.md").read_text()


def test_boards_are_made_of_them() -> None:
    """J to find stands beside J per training, and every exam was held."""
    rows = {row["algo_sha256"]: row for row in board_rows(Store(EXAMS).load(Line).records)}
    for choice in SHELF:
        found = choice.about["found"]
        row = rows[found["config_sha256"][:12]]
        assert row["find_j"] == found["find_j"] and row["process"] == found["process"]
        assert row["runs"] == 5 and not row["failed"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("tuned/backprop_sparse_party", "did you mean tuned/backprop_sparse_parity?"),
        ("tuned/", "no configuration is called tuned/"),
        ("tuned/../algo/ngram", "no configuration is called"),
        ("backprop_sparse_parity", "did you mean tuned/backprop_sparse_parity?"),
    ],
)
def test_a_name_that_is_not_on_the_shelf(name: str, says: str) -> None:
    with pytest.raises(BadInputError, match=re.escape(says)):
        configure(["task=sparse_parity", f"algo={name}"], multirun=False)


def test_a_configuration_of_another_family_says_who_takes_it() -> None:
    with pytest.raises(BadInputError, match="does not take the family of task=nanogpt"):
        configure(["task=nanogpt", "algo=tuned/backprop_sparse_parity"], multirun=False)


def test_the_shelf_is_listed_and_its_exam_is_one_of_a_search(bench: Bench, home: Path) -> None:
    said = bench("list").stdout
    for choice in SHELF:
        line = next(line for line in said.splitlines() if line.split()[:1] == [choice.option])
        found = choice.about["found"]
        assert line.split()[1:3] == [found["process"], str(found["trials"])]
    said = bench("list", "tuned/backprop_sparse_parity").stdout
    assert "algo.hidden: " in said and "found by " in said and "held to 0.995: met" in said
    assert "did you mean" in bench("list", "tuned/backprop_sparse", code=2).stderr
    bench("run", "task=sparse_parity", "algo=tuned/backprop_sparse_parity", "repeats=1")
    (record,) = records(home / "results")
    assert record.process != "as_published" and record.found and record.found["find_j"] > 0
    assert record.algorithm.name == "backprop"
    done = bench(
        *("tune", "task=sparse_parity", "algo=tuned/backprop_sparse_parity", "process=random"),
        *("budget.trials=1",),
        code=2,
    )
    assert "is itself what a search found" in done.stderr
