"""Hypercell on sparse parity: an ecosystem of organisms that looks for the secret among the samples."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from math import log2
from pathlib import Path
from typing import Any

import numpy as np

from algorithms.base import Algorithm, Progress, Refused, Training
from algorithms.hypercell import parity, space
from algorithms.hypercell.build import library
from algorithms.hypercell.parity import BITE, BITS, GRAIN, LESSON, LUCK, ROWS, SEEN, SUN, N, Traits
from algorithms.hypercell.world import Ablation, Founder, Kernel, World, genes
from tasks.classification import Classification

SPECIES = ("both", "holders", "masks")
PROOF_BITS = 7  # a false mask passes in less than one training of a hundred


class Mask:
    """Predicts the product of the inputs in a mask."""

    def __init__(self, secret: int) -> None:
        self.inputs = [i for i in range(secret.bit_length()) if secret >> i & 1]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Labels int64 [m] of x int8 [m, n]."""
        product = np.ones(len(x), np.int64)
        for i in self.inputs:
            product *= x[:, i]
        return product


@dataclass
class HypercellParity(Algorithm):
    """Holders of samples and masks, living, breeding and dying until one of them is right beyond doubt.
    """

    geometry: str = "laptop"
    ticks: int = 100_000
    bite: int = 32
    founders: int = 2
    species: str = "both"
    doubt: int = 0
    talk: bool = True
    caste: int = 64
    mutation: int = 16
    share: int = 127
    reproduction: bool = True
    neighbours: bool = True
    heredity: bool = True
    one_location: bool = False

    def prepare(self, spec: Classification) -> None:
        if spec.rule != "parity":
            raise Refused(f"hypercell learns task.rule=parity only, not {spec.rule}; try algo=backprop")
        super().prepare(spec)
        n = spec.n
        self.threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        shape = space.build("one location", {}) if self.one_location else space.geometry(self.geometry)
        self.biology = parity.biology(n)
        self.kernel = Kernel(library(self.biology.source("cpu"), "parity"), self.biology)
        self.pack = parity.packer(self.kernel)
        self.rows = np.zeros((spec.rows + 8, n // 64 + 1), np.uint64)
        ablation = Ablation(self.reproduction, self.neighbours, self.heredity)
        self.world = World(self.kernel, shape, self.biology, spec.seed, parity.ECONOMY, ablation)
        # What a holder needs without noise: a mistake for each input, every other row, and a proof.
        self.first_ticks = min((9 * n // 4 + 40) // self.bite + 1, self.ticks)
        self.first_look = min(spec.rows, self.first_ticks * self.bite)
        params = self.world.space.params
        params[N], params[ROWS], params[BITE] = n, spec.rows, self.bite
        self._see(self.first_look)
        params[GRAIN], params[LESSON], params[SUN] = 8, 16, 4 + (self.bite * n * (n // 64 + 1) >> 9)
        self.world.feed(0, self.rows)
        self.world.found(self._founders(shape.locations))
        self.world.keep()

    def _founders(self, locations: int) -> list[Founder]:
        n = self.spec.n
        rng = np.random.default_rng(self.spec.seed)
        count = self.founders if self.reproduction else locations
        found = []
        for i in range(min(count, locations)):
            at = i * locations // min(count, locations)
            engine = genes(self.mutation, threshold=255, share=self.share, buy=255)
            traits = Traits(doubt=self.doubt, talk=255 * self.talk, caste=self.caste)
            if not self.heredity:
                engine = tuple(int(v) for v in rng.integers(1 << 32, size=2))
                traits = Traits(*(int(v) for v in rng.integers(256, size=4)))
            is_mask = self.species == "masks" or (self.species == "both" and i % 2 == 1)
            if is_mask:
                secret = sum(1 << int(j) for j in rng.choice(n, size=min(3, n), replace=False))
                found.append(parity.mask(n, at, secret, engine))
            else:
                found.append(parity.holder(n, at, traits, engine))
        return found

    def _see(self, seen: int) -> None:
        """Lets organisms eat the first so many rows, and says what luck among them is worth."""
        # The first time all eat fresh samples, but for what neighbours tell; later their own again.
        known = 1 / 16 if seen < self.spec.rows else min(1.0, self.spec.n / max(1, seen))
        params, luck = self.world.space.params, (1 + known) / 2
        params[SEEN], params[LUCK], params[BITS] = seen, int(luck * 65536), int(-log2(luck) * 65536)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        world, spec, run = self.world, self.spec, self.kernel.lib.run
        x, y = data["x"], data["y"]
        world.reset()
        seen = self.first_look
        self._see(seen)
        ax, ay, ar = x.ctypes.data, y.ctypes.data, self.rows.ctypes.data
        self.pack(ay, ax, spec.n, 0, seen, ar)
        until, best, secret = self.first_ticks, -1, 0
        effort = log2(world.layout.locations * self.bite)
        while True:
            world.run(until, self.threads)
            at, merit = world.champion()
            if at < 0:
                break
            if merit > best:
                best, secret = merit, parity.secret_of(world.genome(at), spec.n)
            if best >= 16 * (PROOF_BITS + min(spec.n, effort + log2(until))) or until >= self.ticks:
                break
            yield Progress(until, self.ticks)
            if seen < spec.rows:
                self.pack(ay, ax, spec.n, seen, spec.rows, ar)
                seen = spec.rows
                self._see(seen)
            until = min(self.ticks, until * 9 // 8 + 2)
        return Mask(secret)
