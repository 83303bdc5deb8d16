"""The hybrid tuner: its posterior, its generator, its moves, and what it is worth on problems with a known answer."""

import doctest
import math
import time

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from scipy.stats import norm, qmc

from helpers import samplers, surrogate
from helpers.samplers import HybridSampler
from helpers.samplers import hybrid as hybrid_module
from helpers.samplers.hybrid import climb, grid, spread, stein
from helpers.samplers.posterior import Posterior, standardised
from helpers.space import GENERATOR_SPACE, UnitCube

optuna.logging.set_verbosity(optuna.logging.ERROR)


def posterior(n=12, d=3, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.random((n, d))
    return Posterior(points, np.exp(4.0 * points[:, 0] + np.sin(5.0 * points[:, 1])), np.random.default_rng(1))


def search(objective, trials=20, **arguments):
    study = optuna.create_study(sampler=HybridSampler(**arguments))
    study.optimize(objective, n_trials=trials)
    return study


def bowl(trial, space=GENERATOR_SPACE):
    """An error over the generator paper's space that spans four decades, best at one end of two ranges."""
    params = {name: trial._suggest(name, d) for name, d in space.items()}
    u = UnitCube(space).encode(params)
    best = np.array([0.05, 0.95, 0.5, 0.3, 0.4, 0.06])
    weight = np.array([9.0, 3.0, 6.0, 3.0, 0.5, 4.0])
    return float(10.0 ** (-4.0 + weight @ (u - best) ** 2))


# The posterior.


def test_standardised_by_hand():
    z = standardised(np.array([1e-4, 1e-3, 1e-2]))
    assert np.allclose(z, [-math.sqrt(1.5), 0.0, math.sqrt(1.5)])  # logarithms, mean 0, standard deviation 1
    scores = norm.ppf([1 / 6, 0.5, 5 / 6])
    assert np.allclose(standardised(np.array([-3.0, 0.0, 1e6])), scores / scores.std())
    assert (standardised(np.array([2.0, 2.0])) == 0).all()
    tied = standardised(np.array([-1.0, -1.0, 5.0]))
    assert tied[0] == tied[1] < tied[2]


def test_a_penalty_out_of_all_proportion_is_cut():
    """The others' median is e^0, their least e^-1: above e^(0 + 3 + 7) nothing is told apart."""
    losses = np.exp([-1.0, 0.0, 0.0, 1.0, 10.0])
    for penalty in (1e30, 1e100):
        assert np.allclose(standardised(np.r_[losses[:4], penalty]), standardised(losses))
    assert not np.allclose(standardised(np.r_[losses[:4], np.exp(9.0)]), standardised(losses))


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=20), st.floats(1e-9, 1e9))
@settings(deadline=None, max_examples=50)
def test_a_common_factor_changes_nothing(values, factor):
    """Values that differ do so in the sixth digit at least: the factor's rounding must not decide which is larger."""
    values = np.array(values, dtype=float)
    assert np.allclose(standardised(values), standardised(values * factor), atol=1e-5)
    assert np.allclose(standardised(-values), standardised(-values * factor), atol=1e-12)


def test_one_members_moments_are_those_of_the_textbook():
    """Mean k'(K + s I)^-1 y and variance k(u, u) - k'(K + s I)^-1 k, with the kernel written out."""
    p = posterior()
    u = np.random.default_rng(2).random((5, 3))
    y = standardised(np.exp(4.0 * p.points[:, 0] + np.sin(5.0 * p.points[:, 1])))

    def kernel(a, b, e):
        r = np.sqrt(5.0 * (((a[:, None] - b) ** 2) * p._inverse[e]).sum(-1))
        return (1 + r + r**2 / 3) * np.exp(-r) + p._trend[e] * (a - 0.5) @ (b - 0.5).T

    mean, deviation = p.moments(u)
    for e in range(len(p.weights)):
        noisy = np.linalg.inv(p._precision[e])
        assert np.allclose(noisy - np.diag(np.diag(noisy)), _off_diagonal(kernel(p.points, p.points, e)), atol=1e-5)
        k = kernel(u, p.points, e)
        assert np.allclose(mean[e], k @ np.linalg.solve(noisy, y), atol=1e-6)
        variance = np.diag(kernel(u, u, e)) - np.diag(k @ np.linalg.solve(noisy, k.T))
        assert np.allclose(deviation[e] ** 2, variance, atol=1e-6)


def _off_diagonal(matrix):
    return matrix - np.diag(np.diag(matrix))


def test_shares_are_the_likelihoods():
    p = posterior()
    y = standardised(np.exp(4.0 * p.points[:, 0] + np.sin(5.0 * p.points[:, 1])))
    logs = [-0.5 * y @ q @ y + 0.5 * np.linalg.slogdet(q)[1] for q in p._precision]
    assert np.allclose(p.weights, np.exp(logs - np.max(logs)) / np.exp(logs - np.max(logs)).sum(), atol=1e-6)
    assert p.weights.sum() == pytest.approx(1.0) and (np.diff(p.weights) <= 1e-12).all()


