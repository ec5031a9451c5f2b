"""What the examination room itself costs. Prints one table; nothing here can fail for being slow.

python tests/benchmarks/speed.py [--records 100000] [--text FILE]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from harness.config import configure
from harness.remote import RemoteSequence
from harness.runner import Hooks, Run
from metrics.record import Record
from metrics.store import Store
from tasks.base import Draw
from tasks.sequence import SequenceSpec, examine

BENCH = str(Path(sys.executable).with_name("bench"))
BYTES = 60 * 1024

SPINNER = '''
from dataclasses import dataclass
from typing import ClassVar
import time, numpy as np
from algorithms.base import Algorithm, Progress

class Ones:
    def predict(self, x):
        return np.ones(len(x), int)

@dataclass
class Spin(Algorithm):
    """Works for ten seconds and reports at every step."""
    families: ClassVar[tuple[str, ...]] = ("classification",)
    seconds: float = 10.0

    def train(self, data):
        start = time.process_time()
        while (spent := time.process_time() - start) < self.seconds:
            yield Progress(int(spent * 10), int(self.seconds * 10), 0.5)
        return Ones()
'''


def quiet() -> Hooks:
    return Hooks(lambda line: None, lambda moment: None)


def bench_list() -> list[str]:
    """Median wall time of the command."""
    times = []
    for _ in range(7):
        start = time.perf_counter()
        subprocess.run([BENCH, "list"], capture_output=True, check=True)
        times.append(time.perf_counter() - start)
    return ["bench list", f"{statistics.median(times):.3f} s wall", "< 0.5 s"]


def parents_cost(folder: Path) -> list[list[str]]:
    """CPU time of the parent around and during a ten-second training."""
    (folder / "spin.py").write_text(SPINNER)
    words = ["task=sparse_parity", f"algo={folder / 'spin.py'}:Spin", f"results={folder}"]
    seated = Run(configure(words, False)[0], quiet())
    marks: dict[str, float] = {}

    def watch(moment: object) -> None:
        if getattr(moment, "phase", "") == "train":
            marks.setdefault("first", time.process_time())
            marks["last"] = time.process_time()

    seated.hooks = Hooks(lambda line: None, watch)
    record = seated.execute()
    train = next(p for p in record.phases if p.phase == "train")
    during = (marks["last"] - marks["first"]) / train.cpu_s
    usage = f"{1e3 * (marks['last'] - marks['first']):.1f} ms of {train.cpu_s:.1f} CPU-s"
    return [["parent while a 10 s training runs", f"{usage} = {100 * during:.2f} %", "< 1 %"]]


def start_and_end(folder: Path) -> list[str]:
    """The parent's fixed CPU cost outside the windows: imports, configuration, draw, Record."""
    costs = []
    for _ in range(3):
        code = (
            "import resource\nfrom harness.cli import main\n"
            f"main(['run','task=sparse_parity','algo=empty','repeats=1','results={folder}'])\n"
            "u = resource.getrusage(resource.RUSAGE_SELF)\nprint('CPU', u.ru_utime + u.ru_stime)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        costs.append(float(done.stdout.rpartition("CPU")[2]))
    return [
        "parent, whole of a short run (start, imports, draw, score, Record)",
        f"{statistics.median(costs):.2f} CPU-s, once per command",
        "",
    ]


def empty_cost(folder: Path) -> list[list[str]]:
    """The empty algorithm on both tasks."""
    rows = []
    for task in ("sparse_parity", "nanogpt"):
        words = [f"task={task}", "algo=empty", f"results={folder}"]
        words += ["repeats=64"] if task == "sparse_parity" else ["repeats=4"]
        record = Run(configure(words, False)[0], quiet()).execute()
        head = record.headline
        assert head is not None
        per = f"{1e6 * head.cpu_s:.0f} µs CPU ({1e3 * head.energy_j.value:.2g} mJ) per training"
        rows.append([f"empty algorithm, {task}", per, ""])
    return rows


def scoring(folder: Path, text: np.ndarray) -> list[list[str]]:
    """Scoring 60 segments of 1,024 bytes: the worker's CPU, the parent's, and the wire's share."""
    segments = text[-BYTES:].reshape(-1, 1024)
    train = text[:-BYTES]
    rows = []
    empty_s = 0.0
    for words in (["empty"], ["ngram"], ["backprop", "algo.max_iters=50"]):
        config = configure(
            ["task=nanogpt", f"algo={words[0]}", *words[1:], f"results={folder}", "repeats=1"],
            False,
        )[0]
        run = Run(config, quiet())
        with run._sitting(lambda moment: None) as sitting:
            spec = SequenceSpec(len(train), 1024, 128, 0)
            sitting.prepare(config.algo.target, config.algo.fields, spec)
            sitting.train([Draw(train={"text": train}, key={})], run.task.answer)
            before = time.process_time()
            with sitting.inference(1):
                examine(segments, RemoteSequence(sitting, 0), 128)
            parent_s = time.process_time() - before
        worker_s = sitting.phases[-1].cpu_s
        if words == ["empty"]:
            empty_s = worker_s
        share = f"{100 * min(1, empty_s / worker_s):.0f} % of it wire"
        rows.append(
            [
                f"scoring 61,440 bytes, {words[0]}",
                f"{worker_s:.2f} CPU-s in the worker ({share}), {parent_s:.2f} in the parent, "
                f"{sitting.phases[-1].wall_s:.2f} s wall",
                "",
            ]
        )
    return rows


def big_board(folder: Path, count: int) -> list[str]:
    """A leaderboard over many Records, copied from a real one under other names."""
    run = Run(
        configure(["task=sparse_parity", "algo=xor_elimination", "repeats=64"], False)[0], quiet()
    )
    record = run.execute()
    store = Store(folder / "many")
    store.append(record)
    line = store.path.read_text()
    assert Store(folder / "many").load(Record).records
    lines = (
        line.replace(record.run, f"{record.run}-{i}").replace(
            record.algorithm.config_sha256, f"{i % 200:064x}"
        )
        for i in range(count)
    )
    store.path.write_text("".join(lines))
    size = store.path.stat().st_size
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(
            [BENCH, "leaderboard", "--results", str(store.folder)],
            capture_output=True,
            check=True,
            env={**os.environ, "COLUMNS": "130"},
        )
        times.append(time.perf_counter() - start)
    name = f"leaderboard over {count:,} Records ({size / 1e6:.0f} MB, 200 rows)"
    return [name, f"{statistics.median(times):.2f} s wall", "< 3 s"]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    options.add_argument("--records", type=int, default=100_000, help="size of the big leaderboard")
    options.add_argument(
        "--text", type=Path, help="text for scoring (default: the embedded pydocs)"
    )
    chosen = options.parse_args()
    if chosen.text:
        text = np.frombuffer(chosen.text.read_bytes(), np.uint8)
    else:
        from tasks.texts import load

        text = load("pydocs").data
    table = Table(title="cost of the examination room", title_justify="left", box=None)
    for name in ("what", "measured", "wanted"):
        table.add_column(name)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table.add_row(*bench_list())
        for row in (*parents_cost(folder), start_and_end(folder), *empty_cost(folder)):
            table.add_row(*row)
        for row in scoring(folder, text):
            table.add_row(*row)
        table.add_row(*big_board(folder, chosen.records))
    console = Console(width=150, highlight=False)
    console.print(table)


if __name__ == "__main__":
    main()
