"""A server on this machine that speaks as much of W&B's protocol as a run and a dashboard need."""

from __future__ import annotations

import gzip
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

KEY = "0" * 40


class Server(http.server.ThreadingHTTPServer):
    """heard: (operation, variables) of every GraphQL request. uploads: names and bodies of files. streamed:
    lines of the run's history. bodies: all that was ever sent here."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.uploads: dict[str, bytes] = {}
        self.streamed: list[dict[str, Any]] = []
        self.exit_code: int | None = None
        self.bodies: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def variables(self, operation: str) -> list[dict[str, Any]]:
        return [said for name, said in self.heard if name == operation]

    def answer(self, operation: str, said: dict[str, Any]) -> dict[str, Any]:
        """What W&B would say, as far as its client looks."""
        project = {"id": "p", "name": said.get("project"), "entity": {"id": "e", "name": "me"}}
        bucket = {"id": "b", "name": said.get("name"), "displayName": said.get("displayName")}
        bucket |= {"description": "", "config": "{}", "sweepName": "", "historyLineCount": 0}
        files = [{"name": n, "uploadUrl": f"{self.url}/upload/{n}"} for n in said.get("files", [])]
        last = {"id": "s", "latestArtifact": {"id": "a", "versionIndex": 0}}
        view = {"id": "v", "name": said.get("name"), "spec": said.get("spec"), "type": "runs"}
        view |= {"displayName": said.get("displayName"), "description": ""}
        view |= {"project": {"name": said.get("projectName"), "entityName": "me"}}
        user = {"id": "u", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}
        page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
        return {
            "UpsertBucket": {"upsertBucket": {"bucket": {**bucket, "project": project}}},
            "CreateRunFiles": {
                "createRunFiles": {"runID": "b", "uploadHeaders": [], "files": files}
            },
            "CreateArtifact": {
                "createArtifact": {
                    "artifact": {"id": "a", "state": "COMMITTED", "artifactSequence": last}
                }
            },
            "ArtifactType": {"project": {"artifact": None}},
            "Viewer": {"viewer": user},
            "GetDefaultEntity": {"viewer": user},
            "GetProjects": {"models": {"pageInfo": page, "edges": []}},
            "UpsertView2": {"upsertView": {"view": view, "inserted": True}},
            "upsertView": {"upsertView": {"view": view, "inserted": True}},
            "UpsertModel": {"upsertModel": {"model": project, "project": project}},
        }.get(operation, {})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *words: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._say(b"")

    do_GET = do_HEAD  # noqa: N815

    def do_PUT(self) -> None:
        self.server.uploads[self.path.removeprefix("/upload/")] = self._body()
        self._say(b"")

    def do_POST(self) -> None:
        body = self._body()
        if not self.path.endswith("graphql"):
            if self.path.endswith("file_stream"):
                self._stream(json.loads(body))
            self._say(b"{}")
            return
        request = json.loads(body)
        found = re.search(r"(?:query|mutation)\s+(\w+)", request["query"])
        operation, said = found[1] if found else "", request.get("variables") or {}
        self.server.heard.append((operation, said))
        self._say(json.dumps({"data": self.server.answer(operation, said)}).encode())

    def _stream(self, message: dict[str, Any]) -> None:
        lines = message.get("files", {}).get("wandb-history.jsonl", {}).get("content", [])
        self.server.streamed += [json.loads(line) for line in lines]
        if message.get("complete"):
            self.server.exit_code = message["exitcode"]

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.bodies.append(body)
        return body

    def _say(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def serving() -> Iterator[Server]:
    """The server, for as long as the block lasts."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
