"""Parity by linear algebra: with bits b = (x < 0), y is -1 exactly when the secret bits XOR to 1.

Every row is then a linear equation modulo 2, and elimination finds the secret (Helmbold, Sloan and
Warmuth 1992; Blum, Kalai and Wasserman 2003 on why noise makes it hard). The whole matrix is one
Python integer: at these sizes that is cheaper than a call into numpy for every pivot.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from math import comb, log, sqrt
from typing import Any

import numpy as np

from algorithms.base import Algorithm, Progress, Query, Refused, Training
from algorithms.parity_mask import Parity
from tasks.classification import Classification


def columns_of(x: np.ndarray, y: np.ndarray) -> list[int]:
    """Columns of x [m, n] and last y [m] as n + 1 integers: bit i is set if row i is negative."""
    packed = np.packbits(np.column_stack([x, y]).T < 0, axis=1, bitorder="little")
    return [int.from_bytes(column.tobytes(), "little") for column in packed]


def solve(x: np.ndarray, y: np.ndarray) -> tuple[int, bool, list[int]]:
    """Gaussian elimination over GF(2) of the rows of x int8 [m, n], y [m].

    Returns (mask, consistent, kernel): bit j of mask says that input j is in the XOR; consistent,
    that this explains every row; kernel spans what may be XORed to mask without any row noticing
    (empty: the solution is the only one).
    """
    m, n = x.shape
    width = n + 1
    augmented = np.empty((m, width), np.int8)
    augmented[:, :n] = x
    augmented[:, n] = y
    packed = np.packbits(augmented < 0, bitorder="little")
    matrix = int.from_bytes(packed.tobytes(), "little")  # row i begins at bit i * width
    one_row = (1 << width) - 1
    first_bits = ((1 << m * width) - 1) // one_row
    pivots, free = [], []
    for j in range(n):
        having = (matrix >> j) & first_bits
        if having:
            row = (matrix >> having.bit_length() - 1) & one_row
            # The product is a copy of the row at each row that has bit j. The row itself is one of
            # them and becomes zero, so it will not be chosen again.
            matrix ^= having * row
            pivots.append((1 << j, row))
        else:
            free.append(1 << j)
    label = 1 << n
    mask = substitute(pivots, label) ^ label
    return mask, matrix == 0, [substitute(pivots, bit) for bit in free]


def substitute(pivots: list[tuple[int, int]], mask: int) -> int:
    """Completes a mask of free bits (the label is one) so that every pivot row has even parity."""
    for bit, row in reversed(pivots):
        if (row & mask).bit_count() & 1:
            mask |= bit
    return mask


def lightest(mask: int, kernel: list[int], most: int = 12) -> int:
    """The mask of lowest weight among `mask` plus any of the first `most` kernel vectors."""
    masks = [mask]
    for vector in kernel[:most]:
        masks += [m ^ vector for m in masks]
    return min(masks, key=int.bit_count)


def errors(columns: list[int], mask: int) -> int:
    """Number of rows whose label the mask gets wrong."""
    wrong = columns[-1]
    while mask:
        low = mask & -mask
        wrong ^= columns[low.bit_length() - 1]
        mask ^= low
    return wrong.bit_count()


@dataclass
class XorElimination(Algorithm):
    """Elimination on n + check rows; where they contradict each other, search under label noise.

    Under noise it tries all masks from the lightest up (at most `masks` of them), then decodes by
    information sets: solve n + 4 random rows, at most `tries` times, and hope for a clean one. It
    stops at a mask that chance does not explain (1 % over all 2^n masks), else gives the best one
    seen. The limit is inherent to parity with noise: a set of rows is clean with probability
    (1 - noise)^n, so n = 20 with 10 % takes a dozen tries, but n = 100 with 10 % works only while
    the secret is light enough for the first search. With fewer independent rows than inputs it
    takes the lightest of up to 4,096 solutions, perhaps a wrong one. It ignores k even where told.

    check: rows beyond n that must agree; a wrong solution passes with probability 2^-check.
    masks: masks tried from the lightest up. tries: random sets of rows solved.
    """

    check: int = 24
    masks: int = 25_000
    tries: int = 2_000

    def __post_init__(self) -> None:
        for name in ("check", "masks", "tries"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                raise Refused(f"algo.{name}={value}: must be a whole number of at least 0")

    def prepare(self, spec: Classification) -> None:
        if spec.rule != "parity":
            raise Refused(
                f"xor_elimination solves task.rule=parity only, not {spec.rule}; try algo=backprop"
            )
        super().prepare(spec)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        if self.spec.access == "queries":
            return (yield from self._ask())
        return (yield from self._sift(data["x"], data["y"]))

    def _sift(self, x: np.ndarray, y: np.ndarray) -> Training:
        """Learns from samples x int8 [rows, n], y [rows]."""
        m = min(len(x), self.spec.n + self.check)
        mask, consistent, kernel = solve(x[:m], y[:m])
        mask = lightest(mask, kernel) if consistent else (yield from self._decode(x, y))
        return Parity(mask)

    def _decode(self, x: np.ndarray, y: np.ndarray) -> Generator[Progress | Query, Any, int]:
        """The mask that gets fewest rows wrong, of those that can be looked at."""
        n, rows = self.spec.n, len(x)
        columns = columns_of(x, y)
        # Hoeffding: a wrong mask has this few errors with probability 0.01 / 2^n.
        enough = rows / 2 - sqrt(rows * (n * log(2) + log(100)) / 2)
        level, weight, seen = [(0, columns[n])], 0, 1
        best = (columns[n].bit_count(), 0)
        while best[0] > enough and weight < n and seen + comb(n, weight + 1) <= self.masks:
            level = [
                (mask | 1 << j, wrong ^ columns[j])
                for mask, wrong in level
                for j in range(mask.bit_length(), n)
            ]
            weight, seen = weight + 1, seen + len(level)
            best = min(best, *((wrong.bit_count(), mask) for mask, wrong in level))
        rng = np.random.default_rng(self.spec.seed)
        m = n + 4  # enough for full rank nearly always, few enough to be clean now and then
        for step in range(self.tries):
            if best[0] <= enough:
                break
            if step % 100 == 0:
                yield Progress(step, self.tries, 2 * best[0] / rows)
            subset = rng.integers(rows, size=m)
            mask, consistent, kernel = solve(x[subset], y[subset])
            if consistent:
                mask = lightest(mask, kernel)
                best = min(best, (errors(columns, mask), mask))
        return best[1]

    def _ask(self) -> Training:
        """Flips one input at a time: the label is -1 where the input is in the secret.

        `check` random rows go along; if they contradict the answer, labels are noisy, and what is
        left of the budget goes into asking again and taking majorities.
        """
        n, budget = self.spec.n, self.spec.budget
        rng = np.random.default_rng(self.spec.seed)
        if budget < n:
            x = 1 - 2 * rng.integers(2, size=(budget, n), dtype=np.int8)
            return (yield from self._sift(x, (yield Query(x))))
        flips = 1 - 2 * np.eye(n, dtype=np.int8)
        trials = 1 - 2 * rng.integers(2, size=(min(self.check, budget - n), n), dtype=np.int8)
        y = yield Query(np.concatenate([flips, trials]))
        votes, expected = y[:n].astype(np.int64), y[n:]
        parity = Parity(sum(1 << int(i) for i in np.flatnonzero(votes < 0)))
        rounds = (budget - n - len(trials)) // n
        if rounds and (parity.predict(trials) != expected).any():
            y = yield Query(np.tile(flips, (rounds, 1)))
            votes += y.reshape(rounds, n).sum(axis=0)
            parity = Parity(sum(1 << int(i) for i in np.flatnonzero(votes < 0)))
        return parity
