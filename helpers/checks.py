"""The check that most arguments here need, so that all are refused in the same words."""

from __future__ import annotations

from typing import Any

import numpy as np


def whole(name: str, value: Any, *, least: int = 1, error: type[Exception] = ValueError) -> int:
    """`value` as an int. NumPy's integers will do; truth values and 3.0 will not, for they are mostly mistakes.

    Raises
    ------
    ValueError, or `error`
        If it is no whole number of at least `least`; the message begins with `name`.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise error(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return int(value)
