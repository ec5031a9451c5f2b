"""The density biology from Python: its sizes, its first organisms, who is best. The source that says what
these organisms do is `kernel/density.h`."""

from __future__ import annotations

import numpy as np

from algorithms.hypercell.biology import Biology, Economy
from algorithms.hypercell.world import Founder, World
from tasks.automaton.simulator import table_words

READS = ["../../tasks/automaton/kernel/ring.h"]  # counted as code by whoever hashes it
RULE, KINDS = 0, 1
# Places in params.
STEPS, TOP, MEMORY, FEED, FOLDS, MENU, GROWN, REST, BRIEF, COINS, RIPEN, FADE = range(12)
SPREADS = 64
FOLD_NAMES = ("none", "swap", "mirror", "both")
ECONOMY = Economy(cap=1 << 29, settle=64, rent=1, breed=0, endowment=200)


def biology(width: int, radius: int) -> Biology:
    """For rules of a radius on rings of a width."""
    words = table_size(radius)
    return Biology(
        name="density",
        genome=3 + words,
        state=9 + words,
        signal=5 + words,
        carry=0,
        arena=8,
        defines={"WIDTH": width, "RADIUS": radius},
        about={"width": width, "radius": radius},
    )


def table_size(radius: int) -> int:
    """32-bit words of a rule's table."""
    return max(1, 2 ** (2 * radius + 1) // 32)


def traits(fold: int, flips: int, cross: int, caste: int) -> int:
    """A genome's traits, each 0..255 but fold (0..3). flips: of table bits per child, in 1/32. cross:
    chance, in 1/256, that a child is crossed with a neighbour. caste: that it is of the other kind."""
    return fold | flips << 8 | cross << 16 | caste << 24


def rule(
    radius: int, location: int, word: int, table: np.ndarray, engine: tuple[int, int]
) -> Founder:
    """A rule organism. word: its traits; table: uint8 [2**(2 radius + 1)]."""
    words = table_words(table[None])[0][: table_size(radius)]
    genome = (RULE, word, 0, *words.tolist())
    return Founder(location, engine, genome, (0,) * (9 + table_size(radius)))


def kinds(radius: int, location: int, word: int, bias: int, engine: tuple[int, int]) -> Founder:
    """A configuration organism, whose cells are ones with probability 1/2 +- bias / 128."""
    genome = (KINDS, word, bias, *(0,) * table_size(radius))
    return Founder(location, engine, genome, (0,) * (9 + table_size(radius)))


def table_of(genome: np.ndarray, radius: int) -> np.ndarray:
    """The table that a rule organism of this genome lives by, uint8 [2**(2 radius + 1)]."""
    inputs = 2 * radius + 1
    at = np.arange(1 << inputs)
    fold = int(genome[1]) & 3
    image = at
    if fold & 2:
        image = np.zeros_like(at)
        for i in range(inputs):
            image |= (at >> i & 1) << (inputs - 1 - i)
    if fold & 1:
        image = ~image & (1 << inputs) - 1
    own = np.minimum(at, image)
    words = genome[3 : 3 + table_size(radius)]
    bits = words[own >> 5] >> (own & 31).astype(np.uint32) & 1
    table = (bits ^ ((image < at) & bool(fold & 1))).astype(np.uint8)
    table[0], table[-1] = 0, 1
    return table


def census(world: World) -> dict[str, float]:
    """How many of each kind live, the share of each fold among rules, the mean bias of configurations."""
    alive = world.arrays["energy"] > 0
    genomes = world.arrays["body"][alive, 4 : 4 + world.biology.genome]
    rules = genomes[genomes[:, 0] == RULE]
    others = genomes[genomes[:, 0] == KINDS]
    found = {"rules": float(len(rules)), "configurations": float(len(others))}
    for fold, name in enumerate(FOLD_NAMES):
        found[name] = float(np.mean((rules[:, 1] & 3) == fold)) if len(rules) else 0.0
    found["bias"] = float(others[:, 2].mean()) if len(others) else 0.0
    return found
