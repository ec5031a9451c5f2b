"""Interpolated modified Kneser-Ney: the reference that learns text by counting, no gradient at all.

Chen & Goodman (1999), "An empirical study of smoothing techniques for language modeling", eq. 13-17.
With c the count of h·w (at the highest order, how often it stands in the text; below it, how many
different bytes stand before it), C = Σ_w c, and h' the context h without its oldest byte,

    p(w | h) = (c - D(c)) / C + γ(h) · p(w | h'),      γ(h) = Σ_w D(c) / C,

D(0) = 0, D(1) = D1, D(2) = D2, D(3 and more) = D3 for each order, by `discounts`. Below the empty
context lies 1/256, so every byte keeps some mass. A context never seen leaves p(w | h') as it is.

An n-gram is one uint64, its context's latest byte on top and the symbol in the lowest byte:

    latest | ... | oldest | 0 ... 0 | symbol

so that, sorted, each context's symbols stand together, and to drop to the next lower order is to zero
one byte. Every order is one sort of the distinct n-grams of the order above, and run lengths in that
are exactly the counts that Kneser-Ney asks for. Memory: about 30 bytes per byte of text at the peak,
and 13 per distinct n-gram (over all orders) afterwards.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from algorithms.base import Algorithm, Progress, Refused

VOCAB = 256
SYMBOL = np.uint64(0xFF)
BYTE = np.uint64(8)


def discounts(counts: np.ndarray) -> np.ndarray:
    """What each of counts [e] gives up, float64 [e]; Chen & Goodman's estimate from n1 ... n4.

    Where that gives no discount between 0 and the count it is for, as in very small or very regular
    texts, the order takes 1/2, 1 and 3/2.
    """
    kind = np.minimum(counts, 5)
    n = np.bincount(kind, minlength=6).astype(np.float64)
    d = np.zeros(3)
    if n[1:5].all():
        d = np.arange(1, 4) - np.arange(2, 5) * n[1] / (n[1] + 2 * n[2]) * n[2:5] / n[1:4]
    if not ((d > 0) & (d <= np.arange(1, 4))).all():
        d = np.array([0.5, 1.0, 1.5])
    return np.array([0.0, *d, d[2], d[2]])[kind]


def runs(ordered: np.ndarray) -> np.ndarray:
    """Where the runs of equal values in a sorted array [m] begin, and m: int64 [runs + 1]."""
    edge = np.ones(len(ordered) + 1, bool)
    np.not_equal(ordered[1:], ordered[:-1], out=edge[1:-1])
    return np.flatnonzero(edge)


@dataclass(frozen=True)
class Level:
    """The contexts of one length, and what may follow each.

    contexts: uint64 [m], sorted. degree: int64 [m], how many symbols follow. backoff: float32 [m], γ.
    symbols: uint8 [e] and shares: float32 [e], (c - D) / C, context after context.
    """

    contexts: np.ndarray
    degree: np.ndarray
    backoff: np.ndarray
    symbols: np.ndarray
    shares: np.ndarray


def level(grams: np.ndarray, bounds: np.ndarray) -> Level:
    """Smooths the distinct n-grams of one order.

    grams: uint64 [e], sorted. bounds: int64 [e + 1]; n-gram i has a count of bounds[i+1] - bounds[i].
    """
    contexts = grams & ~SYMBOL
    first = runs(contexts)
    counts = np.diff(bounds)
    given = discounts(counts)
    total = np.diff(bounds[first])
    degree = np.diff(first)
    left = np.diff(np.cumsum(given)[first[1:] - 1], prepend=0)
    return Level(
        contexts=contexts[first[:-1]],
        degree=degree,
        backoff=(left / total).astype(np.float32),
        symbols=grams.astype(np.uint8),
        shares=((counts - given) / np.repeat(total, degree)).astype(np.float32),
    )


def pack(text: np.ndarray, order: int) -> np.ndarray:
    """All n-grams of text (uint8 [N], N >= order) in the packing above, uint64 [N - order + 1]."""
    padded = np.concatenate([np.zeros(7, np.uint8), text])
    # Eight bytes read as little-endian are a context already turned round, one lying at every byte.
    words = np.ndarray((len(text),), "<u8", padded, strides=(1,))[order - 1 :]
    keys = words << BYTE
    keys &= ~SYMBOL << np.uint64(8 * (8 - order))
    keys |= text[order - 1 :]
    return keys


class Counted:
    """`tasks.sequence.Predictor` over counted levels, shortest context first; it does not adapt.

    rows: float32 [257, 256], p(w | last byte), and in row 256 p(w) where nothing has come yet.
    The longer contexts stay sparse. Their nodes lie in one array sorted by (length, context), so that
    one search finds the nodes of all lengths for all lanes; the last node stands for "never seen".
    """

    def __init__(self, levels: list[Level]) -> None:
        self.rows = np.full((VOCAB + 1, VOCAB), 1 / VOCAB, np.float32)
        for unigrams in levels[:1]:
            self.rows *= unigrams.backoff[0]
            self.rows[:, unigrams.symbols] += unigrams.shares
        for bigrams in levels[1:2]:
            last = bigrams.contexts >> np.uint64(56)
            self.rows[last] *= bigrams.backoff[:, None]
            self.rows[np.repeat(last, bigrams.degree), bigrams.symbols] += bigrams.shares
        longer = levels[2:][::-1]  # the longest first: weights are then cumulative products
        lengths = np.arange(len(levels) - 1, 1, -1, dtype=np.uint64)[:, None]
        self.tag = (np.uint64(8) - lengths) << np.uint64(56)
        self.mask = ~np.uint64(0) >> BYTE & ~np.uint64(0) << BYTE * (np.uint64(7) - lengths)

        keys = [x.contexts >> BYTE | tag for x, tag in zip(longer, self.tag, strict=True)]
        self.contexts = np.concatenate([*keys, [~np.uint64(0)]], dtype=np.uint64)
        self.backoff = np.concatenate([*(x.backoff for x in longer), [1]], dtype=np.float32)
        self.degree = np.concatenate([*(x.degree for x in longer), [0]])
        self.first = np.cumsum(self.degree) - self.degree
        nothing = np.empty(0, np.uint8)
        self.symbols = np.concatenate([*(x.symbols for x in longer), nothing])
        self.shares = np.concatenate([*(x.shares for x in longer), nothing], dtype=np.float32)

    def reset(self, lanes: int) -> None:
        self.seen = 0
        self.last = np.full(lanes, VOCAB)
        self.history = np.zeros(lanes, np.uint64)  # the latest byte on top
        self.origin = np.arange(lanes) * VOCAB

    def predict(self) -> np.ndarray:
        p = self.rows[self.last]
        skip = max(0, len(self.tag) + 1 - self.seen)  # lengths that this segment does not have yet
        if skip < len(self.tag):
            wanted = (self.history >> BYTE & self.mask[skip:]) | self.tag[skip:]  # [lengths, lanes]
            node = np.searchsorted(self.contexts, wanted)
            node[self.contexts[node] != wanted] = len(self.contexts) - 1
            weight = np.ones((len(node) + 1, len(self.last)), np.float32)
            np.cumprod(self.backoff[node], axis=0, out=weight[1:])
            p *= np.maximum(weight[-1], np.float32(1e-30))[:, None]  # no byte's mass may underflow
            degree = self.degree[node].ravel()
            ends = np.cumsum(degree)
            at = np.arange(ends[-1]) + np.repeat(self.first[node].ravel() - ends + degree, degree)
            cell = np.repeat(np.tile(self.origin, len(node)), degree) + self.symbols[at]
            np.add.at(p.ravel(), cell, self.shares[at] * np.repeat(weight[:-1].ravel(), degree))
        return np.log(p)

    def observe(self, symbols: np.ndarray) -> None:
        self.seen += 1
        self.last = symbols.astype(np.intp)
        self.history = self.history >> BYTE | symbols.astype(np.uint64) << np.uint64(56)


@dataclass
class Ngram(Algorithm):
    """Modified Kneser-Ney over bytes.

    order: the longest n-gram counted, 1 ... 8 (a context of order - 1 bytes and the symbol).
    last_bytes: count only so many bytes at the text's end; 0 counts them all.
    """

    order: int = 7
    last_bytes: int = 0

    def prepare(self, spec: Any) -> None:
        super().prepare(spec)

    def train(self, data: dict[str, np.ndarray]) -> Generator[Progress, Any, Counted]:
        text = data["text"][-self.last_bytes :]
        order = min(self.order, len(text))
        levels: list[Level] = []
        keys = pack(text, order) if order else np.empty(0, np.uint64)
        for k in range(order, 0, -1):
            keys.sort(kind="quicksort" if k == order else "stable")
            bounds = runs(keys)
            grams = keys[bounds[:-1]]
            levels.append(level(grams, bounds))
            keys = grams & ~(SYMBOL << np.uint64(8 * (9 - k)))
            yield Progress(order - k + 1, order)
        return Counted(levels[::-1])
