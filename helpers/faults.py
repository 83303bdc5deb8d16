"""Faults, caused on purpose: kills at random moments, bad trials, two processes at once, two runs that must be equal.

`helpers.endure` causes them many times and counts, the test suite a few times. Each function raises `Broken` where
something was lost, doubled, silently used or not found, and tells how often the fault met its target: what ended before
it could be killed does not count.
"""

from __future__ import annotations

import contextlib
import csv
import ctypes
import functools
import json
import logging
import math
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import psutil
from tqdm import tqdm

from helpers import contest, journals, ledger, paths, prices, problems, replication, study, windows
from helpers.samplers import BayesianSampler, GanSampler, GeneratorSampler
from helpers.space import GAN_SPACE, GENERATOR_SPACE, LstmConfig, SearchSpace
from helpers.trial import METRICS, Evaluator, Measured, TrialResult
from helpers.windows import Dataset

log = logging.getLogger(__name__)

# Every tuner of the papers; the Gaussian process with both of its ranges.
TUNERS: Mapping[str, tuple[Callable[..., optuna.samplers.BaseSampler], SearchSpace]] = {
    "generator": (GeneratorSampler, GENERATOR_SPACE),
    "gan": (GanSampler, GAN_SPACE),
    "bayesian": (BayesianSampler, GENERATOR_SPACE),
    "bayesian_warped": (functools.partial(BayesianSampler, ranges="warped"), GENERATOR_SPACE),
}
LEDGERS = ("replay", "trainings", "contest")  # `replication.replay`, `ledger.complete`, `contest.hold`
# Columns that a clock or the machine's load decides; all others must be equal in two runs, byte for byte.
MEASUREMENT = re.compile(r"second|minute|hour|\btime\b|\(s\)|thinking|cpu|rss|memory|speed", re.IGNORECASE)


class Broken(AssertionError):
    """A promise that does not hold."""


def require(holds: bool, what: str) -> None:
    """Raise `Broken` unless `holds`."""
    if not holds:
        raise Broken(what)


# --- experiments without training -------------------------------------------------------------------------------------


class Quick:
    """Answers like `trial.Evaluator` without training: a smooth function of the configuration, a little of the seed.

    Parameters
    ----------
    pause : float
        Seconds that a trial takes.
    every : int
        Every so manyth trial, by its seed, fails; 0 for none.
    begun : path, optional
        A file that grows by one byte whenever a trial begins, in whichever process.
    """

    def __init__(self, pause: float = 0.0, every: int = 0, begun: str | Path | None = None) -> None:
        self.pause, self.every, self.begun = pause, every, begun

    def __enter__(self) -> Quick:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """As `trial.Evaluator.close`; there is nothing to end."""

    def evaluate(
        self, config: LstmConfig, dataset: Dataset, *, seed: int, stage: str = "tune", **_: Any
    ) -> TrialResult:
        if self.begun:
            with open(self.begun, "ab") as file:
                file.write(b".")
        time.sleep(self.pause)
        measured = {"seconds": 1.0, "cpu_percent": 50.0, "peak_rss_mb": 500.0, "memory_used_mb": 900.0}
        if self.every and seed % self.every == 0:
            return TrialResult("failed", "the loss was no longer finite", **measured)
        place = np.array([config.layers / 10, config.units / 50, config.dropout_rate, math.log10(config.learning_rate)])
        value = float(np.sum((place - (0.3, 0.4, 0.5, -2.0)) ** 2)) / 10
        value += float(np.random.default_rng(seed).random()) / 1000 + 1e-5
        forecasts = np.full(len(dataset.test_targets(stage)), value, np.float32)
        return TrialResult("ok", **dict.fromkeys(METRICS, value), **measured, predictions=forecasts)


@functools.cache
def small_dataset() -> Dataset:
    """The packaged closes up to 1956, as in the profile `smoke`."""
    return Dataset(prices.load(source="packaged"), windows.protocol("described", as_of="1956-12-31"))


