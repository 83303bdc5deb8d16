"""Closes become training and test windows under a stated protocol.

The papers scale the closes to [0, 1], slide a window of `sequence_length` closes over them and forecast the next close
(generator paper, figures 3 and 4). What is trained on what is a `Protocol`, because the papers' text and their
numbers differ on it. Positions count the closes up to the protocol's `as_of`, from 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from helpers.checks import whole
from helpers.metrics import error_metrics
from helpers.prices import Prices, closes_sha256

TRAIN_SHARE = 0.8  # both papers split 80/20
STAGES = ("tune", "final")
_CHOICES = {
    "split": ("chronological", "shuffled"),
    "scale_on": ("all", "train"),
    "tune_on": ("test", "validation"),
    "target": ("level", "change"),
}


@dataclass(frozen=True)
class Protocol:
    """What is scaled, trained and tuned on what.

    Attributes
    ----------
    name : str
        Carried by every figure, record and file that depends on the protocol.
    as_of : str
        ISO date of the last close used; later closes are as good as unknown.
    split : {"chronological", "shuffled"}
        The last fifth of the closes is the test part (the papers' text), or a random fifth of the windows (what the
        generator paper's numbers fit).
    scale_on : {"all", "train"}
        Whose minimum and maximum scale the closes. The papers use the whole series, which lets the test part leak.
    tune_on : {"test", "validation"}
        Part by which a tuner judges a configuration. The papers use the test part; `"validation"` is a fifth of the
        training part, so that the test part is used once, for the winner.
    split_seed : int
        Seed of the random splits.
    target : {"level", "change"}
        What the network is trained to give: the next close, as in the papers, or its change from the window's last
        close, in standard deviations of that change over the training targets. Forecasts become closes again before
        anything is measured, so errors are comparable.
    test_from : str
        ISO date of the first test day, instead of the last fifth of the days; for a chronological split only. All
        closes before it are training part.

    Raises
    ------
    ValueError
        For a field outside its choices.
    """

    name: str
    as_of: str = "2024-12-31"
    split: str = "chronological"
    scale_on: str = "all"
    tune_on: str = "test"
    split_seed: int = 0
    target: str = "level"
    test_from: str = ""

    def __repr__(self) -> str:
        # Records compare this text: a field that came later is shown only where it is not at its default.
        later = ("target", "test_from")
        shown = [f for f in fields(self) if f.name not in later or getattr(self, f.name) != f.default]
        return f"Protocol({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in shown)})"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", self.name):
            raise ValueError(
                f"A protocol's name is part of file names: letters, digits and _ . - only, not {self.name!r}."
            )
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}.")
        for name in ("as_of", "test_from"):
            value = getattr(self, name)
            if type(value) is date:  # an unquoted date in a YAML file arrives as one
                value = value.isoformat()
                object.__setattr__(self, name, value)
            if name == "test_from" and value == "":
                continue
            try:
                if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
                    raise ValueError
                date.fromisoformat(value)
            except (TypeError, ValueError):
                raise ValueError(f"{name} must be a date written YYYY-MM-DD, not {value!r}.") from None
        if self.test_from and self.split != "chronological":
            raise ValueError("test_from parts the days in time: it needs the chronological split.")
        object.__setattr__(self, "split_seed", whole("split_seed", self.split_seed, least=0))

    @property
    def identity(self) -> dict[str, Any]:
        """The name and the fields that are not at their default, so that a field added later changes nothing."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    @property
    def text(self) -> str:
        """The protocol in words, for captions."""
        scaled = {"all": "the whole series", "train": "the training part"}[self.scale_on]
        text = f"{self.split} split, scaled on {scaled}, tuned on the {self.tune_on} part, closes up to {self.as_of}"
        if self.test_from:
            text += f", tested from {self.test_from}"
        return text + (", the network gives the change of the close" if self.target == "change" else "")


LONGEST = 250  # closes in a window at most: the longest sequence of either paper's space

PROTOCOLS = {
    "described": Protocol("described"),
    "published": Protocol("published", split="shuffled"),
    "clean": Protocol("clean", scale_on="train", tune_on="validation"),
}


def protocol(name: str, /, **changes: Any) -> Protocol:
    """The preset `name`, with some fields changed.

    A preset whose split, scaling, tuning part or target is changed is another protocol: unless `changes` give it a
    name, the change becomes part of its name (`described_tune_on_validation`).

    Raises
    ------
    ValueError
        Unknown name, unknown field, or a value outside a field's choices.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"Unknown protocol {name!r}; valid protocols are {', '.join(PROTOCOLS)}.")
    known = [f.name for f in fields(Protocol)]
    for unknown in changes.keys() - set(known):
        raise ValueError(f"Unknown protocol field {unknown!r}; valid fields are {', '.join(known)}.")
    preset = PROTOCOLS[name]
    changed = replace(preset, **changes)
    other = [f"_{key}_{getattr(changed, key)}" for key in _CHOICES if getattr(changed, key) != getattr(preset, key)]
    return changed if "name" in changes else replace(changed, name=name + "".join(other))


@dataclass(frozen=True, eq=False)
class Windows:
    """Training and test windows of one sequence length L, in scaled units.

    The network's outputs become forecasts of the close with `to_levels`.

    Attributes
    ----------
    x_train : numpy.ndarray, shape (n, L, 1), float32
    y_train : numpy.ndarray, shape (n,), float32
        What the network is trained to give for each window: the close that follows it or, with the protocol's target
        "change", that close less the window's last one over `change_unit`.
    x_test : numpy.ndarray, shape (m, L, 1), float32
    y_test : numpy.ndarray, shape (m,), float32
        The close that follows each test window, whatever the target.
    test_dates : pandas.DatetimeIndex, shape (m,)
        Day of each test target, ascending.
    naive : numpy.ndarray, shape (m,), float32
        The close of the day before each test target: the naive forecast.
    low, high : float
        Closes that scale to 0 and to 1.
    change_unit : float or None
        Standard deviation of the training targets' changes, scaled units; None where the network gives levels.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    test_dates: pd.DatetimeIndex
    naive: np.ndarray
    low: float
    high: float
    change_unit: float | None = None

    def to_levels(self, outputs: np.ndarray) -> np.ndarray:
        """The network's outputs for the test windows as forecasts of the close: shape (m,), float32, scaled units."""
        if self.change_unit is None:
            return outputs
        return (self.naive + self.change_unit * np.asarray(outputs, np.float64)).astype(np.float32)

    def to_points(self, scaled: ArrayLike) -> np.ndarray:
        """Scaled values in index points, float64, same shape."""
        return np.asarray(scaled, dtype=np.float64) * (self.high - self.low) + self.low


@dataclass(frozen=True)
class _Part:
    """Positions of the targets of one stage, ascending, and the closes that scale to 0 and 1."""

    train: np.ndarray
    test: np.ndarray
    low: float
    high: float


class Dataset:
    """The closes of one symbol under one protocol. Small; travels to a worker process.

    Targets are the positions `max_sequence_length ... n - 1`, whatever the sequence length of a configuration, so
    that all configurations are trained on and judged by the same days. A window may reach back across the split.

    Two stages: `"tune"` is what a tuner sees, `"final"` is what its winner is judged by. They are the same unless
    `protocol.tune_on == "validation"`: then `"tune"` trains on four fifths of the training targets and tests on the
    remaining fifth (the last one, or a random one), and `"final"` trains on all of them and tests on the test part.

    With `scale_on="train"` each stage scales with the minimum and maximum of its own training part: with those of
    the final stage, the range of the validation part would leak into tuning. Chronologically, that is every close up
    to the last training target; after a random split, the training targets. Scaled errors of the two stages are then
    in different units; errors in points are comparable.

    Parameters
    ----------
    prices : Prices
    protocol : Protocol
    max_sequence_length : int
        Longest window; both papers search 1 to 250.

    Attributes
    ----------
    close : pandas.Series, shape (n,)
        Closes up to `protocol.as_of`.
    scaled : pandas.Series, shape (n,), float64
        `close` scaled as in the final stage.
    low, high : float
        Closes that scale to 0 and to 1 in the final stage; `scaling(stage)` gives those of either.
    data_sha256 : str
        Digest of `close` (`prices.closes_sha256`).

    Raises
    ------
    ValueError
        Too few closes up to `as_of` for the split, closes that do not vary, or a bad `max_sequence_length`.
    """

    def __init__(self, prices: Prices, protocol: Protocol, *, max_sequence_length: int = LONGEST) -> None:
        self.max_sequence_length = whole("max_sequence_length", max_sequence_length)
        self.prices = prices
        self.protocol = protocol
        self.close = prices.close[prices.close.index <= pd.Timestamp(protocol.as_of)]
        self._parts = _parts(self.close, protocol, self.max_sequence_length)
        self.low, self.high = self.scaling("final")
        self.scaled = (self.close - self.low) / (self.high - self.low)
        self.data_sha256 = closes_sha256(self.close)

    @property
    def identity(self) -> dict[str, Any]:
        """What a record must agree in, beside the checksum of the closes, to be of the same training and test days.

        The longest window is part of it: it says which day is the first target, and random splits draw from these.
        """
        longest = self.max_sequence_length
        return self.protocol.identity | ({"max_sequence_length": longest} if longest != LONGEST else {})

    @property
    def changes(self) -> dict[str, Any]:
        """What of `identity` is not as in the preset of the protocol's name; the checksum of the closes has `as_of`."""
        preset = PROTOCOLS.get(self.protocol.name, Protocol(self.protocol.name)).identity
        return {k: v for k, v in self.identity.items() if k != "as_of" and preset.get(k) != v}

    def windows(self, sequence_length: int, *, stage: str = "tune") -> Windows:
        """Windows of `sequence_length` closes, 1 to `max_sequence_length`.

        Raises
        ------
        ValueError
            For another length or an unknown stage.
        """
        part, length = self._part(stage), sequence_length
        whole = isinstance(length, int | np.integer) and not isinstance(length, bool)
        if not whole or not 1 <= length <= self.max_sequence_length:
            raise ValueError(
                f"sequence_length must be a whole number from 1 to {self.max_sequence_length}: {length!r}."
            )
        exact = self._scale(part)
        scaled, unit = exact.astype(np.float32), None
        y_train = scaled[part.train]
        if self.protocol.target == "change":
            changes = exact[part.train] - exact[part.train - 1]
            # Changes are some thousandths of the scaled range: in their own unit the network's first, random outputs
            # and the steps of its training are of the size of what it is to learn.
            unit = float(changes.std()) or 1.0
            y_train = (changes / unit).astype(np.float32)
        views = sliding_window_view(scaled, int(length))  # views[i] holds the closes i ... i + length - 1
        return Windows(
            x_train=np.ascontiguousarray(views[part.train - length])[:, :, np.newaxis],
            y_train=y_train,
            x_test=np.ascontiguousarray(views[part.test - length])[:, :, np.newaxis],
            y_test=scaled[part.test],
            test_dates=self.close.index[part.test],
            naive=scaled[part.test - 1],
            low=part.low,
            high=part.high,
            change_unit=unit,
        )

    def naive_metrics(self, stage: str = "tune") -> dict[str, float]:
        """Errors of repeating yesterday's close over the test targets of a stage.

        Returns
        -------
        dict
            mse, rmse, mae and r2 in scaled units; mse_points, rmse_points and mae_points in index points.
        """
        part = self._part(stage)
        scaled, points = self._scale(part), self.close.to_numpy()
        in_points = error_metrics(points[part.test], points[part.test - 1])
        return error_metrics(scaled[part.test], scaled[part.test - 1]) | {
            f"{name}_points": in_points[name] for name in ("mse", "rmse", "mae")
        }

    def to_points(self, scaled: ArrayLike, *, stage: str = "tune") -> np.ndarray:
        """Scaled values of a stage in index points, float64, same shape."""
        low, high = self.scaling(stage)
        return np.asarray(scaled, dtype=np.float64) * (high - low) + low

    def scaling(self, stage: str = "tune") -> tuple[float, float]:
        """Closes that scale to 0 and to 1 in a stage."""
        part = self._part(stage)
        return part.low, part.high

    def train_targets(self, stage: str = "tune") -> np.ndarray:
        """Positions of a stage's training targets in `close`, ascending, shape (n,)."""
        return self._part(stage).train.copy()

    def test_targets(self, stage: str = "tune") -> np.ndarray:
        """Positions in `close` of the targets that a stage is judged by, ascending, shape (m,)."""
        return self._part(stage).test.copy()

    def _part(self, stage: str) -> _Part:
        if stage not in STAGES:
            raise ValueError(f"Unknown stage {stage!r}; valid stages are {', '.join(STAGES)}.")
        return self._parts[stage]

    def _scale(self, part: _Part) -> np.ndarray:
        return (self.close.to_numpy() - part.low) / (part.high - part.low)


def _parts(series: pd.Series, protocol: Protocol, longest: int) -> dict[str, _Part]:
    close, n = series.to_numpy(), len(series)
    targets = np.arange(longest, n)
    if protocol.split == "chronological":
        first = int(TRAIN_SHARE * n)
        if protocol.test_from:
            first = int(series.index.searchsorted(pd.Timestamp(protocol.test_from)))
        train, test = targets[targets < first], targets[targets >= first]
    else:
        train, test = _random_split(targets, [protocol.split_seed])
    tune_train, tune_test = train, test
    if protocol.tune_on == "validation" and protocol.split == "chronological":
        tune_train, tune_test = np.split(train, [int(TRAIN_SHARE * len(train))])
    elif protocol.tune_on == "validation":
        tune_train, tune_test = _random_split(train, [protocol.split_seed, 1])
    if min(map(len, (tune_train, tune_test, train, test))) < 2:
        raise ValueError(
            f"{n:,} closes up to {protocol.as_of} are too few: with windows of up to {longest} closes, every part of "
            f"the {protocol.split} split needs at least 2 targets."
        )
    return {
        "tune": _Part(tune_train, tune_test, *_range(close, tune_train, protocol)),
        "final": _Part(train, test, *_range(close, train, protocol)),
    }


def _random_split(targets: np.ndarray, seed: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """A random four fifths and one fifth of `targets`, each ascending, so that figures read in time."""
    order = np.random.default_rng(seed).permutation(targets)
    first, second = np.split(order, [int(TRAIN_SHARE * len(order))])
    return np.sort(first), np.sort(second)


def _range(close: np.ndarray, train: np.ndarray, protocol: Protocol) -> tuple[float, float]:
    """Closes that scale to 0 and to 1 for training targets at the positions `train`."""
    if protocol.scale_on == "all":
        used = close
    elif protocol.split == "chronological":
        used = close[: train[-1] + 1]
    else:
        used = close[train]
    low, high = float(used.min()), float(used.max())
    if not low < high:
        raise ValueError(f"The closes to scale on are all {low:g}: they cannot be scaled to [0, 1].")
    return low, high