@pytest.mark.parametrize("caution", [0.0, 1.0, 3.0])
def test_the_gradient_of_the_bound_is_its_slope(caution):
    p, u, step = posterior(), np.random.default_rng(3).random((6, 3)), 1e-6
    value, gradient = p.bound(u, caution)
    mean, deviation = p.moments(u)
    assert np.allclose(value, p.weights @ (mean - caution * deviation))
    for j in range(3):
        shift = step * np.eye(3)[j]
        slope = (p.bound(u + shift, caution)[0] - p.bound(u - shift, caution)[0]) / (2 * step)
        assert np.allclose(gradient[:, j], slope, atol=1e-5)


def test_improvement_is_an_expectation():
    p, u = posterior(), np.random.default_rng(4).random((4, 3))
    mean, deviation = p.moments(u)
    level = standardised(np.exp(4.0 * p.points[:, 0] + np.sin(5.0 * p.points[:, 1]))).min()
    draws = qmc.Sobol(1, seed=0).random(2**12).ravel()
    sampled = [
        sum(w * np.maximum(level - norm.ppf(draws, mean[e, i], deviation[e, i]), 0).mean()
            for e, w in enumerate(p.weights))
        for i in range(4)
    ]  # fmt: skip
    assert np.allclose(np.exp(p.improvement(u)), sampled, rtol=0.05, atol=1e-5)


def test_awaiting_is_conditioning_on_the_mean():
    one, points = posterior(), np.random.default_rng(5).random((3, 3))
    more, u = one.awaiting(points), np.random.default_rng(6).random((4, 3))
    (mean, deviation), (mean_more, deviation_more) = one.moments(u), more.moments(u)
    assert np.allclose(mean_more, mean, atol=1e-8)
    assert (deviation_more <= deviation + 1e-9).all()
    for member in range(len(one.weights)):  # of the textbook: K - k'(K + noise)^-1 k with all points
        k, _ = more._kernel(u, one._inverse, one._trend)
        whole = more._kernel(more.points, one._inverse, one._trend)[0][member]
        whole += (one._noise[member] + 1e-6) * np.eye(len(whole))
        own = 1.0 + one._trend[member] * ((u - 0.5) ** 2).sum(1)
        expected = own - np.einsum("mn,nm->m", k[member], np.linalg.solve(whole, k[member].T))
        assert np.allclose(deviation_more[member] ** 2, expected, atol=1e-7)
    assert (more.improvement(points) < one.improvement(points)).all()
    assert np.allclose(one.moments(u)[1], deviation)  # the posterior itself is as before


def test_suggestions_for_parallel_trials_lie_apart():
    space = {name: FloatDistribution(0.0, 1.0) for name in "abc"}

    def told(trial):
        return 0.01 + sum((value - 0.3) ** 2 for value in trial.params.values())

    gaps = []
    for seed in range(4):
        study = optuna.create_study(sampler=HybridSampler(seed=seed, space=space))
        for _ in range(12):
            trial = study.ask(space)
            study.tell(trial, told(trial))
        asked = np.array([list(study.ask(space).params.values()) for _ in range(4)])
        gaps += [np.abs(a - b).max() for i, a in enumerate(asked) for b in asked[:i]]
    assert min(gaps) > 0.02 and np.median(gaps) > 0.1, gaps


def test_a_trend_leads_to_the_end_of_a_range():
    """Trials in the middle whose losses fall towards a corner: least is expected beyond them."""
    points = 0.3 + 0.4 * np.random.default_rng(5).random((12, 2))
    p = Posterior(points, np.exp(3.0 * points.sum(1)), np.random.default_rng(0))
    ends = np.array([[0.0, 0.0], [0.3, 0.3], [1.0, 1.0]])
    value = p.bound(ends, 0.0)[0]
    assert value[0] < value[1] < value[2]


@pytest.mark.parametrize("losses", [[0.5] * 8, [1e-12, *[1e12] * 7], [-1e12, *[1e12] * 7]])
def test_flat_and_extreme_losses_are_survived(losses):
    points = np.tile(np.random.default_rng(0).random((4, 3)), (2, 1))  # every point twice
    p = Posterior(points, np.array(losses), np.random.default_rng(0))
    u = np.concatenate([points, np.random.default_rng(1).random((5, 3))])
    assert np.isfinite(p.improvement(u)).all() and all(np.isfinite(part).all() for part in p.bound(u, 1.0))


# The first points, the generator, the moves.


