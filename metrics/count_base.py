"""What the counters of torch and numpy share: sums by type, arrays alive, and a garbage collector in step."""

from __future__ import annotations

import gc
import weakref
from math import ceil, log2
from typing import Any

from metrics.counts import EXPENSIVE, CountsError, Tally

PYTHON = "python code is not counted"
COLLECT_EVERY = 4096  # operations between two collections of cyclic garbage


class _Owner(weakref.ref):
    """Who owns some memory, as long as it lives."""

    __slots__ = ("key", "size")
    key: int
    size: int


class BaseCounter:
    """Sums up operations and follows which memory is alive; see `TorchCounter`, `NumpyCounter`.

    Memory goes when its last owner does, and cyclic garbage when the collector comes by: that would depend
    on what the process did before, so here it comes by every so many operations, and the peak is the same
    in every process.
    """

    how = ""
    blind: tuple[str, ...] = (PYTHON,)  # what is never counted

    def __init__(self) -> None:
        super().__init__()
        self.counted = 0  # operations of a library, whatever their size
        self._tally = Tally()
        self._sums: dict[Any, list[int]] = {}  # by type: additions, multiplications
        self._owners: dict[int, _Owner] = {}
        self._alive = self._peak = 0
        self._gc = False

    @property
    def tally(self) -> Tally:
        """What was counted so far."""
        found = self._tally
        sums, self._sums = self._sums, {}
        for dtype, (adds, muls) in sums.items():
            dtype = getattr(dtype, "name", dtype)  # numpy's says the byte order otherwise
            try:
                found.operate(dtype, adds, muls)
            except CountsError:
                found.note(f"operations of the type {dtype} are not counted, their bytes are")
        found.peak_bytes = self._peak
        if self.counted:
            found.how.add(self.how)
            for words in self.blind:
                found.note(words)
        return found

    def operate(self, dtype: Any, adds: int = 0, muls: int = 0) -> None:
        """So many additions and multiplications of a type."""
        sums = self._sums.get(dtype)
        if sums is None:
            sums = self._sums[dtype] = [0, 0]
        sums[0] += adds
        sums[1] += muls

    def each(self, dtype: Any, number: int, cost: tuple[int, int]) -> None:
        """`number` results, each of (additions, multiplications)."""
        self.operate(dtype, number * cost[0], number * cost[1])

    def expensive(self, name: str, dtype: Any, number: int) -> None:
        """`number` results of a function of `metrics.counts.EXPENSIVE`."""
        self.each(dtype, number, EXPENSIVE[name])

    def random(self, integer: Any, dtype: Any, number: int, itemsize: int, kind: str) -> None:
        """`number` random numbers of a type; kind: "normal", "uniform", "exponential", "integer", "bit".

        integer: the type of a random word, of which one makes 4 bytes.
        """
        self.expensive("random", integer, number * max(1, -(-itemsize // 4)))
        if kind == "integer":  # a product brings a word into its range
            self.operate(integer, 0, number)
        elif kind == "bit":  # a comparison
            self.operate(integer, number)
        elif kind == "uniform":  # a change of type and a scale
            self.operate(dtype, number, number)
        else:
            self.expensive("normal" if kind == "normal" else "log", dtype, number)

    def move(self, read: int, written: int) -> None:
        self._tally.read_bytes += read
        self._tally.written_bytes += written

    def communicate(self, size: int) -> None:
        """Bytes that went from one device to another."""
        self._tally.communication_bytes += size

    def note(self, words: str) -> None:
        self._tally.note(words)

    def see(self, key: int, owner: Any, size: int) -> None:
        """Memory of `size` bytes is alive until its owner goes. Each key counts once."""
        if key not in self._owners:
            made = _Owner(owner, self._gone)
            made.key, made.size = key, 0
            self._owners[key] = made
        known = self._owners[key]
        if known.size != size:
            self._alive += size - known.size
            known.size = size
            self._peak = max(self._peak, self._alive)

    def _gone(self, owner: _Owner) -> None:
        if self._owners.get(owner.key) is owner:
            del self._owners[owner.key]
            self._alive -= owner.size

    def step(self) -> None:
        """To be called once for each operation."""
        self.counted += 1
        if self._gc and self.counted % COLLECT_EVERY == 0:
            gc.collect()

    def begin(self) -> None:
        self._gc = True
        self._was_enabled = gc.isenabled()
        if self._was_enabled:
            gc.freeze()  # what was there before is no garbage of the training's
            gc.disable()

    def end(self) -> None:
        self._gc = False
        if self._was_enabled:
            gc.unfreeze()
            gc.enable()


def extent(shape: Any, strides: Any, itemsize: int) -> int:
    """Bytes of memory that a view touches, strides in bytes; what it repeats or overlaps counts once."""
    size = span = itemsize
    for n, stride in zip(shape, strides, strict=True):
        if n == 0:
            return 0
        if stride:
            size *= n
            span += (n - 1) * abs(stride)
    return min(size, span)


def levels(n: int) -> int:
    """ceil(log2 n), at least 1: comparisons of a binary search among n, or per element of a sort."""
    return max(1, ceil(log2(n))) if n > 0 else 1


def plus(*parts: tuple[int, int] | str) -> tuple[int, int]:
    """The sum of costs: (additions, multiplications), or the name of one in `EXPENSIVE`."""
    costs = [EXPENSIVE[part] if isinstance(part, str) else part for part in parts]
    return sum(a for a, _ in costs), sum(m for _, m in costs)
