"""What each rung of task.text asks for unless the task's fields say otherwise, and how it is scored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tasks import texts
from tasks.base import Target, TaskError
from tasks.sequence import SequenceScore

SPLITS = ("random", "nanogpt", "published")
FILE = "file"  # in `margins`, any text that is no rung


@dataclass(frozen=True)
class Rung:
    """split, segment, score_bytes: as the fields of `tasks.nanogpt.NanoGPT`.

    metric: "loss" (nats per symbol, less is better) or "accuracy" (how often the likeliest symbol was
    the one that came, more is better). symbol: what a text is made of.
    """

    split: str = "random"
    segment: int = 1024
    score_bytes: int = 131_072
    metric: str = "loss"
    symbol: str = "byte"

    def score(self, score: SequenceScore) -> SequenceScore:
        """The same score with this rung's metric as its value, and the other beside it."""
        if self.metric == "loss":
            return score
        return replace(
            score,
            value=score.secondary["greedy_accuracy"],
            se=score.accuracy_se,
            secondary={f"nats_per_{self.symbol}": score.value},
        )

    def target(
        self, bar: float | None, margin: float, segments: Sequence[np.ndarray], entropy: float
    ) -> Target:
        """chance: of the best constant answer to these very segments, found with hindsight."""
        counts = [np.bincount(s.ravel()) for s in segments]
        shares = [c[c > 0] / c.sum() for c in counts]
        if self.metric == "accuracy":
            chance = float(np.mean([p.max() for p in shares]))
            return Target("accuracy", "1", bar, "max", margin, chance, perfect=1.0)
        chance = float(np.mean([-(p * np.log(p)).sum() for p in shares]))
        return Target("loss", f"nats/{self.symbol}", bar, "min", margin, chance, perfect=entropy)


# The Sutro group's exam of WikiText-103 is the first 60,000 bytes of wiki.valid.raw: here 60 segments,
# each from the trained state, where theirs is one stream. Who uses long contexts has it harder here.
_RUNGS = {
    "wikitext103": Rung("published", segment=1000, score_bytes=60_000, metric="accuracy"),
    "fineweb": Rung(score_bytes=98 * 1024, symbol="token"),
}


def rung(text: str) -> Rung:
    return _RUNGS.get(text, Rung())


def check_split(text: str, split: str) -> None:
    """Raises TaskError unless this text can be split like that."""
    if split not in SPLITS:
        raise TaskError(f"task.split={split}: must be one of {', '.join(SPLITS)}")
    corpus = text in texts.CORPORA
    if split == "nanogpt" and corpus:
        raise TaskError(
            f"task.split=nanogpt: {text} has a validation part of its own; task.split=published "
            "takes the beginning of that, task.split=random segments anywhere in it"
        )
    if split == "published" and not corpus:
        raise TaskError(
            f"task.split=published: only {' and '.join(texts.CORPORA)} have a validation part of "
            "their own; task.split=nanogpt holds out the last tenth"
        )


def check_bars(
    bars: Mapping[str, float],
    margins: Mapping[str, float],
    ladder: Mapping[str, Sequence[float]],
) -> None:
    """Raises TaskError unless every value is a number and belongs to a text."""
    for field, values, names in (
        ("bars", bars, texts.RUNGS),
        ("margins", margins, (*texts.RUNGS, FILE)),
        ("ladder", ladder, texts.RUNGS),
    ):
        for text, value in values.items():
            if text not in names:
                raise TaskError(f"task.{field}.{text}: only for {', '.join(names)}")
            steps = value if field == "ladder" and isinstance(value, list | tuple) else [value]
            for step in steps:
                number(f"{field}.{text}", step)


def whole(name: str, value: Any, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TaskError(f"task.{name}={value}: must be a whole number")
    if value < least:
        raise TaskError(f"task.{name}={value}: must be at least {least}")


def number(name: str, value: Any) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TaskError(f"task.{name}={value}: must be a number")
    if not (math.isfinite(value) and value >= 0):
        raise TaskError(f"task.{name}={value}: must be a finite number, at least 0")
