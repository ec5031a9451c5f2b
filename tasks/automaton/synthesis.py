"""From a rule table to few operations of three bits each: what vpternlog and LOP3 do in one instruction.

Shannon's expansion splits a table by one cell after the other until four cells are left. A function of
four needs three operations, or two where it is h(u(a, b, c), d, a) for some order of the four: that is
so where, for both values of a, the functions of (b, c) for d = 0 and d = 1 are constant, equal or each
other's complement. A function of more is taken apart in that way too, where it can be. Sub-functions
that are equal, or each other's complement, are made once. Every choice of the four cells is tried, with
every order of the other three for the best of them, and the shortest program kept.

At most 31 operations for 7 cells: 8 functions of four cells, and 7 multiplexers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np

from tasks.automaton.rules import check_table, radius_of

BEST_SETS = 3
Halves = dict[int, tuple[int, int]]  # of a function, by cell: where that is 0, and where it is 1


@dataclass(frozen=True)
class Operation:
    """A look-up in 8 bits by three registers: bit 4a + 2b + c of `bits` is the result."""

    bits: int
    a: int
    b: int
    c: int


@dataclass(frozen=True)
class Netlist:
    """Registers 0 ... inputs - 1 are the neighbourhood's cells from the left; each operation writes the
    next register, and the last one's is the rule's output."""

    inputs: int
    operations: tuple[Operation, ...]

    def table(self) -> np.ndarray:
        """uint8 [2**inputs]: what it makes of every neighbourhood, by running it."""
        size = 1 << self.inputs
        rows = np.arange(size)
        registers = [rows >> (self.inputs - 1 - i) & 1 for i in range(self.inputs)]
        for op in self.operations:
            at = 4 * registers[op.a] + 2 * registers[op.b] + registers[op.c]
            registers.append(op.bits >> at & 1)
        return registers[-1].astype(np.uint8)


def synthesised(table: np.ndarray) -> Netlist:
    """The shortest program found for a rule table; it does the same for every neighbourhood."""
    table = check_table(table)
    inputs = 2 * radius_of(table) + 1
    wanted = sum(int(bit) << i for i, bit in enumerate(table))
    seen = _Seen({}, {})

    def tried(order: tuple[int, ...]) -> tuple[int, tuple[int, ...], _Network]:
        network = _Network(inputs, order, seen)
        network.build(wanted)
        return len(network.operations), order, network

    last = min(inputs, 4)
    sets = [
        (*(i for i in range(inputs) if i not in rest), *rest)
        for rest in combinations(range(inputs), last)
    ]
    found = sorted(map(tried, sets), key=lambda one: one[0])
    for _, order, _ in found[:BEST_SETS]:
        first, rest = order[:-last], order[-last:]
        found += [tried((*other, *rest)) for other in permutations(first) if other != first]
    netlist = Netlist(inputs, tuple(min(found, key=lambda one: one[0])[2].operations))
    assert (netlist.table() == table).all()
    return netlist


@dataclass(frozen=True)
class _Seen:
    """What is the same for all orders: a function's cofactors by cell, and what `peeled` found."""

    split: dict[tuple[int, int], tuple[int, int]]
    peeled: dict[int, tuple[int, int, int] | None]


