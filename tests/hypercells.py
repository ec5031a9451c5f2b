"""What the tests of hypercell share: its biologies, small spaces of any shape, a world and its oracle."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from algorithms.hypercell import density, parity, text
from algorithms.hypercell.biology import Biology, Economy, Life
from algorithms.hypercell.oracle import Oracle
from algorithms.hypercell.parity_oracle import ParityLife
from algorithms.hypercell.space import NAMES, Axis, Geometry
from algorithms.hypercell.world import Ablation, Founder, Kernel, World
from tasks.native import build
from tests.biologies.messenger import MESSENGER, MessengerLife
from tests.biologies.toy_text import TOY_TEXT, ToyTextLife

TEXT = b"the quick brown fox jumps over the lazy dog and the dog does not mind at all. " * 4


def parity_rows(n: int, count: int, rng: random.Random, noise: float = 0.0) -> np.ndarray:
    """uint64 [count + 8, words] of samples whose label is the XOR of the first, a middle and the last
    bit. The kernel may read, not use, the last eight."""
    secret, rows = 1 | 1 << n // 2 | 1 << n - 1, []
    for _ in range(count + 8):
        row = rng.getrandbits(n)
        label = (row & secret).bit_count() % 2 ^ (rng.random() < noise)
        rows.append(parity.words_of(row | label << n, n // 64 + 1))
    return np.array(rows, "<u4").view(np.uint64)


@dataclass(frozen=True)
class Case:
    """A space before its first tick. data: what it feeds on; a tuple where that is several arrays."""

    geometry: Geometry
    biology: Biology
    life: Life = field(repr=False)
    params: tuple[int, ...]
    data: Any = field(repr=False)
    founders: tuple[Founder, ...] = field(repr=False)
    seed: int = 0
    economy: Economy = field(default_factory=Economy)
    ablation: Ablation = field(default_factory=Ablation)

    def world(self, tile: int = 1024) -> World:
        kernel = compiled(self.biology.name, *self.biology.defines.values())
        world = World(
            kernel, self.geometry, self.biology, self.seed, self.economy, self.ablation, tile
        )
        world.space.params[: len(self.params)] = self.params
        for slot, data in self._data().items():
            world.feed(slot, data)
        world.found(self.founders)
        return world

    def _data(self) -> dict[int, Any]:
        if self.data is None:
            return {}
        return dict(enumerate(self.data if isinstance(self.data, tuple) else (self.data,)))

    def oracle(self) -> Oracle:
        oracle = Oracle(
            self.geometry, self.biology, self.life, self.seed, self.economy, self.ablation
        )
        oracle.params[: len(self.params)] = self.params
        oracle.data |= self._data()
        oracle.found(self.founders)
        return oracle

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What hypothesis prints of an example: not its data."""
        printer.text(repr(self))

    def but(self, **fields: Any) -> Case:
        return replace(self, **fields)


@cache
def compiled(name: str, *defines: int) -> Kernel:
    """A kernel, built once per session."""
    biology = {"toy_text": TOY_TEXT, "messenger": MESSENGER}.get(name)
    if name == "density":
        biology = density.biology(*defines)
    elif name == "text":
        biology = text.biology(0, bool(defines))  # how large an arena is, a space says
    biology = biology or next(
        b for b in map(parity.biology, SIZES) if [*b.defines.values()] == [*defines]
    )
    return Kernel(build.library(biology.source("cpu"), name), biology)


SIZES = (
    7,
    64,
    70,
)  # inputs of parity: the label in the first word, alone in the second, with others


def geometry(**axes: Axis) -> Geometry:
    return Geometry("test", tuple(axes.get(name, Axis()) for name in NAMES))


