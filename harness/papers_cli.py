"""The commands that give Records to papers and to other programs: cube, export, plot."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from harness.epilogs import CUBE_EPILOG, EXPORT_EPILOG, PLOT_EPILOG

COMMANDS = ("cube", "export", "plot")


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
    for command in (cube, export, plot):
        command.add_argument(
            "--results", action="append", metavar="DIR", help="may be said several times (results)"
        )


def called(options: argparse.Namespace) -> int:
    """Does what one of COMMANDS was called for."""
    folders = options.results or ["results"]
    if options.command == "cube":
        from harness.cube_command import cube

        return cube(folders, options.csv)
    from harness import export_command

    if options.command == "export":
        return export_command.export(options.files, options.table, folders)
    return export_command.plot(options.kind, options.run, options.out, options.task, folders)
