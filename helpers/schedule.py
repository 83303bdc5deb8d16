"""How long a reproduction will take, said before it starts, and what it took, said when it ends.

`notebooks/minutes.json` holds, for each profile that was timed, the minutes of every notebook on one machine and the
seconds that `calibrate` took there; the ratio of these seconds to those of the reader's machine scales the plan. A run
that trained everything from nothing writes its own minutes into the folder that it writes its results to, and they
serve the next one there.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from helpers import figures, paths, progress, provenance, windows
from helpers.paths import Outputs

if TYPE_CHECKING:
    from helpers.prices import Prices

log = logging.getLogger(__name__)

FILE = "notebooks/minutes.json"
CALIBRATE_OVER = 5.0  # minutes of the plan from which on it is worth the seconds
CALIBRATION_LIMIT = 20.0  # s for the trainings that are timed
STATE_EVERY = 60.0  # s between two lines on what runs, in a log


@dataclass(frozen=True)
class Expectation:
    """What a plan will take.

    Attributes
    ----------
    minutes : dict
        Name of a step -> minutes on this machine, from nothing; steps that were never timed are left out.
    factor : float
        This machine's seconds over the reference's, for the same work.
    calibrated : float
        What `calibrate` found, in seconds; NaN if this machine was not timed, so that the minutes are those of another.
    machine : str
        The machine that was timed at first.
    """

    minutes: Mapping[str, float]
    factor: float = 1.0
    calibrated: float = math.nan
    machine: str = ""


# Reference minutes.


def read(outputs: Outputs, profile: str) -> dict[str, Any]:
    """The recorded minutes of a profile: those of this folder, else the repository's; another profile's budgets differ.

    Returns
    -------
    dict
        `machine`, `calibration_seconds` (None where there was none), `minutes` by step and `whole`, the minutes of the
        run from its start to its end (None where they are not known); empty if there are none.
    """
    for root in (outputs.root, paths.ROOT):
        found = _file(root).get(profile)
        if found:
            return found
    return {}


def _file(root: Path) -> dict[str, Any]:
    try:
        content = json.loads((root / FILE).read_text(encoding="utf-8"))
        return {
            profile: {
                "machine": str(record["machine"]),
                "calibration_seconds": _positive(record["calibration_seconds"]),
                "minutes": {str(name): float(minutes) for name, minutes in record["minutes"].items()},
                "whole": _positive(record.get("whole")),
            }
            for profile, record in content.items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}  # an estimate alone is lost


def _positive(value: Any) -> float | None:
    return float(value) if value is not None and float(value) > 0 else None


def learn(
    outputs: Outputs, profile: str, minutes: Mapping[str, float], calibrated: float, *, whole: float | None = None
) -> None:
    """Record the minutes of a run that trained everything from nothing: of every step, and of the `whole`."""
    content = _file(outputs.root)
    machine = provenance.machine()
    content[profile] = {
        "machine": f"{machine['cpu']}, {machine['cores']} cores",
        "calibration_seconds": round(calibrated, 2) if math.isfinite(calibrated) else None,
        "minutes": {name: round(value, 2) for name, value in minutes.items()},
        "whole": whole if whole is None else round(whole, 1),
    }
    figures.write_aside(outputs.root / FILE, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())


# This machine.


def calibrate(*, limit: float = CALIBRATION_LIMIT) -> float:
    """Seconds of a fixed piece of training with the fast engine on one core; NaN if it cannot be done in `limit` s.

    The work is ten epochs of a wide and of a deep LSTM on 6,000 synthetic closes, the faster of two runs each, in a
    worker process of its own. The worker is ready before the clock starts: in a new checkout it compiles the fast
    engine first, which takes up to a minute and says nothing of how fast it trains.
    """
    import pandas as pd

    from helpers.prices import Prices, closes_sha256
    from helpers.space import LstmConfig
    from helpers.trial import Evaluator, WorkerError
    from helpers.windows import Dataset, protocol

    steps = np.random.default_rng(0).normal(0.0003, 0.01, 6_000)
    index = pd.bdate_range("1990-01-01", periods=len(steps), name="Date")
    close = pd.Series(100 * np.exp(np.cumsum(steps)), index=index, name="Close")
    closes: Prices = Prices("^TEST", close, "file", closes_sha256(close), "synthetic closes")
    dataset = Dataset(closes, protocol("described"), max_sequence_length=30)
    configs = (LstmConfig(1, 40, 0.001, 32, 30, 0.1), LstmConfig(6, 6, 0.001, 16, 30, 0.1))
    best = dict.fromkeys(configs, math.inf)
    try:
        with Evaluator() as worker:
            worker.evaluate(replace(configs[0], units=1), dataset, epochs=1, seed=0, engine="fast")
            until = time.monotonic() + limit
            for config in (*configs, *configs):
                left = until - time.monotonic()
                if left <= 0:
                    break
                done = worker.evaluate(config, dataset, epochs=10, seed=0, engine="fast", time_limit=left)
                if done.ok:
                    best[config] = min(best[config], done.seconds)
    except WorkerError as error:
        log.info("This machine could not be timed: %s", error)
    total = sum(best.values())
    return total if math.isfinite(total) else math.nan


def expect(names: Sequence[str], outputs: Outputs, profile: str) -> Expectation:
    """The minutes that the steps `names` will take on this machine; calibrates where that is worth it."""
    record = read(outputs, profile)
    known = {name: record["minutes"][name] for name in names if name in record.get("minutes", {})}
    if profile == "smoke" or sum(known.values()) < CALIBRATE_OVER:
        return Expectation(known, machine=record.get("machine", ""))
    log.info("Timing this machine: a few seconds, in a new checkout a minute ...")
    seconds, reference = calibrate(), record["calibration_seconds"]
    factor = seconds / reference if reference and math.isfinite(seconds) else 1.0
    return Expectation({n: m * factor for n, m in known.items()}, factor, seconds, record["machine"])


def makespan(steps: Sequence[Any], minutes: Mapping[str, float], jobs: int) -> float:
    """Minutes until all steps are done, at most `jobs` at a time, each after those it needs.

    Parameters
    ----------
    steps : sequence
        With `name` and `needs`; begun in this order as soon as they may.
    minutes : mapping
        Name -> minutes; a step that is missing counts as none.
    jobs : int
    """
    waiting, running, done, now = list(steps), {}, set(), 0.0
    names = {step.name for step in steps}
    while waiting or running:
        for step in list(waiting):
            if len(running) < jobs and all(name in done or name not in names for name in step.needs):
                running[step.name] = now + minutes.get(step.name, 0.0)
                waiting.remove(step)
        if not running:
            break  # steps that wait for each other
        first = min(running, key=running.__getitem__)
        now = running.pop(first)
        done.add(first)
    return now


# What is said.


def plan_text(steps: Sequence[Any], expected: Expectation, jobs: int) -> str:
    """The plan, one line a step, with the minutes each takes at most: what is recorded already is not trained again.

    Steps that were never timed make the total a lower bound, and it says how many they are.
    """
    rows = [f"{_minutes(expected.minutes.get(step.name)):>9} min  {step.name}" for step in steps]
    total = makespan(steps, expected.minutes, jobs)
    missing = sum(step.name not in expected.minutes for step in steps)
    if not steps[0].parameters.get("train", True):
        head = "Plan; nothing is trained:"
    elif missing == len(steps):
        head = "Plan; how long it takes has not been measured yet:"
    else:
        where = "on this machine"
        if math.isfinite(expected.calibrated):
            where += f", which takes {expected.factor:.2g} times as long as {expected.machine}"
        elif expected.machine:
            where = f"on {expected.machine}; this machine was not timed"
        untimed = f"{missing} of {len(steps)} notebooks were never timed"
        less = "less where records are there already"
        if missing and total < 1:
            head = f"Plan; {untimed}, the others take about a minute:"
        elif missing:
            head = f"Plan, at least {total:.0f} minutes {where}; {untimed}; {less}:"
        elif total < 1:
            head = "Plan, about a minute:"
        else:
            head = f"Plan, about {total:.0f} minutes {where}; {less}:"
    return "\n".join([head, *rows])


def summary_text(
    steps: Sequence[Any],
    done: Mapping[str, str],
    took: Mapping[str, float],
    expected: Expectation,
    since: float,
    profile: str,
) -> str:
    """What was made: each step with its minutes and those expected, and where the results lie.

    Parameters
    ----------
    steps : sequence of reproduce.Step
    done : mapping
        Name of a step -> "" or why it failed.
    took : mapping
        Name of a step -> minutes, for those that ran.
    expected : Expectation
    since : float
        When the run began, seconds since the epoch: files changed later are its own.
    profile : str
    """
    rows = [f"{'minutes':>9}  {'at most':>7}  step"]
    for step in steps:
        outcome = "" if not done.get(step.name, "not run") else "  FAILED" if step.name in took else "  not run"
        at_most = _minutes(expected.minutes.get(step.name))
        rows.append(f"{_minutes(took.get(step.name)):>9}  {at_most:>7}  {step.name}{outcome}")
    outputs = steps[0].outputs
    made = [
        (outputs.figures, "*.png", "figures"),
        (outputs.tables, "*.csv", "tables"),
        (outputs.rendered, "*.ipynb", "rendered notebooks"),
        (outputs.studies(profile), "*", "files of records"),
    ]
    for folder, pattern, what in made:
        new = sum(f.stat().st_mtime >= since for f in folder.glob(pattern) if f.is_file())
        rows.append(f"{new:>9}  {what} in {_shown(folder)}/")
    rows.append(f"{'':>9}  every item: {_shown(outputs.figures / 'INDEX.md')}")
    return "\n".join(rows)


def _shown(path: Path) -> str:
    return os.path.relpath(path, paths.ROOT) if path.is_relative_to(paths.ROOT) else str(path)


def _short(name: str) -> str:
    """A step in few letters: 02 described."""
    number, _, rest = name.partition("_")
    protocol = next((p for p in windows.PROTOCOLS if rest.endswith(f"_{p}")), "")
    return f"{number} {protocol}".strip() if number.isdigit() else name


def _minutes(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f}"


class Watch:
    """What a running reproduction shows: a line redrawn in a terminal, whole lines in a log.

    Parameters
    ----------
    steps : sequence of reproduce.Step
    expected : Expectation
    jobs : int
    file : text file, optional
        Standard output unless given.
    """

    def __init__(self, steps: Sequence[Any], expected: Expectation, jobs: int, *, file: TextIO | None = None) -> None:
        self.steps, self.expected, self.jobs = list(steps), expected, jobs
        self.took: dict[str, float] = {}
        self._file = sys.stdout if file is None else file
        self._redraws = progress.kind(self._file) == "terminal"
        self._began = self._drawn = time.monotonic()
        self._ended: set[str] = set()

    def left(self, running: Mapping[str, float]) -> float:
        """Minutes left, given the minutes that each running step has run; NaN where a step was never timed."""
        rest = [step for step in self.steps if step.name not in self._ended]
        if any(step.name not in self.expected.minutes for step in rest):
            return math.nan
        minutes = {s.name: max(self.expected.minutes[s.name] - running.get(s.name, 0.0), 0.0) for s in rest}
        return makespan(rest, minutes, self.jobs)

    def ended(self, name: str, said: str, minutes: float | None = None) -> None:
        """A step has ended, or will not run (`minutes` None); one line."""
        self._ended.add(name)
        if minutes is not None:
            self.took[name] = minutes
        if self._redraws:
            self._file.write("\r\x1b[K")
            self._file.flush()
        log.info("%-34s %s", name, said if minutes is None else f"{said}, {minutes:.1f} min")

    def tick(self, running: Mapping[str, tuple[float, str]]) -> None:
        """Say how it stands: name of a running step -> (minutes it has run, what it last said)."""
        now = time.monotonic()
        if now - self._drawn < (1.0 if self._redraws else STATE_EVERY):
            return
        self._drawn = now
        left = self.left({name: minutes for name, (minutes, _) in running.items()})
        text = f"{len(self._ended)} of {len(self.steps)} done, {progress.clock(now - self._began)} gone"
        if math.isfinite(left):
            text += f", about {max(left, 1):.0f} min left" if running else ""
        text += "".join(f" | {_short(name)}: {said or 'starts'}" for name, (_, said) in running.items())
        if self._redraws:
            try:
                width = os.get_terminal_size(self._file.fileno()).columns
            except (OSError, ValueError):
                width = 80
            self._file.write(f"\r{text[: width - 1]}\x1b[K")
            self._file.flush()
        else:
            log.info("%s", text)

    def close(self) -> None:
        """Leave the terminal's line empty."""
        if self._redraws:
            self._file.write("\r\x1b[K")
            self._file.flush()
