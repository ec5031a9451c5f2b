"""Between a run and its tracker: thins out, holds back, and keeps the tracker's faults away from the run.

A Record is on disk before its tracker hears of it. Whatever a tracker raises becomes one line on
standard error, and the run goes on without it; neither Record nor exit code know of it.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness import host
from harness.config import Choosing
from harness.device import device_turn
from harness.found import sha256
from harness.load import construct
from harness.sitting import Moment
from harness.trackers import keys
from harness.trackers.base import Facts, Sample, Tracker
from metrics.meter import monotonic_s
from metrics.record import COUNT, Record

if TYPE_CHECKING:
    from harness.runner import Hooks, Run

EVERY_S = 1.0
MOST_HELD = 10_000  # samples; beyond, every second one goes and the pace is halved


class Samples:
    """Moments, thinned out to one a second, the last of every window always among them.

    every_s: between samples of one window; grows where so many are held that memory would suffer.
    """

    def __init__(self) -> None:
        self.begin_s = monotonic_s()
        self.every_s = EVERY_S
        self.held: list[Sample] = []
        self.sitting = 0
        self._before: dict[str, float] = {}  # J of the sitting's earlier windows, by phase
        self._last: tuple[Moment, Sample] | None = None
        self._kept: Sample | None = None
        self._due_s = -math.inf

    def add(self, moment: Moment) -> None:
        """Keeps the moment or lets it go."""
        last = self._last
        if last is None or (moment.phase != last[0].phase or moment.elapsed_s < last[0].elapsed_s):
            self._next_window(moment)
        sample = self._sample(moment)
        self._last = moment, sample
        if sample.at_s >= self._due_s:
            self._keep(sample)

    def taken(self, end: bool = False) -> list[Sample]:
        """What is held, which is then held no more; at the end with the very last look."""
        if end and self._last and self._last[1] is not self._kept:
            self._keep(self._last[1])
        found, self.held = self.held, []
        return found

    def _next_window(self, moment: Moment) -> None:
        if self._last is not None:
            before, sample = self._last
            if sample is not self._kept:
                self._keep(sample)
            if sample.joules is not None:
                self._before[before.phase] = sample.joules
        if moment.phase == "setup" or not self.sitting:
            self.sitting += 1
            self._before.clear()
        self._due_s = -math.inf

    def _sample(self, moment: Moment) -> Sample:
        joules = moment.joules
        if joules is not None:
            joules = None if math.isnan(joules) else joules + self._before.get(moment.phase, 0.0)
        at_s = monotonic_s() - self.begin_s
        return Sample(
            *(at_s, self.sitting, moment.phase, joules, moment.loss, moment.step, moment.of)
        )

    def _keep(self, sample: Sample) -> None:
        self.held.append(sample)
        self._kept, self._due_s = sample, sample.at_s + self.every_s
        if len(self.held) >= MOST_HELD:
            self.held = self.held[::2]
            self.every_s *= 2


class Tracking:
    """One run's tracker behind its guard. Use as a context manager around execute, keep and finish: the
    device stays ours until the tracker is done, so that what it sends falls into nobody's window.

    choosing: None, or tracker=none, for no tracking. Raises BadInputError as the tracker's class does.
    """

    def __init__(self, choosing: Choosing | None) -> None:
        chosen = choosing is not None and choosing.name != "none"
        self.name = choosing.name if choosing else "none"
        self.tracker: Tracker | None = (
            construct(choosing.target, choosing.fields, "tracker") if chosen and choosing else None
        )
        self.begun = False
        self.is_live = False
        self.samples = Samples()
        self._sent_s = -math.inf
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Tracking:
        if self.tracker:
            self._stack.enter_context(device_turn(say))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        try:
            if self.begun and self.tracker:
                with self._guarded():
                    self.tracker.fail(str(error or "") or (kind.__name__ if kind else "no Record"))
        finally:
            self._stack.close()

    def begin(self, run: Run) -> Hooks:
        """To be called once the run has the device and its name; returns hooks that the tracker hears."""
        hooks = run.hooks
        if self.tracker is None:
            return hooks
        self.begun = True
        with self._guarded():
            told = facts(run)
            self.tracker.begin(told)
            self.is_live = self.tracker.wants_live(told)
        self.samples = Samples()

        def watch(moment: Moment) -> None:
            hooks.watch(moment)
            self._watch(moment)

        return type(hooks)(hooks.say, watch)

    def finish(self, record: Record) -> None:
        """After the Record was kept."""
        if not (self.begun and self.tracker):
            return
        with self._guarded():
            self.tracker.watch(self.samples.taken(end=True))
        if self.tracker:
            self.begun = False
            with self._guarded():
                for line in self.tracker.finish(record):
                    say(line)

    def _watch(self, moment: Moment) -> None:
        if self.tracker is None:
            return
        with self._guarded():
            self.samples.add(moment)
            now_s = monotonic_s()
            if self.is_live and self.samples.held and now_s - self._sent_s >= EVERY_S:
                self._sent_s = now_s
                self.tracker.watch(self.samples.taken())

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.tracker = None
            text = " ".join(str(error).split()) or type(error).__name__
            say(f"bench: tracker={self.name}: {text} (the run itself and its Record are whole)")


def say(line: str) -> None:
    """A line on standard error, as it is."""
    print(line, file=sys.stderr)


def facts(run: Run) -> Facts:
    """What there is to say of a run at its start."""
    config, exam, trial = run.config, run.exam, run.marks.get("trial", {})
    return Facts(
        run=run.run,
        kind=run.kind,
        folder=Path(config.results),
        task=config.task.name,
        algo=config.algo.name,
        seed=config.seed,
        group=exam.exam if exam else trial.get("search"),
        part=exam.side if exam else trial.get("stage"),
        meters=[] if run.kind == COUNT else run.meter.names,
        modelled=None if run.kind == COUNT else run.meter.source.startswith("modelled"),
        config=keys.config(
            run=run.run,
            kind=run.kind,
            task={
                "name": config.task.name,
                "variant": run.task.variant,
                "access": run.task.access,
                "config": config.task.fields,
                "config_sha256": sha256(config.task),
            },
            algorithm={
                "name": config.algo.name,
                "target": config.algo.target,
                "config": config.algo.fields,
                "config_sha256": sha256(config.algo),
                "code_sha256": run.code[0],
            },
            seed=config.seed,
            meter=config.meter,
            source=run.meter.source,
            process=run.process,
            host=host.describe(run.threads),
            code=host.code(),
            overrides=config.overrides,
            exam=exam,
            trial=trial,
        ),
    )
