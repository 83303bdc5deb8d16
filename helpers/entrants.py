"""Who takes part in the contest, and one search of one tuner.

What a search evaluates costs one evaluation, also a configuration that it had before and a training that failed. All
tuners with one seed train with that seed, so that a configuration has the same initial weights, order of windows and
dropout masks whoever proposes it: it is trained once.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from helpers import lines
from helpers.checks import whole
from helpers.problems import ContestError, Measurement, Problem, check_problem
from helpers.samplers.base import configuration_key
from helpers.space import LstmConfig, config_from_params, lstm_space

EVALUATIONS = 20  # both papers stop there

Key = tuple[float, ...]


# The entrants.


def _generator(feedback: str) -> Callable[..., Any]:
    def make(seed: int, space: Any) -> Any:
        from helpers.samplers import GeneratorSampler

        return GeneratorSampler(seed=seed, space=space, feedback=feedback)

    return make


def _gan(discriminator: bool) -> Callable[..., Any]:
    def make(seed: int, space: Any) -> Any:
        from helpers.samplers import GanSampler

        return GanSampler(seed=seed, space=space, discriminator=discriminator)

    return make


def _bayesian(ranges: str) -> Callable[..., Any]:
    def make(seed: int, space: Any) -> Any:
        from helpers.samplers import BayesianSampler

        return BayesianSampler(seed=seed, space=space, ranges=ranges)

    return make


def _hybrid(generator: bool) -> Callable[..., Any]:
    def make(seed: int, space: Any) -> Any:
        from helpers.samplers.hybrid import HybridSampler

        return HybridSampler(seed=seed, space=space, generator=generator)

    return make


def _optuna(name: str, **options: Any) -> Callable[..., Any]:
    def make(seed: int, space: Any) -> Any:
        import optuna

        return getattr(optuna.samplers, name)(seed=seed, **options)

    return make


# Tuner -> what makes its sampler from a seed and a space; all else at its defaults. Optuna's Gaussian process is left
# out: it needs PyTorch, which would double the environment.
ENTRANTS: Mapping[str, Callable[[int, Any], Any]] = {
    "random": _optuna("RandomSampler"),
    "generator": _generator("paper"),
    "generator_product": _generator("product"),
    "generator_reinforce": _generator("reinforce"),
    "generator_shuffled": _generator("shuffled"),
    "generator_zero": _generator("zero"),
    "gan": _gan(True),
    "gan_blind": _gan(False),
    "bayesian": _bayesian("paper"),
    "bayesian_warped": _bayesian("warped"),
    "tpe": _optuna("TPESampler"),
    "cmaes": _optuna("CmaEsSampler", warn_independent_sampling=False),
    "hybrid": _hybrid(True),
    "hybrid_uniform": _hybrid(False),
}


@dataclass(frozen=True)
class Task:
    """One search: a key of `ENTRANTS`, a seed, a key of `space.SPACES`, a key of `windows.PROTOCOLS`.

    Raises
    ------
    ContestError
        For an unknown tuner, space or protocol, or a seed below 0.
    """

    tuner: str
    seed: int
    space: str
    protocol: str

    def __post_init__(self) -> None:
        if self.tuner not in ENTRANTS:
            raise ContestError(f"Unknown tuner {self.tuner!r}; valid tuners are {', '.join(ENTRANTS)}.")
        check_problem(self.space, self.protocol)
        object.__setattr__(self, "seed", whole("seed", self.seed, least=0, error=ContestError))


# One search.


@dataclass
class Run:
    """The evaluations of a search, in order, or those that one leg added.

    Attributes
    ----------
    tuner : str
    seed : int
    first : int
        How many evaluations came before.
    params : list of list of float
        Of each evaluation, the parameters as Optuna stores them, in the order of the space.
    mse, seconds : list of float
        NaN where it failed; processor seconds of the training, also where its result was known already.
    thinking : list of float
        Seconds that the tuner took for it: to suggest, and to take note of the result.
    notes : dict of str to list
        What the tuner says of each suggestion: the GAN's `probability` and `redraws`.
    failed : dict of str to str
        Number of a failed evaluation -> its reason.
    """

    tuner: str
    seed: int
    first: int = 0
    params: list[list[float]] = field(default_factory=list)
    mse: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    thinking: list[float] = field(default_factory=list)
    notes: dict[str, list[Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.mse)

    def extend(self, leg: Run) -> bool:
        """Append a leg that begins where this ends; another one is not taken, and the answer is False."""
        if (leg.tuner, leg.seed, leg.first) != (self.tuner, self.seed, len(self)):
            return False
        for name in ("params", "mse", "seconds", "thinking"):
            getattr(self, name).extend(getattr(leg, name))
        for name, values in leg.notes.items():
            self.notes.setdefault(name, []).extend(values)
        self.failed |= leg.failed
        return True


NOTED = ("probability", "redraws")


class Search(NamedTuple):
    """A search to go on with: what it did so far, and results by configuration, as Optuna stores it, that are known.

    What is known is not measured again, and costs an evaluation and its seconds all the same.
    """

    task: Task
    done: Run
    known: Mapping[Key, Measurement]


def legs(
    problem: Problem,
    searches: Sequence[Search],
    evaluations: int = EVALUATIONS,
    *,
    limit: float = math.inf,
    notes: str = "",
) -> list[Run]:
    """A leg of each search, one after the other: what it adds to what is done.

    Parameters
    ----------
    problem : Problem
        Of the tasks' space and protocol.
    searches : sequence of Search
    evaluations : int
        Of a whole search.
    limit : float
        Seconds after which no further evaluation begins; one is always made. Nor does one begin in a process whose
        parent is gone: nobody would record it.
    notes : str
        Beginning of the name of a file that each measurement is noted in as soon as it is made, for a run after a kill.

    Raises
    ------
    ContestError
        If a tuner no longer proposes what is recorded.
    """
    import optuna

    begun, found, parent = time.perf_counter(), [], os.getppid()
    learnt: dict[int, dict[Key, Measurement]] = {}

    def over() -> bool:
        late = time.perf_counter() - begun > limit or os.getppid() != parent
        return late and any(len(leg) for leg in found)

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with problem.opened() as measuring:
            measure = _noting(measuring, notes) if notes else _rounding(measuring)
            for task, done, known in searches:
                found.append(Run(task.tuner, task.seed, first=len(done)))
                known = learnt.setdefault(task.seed, {}) | dict(known) if problem.reuse else known
                _search(task, done, known, measure, evaluations, found[-1], over)
                learnt.setdefault(task.seed, {}).update(results(found[-1]))
    finally:
        optuna.logging.set_verbosity(verbosity)
    return found


Measure = Callable[[LstmConfig, int], Measurement]


def _rounding(measure: Measure) -> Callable[[LstmConfig, int, Key], Measurement]:
    """Rounded as it is recorded: a search that goes on is told what is recorded."""

    def rounded(config: LstmConfig, seed: int, key: Key) -> Measurement:
        found = measure(config, seed)
        return Measurement(_digits(found.mse, 6), _digits(found.seconds, 4), found.reason)

    return rounded


def _noting(measure: Measure, notes: str) -> Callable[[LstmConfig, int, Key], Measurement]:
    """The same, and each measurement is on the disk before it is used, in a file of this process."""
    path, after, rounded = Path(f"{notes}-{os.getpid()}-{secrets.token_hex(4)}"), lines.Scan(), _rounding(measure)

    def noted(config: LstmConfig, seed: int, key: Key) -> Measurement:
        nonlocal after
        found = rounded(config, seed, key)
        mse = found.mse if math.isfinite(found.mse) else None
        one = {"seed": seed, "params": list(key), "mse": mse, "seconds": found.seconds, "reason": found.reason}
        with lines.writing(path, error=ContestError):
            after = lines.append(path, [one], after)
        return found

    return noted


def noted(notes: str) -> dict[int, dict[Key, Measurement]]:
    """By seed and configuration what `legs` noted under a name; what a kill left incomplete does not count."""
    found: dict[int, dict[Key, Measurement]] = {}
    for path in sorted(Path(notes).parent.glob(f"{Path(notes).name}-*")):
        for line in path.read_bytes()[: lines.scan(path).size].splitlines():
            one = json.loads(line)
            mse = math.nan if one["mse"] is None else one["mse"]
            found.setdefault(one["seed"], {})[tuple(one["params"])] = Measurement(mse, one["seconds"], one["reason"])
    return found


def forget(notes: str) -> None:
    """Remove what `legs` noted under a name."""
    for path in Path(notes).parent.glob(f"{Path(notes).name}-*"):
        path.unlink(missing_ok=True)


def play(
    task: Task,
    problem: Problem,
    evaluations: int = EVALUATIONS,
    *,
    done: Run | None = None,
    known: Mapping[Key, Measurement] | None = None,
    limit: float = math.inf,
) -> Run:
    """One leg of one search; see `legs`."""
    return legs(problem, [Search(task, done or Run(task.tuner, task.seed), known or {})], evaluations, limit=limit)[0]


def results(run: Run) -> dict[Key, Measurement]:
    """What a search found, by configuration."""
    found: dict[Key, Measurement] = {}
    for i, key in enumerate(run.params):
        reason = run.failed.get(str(run.first + i), "")
        found.setdefault(tuple(key), Measurement(run.mse[i], run.seconds[i], reason))
    return found


def _search(
    task: Task,
    done: Run,
    known: Mapping[Key, Measurement],
    measure: Callable[[LstmConfig, int, Key], Measurement],
    evaluations: int,
    leg: Run,
    over: Callable[[], bool],
) -> None:
    """Play a search from the start up to its end, or until time is over, and note in `leg` what is new."""
    import optuna

    if over():
        return
    space = dict(lstm_space(task.space))
    study = optuna.create_study(sampler=ENTRANTS[task.tuner](task.seed, space))
    for number in range(evaluations):
        if number >= len(done) and over():
            return
        asked = time.perf_counter()
        trial = study.ask(space)
        params = trial.params
        thinking = time.perf_counter() - asked
        key = configuration_key(space, params)
        if number < len(done):
            if list(key) != done.params[number]:
                raise ContestError(
                    f"{task.tuner}, seed {task.seed}: evaluation {number + 1} is recorded with another configuration "
                    "than the tuner proposes now; its code has changed since, or the processor: remove the records to "
                    "begin again."
                )
            result = Measurement(done.mse[number], done.seconds[number])
        elif key in known:
            result = known[key]
        else:
            result = measure(config_from_params(params), task.seed, key)
        asked = time.perf_counter()
        if math.isfinite(result.mse):
            frozen = study.tell(trial, result.mse)
        else:
            frozen = study.tell(trial, state=optuna.trial.TrialState.FAIL)
        thinking += time.perf_counter() - asked
        if number >= len(done):
            _note(leg, number, key, result, thinking, frozen.system_attrs)


def _note(leg: Run, number: int, key: Key, result: Measurement, thinking: float, said: Mapping[str, Any]) -> None:
    leg.params.append([int(v) if v == int(v) else v for v in key])
    leg.mse.append(result.mse)
    leg.seconds.append(result.seconds)
    leg.thinking.append(_digits(thinking, 2))
    if not math.isfinite(result.mse):
        leg.failed[str(number)] = result.reason
    for record in said.values():
        for name in NOTED:
            if isinstance(record, Mapping) and name in record:
                value = record[name]
                leg.notes.setdefault(name, []).append(_digits(value, 4) if isinstance(value, float) else value)


def _digits(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")
