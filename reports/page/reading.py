"""The Records of several folders, read and decoded once for all that a page shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import msgspec

from metrics.record import Record, encode
from metrics.store import FILE, Store, StoreError, no_gc
from reports import cube
from reports.tabular import BoardLine

L = TypeVar("L", BoardLine, cube.Line)
Signature = tuple[tuple[int, int, int] | None, ...]


@dataclass
class Entry:
    """A Record, the folders that it lies in, and the same as one line of JSON."""

    record: Record
    folders: tuple[Path, ...]
    line: bytes

    def file(self, name: str) -> Path | None:
        """The file that the Record names, in the first folder that has it; None where that lies outside.

        Raises FileNotFoundError where it is nowhere.
        """
        paths = [inside(folder, name) for folder in self.folders]
        for path in paths:
            if path is None or path.is_file():
                return path
        raise FileNotFoundError(name)


@dataclass
class Read:
    """entries: each run once, in the order of their begin. problems: a line for all that was skipped."""

    entries: list[Entry]
    problems: list[str] = field(default_factory=list)

    @property
    def records(self) -> list[Record]:
        return [entry.record for entry in self.entries]

    def lines(self, type: type[L], what: str) -> list[L]:
        """All Records as `type`. One that does not hold what `what` needs is named and left out."""
        decoder = msgspec.json.Decoder(type)
        found: list[L] = []
        with no_gc():
            for entry in self.entries:
                try:
                    found.append(decoder.decode(entry.line))
                except msgspec.MsgspecError as error:
                    run = entry.record.run
                    self.problems.append(f"run {run} is left out of {what}: its Record has {error}")
        return found


class Reader:
    """Reads folders again and again; one whose files have not changed since is not decoded anew."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Signature, list[Entry], list[str]]] = {}

    def read(self, folders: Sequence[Path]) -> Read:
        """Raises StoreError where a folder is not there or its Records file cannot be read."""
        entries: dict[str, Entry] = {}
        problems: list[str] = []
        for folder in folders:
            mine, said = self._folder(folder)
            problems += said
            for entry in mine:
                first = entries.setdefault(entry.record.run, entry)
                if first is not entry:
                    both = (*first.folders, *entry.folders)
                    entries[entry.record.run] = replace(first, folders=both)
        # A run's name begins with its date and time, to the second.
        order = sorted(entries) if len(folders) > 1 else list(entries)
        return Read([entries[run] for run in order], [shown(p, folders) for p in problems])

    def _folder(self, folder: Path) -> tuple[list[Entry], list[str]]:
        if not folder.is_dir():
            raise StoreError(
                f"there is no folder {folder}; Records are made there by: "
                f"bench run task=sparse_parity algo=xor_elimination results={folder}"
            )
        now = signature([folder / FILE, folder / f"{FILE}.gz"])
        known = self._known.get(folder)
        if known is None or known[0] != now:
            loaded = Store(folder).load(Record)
            with no_gc():
                entries = [Entry(record, (folder,), encode(record)) for record in loaded.records]
            known = self._known[folder] = (now, entries, loaded.problems)
        return known[1], known[2]


def signature(paths: Sequence[Path]) -> Signature:
    """What changes when a file does: (inode, bytes, ns of its last change), None where it is not there."""
    found: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            stat = path.stat()
            found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
        except OSError:
            found.append(None)
    return tuple(found)


def called(folder: Path) -> str:
    """A folder as the page names it: never by where it lies on this machine."""
    return utf8(folder.name or "results" if folder.is_absolute() else str(folder))


def utf8(text: str) -> str:
    """`text` without what no UTF-8 can hold: names of files may be any bytes."""
    return text.encode("utf-8", "replace").decode()


def shown(text: str, folders: Sequence[Path]) -> str:
    """`text` with folders named as the page names them."""
    for folder in sorted(folders, key=lambda f: -len(str(f))):
        if folder.is_absolute():
            text = text.replace(str(folder), called(folder))
    return utf8(text)


def inside(folder: Path, name: str) -> Path | None:
    """The file that a Record in `folder` names, None where that lies outside of it."""
    try:
        path = (folder / name).resolve()
        return path if path.is_relative_to(folder.resolve()) else None
    except (OSError, ValueError, RuntimeError):  # a name with a null byte, a loop of links
        return None
