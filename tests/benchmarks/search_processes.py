"""Best so far against trials: random, tpe and evolve on one search, several seeds of each.

    python -m tests.benchmarks.search_processes                # results/search_processes, goes on if killed

Every search is a `bench tune` of sparse_parity with backprop, not begun at the published settings, which
are themselves a search's. A seed is a draw as well, and all processes sit the same one. Printed is the
median over seeds (least ... most) of the joules of the cheapest trial so far that met the bar, and how many
seeds had one; then what the search had spent by then. Joules are those of trials, which nobody confirmed:
the best of many is also the luckiest.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

from harness.trials import SEARCH, Trial, Trials

PROCESSES = ("random", "tpe", "evolve")
TASK = ("task=sparse_parity", "algo=backprop", "process.published=false")


def searched(results: Path, process: str, seed: int, trials: int, words: list[str]) -> list[Trial]:
    """The trials of a search, sat now unless they were before."""
    name = f"{process}_{seed}"
    line = [sys.executable, "-m", "harness.cli", "tune", *TASK, f"process={process}"]
    line += [f"seed={seed}", f"budget.trials={trials}", f"results={results}", f"tune.name={name}"]
    line += ["tune.confirm=0", f"tune.give_up={trials}", *words]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with Trials(results / "tune" / name) as file:
        return file.all(SEARCH)[:trials]


def best_so_far(rows: list[Trial], count: int) -> float | None:
    """J of the cheapest of the first `count` that met the bar."""
    met = [r.energy_j for r in rows[:count] if r.energy_j is not None and r.distance == 0]
    return min(met, default=None)


def cell(joules: list[float], seeds: int) -> str:
    """Median, ends and count, in mJ."""
    if not joules:
        return f"- (0/{seeds})"
    middle, low, high = (1e3 * f(joules) for f in (statistics.median, min, max))
    return f"{middle:.2f} ({low:.2f} ... {high:.2f}; {len(joules)}/{seeds})"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--results", type=Path, default=Path("results/search_processes"))
    parser.add_argument("words", nargs="*", help="for every search, such as meter.floor_s=0.05")
    args = parser.parse_args()

    found = {
        process: [
            searched(args.results, process, seed, args.trials, args.words)
            for seed in range(args.seeds)
        ]
        for process in PROCESSES
    }
    print("| trials | " + " | ".join(f"`{process}`, mJ" for process in PROCESSES) + " |")
    print("|---" * (1 + len(PROCESSES)) + "|")
    counts = sorted({n for n in (5, 10, 20, 40, 80, 160) if n < args.trials} | {args.trials})
    for count in counts:
        cells = []
        for process in PROCESSES:
            best = [best_so_far(rows, count) for rows in found[process]]
            cells.append(cell([j for j in best if j is not None], args.seeds))
        print(f"| {count} | " + " | ".join(cells) + " |")
    spent = {p: [sum(t.spent_j for t in rows) for rows in found[p]] for p in PROCESSES}
    print(
        "| spent, J | " + " | ".join(f"{statistics.median(s):.0f}" for s in spent.values()) + " |"
    )


if __name__ == "__main__":
    main()
