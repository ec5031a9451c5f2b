"""What holds for every classical opponent on text: nothing leaks between lanes, segments and draws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from algorithms.base import Algorithm
from algorithms.hashed_mlp import HashedMlp
from algorithms.mixer import Mixer
from algorithms.ppm import Ppm
from tests.opponents import answers, segments, train, words

Make = Callable[..., Algorithm]
pytestmark = [
    pytest.mark.parametrize("make", [HashedMlp, Mixer, Ppm]),
    pytest.mark.parametrize("adapt", [False, True], ids=["frozen", "adapting"]),
]


def test_the_same_training_gives_the_same_answers(make: Make, adapt: bool) -> None:
    text, lanes = words(20_000), segments(2)
    first = answers(train(make(adapt=adapt), text), lanes)
    np.testing.assert_array_equal(first, answers(train(make(adapt=adapt), text), lanes))


def test_lanes_are_independent_and_reset_forgets(make: Make, adapt: bool) -> None:
    predictor = train(make(adapt=adapt), words(20_000))
    lanes = segments(5)
    together = answers(predictor, lanes)
    for lane in (3, 0, 4):
        alone = answers(predictor, lanes[lane : lane + 1])
        np.testing.assert_array_equal(together[:, lane], alone[:, 0])
    np.testing.assert_array_equal(together, answers(predictor, lanes))


def test_predictors_share_nothing(make: Make, adapt: bool) -> None:
    lanes = segments(2)
    one = train(make(adapt=adapt), words(10_000))
    before = answers(one, lanes)
    algorithm = make(adapt=adapt)
    other = train(algorithm, words(10_000, seed=5))
    one.reset(2)
    other.reset(2)
    for t, symbols in enumerate(lanes.T):  # in step, as the draws of a window are examined
        np.testing.assert_array_equal(one.predict(), before[t])
        other.predict()
        one.observe(symbols)
        other.observe(symbols)
    third = train(algorithm, words(10_000))
    np.testing.assert_array_equal(answers(third, lanes), before)
