"""Joules modelled from CPU time, for machines without an energy counter.

Watts per busy CPU-second are the published per-vCPU figures of cloud providers: 3.5 W, from 0.7 to
4.5 W by machine and load. Memory is modelled apart and summed into no headline: 0.392 W per GB, the
mean of two manufacturers' figures (0.375 and 0.408 W per GB; Cloud Carbon Footprint methodology).
CPU time is the worker's own, never the machine's load, so another program's work is not billed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from metrics.meter import Meter, MeterError, Sensor, Window
from metrics.process_tree import LINUX
from metrics.record import EnergyRow

PUBLISHED_W = (3.5, 0.7, 4.5)
NO_CHILDREN = "this system does not tell the CPU time of children that have ended"
RAM_W_PER_GB = 0.392
RAM_LOW_W_PER_GB = 0.375
RAM_HIGH_W_PER_GB = 0.4083


@dataclass(frozen=True)
class Mark:
    """CPU seconds and resident bytes x seconds of the tree until one moment."""

    cpu_s: float
    rss_byte_s: float


class CpuTime(Meter):
    """CPU seconds of the worker's process tree times watts per CPU-second.

    w_per_cpu_s, low_w_per_cpu_s, high_w_per_cpu_s: watts per busy CPU and their interval.
    floor_s: windows shorter than this are repeated over different draws.
    """

    name: ClassVar[str] = "cpu_time"
    source = "modelled:cpu_time"
    domains = ("worker",)

    def __init__(
        self,
        w_per_cpu_s: float = PUBLISHED_W[0],
        low_w_per_cpu_s: float = PUBLISHED_W[1],
        high_w_per_cpu_s: float = PUBLISHED_W[2],
        floor_s: float = 0.25,
    ) -> None:
        if not 0 < low_w_per_cpu_s <= w_per_cpu_s <= high_w_per_cpu_s:
            raise MeterError(
                f"meter.w_per_cpu_s={w_per_cpu_s:g} must lie within meter.low_w_per_cpu_s="
                f"{low_w_per_cpu_s:g} and meter.high_w_per_cpu_s={high_w_per_cpu_s:g}, all above 0"
            )
        if not 0 < floor_s <= 60:
            raise MeterError(f"meter.floor_s={floor_s:g}: must be above 0 and at most 60 seconds")
        self.w_per_cpu_s = w_per_cpu_s
        self.low_w_per_cpu_s = low_w_per_cpu_s
        self.high_w_per_cpu_s = high_w_per_cpu_s
        self.floor_s = floor_s
        if (w_per_cpu_s, low_w_per_cpu_s, high_w_per_cpu_s) != PUBLISHED_W:
            # Other watts are another model, and another board.
            self.source = (
                f"modelled:cpu_time({w_per_cpu_s:g} W, {low_w_per_cpu_s:g}-{high_w_per_cpu_s:g})"
            )

    def sensors(self) -> list[Sensor]:
        note = f"{self.w_per_cpu_s:g} W per busy CPU ({self.low_w_per_cpu_s:g} to "
        note += f"{self.high_w_per_cpu_s:g}); bench meters calibrate fits it to a better meter"
        return [
            Sensor("cpu_time", "worker", self.source, True, floor_s=self.floor_s, note=note),
        ]

    def begin(self) -> Mark:
        self.tree.rss_bytes()
        return Mark(self.tree.cpu_s(), self.tree.rss_byte_s)

    def end(self, now_s: float) -> Mark:
        return self.begin()

    def glance(self, begin: Mark) -> float:
        return (self.tree.cpu_s() - begin.cpu_s) * self.w_per_cpu_s

    def probes(self) -> list[tuple[str, dict[str, Any]]]:
        own = hasattr(self, "tree") and self.tree.includes_parent
        fields = {"w_per_cpu_s": self.w_per_cpu_s, "with_parent": own}
        return [("metrics.machine_probe.worker", fields)]

    def rows(self, window: Window, idle: list[Window]) -> list[EnergyRow]:
        begin: Mark = window.begin
        end: Mark = window.end
        cpu_s = end.cpu_s - begin.cpu_s
        gb_s = (end.rss_byte_s - begin.rss_byte_s) / 1e9
        step_s = self.tree.resolution_s
        low_j = (cpu_s - min(step_s, cpu_s)) * self.low_w_per_cpu_s
        high_j = (cpu_s + step_s) * self.high_w_per_cpu_s
        return [
            EnergyRow(
                phase=window.phase,
                domain="worker",
                source=self.source,
                gross_j=cpu_s * self.w_per_cpu_s,
                low_j=low_j,
                high_j=high_j,
                # A process that waits has no CPU time: idle is no part of this figure.
                idle_j=0.0,
                net_j=cpu_s * self.w_per_cpu_s,
                net_low_j=low_j,
                net_high_j=high_j,
                window_s=window.length_s,
                repeats=window.repeats,
                resolution_s=step_s,
                flags=[] if LINUX else [NO_CHILDREN],
            ),
            EnergyRow(
                phase=window.phase,
                domain="dram",
                source="modelled:rss",
                gross_j=gb_s * RAM_W_PER_GB,
                low_j=gb_s * RAM_LOW_W_PER_GB,
                high_j=gb_s * RAM_HIGH_W_PER_GB,
                window_s=window.length_s,
                repeats=window.repeats,
                resolution_s=0.0,
            ),
        ]
