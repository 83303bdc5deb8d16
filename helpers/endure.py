"""Causes the faults that a reproduction must survive, many times, and counts.

    python -m helpers.endure [--minutes 60] [--kills 100] [--fuzz 10000] [--output build/endure]

Kills studies of every tuner and whole reproductions at random moments, damages journals, feeds malformed files to the
importer, fills a study with 500 trials, and runs the profile `smoke` twice. Every count goes to
`figures/tables/endure.csv`; a promise that does not hold ends the run with what was found. The test suite uses the same
functions with small numbers.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import functools
import logging
import math
import multiprocessing
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import psutil
from tqdm import tqdm

from helpers import figures, lines, paths, prices, study, windows
from helpers.progress import Bar
from helpers.samplers import BayesianSampler, GanSampler, GeneratorSampler
from helpers.space import GAN_SPACE, GENERATOR_SPACE, HYPERPARAMETERS, LstmConfig, SearchSpace
from helpers.trial import METRICS, Evaluator, TrialResult
from helpers.windows import Dataset

log = logging.getLogger(__name__)

# Every tuner of the papers; the Gaussian process with both of its ranges.
TUNERS: Mapping[str, tuple[Callable[..., optuna.samplers.BaseSampler], SearchSpace]] = {
    "generator": (GeneratorSampler, GENERATOR_SPACE),
    "gan": (GanSampler, GAN_SPACE),
    "bayesian": (BayesianSampler, GENERATOR_SPACE),
    "bayesian_warped": (functools.partial(BayesianSampler, ranges="warped"), GENERATOR_SPACE),
}
# Columns that a clock or the machine's load decides; all others must be equal in two runs, byte for byte.
MEASUREMENT = re.compile(r"second|minute|hour|\btime\b|cpu|rss|memory|speed", re.IGNORECASE)
# Relative difference of an MSE trained again from the recorded one. The same machine repeats every bit; another
# processor may round otherwise in the exponential function and the sums, which ten epochs amplify.
SAME_MACHINE, OTHER_MACHINE = 0.0, 0.05


class Broken(AssertionError):
    """A promise that does not hold."""


def require(holds: bool, what: str) -> None:
    """Raise `Broken` unless `holds`."""
    if not holds:
        raise Broken(what)


# --- a study without training -----------------------------------------------------------------------------------------


class Quick:
    """Answers like `trial.Evaluator` without training: a smooth function of the configuration, a little of the seed.

    Parameters
    ----------
    pause : float
        Seconds that a trial takes.
    every : int
        Every so manyth trial, by its seed, fails; 0 for none.
    """

    def __init__(self, pause: float = 0.0, every: int = 0) -> None:
        self.pause, self.every = pause, every

    def evaluate(
        self, config: LstmConfig, dataset: Dataset, *, seed: int, stage: str = "tune", **_: Any
    ) -> TrialResult:
        time.sleep(self.pause)
        measured = {"seconds": 1.0, "cpu_percent": 50.0, "peak_rss_mb": 500.0, "memory_used_mb": 900.0}
        if self.every and seed % self.every == 0:
            return TrialResult("failed", "the loss was no longer finite", **measured)
        place = np.array([config.layers / 10, config.units / 50, config.dropout_rate, math.log10(config.learning_rate)])
        value = float(np.sum((place - (0.3, 0.4, 0.5, -2.0)) ** 2)) / 10
        value += float(np.random.default_rng(seed).random()) / 1000 + 1e-5
        forecasts = np.full(len(dataset.test_targets(stage)), value, np.float32)
        return TrialResult("ok", **dict.fromkeys(METRICS, value), **measured, predictions=forecasts)


@functools.cache
def small_dataset() -> Dataset:
    """The packaged closes up to 1956, as in the profile `smoke`."""
    return Dataset(prices.load(source="packaged"), windows.protocol("described", as_of="1956-12-31"))


def run_study(
    tuner: str,
    folder: str | Path,
    *,
    trials: int,
    pause: float = 0.0,
    every: int = 0,
    real: bool = False,
    dataset: Dataset | None = None,
) -> optuna.Study:
    """The study `s` of one of `TUNERS` in `folder`, begun or gone on with; `real` trains LSTMs for one epoch."""
    make, space = TUNERS[tuner]
    settings = dict(trials=trials, seed=1, folder=folder, progress=False, epochs=1)
    evaluator = None if real else Quick(pause, every)
    sampler = make(seed=1, space=space)
    return study.run("s", sampler, space, dataset or small_dataset(), evaluator=evaluator, **settings)


def outcome(a_study: optuna.Study) -> list[tuple]:
    """What must not depend on interruptions: numbers, states, parameters, metrics, what the tuner noted."""
    same = ("config", "seed", "status", "reason", *METRICS)
    return [
        (t.number, t.state.name, t.params, t.value, {k: t.user_attrs.get(k) for k in same}, t.system_attrs)
        for t in a_study.get_trials(deepcopy=False)
    ]


# --- kills ------------------------------------------------------------------------------------------------------------


@functools.cache
def _forks() -> Any:
    """Processes forked from one that has imported everything: they start in milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["helpers.endure", "bayes_opt"])
    return context


