"""A process that follows its parent, and what a reproduction starts, which does."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil

from helpers import paths

ENVIRONMENT = os.environ | {"PYTHONPATH": str(paths.ROOT)}


def gone(pid: int, seconds: float = 15.0) -> bool:
    until = time.monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def wait_for(path, seconds: float = 90.0) -> str:
    until = time.monotonic() + seconds
    while not (path.is_file() and path.read_text().endswith(".")):
        assert time.monotonic() < until, f"{path.name} was never written"
        time.sleep(0.1)
    return path.read_text()[:-1]


def test_a_module_is_run_as_by_python_and_passes_its_exit_status_on(tmp_path):
    (tmp_path / "some.py").write_text("import sys\nprint(__name__, sys.argv[1:])\nsys.exit(3)\n")
    command = [sys.executable, "-m", "helpers.lifeline", str(os.getpid()), "some", "a", "-b"]
    search = os.pathsep.join([str(tmp_path), str(paths.ROOT)])
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": search}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3 and done.stdout == "__main__ ['a', '-b']\n", done.stderr


def test_it_ends_with_its_parent(tmp_path):
    written = tmp_path / "pid"
    work = f"import os, time; open({str(written)!r}, 'w').write(str(os.getpid()) + '.'); time.sleep(100)"
    parent = subprocess.Popen(
        [
            sys.executable, "-c",
            "import os, subprocess, sys\n"
            "subprocess.run([sys.executable, '-m', 'helpers.lifeline', str(os.getpid()), 'timeit', '-n1', '-r1', "
            f"{work!r}])",
        ],
        env=ENVIRONMENT,
    )  # fmt: skip
    pid = int(wait_for(written))
    parent.kill()
    parent.wait()
    assert gone(pid)


def test_a_notebook_ends_when_the_reproduction_that_started_it_is_killed_alone(tmp_path):
    """Its kernel would go on training in a folder that the next reproduction may hold."""
    written = tmp_path / "pids"
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    (notebooks / "sleepy.py").write_text(
        "# %% tags=['parameters']\nprofile = 'x'\n\n# %%\nimport os, time\n\n"
        f"open({str(written)!r}, 'w').write(f'{{os.getpid()}} {{os.getppid()}}.')\ntime.sleep(100)\n".replace("'", '"')
    )
    driver = subprocess.Popen(
        [
            sys.executable, "-c",
            "from pathlib import Path\nfrom helpers import paths, reproduce\n"
            f"paths.NOTEBOOKS = Path({str(notebooks)!r})\noutputs = paths.Outputs(Path({str(tmp_path)!r}))\n"
            "step = reproduce.Step('sleepy', '', {'profile': 'x'}, outputs)\n"
            "with reproduce.lock(outputs):\n    reproduce.run([step])",
        ],
        env=ENVIRONMENT, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    kernel, papermill = map(int, wait_for(written).split())
    driver.kill()
    driver.wait()
    assert gone(papermill) and gone(kernel)
