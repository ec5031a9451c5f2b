"""bench dashboard: what it builds without a network, and that it names only what the tracker tells."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness import dashboard, dashboard_command
from harness.cli import parser
from harness.errors import BadInputError
from harness.sitting import Moment
from harness.trackers import keys
from harness.trackers.base import Sample
from metrics.record import CURVE, CurvePoint, Interval, Record
from metrics.store import Store, StoreError
from tests import gate_records
from tests.conftest import Bench
from tests.wandb_server import KEY, serving

pytest.importorskip("wandb_workspaces")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the library itself
OURS = ("WANDB_API_KEY", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_BASE_URL", "NETRC")
HOSTILE = ("<script>alert(1)</script>", 'it\'s "quoted" \\', "two\nlines", "n=20 < k=3", "x" * 1000)


@pytest.fixture
def user(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a key."""
    for name in OURS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home / "user"))
    return home


def curve_of(record: Record) -> Record:
    """The same as a curve of one point."""
    whole = Interval(value=1.0, low=0.9, high=1.1)
    counts = {"step": 1, "of": 2, "loss": 0.5, "score": 0.9, "score_se": 0.1}
    point = CurvePoint(energy_j=whole, wall_s=1.0, cpu_s=1.0, evaluation_s=1.0, **counts)
    return msgspec.structs.replace(record, kind=CURVE, curve=[point])


def told() -> set[str]:
    """Every name that the tracker gives to a figure of a run, a curve, or a look at it."""
    found: set[str] = set()
    for source in ("measured:nvml", "modelled:cpu_time"):
        record = gate_records.run(3.0, source=source)
        found |= {f"config:{name}" for name in keys.config_of(record)}
        found |= {f"summary:{name}" for name in keys.summary(record)}
        found |= {name for row in keys.curve(curve_of(record)) for name in row}
        moment = Moment("train", 1.0, 2.0, loss=0.5, step=3, of=9)
        sample = Sample(1.0, 1, moment.phase, moment.joules, moment.loss, moment.step, moment.of)
        found |= set(keys.sample(sample, source.startswith("modelled")))
    return found | {keys.POWER_S}


def named(spec: Any) -> Iterator[str]:
    """Every name of a figure in a specification, as W&B's frontend writes it."""
    if isinstance(spec, list):
        for part in spec:
            yield from named(part)
    if not isinstance(spec, dict):
        return
    if "viewType" in spec:
        config, bars = spec["config"], spec["viewType"] == "Bar Chart"
        yield from (f"summary:{n}" if bars else n for n in config.get("metrics", []))
        yield from (config[axis] for axis in ("xAxis", "yAxis") if axis in config)
        if "groupBy" in config:
            yield f"config:{config['groupBy'].removesuffix('.value')}"
    for key in ("columnOrder", "columnPinned"):
        yield from (n.removesuffix(".value") for n in spec.get(key, []) if not n.startswith("run:"))
    if set(spec) >= {"section", "name"} and spec["section"] == "config":
        yield f"config:{spec['name'].removesuffix('.value')}"
    for part in spec.values():
        yield from named(part)


def both(records: list[Record]) -> dict[str, Any]:
    found = dashboard.boards(
        [msgspec.convert(msgspec.to_builtins(r), dashboard.Line) for r in records]
    )
    return {
        "workspace": dashboard.specification(dashboard.workspace("me", "mine")),
        "report": dashboard.specification(dashboard.report("me", "mine", found)),
    }


def test_every_name_in_it_is_one_that_the_tracker_tells() -> None:
    made = both([gate_records.run(3.0), gate_records.run(3.0, source="modelled:cpu_time")])
    names = set(named(made))
    assert names <= told(), names - told()
    wanted = {"summary:measured_energy_j", "summary:modelled_energy_j", "summary:score"}
    assert names >= {*wanted, "curve/measured_j", "train/loss", "train/step", "config:board"}
    regexes = re.findall(r'"metricRegex": "(.*?)"', json.dumps(made))
    columns = ("power/gpu0_power_w", "power/package0_w", "power/gpu0_temperature_c")
    assert all(any(re.search(r, column) for r in regexes) for column in columns)


