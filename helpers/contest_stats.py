"""What a contest says: curves, intervals and tests over paired seeds; pure functions of the table of searches.

A search's result is its best MSE so far, infinite before its first success. Two tuners are compared on the seeds that
both have: they trained with the same seeds and were allowed the same evaluations. Intervals are over seeds.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from helpers.intervals import DRAWS, LEVEL, Estimate, bounded_mean, proportion

LEAST_SEEDS = 5  # for an interval by bootstrap: two seeds give three different samples, five give 126
EXACT = 14  # up to so many pairs, all 2^n sign flips are tried
FLIPS = 9_999  # else so many at random
ORDERS = 50_000  # of tuners: all of up to 8, as many at random of more
TIGHT = 200  # up to so many draws opda's tight bands take seconds; of more, order statistics give narrow ones


def best_so_far(mse: ArrayLike) -> np.ndarray:
    """The least of the values up to each, along the last axis; NaN (a failure) counts as infinite."""
    values = np.asarray(mse, dtype=float)
    return np.minimum.accumulate(np.where(np.isnan(values), math.inf, values), axis=-1)


def table(frame: pd.DataFrame, tuner: str, column: str = "mse") -> pd.DataFrame:
    """One column of a tuner's searches: a row a seed, ascending, a column an evaluation."""
    return frame[frame["tuner"] == tuner].pivot(index="seed", columns="evaluation", values=column).sort_index()


def results(frame: pd.DataFrame, *, evaluations: int | None = None) -> pd.DataFrame:
    """Best MSE of every search after `evaluations` (the last, unless given): a row a seed, a column a tuner.

    Tuners stand in the order of the table; NaN where a tuner has no search with a seed, or none so long.
    """
    found = {}
    for tuner in dict.fromkeys(frame["tuner"]):
        values, ran = table(frame, tuner), frame[frame["tuner"] == tuner].groupby("seed").size()
        last = evaluations or values.shape[1]
        best = best_so_far(values)[:, last - 1] if last <= values.shape[1] else math.nan
        found[tuner] = pd.Series(best, index=values.index).where(ran >= last)
    return pd.DataFrame(found).sort_index()


class Band(NamedTuple):
    """A median over seeds with its pointwise interval, each of shape (n,)."""

    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray


def median_band(values: ArrayLike, *, seed: int = 0, draws: int = DRAWS, level: float = LEVEL) -> Band:
    """Median over the rows of `values`, shape (seeds, n), with percentile bootstrap intervals over the rows.

    Infinite values are allowed. With fewer rows than LEAST_SEEDS the interval is NaN.
    """
    values = np.asarray(values, dtype=float)
    with np.errstate(invalid="ignore"):
        middle = np.median(values, axis=0)
        if len(values) < LEAST_SEEDS:
            return Band(np.full_like(middle, math.nan), middle, np.full_like(middle, math.nan))
        rng = np.random.default_rng([seed, len(values)])
        drawn = np.median(values[rng.integers(len(values), size=(draws, len(values)))], axis=1)
    # Without interpolation between two values: one of them may be infinite.
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf")
    return Band(low, middle, high)


def median(values: ArrayLike, **options: Any) -> Estimate:
    """Median of one number a seed, with its bootstrap interval; see `median_band`."""
    values = np.asarray(values, dtype=float)
    if not len(values):
        return Estimate(math.nan, math.nan, math.nan, 0)
    band = median_band(values[:, None], **options)
    return Estimate(float(band.middle[0]), float(band.low[0]), float(band.high[0]), len(values))


def at_seconds(best: ArrayLike, seconds: ArrayLike, grid: ArrayLike) -> np.ndarray:
    """Best MSE when so many seconds are spent, shape (seeds, len(grid)); infinite before the first result.

    Parameters
    ----------
    best, seconds : array_like, shape (seeds, n)
        Best MSE so far, and the seconds that each evaluation took.
    grid : array_like
        Seconds. After a search's end its best stays.
    """
    best, ends, grid = np.asarray(best, float), np.cumsum(np.asarray(seconds, float), axis=1), np.asarray(grid, float)
    out = np.full((len(best), len(grid)), math.inf)
    for i, (values, ended) in enumerate(zip(best, ends, strict=True)):
        done = np.searchsorted(ended, grid, side="right")
        out[i, done > 0] = values[done[done > 0] - 1]
    return out


