"""Whole numbers, and what is taken for one."""

import numpy as np
import pytest

from helpers.checks import whole


def test_whole_numbers_pass_as_int():
    assert whole("jobs", 3) == 3
    assert type(whole("jobs", np.int64(3))) is int
    assert whole("seed", 0, least=0) == 0


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "1", None, np.float64(2)])
def test_others_are_refused_by_name(value):
    with pytest.raises(LookupError, match=r"^jobs must be a whole number of at least 1, not .*\.$"):
        whole("jobs", value, error=LookupError)
    with pytest.raises(ValueError, match=r"^jobs "):
        whole("jobs", value)
