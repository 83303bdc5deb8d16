"""The tables of notebook 07."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from helpers import contest_stats, surrogate
from helpers.contest_plots import Problem, name_of
from helpers.figures import LABELS
from helpers.space import lstm_space

CURVES = ("random", "tpe", "cmaes", "bayesian", "bayesian_warped", "generator", "gan", "hybrid")
ABLATIONS = (
    *(("generator", f"generator_{feedback}") for feedback in ("zero", "shuffled", "product", "reinforce")),
    ("gan", "gan_blind"),
    ("hybrid", "hybrid_uniform"),
)


def overview(tables: Mapping[str, Mapping[Problem, pd.DataFrame]]) -> pd.DataFrame:
    """`contest_stats.summary` of every problem below each other, ready to be saved.

    Parameters
    ----------
    tables : mapping of str to mapping of problem to pandas.DataFrame
        How it was evaluated ("surrogate", "training") -> problem -> summary.
    """
    parts = []
    for how, by_problem in tables.items():
        for problem, table in by_problem.items():
            parts.append(
                pd.DataFrame(
                    {
                        "Problem": name_of(problem),
                        "Evaluated by": how,
                        "Tuner": table["tuner"].map(LABELS),
                        "Seeds": table["seeds"],
                        "Best MSE": table["best"],
                        "Interval": [_range(r.best_low, r.best_high) for r in table.itertuples()],
                        "More than yesterday's close by": table["regret"],
                        "P(better than random)": table["win"],
                        "its interval": [_range(r.win_low, r.win_high) for r in table.itertuples()],
                        "p": table["p"],
                        "p, Holm": table["p_holm"],
                        "Different configurations": table["unique"],
                        "Failed": table["failed"],
                        "Training (s)": table["seconds"],
                        "Suggestion (s)": table["thinking"],
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


OVERVIEW_FORMATS: Mapping[str, str] = {
    "Best MSE": ".3g",
    "More than yesterday's close by": ".3g",
    "P(better than random)": ".2f",
    "p": "p",
    "p, Holm": "p",
    "Different configurations": ".0%",
    "Failed": ".1%",
    "Training (s)": ",.3g",
    "Suggestion (s)": ".2g",
}


def _range(low: float, high: float) -> str:
    return f"{low:.2g} to {high:.2g}" if math.isfinite(low + high) else "–"


def duels(finals: Mapping[str, Mapping[Problem, pd.DataFrame]], rivals: Sequence[str]) -> pd.DataFrame:
    """Every tuner against each of a few rivals on every problem, by paired permutation tests."""
    rows = []
    for how, by_problem in finals.items():
        for problem, rival in itertools.product(by_problem, rivals):
            rows += [
                {"Problem": name_of(problem), "Evaluated by": how, "Rival": LABELS[rival], **_duel(row)}
                for row in contest_stats.against(by_problem[problem], rival).to_dict("records")
            ]
    return pd.DataFrame(rows, columns=["Problem", "Evaluated by", "Rival", *DUEL])


def ablations(finals: Mapping[str, Mapping[Problem, pd.DataFrame]]) -> pd.DataFrame:
    """Tuners against themselves without a part: `ABLATIONS`; Holm corrects over those of one problem."""
    rows = []
    for how, by_problem in finals.items():
        for problem, frame in by_problem.items():
            found = [
                contest_stats.against(frame, without, [tuner]).assign(rival=without) for tuner, without in ABLATIONS
            ]
            family = pd.concat(found, ignore_index=True)
            family["p_holm"] = contest_stats.holm(family["p"].to_numpy(dtype=float))
            rows += [
                {"Problem": name_of(problem), "Evaluated by": how, "Rival": LABELS[row["rival"]], **_duel(row)}
                for row in family.to_dict("records")
            ]
    return pd.DataFrame(rows, columns=["Problem", "Evaluated by", "Rival", *DUEL])


def lead(
    finals: Mapping[str, Mapping[Problem, pd.DataFrame]], tuner: str = "hybrid", *, least: float = 0.6
) -> pd.DataFrame:
    """How far a tuner leads on each problem by each model of the surrogate, and over whom it leads least.

    Parameters
    ----------
    finals : mapping of str to mapping of problem to pandas.DataFrame
        Model -> problem -> `contest_stats.results`.
    """
    rows = []
    for model, by_problem in finals.items():
        for problem, frame in by_problem.items():
            table = led(frame, tuner)
            if not len(table):
                continue
            worst = table.loc[table["win"].idxmin()]
            rows.append(
                {
                    "Problem": name_of(problem),
                    "Surrogate": model,
                    "Seeds": int(table["seeds"].min()),
                    "Rivals": len(table),
                    f"P of {least:g} reached": int(((table["win"] >= least) & (table["win_low"] > 0.5)).sum()),
                    "Least lead over": LABELS[worst["tuner"]],
                    "P(better)": worst["win"],
                    "Interval": _range(worst["win_low"], worst["win_high"]),
                }
            )
    return pd.DataFrame(rows)


def foreseen(
    surrogates: Mapping[str, Mapping[Problem, surrogate.Surrogate]], real: Mapping[Problem, pd.DataFrame]
) -> pd.DataFrame:
    """How far the trainings of each tuner's searches lie from what drawn landscapes allow that do not know them.

    Parameters
    ----------
    surrogates : mapping of str to mapping of problem to Surrogate
        Kind of landscape -> problem -> what it is drawn from. A tuner's own searches, and its variants', are left out.
    real : mapping of problem to pandas.DataFrame
        Searches with real trainings; see `contest.frame`. Failures are left out.
    """
    rows = []
    for problem, frame in real.items():
        space = lstm_space(problem[0])
        good = frame[frame["mse"].notna()]
        for tuner, mine in good.groupby("tuner", sort=False):
            params = [
                {name: d.to_external_repr(value) for (name, d), value in zip(space.items(), row, strict=True)}
                for row in mine[list(space)].to_numpy()
            ]
            for kind, by_problem in surrogates.items():
                if problem not in by_problem:
                    continue
                found = by_problem[problem].deviations(params, mine["mse"], without=tuner)
                rows.append(
                    {
                        "Problem": name_of(problem),
                        "Tuner": LABELS[tuner],
                        "Landscapes": kind,
                        "Trainings": len(mine),
                        "Mean": found.mean(),
                        "Standard deviation": found.std(ddof=1) if len(found) > 1 else math.nan,
                        f"Below {BELOW:g}": float((found < BELOW).mean()),
                    }
                )
    return pd.DataFrame(rows, columns=["Problem", "Tuner", "Landscapes", "Trainings", *FORESEEN_FORMATS])


BELOW = -1.96  # 2.5 % of a standard normal
FORESEEN_FORMATS: Mapping[str, str] = {
    "Mean": ".2f",
    "Standard deviation": ".2f",
    f"Below {BELOW:g}": ".0%",
}


def widest(allowed: pd.DataFrame) -> str:
    """What `foreseen` says in words: of each kind of landscapes, the range of the tuners' standard deviations."""
    said = []
    for kind, table in allowed.groupby("Landscapes", sort=False):
        spread = table["Standard deviation"]
        most = table.loc[spread.idxmax()]
        said.append(f"{kind}: {spread.min():.1f} to {spread.max():.1f}, most for {most['Tuner']} on {most['Problem']}")
    return "; ".join(said)


