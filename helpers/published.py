"""The papers' own numbers: their tables of runs, their headline results, and the ranges their text states.

The runs are the generator paper's table 8 (generator) and table 9 (Bayesian optimisation) and the GAN paper's
appendix B, typed off as printed into `data/published/*.csv`. Errors are in scaled units, times in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from helpers import paths
from helpers.space import HYPERPARAMETERS

if TYPE_CHECKING:
    HEADLINE: Mapping[str, Headline]

FILES = {"generator": "table8_generator.csv", "bayesian": "table9_bayesian.csv", "gan": "appendixB_gan.csv"}
PLACES = {
    "generator": "generator paper, tables 5 and 8",
    "bayesian": "generator paper, tables 6 and 9",
    "gan": "GAN paper, appendix B, sections 4.2.1 and 4.2.2",
}
COLUMNS = ("iteration", *HYPERPARAMETERS, "mse", "seconds")
_WHOLE = ("iteration", "layers", "units", "batch_size", "sequence_length")


@dataclass(frozen=True)
class Headline:
    """The headline result of one published run.

    Attributes
    ----------
    tuner : str
    best_mse : float
        Least MSE of the run, scaled units.
    iteration : int
        The iteration, counted from 1, that reached it.
    trials : int
        Iterations of the run.
    seconds : float
        Sum of the printed times of all iterations.
    cpu_percent, memory_mb : float or None
        Averages that the GAN paper states; None where nothing is stated.
    place : str
        Where the paper says it.
    """

    tuner: str
    best_mse: float
    iteration: int
    trials: int
    seconds: float
    cpu_percent: float | None
    memory_mb: float | None
    place: str

    def __str__(self) -> str:
        text = (
            f"best MSE {self.best_mse:.6f} at iteration {self.iteration} of {self.trials}, {self.seconds:,.0f} s in all"
        )
        if self.cpu_percent is not None:
            text += f", {self.cpu_percent:.2f} % CPU"
        if self.memory_mb is not None:
            text += f", {self.memory_mb:,.2f} MB"
        return text


@dataclass(frozen=True)
class Claim:
    """A range that a paper's text states for a quantity: `low <= quantity <= high`, None where open."""

    low: float | None
    high: float | None
    says: str
    place: str


# What the text states beside the tables; the tables hold no R2, RMSE, MAE, CPU or memory.
CLAIMED: Mapping[tuple[str, str], Claim] = {
    ("generator", "r2"): Claim(0.8, 1.0, "R² around 0.8 to 1.0", "generator paper, section 4.3.3.1"),
    ("bayesian", "r2"): Claim(-0.4, 0.8, "R² from around 0.8 down to −0.4", "generator paper, section 4.3.3.1"),
    ("generator", "rmse"): Claim(None, 0.10, "RMSE consistently below 0.10", "generator paper, section 4.3.3.2"),
    ("bayesian", "rmse"): Claim(0.15, 0.20, "RMSE frequently 0.15 to 0.20", "generator paper, section 4.3.3.2"),
    ("generator", "mae"): Claim(None, 0.06, "MAE mostly under 0.06", "generator paper, section 4.3.3.3"),
    ("bayesian", "mae"): Claim(0.08, 0.14, "MAE 0.08 to 0.14 for most iterations", "generator paper, section 4.3.3.3"),
    ("generator", "residuals"): Claim(-50, 50, "most residuals between -50 and 50", "generator paper, section 4.1.4"),
    ("gan", "cpu_percent"): Claim(None, 43, "highest CPU use around 43 %", "GAN paper, section 4.2.1"),
    ("gan", "cumulative_seconds"): Claim(None, 300, "approximately 300 s in the end", "GAN paper, section 4.2.3"),
}

# Averages that the GAN paper states in its sections 4.2.1 and 4.2.2 and tabulates nowhere.
_GAN_CPU_PERCENT = 33.59
_GAN_MEMORY_MB = 9776.09


def _check(which: str) -> None:
    if which not in FILES:
        raise ValueError(f"Unknown published run {which!r}; valid runs are {', '.join(FILES)}.")


def runs(which: str) -> pd.DataFrame:
    """One published table of runs, as printed.

    Parameters
    ----------
    which : {"generator", "bayesian", "gan"}

    Returns
    -------
    pandas.DataFrame
        One row an iteration; columns `iteration`, the six hyperparameters, `mse` (scaled units), `seconds`.

    Raises
    ------
    ValueError
        For any other name.
    """
    _check(which)
    return _read(which).copy()


@cache
def _read(which: str) -> pd.DataFrame:
    table = pd.read_csv(paths.PUBLISHED / FILES[which], dtype=dict.fromkeys(_WHOLE, "int64"))
    return table[list(COLUMNS)]


def records(which: str) -> pd.DataFrame:
    """`runs(which)` with the columns that follow from it: `rmse` = sqrt(mse) and `cumulative_seconds`."""
    table = runs(which)
    table["rmse"] = np.sqrt(table["mse"])
    table["cumulative_seconds"] = table["seconds"].cumsum()
    return table


def headline(which: str) -> Headline:
    """The headline result of one published run, computed from its table.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    table = runs(which)
    best = table.loc[table["mse"].idxmin()]
    return Headline(
        tuner=which,
        best_mse=float(best["mse"]),
        iteration=int(best["iteration"]),
        trials=len(table),
        seconds=float(table["seconds"].sum()),
        cpu_percent=_GAN_CPU_PERCENT if which == "gan" else None,
        memory_mb=_GAN_MEMORY_MB if which == "gan" else None,
        place=PLACES[which],
    )


def __getattr__(name: str) -> Any:
    # HEADLINE is read from the tables when first asked for: importing this module reads no file.
    if name == "HEADLINE":
        return {which: headline(which) for which in FILES}
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
