"""The text biology from Python: its sizes, its genomes, its tables. The source that says what these
organisms do is `kernel/text.h`; what a genome's bits mean stands in `kernel/text_traits.h`."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

import numpy as np

from algorithms.base import Refused
from algorithms.hypercell.biology import Biology, Economy

MODELS, GENES = 12, 15
RATES, TRUST, HABITS = 12, 13, 14  # places in a genome
READ, LOST, LINES, SAID, COST, BEST, GROWN, MARK, PARENT = 0, 1, 2, 3, 4, 5, 6, 7, 11  # registers
STATE = 15
CARRY = 1 + 16 * (MODELS + 1)  # words of what a child may buy: kernel/text_legacy.h
COLUMN, ABOVE, FOLD, ON = 1 << 10, 1 << 11, 1 << 12, 1 << 13
WIDTHS = (64, 128, 256)  # classes that the kernel is compiled for
HEAD = 64 << 10  # bytes of an arena before its slots, at most; the kernel says how many (`size_of`)
NATS = 1 << 13  # units of costs in a nat
ECONOMY = Economy(cap=1 << 29, settle=0, rent=0, breed=0, endowment=1 << 10)


class P:
    """Places in params, as in the kernel."""

    BEGIN, SPAN, CHUNK, SEGMENT, WIDTH, BITS, ROWS, JUDGED, EXAM, PRICE, DOUBLE, GRACE = range(12)
    HALF, CROSS, CHANGE = range(12, 15)
    ARENA = 15


@dataclass(frozen=True)
class Table:
    """Sizes of an organism's table: 2**bits slots of 8 bytes and so many rows of 2 * width bytes."""

    bits: int
    rows: int
    width: int

    @property
    def arena(self) -> int:
        """Bytes of an arena that holds it: whole cache lines."""
        return HEAD + (8 << self.bits) + -(-2 * self.width * self.rows // 64) * 64


def table(span: int, models: int, width: int, most: int) -> Table:
    """For one that reads `span` bytes through so many models, in at most `most` bytes. About a third of
    what could be different is, in prose, and a sixth of that has a row."""
    contexts = max(64, span * models // 3)
    bits, rows = max(6, contexts.bit_length()), max(64, contexts // 2)
    while bits > 6 and HEAD + (8 << bits) + 2 * width * rows > most:
        bits, rows = bits - 1, rows // 2
    made = Table(bits, rows, width)
    if made.arena > most:
        raise Refused(
            f"algo.memory={most}: an organism needs {HEAD + (8 << bits) + 2 * width * rows:,} bytes "
            "for the smallest table; give it as many"
        )
    return made


def biology(arena: int, inherit: bool = False) -> Biology:
    """For arenas of so many bytes. inherit: children may buy of what their parents have learned."""
    carry, defines = (CARRY, {"INHERIT": 1}) if inherit else (0, {})
    return Biology("text", GENES, STATE, GENES + 1, carry, arena, defines)


def octaves(value: float, unit: float) -> int:
    """The byte of a genome that says about `value`, in so many units: 16 steps to an octave."""
    return min(255, max(0, round(16 * log2(max(value * unit, 1)))))


def words(number: int) -> int:
    """Bits of a gene: 1 the beginning of this word, 2 with the one before it, 3 with two."""
    return number << 8


def gene(mask: int, more: int = 0, rate: int = 8) -> int:
    """An expressed gene. mask: which of the last eight bytes. more: words and flags. rate: 0..15."""
    return ON | rate << 16 | more | mask


def genome(
    genes: list[int],
    lr: float = 0.157,
    decay: float = 0.253,
    floor: float = 0.112,
    end: float = 0.3,
    lr_gain: float = 0.0249,
    lr_run: float = 0.000964,
    lr_match: float = 0.864,
    gain: float = 0.997,
    matches: tuple[int, int] = (7, 3),
    runs: int = 1,
    lazy: int = 0,
) -> tuple[int, ...]:
    """From genes and rates, which are those of `hashed_softmax`, to the words."""
    rates = (
        octaves(lr, 1 << 15)
        | round(decay * 256) << 8
        | octaves(floor, 1 << 16) << 16
        | min(255, round(end * 256)) << 24
    )
    trust = (
        octaves(lr_gain, 1 << 16)
        | octaves(lr_run, 1 << 16) << 8
        | octaves(lr_match, 1 << 15) << 16
        | octaves(gain, 1 << 12) << 24
    )
    habits = matches[0] | matches[1] << 4 | (runs - 1) << 8 | lazy << 11
    return (*genes, *(0,) * (MODELS - len(genes)), rates, trust, habits)


HAND = genome(
    [gene(1), gene(3), gene(7), gene(1, words(1)), gene(1, words(2)), gene(1, COLUMN)],
    lr=1.03, decay=0.248, floor=0.0446, lr_gain=0.011, lr_run=0.00246, lr_match=1.0, gain=0.926,
    end=0.1, matches=(5, 3),
)  # fmt: skip
"""The contexts and rates that a person chose for `hashed_softmax` (its row at 1.47)."""

EVOLVED = (
    "000c2006000a180f000a220f000b1c1700030a06000c20030005199f000d"
    "200100060b99000324000003310100040d0b325d65ffc1ff8d8a00000063"
)
"""What hypercell found on tinyshakespeare (a draw of seed 105) from random genomes; `reports/published` has
the run, what it spent, and those that found less."""


def random_genome(rng: np.random.Generator) -> tuple[int, ...]:
    """Any genes; rates log-uniform over the ranges that `bench tune` searches for `hashed_softmax`."""

    def ranged(low: float, high: float) -> float:
        return float(low * (high / low) ** rng.random())

    def any_gene() -> int:
        """A quarter of all bits below ON; expressed or not; any rate."""
        what = int(rng.integers(ON)) & int(rng.integers(ON))
        return what | ON * int(rng.integers(2)) | int(rng.integers(4, 12)) << 16

    genes = [any_gene() for _ in range(MODELS)]
    return genome(
        genes,
        lr=ranged(0.1, 2.0),
        decay=float(rng.random() * 0.7),
        floor=ranged(0.003, 0.2),
        end=float(rng.random() * 0.3),
        lr_gain=ranged(0.003, 0.1),
        lr_run=ranged(0.001, 0.1),
        lr_match=ranged(0.03, 1.0),
        gain=ranged(0.3, 1.0),
        matches=(int(rng.integers(9)), int(rng.integers(9))),
        runs=1 + int(rng.integers(2)),
    )


def models_of(words_of: tuple[int, ...]) -> int:
    """How many models a genome expresses."""
    return sum(word >> 13 & 1 for word in words_of[:MODELS])


def text_of(words_of: tuple[int, ...]) -> str:
    """A genome in hexadecimal: 15 words of 8 digits."""
    return "".join(f"{word:08x}" for word in words_of)


def parsed(text: str) -> tuple[int, ...]:
    """The words of such a text. Raises Refused where it is none."""
    if len(text) != 8 * GENES or set(text.lower()) - set("0123456789abcdef"):
        raise Refused(
            f"algo.genome={text[:40]}: must be evolved, hand, random, or {8 * GENES} hexadecimal "
            f"digits; these are {len(text)}"
        )
    found = tuple(int(text[i : i + 8], 16) for i in range(0, 8 * GENES, 8))
    if not models_of(found):
        raise Refused(
            f"algo.genome={text[:40]}…: expresses no model, so it could not tell bytes apart"
        )
    return found


def described(words_of: tuple[int, ...]) -> str:
    """What the models of a genome listen to: bytes back, w words, c column, a above, f folded."""
    said = []
    for word in words_of[:MODELS]:
        if not word & ON:
            continue
        parts = [str(i + 1) for i in range(8) if word >> i & 1]
        parts += [f"w{word >> 8 & 3}"] if word >> 8 & 3 else []
        parts += [
            name
            for bit, name in ((COLUMN, "column"), (ABOVE, "above"), (FOLD, "folded"))
            if word & bit
        ]
        said.append("+".join(parts) or "nothing")
    return ", ".join(said)
