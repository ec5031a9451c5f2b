"""`bench report`: the file, its CSVs, what is refused, and the served page over real HTTP."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness import cli, report_server
from harness.errors import BadInputError
from harness.papers_cli import COMMANDS
from harness.report_server import Page, Server, listen
from metrics.store import StoreError
from reports.page import data as page_data
from reports.page.data import Collector
from tests.conftest import Bench, command
from tests.papers import curve, sat
from tests.test_export import store
from tests.test_page_data import AXES, column

Answer = tuple[int, dict[str, str], bytes]


def report(*words: str) -> int:
    """The command in this process; errors come out as they are raised."""
    return cli.dispatch(cli.parser().parse_args(["report", *words]))


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page without its charts, which take seconds."""
    monkeypatch.setattr("reports.page.html.html", lambda data: f"<html>{data['title']}µ</html>")


def test_a_page_and_its_figures_are_written(
    home: Path, plain: None, capsys: pytest.CaptureFixture[str]
) -> None:
    store(home / "results", [sat("a", 1.0), curve("a", [(1.0, 2.0), (2.0, 1.0)])])
    assert report() == 0
    said = capsys.readouterr()
    assert "2 Records on one page of 0.00 MB, in" in said.out and "results/report.html" in said.out
    assert (home / "results" / "report.html").read_text() == "<html>joulebenchµ</html>"
    assert sorted(p.name for p in (home / "results").iterdir()) == [
        *("records.jsonl", "records.jsonl.lock", "report.html")
    ]
    assert report("--out", "b.html", "--csv", "figures", "--title", "<b>mine</b>\udcff") == 0
    assert "12 CSV files written to figures: runs.csv, board.csv" in capsys.readouterr().out
    assert (home / "b.html").read_text() == "<html><b>mine</b>?µ</html>"
    assert (home / "figures" / "curves.csv").read_text().count("\n") == 3


def test_without_records_the_page_is_written_and_the_command_says_how_to_make_some(
    home: Path, plain: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "results").mkdir()
    assert report() == 0
    assert "make one with: bench run task=" in capsys.readouterr().out


