"""A linear softmax over hashed contexts, learned online by gradient: the cheapest trained language model.

The logits are a sum of one weight vector per context of the position (the last one to six bytes, the
word's beginning alone and with one and two words before it, the column with the last byte), scaled by
a gain per kind of context and number of visits, and of what two match models, which look back within
the segment, expect. Vectors, gains and the match models' trust are all learned from zero (gains:
from `gain`) along the gradient of the log-probability, in one pass over the text, one byte at a time,
at a rate that falls with a vector's visits and linearly over the run.

A context that only one symbol has followed so far needs no vector: its weights are that symbol's alone
and shared by all such contexts of its kind and age (`runs`). It gets a vector when another follows.

Bytes are classes: the most frequent ones have one each, the rest share the last, by their frequency;
classes are a multiple of 16, and as few as leave 1 byte in 20,000 to the rest. The work is done by
`kernels/hashed_softmax.cpp`, compiled for this CPU, on one thread.
"""

from __future__ import annotations

import ctypes
from collections.abc import Generator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from algorithms.base import Algorithm, Progress, Refused
from algorithms.hypercell.build import library

READS = ["kernels/hashed_softmax.cpp"]
KERNEL = Path(__file__).parent / "kernels" / "hashed_softmax.cpp"
VOCAB = 256
KINDS = ("1", "2", "3", "4", "5", "6", "w0", "w1", "w2", "column")
MATCHES = 2
WIDTHS = (1, 2, 3, 4, 5, 6, 8, 12, 16)  # of a vector, in 16 classes
CHUNK = 8192  # bytes between two reports of progress
RARE = 20_000
MODEL, LANE, WORK, SETTINGS = range(4)  # what the kernel's size_of tells


class Settings(ctypes.Structure):
    """As in the kernel."""

    _fields_ = [
        ("classes", ctypes.c_int),
        ("contexts", ctypes.c_int),
        ("matches", ctypes.c_int),
        ("least", ctypes.c_int * MATCHES),
        ("runs", ctypes.c_int),
        ("segment", ctypes.c_int),
        ("lr", ctypes.c_float),
        ("lr_gain", ctypes.c_float),
        ("lr_run", ctypes.c_float),
        ("lr_match", ctypes.c_float),
        ("end", ctypes.c_float),
        ("gain", ctypes.c_float),
        ("rate", ctypes.c_float * 256),
        ("bucket", ctypes.c_uint8 * 256),
        ("class_of", ctypes.c_uint8 * VOCAB),
        ("share", ctypes.c_float * VOCAB),
    ]


@cache
def kernel() -> ctypes.CDLL:
    """The compiled kernel, loaded once."""
    lib = ctypes.CDLL(str(library(KERNEL.read_text(), "hashed_softmax")))
    p, u32, u64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    lib.size_of.restype, lib.size_of.argtypes = u64, [ctypes.c_int]
    lib.train.restype = ctypes.c_double
    for name, types in {
        "count": [p, u64, p],
        "begin_model": [p, p, p, u32, p, u32],
        "train": [p, p, p, u64, u64, u64],
        "reset": [p, p, u32, p, u32, p, u32],
        "predict": [p, p, u32, ctypes.c_int, p],
        "observe": [p, p, u32, ctypes.c_int, ctypes.c_float, p],
    }.items():
        getattr(lib, name).argtypes = types
    assert lib.size_of(SETTINGS) == ctypes.sizeof(Settings)
    return lib


def aligned(size: int, zero: bool = False) -> np.ndarray:
    """uint8 [size], at a multiple of 64 bytes; pages that are never written take no memory."""
    raw = (np.zeros if zero else np.empty)(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size]


