"""The density biology in slow Python, for `oracle.Oracle`; kernel/density.h says what it does and why.

Configurations are uint8 [64, width], one cell each, and step by the automaton's definition. The table that
a rule lives by is `density.table_of`'s, so where the hashes agree, it is the kernel's.
"""

from __future__ import annotations

import numpy as np

from algorithms.hypercell.arithmetic import Words, below
from algorithms.hypercell.density import (
    BRIEF,
    COINS,
    FADE,
    FEED,
    FOLDS,
    GROWN,
    KINDS,
    MEMORY,
    MENU,
    REST,
    RIPEN,
    RULE,
    SPREADS,
    STEPS,
    TOP,
    table_of,
    table_size,
)
from algorithms.hypercell.oracle import ANEW, Here, Oracle
from tasks.automaton import oracle

BATCH, STALE, POCKET = 64, 32, 4
LEAST, MOST = 32, 448
COINS_STREAM = 2
KIND, TRAITS, SPREAD, TABLE = range(4)  # genome
SWAP = 1  # of a fold
SCORE, BATCHES, FOOD, FOOD_ID, AGE, ATE, HITS, MATED, MATE = range(9)  # state
S_KIND, S_ID, S_POINTS, S_HITS, S_GROWN, S_TABLE = range(6)  # signal


def quotient(a: int, b: int) -> int:
    """As C divides: towards zero. b > 0."""
    return a // b if a >= 0 else -(-a // b)


def power(x: int) -> int:
    """2^(x / 16) for x from 0 to MOST, by straight lines between powers."""
    whole, part = divmod(min(max(x, 0), MOST), 16)
    return (16 + part) * 2**whole // 16


def average(state: Words, value: int, memory: int) -> None:
    if state[BATCHES] < memory:
        state[BATCHES] += 1
    state[SCORE] += quotient(value - state[SCORE], state[BATCHES])


def stand(here: Here, worth: int) -> None:
    missing = worth + here.space.economy.rent - here.energy
    here.earned += max(missing, 0)
    here.spent += max(-missing, 0)


def get_by(here: Here) -> None:
    here.earned += here.space.economy.rent + POCKET


def tell(here: Here, id: int, points: int, hits: int, grown: bool) -> None:
    here.signal = [here.genome[KIND], id, points, hits, int(grown), *here.genome[TABLE:]]


