"""Intervals: values that can be checked by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, multinomial

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


def test_the_interval_of_bounded_values_by_hand():
    """One value of 1/2 has the weight W, uniform, and the end of the range 1 - W: the ends are quantiles of W / 2."""
    e = intervals.bounded_mean([0.5])
    assert (e.value, e.n) == (0.5, 1) and (e.low, e.high) == pytest.approx((0.0125, 0.9875))
    two = intervals.bounded_mean([0.5, 0.5])  # the weight of both together is below w with probability w^2
    assert (two.low, two.high) == pytest.approx((0.5 * 0.025**0.5, 1 - 0.5 * 0.025**0.5))
    none = intervals.bounded_mean([])
    assert none.n == 0 and math.isnan(none.value) and math.isnan(none.low)
    for bad in ([0.5, 1.01], [-0.01], [math.nan], [[0.5]]):
        with pytest.raises(ValueError, match="between 0 and 1"):
            intervals.bounded_mean(bad)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (2, 3), (8, 10), (10, 10), (41, 100), (97, 100)])
def test_of_zeros_and_ones_the_interval_is_the_exact_one(k, n):
    mine, exact = intervals.bounded_mean([1.0] * k + [0.0] * (n - k)), intervals.proportion(k, n)
    assert (mine.value, mine.low, mine.high) == pytest.approx((exact.value, exact.low, exact.high), abs=1e-7)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 0.75, 1.0]), min_size=3, max_size=40))
def test_the_interval_of_bounded_values_has_the_mean_in_it_and_a_mirror_image(values):
    e, other = intervals.bounded_mean(values), intervals.bounded_mean([1.0 - v for v in values])
    assert 0.0 <= e.low <= e.value <= e.high <= 1.0
    assert (other.low, other.high) == pytest.approx((1.0 - e.high, 1.0 - e.low), abs=1e-7)
    more = intervals.bounded_mean([*values[1:], 1.0])
    assert more.low >= e.low - 1e-7 and more.high >= e.high - 1e-7, "greater values, greater ends"


def test_the_interval_of_bounded_values_agrees_with_its_random_weights():
    """Its quantiles from the characteristic function, beside those of 200,000 draws of the weights."""
    values = np.repeat([0.0, 0.25, 0.5, 0.75, 1.0], [1, 2, 3, 5, 9])
    weights = np.random.default_rng(0).dirichlet(np.ones(len(values) + 1), 200_000)
    e = intervals.bounded_mean(values)
    assert e.low == pytest.approx(np.quantile(weights @ np.append(values, 0.0), 0.025), abs=2e-3)
    assert e.high == pytest.approx(np.quantile(weights @ np.append(values, 1.0), 0.975), abs=2e-3)


def test_the_interval_of_averages_over_four_problems_misses_the_mean_in_one_of_forty_at_most_on_each_side():
    """Counted out for many laws: all 210 outcomes of six seeds, whose averages over four problems are 0, 1/4, ... 1."""
    levels, n = np.arange(5) / 4, 6
    outcomes = np.array([c for c in itertools.product(range(n + 1), repeat=5) if sum(c) == n])
    lows = np.array([intervals.bounded_mean(np.repeat(levels, c)).low for c in outcomes])
    laws = np.concatenate([np.random.default_rng(0).dirichlet(np.full(5, a), 500) for a in (0.1, 0.3, 1.0, 3.0)])
    chances = np.array([multinomial.pmf(outcomes, n, law / law.sum()) for law in laws])
    misses = (chances * (lows > (laws @ levels)[:, None] + 1e-9)).sum(axis=1)
    assert misses.max() <= 0.025 and misses.max() > 0.02, "no less, or the interval would be too long"


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
