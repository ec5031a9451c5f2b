"""What a gate needs of a Record; the other fields are not even decoded."""

from __future__ import annotations

from typing import Any

import msgspec

from metrics.record import RUN


class Value(msgspec.Struct):
    value: float


class Headline(msgspec.Struct):
    energy_j: Value
    joules_per_accuracy: float | None
    wall_s: float


class Score(msgspec.Struct):
    name: str
    unit: str
    value: float
    target_met: bool | None
    direction: str
    margin: float
    skill: float


class Task(msgspec.Struct):
    name: str
    variant: str
    access: str
    config: dict[str, Any]
    config_sha256: str
    data_sha256: str | None = None
    data: dict[str, Any] = {}
    bar: float | None = None


class Algorithm(msgspec.Struct):
    name: str
    config: dict[str, Any]
    config_sha256: str
    code_sha256: str


class Draw(msgspec.Struct):
    seed: int
    replay_of: str | None = None


class Host(msgspec.Struct):
    device_class: str
    threads: int
    libraries: dict[str, str]
    python: str


class Code(msgspec.Struct):
    version: str
    commit: str | None


class Empty(msgspec.Struct):
    energy_j: float


class Exam(msgspec.Struct):
    void: str | None = None


class EnergyRow(msgspec.Struct):
    phase: str
    gross_j: float
    repeats: int
    gain_rel: float = 0.0


class Counts(msgspec.Struct):
    """See `metrics.record.CountInfo`."""

    operations: dict[str, int]
    read_bytes: int
    written_bytes: int
    communication_bytes: int
    peak_bytes: int
    notes: list[str] = []


class Line(msgspec.Struct):
    """A Record, as far as a gate goes."""

    schema_version: int
    run: str
    status: str
    error: str | None
    started_at: str
    task: Task
    algorithm: Algorithm
    draw: Draw
    host: Host
    code: Code
    source: str
    headline: Headline | None
    score: Score | None
    energy: list[EnergyRow]
    settings: dict[str, Any]
    meter: dict[str, Any] = {}
    kind: str = RUN
    counts: Counts | None = None
    imported_from: str | None = None
    empty: Empty | None = None
    exam: Exam | None = None
