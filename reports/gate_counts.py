"""What has changed between two counts of the same training on the same draw."""

from __future__ import annotations

from dataclasses import dataclass

from reports.gate_rows import Row
from reports.units import scaled


@dataclass(frozen=True)
class CountChange:
    """One figure that is not what it was. gated: whether an increase of it fails a gate."""

    what: str
    then: float
    now: float
    gated: bool

    def __str__(self) -> str:
        if self.what == FLOOR:
            then, now = scaled(self.then, "J", 6), scaled(self.now, "J", 6)
        else:
            then, now = f"{self.then:,}", f"{self.now:,}"
        change = f" ({100 * (self.now / self.then - 1):+.3g} %)" if self.then else ""
        return f"{self.what} {then} → {now}{change}"


FLOOR = "floor of joules"


def changes(then: Row, now: Row) -> list[CountChange]:
    """Every figure that differs: operations in all and by kind, bytes, the floor of joules.

    Kinds of operation and the most bytes at once fail no gate: what operations cost is in the floor, and
    memory is no energy.
    """
    a, b = then.counts, now.counts
    assert a is not None and b is not None
    kinds = sorted({*a.operations, *b.operations})
    figures: list[tuple[str, float, float, bool]] = [
        ("operations", sum(a.operations.values()), sum(b.operations.values()), True),
        *((kind, a.operations.get(kind, 0), b.operations.get(kind, 0), False) for kind in kinds),
        ("bytes read", a.read_bytes, b.read_bytes, True),
        ("bytes written", a.written_bytes, b.written_bytes, True),
        ("bytes communicated", a.communication_bytes, b.communication_bytes, True),
        (FLOOR, then.floor_j, now.floor_j, True),
        ("most bytes at once", a.peak_bytes, b.peak_bytes, False),
    ]
    return [CountChange(*figure) for figure in figures if figure[1] != figure[2]]