class DensityLife:
    """width: cells of a ring. radius: neighbours to each side that a cell sees."""

    def __init__(self, width: int, radius: int) -> None:
        self.width, self.radius = width, radius
        self.entries, self.words = 2 ** (2 * radius + 1), table_size(radius)
        everything = 2 * BATCH * width
        self.floor, self.hardship = everything // 4 - 400, everything // 19 * 3

    def arrive(self, here: Here, carry: Words) -> None:
        pass

    def _draw(self, here: Here, spread: int) -> np.ndarray:
        """uint8 [64, width]: a cell is a one where a random number of seven digits is below the chance,
        by pairs of configurations, of which the second has ones and zeros swapped."""
        pair = np.arange(BATCH) // 2
        chance = 64 + spread * pair // (BATCH // 2 - 1)
        digits = range(7) if spread else [6]
        coins = len(digits) * self.width
        words = [word for i in range(-(-coins // 2)) for word in self._coins(here, i)]
        packed = np.array(words, "<u4").view(np.uint8).reshape(-1, 8)
        heads = np.unpackbits(packed, axis=1, bitorder="little")[:coins].astype(np.int64)
        weights = np.array([1 << digit for digit in digits])
        number = np.einsum("idl,d->li", 1 - heads.reshape(self.width, -1, BATCH), weights)
        cells = number < chance[:, None]
        return (cells ^ (np.arange(BATCH) % 2 == 1)[:, None]).astype(np.uint8)

    def _coins(self, here: Here, draw: int) -> tuple[int, int, int, int]:
        if here.space.params[COINS]:
            return here.space.dice(here.tick, 0, draw, COINS_STREAM)
        return here.roll(draw)

    def _judge(self, here: Here, table: np.ndarray, spread: int) -> tuple[int, int]:
        """Points of a batch, and how many of it are solved."""
        after = self._draw(here, spread)
        ones = 2 * after.sum(axis=1) > self.width
        left, over = here.space.params[STEPS], 0
        while left:
            part = min(here.space.params[BRIEF], left)
            after, left = oracle.run(table, after, part), left - part
            uniform = int((after == after[:, :1]).all(axis=1).sum())
            if uniform <= over:
                break
            over = uniform
        right = (after == ones[:, None]).sum(axis=1)
        solved = right == self.width
        points = right + self.width * solved
        if here.genome[TRAITS] & SWAP:
            return int(points.sum()), int(solved.sum())
        worst = BATCH * self.width
        for side in (ones, ~ones):
            if side.any():
                worst = min(worst, int(points[side].sum()) * (BATCH // 2) // int(side.sum()))
        return 2 * worst, int(solved.sum())

    def _worth(self, here: Here, more: int = 0) -> int:
        beyond, top = max(here.state[SCORE] - self.floor, 0), here.space.params[TOP]
        return power(LEAST + (MOST - LEAST) * beyond**2 // top**2 + more)

    def live(self, here: Here) -> None:
        if here.genome[KIND] == RULE:
            self._live_rule(here)
        else:
            self._live_kinds(here)

    def _listen(self, here: Here) -> None:
        for signal in here.signals:
            if signal[S_KIND] == KINDS:
                here.state[FOOD : AGE + 1] = [signal[S_POINTS] + 1, signal[S_ID], 0]
            elif signal[S_GROWN]:
                here.state[MATED : MATE + self.words] = [1, *signal[S_TABLE:]]

    def _live_rule(self, here: Here) -> None:
        params, state = here.space.params, here.state
        self._listen(here)
        if params[MENU]:
            state[FOOD], state[FOOD_ID] = params[MENU], here.id
        elif state[FOOD]:
            state[AGE] += 1
            if state[AGE] > STALE + 1:
                state[FOOD] = 0
        if not state[FOOD]:
            return tell(here, 0, 0, 0, False)
        now, grown = here.tick + here.id, state[BATCHES] >= params[GROWN]
        memory = min(params[GROWN] + here.tick // params[RIPEN], params[MEMORY])
        rests = state[BATCHES] >= memory and now % params[REST] != 0
        table = table_of(np.array(here.genome, np.uint32), self.radius)
        if rests:
            get_by(here)
            return tell(here, 0, state[ATE], state[HITS], grown)
        spread, fade = state[FOOD] - 1, params[FADE]
        if fade:
            spread = spread * max(fade - here.tick, 0) // fade
        points, hits = self._judge(here, table, spread)
        points += self.hardship * (SPREADS - spread) ** 3 // SPREADS**3
        state[ATE], state[HITS] = points, hits
        average(state, points, memory)
        grown = state[BATCHES] >= params[GROWN]
        if grown:
            stand(here, self._worth(here))
        else:
            get_by(here)
        return tell(here, state[FOOD_ID] + 1, points, hits, grown)

    def _live_kinds(self, here: Here) -> None:
        params, state = here.space.params, here.state
        for signal in here.signals:
            if signal[S_KIND] == RULE and signal[S_ID] == here.id + 1 and signal[S_GROWN]:
                average(state, signal[S_POINTS], params[MEMORY])
                solved = signal[S_HITS]
                hard = 1728 * solved**2 // BATCH * (BATCH - solved) // BATCH**2
                state[HITS] += quotient(hard - state[HITS], state[BATCHES])
                state[AGE] = 0
        state[AGE] += 1
        if state[AGE] > STALE:
            stand(here, 1)
        elif state[BATCHES] < params[GROWN]:
            get_by(here)
        else:
            stand(here, self._worth(here, state[HITS] * params[FEED] // 256 - 16))
        tell(here, here.id, here.genome[SPREAD], 0, False)

    def conceive(self, here: Here, genome: Words, state: Words, rate: int) -> None:
        params = here.space.params
        d, e = here.roll(0x10000), here.roll(0x10001)
        if rate == ANEW:
            genome[KIND] = RULE if params[MENU] else d[0] & 1
            genome[TRAITS], genome[SPREAD] = d[1], d[2] % SPREADS
            genome[TABLE:] = here.roll(0x10002)[: self.words]
        else:
            self._inherit(here, genome, state, rate, d, e)
        fold = next(f % 4 for f in range(genome[TRAITS] & 3, 8) if params[FOLDS] >> f % 4 & 1)
        genome[TRAITS] = genome[TRAITS] & ~3 | fold
        if KINDS in (genome[KIND], here.genome[KIND]):
            state[FOOD] = state[AGE] = 0
        for register in (SCORE, BATCHES, HITS, MATED):
            state[register] = 0

    def _inherit(
        self,
        here: Here,
        genome: Words,
        state: Words,
        rate: int,
        d: tuple[int, ...],
        e: tuple[int, ...],
    ) -> None:
        for i in range(4):
            chance = e[i // 2] >> 16 * (i % 2)
            if chance & 255 < rate:
                genome[TRAITS] ^= 1 << 8 * i + (chance >> 8 & 7)
        _, flips, cross, caste = genome[TRAITS].to_bytes(4, "little")
        table = self._bits(genome[TABLE:])
        if state[MATED] and genome[KIND] == RULE and d[0] & 255 < cross:
            cut = below(d[1], self.entries)
            table[cut:] = self._bits(state[MATE:])[cut:]
        for k in range(1 + flips // 32 + (d[2] % 32 < flips % 32)):
            table[below(here.roll(0x10003 + k)[0], self.entries)] ^= 1
        # Of radius 1 a word has more bits than the table, which stay as they are.
        high = genome[TABLE] >> self.entries << self.entries if self.entries < 32 else 0
        for w in range(self.words):
            own = table[32 * w : 32 * w + 32]
            genome[TABLE + w] = sum(bit << i for i, bit in enumerate(own)) | high
        if d[0] >> 8 & 255 < rate or genome[KIND] == KINDS:
            spread = abs(genome[SPREAD] + d[3] % 16 - 8)
            genome[SPREAD] = spread if spread < SPREADS else 2 * SPREADS - 2 - spread
        if not here.space.params[MENU] and d[0] >> 16 & 255 < caste:
            genome[KIND] ^= 1

    def _bits(self, words: Words) -> list[int]:
        return [words[at // 32] >> at % 32 & 1 for at in range(self.entries)]

    def pack(self, here: Here, genome: Words, wanted: int) -> Words:
        return []

    def merit(self, space: Oracle, genome: Words, state: Words) -> int:
        if genome[KIND] != RULE:
            return -1
        return (state[SCORE] * state[BATCHES] << 8) // (state[BATCHES] + 2)
