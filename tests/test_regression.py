"""The statistics of the gate, against scipy, by hand and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from metrics.regression import Sample, holm, power_of, runs_needed, welch

values = st.lists(st.floats(0.1, 10.0), min_size=2, max_size=8)


@given(values, values, st.floats(-1, 1))
def test_welch_is_scipys(then: list[float], now: list[float], bound: float) -> None:
    assume(min(np.std(then), np.std(now)) > 1e-3)  # below, scipy warns of its own rounding
    found = welch(then, now)
    told = stats.ttest_ind(now, np.array(then) + bound, equal_var=False, alternative="greater")
    assert found.df == pytest.approx(told.df)
    assert found.p_above(bound) == pytest.approx(told.pvalue, abs=1e-9)
    assert found.p_above(bound) + found.p_below(bound) == pytest.approx(1.0)
    both = stats.ttest_ind(now, then, equal_var=False).confidence_interval(0.95)
    assert found.interval() == pytest.approx((both.low, both.high))


def test_no_scatter_and_too_little_to_test() -> None:
    alike = welch([1.0, 1.0], [1.0, 1.0, 1.0])
    assert (alike.p_above(0.0), alike.p_below(0.0)) == (1.0, 1.0)
    assert welch([0.1] * 3, [0.1] * 5).p_above(0.0) == 1.0  # means differ in the last digit
    assert welch([1.0, 1.0], [2.0, 2.0]).p_above(0.5) == 0.0
    single = welch([1.0, 2.0], [9.0])
    assert (single.df, single.p_above(0.0), single.interval()) == (None, 1.0, None)
    assert single.detectable(0.0, 0.05) is None and runs_needed(single, 0.0, 0.05) == (None, None)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_the_p_and_bonferronis(ps: list[float]) -> None:
    adjusted = holm(ps)
    assert all(p <= q <= min(1.0, len(ps) * p) for p, q in zip(ps, adjusted, strict=True))
    assert adjusted[int(np.argmin(ps))] == pytest.approx(min(1.0, len(ps) * min(ps)))
    assert sorted(adjusted) == [adjusted[i] for i in np.argsort(ps, kind="stable")]


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06]) and holm([]) == []


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("sd", [0.01, 0.05])
def test_what_is_called_detectable_has_that_power(n: int, sd: float) -> None:
    """And a simulation of the test agrees with the power stated."""
    spread = np.linspace(-1, 1, n)
    then = list(sd * spread / np.std(spread, ddof=1))
    seen = welch(then, then).detectable(0.05, 0.05)
    assert seen is not None
    a, b = Sample(n, 0.0, sd), Sample(n, seen, sd)
    assert power_of(a, b, 0.05, 0.05) == pytest.approx(0.8, abs=1e-6)
    draw = np.random.default_rng(1)
    hits = [
        welch(list(draw.normal(0, sd, n)), list(draw.normal(seen, sd, n))).p_above(0.05) <= 0.05
        for _ in range(1000)
    ]
    assert np.mean(hits) == pytest.approx(0.8, abs=0.05)
    alone, both = runs_needed(welch(then, [x + seen for x in then]), 0.05, 0.05)
    assert alone is not None and both is not None and both <= n <= alone + 1
    assert power_of(a, Sample(n, 0.04, sd), 0.05, 0.05) == 0.0  # within the bound