class _Network:
    """A program under construction. Functions are integers: bit i is the output for neighbourhood i."""

    def __init__(self, inputs: int, order: tuple[int, ...], seen: _Seen) -> None:
        self.order, self.seen = order, seen
        self.all = (1 << (1 << inputs)) - 1
        self.shift = [1 << (inputs - 1 - i) for i in range(inputs)]
        # Where cell i is 1: the upper half of every run of 2 shift[i] neighbourhoods.
        self.functions = [self.all // ((1 << 2 * s) - 1) * ((1 << s) - 1 << s) for s in self.shift]
        self.known = {f: i for i, f in enumerate(self.functions)}
        self.operations: list[Operation] = []

    def build(self, f: int) -> None:
        """Sees that a register holds f or its complement, unless f is constant."""
        if f in (0, self.all):
            if not self.operations:  # the whole rule is constant
                self.emit(f, [0])
            return
        if self.register(f) is not None and self.operations:
            return
        split = {i: self.cofactors(f, i) for i in self.order}
        support = [i for i, (low, high) in split.items() if low != high]
        if len(support) <= 3:
            self.emit(f, support)
        elif len(support) == 4:
            self.four(f, {i: split[i] for i in support})
        elif found := self.peeled(f, {i: split[i] for i in support}):
            self.look_up(f, *found)
        else:
            self.multiplex(f, support[0], *split[support[0]])

    def peeled(self, f: int, split: Halves) -> tuple[int, int, int] | None:
        """Cells d and a, and a function u without d, so that one operation makes f of the three."""
        if f not in self.seen.peeled:
            pairs = ((d, a, self.shared(a, *split[d])) for d in split for a in split if a != d)
            self.seen.peeled[f] = next(((d, a, u) for d, a, u in pairs if u is not None), None)
        return self.seen.peeled[f]

    def four(self, f: int, split: Halves) -> None:
        """A function of four cells in as few new operations as a multiplexer or two look-ups take."""
        best: tuple[int, int, int, int] | None = None  # new operations, and how
        for d, (low, high) in split.items():
            new = {min(g, g ^ self.all) for g in (low, high) if self.new(g)}
            if best is None or 1 + len(new) < best[0]:
                best = (1 + len(new), d, -1, 0)
            for a in split:
                if a != d and best[0] > 1:
                    u = self.shared(a, low, high)
                    if u is not None and 1 + self.new(u) < best[0]:
                        best = (1 + self.new(u), d, a, u)
        assert best is not None
        _, d, a, u = best
        if a < 0:
            self.multiplex(f, d, *split[d])
        else:
            self.look_up(f, d, a, u)

    def shared(self, a: int, low: int, high: int) -> int | None:
        """A function u such that low and high are both functions of u and cell a alone, if there is."""
        parts = []
        for p, q in zip(self.cofactors(low, a), self.cofactors(high, a), strict=True):
            if p in (0, self.all):
                p = q
            elif q not in (0, self.all, p, p ^ self.all):
                return None
            parts.append(p)
        if parts[0] in (0, self.all):  # then u may be anything there
            parts[0] = parts[1]
        elif parts[1] in (0, self.all):
            parts[1] = parts[0]
        one = self.functions[a]
        u = (parts[0] & ~one) | (parts[1] & one)
        other = u ^ one  # as good: perhaps it is there already, or does without cell a
        without = parts[0] == parts[1] ^ self.all
        return other if not self.new(other) or (without and self.new(u)) else u

    def look_up(self, f: int, d: int, a: int, u: int) -> None:
        self.build(u)
        at = self.register(u)
        assert at is not None
        self.emit(f, [d, a, at])

    def multiplex(self, f: int, by: int, low: int, high: int) -> None:
        self.build(low)
        self.build(high)
        found = [self.register(low), self.register(high)]
        self.emit(f, [by, *(at for at in found if at is not None)])

    def emit(self, f: int, sources: list[int]) -> None:
        """Adds the operation that makes f of one to three registers that it is a function of."""
        a, b, c = (*sources, sources[-1], sources[-1])[:3]
        bits = 0
        for i in range(8):
            where = self.all
            for source, bit in ((a, 4), (b, 2), (c, 1)):
                where &= self.functions[source] if i & bit else ~self.functions[source]
            if where & f:
                bits |= 1 << i
        self.known.setdefault(f, len(self.functions))
        self.functions.append(f)
        self.operations.append(Operation(bits, a, b, c))

    def register(self, f: int) -> int | None:
        found = self.known.get(f)
        return self.known.get(f ^ self.all) if found is None else found

    def new(self, f: int) -> bool:
        """Whether f takes an operation that is not there yet."""
        return f not in (0, self.all) and self.register(f) is None

    def cofactors(self, f: int, i: int) -> tuple[int, int]:
        """f where cell i is 0, and where it is 1, as functions of the other cells."""
        found = self.seen.split.get((f, i))
        if found is None:
            s, one = self.shift[i], self.functions[i]
            high, low = f & one, f & ~one
            found = self.seen.split[f, i] = (low | low << s, high | high >> s)
        return found