def start_study(tuner: str, folder: str | Path, **settings: Any) -> multiprocessing.Process:
    """`run_study` in a process of its own, begun."""
    settings["dataset"] = small_dataset()  # made once, sent to each
    process = _forks().Process(target=_quiet_study, args=(tuner, str(folder), settings))
    process.start()
    return process


def _quiet_study(tuner: str, folder: str, settings: dict[str, Any]) -> None:
    logging.disable(logging.CRITICAL)
    tqdm.set_lock(threading.RLock())  # its own would be one for several processes, which a kill leaves behind
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    run_study(tuner, folder, **settings)


def kill_study(
    tuner: str,
    folder: Path,
    *,
    kills: int,
    seed: int,
    trials: int = 40,
    pause: float = 0.02,
    every: int = 7,
    real: bool = False,
    deadline: float = math.inf,
    progress: bool = False,
) -> int:
    """Kill a study with SIGKILL at random moments until that has been done `kills` times, then finish and compare it.

    Returns
    -------
    int
        Kills that met the study at work.

    Raises
    ------
    Broken
        If the record differs, or a trial was trained twice other than the one in flight.
    """
    rng, killed, rounds = random.Random(f"{tuner} {seed}"), 0, 0
    settings = dict(trials=trials, every=every, real=real) | ({} if real else {"pause": pause})
    whole = outcome(run_study(tuner, folder / "whole", trials=trials, every=every, real=real))
    with Bar(kills, f"kills of {tuner}", unit="kill", shown=progress, redraw=False) as bar:
        while killed < kills and (time.monotonic() < deadline or not killed):
            rounds += 1
            path = study.journal_path("s", folder / f"killed-{rounds}")
            while killed < kills and (time.monotonic() < deadline or not killed):
                size = path.stat().st_size if path.exists() else 0
                before = _finished(path)
                process = start_study(tuner, path.parent, **settings)
                while process.is_alive() and not (path.exists() and path.stat().st_size > size):
                    time.sleep(0.002)  # it has begun to write
                time.sleep(rng.uniform(0.0, 3.0 if real else 10 * pause))
                met = process.is_alive()
                process.kill()
                process.join()
                counted = met and process.exitcode == -signal.SIGKILL
                killed += counted
                bar.update(int(counted))
                require(_finished(path) >= before, f"{tuner}: finished trials were lost")
                if not met:
                    break  # it was at its end; another one begins
            finished = outcome(run_study(tuner, path.parent, trials=trials, every=every, real=real))
            require(finished == whole, f"{tuner}: the record of a killed study differs from an undisturbed one")
    return killed


def _finished(path: Path) -> int:
    if not path.exists() or lines.scan(path).lines < 4:
        return 0
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    return len(study._finished(study.load(path.stem, path.parent)))


