"""What a page of many Records costs. Prints one table; nothing here can fail for being slow.

The Records are those that are published (runs, curves, trials, exams of several tasks), over and over
under other names, seeds, nonces and hashes, with joules and scores that scatter, so that nothing packs
better than it would. Seconds are of CPU, medians of three.

python -m tests.benchmarks.report_page [--records 10000] [--out FILE.html]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from harness.cube_command import axes
from metrics.record import Interval, Record, encode
from metrics.store import FILE, Store
from reports.page.data import Collector
from reports.page.html import html, payload, to_json

PUBLISHED = Path(__file__).parent.parent.parent / "reports" / "published"


def varied(record: Record, number: int, chance: random.Random) -> Record:
    """The same run as if it had been sat again, by a slightly other algorithm."""
    factor = chance.lognormvariate(0.0, 0.2)

    def scaled(value: Interval | None) -> Interval | None:
        return value and Interval(
            value=value.value * factor, low=value.low * factor, high=value.high * factor
        )

    def digest(text: str) -> str:
        return hashlib.sha256(f"{text}{number}".encode()).hexdigest()

    changes: dict[str, Any] = {
        "run": f"2026{number:04d}-{number % 240000:06d}-{digest('run')[:6]}",
        "draw": msgspec.structs.replace(record.draw, seed=number, nonce=digest("nonce")),
        "task": msgspec.structs.replace(record.task, data_sha256=digest("data")),
        "trace": None,
        "pictures": [],
    }
    if number % 20 == 0:  # as many settings as algorithms that were changed
        algorithm = msgspec.structs.replace(record.algorithm, config_sha256=digest("config"))
        changes["algorithm"] = algorithm
    if record.headline and record.score:
        value = record.score.value * chance.lognormvariate(0.0, 0.02)
        changes["score"] = msgspec.structs.replace(record.score, value=value)
        changes["headline"] = msgspec.structs.replace(
            record.headline,
            energy_j=scaled(record.headline.energy_j),
            cold_j=scaled(record.headline.cold_j),
        )
    return msgspec.structs.replace(record, **changes)


def make(folder: Path, count: int) -> None:
    """Writes a Records file."""
    real = [
        record
        for path in sorted(PUBLISHED.iterdir())
        if path.is_dir()
        for record in Store(path).load(Record).records
    ]
    chance = random.Random(0)
    with (folder / FILE).open("wb") as file:
        for number in range(count):
            file.write(encode(varied(real[number * 7 % len(real)], number, chance)) + b"\n")


def timed(what: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    """(median s of CPU, what the last call gave)."""
    spent, made = [], None
    for _ in range(times):
        start = time.process_time()
        made = what()
        spent.append(time.process_time() - start)
    return statistics.median(spent), made


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=10_000)
    options.add_argument("--out", help="keep the page there")
    chosen = options.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, chosen.records)
        rows.append(("Records file", "", (folder / FILE).stat().st_size))
        known = axes()

        def collected() -> dict[str, Any]:
            return Collector([folder], known, "many").collect()

        collect_s, data = timed(collected)
        rows.append(("collect: read, tables, details", collect_s, len(json.dumps(data))))
        for part in ("runs", "board", "front", "curves", "medians", "bars", "cube", "audit"):
            table = data["tables"][part]
            rows.append((f"  {part}, {table['rows']} rows", "", len(json.dumps(table))))
        rows.append(("  details", "", len(json.dumps(data["details"]))))
        html(data)  # the charting library's script is made once a process
        html_s, page = timed(lambda: html(data))
        rows.append(("html: charts, script, data", html_s, len(page.encode())))
        live = Collector([folder], known, "many")
        live.collect()
        chance = random.Random(1)
        like = Store(folder).load(Record).records[0]
        counter = iter(range(10**6, 10**7))

        def once_more() -> dict[str, Any]:
            Store(folder).append(varied(like, next(counter), chance))
            return live.collect()

        again_s, data = timed(once_more)
        rows.append(("collect again, one Record more", again_s, ""))
        json_s, text = timed(lambda: to_json(payload(data)))
        rows.append(("/data.json: charts and data", json_s, len(text.encode())))
        stamp_s, _ = timed(lambda: [live.stamp() for _ in range(100)])
        rows.append(("/stamp", stamp_s / 100, ""))
        if chosen.out:
            Path(chosen.out).write_text(page)
    rows.append(("most memory", "", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))
    table = Table(title=f"a page of {chosen.records} Records", box=None, pad_edge=False)
    table.add_column("")
    table.add_column("s of CPU", justify="right")
    table.add_column("MB", justify="right")
    for what, seconds, size in rows:
        table.add_row(
            what,
            f"{seconds:.4f}" if isinstance(seconds, float) else "",
            f"{size / 1e6:.2f}" if isinstance(size, int) else "",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
