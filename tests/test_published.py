import pytest

from helpers import published
from helpers.space import HYPERPARAMETERS


@pytest.mark.parametrize(("which", "rows"), [("generator", 20), ("bayesian", 28), ("gan", 20)])
def test_runs_are_whole_tables(which, rows):
    table = published.runs(which)
    assert list(table.columns) == ["iteration", *HYPERPARAMETERS, "mse", "seconds"]
    assert table["iteration"].tolist() == list(range(1, rows + 1))
    assert not table.isna().any().any()
    assert table["units"].dtype == "int64"


def test_rows_stand_as_printed():
    row = published.runs("generator").iloc[17]  # table 8, iteration 18
    assert row.tolist() == [18, 1, 2, 0.00001, 16, 1, 0.1, 0.000229, 4.043066]
    row = published.runs("gan").iloc[16]  # appendix B, iteration 17
    assert row.tolist() == [17, 2, 34, 0.001, 16, 30, 0.2, 0.000049, 17.806398]


def test_a_changed_copy_leaves_the_table_alone():
    table = published.runs("gan")
    table["mse"] = 0.0
    assert published.runs("gan")["mse"].min() == 0.000049


@pytest.mark.parametrize(
    ("which", "mse", "iteration", "trials", "seconds"),
    [("generator", 0.000229, 18, 20, 322), ("bayesian", 0.000094, 28, 28, 1754), ("gan", 0.000049, 17, 20, 305)],
)
def test_headlines(which, mse, iteration, trials, seconds):
    found = published.HEADLINE[which]
    assert (found.best_mse, found.iteration, found.trials, round(found.seconds)) == (mse, iteration, trials, seconds)
    assert "paper" in found.place


def test_headlines_as_text():
    assert str(published.headline("generator")) == "best MSE 0.000229 at iteration 18 of 20, 322 s in all"
    assert str(published.headline("gan")).endswith("305 s in all, 33.59 % CPU, 9,776.09 MB")


def test_records_add_what_follows_from_the_table():
    table = published.records("bayesian")
    assert table["cumulative_seconds"].iloc[-1] == pytest.approx(1754.39, abs=0.5)  # table 6 prints 1754.39
    assert table["rmse"].iloc[0] == pytest.approx(0.005716**0.5)


def test_claims_agree_with_the_tables_where_both_speak():
    claim = published.CLAIMED["generator", "rmse"]
    assert (published.records("generator")["rmse"].iloc[:-1] < claim.high + 0.01).all()  # iteration 20 is named a spike
    assert published.records("gan")["cumulative_seconds"].iloc[-1] == pytest.approx(
        published.CLAIMED["gan", "cumulative_seconds"].high, rel=0.02
    )


def test_unknown_run():
    with pytest.raises(ValueError, match="Unknown published run 'grid'; valid runs are generator, bayesian, gan"):
        published.runs("grid")


def test_unknown_name():
    with pytest.raises(AttributeError, match="HEADLINES"):
        _ = published.HEADLINES
