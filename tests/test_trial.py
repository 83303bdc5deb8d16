"""One trial: whatever happens in the worker, the parent gets a result; and it is measured truly."""

import ctypes
import errno
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from helpers import paths, trial
from helpers.prices import Prices, closes_sha256
from helpers.space import LstmConfig
from helpers.training import Diverged
from helpers.windows import Dataset, protocol

CONFIG = LstmConfig(layers=1, units=2, learning_rate=0.01, batch_size=16, sequence_length=5, dropout_rate=0.1)


def small_dataset(name="described", rows=300):
    rng = np.random.default_rng(0)
    index = pd.bdate_range("2000-01-03", periods=rows, name="Date")
    close = pd.Series(100 * np.exp(np.cumsum(rng.normal(0.001, 0.01, rows))), index=index, name="Close")
    return Dataset(Prices("TEST", close, "file", closes_sha256(close), ""), protocol(name), max_sequence_length=10)


# What the worker runs in the tests: `seed` says what shall happen. `dataset` is whatever was sent.


def no_preparation(engine):
    pass


def measured(mse=0.5, seconds=1.0, cpu_seconds=1.0, predictions=(1.0, 2.0)):
    return trial.Measured(dict.fromkeys(trial.METRICS, mse), np.array(predictions, np.float32), seconds, cpu_seconds)


def raises(seed):
    if seed == 1:
        raise KeyError("/some/private/folder/file.csv is missing\nsecond line")
    if seed == 2:
        raise Diverged("The training loss was no longer finite in epoch 3 of 10.")
    if seed == 3:
        sys.exit(3)
    if seed == 4:
        raise MemoryError


def misbehave(config, dataset, *, epochs, seed, engine, stage):
    raises(seed)
    if seed == 10:
        os._exit(7)
    if seed == 11:
        os.kill(os.getpid(), signal.SIGKILL)
    if seed == 12:
        os.kill(os.getpid(), signal.SIGSEGV)
    if seed == 13:
        os.kill(os.getpid(), signal.SIGSTOP)  # deaf to everything but SIGKILL
    if seed == 18:
        ctypes.PyDLL(None).sleep(60)  # native code that keeps the interpreter's lock
    if seed == 19:
        return measured(mse=int(Path("/proc/self/oom_score_adj").read_text()))
    if seed == 14:
        memory = np.ones(400 * 2**20, np.uint8)
        time.sleep(60 * len(memory))
    if seed == 15:
        return measured(mse=math.nan)
    if seed == 16:
        global kept
        kept = np.ones(200 * 2**20, np.uint8)
    if seed == 17:
        started, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - started < 0.5:
            pass
        return measured(seconds=time.perf_counter() - started, cpu_seconds=time.process_time() - cpu)
    return measured(mse=float(dataset), predictions=(os.getpid(), 0))


@pytest.fixture(scope="module")
def evaluator():
    with trial.Evaluator(work=misbehave, prepare=no_preparation, growth_mb=100) as one:
        yield one


def test_a_good_trial(evaluator):
    result = evaluator.evaluate(CONFIG, 0.25, seed=0, keep_predictions=True)
    assert result.ok and result.status == "ok" and result.reason == "" and result.mse == 0.25
    assert result.predictions.shape == (2,) and result.predictions.dtype == np.float32
    assert evaluator.evaluate(CONFIG, 0.25, seed=0).predictions is None


def test_the_worker_stays_warm_and_takes_a_new_dataset(evaluator):
    pid = evaluator.pid
    assert evaluator.evaluate(CONFIG, 0.75, seed=0).mse == 0.75
    assert evaluator.evaluate(CONFIG, 0.5, seed=0).mse == 0.5
    assert evaluator.pid == pid


@pytest.mark.parametrize(
    ("seed", "reason"),
    [
        (1, "KeyError: 'file.csv is missing\\nsecond line'"),
        (2, "The training loss was no longer finite in epoch 3 of 10"),
        (3, "SystemExit: 3"),
        (4, "MemoryError"),
        (15, "the forecasts' mse, rmse, mae, r2, mse_points, rmse_points, mae_points is not finite"),
    ],
)
def test_an_error_fails_the_trial_and_keeps_the_worker(evaluator, seed, reason):
    evaluator.evaluate(CONFIG, 1.0, seed=0)
    pid = evaluator.pid
    result = evaluator.evaluate(CONFIG, 1.0, seed=seed)
    assert (result.status, result.reason) == ("failed", reason)
    assert math.isnan(result.mse) and result.seconds >= 0 and result.peak_rss_mb > 0
    assert evaluator.evaluate(CONFIG, 1.0, seed=0).ok and evaluator.pid == pid


