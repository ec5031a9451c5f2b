"""How far meters are off, against scripted truth: ours, ZeusMonitor and CodeCarbon. Prints two tables.

python -m tests.benchmarks.meter_error [--small] [--phases 100] [--json FILE]

Every cell is many windows at random phases of counter and waveform. A window's error is its figure
over the truth, less one; the 95 % band is the 95th percentile of its size. Ends with 1 where our meters
miss their figures, or where a fault makes them show a wrong one. Needs Linux and a C compiler.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.benchmarks.meter_faults import FAULTS, TOOLS, outcome
from tests.benchmarks.meter_windows import SOURCES, WINDOWS_S, error_of, sampling_share
from tests.standin.script import build

# Of aligned counters: window in seconds -> relative error that 95 % of windows stay within.
FIGURES = {1.0: 0.01, 5.0: 0.003}
SAMPLING_SHARE = 0.005
SMALL_S = (0.25, 1.0)


@dataclass(frozen=True)
class Cell:
    """All windows of a kind. Relative: median (signed), band, half_width (median, as stated)."""

    tool: str
    source: str
    waveform: str
    window_s: float
    n: int
    median: float
    band: float
    coverage: float | None
    half_width: float | None

    def row(self) -> list[str]:
        stated = ["", ""]
        if self.coverage is not None and self.half_width is not None:
            stated = [f"{100 * self.coverage:.0f}", f"{self.half_width / self.band:.2f}"]
        figures = [f"{100 * self.median:+.3f}", f"{100 * self.band:.3f}", *stated]
        return [self.tool, self.source, self.waveform, f"{self.window_s:g}", str(self.n), *figures]


def cell(samples: list[Any], waveform: str) -> Cell:
    errors = np.array([s.error for s in samples])
    first, coverage, half_width = samples[0], None, None
    if first.reading.low_j is not None:
        low, high, truth = np.array(
            [(s.reading.low_j, s.reading.high_j, s.truth_j) for s in samples]
        ).T
        coverage = float(np.mean((low <= truth) & (truth <= high)))
        half_width = float(np.median((high - low) / 2 / truth))
    band = float(np.percentile(np.abs(errors), 95))
    facts = (len(samples), float(np.median(errors)), band, coverage, half_width)
    return Cell(first.tool, first.source, waveform, first.window_s, *facts)


def cells(samples: Iterable[Any]) -> list[Cell]:
    """By tool, source, waveform and window, and over all waveforms."""

    def by(*names: str) -> Callable[[Any], tuple[Any, ...]]:
        return lambda s: tuple(getattr(s, name) for name in names)

    found = []
    key = by("tool", "source", "window_s")
    for _, group in groupby(sorted(samples, key=key), key):
        members = list(group)
        wave = by("waveform")
        for (name,), each in groupby(sorted(members, key=wave), wave):
            found.append(cell(list(each), name))
        found.append(cell(members, "all"))
    return found


def missed(
    found: list[Cell], shares: dict[str, float], outcomes: dict[str, dict[str, str]]
) -> list[str]:
    """What our meters fall short of, over all waveforms."""
    lines = []
    for each in found:
        if each.tool != "joulebench" or each.waveform != "all":
            continue
        where = f"{each.source}, {each.window_s:g} s"
        if each.band > FIGURES.get(each.window_s, 1.0):
            lines.append(f"{where}: error {100 * each.band:.2f} %")
        if each.coverage is not None and each.coverage < 0.95:
            lines.append(f"{where}: the stated interval covers {100 * each.coverage:.1f} %")
        if each.half_width is not None and each.half_width > 2 * each.band:
            lines.append(
                f"{where}: the interval is {each.half_width / each.band:.1f} times the error"
            )
    lines += [
        f"{source}: sampling takes {100 * share:.2f} % of a core"
        for source, share in shares.items()
        if share > SAMPLING_SHARE
    ]
    for fault, by_tool in outcomes.items():
        if by_tool["joulebench"].startswith("WRONG"):
            lines.append(f"{fault}: {by_tool['joulebench']}")
    return lines


def run(phases: int, windows_s: Sequence[float], others: bool) -> dict[str, Any]:
    """All that is measured, each machine in a fresh process, two at a time."""
    tools = TOOLS if others else TOOLS[:1]
    samples: list[Any] = []
    problems: list[str] = []
    outcomes: dict[str, dict[str, str]] = {}
    context = multiprocessing.get_context("spawn")  # NVML and its script are found once per process
    with ProcessPoolExecutor(2, mp_context=context, max_tasks_per_child=1) as pool:
        runs = [pool.submit(error_of, source, phases, others, windows_s) for source in SOURCES]
        loads = {source.name: pool.submit(sampling_share, source) for source in SOURCES}
        struck = {
            f"{'rapl' if fault.rapl else 'nvml'}: {fault.name}": {
                tool.name: pool.submit(outcome, fault, tool) for tool in tools
            }
            for fault in FAULTS
        }
        for seen in (each.result() for each in runs):
            samples += seen.samples
            problems += seen.problems
            print(f"{len(samples)} windows measured", file=sys.stderr, flush=True)
        shares = {name: load.result() for name, load in loads.items()}
        for name, by_tool in struck.items():
            outcomes[name] = {tool: said.result() for tool, said in by_tool.items()}
    found = cells(samples)
    show(found, shares, outcomes)
    return {
        "cells": [asdict(each) for each in found],
        "sampling_cpu_share": shares,
        "faults": outcomes,
        "missed": [*missed(found, shares, outcomes), *problems],
    }


def show(found: list[Cell], shares: dict[str, float], outcomes: dict[str, dict[str, str]]) -> None:
    console = Console(width=200, highlight=False)
    table = Table(title="error against the truth", title_justify="left", box=None)
    for name in ("meter", "source", "waveform", "window s", "n", "median %", "95 % band %"):
        table.add_column(name)
    table.add_column("covered %")
    table.add_column("half-width / band")
    table.add_column("sampling, % of a core")
    for each in found:
        share = shares[each.source] if each.tool == "joulebench" else None
        table.add_row(*each.row(), "" if share is None else f"{100 * share:.2f}")
    console.print(table)
    table = Table(title="what a fault leaves", title_justify="left", box=None, padding=(0, 1, 1, 0))
    for name in ("fault", *next(iter(outcomes.values()))):
        table.add_column(name, overflow="fold")
    for fault, by_tool in outcomes.items():
        table.add_row(fault, *by_tool.values())
    console.print(table)


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("--phases", type=int, default=100, help="windows per cell")
    options.add_argument(
        "--small",
        action="store_true",
        help="windows up to 1 s, 8 phases, ours only; exit code 1 only for a wrong figure",
    )
    options.add_argument("--json", type=Path, help="file to write the figures to as well")
    options.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.folder is None:
        # Where the dynamic linker looks for libraries is settled when a process starts.
        with tempfile.TemporaryDirectory() as name:
            paths = [str(build(Path(name))), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
            words = [sys.executable, "-m", "tests.benchmarks.meter_error", *sys.argv[1:]]
            done = subprocess.run(
                [*words, "--folder", name], env={**os.environ, "LD_LIBRARY_PATH": ":".join(paths)}
            )
        raise SystemExit(done.returncode)
    others = not chosen.small
    for name in ("zeus", "codecarbon") if others else ():
        if find_spec(name) is None:
            raise SystemExit(f"{name} is missing: pip install {name}, or choose --small")
    phases, windows_s = (8, SMALL_S) if chosen.small else (chosen.phases, WINDOWS_S)
    report = run(phases, windows_s, others)
    if chosen.json:
        chosen.json.write_text(json.dumps(report, indent=1))
    for line in report["missed"]:
        print(f"missed: {line}")
    # Eight windows tell a wrong figure, not whether 95 % are covered, nor what sampling costs.
    fatal = [
        one for one in report["missed"] if not chosen.small or "WRONG" in one or "error" in one
    ]
    raise SystemExit(1 if fatal else 0)


if __name__ == "__main__":
    main()
