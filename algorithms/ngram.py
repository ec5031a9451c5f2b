"""Interpolated modified Kneser-Ney: the reference that learns text by counting, without a gradient.

Chen & Goodman (1999), "An empirical study of smoothing techniques for language modeling", eq. 13-17.
With c the count of h·w (at the highest order: how often it stands in the text; below: how many
different bytes stand before it), C = Σ_w c, and h' the context h without its oldest byte,

    p(w | h) = (c - D(c)) / C + γ(h) · p(w | h'),      γ(h) = Σ_w D(c) / C,

where D takes three values in each order, for c = 1, 2 and 3 or more (`discounts`). Below the empty
context lies 1/256, so every byte keeps some mass. A context never seen leaves p(w | h') as it is.
The text is counted as if zero bytes stood before it, in place of a start-of-text mark.

An n-gram is one unsigned word, its context's latest byte on top and the symbol in the lowest byte:

    latest | ... | oldest | 0 ... 0 | symbol

so that, sorted, each context's symbols stand together, and to drop to the next lower order is to zero
one byte. Every order is one sort of the distinct n-grams of the order above, and the lengths of equal
runs in that are exactly the counts that Kneser-Ney asks for.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from algorithms.base import Algorithm, Progress, Refused
from tasks.sequence import VOCAB, SequenceSpec, only_bytes

LONGEST = 8  # bytes in a word


def discounts(counts: np.ndarray) -> np.ndarray:
    """What each of counts [e] gives up, float32 [e]; Chen & Goodman's estimate from n1 ... n4.

    n_i is how many counts are i, Y = n1 / (n1 + 2 n2), and D_i = i - (i + 1) Y n_{i+1} / n_i. Where
    that is not between 0 and i, as in very short or very regular texts, the order takes 1/2, 1, 3/2.
    """
    kind = np.minimum(counts, 5)
    n = np.bincount(kind, minlength=6)[1:5]
    i = np.arange(1, 4)
    d = i / 2
    if n.all():
        estimate = i - (i + 1) * (n[0] / (n[0] + 2 * n[1])) * n[1:] / n[:-1]
        if ((estimate > 0) & (estimate < i)).all():
            d = estimate
    return np.array([0, *d, d[2], d[2]], np.float32)[kind]


def runs(ordered: np.ndarray) -> np.ndarray:
    """Where the runs of equal values in a sorted array [m] begin, and m: int64 [runs + 1]."""
    edge = np.ones(len(ordered) + 1, bool)
    np.not_equal(ordered[1:], ordered[:-1], out=edge[1:-1])
    return np.flatnonzero(edge)


@dataclass(frozen=True)
class Level:
    """The contexts of one length, and what may follow each.

    contexts: uint64 [m], sorted, the latest byte second from the top. degree: int64 [m], how many
    symbols follow. backoff: float32 [m], γ. symbols: uint8 [e] and shares: float32 [e], which is
    (c - D(c)) / C, context after context.
    """

    contexts: np.ndarray
    degree: np.ndarray
    backoff: np.ndarray
    symbols: np.ndarray
    shares: np.ndarray


def smooth(grams: np.ndarray, bounds: np.ndarray) -> Level:
    """Discounts and normalises the distinct n-grams of one order.

    grams: uint32 or uint64 [e], sorted. bounds: int64 [e + 1]; the count of n-gram i is
    bounds[i + 1] - bounds[i].
    """
    contexts = grams >> 8
    first = runs(contexts)
    degree = np.diff(first)
    total = np.diff(bounds[first])
    counts = np.diff(bounds)
    given = discounts(counts)
    left = np.diff(np.cumsum(given, dtype=np.float64)[first[1:] - 1], prepend=0)
    shares = counts.astype(np.float32)
    shares -= given
    shares /= np.repeat(total.astype(np.float32), degree)
    return Level(
        contexts=contexts[first[:-1]].astype(np.uint64) << (64 - 8 * grams.itemsize),
        degree=degree,
        backoff=(left / total).astype(np.float32),
        symbols=grams.astype(np.uint8),
        shares=shares,
    )


def pack(text: np.ndarray, order: int) -> np.ndarray:
    """The n-gram that ends at each byte of text (uint8 [N]), as a word [N]."""
    size = 4 if order <= 4 else 8  # the narrower word sorts faster
    padded = np.concatenate([np.zeros(size - 1, np.uint8), text])
    # A little-endian word read at every byte is a context already turned round.
    words = np.ndarray((len(text),), f"<u{size}", padded, strides=(1,))
    keys = words << 8
    keys &= (256**order - 256) << 8 * (size - order)
    keys |= text
    return keys


class Counted:
    """`tasks.sequence.Predictor` over levels, the empty context's first; it does not adapt.

    Contexts of one byte become dense rows: float32 [257, 256], p(w | byte), and in row 256 p(w) for
    where nothing has come yet. Longer ones stay sparse: the nodes of all levels lie in one array
    sorted by (level, context), so that one search finds what all lanes need; the last node stands
    for "never seen". The longest come first, so that the weights are cumulative products of γ.
    """

    def __init__(self, levels: list[Level]) -> None:
        self.rows = np.full((VOCAB + 1, VOCAB), 1 / VOCAB, np.float32)
        self.rows *= levels[0].backoff
        self.rows[:, levels[0].symbols] += levels[0].shares
        for x in levels[1:2]:
            byte = x.contexts >> 48
            self.rows[byte] *= x.backoff[:, None]
            self.rows[np.repeat(byte, x.degree), x.symbols] += x.shares
        longer = levels[:1:-1]
        lengths = range(len(levels) - 1, 1, -1)
        mask = [(256**n - 1) << 8 * (7 - n) for n in lengths]
        self.mask = np.array(mask, np.uint64)[:, None]
        self.tag = (np.arange(len(longer), dtype=np.uint64) << 56)[:, None]
        keys = [x.contexts | tag for x, tag in zip(longer, self.tag, strict=True)]
        self.contexts = np.concatenate([*keys, np.array([2**64 - 1], np.uint64)])
        self.backoff = np.concatenate([*(x.backoff for x in longer), np.ones(1, np.float32)])
        self.degree = np.concatenate([*(x.degree for x in longer), np.zeros(1, np.int64)])
        self.first = np.cumsum(self.degree) - self.degree
        self.symbols = np.concatenate([np.empty(0, np.uint8), *(x.symbols for x in longer)])
        self.shares = np.concatenate([np.empty(0, np.float32), *(x.shares for x in longer)])

    def reset(self, lanes: int) -> None:
        self.seen = 0
        self.last: np.ndarray = np.full(lanes, VOCAB)
        self.history: np.ndarray = np.zeros(lanes, np.uint64)  # packed as in Level.contexts
        self.origin = VOCAB * np.arange(lanes)

    def predict(self) -> np.ndarray:
        p = self.rows[self.last]
        longer = slice(max(0, len(self.tag) + 1 - self.seen), None)  # lengths that have come by now
        wanted = self.history & self.mask[longer] | self.tag[longer]  # [lengths, lanes]
        if len(wanted):
            node = np.searchsorted(self.contexts, wanted)
            node[self.contexts[node] != wanted] = len(self.contexts) - 1
            weight = np.ones((len(node) + 1, len(p)), np.float32)
            np.cumprod(self.backoff[node], axis=0, out=weight[1:])
            p *= np.maximum(weight[-1:].T, np.float32(1e-20))  # no byte's mass may underflow
            degree = self.degree[node].ravel()
            ends = np.cumsum(degree)
            entry = np.arange(ends[-1]) + np.repeat(
                self.first[node].ravel() - ends + degree, degree
            )
            cell = np.repeat(np.tile(self.origin, len(node)), degree) + self.symbols[entry]
            share = np.repeat(weight[:-1].ravel(), degree) * self.shares[entry]
            np.add.at(p.ravel(), cell, share)
        return np.log(p)

    def observe(self, symbols: np.ndarray) -> None:
        self.seen += 1
        self.last = symbols.astype(np.intp)
        self.history = self.history >> 8 | symbols.astype(np.uint64) << 48


@dataclass
class Ngram(Algorithm):
    """Modified Kneser-Ney over bytes.

    order: the longest n-gram counted, 1 ... 8: a context of order - 1 bytes and the symbol.
    last_bytes: count only so many bytes at the end of the text; 0 counts them all.

    Training takes up to 10 bytes of memory per byte of text and 55 per distinct n-gram, all orders
    together: a gigabyte or two for 100 MB of prose, but 25 GB for 100 MB of noise.
    """

    order: int = 7
    last_bytes: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.order <= LONGEST:
            raise Refused(f"algo.order={self.order}: an n-gram has 1 to {LONGEST} bytes")
        if self.last_bytes < 0:
            raise Refused(
                f"algo.last_bytes={self.last_bytes}: give a number of bytes, or 0 for all"
            )

    def prepare(self, spec: SequenceSpec) -> None:
        if unfit := only_bytes(spec, "algo=ngram"):
            raise Refused(unfit)
        super().prepare(spec)

    def train(self, data: dict[str, np.ndarray]) -> Generator[Progress, Any, Counted]:
        text = data["text"][-self.last_bytes :]
        if not len(text):
            raise Refused("the text to count is empty; give at least one byte")
        levels: list[Level] = []
        keys = pack(text, self.order)
        for k in range(self.order, 0, -1):
            # Below the highest order the words are nearly sorted already, which timsort makes use of.
            keys.sort(kind="quicksort" if k == self.order else "stable")
            bounds = runs(keys)
            keys = keys[bounds[:-1]]
            levels.insert(0, smooth(keys, bounds))
            oldest = 0xFF << 8 * (keys.itemsize + 1 - k)
            keys &= np.iinfo(keys.dtype).max & ~oldest
            yield Progress(self.order - k + 1, self.order)
        return Counted(levels)
