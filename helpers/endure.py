"""Causes the faults that a reproduction must survive, many times, and counts.

    python -m helpers.endure [--minutes 60] [--kills 100] [--fuzz 10000] [--output build/endure]

Every promise of the README's section "What it promises" is tried, its counts go to `figures/tables/endure.csv`; a
promise that does not hold ends the run with what was found. Stopped or killed, the same command goes on where it was:
the counts so far stand in `counts.jsonl` in the working folder, and count as long as code and budgets are the same. The
test suite uses the same functions with small numbers.
"""

from __future__ import annotations

import argparse
import ast
import csv
import json
import logging
import multiprocessing
import platform
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import psutil

from helpers import (
    damage,
    faults,
    figures,
    ledger,
    lines,
    machines,
    malformed,
    paths,
    provenance,
    reproduce,
    safety,
    study,
)
from helpers.faults import LEDGERS, TUNERS, Broken, Kills, Quick, require, small_dataset
from helpers.trial import TrialResult

log = logging.getLogger(__name__)

# What is counted: the promise's number and the unit, in the table's order.
KILLS = {
    **{tuner: f"kills while the search was by {tuner.replace('_', ', ')}" for tuner in TUNERS},
    "trained": "kills while a search trained LSTMs",
    "replay": "kills while published configurations were trained again",
    "trainings": "kills while an experiment's trainings were recorded",
    "contest": "kills of a contest of tuners",
    "reproduction": "kills of whole reproductions while they trained",
}
COUNTS: Mapping[str, tuple[int, str]] = {
    **{what: (1, "kills") for what in KILLS.values()},
    "kills survived in all": (1, "kills"),
    "kills before the first or after the last trial, beside these": (1, "kills"),
    "trials begun again after these kills": (1, "trials"),
    "bad trials of six kinds, each one failed record": (2, "trials"),
    "studies in which every trial failed, stopped with the reason": (2, "studies"),
    "damaged journals and ledgers, each found and named": (3, "files"),
    "damaged figures, tables, notebooks and forecasts, each named": (3, "files"),
    "studies shared by three processes, no trial lost or doubled": (4, "studies"),
    "second processes told that another is at work": (4, "processes"),
    "files of closes, malformed or in unusual dress": (5, "files"),
    "of these read, with the right closes": (5, "files"),
    "cells that are no close or no date, each refused by its line": (5, "cells"),
    "faulty answers of Yahoo Finance, the frozen closes untouched": (6, "answers"),
    "writes cut off by a full disk, what was there before intact": (7, "writes"),
    "tables equal in two runs of the profile smoke, byte for byte": (8, "tables"),
    "committed trials trained again": (8, "trials"),
    "of these with the recorded MSE, to the last bit": (8, "trials"),
    "trained again as on other x86-64 processors": (8, "trials"),
    "of these with the recorded MSE, to the last bit, too": (8, "trials"),
    "trained again from start weights rounded otherwise": (8, "trials"),
    "of these within the tolerance": (8, "trials"),
    "modules and notebooks that load no executable format": (9, "files"),
    "rendered notebooks without scripts": (9, "notebooks"),
    "packages pinned by hash": (9, "packages"),
    "trials in one study": (10, "trials"),
    "journal": (10, "bytes a trial"),
    "memory growth": (10, "MB a trial"),
    "time": (0, "minutes"),
}

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


