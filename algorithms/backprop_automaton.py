"""Backpropagation through a cellular automaton's steps, to find the rule that all of its cells follow.

The rule is a table of latent weights, of which the sign is the output and which are held within -1 ... 1
(BinaryConnect: Courbariaux, Bengio and David 2015). Forward the automaton runs as it will be used, cells
being 0 or 1, but each is drawn: it becomes what the table says but for a chance `noise`. Backward the
gradient goes straight through signs and draws (Bengio, Léonard and Courville 2013) and from a cell to its
neighbourhood through the multilinear extension of the table. The loss is the share of cells that end
other than wanted. What makes it work is a curriculum: rings run for 3 steps at first, for which a local
majority is the best rule, and then for ever more, while the noise fades; a cell's gradient is held within
bounds at every step; and the table is its own mirror image in opposite colours, which halves it.

Trainings differ much, so there are several: at each of `starts` there are `fresh` from scratch, and the
best goes on at the long horizon until that brings nothing. Which rule is the best is decided by running
those that a training passed through on fair coins; that, too, is part of the training.

A rule of a torus, of which one step is shown, has no time to go back through: its logits are learned by
cross-entropy, full batch.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from algorithms.automaton_gradient import LANES, WORDS, Gradient, opposite
from algorithms.base import Algorithm, Progress, Refused, Training
from algorithms.counting import together
from algorithms.rule_pictures import Rule, pictures
from tasks.automaton import bits, torus
from tasks.automaton.simulator import Simulator
from tasks.rule_search import RuleSearch

BETA1, BETA2 = 0.9, 0.99  # Adam's
APART = 0.12  # a training ring's density is drawn from within this of one half
JITTER = 0.2  # share by which a step's horizon is drawn longer or shorter
FIRST, SECOND, LAST = 512, 2048, 16384  # fair coins on which the rules passed through are tried
STAY = 8  # of them that are tried a second time
LUCK = 0.01  # by which a score on SECOND may be better than it deserves
KINDS = 18  # a torus's cell and its number of neighbours

Trained = Generator[Progress, None, tuple[float, np.ndarray]]  # a score and its table


@dataclass
class BackpropAutomaton(Algorithm):
    """starts: times that everything is begun anew. fresh: trainings from scratch at each start, of
    `iterations` steps of Adam at rate lr. refine: steps of a training that goes on from a start's best
    rule; patience: such trainings without a better one after which the start is over.

    batch: rings per step, a multiple of 4. ring: cells of a training ring, at most; rules are judged on
    the task's. first: the horizon in steps at the beginning; reach: where it has grown to, times the
    ring's cells, after the share `ramp` of a training; a refinement begins at 0.6 of it. noise, least:
    chance that a cell is not what the table says, at the beginning and after the ramp; a refinement
    begins at twice the least. limit: bound of the gradient by a cell. init, spread: latent weights of a
    training from scratch: their slope, per cell, towards the local majority (synchronise: minority), and
    their standard deviation. trust: their size when a rule is refined. symmetric: see above. check: steps
    between two rules that are tried. epochs, rate: of the training on pairs.
    """

    families: ClassVar[tuple[str, ...]] = ("rule_search",)

    starts: int = 6
    fresh: int = 6
    iterations: int = 1000
    refine: int = 400
    patience: int = 8
    lr: float = 0.02
    batch: int = 32
    ring: int = 149
    first: int = 3
    reach: float = 0.67
    ramp: float = 0.7
    noise: float = 0.05
    least: float = 0.005
    limit: float = 5.0
    init: float = 0.5
    spread: float = 0.5
    trust: float = 0.3
    symmetric: bool = True
    check: int = 10
    epochs: int = 300
    rate: float = 0.3

    def __post_init__(self) -> None:
        for name in (
            *("starts", "fresh", "iterations", "refine", "patience", "batch", "ring", "first"),
            *("check", "epochs"),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise Refused(f"algo.{name}={value!r}: must be a whole number of at least 1")
        if self.batch % LANES:
            raise Refused(f"algo.batch={self.batch}: must be a multiple of {LANES}")
        for name in ("lr", "reach", "limit", "spread", "trust", "rate"):
            if not 0 < getattr(self, name) < np.inf:
                raise Refused(f"algo.{name}={getattr(self, name)}: must be above 0")
        for name, high in (("noise", 0.5), ("least", 0.5), ("ramp", 1.0), ("trust", 1.0)):
            if not 0 < getattr(self, name) <= high:
                raise Refused(
                    f"algo.{name}={getattr(self, name)}: must be above 0 and at most {high}"
                )
        if not abs(self.init) < np.inf:
            raise Refused(f"algo.init={self.init}: must be finite")

    def prepare(self, spec: RuleSearch) -> None:
        super().prepare(spec)
        self.bests: dict[int, Best] = {}
        if spec.goal == "life":
            return
        self.width = min(spec.width, self.ring - 1 + self.ring % 2)
        if self.width < 2 * spec.radius + 1:
            raise Refused(
                f"algo.ring={self.ring}: a cell sees {2 * spec.radius + 1} cells, take more"
            )
        self.longest = min(spec.steps, max(self.first, round(self.reach * self.width)))
        self.gradient = Gradient(spec.radius, self.width, self.longest, spec.goal, self.limit)
        self.simulator = Simulator(spec.radius, spec.width)
        self.opposite = opposite(spec.radius)
        # The outputs for 0...0 and 1...1 go without saying: to stay, or to blink.
        self.ends = -1.0 if spec.goal == "density" else 1.0
        index = np.arange(spec.entries)
        ones = np.sum([(index >> k) & 1 for k in range(2 * spec.radius + 1)], axis=0)
        self.slope = -self.ends * (ones - spec.radius - 0.5)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        if self.spec.goal == "life":
            return (yield from self._pairs(data))
        if self.gradient.counted:
            self.gradient.counted.restart()
            self.simulator.take_counts()  # those of preparing
        rng = np.random.default_rng([self.spec.seed, int(data["seed"][0])])
        best = self.bests[int(data["seed"][0])] = Best(self.spec, rng)
        for _ in range(self.starts):
            here, table = -1.0, best.table
            for _ in range(self.fresh):
                found, new = yield from self._training(rng, best, None)
                if found > here:
                    here, table = found, new
            since = 0
            while since < self.patience:
                found, new = yield from self._training(rng, best, table)
                since += 1
                if found > here:
                    here, table, since = found, new, 0
        return Rule(best.table)

    def counts(self) -> dict[str, Any] | None:
        """What the gradient did, and the rings that decided which rule is the best. On pairs numpy does
        all, which is counted apart."""
        if self.spec.goal == "life" or not self.gradient.counted:
            return None
        return together(
            self.gradient.counted.told(self.gradient.bytes), self.simulator.take_counts()
        )

    def pictures(self, data: dict[str, np.ndarray]) -> dict[str, bytes]:
        best = self.bests.get(int(data["seed"][0]))
        return {} if best is None else pictures(best.table, self.spec, best.points)

    def _training(self, rng: np.random.Generator, best: Best, table: np.ndarray | None) -> Trained:
        """One training, from scratch or from a table; the best rule that it passed through.

        It is also made `best` if it is, and progress is told.
        """
        spec = self.spec
        steps, first, noise = self.iterations, float(self.first), self.noise
        if table is None:
            weights = self.init * self.slope + self.spread * rng.standard_normal(spec.entries)
        else:
            steps, first, noise = self.refine, 0.6 * self.longest, 2 * self.least
            about = 1 + self.trust * rng.standard_normal(spec.entries)
            weights = self.trust * about * (2.0 * table - 1)
        words = rng.integers(1, 1 << 32, WORDS, dtype=np.uint32)
        adam = Adam(spec.entries, self.lr)
        passed: dict[bytes, None] = {}  # a set that keeps the order
        for step in range(steps):
            weights = np.clip(self._own(weights), -1, 1)
            weights[0], weights[-1] = self.ends, -self.ends
            if step % self.check == 0 and (table is not None or step > steps * self.ramp / 4):
                passed[(weights > 0).astype(np.uint8).tobytes()] = None
                yield Progress(best.trainings, 0, predictor=Rule(best.table))
            grown = min(1.0, step / (steps * self.ramp))
            chance = noise * (self.least / noise) ** grown
            chances = np.where(weights > 0, 1 - chance, chance)
            horizon = self._horizon(rng, first, grown)
            _, gradient = self.gradient(chances, self._rings(rng), horizon, words)
            weights = weights - adam.step(self._own(gradient))
        score, found = self._try(np.array([np.frombuffer(key, np.uint8) for key in passed]), best)
        best.trainings += 1
        yield Progress(best.trainings, 0, 1 - best.score, Rule(best.table))
        return score, found

    def _horizon(self, rng: np.random.Generator, first: float, grown: float) -> int:
        """Steps to run: from first to the longest as `grown` goes from 0 to 1, give or take JITTER."""
        steps = first * (self.longest / first) ** grown * rng.uniform(1 - JITTER, 1 + JITTER)
        return min(self.longest, max(1, round(steps)))

    def _own(self, values: np.ndarray) -> np.ndarray:
        """The part of a table's weights or gradient that is its own opposite."""
        return (values - values[self.opposite]) / 2 if self.symmetric else values

    def _rings(self, rng: np.random.Generator) -> np.ndarray:
        """Cells uint8 [batch, width], each ring of a density of its own."""
        density = 0.5 + APART * rng.uniform(-1, 1, (self.batch, 1))
        return (rng.random((self.batch, self.width), np.float32) < density).astype(np.uint8)

    def _try(self, tables: np.ndarray, best: Best) -> tuple[float, np.ndarray]:
        """The best of tables [k, entries] and its fraction right on SECOND fair coins."""
        right = self._right(tables, best.coins[FIRST])
        tables = tables[np.argsort(-right, kind="stable")[:STAY]]
        right = self._right(tables, best.coins[SECOND])
        score, table = float(right.max()), tables[right.argmax()]
        if score > best.score - LUCK and (table != best.table).any():
            last = float(self._right(table[None], best.coins[LAST])[0])
            if last > best.score:
                best.found(table, last)
        return score, table

    def _right(self, tables: np.ndarray, state: np.ndarray) -> np.ndarray:
        """float [k]: the fraction of the configurations on which each rule does what is asked."""
        spec = self.spec
        if spec.goal == "density":
            return self.simulator.solved_many(tables, state, spec.steps).mean(axis=1)
        right = np.zeros(len(tables))
        for i in np.flatnonzero((tables[:, 0] == 1) & (tables[:, -1] == 0)):  # others never blink
            ones = bits.ones(self.simulator.data(tables[i], state, spec.steps))
            right[i] = ((ones == 0) | (ones == spec.width)).mean()
        return right

    def _pairs(self, data: dict[str, np.ndarray]) -> Training:
        """Logits of the 512 outputs, each a weight of its own and one that its kind of neighbourhood
        shares, by which what was not shown is guessed; Adam on the cross-entropy of all pairs."""
        index = torus.neighbourhoods(data["before"]).ravel()
        seen = np.bincount(index, minlength=torus.ENTRIES) / index.size
        ones = np.bincount(index, data["after"].ravel(), torus.ENTRIES) / index.size
        kind = torus.outer_totalistic(np.arange(KINDS // 2), np.arange(KINDS // 2, KINDS))
        weights = np.zeros(torus.ENTRIES + KINDS + 1)  # the last is every output's
        adam = Adam(len(weights), self.rate)
        for epoch in range(self.epochs):
            own, shared, all_of = np.split(weights, [torus.ENTRIES, torus.ENTRIES + KINDS])
            logits = own + shared[kind] + all_of
            error = seen / (1 + np.exp(-logits)) - ones
            gradient = np.concatenate([error, np.bincount(kind, error, KINDS), [error.sum()]])
            loss = float((seen * np.logaddexp(0, logits) - ones * logits).sum())
            yield Progress(epoch, self.epochs, loss, Rule((logits > 0).astype(np.uint8)))
            weights = weights - adam.step(gradient)
        own, shared, all_of = np.split(weights, [torus.ENTRIES, torus.ENTRIES + KINDS])
        return Rule((own + shared[kind] + all_of > 0).astype(np.uint8))


class Adam:
    """Kingma and Ba 2015. rate: what a step changes, about."""

    def __init__(self, size: int, rate: float) -> None:
        self.rate, self.steps = rate, 0
        self.mean, self.square = np.zeros(size), np.zeros(size)

    def step(self, gradient: np.ndarray) -> np.ndarray:
        """What to take from the parameters."""
        self.steps += 1
        self.mean += (1 - BETA1) * (gradient - self.mean)
        self.square += (1 - BETA2) * (gradient * gradient - self.square)
        root = np.sqrt(self.square / (1 - BETA2**self.steps)) + 1e-9
        return self.rate * self.mean / (1 - BETA1**self.steps) / root


class Best:
    """The best rule so far, the fair coins that rules are tried on, and how the best came to be.

    points: CPU seconds since training began, and the score, the fraction right of LAST configurations.
    """

    def __init__(self, spec: RuleSearch, rng: np.random.Generator) -> None:
        self.table, self.score = np.zeros(spec.entries, np.uint8), 0.0
        self.coins = {m: bits.fair_coins(rng, m, spec.width) for m in (FIRST, SECOND, LAST)}
        self.trainings = 0
        self.points: list[tuple[float, float]] = []
        self.begun_s = time.process_time()

    def found(self, table: np.ndarray, score: float) -> None:
        self.table, self.score = table.copy(), score
        self.points.append((time.process_time() - self.begun_s, score))
