"""An MLP over embeddings of hashed contexts, beside the contexts' own logits, which it gates.

What `hashed_softmax` sums to its logits (a row of weights per context, gains, runs, match models) is
summed here as well, each term times a gate of 1 + g. The gates and further logits are the output of an
MLP: embeddings of what is known at a position are summed, rectified, put through a hidden layer where
there is one, and through a linear layer. What is known: the row of each context, how often it has been
visited, which class alone has followed it, the last bytes, what the match models expect, and the last
words as a bag. So the MLP tells which contexts are to be believed, given all the others.

All is learned at once along the gradient of the log-probability, in one pass over the text, `batch`
bytes at a time: rows at a rate that falls with their visits, dense layers by Adam, all falling
linearly over the run. More than one pass does harm: contexts would be believed for what they remember.

The work is done by `kernels/hashed_mlp.cpp` behind the contexts of `kernels/hashed_softmax.cpp`,
compiled for this CPU and these sizes, on one thread.
"""

from __future__ import annotations

import ctypes
from collections.abc import Generator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from algorithms.base import Algorithm, Progress, Refused
from algorithms.counting import Counts, counting, kernel_text
from algorithms.hashed_softmax import (
    CONTEXTS,
    EVENTS,
    VOCAB,
    Hashed,
    HashedSoftmax,
    Settings,
    contexts,
)
from algorithms.hashed_softmax import KINDS as SHARED
from tasks.native.build import library, opened
from tasks.native.memory import aligned
from tasks.sequence import SequenceSpec, only_bytes

READS = ["kernels/hashed_*.h", "kernels/hashed_mlp.cpp"]
KERNEL = CONTEXTS.with_name("hashed_mlp.cpp")
LAYERS = CONTEXTS.with_name("hashed_mlp_dense.h")
OWN_EVENTS = CONTEXTS.with_name("hashed_mlp_events.h")
KINDS = (*SHARED, "s2", "s3", "v1", "v2")
BATCHES = (8, 16, 32, 64, 128)
OWN_BYTES = 1 << 30  # of rows that all lanes together may change as they adapt
NET, LANE, DEEP = 0, 1, 3  # what the kernel's size_of tells; WORK as with hashed_softmax
DENSE, EMBED = range(2)  # and its floats_of


class Deep(ctypes.Structure):
    """As in the kernel."""

    _fields_ = [
        ("set", Settings),
        ("embedded", ctypes.c_int),
        ("past", ctypes.c_int),
        ("trail", ctypes.c_int),
        ("seed", ctypes.c_uint32),
        ("lr_embed", ctypes.c_float),
        ("lr_shared", ctypes.c_float),
        ("lr_dense", ctypes.c_float),
        ("beta1", ctypes.c_float),
        ("beta2", ctypes.c_float),
        ("init", ctypes.c_float),
        ("init_past", ctypes.c_float),
        ("rate", ctypes.c_float * 256),
    ]


def source(embed: int, hidden: int, batch: int) -> str:
    """The kernel's text for these sizes."""
    sizes = f"#define EMBED {embed}\n#define HIDDEN {hidden}\n#define BATCH {batch}\n"
    return sizes + contexts(len(KINDS)) + LAYERS.read_text() + KERNEL.read_text()


def events() -> str:
    """The table of what the kernel counts."""
    both = "#define EVENTS(_) HASHED_EVENTS(_) MLP_EVENTS(_)\n"
    return EVENTS.read_text() + OWN_EVENTS.read_text() + both


@cache
def kernel(embed: int, hidden: int, batch: int) -> ctypes.CDLL:
    """The compiled kernel, loaded once."""
    text = kernel_text(source(embed, hidden, batch), events())
    lib = opened(library(text, "hashed_mlp"))
    p, u32, u64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    i32, f32 = ctypes.c_int, ctypes.c_float
    lib.size_of.restype = lib.floats_of.restype = u64
    lib.train.restype = ctypes.c_double
    for name, types in {
        "size_of": [i32],
        "floats_of": [p, i32],
        "count": [p, u64, p],
        "begin_net": [p, p],
        "fill": [p, p, u32, p, u32, p, p, p],
        "train": [p, p, p, u64, u64, u64],
        "reset": [p, p, u32, p, u32, p, u32, p],
        "predict": [p, p, u32, i32, p],
        "observe": [p, p, u32, i32, f32, f32, p],
    }.items():
        getattr(lib, name).argtypes = types
    assert lib.size_of(DEEP) == ctypes.sizeof(Deep)
    return lib


