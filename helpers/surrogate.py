"""The tabular benchmark as an objective: a model of the error, the seconds and the failure of any configuration.

`Surrogate(space)` is called with an Optuna trial, as a training would be, and answers in a fraction of a millisecond
what a training takes seconds to tell. It is the mean of two regressions of unlike kind on the unit cube, so that no
tuner meets merely its own assumptions: a Gaussian process, which is smooth, and extremely randomised trees, which are
steps. Both are fitted by scikit-learn when the benchmark is loaded, to the logarithms of the measurements.
`cross_validate` says how far their predictions are from trainings that they have not seen.

A regression is smoother than what it predicts: its valleys are too shallow, and it has no ridges between them that the
trainings did not show. `Surrogate(space).drawn(seed)` is a rougher landscape: a function drawn from the process's
posterior, which differs from the mean by what the trainings leave open. The process is as smooth in one place as in
another, and the errors are not: `Surrogate.deviations` says how far trainings lie from what it allows.

A random table has few good configurations. `Surrogate(space, searched=True)` knows also where searches with real
trainings went (`helpers.searched`).
"""

from __future__ import annotations

import copy
import functools
import hashlib
import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from optuna.distributions import IntDistribution

from helpers import benchmark
from helpers import searched as searches
from helpers.samplers.threads import one_thread
from helpers.space import HYPERPARAMETERS, LstmConfig, SearchSpace, UnitCube, lstm_space, params_from_config

if TYPE_CHECKING:
    import optuna

MODELS = ("mixed", "process", "trees")
TREES = 200
ROWS_FOR_KERNEL = 300  # the kernel's length scales are fitted to the first rows, a random sample, the process to all
FEWEST = 20  # trainings that a surrogate is fitted to, at least
FEATURES = 2048  # cosines that a function drawn from a process is made of
NEIGHBOURS = 10  # repeated configurations of about the same error, from which noise is drawn


