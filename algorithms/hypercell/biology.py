"""What a biology is: one file of kernel source, and what Python has to know of it.

The source (`kernel/NAME.h`) defines its sizes and five functions, all on integers; `parity.h` is the
example to read:

    GENOME, STATE, SIGNAL, CARRY   words;  ARENA   bytes, a multiple of 8
    arrive(here, carry, carried)             a migrant settles: make the arena its own
    live(here)                               one tick's work: fill in earned, spent, perhaps a signal
    conceive(here, genome, state, rate)      the parent's copies become the child's
    pack(here, genome, carry, wanted)        learned state for the child; returns the words taken
    merit(space, genome, state)              how good an individual is, for export

It may count itself: `COUNT(EVENT, many)` in the source, a price for each event in `NAME_events.h`.

The same five, in slow Python, are the methods of `Life` below: they say what is right.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tasks import automaton

KERNEL = Path(__file__).parent / "kernel"
AUTOMATON = Path(automaton.__file__).parent / "kernel"  # how rings step: the tasks' and ours
READS = ["kernel/*.h"]  # counted as code by whoever hashes it


@dataclass(frozen=True)
class Economy:
    """Prices, in units of energy that have nothing to do with joules.

    cap: the most that an organism can hold; what is above is burned. settle: minted for the first to
    live in a place. rent: burned per tick of life. breed: an organism reproduces from (threshold gene +
    1) * breed on. price: of 16 words of learned state that a child inherits. endowment: a founder's.
    """

    cap: int = 1 << 24
    settle: int = 256
    rent: int = 2
    breed: int = 4
    price: int = 4
    endowment: int = 1024

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least = 1 if name == "cap" else 0
            if (
                not least <= value <= 1 << 30
            ):  # energies are 32-bit numbers, and sums of two must fit
                raise ValueError(f"Economy.{name}={value}: must be from {least} to 2**30")


@dataclass(frozen=True)
class Biology:
    """A biology ready to be compiled. name: of its source. Sizes are in words, the arena in bytes.
    defines: constants of the source. about: what a genome of it means beyond that; snapshots and genomes
    of another are refused. Besides, a kernel reads up to 16 integers at run time (`Space.params`)."""

    name: str
    genome: int
    state: int
    signal: int
    carry: int
    arena: int
    defines: dict[str, int] = field(default_factory=dict)
    about: dict[str, int] = field(default_factory=dict)
    folder: Path = KERNEL

    @property
    def body(self) -> int:
        """Words of an organism: lineage, tick of birth, two of engine genes, genome, registers."""
        return 4 + self.genome + self.state

    @property
    def message(self) -> int:
        """Words of a message: energy, words carried, body, signal, what is carried."""
        return 2 + self.body + self.signal + self.carry

    def source(self, host: str) -> str:
        """The whole text of the kernel. host: `cpu` or `cuda`."""
        defines = "".join(f"#define {key} {value}\n" for key, value in self.defines.items())
        parts = ["prelude", "philox", self.name, "engine", host]
        return defines + "\n".join(inlined(part, self.folder) for part in parts)

    def events(self) -> str | None:
        """What the kernel counts, as `algorithms.counting` wants it: the engine's table and that of
        NAME_events.h. None: this biology does not count itself."""
        own = self.folder / f"{self.name}_events.h"
        if not own.exists():
            return None
        both = "#define EVENTS(_) ENGINE_EVENTS(_) LIFE_EVENTS(_)\n"
        return (KERNEL / "engine_events.h").read_text() + own.read_text() + both


def inlined(name: str, folder: Path) -> str:
    """A part of the kernel; the parts that it includes are put in its text."""
    path = next(p for shelf in (folder, KERNEL, AUTOMATON) if (p := shelf / f"{name}.h").exists())
    lines = []
    for line in path.read_text().splitlines():
        if line.startswith('#include "'):
            lines.append(inlined(line.split('"')[1].removesuffix(".h"), folder))
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


class Life(Protocol):
    """A biology in Python, for `oracle.Oracle`. Words are integers of 32 bits, unsigned.

    here: an `oracle.Here`; what is in its genome, state and arena may be changed. `live` fills in
    `earned`, `spent` and, to tell something, `signal`; `conceive` changes the copies that it is given.
    space: an `oracle.Oracle`, with params and data.
    """

    def arrive(self, here: Any, carry: list[int]) -> None: ...

    def live(self, here: Any) -> None: ...

    def conceive(self, here: Any, genome: list[int], state: list[int], rate: int) -> None: ...

    def pack(self, here: Any, genome: list[int], wanted: int) -> list[int]: ...

    def merit(self, space: Any, genome: list[int], state: list[int]) -> int: ...
