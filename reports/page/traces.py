"""Power traces for a page: the newest, each thinned to a few hundred points that keep its peaks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from metrics.trace import MeterError, need
from reports.page.reading import Entry, Signature, signature

MOST_RUNS = 200
MOST_POINTS = 600
NO_POWER = "without power"
# The errors of pyarrow and msgspec are kinds of these.
ERRORS = (OSError, ValueError, KeyError, TypeError, NotImplementedError)


class Traces:
    """Reads traces; a file that has not changed since is not read anew."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Signature, dict[str, Any] | str]] = {}

    def collect(self, entries: list[Entry]) -> tuple[dict[str, Any], dict[str, int], list[str]]:
        """(traces by run, newest first; counts of shown and left out; problems)."""
        having = [entry for entry in reversed(entries) if entry.record.trace]
        counts = {"shown": 0, "left_out": 0, "without_power": 0, "missing": 0, "unreadable": 0}
        if not having:
            return {}, counts, []
        try:
            need("pyarrow.parquet", "a page with power traces")
        except MeterError as error:
            return {}, {**counts, "left_out": len(having)}, [f"no power traces are shown: {error}"]
        found: dict[str, Any] = {}
        problems, gone = [], []
        for entry in having:
            record = entry.record
            try:
                path = entry.file(record.trace or "")
            except OSError:
                gone.append(record.run)
                continue
            if path is None:
                counts["unreadable"] += 1
                problems.append(f"run {record.run}: its trace would lie outside of its folder")
            elif len(found) == MOST_RUNS:
                counts["left_out"] += 1
            else:
                made = self._read(path)
                if made == NO_POWER:
                    counts["without_power"] += 1
                elif isinstance(made, str):
                    counts["unreadable"] += 1
                    problems.append(f"the trace of run {record.run} cannot be read: {made}")
                else:
                    found[record.run] = made
        counts |= {"shown": len(found), "missing": len(gone)}
        if gone:
            problems.append(
                f"traces that Records name and that are not there: {len(gone)}, such as of run {gone[0]}; "
                "copy the folder traces along with the Records"
            )
        return found, counts, problems

    def _read(self, path: Path) -> dict[str, Any] | str:
        now = signature([path])
        known = self._known.get(path)
        if known is None or known[0] != now:
            known = self._known[path] = (now, read(path))
        return known[1]


def read(path: Path) -> dict[str, Any] | str:
    """A trace as the page has it; a line where it cannot be read.

    t_s: seconds since the run's start. power_w: by domain, W, None where nothing was read. phases: phase,
    begin_s and end_s.
    """
    try:
        table = need("pyarrow.parquet").read_table(path)
        phases = [
            {
                "phase": str(p["phase"]),
                "begin_s": _number(p["begin_s"]),
                "end_s": _number(p["end_s"]),
            }
            for p in msgspec.json.decode((table.schema.metadata or {}).get(b"phases", b"[]"))
        ]
        columns = {
            name: table[name].to_numpy().astype(float)
            for name in table.column_names
            if name == "t_s" or name.endswith("_w")
        }
        t_s = columns.pop("t_s")
    except ERRORS as error:
        return " ".join(f"{type(error).__name__}: {error}".split()).replace(str(path), path.name)
    powers = {name: p for name, p in columns.items() if np.isfinite(p).any()}
    if not powers:
        return NO_POWER
    rows = thinned(powers)
    return {
        "t_s": [_number(t, 6) for t in t_s[rows]],
        "power_w": {
            name.removesuffix("_w"): [_number(w, 5) for w in power[rows]]
            for name, power in powers.items()
        },
        "phases": phases,
    }


def thinned(powers: dict[str, np.ndarray], most: int = MOST_POINTS) -> np.ndarray:
    """Rows that keep every series' shape: of each stretch its least and its most, at most `most` in all."""
    rows = len(next(iter(powers.values())))
    if rows <= most:
        return np.arange(rows)
    stretches = max(1, (most - 2) // (2 * len(powers)))
    kept = {0, rows - 1}
    for part in np.array_split(np.arange(rows), stretches):
        for power in powers.values():
            here = power[part]
            if np.isfinite(here).any():
                kept |= {int(part[np.nanargmin(here)]), int(part[np.nanargmax(here)])}
            else:
                kept.add(int(part[0]))  # a gap stays one
    return np.array(sorted(kept))


def _number(value: Any, digits: int = 7) -> float | None:
    number = float(value)
    return float(f"{number:.{digits}g}") if math.isfinite(number) else None
