"""What each leak of the papers' evaluation buys: scaling, split and selection switched on and off."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product

import pandas as pd

from helpers.ledger import Outcome, Training
from helpers.space import LstmConfig
from helpers.validity import Series
from helpers.windows import protocol

LEAKS = ("scaling", "split", "selection")
LEAK_NAMES: Mapping[str, str] = {
    "scaling": "scaled on the whole series",
    "split": "shuffled split",
    "selection": "tuned on the test part",
    "best": "and the best seed by test error",
}


def leak_trainings(series: str, configs: Sequence[LstmConfig], *, as_of: str, seeds: Sequence[int]) -> list[Training]:
    """Every configuration and seed, under both scalings and both splits, on the validation and on the test part."""
    found = []
    for scale_on, split, stage in product(("train", "all"), ("chronological", "shuffled"), ("tune", "final")):
        p = protocol("clean", scale_on=scale_on, split=split, as_of=as_of)
        found += [Training(series, p, config, s, stage) for config in configs for s in seeds]
    return found


def switchboard(outcomes: Sequence[Outcome], series: Series) -> pd.DataFrame:
    """What each leak buys: the error that would be reported with each combination of leaks.

    For each seed a configuration is chosen, by its error on the validation part or (leak `selection`) by that on the
    test part, and its error on the test part is reported. `best`: the least test error over all configurations and
    seeds, which is what a table of the best of many runs shows.

    Returns
    -------
    pandas.DataFrame
        One row a combination and seed: `scaling`, `split`, `selection`, `best` (bool), `seed`, `mse` (squared index
        points over the squared range of the whole series: the papers' units, whatever was scaled on), `naive_mse` and
        `ratio`, their quotient, on the same days.
    """
    frame = pd.DataFrame(
        [
            {
                "scaling": o.training.protocol.scale_on == "all",
                "split": o.training.protocol.split == "shuffled",
                "stage": o.training.stage,
                "config": str(o.training.config),
                "seed": o.training.seed,
                "mse_points": o.metrics["mse_points"] if o.ok else math.inf,
            }
            for o in outcomes
        ]
    )
    rows = []
    for (scaling, split), group in frame.groupby(["scaling", "split"]):
        one = next(
            o.training
            for o in outcomes
            if (o.training.protocol.scale_on == "all", o.training.protocol.split == "shuffled") == (scaling, split)
        )
        dataset = series(one.series, one.protocol)
        units = float(dataset.close.max() - dataset.close.min()) ** 2
        naive = dataset.naive_metrics("final")["mse_points"]
        tune, final = (
            group[group["stage"] == s].pivot(index="config", columns="seed", values="mse_points")
            for s in ("tune", "final")
        )
        for s in final.columns:
            for selection in (False, True):
                chosen = (final if selection else tune)[s].idxmin()
                rows.append((scaling, split, selection, False, s, final.loc[chosen, s] / units, naive / units))
        rows.append((scaling, split, True, True, -1, float(final.min().min()) / units, naive / units))
    found = pd.DataFrame(rows, columns=[*LEAKS, "best", "seed", "mse", "naive_mse"])
    return found.assign(ratio=found["mse"] / found["naive_mse"])


# One after the other, then together as in the protocols `described` and `published`, as the figure shows them.
BOARD: tuple[tuple[str, tuple[bool, bool, bool, bool]], ...] = (
    ("none", (False, False, False, False)),
    ("scaled on the whole series", (True, False, False, False)),
    ("tuned on the test part", (False, False, True, False)),
    ("shuffled split", (False, True, False, False)),
    ("scaling and tuning (described)", (True, False, True, False)),
    ("all three (published)", (True, True, True, False)),
    ("all three, best of all runs", (True, True, True, True)),
)


def board(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of `BOARD`: median, least and largest over the seeds.

    `buys` says how many times less the median `ratio` is than with no leak. It compares ratios to yesterday's close,
    because a shuffled split also tests on other days, which are easier for any forecast.
    """
    rows = []
    for name, switches in BOARD:
        mine = frame[(frame[[*LEAKS, "best"]] == list(switches)).all(axis=1)]
        rows.append(
            {
                "leaks": name,
                "mse": mine["mse"].median(),
                "least": mine["mse"].min(),
                "largest": mine["mse"].max(),
                "naive_mse": mine["naive_mse"].iloc[0],
                "ratio": mine["ratio"].median(),
            }
        )
    found = pd.DataFrame(rows)
    return found.assign(buys=found["ratio"].iloc[0] / found["ratio"])
