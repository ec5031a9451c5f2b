"""The trials of one search, in SQLite: whole after a kill, nothing that was done is lost.

One row per trial of the search, and one per draw on which one of the best is confirmed. A row is written
when it is sat ("running"), when it has ended ("done", "failed", or "refused" where it was no proposal), and
when that was interrupted ("asked"), each time flushed to disk. What was running when the program was killed
is sat again; how much that attempt had spent nobody knows, but that there was one is counted.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from harness.errors import BadInputError

FILE = "search.sqlite"
APPLICATION_ID = 0x6A6F756C  # "joul": this file is ours
VERSION = 1
SEARCH, CONFIRM = "search", "confirm"
ENDED = ("done", "failed", "refused")
JSON = ("fields", "longest_s", "declared", "runs")
KEY = ("stage", "number", "draw")


@dataclass
class Trial:
    """One row. number: of the trial, also where it is confirmed (`draw` says on which draw, counted from
    0; -1 in the search). fields: of the space. attempts: how often it was begun. energy_j: J per
    training. setup_j, train_j, inference_j, low_j, high_j: gross, of all windows of all attempts that
    could be metered, pilots included, and the interval of their sum. longest_s: longest window of each
    phase. proposer_cpu_s: CPU seconds spent on asking and telling. runs: of its Records."""

    stage: str
    number: int
    draw: int
    fields: dict[str, Any]
    state: str = "asked"
    attempts: int = 0
    metered: int = 0
    score: float | None = None
    energy_j: float | None = None
    distance: float | None = None
    setup_j: float = 0.0
    train_j: float = 0.0
    inference_j: float = 0.0
    low_j: float = 0.0
    high_j: float = 0.0
    source: str | None = None
    wall_s: float = 0.0
    longest_s: dict[str, float] = field(default_factory=dict)
    proposer_cpu_s: float = 0.0
    declared: dict[str, float] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    error: str | None = None

    @property
    def spent_j(self) -> float:
        return self.setup_j + self.train_j + self.inference_j

    @property
    def unmetered(self) -> int:
        """Attempts that were killed, so that nobody knows what they spent."""
        return max(0, self.attempts - self.metered)


COLUMNS = [f.name for f in fields(Trial)]


class Trials:
    """The file of one search. Use as a context manager: while it is open nobody else may write.

    Raises BadInputError where the file is another search's, torn, locked, or no file of ours.
    """

    synchronous = "FULL"
    busy_s = 5.0  # how long another program's lock is waited for

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._lock = FileLock(folder / f"{FILE}.lock", timeout=0)

    def __enter__(self) -> Trials:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout:
            raise BadInputError(
                f"another bench tune is at work on {self.path.parent}; wait for it, or name another "
                "search with tune.name=NAME"
            ) from None
        except OSError as error:
            raise BadInputError(f"cannot write to {self.path.parent} ({error.strerror})") from None
        try:
            with self._explained():
                self._open()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        self._lock.release()

    def _open(self) -> None:
        self._db = sqlite3.connect(self.path, timeout=self.busy_s, isolation_level=None)
        self._db.execute(f"PRAGMA synchronous = {self.synchronous}")
        (kind,) = self._db.execute("PRAGMA application_id").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not tables:
            with self._transaction():
                self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                self._db.execute(f"PRAGMA user_version = {VERSION}")
                self._db.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT)")
                key = ", ".join(KEY)
                columns = ", ".join(COLUMNS)
                self._db.execute(f"CREATE TABLE trials ({columns}, PRIMARY KEY ({key}))")
            return
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if (kind, version) != (APPLICATION_ID, VERSION):
            raise sqlite3.DatabaseError("it is not a file of bench tune, or of another version")
        (whole,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if whole != "ok":
            raise sqlite3.DatabaseError(str(whole))

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise BadInputError(
                f"cannot use {self.path} ({error}); begin anew with --fresh, or name another search with "
                "tune.name=NAME"
            ) from None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def meta(self, key: str) -> Any:
        """What was kept under a key, or None."""
        with self._explained():
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else None

    def keep(self, key: str, value: Any) -> None:
        with self._explained(), self._transaction():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    def save(self, trial: Trial) -> None:
        """Writes a row as it is now."""
        values = [
            json.dumps(getattr(trial, name)) if name in JSON else getattr(trial, name)
            for name in COLUMNS
        ]
        marks = ", ".join("?" * len(COLUMNS))
        with self._explained(), self._transaction():
            self._db.execute(f"INSERT OR REPLACE INTO trials VALUES ({marks})", values)

    def all(self, stage: str) -> list[Trial]:
        """Every row of a stage, in order."""
        with self._explained():
            found = self._db.execute(
                f"SELECT {', '.join(COLUMNS)} FROM trials WHERE stage = ? ORDER BY number, draw",
                (stage,),
            ).fetchall()
            return [_trial(row) for row in found]


def _trial(row: tuple[Any, ...]) -> Trial:
    values = dict(zip(COLUMNS, row, strict=True))
    return Trial(**{k: json.loads(v) if k in JSON else v for k, v in values.items()})
