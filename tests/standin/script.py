"""Writes the power that the stand-in drivers act out, and says what was truly drawn.

One file, mapped by this process and by every process that loads the driver library: per board its
settings, its faults and a list of segments to which a test appends while the meter runs.
"""

from __future__ import annotations

import math
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.standin.waveform import Constant, Waveform

SOURCE = Path(__file__).with_name("nvml.c")
LIBRARY = "libnvidia-ml.so.1"
MAGIC = 0x6A6F756C65733031
HEADER_BYTES = 256
SEGMENTS = 4096
LEAD_S = 0.001
FAULTS = ("reset_s", "freeze_s", "error_from_s", "error_to_s", "vanish_s")
SEGMENT = np.dtype([("start_s", "f8"), ("kind", "i8"), ("p", "f8", 6)])
# The order of nvml.c's struct Board.
BOARD = np.dtype(
    [
        *((name, "f8") for name in ("period_s", "phase_s", "gain", "start_j", "modulus_j")),
        ("power_window_s", "f8"),
        *((name, "f8") for name in FAULTS),
        ("has_counter", "i8"),
        ("pid", "i8"),
        ("spare", "f8", 18),
        ("count", "i8"),
        ("segments", SEGMENT, SEGMENTS),
    ]
)


@dataclass(frozen=True)
class Board:
    """A board, or a RAPL domain.

    period_s, phase_s: the counter changes at phase_s + n * period_s and shows the energy of that
    moment (a RAPL domain's at n * period_s, or as soon after as its writer gets to it). gain: what
    it shows over what is drawn. start_j: counter at the script's begin. modulus_j: where it wraps,
    0 for never. power_window_s: power readings are the mean over this long before the latest tick
    (None: one period). pid: a compute process on the board, 0 for none.
    """

    period_s: float = 0.1
    phase_s: float = 0.0
    idle_w: float = 50.0
    gain: float = 1.0
    start_j: float = 1000.0
    modulus_j: float = 0.0
    power_window_s: float | None = None
    has_counter: bool = True
    pid: int = 0


class Script:
    """The script of one stand-in machine. path: the file to create; boards draw idle_w at first."""

    def __init__(self, path: Path, boards: Sequence[Board]) -> None:
        self.path = path
        self.boards = list(boards)
        with path.open("wb") as file:
            file.write(np.array([MAGIC, len(self.boards)], "i8").tobytes())
            file.truncate(HEADER_BYTES + BOARD.itemsize * len(self.boards))
        self._rows = np.memmap(path, BOARD, "r+", HEADER_BYTES, len(self.boards))
        self._played: list[list[tuple[float, Waveform]]] = [[] for _ in self.boards]
        now_s = time.monotonic()
        for i, board in enumerate(self.boards):
            row = self._rows[i]
            for name in ("period_s", "phase_s", "gain", "start_j", "modulus_j", "pid"):
                row[name] = getattr(board, name)
            row["power_window_s"] = board.power_window_s or board.period_s
            row["has_counter"] = board.has_counter
            for name in FAULTS:
                row[name] = math.inf
            self.play(i, Constant(board.idle_w), now_s)

    def play(self, board: int, waveform: Waveform, at_s: float | None = None) -> float:
        """Lets a board draw `waveform` from at_s (monotonic; None: now) on; returns that moment."""
        return self._play({board: waveform}, at_s)

    def play_all(self, waveforms: Sequence[Waveform]) -> float:
        """One waveform per board, all from the same moment on, which is now and is returned."""
        return self._play(dict(enumerate(waveforms)), None)

    def _play(self, waveforms: Mapping[int, Waveform], at_s: float | None) -> float:
        """A driver must know of a segment before it begins, or it will already have shown a counter
        that never was: so `now` is LEAD_S ahead, and is waited for."""
        start_s = at_s
        while True:
            if at_s is None:
                start_s = time.monotonic() + LEAD_S
            assert start_s is not None
            for board, waveform in waveforms.items():
                self._write(board, start_s, waveform)
            if at_s is not None or time.monotonic() < start_s - LEAD_S / 2:
                break  # otherwise something held us up: choose another moment
        for board, waveform in waveforms.items():
            self._played[board].append((start_s, waveform))
            # Last, so that the reader (which acquires it) never sees half a segment. x86 keeps stores
            # in order; Python has no release store, so elsewhere the calls between make it likely.
            self._rows[board]["count"] = len(self._played[board])
        while at_s is None and time.monotonic() < start_s:
            pass
        return start_s

    def _write(self, board: int, start_s: float, waveform: Waveform) -> None:
        """The segment after the last one published."""
        played = self._played[board]
        if played and start_s < played[-1][0]:
            raise ValueError(f"segment at {start_s} lies before the last one, at {played[-1][0]}")
        segment = self._rows[board]["segments"][len(played)]
        values = waveform.parameters()
        segment["start_s"], segment["kind"] = start_s, waveform.kind
        segment["p"][: len(values)] = values

    def idle(self) -> float:
        """All boards back to idle; returns the moment."""
        return self.play_all([Constant(board.idle_w) for board in self.boards])

    def fault(self, board: int, **moments_s: float) -> None:
        """Sets faults by monotonic time: reset_s, freeze_s, vanish_s, error_from_s and error_to_s.

        The counter begins again at 0, stands still, is gone for good; reads fail from one to the
        other (to the end where error_to_s is not given). math.inf takes a fault back.
        """
        for name, moment_s in moments_s.items():
            if name not in FAULTS:
                raise ValueError(f"no fault {name}; there are {', '.join(FAULTS)}")
            self._rows[board][name] = moment_s

    def occupy(self, board: int, pid: int) -> None:
        """Shows a compute process on the board (0: none)."""
        self._rows[board]["pid"] = pid

    def watts(self, board: int, t_s: float) -> float:
        """Power truly drawn at a moment."""
        start_s, waveform = [p for p in self._played[board] if p[0] <= t_s][-1]
        return waveform.watts(t_s - start_s)

    def truth(self, board: int, t0_s: float, t1_s: float) -> float:
        """Joules truly drawn between two moments, whatever the counter shows."""
        played = self._played[board]
        ends_s = [start_s for start_s, _ in played[1:]] + [math.inf]
        joules = 0.0
        for (start_s, waveform), end_s in zip(played, ends_s, strict=True):
            from_s, to_s = max(t0_s, start_s), min(t1_s, end_s)
            if from_s < to_s:
                joules += waveform.joules(from_s - start_s, to_s - start_s)
        return joules


def build(folder: Path) -> Path:
    """Compiles the driver library into the folder, once; returns the folder."""
    library = folder / LIBRARY
    if not library.exists():
        command = ["cc", "-shared", "-fPIC", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror"]
        half = library.with_suffix(f".{os.getpid()}")
        command += [f"-Wl,-soname,{LIBRARY}", "-o", str(half), str(SOURCE), "-lm"]
        subprocess.run(command, check=True)
        half.replace(library)
    return folder


def environment(
    script: Script, folder: Path, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Variables for a process that shall meet the stand-in driver; they must be set before it starts."""
    found = dict(os.environ if base is None else base)
    paths = [str(folder), *filter(None, [found.get("LD_LIBRARY_PATH")])]
    return {**found, "LD_LIBRARY_PATH": ":".join(paths), "STANDIN_NVML": str(script.path)}
