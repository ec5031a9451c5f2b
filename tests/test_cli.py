"""The commands as a user types them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import jsonschema
import pytest

from metrics.record import Record, json_schema
from metrics.store import Store
from reports.leaderboard import COLUMNS
from tests.conftest import Bench

PARITY = ("task=sparse_parity", "algo=xor_elimination")
QUICK = (*PARITY, "repeats=4")
SMALL_GPT = (
    *("algo.n_layer=1", "algo.n_embd=64", "algo.max_iters=400"),
    *("algo.warmup_iters=10", "algo.learning_rate=0.003"),
)
TEXT = ("task=nanogpt", "task.text=grammar", "task.bytes=40000", "repeats=1")


def records(home: Path) -> list[Record]:
    return Store(home / "results").load(Record).records


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("task=sparse_parity", "which algo? say algo=NAME, one of: backprop"),
        ("algo=ngram", "which task? say task=NAME, one of: ca_evolution, nanogpt, sparse_parity"),
        ("task=nanogtp algo=ngram", "did you mean nanogpt?"),
        ("task=nanogpt algo=ngramm", "did you mean ngram?"),
        ("task=nanogpt algo=xor_elimination", "these do: backprop, backprop_tuned, empty, "),
        ("task=sparse_parity algo=ngram", "does not take the family of task=sparse_parity"),
        ("task=sparse_parity algo=xor_elimination task.rwos=3", "did you mean rows?"),
        ("task=sparse_parity algo=xor_elimination sede=3", "did you mean seed?"),
        ("task=sparse_parity algo=xor_elimination seed=abc", "seed=abc: expected int"),
        ("task=sparse_parity algo=xor_elimination seed=-1", "must be 0 to"),
        ("task=sparse_parity algo=xor_elimination task.n=abc", "must be a whole number"),
        ("task=sparse_parity algo=xor_elimination task.n=1.5", "must be a whole number"),
        ("task=sparse_parity algo=xor_elimination task.noise=x", "must be a number"),
        ("task=sparse_parity algo=xor_elimination task.known_k=3", "must be true or false"),
        ("task=sparse_parity algo=xor_elimination task.k=30", "cannot exceed task.n=20"),
        ("task=sparse_parity algo=xor_elimination task.rows=0", "at least 1"),
        ("task=sparse_parity algo=xor_elimination task.bar=high", "task.bar"),
        ("task=sparse_parity algo=xor_elimination threads=0", "threads=0: must be 1 to"),
        ("task=sparse_parity algo=xor_elimination repeats=0", "repeats=0: must be 1 to"),
        ("task=sparse_parity algo=xor_elimination limits.train_s=0", "must be above 0"),
        ("task=sparse_parity algo=xor_elimination limits.train=5", "did you mean train_s?"),
        (
            "task=sparse_parity algo=xor_elimination meter=nvlm",
            "no meter is called nvlm (did you mean nvml?)",
        ),
        ("task=sparse_parity algo=xor_elimination meter.floor_s=0", "meter.floor_s=0"),
        ("task=sparse_parity algo=xor_elimination seed=1,2", "several values need -m"),
        ("task=sparse_parity algo=xor_elimination +task.q=1", "fields can be set, not added"),
        ("task=sparse_parity algo=xor_elimination task.n=[", "cannot read the command line"),
        ("task=sparse_parity algo=./none.py:X", "bench new algorithm ./none.py"),
        ("sparse_parity", "'sparse_parity' sets nothing"),
        ("task=nanogpt algo=ngram task.text=none.txt", "task.text=none.txt"),
        ("task=nanogpt algo=ngram algo.order=0", "algo.order=0"),
        ("task=nanogpt algo=backprop algo.n_embd=7", "algo.n_embd=7"),
    ],
)
def test_bad_input_is_one_line_with_the_way_out(
    bench: Bench, home: Path, words: str, says: str
) -> None:
    done = bench("run", *words.split(), code=2)
    assert done.stderr.startswith("bench: ") and done.stderr.count("\n") == 1, done.stderr
    assert says in done.stderr
    assert not records(home)


def test_texts_that_cannot_be_used(bench: Bench, home: Path) -> None:
    (home / "empty.txt").write_bytes(b"")
    (home / "binary.txt").write_bytes(bytes(range(256)) * 200)
    (home / "short.txt").write_bytes(b"to be\n" * 50)
    (home / "good.txt").write_bytes(b"to be or not to be\n" * 2000)
    for name, says in [("empty", "empty"), ("binary", "NUL"), ("short", "short")]:
        done = bench("run", "task=nanogpt", f"task.text={name}.txt", "algo=ngram", code=2)
        assert says in done.stderr and f"{name}.txt" in done.stderr
    done = bench(
        "run", "task=nanogpt", "task.text=good.txt", f"task.sha256={'0' * 64}", "algo=ngram", code=2
    )
    assert "task.sha256" in done.stderr


def test_one_sweep_and_everything_that_reads_it(bench: Bench, home: Path) -> None:
    """A sweep, then list, show, compare, replay, dry-run and leaderboard over its Records."""
    bench("run", "-m", "task=sparse_parity", "algo=xor_elimination,empty", "seed=0,1", "repeats=4")
    made = records(home)
    assert [(r.algorithm.name, r.draw.seed) for r in made] == [
        ("xor_elimination", 0),
        ("xor_elimination", 1),
        ("empty", 0),
        ("empty", 1),
    ]
    for line in (home / "results" / "records.jsonl").read_text().splitlines():
        jsonschema.validate(json.loads(line), json_schema())
    assert len({r.draw.nonce for r in made}) == 4
    best = made[0]
    assert best.score and best.score.value == 1.0 and best.score.target_met
    assert best.empty and best.headline and best.headline.source == "modelled:cpu_time"
    assert [p.phase for p in best.phases] == ["setup", "train", "inference"]

    shown = bench("show", best.run).stdout
    assert best.draw.nonce in shown and "modelled:cpu_time" in shown
    assert json.loads(bench("show", best.run, "--json").stdout)["run"] == best.run

    both = bench("compare", best.run, made[2].run).stdout
    assert "xor_elimination" in both and "empty" in both

    again = bench("replay", best.run)
    assert "the same" in again.stdout
    replayed = records(home)[-1]
    assert replayed.task.data_sha256 == best.task.data_sha256
    assert replayed.draw.replay_of == best.run and replayed.draw.nonce == best.draw.nonce

    dry = bench("run", "--dry-run", *QUICK).stdout
    assert "earlier" in dry and "Nothing was run" in dry
    assert len(records(home)) == 5

    table = bench("leaderboard").stdout
    assert "xor_elimination" in table
    with (home / "results" / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS)
    assert [(r["algo"], r["rank"], r["runs"], r["target_met"]) for r in rows] == [
        ("xor_elimination", "1", "2", "true"),
        ("empty", "2", "2", "false"),
    ]
    assert all(name in bench("leaderboard", "--columns").stdout for name in COLUMNS)


def test_two_sources_or_tasks_are_never_divided(bench: Bench, home: Path) -> None:
    bench("run", "-m", *QUICK, "task.n=20,30")
    a, b = records(home)
    assert "no ratios: the runs sat different tasks" in bench("compare", a.run, b.run).stderr


def test_work_below_the_floor_is_repeated_over_different_draws(bench: Bench, home: Path) -> None:
    bench("run", *PARITY, "meter.floor_s=0.05")
    record = records(home)[0]
    train = next(p for p in record.phases if p.phase == "train")
    assert record.draw.repeats > 50 and train.repeats == record.draw.repeats
    assert record.score and record.score.predictions == 1000 * record.draw.repeats


@pytest.mark.parametrize(
    "words",
    [
        (*TEXT, "algo=ngram", "algo.order=3"),
        (*TEXT, "algo=backprop", *SMALL_GPT),
        ("task=sparse_parity", "algo=backprop", "repeats=2"),
        ("task=sparse_parity", "algo=xor_elimination", "task.access=queries", "repeats=2"),
    ],
)
def test_every_pair_end_to_end(bench: Bench, home: Path, words: tuple[str, ...]) -> None:
    out = bench("run", *words).stdout
    record = records(home)[0]
    assert record.status == "ok" and record.score and record.headline
    assert record.score.skill > 0.1
    assert (
        record.headline.energy_j.low
        <= record.headline.energy_j.value
        <= record.headline.energy_j.high
    )
    assert record.headline.cold_j.value > record.headline.energy_j.value
    assert record.run in out
    if "task.access=queries" in words:
        assert 21 <= record.draw.queries / 2 <= 60


def test_an_algorithm_and_a_task_of_ones_own(bench: Bench, home: Path) -> None:
    said = bench("new", "algorithm", "my_line.py").stdout
    assert "algo=./my_line.py:MyLine" in said
    bench("new", "task", "votes.py")
    bench("run", "task=sparse_parity", "task.k=1", "algo=./my_line.py:MyLine", "repeats=2")
    bench("run", "task=./votes.py:Votes", "algo=xor_elimination", "task.n=12", "repeats=2")
    first, second = records(home)
    assert first.score and first.score.target_met
    assert second.score and second.score.target_met and second.task.config["n"] == 12
    done = bench("run", "task=sparse_parity", "algo=./my_line.py:MyLine", "algo.ridge=-1", code=2)
    assert "algo.ridge=-1" in done.stderr
    assert "exists already" in bench("new", "task", "votes.py", code=2).stderr
    done = bench("run", "task=sparse_parity", "algo=./my_line.py:Myline", code=2)
    assert "did you mean MyLine?" in done.stderr


def test_list_names_everything_and_shows_fields(bench: Bench) -> None:
    said = bench("list").stdout
    for name in ("sparse_parity", "nanogpt", "backprop", "ngram", "xor_elimination", "cpu_time"):
        assert name in said
    assert "task.noise: 0.0" in bench("list", "sparse_parity").stdout
    assert "did you mean ngram?" in bench("list", "ngrm", code=2).stderr


def test_no_records_yet_says_which_command_makes_some(bench: Bench) -> None:
    for words in (("leaderboard",), ("show",), ("replay", "last"), ("compare", "a", "b")):
        assert "make one with: bench run" in bench(*words, code=2).stderr


def test_a_text_that_needs_a_network_says_what_needs_none(
    bench: Bench, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing listens there
    done = bench("run", "task=nanogpt", "task.text=tinyshakespeare", "algo=ngram", code=2)
    assert done.stderr.count("\n") == 1 and "task.text=pydocs" in done.stderr
    assert str(home / "data") in done.stderr and not records(home)


def test_a_replay_of_a_draw_that_is_gone_is_told(bench: Bench, home: Path) -> None:
    text = home / "mine.txt"
    text.write_bytes(b"to be or not to be, that is the question\n" * 1000)
    bench("run", "task=nanogpt", "task.text=mine.txt", "algo=ngram", "repeats=1")
    text.write_bytes(b"to be or not to be, that was the question\n" * 1000)
    assert "has changed since" in bench("replay", "last", code=2).stderr
