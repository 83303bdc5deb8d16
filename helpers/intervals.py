"""Intervals: what a statistic would be on other rows, seeds or days of the same kind.

Percentile bootstrap intervals and permutation tests with a generator of their own; pure functions.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

LEVEL = 0.95
DRAWS = 2000


@dataclass(frozen=True)
class Estimate:
    """A statistic with its interval.

    Attributes
    ----------
    value, low, high : float
        NaN where the data do not determine them.
    n : int
        Independent units that it rests on (rows, seeds, days).
    """

    value: float
    low: float
    high: float
    n: int

    def __format__(self, spec: str) -> str:
        spec = spec or ".3g"
        if not math.isfinite(self.value):
            return "–"
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            return format(self.value, spec)
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"

    def __str__(self) -> str:
        return format(self, ".3g")


def bootstrap(
    statistic: Callable[..., np.ndarray],
    *samples: ArrayLike,
    seed: int = 0,
    draws: int = DRAWS,
    level: float = LEVEL,
    paired: bool = True,
) -> Estimate:
    """Percentile bootstrap interval of a statistic of one sample or of several.

    Parameters
    ----------
    statistic : callable
        `statistic(x, y, ..., axis=-1)` reduces the last axis, like `numpy.mean`.
    *samples : array_like, shape (n,)
        If `paired`, all of one length and resampled together; else each is resampled on its own.
    seed : int
    draws : int
    level : float
        Coverage, in (0, 1).
    paired : bool

    Returns
    -------
    Estimate
        `n` is the length of the shortest sample. With fewer than two values the interval is NaN: one value says
        nothing about others.

    Raises
    ------
    ValueError
        Without samples, for one that is not one-dimensional, or for paired samples of different lengths.
    """
    arrays = [np.asarray(sample, dtype=float) for sample in samples]
    if not arrays or any(a.ndim != 1 for a in arrays):
        raise ValueError("bootstrap needs at least one sample, each of shape (n,).")
    if paired and len({len(a) for a in arrays}) > 1:
        raise ValueError(f"Paired samples must have one length, not {[len(a) for a in arrays]}.")
    n = min(len(a) for a in arrays)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    value = float(statistic(*arrays, axis=-1))
    if n < 2:
        return Estimate(value, math.nan, math.nan, n)
    rng = np.random.default_rng([seed, n])
    if paired:
        index = rng.integers(n, size=(draws, n))
        resampled = [a[index] for a in arrays]
    else:
        resampled = [a[rng.integers(len(a), size=(draws, len(a)))] for a in arrays]
    low, high = _percentiles(statistic(*resampled, axis=-1), level)
    return Estimate(value, low, high, n)


def proportion(successes: float, n: int, *, level: float = LEVEL) -> Estimate:
    """A share with Clopper and Pearson's exact interval, which covers the truth with `level` or more for every n.

    Verdicts hang on its ends. Wilson's, which is shorter, covers less with some n: of fair coins thrown 8 or 16 times,
    7 or 8 % would be called unfair.

    Parameters
    ----------
    successes : float
        Draws may count half.
    n : int
    level : float

    Raises
    ------
    ValueError
        If `successes` does not lie in 0 ... n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie between 0 and {n}, not {successes}.")
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    from scipy.special import betaincinv

    tail, failures = (1.0 - level) / 2, n - successes
    low = float(betaincinv(successes, failures + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, failures, 1.0 - tail)) if failures else 1.0
    return Estimate(successes / n, low, high, n)