# --- the parts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """Some faults of one kind, caused in batches.

    Attributes
    ----------
    name : str
    wanted : int
        How many.
    batch : int
        How many at a time; what a kill of this run costs.
    cause : callable
        `cause(folder, number, seed)` causes that many in an empty folder: a count for each of some keys of `COUNTS`,
        the first being that of the faults.
    """

    name: str
    wanted: int
    batch: int
    cause: Callable[[Path, int, int], dict[str, float]]


def parts(smoke: Path, *, kills: int, fuzz: int, trials: int) -> list[Part]:
    """Everything, in order.

    Parameters
    ----------
    smoke : pathlib.Path
        Where an undisturbed reproduction of the profile `smoke` goes, which others are compared with.
    kills, fuzz, trials : int
        Kills in all, at least; files of closes; trials of the long study.
    """
    share = {tuner: 0.13 for tuner in TUNERS} | {"trained": 0.04, "replay": 0.08, "trainings": 0.08, "contest": 0.08}

    def some(what: str) -> int:
        return max(1, round(kills * share[what]))

    made = []
    for tuner in TUNERS:
        many = {"trials": 20 if "bayesian" in tuner else 40}
        made.append(Part(tuner, some(tuner), 15, _killing(tuner, lambda f, n, s, t=tuner, m=many: faults.kill_study(
            t, f, kills=n, seed=s, **m))))  # fmt: skip
    for tuner in ("generator", "gan", "bayesian"):
        made.append(Part(f"{tuner}, trained", some("trained"), 4, _killing("trained", lambda f, n, s, t=tuner:
            faults.kill_study(t, f, kills=n, seed=s, trials=16, real=True))))  # fmt: skip
    for kind in LEDGERS:
        made.append(Part(kind, some(kind), 8, _killing(kind, lambda f, n, s, k=kind: faults.kill_ledger(
            k, f, kills=n, seed=s))))  # fmt: skip
    rest = max(1, kills - sum(part.wanted for part in made))
    return [
        *made,
        Part("undisturbed reproduction", 1, 1, lambda f, n, s: _undisturbed(smoke)),
        Part("second reproduction", 1, 1, lambda f, n, s: _second(smoke, f)),
        Part("reproduction", rest, 6, _killing("reproduction", lambda f, n, s: faults.kill_reproduction(
            smoke, f, kills=n, seed=s))),
        Part("bad trials", 18, 18, _bad),
        Part("damaged records", 10 * kills, 250, lambda f, n, s: _damaged(smoke, f, n, s)),
        Part("damaged files", kills, 50, lambda f, n, s: {
            "damaged figures, tables, notebooks and forecasts, each named": damage.check_files(
                smoke, f, cases=n, seed=s)}),
        Part("sharing", 4, 2, _shared),
        Part("second processes", 2, 2, _told),
        Part("closes", fuzz, 1000, _closes),
        Part("cells", 1, 1, _cells),
        Part("vendor", 1, 1, lambda f, n, s: {
            "faulty answers of Yahoo Finance, the frozen closes untouched": damage.check_vendor(f / "raw")}),
        Part("disks", 40, 20, lambda f, n, s: {
            "writes cut off by a full disk, what was there before intact": damage.fill_disk(f, cases=n, seed=s)}),
        Part("machines", 40, 40, _machines),
        Part("safety", 1, 1, lambda f, n, s: safe()),
        Part("long study", trials, trials, _long),
    ]  # fmt: skip


def _killing(what: str, kill: Callable[[Path, int, int], Kills]) -> Callable[[Path, int, int], dict[str, float]]:
    def cause(folder: Path, number: int, seed: int) -> dict[str, float]:
        found = kill(folder, number, seed)
        return {
            KILLS[what]: found.trained,
            "kills before the first or after the last trial, beside these": found.outside,
            "trials begun again after these kills": found.repeated,
        }

    return cause


def _undisturbed(smoke: Path) -> dict[str, float]:
    shutil.rmtree(smoke, ignore_errors=True)
    require(faults.reproduce(smoke) == 0, "the profile smoke fails")
    return {}


def _second(smoke: Path, folder: Path) -> dict[str, float]:
    require(faults.reproduce(folder) == 0, "the profile smoke fails")
    tables = [f / "figures" / "tables" for f in (smoke, folder)]
    different = faults.table_differences(*tables)
    require(not different, f"two runs of the profile smoke differ: {different}")
    require(faults.records_of(smoke) == faults.records_of(folder) != {}, "two runs have other records")
    return {"tables equal in two runs of the profile smoke, byte for byte": len(list(tables[0].glob("*.csv")))}


def _bad(folder: Path, number: int, seed: int) -> dict[str, float]:
    def hopeless(*_: Any, **__: Any) -> TrialResult:
        return TrialResult("failed", "OSError: no such library", seconds=0.1)

    failing, stopped = Quick(), 0
    failing.evaluate = hopeless
    for tuner, (make, space) in TUNERS.items():
        try:
            study.run(tuner, make(seed=1, space=space), space, small_dataset(), trials=20, seed=1,
                      folder=folder / "hopeless", evaluator=failing, progress=False)  # fmt: skip
        except study.StudyFailed as error:
            require("All 5 trials" in str(error) and "no such library" in str(error), f"no reason: {error}")
            stopped += 1
    return {
        "bad trials of six kinds, each one failed record": faults.bad_trials(folder / "bad", cases=number, seed=0),
        "studies in which every trial failed, stopped with the reason": stopped,
    }


def _damaged(smoke: Path, folder: Path, number: int, seed: int) -> dict[str, float]:
    whole = sorted([*smoke.rglob("*.journal"), *smoke.rglob("*.jsonl")])
    tried, rng = 0, random.Random(seed)
    while tried < number:
        path = rng.choice([p for p in whole if p.read_bytes().count(b"\n") > 2])
        tried += damage.check_damage(path, folder, cases=min(10, number - tried), seed=rng.randrange(10**6))
    return {"damaged journals and ledgers, each found and named": tried}


def _shared(folder: Path, number: int, seed: int) -> dict[str, float]:
    for i in range(number):
        tuner = list(TUNERS)[(seed + i) % len(TUNERS)]
        together = faults.share_study(tuner, folder / str(i), processes=3, trials=12 if "bayes" in tuner else 30)
        require(together > 1, f"{tuner}: one process did all the trials")
    return {"studies shared by three processes, no trial lost or doubled": number}


def _told(folder: Path, number: int, seed: int) -> dict[str, float]:
    """A second reproduction in a folder, a second process that records into a ledger."""
    told = 0
    with reproduce.lock(paths.Outputs(folder)):
        told += faults.reproduce(folder, only="01") == 2
    place = folder / "ledger"
    with ledger.appending(place / "trainings.jsonl"):
        try:
            faults.run_ledger("trainings", place, trials=4)
        except ledger.LedgerError as error:
            told += "is being written by another process" in str(error)
    require(told == 2, "a second process was not told")
    return {"second processes told that another is at work": told}


def _closes(folder: Path, number: int, seed: int) -> dict[str, float]:
    rng, path, accepted = random.Random(seed), folder / "closes.csv", 0
    for i in range(number):
        if i % 2:
            accepted += malformed.check_malformed(*malformed.malformed(rng), path)
        else:
            accepted += malformed.check_scrambled(malformed.scrambled(rng), path)
    return {
        "files of closes, malformed or in unusual dress": number,
        "of these read, with the right closes": accepted,
    }


def _cells(folder: Path, number: int, seed: int) -> dict[str, float]:
    return {"cells that are no close or no date, each refused by its line": malformed.check_cells(folder / "c.csv")}


def _machines(folder: Path, number: int, seed: int) -> dict[str, float]:
    trials = machines.committed()
    trials = trials[:: max(1, len(trials) // number)][:number]
    here = machines.differences(trials)
    others = np.concatenate(
        [
            machines.differences(trials, "AVX2, no AVX-512"),
            machines.differences(trials, "plain NumPy and TensorFlow"),
            machines.differences(trials[:3], "SSE2 alone"),
        ]
    )
    nudged = machines.differences(trials, "start weights rounded otherwise")
    exact = platform.machine().lower() in ("x86_64", "amd64")
    require(not exact or here.max() == 0, f"a committed trial gives another MSE: by {here.max():.2g}")
    require(not exact or others.max() == 0, f"another x86-64 processor gives another MSE: by {others.max():.2g}")
    require(machines.agree(here) and machines.agree(nudged), "committed trials differ beyond the tolerance")
    return {
        "committed trials trained again": len(here),
        "of these with the recorded MSE, to the last bit": int((here == 0).sum()),
        "trained again as on other x86-64 processors": len(others),
        "of these with the recorded MSE, to the last bit, too": int((others == 0).sum()),
        "trained again from start weights rounded otherwise": len(nudged),
        "of these within the tolerance": int((nudged <= machines.TOLERANCE).sum()),
    }


def safe(root: Path = paths.ROOT) -> dict[str, float]:
    """What can be opened without running code.

    Raises
    ------
    Broken
        If something cannot.
    """
    sources = sorted([*(root / "helpers").rglob("*.py"), *(root / "notebooks").glob("*.py")])
    rendered = sorted((root / "notebooks" / "rendered").glob("*.ipynb"))
    packages, loose = safety.pinned(root / "requirements.lock")
    found = [f"{p.name}, line {n}" for p in sources for n in safety.unsafe(ast.parse(p.read_text("utf-8")))]
    found += [f"{p.name}, {what}" for p in rendered for what in safety.scripts(p)] + loose
    require(bool(sources and rendered and packages) and not found, f"not safe to open: {found}")
    return {
        "modules and notebooks that load no executable format": len(sources),
        "rendered notebooks without scripts": len(rendered),
        "packages pinned by hash": packages,
    }


def _long(folder: Path, number: int, seed: int) -> dict[str, float]:
    grown = grow(folder, trials=number)
    return {
        "trials in one study": number,
        "journal": grown["bytes_per_trial"],
        "memory growth": grown["mb_per_trial"],
    }


# --- the whole --------------------------------------------------------------------------------------------------------


class Record:
    """The counts so far, in a file that survives a kill.

    Parameters
    ----------
    path : pathlib.Path
    budget : mapping
        Counts of another budget or other code do not count.
    """

    def __init__(self, path: Path, budget: Mapping[str, Any]) -> None:
        head = {"code": provenance.code_hash(Path(__file__), paths.HELPERS / "reproduce.py"), **budget}
        self.path, self.done, self.known = path, {}, lines.Scan()
        if path.exists():
            self.known = lines.scan(path)
            lines.repair(path, self.known)
            content = [json.loads(line) for line in path.read_bytes().splitlines()]
            if content and {k: v for k, v in content[0].items() if k != "sum"} == head:
                self.done = {}
                for one in content[1:]:
                    self.done.setdefault(one["part"], []).append(one)
                self.known = lines.Scan(self.known.lines, self.known.size, self.known.running)
                return
            path.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.known = lines.append(path, [head], lines.Scan())

    def add(self, part: str, number: int, counts: Mapping[str, float], seconds: float) -> None:
        one = {"part": part, "number": number, "counts": dict(counts), "seconds": round(seconds, 1)}
        self.known = lines.append(self.path, [one], self.known)
        self.done.setdefault(part, []).append(one)

    def number(self, part: str) -> int:
        return sum(one["number"] for one in self.done.get(part, []))

    def totals(self) -> dict[str, float]:
        """Every count summed over the batches."""
        found: dict[str, float] = {}
        for one in (one for batches in self.done.values() for one in batches):
            for what, number in one["counts"].items():
                found[what] = found.get(what, 0) + number
        found["kills survived in all"] = sum(found.get(what, 0) for what in KILLS.values())
        found["time"] = sum(one["seconds"] for batches in self.done.values() for one in batches) / 60
        return found


def run(folder: Path, *, kills: int, fuzz: int, trials: int, minutes: float) -> Iterator[tuple[str, dict[str, float]]]:
    """Cause every fault, going on where an earlier run was; (part, its last batch's counts) as they come.

    Ends early when `minutes` are over: `Record.totals` then lacks counts.

    Raises
    ------
    Broken
        If a promise does not hold.
    """
    record = Record(folder / "counts.jsonl", {"kills": kills, "fuzz": fuzz, "trials": trials})
    started, work = time.monotonic(), folder / "work"
    for part in parts(folder / "smoke", kills=kills, fuzz=fuzz, trials=trials):
        while (done := record.number(part.name)) < part.wanted:
            if time.monotonic() - started > 60 * minutes:
                return
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            begun, number = time.monotonic(), min(part.batch, part.wanted - done)
            counts = part.cause(work, number, done)
            record.add(part.name, number, counts, time.monotonic() - begun)
            yield part.name, counts
    shutil.rmtree(work, ignore_errors=True)


def write(found: Mapping[str, float], path: Path) -> None:
    """The counts as a CSV table with the columns promise (1 to 10), what, number, unit.

    Raises
    ------
    ValueError
        If one of `COUNTS` is missing: a promise without its figure.
    """
    missing = [what for what in COUNTS if what not in found]
    if missing:
        raise ValueError(f"Not counted: {', '.join(missing)}.")
    frame = pd.DataFrame([(n, what, found[what], unit) for what, (n, unit) in COUNTS.items()])
    frame.columns = ["promise", "what", "number", "unit"]
    frame["number"] = [f"{n:.0f}" if float(n).is_integer() or n >= 100 else f"{n:.3g}" for n in frame["number"]]
    frame["promise"] = [str(n) if n else "" for n in frame["promise"]]
    figures.write_aside(path, frame.to_csv(index=False, lineterminator="\n").encode())


UNCOUNTED = """\
- **Kill it at any moment and start it again.** The record is that of an undisturbed run; at most the trial in flight is
  trained again.
- **A bad trial is one failed record** with its reason; the study goes on and counts its failures at the end.
- **Damage is found, named and contained.** Every line of a record has a checksum; `make doctor` checks all that is kept
  and says what to do; `make doctor REPAIR=file` keeps what was recorded before the damage.
- **Two at once** take turns, or the second is told that another is at work.
- **Bad closes are refused in one sentence that names the line**, or read right.
- **The frozen closes stay**, whatever Yahoo Finance answers; the difference is shown, and `FORCE=1` accepts it.
- **A full disk or a read-only folder** is said in a sentence; what was there before stays.
- **Same seed, same tables**, byte for byte but for times and memory.
- **Safe to open.** Nothing that travels can run code, and no rendered notebook needs trust. `pipx run pip-audit
  --require-hashes --disable-pip -r requirements.lock` lists known vulnerabilities of the pinned packages.
- **Long studies stay small**: memory is flat over hundreds of trials.

`make test` causes each fault a few times. The long run that counts, `make endure`, has not been
made for this version."""


def promises(path: str | Path = paths.ROOT / "figures" / "tables" / "endure.csv") -> str:
    """The README's section "What it promises", with the counts of the last endurance run; without, if there was none.

    Raises
    ------
    KeyError
        If the table lacks a count.
    """
    if not Path(path).exists():
        return UNCOUNTED
    with open(path, newline="", encoding="utf-8") as file:
        counted = {row["what"]: float(row["number"]) for row in csv.DictReader(file)}
    counted |= safe()  # a matter of a second, so of what is there now
    n = {what: f"{number:,.0f}" for what, number in counted.items()}
    committed, nudged = "committed trials trained again", "trained again from start weights rounded otherwise"
    share = counted["of these within the tolerance"] / counted[nudged]
    return "\n".join(
        [
            "- **Kill it at any moment and start it again.** The record is that of an undisturbed run; at most the "
            f"trial in flight, one a worker, is trained again ({n['kills survived in all']} random kills among the "
            f"trainings survived, {n[KILLS['reproduction']]} of them of whole reproductions).",
            "- **A bad trial is one failed record.** An exception, a NaN, a kill by the system, too much memory or "
            "time, or a hang fails that trial with the reason "
            f"({n['bad trials of six kinds, each one failed record']} tried); the study goes on and counts its "
            "failures at the end. If the first five all fail, it stops and says why.",
            "- **Damage is found, named and contained.** Every line of a record has a checksum "
            f"({n['damaged journals and ledgers, each found and named']} randomly damaged journals and ledgers, "
            f"{n['damaged figures, tables, notebooks and forecasts, each named']} damaged figures, tables, notebooks "
            "and forecasts, each found). `make doctor` checks closes, records, forecasts, figures, tables and "
            "notebooks, and says what to do; `make doctor REPAIR=file` keeps all that was recorded before the damage.",
            "- **Two at once.** Processes on one study take turns, without lost or doubled trials "
            f"({n['studies shared by three processes, no trial lost or doubled']} studies shared by three); a second "
            "one on a ledger or `make reproduce` in the same folder is told that another is at work.",
            "- **Bad closes are refused in one sentence that names the line**, or read right "
            f"({n['files of closes, malformed or in unusual dress']} malformed or unusual files, "
            f"{n['of these read, with the right closes']} of them to be read; "
            f"{n['cells that are no close or no date, each refused by its line']} cells that are no close or no date).",
            "- **The frozen closes stay.** A failing, limited or changed Yahoo Finance never replaces them "
            f"({n['faulty answers of Yahoo Finance, the frozen closes untouched']} faulty answers tried); the "
            "difference is shown, and `FORCE=1` accepts it.",
            "- **A full disk or a read-only folder** is said in a sentence; what was there before stays "
            f"({n['writes cut off by a full disk, what was there before intact']} writes cut off at a random byte).",
            "- **Same seed, same tables**, byte for byte but for times and memory "
            f"({n['tables equal in two runs of the profile smoke, byte for byte']} tables in two runs). Of "
            f"{n[committed]} committed trials trained again "
            f"{n['of these with the recorded MSE, to the last bit']} have the recorded MSE to the last bit, "
            "and with the instructions of other x86-64 processors "
            f"{n['of these with the recorded MSE, to the last bit, too']} of "
            f"{n['trained again as on other x86-64 processors']}. A machine that rounds the start weights otherwise "
            f"keeps {100 * share:.0f} % of the MSEs within {100 * machines.TOLERANCE:.1f} % ({n[nudged]} tried)"
            + ("; the rest, with high learning rates, are chaotic." if share < 1 else "."),
            "- **Safe to open.** Records and parameters are JSON, YAML data, CSV and arrays without objects; nothing "
            f"that travels can run code ({n['modules and notebooks that load no executable format']} modules and "
            f"notebooks checked), and no rendered notebook needs trust. {n['packages pinned by hash']} packages are "
            "pinned by hash; `pipx run pip-audit --require-hashes --disable-pip -r requirements.lock` lists their "
            "known vulnerabilities.",
            f"- **Long studies stay small:** {n['trials in one study']} trials write {n['journal']} bytes a trial, and "
            f"memory grows by {counted['memory growth']:.2g} MB a trial.",
            "",
            f"`make test` causes each fault a few times; `make endure` as often as said here, in {n['time']} minutes; "
            "stopped, it goes on where it was.",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 0 if every promise held, 1 if one did not, 3 if the time was over before all was counted."""
    parser = argparse.ArgumentParser(prog="python -m helpers.endure", description="Cause the faults and count.")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after so many; run it again to go on")
    parser.add_argument("--kills", type=int, default=100, help="kills of studies, ledgers and reproductions")
    parser.add_argument("--fuzz", type=int, default=10_000, help="malformed files of closes")
    parser.add_argument("--trials", type=int, default=500, help="trials of the long study")
    parser.add_argument("--output", default="build/endure", help="working folder, relative to the repository")
    parser.add_argument("--table", default="figures/tables/endure.csv", help="where the counts go")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in ("helpers.study", "helpers.lines", "helpers.ledger", "optuna"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    folder = paths.ROOT / options.output
    if folder.exists() and not (folder / ".endure").exists() and any(folder.iterdir()):
        parser.error(f"{options.output} holds other things; name an empty folder.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".endure").touch()
    budget = {"kills": options.kills, "fuzz": options.fuzz, "trials": options.trials}
    try:
        for part, counts in run(folder, minutes=options.minutes, **budget):
            log.info("%s: %s", part, "; ".join(f"{what} {number:,.4g}" for what, number in counts.items()) or "done")
    except Broken as error:
        log.error("Broken: %s.", error)
        return 1
    record = Record(folder / "counts.jsonl", budget)
    if any(record.number(part.name) < part.wanted for part in parts(folder / "smoke", **budget)):
        log.info("%g minutes are over; the same command goes on where this one stopped.", options.minutes)
        return 3
    write(record.totals(), paths.ROOT / options.table)
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    from helpers import endure  # under this name the processes that it starts know it

    __spec__ = None  # else each of them would run this module again under its name, with a warning
    sys.exit(endure.main())
