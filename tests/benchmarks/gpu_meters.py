"""What the GPU's own meter is worth on this board: needs CUDA, PyTorch and joulebench[meters].

    python tests/benchmarks/gpu_meters.py [--seconds 0.3 1 5] [--repeats 5]

Prints the counter's update period, idle power without and with a CUDA context, and the energy of a bf16
matrix product per TFLOP at several lengths, ours beside zeus's in the same windows. The figure should
not depend on the length; how much it does is the meter's error at short windows.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import Any

from metrics.meter import Window, monotonic_s
from metrics.nvml import Nvml
from metrics.process_tree import ProcessTree

SIZE = 8192


def idle_power_w(meter: Nvml, seconds: float = 3.0) -> float:
    """Mean watts of gpu0 while nothing is done."""
    begin, begin_s = meter.begin(), monotonic_s()
    while monotonic_s() - begin_s < seconds:
        time.sleep(0.1)
        meter.glance(begin)
    now_s = monotonic_s()
    rows = meter.rows(Window("idle", 1, begin_s, now_s, begin, meter.end(now_s)), [])
    return rows[0].gross_j / rows[0].window_s


def product(torch: Any, a: Any, b: Any, seconds: float) -> float:
    """Multiplies for about so long; returns the TFLOP done."""
    done = 0
    until = monotonic_s() + seconds
    while monotonic_s() < until:
        for _ in range(8):
            torch.matmul(a, b)
        torch.cuda.synchronize()
        done += 8
    return done * 2 * SIZE**3 / 1e12


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, nargs="+", default=[0.3, 1.0, 5.0])
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    meter = Nvml(gpus=[0])
    meter.open(ProcessTree(-1))
    before_w = idle_power_w(meter)
    import torch

    if not torch.cuda.is_available():
        print("torch sees no CUDA device; this benchmark needs one", file=sys.stderr)
        return 2
    from zeus.monitor import ZeusMonitor

    torch.zeros(1, device="cuda")
    time.sleep(2)
    after_w = idle_power_w(meter)
    print(f"board: {meter.about()}")
    print(f"idle power: {before_w:.1f} W without a context, {after_w:.1f} W with one\n")
    zeus = ZeusMonitor(gpu_indices=[0], cpu_indices=[])
    shape = (SIZE, SIZE)
    a, b = (torch.randn(shape, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    product(torch, a, b, 3.0)  # warm
    print(
        f"{'window':>8} {'J/TFLOP ours':>14} {'spread':>8} {'interval':>10} {'zeus':>8} {'spread':>8}"
    )
    for seconds in asked.seconds:
        ours, theirs, halves = [], [], []
        for _ in range(asked.repeats):
            begin, begin_s = meter.begin(), monotonic_s()
            zeus.begin_window("w")
            tflop = product(torch, a, b, seconds)
            now_s = monotonic_s()
            zeus_j = zeus.end_window("w").total_energy
            (row,) = meter.rows(Window("train", 1, begin_s, now_s, begin, meter.end(now_s)), [])
            ours.append(row.gross_j / tflop)
            halves.append((row.high_j - row.low_j) / 2 / row.gross_j)
            theirs.append(zeus_j / tflop)
            time.sleep(0.5)
        print(
            f"{seconds:>6.1f} s {statistics.median(ours):>14.4f} {spread(ours):>7.2f}% "
            f"{100 * statistics.median(halves):>9.2f}% {statistics.median(theirs):>8.4f} "
            f"{spread(theirs):>7.2f}%"
        )
    return 0


def spread(values: list[float]) -> float:
    """Standard deviation in per cent of the mean."""
    return 100 * statistics.stdev(values) / statistics.mean(values) if len(values) > 1 else 0.0


if __name__ == "__main__":
    sys.exit(main())
