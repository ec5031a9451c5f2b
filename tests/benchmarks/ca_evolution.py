"""Density classification: energy to each bar, and the score after so many CPU-seconds, by contender.

    python -m tests.benchmarks.ca_evolution FOLDER ...                     the table of the Records there
    python -m tests.benchmarks.ca_evolution FOLDER draws=10 budget_j=210   run what is missing, then the table
    ... only="hypercell;genetic"                                           only some of the contenders

Of several curves of a seed the longest counts; what is run goes into the first folder.

Each run is a `bench curve`, which pauses training and has the best rule so far scored on 100,000 held-out
configurations; 210 J are 60 CPU-seconds by the model of `meter=cpu_time`. A cell is a median over draws
with an interval in brackets: of ten draws the second and the ninth, which hold the median 98 times of 100
(order statistics of a binomial); of fewer the least and the most. A bar that was not met counts as dearer
than any.
"""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from math import inf

from rich.table import Table

from metrics.record import CURVE, Record
from metrics.store import Store
from reports.console import table_console
from reports.units import scaled

FOR_EVER = "100000000"
HYPERCELL = ["algo=hypercell", f"algo.ticks={FOR_EVER}"]
GENETIC = ["algo=genetic", f"algo.generations={FOR_EVER}"]
AS_PUBLISHED = [
    "algo.symmetric=false",
    "algo.uniform=-1",
    "algo.patience=0",
    "algo.configurations=100",
]
CONTENDERS = {
    "hypercell": HYPERCELL,
    "genetic": GENETIC,
    "genetic, early ends": [*GENETIC, "algo.brief=32"],
    "genetic, as published": [*GENETIC, *AS_PUBLISHED],
    "backprop": ["algo=backprop", "algo.starts=1000"],
    "hypercell, folds=any": [*HYPERCELL, "algo.folds=any"],
    "hypercell, folds=none": [*HYPERCELL, "algo.folds=none"],
    "hypercell, kinds=false": [*HYPERCELL, "algo.kinds=false"],
    "hypercell, reproduction=false": [*HYPERCELL, "algo.reproduction=false"],
    "hypercell, neighbours=false": [*HYPERCELL, "algo.neighbours=false"],
    "hypercell, heredity=false": [*HYPERCELL, "algo.heredity=false"],
    "hypercell, one_location=true": [*HYPERCELL, "algo.one_location=true"],
}
BARS = (0.65, 0.75, 0.81, 0.86)
AFTER_S = (10, 60, 600)
SLACK = 1.25  # the next pause may come so many times later


def curves(folders: list[str]) -> dict[str, list[Record]]:
    """The finished curves in these folders, by contender; of a seed the longest."""
    named = {frozenset(words): name for name, words in CONTENDERS.items()}
    best: dict[str, dict[int, Record]] = defaultdict(dict)
    for record in (r for folder in folders for r in Store(folder).load(Record).records):
        if record.kind != CURVE or record.status != "ok" or record.task.name != "ca_evolution":
            continue
        words = frozenset(w for w in record.settings["overrides"] if w.startswith("algo"))
        seed, name = record.draw.seed, named.get(words)
        if name is None:
            continue
        known = best[name].get(seed)
        if known is None or record.curve[-1].cpu_s > known.curve[-1].cpu_s:
            best[name][seed] = record
    return {name: list(best[name].values()) for name in CONTENDERS if name in best}


def run(folders: list[str], draws: int, budget_j: str, names: list[str]) -> None:
    """Draws the curves that are missing."""
    for seed in range(draws):
        for name in names:
            if any(r.draw.seed == seed for r in curves(folders).get(name, [])):
                continue
            words = [*CONTENDERS[name], f"seed={seed}", f"results={folders[0]}", "threads=1"]
            pauses = ["curve.first_s=0.05", "curve.ratio=1.25", f"curve.budget_j={budget_j}"]
            command = ["curve", "task=ca_evolution", "meter=cpu_time", *words, *pauses]
            subprocess.run([sys.executable, "-m", "harness.cli", *command], check=False)


def spread(values: list[float], unit: str) -> str:
    """Median and interval; "-" where more than half are missing."""
    values = sorted(values)
    cut = 1 if len(values) >= 9 else 0
    shown = (values[(len(values) - 1) // 2], values[len(values) // 2])
    median = sum(shown) / 2
    if median == inf:
        return "-"
    low, high = values[cut], values[-1 - cut]
    show = (lambda v: "-" if v == inf else scaled(v, unit)) if unit else (lambda v: f"{v:.4f}")
    return f"{show(median)} ({show(low)} … {show(high)})"


def table(folders: list[str]) -> None:
    out = Table(box=None, pad_edge=False)
    for column in ("contender", "draws", *(f"J to {bar}" for bar in BARS), "most J"):
        out.add_column(column, justify="left" if column == "contender" else "right")
    scores = Table(box=None, pad_edge=False)
    for column in ("contender", *(f"after {s} CPU-s" for s in AFTER_S), "best"):
        scores.add_column(column, justify="left" if column == "contender" else "right")
    for name, records in curves(folders).items():
        row = []
        for bar in BARS:
            first = [
                min((p.energy_j.value for p in r.curve if p.score >= bar), default=inf)
                for r in records
            ]
            met = sum(j < inf for j in first)
            row.append(f"{spread(first, 'J')} {met}/{len(records)}")
        most = max(r.curve[-1].energy_j.value for r in records)
        out.add_row(name, str(len(records)), *row, scaled(most, "J"))
        after = []
        for seconds in AFTER_S:
            long = [r.curve for r in records if r.curve[-1].cpu_s * SLACK >= seconds]
            last = [[p.score for p in c if p.cpu_s <= seconds * SLACK**0.5][-1] for c in long]
            after.append(f"{spread(last, '')} n={len(last)}" if last else "-")
        best = max(point.score for r in records for point in r.curve)
        scores.add_row(name, *after, f"{best:.4f}")
    console = table_console()
    console.print(out)
    console.print()
    console.print(scores)


def main(words: list[str]) -> int:
    folders = [word for word in words if "=" not in word] or ["results"]
    given = dict(word.split("=", 1) for word in words if "=" in word)
    if given:
        names = given["only"].split(";") if "only" in given else list(CONTENDERS)
        run(folders, int(given.get("draws", "10")), given.get("budget_j", "210"), names)
    table(folders)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
