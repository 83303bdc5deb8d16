"""The notebooks: their parameters cells, and all of them executed with tiny budgets into a temporary folder."""

import json
import re

import jupytext
import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml

from helpers import contest, figures, paths, prices, published, reproduce, windows
from helpers.metrics import mse

NOTEBOOKS = tuple(reproduce.NEEDS)
PROTOCOLS = ("described", "published")
pytestmark = pytest.mark.timeout(1800)  # the first test to need them waits for all notebooks


# --- as written -----------------------------------------------------------------------------------------------------


def test_every_script_is_a_known_notebook():
    assert tuple(sorted(p.stem for p in paths.NOTEBOOKS.glob("0[0-9]_*.py"))) == NOTEBOOKS


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_the_parameters_tag_survives_conversion(notebook, tmp_path):
    reproduce.convert(notebook, tmp_path / "converted.ipynb")
    cells = nbformat.read(tmp_path / "converted.ipynb", as_version=4).cells
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1 and "profile = " in tagged[0].source


@pytest.mark.parametrize("profile", reproduce.PROFILES)
def test_every_budget_of_a_notebook_stands_in_every_params_file(profile):
    values = yaml.safe_load((paths.PARAMS / f"{profile}.yml").read_text(encoding="utf-8"))
    for notebook in NOTEBOOKS:
        given = {**values["all"], **(values.get(notebook) or {})}
        assert set(reproduce.notebook_parameters(notebook)) - set(reproduce.CHOSEN) <= set(given), notebook


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_a_notebook_ends_with_findings_and_stamp_and_types_no_result_by_hand(notebook):
    cells = jupytext.read(paths.NOTEBOOKS / f"{notebook}.py").cells
    headings = [c.source for c in cells if c.cell_type == "markdown" and c.source.startswith("## ")]
    assert headings[-2].startswith("## Findings") and headings[-1].startswith("## Stamp")
    findings = next(c.source for c in cells if c.cell_type == "code" and "- This run used" in c.source)
    assert not re.findall(r"\d+\.\d+", re.sub(r"\{[^{}]*\}", "", findings)), "numbers come from variables"


# --- as executed ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """All notebooks executed in profile smoke; the folder they wrote into."""
    folder = tmp_path_factory.mktemp("smoke")
    assert reproduce.main(["--profile", "smoke", "--output", str(folder), "--jobs", "2"]) == 0
    return paths.outputs(folder)


@pytest.fixture(scope="module")
def datasets():
    data = prices.load(source="packaged")
    return {p: windows.Dataset(data, windows.protocol(p, as_of="1956-12-31")) for p in PROTOCOLS}


def test_every_notebook_is_rendered_whole_and_clean(smoke):
    rendered = {path.stem: path for path in smoke.rendered.glob("*.ipynb")}
    assert set(rendered) == {step.name for step in reproduce.plan("smoke")}
    for name, path in rendered.items():
        text = path.read_text(encoding="utf-8")
        assert len(text) < 2_000_000, name
        assert str(paths.ROOT) not in text, name
        outputs = [o for c in nbformat.read(path, as_version=4).cells for o in c.get("outputs", [])]
        assert not [o for o in outputs if o.output_type == "error"], name
        assert str(smoke.root) not in json.dumps(outputs), name
        said = "".join(o.text for o in outputs if o.output_type == "stream")
        expected = re.compile(r"\d+% ?\||trial \d+ failed|trials failed")  # the last state of a bar; a failed trial
        lines = [line for line in said.splitlines() if line.strip() and not expected.search(line)]
        assert not lines, f"{name} says: {said}"
        assert "packaged with great_tables" in text, f"{name} does not say which data it ran on"


def test_every_item_of_both_papers_is_in_the_index(smoke):
    index = (smoke.figures / "INDEX.md").read_text(encoding="utf-8")
    assert [item for item in figures.ITEMS if f"**{item}**" not in index] == []
    assert reproduce.missing_items(smoke) == []


def test_every_result_names_its_source_and_those_that_depend_on_a_protocol_are_there_for_both(smoke):
    entries = [json.loads(p.read_text(encoding="utf-8")) for p in (smoke.figures / "index").glob("*.json")]
    for entry in entries:
        assert entry["caption"], entry["items"]
        if entry["protocol"]:
            assert f"rotocol {entry['protocol']}" in entry["caption"], entry["items"]
            assert "packaged with great_tables" in entry["caption"], entry["items"]
            assert entry["ours"] and entry["published"], entry["items"]
    by_protocol = {p: sorted(e["items"] for e in entries if e["protocol"] == p) for p in PROTOCOLS}
    assert by_protocol["described"] == by_protocol["published"] and len(by_protocol["described"]) > 30


