"""The loop of a search and its processes, on outcomes that are made up and so always the same."""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import registry
from harness.errors import BadInputError
from harness.load import construct
from harness.processes.base import Problem
from harness.processes.space import Space
from harness.trial_run import Sat
from harness.trials import FILE, SEARCH, Trial, Trials
from harness.tune import Budget, Rules, Search

FIELDS = {"hidden": 12, "lr": 0.5, "kind": "a", "warm": True}
SEARCHED = {
    "hidden": {"low": 2, "high": 200, "log": True},
    "lr": {"low": 0.001, "high": 1.0, "log": True},
    "kind": {"choices": ["a", "b"]},
    "warm": {"choices": [True, False]},
}
SPACE = Space.read(SEARCHED, FIELDS, "algo=made_up")
PROCESSES = ["random", "tpe", "evolve"]
Sit = Callable[[dict[str, Any], int, dict[str, Any], dict[str, float]], Sat]


@pytest.fixture(autouse=True)
def without_flushing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test pulls the plug."""
    monkeypatch.setattr(Trials, "synchronous", "OFF")
    monkeypatch.setattr(Trials, "busy_s", 0.1)


class Killed(BaseException):
    """As a kill: nothing of the program's own is run after it but the closing of the file."""


def outcome(fields: dict[str, Any], draw: int = 0, **other: Any) -> Sat:
    """Wide is dear, and the best rate is 0.03; of kind "b" one misses the bar."""
    score = 1 - 0.05 * abs(math.log10(fields["lr"] / 0.03)) - 0.05 * (fields["kind"] == "b")
    score -= 0.3 / fields["hidden"]
    energy_j = fields["hidden"] * (2.0 if fields["warm"] else 1.0)
    spent = {"setup": 1.0, "train": energy_j, "inference": 0.5}
    spent_j = sum(spent.values())
    made: dict[str, Any] = {"status": "ok", "error": None, "score": score, "energy_j": energy_j}
    made |= {"run": f"run-{draw}", "spent_j": spent, "source": "modelled:made_up"}
    return Sat(**{**made, "low_j": 0.5 * spent_j, "high_j": 2 * spent_j, **other})


def plain(fields: dict[str, Any], draw: int, mark: dict[str, Any], limits: dict[str, float]) -> Sat:
    return outcome(fields, draw)


def search(
    trials: Trials,
    name: str = "random",
    sit: Sit = plain,
    budget: Budget | None = None,
    seed: int = 0,
    bar: float = 0.95,
    rules: Rules | None = None,
) -> Search:
    choice = registry.find("process", name)[0]
    process = construct(choice.target, choice.fields, "process")
    problem = Problem("made_up", "none", "none", SPACE, dict(FIELDS), seed, bar, "max")
    return Search(process, problem, trials, sit, budget or Budget(trials=25), rules or Rules())


def searched(folder: Path, *args: Any, **kwargs: Any) -> Search:
    with Trials(folder) as trials:
        made = search(trials, *args, **kwargs)
        made.why = made.run()  # type: ignore[attr-defined]
    return made


def settings(made: Search) -> list[dict[str, Any]]:
    return [row.fields for row in made.rows]


@pytest.mark.parametrize("name", PROCESSES)
def test_the_same_seed_gives_the_same_trials(name: str, tmp_path: Path) -> None:
    one, again, other = (
        searched(tmp_path / str(i), name, seed=seed) for i, seed in enumerate([1, 1, 2])
    )
    assert settings(one) == settings(again) != settings(other)
    assert settings(one)[0] == FIELDS and len(one.rows) == 25
    assert all(SPACE.holds(row.fields) for row in one.rows)
    assert one.choice().met and one.choice().confirmed == 3