class Trained(Hashed):
    """`tasks.sequence.Predictor`; it adapts when a rate is positive, within a lane until `reset`.

    bits: 2**bits slots for contexts. units: room for rows, in 16 floats. most_own: of a lane's own.
    rates: of what hashed_softmax has as well, and of embeddings, when adapting.
    """

    def __init__(
        self,
        lib: ctypes.CDLL,
        deep: Deep,
        bits: int,
        units: int,
        most_own: int,
        rates: tuple[float, float],
    ) -> None:
        self.lib, self.deep, self.rates, self.most_own = lib, deep, rates, most_own
        self.adapts = max(rates) > 0
        self.model = aligned(lib.size_of(NET))
        lib.begin_net(self.model.ctypes.data, ctypes.addressof(deep))
        self.embeddings = lib.floats_of(self.model.ctypes.data, EMBED)
        self.slots, self.rows = aligned(8 << bits), aligned(64 * units)
        self.dense = aligned(4 * lib.floats_of(self.model.ctypes.data, DENSE))
        self.embed = aligned(4 * self.embeddings)
        self.visits = aligned(4 * self.embeddings)
        lib.fill(
            *(self.model.ctypes.data, self.slots.ctypes.data, bits, self.rows.ctypes.data, units),
            *(self.dense.ctypes.data, self.embed.ctypes.data, self.visits.ctypes.data),
        )

    def reset(self, lanes: int) -> None:
        if lanes != self.lanes:
            self.lanes = lanes
            self.lane = aligned(self.lib.size_of(LANE) * lanes)
            touched = self.deep.set.contexts.bit_count() * self.deep.set.segment
            self.own_bits = max(6, (2 * touched - 1).bit_length())
            self.own_slots = aligned((8 << self.own_bits) * lanes if self.adapts else 0)
            self.own_units = self.most_own if self.adapts else 0
            self.own_rows = aligned(64 * self.own_units * lanes)
            self.own_embed = aligned(4 * self.embeddings * lanes if self.adapts else 0)
        self.lib.reset(
            *(self.model.ctypes.data, self.lane.ctypes.data, lanes),
            *(self.own_slots.ctypes.data, self.own_bits, self.own_rows.ctypes.data),
            *(self.own_units, self.own_embed.ctypes.data),
        )

    def observe(self, symbols: np.ndarray) -> None:
        came = np.ascontiguousarray(symbols, np.uint8)
        self.lib.observe(
            *(self.model.ctypes.data, self.lane.ctypes.data, self.lanes),
            *(self.adapts, *self.rates, came.ctypes.data),
        )


