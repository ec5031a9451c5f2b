"""The contract of a meter, and the arithmetic from its readings to a Record's energy rows.

A meter belongs to the parent. It is opened on a worker's process, read at the edges of each window,
and turns two readings into rows. One whose figures scatter in short windows says so by `floor_s`, and
the harness repeats work over different draws until that is met.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from metrics.process_tree import ProcessTree
from metrics.record import EnergyRow, Headline, Interval, Phase


class MeterError(ValueError):
    """A meter that this machine cannot provide or that has failed, with the remedy."""


@dataclass(frozen=True)
class Reading:
    """The state of everything metered at one moment. wall_s: monotonic clock; cpu_s: process tree."""

    wall_s: float
    cpu_s: float
    rss_bytes: int
    sensors: dict[str, Any]


class Meter(ABC):
    """One way to know joules.

    name: as in its yaml. source: "measured:..." or "modelled:...". domains: which rows a headline
    sums. floor_s: shortest window worth quoting.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    domains: ClassVar[tuple[str, ...]]
    floor_s: float

    def open(self, tree: ProcessTree) -> None:
        """Called once the worker exists. Raises MeterError where the sensor does not answer."""
        self.tree = tree

    @abstractmethod
    def read(self) -> Reading:
        """Cheap, and safe to call at any moment."""

    @abstractmethod
    def rows(self, phase: str, begin: Reading, end: Reading, repeats: int) -> list[EnergyRow]:
        """The energy between two readings. Repeats are only noted: figures are the whole window's."""

    def close(self) -> None:
        """Lets go of the sensor."""
        return


def total(rows: list[EnergyRow], phase: str, domains: tuple[str, ...]) -> Interval:
    """Sum over the rows of one phase, per repeat; ends add up (errors taken as fully correlated)."""
    chosen = [r for r in rows if r.phase == phase and r.domain in domains]
    return Interval(
        value=sum(r.net_j / r.repeats for r in chosen),
        low=sum((r.low_j - r.idle_j) / r.repeats for r in chosen),
        high=sum((r.high_j - r.idle_j) / r.repeats for r in chosen),
    )


def headline(
    meter: Meter, rows: list[EnergyRow], phases: list[Phase], predictions: int, skill: float
) -> Headline:
    """The figures to quote for a finished run; `predictions` are those of one examination."""
    setup, train, exam = (
        total(rows, phase, meter.domains) for phase in ("setup", "train", "inference")
    )
    training = next(p for p in phases if p.phase == "train")
    return Headline(
        source=meter.source,
        modelled=meter.source.startswith("modelled"),
        domains=list(meter.domains),
        energy_j=train,
        cold_j=Interval(
            value=setup.value + train.value + exam.value,
            low=setup.low + train.low + exam.low,
            high=setup.high + train.high + exam.high,
        ),
        inference_j=Interval(
            value=exam.value / predictions,
            low=exam.low / predictions,
            high=exam.high / predictions,
        ),
        joules_per_accuracy=train.value / skill if skill > 0 else None,
        wall_s=training.wall_s / training.repeats,
        cpu_s=training.cpu_s / training.repeats,
    )
