"""Cheap rungs against measured joules, from Records with scripted power."""

from __future__ import annotations

import itertools
import json
import math
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from metrics.count_base import PYTHON
from reports.metrics_audit import (
    Audit,
    Board,
    audit,
    interval,
    kendall,
    print_boards,
    realism,
    worst_inversion,
)
from reports.metrics_lines import COUNTED, MOVED, OPERATIONS, PEAK, Line
from tests.conftest import Bench

_number = itertools.count()
NVML = "measured:nvml"
FLOOR = "modelled:operations-45nm (floor)"


def record(algo: str, wall_s: float, power_w: float | None, **changes: Any) -> dict[str, Any]:
    """A run of `wall_s` on one core under a board of `power_w`, None where there was no sensor."""
    modelled = {
        "phase": "train",
        "source": "modelled:cpu_time",
        "gross_j": 7 * wall_s,
        "repeats": 2,
    }
    rows = [modelled, modelled | {"phase": "setup", "gross_j": 1e9}]
    joules, source = 3.5 * wall_s, "modelled:cpu_time"
    if power_w is not None:
        joules, source = power_w * wall_s, NVML
        rows.append({"phase": "train", "source": NVML, "gross_j": 2 * joules, "repeats": 2})
    made = {
        "schema_version": 1,
        "run": f"{algo}-{next(_number)}",
        "kind": "run",
        "status": "ok",
        "task": {"name": "t", "variant": "v", "access": "samples"},
        "algorithm": {"name": algo, "config_sha256": algo * 12, "code_sha256": "c" * 64},
        "draw": {"replay_of": None},
        "host": {"device_class": "a board", "threads": 1},
        "source": source,
        "headline": {"energy_j": {"value": joules}, "wall_s": wall_s, "cpu_s": wall_s},
        "energy": rows,
    }
    return made | changes


def boards(*records: dict[str, Any]) -> list[Board]:
    return audit([msgspec.json.decode(msgspec.json.encode(r), type=Line) for r in records])


def only(*records: dict[str, Any]) -> tuple[Board, dict[str, Audit]]:
    (board,) = boards(*records)
    return board, {a.rung: a for a in board.audits}


def steady(n: int = 8) -> list[dict[str, Any]]:
    """Power is alike, so that seconds rank as joules do."""
    return [record(f"a{i}", 1.0 + i, 100.0) for i in range(n)]


@pytest.mark.parametrize(
    ("a", "b", "tau"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        # the example of scipy.stats.kendalltau, with ties in both
        ([12, 2, 1, 12, 2], [1, 4, 7, 1, 0], -0.47140452079103173),
        ([1, 2, 3, 4], [1, 2, 4, 3], 4 / 6),
        ([1, 1, 2], [1, 2, 3], 2 / math.sqrt(6)),
        ([1, 1, 1], [1, 2, 3], None),
        ([1], [2], None),
        ([], [], None),
    ],
)
def test_kendall(a: list[float], b: list[float], tau: float | None) -> None:
    assert kendall(a, b) == pytest.approx(tau) if tau is not None else kendall(a, b) is None


def test_interval_solves_its_equation() -> None:
    for n, tau in itertools.product((4, 8, 20, 100), (-1.0, -0.5, 0.0, 0.7, 1.0)):
        for end in interval(tau, n):
            variance = 2 * (2 * n + 5) / (9 * n * (n - 1)) * (1 - end**2)
            assert abs(tau - end) == pytest.approx(1.959964 * math.sqrt(variance), abs=1e-6)
    assert interval(1.0, 4)[0] < 0.1 and interval(1.0, 10)[0] > 0.6 and interval(1.0, 10)[1] == 1.0


def test_interval_covers() -> None:
    """Orders by a figure with normal noise: τ = 2/π asin(r), and few miss it."""
    rng, n, truth, misses = random.Random(3), 8, 0.7, 0
    r = math.sin(math.pi * truth / 2)
    for _ in range(1000):
        a = [rng.gauss(0, 1) for _ in range(n)]
        b = [r * x + math.sqrt(1 - r * r) * rng.gauss(0, 1) for x in a]
        tau = kendall(a, b)
        assert tau is not None
        low, high = interval(tau, n)
        misses += not low <= truth <= high
    assert misses <= 60


def test_where_power_is_alike_seconds_are_trusted() -> None:
    board, rungs = only(*steady())
    assert board.reference == NVML and board.rows == 8
    assert list(rungs) == ["wall_s", "cpu_s", "modelled:cpu_time"]
    for found in rungs.values():
        assert (found.tau, found.worst, found.trust) == (1.0, None, "yes")
        assert found.low is not None and 0.5 < found.low < 1.0 == found.high
        assert found.sentence.endswith("it orders no pair wrongly")


