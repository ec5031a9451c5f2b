"""The hashed softmax against the same in numpy, and what the contract asks of its predictor."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from algorithms.base import Progress, Refused
from algorithms.hashed_softmax import KINDS, WIDTHS, HashedSoftmax, Trained, classes
from tasks import texts
from tasks.sequence import SequenceSpec, examine
from tests.opponents import asked as answers

ODD = {
    "one symbol once": b"x",
    "two": b"\0x",
    "one symbol": b"x" * 5000,
    "all symbols": bytes(range(256)) * 8,
    "not UTF-8": bytes([0xFF, 0xC0, 0x80, 10]) * 300,
    "noise": np.random.default_rng(0).integers(0, 256, 9000, np.uint8).tobytes(),
}


def as_text(text: bytes) -> np.ndarray:
    return np.frombuffer(text, np.uint8)


def made(segment: int = 64, **fields: Any) -> HashedSoftmax:
    algorithm = HashedSoftmax(**fields)
    algorithm.prepare(SequenceSpec(0, segment, 8, 0))
    return algorithm


def train(text: np.ndarray, segment: int = 64, **fields: Any) -> Trained:
    training = made(segment, **fields).train({"text": text})
    while True:
        try:
            assert isinstance(next(training), Progress)
        except StopIteration as stop:
            return stop.value


def grammar(length: int, seed: int) -> np.ndarray:
    return texts.load("grammar", length=length, entropy=[seed]).data


@pytest.fixture(scope="module")
def text() -> np.ndarray:
    return grammar(60_000, 1)


@pytest.fixture(scope="module")
def segments() -> np.ndarray:
    return grammar(4096, 2)[:4096].reshape(4, 1024)


def in_numpy(algorithm: HashedSoftmax, text: bytes, after: bytes) -> np.ndarray:
    """Learns text by contexts 1, 2 and 3 in float64, dictionaries in place of hashing, and returns
    the classes' probabilities after `after`."""
    counts = np.bincount(as_text(text), minlength=256).astype(np.uint64)
    s = algorithm.settings(counts)
    gain = np.full((3, 16), s.gain)
    run = np.zeros((3, 16))
    known: dict[bytes, tuple[int, int | np.ndarray]] = {}  # visits, and a class or a row

    def contexts(before: bytes) -> list[bytes]:
        return [(bytes(3) + before)[-k:] for k in (1, 2, 3)]

    def probabilities(found: list[bytes]) -> np.ndarray:
        z = np.zeros(s.classes)
        for k, context in enumerate(found):
            visits, what = known.get(context, (0, 0))
            if isinstance(what, np.ndarray):
                z += gain[k, s.bucket[visits]] * what
            elif visits:
                z[what] += run[k, s.bucket[visits]]
        e = np.exp(z - z.max())
        return e / e.sum()

    for t, byte in enumerate(text):
        found, y = contexts(text[:t]), s.class_of[byte]
        scale = 1 - (1 - s.end) * t / len(text)
        err = np.eye(s.classes)[y] - probabilities(found)
        for k, context in enumerate(found):
            visits, what = known.get(context, (0, y))
            b, more, lr = s.bucket[visits], s.bucket[visits + 1], s.lr * s.rate[visits] * scale
            if isinstance(what, np.ndarray):
                up = s.lr_gain * scale * what @ err
                what = what + lr * gain[k, b] * err
                gain[k, b] += up
            elif visits:
                trust = run[k, b]
                run[k, b] += s.lr_run * scale * err[what]
                if what != y or visits + 1 > s.runs:
                    row = lr * gain[k, more] * err
                    row[what] += trust / max(gain[k, more], 0.05)
                    what = row
            known[context] = (visits + 1, what)
    return probabilities(contexts(after))


@pytest.mark.parametrize("runs", [1, 3])
def test_steps_are_those_of_the_formulas(runs: int) -> None:
    text = b"abracadabra, abacus; a cab, a crab. bar a car" * 2
    algorithm = made(1024, contexts="1+2+3", match_long=0, match_short=0, runs=runs, lr_run=0.2)
    training = algorithm.train({"text": as_text(text)})
    assert len(list(training)) == 1
    predictor = train(as_text(text), 1024, **asdict(algorithm))
    for after in (b"", b"ab", b"a c", b"zzz", b"r"):
        logp = answers(predictor, as_text(after)[None])[-1, 0]
        p = np.bincount(predictor.settings.class_of, np.exp(logp.astype(float)), 16)
        np.testing.assert_allclose(p, in_numpy(algorithm, text, after), rtol=2e-4, atol=1e-6)


def test_learns_a_grammar(text: np.ndarray, segments: np.ndarray) -> None:
    score = examine(segments, train(text, 1024), lanes=4)
    assert texts.grammar.entropy() < score.value < texts.grammar.entropy() + 0.4
    less = examine(segments, train(text, 1024, train_bytes=6000), lanes=4)
    assert less.value > score.value + 0.1


@pytest.mark.parametrize("adapt", [False, True])
def test_lanes_are_independent(text: np.ndarray, segments: np.ndarray, adapt: bool) -> None:
    predictor = train(text[:9000], adapt=adapt)
    together = answers(predictor, segments[:, :90])
    for lane in reversed(range(4)):
        alone = answers(predictor, segments[lane : lane + 1, :90])
        np.testing.assert_array_equal(together[:, lane], alone[:, 0])