def run_study(
    tuner: str,
    folder: str | Path,
    *,
    trials: int,
    real: bool = False,
    dataset: Dataset | None = None,
    **quick: Any,
) -> optuna.Study:
    """The study `s` of one of `TUNERS` in `folder`, begun or gone on with; `real` trains LSTMs for one epoch.

    `quick`: the arguments of `Quick`, which answers otherwise.
    """
    make, space = TUNERS[tuner]
    settings = dict(trials=trials, seed=1, folder=folder, progress=False, epochs=1)
    evaluator = None if real else Quick(**quick)
    sampler = make(seed=1, space=space)
    return study.run("s", sampler, space, dataset or small_dataset(), evaluator=evaluator, **settings)


def outcome(a_study: optuna.Study) -> list[tuple]:
    """What must not depend on interruptions: numbers, states, parameters, metrics, what the tuner noted."""
    same = ("config", "seed", "status", "reason", *METRICS)
    return [
        (t.number, t.state.name, t.params, t.value, {k: t.user_attrs.get(k) for k in same}, t.system_attrs)
        for t in a_study.get_trials(deepcopy=False)
    ]


def run_ledger(kind: str, folder: str | Path, *, trials: int, **quick: Any) -> None:
    """About `trials` trainings into ledgers in `folder`, by two workers, begun or gone on with.

    `kind`, one of `LEDGERS`: published configurations trained again, trainings of any kind with their forecasts, or
    searches that compete, these by one worker.
    """
    folder = Path(folder)
    if kind == "contest":
        problem = problems.Trained(small_dataset(), "generator", epochs=1, evaluator=lambda: Quick(**quick))
        contest.hold(
            contest.records_path(folder, problem), problem, ["random", "generator", "gan"], [1, 2],
            evaluations=trials // 6, jobs=1, limit=5 * quick.get("pause", 0.0), progress=False,
        )  # fmt: skip
        return
    if kind == "replay":
        replication.replay(
            small_dataset().prices, folder=folder, tables=["gan"], readings=["shuffled", "chronological"],
            rows=min(20, trials // 2), as_of="1956-12-31", epochs=1, progress=False, evaluator=lambda: Quick(**quick),
        )  # fmt: skip
        return
    protocol = small_dataset().protocol
    configs = [LstmConfig(1, 2 + n % 30, 0.01, 64, 5 + n, 0.1) for n in range(trials)]
    wanted = [ledger.Training("S&P 500", protocol, config, seed, "final", True) for seed, config in enumerate(configs)]
    ledger.complete(
        folder / "trainings.jsonl", wanted, lambda *_: small_dataset(), epochs=1, progress=False,
        evaluator=lambda: Quick(**quick),
    )  # fmt: skip


def ledger_outcome(path: Path) -> list[str]:
    """What must not depend on interruptions: the records without measurements, in an order of their own."""
    if path.name.startswith("contest_"):  # a search's evaluations may stand in any number of lines
        head = ledger.read(path, is_record=contest.is_record)[0]
        runs = contest.read(path).values()
        records = [head, *map(vars, runs)]
    else:
        records = ledger.read(path)
    kept = [{k: v for k, v in record.items() if not MEASUREMENT.search(k)} for record in records]
    return sorted(json.dumps(record, sort_keys=True) for record in kept)


def records_of(output: Path) -> dict[str, list]:
    """Outcome of every study and every ledger under `output`, by its path."""
    found: dict[str, list] = {}
    for path in sorted([*output.rglob("*.journal"), *output.rglob("*.jsonl")]):
        name = str(path.relative_to(output))
        is_study = path.suffix == ".journal"
        found[name] = outcome(study.load(path.stem, path.parent)) if is_study else ledger_outcome(path)
    return found


def finished(folder: Path) -> int:
    """Finished trials in all studies and ledgers under `folder`, counted without a lock while others write."""
    count = 0
    for path in sorted([*folder.rglob("*.journal"), *folder.rglob("*.jsonl")]):
        whole = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        if path.suffix == ".journal":  # Optuna's sixth operation sets a trial's state: 1 complete, 3 failed
            whole = [line for line in whole if re.search(rb'"op_code":6,.*"state":[13],', line)]
        if path.name.startswith("contest_"):  # its lines hold several evaluations, the first one none
            count += sum(len(json.loads(line).get("mse", ())) for line in whole)
        else:
            count += len(whole)
    return count


# --- kills ------------------------------------------------------------------------------------------------------------


@dataclass
class Kills:
    """How often something was killed.

    Attributes
    ----------
    trained : int
        Kills among the trainings: after the first and before the last finished trial.
    outside : int
        Kills before or after that.
    repeated : int
        Trials that began more than once.
    """

    trained: int = 0
    outside: int = 0
    repeated: int = 0


@dataclass
class Victim:
    """What is to be killed.

    Attributes
    ----------
    start : callable
        Starts it in a folder, begun or gone on with: a process with `is_alive`, `kill`, `join` and `exitcode`.
    finish : callable
        Ends it undisturbed in a folder.
    trials : int
        That it has when it is finished.
    spread : float
        Seconds within which a kill falls once it has begun.
    begins : int, optional
        Trials that an undisturbed run begins, where that is another number.
    """

    start: Callable[[Path], Any]
    finish: Callable[[Path], Any]
    trials: int
    spread: float
    begins: int | None = None


def kill_often(victim: Victim, whole: Path, folder: Path, *, kills: int, rng: random.Random) -> Kills:
    """Kill with SIGKILL at random moments, start again, until that has met `kills` trainings; finish and compare.

    Most kills fall at a random moment after a start has finished some trials, at most a quarter of all; the others at
    any moment.

    Parameters
    ----------
    victim : Victim
    whole : pathlib.Path
        Folder of an undisturbed run.
    folder : pathlib.Path
        To work in.
    kills : int
    rng : random.Random

    Raises
    ------
    Broken
        If finished trials are lost, the record differs from that of the undisturbed run, or it fails by itself.
    """
    found, rounds, expected = Kills(), 0, records_of(whole)
    require(bool(expected) and finished(whole) == victim.trials, "the undisturbed run is not whole")
    while found.trained < kills:
        rounds += 1
        require(rounds <= kills + 10, "it ends before it can be killed")
        place = folder / f"killed-{rounds}"
        place.mkdir(parents=True)
        while found.trained < kills:
            before = finished(place)
            if before >= victim.trials:
                break  # nothing is left to be killed; another one begins
            process = victim.start(place)
            try:
                if rng.random() < 0.8:
                    wanted = before + rng.randint(1, max(1, victim.trials // 4))
                    while process.is_alive() and finished(place) < min(wanted, victim.trials - 1):
                        time.sleep(victim.spread / 100)
                time.sleep(rng.uniform(0.0, victim.spread))
                met = process.is_alive()
            finally:  # also when this run is ended
                process.kill()
                process.join()
            if not met or process.exitcode != -signal.SIGKILL:
                require(process.exitcode == 0, "it failed by itself")
                break  # it came to its end
            after = finished(place)
            require(after >= before, "finished trials were lost")
            if 0 < after < victim.trials:
                found.trained += 1
            else:
                found.outside += 1
        victim.finish(place)
        require(records_of(place) == expected, "the record of what was killed differs from that of an undisturbed run")
        begun = place / BEGUN
        if begun.exists():
            found.repeated += begun.stat().st_size - (victim.trials if victim.begins is None else victim.begins)
    return found


BEGUN = "begun"  # one byte for each trial that began


@functools.cache
def _forks() -> Any:
    """Processes forked from one that has imported everything: they start in milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["helpers.faults", "bayes_opt"])
    return context


def _fork(work: Callable[..., Any], *arguments: Any, **settings: Any) -> multiprocessing.Process:
    process = _forks().Process(target=_quietly, args=(work, arguments, settings))
    process.start()
    return process


def _quietly(work: Callable[..., Any], arguments: tuple, settings: dict[str, Any]) -> None:
    logging.disable(logging.CRITICAL)
    tqdm.set_lock(threading.RLock())  # its own would be one for several processes, which a kill leaves behind
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    work(*arguments, **settings)


def start_study(tuner: str, folder: str | Path, **settings: Any) -> multiprocessing.Process:
    """`run_study` in a process of its own, begun."""
    return _fork(run_study, tuner, str(folder), dataset=small_dataset(), **settings)  # made once, sent to each


def kill_study(
    tuner: str, folder: Path, *, kills: int, seed: int, trials: int = 40, pause: float = 0.02, real: bool = False
) -> Kills:
    """Kill a study of one of `TUNERS`, see `kill_often`; `real` trains LSTMs.

    Raises
    ------
    Broken
        As `kill_often`, and if more than the trial in flight was trained again.
    """
    quick = {} if real else {"every": 7}

    def start(place: Path) -> Any:
        timed = {} if real else {"pause": pause, "begun": place / BEGUN}
        return start_study(tuner, place, trials=trials, real=real, **quick, **timed)

    def finish(place: Path) -> None:
        run_study(tuner, place, trials=trials, real=real, **quick, **({} if real else {"begun": place / BEGUN}))

    undisturbed = run_study(tuner, folder / "whole", trials=trials, real=real, **quick)
    # Trainings take as long as they take on this machine.
    half = 0.5 * float(study.records(undisturbed)["seconds"].sum())
    victim = Victim(start, finish, trials, max(0.1, half) if real else 10 * pause)
    found = kill_often(victim, folder / "whole", folder, kills=kills, rng=random.Random(f"{tuner} {seed}"))
    require(found.repeated <= found.trained + found.outside, f"{tuner}: more than the trial in flight was repeated")
    return found


def kill_ledger(kind: str, folder: Path, *, kills: int, seed: int, trials: int = 30, pause: float = 0.02) -> Kills:
    """Kill what records into one of `LEDGERS`, see `kill_often`.

    Raises
    ------
    Broken
        As `kill_often`, and if more than the trials in flight, one a worker, were trained again.
    """

    def start(place: Path) -> Any:
        return _fork(run_ledger, kind, str(place), trials=trials, pause=pause, every=7, begun=place / BEGUN)

    def finish(place: Path) -> None:
        run_ledger(kind, place, trials=trials, every=7, begun=place / BEGUN)

    (folder / "whole").mkdir(parents=True)
    run_ledger(kind, folder / "whole", trials=trials, every=7, begun=folder / "whole" / BEGUN)
    # A configuration that a contest has trained already is not trained again.
    begins = (folder / "whole" / BEGUN).stat().st_size
    require(begins == trials or kind == "contest", f"{kind}: {begins} of {trials} trials began")
    victim = Victim(start, finish, trials, 6 * pause, begins)
    found = kill_often(victim, folder / "whole", folder, kills=kills, rng=random.Random(f"{kind} {seed}"))
    workers = 1 if kind == "contest" else 2
    require(
        found.repeated <= workers * (found.trained + found.outside), f"{kind}: more than those in flight were repeated"
    )
    return found


class Reproduction:
    """The profile `smoke` into a folder, as a process with all that it starts.

    Parameters
    ----------
    output : path
    keep : bool
        Go on with the records that are there.
    only : str
        See `helpers.reproduce`.
    """

    def __init__(self, output: str | Path, *, keep: bool = False, only: str = "") -> None:
        command = [sys.executable, "-m", "helpers.reproduce", "--profile", "smoke", "--output", str(output)]
        command += ["--jobs", "2", *(["--keep"] if keep else []), *(["--only", only] if only else [])]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, cwd=paths.ROOT, stdout=quiet, stderr=quiet, start_new_session=True)

    @property
    def exitcode(self) -> int | None:
        return self._process.returncode

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """As when a machine loses power: the process and all that it started, at once."""
        if not self.is_alive():
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            tree = [psutil.Process(self._process.pid)]
            tree += tree[0].children(recursive=True)
            for process in tree:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(tree[1:], timeout=10)

    def join(self) -> None:
        try:
            self._process.wait()
        finally:  # also when this run is ended
            self.kill()


def reproduce(output: str | Path, *, keep: bool = False, only: str = "") -> int:
    """`Reproduction`, to its end; its exit status."""
    process = Reproduction(output, keep=keep, only=only)
    process.join()
    return process.exitcode


def kill_reproduction(whole: Path, folder: Path, *, kills: int, seed: int, only: str = "", spread: float = 15) -> Kills:
    """Kill whole reproductions, see `kill_often`; their tables must be those of the undisturbed one in `whole`, too."""

    def start(place: Path) -> Any:
        return Reproduction(place, keep=True, only=only)

    def finish(place: Path) -> None:
        require(reproduce(place, keep=True, only=only) == 0, "a killed reproduction cannot be finished")
        different = table_differences(*(f / "figures" / "tables" for f in (whole, place)))
        require(not different, f"a killed reproduction has other tables: {different}")

    victim = Victim(start, finish, finished(whole), spread)
    return kill_often(victim, whole, folder, kills=kills, rng=random.Random(f"reproduction {seed}"))


# --- bad trials -------------------------------------------------------------------------------------------------------

# What a worker does, by the trial's seed modulo their number, and how its record must begin.
BAD_TRIALS = (
    ("raises an exception", "ArithmeticError: on purpose"),
    ("forecasts NaN", "the forecasts' mse"),
    ("is killed by the system", "the worker process was killed by signal 9"),
    ("takes too much memory", "memory above its limit"),
    ("takes too long", "time above its limit"),
    ("hangs in native code", "time above its limit"),
)


def misbehave(config: LstmConfig, dataset: Dataset, *, seed: int, **_: Any) -> Measured:
    """Work for a `trial.Evaluator`: one of `BAD_TRIALS`."""
    kind = BAD_TRIALS[seed % len(BAD_TRIALS)][0]
    if kind == "raises an exception":
        raise ArithmeticError("on purpose")
    if kind == "is killed by the system":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "hangs in native code":
        ctypes.PyDLL(None).sleep(60)  # keeps the interpreter's lock: no thread, no signal handler of Python runs
    if kind == "takes too much memory":
        kept = np.ones(600 * 2**20, np.uint8)
        time.sleep(60 * len(kept))
    if kind == "takes too long":
        time.sleep(60)
    return Measured(dict.fromkeys(METRICS, math.nan), np.zeros(1, np.float32), 1.0, 1.0)


def unprepared(engine: str) -> None:
    """Nothing to warm up."""


def bad_trials(folder: Path, *, cases: int, seed: int) -> int:
    """A study in which every second trial is one of `BAD_TRIALS`, in a worker; how many there were.

    Raises
    ------
    Broken
        If one of them is not one failed record with its reason, or the others are not what they are without it.
    """

    class Mixed(Quick):
        calls = seed

        def evaluate(self, *given: Any, **named: Any) -> TrialResult:
            Mixed.calls += 1
            if Mixed.calls % 2:
                return super().evaluate(*given, **named)
            kind = Mixed.calls // 2 % len(BAD_TRIALS)
            greedy = BAD_TRIALS[kind][0] == "takes too much memory"
            limits = {"time_limit": 30.0 if greedy else 1.0, "memory_limit_mb": 400.0}
            return worker.evaluate(*given, **named | limits | {"seed": kind})

    make, space = TUNERS["generator"]
    with Evaluator(work=misbehave, prepare=unprepared) as worker:
        settings = dict(trials=2 * cases, seed=1, folder=folder, progress=False, give_up_after=10**6)
        done = study.run("s", make(seed=1, space=space), space, small_dataset(), evaluator=Mixed(), **settings)
    frame = study.records(done)
    require(len(frame) == 2 * cases, "the study did not go on")
    bad = 0
    for call, row in enumerate(frame.to_dict("records"), start=seed + 1):
        kind, reason = BAD_TRIALS[call // 2 % len(BAD_TRIALS)] if call % 2 == 0 else ("is good", "")
        require((row["status"] == "ok") == (call % 2 == 1), f"a trial that {kind} is recorded as {row['status']}")
        require(str(row["reason"]).startswith(reason), f"a trial that {kind} has the reason {row['reason']!r}")
        bad += row["status"] == "failed"
    return bad


# --- two at once ------------------------------------------------------------------------------------------------------


def share_study(tuner: str, folder: Path, *, processes: int = 2, trials: int = 30, pause: float = 0.05) -> int:
    """Several processes run one study at once; how many of them recorded trials.

    Raises
    ------
    Broken
        If a trial is lost or doubled, or a process fails.
    """
    whole = outcome(run_study(tuner, folder / "whole", trials=trials))
    place = folder / "shared"
    place.mkdir(parents=True)
    settings = {"trials": trials, "pause": pause, "begun": place / BEGUN, "dataset": small_dataset()}
    started = [_fork(_run_together, processes, tuner, str(place), **settings) for _ in range(processes)]
    for process in started:
        process.join(120)
        require(process.exitcode == 0, f"{tuner}: one of {processes} processes failed")
    require(outcome(study.load("s", place)) == whole, f"{tuner}: the record of a shared study differs")
    require((place / BEGUN).stat().st_size == trials, f"{tuner}: a trial was trained twice")
    content = study.journal_path("s", place).read_text("utf-8").splitlines()
    return len({line.split('"worker_id":"')[1].split("-")[0] for line in content if '"param_name"' in line})


def _run_together(processes: int, tuner: str, place: str, **settings: Any) -> None:
    """`run_study`, once all the processes are there: on a busy machine one would be done before another begins."""
    (Path(place) / f"{os.getpid()}.there").touch()
    for _ in range(6000):
        if len(list(Path(place).glob("*.there"))) == processes:
            break
        time.sleep(0.01)
    run_study(tuner, place, **settings)


def take_turn(journal: Path, turns: Path, name: str) -> None:
    """Hold a study once, and write a line into the file `turns`."""
    with journals.held(journal), turns.open("a") as file:
        file.write(f"{name}\n")


def race(journal: Path, turns: Path, *, rounds: int) -> None:
    """Let go of a study that another process waits for and want it back at once; who had it goes into `turns`.

    Raises
    ------
    Broken
        If the other does not come to wait.
    """
    for number in range(rounds):
        with journals.held(journal):
            other = _fork(take_turn, journal, turns, str(number))
            until, place = time.monotonic() + 60, journal.with_suffix(".lock.next")
            while not (place.exists() and place.read_text()):  # it writes its number once the place is its own
                require(time.monotonic() < until, "nobody waits for the study")
                time.sleep(0.001)
        take_turn(journal, turns, "again")
        other.join()


# --- two runs ---------------------------------------------------------------------------------------------------------


def table_differences(one: Path, other: Path) -> list[str]:
    """Where the CSV tables under two folders differ, in columns that are no measurement of time or memory.

    Compared as text, byte for byte. Rows that say in words what they measure (a quantity's name, a claim about time or
    the use of memory) are left out where that is a measurement.
    """
    names = {str(p.relative_to(folder)) for folder in (one, other) for p in folder.rglob("*.csv")}
    names -= {"endure.csv", "bench.csv"}
    found = []
    for name in sorted(names):
        if not ((one / name).is_file() and (other / name).is_file()):
            found.append(f"{name} is in one folder only")
            continue
        tables = [_without_measurements(folder / name) for folder in (one, other)]
        if tables[0] != tables[1]:
            number = next((i for i, (a, b) in enumerate(zip(*tables, strict=False)) if a != b), -1)
            found.append(f"{name}, row {number + 1} differs" if number >= 0 else f"{name} has other rows")
    return found


def _without_measurements(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = list(csv.reader(file))
    kept = [i for i, name in enumerate(head) if not MEASUREMENT.search(name)]
    rows = [row for row in rows if not any(MEASUREMENT.search(cell) for cell in row)]
    return [[row[i] for i in kept] for row in [head, *rows]]
