"""What the papers' tuners share as Optuna samplers: a state that is a function of the seed and the finished trials.

A sampler replays the finished trials of the study, in order of their numbers, through a pure step, and draws every
random number from a generator of its own for (seed, trial number, purpose). A study that was interrupted between two
trials and resumed by a new sampler with the same seed therefore goes on as if it had never stopped; its first
suggestion replays every step. Some states are kept, so that later ones usually cost one step, and a few where trials
finish out of order. States of several histories are kept side by side, for a pruner that shows the sampler one part of
the trials now and another then (Hyperband's brackets), or one sampler in two studies.
"""

from __future__ import annotations

import abc
import itertools
import logging
import math
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.search_space import intersection_search_space
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from helpers.checks import whole
from helpers.samplers.threads import one_thread
from helpers.space import SearchSpace, UnitCube, stepped

logger = logging.getLogger(__name__)

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
LARGEST = 1e100  # objective values are clipped to +-LARGEST, so that their squares and sums of them stay finite
HISTORIES = 8  # of which states are kept; Hyperband's brackets are about five


@dataclass(frozen=True)
class Observation:
    """One finished trial as a tuner sees it.

    Attributes
    ----------
    number : int
        The trial's number.
    point : tuple of float, length d
        Where it lies: the tuner's own continuous point if it proposed this trial, else the encoded parameters.
    loss : float
        What is minimised: the value, negated where the study maximises, at most LARGEST in size; infinite for a failed
        trial, and minus infinite where the value is infinitely good.
    key : tuple of float, length d
        Its parameters as Optuna stores them: equal for equal configurations.
    record : dict
        What the tuner noted when it proposed this trial; empty for a trial of another origin.
    """

    number: int
    point: tuple[float, ...]
    loss: float
    key: tuple[float, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)


def losses(seen: tuple[Observation, ...]) -> np.ndarray:
    """The losses of `seen` in order, shape (n,), or none, shape (0,), while no trial has a finite one.

    A failed trial has the worst of them all, also of those that came after it, and an infinitely good one the best.
    """
    found = np.array([o.loss for o in seen], dtype=float)
    finite = found[np.isfinite(found)]
    return np.clip(found, finite.min(), finite.max()) if len(finite) else finite


def configuration_key(space: SearchSpace, params: Mapping[str, Any]) -> tuple[float, ...]:
    """`params` as Optuna stores them, in the order of `space`; hashable, and equal for equal configurations."""
    return tuple(float(d.to_internal_repr(params[name])) for name, d in space.items())


