"""The README says what is so: its numbers are those of the records, its links lead somewhere, its example runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from conftest import make_prices

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


@pytest.mark.parametrize(
    ("ours", "papers", "says"),
    [
        ([], [], "No result of ours under either protocol, and no published one, beats yesterday's close."),
        (
            ["GAN under clean"],
            [],
            "Of our results GAN under clean and none of the published ones beat yesterday's close.",
        ),
        (
            [],
            ["gan"],
            "None of our results under either protocol and of the published ones those of gan beat yesterday's close.",
        ),
    ],
)
def test_who_beats_yesterdays_close_is_said(ours, papers, says) -> None:
    assert readme.winners_text(ours, papers) == says


def test_speed_is_said_in_words(tmp_path) -> None:
    folder = paths.outputs(tmp_path).tables
    folder.mkdir(parents=True)
    measured = {
        "configurations": (68, ""), "Keras fit, all cores": (7656.18, "s in all"),
        "fast engine, all cores": (72.4496, "s in all"), "total, all cores: times as fast": (105.676, ""),
        "fast engine, one core": (92.7, "s in all"), "total, one core: times as fast": (82.6, ""),
        "fast engine, two workers": (48.9, "s in all"), "total, two workers: times as fast": (156.6, ""),
        "least ratio, all cores": (5.65617, "bayesian 3"), "floor: the arithmetic at that speed": (26.8, "s"),
    }  # fmt: skip
    lines = [f'"{quantity}",{value},{unit}' for quantity, (value, unit) in measured.items()]
    (folder / "bench_training_totals.csv").write_text("\n".join(["quantity,value,unit", *lines]))
    (folder / "bench_training_totals.md").write_text("A machine.\n\n| quantity |")
    text = readme.speed(tmp_path)
    assert "| 7,656 s, " in text and "| 72 s, 106 times as fast " in text and "e+03" not in text
    assert "5.7 times as fast (row 3 of table 9)" in text and "A machine. [" in text
    assert sum(line.startswith("| ") for line in text.splitlines()) == 8, "a heading, its rule and six rows"
    (folder / "bench_training_totals.csv").write_text("\n".join(["quantity,value,unit", *lines[:-1]]))
    with pytest.raises(ValueError, match="has no 'floor: the arithmetic at that speed'; run: make bench"):
        readme.speed(tmp_path)


def test_commands_are_targets_of_the_makefile() -> None:
    makefile = (paths.ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", TEXT, re.M))
    assert {"reproduce", "test", "data", "figures", "bench", "lab"} <= named <= targets


DOCUMENTS = ("README.md", "data/README.md", "docs/EXTENDING.md", "docs/DATASHEET.md")


def commands(text: str) -> list[str]:
    """Every `make` command of a document: in command blocks, indented, and in running text."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S))
    lines = [line.partition("#")[0] for line in blocks.splitlines()]
    lines += [re.split(r"\s{2,}", line.strip())[0] for line in re.findall(r"^    make .*$", text, re.M)]
    lines += re.findall(r"`(make [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    return list(dict.fromkeys(" ".join(line.split()) for line in lines if line.startswith("make")))


@pytest.mark.parametrize(
    ("document", "command"),
    [(name, command) for name in DOCUMENTS for command in commands((paths.ROOT / name).read_text("utf-8"))],
)
def test_every_command_that_is_printed_is_accepted(document: str, command: str, tmp_path) -> None:
    """All are read by make, which says what it would run; the cheap ones are run below and in the recipes' test."""
    file = tmp_path / "closes.csv"
    file.write_text("Date,Close\n")
    given = re.sub(r"\b(CSV|REPAIR)=[\w./-]+", rf"\1={file}", command).replace("...", "^IXIC")
    script = f'make() {{ command make -n -o .venv/.installed "$@"; }}; {given}'
    done = subprocess.run(["bash", "-ec", script], cwd=paths.ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert ".venv/bin/python -m" in done.stdout or command.split()[1] in ("env", "clean", "lock", "help"), done.stdout


def test_the_two_commands_are_the_whole_block() -> None:
    assert [c.split()[:2] for c in commands(TEXT)[:2]] == [["make", "reproduce"], ["make", "test"]]


def test_closes_of_a_reader_are_imported_as_printed(copy) -> None:
    (command,) = [c for c in commands(TEXT) if "CSV=" in c]
    assert command == "make data CSV=path/to/closes.csv"
    (copy / "path" / "to").mkdir(parents=True)
    make_prices(1300).close.to_csv(copy / "path" / "to" / "closes.csv", index_label="Date")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    done = subprocess.run(command.split(), cwd=copy, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    assert len((copy / "data" / "raw" / "GSPC.csv").read_text().splitlines()) == 1301


def test_the_example_runs_as_printed() -> None:
    code = re.search(r"<!-- example -->\n```python\n(.*?)```", TEXT, re.S)[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["generator", "gan", "bayesian", "hybrid"]
    # The mean of the targets alone scores about 5,930.
    assert all(2500 < float(line.split()[1]) < 5000 for line in lines), lines
