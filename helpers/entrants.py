"""Who takes part in the contest, on what problems, and one search of one tuner.

What a search evaluates costs one evaluation, also a configuration that it had before and a training that failed. All
tuners with one seed train with that seed, so that a configuration has the same initial weights, order of windows and
dropout masks whoever proposes it: it is trained once.
"""

from __future__ import annotations

import contextlib
import math
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from helpers.lstm import EPOCHS
from helpers.samplers.base import configuration_key
from helpers.space import LstmConfig, config_from_params, lstm_space
from helpers.trial import Evaluator
from helpers.windows import PROTOCOLS, Dataset

EVALUATIONS = 20  # both papers stop there

Key = tuple[float, ...]


class ContestError(ValueError):
    """A contest that cannot be held or continued; the message is one sentence for the reader."""


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


def _hybrid(seed: int, space: Any) -> Any:
    from helpers.samplers.hybrid import HybridSampler

    return HybridSampler(seed=seed, space=space)


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
    "hybrid": _hybrid,
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
        _check_cell(self.space, self.protocol)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ContestError(f"seed must be a whole number of at least 0, not {self.seed!r}.")


def _check_cell(space: str, protocol: str) -> None:
    try:
        lstm_space(space)
    except ValueError as error:
        raise ContestError(str(error)) from None
    if protocol not in PROTOCOLS:
        raise ContestError(f"Unknown protocol {protocol!r}; valid protocols are {', '.join(PROTOCOLS)}.")


# The problems.


class Measurement(NamedTuple):
    """What one evaluation gave: `mse` is NaN where it failed, for `reason`; `seconds` are those of the training."""

    mse: float
    seconds: float
    reason: str = ""


class Problem:
    """What is tuned. A subclass says how a configuration is measured; it travels to other processes.

    Attributes
    ----------
    space, protocol : str
    identity : dict
        What results depend on besides configuration and seed, ready for JSON; records of another are refused.
    naive : float
        MSE of yesterday's close; NaN where it is not known.
    reuse : bool
        Whether a result serves every other search with the same seed.
    """

    reuse = False

    def __init__(self, space: str, protocol: str, *, identity: Mapping[str, Any], naive: float = math.nan) -> None:
        _check_cell(space, protocol)
        self.space, self.protocol, self.identity, self.naive = space, protocol, dict(identity), float(naive)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Callable[[LstmConfig, int], Measurement]]:
        """What measures a configuration with a seed, for the length of a `with` block."""
        raise TypeError(f"{type(self).__name__} does not say how to measure.")
        yield


class Tabular(Problem):
    """The tabular benchmark's surrogate: an evaluation takes milliseconds.

    Parameters
    ----------
    surrogate
        With `mse`, `seconds` and `fails`, each of an `LstmConfig`.
    space, protocol, identity, naive
        See `Problem`.
    noise, optional
        With `draw(level, rng)`: a residual of log10 MSE at that level, such as `surrogate.measured_noise`. A
        configuration and a seed have one residual, as they have one training. Without it there is no noise.
    """

    def __init__(self, surrogate: Any, space: str, protocol: str, *, noise: Any = None, **about: Any) -> None:
        super().__init__(space, protocol, **about)
        self.surrogate, self.noise = surrogate, noise

    @contextlib.contextmanager
    def opened(self) -> Iterator[Callable[[LstmConfig, int], Measurement]]:
        def measure(config: LstmConfig, seed: int) -> Measurement:
            seconds = float(self.surrogate.seconds(config))
            if self.surrogate.fails(config):
                return Measurement(math.nan, seconds, "the surrogate says that it fails")
            mse = float(self.surrogate.mse(config))
            if self.noise is not None:
                rng = np.random.default_rng([seed, zlib.crc32(repr(config).encode())])
                mse *= 10.0 ** self.noise.draw(math.log10(mse), rng)
            return Measurement(mse, seconds)

        yield measure


