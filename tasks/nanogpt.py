"""Learn a text, byte by byte, and predict a part of it that was withheld.

The score is nats per byte over held-out segments. The task is named after the program whose figures
on tinyshakespeare are its yardstick (github.com/karpathy/nanoGPT).

`split=random`: a random contiguous tenth is held out (for pydocs a random run of whole topics). All
draws of a window hold out the same part, since they lie in one worker's memory, where one draw's
training text must not contain another's answers. What differs is where the training text begins.
A grammar's draws are texts of their own. `split=nanogpt`: the first nine tenths train and the last
tenth is held out, as published.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from tasks import sequence, texts
from tasks.base import Draw, PredictionError, Score, Target, Task, TaskError
from tasks.sequence import SequenceSpec

SPLITS = ("random", "nanogpt")
SEGMENT = 1024
SCORE_BYTES = 131_072
LEAST_SEGMENTS = 20
WINDOW_BYTES = 1 << 28
MAX_REPEATS = (
    64  # every one is examined, and an examination takes longer than the shortest training
)
AUDIT_TOLERANCE = (
    0.01  # nats per byte: what bf16 may differ by from batch to batch, and half a margin
)


@dataclass
class NanoGPT(Task):
    """Fields are those of configs/task/nanogpt.yaml.

    text: "grammar", "pydocs", "tinyshakespeare", or the path of a file. split: "random", "nanogpt".
    bytes: length of a grammar's text. segment: bytes per held-out segment. score_bytes: how many
    held-out bytes are streamed at most; the others are withheld all the same. lanes: segments side
    by side. bar: nats per byte that meet the target, None for the text's own in `bars`, where a
    grammar's is above its entropy. margin: nats per byte. sha256: what a fixed text must hash to.
    """

    name: ClassVar[str] = "nanogpt"
    family: ClassVar[str] = "sequence"

    text: str = "pydocs"
    split: str = "random"
    bytes: int | None = None
    segment: int = SEGMENT
    score_bytes: int = SCORE_BYTES
    lanes: int = 128
    bar: float | None = None
    bars: Mapping[str, float] = field(
        default_factory=lambda: {"grammar": 0.10, "pydocs": 1.50, "tinyshakespeare": 1.88}
    )
    margin: float = 0.02
    sha256: str | None = None

    def __post_init__(self) -> None:
        self.text = str(self.text)
        texts.check_name(self.text)
        if self.split not in SPLITS:
            raise TaskError(f"task.split={self.split}: must be one of {', '.join(SPLITS)}")
        _whole("segment", self.segment, 16)
        _whole("score_bytes", self.score_bytes, 2 * self.segment)
        _whole("lanes", self.lanes, 1)
        _number("margin", self.margin)
        if self.bar is not None:
            _number("bar", self.bar)
        self.bars = dict(self.bars)
        for text, bar in self.bars.items():
            if text not in texts.RUNGS:
                raise TaskError(f"task.bars.{text}: bars are for {', '.join(texts.RUNGS)}")
            _number(f"bars.{text}", bar)
        if self.text != "grammar" and self.bytes is not None:
            raise TaskError(f"task.bytes={self.bytes}: only task.text=grammar has a length")
        if self.text == "grammar":
            if self.sha256:
                raise TaskError("task.sha256: a grammar's text is another one for every seed")
            _whole("bytes", self._length, 1)
            self._check_length(self._length)
        self._grammar_sha256: str | None = None
        self._first: Draw | None = None
        self._first_score: sequence.SequenceScore | None = None

    @property
    def variant(self) -> str:
        if self.text == "grammar":
            what = f"grammar {self._length} bytes"
        elif self.text == "tinyshakespeare":
            what = self.text
        else:
            # Every Python has other pydocs, and files may share a name: the hash tells them apart.
            what = f"{self._fixed.name}:{self._fixed.sha256[:8]}"
        what += f" split={self.split}"
        if self.segment != SEGMENT:
            what += f" segment={self.segment}"
        if self.score_bytes != SCORE_BYTES:
            what += f" score_bytes={self.score_bytes}"
        return what

    @property
    def access(self) -> str:
        return "text"

    def spec(self, seed: int) -> SequenceSpec:
        n = self._length if self.text == "grammar" else self._fixed.bytes
        return SequenceSpec(
            train_bytes=int(n * 0.9), segment=self.segment, lanes=self.lanes, seed=seed
        )

    def max_repeats(self) -> int:
        """1 for the published split, which is the same each time; else what fits in 256 MiB."""
        if self.split == "nanogpt":
            return 1
        return min(MAX_REPEATS, max(1, WINDOW_BYTES // self.spec(0).train_bytes))

    def draws(self, entropy: Sequence[int], repeats: int) -> list[Draw]:
        """train: {"text": uint8 [about train_bytes]}, key: {"segments": uint8 [count, segment]}."""
        if repeats > self.max_repeats():
            raise TaskError(
                f"{repeats} draws in a window: task.text={self.text} task.split={self.split} "
                f"allows {self.max_repeats()}"
            )
        drawn: list[Draw] = []
        for r in range(repeats):
            if self.text == "grammar":
                text = texts.load("grammar", length=self._length, entropy=[*entropy, 2, r])
                if r == 0:
                    self._grammar_sha256 = text.sha256
            else:
                text = self._fixed
            draw = self._draw(text, entropy, r)
            drawn.append(_in_cipher(draw, entropy, r) if repeats > 1 else draw)
        self._first, self._first_score = drawn[0], None
        return drawn

    def examine(self, draw: Draw, predictor: sequence.Predictor) -> Score:
        return self.examine_all([draw], [predictor])[0]

    def examine_all(
        self, draws: Sequence[Draw], predictors: Sequence[sequence.Predictor]
    ) -> list[Score]:
        """In step, since the draws of a window have their held-out text in common."""
        segments = [draw.key["segments"] for draw in draws]
        scores = sequence.examine_together(segments, predictors, self.lanes)
        if draws[0] is self._first:
            self._first_score = scores[0]
        return list(scores)

    def audit(self, draw: Draw, predictor: sequence.Predictor) -> dict[str, float]:
        """Whether the predictor of the first draw repeats its answers alone, after the exam.

        Raises PredictionError where it does not: it has learned from one segment for another.
        """
        if draw is not self._first or self._first_score is None:
            raise TaskError("only the first draw of a window can be audited, after its exam")
        delta = sequence.audit(draw.key["segments"], predictor, self._first_score)
        if delta > AUDIT_TOLERANCE:
            raise PredictionError(
                f"the predictor's answers for a segment changed by {delta:.3g} nats per byte when it "
                "was asked again, alone: nothing may pass from one lane to another or outlive reset"
            )
        return {"mean_abs_delta_nats_per_byte": delta}

    def combine(self, scores: Sequence[Score]) -> Score:
        """The mean; over one held-out part, more draws do not make the error any smaller."""
        mean = super().combine(scores)
        if self.text == "grammar":
            return mean
        se = float(np.mean([s.se for s in scores]))
        return Score(mean.value, se, mean.predictions, mean.secondary)

    def target(self, draws: Sequence[Draw]) -> Target:
        """chance: entropy of the held-out bytes' own frequencies; no constant answer beats it."""
        floor = texts.grammar.entropy() if self.text == "grammar" else 0.0
        bar = self.bar
        if bar is None and self.text in self.bars:
            bar = floor + self.bars[self.text]
        chance = float(np.mean([_unigram_entropy(d.key["segments"]) for d in draws]))
        return Target("loss", "nats/byte", bar, "min", self.margin, chance, perfect=floor)

    def provenance(self) -> dict[str, Any]:
        """For a grammar, whose draws differ, of the first text of the last window drawn."""
        if self.text == "grammar":
            return {
                "name": "grammar",
                "sha256": self._grammar_sha256,
                "bytes": self._length,
                "source": "tasks/grammar.py",
                "entropy_nats_per_byte": texts.grammar.entropy(),
            }
        text = self._fixed
        return {
            "name": text.name,
            "sha256": text.sha256,
            "bytes": text.bytes,
            "source": text.source,
        }

    @property
    def _length(self) -> int:
        return texts.SHAKESPEARE_BYTES if self.bytes is None else self.bytes

    @cached_property
    def _fixed(self) -> texts.Text:
        text = texts.load(self.text, sha256=self.sha256 or "")
        self._check_length(text.bytes)
        return text

    def _check_length(self, n: int) -> None:
        least = LEAST_SEGMENTS * self.segment
        if n < least:
            field_ = f"bytes={n}" if self.text == "grammar" else f"text={self.text}"
            raise TaskError(
                f"task.{field_}: {n:,} bytes are too few; a tenth is held out in segments of "
                f"{self.segment:,}, so give at least {least:,}, or a smaller task.segment"
            )

    def _draw(self, text: texts.Text, entropy: Sequence[int], r: int) -> Draw:
        n, tenth = text.bytes, text.bytes - int(text.bytes * 0.9)
        if self.split == "nanogpt":
            return self._cut(text.data, int(n * 0.9), n, 0)
        where, turn = (_random(entropy, key) for key in ([0], [1, r]))
        if text.sections is None:
            start = where % (n - tenth + 1)
            stop = start + tenth
        else:
            start, stop = _topics(text.sections, n, tenth, 2 * self.segment, where)
        return self._cut(text.data, start, stop, turn)

    def _cut(self, data: np.ndarray, start: int, stop: int, turn: int) -> Draw:
        """Holds out data[start:stop]; past the end it goes on from the beginning."""
        ring = np.roll(data, -start)
        held, rest = ring[: stop - start], ring[stop - start :]
        count = min(len(held), self.score_bytes) // self.segment
        segments = held[: count * self.segment].reshape(count, self.segment).copy()
        return Draw({"text": np.roll(rest, -(turn % len(rest)))}, {"segments": segments})


