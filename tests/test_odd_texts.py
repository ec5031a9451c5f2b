"""Every algorithm on text learns from whatever bytes there are, or refuses in one helpful line."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from algorithms.base import Refused
from harness import registry
from tasks.sequence import SequenceSpec, examine
from tests.conftest import Bench
from tests.opponents import ODD, answers, as_text
from tests.test_contracts import QUICK, build

TEXT = [choice for choice in registry.choices("algo") if "sequence" in choice.families]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("choice", TEXT, ids=lambda choice: choice.option)
def test_learns_any_bytes(choice: registry.Choice, name: str) -> None:
    """Segments are of bytes that came and of bytes that never did."""
    text = as_text(ODD[name])
    algorithm = build(choice, **QUICK.get(choice.option, {}))
    algorithm.prepare(SequenceSpec(train_bytes=len(text), segment=32, lanes=4, seed=0))
    training = algorithm.train({"text": text})
    try:
        while True:
            next(training)
    except StopIteration as end:
        predictor = end.value
    except Refused as refusal:
        assert len(text) < 100 and "\n" not in str(refusal), refusal
        return
    lanes = np.stack([np.resize(text, 32), np.arange(100, 132, dtype=np.uint8)])
    answers(predictor, lanes)
    assert examine(lanes, predictor, 4).value <= -math.log(2**-16)


FILES = {
    "one symbol": b"x",
    "255 symbols": bytes(range(1, 256)),
    "no UTF-8": ODD["no UTF-8"],
}


@pytest.mark.parametrize("content", FILES)
def test_end_to_end_on_files_of_odd_bytes(bench: Bench, content: str) -> None:
    Path("odd.txt").write_bytes(np.resize(as_text(FILES[content]), 40_000).tobytes())
    words = ("task=nanogpt", "task.text=odd.txt", "algo=ngram,hashed_softmax", "repeats=1")
    bench("run", "-m", *words)
    assert "2 rows of 2 Records" in bench("leaderboard").stdout


def test_a_file_with_nul_bytes_is_no_text(bench: Bench) -> None:
    Path("odd.bin").write_bytes(bytes(range(256)) * 200)
    done = bench("run", "task=nanogpt", "task.text=odd.bin", "algo=ngram", code=2)
    assert done.stderr.count("\n") == 1 and "are NUL, the first at offset 0" in done.stderr


def test_a_text_shorter_than_its_segments_is_refused(bench: Bench) -> None:
    Path("short.txt").write_bytes(b"to be or not to be\n" * 30)
    done = bench("run", "task=nanogpt", "task.text=short.txt", "algo=ngram", code=2)
    assert done.stderr.count("\n") == 1 and "smaller task.segment" in done.stderr
