"""The README says what is so: its numbers are those of the records, its links lead somewhere, its example runs."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from helpers import paths, readme

TEXT = readme.README.read_text("utf-8")


def test_generated_blocks_are_those_of_the_records() -> None:
    assert readme.fill(TEXT) == TEXT, "run: python -m helpers.readme"


def test_every_block_is_there() -> None:
    assert set(re.findall(r"<!-- (\w+): generated -->", TEXT)) == set(readme.BLOCKS)


def test_fill_replaces_and_refuses() -> None:
    blocks = {"a": lambda: "new"}
    assert readme.fill("x <!-- a: generated -->old<!-- end --> y", blocks) == (
        "x <!-- a: generated -->\n\nnew\n\n<!-- end --> y"
    )
    with pytest.raises(ValueError, match="a block named 'b'; known blocks are a"):
        readme.fill("<!-- b: generated --><!-- end -->", blocks)
    with pytest.raises(ValueError, match="has no <!-- end -->"):
        readme.fill("<!-- a: generated --> text", blocks)


def test_links_lead_to_files_and_headings() -> None:
    headings = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.+)$", TEXT, re.M)}
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert len(links) > 15
    for link in links:
        if link.startswith("#"):
            assert link[1:] in headings, link
        elif not link.startswith("https://"):
            assert (paths.ROOT / link).exists(), link


def test_commands_are_targets_of_the_makefile() -> None:
    makefile = (paths.ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", TEXT, re.M))
    assert {"reproduce", "test", "data", "figures", "bench", "lab"} <= named <= targets


def test_the_example_runs_as_printed() -> None:
    code = re.search(r"<!-- example -->\n```python\n(.*?)```", TEXT, re.S)[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["generator", "gan", "bayesian"]
    # The mean of the targets alone scores about 5,930.
    assert all(2500 < float(line.split()[1]) < 5000 for line in lines), lines
