"""The three descriptions of the environment agree: requirements.in, requirements.lock, environment.yml."""

import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from helpers import paths

CONDA = yaml.safe_load((paths.ROOT / "environment.yml").read_text())["dependencies"]
CONDA_PYTHON = next(d.removeprefix("python=") for d in CONDA if isinstance(d, str) and d.startswith("python="))


def named() -> set[str]:
    """Packages that requirements.in names."""
    lines = (paths.ROOT / "requirements.in").read_text().splitlines()
    return {canonicalize_name(Requirement(line.split("#")[0]).name) for line in lines if line.split("#")[0].strip()}


def locked(python: str) -> dict[str, str]:
    """Versions that requirements.lock installs for one version of Python."""
    marker = default_environment() | {"python_version": python, "python_full_version": f"{python}.9"}
    lines = re.findall(r"^([a-zA-Z0-9].*?)\s*\\$", (paths.ROOT / "requirements.lock").read_text(), flags=re.M)
    pins = [Requirement(line) for line in lines]
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in pins
        if pin.marker is None or pin.marker.evaluate(marker)
    }


def conda() -> dict[str, str]:
    """Versions that environment.yml installs with pip."""
    pins = [Requirement(line) for line in next(d["pip"] for d in CONDA if isinstance(d, dict))]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}


def test_conda_and_pip_install_the_same_versions():
    lock = locked(CONDA_PYTHON)
    assert conda() == {name: lock[name] for name in named()}


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_lock_pins_every_named_package_for_every_python(python):
    lock = locked(python)
    assert named() <= set(lock)
    assert all(str(Version(version)) == version for version in lock.values())


def test_every_pin_of_the_lock_has_hashes():
    entries = re.split(r"\n(?=[a-zA-Z0-9])", (paths.ROOT / "requirements.lock").read_text().split("\n", 1)[1])
    assert len(entries) > 100
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)


def test_the_running_interpreter_holds_the_locked_versions():
    import platform
    from importlib.metadata import version

    lock = locked(".".join(platform.python_version_tuple()[:2]))
    assert {name: version(name) for name in named()} == {name: lock[name] for name in named()}


def test_the_samplers_install_by_themselves_and_work_elsewhere(copy, tmp_path):
    """As the README says: `pip install path/to/this/folder`; here without a network, beside what is installed."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-index"]
    done = subprocess.run(
        [*pip, "--no-build-isolation", "--target", str(tmp_path / "site"), str(copy)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    code = (
        "import sys, optuna\n"
        "from helpers.samplers import BayesianSampler, GanSampler, GeneratorSampler, HybridSampler\n"
        "for one in (BayesianSampler, GanSampler, GeneratorSampler, HybridSampler):\n"
        "    study = optuna.create_study(sampler=one(seed=0))\n"
        "    study.optimize(lambda t: t.suggest_float('x', -1, 1) ** 2 + t.suggest_int('n', 1, 4), n_trials=4)\n"
        "needless = {'tensorflow', 'keras', 'pandas', 'matplotlib', 'numba'} & set(sys.modules)\n"
        "print(sys.modules['helpers'].__file__, needless)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "site" / "helpers" / "__init__.py"), "set()"]


def test_the_samplers_needs_are_met_by_the_lock():
    needs = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    lock = locked(CONDA_PYTHON)
    for need in map(Requirement, needs):
        assert need.specifier.contains(lock[canonicalize_name(need.name)]), need
