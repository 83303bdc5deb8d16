import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from helpers.metrics import error_metrics, mae, mse, r2, rmse

ACTUAL, PREDICTED = [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 2.0]  # one error, of 2, in four


def test_by_hand():
    assert mse(ACTUAL, PREDICTED) == 1.0  # 2^2 / 4
    assert rmse(ACTUAL, PREDICTED) == 1.0
    assert mae(ACTUAL, PREDICTED) == 0.5
    assert r2(ACTUAL, PREDICTED) == pytest.approx(0.2)  # 1 - 4 / (2.25 + 0.25 + 0.25 + 2.25)
    assert error_metrics(ACTUAL, PREDICTED) == {"mse": 1.0, "rmse": 1.0, "mae": 0.5, "r2": pytest.approx(0.2)}


def test_r2_has_its_two_landmarks_and_is_nan_without_variation():
    assert r2(ACTUAL, ACTUAL) == 1.0
    assert r2(ACTUAL, [2.5] * 4) == 0.0
    assert math.isnan(r2([0.1] * 3, [0.1, 0.2, 0.3]))


def test_float32_arguments_are_summed_in_double_precision():
    actual = np.zeros(100_000, dtype=np.float32)
    predicted = np.full(100_000, 0.005, dtype=np.float32)
    assert mse(actual, predicted) == pytest.approx(float(np.float32(0.005)) ** 2, rel=1e-12)


@pytest.mark.parametrize("metric", [mse, rmse, mae, r2, error_metrics])
@pytest.mark.parametrize(
    ("actual", "predicted"), [([], []), ([1.0, 2.0], [1.0]), ([1.0, 2.0], [[1.0], [2.0]]), ([[1.0]], [[1.0]]), (1, 1)]
)
def test_shapes_that_would_broadcast_are_refused(metric, actual, predicted):
    with pytest.raises(ValueError, match=r"one shape \(samples,\)"):
        metric(actual, predicted)


values = st.floats(-1e3, 1e3).map(lambda x: round(x, 6))


@given(st.lists(st.tuples(values, values), min_size=2, max_size=50))
def test_agrees_with_scikit_learn(pairs):
    a, p = np.array(pairs).T
    assert mse(a, p) == pytest.approx(mean_squared_error(a, p), rel=1e-12, abs=1e-12)
    assert mae(a, p) == pytest.approx(mean_absolute_error(a, p), rel=1e-12, abs=1e-12)
    assert mae(a, p) <= rmse(a, p) * (1 + 1e-12)
    if np.ptp(a) > 1e-3:
        assert r2(a, p) == pytest.approx(r2_score(a, p), rel=1e-9, abs=1e-9)