@pytest.mark.parametrize("name", PROCESSES)
def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(name: str, tmp_path: Path) -> None:
    """Killed in its 4th, 14th and 22nd trial, and in the second confirmation."""
    whole = searched(tmp_path / "whole", name)
    calls = 0

    def dying(fields: dict[str, Any], draw: int, *_: Any) -> Sat:
        nonlocal calls
        calls += 1
        if calls in (4, 15, 24, 30):
            raise Killed
        return outcome(fields, draw)

    parts = tmp_path / "parts"
    for _ in range(4):
        with pytest.raises(Killed), Trials(parts) as trials:
            search(trials, name, dying).run()
    done = searched(parts, name, dying)
    assert settings(done) == settings(whole)
    assert [r.score for r in done.rows] == [r.score for r in whole.rows]
    confirmed = [
        sorted((r.number, r.draw, r.score) for r in s.confirmations) for s in (done, whole)
    ]
    assert confirmed[0] == confirmed[1] and len(confirmed[0]) == 9
    assert done.choice().trial.number == whole.choice().trial.number
    assert done.spent() == whole.spent() and done.complete
    assert calls == 25 + 9 + 4  # every finished trial was sat once


def test_more_budget_goes_further(tmp_path: Path) -> None:
    first = searched(tmp_path, budget=Budget(trials=5))
    more = searched(tmp_path, budget=Budget(trials=9))
    assert settings(more)[:5] == settings(first) and len(more.rows) == 9
    assert settings(more) == settings(searched(tmp_path / "other", budget=Budget(trials=9)))


def test_what_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    def failing(fields: dict[str, Any], draw: int, mark: dict[str, Any], _: Any) -> Sat:
        if mark["stage"] == SEARCH and mark["number"] in (0, 3, 4):
            spent = {"setup": 1.0, "train": 7.0}
            figures = {"score": None, "energy_j": None, "spent_j": spent}
            return outcome(fields, draw, status="failed", error="it crashed", **figures)
        if mark["number"] == 5:
            return outcome(fields, draw, score=math.nan)
        return outcome(fields, draw)

    for name in PROCESSES:
        made = searched(tmp_path / name, name, failing)
        states = [row.state for row in made.rows]
        assert [i for i, state in enumerate(states) if state == "failed"] == [0, 3, 4, 5]
        assert made.rows[3].error == "it crashed" and len(states) == 25
        assert made.spent()["value"] >= sum(8.0 for _ in range(3))
        assert made.choice().met


def test_it_gives_up_when_nothing_works(tmp_path: Path) -> None:
    def failing(fields: dict[str, Any], *_: Any) -> Sat:
        return outcome(fields, status="failed", error="no such luck", score=None, energy_j=None)

    made = searched(tmp_path, "random", failing, rules=Rules(give_up=4))
    assert len(made.rows) == 4 and not made.best()
    assert "4 trials in a row" in made.why and "no such luck" in made.why  # type: ignore[attr-defined]


def test_budgets_hold_back_what_confirming_will_cost(tmp_path: Path) -> None:
    full = searched(tmp_path / "a", budget=Budget(trials=200))
    half_j = full.spent()["value"] / 2
    made = searched(tmp_path / "b", budget=Budget(trials=200, energy_j=half_j))
    assert len(made.rows) < 200 and made.confirmations
    assert 0.6 * half_j < made.spent()["value"] < 1.2 * half_j
    assert settings(full)[: len(made.rows)] == settings(made)
    with Trials(tmp_path / "c") as trials:
        slow = search(trials, budget=Budget(wall_s=10.0))
        slow.wall_s = lambda: 3.0 * len(slow.rows)  # type: ignore[method-assign]
        slow.run()
        assert len(slow.rows) == 4


def test_joules_of_two_sources_are_never_summed(tmp_path: Path) -> None:
    def changing(fields: dict[str, Any], draw: int, mark: dict[str, Any], _: Any) -> Sat:
        source = "measured:x" if mark["number"] == 2 else "modelled:made_up"
        return outcome(fields, draw, source=source)

    with pytest.raises(BadInputError, match="never summed"):
        searched(tmp_path / "a", "random", changing)
    budget = Budget(energy_j=10.0, source="measured:x")
    with pytest.raises(BadInputError, match="only trials can be equalled"):
        searched(tmp_path / "b", budget=budget)


