"""Hypercell on sparse parity: what it finds, what its switches do, what it leaves behind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.base import Progress, Refused
from algorithms.hypercell.learn_parity import HypercellParity
from algorithms.parity_mask import Parity
from harness.load import sources
from tasks.base import Draw
from tasks.sparse_parity import SparseParity
from tests.conftest import Bench


def ready(task: SparseParity, seed: int = 0, **fields: Any) -> HypercellParity:
    algorithm = HypercellParity(**fields)
    algorithm.prepare(task.spec(seed))
    return algorithm


def learn(algorithm: HypercellParity, draw: Draw) -> Parity:
    training = algorithm.train(draw.train)
    try:
        while True:
            assert isinstance(next(training), Progress)
    except StopIteration as end:
        return end.value


@pytest.mark.parametrize(
    ("fields", "repeats"),
    [
        ({}, 50),
        ({"n": 50, "k": 3}, 20),
        ({"n": 63, "k": 5}, 20),
        ({"n": 64, "k": 5}, 20),  # the label begins a word of its own
        ({"n": 100, "k": 6}, 20),
        ({"n": 300, "k": 150}, 3),
        ({"n": 7, "k": 2}, 20),
        ({"n": 1, "k": 1}, 3),
        ({"noise": 0.1}, 20),
        ({"noise": 0.2}, 10),
        ({"n": 50, "k": 5, "noise": 0.1}, 10),
        ({"known_k": True}, 2),
        ({"n": 8, "rows": 60, "noise": 0.1}, 20),
        ({"n": 4, "k": 2, "rows": 40, "noise": 0.1}, 20),
    ],
)
def test_finds_the_secret(fields: dict[str, Any], repeats: int) -> None:
    task = SparseParity(**fields)
    algorithm = ready(task)
    for draw in task.draws([11], repeats):
        predictor = learn(algorithm, draw)
        assert predictor.columns == draw.key["secret"].tolist()
        assert task.examine(draw, predictor).value == 1


ABLATIONS: list[dict[str, Any]] = [
    {"reproduction": False},
    {"neighbours": False},
    {"heredity": False},
    {"one_location": True},
    {"species": "holders"},
    {"species": "masks"},
    {"doubt": 64},
    {"talk": 0},
    {"caste": 255},
    {"geometry": "h200", "founders": 64},
]


@pytest.mark.parametrize("fields", ABLATIONS, ids=str)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_ablations_find_it_too(fields: dict[str, Any], noise: float) -> None:
    """At n = 20 the search is easy enough for each of them; the benchmark says what they cost."""
    task = SparseParity(noise=noise)
    algorithm = ready(task, **fields)
    for draw in task.draws([3], 3):
        assert learn(algorithm, draw).columns == draw.key["secret"].tolist()


def test_ablations_switch_off_what_they_say() -> None:
    task = SparseParity(n=50, noise=0.3)

    def events(**fields: Any) -> dict[str, int]:
        algorithm = ready(task, ticks=300, **fields)
        learn(algorithm, task.draws([5], 1)[0])
        return algorithm.world.tallies()

    whole = events()
    assert whole["births"] > 0 and whole["told"] > 0
    alone = events(reproduction=False)
    assert alone["births"] == 0 and alone["told"] > 0 and alone["lived"] == 300 * 8
    apart = events(neighbours=False)
    assert apart["births"] == apart["told"] == 0 and apart["lived"] == 300 * 8
    assert events(one_location=True)["lived"] == 300


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.integers(1, 90), st.sampled_from([0.0, 0.1]))
def test_threads_and_pictures_change_nothing(seed: int, n: int, noise: float) -> None:
    """A training by two threads, or looked at between ticks, ends in the same state."""
    from algorithms.hypercell.camera import Camera

    task = SparseParity(n=n, k=min(n, 3), noise=noise, rows=400, held_out=10)
    draw = task.draws([seed], 1)[0]
    fields = {"ticks": 60, "geometry": "h200", "founders": 9}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        one = ready(task, seed, **fields)
        secret = learn(one, draw).columns
        patch.setenv("OMP_NUM_THREADS", "2")
        two = ready(task, seed, **fields)
        assert learn(two, draw).columns == secret and two.world.hash() == one.world.hash()
    assert two.world.layout.tiles > 2
    state = one.world.hash()
    camera = Camera(one.world, 1)
    for _ in one._search(draw.train["x"], draw.train["y"], camera):
        pass
    assert one.world.hash() == state
    assert [frame.tick for frame in camera.film.frames] == list(range(one.world.tick))


def test_every_training_begins_afresh() -> None:
    task = SparseParity(noise=0.1)
    first, other = task.draws([8], 2)
    algorithm = ready(task)
    learn(algorithm, first)
    state = algorithm.world.hash()
    learn(algorithm, other)
    assert algorithm.world.hash() != state
    learn(algorithm, first)
    assert algorithm.world.hash() == state


def test_too_few_rows_are_explained_by_a_light_mask() -> None:
    """With fewer rows than inputs many masks are right about all of them."""
    task = SparseParity(n=40, k=1, rows=12, held_out=10)
    for draw in task.draws([2], 5):
        mask = learn(ready(task), draw)
        assert (mask.predict(draw.train["x"]) == draw.train["y"]).all()


def test_gives_up_in_time(capfd: pytest.CaptureFixture[str]) -> None:
    """Labels that are nobody's parity: it stops at the limit with some mask."""
    task = SparseParity(n=30, noise=0.49)
    algorithm = ready(task, ticks=200)
    mask = learn(algorithm, task.draws([1], 1)[0])
    assert algorithm.world.tick == 200 and set(mask.columns) <= set(range(30))


