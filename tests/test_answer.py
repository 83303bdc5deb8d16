"""The answer in short: counted from the committed tables, in words that follow the numbers."""

from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest

from helpers import answer, claims, contest_words, paths, readme
from helpers.paths import Outputs

HEAD = "| Claim | Where | As printed | Described | Verdict |\n| --- | --- | --- | --- | --- |\n"


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """An empty folder of tables in place of the committed one."""
    monkeypatch.setattr(answer.paths, "outputs", lambda root="": Outputs(tmp_path))
    folder = Outputs(tmp_path).tables
    folder.mkdir(parents=True)
    return folder


def test_the_studies_are_those_of_the_profile_that_the_rendered_notebooks_show(tables, tmp_path) -> None:
    rendered = Outputs(tmp_path).rendered
    rendered.mkdir(parents=True)
    path = rendered / "02_generator_tuner_described.ipynb"
    with pytest.raises(answer.AnswerError, match=r"02_generator_tuner_described\.ipynb is missing or damaged"):
        answer.shown()
    cells = [nbformat.v4.new_code_cell(f'profile = "{name}"') for name in ("smoke", "default")]
    cells[1].metadata["tags"] = ["injected-parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    assert answer.shown() == Outputs(tmp_path).studies("default")
    path.write_text("{}")
    with pytest.raises(answer.AnswerError, match="missing or damaged"):
        answer.shown()


def held(tables, shares: dict[str, float], seeds: int = 50) -> None:
    """The table of duels of a contest in which each tuner ended below random search so often."""
    rows = [
        {"Problem": "P", "Evaluated by": how, "Rival": "Random search", "Tuner": t, "Seeds": seeds, "P(better)": share}
        for how in ("surrogate", "training")
        for t, share in shares.items()
    ]
    pd.DataFrame(rows).to_csv(tables / "B-tab02.csv", index=False)


def test_the_words_follow_the_intervals_of_each_problem(tables) -> None:
    held(tables, {"Generator": 0.2, "GAN": 0.76})
    found = answer.contest()
    assert found.words("generator") == "worse than random search"
    assert found.words("gan") == "better than random search"
    assert found.seeds == 50 and found.problems == ["P"]
    assert found.better["generator"][0].low == pytest.approx(0.100, abs=0.001)  # of 10 of 50
    assert answer._trained(found) == (
        " With real trainings, 50 searches each, the generator is worse than random search, and the GAN is better than "
        "random search."
    )
    held(tables, {"Generator": 0.5, "GAN": 1.0}, seeds=2)
    said = " 2 searches each with real trainings cannot tell either from random search."
    assert answer._trained(answer.contest()) == said
    assert answer._in_trainings(answer.contest()) == (  # 1 of 2: 0.013 to 0.987
        " In 2 searches each with real trainings: 50 % and 100 %, each with a 95 % interval of up to 97 points."
    )
    assert {answer.contest().words(t) for t in ("generator", "gan")} == {"not distinguishable from random search"}


def test_an_average_does_not_hide_problems_that_differ(tables) -> None:
    held(tables, {"Generator": 0.2, "GAN": 0.8}, seeds=100)
    one = pd.read_csv(tables / "B-tab02.csv")
    gan = one["Tuner"] == "GAN"
    others = [
        one.assign(Problem=n, **{"P(better)": one["P(better)"].where(~gan, p)}) for n, p in (("Q", 0.2), ("R", 0.5))
    ]
    pd.concat([one, *others]).to_csv(tables / "B-tab02.csv", index=False)
    found = answer.contest()
    assert found.seeds == 100 and found.mean("gan") == pytest.approx(0.5)
    assert found.words("gan") == "better than random search on 1 and worse on 1 of 3 problems"
    assert found.words("generator") == "worse than random search on all 3 problems"
    assert answer._trained(found) == (
        " With real trainings, 100 searches each, the generator is worse than random search on all 3 problems, and the "
        "GAN is better than random search on 1 and worse on 1 of 3 problems."
    )
    assert answer._in_trainings(found) == (
        " In 100 searches each with real trainings: 20 % and 20 to 80 %, each with a 95 % interval of up to 20 points."
    )
    said = answer._where(found)
    assert "100 seeds with 20 trials" in said and "20 to 20 % and 20 to 80 % from problem to problem" in said


def test_an_average_is_rounded_as_notebook_07_rounds_it() -> None:
    """Sums of the same four shares in another order end in 0.20499999999999999 or 0.20500000000000002."""
    low, high = 0.205, (0.36 + 0.17 + 0.05 + 0.24) / 4
    assert low < high and f"{low:.2f}" != f"{high:.2f}", "the case"
    rows = [SimpleNamespace(win=win, win_low=0.16, win_high=0.26) for win in (low, high)]
    assert {contest_words.share(row) for row in rows} == {"0.20 [0.16, 0.26]"}
    assert {answer._percent(win) for win in (low, high)} == {"20"}


def test_real_trainings_that_tell_nothing_apart_say_on_how_many_problems(tables) -> None:
    held(tables, {"Generator": 0.5, "GAN": 0.6}, seeds=10)
    one = pd.read_csv(tables / "B-tab02.csv")
    pd.concat([one, one.assign(Problem="Q")]).to_csv(tables / "B-tab02.csv", index=False)
    said = " 10 searches on each of 2 problems with real trainings cannot tell either from random search."
    assert answer._trained(answer.contest()) == said


def test_a_missing_contest_is_named(tables) -> None:
    with pytest.raises(answer.AnswerError, match="run notebook 07"):
        answer.contest()
    held(tables, {"TPE": 0.7})
    with pytest.raises(answer.AnswerError, match="no contest of the papers' tuners"):
        answer.contest()


def test_a_claim_has_its_verdict_first_and_its_evidence_in_few_words(tables) -> None:
    row = "| [A](a.png) | G 4 | holds | rows: holds in part; tuners: cannot be judged | **does not hold** |\n"
    (tables / "claims_short.md").write_text(HEAD + row)
    assert answer.claims().splitlines()[2] == "| **does not hold** | [A](a.png) | G 4 | yes | rows in part, tuners ? |"
    assert answer.verdicts()["does not hold"] == 1 and sum(answer.verdicts().values()) == 1
    (tables / "claims_short.md").write_text("| A | B |\n| --- | --- |\n")
    with pytest.raises(ValueError, match="has the columns A, B"):
        answer.claims()


def test_every_verdict_has_a_short_word_and_a_plural() -> None:
    assert tuple(answer.SHORT) == claims.VERDICTS and len(set(answer.SHORT.values())) == len(claims.VERDICTS)
    assert [answer.many(v) for v in claims.VERDICTS] == ["hold", "hold in part", "do not hold", "cannot be judged"]
    assert answer.many("does not hold", 1) == "does not hold"


def test_the_readme_prints_the_answer_and_every_claim() -> None:
    text = readme.README.read_text("utf-8")
    assert answer.markdown() in text and answer.claims().strip() in text
    short = (paths.outputs().tables / "claims_short.md").read_text("utf-8")
    assert len(answer.claims().splitlines()) == len(short.splitlines()) == 2 + len(claims.CLAIMS)