def reproduction(output: str, *, only: str = "", kill_after: float | None = None) -> int | None:
    """The profile `smoke` into `output`; its exit status, or None if it was killed (with all its processes)."""
    command = [sys.executable, "-m", "helpers.reproduce", "--profile", "smoke", "--output", output, "--jobs", "2"]
    command += ["--only", only] if only else []
    process = subprocess.Popen(
        command, cwd=paths.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        return process.wait(kill_after)
    except subprocess.TimeoutExpired:
        return None
    finally:  # also when this run is ended
        _kill_tree(process.pid)
        process.wait()


def _kill_tree(pid: int) -> None:
    """As when a machine loses power: a process and all that it started, at once."""
    try:
        with_children = [psutil.Process(pid)]
        with_children += with_children[0].children(recursive=True)
    except psutil.NoSuchProcess:
        return
    for process in with_children:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            log.debug("A process had ended already.")
    psutil.wait_procs(with_children[1:], timeout=10)


def records_of(output: Path) -> dict[str, list[tuple]]:
    """Outcome of every study under `output`, by its path."""
    folder = output / "data" / "studies"
    return {
        str(path.relative_to(folder)): outcome(study.load(path.stem, path.parent))
        for path in sorted(folder.rglob("*.journal"))
    }


def table_differences(one: Path, other: Path) -> list[str]:
    """Where the CSV tables under two folders differ, in columns that are no measurement of time or memory.

    Compared as text, byte for byte. A table that lists names of quantities in its first column is compared without the
    rows whose name is one of a measurement.
    """
    names = {str(p.relative_to(folder)) for folder in (one, other) for p in folder.rglob("*.csv")}
    names -= {"endure.csv", "bench.csv"}
    found = []
    for name in sorted(names):
        if not ((one / name).is_file() and (other / name).is_file()):
            found.append(f"{name} is in one folder only")
            continue
        tables = [_without_measurements(folder / name) for folder in (one, other)]
        if tables[0] != tables[1]:
            number = next((i for i, (a, b) in enumerate(zip(*tables, strict=False)) if a != b), -1)
            found.append(f"{name}, row {number + 1} differs" if number >= 0 else f"{name} has other rows")
    return found


def _without_measurements(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = list(csv.reader(file))
    kept = [i for i, name in enumerate(head) if not MEASUREMENT.search(name)]
    rows = [row for row in rows if not (row and MEASUREMENT.search(row[0]))]
    return [[row[i] for i in kept] for row in [head, *rows]]


def retrained(
    a_study: optuna.Study, dataset: Dataset, *, trials: int = 3, evaluator: Evaluator | None = None
) -> list[tuple[int, float, float]]:
    """Train the cheapest recorded trials of a study again.

    Returns
    -------
    list of (int, float, float)
        Iteration, recorded MSE, MSE now. Relative differences: `SAME_MACHINE`, `OTHER_MACHINE`.
    """
    identity, rows = a_study.user_attrs["identity"], study.records(a_study)
    rows = rows[rows["status"] == "ok"].nsmallest(trials, "seconds")
    found = []
    with contextlib.ExitStack() as stack:
        evaluator = evaluator or stack.enter_context(Evaluator())
        for row in rows.to_dict("records"):
            config = LstmConfig(**{key: row[key] for key in HYPERPARAMETERS})
            settings = {"epochs": identity["epochs"], "engine": identity["engine"], "seed": int(row["seed"])}
            result = evaluator.evaluate(config, dataset, **settings)
            require(result.ok, f"trial {row['iteration']} failed when trained again: {result.reason}")
            found.append((int(row["iteration"]), float(row["mse"]), result.mse))
    return found


# --- damage -----------------------------------------------------------------------------------------------------------


def damage_journal(content: bytes, rng: random.Random) -> tuple[bytes, int]:
    """A journal with one random damage, and the offset from which on it differs."""
    at = rng.randrange(len(content))
    kind = rng.choice(["flip", "foreign", "line", "lost", "doubled", "zeros"])
    starts = [0, *(m.end() for m in re.finditer(b"\n", content))][:-1]
    start = rng.choice(starts[:-1])  # any line but the last: without it the file is a whole one of a shorter study
    end = content.index(b"\n", start) + 1
    damaged = {
        "flip": content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :],
        "foreign": content[:at] + b"foreign text" + content[at:],
        "line": content[:start] + b'{"op_code":8,"trial_id":0,"user_attr":{"mse":0.0}}\n' + content[start:],
        "lost": content[:start] + content[end:],
        "doubled": content[:end] + content[start:end] + content[end:],
        "zeros": content[:at] + bytes(min(512, len(content) - at)) + content[at + 512 :],
    }[kind]
    differs = next((i for i, (a, b) in enumerate(zip(content, damaged, strict=False)) if a != b), min(at, len(damaged)))
    return damaged, differs


def check_damage(journal: Path, folder: Path, *, cases: int, seed: int) -> int:
    """Damage copies of a whole journal at random: each must be found, at its line, and what is before it kept.

    Returns
    -------
    int
        Damaged files tried.
    """
    rng, content, tried = random.Random(seed), journal.read_bytes(), 0
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / journal.name
    while tried < cases:
        damaged, at = damage_journal(content, rng)
        path.write_bytes(damaged)
        tried += 1
        found = lines.scan(path, is_record=study._is_record)
        line = content[:at].count(b"\n") + 1
        where = f"damage number {tried}, in line {line} of {journal.name},"
        require(bool(found.damage), f"{where} was not found")
        # The damaged line itself, or the next where the damage swallowed a line's own mark.
        require(line <= found.lines + 1 <= line + 1, f"{where} was found in line {found.lines + 1}")
        if found.cut:
            study.repair(path)
        else:
            try:
                study.load(journal.stem, folder)
            except study.StudyError as error:
                require(f"line {found.lines + 1} is damaged" in str(error), f"{where} was told otherwise: {error}")
            else:
                raise Broken(f"{where} was read silently")
            study.repair(path, damaged=True)
        require(content.startswith(path.read_bytes()), f"{where} was kept")
        for copy in folder.glob("*.damaged*"):
            copy.unlink()
    return tried


# --- malformed closes -------------------------------------------------------------------------------------------------

FORMATS = [",", ";", "\t"]
# What a cell may be replaced by; None where only a refusal is right, else the value.
BAD_CLOSES = [
    *("", "nan", "NaN", "null", "NA", "-", "inf", "-inf", "0", "0.0", "-1", "-12.5", "1e999", "1e-999", "abc", "1_000"),
    *(
        "0x10",
        "$12",
        "12 USD",
        "12%",
        "=1+1",
        "=cmd|'/c calc'!A0",
        "@SUM(1)",
        "+-1",
        "1.2.3",
        "1 234.5",
        "１２",
        "٣",
        "½",
    ),
    *("1,234", "--1", "1e", ".", "e5", "True", "1\x002", "12\u200b", "\ufeff1", "#N/A", "1;2", "'1'"),
]
BAD_DATES = [
    *("", "nan", "01/02/2000", "2000/01/02", "02.01.2000", "2000-1-2", "20000102", "2000-02-30", "2000-13-01", "0"),
    *("1e9", "Jan 2 2000", "2000-01", "2000-W01-1", "36526", "0000-01-01", "99999-01-01", "2000-01-02T25", "today"),
    *("=TODAY()", "-2000-01-01", "２０００-01-01", "2000-01-02 00:00:00 EST", "2000–01–02", "NaT", "1900-01-01"),
]


def good_rows(count: int = prices.MIN_ROWS + 5) -> list[tuple[str, float]]:
    """Weekdays from 2000 on, closes with two decimals around 1,000."""
    days = pd.bdate_range("2000-01-03", periods=count).strftime("%Y-%m-%d")
    closes = 1000 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, count)))
    return list(zip(days, np.round(closes, 2).tolist(), strict=True))


