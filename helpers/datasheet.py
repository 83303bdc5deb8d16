"""The datasheet of the tabular benchmark, `data/benchmark/README.md`: every number in it comes from the tables.

    python -m helpers.datasheet

cross-validates the surrogates into `data/benchmark/errors.csv`, foretells what searches came to into
`searched_errors.csv`, and writes the page.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import benchmark, searched, surrogate
from helpers.space import SPACES, UnitCube, lstm_space
from helpers.windows import PROTOCOLS

logger = logging.getLogger(__name__)

ERRORS = "errors.csv"
FORETOLD = "searched_errors.csv"
UNITS = {
    "protocol": "how the closes were split, scaled and tested: a key of `helpers.windows.PROTOCOLS`",
    "index": "number of the configuration, from 0, in the order drawn",
    "repeat": "0 for the benchmark, 1, 2, ... for further seeds of the same configuration",
    "layers": "LSTM layers",
    "units": "units of every layer",
    "learning_rate": "step size of Adam",
    "batch_size": "windows per update",
    "sequence_length": "closes in a window, trading days",
    "dropout_rate": "share of outputs dropped after every layer while training",
    "seed": "of initial weights, order of windows and dropout: `helpers.study.trial_seed(repeat, index)`",
    "status": "`ok` or `failed`",
    "reason": "why it failed; empty if it did not",
    "mse": "mean squared error on the test targets, scaled units squared; empty if it failed, as all errors",
    "rmse": "its root, scaled units",
    "mae": "mean absolute error, scaled units",
    "r2": "share of the variance explained; below 0 where the mean would be better",
    "mse_points": "mean squared error, index points squared",
    "rmse_points": "index points",
    "mae_points": "index points",
    "seconds": "wall time of training and testing, s",
    "cpu_seconds": "processor time of the worker in that time, s",
    "epochs": "passes over the training windows",
    "engine": "`fast`: the compiled kernels of `helpers.training`",
    "data_sha256": "digest of the closes (`helpers.prices.closes_sha256`)",
}
OF_SEARCHES = UNITS | {
    "seed": "of the search, and of every training in it",
    "tuners": "who tried the configuration with that seed: keys of `helpers.entrants.ENTRANTS`, separated by spaces",
}


def held(folder: Path = benchmark.FOLDER) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Space, protocol and trainings of every part of the benchmark that is there."""
    for space in SPACES:
        if benchmark.table_path(space, folder).exists():
            frame = benchmark.table(space, folder=folder)
            for name in PROTOCOLS:
                part = frame[frame["protocol"] == name]
                if len(part):
                    yield space, name, part


