"""Power at the wall: an HTTP plug, a command that prints a number, or another device's log."""

from __future__ import annotations

import json
import math
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

from metrics import plug, power_log
from metrics.meter import MeterError, Sensor, Window, monotonic_s
from metrics.polled import Mark, Polled
from metrics.process_tree import ProcessTree
from metrics.readings import Estimate, Reading, Resolution

CLOCK_STEP_S = 0.1


class Wall(Polled):
    """What the whole machine draws from the mains. One of url, command and csv must be given.

    url: of a Shelly or Tasmota plug's status. command: prints watts now, or joules so far (`prints`).
    csv: a log that is read once the run is over (metrics/power_log.py); clock_offset_s is added to its
    times. gain_rel: calibration error; plugs' makers state 0.01 to 0.02. The others are seconds.
    """

    name: ClassVar[str] = "wall"
    domains = ("wall",)

    def __init__(
        self,
        url: str = "",
        command: str = "",
        prints: str = "watts",
        csv: str = "",
        clock_offset_s: float = 0.0,
        poll_s: float = 1.0,
        timeout_s: float = 2.0,
        max_gap_s: float = 10.0,
        gain_rel: float = 0.02,
        floor_s: float = 30.0,
        idle_s: float = 30.0,
    ) -> None:
        kinds = [
            name for name, value in (("url", url), ("command", command), ("csv", csv)) if value
        ]
        if len(kinds) > 1:
            raise MeterError(f"meter.{' and meter.'.join(kinds)}: give one of them")
        if url and not url.startswith(("http://", "https://")):
            raise MeterError(f"meter.url={url}: must begin with http://, such as {plug.PATHS}")
        if prints not in ("watts", "joules"):
            raise MeterError(f"meter.prints={prints}: must be watts or joules")
        if not min(poll_s, timeout_s, max_gap_s, floor_s) > 0 or idle_s < 0 or gain_rel < 0:
            raise MeterError(
                "meter.poll_s, meter.timeout_s, meter.max_gap_s and meter.floor_s must be above 0, "
                "meter.idle_s and meter.gain_rel at least 0"
            )
        self.kind = kinds[0] if kinds else "url"
        self.source = f"measured:wall:{self.kind}"
        self.given = bool(kinds)
        self.url = url
        self.words = split(command)
        self.prints = prints
        self.csv = Path(csv).absolute()
        self.clock_offset_s = clock_offset_s
        self.poll_s = self.fallback_period_s = poll_s
        self.timeout_s = timeout_s
        self.max_gap_s = max_gap_s
        self.gain_rel = gain_rel
        self.floor_s = floor_s
        self.idle_s = idle_s
        self.step = Resolution(1.0)
        self.plug = ""
        self.helper: subprocess.Popen[str] | None = None

    def what(self) -> str:
        if self.kind == "command":
            return f"meter.command={shlex.join(self.words)}"
        return f"meter.csv={self.csv}" if self.kind == "csv" else f"the plug at {self.url}"

    def sensors(self) -> list[Sensor]:
        note, remedy = "", ""
        try:
            self._check_given()
            if self.kind == "csv":
                note = f"{self.csv} will be read when a run is over"
            else:
                self._start()
                reading = self.read()
                seen = f"{reading.watts:g} W" if reading.watts is not None else "a counter"
                note = f"{self.plug or 'the command'} reads {seen}"
        except (MeterError, OSError) as error:
            remedy = str(error)
        finally:
            self.close()
        return [
            Sensor(
                *(self.name, "wall", self.source, not remedy, remedy),
                period_s=None if remedy or self.kind == "csv" else self.poll_s,
                floor_s=self.floor_s,
                gain_rel=self.gain_rel,
                note=note,
            )
        ]

    def _check_given(self) -> None:
        if not self.given:
            raise MeterError(
                f"say where the wall's power can be read: meter.url={plug.PATHS}, meter.command=PROGRAM "
                "that prints watts, or meter.csv=LOG of another device"
            )
        if self.kind == "csv" and not self.csv.parent.is_dir():
            raise MeterError(f"meter.csv={self.csv}: there is no folder {self.csv.parent}")

    def open(self, tree: ProcessTree) -> None:
        self._check_given()
        self.to_monotonic_s = monotonic_s() - time.time()
        if self.kind == "csv":
            self.tree = tree
            return
        self._start()
        if self.helper is not None:
            tree.ignore(self.helper.pid)
        super().open(tree)

    def _start(self) -> None:
        """The process that runs the command, where there is one."""
        if self.kind == "command":
            self.helper = subprocess.Popen(
                [sys.executable, "-P", "-m", "metrics.repeat", str(self.timeout_s), *self.words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,  # Ctrl-C ends the run, not its meter
            )

    def read(self) -> Reading:
        """One reading, dated by the middle of the time that it took."""
        asked_s = monotonic_s()
        watts: float | None
        joules: float | None
        if self.kind == "url":
            self.plug, watts, joules, self.step = plug.ask(self.url, self.timeout_s)
        else:
            value = self._ask_command()
            watts, joules = (value, None) if self.prints == "watts" else (None, value)
        if watts is not None and watts <= 0:
            raise MeterError(
                f"{self.what()} reads {watts:g} W: this machine does not hang on it; move its plug, "
                "or see that what is printed is in watts"
            )
        return Reading((asked_s + monotonic_s()) / 2, watts, joules)

    def _ask_command(self) -> float:
        helper = self.helper
        assert helper is not None and helper.stdin is not None and helper.stdout is not None
        helper.stdin.write("\n")
        helper.stdin.flush()
        line = helper.stdout.readline()
        code, out = json.loads(line) if line else (1, "the process that runs it has ended")
        if code:
            raise MeterError(f"{self.what()} failed with exit code {code}: {out.strip()[:80]!r}")
        try:
            return power_log.finite(out.split()[0])
        except (ValueError, IndexError):
            raise MeterError(
                f"{self.what()} must print {self.prints} as a number, but prints {out[:80]!r}"
            ) from None

    def begin(self) -> Mark:
        return Mark(0) if self.kind == "csv" else super().begin()

    def end(self, now_s: float) -> Any:
        if self.kind != "csv":
            super().end(now_s)

    def glance(self, begin: Mark) -> float:
        return math.nan if self.kind == "csv" else super().glance(begin)

    def collected(self) -> list[Reading]:
        if self.kind == "csv":
            return power_log.read_log(self.csv, self.to_monotonic_s + self.clock_offset_s)
        return super().collected()

    def measure(self, readings: list[Reading], window: Window) -> Estimate:
        if self.kind != "csv":
            return super().measure(readings, window)
        power_log.check_overlap(
            *(self.csv, readings, window.begin_s, window.end_s),
            *(self.to_monotonic_s, self.clock_offset_s),
        )
        found = super().measure(readings, window)
        moved_s = monotonic_s() - time.time() - self.to_monotonic_s
        if abs(moved_s) > CLOCK_STEP_S:
            found.flags.append(f"this machine's wall clock was set by {-moved_s:+.2f} s meanwhile")
        return found

    def about(self) -> dict[str, Any]:
        return {"kind": self.kind, **({"plug": self.plug} if self.plug else {})}

    def close(self) -> None:
        super().close()
        if self.helper is not None:
            self.helper.terminate()
            if self.poller is not None:
                self.poller.join()  # it reads what the helper writes, and so until its end
            self.helper.communicate()
            self.helper = None


def split(command: str) -> list[str]:
    """A command's words, as a shell would part them."""
    try:
        return shlex.split(command)
    except ValueError as error:
        raise MeterError(f"meter.command={command}: {error}") from None
