"""Prediction by partial matching against a second implementation by dictionaries, and its contract."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from algorithms.base import Refused
from algorithms.ppm import Ppm
from tasks import grammar, texts
from tests.opponents import ODD, SEGMENT, answers, as_text, nats, segments, train, words

BOTH = pytest.mark.parametrize("adapt", [False, True], ids=["frozen", "adapting"])


def kind(x: float) -> int:
    """Half octaves above one."""
    mantissa, exponent = math.frexp(x)
    return min(max(2 * (exponent - 1) + (mantissa >= 0.75), 0), 19)


class Reference:
    """The whole of it: counts by context and symbol, escapes by sort of context, in float64."""

    def __init__(self, order: int, first: float, inherit: float, discount: float) -> None:
        self.order, self.first, self.inherit, self.discount = order, first, inherit, discount
        self.counts: dict[bytes, dict[int, float]] = {b"": {}}
        self.records: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])

    def path(self, history: bytes) -> list[bytes]:
        """The contexts that are known, the longest first."""
        ends = (history[len(history) - n :] for n in range(min(self.order, len(history)), -1, -1))
        return [end for end in ends if end in self.counts]

    def escape(self, context: bytes) -> tuple[tuple[int, ...], float]:
        seen = self.counts[context]
        n, total = len(seen), sum(seen.values())
        below = kind(1 + len(self.counts[context[1:]]) - n) if context else 0
        few = min(n if n < 6 else 6 + kind(n / 6), 11)
        key = (min(len(context), 11), few, kind(total), min(below, 7))
        escapes, visits = self.records[key]
        return key, min(max((escapes + n / (n + total)) / (visits + 1), 1e-4), 0.9999)

    def share(self, context: bytes, symbol: int) -> float:
        seen = self.counts[context]
        if symbol not in seen:
            return 0.0
        return (seen[symbol] - self.discount) / (sum(seen.values()) - self.discount * len(seen))

    def chances(self, history: bytes, symbol: int) -> list[float]:
        """The symbol's probability in each context of the path and, last, below all of them."""
        p = [1 / 256]
        for context in reversed(self.path(history)):
            e = self.escape(context)[1] if self.counts[context] else 1.0
            p.insert(0, e * p[0] + (1 - e) * self.share(context, symbol))
        return p

    def learn(self, history: bytes, symbol: int, gain: float = 1) -> None:
        path, p, reach = self.path(history), self.chances(history, symbol), 1.0
        moves = []
        for i, context in enumerate(path):
            if self.counts[context] and reach > 1e-3:
                key, e = self.escape(context)
                passed = e * p[i + 1] / p[i]
                moves.append((key, reach * passed, reach))
                reach *= passed
        for key, escapes, visits in moves:
            self.records[key][0] += escapes
            self.records[key][1] += visits
        for i, context in enumerate(path):
            known = symbol in self.counts[context]
            if known:
                self.counts[context][symbol] += gain
                break
            self.counts[context][symbol] = (self.first + self.inherit * p[i + 1]) * gain
            if len(context) < self.order:
                self.counts[context + bytes([symbol])] = {}


def reference(text: bytes, algorithm: Ppm) -> Callable[[np.ndarray], np.ndarray]:
    """Of a segment, the probabilities before each byte and after the last, [length + 1, 256]."""

    def fresh() -> Reference:
        a = algorithm
        model = Reference(a.order, a.first_count, a.inherit, a.discount)
        for i, symbol in enumerate(text):
            model.learn(text[max(0, i - 20) : i], symbol)
        return model

    def answer(segment: np.ndarray) -> np.ndarray:
        model, out, seen = fresh(), [], segment.tobytes()
        for i in range(len(seen) + 1):
            out.append([model.chances(seen[:i], c)[0] for c in range(256)])
            if algorithm.adapt and i < len(seen):
                model.learn(seen[:i], seen[i], algorithm.gain_adapt)
        return np.array(out)

    return answer


