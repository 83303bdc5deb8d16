"""The three descriptions of the environment agree: requirements.in, requirements.lock, environment.yml."""

import re

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
