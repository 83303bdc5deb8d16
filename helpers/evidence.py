"""What the papers' claims are judged by: the printed tables, their rows trained again, and our runs of the tuners."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from helpers import benchmark, forecast_shape, published, replication, study, table_agreement
from helpers.intervals import Estimate
from helpers.replication import BEST_ROWS
from helpers.windows import Dataset

PRINTED = "printed"  # the basis of the paper's own table
SHORT_RUN = 20  # iterations after which both papers stop


class Missing(Exception):
    """The records that a claim needs are not there; the message says which."""


@dataclass
class Evidence:
    """What there is to judge by.

    Attributes
    ----------
    replayed : pandas.DataFrame
        From `replication.replay` or `records`.
    runs : mapping of (tuner, protocol) to list of pandas.DataFrame
        Records of our runs of the tuners, one table a seed. Tuners: generator, zero, gan, bayesian, bayesian_warped,
        random_generator, random_gan.
    forecasts : mapping of (tuner, protocol) to dict of str to Estimate
        From `forecast_shape.forecast_estimates`, of each tuner's best LSTM.
    absent : mapping of (tuner, protocol) to str
        Why there are none.
    factor : float, optional
        Readings with this factor of the printed learning rates alone.
    """

    replayed: pd.DataFrame
    runs: Mapping[tuple[str, str], list[pd.DataFrame]] = field(default_factory=dict)
    forecasts: Mapping[tuple[str, str], Mapping[str, Estimate]] = field(default_factory=dict)
    absent: Mapping[tuple[str, str], str] = field(default_factory=dict)
    factor: float | None = None

    def reading(self, table: str, protocol: str) -> str:
        """The better of a protocol's two readings for a table: the one whose MSEs are nearer to the paper's.

        Raises
        ------
        Missing
            If neither was trained.
        """
        names = [
            name
            for name, r in replication.READINGS.items()
            if r.protocol == protocol and self.factor in (None, r.factor)
        ]
        found = {name: table_agreement.mean_distance(self.replayed, table, name) for name in names}
        found = {name: distance for name, distance in found.items() if math.isfinite(distance)}
        if not found:
            raise Missing(f"the rows were not trained under {protocol}")
        return min(found, key=found.__getitem__)

    def tenfold(self, protocols: Sequence[str], tables: Sequence[str]) -> dict[str, dict[str, bool]]:
        """Protocol -> table -> whether its rows are judged under tenfold learning rates; without what is missing."""
        found: dict[str, dict[str, bool]] = {}
        for protocol in protocols:
            for one in tables:
                with contextlib.suppress(Missing):
                    factor = replication.READINGS[self.reading(one, protocol)].factor
                    found.setdefault(protocol, {})[one] = factor != 1.0
        return found

    def rows(self, table: str, protocol: str, *, row: int | None = None) -> pd.DataFrame:
        """A table's rows trained again, medians over the seeds, indexed like records; or all seeds of one row."""
        name = self.reading(table, protocol)
        mine = self.replayed[(self.replayed["table"] == table) & (self.replayed["reading"] == name)]
        mine = mine[mine["status"] == "ok"]
        if row is not None:
            if not (mine["row"] == row).any():
                raise Missing(f"row {row} was not trained under {protocol}")
            return mine[mine["row"] == row]
        number = mine.select_dtypes("number").drop(columns=["seed"])
        return number.groupby("row").median().rename_axis("iteration").reset_index()

    def by_seed(self, table: str, protocol: str) -> list[pd.DataFrame]:
        """A table's rows trained again, one table a seed; empty if they were not trained under the protocol."""
        mine = self.replayed[self.replayed["table"] == table]
        mine = mine[(mine["reading"] == self.reading(table, protocol)) & (mine["status"] == "ok")]
        return [part.rename(columns={"row": "iteration"}) for _, part in mine.groupby("seed")]

    def tables(self, tuner: str, basis: str) -> list[pd.DataFrame]:
        """Records of a tuner on a basis: one table, or one a seed.

        Raises
        ------
        Missing
        """
        if basis == PRINTED:
            return [published.records(tuner)]
        kind, protocol = basis.split(":")
        if kind == "rows":
            return [self.rows(tuner, protocol)]
        found = self.runs.get((tuner, protocol), [])
        if not found:
            raise Missing(self.absent.get((tuner, protocol), f"no runs of {tuner} under {protocol}"))
        return found

    def short(self, tuner: str, basis: str) -> list[pd.DataFrame]:
        """The same, the first 20 iterations of each (all of a Bayesian search)."""
        found = self.tables(tuner, basis)
        return found if tuner.startswith("bayesian") else [t.head(SHORT_RUN) for t in found]

    def forecast(self, tuner: str, basis: str) -> Mapping[str, Estimate]:
        """Numbers of the best LSTM's forecast: of our best, or the mean over the seeds of the published best row.

        The interval of that mean adds the seeds' (Student's t) and the test days', whose luck all seeds share, as
        independent parts.

        Raises
        ------
        Missing
        """
        if basis == PRINTED:
            raise Missing("not in the paper's tables")
        kind, protocol = basis.split(":")
        if kind == "tuners":
            if (tuner, protocol) not in self.forecasts:
                raise Missing(self.absent.get((tuner, protocol), f"no forecasts of {tuner} under {protocol}"))
            return self.forecasts[(tuner, protocol)]
        row = self.rows(tuner, protocol, row=BEST_ROWS[tuner]).copy()
        row["lag_1_less_0"] = row["lag_1"] - row["lag_0"]
        recorded = row["block_sd"] if "block_sd" in row else []
        days = pd.DataFrame([found for found in recorded if isinstance(found, Mapping)])
        found = {name: _over_seeds_and_days(row[name], days.get(name, [])) for name in forecast_shape.RESAMPLED}
        return found | {name: _within(found[name], 0.0, 1.0) for name in forecast_shape.SHARES}


