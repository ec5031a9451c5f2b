"""Telling a person how a run is going: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from harness.sitting import Moment

LIVE_EVERY_S = 0.5
PLAIN_EVERY_S = 10.0
PLAIN_AFTER_S = 2.0


class Display:
    """Progress on standard error, so that results on standard output can be piped."""

    def __init__(self, console: Console, title: str) -> None:
        self.console = console
        self.title = title
        self.live: Live | None = None
        self.phase = ""
        self.loss: float | None = None
        self.done = ""
        self.last_s = 0.0

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            self.live = Live(console=self.console, auto_refresh=False, transient=True)
            self.live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live:
            self.live.__exit__(kind, error, trace)

    def say(self, line: str) -> None:
        """A line that stays."""
        self.console.print(f"{self.title}: {line}", highlight=False, markup=False, soft_wrap=True)

    def watch(self, moment: Moment) -> None:
        """Called a few times a second; shows rarely enough to cost nothing."""
        if moment.phase != self.phase:
            self.loss, self.done = None, ""
        self.loss = moment.loss if moment.loss is not None else self.loss
        if moment.of:
            self.done = f"{100 * moment.step / moment.of:.0f} %"
        elif moment.step:
            self.done = f"step {moment.step}"
        now = time.monotonic()
        every_s = LIVE_EVERY_S if self.live else PLAIN_EVERY_S
        if moment.phase == self.phase and now - self.last_s < every_s:
            return
        if not self.live and moment.elapsed_s < PLAIN_AFTER_S:
            return
        self.phase, self.last_s = moment.phase, now
        line = self._line(moment)
        if self.live:
            self.live.update(Text(f"{self.title}  {line}", style="cyan"), refresh=True)
        else:
            self.say(line)

    def _line(self, moment: Moment) -> str:
        if moment.joules is None:
            joules = "not metered"
        elif math.isnan(moment.joules):  # of a log that is joined later
            joules = "J not known yet"
        else:
            joules = f"{moment.joules:.3g} J so far"
        parts = [moment.phase, f"{moment.elapsed_s:.1f} s", joules]
        if self.done:
            parts.insert(1, self.done)
        if self.loss is not None:
            parts.append(f"loss {self.loss:.4f}")
        return " · ".join(parts)
