"""What a tuner's feedback is worth: where its updates point, and what the GAN's parts know.

An update of the generator paper's network moves the configuration that the network proposes. Whether it moves it
towards smaller errors can be asked where the error is known everywhere: on the benchmark's surrogate, whose slope a
finite difference gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from helpers.intervals import Estimate, bootstrap, proportion
from helpers.samplers.base import HistorySampler, Observation, configuration_key
from helpers.samplers.gan import BATCH, ELITE, FEWEST_ELITES, WARM_UP, GanSampler, generator_inputs, scaled
from helpers.samplers.generator import GeneratorSampler
from helpers.samplers.networks import forward
from helpers.space import SearchSpace, UnitCube

REACH = 0.1  # of a finite difference to each side, as a share of the range; one cell where that is wider
BINS = 10  # of a hyperparameter's range, for its entropy, and of a probability, for its calibration
STILL = 1e-9  # an update that moves the proposal by less has no direction

Objective = Callable[[Mapping[str, Any]], float]


# Where updates point.


def steps(
    sampler: HistorySampler, space: SearchSpace, objective: Objective, trials: int
) -> Iterator[tuple[Any, Any, Observation]]:
    """The search of a tuner without a study: its state before and after each trial, and the trial.

    Parameters
    ----------
    sampler : HistorySampler
    space : mapping of str to optuna.distributions.BaseDistribution
    objective : callable
        Of parameters; NaN where the trial fails.
    trials : int
    """
    cube = UnitCube(space)
    state, seen, worst = sampler._start(len(cube)), (), None
    for number in range(trials):
        taken = frozenset(o.key for o in seen)
        record = sampler._propose(state, cube, seen, number, taken)
        params = cube.decode(np.array(record["point"]))
        value = objective(params)
        if math.isfinite(value):
            worst = value if worst is None else max(worst, value)
        loss = value if math.isfinite(value) else worst
        trial = Observation(number, tuple(record["point"]), loss, configuration_key(space, params), record)
        seen = (*seen, trial)
        before, state = state, sampler._step(state, seen)
        yield before, state, trial


def slope(objective: Objective, space: SearchSpace, point: np.ndarray) -> np.ndarray:
    """Finite difference of an objective in the unit cube, shape (d,).

    Each coordinate is moved by REACH to both sides, or by one cell where cells are wider; what counts is the distance
    between the configurations that this leads to. A coordinate whose moves lead nowhere, or to a failure, has slope 0.
    """
    cube = UnitCube(space)
    found = np.zeros(len(cube))
    for j, d in enumerate(space.values()):
        reach = max(REACH, 1.0 / UnitCube({"x": d}).cells())
        ends = []
        for sign in (-1.0, 1.0):
            moved = np.array(point, dtype=float)
            moved[j] = np.clip(moved[j] + sign * reach, 0.0, 1.0)
            params = cube.decode(moved)
            ends.append((cube.encode(params)[j], objective(params)))
        (a, low), (b, high) = ends
        if b > a and math.isfinite(low) and math.isfinite(high):
            found[j] = (high - low) / (b - a)
    return found


def moved(sampler: HistorySampler, before: Any, after: Any, trial: Observation, space: SearchSpace) -> np.ndarray:
    """How an update moves the point that the network proposes from the same inputs, shape (d,).

    The generator paper's network is given the inputs of the trial; the GAN's generator, whose noise differs in every
    call, a batch of noise, over which its points are averaged.

    Raises
    ------
    TypeError
        For a sampler of another kind.
    """
    if isinstance(sampler, GeneratorSampler):
        x = sampler._input(before, trial.number)
        ends = [forward(state.weights, x)[0][0, :-1] for state in (before, after)]
        if sampler.scaling == "tanh":
            old, new = (np.abs(np.tanh(raw)) for raw in ends)
        else:
            old, new = (np.minimum(np.abs(raw), 1.0) for raw in ends)
        return new - old
    if isinstance(sampler, GanSampler):
        rng = np.random.default_rng([sampler.seed, trial.number])
        inputs = generator_inputs(after.history, len(space), BATCH, rng)
        old, new = (
            scaled(forward(s.generator, inputs)[0][..., 0].T, sampler.scaling)[0].mean(axis=0) for s in (before, after)
        )
        return new - old
    raise TypeError(f"{type(sampler).__name__} has no network whose update could be followed.")


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of the angle between two vectors; NaN where one has no direction."""
    lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    return float(a @ b) / (lengths[0] * lengths[1]) if min(lengths) > STILL else math.nan


def directions(
    makers: Mapping[str, Callable[[int], HistorySampler]],
    space: SearchSpace,
    objective: Objective,
    *,
    seeds: Iterable[int],
    trials: int,
) -> pd.DataFrame:
    """Where every update of every search points, against the way downhill.

    Parameters
    ----------
    makers : mapping of str to callable
        Tuner -> what makes its sampler from a seed.
    space : mapping of str to optuna.distributions.BaseDistribution
    objective : callable
        The error of parameters; its logarithm is what goes downhill.
    seeds : iterable of int
    trials : int
        Of each search.

    Returns
    -------
    pandas.DataFrame
        Columns `tuner`, `seed`, `iteration` (from 1), `cosine` (1: straight downhill, 0: across, -1: uphill; NaN where
        the update moves nothing), `length` (of the move, in the unit cube).
    """
    seeds = list(seeds)

    def log(params: Mapping[str, Any]) -> float:
        value = objective(params)
        return math.log10(value) if value > 0 else math.nan

    rows = []
    for tuner, make in makers.items():
        for seed in seeds:
            sampler = make(seed)
            for before, after, trial in steps(sampler, space, objective, trials):
                step = moved(sampler, before, after, trial, space)
                down = -slope(log, space, np.array(trial.point))
                rows.append((tuner, seed, trial.number + 1, cosine(step, down), float(np.linalg.norm(step))))
    return pd.DataFrame(rows, columns=["tuner", "seed", "iteration", "cosine", "length"])


