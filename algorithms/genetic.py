"""The genetic algorithm of the evolving cellular automata project, which set the task's yardstick.

Mitchell, Crutchfield and Hraber 1994 ("Evolving cellular automata to perform computations: mechanisms
and impediments", Physica D 75); Das, Crutchfield, Mitchell and Hanson 1995 for synchronisation. Their
recipe: 100 rules, whose fractions of ones begin uniform on 0 ... 1; each generation every rule is tried
on the same 100 new configurations; the best 20 stay, and the other 80 are children of pairs of these by
single-point crossover, with 2 bits mutated. Theirs are 100 generations and configurations of uniform
density. What is added here: rules are of the symmetry that the goal has, and their first and last entry
as it needs them; configurations fill two machine words; density goes over to fair coins, which is what is
asked in the end; a start that finds nothing better is given up for a new one; the best are tested again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from algorithms.base import Algorithm, Progress, Refused, Training
from algorithms.rule_pictures import Rule, pictures
from tasks.automaton import bits
from tasks.automaton.simulator import Simulator
from tasks.rule_search import ENDS, RINGS, RuleSearch

PICKED_ON = 1024  # fair coins on which the elite's best is picked


@dataclass
class Genetic(Algorithm):
    """population: rules. elite: how many of them stay and have children. configurations: that all
    rules of a generation are tried on. generations: in all, of all starts together. mutations: bits
    changed in each child, places drawn with replacement. uniform: generations of a start over which
    the share of configurations of uniform density falls from 1 to 0, in a straight line; the others
    are fair coins; 0 for fair coins from the outset, -1 for uniform density throughout, as was
    published. patience: generations of a start without a better rule after which it is given up for a
    new one, counted from the end of that fall; 0 to go on for ever. check: every so many generations
    the elite is tried on `retest` fair coins, on which its best must then beat the best of all starts.
    brief: steps of a generation's trials in which more of 64 configurations must have become uniform, or
    the rest count as not solved; 0: all steps are run, and always where the elite is tested again.
    symmetric: only rules that treat 1 read from the right as 0 read from the left, as GKL and its kind
    do: half as many entries are free; null for density alone, since it slows synchronising down. The
    recipe as published: configurations 100, uniform -1, patience 0, symmetric false.
    """

    families: ClassVar[tuple[str, ...]] = ("rule_search",)

    population: int = 100
    elite: int = 20
    configurations: int = 128
    generations: int = 100
    mutations: int = 2
    uniform: int = 50
    patience: int = 50
    check: int = 10
    retest: int = 4096
    brief: int = 0
    symmetric: bool | None = None

    def __post_init__(self) -> None:
        for name, least in (
            ("population", 2),
            ("elite", 1),
            ("configurations", 1),
            ("generations", 1),
            ("mutations", 0),
            ("uniform", -1),
            ("patience", 0),
            ("check", 1),
            ("retest", 1),
            ("brief", 0),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise Refused(f"algo.{name}={value!r}: must be a whole number of at least {least}")
        if self.elite >= self.population:
            raise Refused(
                f"algo.elite={self.elite}: must be below algo.population={self.population}, or there "
                "is no room for children"
            )

    def prepare(self, spec: RuleSearch) -> None:
        if spec.goal not in RINGS:
            raise Refused(f"genetic runs rings; try algo=lookup with task.goal={spec.goal}")
        if self.brief and spec.goal != "density":
            raise Refused(
                f"algo.brief={self.brief}: rings that {spec.goal} never rest; leave it at 0 for "
                f"task.goal={spec.goal}"
            )
        super().prepare(spec)
        self.histories: dict[int, History] = {}
        self.simulator = Simulator(spec.radius, spec.width)
        self.mirrors = spec.goal == "density" if self.symmetric is None else self.symmetric
        # Every neighbourhood whose middle cell is 0, and what it is complemented and read backwards.
        index = np.arange(spec.entries)
        backwards = index.reshape((2,) * (2 * spec.radius + 1)).transpose().reshape(-1)
        low = index[(index >> spec.radius) % 2 == 0]
        self.opposites = low, spec.entries - 1 - backwards[low]
        idle = np.zeros((1, spec.entries), np.uint8)
        self._right(idle, np.zeros((spec.width, 1), np.uint64), 1)  # whatever is to be compiled

    def train(self, data: dict[str, np.ndarray]) -> Training:
        self.simulator.take_counts()  # those of preparing
        seed = int(data["seed"][0])
        rng = np.random.default_rng([self.spec.seed, seed])
        best = History(np.zeros(self.spec.entries, np.uint8))
        self.histories[seed] = best
        start = self._start(rng, best)
        for generation in range(self.generations):
            if not next(start):
                start = self._start(rng, best)
            yield Progress(generation + 1, self.generations, best.score, predictor=Rule(best.table))
        return Rule(best.table)

    def counts(self) -> dict[str, Any]:
        """What the rings did; what is numpy's is counted apart."""
        return self.simulator.take_counts()

    def pictures(self, data: dict[str, np.ndarray]) -> dict[str, bytes]:
        best = self.histories[int(data["seed"][0])]
        return pictures(best.table, self.spec, best.points)

    def _start(self, rng: np.random.Generator, best: History) -> Iterator[bool]:
        """One population's generations: says after each whether to go on."""
        tables = self._first(rng)
        fall, here, since, generation = max(0, self.uniform), 0.0, 0, 0
        while True:
            state = self._configurations(rng, generation)
            fitness = self._right(tables, state, self.configurations, self.brief).sum(axis=1)
            # Equals are in random order: what has stayed has no right of seniority.
            order = np.lexsort((rng.random(len(tables)), -fitness))
            elite = tables[order[: self.elite]]
            generation += 1
            if generation % self.check == 0:
                since += self.check
                found = self._check(rng, elite, best)
                if found > here or generation <= fall:
                    here, since = max(here, found), 0
            yield not self.patience or since < self.patience
            tables = np.concatenate([elite, self._children(rng, elite)])

    def _first(self, rng: np.random.Generator) -> np.ndarray:
        """Tables [population, entries] whose fractions of ones are uniform on 0 ... 1."""
        entries = self.spec.entries
        order = np.argsort(rng.random((self.population, entries)), axis=1)
        ones = rng.integers(0, entries + 1, (self.population, 1))
        return self._ended((order < ones).astype(np.uint8))

    def _children(self, rng: np.random.Generator, elite: np.ndarray) -> np.ndarray:
        """Tables [population - elite, entries]: crossover at one point, then mutation."""
        entries, count = self.spec.entries, self.population - self.elite
        mothers, fathers = elite[rng.integers(0, len(elite), (2, count))]
        cut = rng.integers(1, entries, (count, 1))
        children = np.where(np.arange(entries) < cut, mothers, fathers)
        for place in rng.integers(0, entries, (self.mutations, count)):
            children[np.arange(count), place] ^= 1
        return self._ended(children)

    def _ended(self, tables: np.ndarray) -> np.ndarray:
        """The same tables, with the ends that the goal needs and the symmetry that was asked for."""
        if self.mirrors:
            low, high = self.opposites
            tables[:, high] = 1 - tables[:, low]
        tables[:, 0], tables[:, -1] = ENDS[self.spec.goal]
        return tables

    def _configurations(self, rng: np.random.Generator, generation: int) -> np.ndarray:
        """A state of this generation's configurations, of uniform density first."""
        m, width = self.configurations, self.spec.width
        share = 1.0 if self.uniform < 0 else 0.0
        if self.uniform > 0:
            share = 1 - generation / self.uniform
        some = int(rng.binomial(m, max(0.0, share)))
        parts = ((bits.uniform_density, some), (bits.fair_coins, m - some))
        cells = [bits.unpack(draw(rng, k, width), k) for draw, k in parts if k]
        return bits.pack(np.concatenate(cells))

    def _check(self, rng: np.random.Generator, elite: np.ndarray, best: History) -> float:
        """The fraction of fair coins that the elite's best is right on; if it is, it becomes the best.

        The best of many was lucky, so other configurations pick it than it is then held against.
        """
        few = bits.fair_coins(rng, PICKED_ON, self.spec.width)
        picked = elite[self._right(elite, few, PICKED_ON).sum(axis=1).argmax()]
        many = bits.fair_coins(rng, self.retest, self.spec.width)
        score = float(self._right(picked[None], many, self.retest).mean())
        if score > best.score:
            best.found(picked, score)
        return score

    def _right(self, tables: np.ndarray, state: np.ndarray, m: int, brief: int = 0) -> np.ndarray:
        """bool [k, m]: whether each rule, its ends as they must be, is right on each of the first m."""
        spec = self.spec
        if spec.goal == "density":
            return self.simulator.solved_many(tables, state, spec.steps, brief)[:, :m]
        right = np.zeros((len(tables), m), bool)
        for found, table in zip(right, tables, strict=True):
            ones = bits.ones(self.simulator.data(table, state, spec.steps))[:m]
            found[:] = (ones == 0) | (ones == spec.width)
        return right


class History:
    """The best rule so far, and when each came to be: points of (CPU seconds of training, score)."""

    def __init__(self, table: np.ndarray) -> None:
        self.table, self.score = table, 0.0
        self.points: list[tuple[float, float]] = []
        self.begun_s = time.process_time()

    def found(self, table: np.ndarray, score: float) -> None:
        self.table, self.score = table.copy(), score
        self.points.append((time.process_time() - self.begun_s, score))
