"""The contract of a tracker: who follows a run and tells of it elsewhere.

To add one: a file here with a class like those below, and a yaml in configs/tracker/ with its fields.
Nothing that a tracker does or suffers reaches a run: `harness.tracking` calls it, says a fault of it
once, and leaves it alone after that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metrics.record import Record


class TrackerError(RuntimeError):
    """What a tracker could not do, in one line with the way out."""


@dataclass(frozen=True)
class Facts:
    """What is known of a run as it begins; all of it will stand in its Record as well.

    folder: of the Records. group: of an exam's runs or a search's trials, its name; part: which side of
    it, or stage. meters: their names. modelled: whether its joules are, None where nothing is metered.
    config: plain values by name, as harness.trackers.keys.config says.
    """

    run: str
    kind: str
    folder: Path
    task: str
    algo: str
    seed: int
    group: str | None
    part: str | None
    meters: list[str]
    modelled: bool | None
    config: dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """One look at a run. at_s: since it began. sitting: counted from 1 (pilots are sittings too).

    joules: of the phase in this sitting, all its windows so far, about; None where nobody knows (yet).
    loss, step, of: what the algorithm said of itself.
    """

    at_s: float
    sitting: int
    phase: str
    joules: float | None
    loss: float | None = None
    step: int = 0
    of: int = 0


class Tracker:
    """No tracking at all, and what a tracker's methods promise.

    One object follows one run, in this order: begin, watch (any number of times), then finish or fail.
    Constructing it raises BadInputError for whatever is wrong with its fields or missing on this machine:
    that is before anything runs. All else may raise anything, and must come back in bounded time.
    """

    def wants_live(self, facts: Facts) -> bool:
        """Whether samples are wanted while windows are open; else they come after the last one."""
        return False

    def begin(self, facts: Facts) -> None:
        """Before the first metered window."""

    def watch(self, samples: list[Sample]) -> None:
        """Some looks at the run, in order; live at most one call a second. Must not block."""

    def finish(self, record: Record) -> list[str]:
        """The Record, which has been written to disk. Returns lines for the user."""
        return []

    def fail(self, why: str) -> None:
        """There is no Record: the run came to nothing."""
