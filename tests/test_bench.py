"""What the benchmark computes from its timings; the timings themselves are no tests."""

from __future__ import annotations

import pandas as pd
import pytest

from helpers import bench
from helpers.space import LstmConfig


def test_the_work_is_that_of_both_papers():
    configs = bench.published_configs()
    assert len(configs) == len(dict(configs)) == 68
    assert dict(configs)["generator 18"] == LstmConfig(1, 2, 0.00001, 16, 1, 0.1)


def test_operations_by_hand():
    # One unit: 8 operations for each of its two inputs, x and h, 25 for gates and states; three times for both passes.
    assert bench.flop(LstmConfig(1, 1, 0.1, 16, 1, 0.1), samples=1, epochs=1) == 3 * (8 * 2 + 25)
    # Two layers of 3 units over 5 days: the second sees 3 inputs.
    two = 3 * 5 * ((8 * 3 * (1 + 3) + 75) + (8 * 3 * (3 + 3) + 75))
    assert bench.flop(LstmConfig(2, 3, 0.1, 16, 5, 0.1), samples=7, epochs=2) == 14 * two


def test_the_exponent_of_a_power_is_that_power():
    values = [1, 2, 4, 8]
    table = pd.DataFrame({"swept": "units", "value": values, "seconds": [0.5 * v**1.7 for v in values]})
    assert bench.growth(table)["units"] == pytest.approx(1.7)


def test_the_peak_is_that_of_a_product():
    """A product of 256 x 256 takes 2 x 256^3 operations: between one and a million GFLOP/s on any machine."""
    assert 1 < bench.peak_gflops(256, repeats=2) < 1e6
