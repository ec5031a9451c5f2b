"""Kneser-Ney against hand-worked values and a second implementation by dictionaries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.base import Progress, Refused
from algorithms.ngram import Counted, Ngram, discounts
from tasks.sequence import examine
from tests.opponents import asked as answers

ORDERS = range(1, 9)


def as_text(text: bytes) -> np.ndarray:
    return np.frombuffer(text, np.uint8)


def train(text: bytes, order: int, last_bytes: int = 0) -> Counted:
    training = Ngram(order, last_bytes).train({"text": as_text(text)})
    while True:
        try:
            next(training)
        except StopIteration as stop:
            return stop.value


def reference(text: bytes, order: int) -> Callable[[bytes], np.ndarray]:
    """Chen & Goodman's formulas word for word: history -> float64 [256]."""
    padded = bytes(order - 1) + text
    follow: list[dict[bytes, dict[int, int]]] = []
    discount: list[dict[int, float]] = []
    for k in range(1, order + 1):
        ends = range(order, len(padded) + 1)
        stands = [padded[i - k : i] for i in ends]
        longer = {padded[i - k - 1 : i] for i in ends} if k < order else set()
        count = Counter(stands if k == order else (gram[1:] for gram in longer))
        follow.append(defaultdict(dict))
        for gram, c in count.items():
            follow[-1][gram[:-1]][gram[-1]] = c
        n = Counter(count.values())
        d = {1: 0.5, 2: 1.0, 3: 1.5}
        if n[1] and n[2] and n[3] and n[4]:
            y = n[1] / (n[1] + 2 * n[2])
            found = {i: i - (i + 1) * y * n[i + 1] / n[i] for i in d}
            if all(0 < found[i] < i for i in d):
                d = found
        discount.append(d)

    def p(history: bytes) -> np.ndarray:
        p = np.full(256, 1 / 256)
        for k, d in enumerate(discount[: len(history) + 1]):
            after = follow[k].get(history[len(history) - k :])
            if after is None:
                break
            total = sum(after.values())
            p *= sum(d[min(c, 3)] for c in after.values()) / total
            for w, c in after.items():
                p[w] += (c - d[min(c, 3)]) / total
        return p

    return p


def chain(length: int, symbols: int = 4) -> tuple[bytes, float]:
    """A Markov chain over a, b, c ... and the entropy of its next symbol in nats."""
    rng = np.random.default_rng(1)
    move = rng.dirichlet(np.full(symbols, 0.5), size=symbols)
    text = [0]
    for u in rng.random(length - 1):
        text.append(int(np.searchsorted(move[text[-1]].cumsum()[:-1], u)))
    rare = np.log(np.maximum(move, 1e-300))
    return bytes(97 + s for s in text), float(-(move * rare).sum(1)[text].mean())


def agrees(text: bytes, order: int, segments: np.ndarray) -> None:
    logp = answers(train(text, order), segments)
    assert logp.dtype == np.float32
    assert np.isfinite(logp).all()
    assert np.abs(np.exp(logp.astype(float)).sum(2) - 1).max() < 1e-5
    expected = reference(text, order)
    want = [[expected(lane[:t].tobytes()) for lane in segments] for t in range(len(logp))]
    np.testing.assert_allclose(np.exp(logp.astype(float)), want, rtol=2e-5)


def test_values_worked_by_hand() -> None:
    """abab after a zero byte is 0a, ab, ba, ab; with so few, the discounts are 1/2, 1, 3/2."""
    p = np.exp(answers(train(b"abab", 2), as_text(b"a")[None])[:, 0])
    rest = (1 + 0.5) / 3 / 256  # what a (after 0 and b) and b (after a) give up, of their 3 in all
    a, b = (2 - 1) / 3 + rest, (1 - 0.5) / 3 + rest
    assert p[0, [ord("a"), ord("b"), 0]] == pytest.approx([a, b, rest])
    # a was followed by b twice: 1 of 2 is given up
    assert p[1, [ord("a"), ord("b"), 0]] == pytest.approx([a / 2, 1 / 2 + b / 2, rest / 2])


def test_discounts_worked_by_hand() -> None:
    """n1 ... n4 = 4, 3, 2, 1 gives Y = 4 / (4 + 2 · 3) = 0.4."""
    counts = np.repeat([1, 2, 3, 4, 90], [4, 3, 2, 1, 1])
    expected = np.repeat([1 - 2 * 0.4 * 3 / 4, 2 - 3 * 0.4 * 2 / 3, 3 - 4 * 0.4 / 2], [4, 3, 4])
    np.testing.assert_allclose(discounts(counts), expected, rtol=1e-6)
    np.testing.assert_array_equal(discounts(counts[:-2]), np.repeat([0.5, 1, 1.5], [4, 3, 2]))


