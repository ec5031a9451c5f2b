"""toy_text.h for Python, and the same in slow Python."""

from __future__ import annotations

from pathlib import Path

from algorithms.hypercell.arithmetic import Words, below, bytes_of, words_of
from algorithms.hypercell.biology import Biology
from algorithms.hypercell.oracle import ANEW, Here, Oracle

TOY_TEXT = Biology("toy_text", 1, 3, 1, 64, 256, folder=Path(__file__).parent)
LENGTH, CHUNK, INCOME, TOUCH = range(4)  # params
CURSOR, LAST, RECENT = range(3)  # state


class ToyTextLife:
    """The successor that each byte had last."""

    def arrive(self, here: Here, carry: Words) -> None:
        here.arena[:] = bytes(bytes_of(carry)).ljust(256, b"\0")
        start = below(here.id * 0x9E3779B9 & 0xFFFFFFFF, here.space.params[LENGTH])
        here.state[:] = [start, 0, 0]

    def live(self, here: Here) -> None:
        params, state, text = here.space.params, here.state, here.space.data[0]
        touched, foreseen = params[CHUNK], 0
        if here.signals and here.roll(0)[0] % 256 < here.genome[0] % 256:
            for (signal,) in here.signals:
                touched += 1
                last, byte = divmod(signal, 256)
                here.arena[last] = here.arena[last] or byte
        for _ in range(params[CHUNK]):
            byte, last = int(text[state[CURSOR]]), state[LAST]
            right = here.arena[last] == byte
            if right:
                foreseen += 1
            else:
                here.arena[last] = byte
                touched += 1
                here.signal = [256 * last + byte]
            state[:] = [
                (state[CURSOR] + 1) % params[LENGTH],
                byte,
                (2 * state[RECENT] + right) % 2**32,
            ]
        here.earned += foreseen * params[INCOME]
        here.spent += touched * params[TOUCH]

    def conceive(self, here: Here, genome: Words, state: Words, rate: int) -> None:
        luck, which = here.roll(1)[:2]
        state[:] = [0, 0, 0]
        if rate == ANEW:
            genome[0] = luck
        elif luck % 256 < rate:
            genome[0] ^= 1 << which % 8

    def pack(self, here: Here, genome: Words, wanted: int) -> Words:
        return words_of([*here.arena])[:wanted]

    def merit(self, space: Oracle, genome: Words, state: Words) -> int:
        return state[RECENT].bit_count()
