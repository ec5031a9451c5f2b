"""How fluid a page of many Records is in a real browser. Prints one table; nothing fails for being slow.

Sorting and filtering are timed within the page, from the event to the rows that stand there with the
browser's layout of them; "to the frame" is until the next frame is painted, as a reader sees it; "CPU" is
what script, style and layout took of the page's thread, which other programs disturb little. Medians and
the worst.

python -m tests.benchmarks.report_page_browser [--records 10000] [--page FILE.html]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.cube_command import axes
from reports.page.data import Collector
from reports.page.html import html
from tests.benchmarks.report_page import make
from tests.browser import chromium

COLUMNS = ("task", "algo", "score", "energy_j", "interval", "wall_s", "source", "run")
WORDS = ("h", "hy", "hyp", "hyper", "hypercell tpe", "density ok", "2026 nanogpt", "zzz", "")
FRAME = """act => new Promise(done => {
  const begin = performance.now();
  act();
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - begin)));
})"""


def measured(page: Any, name: str) -> list[float]:
    """ms of every performance.measure of that name so far, which are then forgotten."""
    script = """name => { const found = performance.getEntriesByName(name).map(e => e.duration);
        performance.clearMeasures(name); return found; }"""
    return [float(value) for value in page.evaluate(script, name)]


class Cpu:
    """CPU ms of script, style and layout in the page's thread, of each thing that is done."""

    def __init__(self, page: Any) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def now(self) -> float:
        found = self._session.send("Performance.getMetrics")["metrics"]
        names = ("ScriptDuration", "RecalcStyleDuration", "LayoutDuration")
        return 1000 * sum(metric["value"] for metric in found if metric["name"] in names)


def sorts(page: Any, cpu: Cpu) -> tuple[list[float], ...]:
    """ms within the page, to the frame, and of CPU, of each column sorted up and down."""
    frames, spent = [], []
    for name in COLUMNS * 2:
        act = f"""() => ({FRAME})(() => [...document.querySelectorAll('table.runs th')].find(
            th => th.dataset.column === '{name}').querySelector('button').click())"""
        begin = cpu.now()
        frames.append(float(page.evaluate(act)))
        spent.append(cpu.now() - begin)
    return measured(page, "runs-sort"), frames, spent


def filters(page: Any, cpu: Cpu) -> tuple[list[float], ...]:
    frames, spent = [], []
    for words in WORDS * 2:
        act = f"""() => ({FRAME})(() => {{ const box = document.getElementById('runs-words');
            box.value = '{words}'; box.dispatchEvent(new Event('input')); }})"""
        begin = cpu.now()
        frames.append(float(page.evaluate(act)))
        spent.append(cpu.now() - begin)
    return measured(page, "runs-filter"), frames, spent


def scroll(page: Any) -> list[float]:
    """ms between frames while the table is scrolled from end to end."""
    found = page.evaluate(
        """async () => {
            const box = document.querySelector('.runs-box');
            const times = [];
            for (let i = 0; i <= 120; i++) {
                box.scrollTop = (i / 120) * box.scrollHeight;
                const begin = performance.now();
                await new Promise(requestAnimationFrame);
                times.push(performance.now() - begin);
            }
            return times;
        }"""
    )
    return [float(value) for value in found]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=10_000)
    options.add_argument("--page", help="a page that is there already")
    chosen = options.parse_args()
    table = Table(title="a page of many Records in chromium", box=None, pad_edge=False)
    for name in ("", "median ms", "worst ms"):
        table.add_column(name, justify="left" if not name else "right")
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        path = Path(chosen.page).resolve() if chosen.page else Path(name) / "report.html"
        if not chosen.page:
            make(Path(name), chosen.records)
            path.write_text(html(Collector([Path(name)], axes(), "many").collect()))
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(path.as_uri())
        page.wait_for_selector("table.runs tr[data-run]")
        load = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        rows = int(page.get_attribute("table.runs", "aria-rowcount") or 0)
        page.evaluate("document.getElementById('runs').scrollIntoView({behavior: 'instant'})")
        page.wait_for_timeout(1500)
        cpu = Cpu(page)
        sorting, filtering = sorts(page, cpu), filters(page, cpu)
        lines = {
            f"load, {path.stat().st_size / 1e6:.1f} MB, {rows - 1} rows": [float(load)],
            **dict(
                zip(("sort, in the page", "sort, to the frame", "sort, CPU"), sorting, strict=True)
            ),
            **dict(
                zip(
                    ("filter, in the page", "filter, to the frame", "filter, CPU"),
                    filtering,
                    strict=True,
                )
            ),
            "a frame while scrolling": scroll(page),
        }
    for what, times in lines.items():
        table.add_row(what, f"{statistics.median(times):.1f}", f"{max(times):.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
