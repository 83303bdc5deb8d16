"""What is left of a forecast after honest evaluation: leaks on and off, walk-forward, controls, the days after.

Every experiment is a list of trainings (`ledger.Training`) and a table made from their outcomes. Errors are compared as
ratios to those of yesterday's close on the same days, in returns (`forecasts.Measures.ratio`): below 1 is better.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import FloatDistribution, IntDistribution

from helpers import ledger, published, study
from helpers.ledger import Outcome, Training
from helpers.lstm import EPOCHS
from helpers.prices import Prices, closes_sha256
from helpers.progress import Bar
from helpers.samplers import BayesianSampler
from helpers.space import HYPERPARAMETERS, LstmConfig, SearchSpace, UnitCube, config_from_params
from helpers.trial import Workers
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
    workers: Workers | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.workers is None:
            object.__setattr__(self, "workers", Workers(self.jobs))

    def complete(self, name: str, trainings: Sequence[Training], series: Series) -> list[Outcome]:
        """`ledger.complete` into `validity_<name>.jsonl`."""
        return ledger.complete(
            self.folder / f"validity_{name}.jsonl",
            trainings,
            series,
            epochs=self.epochs,
            engine=self.engine,
            jobs=self.jobs,
            train=self.train,
            evaluator=self.workers,
        )

    def close(self) -> None:
        """End the workers; a later training starts them again."""
        self.workers.close()

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
