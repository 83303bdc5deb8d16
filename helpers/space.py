"""The search spaces of both papers, and the unit cube that every tuner of ours searches.

A search space is a dictionary of Optuna distributions. `UnitCube` maps any such space (int, float and categorical
parameters) to [0, 1]^d and back, so that the papers' tuners work on a model of the reader's own as well.

The papers search learning rates "from 1e-5 to 0.1 (logarithmic scale)", batch sizes in "powers of 2" and dropout in
"increments of 0.1" (generator paper, table 1; GAN paper, table 1); all 68 published learning rates are whole decades.
Decades and powers of two are therefore searched by their exponents, which keeps their order for every tuner:
`log10_learning_rate` and `log2_batch_size`. `config_from_params` turns them into an `LstmConfig`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from helpers.checks import whole

HYPERPARAMETERS = ("layers", "units", "learning_rate", "batch_size", "sequence_length", "dropout_rate")


@dataclass(frozen=True)
class LstmConfig:
    """One configuration of the papers' LSTM (generator paper, table 4).

    Attributes
    ----------
    layers : int
        Number of stacked LSTM layers, each followed by dropout.
    units : int
        Units of every LSTM layer.
    learning_rate : float
        Step size of Adam.
    batch_size : int
        Windows per update.
    sequence_length : int
        Closes in a window, in trading days.
    dropout_rate : float
        Share of outputs dropped after every LSTM layer while training, in [0, 1).
    """

    layers: int
    units: int
    learning_rate: float
    batch_size: int
    sequence_length: int
    dropout_rate: float

    def __post_init__(self) -> None:
        for name in ("layers", "units", "batch_size", "sequence_length"):
            object.__setattr__(self, name, whole(name, getattr(self, name)))
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate must be a positive number, not {self.learning_rate!r}.")
        if not 0 <= self.dropout_rate < 1:
            raise ValueError(f"dropout_rate must lie in [0, 1), not {self.dropout_rate!r}.")
        for name in ("learning_rate", "dropout_rate"):
            object.__setattr__(self, name, float(getattr(self, name)))

    def as_dict(self) -> dict[str, Any]:
        """The six hyperparameters by name, in the order of `HYPERPARAMETERS`."""
        return asdict(self)


SearchSpace = Mapping[str, BaseDistribution]


def _lstm_space(max_layers: int, max_units: int) -> dict[str, BaseDistribution]:
    return {
        "layers": IntDistribution(1, max_layers),
        "units": IntDistribution(1, max_units),
        "log10_learning_rate": IntDistribution(-5, -1),
        "log2_batch_size": IntDistribution(4, 11),
        "sequence_length": IntDistribution(1, 250),
        "dropout_rate": FloatDistribution(0.1, 0.9, step=0.1),
    }


GENERATOR_SPACE: SearchSpace = _lstm_space(max_layers=10, max_units=10)  # generator paper, table 1
GAN_SPACE: SearchSpace = _lstm_space(max_layers=5, max_units=50)  # GAN paper, table 1
SPACES: dict[str, SearchSpace] = {"generator": GENERATOR_SPACE, "gan": GAN_SPACE}


def lstm_space(name: str) -> SearchSpace:
    """The search space of the `"generator"` or the `"gan"` paper.

    Raises
    ------
    ValueError
        For any other name.
    """
    if name not in SPACES:
        raise ValueError(f"Unknown space {name!r}; valid spaces are {', '.join(SPACES)}.")
    return SPACES[name]


def config_from_params(params: Mapping[str, Any]) -> LstmConfig:
    """`LstmConfig` of one point of an LSTM space: exponents become learning rate and batch size.

    A space may hold `learning_rate` or `batch_size` themselves instead of their exponents.
    """
    rate = params["learning_rate"] if "learning_rate" in params else 10.0 ** params["log10_learning_rate"]
    batch = params["batch_size"] if "batch_size" in params else 2 ** params["log2_batch_size"]
    return LstmConfig(
        layers=params["layers"],
        units=params["units"],
        learning_rate=float(f"{rate:.12g}"),  # 10.0 ** -5 is 1.0000000000000001e-05
        batch_size=batch,
        sequence_length=params["sequence_length"],
        dropout_rate=round(float(params["dropout_rate"]), 10),
    )


def params_from_config(config: LstmConfig) -> dict[str, Any]:
    """The point of an LSTM space at which `config` lies; the inverse of `config_from_params`.

    Raises
    ------
    ValueError
        If the learning rate is no decade or the batch size no power of two.
    """
    exponent, power = round(math.log10(config.learning_rate)), config.batch_size.bit_length() - 1
    if not math.isclose(10.0**exponent, config.learning_rate, rel_tol=1e-9):
        raise ValueError(f"learning_rate must be a power of ten, not {config.learning_rate!r}.")
    if 2**power != config.batch_size:
        raise ValueError(f"batch_size must be a power of two, not {config.batch_size!r}.")
    return {
        "layers": config.layers,
        "units": config.units,
        "log10_learning_rate": exponent,
        "log2_batch_size": power,
        "sequence_length": config.sequence_length,
        "dropout_rate": config.dropout_rate,
    }


class UnitCube:
    """A search space as the unit cube: one coordinate a parameter, in the order of the space.

    A parameter with n values occupies n equal cells of [0, 1] and encodes to the middle of its cell; whole numbers on
    a logarithmic scale have cells that narrow, from half below to half above each, and encode to their logarithm's
    place; a continuous one is linear (or logarithmic, where its distribution says so) from its low to its high end; the
    choices of a categorical one lie side by side in their order.

    Parameters
    ----------
    space : mapping of str to optuna.distributions.BaseDistribution
        Int, float and categorical distributions.

    Raises
    ------
    ValueError
        For a distribution of another kind.
    """

    def __init__(self, space: SearchSpace) -> None:
        for name, d in space.items():
            if not isinstance(d, IntDistribution | FloatDistribution | CategoricalDistribution):
                raise ValueError(f"{name}: {type(d).__name__} is neither int, float nor categorical.")
        self.space = dict(space)
        self.names = tuple(space)

    def __len__(self) -> int:
        return len(self.space)

    def decode(self, u: np.ndarray) -> dict[str, Any]:
        """Parameters at `u`, an array of shape (d,); coordinates outside [0, 1] are clipped to it."""
        u = np.clip(np.nan_to_num(np.asarray(u, dtype=float)), 0.0, 1.0)
        if u.shape != (len(self),):
            raise ValueError(f"A point of this cube has shape ({len(self)},), not {u.shape}.")
        return {name: _decode(d, float(x)) for (name, d), x in zip(self.space.items(), u, strict=True)}

    def encode(self, params: Mapping[str, Any]) -> np.ndarray:
        """The point of shape (d,) at which `params` lie: `decode(encode(params)) == params`."""
        return np.array([_encode(d, params[name]) for name, d in self.space.items()], dtype=float)

    def cells(self) -> float:
        """Number of different configurations; infinity where a parameter is continuous."""
        cells = [_cells(d) for d in self.space.values()]
        return math.inf if math.inf in cells else math.prod(cells)  # a product of many is beyond a float


def _cells(d: BaseDistribution) -> float:
    if isinstance(d, CategoricalDistribution):
        return len(d.choices)
    if isinstance(d, IntDistribution):
        return (d.high - d.low) // d.step + 1
    if d.low == d.high:
        return 1
    return math.inf if d.step is None else round((d.high - d.low) / d.step) + 1


def _decode(d: BaseDistribution, x: float) -> Any:
    n = _cells(d)
    if isinstance(d, CategoricalDistribution):
        return d.choices[min(int(x * n), n - 1)]
    if isinstance(d, IntDistribution) and d.log:
        low, high = math.log(d.low - 0.5), math.log(d.high + 0.5)
        return int(min(max(round(math.exp(low + x * (high - low))), d.low), d.high))
    if isinstance(d, IntDistribution):
        return d.low + min(int(x * n), n - 1) * d.step
    if d.step is not None:
        return stepped(d, min(int(x * n), n - 1))
    if d.log:
        value = math.exp(math.log(d.low) + x * (math.log(d.high) - math.log(d.low)))
    else:
        value = d.low + x * (d.high - d.low)
    return min(max(value, d.low), d.high)


def stepped(d: FloatDistribution, i: int) -> float:
    """Value i of a parameter with a step, without the dust of the sum: 0.3 where 0.1 + 2 * 0.1 is a little more.

    It keeps nine digits of the step, twelve decimals at least, and stays in the range where an end has more.
    """
    digits = max(12, 9 - math.floor(math.log10(d.step)))
    return min(max(round(d.low + i * d.step, digits), d.low), d.high)


def _encode(d: BaseDistribution, value: Any) -> float:
    n = _cells(d)
    if isinstance(d, CategoricalDistribution):
        return (d.to_internal_repr(value) + 0.5) / n
    if isinstance(d, IntDistribution) and d.log:
        low, high = math.log(d.low - 0.5), math.log(d.high + 0.5)
        return (math.log(value) - low) / (high - low)
    if isinstance(d, IntDistribution) or d.step is not None:
        return (round((value - d.low) / d.step) + 0.5) / n
    if d.low == d.high:
        return 0.5
    if d.log:
        return (math.log(value) - math.log(d.low)) / (math.log(d.high) - math.log(d.low))
    return (value - d.low) / (d.high - d.low)
