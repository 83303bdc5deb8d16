"""One rendered notebook as the body of a page: code folded, figures and tables with their captions and numbers."""

from __future__ import annotations

import base64
import functools
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from bs4 import BeautifulSoup, Tag
from PIL import Image
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from helpers import figures, paths
from helpers.paths import Outputs
from helpers.supplement import markup

TEMPLATES = Path(__file__).parent / "templates"
VARIANTS = ("", "described", "published", "clean")
ALIKE = 0.04  # mean grey difference, of 1, under which two pictures are two renderings of one figure
_TOLD = ("kind", "protocol", "variant", "caption", "paper_shows", "ours", "published")
_ITEM = re.compile(r"""["']([A-Z]-[a-z]+[A-Z0-9]\w*)["']""")
_WAITED = re.compile(r".*: +\d+% \|.*\| [\d:]+, about [\d:?]+ left")  # `helpers.progress`
_INTERACTIVE = ("application/vnd.jupyter.widget-view+json", "application/vnd.plotly.v1+json", "application/javascript")


class SupplementError(ValueError):
    """Something that the site cannot be made from; the message is one sentence for the reader."""


@dataclass(frozen=True)
class Result:
    """An entry of the results index: a figure or a table, see `helpers.figures.index_entry`."""

    name: str
    kind: str
    items: tuple[str, ...]
    protocol: str
    variant: str
    files: tuple[str, ...]
    caption: str
    paper_shows: str
    ours: str
    published: str

    @property
    def anchor(self) -> str:
        """Id of its figure or table on the page that shows it."""
        return self.name if self.kind == "figure" else f"{self.name}-table"

    @property
    def label(self) -> str:
        """What tells it from its item's other results: "described", "published, warped"; often empty."""
        return ", ".join(part.replace("_", " ") for part in (self.protocol, self.variant) if part)

    def file(self, suffix: str) -> str:
        """Its file with this ending, relative to the figures folder; "" if there is none."""
        return next((file for file in self.files if file.endswith(suffix)), "")

    @property
    def alt(self) -> str:
        """Alternative text: what the caption says is to be seen, without where the data come from."""
        seen = markup.split_caption(self.caption)[0]
        return seen if len(seen) <= 400 else seen[: seen.rfind(" ", 0, 399)] + " …"


def results(outputs: Outputs) -> list[Result]:
    """Every result in the index whose files are there."""
    found = []
    for entry in figures.read_entries(outputs):
        name = figures.name_of(entry["items"], protocol=entry["protocol"], variant=entry["variant"])
        told = {key: entry[key] for key in _TOLD}
        found.append(Result(name=name, items=tuple(entry["items"]), files=tuple(entry["files"]), **told))
    return found


@dataclass
class Page:
    """A rendered notebook on its way to a page.

    Attributes
    ----------
    stem : str
        Name of the rendered notebook and of its page, without ending.
    script : str
        The percent script it was rendered from.
    variant : str
        The protocol it was rendered under; empty if there is one rendering.
    title, lead : str
        Its first heading, and the first paragraph under it as HTML.
    soup : bs4.BeautifulSoup
        The body; links still point where they did in the notebook.
    stamp : dict of str to str
        Rows of the stamp in its last cell.
    shown : dict of str to str
        Anchor of each result that it shows.
    pictures : dict of str to bytes
        Pictures that are in the notebook alone, by file name.
    """

    stem: str
    script: str
    variant: str
    title: str
    lead: str = ""
    soup: BeautifulSoup = field(default_factory=lambda: BeautifulSoup("", "html.parser"))
    contents: markup.Contents = field(default_factory=markup.Contents)
    stamp: dict[str, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)

    @property
    def href(self) -> str:
        return f"{self.stem}.html"

    @property
    def findings(self) -> str:
        """Id of the heading of its findings; "" if it has none."""
        return next((name for name, text, _ in self.contents.entries if text.startswith("Findings")), "")

    @property
    def full_title(self) -> str:
        return f"{self.title} ({self.variant})" if self.variant else self.title


