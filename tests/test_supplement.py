"""The supplement as a reader meets it: whole, offline, on a phone, in the dark, with the keyboard alone.

The first tests read its files; the others open it in Debian's chromium. Where that is not installed they are skipped
and say so; continuous integration installs it and sets LSTM_BROWSER=required, which turns its absence into a failure.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from helpers import answer, claims, figures, paths, readme
from helpers.supplement import __main__ as command
from helpers.supplement import browser, front, further, markup, notebook, site

RENDERED = sorted(path.stem for path in paths.outputs().rendered.glob("*.ipynb"))
PAGES = ["index.html", *(f"{stem}.html" for stem in RENDERED)]  # and one of further results, if any
SHORTEST = "01_data_preparation.html"
FOLDED = "02_generator_tuner_described.html"


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """The site, made once."""
    return site.build(tmp_path_factory.mktemp("site") / "supplement").parent


@pytest.fixture(scope="session")
def soups(built: Path) -> dict[str, BeautifulSoup]:
    """Every page, parsed."""
    return {path.name: BeautifulSoup(path.read_text("utf-8"), "lxml") for path in sorted(built.glob("*.html"))}


# --- The files


def test_there_is_a_page_for_every_rendered_notebook(soups) -> None:
    assert set(PAGES) == soups.keys() - {f"{further.STEM}.html"}
    titles = [soup.title.get_text() for soup in soups.values()]
    assert len(set(titles)) == len(titles) and all(titles)
    for name, soup in soups.items():
        assert len(soup.find_all("h1")) == 1, name
        assert soup.html["lang"] == "en"


def test_every_link_and_picture_leads_somewhere_in_the_site(built, soups) -> None:
    ids = {name: {tag["id"] for tag in soup.find_all(id=True)} for name, soup in soups.items()}
    found = 0
    for name, soup in soups.items():
        links = [(tag, tag.get("href") or tag.get("src")) for tag in soup.find_all(["a", "img", "link", "script"])]
        for tag, link in links:
            if not link:
                assert tag.name == "script", (name, tag)
                continue
            parts = urlsplit(link)
            assert not parts.scheme or tag.name == "a", (name, link)  # nothing is loaded from elsewhere
            if parts.scheme:
                continue
            target = built / unquote(parts.path) if parts.path else built / name
            assert target.is_file() and target.is_relative_to(built) and ".." not in link, (name, link)
            if parts.fragment:
                assert unquote(parts.fragment) in ids[target.name], (name, link)
            found += 1
    assert found > 500


def test_nothing_is_loaded_from_elsewhere(built) -> None:
    style = (built / "assets" / "style.css").read_text("utf-8")
    script = (built / "assets" / "site.js").read_text("utf-8")
    assert "url(" not in style and "@import" not in style
    assert not re.search(r"https?:|fetch\(|import\(|XMLHttp", script)


def test_no_machine_is_named(built) -> None:
    for path in built.rglob("*"):
        if path.suffix in (".html", ".css", ".js", ".csv"):
            text = path.read_text("utf-8")
            for folder in ("home", "root", "tmp", "Users"):
                assert f"/{folder}/" not in text, (path.name, folder)
            assert "file:" not in text, path.name


def test_ids_are_unique(soups) -> None:
    for name, soup in soups.items():
        ids = [tag["id"] for tag in soup.find_all(id=True)]
        assert len(ids) == len(set(ids)), name


def test_every_picture_says_what_is_to_be_seen(soups) -> None:
    captions = {entry["caption"] for entry in figures.read_entries(paths.outputs())}
    pictures = 0
    for name, soup in soups.items():
        for image in soup.find_all("img"):
            alt = image.get("alt", "").strip()
            assert len(alt) > 15, (name, image)
            words = alt.partition(": ")[2] if name == "index.html" and image.find_parent(class_="card") else alt
            if image["src"].startswith("images/"):  # in the notebook alone, saved for no item
                assert alt.startswith("Figure under the heading "), (name, alt)
            else:
                assert any(words.removesuffix(" …") in caption for caption in captions), (name, alt)
            assert image.get("width") and image.get("height"), "the page would jump when the picture arrives"
            pictures += 1
    assert pictures > len(figures.ITEMS)


def test_every_output_of_a_notebook_is_on_its_page(soups) -> None:
    for stem in RENDERED:
        cells = nbformat.read(paths.outputs().rendered / f"{stem}.ipynb", as_version=4).cells
        code = [cell for cell in cells if cell.cell_type == "code" and cell.source.strip()]
        kinds = [kind for cell in code for output in cell.outputs for kind in output.get("data", {})]
        soup = soups[f"{stem}.html"]
        assert len(soup.select("details.code")) == len(code)
        assert not soup.select("details.code[open]")
        assert len(soup.select("figure.picture")) == kinds.count("image/png")
        printed = [output.data.get("text/html", "") for cell in code for output in cell.outputs if "data" in output]
        assert len(soup.select("figure.table")) >= sum("<table" in html and "<script" not in html for html in printed)
        text = soup.get_text()
        for cell in code:
            assert cell.source.strip().splitlines()[-1] in text


def test_every_page_states_the_stamp_of_its_notebook(soups) -> None:
    for stem in RENDERED:
        stamp = (paths.outputs().rendered / f"{stem}.ipynb").read_text("utf-8")
        code = re.search(r"\| Code \| ([0-9a-f]{16}) \|", stamp)[1]
        commit = re.search(r"\| Commit \| ([0-9a-f]{12}\+?) \|", stamp)[1]
        for place in (".stamp", "footer"):
            text = soups[f"{stem}.html"].select_one(place).get_text()
            assert code in text and commit in text, (stem, place)


def test_the_map_shows_every_item_with_its_numbers(soups) -> None:
    entries = figures.read_entries(paths.outputs())
    for item in {item for entry in entries for item in entry["items"]} & figures.ITEMS.keys():
        card = soups["index.html"].find(id=f"item-{item}")
        text = card.get_text(" ")
        for entry in entries:
            if item in entry["items"]:
                assert entry["ours"] in text and entry["published"].strip() in text, item
        if any(file.endswith(".png") for entry in entries if item in entry["items"] for file in entry["files"]):
            assert card.find("img"), item
        links = [link["href"] for link in card.find_all("a")]
        assert links and all(re.match(r"\w+\.html#", link) for link in links), item


def test_the_answer_is_that_of_the_records(soups) -> None:
    text = soups["index.html"].find(id="answer").get_text(" ", strip=True)
    assert answer.in_short() in text
    for tile in answer.tiles():
        assert tile.number in text and tile.text in text
    counts = answer.verdicts()
    assert sum(counts.values()) == len(claims.CLAIMS)
    assert f"{counts['holds']} of {len(claims.CLAIMS)}" in text
    better = re.search(r"No result of ours under either protocol|None of our results under either", readme.results())
    searches = len(readme.TUNERS) * len(readme.PROTOCOLS)
    assert (f" 0 of {searches} searches" in text) == bool(better)


def test_pictures_of_both_protocols_are_told_apart(soups) -> None:
    """Notebook 01 draws one item under both protocols; each picture is found by what it looks like."""
    shown = [figure["id"] for figure in soups[SHORTEST].select("figure.picture[id]")]
    assert shown.index("G-fig04_described") < shown.index("G-fig04_published")


def test_protocols_are_one_chapter_and_the_turn_stays_in_a_protocol(soups) -> None:
    def turn(name: str) -> dict[str, str]:
        return {a["rel"][0]: a["href"] for a in soups[name].select(".turn a")}

    assert turn("02_generator_tuner_published.html") == {
        "prev": "01_data_preparation.html",
        "next": "03_gan_tuner_published.html",
    }
    assert turn("03_gan_tuner_described.html")["next"] == "04_bayesian_baseline_described.html"
    switch = soups[FOLDED].select(".switch a")
    assert [a.get_text() for a in switch] == ["described", "published"]
    assert [a.get("aria-current") for a in switch] == ["page", None]


def test_it_is_light_enough_to_be_sent(built) -> None:
    assert sum(path.stat().st_size for path in built.rglob("*") if path.is_file()) < 60e6
    assert sum(path.stat().st_size for path in (built / "thumbs").iterdir()) < 2e6
    assert all(path.stat().st_size < 1e6 for path in built.glob("*.html"))


# --- Its parts


def test_a_notebook_turned_into_a_page_twice_is_the_same() -> None:
    outputs = paths.outputs()
    path = outputs.rendered / f"{Path(SHORTEST).stem}.ipynb"
    made = [notebook.read(path, notebook.results(outputs), outputs) for _ in range(2)]
    assert str(made[0].soup) == str(made[1].soup) and made[0].shown == made[1].shown


def cells_of(html: str) -> list[list[str]]:
    soup = BeautifulSoup(html, "html.parser")
    return [[cell.get_text(strip=True) for cell in row.find_all(["td", "th"])] for row in soup.find_all("tr")]


def test_a_table_of_pandas_loses_its_row_numbers_and_styles() -> None:
    import pandas as pd

    html = pd.DataFrame({"name": ["a", "b"], "mse": [0.5, 1.25]})._repr_html_()
    made = markup.table(BeautifulSoup(html, "html.parser").find("table"), label="Errors").html
    assert cells_of(made) == [["name", "mse"], ["a", "0.50"], ["b", "1.25"]]
    assert "style" not in made and 'aria-label="Table: Errors"' in made and "data-sortable" in made
    assert made.count('class="num"') == 3


def test_a_table_with_an_index_of_names_keeps_it_as_headings_of_rows() -> None:
    import pandas as pd

    html = pd.DataFrame({"mse": [0.5, 1.25]}, index=["ours", "theirs"])._repr_html_()
    made = markup.table(BeautifulSoup(html, "html.parser").find("table"), label="Errors").html
    assert cells_of(made) == [["", "mse"], ["ours", "0.50"], ["theirs", "1.25"]]
    assert made.count('scope="row"') == 2 and made.count('scope="col"') == 1


def test_the_two_rows_of_headings_of_pandas_become_one_that_sorts() -> None:
    import pandas as pd

    frame = pd.DataFrame({"mse": [0.5, 1.25], "at": [3, 4]}, index=pd.Index(["a", "b"], name="study"))
    for html in (frame._repr_html_(), frame.style.to_html()):
        made = markup.table(BeautifulSoup(html, "html.parser").find("table"), label="Errors").html
        assert cells_of(made)[0] == ["study", "mse", "at"]
        assert made.count('scope="col"') == 3 and "data-sortable" in made


def test_a_date_is_kept_together_and_a_checksum_is_broken() -> None:
    html = markup.markdown(f"| day | sum |\n|---|---|\n| 2024-12-31 | {'a' * 64} |")
    made = markup.table(BeautifulSoup(html, "html.parser").find("table"), label="").html
    assert '<td class="date">2024-12-31</td>' in made and '<td class="long">aaa' in made


def test_a_bar_that_has_run_out_is_not_shown() -> None:
    waited = "gan: 100% |██████| 00:04, about 00:00 left, 16 of 16 studies, best MSE 0.00146\n"
    stopped = "bayesian_described:   0% |      | 00:00, about ? left, 11 of 50 trials\n"
    assert notebook._said(waited + stopped) == ""
    assert "a warning" in notebook._said(waited + "a warning\n") and "left" not in notebook._said(waited + "a warning")


def test_what_a_notebook_shows_is_not_further(soups) -> None:
    page = soups.get(f"{further.STEM}.html")
    shown = {figure["id"] for stem in RENDERED for figure in soups[f"{stem}.html"].select("figure[id]")}
    assert page is None or not shown & {figure["id"] for figure in page.select("figure[id]")}
    names = [f"{stem}.html" for stem in RENDERED]
    captions = [c.get_text(" ", strip=True) for name in names for c in soups[name].select("figure.table figcaption")]
    for entry in figures.read_entries(paths.outputs()):
        told = sum(entry["caption"][:60] in said for said in captions)
        assert page is None or entry["kind"] == "figure" or not told or entry["caption"][:60] not in page.get_text()


def test_a_card_says_whole_sentences() -> None:
    text = "What is it? It is this, at some length. " + "And more of it. " * 30
    assert front.lead(text).endswith((".", "?")) and len(front.lead(text)) <= front.LEAD
    assert front.lead("One sentence that never ends " * 20) == "One sentence that never ends " * 20


def test_every_notebook_leads_to_its_findings(soups) -> None:
    for stem in RENDERED:
        link = soups[f"{stem}.html"].select_one(".jump a")
        assert soups[f"{stem}.html"].find(id=link["href"][1:]).get_text().startswith("Findings")


def test_rows_that_go_on_repeat_what_stands_above_them() -> None:
    html = markup.markdown("| claim | basis |\n|---|---|\n| A | x |\n|  | y |\n| B | z |")
    made = BeautifulSoup(markup.table(BeautifulSoup(html, "html.parser").find("table"), label="").html, "html.parser")
    assert [span.get_text() for span in made.select("span.ditto")] == ["A"]


def test_a_caption_is_parted_from_where_its_data_come_from() -> None:
    caption = (
        "MSE, the best marked. Protocol described: chronological split. S&P 500 daily closes, 24,725 rows, a file."
    )
    seen, where = markup.split_caption(caption)
    assert seen == "MSE, the best marked."
    assert where.startswith("Protocol described")
    assert markup.split_caption("Only what is seen.") == ("Only what is seen.", "")


@pytest.mark.parametrize(
    ("latex", "drawn"),
    [
        ("C_t", "<msub><mi>C</mi><mi>t</mi></msub>"),
        (r"x^{2}_{i}", "<msubsup><mi>x</mi><mrow><mi>i</mi></mrow><mrow><mn>2</mn></mrow></msubsup>"),
        (
            r"\frac{1}{\sqrt{n}}",
            "<mfrac><mrow><mn>1</mn></mrow><mrow><msqrt><mrow><mi>n</mi></mrow></msqrt></mrow></mfrac>",
        ),
        (r"\hat{y} \le 0.5", '<mover accent="true"><mrow><mi>y</mi></mrow><mo>^</mo></mover><mo>≤</mo><mn>0.5</mn>'),
        (r"\text{train } a<b", "<mtext>train\N{NO-BREAK SPACE}</mtext><mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
        (
            r"\left(\alpha\right]",
            '<mo fence="true" form="prefix" stretchy="true">(</mo><mi>α</mi>'
            '<mo fence="true" form="postfix" stretchy="true">]</mo>',
        ),
    ],
)
def test_formulas_become_mathml(latex: str, drawn: str) -> None:
    assert drawn in str(BeautifulSoup(markup.mathml(latex), "html.parser"))  # characters instead of their numbers


def test_a_formula_of_several_lines_is_a_table() -> None:
    made = BeautifulSoup(
        markup.mathml(r"\begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}", block=True), "html.parser"
    )
    assert made.math["display"] == "block"
    assert [len(row.find_all("mtd")) for row in made.find_all("mtr")] == [2, 2]


@pytest.mark.parametrize(
    ("latex", "said"),
    [
        (r"\tikz x", r"uses \\tikz, which cannot be drawn"),
        (r"\frac{1}{2", "lacks a brace"),
        ("x^2^3", "cannot be drawn: DoubleSuperscriptsError"),
        ("a}", "lacks a brace"),
        ("a & b", "a & outside of a table"),
        (r"\begin{tikzpicture}\end{tikzpicture}", "the environment tikzpicture"),
    ],
)
def test_a_formula_that_cannot_be_drawn_is_refused_by_name(latex: str, said: str, caplog) -> None:
    with pytest.raises(markup.FormulaError, match=said):
        markup.mathml(latex)
    assert "<code" in markup.markdown(f"so ${latex}$ here") and "shown as typed" in caplog.text


@given(st.text(alphabet=r"ab1_^{}\frac &[]'$<", max_size=30))
def test_whatever_is_typed_is_drawn_or_refused(latex: str) -> None:
    try:
        made = markup.mathml(latex)
    except markup.FormulaError:
        return
    assert BeautifulSoup(made, "xml").find("math") is not None


def test_no_formula_of_a_notebook_is_left_as_typed(soups) -> None:
    assert not [name for name, soup in soups.items() if soup.select("code.latex")]
    assert soups[FOLDED].find("math")


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path, capsys) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert command.main(["--output", str(tmp_path)]) == 2
    assert "holds something that is no supplement" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_what_a_killed_run_left_is_taken_away_and_a_run_beside_is_not(tmp_path) -> None:
    old, young = tmp_path / ".supplement.old", tmp_path / ".supplement.young"
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (0, 0))
    assert command.main(["--output", str(tmp_path / "supplement")]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [".supplement.young", "supplement"]


def test_a_damaged_notebook_is_named(tmp_path) -> None:
    path = tmp_path / "09_broken.ipynb"
    path.write_text('{"cells": [')
    with pytest.raises(notebook.SupplementError, match=r"09_broken\.ipynb is no whole notebook"):
        notebook.read(path, [], paths.outputs())
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("text")]), path)
    with pytest.raises(notebook.SupplementError, match="starts without a title"):
        notebook.read(path, [], paths.outputs())


def test_a_picture_of_its_own_and_a_widget_find_their_place(tmp_path) -> None:
    png = next(paths.outputs().figures.glob("*.png")).read_bytes()
    import base64

    new = nbformat.v4
    shown = new.new_output("display_data", {"image/png": base64.b64encode(png).decode()})
    widget = new.new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "VBox()"})
    cells = [
        new.new_markdown_cell("# 0. Explore\n\nTry it.\n\n## Press run\n\nAnd wait."),
        new.new_code_cell("run()", outputs=[shown, widget]),
    ]
    path = tmp_path / "00_explore.ipynb"
    nbformat.write(new.new_notebook(cells=cells), path)
    page = notebook.read(path, notebook.results(paths.outputs()), paths.outputs())
    assert (page.title, page.lead) == ("0. Explore", "Try it.")
    assert page.pictures == {"00_explore-1.png": png}
    assert page.soup.find("img")["alt"] == "Figure under the heading Press run: And wait."
    assert "make lab" in page.soup.select_one("p.note").get_text() and "VBox" not in str(page.soup)


# --- In a browser


def absent() -> str:
    """Why the browser tests cannot run; in continuous integration that is a failure."""
    said = browser.missing()
    if said and (os.environ.get("LSTM_BROWSER") == "required" or os.environ.get("CI")):
        pytest.fail(said)
    return said


@pytest.fixture(scope="session")
def driver():
    """Chromium, without a network."""
    if said := absent():
        pytest.skip(said)
    with browser.chromium() as made:
        made.get("about:blank")
        yield made


LOADED = """
const done = arguments[0];
document.querySelectorAll('img').forEach(image => { image.loading = 'eager'; });
Promise.all([...document.images].map(image => image.decode().then(() => '', () => image.src)))
    .then(found => done(found.filter(Boolean)));
