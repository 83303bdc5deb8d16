"""The papers' tuners: what they promise beyond Optuna's contract."""

import logging
import math
import subprocess
import sys
import threading
import time
from functools import partial

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from helpers import paths
from helpers.samplers import BayesianSampler, GanSampler, GeneratorSampler, HybridSampler
from helpers.samplers import gan as gan_module
from helpers.samplers import generator as generator_module
from helpers.samplers.base import Observation, losses
from helpers.samplers.bayesian import RawRanges
from helpers.space import GAN_SPACE, GENERATOR_SPACE, UnitCube
from tests.conftest import all_cores

optuna.logging.set_verbosity(optuna.logging.ERROR)

MIXED = {
    "depth": IntDistribution(1, 11, step=2),
    "width": IntDistribution(1, 100, log=True),
    "rate": FloatDistribution(1e-5, 1e-1, log=True),
    "share": FloatDistribution(0.0, 1.0),
    "drop": FloatDistribution(0.1, 0.9, step=0.1),
    "kind": CategoricalDistribution(["a", None, 1, 2.5]),
}
TUNERS = {
    **{f"generator-{f}": partial(GeneratorSampler, feedback=f) for f in generator_module.FEEDBACKS},
    "generator-rank-clip": partial(GeneratorSampler, transform="rank", scaling="clip"),
    "gan": GanSampler,
    "gan-without-discriminator": partial(GanSampler, discriminator=False),
    "bayesian-paper": partial(BayesianSampler, init_points=2),
    "bayesian-warped": partial(BayesianSampler, init_points=2, ranges="warped"),
    "hybrid": partial(HybridSampler, init_points=2),
    "hybrid-without-generator": partial(HybridSampler, init_points=2, generator=False, polish=False),
}
every_tuner = pytest.mark.parametrize("tuner", TUNERS.values(), ids=TUNERS)


def error(trial, seed=0):
    """A made-up error between 2e-4 and 3e-2 for a trial, the same whenever it is asked for."""
    return float(np.exp(np.random.default_rng([seed, trial.number]).uniform(np.log(2e-4), np.log(3e-2))))


def study_of(sampler, storage=None, direction="minimize"):
    return optuna.create_study(
        sampler=sampler, storage=storage, study_name="tuning", load_if_exists=True, direction=direction
    )


def run(study, space, trials, told=error):
    """Ask and tell `trials` times; `told` may return None for a failed trial. All suggestions of the study so far."""
    for _ in range(trials):
        trial = study.ask(dict(space))
        value = told(trial)
        study.tell(trial, value, state=TrialState.FAIL if value is None else None)
    return [t.params for t in study.trials]


@every_tuner
def test_resumed_at_every_trial_it_goes_on_as_if_never_stopped(tuner, tmp_path):
    def told(trial):
        return None if trial.number == 2 else error(trial)

    whole = run(study_of(tuner(seed=4, space=GENERATOR_SPACE)), GENERATOR_SPACE, 8, told)
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "a.journal"))
    for _ in range(8):  # a new sampler and a new reading of the journal before every trial
        study = study_of(tuner(seed=4, space=GENERATOR_SPACE), optuna.storages.JournalStorage(backend))
        resumed = run(study, GENERATOR_SPACE, 1, told)
    assert resumed == whole


@every_tuner
def test_seeds_differ_and_repeat(tuner):
    a, b, c = (run(study_of(tuner(seed=s, space=GAN_SPACE)), GAN_SPACE, 6) for s in (0, 0, 1))
    assert a == b
    assert a[0] != c[0] and a[-1] != c[-1]


@every_tuner
def test_any_space_with_failures_extremes_and_pruning(tuner):
    values = [None, np.inf, 1.0, -np.inf, 1e300, None, -5.0, 2.0]

    def told(trial):
        return values[trial.number % len(values)]

    study = study_of(tuner(seed=1, space=MIXED))
    run(study, MIXED, 8, told)
    pruned = study.ask(MIXED)
    pruned.report(0.3, step=0)
    study.tell(pruned, state=TrialState.PRUNED)
    study.tell(study.ask(MIXED), state=TrialState.PRUNED)
    for params in run(study, MIXED, 2, told):
        for name, d in MIXED.items():
            assert d._contains(d.to_internal_repr(params[name]))
    point = study.trials[-1].system_attrs[study.sampler.name]["point"]
    assert np.isfinite(point).all() and len(point) == len(MIXED)


@every_tuner
def test_maximising_is_minimising_the_negative(tuner):
    low = run(study_of(tuner(seed=2, space=GAN_SPACE)), GAN_SPACE, 7)
    high = run(study_of(tuner(seed=2, space=GAN_SPACE), direction="maximize"), GAN_SPACE, 7, lambda t: -error(t))
    assert low == high


