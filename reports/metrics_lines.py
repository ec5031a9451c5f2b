"""What an audit of the metrics needs of a Record; the other fields are not even decoded."""

from __future__ import annotations

import msgspec

from metrics.record import RUN


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


class Line(msgspec.Struct, gc=False):
    """The fields of a Record that an audit needs. counts: per training, by kind."""

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
    counts: dict[str, float] | None = None
    imported_from: str | None = None
