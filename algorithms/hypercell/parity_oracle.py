"""The parity biology in slow Python, for `oracle.Oracle`; kernel/parity.h says what it does and why.

A row, a mask, a dual vector is one integer here: bit i for input i, bit n for the label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from algorithms.hypercell.arithmetic import WORD, Words, below, bytes_of, flipped, words_of
from algorithms.hypercell.oracle import ANEW, Here, Oracle
from algorithms.hypercell.parity import (
    BITE,
    BITS,
    DOUBT,
    GRAIN,
    HOLDER,
    LESSON,
    LUCK,
    MASK,
    ROWS,
    SEEN,
    SUN,
)

KIND, TRAITS, SECRET = range(3)  # genome
BOLD, DOUBTING, TALK, CASTE = range(4)  # bytes of TRAITS
SCORE, HITS, TRIALS, CURSOR, LEARNED = range(5)  # state


def joined(words: Iterable[int], bits: int) -> int:
    """One integer of words of so many bits, the lowest first."""
    return sum(int(word) << bits * i for i, word in enumerate(words))


def parts(value: int, count: int, bits: int) -> Words:
    return [value >> bits * i & (1 << bits) - 1 for i in range(count)]


def odd(a: int, b: int) -> bool:
    return (a & b).bit_count() % 2 == 1


def signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word


class ParityLife:
    """n: inputs of a row."""

    def __init__(self, n: int) -> None:
        self.n, self.label = n, 1 << n
        self.wide = n // 64 + 1  # words of 64 bits in a row
        self.lanes = -(-n // 8) * 8

    def arrive(self, here: Here, carry: Words) -> None:
        learned = 0
        if here.genome[KIND] == HOLDER:
            if carry:
                learned = self.n
                here.arena[:] = bytes(bytes_of(carry))
            else:
                self._write(here, [1 << i for i in range(self.n)], (1 << self._flags()) - 1)
                here.genome[SECRET:] = parts(self.label, 2 * self.wide, 32)
        here.state[:] = [0, 0, 0, here.state[CURSOR], learned]

    def _flags(self) -> int:
        return -(-self.lanes // 64) * 64

    def _read(self, here: Here) -> tuple[list[int], int]:
        """The dual basis, and bit i where equation i is not a sample's yet."""
        words = [
            int.from_bytes(here.arena[i : i + 8], "little") for i in range(0, len(here.arena), 8)
        ]
        split = self.wide * self.lanes
        return [joined(words[i : split : self.lanes], 64) for i in range(self.n)], joined(
            words[split:], 64
        )

    def _write(self, here: Here, duals: list[int], unmet: int) -> None:
        padded = duals + [0] * (self.lanes - self.n)
        words = [dual >> 64 * w & (1 << 64) - 1 for w in range(self.wide) for dual in padded]
        words += parts(unmet, self._flags() // 64, 64)
        here.arena[:] = b"".join(word.to_bytes(8, "little") for word in words)

    def _swap(self, here: Here, row: int, mask: int, sample: bool, random: int) -> int:
        """The mask once `row` has taken the place of an equation; the same mask if it is of no use."""
        duals, unmet = self._read(here)
        start = below(random << 8 & 0xFFFFFFFF, self.n)
        order = [i % self.n for i in range(start, start + self.n)]
        useful = [i for i in order if odd(duals[i], row)]
        if (
            random >> 24 <= bytes_of([here.genome[TRAITS]])[BOLD]
        ):  # bold: rather one that is no sample's
            useful.sort(key=lambda i: not unmet >> i & 1)
        if not useful:
            return mask
        out = useful[0]
        for i in useful[1:]:
            duals[i] ^= duals[out]
        if sample and unmet >> out & 1 and here.state[LEARNED] < self.n:
            here.state[LEARNED] += 1
            here.earned += here.space.params[LESSON]
        unmet = unmet & ~(1 << out) if sample else unmet | 1 << out
        self._write(here, duals, unmet)
        return mask ^ duals[out]

    def _learn(self, here: Here, row: int, mask: int, random: Iterator[int]) -> int:
        """The mask after a mistake: another one if this one has no merit and something can be learnt."""
        if signed(here.state[SCORE]) >= 0:
            return mask
        doubt, sample = bytes_of([here.genome[TRAITS]])[DOUBTING], True
        word = next(random) if doubt else 0
        if word >> 24 < doubt and mask != self.label:
            j = below(word << 8 & 0xFFFFFFFF, self.n)
            while not mask >> j & 1:
                j = (j + 1) % self.n
            row, sample = 1 << j, False
        after = self._swap(here, row, mask, sample, next(random))
        if after != mask:
            here.state[SCORE] = here.state[HITS] = here.state[TRIALS] = 0
        return after

    def _believe(self, here: Here, right: int, wrong: int) -> None:
        """So many samples at once count as evidence."""
        score = min(signed(here.state[SCORE]) + 2 * right, 1000) - 4 * wrong
        here.state[SCORE] = max(score, -1000) & 0xFFFFFFFF

    def _guess(self, random: Iterator[int]) -> int:
        """A random mask; each further bit is half as likely."""
        first = next(random)
        weight = 1 + (33 - len(bin(first | 1 << 32).rstrip("0")) + 2)
        return self.label | sum({1 << below(next(random), self.n) for _ in range(weight)})

    def live(self, here: Here) -> None:
        params, state = here.space.params, here.state
        holder, talk = here.genome[KIND] == HOLDER, bytes_of([here.genome[TRAITS]])[TALK]
        mask, swaps, right = joined(here.genome[SECRET:], 32), 0, 0
        random = (word for draw in range(1 << 16) for word in here.roll(draw))
        for signal in here.signals if holder and talk >= 128 else []:
            row = joined(signal, 32)
            if odd(mask, row):
                state[SCORE] = state[SCORE] - 4 & 0xFFFFFFFF
                before, mask = mask, self._learn(here, row, mask, random)
                swaps += mask != before
        for _ in range(params[BITE]):
            if state[CURSOR] >= params[SEEN]:
                state[CURSOR] = 0
            row = joined(here.space.data[0][state[CURSOR]], 64)
            state[CURSOR] += 1
            wrong = odd(mask, row)
            right += not wrong
            if state[TRIALS] < params[SEEN]:  # as many trials as there are different samples
                state[TRIALS] += 1
                state[HITS] += not wrong
            if holder:
                self._believe(here, not wrong, wrong)
            if holder and wrong:
                before, mask = mask, self._learn(here, row, mask, random)
                if mask != before:
                    swaps += 1
                    here.signal = parts(row, 2 * self.wide, 32) if talk & 1 else None
        if not holder:  # judges a whole bite at once
            self._believe(here, right, params[BITE] - right)
        if not holder and signed(state[SCORE]) < 0:
            mask = self._guess(random)
            state[SCORE] = state[HITS] = state[TRIALS] = 0
        here.genome[SECRET:] = parts(mask, 2 * self.wide, 32)
        if state[TRIALS] >= params[SEEN] and self.merit(here.space, [], state) < params[DOUBT]:
            state[SCORE], state[HITS], state[TRIALS] = WORD, 0, 0
        ahead = max(right - params[BITE] // 2 - params[BITE] // 8, 0)
        here.earned += ahead * params[GRAIN]
        here.earned += params[SUN] if holder else here.space.economy.rent
        here.spent += (params[BITE] + swaps * self.lanes) * self.wide // 256

    def conceive(self, here: Here, genome: Words, state: Words, rate: int) -> None:
        d = here.roll(0x10000)
        state[:] = [0, 0, 0, state[CURSOR], 0]
        if rate == ANEW:
            random = [here.roll(0x10001 + w)[:2] for w in range(self.wide)]
            secret = joined((word for pair in random for word in pair), 32) % self.label
            genome[:] = [d[0] & 1, d[1], *parts(secret | self.label, 2 * self.wide, 32)]
        elif genome[KIND] == HOLDER:
            traits = bytes_of([genome[TRAITS]])
            if d[0] & 255 < traits[CASTE]:
                genome[KIND] = MASK
            genome[TRAITS] = words_of(flipped(traits, d[1:], rate))[0]
        elif d[0] & 255 < 2 * rate:
            bit = below(d[1], self.n)
            genome[SECRET + bit // 32] ^= 1 << bit % 32

    def pack(self, here: Here, genome: Words, wanted: int) -> Words:
        """All of the duals or nothing."""
        everything = words_of(list(here.arena))
        if genome[KIND] != HOLDER or 2 * wanted < len(everything):
            return []
        return everything

    def merit(self, space: Oracle, genome: Words, state: Words) -> int:
        """Sixteenths of a bit of evidence that the mask is no accident."""
        params, trials, hits = space.params, state[TRIALS], state[HITS]
        if trials and hits == params[ROWS]:
            return 1 << 30
        if hits == trials:
            return 16 * trials * params[BITS] // 65536
        ahead = max((65536 * hits - params[LUCK] * trials) // 256, 0)  # of 1/256 rows, beyond luck
        return ahead**2 // trials * 46 // 65536
