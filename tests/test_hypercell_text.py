"""Hypercell on text: the kernel against its oracle, by every schedule and as CUDA."""

from __future__ import annotations

import numpy as np

from algorithms.hypercell import text
from algorithms.hypercell.space import Axis
from algorithms.hypercell.text import P
from algorithms.hypercell.text_oracle import TextLife
from algorithms.hypercell.world import Ablation, Founder, genes
from tests.hypercells import Case, geometry
from tests.opponents import words


def pond(seed: int, width: int = 64, **params: int) -> Case:
    """Six places that are full of genomes of all sorts, one of which has a table too small for it."""
    rng = np.random.default_rng(seed)
    table = text.Table(6, 48, width)
    chosen = {
        "SPAN": 384, "CHUNK": 48, "SEGMENT": 160, "WIDTH": width, "BITS": table.bits,
        "ROWS": table.rows, "JUDGED": 90, "PRICE": 30, "DOUBLE": 400, "GRACE": 300, "HALF": 4,
        "CROSS": 128, "ARENA": table.arena, "BEGIN": 16,
    } | params  # fmt: skip
    numbers = [0] * 16
    for name, value in chosen.items():
        numbers[getattr(P, name)] = value
    read = np.frombuffer(words(chosen["BEGIN"] + chosen["SPAN"], seed), np.uint8)
    class_of = (np.arange(256) % width).astype(np.uint8)
    shape = geometry(sm=Axis(2, False, 2, 2), warp=Axis(3, True, 1, 1))
    founders = [
        Founder(at, genes(96, threshold=0), text.random_genome(rng), (0,) * text.STATE)
        for at in range(shape.locations)
    ]
    return Case(
        shape, text.biology(numbers[P.ARENA]), TextLife(), tuple(numbers), (read, class_of),
        tuple(founders), seed, text.ECONOMY, Ablation(),
    )  # fmt: skip
