"""Windows of scripted work on stand-in boards, read by a tool and held against the truth."""

from __future__ import annotations

import contextlib
import math
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metrics.meter import MeterError
from metrics.sampler import Sampler
from tests.benchmarks.meter_tools import Carbon, Ours, Reading, Tool, Zeus
from tests.standin.powercap import Powercap
from tests.standin.script import Board, Script
from tests.standin.waveform import Burst, Constant, Ramp, Square, Waveform

GLANCE_EVERY_S = 0.25  # as often as a run looks at its meter
IDLE_W = 60.0
WINDOWS_S = (0.25, 1.0, 5.0)
# By name: from a phase in 0..1 and the window's length to a waveform.
WAVEFORMS: dict[str, Callable[[float, float], Waveform]] = {
    "constant 300 W": lambda phase, length_s: Constant(300.0),
    "square 0.5 Hz": lambda phase, length_s: Square(100.0, 400.0, 0.5, 0.5, phase),
    "square 7 Hz": lambda phase, length_s: Square(100.0, 400.0, 7.0, 0.5, phase),
    "square 50 Hz": lambda phase, length_s: Square(100.0, 400.0, 50.0, 0.5, phase),
    "ramp 80-500 W": lambda phase, length_s: Ramp(80.0, 500.0, length_s),
    "bursts 20 ms": lambda phase, length_s: Burst(80.0, 600.0, 0.02, 0.11, phase),
    "bursts 500 ms": lambda phase, length_s: Burst(80.0, 600.0, 0.5, 0.8, phase),
}


@dataclass(frozen=True)
class Source:
    """A kind of counter. boards: how many are measured in one window."""

    name: str
    period_s: float
    boards: int
    rapl: bool = False


SOURCES = (  # the longest first
    Source("rapl 1 ms", 0.001, 8, rapl=True),
    Source("nvml 10 ms", 0.01, 32),
    Source("nvml 20 ms", 0.02, 32),
    Source("nvml 100 ms", 0.1, 32),
)


@dataclass(frozen=True)
class Sample:
    """One board in one window."""

    tool: str
    source: str
    waveform: str
    window_s: float
    truth_j: float
    reading: Reading

    @property
    def error(self) -> float:
        """Relative, signed."""
        return self.reading.gross_j / self.truth_j - 1


@contextlib.contextmanager
def machine(boards: list[Board], rapl: bool) -> Iterator[tuple[Script, Path | None]]:
    """The stand-in machine of this process: its script, and the powercap tree of a RAPL one. The driver
    library must already be in LD_LIBRARY_PATH, and NVML not yet in use."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        script = Script(Path(name) / "script", boards)
        if not rapl:
            os.environ["STANDIN_NVML"] = str(script.path)
            yield script, None
            return
        root = Path(name) / "intel-rapl"
        library = Path(os.environ["LD_LIBRARY_PATH"].partition(":")[0])
        with Powercap(script, library, root, [f"package-{i}" for i in range(len(boards))]):
            yield script, root


def random_boards(source: Source) -> list[Board]:
    """Counters that tick at different moments and stand at different heights."""
    return [
        Board(source.period_s, random.uniform(0, source.period_s), IDLE_W, start_j=1e3 * (i + 1))
        for i in range(source.boards)
    ]


def work(script: Script, waveforms: list[Waveform], length_s: float, tools: list[Tool]) -> float:
    """Plays the waveforms, idle again after `length_s`; returns when work began."""
    begin_s = script.play_all(waveforms)
    while (left_s := begin_s + length_s - time.monotonic()) > 0:
        time.sleep(min(left_s, GLANCE_EVERY_S))
        for tool in tools:
            tool.glance()
    return begin_s


def deck(phases: int, boards: int) -> list[list[str]]:
    """Names of waveforms, `phases` times each, shuffled and dealt: one per board and window."""
    cards = [name for name in WAVEFORMS for _ in range(phases)]
    random.shuffle(cards)
    cards += random.choices(list(WAVEFORMS), k=-len(cards) % boards)
    return [cards[i : i + boards] for i in range(0, len(cards), boards)]


@dataclass
class Seen:
    """Windows that gave figures, and what the others said instead."""

    samples: list[Sample] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def window(
    seen: Seen, script: Script, source: str, hand: list[str], length_s: float, tools: list[Tool]
) -> None:
    """One window of all boards. The first tool to begin may wait for its sensor and is the last to
    end, so that the others are asked right at the edges of the work."""
    for tool in tools:
        tool.begin()
    waves = [WAVEFORMS[name](random.random(), length_s) for name in hand]
    begin_s = work(script, waves, length_s, tools)
    now_s = script.idle()
    for tool in reversed(tools):
        try:
            readings = tool.end(begin_s, now_s)
        except MeterError as error:
            seen.problems.append(f"{tool.name}, {source}, {length_s:g} s: {error}")
            continue
        for board, reading in readings.items():
            truth_j = script.truth(board, begin_s, now_s)
            seen.samples.append(Sample(tool.name, source, hand[board], length_s, truth_j, reading))
    time.sleep(0.02)


def sampling_share(source: Source, seconds: float = 5.0) -> float:
    """CPU of one core that tracing one board at 10 Hz and glancing at it take while work goes on."""
    with machine([Board(source.period_s, 0.0, IDLE_W)], source.rapl) as (script, root):
        ours = Ours(root)
        trace_file = script.path.with_name("trace")
        with Sampler(ours.meter.probes(), trace_file, hz=10.0) as sampler:
            ours.begin()
            spent_s = -time.process_time()
            work(script, [Constant(300.0)], seconds, [ours])
            spent_s += time.process_time()
            trace = sampler.stop()
    assert trace.cpu_share is not None, trace.problems
    return trace.cpu_share + spent_s / seconds


def error_of(source: Source, phases: int, others: bool, windows_s: Sequence[float]) -> Seen:
    """All windows of one source."""
    seen = Seen()
    with machine(random_boards(source), source.rapl) as (script, root):
        ours = Ours(root)
        together: list[Tool] = [ours, Zeus(root)] if others else [ours]
        for length_s in windows_s:
            for hand in deck(phases, source.boards):
                window(seen, script, source.name, hand, length_s, together)
        for tool in together:
            tool.close()
        if others:
            carbon = Carbon(root)  # apart, for it takes long to begin and to end
            for length_s in windows_s:
                for hand in deck(math.ceil(phases / 10), source.boards):
                    window(seen, script, source.name, hand, length_s, [carbon])
    return seen
