"""`bench exam`: the verdict from Records, what it is refused for, and one exam from end to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest

from harness.errors import BadInputError
from harness.exam import check_same, orders, sides, take_apart
from harness.exam_command import exam
from harness.trial_run import tuning_nonce
from metrics import record as rec
from metrics.record import Record, json_schema
from metrics.store import Store, StoreError
from reports import exam_runs
from reports.exam_runs import BASELINE, CANDIDATE, Exam, Sat, collect
from reports.verdict import judge
from reports.verdict_fields import FAIL, INDICATIVE, PASS, UNDECIDED, Verdict, write
from reports.verdict_lines import paste, print_verdict
from tests.conftest import Bench, command

MODEL = (0.2, 4.5 / 3.5)  # low and high of cpu_time, relative
FOUND = {"trials": 40, "find_j": 100.0, "source": "measured:nvml", "device": "gpu"}


def sat(pair: int, side: str, joules: float, score: float = 1.0, **changes: Any) -> Sat:
    """A run in an exam of 5 pairs and 5 more; measured unless it is said otherwise."""
    source = changes.pop("source", "measured:nvml")
    spread = MODEL if source.startswith("modelled") else (0.99, 1.01)
    wall_s = changes.pop("wall_s", joules)
    cold_j = changes.pop("cold_j", joules + 1e-3)
    status = changes.pop("status", "ok")
    direction = changes.pop("direction", "max")
    exam = {
        "exam": "x",
        "plan_sha256": "p" * 64,
        "pair": pair,
        "side": side,
        "position": 1,
        "sides": changes.pop("sides", [CANDIDATE, BASELINE]),
        "pairs": 5,
        "extension": changes.pop("extension", 5),
        "machine": changes.pop("machine", "m"),
        "void": changes.pop("void", None),
    }
    each = {"value": joules, "low": joules * spread[0], "high": joules * spread[1]}
    cold = {"value": cold_j, "low": cold_j * spread[0], "high": cold_j * spread[1]}
    bar, chance, perfect = (0.9, 0.5, 1.0) if direction == "max" else (1.5, 5.0, 0.0)
    run: dict[str, Any] = {
        "run": f"{pair}-{side}",
        "kind": "run",
        "status": status,
        "error": "out of memory" if status == "failed" else None,
        "started_at": "2026-01-01T00:00:00+00:00",
        "task": {
            "name": "t",
            "family": "f",
            "variant": "v",
            "access": "samples",
            "target": "t.T",
            "config": {},
            "config_sha256": "t" * 64,
            "bar": bar,
            "margin": 0.01,
        },
        "algorithm": {
            "name": "good" if side == CANDIDATE else "backprop",
            "target": "a.A",
            "config": {},
            "config_sha256": side * 8,
            "code_sha256": "c" * 64,
            "code_bytes": 1,
            "config_bytes": 1,
        },
        "process": "as_published",
        "draw": {"seed": pair, "nonce": "0", "repeats": 1},
        "score": None
        if status != "ok"
        else {
            "name": "accuracy",
            "unit": "1",
            "value": score,
            "se": 0.001,
            "target": bar,
            "target_met": True,
            "direction": direction,
            "margin": 0.01,
            "chance": chance,
            "perfect": perfect,
            "skill": 1.0,
            "predictions": 10,
            "per_draw": [],
            "draws_met": 1,
        },
        "headline": None
        if status != "ok"
        else {
            "source": source,
            "modelled": source.startswith("modelled"),
            "domains": ["gpu0"],
            "energy_j": each,
            "cold_j": cold,
            "inference_j": None,
            "joules_per_accuracy": 1.0,
            "net_j": None,
            "wall_s": wall_s,
            "cpu_s": wall_s,
        },
        "energy": [],
        "empty": None,
        "source": source,
        "host": {
            "device_class": "gpu",
            "cpu": "c",
            "cores": 2,
            "threads": 1,
            "memory_bytes": 1,
            "platform": "p",
            "python": "3",
            "libraries": {},
            "temperature_c": None,
        },
        "code": {"version": "1", "commit": None, "dirty": None},
        "settings": {"exam_words": ["task=t"]},
        "exam": exam,
    }
    return msgspec.convert(run | changes, Sat)


def wiggle(pair: int, side: str) -> float:
    """Noise of about 2 %, the same in every call."""
    seed = [pair, *side.encode()]
    return float(np.exp(0.02 * np.random.default_rng(seed).standard_normal()))


def pairs(
    saving: float = 0.5, count: int = 5, scale: dict[str, Any] | None = None, **changes: Any
) -> list[Sat]:
    """Whole pairs; the candidate takes (1 - saving) times the joules. scale: changes of it alone."""
    runs = []
    for pair in range(1, count + 1):
        mine = (1 - saving) * wiggle(pair, CANDIDATE)
        runs.append(sat(pair, CANDIDATE, mine, **{**changes, **(scale or {})}))
        runs.append(sat(pair, BASELINE, wiggle(pair, BASELINE), **changes))
    return runs


def verdict(runs: list[Sat]) -> Verdict:
    found = judge(collect(runs, "x"))
    assert found is not None
    return found


def state(v: Verdict, name: str) -> str:
    return next(c.state for c in v.conditions if c.name == name)


def test_a_clear_saving_passes_and_is_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    v = verdict(pairs())
    assert v.word == PASS and v.exit_code == 0 and v.source == "measured:nvml"
    assert (v.pairs, v.planned, v.look, v.looks) == (5, 5, 1, 2)
    assert v.effect == pytest.approx(0.5, rel=0.03)
    energy = v.conditions[0]
    assert energy.level == pytest.approx(0.99)  # half of α = 0.01 at each end
    assert (energy.low, energy.high) == (pytest.approx(v.effect_low), pytest.approx(v.effect_high))
    assert "screening" in v.notes[0]
    print_verdict(v)
    out = capsys.readouterr().out
    assert out.startswith("PASS (nvml)  good against backprop\n") and paste(v) in out
    assert "99 % interval" in paste(v)


def test_each_condition_by_itself() -> None:
    v = verdict(pairs(-0.5))
    assert v.word == FAIL and v.exit_code == 4 and state(v, "energy") == "refuted"
    v = verdict(pairs(scale={"score": 0.95}))
    assert v.word == FAIL and state(v, "score") == "refuted" and state(v, "target") == "met"
    slow = [
        sat(p, CANDIDATE, 0.5 * wiggle(p, CANDIDATE), wall_s=1.3 * wiggle(p, "w"))
        for p in range(1, 6)
    ]
    v = verdict([*slow, *(r for r in pairs() if r.exam and r.exam.side == BASELINE)])
    assert v.word == FAIL and state(v, "wall") == "refuted"
    v = verdict(pairs(score=0.89))  # both miss the bar
    assert v.word == FAIL and state(v, "target") == "refuted"


def test_less_is_better_where_the_task_says_so() -> None:
    """Nats per byte: 1.40 against 1.42 is better, 1.44 is worse by more than the margin of 0.01."""
    text = {"direction": "min"}
    better = pairs(scale={"score": 1.40}, score=1.42, **text)
    worse = pairs(scale={"score": 1.44}, score=1.42, **text)
    assert verdict(better).word == PASS
    assert verdict(better).conditions[1].value == pytest.approx(-0.02)
    assert state(verdict(worse), "score") == "refuted"
    assert state(verdict(pairs(score=1.6, **text)), "target") == "refuted"


def test_undecided_says_how_many_pairs_and_what_was_detectable(
    capsys: pytest.CaptureFixture[str],
) -> None:
    v = verdict(pairs(0.015))
    assert v.word == UNDECIDED and v.exit_code == 3 and v.more == 5
    assert v.pairs_needed and v.pairs_needed > 5
    assert v.saving_detectable and 0.02 < v.saving_detectable < 0.3
    print_verdict(v)
    assert f"pairs={v.pairs_needed}" in capsys.readouterr().out
    late = verdict(pairs(0.02, count=10))
    assert late.word == PASS and (late.look, late.pairs, late.more) == (2, 10, 0)
    nothing = verdict([*pairs(0.0, count=10)])
    assert nothing.word == UNDECIDED


def test_before_the_first_look_there_is_no_verdict() -> None:
    assert judge(collect(pairs(count=4), "x")) is None
    torn = [r for r in pairs() if r.run != f"2-{BASELINE}"]
    assert judge(collect(torn, "x")) is None and collect(torn, "x").whole() == 1


def test_the_second_look_uses_all_pairs_and_only_when_the_first_was_open() -> None:
    decided = pairs(0.5, count=10)
    assert verdict(decided).pairs == 5  # what came after a decision is not looked at


def test_a_candidate_that_fails_once_has_failed() -> None:
    runs = [r for r in pairs() if r.run != f"3-{CANDIDATE}"]
    v = verdict([*runs, sat(3, CANDIDATE, 0.5, status="failed")])
    assert v.word == FAIL and state(v, "target") == "refuted" and "out of memory" in v.reasons[0]
    first = verdict([sat(1, CANDIDATE, 0.5, status="failed"), *pairs(count=1)[1:]])
    assert first.word == FAIL and first.pairs == 0 and first.effect is None
    print_verdict(first)
    stray = verdict([*runs, sat(3, CANDIDATE, 0.5, score=0.6)])
    assert stray.word == FAIL and "did not converge" in stray.reasons[0]
    broken = verdict([*runs, sat(3, CANDIDATE, 0.5, score=float("nan"))])
    assert broken.word == FAIL and "no score" in broken.reasons[0]


def test_a_baseline_that_fails_is_none() -> None:
    runs = [r for r in pairs() if r.run != f"3-{BASELINE}"]
    with pytest.raises(
        StoreError, match=r"the baseline failed in 1 of 5 pairs \(pair 3: out of mem"
    ):
        verdict([*runs, sat(3, BASELINE, 1.0, status="failed")])
    missed = pairs()
    for run in missed:
        if run.exam and run.exam.side == BASELINE and run.score:
            run.score = msgspec.structs.replace(run.score, value=0.89)
    v = verdict(missed)
    assert v.word == INDICATIVE and "the baseline itself misses the bar" in v.reasons[0]


@pytest.mark.parametrize("joules", [0.0, -1.0, float("nan")])
def test_joules_without_a_logarithm_are_refused(joules: float) -> None:
    runs = [r for r in pairs() if r.run != f"2-{BASELINE}"]
    with pytest.raises(StoreError, match=r"no ratio can be made.*meter\.floor_s"):
        verdict([*runs, sat(2, BASELINE, joules, wall_s=1.0)])


def test_joules_that_never_scatter_decide_nothing() -> None:
    runs = [
        sat(p, s, 0.5 if s == CANDIDATE else 1.0)
        for p in range(1, 6)
        for s in (CANDIDATE, BASELINE)
    ]
    v = verdict(runs)
    assert v.word == UNDECIDED and state(v, "energy") == "open"
    print_verdict(v)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"source": "modelled:cpu_time"}, "different energy sources"),
        ({"machine": "n"}, "different machines"),
        ({"task": {**msgspec.to_builtins(sat(1, CANDIDATE, 1.0).task), "variant": "w"}}, "tasks"),
        (
            {"host": {**msgspec.to_builtins(sat(1, CANDIDATE, 1.0).host), "device_class": "b"}},
            "device cl",
        ),
        (
            {
                "algorithm": {
                    **msgspec.to_builtins(sat(4, CANDIDATE, 1.0).algorithm),
                    "code_sha256": "d",
                }
            },
            "code of the candidate",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(changes: dict[str, Any], says: str) -> None:
    runs = [r for r in pairs() if r.run != f"4-{CANDIDATE}"]
    with pytest.raises(StoreError, match=says):
        verdict([*runs, sat(4, CANDIDATE, 0.5, **changes)])


def test_modelled_joules_pass_only_beyond_the_models_own_error() -> None:
    model = {"source": "modelled:cpu_time"}
    assert pytest.approx(verdict(pairs(0.5, **model)).bound) == 0.7 / 4.5
    v = verdict(pairs(0.5, **model))
    assert v.word == INDICATIVE and v.exit_code == 3 and "below 0.156" in v.reasons[0]
    assert verdict(pairs(0.9, **model)).word == PASS
    assert verdict(pairs(-0.5, **model)).word == FAIL


def rows(gpu0: float, package0: float) -> list[rec.EnergyRow]:
    """Train rows of two sensors, calibrated to 5 % and 1 %."""
    both = ("gpu0", "measured:nvml", gpu0, 0.05), ("package0", "measured:rapl", package0, 0.01)
    return [
        rec.EnergyRow(
            phase="train",
            domain=domain,
            source=source,
            gross_j=j,
            low_j=j,
            high_j=j,
            window_s=1.0,
            repeats=1,
            resolution_s=0.1,
            gain_rel=gain,
        )
        for domain, source, j, gain in both
    ]


def test_sensors_of_different_calibration_do_not_cancel() -> None:
    """All joules on the CPU against all on the GPU: 1.01 / 0.95; in the same proportion: nothing."""

    def exam(ours: list[rec.EnergyRow], theirs: list[rec.EnergyRow], saving: float) -> Verdict:
        runs = pairs(saving)
        for run in runs:
            assert run.exam and run.headline
            run.headline = msgspec.structs.replace(run.headline, domains=["gpu0", "package0"])
            run.energy = ours if run.exam.side == CANDIDATE else theirs
        return verdict(runs)

    assert exam(rows(2, 1), rows(4, 2), 0.5).bound == pytest.approx(1)
    v = exam(rows(0, 1), rows(1, 0), 0.5)
    assert v.bound == pytest.approx(0.95 / 1.01) and v.word == PASS


def test_longer_tuning_of_the_candidate_takes_the_word_away() -> None:
    tuned = {"process": "tpe", "found": FOUND}
    v = verdict(pairs(scale=tuned))
    assert v.word == INDICATIVE and "40 trials against none" in v.reasons[0]
    assert v.candidate.tuning.find_j == 100.0
    assert verdict(pairs(**tuned)).word == PASS
    more = {"process": "tpe", "found": {**FOUND, "find_j": 150.0}}
    v = verdict(pairs(scale=more, **tuned))
    assert v.word == INDICATIVE and "150 J against 100 J" in v.reasons[0]
    elsewhere = {"process": "tpe", "found": {**FOUND, "find_j": 150.0, "device": "other"}}
    assert verdict(pairs(scale=elsewhere, **tuned)).word == PASS  # such joules are not compared


def test_cold_joules_may_turn_it() -> None:
    assert verdict(pairs()).cold_word == PASS
    v = verdict(pairs(scale={"cold_j": 9.0}, cold_j=3.0))
    assert v.cold_word == UNDECIDED  # 3 in every pair, without any scatter
    costly = pairs()
    for run in costly:
        if run.exam and run.exam.side == CANDIDATE and run.headline:
            cold = 3 * wiggle(run.exam.pair, "cold")
            value = rec.Interval(value=cold, low=cold, high=cold)
            run.headline = msgspec.structs.replace(run.headline, cold_j=value)
    assert verdict(costly).word == PASS and verdict(costly).cold_word == FAIL


def test_ablations_stand_beside_it_and_decide_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    names = [CANDIDATE, BASELINE, "alone"]
    runs = pairs(sides=names)
    alone = [sat(p, "alone", wiggle(p, "a"), sides=names) for p in range(1, 5)]
    v = verdict([*runs, *alone, sat(5, "alone", 1.0, status="failed", sides=names)])
    (side,) = v.ablations
    assert v.word == PASS and side.failed == 1 and side.ratio == pytest.approx(2.0, rel=0.05)
    print_verdict(v)
    assert "1 of 5 failed" in capsys.readouterr().out


def test_only_what_counts_is_counted() -> None:
    runs = pairs()
    again = [
        sat(2, CANDIDATE, 0.1, status="interrupted", run="i"),
        sat(2, BASELINE, 0.1, status="failed", run="f", void="the meter"),
    ]
    v = verdict([*again, *runs, sat(1, CANDIDATE, 9.0, run="later")])
    assert v.word == PASS and v.effect == verdict(runs).effect
    assert any("interrupted, and sat again: 2" in n for n in v.notes)
    assert any("do not count: 1" in n for n in v.notes)
    other = pairs()
    for run in other:
        assert run.exam
        run.exam = msgspec.structs.replace(run.exam, exam="y")
        run.run += "y"
    assert any("besides this one: 1" in n for n in verdict([*other, *runs]).notes)


def test_a_verdict_on_disk_is_plain_json(tmp_path: Path) -> None:
    content = json.loads(
        write(verdict([sat(1, CANDIDATE, 0.5, status="failed")]), tmp_path).read_text()
    )
    assert content["word"] == FAIL and content["conditions"][0]["high"] is None
    assert content["candidate"]["tuning"]["process"] == "as_published"


def test_exams_are_found_by_name() -> None:
    runs = pairs()
    assert exam_runs.find(runs, "last", Path()) == exam_runs.find(runs, "x", Path()) == "x"
    with pytest.raises(StoreError, match="no exam is called y; there are: x"):
        exam_runs.find(runs, "y", Path())
    assert isinstance(collect(runs, "x"), Exam)


def test_orders_follow_from_their_seed() -> None:
    names = [CANDIDATE, BASELINE, "alone"]
    assert orders(5, 20, names) == orders(5, 20, names) != orders(6, 20, names)
    assert orders(5, 5, names) == orders(5, 20, names)[:5]
    assert all(sorted(order) == sorted(names) for order in orders(5, 20, names))
    first = [orders(seed, 1, names)[0][0] for seed in range(600)]
    assert all(abs(first.count(name) - 200) < 5 * np.sqrt(600 * 2 / 9) for name in names)


PARITY = ["task=sparse_parity", "algo=hypercell"]


def test_sides_from_words() -> None:
    words = take_apart([*PARITY, "algo.bite=16", "task.n=30", "ablations=no heredity,one location"])
    found = sides(words)
    assert list(found) == [CANDIDATE, BASELINE, "no heredity", "one location"]
    assert found[CANDIDATE].algo.fields["bite"] == found["no heredity"].algo.fields["bite"] == 16
    assert found["no heredity"].algo.fields["heredity"] is False
    assert (
        found[BASELINE].algo.about["found"]["trials"] == 120
    )  # configs/tuned/backprop_sparse_parity
    assert {config.task.fields["n"] for config in found.values()} == {30}
    text = ["task=nanogpt", "task.text=tinyshakespeare", "algo=ngram"]
    assert sides(take_apart(text))[BASELINE].algo.name == "backprop_tuned"
    own = sides(
        take_apart([*PARITY, "baseline=backprop", "baseline.hidden=7", "ablations=small: bite=8"])
    )
    assert own[BASELINE].algo.fields["hidden"] == 7 and own["small"].algo.fields["bite"] == 8
    assert tuning_nonce(own[CANDIDATE], 0) != tuning_nonce(own[CANDIDATE], 1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([*PARITY, "pairs=1"], r"pairs=1: must be a whole number, 2 to 1000; 10 make an exam"),
        ([*PARITY, "pairs=many"], "pairs=many: must be"),
        ([*PARITY, "extension=-1"], "extension=-1: must be"),
        ([*PARITY, "baseline=bakprop"], r"baseline=bakprop: .*did you mean backprop"),
        ([*PARITY, "baseline.hiden=7"], "did you mean hidden"),
        ([*PARITY, "seed=1,2"], "one exam at a time"),
        ([*PARITY, "process=tpe"], "only bench tune has a search"),
        ([*PARITY, "ablations=no heridity"], "did you mean no heredity"),
        ([*PARITY, "ablations=same: bite=32"], "changes nothing"),
        ([*PARITY, "ablations=odd: bit=32"], "ablation odd: .*did you mean bite"),
        ([*PARITY, "ablations=odd:"], "no words of its own"),
        (["task=sparse_parity", "algo=xor_elimination", "ablations=all"], "lists no ablation"),
        (["task=ca_evolution", "algo=known_rule"], "bench tune task=ca_evolution algo=backprop"),
    ],
)
def test_bad_words(words: list[str], says: str) -> None:
    with pytest.raises(BadInputError, match=says):
        sides(take_apart(words))


def test_what_changed_since_is_named() -> None:
    plan = {"machine": "m", "device": "d", "code": {CANDIDATE: "a", BASELINE: "b"}, "meter": "x"}
    check_same(plan, dict(plan), "x", [])
    for now, says in (
        ({**plan, "machine": "n", "device": "e"}, r"another machine \(d; this is e\).*--fresh"),
        ({**plan, "code": {CANDIDATE: "a", BASELINE: "c"}}, "code of baseline changed since"),
        ({**plan, "meter": "y"}, "meter changed since"),
    ):
        with pytest.raises(BadInputError, match=says):
            check_same(plan, now, "x", ["task=t"])


TESTS = Path(__file__).parent
# A model that might be off by so much never lets a candidate pass, whatever two noisy pairs say.
EXAM = (
    "meter.low_w_per_cpu_s=1e-6",
    *("task=sparse_parity", "task.n=12", "task.k=2", "algo=xor_elimination", "baseline=backprop"),
    *("pairs=2", "extension=0", "meter=cpu_time", "meter.floor_s=0.02", "repeats=40"),
)


def records(home: Path) -> list[Record]:
    return Store(home / "results").load(Record).records


def test_an_exam_that_is_killed_goes_on(
    bench: Bench, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed in the first pair; then two pairs in all, each on one draw, in the planned order."""

    def said(*words: str, code: int = 0, dry: bool = False, fresh: bool = False) -> str:
        """What the command prints, in this process."""
        shown = None if words else "last"
        assert exam(list(words), dry, fresh, shown, "results") == code
        return capsys.readouterr().out

    assert "no earlier run" in said(*EXAM, dry=True) and not records(home)
    with pytest.raises(StoreError, match="make one with: bench exam"):
        said()
    with subprocess.Popen(
        command("exam", *EXAM), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)
    ) as process:
        deadline_s = time.monotonic() + 60
        while not records(home) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    (early,) = records(home)
    assert "0 of 2 pairs are sat" in said(code=3)

    done = bench("exam", *EXAM, code=3)
    assert "going on with" in done.stderr and "pair 2 of 2" in done.stderr
    made = records(home)
    assert len(made) == 4 and made[0].run == early.run
    assert made[0].exam is not None
    folder = home / "results" / "exams" / made[0].exam.exam
    planned = json.loads((folder / "plan.json").read_text())
    order = [name for pair in planned["orders"] for name in pair]
    assert [r.exam.side for r in made if r.exam] == order
    assert [r.draw.seed for r in made] == [0, 0, 1, 1] and all(r.draw.shared for r in made)
    nonces = [r.draw.nonce for r in made]
    assert nonces[0] == nonces[1] != nonces[2] == nonces[3]
    assert made[0].task.data_sha256 == made[1].task.data_sha256
    assert planned["looks"] == [
        {"pairs": 2, "alpha": {"energy": 0.01, "score": 0.05, "wall": 0.05, "target": 0.05}}
    ]
    kept = json.loads((folder / "verdict.json").read_text())
    assert sorted(kept["runs"]) == sorted(r.run for r in made)

    assert said(*EXAM, code=3) == done.stdout and len(records(home)) == 4  # it is not sat twice
    assert done.stdout.startswith(said(code=3))
    for line in (home / "results" / "records.jsonl").read_text().splitlines():
        jsonschema.validate(json.loads(line), json_schema())

    planned["machine"] = "another"
    (folder / "plan.json").write_text(json.dumps(planned))
    with pytest.raises(BadInputError, match="another machine"):
        said(*EXAM)
    fresh = said(*EXAM, dry=True, fresh=True)
    assert f"{folder.name}-2" in fresh and "2 earlier" in fresh


def test_a_candidate_that_crashes_ends_the_exam(bench: Bench, home: Path) -> None:
    words = [w for w in EXAM if not w.startswith("algo=")]
    done = bench("exam", *words, f"algo={TESTS / 'faulty.py'}:Raises", code=4)
    assert done.stdout.startswith("FAIL (cpu_time") and "the loss went" in done.stdout
    assert 1 <= len(records(home)) <= 2
    refused = bench("exam", *PARITY, "pairs=1", code=2).stderr
    assert refused.startswith("bench: pairs=1: ") and refused.count("\n") == 1