def test_reset_restores_what_a_segment_changed(text: np.ndarray, segments: np.ndarray) -> None:
    predictor = train(text[:9000], adapt=True)
    before = answers(predictor, segments[:2, :300])  # longer than a segment: it runs out of room
    answers(predictor, segments[2:, :300])
    np.testing.assert_array_equal(answers(predictor, segments[:2, :300]), before)
    still = train(text[:9000])
    np.testing.assert_array_equal(answers(still, segments[:2, :1])[0], before[0])


def test_adapting_helps_and_is_owned_up_to(text: np.ndarray, segments: np.ndarray) -> None:
    assert not made().adapts and made(adapt=True).adapts
    strange = segments ^ 1  # another cipher: only what comes in the segment can be known
    fields: dict[str, Any] = {"match_long": 0, "match_short": 0}
    frozen = examine(strange, train(text[:20_000], 1024, **fields), lanes=4).value
    adapted = examine(strange, train(text[:20_000], 1024, adapt=True, **fields), lanes=4).value
    assert adapted < frozen - 0.3


def test_matches_find_repeats(text: np.ndarray) -> None:
    noise = np.random.default_rng(1).integers(97, 123, (300, 32), np.uint8)
    repeats = np.concatenate([noise, noise], axis=1)
    without = train(repeats.ravel(), match_long=0, match_short=0)
    held = np.random.default_rng(2).integers(97, 123, (20, 32), np.uint8)
    held = np.concatenate([held, held], axis=1)
    better = examine(held, train(repeats.ravel()), lanes=20).value
    assert better < examine(held, without, lanes=20).value - 0.7


def test_trainings_share_nothing_and_can_be_paused(text: np.ndarray, segments: np.ndarray) -> None:
    one, other = text[:20_000].copy(), text[20_000:40_000].copy()
    one.setflags(write=False)
    expected = answers(train(one), segments[:, :40])
    algorithm = made()
    first, second = algorithm.train({"text": one}), algorithm.train({"text": other})
    steps: list[Progress] = []
    done: list[Trained] = []
    while len(done) < 2:
        for training in (first, second)[len(done) :]:
            try:
                steps.append(next(training))
            except StopIteration as stop:
                done.append(stop.value)
    assert [s.step for s in steps[:4]] == [8192, 8192, 16384, 16384]
    assert all(s.loss is not None and 0 < s.loss < 6 for s in steps)
    done[1].reset(3)
    np.testing.assert_array_equal(answers(done[0], segments[:, :40]), expected)
    assert np.abs(answers(done[1], segments[:, :40]) - expected).max() > 0.01


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("adapt", [False, True])
def test_odd_texts(odd: bytes, adapt: bool) -> None:
    predictor = train(as_text(odd), adapt=adapt)
    lanes = as_text(bytes(range(256)) + odd[:44].ljust(44, b"\xff")).reshape(3, 100)
    logp = answers(predictor, lanes)
    assert logp.dtype == np.float32 and np.isfinite(logp).all()
    assert np.abs(np.exp(logp.astype(float)).sum(2) - 1).max() < 1e-5
    if len(set(odd)) == 1 and len(odd) > 1:
        assert answers(predictor, as_text(odd[:20])[None])[-1, 0, odd[0]] > np.log(0.9)


@pytest.mark.parametrize("few", [{"bits": 6}, {"row_bits": 0}, {"bits": 6, "row_bits": 3}])
@pytest.mark.parametrize("adapt", [False, True])
def test_full_tables_forget_and_go_on(text: np.ndarray, few: dict[str, int], adapt: bool) -> None:
    logp = answers(train(text[:9000], adapt=adapt, **few), text[:200].reshape(2, 100))
    assert np.abs(np.exp(logp.astype(float)).sum(2) - 1).max() < 1e-5


@pytest.mark.parametrize("symbols", [1, 15, 16, 65, 100, 200, 255, 256])
def test_every_byte_is_of_a_class(symbols: int) -> None:
    counts = np.zeros(256, np.uint64)
    counts[-symbols:] = 1000
    number, class_of, share = classes(counts)
    assert number // 16 in WIDTHS and class_of.max() == number - 1
    assert np.unique(class_of[-symbols:]).size == min(symbols, number)
    total = np.bincount(class_of, np.exp(share), number)
    np.testing.assert_allclose(total, 1, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_context_learns_alone(kind: str, text: np.ndarray) -> None:
    often = np.tile(text[:4096], 6)
    predictor = train(often, 1024, contexts=kind, match_long=0, match_short=0)
    assert examine(often[:2048].reshape(2, 1024), predictor, lanes=2).value < 2.9


@pytest.mark.parametrize(
    "wrong",
    [{"contexts": "7"}, {"contexts": ""}, {"runs": 0}, {"bits": 40}, {"lr": -1.0}, {"end": 2.0}],
    ids=lambda w: str(*w.items()),
)
def test_refuses_what_it_cannot_do(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=next(iter(wrong))) as refusal:
        HashedSoftmax(**wrong)
    assert "\n" not in str(refusal.value)


def test_refuses_an_empty_text() -> None:
    with pytest.raises(Refused, match="empty"):
        train(as_text(b""))


def test_yaml_lists_every_field_with_its_default() -> None:
    path = Path(__file__).parents[1] / "configs" / "algo" / "hashed_softmax.yaml"
    config = yaml.safe_load(path.read_text())
    assert config.pop("_target_") == "algorithms.hashed_softmax.HashedSoftmax"
    assert config.pop("about")["families"] == ["sequence"]
    assert config == asdict(HashedSoftmax())
