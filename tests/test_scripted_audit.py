"""`bench metrics` over Records of real runs and real counts, under a driver whose power is scripted.

What each algorithm draws is known, so the right order is; seconds are what they are, and mislead in one pair.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from metrics.record import Record
from metrics.store import Store
from reports.metrics_audit import Audit, Board, audit
from reports.metrics_lines import COUNTED, MOVED, OPERATIONS, PEAK, Line
from tests.conftest import Bench
from tests.scripted import QUICK, TASK, burner, sit
from tests.standin import script as standin
from tests.standin.script import Script

pytest.importorskip("pynvml", reason="needs joulebench[meters]")

FLOOR = "modelled:operations-45nm (floor)"
NAMES = ("Brief", "Short", "Medium", "Long")


@pytest.fixture
def script(
    home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Script:
    driver = standin.build(tmp_path_factory.mktemp("driver"))
    made = Script(home / "nvml", [standin.Board(period_s=0.02)])
    for name, value in standin.environment(made, driver).items():
        monkeypatch.setenv(name, value)
    return made


def only(home: Path) -> tuple[Board, dict[str, Audit], dict[str, Record]]:
    """The one board, its rungs, and the runs by algorithm."""
    store = Store(home / "results")
    (board,) = audit(store.load(Line).records)
    runs = {
        r.algorithm.name.rpartition(":")[2]: r
        for r in store.load(Record).records
        if r.kind == "run"
    }
    return board, {found.rung: found for found in board.audits}, runs


@pytest.mark.alone
def test_seconds_that_mislead_are_named(bench: Bench, home: Path, script: Script) -> None:
    """70, 50, 100 and 160 J in 0.3, 0.5, 1.0 and 1.6 s: one of six pairs is the wrong way round."""
    watts = dict.fromkeys(NAMES, 100.0) | {"Brief": 230.0}
    for name in NAMES:
        sit(script, name, watts[name])
    bench("count", "-m", TASK, burner(*NAMES))
    board, rungs, runs = only(home)
    assert board.reference == "measured:nvml" and board.rows == 4
    for name, run in runs.items():
        assert run.headline
        joules = run.headline.energy_j.value
        assert joules == pytest.approx(watts[name] * run.headline.wall_s, rel=0.02)
    seconds = rungs["wall_s"]
    assert seconds.tau == pytest.approx((5 - 1) / 6)
    assert seconds.worst and seconds.worst.chosen == ("burners.py:Brief", runs["Brief"].run)
    assert seconds.worst.better == ("burners.py:Short", runs["Short"].run)
    assert seconds.worst.factor == pytest.approx(230 * 0.3 / (100 * 0.5), rel=0.15)
    for rung in (OPERATIONS, MOVED, FLOOR):  # work is what was drawn here
        assert (rungs[rung].rows, rungs[rung].tau, rungs[rung].worst) == (4, 1.0, None)
    counted = [rung for rung in rungs if rung in COUNTED]
    assert counted == [OPERATIONS, MOVED, PEAK]  # in the order of the axis; nobody communicates
    assert list(rungs).index(MOVED) < list(rungs).index(FLOOR)
    said = bench("metrics").stdout
    line = next(line for line in said.splitlines() if line.startswith("wall_s: "))
    assert f"at worst it prefers burners.py:Brief ({runs['Brief'].run}), which costs 1." in line
    assert f"what burners.py:Short ({runs['Short'].run}) does" in line
    assert "+0.67" in said and "+1.00" in said


@pytest.mark.alone
def test_rungs_that_rank_perfectly(bench: Bench, home: Path, script: Script) -> None:
    """Power and work alike per second. A count of other code or another configuration is nobody's."""
    alike = "algo.thousands=300"
    for name in NAMES:
        words = (alike,) if name == "Brief" else ()
        sit(script, name, 100.0, *words)
    bench("count", TASK, burner("Brief"), alike)
    bench("count", "-m", TASK, burner(*NAMES[1:]))
    bench("count", TASK, burner("Brief"), "algo.thousands=9000")
    board, rungs, _ = only(home)
    assert board.rows == 4
    for rung in ("wall_s", OPERATIONS, MOVED, FLOOR):
        assert (rungs[rung].rows, rungs[rung].tau, rungs[rung].worst) == (4, 1.0, None)
        assert rungs[rung].sentence.endswith("it orders no pair wrongly")
    assert f"{OPERATIONS}: " in bench("metrics").stdout


def test_without_a_sensor_there_is_nothing_to_audit_against(bench: Bench, home: Path) -> None:
    bench("run", "-m", *QUICK, "meter=cpu_time", burner(*NAMES))
    bench("count", "-m", TASK, burner(*NAMES))
    board, rungs, runs = only(home)
    assert board.reference is None and not rungs and len(runs) == 4
    assert "no run was measured: nothing to audit against" in bench("metrics").stdout
