"""The exams of wikitext103 and fineweb, on small texts in their formats; and texts that are odd."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algorithms.base import Refused
from algorithms.empty import Uniform
from algorithms.ngram import Ngram
from harness import cli
from harness.sitting import MAX_REPLY_BYTES
from tasks import corpora, sequence
from tasks.base import TaskError
from tasks.nanogpt import NanoGPT
from tasks.sequence import SequenceScore, SequenceSpec
from tests.test_corpora import TRAIN, VALID, Hub, data, hub, tokens

__all__ = ["data", "hub"]  # fixtures
SMALL: dict[str, Any] = {"segment": 32, "score_bytes": 640, "lanes": 20}
V = corpora.GPT2_VOCAB
UNIGRAM = """
import numpy as np
from algorithms.base import Algorithm, Progress

class Frequencies:
    def __init__(self, counts):
        self.logp = np.log(counts / counts.sum()).astype(np.float32)
    def reset(self, lanes):
        self.all = np.tile(self.logp, (lanes, 1))
    def predict(self):
        return self.all
    def observe(self, symbols):
        assert symbols.dtype == (np.uint8 if len(self.logp) == 256 else np.uint16)

class Unigram(Algorithm):
    '''Counts symbols.'''
    families = ("sequence",)
    def train(self, data):
        yield Progress(1, 1)
        return Frequencies(np.bincount(data["text"], minlength=self.spec.vocab) + 0.5)
