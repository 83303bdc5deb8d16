"""The site: every rendered notebook as a page, the front page, figures, tables and thumbnails, in one folder."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from helpers import answer, figures, paths, progress
from helpers.supplement import front, further, markup, notebook
from helpers.supplement.notebook import TEMPLATES, VARIANTS, Page, Result, SupplementError

logger = logging.getLogger(__name__)

ASSETS = Path(__file__).parent / "assets"
OUTPUT = paths.NOTEBOOKS / "supplement"
MADE_BY = "helpers.supplement"  # in every page; a folder without it is never replaced
STALE = 3600  # seconds after which an unfinished site is nobody's


@dataclass(frozen=True)
class Chapter:
    """A notebook in the navigation: one page, or one for each protocol that it was rendered under."""

    title: str
    pages: Sequence[Page]

    @property
    def first(self) -> Page:
        return self.pages[0]


def build(output: Path = OUTPUT) -> Path:
    """Make the site; a folder that it made before is replaced when the new one is whole.

    Parameters
    ----------
    output : pathlib.Path
        Folder of the site.

    Returns
    -------
    pathlib.Path
        Its front page.

    Raises
    ------
    SupplementError
        If nothing is rendered, a notebook is damaged, or `output` holds something else.
    """
    _check(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    for left in output.parent.glob(f".{output.name}.*"):  # by a run that was killed
        if time.time() - left.stat().st_mtime > STALE:
            shutil.rmtree(left, ignore_errors=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        _write(aside)
        aside.chmod(0o755)
        if output.exists():
            shutil.rmtree(output)
        os.replace(aside, output)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return output / "index.html"


def _check(output: Path) -> None:
    index = output / "index.html"
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not index.is_file() or f'content="{MADE_BY}"' not in index.read_text("utf-8", errors="replace"):
        raise SupplementError(f"{output.name} holds something that is no supplement; name a new folder.")


def chapters(pages: Sequence[Page]) -> list[Chapter]:
    """The pages by notebook, in the order of the scripts' names, variants in the order of the results index."""

    def rank(page: Page) -> tuple:
        known = page.variant in VARIANTS
        return page.script, VARIANTS.index(page.variant) if known else len(VARIANTS), page.variant

    grouped: dict[str, list[Page]] = {}
    for page in sorted(pages, key=rank):
        grouped.setdefault(page.script, []).append(page)
    return [Chapter(found[0].title, found) for found in grouped.values()]


def beside(order: Sequence[Chapter], page: Page) -> tuple[Page | None, Page | None]:
    """The pages before and after `page`: the neighbouring notebooks, in the same protocol where there is one."""
    place = next(n for n, chapter in enumerate(order) if page in chapter.pages)

    def of(n: int) -> Page | None:
        if not 0 <= n < len(order):
            return None
        return next((p for p in order[n].pages if p.variant == page.variant), order[n].first)

    return of(place - 1), of(place + 1)


def _write(folder: Path) -> None:
    outputs = paths.outputs()
    found = notebook.results(outputs)
    rendered = sorted(outputs.rendered.glob("*.ipynb"))
    if not rendered:
        raise SupplementError("notebooks/rendered holds no notebook; make them with `make reproduce`.")
    pages = [notebook.read(path, found, outputs) for path in progress.each(rendered, "supplement", unit="page")]
    if further_page := further.page(found, pages, outputs):
        pages.append(further_page)
    order = chapters(pages)
    pages = [page for chapter in order for page in chapter.pages]
    targets = notebook.link_targets(pages, found)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    title, subtitle = front.title()
    environment.globals.update(site_title=title, subtitle=subtitle, chapters=order, made_by=MADE_BY)

    _copy_files(folder, found)
    template = environment.get_template("page.html.j2")
    for page in pages:
        notebook.relink(page.soup, targets, pages)
        before, after = beside(order, page)
        chapter = next(c for c in order if page in c.pages)
        text = template.render(page=page, chapter=chapter, before=before, after=after)
        (folder / page.href).write_text(text, "utf-8")
        for name, data in page.pictures.items():
            figures.write_aside(folder / "images" / name, data)
    (folder / "index.html").write_text(_front(environment, folder, pages, found, targets), "utf-8")


def _front(
    environment: jinja2.Environment,
    folder: Path,
    pages: Sequence[Page],
    found: Sequence[Result],
    targets: Mapping[str, str],
) -> str:
    source = paths.outputs().figures

    def draw(result: Result) -> tuple[int, int]:
        return front.thumbnail(source / result.file(".png"), folder / "thumbs" / f"{result.name}.webp")

    featured = front.featured(found)
    glance = front.glance()
    contents = markup.headings(glance)
    notebook.relink(glance, targets, pages)
    return environment.get_template("front.html.j2").render(
        featured=featured,
        featured_says=front.FEATURED[next(i for i in featured.items if i in front.FEATURED)] if featured else "",
        in_short=answer.in_short(),
        many=answer.many,
        lead=front.lead,
        featured_at=targets[featured.files[0]] if featured else "",
        tiles=answer.tiles(),
        verdicts=answer.verdicts(),
        glance=str(glance),
        contents=contents,
        groups=front.cards(found, targets, draw),
        names=figures.PAPER_NAMES,
        papers=figures.PAPERS,
        commits=front.commits(pages),
    )


def _copy_files(folder: Path, found: Sequence[Result]) -> None:
    source = paths.outputs().figures
    for asset in sorted(ASSETS.iterdir()):
        (folder / "assets").mkdir(exist_ok=True)
        shutil.copyfile(asset, folder / "assets" / asset.name)
    for result in found:
        for file in result.files:
            if not file.endswith(".md"):
                target = folder / "figures" / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / file, target)