@dataclass
class HashedMlp(Algorithm):
    """Fields, as in configs/algo/hashed_mlp.yaml; those not named here are as in HashedSoftmax.

    contexts: its kinds, and s2 and s3 (two and three bytes, without the last), v1 and v2 (the word's
    beginning with the second and third word before it). embedded: kinds whose rows have embeddings.
    past: how many of the last bytes are embedded. trail: and of the last words. embed: width of the
    embeddings. hidden: units of a second layer, 0 for none. batch: bytes learned at a time. lr_embed:
    rate of embeddings, times max((1 + visits)**-embed_decay, embed_floor), for a gradient of unit
    mean square. lr_shared: times this for those that all contexts of a kind share. lr_dense, beta1,
    beta2: Adam's, of the layers. init, init_past: spread of the last layer's first weights, and of
    the last bytes' embeddings. adapt_embed: rate of embeddings when adapting, of the first rate.

    Memory is that of hashed_softmax, and `embed` floats more for a row with an embedding. A lane
    that adapts has copies of the rows it changes and of all that is shared; dense layers stay.
    """

    train_bytes: int = 0
    contexts: str = "1+2+3+5+6+w0+w1+w2+column+v1"
    embedded: str = "1+2+3+6+w0+w1+column"
    past: int = 6
    trail: int = 0
    embed: int = 32
    hidden: int = 0
    batch: int = 64
    match_long: int = 7
    match_short: int = 3
    runs: int = 1
    bits: int = 24
    row_bits: int = 22
    lr: float = 0.101
    decay: float = 0.364
    floor: float = 0.112
    lr_gain: float = 0.00417
    lr_run: float = 0.000489
    lr_match: float = 1.26
    gain: float = 0.892
    end: float = 0.3
    lr_embed: float = 0.0313
    embed_decay: float = 0.25
    embed_floor: float = 0.1
    lr_shared: float = 0.2
    lr_dense: float = 0.002
    beta1: float = 0.95
    beta2: float = 0.999
    init: float = 0.246
    init_past: float = 0.3
    adapt: bool = False
    adapt_rate: float = 1.2
    adapt_embed: float = 0.5

    def __post_init__(self) -> None:
        self.adapts = self.adapt
        for name, some in (("contexts", True), ("embedded", False)):
            setattr(
                self, name, value := str(getattr(self, name))
            )  # "1" on a command line is a number
            kinds = value.split("+") if value or some else []
            if not set(kinds) <= set(KINDS):
                raise Refused(f"algo.{name}={value}: some of {'+'.join(KINDS)}, joined by +")
        if self.batch not in BATCHES:
            raise Refused(f"algo.batch={self.batch}: must be one of {', '.join(map(str, BATCHES))}")
        for name, low, high in (("embed", 16, 256), ("hidden", 0, 512)):
            if getattr(self, name) not in range(low, high + 1, 16):
                raise Refused(
                    f"algo.{name}={getattr(self, name)}: must be a multiple of 16 from {low} to {high}"
                )
        limits: dict[str, tuple[float, float]] = {
            "past": (0, 8),
            "trail": (0, 8),
            "embed_decay": (0, 10),
            "embed_floor": (0, 1),
            "beta1": (0, 0.9999),
            "beta2": (0, 0.99999),
        }
        for name in ("lr_embed", "lr_shared", "lr_dense", "init", "init_past", "adapt_embed"):
            limits[name] = (0, 100)
        for name, (least, most) in limits.items():
            if not least <= getattr(self, name) <= most:
                raise Refused(f"algo.{name}={getattr(self, name)}: must be from {least} to {most}")
        self.linear()  # refuses what is wrong with the other fields

    def linear(self) -> HashedSoftmax:
        """The same without the MLP."""
        names = (
            *(
                "train_bytes",
                "match_long",
                "match_short",
                "runs",
                "bits",
                "row_bits",
                "lr",
                "decay",
            ),
            *("floor", "lr_gain", "lr_run", "lr_match", "gain", "end", "adapt", "adapt_rate"),
        )
        return HashedSoftmax(**{name: getattr(self, name) for name in names})

    def prepare(self, spec: SequenceSpec) -> None:
        if unfit := only_bytes(spec, "algo=hashed_mlp"):
            raise Refused(unfit)
        super().prepare(spec)
        self.lib = kernel(self.embed, self.hidden, self.batch)
        self.counted = Counts(self.lib, events()) if counting() else None

    def train(self, data: dict[str, np.ndarray]) -> Generator[Progress, Any, Trained]:
        text = np.ascontiguousarray(data["text"][-self.train_bytes :], np.uint8)
        if not len(text):
            raise Refused("the text to learn is empty; give at least one byte")
        if self.counted:
            self.counted.restart()
        counts = np.zeros(VOCAB, np.uint64)
        self.lib.count(text.ctypes.data, len(text), counts.ctypes.data)
        deep, kinds = self.deep(counts), len(set(self.contexts.split("+")))
        most = len(text) * kinds
        bits = min(self.bits, max(6, (most // 3).bit_length()))  # as in hashed_softmax
        widest = (deep.set.classes + self.embed) // 16
        # A row takes two visits; one more is read where there is none.
        units = widest * (min(most // 2, 1 << self.row_bits) + 1)
        own = min(widest * kinds * self.spec.segment, OWN_BYTES // (64 * self.spec.lanes))
        rates = (self.adapt_rate, self.adapt_embed) if self.adapt else (0.0, 0.0)
        predictor = Trained(self.lib, deep, bits, units, own, rates)
        yield from predictor.learn(text)
        return predictor

    def counts(self) -> dict[str, Any] | None:
        return self.counted.told() if self.counted else None

    def deep(self, counts: np.ndarray) -> Deep:
        """What the kernel wants to know. counts: uint64 [256], of the bytes of the text."""
        linear = self.linear()
        linear.spec = self.spec
        visits = np.arange(256)
        rate = np.maximum((1.0 + visits) ** -self.embed_decay, self.embed_floor).astype(np.float32)

        def mask(kinds: str) -> int:
            return sum(1 << i for i, kind in enumerate(KINDS) if kind in kinds.split("+"))

        deep = Deep(
            set=linear.settings(counts),
            embedded=mask(self.embedded),
            seed=self.spec.seed & 0xFFFFFFFF,
            **{
                name: getattr(self, name)
                for name in (
                    *("past", "trail", "lr_embed", "lr_shared", "lr_dense", "beta1", "beta2"),
                    *("init", "init_past"),
                )
            },
        )
        deep.set.contexts = mask(self.contexts)
        ctypes.memmove(deep.rate, rate.ctypes.data, rate.nbytes)
        return deep
