import json
import re
import xml.etree.ElementTree as ElementTree

import matplotlib as mpl
import pytest
from matplotlib.colors import to_rgb

from helpers import figures, paths, tables


@pytest.fixture
def outputs(tmp_path):
    return paths.outputs(tmp_path)


def drawing():
    fig, ax = figures.new()
    ax.plot([1, 2, 3], [1000, 2000, 6000], label="closes")
    ax.set_xlabel("Iteration")
    ax.set_ylabel("MSE (scaled units)")
    ax.yaxis.set_major_formatter(figures.thousands())
    ax.legend()
    return fig


def words(svg):
    return [text for element in ElementTree.fromstring(svg).iter() if (text := (element.text or "").strip())]


def test_items_are_those_of_both_papers_and_ours():
    counts = {}
    for name, item in figures.ITEMS.items():
        assert re.fullmatch(r"[GARBV]-(fig\d\d|tab\d\d|app[A-C])", name)
        assert name[0] == item.paper
        assert item.notebook in figures.NOTEBOOKS
        counts[name[:5]] = counts.get(name[:5], 0) + 1
    assert counts == {
        "G-fig": 21,
        "G-tab": 9,
        "A-fig": 16,
        "A-tab": 1,
        "A-app": 3,
        "R-fig": 6,
        "R-tab": 4,
        "B-fig": 9,
        "B-tab": 5,
        "V-fig": 6,
        "V-tab": 5,
    }


def test_save_writes_png_svg_and_entry(outputs):
    path = figures.save(
        drawing(),
        "G-fig10",
        caption="MSE falls.",
        outputs=outputs,
        protocol="described",
        ours="0.0001",
        published="0.0002",
    )
    assert path == outputs.figures / "G-fig10_described.png"
    png = path.read_bytes()
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == round(figures.WIDTH * 200)
    entry = json.loads((outputs.figures / "index" / "G-fig10_described.json").read_text())
    assert entry["files"] == ["G-fig10_described.png", "G-fig10_described.svg"]
    assert (entry["items"], entry["ours"], entry["published"]) == (["G-fig10"], "0.0001", "0.0002")
    assert entry["paper_shows"] == "MSE over 20 iterations"
    assert re.fullmatch(r"[0-9a-f]{16}", entry["code_hash"])
    assert not list(outputs.figures.glob(".*"))


def test_svg_holds_text_as_text(outputs):
    figures.save(drawing(), "G-fig10", caption="x", outputs=outputs)
    said = words((outputs.figures / "G-fig10.svg").read_text())
    assert {"Iteration", "MSE (scaled units)", "closes", "6,000"} <= set(said)


def test_the_same_figure_gives_the_same_bytes(outputs, tmp_path):
    other = paths.outputs(tmp_path / "again")
    for where in (outputs, other):
        figures.save(drawing(), "G-fig10", caption="x", outputs=where)
    for file in ("G-fig10.svg", "G-fig10.png", "index/G-fig10.json"):
        assert (outputs.figures / file).read_bytes() == (other.figures / file).read_bytes()


def test_a_figure_shows_itself():
    assert drawing()._repr_png_().startswith(b"\x89PNG")


def test_style_changes_nothing_global():
    before = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 31, "axes.grid": False}):
        fig = drawing()
        fig._repr_png_()
        assert mpl.rcParams["font.size"] == 31
        assert fig.axes[0].xaxis.label.get_fontsize() == 10
    assert dict(mpl.rcParams) == before


def test_a_figure_looks_the_same_whatever_the_reader_has_set():
    plain = drawing()._repr_png_()
    with mpl.rc_context({"xtick.labelsize": 30, "axes.linewidth": 9, "grid.color": "red"}):
        assert drawing()._repr_png_() == plain


