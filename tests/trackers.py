"""A tracker that is told what to do wrong, and runs for it to follow."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from harness.config import configure
from harness.runner import Hooks, Run
from harness.trackers.base import Facts, Sample, Tracker
from metrics.record import Record

ROOT = Path(__file__).parent.parent
PARITY = ["task=sparse_parity", "algo=xor_elimination", "repeats=4"]


@dataclass
class Notes(Tracker):
    """Writes down what it is told. fails: the method that raises. live: whether it wants samples at once."""

    fails: str = ""
    live: bool = False
    made: ClassVar[list[Notes]] = []
    heard: list[tuple[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.made.append(self)

    def _hear(self, name: str, what: Any) -> None:
        self.heard.append((name, what))
        if name == self.fails:
            raise RuntimeError(f"no\n{name}")

    def wants_live(self, facts: Facts) -> bool:
        self._hear("wants_live", facts)
        return self.live

    def begin(self, facts: Facts) -> None:
        self._hear("begin", facts)

    def watch(self, samples: list[Sample]) -> None:
        self._hear("watch", samples)

    def finish(self, record: Record) -> list[str]:
        self._hear("finish", record)
        return ["told"]

    def fail(self, why: str) -> None:
        self._hear("fail", why)


def seated(*words: str) -> Run:
    """A run that could begin, and of which nothing will run."""
    run = Run(configure([*PARITY, *words], False)[0], Hooks(lambda line: None, lambda moment: None))
    run.code = "0" * 64, 1
    return run
