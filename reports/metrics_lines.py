"""What an audit of the metrics needs of a Record; the other fields are not even decoded.

A count (`bench count`) measures nothing: its figures are joined to the runs of the same algorithm on
the same task, by the hashes of its configuration and its code.
"""

from __future__ import annotations

import statistics
from collections import defaultdict

import msgspec

from metrics.count_base import PYTHON
from metrics.record import COUNT, RUN


class Value(msgspec.Struct, gc=False):
    value: float


class Headline(msgspec.Struct, gc=False):
    energy_j: Value
    wall_s: float
    cpu_s: float


class EnergyRow(msgspec.Struct, gc=False):
    phase: str
    source: str
    gross_j: float
    repeats: int


class Task(msgspec.Struct, gc=False):
    name: str
    variant: str
    access: str


class Algorithm(msgspec.Struct, gc=False):
    name: str
    config_sha256: str
    code_sha256: str


class Draw(msgspec.Struct, gc=False):
    replay_of: str | None = None


class Host(msgspec.Struct, gc=False):
    device_class: str
    threads: int


class Counts(msgspec.Struct, gc=False):
    operations: dict[str, int]
    read_bytes: int
    written_bytes: int
    communication_bytes: int
    peak_bytes: int
    notes: list[str] = []


class Line(msgspec.Struct, gc=False):
    """The fields of a Record that an audit needs. counts: of a count alone."""

    schema_version: int
    run: str
    status: str
    task: Task
    algorithm: Algorithm
    draw: Draw
    host: Host
    source: str
    headline: Headline | None
    energy: list[EnergyRow]
    kind: str = RUN
    counts: Counts | None = None
    imported_from: str | None = None

    @property
    def counted(self) -> tuple[str, ...]:
        """What a count and a run must have in common to be of one training."""
        task, algo = self.task, self.algorithm
        return (
            task.name,
            task.variant,
            task.access,
            algo.name,
            algo.config_sha256,
            algo.code_sha256,
        )


# Rungs that every count has, in the order of the metric axis.
OPERATIONS, MOVED = "count:operations", "count:bytes_moved"
COMMUNICATED, PEAK = "count:communication_bytes", "count:peak_bytes"
COUNTED = (OPERATIONS, MOVED, COMMUNICATED, PEAK)


def rungs(line: Line) -> dict[str, float]:
    """Figures of a finished run per training, by rung: seconds and joules by source."""
    head = line.headline
    assert head is not None
    found = {"wall_s": head.wall_s, "cpu_s": head.cpu_s, **_joules(line)}
    found[line.source] = head.energy_j.value  # knows which domains it sums
    return found


def counted_rungs(lines: list[Line]) -> dict[tuple[str, ...], dict[str, float]]:
    """Figures of all counts, by what they are of and by rung: medians over seeds."""
    found: dict[tuple[str, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        counts = line.counts
        if line.kind == COUNT and line.status == "ok" and counts:
            figures = {
                OPERATIONS: sum(counts.operations.values()),
                MOVED: counts.read_bytes + counts.written_bytes,
                COMMUNICATED: counts.communication_bytes,
                PEAK: counts.peak_bytes,
                **_joules(line),
            }
            for rung, figure in figures.items():
                found[line.counted][rung].append(figure)
    return {
        what: {rung: statistics.median(figures) for rung, figures in by_rung.items()}
        for what, by_rung in found.items()
    }


def without_python(lines: list[Line]) -> set[tuple[str, ...]]:
    """What a count is of, where it says that it missed the algorithm's Python code."""
    counts = (line for line in lines if line.kind == COUNT and line.counts)
    return {line.counted for line in counts if line.counts and PYTHON in line.counts.notes}


def _joules(line: Line) -> dict[str, float]:
    """J per training by source."""
    found: dict[str, float] = {}
    for row in line.energy:
        if row.phase == "train":
            found[row.source] = found.get(row.source, 0.0) + row.gross_j / row.repeats
    return found
