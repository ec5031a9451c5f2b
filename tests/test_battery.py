"""The battery meter on trees of power supplies that the test writes."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from metrics.battery import Battery, sample_factory
from metrics.meter import MeterError, Window, monotonic_s
from metrics.process_tree import ProcessTree
from metrics.readings import Reading

pytestmark = pytest.mark.alone

DISCHARGING = {"type": "Battery", "status": "Discharging", "power_now": 12_340_000}


def supply(root: Path, name: str, **files: Any) -> Path:
    """A power supply; sysfs rewrites in place, and so is never seen half written."""
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, value in files.items():
        (folder / f".{file}").write_text(f"{value}\n")
        (folder / f".{file}").replace(folder / file)
    return folder


@pytest.fixture
def laptop(tmp_path: Path) -> Path:
    supply(tmp_path, "BAT0", **DISCHARGING, manufacturer="Sanyo", model_name="5B10")
    supply(tmp_path, "AC", type="Mains", online=0)
    supply(tmp_path, "hidpp_battery_0", type="Battery", scope="Device", status="Discharging")
    return tmp_path


@pytest.fixture
def opened() -> Iterator[Callable[..., Battery]]:
    """Batteries opened on this very process, closed at the end."""
    meters = []

    def call(root: Path, **fields: Any) -> Battery:
        meters.append(Battery(root=str(root), **fields))
        meters[-1].open(ProcessTree(os.getpid()))
        return meters[-1]

    yield call
    for meter in meters:
        meter.close()


def metered(meter: Battery, seconds: float, act: Callable[[], object] = lambda: None) -> Window:
    """A window during which `act` happens halfway."""
    begin, begin_s = meter.begin(), monotonic_s()
    time.sleep(seconds / 2)
    act()
    time.sleep(seconds / 2)
    now_s = monotonic_s()
    return Window("train", 1, begin_s, now_s, begin, meter.end(now_s))


def test_power_of_two_batteries_whatever_they_tell(laptop: Path) -> None:
    files = {"current_now": -500_000, "voltage_now": 12_000_000}
    supply(laptop, "BAT1", type="Battery", status="Unknown", **files)
    assert Battery(root=str(laptop)).read().watts == pytest.approx(12.34 + 6.0)
    assert sample_factory(str(laptop))() == {"battery_power_w": pytest.approx(18.34)}
    sensor = Battery(root=str(laptop)).sensors()[0]
    assert sensor.usable and "18.34 W" in sensor.note and sensor.floor_s == 60


@pytest.mark.parametrize(
    ("name", "files", "why"),
    [
        ("BAT0", {"status": "Charging"}, "BAT0 is Charging.*unplug the charger"),
        ("BAT0", {"status": "Full"}, "BAT0 is Full.*unplug the charger"),
        ("AC", {"online": 1}, "AC is online.*unplug the charger"),
        ("ucsi0", {"type": "USB", "online": 1}, "ucsi0 is online.*unplug"),
        ("BAT0", {"power_now": "garbage"}, "reports no discharge rate"),
        ("BAT0", {"power_now": 0}, "0 W"),
        ("BAT0", {"type": "UPS"}, "no battery in"),
    ],
)
def test_refused_with_the_remedy(
    laptop: Path, opened: Callable[..., Battery], name: str, files: dict[str, Any], why: str
) -> None:
    supply(laptop, name, **files)
    with pytest.raises(MeterError, match=why):
        opened(laptop)
    sensor = Battery(root=str(laptop)).sensors()[0]
    assert not sensor.usable and sensor.remedy


def test_no_such_folder(tmp_path: Path) -> None:
    assert "no battery in" in Battery(root=str(tmp_path / "none")).sensors()[0].remedy
    assert sample_factory(str(tmp_path / "none"))() == {"battery_power_w": None}
    assert Battery(root=str(tmp_path / "none")).about() == {}


@pytest.mark.parametrize("fields", [{"poll_s": 0.1}, {"floor_s": 0}, {"max_gap_s": 0.1}])
def test_bad_fields(fields: dict[str, Any]) -> None:
    with pytest.raises(MeterError, match="meter"):
        Battery(**fields)


def test_a_run_on_battery(laptop: Path, opened: Callable[..., Battery]) -> None:
    """A gauge that changes ten times a second, 12 W and then 20 W."""
    done = threading.Event()

    def gauge() -> None:
        for i in range(1000):
            supply(
                laptop,
                "BAT0",
                power_now=(20_000_000 if working.is_set() else 12_000_000) + 1000 * i,
            )
            if done.wait(0.1):
                break

    working = threading.Event()
    thread = threading.Thread(target=gauge)
    thread.start()
    try:
        meter = opened(laptop)
        idle = metered(meter, 1.75)
        working.set()
        window = metered(meter, 2.0)
        seen_j = meter.glance(window.begin)
    finally:
        done.set()
        thread.join()
    (row,) = meter.rows(window, [idle])
    assert (row.domain, row.source, row.gain_rel) == ("battery", "measured:battery", 0.05)
    assert row.gross_j / row.window_s == pytest.approx(20, rel=0.02)
    assert row.low_j < row.gross_j < row.high_j
    assert row.net_j is not None and row.net_j / row.window_s == pytest.approx(8, abs=0.5)
    assert seen_j == pytest.approx(row.gross_j, rel=0.3)
    assert meter.about() == {"BAT0": "Sanyo 5B10"}


def test_a_charger_in_mid_run(laptop: Path, opened: Callable[..., Battery]) -> None:
    meter = opened(laptop)
    quiet = metered(meter, 0.6)
    window = metered(meter, 1.2, lambda: supply(laptop, "AC", online=1))
    with pytest.raises(MeterError, match=r"in train: .*AC is online.*unplug"):
        meter.rows(window, [quiet])
    (row,) = meter.rows(quiet, [window])  # what came before stands, without that idle
    assert row.net_j is None and any("idle window was left out" in flag for flag in row.flags)


def test_a_battery_that_vanishes(laptop: Path, opened: Callable[..., Battery]) -> None:
    meter = opened(laptop, max_gap_s=0.4)
    window = metered(meter, 1.6, lambda: shutil.rmtree(laptop / "BAT0"))
    with pytest.raises(MeterError, match=r"no reading .* above meter.max_gap_s=0.4 \(no battery"):
        meter.rows(window, [])


def scripted(readings: list[tuple[float, float]], energies: list[tuple[float, float]]) -> Battery:
    """A battery that has read (time, watts) and (time, joules left)."""
    meter = Battery()
    meter.collected = lambda: [Reading(t, w) for t, w in readings]  # type: ignore[method-assign]
    meter.energies = energies
    return meter


@pytest.mark.parametrize(("factor", "flags"), [(1.0, 0), (1.5, 1)])
def test_power_is_checked_against_what_is_left(factor: float, flags: int) -> None:
    """A gauge of 5 s that shows 20 W, and an energy_now in steps of 36 J."""
    times = [i / 4 for i in range(720)]
    readings = [(t, 20 + 0.1 * (t // 5 % 3)) for t in times]
    energies = [(t, 1e5 - 36 * (factor * 20.1 * t // 36)) for t in times]
    meter = scripted(readings, energies)
    (row,) = meter.rows(Window("train", 1, 30.0, 150.0, None, None), [])
    assert row.gross_j == pytest.approx(120 * 20.1, rel=0.005) and row.resolution_s == 5
    assert len(row.flags) == flags and all("remaining energy" in flag for flag in row.flags)


def test_charge_counts_at_one_voltage(laptop: Path) -> None:
    supply(laptop, "BAT0", charge_now=2_000_000, voltage_now=12_000_000)
    meter = Battery(root=str(laptop))
    meter.read()
    supply(laptop, "BAT0", charge_now=1_999_000, voltage_now=11_000_000)
    meter.read()
    (_, before_j), (_, after_j) = meter.energies
    assert before_j - after_j == pytest.approx(1e-3 * 3600 * 12)
