"""What a sampler saw: as arrays, as a parquet file, and as a picture with the phases behind it."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from metrics.meter import MeterError, Window

# By the end of a column's name: what it is. The first is power, whose panel is the tallest. Counters of
# joules, which only ever rise, are in the parquet file alone.
UNITS = {
    "_w": "power (W)",
    "_busy_cpus": "busy CPUs",
    "_c": "temperature (°C)",
    "_mhz": "clock (MHz)",
    "": "other",
}
PHASE_COLOURS = {
    "setup": "#9e9e9e",
    "idle": "#cfd8dc",
    "train": "#ffb74d",
    "inference": "#81c784",
    "command": "#ffb74d",
}
OTHER_COLOUR = "#b39ddb"
LABEL_WIDTH = 0.012  # of the picture's width, for each letter of a label


@dataclass
class Trace:
    """t_s: monotonic clock; columns: one value per t_s, nan where nothing was read; errors: how often
    each probe raised; problems: a line for all that is missing; cpu_share: of one core, spent by the
    sampler once it had started (None where it was killed)."""

    t_s: np.ndarray
    columns: dict[str, np.ndarray]
    errors: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    cpu_share: float | None = None


def read_rows(path: Path) -> Trace:
    """The sampler's file, up to the last whole line."""
    names: list[str] = ["t_s"]
    rows: list[list[float | None]] = []
    errors: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    cpu_share = None
    for line in path.read_bytes().split(b"\n")[:-1]:
        entry = msgspec.json.decode(line)
        if isinstance(entry, list) and isinstance(entry[0], str):
            names = entry
        elif isinstance(entry, list):
            rows.append(entry)
        elif "probe" in entry:
            errors[entry["probe"]] += 1
            reasons[entry["probe"]] = entry["error"]
        else:
            cpu_share = entry["cpu_s"] / entry["elapsed_s"]
    table = np.full((len(rows), len(names)), np.nan)
    for index, row in enumerate(rows):
        table[index, : len(row)] = [np.nan if value is None else value for value in row]
    problems = [f"{n} times: {name}: {reasons[name]}" for name, n in errors.items()]
    columns = {name: table[:, index] for index, name in enumerate(names) if index}
    return Trace(table[:, 0], columns, dict(errors), problems, cpu_share)


def need(module: str, what: str = "a trace") -> Any:
    """Imports a package of the extra `meters`, which `what` needs."""
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise MeterError(
            f"{what} needs {package}, which is not installed: pip install 'joulebench[meters]'"
        ) from None


def missing() -> list[str]:
    """What a trace needs and is not installed."""
    return [package for package in ("pyarrow", "matplotlib") if find_spec(package) is None]


def save(trace: Trace, stem: Path, run: str, windows: list[Window], source: str) -> None:
    """Writes `stem`.parquet and `stem`.png. source: of the energy figures, for the picture's title."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    save_parquet(trace, stem.with_suffix(".parquet"), run, windows)
    figure(trace, windows, f"{run} · {source}").savefig(stem.with_suffix(".png"), dpi=150)


def start_s(trace: Trace, windows: list[Window]) -> float:
    """The run's zero: the begin of its first window; without any, the first row."""
    return windows[0].begin_s if windows else float(trace.t_s[0]) if len(trace.t_s) else 0.0


def save_parquet(trace: Trace, path: Path, run: str, windows: list[Window]) -> None:
    """Columns t_s (seconds since the run's start) and one per series, null where nothing was read.
    The file's metadata has `run`, and as JSON `phases` (phase, begin_s, end_s) and `errors`."""
    pa, pq = need("pyarrow"), need("pyarrow.parquet")
    zero_s = start_s(trace, windows)
    series = {"t_s": trace.t_s - zero_s, **trace.columns}
    phases = [
        {"phase": w.phase, "begin_s": w.begin_s - zero_s, "end_s": w.end_s - zero_s}
        for w in windows
    ]
    table = pa.table({name: pa.array(v, from_pandas=True) for name, v in series.items()})
    facts = {"run": run, "phases": json.dumps(phases), "errors": json.dumps(trace.errors)}
    pq.write_table(table.replace_schema_metadata(facts), path)


def figure(trace: Trace, windows: list[Window], title: str) -> Any:
    """A matplotlib Figure: power over time, what else was traced below it, phases shaded behind."""
    canvas = need("matplotlib.backends.backend_agg").FigureCanvasAgg
    zero_s = start_s(trace, windows)
    groups: dict[str, list[str]] = {label: [] for label in UNITS.values()}
    for name, values in trace.columns.items():
        if np.isfinite(values).any() and not name.endswith("_j"):
            groups[next(label for end, label in UNITS.items() if name.endswith(end))].append(name)
    panels = {label: names for label, names in groups.items() if names} or {"power (W)": []}
    heights = [2.4, *[1.0] * (len(panels) - 1)]
    made = need("matplotlib.figure").Figure(
        figsize=(10, 1.2 + 1.35 * sum(heights)), layout="constrained"
    )
    canvas(made)
    axes = made.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (label, names) in zip(axes, panels.items(), strict=True):
        for name in names:
            end = next(end for end in UNITS if name.endswith(end))
            text = name.removesuffix(end).replace("_", " ")
            style = "--" if "limit" in name else "-"
            axis.plot(trace.t_s - zero_s, trace.columns[name], style, label=text, linewidth=1.2)
        axis.set_ylabel(label)
        if names:
            axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        if not label.startswith("temperature"):
            axis.set_ylim(bottom=0)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", alpha=0.3)
        axis.margins(x=0.01)
    _shade(axes, windows, zero_s)
    axes[-1].set_xlabel("seconds since the run's start")
    made.suptitle(title, fontsize=11)
    return made


def _shade(axes: Any, windows: list[Window], zero_s: float) -> None:
    """Phases as coloured bands, named above the first panel; names of narrow bands stand upright."""
    if not windows:
        return
    low, high = axes[0].get_xlim()
    low = min(low, windows[0].begin_s - zero_s)
    high = max(high, windows[-1].end_s - zero_s)
    axes[0].set_xlim(low, high)
    for window in windows:
        begin, end = window.begin_s - zero_s, window.end_s - zero_s
        colour = PHASE_COLOURS.get(window.phase, OTHER_COLOUR)
        for axis in axes:
            axis.axvspan(begin, end, color=colour, alpha=0.35, linewidth=0, zorder=0)
        narrow = (end - begin) / (high - low) < LABEL_WIDTH * len(window.phase)
        axes[0].text(
            *((begin + end) / 2, 1.01),
            window.phase,
            transform=axes[0].get_xaxis_transform(),
            ha="center",
            va="bottom",
            rotation=90 if narrow else 0,
            fontsize=9,
        )
