"""Random search for the hyperparameters of `algorithms/backprop_mlp.py` on sparse parity.

    python tests/benchmarks/tune_mlp.py --out algorithms/tuning/backprop_classification.csv
    python tests/benchmarks/tune_mlp.py --n 50 --noise 0.1 --seconds 150 \\
        --out algorithms/tuning/backprop_parity.csv
    python tests/benchmarks/tune_mlp.py --learner sgd_c --seconds 60 \\
        --out tests/benchmarks/sgd_c_parity.csv

Successive halving: every trial sits `--screen` draws, the best 80 the `--draws` draws of the second
stage, the best twelve the `--final` draws of the third. Each stage has draws of its own and each
draw its own seed of the learner. Ordered by draws solved (99 % of held-out rows right), then by
CPU time. A trial is given up at its second failure; the file has those that were not given up. Last
comes the class with its defaults as they are, on `--check` more draws.

With --seconds it searches a wider space, with label noise too, for so much CPU time: random settings
for half of it, then changes to the best five: least CPU time among those that solve every draw, or else
the highest accuracy. It goes on from what the file has and appends every trial. Then the best
`HUNT_BEST` sit more draws, since the first may owe its place to luck with the few of the search.

Of the 65,343 trials behind the two files of all sizes, these keep for each (n, k, noise) the best 150, the
final ones, and every 25th of the others.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy; its matrices here are tiny
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import bisect
import csv
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from algorithms.backprop_mlp import BackpropMLP
from algorithms.base import Algorithm, Training
from tasks.base import Draw
from tasks.sparse_parity import SparseParity
from tests.benchmarks.parity_opponents import SgdC

Setting = dict[str, Any]
Space = Callable[[random.Random], Setting]

SOLVED = 0.99
STAGES = ("screen", "draws", "final")
# The best ReLU setting of the first search, as configs/algo/backprop/classification.yaml has it.
RELU: dict[str, Any] = {
    **asdict(BackpropMLP()),
    "activation": "relu",
    "optimizer": "sgd",
    "hidden": 64,
    "lr": 0.8,
    "momentum": 0.5,
    "batch": 96,
    "weight_decay": 0.01,
    "init_out": 2.0,
    "validation": 0.2,
    "stop": 0.02,
    "epochs": 300,
}
HUNT_DRAWS = 8
HUNT_BEST = 40
HUNT_FINAL = 40
HUNT_COLUMNS = ("stage", "accuracy", "solved", "draws", "median_ms", "mean_ms", "worst_ms")


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


@dataclass
class Hunted(Trial):
    """A trial of `hunt`. accuracy: mean over its draws; full: it has sat and solved all of them."""

    accuracy: float = 0.0
    full: bool = False

    @property
    def rank(self) -> tuple[float, float, float]:
        return -self.full, 0.0 if self.full else -self.accuracy, self.mean_ms


def finish(training: Training) -> Any:
    """Lets a training run to its end and returns the predictor."""
    try:
        while True:
            next(training)
    except StopIteration as end:
        return end.value


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


def wide(rng: random.Random) -> dict[str, Any]:
    """One random setting of the wider space that `hunt` searches."""
    setting = sample(rng, rng.choice(["cube", "relu"]))
    if setting["optimizer"] == "sgd":
        setting["lr"] = float(f"{10 ** rng.uniform(-2.3, 0.5):.2g}")
    return setting | {
        "init_out": rng.choice([0.1, 0.3, 1.0, 2.0, 3.5, 6.0]),
        "beta2": rng.choice([0.9, 0.95, 0.99, 0.999]),
        "batch": rng.choice([8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 1000]),
        "weight_decay": rng.choice([0.0, 0.0, 0.01, 0.03, 0.1, 0.3, 0.6, 0.9]),
        "validation": rng.choice([0.02, 0.05, 0.1, 0.2]),
        "stop": rng.choice([0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005]),
        "epochs": rng.choice([10, 30, 60, 150, 300]),
    }


def plain(rng: random.Random) -> dict[str, Any]:
    """One random setting of the C SGD."""
    return {
        "activation": rng.choice(["cube", "relu"]),
        "hidden": rng.choice([16, 32, 48, 64, 128, 200, 256]),
        "lr": float(f"{10 ** rng.uniform(-2.3, 0.7):.2g}"),
        "weight_decay": rng.choice([0.0, 0.01, 0.03, 0.1, 0.2, 0.3, 0.6]),
        "batch": rng.choice([4, 8, 16, 32, 64]),
        "init": rng.choice([0.1, 0.3, 1.0, 1.0, 2.0, 3.0]),
        "init_out": rng.choice([0.1, 0.3, 1.0, 3.0, 6.0, 12.0]),
        "validation": rng.choice([0.05, 0.1, 0.2]),
        "sure": rng.choice([1, 2, 3]),
        "epochs": rng.choice([20, 60, 150, 300]),
        "patience": rng.choice([3, 5, 10, 20]),
    }


# Each learner's class, its space, and the settings that its search begins with.
LEARNERS: dict[str, tuple[Callable[..., Any], Space, list[dict[str, Any]]]] = {
    "backprop": (BackpropMLP, wide, [asdict(BackpropMLP()), RELU]),
    "sgd_c": (SgdC, plain, [asdict(SgdC())]),
}


def changed(rng: random.Random, setting: dict[str, Any], space: Space) -> dict[str, Any]:
    """The setting with another rate and up to three other values drawn anew."""
    new = setting | {"lr": float(f"{setting['lr'] * 10 ** rng.gauss(0, 0.15):.2g}")}
    others = [name for name in new if name not in ("activation", "optimizer", "lr")]
    fresh = space(rng)
    return new | {name: fresh[name] for name in rng.sample(others, rng.randint(0, 3))}


def sit(setting: dict[str, Any], task: SparseParity, draws: list[Draw], stage: str) -> Trial:
    algorithm = BackpropMLP(**{"epochs": 60} | setting)
    times, solved = [], 0
    for seed, draw in enumerate(draws):
        algorithm.prepare(task.spec(seed))
        start = time.process_time_ns()
        network = finish(algorithm.train(draw.train))
        times.append((time.process_time_ns() - start) / 1e6)
        solved += task.examine(draw, network).value >= SOLVED
        if len(times) - solved > 1 and stage in STAGES:
            break
    median, mean = statistics.median(times), statistics.fmean(times)
    return Trial(stage, solved, len(times), median, mean, max(times), setting)


def show(trial: Trial) -> None:
    print(
        f"  {trial.solved}/{trial.draws} solved  median {trial.median_ms:.2f} ms  "
        f"mean {trial.mean_ms:.2f}  worst {trial.worst_ms:.2f}  {trial.setting}"
    )


def tested(
    algorithm: Algorithm,
    setting: dict[str, Any],
    task: SparseParity,
    draws: list[Draw],
    stage: str,
    best: Hunted | None,
    most: int | None = None,
) -> Hunted:
    """Sits the draws until it cannot become better than the best so far."""
    times: list[float] = []
    accuracies: list[float] = []
    for seed, draw in enumerate(draws):
        algorithm.prepare(task.spec(seed))
        start = time.process_time_ns()
        network = finish(algorithm.train(draw.train))
        times.append((time.process_time_ns() - start) / 1e6)
        accuracies.append(task.examine(draw, network).value)
        hopeless = len(times) == 2 and statistics.fmean(accuracies) < 0.6
        if best and best.full:
            hopeless = accuracies[-1] < SOLVED or sum(times) > 2 * best.mean_ms * len(draws)
        if stage == "final":
            solved = sum(accuracy >= SOLVED for accuracy in accuracies)
            hopeless = most is not None and len(accuracies) - solved > most
        if hopeless:
            break
    solved = sum(accuracy >= SOLVED for accuracy in accuracies)
    median, mean = statistics.median(times), statistics.fmean(times)
    trial = Hunted(stage, solved, len(times), median, mean, max(times), setting)
    trial.accuracy = statistics.fmean(accuracies)
    trial.full = solved == len(draws)
    return trial


def hunt(
    learner: str, task: SparseParity, seconds: float, seed: int, before: list[Hunted]
) -> Iterator[Hunted]:
    """Trials of random settings, of changes to the best, and of the best on more draws."""
    rng = random.Random(f"{seed} {len(before)}")
    entropy = [seed, task.n, task.k, round(1000 * task.noise)]
    draws = task.draws([*entropy, 0], HUNT_DRAWS)
    make, space, known = LEARNERS[learner]
    known = list(known)
    done = sorted(before, key=lambda trial: trial.rank)
    if done:
        known.clear()
    start = time.process_time()
    while (spent := time.process_time() - start) < seconds:
        stage = "random" if spent < seconds / 2 else "refined"
        if known:
            setting = known.pop()
        elif stage == "random":
            setting = space(rng)
        else:
            setting = changed(rng, rng.choice(done[:5]).setting, space)
        best = done[0] if done else None
        trial = tested(make(**setting), setting, task, draws, stage, best)
        bisect.insort(done, trial, key=lambda trial: trial.rank)
        yield trial
    draws = task.draws([*entropy, 1], HUNT_FINAL if done[0].full else HUNT_DRAWS)
    most = len(draws) if done[0].full else None  # failures that are still of interest
    if done[0].full:
        # The fastest, and of all others those that came least close to a failure.
        full = [trial for trial in done if trial.full]
        safe = sorted(full[HUNT_BEST // 2 :], key=lambda trial: (-trial.accuracy, trial.mean_ms))
        done = full[: HUNT_BEST // 2] + safe[: HUNT_BEST // 2]
    chosen = [trial.setting for trial in done[: HUNT_BEST if done[0].full else 4]]
    for setting in LEARNERS[learner][2] + chosen:
        trial = tested(make(**setting), setting, task, draws, "final", None, most)
        if most is not None and trial.draws == len(draws):
            most = min(most, len(draws) - trial.solved)
        yield trial


def earlier(out: Path | None, learner: str, task: SparseParity) -> list[Hunted]:
    """The search's trials of this task that the file has."""
    if out is None or not out.exists():
        return []
    kinds = {name: type(value) for name, value in LEARNERS[learner][2][0].items()}
    found = []
    with out.open(newline="") as file:
        for row in csv.DictReader(file):
            here = int(row["n"]), int(row["k"]), float(row["noise"])
            if here != (task.n, task.k, task.noise) or row["stage"] == "final":
                continue
            solved, draws = int(row["solved"]), int(row["draws"])
            times = (float(row[name]) for name in ("median_ms", "mean_ms", "worst_ms"))
            setting = {name: kind(row[name]) for name, kind in kinds.items()}
            trial = Hunted(row["stage"], solved, draws, *times, setting)
            trial.accuracy, trial.full = float(row["accuracy"]), solved == draws == HUNT_DRAWS
            found.append(trial)
    return found


