"""Boards: one per task variant, access model, energy source and device class.

A row is an algorithm with one configuration; its figures are medians over its finished runs. Ranked
are the rows that meet the target, by energy; then those that do not, by skill. Runs that failed are
counted; replays, whose exam could be foreseen, and measured commands, which sat none, are left out.
"""

from __future__ import annotations

import csv
import io
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from rich.table import Table

from metrics.store import Store, StoreError
from reports.console import table_console
from reports.lines import Line, Score
from reports.pay_off import pay_off, pays
from reports.units import scaled

COLUMNS = {
    "board": "task / variant / access / bar / energy source / device class: compare only within one",
    "rank": "place on its board; empty where no run finished",
    "task": "name of the task",
    "algo": "name of the algorithm",
    "score": "median score over the runs, in the task's unit",
    "target_met": "true if that median meets the target; empty where the task has none",
    "energy_j": "median J per training",
    "source": "how joules are known: measured:<sensor> or modelled:<model>",
    "variant": "what was asked",
    "access": "how the learner may look at the problem",
    "device": "device class",
    "score_name": "what the score is",
    "score_unit": "its unit",
    "score_se": "median standard error of one run's score",
    "target": "the bar",
    "skill": "median skill: 0 at chance, 1 at perfect",
    "energy_low_j": "lower end of the interval of energy_j (median)",
    "energy_high_j": "upper end (median)",
    "joules_per_accuracy": "energy_j / skill where the target is met, else empty",
    "cold_j": "median J of setup, one training and one examination",
    "inference_j": "median J per prediction",
    "wall_s": "median s per training",
    "cpu_s": "median CPU s per training",
    "runs": "finished runs behind the row",
    "failed": "runs that failed; interrupted ones are not counted",
    "adapts": "whether the predictor goes on learning within a segment",
    "process": "how the configuration was found; by_hand: by a search, and changed since; set_by_hand: other "
    "fields than its yaml's",
    "algo_sha256": "identity of the algorithm's configuration (first 12 digits)",
    "algo_config": "the configuration, as JSON",
    "code_sha256": "identity of the algorithm's code (first 12 digits)",
    "threads": "threads that its libraries were given",
    "find_j": "J that the search for this configuration spent (the largest, where runs name several); empty "
    "where there was none, or its joules are of another source or device class",
    "pays_off_after": "trainings after which that search has paid off, to two digits: find_j / (energy_j of "
    "the algorithm's cheapest as_published row here of the same code and threads that meets the target - "
    "energy_j); empty where never, not known, or the difference is within what runs scatter",
    "score_sd": "standard deviation of the score between runs (other draws), where there are several",
    "energy_sd_j": "standard deviation of energy_j between runs, where there are several",
}


def leaderboard(folder: Path, csv_path: str | None, columns: bool) -> int:
    """Prints every board and writes leaderboard.csv."""
    if columns:
        for name, meaning in COLUMNS.items():
            print(f"{name:<20} {meaning}")
        return 0
    store = Store(folder)
    loaded = store.load(Line)
    for problem in loaded.problems:
        print(f"bench: {problem}", file=sys.stderr)
    if not loaded.records:
        raise StoreError(
            f"there are no Records in {store.path}; make one with: "
            "bench run task=sparse_parity algo=xor_elimination"
        )
    rows = board_rows(loaded.records)
    print_boards(rows)
    path = Path(csv_path) if csv_path else folder / "leaderboard.csv"
    try:
        path.write_text(to_csv(rows), encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"cannot write {path} ({error.strerror}); name another with --csv FILE"
        ) from None
    print(f"{len(rows)} rows of {len(loaded.records)} Records written to {path}")
    return 0


def board_rows(lines: list[Line]) -> list[dict[str, Any]]:
    """One dict per row, by board and rank; keys are COLUMNS."""
    groups: dict[tuple[str, ...], list[Line]] = defaultdict(list)
    for line in lines:
        if line.counts:
            groups[_identity(line)].append(line)
    boards: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for group in groups.values():
        row = _row(group)
        boards[row["board"]].append(row)
    ordered = []
    for name in sorted(boards):
        rows = sorted(boards[name], key=_order)
        pay_off(rows)
        for rank, row in enumerate((r for r in rows if r["runs"]), 1):
            row["rank"] = rank
        ordered += rows
    return ordered


def _identity(line: Line) -> tuple[str, ...]:
    """What runs must share to be of one row; the first six make the board."""
    task, algorithm = line.task, line.algorithm
    bar = "no bar" if task.bar is None else f"bar {task.bar:.6g} margin {task.margin:.4g}"
    return (
        *(task.name, task.variant, task.access, bar, line.source, line.host.device_class),
        *(algorithm.name, algorithm.config_sha256, algorithm.code_sha256, line.process),
        str(line.host.threads),
    )


