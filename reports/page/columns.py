"""Tables as a page holds them: by column, texts that recur by number, figures with seven digits."""

from __future__ import annotations

import math
from typing import Any

from reports.leaderboard import COLUMNS
from reports.tabular import Column, Table

DIGITS = 7

# What a column is, where its name alone does not tell. A board's own are in leaderboard.COLUMNS.
MEANINGS = {
    "run": "identity of the run; begins with its date and time (UTC)",
    "kind": "run, curve (paused for evaluations), trial (of a search), count, or measured command",
    "process": "how the configuration was found",
    "bar": "the score to be met",
    "score": "in the task's unit",
    "score_se": "standard error of the score",
    "target_met": "whether the score meets the bar",
    "draws_met": "draws that met the bar by themselves",
    "skill": "0 at chance, 1 at perfect",
    "source": "how joules are known: measured:<sensor> or modelled:<model>",
    "modelled": "whether joules are modelled, not measured",
    "domains": "what the joules are the sum of",
    "energy_j": "J per training, gross",
    "energy_low_j": "lower end of the interval of energy_j",
    "energy_high_j": "upper end of the interval of energy_j",
    "net_j": "J per training above idle",
    "cold_j": "J of setup, one training and one examination",
    "inference_j": "J per prediction",
    "joules_per_accuracy": "energy_j / skill",
    "wall_s": "s per training",
    "cpu_s": "CPU s per training",
    "empty_j": "J of an algorithm that learns nothing, on the same path",
    "operations": "operations of one training, counted",
    "repeats": "draws trained within one window",
    "queries": "labels that were asked for",
    "imported_from": "the run that a log was joined to",
    "replay_of": "the run that this repeats; its exam could be foreseen",
    "find_j": "J that the search for this configuration spent",
    "task_sha256": "hash of the task's configuration",
    "data_sha256": "hash of the data of all draws",
    "algo_sha256": "hash of the algorithm's configuration",
    "code_sha256": "hash of the algorithm's code",
    "dirty": "whether joulebench had uncommitted changes",
    "meets": "whether the median score meets the bar",
    "met": "how many of the runs meet it",
    "crosses": "predictions from which on it costs less in all than the bar's first row",
    "peak_bytes": "most memory in training",
    "tau": "Kendall's τ-b of the two rankings: 1 the same, -1 reversed",
    "tau_low": "lower end of its 95 % interval",
    "tau_high": "upper end of its 95 % interval",
    "worst_times": "how many times as much its worst wrong choice costs",
    "trust": "yes, roughly, no, or open: too few algorithms to tell",
    "ratio": "to the baseline",
    "baseline": "the cheapest gradient-trained algorithm that meets the bar",
    "to_fill": "the command that fills this cell",
    "tried": "how many algorithms have this figure here",
    "before_j": "J at the last point that did not meet the bar",
}
IN_DETAILS = {
    "task_config",
    "algo_config",
    "nonce",
    "warnings",
}  # of the runs, too long for a table


def packed(table: Table) -> dict[str, Any]:
    """columns, rows and data: {"values": [...]}, or for texts that recur {"levels": [...], "codes": [...]},
    a code of -1 being None."""
    left_out = IN_DETAILS if table.name == "runs" else set()
    columns = [column for column in table.columns if column.name not in left_out]
    own = COLUMNS if table.name == "board" else {}
    return {
        "columns": [
            {
                "name": c.name,
                "kind": c.kind.__name__,
                "brief": c.brief,
                "about": own.get(c.name) or MEANINGS.get(c.name),
            }
            for c in columns
        ],
        "rows": len(table.rows),
        "data": {c.name: _column(c, [row[c.name] for row in table.rows]) for c in columns},
    }


def _column(column: Column, values: list[Any]) -> dict[str, Any]:
    if column.kind is float:
        return {"values": [number(value) for value in values]}
    if column.kind is str:
        levels: dict[str, int] = {}
        codes = [-1 if v is None else levels.setdefault(str(v), len(levels)) for v in values]
        if 2 * len(levels) <= len(values):
            return {"levels": list(levels), "codes": codes}
        return {"values": [None if v is None else str(v) for v in values]}
    return {"values": values}


def number(value: Any) -> float | int | None:
    """With `DIGITS` digits; None for what is no number (`found` may hold anything), or not a finite one."""
    if not isinstance(value, int | float):
        return None
    try:
        short = float(f"{value:.{DIGITS}g}")
    except OverflowError:
        return None
    if not math.isfinite(short):
        return None
    return int(short) if short.is_integer() and abs(short) < 1e15 else short
