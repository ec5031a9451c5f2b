"""Joules of processor packages and their memory, by RAPL as Linux shows it (powercap, µJ).

The counter changes about every millisecond and wraps at max_energy_range_uj (after minutes at some
hundred watts). It counts the whole package, whoever computes there. Intel and AMD state no error;
GAIN_REL is an assumption, since RAPL of Haswell and later follows an external reference within a few
watts (Hackenberg et al., IPDPSW 2015) and DRAM has been found further off (Desrochers et al.,
MEMSYS 2016). No row's interval contains it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from metrics.gauges import EDGE_POLL_S, GaugeMeter
from metrics.meter import MeterError, Sensor
from metrics.process_tree import ProcessTree
from metrics.ticking import Counter, ReadError, Ticking, probe

GAIN_REL = 0.05
POLL_S = EDGE_POLL_S / 4  # a reading costs microseconds and the counter changes every millisecond
LOAD_S = 0.2
LOADED_W = 0.5  # no package draws less while a core is busy
NO_RAPL = (
    "no RAPL at {root}: virtual machines rarely have it; on a real Intel or AMD machine try "
    "sudo modprobe intel_rapl_msr; or choose another meter"
)
UNREADABLE = (
    "RAPL is there, but for root alone: sudo chmod a+r {root}/intel-rapl:*/energy_uj "
    "{root}/intel-rapl:*/intel-rapl:*/energy_uj (until the next boot), or run zeusd and use meter=zeus"
)


class Zone(Counter):
    """One powercap zone: package0, dram0, ..."""

    unit_j = 1e-6
    modulus: int

    def __init__(self, folder: Path, domain: str) -> None:
        self.file, self.domain = folder / "energy_uj", domain
        self.what = f"RAPL {domain} ({self.file})"
        self.remedy = "see ls /sys/class/powercap and dmesg, or choose another meter"
        # The hardware's own step, 61 µJ on most processors, would have to be added: too little to see.
        self.modulus = int((folder / "max_energy_range_uj").read_text())

    def read(self) -> int:
        try:
            return int(self.file.read_text())
        except (OSError, ValueError) as error:
            raise ReadError(str(error)) from None


def zones(root: Path) -> list[Zone]:
    """Packages and their memory. Cores and uncore lie within the package, psys around it."""
    folders = {p.name: p for p in sorted(root.glob("intel-rapl:*/intel-rapl:*:*"))}
    folders |= {p.name: p for p in sorted(root.glob("intel-rapl:*"))}
    kinds = {}
    for name, folder in folders.items():
        try:
            kinds[name] = (folder / "name").read_text().strip()
        except OSError:
            continue
    found = []
    for name, kind in sorted(kinds.items()):
        package = kinds.get(":".join(name.split(":")[:2]), "").removeprefix("package").lstrip("-")
        label = {"package": f"package{package}", "dram": f"dram{package}"}.get(kind.split("-")[0])
        if label and (folders[name] / "max_energy_range_uj").exists():
            found.append(Zone(folders[name], label))
    return sorted(found, key=lambda zone: (zone.domain.startswith("dram"), zone.domain))


class Rapl(GaugeMeter):
    """RAPL counters of the processors and, where they answer, of their memory.

    root: the powercap tree. max_power_w: no domain draws more. floor_s: windows shorter than this are
    repeated over different draws. idle_s: idle is measured for so long before and after training.
    """

    name: ClassVar[str] = "rapl"
    source = "measured:rapl"
    domains: tuple[str, ...] = ("package0",)

    def __init__(
        self,
        root: str = "/sys/class/powercap",
        max_power_w: float = 2000.0,
        floor_s: float = 0.25,
        idle_s: float = 2.0,
    ) -> None:
        super().__init__()
        for field, value, low, high in (
            ("max_power_w", max_power_w, 1.0, 1e5),
            ("floor_s", floor_s, 0.01, 600.0),
            ("idle_s", idle_s, 0.0, 600.0),
        ):
            if not low <= value <= high:
                raise MeterError(f"meter.{field}={value:g}: must be {low:g} to {high:g}")
        self.root, self.max_power_w = root, max_power_w
        self.floor_s, self.idle_s = floor_s, idle_s
        self._refused: dict[str, str] = {}

    def open(self, tree: ProcessTree) -> None:
        super().open(tree)
        gauges = self._answering()
        if not any(gauge.domain.startswith("package") for gauge in gauges):
            raise MeterError(next(iter(self._refused.values())))
        self.gauges = [*gauges]
        self.domains = tuple(gauge.domain for gauge in gauges)

    def _answering(self) -> list[Ticking]:
        """The domains whose counters answer a load that this process makes; why others do not."""
        found = zones(Path(self.root))
        if not found:
            raise MeterError(NO_RAPL.format(root=self.root))
        arguments = (self.source, GAIN_REL, self.max_power_w, self.clock, self.sleep)
        gauges = [Ticking(zone, *arguments) for zone in found]
        self._refused = {}
        try:
            for zone in found:
                zone.file.read_text()
        except PermissionError:
            raise MeterError(UNREADABLE.format(root=self.root)) from None
        except OSError:
            pass  # it may be back in a moment
        for gauge in gauges:
            gauge.poll()
        begin_s = self.clock()
        _busy(LOAD_S)
        answering = []
        for gauge in gauges:
            gauge.poll()
            power_w = gauge.joules / (self.clock() - begin_s)
            if power_w > (LOADED_W if gauge.domain.startswith("package") else 0.0):
                answering.append(gauge)
                continue
            self._refused[gauge.domain] = (
                f"{gauge.counter.what} does not answer a load: {power_w:.3g} W while a core was "
                "busy, as in some virtual machines; choose another meter"
            )
        probe(answering, POLL_S)
        return answering

    def about(self) -> dict[str, Any]:
        return {
            "root": self.root,
            "periods_s": {gauge.domain: gauge.period_s for gauge in self.gauges},
            "refused": self._refused,
        }

    def sensors(self) -> list[Sensor]:
        try:
            gauges = self._answering()
        except MeterError as error:
            return [Sensor("rapl", "package0", self.source, False, str(error))]
        found = [
            Sensor("rapl", g.domain, self.source, True, "", g.period_s, self.floor_s, GAIN_REL)
            for g in gauges
        ]
        refused = self._refused.items()
        return found + [Sensor("rapl", d, self.source, False, why) for d, why in refused]

    def probes(self) -> list[tuple[str, dict[str, Any]]]:
        domains = [gauge.domain for gauge in self.gauges]
        return [("metrics.rapl.sample_factory", {"root": self.root, "domains": domains})]


def _busy(seconds: float) -> None:
    """Keeps one core busy."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        sum(range(1000))


def sample_factory(root: str, domains: list[str]) -> Callable[[], dict[str, float]]:
    """For the sampler's process: package0_power_w and the like, the mean since the last sample."""
    chosen = [zone for zone in zones(Path(root)) if zone.domain in domains]
    last: dict[str, tuple[float, int]] = {}

    def sample() -> dict[str, float]:
        watts = {}
        for zone in chosen:
            try:
                now_s, raw = time.monotonic(), zone.read()
            except ReadError:
                watts[f"{zone.domain}_power_w"] = float("nan")
                continue
            before_s, before = last.get(zone.domain, (now_s, raw))
            step_uj = (raw - before) % zone.modulus
            length_s = now_s - before_s
            watts[f"{zone.domain}_power_w"] = (
                step_uj * zone.unit_j / length_s if length_s > 0 else float("nan")
            )
            last[zone.domain] = (now_s, raw)
        return watts

    return sample
