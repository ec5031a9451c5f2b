"""A text organism that is grown, as the predictor that the contract asks for; and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algorithms.base import Progress, Refused
from algorithms.hypercell import text
from algorithms.hypercell.grown_text import Colony
from algorithms.hypercell.learn_text import HypercellText
from tasks.sequence import SequenceSpec
from tests.opponents import answers, as_text, asked, nats, words

SEGMENT = 64
GENOME = text.text_of(text.HAND)


def made(segment: int = SEGMENT, seed: int = 0, **fields: Any) -> HypercellText:
    algorithm = HypercellText(**{"chunk": 1000, **fields})
    algorithm.prepare(SequenceSpec(train_bytes=0, segment=segment, lanes=4, seed=seed))
    return algorithm


def train(read: bytes, **fields: Any) -> Any:
    training = made(**fields).train({"text": as_text(read)})
    steps = []
    while True:
        try:
            steps.append(next(training))
        except StopIteration as stop:
            assert steps and all(isinstance(step, Progress) for step in steps)
            assert steps[-1].step == steps[-1].of
            return stop.value


@pytest.fixture(scope="module")
def read() -> bytes:
    return words(9000)


@pytest.fixture(scope="module")
def segments() -> np.ndarray:
    return as_text(words(9 * SEGMENT, seed=2)[: 6 * SEGMENT]).reshape(6, SEGMENT)


ODD = {
    "one symbol once": b"x",
    "two": b"\0x",
    "one symbol": b"x" * 3000,
    "all symbols": bytes(range(256)) * 8,
    "not UTF-8": bytes([0xFF, 0xC0, 0x80, 10]) * 300,
    "noise": np.random.default_rng(0).integers(0, 256, 5000, np.uint8).tobytes(),
}


@pytest.mark.parametrize("adapt", [False, True])
@pytest.mark.parametrize("name", ODD)
def test_of_any_text_probabilities_sum_to_one(name: str, adapt: bool) -> None:
    predictor = train(ODD[name], adapt=adapt)
    anything = np.random.default_rng(1).integers(0, 256, (3, 90), np.uint8)
    anything[0, : min(90, len(ODD[name]))] = as_text(ODD[name])[:90]
    answers(predictor, anything)  # checks them


def test_learns_and_adapting_helps(read: bytes, segments: np.ndarray) -> None:
    blank, grown = train(read[:100]), train(read)
    assert nats(grown, segments) < 2.2 < nats(blank, segments) - 0.2
    assert not made().adapts and made(adapt=True).adapts
    strange = segments ^ 1  # another cipher: only what comes in the segment can be known
    assert nats(train(read, adapt=True), strange) < nats(grown, strange) - 0.1


def test_a_frozen_one_forgets_what_it_was_asked(read: bytes, segments: np.ndarray) -> None:
    predictor = train(read)
    arena = predictor.arena.copy()
    before = asked(predictor, segments[:2])
    asked(predictor, segments[2:])
    np.testing.assert_array_equal(asked(predictor, segments[:2]), before)
    assert (predictor.arena == arena).all()


@pytest.mark.parametrize("adapt", [False, True])
def test_lanes_are_independent(read: bytes, segments: np.ndarray, adapt: bool) -> None:
    predictor = train(read, adapt=adapt)
    arena, together = predictor.arena.copy(), asked(predictor, segments)
    for lane in reversed(range(len(segments))):
        alone = asked(predictor, segments[lane : lane + 1])
        np.testing.assert_array_equal(together[:, lane], alone[:, 0])
    np.testing.assert_array_equal(asked(predictor, segments[::-1])[:, ::-1], together)
    assert (predictor.arena == arena).all()  # lanes learn in what is their own


def test_reset_restores_what_a_segment_changed(read: bytes, segments: np.ndarray) -> None:
    predictor = train(read, adapt=True)
    long = segments.reshape(2, 3 * SEGMENT)  # longer than a segment: it runs out of room
    before = answers(predictor, long)
    asked(predictor, long ^ 1)
    np.testing.assert_array_equal(asked(predictor, long), before)
    # A lane begins as the frozen one does, and asking twice changes nothing.
    np.testing.assert_array_equal(asked(train(read), long[:, :1])[0], before[0])
    predictor.reset(2)
    np.testing.assert_array_equal(predictor.predict(), predictor.predict())


@pytest.mark.parametrize("adapt", [False, True])
def test_a_pause_changes_nothing(read: bytes, segments: np.ndarray, adapt: bool) -> None:
    """Asked midway it answers as one does that was never asked before, and it goes on all the same."""

    def up_to(chunks: int) -> tuple[Any, Any]:
        training = made(adapt=adapt).train({"text": as_text(read)})
        for _ in range(chunks):
            progress = next(training)
        return training, progress.predictor

    paused, predictor = up_to(2)
    asked(predictor, segments)
    predictor = next(paused).predictor
    midway = answers(predictor, segments)
    _, other = up_to(3)
    np.testing.assert_array_equal(asked(other, segments), midway)
    while True:
        try:
            next(paused)
        except StopIteration as stop:
            predictor = stop.value
            break
    ended = asked(predictor, segments)
    assert np.abs(ended - midway).max() > 0.1
    np.testing.assert_array_equal(asked(train(read, adapt=adapt), segments), ended)


def test_chunks_change_little(read: bytes, segments: np.ndarray) -> None:
    """Rates fall from chunk to chunk, and nothing else depends on how many there are."""
    fine, coarse = train(read, chunk=64), train(read, chunk=len(read))
    assert abs(nats(fine, segments) - nats(coarse, segments)) < 0.03


FAST: dict[str, Any] = {
    "genome": "random", "geometry": "laptop", "chunk": 128, "span": 1024, "seasons": 1, "lives": 3,
}  # fmt: skip


def test_an_evolution_is_repeatable_and_saves_its_genome(
    read: bytes, segments: np.ndarray, tmp_path: Path
) -> None:
    save = tmp_path / "genome"
    found = train(read, save=str(save), **FAST)
    again = train(read, **FAST)
    np.testing.assert_array_equal(asked(again, segments), asked(found, segments))
    genome = save.read_text().strip()
    by_hand = train(read, genome=genome, chunk=128)
    np.testing.assert_array_equal(asked(by_hand, segments), asked(found, segments))
    other = train(read, seed=1, **FAST)
    assert (asked(other, segments) != asked(found, segments)).any()


@pytest.mark.parametrize("adapt", [False, True])
def test_a_colony_mixes_what_its_members_say(
    read: bytes, segments: np.ndarray, adapt: bool
) -> None:
    genomes = [GENOME, text.text_of(text.genome([text.gene(3), text.gene(1, text.words(1))]))]
    alone = [asked(train(read, genome=one, adapt=adapt), segments) for one in genomes]
    colony = train(read, genome="hand+" + genomes[1], adapt=adapt)
    assert isinstance(colony, Colony) and colony.adapts == adapt
    mixed = answers(colony, segments)
    np.testing.assert_allclose(np.exp(mixed), np.mean(np.exp(alone), axis=0), atol=1e-6)
    np.testing.assert_array_equal(asked(colony, segments[:2]), mixed[:, :2])


def test_a_colony_of_the_best_is_found_and_saved(
    read: bytes, segments: np.ndarray, tmp_path: Path
) -> None:
    save = tmp_path / "genomes"
    colony = train(read, colony=3, save=str(save), **FAST)
    genomes = save.read_text().strip().split("+")
    assert 1 < len(genomes) <= 3 and len(set(genomes)) == len(genomes) == len(colony.members)
    best = train(read, save=str(tmp_path / "genome"), **FAST)
    assert (tmp_path / "genome").read_text().strip() == genomes[0]
    np.testing.assert_array_equal(asked(colony.members[0], segments), asked(best, segments))


def test_a_text_of_one_byte_and_the_last_bytes_alone(read: bytes, segments: np.ndarray) -> None:
    ends = [train(read[-2000:]), train(read, train_bytes=2000)]
    np.testing.assert_array_equal(*(asked(end, segments) for end in ends))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"genome": GENOME[:-1]},
            r"^algo\.genome=.*must be .* 120 hexadecimal digits; these are 119",
        ),
        ({"genome": GENOME + "0"}, r"^algo\.genome=.*hexadecimal digits; these are 121"),
        ({"genome": "g" + GENOME[1:]}, r"^algo\.genome=g.*must be .* hexadecimal"),
        ({"genome": "0" * 120}, r"^algo\.genome=0+….*expresses no model"),
        ({"genome": "mind"}, r"^algo\.genome=mind: must be .*hand, random"),
        ({"save": "genome.txt"}, r"^algo\.save=genome\.txt: must be an absolute path"),
        ({"genome": "hand+"}, r"^algo\.genome=: must be .*these are 0"),
        ({"colony": 0}, r"^algo\.colony=0: must be a whole number from 1 to 64"),
        ({"colony": 2}, r"^algo\.colony=2: is of algo\.genome=random; .* joined by \+"),
        ({"genome": "+".join(["hand"] * 65)}, r"^algo\.colony=1: .*1 to 64 genomes"),
        ({"memory": 0}, r"^algo\.memory=0: must be a whole number from 1"),
        ({"chunk": 63}, r"^algo\.chunk=63: must be a whole number from 64"),
        ({"adapt_rate": 1.5}, r"^algo\.adapt_rate=1\.5: must be from 0 to 1"),
    ],
)
def test_what_no_organism_can_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message) as refused:
        HypercellText(**fields)
    assert "\n" not in str(refused.value)


def test_too_little_memory_is_refused(read: bytes) -> None:
    with pytest.raises(Refused, match=r"^algo\.memory=68223: an organism needs 68,224 bytes"):
        train(read, memory=68_223)
    small = train(read, memory=68_224)
    assert (small.table.bits, small.table.rows) == (6, 17)
    answers(small, as_text(read[:60])[None])


@pytest.mark.parametrize("segment", [1, 7])
def test_a_segment_that_is_shorter_than_a_context_is_refused(segment: int) -> None:
    message = rf"^task\.segment={segment}: .*up to 8 bytes.*; set task\.segment=8 or more$"
    with pytest.raises(Refused, match=message):
        made(segment)
    assert made(8).spec.segment == 8


def test_tokens_and_nothing_at_all_are_refused() -> None:
    with pytest.raises(
        Refused, match=r"^algo=hypercell learns bytes, .*50,304 symbols; use a text"
    ):
        HypercellText().prepare(SequenceSpec(0, SEGMENT, 4, 0, vocab=50_304))
    with pytest.raises(Refused, match=r"^the text to learn is empty; give at least one byte$"):
        next(made().train({"text": as_text(b"")}))
