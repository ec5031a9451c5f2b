"""The slow oracle: what a space does, in plain Python, to say what is right.

Nothing here is shared with the kernel but the numbers. All locations go tick by tick together, a message
waits in the mailbox of its arrival, neighbours are found by coordinates. There are no slots, no tiles,
no light cone: what the kernel does to be fast is what this has to prove harmless.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from algorithms.hypercell.arithmetic import (
    WIDE,
    WORD,
    Words,
    below,
    bytes_of,
    flipped,
    mixed,
    philox,
    words_of,
)
from algorithms.hypercell.biology import Biology, Economy, Life
from algorithms.hypercell.layout import PARAMS, TALLIES
from algorithms.hypercell.space import Geometry
from algorithms.hypercell.world import Ablation, Founder

ENGINE, BIOLOGY = 0, 1  # streams of randomness
ANEW = 256  # a mutation rate above all: nothing is inherited
UP, DOWN = 0, 1


@dataclass
class Organism:
    """genes: eight bytes, that is rate, threshold, share, purchase, and weights of two axes in each."""

    lineage: int
    born: int
    genes: Words
    genome: Words
    state: Words

    @property
    def weights(self) -> Words:
        """How much it wants to go along each axis."""
        return [half for byte in self.genes[4:] for half in (byte & 15, byte >> 4)]

    def words(self) -> Words:
        return [self.lineage, self.born, *words_of(self.genes), *self.genome, *self.state]


@dataclass
class Message:
    """A migrant with its energy and what it carries, or a signal."""

    sender: int
    axis: int
    direction: int
    migrant: Organism | None = None
    energy: int = 0
    carry: Words = field(default_factory=list)
    signal: Words = field(default_factory=list)


@dataclass
class Here:
    """One location during one tick, as a biology sees it. signal: to be sent, if not None. barren: it has
    no children yet."""

    space: Oracle
    tick: int
    id: int
    genome: Words
    state: Words
    arena: bytearray
    signals: list[Words]
    energy: int = 0
    earned: int = 0
    spent: int = 0
    barren: bool = False
    signal: Words | None = None

    def roll(self, draw: int) -> tuple[int, int, int, int]:
        return self.space.dice(self.tick, self.id, draw, BIOLOGY)


class Oracle:
    """A space and its organisms, as `world.World`. life: the biology's five functions."""

    def __init__(
        self,
        geometry: Geometry,
        biology: Biology,
        life: Life,
        seed: int = 0,
        economy: Economy | None = None,
        ablation: Ablation | None = None,
    ) -> None:
        self.geometry, self.biology, self.life = geometry, biology, life
        self.economy, self.ablation = economy or Economy(), ablation or Ablation()
        seed &= (1 << 63) - 1
        self.key = (seed & WORD, seed >> 32)
        self.params = [0] * PARAMS
        self.data: dict[int, Any] = {}
        size = geometry.locations
        self.where = [
            tuple(int(at) for at in np.unravel_index(i, geometry.lengths)) for i in range(size)
        ]
        self.living: list[Organism | None] = [None] * size
        self.energy, self.settled = [0] * size, [False] * size
        self.arena = [bytearray(biology.arena) for _ in range(size)]
        self.mail: dict[int, dict[int, list[Message]]] = defaultdict(lambda: defaultdict(list))
        self.count = dict.fromkeys(TALLIES, 0)
        self.tick = self.initial = 0

    def found(self, founders: Iterable[Founder]) -> None:
        """Places the first organisms, before tick 0."""
        for f in founders:
            self.living[f.location] = Organism(
                f.location + 1, 0, bytes_of(f.genes), [*f.genome], [*f.state]
            )
            self.energy[f.location], self.settled[f.location] = self.economy.endowment, True
            if f.arena:
                self.arena[f.location][:] = f.arena
        self.initial = sum(self.energy)

    def run(self, until: int) -> None:
        """Brings every location to tick `until`."""
        while self.tick < until:
            post = self.mail.pop(self.tick, {})
            for at in range(self.geometry.locations):
                self._live(at, post.get(at, []))
            self.tick += 1

    def dice(self, tick: int, location: int, draw: int, stream: int) -> tuple[int, int, int, int]:
        return philox((tick, location, draw, stream), self.key)

    def _live(self, at: int, arrivals: list[Message]) -> None:
        """Receive, learn, earn and pay, reproduce, tell."""
        arrivals.sort(key=lambda m: (m.axis, m.direction))
        earned, spent = self._receive(at, arrivals)
        me = self.living[at]
        if me is None:
            return
        self.count["lived"] += 1
        here = self._here(at, me, arrivals)
        here.earned, here.spent = earned, spent
        self.life.live(here)
        me.genome, me.state = here.genome, here.state
        self.count["minted"] += here.earned
        self.energy[at] += here.earned
        due = here.spent + self.economy.rent
        if due >= self.energy[at]:
            self._burn(at, self.energy[at], "starved")
            self.living[at] = None
            return
        self._burn(at, due)
        if self.energy[at] > self.economy.cap:
            self._burn(at, self.energy[at] - self.economy.cap, "capped")
        if self.ablation.reproduction and not here.barren:
            self._reproduce(at, me, here)
        if here.signal is not None and self.biology.signal:
            self._tell(at, me, here.signal)

    def _here(self, at: int, me: Organism, arrivals: list[Message]) -> Here:
        signals = [m.signal for m in arrivals if not m.migrant]
        return Here(
            self, self.tick, at, me.genome, me.state, self.arena[at], signals, self.energy[at]
        )

    def _burn(self, at: int, energy: int, event: str = "") -> None:
        self.energy[at] -= energy
        self.count["burned"] += energy
        if event:
            self.count[event] += 1

    def _receive(self, at: int, arrivals: list[Message]) -> tuple[int, int]:
        """The strongest stays: the resident, or whoever is stronger; of equals, the first axis and
        direction. The energy of all others is burned. Returns what arriving earned and cost."""
        migrants = [m for m in arrivals if m.migrant]
        migrants.sort(key=lambda m: -m.energy)
        won = bool(migrants) and migrants[0].energy > self.energy[at]
        for loser in migrants[won:]:
            self.count["burned"] += loser.energy
            self.count["repelled"] += 1
        if not won:
            return 0, 0
        if self.living[at]:
            self._burn(at, self.energy[at], "displaced")
        winner, me = migrants[0], migrants[0].migrant
        assert me is not None
        self.living[at], self.energy[at] = me, winner.energy
        if not self.settled[at]:
            self.settled[at] = True
            self.energy[at] += self.economy.settle
            self.count["minted"] += self.economy.settle
            self.count["settled"] += 1
        here = self._here(at, me, [])
        self.life.arrive(here, winner.carry)
        me.genome, me.state = here.genome, here.state
        return here.earned, here.spent

    def _way(self, at: int, me: Organism, word: int) -> tuple[int, int] | None:
        """An axis and a direction for a message that leaves now; None where there is no way. word: the
        first of the two random words that decide."""
        if not self.ablation.neighbours:
            return None
        wheel = []
        for axis, shape in enumerate(self.geometry.axes):
            if shape.length > 1 and self.tick % shape.stretch == 0:
                wheel += [axis] * me.weights[axis]
        if not wheel:
            return None
        r = self.dice(self.tick, at, 0, ENGINE)[word : word + 2]
        axis = wheel[below(r[0], len(wheel))]
        shape, place = self.geometry.axes[axis], self.where[at][axis]
        if not shape.ring and place == shape.length - 1:
            return axis, DOWN
        if not shape.ring and place == 0:
            return axis, UP
        return axis, r[1] & 1

    def _send(self, message: Message) -> None:
        shape, at = self.geometry.axes[message.axis], [*self.where[message.sender]]
        step = 1 if message.direction == UP else -1
        at[message.axis] = (at[message.axis] + step) % shape.length
        target = int(np.ravel_multi_index(at, self.geometry.lengths))
        self.mail[self.tick + shape.stretch][target].append(message)

    def _reproduce(self, at: int, me: Organism, here: Here) -> None:
        """A child gets a share of the energy, the genome, and as much learned state as is bought."""
        _, threshold, share, purchase = me.genes[:4]
        if self.energy[at] < (threshold + 1) * self.economy.breed:
            return
        way = self._way(at, me, 0)
        if way is None:
            return
        gift = self.energy[at] * (share + 1) // 512
        toll = self.geometry.axes[way[0]].toll
        left = self.energy[at] - gift - toll
        if gift == 0 or left <= 0:
            return
        rate = me.genes[0] if self.ablation.heredity else ANEW
        d = self.dice(self.tick, at, 1, ENGINE)
        genes = bytes_of(d[:2]) if rate == ANEW else flipped(me.genes, d, rate)
        child = Organism(me.lineage, self.tick, genes, [*me.genome], [*me.state])
        self.life.conceive(here, child.genome, child.state, rate)
        wanted = 0 if rate == ANEW else self.biology.carry * (purchase + 1) // 256
        carry: Words = []
        if wanted and self._price(wanted) < left:
            carry = self.life.pack(here, child.genome, wanted)
        if self._price(len(carry)) >= left:  # a biology may sell more than was wanted
            carry = []
        self.energy[at] -= gift
        self.count["births"] += 1
        self._burn(at, toll + self._price(len(carry)))
        self._send(Message(at, *way, child, gift, carry))

    def _price(self, words: int) -> int:
        return words * self.economy.price // 16

    def _tell(self, at: int, me: Organism, signal: Words) -> None:
        way = self._way(at, me, 2)
        if way is None or self.geometry.axes[way[0]].toll >= self.energy[at]:
            return
        self._burn(at, self.geometry.axes[way[0]].toll, "told")
        self._send(Message(at, *way, signal=[*signal]))

    def tallies(self) -> dict[str, int]:
        return dict(self.count)

    def _on_the_way(self) -> list[Message]:
        return [m for post in self.mail.values() for box in post.values() for m in box]

    def balance(self) -> tuple[int, int]:
        """(energy of the living and on its way + burned, initial + minted)."""
        flying = sum(message.energy for message in self._on_the_way())
        return sum(self.energy) + flying + self.count["burned"], self.initial + self.count["minted"]

    def champion(self) -> tuple[int, int]:
        """Location of the first individual of highest merit, and that merit; (-1, 0) for a desert."""
        merits = [
            (self.life.merit(self, me.genome, me.state), -at)
            for at, me in enumerate(self.living)
            if me
        ]
        best, place = max(merits, default=(0, 1))
        return -place, best

    def hash(self) -> int:
        """64 bits of everything that the future depends on: a sum of mixed words at their places."""
        total = 0
        for at, me in enumerate(self.living):
            total += mixed(self.energy[at], 0, at, 0) + mixed(self.settled[at], 1, at, 0)
            for i, word in enumerate(me.words() if me else []):
                total += mixed(word, 2, at, i)
            for i, word in enumerate(np.frombuffer(self.arena[at], "<u8")):
                total += mixed(int(word), 3, at, i)
        for m in self._on_the_way():
            words = dict(enumerate(m.signal, start=2 + self.biology.body))
            if m.migrant:
                words = dict(enumerate([m.energy, len(m.carry), *m.migrant.words()]))
                first = 2 + self.biology.body + self.biology.signal
                words |= enumerate(m.carry, start=first)
            for i, word in words.items():
                total += mixed(word, 4 + 2 * m.axis + m.direction, m.sender, i)
        return total & WIDE