def tried(folder: Path = benchmark.FOLDER) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Space, protocol and trainings of every part of the searches that is there."""
    for space in SPACES:
        if searched.table_path(space, folder).exists():
            for name, part in searched.table(space, folder=folder).groupby("protocol", sort=False):
                yield space, str(name), part


def foretold(folder: Path = benchmark.FOLDER) -> pd.DataFrame:
    """`surrogate.foretell` of every space and protocol with searches and enough drawn trainings, and which they are."""
    columns = ["space", "protocol", "known", "n", "bias", "rmse", "spearman", "deviation"]
    enough = {
        (space, name)
        for space, name, part in held(folder)
        if ((part["repeat"] == 0) & (part["status"] == "ok")).sum() >= surrogate.FEWEST
    }
    parts = [
        surrogate.foretell(space, name, folder=folder).assign(space=space, protocol=name)
        for space, name, _ in tried(folder)
        if (space, name) in enough
    ]
    return (pd.concat(parts) if parts else pd.DataFrame(columns=columns)).reindex(columns=columns)


def errors(folder: Path = benchmark.FOLDER) -> pd.DataFrame:
    """`surrogate.cross_validate` of every space and protocol with enough trainings, and which they are."""
    parts = []
    for space, name, part in held(folder):
        if ((part["repeat"] == 0) & (part["status"] == "ok")).sum() >= surrogate.FEWEST:
            found = surrogate.cross_validate(space, name, folder=folder)
            parts.append(found.assign(space=space, protocol=name))
    frame = pd.concat(parts) if parts else pd.DataFrame(columns=["target", "model", "n", "r2", "rmse", "spearman"])
    return frame.reindex(columns=["space", "protocol", "target", "model", "n", "r2", "rmse", "spearman"])


def text(folder: Path = benchmark.FOLDER) -> str:
    """The page, from the tables and the errors recorded beside them."""
    sizes, extent, noises = [], [], []
    for space, name, part in held(folder):
        once = part[part["repeat"] == 0]
        good = once[once["status"] == "ok"]
        sizes.append(
            (
                space,
                name,
                len(once),
                len(once) - len(good),
                len(part) - len(once),
                f"{part['cpu_seconds'].sum() / 3600:.1f}",
            )
        )
        extent.append(
            (
                space,
                name,
                *(f"{q:.2g}" for q in np.quantile(good["mse"], [0, 0.05, 0.5, 0.95])),
                f"{good['cpu_seconds'].mean():.1f}",
            )
        )
        try:
            noise = surrogate.measured_noise(space, name, folder=folder)
        except benchmark.BenchmarkError:
            continue
        seeds = [len(r) for r in noise.residuals]
        each = f"{min(seeds)} to {max(seeds)}" if len(set(seeds)) > 1 else seeds[0]
        noises.append((space, name, len(seeds), each, sum(seeds), f"{noise.sd:.2f}", f"{10**noise.sd:.2f}"))
    found = pd.read_csv(folder / ERRORS) if (folder / ERRORS).exists() else pd.DataFrame()
    fits = [
        (r.space, r.protocol, r.target, r.model, r.n, f"{r.r2:.2f}", f"{r.spearman:.2f}", f"{r.rmse:.2f}")
        for r in found.itertuples()
    ]
    searches = [
        (space, name, len(part), int((part["status"] != "ok").sum()), part["seed"].nunique(), _least(part))
        for space, name, part in tried(folder)
    ]
    told = pd.read_csv(folder / FORETOLD) if (folder / FORETOLD).exists() else pd.DataFrame()
    forecasts = [
        (
            r.space,
            r.protocol,
            KNOWN[r.known],
            r.n,
            f"{r.spearman:.2f}",
            f"{r.rmse:.2f}",
            f"{r.bias + 0.0:.2f}",
            f"{r.deviation:.2f}",
        )
        for r in told.itertuples()
    ]
    tuned = "\n".join(f"| `{name}` | {OF_SEARCHES[name]} |" for name in searched.COLUMNS)
    closes = ", ".join(sorted({f"`{sha[:12]}`" for _, _, part in held(folder) for sha in part["data_sha256"]}))
    again = benchmark.REPEATED
    bounds = "\n".join(f"- `{space}`: {_bounds(space)}" for space in SPACES)
    columns = "\n".join(f"| `{name}` | {UNITS[name]} |" for name in benchmark.COLUMNS)
    return f"""# A tabular benchmark of tuning an LSTM

Written by `python -m helpers.datasheet` from the files beside it; a test compares.

## What it is

Configurations of the LSTM of both papers, drawn at random from their search spaces, each trained once on the daily
closes of the S&P 500 and measured. With it, tuners are compared over hundreds of seeds in minutes:
`helpers.surrogate.Surrogate` is an Optuna objective. One file a space, `<space>.csv.gz`, one row a training:

{_table(("space", "protocol", "configurations", "of them failed", "further repeats", "processor hours"), sizes)}

The planned size is {benchmark.CONFIGS} configurations a space. Every configuration is drawn independently of the
others and they are trained in the order drawn, so that a file with fewer holds a smaller, equally random sample.

## How it was made

Configuration `index` is uniform over the cells of the space, by a generator seeded with ({benchmark.SEED}, the space,
the index): `helpers.benchmark.configuration`. The spaces:

{bounds}

It was trained as trial `index` of a study with seed `repeat` would train it: {benchmark.EPOCHS} epochs of Adam on the
mean squared error, one core, tested on the days that the protocol shows a tuner (its stage `tune`). Closes up to the
end of 2024, `data_sha256` {closes}.
The plan gives the first {again} configurations of a space {benchmark.REPEATS} seeds each.
To continue, with the same closes in `data/raw/`:

    python -m helpers.benchmark --space generator --configs {benchmark.CONFIGS} --noise {again}x{benchmark.REPEATS}
    python -m helpers.benchmark --space generator --pack
    python -m helpers.datasheet

{_waiting(folder)}## Columns

| column | meaning, unit |
|---|---|
{columns}

Scaled units: the closes of the whole series, or of the training part under `clean`, scaled to [0, 1]. Six digits are
kept.

## What the errors are like

MSE in scaled units over the configurations that did not fail, and processor seconds of a training:

{_table(("space", "protocol", "least", "5 %", "median", "95 %", "mean seconds"), extent)}

## Noise

Standard deviation of log10 MSE between seeds of one configuration, in decades, and as a factor. Every configuration
counts the same, however many seeds it has:

{_table(("space", "protocol", "configurations", "seeds", "trainings", "decades", "factor"), noises)}

## The surrogate

`process` is a Gaussian process, `trees` extremely randomised trees, `mixed` the mean of both (`helpers/surrogate.py`).
Ten-fold cross-validation on repeat 0: base-10 logarithms of the MSE and of the processor seconds, `rmse` in decades.
What no model can predict is the noise above.

