"""Where each text algorithm's training may stop: the least text with which it meets a bar.

    BENCH_DATA=... python -m tests.benchmarks.stopping_points --out algorithms/tuning/stopping_points.csv

Exam runs are never paused, so how much they learn is fixed beforehand, here: for every setting below and
every bar of a text's ladder, the least number of bytes with which the median over --draws random tenths
is --spare below the bar (between random tenths scores have a standard deviation of about 0.05), by bisection
to 20 %. The draws are of this script's own seeds; an exam's nonces are random. The runs of a suite
(configs/suite/tinyshakespeare.yaml) are the cheapest rows, and algo=backprop_tuned looks them up.

The file's rows are of the defaults, but the transformer's (--draws 3 --precision 1.35 --spare 0.02) and
grammar's, whose draws differ less (--text grammar --draws 3 --precision 1.12 --spare 0.003).
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: its idle threads cost CPU time

import argparse
import csv
import statistics
from pathlib import Path
from typing import Any

from algorithms.backprop_tuned import typed
from harness import registry
from harness.load import load_class
from tasks.base import Draw
from tasks.nanogpt import NanoGPT
from tests.benchmarks.text_trial import sit

LEAST = 8_000
SOFTMAX_188 = (
    "contexts=1+2+w0+w1 match_long=8 match_short=4 lr=1.18 decay=0.187 floor=0.152 lr_gain=0.0109 "
    "lr_run=0.00599 lr_match=0.717 gain=0.355 end=0.3"
)
SOFTMAX_160 = (
    "contexts=1+2+3+w0+w1+column match_long=5 match_short=3 lr=1.03 decay=0.248 floor=0.0446 "
    "lr_gain=0.011 lr_run=0.00246 lr_match=1.0 gain=0.926 end=0.1"
)
SOFTMAX_147 = "contexts=1+2+3+w0+w1+column"
MLP_160 = (
    "embed=16 lr_shared=0.312 contexts=1+2+3+5+w0+w1+w2+column+v1 embedded=1+2+3+w0+w1+column past=4 "
    "decay=0.262 lr_run=0.00121 lr_match=1.9 embed_decay=0.147 embed_floor=0.227 lr_dense=0.00817"
)
MLP_142 = (
    "embed=16 lr_shared=0.312 contexts=1+2+3+5+w0+w1+w2+column+v1 embedded=1+2+3+w0+column end=0.2 "
    "embed_decay=0.15"
)
GRAMMAR = (
    "contexts=2+3+6+w0+w1+w2+v1+v2 embedded=2+3+6+w0+w1+w2+v1+v2 trail=8 lr=0.157 decay=0.253 "
    "gain=0.997"
)
Setting = tuple[str, str, str]
# Algorithm, the field that says how much is learned (bytes, or as a fraction), and settings to be tried.
TRIED: dict[str, list[Setting]] = {
    "tinyshakespeare": [
        *(("ngram", "last_bytes", f"order={order}") for order in (4, 5, 7)),
        *(("hashed_softmax", "train_bytes", s) for s in (SOFTMAX_188, SOFTMAX_160, SOFTMAX_147)),
        *(("hashed_mlp", "train_bytes", s) for s in (MLP_160, MLP_142)),
        *(("hypercell", "train_bytes", s) for s in ("", "genome=hand")),
        ("ppm", "last_bytes", ""),
        ("mixer", "last_bytes", ""),
        ("transformer", "epochs", "n_embd=32 n_head=1 batch_size=8 first_batch=2"),
    ],
    "grammar": [
        *(("ngram", "last_bytes", f"order={order}") for order in (5, 7)),
        *(("hashed_softmax", "train_bytes", s) for s in (SOFTMAX_147, "")),
        ("hashed_mlp", "train_bytes", f"embed=16 lr_shared=0.312 {GRAMMAR}"),
        ("hashed_mlp", "train_bytes", f"embed=32 lr_shared=0.312 {GRAMMAR}"),
        ("hashed_mlp", "train_bytes", f"embed=64 hidden=32 lr_shared=0.312 {GRAMMAR}"),
        *(("hypercell", "train_bytes", s) for s in ("", "genome=hand")),
        ("ppm", "last_bytes", ""),
        ("mixer", "last_bytes", ""),
        ("transformer", "epochs", ""),
    ],
}


def on_text(name: str) -> registry.Choice:
    """An algorithm's yaml for texts."""
    return next(c for c in registry.find("algo", name) if "sequence" in c.families)


