"""How the published configurations, trained again, agree with the papers' tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from helpers import intervals
from helpers.intervals import Estimate
from helpers.replication import READINGS, ReplayError
from helpers.windows import Dataset

FACTOR = 3.0  # an MSE within a factor of 3 counts as the same
SHARE = 0.5  # of the rows that must be within FACTOR for a table to count as reproduced


@dataclass(frozen=True)
class Agreement:
    """One table under one reading: our numbers beside the paper's, row by row.

    Attributes
    ----------
    table, reading, quantity : str
        `quantity` is "mse" or "seconds".
    rows, seeds, failed : int
        Rows with a result, seeds of each, tasks that failed.
    spearman : Estimate
        Rank correlation between ours (median over the seeds) and theirs.
    log_ratio : Estimate
        Median over the rows of log10(ours / theirs): 1 is ten times theirs.
    distance : Estimate
        Mean over the rows of |log10(ours / theirs)|.
    within : Estimate
        Share of the rows within `FACTOR` of theirs.
    """

    table: str
    reading: str
    quantity: str
    rows: int
    seeds: int
    failed: int
    spearman: Estimate
    log_ratio: Estimate
    distance: Estimate
    within: Estimate

    @property
    def verdict(self) -> str:
        """One of three, by rule.

        "reproduced" if the interval of the share within the factor lies above 1/2 and that of the rank correlation
        above 0; "reproduced in part" if the share itself is at least 1/2 and the correlation's interval lies above 0,
        or the share's interval lies above 1/2; else "not reproduced".
        """
        ranks = self.spearman.low > 0
        if self.within.low > SHARE and ranks:
            return "reproduced"
        if (self.within.value >= SHARE and ranks) or self.within.low > SHARE:
            return "reproduced in part"
        return "not reproduced"


def agreement(frame: pd.DataFrame, table: str, reading_name: str, *, quantity: str = "mse", seed: int = 0) -> Agreement:
    """How our results of one table under one reading agree with the paper's.

    The bootstrap draws rows with replacement and, within each drawn row, seeds with replacement.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `replay` or `records`.
    table, reading_name : str
    quantity : {"mse", "seconds"}
    seed : int
        Of the bootstrap.

    Raises
    ------
    ReplayError
        Without any successful task of that table and reading.
    """
    mine = frame[(frame["table"] == table) & (frame["reading"] == reading_name)]
    good = mine[(mine["status"] == "ok") & (mine[quantity] > 0)]
    if good.empty:
        raise ReplayError(f"No result for the table {table!r} under the reading {reading_name!r}.")
    theirs, groups = [], []
    for _, group in good.groupby("row"):
        theirs.append(math.log10(group[f"published_{quantity}"].iloc[0]))
        groups.append(np.log10(group[quantity].to_numpy()))
    their, ours = np.array(theirs), np.array([np.median(g) for g in groups])
    rng = np.random.default_rng([seed, len(their)])
    index = rng.integers(len(their), size=(intervals.DRAWS, len(their)))
    size = (intervals.DRAWS, len(their))
    medians = np.stack([np.median(g[rng.integers(len(g), size=(*size, len(g)))], axis=-1) for g in groups])
    drawn = np.take_along_axis(np.moveaxis(medians, 0, -1), index[:, :, None], axis=2)[:, :, 0]
    drawn_theirs = their[index]

    def estimate(statistic: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Estimate:
        if len(their) < 2:
            return Estimate(float(statistic(ours, their)), math.nan, math.nan, len(their))
        low, high = np.nanquantile(statistic(drawn, drawn_theirs), [0.025, 0.975])
        return Estimate(float(statistic(ours, their)), float(low), float(high), len(their))

    return Agreement(
        table=table,
        reading=reading_name,
        quantity=quantity,
        rows=len(their),
        seeds=int(good.groupby("row")["seed"].nunique().max()),
        failed=int((mine["status"] != "ok").sum()),
        spearman=estimate(spearman),
        log_ratio=estimate(lambda x, y: np.median(x - y, axis=-1)),
        distance=estimate(lambda x, y: np.abs(x - y).mean(axis=-1)),
        within=estimate(lambda x, y: (np.abs(x - y) <= math.log10(FACTOR)).mean(axis=-1)),
    )


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rank correlation of x and y, shape (..., n), over the last axis; 0 where one side does not vary."""
    a, b = (stats.rankdata(v, axis=-1) - (v.shape[-1] + 1) / 2 for v in (x, y))
    scale = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return np.divide((a * b).sum(-1), scale, out=np.zeros(np.shape(scale)), where=scale > 0)


