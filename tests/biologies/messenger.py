"""messenger.h for Python."""

from __future__ import annotations

from pathlib import Path

from algorithms.hypercell.arithmetic import Words
from algorithms.hypercell.biology import Biology
from algorithms.hypercell.oracle import Here, Oracle

MESSENGER = Biology("messenger", 0, 0, 0, 0, 0, folder=Path(__file__).parent)


class MessengerLife:
    """Earns, and that is all."""

    def arrive(self, here: Here, carry: Words) -> None:
        pass

    def live(self, here: Here) -> None:
        here.earned += here.space.params[0]

    def conceive(self, here: Here, genome: Words, state: Words, rate: int) -> None:
        pass

    def pack(self, here: Here, genome: Words, wanted: int) -> Words:
        return []

    def merit(self, space: Oracle, genome: Words, state: Words) -> int:
        return 0
