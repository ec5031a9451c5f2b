"""The Records file: append-only, for many writers, whole after a kill or a full disk.

A line is written by one `write` under a file lock and flushed to disk before the lock is let go. If a
writer was killed in the middle, its torn line stays where it is, the next writer starts a new line
behind it, and readers report and skip it. Nothing is ever edited. Where a folder has the same packed as
well (records.jsonl.gz, made by gzip for publishing), these are read first. Records of an older schema
version are brought up to date as they are read (`metrics.versions`); what cannot be is named and skipped.
"""

from __future__ import annotations

import contextlib
import gc
import gzip
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
from filelock import FileLock, Timeout

from metrics.record import SCHEMA_VERSION, Record, encode
from metrics.versions import Version, VersionError, updated

FILE = "records.jsonl"
LOCK_TIMEOUT_S = 60.0
T = TypeVar("T")


class StoreError(ValueError):
    """A results folder or Records file that cannot be used as asked, with the way out."""


@dataclass
class Loaded(Generic[T]):
    """What a Records file held: the Records, oldest first, and a line for everything skipped."""

    records: list[T] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Store:
    """The Records of one results folder."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.path = self.folder / FILE

    def check_writable(self) -> None:
        """Raises StoreError now rather than after hours of measuring."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._lock(), self.path.open("ab"):
                pass
            probe = self.folder / f".probe-{os.getpid()}"
            try:
                probe.write_bytes(bytes(65536))
            finally:
                probe.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot write Records to {self.folder} ({error.strerror or error}); "
                "name another folder with results=DIR, or free space there"
            ) from None

    def append(self, record: Record) -> None:
        """Appends one Record; raises OSError and leaves the file as it was if it cannot."""
        line = encode(record) + b"\n"
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock():
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                size = os.fstat(file).st_size
                if size and os.pread(file, 1, size - 1) != b"\n":
                    line = b"\n" + line  # somebody was killed here: leave their half, start afresh
                try:
                    write_all(file, line)
                    os.fsync(file)
                except OSError:
                    with contextlib.suppress(OSError):
                        os.ftruncate(file, size)
                    raise
            finally:
                os.close(file)

    def load(self, type: type[T]) -> Loaded[T]:
        """All Records decoded as `type`, a struct with the fields that the reader needs and its version."""
        loaded: Loaded[T] = Loaded()
        decoder = msgspec.json.Decoder(type)
        data = self._read()
        if data.endswith(b"\n"):
            with contextlib.suppress(msgspec.MsgspecError), no_gc():
                found = decoder.decode_lines(
                    data
                )  # every line is whole and of today: the usual case
                if all(getattr(r, "schema_version", None) == SCHEMA_VERSION for r in found):
                    return Loaded(found)
        for number, line in self._lines(loaded.problems):
            try:
                loaded.records.append(_decode(line, decoder))
            except VersionError as error:
                loaded.problems.append(f"{self.path}:{number}: {error}; skipped")
            except msgspec.MsgspecError as error:
                loaded.problems.append(
                    f"{self.path}:{number}: not a Record ({error}); kept, skipped"
                )
        return loaded

    def find(self, name: str) -> Record:
        """The Record whose run id is `name`, or starts with it, or the newest for "last"."""
        loaded = self.load(RunId)
        runs = [r.run for r in loaded.records]
        if not runs and loaded.problems:
            more = len(loaded.problems) - 1
            raise StoreError(loaded.problems[0] + (f" (and {more} more)" if more else ""))
        if not runs:
            raise StoreError(
                f"there are no Records in {self.path}; make one with: "
                "bench run task=sparse_parity algo=xor_elimination"
            )
        matches = (
            runs[-1:]
            if name == "last"
            else [r for r in runs if r == name] or [r for r in runs if r.startswith(name)]
        )
        if not matches:
            raise StoreError(
                f"no run {name!r} in {self.path}; the newest are {', '.join(runs[-3:])} (or say: last)"
            )
        if len(set(matches)) > 1:
            raise StoreError(
                f"{name!r} fits {len(matches)} runs: {', '.join(matches[:4])}; say more"
            )
        needle = matches[0].encode()
        decoder = msgspec.json.Decoder(Record)
        for _, line in self._lines([]):
            if needle in line:
                with contextlib.suppress(msgspec.MsgspecError, VersionError):
                    record = _decode(line, decoder)
                    if record.run == matches[0]:
                        return record
        raise StoreError(f"the Record of run {matches[0]} in {self.path} cannot be read")

    def _read(self) -> bytes:
        packed = self.path.with_name(f"{self.path.name}.gz")
        data, path = b"", packed
        try:
            if packed.exists():
                data = gzip.decompress(packed.read_bytes())
                data += b"" if data.endswith(b"\n") or not data else b"\n"  # its last line is torn
            path = self.path
            return data + path.read_bytes()
        except FileNotFoundError:
            return data
        except (OSError, EOFError, zlib.error) as error:
            why = getattr(error, "strerror", None) or error
            raise StoreError(f"cannot read {path}: {why}") from None

    def _lines(self, problems: list[str]) -> Iterator[tuple[int, bytes]]:
        lines = self._read().split(b"\n")
        if lines[-1]:
            problems.append(
                f"{self.path}:{len(lines)}: the last line is torn (a writer was killed?); kept, skipped"
            )
        for number, line in enumerate(lines[:-1], 1):
            if line.strip():
                yield number, line

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            with FileLock(f"{self.path}.lock", timeout=LOCK_TIMEOUT_S):
                yield
        except Timeout:
            raise StoreError(
                f"another program has held {self.path}.lock for {LOCK_TIMEOUT_S:.0f} s; end it and retry"
            ) from None


def _decode(line: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """A line of any version; raises VersionError or msgspec.MsgspecError."""
    version = msgspec.json.decode(line, type=Version).schema_version
    return decoder.decode(line if version == SCHEMA_VERSION else updated(line, version))


class RunId(msgspec.Struct):
    """What looking up a run needs."""

    run: str
    schema_version: int


@contextlib.contextmanager
def no_gc() -> Iterator[None]:
    """Without the cyclic collector, which would walk a million new objects again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def write_all(file: int, data: bytes) -> None:
    """Writes every byte; one system call unless the kernel cuts it short."""
    view: Any = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
