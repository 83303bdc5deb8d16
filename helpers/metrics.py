"""Error metrics of a forecast: pure functions of actual and predicted values.

Both papers judge a configuration by the mean squared error on the test part and also report RMSE, MAE and R2. Units
are those of the arguments: scaled units for scaled closes, index points for closes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike


def mse(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Mean squared error, mean((actual - predicted)^2), in squared units.

    Parameters
    ----------
    actual, predicted : array_like, shape (samples,)

    Raises
    ------
    ValueError
        If the arrays are empty, not one-dimensional or of different lengths.
    """
    a, p = _pair(actual, predicted)
    return float(np.mean((a - p) ** 2))


def rmse(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Root of the mean squared error, in units. Arguments and errors as for `mse`."""
    return math.sqrt(mse(actual, predicted))


def mae(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Mean absolute error, mean(|actual - predicted|), in units. Arguments and errors as for `mse`."""
    a, p = _pair(actual, predicted)
    return float(np.mean(np.abs(a - p)))


def r2(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Coefficient of determination, 1 - sum((actual - predicted)^2) / sum((actual - mean(actual))^2).

    1 is a perfect forecast and 0 one as good as the mean of the actual values; it is NaN where these do not vary.
    Arguments and errors as for `mse`.
    """
    a, p = _pair(actual, predicted)
    if np.all(a == a[0]):  # not by the variance: a rounded mean leaves a tiny one
        return math.nan
    return float(1.0 - np.sum((a - p) ** 2) / np.sum((a - a.mean()) ** 2))


def error_metrics(actual: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    """`mse`, `rmse`, `mae` and `r2` by name. Arguments and errors as for `mse`."""
    return {
        "mse": mse(actual, predicted),
        "rmse": rmse(actual, predicted),
        "mae": mae(actual, predicted),
        "r2": r2(actual, predicted),
    }


def _pair(actual: ArrayLike, predicted: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    # float64: sums over thousands of float32 squares near 1e-5 would lose digits. Shapes (samples,) and (samples, 1)
    # would broadcast to a square matrix and give a wrong number silently, so only equal flat shapes pass.
    a, p = np.asarray(actual, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if a.ndim != 1 or a.shape != p.shape or a.size == 0:
        raise ValueError(
            f"actual and predicted must have one shape (samples,) with samples >= 1, not {a.shape} and {p.shape}."
        )
    return a, p
