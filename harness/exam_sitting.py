"""Sitting an exam: the pairs that are missing, in the planned order, then the verdict of the Records."""

from __future__ import annotations

import hashlib
import json
import secrets
import shlex
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console

from harness import exam as plans
from harness import host
from harness.config import Config
from harness.device import device_turn
from harness.errors import BadInputError
from harness.exam import FOLDER, PLAN, Words
from harness.load import is_file_target, own_fault
from harness.progress import Display
from harness.run_command import keep, keep_log
from harness.runner import Hooks, Run
from metrics import record as rec
from metrics.meter import MeterError
from metrics.record import Record
from metrics.store import Store
from reports import exam_runs
from reports.exam_runs import BASELINE, CANDIDATE, Sat
from reports.units import scaled
from reports.verdict import judge
from reports.verdict_fields import UNDECIDED, Verdict, write
from reports.verdict_lines import print_verdict
from tasks.base import Target, Task, TaskError

SILENT = Hooks(lambda line: None, lambda moment: None)


class ExamRun(Run):
    """A run in an exam's pairs. place: which sitting it is."""

    def __init__(
        self, config: Config, hooks: Hooks, nonce: int, place: rec.ExamInfo, words: list[str]
    ) -> None:
        super().__init__(config, hooks, nonce=nonce)
        self.place = place
        self.marks = {"exam_words": words}

    @property
    def exam(self) -> rec.ExamInfo:
        """Void where it was not its side that failed."""
        blame = None
        if self.fault is not None:
            blame = "joulebench or the task"
        elif isinstance(self.failure, MeterError | TaskError):
            blame = "the meter" if isinstance(self.failure, MeterError) else "the task"
        return msgspec.structs.replace(self.place, void=blame)


