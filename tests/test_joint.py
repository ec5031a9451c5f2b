"""Several meters on one sitting: what the headline sums, what is lost with a sensor, disagreement."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.joint import Joint, disagreements
from metrics.meter import Meter, MeterError, Window, total
from metrics.process_tree import ProcessTree
from metrics.record import EnergyRow


class Fake(Meter):
    """Draws `watts` in every domain, with an error of 10 %."""

    def __init__(self, source: str, watts: float, *domains: str, floor_s: float = 1.0) -> None:
        self.name = source.partition(":")[2]  # type: ignore[misc]
        self.source, self.watts, self.domains, self.floor_s = source, watts, domains, floor_s
        self.fails = False

    def open(self, tree: ProcessTree) -> None:
        return

    def begin(self) -> int:
        return 0

    def end(self, now_s: float) -> int:
        if self.fails:
            raise MeterError("the sensor is gone")
        return 1

    def glance(self, begin: int) -> float:
        return self.watts

    def rows(self, window: Window, idle: list[Window]) -> list[EnergyRow]:
        joules = self.watts * window.length_s
        return [
            EnergyRow(
                phase=window.phase,
                domain=domain,
                source=self.source,
                gross_j=joules,
                low_j=0.9 * joules,
                high_j=1.1 * joules,
                window_s=window.length_s,
                repeats=1,
                resolution_s=0.1,
            )
            for domain in self.domains
        ]


def read(joint: Joint) -> list[EnergyRow]:
    joint.open(None)  # type: ignore[arg-type]
    begin: list[Any] = joint.begin()
    return joint.rows(Window("train", 1, 0.0, 2.0, begin, joint.end(2.0)), [])


NVML = ("measured:nvml", 100.0, "gpu0", "gpu1")
RAPL = ("measured:rapl", 30.0, "package0")
MODEL = ("modelled:cpu_time", 3.5, "worker")


@pytest.mark.parametrize(
    ("meters", "source", "joules"),
    [
        ([MODEL], "modelled:cpu_time", 7.0),
        ([NVML, MODEL], "measured:nvml", 400.0),
        ([NVML, RAPL, MODEL], "measured:nvml+rapl", 460.0),
        ([NVML, ("measured:zeus", 90.0, "gpu0", "gpu1"), RAPL], "measured:nvml+rapl", 460.0),
        ([NVML, RAPL, ("measured:wall", 400.0, "wall")], "measured:wall", 800.0),
        ([MODEL, RAPL], "measured:rapl", 60.0),
    ],
)
def test_a_headline_sums_no_domain_twice_and_nothing_modelled_with_measured(
    meters: list[tuple[Any, ...]], source: str, joules: float
) -> None:
    joint = Joint([Fake(*meter) for meter in meters])
    rows = read(joint)
    assert joint.source == source
    assert total(rows, "train", joint).value == joules
    assert len(rows) == sum(len(meter) - 2 for meter in meters)  # but every row is there


def test_a_sensor_that_fails_takes_only_its_own_rows_along() -> None:
    nvml, rapl = Fake(*NVML), Fake(*RAPL)
    nvml.fails = True
    joint = Joint([nvml, rapl])
    rows = read(joint)
    assert [row.source for row in rows] == ["measured:rapl"]
    assert joint.problems == ["nvml in train: the sensor is gone"]


def test_the_longest_floor_holds_for_all() -> None:
    assert Joint([Fake(*NVML, floor_s=5.0), Fake(*MODEL)]).floor_s == 5.0


def test_disagreement_beyond_the_joint_error_is_said() -> None:
    def rows(watts: float) -> list[EnergyRow]:
        return read(Joint([Fake(*NVML), Fake("measured:zeus", watts, "gpu0")]))

    assert not disagreements(rows(115.0))
    (line,) = disagreements(rows(130.0))
    assert line.startswith("train gpu0: measured:nvml says 200 J and measured:zeus 260 J")
