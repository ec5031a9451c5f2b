"""Context mixing in the manner of PAQ: the strongest classical family of text models, compiled.

A byte is predicted as a walk down a binary tree over the text's own alphabet. For every step each of
sixteen contexts (the last 1 ... 8 bytes, word and words before it, bytes skipped, the column) has a
slot in a hashed table: a probability, kept as its logit, and a count, 16 bits in all. What a slot of
such a count and probability is worth is itself learned, per context. Two match models add where the
text went on when it last read like this. Four mixers, each choosing its weights by a small context of
its own (node; match length; last byte; how many contexts are known), add up logits; a last one adds up
the four. All weights learn by gradient, online, in one pass.

Three things are not as in PAQ. The tree is not the byte's bits: symbols that stand after similar
bytes are joined first (counts of two bytes before each, as Brown et al. 1992 cluster words), which
asks fewer questions, each about a class that means something, and needs no ASCII. Training walks a
known text, so that each byte's lines are fetched while the byte before is learned. And it may be
asked for all 256 probabilities at once: branches that no context has seen are not looked up.

With `adapt` a lane goes on learning within its segment. What it changes it keeps to itself: lines of
the table are copied when first written to, weights and maps at `reset`. Two of the contexts are then
of the segment alone, trained in segments of the examination's length.
"""

from __future__ import annotations

import ctypes
from collections.abc import Generator
from ctypes import POINTER, c_double, c_float, c_int32, c_uint64, c_void_p
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from algorithms.base import Algorithm, Progress, Refused
from algorithms.counting import Counts, counting, kernel_text
from tasks.native.build import library, opened
from tasks.native.memory import aligned
from tasks.sequence import SequenceSpec, only_bytes

READS = ["kernels/mixer.cpp", "kernels/mixer_events.h"]
SOURCE = Path(__file__).parent / "kernels" / "mixer.cpp"
EVENTS = SOURCE.with_name("mixer_events.h")

LINE = 32  # bytes
CONTEXTS = 16
MATCHES = 2
STEP = 1 << 16  # bytes between two Progress
LINES_PER_BYTE = 8  # twice what prose needs
# What a slot's 4-bit count stands for; from the eighth on it grows by chance.
COUNTS = (0, 1, 2, 3, 4, 5, 6, 7, 9, 12, 16, 24, 40, 70, 130, 255)
PRIOR = 1.5  # a slot of count n moves by 1 / (n + PRIOR)


class CParams(ctypes.Structure):
    _fields_ = [
        *((name, c_float) for name in ("rate", "rate_least", "rate_fall", "rate_adapt")),
        *(("rate_final", c_float), ("local", c_int32)),
        *((name, c_float * len(COUNTS)) for name in ("rates", "rates_adapt")),
        ("odds", c_int32 * len(COUNTS)),
    ]


class CModel(ctypes.Structure):
    _fields_ = [
        *(("table", c_void_p), ("table_mask", c_uint64), ("small", c_void_p), ("tree", c_void_p)),
        *(("text", c_void_p), ("text_bytes", c_uint64), ("index", c_void_p * MATCHES)),
        *(("index_mask", c_uint64), ("params", CParams)),
    ]


class COverlay(ctypes.Structure):
    _fields_ = [("keys", c_void_p), ("lines", c_void_p), ("mask", c_uint64), ("used", c_uint64)]


def whole_log2(n: int) -> int:
    """The least b with 2**b >= n."""
    return max(0, int(n - 1).bit_length())


