"""One evaluation: a configuration is trained and measured in a worker process, whatever happens inside.

The worker is kept warm between trials, because TensorFlow takes seconds to import, and replaced when it dies, overruns
a limit or has grown. The parent only waits, so a hang in native code or an exhausted memory costs one trial, not the
study.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import itertools
import logging
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, Pipe
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from helpers import paths, training
from helpers.checks import whole
from helpers.lifeline import end_with
from helpers.lstm import EPOCHS
from helpers.metrics import error_metrics
from helpers.provenance import cores
from helpers.space import LstmConfig
from helpers.windows import STAGES

if TYPE_CHECKING:
    from helpers.windows import Dataset

logger = logging.getLogger(__name__)

METRICS = ("mse", "rmse", "mae", "r2", "mse_points", "rmse_points", "mae_points")
START_LIMIT = 300.0  # s to import TensorFlow, compile the fast engine and take a dataset; on a busy machine a minute
TIME_LIMIT = 3600.0  # s for a trial where no other limit is given; the slowest published configuration takes 35 s
SAMPLE_EVERY = 0.1  # s between two looks at the worker's memory
_MB = 2.0**20


@dataclass(frozen=True, eq=False)
class TrialResult:
    """What one trial gave.

    Attributes
    ----------
    status : {"ok", "failed"}
    reason : str
        Why it failed, one sentence without names of folders; "" if it did not.
    mse, rmse, mae, r2 : float
        Errors on the test targets of the stage, scaled units; NaN if the trial failed.
    mse_points, rmse_points, mae_points : float
        The same in index points.
    seconds : float
        Wall time of training plus evaluation, without building the model or starting the worker. For a trial that was
        killed: until then.
    cpu_percent : float
        Processor time of the worker over wall time, in percent of all cores this process may use: 100 is all cores busy
        (GAN paper, figure 12).
    peak_rss_mb : float
        Largest resident memory of the worker in MB of 2^20 bytes, TensorFlow included, as seen every 0.1 s.
    memory_used_mb : float
        Memory in use on the whole machine at the end of the trial, MB: what the GAN paper's figure 13 seems to show.
    predictions : numpy.ndarray or None
        Forecasts of the test targets, shape (m,), float32, scaled units, if they were asked for.
    engine : {"fast", "keras", ""}
        What trained it, as far as the work says.
    """

    status: str
    reason: str = ""
    mse: float = math.nan
    rmse: float = math.nan
    mae: float = math.nan
    r2: float = math.nan
    mse_points: float = math.nan
    rmse_points: float = math.nan
    mae_points: float = math.nan
    seconds: float = math.nan
    cpu_percent: float = math.nan
    peak_rss_mb: float = math.nan
    memory_used_mb: float = math.nan
    predictions: np.ndarray | None = None
    engine: str = ""

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    @property
    def cpu_seconds(self) -> float:
        """Processor time of the worker in `seconds`, over all its threads; NaN where it is unknown."""
        return self.seconds * self.cpu_percent / 100.0 * cores()


class WorkerError(RuntimeError):
    """No worker process could be started: the environment is at fault, not a trial."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What the work inside a worker returns: metrics by name, forecasts (m,), wall and processor seconds, engine."""

    metrics: dict[str, float]
    predictions: np.ndarray
    seconds: float
    cpu_seconds: float
    engine: str = ""


