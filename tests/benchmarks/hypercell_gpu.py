"""Location-ticks per second of hypercell's parity on a GPU, beside the CPU: needs CUDA and joulebench[cuda].

    python tests/benchmarks/hypercell_gpu.py [--n 20] [--ticks 256] [--sizes 4e3 4e4 4e5 4e6]

Every space is full: a founding holder in each location, which lives as long as it runs. Prints per size
the two kernels, one launch per epoch and one for all epochs, and one thread of the CPU. A size that does
not fit is skipped with the reason. Ends with 1 where the three do not end in the same hash.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from algorithms.base import Refused
from algorithms.hypercell import parity
from algorithms.hypercell.cuda import CudaWorld, good_tile, open_device
from algorithms.hypercell.space import Axis, Geometry
from algorithms.hypercell.world import Kernel, World, genes
from tasks.native import build

ROWS, WARM = 1000, 16  # samples; ticks before the clock starts
CPU_LOCATION_TICKS = 1 << 20  # what one thread of a CPU gets to do, at 10 million a second


def shape(size: float) -> Geometry:
    """Like configs/geometry/h200.yaml, with devices added or warps taken away."""
    sms = 132 * 32
    devices = max(1, round(size / sms))
    line = (Axis(),) * 3
    inner = (Axis(12, False, 8, 8), Axis(11, False, 4, 4), Axis(32, False, 1, 1))
    return Geometry(f"{size:g}", (*line, Axis(devices, devices > 2, 16, 16), *inner))


def world(kernel: Kernel, geometry: Geometry, n: int, tile: int) -> World:
    """A founder in every location, fed 1000 samples of a secret of three inputs."""
    biology = parity.biology(n)
    made = World(kernel, geometry, biology, economy=parity.ECONOMY, tile=tile)
    rng = np.random.default_rng(0)
    words = n // 64 + 1
    bits = np.zeros((ROWS + 8, 64 * words), np.uint8)  # the kernel reads up to seven rows more
    bits[:ROWS, :n] = rng.integers(2, size=(ROWS, n))
    bits[:, n] = bits[:, [0, n // 2, n - 1]].sum(axis=1) % 2
    rows = np.packbits(bits, axis=1, bitorder="little").view("<u8")
    made.feed(0, rows)
    params = made.space.params
    params[parity.N], params[parity.SEEN], params[parity.ROWS] = n, ROWS, ROWS
    params[parity.BITE], params[parity.GRAIN], params[parity.SUN] = 32, 8, 16
    one = parity.holder(n, 0, parity.Traits(), genes())
    made.found([one])
    body = made.arrays["body"]
    body[:] = body[0]
    body[:, 0] = np.arange(1, geometry.locations + 1)
    for name in ("arena", "settled", "energy"):
        made.arrays[name][:] = made.arrays[name][0]
    made.initial = int(made.arrays["energy"].sum(dtype=np.int64))
    return made


def rate(run: World | CudaWorld, ticks: int, warm: int = WARM, **how: bool) -> float:
    """Location-ticks per second after warming up."""
    run.run(warm, **how)
    begin = time.perf_counter()
    run.run(warm + ticks, **how)
    size = (run.host if isinstance(run, CudaWorld) else run).layout.locations
    return size * ticks / (time.perf_counter() - begin)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--ticks", type=int, default=256)
    parser.add_argument("--sizes", type=float, nargs="+", default=[4e3, 4e4, 4e5, 4e6])
    asked = parser.parse_args()
    try:
        device = open_device()
    except Refused as error:
        print(error, file=sys.stderr)
        return 2
    biology = parity.biology(asked.n)
    kernel = Kernel(build.library(biology.source("cpu"), "parity"), biology)
    processors = device.properties.multiprocessor_count
    print(f"{device.name}, sm_{device.arch}, {processors} multiprocessors; n={asked.n}")
    print("million location-ticks per second")
    print(
        f"{'locations':>10} {'tile':>5} {'tiles':>7} {'blocks':>7} {'epoch':>10} {'persistent':>10} "
        f"{'CPU core':>9}  same bits"
    )
    same = True
    for size in asked.sizes:
        same &= row(kernel, shape(size), asked.n, asked.ticks, processors)
    return 0 if same else 1


def row(kernel: Kernel, geometry: Geometry, n: int, ticks: int, processors: int) -> bool:
    """Prints one; False where the bits differ."""
    tile = good_tile(geometry, processors)
    try:
        one = CudaWorld(world(kernel, geometry, n, tile))
        epoch = rate(one, ticks)
        first = bits(one)
        layout, takes = one.host.layout, one.resources
        del one
        one = CudaWorld(world(kernel, geometry, n, tile))
        persistent = rate(one, ticks, persistent=True)
        second = bits(one)
        blocks = one.resident_blocks()
        del one
    except Refused as error:
        print(f"{geometry.locations:>10,} skipped: {error}")
        return True
    few = max(1, min(ticks, CPU_LOCATION_TICKS // geometry.locations))
    host = world(kernel, geometry, n, 1024)
    core = rate(host, few, WARM if few == ticks else min(few, WARM))
    alike = host.tick == WARM + ticks
    third = host.hash() if alike else first
    same = first == second == third
    print(
        f"{geometry.locations:>10,} {layout.tile:>5} {layout.tiles:>7,} {blocks:>7,} "
        f"{epoch / 1e6:>10,.1f} {persistent / 1e6:>10,.1f} {core / 1e6:>9,.2f}  "
        f"{'yes' if same else 'NO'}{'' if alike else ' (GPU kernels)'}",
        flush=True,
    )
    if geometry.locations < 5000:
        for name, what in sorted(takes.items()):
            print(
                f"           {name}: {what.registers} registers, {what.stack_bytes} bytes of stack"
            )
    return same


def bits(run: CudaWorld) -> int:
    """The hash, or where the messages of a space are many gigabytes, a part of it."""
    if run.host.geometry.locations < 1e6:
        return run.hash()
    run.pull("energy", "body", "tallies")
    arrays = run.host.arrays
    return hash((arrays["energy"].tobytes(), arrays["body"].tobytes(), str(run.tallies())))


if __name__ == "__main__":
    sys.exit(main())
