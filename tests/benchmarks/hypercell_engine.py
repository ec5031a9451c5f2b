"""What the engine costs: per location-tick by size, two threads, light cone against barrier.

The space is crowded and lively: everybody holds the right mask, eats 64 samples a tick, earns, and
breeds into occupied places. `evaluation` is the same living without the engine and with all memory
near; `engine` is the rest. CPU time of one core where one thread runs, wall time where two do; medians
of interleaved repetitions.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from algorithms.hypercell import parity, space
from algorithms.hypercell.biology import Economy
from algorithms.hypercell.space import NAMES, Geometry
from algorithms.hypercell.world import Kernel, World, genes
from tasks.native.build import library

N, ROWS, BITE, SECRET = 20, 1024, 64, 0b1000_0010_0000_0001_0000
SIZES = {
    "1e2": (1, 1, 1, 2, 2, 4, 8),
    "1e3": (2, 2, 2, 2, 2, 4, 8),
    "1e4": (2, 2, 2, 4, 4, 8, 8),
    "1e5": (2, 4, 4, 4, 8, 8, 16),
    "1e6": (4, 4, 8, 8, 8, 8, 16),
}
FAR = (64, 32, 16, 8, 4, 2, 1)  # stretches that grow with distance
NEAR = (1,) * 7  # every axis opens at every tick
BIOLOGY = parity.biology(N)
KERNEL = Kernel(library(BIOLOGY.source("cpu"), "parity"), BIOLOGY)


def shape(lengths: tuple[int, ...], stretches: tuple[int, ...]) -> Geometry:
    axes = zip(NAMES, lengths, stretches, strict=True)
    return space.build("benchmark", {n: {"length": many, "stretch": t} for n, many, t in axes})


def crowded(geometry: Geometry, tile: int = space.TILE) -> World:
    """A world where everybody lives, knows the secret and breeds now and then."""
    world = World(KERNEL, geometry, BIOLOGY, 1, Economy(breed=16, endowment=1024), tile=tile)
    rng = np.random.default_rng(1)
    x = rng.integers(1 << N, size=ROWS, dtype=np.uint64)
    y = np.bitwise_count(x & np.uint64(SECRET)).astype(np.uint64) & np.uint64(1)
    rows = np.zeros((ROWS + 8, 1), np.uint64)
    rows[:ROWS, 0] = x | y << np.uint64(N)
    world.feed(0, rows)
    for place, value in (
        *((parity.N, N), (parity.SEEN, ROWS), (parity.ROWS, ROWS), (parity.BITE, BITE)),
        *((parity.GRAIN, 1), (parity.LUCK, 32768), (parity.BITS, 65536)),
    ):
        world.space.params[place] = value
    someone = parity.mask(N, 0, SECRET, genes(16, threshold=127, share=127))
    body = (1, 0, *someone.genes, *someone.genome, *someone.state)
    arrays = world.arrays
    arrays["body"][:] = body
    arrays["body"][:, 0] = np.arange(1, geometry.locations + 1)
    arrays["energy"][:] = 1024 + rng.integers(1024, size=geometry.locations)
    arrays["settled"][:] = 1
    arrays["messages"].fill(0)  # so that no page is touched for the first time under the clock
    world.initial = int(arrays["energy"].sum(dtype=np.int64))
    world.run(64)
    return world


def cost_ns(
    work: Callable[[int], object], count: int, ticks: int, clock: Callable[[], float]
) -> float:
    began = clock()
    work(ticks)
    return (clock() - began) / count / ticks * 1e9


def overhead(console: Console, repetitions: int, sizes: list[str]) -> None:
    """Nanoseconds of one core per location-tick."""
    table = Table(
        "locations", "stretches", "all ns", "evaluation ns", "engine ns", "births", "lived in"
    )
    engine: dict[str, list[float]] = {}
    for name in sizes:
        for label, stretches in (("far", FAR), ("near", NEAR)):
            world = crowded(shape(SIZES[name], stretches))
            size = world.geometry.locations
            ticks = max(64, 2_000_000 // size // 64 * 64)
            before, first = world.tallies(), world.tick
            both: list[tuple[float, float]] = []
            for _ in range(repetitions):

                def run(n: int, world: World = world) -> None:
                    world.run(world.tick + n)

                def live(n: int, world: World = world) -> None:
                    KERNEL.lib.live_only(world.address, n)

                whole = cost_ns(run, size, ticks, time.process_time)
                both.append((whole, cost_ns(live, size, max(1, ticks // 4), time.process_time)))
            after = world.tallies()
            born = (after["births"] - before["births"]) / (world.tick - first) / size
            whole = statistics.median(w for w, _ in both)
            evaluation = statistics.median(e for _, e in both)
            rest = statistics.median(w - e for w, e in both)
            engine.setdefault(label, []).append(rest)
            figures = (f"{whole:.1f}", f"{evaluation:.1f}", f"{rest:.1f}", f"{born:.1%}")
            table.add_row(f"{size:,}", label, *figures, f"{world.population / size:.0%}")
    console.print("[bold]Engine, one core, ns per location-tick (all seven axes)[/]")
    console.print(table)
    for label, found in engine.items():
        console.print(f"{label}: largest over smallest {max(found) / min(found):.2f}")


def threads(console: Console, repetitions: int) -> None:
    """Two threads against one, and the light cone against a barrier after every tick."""
    table = Table(
        *("locations", "tile", "stretches", "1 thread ns", "2 threads ns", "speed-up"),
        *("2 with barrier ns", "barrier / light cone"),
    )
    outer_far, outer_near = (64, 32, 16, 8, 4, 2, 1), (2, 2, 2, 2, 2, 2, 1)
    for name, tile in (("1e2", 16), ("1e3", 64), ("1e4", 64), ("1e4", 512), ("1e5", 1024)):
        for label, stretches in (("far", outer_far), ("near", outer_near)):
            geometry = shape(SIZES[name], stretches)
            world = crowded(geometry, tile)
            size = geometry.locations
            ticks = max(64, 2_000_000 // size // 64 * 64)

            def lone(n: int, world: World = world) -> None:
                world.run(world.tick + n, 1)

            def pair(n: int, world: World = world) -> None:
                world.run(world.tick + n, 2)

            def barrier(n: int, world: World = world) -> None:
                world.run_lockstep(world.tick + n, 2)

            ways = (lone, pair, barrier)
            found = [
                [cost_ns(way, size, ticks, time.perf_counter) for way in ways]
                for _ in range(repetitions)
            ]
            one, two, locked = (statistics.median(column) for column in zip(*found, strict=True))
            speedup = statistics.median(a / b for a, b, _ in found)
            ratio = statistics.median(c / b for _, b, c in found)
            figures = (
                f"{one:.1f}",
                f"{two:.1f}",
                f"{speedup:.2f}",
                f"{locked:.1f}",
                f"{ratio:.2f}",
            )
            table.add_row(f"{size:,}", f"{world.layout.tile}", label, *figures)
    console.print("[bold]Threads, wall ns per location-tick[/]")
    console.print(table)