def evaluate(
    config: LstmConfig,
    dataset: Dataset,
    *,
    epochs: int = EPOCHS,
    seed: int,
    engine: str = "auto",
    time_limit: float | None = None,
    memory_limit_mb: float | None = None,
    stage: str = "tune",
    keep_predictions: bool = False,
    evaluator: Evaluator | None = None,
) -> TrialResult:
    """Train the LSTM of `config` on the training windows of a stage and measure its forecasts of the test targets.

    Whatever happens in the trial itself becomes a `TrialResult` of status "failed" with its reason.

    Parameters
    ----------
    config : LstmConfig
    dataset : Dataset
    epochs : int
        Passes over the training windows; both papers fix 10.
    seed : int
        Of the initial weights, the order of the windows and the dropout masks.
    engine : {"auto", "fast", "keras"}
        See `training.fit`.
    time_limit : float, optional
        Seconds after which the trial is killed and counts as failed; an hour unless given, so that a hang in native
        code ends, too. Infinity: no limit.
    memory_limit_mb : float, optional
        Resident memory of the worker, MB, above which the trial is killed; TensorFlow alone takes about 600.
    stage : {"tune", "final"}
        See `Dataset.windows`.
    keep_predictions : bool
        Whether the result carries the forecasts.
    evaluator : Evaluator, optional
        The warm worker to use. Without one a worker is started for this trial alone, which takes seconds.

    Raises
    ------
    ValueError
        For an argument of the wrong kind, before anything is started.
    WorkerError
        If no worker process can be started.
    """
    arguments = dict(
        epochs=epochs,
        seed=seed,
        engine=engine,
        time_limit=time_limit,
        memory_limit_mb=memory_limit_mb,
        stage=stage,
        keep_predictions=keep_predictions,
    )
    if evaluator is not None:
        return evaluator.evaluate(config, dataset, **arguments)
    with Evaluator() as one:
        return one.evaluate(config, dataset, **arguments)


def train_and_measure(
    config: LstmConfig, dataset: Dataset, *, epochs: int, seed: int, engine: str, stage: str
) -> Measured:
    """The work of a trial, in the worker: build, train, forecast, measure.

    Raises
    ------
    training.Diverged
        When the loss becomes NaN or infinite.
    """
    import keras

    from helpers import lstm

    windows = dataset.windows(config.sequence_length, stage=stage)
    engine = training.choose_engine(engine)
    model = (lstm.build if engine == "keras" else lstm.initial_weights)(config, seed=seed)
    try:
        wall, cpu = time.perf_counter(), time.process_time()
        threads = int(os.environ.get("NUMBA_NUM_THREADS", "1"))  # those of the worker
        given = dict(epochs=epochs, seed=seed, engine=engine, threads=threads)
        training.fit(model, config, windows.x_train, windows.y_train, **given)
        predicted = windows.to_levels(training.predict(model, config, windows.x_test, engine=engine))
        actual = windows.y_test.astype(np.float64)
        metrics = error_metrics(actual, predicted.astype(np.float64))
        seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    finally:
        if engine == "keras":
            keras.backend.clear_session()  # models pile up otherwise
    points = error_metrics(dataset.to_points(actual, stage=stage), dataset.to_points(predicted, stage=stage))
    metrics |= {f"{name}_points": points[name] for name in ("mse", "rmse", "mae")}
    return Measured(metrics, predicted.astype(np.float32), seconds, cpu_seconds, engine)


def warm_up(engine: str) -> None:
    """Import TensorFlow and run an engine once, so that the first trial is timed like the others."""
    from helpers import lstm

    config = LstmConfig(layers=1, units=1, learning_rate=0.001, batch_size=16, sequence_length=2, dropout_rate=0.1)
    x, y = np.zeros((32, 2, 1), np.float32), np.zeros(32, np.float32)
    engine = training.choose_engine(engine)
    model = (lstm.build if engine == "keras" else lstm.initial_weights)(config, seed=0)
    training.fit(model, config, x, y, epochs=1, seed=0, engine=engine)
    training.predict(model, config, x, engine=engine)


