"""Several meters on one sitting, each with its own rows.

The headline sums measured domains before modelled ones and no domain twice; a plug or a battery, which
see the whole machine, stand for themselves. Where two sources speak of the same domain and their
intervals, calibration errors included, do not meet, that is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, ClassVar

from metrics.meter import Meter, MeterError, Sensor, Window
from metrics.process_tree import ProcessTree
from metrics.record import EnergyRow

WHOLE_MACHINE = ("wall", "battery")
SEE_GPU = {"nvml", "zeus", "wall", "battery"}


class Joint(Meter):
    """One or more meters read together. A meter that fails in a window loses that window's rows, which
    `problems` tells; the others' rows stay."""

    name: ClassVar[str] = "joint"

    def __init__(self, meters: Sequence[Meter]) -> None:
        self.meters = list(meters)
        self.floor_s = max(meter.floor_s for meter in meters)
        self.idle_s = max(meter.idle_s for meter in meters)
        self.problems: list[str] = []
        self.source = "+".join(meter.source for meter in meters)  # until it is opened

    def open(self, tree: ProcessTree) -> None:
        super().open(tree)
        self.problems = []
        for meter in self.meters:
            meter.open(tree)
        # Known only now: a sensor finds its domains and its period when it is opened.
        self.floor_s = max(meter.floor_s for meter in self.meters)
        self.counted = self._choose()
        chosen = [m for m in self.meters if any(source == m.source for source, _ in self.counted)]
        kind = chosen[0].source.partition(":")[0]
        self.source = f"{kind}:" + "+".join(m.source.partition(":")[2] for m in chosen)
        self.domains = tuple(domain for _, domain in self.counted)

    def _choose(self) -> list[tuple[str, str]]:
        """(source, domain) pairs of the headline."""
        measured = [m for m in self.meters if m.source.startswith("measured")]
        for meter in measured:
            if set(meter.domains) & set(WHOLE_MACHINE):
                return [(meter.source, domain) for domain in meter.domains]
        pairs: list[tuple[str, str]] = []
        for meter in measured or self.meters[:1]:
            taken = {domain for _, domain in pairs}
            pairs += [(meter.source, domain) for domain in meter.domains if domain not in taken]
        return pairs

    @property
    def sees_gpu(self) -> bool:
        """Whether a GPU's work would be on the bill."""
        return bool(set(self.names) & SEE_GPU)

    @property
    def names(self) -> list[str]:
        return [meter.name for meter in self.meters]

    def counts(self, row: EnergyRow) -> bool:
        return (row.source, row.domain) in self.counted

    def begin(self) -> list[Any]:
        return [meter.begin() for meter in self.meters]

    def end(self, now_s: float) -> list[Any]:
        marks: list[Any] = []
        for meter in reversed(
            self.meters
        ):  # a sensor's wait is the others' tail: keep the fast ones' short
            try:
                marks.append(meter.end(now_s))
            except MeterError as error:
                marks.append(error)
        return marks[::-1]

    def glance(self, begin: list[Any]) -> float:
        joules = 0.0
        sources = {source for source, _ in self.counted}
        for meter, mark in zip(self.meters, begin, strict=True):
            seen = meter.glance(mark)  # of every meter: some take their samples here
            joules += seen if meter.source in sources else 0.0
        return joules

    def rows(self, window: Window, idle: list[Window]) -> list[EnergyRow]:
        rows: list[EnergyRow] = []
        for index, meter in enumerate(self.meters):
            try:
                rows += meter.rows(_part(window, index), _parts(idle, index))
            except MeterError as error:
                self.problems.append(f"{meter.name} in {window.phase}: {error}")
        return rows

    def sensors(self) -> list[Sensor]:
        return [sensor for meter in self.meters for sensor in meter.sensors()]

    def probes(self) -> list[tuple[str, dict[str, Any]]]:
        return [probe for meter in self.meters for probe in meter.probes()]

    def about(self) -> dict[str, Any]:
        return {meter.name: found for meter in self.meters if (found := meter.about())}

    def close(self) -> None:
        for meter in self.meters:
            meter.close()


def _part(window: Window, index: int) -> Window:
    """A window as one meter saw it; raises what its `end` raised."""
    if isinstance(window.end[index], MeterError):
        raise window.end[index]
    return Window(
        phase=window.phase,
        repeats=window.repeats,
        begin_s=window.begin_s,
        end_s=window.end_s,
        begin=window.begin[index],
        end=window.end[index],
    )


def _parts(windows: list[Window], index: int) -> list[Window]:
    return [_part(w, index) for w in windows if not isinstance(w.end[index], MeterError)]


def disagreements(rows: list[EnergyRow]) -> list[str]:
    """A line for every domain on which two sources contradict each other beyond their joint error."""
    lines = []
    for a, b in combinations(rows, 2):
        if (a.phase, a.domain) == (b.phase, b.domain) and a.source != b.source:
            first, second = sorted((a, b), key=lambda row: row.gross_j)
            if first.high_j * (1 + first.gain_rel) < second.low_j * (1 - second.gain_rel):
                lines.append(
                    f"{a.phase} {a.domain}: {first.source} says {first.gross_j:.4g} J and "
                    f"{second.source} {second.gross_j:.4g} J, further apart than their errors allow"
                )
    return lines
