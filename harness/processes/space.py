"""What may be searched: the space in an algorithm's yaml, under about.search.

    search:
      hidden: {low: 8, high: 200, log: true}   # whole numbers, since both ends are
      lr: {low: 0.005, high: 3.0, log: true}
      optimizer: {choices: [adam, sgd]}

Fields that it does not name stay as they are, and so do those that the command line sets.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

from harness.errors import BadInputError, did_you_mean

DIGITS = 4  # of a number that is drawn: a found yaml is to be read


@dataclass(frozen=True)
class Dimension:
    """One field: numbers from low to high, by ratio if log, or one of `choices`."""

    name: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    choices: tuple[Any, ...] = ()

    def sample(self, rng: random.Random) -> Any:
        """Uniform over the choices, or over the (logarithmic) range."""
        if self.choices:
            return self.choices[rng.randrange(len(self.choices))]
        return self.at(rng.random())

    def at(self, unit: float) -> Any:
        """The number at `unit`, 0 (low) ... 1 (high)."""
        if self.log:
            ends = math.log(self.low), math.log(self.high)
            value = math.exp(ends[0] + unit * (ends[1] - ends[0]))
        else:
            value = self.low + unit * (self.high - self.low)
        return self.tidy(value)

    def tidy(self, value: float) -> Any:
        """A number of a few digits within the range; whole where the range is."""
        if self.whole:
            return int(min(max(round(value), self.low), self.high))
        return float(min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high))

    def unit(self, value: float) -> float:
        """Where a number lies, 0 ... 1."""
        low, high = (math.log(v) if self.log else v for v in (self.low, self.high))
        return (
            ((math.log(value) if self.log else value) - low) / (high - low) if high > low else 0.0
        )

    def holds(self, value: Any) -> bool:
        """Whether a value lies within. A whole number counts as a number, true and false do not."""
        if self.choices:
            return any(value == one and type(value) is type(one) for one in self.choices)
        kinds: tuple[type, ...] = (int,) if self.whole else (int, float)
        return type(value) in kinds and self.low <= value <= self.high

    def __str__(self) -> str:
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Space:
    """All dimensions, in the yaml's order."""

    dimensions: tuple[Dimension, ...]

    @classmethod
    def read(cls, search: Any, fields: dict[str, Any], where: str) -> Space:
        """Of about.search. Raises BadInputError, naming `where`, for whatever is wrong with it."""
        if not isinstance(search, dict) or not search:
            raise BadInputError(
                f"{where} has no search space: write one in its yaml, under about.search, or in a class of "
                "your own as search = {...}"
            )
        found = []
        for name, given in search.items():
            if name not in fields:
                raise BadInputError(
                    f"{where}: about.search.{name} is no field{did_you_mean(str(name), fields)}; it has: "
                    f"{', '.join(fields) or 'no fields'}"
                )
            found.append(_dimension(name, given, f"{where}: about.search.{name}"))
        return cls(tuple(found))

    def without(self, names: set[str]) -> Space:
        """The space in which these fields are held."""
        return Space(tuple(d for d in self.dimensions if d.name not in names))

    def sample(self, rng: random.Random) -> dict[str, Any]:
        return {d.name: d.sample(rng) for d in self.dimensions}

    def holds(self, fields: dict[str, Any]) -> bool:
        """Whether a setting lies within; the published one may not."""
        return all(d.name in fields and d.holds(fields[d.name]) for d in self.dimensions)

    def problem(self, fields: Any) -> str | None:
        """What is wrong with a stranger's proposal, or None. It may leave fields out."""
        if not isinstance(fields, dict):
            return "fields must be an object of field and value"
        known = {d.name: d for d in self.dimensions}
        for name, value in fields.items():
            if name not in known:
                return (
                    f"there is no field {name}{did_you_mean(str(name), known)} in the search space"
                )
            if not known[name].holds(value):
                return f"{name}={value!r}: must be {known[name]}"
        return None

    def plain(self) -> dict[str, dict[str, Any]]:
        """As in the yaml."""
        return {
            d.name: {"choices": list(d.choices)}
            if d.choices
            else {
                "low": int(d.low) if d.whole else d.low,
                "high": int(d.high) if d.whole else d.high,
                "log": d.log,
            }
            for d in self.dimensions
        }


def _dimension(name: str, given: Any, where: str) -> Dimension:
    keys = set(given) if isinstance(given, dict) else set()
    if keys == {"choices"} and isinstance(given["choices"], list) and given["choices"]:
        return Dimension(name, choices=tuple(given["choices"]))
    if not {"low", "high"} <= keys <= {"low", "high", "log"}:
        raise BadInputError(
            f"{where}: must be {{low, high}}, with log: true or not, or {{choices}}"
        )
    low, high, log = given["low"], given["high"], given.get("log", False)
    if any(type(v) not in (int, float) for v in (low, high)) or type(log) is not bool:
        raise BadInputError(f"{where}: low and high must be numbers, log true or false")
    if not (math.isfinite(low) and math.isfinite(high) and low < high) or (log and low <= 0):
        raise BadInputError(f"{where}: low must be below high, and above 0 with log")
    whole = type(low) is int and type(high) is int
    return Dimension(name, low, high, log, whole)
