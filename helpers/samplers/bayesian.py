"""The generator paper's baseline: Bayesian optimisation by the package bayesian-optimization, with its defaults."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution

from helpers.checks import whole
from helpers.samplers.base import HistorySampler, Observation, losses
from helpers.samplers.threads import one_thread
from helpers.space import SearchSpace, UnitCube, stepped

RANGES = ("paper", "warped")
NUDGE = 1e-9  # share of a range by which an exact duplicate is moved: the package prints a line about each


class RawRanges(UnitCube):
    """A search space in its parameters' own units: what the package sees when it is given the papers' ranges.

    Numbers are themselves, so that one with a step is rounded to its grid; a choice is its position.

    Attributes
    ----------
    bounds : dict of str to (float, float)
        Lowest and highest value of each parameter.
    """

    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space)
        self.bounds = {
            name: (0.0, len(d.choices) - 1.0)
            if isinstance(d, CategoricalDistribution)
            else (float(d.low), float(d.high))
            for name, d in self.space.items()
        }

    def decode(self, u: np.ndarray) -> dict[str, Any]:
        """Parameters nearest to `u`, shape (d,), in the parameters' own units."""
        params = {}
        for x, (name, d) in zip(np.asarray(u, dtype=float), self.space.items(), strict=True):
            low, high = self.bounds[name]
            x = min(max(float(x), low), high)
            if isinstance(d, CategoricalDistribution):
                params[name] = d.choices[round(x)]
            elif d.step is None:
                params[name] = x
            else:
                i = min(round((x - low) / d.step), round((high - low) / d.step))
                params[name] = stepped(d, i) if isinstance(d, FloatDistribution) else d.low + i * d.step
        return params

    def encode(self, params: Any) -> np.ndarray:
        """The point of shape (d,) at which `params` lie, in the parameters' own units."""
        return np.array([float(d.to_internal_repr(params[name])) for name, d in self.space.items()])


class BayesianSampler(HistorySampler):
    """Gaussian process and upper confidence bound as bayesian-optimization sets them by default (generator paper, 4.2).

    The process has a Matern kernel with smoothness 2.5 and **one** length scale for all parameters. Over the papers'
    raw ranges that one scale serves a dropout rate between 0.1 and 0.9 and a sequence length between 1 and 250. So
    there are two ways to search:

    - ranges="paper": the parameters' own ranges, values rounded to their grids;
    - ranges="warped": the unit cube of `helpers.space.UnitCube`, where all parameters have the same extent.

    The process is told the continuous points, as the package's own loop would be when the objective rounds. The same
    configuration may come again; it costs an evaluation.

    Parameters
    ----------
    seed : int, optional
    space : mapping of str to optuna.distributions.BaseDistribution, optional
        See `HistorySampler`.
    ranges : {"paper", "warped"}
    init_points : int
        Random suggestions before the first model, at least 1; the package's default is 5.

    Raises
    ------
    ValueError
        For unknown ranges or init_points below 1; see also `HistorySampler`.

    Notes
    -----
    `trial.system_attrs["bayesian"]` holds `point`, the continuous point in the units of `ranges`, and `random`, whether
    it was drawn without the model.
    """

    name = "bayesian"

    def __init__(
        self,
        *,
        seed: int | None = None,
        space: SearchSpace | None = None,
        ranges: str = "paper",
        init_points: int = 5,
    ) -> None:
        super().__init__(seed=seed, space=space)
        if ranges not in RANGES:
            raise ValueError(f"Unknown ranges {ranges!r}; valid are {', '.join(RANGES)}.")
        self.ranges, self.init_points = ranges, whole("init_points", init_points)

    def _coordinates(self, space: SearchSpace) -> UnitCube:
        return RawRanges(space) if self.ranges == "paper" else UnitCube(space)

    def _bounds(self, coordinates: UnitCube) -> dict[str, tuple[float, float]]:
        if isinstance(coordinates, RawRanges):
            return coordinates.bounds
        return dict.fromkeys(coordinates.names, (0.0, 1.0))

    def _inside(self, coordinates: UnitCube, point: Sequence[float]) -> bool:
        bounds = self._bounds(coordinates).values()
        return all(low <= x <= high for x, (low, high) in zip(point, bounds, strict=True))

    def _start(self, dimension: int) -> None:
        return None  # the model is fitted anew to all trials at every suggestion, as the package does

    def _step(self, state: None, seen: tuple[Observation, ...]) -> None:
        return None

    def _propose(
        self,
        state: None,
        coordinates: UnitCube,
        seen: tuple[Observation, ...],
        number: int,
        taken: frozenset,
        running: tuple[tuple[float, ...], ...] = (),
    ) -> dict[str, Any]:
        rng = self._rng(number, "suggest")
        bounds = self._bounds(coordinates)
        known = losses(seen)
        if len(seen) < self.init_points or not len(known):
            low, high = np.array(list(bounds.values())).T
            return {"point": (low + (high - low) * rng.random(len(low))).tolist(), "random": True}

        from bayes_opt import BayesianOptimization

        with one_thread():  # once more: it reaches what the import has loaded
            optimizer = BayesianOptimization(
                f=None,
                pbounds=bounds,
                random_state=int(rng.integers(2**32)),
                verbose=0,
                allow_duplicate_points=True,
            )
            optimizer._gp.predict = partial(_predict, optimizer._gp)
            registered: set[tuple[float, ...]] = set()
            for trial, loss in zip(seen, known, strict=True):
                point = _apart(trial.point, registered, bounds)
                registered.add(point)
                optimizer.register(dict(zip(bounds, point, strict=True)), -float(loss))
            suggestion = optimizer.suggest()
        return {"point": [float(suggestion[name]) for name in bounds], "random": False}


def _predict(process: Any, x: np.ndarray, return_std: bool = False) -> Any:
    """`GaussianProcessRegressor.predict` without its checks of `x`, shape (m, d), to the bit.

    The package asks for one point at a time, hundreds of times a suggestion: most of the time went into the checks,
    and into a transform that leaves numbers as they are. LAPACK is called directly for the same reason.
    """
    from scipy.linalg.lapack import dtrtrs
    from scipy.spatial.distance import cdist

    scale = process.kernel_.length_scale
    r = cdist(x / scale, process.X_train_ / scale) * math.sqrt(5.0)
    k = (1.0 + r + r**2 / 3.0) * np.exp(-r)  # Matern, smoothness 2.5
    mean = process._y_train_std * (k @ process.alpha_) + process._y_train_mean
    if not return_std:
        return mean
    v, _ = dtrtrs(process.L_, k.T, lower=1)
    variance = np.ones(len(x))
    variance -= np.einsum("ij,ji->i", v.T, v)
    return mean, np.sqrt(np.maximum(variance, 0.0) * process._y_train_std**2)


def _apart(
    point: tuple[float, ...], registered: set[tuple[float, ...]], bounds: dict[str, tuple[float, float]]
) -> tuple[float, ...]:
    """`point`, or if it is registered the next one that is not.

    It moves by NUDGE of every range, at least by what the numbers resolve, towards the end that is farther from where
    it began: there is room for hundreds of millions.
    """
    moves = [
        math.copysign(max(NUDGE * (high - low), np.spacing(max(abs(low), abs(high)))), 0.5 * (low + high) - x)
        for x, (low, high) in zip(point, bounds.values(), strict=True)
    ]
    while point in registered:
        point = tuple(x + move for x, move in zip(point, moves, strict=True))
    return point
