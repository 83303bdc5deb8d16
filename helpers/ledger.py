"""A ledger of trainings: one JSON line a training, append-only, so that an interrupted experiment goes on.

Every line has a checksum (`helpers.lines`): a flipped byte, foreign text, a line lost or moved is found and named; what
a kill leaves of a last line is cut off. `read`, `appending` and `train` are for whatever is recorded line by line;
`complete` is for trainings of any series and protocol.

A training is known by its series, protocol, configuration, seed, stage and budget. What is recorded already is not
trained again; a record of other closes is refused. Forecasts are stored as relative changes against yesterday's close
(`forecast / yesterday - 1`), never as levels: with the closes at hand they become levels again, and without them they
give no close away.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import logging
import math
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from helpers import lines
from helpers.checks import whole
from helpers.lstm import EPOCHS
from helpers.progress import Bar
from helpers.space import LstmConfig
from helpers.trial import METRICS, Evaluator, TrialResult
from helpers.windows import LONGEST, Dataset, Protocol

logger = logging.getLogger(__name__)

Task = TypeVar("Task")


class LedgerError(ValueError):
    """Records that cannot be read or continued; the message is one sentence for the reader."""


@dataclass(frozen=True)
class Training:
    """One LSTM to train and measure.

    Attributes
    ----------
    series : str
        Name of the series, a key of the `datasets` given to `complete`.
    protocol : Protocol
    config : LstmConfig
    seed : int
    stage : {"tune", "final"}
    keep : bool
        Whether the forecasts are recorded.
    """

    series: str
    protocol: Protocol
    config: LstmConfig
    seed: int
    stage: str = "final"
    keep: bool = False

    @property
    def key(self) -> str:
        """What tells the training apart within its file."""
        values = {f: getattr(self.protocol, f.name) for f in fields(Protocol)}
        protocol = {f.name: value for f, value in values.items() if value != f.default}
        return json.dumps([self.series, protocol, self.config.as_dict(), self.seed, self.stage], sort_keys=True)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What is recorded of a training.

    Attributes
    ----------
    training : Training
    status : {"ok", "failed"}
    reason : str
    metrics : dict
        The metrics of `trial.TrialResult` by name; NaN where it failed.
    seconds : float
    change : numpy.ndarray or None
        Forecast over yesterday's close, less 1, for each test target, shape (m,), float64; None where not recorded.
    """

    training: Training
    status: str
    reason: str
    metrics: dict[str, float]
    seconds: float
    change: np.ndarray | None

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    def forecast(self, yesterday: np.ndarray) -> np.ndarray:
        """The forecasts in index points, given the close of the day before each test target, shape (m,).

        Raises
        ------
        LedgerError
            If they were not recorded, or for another number of days.
        """
        if self.change is None or self.change.shape != np.shape(yesterday):
            raise LedgerError("The forecasts of this training were not recorded for these days.")
        return np.asarray(yesterday, np.float64) * (1.0 + self.change)