def test_a_rung_that_inverts_is_named_with_both_runs() -> None:
    """The two fastest draw 20 and 5 times the power of the others."""
    runs = [*steady(), record("hot", 0.5, 2000.0), record("warm", 0.8, 500.0)]
    _, rungs = only(*runs)
    found = rungs["wall_s"]
    assert found.worst is not None and found.worst.chosen == ("hot", runs[8]["run"])
    assert found.worst.better == ("a0", runs[0]["run"])
    assert found.worst.factor == pytest.approx(10.0)
    assert found.trust == "no" and "cannot be trusted on this task" in found.sentence
    assert f"prefers hot ({runs[8]['run']}), which costs 10 times what a0" in found.sentence


def test_near_neighbours_exchanged_leave_trust_in_the_order() -> None:
    runs = steady(12)
    found = only(*runs[:-2], record("x", 11.0, 150.0), runs[-1])[1]["wall_s"]
    assert found.worst and found.worst.factor == pytest.approx(1650 / 1200)
    assert found.trust == "roughly" and "not to choose between neighbours" in found.sentence
    found = only(*runs[:-2], record("x", 11.0, 120.0), runs[-1])[1]["wall_s"]
    assert found.trust == "yes" and "costs 1.1 times" in found.sentence


def test_few_algorithms_leave_it_open() -> None:
    found = only(*steady(4))[1]["wall_s"]
    assert (
        found.tau == 1.0 and found.trust == "open" and "4 algorithms do not tell" in found.sentence
    )


def test_fewer_than_four_are_too_few() -> None:
    board, rungs = only(*steady(3))
    assert not rungs and board.note.startswith("3 algorithms have that figure: too few to tell")
    assert boards(*steady(1))[0].note.startswith("1 algorithm has")


def test_without_a_sensor_there_is_nothing_to_audit_against() -> None:
    board, rungs = only(*(record(f"a{i}", 1.0 + i, None) for i in range(6)))
    assert board.reference is None and not rungs and "nothing to audit against" in board.note


def test_medians_are_over_the_same_runs() -> None:
    """Runs without a sensor, on a bad day, do not move the seconds that joules are compared with."""
    runs = [*steady(), *(record("a0", 99.0, None) for _ in range(3))]
    runs += [record("a1", w, 100.0) for w in (2.1, 1.9, 50.0)]
    found = only(*runs)[1]["wall_s"]
    assert found.rows == 8 and found.tau == 1.0


def test_what_cannot_be_compared_is_apart_or_left_out() -> None:
    other = {"device_class": "another board", "threads": 1}
    strays = [
        record("z", 1.0, 1e6, status="failed", headline=None),
        record("z", 1.0, 1e6, draw={"replay_of": "x"}),
        record("z", 1.0, 1e6, kind="measured command"),
        record("empty", 0.001, 1e6),
    ]
    assert [b.rows for b in boards(*steady(), *strays)] == [8]
    assert [b.rows for b in boards(*steady(), record("z", 1.0, 1e6, host=other))] == [8, 1]


def test_one_configuration_stands_for_an_algorithm() -> None:
    """The one with the most runs, of these the cheapest: four settings of one are no four algorithms."""
    both = [{"name": "same", "config_sha256": c * 64, "code_sha256": "c"} for c in "de"]
    runs = [
        *steady(),
        *(record("same", w, w, algorithm=b) for w, b in zip((0.1, 0.2), both, strict=True)),
    ]
    runs[-2]["headline"]["energy_j"]["value"] = 1e6
    board, rungs = only(*runs)
    assert board.rows == 9 and rungs["wall_s"].rows == 9 and rungs["wall_s"].worst is None
    _, rungs = only(*runs, {**runs[-2], "run": "again"})
    worst = rungs["wall_s"].worst
    assert worst and worst.chosen[0] == "same (dddddd)" and worst.better[0] == "a0"
    four = [
        record("a", w, 9.0, algorithm={**both[0], "config_sha256": str(w)}) for w in range(1, 5)
    ]
    board, rungs = only(*four)
    assert board.rows == 1 and not rungs and board.note.startswith("1 algorithm has")


def test_an_imported_log_joins_the_run_that_it_is_of() -> None:
    runs = steady()
    logged = []
    for run in runs:
        row = {"phase": "train", "source": "measured:wall:csv", "repeats": 1, "gross_j": 500.0}
        head = {**run["headline"], "energy_j": {"value": 500.0 - run["headline"]["wall_s"]}}
        changes = {
            "imported_from": run["run"],
            "run": run["run"] + "-x",
            "energy": [*run["energy"], row],
        }
        logged.append({**run, **changes, "headline": head, "source": "measured:wall:csv"})
    board, rungs = only(*runs, *logged)
    assert board.reference == "measured:wall:csv" and board.rows == 8
    assert rungs[NVML].tau == -1.0 and rungs[NVML].trust == "no"


