"""Hypercell on the density task: rules and kinds of configurations that live on each other."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

import numpy as np

from algorithms.base import Algorithm, Progress, Refused, Training
from algorithms.counting import Counts, counting, kernel_text
from algorithms.hypercell import density, space
from algorithms.hypercell.density import FOLD_NAMES, SPREADS
from algorithms.hypercell.layout import AXES
from algorithms.hypercell.space import TILE
from algorithms.hypercell.world import Ablation, Founder, Kernel, World, genes
from algorithms.rule_pictures import Rule, pictures
from tasks.automaton import bits
from tasks.automaton.simulator import Simulator
from tasks.native.build import library
from tasks.rule_search import RuleSearch

USUAL_WIDTH = 149  # of the ring that `top` and `brief` are meant for
KEPT = 256  # rules that are remembered for export
STEP = 0.002  # of the score: less is no reason to be patient
SEEDS = (1 << 62) - 1


@dataclass
class HypercellDensity(Algorithm):
    """Rules earn by classifying configurations of the kinds around them, kinds by being hard but solvable.

    geometry: a name in configs/geometry, or the absolute path of a yaml like those. ticks: of a training.
    founders: fraction of places that begin with a kind; the others begin with a random rule. top: a
    batch of 64 configurations can bring 149 * 128 points, and guessing a quarter of them; with so many
    beyond that a rule has the most that it can, with fewer less by their square, in doublings. memory:
    batches that a rule is judged by in the end; ripen: at first it is `grown`, and one more every so many
    ticks. grown: after how many it is. rest: one that has been judged by as many as it remembers eats every
    so many ticks. feed: doublings, in 1/16, between the worth of a kind
    that all or none can solve and of the best. folds: "any" symmetry of tables may evolve, or only
    "none", "swap", "mirror", "both". flips: of a child's table beyond one, in 1/32; cross: chance, in
    1/256, that a child is crossed with a neighbour; caste: that it is of the other kind; mutation: that
    a gene has a bit flipped. All of these are what founders begin with, and evolve. brief: steps, of a
    ring of 149, of others in proportion, in which more of a batch must have become uniform, or it ends;
    0: it never does. fade: ticks in which the kinds of a space become fair coins, all alike; 0: they
    never do. epoch: ticks between two looks for a better rule; retest: fair coins that decide which is.
    patience: ticks without a better rule, times the number of spaces so far, after which a space is given
    up; 0: never. Then, and where all kinds have died out and the rules have starved, other founders begin
    anew; the best of all spaces is kept.

    Ablations: kinds (without them all rules live on the whole spread alike), common_coins (each throws its
    own), reproduction, neighbours, heredity, one_location.
    """

    families: ClassVar[tuple[str, ...]] = ("rule_search",)

    geometry: str = "torus"
    ticks: int = 2000
    founders: float = 0.25
    top: int = 17000
    memory: int = 16
    ripen: int = 64
    grown: int = 2
    rest: int = 2
    feed: int = 64
    folds: str = "both"
    flips: int = 16
    cross: int = 128
    caste: int = 48
    mutation: int = 4
    brief: int = 32
    fade: int = 192
    epoch: int = 8
    retest: int = 1280
    patience: int = 3000
    kinds: bool = True
    common_coins: bool = True
    reproduction: bool = True
    neighbours: bool = True
    heredity: bool = True
    one_location: bool = False

    def __post_init__(self) -> None:
        for name, least, most in (
            ("ticks", 1, 1 << 30),
            ("top", 1, 1 << 20),
            ("memory", 1, 1 << 10),
            ("ripen", 1, 1 << 30),
            ("grown", 1, 1 << 10),
            ("rest", 1, 1 << 16),
            ("feed", 0, 448),
            ("flips", 0, 255),
            ("cross", 0, 255),
            ("caste", 0, 255),
            ("mutation", 0, 255),
            ("brief", 0, 1 << 16),
            ("fade", 0, 1 << 30),
            ("epoch", 1, 1 << 20),
            ("retest", 64, 1 << 24),
            ("patience", 0, 1 << 30),
        ):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise Refused(f"algo.{name}={value}: must be a whole number from {least} to {most}")
        if self.folds not in ("any", *FOLD_NAMES):
            raise Refused(f"algo.folds={self.folds}: must be any, {', '.join(FOLD_NAMES)}")
        if not 0 <= self.founders < 1:
            raise Refused(f"algo.founders={self.founders}: must be at least 0 and below 1")
        if self.grown > self.memory:
            raise Refused(
                f"algo.grown={self.grown}: must be at most algo.memory={self.memory}, or none would grow"
            )

    def prepare(self, spec: RuleSearch) -> None:
        if spec.goal != "density":
            raise Refused(
                f"hypercell classifies density; for task.goal={spec.goal} try algo="
                + ("genetic" if spec.goal == "synchronise" else "lookup")
            )
        super().prepare(spec)
        self.histories: dict[int, Hall] = {}
        self.shape = (
            space.build("here", {}) if self.one_location else space.geometry(str(self.geometry))
        )
        self.threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        self.biology = density.biology(spec.width, spec.radius)
        source, table = self.biology.source("cpu"), self.biology.events() or ""
        self.kernel = Kernel(
            library(kernel_text(source, table) if table else source, "density"), self.biology
        )
        self.counted = Counts(self.kernel.lib, table) if counting() and table else None
        self.simulator = Simulator(spec.radius, spec.width)
        world = self._world(0)
        world.run(2, self.threads)
        hall = Hall(self.simulator, spec, np.random.default_rng(0), self.retest)
        hall.look(np.zeros(spec.entries, np.uint8))

    def _world(self, seed: int) -> World:
        locations = self.shape.locations
        tile = TILE if self.threads == 1 else max(1, locations // (4 * self.threads))
        ablation = Ablation(self.reproduction, self.neighbours, self.heredity)
        world = World(self.kernel, self.shape, self.biology, seed, density.ECONOMY, ablation, tile)
        world.found(self._founders(locations, np.random.default_rng([self.spec.seed, seed])))
        params, P = world.space.params, density
        params[P.STEPS] = self.spec.steps
        params[P.TOP] = max(1, self.top * self.spec.width // USUAL_WIDTH)
        params[P.MEMORY], params[P.GROWN], params[P.REST] = self.memory, self.grown, self.rest
        params[P.FEED], params[P.RIPEN], params[P.FADE] = self.feed, self.ripen, self.fade
        brief = self.brief * self.spec.width // USUAL_WIDTH or self.spec.steps
        params[P.BRIEF] = min(brief, self.spec.steps)
        params[P.COINS] = self.common_coins
        params[P.FOLDS] = 15 if self.folds == "any" else 1 << FOLD_NAMES.index(self.folds)
        params[P.MENU] = 0 if self._coevolves else SPREADS
        return world

    @property
    def _coevolves(self) -> bool:
        """A rule that hears of no kind would starve."""
        return self.kinds and self.neighbours and not self.one_location

    def _founders(self, locations: int, rng: np.random.Generator) -> Iterator[Founder]:
        # Rules that turn a cell over by a chance of their own: from none to all, as the published recipes'
        # ones are uniform. Half of the entries at random would nearly always be chaos.
        entries = self.spec.entries
        own = (np.arange(entries) >> self.spec.radius & 1).astype(np.uint8)  # the cell itself
        every = round(1 / self.founders) if self.founders and self._coevolves else locations + 1
        for at in range(locations):
            fold = int(rng.integers(4)) if self.folds == "any" else FOLD_NAMES.index(self.folds)
            word = density.traits(fold, self.flips, self.cross, self.caste)
            engine = genes(self.mutation, threshold=64)
            if not self.heredity:
                engine = (int(rng.integers(1 << 32)), int(rng.integers(1 << 32)))
            if at % every == every - 1:
                spread = int(rng.integers(SPREADS))
                yield density.kinds(self.spec.radius, at, word, spread, engine)
            else:
                table = own ^ (rng.random(entries) < rng.random()).astype(np.uint8)
                yield density.rule(self.spec.radius, at, word, table, engine)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        if self.counted:
            self.counted.restart()
            self.simulator.take_counts()  # those of preparing
        seed = int(data["seed"][0])
        world, spaces, before, starved = self._world(seed & SEEDS), 1, 0, 0
        rng = np.random.default_rng([self.spec.seed, seed, 1])
        hall = self.histories[seed] = Hall(self.simulator, self.spec, rng, self.retest)
        while (lived := before + world.tick) < self.ticks:
            world.run(world.tick + min(self.epoch, self.ticks - lived), self.threads)
            at, merit = world.champion()
            if at >= 0 and merit >= 0:
                hall.look(density.table_of(world.genome(at), self.spec.radius), lived)
            lived = before + world.tick
            yield Progress(lived, self.ticks, hall.score, Rule(hall.best))
            empty = world.population == 0
            stuck = 0 < self.patience * spaces <= lived - hall.better_at
            if (empty or stuck) and lived < self.ticks:
                if empty and not starved:
                    print(
                        f"hypercell: everybody had starved by tick {lived}; a space was founded anew"
                    )
                world, spaces, before = self._world(seed + spaces & SEEDS), spaces + 1, lived
                starved += empty
                hall.renew(lived)
            self.world = world
        if starved > 1:
            print(f"hypercell: in all {starved} spaces of {spaces} starved")
        return Rule(hall.best)

    def counts(self) -> dict[str, Any] | None:
        """What the locations did, and the rings that were run to choose what is exported. A location's
        ring lies on its stack, whose bytes are not counted; the simulator's are."""
        if not self.counted:
            return None
        arrays = self.world.arrays
        told = self.counted.told(sum(array.nbytes for array in arrays.values()))
        events = self.counted.events
        told["communication_bytes"] = sum(events[f"SENT_{axis}"] for axis in range(AXES))
        trials = self.simulator.take_counts()
        for name in ("read_bytes", "written_bytes"):
            told[name] += trials[name]
        for kind, many in trials["operations"].items():
            told["operations"][kind] = told["operations"].get(kind, 0) + many
        return told | {"notes": trials["notes"]}

    def pictures(self, data: dict[str, np.ndarray]) -> dict[str, bytes]:
        """The best rule on an easy and a hard configuration, and its score over time."""
        hall = self.histories[int(data["seed"][0])]
        return pictures(hall.best, self.spec, hall.points)


