"""The parity biology from Python: its sizes, its first organisms, its samples. The source that says what
these organisms do is `kernel/parity.h`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from algorithms.hypercell.biology import Biology, Economy
from algorithms.hypercell.world import Founder, World

HOLDER, MASK = 0, 1
N, SEEN, ROWS, BITE, GRAIN, LESSON, SUN, LUCK, BITS, DOUBT = range(10)  # places in params
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
        about={"n": n},
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


def of_genome(n: int, location: int, genome: np.ndarray, engine: tuple[int, int]) -> Founder:
    """One with a known genome, uint32 [2 + 2 * words]. A holder begins without samples all the same."""
    if genome[0] == MASK:
        return Founder(location, engine, tuple(genome.tolist()), (0,) * 5)
    blank = holder(n, location, Traits(), engine)
    return replace(blank, genome=(HOLDER, int(genome[1]), *blank.genome[2:]))


def secret_of(world: World, location: int) -> int:
    """The mask of whoever lives there, without the label's bit."""
    secret = world.arrays["body"][location, 6 : 4 + world.biology.genome].tobytes()
    return int.from_bytes(secret, "little") & (1 << world.space.params[N]) - 1


def evidence(world: World, location: int) -> tuple[int, int]:
    """(samples that its mask got right, samples that it was judged by) of whoever lives there."""
    hits, trials = world.arrays["body"][location, -4:-2].tolist()
    return hits, trials


def forget(world: World) -> None:
    """What everybody knows of samples: evidence, and a holder's equations and mask. Genes stay."""
    blank = holder(world.biology.about["n"], 0, Traits(), (0, 0))
    arrays, genome = world.arrays, slice(6, 4 + world.biology.genome)
    arrays["body"][:, -5:] = 0
    holders = (arrays["energy"] > 0) & (arrays["body"][:, 4] == HOLDER)
    arrays["body"][holders, genome] = blank.genome[2:]
    arrays["arena"][holders] = np.frombuffer(blank.arena, np.uint8)


def packer(world: World) -> Callable[[int, int, int, int], None]:
    """A function of (address of labels int64 [rows], address of inputs int8 [rows, n], from, to) that
    hands rows to the kernel."""
    function = world.kernel.lib.pack_rows
    address, wide = ctypes.c_void_p, ctypes.c_int64
    function.argtypes, function.restype = [address, address, wide, wide, wide, address], None
    n, rows = world.space.params[N], world.space.data[0]
    return lambda y, x, first, last: function(y, x, n, first, last, rows)


def first_epoch(world: World) -> Callable[[int, int, int], tuple[int, int]]:
    """A function of (address of labels, address of inputs, until) that does what reset, packing of the
    rows to be seen first, run and champion do, in one call."""
    function = world.kernel.lib.first_epoch
    address, wide = ctypes.c_void_p, ctypes.c_int64
    function.argtypes = [address, address, wide, address, address, wide, address]
    function.restype = None
    best = (wide * 2)()
    image = world.image.ctypes.data, world.image.nbytes
    space, where = ctypes.byref(world.space), ctypes.byref(best)

    def enter(y: int, x: int, until: int) -> tuple[int, int]:
        function(space, *image, y, x, until, where)
        world.tick = until
        return best[0], best[1]

    return enter
