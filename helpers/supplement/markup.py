"""Markdown and the tables of notebooks as plain, accessible HTML: no styles, ids or scripts of their own."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from html import escape

from bs4 import BeautifulSoup, NavigableString, Tag
from latex2mathml import commands, converter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from helpers.claims import VERDICTS

logger = logging.getLogger(__name__)

# Where a caption stops saying what to see and says which protocol and closes were used.
_PROVENANCE = re.compile(r"(?:^|(?<=[.;:] ))(?:Protocol \w+:|[^.;]*? daily closes, [\d,]+ rows)")
_NUMBER = re.compile(r"(?:[<>≈~] ?)?[+−-]?[\d,]*\.?\d+(?:e[+-]?\d+)?(?: ?[%×]|(?: [a-zA-Z²]{1,3}))?$", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_LONGEST = 32  # characters of a word, a checksum for example, that is broken rather than scrolled to
_BLANK = frozenset({"", "–", "-", "—", "nan", "NaN", "None", "<NA>"})


class _Renderer(IPythonRenderer):
    """nbconvert's renderer, with formulas as MathML."""

    def inline_math(self, body: str) -> str:
        return formula(body)

    def block_math(self, body: str) -> str:
        return (
            f'<span class="formula" role="group" aria-label="Formula" tabindex="0">{formula(body, block=True)}</span>'
        )

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")


def formula(latex: str, *, block: bool = False) -> str:
    """A formula as MathML; one that cannot be drawn is shown as it was typed, and logged."""
    try:
        return mathml(latex, block=block)
    except FormulaError as error:
        logger.warning("%s It is shown as typed.", error)
        return f'<code class="latex">{escape(latex.strip())}</code>'


class FormulaError(ValueError):
    """A formula that cannot be drawn; the message is one sentence."""


def mathml(latex: str, *, block: bool = False) -> str:
    """A formula as MathML, by latex2mathml, which passes on what it does not know: that is refused here.

    Raises
    ------
    FormulaError
    """
    said = f"The formula {latex.strip()!r}"
    plain = re.sub(r"\\\\|\\[{}&]", "", latex)  # without line ends and escaped signs
    environments = re.findall(r"\\begin\{(.*?)\}", plain)
    strange = [name for name in environments if rf"\{name}" not in commands.MATRICES]
    if strange:
        raise FormulaError(f"{said} uses the environment {strange[0]}, which cannot be drawn.")
    if plain.count("{") != plain.count("}"):
        raise FormulaError(f"{said} lacks a brace.")
    if "&" in plain and not environments:
        raise FormulaError(f"{said} has a & outside of a table.")
    try:
        made = converter.convert(latex, display="block" if block else "inline")
        BeautifulSoup(made, "xml")
    except Exception as error:  # the package has no class of error of its own
        raise FormulaError(f"{said} cannot be drawn: {type(error).__name__}.") from error
    if unknown := re.search(r"\\\w+", made):
        raise FormulaError(f"{said} uses {unknown[0]}, which cannot be drawn.")
    return made


def markdown(text: str) -> str:
    """Markdown as HTML; headings carry no ids yet (see `headings`)."""
    return MarkdownWithMath(renderer=_Renderer(escape=False, exclude_anchor_links=True)).render(text)


def slug(text: str) -> str:
    """`text` as the id of a heading: lower case, words joined by hyphens."""
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-") or "section"


def split_caption(caption: str) -> tuple[str, str]:
    """What a caption says is to be seen, and where it comes from (protocol, closes)."""
    found = _PROVENANCE.search(caption)
    if found is None or found.start() == 0:
        return caption.strip(), ""
    return caption[: found.start()].strip(), caption[found.start() :].strip()


@dataclass
class Contents:
    """The table of contents of a page: `(id, text, level)` of each heading, level 2 or 3."""

    entries: list[tuple[str, str, int]] = field(default_factory=list)


def headings(soup: BeautifulSoup) -> Contents:
    """Give every heading of a page an id of its own and a level under the page's title, in place."""
    contents, taken = Contents(), {tag["id"] for tag in soup.find_all(id=True)}
    for tag in soup.find_all(["h1", "h2", "h3", "h4", "h5", "h6"]):
        level = max(2, int(tag.name[1]))
        text = tag.get_text(" ", strip=True)
        name, number = slug(text), 2
        while name in taken:
            name, number = f"{slug(text)}-{number}", number + 1
        taken.add(name)
        tag.name, tag["id"] = f"h{level}", name
        if level <= 3:
            contents.entries.append((name, text, level))
    return contents


@dataclass(frozen=True)
class Table:
    """A table made plain: its HTML, and the caption that its notes held."""

    html: str
    caption: str


