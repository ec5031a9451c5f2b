"""Learn a text, symbol by symbol, and predict a part of it that was withheld.

The score is nats per byte over held-out segments; for wikitext103 it is greedy accuracy, for fineweb
nats per GPT-2 token (tasks/rungs.py). The task is named after the program whose figures on
tinyshakespeare are its yardstick (github.com/karpathy/nanoGPT).

`split=random`: a random contiguous tenth is held out (for pydocs a random run of whole topics). All
draws of a window hold out the same part, since they lie in one worker's memory, where one draw's
training text must not contain another's answers. What differs is where the training text begins: within
a twentieth of its length after the held-out part, so that it ends beside it, as it does when published.
Begun anywhere, the end of the text, which is what one learns who learns little, would be near the
held-out part in some draws and far from it in others, and that is worth a tenth of a nat.
A grammar's draws are texts of their own. `split=nanogpt`: the first nine tenths train and the last
tenth is held out, as published.

wikitext103 and fineweb have a validation part of their own. All of the training part trains, one draw
to a window; of the validation part the beginning is scored (`split=published`), or random segments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from tasks import cutting, rungs, sequence, texts
from tasks.base import Draw, PredictionError, Score, Target, Task, TaskError
from tasks.cutting import in_cipher
from tasks.sequence import SequenceSpec

LEAST_SEGMENTS = 20
WINDOW_BYTES = 1 << 28
TURN = 20  # the part of the training text within which it may begin
MAX_SHARDS = 20  # 4 GB, which is what one message holds
MAX_REPEATS = (
    64  # every one is examined, and an examination takes longer than the shortest training
)
AUDIT_TOLERANCE = (
    0.01  # nats per symbol: what bf16 may differ by from batch to batch, and half a margin
)
BARS = {
    "grammar": 0.10,
    "pydocs": 1.50,
    "tinyshakespeare": 1.47,
    "wikitext103": 0.70,
    "fineweb": 3.28,
}
MARGINS = {
    "grammar": 0.02,
    "pydocs": 0.02,
    "tinyshakespeare": 0.02,
    "wikitext103": 0.005,
    "fineweb": 0.02,
    "file": 0.02,
}
LADDER = {
    "grammar": [0.30, 0.20, 0.15, 0.10, 0.05],
    "tinyshakespeare": [1.88, 1.60, 1.47, 1.42, 1.38],
}


@dataclass
class NanoGPT(Task):
    """Fields are those of configs/task/nanogpt.yaml. None stands for the text's own (tasks/rungs.py).

    text: "grammar", "pydocs", "tinyshakespeare", "wikitext103", "fineweb", or the path of a file.
    split: "random", "nanogpt" or, for the two large texts, "published". bytes: length of a grammar's
    text. shards: how many training shards of fineweb. segment: symbols per held-out segment.
    score_bytes: how many held-out symbols are streamed at most; the others are withheld all the same.
    lanes: segments side by side. bar: the score that meets the target, None for the text's own in
    `bars`, where a grammar's is above its entropy. ladder: all the bars at which algorithms are
    compared, each by a run of its own with that `bar`; a grammar's are above its entropy as well.
    margin: by how much a candidate may be worse, None for the text's own in `margins`. sha256: what a
    fixed text must hash to.
    """

    name: ClassVar[str] = "nanogpt"
    family: ClassVar[str] = "sequence"

    text: str = "pydocs"
    split: str | None = None
    bytes: int | None = None
    shards: int = 1
    segment: int | None = None
    score_bytes: int | None = None
    lanes: int = 128
    bar: float | None = None
    bars: Mapping[str, float] = field(default_factory=lambda: dict(BARS))
    ladder: Mapping[str, Sequence[float]] = field(default_factory=lambda: dict(LADDER))
    margin: float | None = None
    margins: Mapping[str, float] = field(default_factory=lambda: dict(MARGINS))
    sha256: str | None = None

    def __post_init__(self) -> None:
        self.text = str(self.text)
        texts.check_name(self.text)
        self._rung = own = rungs.rung(self.text)
        self._split = own.split if self.split is None else self.split
        self._segment = own.segment if self.segment is None else self.segment
        self._score = own.score_bytes if self.score_bytes is None else self.score_bytes
        self._vocab = texts.vocab(self.text)
        rungs.check_split(self.text, self._split)
        rungs.whole("segment", self._segment, 16)
        rungs.whole("score_bytes", self._score, 2 * self._segment)
        rungs.whole("lanes", self.lanes, 1)
        most = sequence.most_lanes(self._vocab)
        if self.lanes > most:
            raise TaskError(
                f"task.lanes={self.lanes}: at most {most:,} of {self._vocab:,} log-probabilities "
                "make up one message"
            )
        for name, value in (("margin", self.margin), ("bar", self.bar)):
            if value is not None:
                rungs.number(name, value)
                if own.metric == "accuracy" and value > 1:
                    raise TaskError(f"task.{name}={value}: is an accuracy here, at most 1")
        rungs.check_bars(self.bars, self.margins, self.ladder)
        self.bars, self.margins, self.ladder = (
            dict(self.bars),
            dict(self.margins),
            dict(self.ladder),
        )
        if self.text != "grammar" and self.bytes is not None:
            raise TaskError(f"task.bytes={self.bytes}: only task.text=grammar has a length")
        rungs.whole("shards", self.shards, 1)
        if self.shards > (MAX_SHARDS if self.text == "fineweb" else 1):
            raise TaskError(
                f"task.shards={self.shards}: only task.text=fineweb has shards, and at most "
                f"{MAX_SHARDS} at a time"
            )
        if self.text == "grammar":
            if self.sha256:
                raise TaskError("task.sha256: a grammar's text is another one for every seed")
            rungs.whole("bytes", self._length, 1)
            self._check_length(self._length)
        self._grammar_sha256: str | None = None
        self._first: Draw | None = None
        self._first_score: sequence.SequenceScore | None = None

    @property
    def variant(self) -> str:
        if self.text == "grammar":
            what = f"grammar {self._length} bytes"
        elif self.text == "fineweb":
            what = f"fineweb shards={self.shards}"
        elif self.text in texts.RUNGS and self.text != "pydocs":
            what = self.text
        else:
            # Every Python has other pydocs, and files may share a name: the hash tells them apart.
            what = f"{self._fixed.name}:{self._fixed.sha256[:8]}"
        what += f" split={self._split}"
        if self._segment != self._rung.segment:
            what += f" segment={self._segment}"
        if self._score != self._rung.score_bytes:
            what += f" score_bytes={self._score}"
        return what

    @property
    def access(self) -> str:
        return "text"

    def spec(self, seed: int) -> SequenceSpec:
        n = self._length if self.text == "grammar" else self._fixed.symbols
        return SequenceSpec(
            train_bytes=n if self.text in texts.CORPORA else int(n * 0.9),
            segment=self._segment,
            lanes=self.lanes,
            seed=seed,
            vocab=self._vocab,
        )

    def max_repeats(self) -> int:
        """1 for a published split, which is the same each time; else what fits in 256 MiB."""
        if self._split == "nanogpt" or self.text in texts.CORPORA:
            return 1
        return min(MAX_REPEATS, max(1, WINDOW_BYTES // self.spec(0).train_bytes))

    def draws(self, entropy: Sequence[int], repeats: int) -> list[Draw]:
        """train: {"text": [about train_bytes]}, key: {"segments": [count, segment]}, both uint8, or
        uint16 where there are more than 256 symbols."""
        if repeats > self.max_repeats():
            raise TaskError(
                f"{repeats} draws in a window: task.text={self.text} task.split={self._split} "
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
            drawn.append(in_cipher(draw, entropy, r) if repeats > 1 else draw)
        self._first, self._first_score = drawn[0], None
        return drawn

    def examine(self, draw: Draw, predictor: sequence.Predictor) -> Score:
        return self.examine_all([draw], [predictor])[0]

    def examine_all(
        self, draws: Sequence[Draw], predictors: Sequence[sequence.Predictor]
    ) -> list[Score]:
        """In step, since the draws of a window have their held-out text in common."""
        segments = [draw.key["segments"] for draw in draws]
        scores = sequence.examine_together(segments, predictors, self.lanes, self._vocab)
        if draws[0] is self._first:
            self._first_score = scores[0]
        return [self._rung.score(score) for score in scores]

    def audit(self, draw: Draw, predictor: sequence.Predictor) -> dict[str, float]:
        """Whether the predictor of the first draw repeats its answers alone, after the exam.

        Raises PredictionError where it does not: it has learned from one segment for another.
        """
        if draw is not self._first or self._first_score is None:
            raise TaskError("only the first draw of a window can be audited, after its exam")
        delta = sequence.audit(
            draw.key["segments"], predictor, self._first_score, vocab=self._vocab
        )
        if delta > AUDIT_TOLERANCE:
            raise PredictionError(
                f"the predictor's answers for a segment changed by {delta:.3g} nats per {self._rung.symbol} "
                "when it was asked again, alone: nothing may pass from one lane to another or outlive reset"
            )
        return {f"mean_abs_delta_nats_per_{self._rung.symbol}": delta}

    def combine(self, scores: Sequence[Score]) -> Score:
        """The mean; over one held-out part, more draws do not make the error any smaller."""
        mean = super().combine(scores)
        if self.text == "grammar":
            return mean
        se = float(np.mean([s.se for s in scores]))
        return Score(mean.value, se, mean.predictions, mean.secondary)

    def target(self, draws: Sequence[Draw]) -> Target:
        """The text's own metric, bar and margin, unless the fields say otherwise."""
        floor = texts.grammar.entropy() if self.text == "grammar" else 0.0
        bar = self.bar
        if bar is None and self.text in self.bars:
            bar = floor + self.bars[self.text]
        margin = self.margin
        if margin is None:
            kind = self.text if self.text in texts.RUNGS else rungs.FILE
            margin = self.margins.get(kind, MARGINS[kind])
        return self._rung.target(bar, margin, [d.key["segments"] for d in draws], floor)

    def compared_at(self) -> list[float]:
        """The text's ladder; a grammar's is above its entropy."""
        floor = texts.grammar.entropy() if self.text == "grammar" else 0.0
        return [floor + bar for bar in self.ladder.get(self.text, ())]

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
            **({"files": list(text.files)} if text.files else {}),
        }

    @property
    def _length(self) -> int:
        return texts.SHAKESPEARE_BYTES if self.bytes is None else self.bytes

    @cached_property
    def _fixed(self) -> texts.Text:
        text = texts.load(self.text, sha256=self.sha256 or "", shards=self.shards)
        if text.held is None:
            self._check_length(text.symbols)
        elif len(text.held) < 2 * self._segment:
            raise TaskError(
                f"task.segment={self._segment}: the validation part of {self.text} has "
                f"{len(text.held):,} {self._rung.symbol}s, and two segments are scored at least"
            )
        return text

    def _check_length(self, n: int) -> None:
        least = LEAST_SEGMENTS * self._segment
        if n < least:
            field_ = f"bytes={n}" if self.text == "grammar" else f"text={self.text}"
            raise TaskError(
                f"task.{field_}: {n:,} bytes are too few; a tenth is held out in segments of "
                f"{self._segment:,}, so give at least {least:,}, or a smaller task.segment"
            )

    def _draw(self, text: texts.Text, entropy: Sequence[int], r: int) -> Draw:
        n, tenth = text.symbols, text.symbols - int(text.symbols * 0.9)
        size = self._segment, self._score
        if text.held is not None:
            if self._split == "published":
                segments = cutting.first(text.held, *size)
            else:
                segments = cutting.sampled(text.held, *size, entropy)
            return Draw({"text": text.data}, {"segments": segments})
        if self._split == "nanogpt":
            held, rest = cutting.ring(text.data, int(n * 0.9), n, 0)
        else:
            where, turn = (cutting.random(entropy, key) for key in ([0], [1, r]))
            turn %= max(1, (n - tenth) // TURN)
            start = where % (n - tenth + 1)
            stop = start + tenth
            if text.sections is not None:
                start, stop = cutting.topics(text.sections, n, tenth, 2 * self._segment, where)
            held, rest = cutting.ring(text.data, start, stop, turn)
        return Draw({"text": rest}, {"segments": cutting.first(held, *size)})
