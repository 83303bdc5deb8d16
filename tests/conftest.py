"""Small fixtures shared by the tests: closes, datasets. None needs a network or the frozen download."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import paths
from helpers.prices import Prices, closes_sha256, load
from helpers.windows import Dataset, protocol


def make_prices(n: int = 400, *, seed: int = 0, symbol: str = "^TEST") -> Prices:
    """`n` synthetic closes: a geometric random walk from 100 over weekdays from 2000-01-03 on."""
    steps = np.random.default_rng(seed).normal(0.0005, 0.01, n)
    index = pd.bdate_range("2000-01-03", periods=n, name="Date")
    close = pd.Series(100 * np.exp(np.cumsum(steps)), index=index, name="Close")
    return Prices(symbol, close, "file", closes_sha256(close), f"{symbol} synthetic closes, {n} rows")


def all_cores() -> dict[str, str]:
    """The environment without the one thread that `make test` gives linear algebra: for tests of what more would do."""
    return {k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The notebooks, which take longest, first: `make test` gives whole files to its workers in this order."""
    items.sort(key=lambda item: item.path.name != "test_notebooks.py")


@pytest.fixture(scope="session")
def short_prices() -> Prices:
    """400 synthetic closes."""
    return make_prices()


@pytest.fixture(scope="session")
def packaged() -> Prices:
    """The S&P 500 closes packaged with great_tables, 1950 to 2015."""
    return load(source="packaged")


@pytest.fixture(scope="session")
def short_dataset(short_prices: Prices) -> Dataset:
    """400 closes, windows of up to 20 days, under `described`: 300 training and 80 test targets."""
    return Dataset(short_prices, protocol("described"), max_sequence_length=20)


@pytest.fixture(scope="session")
def dataset(packaged: Prices) -> Dataset:
    """The packaged series under `described`, windows of up to 250 days."""
    return Dataset(packaged, protocol("described"))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what a reader's commands may change or use, with this environment."""
    for name in ("helpers", "tests"):
        shutil.copytree(paths.ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "notebooks").mkdir()
    for path in paths.NOTEBOOKS.glob("*.py"):
        shutil.copy(path, tmp_path / "notebooks")
    shutil.copytree(paths.PARAMS, tmp_path / "notebooks" / "params")
    shutil.copytree(paths.PUBLISHED, tmp_path / "data" / "published")
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(paths.ROOT / name, tmp_path)
    os.utime(tmp_path / "requirements.lock", (0, 0))  # the environment is up to date
    (tmp_path / ".venv").symlink_to((paths.ROOT / ".venv").resolve())
    return tmp_path


@pytest.fixture
def nfs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks as on NFS, where only a file that is open for writing can be locked against all others (flock(2))."""
    flock = fcntl.flock

    def on_nfs(file, operation):
        exclusive, mode = operation & fcntl.LOCK_EX, fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE
        if exclusive and mode == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", on_nfs)


@pytest.fixture(autouse=True, scope="session")
def outside_of_make():
    """`make test` says to the makes that tests start that they are parts of it; they then print other lines."""
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"):
        os.environ.pop(name, None)