def test_extinction_is_survived(capfd: pytest.CaptureFixture[str]) -> None:
    """Everybody starves: the best mask so far is the answer, and it is said once."""
    from dataclasses import replace

    from algorithms.hypercell import parity

    task = SparseParity(n=30, noise=0.4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parity, "ECONOMY", replace(parity.ECONOMY, rent=200))
        algorithm = ready(task, species="holders")
    for draw in task.draws([1], 2):
        learn(algorithm, draw)
        assert algorithm.world.population == 0
    assert capfd.readouterr().out.count("everybody had starved by tick") == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ticks": 0}, "algo.ticks=0: must be a whole number from 1"),
        ({"bite": "many"}, "algo.bite=many: must be a whole number"),
        ({"founders": True}, "algo.founders=True"),
        ({"mutation": 256}, "from 0 to 255"),
        ({"species": "holder"}, "must be one of both, holders, masks"),
        ({"save": "here"}, "algo.save=here: must be an absolute path"),
        ({"genome": 5}, "algo.genome=5: must be an absolute path"),
        ({"genome": "/a", "resume": "/b"}, "give one"),
    ],
)
def test_bad_fields_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=re.escape(words)):
        HypercellParity(**fields)


@pytest.mark.parametrize(
    ("task", "fields", "words"),
    [
        ({"rule": "sum"}, {}, "learns task.rule=parity only"),
        ({}, {"geometry": "laptops"}, "known are cluster, h200, laptop"),
        ({}, {"genome": "/nowhere/genome.json"}, "/nowhere/genome.json"),
        ({}, {"resume": "/nowhere/space"}, "/nowhere/space"),
        ({}, {"save": "/proc/nowhere"}, "/proc/nowhere: cannot be written to"),
        ({}, {"geometry": 7}, "known are cluster, h200, laptop"),
    ],
)
def test_what_cannot_be_prepared_is_refused(
    task: dict[str, Any], fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(Refused, match=re.escape(words)):
        ready(SparseParity(**task), **fields)


def test_a_space_is_saved_and_gone_on_from(tmp_path: Path) -> None:
    task = SparseParity(noise=0.1)
    draw = task.draws([4], 1)[0]
    saved = ready(task, save=str(tmp_path))
    assert learn(saved, draw).columns == draw.key["secret"].tolist()
    assert {p.name for p in tmp_path.iterdir()} == {"space.hypercell", "genome.json"}
    tick, state = saved.world.tick, saved.world.hash()
    living = saved.world.arrays["energy"].copy()
    resumed = ready(task, resume=str(tmp_path / "space.hypercell"), bite=16)
    founded = ready(task, genome=str(tmp_path / "genome.json"))
    resumed.world.reset()
    assert resumed.begins == resumed.world.tick == tick
    assert (resumed.world.arrays["energy"] == living).all() and resumed.world.hash() != state
    for other in task.draws(
        [5], 20
    ):  # what it knew of the old draw must not answer for the new ones
        assert learn(resumed, other).columns == other.key["secret"].tolist()
        assert learn(founded, other).columns == other.key["secret"].tolist()
    with pytest.raises(Refused, match="seed"):
        ready(task, seed=1, resume=str(tmp_path / "space.hypercell"))
    for n in (24, 80):
        with pytest.raises(Refused, match="biology"):
            ready(SparseParity(n=n), genome=str(tmp_path / "genome.json"))
        with pytest.raises(Refused, match="biology"):
            ready(SparseParity(n=n), resume=str(tmp_path / "space.hypercell"))


def test_kernel_and_geometry_count_as_code() -> None:
    names = {path.name for path in sources("algorithms.hypercell.learn_parity.HypercellParity")}
    assert {"parity.h", "engine.h", "laptop.yaml", "learn_parity.py", "world.py"} <= names


def test_a_whole_run_with_a_film(bench: Bench, home: Path) -> None:
    done = bench("run", "task=sparse_parity", "algo=hypercell", "algo.film=true", "repeats=20")
    assert re.search(r"^score +1\.0000", done.stdout, re.M) and "target ≥ 0.99: met" in done.stdout
    pictures = sorted(path.name for path in (home / "results" / "pictures").glob("*/*"))
    assert pictures == ["hypercell.gif", "hypercell.png"]


def test_what_is_left_in_messages_does_not_matter() -> None:
    """`reset` leaves old messages where they are: only what an outbox announces counts."""
    task = SparseParity(noise=0.1)
    draw = task.draws([9], 1)[0]
    algorithm = ready(task)
    learn(algorithm, draw)
    state = algorithm.world.hash()
    rng = np.random.default_rng(0)
    messages = algorithm.world.arrays["messages"]
    messages[:] = rng.integers(1 << 32, size=messages.shape, dtype=np.uint32)
    learn(algorithm, draw)
    assert algorithm.world.hash() == state
