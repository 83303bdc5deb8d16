"""Intervals: values that can be checked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from helpers import intervals


def test_the_mean_of_a_known_normal_sample():
    x = np.random.default_rng(0).normal(10.0, 2.0, 400)
    e = intervals.bootstrap(np.mean, x)
    assert e.value == x.mean() and e.n == 400
    assert e.high - e.low == pytest.approx(2 * 1.96 * x.std() / 20, rel=0.1)


def test_one_value_has_no_interval_and_none_no_value():
    one, none = intervals.bootstrap(np.mean, [3.0]), intervals.bootstrap(np.mean, [])
    assert one.value == 3.0 and math.isnan(one.low)
    assert math.isnan(none.value) and f"{none}" == "–" and f"{one:.1f}" == "3.0"


def test_the_same_seed_gives_the_same_interval_and_pairs_stay_together():
    x = np.arange(30.0)
    assert intervals.bootstrap(np.mean, x, seed=1) == intervals.bootstrap(np.mean, x, seed=1)
    difference = intervals.bootstrap(lambda a, b, axis: (a - b).mean(axis=axis), x, x - 1)
    assert (difference.low, difference.value, difference.high) == (1.0, 1.0, 1.0)
    apart = intervals.bootstrap(lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis), x, x - 1, paired=False)
    assert apart.low < 0 < 2 < apart.high


def test_bad_samples_are_said():
    with pytest.raises(ValueError, match="one length"):
        intervals.bootstrap(lambda a, b, axis: a, [1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="shape"):
        intervals.bootstrap(np.mean, np.ones((2, 2)))
    with pytest.raises(ValueError, match="between 0 and 3"):
        intervals.proportion(4, 3)


def test_the_exact_interval_by_hand():
    """With all of n successes the lower end is the p for which p^n is 2.5 %; scipy has the rest."""
    assert intervals.proportion(1, 1).low == pytest.approx(0.025)
    assert intervals.proportion(3, 3).low == pytest.approx(0.025 ** (1 / 3))
    assert intervals.proportion(0, 10).high == pytest.approx(1 - 0.025**0.1)
    for k, n in ((7, 8), (41, 100), (10, 20)):
        theirs = binomtest(k, n).proportion_ci(method="exact")
        e = intervals.proportion(k, n)
        assert (e.low, e.high) == pytest.approx((theirs.low, theirs.high))
    half = intervals.proportion(4.5, 8)  # one draw among eight pairs lies between both decisions
    assert intervals.proportion(4, 8).low < half.low < intervals.proportion(5, 8).low


def test_a_fair_coin_is_called_unfair_in_one_of_twenty_at_most():
    for n in (*range(1, 60), 100):
        ends = [intervals.proportion(k, n) for k in range(n + 1)]
        called = [k for k, e in enumerate(ends) if not e.low <= 0.5 <= e.high]
        assert binom.pmf(called, n, 0.5).sum() <= 0.05


def test_a_sorted_series_is_no_accident_and_a_constant_one_is():
    def rising(x):
        return (np.diff(x, axis=-1) > 0).sum(axis=-1)

    assert intervals.permutation_p(rising, np.arange(12.0)) < 0.01
    assert intervals.permutation_p(rising, np.ones(12)) == 1.0


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=20))
def test_the_interval_lies_within_the_sample(values):
    e = intervals.bootstrap(np.mean, values, draws=200)
    assert min(values) - 1e-9 <= e.low <= e.high <= max(values) + 1e-9


def test_none_and_all_have_exact_ends():
    for n in (1, 7, 50):
        assert intervals.proportion(0, n).low == 0.0 and intervals.proportion(n, n).high == 1.0


def test_the_level_of_an_interval_is_that_asked_for():
    from helpers import intervals

    x = np.random.default_rng(0).normal(size=200)
    a, b = (intervals.bootstrap(np.mean, x, level=level) for level in (0.5, 0.99))
    assert a.high - a.low < 0.5 * (b.high - b.low)
