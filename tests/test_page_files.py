"""Traces, pictures and verdicts on a page: what is shown of them, and what is said of the others."""

from __future__ import annotations

import base64
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.record import ExamInfo, Record
from reports.page import pictures, traces
from tests.papers import sat
from tests.test_export import store
from tests.test_page_data import PNG, page

PUBLISHED = Path(__file__).parent.parent / "reports" / "published"
GIF = b"GIF89a" + bytes(90)
SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@given(st.integers(1, 5000), st.integers(1, 5), st.integers(0, 2**32), st.floats(0, 1))
def test_a_thinned_trace_keeps_its_peaks_and_its_ends(
    rows: int, series: int, seed: int, gaps: float
) -> None:
    chance = np.random.default_rng(seed)
    table = chance.random((series, rows))
    table[chance.random(table.shape) < gaps] = np.nan
    powers = {str(i): power for i, power in enumerate(table)}
    kept = traces.thinned(powers, 60)
    assert len(kept) <= max(60, 2 + 2 * series) and sorted(set(kept)) == list(kept)
    assert kept[0] == 0 and kept[-1] == rows - 1
    for power in powers.values():
        if np.isfinite(power).any():
            for extreme in (np.nanmin, np.nanmax):
                assert extreme(power[kept]) == extreme(power)


def test_traces_and_what_is_said_of_those_that_cannot_be_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow", reason="needs joulebench[meters]")
    pytest.importorskip("matplotlib", reason="needs joulebench[meters]")  # of test_plots
    from tests.test_plots import with_trace

    record = with_trace(tmp_path)
    data = page(tmp_path)
    trace = data["traces"][record.run]
    assert trace["phases"][1] == {"phase": "train", "begin_s": 2.0, "end_s": 8.0}
    power = trace["power_w"]["gpu0"]
    assert list(trace["power_w"]) == ["gpu0"] and len(power) == len(trace["t_s"]) == 100
    assert max(p for p in power if p is not None) == 300.0 and power[10:15] == [None] * 5
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 torn")
    with_trace(tmp_path / "idle", {"gpu0_c": np.zeros(100)})
    shutil.copy(tmp_path / "idle" / "t.parquet", tmp_path / "idle.parquet")
    names = ("torn.parquet", "gone.parquet", "/etc/passwd", "../x.parquet", "idle.parquet", "t\0")
    store(tmp_path, [sat("x", 1.0, trace=name) for name in names])
    data = page(tmp_path)
    assert list(data["traces"]) == [record.run]
    counts = {"shown": 1, "left_out": 0, "without_power": 1, "missing": 1, "unreadable": 4}
    assert data["about"]["traces"] == counts and len(data["problems"]) == 5
    store(tmp_path, [newer := sat("newer", 1.0, trace="t.parquet")])
    monkeypatch.setattr(traces, "MOST_RUNS", 1)
    data = page(tmp_path)
    assert list(data["traces"]) == [newer.run] and data["about"]["traces"]["left_out"] > 0
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    data = page(tmp_path)
    assert data["traces"] == {} and "joulebench[meters]" in data["problems"][-1]


def test_pictures_are_what_they_hold_and_the_newest_of_each_algorithm_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"a.png": PNG, "film.gif": GIF, "b.svg": SVG, "c.png": b"<html>", "d.svg": b"<svgx/>"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    record = sat("a", 1.0, pictures=[*files, "gone.png", "../a.png"])
    data = page(store(tmp_path, [record]))
    shown = data["pictures"][record.run]
    types = {picture["name"]: picture["type"] for picture in shown}
    assert types == {"a.png": "image/png", "film.gif": "image/gif", "b.svg": "image/svg+xml"}
    head, _, body = shown[1]["uri"].partition(",")
    assert head == "data:image/gif;base64" and base64.b64decode(body) == GIF
    counts = {"shown": 3, "left_out": 0, "missing": 1, "refused": 3}
    assert data["about"]["pictures"] == counts and len(data["problems"]) == 4
    both = [sat(name, 1.0, pictures=["a.png"]) for name in ("b", "c", "c", "b", "c")]
    monkeypatch.setattr(pictures, "MOST_BYTES", 2 * len(shown[0]["uri"]) + 4)
    data = page(store(tmp_path / "more", both), *(copied(tmp_path / "more", "a.png"),))
    assert set(data["pictures"]) == {both[3].run, both[4].run}
    assert data["about"]["pictures"]["left_out"] == 3


