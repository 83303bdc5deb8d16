"""A study: a sampler proposes, a trial answers, a journal remembers.

The journal is Optuna's: one append-only file of JSON lines, `<name>.journal`. It is written in three steps a trial (the
trial begins, its parameters, its result), each in a single write, so that a study killed at any moment goes on from
there: a trial in flight keeps its number and its parameters and is trained again. With a sampler whose state is a
function of its seed and the finished trials, the finished record is that of an undisturbed run. Every line has a
checksum (`helpers.lines`), so that damage is found and named. Processes that run one study at once take turns.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
import math
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution, distribution_to_json
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, TrialState

from helpers import forecast_files, lines, paths, provenance
from helpers.checks import whole
from helpers.journals import Journal, StudyError, held, is_record, journal_path, repair
from helpers.lstm import EPOCHS
from helpers.metrics import error_metrics
from helpers.progress import Bar
from helpers.space import HYPERPARAMETERS, LstmConfig, SearchSpace, config_from_params
from helpers.trial import METRICS, Evaluator, TrialResult, WorkerError

if TYPE_CHECKING:
    from helpers.windows import Dataset

logger = logging.getLogger(__name__)

T, R = TypeVar("T"), TypeVar("R")

COLUMNS = (
    "iteration",
    *HYPERPARAMETERS,
    *METRICS,
    "seconds",
    "cumulative_seconds",
    "sampler_seconds",
    "cpu_percent",
    "peak_rss_mb",
    "memory_used_mb",
    "status",
    "reason",
    "seed",
)
GIVE_UP_AFTER = 5  # failed trials without a good one before
_FINISHED = (TrialState.COMPLETE, TrialState.FAIL)
_MEASURED = ("seconds", "cpu_percent", "peak_rss_mb", "memory_used_mb")

Sampler = optuna.samplers.BaseSampler | Callable[[int], optuna.samplers.BaseSampler]


class StudyFailed(StudyError):
    """Every trial of a study failed."""


@dataclass(frozen=True, eq=False)
class Winner:
    """The best LSTM of a study and its forecasts of the final test part.

    Attributes
    ----------
    config : LstmConfig
    iteration : int
        The trial that found it, from 1.
    predictions, actual, naive : numpy.ndarray, shape (m,), float32
        Forecast, target and the close of the day before, scaled units of the final stage.
    dates : pandas.DatetimeIndex, shape (m,)
    metrics : dict
        mse, rmse, mae, r2 in scaled units; mse_points, rmse_points, mae_points in index points.
    """

    config: LstmConfig
    iteration: int
    predictions: np.ndarray
    dates: pd.DatetimeIndex
    actual: np.ndarray
    naive: np.ndarray
    metrics: dict[str, float]


def trial_seed(seed: int, number: int) -> int:
    """Seed of trial `number` (from 0) of a study with `seed`: in [0, 2^21), so that Keras's seeds stay under 2^31.

    All tuners with the same study seed train their k-th trial with the same seed.
    """
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) % 2**21


def run(
    name: str,
    sampler: Sampler,
    space: SearchSpace,
    dataset: Dataset,
    *,
    trials: int,
    seed: int,
    folder: str | Path,
    epochs: int = EPOCHS,
    engine: str = "auto",
    stop_at: float | None = None,
    time_limit: float | None = None,
    memory_limit_mb: float | None = None,
    evaluator: Evaluator | None = None,
    progress: bool = True,
    train: bool = True,
    keep_predictions: bool = True,
    give_up_after: int = GIVE_UP_AFTER,
) -> optuna.Study:
    """Run the study `name` until it has `trials` finished trials, or go on with it; it minimises the MSE.

    Several processes may run one study: they take turns trial by trial, and the record is that of one process. How many
    trials failed is logged at the end.

    Parameters
    ----------
    name : str
        Name of the study and, with ".journal", of its file.
    sampler : optuna.samplers.BaseSampler or callable
        Proposes the configurations. Its state should be a function of its seed and the finished trials, as that of
        the papers' tuners here is. For a sampler whose random state does not survive a restart (most of Optuna's
        own), give a function from the trial's number to a new sampler:
        `lambda number: optuna.samplers.TPESampler(seed=1000 + number)`.
    space : mapping of str to optuna.distributions.BaseDistribution
        An LSTM space, see `space.config_from_params`.
    dataset : Dataset
    trials : int
        Finished trials to reach in all, with those already in the journal; failed ones count.
    seed : int
        Each trial is trained with `trial_seed(seed, number)`.
    folder : path
        Where the journal lies; made if missing.
    epochs, engine, time_limit, memory_limit_mb
        See `trial.evaluate`.
    stop_at : float, optional
        Stop after the first trial whose MSE is at most this.
    evaluator : Evaluator, optional
        The warm worker to use; without one the study has its own. Anything with its `evaluate` serves.
    progress : bool
        Whether to show the best MSE so far and the time left on standard error (`helpers.progress`).
    train : bool
        False reads only: an error if trials are missing.
    keep_predictions : bool
        Whether to store the forecasts of each new best trial (`<name>.best-0018.npz`), for `winner`. Not done where
        trials are judged by a validation part. Forecasts that an earlier study of this name left, its journal having
        been removed, are removed when the new one begins.
    give_up_after : int
        Stop when the first so many trials have all failed: what fails every time is not the configuration.

    Returns
    -------
    optuna.Study
        Its trials carry the user attributes `config`, `status`, `reason`, `seed`, the metrics and the measurements; the
        study carries `identity` (what must not change), `naive_mse` (of yesterday's close, on the part that judges the
        trials) and `stamp` (see `provenance.stamp`).

    Raises
    ------
    StudyError
        Bad arguments; a journal made with other settings, or damaged; missing trials; a folder that cannot be written.
    StudyFailed
        If every trial failed, or the first `give_up_after`.
    trial.WorkerError
        If no worker process can be started; what is recorded stays.
    """
    path = journal_path(name, folder)
    for what, value, least in (("trials", trials, 1), ("seed", seed, 0), ("give_up_after", give_up_after, 1)):
        whole(what, value, least=least, error=StudyError)
    if stop_at is not None and not (isinstance(stop_at, Real) and math.isfinite(stop_at)):
        raise StudyError(f"stop_at must be a number or None, not {stop_at!r}.")
    first = sampler(0) if not isinstance(sampler, optuna.samplers.BaseSampler) else sampler
    identity = {
        "data": dataset.data_sha256,
        "protocol": dataset.identity,
        "space": {key: distribution_to_json(d) for key, d in space.items()},
        "epochs": int(epochs),
        "seed": int(seed),
        "sampler": describe(first),
        "engine": engine,
    }
    if not train:
        study = load(name, folder, sampler=first)
        _check_identity(study, identity, dataset)
        _check_complete(study, trials, stop_at, give_up_after)
        return study
    with lines.writing(path, error=StudyError), contextlib.ExitStack() as stack:
        path.parent.mkdir(parents=True, exist_ok=True)
        with held(path):
            repair(path)
            journal = Journal(path)
            study = _open(name, journal, first)
            if "identity" not in study.user_attrs and not study.trials:
                forecast_files.forget(
                    path
                )  # before the identity is on the disk: a kill in between leaves a study to begin
                stamp = provenance.stamp(
                    data_sha256=dataset.data_sha256,
                    seeds=[seed],
                    entries=_code(first),
                    protocol=dataset.protocol.name,
                )
                with journal.one_write():
                    study.set_user_attr("stamp", stamp)
                    study.set_user_attr("closes", dataset.prices.caption)  # for messages
                    study.set_user_attr("naive_mse", dataset.naive_metrics()["mse"])
                    study.set_user_attr("identity", identity)
            else:
                if not _done(study, trials, stop_at, give_up_after):
                    _tell_changed_code(study, first)
            _check_identity(study, identity, dataset)
        if evaluator is None and not _done(study, trials, stop_at, give_up_after):
            evaluator = stack.enter_context(Evaluator())
        learnt, done = 0.0, _done(study, trials, stop_at, give_up_after)
        bar = stack.enter_context(Bar(trials, name, done=len(_finished(study)), shown=progress and not done))
        keep_predictions = keep_predictions and _tuned_on_test(dataset)
        while not done:
            # Held for one trial: another process that runs the same study may take the next.
            with held(path):
                journal.refresh()
                if _done(study, trials, stop_at, give_up_after):
                    break
                _give_back_unfinished(study)
                started = time.perf_counter()
                trial = study.ask()  # the trial in flight when the study was killed, or a new one
                if not isinstance(sampler, optuna.samplers.BaseSampler):
                    study.sampler = sampler(trial.number)
                with journal.one_write():
                    params = {key: _suggest(trial, key, distribution) for key, distribution in space.items()}
                config = config_from_params(params)
                asked = time.perf_counter() - started

                result = evaluator.evaluate(
                    config,
                    dataset,
                    epochs=epochs,
                    seed=trial_seed(seed, trial.number),
                    engine=engine,
                    time_limit=time_limit,
                    memory_limit_mb=memory_limit_mb,
                    keep_predictions=keep_predictions,
                )
                _check_engine(study, result)
                if result.ok and result.predictions is not None and result.mse < _least(study):
                    # Stored before the trial counts as finished: a record without its forecasts cannot be.
                    forecast_files.store(
                        forecast_files.best_path(path, trial.number),
                        config,
                        result,
                        dataset,
                        stage="tune",
                        training=forecast_files.training_text(trial_seed(seed, trial.number), identity),
                    )

                started = time.perf_counter()
                attributes = _attributes(config, result, trial_seed(seed, trial.number), learnt + asked)
                with journal.one_write():
                    for key, value in attributes.items():
                        trial.set_user_attr(key, value)
                    if result.ok:
                        study.tell(trial, result.mse)
                    else:
                        study.tell(trial, state=TrialState.FAIL)
                        logger.warning("%s, trial %d failed: %s.", name, trial.number + 1, result.reason)
                learnt = time.perf_counter() - started
            finished = _finished(study)  # another process may have added some
            failed = sum(t.state == TrialState.FAIL for t in finished)
            bar.update(len(finished) - bar.done, best=_least(study), failed=failed)
            done = _done(study, trials, stop_at, give_up_after)
    _check_complete(study, trials, stop_at, give_up_after)
    _tell_failures(study)
    return study


def side_by_side(run_one: Callable[[Any, T], R], items: Sequence[T], workers: Sequence[Any]) -> Iterator[R]:
    """`run_one(worker, item)` for every item, in threads, each with a worker to itself; the results in order.

    Interrupted (Ctrl-C), or after an error, nothing is waited for: the workers are closed, which ends the trials under
    way without a record, and no thread begins another. Close the iterator (`contextlib.closing`) to have it so at once.

    Parameters
    ----------
    run_one : callable
        Runs a study with the worker.
    items : sequence
    workers : sequence of Evaluator
        As many threads as there are; anything with `evaluate` and `close` serves.
    """
    stop = threading.Event()
    free: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for worker in workers:
        free.put(_Stoppable(worker, stop))

    def one(item: T) -> R:
        worker = free.get()
        try:
            return run_one(worker, item)
        finally:
            free.put(worker)

    pool = ThreadPoolExecutor(len(workers))
    try:
        futures = [pool.submit(one, item) for item in items]
        pending = set(futures)
        for future in futures:
            while not future.done():
                ended, pending = wait(pending, return_when=FIRST_COMPLETED)
                for other in ended:
                    other.result()  # an error ends all at once, whichever comes next
            yield future.result()
    except BaseException:
        stop.set()
        for worker in workers:
            worker.close()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class _Stoppable:
    """A worker that takes no trial once its studies are to stop."""

    def __init__(self, worker: Any, stop: threading.Event) -> None:
        self._worker, self._stop = worker, stop

    def evaluate(self, *given: Any, **named: Any) -> TrialResult:
        if self._stop.is_set():
            raise WorkerError("The studies beside this one have stopped.")
        return self._worker.evaluate(*given, **named)


def load(name: str, folder: str | Path, *, sampler: optuna.samplers.BaseSampler | None = None) -> optuna.Study:
    """The recorded study `name`, for reading.

    Raises
    ------
    StudyError
        If there is no such journal or it is damaged.
    """
    path = journal_path(name, folder)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.journal"))) or "none"
        raise StudyError(f"There is no study {name!r} in {path.parent.name}/ (recorded there: {known}); run it first.")
    lines.sound(path, lines.scan(path, is_record=is_record), error=StudyError)
    try:
        return optuna.load_study(study_name=name, storage=JournalStorage(Journal(path)), sampler=sampler)
    except KeyError:
        raise StudyError(f"{path.name} holds no sound study named {name!r}.") from None


def describe(sampler: optuna.samplers.BaseSampler) -> str:
    """A sampler in words: its class and those arguments of its constructor that are plain values."""
    values = vars(sampler)
    shown = []
    for argument in inspect.signature(type(sampler).__init__).parameters:
        value = values.get(argument, values.get(f"_{argument}"))
        if isinstance(value, str | int | float):
            shown.append(f"{argument}={value!r}")
    return f"{type(sampler).__name__}({', '.join(shown)})"


# Records.


def records(study: optuna.Study) -> pd.DataFrame:
    """One row a finished trial, in order.

    Returns
    -------
    pandas.DataFrame
        `iteration` counts from 1; metrics are NaN where `status` is "failed", and `reason` says why. `seconds` is
        training plus evaluation, `cumulative_seconds` its running sum, `sampler_seconds` the time that the sampler took
        to learn from the trial before and to propose this one. Units as in `trial.TrialResult`.
    """
    rows = []
    for t in study.get_trials(deepcopy=False, states=_FINISHED):
        row = {"iteration": t.number + 1, **config_from_params(t.params).as_dict()}
        rows.append(row | {key: t.user_attrs[key] for key in COLUMNS if key in t.user_attrs})
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = [*METRICS, *_MEASURED, "sampler_seconds"]
    frame[numbers] = frame[numbers].astype(float)
    frame["cumulative_seconds"] = frame["seconds"].cumsum()
    return frame


def failures(records: pd.DataFrame) -> str:
    """How many trials failed and why the first of them did, in words."""
    reasons = records.loc[records["status"] != "ok", "reason"]
    if reasons.empty:
        return f"None of {len(records)} trials failed"
    first, few = str(reasons.iloc[0]), ", the first of them so" if len(reasons) > 1 else ""
    return f"{len(reasons)} of {len(records)} trials failed{few}: {first[:1].lower()}{first[1:]}"


def best(study: optuna.Study, *, within: int | None = None) -> pd.Series:
    """The record with the least MSE (the first of equals), among the first `within` iterations if that is given.

    Raises
    ------
    StudyFailed
        If there is none.
    """
    frame = records(study).head(within)
    if not frame["mse"].notna().any():
        raise StudyFailed(_all_failed(study))
    return frame.loc[frame["mse"].idxmin()]


def winner(
    study: optuna.Study,
    dataset: Dataset,
    *,
    folder: str | Path,
    within: int | None = None,
    evaluator: Evaluator | None = None,
    train: bool = True,
    time_limit: float | None = None,
) -> Winner:
    """The best LSTM of a study with its forecasts of the final test part.

    The forecasts are those that the trial itself made. Where the study was tuned on a validation part, or they are
    missing, the LSTM is trained once more with the trial's seed, on all training windows, and its forecasts are stored.

    Parameters
    ----------
    study : optuna.Study
        From `run` or `load`.
    dataset : Dataset
        The one that the study was run on.
    folder : path
        The study's folder.
    within : int, optional
        Consider the first `within` iterations only.
    evaluator : Evaluator, optional
    train : bool
        False: an error instead of training.
    time_limit : float, optional
        See `trial.evaluate`.

    Raises
    ------
    StudyError
        Another dataset than the study's; no stored forecasts and `train=False`; training failed.
    trial.WorkerError
        If no worker process can be started.
    """
    identity = study.user_attrs["identity"]
    for what, ours, theirs in (
        ("data", dataset.data_sha256, identity["data"]),
        ("protocol", dataset.identity, identity["protocol"]),
    ):
        if ours != theirs and what == "data":
            was = closes_text(study.user_attrs.get("closes", ""), theirs)
            now = closes_text(dataset.prices.caption, ours)
            raise StudyError(f"The study {study.study_name!r} was run on other closes, {was}, not {now}.")
        if ours != theirs:
            raise StudyError(f"The study {study.study_name!r} was run on another {what}: {theirs}, not {ours}.")
    row = best(study, within=within)
    number, config = int(row["iteration"]) - 1, LstmConfig(**{key: row[key] for key in HYPERPARAMETERS})
    journal = journal_path(study.study_name, folder)
    path = (forecast_files.best_path if _tuned_on_test(dataset) else forecast_files.final_path)(journal, number)
    windows = dataset.windows(config.sequence_length, stage="final")
    training = forecast_files.training_text(int(row["seed"]), identity)
    predictions = forecast_files.stored(path, config, dataset, len(windows.y_test), training=training)
    if predictions is None and not train:
        raise StudyError(f"The forecasts {path.name} are missing or do not fit the study; train the winner again.")
    if predictions is None:
        with contextlib.ExitStack() as stack:
            worker = evaluator if evaluator is not None else stack.enter_context(Evaluator())
            result = worker.evaluate(
                config,
                dataset,
                epochs=identity["epochs"],
                seed=int(row["seed"]),
                engine=identity["engine"],
                time_limit=time_limit,
                stage="final",
                keep_predictions=True,
            )
        if not result.ok:
            raise StudyError(f"The winner of {study.study_name!r} could not be trained: {result.reason}.")
        with lines.writing(path, error=StudyError):
            forecast_files.store(path, config, result, dataset, stage="final", training=training)
        predictions = result.predictions
    actual, forecast = windows.y_test.astype(np.float64), predictions.astype(np.float64)
    points = error_metrics(windows.to_points(actual), windows.to_points(forecast))
    metrics = error_metrics(actual, forecast) | {f"{key}_points": points[key] for key in ("mse", "rmse", "mae")}
    return Winner(config, number + 1, predictions, windows.test_dates, windows.y_test, windows.naive, metrics)


def _tuned_on_test(dataset: Dataset) -> bool:
    """Whether a trial's forecasts are those of the final test part already."""
    return dataset.protocol.tune_on == "test"


