"""A row's energy set against idle power: the same arithmetic for every meter that reads real joules."""

from __future__ import annotations

import math


def against_idle(
    gross_j: float,
    low_j: float,
    high_j: float,
    window_s: float,
    idle: list[tuple[float, float, float]],
) -> dict[str, float | None]:
    """idle_j, net_j, net_low_j, net_high_j of a window, as keywords of an EnergyRow.

    idle: (mean watts, low, high) of every idle window. Their mean is the idle power. Its error is
    half of how far the windows lie apart (idle drifted between them, and where it stood during the
    window is not known), in quadrature with their own errors taken as independent; the error of the
    gross joins in quadrature too. Nothing is clamped: a net below zero is a net not resolved. All
    four are None where there is no idle window.
    """
    if not idle:
        return {"idle_j": None, "net_j": None, "net_low_j": None, "net_high_j": None}
    n = len(idle)
    watts = [mean for mean, _, _ in idle]
    idle_w = sum(watts) / n
    drift_w = (max(watts) - min(watts)) / 2
    below_w = math.hypot(drift_w, *((mean - low) / n for mean, low, _ in idle))
    above_w = math.hypot(drift_w, *((high - mean) / n for mean, _, high in idle))
    idle_j = idle_w * window_s
    net_j = gross_j - idle_j
    return {
        "idle_j": idle_j,
        "net_j": net_j,
        "net_low_j": net_j - math.hypot(gross_j - low_j, above_w * window_s),
        "net_high_j": net_j + math.hypot(high_j - gross_j, below_w * window_s),
    }