class Evaluator:
    """A warm worker process for trials, one at a time; a context manager. Starts at the first trial.

    Parameters
    ----------
    threads : int
        Threads of TensorFlow, Numba and the linear algebra in the worker, which sees no GPU unless the environment
        variable CUDA_VISIBLE_DEVICES names one: the papers' networks are small, and numbers are those of the CPU.
    growth_mb : float
        The worker is replaced, between trials, when its memory has grown by this much since its first one.
    work : callable
        What the worker runs, a module-level function: `work(config, dataset, *, epochs, seed, engine, stage)` returns
        `Measured`.
    prepare : callable
        `prepare(engine)` runs in a new worker before its first trial with an engine; not timed.

    Raises
    ------
    ValueError
        If `threads` is no whole number of at least 1.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        growth_mb: float = 1024.0,
        work: Callable[..., Measured] = train_and_measure,
        prepare: Callable[[str], None] = warm_up,
    ) -> None:
        self.threads = whole("threads", threads)
        self.growth_mb = growth_mb
        self._work, self._prepare = work, prepare
        self._process: subprocess.Popen | None = None
        self._pipe: Connection | None = None
        self._lifeline = -1  # a pipe that nothing is written to; the worker ends when this end closes
        self._errors: Any = None  # what the worker writes to its standard error
        self._dataset: Dataset | None = None  # the one that the worker holds
        self._first_rss = math.inf

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process number of the worker; None while there is none."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the worker. Its state is worth nothing between trials, so it is simply killed."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            self._pipe.close()
            os.close(self._lifeline)
            self._errors.close()
        self._dataset, self._first_rss = None, math.inf

    def evaluate(
        self,
        config: LstmConfig,
        dataset: Dataset,
        *,
        epochs: int = EPOCHS,
        seed: int,
        engine: str = "auto",
        time_limit: float | None = None,
        memory_limit_mb: float | None = None,
        stage: str = "tune",
        keep_predictions: bool = False,
    ) -> TrialResult:
        """One trial; arguments, result and errors as for the function `evaluate`."""
        if not isinstance(config, LstmConfig):
            raise ValueError(f"config must be an LstmConfig, not {type(config).__name__}.")
        if engine not in training.ENGINES:
            raise ValueError(f"Unknown engine {engine!r}; valid engines are {', '.join(training.ENGINES)}.")
        if stage not in STAGES:
            raise ValueError(f"Unknown stage {stage!r}; valid stages are {', '.join(STAGES)}.")
        arguments = dict(epochs=whole("epochs", epochs), seed=whole("seed", seed, least=0), engine=engine, stage=stage)
        time_limit = TIME_LIMIT if time_limit is None else _limit("time_limit", time_limit)
        memory_limit_mb = _limit("memory_limit_mb", memory_limit_mb)
        try:
            self._start_trial(config, dataset, arguments)
            result = self._await(time_limit, memory_limit_mb)
        except BaseException:  # Ctrl-C above all: a worker in an unknown state is of no use
            self.close()
            raise
        return result if keep_predictions else replace(result, predictions=None)

    # The parent's side.

    def _start_trial(self, config: LstmConfig, dataset: Dataset, arguments: dict[str, Any]) -> None:
        """Hand the trial to the worker and wait until it begins. A worker that died while idle is replaced once."""
        for attempt in (1, 2):
            if self._process is None:
                self._launch()
            until, new = time.monotonic() + START_LIMIT, dataset is not self._dataset
            try:
                with self._killing_after(START_LIMIT) if new else contextlib.nullcontext():
                    if new:
                        self._pipe.send(("dataset", dataset))
                        self._dataset = dataset
                    self._pipe.send(("trial", self._work, self._prepare, config, arguments))
                if not self._pipe.poll(max(0.0, until - time.monotonic())):
                    raise WorkerError(f"The worker process was not ready after {START_LIMIT:.0f} s.")
                kind, content = self._pipe.recv()
            except (EOFError, OSError):
                ending, said = self._ending(), self._last_words()
                self.close()
                if attempt == 2:
                    raise WorkerError(f"The worker process cannot start: {ending}. {said}".strip()) from None
                continue
            if kind != "started":
                raise WorkerError(f"The worker process cannot start: {content}.")
            self._first_rss = min(self._first_rss, content)
            return

    @contextlib.contextmanager
    def _killing_after(self, seconds: float) -> Iterator[None]:
        """Kill the worker if what is sent to it meanwhile, more than a pipe holds, is not read in time.

        Raises
        ------
        WorkerError
            If it was killed: without a reader the send has failed.
        """
        process, late = self._process, threading.Event()

        def kill() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        except OSError:
            if late.is_set():
                raise WorkerError(f"The worker process was not ready after {seconds:.0f} s.") from None
            raise
        finally:
            timer.cancel()

    def _launch(self) -> None:
        """Start a worker.

        Raises
        ------
        WorkerError
            If the system does not let it start; nothing stays open then.
        """
        limited = dict.fromkeys(
            (
                "OMP_NUM_THREADS",
                "OPENBLAS_NUM_THREADS",
                "MKL_NUM_THREADS",
                "NUMBA_NUM_THREADS",
                "TF_NUM_INTRAOP_THREADS",
                "TF_NUM_INTEROP_THREADS",
            ),
            str(self.threads),
        )
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:  # what either side keeps open
            try:
                search = [str(paths.ROOT), *(entry or os.getcwd() for entry in sys.path)]
                environment = (
                    {"CUDA_VISIBLE_DEVICES": "-1"}
                    | os.environ
                    | limited
                    | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": os.pathsep.join(search)}
                )
                pipe, other = Pipe()
                ours.callback(pipe.close)
                theirs.callback(other.close)
                listening, lifeline = os.pipe()
                ours.callback(os.close, lifeline)
                theirs.callback(os.close, listening)
                errors = ours.enter_context(tempfile.TemporaryFile())
                given = f"{other.fileno()}, {os.getpid()}, {listening}"
                # A plain subprocess rather than multiprocessing's spawn, which imports the caller's script again.
                process = subprocess.Popen(
                    [sys.executable, "-c", f"from helpers.trial import serve; serve({given})"],
                    env=environment,
                    pass_fds=[other.fileno(), listening],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    process_group=0,  # Ctrl-C in a terminal reaches the parent alone
                )
            except OSError as error:  # no Python there, no room for another process or file
                reason = error.strerror or type(error).__name__
                raise WorkerError(f"The worker process cannot start: {reason}.") from error
            ours.pop_all()
            self._process, self._pipe, self._lifeline, self._errors = process, pipe, lifeline, errors

    def _await(self, time_limit: float | None, memory_limit_mb: float | None) -> TrialResult:
        """Wait for the trial's end, its death or a limit."""
        started = time.perf_counter()
        watch = _Watch(self._process.pid)
        while not self._pipe.poll(_until(started, time_limit)):
            watch.look()
            elapsed = time.perf_counter() - started
            if time_limit is not None and elapsed >= time_limit:
                self.close()
                return watch.failed(f"time above its limit: killed after {elapsed:.1f} s, {time_limit:g} s allowed")
            if memory_limit_mb is not None and watch.rss_mb > memory_limit_mb:
                self.close()
                used = f"{watch.rss_mb:,.0f} MB used, {memory_limit_mb:,.0f} MB allowed"
                return watch.failed(f"memory above its limit: {used}")
        try:
            kind, content, rss_mb = self._pipe.recv()
        except (EOFError, OSError):
            ending = self._ending()
            logger.debug("The worker's last words: %s", self._last_words())
            self.close()
            return watch.failed(f"the worker process {ending}")
        watch.seen(rss_mb)
        if rss_mb > self._first_rss + self.growth_mb:
            logger.debug("The worker has grown from %.0f to %.0f MB and is replaced.", self._first_rss, rss_mb)
            self.close()
        if kind == "failed":
            return watch.failed(content)
        metrics = {name: float(content.metrics[name]) for name in METRICS}
        bad = [name for name, value in metrics.items() if not math.isfinite(value)]
        if bad:
            return watch.failed(f"the forecasts' {', '.join(bad)} is not finite")
        return TrialResult(
            "ok",
            **metrics,
            seconds=float(content.seconds),
            cpu_percent=_percent(content.cpu_seconds, content.seconds),
            peak_rss_mb=watch.peak_mb,
            memory_used_mb=_machine_mb(),
            predictions=content.predictions,
            engine=content.engine,
        )

    def _ending(self) -> str:
        """How the worker ended, in words."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:  # it closed the pipe, yet lives
            return "closed its pipe"
        if code >= 0:
            return f"ended with exit code {code}"
        perhaps = ", perhaps out of memory" if code == -signal.SIGKILL else ""
        return f"was killed by signal {-code} ({signal.Signals(-code).name}){perhaps}"

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return _sentence(lines[-1]) if lines else ""


class Workers:
    """Workers that several parts of a run share, since one takes longer to start than most trainings take.

    Where a function takes an `evaluator`, this serves: called, it lends its workers in turn, and who borrowed one does
    not end it. They start at their first trial. The parts run one after the other, each with at most `jobs` of them.

    Parameters
    ----------
    jobs : int
    evaluator : callable
        Makes one.

    Raises
    ------
    ValueError
        If `jobs` is no whole number of at least 1.
    """

    def __init__(self, jobs: int = 2, *, evaluator: Callable[[], Evaluator] = Evaluator) -> None:
        self._all = tuple(evaluator() for _ in range(whole("jobs", jobs)))
        self._turn = itertools.cycle(self._all)

    def __call__(self) -> contextlib.AbstractContextManager[Evaluator]:
        return contextlib.nullcontext(next(self._turn))

    def __iter__(self) -> Iterator[Evaluator]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def close(self) -> None:
        """End the workers; a later trial starts them again."""
        for worker in self:
            worker.close()


class _Watch:
    """What the parent sees of the worker during one trial."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._started = time.perf_counter()
        self._first_cpu = self._cpu = 0.0
        self.rss_mb = self.peak_mb = 0.0
        self.look()
        self._first_cpu = self._cpu

    def look(self) -> None:
        try:
            with self._process.oneshot():
                times = self._process.cpu_times()
                self._cpu = times.user + times.system
                self.seen(self._process.memory_info().rss / _MB)
        except psutil.Error:  # it is gone; the pipe will say so
            logger.debug("The worker cannot be looked at any more.")

    def seen(self, rss_mb: float) -> None:
        self.rss_mb, self.peak_mb = rss_mb, max(self.peak_mb, rss_mb)

    def failed(self, reason: str) -> TrialResult:
        seconds = time.perf_counter() - self._started
        return TrialResult(
            "failed",
            reason,
            seconds=seconds,
            cpu_percent=_percent(self._cpu - self._first_cpu, seconds),
            peak_rss_mb=self.peak_mb,
            memory_used_mb=_machine_mb(),
        )