def test_nothing_is_confirmed_twice_on_a_budget_that_is_spent(tmp_path: Path) -> None:
    """One round is held back, no more; what it would cost is known of those it is for."""

    def lucky(fields: dict[str, Any], draw: int, *_: Any) -> Sat:
        return outcome(fields, draw, score=1.0 if draw == 0 else 0.5)

    made = searched(tmp_path, "random", lucky, budget=Budget(trials=30, energy_j=2000.0))
    assert made.spent()["value"] < 2010 and len({r.number for r in made.confirmations}) <= 4


def test_a_trial_that_the_budget_cut_short_is_sat_again(tmp_path: Path) -> None:
    clock = [0.0]

    def slow(fields: dict[str, Any], draw: int, mark: Any, limits: dict[str, float]) -> Sat:
        clock[0] += 4.0
        if clock[0] == 12.0:
            error = "the worker was still in train after limits.train_s=2 and was ended"
            return outcome(fields, status="failed", error=error, score=None, energy_j=None)
        return outcome(fields, draw)

    def go_on(wall_s: float) -> Search:
        with Trials(tmp_path) as trials:
            made = search(trials, sit=slow, budget=Budget(wall_s=wall_s), rules=Rules(confirm=0))
            made.wall_s = lambda: clock[0]  # type: ignore[method-assign]
            assert "budget.wall_s" in made.run()
        return made

    assert [row.state for row in go_on(10).rows] == ["done", "done", "asked"]
    assert clock == [12.0] and len(go_on(10).rows) == 3 and clock == [12.0]
    again = go_on(15)
    assert [row.state for row in again.rows] == ["done"] * 3 and again.rows[2].attempts == 2


def test_what_was_spent_and_cannot_be_summed_leaves_a_trace(tmp_path: Path) -> None:
    def changing(fields: dict[str, Any], draw: int, mark: dict[str, Any], _: Any) -> Sat:
        if mark["number"] == 2:
            raise BadInputError("it never began")
        return outcome(fields, draw, source=f"modelled:{min(mark['number'], 1)}")

    with Trials(tmp_path) as trials:
        with pytest.raises(BadInputError, match="never summed"):
            (made := search(trials, sit=changing)).run()
        assert [row.unmetered for row in made.rows] == [0, 1]
    sound = tmp_path / "sound"
    with Trials(sound) as trials:
        made = search(
            trials, sit=lambda f, d, m, li: outcome(f) if m["number"] < 2 else changing(f, d, m, li)
        )
        with pytest.raises(BadInputError, match="never began"):
            made.run()
        assert [row.unmetered for row in made.rows] == [0, 0, 0]


def test_luck_on_the_trials_draw_is_found_out(tmp_path: Path) -> None:
    """The cheapest do well on the trials' draw alone: the next best are confirmed until one holds."""

    def lucky(fields: dict[str, Any], draw: int, *_: Any) -> Sat:
        honest = fields["hidden"] > 10
        return outcome(fields, draw, score=1.0 if honest or draw == 0 else 0.5)

    made = searched(tmp_path, "random", lucky, budget=Budget(trials=12))
    numbers = [row.number for row in made.confirmations]
    assert made.choice().met and made.choice().trial.fields["hidden"] > 10
    assert len(set(numbers)) > 3 and {row.draw for row in made.confirmations} == {1, 2, 3}


def test_the_last_to_be_confirmed_are_those_with_the_best_scores(tmp_path: Path) -> None:
    """Where whoever is cheap was lucky, the dearest may be all that holds."""

    def lucky(fields: dict[str, Any], draw: int, mark: dict[str, Any], _: Any) -> Sat:
        holds = mark["number"] == 5
        score = 0.99 if holds else 0.98 if draw == 0 else 0.5
        return outcome(fields, draw, score=score, energy_j=9.0 + holds)

    made = searched(tmp_path, "random", lucky)
    assert made.choice().met and made.choice().trial.number == 5


