"""Downloads against a server on this machine: whole, broken off, resumed, altered, refused."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tasks import download
from tasks.base import TaskError

BODY = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """/file knows Range, /plain does not, /short ends early, /altered has one byte changed."""

    def do_GET(self) -> None:
        requests: list[tuple[str, str | None]] = self.server.requests  # type: ignore[attr-defined]
        asked = self.headers["Range"]
        requests.append((self.path, asked))
        if self.path == "/missing":
            self.send_error(404)
            return
        body = b"!" + BODY[1:] if self.path == "/altered" else BODY
        start = 0
        if asked and self.path != "/plain":
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start : 100_000 if self.path == "/short" else None])

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    requests: list[tuple[str, str | None]]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    with Server(("127.0.0.1", 0), Handler) as running:
        running.requests = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_downloads_once(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "new" / "text.txt"
    seen: list[tuple[int, int | None]] = []
    fetched = download.fetch(
        server.url("file"), path, SHA256, progress=lambda *done: seen.append(done)
    )
    assert fetched == path
    assert path.read_bytes() == BODY
    assert seen[0] == (0, len(BODY))
    assert seen[-1] == (len(BODY), len(BODY))
    download.fetch(server.url("file"), path, SHA256)
    assert server.requests == [("/file", None)]
    assert [p.name for p in path.parent.iterdir()] == ["text.txt"]


def test_resumes_where_it_broke_off(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    with pytest.raises(TaskError, match=r"ended after 100,000 of 256,000 bytes"):
        download.fetch(server.url("short"), path, SHA256)
    assert not path.exists()
    assert (tmp_path / "text.txt.part").stat().st_size == 100_000
    download.fetch(server.url("file"), path, SHA256)
    assert path.read_bytes() == BODY
    assert server.requests[1] == ("/file", "bytes=100000-")


def test_starts_again_where_the_server_knows_no_range(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    (tmp_path / "text.txt.part").write_bytes(BODY[:5000])
    download.fetch(server.url("plain"), path, SHA256)
    assert path.read_bytes() == BODY


def test_a_complete_part_needs_no_more_bytes(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    (tmp_path / "text.txt.part").write_bytes(BODY)
    download.fetch(server.url("file"), path, SHA256)
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("part", [b"", b"something else", b"x" * 300_000])
def test_refuses_another_text_and_can_try_again(
    server: Server, tmp_path: Path, part: bytes
) -> None:
    path = tmp_path / "text.txt"
    if part:
        (tmp_path / "text.txt.part").write_bytes(part)
    with pytest.raises(TaskError) as refused:
        download.fetch(server.url("altered"), path, SHA256)
    assert SHA256 in str(refused.value)
    assert str(tmp_path / "text.txt.part") in str(refused.value)
    if not part:
        assert hashlib.sha256(b"!" + BODY[1:]).hexdigest() in str(refused.value)
    assert list(tmp_path.iterdir()) == []
    download.fetch(server.url("file"), path, SHA256)
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("content", [BODY[:-1], b"!" + BODY[1:], b""])
def test_refuses_a_cached_file_that_was_altered(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    with pytest.raises(TaskError) as refused:
        download.fetch("http://127.0.0.1:9/never", path, SHA256)
    for words in (str(path), SHA256, hashlib.sha256(content).hexdigest(), "delete it"):
        assert words in str(refused.value)
    assert path.read_bytes() == content


def test_says_the_way_out_without_a_network(server: Server, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    path = tmp_path / "text.txt"
    for url, reason in (
        (server.url("missing"), "404"),
        (f"http://127.0.0.1:{port}/file", "refused"),
    ):
        with pytest.raises(TaskError) as refused:
            download.fetch(url, path, SHA256)
        for words in (url, reason, str(path), SHA256, "task.text=pydocs", "task.text=grammar"):
            assert words in str(refused.value)
        assert "\n" not in str(refused.value)


def test_gives_up_on_a_server_that_stays_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        with pytest.raises(TaskError, match="timed out"):
            download.fetch(url, tmp_path / "text.txt", SHA256, timeout=0.2)


def test_names_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way of a folder")
    with pytest.raises(TaskError, match=r"cannot write .*text.txt.*BENCH_DATA"):
        download.fetch("http://127.0.0.1:9/never", tmp_path / "file" / "text.txt", SHA256)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to a read-only folder")
def test_names_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(TaskError, match=r"cannot write .*text.txt.*denied.*BENCH_DATA"):
        download.fetch("http://127.0.0.1:9/never", tmp_path / "text.txt", SHA256)
    tmp_path.chmod(0o700)


def test_a_full_disk_is_not_called_a_network_fault(server: Server, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    (tmp_path / "text.txt.part").symlink_to("/dev/full")
    with pytest.raises(TaskError, match=r"cannot write .*No space left.*BENCH_DATA"):
        download.fetch(server.url("file"), tmp_path / "text.txt", SHA256)


def test_two_at_once_fetch_it_once(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    faults: list[Exception] = []

    def fetch() -> None:
        try:
            download.fetch(server.url("file"), path, SHA256)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert path.read_bytes() == BODY
    assert len(server.requests) == 1


def test_progress_counts_up_on_a_terminal_only(
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    download.fetch(server.url("file"), tmp_path / "a.txt", SHA256)
    assert capsys.readouterr().err == "downloading a.txt, 256,000 bytes\n"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    download.fetch(server.url("file"), tmp_path / "b.txt", SHA256)
    shown = capsys.readouterr().err
    assert shown.startswith("\rdownloading b.txt:   0%\r")
    assert shown.endswith("\rdownloading b.txt: 100%\n")
