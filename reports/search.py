"""What a search has come to: its trials that nothing beats, and the setting that was chosen."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from metrics.record import Interval
from reports.console import table_console
from reports.units import interval, scaled


def pareto(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of finished trials (energy_j, distance) than which none is better in one and as good in the
    other, cheapest last."""

    def beaten(trial: dict[str, Any]) -> bool:
        mine = trial["energy_j"], trial["distance"]
        others = ((t["energy_j"], t["distance"]) for t in trials)
        return any(o != mine and o[0] <= mine[0] and o[1] <= mine[1] for o in others)

    front = [trial for trial in trials if not beaten(trial)]
    return sorted(front, key=lambda trial: (trial["distance"], trial["energy_j"]))


def print_search(
    trials: list[dict[str, Any]], chosen: int, published: dict[str, Any], found: dict[str, Any]
) -> None:
    """The front of all finished trials (number, fields, score, energy_j, distance), and the figures of
    about.found. Only fields that are not as published are shown."""
    console = table_console()
    table = Table(title="trials that none beats", title_justify="left", box=None, pad_edge=False)
    for name in ("trial", found["score_name"], "misses by", "J"):
        table.add_column(name, justify="right")
    table.add_column("other than published", overflow="fold")
    for trial in pareto(trials):
        table.add_row(
            str(trial["number"] + 1) + (" *" if trial["number"] == chosen else ""),
            f"{trial['score']:.4f}",
            f"{trial['distance']:.3g}" if trial["distance"] else "-",
            scaled(trial["energy_j"], "J"),
            changes(trial["fields"], published) or "as published",
        )
    console.print(table)
    met = "met" if found["met"] else "not met"
    count, score = found["confirmations"], f"{found['score']:.4f} {found['score_name']}"
    how = f"median of {count} further draws" if count else "its trial"
    fields = next(trial["fields"] for trial in trials if trial["number"] == chosen)
    rows = [
        ("chosen", f"trial {chosen + 1}: {changes(fields, published) or 'as published'}"),
        ("score", f"{score}, bar with spare {found['held_to']:.4g}: {met} ({how})"),
        ("energy", f"{scaled(found['energy_j'], 'J')} per training; {found['source']}"),
    ]
    if first := found["as_published"]:
        figures = f"{first['score']:.4f}, {scaled(first['energy_j'], 'J')}"
        where = "the same further draws" if first["confirmations"] else "the trials' draws alone"
        rows.append(("before", f"{figures} as published, on {where}"))
    spent = Interval(value=found["find_j"], low=found["find_low_j"], high=found["find_high_j"])
    names = ("failed", "refused", "unmetered")
    lost = "".join(f", {found[name]} {name}" for name in names if found[name])
    text = f"{interval(spent, 'J')} in {found['trials']} trials{lost} and what confirmed the best"
    rows.append(("to find", f"{text}; {found['source']}"))
    proposer = found["proposer"]
    cost = f"{scaled(proposer['cpu_s'], 's')} CPU, {scaled(proposer['energy_j'], 'J')}"
    rows.append(
        (
            "proposer",
            f"{cost} ({'in this' if proposer['counted'] else 'apart'}; {proposer['source']})",
        )
    )
    if found["declared"]:
        said = ", ".join(f"{value:g} {name}" for name, value in found["declared"].items())
        rows.append(("declared", f"{said}, by the process itself; on no bill"))
    for name, text in rows:
        console.print(f"{name:<9} {text}", markup=False, soft_wrap=True)


def changes(fields: dict[str, Any], published: dict[str, Any]) -> str:
    """Fields that are not as published, as words of a command line."""
    return " ".join(f"{k}={v}" for k, v in fields.items() if v != published.get(k))