# Comparisons.


def improvement(a: ArrayLike, b: ArrayLike) -> Estimate:
    """P(improvement): share of the pairs in which `a` is less than `b`, a tie counting half, with an exact interval.

    Parameters
    ----------
    a, b : array_like, shape (n,)
        Results with the same seeds.
    """
    won = _wins(np.asarray(a, dtype=float), np.asarray(b, dtype=float))
    return proportion(float(won.sum()), len(won))


def _wins(a: Any, b: Any) -> Any:
    """1 where `a` is less than `b`, 1/2 where they tie, else 0."""
    return (a < b) + 0.5 * (a == b)


def log_differences(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """log(a / b) of paired positive results; an infinite one counts as the worst finite one of both."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    both = np.concatenate([a, b])
    finite = both[np.isfinite(both)]
    worst = finite.max() if len(finite) else 1.0
    return np.log(np.minimum(a, worst)) - np.log(np.minimum(b, worst))


def sign_flip_p(differences: ArrayLike, *, seed: int = 0, flips: int = FLIPS) -> float:
    """Two-sided p-value of a paired permutation test: that the mean difference is 0.

    Under the hypothesis that two tuners are the same, each pair's difference might as well have the other sign. All
    sign patterns are tried for up to EXACT pairs, random ones (and the observed one) else.

    Parameters
    ----------
    differences : array_like, shape (n,)

    Returns
    -------
    float
        NaN without pairs, or where a difference is not finite. With n pairs never below 2 / 2^n.
    """
    d = np.asarray(differences, dtype=float)
    if not len(d) or not np.isfinite(d).all():
        return math.nan
    if len(d) <= EXACT:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=len(d))))
    else:
        signs = np.random.default_rng([seed, len(d)]).choice([1.0, -1.0], size=(flips, len(d)))
    observed = abs(d.sum())
    extreme = np.sum(np.abs(signs @ d) >= observed - 1e-12 * max(1.0, np.abs(d).sum()))
    return float(extreme / len(signs)) if len(d) <= EXACT else float((1 + extreme) / (1 + flips))


def mean_interval(differences: ArrayLike, *, seed: int = 0, flips: int = FLIPS, level: float = LEVEL) -> Estimate:
    """Mean of paired differences with the interval of means that `sign_flip_p` would not refuse.

    If the differences lie symmetrically about their mean, the means of all subsets but the empty one part the line into
    2^n pieces that hold it with equal probability (Hartigan, Using subsample values as typical values, Journal of the
    American Statistical Association 64, 1969), and so do those of subsets drawn at random. A bootstrap's interval is
    too short for as few pairs as trainings allow: with two it holds the mean half the time.

    Parameters
    ----------
    differences : array_like, shape (n,)

    Returns
    -------
    Estimate
        NaN ends for too few pairs (five or fewer at 95 %).
    """
    d = np.asarray(differences, dtype=float)
    n = len(d)
    if not n or not np.isfinite(d).all():
        return Estimate(math.nan, math.nan, math.nan, n)
    if n <= EXACT:
        subsets = np.array(list(itertools.product((0.0, 1.0), repeat=n)))[1:]
    else:
        subsets = np.random.default_rng([seed, n]).integers(2, size=(flips, n)).astype(float)
        subsets = subsets[subsets.any(axis=1)]
    means = np.sort(subsets @ d / subsets.sum(axis=1))
    outside = math.floor((1.0 - level) / 2 * (len(means) + 1))  # of the pieces, on each side
    if not outside:
        return Estimate(float(d.mean()), math.nan, math.nan, n)
    return Estimate(float(d.mean()), float(means[outside - 1]), float(means[-outside]), n)


def holm(p: ArrayLike) -> np.ndarray:
    """Holm's adjusted p-values: all below 0.05 hold together with an error of 5 %. NaN stays and does not count."""
    p = np.asarray(p, dtype=float)
    adjusted = np.full(p.shape, math.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def against(finals: pd.DataFrame, rival: str, tuners: Iterable[str] | None = None, *, seed: int = 0) -> pd.DataFrame:
    """Every tuner against one rival, on the seeds that both have.

    Parameters
    ----------
    finals : pandas.DataFrame
        From `results`.
    rival : str
    tuners : iterable of str, optional
        All others unless given; they are one family for Holm's correction.
    seed : int

    Returns
    -------
    pandas.DataFrame
        Columns `tuner`, `seeds`, `win`, `win_low`, `win_high` (P(improvement)), `ratio`, `ratio_low`, `ratio_high`
        (geometric mean of the tuner's result over the rival's, see `mean_interval`), `p`, `p_holm`. Empty without the
        rival.
    """
    rows = []
    for tuner in tuners or finals.columns:
        if tuner == rival or rival not in finals or tuner not in finals:
            continue
        pair = finals[[tuner, rival]].dropna()
        a, b = pair[tuner].to_numpy(), pair[rival].to_numpy()
        win, logs = improvement(a, b), log_differences(a, b)
        ratio = mean_interval(logs, seed=seed)
        rows.append(
            {
                "tuner": tuner,
                "seeds": len(pair),
                **{"win": win.value, "win_low": win.low, "win_high": win.high},
                **{name: math.exp(getattr(ratio, key)) for name, key in _RATIO},
                "p": sign_flip_p(logs, seed=seed),
            }
        )
    columns = ["tuner", "seeds", "win", "win_low", "win_high", *(name for name, _ in _RATIO), "p"]
    found = pd.DataFrame(rows, columns=columns)
    return found.assign(p_holm=holm(found["p"].to_numpy(dtype=float)))


def pairs(
    finals: Mapping[Any, pd.DataFrame], tuners: Iterable[str], rivals: Iterable[str] | None = None
) -> pd.DataFrame:
    """P(improvement) of every tuner over every rival, on average over several problems.

    The share is the mean over the problems. Searches with one seed are not independent of each other, so that more
    problems are no more seeds. But a seed's own mean over the problems varies less than a single win: the interval is
    that of `intervals.bounded_mean` of these, whatever the problems have to do with each other. With a single problem
    it is that of `improvement`. Where a pair met with other seeds on one problem than on another, the shares' errors
    are taken to go together, and the interval is that of n seeds where 1 / sqrt(n) is the mean of 1 / sqrt(seeds) over
    the problems.

    Parameters
    ----------
    finals : mapping
        Problem -> `results`.
    tuners, rivals : iterable of str
        The rivals are the tuners unless given.

    Returns
    -------
    pandas.DataFrame
        Columns `tuner`, `rival`, `problems`, `seeds`, `win`, `win_low`, `win_high`; pairs that met in no problem are
        left out.
    """
    tuners = list(tuners)
    rows = []
    for a, b in itertools.product(tuners, tuners if rivals is None else list(rivals)):
        met = [f[[a, b]].dropna() for f in finals.values() if a != b and a in f and b in f]
        met = [pair for pair in met if len(pair)]
        if met:
            win = _averaged([_wins(pair[a], pair[b]) for pair in met])
            rows.append((a, b, len(met), win.n, win.value, win.low, win.high))
    return pd.DataFrame(rows, columns=["tuner", "rival", "problems", "seeds", "win", "win_low", "win_high"])


def _averaged(wins: Sequence[pd.Series]) -> Estimate:
    """P(improvement) on average: `wins` are those of each problem, by seed."""
    if len(wins) > 1 and all(w.index.equals(wins[0].index) for w in wins):
        return bounded_mean(np.mean(wins, axis=0))
    seeds = math.floor(np.mean([len(w) ** -0.5 for w in wins]) ** -2 + 1e-9)
    return proportion(float(np.mean([w.mean() for w in wins])) * seeds, seeds)


_RATIO = (("ratio", "value"), ("ratio_low", "low"), ("ratio_high", "high"))


def summary(frame: pd.DataFrame, naive: float = math.nan, *, rival: str = "random", seed: int = 0) -> pd.DataFrame:
    """Every tuner of one contest in a row: its result, its regret, against random search, and what it spends.

    Parameters
    ----------
    frame : pandas.DataFrame
        Searches on one problem, all of one length; see `contest.frame`.
    naive : float
        MSE of yesterday's close.
    rival : str
    seed : int

    Returns
    -------
    pandas.DataFrame
        Columns `tuner`, `seeds`, `best`, `best_low`, `best_high` (median of the best MSE), `regret`, `regret_low`,
        `regret_high` (the same less `naive`), those of `against`, `unique` (share of a search's evaluations that are
        different configurations), `failed` (share), `seconds` (median of a search's training), `thinking` (median of a
        suggestion, s).
    """
    finals = results(frame)
    rows = []
    names = [c for c in frame.columns[3:] if c not in ("mse", "seconds", "thinking", "probability", "redraws")]
    for tuner in finals:
        mine = frame[frame["tuner"] == tuner]
        best = median(finals[tuner].dropna(), seed=seed)
        searches = mine.groupby("seed")
        rows.append(
            {
                "tuner": tuner,
                "seeds": best.n,
                **{"best": best.value, "best_low": best.low, "best_high": best.high},
                **{"regret": best.value - naive, "regret_low": best.low - naive, "regret_high": best.high - naive},
                "unique": float((~mine.duplicated(["seed", *names])).mean()),
                "failed": float(mine["mse"].isna().mean()),
                "seconds": float(searches["seconds"].sum().median()),
                "thinking": float(mine["thinking"].median()),
            }
        )
    compared = against(finals, rival, seed=seed).drop(columns="seeds")
    return pd.DataFrame(rows).merge(compared, on="tuner", how="left")


def front(seconds: Sequence[float], errors: Sequence[float]) -> np.ndarray:
    """Which points no other beats in both: at most its seconds and its error, and less in one of them."""
    s, e = np.asarray(seconds, dtype=float), np.asarray(errors, dtype=float)
    better = (s[None, :] <= s[:, None]) & (e[None, :] <= e[:, None])
    strictly = (s[None, :] < s[:, None]) | (e[None, :] < e[:, None])
    return ~(better & strictly).any(axis=1)


def found_within(frame: pd.DataFrame, tuner: str, first: int) -> Estimate:
    """Share of a tuner's searches whose final best was already found within the `first` evaluations.

    One that found nothing does not count as found.
    """
    best = best_so_far(table(frame, tuner))
    early = (best[:, first - 1] == best[:, -1]) & np.isfinite(best[:, -1])
    return proportion(int(np.sum(early)), len(best))


# Random search.


class RandomCurve(NamedTuple):
    """Random search's best of n: `expected` without bias, `median` between `low` and `high`, each of the shape of n."""

    n: np.ndarray
    expected: np.ndarray
    low: np.ndarray
    median: np.ndarray
    high: np.ndarray


def random_curve(mse: ArrayLike, n: ArrayLike, *, level: float = LEVEL, seed: int = 0) -> RandomCurve:
    """Random search's best of n configurations, from all that it evaluated, by `opda`.

    The mean is the U-statistic over all samples of n. The median is the quantile 1 - 2^(-1/n) of the distribution; its
    band holds for all n together with probability `level` or more. For up to TIGHT draws it inverts a band of the whole
    distribution, Learned-Miller and DeStefano's (equal-tailed); for more it is the interval of each quantile between
    two order statistics (binomial), at Bonferroni's level. A band of equal width for the whole distribution, such as
    Kolmogorov and Smirnov's, would be several times as wide in the lower tail, where the best of 20 lies.

    Parameters
    ----------
    mse : array_like, shape (m,)
        Independent draws. A failure (NaN) counts as the worst seen.
    n : array_like of int
        At most m.
    level : float
    seed : int
        Of the simulation that finds the band.
    """
    from opda.nonparametric import EmpiricalDistribution

    values, n = np.asarray(mse, dtype=float), np.asarray(n)
    values = np.where(np.isnan(values), np.nanmax(values), values)
    whole = EmpiricalDistribution(values, a=0.0)
    expected, middle = whole.u_tuning_curve(n, minimize=True), whole.quantile_tuning_curve(n, minimize=True)
    if len(values) > TIGHT:
        low, high = order_limits(values, 1.0 - 0.5 ** (1.0 / n), level=1.0 - (1.0 - level) / n.size)
        return RandomCurve(n, expected, low, middle, high)
    rng = np.random.default_rng([seed, len(values)])
    with warnings.catch_warnings():  # of equal values, such as failures: the band is then wider than it need be
        warnings.simplefilter("ignore", RuntimeWarning)
        low, _, high = EmpiricalDistribution.confidence_bands(
            values, level, a=0.0, method="ld_equal_tailed", n_jobs=1, generator=rng
        )
    # A greater distribution function means lesser values.
    return RandomCurve(
        n,
        expected,
        high.quantile_tuning_curve(n, minimize=True),
        middle,
        low.quantile_tuning_curve(n, minimize=True),
    )


def order_limits(values: ArrayLike, q: ArrayLike, *, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Intervals of the quantiles q of a distribution of errors between two of its draws, each with `level` or more.

    The number of m draws at or below the quantile is binomial (m, q): the k-th least draw lies above the quantile with
    the probability that fewer than k do.

    Returns
    -------
    (numpy.ndarray, numpy.ndarray)
        Of the shape of q; 0 and infinity where no draw is extreme enough.
    """
    from scipy.stats import binom

    ordered = np.concatenate([[0.0], np.sort(np.asarray(values, dtype=float)), [math.inf]])
    m, q = len(ordered) - 2, np.asarray(q, dtype=float)
    low = binom.ppf((1.0 - level) / 2, m, q).astype(int)
    high = binom.ppf((1.0 + level) / 2, m, q).astype(int) + 1
    return ordered[low], ordered[high]


# Two contests.


def mean_ranks(finals: pd.DataFrame) -> pd.Series:
    """Mean over the seeds that all have of each tuner's rank, 1 the best, ties shared."""
    return finals.dropna().rank(axis=1).mean()


def rank_agreement(one: pd.DataFrame, other: pd.DataFrame, *, seed: int = 0, draws: int = DRAWS) -> Estimate:
    """Rank correlation of the tuners' mean ranks in two contests, with a bootstrap interval over the seeds of both.

    Parameters
    ----------
    one, other : pandas.DataFrame
        From `results`; the tuners that both have count, on the seeds that all of them have.
    seed, draws : int

    Returns
    -------
    Estimate
        `n` is the number of tuners. NaN with fewer than three; without an interval where a contest has fewer than
        `LEAST_SEEDS`.
    """
    tuners = [t for t in one if t in other]
    ranks = [f[tuners].dropna().rank(axis=1).to_numpy() for f in (one, other)]
    if len(tuners) < 3 or min(map(len, ranks)) == 0:
        return Estimate(math.nan, math.nan, math.nan, len(tuners))
    value = _spearman(ranks[0].mean(axis=0), ranks[1].mean(axis=0))
    if min(map(len, ranks)) < LEAST_SEEDS:
        return Estimate(value, math.nan, math.nan, len(tuners))
    rng = np.random.default_rng([seed, len(tuners)])
    drawn = [
        _spearman(*(r[rng.integers(len(r), size=len(r))].mean(axis=0) for r in ranks)) for _ in range(draws)
    ]  # fmt: skip
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high), len(tuners))


def ranks_p(one: pd.DataFrame, other: pd.DataFrame, *, seed: int = 0) -> float:
    """Two-sided p-value that two contests rank the tuners as if one had dealt the places out at random.

    The interval of `rank_agreement` says how sure the seeds make the correlation; this, whether so few tuners could
    agree as much by chance. Of four it is 1/12 at least.

    Parameters
    ----------
    one, other : pandas.DataFrame
        From `results`; the tuners that both have count.

    Returns
    -------
    float
        NaN with fewer than three tuners.
    """
    from scipy.stats import permutation_test

    tuners = [t for t in one if t in other]
    if len(tuners) < 3 or any(f[tuners].dropna().empty for f in (one, other)):
        return math.nan
    ranks = [mean_ranks(f[tuners]).rank().to_numpy() for f in (one, other)]
    if min(map(np.ptp, ranks)) == 0:
        return math.nan
    theirs = ranks[1] - ranks[1].mean()
    found = permutation_test(
        (ranks[0],), lambda x, axis: x @ theirs, permutation_type="pairings", n_resamples=ORDERS, rng=seed
    )
    return float(found.pvalue)


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    a, b = pd.Series(a).rank().to_numpy(), pd.Series(b).rank().to_numpy()
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(np.corrcoef(a, b)[0, 1])