GOOD = good_rows()


def malformed(rng: random.Random) -> tuple[bytes, list[tuple[str, float]] | None]:
    """A CSV file of closes in some dress, perhaps with a fault; and what must be read of it, None for a refusal."""
    separator = rng.choice(FORMATS)
    decimal = "," if separator != "," and rng.random() < 0.3 else "."
    thousands = rng.random() < 0.2
    quoted = rng.random() < 0.2 or (separator == "," and thousands)
    stamp = rng.choice(["", "", " 00:00:00", "T16:00:00Z", " 00:00:00-05:00"])
    swap = {".": decimal, ",": "." if decimal == "," else ","}

    def close(value: float) -> str:
        text = f"{value:,.2f}" if thousands else f"{value:.2f}"
        return "".join(swap.get(c, c) for c in text)

    days = [day + stamp for day, _ in GOOD]
    closes = [close(value) for _, value in GOOD]
    expected: list[tuple[str, float]] | None = GOOD
    i = rng.randrange(1, len(GOOD))
    fault = rng.choice(["", "", "close", "date", "double", "swap", "field", "drop", "few", "tail"])
    if fault == "close":
        bad = rng.choice([b for b in BAD_CLOSES if b != "1,234" or decimal == "."])
        closes[i], expected = bad, None
        quoted = quoted or separator in bad
    elif fault == "date":
        days[i], expected = rng.choice(BAD_DATES), None
    elif fault == "double":
        days[i], expected = days[i - 1], None
    elif fault == "swap":
        days[i], days[i - 1], expected = days[i - 1], days[i], None
    elif fault == "drop":
        del days[i], closes[i]
        expected = GOOD[:i] + GOOD[i + 1 :]
    elif fault == "few":
        del days[i % 1000 :], closes[i % 1000 :]
        expected = None
    mark = '"' if quoted else ""
    rows = [f"{mark}{day}{mark}{separator}{mark}{value}{mark}" for day, value in zip(days, closes, strict=True)]
    if fault == "field":
        rows[i], expected = rng.choice([rows[i] + separator + "1", mark + days[i] + mark]), None
    head = separator.join(rng.choice([("Date", "Close"), ("date", "CLOSE"), (" Date ", " Close ")]))
    newline = rng.choice(["\n", "\r\n"])
    text = newline.join([head, *rows, ""])
    if fault == "tail":
        blank = rng.random() < 0.3  # a row without content does not count
        text += rng.choice(
            [separator, " ", '""'] if blank else [f"total{separator}1", "-- end --", "\x1a", "2031-01-01"]
        )
        expected = GOOD if blank else None
    if thousands and separator != "," and decimal == ".":
        expected = None  # a comma in a close, and fields separated by something else: a decimal comma
    encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"])
    return text.encode(encoding, "surrogatepass"), expected