@every_tuner
def test_trials_of_another_origin_are_part_of_the_history(tuner):
    def begun(rate):
        study = study_of(tuner(seed=0, space=GAN_SPACE))
        study.enqueue_trial({"layers": 5, "units": 50, "log10_learning_rate": -1, "log2_batch_size": 11})
        run(study, GAN_SPACE, 1)
        assert study.trials[0].params["units"] == 50  # the rest of it is the sampler's
        study.sampler = optuna.samplers.RandomSampler(seed=0)
        run(study, GAN_SPACE, 4)
        study.add_trial(
            optuna.create_trial(
                params={**study.trials[2].params, "dropout_rate": rate}, distributions=dict(GAN_SPACE), value=1e-9
            )
        )
        study.add_trial(optuna.create_trial(params={"x": 1}, distributions={"x": IntDistribution(0, 1)}, value=0.0))
        study.sampler = tuner(seed=0, space=GAN_SPACE)
        return run(study, GAN_SPACE, 2)[-2:]

    assert begun(0.9) == begun(0.9)
    if tuner is GanSampler:  # the generator hears of values alone
        assert begun(0.9) != begun(0.1)


def test_space_is_learnt_from_the_first_trial():
    study = study_of(GeneratorSampler(seed=0))
    run(study, GENERATOR_SPACE, 2)
    assert "generator" not in study.trials[0].system_attrs  # random: Optuna did not know the parameters yet
    assert study.trials[1].system_attrs["generator"]["parameters"] == sorted(GENERATOR_SPACE)


@every_tuner
def test_a_changed_past_is_noticed(tuner):
    """The kept state is used for the trials it has seen and for no others."""
    sampler = tuner(seed=0, space=GAN_SPACE)
    run(study_of(sampler), GAN_SPACE, 6, partial(error, seed=1))
    used = run(study_of(sampler), GAN_SPACE, 6, partial(error, seed=2))
    assert used == run(study_of(tuner(seed=0, space=GAN_SPACE)), GAN_SPACE, 6, partial(error, seed=2))


def test_a_failure_is_as_bad_as_the_worst_of_all():
    """Also of those that came after it: an early one would else be the best for ever."""
    seen = tuple(Observation(i, (0.5,), v) for i, v in enumerate([math.inf, 2.0, math.inf, 1.0, 9.0, -math.inf]))
    assert losses(seen).tolist() == [9.0, 2.0, 9.0, 1.0, 9.0, 1.0]
    assert losses(seen[:2]).tolist() == [2.0, 2.0] and losses(seen[:1]).tolist() == []


@pytest.mark.parametrize("tuner", [GanSampler, HybridSampler])
def test_threads_do_not_meet(tuner):
    """256 configurations, 40 trials, four threads that think at the same time: each knows what the others do."""
    space = {"x": IntDistribution(0, 15), "y": IntDistribution(0, 15)}

    def objective(trial):
        time.sleep(0.01)
        return 1.0 + (trial.suggest_int("x", 0, 15) - 3) ** 2 + (trial.suggest_int("y", 0, 15) - 11) ** 2

    study = study_of(tuner(seed=0, space=space))
    study.optimize(objective, n_trials=40, n_jobs=4)
    assert len({tuple(t.params.values()) for t in study.trials}) == 40


@pytest.mark.parametrize("tuner", [GanSampler, HybridSampler])
def test_a_step_is_a_step_however_its_digits_are_written(tuner):
    """Optuna's own samplers store 3 * 0.1, which is not 0.3."""
    space = {"x": FloatDistribution(0.1, 0.9, step=0.1)}
    study = study_of(tuner(seed=0, space=space))
    for value in (0.1 + 2 * 0.1, 0.1 + 6 * 0.1, 0.1 + 5 * 0.1):
        study.enqueue_trial({"x": value})
    study.optimize(lambda t: 1.0 + t.suggest_float("x", 0.1, 0.9, step=0.1), n_trials=9)
    assert study.trials[0].params["x"] != 0.3
    assert sorted(round(10 * t.params["x"]) for t in study.trials) == list(range(1, 10))


@pytest.mark.parametrize("first", ["paper", "warped"])
def test_bayesian_takes_a_study_over_from_its_other_ranges(first):
    """A corner in one is far outside the other, though both decode to the same configuration."""
    space = {"n": IntDistribution(1, 10), "m": IntDistribution(1, 5)}
    ranges = {"paper": "warped", "warped": "paper"}
    for seed in range(6):
        study = study_of(BayesianSampler(seed=seed, space=space, ranges=first))
        run(study, space, 7, lambda t: 1.0 / (t.params["n"] + t.params["m"]))
        sampler = BayesianSampler(seed=seed, space=space, ranges=ranges[first])
        coordinates = sampler._coordinates(space)
        for o in sampler._history(study, space, coordinates):
            assert sampler._inside(coordinates, o.point)