@pytest.mark.parametrize(
    ("seed", "reason"),
    [
        (10, "the worker process ended with exit code 7"),
        (11, "the worker process was killed by signal 9 (SIGKILL), perhaps out of memory"),
        (12, "the worker process was killed by signal 11 (SIGSEGV)"),
    ],
)
def test_a_death_fails_the_trial_and_replaces_the_worker(evaluator, seed, reason):
    result = evaluator.evaluate(CONFIG, 1.0, seed=seed)
    assert (result.status, result.reason) == ("failed", reason)
    assert evaluator.evaluate(CONFIG, 1.0, seed=0).ok


@pytest.mark.parametrize("seed", [13, 18])
@pytest.mark.parametrize("given", [True, False])
def test_a_hang_ends_at_the_time_limit(evaluator, seed, given, monkeypatch):
    """Also where no limit is given."""
    monkeypatch.setattr(trial, "TIME_LIMIT", 60 if given else 0.5)
    evaluator.evaluate(CONFIG, 1.0, seed=0)
    pid, started = evaluator.pid, time.perf_counter()
    result = evaluator.evaluate(CONFIG, 1.0, seed=seed, time_limit=0.5 if given else None)
    assert time.perf_counter() - started < 5 and not psutil.pid_exists(pid)
    assert result.status == "failed" and result.reason.startswith("time above its limit: killed after 0.")
    assert result.reason.endswith("0.5 s allowed") and 0.5 <= result.seconds < 5


def test_too_much_memory_ends_the_trial(evaluator):
    result = evaluator.evaluate(CONFIG, 1.0, seed=14, memory_limit_mb=350, time_limit=30)
    assert result.status == "failed" and result.reason.startswith("memory above its limit: ")
    assert result.reason.endswith("350 MB allowed") and result.peak_rss_mb > 350
    assert evaluator.evaluate(CONFIG, 1.0, seed=0, memory_limit_mb=350).ok


def test_where_memory_runs_out_the_worker_is_the_first_to_go(evaluator):
    assert evaluator.evaluate(CONFIG, 1.0, seed=19).mse > int(Path("/proc/self/oom_score_adj").read_text())


def test_a_worker_that_has_grown_is_replaced(evaluator):
    evaluator.evaluate(CONFIG, 1.0, seed=0)
    pid = evaluator.pid
    assert evaluator.evaluate(CONFIG, 1.0, seed=16).ok
    assert not psutil.pid_exists(pid)


def test_a_worker_killed_while_idle_fails_no_trial(evaluator):
    evaluator.evaluate(CONFIG, 1.0, seed=0)
    os.kill(evaluator.pid, signal.SIGKILL)
    time.sleep(0.2)
    assert evaluator.evaluate(CONFIG, 1.0, seed=0).ok


def test_cpu_percent_is_of_all_cores(evaluator):
    # One busy loop: its processor time is at most its wall time, on one of the cores.
    result = evaluator.evaluate(CONFIG, 1.0, seed=17)
    one_core = 100 / len(os.sched_getaffinity(0))
    assert 0.2 * one_core < result.cpu_percent <= 1.05 * one_core
    assert 50 < result.peak_rss_mb < 2000 and result.memory_used_mb > result.peak_rss_mb / 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"config": {"layers": 1}},
        {"seed": -1},
        {"seed": 1.5},
        {"seed": True},
        {"epochs": 0},
        {"engine": "slow"},
        {"stage": "test"},
        {"time_limit": 0},
        {"time_limit": math.nan},
        {"memory_limit_mb": "1 GB"},
    ],
)
def test_wrong_arguments_are_named_before_anything_starts(wrong):
    arguments = {"config": CONFIG, "dataset": 1.0, "seed": 0} | wrong
    with trial.Evaluator() as one:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            one.evaluate(arguments.pop("config"), arguments.pop("dataset"), **arguments)
        assert one.pid is None


def broken_preparation(engine):
    raise ImportError("No module named 'tensorflow'")


def test_a_worker_that_cannot_start_is_no_failed_trial():
    with trial.Evaluator(work=misbehave, prepare=broken_preparation) as one:
        with pytest.raises(trial.WorkerError, match="No module named 'tensorflow'"):
            one.evaluate(CONFIG, 1.0, seed=0)
        assert one.pid is None


@pytest.mark.parametrize("broken", ["no such program", "not executable", "no more files"])
def test_a_worker_that_the_system_does_not_start_is_a_worker_error_and_leaves_nothing_open(
    tmp_path, monkeypatch, broken
):
    python = tmp_path / "python"
    if broken == "not executable":
        python.write_text("")
    if broken == "no more files":

        def none():
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(trial.tempfile, "TemporaryFile", none)
    else:
        monkeypatch.setattr(sys, "executable", str(python))
    with trial.Evaluator(work=misbehave, prepare=no_preparation) as one:
        before = os.listdir("/proc/self/fd")
        said = r"^The worker process cannot start: (No such file or directory|Permission denied|Too many open files)\.$"
        with pytest.raises(trial.WorkerError, match=said):
            one.evaluate(CONFIG, 1.0, seed=0)
        assert os.listdir("/proc/self/fd") == before and one.pid is None
        monkeypatch.undo()
        assert one.evaluate(CONFIG, 1.0, seed=0).ok


