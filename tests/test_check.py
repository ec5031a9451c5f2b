"""What the gate says of Records with known figures, and what it refuses."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.record import Record
from metrics.store import Store, StoreError
from reports.baseline import write
from reports.gate import Rules, gate
from reports.gate_rows import rows_of
from reports.gate_text import markdown
from tests.gate_records import (
    THEN,
    checked,
    count,
    failed,
    line,
    rows_of_file,
    run,
    sample,
    save,
    scaled,
    verdicts,
)


@pytest.mark.parametrize(
    ("ratio", "verdict", "code"),
    [
        (1.0, "ok", 0),
        (1.04, "ok", 0),
        (1.06, "undecided", 0),
        (1.15, "regression", 4),
        (0.8, "improvement", 0),
    ],
)
def test_joules(tmp_path: Path, ratio: float, verdict: str, code: int) -> None:
    found = checked(tmp_path, sample(THEN), sample(scaled(ratio)))
    (one,) = found.findings
    assert (one.verdict, found.exit_code) == (verdict, code)
    assert one.ratio == pytest.approx(ratio) and one.interval and one.sees
    assert one.interval[0] < ratio < one.interval[1] and 1.05 < one.sees < 1.10
    assert one.then == pytest.approx(math.exp(np.mean(np.log(THEN))) / 0.98)  # J per accuracy
    strict = gate(
        rows_of_file(tmp_path / "then"), rows_of_file(tmp_path / "now"), Rules(strict=True)
    )
    assert strict.exit_code == (3 if verdict == "undecided" else code)


def test_undecided_says_how_many_runs_would_tell(tmp_path: Path) -> None:
    now = scaled(1.09, (94.0, 106.0, 100.0))
    (one,) = checked(tmp_path, sample(THEN), sample(now)).findings
    assert one.verdict == "undecided" and "more runs of today would show it" in one.notes[-1]
    (one,) = checked(tmp_path, sample(THEN), sample([109.0])).findings
    assert one.verdict == "undecided" and "one run has no scatter" in one.notes[-1]
    assert one.p is None and one.interval is None


@given(st.floats(0.5, 1.0499), st.floats(1e-6, 1e6))
def test_nothing_within_the_margin_fails(ratio: float, unit: float) -> None:
    """Whatever the unit and however sure: the verdict knows ratios alone."""
    then = rows_of([line(r) for r in sample(scaled(unit))])
    now = rows_of([line(r) for r in sample(scaled(unit * ratio))])
    found = gate(then, now, Rules())
    assert found.exit_code == 0 and found.findings[0].verdict in ("ok", "improvement")


def test_the_whole_check_has_one_alpha(tmp_path: Path) -> None:
    """A ratio that fails alone is undecided among many."""
    now = scaled(1.085, (97.0, 103.0, 100.0, 98.5, 101.5))
    alone = checked(tmp_path, sample(THEN), sample(now))
    assert verdicts(alone) == ["regression"]
    then, today = sample(THEN), sample(now)
    for i in range(9):
        then, today = then + sample(THEN, algo=f"a{i}"), today + sample(THEN, algo=f"a{i}")
    many = checked(tmp_path, then, today)
    assert verdicts(many) == ["undecided"] + ["ok"] * 9
    assert alone.findings[0].p and many.findings[0].p
    assert many.findings[0].p == pytest.approx(10 * alone.findings[0].p)


def test_scores_and_targets(tmp_path: Path) -> None:
    """Half the joules are no excuse."""
    cheap = scaled(0.5)
    missed = checked(tmp_path, sample(THEN), [*sample(cheap[:4]), run(50.0, skill=0.8)])
    assert verdicts(missed) == ["target missed"] and missed.exit_code == 4
    none = checked(tmp_path, sample(THEN), sample(cheap, skill=0.0))
    assert verdicts(none) == ["target missed"] and none.findings[0].ratio is None
    lower = checked(tmp_path, sample(THEN, skill=0.99), sample(cheap, skill=0.92))
    assert verdicts(lower) == ["worse score"] and lower.exit_code == 4
    assert (
        "accuracy 0.995 → 0.96, worse by more than the task's margin" in lower.findings[0].notes[-1]
    )
    within = checked(tmp_path, sample(THEN, skill=0.99), sample(THEN, skill=0.98))
    assert verdicts(within) == ["ok"]


def test_failed_missing_and_new(tmp_path: Path) -> None:
    then = sample(THEN) + sample(THEN, algo="gone")
    now = [*sample(THEN), failed(), *sample(THEN, algo="fresh")]
    found = checked(tmp_path, then, now)
    assert verdicts(found) == ["failed", "missing", "new"] and found.exit_code == 4
    assert "the worker was killed" in found.findings[0].notes[-1]
    assert "bench run -m task=toy algo=gone seed=0,1,2,3,4" in found.findings[1].notes[0]
    assert checked(tmp_path, sample(THEN), sample(THEN) + sample(THEN, algo="new")).exit_code == 0
    elsewhere = sample(THEN, algo="new", task_config={"n": 30})  # other work in the same folder
    assert verdicts(checked(tmp_path, sample(THEN), sample(THEN) + elsewhere)) == ["ok"]


def test_what_is_no_run_of_today_is_left_out(tmp_path: Path) -> None:
    replay = run(900.0)
    foreseen = msgspec.structs.replace(replay.draw, replay_of="20260101")
    replay = msgspec.structs.replace(replay, draw=foreseen)
    others = [run(900.0, kind="curve"), run(900.0, status="interrupted"), run(900.0, kind="trial")]
    older = sample(scaled(3.0), code="b")  # of earlier code
    found = checked(tmp_path, sample(THEN), [*older, *sample(THEN), *others, replay])
    assert verdicts(found) == ["ok"] and found.findings[0].runs == (5, 5)
    assert found.findings[0].notes == ["5 runs of earlier code left out"]


def test_a_joined_log_stands_for_its_run() -> None:
    plain = sample(THEN, source="modelled:cpu_time")
    pairs = zip(THEN, plain, strict=True)
    joined = [run(j, imported_from=r.run, source="measured:wall") for j, r in pairs]
    rows = rows_of([line(r) for r in [*plain, *joined]])
    assert [(row.source, len(row.samples)) for row in rows] == [("measured:wall", 5)]


def test_a_changed_configuration_is_judged_and_named(tmp_path: Path) -> None:
    now = sample(scaled(1.3), algo_config={"width": 16}, threads=2)
    found = checked(tmp_path, sample(THEN), now)
    assert verdicts(found) == ["regression"]
    assert "configuration changed: algo.width 8 → 16, threads 1 → 2" in found.findings[0].notes
    both = [*sample(THEN), *now]  # the same is there too: the other is somebody new
    found = checked(tmp_path, sample(THEN), both)
    assert verdicts(found) == ["ok", "new"]
    assert len({one.label for one in found.findings}) == 2


def test_another_board_may_differ_by_its_calibration(tmp_path: Path) -> None:
    now = scaled(1.12)
    assert verdicts(checked(tmp_path, sample(THEN), sample(now))) == ["regression"]
    found = checked(tmp_path, sample(THEN), sample(now, boards=["GPU-2"]))
    assert verdicts(found) == ["ok"] and "calibration (±5 % each)" in found.findings[0].notes[0]
    far = checked(tmp_path, sample(THEN), sample(scaled(1.3), boards=["GPU-2"]))
    assert verdicts(far) == ["regression"]


def test_modelled_joules_fail_nothing_unless_asked(tmp_path: Path) -> None:
    model = {"source": "modelled:cpu_time", "empty_j": 60.0}
    then, now = sample(THEN, **model), sample(scaled(1.3), **model)
    found = checked(tmp_path, then, now)
    assert verdicts(found) == ["regression"] and found.exit_code == 0
    assert found.findings[0].sees and "not gated" in markdown(found, [])
    assert "46 % of its joules are what the path itself costs" in found.findings[0].notes[0]
    assert checked(tmp_path, then, now, Rules(modelled=True)).exit_code == 4
    missed = checked(tmp_path, then, sample(THEN, met=False, **model))
    assert missed.exit_code == 4  # a score is not modelled


def test_a_computed_bar_may_differ_in_its_last_digit(tmp_path: Path) -> None:
    def held(bar: float) -> list[Record]:
        runs = sample(THEN)
        return [
            msgspec.structs.replace(r, task=msgspec.structs.replace(r.task, bar=bar)) for r in runs
        ]

    assert verdicts(checked(tmp_path, held(0.8025801096442017), held(0.8025801096442016))) == ["ok"]
    with pytest.raises(StoreError, match=r"the bar 0\.95 → 0\.96"):
        checked(tmp_path, held(0.95), held(0.96))


# Counts.


def test_counts_are_exact(tmp_path: Path) -> None:
    same = checked(tmp_path, [count()], [count()])
    assert verdicts(same) == ["ok"] and same.findings[0].ratio == 1.0
    one_more = checked(tmp_path, [count(1000)], [count(1001, libraries={"numpy": "2.5.0"})])
    assert verdicts(one_more) == ["regression"] and one_more.exit_code == 4
    notes = one_more.findings[0].notes
    assert "operations 1,010 → 1,011 (+0.099 %)" in notes
    assert "libraries changed: numpy 2.4.6 → 2.5.0" in notes
    fewer = checked(tmp_path, [count(1000)], [count(999)])
    assert (
        verdicts(fewer) == ["improvement"] and "write a new baseline" in fewer.findings[0].notes[-1]
    )
    traded = checked(tmp_path, [count(1000)], [count(500, read=401)])
    assert verdicts(traded) == ["regression"]
    allowed = checked(tmp_path, [count(1000)], [count(1001)], Rules(count_margin=0.01))
    assert verdicts(allowed) == ["ok"] and allowed.exit_code == 0
    memory = checked(tmp_path, [count(peak=64)], [count(peak=65)])
    assert (
        verdicts(memory) == ["ok"] and "most bytes at once 64 → 65" in memory.findings[0].notes[0]
    )
    elsewhere = checked(tmp_path, [count()], [count(device="cpu: other x8")])
    assert verdicts(elsewhere) == ["ok"]
    lost = checked(tmp_path, [count()], [count(status="failed", error="no", counts=None)])
    assert verdicts(lost) == ["failed"]


# Refusals.


@pytest.mark.parametrize(
    ("then", "now", "says"),
    [
        (sample(THEN), sample(THEN, device="cpu: d x2"), "device class is cpu: c x2"),
        (sample(THEN), sample(THEN, source="measured:rapl"), "energy source is measured:nvml"),
        (
            sample(THEN, source="modelled:cpu_time"),
            sample(THEN, source="modelled:cpu_time", watts=2.0),
            "(3.5 W per CPU)",
        ),
        (sample(THEN), sample(THEN) + sample(THEN, source="measured:rapl"), "energy source"),
        (sample(THEN), sample(THEN, task_config={"n": 30}), "task.n 20 → 30"),
        (sample(THEN, text="a"), sample(THEN, text="b"), "its data is not that of the baseline"),
        ([count()], [count(draw="e")], "its data is not that of the baseline"),
        ([count()], [count(source="modelled:operations-7nm (floor)")], "table of operation energy"),
    ],
)
def test_what_does_not_compare_is_refused(
    tmp_path: Path, then: list[Record], now: list[Record], says: str
) -> None:
    with pytest.raises(StoreError, match="not comparable") as refused:
        checked(tmp_path, then, now)
    assert says in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([*sample(THEN), failed()], "a run failed"),
        ([*sample(THEN), run(9.0, skill=0.5)], "1 of 6 runs miss the target"),
        (sample(THEN[:1]), "at least 2 are needed"),
        (sample(THEN) + sample(THEN, algo="b", device="cpu: d"), "mixes device classes"),
        (sample(THEN) + sample(THEN, source="modelled:cpu_time"), "mixes energy sources"),
        ([run(1.0, kind="curve")], "no run and no count"),
        ([count(status="failed", error="no", counts=None)], "a run failed"),
    ],
)
def test_what_makes_no_baseline(tmp_path: Path, records: list[Record], says: str) -> None:
    with pytest.raises(StoreError) as refused:
        write(tmp_path / "energy.json", Store(save(tmp_path, records)))
    assert says in str(refused.value)
    assert "with results=DIR" in str(refused.value) or "with: bench run" in str(refused.value)
    assert not (tmp_path / "energy.json").exists()
