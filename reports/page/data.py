"""Everything that the page shows, as plain JSON values; nothing in it is infinite or not a number.

Keys: title, made_at (UTC), joulebench (its version), folders, problems (lines), about (counts), tables
(`columns.packed`), verdicts, traces, pictures and details (`details.Packer`).
"""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from metrics.record import Record
from metrics.store import FILE, no_gc
from reports.cube_axes import Axes
from reports.page import pictures, tables, verdicts
from reports.page.columns import packed
from reports.page.details import Packer
from reports.page.reading import Entry, Reader, Signature, called, inside, signature, utf8
from reports.page.traces import MOST_RUNS, Traces
from reports.tabular import Table

HOW_TO_BEGIN = "bench run task=sparse_parity algo=xor_elimination"


def collect(folders: list[Path], axes: Axes, title: str) -> dict[str, Any]:
    """All of it, once. Raises StoreError where a folder is not there or its Records cannot be read."""
    return Collector(folders, axes, title).collect()


class Collector:
    """Collects again and again, and what has not changed is not read again.

    records, tables: of the last time, with every digit. made_of: the stamp of what they were made of.
    """

    def __init__(self, folders: Sequence[Path], axes: Axes, title: str) -> None:
        self.folders = list(dict.fromkeys(folders))
        self.axes = axes
        self.title = utf8(title)
        self.records: list[Record] = []
        self.tables: dict[str, Table] = {}
        self.made_of = ""
        self._named: list[Path] = []
        self._reader, self._packer, self._traces = Reader(), Packer(), Traces()

    def stamp(self) -> str:
        """Changes with the Records, the verdicts, and traces and pictures that the newest Records name: not
        with the files of a run that goes on, which must not be disturbed."""
        return self._word(self._files())

    def _files(self) -> Signature:
        """Of Records and verdicts."""
        paths = []
        for folder in self.folders:
            paths += [folder / name for name in (FILE, f"{FILE}.gz")]
            for exam in verdicts.exams(folder):
                paths += [exam / "plan.json", exam / "verdict.json"]
        return signature(paths)

    def _word(self, files: Signature) -> str:
        return format(abs(hash((files, signature(self._named)))), "x")

    def collect(self) -> dict[str, Any]:
        """Raises StoreError where a folder is not there or its Records cannot be read."""
        with no_gc():  # nothing here is cyclic, and there is much of it
            return self._collect()

    def _collect(self) -> dict[str, Any]:
        files = self._files()  # before they are read, so that what comes meanwhile is noticed
        read = self._reader.read(self.folders)
        self._named = named(read.entries)
        self.made_of = self._word(files)
        self.records = read.records
        self.tables = tables.of_page(read, self.axes)
        judged, exam_problems = verdicts.collect(self.folders, read.entries)
        traces, trace_counts, trace_problems = self._traces.collect(read.entries)
        drawn, picture_counts, picture_problems = pictures.collect(read.entries)
        return {
            "title": self.title,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "joulebench": version(),
            "folders": [called(folder) for folder in self.folders],
            "problems": [*read.problems, *exam_problems, *trace_problems, *picture_problems],
            "about": {**about(self.records), "traces": trace_counts, "pictures": picture_counts},
            "tables": {name: packed(table) for name, table in self.tables.items()},
            "verdicts": judged,
            "traces": traces,
            "pictures": drawn,
            "details": self._packer.pack(read.entries),
        }


def named(entries: list[Entry]) -> list[Path]:
    """Where traces and pictures of the newest runs that have any lie, or would."""
    having = [e for e in reversed(entries) if e.record.trace or e.record.pictures][:MOST_RUNS]
    paths = (
        inside(folder, name)
        for entry in having
        for folder in entry.folders
        for name in filter(None, (entry.record.trace, *entry.record.pictures))
    )
    return [path for path in paths if path]


def about(records: list[Record]) -> dict[str, Any]:
    """How many Records there are of what, from when to when, and how to make some."""
    status = Counter(record.status for record in records)
    kinds = Counter(record.kind for record in records)
    starts = sorted(record.started_at for record in records)
    return {
        "records": len(records),
        "ok": status["ok"],
        "failed": status["failed"],
        "interrupted": status["interrupted"],
        "kinds": dict(kinds),
        "first": starts[0] if starts else None,
        "last": starts[-1] if starts else None,
        "devices": sorted({record.host.device_class for record in records}),
        "sources": sorted({record.source for record in records}),
        "make_one": HOW_TO_BEGIN,
    }


def version() -> str | None:
    """Of the joulebench that made the page."""
    try:
        return importlib.metadata.version("joulebench")
    except importlib.metadata.PackageNotFoundError:
        return None