def table(tag: Tag, *, label: str) -> Table:
    """A table of pandas, great_tables or Markdown as plain HTML in a box that scrolls by itself.

    Parameters
    ----------
    tag : bs4.Tag
        A `<table>`; it is taken apart.
    label : str
        What a screen reader calls the box where the table has no caption.

    Returns
    -------
    Table
    """
    caption = " ".join(n.get_text(" ", strip=True) for n in tag.select(".gt_sourcenote"))
    for part in [*tag.find_all(["tfoot", "style", "colgroup", "script"]), *tag.select(".gt_heading")]:
        part.decompose()
    best = [row for row in tag.find_all("tr") if _is_best(row)]
    for part in tag.find_all(True):
        part.attrs = {k: v for k, v in part.attrs.items() if k in ("colspan", "rowspan", "href") and v != "1"}
    tag.attrs = {}
    head = tag.find("thead")
    head_rows = head.find_all("tr") if head else []
    body_rows = [row for row in tag.find_all("tr") if row not in head_rows]
    _drop_counter(head_rows, body_rows)
    head_rows = _one_heading(head_rows)
    if head and not head.get_text(strip=True):
        head.decompose()
        head_rows = []
        for row in body_rows:
            row.find(["td", "th"]).name = "th"
    for row in head_rows:
        for cell in row.find_all(["td", "th"]):
            cell.name = "th" if cell.get_text(strip=True) else "td"
            if cell.name == "th":
                cell["scope"] = "colgroup" if cell.get("colspan") else "col"
    for row in body_rows:
        for cell in row.find_all("th"):
            cell["scope"] = "rowgroup" if cell.get("rowspan") else "row"
        if row in best:
            row["class"] = "best"
    spans = any(row.find(attrs={"rowspan": True}) or row.find(attrs={"colspan": True}) for row in body_rows)
    if not spans:
        _ditto(body_rows)
        _mark_numbers(head_rows, body_rows)
        if head_rows and len(body_rows) > 1:
            tag["data-sortable"] = ""
    for cell in tag.find_all("td"):
        told = cell.get_text(" ", strip=True)
        if _DATE.fullmatch(told):
            cell["class"] = [*cell.get("class", []), "date"]
        elif any(len(word) > _LONGEST for word in told.split()):
            cell["class"] = [*cell.get("class", []), "long"]
        if (verdict := cell.get_text(strip=True)) in VERDICTS:
            cell["class"] = [*cell.get("class", []), "verdict", f"v-{slug(verdict)}"]
    name = escape(split_caption(caption)[0] or label, quote=True)
    return Table(f'<div class="table-box" role="group" tabindex="0" aria-label="Table: {name}">{tag}</div>', caption)


def _is_best(row: Tag) -> bool:
    cells = row.find_all("td")
    return bool(cells) and all("bold" in cell.get("style", "") for cell in cells)


def _drop_counter(head_rows: list[Tag], body_rows: list[Tag]) -> None:
    """Take away pandas' row numbers 0, 1, 2, ..., which say nothing."""
    firsts = [row.find(["td", "th"], recursive=False) for row in body_rows]
    counted = [first is not None and first.name == "th" and first.get_text(strip=True) for first in firsts]
    if not body_rows or counted != [str(n) for n in range(len(body_rows))]:
        return
    corners = [row.find(["td", "th"], recursive=False) for row in head_rows]
    if any(corner is None or corner.get_text(strip=True) for corner in corners):
        return
    for cell in [*corners, *firsts]:
        cell.decompose()


def _one_heading(head_rows: list[Tag]) -> list[Tag]:
    """One row of headings for the two of pandas, which names the index in a row of its own; it could not be sorted."""
    if len(head_rows) != 2:
        return head_rows
    upper, lower = (row.find_all(["td", "th"], recursive=False) for row in head_rows)
    if len(upper) != len(lower) or any(cell.get("colspan") or cell.get("rowspan") for cell in [*upper, *lower]):
        return head_rows
    pairs = [(one.get_text(strip=True), other.get_text(strip=True)) for one, other in zip(upper, lower, strict=True)]
    if any(one and other for one, other in pairs):
        return head_rows
    for cell, (said, named) in zip(upper, pairs, strict=True):
        if named and not said:
            cell.string = named
    head_rows[1].decompose()
    return head_rows[:1]


def _ditto(rows: list[Tag]) -> None:
    """A row whose first cell is empty goes on with the row above; sorted, its empty cells repeat what stands there."""
    above: list[str] = []
    for row in rows:
        cells = row.find_all(["td", "th"], recursive=False)
        texts = [cell.get_text(" ", strip=True) for cell in cells]
        if above and len(above) == len(texts) and not texts[0] and any(texts):
            for place, cell in enumerate(cells):
                if not texts[place] and above[place]:
                    cell.clear()
                    cell.append(_span(above[place]))
                    texts[place] = above[place]
        above = texts


def _span(text: str) -> Tag:
    span = BeautifulSoup("", "html.parser").new_tag("span", attrs={"class": "ditto"})
    span.append(NavigableString(text))
    return span


def _mark_numbers(head_rows: list[Tag], rows: list[Tag]) -> None:
    """Columns of numbers are set to the right, digits under digits."""
    grid = [row.find_all(["td", "th"], recursive=False) for row in rows]
    width = min((len(cells) for cells in grid), default=0)
    titles = head_rows[-1].find_all(["td", "th"], recursive=False) if head_rows else []
    for place in range(width):
        texts = [cells[place].get_text(strip=True) for cells in grid]
        told = [text for text in texts if text not in _BLANK]
        if told and all(_NUMBER.match(text) for text in told):
            for cell in [cells[place] for cells in grid] + ([titles[place]] if len(titles) == width else []):
                cell["class"] = [*cell.get("class", []), "num"]
