"""`bench run`, `bench curve` and `bench replay`."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from harness import registry
from harness.config import Choosing, Config, configure, tracker_of
from harness.errors import BadInputError
from harness.found import sha256
from harness.load import is_file_target, own_fault
from harness.progress import Display
from harness.runner import Hooks, Run
from harness.suite import WORD, expand
from metrics.meter import MeterError
from metrics.record import COUNT, CURVE, RUN, TRIAL, Record, encode
from metrics.store import Store, StoreError
from reports.console import table_console
from reports.runs import print_result
from tasks.base import TaskError


def run(words: list[str], multirun: bool, dry: bool, seat: type[Run] = Run) -> int:
    """Runs every configuration that the words ask for; one that fails does not stop the others."""
    others: dict[str, tuple[str, ...]] = {
        "bench tune has a search": ("process", "budget.", "tune.")
    }
    others |= {} if seat.kind == CURVE else {"bench curve has pauses": ("curve.",)}
    others |= (
        {} if seat.kind == COUNT else {"bench count has energy tables": ("energy=", "energy.")}
    )
    for what, marks in others.items():
        for bad in [word for word in words if word.startswith(marks)]:
            raise BadInputError(
                f"{bad}: only {what}; say {what.split(' has')[0]} {' '.join(words)}"
            )
    configs: list[Config] = []
    nonces: list[int | None] = []
    if any(word.startswith(WORD) for word in words):
        for jobs in expand(words):
            configs += [config for job in jobs for config in configure(job, multirun=False)]
            nonces += [secrets.randbits(128)] * len(jobs)
    else:
        configs = configure(words, multirun)
        nonces = [None] * len(configs)
    runs = [
        (config, _prepare(config, seat, nonce=nonce))
        for config, nonce in zip(configs, nonces, strict=True)
    ]  # all checked before any starts
    if dry:
        return dry_run(configs)
    for folder in {config.results for config in configs}:
        Store(folder).check_writable()
    for _, seated in runs:
        seated.fetch()
    failed = done = 0
    for number, (config, seated) in enumerate(runs, 1):
        place = f"[{number}/{len(runs)}] " if len(runs) > 1 else ""
        try:
            failed += sit(seated, config, place) != "ok"
        except (BadInputError, TaskError, MeterError) as error:
            if len(runs) == 1:
                raise
            print(f"bench: {place}{error}", file=sys.stderr)
            failed += 1
        done = number
        if seated.interrupted:
            break
    if len(runs) > 1 and (failed or done < len(runs)):
        left = f"; {len(runs) - done} were not begun" if done < len(runs) else ""
        print(f"bench: {failed} of {done} runs did not finish{left}", file=sys.stderr)
    return 2 if failed or done < len(runs) or seated.interrupted else 0


def replay(name: str, results: str, words: list[str]) -> int:
    """The same configuration, seed, nonce and repeats as an earlier run, as a new Record.

    words: of the tracker, since one that followed the earlier run does not follow this one.
    """
    old = Store(results).find(name)
    if old.kind == CURVE:
        words = [w for w in old.settings["overrides"] if not w.startswith("curve.")]
        raise BadInputError(
            f"{old.run} is a curve, which is no exam; draw another with bench curve, or sit the exam "
            f"with: bench run {shlex.join(words)}"
        )
    if old.kind == TRIAL:
        raise BadInputError(
            f"{old.run} is a trial of a search, which is no exam; sit one with what the search found: "
            f"bench run task={old.task.name} algo={Path(results) / 'found.yaml'}"
        )
    if old.kind == COUNT:
        raise BadInputError(
            f"{old.run} is a count, whose draw follows from the seed; count it again with: "
            f"bench count {shlex.join(old.settings['overrides'])}"
        )
    if old.kind != RUN:
        raise BadInputError(
            f"{old.run} is a measured command, which has no draw to replay; measure it again with: "
            f"bench measure -- {shlex.join(old.algorithm.config['argv'])}"
        )
    about = {"found": old.found} if old.found else {}
    config = Config(
        task=Choosing(old.task.name, old.task.target, old.task.config, {}),
        algo=Choosing(old.algorithm.name, old.algorithm.target, old.algorithm.config, about),
        meter="+".join(old.settings["meters"]),
        meters=_meters(old),
        seed=old.draw.seed,
        repeats=old.draw.repeats,
        threads=old.host.threads,
        results=results,
        trace=None,
        settle_s=old.settings["settle_s"],
        limits=old.settings["limits"],
        curve={},
        overrides=[*(w for w in old.settings["overrides"] if not w.startswith("tracker")), *words],
        tracker=tracker_of(words),
    )
    try:
        seated = _prepare(config, nonce=int(old.draw.nonce, 16), replay_of=old.run)
    except (ImportError, AttributeError, FileNotFoundError) as error:
        raise BadInputError(f"cannot replay {old.run}: {error}") from None
    Store(results).check_writable()
    seated.fetch()
    status = sit(seated, config, f"replay of {old.run} ")
    new = Store(results).find(seated.run)
    if new.task.data_sha256 != old.task.data_sha256:
        print(
            "the draw is not the same: the text or the task's code has changed since",
            file=sys.stderr,
        )
        return 2
    if new.algorithm.code_sha256 != old.algorithm.code_sha256:
        print("the algorithm's code has changed since", file=sys.stderr)
    if new.score and old.score:
        same = new.score.value == old.score.value
        print(
            f"replay   score {new.score.value:.6g} against {old.score.value:.6g} then: "
            + ("the same" if same else f"differs by {new.score.value - old.score.value:.2g}")
        )
    return 0 if status == "ok" else 2


def _meters(old: Record) -> list[Choosing]:
    """The meters that the old run had, with their fields."""
    found = ((n, registry.find("meter", n)[0], f) for n, f in old.settings["meters"].items())
    return [Choosing(name, choice.target, fields, {}) for name, choice, fields in found]


def curve(words: list[str], multirun: bool) -> int:
    """`run`, with training paused for evaluations."""
    from harness.curve import CurveRun

    return run(words, multirun, False, CurveRun)


def _prepare(config: Config, seat: type[Run] = Run, **draw: Any) -> Run:
    """A Run whose hooks are set when it is its turn; raises for whatever is wrong with it."""
    return seat(config, Hooks(lambda line: None, lambda moment: None), **draw)


def sit(seated: Run, config: Config, place: str) -> str:
    """Runs one, prints its result and keeps its Record. Returns its status."""
    console = Console(stderr=True)
    title = f"{place}{config.task.name} · {config.algo.name} · seed {config.seed}"
    store = Store(config.results)
    with seated.tracking as tracking:
        with Display(console, title) as display:
            seated.hooks = Hooks(display.say, display.watch)
            record = seated.execute()
        kept = keep(record, store)
        keep_log(seated.log, store.folder / "logs" / f"{record.run}.log")
        if record.status == "ok":
            with unbroken_pipe():
                print_result(record, kept)
        else:
            spent = sum(row.gross_j for row in record.energy if seated.meter.counts(row))
            what = f"The {spent:.3g} J spent are" if seated.meter.meters else "It is"
            print(
                f"bench: {config.algo.name} on {config.task.name}: {record.error}. "
                f"{what} kept as run {record.run} ({kept})",
                file=sys.stderr,
            )
        tracking.finish(record)
    if seated.fault:
        if is_file_target(config.task.target):
            with own_fault(config.task.target):
                raise seated.fault
        raise seated.fault
    return record.status


@contextlib.contextmanager
def unbroken_pipe() -> Iterator[None]:
    """Lets a reader of our output go away without taking the runs that follow along."""
    try:
        yield
    except (BrokenPipeError, SystemExit):  # rich turns the one into the other
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def keep_log(log: bytes, path: Path) -> None:
    """What the algorithm printed, if anything, beside the Records."""
    if log.strip():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(log)
        except OSError as error:
            print(f"bench: could not keep the algorithm's output ({error})", file=sys.stderr)
            return
        print(f"output    {path}", file=sys.stderr)


def keep(record: Record, store: Store) -> str:
    """Appends the Record, or saves it wherever there is room; a measured run is never lost."""
    try:
        store.append(record)
        return str(store.path)
    except (OSError, StoreError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
    line = encode(record) + b"\n"
    with contextlib.suppress(OSError):
        path = Path(tempfile.gettempdir()) / f"joulebench-{record.run}.jsonl"
        path.write_bytes(line)
        print(
            f"bench: could not append to {store.path} ({reason}); the Record was saved as {path}: "
            f"once there is room, cat {path} >> {store.path}",
            file=sys.stderr,
        )
        return str(path)
    print(
        f"bench: could not append to {store.path} ({reason}); the Record follows", file=sys.stderr
    )
    print(line.decode(), end="", file=sys.stderr)
    return "nowhere: printed above"


class Past(msgspec.Struct):
    """What a prediction needs of an earlier Record."""

    class Part(msgspec.Struct):
        name: str
        config_sha256: str

    class Spent(msgspec.Struct):
        cold_j: dict[str, float]
        energy_j: dict[str, float]

    class Phase(msgspec.Struct):
        wall_s: float

    task: Part
    algorithm: Part
    schema_version: int
    status: str
    headline: Spent | None
    phases: list[Phase]
    kind: str = RUN


def dry_run(configs: list[Config]) -> int:
    """What would run, with the median time and joules of earlier runs of the same configuration."""
    table = Table(box=None, pad_edge=False)
    for column in ("task", "algo", "seed", "what is set", "about s", "about J", "from"):
        table.add_column(column, overflow="fold")
    total_s = 0.0
    unknown = 0
    stores: dict[str, list[Past]] = {}
    for config in configs:
        if config.results not in stores:
            loaded = Store(config.results).load(Past)
            stores[config.results] = loaded.records
            for problem in loaded.problems:
                print(f"bench: {problem}", file=sys.stderr)
        past = [p for p in stores[config.results] if p.status == "ok" and p.headline]
        past = [p for p in past if p.kind == RUN]
        same = [p for p in past if _same(p, config)]
        like = [
            p
            for p in past
            if (p.task.name, p.algorithm.name) == (config.task.name, config.algo.name)
        ]
        found, origin = (same, "same configuration") if same else (like, "other settings")
        words = [w for w in config.overrides if not w.startswith(("task=", "algo=", "seed="))]
        row = [config.task.name, config.algo.name, str(config.seed), " ".join(words)]
        if found:
            wall_s = statistics.median(sum(phase.wall_s for phase in p.phases) for p in found)
            joules = statistics.median(p.headline.energy_j["value"] for p in found if p.headline)
            total_s += wall_s
            row += [f"{wall_s:.1f}", f"{joules:.3g}", f"{len(found)} earlier, {origin}"]
        else:
            unknown += 1
            row += ["?", "?", "no earlier run"]
        table.add_row(*row)
    console = table_console()
    console.print(table)
    more = f", and {unknown} of unknown length" if unknown else ""
    console.print(f"\n{len(configs)} runs, about {total_s:.0f} s{more}. Nothing was run.")
    return 0


def _same(past: Past, config: Config) -> bool:
    mine = sha256(config.task), sha256(config.algo)
    return (past.task.config_sha256, past.algorithm.config_sha256) == mine