def scrambled(rng: random.Random) -> bytes:
    """A good file with some random bytes changed, put in or taken out."""
    content = bytearray(_good_file())
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(content))
        what = rng.randrange(4)
        if what == 0:
            content[at] = rng.randrange(256)
        elif what == 1:
            content[at:at] = rng.randbytes(rng.randint(1, 8))
        elif what == 2:
            del content[at : at + rng.randint(1, 200)]
        else:
            content[at:at] = rng.choice([b'"', b",", b"\r", b"\n\n", b"\x00", b";", b"\xef\xbb\xbf", b"1e", b"-", b" "])
    return bytes(content)


@functools.cache
def _good_file() -> bytes:
    return "".join(["Date,Close\n", *(f"{day},{value!r}\n" for day, value in GOOD)]).encode()


def read_closes(content: bytes, path: Path) -> list[tuple[str, float]] | prices.PricesError:
    """What the importer makes of a file's content: the closes, or the error, which must be one sentence."""
    path.write_bytes(content)
    try:
        close = prices._read_csv(path)
    except prices.PricesError as error:
        require("\n" not in str(error) and len(str(error)) < 600 and str(error).endswith("."), f"no sentence: {error}")
        return error
    return list(zip(close.index.strftime("%Y-%m-%d"), close.tolist(), strict=True))


