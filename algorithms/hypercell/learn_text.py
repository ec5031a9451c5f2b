"""Hypercell on text: organisms that find out which contexts to listen to, and one that then reads it all."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from algorithms.base import Algorithm, Progress, Refused
from algorithms.counting import Counts, counting, kernel_text
from algorithms.hashed_softmax import classes
from algorithms.hypercell import grown_text, space, text
from algorithms.hypercell.grown_text import Colony, Grown
from algorithms.hypercell.layout import AXES
from algorithms.hypercell.text import P, Table
from algorithms.hypercell.world import Ablation, Founder, Kernel, World, genes
from tasks.native.build import library
from tasks.sequence import SequenceSpec, only_bytes

SEEDS = (1 << 62) - 1
LOOKS_BACK = 8  # bytes of the longest context, and of what a match goes by at the least
MOST_MEMBERS = 64
NOT_COUNTED = (
    "of a predictor nothing is counted: its first answer, and that it is brought up to date"
)
NAMED = {"hand": text.HAND, "evolved": text.parsed(text.EVOLVED)}


@dataclass
class HypercellText(Algorithm):
    """An organism reads the text through the contexts that its genome says, and is the predictor.

    genome: `evolved` (found by the same on tinyshakespeare), `hand` (contexts that a person chose),
    hexadecimal, or several of these joined by +, whose organisms all read and whose predictions are mixed;
    or `random`: organisms with random genomes
    first live, breed and die in `geometry`, each learning `span` bytes and judged
    by the `judged` that follow, for as long as `lives` of them take
    one after the other, and the one that cost least gives its genome to the one that reads all (the `colony`
    that cost least, where that is above 1, as far as so many are grown in the end). Before
    that come seasons in which a life is a quarter, a sixteenth ... as long; who lives at the end of one
    founds the next. train_bytes: learn only so many bytes at the
    text's end; 0 for all. memory: bytes of an organism's arena, at most.
    adapt: go on learning within a segment, at adapt_rate of the first rates. chunk: bytes per tick.

    Of the evolution: price: of a line of memory touched per byte, doubling: that halve what one is worth,
    grace: by which a child may be behind its parent, all in nats per byte. half: lives after which worth
    has fallen by half. cross: chance, in 1/256, that a child is crossed with a neighbour; mutation: that
    one more gene is changed. founders: fraction of places that begin with somebody. Ablations:
    reproduction, neighbours, heredity, one_location. save: absolute path of a file for what was found.
    inherit: a child may buy what its parent has learned of the contexts that both listen to
    (`kernel/text_legacy.h`), and begins with it. Its energy pays; the one that reads all begins with nothing.
    """

    families: ClassVar[tuple[str, ...]] = ("sequence",)

    genome: str = "evolved"
    train_bytes: int = 0
    memory: int = 1 << 32
    chunk: int = 4096
    adapt: bool = False
    adapt_rate: float = 0.6
    colony: int = 1
    geometry: str = "pond"
    seasons: int = 3
    lives: int = 60
    span: int = 393_216
    judged: int = 65_536
    price: float = 0.002
    doubling: float = 0.03
    grace: float = 0.03
    half: float = 0.33
    cross: int = 128
    mutation: int = 96
    founders: float = 1.0
    reproduction: bool = True
    neighbours: bool = True
    heredity: bool = True
    one_location: bool = False
    inherit: bool = False
    save: str = ""

    def __post_init__(self) -> None:
        self.adapts = self.adapt
        self.genome = str(self.genome)
        for name, least, most in (
            ("train_bytes", 0, 1 << 32),
            ("memory", 1, 1 << 40),
            ("chunk", 64, 1 << 20),
            ("seasons", 1, 8),
            ("lives", 1, 1 << 20),
            ("judged", 1, 1 << 30),
            ("span", 1024, 1 << 30),
            ("colony", 1, MOST_MEMBERS),
            ("cross", 0, 255),
            ("mutation", 0, 255),
        ):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise Refused(f"algo.{name}={value}: must be a whole number from {least} to {most}")
        for name, low, high in (
            ("adapt_rate", 0.0, 1.0),
            ("price", 0.0, 1.0),
            ("doubling", 0.001, 10.0),
            ("grace", 0.0, 10.0),
            ("half", 0.01, 1000.0),
            ("founders", 0.01, 1.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise Refused(
                    f"algo.{name}={getattr(self, name)}: must be from {low:g} to {high:g}"
                )
        self.members: list[tuple[int, ...]] = []
        if self.genome != "random":
            named = self.genome.split("+")
            if len(named) > MOST_MEMBERS or self.colony > 1:
                raise Refused(
                    f"algo.colony={self.colony}: is of algo.genome=random; elsewhere 1 to {MOST_MEMBERS} "
                    "genomes joined by + are a colony"
                )
            self.members = [NAMED.get(name) or text.parsed(name) for name in named]
        if self.save and not Path(self.save).is_absolute():
            raise Refused(
                f"algo.save={self.save}: must be an absolute path: the learner has its own folder"
            )
        if self.save and not Path(self.save).parent.is_dir():  # before the evolution, not after it
            raise Refused(f"algo.save={self.save}: there is no folder {Path(self.save).parent}")

    def prepare(self, spec: SequenceSpec) -> None:
        if unfit := only_bytes(spec, "algo=hypercell"):
            raise Refused(unfit)
        if spec.segment < LOOKS_BACK:
            raise Refused(
                f"task.segment={spec.segment}: a genome looks back over up to {LOOKS_BACK} bytes, further "
                f"than a segment; set task.segment={LOOKS_BACK} or more"
            )
        super().prepare(spec)
        self.threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        sells = self.inherit and self.genome == "random"
        self.biology = text.biology(0, sells)
        source, table = self.biology.source("cpu"), self.biology.events() or ""
        self.library = library(kernel_text(source, table), "text")
        lib = Kernel(self.library, self.biology).lib
        self.counted = Counts(lib, table) if counting() else None
        self.most_bytes = 0  # of a space
        grown_text.kernel()
        if self.genome == "random":
            self.shape = (
                space.build("here", {}) if self.one_location else space.geometry(str(self.geometry))
            )

    def train(self, data: dict[str, np.ndarray]) -> Generator[Progress, Any, Grown | Colony]:
        learned = np.ascontiguousarray(data["text"][-self.train_bytes :], np.uint8)
        if not len(learned):
            raise Refused("the text to learn is empty; give at least one byte")
        if self.counted:
            self.counted.restart()
        self._look_at(learned)
        if self.genome == "random":
            self.members = yield from self._evolve(learned)
            if self.save:
                found = "+".join(text.text_of(words) for words in self.members)
                Path(self.save).write_text(found + "\n")
        return (yield from self._read(learned))

    def counts(self) -> dict[str, Any] | None:
        """What organisms did, those among which the genome evolved included."""
        if not self.counted:
            return None
        told = self.counted.told(self.most_bytes)
        events = self.counted.events
        told["communication_bytes"] = sum(events[f"SENT_{axis}"] for axis in range(AXES))
        return told | {"notes": [NOT_COUNTED]}

    def _look_at(self, learned: np.ndarray) -> None:
        """Which bytes are classes, and how wide rows are."""
        counts = np.bincount(learned, minlength=256).astype(np.uint64)
        widths = [width // 16 for width in text.WIDTHS]
        self.width, class_of, share = classes(counts, widths)
        self.class_of = np.ascontiguousarray(class_of, np.uint8)
        self.share = np.ascontiguousarray(share, np.float32)

    def _world(
        self, learned: np.ndarray, span: int, judged: int, table: Table, seed: int, alone: bool
    ) -> World:
        """Lives of span bytes before the text's last ones, by which they are judged."""
        biology = replace(self.biology, arena=table.arena)
        shape = space.build("here", {}) if alone else self.shape
        ablation = Ablation(self.reproduction and not alone, self.neighbours, self.heredity)
        tile = space.TILE if self.threads == 1 else max(1, shape.locations // (4 * self.threads))
        kernel = Kernel(self.library, biology)
        world = World(kernel, shape, biology, seed, text.ECONOMY, ablation, tile)
        self.most_bytes = max(self.most_bytes, world.layout.bytes)
        params = world.space.params
        for place, value in (
            (P.BEGIN, len(learned) - judged - span),
            (P.SPAN, span + judged),
            (P.CHUNK, self.chunk),
            (P.SEGMENT, self.spec.segment),
            (P.WIDTH, table.width),
            (P.BITS, table.bits),
            (P.ROWS, table.rows),
            (P.JUDGED, judged),
            (P.EXAM, len(learned) - judged),
            (P.PRICE, round(self.price * text.NATS)),
            (P.DOUBLE, max(1, round(self.doubling * text.NATS))),
            (P.GRACE, round(self.grace * text.NATS)),
            (P.HALF, max(1, round(self.half * (span + judged) / self.chunk))),
            (P.CROSS, self.cross),
            (P.CHANGE, self.mutation),
            (P.ARENA, table.arena),
        ):
            params[place] = value
        world.feed(0, learned)
        world.feed(1, self.class_of)
        return world

    def _read(self, learned: np.ndarray) -> Generator[Progress, Any, Grown | Colony]:
        """Organisms that read all of the text, one after the other."""
        grown: list[Grown] = []
        of, held = len(self.members) * len(learned), 0
        for number, words in enumerate(self.members):
            table = text.table(len(learned), text.models_of(words), self.width, self.memory)
            world = self._world(learned, len(learned), 0, table, 0, alone=True)
            held += world.layout.bytes
            self.most_bytes = max(self.most_bytes, held)
            world.found([Founder(0, genes(), words, (0,) * text.STATE)])
            reader = Grown(
                world, 0, table, self.class_of, self.share, self.spec.segment,
                self.adapt_rate if self.adapt else 0.0,
            )  # fmt: skip
            grown.append(reader)
            predictor = reader if len(self.members) == 1 else Colony(grown)
            registers = world.arrays["body"][0, 4 + text.GENES :]
            while not registers[text.GROWN]:
                world.run(world.tick + 1)
                lost = float(registers[text.LOST]) / max(1, int(registers[text.SAID])) / 512
                reader.refresh()
                done = number * len(learned) + int(registers[text.READ])
                yield Progress(done, of, lost, predictor)
        return predictor

    def _evolve(self, learned: np.ndarray) -> Generator[Progress, Any, list[tuple[int, ...]]]:
        """The genome of whoever cost least; of a colony also those of who is grown in the end and cost least.

        Where nobody lives, or nobody can have children (an ablation) and all are grown, strangers found
        the space anew: then this is a search among random genomes, with as many lives.
        """
        if len(learned) < 4 * self.chunk:
            raise Refused(
                f"algo.genome=random: {len(learned)} bytes are too few to evolve on; give a text of at "
                f"least 4 * algo.chunk={4 * self.chunk}, or a genome"
            )
        rng = np.random.default_rng([self.spec.seed, len(learned)])
        sterile = self.one_location or not (self.reproduction and self.neighbours)
        places = space.geometry(str(self.geometry)).locations if self.one_location else 1
        judged = max(1, min(self.judged, len(learned) // 4))  # of what nobody learns
        whole = min(self.span, len(learned) - judged)
        spans = [max(self.chunk, whole >> 2 * (self.seasons - 1 - k)) for k in range(self.seasons)]
        exams = [min(judged, max(self.chunk, span // 4)) for span in spans]
        life = [
            -(-(span + exam) // self.chunk) + 1 for span, exam in zip(spans, exams, strict=True)
        ]
        ticks = [places * self.lives * long for long in life]
        best, done, number = self._random(rng), 0, 0
        founders = self._strangers(rng)
        for season, (span, exam) in enumerate(zip(spans, exams, strict=True)):
            table = text.table(span, text.MODELS, self.width, self.memory)
            least, begun = 1 << 30, done
            while done < begun + ticks[season]:
                seed, number = self.spec.seed + number & SEEDS, number + 1
                world = self.world = self._world(learned, span, exam, table, seed, alone=False)
                world.found(self._founders(founders))
                rest = begun + ticks[season] - done
                while world.tick < rest and world.population:
                    if sterile and world.tick >= life[season]:
                        break
                    world.run(min(world.tick + 4, rest), self.threads)
                    at, merit = world.champion()
                    if at >= 0 and merit >= 0 and (1 << 30) - merit < least:
                        least, best = (1 << 30) - merit, tuple(int(w) for w in world.genome(at))
                    yield Progress(done + world.tick, sum(ticks), least / text.NATS)
                done += world.tick
                founders = self._strangers(rng)
            living = np.flatnonzero(world.arrays["energy"]).tolist()
            founders |= {at: tuple(int(w) for w in world.genome(at)) for at in living}
            founders[0] = best
        registers = world.arrays["body"][:, 4 + text.GENES :]
        living = [at for at in living if registers[at, text.GROWN]]
        others = sorted(living, key=lambda at: int(registers[at, text.COST]))
        genomes = [best, *(tuple(int(w) for w in world.genome(at)) for at in others)]
        return list(dict.fromkeys(genomes))[: self.colony]

    def _strangers(self, rng: np.random.Generator) -> dict[int, tuple[int, ...]]:
        """Random genomes, by the places where they begin."""
        every = range(self.shape.locations)
        places = [at for at in every if rng.random() < self.founders] or [0]
        return {at: self._random(rng) for at in places}

    def _founders(self, genomes: dict[int, tuple[int, ...]]) -> Iterator[Founder]:
        for at, words in genomes.items():
            engine = genes(rate=8, threshold=0, buy=255 if self.inherit else 0)
            yield Founder(at, engine, words, (0,) * text.STATE)

    def _random(self, rng: np.random.Generator) -> tuple[int, ...]:
        words = text.random_genome(rng)
        while not text.models_of(words):
            words = text.random_genome(rng)
        return words
