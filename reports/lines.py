"""What boards need of a Record; the other fields are not even decoded."""

from __future__ import annotations

from typing import Any

import msgspec

from metrics.record import RUN


class Draw(msgspec.Struct, gc=False):
    replay_of: str | None = None


class Task(msgspec.Struct, gc=False):
    name: str
    variant: str
    access: str
    bar: float | None = None
    margin: float | None = None
    data: dict[str, Any] = {}


class Algorithm(msgspec.Struct, gc=False):
    name: str
    config_sha256: str
    code_sha256: str
    config: msgspec.Raw
    adapts: bool | None


class Value(msgspec.Struct, gc=False):
    value: float
    low: float
    high: float


class Headline(msgspec.Struct, gc=False):
    energy_j: Value
    cold_j: Value
    inference_j: Value | None
    wall_s: float
    cpu_s: float


class Score(msgspec.Struct, gc=False):
    name: str
    unit: str
    value: float
    se: float | None
    target: float | None
    direction: str
    skill: float


class Host(msgspec.Struct, gc=False):
    device_class: str
    threads: int


class Found(msgspec.Struct, gc=False):
    find_j: float
    source: str
    trials: int = 0
    device: str | None = None


class Phase(msgspec.Struct, gc=False):
    phase: str
    peak_rss_bytes: int


class Line(msgspec.Struct, gc=False):
    """The fields of a Record that a board needs; the others are not even decoded."""

    schema_version: int
    status: str
    task: Task
    algorithm: Algorithm
    process: str
    draw: Draw
    host: Host
    source: str
    headline: Headline | None
    score: Score | None
    kind: str = RUN
    phases: list[Phase] = []
    found: Found | None = None

    @property
    def counts(self) -> bool:
        """Whether it sat an exam that could not be foreseen, and was let finish or failed."""
        return self.kind == RUN and self.status != "interrupted" and self.draw.replay_of is None
