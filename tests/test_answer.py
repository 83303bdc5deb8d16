"""The answer in short: counted from the committed tables, in words that follow the numbers."""

import pandas as pd
import pytest

from helpers import answer, claims, paths, readme
from helpers.paths import Outputs

HEAD = "| Claim | Where | As printed | Described | Verdict |\n| --- | --- | --- | --- | --- |\n"


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """An empty folder of tables in place of the committed one."""
    monkeypatch.setattr(answer.paths, "outputs", lambda root="": Outputs(tmp_path))
    folder = Outputs(tmp_path).tables
    folder.mkdir(parents=True)
    return folder


def held(tables, shares: dict[str, float], seeds: int = 50) -> None:
    """The table of duels of a contest in which each tuner ended below random search so often."""
    rows = [
        {"Problem": "P", "Evaluated by": how, "Rival": "Random search", "Tuner": t, "Seeds": seeds, "P(better)": share}
        for how in ("surrogate", "training")
        for t, share in shares.items()
    ]
    pd.DataFrame(rows).to_csv(tables / "B-tab02.csv", index=False)


def test_the_word_follows_the_interval(tables) -> None:
    held(tables, {"Generator": 0.2, "GAN": 0.76})
    found = answer.contest()
    assert (found.word("generator"), found.word("gan")) == ("worse than", "better than")
    assert found.seeds == 50 and found.where == "P"
    assert found.better["generator"].low == pytest.approx(0.112, abs=0.001)  # Wilson's interval of 10 of 50
    held(tables, {"Generator": 0.5, "GAN": 1.0}, seeds=2)
    assert {answer.contest().word(t) for t in ("generator", "gan")} == {"not told apart from"}


def test_more_problems_are_no_more_seeds(tables) -> None:
    held(tables, {"Generator": 0.4, "GAN": 0.6}, seeds=100)
    one = pd.read_csv(tables / "B-tab02.csv")
    others = [one.assign(Problem=name, **{"P(better)": one["P(better)"] - 0.1}) for name in ("Q", "R")]
    pd.concat([one, *others]).to_csv(tables / "B-tab02.csv", index=False)
    found = answer.contest()
    assert found.seeds == 100 and found.where == "3 problems, each a space and a protocol"
    assert found.better["gan"].value == pytest.approx((0.6 + 0.5 + 0.5) / 3)
    assert found.word("gan") == "not told apart from"
    assert found.better["gan"].high - found.better["gan"].low == pytest.approx(0.19, abs=0.01)


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
