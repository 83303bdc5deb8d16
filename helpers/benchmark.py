"""A tabular benchmark of the papers' tuning problem: configurations drawn at random, each trained once and measured.

Configuration `index` of a space is one draw from the unit cube, as random search draws, by a generator seeded with the
index alone. Any first n of them are therefore a random sample of the space, and a collection that is not complete is
merely smaller. Repeat r of configuration i is trained as trial i of a study with seed r would train it; repeat 0 is the
benchmark, the further ones of its first configurations tell the noise.

    python -m helpers.benchmark --space generator --configs 1000 --noise 50x10

Every training is one line of `data/benchmark/records/<space>_<protocol>.jsonl`, written when it ends, so that a
collection killed at any moment goes on from there. `--pack` gathers the lines in `data/benchmark/<space>.csv.gz`,
which is committed and holds no closes.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import logging
import math
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers import checks, ledger, paths
from helpers.lstm import EPOCHS
from helpers.progress import Bar
from helpers.space import HYPERPARAMETERS, SPACES, LstmConfig, UnitCube, config_from_params, lstm_space
from helpers.study import trial_seed
from helpers.trial import METRICS, Evaluator, TrialResult, WorkerError
from helpers.windows import PROTOCOLS, Dataset, protocol

logger = logging.getLogger(__name__)

FOLDER = paths.DATA / "benchmark"
SEED = 2025  # of the drawn configurations
CONFIGS = 1000
REPEATED, REPEATS = 50, 10  # configurations that are trained several times, and how often in all
ENGINE = "fast"
COLUMNS = (
    "protocol",
    "index",
    "repeat",
    *HYPERPARAMETERS,
    "seed",
    "status",
    "reason",
    *METRICS,
    "seconds",
    "cpu_seconds",
    "epochs",
    "engine",
    "data_sha256",
)
_TEXT = ("protocol", "status", "reason", "engine", "data_sha256", "tuners")
_WHOLE = ("index", "repeat", "layers", "units", "batch_size", "sequence_length", "seed", "epochs")


class BenchmarkError(ValueError):
    """Records that cannot be read or continued; the message is one sentence for the reader."""


@dataclass(frozen=True)
class Task:
    """One training of the benchmark.

    Attributes
    ----------
    space : {"generator", "gan"}
    protocol : str
        A key of `windows.PROTOCOLS`.
    index : int
        Number of the configuration, from 0.
    repeat : int
        0 for the benchmark itself.
    """

    space: str
    protocol: str
    index: int
    repeat: int = 0

    @property
    def config(self) -> LstmConfig:
        return configuration(self.space, self.index)

    @property
    def seed(self) -> int:
        """Of the training."""
        return trial_seed(self.repeat, self.index)

    @property
    def key(self) -> tuple[str, int, int]:
        """What tells the task apart within its space."""
        return self.protocol, self.index, self.repeat


def configuration(space: str, index: int) -> LstmConfig:
    """Configuration `index` of a space: uniform over its cells, independent of all others.

    Raises
    ------
    ValueError
        For an unknown space or an index below 0.
    """
    cube = UnitCube(lstm_space(space))
    rng = np.random.default_rng([SEED, zlib.crc32(space.encode()), checks.whole("index", index, least=0)])
    return config_from_params(cube.decode(rng.random(len(cube))))


def tasks(space: str, name: str, *, configs: int = CONFIGS, noise: tuple[int, int] = (0, 0)) -> list[Task]:
    """The first `configs` configurations once, then the first `noise[0]` of them up to `noise[1]` times in all."""
    once = [Task(space, name, index) for index in range(configs)]
    again = [Task(space, name, index, repeat) for index in range(noise[0]) for repeat in range(1, noise[1])]
    return once + again


# Collecting.


def records_path(space: str, name: str, folder: Path = FOLDER) -> Path:
    """Where the trainings of one space and protocol are recorded."""
    return folder / "records" / f"{space}_{name}.jsonl"


def collect(
    path: Path,
    wanted: Sequence[Task],
    dataset: Dataset,
    *,
    jobs: int = 1,
    known: Iterable[tuple[str, int, int]] = (),
    progress: bool = True,
    evaluator: Callable[[], Any] = Evaluator,
) -> int:
    """Train what is wanted and not recorded, in its order; the number of new records.

    Parameters
    ----------
    path : pathlib.Path
        File of records; made if missing.
    wanted : sequence of Task
        All of one space, under the dataset's protocol.
    dataset : Dataset
    jobs : int
        Workers at the same time, one core each.
    known : iterable of Task.key
        Trainings recorded elsewhere.
    progress : bool
        Whether to show a bar on standard error.
    evaluator : callable
        Makes a worker: a context manager with `trial.Evaluator.evaluate`.

    Raises
    ------
    BenchmarkError
        For records of other closes, a dataset that is not as its protocol's preset says, a damaged file, one that
        another process writes, or `jobs` below 1.
    trial.WorkerError
        If no worker process can be started; what is recorded stays.
    """
    if changes := {name: value for name, value in dataset.changes.items() if name != "max_sequence_length"}:
        raise BenchmarkError(f"The benchmark is of the protocols' presets, not of one with {changes}.")
    try:
        checks.whole("jobs", jobs, error=ledger.LedgerError)
        path.parent.mkdir(parents=True, exist_ok=True)
        with ledger.appending(path, is_record=_is_record) as append:
            done = {_key(record) for record in read(path, dataset.data_sha256)} | set(known)
            missing = [task for task in wanted if task.key not in done]

            def evaluate(worker: Any, task: Task) -> TrialResult:
                return worker.evaluate(task.config, dataset, epochs=EPOCHS, seed=task.seed, engine=ENGINE)

            trained = contextlib.closing(ledger.train_all(missing, evaluate, evaluator=evaluator, jobs=jobs))
            with (
                Bar(len(missing), path.stem, unit="training", shown=progress and bool(missing)) as bar,
                trained as done,
            ):
                best, failed = math.inf, 0
                for task, result in done:
                    append(_record(task, result, dataset))
                    best, failed = min(best, result.mse if result.ok else math.inf), failed + (not result.ok)
                    bar.update(best=best, failed=failed)
    except ledger.LedgerError as error:
        raise BenchmarkError(str(error)) from None
    return len(missing)


def _record(task: Task, result: TrialResult, dataset: Dataset) -> dict[str, Any]:
    values = {name: getattr(result, name) for name in (*METRICS, "seconds", "cpu_seconds")}
    return {
        "space": task.space,
        "protocol": task.protocol,
        "index": task.index,
        "repeat": task.repeat,
        **task.config.as_dict(),
        "seed": task.seed,
        "status": result.status,
        "reason": result.reason,
        **{name: float(f"{value:.6g}") if math.isfinite(value) else None for name, value in values.items()},
        "epochs": EPOCHS,
        "engine": ENGINE,
        "data_sha256": dataset.data_sha256,
    }


def _key(record: dict[str, Any]) -> tuple[str, int, int]:
    return record["protocol"], record["index"], record["repeat"]


def read(path: Path, data_sha256: str | None = None) -> list[dict[str, Any]]:
    """The records of a file; an incomplete last line, which an interruption leaves behind, does not count.

    Raises
    ------
    BenchmarkError
        For damage elsewhere, with the number of the line, or records of other closes than `data_sha256` says.
    """
    try:
        found = ledger.read(path, is_record=_is_record)
    except ledger.LedgerError as error:
        raise BenchmarkError(str(error)) from None
    for record in found:
        if data_sha256 is not None and record["data_sha256"] != data_sha256:
            raise BenchmarkError(
                f"{path.name} holds trainings on other closes ({record['data_sha256'][:12]} instead of "
                f"{data_sha256[:12]}): use the same, or another folder."
            )
    return found


def _is_record(content: Mapping[str, Any]) -> bool:
    return content.keys() >= {"space", *COLUMNS}


# The table.


def table_path(space: str, folder: Path = FOLDER) -> Path:
    """The committed file of one space."""
    return folder / f"{space}.csv.gz"


def pack(space: str, folder: Path = FOLDER) -> Path:
    """Gather what the table and the records of a space hold in its table, one row a training; returns its path.

    Of a collection that was interrupted, what lies behind the first gap is left out: what stays is a random sample,
    while those that ended first may be the quick ones. Repeats count up to the first configuration that has none; how
    many a configuration has may differ.

    Raises
    ------
    BenchmarkError
        For damaged records, or trainings on different closes under one protocol.
    """
    lstm_space(space)
    rows = {}
    if table_path(space, folder).exists():
        held = table(space, folder=folder)
        rows = {(r["protocol"], r["index"], r["repeat"]): r for r in held.to_dict("records")}
    for name in PROTOCOLS:
        for record in read(records_path(space, name, folder)):
            rows.setdefault(_key(record), {column: record[column] for column in COLUMNS})
    frame = pd.DataFrame(sorted(rows.values(), key=_order), columns=list(COLUMNS))
    for name, part in frame.groupby("protocol"):
        if part["data_sha256"].nunique() > 1:
            raise BenchmarkError(f"The trainings of {space} under {name} are on different closes.")
    again = frame["repeat"] > 0
    sample = frame.groupby(["protocol", again])["index"].transform(lambda index: index < _first_gap(index))
    return write_table(frame[sample.astype(bool)], table_path(space, folder))


def _first_gap(index: pd.Series) -> int:
    """The least number from 0 that is not among them."""
    there = np.unique(index)
    return int((there == np.arange(len(there))).sum())


def write_table(frame: pd.DataFrame, path: Path) -> Path:
    """A compressed table in its place, whole or not at all, to the same bytes for the same rows; returns `path`."""
    text = frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, filename="") as file:  # no date: the same bytes again
        file.write(text.encode())
    aside = path.with_name(f".{path.name}")
    aside.write_bytes(buffer.getvalue())
    aside.replace(path)
    return path


def _order(row: dict[str, Any]) -> tuple[int, int, int]:
    return list(PROTOCOLS).index(row["protocol"]), row["repeat"], row["index"]


def table(space: str, name: str | None = None, *, folder: Path = FOLDER) -> pd.DataFrame:
    """The benchmark of one space, one row a training, columns `COLUMNS`; under one protocol if it is named.

    Errors are NaN where a training failed.

    Raises
    ------
    BenchmarkError
        If there is no table, it is damaged, or it holds nothing under that protocol.
    ValueError
        For an unknown space or protocol.
    """
    lstm_space(space)
    return read_table(table_path(space, folder), COLUMNS, name, made_with="python -m helpers.benchmark")


def read_table(path: Path, columns: Sequence[str], name: str | None, *, made_with: str) -> pd.DataFrame:
    """A table of trainings that `write_table` wrote, of all protocols or of one.

    Parameters
    ----------
    path : pathlib.Path
    columns : sequence of str
        That it must have; `protocol` is one.
    name : str or None
        A key of `windows.PROTOCOLS`.
    made_with : str
        The command that makes it, for the reader of an error.

    Raises
    ------
    BenchmarkError
        If there is no table, it is damaged, or it holds nothing under that protocol.
    ValueError
        For an unknown protocol.
    """
    if name is not None:
        protocol(name)
    try:
        frame = pd.read_csv(
            path,
            dtype={c: "str" if c in _TEXT else "int64" for c in columns if c in (*_TEXT, *_WHOLE)},
            keep_default_na=False,
            na_values={column: [""] for column in columns if column not in _TEXT},
        )
        if tuple(frame.columns) != tuple(columns):
            raise ValueError
    except FileNotFoundError:
        raise BenchmarkError(f"There is no {path.name}: make it with `{made_with}`.") from None
    except (OSError, EOFError, ValueError, zlib.error):
        raise BenchmarkError(f"{path.name} is damaged: restore it.") from None
    if name is not None:
        frame = frame[frame["protocol"] == name].reset_index(drop=True)
        if frame.empty:
            raise BenchmarkError(f"{path.name} holds no trainings under the protocol {name!r}.")
    return frame


# The command.


def _noise(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]+)x([0-9]+)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"write configurations x seeds, as 50x10, not {text!r}")
    return int(found[1]), int(found[2])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `python -m helpers.benchmark`; its exit status."""
    from helpers.prices import PricesError, load

    parser = argparse.ArgumentParser(
        prog="python -m helpers.benchmark", description="Train configurations drawn at random and keep the records."
    )
    parser.add_argument("--space", choices=SPACES, required=True)
    parser.add_argument("--protocol", choices=PROTOCOLS, default="described")
    parser.add_argument("--configs", type=int, default=CONFIGS, help="configurations to train once")
    parser.add_argument("--noise", type=_noise, default=(0, 0), metavar="50x10", help="configurations x seeds")
    parser.add_argument("--jobs", type=int, default=1, help="workers at the same time")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where records and tables lie")
    parser.add_argument("--pack", action="store_true", help="gather the records in the table instead")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    space, name, folder = options.space, options.protocol, options.folder
    try:
        if options.pack:
            path = pack(space, folder)
            logger.warning("%s holds %d trainings.", path.name, len(table(space, folder=folder)))
            return 0
        dataset = Dataset(load(), protocol(name))
        known: set[tuple[str, int, int]] = set()
        if table_path(space, folder).exists():
            held = table(space, folder=folder)
            held = held[held["protocol"] == name]
            if (held["data_sha256"] != dataset.data_sha256).any():
                raise BenchmarkError(
                    f"{table_path(space).name} holds trainings on other closes ({held['data_sha256'].iloc[0][:12]} "
                    f"instead of {dataset.data_sha256[:12]}): use the same, or another folder."
                )
            known = set(held[["protocol", "index", "repeat"]].itertuples(index=False, name=None))
        wanted = tasks(space, name, configs=options.configs, noise=options.noise)
        path = records_path(space, name, folder)
        collect(path, wanted, dataset, jobs=options.jobs, known=known, evaluator=Evaluator)
    except (BenchmarkError, PricesError, WorkerError) as error:
        logger.error("%s", error)
        return 1
    except OSError as error:
        logger.error("%s: %s: use a --folder that can be written.", error.filename or folder, error.strerror or error)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