class Process:
    """Gaussian process with a Matern kernel of smoothness 2.5 and one length scale a coordinate.

    Parameters
    ----------
    x : numpy.ndarray, shape (n, d)
    y : numpy.ndarray, shape (n,)

    Notes
    -----
    The mean at u is m + sum_i a_i k(r_i), with k(r) = (1 + r + r^2/3) exp(-r), r_i = sqrt(5) |(u - x_i) / l| and
    a = (K + s I)^-1 (y - m) scaled; it is written out here because scikit-learn's own call takes a millisecond.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        d = x.shape[1]
        kernel = ConstantKernel(1.0, (0.05, 50.0)) * Matern(np.full(d, 0.7), (0.05, 20.0), nu=2.5)
        kernel += WhiteKernel(0.1, (1e-3, 2.0))
        first = slice(ROWS_FOR_KERNEL)
        with warnings.catch_warnings():  # a coordinate that does not matter has its length scale at the bound
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = GaussianProcessRegressor(kernel, normalize_y=True).fit(x[first], y[first])
        model = GaussianProcessRegressor(fitted.kernel_, normalize_y=True, optimizer=None).fit(x, y)
        amplitude = fitted.kernel_.k1.k1.constant_value
        self.amplitude, self.noise = float(amplitude), float(fitted.kernel_.k2.noise_level)  # variances, of scaled y
        self.scales = math.sqrt(5.0) / np.broadcast_to(fitted.kernel_.k1.k2.length_scale, (d,))
        self.points = x * self.scales
        self.mean, self.spread = float(y.mean()), float(y.std() or 1.0)
        self.values = (y - self.mean) / self.spread
        self.weights = amplitude * self.spread * model.alpha_.ravel()

    def without(self, rows: np.ndarray) -> Process:
        """The same process, kernel and noise, that does not know some of its measurements.

        Parameters
        ----------
        rows : numpy.ndarray of bool, shape (n,)
            Which ones, not all of them.
        """
        from scipy.linalg import cho_solve

        other = copy.copy(self)
        other.points, other.values = self.points[~rows], self.values[~rows]
        with one_thread():
            other.weights = self.amplitude * self.spread * cho_solve(other.factor, other.values)
        return other

    def at(self, u: np.ndarray) -> float:
        """The mean at a point, shape (d,)."""
        return self.mean + float(self._near(u * self.scales) @ self.weights)

    def _near(self, scaled: np.ndarray) -> np.ndarray:
        """The kernel, without its amplitude, between a scaled point and all trainings, shape (n,)."""
        difference = self.points - scaled
        squared = np.einsum("ij,ij->i", difference, difference)
        r = np.sqrt(squared)
        return (1.0 + r + squared / 3.0) * np.exp(-r)

    def draw(self, seed: int) -> Drawn:
        """A function from the posterior, always the same for one seed."""
        return Drawn(self, np.random.default_rng([seed, 5]))

    def covariance(self) -> np.ndarray:
        """Of the fitted measurements, scaled, shape (n, n): the kernel and, on the diagonal, the noise."""
        found = self.amplitude * np.array([self._near(point) for point in self.points])
        found[np.diag_indices(len(found))] += self.noise
        return found

    @property
    def factor(self) -> tuple[np.ndarray, bool]:
        """The covariance's Cholesky factor, as `scipy.linalg.cho_solve` takes it.

        It is as large as the square of the measurements. So it stays behind when the process travels, and one that
        arrives again in the same place finds the one that was made there.
        """
        digest = hashlib.sha256(self.points.tobytes())
        digest.update(np.array([self.amplitude, self.noise]).tobytes())
        return _factor(_Known(digest.digest(), self))

    def deviations(self, u: np.ndarray, y: np.ndarray) -> np.ndarray:
        """How far measurements lie from their posterior mean, in posterior standard deviations (noise counted).

        Were they made of what the process is made of, they would be standard normal: the check of its smoothness.

        Parameters
        ----------
        u : numpy.ndarray, shape (m, d)
        y : numpy.ndarray, shape (m,)

        Returns
        -------
        numpy.ndarray, shape (m,)
        """
        from scipy.linalg import cho_solve

        with one_thread():
            near = self.amplitude * np.array([self._near(point) for point in u * self.scales]).reshape(
                -1, len(self.points)
            )
            mean = near @ cho_solve(self.factor, self.values)
            known = np.einsum("ij,ji->i", near, cho_solve(self.factor, near.T))
        return ((y - self.mean) / self.spread - mean) / np.sqrt(self.amplitude - known + self.noise)


@dataclass(frozen=True)
class _Known:
    """A process, told from others by what its covariance is made of."""

    digest: bytes
    process: Process = field(compare=False)


@functools.lru_cache(maxsize=2)
def _factor(known: _Known) -> tuple[np.ndarray, bool]:
    from scipy.linalg import cho_factor

    with one_thread():  # sums in one order: the same numbers again
        return cho_factor(known.process.covariance(), lower=True)


class Drawn:
    """One function from the posterior of a process.

    Parameters
    ----------
    process : Process
    rng : numpy.random.Generator

    Notes
    -----
    With g drawn from the prior and e from the noise, g + k(., X) (K + s I)^-1 (y - g(X) - e) is a draw from the
    posterior (Matheron's rule; Wilson et al., Efficiently sampling functions from Gaussian process posteriors, ICML
    2020). g is a sum of cosines with frequencies from the kernel's spectral density, which for a Matern kernel of
    smoothness 2.5 is Student's t with 5 degrees of freedom (Rahimi and Recht, NeurIPS 2007).
    """

    def __init__(self, process: Process, rng: np.random.Generator) -> None:
        from scipy.linalg import cho_solve

        n, d = process.points.shape
        self.process = process
        # Scaled points hold sqrt(5): a Student's t is a normal over sqrt(chi^2 / 5), and both cancel.
        self.frequencies = rng.standard_normal((FEATURES, d)) / np.sqrt(rng.chisquare(5.0, (FEATURES, 1)))
        self.phases = rng.uniform(0.0, 2.0 * math.pi, FEATURES)
        self.waves = rng.standard_normal(FEATURES) * math.sqrt(2.0 * process.amplitude / FEATURES)
        with one_thread():  # sums in one order: the same numbers again
            prior = np.cos(process.points @ self.frequencies.T + self.phases) @ self.waves
            missing = process.values - prior - math.sqrt(process.noise) * rng.standard_normal(n)
            self.weights = process.amplitude * cho_solve(process.factor, missing)

    def at(self, u: np.ndarray) -> float:
        """The function at a point, shape (d,)."""
        p, scaled = self.process, u * self.process.scales
        prior = float(np.cos(self.frequencies @ scaled + self.phases) @ self.waves)
        return p.mean + p.spread * (prior + float(p._near(scaled) @ self.weights))


class Trees:
    """Extremely randomised trees (Geurts et al., 2006), laid out so that one point passes all of them at once.

    Parameters
    ----------
    x : numpy.ndarray, shape (n, d)
    y : numpy.ndarray, shape (n,)
        Numbers; their mean over a leaf is what the leaf says, so that classes 0 and 1 give a probability.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        forest = ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=0, n_jobs=1).fit(x.astype(np.float32), y)
        trees = [estimator.tree_ for estimator in forest.estimators_]
        self.roots = np.cumsum([0] + [tree.node_count for tree in trees[:-1]])
        self.depth = max(tree.max_depth for tree in trees)
        inner = np.concatenate([tree.children_left >= 0 for tree in trees])
        own = np.arange(len(inner))
        shift = np.repeat(self.roots, [tree.node_count for tree in trees])
        # A leaf leads to itself, so that all trees can be walked equally far.
        left = np.where(inner, np.concatenate([tree.children_left for tree in trees]) + shift, own)
        right = np.where(inner, np.concatenate([tree.children_right for tree in trees]) + shift, own)
        self.children = np.stack([left, right], axis=1)
        self.feature = np.where(inner, np.concatenate([tree.feature for tree in trees]), 0)
        self.threshold = np.concatenate([tree.threshold for tree in trees])
        self.value = np.concatenate([tree.value[:, 0, 0] for tree in trees])

    def at(self, u: np.ndarray) -> float:
        """The mean over the trees at a point, shape (d,)."""
        u = u.astype(np.float32).astype(np.float64)  # as scikit-learn compares
        node = self.roots
        for _ in range(self.depth):
            node = self.children[node, (u[self.feature[node]] > self.threshold[node]).astype(np.intp)]
        return float(self.value[node].mean())


