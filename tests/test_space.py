"""Both papers' spaces: every configuration is valid, and the way into the unit cube leads back."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from helpers import published
from helpers.space import (
    GAN_SPACE,
    GENERATOR_SPACE,
    HYPERPARAMETERS,
    SPACES,
    LstmConfig,
    UnitCube,
    config_from_params,
    lstm_space,
    params_from_config,
)

unit = st.floats(0, 1)
MIXED = {
    "trees": IntDistribution(5, 500, log=True),
    "step": IntDistribution(3, 21, step=3),
    "rate": FloatDistribution(1e-6, 1.0, log=True),
    "share": FloatDistribution(0.1, 0.9, step=0.1),
    "width": FloatDistribution(-2.0, 3.0),
    "kind": CategoricalDistribution(["a", "b", "c"]),
    "fixed": IntDistribution(4, 4),
}


@pytest.mark.parametrize("name", SPACES)
def test_every_corner_decodes_to_a_valid_configuration_and_encodes_back(name: str) -> None:
    space = lstm_space(name)
    cube = UnitCube(space)
    for corner in itertools.product((0.0, 1.0), repeat=6):
        params = cube.decode(np.array(corner))
        assert all(d._contains(d.to_internal_repr(params[key])) for key, d in space.items())
        assert params == {key: d.high if end else d.low for (key, d), end in zip(space.items(), corner, strict=True)}
        assert cube.decode(cube.encode(params)) == params
        assert params_from_config(config_from_params(params)) == params


@given(st.sampled_from(list(SPACES)), st.lists(unit, min_size=6, max_size=6))
def test_every_point_decodes_to_a_valid_configuration_and_encodes_back(name: str, u: list[float]) -> None:
    cube = UnitCube(SPACES[name])
    params = cube.decode(np.array(u))
    config = config_from_params(params)
    assert cube.decode(cube.encode(params)) == params
    assert params_from_config(config) == params
    assert config.batch_size in {16, 32, 64, 128, 256, 512, 1024, 2048}
    assert config.learning_rate in {1e-5, 1e-4, 1e-3, 1e-2, 1e-1}
    assert round(config.dropout_rate * 10) == pytest.approx(config.dropout_rate * 10)


@given(st.lists(unit, min_size=len(MIXED), max_size=len(MIXED)))
def test_any_int_float_and_categorical_space_has_a_cube(u: list[float]) -> None:
    cube = UnitCube(MIXED)
    params = cube.decode(np.array(u))
    assert all(d._contains(d.to_internal_repr(params[key])) for key, d in MIXED.items())
    again = cube.decode(cube.encode(params))
    for key, value in params.items():
        assert again[key] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value)
    assert np.all((cube.encode(params) >= 0) & (cube.encode(params) <= 1))


def test_cells_by_hand() -> None:
    cube = UnitCube({"layers": IntDistribution(1, 4), "dropout": FloatDistribution(0.1, 0.2, step=0.1)})
    assert cube.cells() == 8
    assert cube.decode(np.array([0.0, 0.0])) == {"layers": 1, "dropout": 0.1}
    assert cube.decode(np.array([0.49, 0.51])) == {"layers": 2, "dropout": 0.2}
    assert cube.decode(np.array([0.51, -3.0])) == {"layers": 3, "dropout": 0.1}
    np.testing.assert_allclose(cube.encode({"layers": 3, "dropout": 0.1}), [0.625, 0.25])
    assert UnitCube(MIXED).cells() == math.inf
    many = {f"n{i}": IntDistribution(0, 2**31) for i in range(36)}  # a product that no float holds
    assert UnitCube(many | {"x": FloatDistribution(0, 1)}).cells() == math.inf
    assert UnitCube(many).cells() == (2**31 + 1) ** 36
    assert UnitCube(GENERATOR_SPACE).cells() == 10 * 10 * 5 * 8 * 250 * 9


def test_the_spaces_are_the_papers() -> None:
    assert (GENERATOR_SPACE["layers"].high, GENERATOR_SPACE["units"].high) == (10, 10)
    assert (GAN_SPACE["layers"].high, GAN_SPACE["units"].high) == (5, 50)


def test_all_68_published_configurations_lie_in_their_space() -> None:
    count = 0
    for which, space in (("generator", GENERATOR_SPACE), ("bayesian", GENERATOR_SPACE), ("gan", GAN_SPACE)):
        cube = UnitCube(space)
        for row in published.runs(which).itertuples():
            config = LstmConfig(*(getattr(row, name) for name in HYPERPARAMETERS))
            assert config_from_params(cube.decode(cube.encode(params_from_config(config)))) == config
            count += 1
    assert count == 68


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layers": 0}, "layers must be a whole number of at least 1, not 0"),
        ({"units": 2.5}, "units must be a whole number"),
        ({"batch_size": True}, "batch_size must be a whole number"),
        ({"learning_rate": float("nan")}, "learning_rate must be a positive number"),
        ({"dropout_rate": 1.0}, r"dropout_rate must lie in \[0, 1\)"),
    ],
)
def test_bad_configurations_are_refused(change: dict, words: str) -> None:
    good = {"layers": 1, "units": 1, "learning_rate": 0.1, "batch_size": 16, "sequence_length": 1, "dropout_rate": 0.1}
    with pytest.raises(ValueError, match=words):
        LstmConfig(**(good | change))


def test_configurations_off_the_grid_have_no_params() -> None:
    with pytest.raises(ValueError, match="learning_rate must be a power of ten"):
        params_from_config(LstmConfig(1, 1, 0.02, 16, 1, 0.1))
    with pytest.raises(ValueError, match="batch_size must be a power of two"):
        params_from_config(LstmConfig(1, 1, 0.01, 24, 1, 0.1))


def test_other_mistakes_name_what_is_right() -> None:
    with pytest.raises(ValueError, match="Unknown space 'lstm'; valid spaces are generator, gan"):
        lstm_space("lstm")
    with pytest.raises(ValueError, match=r"shape \(6,\), not \(5,\)"):
        UnitCube(GAN_SPACE).decode(np.zeros(5))
    with pytest.raises(ValueError, match="x: object is neither int, float nor categorical"):
        UnitCube({"x": object()})
    assert isinstance(LstmConfig(1, 1, np.float64(0.1), 16, 1, np.float64(0.1)).learning_rate, float)
