"""The power trace of one run, its phases shaded: what was saved beside the Records, for a paper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from metrics.record import Record
from metrics.store import Store, StoreError
from metrics.trace import OTHER_COLOUR, PHASE_COLOURS, need
from reports.folders import gather
from reports.plots.style import COLOURS, GREY, draw, legend, said

MAKES = "bench run task=nanogpt algo=backprop meter=nvml (or any other sensor of bench meters)"
STYLES = ("-", "--", ":", "-.")  # besides colours
HEIGHT_IN = 2.5
LETTER_PT = 2.9  # of its height, where it stands upright
LETTER = 0.021  # of the panel's width, for each letter of a phase's name


def draw_trace(folders: list[Path], path: Path, run: str | None) -> str:
    """Run `run` (or the start of its name), or the newest that has a trace; returns what was drawn."""
    folder, record = find(folders, run)
    assert record.trace is not None
    file = folder / record.trace
    pq = need("pyarrow.parquet", "a plot of a trace")
    try:
        table = pq.read_table(file)
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        why = " ".join(str(error).split())
        raise StoreError(f"the trace of run {record.run} cannot be read ({file}): {why}") from None
    phases = json.loads((table.schema.metadata or {}).get(b"phases", b"[]"))
    t = table["t_s"].to_pylist()
    powers = {
        name.removesuffix("_w"): table[name].to_pylist()
        for name in table.column_names
        if name.endswith("_w") and any(value is not None for value in table[name].to_pylist())
    }
    if not powers:
        raise StoreError(f"the trace of run {record.run} has no power in it ({file})")

    def fill(figure: Any, axes: list[Any]) -> str:
        above_pt = panel(axes[0], t, powers, phases)
        title = said(f"{record.task.name}: {record.algorithm.name}", 60)
        axes[0].set_title(title, loc="left", pad=above_pt)
        return f"{record.run}; {record.source}, {record.host.device_class}"

    draw(path, 1, HEIGHT_IN, fill)
    return f"the trace of run {record.run}"


def find(folders: list[Path], run: str | None) -> tuple[Path, Record]:
    """The run and the folder that its trace lies in."""
    if run is None or run == "last":
        having = [record for record in gather(folders, Record) if record.trace]
        if not having:
            where = ", ".join(str(folder) for folder in folders)
            raise StoreError(f"no run in {where} has a power trace; make one with: {MAKES}")
        wanted = having[-1].run
    else:
        wanted = run
    problem: StoreError | None = None
    for folder in folders:
        try:
            record = Store(folder).find(wanted)
        except StoreError as error:
            problem = problem or error
            continue
        if record.trace is None:
            raise StoreError(f"run {record.run} has no power trace; make one with: {MAKES}")
        return folder, record
    assert problem is not None
    raise problem


def panel(
    axis: Any, t: list[float], powers: dict[str, list[float | None]], phases: list[dict[str, Any]]
) -> float:
    """Power over time. t: s since the run's start; powers: W, None where nothing was read.

    Returns how far the phases' names stand out above, in points.
    """
    nan = float("nan")
    handles = {}
    for index, (name, values) in enumerate(powers.items()):
        (line,) = axis.plot(
            *(t, [nan if value is None else value for value in values]),
            color=COLOURS[index % len(COLOURS)],
            linestyle=STYLES[index % len(STYLES)],
            linewidth=0.9,
        )
        handles[said(name.replace("_", " "))] = line
    low = min([*t, *(phase["begin_s"] for phase in phases)], default=0.0)
    high = max([*t, *(phase["end_s"] for phase in phases)], default=1.0)
    axis.set_xlim(low, high if high > low else low + 1.0)
    axis.set_ylim(bottom=0)
    whole = max(high - low, 1e-9)
    above = [shade(axis, p["phase"], p["begin_s"], p["end_s"], whole) for p in phases]
    axis.set_xlabel("seconds since the run's start")
    axis.set_ylabel("power (W)")
    legend(axis, handles)
    return max(above, default=3.0)


def shade(axis: Any, phase: str, begin: float, end: float, whole: float) -> float:
    """A band with its name above it, upright where it is too narrow; returns the name's height in points."""
    colour = PHASE_COLOURS.get(phase, OTHER_COLOUR)
    axis.axvspan(begin, end, color=colour, alpha=0.35, linewidth=0, zorder=0)
    narrow = (end - begin) / whole < LETTER * len(phase)
    axis.text(
        *((begin + end) / 2, 1.01),
        phase,
        transform=axis.get_xaxis_transform(),
        ha="center",
        va="bottom",
        rotation=90 if narrow else 0,
        fontsize=5.5,
        color=GREY,
    )
    return LETTER_PT * len(phase) + 6.0 if narrow else 12.0