def _row(group: list[Line]) -> dict[str, Any]:
    first = group[0]
    done = [(g.headline, g.score) for g in group if g.headline and g.score]
    heads = [head for head, _ in done]
    scores = [score for _, score in done]
    name, variant, access, bar, source, device, *_ = _identity(first)
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {
        "board": " / ".join((name, variant, access, bar, source, device)),
        "task": name,
        "algo": first.algorithm.name,
        "source": source,
        "variant": variant,
        "access": access,
        "device": device,
        "runs": len(done),
        "failed": sum(g.status == "failed" for g in group),
        "adapts": first.algorithm.adapts,
        "process": first.process,
        "threads": first.host.threads,
        "code_sha256": first.algorithm.code_sha256[:12],
        "algo_sha256": first.algorithm.config_sha256[:12],
        "algo_config": bytes(first.algorithm.config).decode(),
    }
    searches = [g.found for g in group if g.found and g.found.source == g.source]
    alike = [f.find_j for f in searches if f.device in (None, device)]  # None: it does not say
    row["find_j"] = max(alike, default=None)
    if not done:
        return row
    last = scores[-1]
    joules = [h.energy_j.value for h in heads]
    errors = [s.se for s in scores if s.se is not None]
    score = statistics.median(s.value for s in scores)
    predicting = [h.inference_j.value for h in heads if h.inference_j]
    row |= {
        "score": score,
        "score_name": last.name,
        "score_unit": last.unit,
        "score_se": statistics.median(errors) if errors else None,
        "score_sd": statistics.stdev(s.value for s in scores) if len(scores) > 1 else None,
        "target": last.target,
        "target_met": _met(score, last),
        "skill": statistics.median(s.skill for s in scores),
        "energy_j": statistics.median(joules),
        "energy_sd_j": statistics.stdev(joules) if len(joules) > 1 else None,
        "energy_low_j": statistics.median(h.energy_j.low for h in heads),
        "energy_high_j": statistics.median(h.energy_j.high for h in heads),
        "cold_j": statistics.median(h.cold_j.value for h in heads),
        "inference_j": statistics.median(predicting) if predicting else None,
        "wall_s": statistics.median(h.wall_s for h in heads),
        "cpu_s": statistics.median(h.cpu_s for h in heads),
    }
    if row["target_met"] and row["skill"] > 0:
        row["joules_per_accuracy"] = row["energy_j"] / row["skill"]
    return row


def _met(score: float, last: Score) -> bool | None:
    if last.target is None:
        return None
    return score >= last.target if last.direction == "max" else score <= last.target


def _order(row: dict[str, Any]) -> tuple[float, ...]:
    if not row["runs"]:
        return (2, 0.0)
    return (0, row["energy_j"]) if row["target_met"] else (1, -row["skill"])


def to_csv(rows: list[dict[str, Any]]) -> str:
    """CSV with a header; true/false in lower case, nothing for what is not known."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                k: str(v).lower() if isinstance(v, bool) else "" if v is None else v
                for k, v in row.items()
            }
        )
    return text.getvalue()


def print_boards(rows: list[dict[str, Any]]) -> None:
    """One table per board."""
    console = table_console()
    boards: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        boards[row["board"]].append(row)
    for board in boards.values():
        first = next((row for row in board if row["runs"]), board[0])
        head = f"{first['task']} ({first['variant']}, {first['access']})  {first['source']}"
        console.print(head, style="bold", markup=False, soft_wrap=True)
        console.print(first["device"], markup=False, soft_wrap=True)
        table = Table(box=None, pad_edge=False)
        searched = any(row["find_j"] is not None for row in board)
        for name in (
            "",
            "algo",
            first["score_name"] or "score",
            "target",
            "J",
            "interval",
            "cold J",
            "J/prediction",
            "wall",
            "runs",
            *(("process", "J to find", "pays off after") if searched else ()),
        ):
            table.add_column(name, justify="left" if name in ("", "algo", "target") else "right")
        for row in board:
            table.add_row(*_cells(row), *(_search_cells(row, board) if searched else ()))
        console.print(table)
        console.print()


def _search_cells(row: dict[str, Any], board: list[dict[str, Any]]) -> list[str]:
    if row["find_j"] is None:
        return [row["process"], "", ""]
    return [row["process"], scaled(row["find_j"], "J"), pays(row, board)]


def _cells(row: dict[str, Any]) -> list[str]:
    if not row["runs"]:
        return ["", row["algo"], "", f"{row['failed']} failed", "", "", "", "", "", "0"]
    met = {True: "met", False: "not met", None: "none set"}[row["target_met"]]
    low, high = scaled(row["energy_low_j"], "J"), scaled(row["energy_high_j"], "J")
    return [
        str(row["rank"]),
        row["algo"],
        f"{row['score']:.4f}",
        met,
        scaled(row["energy_j"], "J"),
        f"{low} … {high}",
        scaled(row["cold_j"], "J"),
        scaled(row["inference_j"], "J"),
        scaled(row["wall_s"], "s"),
        str(row["runs"]) + (f" (+{row['failed']} failed)" if row["failed"] else ""),
    ]
