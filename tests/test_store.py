"""The Records file under many writers, kills, torn lines and full disks."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics import record as rec
from metrics.record import Record, encode, json_schema
from metrics.store import RunId, Store, StoreError
from metrics.versions import MIGRATIONS

ROOT = Path(__file__).parent.parent


def make(run: str, note: str = "") -> Record:
    """A Record with invented figures, for tests of the file only."""
    return Record(
        schema_version=rec.SCHEMA_VERSION,
        kind="run",
        run=run,
        status="failed",
        error=note,
        started_at="2026-01-01T00:00:00+00:00",
        task=rec.TaskInfo(
            name="t",
            family="classification",
            variant="v",
            access="samples",
            target="a.B",
            config={},
            config_sha256="0",
        ),
        algorithm=rec.AlgorithmInfo(
            name="a",
            target="a.B",
            config={},
            config_sha256="0",
            code_sha256="0",
            code_bytes=0,
            config_bytes=0,
        ),
        process="as_published",
        draw=rec.DrawInfo(seed=0, nonce="0", repeats=1),
        score=None,
        headline=None,
        energy=[],
        phases=[],
        source="modelled:cpu_time",
        empty=None,
        isolation="interface",
        audit={},
        host=rec.Host(
            device_class="d",
            cpu="c",
            cores=1,
            threads=1,
            memory_bytes=1,
            platform="p",
            python="3",
            libraries={},
            temperature_c=None,
        ),
        code=rec.Code(version="0", commit=None, dirty=None),
        settings={},
    )


def write_some(folder: str, name: str, count: int) -> None:
    store = Store(folder)
    for i in range(count):
        store.append(make(f"{name}-{i}", "x" * (i * 997 % 20000)))


def test_sixteen_writers_lose_and_mix_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [
        context.Process(target=write_some, args=(str(tmp_path), f"w{n}", 12)) for n in range(16)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    loaded = Store(tmp_path).load(Record)
    assert not loaded.problems
    assert {r.run for r in loaded.records} == {f"w{n}-{i}" for n in range(16) for i in range(12)}


def test_killed_at_any_moment_leaves_every_finished_record_whole(tmp_path: Path) -> None:
    """Writers are killed again and again; what they had reported as written is all there."""
    code = (
        "import sys; from tests.test_store import make; from metrics.store import Store\n"
        "store = Store(sys.argv[1])\n"
        "for i in range(10**6):\n"
        "    store.append(make(f'{sys.argv[2]}-{i}', 'y' * 50000)); print(i, flush=True)\n"
    )
    reported: set[str] = set()
    for round in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), f"r{round}"],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.01 + 0.013 * round)
        writer.send_signal(signal.SIGKILL)
        reported |= {f"r{round}-0"} | {f"r{round}-{line.strip()}" for line in writer.stdout}
        writer.wait()
    found = {r.run for r in Store(tmp_path).load(RunId).records}
    assert reported <= found
    write_some(str(tmp_path), "after", 1)  # no lock was left behind
    assert "after-0" in {r.run for r in Store(tmp_path).load(RunId).records}


def test_a_torn_last_line_is_kept_reported_and_skipped(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_some(str(tmp_path), "a", 2)
    whole = store.path.read_bytes()
    torn = whole[:-300]
    store.path.write_bytes(torn)
    loaded = store.load(Record)
    assert [r.run for r in loaded.records] == ["a-0"]
    assert len(loaded.problems) == 1 and ":2: the last line is torn" in loaded.problems[0]
    write_some(str(tmp_path), "b", 1)
    assert store.path.read_bytes().startswith(torn + b"\n")
    loaded = store.load(Record)
    assert [r.run for r in loaded.records] == ["a-0", "b-0"]
    assert len(loaded.problems) == 1 and ":2: not a Record" in loaded.problems[0]


def test_another_schema_version_is_named(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_bytes(b'{"schema_version":99,"run":7}\n')
    loaded = Store(tmp_path).load(Record)
    assert "schema version 99, this program reads 1: a newer joulebench" in loaded.problems[0]
    with pytest.raises(StoreError, match=r"records.jsonl:1: .*99.* update this one"):
        Store(tmp_path).find("last")
    store = Store(tmp_path)
    store.append(make("mine"))
    with store.path.open("ab") as file:
        file.write(b'{"schema_version":99,"run":"theirs"}\n')
    assert store.find("last").run == "mine"
    loaded = store.load(RunId)  # which both lines fit, were it not for their versions
    assert [r.run for r in loaded.records] == ["mine"] and len(loaded.problems) == 2
    assert loaded.problems[1].startswith(f"{store.path}:3: ")


def test_an_older_version_is_brought_up_to_date_where_a_way_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 0 is invented: here `process` had another name in it, and -1 had none of it at all."""
    store = Store(tmp_path)
    old = json.loads(encode(make("old"))) | {"schema_version": 0}
    old["how"] = old.pop("process")
    store.path.write_text(json.dumps(old) + "\n")
    store.append(make("new"))
    before = store.path.read_bytes()
    loaded = store.load(Record)
    assert [r.run for r in loaded.records] == ["new"]
    assert ":1: a Record of schema version 0" in loaded.problems[0]
    assert "read it with the joulebench that wrote it" in loaded.problems[0]

    def renamed(record: dict[str, Any]) -> dict[str, Any]:
        return {("process" if k == "how" else k): v for k, v in record.items()}

    monkeypatch.setitem(MIGRATIONS, 0, renamed)
    loaded = store.load(Record)
    assert not loaded.problems and [r.run for r in loaded.records] == ["old", "new"]
    assert loaded.records[0] == make("old") == store.find("old")
    assert store.path.read_bytes() == before  # nothing is edited
    monkeypatch.setitem(MIGRATIONS, -1, lambda record: record | {"how": "as_published"})
    del old["how"]
    store.path.write_text(json.dumps(old | {"schema_version": -1}) + "\n")
    assert store.load(Record).records == [make("old")]  # one after the other


