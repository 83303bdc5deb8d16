"""Forecasts that need no network, what forecasters measure, and tests of whether one forecast beats another.

All forecasts are one day ahead and in index points: the forecast for position t uses the closes before t alone. Tests
run on returns, (close - yesterday) / yesterday, so that a year in which the index stands at 100 counts like one in
which it stands at 5,000.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from helpers.metrics import error_metrics

ORDERS = tuple((p, q) for p in range(3) for q in range(3))  # ARMA(p, q) of the log returns


def naive(close: ArrayLike, positions: ArrayLike) -> np.ndarray:
    """Yesterday's close for each target position, shape (m,)."""
    close, positions = _targets(close, positions)
    return close[positions - 1]


def drift(close: ArrayLike, positions: ArrayLike) -> np.ndarray:
    """Yesterday's close grown by the mean log return of all days before: shape (m,).

    The random walk with drift of textbooks, in logarithms because an index grows by shares of itself. With a single
    close before it the forecast is that close.
    """
    close, positions = _targets(close, positions)
    log = np.log(close)
    before = positions - 1
    return np.exp(log[before] + (log[before] - log[0]) / np.maximum(before, 1))


@dataclass(frozen=True)
class Arima:
    """An ARIMA(p, 1, q) of the log closes.

    Attributes
    ----------
    order : (int, int)
        p and q.
    aic : float
        Akaike's criterion on the training part.
    forecasts : numpy.ndarray, shape (m,)
        One day ahead, index points.
    """

    order: tuple[int, int]
    aic: float
    forecasts: np.ndarray


def arima(close: ArrayLike, positions: ArrayLike, *, orders: tuple[tuple[int, int], ...] = ORDERS) -> Arima:
    """Automatic ARIMA: order by Akaike's criterion and coefficients by maximum likelihood, on the closes before the
    first target alone; then one-day forecasts with these coefficients and all closes until the day before.

    Once-differenced log closes are log returns, so an ARIMA(p, 1, q) with drift is an ARMA(p, q) with mean of them. The
    forecast is the exponential of the forecast log close, the median of the forecast distribution.

    Raises
    ------
    ValueError
        With fewer than 30 closes before the first target, as for a shuffled split.
    """
    from statsmodels.tsa.arima.model import ARIMA
    from threadpoolctl import threadpool_limits

    close, positions = _targets(close, positions)
    first = int(positions.min())
    if first < 30:
        raise ValueError(f"ARIMA needs at least 30 closes before the first target, there are {first}.")
    returns = 100 * np.diff(np.log(close))  # in percent: the likelihood's search likes numbers near 1
    best = None
    with warnings.catch_warnings(), threadpool_limits(1):  # small matrices: several threads only wait for each other
        warnings.simplefilter("ignore")  # starting values and convergence of orders that then lose
        for p, q in orders:
            try:
                fit = ARIMA(returns[: first - 1], order=(p, 0, q), trend="c").fit(method="innovations_mle")
            except (ValueError, np.linalg.LinAlgError):  # this order does not fit; another will
                continue
            if math.isfinite(fit.aic) and (best is None or fit.aic < best[1].aic):
                best = ((p, q), fit)
        if best is None:
            raise ValueError("No ARIMA order fits these closes.")
        order, fit = best
        predicted = np.asarray(fit.apply(returns, refit=False).fittedvalues) / 100
    return Arima(order, float(fit.aic), close[positions - 1] * np.exp(predicted[positions - 1]))


# What forecasters measure.


class Measures(NamedTuple):
    """Errors of a forecast in index points and relative to simple ones.

    Attributes
    ----------
    mse, rmse, mae : float
        Index points.
    mape : float
        Mean absolute error in percent of the close.
    mase : float
        Mean absolute error over that of yesterday's close within the training part (Hyndman and Koehler, 2006).
    u2 : float
        Theil's U2: root of the summed squared relative errors over that of yesterday's close; below 1 is better.
    ratio : float
        Mean squared error of returns over that of yesterday's close: the square of `u2`.
    direction : float
        Share of the days whose close moved and whose forecast moved the same way; NaN for a forecast that never moves.
    """

    mse: float
    rmse: float
    mae: float
    mape: float
    mase: float
    u2: float
    ratio: float
    direction: float


