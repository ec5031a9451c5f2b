"""Text organisms that live on a GPU, beside the CPU: needs CUDA and joulebench[cuda].

    python tests/benchmarks/hypercell_gpu_text.py [--text FILE] [--span 4096] [--lives 2] [--sizes 32 1024]

In each place lives an organism with random genes that learns the last SPAN bytes of FILE (Python's own
topics where none is named), breeds and dies. Prints per size the ticks of life per second, times the
bytes that the young read in one, of the two kernels, one launch per epoch and one for all epochs, and of
one thread of the CPU. A size that does not fit is skipped with the reason. Ends with 1 where the three
do not end in the same hash.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from algorithms.base import Refused
from algorithms.hashed_softmax import classes
from algorithms.hypercell import text
from algorithms.hypercell.cuda import CudaWorld, open_device
from algorithms.hypercell.space import Axis, Geometry
from algorithms.hypercell.text import P
from algorithms.hypercell.world import Founder, Kernel, World, genes
from tasks.native import build

CHUNK, WARP, MEMORY = (
    256,
    32,
    1 << 20,
)  # bytes per tick; places of a tile; bytes of an arena at most


def shape(places: int) -> Geometry:
    """Warps in rings, and rings of those."""
    warps = max(1, places // WARP)
    return Geometry(
        f"{places}", ((Axis(),) * 5 + (Axis(warps, warps > 1, 2, 2), Axis(WARP, True, 1, 1)))
    )


def world(kernel: Kernel, geometry: Geometry, read: np.ndarray, span: int) -> World:
    """A founder with random genes in every place."""
    number, class_of, _ = classes(np.bincount(read, minlength=256).astype(np.uint64))
    width = next(width for width in text.WIDTHS if width >= number)
    table = text.table(span, text.MODELS, width, MEMORY)
    made = World(kernel, geometry, text.biology(table.arena), economy=text.ECONOMY, tile=WARP)
    judged = span // 4
    for place, value in {
        P.BEGIN: len(read) - span, P.SPAN: span + judged, P.CHUNK: CHUNK, P.SEGMENT: 1024,
        P.WIDTH: width, P.BITS: table.bits, P.ROWS: table.rows, P.JUDGED: judged, P.EXAM: 0,
        P.PRICE: 33, P.DOUBLE: 82, P.GRACE: 246, P.HALF: max(1, span // CHUNK // 3), P.CROSS: 96,
        P.CHANGE: 96, P.ARENA: table.arena,
    }.items():  # fmt: skip
        made.space.params[place] = value
    made.feed(0, read)
    made.feed(1, np.ascontiguousarray(class_of, np.uint8))
    rng = np.random.default_rng(0)
    at = range(geometry.locations)
    blank = (0,) * text.STATE
    made.found(Founder(i, genes(96, threshold=0), text.random_genome(rng), blank) for i in at)
    return made


def timed(run: World | CudaWorld, ticks: int, **how: bool) -> tuple[float, int]:
    """Seconds, and the hash at the end. The first tick is not timed."""
    run.run(1, **how)
    begin = time.perf_counter()
    run.run(ticks, **how)
    return time.perf_counter() - begin, run.hash()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--text", type=Path)
    parser.add_argument("--span", type=int, default=4096)
    parser.add_argument("--lives", type=int, default=2)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 1024])
    asked = parser.parse_args()
    try:
        device = open_device()
    except Refused as error:
        print(error, file=sys.stderr)
        return 2
    if asked.text:
        data = asked.text.read_bytes()
    else:
        from pydoc_data.topics import topics

        data = "".join(topics.values()).encode()
    read = np.frombuffer(data, np.uint8)
    ticks = asked.lives * -(-asked.span * 5 // 4 // CHUNK) + 1
    kernel = Kernel(build.library(text.biology(0).source("cpu"), "text"), text.biology(0))
    print(f"{device.name}, sm_{device.arch}; ticks of life per second, * {CHUNK} bytes: kB")
    print(f"{'places':>7} {'epoch':>9} {'persistent':>10} {'CPU core':>9}  same bits")
    same = True
    for size in asked.sizes:
        geometry = shape(size)
        try:
            host = world(kernel, geometry, read, asked.span)
            runs = [
                timed(CudaWorld(world(kernel, geometry, read, asked.span)), ticks),
                timed(CudaWorld(world(kernel, geometry, read, asked.span)), ticks, persistent=True),
                timed(host, ticks),
            ]
        except Refused as error:
            print(f"{size:>7,} skipped: {error}")
            continue
        kilobytes = host.tallies()["lived"] * CHUNK / 1000
        alike = len({found for _, found in runs}) == 1
        rates = [f"{kilobytes / seconds:,.1f}" for seconds, _ in runs]
        print(f"{size:>7,} {rates[0]:>9} {rates[1]:>10} {rates[2]:>9}  {'yes' if alike else 'NO'}")
        same &= alike
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