def test_workers_are_lent_in_turn_and_outlive_who_borrowed_them():
    workers = trial.Workers(2, evaluator=lambda: trial.Evaluator(work=misbehave, prepare=no_preparation))
    with workers() as first, workers() as second:
        assert first.evaluate(CONFIG, 0.5, seed=0).ok and second.pid is None and [first, second] == list(workers)
        pid = first.pid
    with workers() as again:
        assert again is first and again.evaluate(CONFIG, 0.5, seed=0).ok and again.pid == pid
    workers.close()
    assert first.pid is None and len(workers) == 2
    with pytest.raises(ValueError, match="jobs"):
        trial.Workers(0)


def test_a_worker_that_takes_no_dataset_is_given_up(monkeypatch):
    """Also where the dataset is larger than what the pipe between the processes holds."""
    said = []

    def evaluate(dataset):
        try:
            said.append(one.evaluate(CONFIG, dataset, seed=0))
        except BaseException as error:
            said.append(error)

    with trial.Evaluator(work=misbehave, prepare=no_preparation) as one:
        evaluate(1.0)
        pid = one.pid
        os.kill(pid, signal.SIGSTOP)
        monkeypatch.setattr(trial, "START_LIMIT", 1)
        thread = threading.Thread(target=evaluate, args=(np.zeros(2**21),), daemon=True)
        thread.start()
        thread.join(15)
        waited = thread.is_alive()
        os.kill(pid, signal.SIGKILL) if waited else None
        thread.join(15)
        assert not waited, "it waited for ever"
        assert isinstance(said[1], trial.WorkerError) and str(said[1]) == "The worker process was not ready after 1 s."
        assert one.pid is None and not psutil.pid_exists(pid)
        monkeypatch.undo()
        evaluate(0.5)
        assert said[2].ok and said[2].mse == 0.5


SCRIPT = """
import signal, sys
from helpers.space import LstmConfig
from helpers.trial import Evaluator
from hanging import hang, nothing

signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests are a background job, which ignores it
evaluator = Evaluator(work=hang, prepare=nothing)  # no main guard: the script must not run again in the worker
print("started", flush=True)
evaluator.evaluate(LstmConfig(1, 2, 0.01, 16, 5, 0.1), sys.argv[1], seed=0)
"""
HANGING = """
import ctypes, os
from pathlib import Path

def nothing(engine):
    pass

def hang(config, dataset, **arguments):
    Path(dataset).write_text(str(os.getpid()))
    {}
"""


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("hang", ["__import__('time').sleep(120)", "ctypes.PyDLL(None).sleep(120)"])
def test_no_worker_outlives_its_parent(tmp_path, ending, hang):
    """Also one that hangs in native code and keeps the interpreter's lock."""
    (tmp_path / "hanging.py").write_text(HANGING.format(hang))
    (tmp_path / "script.py").write_text(SCRIPT)
    note = tmp_path / "pid"
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "script.py", note],
        env=os.environ | {"PYTHONPATH": str(paths.ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        _wait_for(lambda: note.exists() and note.read_text())
        worker = psutil.Process(int(note.read_text()))
        parent.send_signal(ending)
        said, _ = parent.communicate(timeout=120)
        assert parent.returncode != 0 and said == "started\n"
        worker.wait(timeout=10)
    finally:
        parent.kill()


def _wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_the_papers_lstm_is_trained_and_measured():
    """The real work, once: metrics agree with the predictions, the same seed gives the same numbers."""
    dataset = small_dataset("clean")
    with trial.Evaluator() as one:
        first = one.evaluate(CONFIG, dataset, epochs=2, seed=3, keep_predictions=True)
        again = one.evaluate(CONFIG, dataset, epochs=2, seed=3, keep_predictions=True)
        final = one.evaluate(CONFIG, dataset, epochs=2, seed=3, stage="final", keep_predictions=True)
        too_long = one.evaluate(LstmConfig(1, 2, 0.01, 16, 11, 0.1), dataset, epochs=2, seed=3)
    windows = dataset.windows(CONFIG.sequence_length)
    assert first.ok and first.predictions.shape == windows.y_test.shape
    error = windows.y_test.astype(float) - first.predictions.astype(float)
    assert first.mse == pytest.approx(np.mean(error**2), rel=1e-6)
    assert first.mae == pytest.approx(np.mean(np.abs(error)), rel=1e-6)
    low, high = dataset.scaling("tune")
    assert first.rmse_points == pytest.approx(first.rmse * (high - low), rel=1e-6)
    assert 0 < first.seconds < 60 and 0 < first.cpu_percent <= 105
    assert first.peak_rss_mb > 200
    assert np.array_equal(first.predictions, again.predictions) and first.mse == again.mse
    assert final.predictions.shape == dataset.test_targets("final").shape
    assert too_long.status == "failed" and "sequence_length" in too_long.reason