# One step of the loop.


def _suggest(trial: optuna.Trial, name: str, d: optuna.distributions.BaseDistribution) -> Any:
    if isinstance(d, IntDistribution):
        return trial.suggest_int(name, d.low, d.high, step=d.step, log=d.log)
    if isinstance(d, FloatDistribution):
        return trial.suggest_float(name, d.low, d.high, step=d.step, log=d.log)
    if isinstance(d, CategoricalDistribution):
        return trial.suggest_categorical(name, d.choices)
    raise StudyError(f"{name}: {type(d).__name__} is neither int, float nor categorical.")


def _attributes(config: LstmConfig, result: TrialResult, seed: int, sampler_seconds: float) -> dict[str, Any]:
    """What is recorded of a trial, ready for JSON: no NaN, no numpy types, six digits of what only a clock measured."""
    errors = {key: float(getattr(result, key)) for key in METRICS}
    measured = {key: float(f"{getattr(result, key):.6g}") for key in _MEASURED}
    numbers = errors | measured | {"sampler_seconds": float(f"{sampler_seconds:.6g}")}
    said = {"config": config.as_dict(), "seed": seed, "status": result.status, "reason": result.reason}
    said |= {"engine": result.engine} if result.engine else {}
    return said | {key: value for key, value in numbers.items() if math.isfinite(value)}