def test_what_fails_when_it_is_confirmed_is_not_chosen_for_its_trial(tmp_path: Path) -> None:
    def brittle(fields: dict[str, Any], draw: int, *_: Any) -> Sat:
        if draw:
            return outcome(fields, status="failed", error="it crashed", score=None, energy_j=None)
        return outcome(fields, score=1.0)

    few = searched(tmp_path / "few", "random", brittle, budget=Budget(trials=2))
    assert few.complete and not few.choice().met and few.choice().confirmed == 0
    many = searched(tmp_path / "many", "random", brittle)
    assert len(many.confirmations) == 30  # three rounds, and the published settings
    assert many.choice().trial.number not in {row.number for row in many.confirmations}


def test_the_published_settings_are_confirmed_beside_the_best(tmp_path: Path) -> None:
    """Who was measured in a quiet moment is not better than they are."""

    def drifting(fields: dict[str, Any], draw: int, *_: Any) -> Sat:
        own_j = 10.0 if fields == FIELDS else 12.0
        return outcome(fields, draw, score=1.0, energy_j=own_j if draw or own_j == 10 else 5.0)

    made = searched(tmp_path, "random", drifting)
    assert {row.number for row in made.confirmations} > {0} and made.choice().trial.number == 0
    assert made.as_published() == {"score": 1.0, "energy_j": 10.0, "confirmations": 3}


def test_a_setting_is_confirmed_on_other_draws_than_it_was_chosen_on(tmp_path: Path) -> None:
    made = searched(tmp_path / "two", rules=Rules(draws=2, confirm=1, confirm_draws=2))
    assert [row.draw for row in made.confirmations] == [2, 3]
    row = made.rows[0]
    assert len(row.runs) == 2 and row.spent_j == 2 * (1.5 + (row.energy_j or 0))
    alone = searched(tmp_path / "alone", rules=Rules(confirm=0))
    assert not alone.confirmations and alone.choice().confirmed == 0
    assert alone.choice().trial.number != 0  # the published settings are not confirmed alone either


def test_phases_may_take_so_many_times_as_long_as_at_first(tmp_path: Path) -> None:
    seen: list[dict[str, float]] = []

    def timed(fields: dict[str, Any], draw: int, mark: Any, limits: dict[str, float]) -> Sat:
        seen.append(limits)
        return outcome(fields, longest_s={"setup": 0.5, "train": 4.0, "inference": 1.0})

    searched(tmp_path, "random", timed, budget=Budget(trials=3), rules=Rules(confirm=0))
    assert seen == [{}, *2 * [{"setup": 10.0, "train": 40.0, "inference": 10.0}]]


def test_as_published_is_one_trial(tmp_path: Path) -> None:
    made = searched(tmp_path, "as_published", budget=Budget())
    assert settings(made) == [FIELDS] and len(made.confirmations) == 3 and made.complete


def test_tpe_learns_from_what_it_is_told(tmp_path: Path) -> None:
    """On a smooth problem it beats random search with as many trials, on most seeds."""
    wins = 0
    for seed in range(3):
        best = [
            searched(tmp_path / f"{name}{seed}", name, seed=seed, budget=Budget(trials=45))
            for name in ("tpe", "random")
        ]
        wins += best[0].choice().energy_j <= best[1].choice().energy_j
    assert wins >= 2


@pytest.mark.parametrize("objective", ["pareto", "bar"])
def test_tpe_takes_settings_from_outside_the_space(tmp_path: Path, objective: str) -> None:
    choice = registry.find("process", "tpe")[0]
    fields = {**choice.fields, "startup": 2, "objective": objective}
    process = construct(choice.target, fields, "process")
    problem = Problem("a", "b", "c", SPACE, {**FIELDS, "hidden": 1000}, 0, 0.9, "max")
    with Trials(tmp_path) as trials:
        made = Search(process, problem, trials, plain, Budget(trials=6), Rules(confirm=0))
        made.run()
    assert made.rows[0].fields["hidden"] == 1000 and made.rows[5].state == "done"


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE photographs (name TEXT)")


