"""Links and spelling of everything that is read."""

import json
import subprocess
import sys

import pytest

from helpers import links, paths


def test_every_link_of_the_repository_leads_somewhere():
    assert links.problems() == []


def test_markdown_and_notebooks_are_read():
    names = {path.relative_to(paths.ROOT).as_posix() for path in links.files()}
    assert {"README.md", "docs/EXTENDING.md", "data/README.md", "figures/INDEX.md", "notebooks/00_explore.py"} <= names
    assert any(name.startswith("notebooks/rendered/") for name in names)
    assert not any(name.startswith(("helpers/", "tests/", ".venv")) for name in names)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("see [a](b.md) and ![c](d.png)", ["b.md", "d.png"]),
        ('[a](<b.md> "title")', ["b.md"]),
        ("[![badge](b.svg)](c.md)", ["c.md"]),
        ("[a][1]\n\n[1]: b.md\n", ["b.md"]),
        ('<img alt="x" src="b.png">', ["b.png"]),
        ("`[a](b.md)`\n\n```\n[c](d.md)\n```\n", []),
    ],
)
def test_links_are_found_where_markdown_has_them(markdown, expected):
    assert list(links.links(markdown)) == expected


def test_headings_become_anchors_as_on_github():
    found = links.anchors("# A, b & `c`!\n## Twice\n## Twice\n### The [link](x.md) (S&P 500)\n```\n# no heading\n```\n")
    assert found == {"a-b--c", "twice", "twice-1", "the-link-sp-500"}


@pytest.fixture
def folder(tmp_path):
    """A small repository without git: a page, a notebook, a folder."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("# One heading\n")
    (tmp_path / "a b.png").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("link", "wrong"),
    [
        ("docs/page.md", ""),
        ("docs/page.md#one-heading", ""),
        ("#here", ""),
        ("a%20b.png", ""),
        ("docs", ""),
        ("https://optuna.org/x#y", ""),
        ("mailto:someone@example.org", ""),
        ("docs/pages.md", "leads to no file"),
        ("docs/page.md#two", "leads to no heading of page.md"),
        ("#there", "leads to no heading of README.md"),
        ("../elsewhere.md", "leads out of the repository"),
        ("/docs/page.md", "is not relative"),
        ("https://optuna", "is no address"),
        ("https:///x", "is no address"),
        ("htps://optuna.org", "has the unknown scheme htps"),
    ],
)
def test_what_is_wrong_with_a_link_is_said(folder, link, wrong):
    readme = folder / "README.md"
    readme.write_text(f"# Here\n[x]({link})\n")
    links.text.cache_clear()
    expected = [f"README.md: the link {link} {wrong}."] if wrong else []
    assert links.problems(folder) == expected


def test_notebooks_are_checked_from_where_they_lie(folder):
    (folder / "notebooks" / "rendered").mkdir(parents=True)
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "[x](../docs/page.md)"}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "notebooks" / "rendered" / "one.ipynb").write_text(json.dumps(notebook))
    (folder / "notebooks" / "one.py").write_text("# %% [markdown]\n# [x](../docs/page.md)\n")
    links.text.cache_clear()
    assert links.problems(folder) == ["notebooks/rendered/one.ipynb: the link ../docs/page.md leads to no file."]


def spelling(*arguments: str, cwd=paths.ROOT) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "codespell_lib", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def test_everything_is_spelt_right():
    done = spelling()
    assert done.returncode == 0, done.stdout


def test_a_misspelling_is_found_with_this_configuration(tmp_path):
    (tmp_path / "page.md").write_text("The rec" + "ieved closes.\n")
    done = spelling("--toml", str(paths.ROOT / "pyproject.toml"), ".", cwd=tmp_path)
    assert done.returncode != 0 and "received" in done.stdout
