"""Words of 32 bits in plain Python, for the oracles: chance, bytes, and how a hash is mixed."""

from __future__ import annotations

from collections.abc import Iterable

Words = list[int]  # of 32 bits, unsigned
WORD, WIDE = (1 << 32) - 1, (1 << 64) - 1


def philox(counter: Iterable[int], key: Iterable[int]) -> tuple[int, int, int, int]:
    """Philox4x32-10: four random words from four words of counter and two of key."""
    a, b, c, d = counter
    k, l = key  # noqa: E741
    for _ in range(10):
        left, right = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = right >> 32 ^ b ^ k, right & WORD, left >> 32 ^ d ^ l, left & WORD
        k, l = k + 0x9E3779B9 & WORD, l + 0xBB67AE85 & WORD  # noqa: E741
    return a, b, c, d


def below(word: int, bound: int) -> int:
    """A number from 0 to bound - 1, from a random word."""
    return word * bound >> 32


def flipped(values: Words, d: tuple[int, ...], rate: int) -> Words:
    """Bytes, each with one bit flipped with probability rate / 256; two random bytes serve each."""
    luck = [word >> shift & 255 for word in d for shift in (0, 8, 16, 24)]
    return [
        value ^ 1 << (luck[2 * i + 1] & 7) if luck[2 * i] < rate else value
        for i, value in enumerate(values)
    ]


def bytes_of(words: Iterable[int]) -> Words:
    return [word >> shift & 255 for word in words for shift in (0, 8, 16, 24)]


def words_of(values: Words) -> Words:
    return [int.from_bytes(bytes(values[i : i + 4]), "little") for i in range(0, len(values), 4)]


def mixed(word: int, salt: int, location: int, index: int) -> int:
    """A word of the space as a summand of its hash (the finaliser of splitmix64); 0 counts nothing."""
    if not word:
        return 0
    place = (salt << 59) + (location << 27) + index + 1
    x = word + place * 0x9E3779B97F4A7C15 & WIDE
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & WIDE
    x = (x ^ x >> 27) * 0x94D049BB133111EB & WIDE
    return x ^ x >> 31
