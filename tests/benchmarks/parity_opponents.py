"""Hypercell's opponents on sparse parity: exhaustive search, a plain C SGD, and tuned settings."""

from __future__ import annotations

import ctypes
from ast import literal_eval
from dataclasses import dataclass
from functools import cache
from math import comb, floor, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from algorithms.backprop_mlp import BackpropMLP
from algorithms.base import Algorithm, Progress, Refused, Training
from algorithms.parity_mask import Parity
from algorithms.xor_elimination import XorElimination
from tasks.classification import Classification
from tasks.native.build import library, opened
from tasks.native.memory import aligned

HEAVIEST = 62


class State(ctypes.Structure):
    """What `exhaustive.cpp` calls State: settings, buffers, and how far the search has come."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("rows", "n", "enough", "check", "most", "slice")),
        *((name, ctypes.c_void_p) for name in ("columns", "pairs", "narrow")),
        *((name, ctypes.c_int64) for name in ("weight", "sweep", "tried", "packed", "stride")),
        *((name, ctypes.c_int64) for name in ("paired", "looked", "best_errors", "best_weight")),
        ("best", ctypes.c_int64 * (HEAVIEST + 2)),
    ]


@cache
def compiled(name: str) -> ctypes.CDLL:
    """The shared library of the C++ text `name` in this folder."""
    return opened(library(Path(__file__).with_name(f"{name}.cpp").read_text(), name))


@dataclass
class Exhaustive(Algorithm):
    """All masks from the lightest up, until one explains the rows; it is told neither secret nor k.

    A mask is believed as `xor_elimination` believes one: without a mistake in n + `check` rows (a wrong
    one passes with probability 2^-check), or with so few in all rows that chance does not explain it
    (Hoeffding, 1 % over all 2^n masks). One that gets more than a quarter of the first 64 rows wrong is
    passed over at first (label noise of 10 %: 1 secret in 7,000), then only with more than three
    eighths, then, a hundred times fewer masks, not at all.

    masks: before a weight that would take it above so many it gives up and answers with the best mask
    seen. The standard reaches weight 6 of 100 inputs (1.27e9 masks). slice: masks between two yields.
    """

    check: int = 24
    masks: int = 2_000_000_000
    slice: int = 2_000_000

    def prepare(self, spec: Classification) -> None:
        if spec.rule != "parity" or spec.access != "samples":
            raise Refused("exhaustive search takes samples of task.rule=parity only")
        super().prepare(spec)
        n, rows, pairs = spec.n, spec.rows, comb(spec.n, 2) + 64
        stride = (n + 8) // 8 * 8  # the columns and the label's
        # What the C++ text writes to; kept here, so that it lives as long as the search may run.
        self.columns = np.zeros(stride * (rows // 64 + 1), np.uint64)
        self.pairs, self.narrow = np.zeros(pairs, np.uint64), np.zeros(pairs, np.uint16)
        self.state = State(
            rows=rows,
            n=n,
            enough=floor(rows / 2 - sqrt(rows * (n * log(2) + log(100)) / 2)),
            check=min(rows, n + self.check),
            most=self.masks,
            slice=self.slice,
            columns=self.columns.ctypes.data,
            pairs=self.pairs.ctypes.data,
            narrow=self.narrow.ctypes.data,
            stride=stride,
        )
        search = compiled("exhaustive").search
        search.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int64]
        self.search, self.at = search, ctypes.addressof(self.state)
        made_up = np.ones((rows, n), np.int8), np.ones(rows, np.int64)
        search(self.at, made_up[0].ctypes.data, made_up[1].ctypes.data, 1)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        x, y = data["x"].ctypes.data, data["y"].ctypes.data
        fresh = 1
        while not self.search(self.at, x, y, fresh):
            fresh = 0
            yield Progress(self.state.tried, self.masks)
        mask = 0
        for j in self.state.best[: self.state.best_weight]:
            mask |= 1 << j
        return Parity(mask)


class Net(ctypes.Structure):
    """What `sgd.cpp` calls Net."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("rows", "n", "blocks", "batch", "cube")),
        *((name, ctypes.c_float) for name in ("lr", "shrink")),
        *((name, ctypes.c_void_p) for name in ("x", "y", "W", "V")),
    ]


