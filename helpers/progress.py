"""Progress of whatever takes longer than a few seconds: what is done, the best so far, the time left.

In a terminal and in a notebook one line is redrawn; in a log, where nothing can be, a line is written for a step, at
most one every few seconds. A process that waits for another (`helpers.reproduce` for a notebook) names a file in the
environment variable `PROGRESS_FILE`; the other's latest state stands there.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO, TypeVar

T = TypeVar("T")
STATE_FILE = "PROGRESS_FILE"
LOG_EVERY = 5.0  # s between two lines in a log; the first and the last step are always written
STATE_EVERY = 1.0  # s between two writes of the state
_FORMAT = "{desc}: {percentage:3.0f}% |{bar}| {elapsed}, about {remaining} left{postfix}"


class Bar:
    """A progress bar; a context manager.

    Parameters
    ----------
    steps : int
        Steps in all, with those done already.
    what : str
        What is being done, such as the name of a study.
    unit : str
        What one step is, in the singular.
    done : int
        Steps done already.
    work : float, optional
        Work still to do in any unit, where steps differ in length: the time left then counts work, not steps.
    shown : bool
        False shows nothing and writes nothing.
    redraw : bool
        False writes lines in a terminal too: nothing of tqdm (its lock, its thread) is in a process that forks.
    file : text file, optional
        Standard error unless given.
    """

    def __init__(
        self,
        steps: int,
        what: str,
        *,
        unit: str = "trial",
        done: int = 0,
        work: float | None = None,
        shown: bool = True,
        redraw: bool = True,
        file: TextIO | None = None,
    ) -> None:
        self.what, self.unit, self.steps, self.done = what, unit, steps, done
        self._file = sys.stderr if file is None else file
        self._shown, self._redraw = shown and done < steps, redraw
        self._total, self._worked = (float(steps - done) if work is None else float(work)), 0.0
        self._started = self._written = self._stated = time.monotonic()
        self._written -= LOG_EVERY
        self._stated -= STATE_EVERY
        self._text = ""
        self._bar: Any = None

    def __enter__(self) -> Bar:
        if self._shown and self._redraw and kind(self._file) != "log":
            from tqdm import tqdm

            self._bar = tqdm(
                total=max(self._total, 1e-9), desc=self.what, bar_format=_FORMAT, file=self._file, smoothing=0.05
            )
            self._bar.set_postfix_str(self._count())
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, by: int = 1, *, best: float = math.nan, failed: int = 0, work: float | None = None) -> None:
        """`by` more steps are done.

        Parameters
        ----------
        by : int
        best : float
            The least MSE so far; not finite: not shown.
        failed : int
            Steps that failed, in all.
        work : float, optional
            Work done by them, in the unit of the bar's `work`; `by` unless given.
        """
        amount = float(by if work is None else work)
        self.done += by
        self._worked += amount
        said = [self._count()]
        if math.isfinite(best):
            said.append(f"best MSE {best:.3g}")
        if failed:
            said.append(f"{failed} failed")
        self._text = ", ".join(said)
        if not self._shown:
            return
        now = time.monotonic()
        if self._bar is not None:
            self._bar.set_postfix_str(self._text, refresh=False)
            self._bar.update(amount)
        elif now - self._written >= LOG_EVERY or self.done >= self.steps:
            self._written = now
            self._file.write(self.line() + "\n")
            self._file.flush()
        if now - self._stated >= STATE_EVERY or self.done >= self.steps:
            self._stated = now
            _tell(f"{self.what} {self._text}")

    def line(self) -> str:
        """The state in one line: what, how much of it, the best so far, time gone and left."""
        gone = time.monotonic() - self._started
        left = gone * (self._total - self._worked) / self._worked if self._worked > 0 else math.nan
        text = f"{self.what}: {self._text or self._count()}, {clock(gone)} gone"
        return text + (f", about {clock(left)} left" if math.isfinite(left) and self.done < self.steps else "")

    def _count(self) -> str:
        return f"{self.done} of {self.steps} {plural(self.unit)}"


def each(items: Iterable[T], what: str, *, unit: str = "trial") -> Iterator[T]:
    """The items one by one, with a bar of them on standard error."""
    known = list(items)
    with Bar(len(known), what, unit=unit) as bar:
        for item in known:
            yield item
            bar.update()


def kind(file: TextIO) -> str:
    """`"terminal"`, `"notebook"` or `"log"`: how progress is shown on `file`."""
    if type(file).__module__.startswith("ipykernel"):
        return "notebook"
    try:
        return "terminal" if file.isatty() else "log"
    except (AttributeError, ValueError):
        return "log"


def clock(seconds: float) -> str:
    """Seconds as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def plural(unit: str) -> str:
    """Units in the plural: trials, studies, searches."""
    if unit.endswith("ch"):
        return unit + "es"
    return unit[:-1] + "ies" if unit.endswith("y") else unit + "s"


def state(path: str | Path) -> str:
    """What the process with `PROGRESS_FILE=path` last said; empty before it said anything."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _tell(text: str) -> None:
    path = os.environ.get(STATE_FILE)
    if path:
        with contextlib.suppress(OSError):  # a full disk must not end the work
            Path(path).write_text(text, encoding="utf-8")
