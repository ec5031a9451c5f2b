"""The discharge rate that a laptop's battery reports: the whole machine, as the battery sees it.

Linux, /sys/class/power_supply (Documentation/ABI/testing/sysfs-class-power): power_now in uW,
or current_now in uA and voltage_now in uV; energy_now in uWh, or charge_now in uAh. Drivers differ in
the sign of a discharge. The fuel gauge answers anew every 1 to 30 s, so short windows say nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from metrics.meter import MeterError, Sensor, Window, monotonic_s
from metrics.polled import Polled
from metrics.process_tree import ProcessTree
from metrics.readings import Estimate, Reading, Resolution, from_counter

ROOT = "/sys/class/power_supply"
# How far energy_now may stray from the integral of power before it is said: gauges smooth and round
# the charge, and the voltage that turns charge into energy sags under load.
AGREEMENT = 0.1


class Battery(Polled):
    """Power drawn from all batteries of the machine, integrated over time.

    root: folder of power supplies. floor_s, idle_s, poll_s, max_gap_s: seconds. period_s: taken where
    power changed too seldom to find the gauge's own. gain_rel: calibration error of the gauge.
    """

    name: ClassVar[str] = "battery"
    source = "measured:battery"
    domains = ("battery",)
    timeout_s = 5.0
    step = Resolution(watts=0.1)

    def __init__(
        self,
        root: str = ROOT,
        floor_s: float = 60.0,
        idle_s: float = 60.0,
        poll_s: float = 0.25,
        period_s: float = 30.0,
        max_gap_s: float = 5.0,
        gain_rel: float = 0.05,
    ) -> None:
        if not poll_s >= 0.25:
            raise MeterError(f"meter.poll_s={poll_s:g}: at least 0.25, the gauge is slower anyway")
        if not (floor_s > 0 and idle_s >= 0 and period_s > 0 and max_gap_s > poll_s):
            raise MeterError(
                "meter.floor_s and meter.period_s must be above 0, meter.idle_s at least 0 and "
                "meter.max_gap_s above meter.poll_s"
            )
        self.root = root
        self.floor_s = floor_s
        self.idle_s = idle_s
        self.poll_s = poll_s
        self.fallback_period_s = period_s
        self.max_gap_s = max_gap_s
        self.gain_rel = gain_rel
        self.energies: list[tuple[float, float]] = []
        self.volts: dict[str, float] = {}

    def what(self) -> str:
        return f"the battery in {self.root}"

    def sensors(self) -> list[Sensor]:
        note, remedy = "", ""
        try:
            reading = self.read()
            note = f"{reading.watts or 0:.4g} W now; the gauge's period is found during a run"
            remedy = reading.fault
        except (MeterError, OSError) as error:
            remedy = str(error)
        return [
            Sensor(
                *(self.name, "battery", self.source, not remedy, remedy),
                floor_s=self.floor_s,
                gain_rel=self.gain_rel,
                note=note,
            )
        ]

    def open(self, tree: ProcessTree) -> None:
        self.energies, self.volts = [], {}
        super().open(tree)

    def read(self) -> Reading:
        """Power of all batteries; a fault while a charger is in."""
        t_s = monotonic_s()
        batteries = find(self.root)
        if fault := on_mains(self.root, batteries):
            return Reading(t_s, fault=fault)
        watts = sum(map(power_w, batteries))
        if watts <= 0:
            raise MeterError(f"{self.what()} reports 0 W: wait until it has noticed the unplugging")
        self._note_energy(t_s, batteries)
        return Reading(t_s, watts)

    def _note_energy(self, t_s: float, batteries: list[Path]) -> None:
        """What the gauge says is left, to check power against; charge counts at one fixed voltage."""
        left_j = 0.0
        for battery in batteries:
            if (energy_uwh := number(battery / "energy_now")) is not None:
                left_j += energy_uwh * 3600e-6
            elif (charge_uah := number(battery / "charge_now")) is not None:
                now_v = (number(battery / "voltage_now") or 0.0) * 1e-6
                left_j += charge_uah * 3600e-6 * self.volts.setdefault(battery.name, now_v)
            else:
                return
        self.energies.append((t_s, left_j))

    def measure(self, readings: list[Reading], window: Window) -> Estimate:
        found = super().measure(readings, window)
        spent = from_counter(
            [(t, -j) for t, j in self.energies], window.begin_s, window.end_s, None
        )
        if spent is None or spent.flags:
            return found  # energy_now moves too seldom to say anything of this window
        apart_j = abs(spent.joules - found.joules)
        errors_j = (spent.high_j - spent.low_j + found.high_j - found.low_j) / 2
        if apart_j > errors_j + AGREEMENT * found.joules:
            found.flags.append(
                f"integrated power gives {found.joules:.4g} J, but the gauge's remaining energy "
                f"fell by {spent.joules:.4g} J"
            )
        return found

    def probes(self) -> list[tuple[str, dict[str, Any]]]:
        return [("metrics.battery.sample_factory", {"root": self.root})]

    def about(self) -> dict[str, Any]:
        with contextlib.suppress(MeterError):
            return {
                battery.name: " ".join(
                    filter(None, (text(battery / "manufacturer"), text(battery / "model_name")))
                )
                for battery in find(self.root)
            }
        return {}


def sample_factory(root: str = ROOT) -> Callable[[], dict[str, float | None]]:
    """A probe of the sampler: battery_power_w, None where it cannot be read."""

    def sample() -> dict[str, float | None]:
        with contextlib.suppress(MeterError):
            return {"battery_power_w": sum(map(power_w, find(root)))}
        return {"battery_power_w": None}

    return sample


def find(root: str) -> list[Path]:
    """The batteries of the machine itself, not those of a mouse. Raises MeterError where none is."""
    with contextlib.suppress(OSError):
        found = [
            supply
            for supply in sorted(Path(root).iterdir())
            if text(supply / "type") == "Battery" and text(supply / "scope") != "Device"
        ]
        if found:
            return found
    raise MeterError(f"no battery in {root}: run on a laptop with Linux, or choose another meter")


def on_mains(root: str, batteries: list[Path]) -> str:
    """Why the batteries' discharge is not what the machine draws, or nothing."""
    statuses = {battery.name: text(battery / "status") for battery in batteries}
    plugged = [
        supply.name
        for supply in sorted(Path(root).iterdir())
        if text(supply / "type") in ("Mains", "USB", "Wireless")
        and text(supply / "online") not in ("", "0")
    ]
    if not plugged and "Discharging" in statuses.values() and "Charging" not in statuses.values():
        return ""
    seen = [f"{name} is {status or 'silent'}" for name, status in statuses.items()]
    seen += [f"{name} is online" for name in plugged]
    return f"the machine is not running on its battery ({', '.join(seen)}): unplug the charger"


def power_w(battery: Path) -> float:
    """Power of one battery in W, without the sign that drivers disagree on."""
    if (power_uw := number(battery / "power_now")) is not None:
        return abs(power_uw) * 1e-6
    current_ua, voltage_uv = number(battery / "current_now"), number(battery / "voltage_now")
    if current_ua is None or voltage_uv is None:
        raise MeterError(
            f"{battery} has neither power_now nor current_now with voltage_now that can be read: "
            "its driver reports no discharge rate; choose another meter"
        )
    return abs(current_ua) * voltage_uv * 1e-12


def text(path: Path) -> str:
    """A file's words, or nothing."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def number(path: Path) -> float | None:
    """A file's integer, or None."""
    with contextlib.suppress(ValueError):
        return float(int(text(path)))
    return None
