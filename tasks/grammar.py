"""A stochastic grammar that writes text of any length, with an entropy that is known.

It is a probabilistic automaton: `GRAMMAR` says for every state which classes of words may follow,
how often, and into which state each leads. Within a class the word of rank r has a weight of about
1 / (r + 2) (Zipf). Number agrees between determiner, noun and verb, across a relative clause if
there is one, and a heading names the topic, which decides which nouns its paragraph prefers.

Every probability is a whole number over 2**32, and a text gives away how it was derived: it has one
path through the automaton, because from each state the words that may follow are all different and
the letter after a word tells where it ends (the tests check every pair). So the entropy of the text
is that of the choices. Paragraphs are independent and alike, hence by the renewal-reward theorem a
byte carries H / L nats: a paragraph's expected nats over its expected bytes. With v the expected
visits to each state in a paragraph, which solve v = e_start + v P,

    H = sum_s v_s sum_arc p(arc | s) (-log p(arc | s) + H(words of its class)),

and L is the same sum over expected word lengths. That is the rate with all text before in view. A
learner that is dropped into the middle of a sentence pays a few nats more until it is oriented.

Only whole numbers and raw Philox words decide, so that a seed gives the same bytes everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

ONE = 1 << 32  # weights are whole numbers over this
TOPICS = 8
PARAGRAPHS = 1024  # written side by side in one block; changing it changes every text
NOUNS = 240

# state = times out of 64, class of words, next state | ...
# {t} is every topic; {n} and {m} are s (singular) and p (plural).
GRAMMAR = """
start               = 8 heading.0 sentence.0 | 8 heading.1 sentence.1 | 8 heading.2 sentence.2 |\
                      8 heading.3 sentence.3 | 8 heading.4 sentence.4 | 8 heading.5 sentence.5 |\
                      8 heading.6 sentence.6 | 8 heading.7 sentence.7
sentence.{t}        = 36 Det.s subject.s.{t} | 20 Det.p subject.p.{t} | 8 opener clause.{t}
clause.{t}          = 40 det.s subject.s.{t} | 24 det.p subject.p.{t}
subject.{n}.{t}     = 16 adjective subject.{n}.{t} | 48 noun.{n}.{t} head.{n}.{t}
head.{n}.{t}        = 12 that relative.{n}.{t} | 32 does.{n} object.{t} | 20 is.{n} end.{t}
relative.{n}.{t}    = 64 does.{n} inner.{n}.{t}
inner.{m}.{t}       = 40 det.s inner.{m}.s.{t} | 24 det.p inner.{m}.p.{t}
inner.{m}.{n}.{t}   = 12 adjective inner.{m}.{n}.{t} | 52 noun.{n}.{t} main.{m}.{t}
main.{n}.{t}        = 40 does.{n} object.{t} | 24 is.{n} end.{t}
object.{t}          = 40 det.s object.s.{t} | 24 det.p object.p.{t}
object.{n}.{t}      = 14 adjective object.{n}.{t} | 50 noun.{n}.{t} end.{t}
end.{t}             = 12 preposition object.{t} | 8 adverb close.{t} | 8 conjunction clause.{t} |\
                      31 stop sentence.{t} | 5 break start