def test_a_full_disk_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    write_some(str(tmp_path), "a", 2)
    before = store.path.read_bytes()

    def half(file: int, data: bytes) -> int:
        if not len(data) > 100:
            raise OSError(28, "No space left on device")
        return genuine(file, bytes(data)[: len(data) - 50])

    genuine = os.write
    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space left"):
        store.append(make("b"))
    monkeypatch.undo()
    assert store.path.read_bytes() == before
    store.append(make("c"))
    assert [r.run for r in store.load(RunId).records] == ["a-0", "a-1", "c"]


def test_finding_a_run(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(StoreError, match="no Records in"):
        store.find("last")
    for run in ("20260101-aaa", "20260101-abc", "20260102-xyz"):
        store.append(make(run, note="mentions 20260102-xyz and 20260101-aaa"))
    assert store.find("last").run == "20260102-xyz"
    assert store.find("20260102").run == "20260102-xyz"
    assert store.find("20260101-ab").run == "20260101-abc"
    with pytest.raises(StoreError, match="fits 2 runs"):
        store.find("20260101")
    with pytest.raises(StoreError, match="no run '2027'"):
        store.find("2027")


@given(
    st.text(),
    st.dictionaries(
        st.text(), st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.none()
    ),
)
def test_a_record_survives_its_encoding(note: str, config: dict[str, object]) -> None:
    try:
        note.encode()
    except UnicodeEncodeError:
        return
    record = msgspec.structs.replace(make("r", note), settings=config)
    line = encode(record)
    assert b"\n" not in line
    assert msgspec.json.decode(line, type=Record) == record


def test_the_published_schema_is_the_structs_schema() -> None:
    published = json.loads((ROOT / "metrics" / "record.schema.json").read_text())
    assert published == json_schema(), "run: bench schema > metrics/record.schema.json"