class HistorySampler(BaseSampler, abc.ABC):
    """Base of the papers' tuners. A subclass says how it starts, steps and proposes; see the module's docstring.

    Parameters
    ----------
    seed : int, optional
        At least 0; without one the sampler draws its own and cannot be repeated.
    space : mapping of str to optuna.distributions.BaseDistribution, optional
        The parameters to tune. Optuna knows them only after a first trial that completed or was pruned; without `space`
        the trials up to it are random. Parameters outside it are drawn at random, and one warning about each is logged.

    Raises
    ------
    ValueError
        For a seed that is no whole number of at least 0; at a suggestion, for a study with several objectives.
    """

    name: str  # key of the record in the trial's system attributes
    _turn = threading.RLock()  # of all samplers of the process: it also guards the number of threads, which all share

    def __init__(self, *, seed: int | None = None, space: SearchSpace | None = None) -> None:
        if seed is None:
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        self.seed = whole("seed", seed, least=0)
        self.space = None if space is None else UnitCube(space).space
        self._histories: list[_History] = []
        self._warned: set[str] = set()

    # What a tuner is.

    def _coordinates(self, space: SearchSpace) -> UnitCube:
        """The coordinates in which the tuner thinks; anything with UnitCube's `encode`, `decode` and `len`."""
        return UnitCube(space)

    @abc.abstractmethod
    def _start(self, dimension: int) -> Any:
        """State before the first trial."""

    @abc.abstractmethod
    def _step(self, state: Any, seen: tuple[Observation, ...]) -> Any:
        """State after the last trial of `seen`, which holds all trials up to it. Must not change `state`."""

    @abc.abstractmethod
    def _propose(
        self,
        state: Any,
        coordinates: Any,
        seen: tuple[Observation, ...],
        number: int,
        taken: frozenset,
        running: tuple[tuple[float, ...], ...] = (),
    ) -> dict[str, Any]:
        """Record of the suggestion for trial `number`, JSON serialisable; its "point" is where to go.

        `taken` holds the keys of the configurations that finished or running trials have, `running` the points of the
        latter: each a tuple of length d.
        """

    # Optuna's side.

    def _rng(self, number: int, purpose: str) -> np.random.Generator:
        """The random generator of trial `number` for one purpose; a resumed study draws the same numbers."""
        return np.random.default_rng([self.seed, number, zlib.crc32(purpose.encode())])

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters of `space`, or those that all trials so far share; a parameter with one value is left out."""
        space = self.space
        if space is None:
            space = intersection_search_space(study.get_trials(deepcopy=False), include_pruned=True)
        return {name: d for name, d in space.items() if not d.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The tuner's suggestion; what it noted is in the trial's system attributes under the tuner's name.

        Threads take turns (`n_jobs`), so that a suggestion knows all that are at work. Processes that ask at the same
        moment do not know of each other.
        """
        self._raise_error_if_multi_objective(study)
        if not search_space:
            return {}
        coordinates = self._coordinates(search_space)
        with self._turn:
            seen = self._history(study, search_space, coordinates)
            running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            others = [self._placed(search_space, coordinates, t) for t in running if t.number != trial.number]
            others = [placed for placed in others if placed is not None]
            taken = frozenset({o.key for o in seen} | {placed.key for placed in others})
            points = tuple(placed.point for placed in others)
            with one_thread():
                state = self._replay(search_space, coordinates, seen)
                record = self._propose(state, coordinates, seen, trial.number, taken, points)
            record["parameters"] = list(search_space)
            study._storage.set_trial_system_attr(trial._trial_id, self.name, record)
        return coordinates.decode(np.array(record["point"]))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A value drawn uniformly from the parameter's range, for a parameter that the tuner does not tune.

        One warning a parameter is logged, but for those of the first trials, which nobody can know before.
        """
        self._raise_error_if_multi_objective(study)
        sharing = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        known = self.space is not None or any(t.params for t in sharing)
        if known and param_name not in self._warned:
            self._warned.add(param_name)
            tuned = "trials so far do not all share it" if self.space is None else "`space` has no such range"
            logger.warning(
                "The parameter %r is drawn at random, not tuned by %s: %s.", param_name, type(self).__name__, tuned
            )
        rng = self._rng(trial.number, f"parameter {param_name}")
        return UnitCube({param_name: param_distribution}).decode(rng.random(1))[param_name]

    def reseed_rng(self) -> None:
        """Nothing to do: random numbers belong to a trial's number, which no two parallel trials share."""

    def _placed(self, space: SearchSpace, coordinates: Any, trial: FrozenTrial) -> _Placed | None:
        """Where a trial lies in `space`; None for one that the tuner did not propose and that lacks a parameter.

        An objective need not ask for every parameter that was proposed to it: one that a condition leaves out, or that
        comes after a failure. Such a trial lies where it was proposed.
        """
        record = trial.system_attrs.get(self.name, {})
        given = {name: trial.params[name] for name in space if name in trial.params}
        if not self._within(space, trial, given):
            return None
        given = {name: _on_grid(space[name], value) for name, value in given.items()}
        if record.get("parameters") == list(space) and self._inside(coordinates, record["point"]):
            proposed = coordinates.decode(np.array(record["point"]))
            asked = {name: space[name] for name in given}
            if configuration_key(asked, proposed) == configuration_key(asked, given):
                return _Placed(tuple(map(float, record["point"])), configuration_key(space, proposed), record)
        if len(given) < len(space):
            return None
        # Another tuner or a person decided otherwise.
        return _Placed(tuple(map(float, coordinates.encode(given))), configuration_key(space, given), {})

    def _inside(self, coordinates: Any, point: Sequence[float]) -> bool:
        """Whether a recorded point lies where this tuner searches; one of the same name may do so elsewhere."""
        return all(0.0 <= x <= 1.0 for x in point)

    @staticmethod
    def _within(space: SearchSpace, trial: FrozenTrial, given: Mapping[str, Any]) -> bool:
        """Whether the parameters of the trial that are `given` are of the kind and in the range of `space`."""
        for name, value in given.items():
            d = space[name]
            try:
                if type(trial.distributions[name]) is not type(d) or not d._contains(d.to_internal_repr(value)):
                    return False
            except ValueError:  # a categorical value that is none of the choices
                return False
        return True

    def _history(self, study: Study, space: SearchSpace, coordinates: Any) -> tuple[Observation, ...]:
        """The finished trials that lie in `space`, in order of their numbers."""
        sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        seen = []
        for trial in study.get_trials(deepcopy=False, states=FINISHED):
            placed = self._placed(space, coordinates, trial)
            if placed is None:
                continue
            value = sign * _value(trial)
            loss = min(max(value, -LARGEST), LARGEST) if math.isfinite(value) else math.inf
            loss = -math.inf if value == -math.inf else loss
            seen.append(Observation(trial.number, placed.point, loss, placed.key, placed.record))
        return tuple(seen)

    def _replay(self, space: SearchSpace, coordinates: Any, seen: tuple[Observation, ...]) -> Any:
        """The state after `seen`, from the last kept state that has seen the same trials so far."""
        alike = [(h.shared(space, seen), h) for h in self._histories]
        same, history = max(alike, key=lambda found: found[0], default=(0, None))
        states = {n: state for n, state in history.states.items() if n <= same} if history is not None else {}
        done = max(states, default=0)
        state = states[done] if states else self._start(len(coordinates))
        for n in range(done + 1, len(seen) + 1):
            state = self._step(state, seen[:n])
            states = {m: s for m, s in states.items() if _kept(m, n)} | {n: state}
        # A history that begins alike goes on; any other is another one.
        others = [h for h in self._histories if h is not history or not same]
        self._histories = [*others, _History(dict(space), seen, states)][-HISTORIES:]
        return state


