"""Every figure of a page as a table of its own, with all digits: what `bench report --csv` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metrics.store import StoreError
from reports.export import to_csv
from reports.page.data import Collector
from reports.tabular import Column, Kind, Table, energy_table

CONDITION: tuple[tuple[str, Kind], ...] = (
    *(("name", str), ("state", str), ("unit", str), ("estimate", float), ("low", float)),
    *(("high", float), ("level", float), ("bar", float), ("needed", int)),
)
VERDICT: tuple[tuple[str, Kind], ...] = (
    *(("name", str), ("verdict", str), ("date", str), ("task", str), ("variant", str)),
    *(("source", str), ("device", str), ("pairs", int), ("planned", int), ("effect", float)),
    *(("effect_low", float), ("effect_high", float), ("command", str), ("sentence", str)),
)


def write_csv(collector: Collector, data: dict[str, Any], folder: Path) -> list[Path]:
    """Writes a file for each into `folder`, which is made where it is not there; returns their paths.

    collector: which collected `data`. The files have names of our own. Raises StoreError.
    """
    tables = [
        *collector.tables.values(),
        energy_table(collector.records),
        verdicts_table(data["verdicts"]),
        *traces_tables(data["traces"]),
    ]
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for table in tables:
            path = folder / f"{table.name}.csv"
            path.write_bytes(to_csv(table))
            paths.append(path)
    except OSError as error:
        raise StoreError(
            f"cannot write CSV files to {folder} ({error.strerror}); name another folder with --csv FOLDER"
        ) from None
    return paths


def verdicts_table(verdicts: list[dict[str, Any]]) -> Table:
    """A row for every condition of every verdict; one for an exam that is not finished."""
    columns = [Column(name, kind) for name, kind in VERDICT]
    columns += [Column(f"condition_{name}", kind) for name, kind in CONDITION]
    rows = []
    for verdict in verdicts:
        own = {name: verdict.get(name) for name, _ in VERDICT}
        for condition in verdict["conditions"] or [{}]:
            rows.append(own | {f"condition_{name}": condition.get(name) for name, _ in CONDITION})
    return Table("verdicts", columns, rows)


def traces_tables(traces: dict[str, Any]) -> tuple[Table, Table]:
    """Points as the page draws them (a run's parquet file has all), and the phases behind them."""
    points = [
        {"run": run, "t_s": t_s, "domain": domain, "power_w": power_w}
        for run, trace in traces.items()
        for domain, powers in trace["power_w"].items()
        for t_s, power_w in zip(trace["t_s"], powers, strict=True)
    ]
    phases = [{"run": run, **phase} for run, trace in traces.items() for phase in trace["phases"]]
    run = Column("run", str)
    at = [run, Column("t_s", float), Column("domain", str), Column("power_w", float)]
    ends = [Column("phase", str), Column("begin_s", float), Column("end_s", float)]
    return Table("traces", at, points), Table("phases", [run, *ends], phases)
