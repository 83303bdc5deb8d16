"""The front page: the answer in numbers, the results at a glance, and the map of items with thumbnails."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from bs4 import BeautifulSoup
from PIL import Image

from helpers import figures, paths, published, readme, study
from helpers.claims import VERDICTS
from helpers.supplement import markup
from helpers.supplement.notebook import Page, Result, SupplementError, plain

THUMB_WIDTH = 480  # pixels; shown at half that
FEATURED = ("V-fig05", "G-fig16", "G-fig10")
NAIVE = "yesterday's close"


@dataclass(frozen=True)
class Tile:
    """One number of the answer: the number, what it counts, and a sentence."""

    number: str
    unit: str
    text: str


def title() -> tuple[str, str]:
    """The question and its subtitle, as the README's title asks it."""
    whole = re.match(r"# (.+)", readme.README.read_text("utf-8"))[1]
    question, mark, rest = whole.partition("? ")
    return question + mark.strip(), rest


def featured(found: Sequence[Result]) -> Result | None:
    """The picture at the head of the front page: the first there is of those that answer the question."""
    return next((r for item in FEATURED for r in found if item in r.items and r.file(".png")), None)


def answer() -> list[Tile]:
    """The answer in numbers, each counted or divided from the committed records.

    Raises
    ------
    study.StudyError, SupplementError
        If a record is missing.
    """
    folder = paths.outputs().studies("full")
    naive = readme.errors(folder)
    best = [
        (float(study.records(study.load(f"{tuner}_{name}", folder))["mse"].min()), error)
        for tuner in readme.TUNERS
        for name, error in zip(readme.PROTOCOLS, naive, strict=True)
    ]
    better = sum(mse < error for mse, error in best)
    theirs = min(published.headline(run).best_mse for run in ("generator", "bayesian", "gan"))
    ratios = sorted(theirs / error for error in naive)
    series = _validity()
    counts = verdicts()
    return [
        Tile(
            f"{better} of {len(best)}",
            "searches",
            f"found an LSTM that forecasts better than repeating {NAIVE}. Each tuner searched under both readings of "
            "how the papers split their data.",
        ),
        Tile(
            f"{ratios[0]:.2g} to {ratios[-1]:.2g} times",
            f"the error of {NAIVE}",
            "is the lowest error that either paper prints, depending on how the test days were chosen.",
        ),
        Tile(
            f"{series['change_ratio']:.4f} times",
            f"the error of {NAIVE}",
            f"is what an LSTM reaches that forecasts the day's change and is tuned without the test days "
            f"({series['name']}, {series['days']:,} days). One that forecasts the level: "
            f"{figures.number(series['level_ratio'], 3)} times.",
        ),
        Tile(
            f"{counts[VERDICTS[0]]} of {sum(counts.values())}",
            "claims hold",
            "by a stated rule, over everything that can judge them: "
            + ", ".join(
                f"{counts[v]} {'hold' + v.removeprefix('holds') if v.startswith('holds') else _plural(v)}"
                for v in VERDICTS[1:]
            )
            + ".",
        ),
    ]


def _plural(verdict: str) -> str:
    return verdict.replace("does not", "do not")


def verdicts() -> dict[str, int]:
    """How many claims got each verdict over all, from the committed short table."""
    said = re.findall(r"\*\*([a-z ]+)\*\* \|$", readme.claims(), re.MULTILINE)
    if not said:
        raise SupplementError("claims_short.md holds no verdicts; run notebook 06 again: `make figures`.")
    return {verdict: said.count(verdict) for verdict in VERDICTS}


def _validity() -> dict[str, float | str | int]:
    """Errors over that of yesterday's close on the test part of the first series of V-tab05, the papers' own."""
    path = paths.outputs().tables / "V-tab05.csv"
    if not path.is_file():
        raise SupplementError(f"{path.name} is missing; run notebook 08 first.")
    row = pd.read_csv(path).iloc[0]
    return {
        "name": row["series"],
        "days": int(row["days"]),
        "level_ratio": float(row["level_ratio"]),
        "change_ratio": float(row["change_ratio"]),
    }


def glance() -> BeautifulSoup:
    """The README's section of generated results, its numbers made anew from the records."""
    text = readme.README.read_text("utf-8")
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    section = next((s for s in sections if "<!-- results: generated -->" in s), None)
    if section is None:
        raise SupplementError("The README has no block named results; put <!-- results: generated --> back.")
    filled = re.sub(r"<!--.*?-->", "", readme.fill(section), flags=re.DOTALL)
    filled = re.sub(r"\s*\(see\s+\[[^\]]*\]\(#[^)]*\)\)", "", filled)  # places that only the README has
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