def bounded_mean(values: ArrayLike, *, level: float = LEVEL) -> Estimate:
    """Mean of independent draws from [0, 1] with Gaffke's interval; of zeros and ones it is Clopper and Pearson's.

    Between two uniform order statistics lies a share of probability that is Dirichlet's, whatever the distribution: the
    lower end is the quantile of the mean of the values and a 0 with weights from Dirichlet(1, ..., 1), and the upper
    end that with a 1 (Gaffke, Three test statistics for a nonparametric one-sided hypothesis on the mean of a
    nonnegative variable, Mathematical Methods of Statistics 14, 2005; Learned-Miller and Thomas, arXiv:1905.06208).
    That it covers the mean with `level` for every distribution is proven for zeros and ones, and for others a
    conjecture without a known exception; a test counts it out for six draws of 0, 1/4, ... 1 and many laws.
    Draws between 0 and 1 vary less than zeros and ones with the same mean, so it is shorter.

    Parameters
    ----------
    values : array_like, shape (n,)
    level : float

    Raises
    ------
    ValueError
        If a value does not lie in [0, 1].
    """
    x = np.asarray(values, dtype=float)
    if not (x.ndim == 1 and ((x >= 0.0) & (x <= 1.0)).all()):
        raise ValueError("bounded_mean needs values of shape (n,) between 0 and 1.")
    if not len(x):
        return Estimate(math.nan, math.nan, math.nan, 0)
    tail = (1.0 - level) / 2
    low, high = (_lowest_mean(tuple(np.sort(np.round(v, 12)).tolist()), tail) for v in (x, 1.0 - x))
    return Estimate(float(x.mean()), low, 1.0 - high, len(x))


@functools.lru_cache(maxsize=4096)  # tables and texts ask for the same pairs
def _lowest_mean(values: tuple[float, ...], tail: float) -> float:
    """The `tail` quantile of the mean of `values` and a 0 with random weights from Dirichlet(1, ..., 1)."""
    from scipy.optimize import brentq

    distinct, counts = np.unique([0.0, *values], return_counts=True)
    if distinct[-1] == 0.0:
        return 0.0
    # Dirichlet's weights are gamma variables over their sum: the mean lies below t if the sum of gamma (value - t) < 0.
    return float(brentq(lambda t: _below_zero(distinct - t, counts) - tail, 0.0, distinct[-1], xtol=1e-8))


def _below_zero(factors: np.ndarray, shapes: np.ndarray) -> float:
    """Probability that a sum of independent gamma variables, each times its factor, is negative.

    From its characteristic function, by the sum over equally spaced points of Davies (The distribution of a linear
    combination of chi-squared random variables, Applied Statistics 29, 1980).
    """
    if (factors >= 0.0).all() or (factors <= 0.0).all():
        return float((factors <= 0.0).all())
    factors = factors / math.sqrt(float(shapes @ factors**2))  # a standard deviation of 1: steps of 0.1 are small
    far = 16.0
    while far < 2e4 and 0.5 * float(shapes @ np.log1p((far * factors) ** 2)) < 23.0:  # e^-23: 1e-10
        far *= 2.0
    u = np.arange(0.05, far, 0.1)
    angles = np.outer(factors, u)
    size = np.exp(-0.5 * (shapes @ np.log1p(angles**2))) / u
    return 0.5 - 0.1 / math.pi * float(size @ np.sin(shapes @ np.arctan(angles)))


def permutation_p(
    statistic: Callable[[np.ndarray], np.ndarray], values: ArrayLike, *, seed: int = 0, draws: int = DRAWS
) -> float:
    """Share of random orders of `values` whose statistic is at least the observed one (counting the observed order).

    Parameters
    ----------
    statistic : callable
        Reduces the last axis of an array of shape (..., n).
    values : array_like, shape (n,)
    """
    values = np.asarray(values, dtype=float)
    rng = np.random.default_rng([seed, len(values)])
    orders = rng.permuted(np.broadcast_to(values, (draws, len(values))), axis=-1)
    observed = statistic(values)
    # Sums in another order differ in their last digits; equal values must count as equal.
    return float((1 + np.sum(statistic(orders) >= observed - 1e-12)) / (1 + draws))


def _percentiles(values: np.ndarray, level: float) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if not len(values):
        return math.nan, math.nan
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
