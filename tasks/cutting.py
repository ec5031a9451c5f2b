"""How a text is cut into what trains and what is held out, by random numbers that last.

Only `SeedSequence`'s own words are used: they are the same in every numpy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.base import Draw


def random(entropy: Sequence[int], key: Sequence[int]) -> int:
    """A random integer below 2**64."""
    return int(np.random.SeedSequence(entropy, spawn_key=key).generate_state(1, np.uint64)[0])


def ring(data: np.ndarray, start: int, stop: int, turn: int) -> tuple[np.ndarray, np.ndarray]:
    """Holds out data[start:stop]; past the end it goes on from the beginning.

    Returns what is held and the rest, which begins `turn` symbols after it.
    """
    rolled = np.roll(data, -start)
    held, rest = rolled[: stop - start], rolled[stop - start :]
    return held, np.roll(rest, -(turn % len(rest)))


def first(held: np.ndarray, length: int, most: int) -> np.ndarray:
    """The first segments of a held-out part: [count, length], as many as `most` symbols hold."""
    count = min(len(held), most) // length
    return np.array(held[: count * length].reshape(count, length))


def sampled(held: np.ndarray, length: int, most: int, entropy: Sequence[int]) -> np.ndarray:
    """Random segments of a held-out part, none of them twice: [count, length]."""
    places = len(held) // length
    words = np.random.SeedSequence(entropy, spawn_key=[0]).generate_state(places, np.uint64)
    chosen = np.sort(np.argsort(words, kind="stable")[: most // length])
    return np.array(held[: places * length].reshape(places, length)[chosen])


def topics(sections: np.ndarray, n: int, tenth: int, least: int, where: int) -> tuple[int, int]:
    """A run of whole topics of about `tenth` bytes, from a random one on, as on a ring."""
    first = where % len(sections)
    ends = np.concatenate([sections[first + 1 :], [n], sections[1 : first + 1] + n])
    start = int(sections[first])
    ends = ends[ends - start >= least]
    return start, int(ends[np.abs(ends - start - tenth).argmin()])


def in_cipher(draw: Draw, entropy: Sequence[int], r: int) -> Draw:
    """The same draw in a cipher of its own: letters are exchanged, a and A for the same other letter.

    The draws of one window are pieces of one text, so a model of one would serve for all and the other
    trainings could be skipped. In another cipher it is worth nothing, while spaces, words, case and
    every frequency that can be learned are as they were.
    """
    keys = [random(entropy, [3, r, letter]) for letter in range(26)]
    order = np.argsort(np.array(keys, np.uint64), kind="stable").astype(np.uint8)
    table = np.arange(256, dtype=np.uint8)
    for letter in (ord("a"), ord("A")):
        table[letter : letter + 26] = letter + order
    return Draw({"text": table[draw.train["text"]]}, {"segments": table[draw.key["segments"]]})