def mean_distance(frame: pd.DataFrame, table: str, reading_name: str) -> float:
    """`Agreement.distance` of the MSEs without its interval; NaN without results."""
    if frame.empty:
        return math.nan
    good = frame[(frame["table"] == table) & (frame["reading"] == reading_name) & (frame["status"] == "ok")]
    return float(np.log10(good["mse"] / good["published_mse"]).groupby(good["row"]).median().abs().mean())


def best_reading(agreements: Sequence[Agreement]) -> Agreement:
    """The agreement with the least mean |log10 ratio|: the reading that fits its table best."""
    return min(agreements, key=lambda a: a.distance.value)


def reading_gap(frame: pd.DataFrame, table: str, one: str, other: str, *, seed: int = 0) -> Estimate:
    """How much farther from the paper one reading is than another, with an interval over the rows.

    Mean over the rows of |log10(ours / theirs)| under `other` less that under `one`, medians over the seeds. Above 0,
    `one` fits better. NaN where one of them has no results.
    """
    good = frame[(frame["table"] == table) & (frame["status"] == "ok")]
    away = np.log10(good["mse"] / good["published_mse"]).groupby([good["reading"], good["row"]]).median().abs()
    pair = away.unstack("reading")[[one, other]].dropna() if {one, other} <= set(good["reading"]) else pd.DataFrame()
    if pair.empty:
        return Estimate(math.nan, math.nan, math.nan, 0)
    return intervals.bootstrap(np.mean, (pair[other] - pair[one]).to_numpy(), seed=seed)


def fit_in_words(name: str, best: Agreement, others: Sequence[Agreement], gaps: Mapping[str, Estimate]) -> str:
    """Which reading fits a table best, by what, and which others cannot be distinguished from it: a sentence or two.

    Parameters
    ----------
    name : str
        The table's, within a sentence.
    best : Agreement
    others : sequence of Agreement
        Of the same table.
    gaps : mapping of str to Estimate
        By the other reading's name, from `reading_gap`.
    """

    def numbers(a: Agreement) -> str:
        return f"{a.distance.value:.2f}; {a.within.value:.0%} of the rows within a factor of {FACTOR:g}"

    said = f"By the mean |log10 ratio| {name} fits best when *{READINGS[best.reading].text}* ({numbers(best)}): "
    said += f"{best.verdict}."
    tied = sorted((a for a in others if not gaps[a.reading].low > 0), key=lambda a: a.distance.value)
    if tied:
        listed = " and ".join(f"*{READINGS[a.reading].text}* ({numbers(a)})" for a in tied)
        said += f" In this it cannot be distinguished from {listed}."
    return said


def constant_forecasts(dataset: Dataset) -> dict[str, float]:
    """MSE of forecasting one number on every test day, scaled units: what a network that learnt nothing scores.

    Returns
    -------
    dict
        `training_mean`: what least squares arrives at without information; `training_max`: the most favourable value
        seen in training where prices have risen; `best`: the least that any constant can reach, the variance of the
        test targets.
    """
    scaled = dataset.scaled.to_numpy()
    train, test = scaled[dataset.train_targets("final")], scaled[dataset.test_targets("final")]
    return {
        "training_mean": float(np.mean((test - train.mean()) ** 2)),
        "training_max": float(np.mean((test - train.max()) ** 2)),
        "best": float(test.var()),
    }
