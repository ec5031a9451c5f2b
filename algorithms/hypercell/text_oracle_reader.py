"""What a text organism's genome means and which contexts a position has, in slow Python; the kernel's
`text_traits.h` and `text_reader.h` say what it does and why.

What an organism keeps lies in its arena as the kernel's `Mind` does, so the two can be hashed alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from algorithms.hypercell.arithmetic import WIDE, WORD
from algorithms.hypercell.text import GENES, HABITS, MODELS, RATES, TRUST

MATCHES, BUCKETS, WIDEST, WINDOW, CHAINS = 2, 16, 256, 1024, 4096
ONE, LONGEST = 1 << 14, 8

TRAITS = np.dtype(
    [
        ("models", "<i4"), ("runs", "<i4"), ("gene", "<u4", MODELS), ("least", "<u4", MATCHES),
        ("mask", "<u8", MODELS), ("step", "<u4", MODELS), ("rate", "<u4", BUCKETS),
        ("bucket", "u1", 256), ("rate_of_gains", "<i4"), ("rate_of_runs", "<i4"),
        ("rate_of_matches", "<i4"), ("end", "<u4"), ("gain", "<i4"), ("sure", "<i4"),
    ],
    align=True,
)  # fmt: skip
LEARNED = np.dtype(
    [
        ("gain", "<i4", (MODELS, BUCKETS)), ("run", "<i4", (MODELS, BUCKETS)),
        ("match", "<i4", (MATCHES, BUCKETS, WIDEST)), ("pace", "<i2", (MODELS, BUCKETS, 2)),
    ],
    align=True,
)  # fmt: skip
READER = np.dtype(
    [
        ("history", "<u8", 2), ("word", "<u4", 3), ("column", "<u4"), ("position", "<u4"),
        ("line", "<u4"), ("above", "<u4"), ("found", "<u4", MATCHES), ("length", "<u4", MATCHES),
        ("past", "u1", WINDOW), ("last", "<u2", (MATCHES, CHAINS)),
    ],
    align=True,
)  # fmt: skip
MIND = np.dtype(
    [
        ("mated", "<u4"), ("mate", "<u4", GENES), ("used", "<u4"), ("seeds", "<u2", WIDEST),
        ("traits", TRAITS), ("learned", LEARNED), ("reader", READER),
    ],
    align=True,
)  # fmt: skip
HEAD = -(-MIND.itemsize // 64) * 64


@dataclass
class Look:
    """A position's contexts: hash of each model, its slot (None: none); what matches expect, and their
    lengths."""

    hash: list[int]
    expected: list[int]
    length: list[int]
    slot: list[int | None]


def log2_of(x: int) -> int:
    """log2(x) in units of 2^-16, x > 0."""
    octave = x.bit_length() - 1
    part = (x << 31 - octave & 0x7FFFFFFF) >> 15
    y = 20775 - (part * 5263 >> 16)
    y = 44222 - (part * y >> 16)
    y = 94246 - (part * y >> 16)
    return (octave << 16) + (part * y >> 16)


def exp2_down(x: int) -> int:
    """2^-(x / 2^16) in units of 2^-16."""
    part = x & 0xFFFF
    y = 45325 - (part * (15149 - (part * 2593 >> 16)) >> 16)
    return 65536 - (part * y >> 16) >> (x >> 16)


def growth(x: int) -> int:
    """2^(x / 16), rounded down."""
    if not x & 15:
        return 1 << (x >> 4)
    return exp2_down((16 - (x & 15)) << 12) << 1 >> 16 - (x >> 4)


def byte_of(word: int, which: int) -> int:
    return word >> 8 * which & 255


def express(genome: list[int], t: np.ndarray) -> None:
    """A genome's traits into t (TRAITS); places that no gene asks for stay as they are."""
    rates, trust, habits = genome[RATES], genome[TRUST], genome[HABITS]
    genes = [gene for gene in genome[:MODELS] if gene >> 13 & 1]
    t["models"] = len(genes)
    for j, gene in enumerate(genes):
        octaves = byte_of(rates, 0) + 4 * ((gene >> 16 & 15) - 8)
        t["gene"][j], t["step"][j] = gene, growth(min(max(octaves, 0), 239))
        t["mask"][j] = sum(255 << 8 * i for i in range(8) if gene >> i & 1)
    decay, lowest = byte_of(rates, 1), growth(byte_of(rates, 2))
    for visits in range(256):
        bucket = 0 if visits < 2 else min(log2_of(visits) >> 15, BUCKETS - 1)
        t["bucket"][visits] = bucket
        t["rate"][bucket] = max(exp2_down(log2_of(1 + visits) * decay >> 8), lowest)
    t["end"] = byte_of(rates, 3) << 8
    t["rate_of_gains"], t["rate_of_runs"] = growth(byte_of(trust, 0)), growth(byte_of(trust, 1))
    t["rate_of_matches"] = 2 * growth(byte_of(trust, 2))
    t["gain"] = min(growth(byte_of(trust, 3)), 16383) << 12
    t["least"] = [min(habits >> 4 * m & 15, LONGEST) for m in range(MATCHES)]
    t["runs"] = 1 + (habits >> 8 & 7)
    lazy = habits >> 11 & 7
    t["sure"] = ONE - (ONE >> lazy) if lazy else ONE + 1


