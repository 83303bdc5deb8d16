"""The contest: every tuner gets the same problem, the same seeds and the same number of evaluations.

A task is (tuner, seed, space, protocol): one search. Tasks run in legs. A leg begins a search anew, gives it the
recorded results again, which leads it to where it was, and goes on until its time is over; what it added is one line of
`contest_*.jsonl`. What a leg has trained is noted beside these records at once, so that a run after a kill trains at
most the evaluations in flight again; on a cluster, which has no common disk, the legs under way. No evaluation is
counted twice.

Legs are joblib tasks: processes of this machine, or a Dask cluster, whose workers need this environment and this
repository on their path, and no common disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers import ledger
from helpers.checks import whole
from helpers.entrants import ENTRANTS, EVALUATIONS, NOTED, Key, Run, Search, Task, forget, legs, noted, results
from helpers.problems import ContestError, Measurement, Problem
from helpers.progress import Bar
from helpers.space import lstm_space

logger = logging.getLogger(__name__)

LEG_SECONDS = 300.0  # of trainings: what a killed worker of a cluster loses at most, beside the training under way
TOGETHER = 8  # searches at most that one call takes, one after the other: a worker's start takes seconds
SHARES = 128  # into how many parts a cluster's searches are put, at least
ATTEMPTS = 3  # times that a pool whose processes were killed is made anew without a leg in between


# Many searches.


def hold(
    path: Path,
    problem: Problem,
    tuners: Sequence[str],
    seeds: Iterable[int],
    *,
    evaluations: int = EVALUATIONS,
    jobs: int = 2,
    dask: str = "",
    train: bool = True,
    limit: float = LEG_SECONDS,
    progress: bool = True,
) -> pd.DataFrame:
    """All searches of `tuners` with `seeds`, from their records where they are complete; see `frame`.

    Parameters
    ----------
    path : pathlib.Path
        File of records, `*.jsonl`; made if missing.
    problem : Problem
    tuners, seeds
    evaluations : int
        Of every search. A longer search continues a shorter one.
    jobs : int
        Processes at a time, one core each; results do not depend on it.
    dask : str
        Address of a Dask scheduler, "tcp://...", whose workers do the work instead.
    train : bool
        False reads only.
    limit : float
        Seconds of a leg.
    progress : bool
        Whether to show a bar on standard error.

    Raises
    ------
    ContestError
        For unknown tuners, `jobs` or `evaluations` below 1, records of another problem, a damaged file or one that
        another process writes, a scheduler that cannot be reached, or with `train=False` searches not complete.
    """
    jobs = whole("jobs", jobs, error=ContestError)
    evaluations = whole("evaluations", evaluations, error=ContestError)
    tasks = [Task(tuner, seed, problem.space, problem.protocol) for seed in seeds for tuner in tuners]
    runs = read(path, problem)
    missing = [task for task in tasks if len(_of(runs, task)) < evaluations]
    if missing and not train:
        raise ContestError(f"{len(missing)} of {len(tasks)} searches are not complete in {path.name}; run them first.")
    if missing:
        try:
            with ledger.appending(path, is_record=is_record) as append, _workers(dask):
                runs = read(path, problem)  # another process may have added some before this one held the file
                if not path.stat().st_size:
                    append({"problem": _identity(problem), "naive_mse": _number(problem.naive)})
                missing = [task for task in tasks if len(_of(runs, task)) < evaluations]
                notes = _notes(path, problem) if problem.reuse and not dask else ""
                _run(missing, runs, problem, append, evaluations, jobs, bool(dask), limit, progress, path.stem, notes)
                if notes:
                    forget(notes)
        except ledger.LedgerError as error:
            raise ContestError(str(error)) from None
    return frame({(t.tuner, t.seed): _of(runs, t) for t in tasks}, problem.space, evaluations)


Runs = dict[tuple[str, int], Run]


def _of(runs: Runs, task: Task) -> Run:
    return runs.setdefault((task.tuner, task.seed), Run(task.tuner, task.seed))


def _run(
    missing: Sequence[Task],
    runs: Runs,
    problem: Problem,
    append: Callable[[Mapping[str, Any]], None],
    evaluations: int,
    jobs: int,
    dask: bool,
    limit: float,
    progress: bool,
    name: str,
    notes: str,
) -> None:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    known: dict[int, dict[Key, Measurement]] = {}
    waiting = deque(missing)

    def learn(run: Run) -> None:
        if problem.reuse:
            known.setdefault(run.seed, {}).update(results(run))

    def calls() -> Iterator[Any]:
        """Searches as workers become free, each with what is known by then; several share one worker's start."""
        while waiting:
            shares = SHARES if dask else 4 * jobs if jobs > 1 else 1  # small shares at the end keep all at work
            many = max(1, min(TOGETHER, len(waiting) // shares))
            tasks = [waiting.popleft() for _ in range(min(many, len(waiting)))]
            searches = [Search(task, _of(runs, task), dict(known.get(task.seed, {}))) for task in tasks]
            yield delayed(legs)(problem, searches, evaluations, limit=limit, notes=notes)

    def look_up() -> None:
        """What was trained by processes that were killed before they could hand it over."""
        for seed, found in (noted(notes) if notes else {}).items():
            known.setdefault(seed, {}).update(found)

    look_up()
    for run in runs.values():
        learn(run)
    total = evaluations * len(missing)
    begun = total - sum(evaluations - len(_of(runs, task)) for task in missing)
    failures, best = 0, math.inf
    with Bar(total, name, unit="evaluation", done=begun, shown=progress) as bar:
        while waiting:
            pool = Parallel(n_jobs=-1 if dask else jobs, batch_size=1, return_as="generator_unordered")
            try:
                for leg in itertools.chain.from_iterable(pool(calls())):
                    failures = 0
                    task = Task(leg.tuner, leg.seed, problem.space, problem.protocol)
                    run = _of(runs, task)
                    if len(leg) and run.extend(leg):
                        append(_line(leg))
                        learn(leg)
                        best = min([best, *(v for v in leg.mse if math.isfinite(v))])
                        bar.update(len(leg), best=best)
                    if len(run) < evaluations:
                        waiting.append(task)
            except TerminatedWorkerError as error:
                failures += 1
                if failures > ATTEMPTS:
                    raise ContestError(
                        f"{name}: its worker processes were killed {failures} times in a row."
                    ) from error
                logger.warning("%s: a worker process was killed; its searches begin again from their records.", name)
                look_up()
            waiting.clear()
            waiting.extend(task for task in missing if len(_of(runs, task)) < evaluations)


@contextlib.contextmanager
def _workers(address: str) -> Iterator[None]:
    """joblib on the Dask cluster at `address`, or, where that is empty, on this machine."""
    if not address:
        yield
        return
    import distributed
    from joblib import parallel_config

    try:
        client = distributed.Client(address, timeout=20)
    except (OSError, ValueError) as error:
        raise ContestError(
            f"No Dask scheduler answers at {address!r} ({type(error).__name__}); an address looks like tcp://host:8786."
        ) from None
    with client, parallel_config(backend="dask", wait_for_workers_timeout=60):
        yield


# Records.


def records_path(folder: Path, problem: Problem) -> Path:
    """Where the searches on a problem are recorded."""
    kind = "contest" if problem.reuse else "contest_surrogate"
    return _named(folder, kind, problem.space, problem.protocol, problem.variant)


def trained_path(folder: Path, space: str, protocol: str) -> Path:
    """Where the searches with real trainings in one space under one protocol are recorded."""
    return _named(folder, "contest", space, protocol)


def _named(folder: Path, *parts: str) -> Path:
    return folder / f"{'_'.join(filter(None, parts))}.jsonl"


def _notes(path: Path, problem: Problem) -> str:
    """Beginning of the names of files for measurements that are not recorded yet; another problem has others."""
    text = json.dumps(_identity(problem), sort_keys=True)
    return str(path.with_suffix(f".measured-{hashlib.sha256(text.encode()).hexdigest()[:8]}"))


def _identity(problem: Problem) -> dict[str, Any]:
    return {"space": problem.space, "protocol": problem.protocol, **problem.identity}


def _alike(one: Any, other: Any) -> bool:
    """Whether two parts of an identity are the same; fractions may differ by 1 % of themselves.

    They are what a fitted model says, and processors round differently, which the fit enlarges.
    """
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=0.01)
    return one == other


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def is_record(content: Mapping[str, Any]) -> bool:
    """Whether the content of a line can be one of a contest: its problem, or a leg of a search."""
    return "problem" in content or content.keys() >= {"tuner", "seed", "first", "params"}


def _line(leg: Run) -> dict[str, Any]:
    record = {"tuner": leg.tuner, "seed": leg.seed, "first": leg.first, "params": leg.params}
    record |= {name: [_number(v) for v in getattr(leg, name)] for name in ("mse", "seconds", "thinking")}
    return record | leg.notes | ({"failed": leg.failed} if leg.failed else {})


def read(path: Path, problem: Problem | None = None) -> Runs:
    """The searches of a file, complete or not, by tuner and seed.

    Raises
    ------
    ContestError
        For a damaged file, with the number of the line, or records of another problem than `problem`.
    """
    runs: Runs = {}
    try:
        records = ledger.read(path, is_record=is_record)
    except ledger.LedgerError as error:
        raise ContestError(str(error)) from None
    for number, record in enumerate(records, start=1):
        try:
            if number == 1:
                recorded, asked = record["problem"], _identity(problem) if problem else {}
                names = sorted(k for k in {**recorded, **asked} if not _alike(recorded.get(k), asked.get(k)))
                if problem is not None and names:
                    what = "on other closes" if names[0] == "data_sha256" else f"with another {names[0]}"
                    raise ContestError(f"{path.name} holds searches {what}: use the same, or another folder.")
                continue
            leg = _leg(record)
            run = runs.setdefault((leg.tuner, leg.seed), Run(leg.tuner, leg.seed))
            if leg.first > len(run):
                raise ValueError
            run.extend(leg)
        except ContestError:
            raise
        except (ValueError, LookupError, TypeError, AttributeError):
            raise ContestError(
                f"{path.name}, line {number} is damaged: restore the file, or remove it to begin again."
            ) from None
    return runs


def recorded(path: Path, space: str, *, evaluations: int = EVALUATIONS) -> pd.DataFrame:
    """The searches of a file that have at least so many evaluations, by tuner as in `ENTRANTS`, then seed; see `frame`.

    Raises
    ------
    ContestError
        For a damaged file.
    """
    order = {tuner: place for place, tuner in enumerate(ENTRANTS)}
    runs = sorted(read(path).items(), key=lambda item: (order.get(item[0][0], len(order)), item[0][1]))
    return frame({k: run for k, run in runs if len(run) >= evaluations}, space, evaluations)


def naive(path: Path) -> float:
    """MSE of yesterday's close on the problem of a file of records; NaN where it is not known."""
    try:
        value = _first(path)["naive_mse"]
    except (OSError, ValueError, LookupError, TypeError):
        return math.nan
    return math.nan if value is None else float(value)


def about(path: Path) -> dict[str, Any]:
    """The problem of a file of records: `space`, `protocol` and the identity of its measurements.

    Raises
    ------
    ContestError
        For a file that cannot be read or does not begin with a problem.
    """
    try:
        return dict(_first(path)["problem"])
    except (OSError, ValueError, LookupError, TypeError):
        raise ContestError(f"{path.name} does not say what was searched: restore it.") from None


def _first(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        return json.loads(file.readline())


def _leg(record: Mapping[str, Any]) -> Run:
    numbers = {k: [math.nan if v is None else float(v) for v in record[k]] for k in ("mse", "seconds", "thinking")}
    notes = {name: list(record[name]) for name in NOTED if name in record}
    leg = Run(record["tuner"], record["seed"], record["first"], record["params"], **numbers, notes=notes)
    leg.failed = dict(record.get("failed", {}))
    if {len(values) for values in (leg.params, *numbers.values(), *notes.values())} != {len(leg)}:
        raise ValueError
    return leg


def frame(runs: Runs, space: str, evaluations: int | None = None) -> pd.DataFrame:
    """Searches as a table, one row an evaluation.

    Parameters
    ----------
    runs : dict
    space : str
    evaluations : int, optional
        Of each search the first ones.

    Returns
    -------
    pandas.DataFrame
        Columns `tuner`, `seed`, `evaluation` (from 1), the parameters of the space as Optuna stores them, `mse` (NaN
        where it failed), `seconds` and `thinking` (s), `probability` and `redraws` (the GAN's).
    """
    names = list(lstm_space(space))
    parts = []
    for (tuner, seed), run in runs.items():
        n = min(len(run), evaluations or len(run))
        part = pd.DataFrame(np.array(run.params[:n], dtype=float).reshape(n, len(names)), columns=names)
        part.insert(0, "tuner", tuner)
        part.insert(1, "seed", seed)
        part.insert(2, "evaluation", np.arange(1, n + 1))
        for name in ("mse", "seconds", "thinking"):
            part[name] = getattr(run, name)[:n]
        for name in NOTED:
            part[name] = pd.Series(run.notes.get(name, [math.nan] * n)[:n], dtype=float)
        parts.append(part)
    columns = ["tuner", "seed", "evaluation", *names, "mse", "seconds", "thinking", *NOTED]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
