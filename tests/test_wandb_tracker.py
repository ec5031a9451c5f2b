"""tracker=wandb: what stands in an offline run, what does not, and runs whose tracker is lost."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness import run_command
from harness.errors import BadInputError
from harness.trackers import keys, weights_biases
from metrics.record import Record
from metrics.store import Store
from tests import gate_records, wandb_home
from tests.conftest import TESTS, Bench
from tests.trackers import PARITY, ROOT, seated
from tests.wandb_home import PRIVATE
from tests.wandb_server import KEY, serving

pytest.importorskip("wandb")
user, stand_in = wandb_home.user, wandb_home.stand_in  # fixtures


def records(home: Path) -> list[Record]:
    return Store(home / "results").load(Record).records


def synced(stderr: str) -> Path:
    """The folder that the command says to sync."""
    return Path(shlex.split(stderr.partition("wandb sync ")[2].splitlines()[0])[0])


def inspected(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """What wandb itself reads in an offline run, by kind."""
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", folder]
    place = {"WANDB_CACHE_DIR": str(folder.absolute().parent / "cache")}  # not the user's
    env = os.environ | place
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    found: dict[str, list[dict[str, Any]]] = {}
    for line in done.stdout.splitlines():
        entry = json.loads(line)
        found.setdefault(entry["type"], []).append(entry.get(entry["type"], {}))
    return found


def updates(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Config or summary as it ends up."""
    found: dict[str, Any] = {}
    for entry in entries:
        found |= entry.get("update", {})
    return found


def test_an_offline_run_holds_what_the_record_says(bench: Bench, user: Path) -> None:
    """A curve with a trace: configuration, samples, power, points, summary, artifact; nothing else."""
    done = bench(
        *("curve", "task=sparse_parity", "algo=backprop", "trace=true", "curve.first_s=0.005"),
        *("tracker=wandb", "tracker.name='<b>mine</b>'", "tracker.tags=[a,b]", "tracker.group=g"),
    )
    assert "offline (no key)" in done.stderr and "are on no bill" in done.stderr
    record = records(user)[0]
    folder = synced(done.stderr)
    found = inspected(folder)
    run = found["run"][0]
    assert run["run_id"] == record.run and run["display_name"] == "<b>mine</b>"
    assert (run["run_group"], run["job_type"], run["tags"]) == ("g", "curve", ["a", "b"])
    assert run["project"] == "joulebench" and found["exit"][0]["exit_code"] == 0

    plain = json.loads(msgspec.json.encode(keys.config_of(record)))
    assert {k: v for k, v in updates(found["config"]).items() if k != "_wandb"} == plain
    assert plain["hashes"]["algo_config"] == record.algorithm.config_sha256
    assert plain["hashes"]["data"] == record.task.data_sha256

    summary = updates(found["summary"])
    assert record.score and record.headline
    assert summary["score"] == record.score.value and summary["status"] == "ok"
    assert summary["modelled_energy_j"] == record.headline.energy_j.value
    assert summary["modelled_energy_j_low"] == record.headline.energy_j.low
    assert not any(name.startswith("measured") for name in summary)
    for name, value in keys.summary(record).items():
        assert summary[name] == value, name

    rows = [entry["item"] for entry in found["history"]]
    points = [row for row in rows if "curve/modelled_j" in row]
    assert [(r["curve/modelled_j"], r["curve/modelled/score"]) for r in points] == [
        (p.energy_j.value, p.score) for p in record.curve
    ]
    assert len(points) > 1
    assert record.trace
    power = [row for row in rows if "power/seconds" in row]
    assert len(power) == len(keys.power(user / "results" / record.trace)) > 1
    samples = [row for row in rows if keys.SECONDS in row]
    assert any("train/modelled_j" in row for row in samples)
    tables = {n.partition(".")[0] for row in rows for n in row if n.startswith("table/")}
    assert tables == {"table/phases", "table/energy"}

    axes = {m.get("glob_name", m.get("name")): m.get("step_metric") for m in found["metric"]}
    assert axes["train/*"] == keys.SECONDS and axes["curve/modelled/*"] == "curve/modelled_j"
    artifact = next(a for a in found["artifact"] if a["type"] == "joulebench-record")
    assert artifact["name"] == f"record-{record.run}"
    paths = {e["path"]: e["local_path"] for e in artifact["manifest"]["contents"]}
    names = {"record.json", Path(record.trace).name, Path(record.trace).with_suffix(".png").name}
    assert set(paths) == names
    assert msgspec.json.decode(Path(paths["record.json"]).read_bytes(), type=Record) == record

    # The log names files of this machine where their content is to be found, and in nothing that goes up.
    goes_up = [entry for kind, list_ in found.items() if kind != "artifact" for entry in list_]
    text = json.dumps(goes_up)
    host = f'"{socket.gethostname()}"'
    for secret in (PRIVATE, str(user), str(ROOT), host, sys.executable):
        assert secret not in text
    kept = {p.name for p in folder.rglob("*") if p.is_file()}
    assert {name for name in kept if not name.endswith((".table.json", ".log"))} == {
        "record.json",
        f"run-{record.run}.wandb",
    }
    assert not list((user / "user").rglob("*wandb*"))  # in HOME there is matplotlib's cache alone