def lock(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path)
    db.execute("BEGIN EXCLUSIVE")
    return db


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda p: p.write_bytes(b"hello" * 1000), "not a database"),
        (lambda p: p.write_bytes(p.read_bytes()[:5000]), "cannot use"),
        (foreign, "not a file of bench tune"),
        (lock, "locked"),
    ],
)
def test_a_file_that_cannot_be_used(
    tmp_path: Path, damage: Callable[[Path], Any], says: str
) -> None:
    searched(tmp_path)
    keep = damage(tmp_path / FILE)
    with pytest.raises(BadInputError, match=f"(?s){says}.*--fresh"):
        searched(tmp_path)
    del keep


def test_one_search_at_a_time(tmp_path: Path) -> None:
    with (
        Trials(tmp_path),
        pytest.raises(BadInputError, match="another bench tune is at work"),
        Trials(tmp_path),
    ):
        pass


def test_a_killed_attempt_is_counted_as_not_metered(tmp_path: Path) -> None:
    with Trials(tmp_path) as trials:
        trials.save(Trial(SEARCH, 0, -1, dict(FIELDS), state="running", attempts=1))
    made = searched(tmp_path)
    assert made.rows[0].state == "done" and made.rows[0].unmetered == 1
    assert sum(row.unmetered for row in made.rows) == 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "has no search space"),
        ({"hiden": {"low": 1, "high": 2}}, "did you mean hidden"),
        ({"hidden": {"low": 1}}, "must be {low, high}"),
        ({"hidden": {"low": 3, "high": 2}}, "low must be below high"),
        ({"hidden": {"low": 0, "high": 2, "log": True}}, "above 0 with log"),
        ({"hidden": {"low": "a", "high": 2}}, "must be numbers"),
        ({"hidden": {"choices": []}}, "must be {low, high}"),
    ],
)
def test_spaces_that_are_none(given: Any, says: str) -> None:
    with pytest.raises(BadInputError, match=says):
        Space.read(given, FIELDS, "algo=made_up")


@given(st.floats(0, 1), st.integers(0, 2**32))
def test_numbers_stay_within_their_range(unit: float, seed: int) -> None:
    for dimension in SPACE.dimensions[:2]:
        value = dimension.at(unit)
        assert dimension.holds(value) and abs(dimension.at(dimension.unit(value)) - value) <= value
        assert dimension.holds(dimension.sample(random.Random(seed)))


def test_the_published_settings_do_not_end_a_search_for_cheaper_ones(tmp_path: Path) -> None:
    """The cheapest were lucky on the trials' draw, by as much as they now miss the bar; whoever has that
    much to spare is confirmed next, and holds."""
    table = {0: (0.99, 100.0), 1: (0.951, 1.0), 2: (0.952, 2.0), 3: (0.953, 3.0), 4: (0.955, 4.0)}
    table |= {5: (0.98, 5.0), 6: (0.99, 200.0)}

    def lucky(fields: dict[str, Any], draw: int, mark: dict[str, Any], _: Any) -> Sat:
        score, energy_j = table.get(mark["number"], (0.5, 1.0))
        return outcome(fields, draw, score=score - 0.01 * (draw > 0), energy_j=energy_j)

    made = searched(tmp_path, "random", lucky, rules=Rules(confirm=1))
    assert made.choice().met and made.choice().trial.number == 5
    assert {row.number for row in made.confirmations} == {0, 1, 5}
    none = {**table, 5: (0.5, 5.0)}
    table.clear()
    table.update(none)
    made = searched(tmp_path / "none", "random", lucky, rules=Rules(confirm=1))
    assert made.choice().trial.number == 0 and 6 not in {r.number for r in made.confirmations}
