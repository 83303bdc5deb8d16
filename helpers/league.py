"""Forecasters on the same days: their errors beside yesterday's close, and whether the difference is beyond chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers import forecasts
from helpers.figures import number
from helpers.ledger import Outcome
from helpers.windows import Dataset

BASELINES = ("yesterday's close", "drift", "ARIMA")
SIGNIFICANT = 0.05


@dataclass(frozen=True, eq=False)
class Days:
    """The days a forecast is judged by, in index points.

    Attributes
    ----------
    close : numpy.ndarray, shape (n,)
        All closes up to the protocol's last day.
    positions : numpy.ndarray, shape (m,)
        Of the targets in `close`.
    dates : pandas.DatetimeIndex, shape (m,)
    training : numpy.ndarray
        Closes up to the last training target.
    """

    close: np.ndarray
    positions: np.ndarray
    dates: pd.DatetimeIndex
    training: np.ndarray

    @property
    def actual(self) -> np.ndarray:
        return self.close[self.positions]

    @property
    def yesterday(self) -> np.ndarray:
        return self.close[self.positions - 1]


def days(dataset: Dataset, stage: str = "final") -> Days:
    """The test days of a dataset's stage."""
    close, positions = dataset.close.to_numpy(), dataset.test_targets(stage)
    last = int(dataset.train_targets(stage)[-1])
    return Days(close, positions, dataset.close.index[positions], close[: last + 1])


def baselines(d: Days, *, with_arima: bool = True) -> dict[str, np.ndarray]:
    """Forecasts that need no network, index points, by name; ARIMA only where the test days come after all others."""
    found = {BASELINES[0]: forecasts.naive(d.close, d.positions), BASELINES[1]: forecasts.drift(d.close, d.positions)}
    if with_arima:
        found[BASELINES[2]] = forecasts.arima(d.close, d.positions).forecasts
    return found


def mean_losses(d: Days, predicted: Sequence[np.ndarray]) -> np.ndarray:
    """Squared errors of returns, squared percent, shape (m,): the mean over a network's forecasts with several seeds.

    That is the error of a network whose seed nobody has chosen; it is not that of the mean forecast, which is less.
    """
    return np.mean([forecasts.losses(d.actual, p, d.yesterday) for p in predicted], axis=0)


def score(d: Days, *predicted: np.ndarray) -> dict[str, float]:
    """All measures and tests of one forecaster.

    Parameters
    ----------
    d : Days
    *predicted : numpy.ndarray, shape (m,)
        Its forecasts; of a network one for each seed.

    Returns
    -------
    dict
        Those of `forecasts.Measures`, `least` and `largest` (the ratio of single seeds), `dm`, `dm_p`, `pt`, `pt_p`.
        `ratio`, `u2` and the Diebold-Mariano test are those of the mean loss over the seeds, so that seeds that differ
        from the benchmark in opposite ways cannot add up to a finding; the Pesaran-Timmermann test is that of the seed
        with the middle statistic (the lower of two), and the other measures are medians.
    """
    each = [forecasts.measures(d.actual, p, d.yesterday, d.training) for p in predicted]
    ratios = [m.ratio for m in each]
    middle = pd.DataFrame(each).median().to_dict()
    dm = forecasts.diebold_mariano(mean_losses(d, predicted), mean_losses(d, [d.yesterday]))
    tests = (forecasts.pesaran_timmermann(d.actual, p, d.yesterday) for p in predicted)
    pt = sorted(test for test in tests if math.isfinite(test.statistic))
    pt = pt[(len(pt) - 1) // 2] if pt else forecasts.Test(math.nan, math.nan)
    ratio = float(np.mean(ratios))
    found = {"ratio": ratio, "u2": math.sqrt(ratio), "least": min(ratios), "largest": max(ratios)}
    return middle | found | {"dm": dm.statistic, "dm_p": dm.p, "pt": pt.statistic, "pt_p": pt.p}


def verdict(ratio: float, p: float) -> str:
    """In words: whether a forecast is better or worse than yesterday's close, by the test at 5 %."""
    if not math.isfinite(ratio):
        return "failed"
    if not math.isfinite(p) or p >= SIGNIFICANT:
        return "no different"
    return "better" if ratio < 1 else "worse"


def league(
    d: Days, outcomes: Mapping[str, Sequence[Outcome]], *, with_arima: bool = True, seed: int = 0
) -> tuple[pd.DataFrame, float]:
    """Every forecaster's scores on the same days.

    Parameters
    ----------
    d : Days
    outcomes : mapping of str to sequence of Outcome
        A network's trainings with several seeds.
    with_arima : bool
    seed : int
        Of the bootstraps.

    Returns
    -------
    (pandas.DataFrame, float)
        One row a forecaster: `model`, `seeds`, the columns of `score`, `range` (of the ratio over single seeds, in
        words), `in_set` (p-value of the model confidence set), `verdict`. And the p-value of "no forecaster beats
        yesterday's close". All tests are of the mean losses over a network's seeds.
    """
    simple = baselines(d, with_arima=with_arima)
    rows = [{"model": name, "seeds": np.nan, **score(d, p)} for name, p in simple.items()]
    losses = {name: mean_losses(d, [p]) for name, p in simple.items()}
    for name, tried in outcomes.items():
        good = [o.forecast(d.yesterday) for o in tried if o.ok]
        scores = score(d, *good) if good else dict.fromkeys(score(d, d.yesterday), math.nan)
        rows.append({"model": name, "seeds": len(good), **scores})
        if good:
            losses[name] = mean_losses(d, good)
    inside = forecasts.confidence_set(losses, seed=seed)
    others = {name: loss for name, loss in losses.items() if name != BASELINES[0]}
    p = forecasts.superior(losses[BASELINES[0]], others, seed=seed)
    frame = pd.DataFrame(rows)
    frame["in_set"] = frame["model"].map(inside)
    ends = zip(frame["least"], frame["largest"], strict=True)
    frame["range"] = [
        f"{number(least, 4)} to {number(largest, 4)}" if least < largest else "–" for least, largest in ends
    ]
    frame["verdict"] = [
        "–" if name == BASELINES[0] else verdict(r, q)
        for name, r, q in zip(frame["model"], frame["ratio"], frame["dm_p"], strict=True)
    ]
    return frame, p