close.{t}           = 55 stop sentence.{t} | 9 break start
"""
SINGULAR, PLURAL = "a this every each another", "these some many several most"
PREPOSITIONS = "with near under behind against"


def arcs() -> dict[str, list[tuple[int, str, str]]]:
    """State to its arcs: (weight over 2**32, class of words, next state)."""
    table: dict[str, list[tuple[int, str, str]]] = {}
    for rule in GRAMMAR.strip().splitlines():
        for t, n, m in product(range(TOPICS), "sp", "sp"):
            state, alternatives = rule.format(t=t, n=n, m=m).split("=")
            parts = (alternative.split() for alternative in alternatives.split("|"))
            table[state.strip()] = [(int(w) * ONE // 64, words, to) for w, words, to in parts]
    return table


def classes() -> dict[str, list[tuple[str, int]]]:
    """Class to its words with their weights over 2**32; a word brings the space before it along."""
    stems = _stems()

    def take(count: int) -> list[str]:
        return [next(stems) for _ in range(count)]

    nouns, does, is_ = take(NOUNS), take(80), take(60)
    words = {
        "adjective": [f" {stem}n" for stem in take(80)],
        "adverb": [f" {stem}ly" for stem in take(30)],
        "does.s": [f" {stem}s" for stem in does],  # transitive verbs
        "does.p": [f" {stem}" for stem in does],
        "is.s": [f" {stem}s" for stem in is_],  # intransitive verbs
        "is.p": [f" {stem}" for stem in is_],
        "det.s": [f" {word}" for word in SINGULAR.split()],
        "det.p": [f" {word}" for word in PLURAL.split()],
        "Det.s": [word.capitalize() for word in SINGULAR.split()],
        "Det.p": [word.capitalize() for word in PLURAL.split()],
        "opener": ["Often,", "Later,", "Perhaps,", "Today,", "Elsewhere,"],
        "preposition": [f" {word}" for word in PREPOSITIONS.split()],
        "conjunction": [", and", ", but", ", so", ", while"],
        "that": [" that"],
        "stop": [". "],
        "break": [".\n\n"],
    }
    for t in range(TOPICS):
        turn = t * NOUNS // TOPICS  # what is frequent in one topic is rare in the others
        preferred = nouns[turn:] + nouns[:turn]
        words[f"heading.{t}"] = [f"{preferred[0].upper()}\n"]
        words[f"noun.s.{t}"] = [f" {stem}" for stem in preferred]
        words[f"noun.p.{t}"] = [f" {stem}s" for stem in preferred]
    return {name: list(zip(rank, _zipf(len(rank)), strict=True)) for name, rank in words.items()}


def _stems() -> Iterator[str]:
    """Invented stems of two syllables, all different, none like a word of the closed classes."""
    consonants, vowels = "bdfgklmnprtvz", "aeiou"
    syllables = [c + v for c, v in product(consonants, vowels)]
    count = len(syllables) ** 2
    for i in range(count):
        first, second = divmod(i * 2897 % count, len(syllables))  # 2897 is prime to count
        yield syllables[first] + syllables[second]


def _zipf(count: int) -> list[int]:
    """Weights in proportion to 1 / (rank + 2), in whole numbers that sum to 2**32."""
    shares = [ONE // (rank + 2) for rank in range(count)]
    weights = [share * ONE // sum(shares) for share in shares]
    weights[0] += ONE - sum(weights)
    return weights


@dataclass(frozen=True)
class _Tables:
    """The automaton as arrays, with states, classes and words numbered.

    A state's arcs cover [state, state + 1) * 2**32 of one number line, cut at `arc_ends`, and so do
    a class's words at `word_ends`; one binary search then finds what a random number has chosen.
    """

    arc_ends: np.ndarray  # uint64 [arcs]
    arc_class: np.ndarray  # uint64 [arcs]
    arc_next: np.ndarray  # uint64 [arcs]
    word_ends: np.ndarray  # uint64 [words]
    word_bytes: np.ndarray  # uint8 [words, longest], zero after the end


@cache
def _tables() -> _Tables:
    by_state, by_class = arcs(), classes()
    state_number = {name: i for i, name in enumerate(by_state)}
    class_number = {name: i for i, name in enumerate(by_class)}
    all_arcs = [arc for row in by_state.values() for arc in row]
    all_words = [word for row in by_class.values() for word in row]
    return _Tables(
        arc_ends=np.cumsum([weight for weight, _, _ in all_arcs], dtype=np.uint64),
        arc_class=np.array([class_number[name] for _, name, _ in all_arcs], np.uint64),
        arc_next=np.array([state_number[name] for _, _, name in all_arcs], np.uint64),
        word_ends=np.cumsum([weight for _, weight in all_words], dtype=np.uint64),
        word_bytes=_padded([word.encode() for word, _ in all_words]),
    )


def _padded(words: list[bytes]) -> np.ndarray:
    return np.array(words).view(np.uint8).reshape(len(words), -1)


@cache
def entropy() -> float:
    """Nats per byte, by the sums at the head of this file."""
    by_state, by_class = arcs(), classes()
    numbers = {name: i for i, name in enumerate(by_state)}
    nats = {name: -sum(w / ONE * math.log(w / ONE) for _, w in by_class[name]) for name in by_class}
    size = {name: sum(w / ONE * len(word) for word, w in by_class[name]) for name in by_class}
    flow = np.zeros((len(numbers), len(numbers)))
    h, length = np.zeros(len(numbers)), np.zeros(len(numbers))
    for state, row in by_state.items():
        i = numbers[state]
        for weight, words, to in row:
            p = weight / ONE
            h[i] += p * (nats[words] - math.log(p))
            length[i] += p * size[words]
            if to != "start":  # a new paragraph is none of this one's
                flow[i, numbers[to]] += p
    start = np.eye(len(numbers))[numbers["start"]]
    visits = np.linalg.solve((np.eye(len(numbers)) - flow).T, start)
    return float(visits @ h / (visits @ length))


def generate(length: int, seed: Sequence[int]) -> np.ndarray:
    """The first `length` bytes, uint8, of the endless text that belongs to the seed's integers."""
    key = np.random.SeedSequence(seed).generate_state(2, np.uint64)
    text = np.empty(length, np.uint8)
    done = block = 0
    while done < length:
        part = _block(np.random.Philox(key=key, counter=[0, 0, block, 0]))[: length - done]
        text[done : done + len(part)] = part
        done += len(part)
        block += 1
    return text


def _block(philox: np.random.Philox) -> np.ndarray:
    """PARAGRAPHS paragraphs, uint8, that grow word by word, each until it is back at the start."""
    tables, start = _tables(), np.uint64(0)
    low, bits = np.uint64(ONE - 1), np.uint64(32)
    paragraph = np.arange(PARAGRAPHS, dtype=np.uint16)
    state = np.zeros(PARAGRAPHS, np.uint64)
    words, owners = [], []
    while len(paragraph):
        raw = philox.random_raw(len(paragraph))
        arc = np.searchsorted(tables.arc_ends, state << bits | raw >> bits, side="right")
        spot = tables.arc_class[arc] << bits | raw & low
        words.append(np.searchsorted(tables.word_ends, spot, side="right"))
        owners.append(paragraph)
        state = tables.arc_next[arc]
        going = state != start
        paragraph, state = paragraph[going], state[going]
    order = np.argsort(np.concatenate(owners), kind="stable")
    flat = tables.word_bytes[np.concatenate(words)[order]].ravel()
    return flat[flat != 0]