"""
AXE = """
const [without, options, done] = arguments;
axe.run({include: [['html']], exclude: without}, options).then(found => done(found.violations
    .filter(v => ['serious', 'critical'].includes(v.impact))
    .map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.target.join(' ') + ' ' + n.failureSummary).join(' | '))),
    error => done([String(error)]));
"""


UNFOLD = "document.querySelectorAll('details').forEach(cell => { cell.open = true; })"


def violations(driver, *, code: bool = True, **options) -> list[str]:
    """What axe finds that is serious or critical; `code` says whether to look at every word of the code too (slow)."""
    from axe_core_python.base import AXE_SCRIPT

    driver.execute_script(AXE_SCRIPT)
    without = [] if code else [["details.code pre"]]
    return driver.execute_async_script(AXE, without, {"resultTypes": ["violations"], **options})


def overflow(driver) -> int:
    return driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_in_a_browser(driver, built, page: str) -> None:
    look(driver, built, page)


def test_further_results_in_a_browser(driver, built, soups) -> None:
    for page in soups.keys() - set(PAGES):
        look(driver, built, page)


def look(driver, built: Path, page: str) -> None:
    """No message in the console, no broken picture, nothing from a network, no sideways scroll; axe minds nothing."""
    driver.get_log("browser"), driver.get_log("performance")
    browser.emulate(driver)
    driver.get((built / page).as_uri())
    assert driver.execute_async_script(LOADED) == []
    assert driver.get_log("browser") == []
    asked = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [entry["params"] for entry in asked if entry["method"] == "Network.requestWillBeSent"]
    # The browser's own first tab asks for things of its own.
    urls = {one["request"]["url"] for one in sent if one["documentURL"].startswith("file:")}
    assert urls and not [url for url in urls if not url.startswith(("file:", "data:"))]
    assert overflow(driver) == 0
    # Folded code is laid out over what follows it, as far as axe can see.
    driver.execute_script(UNFOLD if page == SHORTEST else "0")
    assert violations(driver, code=page == SHORTEST) == []
    browser.emulate(driver, dark=True)
    assert violations(driver, code=page == SHORTEST, runOnly=["color-contrast"]) == []
    browser.emulate(driver, width=400, height=800, phone=True)
    assert overflow(driver) == 0
    driver.execute_script(UNFOLD)
    assert overflow(driver) == 0


def test_axe_on_a_phone_in_the_dark_with_the_code_unfolded(driver, built) -> None:
    browser.emulate(driver, width=400, height=800, dark=True, phone=True)
    for page in ("index.html", SHORTEST):
        driver.get((built / page).as_uri())
        driver.execute_script(UNFOLD)
        assert violations(driver) == [], page


def press(driver, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(driver).send_keys(*keys).perform()


def test_the_keyboard_skips_folds_and_unfolds(driver, built) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.emulate(driver)
    driver.get((built / FOLDED).as_uri())
    press(driver, Keys.TAB)
    first = driver.switch_to.active_element
    assert first.text == "Skip to the content" and first.location["y"] >= 0
    press(driver, Keys.ENTER)
    assert driver.execute_script("return document.activeElement.id") == "main"
    assert driver.execute_script("return [...document.querySelectorAll('details.code')].every(cell => !cell.open)")
    driver.execute_script("document.querySelector('details.code summary').focus()")
    press(driver, Keys.ENTER)
    assert driver.execute_script("return document.querySelector('details.code').open")
    outline = driver.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    driver.execute_script("document.querySelector('.show-code').focus()")
    press(driver, Keys.SPACE)
    assert driver.execute_script("return [...document.querySelectorAll('details.code')].every(cell => cell.open)")
    assert driver.switch_to.active_element.text == "Hide all code"
    press(driver, Keys.SPACE)
    assert driver.execute_script("return [...document.querySelectorAll('details.code')].every(cell => !cell.open)")


def test_the_keyboard_sorts(driver, built) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.emulate(driver)
    driver.get((built / FOLDED).as_uri())
    driver.execute_script(
        """
        window.table = document.querySelector('#G-tab08_described-table table');
        window.head = [...table.tHead.rows[0].cells].find(cell => cell.textContent.startsWith('MSE'));
        head.querySelector('button').focus();
        """
    )
    column = "return [...table.tBodies[0].rows].map(row => Number(row.cells[head.cellIndex].textContent))"
    before = driver.execute_script(column)
    assert before != sorted(before) and len(before) >= 20
    press(driver, Keys.ENTER)
    assert driver.execute_script(column) == sorted(before)
    assert driver.execute_script("return head.getAttribute('aria-sort')") == "ascending"
    press(driver, Keys.ENTER)
    assert driver.execute_script(column) == sorted(before, reverse=True)
    assert driver.execute_script("return head.getAttribute('aria-sort')") == "descending"
    press(driver, Keys.ENTER)
    assert driver.execute_script(column) == before
    assert driver.execute_script("return head.hasAttribute('aria-sort')") is False


def test_the_keyboard_enlarges_goes_on_and_comes_back(driver, built) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.emulate(driver)
    driver.get((built / FOLDED).as_uri())
    driver.execute_script("document.querySelector('a.enlarge').focus()")
    press(driver, Keys.ENTER)
    state = "const d = document.querySelector('dialog'); return [d.open, d.querySelector('img').getAttribute('src')]"
    opened, first = driver.execute_script(state)
    assert opened and "G-fig01.png" in first
    assert violations(driver) == []
    press(driver, Keys.ARROW_RIGHT)
    assert "G-tab04.png" in driver.execute_script(state)[1]
    press(driver, Keys.ESCAPE)
    assert driver.execute_script(state)[0] is False
    focused = driver.execute_script("return document.activeElement.getAttribute('href')")
    assert focused == "figures/G-tab04.png"


def test_the_map_of_items_is_filtered(driver, built) -> None:
    browser.emulate(driver)
    driver.get((built / "index.html").as_uri())
    field = driver.find_element("id", "filter")
    field.send_keys("residuals")
    left = driver.execute_script(
        "return [...document.querySelectorAll('.card')].filter(card => !card.hidden).map(c => c.id)"
    )
    assert left and "item-G-fig14" in left and len(left) < 10
    assert driver.execute_script("return document.querySelector('.filter [role=status]').textContent").startswith(
        str(len(left))
    )


def test_pages_read_without_scripts(driver, built, tmp_path) -> None:
    """Without the script code unfolds, figures open as files, and nothing that needs the script is shown."""
    copy = tmp_path / "site"
    shutil.copytree(built, copy, ignore=shutil.ignore_patterns("*.svg", "site.js"))
    (copy / "assets" / "site.js").write_text("")
    browser.emulate(driver)
    driver.get((copy / SHORTEST).as_uri())
    assert not driver.find_element("css selector", ".tools").is_displayed()
    driver.find_element("css selector", "details.code summary").click()
    assert driver.find_element("css selector", "details.code pre").is_displayed()


def test_a_missing_browser_is_named(monkeypatch) -> None:
    monkeypatch.setattr(browser.shutil, "which", lambda name: None)
    assert "No chromium and no chromium-driver is installed" in browser.missing()
    assert "apt-get install" in browser.missing()
    with pytest.raises(browser.BrowserMissingError), browser.chromium():
        pass
    for name in ("LSTM_BROWSER", "CI"):
        monkeypatch.delenv(name, raising=False)
    assert absent() == browser.missing()
    monkeypatch.setenv("LSTM_BROWSER", "required")
    with pytest.raises(pytest.fail.Exception, match="No chromium"):
        absent()


def test_the_pictures_in_the_readme_are_small_and_there() -> None:
    from PIL import Image

    for name in browser.PICTURES:
        path = paths.outputs().figures / name
        assert path.stat().st_size < browser.LARGEST
        assert Image.open(path).size == (browser.WIDTH, browser.HEIGHT)
        assert f"figures/{name}" in readme.README.read_text("utf-8")
