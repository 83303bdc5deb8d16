"""The front page: the results at a glance, and the map of items with thumbnails; the answer is `helpers.answer`'s."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bs4 import BeautifulSoup
from PIL import Image

from helpers import figures, paths, readme
from helpers.supplement import markup
from helpers.supplement.notebook import Page, Result, SupplementError, plain

THUMB_WIDTH = 480  # pixels; shown at half that
# The picture at the head of the front page, the first of these that there is, in words for who has read nothing yet.
FEATURED = {
    "V-fig05": "How wrong a tuned LSTM is, as a multiple of repeating yesterday's close: left of the yellow line is "
    "better than no model. Red forecasts the close, as in the papers; blue forecasts the day's change. The last two "
    "rows are controls: in the random walk nothing can be forecast; in the predictable series something can, down to "
    "the black mark.",
    "G-fig16": "The error of every trial of the generator and of Bayesian optimisation, the published runs in grey; "
    "the yellow line is the error of repeating yesterday's close.",
    "G-fig10": "The error of every trial of the generator, the paper's run in grey; the yellow line is the error of "
    "repeating yesterday's close.",
}
LEAD = 260  # characters of a notebook's first paragraph on its card; whole sentences, at least one


def title() -> tuple[str, str]:
    """The question and its subtitle, as the README's title asks it."""
    whole = re.match(r"# (.+)", readme.README.read_text("utf-8"))[1]
    question, mark, rest = whole.partition("? ")
    return question + mark.strip(), rest


def featured(found: Sequence[Result]) -> Result | None:
    """The picture at the head of the front page: the first there is of `FEATURED`."""
    return next((r for item in FEATURED for r in found if item in r.items and r.file(".png")), None)


def lead(text: str) -> str:
    """The first sentences of a notebook's first paragraph, as many as its card has room for."""
    sentences = re.split(r"(?<=[.?!]) (?=[A-Z*])", text)
    said = sentences[0]
    for sentence in sentences[1:]:
        if len(said) + len(sentence) >= LEAD:
            break
        said += f" {sentence}"
    return said


def glance() -> BeautifulSoup:
    """The README's section of generated results, its numbers made anew from the records."""
    text = readme.README.read_text("utf-8")
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    section = next((s for s in sections if "<!-- results: generated -->" in s), None)
    if section is None:
        raise SupplementError("The README has no block named results; put <!-- results: generated --> back.")
    filled = re.sub(r"<!--.*?-->", "", readme.fill(section), flags=re.DOTALL)
    filled = re.sub(r"\s*\(see\s+\[[^\]]*\]\(#[^)]*\)\)", "", filled)  # places that only the README has
    filled = re.sub(r"^!\[[^\]]*\]\([^)]*\)$", "", filled, flags=re.MULTILINE)  # figures have cards of their own here
    return BeautifulSoup(plain(markup.markdown(filled), label="Results at a glance"), "html.parser")


@dataclass(frozen=True)
class Shown:
    """One result of an item: its label ("described"), where it is, and its number."""

    label: str
    href: str
    kind: str
    ours: str


@dataclass(frozen=True)
class Card:
    """An item of the map."""

    item: str
    title: str
    kind: str
    thumb: str
    alt: str
    width: int
    height: int
    preview: Sequence[Sequence[str]]
    published: str
    shown: Sequence[Shown]


def cards(
    found: Sequence[Result], targets: Mapping[str, str], draw: Callable[[Result], tuple[int, int]]
) -> dict[str, list[Card]]:
    """The items of each group (paper, replication, ...), in order; `draw` makes a thumbnail and says its size."""
    groups: dict[str, list[Card]] = {group: [] for group in figures.PAPER_NAMES}
    for key, item in figures.ITEMS.items():
        of_item = [result for result in found if key in result.items]
        if not of_item:
            continue
        pictured = next((r for r in of_item if r.file(".png")), None)
        width, height = draw(pictured) if pictured else (0, 0)
        first = pictured or of_item[0]
        shows = next((r.paper_shows for r in of_item if r.items[0] == key), item.title)
        groups[item.paper].append(
            Card(
                item=key,
                title=shows,
                kind="figure" if pictured else "table",
                thumb=f"thumbs/{pictured.name}.webp" if pictured else "",
                alt=first.alt,
                width=width,
                height=height,
                preview=() if pictured else _preview(first),
                published=next((r.published for r in of_item if r.published), ""),
                shown=[Shown(r.label, targets[r.files[0]], r.kind, r.ours) for r in of_item],
            )
        )
    return {group: made for group, made in groups.items() if made}


def _preview(result: Result) -> list[list[str]]:
    """The first cells of a table, to be looked at rather than read."""
    path = paths.outputs().figures / result.file(".csv")
    rows = list(csv.reader(io.StringIO(path.read_text("utf-8"))))[:5]
    return [[_short(cell) for cell in row[:4]] for row in rows]


def _short(cell: str) -> str:
    try:
        value = float(cell)
    except ValueError:
        return cell if len(cell) <= 14 else cell[:12] + "…"
    return f"{value:.4g}" if math.isfinite(value) else "–"


def thumbnail(source: Path, target: Path) -> tuple[int, int]:
    """Scale a picture down; returns the size at which it is shown, in CSS pixels."""
    with Image.open(source) as picture:
        paper = Image.new("RGB", picture.size, "white")
        paper.paste(picture, mask=picture.convert("RGBA").getchannel("A"))
    height = round(paper.height * THUMB_WIDTH / paper.width)
    target.parent.mkdir(parents=True, exist_ok=True)
    paper.resize((THUMB_WIDTH, height), Image.Resampling.LANCZOS).save(target, "WEBP", quality=72, method=4)
    return THUMB_WIDTH // 2, height // 2


def commits(pages: Iterable[Page]) -> list[str]:
    """The commits that the pages' stamps name, in order of the pages."""
    return list(dict.fromkeys(page.stamp["Commit"] for page in pages if "Commit" in page.stamp))
