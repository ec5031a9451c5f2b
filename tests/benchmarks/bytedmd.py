"""What ByteDMD costs to compute: reads/s for 1e4 … 1e6 reads. python -m tests.benchmarks.bytedmd

matmul: naive i-j-k, whose reads go far down the stack. shuffle: operands at random places, the worst
for memory. Tracing is the function on tracked scalars, pricing the rest.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from rich.table import Table

from metrics.bytedmd import bytedmd
from reports.console import table_console


def matmul(A: list[list[Any]], B: list[list[Any]]) -> list[list[Any]]:
    columns = [list(column) for column in zip(*B, strict=True)]
    return [
        [sum(x * y for x, y in zip(row, column, strict=True)) for column in columns] for row in A
    ]


def shuffle(pairs: list[tuple[int, int]], x: list[Any]) -> None:
    for i, j in pairs:
        x[i] = x[i] + x[j]


def cases(reads: int) -> list[tuple[str, Callable[..., Any], tuple[Any, ...]]]:
    n = round((reads / 4) ** (1 / 3))
    rng = random.Random(1)
    size = reads // 20
    pairs = [(rng.randrange(size), rng.randrange(size)) for _ in range(reads // 2)]
    return [
        ("matmul", matmul, (np.ones((n, n)), np.ones((n, n)))),
        ("shuffle", partial(shuffle, pairs), ([1.0] * size,)),
    ]


def main() -> None:
    table = Table(box=None)
    for name in ("function", "reads", "seconds", "of it tracing", "reads/s", "mean depth"):
        table.add_column(name, justify="left" if name == "function" else "right")
    for reads in (10_000, 30_000, 100_000, 300_000, 1_000_000):
        for name, function, args in cases(reads):
            traced_s = [0.0]

            def timed(*wrapped: Any, run: Any = function, spent: list[float] = traced_s) -> Any:
                begin = time.perf_counter()
                result = run(*wrapped)
                spent[0] = time.perf_counter() - begin
                return result

            begin = time.perf_counter()
            cost = bytedmd(timed, *args)
            took_s = time.perf_counter() - begin
            figures = (f"{cost.reads:,}", f"{took_s:.3f}", f"{traced_s[0]:.3f}")
            speed = f"{cost.reads / took_s:,.0f}"
            table.add_row(name, *figures, speed, f"{cost.trace.mean():,.0f}")
    table_console().print(table)


if __name__ == "__main__":
    main()
