"""Sparse parity: y is a rule of k secret bits among n, and nothing says which bits they are.

The parity of unknown bits is the standard hard case for gradient learning, because every subset of
fewer than k bits is uncorrelated with y (Kearns 1998 on statistical queries; Barak et al. 2022,
"Hidden Progress in Deep Learning"), and an easy one for whoever solves linear equations modulo 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import ClassVar

import numpy as np

from tasks.base import Draw, PredictionError, Score, Target, Task, TaskError
from tasks.classification import Classification, Predictor, examine

RULES = ("parity", "sum", "and")
ACCESSES = ("samples", "queries")
DRAW_BYTES = 1 << 28  # the largest draw that is handed over in one piece
WINDOW_BYTES = 1 << 28  # the draws of one window travel in one message


@dataclass
class SparseParity(Task):
    """Inputs x are int8 [rows, n] of -1 and +1, uniform; labels y are int64 [rows].

    rule: "parity" (product of the secret bits), "sum" (their sum) or "and" (+1 if all are +1, else
    -1). rows: training rows, or labels that may be asked for with access="queries". noise: chance
    that a training label is wrong, i.e. another value of the rule's range; held-out ones are clean.
    known_k: the spec tells k, which makes it a board of its own. bar: accuracy that meets the
    target. margin: accuracy by which a candidate may be worse than a baseline.
    """

    name: ClassVar[str] = "sparse_parity"
    family: ClassVar[str] = "classification"

    rule: str = "parity"
    n: int = 20
    k: int = 3
    rows: int = 1000
    noise: float = 0.0
    access: str = "samples"
    known_k: bool = False
    held_out: int = 1000
    bar: float | None = 0.99
    margin: float = 0.01

    def __post_init__(self) -> None:
        for name in ("n", "k", "rows", "held_out"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise TaskError(f"task.{name}={value!r}: must be a whole number of at least 1")
        # `access` is left as the board names it; dataclasses.replace brings the suffix back in.
        access = str(self.access).removesuffix("+known_k") if self.known_k else self.access
        for name, value, known in (("rule", self.rule, RULES), ("access", access, ACCESSES)):
            if value not in known:
                near = difflib.get_close_matches(str(value), known, n=1)
                hint = f"did you mean {near[0]}? " if near else ""
                raise TaskError(f"task.{name}={value}: {hint}known are {', '.join(known)}")
        if self.k > self.n:
            raise TaskError(f"task.k={self.k}: cannot exceed task.n={self.n}")
        for name, ok, want in (
            ("noise", lambda v: 0 <= v < 0.5, "must be at least 0 and below 0.5"),
            ("margin", lambda v: 0 <= v < 1, "must be at least 0 and below 1"),
            ("bar", lambda v: 0 < v <= 1, "must be above 0 and at most 1, or null for none"),
        ):
            value = getattr(self, name)
            if name == "bar" and value is None:
                continue
            if not isinstance(value, int | float) or isinstance(value, bool) or not ok(value):
                raise TaskError(f"task.{name}={value}: {want}")
        self._asks = access == "queries"
        cells = self.held_out + (0 if self._asks else self.rows)
        self._bytes = cells * (self.n + 8) + 8 * self.rows
        if self._bytes > DRAW_BYTES:
            raise TaskError(
                f"task.n={self.n}: with task.rows={self.rows} and task.held_out={self.held_out} a "
                f"draw takes {self._bytes / 2**20:.0f} MiB, more than {DRAW_BYTES >> 20} MiB; "
                "lower one of the three"
            )
        if self.bar is not None and self.chance >= self.bar:
            raise TaskError(
                f"task.bar={self.bar}: a constant answer already reaches {self.chance:.4g} "
                f"with task.rule={self.rule} task.k={self.k}; raise the bar or lower task.k"
            )
        self.access = f"{access}+known_k" if self.known_k else access

    @property
    def values(self) -> np.ndarray:
        """The labels there can be, ascending, int64."""
        return np.arange(-self.k, self.k + 1, 2) if self.rule == "sum" else np.array([-1, 1])

    @property
    def chance(self) -> float:
        """Expected accuracy of the best constant answer: the probability of the likeliest label."""
        if self.rule == "parity":
            return 0.5
        if self.rule == "and":
            return max(2.0**-self.k, 1 - 2.0**-self.k)
        return comb(self.k, self.k // 2) / 2**self.k

    @property
    def variant(self) -> str:
        words = [self.rule, f"n={self.n}", f"k={self.k}"]
        words.append(f"budget={self.rows}" if self._asks else f"rows={self.rows}")
        words += [f"noise={self.noise:g}"] if self.noise else []
        words += [f"held_out={self.held_out}"] if self.held_out != 1000 else []
        return " ".join(words)

    def spec(self, seed: int) -> Classification:
        return Classification(
            n=self.n,
            rows=0 if self._asks else self.rows,
            access="queries" if self._asks else "samples",
            budget=self.rows if self._asks else 0,
            rule=self.rule,
            k=self.k if self.known_k else None,
            seed=seed,
        )

    def max_repeats(self) -> int:
        return max(1, min(4096, WINDOW_BYTES // self._bytes))

    def draws(self, entropy: Sequence[int], repeats: int) -> list[Draw]:
        return [self._draw(entropy, index) for index in range(repeats)]

    def _draw(self, entropy: Sequence[int], index: int) -> Draw:
        # Raw Philox words only: what numpy's distributions make of them may change by version.
        philox = np.random.Philox(np.random.SeedSequence([*entropy, index]))
        secret = np.sort(np.argsort(philox.random_raw(self.n), kind="stable")[: self.k])
        # The held-out rows come first, so that they are the same whatever `rows` and `noise` are.
        x = self._inputs(philox, self.held_out)
        key = {"x": x, "y": self.labels(x, secret), "secret": secret}
        x = self._inputs(philox, 0 if self._asks else self.rows)
        shift = self._noise(philox)
        if self._asks:
            key["shift"] = shift
            return Draw({"x": x, "y": np.zeros(0, np.int64)}, key)
        return Draw({"x": x, "y": self.labels(x, secret, shift)}, key)

    def _inputs(self, philox: np.random.Philox, rows: int) -> np.ndarray:
        """int8 [rows, n] of -1 and +1, one random bit each."""
        bits = rows * self.n
        raw = philox.random_raw(-(-bits // 64)).astype("<u8", copy=False)
        x = np.unpackbits(raw.view(np.uint8), count=bits).view(np.int8).reshape(rows, self.n)
        x += x
        x -= 1
        return x

    def _noise(self, philox: np.random.Philox) -> np.ndarray:
        """int64 [rows]: by how many places each label is moved around the cycle of `values`."""
        if not self.noise:
            return np.zeros(self.rows, np.int64)
        wrong = philox.random_raw(self.rows) < np.uint64(self.noise * 2.0**64)
        places = philox.random_raw(self.rows) % np.uint64(len(self.values) - 1)
        return np.where(wrong, places.astype(np.int64) + 1, 0)

    def labels(
        self, x: np.ndarray, secret: np.ndarray, shift: np.ndarray | None = None
    ) -> np.ndarray:
        """int64 [m]: the rule applied to columns `secret` of x [m, n], moved by `shift` places."""
        fold = {"parity": np.multiply, "sum": np.add, "and": np.minimum}[self.rule]
        wide = np.int64 if self.rule == "sum" else np.int8  # a sum of 128 bits leaves int8
        y = fold.reduce([x[:, i] for i in secret], axis=0, dtype=wide).astype(np.int64)
        if shift is None or not self.noise:
            return y
        values = self.values
        return values[(np.searchsorted(values, y) + shift) % len(values)]

    def answer(self, draw: Draw, x: np.ndarray, asked: int) -> np.ndarray:
        """Labels int64 [m] of x int8 [m, n]. Noise depends on the draw and on `asked`."""
        if not self._asks:
            return super().answer(draw, x, asked)
        x = np.asarray(x)
        if x.ndim != 2 or x.shape[1] != self.n or x.dtype.kind not in "iuf":
            raise PredictionError(
                f"a query has shape {list(x.shape)} and type {x.dtype}; "
                f"it must be numbers of shape [m, {self.n}]"
            )
        if not (np.abs(x) == 1).all():
            raise PredictionError("a query holds values other than -1 and +1")
        if asked + len(x) > self.rows:
            raise PredictionError(
                f"{asked + len(x)} labels asked for; the budget is task.rows={self.rows}"
            )
        return self.labels(
            x.astype(np.int8), draw.key["secret"], draw.key["shift"][asked:][: len(x)]
        )

    def examine(self, draw: Draw, predictor: Predictor) -> Score:
        return examine(draw.key["x"], draw.key["y"], predictor)

    def target(self, draws: Sequence[Draw]) -> Target:
        """The same for all draws: chance is exact, not taken from these very labels."""
        return Target("accuracy", "1", self.bar, "max", self.margin, self.chance, 1.0)
