"""What feedback is worth: the tuners' updates against the slope, entropies and calibrations of hand-made searches."""

import math

import numpy as np
import pandas as pd
import pytest
from contest_problems import Bowl
from optuna.distributions import FloatDistribution, IntDistribution

from helpers import contest, feedback
from helpers.entrants import Task, play
from helpers.samplers import GanSampler, GeneratorSampler
from helpers.samplers.gan import WARM_UP
from helpers.space import GENERATOR_SPACE, config_from_params

SPACE = {"a": IntDistribution(1, 10), "b": FloatDistribution(0.0, 1.0)}


@pytest.mark.parametrize(
    ("tuner", "make"),
    [
        ("generator", lambda seed: GeneratorSampler(seed=seed, space=GENERATOR_SPACE)),
        ("generator_shuffled", lambda seed: GeneratorSampler(seed=seed, space=GENERATOR_SPACE, feedback="shuffled")),
        ("gan", lambda seed: GanSampler(seed=seed, space=GENERATOR_SPACE)),
    ],
)
def test_the_steps_are_those_of_the_same_search_in_a_study(tuner, make):
    bowl = Bowl()
    study = play(Task(tuner, 1, "generator", "described"), bowl, 8)

    def objective(params):
        value = bowl.mse(config_from_params(params))
        return float(f"{value:.6g}")

    found = [list(trial.key) for _, _, trial in feedback.steps(make(1), GENERATOR_SPACE, objective, 8)]
    assert found == study.params


def test_the_slope_of_a_plane_is_its_slope_also_at_the_edge():
    def plane(params):
        return 3.0 * (params["a"] - 0.5) / 10 - 2.0 * params["b"]

    for point in ([0.45, 0.5], [0.01, 0.0], [0.99, 1.0]):
        np.testing.assert_allclose(feedback.slope(plane, SPACE, np.array(point)), [3.0, -2.0])
    assert not feedback.slope(lambda params: math.nan, SPACE, np.array([0.5, 0.5])).any()


def test_cosines():
    assert feedback.cosine(np.array([1.0, 0.0]), np.array([2.0, 0.0])) == 1.0
    assert feedback.cosine(np.array([1.0, 1.0]), np.array([-1.0, -1.0])) == pytest.approx(-1.0)
    assert feedback.cosine(np.array([1.0, 0.0]), np.array([0.0, 3.0])) == 0.0
    assert math.isnan(feedback.cosine(np.zeros(2), np.ones(2)))


def test_an_honest_gradient_is_told_from_one_that_knows_nothing():
    """With a small policy step "reinforce" goes downhill on the whole; without feedback the way is any."""
    makers = {
        "honest": lambda seed: GeneratorSampler(
            seed=seed, space=SPACE, feedback="reinforce", learning_rate=0.002, transform="rank"
        ),
        "zero": lambda seed: GeneratorSampler(seed=seed, space=SPACE, feedback="zero", learning_rate=0.002),
    }

    def objective(params):  # least at the upper end of both; the network starts at the lower
        return 0.1 + (1.0 - (params["a"] - 0.5) / 10) + (1.0 - params["b"])

    found = feedback.directions(makers, SPACE, objective, seeds=range(12), trials=25)
    assert len(found) == 2 * 12 * 25 and found["iteration"].max() == 25
    honest, zero = (feedback.mean_cosine(found, name) for name in makers)
    assert honest.low > 0.0 > zero.high, "feedback zero shrinks the outputs: away from the upper ends"
    difference = feedback.mean_cosine(found, "honest", less="zero")
    assert difference.value == pytest.approx(honest.value - zero.value) and difference.low > 0.0 and difference.n == 12
    assert found["cosine"].abs().max() <= 1 + 1e-9 and (found["length"] >= 0).all()


def test_the_gans_updates_can_be_followed_and_others_cannot():
    make = {"gan": lambda seed: GanSampler(seed=seed, space=SPACE)}
    found = feedback.directions(make, SPACE, lambda params: params["b"] + 0.1, seeds=[0], trials=WARM_UP + 2)
    assert found["cosine"].isna().tolist() == [True] * (WARM_UP - 1) + [False] * 3, "it learns after the fourth trial"
    with pytest.raises(TypeError, match="object has no network"):
        feedback.moved(object(), None, None, None, SPACE)


def searches(rows, **columns):
    frame = pd.DataFrame(rows, columns=["tuner", "seed", "evaluation", "a", "b", "mse", "probability"])
    return frame.assign(**columns)


def test_entropy_is_one_where_all_values_are_alike_often_and_zero_where_all_seeds_agree():
    rows = [("x", seed, 1, seed + 1, seed / 10 + 0.05, 1.0, 0.5) for seed in range(10)]
    rows += [("x", seed, 2, 4, 0.3 if seed < 5 else 0.7, 1.0, 0.5) for seed in range(10)]
    found = feedback.entropy(searches(rows), "x", SPACE)
    assert list(found.index) == [1, 2]
    np.testing.assert_allclose(found.loc[1], [1.0, 1.0])
    np.testing.assert_allclose(found.loc[2], [0.0, math.log(2) / math.log(10)])


def test_the_calibration_of_a_search_made_by_hand():
    # After the warm-up: each error is the best so far or the worst so far.
    errors = [5, 6, 7, 8, 1, 9, 0.5, math.nan, 0.2]
    said = [0.5, 0.5, 0.5, 0.5, 0.92, 0.15, 0.98, 0.12, 0.14]
    rows = [("gan", 0, i + 1, 1, 0.5, e, p) for i, (e, p) in enumerate(zip(errors, said, strict=True))]
    found = feedback.calibration(searches(rows))
    assert found.table["n"].tolist() == [3, 2]
    assert found.table["said"].tolist() == pytest.approx([(0.15 + 0.12 + 0.14) / 3, 0.95])
    assert found.table["share"].tolist() == pytest.approx([1 / 3, 1.0])
    assert (found.base.value, found.base.n) == (3 / 5, 1)
    assert (found.base.low, found.base.high) == pytest.approx((0.147, 0.947), abs=0.001), "exact, of 3 of 5"
    # A search with three good of five and one with none: searches drawn again have a share of 0 to 3/5; the exact
    # interval of 3 of 10 is 0.067 to 0.652.
    worse = [("gan", 1, *row[2:5], 1.0 + i, row[6]) for i, row in enumerate(rows)]
    two = feedback.calibration(searches(rows + worse))
    assert (two.base.value, two.base.n, two.base.low) == (3 / 10, 2, 0.0)
    assert two.base.high == pytest.approx(0.652, abs=0.001)
    assert found.rank.value == pytest.approx(5 / 6), "of six pairs of a good and a bad one, five in the right order"
    assert found.brier == pytest.approx(np.mean([0.08**2, 0.15**2, 0.02**2, 0.12**2, 0.86**2]))


def test_a_contest_without_the_gan_has_an_empty_calibration(tmp_path):
    table = contest.hold(tmp_path / "c.jsonl", Bowl(), ["random"], [0], evaluations=2, jobs=1, progress=False)
    found = feedback.calibration(table)
    assert found.table.empty and math.isnan(found.brier) and found.base.n == 0