def test_the_first_points_are_spread():
    """More evenly than random ones: less centred discrepancy than the mean of ten random sets."""
    for d in (2, 6):
        ours = np.array([spread(k, np.full(d, 0.3)) for k in range(16)])
        assert ((ours >= 0) & (ours < 1)).all()
        random = [qmc.discrepancy(np.random.default_rng(s).random((16, d))) for s in range(10)]
        assert qmc.discrepancy(ours) < np.mean(random)
    g = (1 + math.sqrt(5)) / 2
    assert spread(0, np.zeros(1)) == pytest.approx(1 / g)


def test_the_stein_gradient_by_hand():
    u = np.array([[0.2, 0.5], [0.3, 0.5]])
    raw = np.log(u / (1 - u))
    k = math.exp(-0.5 * 0.005 / hybrid_module.REACH**2)  # mean square over the coordinates: 0.01 / 2
    push = k * 0.1 / (2 * hybrid_module.REACH**2)
    edge = 1 - 2 * u  # gradient of log du/draw
    expected = [
        [edge[0, 0] + k * edge[1, 0] - push * 0.3 * 0.7, 0.0],  # the other point's du/draw is 0.3 * 0.7
        [k * edge[0, 0] + edge[1, 0] + push * 0.2 * 0.8, 0.0],
    ]
    assert np.allclose(-stein(raw, np.zeros_like), np.array(expected) / (1 + k))
    pull = stein(raw, np.ones_like) - stein(raw, np.zeros_like)
    assert np.allclose(pull[0], (u[0] * (1 - u[0]) + k * u[1] * (1 - u[1])) / (1 + k))


def test_moving_against_it_draws_from_the_density():
    """Points moved for long are spread like the density."""

    def moved(slope):
        raw = np.random.default_rng(0).normal(size=(64, 1))
        for _ in range(3000):
            raw = raw - 0.05 * stein(raw, slope)
        return 1 / (1 + np.exp(-raw))

    u = moved(lambda u: (u - 0.6) / 0.01)  # normal, mean 0.6, standard deviation 0.1
    assert u.mean() == pytest.approx(0.6, abs=0.01) and u.std() == pytest.approx(0.1, abs=0.03)
    u = moved(lambda u: np.full_like(u, 10.0))  # exponential with mean 0.1, towards an edge: no collapse into it
    assert u.mean() == pytest.approx(0.1, abs=0.03) and u.std() > 0.04


def test_the_generator_learns_where_errors_are_small():
    sampler = HybridSampler(seed=0, space=GENERATOR_SPACE)
    study = optuna.create_study(sampler=sampler)
    study.optimize(bowl, n_trials=20)
    state = max(sampler._histories[-1].states.items())[1]
    z = np.random.default_rng(0).standard_normal((200, hybrid_module.NOISE_INPUTS))
    untrained = sampler._start(6).generator
    means = []
    for weights in (untrained, state.generator):
        u = hybrid_module.sigmoid(hybrid_module.forward(weights, z)[0])
        means.append(state.posterior.bound(u, 0.0)[0].mean())
    assert means[1] < means[0] - 0.5  # standard deviations of the losses
    assert u.std(0).max() > 0.02  # and has not collapsed
    assert any(t.system_attrs["hybrid"]["generated"] for t in study.trials)


def test_snapping_goes_to_the_values():
    space = {
        "n": IntDistribution(1, 4),
        "wide": IntDistribution(1, 100, log=True),
        "x": FloatDistribution(0.0, 1.0),
        "kind": CategoricalDistribution(["a", "b"]),
    }
    cube = UnitCube(space)
    for u in np.random.default_rng(0).uniform(-0.2, 1.2, (50, 4)):
        snapped = grid(cube)(u[None])[0]
        params = cube.decode(u)
        assert cube.decode(snapped) == params
        assert snapped[[0, 3]] == pytest.approx(cube.encode(params)[[0, 3]])
        assert snapped[2] == min(max(u[2], 0.0), 1.0)


def test_the_climb_ends_where_no_coordinate_leads_further():
    p, snap = posterior(), grid(UnitCube({name: IntDistribution(0, 9) for name in "abc"}))
    start = snap(np.array([[0.9, 0.1, 0.9]]))[0]
    value, end = climb(start, snap, p, lambda u: True)
    assert value >= p.improvement(start[None])[0]
    for j in range(3):
        line = np.repeat(end[None], 10, axis=0)
        line[:, j] = (np.arange(10) + 0.5) / 10
        assert p.improvement(line).max() <= value + 1e-9
    assert not np.array_equal(climb(start, snap, p, lambda u: not np.allclose(u, end))[1], end)


