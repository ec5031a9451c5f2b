"""The command line. Every command imports what it needs when it is called, so that all start fast.

Exit codes: 0 done; 1 a fault of ours; 2 bad input, or a run that did not finish.
"""

from __future__ import annotations

import argparse
import importlib.util
import signal
import sys
from pathlib import Path

from harness import papers_cli
from harness.epilogs import (
    CHECK_EPILOG,
    COUNT_EPILOG,
    CURVE_EPILOG,
    EPILOG,
    EXAM_EPILOG,
    FRONT_EPILOG,
    IMPORT_EPILOG,
    MEASURE_EPILOG,
    METERS_EPILOG,
    RUN_EPILOG,
    TUNE_EPILOG,
)


def parser() -> argparse.ArgumentParser:
    """All commands with their arguments."""
    top = argparse.ArgumentParser(
        prog="bench",
        description="An examination room for learning algorithms: joules, seconds and score, "
        "each with its source and its error.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="store_true", help="print the version and exit")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    def add(name: str, text: str, epilog: str | None = None) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def results(command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "--results", default="results", metavar="DIR", help="folder of records.jsonl (results)"
        )

    run = add("run", "let an algorithm sit a task under a meter", RUN_EPILOG)
    run.add_argument("words", nargs="*", metavar="FIELD=VALUE", help="task=, algo= and any field")
    run.add_argument("-m", "--multirun", action="store_true", help="comma lists are swept")
    run.add_argument("--dry-run", action="store_true", help="show what would run, time and joules")

    curve = add("curve", "score against energy as training goes on, by pausing it", CURVE_EPILOG)
    curve.add_argument("words", nargs="*", metavar="FIELD=VALUE", help="as for bench run")
    curve.add_argument("-m", "--multirun", action="store_true", help="comma lists are swept")

    count = add(
        "count", "count operations and bytes of a training, measuring nothing", COUNT_EPILOG
    )
    count.add_argument("words", nargs="*", metavar="FIELD=VALUE", help="as for bench run; energy=")
    count.add_argument("-m", "--multirun", action="store_true", help="comma lists are swept")

    tune = add("tune", "search the settings that meet the bar on the least energy", TUNE_EPILOG)
    tune.add_argument(
        "words",
        nargs="*",
        metavar="FIELD=VALUE",
        help="as for bench run; process=, budget.*, tune.*",
    )
    tune.add_argument("-m", "--multirun", action="store_true", help="comma lists are swept")
    tune.add_argument("--fresh", action="store_true", help="begin anew; the old search is kept")

    exam = add("exam", "hold an algorithm against a baseline, in pairs: a verdict", EXAM_EPILOG)
    exam.add_argument(
        "words",
        nargs="*",
        metavar="FIELD=VALUE",
        help="as for bench run; baseline=, pairs=, extension=, ablations=",
    )
    exam.add_argument("--dry-run", action="store_true", help="show what would be sat, and how long")
    exam.add_argument("--fresh", action="store_true", help="begin anew; the old exam is kept")
    exam.add_argument("--show", metavar="EXAM", help="say a verdict again: an exam, or: last")
    results(exam)

    lists = add(
        "list", "list tasks, algorithms, meters, processes and energy tables, or the fields of one"
    )
    lists.add_argument("name", nargs="?", help="one of them, to see its fields")

    show = add("show", "show one run: score, energy rows, phases, provenance")
    show.add_argument("run", nargs="?", default="last", help="a run, the start of one, or: last")
    show.add_argument("--json", action="store_true", help="the whole Record as JSON")
    results(show)

    compare = add("compare", "set two runs side by side")
    compare.add_argument("a", metavar="A", help="a run, the start of one, or: last")
    compare.add_argument("b", metavar="B")
    results(compare)

    replay = add("replay", "repeat a run: the same configuration and the same draw")
    replay.add_argument("run", help="a run, the start of one, or: last")
    replay.add_argument(
        "words", nargs="*", metavar="tracker=NAME", help="no tracker follows unasked"
    )
    results(replay)

    board = add("leaderboard", "rank all runs and write leaderboard.csv")
    board.add_argument("--csv", metavar="FILE", help="where to write it (DIR/leaderboard.csv)")
    board.add_argument("--columns", action="store_true", help="explain the CSV's columns")
    results(board)

    front = add(
        "front", "who owns which bar: energy at equal score, and where totals cross", FRONT_EPILOG
    )
    front.add_argument("--csv", metavar="FILE", help="write the rows there as well")
    results(front)

    check = add("check", "hold runs and counts against a committed baseline", CHECK_EPILOG)
    check.add_argument(
        "baseline", metavar="BASELINE", help="the baseline file, such as energy.json"
    )
    check.add_argument(
        "words",
        nargs="*",
        metavar="FIELD=VALUE",
        help="with --runs: more fields for every fresh run",
    )
    check.add_argument("--write", action="store_true", help="write BASELINE from the Records")
    check.add_argument("--records", metavar="FILE", help="these Records, not those of --results")
    check.add_argument("--runs", type=int, metavar="N", help="first make N fresh runs of every row")
    check.add_argument(
        "--margin", type=float, default=0.05, help="increase that is let through (0.05)"
    )
    check.add_argument("--alpha", type=float, default=0.05, help="false alarms per check (0.05)")
    check.add_argument(
        "--count-margin", type=float, default=0.0, help="the same for counts, which are exact (0)"
    )
    check.add_argument("--modelled", action="store_true", help="gate on modelled joules too")
    check.add_argument("--strict", action="store_true", help="undecided ends with exit code 3")
    check.add_argument("--markdown", metavar="FILE", help="write the findings there as Markdown")
    check.add_argument("--junit", metavar="FILE", help="write the findings there as JUnit XML")
    results(check)

    results(add("metrics", "hold every cheap metric against the most real one measured"))

    papers_cli.arguments(add)

    new = add("new", "write a commented, working template to start from")
    new.add_argument("kind", choices=("algorithm", "task"))
    new.add_argument("path", metavar="FILE.py", help="the file to write; it must not exist")

    measure = add("measure", "measure any command: energy, time and power trace", MEASURE_EPILOG)
    measure.add_argument("--meter", default="auto", help="auto, one, or several: nvml+rapl (auto)")
    measure.add_argument("--name", help="what the Record calls it (the command itself)")
    measure.add_argument("--no-trace", action="store_true", help="save no power trace")
    measure.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND ...")
    results(measure)

    join = add("import", "join a plug's CSV log to a run that is over", IMPORT_EPILOG)
    join.add_argument("run", help="a run, the start of one, or: last")
    join.add_argument("csv", metavar="LOG.csv", help="columns: time and power_w or energy_j")
    join.add_argument(
        "--clock-offset", type=float, default=0.0, metavar="S", help="added to its times"
    )
    join.add_argument(
        "--max-gap", type=float, default=10.0, metavar="S", help="longest gap bridged (10)"
    )
    results(join)

    meters = add("meters", "list every sensor: usable or not, and what to do", METERS_EPILOG)
    meters.add_argument("action", nargs="?", choices=("check", "calibrate"))
    meters.add_argument("--meter", default="auto", help="auto, one, or several: nvml+rapl (auto)")
    meters.add_argument("--seconds", type=float, default=5.0, help="for each load (5)")

    add("schema", "print the JSON Schema of a Record")
    return top