def test_problems_are_told_and_the_page_is_written(
    home: Path, plain: None, capsys: pytest.CaptureFixture[str]
) -> None:
    store(home / "a", [sat("a", 1.0, trace="gone.parquet", pictures=["gone.png"])])
    with (home / "a" / "records.jsonl").open("ab") as file:
        file.write(b"{}\n{")
    assert report("--results", "a", "--results", "a") == 0
    said = capsys.readouterr()
    assert said.out.startswith("1 Record on one page") and said.err.count("bench: ") == 4
    for problem in ("the last line is torn", "not a Record", "traces that", "pictures that"):
        assert problem in said.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--results", "none"), "there is no folder none"),
        (("--out", "records.jsonl"), "does not end in any of .html, .htm"),
        (("--out", "none/p.html"), "there is no folder none"),
        (("--out", "taken.html"), "cannot write taken.html"),
        (("--out", f"{'n' * 300}.html"), "cannot write nnn"),
        (("--csv", "file"), "--csv file: is a file; name a folder"),
        (("--csv", "file/x"), "cannot write CSV files to file/x"),
        (("--port", "80"), "say: bench report --serve --port 80"),
        (("--every", "3"), "say: bench report --serve --every 3"),
        (("--serve", "--out", "p.html"), "--serve writes no file"),
        (("--serve", "--csv", "c"), "--serve writes no file"),
        (("--serve", "--port", "70000"), "must be 0 (any that is free) to 65535"),
        (("--serve", "--every", "0"), "must be 0.2 to 3600 seconds"),
        (("--serve", "--every", "nan"), "must be 0.2 to 3600 seconds"),
        (("--serve", "--port", "0", "--results", "none"), "there is no folder none"),
        (("--results", "broken"), "cannot read broken/records.jsonl.gz"),
    ],
)
def test_bad_input(
    home: Path, plain: None, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    store(home / "results", [sat("a", 1.0)])
    (home / "taken.html").mkdir()
    (home / "file").write_text("x")
    (home / "broken").mkdir()
    (home / "broken" / "records.jsonl.gz").write_bytes(b"no gzip")
    monkeypatch.setattr(os, "nice", lambda by: 0)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr("reports.page.html.library", lambda: "")
    with pytest.raises((BadInputError, StoreError)) as refused:
        report(*words)
    assert says in str(refused.value) and "\n" not in str(refused.value)
    assert not list(home.glob(".*partial")) and (home / "file").read_text() == "x"


class Clock:
    """Stands still but for what is added."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    thread_time = monotonic


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """No rest between two pages, unless a page takes long by this clock."""
    made = Clock()
    monkeypatch.setattr(report_server, "time", made)
    return made


def page(folder: Path, html: str = "<html>") -> Page:
    def make(data: dict[str, Any]) -> str:
        return html + json.dumps(len(data["details"]["index"]))

    return Page(Collector([folder], AXES, "t"), 2.0, make, json.dumps)


@contextmanager
def serving(made: Page) -> Iterator[Server]:
    with listen(made, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=20)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def test_three_paths_are_served_and_nothing_else(tmp_path: Path, clock: Clock) -> None:
    store(tmp_path, [sat("a", 1.0)])
    with serving(page(tmp_path)) as server:
        status, headers, body = ask(server, "/")
        assert (status, body) == (200, b"<html>1")
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert headers["Cache-Control"] == "no-store" and headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        status, headers, body = ask(server, "/data.json", **{"Accept-Encoding": "gzip"})
        assert status == 200 and headers["Content-Encoding"] == "gzip"
        plain = ask(server, "/data.json")[2]
        assert gzip.decompress(body) == plain
        served = json.loads(plain)["served"]
        assert served["every_s"] == 2.0
        assert ask(server, "/stamp?now")[2].decode() == served["stamp"]
        status, headers, body = ask(server, "/data.json", "HEAD")
        assert (status, int(headers["Content-Length"]), body) == (200, len(plain), b"")
        for path in ("/records.jsonl", "/../records.jsonl", "/%2e%2e/etc/passwd", "//", "/stamp/"):
            status, _, body = ask(server, path)
            assert status == 404 or (path == "//" and status == 200), path
        assert ask(server, "/", "POST")[0] == 501


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("localhost:1", 200), ("127.0.0.1", 200), ("evil.example:8765", 403), ("", 403)),
        *(("127.0.0.1.evil.example", 403), ("localhost.evil.example:80", 403), ("[::1]:80", 403)),
    ],
)
def test_a_name_that_was_bound_to_this_machine_by_others_is_refused(
    tmp_path: Path, host: str, status: int
) -> None:
    store(tmp_path, [sat("a", 1.0)])
    with serving(page(tmp_path)) as server:
        assert ask(server, "/stamp", Host=host)[0] == status


def test_a_record_that_is_appended_is_on_the_page(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected: list[str] = []
    about = page_data.about
    monkeypatch.setattr(page_data, "about", lambda r: collected.append("once") or about(r))
    store(tmp_path, [sat("a", 1.0)])
    with serving(page(tmp_path)) as server:
        before = ask(server, "/stamp")[2]
        assert not collected  # nobody has asked for anything yet
        assert [ask(server, path)[0] for path in ("/", "/data.json", "/")] == [200] * 3
        assert len(collected) == 1
        store(tmp_path, [late := sat("late", 1.0)])
        now = ask(server, "/stamp")[2]
        assert now != before and len(collected) == 1
        data = json.loads(ask(server, "/data.json")[2])
        assert column(data, "runs", "run")[-1] == late.run and len(collected) == 2
        assert data["served"]["stamp"] == now.decode()


def test_after_a_page_that_took_long_the_machine_is_given_a_rest(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = page_data.about

    def slow(records: Any) -> Any:
        clock.now += 2.0
        return about(records)

    monkeypatch.setattr(page_data, "about", slow)
    store(tmp_path, [sat("a", 1.0)])
    made = page(tmp_path)
    assert made.html() == b"<html>1"
    first = made.stamp()
    store(tmp_path, [sat("late", 1.0)])
    clock.now += 17.9  # of the 18 s that keep it within a tenth
    assert made.stamp() == first and made.html() == b"<html>1"
    clock.now += 0.2
    assert made.stamp() != first and made.html() == b"<html>2"


def test_records_that_go_away_are_told_beside_what_was_read(tmp_path: Path, clock: Clock) -> None:
    folder = store(tmp_path / "r", [sat("a", 1.0)])
    with serving(page(folder)) as server:
        assert json.loads(ask(server, "/data.json")[2])["problems"] == []
        folder.rename(tmp_path / "elsewhere")
        data = json.loads(ask(server, "/data.json")[2])
        assert len(column(data, "runs", "run")) == 1
        assert "there is no folder" in data["problems"][0]
        (tmp_path / "elsewhere").rename(folder)
        assert json.loads(ask(server, "/data.json")[2])["problems"] == []
    with serving(page(tmp_path / "never")) as server:
        status, _, body = ask(server, "/")
        assert status == 503 and b"there is no folder" in body


def test_readers_that_go_away_do_no_harm(
    tmp_path: Path, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    store(tmp_path, [sat("a", 1.0)])
    with serving(page(tmp_path, "x" * 10**7)) as server:
        for said in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET", b"\0\xff\r\n\r\n"):
            with socket.create_connection(server.server_address[:2], timeout=20) as reader:
                reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, *bytes(7)]))
                reader.sendall(said)
                if b"Host" in said:
                    assert reader.recv(100).startswith(b"HTTP/1.1 200")
        assert len(ask(server, "/")[2]) > 10**7
    assert "Traceback" not in capsys.readouterr().err


def test_a_port_that_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = page(tmp_path)
    with listen(made, 0) as first:
        taken = first.server_address[1]
        with pytest.raises(BadInputError, match=r"cannot listen on port .*--port N, or 0 for any"):
            listen(made, taken)
        monkeypatch.setattr(report_server, "PORT", taken)
        with listen(made, None) as second:
            assert second.server_address[1] != taken
            assert second.url.startswith("http://127.0.0.1:")


def test_help_teaches_and_is_quick_to_load(bench: Bench) -> None:
    assert "report" in COMMANDS
    said = bench("report", "--help").stdout
    assert "bench report --serve" in said and "--csv FOLDER" in said


def test_the_command_from_end_to_end(bench: Bench, home: Path) -> None:
    """A page that is served while a Record is appended, and one as a file."""
    pytest.importorskip("vl_convert", reason="needs joulebench[report]")
    store(home / "results", [sat("a", 1.0), curve("a", [(1.0, 2.0), (2.0, 1.0)])])
    done = bench("report", "--out", "p.html")
    assert done.stdout.startswith("2 Records on one page of ") and done.stderr == ""
    assert (home / "p.html").read_text().lstrip().lower().startswith("<!doctype html>")
    assert bench("report", "--out", "p.csv", code=2).stderr.count("\n") == 1
    words = command("report", "--serve", "--port", "0", "--every", "0.5")
    server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().split()[0]

        def get(path: str) -> bytes:
            with urllib.request.urlopen(url + path, timeout=60) as answer:
                found: bytes = answer.read()
                return found

        assert os.getpriority(os.PRIO_PROCESS, server.pid) == 19
        assert b'"every_s":0.5' in get("")
        before = json.loads(get("data.json"))["served"]["stamp"]
        bench("run", "task=sparse_parity", "algo=xor_elimination", "repeats=2")
        while get("stamp").decode() == before:  # it rests after what it has just made
            time.sleep(0.1)
        assert json.loads(get("data.json"))["about"]["records"] == 3
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=30)
        assert (server.returncode, out, err) == (0, "ended\n", "")
    finally:
        server.kill()
        server.wait()
