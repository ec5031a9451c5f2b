"""Where built kernels are kept. A file's name holds the hash of its content, so that damage shows.

A hash in a file of its own could be another process's than the library beside it; a name cannot.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import platformdirs

SUFFIX = ".dylib" if sys.platform == "darwin" else ".so"


def kernels_folder() -> Path:
    """BENCH_CACHE/kernels, or else in the user's cache folder."""
    folder = os.environ.get("BENCH_CACHE") or platformdirs.user_cache_dir("joulebench")
    return Path(folder).expanduser().absolute() / "kernels"


@functools.cache
def own_folder() -> Path:
    """A folder of this process alone, gone when it ends: for want of a cache that can be written."""
    folder = Path(tempfile.mkdtemp(prefix="joulebench-kernels-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def look_up(folder: Path, stem: str) -> Path | None:
    """The sound library of this stem. One that is damaged is removed."""
    try:
        files = sorted(file for file in folder.iterdir() if file.name.startswith(f"{stem}-"))
    except OSError:  # no such folder yet, or none that can be read
        return None
    for file in files:
        try:
            sound = file.name == file_name(stem, file.read_bytes())
        except OSError:
            continue
        if sound:
            return file
        print(f"{file} is damaged: it will be built again", file=sys.stderr)
        with contextlib.suppress(OSError):
            file.unlink()
    return None


def keep(folder: Path, stem: str, library: bytes) -> Path:
    """Keeps a library, or where the folder takes none, keeps it for as long as this process lives."""
    try:
        return _write(folder, stem, library)
    except OSError as error:
        print(
            f"cannot keep built kernels in {folder} ({error.strerror}), so every start builds them "
            "again; set BENCH_CACHE to a folder with room that you may write to",
            file=sys.stderr,
        )
    return _write(own_folder(), stem, library)


def file_name(stem: str, library: bytes) -> str:
    """stem-hash.so"""
    return f"{stem}-{hashlib.sha256(library).hexdigest()[:32]}{SUFFIX}"


def _write(folder: Path, stem: str, library: bytes) -> Path:
    """All of it or nothing, also when two processes write the same at once."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / file_name(stem, library)
    part = folder / f".{secrets.token_hex(8)}.part"
    try:
        part.write_bytes(library)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return file