class Hall:
    """Who has been the best, by trials on fair coins. best: uint8 [entries]. points: (CPU seconds, score)
    whenever another one was. Champions of the world are luckier than they are good, so each is tried
    again, and so is whoever of the earlier ones may yet be better. better_at: the tick at which this
    space's best last was surely better."""

    def __init__(
        self, simulator: Simulator, spec: RuleSearch, rng: np.random.Generator, retest: int
    ) -> None:
        self.simulator, self.spec, self.rng, self.retest = simulator, spec, rng, retest
        self.best = np.zeros(spec.entries, np.uint8)
        self.tried: dict[bytes, tuple[int, int]] = {}  # hits of trials
        self.score, self.better_at, self.sure = 0.0, 0, 0.0
        # The best of earlier spaces, its hits and trials.
        self.earlier: tuple[bytes, tuple[int, int]] = (self.best.tobytes(), (0, 1))
        self.points: list[tuple[float, float]] = []
        self.begin_s = time.process_time()

    def renew(self, tick: int) -> None:
        """Another space: its rules are held against each other, and the best against the best so far."""
        if (key := self.best.tobytes()) in self.tried:
            self.earlier = key, self.tried[key]
        self.tried, self.sure, self.better_at = {}, 0.0, tick

    def look(self, table: np.ndarray, tick: int = 0) -> None:
        """Tries a rule, and the most promising of those that were tried before."""
        promising = max(self.tried, key=lambda key: self._bound(key, 2.0), default=None)
        for key in dict.fromkeys((table.tobytes(), promising or table.tobytes())):
            rule = np.frombuffer(key, np.uint8)
            state = bits.fair_coins(self.rng, self.retest, self.spec.width)
            solved = self.simulator.solved_many(rule[None], state, self.spec.steps)[0]
            hits, trials = self.tried.get(key, (0, 0))
            hits += int(solved[: self.retest].sum())
            self.tried[key] = hits, trials + self.retest
        best = max(self.tried, key=lambda key: self._bound(key, -1.0))
        if self._bound(best, -1.0) > self.sure + STEP:
            self.sure, self.better_at = self._bound(best, -1.0), tick
        found = self.tried[best]  # hits, trials
        if len(self.tried) > KEPT:
            order = sorted(self.tried, key=lambda key: self._bound(key, 1.0), reverse=True)
            self.tried = {key: self.tried[key] for key in order[: KEPT // 2]}
        both = self.earlier, (best, found)
        best, found = max(both, key=lambda one: bound(one[1][0], one[1][1], -1.0))
        self.score = bound(*found, 0.0)
        if best != self.best.tobytes():
            self.best = np.frombuffer(best, np.uint8).copy()
            self.points.append((time.process_time() - self.begin_s, self.score))

    def _bound(self, key: bytes, errors: float) -> float:
        """The share that a rule solved, and so many standard errors (of a fair coin) on it."""
        return bound(*self.tried[key], errors)


def bound(hits: int, trials: int, errors: float) -> float:
    return hits / trials + errors * 0.5 / sqrt(trials)