def grow(out: Path | None, learner: str, task: SparseParity, trials: Iterator[Hunted]) -> None:
    """Appends each trial to the file as it comes, and shows the last stage's."""
    for trial in trials:
        where = {"n": task.n, "k": task.k, "noise": task.noise}
        row = {**where, **asdict(trial), "accuracy": round(trial.accuracy, 4), **trial.setting}
        del row["setting"], row["full"]
        row.update({k: round(v, 3) for k, v in row.items() if k.endswith("_ms")})
        if trial.stage == "final":
            print(where, f"accuracy {trial.accuracy:.3f}", end="")
            show(trial)
        if out is None:
            continue
        with out.open("a", newline="") as file:
            # By name, since settings name their fields in no fixed order.
            columns = [*where, *HUNT_COLUMNS, *LEARNERS[learner][2][0]]
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            if not file.tell():
                writer.writeheader()
            writer.writerow(row)


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
    parser.add_argument("--learner", choices=list(LEARNERS), default="backprop")
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, help="CPU time of the wider search")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="csv file; none is written without it")
    args = parser.parse_args()

    task = SparseParity(n=args.n, k=args.k, rows=args.rows, noise=args.noise)
    if args.seconds:
        before = earlier(args.out, args.learner, task)
        trials = hunt(args.learner, task, args.seconds, args.seed, before)
        grow(args.out, args.learner, task, trials)
        return
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