def load() -> ctypes.CDLL:
    """The kernel, compiled where it is not kept yet."""
    text = kernel_text(SOURCE.read_text(encoding="utf-8"), EVENTS.read_text(encoding="utf-8"))
    kernel = opened(library(text, "mixer"))
    model, lanes, stride = POINTER(CModel), c_void_p, c_uint64
    own = (c_void_p, c_uint64, c_void_p)
    for name in ("small_bytes", "lane_bytes", "tree_bytes", "model_bytes"):
        getattr(kernel, name).restype = c_uint64
        getattr(kernel, name).argtypes = ()
    signatures: dict[str, tuple[Any, ...]] = {
        "grow_tree": (c_void_p, c_uint64, c_void_p, c_void_p, c_void_p, c_float),
        "start": (model,),
        "train": (model, lanes, c_uint64, c_uint64, c_uint64, POINTER(c_double)),
        "reset": (model, lanes, stride, c_uint64, *own),
        "predict": (model, lanes, stride, c_uint64, c_void_p, c_float, *own),
        "observe": (model, lanes, stride, c_uint64, c_void_p, *own),
    }
    for name, types in signatures.items():
        getattr(kernel, name).argtypes = types
        getattr(kernel, name).restype = None
    if ctypes.sizeof(CModel) != kernel.model_bytes():
        raise RuntimeError("mixer.py and mixer.cpp disagree about the model's layout")
    return kernel


