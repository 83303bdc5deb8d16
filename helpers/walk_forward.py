"""Walk-forward evaluation: for each year a network trained on every close before it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from helpers import forecasts
from helpers.league import Days, days, score
from helpers.ledger import Outcome, Training
from helpers.prices import MIN_ROWS
from helpers.space import LstmConfig
from helpers.validity import Series, ValidityError
from helpers.windows import protocol


def walk_years(days: pd.DatetimeIndex, first: int, *, as_of: str) -> range:
    """The test years of a walk: from `first`, or later where fewer closes come before it than a series needs at least.

    Parameters
    ----------
    days : pandas.DatetimeIndex, shape (n,)
        Of the closes, ascending.
    first : int
        A year.
    as_of : str
        ISO date of the last close used. A last year with a single close is left out.

    Raises
    ------
    ValidityError
        If there is no such year.
    """
    days = days[days <= pd.Timestamp(as_of)]
    if len(days) < 2:
        raise ValidityError(f"There are {len(days)} closes up to {as_of}: too few for a walk.")
    enough = min(MIN_ROWS, len(days) // 2)
    last = int(days[-1].year) - int(days[-2].year != days[-1].year)
    start = max(first, int(days[enough - 1].year) + 1)
    if start > last:
        raise ValidityError(
            f"A walk from {first} on has no test year: with {len(days):,} closes up to {as_of} it can begin in "
            f"{int(days[enough - 1].year) + 1} and ends in {last}; see walk_from."
        )
    return range(start, last + 1)


def walk_trainings(
    series: str, configs: Mapping[str, LstmConfig], years: Sequence[int], *, as_of: str, seeds: Sequence[int]
) -> list[Training]:
    """For each year a network trained on every close before it and tested on its days, by target."""
    found = []
    for year in years:
        last = min(f"{year}-12-31", as_of)
        for target, config in configs.items():
            p = protocol("clean", name=f"walk_{target}", target=target, as_of=last, test_from=f"{year}-01-01")
            found += [Training(series, p, config, s, keep=True) for s in seeds]
    return found


def by_year(outcomes: Sequence[Outcome], series: Series) -> pd.DataFrame:
    """Squared error of returns over that of yesterday's close, by year.

    Returns
    -------
    pandas.DataFrame
        One row a year, target and seed: `year`, `target`, `seed`, `ratio`, `volatility` (standard deviation of the
        year's returns in percent), `loss` and `naive_loss` (summed squared returns' errors, squared percent).
    """
    rows = []
    for o in outcomes:
        p = o.training.protocol
        d = days(series(o.training.series, p))
        mine = forecasts.losses(d.actual, o.forecast(d.yesterday), d.yesterday) if o.ok else np.array([np.nan])
        theirs = forecasts.losses(d.actual, d.yesterday, d.yesterday)
        rows.append(
            {
                "year": int(p.test_from[:4]),
                "target": p.target,
                "seed": o.training.seed,
                "ratio": mine.sum() / theirs.sum(),
                "volatility": math.sqrt(theirs.mean()),
                "loss": mine.sum(),
                "naive_loss": theirs.sum(),
            }
        )
    return pd.DataFrame(rows)


def walk_test(outcomes: Sequence[Outcome], series: Series, target: str) -> dict[str, float]:
    """`score` over all years of the walk together, for one target: of the years in which every seed's training ended.

    Empty where there is none.
    """
    mine = [o for o in outcomes if o.training.protocol.target == target]
    years = {p: [o for o in mine if o.training.protocol == p] for p in dict.fromkeys(o.training.protocol for o in mine)}
    years = {p: years[p] for p in sorted(years, key=lambda p: p.test_from) if all(o.ok for o in years[p])}
    if not years:
        return {}
    all_days = [days(series(tried[0].training.series, p)) for p, tried in years.items()]
    by_seed = zip(*(sorted(tried, key=lambda o: o.training.seed) for tried in years.values()), strict=True)
    predicted = [
        np.concatenate([o.forecast(d.yesterday) for o, d in zip(one, all_days, strict=True)]) for one in by_seed
    ]
    last = all_days[-1]
    positions = np.concatenate([d.positions for d in all_days])
    joined = Days(last.close, positions, last.dates, all_days[0].training)
    return score(joined, *predicted)
