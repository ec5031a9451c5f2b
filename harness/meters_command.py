"""`bench meters`: every sensor there is, whether it can be used, and if not, what to do.

`check` loads the machine a little and says whether each sensor follows; `calibrate` fits the watts per
CPU-second of `cpu_time` to a better meter.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing.synchronize import Event

import numpy as np
from rich.console import Console
from rich.table import Table

from harness import registry
from harness.errors import BadInputError
from harness.host import available_cores
from harness.meters import MODEL, choosing, from_name, joint
from metrics.joint import Joint
from metrics.meter import MeterError, Sensor, Window, monotonic_s
from metrics.process_tree import ProcessTree
from reports.units import scaled

GPU_START_S = 60.0  # torch loads, and makes its context
LOADS = (0.0, 0.5, 1.0)


def meters(action: str | None, name: str, seconds: float) -> int:
    """The table, the check or the calibration."""
    if seconds <= 0:
        raise BadInputError(f"--seconds {seconds:g}: must be above 0")
    if action == "check":
        return check(name, seconds)
    if action == "calibrate":
        return calibrate(name, seconds)
    return table()


def table() -> int:
    """Every sensor of every meter."""
    console = wide()
    columns = (
        "meter",
        "domain",
        "source",
        "usable",
        "period",
        "floor",
        "calibration",
        "what to do",
    )
    shown = Table(box=None, pad_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold", no_wrap=column != "what to do")
    for name in registry.names("meter"):
        for sensor in sensors(name):
            shown.add_row(
                sensor.meter,
                sensor.domain,
                sensor.source,
                "[green]yes[/]" if sensor.usable else "no",
                scaled(sensor.period_s, "s"),
                scaled(sensor.floor_s, "s"),
                f"±{100 * sensor.gain_rel:g} %" if sensor.gain_rel is not None else "-",
                (sensor.note if sensor.usable else sensor.remedy).replace("[", r"\["),
            )
    console.print(shown)
    console.print(f"\n{from_name(registry.AUTO)[1]}", markup=False)
    return 0


def sensors(name: str) -> list[Sensor]:
    """What one meter finds; a meter that cannot even look is a line as well."""
    try:
        return joint([choosing(name)]).sensors()
    except (MeterError, BadInputError) as error:
        return [Sensor(name, "-", "-", False, remedy=str(error))]


@dataclass(frozen=True)
class Step:
    """Mean watts by (source, domain), and CPU-seconds per second, at one load."""

    load: float
    watts: dict[tuple[str, str], float]
    low: dict[tuple[str, str], float]
    high: dict[tuple[str, str], float]
    cpu_rate: float


def check(name: str, seconds: float) -> int:
    """Idle, half and full load in turn; says which sensors follow."""
    chosen, why = from_name(name)
    console = wide()
    console.print(why, markup=False)
    steps = [measure_load(chosen, load, seconds, console) for load in LOADS]
    shown = Table(box=None, pad_edge=False)
    for column in ("source", "domain", "idle", "half load", "full load", "follows"):
        shown.add_column(column, justify="left" if column in ("source", "domain") else "right")
    followed = False
    for key in steps[0].watts:
        watts = [step.watts.get(key) for step in steps]
        follows = follows_load(steps, key)
        followed |= follows
        cells = [scaled(value, "W") for value in watts]
        shown.add_row(*key, *cells, "yes" if follows else "no")
    console.print(shown)
    return 0 if followed else 2


def follows_load(steps: list[Step], key: tuple[str, str]) -> bool:
    """Rises with the load, by more than the intervals of idle and full load could hide."""
    idle, half, full = steps
    if any(key not in step.watts for step in steps):
        return False
    apart = full.low[key] > idle.high[key]
    return apart and idle.watts[key] < half.watts[key] < full.watts[key]


def calibrate(name: str, seconds: float) -> int:
    """Fits W per CPU-second, and the idle power beside it, by least squares over rising loads."""
    chosen, why = from_name(name)
    if MODEL not in chosen.names:
        chosen = joint([*(choosing(n) for n in chosen.names), choosing(MODEL)])
    better = [m for m in chosen.meters if m.source.startswith("measured") and m.name != "nvml"]
    if not better:
        raise BadInputError(
            f"nothing here to calibrate against ({why}): it takes a meter that measures the CPU "
            "(rapl, battery, wall); see bench meters for what each needs"
        )
    console = wide()
    console.print(why, markup=False)
    loads = (0.0, 0.25, 0.5, 0.75, 1.0)
    steps = [measure_load(chosen, load, seconds, console) for load in loads]
    reference = better[0]
    rates = np.array([step.cpu_rate for step in steps])
    watts = np.array(
        [sum(w for (source, _), w in s.watts.items() if source == reference.source) for s in steps]
    )
    (slope, idle_w), residuals, *_ = np.polyfit(rates, watts, 1, full=True)
    free = len(steps) - 2
    rms_w = float(np.sqrt(residuals[0] / free)) if len(residuals) else 0.0
    spread = float(np.sqrt(((rates - rates.mean()) ** 2).sum()))
    error = 3.18 * rms_w / spread if spread else float("inf")  # t, 95 %, 3 degrees of freedom
    console.print(
        f"{slope:.3g} W per CPU-second (± {error:.2g}, 95 %) above {idle_w:.3g} W idle, by "
        f"{reference.source}; residual {rms_w:.2g} W over {len(steps)} loads"
    )
    if slope - error <= 0:
        console.print("the meter did not follow the load, so nothing can be fitted from it")
        return 2
    console.print(
        "use it: "
        f"meter.w_per_cpu_s={slope:.4g} meter.low_w_per_cpu_s={slope - error:.4g} "
        f"meter.high_w_per_cpu_s={slope + error:.4g}"
    )
    return 0


def measure_load(meter: Joint, load: float, seconds: float, console: Console) -> Step:
    """Watts while a share `load` of this machine's cores, and of its GPU, is busy for some seconds."""
    cores = available_cores()
    count = round(load * cores) if load in (0.0, 1.0) else cores
    duty = load * cores / count if count else 0.0
    if console.is_terminal:
        console.print(f"load {100 * load:.0f} % for {seconds:g} s", highlight=False)
    context = multiprocessing.get_context("spawn")
    host = context.Process(target=spin_on, args=(count, duty), daemon=False)
    host.start()
    ready = context.Event()
    gpu = context.Process(target=spin_gpu, args=(load, ready), daemon=True)
    if load and meter.sees_gpu and find_spec("torch"):
        gpu.start()
        ready.wait(GPU_START_S)
    assert host.pid is not None
    tree = ProcessTree(host.pid)
    try:
        time.sleep(0.5)  # interpreters start
        meter.open(tree)
        begin, begin_s, cpu_s = meter.begin(), monotonic_s(), tree.cpu_s()
        end_s = begin_s + seconds
        while (left_s := end_s - monotonic_s()) > 0:
            time.sleep(min(0.25, left_s))
            meter.glance(begin)
        now_s = monotonic_s()
        cpu_rate = (tree.cpu_s() - cpu_s) / (now_s - begin_s)
        rows = meter.rows(Window("load", 1, begin_s, now_s, begin, meter.end(now_s)), [])
    finally:
        meter.close()
        tree.kill()
        host.join()
        if gpu.pid is not None:
            gpu.kill()
            gpu.join()
    keyed = {(row.source, row.domain): row for row in rows}
    return Step(
        load=load,
        watts={key: row.gross_j / row.window_s for key, row in keyed.items()},
        low={key: row.low_j / row.window_s for key, row in keyed.items()},
        high={key: row.high_j / row.window_s for key, row in keyed.items()},
        cpu_rate=cpu_rate,
    )


def spin_on(count: int, duty: float) -> None:
    """Keeps `count` processes busy for a share `duty` of the time, until killed."""
    for _ in range(count - 1):
        if os.fork() == 0:
            break
    while True:
        start = time.perf_counter()
        while count and time.perf_counter() - start < 0.02 * duty:
            pass
        time.sleep(0.02 * (1 - duty) if count else 1.0)


def spin_gpu(duty: float, ready: Event) -> None:
    """Keeps the first GPU busy for a share `duty` of the time, until killed; ends where there is none."""
    import torch

    if torch.cuda.is_available():
        a = torch.randn(4096, 4096, device="cuda", dtype=torch.bfloat16)
        ready.set()
        while True:
            start = time.perf_counter()
            while time.perf_counter() - start < 0.02 * duty:
                torch.matmul(a, a)
                torch.cuda.synchronize()
            time.sleep(0.02 * (1 - duty))
    ready.set()


def wide() -> Console:
    """A console that does not squeeze tables where there is no terminal to fit."""
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 160
    return console
