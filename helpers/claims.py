"""The papers' claims, judged by rule.

A claim is made of parts: a statistic, its interval, and the range that the paper's words say it lies in. A part *holds*
if the interval lies in the range, *fails* if it lies outside, and is undecided if it reaches over the range's end or if
there is no interval: fewer than three runs of a tuner say nothing about others. A claim on one basis

- holds if all its parts hold,
- does not hold if none holds and at least one fails,
- holds in part if some hold and others do not,
- cannot be judged if all are undecided, or if its records are missing.

The bases: `printed`, the paper's own table (a fact: its value alone decides); `rows`, the published configurations
trained again, medians over the seeds, each table under the learning rates (as printed or tenfold) that fit its MSEs
better; `tuners`, our runs of the tuners. Rows and tuners each under a protocol; their times are seconds of the
processor. Over all, a claim holds (does not hold) if it does on every basis that can judge it, and holds in part
otherwise; the printed tables and `clean` do not count there.

What an interval is over: the runs of a tuner; of the rows, the rows, taken as independent, because there is one
published search each, or the seeds where a statistic needs whole tables; of a forecast, blocks of the test days of our
one best LSTM, or both these and the seeds of the published best row. A claim that compares the errors of two tables'
rows is not decided by giving one of them ten times the printed learning rates: where the better-fitting rates are
unlike, it is judged with both as printed and with both tenfold too, and has a verdict if all three are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from helpers import intervals, search_shape, table_agreement
from helpers.evidence import PRINTED, SHORT_RUN, Evidence, Missing
from helpers.intervals import Estimate

HOLDS, FAILS, PART, UNJUDGED = "holds", "does not hold", "holds in part", "cannot be judged"
VERDICTS = (HOLDS, PART, FAILS, UNJUDGED)
FEWEST = 3  # runs of a tuner that have an interval
RATES: Mapping[float, str] = {1.0: "both as printed", 10.0: "both tenfold"}  # factor of the printed learning rates


@dataclass(frozen=True)
class Part:
    """A statistic and the range that a claim says it lies in.

    Attributes
    ----------
    text : str
        What the statistic is.
    estimate : Estimate
    low, high : float
        Ends of the claimed range.
    exact : bool
        The value is a fact about a printed table, so that no interval is needed.
    test : bool
        The value is the p-value of a test: above the level, nothing has been found, which is undecided.
    spec : str
        Format of the numbers.
    """

    text: str
    estimate: Estimate
    low: float = -math.inf
    high: float = math.inf
    exact: bool = False
    test: bool = False
    spec: str = ".2f"

    @property
    def verdict(self) -> str:
        e = self.estimate
        low, high = (e.value, e.value) if self.exact else (e.low, e.high)
        if not (math.isfinite(low) and math.isfinite(high)):
            return "undecided"
        if low >= self.low and high <= self.high:
            return "holds"
        return "fails" if (high < self.low or low > self.high) and not self.test else "undecided"

    def __str__(self) -> str:
        shown = self.estimate.value if self.exact else self.estimate
        return f"{self.text} {format(shown, self.spec)}"


@dataclass(frozen=True)
class Judgement:
    """A claim on one basis."""

    verdict: str
    parts: tuple[Part, ...] = ()
    reason: str = ""

    @property
    def text(self) -> str:
        """The statistics in words, or why there are none."""
        return "; ".join(map(str, self.parts)) or self.reason


def judge(parts: Sequence[Part]) -> Judgement:
    """The verdict of a claim's parts on one basis; see the module's rule."""
    said = [part.verdict for part in parts]
    if not said:
        return Judgement(UNJUDGED, reason="no records")
    if all(v == "holds" for v in said):
        return Judgement(HOLDS, tuple(parts))
    if any(v == "holds" for v in said):
        return Judgement(PART, tuple(parts))
    if any(v == "fails" for v in said):
        return Judgement(FAILS, tuple(parts))
    few = min((p.estimate.n for p in parts if not (p.exact or math.isfinite(p.estimate.low))), default=0)
    reason = "the interval reaches over the end of the claimed range"
    if all(p.test for p in parts):
        reason = "a test that finds nothing does not show that there is nothing"
    elif few:
        reason = f"{'one run says' if few == 1 else f'{few} runs say'} nothing about others"
    return Judgement(UNJUDGED, tuple(parts), reason)


def overall(judgements: Mapping[str, Judgement]) -> str:
    """The verdict over all bases; see the module's rule."""
    said = {
        j.verdict
        for basis, j in judgements.items()
        if basis != PRINTED and not basis.endswith("clean") and j.verdict != UNJUDGED
    }
    if not said:
        return UNJUDGED
    return said.pop() if len(said) == 1 else PART


