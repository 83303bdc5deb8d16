"""A page for the results that were saved and that no notebook shows: further protocols of a table, for example."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bs4 import BeautifulSoup
from PIL import Image

from helpers import figures
from helpers.paths import Outputs
from helpers.supplement import markup, notebook
from helpers.supplement.notebook import Page, Result

STEM = "further_results"  # after the notebooks, whose names start with digits
TITLE = "Further results"
LEAD = "Saved beside what the notebooks show, for another protocol or in full, and printed in none of them."


def page(found: Sequence[Result], pages: Sequence[Page], outputs: Outputs) -> Page | None:
    """The page of all results of `found` that no page of `pages` shows; None if every one is shown."""
    shown = {anchor for page in pages for anchor in page.shown}
    left = [result for result in found if result.anchor not in shown]
    if not left:
        return None
    order = list(figures.ITEMS)
    left.sort(key=lambda r: (order.index(r.items[0]), found.index(r)))
    made = Page(STEM, STEM, "", TITLE, LEAD, shown={result.anchor: result.anchor for result in left})
    parts = [f'<div class="prose"><p>{LEAD}</p></div>']
    for result in left:
        label = f" ({result.label})" if result.label else ""
        parts.append(f"<h2>{result.items[0]}: {escape(result.paper_shows)}{label}</h2>")
        parts.append(_table(result, outputs) if result.kind == "table" else _picture(result, outputs))
    made.soup = BeautifulSoup("\n".join(parts), "html.parser")
    made.contents = markup.headings(made.soup)
    return made


def _table(result: Result, outputs: Outputs) -> str:
    lines = (outputs.figures / result.file(".md")).read_text("utf-8").splitlines()
    html = markup.markdown("\n".join(line for line in lines if line.startswith("|")))
    made = markup.table(BeautifulSoup(html, "html.parser").find("table"), label=result.alt)
    return f'<figure class="table" id="{result.anchor}">{made.html}{notebook.caption_html(result)}</figure>'


def _picture(result: Result, outputs: Outputs) -> str:
    file = result.file(".png")
    size = Image.open(outputs.figures / file).size
    link = f"figures/{file}"
    caption = notebook.caption_html(result)
    return notebook.figure_html(link, size, result.alt, link=link, anchor=result.anchor, caption=caption)
