"""Numbers as people read them."""

from __future__ import annotations

from metrics.record import Interval

PREFIXES = ((1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"))


def scaled(value: float | None, unit: str, digits: int = 3) -> str:
    """1.3e-4 J as "130 µJ"; "-" for nothing."""
    if value is None:
        return "-"
    for size, prefix in PREFIXES:
        if abs(value) >= size * 0.9995:
            return f"{value / size:#.{digits}g}".rstrip(".") + f" {prefix}{unit}"
    return f"{value:.{digits}g} {unit}"


def interval(value: Interval, unit: str) -> str:
    """ "4.1 J (0.8 ... 5.3 J)"."""
    return f"{scaled(value.value, unit)} ({scaled(value.low, unit)} … {scaled(value.high, unit)})"


def score(value: float, se: float | None, unit: str) -> str:
    """A score with its standard error; a pure number carries no unit."""
    error = " ± ?" if se is None else f" ± {se:.2g}"
    return f"{value:.4f}{error}" + (f" {unit}" if unit != "1" else "")
