"""The papers' 68 published configurations, trained again under each reading of the text.

A *reading* says how the data are split and whether the learning rates are taken as printed or ten times as high. A
*task* is one published row under one reading with one seed; its result is one line of
`replay_<table>_<reading>.jsonl`, complete in itself. The files are ledgers (`helpers.ledger`): an interrupted replay
goes on with the tasks that are missing, in any order and with any number of workers, and ends with the same results.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers import checks, ledger, published, study, windows
from helpers.forecast_shape import FORECAST, forecast_statistics, resampled_statistics
from helpers.prices import Prices
from helpers.progress import Bar
from helpers.space import GAN_SPACE, GENERATOR_SPACE, HYPERPARAMETERS, LstmConfig, SearchSpace
from helpers.study import trial_seed
from helpers.trial import METRICS, Evaluator, TrialResult
from helpers.windows import Dataset

TABLES = tuple(published.FILES)
TABLE_NAMES: Mapping[str, str] = {
    "generator": "Generator (table 8)",
    "bayesian": "Bayesian (table 9)",
    "gan": "GAN (appendix B)",
}
BEST_ROWS: Mapping[str, int] = {"generator": 18, "bayesian": 28, "gan": 17}  # the papers' best iterations


class ReplayError(ledger.LedgerError):
    """A replay that cannot be read or continued; the message is one sentence for the reader."""


@dataclass(frozen=True)
class Reading:
    """One way to read the papers' text.

    Attributes
    ----------
    name : str
        Also part of the file's name.
    protocol : str
        A key of `windows.PROTOCOLS`.
    factor : float
        What the printed learning rates are multiplied by.
    text : str
        For headings.
    """

    name: str
    protocol: str
    factor: float
    text: str


# A tenfold rate is applied to every row of a table alike, also where 0.1 becomes 1.0, above the range that the papers
# search: a reading is a claim about the whole column. What then diverges is recorded as failed.
READINGS: Mapping[str, Reading] = {
    r.name: r
    for r in (
        Reading("chronological", "described", 1.0, "chronological, rates as printed"),
        Reading("chronological_x10", "described", 10.0, "chronological, rates tenfold"),
        Reading("shuffled", "published", 1.0, "shuffled, rates as printed"),
        Reading("shuffled_x10", "published", 10.0, "shuffled, rates tenfold"),
        Reading("clean", "clean", 1.0, "clean, rates as printed"),
        Reading("clean_x10", "clean", 10.0, "clean, rates tenfold"),
    )
}
FOUR = ("chronological", "chronological_x10", "shuffled", "shuffled_x10")  # the readings that the text leaves open


@dataclass(frozen=True)
class Task:
    """One published row to train again.

    Attributes
    ----------
    table : {"generator", "bayesian", "gan"}
    row : int
        The row's iteration in the paper, from 1.
    seed : int
    reading : Reading
    config : LstmConfig
        With the learning rate of the reading.
    """

    table: str
    row: int
    seed: int
    reading: Reading
    config: LstmConfig

    @property
    def key(self) -> tuple[int, int]:
        """What tells the task apart within its file."""
        return self.row, self.seed


def reading(name: str) -> Reading:
    """The reading of that name.

    Raises
    ------
    ReplayError
        For an unknown one.
    """
    if name not in READINGS:
        raise ReplayError(f"Unknown reading {name!r}; valid readings are {', '.join(READINGS)}.")
    return READINGS[name]


def with_same_rates(name: str, protocol: str) -> str:
    """The name of the reading under `protocol` that takes the learning rates as the reading `name` does."""
    factor = reading(name).factor
    return next(r.name for r in READINGS.values() if r.protocol == protocol and r.factor == factor)


def published_config(table: str, row: int, *, factor: float = 1.0) -> LstmConfig:
    """The configuration of one published row (counted from 1), its learning rate multiplied by `factor`.

    Raises
    ------
    ValueError
        For an unknown table.
    ReplayError
        For a row that the table does not have.
    """
    runs = published.runs(table).set_index("iteration")
    if row not in runs.index:
        raise ReplayError(f"{TABLE_NAMES[table]} has the rows {runs.index.min()} to {runs.index.max()}, not {row}.")
    values = {name: runs.loc[row, name].item() for name in HYPERPARAMETERS}
    values = {k: int(v) if k not in ("learning_rate", "dropout_rate") else v for k, v in values.items()}
    return LstmConfig(**values | {"learning_rate": float(f"{values['learning_rate'] * factor:.12g}")})


def tasks(
    tables: Sequence[str] = TABLES,
    readings: Sequence[str] = FOUR,
    seeds: Sequence[int] = (0,),
    *,
    rows: int | None = None,
) -> list[Task]:
    """Every task, in the order of tables, readings, rows and seeds.

    Parameters
    ----------
    tables, readings : sequence of str
    seeds : sequence of int
    rows : int, optional
        Take only so many rows of each table, those that are cheapest to train.
    """
    made = []
    for table in tables:
        numbers = list(published.runs(table)["iteration"])
        if rows is not None:
            numbers = sorted(sorted(numbers, key=lambda row: seconds_estimate(published_config(table, row)))[:rows])
        for name in readings:
            r = reading(name)
            for row in numbers:
                config = published_config(table, row, factor=r.factor)
                made += [Task(table, int(row), int(seed), r, config) for seed in seeds]
    return made


def seconds_estimate(config: LstmConfig, *, epochs: int = 10, samples: int = 19_500) -> float:
    """What training takes on one core of a present machine, seconds, within a factor of two; only ratios matter.

    A time step of a layer costs its recurrent product and its element-wise part. The constants are least squares by
    eye over eight configurations between 0.03 and 11 s an epoch.
    """
    inputs = [1] + [config.units] * (config.layers - 1)
    step = sum(0.4 + 0.12 * config.units + 0.017 * config.units * (config.units + i) for i in inputs)  # ms
    return epochs * samples / 19_500 * (0.02 + config.sequence_length * step / 1000)


# The replay.


def replay(
    prices: Prices,
    *,
    folder: str | Path,
    tables: Sequence[str] = TABLES,
    readings: Sequence[str] = FOUR,
    seeds: Sequence[int] = (0,),
    rows: int | None = None,
    as_of: str = "2024-12-31",
    epochs: int = 10,
    engine: str = "fast",
    jobs: int = 2,
    time_limit: float | None = None,
    train: bool = True,
    progress: bool = True,
    evaluator: Callable[[], Any] = Evaluator,
) -> pd.DataFrame:
    """Train the published configurations again, or go on with it; what is recorded already is not trained again.

    Parameters
    ----------
    prices : Prices
    folder : path
        Where the records lie; made if missing.
    tables, readings, seeds, rows
        See `tasks`. A task is trained with `study.trial_seed(seed, row - 1)`, as the row's iteration in a study is.
    as_of : str
        Last day, YYYY-MM-DD.
    epochs, engine, time_limit
        See `trial.evaluate`. A trial above the limit is recorded as failed.
    jobs : int
        Workers at the same time, one core each. Results do not depend on it.
    train : bool
        False reads only: an error if tasks are missing.
    progress : bool
        Whether to show a bar with the estimated time left; the longest tasks come first.
    evaluator : callable
        Makes a worker: a context manager with `trial.Evaluator.evaluate`.

    Returns
    -------
    pandas.DataFrame
        See `records`; exactly the tasks asked for.

    Raises
    ------
    ReplayError
        Records of other data, another protocol, configuration or budget; missing tasks with `train=False`.
    ledger.LedgerError
        A damaged file; a file that another process writes, or that cannot be written.
    """
    jobs = checks.whole("jobs", jobs, error=ReplayError)
    wanted = tasks(tables, readings, seeds, rows=rows)
    protocols = {task.reading.protocol for task in wanted}
    datasets = {name: Dataset(prices, windows.protocol(name, as_of=as_of)) for name in protocols}
    folder = Path(folder)
    known = _known(wanted, datasets, folder, epochs=epochs, engine=engine)
    missing = [task for task in wanted if (task.table, task.reading.name, *task.key) not in known]
    if missing and not train:
        raise ReplayError(
            f"{len(missing)} of {len(wanted)} tasks of the replay are not recorded in {folder.name}/; train them first."
        )
    if missing:
        with contextlib.ExitStack() as stack:
            names = sorted({file_name(task.table, task.reading.name) for task in missing})
            append = {name: stack.enter_context(ledger.appending(folder / name)) for name in names}
            # Another process may have finished some between the reading above and the lock.
            known = _known(wanted, datasets, folder, epochs=epochs, engine=engine)
            missing = [task for task in missing if (task.table, task.reading.name, *task.key) not in known]
            cost = {id(task): seconds_estimate(task.config, epochs=epochs) for task in missing}
            missing.sort(key=lambda task: -cost[id(task)])

            def evaluate(worker: Any, task: Task) -> TrialResult:
                return worker.evaluate(
                    task.config,
                    datasets[task.reading.protocol],
                    epochs=epochs,
                    seed=trial_seed(task.seed, task.row - 1),
                    engine=engine,
                    time_limit=time_limit,
                    keep_predictions=True,
                )

            bar = stack.enter_context(Bar(len(missing), "replay", work=sum(cost.values()), shown=progress))
            done = contextlib.closing(ledger.train_all(missing, evaluate, evaluator=evaluator, jobs=jobs))
            best, failed = math.inf, 0
            for task, result in stack.enter_context(done):
                dataset = datasets[task.reading.protocol]
                record = _record(task, result, dataset, epochs=epochs, engine=engine)
                append[file_name(task.table, task.reading.name)](record)
                best, failed = min(best, result.mse if result.ok else math.inf), failed + (not result.ok)
                bar.update(best=best, failed=failed, work=cost[id(task)])
        known = _known(wanted, datasets, folder, epochs=epochs, engine=engine)
    return _frame([known[(task.table, task.reading.name, *task.key)] for task in wanted])


def file_name(table: str, reading_name: str) -> str:
    """Name of the file that holds one table under one reading."""
    return f"replay_{table}_{reading_name}.jsonl"


def records(folder: str | Path) -> pd.DataFrame:
    """Every record in a folder, whatever it was asked for; empty if there is none.

    Returns
    -------
    pandas.DataFrame
        One row a task: `table`, `reading`, `row`, `seed`, the six hyperparameters (learning rate as trained), the
        metrics of `trial.TrialResult`, `seconds` (of the processor, one core), `status`, `reason`, `published_mse`,
        `published_seconds`, the numbers of `forecast_statistics`, and `block_sd`, of the papers' best rows: the
        standard deviation of each of `RESAMPLED` over resampled blocks of test days; sorted by table, reading, row and
        seed.

    Raises
    ------
    ledger.LedgerError
        For a damaged file.
    """
    found = []
    for table in TABLES:
        for name in READINGS:
            found += ledger.read(Path(folder) / file_name(table, name))
    return _frame(found)


def _known(
    wanted: Sequence[Task], datasets: Mapping[str, Dataset], folder: Path, *, epochs: int, engine: str
) -> dict[tuple, dict[str, Any]]:
    """Recorded tasks by (table, reading, row, seed); refuses what does not belong to what is wanted."""
    expected = {(task.table, task.reading.name, *task.key): task for task in wanted}
    known = {}
    for table, name in dict.fromkeys((task.table, task.reading.name) for task in wanted):
        dataset = datasets[READINGS[name].protocol]
        path = folder / file_name(table, name)
        for record in ledger.read(path):
            key = (table, name, record.get("row"), record.get("seed"))
            for what, ours in (
                ("data", ("data_sha256", dataset.data_sha256)),
                ("protocol", ("protocol", dataset.identity)),
                ("number of epochs", ("epochs", epochs)),
                ("engine", ("engine", engine)),
            ):
                if record.get(ours[0]) != ours[1]:
                    raise ReplayError(
                        f"{path.name} holds records of another {what}, {record.get(ours[0])} instead of {ours[1]}: use "
                        "the same, or another folder."
                    )
            if key in expected and record["config"] != expected[key].config.as_dict():
                raise ReplayError(f"{path.name}, row {record['row']}: recorded for another configuration.")
            known.setdefault(key, record)
    return known


def _record(task: Task, result: TrialResult, dataset: Dataset, *, epochs: int, engine: str) -> dict[str, Any]:
    """One complete line; numbers of a failed trial are null."""
    measured = (*METRICS, "seconds", "cpu_seconds", "cpu_percent", "peak_rss_mb")
    numbers = {name: getattr(result, name) for name in measured}
    forecast: dict[str, Any] = {}
    if result.predictions is not None:
        forecast = forecast_statistics(dataset, result.predictions)
    days: dict[str, Any] = {}
    if result.predictions is not None and task.row == BEST_ROWS[task.table]:
        drawn, _ = resampled_statistics(dataset, result.predictions, stage="tune")
        finite = {name: values[np.isfinite(values)] for name, values in drawn.items()}
        days["block_sd"] = {name: _plain(values.std() if len(values) else math.nan) for name, values in finite.items()}
    return {
        "table": task.table,
        "reading": task.reading.name,
        "row": task.row,
        "seed": task.seed,
        "config": task.config.as_dict(),
        "status": result.status,
        "reason": result.reason,
        **{name: _plain(value) for name, value in numbers.items()},
        **{name: _plain(value) for name, value in forecast.items()},
        **days,
        "epochs": epochs,
        "engine": engine,
        "protocol": dataset.identity,
        "data_sha256": dataset.data_sha256,
    }


def _plain(value: Any) -> Any:
    """A number of 7 digits, or null; lists likewise."""
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(v) for v in value]
    return float(f"{value:.7g}") if math.isfinite(value) else None


def _frame(found: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    numbers = [*METRICS, "seconds", "cpu_seconds", "cpu_percent", "peak_rss_mb", *FORECAST]
    columns = [
        "table",
        "reading",
        "row",
        "seed",
        *HYPERPARAMETERS,
        "status",
        "reason",
        *numbers,
        "lag_correlations",
        "block_sd",
    ]
    rows = [{**record, **record["config"]} for record in found]
    frame = pd.DataFrame(rows, columns=columns)
    frame[numbers] = frame[numbers].astype(float)
    # Of one core: on a machine that does other things as well, the clock measures those.
    frame["seconds"] = frame["cpu_seconds"].fillna(frame["seconds"])
    theirs = pd.concat([published.runs(t).assign(table=t) for t in TABLES]).rename(
        columns={"iteration": "row", "mse": "published_mse", "seconds": "published_seconds"}
    )
    frame = frame.merge(theirs[["table", "row", "published_mse", "published_seconds"]], on=["table", "row"])
    order = {name: i for i, name in enumerate((*TABLES, *READINGS))}
    return frame.sort_values(
        ["table", "reading", "row", "seed"], key=lambda c: c.map(order) if c.name in ("table", "reading") else c
    ).reset_index(drop=True)


# The tuners over several seeds.


@dataclass(frozen=True)
class SeededStudy:
    """One study of `tuner_studies`.

    Attributes
    ----------
    name : str
    sampler : optuna sampler or callable
        See `study.run`.
    space : mapping
    trials, seed : int
    after : str
        Name of the study whose best MSE this one is to reach; empty if it has no such stop rule.
    within : int, optional
        Its best among so many first iterations.
    """

    name: str
    sampler: Any
    space: SearchSpace
    trials: int
    seed: int
    after: str = ""
    within: int | None = None


def seeded_studies(
    protocol: str,
    *,
    seed: int = 0,
    real_seeds: int = 0,
    random_trials: int = 0,
    gan_seeds: int = 0,
    gan_random_trials: int = 0,
    trials: int = 20,
    long_run: int = 0,
    cap: int = 50,
) -> list[SeededStudy]:
    """The studies that say what one seed cannot: named `<tuner>-<protocol>-s<seed>` and `random-<space>-<protocol>`.

    Parameters
    ----------
    protocol : str
    seed : int
        The first one.
    real_seeds : int
        Seeds of the generator with feedback and without, and of Bayesian optimisation over raw ranges until it reaches
        the generator's best of the same seed.
    random_trials, gan_random_trials : int
        Random configurations of the generator's and of the GAN's space.
    gan_seeds : int
        Seeds of the GAN.
    trials : int
        Iterations of generator and GAN.
    long_run : int
        The same for the generator with feedback if it is more: are the first `trials` enough?
    cap : int
        Of Bayesian optimisation.
    """
    import optuna

    from helpers.samplers import BayesianSampler, GanSampler, GeneratorSampler

    def random(number: int) -> optuna.samplers.BaseSampler:
        return optuna.samplers.RandomSampler(seed=trial_seed(seed, number))

    made = []
    for s in range(seed, seed + real_seeds):
        for feedback, count in (("paper", max(trials, long_run)), ("zero", trials)):
            sampler = GeneratorSampler(seed=s, space=GENERATOR_SPACE, feedback=feedback)
            made.append(SeededStudy(f"generator-{feedback}-{protocol}-s{s:02d}", sampler, GENERATOR_SPACE, count, s))
        bayesian, target = BayesianSampler(seed=s, space=GENERATOR_SPACE), f"generator-paper-{protocol}-s{s:02d}"
        made.append(SeededStudy(f"bayesian-{protocol}-s{s:02d}", bayesian, GENERATOR_SPACE, cap, s, target, trials))
    for s in range(seed, seed + gan_seeds):
        made.append(SeededStudy(f"gan-{protocol}-s{s:02d}", GanSampler(seed=s, space=GAN_SPACE), GAN_SPACE, trials, s))
    for name, space, count in (
        ("generator", GENERATOR_SPACE, random_trials),
        ("gan", GAN_SPACE, gan_random_trials),
    ):
        if count:
            made.append(SeededStudy(f"random-{name}-{protocol}", random, space, count, seed))
    return made


def tuner_studies(
    studies: Sequence[SeededStudy],
    dataset: Dataset,
    *,
    folder: str | Path,
    epochs: int = 10,
    engine: str = "auto",
    jobs: int = 2,
    train: bool = True,
    progress: bool = True,
    evaluator: Callable[[], Any] = Evaluator,
) -> dict[str, pd.DataFrame]:
    """Run the studies, `jobs` at a time with a worker each, or go on with them; records by name.

    Raises
    ------
    study.StudyError
        See `study.run`.
    """

    def run(worker: Any, one: SeededStudy) -> pd.DataFrame:
        stop_at = None
        if one.after:
            stop_at = float(study.best(study.load(one.after, folder), within=one.within)["mse"])
        done = study.run(
            one.name,
            one.sampler,
            one.space,
            dataset,
            trials=one.trials,
            seed=one.seed,
            folder=folder,
            epochs=epochs,
            engine=engine,
            stop_at=stop_at,
            evaluator=worker,
            progress=False,
            train=train,
            keep_predictions=False,
        )
        return study.records(done)

    found: dict[str, pd.DataFrame] = {}
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(evaluator()) for _ in range(jobs)]
        bar = stack.enter_context(Bar(len(studies), "tuners", unit="study", shown=progress))
        best = math.inf
        for phase in (False, True):  # those with a target wait for it
            chosen = [one for one in studies if bool(one.after) is phase]
            with contextlib.closing(study.side_by_side(run, chosen, workers)) as results:
                for one, records_of_one in zip(chosen, results, strict=True):
                    found[one.name] = records_of_one
                    best = min(best, records_of_one["mse"].min())
                    bar.update(best=best)
    return found
