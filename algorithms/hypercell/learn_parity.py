"""Hypercell on sparse parity: an ecosystem that looks for the secret among samples, some of them wrong."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import Any

import numpy as np

from algorithms.base import Algorithm, Progress, Refused, Training
from algorithms.counting import Counts, counting, kernel_text
from algorithms.hypercell import film, parity, snapshot, space
from algorithms.hypercell.camera import Camera
from algorithms.hypercell.layout import AXES
from algorithms.hypercell.space import TILE
from algorithms.hypercell.world import Ablation, Founder, Kernel, World, genes
from algorithms.parity_mask import Parity
from tasks.classification import Classification
from tasks.native.build import library

SPECIES = ("both", "holders", "masks")
# A false mask passes in less than one training of a hundred; one that gets all the rows right that there
# are is taken all the same.
PROOF_BITS = 7
FRAMES = 120
# A space's arrays that a training begins with anew.
STATE = ("energy", "body", "settled", "outbox", "arena")


@dataclass
class HypercellParity(Algorithm):
    """Holders of samples and holders of masks live, breed and die until a mask is right beyond doubt.

    geometry: a name in configs/geometry, or the absolute path of a yaml like those. ticks: after which it
    gives up and answers with the best mask so far. bite: samples that an organism eats per tick.
    founders: organisms at the beginning, by turns a holder and a mask. species: "both", "holders" or
    "masks". doubt, talk, caste: a founding holder's traits (`parity.Traits`). mutation: chance of each
    gene, in 1/256; it evolves.

    Ablations: reproduction, neighbours (anything that crosses between locations), heredity (without it
    children and founders have random genes, and nothing that was learned is handed on), one_location.
    Without reproduction or neighbours every place has a founder, since no one would settle it.

    genome: the absolute path of a genome for the first founder. resume: of a saved space, whose
    inhabitants, genomes and energy every draw begins with instead of founders; what they knew of other
    samples is forgotten. save: an absolute folder for the space and the best genome of the last draw,
    written while the meter runs. film: draws what happened, in a training of its own outside the
    measured windows.
    """

    geometry: str = "laptop"
    ticks: int = 1_000_000
    bite: int = 32
    founders: int = 2
    species: str = "both"
    doubt: int = 0
    talk: int = 255
    caste: int = 64
    mutation: int = 16
    reproduction: bool = True
    neighbours: bool = True
    heredity: bool = True
    one_location: bool = False
    genome: str = ""
    resume: str = ""
    save: str = ""
    film: bool = False

    def __post_init__(self) -> None:
        for name, least, most in (
            ("ticks", 1, 1 << 30),
            ("bite", 1, 1 << 16),
            ("founders", 1, 1 << 30),
            ("doubt", 0, 255),
            ("talk", 0, 255),
            ("caste", 0, 255),
            ("mutation", 0, 255),
        ):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise Refused(f"algo.{name}={value}: must be a whole number from {least} to {most}")
        if self.species not in SPECIES:
            raise Refused(f"algo.species={self.species}: must be one of {', '.join(SPECIES)}")
        for name in ("genome", "resume", "save"):
            value = getattr(self, name)
            if value and not (isinstance(value, str) and Path(value).is_absolute()):
                raise Refused(
                    f"algo.{name}={value}: must be an absolute path, since the algorithm runs in a "
                    "folder of its own"
                )
        if self.genome and self.resume:
            raise Refused(
                "algo.genome and algo.resume: a space that goes on has no founders; give one"
            )

    def prepare(self, spec: Classification) -> None:
        if spec.rule != "parity":
            raise Refused(
                f"hypercell learns task.rule=parity only, not {spec.rule}; try algo=backprop"
            )
        super().prepare(spec)
        if self.film:
            film.need()
        n = spec.n
        shape = space.build("here", {}) if self.one_location else space.geometry(str(self.geometry))
        self.threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        tile = TILE if self.threads == 1 else max(1, shape.locations // (4 * self.threads))
        if self.resume:
            tile = snapshot.header(Path(self.resume))["tile"]
        if self.save:
            snapshot.writable(Path(self.save))
        self.biology = parity.biology(n)
        source, table = self.biology.source("cpu"), self.biology.events() or ""
        self.kernel = Kernel(library(kernel_text(source, table), "parity"), self.biology)
        self.counted = Counts(self.kernel.lib, table) if counting() else None
        ablation = Ablation(self.reproduction, self.neighbours, self.heredity)
        world = World(self.kernel, shape, self.biology, spec.seed, parity.ECONOMY, ablation, tile)
        self.world = world
        # What a holder needs without noise: a mistake for each input, every other row, and a proof.
        self.first_ticks = min((9 * n // 4 + 40) // self.bite + 1, self.ticks)
        self.first_look = min(spec.rows, self.first_ticks * self.bite)
        rows = np.zeros((spec.rows + 8, n // 64 + 1), np.uint64)
        world.feed(0, rows)
        if self.resume:
            snapshot.load(Path(self.resume), world)
            parity.forget(world)
        else:
            world.found(self._founders(shape.locations))
        params = world.space.params
        params[parity.N], params[parity.ROWS], params[parity.BITE] = n, spec.rows, self.bite
        params[parity.GRAIN], params[parity.LESSON] = 8, 16
        # What a holder's work costs, and a little more.
        params[parity.SUN] = 4 + (self.bite * n * (n // 64 + 1) >> 9)
        params[parity.DOUBT] = 16 * min(17, n // 2 + 4)
        world.keep()
        self.begins, self.starved = world.tick, False
        self.enter = parity.first_epoch(world)
        self.pack = parity.packer(world)
        self.effort = log2(world.layout.locations * self.bite)
        made_up = np.ones((spec.rows, n), np.int8), np.ones(spec.rows, np.int64)
        next(self._search(*made_up), None)

    def _founders(self, locations: int) -> Iterator[Founder]:
        """The first organisms, evenly spread."""
        n, rng = self.spec.n, np.random.default_rng(self.spec.seed)
        alone = not (self.reproduction and self.neighbours)
        count = locations if alone else min(self.founders, locations)
        known = snapshot.load_genome(Path(self.genome), self.biology) if self.genome else None
        for i in range(count):
            at = i * locations // count
            engine = genes(self.mutation, threshold=255, share=127, buy=255)
            traits = parity.Traits(doubt=self.doubt, talk=self.talk, caste=self.caste)
            if not self.heredity:
                engine = (int(rng.integers(1 << 32)), int(rng.integers(1 << 32)))
                traits = parity.Traits(*(int(v) for v in rng.integers(256, size=4)))
            if known is not None and i == 0:
                yield parity.of_genome(n, at, known, engine)
            elif self.species == "masks" or (self.species == "both" and i % 2):
                light = rng.choice(n, size=min(3, n), replace=False)
                yield parity.mask(n, at, sum(1 << int(j) for j in light), engine)
            else:
                yield parity.holder(n, at, traits, engine)

    def _see(self, seen: int) -> None:
        """Lets organisms eat the first so many rows, and says what luck among them is worth."""
        params = self.world.space.params
        # The first time all of them are new to whoever eats them, but for what neighbours tell.
        known = 1 / 16 if seen < self.spec.rows else min(1.0, self.spec.n / max(1, seen))
        luck = self.luck = (1 + known) / 2
        params[parity.SEEN] = seen
        params[parity.LUCK], params[parity.BITS] = int(luck * 65536), int(-log2(luck) * 65536)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        if self.counted:
            self.counted.restart()
        secret = yield from self._search(data["x"], data["y"])
        if self.save:
            self._save()
        return Parity(secret)

    def counts(self) -> dict[str, Any] | None:
        """What the locations did, and setting them back before. Messages are what crosses between them.
        In memory: the space, its first state, the samples. What belongs to tiles is left out, for that
        depends on how many threads there are."""
        if not self.counted:
            return None
        arrays, rows = self.world.arrays, self.world.fed[0]
        state = sum(arrays[name].nbytes for name in STATE)
        told = self.counted.told(2 * state + arrays["messages"].nbytes + rows.nbytes)
        told["read_bytes"] += state
        told["written_bytes"] += state
        events = self.counted.events
        told["communication_bytes"] = sum(events[f"SENT_{axis}"] for axis in range(AXES))
        return told

    def _search(
        self, x: np.ndarray, y: np.ndarray, camera: Camera | None = None
    ) -> Generator[Progress, None, int]:
        """Runs epoch after epoch until a mask is proven, or returns the best seen. Between epochs the space
        stands still at one tick, so whether and when somebody looks changes nothing."""
        world, run = self.world, camera.run if camera else self.world.run
        seen, until = self.first_look, self.begins + self.first_ticks
        self._see(seen)
        x_at, y_at = x.ctypes.data, y.ctypes.data
        if camera is None and self.threads == 1:
            at, found = self.enter(y_at, x_at, until)
        else:
            world.reset()
            self.pack(y_at, x_at, 0, seen)
            run(until, self.threads)
            at, found = world.champion()
        best, secret = -1, 0
        while at >= 0:
            if found > best:
                best, secret = found, parity.secret_of(world, at)
            lived = until - self.begins
            if self._proven(at, found, lived):
                return parity.secret_of(world, at)
            if lived >= self.ticks:
                return secret
            yield Progress(lived, self.ticks)
            if seen < self.spec.rows:
                self.pack(y_at, x_at, seen, self.spec.rows)
                seen = self.spec.rows
                self._see(seen)
            until = self.begins + min(self.ticks, lived * 9 // 8 + 2)
            run(until, self.threads)
            at, found = world.champion()
        if not self.starved:  # said once, not for every draw
            print(f"hypercell: everybody had starved by tick {until}; the best mask so far stands")
        self.starved = True
        return secret

    def _proven(self, at: int, merit: int, lived: int) -> bool:
        """Whether luck is ruled out for the mask at a location: so many may have been tried, each by
        other samples, or as many as there are, by all of them."""
        needed = PROOF_BITS + self.effort + log2(lived)
        if merit >= 16 * needed:
            return True
        hits, trials = parity.evidence(self.world, at)
        if trials == self.spec.rows:
            needed = min(needed, PROOF_BITS + self.spec.n)
        right = hits / max(1, trials)
        if not self.luck < right < 1:
            return merit >= 16 * needed
        # Chernoff's bound, sharper than the kernel's.
        bits = right * log2(right / self.luck) + (1 - right) * log2((1 - right) / (1 - self.luck))
        return trials * bits >= needed

    def _save(self) -> None:
        folder, world = Path(self.save), self.world
        snapshot.save(world, folder / "space.hypercell")
        at, merit = world.champion()
        if at >= 0:
            origin = {"tick": world.tick, "location": at, "geometry": world.geometry.name}
            snapshot.save_genome(
                folder / "genome.json", self.biology, world.genome(at), merit, origin
            )

    def pictures(self, data: dict[str, np.ndarray]) -> dict[str, bytes]:
        """With film=true: who lived where in the first draw's training, which is done again for it."""
        if not self.film:
            return {}
        for _ in self._search(data["x"], data["y"]):
            pass
        camera = Camera(self.world, (self.world.tick - self.begins) // FRAMES + 1)
        for _ in self._search(data["x"], data["y"], camera):
            pass
        title = f"sparse parity, n = {self.spec.n}: hypercell on {self.world.geometry.describe()}"
        return camera.pictures(title)
