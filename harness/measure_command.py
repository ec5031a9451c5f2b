"""`bench measure`: energy, time and trace of any command."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from harness import registry
from harness.measured_record import new_run, to_record
from harness.metering import PHASE, Metering
from harness.meters import from_name
from harness.run_command import keep
from harness.waiting_command import WaitingCommand
from metrics.meter import Meter
from metrics.process_tree import ProcessTree, adopt_orphans
from metrics.record import Status
from metrics.store import Store
from metrics.trace import missing
from reports.runs import print_measured


def measure(argv: list[str], meter: str, results: str, name: str | None, trace: bool) -> int:
    """Measures a command with the meters of that name; the exit code is the command's own."""
    meters, why = from_name(meter)
    absent = missing()
    code = measure_command(argv, meters, Store(results), name, trace and not absent)
    if trace and absent:
        print(
            f"no trace  {' and '.join(absent)} missing: pip install 'joulebench[meters]'",
            file=sys.stderr,
        )
    if meter == registry.AUTO:
        print(f"meter     {why}", file=sys.stderr)
    return code


def measure_command(
    argv: list[str], meter: Meter, store: Store, name: str | None = None, trace: bool = True
) -> int:
    """Runs a command under a meter, keeps its Record and returns its exit code (128 + the signal that
    ended it). Its streams pass through; what was measured is told on standard error."""
    store.check_writable()
    run, started = new_run()
    adopt_orphans()
    code: int | None = None
    with WaitingCommand(argv) as command:
        tree = ProcessTree(command.pid)
        stem = store.folder / "traces" / run if trace else None
        with Metering(meter, tree, stem) as metering:
            if metering.meter.idle_s > 0:
                print(
                    f"bench: idle power is measured for {metering.meter.idle_s:g} s before and after",
                    file=sys.stderr,
                )
            metering.idle()
            with signals_to(command.pid) as seen, metering.window(PHASE):
                command.go()
                code = command.wait()
            with contextlib.suppress(KeyboardInterrupt):  # enough measured
                metering.idle()
    label = name or " ".join(" ".join([Path(argv[0]).name, *argv[1:]]).split())[:60]
    status, error = outcome(code, signal.SIGINT in seen)
    record = to_record(metering, run, started, label, argv, "command", status, error, code)
    print_measured(record, keep(record, store), sys.stderr)
    return code if code >= 0 else 128 - code


def outcome(code: int, interrupted: bool) -> tuple[Status, str | None]:
    """Status and error of a command that ended with `code` (negative: by a signal)."""
    if code == 0:
        return "ok", None
    how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    if interrupted or code == -signal.SIGINT:
        return "interrupted", f"interrupted by Ctrl-C: {how}"
    return "failed", how


@contextlib.contextmanager
def signals_to(pid: int) -> Iterator[list[int]]:
    """While a command runs, what it makes of Ctrl-C is its own affair: the terminal tells it as it
    tells us. TERM and HUP, which come to us alone, are passed on. Yields the signals seen."""
    seen: list[int] = []

    def handle(number: int, _: object) -> None:
        seen.append(number)
        if number in (signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    numbers = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
    # Who started us with a signal ignored (nohup) meant it to stay so.
    heeded = [n for n in numbers if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heeded}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