Member = TypeVar("Member", Process, Trees)


def fitted(kind: type[Member], x: np.ndarray, y: np.ndarray) -> Member:
    """A regression of `kind` fitted to x (n, d) and y (n,); the same one for the same numbers, not to be changed.

    The surrogates of one problem share their seconds, and those with trees the trees.
    """
    digest = hashlib.sha256(repr((x.shape, x.dtype.str, y.dtype.str)).encode())
    digest.update(np.ascontiguousarray(x).tobytes() + np.ascontiguousarray(y).tobytes())
    return _fitted(kind, _Measured(digest.digest(), x, y))


@dataclass(frozen=True)
class _Measured:
    """Measurements, told from others by their numbers."""

    digest: bytes
    x: np.ndarray = field(compare=False)
    y: np.ndarray = field(compare=False)


@functools.lru_cache(maxsize=16)
def _fitted(kind: type[Member], measured: _Measured) -> Member:
    import sklearn.ensemble
    import sklearn.gaussian_process  # noqa: F401 - the limit below reaches libraries that are loaded, and no others

    with one_thread():  # sums in one order: the same numbers again
        return kind(measured.x, measured.y)


class Regression:
    """Process and trees, or one of them.

    Parameters
    ----------
    x : numpy.ndarray, shape (n, d)
    y : numpy.ndarray, shape (n,)
    model : {"mixed", "process", "trees"}

    Raises
    ------
    ValueError
        For an unknown model.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, *, model: str = "mixed") -> None:
        if model not in MODELS:
            raise ValueError(f"Unknown model {model!r}; valid models are {', '.join(MODELS)}.")
        self.members: list[Process | Trees] = []
        if model in ("mixed", "process"):
            self.members.append(fitted(Process, x, y))
        if model in ("mixed", "trees"):
            self.members.append(fitted(Trees, x, y))

    def at(self, u: np.ndarray) -> float:
        """The prediction at a point, shape (d,)."""
        return sum(member.at(u) for member in self.members) / len(self.members)

    @property
    def process(self) -> Process:
        """The Gaussian process.

        Raises
        ------
        ValueError
            If there is none.
        """
        for member in self.members:
            if isinstance(member, Process):
                return member
        raise ValueError("Trees have no posterior to draw a function from; the models mixed and process have one.")

    def draw(self, seed: int) -> Drawn:
        """A function from the process's posterior."""
        return self.process.draw(seed)