def rests_on_rows(judgements: Mapping[str, Judgement]) -> bool:
    """Whether a claim on our tuners too holds over all although none of their runs could judge it."""
    judged = {
        basis.partition(":")[0]
        for basis, j in judgements.items()
        if basis != PRINTED and not basis.endswith("clean") and j.verdict != UNJUDGED
    }
    tuners = any(basis.startswith("tuners") for basis in judgements)
    return tuners and judged == {"rows"} and overall(judgements) == HOLDS


# Statistics of claims.

Judge = Callable[[Evidence, str], list[Part]]


def _pooled(tables: Sequence[pd.DataFrame], column: str) -> np.ndarray:
    values = _all_values(tables, column)
    return values[np.isfinite(values)]


def _all_values(tables: Sequence[pd.DataFrame], column: str) -> np.ndarray:
    for table in tables:
        if column not in table:
            raise Missing("not in the paper's tables")
    return np.concatenate([table[column].to_numpy(dtype=float) for table in tables])


def _by_run(statistic: Callable[..., np.ndarray], *groups: Sequence[pd.DataFrame], column: str, basis: str) -> Estimate:
    """A statistic of one tuner's values, or of two tuners', with its interval.

    Of a tuner's runs: the mean over the runs, the interval over the runs, none with fewer than three. Of a published
    table or its rows, one search: the interval over the iterations, taken as independent.
    """
    count = min(len(group) for group in groups)
    if not basis.startswith("tuners"):
        return intervals.bootstrap(statistic, *(_pooled(group, column) for group in groups), paired=False)
    values = [float(statistic(*(_pooled([group[i]], column) for group in groups), axis=-1)) for i in range(count)]
    if count < FEWEST:
        return Estimate(float(np.mean(values)), math.nan, math.nan, count)
    return intervals.bootstrap(np.mean, values)


