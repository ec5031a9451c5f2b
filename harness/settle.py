"""Waiting until a machine is flat: what a device draws idle still falls long after it was busy."""

from __future__ import annotations

import importlib
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from metrics.meter import monotonic_s

LOOK_EVERY_S = 0.5
FLAT_S = 3.0
FLAT_C = 1.0
FLAT_POWER = 0.05


def settle(probes: list[tuple[str, dict[str, Any]]], bound_s: float) -> str | None:
    """Waits until temperatures stay within 1 degree and power within 5 % for three seconds.

    Returns a warning if that did not happen within bound_s. Probes are as in Meter.probes(); those
    that show neither, or nothing, are not waited for.
    """
    read = [reader(probe) for probe in probes]
    seen: deque[dict[str, float]] = deque(maxlen=round(FLAT_S / LOOK_EVERY_S) + 1)
    until = monotonic_s() + bound_s
    while True:
        now: dict[str, float] = {}
        for one in read:
            now |= one()
        seen.append(now)
        restless = [name for name in now if not flat(name, [s[name] for s in seen if name in s])]
        if not now or (len(seen) == seen.maxlen and not restless):
            return None
        if monotonic_s() >= until:
            names = ", ".join(restless) or "too little time to tell"
            return f"not flat within settle_s={bound_s:g} before idle was measured: {names}"
        time.sleep(LOOK_EVERY_S)


def flat(name: str, values: list[float]) -> bool:
    """Whether a series has come to rest."""
    span = max(values) - min(values)
    if name.endswith("_temperature_c"):
        return span <= FLAT_C
    return span <= FLAT_POWER * max(abs(v) for v in values) or span < 0.5


def reader(probe: tuple[str, dict[str, Any]]) -> Callable[[], dict[str, float]]:
    """A function that gives a probe's temperatures and powers, and nothing if it fails."""
    name, fields = probe
    module, _, factory = name.rpartition(".")
    sample = getattr(importlib.import_module(module), factory)(**fields)

    def read() -> dict[str, float]:
        try:
            values = sample()
        except Exception:  # the meter itself will say what is wrong with a sensor
            return {}
        wanted = ("_temperature_c", "_power_w")
        return {k: v for k, v in values.items() if v is not None and k.endswith(wanted)}

    return read