def test_reinforce_learns_nothing_from_a_constant():
    """0.3 eleven times has a standard deviation of 6e-17 in floating point, by which nothing may be divided."""
    sampler = GeneratorSampler(seed=0, feedback="reinforce")
    raw = np.array([[0.3, -0.2, 0.1]])
    for constant in (0.1, 0.3, 0.7, 1.0):
        seen = tuple(Observation(i, (0.5, 0.5), constant, (), {"raw": [1.0, 1.0, 1.0]}) for i in range(11))
        assert all((sampler._slope(raw, constant, seen[:n]) == 0).all() for n in range(1, 12))


def test_running_trials_do_not_change_the_state():
    points = []
    for running in (0, 1):
        study = study_of(GeneratorSampler(seed=0, space=GAN_SPACE))
        run(study, GAN_SPACE, 3)
        trials = [study.ask(dict(GAN_SPACE)) for _ in range(2)]
        study.tell(trials[0], 0.01) if not running else None
        points.append(trials[1].params)
    assert points[0] == points[1]


@every_tuner
def test_a_trial_counts_without_the_parameters_it_was_not_asked_for(tuner):
    """Those that a condition leaves out, and those that come after a failure."""
    space = {
        "optimiser": CategoricalDistribution(["adam", "sgd"]),
        "rate": FloatDistribution(1e-4, 1.0, log=True),
        "momentum": FloatDistribution(0.0, 0.99),
    }

    def objective(trial):
        optimiser = trial.suggest_categorical("optimiser", ["adam", "sgd"])
        if trial.number == 3:
            raise ArithmeticError
        rate = trial.suggest_float("rate", 1e-4, 1.0, log=True)
        momentum = trial.suggest_float("momentum", 0.0, 0.99) if optimiser == "sgd" else 0.5
        return 0.1 + abs(np.log10(rate) + 2) + momentum

    study = study_of(tuner(seed=1, space=space))
    study.optimize(objective, n_trials=10, catch=ArithmeticError)
    assert {len(t.params) for t in study.trials} >= {1, 2}
    seen = study.sampler._history(study, space, study.sampler._coordinates(space))
    assert [o.number for o in seen] == list(range(10))
    assert seen[3].loss == math.inf and losses(seen)[3] == max(t.value for t in study.trials if t.value is not None)
    study.add_trial(optuna.create_trial(params={"rate": 0.1}, distributions={"rate": space["rate"]}, value=0.0))
    assert len(study.sampler._history(study, space, study.sampler._coordinates(space))) == 10  # of another origin


@pytest.mark.parametrize("tuner", [GeneratorSampler, GanSampler, HybridSampler])
def test_trials_that_finish_out_of_order_cost_few_steps(tuner, monkeypatch):
    steps = []
    step = tuner._step
    monkeypatch.setattr(tuner, "_step", lambda self, state, seen: steps.append(len(seen)) or step(self, state, seen))
    sampler = tuner(seed=0, space=GAN_SPACE)
    study = study_of(sampler)
    at_work, most = [study.ask(dict(GAN_SPACE)) for _ in range(3)], 0
    for k in range(30):  # of three at work the one that began last finishes, then the one that began first, ...
        trial = at_work.pop(-1 if k % 2 else 0)
        study.tell(trial, error(trial))
        steps.clear()
        at_work.append(study.ask(dict(GAN_SPACE)))
        most = max(most, len(steps))
    assert most <= 8
    trial = at_work[-1]
    fresh = tuner(seed=0, space=GAN_SPACE)
    study.sampler = fresh
    seen = fresh._history(study, GAN_SPACE, UnitCube(GAN_SPACE))
    kept, anew = (s._replay(GAN_SPACE, UnitCube(GAN_SPACE), seen) for s in (sampler, fresh))
    proposals = [s._propose(r, UnitCube(GAN_SPACE), seen, 99, frozenset()) for s, r in ((sampler, kept), (fresh, anew))]
    assert proposals[0] == proposals[1]


def test_hyperbands_brackets_cost_no_more_steps_than_there_are_trials(monkeypatch):
    """The pruner shows the sampler the trials of one bracket at a time: each goes on where it was left."""
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3)
    study = optuna.create_study(sampler=GeneratorSampler(seed=0, space=GAN_SPACE), pruner=pruner)
    steps = []
    step = GeneratorSampler._step
    monkeypatch.setattr(GeneratorSampler, "_step", lambda *args: steps.append(1) or step(*args))

    def objective(trial):
        params = {name: trial._suggest(name, d) for name, d in GAN_SPACE.items()}
        for k in range(9):
            trial.report(params["units"] + 1.0 / (k + 1), k)
            if trial.should_prune():
                raise optuna.TrialPruned
        return params["units"]

    study.optimize(objective, n_trials=40)
    assert len(steps) <= 40


