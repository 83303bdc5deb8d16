"""The fast trainer beside Keras's `fit`, measured on the reader's machine: `make bench`.

The work is that of both papers: the 68 published configurations, 10 epochs each, the test part forecast. Everything is
measured in one run on one machine, since only such ratios mean something:

- ours: the whole trial, from drawing the weights to the forecasts, one at a time, with all cores and with one; then all
  68 again on two worker processes of one core each.
- Keras: `fit` and `predict` with all cores. Whole trainings would take hours, so the seconds of a step are the slope
  between a short and a longer `fit` (`SHORT` and `LONG` steps), and the trial is its model's building and first call,
  plus the slope times all steps, plus one forecast of the test part.
- the floor: the arithmetic of the training (`flop`) at the speed of a large float32 matrix product on all cores, the
  faster of NumPy's and TensorFlow's.

`python -m helpers.bench --only agreement` and its neighbours run single parts; see `PARTS`.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from helpers import figures, paths, prices, progress, provenance, published, tables
from helpers.lstm import EPOCHS
from helpers.space import HYPERPARAMETERS, LstmConfig
from helpers.trial import Evaluator
from helpers.windows import Dataset, Windows, protocol

log = logging.getLogger("bench")

SHORT, LONG = 5, 45  # steps of Keras's two timed fits
EXAMPLE = LstmConfig(4, 4, 0.01, 16, 34, 0.1)  # the example of ARCHITECTURE: Bayesian optimisation's best


def published_configs() -> list[tuple[str, LstmConfig]]:
    """The 68 published configurations, each with its table and row, such as "gan 17"."""
    rows = []
    for which in ("generator", "bayesian", "gan"):
        for row in published.runs(which).itertuples():
            rows.append((f"{which} {row.iteration}", LstmConfig(*(getattr(row, name) for name in HYPERPARAMETERS))))
    return rows


def flop(config: LstmConfig, samples: int, epochs: int = EPOCHS, features: int = 1) -> float:
    """Operations of training: 8 u (inputs + u) for a layer's products and about 25 u for its gates and states, a time
    step; three times that for forward and backward pass."""
    u = config.units
    inputs = [features] + [u] * (config.layers - 1)
    step = sum(8 * u * (i + u) + 25 * u for i in inputs)
    return 3.0 * step * config.sequence_length * samples * epochs


def peak_gflops(size: int = 3072, repeats: int = 5) -> float:
    """Speed of a float32 matrix product of size x size on all cores, GFLOP/s: the best of NumPy's and TensorFlow's.

    Measured in a process of its own: its matrices are not to count as a trial's memory, and some systems set variables
    that tie NumPy's library to the kernels of an older processor.
    """
    free = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    code = f"from helpers.bench import product_seconds; print(product_seconds({size}, {repeats}))"
    said = subprocess.run([sys.executable, "-c", code], env=free, cwd=paths.ROOT, capture_output=True, check=True)
    return 2 * size**3 / float(said.stdout.split()[-1]) / 1e9


def product_seconds(size: int, repeats: int) -> float:
    """Seconds of a float32 matrix product of size x size: the best of some repeats, with NumPy and with TensorFlow."""
    import tensorflow as tf

    a = np.random.default_rng(0).random((size, size), dtype=np.float32)
    b = tf.constant(a)
    seconds = []
    for product in (lambda: a @ a, lambda: tf.linalg.matmul(b, b).numpy()):
        for _ in range(repeats):
            started = time.perf_counter()
            product()
            seconds.append(time.perf_counter() - started)
    return min(seconds)


def our_seconds(config: LstmConfig, windows: Windows, *, epochs: int = EPOCHS, threads: int = 1) -> float:
    """Seconds of one trial with the fast engine: draw the weights, train, forecast the test part."""
    from helpers import lstm, training

    started = time.perf_counter()
    model = lstm.initial_weights(config, seed=0)
    training.fit(model, config, windows.x_train, windows.y_train, epochs=epochs, seed=0, engine="fast", threads=threads)
    training.predict(model, config, windows.x_test, engine="fast")
    return time.perf_counter() - started


def keras_seconds(config: LstmConfig, windows: Windows, *, epochs: int = EPOCHS) -> tuple[float, float]:
    """(seconds of one trial, seconds of one step) with Keras, extrapolated from the slope between two short fits."""
    import keras

    from helpers import lstm

    def fit(steps: int) -> float:
        samples = np.arange(steps * config.batch_size) % len(windows.x_train)
        x, y = windows.x_train[samples], windows.y_train[samples]
        started = time.perf_counter()
        model.fit(x, y, batch_size=config.batch_size, epochs=1, verbose=0)
        return time.perf_counter() - started

    started = time.perf_counter()
    model = lstm.build(config, seed=0)
    first = fit(1)  # traces and compiles
    start = time.perf_counter() - started
    short, long = fit(SHORT), fit(LONG)
    step = max(long - short, 0.0) / (LONG - SHORT)
    started = time.perf_counter()
    model.predict(windows.x_test, batch_size=1024, verbose=0)
    forecast = time.perf_counter() - started
    steps = epochs * -(-len(windows.x_train) // config.batch_size)
    keras.backend.clear_session()
    log.debug("%s: first %.2f s, step %.4f s", config, first, step)
    return start + steps * step + forecast, step


def keras_epoch_seconds(config: LstmConfig, windows: Windows, engine: str) -> float:
    """Seconds of one whole, warm epoch with an engine; nothing is extrapolated."""
    from helpers import lstm, training

    model = lstm.build(config, seed=0)
    if engine == "keras":
        head = slice(0, 10 * config.batch_size)
        model.fit(windows.x_train[head], windows.y_train[head], batch_size=config.batch_size, verbose=0)
        started = time.perf_counter()
        model.fit(windows.x_train, windows.y_train, batch_size=config.batch_size, epochs=1, verbose=0)
        return time.perf_counter() - started
    return training.fit(model, config, windows.x_train, windows.y_train, epochs=1, seed=0, engine="fast").seconds


def example_table(dataset: Dataset) -> pd.DataFrame:
    """One whole epoch of the example configuration with both engines, three times each in turn."""
    windows = dataset.windows(EXAMPLE.sequence_length)
    head = replace(windows, x_train=windows.x_train[:64], y_train=windows.y_train[:64])
    keras_epoch_seconds(EXAMPLE, head, "fast")  # compiles
    pairs = [[keras_epoch_seconds(EXAMPLE, windows, engine) for engine in ("keras", "fast")] for _ in range(3)]
    table = pd.DataFrame(pairs, columns=["keras_seconds", "our_seconds"])
    return table.assign(ratio=table.keras_seconds / table.our_seconds)


def speed_table(dataset: Dataset, configs: Sequence[tuple[str, LstmConfig]], peak: float) -> pd.DataFrame:
    """One row a configuration: Keras's seconds and ours, all cores each, their ratio, and our share of the peak."""
    rows, cores = [], provenance.cores()
    for name, config in progress.each(configs, "ours, all cores and one"):
        windows = dataset.windows(config.sequence_length)
        rows.append(
            {
                "row": name,
                **config.as_dict(),
                "our_seconds": our_seconds(config, windows, threads=cores),
                "one_core_seconds": our_seconds(config, windows),
                "flop": flop(config, len(windows.y_train)),
            }
        )
    table = pd.DataFrame(rows)
    table.attrs["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for k, (_, config) in enumerate(progress.each(configs, "Keras, all cores")):
        table.loc[k, ["keras_seconds", "keras_step"]] = keras_seconds(config, dataset.windows(config.sequence_length))
    table["ratio"] = table.keras_seconds / table.our_seconds
    table["share_of_peak"] = table.flop / table.our_seconds / (peak * 1e9)
    return table


def two_at_once(dataset: Dataset, configs: Iterable[LstmConfig]) -> tuple[float, float]:
    """(seconds one after the other, seconds two at once) for the same trials, in warm worker processes.

    Both ways take the longest first; the trials are given to whichever worker is free.
    """
    ordered = sorted(configs, key=lambda c: -flop(c, 1))

    def run(workers: Sequence[Evaluator]) -> float:
        free = list(workers)
        started = time.perf_counter()
        with ThreadPoolExecutor(len(workers)) as pool:

            def trial(config: LstmConfig) -> None:
                worker = free.pop()
                result = worker.evaluate(config, dataset, seed=0, engine="fast")
                free.append(worker)
                if result.status != "ok":
                    raise RuntimeError(f"{config} failed: {result.reason}")

            list(pool.map(trial, ordered))
        return time.perf_counter() - started

    with Evaluator() as first, Evaluator() as second:
        for worker in (first, second):  # start and warm up, untimed
            worker.evaluate(ordered[-1], dataset, seed=0, engine="fast", epochs=1)
        return run([first]), run([first, second])


SWEEPS = {
    "samples": [1000, 2000, 4000, 8000, 16000],
    "epochs": [1, 2, 4, 8, 16],
    "layers": [1, 2, 4, 6, 8, 10],
    "sequence_length": [10, 25, 50, 100, 250],
    "units": [1, 2, 4, 8, 16, 32, 50],
}


def sweep_table(dataset: Dataset) -> pd.DataFrame:
    """Seconds of training with each quantity swept alone around (2 layers, 8 units, batch 64, length 50, 4 epochs)."""
    from helpers import lstm, training

    rows = []
    for name, values in SWEEPS.items():
        for value in values:
            config = LstmConfig(2, 8, 0.001, 64, 50, 0.2)
            samples, epochs = 8000, 4
            if name == "samples":
                samples = value
            elif name == "epochs":
                epochs = value
            else:
                config = replace(config, **{name: value})
            windows = dataset.windows(config.sequence_length)
            x, y = windows.x_train[:samples], windows.y_train[:samples]
            seconds = [
                training.fit(lstm.build(config, seed=0), config, x, y, epochs=epochs, seed=0, engine="fast").seconds
                for _ in range(3)
            ]
            rows.append({"swept": name, "value": value, "seconds": float(np.median(seconds))})
    return pd.DataFrame(rows)


def growth(table: pd.DataFrame) -> pd.Series:
    """Exponent of each sweep: the slope of log seconds on log value over the upper half of its values."""
    slopes = {}
    for name, part in table.groupby("swept", sort=False):
        upper = part.iloc[len(part) // 2 :]
        slopes[name] = float(np.polyfit(np.log(upper.value), np.log(upper.seconds), 1)[0])
    return pd.Series(slopes, name="exponent")


def draw_sweeps(table: pd.DataFrame) -> figures.Figure:
    """Seconds against each swept quantity, log axes, with a line of slope one through the last point."""
    exponents = growth(table)
    figure, axes = figures.new(7.2, 3.2, 1, len(SWEEPS), sharey=True)
    names = {"sequence_length": "length (days)"}
    with figures.style():
        for ax, (name, part) in zip(axes, table.groupby("swept", sort=False), strict=True):
            last = part.iloc[-1]
            ax.loglog(part.value, part.seconds, "o-", color=figures.COLOURS["actual"], ms=3.5, lw=1.2)
            ax.loglog(part.value, last.seconds * part.value / last.value, ":", color="0.5", lw=1)
            ax.set_title(f"{names.get(name, name)}\nslope {exponents[name]:.2f}", fontsize=8.5)
            ax.set_xticks(
                part.value.iloc[[0, len(part) // 2, -1]], [f"{v:,}" for v in part.value.iloc[[0, len(part) // 2, -1]]]
            )
            ax.minorticks_off()
        axes[0].set_ylabel("Time of training (s)")
        axes[0].yaxis.set_major_formatter(figures.thousands())
        lines = axes[0].get_lines()[:2]
        figure.legend(lines, ["measured", "proportional (slope 1)"], loc="outside upper center", ncols=2)
    return figure


def memory_table(dataset: Dataset, trials: int = 500, every: int = 50) -> pd.DataFrame:
    """Resident memory of one process over many different small trials, MB, and what of it came after the imports.

    A process of its own: in one that has run Keras, memory that Keras holds would hide what the trials take.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_memory_table, (dataset, trials, every))


def _memory_table(dataset: Dataset, trials: int, every: int) -> pd.DataFrame:
    import psutil
    import tensorflow  # noqa: F401  (a trial's worker has imported it)

    process = psutil.Process()
    imported = process.memory_info().rss / 2**20
    rows = []
    for k in progress.each(range(trials), "memory over trials", unit="trial"):
        config = LstmConfig(1 + k % 4, 1 + k % 7, 0.001, 16 * 2 ** (k % 4), 1 + k % 40, 0.2)
        windows = dataset.windows(config.sequence_length)
        our_seconds(config, replace(windows, x_train=windows.x_train[:512], y_train=windows.y_train[:512]), epochs=1)
        if (k + 1) % every == 0:
            rss = process.memory_info().rss / 2**20
            rows.append({"trials": k + 1, "rss_mb": rss, "beyond_imports_mb": rss - imported})
    return pd.DataFrame(rows)


DISTRIBUTION_CONFIGS = (
    LstmConfig(1, 8, 0.001, 32, 10, 0.2),
    LstmConfig(2, 4, 0.01, 16, 8, 0.3),
    LstmConfig(3, 6, 0.01, 64, 12, 0.5),
)


def distribution_table(dataset: Dataset, seeds: int = 30, samples: int = 2000, epochs: int = 3) -> pd.DataFrame:
    """Final test MSE with dropout over seeds, both engines, and the p-value of the two-sample Kolmogorov-Smirnov test.

    Shuffled protocol's first `samples` training windows, so that 30 trainings with Keras stay a matter of minutes.
    """
    from helpers import lstm, training

    rows = []
    for config in DISTRIBUTION_CONFIGS:
        windows = dataset.windows(config.sequence_length)
        chosen = np.linspace(0, len(windows.y_train) - 1, samples).astype(int)
        x, y = windows.x_train[chosen], windows.y_train[chosen]
        mse: dict[str, list[float]] = {"keras": [], "fast": []}
        for engine in mse:
            for seed in progress.each(range(seeds), f"{engine} with dropout", unit="seed"):
                model = lstm.build(config, seed=seed)
                training.fit(model, config, x, y, epochs=epochs, seed=seed, engine=engine)
                predicted = training.predict(model, config, windows.x_test, engine="fast")
                mse[engine].append(float(np.mean((predicted - windows.y_test) ** 2)))
        test = stats.ks_2samp(mse["keras"], mse["fast"])
        rows.append(
            {
                **config.as_dict(),
                "keras_median_mse": np.median(mse["keras"]),
                "our_median_mse": np.median(mse["fast"]),
                "ks_statistic": test.statistic,
                "ks_p_value": test.pvalue,
            }
        )
    return pd.DataFrame(rows)


AGREEMENT_CONFIGS = (
    LstmConfig(1, 1, 0.001, 16, 1, 0.0),
    LstmConfig(10, 10, 0.001, 16, 100, 0.0),
    LstmConfig(3, 50, 0.001, 64, 60, 0.0),
    LstmConfig(5, 20, 0.001, 256, 120, 0.0),
    LstmConfig(2, 34, 0.001, 16, 30, 0.0),
    LstmConfig(1, 10, 0.001, 2048, 250, 0.0),
    LstmConfig(1, 50, 0.001, 128, 250, 0.0),
)


def agreement_table(dataset: Dataset, updates: int = 50) -> pd.DataFrame:
    """Relative distance of the weights after `updates` updates on the same batches, the last one of them partial."""
    from helpers import lstm, training

    rows = []
    for config in progress.each(AGREEMENT_CONFIGS, "agreement with Keras", unit="configuration"):
        windows = dataset.windows(config.sequence_length)
        per_epoch = min(updates, len(windows.y_train) // config.batch_size)
        samples = (per_epoch - 1) * config.batch_size + config.batch_size // 2 + 1
        epochs = -(-updates // per_epoch)
        weights = {}
        for engine in ("keras", "fast"):
            model = lstm.build(config, seed=1)
            x, y = windows.x_train[:samples], windows.y_train[:samples]
            training.fit(model, config, x, y, epochs=epochs, seed=2, engine=engine)
            weights[engine] = np.concatenate([w.ravel() for w in model.get_weights()])
        distance = np.linalg.norm(weights["fast"] - weights["keras"]) / np.linalg.norm(weights["keras"])
        rows.append({**config.as_dict(), "updates": epochs * per_epoch, "relative_distance": distance})
    return pd.DataFrame(rows)


def _report(name: str, table: pd.DataFrame, note: str, formats: dict[str, str] | None = None) -> None:
    """Write a table as CSV and Markdown under figures/tables and show it."""
    folder = paths.outputs().tables
    text = tables.markdown(tables.formatted(table, formats))
    figures.write_aside(folder / f"bench_{name}.csv", table.to_csv(index=False, float_format="%.6g").encode())
    figures.write_aside(folder / f"bench_{name}.md", f"{note}\n\n{text}".encode())
    sys.stdout.write(f"\n{note}\n\n{text}\n")
    sys.stdout.flush()


def _speed(dataset: Dataset, note: str, configs: Sequence[tuple[str, LstmConfig]]) -> None:
    import tensorflow  # noqa: F401  (imported before memory is read)

    from helpers import training

    warm = dataset.windows(2)
    started = time.perf_counter()
    our_seconds(
        LstmConfig(2, 3, 0.001, 16, 2, 0.1), replace(warm, x_train=warm.x_train[:64], y_train=warm.y_train[:64])
    )
    compiling = time.perf_counter() - started
    training.choose_engine("auto")
    imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    peak = peak_gflops()
    table = speed_table(dataset, configs, peak)
    one, two = two_at_once(dataset, [config for _, config in configs])
    keras_total, our_total = table.keras_seconds.sum(), table.our_seconds.sum()
    floor = table.flop.sum() / peak / 1e9
    geometric = float(stats.gmean(table.ratio))
    geometric_one = float(stats.gmean(table.keras_seconds / table.one_core_seconds))
    summary = pd.DataFrame(
        [
            ("configurations", len(table), ""),
            ("Keras fit, all cores", keras_total, "s in all, extrapolated from the slope"),
            ("fast engine, all cores", our_total, "s in all"),
            ("fast engine, one core", table.one_core_seconds.sum(), "s in all"),
            ("fast engine, two workers", two, "s in all"),
            ("first use: compiling or loading the compiled engine", compiling, "s, once"),
            ("total, all cores: times as fast", keras_total / our_total, ""),
            ("total, one core: times as fast", keras_total / table.one_core_seconds.sum(), ""),
            ("total, two workers: times as fast", keras_total / two, ""),
            ("geometric mean, all cores: times as fast", geometric, ""),
            ("geometric mean, one core: times as fast", geometric_one, ""),
            ("least ratio, all cores", table.ratio.min(), str(table.row[table.ratio.idxmin()])),
            ("two at once: times the trials a minute", one / two, ""),
            ("slowest configuration", table.our_seconds.max(), f"s, {table.row[table.our_seconds.idxmax()]}"),
            ("large float32 matrix product, all cores", peak, "GFLOP/s"),
            ("floor: the arithmetic at that speed", floor, "s"),
            ("fast engine, two workers, over the floor", two / floor, "times"),
            ("peak memory beyond the imports", table.attrs["rss_mb"] - imported, "MB, all trials in one process"),
        ],
        columns=["quantity", "value", "unit"],
    )
    _report("training", table.drop(columns=["flop", "keras_step"]), note, {"share_of_peak": ".0%", "ratio": ",.0f",
            "our_seconds": ".3f", "one_core_seconds": ".3f", "keras_seconds": ",.1f"})  # fmt: skip
    _report("training_totals", summary, note, {"value": ",.4g"})


def _example(dataset: Dataset, note: str) -> None:
    table = example_table(dataset)
    _report("example", table, f"{note} One epoch of 4 layers, 4 units, batch 16, length 34.")


def _sweeps(dataset: Dataset, note: str) -> None:
    table = sweep_table(dataset)
    _report("growth", growth(table).rename_axis("swept").reset_index(), f"{note} Exponents of the cost.")
    _report("sweeps", table, note)
    figure = draw_sweeps(table)
    for kind in ("png", "svg"):
        with figures.style():
            figure.savefig(
                paths.outputs().figures / f"bench_growth.{kind}", metadata={"Date": None} if kind == "svg" else None
            )


PARTS: dict[str, Callable[[Dataset, str], None]] = {
    "example": _example,
    "speed": lambda dataset, note: _speed(dataset, note, published_configs()),
    "growth": _sweeps,
    "agreement": lambda dataset, note: _report(
        "agreement", agreement_table(dataset), note, {"relative_distance": ".1e"}
    ),
    "distribution": lambda dataset, note: _report("distribution", distribution_table(dataset), note),
    "memory": lambda dataset, note: _report("memory", memory_table(dataset), note),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts named (all by default), write their tables to figures/tables and print them."""
    parser = argparse.ArgumentParser(prog="python -m helpers.bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), help="parts to run")
    chosen = parser.parse_args(arguments).only
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    found = prices.load()
    dataset = Dataset(found, protocol("published"))
    machine = provenance.machine()
    note = (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']:.0f} GB; "
        f"TensorFlow {provenance.versions()['tensorflow']}; {found.caption}, closes up to {dataset.protocol.as_of}."
    )
    for part in chosen:
        PARTS[part](dataset, note)


if __name__ == "__main__":
    main()
