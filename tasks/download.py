"""Downloads a file once: resumed where it broke off, refused unless its hash is the pinned one."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO

from tasks.base import TaskError

CHUNK = 1 << 16
Progress = Callable[[int, int | None], None]


def fetch(
    url: str, path: Path, sha256: str, *, progress: Progress | None = None, timeout: float = 30.0
) -> Path:
    """Returns `path` once it holds the file with that hash, downloading it if it is not there.

    progress: called with bytes so far and bytes in all (None if the server does not say); by
    default a line on stderr. timeout: seconds without a byte from the server before giving up.
    What was received is kept in `<path>.part`, and the next call asks for the rest by HTTP Range.
    """
    if path.exists():
        return _checked(path, sha256)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = part.open("ab", buffering=0)
    except OSError as error:
        raise _unwritable(part, error) from error
    with file:
        # Two runs may start together: the second waits here and finds the first one's file.
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists():
            return _checked(path, sha256)
        try:
            _receive(url, part, file, progress or _Line(path.name), timeout)
        except _NoDownloadError as error:
            raise TaskError(
                f"cannot download {url}: {error}. Run again to resume, or put the file "
                f"at {path} by hand (sha256 {sha256}); task.text=pydocs and task.text=grammar "
                "need no download"
            ) from error
        found = _hash(part)
        if found != sha256:
            part.unlink()  # else the next call would resume what can never become right
            raise TaskError(
                f"{url} is not the text that was pinned: {part} came with sha256 {found}, expected "
                f"{sha256}; it was removed. Run again, or use task.text=pydocs or "
                "task.text=grammar, which need no download"
            )
        part.replace(path)
    return path


class _NoDownloadError(Exception):
    """Why the bytes did not come, in a few words."""


def _receive(url: str, part: Path, file: IO[bytes], progress: Progress, timeout: float) -> None:
    """Appends to `file`, open for appending at `part`, what the server has beyond its length."""
    have = file.seek(0, 2)
    headers = {"User-Agent": "joulebench"} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(url, headers=headers)
    total = None
    try:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            if have and reply.status != http.HTTPStatus.PARTIAL_CONTENT:
                have = 0  # a server without Range sends the whole file again
                file.truncate(0)
            length = reply.headers.get("Content-Length")
            total = have + int(length) if length else None
            progress(have, total)
            while chunk := reply.read(CHUNK):
                _write(part, file, chunk)
                have += len(chunk)
                progress(have, total)
    except urllib.error.HTTPError as error:
        # Asked for the rest of a file that is all there: the hash will say whether it is right.
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return
        raise _NoDownloadError(f"the server answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise _NoDownloadError(f"{str(reason) or type(error).__name__}") from error
    if total is not None and have < total:
        raise _NoDownloadError(f"the connection ended after {have:,} of {total:,} bytes")


def _write(part: Path, file: IO[bytes], chunk: bytes) -> None:
    try:
        while chunk:  # unbuffered, so that nothing is left to fail when the file is closed
            chunk = chunk[file.write(chunk) :]
    except OSError as error:  # a full disk is not the network's fault
        raise _unwritable(part, error) from error


def _unwritable(part: Path, error: OSError) -> TaskError:
    return TaskError(
        f"cannot write {part}: {error.strerror}; set BENCH_DATA to a folder with room that you may "
        "write to, or use task.text=pydocs or task.text=grammar, which need no download"
    )


def _checked(path: Path, sha256: str) -> Path:
    found = _hash(path)
    if found != sha256:
        raise TaskError(
            f"{path} is damaged or was altered: it has sha256 {found}, expected {sha256}; delete "
            "it to download it again, or use task.text=pydocs or task.text=grammar"
        )
    return path


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error.strerror}") from error


class _Line:
    """Progress on stderr: a percentage that counts up on a terminal, else one line at the start."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.shown = ""

    def __call__(self, done: int, total: int | None) -> None:
        if not sys.stderr.isatty():
            if not self.shown:
                self.shown = f"downloading {self.name}" + (f", {total:,} bytes" if total else "")
                print(self.shown, file=sys.stderr, flush=True)
            return
        amount = f"{done / total:4.0%}" if total else f"{done:,} bytes"
        line = f"downloading {self.name}: {amount}"
        if line != self.shown:
            self.shown = line
            end = "\n" if done == total else ""
            print(f"\r{line}", end=end, file=sys.stderr, flush=True)