def mixed(x: int) -> int:
    x = x * 0xD6E8FEB86659FD93 & WIDE
    x ^= x >> 32
    x = x * 0xD6E8FEB86659FD93 & WIDE
    return x ^ x >> 29


def forget(r: np.ndarray) -> None:
    for name in ("position", "line", "above", "found", "length", "last"):
        r[name] = 0


def begin_segment(r: np.ndarray) -> None:
    r["history"], r["word"], r["column"] = 0, 0, 255
    forget(r)


def follow(r: np.ndarray, least: list[int], byte: int) -> None:
    """One byte more of a segment."""
    small = byte | 32 if 65 <= byte <= 90 else byte
    for case, new in enumerate((byte, small)):
        r["history"][case] = (int(r["history"][case]) << 8 | new) & WIDE
    words = r["word"].tolist()
    if 97 <= small <= 122 or byte >= 128:
        words[0] = (words[0] + small + 1) * 0x2C9277B5 & WORD
        words[0] ^= words[0] >> 15
    elif words[0]:
        words = [0, words[0], words[1]]
    r["word"] = words
    if r["position"] == WINDOW:
        forget(r)
    r["past"][int(r["position"])] = byte
    r["position"] += 1
    r["column"] = r["column"] + 1 if r["column"] < 254 else r["column"]
    if byte == 10:
        r["column"], r["above"], r["line"] = 0, int(r["line"]), int(r["position"])
    position, past = int(r["position"]), r["past"]
    for m, bytes_ in enumerate(least):
        if not bytes_ or position < bytes_:
            continue
        goes_on = r["length"][m] and past[r["found"][m]] == byte
        r["length"][m] = r["length"][m] + 1 if goes_on else 0
        r["found"][m] += bool(goes_on)
        chain = mixed(int(r["history"][0]) << 64 - 8 * bytes_ & WIDE) >> 52
        if not goes_on:
            at, same = int(r["last"][m][chain]), 0
            while same < min(at, 32) and past[at - 1 - same] == past[position - 1 - same]:
                same += 1
            if same >= bytes_:
                r["length"][m], r["found"][m] = same, at
        r["last"][m][chain] = position


def look_at(r: np.ndarray, t: np.ndarray, class_of: np.ndarray) -> Look:
    """The contexts of the byte that comes next. class_of: uint8 [256]."""
    word, words = r["word"].tolist(), [0]
    words.append((word[0] + 1 & WORD) * 0x632BE59BD9B4E019)
    words.append(words[1] + word[1] * 0x9E3779B97F4A7C15)
    words.append(words[2] + word[2] * 0xC2B2AE3D27D4EB4F)
    line, at = int(r["line"]), int(r["above"]) + int(r["position"]) - int(r["line"])
    column = (int(r["column"]) + 1) * 0xA24BAED4963EE407
    above = (int(r["past"][at]) + 1 if at < line else 0) * 0x8CB92BA72F3D8DD7
    place, hashes = [0, column, above, column + above], []
    for j in range(int(t["models"])):
        gene = int(t["gene"][j])
        kept = int(r["history"][gene >> 12 & 1]) & int(t["mask"][j])
        context = kept + words[gene >> 8 & 3] + place[gene >> 10 & 3]
        hashes.append(mixed(context + (j + 1) * 0x589965CC75374CC3 & WIDE))
    length = [min(n, BUCKETS - 1) for n in r["length"].tolist()]
    expected = [int(class_of[r["past"][at]]) for at in r["found"]]
    return Look(hashes, expected, length, [])
