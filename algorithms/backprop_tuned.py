"""Backpropagation at its best: the gradient-trained model that met a bar on the least CPU time so far.

Which one that is has been measured (tests/benchmarks/stopping_points.py): every row of
`tuning/stopping_points.csv` is a setting of a family with the least text, or steps, with which the median
of its draws met a bar. The cheapest row of a gradient-trained family stands for the bar; its draws are
never those of an exam. Families are hashed_softmax, hashed_mlp, transformer and nanoGPT's recipe, of which
the last met none of its bars as cheaply as any other and has no row.
"""

from __future__ import annotations

import csv
import dataclasses
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from algorithms.base import Algorithm, Refused, Training

READS = ["tuning/stopping_points.csv"]
EVIDENCE = Path(__file__).parent / "tuning" / "stopping_points.csv"
HEADLINE = {"tinyshakespeare": 1.47, "grammar": 0.8026}
FAMILIES = ("hashed_softmax", "hashed_mlp", "transformer", "backprop")


@dataclass(frozen=True)
class Row:
    """A setting that met `bar` on `text`, with the median of nats per byte and of CPU ms of training."""

    text: str
    bar: float
    cpu_ms: float
    nats: float
    algo: str
    adapt: bool
    fields: dict[str, str]


@cache
def evidence() -> tuple[Row, ...]:
    """All rows of gradient-trained families."""
    with EVIDENCE.open(newline="", encoding="utf-8") as file:
        rows = [
            Row(
                *(
                    row["text"],
                    float(row["bar"]),
                    float(row["cpu_ms"]),
                    float(row["nats"]),
                    row["algo"],
                ),
                adapt="algo.adapt=true" in row["words"].split(),
                fields=dict(w.removeprefix("algo.").split("=", 1) for w in row["words"].split()),
            )
            for row in csv.DictReader(file)
        ]
    return tuple(row for row in rows if row.algo in FAMILIES)


def cheapest(text: str, bar: float, adapt: bool) -> Row:
    """The row with the least CPU time among those that met `bar` or a harder one."""
    of_text = [row for row in evidence() if row.text == text]
    if not of_text:
        known = ", ".join(sorted({row.text for row in evidence()}))
        raise Refused(f"algo.text={text}: there is evidence for {known} alone")
    able = [row for row in of_text if row.adapt == adapt]
    found = [row for row in able if row.bar <= bar + 1e-9]
    if not found:
        least = min((row.bar for row in able), default=float("inf"))
        more = any(row.bar <= bar + 1e-9 for row in of_text)
        raise Refused(
            f"algo.bar={bar:g}: no gradient-trained model here has met it on {text}; the hardest that was "
            f"met is {least:g}; take that"
            + (f", or algo.adapt={str(not adapt).lower()}" if more else "")
        )
    return min(found, key=lambda row: row.cpu_ms)


def family_of(name: str) -> type[Algorithm]:
    """The class behind a name of FAMILIES; what it imports is imported now."""
    if name == "hashed_softmax":
        from algorithms.hashed_softmax import HashedSoftmax

        return HashedSoftmax
    if name == "hashed_mlp":
        from algorithms.hashed_mlp import HashedMlp

        return HashedMlp
    if name == "transformer":
        from algorithms.transformer import Transformer

        return Transformer
    from algorithms.backprop_gpt import BackpropGPT

    return BackpropGPT


def build(row: Row) -> Algorithm:
    """The algorithm of a row, its fields' texts turned into the types of their defaults."""
    family = family_of(row.algo)
    defaults: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(family)}  # type: ignore[arg-type]
    return family(**{name: typed(defaults[name], text) for name, text in row.fields.items()})


def typed(default: Any, text: str) -> Any:
    """`text` as what `default` is."""
    return text == "true" if isinstance(default, bool) else type(default)(text)


@dataclass
class BackpropTuned(Algorithm):
    """Fields, as in configs/algo/backprop_tuned.yaml.

    text: whose evidence counts. bar: nats per byte to be met, None for the text's headline. Both are
    the task's own unless they are set; outside a configuration, where nobody fills them in, they are
    tinyshakespeare's. adapt: among models that go on learning within a segment, instead of those that
    do not.
    """

    text: str = "${task.text}"
    bar: Any = "${task.bar}"
    adapt: bool = False

    def __post_init__(self) -> None:
        self.adapts = self.adapt
        text = "tinyshakespeare" if self.text.startswith("${") else self.text
        bar = HEADLINE.get(text) if self.bar is None or str(self.bar).startswith("${") else self.bar
        if text not in HEADLINE or not isinstance(bar, int | float):
            known = " or ".join(HEADLINE)
            raise Refused(
                f"algo.text={text} algo.bar={bar}: what was the cheapest is known for {known}, at a "
                "number of nats; say whose evidence shall count, as algo.text=tinyshakespeare algo.bar=1.47"
            )
        self.chosen = build(cheapest(text, bar, self.adapt))

    def prepare(self, spec: Any) -> None:
        super().prepare(spec)
        self.chosen.prepare(spec)

    def train(self, data: dict[str, np.ndarray]) -> Training:
        return self.chosen.train(data)
