"""The commands that give Records to papers, people and other programs: cube, export, plot, report."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from harness.epilogs import (
    CUBE_EPILOG,
    DASHBOARD_EPILOG,
    EXPORT_EPILOG,
    PLOT_EPILOG,
    REPORT_EPILOG,
)

COMMANDS = ("cube", "export", "plot", "report", "dashboard")


def arguments(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds them to the command line."""
    cube = add("cube", "process × metric × problem: who is best, and what is empty", CUBE_EPILOG)
    cube.add_argument("--csv", metavar="FILE", help="write every cell there as well")

    export = add("export", "write Records as CSV, Parquet, Markdown or LaTeX", EXPORT_EPILOG)
    export.add_argument("files", nargs="+", metavar="FILE", help=".csv, .parquet, .md or .tex")
    export.add_argument(
        "--table", default="runs", help="runs, board, front, cube, curves or energy (runs)"
    )

    plot = add("plot", "draw a figure for a paper", PLOT_EPILOG)
    plot.add_argument("kind", metavar="KIND", help="front, curve or trace")
    plot.add_argument("run", nargs="?", metavar="RUN", help="of trace: a run, or: last (last)")
    plot.add_argument("--out", metavar="FILE", help=".png or .svg (DIR/KIND.png)")
    plot.add_argument("--task", metavar="TEXT", help="only boards with this in their name")

    report = add("report", "one HTML page of everything, or a live one (--serve)", REPORT_EPILOG)
    report.add_argument("--out", metavar="FILE", help="where to write it (DIR/report.html)")
    report.add_argument("--csv", metavar="FOLDER", help="write every figure there as well")
    report.add_argument("--title", metavar="TEXT", help="what stands above it (joulebench)")
    report.add_argument(
        "--serve", action="store_true", help="serve it on 127.0.0.1, always up to date"
    )
    report.add_argument("--port", type=int, metavar="N", help="of --serve (8765, or the next free)")
    report.add_argument(
        "--every", type=float, metavar="S", help="of --serve: how often the page asks for news (2)"
    )
    dash = add("dashboard", "a W&B workspace and report over tracked runs", DASHBOARD_EPILOG)
    dash.add_argument("--project", metavar="P", help="W&B's project (WANDB_PROJECT, or joulebench)")
    dash.add_argument("--entity", metavar="E", help="user or team (WANDB_ENTITY, or the key's own)")
    dash.add_argument("--publish", action="store_true", help="save them at W&B; needs a key")
    dash.add_argument("--results", default="results", metavar="DIR", help="whose boards (results)")
    for command in (cube, export, plot, report):
        command.add_argument(
            "--results", action="append", metavar="DIR", help="may be said several times (results)"
        )


def called(options: argparse.Namespace) -> int:
    """Does what one of COMMANDS was called for."""
    if options.command == "dashboard":
        from harness import dashboard_command

        return dashboard_command.called(options)
    folders = options.results or ["results"]
    if options.command == "cube":
        from harness.cube_command import cube

        return cube(folders, options.csv)
    if options.command == "report":
        from harness.report_command import report

        return report(options)
    from harness import export_command

    if options.command == "export":
        return export_command.export(options.files, options.table, folders)
    return export_command.plot(options.kind, options.run, options.out, options.task, folders)
