"""A meter around work that is no run: windows, idle before and after, and a sampler beside it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metrics.joint import Joint, disagreements
from metrics.meter import Meter, MeterError, Window, monotonic_s, total, total_net
from metrics.process_tree import ProcessTree
from metrics.record import EnergyRow, Headline, Phase
from metrics.sampler import Sampler
from metrics.trace import Trace, need, save

PHASE = "command"
FIRST_WATCH_S = 0.005
WATCH_EVERY_S = 0.25
MACHINE: tuple[str, dict[str, Any]] = ("metrics.machine_probe.machine", {})


class Metering:
    """A meter open on a process tree, and a sampler beside it where `stem` says where its trace goes.

    Use as a context manager; afterwards rows, headline and warnings are there.
    """

    def __init__(self, meter: Meter, tree: ProcessTree, stem: Path | None) -> None:
        self.meter = meter if isinstance(meter, Joint) else Joint([meter])
        self.tree = tree
        self.stem = stem
        self.windows: list[Window] = []
        self.phases: list[Phase] = []
        self.rows: list[EnergyRow] = []
        self.headline: Headline | None = None
        self.warnings: list[str] = []
        self.trace: Trace | None = None
        self._reading = threading.Lock()

    def __enter__(self) -> Metering:
        self.sampler = None
        if self.stem:
            need("pyarrow")
            need("matplotlib")
        self.meter.open(self.tree)
        try:
            if self.stem:
                self.stem.parent.mkdir(parents=True, exist_ok=True)
                probes = [*self.meter.probes(), MACHINE]
                self.sampler = Sampler(probes, self.stem.with_suffix(".rows"))
                self.tree.ignore(self.sampler.__enter__().pid)
        except BaseException:
            self.meter.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:  # given up before there was anything to keep
            if self.sampler and self.stem:
                self.sampler.stop()
                self.stem.with_suffix(".rows").unlink(missing_ok=True)
            self.meter.close()
            return
        try:
            if self.sampler:  # no longer needed, and its end would be read as the tree's
                self.trace = self.sampler.stop()
                self.warnings += [f"trace: {problem}" for problem in self.trace.problems]
            idle = [window for window in self.windows if window.phase == "idle"]
            self.rows = [row for w in self.windows for row in self.meter.rows(w, idle)]
        finally:
            self.meter.close()
        self.headline = self._headline()
        self.warnings += disagreements(self.rows)

    @contextlib.contextmanager
    def window(self, phase: str) -> Iterator[None]:
        """Meters what happens inside, and looks at memory and at slow sensors meanwhile."""
        self.tree.rss_bytes()
        mark = self.meter.begin()
        self.tree.peak_rss_bytes = 0
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(mark, done), daemon=True)
        watcher.start()
        cpu_s, begin_s = self.tree.cpu_s(), monotonic_s()
        try:
            yield
        finally:
            now_s = monotonic_s()
            done.set()
            with self._reading:
                cpu_s = self.tree.cpu_s() - cpu_s
                self.tree.rss_bytes()
                end = self.meter.end(now_s)
            watcher.join()
            self.windows.append(Window(phase, 1, begin_s, now_s, mark, end))
            self.phases.append(
                Phase(
                    phase=phase,
                    wall_s=now_s - begin_s,
                    cpu_s=cpu_s,
                    peak_rss_bytes=self.tree.peak_rss_bytes,
                    repeats=1,
                )
            )

    def _watch(self, mark: Any, done: threading.Event) -> None:
        wait_s = FIRST_WATCH_S
        while not done.wait(wait_s):
            with self._reading, contextlib.suppress(MeterError):  # `end` will say what is wrong
                if not done.is_set():
                    self.tree.rss_bytes()
                    self.meter.glance(mark)
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

    def save_trace(self, run: str) -> str | None:
        """Writes the trace; returns its path relative to the Records, or None where there is none."""
        if self.trace is None or self.stem is None:
            return None
        try:
            save(self.trace, self.stem, run, self.windows, self.meter.source)
        except OSError as error:
            self.warnings.append(f"the trace was not saved: {error.strerror or error}")
            return None
        self.stem.with_suffix(".rows").unlink(missing_ok=True)
        return f"{self.stem.parent.name}/{self.stem.name}.parquet"