def script_of(stem: str, scripts: Iterable[str]) -> tuple[str, str]:
    """The script that a rendered notebook was made from, and its variant: ("02_generator_tuner", "described")."""
    for script in sorted(scripts, key=len, reverse=True):
        if stem == script:
            return script, ""
        if stem.startswith(f"{script}_"):
            return script, stem.removeprefix(f"{script}_")
    return stem, ""


def read(path: Path, found: list[Result], outputs: Outputs) -> Page:
    """Convert one rendered notebook.

    Raises
    ------
    SupplementError
        If it is no notebook, or has no title.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises what its JSON and schema readers raise
        raise SupplementError(f"{path.name} is no whole notebook; render it again with `make figures`.") from error
    script, variant = script_of(path.stem, (p.stem for p in paths.NOTEBOOKS.glob("*.py")))
    heading = re.search(r"^# (.+)$", notebook.cells[0].source if notebook.cells else "", re.MULTILINE)
    if heading is None:
        raise SupplementError(f"{path.name} starts without a title; its first cell needs a heading, `# ...`.")
    title = BeautifulSoup(markup.markdown(heading[0]), "html.parser").get_text(strip=True)
    page = Page(path.stem, script, variant, title)
    # The title stands in the head of the page.
    notebook.cells[0].source = notebook.cells[0].source.replace(heading[0], "", 1)
    page.soup = BeautifulSoup(_Body(page, found, outputs).convert(notebook), "html.parser")
    page.contents = markup.headings(page.soup)
    first = page.soup.select_one(".prose p")
    page.lead = first.get_text(" ", strip=True) if first else ""
    return page


class _Body:
    """Converts the cells of one notebook with nbconvert and the template of the supplement."""

    def __init__(self, page: Page, found: list[Result], outputs: Outputs) -> None:
        self.page = page
        self.results = found
        self.outputs = outputs
        self.heading = page.title
        self.said = ""

    def convert(self, notebook: nbformat.NotebookNode) -> str:
        from nbconvert.exporters import TemplateExporter

        exporter = TemplateExporter(
            extra_template_basedirs=[str(TEMPLATES)], template_name="notebook", file_extension=".html"
        )
        for name in ("prose", "code", "shown"):
            exporter.register_filter(name, getattr(self, name))
        return exporter.from_notebook_node(notebook)[0]

    def prose(self, cell: Mapping[str, Any]) -> str:
        titles = re.findall(r"^#{1,4} (.+)$", cell["source"], re.MULTILINE)
        if titles:
            self.heading = BeautifulSoup(markup.markdown(titles[-1]), "html.parser").get_text(strip=True)
        html = markup.markdown(cell["source"])
        paragraphs = BeautifulSoup(html, "html.parser").find_all("p")
        self.said = paragraphs[-1].get_text(" ", strip=True) if paragraphs else ""
        return plain(html, label=self.heading)

    def code(self, cell: Mapping[str, Any]) -> str:
        tags = cell["metadata"].get("tags", [])
        lines = cell["source"].strip().count("\n") + 1
        name = (
            "Parameters of this run"
            if "injected-parameters" in tags
            else "Parameters, as the script has them"
            if "parameters" in tags
            else "Code"
        )
        text = highlight(cell["source"].strip("\n"), PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))
        count = f"{lines} line{'s' if lines > 1 else ''}"
        return (
            f'<details class="code"><summary>{name}<span class="count">, {count}</span></summary>'
            f'<pre tabindex="0" aria-label="{name}, {count}"><code>{text}</code></pre></details>'
        )

    def shown(self, output: Mapping[str, Any], cell: Mapping[str, Any]) -> str:
        """One output of a cell as HTML."""
        if output["output_type"] == "stream":
            return _said(output["text"])
        if output["output_type"] == "error":
            return _said(f"{output['ename']}: {output['evalue']}")
        data = output.get("data", {})
        if "image/png" in data:
            return self.figure(base64.b64decode(data["image/png"]), cell["source"])
        if any(kind in data for kind in _INTERACTIVE) or "<script" in data.get("text/html", ""):
            return '<p class="note">Something to operate stands here when the notebook runs: <code>make lab</code>.</p>'
        if "text/html" in data:
            return self.tables(data["text/html"], cell["source"])
        if "text/markdown" in data:
            self.stamped(data["text/markdown"])
            return f'<div class="output">{plain(markup.markdown(data["text/markdown"]), label=self.heading)}</div>'
        return _said(data["text/plain"]) if "text/plain" in data else ""

    def figure(self, png: bytes, source: str) -> str:
        result = self.match(png, source)
        if result is None:
            name = f"{self.page.stem}-{len(self.page.pictures) + 1}.png"
            self.page.pictures[name] = png
            alt = f"Figure under the heading {self.heading}" + (f": {self.said}" if self.said else "")
            return figure_html(f"images/{name}", Image.open(io.BytesIO(png)).size, alt, link=f"images/{name}")
        self.page.shown[result.anchor] = result.anchor
        size = Image.open(self.outputs.figures / result.file(".png")).size
        link = f"figures/{result.file('.png')}"
        return figure_html(link, size, result.alt, link=link, anchor=result.anchor, caption=caption_html(result))

    def match(self, png: bytes, source: str) -> Result | None:
        """The result that a cell's picture is: named in the cell, of the page's protocol, and looking the same."""
        named = set(_ITEM.findall(source))
        near = [r for r in self.results if r.kind == "figure" and named & set(r.items)]
        if self.page.variant:
            near = [r for r in near if r.protocol in ("", self.page.variant)]
        seen = _grey(png)
        scores = [(float(np.abs(seen - _grey_file(self.outputs.figures / r.file(".png"))).mean()), r) for r in near]
        score, best = min(scores, key=lambda pair: pair[0], default=(1.0, None))
        return best if score < ALIKE else None

    def tables(self, html: str, source: str) -> str:
        soup = BeautifulSoup(html, "html.parser")
        for tag in soup.find_all("table"):
            made = markup.table(tag.extract(), label=self.heading)
            result = self.of_caption(made.caption, set(_ITEM.findall(source)))
            caption, anchor = "", ""
            if result is not None:
                anchor = result.anchor
                self.page.shown[anchor] = anchor
                caption = caption_html(result)
            elif made.caption:
                caption = f"<figcaption><p>{escape(made.caption)}</p></figcaption>"
            mark = f' id="{anchor}"' if anchor else ""
            soup.append(BeautifulSoup(f'<figure class="table"{mark}>{made.html}{caption}</figure>', "html.parser"))
        for tag in soup.find_all(["style", "script", "link"]):
            tag.decompose()
        for tag in soup.find_all("div"):
            if not tag.get("class") or "table-box" not in tag["class"]:
                tag.unwrap()
        return f'<div class="output">{str(soup).strip()}</div>'

    def of_caption(self, caption: str, named: set[str]) -> Result | None:
        def bare(text: str) -> str:
            return re.sub(r"\W+", "", text)

        # A caption says whose it is; the items that the cell names tell apart tables that share one.
        alike = [r for r in self.results if r.kind == "table" and caption and bare(r.caption) == bare(caption)]
        return next((r for r in alike if named & set(r.items)), next(iter(alike), None))

    def stamped(self, text: str) -> None:
        rows = dict(re.findall(r"^\| ([A-Z][\w ()-]*) \| (.+?) \|$", text, re.MULTILINE))
        if {"Made", "Code"} <= rows.keys():
            self.page.stamp = rows


def plain(html: str, *, label: str) -> str:
    """HTML made from Markdown, its tables plain and in boxes of their own."""
    soup = BeautifulSoup(html, "html.parser")
    for tag in soup.find_all("table"):
        holder = soup.new_tag("figure", attrs={"class": "table"})
        tag.insert_before(holder)
        holder.append(BeautifulSoup(markup.table(tag.extract(), label=label).html, "html.parser"))
    for tag in soup.find_all("pre"):
        tag["tabindex"] = "0"
    return str(soup)


def figure_html(source: str, size: tuple[int, int], alt: str, *, link: str, anchor: str = "", caption: str = "") -> str:
    """A picture that enlarges: a link to its file, which the page's script opens in a dialog."""
    mark = f' id="{anchor}"' if anchor else ""
    told = escape(alt, quote=True)
    picture = f'<img src="{source}" width="{size[0] // 2}" height="{size[1] // 2}" loading="lazy" alt="{told}">'
    return f'<figure class="picture"{mark}><a class="enlarge" href="{link}">{picture}</a>{caption}</figure>'