@pytest.mark.parametrize("factor", [1e-90, 1.0, 1e9, 1e20, 1e90])
def test_losses_of_any_size_are_told_apart(factor):
    for sampler in (GeneratorSampler, GanSampler, BayesianSampler, HybridSampler):
        study = study_of(sampler(seed=0, space=GAN_SPACE))
        run(study, GAN_SPACE, 6, lambda t: factor * error(t))
        seen = study.sampler._history(study, GAN_SPACE, study.sampler._coordinates(GAN_SPACE))
        assert [o.loss for o in seen] == [t.value for t in study.trials]


@pytest.mark.filterwarnings("ignore:The distribution is specified")  # Optuna lowers an end that is not on the grid
@pytest.mark.parametrize(
    ("low", "high", "step"),
    [
        (1 / 3, 1.0, 1 / 3),
        (math.pi / 6, math.pi, math.pi / 6),
        (0.0, 1e-12, 1e-13),
        (-0.3, 0.3, 0.1),
        (1e6 + 1 / 3, 1e6 + 3, 1 / 3),
    ],
)
@every_tuner
def test_every_proposal_is_in_its_range_and_seen(tuner, low, high, step):
    space = {"x": FloatDistribution(low, high, step=step), "y": FloatDistribution(0.0, 1.0)}
    study = study_of(tuner(seed=0, space=space))
    study.optimize(lambda t: t.suggest_float("x", low, high, step=step) + t.suggest_float("y", 0.0, 1.0), 12)
    sampler = study.sampler
    for trial in study.trials:  # as proposed: Optuna draws a value anew that is out of range
        proposed = sampler._coordinates(space).decode(np.array(trial.system_attrs[sampler.name]["point"]))
        assert proposed == trial.params
        assert space["x"]._contains(trial.params["x"])
    assert len(sampler._history(study, space, sampler._coordinates(space))) == 12


@every_tuner
def test_choices_that_are_equal_do_not_hang_it(tuner):
    space = {"flag": CategoricalDistribution([0, False]), "n": IntDistribution(1, 2)}  # two configurations, not four
    study = study_of(tuner(seed=0, space=space))
    assert len(run(study, space, 6)) == 6


@pytest.mark.parametrize("ranges", ["paper", "warped"])
@pytest.mark.parametrize("scale", [1.0, 1e12])
def test_the_middle_of_the_space_may_come_any_number_of_times(ranges, scale):
    space = {"x": FloatDistribution(-10.0 + scale, 10.0 + scale), "y": FloatDistribution(-1.0, 1.0)}
    study = study_of(BayesianSampler(seed=0, space=space, ranges=ranges, init_points=2))
    for _ in range(5):
        study.enqueue_trial({"x": scale, "y": 0.0})
    assert len(run(study, space, 7)) == 7
    assert study.trials[-1].system_attrs["bayesian"]["random"] is False


def test_threads_that_think_together_leave_the_users_threads_alone():
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    with threadpool_limits(2):
        before, meet, within = threads(), threading.Barrier(3), []

        def objective(trial):
            meet.wait(60)
            within.append(threads())
            return trial.suggest_float("x", 0.0, 1.0)

        space = {"x": FloatDistribution(0.0, 1.0)}
        study_of(HybridSampler(seed=0, space=space)).optimize(objective, n_trials=12, n_jobs=3)
        assert threads() == before and before and set(before) == {2}
    assert len(within) == 12


def test_what_is_not_tuned_is_said_once(caplog):
    def objective(trial):
        return trial.suggest_float("learning_rate", 0.0, 1.0)

    with caplog.at_level(logging.WARNING):
        sampler = HybridSampler(seed=0, space={"lerning_rate": FloatDistribution(0.0, 1.0)})
        study_of(sampler).optimize(objective, n_trials=5)
    assert [record.getMessage() for record in caplog.records] == [
        "The parameter 'learning_rate' is drawn at random, not tuned by HybridSampler: `space` has no such range."
    ]
    caplog.clear()
    with caplog.at_level(logging.WARNING):  # the first trial of an unknown space is random by design
        study_of(HybridSampler(seed=0)).optimize(objective, n_trials=5)
        study_of(HybridSampler(seed=0, space=GAN_SPACE)).optimize(
            lambda t: float(sum(t._suggest(name, d) for name, d in GAN_SPACE.items())), n_trials=5
        )
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        study_of(HybridSampler(seed=0)).optimize(
            lambda t: objective(t) + (t.suggest_float("decay", 0.0, 1.0) if t.number % 2 else 0.0), n_trials=6
        )
    said = "The parameter 'decay' is drawn at random, not tuned by HybridSampler: trials so far do not all share it."
    assert [record.getMessage() for record in caplog.records] == [said]
    caplog.clear()
    with caplog.at_level(logging.WARNING):  # what failed trials asked for is not known to Optuna
        study_of(HybridSampler(seed=0)).optimize(lambda t: math.nan if t.number < 3 else objective(t), n_trials=6)
    assert not [r for r in caplog.records if "drawn at random" in r.getMessage()]