def test_no_network_and_a_run_that_fails(
    bench: Bench, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key and a closed port: it stays offline and says how to sync; the run's failure is told."""
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setenv("WANDB_PROJECT", "theirs")
    words = ("task=sparse_parity", f"algo={TESTS / 'faulty.py'}:Raises", "repeats=1")
    done = bench("run", *words, "tracker=wandb", code=2)
    assert "no way to 127.0.0.1:9" in done.stderr
    found = inspected(synced(done.stderr))
    assert found["exit"][0]["exit_code"] == 1 and found["run"][0]["project"] == "theirs"
    summary = updates(found["summary"])
    record = records(user)[0]
    assert (summary["status"], summary["error"]) == ("failed", record.error)
    assert summary["phase/setup/modelled_j"] > 0 and "score" not in summary


def test_a_disk_without_room_takes_nothing_from_the_run(
    stand_in: Path, user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STAND_IN", "full")
    assert run_command.run([*PARITY, "tracker=wandb"], False, False) == 0
    assert records(user)[0].status == "ok"
    said = capsys.readouterr().err
    assert "bench: tracker=wandb: " in said, said


@pytest.mark.parametrize("word", ["begin", "log", "finish"])
@pytest.mark.parametrize("kind", ["die", "hang"])
def test_a_process_that_is_lost_takes_nothing_from_the_run(
    stand_in: Path,
    user: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    word: str,
) -> None:
    monkeypatch.setenv("STAND_IN", f"{kind}:{word}")
    monkeypatch.setattr(weights_biases, "BEGIN_S", 0.2)
    run = seated("tracker=wandb", "tracker.wait_s=0.2")
    record = gate_records.run(3.0)
    with run.tracking as tracked:
        hooks = tracked.begin(run)
        hooks.watch(weights_biases_moment())
        tracked.finish(record)
    said = capsys.readouterr().err
    assert said.count("bench: tracker=wandb") == 1 and "Record are whole" in said, said
    assert ("its process has ended" if kind == "die" else "did not answer within 0.2 s") in said
    assert ("wandb sync results/wandb/offline-run-1" in said) == (word != "begin")
    assert weights_biases.shared().alive  # the next run has a process again


def weights_biases_moment() -> Any:
    from harness.sitting import Moment

    return Moment("train", 1.0, 2.0, loss=0.5, step=3, of=9)


def test_ctrl_c_while_it_waits_ends_the_command_with_the_record_kept(
    stand_in: Path, user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STAND_IN", "hang:finish")
    run = seated("tracker=wandb")
    with pytest.raises(KeyboardInterrupt), run.tracking as tracked:
        tracked.begin(run)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        tracked.finish(gate_records.run(3.0))
    said = capsys.readouterr().err
    assert "not to its end" in said and "wandb sync results/wandb/offline-run-1" in said


def test_without_wandb_one_line_before_anything_runs(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights_biases, "find_spec", lambda name: None)
    with pytest.raises(BadInputError, match=r"pip install 'joulebench\[wandb\]'"):
        run_command.run([*PARITY, "tracker=wandb"], False, False)
    assert not (user / "results").exists()


def test_a_replay_is_not_tracked_unasked(
    stand_in: Path, user: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command.run([*PARITY, "tracker=wandb"], False, False) == 0
    messages = stand_in.read_text()
    assert run_command.replay("last", "results", []) == 0
    assert stand_in.read_text() == messages
    assert records(user)[1].settings["overrides"] == PARITY
    with pytest.raises(BadInputError, match="only tracker=NAME"):
        run_command.replay("last", "results", ["seed=3"])
    assert "tracked" in capsys.readouterr().err


def test_a_process_that_cannot_start_is_said_before_anything_runs(
    stand_in: Path, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN", "noise")
    with pytest.raises(BadInputError, match="tracker=wandb cannot start: its process has ended"):
        seated("tracker=wandb")


def test_an_online_run_against_a_server_of_our_own(
    bench: Bench, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes up whole, ends finished, and nothing of this machine goes with it."""
    with serving() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        done = bench("run", *PARITY, "tracker=wandb", "tracker.project=mine")
        record = records(user)[0]
        assert f"tracked   {server.url}/me/mine/runs/{record.run} (the tracker" in done.stderr
        assert server.exit_code == 0
        assert record.headline
        last = json.loads(server.uploads["wandb-summary.json"])
        assert last["modelled_energy_j"] == record.headline.energy_j.value
        assert any(keys.SECONDS in row for row in server.streamed)
        names = {v["input"]["artifactCollectionName"] for v in server.variables("CreateArtifact")}
        assert f"record-{record.run}" in names
        media = {name for name in server.uploads if name.startswith("media/table/")}
        assert set(server.uploads) - media == {"wandb-summary.json", "config.yaml"}
        private = (PRIVATE, str(user), str(ROOT), f'"{socket.gethostname()}"', sys.executable)
        for body in server.bodies:
            assert not any(text.encode() in body for text in private), body[:300]