def _open(name: str, journal: Journal, sampler: optuna.samplers.BaseSampler) -> optuna.Study:
    """The study in the journal, or a new one. (Optuna's `load_if_exists` adds a line to the journal each time.)"""
    storage = JournalStorage(journal)
    if any(known.study_name == name for known in storage.get_all_studies()):
        return optuna.load_study(study_name=name, storage=storage, sampler=sampler)
    return optuna.create_study(study_name=name, storage=storage, sampler=sampler, direction="minimize")


def _finished(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=_FINISHED)


def _least(study: optuna.Study) -> float:
    """The least MSE so far; infinity before the first."""
    return min((t.value for t in _finished(study) if t.state == TrialState.COMPLETE), default=math.inf)


def _done(study: optuna.Study, trials: int, stop_at: float | None, give_up_after: int) -> bool:
    finished = len(_finished(study))
    reached = stop_at is not None and _least(study) <= stop_at
    return finished >= trials or reached or _given_up(study, give_up_after)


def _given_up(study: optuna.Study, give_up_after: int) -> bool:
    finished = _finished(study)
    return len(finished) >= give_up_after and all(t.state == TrialState.FAIL for t in finished)


def _give_back_unfinished(study: optuna.Study) -> None:
    """Trials in flight when the study was killed wait for the next `ask`, with their numbers and parameters.

    With the lock held no other process can be running them. A trial that counted as failed instead would change the
    sampler's history, and with it every later proposal.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)


def _check_identity(study: optuna.Study, identity: dict[str, Any], dataset: Dataset) -> None:
    recorded = study.user_attrs.get("identity")
    if recorded is None:
        raise StudyError(
            f"The journal of {study.study_name!r} does not say what it was made with; it is not of this kind."
        )
    for key, value in identity.items():
        if recorded.get(key) != value and key == "data":
            theirs = closes_text(study.user_attrs.get("closes", ""), recorded.get(key))
            raise StudyError(
                f"The study {study.study_name!r} was begun on other closes, {theirs} instead of "
                f"{closes_text(dataset.prices.caption, value)}: use the same, another name or another folder."
            )
        if recorded.get(key) != value:
            raise StudyError(
                f"The study {study.study_name!r} was begun with another {key}, {_short(recorded.get(key))} instead of "
                f"{_short(value)}: use the same, another name or another folder."
            )


def _check_engine(study: optuna.Study, result: TrialResult) -> None:
    """`engine="auto"` is another on a machine with a GPU, and its trainings have other random numbers."""
    before = {t.user_attrs["engine"] for t in _finished(study) if "engine" in t.user_attrs}
    if result.engine and before - {result.engine}:
        raise StudyError(
            f"The trials of the study {study.study_name!r} were trained with the engine {min(before)}, and this one "
            f"with {result.engine}: name the engine, or hide the GPU (CUDA_VISIBLE_DEVICES=-1)."
        )


def closes_text(caption: str, sha256: Any) -> str:
    """Closes in words, as far as they are known, with the first digits of their checksum."""
    return f"{caption} ({str(sha256)[:8]})" if caption else f"closes with the checksum {str(sha256)[:8]}"


def _code(sampler: optuna.samplers.BaseSampler) -> list[Path]:
    """What a study's trials depend on: this module with what it imports, and a sampler of ours."""
    try:
        own = Path(inspect.getfile(type(sampler))).resolve()
    except (OSError, TypeError):  # a class typed in a notebook has no file
        return [Path(__file__)]
    return [Path(__file__), *([own] if own.is_relative_to(paths.HELPERS) else [])]