@dataclass(frozen=True, eq=False)
class Noise:
    """What the seed of a training does to the logarithm of its error.

    Every repeated configuration counts as much as any other, also where some were repeated more often.

    Attributes
    ----------
    level : numpy.ndarray, shape (configurations,)
        Mean log10 MSE of each repeated configuration, ascending.
    residuals : list of numpy.ndarray
        log10 MSE less that mean for each repeat, widened by sqrt(n / (n - 1)) for the mean's own part.
    """

    level: np.ndarray
    residuals: list[np.ndarray]

    @property
    def sd(self) -> float:
        """Standard deviation over all configurations, in decades."""
        return float(np.sqrt(np.mean([np.mean(part**2) for part in self.residuals])))

    def draw(self, level: float, rng: np.random.Generator) -> float:
        """A residual of one of the repeated configurations whose error is nearest to `level`."""
        near = [self.residuals[i] for i in np.argsort(np.abs(self.level - level), kind="stable")[:NEIGHBOURS]]
        alike = math.lcm(*map(len, near))
        return float(rng.choice(np.concatenate([np.tile(part, alike // len(part)) for part in near])))


def measured_noise(space: str, protocol: str = "described", *, folder: Path = benchmark.FOLDER) -> Noise:
    """The noise of trainings under one protocol, from the configurations that were trained several times.

    Raises
    ------
    benchmark.BenchmarkError
        If none was.
    """
    good = benchmark.table(space, protocol, folder=folder).query("status == 'ok'")
    level, residuals = [], []
    for _, part in good.groupby("index"):
        n = len(part)
        if n > 1:
            logs = np.log10(part["mse"].to_numpy())
            level.append(logs.mean())
            residuals.append((logs - logs.mean()) * math.sqrt(n / (n - 1)))
    if not level:
        raise benchmark.BenchmarkError(
            f"No configuration of the space {space!r} was trained twice under {protocol!r}: its noise is not known."
        )
    order = np.argsort(level, kind="stable")
    return Noise(np.array(level)[order], [residuals[i] for i in order])


class Surrogate:
    """A model of the benchmark of one space under one protocol; called with a trial, it is an Optuna objective.

    The trial is asked for the parameters of `lstm_space(space)`. Its value is the predicted MSE in scaled units; NaN,
    which Optuna counts as a failed trial, where the training is predicted to fail. The predicted seconds are noted in
    the trial's user attribute "seconds".

    Parameters
    ----------
    space : {"generator", "gan"}
    protocol : str
        A key of `windows.PROTOCOLS`.
    noise : int, optional
        Seed of the noise: the value of trial k is then that of a training with a seed of its own, the prediction with
        a residual of the repeated trainings, drawn for (noise, k). Without it a configuration always has the same
        value.
    model : {"mixed", "process", "trees"}
        Mean of both regressions, or one of them: a conclusion that holds for either is none about the model.
    searched : bool
        Whether it is fitted to what searches with real trainings tried as well, see `helpers.searched`. It then knows
        more of good configurations, and of those that the tuners of these searches like.
    folder : path
        Where the benchmark lies.

    Raises
    ------
    benchmark.BenchmarkError
        For no, too few or damaged trainings, or noise asked for where nothing is known of it.
    ValueError
        For an unknown space, protocol or model.

    Examples
    --------
    >>> import optuna
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    >>> study.optimize(Surrogate("generator"), n_trials=20)
    >>> study.best_value < study.trials[0].value
    True
    """

    def __init__(
        self,
        space: str,
        protocol: str = "described",
        *,
        noise: int | None = None,
        model: str = "mixed",
        searched: bool = False,
        folder: Path = benchmark.FOLDER,
    ) -> None:
        self.name, self.protocol, self.model, self.searched = space, protocol, model, searched
        self.space = lstm_space(space)
        self._cube = UnitCube(self.space)
        frame = benchmark.table(space, protocol, folder=folder).query("repeat == 0")
        x, good = points(space, frame), (frame["status"] == "ok").to_numpy()
        if good.sum() < FEWEST:
            raise benchmark.BenchmarkError(
                f"The benchmark of the space {space!r} under {protocol!r} holds {good.sum()} good trainings; a "
                f"surrogate needs {FEWEST}."
            )
        self._seconds = fitted(Process, x[good], np.log10(frame["cpu_seconds"].to_numpy()[good]))
        self._tuners = None  # of the trainings that the process knows
        if searched:
            frame = self._with_searches(frame, folder)
            x, good = points(space, frame), (frame["status"] == "ok").to_numpy()
            self._tuners = frame["tuners"].to_numpy()[good]
        self.trainings = len(frame)
        self._mse: Regression | Drawn = Regression(x[good], np.log10(frame["mse"].to_numpy()[good]), model=model)
        self._failure = None if good.all() else fitted(Trees, x, (~good).astype(float))
        self._seed = noise
        self._noise = None if noise is None else measured_noise(space, protocol, folder=folder)

    def _with_searches(self, frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
        """The drawn trainings and those of searches, mixed: the first rows, which tell the kernel, are some of both."""
        tried = searches.table(self.name, self.protocol, folder=folder)
        closes = [part["data_sha256"].iloc[0] for part in (frame, tried)]
        if closes[0] != closes[1]:
            raise benchmark.BenchmarkError(
                f"The searches in the space {self.name!r} under {self.protocol!r} are on other closes "
                f"({closes[1][:12]} instead of {closes[0][:12]}): gather those on the same."
            )
        both = pd.concat([frame.assign(tuners=""), tried], ignore_index=True)
        return both.iloc[np.random.default_rng(0).permutation(len(both))]

    def __call__(self, trial: optuna.trial.BaseTrial) -> float:
        params = suggest(trial, self.space)
        trial.set_user_attr("seconds", self.seconds(params))
        if self.fails(params):
            return math.nan
        if self._noise is None:
            return self.mse(params)
        level = self._mse.at(self._point(params))
        rng = np.random.default_rng([self._seed, trial.number])
        return 10.0 ** (level + self._noise.draw(level, rng))

    def drawn(self, seed: int) -> Surrogate:
        """The same benchmark with one possible landscape of the errors: a function drawn from the process's posterior.

        Seconds and failures stay as predicted. Where many trainings are near, the landscape is that of the mean; where
        there are none it goes up and down as it does elsewhere.

        Raises
        ------
        ValueError
            If the model has no process.
        """
        other = copy.copy(self)
        other._mse = self._mse.draw(seed)
        return other

    def mse(self, config: LstmConfig | Mapping[str, Any]) -> float:
        """Predicted MSE, scaled units, of a configuration or of parameters of the space."""
        return 10.0 ** self._mse.at(self._point(config))

    def deviations(
        self, configs: Iterable[LstmConfig | Mapping[str, Any]], mse: ArrayLike, *, without: str = ""
    ) -> np.ndarray:
        """How far trainings lie from what the drawn landscapes allow, in standard deviations; see `Process.deviations`.

        Parameters
        ----------
        configs : iterable of LstmConfig or of mapping
        mse : array_like, shape (m,)
            Their errors, scaled units, none NaN.
        without : str
            A tuner whose searches, and those of its variants, the process is not to know: else it would be asked about
            what it was told.

        Raises
        ------
        ValueError
            If the model has no process.
        """
        if isinstance(self._mse, Drawn):
            raise ValueError("A drawn landscape is a single one; ask the surrogate that it was drawn from.")
        u = np.array([self._point(config) for config in configs]).reshape(-1, len(self._cube))
        return self._process(without).deviations(u, np.log10(np.asarray(mse, dtype=float)))

    def _process(self, without: str) -> Process:
        """The process, without the searches of a tuner and its variants."""
        process = self._mse.process
        mine = searches.by_family(self._tuners, without) if without and self._tuners is not None else np.zeros(1, bool)
        return process.without(mine) if mine.any() else process

    def seconds(self, config: LstmConfig | Mapping[str, Any]) -> float:
        """Predicted processor seconds of the training, on the average of the benchmark's machines."""
        return 10.0 ** self._seconds.at(self._point(config))

    def failure(self, config: LstmConfig | Mapping[str, Any]) -> float:
        """Predicted probability that the training fails."""
        return 0.0 if self._failure is None else self._failure.at(self._point(config))

    def fails(self, config: LstmConfig | Mapping[str, Any]) -> bool:
        """Whether the training rather fails than not."""
        return self.failure(config) > 0.5

    def _point(self, config: LstmConfig | Mapping[str, Any]) -> np.ndarray:
        return self._cube.encode(params_from_config(config) if isinstance(config, LstmConfig) else config)


def suggest(trial: optuna.trial.BaseTrial, space: SearchSpace) -> dict[str, Any]:
    """The parameters of an LSTM space, asked of a trial."""
    params: dict[str, Any] = {}
    for name, d in space.items():
        if isinstance(d, IntDistribution):
            params[name] = trial.suggest_int(name, d.low, d.high, step=d.step, log=d.log)
        else:
            params[name] = trial.suggest_float(name, d.low, d.high, step=d.step, log=d.log)
    return params


def points(space: str, frame: pd.DataFrame) -> np.ndarray:
    """The configurations of a table's rows in the unit cube, shape (n, d)."""
    cube = UnitCube(lstm_space(space))
    rows = frame[list(HYPERPARAMETERS)].to_dict("records")
    return np.array([cube.encode(params_from_config(LstmConfig(**row))) for row in rows]).reshape(-1, len(cube))


def foretell(space: str, protocol: str = "described", *, folder: Path = benchmark.FOLDER) -> pd.DataFrame:
    """How well the process predicts what tuners tried with real trainings, each tuner's searches unknown to it.

    Returns
    -------
    pandas.DataFrame
        One row a knowledge of the process: "drawn", the random table, and "searched", beside it the searches of all
        other tuners (a tuner and its variants count as one, `searched.family`). `n` trainings; of base-10 logarithms
        the `bias` (training less prediction), `rmse` and `spearman` rank correlation; `deviation`, the standard
        deviation of `Surrogate.deviations`, 1 if the trainings were drawn from the process.

    Raises
    ------
    benchmark.BenchmarkError
        For no, too few or damaged trainings.
    """
    from scipy.stats import spearmanr

    tried = searches.table(space, protocol, folder=folder).query("status == 'ok'").reset_index(drop=True)
    x, y = points(space, tried), np.log10(tried["mse"].to_numpy())
    names = list(dict.fromkeys(searches.family(t) for tuners in tried["tuners"] for t in tuners.split()))
    rows = []
    for known in ("drawn", "searched"):
        model = Surrogate(space, protocol, model="process", searched=known == "searched", folder=folder)
        at, predicted, measured, deviations = [], [], [], []
        for name in names:  # a training that several families made is asked of once for each
            mine = searches.by_family(tried["tuners"], name)
            process = model._process(name)
            at += list(np.flatnonzero(mine))
            predicted += [process.at(u) for u in x[mine]]
            measured += list(y[mine])
            deviations += list(process.deviations(x[mine], y[mine]))
        residual = np.array(measured) - np.array(predicted)
        rows.append(
            {
                "known": known,
                "n": len(set(at)),
                "bias": float(residual.mean()),
                "rmse": float(np.sqrt(np.mean(residual**2))),
                "spearman": float(spearmanr(measured, predicted).statistic),
                "deviation": float(np.std(deviations)),
            }
        )
    return pd.DataFrame(rows)


def cross_validate(
    space: str, protocol: str = "described", *, folds: int = 10, seed: int = 0, folder: Path = benchmark.FOLDER
) -> pd.DataFrame:
    """How well each model predicts trainings that it was not fitted to.

    Returns
    -------
    pandas.DataFrame
        One row a target ("mse", "seconds") and model: `r2` and `rmse` of the base-10 logarithms, `spearman` rank
        correlation, and `n`, the trainings.
    """
    from scipy.stats import spearmanr

    frame = benchmark.table(space, protocol, folder=folder).query("repeat == 0 and status == 'ok'")
    x = points(space, frame)
    fold = np.random.default_rng(seed).permutation(len(x)) % folds
    rows = []
    for target, column in (("mse", "mse"), ("seconds", "cpu_seconds")):
        y = np.log10(frame[column].to_numpy())
        members = {name: np.empty(len(y)) for name in ("process", "trees")}
        for k in range(folds):
            for name, predicted in members.items():
                model = Regression(x[fold != k], y[fold != k], model=name)
                predicted[fold == k] = [model.at(u) for u in x[fold == k]]
        members["mixed"] = (members["process"] + members["trees"]) / 2.0
        for name in MODELS:
            residual = y - members[name]
            rows.append(
                {
                    "target": target,
                    "model": name,
                    "n": len(y),
                    "r2": 1.0 - float(np.mean(residual**2) / y.var()),
                    "rmse": float(np.sqrt(np.mean(residual**2))),
                    "spearman": float(spearmanr(y, members[name]).statistic),
                }
            )
    return pd.DataFrame(rows)