@pytest.mark.parametrize("order", ORDERS)
def test_agrees_with_the_reference_where_discounts_are_estimated(order: int) -> None:
    text, _ = chain(3000)
    strange = b"ab" + bytes([0, 255]) + text[50:86]
    agrees(text, order, as_text(text[1000:1040] + strange + text[:40]).reshape(3, 40))


small = st.lists(st.integers(97, 99), min_size=1, max_size=100).map(bytes)
varied = st.lists(st.sampled_from([0, 1, 97, 254, 255]), min_size=1, max_size=100).map(bytes)


@settings(max_examples=300, deadline=None)
@given(
    text=small | varied | st.binary(min_size=1, max_size=40),
    order=st.sampled_from(ORDERS),
    data=st.data(),
)
def test_agrees_with_the_reference(text: bytes, order: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    known = text[start : start + 10].ljust(10, b"\0")
    agrees(
        text, order, as_text(known + data.draw(st.binary(min_size=10, max_size=10))).reshape(2, 10)
    )


@pytest.mark.parametrize(
    "text", [b"x", b"\0", b"xy", b"x" * 5000, b"xy" * 500, bytes(range(256)) * 3]
)
@pytest.mark.parametrize("order", ORDERS)
def test_degenerate_texts(text: bytes, order: int) -> None:
    agrees(text, order, as_text((text + b"xyxy?xxx\0")[:9])[None])


def test_lanes_are_independent() -> None:
    text, _ = chain(3000)
    predictor = train(text, 6)
    segments = as_text(text[:90] + bytes(30)).reshape(4, 30)
    together = answers(predictor, segments)
    for lane in range(4):
        alone = answers(predictor, segments[lane : lane + 1])
        np.testing.assert_array_equal(together[:, lane], alone[:, 0])


def test_trainings_share_nothing_and_can_be_paused() -> None:
    text, _ = chain(2000)
    segments = as_text(text[:20])[None]
    alone = answers(train(text, 5), segments)
    data = {"text": as_text(text).copy()}
    algorithm = Ngram(order=5)
    first, second = algorithm.train(data), algorithm.train({"text": as_text(text[::-1]).copy()})
    done: list[Counted] = []
    steps: list[Progress] = []
    while len(done) < 2:
        for training in (first, second)[len(done) :]:
            try:
                steps.append(next(training))
            except StopIteration as stop:
                done.append(stop.value)
    assert len(steps) == 10
    done[1].reset(3)
    np.testing.assert_array_equal(answers(done[0], segments), alone)
    assert np.abs(answers(done[1], segments) - alone).max() > 0.01
    assert data["text"].tobytes() == text


def test_learns_a_chain_to_its_entropy() -> None:
    text, entropy = chain(40_000)
    held_out = as_text(text[-4096:]).reshape(8, 512)
    score = examine(held_out, train(text[:-4096], 3), lanes=8)
    assert abs(score.value - entropy) < 4 * score.se
    assert examine(held_out, train(text[:-4096], 1), lanes=8).value > entropy + 0.05


def test_last_bytes_alone_are_counted() -> None:
    text, _ = chain(2000)
    segments = as_text(text[:20])[None]
    np.testing.assert_array_equal(
        answers(train(text, 4, last_bytes=300), segments), answers(train(text[-300:], 4), segments)
    )


@pytest.mark.parametrize(
    "wrong", [{"order": 0}, {"order": 9}, {"last_bytes": -1}], ids=lambda w: str(*w.items())
)
def test_refuses_what_it_cannot_count(wrong: dict[str, int]) -> None:
    with pytest.raises(Refused, match=next(iter(wrong))) as refusal:
        Ngram(**wrong)
    assert "\n" not in str(refusal.value)


def test_refuses_an_empty_text() -> None:
    with pytest.raises(Refused, match="empty"):
        train(b"", 3)


def test_yaml_lists_every_field_with_its_default() -> None:
    path = Path(__file__).parents[1] / "configs" / "algo" / "ngram.yaml"
    config = yaml.safe_load(path.read_text())
    assert config.pop("_target_") == "algorithms.ngram.Ngram"
    assert config.pop("about")["families"] == ["sequence"]
    assert config == asdict(Ngram())
