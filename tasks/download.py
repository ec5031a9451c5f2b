"""Downloads a file once: resumed where it broke off, refused unless its hash is the expected one.

Expected is the hash that is pinned here because its publisher, or several others, state it (`fetch`).
Where none is stated, it is what the first download hashed to (`fetch_unpinned`).
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from tasks.base import TaskError

CHUNK = 1 << 16
WAY_OUT = "task.text=pydocs and task.text=grammar"
Progress = Callable[[int, int | None], None]


def fetch(
    url: str | Sequence[str],
    path: Path,
    sha256: str,
    *,
    progress: Progress | None = None,
    timeout: float = 30.0,
) -> Path:
    """Returns `path` once it holds the file with that hash, downloading it if it is not there.

    url: where it is; of several places, each is tried until one has sent it. progress: called with
    bytes so far and bytes in all (None if the server does not say); by default a line on stderr.
    timeout: seconds without a byte from the server before giving up. What was received is kept in
    `<path>.part`, and the next call asks for the rest by HTTP Range.
    """
    _fetch([url] if isinstance(url, str) else url, path, sha256, progress, timeout, None)
    return path


def fetch_unpinned(
    url: str | Sequence[str],
    path: Path,
    check: Callable[[Path], None],
    *,
    progress: Progress | None = None,
    timeout: float = 30.0,
) -> str:
    """`fetch` for a file whose hash nobody has published: trusted on first use. Returns its hash.

    What the first download hashed to is kept in `<path>.sha256`, and every later use, and a later
    download, is held against that. check: looks at a file before it is trusted, and raises
    TaskError if it cannot be what it should be.
    """
    return _fetch([url] if isinstance(url, str) else url, path, None, progress, timeout, check)


def _fetch(
    urls: Sequence[str],
    path: Path,
    pinned: str | None,
    progress: Progress | None,
    timeout: float,
    check: Callable[[Path], None] | None,
) -> str:
    if path.exists():
        return _checked(path, pinned, check)
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
            return _checked(path, pinned, check)
        expected = pinned or _noted(path)
        failures = []
        altered = False
        for url in urls:
            try:
                _receive(url, part, file, progress or _Line(path.name), timeout)
            except _NoDownloadError as error:
                failures.append(f"cannot download {url}: {error}")
                continue
            found = _hash(part)
            if expected in (None, found):
                if check is not None:
                    try:
                        check(part)
                    except TaskError:
                        part.unlink()
                        raise
                    _note(path, found)
                part.replace(path)
                return found
            # Emptied, else the next call would resume what can never become right.
            file.truncate(0)
            altered = True
            failures.append(
                f"{url} is not the text that was {'pinned' if pinned else 'downloaded first'}: "
                f"{part} came with sha256 {found}, expected {expected}; it was removed"
                + ("" if pinned else f" (to trust it all the same, delete {_note_path(path)})")
            )
        if altered and file.seek(0, 2) == 0:
            part.unlink()
    known = f" (sha256 {expected})" if expected else ""
    raise TaskError(
        f"{'; '.join(failures)}. Run again to resume, or put the file at {path} by hand{known}; "
        f"{WAY_OUT} need no download"
    )


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


def _unwritable(path: Path, error: OSError) -> TaskError:
    return TaskError(
        f"cannot write {path}: {error.strerror}; set BENCH_DATA to a folder with room that you may "
        f"write to, or use a text without a download: {WAY_OUT} need none"
    )


def _checked(path: Path, pinned: str | None, check: Callable[[Path], None] | None) -> str:
    """The hash of a file that is there already; a first use is noted."""
    found, expected = _hash(path), pinned or _noted(path)
    if expected not in (None, found):
        raise TaskError(
            f"{path} is damaged or was altered: it has sha256 {found}, expected {expected}; delete "
            f"it to download it again; {WAY_OUT} need no download"
        )
    if check is not None:
        check(path)
        if expected is None:
            _note(path, found)
    return found


def _note_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _noted(path: Path) -> str | None:
    """What an unpinned file hashed to when it was first used."""
    try:
        words = _note_path(path).read_text().split()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"cannot read {_note_path(path)}: {error}") from error
    return words[0] if words else None


def _note(path: Path, found: str) -> None:
    """As sha256sum writes it, so that `sha256sum -c` can be asked as well."""
    try:
        _note_path(path).write_text(f"{found}  {path.name}\n")
    except OSError as error:
        raise _unwritable(_note_path(path), error) from error


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