def measures(actual: ArrayLike, predicted: ArrayLike, yesterday: ArrayLike, training: ArrayLike) -> Measures:
    """Measures of a forecast.

    Parameters
    ----------
    actual, predicted, yesterday : array_like, shape (m,)
        Index points.
    training : array_like
        Closes of the training part in order, whose mean absolute daily change scales MASE.

    Raises
    ------
    ValueError
        For arrays of different shapes, or closes that never move.
    """
    a, p, y = _same(actual, predicted, yesterday)
    scale = np.abs(np.diff(np.asarray(training, np.float64))).mean()
    moved = np.sum(((a - y) / y) ** 2)
    if not moved > 0 or not scale > 0:
        raise ValueError("Closes that never move leave nothing to forecast.")
    errors = error_metrics(a, p)
    ratio = float(np.sum(((a - p) / y) ** 2) / moved)
    real, said = np.sign(a - y), np.sign(p - y)
    counted = real != 0
    direction = float(np.mean(real[counted] == said[counted])) if said.any() else math.nan
    return Measures(
        errors["mse"],
        errors["rmse"],
        errors["mae"],
        float(100 * np.mean(np.abs((a - p) / a))),
        float(errors["mae"] / scale),
        math.sqrt(ratio),
        ratio,
        direction,
    )


# Tests.


class Test(NamedTuple):
    """A test's statistic and two-sided p-value; NaN where the test does not apply."""

    __test__ = False  # not one of pytest's

    statistic: float
    p: float


def diebold_mariano(loss: ArrayLike, benchmark: ArrayLike) -> Test:
    """Whether a forecast's losses differ from those of a benchmark, in the mean (Diebold and Mariano, 1995).

    With the small-sample correction of Harvey, Leybourne and Newbold (1997) and a variance robust against
    autocorrelation over ceil(m^(1/3)) days, statsmodels' default. A negative statistic favours the forecast. A forecast
    that has the benchmark's losses on all days, or fewer than ten days, has none: NaN.

    Parameters
    ----------
    loss, benchmark : array_like, shape (m,)
        From `losses`, each not negative; of a network trained with several seeds, their mean over the seeds.

    Raises
    ------
    ValueError
        For arrays of different shapes.
    """
    from statsmodels.tsa.stattools import diebold_mariano_test

    mine, theirs = _same(loss, benchmark)
    if np.array_equal(mine, theirs) or len(mine) < 10:
        return Test(math.nan, math.nan)
    found = diebold_mariano_test(np.zeros_like(mine), mine, theirs, criterion="mad", harvey_adj=True)  # |0 - loss|
    return Test(float(found.statistic), float(found.pvalue))


def pesaran_timmermann(actual: ArrayLike, predicted: ArrayLike, yesterday: ArrayLike) -> Test:
    """Whether the direction of the forecast change and that of the close go together (Pesaran and Timmermann, 1992).

    A positive statistic: more often than independence gives. A forecast that always says up, or always down, carries no
    information on direction and has no test: NaN, however often it is right.
    """
    from statsmodels.stats.api import pesaran_timmermann as test

    a, p, y = _same(actual, predicted, yesterday)
    up, real = p > y, a > y
    if up.all() or not up.any() or real.all() or not real.any():
        return Test(math.nan, math.nan)
    found = test(a - y, p - y)
    return Test(float(found.statistic), float(found.pvalue))


def losses(actual: ArrayLike, predicted: ArrayLike, yesterday: ArrayLike) -> np.ndarray:
    """Squared errors of returns in squared percent, shape (m,): what the tests over many candidates compare."""
    a, p, y = _same(actual, predicted, yesterday)
    return (100 * (a - p) / y) ** 2


def superior(benchmark: np.ndarray, candidates: Mapping[str, np.ndarray], *, seed: int, reps: int = 1000) -> float:
    """P-value of "no candidate beats the benchmark" (superior predictive ability; Hansen, 2005, consistent variant).

    It accounts for having tried all candidates: the more are tried, the better the best must be. Every candidate's gain
    is divided by its own standard error, so that one whose losses scatter widely does not hide what a steady one gains;
    arch's `SPA` takes the greatest of the gains as they are, so they are divided before.

    Parameters
    ----------
    benchmark : numpy.ndarray, shape (m,)
        Losses of yesterday's close.
    candidates : mapping of str to numpy.ndarray
        Losses of each candidate, shape (m,). One with the benchmark's losses on all days does not count.
    seed, reps : int
        Of the stationary bootstrap.
    """
    from arch.bootstrap import SPA

    block = _block(len(benchmark))
    gains = [benchmark - loss for loss in candidates.values()]
    gains = [gain / _deviation(gain, block) for gain in gains if gain.any()]
    if not gains:
        return 1.0
    test = SPA(np.zeros(len(benchmark)), -np.column_stack(gains), block_size=block, reps=reps, seed=seed)
    test.compute()
    return float(test.pvalues["consistent"])


