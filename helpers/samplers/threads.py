"""Linear algebra on one thread, for samplers of which several may think at the same time."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_within = 0  # threads that are inside `one_thread`
_limits: list[tuple[ThreadpoolController, Any]] = []  # what was limited, in this order, and how it was before
_found: tuple[int, ThreadpoolController] | None = None  # by the number of modules that were loaded


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Within it, BLAS and OpenMP use one thread: sums in one order, so that the same numbers come out on any machine.

    The limit belongs to the process. So the first thread that enters sets it and the last one that leaves restores what
    was there before; `threadpool_limits` alone, entered by threads that overlap, would leave one thread for good.

    It reaches the libraries that are loaded. Whoever loads more within it enters it again.
    """
    global _within
    with _lock:
        found = _libraries()
        if not _limits or _limits[-1][0] is not found:
            _limits.append((found, found.limit(limits=1)))
        _within += 1
    try:
        yield
    finally:
        with _lock:
            _within -= 1
            while _limits and not _within:
                _limits.pop()[1].restore_original_limits()


def _libraries() -> ThreadpoolController:
    """The loaded libraries; looked up again, which takes milliseconds, where modules have been loaded since."""
    global _found
    modules = len(sys.modules)
    if _found is None or _found[0] != modules:
        _found = modules, ThreadpoolController()
    return _found[1]
