"""What the searches with real trainings came to: a second table of the benchmark, beside the configurations drawn.

A random table has few good configurations, and a model of it knows little about where tuners end. Their searches are
the other half: every configuration that a tuner tried in the contests with real trainings, trained with the search's
seed. Eggensperger et al. (Efficient benchmarking of hyperparameter optimizers via surrogates, AAAI 2015) fit their
surrogates to such searches for the same reason. They are no random sample, and each row says who searched, so that a
model can leave a tuner's own out.

    python -m helpers.searched

gathers the committed records of the contests in `data/benchmark/<space>_searched.csv.gz`. Seeds from `SEEDS` on are
left out: with those, conclusions from the first are tested.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import contest, paths
from helpers.benchmark import FOLDER, BenchmarkError, read_table, write_table
from helpers.entrants import ENTRANTS
from helpers.problems import ContestError
from helpers.space import HYPERPARAMETERS, SPACES, config_from_params, lstm_space
from helpers.windows import PROTOCOLS

logger = logging.getLogger(__name__)

SEEDS = 10  # those below it
COLUMNS = (
    "protocol",
    *HYPERPARAMETERS,
    "seed",
    "status",
    "mse",
    "cpu_seconds",
    "epochs",
    "engine",
    "tuners",
    "data_sha256",
)


def gather(space: str, studies: Path) -> pd.DataFrame:
    """The trainings of the recorded contests in one space: one row a protocol, configuration and seed.

    Parameters
    ----------
    space : {"generator", "gan"}
    studies : pathlib.Path
        Folder of the contests' records.

    Returns
    -------
    pandas.DataFrame
        Columns `COLUMNS`, in the order of protocols, seeds and configurations. `tuners`: who tried the configuration
        with that seed, keys of `entrants.ENTRANTS` with spaces between them. `mse` is NaN where the training failed.

    Raises
    ------
    BenchmarkError
        For damaged records.
    """
    names, rows = list(lstm_space(space)), []
    order = {tuner: place for place, tuner in enumerate(ENTRANTS)}
    for protocol in PROTOCOLS:
        path = contest.trained_path(studies, space, protocol)
        if not path.exists():
            continue
        try:
            runs, identity = contest.read(path), contest.about(path)
        except ContestError as error:
            raise BenchmarkError(str(error)) from None
        found: dict[tuple[float, ...], dict] = {}
        for tuner, seed in sorted(runs, key=lambda which: (order.get(which[0], len(order)), *which)):
            if seed >= SEEDS:
                continue
            run = runs[tuner, seed]
            for params, mse, seconds in zip(run.params, run.mse, run.seconds, strict=True):
                config = config_from_params(_external(space, names, params))
                row = {
                    "protocol": protocol,
                    **config.as_dict(),
                    "seed": seed,
                    "status": "ok" if np.isfinite(mse) else "failed",
                    "mse": mse,
                    "cpu_seconds": seconds,
                    **{name: identity[name] for name in ("epochs", "engine", "data_sha256")},
                }
                kept = found.setdefault((seed, *config.as_dict().values()), row | {"tuners": []})
                kept["tuners"] += [tuner] if tuner not in kept["tuners"] else []
        rows += [row | {"tuners": " ".join(row["tuners"])} for _, row in sorted(found.items())]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _external(space: str, names: Sequence[str], params: Sequence[float]) -> dict[str, float]:
    return {n: lstm_space(space)[n].to_external_repr(v) for n, v in zip(names, params, strict=True)}


def table_path(space: str, folder: Path = FOLDER) -> Path:
    """The committed file of one space."""
    return folder / f"{space}_searched.csv.gz"


def pack(space: str, studies: Path, folder: Path = FOLDER) -> Path:
    """Write what `gather` finds; returns the table's path.

    Raises
    ------
    BenchmarkError
        For damaged records, or none: the table stays as it is.
    """
    frame = gather(space, studies)
    if frame.empty:
        raise BenchmarkError(f"{studies.name}/ holds no contest with real trainings in the space {space!r}.")
    return write_table(frame, table_path(space, folder))


def table(space: str, name: str | None = None, *, folder: Path = FOLDER) -> pd.DataFrame:
    """The searched trainings of one space, columns `COLUMNS`; under one protocol if it is named.

    Raises
    ------
    BenchmarkError
        If there is no table, it is damaged, or it holds nothing under that protocol.
    ValueError
        For an unknown space or protocol.
    """
    lstm_space(space)
    return read_table(table_path(space, folder), COLUMNS, name, made_with="python -m helpers.searched")


def family(tuner: str) -> str:
    """What a tuner and its variants have in common: "gan" of "gan_blind"."""
    return tuner.split("_")[0]


def by_family(column: Iterable[str], tuner: str) -> np.ndarray:
    """Which entries of the column `tuners` name the tuner or a variant of it, shape (n,)."""
    own = family(tuner)
    return np.array([own in map(family, tuners.split()) for tuners in column], dtype=bool)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `python -m helpers.searched`; its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.searched", description="Gather the trainings of the recorded contests in tables."
    )
    parser.add_argument("--space", choices=SPACES, action="append", help="all of them unless given")
    parser.add_argument("--profile", default="full", help="whose records")
    parser.add_argument("--output", default="", help="folder they were written into, relative to the repository")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the tables lie")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    studies = paths.outputs(options.output).studies(options.profile)
    try:
        for space in options.space or SPACES:
            path = pack(space, studies, options.folder)
            logger.info("%s holds %d trainings.", path.name, len(table(space, folder=options.folder)))
    except BenchmarkError as error:
        logger.error("%s", error)
        return 1
    except OSError as error:
        logger.error("%s: %s: use a --folder that can be written.", error.filename, error.strerror or error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
