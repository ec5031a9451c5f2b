"""After how many trainings the search for a configuration has paid off, as far as that can be told."""

from __future__ import annotations

import math
from typing import Any


def pay_off(rows: list[dict[str, Any]]) -> None:
    """Fills in pays_off_after of the rows of one board."""
    for row in rows:
        saved = saved_j(row, rows)
        if row["find_j"] is not None and saved and saved[1] is not None and saved[0] > saved[1]:
            row["pays_off_after"] = two_digits(row["find_j"] / saved[0])


def pays(row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """The same in words."""
    saved = saved_j(row, rows)
    if row["pays_off_after"] is not None:
        return f"{row['pays_off_after']:,} trainings"
    if saved is None:
        return "not known"
    if saved[0] <= 0:
        return "never"
    return "not known: single runs" if saved[1] is None else "not known: within scatter"


def saved_j(row: dict[str, Any], rows: list[dict[str, Any]]) -> tuple[float, float | None] | None:
    """J per training that a row saves against its algorithm as published, by the same code on as many
    threads, where both meet the target; and twice the standard error of that, None for single runs.

    A search that ends with the published settings saves nothing, whatever two measurements of them say.
    """
    alike = ("algo", "code_sha256", "threads")
    published = [
        other
        for other in rows
        if other["process"] == "as_published"
        and other["target_met"]
        and all(other[name] == row[name] for name in alike)
    ]
    if not published or not row["target_met"]:
        return None
    if any(other["algo_sha256"] == row["algo_sha256"] for other in published):
        return 0.0, 0.0
    before = min(published, key=lambda other: float(other["energy_j"]))
    saved = float(before["energy_j"] - row["energy_j"])
    if min(before["runs"], row["runs"]) < 2:
        return saved, None
    return saved, 2 * math.sqrt(sum(r["energy_sd_j"] ** 2 / r["runs"] for r in (before, row)))


def two_digits(value: float) -> int:
    """Rounded up: no more is known of it."""
    count = math.ceil(value)
    unit = 10 ** max(0, len(str(count)) - 2)
    return -(-count // unit) * unit
