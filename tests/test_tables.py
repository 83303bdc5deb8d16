import json

import numpy as np
import pandas as pd
import pytest

from helpers import paths, published, tables


@pytest.fixture
def outputs(tmp_path):
    return paths.outputs(tmp_path)


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def save(df, outputs, **options):
    return tables.save(df, "G-tab08", **{"caption": "Every trial.", "outputs": outputs, **options})


def test_csv_reads_back_exactly(outputs):
    df = published.runs("generator").assign(mse=lambda t: t["mse"] / 3)
    save(df, outputs, protocol="described")
    back = pd.read_csv(outputs.tables / "G-tab08_described.csv", float_precision="round_trip")
    pd.testing.assert_frame_equal(back, df, check_exact=True)


def test_the_same_table_gives_the_same_bytes(outputs, tmp_path):
    other = paths.outputs(tmp_path / "again")
    for where in (outputs, other):
        save(published.runs("gan"), where, highlight="mse")
    for file in ("tables/G-tab08.csv", "tables/G-tab08.md", "index/G-tab08.table.json"):
        assert (outputs.figures / file).read_bytes() == (other.figures / file).read_bytes()


def test_markdown_is_formatted_like_the_papers(outputs):
    save(published.runs("generator"), outputs, highlight="mse")
    lines = (outputs.tables / "G-tab08.md").read_text().splitlines()
    assert cells(lines[0])[:4] == ["Iteration", "Layers", "Units per layer", "Learning rate"]
    assert set(lines[1]) <= set("|- ")
    assert cells(lines[2]) == ["1", "1", "1", "0.00001", "16", "6", "0.1", "0.001117", "7.22"]
    assert cells(lines[19])[0] == "**18**" and cells(lines[19])[7] == "**0.000229**"  # the best row, and only it
    assert sum("**" in line for line in lines) == 1
    assert lines[-1] == "*Every trial.*"
    assert len({len(line) for line in lines[:22]}) == 1


def test_formats_missing_values_and_pipes(outputs):
    df = pd.DataFrame({"what": ["a|b", None], "mse": [np.nan, 0.5], "n": [1, 12345], "share": [0.25, 1.0]})
    save(df, outputs, formats={"n": ",d", "mse": ".2f", "share": ".0%"})
    text = (outputs.tables / "G-tab08.md").read_text()
    assert "| a\\|b | –" in text
    assert cells(text.splitlines()[3]) == ["–", "0.50", "12,345", "100%"]


def test_significant_digits_have_no_exponent(outputs):
    df = pd.DataFrame({"ratio": [2234567.0, 1.0, 0.99987, np.nan]})
    save(df, outputs, formats={"ratio": "4 digits"})
    lines = (outputs.tables / "G-tab08.md").read_text().splitlines()
    assert [cells(line)[0] for line in lines[2:6]] == ["2,235,000", "1.000", "0.9999", "–"]


@pytest.mark.parametrize(("rate", "text"), [(1e-5, "0.00001"), (0.1, "0.10000"), (3.2e-5, "3.2e-05")])
def test_learning_rates(rate, text):
    assert tables.formatted(pd.DataFrame({"learning_rate": [rate]})).iloc[0, 0] == text


def test_gt_shows_the_formatted_table(outputs):
    html = save(published.runs("gan"), outputs, highlight="mse").as_raw_html()
    assert "0.000049" in html and "Every trial." in html and "Sequence length (days)" in html
    assert "font-weight: bold" in html


def test_entry(outputs):
    save(published.runs("gan"), outputs, variant="warped", protocol="published", ours="0.1", published="0.2")
    entry = json.loads((outputs.figures / "index" / "G-tab08_warped_published.table.json").read_text())
    assert entry["files"] == ["tables/G-tab08_warped_published.csv", "tables/G-tab08_warped_published.md"]
    assert (entry["kind"], entry["variant"], entry["ours"]) == ("table", "warped", "0.1")


@pytest.mark.parametrize("options", [{"formats": {"mze": ".2f"}}, {"highlight": "mze"}])
def test_unknown_column(outputs, options):
    with pytest.raises(ValueError, match="No column 'mze'; valid columns are iteration, layers"):
        save(published.runs("gan"), outputs, **options)
    assert not outputs.figures.exists()


def test_highlight_of_nothing_but_failures(outputs):
    save(pd.DataFrame({"iteration": [1], "mse": [np.nan]}), outputs, highlight="mse")
    assert "**" not in (outputs.tables / "G-tab08.md").read_text()
