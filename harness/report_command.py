"""`bench report`: one HTML page of all Records, as a file or served. Words are checked before any is read."""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
import time
from pathlib import Path

from harness.cube_command import axes
from harness.errors import BadInputError
from harness.export_command import check_file

SUFFIXES = [".html", ".htm"]  # so that a slip overwrites no Records
TITLE = "joulebench"
EVERY_S = 2.0
LEAST_EVERY_S, MOST_EVERY_S = 0.2, 3600.0
MOST_PORT = 65535


def report(options: argparse.Namespace) -> int:
    """Writes the page, or serves it until Ctrl-C."""
    check(options)
    folders = [Path(folder) for folder in options.results or ["results"]]
    title = TITLE if options.title is None else options.title
    if options.serve:
        from harness.report_server import serve

        every_s = EVERY_S if options.every is None else options.every
        return serve(folders, axes(), title, options.port, every_s)
    out = Path(options.out) if options.out else folders[0] / "report.html"
    return write(folders, title, out, Path(options.csv) if options.csv else None)


def check(options: argparse.Namespace) -> None:
    """Raises BadInputError for words that do not go together or are out of range."""
    for name, value in (("--port", options.port), ("--every", options.every)):
        if value is not None and not options.serve:
            raise BadInputError(f"{name} is of --serve; say: bench report --serve {name} {value:g}")
    for name, value in (("--out", options.out), ("--csv", options.csv)):
        if value is not None and options.serve:
            raise BadInputError(f"{name} {value}: --serve writes no file; leave out one of the two")
    if options.port is not None and not 0 <= options.port <= MOST_PORT:
        raise BadInputError(f"--port {options.port}: must be 0 (any that is free) to {MOST_PORT}")
    every_s = EVERY_S if options.every is None else options.every
    if not math.isfinite(every_s) or not LEAST_EVERY_S <= every_s <= MOST_EVERY_S:
        raise BadInputError(
            f"--every {every_s:g}: must be {LEAST_EVERY_S:g} to {MOST_EVERY_S:g} seconds"
        )
    if options.out is not None:
        check_file(Path(options.out), SUFFIXES)
    if options.csv is not None and Path(options.csv).exists() and not Path(options.csv).is_dir():
        raise BadInputError(f"--csv {options.csv}: is a file; name a folder")


def write(folders: list[Path], title: str, out: Path, csv: Path | None) -> int:
    """Writes the page to `out`, all or nothing, and its figures to `csv`."""
    from reports.page.data import Collector
    from reports.page.figures import write_csv
    from reports.page.html import html

    start = time.perf_counter()
    collector = Collector(folders, axes(), title)
    data = collector.collect()
    for problem in data["problems"]:
        print(f"bench: {problem}", file=sys.stderr)
    page = html(data).encode()
    partial = out.with_name(f".{out.name}.partial")
    try:
        partial.write_bytes(page)
        partial.replace(out)
    except OSError as error:
        raise BadInputError(
            f"cannot write {out} ({error.strerror or error}); name another with --out FILE.html"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    made = data["about"]["records"]
    print(
        f"{made} Record{'s' * (made != 1)} on one page of {len(page) / 1e6:.2f} MB, in "
        f"{time.perf_counter() - start:.1f} s: {out}"
    )
    if not made:
        print(f"there are no Records yet; make one with: {data['about']['make_one']}")
    if csv is not None:
        written = write_csv(collector, data, csv)
        print(f"{len(written)} CSV files written to {csv}: {', '.join(p.name for p in written)}")
    return 0