@dataclass
class Hidden:
    """A trained network: W [n + 1, h], V [h]."""

    W: np.ndarray
    V: np.ndarray
    cube: int

    def predict(self, x: np.ndarray) -> np.ndarray:
        z = x.astype(np.float32) @ self.W[:-1] + self.W[-1]
        out = (z * z * z if self.cube else np.maximum(z, 0)) @ self.V
        return np.where(out > 0, 1, -1)


@dataclass
class SgdC(Algorithm):
    """One hidden layer trained by minibatch SGD on the hinge loss, in C++; no momentum, nothing adaptive.

    Its defaults are the published recipe. Stops when all held-back rows come out right `sure` times in
    a row, or `patience` epochs after the best of those in which three quarters did, and answers with the
    best, of equals with the last.

    init, init_out: as of torch's layers times so much. validation: part of the rows held back.
    """

    activation: str = "relu"
    hidden: int = 200
    lr: float = 0.1
    weight_decay: float = 0.01
    batch: int = 32
    init: float = 1.0
    init_out: float = 1.0
    validation: float = 0.1
    sure: int = 3
    epochs: int = 200
    patience: int = 20

    def __post_init__(self) -> None:
        if not 0 < self.hidden <= 256 or not 0 < self.batch <= 64:
            raise Refused("algo.hidden must be from 1 to 256, algo.batch from 1 to 64")

    def prepare(self, spec: Classification) -> None:
        if spec.rule != "parity" or spec.access != "samples":
            raise Refused("sgd_c takes samples of task.rule=parity only")
        super().prepare(spec)
        n, rows, blocks = spec.n, spec.rows, -(-self.hidden // 16)
        self.weights = aligned(4 * (n + 2) * 16 * blocks).view(np.float32).reshape(n + 2, -1)
        self.x, self.y = np.zeros((rows, n + 1), np.float32), np.zeros(rows, np.float32)
        at = self.weights.ctypes.data
        self.net = Net(
            rows=rows,
            n=n,
            blocks=blocks,
            batch=self.batch,
            cube=self.activation == "cube",
            lr=self.lr,
            shrink=1 - self.lr * self.weight_decay,
            x=self.x.ctypes.data,
            y=self.y.ctypes.data,
            W=at,
            V=at + 64 * blocks * (n + 1),
        )
        self.library = compiled("sgd")
        self.library.begin.argtypes = [
            *([ctypes.c_void_p] * 3),
            *(ctypes.c_int64, ctypes.c_float, ctypes.c_float, ctypes.c_uint64),
        ]
        self.library.epoch.argtypes = [ctypes.c_void_p, ctypes.c_int64]
        self.at = ctypes.addressof(self.net)
        made_up = np.ones((rows, n), np.int8), np.ones(rows, np.int64)
        self._begin(*made_up)
        self.library.epoch(self.at, rows // 2)

    def _begin(self, x: np.ndarray, y: np.ndarray) -> None:
        ranges = self.init / sqrt(self.spec.n), self.init_out / sqrt(self.hidden)
        self.library.begin(
            self.at, x.ctypes.data, y.ctypes.data, self.hidden, *ranges, self.spec.seed
        )

    def train(self, data: dict[str, np.ndarray]) -> Training:
        self._begin(data["x"], data["y"])
        held = max(1, int(self.spec.rows * self.validation))
        best, when, kept, in_a_row = 0, 0, self.weights.copy(), 0
        for epoch in range(1, self.epochs + 1):
            right = self.library.epoch(self.at, held)
            in_a_row = in_a_row + 1 if right == held else 0
            if in_a_row == self.sure:
                return Hidden(self.weights[:-1].copy(), self.weights[-1].copy(), self.net.cube)
            if right >= best:
                when = epoch if right > best else when
                best = right
                if 4 * right >= 3 * held:  # with less there is nothing to keep
                    kept[:] = self.weights
            if 4 * best >= 3 * held and epoch - when >= self.patience:
                break
            yield Progress(epoch, self.epochs, 1 - right / held)
        return Hidden(kept[:-1], kept[-1], self.net.cube)


def words(text: str = "") -> dict[str, Any]:
    """Settings written as on the command line: "hidden=16 lr=0.1"."""
    pairs = (word.split("=") for word in text.split())
    return {name: value if value.isalpha() else literal_eval(value) for name, value in pairs}


# The best settings found (`tests/benchmarks/tune_mlp.py --seconds`) by (n, k, noise) with 1000 rows. The
# evidence is algorithms/tuning/backprop_parity.csv and sgd_c_parity.csv in this folder. Where all are at
# chance (k > 3) it is the best of those with ReLU, since a cube cannot even express more than three bits.
Settings = dict[tuple[int, int, float], dict[str, Any]]
RELU = words(
    "activation=relu optimizer=sgd hidden=64 lr=0.8 momentum=0.5 batch=96 "
    "weight_decay=0.01 init_out=2.0 validation=0.2 stop=0.02 epochs=300"
)
BACKPROP: Settings = {
    (20, 3, 0.0): words("lr=0.049 stop=0.01"),
    (20, 3, 0.1): words(
        "hidden=8 lr=0.097 momentum=0.5 beta2=0.95 batch=1000 weight_decay=0.6 init=0.3 "
        "init_out=0.3 validation=0.2 stop=0.02 epochs=30"
    ),
    (50, 3, 0.0): words(
        "hidden=8 lr=0.049 beta2=0.999 weight_decay=0.3 init=0.5 init_out=2.0 validation=0.05 "
        "stop=0.02 epochs=150"
    ),
    (50, 3, 0.1): words(
        "optimizer=sgd hidden=48 lr=0.038 batch=32 weight_decay=0.2 init=1.15 init_out=3.5 "
        "validation=0.2 stop=0.25 epochs=100"
    ),
    (50, 5, 0.0): words(
        "activation=relu hidden=16 lr=0.14 beta2=0.9 batch=64 weight_decay=0.1 init=1.0 "
        "validation=0.2 stop=0.2 epochs=150"
    ),
    (50, 5, 0.1): RELU,
    (64, 5, 0.0): RELU,
    (64, 5, 0.1): RELU,
    (100, 6, 0.0): RELU,
    (100, 6, 0.1): RELU,
}
SGD: Settings = {
    (20, 3, 0.0): words(
        "activation=cube hidden=16 lr=0.037 weight_decay=0.1 batch=8 init_out=12.0 sure=1 "
        "epochs=150 patience=5"
    ),
    (20, 3, 0.1): words(
        "activation=cube hidden=16 lr=0.02 weight_decay=0.1 batch=8 init_out=12.0 "
        "validation=0.05 sure=2 epochs=60 patience=3"
    ),
    (50, 3, 0.0): words(
        "activation=cube hidden=16 lr=0.016 weight_decay=0.1 batch=4 init_out=6.0 sure=2 "
        "epochs=60 patience=3"
    ),
    (50, 3, 0.1): words(
        "activation=cube hidden=48 lr=0.012 weight_decay=0.2 batch=8 init=2.0 init_out=6.0 "
        "validation=0.2 sure=1 epochs=300"
    ),
    (50, 5, 0.0): words(),
    (50, 5, 0.1): words(),
    (64, 5, 0.0): words(),
    (64, 5, 0.1): words(),
    (100, 6, 0.0): words(),
    (100, 6, 0.1): words(),
}


def opponent(name: str, n: int, k: int, noise: float) -> Algorithm:
    """The opponent with its best setting for this task."""
    match name:
        case "exhaustive":
            return Exhaustive()
        case "sgd_c":
            return SgdC(**SGD[n, k, noise])
        case "sgd_c_recipe":
            return SgdC()
        case "backprop":
            return BackpropMLP(**BACKPROP[n, k, noise])
        case "xor_elimination":
            return XorElimination()
    raise ValueError(f"no opponent {name}")
