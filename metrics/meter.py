"""The contract of a meter, and the arithmetic from its readings to a Record's energy rows.

A meter belongs to the parent. It is opened on a worker's process tree and read at the edges of each
window while the worker waits: `begin` may take its time to line up with the sensor, and work starts
when it returns; `end` is called the moment work is done, may wait for the sensor as well, and takes
what was drawn meanwhile off again. Rows are made when the whole sitting is over, so that the idle
windows before and after training can be set against it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from metrics.process_tree import ProcessTree
from metrics.record import EnergyRow, Headline, Interval, Phase


class MeterError(ValueError):
    """A meter that this machine cannot provide or that has failed, with the remedy."""


@dataclass(frozen=True)
class Window:
    """A stretch of time between two marks. begin_s, end_s: monotonic clock. begin, end: whatever the
    meter's `begin` and `end` returned."""

    phase: str
    repeats: int
    begin_s: float
    end_s: float
    begin: Any
    end: Any

    @property
    def length_s(self) -> float:
        return self.end_s - self.begin_s


@dataclass(frozen=True)
class Sensor:
    """One line of `bench meters`. period_s: how often the sensor changes. floor_s: shortest window
    worth quoting. gain_rel: calibration error. usable: whether it answers here and now; if not,
    `remedy` is the exact thing to do."""

    meter: str
    domain: str
    source: str
    usable: bool
    remedy: str = ""
    period_s: float | None = None
    floor_s: float | None = None
    gain_rel: float | None = None
    note: str = ""


class Meter(ABC):
    """One way to know joules.

    name: as in its yaml. source: "measured:..." or "modelled:...". domains: which rows a headline
    sums (known after `open`). floor_s: shortest window worth quoting. idle_s: how long idle is
    measured before and after training; 0 where idle power is no part of the figure.
    """

    name: ClassVar[str]
    source: str
    domains: tuple[str, ...]
    floor_s: float
    idle_s: float = 0.0

    def sensors(self) -> list[Sensor]:
        """What this meter finds on this machine; never raises, slow probing is allowed."""
        return []

    def open(self, tree: ProcessTree) -> None:
        """Called once the worker exists. Raises MeterError where the sensor does not answer."""
        self.tree = tree

    @abstractmethod
    def begin(self) -> Any:
        """A mark from which work may start. Raises MeterError where the sensor has failed."""

    @abstractmethod
    def end(self, now_s: float) -> Any:
        """A mark for work that ended at `now_s` (monotonic). Raises MeterError likewise."""

    @abstractmethod
    def glance(self, begin: Any) -> float:
        """Joules since the mark `begin`, in `domains`, roughly and cheaply, for progress displays."""

    @abstractmethod
    def rows(self, window: Window, idle: list[Window]) -> list[EnergyRow]:
        """The energy of a window, set against the idle windows (there may be none)."""

    def counts(self, row: EnergyRow) -> bool:
        """Whether a headline sums this row."""
        return row.source == self.source and row.domain in self.domains

    def probes(self) -> list[tuple[str, dict[str, Any]]]:
        """What the sampler process shall trace: ("package.module.factory", arguments) each.

        The factory is called in the sampler's own process and returns a function without arguments
        that gives a dict of numbers by column name: gpu0_power_w, gpu0_temperature_c, ...
        """
        return []

    def about(self) -> dict[str, Any]:
        """For the Record: library, its path and hash, board names, periods found, driver."""
        return {}

    def close(self) -> None:
        """Lets go of the sensor."""
        return


def monotonic_s() -> float:
    """The one clock of all windows and samples (CLOCK_MONOTONIC, the same in every process)."""
    return time.monotonic()


def total(rows: list[EnergyRow], phase: str, meter: Meter) -> Interval:
    """Gross sum over one phase's rows, per repeat; ends add up (errors taken as fully correlated)."""
    chosen = [r for r in rows if r.phase == phase and meter.counts(r)]
    return Interval(
        value=sum(r.gross_j / r.repeats for r in chosen),
        low=sum(r.low_j / r.repeats for r in chosen),
        high=sum(r.high_j / r.repeats for r in chosen),
    )


def total_net(rows: list[EnergyRow], phase: str, meter: Meter) -> Interval | None:
    """The same above idle; None unless idle is known for every row."""
    chosen = [r for r in rows if r.phase == phase and meter.counts(r)]
    values, lows, highs = [], [], []
    for row in chosen:
        if row.net_j is None or row.net_low_j is None or row.net_high_j is None:
            return None
        values.append(row.net_j / row.repeats)
        lows.append(row.net_low_j / row.repeats)
        highs.append(row.net_high_j / row.repeats)
    return Interval(value=sum(values), low=sum(lows), high=sum(highs)) if chosen else None


def headline(
    meter: Meter, rows: list[EnergyRow], phases: list[Phase], predictions: int, skill: float
) -> Headline:
    """The figures to quote for a finished run; `predictions` are those of one examination."""
    setup, train, exam = (total(rows, phase, meter) for phase in ("setup", "train", "inference"))
    trainings = [p for p in phases if p.phase == "train"]  # several where it was paused
    return Headline(
        source=meter.source,
        modelled=meter.source.startswith("modelled"),
        domains=list(meter.domains),
        energy_j=train,
        net_j=total_net(rows, "train", meter),
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
        wall_s=sum(p.wall_s / p.repeats for p in trainings),
        cpu_s=sum(p.cpu_s / p.repeats for p in trainings),
    )
