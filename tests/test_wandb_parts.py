"""tracker=wandb in parts: its fields, its mode, what it calls things, and how wandb is called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.errors import BadInputError
from harness.trackers import keys, wandb_process, weights_biases
from harness.trackers.weights_biases import WeightsBiases
from harness.tracking import facts
from tests import gate_records, wandb_home
from tests.trackers import seated

pytest.importorskip("wandb")
user, stand_in = wandb_home.user, wandb_home.stand_in  # fixtures


def heard(log: Path, do: str) -> dict[str, Any]:
    """The last message of a kind."""
    found = [json.loads(line) for line in log.read_text().splitlines()]
    last: dict[str, Any] = [message for message in found if message["do"] == do][-1]
    return last


def test_names_of_any_kind_are_text(stand_in: Path, user: Path) -> None:
    run = seated("tracker=wandb")
    tracker = run.tracking.tracker
    assert isinstance(tracker, WeightsBiases)
    told = facts(run)
    for name in ("x" * 1000, "<script>alert(1)</script>", "[red]two\nlines\x07[/]", "ünï"):
        tracker.begin(type(told)(**{**vars(told), "algo": name}))
        shown = heard(stand_in, "begin")["init"]["name"]
        assert len(shown) <= 128 and shown.isprintable()
        assert shown.endswith("…") if len(name) > 128 else name[:8] in shown


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("tracker.project=a/b",), "W&B takes no '/'"),
        (("tracker.project=" + "x" * 1000,), "must have 1 to 128 letters, not 1000"),
        (("tracker.name=" + "x" * 1000,), "must have 1 to 128 letters"),
        (("tracker.tags=[" + "x" * 65 + "]",), "must have 1 to 64 letters"),
        (("tracker.mode=onlin",), "must be one of: auto, online, offline"),
        (("tracker.mode=online",), "needs a key: say wandb login, or set WANDB_API_KEY"),
        (("tracker.live=maybe",), "must be one of: auto, true, false"),
        (("tracker.wait_s=0",), "must be above 0"),
    ],
)
def test_bad_fields_are_said_before_anything_runs(
    stand_in: Path, words: tuple[str, ...], says: str
) -> None:
    with pytest.raises(BadInputError) as error:
        seated("tracker=wandb", *words)
    assert says in str(error.value) and len(str(error.value)) < 200


def mode_of(
    monkeypatch: pytest.MonkeyPatch, hello: dict[str, Any], **fields: Any
) -> tuple[str, str]:
    class Process:
        alive = True

    Process.hello = {"key": False, "mode": None, "project": None, **hello}  # type: ignore[attr-defined]
    monkeypatch.setattr(weights_biases, "_shared", Process)
    tracker = WeightsBiases(**fields)
    return tracker.choice, tracker.why


def test_mode_follows_the_key_and_the_users_word(monkeypatch: pytest.MonkeyPatch) -> None:
    key = {"key": True}
    assert mode_of(monkeypatch, {}) == ("offline", "no key")
    assert mode_of(monkeypatch, key) == ("online", "")
    assert mode_of(monkeypatch, key, mode="offline")[0] == "offline"
    assert mode_of(monkeypatch, {**key, "mode": "offline"}) == ("offline", "WANDB_MODE=offline")
    assert mode_of(monkeypatch, {**key, "mode": "disabled"})[0] == "disabled"
    assert mode_of(monkeypatch, {"mode": "offline", **key}, mode="online")[0] == "online"
    with pytest.raises(BadInputError, match="WANDB_MODE=online needs a key"):
        mode_of(monkeypatch, {"mode": "online"})


@pytest.mark.parametrize(
    ("mode", "meters", "live", "wanted"),
    [
        ("online", ["cpu_time"], "auto", True),
        ("online", ["nvml", "cpu_time"], "auto", True),
        ("online", ["rapl", "cpu_time"], "auto", False),
        ("online", ["wall"], "auto", False),
        ("online", ["battery"], "auto", False),
        ("offline", ["cpu_time"], "auto", False),
        ("offline", ["rapl"], True, True),
        ("online", ["cpu_time"], False, False),
    ],
)
def test_who_sees_the_tracker_decides_whether_it_is_live(
    monkeypatch: pytest.MonkeyPatch, mode: str, meters: list[str], live: Any, wanted: bool
) -> None:
    mode_of(monkeypatch, {})
    tracker = WeightsBiases(live=live)
    tracker.begun = {"mode": mode}
    told = facts(seated())
    assert tracker.wants_live(type(told)(**{**vars(told), "meters": meters})) is wanted


def test_keys_are_found_where_wandb_has_them(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Settings:
        base_url = "https://api.wandb.ai"
        api_key: str | None = None

    assert not wandb_process.has_key(Settings())
    book = user / "netrc"
    monkeypatch.setenv("NETRC", str(book))
    assert not wandb_process.has_key(Settings())
    book.write_text("machine elsewhere.org login user password secret\n")
    assert not wandb_process.has_key(Settings())
    book.write_text("machine api.wandb.ai login user password secret\n")
    assert wandb_process.has_key(Settings())
    monkeypatch.delenv("NETRC")
    Settings.api_key = "0" * 40
    assert wandb_process.has_key(Settings())


class Fake:
    """wandb as far as a Follower calls it; at fails it raises."""

    class Error(Exception):
        pass

    def __init__(self, refuses: str = "") -> None:
        self.refuses, self.modes, self.ended = refuses, [], []
        self.settings: Any = None
        self.summary: dict[str, Any] = {}
        self.url = self.id = "x"

    class Settings:
        model_fields = wandb_process.SETTINGS

        def __init__(self, **fields: Any) -> None:
            assert set(fields) == {*wandb_process.SETTINGS, "init_timeout"}

    def init(self, mode: str, **rest: Any) -> Any:
        self.modes.append(mode)
        if mode == self.refuses:
            raise self.Error("not with this key\nmore")
        return self

    def teardown(self) -> None:
        self.modes.append("teardown")

    def finish(self, exit_code: int) -> None:
        self.modes.append(f"finished {exit_code}")

    def define_metric(self, *names: str, **rest: Any) -> None:
        assert names


def test_where_wandb_does_not_let_us_in_it_stays_offline(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Fake("online")
    fake.settings = type("S", (), {"sync_dir": str(user / "results/wandb/offline-run-x")})()
    monkeypatch.setattr(wandb_process, "unreachable", lambda wandb: "")
    follower = wandb_process.Follower(fake)
    left = user / "results" / "wandb" / "run-1-x"
    left.mkdir(parents=True)
    message = {"mode": "online", "why": "", "folder": str(user / "results"), "init": {"id": "x"}}
    answer = follower.begin({**message, "config": {}})
    assert fake.modes == ["online", "teardown", "offline"] and not left.exists()
    assert (answer["mode"], answer["why"]) == ("offline", "W&B: not with this key more")
    assert answer["dir"] == "results/wandb/offline-run-x"
    follower.begin({**message, "mode": "offline", "config": {}})
    assert fake.modes[3:] == ["finished 1", "offline"]  # the one before was left open by a fault


@pytest.mark.parametrize("status", ["interrupted", "failed", "ok"])
def test_how_a_run_ended_is_its_exit_code(
    user: Path, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    codes = []
    follower = wandb_process.Follower(None)
    monkeypatch.setattr(follower, "_end", lambda code: codes.append(code) or {"is": "finished"})
    monkeypatch.setattr(follower, "_keep", lambda record, folder: None)

    class Run:
        class settings:  # noqa: N801
            sync_dir = str(user / "results" / "wandb" / "x")

        class config:  # noqa: N801
            update = staticmethod(lambda values, allow_val_change: None)

        log = staticmethod(lambda row: None)
        summary: dict[str, Any] = {}

    follower.run = Run
    record = msgspec.structs.replace(gate_records.run(3.0), status=status)
    follower.finish({"record": msgspec.to_builtins(record)})
    assert codes == [{"interrupted": 130, "failed": 1, "ok": 0}[status]]
    assert Run.summary["status"] == status


def test_measured_and_modelled_have_no_name_in_common() -> None:
    measured = keys.summary(gate_records.run(3.0, source="measured:nvml"))
    modelled = keys.summary(gate_records.run(3.0, source="modelled:cpu_time"))
    assert measured["measured_energy_j"] == 3.0 and modelled["modelled_energy_j"] == 3.0
    for found, other in ((measured, "modelled"), (modelled, "measured")):
        joules = [n for n in found if n.endswith(("_j", "_j_low", "_j_high", "per_accuracy"))]
        assert joules and not any(other in name for name in joules)
    assert measured["phase/train/measured_j"] == 3.0


def test_rows_of_two_sources_of_one_domain_count_once() -> None:
    record = gate_records.run(3.0, source="measured:nvml")
    row = record.energy[0]
    also = [
        msgspec.structs.replace(row, source="measured:zeus"),
        msgspec.structs.replace(row, source="measured:rapl", domain="package0", gross_j=2.0),
        msgspec.structs.replace(row, source="modelled:cpu_time", domain="worker"),
    ]
    both = msgspec.structs.replace(record, source="measured:nvml+rapl", energy=[*also, row])
    assert keys.summary(both)["phase/train/measured_j"] == 5.0


def test_a_long_trace_is_thinned_by_means(user: Path) -> None:
    import numpy as np

    from metrics.trace import Trace, save_parquet

    t_s = np.arange(10 * keys.MOST_ROWS) / 10
    watts = np.where(np.arange(len(t_s)) % 10 < 5, 100.0, 200.0)
    watts[3] = np.nan
    save_parquet(Trace(t_s, {"gpu0_power_w": watts}), user / "t.parquet", "r", [])
    rows = keys.power(user / "t.parquet")
    assert len(rows) == keys.MOST_ROWS
    assert {row["power/gpu0_power_w"] for row in rows[1:]} == {150.0}
    assert rows[0]["power/gpu0_power_w"] == pytest.approx((400 + 1000) / 9)