class Tried:
    """A setting of an algorithm, trained on the last so many bytes of every draw."""

    def __init__(self, name: str, size_field: str, text: str, adapt: bool | None) -> None:
        self.name, self.size_field = name, size_field
        words = [f"algo.{word}" for word in text.split()]
        self.words = " ".join((["algo.adapt=true"] if adapt else []) + words)
        self.choice = on_text(name)
        given = dict(word.removeprefix("algo.").split("=", 1) for word in self.words.split())
        defaults = self.choice.fields
        self.fields = defaults | {k: typed(defaults[k], value) for k, value in given.items()}
        self.seen: dict[int, tuple[float, float]] = {}

    def measured(self, size: int, task: NanoGPT, draws: list[Draw]) -> tuple[float, float]:
        """Medians over the draws: nats per byte, CPU seconds of training."""
        if size not in self.seen:
            sat = [self.sit(size, task, draw) for draw in draws]
            nats, seconds = (statistics.median(values) for values in zip(*sat, strict=True))
            self.seen[size] = nats, seconds
        return self.seen[size]

    def sit(self, size: int, task: NanoGPT, draw: Draw) -> tuple[float, float]:
        amount = float(self.amount(size, len(draw.train["text"])))
        whole = isinstance(self.choice.fields[self.size_field], int)
        fields = self.fields | {self.size_field: int(amount) if whole else amount}
        algorithm = load_class(self.choice.target)(**fields)
        return sit(algorithm, draw.train["text"], draw.key["segments"])

    def amount(self, size: int, most: int) -> str:
        """What the size field is set to, as a word: bytes, or their fraction of all."""
        whole = isinstance(self.choice.fields[self.size_field], int)
        return str(size) if whole else f"{size / most:.4f}"

    def least(
        self, goal: float, low: int, high: int, task: NanoGPT, draws: list[Draw], precision: float
    ) -> tuple[int, int]:
        """Sizes below and at which the goal is met, within `precision` of each other."""
        while high / low > precision:
            middle = round((low * high) ** 0.5)
            met = self.measured(middle, task, draws)[0] <= goal
            low, high = (low, middle) if met else (middle, high)
        return low, high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--text", default="tinyshakespeare", help="or grammar")
    parser.add_argument("--draws", type=int, default=7)
    parser.add_argument("--spare", type=float, default=0.03, help="nats below the bar")
    parser.add_argument("--precision", type=float, default=1.2, help="of sizes, as a ratio")
    parser.add_argument("--only", nargs="+", help="algorithms")
    parser.add_argument(
        "--out", type=Path, help="csv file to append to; none is written without it"
    )
    parser.add_argument("--suite", type=Path, help="instead, print a file's cheapest rows as runs")
    args = parser.parse_args()
    if args.suite:
        for row in cheapest(args.suite, args.text):
            print(f"  - task.bar={row['bar']} algo={row['algo']} {row['words']}")
        return
    task = NanoGPT(text=args.text, score_bytes=65_536)  # half of what is held out says enough
    draws = [task.draws([seed, 31 + seed], 1)[0] for seed in range(1000, 1000 + args.draws)]
    most = len(draws[0].train["text"])
    for name, size_field, text in TRIED[args.text]:
        if args.only and name not in args.only:
            continue
        able = "adapt" in on_text(name).fields
        for adapt in (False, True) if able else (None,):
            tried = Tried(name, size_field, text, adapt)
            nats, seconds = tried.measured(most, task, draws)
            took = f"{1e3 * seconds:.0f} ms"
            print(f"# {name} {tried.words}: all text {nats:.4f} in {took}", flush=True)
            low = LEAST
            for bar in task.compared_at():
                if nats > bar - args.spare:
                    break
                low, size = tried.least(bar - args.spare, low, most, task, draws, args.precision)
                met, spent_s = tried.measured(size, task, draws)
                words = f"algo.{size_field}={tried.amount(size, most)} {tried.words}".strip()
                figures = round(bar, 4), round(1e3 * spent_s, 1), round(met, 4)
                keep(args.out, args.text, *figures, name, words)


def cheapest(path: Path, text: str) -> list[dict[str, str]]:
    """For every bar, algorithm and whether it adapts, the row with the least CPU time."""
    best: dict[tuple[str, str, bool], dict[str, str]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            key = row["bar"], row["algo"], "algo.adapt=true" in row["words"].split()
            if row["text"] == text and (
                key not in best or float(row["cpu_ms"]) < float(best[key]["cpu_ms"])
            ):
                best[key] = row
    return sorted(best.values(), key=lambda row: (-float(row["bar"]), float(row["cpu_ms"])))


def keep(out: Path | None, *row: Any) -> None:
    """Prints a row and appends it to the file."""
    print(*row, flush=True)
    if out:
        new = not out.exists()
        with out.open("a", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if new:
                writer.writerow(("text", "bar", "cpu_ms", "nats", "algo", "words"))
            writer.writerow(row)


if __name__ == "__main__":
    main()
