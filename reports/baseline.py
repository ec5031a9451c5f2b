"""The baseline of a gate: a small file that is committed, written from Records and never edited.

It is JSON with a line for every figure, so that a change of it can be read in a review. Of each row it has
what is needed to compare with it and to trace it back: configurations with their hashes, the words of the
command line, device class, source, library versions, and of every run its id, the hash of its Record, and its
figures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from metrics.record import COUNT, RUN, SCHEMA_VERSION
from metrics.store import Store, StoreError
from reports.gate_lines import Line
from reports.gate_rows import Row, rows_of, sha256_of

BASELINE_VERSION = 1
MAKE = "bench run -m task=sparse_parity algo=xor_elimination seed=0,1,2,3,4"
FEWEST = 2  # runs of a row: one has no scatter


class Baseline(msgspec.Struct):
    """The file. record_schema_version: of the Records that it was written from."""

    baseline_version: int
    record_schema_version: int
    rows: list[Row]

    @property
    def runs(self) -> set[str]:
        return {run for row in self.rows for run in row.runs}


class Versions(msgspec.Struct):
    """What tells a baseline from another file, and its version."""

    baseline_version: int
    record_schema_version: int


def read(path: Path) -> Baseline:
    """A baseline file; raises StoreError with the way out for whatever is not one."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise StoreError(
            f"there is no baseline {path}; make Records with: {MAKE}, and it of them with: "
            f"bench check --write {path}"
        ) from None
    except OSError as error:
        raise StoreError(f"cannot read the baseline {path}: {error.strerror or error}") from None
    try:
        versions = msgspec.json.decode(content, type=Versions)
    except msgspec.MsgspecError as error:
        records = "a Records file, not a baseline" if b'{"schema_version":' in content[:20] else ""
        raise StoreError(
            f"{path} is {records or f'no baseline ({error})'}; write one with: "
            f"bench check --write {path if not records else 'baseline.json'}"
        ) from None
    for what, found, known in (
        ("baseline version", versions.baseline_version, BASELINE_VERSION),
        ("Record schema version", versions.record_schema_version, SCHEMA_VERSION),
    ):
        if found != known:
            raise StoreError(
                f"{path} is of {what} {found}, this program reads {known}; write it anew from fresh runs "
                f"with: bench check --write {path}"
            )
    try:
        baseline = msgspec.json.decode(content, type=Baseline)
    except msgspec.MsgspecError as error:
        raise StoreError(
            f"the baseline {path} is damaged ({error}); write it anew with: bench check --write {path}"
        ) from None
    check(baseline.rows, str(path))
    return baseline


def load(store: Store) -> list[Line]:
    """All Records of the store; names those it cannot read, and raises StoreError where no other is left."""
    loaded = store.load(Line)
    if not loaded.records and loaded.problems:
        raise StoreError(f"{loaded.problems[0]}; no Record is left, make some with: {MAKE}")
    if not loaded.records:
        raise StoreError(f"there are no Records in {store.path}; make some with: {MAKE}")
    for problem in loaded.problems:
        print(f"bench: {problem}", file=sys.stderr)
    return loaded.records


def write(path: Path, store: Store) -> Baseline:
    """Writes the baseline of a store's Records; raises StoreError for what none can be made of."""
    if path.exists():
        read_to_replace(path)
    rows = rows_of(load(store))
    check(rows, str(store.path))
    hashes: dict[str, str] = {}
    for raw in store.load(msgspec.Raw).records:
        line = bytes(raw)
        hashes[msgspec.json.decode(line, type=_RunId).run] = sha256_of(line)
    for row in rows:
        for sample in row.samples:
            sample.sha256 = hashes[sample.run]
    baseline = Baseline(BASELINE_VERSION, SCHEMA_VERSION, rows)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(baseline), indent=1) + b"\n")
    except OSError as error:
        raise StoreError(f"cannot write {path} ({error.strerror}); name another") from None
    return baseline


class _RunId(msgspec.Struct):
    run: str


def read_to_replace(path: Path) -> None:
    """Raises StoreError for a file that is no baseline, of any version, and thus not ours to overwrite."""
    try:
        msgspec.json.decode(path.read_bytes(), type=Versions)
    except (OSError, msgspec.MsgspecError):
        raise StoreError(
            f"{path} exists and is no baseline; name another file, or move it away"
        ) from None


def check(rows: list[Row], where: str) -> None:
    """Raises StoreError for rows that nothing can be compared with."""
    if not rows:
        raise StoreError(
            f"{where} holds no run and no count to compare with; make some with: {MAKE}"
        )
    measured = [row for row in rows if row.kind == RUN]
    for what, found in (
        ("device classes", {row.device_class for row in measured}),
        ("energy sources", {row.source for row in measured}),
        ("tables of operation energy", {row.source for row in rows if row.kind == COUNT}),
    ):
        if len(found) > 1:
            raise StoreError(
                f"{where} mixes {what} ({'; '.join(sorted(found))}); a baseline is of one: make its runs "
                "into a folder of their own with results=DIR, and name that with --results DIR"
            )
    for row in rows:
        unmet = [s.run for s in row.samples if s.met is False or not s.joules_per_accuracy]
        short = row.kind == RUN and len(row.samples) < FEWEST
        if row.failed:
            why = f"a run failed ({row.failed[0]})"
        elif unmet:
            why = f"{len(unmet)} of {len(row.samples)} runs miss the target (such as {unmet[0]})"
        elif short:
            why = f"{len(row.samples)} run has no scatter to judge by, at least {FEWEST} are needed"
        else:
            continue
        raise StoreError(
            f"{where}: {row.label}: {why}; no baseline: make its runs into a folder of their own with "
            "results=DIR, and write it of that with --results DIR"
        )
