"""A grown text organism as a predictor: `kernel/text_lanes.h`, bound."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np

from algorithms.hypercell.biology import KERNEL, inlined
from algorithms.hypercell.text import MODELS, Table
from algorithms.hypercell.world import World
from tasks.native.build import library, opened
from tasks.native.memory import aligned

VOCAB = 256
MODEL, LANE, HEAD_BYTES = range(3)  # what the kernel's size_of tells


@cache
def kernel() -> ctypes.CDLL:
    """The compiled kernel, loaded once."""
    parts = ("prelude", "philox", "text", "text_lanes")
    source = "\n".join(inlined(part, KERNEL) for part in parts)
    lib = opened(library(source, "text_lanes"))
    p, u32, i32 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int32
    lib.size_of.restype, lib.size_of.argtypes = ctypes.c_uint64, [ctypes.c_int]
    for name, types in {
        "begin_model": [p, p, u32, u32, i32, u32, p, p],
        "reset": [p, p, u32, p, u32, p, u32],
        "predict": [p, p, u32, p],
        "observe": [p, p, u32, p],
    }.items():
        getattr(lib, name).argtypes = types
    return lib


class Grown:
    """`tasks.sequence.Predictor`; it adapts when `rate` is positive, within a lane until `reset`.

    world: what keeps the organism's memory alive; at: its location. class_of: uint8 [256]; share:
    float32 [256], ln of a byte's share of its class. rate: of all its rates while it predicts.
    """

    def __init__(
        self,
        world: World,
        at: int,
        table: Table,
        class_of: np.ndarray,
        share: np.ndarray,
        segment: int,
        rate: float,
    ) -> None:
        self.lib = kernel()
        self.world, self.table, self.segment = world, table, segment
        self.adapts, self.lanes = rate > 0, 0
        self.model = aligned(self.lib.size_of(MODEL))
        self.arena = world.arrays["arena"][at]
        self.class_of, self.share, self.scale = class_of, share, round(rate * 65536)
        self.refresh()

    def refresh(self) -> None:
        """Takes over what the organism has learned since."""
        self.lib.begin_model(
            *(self.model.ctypes.data, self.arena.ctypes.data),
            *(self.table.bits, self.table.rows, self.table.width, self.scale),
            *(self.class_of.ctypes.data, self.share.ctypes.data),
        )

    def reset(self, lanes: int) -> None:
        if lanes != self.lanes:
            self.lanes = lanes
            self.lane = aligned(self.lib.size_of(LANE) * lanes)
            touched = MODELS * self.segment if self.adapts else 0
            self.own_bits = max(6, (2 * touched - 1).bit_length())
            self.own_slots = aligned((8 << self.own_bits) * lanes if touched else 0)
            self.own_rows = aligned(2 * self.table.width * touched * lanes)
            self.touched = touched
        self.lib.reset(
            *(self.model.ctypes.data, self.lane.ctypes.data, lanes),
            *(self.own_slots.ctypes.data, self.own_bits, self.own_rows.ctypes.data, self.touched),
        )

    def predict(self) -> np.ndarray:
        logp = np.empty((self.lanes, VOCAB), np.float32)
        self.lib.predict(
            self.model.ctypes.data, self.lane.ctypes.data, self.lanes, logp.ctypes.data
        )
        return logp

    def observe(self, symbols: np.ndarray) -> None:
        came = np.ascontiguousarray(symbols, np.uint8)
        self.lib.observe(
            self.model.ctypes.data, self.lane.ctypes.data, self.lanes, came.ctypes.data
        )


class Colony:
    """Grown organisms as one `tasks.sequence.Predictor`: the mean of the probabilities that they tell."""

    def __init__(self, members: list[Grown]) -> None:
        self.members = list(members)
        self.adapts = members[0].adapts

    def reset(self, lanes: int) -> None:
        for member in self.members:
            member.reset(lanes)

    def predict(self) -> np.ndarray:
        told = np.stack([member.predict() for member in self.members])
        mean = np.logaddexp.reduce(told, axis=0) - np.float32(np.log(len(told)))
        return mean.astype(np.float32)

    def observe(self, symbols: np.ndarray) -> None:
        for member in self.members:
            member.observe(symbols)