def count(run: dict[str, Any], operations: int, **changes: Any) -> dict[str, Any]:
    """A count of the algorithm that made a run."""
    counts = {
        "operations": {"fp32_add": operations - 1, "fp32_mul": 1},
        "read_bytes": 8 * operations,
        "written_bytes": 4 * operations,
        "communication_bytes": 0,
        "peak_bytes": 1000,
    }
    row = {"phase": "train", "source": FLOOR, "gross_j": 1e-12 * operations, "repeats": 1}
    made = {"kind": "count", "headline": None, "energy": [row], "source": FLOOR, "counts": counts}
    return {**run, "run": f"count-{next(_number)}", **made, **changes}


def test_counts_join_the_runs_of_their_algorithm() -> None:
    """Medians over seeds; whatever the device. Not of other code, settings or tasks, nor a failed one."""
    runs = steady()
    counts = [count(run, 10 * (i + 1)) for i, run in enumerate(runs)]
    counts += [count(runs[0], n) for n in (9, 11, 10**6)]  # median 10.5, below the next one's 20
    first = runs[0]["algorithm"]
    strays = [
        count(runs[0], 10**9, status="failed", counts=None, energy=[]),
        count(runs[0], 10**9, algorithm=first | {"code_sha256": "d" * 64}),
        count(runs[0], 10**9, algorithm=first | {"config_sha256": "d" * 64}),
        count(runs[0], 10**9, task={"name": "t", "variant": "w", "access": "samples"}),
    ]
    elsewhere = {"device_class": "another board", "threads": 7}
    board, rungs = only(*runs, *strays, *(c | {"host": elsewhere} for c in counts))
    assert board.rows == 8
    axis = ["wall_s", "cpu_s", OPERATIONS, MOVED, PEAK, FLOOR, "modelled:cpu_time"]
    assert sorted(rungs) == sorted(axis)
    assert list(rungs)[:5] == axis[:5]  # nobody communicates: no rung
    for rung in (OPERATIONS, MOVED, FLOOR):
        assert (rungs[rung].rows, rungs[rung].tau, rungs[rung].worst) == (8, 1.0, None)
    assert rungs[PEAK].trust == "no" and "the same figure" in rungs[PEAK].sentence
    assert board.without_python == ()


def test_counts_without_python_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    runs = steady()
    counts = [count(run, 10) for run in runs]
    for i in (5, 2, 2):
        counts.append(count(runs[i], 10))
        counts[-1]["counts"]["notes"] = [PYTHON]
    board, _ = only(*runs, *counts)
    assert board.without_python == ("a2", "a5")
    print_boards([board])
    (line,) = (line for line in capsys.readouterr().out.splitlines() if PYTHON in line)
    assert line.endswith(": a2, a5")


def test_counts_that_rank_backwards() -> None:
    runs = steady()
    found = only(*runs, *(count(run, 90 - i) for i, run in enumerate(runs)))[1][OPERATIONS]
    assert (found.rows, found.tau, found.trust) == (8, -1.0, "no")
    assert found.worst and found.worst.chosen[0] == "a7" and found.worst.better[0] == "a0"


def test_counts_of_some_are_too_few() -> None:
    runs = steady()
    found = only(*runs, *(count(run, 10) for run in runs[:3]))[1][OPERATIONS]
    assert (found.rows, found.trust) == (3, "open")


def test_realism_climbs_the_axis() -> None:
    axis = ["wall_s", "cpu_s", *COUNTED, "modelled:cpu_time", "measured:rapl", NVML]
    axis += ["measured:zeus", "measured:nvml+rapl", "measured:nvml+zeus+rapl", "measured:battery"]
    axis += ["measured:wall:shelly"]
    assert sorted(axis, key=realism) == axis


def test_the_reference_is_the_most_real_that_enough_have() -> None:
    runs = steady()
    for run in runs[:3]:
        run["energy"].append(
            {"phase": "train", "source": "measured:wall:shelly", "gross_j": 1.0, "repeats": 1}
        )
    assert only(*runs)[0].reference == NVML


def test_nothing_is_infinitely_cheaper() -> None:
    worst = worst_inversion([1.0, 2.0], [5.0, 0.0], [("a", "1"), ("b", "2")])
    assert worst and worst.factor == math.inf and worst.better == ("b", "2")


def test_the_command(bench: Bench, home: Path) -> None:
    done = bench("metrics", code=2)
    assert "no finished runs" in done.stderr and done.stderr.count("\n") == 1
    (home / "res").mkdir()
    runs = [
        *steady(),
        record("hot", 0.5, 2000.0),
        record("z", 1.0, None, task={"name": "u", "variant": "v", "access": "samples"}),
    ]
    lines = "".join(json.dumps(run) + "\n" for run in runs)
    (home / "res" / "records.jsonl").write_text(lines)
    said = bench("metrics", "--results", "res").stdout
    assert "held against measured:nvml" in said and "10 times" in said
    assert "wall_s: cannot be trusted on this task; at worst it prefers hot" in said
    assert "nothing to audit against" in said
