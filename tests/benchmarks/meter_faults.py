"""What comes out of every meter when a sensor fails in the middle of a window."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.benchmarks.meter_tools import Carbon, Ours, Reading, Tool, Zeus
from tests.benchmarks.meter_windows import IDLE_W, machine, work
from tests.standin.script import Board, Script
from tests.standin.waveform import Square

WINDOW_S = 2.0
WRONG = 0.01  # relative error from which a figure without a flag is wrong


@dataclass(frozen=True)
class Fault:
    """rapl: whose board (the machine's only one). moments_s: as Script.fault, from the begin of work on;
    before: from the call of begin() on instead."""

    name: str
    rapl: bool
    board: Board
    before: bool = False
    moments_s: Mapping[str, float] = field(default_factory=dict)


BOARDS = {False: Board(0.1, 0.03, IDLE_W), True: Board(0.001, 0.0, IDLE_W)}
FRESH = {rapl: replace(board, idle_w=1.0, start_j=0.0) for rapl, board in BOARDS.items()}
# Range of a small package; 200 J below its end, so that every window wraps once.
WRAPS = Board(0.001, 0.0, idle_w=1.0, start_j=65_336.0, modulus_j=65_536.0)
KINDS: tuple[tuple[str, bool, dict[str, float]], ...] = (
    ("none", False, {}),
    ("reset to 0", False, {"reset_s": 1.3}),
    ("freezes", False, {"freeze_s": 1.3}),
    ("frozen from before", True, {"freeze_s": 0.0}),
    ("reads fail for 0.4 s", False, {"error_from_s": 0.8, "error_to_s": 1.2}),
    ("reads fail at begin", True, {"error_from_s": 0.0, "error_to_s": 0.2}),
    ("reads fail at end", False, {"error_from_s": 1.8, "error_to_s": 2.2}),
    ("vanishes", False, {"vanish_s": 1.3}),
)
FAULTS = [
    *(
        Fault(name, rapl, BOARDS[rapl], before, moments_s)
        for rapl in (False, True)
        for name, before, moments_s in KINDS
    ),
    # Past what it showed before by the next look at it: it seems never to have been reset.
    *(
        Fault("reset to 0 when still low", rapl, FRESH[rapl], False, {"reset_s": 0.05})
        for rapl in (False, True)
    ),
    Fault("no energy counter", False, Board(0.1, 0.03, IDLE_W, has_counter=False)),
    Fault("wraps", True, WRAPS),
    Fault("always reads 0", True, Board(0.001, 0.0, IDLE_W, gain=0.0, start_j=0.0)),
]


def verdict(tool: Tool, reading: Reading | None, truth_j: float) -> str:
    """In words; a wrong figure that nothing gives away begins with WRONG."""
    if reading is None:
        return "no figure"
    always = tool.meter.flags if isinstance(tool, Ours) else []
    flags = [flag for flag in reading.flags if flag not in always]
    error = reading.gross_j / truth_j - 1
    figure = f"{100 * error:+.2f} %"
    if flags:
        return f"flagged ({'; '.join(flags)}), {figure}"
    return f"WRONG, {figure}" if abs(error) > WRONG else f"right, {figure}"


def strike(script: Script, fault: Fault) -> None:
    now_s = time.monotonic()
    script.fault(0, **{name: now_s + moment_s for name, moment_s in fault.moments_s.items()})


def outcome(fault: Fault, kind: type[Tool]) -> str:
    """What one tool makes of a fault. Its errors are outcomes too, whatever they are."""
    with machine([fault.board], fault.rapl) as (script, root):
        try:
            tool = kind(root)
            if fault.before:
                strike(script, fault)
                time.sleep(0.01)  # until the writer of files has acted it out
            tool.begin()
            if not fault.before:
                strike(script, fault)
            begin_s = work(script, [Square(200.0, 400.0, 7.0)], WINDOW_S, [tool])
            now_s = script.idle()
            reading = tool.end(begin_s, now_s).get(0)
        except Exception as error:
            return f"error: {type(error).__name__}: {error}"
        return verdict(tool, reading, script.truth(0, begin_s, now_s))


TOOLS: tuple[type[Tool], ...] = (Ours, Zeus, Carbon)
