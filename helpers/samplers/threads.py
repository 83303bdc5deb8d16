"""Linear algebra on one thread, for samplers of which several may think at the same time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from threadpoolctl import threadpool_limits

_lock = threading.Lock()
_within = 0  # threads that are inside `one_thread`
_limits: threadpool_limits | None = None


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Within it, BLAS and OpenMP use one thread: sums in one order, so that the same numbers come out on any machine.

    The limit belongs to the process. So the first thread that enters sets it and the last one that leaves restores what
    was there before; `threadpool_limits` alone, entered by threads that overlap, would leave one thread for good.
    """
    global _within, _limits
    with _lock:
        if not _within:
            _limits = threadpool_limits(1)
        _within += 1
    try:
        yield
    finally:
        with _lock:
            _within -= 1
            if not _within and _limits is not None:
                _limits.restore_original_limits()
                _limits = None