def test_boards_are_filtered_and_never_mix_kinds() -> None:
    records = [
        *(gate_records.run(3.0), gate_records.run(4.0)),
        *(gate_records.run(3.0, source="modelled:cpu_time"), curve_of(gate_records.run(3.0))),
    ]
    blocks = both(records)["report"]["spec"]["blocks"]
    grids = [block["metadata"] for block in blocks if block["type"] == "panel-grid"]
    boards = [keys.config_of(record)["board"] for record in (records[0], records[2])]
    assert len(grids) == 2 + 3
    for grid, board, kind in zip(grids, boards, keys.KINDS, strict=False):
        filters = {f["key"]["name"]: f["value"] for f in grid["runSets"][0]["filters"]["filters"]}
        assert filters == {"kind": "run", "board": board}
        panels = json.dumps(grid["panelBankSectionConfig"])
        other = keys.KINDS[kind == "measured"]
        assert f"{kind}_energy_j" in panels and f"{other}_" not in panels


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_any_kind_are_text(name: str) -> None:
    record = gate_records.run(3.0)
    odd = msgspec.structs.replace(record, task=msgspec.structs.replace(record.task, name=name))
    filters = json.dumps(both([odd])["report"])
    assert f'"value": "{keys.config_of(odd)["board"]}"' in filters
    titles = [
        b["children"][0]["text"]
        for b in json.loads(filters)["spec"]["blocks"]
        if b["type"] == "heading"
    ]
    assert all(len(title) <= 200 and title.isprintable() for title in titles)


def kept(home: Path, *records: Record) -> None:
    for record in records:
        Store(home / "results").append(record)


def test_it_is_written_beside_the_records_and_says_what_publish_would_do(
    bench: Bench, user: Path
) -> None:
    kept(user, gate_records.run(3.0), gate_records.run(4.0))
    said = bench("dashboard", "--project", "mine").stdout
    assert "1, of 2 runs" in said and "--publish" in said and "project mine" in said
    made = json.loads((user / "results" / "dashboard.json").read_text())
    assert made["report"]["project"]["name"] == "mine" and made["workspace"]["project"] == "mine"
    assert not (user / "user").exists()  # nothing was written to HOME
    with pytest.raises(BadInputError, match="--publish needs a key"):
        call("--publish")


def call(*words: str) -> int:
    return dashboard_command.called(parser().parse_args(["dashboard", *words]))


def test_bad_input_is_one_line(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match=r"no runs in results/records\.jsonl"):
        call()
    kept(user, curve_of(gate_records.run(3.0)))
    with pytest.raises(StoreError, match="and so no boards; make some with: bench run"):
        call()
    kept(user, gate_records.run(3.0))
    for word, says in (("a/b", "none of /"), ("x" * 1000, "at most 128 letters")):
        with pytest.raises(BadInputError, match=says):
            call("--entity", word)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nothing listens there
    wandb = sys.modules["wandb"]
    monkeypatch.setattr("harness.trackers.wandb_process.has_key", lambda settings: True)
    monkeypatch.setattr(
        "harness.trackers.wandb_process.unreachable", lambda wandb: "no way to 127.0.0.1:9"
    )
    with pytest.raises(BadInputError, match=r"cannot save a dashboard: no way to 127\.0\.0\.1:9"):
        call("--publish")
    monkeypatch.setattr("harness.trackers.wandb_process.unreachable", lambda wandb: "")
    monkeypatch.setattr(wandb, "Api", lambda timeout: type("A", (), {"default_entity": None}))
    with pytest.raises(BadInputError, match="say --entity NAME"):
        call("--publish")


def test_what_wandb_says_of_a_refusal_is_one_line(
    user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(user, gate_records.run(3.0))
    monkeypatch.setattr(dashboard_command, "entity_for", lambda said: said)

    class Saved:
        url = "https://wandb.ai/me/mine"

        def __init__(self, what: str) -> None:
            self.what = what

        def save(self) -> None:
            if self.what == "report":
                raise RuntimeError("permission\ndenied")

    monkeypatch.setattr(dashboard, "workspace", lambda *words: Saved("workspace"))
    monkeypatch.setattr(dashboard, "report", lambda *words: Saved("report"))
    monkeypatch.setattr(dashboard, "specification", lambda made: {})
    with pytest.raises(BadInputError, match=r"W&B did not take the report: permission denied$"):
        call("--publish", "--entity", "me")
    assert "saved     workspace: https://wandb.ai/me/mine" in capsys.readouterr().out


def test_without_the_package_it_says_which(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(user, gate_records.run(3.0))
    monkeypatch.setitem(sys.modules, "wandb_workspaces.workspaces", None)
    with pytest.raises(BadInputError, match=r"pip install 'joulebench\[wandb\]'"):
        call()


def test_it_is_saved_where_a_server_takes_it(
    bench: Bench, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(user, gate_records.run(3.0))
    with serving() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        said = bench("dashboard", "--publish", "--project", "mine").stdout
        assert f"saved     workspace: {server.url}/me/mine?nw=" in said
        assert f"saved     report: {server.url}/me/mine/reports/joulebench--v" in said
        views = {name: server.variables(name)[0] for name in ("UpsertView2", "upsertView")}
        made = json.loads((user / "results" / "dashboard.json").read_text())
        workspace = json.loads(views["UpsertView2"]["spec"])
        assert len(workspace["section"]["panelBankConfig"]["sections"]) == 5
        assert made["report"]["displayName"] == views["upsertView"]["displayName"] == "joulebench"