def test_tuners_have_colours_of_their_own_that_differ_in_lightness_or_line():
    tuners = ["generator", "gan", "bayesian", "bayesian_warped"]
    assert len({figures.COLOURS[t] for t in [*tuners, "naive", "actual"]}) == 6
    assert len({figures.MARKERS[t] for t in tuners}) == 4

    def lightness(name):
        return sum(w * c for w, c in zip((0.299, 0.587, 0.114), to_rgb(figures.COLOURS[name]), strict=True))

    # Yesterday's close stands beside every tuner, and must differ from each in grey.
    assert all(abs(lightness("naive") - lightness(t)) > 0.15 for t in tuners)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0000225, "0.0000225"),
        (0.00022949, "0.000229"),
        (1754.39, "1,750"),
        (33.59, "33.6"),
        (0, "0"),
        (-4.5678, "-4.57"),
        (float("nan"), "–"),
    ],
)
def test_number(value, text):
    assert figures.number(value) == text


def test_unknown_item(outputs):
    with pytest.raises(ValueError, match=r"Unknown item 'G-fig22'; valid items are .*G-fig01.*G-fig21"):
        figures.save(drawing(), "G-fig22", caption="x", outputs=outputs)
    with pytest.raises(ValueError, match="Name at least one item"):
        figures.save(drawing(), [], caption="x", outputs=outputs)
    assert not outputs.figures.exists()


@pytest.mark.parametrize(("what", "change"), [("caption", {"caption": " "}), ("protocol", {"protocol": "a/b"})])
def test_bad_arguments_write_nothing(outputs, what, change):
    with pytest.raises(ValueError, match=what):
        figures.save(drawing(), "G-fig01", outputs=outputs, **{"caption": "x", **change})
    assert not outputs.figures.exists()


def rows(text):
    return {m[1]: line for line in text.splitlines() if (m := re.match(r"\| \*\*([^*]+)\*\* \|", line))}


def test_empty_index_names_everything_as_missing(outputs):
    text = figures.write_index(outputs).read_text()
    assert f"0 of {len(figures.ITEMS)} items are here. Missing: G-fig01, " in text
    assert set(rows(text)) == set(figures.ITEMS)
    assert all("missing" in row for row in rows(text).values())


def test_index_shows_each_result_under_each_of_its_items(outputs):
    figures.save(drawing(), ["G-fig01", "A-fig05"], caption="A cell | drawn.", outputs=outputs)
    for protocol, ours in (("published", "0.00003"), ("described", "0.0021")):
        figures.save(
            drawing(), "G-fig10", caption="MSE.", outputs=outputs, protocol=protocol, ours=ours, published="0.000229"
        )
    text = figures.write_index(outputs).read_text()
    row = rows(text)
    for item in ("G-fig01", "A-fig05"):
        assert "(G-fig01.png)" in row[item] and "(G-fig01.svg)" in row[item]
        assert re.sub(r"\\\|", "", row[item]).count("|") == 6
    assert row["G-fig10"].index("described: 0.0021") < row["G-fig10"].index("published: 0.00003")
    assert row["G-fig10"].count("| 0.000229 |") == 1
    assert f"3 of {len(figures.ITEMS)} items are here" in text
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (outputs.figures / link).is_file()


def test_index_is_complete_when_all_is_there(outputs):
    figures.save(drawing(), list(figures.ITEMS), caption="All in one.", outputs=outputs)
    text = figures.write_index(outputs).read_text()
    assert "None is missing" in text and "| missing |" not in text


def test_a_result_whose_file_is_gone_is_missing(outputs):
    figures.save(drawing(), "G-fig10", caption="x", outputs=outputs).unlink()
    assert "missing" in rows(figures.write_index(outputs).read_text())["G-fig10"]


def test_a_table_and_a_figure_may_share_an_item(outputs):
    import pandas as pd

    figures.save(drawing(), "G-tab04", caption="Diagram.", outputs=outputs)
    tables.save(pd.DataFrame({"Layer": ["input"]}), "G-tab04", caption="Table.", outputs=outputs)
    row = rows(figures.write_index(outputs).read_text())["G-tab04"]
    assert "(G-tab04.png)" in row and "(tables/G-tab04.md)" in row
