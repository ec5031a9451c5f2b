"""Prediction by partial matching, orders blended by learned escapes, compiled.

Every context of up to `order` bytes that stands in the text is a node of a tree: what has followed it,
how often, and a link to the same context without its oldest byte. A context's prediction is

    p(w | h) = (1 - e) (c(w) - d) / (C - d n) + e p(w | h'),

with c the counts, C their sum, n the number of symbols, d a discount, h' the next shorter context, and
below the empty one 1/256. The escape e is learned from all contexts like h: of its length, n, C, and of
how many more symbols h' knows (secondary escape estimation, after Bloom 1998). Whether a byte came from
h or was left to h' cannot be seen where both know it, so that each visit is shared out by how likely
either is (expectation and maximisation, online). The usual hard choice, where a context escapes only
for what it has never seen and what it has seen is excluded below, was 0.07 to 0.13 nats worse here.

A byte is counted where it is known already and in every longer context, not below (update exclusion), so
that short contexts count in how many different places a byte stands, as Kneser-Ney does. Where it is
new, it starts with a count that grows with its probability in the next shorter context (after Shkarin's
information inheritance, 2002).

With `adapt` a lane goes on learning within its segment, in nodes of its own: the model's are copied
when they first change, and all is forgotten at `reset`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Generator
from ctypes import POINTER, c_double, c_float, c_int32, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from algorithms.base import Algorithm, Progress, Refused
from algorithms.counting import Counts, counting, kernel_text
from tasks.native.build import library, opened
from tasks.sequence import SequenceSpec, only_bytes

READS = ["kernels/ppm.cpp", "kernels/ppm_events.h"]
SOURCE = Path(__file__).parent / "kernels" / "ppm.cpp"
EVENTS = SOURCE.with_name("ppm_events.h")

NODE = ENTRY = 16  # bytes
LONGEST = 32
STEP = 1 << 16  # bytes between two Progress


class CArena(ctypes.Structure):
    _fields_ = [
        *(("nodes", c_void_p), ("entries", c_void_p), ("most_nodes", c_uint64)),
        *((name, c_uint64) for name in ("most_entries", "node_count", "entry_count")),
    ]


class CModel(ctypes.Structure):
    _fields_ = [
        *(("arena", CArena), ("escapes", c_void_p), ("order", c_int32)),
        *((name, c_float) for name in ("first_count", "inherit", "discount", "gain_adapt")),
    ]


class CLane(ctypes.Structure):
    _fields_ = [
        *(("arena", CArena), ("escapes", c_void_p), ("moved", c_void_p)),
        *(("moved_mask", c_uint64), ("moved_count", c_uint64)),
        *(("at", c_uint32), ("learns", c_uint32)),
    ]


def load() -> ctypes.CDLL:
    """The kernel, compiled where it is not kept yet."""
    text = kernel_text(SOURCE.read_text(encoding="utf-8"), EVENTS.read_text(encoding="utf-8"))
    kernel = opened(library(text, "ppm"))
    model = POINTER(CModel)
    for name in ("escapes_bytes", "model_bytes", "lane_bytes"):
        getattr(kernel, name).restype = c_uint64
        getattr(kernel, name).argtypes = ()
    signatures: dict[str, tuple[Any, ...]] = {
        "start": (model,),
        "train": (model, c_void_p, c_uint64, c_uint32, POINTER(c_double)),
        "reset": (model, c_void_p, c_uint64),
        "predict": (model, c_void_p, c_uint64, c_void_p),
        "observe": (model, c_void_p, c_uint64, c_void_p),
    }
    for name, types in signatures.items():
        getattr(kernel, name).argtypes = types
        getattr(kernel, name).restype = c_uint32 if name == "train" else None
    sizes = ctypes.sizeof(CModel), ctypes.sizeof(CLane)
    if sizes != (kernel.model_bytes(), kernel.lane_bytes()):
        raise RuntimeError("ppm.py and ppm.cpp disagree about a layout")
    return kernel


class Matched:
    """`tasks.sequence.Predictor` over a tree of contexts; the arrays are all that it learned."""

    def __init__(self, kernel: ctypes.CDLL, room: int, model: CModel) -> None:
        """room: nodes, and as many entries, that there may be."""
        self.kernel = kernel
        self.nodes = np.zeros(room * NODE, np.uint8)
        self.entries = np.zeros(room * ENTRY, np.uint8)
        self.escapes = np.zeros(kernel.escapes_bytes(), np.uint8)
        self.model = model
        arrays = (self.nodes.ctypes.data, self.entries.ctypes.data)
        self.model.arena = CArena(*arrays, room, room, 0, 0)
        self.model.escapes = self.escapes.ctypes.data
        self.order: int = model.order
        self.segment = 0  # of lanes that learn
        self.count = 0
        kernel.start(self.model)

    def learn(self, text: np.ndarray) -> Generator[Progress, Any, None]:
        text = np.ascontiguousarray(text)
        at, cost = 0, c_double()
        for begin in range(0, len(text), STEP):
            size = min(STEP, len(text) - begin)
            at = self.kernel.train(self.model, text.ctypes.data + begin, size, at, cost)
            yield Progress(begin + size, len(text), cost.value / size, self)

    def adapting(self, segment: int) -> None:
        """Lanes shall learn; segment: how long theirs are, for the room they get."""
        self.segment = segment

    def reset(self, lanes: int) -> None:
        if lanes != self.count:
            self._make_room(lanes)
        self.kernel.reset(self.model, self.lanes, lanes)

    def _make_room(self, count: int) -> None:
        self.count = count
        self.lanes = (CLane * count)()
        if not self.segment:
            return
        # A byte changes order + 1 contexts at most and adds as many; few of those changed are old and
        # long lists. Whoever runs out of room goes on without learning.
        nodes = 2 * (self.order + 1) * min(self.segment, 1 << 16) + 64
        entries = 2 * nodes + 512
        slots = 1 << (2 * nodes - 1).bit_length()
        self.own = (
            np.zeros((count, nodes * NODE), np.uint8),
            np.zeros((count, entries * ENTRY), np.uint8),
            np.zeros((count, len(self.escapes)), np.uint8),
            np.zeros((count, slots * 2), np.uint32),
        )
        for b, lane in enumerate(self.lanes):
            where = [x[b].ctypes.data for x in self.own]
            arena = CArena(where[0], where[1], nodes, entries, 0, 0)
            self.lanes[b] = CLane(arena, where[2], where[3], slots - 1, 0, lane.at, 1)

    def predict(self) -> np.ndarray:
        logp = np.empty((self.count, 256), np.float32)
        self.kernel.predict(self.model, self.lanes, self.count, logp.ctypes.data)
        return logp

    def observe(self, symbols: np.ndarray) -> None:
        symbols = np.ascontiguousarray(symbols, np.uint8)
        self.kernel.observe(self.model, self.lanes, self.count, symbols.ctypes.data)


@dataclass
class Ppm(Algorithm):
    """Prediction by partial matching over bytes, one thread.

    order: bytes of the longest context, 1 ... 32. last_bytes: learn only so many bytes at the end of the
    text; 0 learns them all. memory_bits: nodes and entries have at most 2**memory_bits bytes each; when
    they are full, nothing new is noted. first_count, inherit: a new symbol starts with first_count +
    inherit * (its probability in the next shorter context). discount: taken off every count, < first_count.

    adapt: go on learning within a segment. gain_adapt: as how many a symbol counts there.
    """

    order: int = 6
    last_bytes: int = 0
    memory_bits: int = 30
    first_count: float = 1.0
    inherit: float = 1.5
    discount: float = 0.85
    adapt: bool = False
    gain_adapt: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.order <= LONGEST:
            raise Refused(f"algo.order={self.order}: a context has 1 to {LONGEST} bytes")
        if self.last_bytes < 0:
            raise Refused(
                f"algo.last_bytes={self.last_bytes}: give a number of bytes, or 0 for all"
            )
        if not 10 <= self.memory_bits <= 35:
            raise Refused(f"algo.memory_bits={self.memory_bits}: must be 10 to 35 (32 GiB)")
        if not 0 < self.first_count <= 100:
            raise Refused(f"algo.first_count={self.first_count}: must be above 0, to 100")
        if not 0 <= self.discount < self.first_count:
            raise Refused(f"algo.discount={self.discount}: must be from 0 to below first_count")
        if not 0 <= self.inherit <= 100:
            raise Refused(f"algo.inherit={self.inherit}: must be from 0 to 100")
        if not 1 <= self.gain_adapt <= 1000:
            raise Refused(f"algo.gain_adapt={self.gain_adapt}: must be from 1 to 1000")
        self.adapts = self.adapt

    def prepare(self, spec: SequenceSpec) -> None:
        if unfit := only_bytes(spec, "algo=ppm"):
            raise Refused(unfit)
        super().prepare(spec)
        self.kernel = load()
        self.counted = Counts(self.kernel, EVENTS.read_text()) if counting() else None

    def train(self, data: dict[str, np.ndarray]) -> Generator[Progress, Any, Matched]:
        text = data["text"][-self.last_bytes :]
        if not len(text):
            raise Refused("the text to learn is empty; give at least one byte")
        if self.counted:
            self.counted.restart()
        room = min((1 << self.memory_bits) // NODE, (self.order + 1) * len(text) + 64, 2**31 - 1)
        model = CModel(
            order=self.order,
            first_count=self.first_count,
            inherit=self.inherit,
            discount=self.discount,
            gain_adapt=self.gain_adapt,
        )
        predictor = Matched(self.kernel, room, model)
        if self.adapt:
            predictor.adapting(self.spec.segment)
        yield from predictor.learn(text)
        return predictor

    def counts(self) -> dict[str, Any] | None:
        return self.counted.told() if self.counted else None