def _superiority(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """Probability that a value of x is below one of y, ties half."""
    below = (x[..., :, None] < y[..., None, :]).mean(axis=(-2, -1))
    return below + 0.5 * (x[..., :, None] == y[..., None, :]).mean(axis=(-2, -1))


def _spread_ratio(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    return x.std(axis=-1) / np.maximum(y.std(axis=-1), 1e-300)


def _mean_ratio(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    return x.mean(axis=-1) / y.mean(axis=-1)


def _variation(x: np.ndarray, axis: int = -1) -> np.ndarray:
    return x.std(axis=-1) / np.maximum(np.abs(x.mean(axis=-1)), 1e-300)


def _share(low: float, high: float) -> Callable[..., np.ndarray]:
    def share(x: np.ndarray, axis: int = -1) -> np.ndarray:
        return ((x >= low) & (x <= high)).mean(axis=-1)

    return share


def _lower_mse(ev: Evidence, basis: str) -> list[Part]:
    e = _by_run(_superiority, ev.short("generator", basis), ev.short("bayesian", basis), column="mse", basis=basis)
    return [Part("probability that a generator trial has the lower MSE", e, low=0.5, exact=basis == PRINTED)]


def _steadier_mse(ev: Evidence, basis: str) -> list[Part]:
    e = _by_run(_spread_ratio, ev.short("generator", basis), ev.short("bayesian", basis), column="mse", basis=basis)
    return [Part("spread of the generator's MSE over the Bayesian", e, high=1.0, exact=basis == PRINTED)]


def _better_best(ev: Evidence, basis: str) -> list[Part]:
    ours, theirs = (
        ev.by_seed(tuner, basis.split(":")[1]) if basis.startswith("rows") else ev.short(tuner, basis)
        for tuner in ("generator", "bayesian")
    )
    # A Bayesian search stops once it is as good as the generator: later iterations would win or lose by that rule.
    bests = [[t.loc[t["iteration"] <= SHORT_RUN, "mse"].min() for t in found] for found in (ours, theirs)]
    lower = [g < b for g, b in zip(*bests, strict=False)]
    text = f"share of the pairs in which the generator's best of {SHORT_RUN} iterations is below the Bayesian best"
    if basis == PRINTED:
        return [Part(text, Estimate(float(lower[0]), math.nan, math.nan, 1), low=0.5, exact=True)]
    return [Part(f"{text} of {SHORT_RUN}", _share_of_runs(lower), low=0.5)]


def _share_of_runs(found: Sequence[bool]) -> Estimate:
    """The share of a tuner's runs in which something is so."""
    e = intervals.proportion(sum(found), len(found))
    return e if len(found) >= FEWEST else Estimate(e.value, math.nan, math.nan, len(found))


def _within_20(tuner: str) -> Judge:
    def parts(ev: Evidence, basis: str) -> list[Part]:
        runs = [t for t in ev.tables(tuner, basis) if len(t) > SHORT_RUN and t["mse"].notna().any()]
        if not runs:
            raise Missing(f"no run of the {tuner} is longer than {SHORT_RUN} iterations")
        length = min(len(t) for t in runs)
        early = [t.loc[t["mse"].head(length).idxmin(), "iteration"] <= SHORT_RUN for t in runs]
        text = f"share of runs of {length} iterations with the best in the first {SHORT_RUN} "
        text += f"(any order: {SHORT_RUN / length:.2f})"
        return [Part(text, _share_of_runs(early), low=0.9)]

    return parts


def _iterations_to_reach(ev: Evidence, basis: str) -> list[Part]:
    extra, censored = [], 0
    for ours, theirs in zip(ev.short("generator", basis), ev.tables("bayesian", basis), strict=False):
        target, needed = ours["mse"].min(), int(ours.loc[ours["mse"].idxmin(), "iteration"])
        reached = theirs.loc[theirs["mse"] <= target, "iteration"]
        censored += reached.empty
        extra.append((len(theirs) + 1 if reached.empty else int(reached.iloc[0])) / needed)
    text = "Bayesian iterations to reach the generator's best, over the generator's own"
    text += f" ({censored} of {len(extra)} gave up, counted as one more than tried)" if censored else ""
    # Logs: a ratio of 2 and one of 1/2 are alike.
    e = intervals.bootstrap(lambda x, axis=-1: 10 ** np.mean(x, axis=axis), np.log10(extra))
    return [Part(text, e, low=1.0, exact=basis == PRINTED)]


def _total_time(ev: Evidence, basis: str) -> list[Part]:
    ours, theirs = ev.short("generator", basis), ev.tables("bayesian", basis)
    if basis.startswith("tuners"):

        def total(table: pd.DataFrame) -> float:
            return float((table["seconds"] + table["sampler_seconds"].fillna(0)).sum())

        ratios = [total(b) / total(g) for g, b in zip(ours, theirs, strict=False)]
        e = intervals.bootstrap(lambda x, axis=-1: 10 ** np.mean(x, axis=axis), np.log10(ratios))
    else:
        e = _by_run(lambda x, y, axis=-1: y.sum(axis=-1) / x.sum(axis=-1), ours, theirs, column="seconds", basis=basis)
    return [Part("total Bayesian time over the generator's", e, low=1.0, exact=basis == PRINTED, spec=".1f")]


def _iteration_time(ev: Evidence, basis: str) -> list[Part]:
    e = _by_run(_mean_ratio, ev.short("bayesian", basis), ev.short("generator", basis), column="seconds", basis=basis)
    return [Part("time of a Bayesian iteration over a generator's", e, low=1.0, exact=basis == PRINTED, spec=".1f")]


def _rising_time(ev: Evidence, basis: str) -> list[Part]:
    tables = ev.tables("bayesian", basis)

    def correlation(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        return table_agreement.spearman(x, y)

    if len(tables) >= 3:
        values = [float(correlation(t["iteration"].to_numpy(), t["seconds"].to_numpy())) for t in tables]
        e = intervals.bootstrap(np.mean, values)
    else:
        whole = pd.concat(tables)[["iteration", "seconds"]].dropna()
        e = intervals.bootstrap(correlation, whole["iteration"], whole["seconds"])
    return [Part("rank correlation of iteration and time", e, low=0.0, exact=basis == PRINTED)]


def _ranges(metric: str, ours: tuple[float, float], theirs: tuple[float, float], often: float) -> Judge:
    def parts(ev: Evidence, basis: str) -> list[Part]:
        found = []
        for tuner, (low, high), least in (("generator", ours, 0.5), ("bayesian", theirs, often)):
            e = _by_run(_share(low, high), ev.short(tuner, basis), column=metric, basis=basis)
            region = f"in {low:g} to {high:g}" if math.isfinite(low) else f"under {high:g}"
            text = f"{tuner}: share of trials with {metric.upper()} {region}"
            found.append(Part(text, e, low=least, exact=basis == PRINTED))
        return found

    return parts


def _r2(ev: Evidence, basis: str) -> list[Part]:
    share = _by_run(_share(0.8, 1.0), ev.short("generator", basis), column="r2", basis=basis)
    theirs = ev.by_seed("bayesian", basis.split(":")[1]) if basis.startswith("rows") else ev.short("bayesian", basis)
    # Over the seeds or runs: resampled rows cannot go below their own least.
    least = intervals.bootstrap(np.mean, [t["r2"].min() for t in theirs])
    return [
        Part("generator: share of trials with R² in 0.8 to 1", share, low=0.5, exact=basis == PRINTED),
        Part("Bayesian: least R²", least, low=-0.8, high=-0.2, exact=basis == PRINTED),
    ]


def _residuals(ev: Evidence, basis: str) -> list[Part]:
    f = ev.forecast("generator", basis)
    return [
        Part("share of residuals within 50 points", f["within_50"], low=0.5),  # of all test days, as in the figure
        Part("skewness of the residuals", f["residual_skew"], low=0.0, high=1.0),
    ]


def _direction(ev: Evidence, basis: str) -> list[Part]:
    return [
        Part(
            "share of days with the right direction", ev.forecast("generator", basis)["direction"], low=0.5, spec=".3f"
        )
    ]


def _cyclic(tuner: str) -> Judge:
    def parts(ev: Evidence, basis: str) -> list[Part]:
        tested = [search_shape.cycles(np.log10(t["mse"].dropna())) for t in ev.tables(tuner, basis) if len(t) >= 6]
        if not tested:
            raise Missing("too few iterations")
        if basis != PRINTED:
            e = _share_of_runs([c.found for c in tested])
            return [Part("share of runs with a period (5 % by chance)", e, low=0.05)]
        c = max(tested, key=lambda c: c.n)
        text = (
            f"strongest period {c.period:.1f} of {c.n} iterations holds {c.g:.2f} of the variance; in random order, p ="
        )
        return [Part(text, Estimate(c.g_p, math.nan, math.nan, c.n), high=0.05, exact=True, test=True)]

    return parts


def _low_and_steady(ev: Evidence, basis: str) -> list[Part]:
    space = search_shape.SPACES["generator"]

    def spread(table: pd.DataFrame) -> float:
        return float(search_shape.coordinates(table, space).std(axis=0).mean())

    ours, theirs = ev.short("generator", basis), ev.short("bayesian", basis)
    ratios = [spread(g) / spread(b) for g, b in zip(ours, theirs, strict=False)]
    levels = [float(search_shape.coordinates(g, space).mean()) for g in ours]
    batch = [float((g["batch_size"] <= 256).mean()) for g in ours]
    dropout = [float((g["dropout_rate"] <= 0.4 + 1e-9).mean()) for g in ours]
    exact = basis == PRINTED
    return [
        Part(
            "generator's spread over the ranges, over the Bayesian",
            intervals.bootstrap(np.mean, ratios),
            high=1.0,
            exact=exact,
        ),
        Part("generator's mean place in the ranges", intervals.bootstrap(np.mean, levels), high=1 / 3, exact=exact),
        Part("batch size at most 256", intervals.bootstrap(np.mean, batch), low=0.9, exact=exact),
        Part("dropout at most 0.4", intervals.bootstrap(np.mean, dropout), low=0.9, exact=exact),
    ]


def _gan_r2(ev: Evidence, basis: str) -> list[Part]:
    tables = ev.short("gan", basis)
    if "r2" not in tables[0]:
        raise Missing("not in the paper's tables")
    third = max(len(tables[0]) // 3, 1)
    early = _by_run(_share(-math.inf, 0.0), [t.head(third) for t in tables], column="r2", basis=basis)
    late = _by_run(_share(0.9, 1.0), [t.tail(third) for t in tables], column="r2", basis=basis)
    return [
        Part("share of negative R² in the first third", early, low=1e-9),
        Part("share of R² above 0.9 in the last third", late, low=0.5),
    ]


def _steady_memory(ev: Evidence, basis: str) -> list[Part]:
    tables = ev.short("gan", basis)
    if not len(_pooled(tables, "peak_rss_mb")):
        raise Missing("the memory in use was not measured")
    process = _pooled(tables, "peak_rss_mb").mean()
    text = f"memory of the training's process, {process:,.0f} MB on average, nearly all of it the libraries': "
    text += "variation over the iterations"
    return [Part(text, _by_run(_variation, tables, column="peak_rss_mb", basis=basis), high=0.1)]


def _lag(ev: Evidence, basis: str) -> list[Part]:
    f = ev.forecast("gan", basis)
    return [
        Part(
            "correlation with the close's change of the day before, less that of the same day",
            f["lag_1_less_0"],
            low=0.0,
        )
    ]


def _smooth(ev: Evidence, basis: str) -> list[Part]:
    f = ev.forecast("gan", basis)
    return [Part("spread of the forecast's daily changes over the closes'", f["roughness"], high=1.0)]


def _towards_mean(ev: Evidence, basis: str) -> list[Part]:
    return [Part("slope of the forecast on the close", ev.forecast("gan", basis)["slope"], high=1.0, spec=".3f")]


def _underestimates(ev: Evidence, basis: str) -> list[Part]:
    f = ev.forecast("gan", basis)
    return [
        Part("share of days forecast too low", f["share_under"], low=0.5),
        Part("mean residual, points", f["residual_mean"], low=0.0, spec=".1f"),
    ]


def best_of(pool: np.ndarray, n: int, value: float) -> float:
    """Probability that the best of `n` random configurations is worse than `value`; `pool` holds MSEs of random ones.

    (1 - share of the pool that is at most `value`)^n: drawing with replacement. A failed training is infinite, and so
    is the best of a run that failed throughout, which is then never the better one.
    """
    return float((1.0 - np.mean(np.asarray(pool) <= value)) ** n)


def _beats_random(tuner: str) -> Judge:
    def parts(ev: Evidence, basis: str) -> list[Part]:
        runs = ev.short(tuner, basis)
        pool = _all_values(ev.tables(f"random_{tuner}", basis), "mse")
        if len(pool) < SHORT_RUN:
            raise Missing(f"{len(pool)} random configurations were trained; a search of {SHORT_RUN} needs more")
        pool = np.nan_to_num(pool, nan=math.inf)  # a failure costs an evaluation
        bests = np.nan_to_num([t["mse"].min() for t in runs], nan=math.inf)  # none succeeded
        value = float(np.mean([best_of(pool, SHORT_RUN, b) for b in bests]))
        rng = np.random.default_rng([0, len(pool)])
        drawn = []
        for _ in range(intervals.DRAWS if len(bests) > 1 and len(pool) > 1 else 0):
            p, b = rng.choice(pool, len(pool)), rng.choice(bests, len(bests))
            drawn.append(np.mean([best_of(p, SHORT_RUN, x) for x in b]))
        low, high = np.quantile(drawn, [0.025, 0.975]) if drawn else (math.nan, math.nan)
        text = f"probability that its best of {SHORT_RUN} beats the best of {SHORT_RUN} random ({len(bests)} runs, "
        text += f"{len(pool)} random configurations)"
        return [Part(text, Estimate(value, float(low), float(high), len(bests)), low=0.5)]

    return parts


def _feedback(ev: Evidence, basis: str) -> list[Part]:
    ours, blind = ev.short("generator", basis), ev.short("zero", basis)
    logs = [math.log10(b["mse"].min() / a["mse"].min()) for a, b in zip(ours, blind, strict=False)]
    text = "log10 of the best MSE without feedback over that with it"
    return [Part(text, intervals.bootstrap(np.mean, logs), low=0.0)]


# The claims.


@dataclass(frozen=True)
class Claim:
    """A checkable claim of a paper.

    Attributes
    ----------
    key : str
    paper : {"G", "A"}
    text : str
        The claim, short.
    place : str
        Section, table or figure.
    kinds : tuple of str
        Bases that can judge it: "printed", "rows", "tuners".
    parts : callable
        From evidence and basis to the parts.
    figure : str
        The item that shows it.
    compares : bool
        Whether it compares the errors of rows of two tables, which is fair under equal learning rates alone.
    """

    key: str
    paper: str
    text: str
    place: str
    kinds: tuple[str, ...]
    parts: Judge
    figure: str
    compares: bool = False


_ALL, _OURS, _TUNERS, _TABLES = (PRINTED, "rows", "tuners"), ("rows", "tuners"), ("tuners",), (PRINTED, "tuners")

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "lower_mse", "G", "Lower MSE than Bayesian optimisation", "4.3.1", _ALL, _lower_mse, "G-fig16", compares=True,
    ),
    Claim(
        "steadier_mse", "G", "Steadier MSE than Bayesian optimisation", "4.3.1", _ALL, _steadier_mse, "G-fig16",
        compares=True,
    ),
    Claim(
        "better_best", "G", "Better accuracy: the lower best of 20 iterations each", "6", _ALL, _better_best, "G-fig16",
        compares=True,
    ),
    Claim(
        "within_20", "G", "The best within the first 20 iterations", "3.4",
        _TUNERS, _within_20("generator"), "G-fig09",
    ),
    Claim(
        "iterations", "G", "Bayesian optimisation needs more iterations to reach the generator's best", "4.2.2, 4.3.1",
        _TABLES, _iterations_to_reach, "G-fig15",
    ),
    Claim("total_time", "G", "Bayesian optimisation takes longer in all", "4.3.2", _ALL, _total_time, "G-fig17"),
    Claim(
        "iteration_time", "G", "Bayesian optimisation takes longer an iteration", "4.3.2",
        _ALL, _iteration_time, "G-fig17",
    ),
    Claim(
        "rising_time", "G", "Bayesian optimisation takes longer the more iterations it has done", "4.3.2",
        _ALL, _rising_time, "G-fig17",
    ),
    Claim("r2", "G", "R² of 0.8 to 1 for the generator, down to -0.4 for Bayesian", "4.3.3.1", _OURS, _r2, "G-fig18"),
    Claim(
        "rmse", "G", "RMSE under 0.10 for the generator, often 0.15 to 0.20 for Bayesian", "4.3.3.2", _ALL,
        _ranges("rmse", (-math.inf, 0.10), (0.15, 0.20), 1 / 3), "G-fig19",
    ),
    Claim(
        "mae", "G", "MAE under 0.06 for the generator, mostly 0.08 to 0.14 for Bayesian", "4.3.3.3", _OURS,
        _ranges("mae", (-math.inf, 0.06), (0.08, 0.14), 0.5), "G-fig20",
    ),
    Claim(
        "residuals", "G", "Residuals mostly within 50 points, slight right skew", "4.1.4", _OURS, _residuals, "G-fig14",
    ),
    Claim("direction", "G", "Its forecasts predict the price's direction", "4.1.3", _OURS, _direction, "G-fig13"),
    Claim("cycles", "G", "The search goes in cycles", "3.4, 4.1.1", _TABLES, _cyclic("generator"), "G-fig11"),
    Claim(
        "low_and_steady", "G", "Low and steady hyperparameters, where Bayesian fluctuates", "4.3.4, table 7", _TABLES,
        _low_and_steady, "G-fig21",
    ),
    Claim(
        "beats_random", "G", "Gradient-based tuning searches large spaces more effectively (than random search does)",
        "1", _TUNERS, _beats_random("generator"), "R-tab04",
    ),
    Claim(
        "feedback", "G", "The feedback of the MSE is what finds the good ones", "abstract, 3.3",
        _TUNERS, _feedback, "R-fig03",
    ),
    Claim(
        "gan_within_20", "A", "The best within the first 20 iterations", "3.7",
        _TUNERS, _within_20("gan"), "A-fig06",
    ),
    Claim("gan_cycles", "A", "The search goes in cycles", "3.7", _TABLES, _cyclic("gan"), "A-fig07"),
    Claim("gan_r2", "A", "R² negative at first, near 1 later", "4.1.4", _OURS, _gan_r2, "A-fig11"),
    Claim(
        "memory", "A", "Steady use of memory (nearly all of it libraries)", "4.2.2", _TUNERS, _steady_memory, "A-fig13",
    ),
    Claim("lag", "A", "The forecast lags behind the close", "4.3.1", _OURS, _lag, "R-fig06"),
    Claim("smooth", "A", "The forecast is smoother than the close", "4.3.1", _OURS, _smooth, "A-fig15"),
    Claim(
        "towards_mean", "A", "The forecast is drawn towards the mean", "4.3.1", _OURS, _towards_mean, "A-fig15",
    ),
    Claim(
        "underestimates", "A", "The forecast is systematically too low", "4.3.2", _OURS, _underestimates, "A-fig16",
    ),
    Claim(
        "gan_beats_random", "A", "The GAN is more efficient than random search, trial for trial", "3.4.3",
        _TUNERS, _beats_random("gan"), "R-tab04",
    ),
)  # fmt: skip


def bases(claim: Claim, protocols: Sequence[str]) -> list[str]:
    """The bases on which a claim is judged."""
    found = [PRINTED] if PRINTED in claim.kinds else []
    return found + [f"{kind}:{p}" for kind in ("rows", "tuners") if kind in claim.kinds for p in protocols]


def verdicts(
    evidence: Evidence, *, protocols: Sequence[str] = ("described", "published"), claims: Sequence[Claim] = CLAIMS
) -> dict[str, dict[str, Judgement]]:
    """Every claim on every basis: claim's key -> basis -> judgement."""
    found: dict[str, dict[str, Judgement]] = {}
    for claim in claims:
        found[claim.key] = {}
        for basis in bases(claim, protocols):
            try:
                judgement = _judge(claim, evidence, basis)
            except Missing as missing:
                judgement = Judgement(UNJUDGED, reason=str(missing))
            found[claim.key][basis] = judgement
    return found


def _judge(claim: Claim, evidence: Evidence, basis: str) -> Judgement:
    kind, _, protocol = basis.partition(":")
    fitting = judge(claim.parts(evidence, basis))
    if not claim.compares or kind != "rows" or not unlike_rates(evidence, protocol):
        return fitting
    alike: dict[str, str] = {}
    for factor, words in RATES.items():
        try:
            alike[words] = judge(claim.parts(replace(evidence, factor=factor), basis)).verdict
        except Missing:
            alike[words] = "not trained"
    if set(alike.values()) == {fitting.verdict}:
        return fitting
    said = ", ".join(f"{words} {verdict}" for words, verdict in alike.items())
    return Judgement(UNJUDGED, fitting.parts, f"table 8's rates are not table 9's, and with equal ones: {said}")


def unlike_rates(evidence: Evidence, protocol: str) -> bool:
    """Whether rows of table 8 and of table 9 are judged under different factors of their learning rates."""
    return len(set(evidence.tenfold([protocol], ("generator", "bayesian")).get(protocol, {}).values())) > 1