def caption_html(result: Result) -> str:
    """Caption, our number beside the paper's, and the files."""
    seen, where = markup.split_caption(result.caption)
    rows = [("Here", result.ours), ("Paper", result.published)]
    numbers = "".join(f"<dt>{who}</dt><dd>{escape(said)}</dd>" for who, said in rows if said)
    links = " ".join(
        f'<a href="figures/{file}" aria-label="{result.name} as {file.rpartition(".")[2].upper()}">'
        f"{file.rpartition('.')[2].upper()}</a>"
        for file in result.files
        if not file.endswith(".md")
    )
    return (
        f"<figcaption><p><strong>{result.items[0]}</strong> {escape(seen)}</p>"
        + (f'<p class="where">{escape(where)}</p>' if where else "")
        + (f"<dl>{numbers}</dl>" if numbers else "")
        + f'<p class="files">{links}</p></figcaption>'
    )


def _said(text: str) -> str:
    from nbconvert.filters import strip_ansi

    # A progress bar rewrites its line; what a reader would see is its last state, and of no use when all is done.
    lines = [line.rpartition("\r")[2] or line.strip("\r") for line in strip_ansi(text).rstrip("\n").split("\n")]
    shown = escape("\n".join(line for line in lines if not _WAITED.match(line)).strip("\n"), quote=False)
    return f'<pre class="said" tabindex="0" aria-label="Output">{shown}</pre>' if shown.strip() else ""


