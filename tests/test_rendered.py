"""What is committed as a result was made by the committed code, is whole, and holds nothing that is not ours."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import nbformat
import pytest

from helpers import figures, paths, provenance, reproduce, study

STEPS = reproduce.plan("full")
RENDERED = [step.rendered for step in STEPS]
AGAIN = "render again: make figures, or make reproduce PROFILE=full where training code changed"


def rendered(path: Path) -> nbformat.NotebookNode:
    assert path.is_file(), f"{path.name} is missing; {AGAIN}"
    return nbformat.read(path, as_version=4)


def outputs(notebook: nbformat.NotebookNode) -> str:
    """All text that a reader sees below the cells."""
    return "\n".join(
        str(text)
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        for text in [output.get("text", ""), *output.get("data", {}).values()]
    )


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=paths.ROOT, capture_output=True, text=True, check=True)
    return [paths.ROOT / name for name in listed.stdout.split("\0") if name]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.rendered.stem)
def test_a_rendered_notebook_was_made_by_this_code(step) -> None:
    stamped = re.search(r"\| Code \| ([0-9a-f]{16}) \|", outputs(rendered(step.rendered)))
    assert stamped, "there is no stamp"
    source = paths.NOTEBOOKS / f"{step.notebook}.py"
    assert stamped[1] == provenance.code_hash(source), f"{step.rendered.name}: the code has changed since; {AGAIN}"


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: path.stem)
def test_a_rendered_notebook_is_whole_small_and_clean(path: Path) -> None:
    notebook = rendered(path)
    assert path.stat().st_size < 2_000_000
    kinds = {output["output_type"] for cell in notebook.cells for output in cell.get("outputs", [])}
    assert "error" not in kinds
    assert all(cell.get("execution_count") for cell in notebook.cells if cell.cell_type == "code" and cell.source)
    text = path.read_text("utf-8")
    folders = [f"/{folder}/" for folder in ("home", "root", "tmp", "Users")]
    for trace in (*folders, "Traceback", "Warning"):
        assert trace not in text, trace


def test_every_result_was_drawn_by_this_code() -> None:
    """The hash in a figure's or table's entry is that of the notebook that made it."""
    now = {provenance.code_hash(paths.NOTEBOOKS / f"{step.notebook}.py") for step in STEPS}
    entries = figures.read_entries(paths.outputs())
    assert len(entries) >= len(figures.ITEMS)
    assert {entry["code_hash"] for entry in entries} <= now, AGAIN


def test_the_index_is_complete_and_current(tmp_path) -> None:
    index = paths.outputs().figures / "INDEX.md"
    text = index.read_text("utf-8")
    assert "None is missing." in text
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (index.parent / link).exists(), link


@pytest.mark.parametrize("protocol", ["described", "published"])
def test_the_committed_studies_are_the_papers_budgets(protocol: str) -> None:
    folder = paths.outputs().studies("full")
    trials = {
        name: study.records(study.load(f"{name}_{protocol}", folder))
        for name in ("generator", "gan", "bayesian", "bayesian_warped")
    }
    assert len(trials["generator"]) == 100
    assert len(trials["gan"]) == 50
    target = trials["generator"]["mse"].head(20).min()
    for name in ("bayesian", "bayesian_warped"):
        reached = (trials[name]["mse"] <= target).to_numpy()
        assert reached[-1] or len(reached) == 50
        assert not reached[:-1].any()


def test_no_market_data_and_nothing_large_is_committed() -> None:
    files = tracked()
    assert not [f.name for f in files if "data/raw" in f.as_posix()]
    assert not [f.name for f in files if f.exists() and f.stat().st_size > 4_000_000]
    dated = re.compile(rb"^\d{4}-\d\d-\d\d,\d", re.M)  # a row of a series of closes
    assert not [f.name for f in files if f.suffix == ".csv" and len(dated.findall(f.read_bytes())) > 10]
