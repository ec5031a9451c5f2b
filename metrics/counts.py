"""What a training did, in operations and bytes: the one struct that every counter fills.

Kinds are those of the tables in `configs/energy/`: int8, int32, fp16, bf16 and fp32, each _add and _mul.
fp64 and int64 count as two of the 32-bit kind, int16 as one int32, fp8 as one fp16, a complex number as
what it takes of its real parts. Logic, shifts, comparisons, minima, maxima and changes of sign or type
count as additions. What takes many of either (a division, an exponential) counts as the number in
`EXPENSIVE`, the same for torch, numpy and kernels, so that figures of different counters compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Kind and how many of it, by the type's name in numpy and torch.
KINDS = {
    "bool": ("int8", 1),
    "int8": ("int8", 1),
    "uint8": ("int8", 1),
    "int16": ("int32", 1),
    "uint16": ("int32", 1),
    "int32": ("int32", 1),
    "uint32": ("int32", 1),
    "int64": ("int32", 2),
    "uint64": ("int32", 2),
    "float16": ("fp16", 1),
    "bfloat16": ("bf16", 1),
    "float32": ("fp32", 1),
    "float64": ("fp32", 2),
    "float8_e4m3fn": ("fp16", 1),
    "float8_e5m2": ("fp16", 1),
}
COMPLEX = {"complex64": "float32", "complex128": "float64"}
OPERATIONS = tuple(
    f"{kind}_{what}"
    for kind in ("int8", "int32", "fp16", "bf16", "fp32")
    for what in ("add", "mul")
)

# (additions, multiplications) of one result, of the algorithms that libraries use: Cephes' single
# precision functions (Moshier 1989), counted by hand; division and square root by Newton's iteration from
# a seed of 8 bits, two steps and a correction (Markstein 2000). Wider types take more: this is a floor.
_DIV = (4, 7)
_SQRT = (4, 10)
_EXP = (
    12,
    10,
)  # expf: reduction by ln 2 in two parts, a polynomial of degree 5, the exponent put back
_LOG = (
    17,
    14,
)  # logf: exponent taken off, a polynomial of degree 8, ln 2 times the exponent in two parts
_SIN = (9, 9)  # sinf: reduction in three parts, a polynomial of three terms


def _sum(*parts: tuple[int, int]) -> tuple[int, int]:
    return sum(adds for adds, _ in parts), sum(muls for _, muls in parts)


EXPENSIVE: dict[str, tuple[int, int]] = {
    "div": _DIV,
    "reciprocal": (2, 4),  # the two steps alone
    "mod": _sum(_DIV, (2, 1)),  # quotient, rounded, times the divisor, taken off
    "sqrt": _SQRT,
    "rsqrt": (2, 7),  # two steps of y (1.5 - x/2 y²), x/2 made once
    "exp": _EXP,
    "expm1": _sum(_EXP, (1, 0)),
    "log": _LOG,
    "log1p": _sum(_LOG, (1, 0)),
    "pow": _sum(_EXP, _LOG, (0, 1)),
    "sin": _SIN,
    "cos": _SIN,
    "tan": _sum(_SIN, _SIN, _DIV),
    "tanh": _sum(_EXP, _DIV, (3, 0)),  # 1 - 2 / (e^2x + 1)
    "sigmoid": _sum(_EXP, _DIV, (2, 0)),  # 1 / (1 + e^-x)
    "erf": _sum(_EXP, _DIV, (6, 8)),  # Abramowitz and Stegun 7.1.26
    "atan": _sum(_DIV, (8, 7)),  # atanf: reduction, a polynomial of four terms
    "hypot": _sum(_SQRT, (1, 2)),
    # Philox4x32-10 (Salmon 2011): ten rounds of two 32 x 32 → 64 bit products (each counts as two), four
    # exclusive ors and two additions to the key make four words. In integers; floats are made of it.
    "random": (15, 10),
    "normal": _sum(_LOG, _SQRT, _SIN, (0, 2)),  # Box and Muller, on top of the random word
}


class CountsError(ValueError):
    """Counts that no struct can take, with what they lack."""


@dataclass
class Tally:
    """Operations by kind, bytes that went in and out, and what nobody counted. All whole numbers.

    read_bytes, written_bytes: at the boundary of each operation (a torch operation, a numpy function, a
    kernel's loop): what an implementation moves that keeps nothing between operations.
    communication_bytes: between devices, processes or locations. peak_bytes: most bytes of arrays alive at
    once. how: who counted ("torch", "numpy", "kernel"). notes: what was not counted, by name.
    """

    operations: dict[str, int] = field(default_factory=dict)
    read_bytes: int = 0
    written_bytes: int = 0
    communication_bytes: int = 0
    peak_bytes: int = 0
    how: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def operate(self, dtype: Any, adds: int = 0, muls: int = 0) -> None:
        """So many additions and multiplications of a type ("float32", torch.float32, a numpy dtype)."""
        for kind, number in kinds(dtype, adds, muls).items():
            self.operations[kind] = self.operations.get(kind, 0) + number

    def expensive(self, name: str, dtype: Any, times: int) -> None:
        """So many results of a function of `EXPENSIVE`."""
        adds, muls = EXPENSIVE[name]
        self.operate(dtype, adds * times, muls * times)

    def move(self, read: int = 0, written: int = 0) -> None:
        """Bytes that an operation read and wrote."""
        self.read_bytes += int(read)
        self.written_bytes += int(written)

    def note(self, words: str) -> None:
        """Keeps a note, once."""
        if words not in self.notes:
            self.notes.append(words)

    def add(self, other: Tally) -> None:
        """Takes another's counts into this one. Peaks add up: arrays of both are alive at once."""
        for kind, number in other.operations.items():
            self.operations[kind] = self.operations.get(kind, 0) + number
        self.move(other.read_bytes, other.written_bytes)
        self.communication_bytes += other.communication_bytes
        self.peak_bytes += other.peak_bytes
        self.how |= other.how
        for words in other.notes:
            self.note(words)

    def told(self) -> dict[str, Any]:
        """As a mapping of plain values in a settled order, fit for a message."""
        return {
            "operations": {kind: n for kind, n in sorted(self.operations.items()) if n},
            **{name: getattr(self, name) for name in NUMBERS},
            "how": sorted(self.how),
            "notes": sorted(self.notes),
        }


NUMBERS = ("read_bytes", "written_bytes", "communication_bytes", "peak_bytes")


def kinds(dtype: Any, adds: int = 0, muls: int = 0) -> dict[str, int]:
    """Additions and multiplications of a type, as numbers by kind; those that are zero are left out."""
    name = str(dtype).rpartition(".")[2]
    if name in COMPLEX:  # a product takes four real ones and two sums, a sum two
        return kinds(COMPLEX[name], 2 * adds + 2 * muls, 4 * muls)
    if name not in KINDS:
        raise CountsError(
            f"no operation is counted of the type {name}; there are {', '.join(KINDS)}"
        )
    kind, each = KINDS[name]
    found = {f"{kind}_add": int(adds) * each, f"{kind}_mul": int(muls) * each}
    return {kind: number for kind, number in found.items() if number}


def from_mapping(said: Mapping[str, Any], how: str = "kernel") -> Tally:
    """A Tally of what `Algorithm.counts()` returned; raises CountsError for what it cannot mean."""
    tally = Tally(how={how})
    if not isinstance(said, Mapping) or not isinstance(said.get("operations", {}), Mapping):
        raise CountsError(
            "counts(): must return a mapping, and its operations must be one, by kind"
        )
    for key, value in said.items():
        if key == "operations":
            for kind, number in value.items():
                if kind not in OPERATIONS:
                    raise CountsError(
                        f"counts(): no operation is called {kind}; there are {', '.join(OPERATIONS)}"
                    )
                if whole := _whole(f"operations.{kind}", number):
                    tally.operations[kind] = whole
        elif key in NUMBERS:
            setattr(tally, key, _whole(key, value))
        elif key == "notes":
            tally.notes = [str(words) for words in value]
        else:
            raise CountsError(
                f"counts(): no field is called {key}; there are operations, {', '.join(NUMBERS)}, notes"
            )
    return tally


def _whole(name: str, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = -1
    if number != value or number < 0:
        raise CountsError(f"counts(): {name}={value}: a count is a whole number, at least 0")
    return number