def check_malformed(content: bytes, expected: list[tuple[str, float]] | None, path: Path) -> bool:
    """The importer on a file whose right reading is known; whether it was accepted."""
    found = read_closes(content, path)
    accepted = not isinstance(found, prices.PricesError)
    require(
        accepted == (expected is not None), f"accepted: {accepted}, but {found if not accepted else 'it is faulty'}"
    )
    require(not accepted or found == expected, "the closes were misread")
    return accepted


def check_scrambled(content: bytes, path: Path) -> bool:
    """The importer on scrambled bytes: refused, or each close is what its own line says; whether it was accepted."""
    found = read_closes(content, path)
    if isinstance(found, prices.PricesError):
        return False
    plain = {}
    for line in content.decode("utf-8-sig").replace("\r", "\n").split("\n"):
        day, _, value = line.replace('"', "").partition(",")
        plain[day.strip()[:10]] = value.strip()
    for day, close in found:
        require(float(plain[day].replace(",", "")) == close, f"{day}: {close!r} was read from {plain[day]!r}")
    return True


# --- long studies -----------------------------------------------------------------------------------------------------


def grow(
    folder: Path, *, trials: int, tuner: str = "generator", evaluator: type[Quick] | None = None
) -> dict[str, float]:
    """A study of `trials` quick trials in a process of its own: what it writes and how that process grows.

    A process that has done other things holds freed memory, in which growth would not show.

    Returns
    -------
    dict
        `bytes_per_trial`: of the journal. `mb_per_trial`: growth of resident memory, MiB, from the tenth trial on.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_grow, (folder, trials, tuner, evaluator or Quick))


def _grow(folder: Path, trials: int, tuner: str, evaluator: type[Quick]) -> dict[str, float]:
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    process, seen = psutil.Process(), []

    class Watching(evaluator):
        def evaluate(self, *arguments: Any, **named: Any) -> TrialResult:
            seen.append(process.memory_info().rss / 2**20)
            return super().evaluate(*arguments, **named)

    make, space = TUNERS[tuner]
    study.run(
        "s", make(seed=1, space=space), space, small_dataset(), trials=trials, seed=1, folder=folder,
        evaluator=Watching(), progress=False, keep_predictions=False,
    )  # fmt: skip
    require(len(seen) == trials, "not every trial was run")
    later = seen[9:]  # the first trials import what they need
    size = study.journal_path("s", folder).stat().st_size
    return {"bytes_per_trial": size / trials, "mb_per_trial": (later[-1] - later[0]) / len(later)}


# --- the whole --------------------------------------------------------------------------------------------------------


def rows(folder: Path, *, kills: int, fuzz: int, trials: int, minutes: float) -> Iterator[tuple[str, float, str]]:
    """Cause every fault; (what, number, unit) as they come.

    Where the time is short, each part ends early with what it has done, at least once: the numbers say how often.
    """
    started = time.monotonic()

    def until(share: float) -> float:
        """When a part ends: `share` of the whole time counted from the start."""
        return started + 60 * minutes * share

    quick = {"trials": 40, "every": 7}
    require(len(outcome(run_study("generator", folder / "sample", **quick))) == 40, "the sample study is not whole")
    survived = 0
    for number, tuner in enumerate(TUNERS, start=1):
        wanted = -(-kills * 8 // 10 // len(TUNERS))
        done = kill_study(
            tuner, folder / tuner, kills=wanted, seed=0, deadline=until(0.25 * number / len(TUNERS)), progress=True
        )
        survived += done
        yield f"kills survived, {tuner.replace('_', ', ')}", done, "kills"
    for number, tuner in enumerate(("generator", "gan", "bayesian"), start=1):
        done = kill_study(
            tuner,
            folder / f"{tuner}-trained",
            kills=max(1, kills // 20),
            seed=0,
            trials=8,
            every=0,
            real=True,
            deadline=until(0.25 + 0.15 * number / 3),
            progress=True,
        )
        survived += done
        yield f"kills survived while LSTMs were trained, {tuner}", done, "kills"

    journal = study.journal_path("s", folder / "sample")
    damaged = 0
    with Bar(1000, "damaged journals", unit="file", redraw=False) as bar:
        while damaged < 1000 and (time.monotonic() < until(0.45) or not damaged):
            cases = check_damage(journal, folder / "damage", cases=50, seed=damaged)
            damaged += cases
            bar.update(cases)
    yield "damaged journals, each found and named", damaged, "files"

    rng, path = random.Random(0), folder / "fuzz.csv"
    tried, accepted = 0, 0
    with Bar(fuzz, "files of closes", unit="file", redraw=False) as bar:
        while tried < fuzz and (time.monotonic() < until(0.6) or tried < 100):
            accepted += check_malformed(*malformed(rng), path) if tried % 2 else check_scrambled(scrambled(rng), path)
            tried += 1
            bar.update()
    yield "files of closes, malformed or in unusual dress", tried, "files"
    yield "of these read, with the right closes", accepted, "files"

    grown = grow(folder / "long", trials=trials)
    yield "trials in one study", trials, "trials"
    yield "journal", grown["bytes_per_trial"], "bytes a trial"
    yield "memory growth", grown["mb_per_trial"], "MB a trial"

    first, second = folder / "smoke", folder / "smoke-killed"
    begun = time.monotonic()
    require(reproduction(str(first)) == 0, "the profile smoke fails")
    took = time.monotonic() - begun
    rng, done = random.Random(1), 0
    attempts = max(2, kills // 10)
    with Bar(attempts, "killed reproductions", unit="attempt", redraw=False) as bar:
        for _ in range(attempts):
            if done and time.monotonic() + took > until(1.0):
                break
            done += reproduction(str(second), kill_after=rng.uniform(5.0, max(6.0, took * 0.6))) is None
            bar.update()
    require(done > 0, "no reproduction was killed: each was faster")
    require(reproduction(str(second)) == 0, "a killed reproduction cannot be finished")
    require(records_of(first) == records_of(second) != {}, "a killed reproduction has other records")
    different = table_differences(first / "figures" / "tables", second / "figures" / "tables")
    require(not different, f"two runs of the profile smoke differ: {different}")
    yield "kills survived, whole reproductions", done, "kills"
    yield "kills survived in all", survived + done, "kills"
    tables = len(list((first / "figures" / "tables").glob("*.csv")))
    yield "tables equal in two runs of the profile smoke, byte for byte", tables, "tables"
    again = retrained(study.load("generator_described", first / "data" / "studies" / "smoke"), small_dataset())
    yield "trials trained again with the recorded MSE", sum(before == now for _, before, now in again), "trials"
    yield "time", (time.monotonic() - started) / 60, "minutes"


def write(found: Sequence[tuple[str, float, str]], path: Path) -> None:
    """The counts as a CSV table with the columns what, number, unit."""
    frame = pd.DataFrame(found, columns=["what", "number", "unit"])
    frame["number"] = [f"{n:.0f}" if float(n).is_integer() else f"{n:.3g}" for n in frame["number"]]
    figures.write_aside(path, frame.to_csv(index=False, lineterminator="\n").encode())


def promises(path: str | Path = paths.ROOT / "figures" / "tables" / "endure.csv") -> str:
    """The README's section "What it promises", with the counts of the last endurance run.

    Raises
    ------
    KeyError, OSError
        If the table is missing or lacks a count.
    """
    with open(path, newline="", encoding="utf-8") as file:
        n = {row["what"]: row["number"] for row in csv.DictReader(file)}
    tried, read = "files of closes, malformed or in unusual dress", "of these read, with the right closes"
    equal = "tables equal in two runs of the profile smoke, byte for byte"
    return "\n".join(
        [
            f"- **Kill it at any moment and start it again.** The record is that of an undisturbed run; at most the "
            f"trial in flight is trained again ({n['kills survived in all']} random kills survived, "
            f"{n['kills survived, whole reproductions']} of them of whole reproductions).",
            "- **A bad trial is one failed record.** An exception, a NaN, a kill by the system, too much memory or "
            "time fail that trial with the reason; the study goes on and counts its failures at the end. If the first "
            "five all fail, it stops and says why.",
            f"- **Damage is found, named and contained.** Every line of a journal has a checksum "
            f"({n['damaged journals, each found and named']} randomly damaged journals, each found). `make doctor` "
            "checks closes, journals, forecasts, figures, tables and notebooks, and says what to do; "
            "`make doctor REPAIR=journal` keeps all that was recorded before the damage.",
            "- **Two at once.** Two processes on one study take turns, without lost or doubled trials; a second "
            "`make reproduce` in the same folder is told which process is at work.",
            f"- **Bad closes are refused in one sentence that names the line**, or read right ({n[tried]} malformed "
            f"or unusual files, {n[read]} of them to be read).",
            "- **The frozen closes stay.** A failing, limited or changed Yahoo Finance never replaces them; the "
            "difference is shown, and `FORCE=1` accepts it.",
            "- **A full disk or a read-only folder** is said in a sentence; what was there before stays.",
            f"- **Same seed, same machine, same tables**, byte for byte but for times and memory ({n[equal]} tables "
            f"in two runs). On another processor, trained again, an MSE may differ by up to {OTHER_MACHINE:.0%}.",
            "- **Safe to open.** Records and parameters are JSON, YAML data, CSV and arrays without objects; nothing "
            "that travels can run code. Packages are pinned by hash; "
            "`pipx run pip-audit --require-hashes --disable-pip -r requirements.lock` lists their known "
            "vulnerabilities.",
            f"- **Long studies stay small:** {n['trials in one study']} trials write {float(n['journal']):,.0f} bytes "
            f"a trial, and memory grows by {n['memory growth']} MB a trial.",
            "",
            "`make test` causes each fault a few times; `make endure` (an hour at most) as often as said here.",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 0 if every promise held."""
    parser = argparse.ArgumentParser(prog="python -m helpers.endure", description="Cause the faults and count.")
    parser.add_argument("--minutes", type=float, default=60.0, help="about how long in all")
    parser.add_argument("--kills", type=int, default=100, help="kills of studies and reproductions")
    parser.add_argument("--fuzz", type=int, default=10_000, help="malformed files of closes")
    parser.add_argument("--trials", type=int, default=500, help="trials of the long study")
    parser.add_argument("--output", default="build/endure", help="working folder, relative to the repository; emptied")
    parser.add_argument("--table", default="figures/tables/endure.csv", help="where the counts go")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in ("helpers.study", "optuna"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    folder = paths.ROOT / options.output
    if folder.exists() and not (folder / ".endure").exists() and any(folder.iterdir()):
        parser.error(f"{options.output} holds other things; name an empty folder.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / ".endure").touch()
    found: list[tuple[str, float, str]] = []
    wanted = {"kills": options.kills, "fuzz": options.fuzz, "trials": options.trials, "minutes": options.minutes}
    try:
        for row in rows(folder, **wanted):
            found.append(row)
            log.info("%s: %s %s", row[0], f"{row[1]:,.4g}", row[2])
    except Broken as error:
        log.error("Broken: %s.", error)
        return 1
    write(found, paths.ROOT / options.table)
    return 0


if __name__ == "__main__":
    from helpers import endure  # under this name the processes that it starts know it

    __spec__ = None  # else each of them would run this module again under its name, with a warning
    sys.exit(endure.main())