def test_few_states_are_kept():
    sampler = GeneratorSampler(seed=0, space=GAN_SPACE)
    run(study_of(sampler), GAN_SPACE, 200)
    kept = sorted(sampler._histories[-1].states)
    assert kept[-8:] == list(range(192, 200))
    assert len(kept) <= 8 + 4 * 5


@pytest.mark.parametrize("feedback", generator_module.FEEDBACKS)
def test_only_the_zero_feedback_ignores_values(feedback):
    a, b = (
        run(study_of(GeneratorSampler(seed=3, feedback=feedback, space=MIXED)), MIXED, 8, partial(error, seed=s))
        for s in (0, 1)
    )
    assert (a == b) == (feedback == "zero")


def test_generator_step_is_one_adam_step_on_the_mean_square():
    """Against the definition written out for the first two trials."""
    from helpers.samplers import networks as nn

    study = study_of(GeneratorSampler(seed=7, space=GENERATOR_SPACE))
    run(study, GENERATOR_SPACE, 2, lambda t: 0.02)
    first, second = (t.system_attrs["generator"] for t in study.trials)
    assert len(first["raw"]) == 7 and first["point"] == np.abs(np.tanh(first["raw"][:6])).tolist()
    assert first["extra_output"] == abs(np.tanh(first["raw"][6]))

    sampler = GeneratorSampler(seed=7)
    x = np.append(sampler._rng(0, "noise").normal(0, 0.1, 10), 0.0)[None]
    weights = nn.generator_weights(7)
    raw, inputs = nn.forward(weights, x)
    np.testing.assert_array_equal(raw[0], first["raw"])
    gradients, _ = nn.backward(weights, inputs, 2 * (raw - 0.02) / 7)
    weights, _ = nn.Adam(0.1).update(weights, gradients)
    x = np.append(sampler._rng(1, "noise").normal(0, 0.1, 10), np.log1p(0.02))[None]
    np.testing.assert_array_equal(nn.forward(weights, x)[0][0], second["raw"])


def test_generator_has_the_look_of_table_8():
    """It starts near 0, jumps up, comes down and settles low, with the coordinates together."""
    starts, peaks, ends, within = [], [], [], []
    for seed in range(8):
        study = study_of(GeneratorSampler(seed=seed, space=GENERATOR_SPACE))
        run(study, GENERATOR_SPACE, 20, partial(error, seed=seed))
        points = np.array([t.system_attrs["generator"]["point"] for t in study.trials])
        means = points.mean(axis=1)
        starts.append(means[0])
        peaks.append(means[1:4].max())
        ends.append(means[-8:].mean())
        within.append(points.std(axis=1).mean())
    assert max(starts) < 0.1 and min(peaks) > 0.7 and np.median(ends) < 0.25 and np.mean(within) < 0.08


def test_reinforce_slope_is_the_score_of_the_policy():
    """Averaged over actions, the slope is the gradient of the expected loss."""
    sampler = GeneratorSampler(seed=0, feedback="reinforce")
    raw = np.array([[0.3, -0.2, 0.1]])
    rng = np.random.default_rng(0)
    scale = np.array([1.0, -2.0])  # the loss is linear in the two actions, so its gradient is `scale`
    actions = raw[0] + rng.normal(0, generator_module.POLICY_SD, (20_000, 3))
    values = actions[:, :2] @ scale
    slopes = []
    for action, value in zip(actions[:2000], values[:2000], strict=True):
        record = {"raw": action.tolist()}
        seen = tuple(
            generator_module.Observation(i, (0.0, 0.0), v, (), record)
            for i, v in enumerate([*rng.choice(values, 10), value])
        )
        slopes.append(sampler._slope(raw, value, seen)[0])
    mean = np.mean(slopes, axis=0)
    assert mean[2] == 0
    np.testing.assert_allclose(mean[:2] / np.linalg.norm(mean[:2]), scale / np.linalg.norm(scale), atol=0.15)