@BOTH
@pytest.mark.parametrize("order", [1, 3, 6])
@pytest.mark.parametrize(
    "text", [words(1500), ODD["no UTF-8"], b"abracadabra", b"x" * 50], ids=lambda t: str(t[:4])
)
def test_agrees_with_the_reference(text: bytes, order: int, adapt: bool) -> None:
    algorithm = Ppm(order=order, adapt=adapt)
    lane = as_text((text[:9] + b"abraca\xffd" + text[-7:]).ljust(24, b"q"))
    found = np.exp(answers(train(algorithm, text), lane[None])[:, 0].astype(float))
    np.testing.assert_allclose(found, reference(text, algorithm)(lane), rtol=3e-3)


def test_learns_a_grammar_better_than_counting_does() -> None:
    """Kneser-Ney's best order ends 0.245 above the entropy here."""
    text = texts.load("grammar", length=140_000, entropy=[1]).data
    held_out = text[-16_384:].reshape(16, 1024)
    found = nats(train(Ppm(), text[:-16_384].tobytes(), 1024), held_out)
    assert grammar.entropy() - 0.03 < found < grammar.entropy() + 0.235


def test_adapting_helps_where_a_segment_repeats_itself() -> None:
    text = words(40_000)
    repeats = as_text(b"zyxomma qerrat vuulp. " * 12)[None, :256]
    frozen, adapting = (train(Ppm(adapt=adapt), text, 256) for adapt in (False, True))
    assert nats(adapting, repeats) < 0.5 * nats(frozen, repeats)
    assert nats(adapting, segments(8, 256)) < nats(frozen, segments(8, 256)) + 0.02
    assert Ppm(adapt=True).adapts and not Ppm().adapts


def test_a_segment_longer_than_was_told_is_answered_to_its_end() -> None:
    """A lane without room left stops learning, but no answer is missing."""
    predictor = train(Ppm(adapt=True), words(20_000), 16)
    long = as_text(words(3000, seed=4) + ODD["noise"])[None]
    first = answers(predictor, long)
    np.testing.assert_array_equal(first, answers(predictor, long))


@BOTH
@pytest.mark.parametrize("text", ODD.values(), ids=list(ODD))
def test_odd_texts(text: bytes, adapt: bool) -> None:
    predictor = train(Ppm(adapt=adapt), text)
    known = (text * 20)[:20]
    lanes = as_text(known + bytes(range(236, 256)) + b"\0xyz" * 5).reshape(2, 30)
    before = answers(predictor, lanes)
    np.testing.assert_array_equal(before, answers(predictor, lanes))


@pytest.mark.parametrize(
    "text", [ODD["one symbol"], ODD["two symbols"], bytes(range(256)) * 60], ids=["x", "xy", "all"]
)
def test_what_always_comes_is_expected(text: bytes) -> None:
    assert nats(train(Ppm(), text), as_text(text[:SEGMENT])[None]) < 0.15


def test_last_bytes_alone_are_learned() -> None:
    text, lanes = words(9000), segments(1)
    np.testing.assert_array_equal(
        answers(train(Ppm(last_bytes=3000), text), lanes),
        answers(train(Ppm(), text[-3000:]), lanes),
    )


@pytest.mark.parametrize("bits", [10, 15])
def test_memory_too_small_costs_nats_only(bits: int) -> None:
    text, lanes = words(20_000), segments(4)
    small = nats(train(Ppm(memory_bits=bits), text), lanes)
    assert nats(train(Ppm(), text), lanes) < small < np.log(256)


@pytest.mark.parametrize(
    "wrong",
    [
        {"order": 0},
        {"order": 33},
        {"last_bytes": -1},
        {"memory_bits": 9},
        {"first_count": 0.0},
        {"discount": 1.0},
        {"inherit": -1.0},
        {"gain_adapt": 0.5},
    ],
    ids=lambda w: str(*w.items()),
)
def test_refuses_what_it_cannot_do(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=next(iter(wrong))) as refusal:
        Ppm(**wrong)
    assert "\n" not in str(refusal.value)


def test_refuses_an_empty_text() -> None:
    with pytest.raises(Refused, match="empty"):
        train(Ppm(), b"")
