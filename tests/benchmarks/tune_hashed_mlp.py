"""Random search for the hyperparameters of `algorithms/hashed_mlp.py` on tinyshakespeare.

    BENCH_DATA=... python tests/benchmarks/tune_hashed_mlp.py --out algorithms/tuning/hashed_mlp.csv

Nothing here has seen the validation part. Trained is on the last bytes of the training part without
its last 100 kB, scored on those 100 kB, in segments of 1,024. For each length of text so much CPU time
(--seconds): a quarter of it on random settings, the rest on changes to the best five. Their order is

    log2(CPU-seconds of training) + nats / worth

where worth is about what a doubled text gains (WORTH). The best five are then trained three times and
take the median, since on a busy machine times vary. The file has the best 60 trials of a length; the
one at hand is of --lengths 0 (stopped after 180 s, all 120 trials) and of 24 s for the others.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: its idle threads cost CPU time

import argparse
import csv
import math
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))


from algorithms.hashed_mlp import KINDS, HashedMlp
from tests.benchmarks.text_trial import before_validation, sit

WORTH = {20_000: 0.15, 110_000: 0.12, 360_000: 0.05, 0: 0.015}  # nats, by bytes of text; 0: all
BEST, FINAL, KEPT = 5, 3, 60
SPACE: dict[str, Callable[[random.Random], Any]] = {
    "contexts": lambda rng: "+".join(k for k in KINDS if rng.random() < 0.75) or KINDS[0],
    "embedded": lambda rng: "+".join(k for k in KINDS if rng.random() < 0.5) or KINDS[0],
    "past": lambda rng: rng.choice([0, 2, 4, 6, 8]),
    "trail": lambda rng: rng.choice([0, 0, 0, 4, 8]),
    "embed": lambda rng: rng.choice([16, 16, 32, 64]),
    "hidden": lambda rng: rng.choice([0, 0, 0, 32]),
    "batch": lambda rng: rng.choice([16, 32, 64, 128]),
    "match_long": lambda rng: rng.choice([5, 6, 7, 8]),
    "match_short": lambda rng: rng.choice([0, 3, 3, 4]),
    "runs": lambda rng: rng.choice([1, 1, 1, 2, 4]),
    "lr": lambda rng: 10 ** rng.uniform(-1, 0.1),
    "decay": lambda rng: rng.uniform(0.1, 0.5),
    "floor": lambda rng: 10 ** rng.uniform(-2, -0.7),
    "lr_gain": lambda rng: 10 ** rng.uniform(-2.5, -1),
    "lr_run": lambda rng: 10 ** rng.uniform(-3, -1),
    "lr_match": lambda rng: 10 ** rng.uniform(-1.5, 0),
    "gain": lambda rng: rng.uniform(0.4, 1.0),
    "end": lambda rng: rng.choice([0.0, 0.03, 0.1, 0.2, 0.3]),
    "lr_embed": lambda rng: 10 ** rng.uniform(-2, -0.7),
    "embed_decay": lambda rng: rng.uniform(0.0, 0.6),
    "embed_floor": lambda rng: 10 ** rng.uniform(-2, -0.5),
    "lr_shared": lambda rng: 10 ** rng.uniform(-1.5, 0),
    "lr_dense": lambda rng: 10 ** rng.uniform(-3.3, -2),
    "init": lambda rng: 10 ** rng.uniform(-1, 0),
    "init_past": lambda rng: 10 ** rng.uniform(-1.5, 0),
}
DRAWN = {
    *("past", "trail", "embed", "hidden", "batch", "match_long", "match_short", "runs", "end"),
}


def changed(rng: random.Random, setting: dict[str, Any]) -> dict[str, Any]:
    """The setting with one to five values moved or drawn anew, one context more or less among them."""
    new = dict(setting)
    for name in rng.sample(list(SPACE), rng.randint(1, 5)):
        if name in ("contexts", "embedded"):
            flipped = rng.choice(KINDS)
            on = {*new[name].split("+")} ^ {flipped}
            new[name] = "+".join(k for k in KINDS if k in on) or flipped
        elif name in DRAWN or rng.random() < 0.1:
            new[name] = SPACE[name](rng)
        else:
            new[name] = max(new[name], 1e-3) * 2 ** rng.gauss(0, 0.5)
    return rounded(new)


def rounded(setting: dict[str, Any]) -> dict[str, Any]:
    return {k: float(f"{v:.3g}") if isinstance(v, float) else v for k, v in setting.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=150, help="CPU time for each length")
    parser.add_argument("--lengths", type=int, nargs="+", default=list(WORTH), help="bytes of text")
    parser.add_argument("--worth", type=float, help="nats that twice the text gains")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="csv file; none is written without it")
    args = parser.parse_args()

    train, segments = before_validation()
    for length in args.lengths:
        worth = args.worth or WORTH.get(length, 0.05)
        rows: list[dict[str, Any]] = []
        rng = random.Random(args.seed)
        done: list[tuple[float, dict[str, Any]]] = []
        start = time.process_time()

        def trial(stage: str, setting: dict[str, Any], times: int) -> float:
            setting = setting | {"train_bytes": length}  # noqa: B023
            sat = [sit(HashedMlp(**setting), train, segments) for _ in range(times)]
            nats, seconds = sat[0][0], statistics.median(s for _, s in sat)
            order = math.log2(seconds) + nats / worth  # noqa: B023
            measured = {"nats": round(nats, 4), "train_ms": round(1e3 * seconds, 2)}
            rows.append({"stage": stage, "worth": worth, "order": round(order, 3)} | measured)  # noqa: B023
            rows[-1] |= asdict(HashedMlp(**setting))  # noqa: B023
            return order

        while (spent := time.process_time() - start) < args.seconds:
            stage = "random" if spent < args.seconds / 4 and done else "refined"
            if not done:
                setting = {name: getattr(HashedMlp(), name) for name in SPACE}
            elif stage == "random" and len(done) % 2:
                setting = rounded({name: draw(rng) for name, draw in SPACE.items()})
            else:
                setting = changed(rng, rng.choice(done[:5])[1])
            done.append((trial(stage, setting, 1), setting))
            done.sort(key=lambda t: t[0])
        final = [(trial("final", setting, FINAL), setting) for _, setting in done[:BEST]]
        best = min(final, key=lambda t: t[0])
        print(
            length, len(done), best, [(r["nats"], r["train_ms"]) for r in rows[-BEST:]], flush=True
        )
        if args.out:
            rows = sorted(rows, key=lambda row: float(row["order"]))[:KEPT]
            with args.out.open("a", newline="") as file:
                writer = csv.DictWriter(file, rows[0], lineterminator="\n")
                if not file.tell():
                    writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main()