def _in_cipher(draw: Draw, entropy: Sequence[int], r: int) -> Draw:
    """The same draw in a cipher of its own: letters are exchanged, a and A for the same other letter.

    The draws of one window are pieces of one text, so a model of one would serve for all and the other
    trainings could be skipped. In another cipher it is worth nothing, while spaces, words, case and
    every frequency that can be learned are as they were.
    """
    keys = [_random(entropy, [3, r, letter]) for letter in range(26)]
    order = np.argsort(np.array(keys, np.uint64), kind="stable").astype(np.uint8)
    table = np.arange(256, dtype=np.uint8)
    for first in (ord("a"), ord("A")):
        table[first : first + 26] = first + order
    return Draw({"text": table[draw.train["text"]]}, {"segments": table[draw.key["segments"]]})


def _topics(sections: np.ndarray, n: int, tenth: int, least: int, where: int) -> tuple[int, int]:
    """A run of whole topics of about `tenth` bytes, from a random one on, as on a ring."""
    first = where % len(sections)
    ends = np.concatenate([sections[first + 1 :], [n], sections[1 : first + 1] + n])
    start = int(sections[first])
    ends = ends[ends - start >= least]
    return start, int(ends[np.abs(ends - start - tenth).argmin()])


def _random(entropy: Sequence[int], key: Sequence[int]) -> int:
    """A random integer below 2**64; SeedSequence's words are the same in every numpy."""
    return int(np.random.SeedSequence(entropy, spawn_key=key).generate_state(1, np.uint64)[0])


def _unigram_entropy(segments: np.ndarray) -> float:
    """Nats per byte of the best constant answer to uint8 segments, found with hindsight."""
    counts = np.bincount(segments.ravel(), minlength=256)
    p = counts[counts > 0] / segments.size
    return float(-(p * np.log(p)).sum())


def _whole(name: str, value: Any, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TaskError(f"task.{name}={value}: must be a whole number")
    if value < least:
        raise TaskError(f"task.{name}={value}: must be at least {least}")


def _number(name: str, value: Any) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TaskError(f"task.{name}={value}: must be a number")
    if not (math.isfinite(value) and value >= 0):
        raise TaskError(f"task.{name}={value}: must be a finite number of nats, at least 0")