class Mixed:
    """`tasks.sequence.Predictor` over a trained model; the arrays are all that it learned."""

    def __init__(
        self, kernel: ctypes.CDLL, text: np.ndarray, bits: int, params: CParams, balance: float
    ) -> None:
        self.kernel = kernel
        self.text = np.ascontiguousarray(text)
        index_bits = min(22, whole_log2(len(text)) + 1)
        self.table = aligned(1 << bits)
        self.small = aligned(kernel.small_bytes())
        self.tree = aligned(kernel.tree_bytes())
        self.index = np.full((MATCHES, 1 << index_bits), 2**32 - 1, np.uint32)
        self.model = CModel(
            table=self.table.ctypes.data,
            table_mask=(1 << bits) // LINE - 1,
            small=self.small.ctypes.data,
            tree=self.tree.ctypes.data,
            text=self.text.ctypes.data,
            text_bytes=len(text),
            index=(c_void_p * MATCHES)(*(row.ctypes.data for row in self.index)),
            index_mask=(1 << index_bits) - 1,
            params=params,
        )
        counts, cost = np.zeros((257, 512), np.float32), np.zeros((256, 256), np.float32)
        arrays = (self.tree.ctypes.data, counts.ctypes.data, cost.ctypes.data)
        kernel.grow_tree(self.text.ctypes.data, len(text), *arrays, balance)
        kernel.start(self.model)
        # A byte that never came: as if it had come half a time, all of them together.
        self.rest = 0.5 / (len(text) + 1)
        self.stride = kernel.lane_bytes()
        self.lines = 0  # of an overlay; 0 where lanes do not learn
        self.lanes = 0

    def learn(self, segment: int) -> Generator[Progress, Any, None]:
        lane, cost, n = aligned(self.stride), c_double(), len(self.text)
        for begin in range(0, n, STEP):
            end = min(n, begin + STEP)
            self.kernel.train(self.model, lane.ctypes.data, begin, end, segment, cost)
            yield Progress(end, n, cost.value / (end - begin), self)

    def adapting(self, segment: int) -> None:
        """Lanes shall learn; segment: how long theirs are, for the room they get."""
        self.lines = 1 << min(18, max(10, whole_log2(segment * CONTEXTS * 3 // 2)))

    def reset(self, lanes: int) -> None:
        if lanes != self.lanes:
            self._make_room(lanes)
        self.kernel.reset(self.model, self.state.ctypes.data, self.stride, lanes, *self.own)

    def _make_room(self, lanes: int) -> None:
        self.lanes = lanes
        self.state = aligned(lanes * self.stride)
        self.own: tuple[Any, ...] = (None, 0, None)
        if self.lines:
            self.smalls = aligned(lanes * len(self.small))
            self.keys = np.zeros((lanes, self.lines), np.uint32)
            self.copies = aligned(lanes * self.lines * LINE)
            first, step = self.copies.ctypes.data, self.lines * LINE
            self.overlays = (COverlay * lanes)(
                *(
                    COverlay(self.keys[b].ctypes.data, first + b * step, self.lines - 1, 0)
                    for b in range(lanes)
                )
            )
            self.own = (self.smalls.ctypes.data, len(self.small), ctypes.addressof(self.overlays))

    def predict(self) -> np.ndarray:
        logp = np.empty((self.lanes, 256), np.float32)
        where = (self.state.ctypes.data, self.stride, self.lanes)
        self.kernel.predict(self.model, *where, logp.ctypes.data, self.rest, *self.own)
        return logp

    def observe(self, symbols: np.ndarray) -> None:
        symbols = np.ascontiguousarray(symbols, np.uint8)
        where = (self.state.ctypes.data, self.stride, self.lanes)
        self.kernel.observe(self.model, *where, symbols.ctypes.data, *self.own)


@dataclass
class Mixer(Algorithm):
    """Context mixing over bytes, one thread.

    last_bytes: learn only so many bytes at the end of the text; 0 learns them all. memory_bits: the
    table has at most 2**memory_bits bytes (less for a short text). rate, rate_least, rate_fall: the
    mixers' rate at the start and at least, and the bytes after which it has halved. rate_final: that
    of the last mixer. limit: a slot's count goes no further, so that what is old fades; 0: no limit.
    balance: how much the tree is held back from joining what is frequent, in nats per symbol.

    adapt: go on learning within a segment. rate_adapt: the mixers' rate there. least_move: how far a
    slot moves there at least.
    """

    last_bytes: int = 0
    memory_bits: int = 28
    rate: float = 0.02
    rate_least: float = 0.0005
    rate_fall: int = 20_000
    rate_final: float = 0.0005
    limit: int = 0
    balance: float = 0.3
    adapt: bool = False
    rate_adapt: float = 0.002
    least_move: float = 0.02

    def __post_init__(self) -> None:
        if self.last_bytes < 0:
            raise Refused(
                f"algo.last_bytes={self.last_bytes}: give a number of bytes, or 0 for all"
            )
        if not 10 <= self.memory_bits <= 36:
            raise Refused(f"algo.memory_bits={self.memory_bits}: must be 10 to 36 (64 GiB)")
        if self.limit < 0:
            raise Refused(f"algo.limit={self.limit}: give a count, or 0 for none")
        for name in ("rate", "rate_least", "rate_final", "rate_adapt", "least_move", "balance"):
            if not 0 <= getattr(self, name) <= 1:
                raise Refused(f"algo.{name}={getattr(self, name)}: must be from 0 to 1")
        if self.rate_fall < 1:
            raise Refused(f"algo.rate_fall={self.rate_fall}: must be at least one byte")
        self.adapts = self.adapt

    def prepare(self, spec: SequenceSpec) -> None:
        if unfit := only_bytes(spec, "algo=mixer"):
            raise Refused(unfit)
        super().prepare(spec)
        self.kernel = load()
        self.counted = Counts(self.kernel, EVENTS.read_text()) if counting() else None

    def params(self) -> CParams:
        counts = [min(n, self.limit or n) for n in COUNTS]
        moves = [1 / (n + PRIOR) for n in counts]
        odds = [256 // (more - n) for n, more in pairwise(COUNTS)]
        return CParams(
            rate=self.rate,
            rate_least=self.rate_least,
            rate_fall=self.rate_fall,
            rate_adapt=self.rate_adapt,
            rate_final=self.rate_final,
            local=self.adapt,
            rates=(c_float * len(COUNTS))(*moves),
            rates_adapt=(c_float * len(COUNTS))(*(max(x, self.least_move) for x in moves)),
            odds=(c_int32 * len(COUNTS))(*odds, 0),
        )

    def train(self, data: dict[str, np.ndarray]) -> Generator[Progress, Any, Mixed]:
        text = data["text"][-self.last_bytes :]
        if not len(text):
            raise Refused("the text to learn is empty; give at least one byte")
        if len(text) >= 2**32 - 1:
            raise Refused("a text of 4 GiB or more: set algo.last_bytes")
        if self.counted:
            self.counted.restart()
        bits = min(self.memory_bits, whole_log2(LINES_PER_BYTE * LINE * len(text)))
        predictor = Mixed(self.kernel, text, max(10, bits), self.params(), self.balance)
        if self.adapt:
            predictor.adapting(self.spec.segment)
        yield from predictor.learn(self.spec.segment)
        return predictor

    def counts(self) -> dict[str, Any] | None:
        return self.counted.told() if self.counted else None
