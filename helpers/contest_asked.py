"""The contests that notebook 07 and `helpers.contest_run` are asked for, and the problems that they are held on."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn

import numpy as np
import pandas as pd

from helpers import benchmark, surrogate
from helpers.contest_plots import Problem, name_of
from helpers.entrants import ENTRANTS, EVALUATIONS
from helpers.problems import ContestError, Tabular, check_problem
from helpers.space import UnitCube, config_from_params, lstm_space

DRAWN = "drawn"  # the kind of surrogate that the contest is held on: every seed has a landscape of its own
# Other kinds: does the lead rest on that one?
CHECKS = {"mixed": "mean of both regressions", "trees": "trees alone", "searched": "landscapes that know searches"}
LANDSCAPES = {DRAWN: False, "searched": True}  # kinds with a landscape a seed -> whether they know the real searches
# By kind what a landscape is drawn from: the process, and of the drawn ones that of the check on the mean.
MODEL = {DRAWN: surrogate.MODELS[0], "searched": "process"}


class Asked(NamedTuple):
    """A contest that is asked for: a space, a protocol, how many seeds, how many evaluations, which tuners."""

    space: str
    protocol: str
    seeds: int
    evaluations: int
    tuners: tuple[str, ...] = tuple(ENTRANTS)

    @property
    def problem(self) -> Problem:
        return self.space, self.protocol


def parse(text: str, *, evaluations: int = EVALUATIONS, tuners: Sequence[str] = ()) -> list[Asked]:
    """Contests from text such as "generator:described:100 gan:clean:10:50 gan:described:10:random,hybrid".

    Each is space:protocol:seeds; the number of evaluations may follow, then the tuners with commas between them.

    Parameters
    ----------
    text : str
    evaluations : int
        Of a contest that does not say.
    tuners : sequence of str
        Of a contest that does not say; all of them if empty.

    Raises
    ------
    ContestError
        For text of another form, an unknown space, protocol or tuner, or a number below 1.
    """
    found = []
    for part in text.split():
        space, protocol, seeds, count, entered = (CONTEST.fullmatch(part) or _refuse(part)).groups()
        check_problem(space, protocol)
        some = parse_tuners(entered.replace(",", " ")) if entered else tuners or ENTRANTS
        found.append(Asked(space, protocol, int(seeds), int(count or evaluations), tuple(some)))
    return found


CONTEST = re.compile(r"([^:]+):([^:]+):([0-9]*[1-9][0-9]*)(?::([0-9]*[1-9][0-9]*))?(?::([a-z_]+(?:,[a-z_]+)*))?")


def _refuse(part: str) -> NoReturn:
    raise ContestError(
        "A contest is written space:protocol:seeds, such as generator:described:10, where the evaluations and the "
        f"tuners may follow, such as gan:described:10:50:random,hybrid; not {part!r}."
    )


def parse_tuners(text: str) -> list[str]:
    """Tuners from text such as "random gan"; all of them from an empty one.

    Raises
    ------
    ContestError
        For an unknown tuner.
    """
    for name in text.split():
        if name not in ENTRANTS:
            raise ContestError(f"Unknown tuner {name!r}; valid tuners are {', '.join(ENTRANTS)}.")
    return text.split() or list(ENTRANTS)


def tabular(
    space: str,
    protocol: str,
    *,
    naive: Mapping[str, float] | None = None,
    noise: bool = True,
    kind: str = DRAWN,
) -> Tabular:
    """The benchmark's surrogate as a problem, with the noise of trainings where it was measured.

    Parameters
    ----------
    space, protocol : str
    naive : mapping of str to float, optional
        Checksum of closes -> MSE of yesterday's close on them.
    noise : bool
    kind : str
        "drawn" or "searched", where each seed has a landscape of its own, see `Surrogate.drawn`, in the latter case one
        that knows the searches with real trainings too; or a model of `surrogate.Surrogate`.

    Raises
    ------
    benchmark.BenchmarkError
        If the benchmark holds too few trainings.
    ValueError
        For an unknown kind.
    """
    drawn = kind in LANDSCAPES
    fitted = _fitted(space, protocol, MODEL.get(kind, kind), LANDSCAPES.get(kind, False))
    measured = None
    if noise:
        try:
            measured = surrogate.measured_noise(space, protocol)
        except benchmark.BenchmarkError:
            measured = None
    closes = benchmark.table(space, protocol)["data_sha256"].iloc[0]
    cube = UnitCube(lstm_space(space))
    example = fitted.drawn(0) if drawn else fitted
    probed = [example.mse(config_from_params(cube.decode(np.full(len(cube), u)))) for u in (0.2, 0.5, 0.8)]
    identity = {
        "surrogate": [fitted.trainings, *(float(f"{value:.4g}") for value in probed)],
        "noise": None if measured is None else float(f"{measured.sd:.4g}"),
    }
    known = (naive or {}).get(closes, math.nan)
    about = {"identity": identity, "naive": known, "variant": "" if kind == surrogate.MODELS[0] else kind}
    return Tabular(fitted, space, protocol, noise=measured, drawn=drawn, **about)


@functools.lru_cache(maxsize=32)  # a problem is asked for by several contests of one notebook
def _fitted(space: str, protocol: str, model: str, searched: bool) -> surrogate.Surrogate:
    return surrogate.Surrogate(space, protocol, model=model, searched=searched)


def coverage(asked: Sequence[Asked], frames: Mapping[Asked, pd.DataFrame]) -> pd.DataFrame:
    """What was asked for and how much of it is recorded, a row a contest."""
    rows = []
    for a in asked:
        frame = frames.get(a)
        searches = 0 if frame is None else len(frame[["tuner", "seed"]].drop_duplicates())
        rows.append(
            {
                "problem": name_of(a.problem),
                "seeds": a.seeds,
                "evaluations": a.evaluations,
                "tuners": len(a.tuners),
                "searches asked for": a.seeds * len(a.tuners),
                "recorded": searches,
            }
        )
    return pd.DataFrame(rows, columns=["problem", "seeds", "evaluations", "tuners", "searches asked for", "recorded"])
