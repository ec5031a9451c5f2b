"""What cannot be simulated is refused in one line that says what is wrong; and diagrams."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tasks.automaton import bits, diagram, oracle
from tasks.automaton.rules import AutomatonError, check_table, parse_rule, to_hex
from tasks.automaton.simulator import Simulator
from tasks.base import TaskError

GKL = "005F005F005F005F005FFF5F005FFF5F"
STATE = np.zeros((9, 1), np.uint64)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: parse_rule(GKL[:-1]), "has 31 hexadecimal digits; one of radius 3 has 32"),
        (lambda: parse_rule(GKL + "0"), "has 33 hexadecimal digits; one of radius 3 has 32"),
        (lambda: parse_rule(GKL, 2), "has 32 hexadecimal digits; one of radius 2 has 8"),
        (lambda: parse_rule("1" * 300, 1), "has 300 hexadecimal digits; one of radius 1 has 2"),
        (lambda: parse_rule(GKL[:4] + "O" + GKL[5:]), "character 5 is 'O', which is no hexadecimal"),
        (lambda: parse_rule("0x" + GKL), "character 2 is 'x'.*radius 3 has 32"),
        (lambda: parse_rule("gkll"), r"unknown rule 'gkll': did you mean gkl\?"),
        (lambda: parse_rule("andre_benett_koza"), r"did you mean andre_bennett_koza\?"),
        (lambda: parse_rule("thing"), "unknown rule 'thing': known are gkl, .* 32 hexadecimal"),
        (lambda: parse_rule(""), "unknown rule ''"),
        (lambda: parse_rule("gkl", 2), "rule gkl is of radius 3, not 2"),
        (lambda: parse_rule(GKL, 4), "radius is 4; it must be from 1 to 3"),
        (lambda: check_table(np.zeros(127)), r"has shape \[127\]; it must be one of 8, 32, 128"),
        (lambda: check_table(np.zeros((2, 128))), r"has shape \[2, 128\]"),
        (lambda: check_table(np.arange(128)), r"a rule table holds 2 at \[2\]; it must be of 0"),
        (lambda: check_table(np.full(8, 0.5)), "a rule table holds 0.5"),
        (lambda: check_table(np.full(8, np.nan)), "a rule table holds nan"),
        (lambda: check_table(["0"] * 8), "a rule table is of type <U1"),
        (lambda: Simulator(3, 148), "width is 148; it must be odd"),
        (lambda: Simulator(3, 5), "a ring of 5 cells is smaller than a neighbourhood of radius 3"),
        (lambda: Simulator(3, 1), "a ring's width is 1; it must be from 3 to 16384"),
        (lambda: Simulator(3, 20001), "a ring's width is 20001; it must be from 3 to 16384"),
        (lambda: Simulator(0, 9), "radius is 0; it must be from 1 to 3"),
        (lambda: Simulator(3, 9.5), "width is 9.5; it must be a whole number"),  # type: ignore[arg-type]
        (lambda: Simulator(3, 9).data(parse_rule("gkl"), STATE, -1), "steps is -1; it must be from"),
        (lambda: Simulator(3, 9).compiled(np.zeros(8)), "radius 1 .8 entries. does not fit a"),
        (lambda: Simulator(1, 9).solved(np.ones(8), STATE, 1 << 21), "steps is 2097152"),
        (lambda: Simulator(1, 7).data(np.ones(8), STATE, 1), r"shape \[9, 1\]; it must be \[7, words"),
        (lambda: Simulator(1, 9).data(np.ones(8), STATE.T[0], 1), r"must be uint64 \[width, words"),
        (lambda: Simulator(1, 9).data(np.ones(8), STATE.astype(int), 1), "must be uint64"),
        (lambda: Simulator(1, 9).solved_many(np.ones((2, 9)), STATE, 1), r"\[2, 9\].*\[rules, 8\]"),
        (lambda: Simulator(1, 9).solved_many(np.full((2, 8), 3), STATE, 1), r"holds 3 at \[0, 0\]"),
        (lambda: bits.pack(np.full((2, 9), 2)), r"a configuration holds 2 at \[0, 0\]"),
        (lambda: bits.pack(np.zeros(9)), r"have shape \[9\]; they must be \[configurations, width"),
        (lambda: bits.fair_coins(np.random.default_rng(0), 0, 9), "0 configurations asked for"),
        (lambda: oracle.run(np.ones(8), np.zeros((1, 8), int), 1), "width is 8; it must be odd"),
        (lambda: diagram.png(np.zeros(9)), r"a history has shape \[9\]"),
        (lambda: diagram.png(np.full((2, 2), 7)), "a history holds 7"),
        (lambda: diagram.png(np.zeros((2, 2)), 0), "scale is 0; it must be at least 1"),
        (lambda: diagram.png(np.zeros((2, 2)), 1 << 14), "fewer than 67108864 pixels"),
    ],
)  # fmt: skip
def test_errors_say_what_is_wrong_in_one_line(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(AutomatonError, match=says) as caught:
        call()
    assert isinstance(caught.value, TaskError)
    assert len(str(caught.value).splitlines()) == 1 and len(str(caught.value)) < 300


def test_text_is_read_in_either_case() -> None:
    assert to_hex(parse_rule(GKL.lower())) == to_hex(parse_rule(" GKL ")) == GKL


def opened(png: bytes) -> np.ndarray:
    """Pixels, by a library that knows the format."""
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG" and image.mode == "L"
        return np.asarray(image)


def test_a_diagram_shows_every_cell() -> None:
    cells = np.random.default_rng(0).integers(0, 2, 31, np.uint8)
    history = oracle.history(parse_rule("gkl"), cells, 12)
    assert history.shape == (13, 31) and (history[0] == cells).all()
    assert (history[12] == oracle.run(parse_rule("gkl"), cells[None], 12)[0]).all()
    pixels = opened(diagram.png(history, 3))
    assert pixels.shape == (39, 93)
    assert (pixels == np.kron(255 * (1 - history), np.ones((3, 3)))).all()


def test_two_panels_stand_side_by_side() -> None:
    tall, wide = np.ones((9, 5), np.uint8), np.zeros((4, 7), np.uint8)
    pixels = opened(diagram.pair(tall, wide, 2))
    assert pixels.shape == (18, 10 + diagram.GAP + 14)
    assert (pixels[:, :10] == 0).all() and (pixels[:8, -14:] == 255).all()
    assert (pixels[8:, -14:] == diagram.GREY).all() and (pixels[:, 10:18] == diagram.GREY).all()
