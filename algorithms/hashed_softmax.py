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
`kernels/hashed_contexts.h` and `hashed_softmax.cpp`, compiled for this CPU, on one thread.
"""

from __future__ import annotations

import ctypes
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from algorithms.base import Algorithm, Progress, Refused
from algorithms.counting import Counts, counting, kernel_text
from tasks.native.build import library, opened
from tasks.native.memory import aligned
from tasks.sequence import SequenceSpec, only_bytes

READS = ["kernels/hashed_contexts.h", "kernels/hashed_events.h", "kernels/hashed_softmax.cpp"]
CONTEXTS = Path(__file__).parent / "kernels" / "hashed_contexts.h"
KERNEL = CONTEXTS.with_name("hashed_softmax.cpp")
EVENTS = CONTEXTS.with_name("hashed_events.h")
VOCAB = 256
KINDS = ("1", "2", "3", "4", "5", "6", "w0", "w1", "w2", "column")
MATCHES = 2
WIDTHS = (1, 2, 3, 4, 6, 8, 16)  # of a vector, in 16 classes
CHUNK = 8192  # bytes between two reports of progress; a multiple of hashed_mlp's every batch
SAMPLE = 8  # as in the kernel: the loss is taken at every so many bytes
RARE = 20_000  # bytes of which one may be of the last class
HUGE = 1 << 21
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


def contexts(kinds: int) -> str:
    """The part of the kernel that hashed_mlp shares, for so many kinds of context."""
    return f"#define CONTEXT_KINDS {kinds}\n" + CONTEXTS.read_text()


def events() -> str:
    """The table of what the kernel counts."""
    return EVENTS.read_text() + "#define EVENTS(_) HASHED_EVENTS(_)\n"


@cache
def kernel() -> ctypes.CDLL:
    """The compiled kernel, loaded once."""
    source = contexts(len(KINDS)) + KERNEL.read_text()
    lib = opened(library(kernel_text(source, events()), "hashed_softmax"))
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


def classes(
    counts: np.ndarray, widths: Sequence[int] = WIDTHS
) -> tuple[int, np.ndarray, np.ndarray]:
    """How many classes bytes of these counts [256] have, each byte's, and ln of its share of it. widths: that
    they may have, in 16 classes, the last 16."""
    order = np.argsort(-counts.astype(np.int64), kind="stable")
    ordered = counts[order]
    allowed = counts.sum() // RARE
    width = next(w for w in widths if ordered[16 * w - (w < 16) :].sum() <= allowed)
    number = 16 * width
    class_of = np.empty(VOCAB, np.uint8)
    class_of[order] = np.minimum(np.arange(VOCAB), number - 1)
    share = np.zeros(VOCAB)
    rest = order[number - 1 :]
    share[rest] = np.log((counts[rest] + 0.1) / (counts[rest] + 0.1).sum())
    return number, class_of, share


class Hashed:
    """What kernels over hashed contexts have in common, of a `tasks.sequence.Predictor`.

    lib, model: the kernel and its model. lanes, lane: how many were reset, and their state. adapts:
    whether they go on learning.
    """

    lib: ctypes.CDLL
    model: np.ndarray
    lane: np.ndarray
    lanes = 0
    adapts: bool

    def learn(self, text: np.ndarray) -> Generator[Progress, Any, None]:
        work = aligned(self.lib.size_of(WORK))
        for start in range(0, len(text), CHUNK):
            stop = min(start + CHUNK, len(text))
            nats = self.lib.train(
                *(self.model.ctypes.data, work.ctypes.data),
                *(text.ctypes.data, len(text), start, stop),
            )
            yield Progress(stop, len(text), nats / -(-(stop - start) // SAMPLE), self)

    def predict(self) -> np.ndarray:
        logp = np.empty((self.lanes, VOCAB), np.float32)
        self.lib.predict(
            *(self.model.ctypes.data, self.lane.ctypes.data, self.lanes),
            *(self.adapts, logp.ctypes.data),
        )
        return logp


class Trained(Hashed):
    """`tasks.sequence.Predictor`; it adapts when `rate` is positive, within a lane until `reset`."""

    def __init__(self, settings: Settings, bits: int, rows: int, rate: float) -> None:
        self.lib, self.settings, self.rate = kernel(), settings, rate
        self.adapts = rate > 0
        self.slots = aligned(8 << bits)
        self.rows = aligned(4 * settings.classes * rows)
        self.model = aligned(self.lib.size_of(MODEL))
        self.lib.begin_model(
            *(self.model.ctypes.data, ctypes.addressof(settings)),
            *(self.slots.ctypes.data, bits, self.rows.ctypes.data, rows),
        )

    def reset(self, lanes: int) -> None:
        if lanes != self.lanes:
            self.lanes = lanes
            self.lane = aligned(self.lib.size_of(LANE) * lanes)
            touched = len(KINDS) * self.settings.segment if self.adapts else 0
            self.own_bits = max(6, (2 * touched - 1).bit_length())
            self.own_slots = aligned((8 << self.own_bits) * lanes if touched else 0)
            self.own_rows = aligned(4 * self.settings.classes * touched * lanes)
            self.touched = touched
        self.lib.reset(
            *(self.model.ctypes.data, self.lane.ctypes.data, lanes),
            *(self.own_slots.ctypes.data, self.own_bits, self.own_rows.ctypes.data, self.touched),
        )

    def observe(self, symbols: np.ndarray) -> None:
        came = np.ascontiguousarray(symbols, np.uint8)
        self.lib.observe(
            *(self.model.ctypes.data, self.lane.ctypes.data, self.lanes),
            *(self.adapts, self.rate, came.ctypes.data),
        )


@dataclass
class HashedSoftmax(Algorithm):
    """Fields, as in configs/algo/hashed_softmax.yaml.

    train_bytes: learn only so many bytes at the text's end; 0 for all. contexts: kinds, joined by +.
    match_long, match_short: least bytes that a match model goes by; 0 for none. runs: a context has
    no vector until more than so many visits. bits: at most 2**bits contexts are kept. row_bits: at
    most 2**row_bits of them have vectors. lr: rate of vectors, times max((1 + visits)**-decay, floor).
    lr_gain, lr_run, lr_match: rates of gains, of runs' and of matches' weights. gain: what gains begin
    with. end: where all rates have come to by the end. adapt: go on learning within a segment, at
    adapt_rate of the first rates.

    Memory is 8 bytes for a context and 4 per class for a vector; a lane that adapts has copies of
    what it changes, 10 vectors for each byte of a segment at most.
    """

    train_bytes: int = 0
    contexts: str = "+".join(KINDS)
    match_long: int = 7
    match_short: int = 3
    runs: int = 1
    bits: int = 24
    row_bits: int = 22
    lr: float = 0.157
    decay: float = 0.253
    floor: float = 0.112
    lr_gain: float = 0.0249
    lr_run: float = 0.000964
    lr_match: float = 0.864
    gain: float = 0.997
    end: float = 0.3
    adapt: bool = False
    adapt_rate: float = 0.6

    def __post_init__(self) -> None:
        self.adapts = self.adapt
        self.contexts = str(self.contexts)  # "1" on a command line is a number
        kinds = self.contexts.split("+")
        if not set(kinds) <= set(KINDS):
            raise Refused(f"algo.contexts={self.contexts}: some of {'+'.join(KINDS)}, joined by +")
        limits: dict[str, tuple[int, int]] = {
            "train_bytes": (0, 1 << 40),
            "match_long": (0, 8),
            "match_short": (0, 8),
            "runs": (1, 255),
            "bits": (6, 30),
            "row_bits": (0, 30),
            "decay": (0, 10),
            "floor": (0, 1),
            "end": (0, 1),
        }
        for name in ("lr", "lr_gain", "lr_run", "lr_match", "gain", "adapt_rate"):
            limits[name] = (0, 100)
        for name, (least, most) in limits.items():
            if not least <= getattr(self, name) <= most:
                raise Refused(f"algo.{name}={getattr(self, name)}: must be from {least} to {most}")

    def prepare(self, spec: SequenceSpec) -> None:
        if unfit := only_bytes(spec, "algo=hashed_softmax"):
            raise Refused(unfit)
        super().prepare(spec)
        self.counted = Counts(kernel(), events()) if counting() else None

    def train(self, data: dict[str, np.ndarray]) -> Generator[Progress, Any, Trained]:
        text = np.ascontiguousarray(data["text"][-self.train_bytes :], np.uint8)
        if not len(text):
            raise Refused("the text to learn is empty; give at least one byte")
        if self.counted:
            self.counted.restart()
        counts = np.zeros(VOCAB, np.uint64)
        kernel().count(text.ctypes.data, len(text), counts.ctypes.data)
        most = len(text) * len(self.contexts.split("+"))
        # About a third of what could be different is, in prose; fuller lines forget the rarest.
        bits = min(self.bits, max(6, (most // 3).bit_length()))
        rows = min(most, 1 << self.row_bits)
        rate = self.adapt_rate if self.adapt else 0.0
        predictor = Trained(self.settings(counts), bits, rows, rate)
        yield from predictor.learn(text)
        return predictor

    def counts(self) -> dict[str, Any] | None:
        return self.counted.told() if self.counted else None

    def settings(self, counts: np.ndarray) -> Settings:
        """What the kernel wants to know. counts: uint64 [256], of the bytes of the text."""
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
            segment=self.spec.segment,
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