def copied(folder: Path, name: str) -> Path:
    (folder / name).write_bytes(PNG)
    return folder


def test_the_published_verdicts_and_an_exam_that_is_not_finished() -> None:
    data = page(PUBLISHED / "verdicts")
    said = {v["name"]: v for v in data["verdicts"]}
    kept = {p.parent.name: json.loads(p.read_text()) for p in PUBLISHED.rglob("verdict.json")}
    assert kept.keys() < said.keys()
    for name, was in kept.items():
        now = said[name]
        assert now["verdict"] == was["word"] and now["sentence"].startswith(was["word"])
        assert now["runs_here"] == len(was["runs"]) and now["command"].startswith(
            "bench exam task="
        )
        for condition, of in zip(now["conditions"], was["conditions"], strict=True):
            assert (condition["estimate"], condition["bar"]) == (of["value"], of["limit"])
            assert condition["met"] == {"met": True, "open": None, "refuted": False}[of["state"]]
            assert condition["must"] and condition["seen"]
    dates = [v["date"] for v in data["verdicts"]]
    assert dates == sorted(dates, reverse=True) and all(dates)
    (rest,) = (v for v in data["verdicts"] if v["verdict"] == "not finished")
    assert rest["conditions"] == [] and rest["planned"] == 5 and rest["pairs"] < 5
    assert f"{rest['pairs']} of 5 pairs are sat" in rest["sentence"]


def test_verdicts_that_are_torn_odd_or_without_records(tmp_path: Path) -> None:
    store(tmp_path, [sat("a", 1.0)])
    source = next(iter(sorted(PUBLISHED.rglob("verdict.json")))).parent
    for name in ("torn", "odd", "deep", "nulls", "alone"):
        shutil.copytree(source, tmp_path / "exams" / name)
    (tmp_path / "exams" / "empty").mkdir()
    (tmp_path / "exams" / "stray.txt").write_text("x")
    whole = json.loads((source / "verdict.json").read_text())
    texts = {
        "torn": (source / "verdict.json").read_text()[:99],
        "odd": "[1, 2]",
        "deep": "[" * 100_000,
    }
    for name, text in texts.items():
        (tmp_path / "exams" / name / "verdict.json").write_text(text)
    for condition in whole["conditions"]:
        condition["low"] = condition["high"] = None
    changed = {"exam": "nulls", "word": "<b>", "effect_high": None}
    (tmp_path / "exams" / "nulls" / "verdict.json").write_text(json.dumps(whole | changed))
    (tmp_path / "exams" / "alone" / "plan.json").write_text("{")
    data = page(tmp_path)
    assert len(data["problems"]) == 3
    assert all("/exams/" in problem and "\n" not in problem for problem in data["problems"])
    said = {v["name"]: v for v in data["verdicts"]}
    assert said.keys() == {"nulls", whole["exam"]} and said["nulls"]["verdict"] == "<b>"
    assert said["nulls"]["conditions"][0]["interval"] == "not known"
    assert said[whole["exam"]]["runs_here"] == 0  # its Records are elsewhere
    (tmp_path / "exams" / "odd" / "verdict.json").unlink()
    (tmp_path / "exams" / "odd" / "plan.json").write_text('{"pairs": "x", "words": 3}')
    assert len(page(tmp_path)["problems"]) == 3


def test_pairs_that_are_sat_are_counted_without_a_verdict(tmp_path: Path) -> None:
    def of(pair: int, side: str, **changes: Any) -> Record:
        exam = ExamInfo(
            exam="x",
            plan_sha256="p",
            pair=pair,
            side=side,
            position=1,
            sides=["candidate", "baseline"],
            pairs=3,
            extension=0,
            machine="m",
            void=changes.pop("void", None),
        )
        return sat(side, 1.0, exam=exam, **changes)

    made = [of(1, "candidate"), of(1, "baseline"), of(2, "candidate"), of(2, "baseline", void="x")]
    store(tmp_path, made)
    (tmp_path / "exams" / "x").mkdir(parents=True)
    (tmp_path / "exams" / "x" / "plan.json").write_text('{"pairs": 3, "declared_at": "2026"}')
    (verdict,) = page(tmp_path)["verdicts"]
    assert (verdict["pairs"], verdict["planned"], verdict["runs_here"]) == (1, 3, 4)