def _within(e: Estimate, low: float, high: float) -> Estimate:
    """The same with its interval cut to what is possible: a symmetric one knows no ends."""
    return Estimate(e.value, *(float(np.clip(end, low, high)) for end in (e.low, e.high)), e.n)


def _over_seeds_and_days(values: pd.Series, block_sd: ArrayLike) -> Estimate:
    x, sd = values.dropna().to_numpy(dtype=float), np.asarray(block_sd, dtype=float)
    if len(x) < 2 or not np.isfinite(sd).any():
        return Estimate(float(x.mean()) if len(x) else math.nan, math.nan, math.nan, len(x))
    seeds = stats.t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / math.sqrt(len(x))
    days = stats.norm.ppf(0.975) * math.sqrt(np.nanmean(sd**2))
    half = math.hypot(seeds, days)
    return Estimate(float(x.mean()), float(x.mean() - half), float(x.mean() + half), len(x))


def gather(
    folder: str | Path,
    replayed: pd.DataFrame,
    datasets: Mapping[str, Dataset],
    *,
    forecasts: bool = True,
    tabular: Path = benchmark.FOLDER,
) -> Evidence:
    """The records in a folder: studies of notebooks 02 to 04 and the seeds of 06, of the same data alone.

    Random configurations are also those of the tabular benchmark, where it was made on the same data.

    Parameters
    ----------
    folder : path
    replayed : pandas.DataFrame
    datasets : mapping of str to Dataset
        By protocol.
    forecasts : bool
        Whether to read the forecasts of the tuners' best LSTMs.
    tabular : pathlib.Path
        Folder of the benchmark.
    """
    runs: dict[tuple[str, str], list[pd.DataFrame]] = {}
    found_forecasts, absent = {}, {}
    for protocol, dataset in datasets.items():
        for tuner, patterns in _STUDIES.items():
            names = [p.format(protocol=protocol) for p in patterns]
            loaded: dict[Any, pd.DataFrame] = {}
            for name in dict.fromkeys(n for pattern in names for n in _matching(folder, pattern)):
                try:
                    one = study.load(name, folder)
                except study.StudyError as error:
                    absent[(tuner, protocol)] = str(error)
                    continue
                identity = one.user_attrs.get("identity", {})
                said = identity.get("protocol") or {"name": ""}
                same = all(getattr(dataset.protocol, key, None) == value for key, value in said.items())
                if identity.get("data") != dataset.data_sha256 or not same:
                    absent[(tuner, protocol)] = f"the records of {name} are of other data"
                    continue
                table = _processor_seconds(study.records(one), one.user_attrs)
                key = (identity.get("sampler"), identity.get("seed"))  # notebook 02's study is one of the seeds
                if len(table) > len(loaded.get(key, ())):
                    loaded[key] = table
                if forecasts and name == names[0] and tuner in BEST_ROWS:
                    within = None if tuner == "bayesian" else SHORT_RUN
                    try:
                        winner = study.winner(one, dataset, folder=folder, within=within, train=False)
                        estimates = forecast_shape.forecast_estimates(dataset, winner.predictions)
                        found_forecasts[(tuner, protocol)] = estimates
                    except study.StudyError as error:
                        absent.setdefault((tuner, protocol), str(error))
            if tuner.startswith("random_"):
                loaded |= _drawn(tuner.removeprefix("random_"), protocol, dataset, tabular)
            if loaded:
                runs[(tuner, protocol)] = list(loaded.values())
            else:
                absent.setdefault((tuner, protocol), f"no study {names[0]} is recorded")
    return Evidence(replayed, runs, found_forecasts, absent)


# Names of studies: those of notebooks 02 to 04 first, then notebook 06's seeds.
_STUDIES: Mapping[str, tuple[str, ...]] = {
    "generator": ("generator_{protocol}", "generator-paper-{protocol}-s*"),
    "zero": ("generator-zero-{protocol}-s*",),
    "gan": ("gan_{protocol}", "gan-{protocol}-s*"),
    "bayesian": ("bayesian_{protocol}", "bayesian-{protocol}-s*"),
    "bayesian_warped": ("bayesian_warped_{protocol}",),
    "random_generator": ("random-generator-{protocol}",),
    "random_gan": ("random-gan-{protocol}",),
}


def _processor_seconds(table: pd.DataFrame, attrs: Mapping[str, Any]) -> pd.DataFrame:
    """Records whose `seconds` are those of the processor: searches shared their machine, and waiting is no cost."""
    cores = attrs.get("stamp", {}).get("machine", {}).get("cores")
    if not cores:
        return table
    used = table["cpu_percent"] / 100.0 * cores * table["seconds"]
    return table.assign(seconds=used.fillna(table["seconds"]))


def _drawn(space: str, protocol: str, dataset: Dataset, folder: Path) -> dict[str, pd.DataFrame]:
    """The benchmark's configurations of a space, each trained once; none if it was made on other data."""
    try:
        table = benchmark.table(space, protocol, folder=folder)
    except benchmark.BenchmarkError:
        return {}
    once = table[(table["repeat"] == 0) & (table["data_sha256"] == dataset.data_sha256)]
    return {"benchmark": once} if len(once) else {}


def _matching(folder: str | Path, pattern: str) -> list[str]:
    return sorted(path.stem for path in Path(folder).glob(f"{pattern}.journal"))