def test_value_transforms_by_hand():
    seen = tuple(generator_module.Observation(i, (), v) for i, v in enumerate([3.0, math.inf, 1.0, 5.0, 2.0]))
    fed = {t: GeneratorSampler(seed=0, transform=t)._fed(seen) for t in generator_module.TRANSFORMS}
    assert fed == {"none": 2.0, "minmax": 0.25, "rank": 1 / 4}  # of 3, 5, 1, 5, 2
    shuffled = GeneratorSampler(seed=0, feedback="shuffled")
    assert shuffled._fed(seen[:1]) == 3.0 and shuffled._fed(seen[:3]) == 3.0 and shuffled._fed(seen) in (3.0, 1.0, 5.0)
    assert GeneratorSampler(seed=0)._fed(seen[1:2]) is None


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), constant=st.booleans())
def test_gan_never_repeats_until_the_space_is_exhausted(seed, constant):
    space = {
        "x": IntDistribution(0, 2),
        "y": FloatDistribution(0.1, 0.3, step=0.1),
        "z": CategoricalDistribution(["a", "b"]),
    }
    study = study_of(GanSampler(seed=seed, space=space))
    seen = run(study, space, 19, (lambda t: 1.0) if constant else error)
    keys = [tuple(d.to_internal_repr(p[n]) for n, d in space.items()) for p in seen]
    assert len(set(keys[:18])) == 18  # all there are, 3 * 3 * 2; the 19th must repeat one
    assert keys[18] in keys[:18]


def test_gan_does_not_repeat_enqueued_or_running_configurations():
    space = {"x": IntDistribution(0, 3), "y": IntDistribution(1, 2, log=True)}
    study = study_of(GanSampler(seed=0, space=space))
    study.enqueue_trial({"x": 0, "y": 1})
    asked = [study.ask(space) for _ in range(8)]
    assert len({tuple(t.params.values()) for t in asked}) == 8


def test_gan_approaches_good_configurations():
    """It moves towards the optimum of a bowl; from the middle also by the discriminator or the error term alone."""
    cube = UnitCube(GAN_SPACE)
    variants = (("tanh", True, 4.0), ("sigmoid", True, 0.0), ("sigmoid", False, 4.0), ("sigmoid", False, 0.0))
    for scaling, discriminator, error_weight in variants:
        values = []
        for seed in range(8):
            target = np.random.default_rng(1000 + seed).random(6)

            def bowl(trial, target=target):
                return 1e-3 + float(np.mean((cube.encode(trial.params) - target) ** 2))

            sampler = GanSampler(
                seed=seed, space=GAN_SPACE, scaling=scaling, discriminator=discriminator, error_weight=error_weight
            )
            study = study_of(sampler)
            run(study, GAN_SPACE, 20, bowl)
            values.append([t.value for t in study.trials])
        early, late = np.mean(values, axis=0)[:4].mean(), np.mean(values, axis=0)[-8:].mean()
        assert (late < 0.95 * early) == (discriminator or error_weight > 0), (scaling, early, late)


def test_gan_discriminator_knows_the_best():
    study = study_of(GanSampler(seed=0, space=GAN_SPACE))
    run(study, GAN_SPACE, 12, lambda t: 0.1 * t.params["units"] + 0.01)
    records = [t.system_attrs["gan"] for t in study.trials]
    assert all(0 <= r["probability"] <= 1 and isinstance(r["injected"], bool) for r in records)
    states = study.sampler._histories[-1].states
    state = states[max(states)]
    few, many = (np.array([[0.3, units, 0.5, 0.5, 0.5, 0.5]]) for units in (min(r["point"][1] for r in records), 0.95))
    judge = [gan_module.forward(state.discriminator, u)[0][0, 0] for u in (few, many)]
    assert judge[0] > judge[1]


def test_gan_shows_random_as_real_when_quality_deteriorates():
    assert not gan_module.deteriorates(np.array([1.0, 2, 3, 4, 5]))
    assert gan_module.deteriorates(np.array([9.0, 1, 2, 3, 2, 2, 3]))
    assert not gan_module.deteriorates(np.array([9.0, 1, 2, 3, 2, 2, 2]))
    study = study_of(GanSampler(seed=0, space=GAN_SPACE))
    run(study, GAN_SPACE, 10, lambda t: 0.001 * (t.number + 1))
    assert [t.system_attrs["gan"]["injected"] for t in study.trials] == [False] * 6 + [True] * 4