def _percent(cpu_seconds: float, seconds: float) -> float:
    """Processor time in percent of all cores. From times, not samples, so that a trial of 5 ms has a value as well."""
    return 100.0 * cpu_seconds / max(seconds, 1e-9) / cores()


def _machine_mb() -> float:
    return psutil.virtual_memory().used / _MB


def _until(started: float, time_limit: float | None) -> float:
    """Seconds until the next look at the worker."""
    if time_limit is None:
        return SAMPLE_EVERY
    return min(SAMPLE_EVERY, max(0.0, started + time_limit - time.perf_counter()))


def _limit(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real) or not value > 0:
        raise ValueError(f"{name} must be a positive number or None, not {value!r}.")
    return float(value)


# The worker's side.


def serve(descriptor: int, parent: int, lifeline: int) -> None:
    """Run trials that arrive on a pipe until it closes. The main function of the worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # When the parent is gone the kernel sends SIGIO, which ends this process also in native code that lets no thread of
    # Python run. Should it have been gone before this line, the thread sees it.
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("500")  # where the machine's memory runs out, a trial ends, not the study
    end_with(parent)
    pipe = Connection(descriptor)
    worker = psutil.Process()
    dataset, prepared = None, set()
    while True:
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            return
        except Exception as error:  # what was sent cannot be read here, say a module that is not found
            pipe.send(("broken", _explain(error)))
            continue
        if message[0] == "dataset":
            dataset = message[1]
            continue
        _, work, prepare, config, arguments = message
        try:
            if arguments["engine"] not in prepared:
                prepare(arguments["engine"])
                prepared.add(arguments["engine"])
                gc.collect()
                gc.freeze()  # TensorFlow's own objects stay; looking through them after every trial takes half a second
        except BaseException as error:
            pipe.send(("broken", _explain(error)))
            continue
        pipe.send(("started", worker.memory_info().rss / _MB))
        try:
            kind, content = "done", work(config, dataset, **arguments)
        except BaseException as error:  # SystemExit too: a trial ends nothing but itself
            kind, content = "failed", _explain(error)
        try:
            pipe.send((kind, content, worker.memory_info().rss / _MB))
        except OSError:  # nobody waits any more
            return


def _explain(error: BaseException) -> str:
    if isinstance(error, training.Diverged):
        return _sentence(str(error))
    return _sentence(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def _sentence(text: str) -> str:
    """First line of a message, at most 200 characters, no names of folders: reasons are committed with the records."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    return re.sub(r"(?:/[^\s/:'\"]+)+/", "", line)[:200].rstrip(".")
