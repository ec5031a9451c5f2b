"""found.yaml: what is written can be read; and joules of another device are not taken for one's own."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from harness.config import configure
from harness.errors import BadInputError
from harness.found import provenance, read, write
from harness.search_setup import budget_of
from harness.trials import Trials
from harness.tune import Budget
from metrics.record import Record
from metrics.store import Store, StoreError
from reports.leaderboard import board_rows
from reports.lines import Line
from tests.conftest import Bench
from tests.test_tune import outcome, search

SAID = {"process": "as_published", "trials": 1, "find_j": 2.0, "source": "modelled:cpu_time"}


@pytest.mark.parametrize("bar", ["null", "1.47"])
def test_fields_that_follow_the_task_are_read_back(home: Path, bar: str) -> None:
    """Their default is no value of theirs, so it says nothing of their type."""
    task = ["task=nanogpt", "task.text=tinyshakespeare", f"task.bar={bar}"]
    (config,) = configure([*task, "algo=backprop_tuned"], multirun=False)
    path = write(home, config.algo, SAID, "found")
    (again,) = configure([*task, f"algo={path}"], multirun=False)
    assert again.algo.fields == config.algo.fields
    assert again.algo.fields["bar"] == (None if bar == "null" else 1.47)
    assert provenance(again.algo)[0] == "as_published" and not provenance(again.algo)[2]
    (own,) = configure([*task, "algo=backprop_tuned", "algo.bar=null"], multirun=False)
    assert own.algo.fields["bar"] is None


def test_a_found_yaml_of_a_field_that_follows_the_task(bench: Bench, home: Path) -> None:
    words = (
        "task=nanogpt",
        "task.text=grammar",
        "task.bytes=40000",
        "task.bar=0.9026",
        "repeats=1",
    )
    bench(
        "tune",
        *words,
        "algo=backprop_tuned",
        "process=as_published",
        "tune.name=a",
        "tune.confirm=0",
    )
    bench("run", *words, f"algo={home / 'results' / 'tune' / 'a' / 'found.yaml'}")
    (record,) = Store(home / "results").load(Record).records
    assert record.found and record.algorithm.config["bar"] == 0.9026


def test_a_search_goes_on_on_the_device_where_it_began(tmp_path: Path) -> None:
    with Trials(tmp_path) as trials:
        first = search(
            trials, sit=lambda f, d, *_: outcome(f, d, device="cpu: a"), budget=Budget(3)
        )
        first.run()
        assert first.device() == "cpu: a"
    with Trials(tmp_path) as trials:
        other = search(
            trials, sit=lambda f, d, *_: outcome(f, d, device="cpu: b"), budget=Budget(9)
        )
        with pytest.raises(BadInputError, match=r"sat on cpu: a, this one sat on cpu: b.*--fresh"):
            other.run()
        assert len(other.rows) == 4 and other.rows[3].unmetered == 1


def test_joules_of_another_device_are_not_equalled(home: Path) -> None:
    given = dict.fromkeys(("trials", "energy_j", "wall_s"))
    (config,) = configure(["task=nanogpt", "algo=ngram"], multirun=False)
    path = write(home, config.algo, {**SAID, "source": "modelled:made_up", "device": "cpu: a"}, "x")
    budget = budget_of({**given, "like": str(path)}, False)
    assert (budget.trials, budget.energy_j, budget.device) == (1, 2.0, "cpu: a")
    budget = replace(budget, energy_j=1000.0)
    for device, fits in (("cpu: a", True), ("cpu: b", False)):
        folder = home / device
        with Trials(folder) as trials:
            made = search(
                trials, sit=lambda f, d, *_, on=device: outcome(f, d, device=on), budget=budget
            )
            if fits:
                assert "budget.trials=1" in made.run()
            else:
                with pytest.raises(
                    BadInputError, match="joules of cpu: a; here they are of cpu: b"
                ):
                    made.run()


def test_what_a_search_spent_elsewhere_is_not_set_against_joules_here(
    bench: Bench, home: Path
) -> None:
    """On a board only beside runs of its own device; one that does not say is believed."""
    words = ("task=sparse_parity", "task.n=12", "task.k=2", "repeats=2")
    (config,) = configure([*words, "algo=backprop", "algo.lr=0.05"], multirun=False)
    path = write(home, config.algo, SAID, "found")
    bench("run", *words, f"algo={path}")
    (line,) = Store(home / "results").load(Line).records
    assert line.found
    here = line.host.device_class
    for device, shown in ((None, 2.0), (here, 2.0), ("cpu: b", None)):
        found = msgspec.structs.replace(line.found, device=device)
        (row,) = board_rows([msgspec.structs.replace(line, found=found)])
        assert row["find_j"] == shown


def test_a_trials_record_says_what_its_pilots_spent_too(bench: Bench, home: Path) -> None:
    """So that the Records of a search come to its J to find."""
    words = ("task=sparse_parity", "task.n=12", "task.k=2", "algo=backprop", "tune.name=a")
    bench("tune", *words, "process=as_published", "tune.confirm_draws=1", "meter.floor_s=0.05")
    sat = Store(home / "results" / "tune" / "a").load(Record).records
    found = read(str(home / "results" / "tune" / "a"))
    assert len(sat) == 2 and all(r.draw.pilots for r in sat)
    spent_j = sum(r.settings["trial"]["spent_j"] for r in sat)
    assert found["find_j"] == pytest.approx(spent_j + found["proposer"]["energy_j"])
    last_j = sum(e.gross_j for r in sat for e in r.energy if e.domain == "worker")
    assert spent_j > last_j and found["device"] == sat[0].host.device_class


def test_packed_records_are_read_and_appended_to(bench: Bench, home: Path) -> None:
    """As published: gzip of the file, whole or an error that names it."""
    bench("run", "task=sparse_parity", "task.n=12", "task.k=2", "repeats=2", "algo=empty")
    store = Store(home / "results")
    (record,) = store.load(Record).records
    packed = store.path.with_name("records.jsonl.gz")
    packed.write_bytes(gzip.compress(store.path.read_bytes()))
    store.path.unlink()
    assert store.load(Record).records == [record] and store.find("last") == record
    other = msgspec.structs.replace(record, run="other")
    store.append(other)
    assert store.load(Record).records == [record, other]
    assert "empty" in bench("leaderboard").stdout
    torn = gzip.decompress(packed.read_bytes()) + b'{"run": "to'  # its writer was killed
    packed.write_bytes(gzip.compress(torn))
    loaded = store.load(Record)
    assert loaded.records == [record, other] and len(loaded.problems) == 1
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(StoreError, match=r"cannot read .*records\.jsonl\.gz"):
        store.load(Record)
    packed.write_bytes(b"no gzip")
    assert "records.jsonl.gz: Not a gzipped file" in bench("leaderboard", code=2).stderr