def complete(
    path: str | Path,
    trainings: Sequence[Training],
    datasets: Callable[[str, Protocol], Dataset],
    *,
    epochs: int = EPOCHS,
    engine: str = "fast",
    jobs: int = 2,
    train: bool = True,
    progress: bool = True,
    evaluator: Callable[[], Any] = Evaluator,
) -> list[Outcome]:
    """The outcomes of `trainings`, in their order; those missing from the ledger are trained first.

    Parameters
    ----------
    path : path
        The ledger, a file `*.jsonl`; made if missing.
    trainings : sequence of Training
        Where one is asked for twice, with its forecasts and without, they are recorded.
    datasets : callable
        The dataset of a series under a protocol.
    epochs, engine
        See `trial.evaluate`.
    jobs : int
        Workers at the same time, one core each; results do not depend on it.
    train : bool
        False reads only.
    progress : bool
        Whether to show a bar on standard error.
    evaluator : callable
        Makes a worker: a context manager with `trial.Evaluator.evaluate`.

    Raises
    ------
    LedgerError
        Records of other closes or another budget, a damaged file, one that another process writes, missing trainings
        with `train=False`, or `jobs` that is no whole number of at least 1.
    trial.WorkerError
        If no worker process can be started; what is recorded stays.
    """
    jobs = whole("jobs", jobs, error=LedgerError)
    path = Path(path)
    wanted: dict[str, Training] = {}
    for training in trainings:
        if training.keep or training.key not in wanted:
            wanted[training.key] = training
    held: dict[tuple[str, Protocol], Dataset] = {}

    def dataset(training: Training) -> Dataset:
        where = (training.series, training.protocol)
        if where not in held:
            held[where] = datasets(*where)
        return held[where]

    def known() -> dict[str, dict[str, Any]]:
        found = {record["key"]: record for record in read(path) if record.get("key") in wanted}
        for key, record in found.items():
            ours = {"data_sha256": dataset(wanted[key]).data_sha256, "epochs": epochs, "engine": engine}
            ours["max_sequence_length"] = dataset(wanted[key]).max_sequence_length
            for name, value in ours.items():
                if record.get(name, LONGEST) != value:
                    what = _SAID.get(name, name)
                    if name == "data_sha256":
                        value = f"{value[:8]}, {dataset(wanted[key]).prices.caption}"
                    raise LedgerError(
                        f"{path.name} holds a training on other {what} ({record.get(name, LONGEST)} instead of "
                        f"{value}): use the same, or another folder."
                    )
        return {k: r for k, r in found.items() if not wanted[k].keep or r["status"] != "ok" or "change" in r}

    records = known()
    missing = [training for key, training in wanted.items() if key not in records]
    if missing and not train:
        raise LedgerError(
            f"{len(missing)} of {len(wanted)} trainings are not recorded in {path.name}; train them first."
        )
    if missing:
        with appending(path) as append, contextlib.ExitStack() as stack:
            records = known()  # another process may have added some before this one held the file
            missing = [training for key, training in wanted.items() if key not in records]
            # Those of one dataset together, so that it travels to a worker seldom; within it the costly ones first.
            missing.sort(key=lambda t: (t.series, t.protocol.name, t.stage, -_cost(t.config)))
            for training in missing:  # datasets are made here, not by several threads at once
                dataset(training)

            def evaluate(worker: Any, training: Training) -> TrialResult:
                return worker.evaluate(
                    training.config,
                    dataset(training),
                    epochs=epochs,
                    seed=training.seed,
                    engine=engine,
                    stage=training.stage,
                    keep_predictions=training.keep,
                )

            work = sum(_cost(training.config) for training in missing)
            bar = stack.enter_context(Bar(len(missing), path.stem, work=work, shown=progress))
            best, failed = math.inf, 0
            done = contextlib.closing(train_all(missing, evaluate, evaluator=evaluator, jobs=jobs))
            for training, result in stack.enter_context(done):
                if not result.ok:
                    logger.warning("%s: a training failed: %s.", path.stem, result.reason)
                append(_record(training, result, dataset(training), epochs, engine))
                best, failed = min(best, result.mse if result.ok else math.inf), failed + (not result.ok)
                bar.update(best=best, failed=failed, work=_cost(training.config))
        records = known()
    return [_outcome(training, records[training.key]) for training in trainings]


_SAID = {"data_sha256": "closes", "epochs": "number of epochs", "max_sequence_length": "longest window"}


def is_record(content: Mapping[str, Any]) -> bool:
    """Whether the content of a line can be a record of a training."""
    return content.keys() >= {"status", "epochs", "engine", "data_sha256"}


Check = Callable[[Mapping[str, Any]], bool]  # whether the content of a line can be a record


def read(path: str | Path, *, is_record: Check = is_record) -> list[dict[str, Any]]:
    """The records of a file; an incomplete last line, which an interruption leaves behind, does not count.

    Raises
    ------
    LedgerError
        For damage elsewhere, with the number of the line.
    """
    path = Path(path)
    if not path.exists():
        return []
    whole = path.read_bytes()[: _scan(path, is_record).size]
    records = [json.loads(line) for line in whole.splitlines()]
    return [{name: value for name, value in record.items() if name != "sum"} for record in records]


