"""Trains `algorithms/transformer.py` on tinyshakespeare by the settings named, one after the other.

    BENCH_DATA=... python tests/benchmarks/tune_transformer.py \\
        --out algorithms/tuning/transformer.csv -- n_layer=1,epochs=0.15 n_embd=128,n_head=4

A setting is a list of fields that differ from the defaults. --on slice, the default: trained on the
training part without its last 100 kB, scored on those, so that nothing has seen the validation part.
--on validation and --on tenth (a random one, drawn by --seed) are for confirming once. Every setting is
scored without and with dynamic evaluation. CPU seconds are those of the training, on one thread.

The file's column `removed` names what did not help and is gone: cut, a part of the training positions
whose longer contexts counted as rare; lead, a part of the training without tables; end, less than a
pass read the end of the text, not pieces from all over.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy and torch

import argparse
import csv
import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import yaml

from algorithms.dynamic import Dynamic
from algorithms.transformer import Transformer
from tasks.nanogpt import NanoGPT
from tasks.sequence import examine
from tests.benchmarks.text_trial import SEGMENT, before_validation, trained


def parts(on: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The text to train on, and held-out segments [count, SEGMENT]."""
    if on in ("tenth", "validation"):
        split = "random" if on == "tenth" else "nanogpt"
        draw = NanoGPT(text="tinyshakespeare", split=split).draws([seed, 1], 1)[0]
        return draw.train["text"], draw.key["segments"]
    return before_validation()


def sit(fields: dict[str, Any], on: str, seed: int) -> dict[str, Any]:
    train, segments = parts(on, seed)
    algorithm = Transformer(**fields)
    predictor, seconds = trained(algorithm, train, seed)
    took = {"cpu_s": seconds}
    for name in ("plain", "adapted"):
        dynamic = Dynamic(algorithm.adapt_rate, algorithm.adapt_every, SEGMENT)
        predictor.dynamic = dynamic if name == "adapted" else None
        start = time.process_time()
        took[name] = examine(segments, predictor, 128).value
        took[f"{name}_exam_s"] = time.process_time() - start
    return {k: round(v, 4 if k in ("plain", "adapted") else 2) for k, v in took.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("settings", nargs="+", help="as n_layer=1,epochs=0.15")
    parser.add_argument("--on", choices=("slice", "validation", "tenth"), default="slice")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="csv file; none is written without it")
    asked = parser.parse_args()
    for setting in asked.settings:
        pairs = (pair.split("=") for pair in setting.split(",") if pair)
        fields = {name: yaml.safe_load(value) for name, value in pairs}
        row = {"on": asked.on, "seed": asked.seed, **sit(fields, asked.on, asked.seed)}
        print(setting, row, flush=True)
        row |= dataclasses.asdict(Transformer(**fields)) | {"removed": ""}
        if asked.out:
            with asked.out.open("a", newline="") as file:
                writer = csv.DictWriter(file, row, lineterminator="\n")
                if not file.tell():
                    writer.writeheader()
                writer.writerow(row)


if __name__ == "__main__":
    main()