@dataclass(frozen=True)
class _History:
    """Trials that a state was stepped through, and the states that are kept, by the number of trials seen."""

    space: SearchSpace
    seen: tuple[Observation, ...]
    states: Mapping[int, Any]

    def shared(self, space: SearchSpace, seen: tuple[Observation, ...]) -> int:
        """How many trials `seen` has in common with these, from the first; 0 for another space."""
        if list(self.space.items()) != list(space.items()):
            return 0
        pairs = zip(self.seen, seen, strict=False)
        return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(self.seen), len(seen)))


@dataclass(frozen=True)
class _Placed:
    """Where a trial lies: an `Observation` without its number and loss."""

    point: tuple[float, ...]
    key: tuple[float, ...]
    record: Mapping[str, Any]


def _kept(n: int, newest: int) -> bool:
    """Whether the state after n trials stays: the last eight do, of earlier ones ever fewer.

    Trials that run side by side finish out of order; what one changes that finishes late is replayed from there.
    """
    gap = 1 << max(0, (newest - n).bit_length() - 3)
    return n % gap == 0


def _on_grid(distribution: BaseDistribution, value: Any) -> Any:
    """`value`, where a float's range has a step in the digits that this package gives it: 0.3, not 3 * 0.1."""
    if not isinstance(distribution, FloatDistribution) or distribution.step is None:
        return value
    return stepped(distribution, round((value - distribution.low) / distribution.step))


def _value(trial: FrozenTrial) -> float:
    """The trial's value; a pruned one's last intermediate value; NaN where there is none."""
    if trial.state == TrialState.COMPLETE:
        return float(trial.value)
    if trial.state == TrialState.PRUNED and trial.intermediate_values:
        return float(trial.intermediate_values[max(trial.intermediate_values)])
    return math.nan


def untried_point(coordinates: UnitCube, taken: frozenset, rng: np.random.Generator) -> np.ndarray | None:
    """The point of a configuration that is not in `taken`, from an exhaustive search in random order; None if none is.

    It looks at configurations until it finds one, so at about as many as are in `taken`.
    """
    if coordinates.cells() == np.inf:
        return rng.random(len(coordinates))
    axes = [[values[i] for i in rng.permutation(len(values))] for values in map(_values, coordinates.space.values())]
    for combination in itertools.product(*axes):
        params = dict(zip(coordinates.names, combination, strict=True))
        if configuration_key(coordinates.space, params) not in taken:
            return coordinates.encode(params)
    return None


def _values(distribution: BaseDistribution) -> list[Any]:
    """All values of a discrete parameter."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    assert isinstance(distribution, FloatDistribution)
    cube = UnitCube({"x": distribution})
    cells = int(cube.cells())
    return [cube.decode(np.array([(i + 0.5) / cells]))["x"] for i in range(cells)]