@st.composite
def geometries(draw: st.DrawFn, locations: int = 40) -> Geometry:
    """Up to four axes that are longer than 1, anywhere among the seven; not too many locations."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(0, 4))]
    axes, room = {}, locations
    for name in names:
        length = draw(st.integers(2, 5)) if room >= 5 else min(room, 2)
        room //= length
        stretch, toll = draw(st.integers(1, 7)), draw(st.sampled_from([0, 1, 3, 40]))
        axes[name] = Axis(length, length > 1 and draw(st.booleans()), stretch, toll)
    return geometry(**axes)


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """The usual value as often as all of the others together."""
    return st.sampled_from([*[usual] * len(others), *others])


ECONOMIES = st.builds(
    Economy,
    cap=mostly(1 << 24, 1, 50, 400),
    settle=mostly(256, 0, 5),
    rent=mostly(2, 0, 20, 5000),  # the last one starves everybody
    breed=mostly(1, 0, 4),
    price=mostly(1, 0, 4, 100),
    endowment=mostly(1024, 1, 60, 4000),
)
SEEDS = st.integers(-(1 << 63), (1 << 64) - 1)


def any_genes(rng: random.Random) -> tuple[int, int]:
    """The engine's genes of a founder: half of them breed at once and go anywhere."""
    if rng.random() < 0.5:
        return rng.getrandbits(32), rng.getrandbits(32)
    return rng.getrandbits(8) | rng.getrandbits(16) << 16, 0x01111111


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any small space of any biology, in any economy."""
    shape, seed = draw(geometries()), draw(SEEDS)
    rng = random.Random(draw(st.integers(0, 1 << 32)))
    settlers = rng.sample(range(shape.locations), rng.randint(1, min(5, shape.locations)))
    income = draw(mostly(10, 0, 1, 300))
    economy, ablation = draw(ECONOMIES), draw(st.builds(Ablation, *[mostly(True, True, False)] * 3))
    make = draw(st.sampled_from([messenger_case, toy_case, parity_case]))
    return make(shape, rng, settlers, income).but(seed=seed, economy=economy, ablation=ablation)


def messenger_case(shape: Geometry, rng: random.Random, at: list[int], income: int) -> Case:
    founders = tuple(Founder(place, any_genes(rng), (), ()) for place in at)
    return Case(shape, MESSENGER, MessengerLife(), (income,), None, founders)


def toy_case(shape: Geometry, rng: random.Random, at: list[int], income: int) -> Case:
    text = np.frombuffer(TEXT, np.uint8)
    founders = tuple(
        Founder(place, any_genes(rng), (rng.getrandbits(32),), (rng.randrange(len(text)), 0, 0))
        for place in at
    )
    params = (len(text), rng.randint(1, 12), income, rng.choice([0, 1, 3]))
    return Case(shape, TOY_TEXT, ToyTextLife(), params, text, founders)


def parity_case(shape: Geometry, rng: random.Random, at: list[int], income: int) -> Case:
    return parity_of(shape, rng, at, income, rng.choice(SIZES), rng.choice([0, 0.1]))


def parity_of(
    shape: Geometry, rng: random.Random, at: list[int], income: int, n: int, noise: float
) -> Case:
    rows = parity_rows(n, 200, rng, noise)
    seen = rng.choice([30, 200])
    params = [0] * 9
    params[parity.N], params[parity.SEEN], params[parity.ROWS] = n, seen, 200
    params[parity.BITE], params[parity.GRAIN] = rng.randint(1, 40), income
    params[parity.LESSON], params[parity.SUN] = rng.choice([0, 7]), rng.choice([0, 1, 8])
    params[parity.LUCK], params[parity.BITS] = rng.choice([(1 << 15, 1 << 16), (42_000, 42_000)])
    founders = tuple(parity_founder(n, place, rng) for place in at)
    return Case(shape, parity.biology(n), ParityLife(n), tuple(params), rows, founders)


def parity_founder(n: int, at: int, rng: random.Random) -> Founder:
    if rng.random() < 0.3:
        return parity.mask(n, at, rng.getrandbits(n), any_genes(rng))
    traits = parity.Traits(*(rng.choice([0, 255, rng.getrandbits(8)]) for _ in range(4)))
    return parity.holder(n, at, traits, any_genes(rng))
