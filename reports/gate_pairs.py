"""Which row of today belongs to which row of a baseline, and what must not be compared at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from metrics.record import COUNT, RUN
from metrics.store import StoreError
from reports.gate_rows import Row


def pair(baseline: list[Row], fresh: list[Row]) -> tuple[list[tuple[Row, Row | None]], list[Row]]:
    """Each row of the baseline with today's, if any, and today's rows on these tasks that are nobody's.

    Where an algorithm has one row then and one now, the two belong together though its configuration or its
    threads have changed: that may be the very change to be judged. Raises StoreError for other machines,
    other sources and other tasks.
    """
    asked = {row.asked for row in baseline}
    _refuse_mixed(baseline, [row for row in fresh if row.asked in asked])
    left = {id(row): row for row in fresh}
    found: dict[int, Row] = {}
    for key in (lambda row: row.exact, lambda row: row.asked):
        before: dict[object, list[Row]] = defaultdict(list)
        after: dict[object, list[Row]] = defaultdict(list)
        for row in baseline:
            if id(row) not in found:
                before[key(row)].append(row)
        for row in left.values():
            after[key(row)].append(row)
        for name, rows in before.items():  # a changed configuration has one candidate, or none
            if len(rows) == 1 and len(after[name]) == 1:
                found[id(rows[0])] = left.pop(id(after[name][0]))
    for row in baseline:
        if id(row) not in found:
            _refuse_changed_task(row, list(left.values()))
    tasks = {(row.kind, row.task_sha256, row.bar) for row in baseline}
    new = [row for row in left.values() if (row.kind, row.task_sha256, row.bar) in tasks]
    return [(row, found.get(id(row))) for row in baseline], new


def _refuse_mixed(baseline: list[Row], fresh: list[Row]) -> None:
    """Joules of other devices and sources, and floors by another table, do not compare."""
    checks: list[tuple[str, str, Callable[[Row], str]]] = [
        (RUN, "device class", lambda row: row.device_class),
        (RUN, "energy source", lambda row: row.source),
        (COUNT, "table of operation energy", lambda row: row.source),
    ]
    for kind, what, value in checks:
        then = {value(row) for row in baseline if row.kind == kind}
        now = {value(row) for row in fresh if row.kind == kind}
        if now - then:
            raise StoreError(
                f"not comparable: the baseline's {what} is {'; '.join(sorted(then))}, and there are runs of "
                f"{'; '.join(sorted(now - then))}; check runs of the same machine class and meter, in a "
                "folder of their own (--results DIR), or write a baseline for this one"
            )


def _refuse_changed_task(row: Row, left: list[Row]) -> None:
    """A row of the baseline whose algorithm has only sat another task of that name."""
    for other in left:
        if (row.kind, row.task, row.algo) != (other.kind, other.task, other.algo):
            continue
        if row.seeds != other.seeds and row.kind == COUNT:
            continue
        names = sorted({*row.task_config, *other.task_config})
        moved = [
            f"task.{n} {row.task_config.get(n)} → {other.task_config.get(n)}"
            for n in names
            if row.task_config.get(n) != other.task_config.get(n)
        ]
        if row.bar != other.bar and not moved:
            moved = [f"the bar {row.bar} → {other.bar}"]
        if moved:
            raise StoreError(
                f"not comparable: {row.label}: the task has changed since the baseline ({', '.join(moved)}); "
                "run it as it was, or write a new baseline with --write"
            )


def refuse_other_data(then: Row, now: Row) -> None:
    """A count on another draw, or runs on another text."""
    fixed = then.kind == COUNT or None not in (then.text_sha256, now.text_sha256)
    if fixed and (then.draws_sha256, then.text_sha256) != (now.draws_sha256, now.text_sha256):
        raise StoreError(
            f"not comparable: {then.label}: its data is not that of the baseline (another text, other "
            "versions of what draws it, or the task's code has changed); write a new baseline with --write"
        )


def changed(then: Row, now: Row) -> list[str]:
    """What may be behind a difference, besides the code."""
    names = sorted({*then.algo_config, *now.algo_config})
    before, after = then.algo_config, now.algo_config
    moved = [
        f"algo.{n} {before.get(n)} → {after.get(n)}" for n in names if before.get(n) != after.get(n)
    ]
    if then.threads != now.threads:
        moved.append(f"threads {then.threads} → {now.threads}")
    notes = [f"configuration changed: {', '.join(moved)}"] if moved else []
    if now.left_out:
        notes.append(f"{now.left_out} runs of earlier code left out")
    return notes


def libraries(then: Row, now: Row) -> list[str]:
    """Libraries whose versions differ."""
    names = sorted({*then.libraries, *now.libraries})
    before, after = then.libraries, now.libraries
    moved = [
        f"{n} {before.get(n)} → {after.get(n)}" for n in names if before.get(n) != after.get(n)
    ]
    return [f"libraries changed: {', '.join(moved)}"] if moved else []