def _grey(png: bytes) -> np.ndarray:
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    paper.alpha_composite(picture)
    return np.asarray(paper.convert("L").resize((96, 64), Image.Resampling.BOX), dtype=float) / 255


@functools.lru_cache(maxsize=512)
def _grey_file(path: Path) -> np.ndarray:
    return _grey(path.read_bytes())


def link_targets(pages: Iterable[Page], found: Iterable[Result]) -> dict[str, str]:
    """Where each result is shown: file in the figures folder -> `page.html#anchor`, the first page that shows it."""
    targets: dict[str, str] = {}
    pages = list(pages)
    for result in found:
        page = next((page for page in pages if result.anchor in page.shown), None)
        for file in result.files:
            targets[file] = f"{page.href}#{result.anchor}" if page else f"figures/{file}"
    return targets


def relink(soup: BeautifulSoup | Tag, targets: Mapping[str, str], pages: Iterable[Page]) -> None:
    """Point links at the site: results at where they are shown, notebooks at their pages; others become plain text."""
    by_name: dict[str, str] = {}
    for page in pages:
        by_name.setdefault(page.script, page.href)
        by_name[page.stem] = page.href
    for tag in soup.find_all("a", href=True):
        href = tag["href"]
        if (
            tag.find_parent("figcaption")
            or "enlarge" in tag.get("class", [])
            or href.startswith(("http://", "https://"))
        ):
            continue
        if href.startswith("#"):
            if soup.find(id=href[1:]) is None:
                tag.unwrap()
            continue
        path, _, _ = href.partition("#")
        file = path.partition("figures/")[2]
        name = Path(path).name.partition(".")[0]
        if file in targets:
            tag["href"] = targets[file]
        elif name in by_name:
            tag["href"] = by_name[name]
        else:
            tag.unwrap()
    for tag in soup.find_all("img", src=True):
        if not tag["src"].startswith(("figures/", "images/", "thumbs/")):
            tag.replace_with(tag.get("alt", ""))
