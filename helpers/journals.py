"""A study's journal: Optuna's append-only file of JSON lines, `<name>.journal`, that survives a kill and shows damage.

Several records reach the file in one write, every line has a checksum (`helpers.lines`), and processes that run one
study at once take turns.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import get_lock_file

from helpers import lines

logger = logging.getLogger(__name__)


class StudyError(ValueError):
    """A study that cannot be run or read; the message is one sentence for the reader."""


def journal_path(name: str, folder: str | Path) -> Path:
    """Where the study `name` is recorded.

    Raises
    ------
    StudyError
        For a name that cannot be part of a file's name.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise StudyError(f"A study's name is a file's name: letters, digits and _ . - only, not {name!r}.")
    return Path(folder) / f"{name}.journal"


class Journal(JournalFileBackend):
    """Optuna's journal file, with several records in one write and a checksum in every line.

    The lock is the kernel's: it goes when its holder is killed, where Optuna's own lock file would stay for 30 s.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), lock_obj=_FileLock(path))
        self._path = path
        self._waiting: list[dict[str, Any]] | None = None
        self._known = lines.Scan()

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        if self._waiting is not None:
            self._waiting += logs
        else:
            self._append(logs)

    def refresh(self) -> None:
        """Check what was written since the last look, and cut off what another process left incomplete."""
        found = lines.scan(self._path, after=self._known, is_record=is_record)
        lines.repair(self._path, lines.sound(self._path, found, error=StudyError))
        self._known = replace(found, damage="", cut=False)

    def _append(self, logs: list[dict[str, Any]]) -> None:
        """One write; where that fails, a disk being full, the file is as it was."""
        with get_lock_file(self._lock):
            self.refresh()
            lines.append(self._path, logs, self._known)

    @contextlib.contextmanager
    def one_write(self) -> Iterator[None]:
        """What is recorded meanwhile reaches the file at once at the end, or not at all if an exception comes first.

        Until then Optuna does not see it, so no new trial may begin meanwhile.
        """
        self._waiting = []
        try:
            yield
            logs = self._waiting
        finally:
            self._waiting = None
        if logs:
            self._append(logs)


class _FileLock:
    """Optuna's lock interface on the kernel's file lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None

    def acquire(self) -> bool:
        self._file = open(self._path, "r+b")  # NFS locks a file against others only where it is open for writing
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        self._file.close()


@contextlib.contextmanager
def held(journal: Path) -> Iterator[None]:
    """Hold the study against other processes, after waiting for one that holds it.

    The kernel lets go when this process ends, however it ends. It does not give a lock to who waits for it, though, but
    to who comes first, and that would mostly be who has just let go: so only one process at a time may wait, and who
    lets go has to wait for its place.

    Raises
    ------
    StudyError
        If this very process holds it: it would wait for itself.
    """
    told = False

    def taken(holder: str) -> None:
        nonlocal told
        if holder == str(os.getpid()):
            raise StudyError(f"The study {journal.stem!r} is being run by this process (pid {holder}).") from None
        if not told:
            logger.info("The study %r is also run by process %s: they take turns.", journal.stem, holder or "?")
            told = True

    with contextlib.ExitStack() as stack:
        with _locked(journal.with_suffix(".lock.next")):
            stack.enter_context(_locked(journal.with_suffix(".lock.held"), taken))
        yield


@contextlib.contextmanager
def _locked(path: Path, taken: Callable[[str], None] = lambda holder: None) -> Iterator[None]:
    """Hold the kernel's lock on a file that exists while somebody does; `taken` learns whom it has to wait for."""
    while True:
        with contextlib.ExitStack() as failed:
            file = failed.enter_context(open(path, "a+", encoding="utf-8"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                taken(file.read().strip())
                fcntl.flock(file, fcntl.LOCK_EX)
            # Between opening and locking, the holder before may have removed this file.
            with contextlib.suppress(FileNotFoundError):
                if os.stat(path).st_ino == os.fstat(file.fileno()).st_ino:
                    failed.pop_all()
                    break
    try:
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def repair(path: Path, *, damaged: bool = False) -> bool:
    """Cut off an incomplete last line, which a process killed while writing leaves behind; keep a `.damaged` copy.

    Parameters
    ----------
    path : pathlib.Path
        A journal.
    damaged : bool
        Whether to cut at damage of any kind: the lines before it stay, those after it are in the copy only.

    Returns
    -------
    bool
        Whether there was something to cut off.

    Raises
    ------
    StudyError
        For damage elsewhere, unless `damaged`, with the number of the line.
    """
    if not path.exists():
        return False
    found = lines.scan(path, is_record=is_record)
    return lines.repair(path, found if damaged else lines.sound(path, found, error=StudyError))


def is_record(content: dict[str, Any]) -> bool:
    """Whether a line of JSON is one of Optuna's records."""
    return "op_code" in content
