"""Curves: what is paused goes on as if it had not been, and no pause is on the training's bill."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from algorithms.base import Algorithm, Progress
from harness import registry, worker
from harness.curve import going_on
from harness.load import load_class
from metrics.record import CurvePoint, Interval, Record
from metrics.store import Store
from reports.curve import crossing
from tasks.sequence import SequenceSpec
from tests.conftest import Bench
from tests.faulty import Sequence
from tests.opponents import answers, as_text, segments, words
from tests.test_contracts import QUICK

GRAMMAR = ("task=nanogpt", "task.text=grammar", "task.bytes=200000", "task.score_bytes=4096")
SPEED = ("curve.first_s=0.002", "curve.ratio=1.5", "algo=hashed_softmax")
FEW: dict[str, dict[str, Any]] = QUICK | {
    "backprop/sequence": {"max_iters": 101, "n_layer": 1, "n_embd": 16}
}


def only_record(home: Path) -> Record:
    (record,) = Store(home / "results").load(Record).records
    return record


@pytest.mark.parametrize(
    "choice",
    [c for c in registry.choices("algo") if "sequence" in c.families],
    ids=lambda c: c.option,
)
def test_questions_in_a_pause_do_not_change_the_training(choice: registry.Choice) -> None:
    """Of every algorithm on text that shows its predictor, adapting ones included."""
    for adapt in [False, True] if "adapt" in choice.fields else [None]:
        fields = {**choice.fields, **FEW.get(choice.option, {})}
        if adapt is not None:
            fields["adapt"] = adapt
        ends, shown = [], 0
        for ask in (False, True):
            algorithm: Algorithm = load_class(choice.target)(**fields)
            algorithm.prepare(SequenceSpec(train_bytes=40_000, segment=64, lanes=4, seed=0))
            training = algorithm.train({"text": as_text(words(40_000))})
            try:
                while True:
                    event = next(training)
                    if ask and isinstance(event, Progress) and event.predictor is not None:
                        shown += 1
                        if shown < 4:
                            answers(event.predictor, segments(shown % 2 + 1))
            except StopIteration as end:
                ends.append(answers(end.value, segments(2)))
        np.testing.assert_array_equal(*ends)


def test_a_curve_of_a_text(bench: Bench, home: Path) -> None:
    done = bench("curve", *GRAMMAR, *SPEED)
    record = only_record(home)
    assert record.kind == "curve" and record.status == "ok" and record.score
    points = record.curve
    assert len(points) > 2
    for name in ("step", "wall_s", "cpu_s"):
        values = [getattr(point, name) for point in points[:-1]]
        assert values == sorted(values) and values[0] > 0, name
    assert points[-1].score == record.score.value < points[0].score - 0.1
    assert record.headline is not None
    trained = [phase for phase in record.phases if phase.phase == "train"]
    asked = [phase for phase in record.phases if phase.phase == "evaluation"]
    assert len(asked) == len(points) - 1 and len(trained) == len(points)
    assert points[-1].cpu_s == pytest.approx(sum(p.cpu_s for p in trained))
    assert record.headline.cpu_s == pytest.approx(points[-1].cpu_s)
    # What the headline sums is training alone.
    counted = [row for row in record.energy if row.domain in record.headline.domains]
    gross_j = sum(row.gross_j for row in counted if row.phase == "train")
    assert record.headline.energy_j.value == pytest.approx(gross_j)
    assert record.task.ladder == pytest.approx(
        [0.7026 + x for x in (0.3, 0.2, 0.15, 0.1, 0.05)], abs=1e-4
    )
    assert "energy to bar" in done.stdout and "not met" in done.stdout
    shown = bench("show", "last").stdout
    assert "energy to bar" in shown


def test_a_curve_is_no_exam(bench: Bench, home: Path) -> None:
    bench("curve", *GRAMMAR, *SPEED)
    assert "0 rows of 1 Records" in bench("leaderboard").stdout
    assert "was held to a bar" in bench("front", code=2).stderr
    assert "is a curve, which is no exam" in bench("replay", "last", code=2).stderr


def test_a_budget_ends_training_as_not_met(bench: Bench, home: Path) -> None:
    bench("curve", *GRAMMAR, *SPEED, "curve.budget_j=0.02", "task.bar=0.1", "curve.until_bar=true")
    record = only_record(home)
    assert record.status == "ok" and record.score and record.score.target_met is False
    last = record.curve[-1]
    assert last.energy_j.value >= 0.02 and last.step < last.of
    assert record.score.value == last.score  # what was stopped is what was examined
    assert all(point.energy_j.value < 0.02 for point in record.curve[:-1])


def test_training_ends_where_the_bar_is_met(bench: Bench, home: Path) -> None:
    bench("curve", *GRAMMAR, *SPEED, "task.bar=2.0", "curve.until_bar=true")
    record = only_record(home)
    assert record.score and record.score.target_met
    assert all(point.score > 2.0 for point in record.curve[:-1])
    assert record.curve[-1].step < record.curve[-1].of


def test_who_shows_nothing_has_one_point(bench: Bench, home: Path) -> None:
    bench("curve", *GRAMMAR, "algo=ngram")
    record = only_record(home)
    assert len(record.curve) == 1 and any("shows no predictor" in w for w in record.warnings)


def test_of_classification_too(bench: Bench, home: Path) -> None:
    bench("curve", "task=sparse_parity", "algo=backprop", "curve.first_s=1e-5", "curve.ratio=1.2")
    record = only_record(home)
    assert len(record.curve) > 1 and record.curve[-1].score > 0.9 > record.curve[0].score


@dataclass
class FailsLater(Algorithm):
    """Shows two predictors, then breaks."""

    families = ("sequence",)

    def train(self, data: dict[str, np.ndarray]) -> Any:
        for step in range(2):
            yield Progress(step + 1, 9, 1.0, Sequence())
        raise RuntimeError("later")


def test_what_was_measured_before_a_failure_is_kept(bench: Bench, home: Path) -> None:
    done = bench("curve", *GRAMMAR, f"algo={__file__}:FailsLater", "curve.first_s=1e-9", code=2)
    record = only_record(home)
    assert record.status == "failed" and "later" in (record.error or "")
    assert [point.step for point in record.curve] == [1, 2]
    assert record.curve[0].score == pytest.approx(np.log(256), abs=1e-3)
    assert record.run in done.stderr
    assert "100 %" not in bench("show", "last").stdout


@dataclass
class PutsOff(Algorithm):
    """A predictor that does its work in its first answer."""

    families = ("sequence",)

    def train(self, data: dict[str, np.ndarray]) -> Any:
        yield Progress(1, 2, None, Lazy(0.3))
        return Lazy(0.3)


class Lazy(Sequence):
    def __init__(self, seconds: float) -> None:
        self.left_s = seconds

    def predict(self) -> np.ndarray:
        end_s, self.left_s = time.process_time() + self.left_s, 0.0
        while time.process_time() < end_s:
            pass
        return super().predict()


def test_what_a_predictor_puts_off_is_on_the_bill(bench: Bench, home: Path) -> None:
    bench("curve", *GRAMMAR, f"algo={__file__}:PutsOff", "curve.first_s=1e-9")
    points = only_record(home).curve
    assert [point.cpu_s > 0.3 * (i + 1) for i, point in enumerate(points)] == [True, True]
    bench("import", "last", "none.csv", code=2)
    assert len(Store(home / "results").load(Record).records) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("curve.first_s=0", "curve.first_s=0: must be above 0"),
        ("curve.ratio=1", "curve.ratio=1: must be above 1"),
        ("curve.budget_j=-1", "curve.budget_j=-1: must be above 0"),
        ("curve.budget=1", "did you mean budget_j?"),
        ("repeats=2", "a curve is of one training"),
        ("curve.ratio=fast", "curve.ratio=fast"),
    ],
)
def test_bad_input(bench: Bench, home: Path, words: str, says: str) -> None:
    done = bench("curve", *GRAMMAR, "algo=ngram", words, code=2)
    assert done.stderr.count("\n") == 1 and says in done.stderr


def test_bench_run_has_no_pauses(bench: Bench, home: Path) -> None:
    assert "only bench curve has pauses" in bench("run", *GRAMMAR, *SPEED, code=2).stderr


def test_pauses_do_not_count_their_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(worker.time, "monotonic", lambda: clock.now)
    pauses = worker.Pauses(first_s=1.0, ratio=2.0)
    due = []
    for _ in range(
        100
    ):  # a tenth of a second of training, and after each pause an hour of questions
        clock.now += 0.1
        if pauses.now():
            due.append(pauses.trained_s)
            clock.now += 3600
            pauses.go_on()
    assert due == pytest.approx([1.0, 2.0, 4.0, 8.0], abs=0.11)


def test_the_worker_stands_still_between_windows() -> None:
    told: list[int] = []
    with going_on(SimpleNamespace(tree=SimpleNamespace(signal=told.append))):  # type: ignore[arg-type]
        assert told == [signal.SIGCONT]
    assert told == [signal.SIGCONT, signal.SIGSTOP]


def point(energy_j: float, score: float) -> CurvePoint:
    joules = Interval(value=energy_j, low=energy_j, high=energy_j)
    return CurvePoint(
        step=1,
        of=2,
        loss=None,
        energy_j=joules,
        wall_s=1.0,
        cpu_s=1.0,
        score=score,
        score_se=None,
        evaluation_s=1.0,
    )


def test_a_crossing_is_bracketed_by_its_neighbours() -> None:
    points = [point(1, 3.0), point(2, 2.0), point(4, 1.0)]
    assert crossing(points, 1.5, "min") == (points[1], points[2])
    assert crossing(points, 3.5, "min") == (None, points[0])
    assert crossing(points, 0.5, "min") == (points[2], None)
    assert crossing([point(1, 0.2), point(2, 0.9)], 0.8, "max")[1].score == 0.9  # type: ignore[union-attr]


def test_points_are_json(bench: Bench, home: Path) -> None:
    bench("curve", *GRAMMAR, *SPEED)
    seen = json.loads(bench("show", "last", "--json").stdout)
    assert {"energy_j", "wall_s", "cpu_s", "score"} <= set(seen["curve"][0])
