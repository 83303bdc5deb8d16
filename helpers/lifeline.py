"""A process that ends with the one that started it, however that ends: `python -m helpers.lifeline PARENT MODULE ...`.

What a reproduction starts would otherwise go on training when it is killed, in a folder that is free again.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
import time


def end_with(parent: int, *, every: float = 1.0) -> None:
    """End this process soon after its parent, also when it is busy; returns at once.

    Parameters
    ----------
    parent : int
        Process number.
    every : float
        Seconds between two looks.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(every)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Run a module as `python -m` does, to its end or that of the parent."""
    parent, module, *arguments = sys.argv[1:]
    end_with(int(parent))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
