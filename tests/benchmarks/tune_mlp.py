"""Random search for the hyperparameters of `algorithms/backprop_mlp.py` on sparse parity.

    python tests/benchmarks/tune_mlp.py --out algorithms/tuning/backprop_classification.csv

Successive halving: every trial sits `--screen` draws, the best 80 the `--draws` draws of the second
stage, the best twelve the `--final` draws of the third. Each stage has draws of its own and each
draw its own seed of the learner. Ordered by draws solved (99 % of held-out rows right), then by
CPU time. A trial is given up at its second failure; the file has those that were not given up. Last
comes the class with its defaults as they are, on `--check` more draws.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy; its matrices here are tiny
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import csv
import random
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from algorithms.backprop_mlp import BackpropMLP
from tasks.base import Draw
from tasks.sparse_parity import SparseParity

SOLVED = 0.99
STAGES = ("screen", "draws", "final")


@dataclass
class Trial:
    """What one setting did at one stage; times are process CPU time of `train`, in ms."""

    stage: str
    solved: int
    draws: int
    median_ms: float
    mean_ms: float
    worst_ms: float
    setting: dict[str, Any]

    @property
    def order(self) -> tuple[float, float]:
        return -self.solved / self.draws, self.mean_ms


def sample(rng: random.Random, activation: str) -> dict[str, Any]:
    """One random setting; the published recipe lies within the ranges."""
    optimizer = rng.choice(["sgd", "adam"])
    low, high = {"sgd": (-1.5, 0.5), "adam": (-2.0, -0.3)}[optimizer]
    return {
        "activation": activation,
        "optimizer": optimizer,
        "hidden": rng.choice([8, 12, 16, 24, 32, 48, 64, 100, 200]),
        "lr": float(f"{10 ** rng.uniform(low, high):.2g}"),
        "momentum": rng.choice([0.0, 0.5, 0.9]),
        "beta2": rng.choice([0.9, 0.95, 0.99]),
        "batch": rng.choice([32, 64, 96, 128, 192, 256, 384]),
        "weight_decay": rng.choice([0.0, 0.01, 0.03, 0.1]),
        "init": rng.choice([0.1, 0.3, 0.5, 1.0, 1.7]),
        "init_out": rng.choice([0.1, 0.3, 1.0, 2.0]),
        "validation": rng.choice([0.05, 0.1, 0.2]),
        "stop": rng.choice([0.3, 0.1, 0.05, 0.02, 0.01]),
    }


def sit(setting: dict[str, Any], task: SparseParity, draws: list[Draw], stage: str) -> Trial:
    algorithm = BackpropMLP(**{"epochs": 60} | setting)
    times, solved = [], 0
    for seed, draw in enumerate(draws):
        algorithm.prepare(task.spec(seed))
        start = time.process_time_ns()
        training = algorithm.train(draw.train)
        try:
            while True:
                next(training)
        except StopIteration as end:
            times.append((time.process_time_ns() - start) / 1e6)
            solved += task.examine(draw, end.value).value >= SOLVED
        if len(times) - solved > 1 and stage in STAGES:
            break
    median, mean = statistics.median(times), statistics.fmean(times)
    return Trial(stage, solved, len(times), median, mean, max(times), setting)


def show(trial: Trial) -> None:
    print(
        f"  {trial.solved}/{trial.draws} solved  median {trial.median_ms:.2f} ms  "
        f"mean {trial.mean_ms:.2f}  worst {trial.worst_ms:.2f}  {trial.setting}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=1000, help="random settings")
    parser.add_argument("--screen", type=int, default=8, help="draws of the first stage")
    parser.add_argument("--draws", type=int, default=30, help="draws of the second stage")
    parser.add_argument("--final", type=int, default=200, help="draws of the third stage")
    parser.add_argument(
        "--check", type=int, default=1000, help="draws for the defaults as they are"
    )
    parser.add_argument("--activation", nargs="+", default=["cube", "relu"])
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--k", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="csv file; none is written without it")
    args = parser.parse_args()

    task = SparseParity(n=args.n, k=args.k, rows=args.rows)
    rng = random.Random(args.seed)
    done: list[Trial] = []
    for activation in args.activation:
        settings = [sample(rng, activation) for _ in range(args.trials)]
        for index, (stage, best) in enumerate(zip(STAGES, (80, 12, 5), strict=True)):
            draws = task.draws([args.seed, index], getattr(args, stage))
            trials = [sit(setting, task, draws, stage) for setting in settings]
            trials.sort(key=lambda trial: trial.order)
            done += [trial for trial in trials if trial.draws - trial.solved <= 1]
            settings = [trial.setting for trial in trials[:best]]
        print(f"{activation}: {args.trials} trials; the third stage:")
        for trial in trials:
            show(trial)
    done.append(
        sit(asdict(BackpropMLP()), task, task.draws([args.seed, 3], args.check), "defaults")
    )
    show(done[-1])
    if args.out:
        rows = [{**asdict(t), "epochs": 60, **t.setting} for t in done]
        for row in rows:
            del row["setting"]
            row.update({k: round(v, 3) for k, v in row.items() if k.endswith("_ms")})
        with args.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
