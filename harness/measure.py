"""Energy, time and trace of a stretch of anyone's Python.

from harness.measure import measure

with measure("my training") as m:
    train()
print(m)                # my training: 4.1 J (0.8 … 5.3 J), modelled:cpu_time; 1.2 s wall, 1.2 s CPU
print(m.energy_j, m.low_j, m.high_j, m.source)
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from types import TracebackType

from harness.errors import BadInputError
from harness.measured_record import new_run, to_record
from harness.metering import PHASE, Metering
from harness.meters import from_name
from harness.run_command import keep
from metrics.meter import Meter, MeterError
from metrics.process_tree import OwnTree
from metrics.record import EnergyRow, Headline, Interval, Phase, Record, Status
from metrics.store import Store
from reports.units import interval, scaled


class Measuring(contextlib.ContextDecorator):
    """What `measure` returns: a context manager, and a decorator, that meters this process and all
    that it starts. Afterwards it holds what was measured, each time anew."""

    def __init__(
        self, name: str, meter: str | Meter, results: str | Path | None, trace: bool, idle: bool
    ) -> None:
        if trace and results is None:
            raise BadInputError("measure(trace=True) needs results=DIR, a folder to keep it in")
        self.name = name
        self.meter = from_name(meter)[0] if isinstance(meter, str) else meter
        self.store = None if results is None else Store(results)
        self.with_trace, self.with_idle = trace, idle
        self.record: Record | None = None

    def __enter__(self) -> Measuring:
        self.run, self.started = new_run()
        stem = None
        if self.store:
            self.store.check_writable()
            stem = self.store.folder / "traces" / self.run if self.with_trace else None
        self._inside = contextlib.ExitStack()
        self._outside = contextlib.ExitStack()
        self.metering = self._outside.enter_context(Metering(self.meter, OwnTree(), stem))
        try:
            if self.with_idle:
                self.metering.idle()
            synchronise_device()
            self._inside.enter_context(self.metering.window(PHASE))
        except BaseException:
            self._outside.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        synchronise_device()
        self._inside.close()
        with self._outside, contextlib.suppress(KeyboardInterrupt):
            if self.with_idle:
                self.metering.idle()
        if self.store:
            self.record = self._record(self.store, error)

    def _record(self, store: Store, error: BaseException | None) -> Record:
        status: Status = "failed" if error else "ok"
        if isinstance(error, KeyboardInterrupt):
            status = "interrupted"
        text = f"{type(error).__name__}: {error}" if error else None
        record = to_record(
            self.metering, self.run, self.started, self.name, sys.argv, "code", status, text, None
        )
        keep(record, store)
        return record

    @property
    def rows(self) -> list[EnergyRow]:
        return self.metering.rows

    @property
    def phases(self) -> list[Phase]:
        return self.metering.phases

    @property
    def warnings(self) -> list[str]:
        return self.metering.warnings

    @property
    def headline(self) -> Headline:
        """The figures to quote; raises MeterError where a sensor was lost."""
        if self.metering.headline is None:
            raise MeterError("; ".join(self.metering.meter.problems) or "nothing was measured yet")
        return self.metering.headline

    @property
    def source(self) -> str:
        return self.headline.source

    @property
    def energy_j(self) -> float:
        """J, gross. low_j and high_j are the ends of its interval."""
        return self.headline.energy_j.value

    @property
    def low_j(self) -> float:
        return self.headline.energy_j.low

    @property
    def high_j(self) -> float:
        return self.headline.energy_j.high

    @property
    def net_j(self) -> Interval | None:
        """J above idle, where idle was measured (idle=True)."""
        return self.headline.net_j

    def __str__(self) -> str:
        head = self.headline
        return (
            f"{self.name}: {interval(head.energy_j, 'J')}, {head.source}; "
            f"{scaled(head.wall_s, 's')} wall, {scaled(head.cpu_s, 's')} CPU"
        )


def measure(
    name: str = "code",
    meter: str | Meter = "auto",
    results: str | Path | None = None,
    trace: bool = False,
    idle: bool = False,
) -> Measuring:
    """Meters this process and all that it starts, as `with measure(...) as m:` or `@measure(...)`.

    results: a folder to append a Record to. trace: saves a power trace there as well. idle: measures
    idle power before and after, some seconds each, so that m.net_j is known. Other threads of this
    process are on the bill.
    """
    return Measuring(name, meter, results, trace, idle)


def synchronise_device() -> None:
    """Waits for work that a CUDA device still has to do, if this program uses torch."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()
