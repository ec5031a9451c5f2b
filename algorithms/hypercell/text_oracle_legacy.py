"""What a child buys of its parent, in slow Python; kernel/text_legacy.h says what and why."""

from __future__ import annotations

import numpy as np

from algorithms.hypercell.arithmetic import Words
from algorithms.hypercell.density_oracle import quotient
from algorithms.hypercell.oracle import Here
from algorithms.hypercell.text import HABITS, MODELS, ON
from algorithms.hypercell.text_oracle_learn import Mind
from algorithms.hypercell.text_oracle_reader import BUCKETS

LISTENS = 2 * ON - 1


def sold(here: Here, genome: Words, wanted: int) -> Words:
    """The words that a child with this genome is sent, of at most so many. here: its parent."""
    mind, parts, words = Mind(here), 0, Words()
    expressed = [k for k in range(MODELS) if here.genome[k] & ON]
    for j, k in enumerate(expressed):
        if (here.genome[k] ^ genome[k]) & LISTENS or 1 + len(words) + BUCKETS > wanted:
            continue
        parts |= 1 << k
        gains, runs = (mind.learned[name][j].tolist() for name in ("gain", "run"))
        words += [halves(g >> 11, r >> 9) for g, r in zip(gains, runs, strict=True)]
    alike = not (here.genome[HABITS] ^ genome[HABITS]) & 255
    if alike and 1 + len(words) + BUCKETS <= wanted:
        parts |= 1 << MODELS
        first, second = mind.learned["match"][:, :, : mind.width]
        words += [halves(mean(a), mean(b)) for a, b in zip(first, second, strict=True)]
    return [parts, *words] if parts else []


def halves(low: int, high: int) -> int:
    """Two numbers of 16 bits, perhaps negative, in a word."""
    return low & 0xFFFF | (high & 0xFFFF) << 16


def mean(weights: np.ndarray) -> int:
    """Of those classes that a match has met, 2^-9 nats. weights: int32 [width]."""
    met = int(np.count_nonzero(weights))
    return quotient(int((weights >> 9).sum(dtype=np.int64)), met) if met else 0


def take(here: Here, carry: Words) -> int:
    """Puts what was bought where the child's models are. Returns which: bit j, model j; bit MODELS."""
    learned, has = Mind(here).learned, 0
    parts = np.array(carry[1:], "<u4").view("<i2").reshape(-1, BUCKETS, 2).astype(np.int64)
    rest = iter(parts)
    for j, k in enumerate(k for k in range(MODELS) if here.genome[k] & ON):
        if carry[0] >> k & 1:
            part = next(rest)
            learned["gain"][j], learned["run"][j] = (part[:, 0] & 0xFFFF) << 11, part[:, 1] * 512
            has |= 1 << j
    if carry[0] >> MODELS & 1:
        learned["match"][:] = (next(rest) * 512).T[:, :, None]
        has |= 1 << MODELS
    return has
