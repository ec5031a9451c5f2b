"""Cell updates per second of the simulator and of its peers, in one run; nothing can fail for being slow.

python tests/benchmarks/automaton.py [--width 149] [--rounds 7]

Every way is first held against the definition, bit by bit. Then it does all steps that are counted: no
rate here profits from an early end. Rates are per second of one core's time (all threads' CPU time
added up), medians of rounds in which the ways take turns. Peers that are wanted: cellpylib and jax, by
pip install cellpylib jax; what is missing is named and left out.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tasks.automaton import bits, oracle, program
from tasks.automaton.rules import mirrored, parse_rule
from tasks.automaton.simulator import Simulator
from tasks.automaton.synthesis import synthesised
from tasks.native import compilers

M, STEPS = 100_000, 320  # how a rule is scored
RULES = 5  # random ones
RNG = np.random.default_rng(1978)


@dataclass
class Way:
    """How to run a rule. run(table, state, steps) -> state. updates: about so many in a round."""

    name: str
    rules: str  # "gkl" or "random"
    run: Callable[[np.ndarray, np.ndarray, int], np.ndarray]
    updates: float
    wanted: str = ""
    rates: list[float] = field(default_factory=list)


def random_rule() -> np.ndarray:
    """That lets no uniform configuration be, so that no way ends early."""
    table = RNG.integers(0, 2, 128).astype(np.uint8)
    table[0] = 1
    return table


def by_numpy(table: np.ndarray, state: np.ndarray, steps: int) -> np.ndarray:
    """The oracle: np.roll and a look-up."""
    return bits.pack(oracle.run(table, bits.unpack(state, 64 * state.shape[1]), steps))


def by_cellpylib(cellpylib: Any) -> Callable[..., np.ndarray]:
    """Configuration after configuration, its rule a Python function, as its manual has it."""

    def run(table: np.ndarray, state: np.ndarray, steps: int) -> np.ndarray:
        def rule(cells: np.ndarray, cell: int, step: int) -> int:
            return int(table[cellpylib.bits_to_int(cells)])

        before = bits.unpack(state, 64 * state.shape[1])
        ends = [
            cellpylib.evolve(row[None].astype(int), timesteps=steps + 1, apply_rule=rule, r=3)[-1]
            for row in before[:FEW]
        ]
        return bits.pack(np.array(ends, np.uint8))

    return run


FEW = 8  # configurations for cellpylib


def by_jax(jax: Any, sliced: bool) -> Callable[..., np.ndarray]:
    """Compiled by XLA: a look-up for every cell, or our operations on 32 configurations to a word."""
    jnp = jax.numpy
    jitted: dict[bytes, Any] = {}

    def looked_up(table: np.ndarray) -> Any:
        entries = jnp.asarray(table)

        def step(_: int, cells: Any) -> Any:
            index = jnp.zeros(cells.shape, jnp.int32)
            for offset in range(-3, 4):
                index = 2 * index + jnp.roll(cells, -offset, axis=0)
            return entries[index]

        return jax.jit(lambda cells, steps: jax.lax.fori_loop(0, steps, step, cells))

    def look_ups(table: np.ndarray) -> Any:
        operations = synthesised(table).operations

        def step(_: int, words: Any) -> Any:
            x = [jnp.roll(words, -offset, axis=0) for offset in range(-3, 4)]
            for op in operations:
                a, b, c = x[op.a], x[op.b], x[op.c]
                high, low = two(op.bits >> 4, b, c), two(op.bits & 15, b, c)
                x.append((a & high) | (~a & low))
            return x[-1]

        return jax.jit(lambda words, steps: jax.lax.fori_loop(0, steps, step, words))

    def two(function: int, b: Any, c: Any) -> Any:
        terms = [b & c, b & ~c, ~b & c, ~b & ~c]
        found = b ^ b
        for i, term in enumerate(terms):
            if function >> (3 - i) & 1:
                found = found | term
        return found

    def run(table: np.ndarray, state: np.ndarray, steps: int) -> np.ndarray:
        key = table.tobytes()
        if key not in jitted:
            jitted[key] = (look_ups if sliced else looked_up)(table)
        if sliced:
            given = np.ascontiguousarray(state).view(np.uint32)
            return np.asarray(jitted[key](given, steps)).view(np.uint64)
        cells = np.ascontiguousarray(bits.unpack(state, 64 * state.shape[1]).T)
        return bits.pack(np.asarray(jitted[key](cells, steps)).T)

    return run


def ways(width: int) -> tuple[list[Way], list[str]]:
    """What can be measured here, and what is left out and why."""
    data = Simulator(3, width)

    def compiled(table: np.ndarray, state: np.ndarray, steps: int) -> np.ndarray:
        return program.compiled(table).run(state, steps, whole=True)

    found = [
        Way("compiled", "gkl", compiled, 2e10, ">= 2e11"),
        Way("compiled", "random", compiled, 1e10, ">= 3e10"),
        Way("as data", "random", data.data, 3e9),
        Way("numpy, look-up", "random", by_numpy, 1e7),
    ]
    missing = []
    for name in ("jax", "cellpylib"):
        try:
            package = importlib.import_module(name)
        except ImportError as error:
            missing.append(f"{name} is left out ({error}): pip install {name}")
            continue
        version = f"{name} {package.__version__}" if hasattr(package, "__version__") else name
        if name == "cellpylib":
            found.append(Way(version, "random", by_cellpylib(package), 3e4))
            continue
        found.append(Way(f"{version}, look-up", "random", by_jax(package, False), 1e8))
        for rules in ("gkl", "random"):
            way = Way(f"{version}, bit-sliced", rules, by_jax(package, True), 2e9)
            found.append(way)
    return found, missing


def tables(way: Way, rules: list[np.ndarray]) -> list[np.ndarray]:
    return [parse_rule("gkl")] if way.rules == "gkl" else rules


def check(way: Way, rules: list[np.ndarray], width: int) -> None:
    """That it does what the definition says, on a few configurations."""
    state = bits.fair_coins(RNG, 1024, width)
    steps = 3 if "cellpylib" in way.name else 20
    for table in tables(way, rules)[:2]:
        got = way.run(table, state, steps)
        m = FEW if "cellpylib" in way.name else 1024
        wanted = oracle.run(table, bits.unpack(state, m), steps)
        assert (bits.unpack(got, m) == wanted).all(), way.name


def measure(way: Way, table: np.ndarray, width: int) -> None:
    """One round. Configurations: 1e5, fewer where a round would take too long."""
    m = FEW if "cellpylib" in way.name else min(M, 64 * max(1, int(way.updates / 64 / width / 10)))
    state = bits.fair_coins(np.random.default_rng(0), m, width)
    done = m if m == FEW else 64 * state.shape[1]
    steps = max(1, int(way.updates / done / width))
    way.run(table, state, 1)  # compiled, and in the caches
    start = time.process_time()
    way.run(table, state, steps)
    way.rates.append(done * width * steps / (time.process_time() - start))


def whole_score(width: int, compiled: bool | None) -> tuple[float, float]:
    """Wall and CPU seconds (the compiler's too) to score a rule never seen before, all included: it is
    like a known good one, but no rule before was the same."""
    table = mirrored(parse_rule("das")) ^ (RNG.random(128) < 0.02).astype(np.uint8)
    table[0], table[-1] = 0, 1
    start, before = time.perf_counter(), sum(os.times()[:4])
    cells = bits.fair_coins(RNG, M, width)
    # A new Simulator, whose library for this width is already there.
    solved = Simulator(3, width, threads=os.cpu_count() or 1).solved(table, cells, STEPS, compiled)
    float(solved[:M].mean())
    return time.perf_counter() - start, sum(os.times()[:4]) - before


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = (
            next(line for line in lines if line.startswith("model name")).partition(":")[2].strip()
        )
        wide = "AVX-512" if any("avx512f" in line for line in lines) else "no AVX-512"
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
    return f"{name} ({os.cpu_count()} cores, {wide})"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    options.add_argument("--width", type=int, default=149, help="cells of a ring")
    options.add_argument("--rounds", type=int, default=7)
    chosen = options.parse_args()
    width = chosen.width
    rules = [random_rule() for _ in range(RULES)]
    found, missing = ways(width)
    for way in found:
        check(way, rules, width)
    for turn in range(chosen.rounds):
        for way in found:
            measure(way, tables(way, rules)[turn % len(tables(way, rules))], width)
    counts = [len(synthesised(table).operations) for table in rules]
    print(f"{processor()}; {' '.join(compilers.find().command)}; numpy {np.__version__}")
    print(f"random rules of {min(counts)} to {max(counts)} operations, GKL of 3; width {width}")
    table = Table(title="cell updates per second and core, every one done", box=None)
    for name in ("way", "rules", "median", "range", "wanted"):
        table.add_column(name)
    for way in found:
        spread = f"{min(way.rates):.2g} to {max(way.rates):.2g}"
        table.add_row(
            way.name, way.rules, f"{statistics.median(way.rates):.2g}", spread, way.wanted
        )
    console = Console(width=110, highlight=False)
    console.print(table)
    for line in missing:
        console.print(line)
    table = Table(title="a new rule scored, all included", box=None)
    for name in ("way", "wall s", "range", "CPU s", "wanted"):
        table.add_column(name)
    took: dict[str, list[tuple[float, float]]] = {}
    for _ in range(chosen.rounds):
        for name, compiled in (("as it chooses", None), ("compiled", True), ("as data", False)):
            took.setdefault(name, []).append(whole_score(width, compiled))
    for name, times in took.items():
        wall, cpu = zip(*times, strict=True)
        middle = f"{statistics.median(wall):.2f}", f"{statistics.median(cpu):.2f}"
        wanted = "< 1 s wall" if name == "as it chooses" else ""
        table.add_row(name, middle[0], f"{min(wall):.2f} to {max(wall):.2f}", middle[1], wanted)
    console.print(f"\n{M:,} configurations, {STEPS} steps, early ends allowed, all cores:")
    console.print(table)
    console.print(f"load of this machine: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