class Sitting:
    """One exam as the command line asks for it; constructing it checks everything but the workers."""

    def __init__(self, words: list[str], fresh: bool) -> None:
        self.said = words
        self.words: Words = plans.take_apart(words)
        self.configs = plans.sides(self.words)
        seats = {name: self._seat(name, config) for name, config in self.configs.items()}
        self.target = with_bar(seats[CANDIDATE].task, self.configs[CANDIDATE])
        self.fixed = plans.plan_of(self.words, self.configs, seats, self.target)
        self.results = Path(self.configs[CANDIDATE].results)
        self.store = Store(self.results)
        self.total = self.words.pairs + self.words.extension
        self.name = self._numbered(plans.name_of(self.words, self.configs), fresh)
        self.folder = self.results / FOLDER / self.name
        self.console = Console(stderr=True)
        self.seats = seats
        self.began_s, self.sat_here = time.monotonic(), 0

    def _seat(self, name: str, config: Config) -> Run:
        try:
            return Run(config, SILENT)
        except (BadInputError, TaskError, MeterError) as error:
            if name == CANDIDATE:
                raise
            raise BadInputError(f"{name}: {error}") from None

    def _numbered(self, name: str, fresh: bool) -> str:
        """The newest exam of these words; a new name where there is none yet, or with `fresh`."""
        numbers = [1]
        while (self.results / FOLDER / _nth(name, numbers[-1] + 1)).exists():
            numbers.append(numbers[-1] + 1)
        newest = _nth(name, numbers[-1])
        if (self.results / FOLDER / newest / PLAN).exists() and not fresh:
            return newest
        taken = set(exam_runs.names(exam_runs.load(self.results)[0]))
        number = numbers[-1]
        while _nth(name, number) in taken or (self.results / FOLDER / _nth(name, number)).exists():
            number += 1
        return _nth(name, number)

    def run(self) -> int:
        """The whole of it; returns the exit code."""
        self.store.check_writable()
        for seat in self.seats.values():
            seat.fetch()
        self._plan()
        self._load()
        if self.records:
            self._say(
                f"going on with {self.folder}: {len(self.runs)} runs are there (--fresh: anew)"
            )
        verdict = self._verdict() if self._stopped() else None
        for pairs in dict.fromkeys((self.words.pairs, self.total)):
            if verdict is not None and verdict.word != UNDECIDED:
                break
            for pair in range(1, pairs + 1):
                if self._stopped():
                    break
                self._pair(pair, pairs)
            verdict = self._verdict()
            if verdict.word == UNDECIDED and verdict.more:
                self._say(f"undecided after {pairs} pairs; the declared extension follows")
        assert verdict is not None
        print_verdict(verdict)
        print(f"kept       {write(verdict, self.folder)}")
        return verdict.exit_code

    def _plan(self) -> None:
        """Writes the plan, or goes on with the one that is there."""
        path = self.folder / PLAN
        if path.exists():
            try:
                self.plan = json.loads(path.read_bytes())
                order = self.plan["orders"]
            except (OSError, ValueError, KeyError) as error:
                raise BadInputError(
                    f"cannot read {path} ({error}); begin anew: bench exam --fresh {shlex.join(self.said)}"
                ) from None
            plans.check_same(self.plan, self.fixed, self.name, self.said)
        else:
            seed = secrets.randbits(63)
            order = plans.orders(seed, self.total, list(self.configs))
            code = host.code()
            about = {
                "exam": self.name,
                "declared_at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            version = {"version": code.version, "commit": code.commit, "dirty": code.dirty}
            rest = {"words": self.said, "joulebench": version, "order_seed": seed, "orders": order}
            self.plan = about | self.fixed | rest
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(self.plan, indent=2, ensure_ascii=False) + "\n")
            partial.replace(path)
        self.order: list[list[str]] = order
        self.plan_sha256 = hashlib.sha256(path.read_bytes()).hexdigest()

    def _load(self) -> None:
        """What has been sat, from the Records."""
        found, problems = exam_runs.load(self.results)
        for problem in problems:
            print(f"bench: {problem}", file=sys.stderr)
        self.records = [r for r in found if r.exam and r.exam.exam == self.name]
        self.exam = exam_runs.collect(found, self.name) if self.records else None
        self.runs = self.exam.runs if self.exam else {}
        if self.exam and self.exam.info.plan_sha256 != self.plan_sha256:
            raise BadInputError(
                f"the Records of exam {self.name} are of another plan than {self.folder / PLAN}; begin "
                f"anew: bench exam --fresh {shlex.join(self.said)}"
            )

    def _stopped(self) -> bool:
        """Whether a failure has ended it."""
        return any(
            run.failure for (_, side), run in self.runs.items() if side in (CANDIDATE, BASELINE)
        )

    def _verdict(self) -> Verdict:
        self._load()
        assert self.exam is not None
        verdict = judge(self.exam)
        assert verdict is not None
        return verdict

    def _pair(self, pair: int, of: int) -> None:
        """Everybody of a pair who has not sat yet; no other run may come between."""
        missing = [s for s in self.order[pair - 1] if (pair, s) not in self.runs]
        if not missing:
            return
        began_s = time.monotonic()
        with device_turn(self._say):
            nonce = self._nonce(pair)
            for side in missing:
                self._sit(pair, side, nonce, of)
                if self._stopped():
                    return
        self.sat_here += 1
        left_s = (of - pair) * (time.monotonic() - self.began_s) / self.sat_here
        joules = [
            f"{side} {scaled(head.energy_j.value if (head := self.runs[pair, side].headline) else None, 'J')}"
            for side in self.configs
        ]
        took = f"{time.monotonic() - began_s:.0f} s"
        more = f"; about {duration(left_s)} left" if pair < of else ""
        self._say(f"pair {pair} of {of}: {', '.join(joules)} ({took}{more})")

    def _nonce(self, pair: int) -> int:
        """The pair's draw: that of whoever has sat it, even without coming to an end, or a new one."""
        seen = [r for r in self.records if r.exam and r.exam.pair == pair and r.task.data_sha256]
        return int(seen[0].draw.nonce, 16) if seen else secrets.randbits(128)

    def _sit(self, pair: int, side: str, nonce: int, of: int) -> None:
        """One run, its Record kept and looked at."""
        config = replace(self.configs[side], seed=self.plan["seeds"][pair - 1])
        place = rec.ExamInfo(
            exam=self.name,
            plan_sha256=self.plan_sha256,
            pair=pair,
            side=side,
            position=self.order[pair - 1].index(side) + 1,
            sides=list(self.configs),
            pairs=self.words.pairs,
            extension=self.words.extension,
            machine=self.plan["machine"],
        )
        run = ExamRun(config, SILENT, nonce, place, self.said)
        with run.tracking as tracking:
            with Display(self.console, f"pair {pair} of {of} · {side} {config.algo.name}") as show:
                run.hooks = Hooks(lambda line: None, show.watch)
                try:
                    record = run.execute()
                except BadInputError as error:
                    raise BadInputError(
                        f"the {side} ({config.algo.name}) refused: {error}"
                        + ("; or name another with baseline=NAME" if side == BASELINE else "")
                    ) from None
            keep(record, self.store)
            tracking.finish(record)
        keep_log(run.log, self.store.folder / "logs" / f"{record.run}.log")
        self._check(run, record, side)

    def _check(self, run: ExamRun, record: Record, side: str) -> None:
        """Raises for what is no failure of a side; else the run counts."""
        assert record.exam is not None
        if run.interrupted:
            raise BadInputError(f"{record.error}. {self._kept()}")
        if run.fault:
            if is_file_target(run.config.task.target):
                with own_fault(run.config.task.target):
                    raise run.fault
            raise run.fault
        if record.exam.void:
            raise BadInputError(f"{record.exam.void} failed: {record.error}. {self._kept()}")
        if record.algorithm.code_sha256 != self.plan["code"][side]:
            raise BadInputError(
                f"the code of {side} changed while the exam was going on; restore it, or begin anew: "
                f"bench exam --fresh {shlex.join(self.said)}"
            )
        sat = Sat(**{name: getattr(record, name) for name in Sat.__struct_fields__})
        self.records.append(sat)
        self.runs[record.exam.pair, side] = sat
        if record.status == "failed":
            self._say(f"pair {record.exam.pair}: the {side} failed: {record.error}")

    def _kept(self) -> str:
        whole = len({p for p, _ in self.runs if all((p, s) in self.runs for s in self.configs)})
        return (
            f"{whole} pairs and {len(self.runs) - whole * len(self.configs)} single runs are kept in "
            f"{self.store.path}; the same words again go on"
        )

    def _say(self, line: str) -> None:
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)


def with_bar(task: Task, config: Config) -> Target:
    """The task's target. Raises BadInputError where it has no bar."""
    target = task.target(task.draws([config.seed, 0], 1))
    if target.value is None:
        raise BadInputError(
            f"task={config.task.name} has no bar here, and an exam needs one; say task.bar=..."
        )
    return target


def duration(seconds: float) -> str:
    """ "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _nth(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"