def mean_cosine(found: pd.DataFrame, tuner: str, less: str = "") -> Estimate:
    """Mean over the seeds of a search's mean cosine, with a bootstrap interval over the seeds.

    Parameters
    ----------
    found : pandas.DataFrame
        From `directions`.
    tuner : str
    less : str
        Another tuner, whose mean with the same seed is taken off.
    """
    by_seed = found.groupby(["tuner", "seed"])["cosine"].mean().unstack("tuner")
    mine = by_seed.get(tuner, pd.Series(dtype=float))
    return bootstrap(np.mean, (mine - by_seed[less] if less else mine).dropna().to_numpy())


# What the GAN's parts know.


def entropy(frame: pd.DataFrame, tuner: str, space: SearchSpace) -> pd.DataFrame:
    """How widely a tuner's searches spread each hyperparameter, evaluation by evaluation.

    Shannon entropy over the seeds of the hyperparameter's bin (its own values, or BINS equal parts of its range where
    it has more), over the largest possible: 1 is uniform, 0 all seeds in one bin. With few seeds even a uniform choice
    stays below 1, so look at random search beside it.

    Returns
    -------
    pandas.DataFrame
        A row an evaluation, a column a hyperparameter.
    """
    mine = frame[frame["tuner"] == tuner]
    out = {}
    for name, d in space.items():
        cube = UnitCube({name: d})
        bins = int(min(cube.cells(), BINS))
        x = [cube.encode({name: d.to_external_repr(value)})[0] for value in mine[name]]
        place = np.minimum((np.array(x) * bins).astype(int), bins - 1)
        counts = pd.crosstab(mine["evaluation"], place).to_numpy(dtype=float)
        p = counts / counts.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            out[name] = -np.nansum(np.where(p > 0, p * np.log(p), 0.0), axis=1) / math.log(bins)
    return pd.DataFrame(out, index=pd.Index(sorted(mine["evaluation"].unique()), name="evaluation"))


@dataclass(frozen=True, eq=False)
class Calibration:
    """Whether the GAN's discriminator is right about what it calls real.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a bin of probability: `said` (mean), `share`, `low`, `high` (of proposals that turned out to be among
        the best so far; interval over the searches), `n`.
    brier : float
        Mean squared difference of probability and outcome.
    base : Estimate
        Share of all proposals that turned out to be among the best; interval over the searches.
    rank : Estimate
        P(a proposal that turned out well had the greater probability): 1/2 says that the discriminator knows nothing.
        Over all pairs of one search; interval over the searches.
    """

    table: pd.DataFrame
    brier: float
    base: Estimate
    rank: Estimate


def calibration(frame: pd.DataFrame, tuner: str = "gan") -> Calibration:
    """The discriminator's probability of each proposal against what became of it.

    A proposal turned out well if its error was among the best quarter so far, itself counted: what the discriminator
    is shown as real. Proposals before its first training are left out.
    """
    said, good, ranks = [], [], []
    for _, run in frame[(frame["tuner"] == tuner) & frame["probability"].notna()].groupby("seed"):
        losses = np.where(run["mse"].isna(), math.inf, run["mse"]).astype(float)
        probability = run["probability"].to_numpy(dtype=float)
        well = []
        for i in range(len(losses)):
            elites = max(FEWEST_ELITES, round(ELITE * (i + 1)))
            well.append(math.isfinite(losses[i]) and int(np.sum(losses[: i + 1] < losses[i])) < elites)
        p, outcome = probability[WARM_UP:], np.array(well, dtype=bool)[WARM_UP:]
        said.append(p)
        good.append(outcome)
        above = p[outcome][:, None] - p[~outcome][None, :]
        if above.size:
            ranks.append(float(np.mean((above > 0) + 0.5 * (above == 0))))
    p, outcome = (np.concatenate([np.empty(0), *parts]) for parts in (said, good))
    places = [np.minimum((of_one * BINS).astype(int), BINS - 1) for of_one in said]
    place = np.concatenate([np.empty(0, dtype=int), *places])
    rows = []
    for k in np.unique(place):
        inside = place == k
        share = _share([w[at == k] for w, at in zip(good, places, strict=True)])
        rows.append((float(p[inside].mean()), share.value, share.low, share.high, int(inside.sum())))
    return Calibration(
        pd.DataFrame(rows, columns=["said", "share", "low", "high", "n"]),
        float(np.mean((p - outcome) ** 2)) if len(p) else math.nan,
        _share(good),
        bootstrap(np.mean, np.array(ranks)),
    )


def _share(outcomes: list[np.ndarray]) -> Estimate:
    """The share of what is true in all searches together, `n` the searches.

    Proposals of one search are alike, so that the interval is a bootstrap's over searches; where they agree, which few
    do by chance, that has no width, so it is no shorter than the exact one of as many independent proposals.
    """
    found = [w for w in outcomes if len(w)]
    hits, counts = [int(w.sum()) for w in found], [len(w) for w in found]
    e = bootstrap(lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis), hits, counts)
    exact = proportion(sum(hits), sum(counts))
    return Estimate(e.value, float(np.fmin(e.low, exact.low)), float(np.fmax(e.high, exact.high)), e.n)
