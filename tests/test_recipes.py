"""The recipes of docs/EXTENDING.md, done as printed in a copy of the repository."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from conftest import make_prices

from helpers import paths

TEXT = (paths.ROOT / "docs" / "EXTENDING.md").read_text("utf-8")
RECIPES = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S))


def follow(recipe: str, folder: Path) -> list[str]:
    """Do every block of a recipe in order; what each command block printed."""
    printed = []
    for language, block in re.findall(r"```(\w+)\n(.*?)```", RECIPES[recipe], re.S):
        if language == "python":
            target = folder / re.match(r"# (\S+\.py)\n", block)[1]
            target.write_text(block.partition("\n")[2])
            continue
        assert language == "sh", language
        environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
        done = subprocess.run(
            ["bash", "-ec", block],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=300,
            env=environment | {"PYTHONPATH": str(folder)},
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        printed.append(done.stdout)
    return printed


def test_there_are_three_recipes_and_each_has_commands():
    assert list(RECIPES) == ["An index", "A hyperparameter", "A tuner"]
    assert all("```sh" in text for text in RECIPES.values())


def test_an_index(copy):
    close = make_prices(1400).close.round(2)
    close.to_csv(copy / "nikkei.csv", index_label="Date")
    said = follow("An index", copy)
    assert (copy / "data" / "raw" / "N225.sha256").is_file()
    assert "1 of 1 notebooks succeeded" in said[-1]
    rendered = copy / "build" / "default_N225" / "notebooks" / "rendered" / "01_data_preparation.ipynb"
    assert "Nikkei 225 daily closes, 1,400 rows" in rendered.read_text("utf-8")
    assert not (copy / "figures").exists(), "written over the repository's results"


def test_a_hyperparameter(copy):
    said = follow("A hyperparameter", copy)
    found = eval(said[-1], {"__builtins__": {}})
    assert 0.01 <= found["clipnorm"] <= 10 and len(found) == 7


def test_a_tuner(copy):
    said = follow("A tuner", copy)
    assert re.search(r"\d\d passed", said[-1]) and "failed" not in said[-1]
    listed = subprocess.run(
        [copy / ".venv" / "bin" / "python", "-c", "from helpers import explore; print(explore.tuners())"],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "'evolution': <class 'helpers.samplers.evolution.EvolutionSampler'>" in listed.stdout
