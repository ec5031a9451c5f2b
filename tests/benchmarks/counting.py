"""What counting costs, and what it finds. python -m tests.benchmarks.counting

CPU time of a training with and without counting, by turns in one process, median of several; what it
takes to open and close the counters is told apart, since a training pays it once. Counts are those of the
whole training over its steps. One thread. The text is a made-up grammar's, so that nothing is downloaded;
the GPT has nanoGPT's size for a CPU, and a few of its iterations.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.table import Table

from algorithms.backprop_gpt import BackpropGPT
from algorithms.backprop_mlp import BackpropMLP
from algorithms.ngram import Ngram
from algorithms.xor_elimination import XorElimination
from metrics.count_numpy import NumpyCounter
from metrics.count_torch import TorchCounter
from metrics.counts import Tally
from reports.console import table_console
from tasks import grammar
from tasks.sequence import SequenceSpec
from tasks.sparse_parity import SparseParity

TEXT = 1_000_000
ITERS = 5


def cases() -> list[tuple[str, Any, Any, Any, Callable[[int], int], int]]:
    """Name, algorithm, spec, data, steps from the number of events, and repeats."""
    text = grammar.generate(TEXT, [0])
    sequence = SequenceSpec(TEXT, segment=1024, lanes=8, seed=0)
    task = SparseParity()
    parity, rows = task.spec(0), task.draws([0], 1)[0].train
    batch = BackpropMLP().batch
    held = int(len(rows["x"]) * BackpropMLP().validation)
    steps = -(-(len(rows["x"]) - held) // batch)
    gpt = BackpropGPT(max_iters=ITERS, device="cpu")
    return [
        ("GPT, a step of nanoGPT", gpt, sequence, {"text": text}, lambda events: ITERS, 5),
        (
            "MLP, a step",
            BackpropMLP(),
            parity,
            rows,
            lambda events: min(events + 1, 40) * steps,
            21,
        ),
        ("ngram, a training on 1 MB", Ngram(), sequence, {"text": text}, lambda events: 1, 5),
        ("xor_elimination, a training", XorElimination(), parity, rows, lambda events: 1, 51),
    ]


def trained(algorithm: Any, data: Any, wrap: Callable[[Any], Any]) -> int:
    """Trains, and returns at how many events it could have been paused."""
    training = algorithm.train({name: wrap(x) for name, x in data.items()})
    return sum(1 for _ in training)


def main() -> None:
    torch.set_num_threads(1)
    table = Table(box=None)
    columns = ("training", "plain, ms", "counted, ms", "ratio", "operations", "multiplications")
    for name in (*columns, "bytes read", "written", "peak"):
        table.add_column(name, justify="left" if name == "training" else "right")
    notes: dict[str, list[str]] = {}
    opening: list[float] = []
    for name, algorithm, spec, data, steps_of, repeats in cases():
        algorithm.prepare(spec)
        seconds: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(repeats):
            for counting in (False, True):
                numbers, tensors = NumpyCounter(), TorchCounter()
                opened = time.process_time()
                with contextlib.ExitStack() as within:
                    if counting:
                        within.enter_context(tensors)
                        within.enter_context(numbers)
                    begin = time.process_time()
                    events = trained(algorithm, data, numbers.wrap if counting else lambda x: x)
                    end = time.process_time()
                seconds[counting].append(end - begin)
                if counting:
                    opening.append(time.process_time() - opened - (end - begin))
        tally, steps = Tally(), steps_of(events)
        tally.add(tensors.tally)
        tally.add(numbers.tally)
        plain, counted = (1000 * statistics.median(seconds[c]) / steps for c in (False, True))
        products = {k: n for k, n in tally.operations.items() if k.endswith("_mul")}
        figures = (
            sum(tally.operations.values()),
            sum(products.values()),
            tally.read_bytes,
            tally.written_bytes,
        )
        each = [f"{x / steps:,.0f}" for x in figures]
        times = (f"{plain:,.3f}", f"{counted:,.3f}", f"{counted / plain:.2f}")
        table.add_row(name, *times, *each, f"{tally.peak_bytes:,}")
        notes[name] = tally.told()["notes"]
    table_console().print(table)
    print(f"opening and closing both counters: {1000 * statistics.median(opening):.0f} ms, median")
    for name, words in notes.items():
        print(f"{name}: {'; '.join(words)}")


if __name__ == "__main__":
    main()
