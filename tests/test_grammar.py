"""The generator's entropy is right, its text has one reading, and a seed gives the same bytes."""

from __future__ import annotations

import hashlib
import math
import time
from itertools import pairwise

import numpy as np
import pytest

from tasks import grammar

GOLDEN_START = b"NIDA\nEvery gepi that ratas most lavis bofes these kofun fuku"
GOLDEN_SHA256 = "18ddea06e03ed7ea4ec4fccd7aaa26860116c7b25998894daa2309bee8795a6b"
Emissions = dict[str, dict[str, tuple[float, str]]]


@pytest.fixture(scope="module")
def emissions() -> Emissions:
    """State to word to (its probability from there, next state)."""
    table: Emissions = {}
    classes = grammar.classes()
    for state, arcs in grammar.arcs().items():
        row: dict[str, tuple[float, str]] = {}
        for weight, words, to in arcs:
            for word, share in classes[words]:
                assert word not in row, f"{word!r} follows {state} in two ways"
                row[word] = (weight * share / grammar.ONE**2, to)
        table[state] = row
    return table


def test_weights_are_whole_numbers_over_2_to_the_32() -> None:
    for arcs in grammar.arcs().values():
        assert sum(weight for weight, _, _ in arcs) == grammar.ONE
    for words in grammar.classes().values():
        weights = [weight for _, weight in words]
        assert sum(weights) == grammar.ONE
        assert min(weights) > 0
        assert weights == sorted(weights, reverse=True)


def test_one_letter_ahead_tells_where_every_word_ends(emissions: Emissions) -> None:
    """Together with the words of a state being different, that means one derivation per text."""
    first = {state: {word[0] for word in row} for state, row in emissions.items()}
    shorter = 0
    for row in emissions.values():
        for word in row:
            for end in range(1, len(word)):
                if word[:end] in row:
                    shorter += 1
                    assert word[end] not in first[row[word[:end]][1]]
    assert shorter > 0  # nouns and their plurals: the case is there to be told apart


def read(text: str, emissions: Emissions) -> tuple[float, int, list[str]]:
    """Derives a text: nats, bytes used, and the states passed. The last paragraph may be cut."""
    longest = max(len(word) for row in emissions.values() for word in row)
    nats, at, state, states = 0.0, 0, "start", []
    while at < len(text) - longest:
        word = next(
            text[at : at + size]
            for size in range(longest, 0, -1)
            if text[at : at + size] in emissions[state]
        )
        p, to = emissions[state][word]
        nats -= math.log(p)
        at += len(word)
        states.append(state)
        state = to
    return nats, at, states


def test_cost_of_the_derivation_per_byte_is_the_entropy(emissions: Emissions) -> None:
    text = bytes(grammar.generate(1_000_000, [11])).decode()
    nats, used, states = read(text, emissions)
    assert nats / used == pytest.approx(grammar.entropy(), abs=3e-3)  # it scatters by some 8e-4
    assert grammar.entropy() == pytest.approx(0.7025801096442017, abs=1e-12)
    assert set(states) == set(emissions)


def test_entropy_agrees_with_the_long_run_of_the_chain(emissions: Emissions) -> None:
    """The same number from another formula: the chain's stationary distribution, by iteration."""
    names = list(emissions)
    flow = np.zeros((len(names), len(names)))
    nats, size = np.zeros(len(names)), np.zeros(len(names))
    for i, state in enumerate(names):
        for word, (p, to) in emissions[state].items():
            flow[i, names.index(to)] += p
            nats[i] -= p * math.log(p)
            size[i] += p * len(word)
    share = np.full(len(names), 1 / len(names))
    for _ in range(3000):
        share = share @ flow
    assert share @ nats / (share @ size) == pytest.approx(grammar.entropy(), rel=1e-9)


def test_golden_bytes() -> None:
    text = grammar.generate(100_000, [2026, 7])
    assert bytes(text[:60]) == GOLDEN_START
    assert hashlib.sha256(text.tobytes()).hexdigest() == GOLDEN_SHA256


def test_a_longer_text_begins_with_the_shorter_and_other_seeds_differ() -> None:
    long = grammar.generate(1_200_000, [5])
    assert len(long) == 1_200_000  # more than two blocks
    assert (long[:700_001] == grammar.generate(700_001, [5])).all()
    assert (long[:1000] != grammar.generate(1000, [6])).any()
    assert long.dtype == np.uint8


def test_number_agrees_and_a_heading_tells_the_frequent_noun() -> None:
    text = bytes(grammar.generate(300_000, [3])).decode()
    plural = {word.strip() for word, _ in grammar.classes()["noun.p.0"]}
    words = text.replace(",", " ").replace(".", " ").split()
    after = {b for a, b in pairwise(words) if a.lower() in ("a", "every", "this")}
    assert len(after) > 100
    assert not plural & after
    paragraphs = [paragraph.split("\n") for paragraph in text.split("\n\n")[:-1]]
    for noun in {heading for heading, _ in paragraphs}:
        here = [
            body.count(f" {noun.lower()}") / len(body) for head, body in paragraphs if head == noun
        ]
        else_ = [
            body.count(f" {noun.lower()}") / len(body) for head, body in paragraphs if head != noun
        ]
        assert np.mean(here) > 4 * np.mean(else_)


def test_generates_several_megabytes_a_second() -> None:
    grammar.generate(1, [0])
    began = time.process_time()
    grammar.generate(3_000_000, [1])
    # 17 to 20 MB/s of CPU time on a plain core; a tenth of it would mean a loop slipped in.
    assert 3.0 / (time.process_time() - began) > 2