{_table(("space", "protocol", "target", "model", "trainings", "R2", "Spearman", "rmse"), fits)}

## What searches came to

`<space>_searched.csv.gz`: every training of notebook 07's contests with real trainings, seeds 0 to
{searched.SEEDS - 1}, one row a protocol, configuration and seed, written by `python -m helpers.searched` from the
records in `data/studies/full/`. They are no random sample but what tuners tried, and each row says which. Seeds from
{searched.SEEDS} on are left out: conclusions from the first are tested on them. `Surrogate(space, searched=True)` is
fitted to both tables, its kernel and noise to a random sample of the rows of both.

{_table(("space", "protocol", "trainings", "of them failed", "seeds", "least MSE"), searches)}

| column | meaning, unit |
|---|---|
{tuned}

How well the process predicts what each tuner tried when that tuner's searches, and its variants', are unknown to it;
base-10 logarithms, `rmse` and `bias` (training less prediction) in decades. The last column is the standard deviation
of the trainings around the prediction in the process's own standard deviations: 1 if they were drawn from it, more if
it is too sure.

{_table(("space", "protocol", "known", "trainings", "Spearman", "rmse", "bias", "deviation"), forecasts)}

## What to bear in mind

- One training each: the least MSE of the table owes something to a lucky seed.
- Seconds were measured on several machines that other work shared, some about twice as fast as others, and pauses count
  into `seconds`: use `cpu_seconds`, and only for sums over many trainings or differences of more than that. They belong
  to the compiled engine.
- Errors in points over errors in scaled units give the range of the closes; no closes are in the files.
- A regression is smoother, or more stepped, than the trainings it predicts, and may flatter tuners that expect that.
  `Surrogate(space).drawn(seed)` is a rougher landscape, one of those that the process leaves possible. A random table
  has few good configurations, and where those are, trainings lie farther from the process than it allows
  (`Surrogate.deviations`; B-tab05 of notebook 07). One that knows searches is nearer to the truth there, and knows best
  what the tuners of these searches like. A contest on either is to be confirmed by real trainings.

## Licence

Our own measurements: CC0 1.0, no rights reserved. The closes they were made with are the vendor's and not part of them.
"""


def _waiting(folder: Path) -> str:
    """Trainings that are recorded and not in the tables, as a paragraph; empty if there are none."""
    said = []
    for space in SPACES:
        for name in PROTOCOLS:
            path = benchmark.records_path(space, name, folder)
            known: set[tuple] = set()
            if benchmark.table_path(space, folder).exists():
                packed = benchmark.table(space, folder=folder)
                known = set(packed[["protocol", "index", "repeat"]].itertuples(index=False, name=None))
            records = benchmark.read(path) if path.exists() else []
            waiting = sum((r["protocol"], r["index"], r["repeat"]) not in known for r in records)
            said += [f"{waiting} of `{space}` under `{name}`"] if waiting else []
    if not said:
        return ""
    return (
        f"Trained and not in the tables yet, in `records/`: {'; '.join(said)}. The quick ones came first, and are no\n"
        "sample until the rest is there; the command above goes on from them.\n\n"
    )


KNOWN = {"drawn": "random table", "searched": "and the others' searches"}


def _least(part: pd.DataFrame) -> str:
    return f"{part['mse'].min():.2g}"


def write(folder: Path = benchmark.FOLDER) -> Path:
    """Cross-validate, record the errors and write the page; returns its path."""
    errors(folder).to_csv(folder / ERRORS, index=False, float_format="%.4f")
    foretold(folder).to_csv(folder / FORETOLD, index=False, float_format="%.4f")
    path = folder / "README.md"
    path.write_text(text(folder), encoding="utf-8")
    return path


def _bounds(space: str) -> str:
    cube = lstm_space(space)
    parts = [
        f"`{name}` {d.low:g} to {d.high:g}" + (f" by {d.step:g}" if d.step != 1 else "") for name, d in cube.items()
    ]
    return ", ".join(parts) + f"; {UnitCube(cube).cells():,} configurations"


def _table(head: tuple[str, ...], rows: list[tuple]) -> str:
    if not rows:
        return "Not measured yet."
    lines = [head, ["---"] * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
        .replace("| --- ", "|---")
        .replace("--- |", "---|")
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `python -m helpers.datasheet`; its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.datasheet", description="Cross-validate the surrogates and write the datasheet."
    )
    parser.add_argument("--folder", type=Path, default=benchmark.FOLDER, help="where the tables lie")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        logger.info("%s is written.", write(options.folder).name)
    except (benchmark.BenchmarkError, OSError) as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
