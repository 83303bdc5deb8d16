"""The problems of the contest: what tuners tune, and how a configuration is measured."""

from __future__ import annotations

import contextlib
import functools
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from helpers.lstm import EPOCHS
from helpers.space import LstmConfig, lstm_space
from helpers.trial import Evaluator
from helpers.windows import PROTOCOLS, Dataset


class ContestError(ValueError):
    """A contest that cannot be held or continued; the message is one sentence for the reader."""


def check_problem(space: str, protocol: str) -> None:
    """Raise `ContestError` for an unknown space or protocol."""
    try:
        lstm_space(space)
    except ValueError as error:
        raise ContestError(str(error)) from None
    if protocol not in PROTOCOLS:
        raise ContestError(f"Unknown protocol {protocol!r}; valid protocols are {', '.join(PROTOCOLS)}.")


class Measurement(NamedTuple):
    """What one evaluation gave: `mse` is NaN where it failed, for `reason`; processor seconds of the training."""

    mse: float
    seconds: float
    reason: str = ""


class Problem:
    """What is tuned. A subclass says how a configuration is measured; it travels to other processes.

    Attributes
    ----------
    space, protocol : str
    identity : dict
        What results depend on besides configuration and seed, ready for JSON; records of another are refused.
    naive : float
        MSE of yesterday's close; NaN where it is not known.
    reuse : bool
        Whether a result serves every other search with the same seed.
    variant : str
        Tells problems with one space and protocol apart, in the names of their records; mostly empty.
    """

    reuse = False
    variant = ""

    def __init__(self, space: str, protocol: str, *, identity: Mapping[str, Any], naive: float = math.nan) -> None:
        check_problem(space, protocol)
        self.space, self.protocol, self.identity, self.naive = space, protocol, dict(identity), float(naive)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Callable[[LstmConfig, int], Measurement]]:
        """What measures a configuration with a seed, for the length of a `with` block."""
        raise TypeError(f"{type(self).__name__} does not say how to measure.")
        yield


class Tabular(Problem):
    """The tabular benchmark's surrogate: an evaluation takes milliseconds.

    Parameters
    ----------
    surrogate
        With `mse`, `seconds` and `fails`, each of an `LstmConfig`; for `drawn` also with a method of that name, such as
        that of `surrogate.Surrogate`.
    space, protocol, identity, naive, variant
        See `Problem`.
    noise, optional
        With `draw(level, rng)`: a residual of log10 MSE at that level, such as `surrogate.measured_noise`. A
        configuration and a seed have one residual, as they have one training. Without it there is no noise.
    drawn : bool
        Every seed has a landscape of its own, `surrogate.drawn(seed)`, the same for all tuners.
    """

    def __init__(
        self,
        surrogate: Any,
        space: str,
        protocol: str,
        *,
        noise: Any = None,
        drawn: bool = False,
        variant: str = "",
        **about: Any,
    ) -> None:
        super().__init__(space, protocol, **about)
        self.surrogate, self.noise, self.drawn, self.variant = surrogate, noise, drawn, variant

    @contextlib.contextmanager
    def opened(self) -> Iterator[Callable[[LstmConfig, int], Measurement]]:
        @functools.lru_cache(maxsize=1)  # a search has one seed
        def landscape(seed: int) -> Any:
            return self.surrogate.drawn(seed)

        def measure(config: LstmConfig, seed: int) -> Measurement:
            surrogate = landscape(seed) if self.drawn else self.surrogate
            seconds = float(surrogate.seconds(config))
            if surrogate.fails(config):
                return Measurement(math.nan, seconds, "the surrogate says that it fails")
            mse = float(surrogate.mse(config))
            if self.noise is not None:
                rng = np.random.default_rng([seed, zlib.crc32(repr(config).encode())])
                mse *= 10.0 ** self.noise.draw(math.log10(mse), rng)
            return Measurement(mse, seconds)

        yield measure


class Trained(Problem):
    """LSTMs that are trained.

    Parameters
    ----------
    dataset : Dataset
    space : str
    epochs, engine
        See `trial.evaluate`.
    evaluator : callable
        Makes a worker: a context manager with `trial.Evaluator.evaluate`. It is a plain subprocess, which a daemonic
        process may start too.
    """

    reuse = True

    def __init__(
        self,
        dataset: Dataset,
        space: str,
        *,
        epochs: int = EPOCHS,
        engine: str = "fast",
        evaluator: Callable[[], Any] = Evaluator,
    ) -> None:
        identity = {"data_sha256": dataset.data_sha256, "epochs": epochs, "engine": engine}
        identity |= {"protocol_changes": dataset.changes} if dataset.changes else {}
        naive = dataset.naive_metrics()["mse"]
        super().__init__(space, dataset.protocol.name, identity=identity, naive=naive)
        self.dataset, self.epochs, self.engine, self.evaluator = dataset, epochs, engine, evaluator

    @contextlib.contextmanager
    def opened(self) -> Iterator[Callable[[LstmConfig, int], Measurement]]:
        with self.evaluator() as worker:  # starts at the first training

            def measure(config: LstmConfig, seed: int) -> Measurement:
                options = {"epochs": self.epochs, "seed": seed, "engine": self.engine}
                result = worker.evaluate(config, self.dataset, **options)
                # Processor time: other trainings run beside this one. A worker that was killed left none.
                spent = result.cpu_seconds if math.isfinite(result.cpu_seconds) else result.seconds
                return Measurement(result.mse if result.ok else math.nan, spent, result.reason)

            yield measure
