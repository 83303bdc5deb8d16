"""JSON lines that tell when they are damaged.

The last key of every line, `"sum"`, is the start of the SHA-256 of that line and of all lines before it. A flipped
byte, foreign text, a line lost, doubled or moved: the first line that no longer follows from those before it is found.
What a process killed while writing leaves behind, a last line without its end, is told apart from that.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from helpers import paths

logger = logging.getLogger(__name__)

_TAIL = re.compile(rb',"sum":"([0-9a-f]{16})"\}\n\Z')


@dataclass(frozen=True)
class Scan:
    """What a file of lines holds, up to the first damage.

    Attributes
    ----------
    lines : int
        Whole lines.
    size : int
        Bytes of them: where the damage begins, or the file's size.
    running : str
        What the sum of the next line builds on.
    damage : str
        What is wrong with the line after them; empty if nothing.
    cut : bool
        Whether that line is merely incomplete, as a process killed while writing leaves it.
    """

    lines: int = 0
    size: int = 0
    running: str = ""
    damage: str = ""
    cut: bool = False


def _step(running: str, body: bytes) -> str:
    return hashlib.sha256(running.encode() + body).hexdigest()[:16]


def encode(records: Iterable[Mapping[str, Any]], running: str = "") -> tuple[bytes, str]:
    """Records as lines with sums, to follow those whose running sum is `running`; and the running sum after them."""
    parts = []
    for record in records:
        body = json.dumps(record, separators=(",", ":")).encode().removesuffix(b"}")
        running = _step(running, body)
        parts.append(body + b',"sum":"' + running.encode() + b'"}\n')
    return b"".join(parts), running


def scan(path: str | Path, *, after: Scan | None = None, is_record: Callable[[Any], bool] | None = None) -> Scan:
    """Read a file up to its first damage.

    Parameters
    ----------
    path : path
    after : Scan, optional
        A sound scan of the file's first lines; only what follows is read.
    is_record : callable, optional
        Whether a line's content, a dictionary, can be a record.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    found = after or Scan()
    with open(path, "rb") as file:
        file.seek(found.size)
        for line in file:
            damage, running = _judge(line, found.running, is_record)
            if damage:
                return replace(found, damage=damage, cut=not line.endswith(b"\n"))
            found = Scan(found.lines + 1, found.size + len(line), running)
    return found


def _judge(line: bytes, running: str, is_record: Callable[[Any], bool] | None) -> tuple[str, str]:
    """What is wrong with a line, given the running sum before it; and the running sum after it."""
    if not line.endswith(b"\n"):
        return "it is incomplete", ""
    try:
        content = json.loads(line)
        sound = isinstance(content, dict) and line.endswith(b"}\n") and (is_record is None or is_record(content))
    except (ValueError, RecursionError):
        sound = False
    if not sound:
        return "it is no record", ""
    tail = _TAIL.search(line)
    if tail is None:
        return "it has no checksum", ""
    running = _step(running, line[: tail.start()])
    return ("" if running == tail[1].decode() else "its checksum does not fit it and the lines before"), running


def append(path: Path, records: Sequence[Mapping[str, Any]], after: Scan) -> Scan:
    """Add records to a file that `after` is a sound scan of, in one write; the scan of the file with them.

    Where the write fails, a disk being full, the file is as it was.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    content, running = encode(records, after.running)
    with open(path, "ab", buffering=0) as file:
        try:
            if file.write(content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            os.fsync(file.fileno())
        except OSError:
            file.truncate(after.size)
            raise
    return Scan(after.lines + len(records), after.size + len(content), running)


def sound(path: Path, found: Scan, *, error: type[ValueError] = ValueError) -> Scan:
    """`found`, unless it ends with damage other than an incomplete last line.

    Raises
    ------
    error
        For such damage, with the number of the line and what to do.
    """
    if found.damage and not found.cut:
        raise error(
            f"{path.name}, line {found.lines + 1} is damaged, {found.damage}: restore the file, or keep the lines "
            f"before it with `make doctor REPAIR={os.path.relpath(path)}` and run it again."
        )
    return found


@contextlib.contextmanager
def writing(path: Path, *, error: type[ValueError] = ValueError) -> Iterator[None]:
    """While a file is written: a disk that is full or a folder that cannot be written is said in one sentence.

    Raises
    ------
    error
        Instead of the system's error.
    """
    try:
        yield
    except OSError as failure:
        if failure.errno not in paths.UNWRITABLE:
            raise
        raise error(
            f"{path.name} cannot be written: {failure.strerror}; the trials that are recorded stay, and the same "
            "command goes on from there."
        ) from failure


def repair(path: Path, found: Scan) -> bool:
    """Cut a file off where its scan `found` ends, if it ends with damage; whether it did.

    The whole lines before the damage stay; the file as it was is copied to `<name>.damaged` beside it.
    """
    if not found.damage:
        return False
    copy = cut(path, found.size)
    logger.warning(
        "%s is cut off from line %d on: %s; the file as it was: %s.",
        path.name,
        found.lines + 1,
        found.damage,
        copy.name,
    )
    return True


def cut(path: Path, size: int) -> Path:
    """Keep the first `size` bytes of a file; returns the copy of the file as it was, `<name>.damaged` beside it.

    An earlier `.damaged` copy is not overwritten: `.damaged-2` and so on.
    """
    copy, number = path.with_name(f"{path.name}.damaged"), 1
    while copy.exists():
        number += 1
        copy = path.with_name(f"{path.name}.damaged-{number}")
    try:
        shutil.copyfile(path, copy)
        with open(path, "r+b") as file:
            file.truncate(size)
            os.fsync(file.fileno())
    except OSError:
        if path.stat().st_size > size:
            copy.unlink(missing_ok=True)
        raise
    return copy
