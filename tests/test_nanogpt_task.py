"""The task `nanogpt`: what is withheld stays withheld, and a score means what it says."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from algorithms.ngram import Ngram
from tasks import grammar, nanogpt, texts
from tasks.base import PredictionError, Score, TaskError
from tasks.nanogpt import NanoGPT

YAML = Path(__file__).parent.parent / "configs" / "task" / "nanogpt.yaml"


@pytest.fixture
def counting(tmp_path: Path) -> Path:
    """A text in which every 4 bytes are a number of its own, so that each place can be told."""
    path = tmp_path / "counting.txt"
    digits = np.arange(40_000)[:, None] // 200 ** np.arange(4) % 200
    path.write_bytes((digits + 1).astype(np.uint8).tobytes())
    return path


def places(data: np.ndarray) -> set[bytes]:
    """All windows of 12 bytes; one is enough to tell where in `counting` it stands."""
    text = bytes(data)
    return {text[i : i + 12] for i in range(len(text) - 11)}


def test_yaml_lists_every_field_with_its_default() -> None:
    config = yaml.safe_load(YAML.read_text())
    assert config.pop("_target_") == "tasks.nanogpt.NanoGPT"
    about = config.pop("about")
    assert about["family"] == NanoGPT.family
    assert "\n" not in about["description"]
    default = NanoGPT()
    assert config == {f.name: getattr(default, f.name) for f in fields(NanoGPT)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"segment": 0}, "task.segment=0: must be at least 16"),
        ({"segment": "abc"}, "task.segment=abc: must be a whole number"),
        ({"lanes": True}, "task.lanes=True: must be a whole number"),
        ({"lanes": 0}, "task.lanes=0: must be at least 1"),
        ({"score_bytes": 1024}, "task.score_bytes=1024: must be at least 2048"),
        ({"split": "half"}, "task.split=half: must be one of random, nanogpt"),
        ({"margin": -1}, "task.margin=-1: must be a finite number"),
        ({"margin": "none"}, "task.margin=none: must be a number"),
        ({"margins": {"mine": 0.1}}, "task.margins.mine: only for .*file"),
        ({"ladder": {"pydocs": [1.5, "x"]}}, "task.ladder.pydocs=x: must be a number"),
        ({"ladder": {"x": [1.5]}}, "task.ladder.x: only for"),
        ({"text": "wikitext103", "bar": 70}, "task.bar=70: is an accuracy here, at most 1"),
        ({"text": "wikitext103", "split": "nanogpt"}, "task.split=nanogpt: wikitext103 has"),
        ({"split": "published"}, "task.split=published: only wikitext103 and fineweb"),
        ({"shards": 2}, "task.shards=2: only task.text=fineweb has shards"),
        ({"text": "fineweb", "shards": 21}, "task.shards=21: .*at most 20"),
        ({"text": "fineweb", "shards": 0}, "task.shards=0: must be at least 1"),
        ({"text": "fineweb", "lanes": 400}, "task.lanes=400: at most 312 of 50,257"),
        ({"bar": math.nan}, "task.bar=nan: must be a finite number"),
        ({"bar": "low"}, "task.bar=low: must be a number"),
        ({"bars": {"pydocs": -1}}, "task.bars.pydocs=-1: must be a finite number"),
        ({"bars": {"pydoc": 1}}, "task.bars.pydoc: only for"),
        ({"bytes": 100_000}, "task.bytes=100000: only task.text=grammar"),
        ({"text": "grammar", "bytes": 1.5}, "task.bytes=1.5: must be a whole number"),
        ({"text": "grammar", "bytes": 20_000}, "task.bytes=20000: .*at least 20,480"),
        ({"text": "grammar", "sha256": "00"}, "task.sha256: a grammar's text"),
        ({"text": "tinyshakespear"}, "task.text=tinyshakespear: .*did you mean tinyshakespeare"),
        ({"text": 7}, "task.text=7: no such text"),
    ],
)
def test_bad_fields_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=f"^{message}") as refused:
        NanoGPT(**given)
    assert "\n" not in str(refused.value)


def test_too_short_a_file(tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("word " * 1000)
    with pytest.raises(TaskError, match=r"short\.txt: 5,000 bytes are too few.*at least 20,480"):
        NanoGPT(text=str(path)).draws([1], 1)
    (draw,) = NanoGPT(text=str(path), segment=64).draws([1], 1)
    assert draw.key["segments"].shape == (7, 64)


@pytest.mark.parametrize("seed", range(4))
def test_a_random_tenth_is_withheld_from_every_draw(
    counting: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nanogpt, "in_cipher", lambda draw, entropy, r: draw)  # tested below
    task = NanoGPT(text=str(counting), segment=512, score_bytes=4096)
    draws = task.draws([seed, 9], 3)
    assert {draw.train["text"].shape for draw in draws} == {(144_000,)}
    assert task.spec(0).train_bytes == 144_000
    whole = places(np.fromfile(counting, np.uint8))
    for draw in draws:
        assert draw.train["text"].dtype == draw.key["segments"].dtype == np.uint8
        assert draw.key["segments"].shape == (8, 512)
        assert (draw.key["segments"] == draws[0].key["segments"]).all()
        held = places(draw.key["segments"].ravel())
        assert held <= whole
        known = places(draw.train["text"])
        assert not held & known
        # All held-out bytes are withheld, not only the 4,096 of 16,000 that are scored.
        assert len(whole - known) >= 16_000
    begins = {bytes(draw.train["text"][:12]) for draw in draws}
    assert len(begins) == 3
    assert len({bytes(np.sort(draw.train["text"])) for draw in draws}) == 1


def test_the_part_withheld_is_anywhere(counting: Path) -> None:
    task = NanoGPT(text=str(counting), segment=512)
    data = counting.read_bytes()
    starts = [
        data.index(bytes(task.draws([seed], 1)[0].key["segments"][0])) / len(data)
        for seed in range(60)
    ]
    assert max(starts) <= 0.9
    assert np.histogram(starts, bins=3, range=(0, 0.9))[0].min() >= 8


def test_draws_depend_on_entropy_alone(counting: Path) -> None:
    for task in (
        NanoGPT(text=str(counting)),
        NanoGPT(),
        NanoGPT(text="grammar", bytes=30_000),
    ):
        one, two, other = task.draws([3, 4], 2), task.draws([3, 4], 2), task.draws([3, 5], 2)
        for a, b in zip(one, two, strict=True):
            assert (a.train["text"] == b.train["text"]).all()
            assert (a.key["segments"] == b.key["segments"]).all()
        assert not np.array_equal(one[0].key["segments"], other[0].key["segments"])
        alone = task.draws([3, 4], 1)[0].train["text"]
        letters = is_letter(alone)
        assert (letters == is_letter(one[0].train["text"])).all()
        assert (alone[~letters] == one[0].train["text"][~letters]).all()


def is_letter(text: np.ndarray) -> np.ndarray:
    low = text | 32
    return (low >= ord("a")) & (low <= ord("z"))


def test_every_draw_of_a_window_is_in_a_cipher_of_its_own() -> None:
    task = NanoGPT()
    alone = task.draws([3, 4], 1)[0]
    plain, before = alone.key["segments"].ravel(), np.bincount(alone.train["text"], minlength=256)
    draws = task.draws([3, 4], 3)
    ciphers = set()
    for draw in draws:
        held = draw.key["segments"].ravel()
        pairs = dict(zip(plain.tolist(), held.tolist(), strict=True))
        assert len(set(pairs.values())) == len(pairs)  # nothing is lost
        assert all(pairs[plain_.item()] == held_ for plain_, held_ in zip(plain, held, strict=True))
        for byte, other in pairs.items():
            assert (chr(byte).isascii() and chr(byte).isalpha()) or byte == other
            assert chr(byte).isupper() == chr(other).isupper()
            if byte ^ 32 in pairs and chr(byte).isalpha():
                assert pairs[byte ^ 32] == other ^ 32  # a and A for the same letter
        ciphers.add(bytes(pairs[b] for b in sorted(pairs)))
        counts = np.bincount(draw.train["text"], minlength=256)
        assert all(counts[other] == before[byte] for byte, other in pairs.items())
    assert len(ciphers) == 3


def test_a_model_of_another_draw_is_worth_nothing() -> None:
    task = NanoGPT(score_bytes=8192)
    draws = task.draws([3, 4], 2)
    predictors = []
    for draw in draws:
        training = Ngram(order=4).train(draw.train)
        while True:
            try:
                next(training)
            except StopIteration as end:
                predictors.append(end.value)
                break
    honest = task.examine_all(draws, predictors)
    kept = task.examine_all(draws, [predictors[0], predictors[0]])
    assert abs(honest[0].value - honest[1].value) < 0.05
    assert kept[1].value > honest[1].value + 1


def test_published_split(counting: Path) -> None:
    data = np.fromfile(counting, np.uint8)
    task = NanoGPT(text=str(counting), split="nanogpt")
    (draw,) = task.draws([1], 1)
    assert (draw.train["text"] == data[:144_000]).all()
    assert (draw.key["segments"].ravel() == data[144_000:][: 15 * 1024]).all()
    assert task.max_repeats() == 1
    with pytest.raises(TaskError, match="2 draws in a window"):
        task.draws([1], 2)


@pytest.mark.parametrize("seed", range(8))
def test_no_topic_of_pydocs_stands_on_both_sides(seed: int) -> None:
    text = texts.load("pydocs")
    assert text.sections is not None
    (draw,) = NanoGPT().draws([seed], 1)
    held, train = bytes(draw.key["segments"]), bytes(draw.train["text"])
    share = 1 - len(train) / text.bytes
    assert 0.04 < share < 0.17
    ring = bytes(text.data) * 2
    start, stop = ring.index(held), ring.index(held) + text.bytes - len(train)
    edges = {*text.sections.tolist(), text.bytes}
    assert start in edges
    assert (stop if stop <= text.bytes else stop - text.bytes) in edges
    # The training text is the rest of the ring, rotated.
    rest = (
        ring[stop : start + text.bytes] if stop <= text.bytes else ring[stop - text.bytes : start]
    )
    assert len(train) == len(rest)
    assert train in rest * 2


def test_pydocs_with_long_segments_keeps_two() -> None:
    task = NanoGPT(segment=16_384)
    for seed in range(80):
        assert len(task.draws([seed], 1)[0].key["segments"]) >= 2


def test_every_draw_of_a_grammar_is_a_text_of_its_own() -> None:
    task = NanoGPT(text="grammar", bytes=50_000)
    one, two = task.draws([1], 2)
    assert len(one.train["text"]) == 45_000
    assert not np.array_equal(one.key["segments"], two.key["segments"])
    assert not places(one.key["segments"].ravel()[:2000]) <= places(two.train["text"])
    first = task.provenance()["sha256"]
    task.draws([2], 1)
    assert task.provenance()["sha256"] != first
    task.draws([1], 1)
    assert task.provenance()["sha256"] == first


def test_target(counting: Path) -> None:
    task = NanoGPT(text="grammar", bytes=50_000)
    target = task.target(task.draws([1], 2))
    assert target.perfect == grammar.entropy()
    assert target.value == pytest.approx(grammar.entropy() + 0.10)
    assert 2.9 < target.chance < 3.2
    assert (target.name, target.unit, target.direction) == ("loss", "nats/byte", "min")
    assert target.skill(target.chance) == 0
    assert target.skill(grammar.entropy()) == 1
    pydocs = NanoGPT(bars={"pydocs": 1.7})
    assert pydocs.target(pydocs.draws([1], 1)).value == 1.7
    mine = NanoGPT(text=str(counting))
    assert mine.target(mine.draws([1], 1)).value is None
    mine = NanoGPT(text=str(counting), bar=2.5, margin=0.1)
    target = mine.target(mine.draws([1], 1))
    assert (target.value, target.margin, target.perfect) == (2.5, 0.1, 0.0)


def test_chance_is_what_the_best_constant_answer_scores() -> None:
    task = NanoGPT()
    (draw,) = task.draws([4], 1)
    chance = task.target([draw]).chance
    counts = np.bincount(draw.key["segments"].ravel(), minlength=256)
    rng = np.random.default_rng(0)
    assert task.examine(draw, Constant(counts)).value == pytest.approx(chance, rel=1e-4)
    for _ in range(3):
        other = counts + rng.integers(0, 50, 256)
        assert task.examine(draw, Constant(other)).value > chance


def test_variant_and_provenance(counting: Path) -> None:
    python = texts.load("pydocs")
    assert NanoGPT().variant == f"pydocs:{python.sha256[:8]} split=random"
    assert NanoGPT(text="grammar").variant == "grammar 1115394 bytes split=random"
    assert NanoGPT(text="tinyshakespeare", split="nanogpt").variant == (
        "tinyshakespeare split=nanogpt"
    )
    task = NanoGPT(text=str(counting), segment=256, score_bytes=2048)
    source = task.provenance()
    assert task.variant == (
        f"file:counting.txt:{source['sha256'][:8]} split=random segment=256 score_bytes=2048"
    )
    assert source["bytes"] == 160_000
    assert source["source"] == str(counting.resolve())
    assert NanoGPT(text=str(counting), sha256=source["sha256"]).provenance() == source
    with pytest.raises(TaskError, match="changed since its hash was pinned"):
        NanoGPT(text=str(counting), sha256="ab" * 32).draws([1], 1)
    assert NanoGPT(lanes=8).variant == NanoGPT().variant
    assert NanoGPT().access == "text"


def test_a_window_holds_as_many_draws_as_fit() -> None:
    assert 2 <= NanoGPT(text="grammar").max_repeats() <= 268
    assert NanoGPT(text="grammar", bytes=1_000_000_000).max_repeats() == 1


def test_the_error_over_one_held_out_part_does_not_shrink() -> None:
    scores = [
        Score(2.0, 0.02, 100, {"greedy_accuracy": 0.4}),
        Score(2.0, 0.04, 100, {"greedy_accuracy": 0.6}),
    ]
    shared = NanoGPT().combine(scores * 50)
    assert shared.se == pytest.approx(0.03)
    assert (shared.value, shared.predictions) == (2.0, 10_000)
    assert shared.secondary == {"greedy_accuracy": pytest.approx(0.5)}
    assert NanoGPT(text="grammar").combine(scores * 50).se == pytest.approx(0.003)


class Constant:
    """Always the same frequencies."""

    def __init__(self, counts: np.ndarray) -> None:
        with np.errstate(divide="ignore"):
            self.logp = np.log(counts / counts.sum()).astype(np.float32)

    def reset(self, lanes: int) -> None:
        self.lanes = lanes

    def predict(self) -> np.ndarray:
        return np.tile(self.logp, (self.lanes, 1))

    def observe(self, symbols: np.ndarray) -> None:
        pass


class Recalling(Constant):
    """Cheats: learns its frequencies from whatever it is examined on."""

    def observe(self, symbols: np.ndarray) -> None:
        self.seen = getattr(self, "seen", np.ones(256)) + np.bincount(symbols, minlength=256)
        Constant.__init__(self, self.seen)


def test_audit_of_a_window() -> None:
    task = NanoGPT()
    first, second = task.draws([1], 2)
    with pytest.raises(TaskError, match="after its exam"):
        task.audit(first, Constant(np.ones(256)))
    honest, recalling = Constant(np.ones(256)), Recalling(np.ones(256))
    for predictor in (honest, recalling):
        task.examine(first, predictor)
        task.examine(second, predictor)
        if predictor is honest:
            assert task.audit(first, predictor)["mean_abs_delta_nats_per_byte"] <= 1e-6
        else:
            with pytest.raises(PredictionError, match="outlive reset"):
                task.audit(first, predictor)
    with pytest.raises(TaskError, match="only the first draw"):
        task.audit(second, predictor)
