"""The text biology in slow Python, for `oracle.Oracle`; kernel/text.h says what it does and why."""

from __future__ import annotations

from algorithms.hypercell import text_oracle_legacy
from algorithms.hypercell.arithmetic import WORD, Words
from algorithms.hypercell.oracle import ANEW, Here, Oracle
from algorithms.hypercell.text import (
    BEST,
    COST,
    GENES,
    GROWN,
    HABITS,
    LINES,
    LOST,
    MARK,
    MODELS,
    PARENT,
    RATES,
    READ,
    SAID,
    P,
)
from algorithms.hypercell.text_oracle_learn import Mind, Reading
from algorithms.hypercell.text_oracle_reader import exp2_down

MARKS, WORTH, AGED = 4, 20, 4
S_BEST = 15  # a signal: the genome, the least cost heard of


def hold(here: Here, energy: int) -> None:
    """Brings what it has to so much."""
    due = energy - here.energy
    here.earned, here.spent = max(due, 0), max(-due, 0)


class TextLife:
    """Its space has data[0] the text, uint8 [bytes], and data[1] the class of each byte, uint8 [256]."""

    def arrive(self, here: Here, carry: Words) -> None:
        here.state[:PARENT] = [0] * PARENT
        if carry:
            here.state[LOST] = text_oracle_legacy.take(here, carry)

    def live(self, here: Here) -> None:
        params, state, mind = here.space.params, here.state, Mind(here)
        span, start = params[P.SPAN], state[READ]
        judged = span - params[P.JUDGED]
        if not start and not state[GROWN]:
            mind.begin(here.genome, state[LOST])
            state[LOST] = 0
            hold(here, 1 << WORTH)
        self._hear(here, mind)
        if start < span:
            here.barren = True
            until = min(start + params[P.CHUNK], span)
            if start < judged:
                until = min(until, judged)
            self._read(here, mind, until)
            for mark in range(MARKS):
                reached = until >= span >> MARKS - mark and until < judged
                if not state[MARK + mark] and reached and not self._passes(here, mark):
                    hold(here, 0)
            if until == judged:
                state[LOST] = state[LINES] = state[SAID] = 0
            if until < span:
                return
            self._grow_up(here)
        state[GROWN] += 1
        hold(here, self._worth(here))
        here.signal = [*here.genome[:GENES], state[BEST]]

    def _read(self, here: Here, mind: Mind, until: int) -> None:
        params, state, data = here.space.params, here.state, here.space.data
        start, learned = state[READ], params[P.SPAN] - params[P.JUDGED]
        learns = start < learned
        at = start if learns else start - learned
        first = params[P.BEGIN if learns else P.EXAM] + at
        fading = (65536 - int(mind.traits["end"])) * at // learned
        reading = Reading(mind, 65536 - fading, learns)
        text = data[0][first : first + until - start]
        said = reading.read(text, at, params[P.SEGMENT], data[1])
        for register, more in zip((LOST, LINES, SAID), said, strict=True):
            state[register] = state[register] + more & WORD
        state[READ] = until

    def _hear(self, here: Here, mind: Mind) -> None:
        state = here.state
        for signal in here.signals:
            mind.raw["mated"], mind.raw["mate"] = 1, signal[:GENES]
            if not state[BEST] or signal[S_BEST] < state[BEST]:
                state[BEST] = signal[S_BEST]

    def _passes(self, here: Here, mark: int) -> bool:
        """At a mark: whether its parent had not done better."""
        state = here.state
        state[MARK + mark] = (state[LOST] << 4) // max(state[SAID], 1) + 1 & WORD
        state[LOST] = state[LINES] = state[SAID] = 0
        parent = state[PARENT + mark]
        return not parent or state[MARK + mark] <= parent + here.space.params[P.GRACE] & WORD

    def _grow_up(self, here: Here) -> None:
        state = here.state
        lines = state[LINES] * here.space.params[P.PRICE]
        state[COST] = ((state[LOST] << 4) + lines) // max(state[SAID], 1) & WORD
        if not state[BEST] or state[COST] < state[BEST]:
            state[BEST] = state[COST]

    def _worth(self, here: Here) -> int:
        params, state = here.space.params, here.state
        behind = state[COST] - state[BEST] & WORD
        since = state[GROWN] - 1 if behind else 0
        down = (behind << 16) // params[P.DOUBLE] + (since << 16) // params[P.HALF]
        return exp2_down(down) << WORTH >> 16 if down >> 16 < AGED else 0

    def conceive(self, here: Here, genome: Words, state: Words, rate: int) -> None:
        state[PARENT : PARENT + MARKS] = (
            [0] * MARKS if rate == ANEW else here.state[MARK : MARK + MARKS]
        )
        state[:PARENT] = [0] * PARENT
        if rate == ANEW:
            genome[:GENES] = [here.roll(4 + w // 4)[w % 4] for w in range(GENES)]
            return
        mind, luck = Mind(here).raw, here.roll(0)
        if mind["mated"] and luck[0] & 255 < here.space.params[P.CROSS]:
            for w, gene in enumerate(mind["mate"].tolist()):
                if luck[1] >> w & 1:
                    genome[w] = gene
        for change in range(4):
            alter(genome, *here.roll(8 + change)[:2])
            if luck[2] >> 8 * change & 255 >= here.space.params[P.CHANGE]:
                break

    def pack(self, here: Here, genome: Words, wanted: int) -> Words:
        return text_oracle_legacy.sold(here, genome, wanted)

    def merit(self, space: Oracle, genome: Words, state: Words) -> int:
        return (1 << 30) - state[COST] if state[GROWN] else -1


def alter(genome: Words, what: int, r: int) -> None:
    """One gene of one model, or one byte for the whole. what, r: random words."""
    j, k, bit = r % MODELS, (r >> 8) % MODELS, min(r >> 16 & 7, r >> 19 & 7)
    step = (1 if r >> 22 & 1 else -1) * (1 + (r >> 23 & 15))
    what &= 15
    if what < 2:
        genome[j] ^= 1 << bit
    elif what == 2:
        mask = genome[j] & 255
        mask = (mask << 1 | 1) & 255 if r >> 16 & 1 else mask >> 1
        genome[j] = genome[j] & ~255 | mask
    elif what < 8:
        lowest, pairs = {3: (8, 1), 4: (10, 1), 5: (12, 0), 6: (13, 0), 7: (13, 0)}[what]
        genome[j] ^= 1 << lowest + (r >> 16 & pairs)
    elif what == 8:
        genome[j] = genome[k] ^ 1 << bit
    elif what == 9:
        rate = (genome[j] >> 16 & 15) + (1 if step > 0 else -1)
        genome[j] = genome[j] & ~(15 << 16) | min(max(rate, 0), 15) << 16
    elif what == 10:
        at = 4 * (r >> 16 & 1)
        least = (genome[HABITS] >> at & 15) + (1 if r >> 17 & 1 else -1)
        genome[HABITS] = genome[HABITS] & ~(15 << at) | (least & 15) << at
    else:
        word, at = RATES + (r >> 16 & 1), 8 * (r >> 17 & 3)
        byte = (genome[word] >> at & 255) + step
        genome[word] = genome[word] & ~(255 << at) | min(max(byte, 0), 255) << at
