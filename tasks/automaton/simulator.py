"""The simulator: rules as data or compiled, both exact, and how often they classify density."""

from __future__ import annotations

import ctypes
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tasks.automaton import program
from tasks.automaton.bits import check_state, lanes, ones
from tasks.automaton.program import Program, spread
from tasks.automaton.rules import (
    AutomatonError,
    check_bits,
    check_radius,
    check_steps,
    check_table,
    check_width,
    radius_of,
)
from tasks.native.build import library, opened
from tasks.native.memory import aligned

KERNEL = Path(__file__).parent / "kernel"
EIGHT = 8  # cells that ring.h steps at once
FASTER = 4.0  # a compiled rule is so many times faster than a rule as data, about, or more


class Simulator:
    """Rings of `width` cells and rules of one radius. threads: at most so many at once.

    States are those of `bits`, uint64 [width, words]. Raises AutomatonError, or BuildError where there
    is no compiler.
    """

    def __init__(self, radius: int, width: int, threads: int = 1) -> None:
        self.radius = check_radius(radius)
        self.width = check_width(width, self.radius)
        self.threads = threads
        self._library = _as_data(self.radius, self.width)

    def data(self, table: np.ndarray, state: np.ndarray, steps: int) -> np.ndarray:
        """The state after `steps` steps, by a rule as data: nothing is compiled for the rule."""
        state, steps = check_state(state, self.width), check_steps(steps)
        result = np.empty_like(state)
        words = state.shape[1]
        rule = table_words(self._table(table)[None])

        def advance(first: int, last: int) -> None:
            row = self._row()
            self._library.run_states(
                *(rule.ctypes.data, state.ctypes.data, result.ctypes.data),
                *(words, first, last, steps, row.ctypes.data),
            )

        spread(words, 1, self.threads, advance)
        return result

    def compiled(self, table: np.ndarray) -> Program:
        """A rule's program, compiled for this CPU unless this process still has it."""
        return program.compiled(self._table(table))

    def solved(
        self, table: np.ndarray, state: np.ndarray, steps: int, compiled: bool | None = None
    ) -> np.ndarray:
        """bool [64 words]: which configurations come to be all what most of their cells began as.

        compiled: by the rule's program, or as data. By default whichever is estimated to be done first,
        from how long the first words take as data; the answer is the same.
        """
        state = check_state(state, self.width)
        table = self._table(table)
        if compiled is None:
            return self._solved_soon(table, state, steps)
        if not compiled:
            return self.solved_many(table[None], state, steps)[0]
        end = self.compiled(table).run(state, steps, threads=self.threads)
        return classified(state, end)

    def solved_many(
        self, tables: np.ndarray, state: np.ndarray, steps: int, brief: int = 0
    ) -> np.ndarray:
        """bool [k, 64 words]: the same for the rules of `tables` uint8 [k, 2**(2r+1)], all as data.

        brief: steps in which more of a word's 64 configurations must have become uniform, or those that
        have not are given up: cheaper, and nearly as exact for rules that leave what is uniform as it is.
        0: all steps are run.
        """
        tables = np.asarray(tables)
        size = 2 << 2 * self.radius
        if tables.ndim != 2 or tables.shape[1] != size or not len(tables):
            raise AutomatonError(
                f"rule tables have shape {list(tables.shape)}; those of radius {self.radius} have "
                f"[rules, {size}]"
            )
        check_bits(tables, "a rule table")
        state, steps = check_state(state, self.width), check_steps(steps)
        words = state.shape[1]
        rules = table_words(tables.astype(np.uint8))
        result = np.empty((len(tables), words), np.uint64)

        def solve(first: int, last: int) -> None:
            row = self._row()
            self._library.solve_states(
                *(rules.ctypes.data, state.ctypes.data, result.ctypes.data),
                *(words, first, last, steps, brief, row.ctypes.data),
            )

        spread(result.size, 1, self.threads, solve)
        return lanes(result)

    def take_counts(self) -> dict[str, Any]:
        """What rules as data have done since the last call, as `Algorithm.counts` wants it.

        Of ring.h's step of eight cells of 64 configurations: 21 operations that make the functions of
        two cells, four for each multiplexer, on 64 bits each, which count as two of 32; seven loads, a
        byte for each multiplexer's leaf, a store. Left out is what is done once per word: cells that
        are brought and counted, less than a hundredth of 320 steps.
        """
        inputs = 2 * self.radius + 1
        leaves = 1 << inputs - 2
        eights = self._library.take_steps() * -(-self.width // EIGHT)
        return {
            "operations": {"int32_add": eights * EIGHT * 2 * (21 + 4 * (leaves - 1))},
            "read_bytes": eights * (8 * EIGHT * inputs + leaves),
            "written_bytes": eights * 8 * EIGHT,
            "peak_bytes": self._library.row_bytes(),
            "notes": ["of rings the steps are counted, not what is done once per configuration"],
        }

    def _solved_soon(self, table: np.ndarray, state: np.ndarray, steps: int) -> np.ndarray:
        """As data for as long as compiling could not have paid, which the first words tell."""
        if program.is_compiled(table):
            return self.solved(table, state, steps, compiled=True)
        words = state.shape[1]
        parts, done, spent = [], 0, 0.0
        while done < words:
            # First a few words; then as many as take about 10 ms, so that the estimate is a good one.
            many = min(words - done, 4 * self.threads if not done else int(0.01 * done / spent) + 1)
            start = time.perf_counter()
            parts.append(self.solved(table, state[:, done : done + many], steps, compiled=False))
            spent += time.perf_counter() - start
            done += many
            left = spent / done * (words - done)
            if left * (1 - 1 / FASTER) > program.compile_seconds():
                parts.append(self.solved(table, state[:, done:], steps, compiled=True))
                break
        return np.concatenate(parts)

    def _table(self, table: np.ndarray) -> np.ndarray:
        table = check_table(table)
        if radius_of(table) != self.radius:
            raise AutomatonError(
                f"a rule of radius {radius_of(table)} ({len(table)} entries) does not fit a simulator "
                f"of radius {self.radius}"
            )
        return table

    def _row(self) -> np.ndarray:
        return aligned(self._library.row_bytes())


def classified(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """bool [64 words]: where all cells of `after` are what most of `before` are; both states."""
    most = 2 * ones(before) > len(before)
    all_ones = lanes(np.bitwise_and.reduce(after, axis=0))
    all_zeros = lanes(~np.bitwise_or.reduce(after, axis=0))
    return np.where(most, all_ones, all_zeros)


def table_words(tables: np.ndarray) -> np.ndarray:
    """uint32 [k, words] of tables uint8 [k, entries]: entry i is bit i % 32 of word i // 32."""
    octets = np.packbits(tables, axis=1, bitorder="little")
    words = np.zeros((len(tables), max(4, octets.shape[1])), np.uint8)
    words[:, : octets.shape[1]] = octets
    return words.view("<u4").astype(np.uint32, copy=False)


def row_bytes(radius: int, width: int) -> int:
    """Memory that ring.h works in, for one word."""
    return int(_as_data(radius, width).row_bytes())


@lru_cache
def _as_data(radius: int, width: int) -> Any:
    """kernel/ring.h for rings of one width, compiled, loaded once."""
    text = data_source(radius, width)
    built = opened(library(text, f"ring{width}r{radius}"))
    p, u64 = ctypes.c_void_p, ctypes.c_uint64
    built.run_states.restype = built.solve_states.restype = None
    built.run_states.argtypes = [p, p, p, u64, u64, u64, ctypes.c_int32, p]
    built.solve_states.argtypes = [p, p, p, u64, u64, u64, ctypes.c_int32, ctypes.c_int32, p]
    built.row_bytes.restype, built.row_bytes.argtypes = u64, []
    built.take_steps.restype, built.take_steps.argtypes = u64, []
    return built


def data_source(radius: int, width: int, last: str = "data.h") -> str:
    """The complete C++ text for rules as data. last: the file with what is called from outside."""
    return "\n".join(
        [
            (KERNEL / "types.h").read_text(),
            f"#define WIDTH {width}\n#define RADIUS {radius}\n",
            (KERNEL / "ring.h").read_text(),
            (KERNEL / last).read_text(),
        ]
    )