class Trained(Problem):
    """LSTMs that are trained.

    Parameters
    ----------
    dataset : Dataset
    space : str
    epochs, engine
        See `trial.evaluate`.
    evaluator : callable
        Makes a worker: a context manager with `trial.Evaluator.evaluate`. It is a plain subprocess, which a daemonic
        process may start too.
    """

    reuse = True

    def __init__(
        self,
        dataset: Dataset,
        space: str,
        *,
        epochs: int = EPOCHS,
        engine: str = "fast",
        evaluator: Callable[[], Any] = Evaluator,
    ) -> None:
        identity = {"data_sha256": dataset.data_sha256, "epochs": epochs, "engine": engine}
        naive = dataset.naive_metrics()["mse"]
        super().__init__(space, dataset.protocol.name, identity=identity, naive=naive)
        self.dataset, self.epochs, self.engine, self.evaluator = dataset, epochs, engine, evaluator

    @contextlib.contextmanager
    def opened(self) -> Iterator[Callable[[LstmConfig, int], Measurement]]:
        with self.evaluator() as worker:  # starts at the first training

            def measure(config: LstmConfig, seed: int) -> Measurement:
                options = {"epochs": self.epochs, "seed": seed, "engine": self.engine}
                result = worker.evaluate(config, self.dataset, **options)
                return Measurement(result.mse if result.ok else math.nan, result.seconds, result.reason)

            yield measure


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
        NaN where it failed; seconds of the training, also where its result was known already.
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


def play(
    task: Task,
    problem: Problem,
    evaluations: int = EVALUATIONS,
    *,
    done: Run | None = None,
    known: Mapping[Key, Measurement] | None = None,
    limit: float = math.inf,
) -> Run:
    """One leg of a search: what it adds to `done`.

    Parameters
    ----------
    task : Task
    problem : Problem
        Of the task's space and protocol.
    evaluations : int
        Of the whole search.
    done : Run, optional
        The search so far.
    known : mapping, optional
        Results by configuration, as Optuna stores it: these are not measured again, and cost an evaluation and their
        seconds all the same.
    limit : float
        Seconds after which no further evaluation begins; one is always made.

    Raises
    ------
    ContestError
        If the tuner no longer proposes what is recorded.
    """
    import optuna

    space = dict(lstm_space(task.space))
    done, known = done or Run(task.tuner, task.seed), known or {}
    leg, begun = Run(task.tuner, task.seed, first=len(done)), time.perf_counter()
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(sampler=ENTRANTS[task.tuner](task.seed, space))
        with problem.opened() as measure:
            for number in range(evaluations):
                if len(leg) and time.perf_counter() - begun > limit:
                    break
                asked = time.perf_counter()
                trial = study.ask(space)
                params = trial.params
                thinking = time.perf_counter() - asked
                key = configuration_key(space, params)
                if number < len(done):
                    if list(key) != done.params[number]:
                        raise ContestError(
                            f"{task.tuner}, seed {task.seed}: evaluation {number + 1} is recorded with another "
                            "configuration than the tuner proposes now; its code has changed since: remove the "
                            "records to begin again."
                        )
                    result = Measurement(done.mse[number], done.seconds[number])
                elif key in known:
                    result = known[key]
                else:  # rounded first: a search that goes on is told what is recorded
                    found = measure(config_from_params(params), task.seed)
                    result = Measurement(_six(found.mse), _six(found.seconds), found.reason)
                asked = time.perf_counter()
                if math.isfinite(result.mse):
                    frozen = study.tell(trial, result.mse)
                else:
                    frozen = study.tell(trial, state=optuna.trial.TrialState.FAIL)
                thinking += time.perf_counter() - asked
                if number >= len(done):
                    _note(leg, number, key, result, thinking, frozen.system_attrs)
    finally:
        optuna.logging.set_verbosity(verbosity)
    return leg


def _note(leg: Run, number: int, key: Key, result: Measurement, thinking: float, said: Mapping[str, Any]) -> None:
    leg.params.append(list(key))
    leg.mse.append(result.mse)
    leg.seconds.append(result.seconds)
    leg.thinking.append(float(f"{thinking:.2g}"))
    if not math.isfinite(result.mse):
        leg.failed[str(number)] = result.reason
    for record in said.values():
        for name in NOTED:
            if isinstance(record, Mapping) and name in record:
                value = record[name]
                leg.notes.setdefault(name, []).append(_six(value) if isinstance(value, float) else value)


def _six(value: float) -> float:
    return float(f"{value:.6g}")
