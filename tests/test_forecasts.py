"""Simple forecasts, measures and tests: by hand where a hand can follow, by simulation where the law is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from helpers import forecasts as f


@pytest.fixture(scope="module")
def walk() -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, 1500)))


TEST_DAYS = np.arange(1000, 1500)


def test_naive_and_drift_by_hand():
    close = np.array([100.0, 110.0, 121.0, 121.0])
    assert f.naive(close, [1, 3]) == pytest.approx([100, 121])
    # Before day 3 the close has grown by 10 % a day; before day 1 there is nothing to grow by.
    assert f.drift(close, [1, 3]) == pytest.approx([100, 133.1])


@pytest.mark.parametrize("forecast", [f.naive, f.drift, lambda c, p: f.arima(c, p, orders=((1, 1),)).forecasts])
def test_no_forecast_reads_its_own_day_or_a_later_one(walk, forecast):
    known = forecast(walk, TEST_DAYS[:101])[100]
    other = walk.copy()
    other[TEST_DAYS[100] :] *= 3.0
    assert forecast(other, TEST_DAYS[:101])[100] == pytest.approx(known, rel=1e-12)


def test_arima_finds_a_moving_average_and_its_order():
    e = np.random.default_rng(1).normal(0, 0.01, 3001)
    close = 100 * np.exp(np.cumsum(e[1:] + 0.8 * e[:-1]))
    days = np.arange(2000, 3000)
    found = f.arima(close, days)
    assert found.order[1] >= 1
    ratio = f.measures(close[days], found.forecasts, close[days - 1], close[:2000]).ratio
    assert ratio == pytest.approx(1 / (1 + 0.8**2), abs=0.06)  # variance of the noise over that of the returns


def test_arima_needs_closes_before_the_first_target(walk):
    with pytest.raises(ValueError, match="at least 30 closes before the first target, there are 3"):
        f.arima(walk, [3, 4])


def test_measures_by_hand():
    m = f.measures([110.0, 99.0], [105.0, 99.0], [100.0, 110.0], [100.0, 102.0, 98.0])
    assert (m.mse, m.mae) == (12.5, 2.5)
    assert m.mase == pytest.approx(2.5 / 3)  # the training part moves by 2 and by 4
    assert m.mape == pytest.approx(100 * (5 / 110) / 2)
    assert m.ratio == pytest.approx(0.05**2 / (0.1**2 + 0.1**2)) and m.u2 == pytest.approx(math.sqrt(m.ratio))
    assert m.direction == 1.0


def test_yesterdays_close_measures_one_and_has_no_direction_and_no_test(walk):
    a, y = walk[TEST_DAYS], walk[TEST_DAYS - 1]
    m = f.measures(a, y, y, walk[:1000])
    assert (m.ratio, m.u2) == (1.0, 1.0) and math.isnan(m.direction)
    assert math.isnan(f.diebold_mariano(f.losses(a, y, y), f.losses(a, y, y)).p) and math.isnan(
        f.pesaran_timmermann(a, y, y).p
    )


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match=r"one shape \(m,\)"):
        f.measures([1.0, 2.0], [1.0], [1.0, 2.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="never move"):
        f.measures([1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="positions 1 to 2"):
        f.naive([1.0, 2.0, 3.0], [0])


def test_diebold_mariano_favours_the_better_and_counts_years_alike(walk):
    a, y = walk[TEST_DAYS], walk[TEST_DAYS - 1]
    half, base = y + 0.5 * (a - y), f.losses(a, y, y)
    better = f.diebold_mariano(f.losses(a, half, y), base)
    worse = f.diebold_mariano(f.losses(a, y - 2 * (a - y), y), base)
    assert better.statistic < 0 < worse.statistic and max(better.p, worse.p) < 1e-6
    # On returns: an index ten times as high changes nothing.
    assert f.diebold_mariano(f.losses(10 * a, 10 * half, 10 * y), base) == pytest.approx(better)


def test_diebold_mariano_is_that_of_statsmodels(walk):
    from statsmodels.tsa.stattools import diebold_mariano_test

    a, y = walk[TEST_DAYS], walk[TEST_DAYS - 1]
    p = y + 0.1 * np.roll(a - y, 1)
    theirs = diebold_mariano_test((a - y) / y, (p - y) / y, np.zeros_like(a), criterion="mse", harvey_adj=True)
    ours = f.diebold_mariano(f.losses(a, p, y), f.losses(a, y, y))
    assert ours == pytest.approx((float(theirs.statistic), float(theirs.pvalue)))


def test_the_tests_reject_as_often_as_they_say_where_nothing_is_to_be_found():
    rng = np.random.default_rng(3)
    dm, pt = [], []
    for _ in range(200):
        y = np.full(300, 100.0)
        # Equal expected losses: both forecasts are off by independent noise of the same size.
        a, p = y + rng.normal(0, 1, 300), y + rng.normal(0, 1, 300)
        dm.append(f.diebold_mariano(f.losses(a, p, y), f.losses(a, y + rng.normal(0, 1, 300), y)).p)
        pt.append(f.pesaran_timmermann(a, p, y).p)
    assert np.mean(np.array(pt) < 0.05) == pytest.approx(0.05, abs=0.045)
    assert np.mean(np.array(dm) < 0.05) == pytest.approx(0.05, abs=0.045)


def test_pesaran_timmermann_sees_directions_and_not_an_ever_rising_forecast(walk):
    a, y = walk[TEST_DAYS], walk[TEST_DAYS - 1]
    right = y + np.where(np.random.default_rng(0).random(500) < 0.7, 1, -1) * np.sign(a - y)
    found = f.pesaran_timmermann(a, right, y)
    assert found.statistic > 5 and found.p < 1e-6
    assert math.isnan(f.pesaran_timmermann(a, y + 1, y).p)


def test_trying_many_is_accounted_for(walk):
    a, y = walk[TEST_DAYS], walk[TEST_DAYS - 1]
    rng = np.random.default_rng(5)
    base = f.losses(a, y, y)
    noise = {str(i): f.losses(a, y * (1 + rng.normal(0, 0.0005, 500)), y) for i in range(20)}
    alone = min(f.superior(base, {name: loss}, seed=0, reps=300) for name, loss in noise.items())
    assert f.superior(base, noise, seed=0, reps=300) > 2 * alone  # the best of twenty is lucky
    assert f.superior(base, noise | {"oracle": f.losses(a, y + 0.5 * (a - y), y)}, seed=0, reps=300) < 0.01


def test_a_candidate_that_scatters_widely_does_not_hide_a_steady_gain():
    rng = np.random.default_rng(7)
    base = rng.chisquare(1, 1000)
    steady = base - 0.01 + rng.normal(0, 0.05, 1000)  # a gain of six standard errors
    wild = base + 0.02 + rng.normal(0, 2, 1000)  # none, its standard error is six times the other's gain
    assert f.superior(base, {"steady": steady}, seed=0, reps=500) < 0.01
    assert f.superior(base, {"steady": steady, "wild": wild}, seed=0, reps=500) < 0.01
    assert f.superior(base, {"wild": wild}, seed=0, reps=500) > 0.1
    assert f.superior(base, {"the same": base}, seed=0) == 1.0  # nothing to test


def test_superior_ability_rejects_as_often_as_it_says():
    """Three candidates of unlike scatter, none better in truth: about 5 % of the p-values lie below 0.05."""
    rng = np.random.default_rng(11)
    found = []
    for k in range(100):
        base = rng.chisquare(1, 200)
        others = {str(s): base + rng.normal(0, s, 200) for s in (0.05, 0.5, 2.0)}
        found.append(f.superior(base, others, seed=k, reps=200))
    assert 0.0 < np.mean(np.array(found) < 0.05) < 0.12


def test_the_confidence_set_keeps_the_best_and_drops_the_bad(walk):
    a, y = walk[TEST_DAYS], walk[TEST_DAYS - 1]
    found = f.confidence_set(
        {"naive": f.losses(a, y, y), "half": f.losses(a, y + 0.5 * (a - y), y), "bad": f.losses(a, 0.9 * y, y)},
        seed=0,
        reps=300,
    )
    assert found["half"] == 1.0 and found["naive"] < 0.1 and found["bad"] < 0.1


def test_lag_correlations_find_yesterdays_close_at_lag_one_and_foresight_at_zero(walk):
    lags = [-1, 0, 1, 2]
    behind = f.lag_correlations(walk, TEST_DAYS, walk[TEST_DAYS - 1], lags)
    ahead = f.lag_correlations(walk, TEST_DAYS, walk[TEST_DAYS], lags)
    assert behind[2] > 0.99 and abs(behind[1]) < 0.2
    assert ahead[1] > 0.99 and abs(ahead[2]) < 0.2
    some = np.sort(np.random.default_rng(0).permutation(TEST_DAYS)[:300])  # a shuffled split: gaps between test days
    assert f.lag_correlations(walk, some, walk[some - 1], lags)[2] > 0.99


def test_explained(walk):
    y = walk[TEST_DAYS - 1]
    assert f.explained(0.3 * y + 7, y) == pytest.approx(1)
    assert f.explained(np.random.default_rng(0).normal(size=500), y) < 0.05
    assert math.isnan(f.explained(np.ones(500), y))


def test_arima_is_fitted_to_the_closes_before_the_first_target():
    walk = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, 400)))
    other = walk.copy()
    other[300:] *= 3.0
    first = [f.arima(c, [300, 301], orders=((1, 1),)) for c in (walk, other)]
    assert first[0].aic == first[1].aic and first[0].forecasts[0] == pytest.approx(first[1].forecasts[0], rel=1e-12)