def _tell_changed_code(study: optuna.Study, sampler: optuna.samplers.BaseSampler) -> None:
    before, now = study.user_attrs.get("stamp", {}).get("code_hash"), provenance.code_hash(*_code(sampler))
    if before != now:
        logger.warning(
            "The study %r goes on with code that has changed since it began (%s, now %s).",
            study.study_name,
            before,
            now,
        )


def _short(value: Any) -> str:
    text = json.dumps(value) if isinstance(value, dict) else str(value)
    return text if len(text) <= 120 else text[:117] + "..."


def _check_complete(study: optuna.Study, trials: int, stop_at: float | None, give_up_after: int) -> None:
    finished = _finished(study)
    if not _done(study, trials, stop_at, give_up_after):
        raise StudyError(
            f"The study {study.study_name!r} has {len(finished)} of {trials} trials: run it with train=True to go on."
        )
    if all(t.state == TrialState.FAIL for t in finished):
        early = f" It stopped there, {trials} were asked for; remove its journal to begin again."
        raise StudyFailed(_all_failed(study) + (early if len(finished) < trials else ""))


def _tell_failures(study: optuna.Study) -> None:
    reasons = Counter(t.user_attrs["reason"] for t in _finished(study) if t.state == TrialState.FAIL)
    if reasons:
        (reason, times), total = reasons.most_common(1)[0], reasons.total()
        logger.warning(
            "%s: %d of %d trials failed, %d of them so: %s.",
            study.study_name,
            total,
            len(_finished(study)),
            times,
            reason,
        )


def _all_failed(study: optuna.Study) -> str:
    reasons = Counter(t.user_attrs.get("reason", "no reason recorded") for t in _finished(study))
    if not reasons:
        return f"The study {study.study_name!r} has no finished trial."
    (reason, times), total = reasons.most_common(1)[0], reasons.total()
    return f"All {total} trials of the study {study.study_name!r} failed, {times} of them so: {reason}."
