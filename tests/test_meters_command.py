"""`bench meters`, its check and its calibration."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness import meters_command
from harness.meters_command import Step, follows_load
from metrics.joint import Joint
from metrics.meter import MeterError
from tests.conftest import Bench
from tests.test_joint import Fake

pytestmark = pytest.mark.alone

KEY = ("measured:rapl", "package0")


def step(load: float, watts: float, half: float = 1.0, rate: float | None = None) -> Step:
    return Step(load, {KEY: watts}, {KEY: watts - half}, {KEY: watts + half}, rate or 2 * load)


def test_every_sensor_is_listed_with_what_to_do(bench: Bench) -> None:
    said = bench("meters").stdout
    for name in ("battery", "cpu_time", "nvml", "rapl", "wall", "zeus"):
        assert re.search(rf"^{name} ", said, re.M), name
    assert "meter=auto took" in said


def test_cpu_time_follows_a_load(bench: Bench) -> None:
    said = bench("meters", "check", "--meter", "cpu_time", "--seconds", "0.8").stdout
    assert re.search(r"modelled:cpu_time +worker .* yes", said)


def test_a_sensor_that_does_not_follow_is_told() -> None:
    assert follows_load([step(0, 10), step(0.5, 20), step(1, 30)], KEY)
    assert not follows_load([step(0, 10), step(0.5, 10.1), step(1, 10.2)], KEY)  # within its error
    assert not follows_load([step(0, 10), step(0.5, 40), step(1, 30)], KEY)
    assert not follows_load([step(0, 10), step(0.5, 20), Step(1, {}, {}, {}, 2.0)], KEY)


def test_calibration_needs_a_better_meter(bench: Bench) -> None:
    done = bench("meters", "calibrate", "--meter", "cpu_time", "--seconds", "0.1", code=2)
    assert done.stderr.count("\n") == 1 and "nothing here to calibrate against" in done.stderr


@pytest.mark.parametrize(("w_per_cpu_s", "noise_w", "code"), [(3.0, 0.05, 0), (0.0, 0.5, 2)])
def test_calibration_recovers_the_watts(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    w_per_cpu_s: float,
    noise_w: float,
    code: int,
) -> None:
    """20 W idle and so many watts per busy CPU, with a wobble that the residual must show."""
    joint = Joint([Fake("measured:rapl", 20.0, "package0")])
    monkeypatch.setattr(meters_command, "from_name", lambda name: (joint, "meter=rapl"))
    monkeypatch.setattr(meters_command, "joint", lambda choosings: joint)
    monkeypatch.setattr(meters_command, "choosing", lambda name: name)
    wobble = iter([1, -1, 1, -1, 1])

    def load(meter: Any, share: float, seconds: float, console: Any) -> Step:
        rate = 2 * share
        return step(share, 20.0 + w_per_cpu_s * rate + noise_w * next(wobble), rate=rate)

    monkeypatch.setattr(meters_command, "measure_load", load)
    assert meters_command.calibrate("rapl", 1.0) == code
    said = capsys.readouterr().out
    if code == 0:
        fitted = re.search(
            r"meter.w_per_cpu_s=(\S+)\s+meter.low_w_per_cpu_s=(\S+)\s+meter.high", said
        )
        assert fitted and float(fitted[1]) == pytest.approx(3.0, abs=0.1)
        assert float(fitted[2]) < 3.0
        assert "residual 0.0" in said
    else:
        assert "did not follow the load" in said


def test_a_meter_that_cannot_look_is_a_line() -> None:
    def fail(choosings: Any) -> Joint:
        raise MeterError("not here: do this")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meters_command, "joint", fail)
        (sensor,) = meters_command.sensors("nvml")
    assert not sensor.usable and sensor.remedy == "not here: do this"
