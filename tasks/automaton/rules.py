"""Rule tables of ring automata: how they are written down, the published ones, their symmetries.

A table is uint8 [2**(2r+1)] of 0 and 1, r the radius. It is indexed by the neighbourhood, the leftmost
cell as the high bit. As text it is hexadecimal, the first digit's high bit being index 0.
"""

from __future__ import annotations

import difflib
import operator
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np

from tasks.base import TaskError

RADII = range(1, 4)
WIDEST = 1 << 14
LONGEST = 1 << 20  # steps
ENTRIES = {1 << (2 * radius + 1): radius for radius in RADII}


class AutomatonError(TaskError):
    """A rule, a ring or a number of steps that cannot be simulated: what is wrong, in one line."""


@dataclass(frozen=True)
class KnownRule:
    """A rule of radius 3 that classifies density, and how often it does.

    Fractions correct over random configurations of 149 fair coins. published: what the literature
    says. measured: ours after 320 steps, four digits over 1e6 configurations, three over 1e5.
    """

    hex: str
    source: str
    published: float
    measured: float


KNOWN = {
    "gkl": KnownRule(
        "005F005F005F005F005FFF5F005FFF5F", "Gacs, Kurdyumov, Levin 1978", 0.816, 0.8157
    ),
    "majority": KnownRule("000101170117177F0117177F177F7FFF", "local majority vote", 0.0, 0.0),
    "phi_exp": KnownRule(
        "0505408305C90101200B0EFB94C7CFF7", "Mitchell, Crutchfield, Hraber 1994", 0.652, 0.651
    ),
    "phi_par": KnownRule(
        "0504058705000F77037755837BFFB77F", "Das, Mitchell, Crutchfield 1994", 0.769, 0.772
    ),
    "particle1": KnownRule("1000022441170231155F57DD734BFFFF", "EvCA project", 0.742, 0.744),
    "davis": KnownRule("002F035F001FCF1F002FFC5F001FFF1F", "Davis 1995", 0.818, 0.8172),
    "das": KnownRule("070007FF0F000FFF0F0007FF0F310FFF", "Das 1995", 0.82178, 0.8217),
    "andre_bennett_koza": KnownRule(
        "050055050500550555FF55FF55FF55FF", "Andre, Bennett, Koza 1996", 0.82326, 0.8231
    ),
}


def parse_rule(text: str, radius: int = 3) -> np.ndarray:
    """The table of a known rule's name, or of hexadecimal digits. Raises AutomatonError."""
    radius = check_radius(radius)
    word = str(text).strip()
    known = KNOWN.get(word.lower())
    if known is not None and radius == 3:
        return _table(known.hex)
    digits = (2 << 2 * radius) // 4
    wrong = [i for i, character in enumerate(word) if character not in "0123456789abcdefABCDEF"]
    if known is not None:
        raise AutomatonError(f"rule {word} is of radius 3, not {radius}")
    if not word or (wrong and word[0].isalpha() and len(word) < 20):
        near = difflib.get_close_matches(word.lower(), list(KNOWN), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        raise AutomatonError(
            f"unknown rule {word!r}: {hint}known are {', '.join(KNOWN)}; or give {digits} "
            f"hexadecimal digits, for radius {radius}"
        )
    if wrong:
        raise AutomatonError(
            f"rule {_short(word)}: character {wrong[0] + 1} is {word[wrong[0]]!r}, which is no "
            f"hexadecimal digit; a rule of radius {radius} has {digits} of them"
        )
    if len(word) != digits:
        raise AutomatonError(
            f"rule {_short(word)} has {len(word)} hexadecimal digits; one of radius {radius} has "
            f"{digits}"
        )
    return _table(word)


def to_hex(table: np.ndarray) -> str:
    """A table's hexadecimal digits, upper case."""
    return np.packbits(check_table(table)).tobytes().hex().upper()


def mirrored(table: np.ndarray) -> np.ndarray:
    """The rule that does on a ring read backwards what this one does."""
    table = check_table(table)
    cells = 2 * radius_of(table) + 1
    return table.reshape((2,) * cells).transpose().reshape(-1).copy()


def complemented(table: np.ndarray) -> np.ndarray:
    """The rule that does with 0 and 1 exchanged what this one does."""
    return 1 - check_table(table)[::-1]


def radius_of(table: np.ndarray) -> int:
    """Of a table that has been checked."""
    return ENTRIES[len(table)]


def check_table(table: Any) -> np.ndarray:
    """uint8 [2**(2r+1)] of 0 and 1, or AutomatonError."""
    found = np.asarray(table)
    if found.ndim != 1 or len(found) not in ENTRIES:
        sizes = ", ".join(map(str, ENTRIES))
        raise AutomatonError(
            f"a rule table has shape {list(found.shape)}; it must be one of {sizes} entries "
            "(radius 1, 2, 3)"
        )
    check_bits(found, "a rule table")
    return np.ascontiguousarray(found, np.uint8)


def check_bits(array: np.ndarray, what: str) -> None:
    """Raises AutomatonError where an array holds something other than 0 and 1."""
    if array.dtype.kind not in "biuf":
        raise AutomatonError(f"{what} is of type {array.dtype}; it must be of numbers 0 and 1")
    wrong = (array != 0) & (array != 1)
    if wrong.any():
        first = np.unravel_index(np.argmax(wrong), array.shape)
        where = ", ".join(map(str, first))
        raise AutomatonError(f"{what} holds {array[first]} at [{where}]; it must be of 0 and 1")


def check_radius(radius: SupportsIndex) -> int:
    """1, 2 or 3, or AutomatonError."""
    return _whole(radius, "radius", RADII.start, RADII.stop - 1)


def check_width(width: SupportsIndex, radius: int) -> int:
    """Of a ring that a neighbourhood fits in: odd, so that every configuration has a majority."""
    number = _whole(width, "a ring's width", 3, WIDEST)
    if number % 2 == 0:
        raise AutomatonError(
            f"a ring's width is {number}; it must be odd, or some configurations have no majority"
        )
    if number < 2 * radius + 1:
        raise AutomatonError(
            f"a ring of {number} cells is smaller than a neighbourhood of radius {radius}; it must "
            f"have at least {2 * radius + 1}"
        )
    return number


def check_steps(steps: SupportsIndex) -> int:
    """0 to 2**20, or AutomatonError."""
    return _whole(steps, "steps", 0, LONGEST)


def _whole(value: SupportsIndex, what: str, least: int, most: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise AutomatonError(f"{what} is {value!r}; it must be a whole number") from None
    if not least <= number <= most:
        raise AutomatonError(f"{what} is {number}; it must be from {least} to {most}")
    return number


def _table(digits: str) -> np.ndarray:
    return np.unpackbits(np.frombuffer(bytes.fromhex(digits), np.uint8))


def _short(word: str) -> str:
    return word if len(word) <= 40 else f"{word[:37]}..."
