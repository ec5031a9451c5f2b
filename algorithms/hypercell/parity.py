"""The parity biology from Python: its sizes, its first organisms, its samples. The source that says what
these organisms do is `kernel/parity.h`."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from algorithms.hypercell.biology import Biology, Economy
from algorithms.hypercell.world import Founder, Kernel, genes

HOLDER, MASK = 0, 1
N, SEEN, ROWS, BITE, GRAIN, LESSON, SUN, LUCK, BITS = range(9)  # places in params
ECONOMY = Economy(endowment=512, settle=64)


@dataclass(frozen=True)
class Traits:
    """A holder's genes, each 0..255. bold: prefers to swap out an equation that no sample stands for.
    doubt: chance, in 1/256, to swap in "input j is not in the secret" instead of the sample. talk:
    listens from 128 on, speaks if odd. caste: chance that a child is a mask organism."""

    bold: int = 255
    doubt: int = 0
    talk: int = 255
    caste: int = 64

    @property
    def word(self) -> int:
        return self.bold | self.doubt << 8 | self.talk << 16 | self.caste << 24


def biology(n: int) -> Biology:
    """For rows of n inputs. A row has n + 1 bits in 64-bit words; eight lanes are a vector."""
    words, lanes = n // 64 + 1, -(-n // 8) * 8
    arena = 8 * (words * lanes + -(-lanes // 64))
    return Biology(
        name="parity",
        genome=2 + 2 * words,
        state=5,
        signal=2 * words,
        carry=arena // 4,
        arena=arena,
        defines={"WORDS": words, "LANES": lanes},
    )


def holder(n: int, location: int, traits: Traits, engine: tuple[int, int]) -> Founder:
    """One that has met no sample yet."""
    words, lanes = n // 64 + 1, -(-n // 8) * 8
    dual = np.zeros((words, lanes), np.uint64)
    for i in range(n):
        dual[i // 64, i] = 1 << i % 64
    unmet = np.full(-(-lanes // 64), ~np.uint64(0))
    genome = (HOLDER, traits.word, *words_of(1 << n, words))
    return Founder(location, engine, genome, (0, 0, 0, 0, 0), dual.tobytes() + unmet.tobytes())


def mask(n: int, location: int, secret: int, engine: tuple[int, int]) -> Founder:
    """One that believes in a mask (bit j: input j is in the XOR)."""
    words = n // 64 + 1
    genome = (MASK, Traits().word, *words_of(secret | 1 << n, words))
    return Founder(location, engine, genome, (0, 0, 0, 0, 0))


def words_of(number: int, words: int) -> list[int]:
    """As 2 * words words of 32 bits, lowest first."""
    return [number >> 32 * i & 0xFFFFFFFF for i in range(2 * words)]


def secret_of(genome: np.ndarray, n: int) -> int:
    """The mask of a genome, uint32 [2 + 2 * words], without the label's bit."""
    return int.from_bytes(genome[2:].astype("<u4").tobytes(), "little") & (1 << n) - 1


def packer(kernel: Kernel) -> ctypes._NamedFuncPointer:
    """`pack_rows(y, x, n, from, to, rows)` of the kernel, on addresses."""
    function = kernel.lib.pack_rows
    address, wide = ctypes.c_void_p, ctypes.c_int64
    function.argtypes, function.restype = [address, address, wide, wide, wide, address], None
    return function


__all__ = ["ECONOMY", "Traits", "biology", "genes", "holder", "mask", "packer", "secret_of"]
