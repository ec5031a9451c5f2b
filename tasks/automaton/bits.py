"""Configurations, 64 to a word: bit l of word w in row i of a state is cell i of configuration 64 w + l.

A state is uint64 [width, words]. Where configurations are no multiple of 64, the last word's upper bits
are configurations of zeros.
"""

from __future__ import annotations

import numpy as np

from tasks.automaton.rules import AutomatonError, check_bits

LANES = 64


def pack(cells: np.ndarray) -> np.ndarray:
    """The state of configurations `cells` [m, width] of 0 and 1."""
    cells = np.asarray(cells)
    if cells.ndim != 2 or not cells.size:
        raise AutomatonError(
            f"configurations have shape {list(cells.shape)}; they must be [configurations, width]"
        )
    check_bits(cells, "a configuration")
    return _packed(cells)


def unpack(state: np.ndarray, m: int) -> np.ndarray:
    """The first m configurations of a state, uint8 [m, width]."""
    rows = check_state(state).astype("<u8", copy=False).view(np.uint8)
    cells = np.unpackbits(rows, axis=1, count=m, bitorder="little")
    return np.ascontiguousarray(cells.T)


def lanes(words: np.ndarray, m: int | None = None) -> np.ndarray:
    """bool [..., m]: the bits of uint64 [..., words], one per configuration; all of them by default."""
    octets = np.ascontiguousarray(words, "<u8").view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=m, bitorder="little").view(bool)


def fair_coins(rng: np.random.Generator, m: int, width: int) -> np.ndarray:
    """A state of m configurations, every cell of which is 0 or 1 with equal chance."""
    words = -(-_some(m) // LANES)
    state = rng.integers(0, 1 << 64, size=(width, words), dtype=np.uint64)
    if m % LANES:
        state[:, -1] &= np.uint64((1 << m % LANES) - 1)
    return state


def uniform_density(rng: np.random.Generator, m: int, width: int) -> np.ndarray:
    """A state of m configurations, whose numbers of ones are uniform on 0 ... width, anywhere."""
    left = rng.integers(0, width + 1, size=_some(m))
    cells = np.empty((m, width), np.uint8)
    for i in range(width):  # selection sampling: each cell takes its fair share of the ones left
        cells[:, i] = rng.integers(0, width - i, size=m) < left
        left -= cells[:, i]
    return _packed(cells)


def ones(state: np.ndarray) -> np.ndarray:
    """int32 [64 words]: how many cells of each configuration are 1."""
    planes: list[np.ndarray] = []  # binary digits of the count, each 64 configurations to a word
    for row in check_state(state):
        carry = row
        for i, plane in enumerate(planes):
            planes[i], carry = plane ^ carry, plane & carry
        if carry.any():
            planes.append(carry)
    counts = np.zeros(LANES * state.shape[1], np.int32)
    for i, plane in enumerate(planes):
        counts += lanes(plane).astype(np.int32) << i
    return counts


def check_state(state: np.ndarray, width: int | None = None) -> np.ndarray:
    """uint64 [width, words] without gaps in memory, or AutomatonError."""
    if not isinstance(state, np.ndarray) or state.dtype != np.uint64 or state.ndim != 2:
        raise AutomatonError("a state must be uint64 [width, words]; bits.pack makes one of cells")
    if not state.size or (width is not None and len(state) != width):
        raise AutomatonError(
            f"a state has shape {list(state.shape)}; it must be [{width or 'width'}, words], with "
            "at least one word"
        )
    return np.ascontiguousarray(state)


def _packed(cells: np.ndarray) -> np.ndarray:
    m, width = cells.shape
    rows = np.zeros((width, -(-m // LANES) * 8), np.uint8)
    octets = np.packbits(cells.astype(bool), axis=0, bitorder="little")
    rows[:, : len(octets)] = octets.T
    return rows.view("<u8").astype(np.uint64, copy=False)


def _some(m: int) -> int:
    if m < 1:
        raise AutomatonError(f"{m} configurations asked for; there must be at least 1")
    return m
