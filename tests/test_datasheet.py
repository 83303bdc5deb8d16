"""The datasheet's numbers are those of the files; CITATION.cff and LICENSE are valid."""

import re
from datetime import date

import pandas as pd
import pytest
import yaml

from helpers import figures, paths, prices

TEXT = (paths.ROOT / "docs" / "DATASHEET.md").read_text("utf-8")
PROSE = " ".join(TEXT.split())
CFF = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text("utf-8"))


def row(label: str) -> list[str]:
    """Cells of the table row that begins with `label`."""
    (line,) = [line for line in TEXT.splitlines() if line.startswith(f"| {label}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


# --- the datasheet --------------------------------------------------------------------------------------------------


def test_the_packaged_series_is_as_described(packaged):
    close = packaged.close
    assert row("packaged S&P 500")[1:6] == [
        f"{len(close):,}",
        f"{close.index[0]:%Y-%m-%d}",
        f"{close.index[-1]:%Y-%m-%d}",
        f"{close.min():,}",
        f"{close.max():,}",
    ]
    change = close.pct_change()
    assert f"largest fall of a day is {-change.min():.1%} ({change.idxmin():%Y-%m-%d})".replace("%", " %") in PROSE
    assert f"largest rise {change.max():.1%} ({change.idxmax():%Y-%m-%d})".replace("%", " %") in PROSE
    assert f"longest gap between two closes is {close.index.to_series().diff().dt.days.max():.0f} days" in PROSE
    assert (close.index.day_of_week < 5).all()


def test_the_series_behind_the_committed_results_is_the_one_described():
    captions = [entry["caption"] for entry in figures.read_entries(paths.outputs())]
    cells = row("the vendor's S&P 500")
    assert any(f"{cells[1]} rows {cells[2]} to {cells[3]}" in caption for caption in captions)
    used = row("of these, used")
    (ours,) = {
        entry["ours"] for entry in figures.read_entries(paths.outputs()) if entry["items"] == ["G-fig02", "A-fig01"]
    }
    assert ours == f"{used[1]} closes, {used[2]} to {used[3]}"


def test_how_much_the_packaged_series_lacks(packaged):
    first, last = (date.fromisoformat(row("of these, used")[i]) for i in (2, 3))
    assert f"begins {packaged.close.index[0].year - first.year - 1} years later" in PROSE
    assert f"ends {last.year - packaged.close.index[-1].year} years earlier" in PROSE


@pytest.mark.parametrize("name", ["table8_generator", "table9_bayesian", "appendixB_gan"])
def test_the_papers_tables_have_as_many_rows_as_said(name):
    assert row(f"[{name}.csv]")[1] == str(len(pd.read_csv(paths.PUBLISHED / f"{name}.csv")))


def test_limits_and_licence_are_those_of_the_code():
    assert f"fewer than {prices.MIN_ROWS:,} closes" in PROSE
    from importlib import metadata

    classifiers = metadata.metadata("great_tables").get_all("Classifier")
    assert "License :: OSI Approved :: MIT License" in classifiers


# --- citation and licence -------------------------------------------------------------------------------------------

PERSON = {"family-names", "given-names", "name-particle", "name-suffix", "orcid", "affiliation", "email", "alias"}
ENTITY = {"name", "orcid", "website", "email", "address", "city", "country"}
FIELDS = {
    *("abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi", "identifiers", "keywords"),
    *("license", "license-url", "message", "preferred-citation", "references", "repository", "repository-artifact"),
    *("repository-code", "title", "type", "url", "version"),
}
TYPES = {"article", "book", "conference-paper", "data", "report", "software", "thesis", "unpublished", "website"}


def people(authors: list) -> None:
    assert authors
    for author in authors:
        assert author.keys() <= PERSON or author.keys() <= ENTITY, author
        assert "family-names" in author or "name" in author or "alias" in author
        assert all(isinstance(value, str) and value.strip() for value in author.values())


def test_the_citation_file_follows_the_schema():
    assert CFF["cff-version"] == "1.2.0" and CFF.keys() <= FIELDS
    assert {"authors", "cff-version", "message", "title"} <= CFF.keys(), "required"
    assert CFF["type"] in ("software", "dataset")
    assert all(isinstance(CFF[name], str) for name in ("message", "title", "version", "license", "abstract"))
    assert len(CFF["keywords"]) == len(set(CFF["keywords"])) > 0
    people(CFF["authors"])
    for reference in CFF["references"]:
        assert {"authors", "title", "type"} <= reference.keys() and reference["type"] in TYPES
        people(reference["authors"])


def test_the_citation_agrees_with_the_package_and_names_both_papers():
    project = (paths.ROOT / "pyproject.toml").read_text("utf-8")
    assert f'version = "{CFF["version"]}"' in project and f'license = "{CFF["license"]}"' in project
    titles = [" ".join(reference["title"].split()) for reference in CFF["references"]]
    assert titles == [figures.PAPERS["G"], figures.PAPERS["A"]]


def test_the_licence_is_the_mit_licence():
    text = (paths.ROOT / "LICENSE").read_text("utf-8")
    assert text.startswith("MIT License\n\nCopyright (c) ")
    words = " ".join(text.split())
    for sentence in (
        "Permission is hereby granted, free of charge, to any person obtaining a copy of this software",
        "The above copyright notice and this permission notice shall be included in all copies or substantial portions",
        'THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND',
        "OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.",
    ):
        assert sentence in words
    holder = re.search(r"Copyright \(c\) \d{4} (.+)", text)[1]
    assert holder == CFF["authors"][0]["name"]