"""


class Greedy:
    """Sure of one symbol, always."""

    def __init__(self, symbol: int, vocab: int) -> None:
        self.logp = np.full(vocab, -np.inf, np.float32)
        self.logp[symbol] = 0

    def reset(self, lanes: int) -> None:
        self.all = np.tile(self.logp, (lanes, 1))

    def predict(self) -> np.ndarray:
        return self.all

    def observe(self, symbols: np.ndarray) -> None:
        pass


def test_wikitext_is_scored_by_greedy_accuracy(hub: Hub) -> None:
    task = NanoGPT(text="wikitext103", segment=100, score_bytes=2000)
    (draw,) = task.draws([1, 2], 1)
    assert bytes(draw.train["text"]) == TRAIN  # all of it: nothing is held out of what trains
    assert bytes(draw.key["segments"]) == VALID[:2000]
    share = VALID[:2000].count(b" ") / 2000
    target = task.target([draw])
    assert (target.name, target.unit, target.direction) == ("accuracy", "1", "max")
    assert (target.value, target.margin, target.perfect) == (0.70, 0.005, 1.0)
    assert target.chance == share
    assert target.met(0.71) is True and target.met(0.69) is False
    score = task.examine(draw, Greedy(ord(" "), 256))
    per_segment = (draw.key["segments"] == ord(" ")).mean(axis=1)
    assert score.value == pytest.approx(share)
    assert score.se == pytest.approx(per_segment.std(ddof=1) / np.sqrt(20))
    nats = (1 - share) * -np.log(sequence.FLOOR)
    assert score.secondary == {"nats_per_byte": pytest.approx(nats, rel=1e-5)}
    assert score.predictions == 2000
    assert task.audit(draw, Greedy(ord(" "), 256)) == {"mean_abs_delta_nats_per_byte": 0.0}
    assert task.combine([score]).value == score.value


def test_wikitext_is_the_published_exam_unless_asked(hub: Hub) -> None:
    task = NanoGPT(text="wikitext103")
    assert task.variant == "wikitext103 split=published"
    assert task.spec(3) == SequenceSpec(len(TRAIN), segment=1000, lanes=128, seed=3)
    assert task._score == 60_000 and task.max_repeats() == 1
    drawn = NanoGPT(text="wikitext103", split="random", segment=64, score_bytes=640)
    assert drawn.variant == "wikitext103 split=random segment=64 score_bytes=640"
    one, again, other = (drawn.draws([s, 9], 1)[0].key["segments"] for s in (1, 1, 2))
    assert one.shape == (10, 64) and (one == again).all() and (one != other).any()
    assert (
        NanoGPT(text="wikitext103", bar=0.65, margin=0.01).target(drawn.draws([1], 1)).value == 0.65
    )
    source = task.provenance()
    assert source["bytes"] == len(TRAIN) and source["files"][0]["pinned"]
    with pytest.raises(TaskError, match=r"task\.segment=9000: the validation part .* bytes"):
        NanoGPT(text="wikitext103", segment=9000).draws([1], 1)
    with pytest.raises(TaskError, match="changed since its hash was pinned"):
        NanoGPT(text="wikitext103", sha256="ab" * 32).draws([1], 1)


def test_fineweb_is_sampled_from_the_validation_shard(hub: Hub) -> None:
    task = NanoGPT(text="fineweb", shards=2, **SMALL)
    assert task.variant == "fineweb shards=2 split=random segment=32 score_bytes=640"
    assert NanoGPT(text="fineweb")._score == 100_352
    spec = task.spec(1)
    assert (spec.vocab, spec.train_bytes) == (V, 16_000)
    (draw,) = task.draws([1, 2], 1)
    segments = draw.key["segments"]
    assert draw.train["text"].dtype == segments.dtype == np.uint16
    assert len(draw.train["text"]) == 16_000 and segments.shape == (20, 32)
    places = tokens(3, 8000).reshape(-1, 32)
    at = [np.flatnonzero((places == s).all(axis=1)).tolist() for s in segments]
    assert all(at) and len({tuple(a) for a in at}) == 20
    assert (task.draws([1, 2], 1)[0].key["segments"] == segments).all()
    assert (task.draws([1, 3], 1)[0].key["segments"] != segments).any()
    first = NanoGPT(text="fineweb", split="published", **SMALL).draws([1], 1)[0]
    assert (first.key["segments"].ravel() == tokens(3, 8000)[:640]).all()
    with pytest.raises(TaskError, match="2 draws in a window"):
        task.draws([1], 2)


def test_fineweb_is_scored_in_nats_per_token(hub: Hub) -> None:
    task = NanoGPT(text="fineweb", **SMALL)
    (draw,) = task.draws([1, 2], 1)
    target = task.target([draw])
    assert (target.unit, target.direction, target.value) == ("nats/token", "min", 3.28)
    score = task.examine(draw, Uniform(V))
    assert score.value == pytest.approx(np.log(V), rel=1e-5) and 0 < target.chance < score.value
    assert "greedy_accuracy" in score.secondary
    assert task.audit(draw, Uniform(V)) == {"mean_abs_delta_nats_per_token": 0.0}


def test_floors_are_no_gift() -> None:
    for vocab in (256, V):
        assert vocab * sequence.floor(vocab) == pytest.approx(2**-8)
    assert sequence.floor(256) == sequence.FLOOR == 2**-16
    segments = np.ones((2, 8), np.uint16)
    score = sequence.examine(segments, Greedy(0, V), 2, V)
    assert score.value == pytest.approx(np.log(V) + 8 * np.log(2))


def test_a_batch_of_predictions_is_one_message() -> None:
    for vocab in (256, V):
        assert sequence.most_lanes(vocab) * vocab * 4 + 4096 <= MAX_REPLY_BYTES
    assert sequence.most_lanes(V) >= NanoGPT.lanes


def test_algorithms_of_bytes_refuse_tokens() -> None:
    from algorithms.backprop_gpt import BackpropGPT

    spec = SequenceSpec(1000, 32, 4, 0, vocab=V)
    for algorithm in (Ngram(), BackpropGPT()):
        with pytest.raises(Refused, match=r"learns bytes.*50,257 symbols.*task\.text=wikitext103"):
            algorithm.prepare(spec)
    assert not sequence.only_bytes(SequenceSpec(1000, 32, 4, 0), "it")


def test_the_headline_is_a_step_of_the_ladder() -> None:
    task = NanoGPT(text="tinyshakespeare")
    assert task.bars["tinyshakespeare"] == 1.47
    assert list(task.ladder["tinyshakespeare"]) == [1.88, 1.60, 1.47, 1.42, 1.38]


@pytest.mark.parametrize(
    ("text", "unit", "name"), [("wikitext103", "1", "accuracy"), ("fineweb", "nats/token", "loss")]
)
def test_a_whole_exam(
    hub: Hub,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    text: str,
    unit: str,
    name: str,
) -> None:
    monkeypatch.setenv("BENCH_DATA", str(home / "data"))
    # In this process, where the hashes of the small files are pinned; its signals stay the tests'.
    monkeypatch.setattr(cli, "listen_to_signals", lambda command: None)
    (home / "unigram.py").write_text(UNIGRAM)
    small = [f"task.{field}={value}" for field, value in SMALL.items()]
    words = ["task=nanogpt", f"task.text={text}", "meter=cpu_time", "settle_s=0", *small]
    assert cli.main(["run", *words, "algo=./unigram.py:Unigram"]) == 0
    said = capfd.readouterr()
    assert "downloading" in said.err
    record = json.loads((home / "results" / "records.jsonl").read_text().splitlines()[-1])
    score, task = record["score"], record["task"]
    assert (score["unit"], score["name"], score["predictions"]) == (unit, name, 640)
    assert score["direction"] == ("max" if text == "wikitext103" else "min")
    assert score["target_met"] is False and np.isfinite([score["value"], score["skill"]]).all()
    assert task["variant"].startswith(text) and all(f["sha256"] for f in task["data"]["files"])
    assert record["audit"] and record["empty"]["inference_j"] >= 0
    assert cli.main(["leaderboard"]) == 0
    assert text in capfd.readouterr().out
    if text == "fineweb":
        assert cli.main(["run", *words, "algo=ngram"]) == 2
        assert "learns bytes" in capfd.readouterr().err


ODD = {
    "one symbol": b"a" * 4000,
    "all symbols": np.random.default_rng(0).integers(1, 256, 20_000).astype(np.uint8).tobytes(),
    "invalid UTF-8": (b"\xff\xfe caf\xe9 \xc3\x28 \x80 and so on, " * 300),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_texts_are_examined(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "odd.txt"
    path.write_bytes(ODD[kind])
    task = NanoGPT(text=str(path), segment=64, score_bytes=256)
    draws = task.draws([1], 2)
    target = task.target(draws)
    algorithm = Ngram(order=3)
    algorithm.prepare(task.spec(0))
    for draw in draws:
        training = algorithm.train(draw.train)
        while True:
            try:
                next(training)
            except StopIteration as end:
                predictor = end.value
                break
        score = task.examine(draw, predictor)
        assert isinstance(score, SequenceScore) and 0 <= score.value < 8
        assert np.isfinite([score.se, target.skill(score.value), target.chance]).all()
    if kind == "all symbols":  # with the last one, NUL, it is no text
        path.write_bytes(ODD[kind] + b"\0")
        with pytest.raises(TaskError, match=r"1 of its 20,001 bytes are NUL.*offset 20,000"):
            NanoGPT(text=str(path)).draws([1], 1)
    if kind == "one symbol":
        assert target.chance == 0 and score.value < 0.02
