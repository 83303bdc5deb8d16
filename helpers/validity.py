"""What is left of a forecast after honest evaluation: leaks on and off, walk-forward, controls, the days after.

Every experiment is a list of trainings (`ledger.Training`) and a table made from their outcomes. Errors are compared as
ratios to those of yesterday's close on the same days, in returns (`forecasts.Measures.ratio`): below 1 is better.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import FloatDistribution, IntDistribution

from helpers import forecasts, ledger, paths, published, study, tables
from helpers.figures import number
from helpers.ledger import Outcome, Training
from helpers.lstm import EPOCHS
from helpers.prices import MIN_ROWS, Prices, closes_sha256
from helpers.progress import Bar
from helpers.samplers import BayesianSampler
from helpers.space import HYPERPARAMETERS, LstmConfig, SearchSpace, UnitCube, config_from_params
from helpers.trial import Evaluator
from helpers.windows import Dataset, Protocol, protocol

# Up to two layers of up to sixteen units over up to three months: what 20 trials can look at in minutes on a
# laptop. Both papers' spaces contain longer windows and more layers; their best rows are candidates beside it.
SPACE: SearchSpace = {
    "layers": IntDistribution(1, 2),
    "units": IntDistribution(2, 16),
    "log10_learning_rate": IntDistribution(-4, -1),
    "log2_batch_size": IntDistribution(5, 10),
    "sequence_length": IntDistribution(1, 60),
    "dropout_rate": FloatDistribution(0.1, 0.5, step=0.1),
}
TARGETS = ("level", "change")
TARGET_NAMES: Mapping[str, str] = {"level": "LSTM, level", "change": "LSTM, change"}
BASELINES = ("yesterday's close", "drift", "ARIMA")
SIGNIFICANT = 0.05


class ValidityError(ValueError):
    """An experiment that cannot be made as asked; the message is one sentence for the reader."""


# Series.


def random_walk(*, days: int = 6000, end: str = "2024-12-31", seed: int = 0) -> Prices:
    """The negative control: a geometric random walk over weekdays, independent daily steps of 1 %.

    Nothing but its drift can be forecast, and that is too small to show.
    """
    steps = np.random.default_rng([seed, 1]).normal(0.0003, 0.01, days)
    return _synthetic("random walk", 100 * np.exp(np.cumsum(steps)), end)


# The positive control: a season of 20 days and a pull towards the mean.
SEASON, AMPLITUDE, PULL, NOISE = 20, 0.04, 0.9, 0.01


def predictable(*, days: int = 6000, end: str = "2024-12-31", seed: int = 0) -> Prices:
    """The positive control: 1000 exp(s + x) with s a sine of 20 days and x = 0.9 x(before) + noise of 1 %.

    More than half of the variance of its daily changes can be forecast; `attainable` says how much on given days.
    """
    return _synthetic("predictable series", 1000 * np.exp(sum(_parts_of(days, seed))), end)


def attainable(close: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """The best possible forecasts of `predictable` series: what knows its law and the closes before, index points."""
    season = AMPLITUDE * np.sin(2 * np.pi * np.arange(len(close)) / SEASON)
    x = np.log(np.asarray(close) / 1000) - season
    return 1000 * np.exp(season[positions] + PULL * x[positions - 1])


def _parts_of(days: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    noise, x = np.random.default_rng([seed, 2]).normal(0, NOISE, days), np.zeros(days)
    for t in range(1, days):
        x[t] = PULL * x[t - 1] + noise[t]
    return AMPLITUDE * np.sin(2 * np.pi * np.arange(days) / SEASON), x


def _synthetic(name: str, values: np.ndarray, end: str) -> Prices:
    index = pd.bdate_range(end=end, periods=len(values), name="Date")
    # Processors differ in the last bit of an exponential; rounded, they make the same series, whose records fit.
    close = pd.Series(np.round(values, 4), index=index, name="Close", dtype=np.float64)
    return Prices(name, close, "file", closes_sha256(close), f"{name}, {len(close):,} synthetic closes")


class Series:
    """Several series by name; makes and keeps their datasets.

    Parameters
    ----------
    prices : mapping of str to Prices
    max_sequence_length : int
        As for `Dataset`; the papers' 250.
    """

    def __init__(self, prices: Mapping[str, Prices], *, max_sequence_length: int = 250) -> None:
        self.prices = dict(prices)
        self._longest = max_sequence_length
        self._made: dict[tuple[str, Protocol], Dataset] = {}

    def __call__(self, name: str, protocol: Protocol) -> Dataset:
        """The dataset of a series under a protocol.

        Raises
        ------
        ValidityError
            For an unknown series.
        """
        if name not in self.prices:
            raise ValidityError(f"Unknown series {name!r}; valid series are {', '.join(self.prices)}.")
        if (name, protocol) not in self._made:
            self._made[name, protocol] = Dataset(self.prices[name], protocol, max_sequence_length=self._longest)
        return self._made[name, protocol]


@dataclass(frozen=True)
class Budget:
    """Where an experiment records and how much it may do; the same for all parts of a run.

    Attributes
    ----------
    folder : pathlib.Path
        Where studies and ledgers lie.
    epochs, seeds, trials, jobs : int
        Passes over the training windows; seeds of every scored configuration; trials of a study; processes at a time.
    seed : int
        The first seed.
    train : bool
        False reads only.
    """

    folder: Path
    epochs: int = EPOCHS
    seeds: int = 5
    trials: int = 20
    jobs: int = 2
    seed: int = 0
    train: bool = True
    engine: str = "fast"
    workers: tuple[Evaluator, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.workers:  # warm for all parts of a run: a worker takes longer to start than most trainings take
            object.__setattr__(self, "workers", tuple(Evaluator() for _ in range(self.jobs)))

    def complete(self, name: str, trainings: Sequence[Training], series: Series) -> list[Outcome]:
        """`ledger.complete` into `validity_<name>.jsonl`."""
        workers = iter(self.workers)
        return ledger.complete(
            self.folder / f"validity_{name}.jsonl",
            trainings,
            series,
            epochs=self.epochs,
            engine=self.engine,
            jobs=self.jobs,
            train=self.train,
            evaluator=lambda: contextlib.nullcontext(next(workers)),
        )

    def close(self) -> None:
        """End the workers; a later training starts them again."""
        for worker in self.workers:
            worker.close()

    @property
    def all_seeds(self) -> range:
        return range(self.seed, self.seed + self.seeds)


# Configurations.


def published_best() -> dict[str, LstmConfig]:
    """The configuration of the least published MSE of each table, by name."""
    names = {"generator": "paper's generator", "bayesian": "paper's Bayesian", "gan": "paper's GAN"}
    found = {}
    for which, name in names.items():
        row = published.runs(which).loc[lambda r: r["mse"].idxmin()]
        found[name] = _config(row)
    return found


def winners(folder: str | Path, protocol_name: str, *, within: int = 20) -> dict[str, LstmConfig]:
    """The best configurations of notebooks 02 to 04 under a protocol, by name; those whose records are there.

    `within`: iterations of the generator and the GAN that count, the papers' 20.
    """
    names = {"generator": "our generator", "bayesian": "our Bayesian", "gan": "our GAN"}
    found = {}
    for tuner, name in names.items():
        journal = f"{tuner}_{protocol_name}"
        if study.journal_path(journal, folder).is_file():
            found[name] = _config(
                study.best(study.load(journal, folder), within=None if tuner == "bayesian" else within)
            )
    return found


def _config(row: pd.Series) -> LstmConfig:
    whole = {h: int(row[h]) for h in HYPERPARAMETERS if h not in ("learning_rate", "dropout_rate")}
    return LstmConfig(**whole, learning_rate=float(row["learning_rate"]), dropout_rate=float(row["dropout_rate"]))


def random_configs(count: int, *, seed: int) -> list[LstmConfig]:
    """`count` configurations drawn evenly from `SPACE`."""
    cube, rng = UnitCube(SPACE), np.random.default_rng([seed, 3])
    return [config_from_params(cube.decode(rng.random(len(cube)))) for _ in range(count)]


def study_name(series: str, target: str, prefix: str = "validity") -> str:
    """Name of the study that tunes a series."""
    return f"{prefix}_{re.sub(r'[^A-Za-z0-9]+', '-', series).strip('-').lower()}_{target}"


def tune(names: Mapping[str, tuple[str, Protocol]], series: Series, budget: Budget) -> dict[str, LstmConfig]:
    """The best configuration of each study, by the study's name; Bayesian optimisation over the warped cube of `SPACE`.

    Parameters
    ----------
    names : mapping of str to (str, Protocol)
        Study -> series and protocol, which must tune on a validation part.

    Raises
    ------
    ValidityError
        For a protocol that tunes on the test part.
    study.StudyError
        Records made otherwise, or missing with `budget.train` False.
    """
    for name, (_, p) in names.items():
        if p.tune_on != "validation":
            raise ValidityError(f"{name}: the test part is read once, so tuning needs a validation part.")
    datasets = {name: series(*where) for name, where in names.items()}

    def one(evaluator: Any, name: str) -> LstmConfig:
        run = study.run(
            name,
            BayesianSampler(seed=budget.seed, space=SPACE, ranges="warped"),
            SPACE,
            datasets[name],
            trials=budget.trials,
            seed=budget.seed,
            folder=budget.folder,
            epochs=budget.epochs,
            engine=budget.engine,
            evaluator=evaluator,
            progress=False,
            train=budget.train,
        )
        return _config(study.best(run))

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found: dict[str, LstmConfig] = {}
    with (
        contextlib.closing(study.side_by_side(one, list(names), budget.workers)) as configs,
        Bar(len(names), "tuning", unit="study", shown=budget.train) as bar,
    ):
        for name, config in zip(names, configs, strict=True):
            found[name] = config
            bar.update()
    return found


# Scores.


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


# Leaks.

LEAKS = ("scaling", "split", "selection")
LEAK_NAMES: Mapping[str, str] = {
    "scaling": "scaled on the whole series",
    "split": "shuffled split",
    "selection": "tuned on the test part",
    "best": "and the best seed by test error",
}


def leak_trainings(series: str, configs: Sequence[LstmConfig], *, as_of: str, seeds: Sequence[int]) -> list[Training]:
    """Every configuration and seed, under both scalings and both splits, on the validation and on the test part."""
    found = []
    for scale_on, split, stage in product(("train", "all"), ("chronological", "shuffled"), ("tune", "final")):
        p = protocol("clean", scale_on=scale_on, split=split, as_of=as_of)
        found += [Training(series, p, config, s, stage) for config in configs for s in seeds]
    return found


def switchboard(outcomes: Sequence[Outcome], series: Series) -> pd.DataFrame:
    """What each leak buys: the error that would be reported with each combination of leaks.

    For each seed a configuration is chosen, by its error on the validation part or (leak `selection`) by that on the
    test part, and its error on the test part is reported. `best`: the least test error over all configurations and
    seeds, which is what a table of the best of many runs shows.

    Returns
    -------
    pandas.DataFrame
        One row a combination and seed: `scaling`, `split`, `selection`, `best` (bool), `seed`, `mse` (squared index
        points over the squared range of the whole series: the papers' units, whatever was scaled on), `naive_mse` and
        `ratio`, their quotient, on the same days.
    """
    frame = pd.DataFrame(
        [
            {
                "scaling": o.training.protocol.scale_on == "all",
                "split": o.training.protocol.split == "shuffled",
                "stage": o.training.stage,
                "config": str(o.training.config),
                "seed": o.training.seed,
                "mse_points": o.metrics["mse_points"] if o.ok else math.inf,
            }
            for o in outcomes
        ]
    )
    rows = []
    for (scaling, split), group in frame.groupby(["scaling", "split"]):
        one = next(
            o.training
            for o in outcomes
            if (o.training.protocol.scale_on == "all", o.training.protocol.split == "shuffled") == (scaling, split)
        )
        dataset = series(one.series, one.protocol)
        units = float(dataset.close.max() - dataset.close.min()) ** 2
        naive = dataset.naive_metrics("final")["mse_points"]
        tune, final = (
            group[group["stage"] == s].pivot(index="config", columns="seed", values="mse_points")
            for s in ("tune", "final")
        )
        for s in final.columns:
            for selection in (False, True):
                chosen = (final if selection else tune)[s].idxmin()
                rows.append((scaling, split, selection, False, s, final.loc[chosen, s] / units, naive / units))
        rows.append((scaling, split, True, True, -1, float(final.min().min()) / units, naive / units))
    found = pd.DataFrame(rows, columns=[*LEAKS, "best", "seed", "mse", "naive_mse"])
    return found.assign(ratio=found["mse"] / found["naive_mse"])


# One after the other, then together as in the protocols `described` and `published`, as the figure shows them.
BOARD: tuple[tuple[str, tuple[bool, bool, bool, bool]], ...] = (
    ("none", (False, False, False, False)),
    ("scaled on the whole series", (True, False, False, False)),
    ("tuned on the test part", (False, False, True, False)),
    ("shuffled split", (False, True, False, False)),
    ("scaling and tuning (described)", (True, False, True, False)),
    ("all three (published)", (True, True, True, False)),
    ("all three, best of all runs", (True, True, True, True)),
)


def board(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of `BOARD`: median, least and largest over the seeds.

    `buys` says how many times less the median `ratio` is than with no leak. It compares ratios to yesterday's close,
    because a shuffled split also tests on other days, which are easier for any forecast.
    """
    rows = []
    for name, switches in BOARD:
        mine = frame[(frame[[*LEAKS, "best"]] == list(switches)).all(axis=1)]
        rows.append(
            {
                "leaks": name,
                "mse": mine["mse"].median(),
                "least": mine["mse"].min(),
                "largest": mine["mse"].max(),
                "naive_mse": mine["naive_mse"].iloc[0],
                "ratio": mine["ratio"].median(),
            }
        )
    found = pd.DataFrame(rows)
    return found.assign(buys=found["ratio"].iloc[0] / found["ratio"])


# Walk-forward.


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


# Several series, and the days after all that was chosen.


def series_protocol(target: str, *, as_of: str) -> Protocol:
    """`clean` with the given target."""
    return protocol("clean", target=target, as_of=as_of)


def after_protocol(target: str, prices: Prices, *, as_of: str, until: str = "") -> Protocol:
    """Train on every close up to `as_of`, test on every later one (up to `until`, if given): read once, tuned on never.

    Raises
    ------
    ValidityError
        If the series has fewer than 10 closes after `as_of`.
    """
    later = prices.close[prices.close.index > pd.Timestamp(as_of)]
    later = later[: pd.Timestamp(until)] if until else later
    if len(later) < 10:
        raise ValidityError(f"{prices.symbol} has {len(later)} closes after {as_of}; at least 10 are needed.")
    first = (pd.Timestamp(as_of) + pd.Timedelta(days=1)).date().isoformat()
    last = later.index[-1].date().isoformat()
    return protocol("clean", name=f"after_{target}", target=target, as_of=last, test_from=first)


def recorded_until(folder: str | Path, series: str) -> str:
    """The last day of a series' recorded later days, "" if none are recorded.

    Who draws from records may have closes of more days than those that were scored.
    """
    path = Path(folder) / "validity_after.jsonl"
    keys = [json.loads(record["key"]) for record in ledger.read(path)] if path.is_file() else []
    return max((protocol["as_of"] for name, protocol, *_ in keys if name == series), default="")


def series_table(leagues: Mapping[str, tuple[Days, pd.DataFrame, float]], period: str) -> pd.DataFrame:
    """The verdict's rows: one a series.

    Returns
    -------
    pandas.DataFrame
        `series`, `period`, `first`, `last`, `days`; for each of drift, ARIMA and the two networks `<key>_ratio`,
        `<key>_p` (Diebold-Mariano), `<key>_pt_p` (Pesaran-Timmermann), of the networks also `<key>_least` and
        `<key>_largest`, the ratios of single seeds; `spa_p`, the p-value of "none of them beats yesterday's close".
    """
    keys = {"drift": "drift", "ARIMA": "arima", TARGET_NAMES["level"]: "level", TARGET_NAMES["change"]: "change"}
    rows = []
    for name, (d, frame, p) in leagues.items():
        row: dict[str, Any] = {
            "series": name,
            "period": period,
            "first": f"{d.dates[0]:%Y-%m-%d}",
            "last": f"{d.dates[-1]:%Y-%m-%d}",
            "days": len(d.positions),
        }
        by_model = frame.set_index("model")
        for model, key in keys.items():
            columns = {"ratio": "ratio", "p": "dm_p", "pt_p": "pt_p"}
            if key in TARGETS:
                columns |= {"least": "least", "largest": "largest"}
            for column, source in columns.items():
                row[f"{key}_{column}"] = by_model.loc[model, source] if model in by_model.index else math.nan
        rows.append(row | {"spa_p": p})
    return pd.DataFrame(rows)


def p_text(p: float) -> str:
    """A p-value as it is read: 0.03, < 0.001."""
    if not math.isfinite(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def p_said(p: float) -> str:
    """The same as part of a sentence: p = 0.03, p < 0.001."""
    return f"p {p_text(p)}" if p < 0.001 else f"p = {p_text(p)}"


def _cell(row: Mapping[str, Any], key: str) -> str:
    ratio, p = row[f"{key}_ratio"], row[f"{key}_p"]
    if not math.isfinite(ratio):
        return "–"
    least, largest = (row.get(f"{key}_{end}", math.nan) for end in ("least", "largest"))
    seeds = f"{number(least, 4)} to {number(largest, 4)}; " if least < largest else ""
    return f"{number(ratio, 4)} ({seeds}{verdict(ratio, p)}, {p_said(p)})"


def verdict_table(frame: pd.DataFrame) -> pd.DataFrame:
    """The verdict as it is read: model against yesterday's close with the test's p-value, from `series_table` rows."""
    return pd.DataFrame(
        [
            {
                "Series": row["series"],
                "Days": f"{'–'.join(dict.fromkeys((row['first'][:4], row['last'][:4])))} ({row['days']:,})",
                **{
                    title: _cell(row, key)
                    for key, title in (
                        ("level", "LSTM, level"),
                        ("change", "LSTM, change"),
                        ("drift", "Drift"),
                        ("arima", "ARIMA"),
                    )
                },
                "Any better?": p_text(row["spa_p"]),
            }
            for row in frame.to_dict("records")
        ]
    )


def drift_text(frame: pd.DataFrame) -> str:
    """Where the drift, which needs no network, has a lower error than the network of changes, to four decimals.

    `frame` has rows of `series_table`.
    """
    both = frame.dropna(subset=["drift_ratio", "change_ratio"]).round({"drift_ratio": 4, "change_ratio": 4})
    if both.empty:
        return "No row has both a drift and a network of changes."
    lower = [row for row in both.to_dict("records") if row["drift_ratio"] < row["change_ratio"]]
    where = "; ".join(
        f"{row['series']}, {row['period']}: {row['drift_ratio']:.4f} against {row['change_ratio']:.4f}" for row in lower
    )
    return (
        f"The drift, which needs no network, has the lower error in {len(lower) or 'none'} of the {len(both)} rows"
        + (f" ({where})." if lower else ".")
    )


def verdict_markdown(root: str | Path = "") -> str:
    """The README's table of verdicts, from the committed table V-tab05.

    Raises
    ------
    ValidityError
        If notebook 08 has not been run there.
    """
    path = paths.outputs(root).tables / "V-tab05.csv"
    if not path.is_file():
        raise ValidityError(f"{path.name} is missing; run notebook 08 first.")
    frame = pd.read_csv(path, dtype={"first": str, "last": str})
    text = tables.markdown(verdict_table(frame))
    note = (
        "Squared error of returns over that of yesterday's close: below 1 is better. Of a network the mean over its "
        "seeds, that is, the error to expect of one whose seed nobody has chosen; in brackets the least and the "
        "largest of single seeds, and whether the mean's difference is beyond chance by the Diebold-Mariano test at "
        "5 %. A difference beyond chance can still be worth nothing, so look at the ratio first. *Any better?* is the "
        "p-value of \"no forecast here beats yesterday's close\" (Hansen's test, every forecast's gain over its "
        "standard error). Rows that end after 2024 are later than every close that anything was chosen by."
    )
    return f"{text}\n{note}\n"