def test_gan_inputs_and_slopes_by_hand():
    assert gan_module.history_inputs(np.array([1.0, 100.0, 10.0])).tolist() == [0.0] * 7 + [-0.5, 0.5, 0.0]
    assert gan_module.history_inputs(np.array([-1.0, 1.0])).tolist() == [0.0] * 8 + [-0.5, 0.5]
    assert gan_module.centred_errors(np.array([0.0, 1.0])).tolist() == [-0.5, 0.5]
    rng = np.random.default_rng(0)
    u, points, weights = rng.random((4, 3)), rng.random((5, 3)), rng.normal(size=5)

    def term(at):
        return (weights * np.exp(-((at - points) ** 2).sum(axis=1) / (2 * 3 * 0.2**2))).sum() / 5

    slope = gan_module.kernel_slope(u, points, weights, 0.2)
    for i, j in ((0, 0), (3, 2)):
        h = np.eye(3)[j] * 1e-6
        assert slope[i, j] == pytest.approx((term(u[i] + h) - term(u[i] - h)) / 2e-6, rel=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_raw_ranges_round_trip(u):
    raw = RawRanges(MIXED)
    low, high = np.array(list(raw.bounds.values())).T
    params = raw.decode(low + np.array(u) * (high - low))
    for name, d in MIXED.items():
        assert d._contains(d.to_internal_repr(params[name]))
    assert raw.decode(raw.encode(params)) == params
    assert raw.decode(high) == {"depth": 11, "width": 100, "rate": 1e-1, "share": 1.0, "drop": 0.9, "kind": 2.5}


@pytest.mark.parametrize("ranges", ["paper", "warped"])
def test_bayesian_takes_duplicates_and_starts_at_random(ranges, capsys):
    study = study_of(BayesianSampler(seed=0, space=GENERATOR_SPACE, ranges=ranges))
    corner = {name: d.low for name, d in GENERATOR_SPACE.items()}
    for _ in range(3):
        study.enqueue_trial(corner)
    run(study, GENERATOR_SPACE, 7, lambda t: 0.5)  # constant values as well
    assert [t.system_attrs["bayesian"]["random"] for t in study.trials[3:]] == [True] * 2 + [False] * 2
    assert capsys.readouterr().out == ""


def test_bayesian_model_is_the_packages_own():
    """From the same points and random state, our suggestion is that of the package's suggest()."""
    from bayes_opt import BayesianOptimization

    sampler = BayesianSampler(seed=0, space=GENERATOR_SPACE, ranges="paper")
    study = study_of(sampler)
    run(study, GENERATOR_SPACE, 6)
    package = BayesianOptimization(
        f=None,
        pbounds={name: (d.low, d.high) for name, d in GENERATOR_SPACE.items()},
        random_state=int(sampler._rng(5, "suggest").integers(2**32)),
        verbose=0,
    )
    for trial in study.trials[:5]:
        package.register(np.array(trial.system_attrs["bayesian"]["point"]), -trial.value)
    expected = package.suggest()
    assert study.trials[5].system_attrs["bayesian"]["point"] == list(expected.values())


def test_bayesian_finds_a_bowl():
    space = {"x": FloatDistribution(-1, 1), "n": IntDistribution(0, 40)}
    study = study_of(BayesianSampler(seed=0, space=space, ranges="warped"))
    run(study, space, 20, lambda t: (t.params["x"] - 0.3) ** 2 + ((t.params["n"] - 30) / 40) ** 2)
    assert study.best_value < 0.002  # 20 random points: 0.02


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (partial(GeneratorSampler, feedback="mse"), "paper, product, reinforce, shuffled, zero"),
        (partial(GeneratorSampler, scaling="sigmoid"), "tanh, clip"),
        (partial(GeneratorSampler, transform="log"), "none, minmax, rank"),
        (partial(GeneratorSampler, learning_rate=0), "learning_rate"),
        (partial(GeneratorSampler, noise=-1), "noise"),
        (partial(GeneratorSampler, seed=-1), "seed"),
        (partial(GanSampler, seed=1.5), "seed"),
        (partial(GanSampler, learning_rate=float("nan")), "learning_rate"),
        (partial(GanSampler, scaling="clip"), "tanh, sigmoid"),
        (partial(GanSampler, inner_steps=0), "inner_steps"),
        (partial(GanSampler, error_weight=-1), "error_weight"),
        (partial(BayesianSampler, ranges="log"), "paper, warped"),
        (partial(BayesianSampler, init_points=0), "init_points"),
        (partial(BayesianSampler, space={"x": 3}), "x: int"),
    ],
)
def test_bad_arguments_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_long_search_goes_on_the_same_in_a_new_python_process():
    """With 300 trials the linear algebra would use all cores, and the first suggestion is the one that loads it."""
    code = """
import numpy as np, optuna, warnings
from helpers import samplers
from helpers.space import GAN_SPACE, UnitCube

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")
for _ in range(2):
    study = optuna.create_study(sampler=samplers.BayesianSampler(seed=3, space=GAN_SPACE))
    rng = np.random.default_rng(0)
    for _ in range(300):
        params, value = UnitCube(GAN_SPACE).decode(rng.random(6)), rng.random()
        study.add_trial(optuna.trial.create_trial(params=params, distributions=GAN_SPACE, value=value))
    study.ask(GAN_SPACE)
    print(study.trials[-1].system_attrs)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=paths.ROOT, env=all_cores(), capture_output=True, text=True, check=True
    )
    first, second = done.stdout.splitlines()
    assert first == second and "point" in first


def test_one_thread_entered_again_reaches_what_was_loaded_within_and_restores_all():
    code = """
from threadpoolctl import threadpool_info
from helpers.samplers.threads import one_thread

def counts():
    return [(library["filepath"], library["num_threads"]) for library in threadpool_info()]