def _deviation(gain: np.ndarray, block: int) -> float:
    """Root of m times the variance of the mean of `gain`, shape (m,), under the stationary bootstrap.

    Politis and Romano (1994), lemma 1: a sum of autocovariances with falling weights.
    """
    from scipy.signal import correlate

    m, kept = len(gain), 1.0 - 1.0 / block
    x = gain - gain.mean()
    covariances = correlate(x, x, method="fft")[m - 1 :] / m
    i = np.arange(1, m)
    weights = (1.0 - i / m) * kept**i + (i / m) * kept ** (m - i)
    return math.sqrt(max(covariances[0] + 2.0 * float(weights @ covariances[1:]), np.finfo(float).tiny))


def confidence_set(
    candidates: Mapping[str, np.ndarray], *, seed: int, size: float = 0.1, reps: int = 1000
) -> dict[str, float]:
    """The model confidence set's p-values (Hansen, Lunde and Nason, 2011); above `size` a forecast belongs to the set.

    The set holds the best forecast with probability 1 - `size`: what stands in it cannot be told from the best.
    Arguments as for `superior`; `candidates` includes yesterday's close.
    """
    from arch.bootstrap import MCS

    names = list(candidates)
    stacked = np.column_stack([candidates[name] for name in names])
    test = MCS(stacked, size=size, block_size=_block(len(stacked)), reps=reps, seed=seed)
    test.compute()
    values = test.pvalues["Pvalue"]
    return {names[int(i)]: float(p) for i, p in values.items()}


def _block(days: int) -> int:
    """Mean length of a bootstrap block, days: the cube root of their number, as far as `diebold_mariano` looks."""
    return max(2, math.ceil(days ** (1 / 3)))


# Does a forecast merely follow?


def lag_correlations(close: ArrayLike, positions: ArrayLike, predicted: ArrayLike, lags: ArrayLike) -> np.ndarray:
    """Correlation of the forecast's change from one day to the next with the close's change k days before.

    Changes relative to the close, because levels of an index correlate at every lag. A peak at k = 0 is a forecast; one
    at k = 1 repeats what has happened.

    Parameters
    ----------
    close : array_like, shape (n,)
    positions : array_like, shape (m,)
        Of the targets in `close`, ascending; only pairs of consecutive days count, so a shuffled split will do.
    predicted : array_like, shape (m,)
        Index points.
    lags : array_like of int
        The k; negative ones look ahead.

    Returns
    -------
    numpy.ndarray, shape of `lags`
        NaN where fewer than 3 pairs exist or one side does not vary.
    """
    close, positions = _targets(close, positions)
    lags, predicted = np.asarray(lags, int), np.asarray(predicted, np.float64)
    first = np.flatnonzero(np.diff(positions) == 1)
    at = positions[first + 1]
    inside = (at - lags.max() >= 1) & (at - lags.min() < len(close))
    first, at = first[inside], at[inside]
    change = (predicted[first + 1] - predicted[first]) / close[at - 1]
    moves = np.concatenate([[0.0], np.diff(close) / close[:-1]])
    return np.array([_correlation(change, moves[at - k]) for k in lags])


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1]) if len(x) > 2 and x.std() > 0 and y.std() > 0 else math.nan


def explained(predicted: ArrayLike, yesterday: ArrayLike) -> float:
    """Share of a forecast's variance that yesterday's close explains: the squared correlation of the two, 0 to 1."""
    return _correlation(*_same(predicted, yesterday)) ** 2


def _targets(close: ArrayLike, positions: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    close, positions = np.asarray(close, np.float64), np.asarray(positions)
    if len(positions) == 0 or positions.min() < 1 or positions.max() >= len(close):
        raise ValueError(f"Targets must lie at the positions 1 to {len(close) - 1} of the closes.")
    return close, positions


def _same(*arrays: ArrayLike) -> list[np.ndarray]:
    found = [np.asarray(array, np.float64) for array in arrays]
    if found[0].ndim != 1 or len(found[0]) == 0 or any(f.shape != found[0].shape for f in found):
        raise ValueError(f"All arrays must have one shape (m,), not {', '.join(str(f.shape) for f in found)}.")
    return found