def test_01_scores_the_forecasts_that_need_no_training(smoke, datasets):
    scores = pd.read_csv(smoke.tables / "untrained.csv", index_col="forecast")
    for p, dataset in datasets.items():
        w = dataset.windows(1)
        assert scores.loc["yesterday's close", p] == pytest.approx(mse(w.y_test, w.naive), rel=1e-4)
        assert scores.loc["mean of the training targets", p] == pytest.approx(
            np.mean((w.y_test - w.y_train.mean()) ** 2), rel=1e-4
        )


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("item", "trials"), [("G-tab08", 2), ("A-appB", 2), ("G-tab09", 2), ("G-tab09_warped", 2)], ids=str
)
def test_02_03_04_record_every_trial(smoke, protocol, item, trials):
    table = pd.read_csv(smoke.tables / f"{item}_{protocol}.csv")
    assert 1 <= len(table) <= trials and list(table["iteration"]) == list(range(1, len(table) + 1))
    assert np.isfinite(table["mse"]).all() and (table["mse"] > 0).all() and (table["seconds"] > 0).all()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_02_the_longer_runs_are_the_same_study_continued(smoke, protocol):
    short = pd.read_csv(smoke.tables / f"G-tab08_{protocol}.csv")
    best = pd.read_csv(smoke.tables / f"G-tab05_{protocol}.csv")
    assert best.loc[0, "mse"] == short["mse"].min()
    assert best.loc[1, "mse"] == published.HEADLINE["generator"].best_mse
    journal = (smoke.studies("smoke") / f"generator_{protocol}.journal").read_text(encoding="utf-8")
    assert journal.count('"mse"') == 4, "four trials of one study: two are the paper's 20, all are its 100"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_04_stops_at_the_generators_best_or_at_the_cap(smoke, protocol):
    target = pd.read_csv(smoke.tables / f"G-tab08_{protocol}.csv")["mse"].min()
    for variant in ("", "_warped"):
        errors = pd.read_csv(smoke.tables / f"G-tab09{variant}_{protocol}.csv")["mse"]
        assert (errors[:-1] > target).all(), "the search went on after it had reached the target"
        assert len(errors) == 2 or errors.iloc[-1] <= target


def test_07_reports_the_searches_that_are_recorded(smoke):
    table = pd.read_csv(smoke.tables / "B-tab01.csv").query("`Evaluated by` == 'surrogate'").set_index("Tuner")
    path = smoke.studies("smoke") / "contest_surrogate_generator_described_drawn.jsonl"
    searches = contest.recorded(path, "generator", evaluations=6)
    for tuner, part in searches.groupby("tuner"):
        best = part.groupby("seed")["mse"].min()
        assert table.loc[figures.LABELS[tuner], "Best MSE"] == pytest.approx(best.median())
        assert table.loc[figures.LABELS[tuner], "Seeds"] == len(best) == 3
    trained = contest.recorded(smoke.studies("smoke") / "contest_generator_described.jsonl", "generator", evaluations=6)
    assert len(trained) == 18 and (trained["mse"] > 0).all()
    assert (smoke.tables / "tuners_answer.md").read_text(encoding="utf-8").count(". ") == 1
    assert "(chosen on Generator's space, described)" in (smoke.tables / "hybrid_answer.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_05_compares_every_tuners_best_with_yesterdays_close(smoke, protocol, datasets):
    summary = pd.read_csv(smoke.tables / f"summary_{protocol}.csv", index_col="tuner")
    assert list(summary.index) == ["Generator", "Bayesian, raw ranges", "Bayesian, warped", "GAN", "Yesterday's close"]
    naive = datasets[protocol].naive_metrics("final")
    assert summary.loc["Yesterday's close", "mse"] == pytest.approx(naive["mse"])
    tables = {"Generator": "G-tab08", "Bayesian, raw ranges": "G-tab09", "GAN": "A-appB"}
    for tuner, item in tables.items():
        errors = pd.read_csv(smoke.tables / f"{item}_{protocol}.csv")["mse"]
        assert summary.loc[tuner, "mse"] == pytest.approx(errors.min(), rel=1e-4)


def test_redrawing_from_the_records_trains_nothing(smoke):
    before = {path.name: path.read_bytes() for path in smoke.studies("smoke").glob("*.journal")}
    arguments = ["--profile", "smoke", "--output", str(smoke.root), "--draw-only", "--only", "03", "--protocols"]
    assert reproduce.main([*arguments, "published"]) == 0
    assert {path.name: path.read_bytes() for path in smoke.studies("smoke").glob("*.journal")} == before
