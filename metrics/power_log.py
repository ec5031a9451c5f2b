"""A CSV log of power or energy that another device recorded.

A header line names the columns: `time` (seconds since 1970, or ISO 8601; without a zone it is this
machine's local time), and `power_w` or `energy_j` (a counter's total), or both. Others are ignored.
"""

from __future__ import annotations

import csv
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from metrics.meter import MeterError
from metrics.readings import Reading

COLUMNS = "a header line with time and power_w or energy_j"


def read_log(path: Path, to_monotonic_s: float) -> list[Reading]:
    """All readings, on the monotonic clock: to_monotonic_s is added to the log's times."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _parse(path, csv.reader(file), to_monotonic_s)
    except FileNotFoundError:
        raise MeterError(
            f"meter.csv={path} is not there: it is read when the run is over, and must be complete then"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MeterError(f"meter.csv={path} cannot be read: {error}") from None


def _parse(path: Path, lines: Any, to_monotonic_s: float) -> list[Reading]:
    header = [name.strip().lower() for name in next(lines, [])]
    columns = {
        name: header.index(name) for name in ("time", "power_w", "energy_j") if name in header
    }
    if "time" not in columns or len(columns) == 1:
        raise MeterError(
            f"meter.csv={path} needs {COLUMNS}; its first line is {','.join(header)[:80]!r}"
        )
    readings: list[Reading] = []
    for cells in lines:
        if not "".join(cells).strip():
            continue
        at = f"meter.csv={path}, line {lines.line_num}"
        try:
            t_s = seconds(cells[columns["time"]].strip()) + to_monotonic_s
            values = {
                name: finite(cells[index]) for name, index in columns.items() if name != "time"
            }
        except (ValueError, IndexError):
            raise MeterError(f"{at}: cannot be read as numbers: {','.join(cells)[:80]!r}") from None
        if readings and t_s <= readings[-1].t_s:
            raise MeterError(f"{at}: its time is not later than that of the line before")
        readings.append(Reading(t_s, values.get("power_w"), values.get("energy_j")))
    if not readings:
        raise MeterError(f"meter.csv={path} has no readings below its header")
    return readings


def seconds(text: str) -> float:
    """Seconds since 1970 of a number or an ISO 8601 time; ValueError otherwise."""
    try:
        return finite(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()


def finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def check_overlap(
    path: Path,
    readings: list[Reading],
    begin_s: float,
    end_s: float,
    to_monotonic_s: float,
    clock_offset_s: float,
) -> None:
    """MeterError where a log says nothing of a window, with both spans and an offset to try.

    to_monotonic_s: what this machine's own wall clock was shifted by, without clock_offset_s.
    """
    first_s, last_s = readings[0].t_s, readings[-1].t_s
    if first_s < end_s and last_s > begin_s:
        return
    middle_s = (begin_s + end_s) / 2
    # A time zone is the likely reason where whole half hours bring the two together.
    zone_s = 1800 * round((middle_s - (first_s + last_s) / 2) / 1800)
    fits = first_s + zone_s < end_s and last_s + zone_s > begin_s
    offset_s = clock_offset_s + (zone_s if fits else round(begin_s - first_s))
    spans = [
        f"{clock(a - to_monotonic_s)} to {clock(b - to_monotonic_s)}"
        for a, b in ((first_s, last_s), (begin_s, end_s))
    ]
    raise MeterError(
        f"meter.csv={path} covers {spans[0]}, but this window {spans[1]}: record over the whole run, "
        f"or if the logger has another clock, set meter.clock_offset_s, such as {offset_s:g}"
    )


def clock(unix_s: float) -> str:
    """A moment in words, in UTC."""
    try:
        return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{unix_s:.0f} s since 1970"
