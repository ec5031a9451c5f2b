"""The gradient of a ring automaton's outcome by its table: `kernels/automaton_gradient.cpp`, bound."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from algorithms.counting import Counts, counting, kernel_text
from tasks.native.build import library, opened

READS = ["kernels/automaton_gradient.cpp", "kernels/automaton_gradient_events.h"]
KERNEL = Path(__file__).parent / "kernels" / "automaton_gradient.cpp"
EVENTS = KERNEL.with_name("automaton_gradient_events.h")
GOALS = {"density": 0, "synchronise": 1}  # as the kernel has them
LANES, PAD, WORDS = 4, 8, 16  # the kernel's


@cache
def kernel(radius: int) -> Any:
    """The compiled kernel for rules of this radius."""
    source = f"#define RADIUS {radius}\n{KERNEL.read_text(encoding='utf-8')}"
    source = kernel_text(source, EVENTS.read_text(encoding="utf-8"))
    built = opened(library(source, f"automaton_gradient{radius}"))
    p, i32, f32 = ctypes.c_void_p, ctypes.c_int, ctypes.c_float
    built.gradient.restype = None
    built.gradient.argtypes = [p, p, i32, i32, i32, i32, f32, p, p, p, p, p]
    return built


class Gradient:
    """The loss and its gradient on rings of `width` cells that run for at most `longest` steps.

    goal: a key of GOALS. limit: bound of the gradient by a cell, where 1 is what a cell that ends other
    than wanted counts.
    """

    def __init__(self, radius: int, width: int, longest: int, goal: str, limit: float) -> None:
        self.kernel, self.width, self.longest = kernel(radius), width, longest
        self.goal, self.limit = GOALS[goal], limit
        self.past = np.empty(LANES * longest * width, np.uint8)
        self.work = np.empty(LANES * 2 * (width + PAD), np.float32)
        self.sum = np.empty(2 << 2 * radius, np.float32)
        self.out = np.empty(2, np.float32)
        self.bytes = self.past.nbytes + self.work.nbytes + self.sum.nbytes + self.out.nbytes
        self.counted = Counts(self.kernel, EVENTS.read_text()) if counting() else None

    def __call__(
        self, chance: np.ndarray, cells: np.ndarray, steps: int, words: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Of rings cells uint8 [m, width], m a multiple of LANES, under a table of chances of a 1.

        chance: [entries], each 0 ... 1. words: uint32 [WORDS], the state of the kernel's random numbers,
        none of them 0. Returns the share of cells that end other than wanted, and the gradient of the
        loss by the chances, float [entries], as estimated from the one history that was drawn.
        """
        assert cells.shape[1] == self.width and len(cells) % LANES == 0 and steps <= self.longest
        assert words.dtype == np.uint32 and words.shape == (WORDS,) and words.all()
        chance = np.ascontiguousarray(chance, np.float32)
        cells = np.ascontiguousarray(cells, np.uint8)
        self.kernel.gradient(
            *(chance.ctypes.data, cells.ctypes.data, len(cells), self.width, steps),
            *(self.goal, self.limit, words.ctypes.data, self.past.ctypes.data),
            *(self.work.ctypes.data, self.sum.ctypes.data, self.out.ctypes.data),
        )
        return 1 - float(self.out[0]), self.sum.astype(float)


def opposite(radius: int) -> np.ndarray:
    """int [entries]: for each neighbourhood its mirror image in opposite colours."""
    cells = 2 * radius + 1
    index = np.arange(1 << cells)
    mirrored = np.zeros_like(index)
    for k in range(cells):
        mirrored |= ((index >> k) & 1) << (cells - 1 - k)
    return (1 << cells) - 1 - mirrored
