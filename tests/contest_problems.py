"""Small problems for the contest's tests, importable by worker processes."""

from __future__ import annotations

import contextlib
import math
import os
import time
from pathlib import Path

import numpy as np

from helpers.problems import Measurement, Problem
from helpers.space import UnitCube, lstm_space, params_from_config

ERROR = 0.01  # at the centre of the bowl


class Bowl(Problem):
    """A smooth bowl over the unit cube, its bottom in the middle; the deepest networks fail.

    With `log`, a line of process, seed and configuration goes there for each measurement; `pause` is its seconds.
    """

    def __init__(self, *, log: str = "", pause: float = 0.0, reuse: bool = False, scale: float = 1.0) -> None:
        super().__init__("generator", "described", identity={"bowl": scale}, naive=0.02)
        self.log, self.pause, self.reuse, self.scale = log, pause, reuse, scale

    def mse(self, config) -> float:
        """The error; NaN where it fails."""
        if config.layers == 10:
            return math.nan
        u = UnitCube(lstm_space(self.space)).encode(params_from_config(config))
        return ERROR + self.scale * float(np.sum((u - 0.5) ** 2))

    def seconds(self, config) -> float:
        return float(config.layers)

    def fails(self, config) -> bool:
        return config.layers == 10

    @contextlib.contextmanager
    def opened(self):
        def measure(config, seed):
            if self.log:
                with open(self.log, "a") as file:
                    file.write(f"{os.getpid()} {seed} {config}\n")
            time.sleep(self.pause)
            value = self.mse(config)
            return Measurement(value, self.seconds(config), "too deep" if math.isnan(value) else "")

        yield measure


class Lethal(Bowl):
    """Kills the first process that measures anything."""

    @contextlib.contextmanager
    def opened(self):
        mark = Path(self.log)
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), 9)
        with super().opened() as measure:
            yield measure


def lesson(config, dataset, *, epochs, seed, engine, stage):
    """Stands in for a training in a worker."""
    from helpers.trial import METRICS, Measured

    return Measured(dict.fromkeys(METRICS, config.layers / 100), np.zeros(1, np.float32), 0.04, 0.01)


def nothing(engine: str) -> None:
    """Prepares nothing."""
