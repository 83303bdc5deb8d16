"""What a forecast looks like beyond its errors: the residuals, the lag, the smoothness that the papers write of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from helpers.intervals import Estimate
from helpers.windows import Dataset

LAGS = tuple(range(-5, 6))  # trading days
BLOCK = 20  # test days that are resampled together: neighbouring residuals are alike

FORECAST = (
    "residual_mean",
    "residual_median",
    "residual_skew",
    "share_under",
    "within_50",
    "within_50_last_year",
    "lag_peak",
    "lag_0",
    "lag_1",
    "roughness",
    "slope",
    "direction",
)
SHARES = ("share_under", "within_50", "within_50_last_year", "direction")  # of days: from 0 to 1


def forecast_statistics(dataset: Dataset, predicted: np.ndarray, *, stage: str = "tune") -> dict[str, Any]:
    """What the papers say of their forecasts, as numbers.

    Parameters
    ----------
    dataset : Dataset
    predicted : numpy.ndarray, shape (m,)
        Forecasts of the test targets of `stage`, scaled units.
    stage : {"tune", "final"}

    Returns
    -------
    dict
        With residuals r = actual - predicted in index points: `residual_mean`, `residual_median`, `residual_skew`;
        `share_under`, the share of days on which the forecast is below the close; `within_50` and
        `within_50_last_year`, the shares of |r| <= 50 over all test days and over those of the last 365 days.

        `lag_correlations`: the correlation of the forecast's change from one day to the next with the close's change
        k days before, both over the close of the day before, for k in `LAGS`, over the test days whose day before is
        a test day too. The forecast follows the close late where it peaks at k = 1 (`lag_peak`; `lag_0` and `lag_1`
        are the values there), and it anticipates where it peaks at 0 or below. Levels would not do: they correlate at
        every lag.
        `roughness`: standard deviation of the forecast's daily changes over that of the closes' on the same days,
        below 1 for a smoothed forecast. `slope`: of the forecast regressed on the close, below 1 for one that is drawn
        towards the mean. `direction`: share of days on which forecast and close lie on the same side of the close of
        the day before.

    Raises
    ------
    ValueError
        If there are not as many forecasts as test targets.
    """
    positions = dataset.test_targets(stage)
    if np.shape(predicted) != positions.shape:
        raise ValueError(f"There are {len(positions)} test targets, but forecasts of shape {np.shape(predicted)}.")
    return statistics_at(dataset, predicted, positions, stage=stage)


def statistics_at(
    dataset: Dataset, predicted: np.ndarray, positions: np.ndarray, *, stage: str = "tune"
) -> dict[str, Any]:
    """`forecast_statistics` over the targets at `positions` in `dataset.close`, in any order and number of times."""
    predicted = np.asarray(predicted, dtype=np.float64)
    close = dataset.close.to_numpy()
    forecast = dataset.to_points(predicted, stage=stage)
    residual, yesterday = close[positions] - forecast, close[positions - 1]
    days = dataset.close.index[positions]
    late = np.asarray(days > days.max() - pd.Timedelta(days=365))
    # Pairs of consecutive test days whose neighbours up to the longest lag exist.
    first = np.flatnonzero(np.diff(positions) == 1)
    first = first[(positions[first] >= max(LAGS)) & (positions[first] + 1 - min(LAGS) < len(close))]
    at = positions[first + 1]
    level = close[at - 1]  # relative changes: a point meant more in 1930 than it does now
    change = (forecast[first + 1] - forecast[first]) / level
    correlations = [_correlation(change, (close[at - k] - close[at - k - 1]) / level) for k in LAGS]
    own = (close[at] - close[at - 1]) / level
    finite = np.isfinite(correlations)
    return {
        "residual_mean": residual.mean(),
        "residual_median": np.median(residual),
        "residual_skew": stats.skew(residual) if np.ptp(residual) > 0 else math.nan,
        "share_under": np.mean(residual > 0),
        "within_50": np.mean(np.abs(residual) <= 50),
        "within_50_last_year": np.mean(np.abs(residual[late]) <= 50),
        "lag_peak": LAGS[int(np.nanargmax(correlations))] if finite.any() else math.nan,
        "lag_0": correlations[LAGS.index(0)],
        "lag_1": correlations[LAGS.index(1)],
        "roughness": change.std() / own.std() if len(own) and own.std() > 0 else math.nan,
        "slope": np.polyfit(close[positions], forecast, 1)[0] if np.ptp(close[positions]) > 0 else math.nan,
        "direction": np.mean((forecast > yesterday) == (close[positions] > yesterday)),
        "lag_correlations": correlations,
    }


RESAMPLED = (*FORECAST, "lag_1_less_0")  # and `lag_1` - `lag_0`


def resampled_statistics(
    dataset: Dataset, predicted: np.ndarray, *, stage: str = "final", draws: int = 200
) -> tuple[dict[str, np.ndarray], int]:
    """The numbers `RESAMPLED` of a forecast over blocks of 20 test days drawn with replacement.

    The draws are the same for all forecasts of the same days.

    Parameters
    ----------
    dataset : Dataset
    predicted : numpy.ndarray, shape (m,)
        Scaled units.
    stage : {"tune", "final"}
    draws : int

    Returns
    -------
    dict of str to numpy.ndarray, shape (draws,)
    int
        How many blocks there are.
    """
    positions = dataset.test_targets(stage)
    starts = np.arange(0, len(positions), BLOCK)
    rng = np.random.default_rng([0, len(positions)])
    drawn: dict[str, list[float]] = {name: [] for name in RESAMPLED}
    for _ in range(draws):
        chosen = np.concatenate([np.arange(s, min(s + BLOCK, len(positions))) for s in rng.choice(starts, len(starts))])
        sample = statistics_at(dataset, predicted[chosen], positions[chosen], stage=stage)
        sample["lag_1_less_0"] = sample["lag_1"] - sample["lag_0"]
        for name in RESAMPLED:
            drawn[name].append(sample[name])
    return {name: np.array(values, dtype=float) for name, values in drawn.items()}, len(starts)


def forecast_estimates(
    dataset: Dataset, predicted: np.ndarray, *, stage: str = "final", draws: int = 200
) -> dict[str, Estimate]:
    """The numbers `RESAMPLED` of a forecast, each with the 95 % interval of `resampled_statistics`, same parameters."""
    found = forecast_statistics(dataset, predicted, stage=stage)
    found["lag_1_less_0"] = found["lag_1"] - found["lag_0"]
    estimates = {}
    drawn, blocks = resampled_statistics(dataset, predicted, stage=stage, draws=draws)
    for name, values in drawn.items():
        finite = values[np.isfinite(values)]
        low, high = np.quantile(finite, [0.025, 0.975]) if len(finite) else (math.nan, math.nan)
        estimates[name] = Estimate(float(found[name]), float(low), float(high), blocks)
    return estimates


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    if len(x) < 3 or x.std() == 0 or y.std() == 0:
        return math.nan
    return float(np.corrcoef(x, y)[0, 1])