def main(argv: list[str] | None = None) -> int:
    """The command `bench`."""
    words = sys.argv[1:] if argv is None else argv
    top = parser()
    try:
        options, rest = top.parse_known_args(words)
        if rest and (
            options.command not in ("run", "curve", "count", "tune", "check", "exam")
            or any(word.startswith("-") for word in rest)
        ):
            top.error(f"unrecognized arguments: {' '.join(rest)}")
        if rest:  # fields may stand before and after -m
            options.words += rest
        if options.version:
            from harness.host import version

            print(f"joulebench {version('joulebench')}")
            return 0
        if options.command is None:
            top.print_help()
            return 2
        check_imports()
        listen_to_signals(options.command)
        return dispatch(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 2
    except ValueError as error:
        if type(error).__name__ not in ACTIONABLE:
            raise
        print(f"bench: {error}", file=sys.stderr)
        return 2


# Named, not imported: importing them would make every command wait for numpy.
ACTIONABLE = (
    "BadInputError",
    "BuildError",
    "MeterError",
    "OperationEnergyError",
    "StoreError",
    "TaskError",
)


def listen_to_signals(command: str) -> None:
    """An end from outside is handled like Ctrl-C; a reader that goes away ends what only prints."""
    running = ("run", "curve", "count", "tune", "check", "exam", "replay", "measure", "meters")
    if command in running:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
    elif hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # bench list | head


def dispatch(options: argparse.Namespace) -> int:
    """Calls the command's module."""
    if options.command == "run":
        from harness.run_command import run

        return run(options.words, options.multirun, options.dry_run)
    if options.command == "curve":
        from harness.run_command import curve

        return curve(options.words, options.multirun)
    if options.command == "count":
        from harness.count_command import count

        return count(options.words, options.multirun)
    if options.command == "tune":
        from harness.tune_command import tune

        return tune(options.words, options.multirun, options.fresh)
    if options.command == "exam":
        from harness.exam_command import exam

        return exam(options.words, options.dry_run, options.fresh, options.show, options.results)
    if options.command == "replay":
        from harness.run_command import replay

        return replay(options.run, options.results, options.words)
    if options.command == "list":
        from harness.list_command import list_choices

        return list_choices(options.name)
    if options.command == "measure":
        from harness.measure_command import measure

        argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
        return measure(argv, options.meter, options.results, options.name, not options.no_trace)
    if options.command == "import":
        from harness.import_command import import_log

        return import_log(
            options.results, options.run, options.csv, options.clock_offset, options.max_gap
        )
    if options.command == "meters":
        from harness.meters_command import meters

        return meters(options.action, options.meter, options.seconds)
    if options.command == "new":
        from harness.new_command import new

        return new(options.kind, Path(options.path))
    if options.command == "leaderboard":
        from reports.leaderboard import leaderboard

        return leaderboard(Path(options.results), options.csv, options.columns)
    if options.command in papers_cli.COMMANDS:
        return papers_cli.called(options)
    if options.command == "front":
        from reports.front import front

        return front(Path(options.results), options.csv)
    if options.command == "check":
        from harness import check_command

        return check_command.called(options)
    if options.command == "metrics":
        from reports.metrics_audit import metrics

        return metrics(Path(options.results))
    if options.command == "show":
        from reports.runs import show

        return show(Path(options.results), options.run, options.json)
    if options.command == "compare":
        from reports.runs import compare

        return compare(Path(options.results), options.a, options.b)
    from reports.runs import schema

    return schema()


def check_imports() -> None:
    """Says so where another package hides one of ours (PYTHONPATH, another distribution)."""
    from harness.errors import BadInputError

    home = Path(__file__).parent.parent
    for name in ("configs", "tasks", "algorithms", "metrics", "reports"):
        spec = importlib.util.find_spec(name)
        file = spec.origin if spec else None
        if file is None or Path(file).parent.parent != home:
            raise BadInputError(
                f"another package called {name} ({file or 'a folder'}) hides joulebench's; "
                "unset PYTHONPATH, or uninstall that package from this environment"
            )


if __name__ == "__main__":
    sys.exit(main())
