"""Holds contests from the command line, into the records that notebook 07 reads.

    python -m helpers.contest_run --real generator:described:10 --jobs 1 --profile full
    python -m helpers.contest_run --drawn "generator:described:100 gan:described:100" --tuners "random gan"

Interrupted or killed, the same command goes on. Records are one file a problem, so that different problems may be run
at the same time; a second command for the same one is refused.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence

from helpers import contest, contest_asked, paths, prices, records, reproduce, windows
from helpers.benchmark import BenchmarkError
from helpers.entrants import EVALUATIONS
from helpers.problems import ContestError, Trained
from helpers.records import RecordsError
from helpers.trial import WorkerError

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `python -m helpers.contest_run`; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m helpers.contest_run", description="Hold contests of tuners.")
    parser.add_argument(
        "--real", default="", help="with trainings: space:protocol:seeds[:evaluations][:tuner,tuner], several"
    )
    parser.add_argument("--surrogate", default="", help="on the tabular benchmark, written likewise")
    parser.add_argument("--trees", default="", help="on the benchmark's trees alone, written likewise")
    parser.add_argument(
        "--drawn", default="", help="on landscapes drawn from the benchmark's process, written likewise"
    )
    parser.add_argument(
        "--searched", default="", help="on landscapes that know the searches with real trainings, written likewise"
    )
    parser.add_argument("--tuners", default="", help="names, of a contest that does not say; all of them unless given")
    parser.add_argument("--profile", default="full", choices=reproduce.PROFILES, help="whose records")
    parser.add_argument("--evaluations", type=int, default=EVALUATIONS, help="of a search that does not say")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--dask", default=os.environ.get("DASK", ""), help="address of a Dask scheduler")
    parser.add_argument("--output", default="", help="folder to write into, relative to the repository")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        values = reproduce.profile_values(options.profile)["all"]
        given = {"jobs": options.jobs, "dask": options.dask}
        tuners = contest_asked.parse_tuners(options.tuners)
        asked = [
            (kind, a)
            for kind in ("drawn", "surrogate", "trees", "searched", "real")
            for a in contest_asked.parse(getattr(options, kind), evaluations=options.evaluations, tuners=tuners)
        ]
        if not asked:
            raise ContestError("Name at least one contest, such as --real generator:described:10.")
        data = prices.load(source=values["source"])
        for kind, a in asked:
            dataset = windows.Dataset(data, windows.protocol(a.protocol, as_of=values["as_of"]))
            if kind == "real":
                problem = Trained(dataset, a.space, epochs=values["epochs"])
            else:
                naive = {dataset.data_sha256: dataset.naive_metrics()["mse"]}
                kind = "mixed" if kind == "surrogate" else kind
                problem = contest_asked.tabular(*a.problem, naive=naive, kind=kind)
            folder = paths.outputs(options.output).studies(options.profile)
            if kind == "real":
                records.same_closes(folder, data, values["as_of"])
            path = contest.records_path(folder, problem)
            seeds = range(options.seed, options.seed + a.seeds)
            contest.hold(path, problem, a.tuners, seeds, evaluations=a.evaluations, **given)
    except (
        ContestError,
        BenchmarkError,
        RecordsError,
        WorkerError,
        prices.PricesError,
        reproduce.ReproduceError,
    ) as error:
        logger.error("%s", error)
        return 1
    except KeyboardInterrupt:
        logger.error("Interrupted; the same command goes on.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
