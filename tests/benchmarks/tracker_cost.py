"""What tracker=wandb costs, and whom: the same run on the same draw with and without it.

    python -m tests.benchmarks.tracker_cost                    # about 4 minutes
    python -m tests.benchmarks.tracker_cost --rounds 3 task=nanogpt algo=hashed_softmax

A run is made once and then replayed (same draw, fresh process each) without a tracker, with wandb offline,
and with wandb offline and live, in random order within each round. CPU seconds: of the worker in training
(what cpu_time meters) and in all its phases, of the parent, and of the tracker's processes, wandb's service
included: in all, and between the first and the last look at the run, when windows are open.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

WORDS = ["task=sparse_parity", "algo=backprop", "meter.floor_s=5"]
ARMS = {
    "none": [],
    "wandb": ["tracker=wandb", "tracker.mode=offline"],
    "wandb live": ["tracker=wandb", "tracker.mode=offline", "tracker.live=true"],
}
FIGURES = {
    "train": "worker, training",
    "worker": "worker, all phases",
    "parent": "parent",
    "tracker": "tracker, in all",
    "during": "tracker, while windows were open",
    "wall": "wall s of training",
}


def once(words: list[str]) -> dict[str, float]:
    """In a process of its own: a replay, and what it took."""
    import time

    from harness import run_command
    from harness.progress import Display
    from harness.trackers import weights_biases
    from harness.trackers.wandb_process import cpu_of
    from metrics.record import Record
    from metrics.store import Store

    marks: list[float] = []
    watch = Display.watch

    def watched(display: Display, moment: Any) -> None:
        watch(display, moment)
        if (process := weights_biases._shared) is not None:
            marks.append(cpu_of(process.hello["pid"]))

    Display.watch = watched  # type: ignore[method-assign]
    code = run_command.replay("last", "results", words)
    assert code == 0, "the replay is not the same"
    process = weights_biases._shared
    record = Store("results").load(Record).records[-1]
    trained = [phase for phase in record.phases if phase.phase == "train"]
    return {
        "train": sum(phase.cpu_s for phase in trained),
        "worker": sum(phase.cpu_s for phase in record.phases),
        "parent": time.process_time(),
        "tracker": cpu_of(process.hello["pid"]) if process else 0.0,
        "during": marks[-1] - marks[0] if marks else 0.0,
        "wall": sum(phase.wall_s for phase in trained),
    }


def call(code: str, folder: str) -> str:
    """What a Python program prints last."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, env=os.environ
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout.splitlines()[-1] if done.stdout else ""


def main() -> None:
    """Prints medians by arm, and their ratios to none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options, words = parser.parse_known_args()
    words = words or WORDS
    found: dict[str, dict[str, list[float]]] = {arm: defaultdict(list) for arm in ARMS}
    root = str(Path(__file__).parent.parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory() as folder:
        call(f"from harness.cli import main\nassert main({['run', *words]!r}) == 0", folder)
        for number in range(options.rounds):
            for arm in random.Random(number).sample(list(ARMS), len(ARMS)):
                code = (
                    "import json\nfrom tests.benchmarks.tracker_cost import once\n"
                    f"print(json.dumps(once({ARMS[arm]!r})))"
                )
                for name, value in json.loads(call(code, folder)).items():
                    found[arm][name].append(value)
    print(f"{' '.join(words)}, {options.rounds} rounds, medians (least … most), CPU s")
    for name, title in FIGURES.items():
        print(f"\n{title}")
        base = statistics.median(found["none"][name])
        for arm, figures in found.items():
            values = sorted(figures[name])
            middle = statistics.median(values)
            ratio = f"   {middle / base:.3f} of none" if base and arm != "none" else ""
            print(f"  {arm:<11} {middle:8.3f}  ({values[0]:.3f} … {values[-1]:.3f}){ratio}")


if __name__ == "__main__":
    main()
