"""Waiting until temperature and power are flat, in scripted time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, repeat

import pytest

from harness import settle as module
from harness.settle import flat, settle


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time that passes only by sleeping."""
    now = [0.0]
    monkeypatch.setattr(module, "monotonic_s", lambda: now[0])
    monkeypatch.setattr(module.time, "sleep", lambda s: now.__setitem__(0, now[0] + s))
    return now


SERIES: dict[str, Iterator[float]] = {}


def scripted(name: str) -> Callable[[], dict[str, float | None]]:
    return lambda: {name: next(SERIES[name])}


def probe(name: str, values: Iterator[float]) -> list[tuple[str, dict[str, str]]]:
    SERIES[name] = values
    return [(f"{__name__}.scripted", {"name": name})]


def test_a_cooling_board_is_waited_for(clock: list[float]) -> None:
    cooling = chain((80.0 - t for t in range(20)), repeat(60.0))
    assert settle(probe("gpu0_temperature_c", cooling), 60) is None
    assert 10 <= clock[0] <= 15


def test_power_must_be_flat_as_well(clock: list[float]) -> None:
    falling = chain((300.0 * 0.8**t for t in range(8)), repeat(50.0))
    assert settle(probe("gpu0_power_w", falling), 60) is None
    assert clock[0] >= 6


def test_a_board_that_never_rests_is_told(clock: list[float]) -> None:
    warning = settle(probe("gpu0_power_w", (100.0 + 50 * (t % 2) for t in range(10**6))), 10)
    assert warning == "not flat within settle_s=10 before idle was measured: gpu0_power_w"
    assert 10 <= clock[0] <= 11


def test_nothing_to_look_at_is_not_waited_for(clock: list[float]) -> None:
    assert settle([], 60) is None
    assert settle(probe("cpu_frequency_mhz", repeat(3000.0)), 60) is None
    assert clock[0] == 0


def test_what_counts_as_flat() -> None:
    assert flat("gpu0_temperature_c", [50.0, 51.0]) and not flat("gpu0_temperature_c", [50, 52])
    assert flat("gpu0_power_w", [100.0, 104.0]) and not flat("gpu0_power_w", [100.0, 110.0])