@contextlib.contextmanager
def appending(path: Path, *, is_record: Check = is_record) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A function that adds one record to a file, which is held against other processes meanwhile; made if missing.

    The rest of an interrupted line is cut off first. A record is on the disk when the function returns.

    Raises
    ------
    LedgerError
        If another process holds the file, if it is damaged, or cannot be written.
    """
    with lines.writing(path, error=LedgerError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with held(path):
        found = _scan(path, is_record)
        with lines.writing(path, error=LedgerError):
            lines.repair(path, found)

        def append(record: Mapping[str, Any]) -> None:
            nonlocal found
            with lines.writing(path, error=LedgerError):
                found = lines.append(path, [record], found)

        yield append


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a file against other processes. The kernel lets go when this process ends, however it ends.

    Raises
    ------
    LedgerError
        If another process holds it, there is none, or it cannot be written.
    """
    try:
        file = open(path, "r+b")  # NFS locks a file against others only where it is open for writing
    except OSError as error:
        raise LedgerError(f"{path.name} cannot be opened for writing: {error.strerror}.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same = os.stat(path).st_ino == os.fstat(file.fileno()).st_ino  # else it was replaced before it was held
        except BlockingIOError:
            same = False
        except OSError as error:
            raise LedgerError(f"{path.name} cannot be held against other processes: {error.strerror}.") from error
        if not same:
            raise LedgerError(f"{path.name} is being written by another process: run this again when that is done.")
        yield


def repair(path: Path, *, is_record: Check = is_record) -> bool:
    """Cut a file off at its first damage, of any kind; whether there was some. See `lines.repair`.

    Raises
    ------
    LedgerError
        If another process holds the file.
    """
    with held(path), lines.writing(path, error=LedgerError):
        return lines.repair(path, lines.scan(path, is_record=is_record))


def _scan(path: Path, is_record: Check) -> lines.Scan:
    return lines.sound(path, lines.scan(path, is_record=is_record), error=LedgerError)


def train_all(
    tasks: Sequence[Task],
    evaluate: Callable[[Any, Task], TrialResult],
    *,
    evaluator: Callable[[], Any] = Evaluator,
    jobs: int = 2,
) -> Iterator[tuple[Task, TrialResult]]:
    """Tasks with their results as these come; the tasks are begun in their order, `jobs` at a time.

    A worker begins its next task when the consumer has taken the result of the one before and asks for another, that
    is, has recorded it: a kill costs at most one training a worker.

    Parameters
    ----------
    tasks : sequence
    evaluate : callable
        The result of a task, given a worker and the task. An exception ends the whole.
    evaluator : callable
        Makes a worker: a context manager with `trial.Evaluator.evaluate` and `close`.
    jobs : int
        Workers.

    Raises
    ------
    LedgerError
        If `jobs` is no whole number of at least 1; when it is called.
    """
    jobs = whole("jobs", jobs, error=LedgerError)
    return _train_all(tasks, evaluate, evaluator, jobs)


def _train_all(
    tasks: Sequence[Task],
    evaluate: Callable[[Any, Task], TrialResult],
    evaluator: Callable[[], Any],
    jobs: int,
) -> Iterator[tuple[Task, TrialResult]]:
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    results: queue.SimpleQueue[tuple[Task | None, Any, threading.Event]] = queue.SimpleQueue()
    stop = threading.Event()

    def work(worker: Any) -> None:
        while not stop.is_set():
            try:
                task = waiting.get_nowait()
            except queue.Empty:
                return
            recorded = threading.Event()
            try:
                result = evaluate(worker, task)
            except BaseException as error:  # reported by the thread that waits for results
                results.put((None, error, recorded))
                return
            results.put((task, result, recorded))
            while not (recorded.wait(0.2) or stop.is_set()):
                pass

    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(evaluator()) for _ in range(min(jobs, len(tasks)))]
        threads = [threading.Thread(target=work, args=(worker,), daemon=True) for worker in workers]
        for thread in threads:
            thread.start()
        try:
            for _ in tasks:
                task, result, recorded = results.get()
                if task is None:
                    raise result
                yield task, result
                recorded.set()
        except BaseException:
            stop.set()
            for worker in workers:  # a thread may be waiting for its worker
                worker.close()
            raise
        finally:
            for thread in threads:
                thread.join(timeout=5)


def _cost(config: LstmConfig) -> float:
    return config.sequence_length * config.layers * (config.units + 4) ** 2


def _record(training: Training, result: TrialResult, dataset: Dataset, epochs: int, engine: str) -> dict[str, Any]:
    metrics = {name: getattr(result, name) for name in METRICS}
    record = {
        "key": training.key,
        "status": result.status,
        "reason": result.reason,
        "metrics": {name: value if math.isfinite(value) else None for name, value in metrics.items()},
        "seconds": float(f"{result.seconds:.6g}"),
        "epochs": epochs,
        "engine": engine,
        "data_sha256": dataset.data_sha256,
        **({"max_sequence_length": dataset.max_sequence_length} if dataset.max_sequence_length != LONGEST else {}),
    }
    if training.keep and result.ok:
        yesterday = dataset.close.to_numpy()[dataset.test_targets(training.stage) - 1]
        change = dataset.to_points(result.predictions, stage=training.stage) / yesterday - 1.0
        record["change"] = base64.b64encode(change.astype("<f4").tobytes()).decode()
    return record


def _outcome(training: Training, record: Mapping[str, Any]) -> Outcome:
    change = None
    if training.keep and "change" in record:
        change = np.frombuffer(base64.b64decode(record["change"]), "<f4").astype(np.float64)
    metrics = {name: math.nan if value is None else float(value) for name, value in record["metrics"].items()}
    return Outcome(training, record["status"], record["reason"], metrics, float(record["seconds"]), change)
