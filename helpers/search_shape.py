"""The shape of a search: where a tuner goes, whatever the LSTMs answer.

A *path* is the sequence of configurations that a tuner tried, as an array (iterations, 6) of coordinates: each
hyperparameter from 0 at the lower end of its range to 1 at the upper end, on the scale that is searched (exponents for
learning rate and batch size). The published tables are paths; so are simulated searches, whose objective is a random
MSE drawn from the paper's own. A dozen numbers describe a path, and a distance over these says which mechanism could
have made the published one.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from helpers import intervals, provenance, published
from helpers.intervals import Estimate
from helpers.progress import Bar
from helpers.space import GAN_SPACE, GENERATOR_SPACE, HYPERPARAMETERS, LstmConfig, SearchSpace, params_from_config

SAVE_EVERY = 10.0  # seconds of simulation that a kill may cost
LOW = 0.15  # coordinates below this count as at the lower end
ALPHA = 0.05  # false discovery rate at which mechanisms are ruled out
STEPS: Mapping[str, int] = {"generator": 20, "gan": 20, "bayesian": 28}  # iterations of the published paths
SPACES: Mapping[str, SearchSpace] = {"generator": GENERATOR_SPACE, "gan": GAN_SPACE, "bayesian": GENERATOR_SPACE}


class ShapeError(ValueError):
    """A simulation that cannot be read; the message is one sentence for the reader."""


# Paths.


def coordinates(table: pd.DataFrame, space: SearchSpace) -> np.ndarray:
    """The configurations of a table of records as a path, shape (iterations, 6).

    Parameters
    ----------
    table : pandas.DataFrame
        With the six hyperparameters as columns.
    space : mapping
        One of the LSTM spaces.
    """
    low = np.array([d.low for d in space.values()], dtype=float)
    high = np.array([d.high for d in space.values()], dtype=float)
    values = []
    for row in table[list(HYPERPARAMETERS)].itertuples(index=False):
        whole = (int(row.layers), int(row.units), float(row.learning_rate), int(row.batch_size))
        config = LstmConfig(*whole, int(row.sequence_length), float(row.dropout_rate))
        values.append([params_from_config(config)[name] for name in space])
    return (np.array(values, dtype=float) - low) / (high - low)


def published_path(which: str) -> np.ndarray:
    """A published table as a path.

    Raises
    ------
    ValueError
        For an unknown table.
    """
    return coordinates(published.runs(which), SPACES[which])


# Statistics.

STATISTICS: Mapping[str, str] = {
    "within": "standard deviation within a row",
    "between": "standard deviation between row means",
    "spearman": "mean pairwise Spearman correlation",
    "first_component": "variance along the first principal component",
    "low": "values at the lower end",
    "low_first": "the same, first third of the iterations",
    "low_last": "the same, last third of the iterations",
    "start": "mean of the first row",
    "jump": "largest row mean within iterations 2 to 4",
    "end": "mean of the rows of the last third",
    "repeats": "rows that repeat an earlier one",
    "autocorrelation": "autocorrelation of row means at lag 1",
}


def describe(path: np.ndarray) -> dict[str, float]:
    """The numbers of `STATISTICS` for a path of shape (iterations, d); at least six iterations.

    `within` is the mean over the rows of the standard deviation of the row's d coordinates, `between` the standard
    deviation of the row means. Correlations with a coordinate that does not vary count as 0.

    Raises
    ------
    ValueError
        For another shape.
    """
    path = np.asarray(path, dtype=float)
    if path.ndim != 2 or len(path) < 6 or path.shape[1] < 2:
        raise ValueError(f"A path has shape (iterations, d) with at least 6 iterations, not {path.shape}.")
    third, means = len(path) // 3, path.mean(axis=1)
    low = path < LOW
    return {
        "within": float(path.std(axis=1).mean()),
        "between": float(means.std()),
        "spearman": mean_pairwise(spearman_matrix(path)),
        "first_component": float(explained_variance(path)[0]),
        "low": float(low.mean()),
        "low_first": float(low[:third].mean()),
        "low_last": float(low[-third:].mean()),
        "start": float(means[0]),
        "jump": float(means[1:4].max()),
        "end": float(means[-third:].mean()),
        "repeats": 1.0 - len(np.unique(path.round(9), axis=0)) / len(path),
        "autocorrelation": float(autocorrelation(means)),
    }


def spearman_matrix(path: np.ndarray) -> np.ndarray:
    """Rank correlations of the coordinates over the iterations, shape (d, d); 0 where one does not vary."""
    ranks = stats.rankdata(path, axis=0)
    ranks = ranks - ranks.mean(axis=0)
    scale = np.sqrt((ranks**2).sum(axis=0))
    outer = np.outer(scale, scale)
    matrix = np.divide(ranks.T @ ranks, outer, out=np.zeros_like(outer), where=outer > 0)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def mean_pairwise(matrix: np.ndarray) -> float:
    """Mean of the entries above the diagonal."""
    return float(matrix[np.triu_indices(len(matrix), 1)].mean())


def explained_variance(path: np.ndarray) -> np.ndarray:
    """Share of the rows' variance along each principal component, shape (d,), falling.

    The first is 1 for a path along a straight line and for one that does not move.
    """
    centred = path - path.mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False) ** 2
    values = np.pad(values, (0, path.shape[1] - len(values)))
    if values.sum() < 1e-20:
        return np.eye(1, path.shape[1])[0]
    return values / values.sum()


def low_by_iteration(paths: np.ndarray) -> np.ndarray:
    """Share of values at the lower end at each iteration, shape (iterations,), over paths (runs, iterations, d)."""
    return (np.asarray(paths) < LOW).mean(axis=(0, 2))


def autocorrelation(series: np.ndarray, lag: int = 1) -> np.ndarray:
    """Autocorrelation of series (..., n) at a lag; 0 for a series that does not vary."""
    x = np.asarray(series, dtype=float)
    x = x - x.mean(axis=-1, keepdims=True)
    total = (x * x).sum(axis=-1)
    product = (x[..., lag:] * x[..., :-lag]).sum(axis=-1)
    return np.divide(product, total, out=np.zeros(np.shape(total)), where=total > 1e-20)


def periodicity(series: np.ndarray) -> np.ndarray:
    """Fisher's g of series (..., n): the largest share of the variance that one frequency holds.

    1 is a pure wave. A wave that does not fit twice into the series is a trend, not a cycle: it does not count.
    """
    power = _power(series)
    total = power.sum(axis=-1)
    return np.divide(power[..., 1:].max(axis=-1), total, out=np.zeros(np.shape(total)), where=total > 1e-20)


def cycle_length(series: np.ndarray) -> float:
    """Iterations of the period that holds most variance, at most half the length of the series."""
    return np.shape(series)[-1] / (2 + int(np.argmax(_power(series)[..., 1:])))


def _power(series: np.ndarray) -> np.ndarray:
    x = np.asarray(series, dtype=float)
    return np.abs(np.fft.rfft(x - x.mean(axis=-1, keepdims=True), axis=-1)[..., 1:]) ** 2


@dataclass(frozen=True)
class Cycles:
    """Whether a series has waves that its values in random order do not have.

    Attributes
    ----------
    n : int
        Iterations.
    period : float
        Iterations of the strongest period.
    g, g_p : float
        Fisher's g and the share of random orders that have at least as large a one.
    autocorrelation, autocorrelation_p : float
        At lag 1, likewise; a slow wave has a high one.
    """

    n: int
    period: float
    g: float
    g_p: float
    autocorrelation: float
    autocorrelation_p: float

    @property
    def found(self) -> bool:
        """A period at the level of 5 %."""
        return self.g_p < 0.05


def cycles(series: np.ndarray, *, seed: int = 0, draws: int = intervals.DRAWS) -> Cycles:
    """Test a series, shape (n,), for cycles against permutations of its iterations. Missing values are left out.

    Raises
    ------
    ValueError
        With fewer than 6 values.
    """
    x = np.asarray(series, dtype=float)
    x = x[np.isfinite(x)]
    if len(x) < 6:
        raise ValueError(f"A search for cycles needs at least 6 values, not {len(x)}.")
    return Cycles(
        n=len(x),
        period=cycle_length(x),
        g=float(periodicity(x)),
        g_p=intervals.permutation_p(periodicity, x, seed=seed, draws=draws),
        autocorrelation=float(autocorrelation(x)),
        autocorrelation_p=intervals.permutation_p(autocorrelation, x, seed=seed, draws=draws),
    )


# Simulated searches.


@dataclass(frozen=True)
class Mechanism:
    """One way to search.

    Attributes
    ----------
    name : str
        Part of a file's name.
    table : {"generator", "gan", "bayesian"}
        The published path it might explain: gives the space, the number of iterations and the pool of MSEs.
    kind : {"generator", "gan", "bayesian", "random"}
    arguments : mapping
        Of the sampler.
    text : str
        For figures.
    slow : bool
        Costs seconds a run, not a tenth.
    """

    name: str
    table: str
    kind: str
    arguments: Mapping[str, Any]
    text: str
    slow: bool = False

    def sampler(self, seed: int) -> Any:
        from helpers import samplers

        space = SPACES[self.table]
        if self.kind == "random":
            import optuna

            return optuna.samplers.RandomSampler(seed=seed)
        classes = {"generator": "GeneratorSampler", "gan": "GanSampler", "bayesian": "BayesianSampler"}
        return getattr(samplers, classes[self.kind])(seed=seed, space=space, **self.arguments)


def _mechanisms() -> dict[str, Mechanism]:
    made = []
    feedbacks = {
        "paper": "regressed on the MSE",
        "shuffled": "regressed on shuffled MSEs",
        "zero": "regressed on 0",
        "product": "MSE times outputs",
        "reinforce": "policy gradient",
    }
    for scaling in ("tanh", "clip"):
        for feedback, words in feedbacks.items():
            text = f"{words}, {'|tanh|' if scaling == 'tanh' else 'clipped'}"
            arguments = {"feedback": feedback, "scaling": scaling}
            made.append(Mechanism(f"generator-{feedback}-{scaling}", "generator", "generator", arguments, text))
    made.append(Mechanism("generator-random", "generator", "random", {}, "random search"))
    gan = {
        "full": ({}, "GAN"),
        "no-discriminator": ({"discriminator": False}, "without discriminator"),
        "no-error": ({"error_weight": 0.0}, "without the MSE's term"),
        "no-diversity": ({"diversity_weight": 0.0}, "without diversity"),
    }
    for name, (arguments, text) in gan.items():
        made.append(Mechanism(f"gan-{name}", "gan", "gan", arguments, text, slow=True))
    made.append(Mechanism("gan-random", "gan", "random", {}, "random search"))
    for ranges in ("paper", "warped"):
        text = "Bayesian, raw ranges" if ranges == "paper" else "Bayesian, warped"
        made.append(Mechanism(f"bayesian-{ranges}", "bayesian", "bayesian", {"ranges": ranges}, text, slow=True))
    made.append(Mechanism("bayesian-random", "bayesian", "random", {}, "random search"))
    return {m.name: m for m in made}


MECHANISMS: Mapping[str, Mechanism] = _mechanisms()


def mechanisms(table: str) -> list[Mechanism]:
    """The mechanisms that might explain one published table."""
    return [m for m in MECHANISMS.values() if m.table == table]


def search(
    mechanism: Mechanism, seed: int, *, objective: Callable[[int], float] | None = None, steps: int | None = None
) -> np.ndarray:
    """One simulated search: its path, shape (steps, 6).

    Parameters
    ----------
    mechanism : Mechanism
    seed : int
    objective : callable, optional
        From the iteration, counted from 0, to the MSE; by default a random one of the published table's.
    steps : int, optional
        By default as many as the published table has rows.
    """
    import optuna

    pool = published.runs(mechanism.table)["mse"].to_numpy()
    drawn = np.random.default_rng([seed, 4]).choice(pool, size=steps or STEPS[mechanism.table])
    space = SPACES[mechanism.table]
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(sampler=mechanism.sampler(seed))
        for i, value in enumerate(drawn):
            trial = study.ask(dict(space))
            study.tell(trial, float(value) if objective is None else float(objective(i)))
    finally:
        optuna.logging.set_verbosity(verbosity)
    low = np.array([d.low for d in space.values()], dtype=float)
    high = np.array([d.high for d in space.values()], dtype=float)
    values = np.array([[t.params[name] for name in space] for t in study.trials], dtype=float)
    return (values - low) / (high - low)


def simulate(
    mechanism: Mechanism | str,
    runs: int,
    *,
    folder: str | Path,
    seed: int = 0,
    jobs: int = 1,
    train: bool = True,
    progress: bool = True,
) -> np.ndarray:
    """Simulated searches of one mechanism, kept in `<folder>/shape_<name>.npz`.

    Parameters
    ----------
    mechanism : Mechanism or str
        Or its name.
    runs : int
        The seeds `seed` ... `seed + runs - 1`. Runs that are there already are not made again.
    folder : path
    jobs : int
        Processes.
    train : bool
        False reads only.
    progress : bool
        Whether to show progress on standard error.

    Returns
    -------
    numpy.ndarray, shape (runs, iterations, 6)

    Raises
    ------
    ShapeError
        Unknown mechanism; runs that are missing with `train=False`.
    """
    if isinstance(mechanism, str):
        if mechanism not in MECHANISMS:
            raise ShapeError(f"Unknown mechanism {mechanism!r}; valid mechanisms are {', '.join(MECHANISMS)}.")
        mechanism = MECHANISMS[mechanism]
    path = Path(folder) / f"shape_{mechanism.name}.npz"
    identity = json.dumps(
        {
            "arguments": dict(mechanism.arguments),
            "steps": STEPS[mechanism.table],
            "seed": seed,
            # Not the whole package: other tuners, the LSTM and this module's statistics do not change a path.
            "code": [_sampler_code(mechanism)] if train else None,
        },
        sort_keys=True,
    )
    kept, same_code = _kept(path, identity)
    if train and len(kept) and not same_code:  # code may change and do the same: the first search tells
        if np.array_equal(_rounded([search(mechanism, seed)])[0], kept[0]):
            _write(path, kept, identity)
        else:
            kept = kept[:0]
    if len(kept) < runs:
        if not train:
            raise ShapeError(f"{path.name} holds {len(kept)} of {runs} simulated searches; make them first.")
        seeds = range(seed + len(kept), seed + runs)
        if jobs > 1 and len(seeds) > 1:
            from joblib import Parallel, delayed

            searches = Parallel(n_jobs=jobs, return_as="generator")(delayed(search)(mechanism, s) for s in seeds)
        else:
            searches = (search(mechanism, s) for s in seeds)
        new: list[np.ndarray] = []
        written, last = 0, time.monotonic()

        def save() -> None:
            made = _rounded(new)
            _write(path, np.concatenate([kept, made]) if len(kept) else made, identity)

        try:
            with Bar(runs, f"simulated {mechanism.name}", unit="search", done=len(kept), shown=progress) as bar:
                for one in searches:
                    new.append(one)
                    if time.monotonic() - last > SAVE_EVERY:
                        save()
                        written, last = len(new), time.monotonic()
                    bar.update()
        finally:  # an interruption loses the search in flight alone
            if len(new) > written:
                save()
        kept = np.concatenate([kept, _rounded(new)]) if len(kept) else _rounded(new)
    return kept[:runs] / 10_000


def _rounded(paths: Sequence[np.ndarray]) -> np.ndarray:
    """Paths as they are kept: a thousandth of the range is finer than any grid here (249 steps at most), two bytes."""
    return np.round(np.array(paths) * 10_000).astype(np.uint16)


def _write(path: Path, paths: np.ndarray, identity: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    np.savez_compressed(aside, paths=paths, identity=np.array(identity))
    os.replace(aside, path)


def _kept(path: Path, identity: str) -> tuple[np.ndarray, bool]:
    """The runs in a file, as whole ten-thousandths, and whether the same code made them.

    Empty if there is none or it was made by another mechanism.
    """
    nothing = np.empty((0,), np.uint16), False
    if not path.is_file():
        return nothing
    try:
        with np.load(path, allow_pickle=False) as file:
            found, paths = json.loads(str(file["identity"])), file["paths"]
    except Exception:  # a damaged archive raises many kinds; simulated runs are cheap to make again
        return nothing
    wanted = json.loads(identity)
    same_code = found.pop("code", None) == wanted.pop("code")
    return (paths, same_code) if found == wanted else nothing


def _sampler_code(mechanism: Mechanism) -> str:
    if mechanism.kind == "random":
        return "optuna"
    from helpers import paths

    return provenance.code_hash(paths.HELPERS / "samplers" / f"{mechanism.kind}.py")


@dataclass(frozen=True)
class Influence:
    """What switching one thing changes in a search, seed by seed.

    Attributes
    ----------
    same : Estimate
        Share of the iterations (after the first) at which both propose the same configuration.
    moved : Estimate
        Mean absolute difference of the coordinates, same seed.
    between_seeds : float
        The same between different seeds: what the seed alone changes. NaN with one run.
    beyond_seeds : Estimate
        `moved` less `between_seeds`, run by run: below 0 where the seed changes more.
    """

    same: Estimate
    moved: Estimate
    between_seeds: float
    beyond_seeds: Estimate

    @property
    def in_words(self) -> str:
        """How chance, the seed, compares with what was switched: by the interval of the difference, not its sign."""
        gap = self.beyond_seeds
        if not (math.isfinite(gap.low) and math.isfinite(gap.high)):
            return "how that compares with chance, one search cannot say"
        if gap.low <= 0 <= gap.high:
            return "chance matters about as much as what the tuner is told"
        return f"chance matters {'more' if gap.high < 0 else 'less'} than what the tuner is told"


def influence(one: np.ndarray, other: np.ndarray, *, seed: int = 0) -> Influence:
    """Compare paths (runs, iterations, d) of two mechanisms that share their seeds, run by run.

    What the seed changes is taken from `one`: each run's mean distance from all of its other runs.

    Raises
    ------
    ValueError
        For arrays of different shapes.
    """
    if one.shape != other.shape:
        raise ValueError(f"Paths to compare must have one shape, not {one.shape} and {other.shape}.")
    away = np.abs(one - other)[:, 1:]
    moved = away.mean(axis=(1, 2))
    others = max(len(one) - 1, 1)
    # A run's distance from itself is 0 and adds nothing to the sum.
    across = np.array([np.abs(one - run)[:, 1:].mean(axis=(1, 2)).sum() / others for run in one])
    across = across if len(one) > 1 else np.full(len(one), math.nan)
    return Influence(
        same=intervals.bootstrap(np.mean, (away.max(axis=2) < 1e-9).mean(axis=1), seed=seed),
        moved=intervals.bootstrap(np.mean, moved, seed=seed),
        between_seeds=float(across.mean()),
        beyond_seeds=intervals.bootstrap(np.mean, moved - across, seed=seed),
    )


# Which mechanism explains a published path?


@dataclass(frozen=True)
class Explanation:
    """How far a published path lies from a mechanism's own.

    Attributes
    ----------
    mechanism : str
    distance : Estimate
        Mean over the runs of the distance between a run's statistics and the path's.
    p : float
        Share of the mechanism's runs that lie at least as far from the others as the published path does; NaN with
        fewer than three runs.
    ruled_out : bool
        Whether p is small, at a false discovery rate of `ALPHA` over all mechanisms (Benjamini and Hochberg).
    typical : int
        Which run lies at the median distance from the path.
    """

    mechanism: str
    distance: Estimate
    p: float
    ruled_out: bool
    typical: int


def explanations(path: np.ndarray, simulated: Mapping[str, np.ndarray], *, seed: int = 0) -> list[Explanation]:
    """Every mechanism's distance to a path, nearest first.

    Each statistic is divided by its standard deviation over all runs of all mechanisms, so that all count alike; the
    distance is the root mean squared difference over the statistics. For `p`, the distance of the path from the
    mechanism's mean is compared with that of each of its runs from the mean of the other runs (Mahalanobis, the
    covariance shrunk to its diagonal by a tenth, and with a hundredth of the common variance added so that a statistic
    that never varies cannot decide alone).

    Parameters
    ----------
    path : numpy.ndarray, shape (iterations, d)
    simulated : mapping of str to numpy.ndarray, shape (runs, iterations, d)
    """
    names = list(STATISTICS)
    target = np.array([describe(path)[s] for s in names])
    clouds = {name: np.array([[describe(p)[s] for s in names] for p in paths]) for name, paths in simulated.items()}
    scale = np.concatenate(list(clouds.values())).std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    found = []
    for name, cloud in clouds.items():
        distances = np.sqrt((((cloud - target) / scale) ** 2).mean(axis=1))
        estimate = intervals.bootstrap(np.mean, distances, seed=seed)
        typical = int(np.argsort(distances)[len(distances) // 2])
        found.append((name, estimate, _outlying(target / scale, cloud / scale), typical))
    ordered = sorted(found, key=lambda item: math.inf if math.isnan(item[2]) else item[2])
    passed = [i for i, (_, _, p, _) in enumerate(ordered, start=1) if p <= ALPHA * i / len(ordered)]
    out = {name for name, *_ in ordered[: max(passed, default=0)]}
    listed = [Explanation(name, estimate, p, name in out, typical) for name, estimate, p, typical in found]
    return sorted(listed, key=lambda e: e.distance.value)


def _outlying(target: np.ndarray, cloud: np.ndarray) -> float:
    n = len(cloud)
    if n < 3:
        return math.nan

    def depth(x: np.ndarray, others: np.ndarray) -> float:
        covariance = np.cov(others, rowvar=False)
        covariance = 0.9 * covariance + 0.1 * np.diag(np.diag(covariance)) + 0.01 * np.eye(len(x))
        away = x - others.mean(axis=0)
        return float(away @ np.linalg.solve(covariance, away))

    theirs = np.array([depth(cloud[i], np.delete(cloud, i, axis=0)) for i in range(n)])
    return float((1 + np.sum(theirs >= depth(target, cloud))) / (1 + n))


def standing(found: Sequence[Explanation], *, ours: str = "") -> str:
    """Which mechanism is nearest to a published path and which remain possible: a sentence or two for the notebook.

    Being nearest is not being possible: the nearest of those tried may be ruled out, and is then said to be.

    Parameters
    ----------
    found : sequence of Explanation
        From `explanations`, nearest first.
    ours : str
        Name of the mechanism that our tuner uses.
    """

    def named(explanation: Explanation) -> str:
        text = f"*{MECHANISMS[explanation.mechanism].text}*"
        return f"{text} (ours)" if explanation.mechanism == ours else text

    first, out = found[0], [e for e in found if e.ruled_out]
    left = [e for e in found if not e.ruled_out]
    said = f"Of {len(found)} mechanisms tried, {named(first)} is nearest to it"
    if not left:
        included = ", ours included," if any(e.mechanism == ours for e in out) else ""
        return f"{said}, but every one of them{included} is ruled out."
    also = " and ".join(map(named, [e for e in left if e is not first]))
    if not out:
        said += "; none is ruled out."
    elif first.ruled_out:
        others = f", as are {len(out) - 1} others" if len(out) > 2 else ", as is one other" if len(out) > 1 else ""
        near = "its searches are nearer to each other than the published one is to them"
        remain = f"only {also}, which scatter{'' if len(left) > 1 else 's'} more, remain{'' if len(left) > 1 else 's'}"
        said += f", but it is ruled out too{others}: {near}; {remain} possible."
    else:
        others = f"the other {len(out)} are" if len(out) > 1 else "the other is"
        said += f" and remains possible{f', as do {also}' if also else ''}; {others} ruled out."
    few = [e for e in left if 1 / (1 + e.distance.n) > ALPHA]  # no p as small as that can come of so few
    if few:
        of = "" if len(few) == len(found) else f" of {', '.join(map(named, few))}"
        said += f" Too few searches{of} were simulated to rule {'any' if not of else 'them'} out."
    return said


def shape_table(paths: Mapping[str, Sequence[np.ndarray] | np.ndarray], *, seed: int = 0) -> pd.DataFrame:
    """The statistics of several paths or sets of paths: one row a statistic, one column a name.

    A single path (iterations, d) gives numbers, a set of paths the mean over the runs with the range of the middle 95 %
    of the runs.
    """
    columns: dict[str, list[str]] = {}
    for name, entry in paths.items():
        array = np.asarray(entry, dtype=float)
        runs = [describe(p) for p in (array[None] if array.ndim == 2 else array)]
        cells = []
        for statistic in STATISTICS:
            values = np.array([run[statistic] for run in runs])
            text = f"{values.mean():.2f}"
            if len(values) > 1:
                low, high = np.quantile(values, [0.025, 0.975])
                text += f" ({low:.2f} to {high:.2f})"
            columns.setdefault(name, cells)
            cells.append(text)
    return pd.DataFrame({"statistic": list(STATISTICS.values()), **columns})
