"""`bench report --serve`: the page on 127.0.0.1, made anew when Records have changed and somebody asks.

Three paths: / is the page, /data.json what it shows, /stamp a word that changes when that does. It takes no
device lock and ends no run: a page must never be in the way of a measurement.
"""

from __future__ import annotations

import errno
import gzip
import os
import signal
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from harness.errors import BadInputError
from metrics.store import StoreError
from reports.cube_axes import Axes
from reports.page.data import Collector

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")  # a Host header of any other name is a page from elsewhere asking
PORT = 8765
PORTS = 100  # tried from there on
SHARE = 0.1  # of a core, at most, goes into making pages
IDLE_S = 30.0  # until a connection that says nothing is closed
Make = Callable[[dict[str, Any]], str]


class Page:
    """What is served. Safe for several threads; made by one at a time."""

    def __init__(self, collector: Collector, every_s: float, html: Make, json: Make) -> None:
        self._collector, self._every_s = collector, every_s
        self._make_html, self._make_json = html, json
        self._lock = threading.Lock()
        self._stamp = ""
        self._data: dict[str, Any] = {}
        self._json: bytes | None = None
        self._packed: bytes | None = None
        self._page: bytes | None = None
        self._rest_until = 0.0

    def stamp(self) -> str:
        """Of what is there now; of what was made last while the machine is given a rest from it."""
        with self._lock:
            return self._now()

    @property
    def problems(self) -> list[str]:
        """What could not be read the last time."""
        return list(self._data.get("problems", []))

    def _now(self) -> str:
        if self._stamp and time.monotonic() < self._rest_until:
            return self._stamp
        return self._collector.stamp()

    def refresh(self) -> None:
        """Makes it anew where the Records have changed. Raises StoreError where they cannot be read and
        never could; later that is said on the page, with what was read before."""
        with self._lock:
            self._refresh()

    def _refresh(self) -> None:
        now = self._now()
        if now == self._stamp:
            return
        try:
            with self._rest_after():
                data = self._collector.collect()
            now = self._collector.made_of
        except StoreError as error:
            if not self._data:
                raise
            data = {**self._data, "problems": [str(error)]}
        data["served"] = {"every_s": self._every_s, "stamp": now}
        self._stamp, self._data = now, data
        self._json = self._packed = self._page = None

    @contextmanager
    def _rest_after(self) -> Iterator[None]:
        """Lets what is done here be no more than `SHARE` of the time, by the CPU seconds that it takes."""
        start_s = time.thread_time()
        yield
        spent_s = time.thread_time() - start_s
        self._rest_until = max(time.monotonic(), self._rest_until) + spent_s * (1 / SHARE - 1)

    def json(self, packed: bool) -> bytes:
        """What the page shows; packed: by gzip."""
        with self._lock:
            self._refresh()
            with self._rest_after():
                if self._json is None:
                    self._json = self._make_json(self._data).encode()
                if packed and self._packed is None:
                    self._packed = gzip.compress(self._json, 1)
            return self._packed if packed and self._packed is not None else self._json

    def html(self) -> bytes:
        """The page with all that it shows."""
        with self._lock:
            self._refresh()
            with self._rest_after():
                if self._page is None:
                    self._page = self._make_html(self._data).encode()
            return self._page


class Server(ThreadingHTTPServer):
    """Of one page."""

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere it would share a port that is taken

    def __init__(self, port: int, page: Page) -> None:
        self.page = page
        super().__init__((HOST, port), Handler)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_address[1]}/"

    def server_bind(self) -> None:
        """Without asking the name service who we are, as the library does, which can take long."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that went away is none."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "joulebench"
    sys_version = ""
    timeout = IDLE_S

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        name = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if name not in NAMES:
            self._send(HTTPStatus.FORBIDDEN, f"say http://{HOST}, not {name!r}\n".encode(), body)
            return
        path, page = self.path.partition("?")[0], self.server.page
        packed = "gzip" in self.headers.get("Accept-Encoding", "")
        try:
            if path == "/":
                self._send(HTTPStatus.OK, page.html(), body, "text/html; charset=utf-8")
            elif path == "/data.json":
                content = page.json(packed)
                self._send(HTTPStatus.OK, content, body, "application/json", packed)
            elif path == "/stamp":
                self._send(HTTPStatus.OK, page.stamp().encode(), body)
            else:
                self._send(HTTPStatus.NOT_FOUND, b"there are /, /data.json and /stamp\n", body)
        except StoreError as error:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n".encode(), body)

    def _send(
        self,
        status: HTTPStatus,
        content: bytes,
        body: bool,
        type: str = "text/plain; charset=utf-8",
        packed: bool = False,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", type)
        self.send_header("Content-Length", str(len(content)))
        if packed:
            self.send_header("Content-Encoding", "gzip")
        for name, value in (
            ("Cache-Control", "no-store"),
            ("Vary", "Accept-Encoding"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing for every question."""


def serve(folders: list[Path], axes: Axes, title: str, port: int | None, every_s: float) -> int:
    """Until Ctrl-C, or an end from outside."""
    from reports.page.html import html, library, payload, to_json

    library()  # takes seconds, once
    collector = Collector(folders, axes, title)
    page = Page(collector, every_s, html, lambda data: to_json(payload(data)))
    with listen(page, port) as server:
        if hasattr(os, "nice"):
            os.nice(19)  # threads that come later have it too
        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.default_int_handler)
        if hasattr(signal, "SIGPIPE"):
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # a reader may go away
        try:
            page.refresh()
            for problem in page.problems:
                print(f"bench: {problem}", file=sys.stderr)
            print(f"{server.url}   (Ctrl-C ends it)", flush=True)
            server.serve_forever()
        except KeyboardInterrupt:
            print("ended")
    return 0


def listen(page: Page, port: int | None) -> Server:
    """A server on `port`, or without one on the next that is free. Raises BadInputError."""
    tried = [port] if port is not None else [*range(PORT, PORT + PORTS), 0]
    for number in tried:
        try:
            return Server(number, page)
        except OSError as error:
            if port is None and error.errno == errno.EADDRINUSE:
                continue
            why = error.strerror or error
            raise BadInputError(
                f"cannot listen on port {number} ({why}); name another with --port N, or 0 for any"
            ) from None
    raise BadInputError(f"no port is free from {PORT} on; name one with --port N")
