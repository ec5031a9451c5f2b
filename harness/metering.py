"""A meter around work that is no run: a command, or a stretch of somebody's program."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from harness.windows import Windows
from metrics.joint import Joint, disagreements
from metrics.meter import Meter, MeterError, total, total_net
from metrics.process_tree import ProcessTree
from metrics.record import EnergyRow, Headline

PHASE = "command"
FIRST_WATCH_S = 0.005
WATCH_EVERY_S = 0.25


class Metering(Windows):
    """A meter open on a process tree, and a sampler beside it where `stem` says where its trace goes.

    Use as a context manager; afterwards rows, headline and warnings are there.
    """

    def __init__(self, meter: Meter, tree: ProcessTree, stem: Path | None) -> None:
        super().__init__(meter if isinstance(meter, Joint) else Joint([meter]), tree)
        self.stem = stem
        self.rows: list[EnergyRow] = []
        self.headline: Headline | None = None
        self._reading = threading.Lock()

    def __enter__(self) -> Metering:
        self.meter.open(self.tree)
        try:
            if self.stem:
                self.start_trace(self.stem)
        except BaseException:
            self.meter.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.stop_trace(keep=kind is None)
            if kind is None:  # else it was given up before there was anything to keep
                self.rows = self.energy_rows()
                self.headline = self._headline()
                self.warnings += disagreements(self.rows)
        finally:
            self.meter.close()

    @contextlib.contextmanager
    def window(self, phase: str, repeats: int = 1) -> Iterator[None]:
        """Looks at memory and at slow sensors from a thread, since here nobody else does."""
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,), daemon=True)
        with super().window(phase, repeats):
            watcher.start()
            try:
                yield
            finally:
                done.set()
                self._reading.acquire()  # let it finish the reading that it is in
                self._reading.release()
        watcher.join()

    def _watch(self, done: threading.Event) -> None:
        wait_s = FIRST_WATCH_S
        while not done.wait(wait_s):
            with self._reading, contextlib.suppress(MeterError):  # `end` will say what is wrong
                if not done.is_set():
                    self.tree.rss_bytes()
                    self.glance()
            wait_s = min(2 * wait_s, WATCH_EVERY_S)

    def idle(self) -> None:
        """Measures idle power, for meters that have any."""
        if self.meter.idle_s > 0:
            with self.window("idle"):
                time.sleep(self.meter.idle_s)

    def _headline(self) -> Headline | None:
        """None where a sensor was lost: a sum with a part missing is no figure."""
        work = next((phase for phase in self.phases if phase.phase == PHASE), None)
        if work is None or self.meter.problems:
            return None
        if work.wall_s < self.meter.floor_s:
            self.warnings.append(
                f"the window of {work.wall_s:.3g} s is below the meter's floor of "
                f"{self.meter.floor_s:g} s"
            )
        energy_j = total(self.rows, PHASE, self.meter)
        return Headline(
            source=self.meter.source,
            modelled=self.meter.source.startswith("modelled"),
            domains=list(self.meter.domains),
            energy_j=energy_j,
            net_j=total_net(self.rows, PHASE, self.meter),
            cold_j=energy_j,  # a command starts from nothing: its setup is within
            inference_j=None,
            joules_per_accuracy=None,
            wall_s=work.wall_s,
            cpu_s=work.cpu_s,
        )