def test_the_climb_goes_between_the_values_that_it_tries_everywhere():
    """Steps of 1/16 lead to 0.3125 and 0.6875, smaller ones, down to 1/256, nearer."""
    top = np.array([0.3, 0.7])

    class Peak:
        def improvement(self, u):
            return -np.abs(u - top).sum(1)

    snap = grid(UnitCube({"x": FloatDistribution(0.0, 1.0), "y": FloatDistribution(0.0, 1.0)}))
    value, end = climb(np.array([0.9, 0.1]), snap, Peak(), lambda u: True)
    assert np.abs(end - top).max() < 1 / 256 and value == pytest.approx(-np.abs(end - top).sum())


# The tuner.


@pytest.mark.parametrize("seed", range(3))
def test_it_finds_the_best_of_nine_million_in_twenty(seed):
    best = search(bowl, seed=seed, space=GENERATOR_SPACE).best_value
    at_random = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    at_random.optimize(bowl, n_trials=20)
    assert best < 2e-4 < at_random.best_value  # the least is 1e-4


def test_it_never_repeats_until_the_space_is_exhausted():
    space = {"a": IntDistribution(0, 2), "b": CategoricalDistribution(["x", "y"])}
    study = search(lambda t: 1.0 + t.suggest_int("a", 0, 2) + (t.suggest_categorical("b", ["x", "y"]) == "x"),
                   trials=8, seed=0, space=space)  # fmt: skip
    seen = [tuple(t.params.values()) for t in study.trials]
    assert len(set(seen[:6])) == 6 and study.best_params == {"a": 0, "b": "y"}


def test_a_common_factor_changes_no_suggestion():
    runs = [search(lambda t, f=f: f * bowl(t), trials=9, seed=1, space=GENERATOR_SPACE) for f in (1.0, 1024.0)]
    assert [t.params for t in runs[0].trials] == [t.params for t in runs[1].trials]


def test_the_same_numbers_whatever_the_threads():
    """From about a hundred trials on, BLAS shares out the products, which changes their sums."""
    from threadpoolctl import threadpool_limits

    class Late(HybridSampler):
        def _step(self, state, seen):
            return state if len(seen) < 110 else super()._step(state, seen)

    def generator(threads: int) -> list[np.ndarray]:
        study = optuna.create_study(sampler=Late(seed=0, space=GENERATOR_SPACE))
        rng, space = np.random.default_rng(0), dict(GENERATOR_SPACE)
        for _ in range(110):
            params = UnitCube(space).decode(rng.random(6))
            study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=rng.random()))
        with threadpool_limits(threads):
            study.ask(space)
        return [w for layer in study.sampler._histories[-1].states[110].generator for w in layer]

    for one, other in zip(generator(1), generator(2), strict=True):
        np.testing.assert_array_equal(one, other)


def test_failures_are_avoided():
    """Deep networks fail: with the worst error so far in their place, they are hardly tried again."""

    def fails(trial):
        value = bowl(trial)
        return math.nan if trial.params["layers"] > 5 else value

    study = search(fails, trials=24, seed=0, space=GENERATOR_SPACE)
    failed = [t.number for t in study.trials if t.state == optuna.trial.TrialState.FAIL]
    assert sum(number >= 8 for number in failed) <= 3


def test_a_long_history_is_shortened(monkeypatch):
    monkeypatch.setattr(hybrid_module, "MOST", 8)
    sampler = HybridSampler(seed=0, space=GENERATOR_SPACE)
    study = optuna.create_study(sampler=sampler)
    study.optimize(bowl, n_trials=15)
    study.ask(dict(GENERATOR_SPACE))
    kept = max(sampler._histories[-1].states.items())[1].posterior.points
    trials = sorted(study.trials[:11], key=lambda t: t.value)[:4] + study.trials[11:15]
    cube = UnitCube(GENERATOR_SPACE)
    found = grid(cube)(np.array([t.system_attrs["hybrid"]["point"] for t in trials]))
    assert np.allclose(grid(cube)(kept), found)


def test_thinking_takes_less_than_a_fifth_of_a_second():
    study = search(bowl, trials=20, seed=0, space=GENERATOR_SPACE)
    seconds = []
    for _ in range(5):
        started = time.process_time()
        trial = study.ask(dict(GENERATOR_SPACE))
        seconds.append(time.process_time() - started)
        study.tell(trial, 0.01)
    assert np.median(seconds) < 0.2


@pytest.mark.parametrize("bad", [1, 0, True, 2.5, "4"])
def test_bad_arguments_are_named(bad):
    with pytest.raises(ValueError, match="init_points must be a whole number of at least 2"):
        HybridSampler(init_points=bad)


@pytest.mark.parametrize("module", [samplers, hybrid_module, surrogate])
def test_the_examples_in_the_documentation_run(module):
    tests = doctest.DocTestFinder(exclude_empty=True).find(module)
    assert any(test.examples for test in tests)
    for test in tests:
        assert doctest.DocTestRunner().run(test).failed == 0, test.name