import numpy

expected = dict(counts())
with one_thread():
    import sklearn.gaussian_process

    expected = dict(counts()) | expected
    with one_thread():
        print({n for _, n in counts()})
print(dict(counts()) == expected)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=paths.ROOT, env=all_cores(), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["{1}", "True"]


def test_importing_the_tuners_is_light():
    """Someone who tunes another model neither waits for TensorFlow nor needs bayesian-optimization."""
    code = (
        "import sys; from helpers.samplers import GanSampler, GeneratorSampler, BayesianSampler;"
        "import optuna; s = optuna.create_study(sampler=GanSampler(seed=0));"
        "s.optimize(lambda t: t.suggest_float('x', 0, 1), n_trials=3);"
        "print([m for m in ('tensorflow', 'keras', 'bayes_opt') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_trial_given_back_is_asked_again_with_the_same_suggestion():
    """A study that was killed in the middle of a trial may ask it again; it is no obstacle to itself."""
    study = study_of(GanSampler(seed=0, space=GAN_SPACE))
    run(study, GAN_SPACE, 6)
    trial = study.ask(dict(GAN_SPACE))
    frozen = study.trials[-1]
    assert frozen.state == TrialState.RUNNING
    assert study.sampler.sample_relative(study, frozen, dict(GAN_SPACE)) == trial.params


def test_what_is_given_to_a_sampler_is_used():
    for make, changes in (
        (
            GeneratorSampler,
            ({"learning_rate": 0.01}, {"noise": 0.5}, {"transform": "rank"}, {"scaling": "clip", "noise": 2.0}),
        ),
        (
            GanSampler,
            (
                {"learning_rate": 0.01},
                {"inner_steps": 9},
                {"error_weight": 0.0},
                {"diversity_weight": 0.0},
                {"discriminator": False},
                {"scaling": "sigmoid"},
            ),
        ),
    ):
        seen = []
        for change in ({}, *changes):
            s = study_of(make(seed=3, space=GAN_SPACE, **change))
            seen.append(str(run(s, GAN_SPACE, 8)))
        assert len(set(seen)) == len(seen), make


def test_a_pruned_trial_has_its_last_intermediate_value():
    s = study_of(GeneratorSampler(seed=0, space=GAN_SPACE))
    trial = s.ask(dict(GAN_SPACE))
    for step, value in ((0, 9.0), (1, 5.0), (2, 7.0)):
        trial.report(value, step)
    s.tell(trial, state=TrialState.PRUNED)
    (seen,) = s.sampler._history(s, GAN_SPACE, s.sampler._coordinates(GAN_SPACE))
    assert seen.loss == 7.0


def test_untuned_parameters_are_drawn_apart():
    s = study_of(GeneratorSampler(seed=0, space={"z": FloatDistribution(0, 1)}))
    s.optimize(lambda t: t.suggest_float("x", 0, 1) + t.suggest_float("y", 0, 1), n_trials=3)
    assert all(t.params["x"] != t.params["y"] for t in s.trials)


def test_a_trial_with_a_parameter_of_another_kind_is_no_part_of_the_history():
    s = study_of(GeneratorSampler(seed=0, space={"x": FloatDistribution(0.0, 9.0)}))
    s.add_trial(optuna.create_trial(params={"x": 3}, distributions={"x": IntDistribution(0, 9)}, value=1.0))
    assert s.sampler._history(s, s.sampler.space, s.sampler._coordinates(s.sampler.space)) == ()


def test_equal_values_share_their_rank():
    seen = tuple(Observation(i, (), v) for i, v in enumerate([1.0, 3.0, 2.0, 2.0]))
    assert GeneratorSampler(seed=0, transform="rank")._fed(seen) == 0.5


def test_the_advantage_is_over_the_ten_before():
    sampler = GeneratorSampler(seed=0, feedback="reinforce")
    values = [100.0] + [1.0, 2.0] * 5 + [4.0]  # 100 is eleven before: forgotten
    seen = tuple(Observation(i, (0.5, 0.5), v, (), {"raw": [0.4, 0.0, 0.1]}) for i, v in enumerate(values))
    advantage = (4.0 - 1.5) / np.std(values[1:])
    expected = advantage * np.array([0.1, 0.2, 0.0]) / 0.1**2
    np.testing.assert_allclose(sampler._slope(np.array([[0.3, -0.2, 0.1]]), 4.0, seen)[0], expected)


def test_the_action_of_a_strangers_trial_has_the_sign_of_the_output():
    sampler = GeneratorSampler(seed=0, feedback="reinforce")
    raw = np.array([0.3, -0.2, 0.7])
    np.testing.assert_allclose(
        np.tanh(sampler._action(raw, Observation(0, (0.4, 0.6), 1.0))), [0.4, -0.6, np.tanh(0.7)]
    )
