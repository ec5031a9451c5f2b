"""A rule compiled: its netlist as straight code over the widest words that this CPU has."""

from __future__ import annotations

import ctypes
import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tasks.automaton.bits import check_state
from tasks.automaton.rules import check_steps, check_table, check_width, to_hex
from tasks.automaton.synthesis import Netlist, synthesised
from tasks.native import build, cache, compilers
from tasks.native.memory import aligned

KERNEL = Path(__file__).parent / "kernel"
WORDS = 8  # of a block, at most; see kernel/lut.h


class Program:
    """A rule of any width, on this CPU. Made by `compiled`."""

    def __init__(self, netlist: Netlist, library: ctypes.CDLL) -> None:
        self.netlist, self._library = netlist, library
        self.radius = netlist.inputs // 2
        p, u64, u32 = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32
        library.run_states.restype = None
        library.run_states.argtypes = [p, p, u64, u64, u64, u64, u32, u32, p]

    def run(
        self, state: np.ndarray, steps: int, *, whole: bool = False, threads: int = 1
    ) -> np.ndarray:
        """The state uint64 [width, words] after `steps` steps.

        A block of words ends early where that is exact: all its configurations are uniform, and the
        rule leaves those as they are. whole: do every step all the same, to measure.
        """
        state = check_state(state)
        width, words = state.shape
        check_width(width, self.radius)
        steps = check_steps(steps)
        result = np.empty_like(state)

        def advance(first: int, last: int) -> None:
            row = aligned(8 * WORDS * width)
            self._library.run_states(
                *(state.ctypes.data, result.ctypes.data, words, width, first, last),
                *(steps, whole, row.ctypes.data),
            )

        spread(words, WORDS, threads, advance)
        return result


def compiled(table: np.ndarray) -> Program:
    """The program of a rule table, which stays in this process's memory. Raises BuildError."""
    table = check_table(table)
    key = table.tobytes()
    if key not in _programs:
        _programs[key] = _compiled(table)
    return _programs[key]


def compile_seconds() -> float:
    """How long compiling a rule takes here: the last one's wall time, or before the first, a guess."""
    return _seconds[-1]


def is_compiled(table: np.ndarray) -> bool:
    """Whether `compiled` would return at once."""
    return check_table(table).tobytes() in _programs


def source(table: np.ndarray, netlist: Netlist, cuda: bool = False) -> str:
    """The complete C++ text of a rule."""
    names = [f"x[(J + {i}) % INPUTS]" for i in range(netlist.inputs)]
    lines: list[str] = []
    for op in netlist.operations:
        names.append(f"y{len(lines)}")
        lines.append(
            f"  Words {names[-1]} = lut<{op.bits}>({names[op.a]}, {names[op.b]}, {names[op.c]});"
        )
    still = int(not table[0] and table[-1])
    body = "\n".join(lines)
    parts = [
        (KERNEL / "types.h").read_text(),
        (KERNEL / "lut.h").read_text(),
        f"// {to_hex(table)}\nenum {{ INPUTS = {netlist.inputs}, STILL = {still} }};\n"
        "template <i32 J> DEVICE Words ruled(const Words *x) {\n"
        f"{body}\n  return {names[-1]};\n}}\n",
        (KERNEL / "flat.h").read_text(),
    ]
    if cuda:
        parts.append((KERNEL / "flat_cuda.h").read_text())
    return "\n".join(parts)


def spread(many: int, grain: int, threads: int, call: Callable[[int, int], None]) -> None:
    """Calls `call(first, last)` for ranges that make up 0 ... many, each but the last of whole grains."""
    grains = -(-many // grain)
    threads = min(threads, grains)
    if threads <= 1:
        call(0, many)
        return
    # Early exits make ranges unequal, so there are more of them than threads.
    pieces = min(grains, 8 * threads)
    ends = [min(many, grain * (grains * i // pieces)) for i in range(pieces + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(call, ends[:-1], ends[1:]))


_programs: dict[bytes, Program] = {}
_seconds = [0.4]


def _compiled(table: np.ndarray) -> Program:
    start = time.perf_counter()
    netlist = synthesised(table)
    text = source(table, netlist)
    # Rules are countless, so none is kept on disk: the file is gone once it is loaded.
    folder = cache.kernels_folder()
    stem = f"rule-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    made = cache.keep(folder, stem, build.compiled(compilers.find(), text, stem, folder))
    try:
        return Program(netlist, build.opened(made))
    finally:
        made.unlink(missing_ok=True)
        _seconds[:] = [time.perf_counter() - start]
