"""The context mixer: what it learns, and that nothing leaks between lanes, segments and draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from algorithms.base import Refused
from algorithms.mixer import Mixer
from tasks import grammar, texts
from tests.opponents import ODD, SEGMENT, answers, as_text, nats, segments, train, words

BOTH = pytest.mark.parametrize("adapt", [False, True], ids=["frozen", "adapting"])


def test_learns_a_grammar_nearly_to_its_entropy() -> None:
    text = texts.load("grammar", length=140_000, entropy=[1]).data
    held_out = text[-16_384:].reshape(16, 1024)
    found = nats(train(Mixer(), text[:-16_384].tobytes(), 1024), held_out)
    assert grammar.entropy() - 0.03 < found < grammar.entropy() + 0.22


@BOTH
def test_the_answers_do_not_depend_on_asking(adapt: bool) -> None:
    predictor, lanes = train(Mixer(adapt=adapt), words(10_000)), segments(2)
    asked = answers(predictor, lanes)[-1]
    predictor.reset(2)
    for symbols in lanes.T:
        predictor.observe(symbols)
    predictor.predict()
    np.testing.assert_array_equal(predictor.predict(), asked)


def test_adapting_helps_where_a_segment_repeats_itself() -> None:
    text = words(40_000)
    repeats = as_text(b"zyxomma qerrat vuulp. " * 12)[None, :256]
    frozen, adapting = (train(Mixer(adapt=adapt), text, 256) for adapt in (False, True))
    assert nats(adapting, repeats) < 0.5 * nats(frozen, repeats)
    assert nats(adapting, segments(8, 256)) < nats(frozen, segments(8, 256)) + 0.02
    assert Mixer(adapt=True).adapts and not Mixer().adapts


def test_a_segment_longer_than_was_told_is_answered_to_its_end() -> None:
    """What is learned beyond the room of a lane is forgotten, but no answer is missing."""
    text = words(20_000)
    predictor = train(Mixer(adapt=True), text, 16)
    long = as_text(words(3000, seed=4) + ODD["noise"])[None]
    first = answers(predictor, long)
    np.testing.assert_array_equal(first, answers(predictor, long))


@BOTH
@pytest.mark.parametrize("text", ODD.values(), ids=list(ODD))
def test_odd_texts(text: bytes, adapt: bool) -> None:
    predictor = train(Mixer(adapt=adapt), text)
    known = (text * 20)[:20]
    lanes = as_text(known + bytes(range(236, 256)) + b"\0xyz" * 5).reshape(2, 30)
    before = answers(predictor, lanes)
    np.testing.assert_array_equal(before, answers(predictor, lanes))


@pytest.mark.parametrize("text", [ODD["one symbol"], ODD["two symbols"]], ids=["x", "xy"])
def test_what_always_comes_is_expected(text: bytes) -> None:
    assert nats(train(Mixer(), text), as_text(text[:SEGMENT])[None]) < 0.1


def test_all_bytes_in_turn_are_learned() -> None:
    text = bytes(range(256)) * 60
    held_out = as_text(bytes(range(40, 40 + SEGMENT)))[None]
    assert nats(train(Mixer(), text), held_out) < 0.6


def test_last_bytes_alone_are_learned() -> None:
    text, lanes = words(9000), segments(1)
    np.testing.assert_array_equal(
        answers(train(Mixer(last_bytes=3000), text), lanes),
        answers(train(Mixer(), text[-3000:]), lanes),
    )


@pytest.mark.parametrize("bits", [10, 14])
def test_a_table_too_small_costs_nats_only(bits: int) -> None:
    text, lanes = words(20_000), segments(4)
    small = nats(train(Mixer(memory_bits=bits), text), lanes)
    assert nats(train(Mixer(), text), lanes) < small < np.log(256)


@pytest.mark.parametrize(
    "wrong",
    [
        {"last_bytes": -1},
        {"memory_bits": 9},
        {"memory_bits": 40},
        {"limit": -1},
        {"rate": -0.1},
        {"rate_fall": 0},
        {"least_move": 2.0},
    ],
    ids=lambda w: str(*w.items()),
)
def test_refuses_what_it_cannot_do(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=next(iter(wrong))) as refusal:
        Mixer(**wrong)
    assert "\n" not in str(refusal.value)


def test_refuses_an_empty_text() -> None:
    with pytest.raises(Refused, match="empty"):
        train(Mixer(), b"")
