"""Random search for the hyperparameters of forward_forward and feedback_alignment on tinyshakespeare.

    BENCH_DATA=... python tests/benchmarks/tune_local.py --algo forward_forward \\
        --out algorithms/tuning/local.csv

Nothing here has seen the validation part. Trained is on the training part without its last 100 kB, scored
on those 100 kB, in segments of 1,024. Every trial has the same CPU time (--each): the first steps are timed,
the number of all follows, since the rate falls over a known number. The first trial is the defaults, with the
--fixed fields ("steps=4000 learn_gates=False") that every trial has; the others of the first third are
random, the rest are changes to the best three. Without --trials one training as it is fixed is recorded.
Most rows of the file are first trials, set by hand after a search too short to find them.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: its idle threads cost CPU time

import argparse
import csv
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from algorithms.base import Algorithm
from algorithms.feedback_alignment import FeedbackAlignment
from algorithms.forward_forward import ForwardForward
from tests.benchmarks.text_trial import before_validation, sit, trained

TIMED = 100  # steps that tell how many there is time for
Setting = dict[str, Any]
Space = dict[str, Callable[[random.Random], Any]]
BOTH: tuple[type[Algorithm], ...] = (ForwardForward, FeedbackAlignment)
ALGORITHMS = dict(zip(("forward_forward", "feedback_alignment"), BOTH, strict=True))
COMMON: Space = {
    "context": lambda rng: rng.choice([6, 7, 8, 10, 12]),
    "fade": lambda rng: rng.uniform(0.55, 0.85),
    "hidden": lambda rng: rng.choice([256, 384, 512, 768, 1024]),
    "init": lambda rng: 10 ** rng.uniform(-2, 0),
    "lr": lambda rng: 10 ** rng.uniform(-2.5, -1.5),
    "batch": lambda rng: rng.choice([64, 128, 192, 256]),
}
SPACES: dict[str, Space] = {
    "forward_forward": COMMON
    | {
        "layers": lambda rng: rng.choice([1, 1, 2]),
        "density": lambda rng: rng.uniform(0.05, 0.6),
        "heat": lambda rng: 10 ** rng.uniform(1, 3),
    },
    "feedback_alignment": COMMON
    | {
        "layers": lambda rng: rng.choice([1, 1, 2]),
        "lr_deep": lambda rng: 10 ** rng.uniform(-1.5, 0),
    },
}


def changed(rng: random.Random, setting: Setting, space: Space) -> Setting:
    """The setting with one to three values moved, or drawn anew where they are whole."""
    new = dict(setting)
    for name in rng.sample(list(space), rng.randint(1, 3)):
        if isinstance(new[name], int):
            new[name] = space[name](rng)
        else:
            most = 1.0 if name in ("fade", "density") else np.inf
            new[name] = min(most, new[name] * 2 ** rng.gauss(0, 0.1 if name == "fade" else 0.5))
    return new


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--algo", choices=list(ALGORITHMS), required=True)
    parser.add_argument("--trials", type=int, default=0)
    parser.add_argument("--each", type=float, default=8, help="CPU seconds of one training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fixed", default="", help="fields that all trials have: name=value ...")
    parser.add_argument("--out", type=Path, help="csv file; none is written without it")
    args = parser.parse_args()

    train, segments = before_validation()
    kind, space, rng = ALGORITHMS[args.algo], SPACES[args.algo], random.Random(args.seed)
    fixed: Setting = {}
    for pair in args.fixed.split():
        name, _, value = pair.partition("=")
        default = getattr(kind, name)
        fixed[name] = value == "True" if isinstance(default, bool) else type(default)(value)

    def trial(stage: str, setting: Setting, timed: bool) -> float:
        algorithm: Any = kind(**setting | fixed)
        if timed:
            algorithm.steps = TIMED
            algorithm.steps = int(args.each / trained(algorithm, train)[1] * TIMED)
        nats, seconds = sit(algorithm, train, segments)
        row: dict[str, Any] = {"stage": stage, "algo": args.algo}
        row |= {"nats": round(nats, 4), "train_cpu_s": round(seconds, 2)}
        row["settings"] = " ".join(f"{k}={v}" for k, v in vars(algorithm).items() if k != "spec")
        print(*row.values(), flush=True)
        if args.out:
            with args.out.open("a", newline="") as file:
                writer = csv.DictWriter(file, row, lineterminator="\n")
                if not file.tell():
                    writer.writeheader()
                writer.writerow(row)
        return row["nats"]

    done: list[tuple[float, Setting]] = []
    for i in range(args.trials):
        if not i:
            setting = {name: getattr(kind, name) for name in space}
        elif i < args.trials / 3:
            setting = {name: draw(rng) for name, draw in space.items()}
        else:
            setting = changed(rng, rng.choice(done[:3])[1], space)
        setting = {k: float(f"{v:.3g}") if isinstance(v, float) else v for k, v in setting.items()}
        stage = "first" if not i else "random" if i < args.trials / 3 else "refined"
        done.append((trial(stage, setting, True), setting))
        done.sort(key=lambda t: t[0])
    if not args.trials:
        trial("fixed", {}, False)


if __name__ == "__main__":
    main()