def classes(counts: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """How many classes bytes of these counts [256] have, each byte's, and ln of its share of it."""
    order = np.argsort(-counts.astype(np.int64), kind="stable")
    ordered = counts[order]
    allowed = counts.sum() // RARE
    width = next(w for w in WIDTHS if ordered[16 * w - (w < 16) :].sum() <= allowed)
    number = 16 * width
    class_of = np.empty(VOCAB, np.uint8)
    class_of[order] = np.minimum(np.arange(VOCAB), number - 1)
    share = np.zeros(VOCAB)
    rest = order[number - 1 :]
    share[rest] = np.log((counts[rest] + 0.1) / (counts[rest] + 0.1).sum())
    return number, class_of, share


class Trained:
    """`tasks.sequence.Predictor`; it adapts when `rate` is positive, within a lane until `reset`."""

    def __init__(self, settings: Settings, bits: int, rows: int, rate: float) -> None:
        self.lib, self.settings, self.rate = kernel(), settings, rate
        self.slots = aligned(8 << bits, zero=True)
        self.rows = aligned(4 * settings.classes * rows)
        self.model = aligned(self.lib.size_of(MODEL))
        self.lib.begin_model(
            *(self.model.ctypes.data, ctypes.addressof(settings)),
            *(self.slots.ctypes.data, bits, self.rows.ctypes.data, rows),
        )
        self.lanes = 0

    def learn(self, text: np.ndarray) -> Generator[Progress, Any, None]:
        work = aligned(self.lib.size_of(WORK))
        for start in range(0, len(text), CHUNK):
            stop = min(start + CHUNK, len(text))
            nats = self.lib.train(
                *(self.model.ctypes.data, work.ctypes.data),
                *(text.ctypes.data, len(text), start, stop),
            )
            yield Progress(stop, len(text), nats / (stop - start))

    def reset(self, lanes: int) -> None:
        if lanes != self.lanes:
            self.lanes = lanes
            self.lane = aligned(self.lib.size_of(LANE) * lanes)
            touched = len(KINDS) * self.settings.segment if self.rate > 0 else 0
            self.own_bits = max(6, (2 * touched - 1).bit_length())
            self.own_slots = aligned((8 << self.own_bits) * lanes if touched else 0)
            self.own_rows = aligned(4 * self.settings.classes * touched * lanes)
            self.touched = touched
        self.lib.reset(
            *(self.model.ctypes.data, self.lane.ctypes.data, lanes),
            *(self.own_slots.ctypes.data, self.own_bits, self.own_rows.ctypes.data, self.touched),
        )

    def predict(self) -> np.ndarray:
        logp = np.empty((self.lanes, VOCAB), np.float32)
        self.lib.predict(
            *(self.model.ctypes.data, self.lane.ctypes.data, self.lanes),
            *(self.rate > 0, logp.ctypes.data),
        )
        return logp

    def observe(self, symbols: np.ndarray) -> None:
        came = np.ascontiguousarray(symbols, np.uint8)
        self.lib.observe(
            *(self.model.ctypes.data, self.lane.ctypes.data, self.lanes),
            *(self.rate > 0, self.rate, came.ctypes.data),
        )


@dataclass
class HashedSoftmax(Algorithm):
    """Fields are those of configs/algo/hashed_softmax.yaml."""

    train_bytes: int = 0
    contexts: str = "+".join(KINDS)
    match_long: int = 7
    match_short: int = 4
    runs: int = 255
    bits: int = 24
    row_bits: int = 22
    lr: float = 0.5
    decay: float = 0.5
    floor: float = 0.02
    lr_gain: float = 0.002
    lr_run: float = 0.02
    lr_match: float = 0.02
    gain: float = 0.5
    end: float = 0.0
    adapt: bool = False
    adapt_rate: float = 1.0

    def __post_init__(self) -> None:
        vars(self)["adapts"] = self.adapt

    def prepare(self, spec: Any) -> None:
        super().prepare(spec)
        kernel()

    def train(self, data: dict[str, np.ndarray]) -> Generator[Progress, Any, Trained]:
        text = np.ascontiguousarray(data["text"][-self.train_bytes :], np.uint8)
        counts = np.zeros(VOCAB, np.uint64)
        kernel().count(text.ctypes.data, len(text), counts.ctypes.data)
        settings = self.settings(counts)
        most = len(text) * len(KINDS)
        bits = min(self.bits, max(6, most.bit_length()))
        predictor = Trained(
            settings, bits, min(most, 1 << self.row_bits), self.adapt_rate if self.adapt else 0
        )
        yield from predictor.learn(text)
        return predictor

    def settings(self, counts: np.ndarray) -> Settings:
        number, class_of, share = classes(counts)
        visits = np.arange(256)
        rate = np.maximum((1.0 + visits) ** -self.decay, self.floor).astype(np.float32)
        bucket = np.minimum(2 * np.log2(np.maximum(visits, 1)), 15).astype(np.uint8)
        on = self.contexts.split("+")
        least = (self.match_long, self.match_short)
        settings = Settings(
            classes=number,
            contexts=sum(1 << i for i, kind in enumerate(KINDS) if kind in on),
            matches=sum(1 << i for i, length in enumerate(least) if length),
            least=least,
            segment=self.spec.segment if hasattr(self, "spec") else 1024,
            **{
                name: getattr(self, name)
                for name in ("runs", "lr", "lr_gain", "lr_run", "lr_match", "end", "gain")
            },
        )
        for name, values in (
            *(("rate", rate), ("bucket", bucket)),
            *(("class_of", class_of), ("share", share.astype(np.float32))),
        ):
            ctypes.memmove(
                getattr(settings, name), np.ascontiguousarray(values).ctypes.data, values.nbytes
            )
        return settings