def led(frame: pd.DataFrame, tuner: str) -> pd.DataFrame:
    """P(improvement) of a tuner over every other that is not a variant of itself: `tuner` is the rival's name."""
    others = rivals_of(frame, tuner) if tuner in frame else []
    table = contest_stats.against(frame, rival=tuner, tuners=others)
    flipped = {"win": 1 - table["win"], "win_low": 1 - table["win_high"], "win_high": 1 - table["win_low"]}
    return table.assign(**flipped)


def rivals_of(names: Iterable[str], tuner: str) -> list[str]:
    """Those that are neither `tuner` nor itself without a part."""
    own = {tuner, *(without for whole, without in ABLATIONS if whole == tuner)}
    return [name for name in names if name not in own]


DUEL = ("Tuner", "Seeds", "P(better)", "Interval", "Ratio of MSEs", "its interval", "p", "p, Holm")
DUEL_FORMATS: Mapping[str, str] = {"P(better)": ".2f", "Ratio of MSEs": ".3g", "p": "p", "p, Holm": "p"}


def _duel(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Tuner": LABELS[row["tuner"]],
        "Seeds": row["seeds"],
        "P(better)": row["win"],
        "Interval": _range(row["win_low"], row["win_high"]),
        "Ratio of MSEs": row["ratio"],
        "its interval": _range(row["ratio_low"], row["ratio_high"]),
        "p": row["p"],
        "p, Holm": row["p_holm"],
    }
