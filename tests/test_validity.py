"""Experiments of notebook 08: leaks on and off, walk-forward, controls, and who may see the later days."""

from __future__ import annotations

import ast
import math
from dataclasses import replace

import jupytext
import numpy as np
import pandas as pd
import pytest
import yaml

from helpers import forecast_verdicts, forecasts, league, leaks, paths, reproduce, validity, walk_forward, windows
from helpers.figures import number
from helpers.ledger import LedgerError, Outcome, Training
from helpers.prices import closes_sha256
from helpers.space import LstmConfig
from helpers.trial import METRICS, Evaluator

LAST = "2024-12-31"
CONFIG = LstmConfig(1, 8, 0.01, 32, 40, 0.1)


def outcome(training: Training, mse: float, change: np.ndarray | None = None) -> Outcome:
    return Outcome(training, "ok", "", dict.fromkeys(METRICS, mse), 1.0, change)


# --- later days -------------------------------------------------------------------------------------------------------


def spoiled(prices, after: str = LAST):
    """The same closes up to a day, others afterwards."""
    close = prices.close.copy()
    close[close.index > after] *= np.linspace(2, 9, int((close.index > after).sum()))
    return replace(prices, close=close, sha256=closes_sha256(close))


@pytest.fixture(scope="module")
def long_prices():
    """Closes until the middle of 2026."""
    return validity.random_walk(days=2500, end="2026-06-30")


@pytest.mark.parametrize("name", windows.PROTOCOLS)
@pytest.mark.parametrize("target", validity.TARGETS)
def test_a_dataset_cannot_tell_what_comes_after(long_prices, name, target):
    one, other = (
        windows.Dataset(p, windows.protocol(name, target=target)) for p in (long_prices, spoiled(long_prices))
    )
    assert one.data_sha256 == other.data_sha256 and one.close.index[-1] <= pd.Timestamp(LAST)
    for stage in windows.STAGES:
        a, b = one.windows(5, stage=stage), other.windows(5, stage=stage)
        for part in ("x_train", "y_train", "x_test", "y_test", "naive"):
            np.testing.assert_array_equal(getattr(a, part), getattr(b, part))
        assert one.naive_metrics(stage) == other.naive_metrics(stage)


def cells(notebook: str) -> list[str]:
    return [c.source for c in jupytext.read(paths.NOTEBOOKS / f"{notebook}.py").cells if c.cell_type == "code"]


@pytest.mark.parametrize("profile", reproduce.PROFILES)
def test_every_notebook_is_cut_at_the_last_close(profile):
    values = yaml.safe_load((paths.PARAMS / f"{profile}.yml").read_text(encoding="utf-8"))
    for step in reproduce.plan(profile):
        assert step.parameters.get("as_of", LAST) <= LAST, step.name
    assert all(p.as_of <= LAST for p in windows.PROTOCOLS.values())
    assert str(values["all"]["as_of"]) <= LAST


@pytest.mark.parametrize("notebook", [n for n in reproduce.NEEDS if n != "08_forecast_validity"])
def test_no_other_notebook_reads_closes_but_through_a_dataset_cut_at_as_of(notebook):
    tree = ast.parse("\n".join(c for c in cells(notebook) if not c.lstrip().startswith(("%", "!"))))
    uses = {
        (n.value.id, n.attr) for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
    }
    assert ("data", "close") not in uses and ("data", "prices") not in uses
    assert not {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)} & {"after_protocol"}
    made = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "attr", "") == "protocol"]
    for call in made:
        assert any(k.arg == "as_of" and isinstance(k.value, ast.Name) for k in call.keywords), ast.unparse(call)


def test_08_reads_the_later_days_in_its_last_part_alone():
    texts = cells("08_forecast_validity")
    later = [i for i, text in enumerate(texts) if "after_protocol" in text]
    assert len(later) == 1
    tuned = [i for i, text in enumerate(texts) if "validity.tune(" in text]
    assert tuned and max(tuned) < later[0], "nothing is tuned once these days are read"
    for text in texts[: later[0]]:
        used = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Attribute) and n.attr == "close"]
        # Of a whole series, only the dates are asked for: to know in which years the walk begins and ends.
        assert {ast.unparse(n) for n in used} <= {"days.close", "data.close"}
        assert text.count("data.close") == text.count("walk_years(data.close.index, walk_from, as_of=as_of)")


def test_the_last_part_trains_on_all_before_and_tests_on_all_after(long_prices):
    p = validity.after_protocol("change", long_prices, as_of=LAST)
    dataset = windows.Dataset(long_prices, p)
    days = league.days(dataset)
    assert days.dates[0] > pd.Timestamp(LAST) and days.dates[-1] == long_prices.close.index[-1]
    assert len(days.training) == (long_prices.close.index <= LAST).sum()
    # Neither the scale nor the unit of change knows the days it is tested on.
    other = windows.Dataset(spoiled(long_prices), p).windows(5, stage="final")
    mine = dataset.windows(5, stage="final")
    assert (mine.low, mine.high, mine.change_unit) == (other.low, other.high, other.change_unit)
    np.testing.assert_array_equal(mine.x_train, other.x_train)
    np.testing.assert_array_equal(mine.y_train, other.y_train)
    early = validity.after_protocol("level", long_prices, as_of=LAST, until="2025-03-31")
    assert early.as_of == "2025-03-31" and early.test_from == "2025-01-01"
    with pytest.raises(validity.ValidityError, match="has 0 closes after 2026-06-30"):
        validity.after_protocol("level", long_prices, as_of="2026-06-30")


def test_who_draws_with_newer_closes_draws_the_days_that_were_scored(tmp_path, long_prices):
    assert validity.recorded_until(tmp_path, "s") == ""
    older = replace(long_prices, close=long_prices.close[:"2025-03-31"])
    p = validity.after_protocol("change", older, as_of=LAST)
    training = Training("s", p, replace(CONFIG, sequence_length=5), 0, keep=True)
    budget = validity.Budget(tmp_path, epochs=1, seeds=1, jobs=1)
    try:
        made = budget.complete("after", [training], validity.Series({"s": older}, max_sequence_length=20))
    finally:
        budget.close()
    until = validity.recorded_until(tmp_path, "s")
    assert until == "2025-03-31" and validity.recorded_until(tmp_path, "other") == ""
    again = validity.after_protocol("change", long_prices, as_of=LAST, until=until)
    drawing = validity.Budget(tmp_path, epochs=1, seeds=1, jobs=1, train=False)
    newer = validity.Series({"s": long_prices}, max_sequence_length=20)
    drawn = drawing.complete("after", [replace(training, protocol=again)], newer)
    assert drawn[0].metrics == made[0].metrics
    all_days = validity.after_protocol("change", long_prices, as_of=LAST)
    with pytest.raises(LedgerError, match="not recorded"):
        drawing.complete("after", [replace(training, protocol=all_days)], newer)


# --- the target -----------------------------------------------------------------------------------------------------


def test_a_network_of_changes_that_gives_nothing_forecasts_yesterdays_close(short_prices):
    dataset = windows.Dataset(short_prices, windows.protocol("clean", target="change"), max_sequence_length=20)
    for stage in windows.STAGES:
        w = dataset.windows(7, stage=stage)
        assert w.y_train.std() == pytest.approx(1, abs=1e-5)
        np.testing.assert_array_equal(w.to_levels(np.zeros(len(w.naive), np.float32)), w.naive)
        exact = (w.y_test.astype(float) - w.naive) / w.change_unit
        assert w.to_levels(exact) == pytest.approx(w.y_test, abs=1e-6)
        # The training targets are the changes from each window's last close.
        points = w.x_train[:, -1, 0] + w.change_unit * w.y_train
        level = windows.Dataset(short_prices, windows.protocol("clean"), max_sequence_length=20).windows(7, stage=stage)
        assert points == pytest.approx(level.y_train, abs=1e-6)


def test_the_level_is_as_it_was():
    assert "target" not in repr(windows.protocol("clean")) and "test_from" not in repr(windows.protocol("clean"))
    assert "target='change'" in repr(windows.protocol("clean", target="change"))
    assert windows.protocol("clean", target="change").name == "clean_target_change"
    with pytest.raises(ValueError, match="target must be one of level, change, not 'both'"):
        windows.protocol("clean", target="both")


def test_test_from_parts_the_days(short_prices):
    day = short_prices.close.index[300]
    p = windows.protocol("clean", test_from=f"{day:%Y-%m-%d}")
    dataset = windows.Dataset(short_prices, p, max_sequence_length=20)
    assert list(dataset.train_targets("final")) == list(range(20, 300))
    assert list(dataset.test_targets("final")) == list(range(300, 400))
    with pytest.raises(ValueError, match="needs the chronological split"):
        windows.protocol("published", test_from="2001-01-01")
    with pytest.raises(ValueError, match="test_from must be a date"):
        windows.protocol("clean", test_from="soon")


# --- controls -------------------------------------------------------------------------------------------------------


def test_the_predictable_series_can_be_forecast_as_far_as_its_law_says():
    prices = validity.predictable(days=6000)
    close, positions = prices.close.to_numpy(), np.arange(3000, 6000)
    best = validity.attainable(close, positions)
    m = forecasts.measures(close[positions], best, close[positions - 1], close[:3000])
    assert m.ratio == pytest.approx(0.55, abs=0.06)
    assert np.std(np.log(close[positions] / best)) == pytest.approx(validity.NOISE, rel=0.05)


def test_a_walk_begins_where_closes_enough_come_before():
    long = pd.bdate_range("1980-01-01", "2000-06-30")
    assert walk_forward.walk_years(long, 1990, as_of="2000-12-31") == range(1990, 2001)
    assert walk_forward.walk_years(long, 1990, as_of="1999-01-01") == range(1990, 1999), "one close is no year"
    assert walk_forward.walk_years(long, 1982, as_of="2000-12-31") == range(1985, 2001), "1,260 closes are five years"
    short = pd.bdate_range("1996-01-01", "2000-12-29")  # 1,305: half of them come before
    assert walk_forward.walk_years(short, 1990, as_of="2000-12-31") == range(1999, 2001)
    with pytest.raises(validity.ValidityError, match=r"from 2001 on has no test year: .* in 1985 and ends in 2000"):
        walk_forward.walk_years(long, 2001, as_of="2024-12-31")
    with pytest.raises(validity.ValidityError, match="0 closes up to 1970-01-01"):
        walk_forward.walk_years(long, 2001, as_of="1970-01-01")


def test_the_random_walk_has_no_memory():
    returns = np.diff(np.log(validity.random_walk(days=6000).close))
    assert all(abs(np.corrcoef(returns[k:], returns[:-k])[0, 1]) < 0.05 for k in (1, 2, 5))
    assert validity.random_walk(end="1956-12-31").close.index[-1] == pd.Timestamp("1956-12-31")


def test_the_pipeline_finds_what_is_there_and_nothing_else(tmp_path):
    """Both controls through windows, training, ledger and tests, with one small network of changes."""
    made = {p.symbol: p for p in (validity.random_walk(days=2500), validity.predictable(days=2500))}
    series = validity.Series(made, max_sequence_length=40)
    budget = validity.Budget(tmp_path, epochs=20, seeds=1, jobs=1)
    p = validity.series_protocol("change", as_of=LAST)
    try:
        done = budget.complete("controls", [Training(name, p, CONFIG, 0, keep=True) for name in made], series)
    finally:
        budget.close()
    scores = {}
    for o in done:
        d = league.days(series(o.training.series, p))
        scores[o.training.series] = league.score(d, o.forecast(d.yesterday))
        assert o.metrics["rmse_points"] == pytest.approx(scores[o.training.series]["rmse"], rel=1e-4)
    walk, found = scores["random walk"], scores["predictable series"]
    assert league.verdict(walk["ratio"], walk["dm_p"]) != "better" and walk["ratio"] < 1.2
    assert league.verdict(found["ratio"], found["dm_p"]) == "better" and found["ratio"] < 0.8 and found["pt_p"] < 1e-6


# --- leaks ----------------------------------------------------------------------------------------------------------


def test_the_switchboard_chooses_by_what_it_may_see(short_prices):
    series = validity.Series({"s": short_prices}, max_sequence_length=20)
    configs = [replace(CONFIG, sequence_length=5, units=u) for u in (2, 3)]
    trainings = leaks.leak_trainings("s", configs, as_of=LAST, seeds=[0, 1])
    assert len(trainings) == len({t.key for t in trainings}) == 2 * 2 * 2 * 2 * 2

    def error(t: Training) -> float:  # the first looks best in validation, the second is best on the test part
        best = configs[0] if t.stage == "tune" else configs[1]
        return (1.0 if t.config == best else 4.0) + 0.1 * t.seed

    frame = leaks.switchboard([outcome(t, error(t)) for t in trainings], series)
    units = float(np.ptp(short_prices.close)) ** 2
    got = frame[~frame["best"]].groupby("selection")["mse"].median() * units
    assert got[False] == pytest.approx(4.05) and got[True] == pytest.approx(1.05)
    assert frame.loc[frame["best"], "mse"].to_numpy() * units == pytest.approx(1.0)
    naive = series("s", windows.protocol("clean")).naive_metrics("final")["mse_points"]
    mine = frame[~frame["split"]]
    assert mine["naive_mse"].to_numpy() * units == pytest.approx(naive)
    board = leaks.board(frame)
    assert board["leaks"].tolist() == [name for name, _ in leaks.BOARD]
    assert board.set_index("leaks")["buys"]["tuned on the test part"] == pytest.approx(4.05 / 1.05)


# --- walk-forward ---------------------------------------------------------------------------------------------------


def test_each_year_is_tested_once_by_a_network_that_knows_only_the_years_before(long_prices):
    series = validity.Series({"s": long_prices}, max_sequence_length=20)
    trainings = walk_forward.walk_trainings("s", {"change": CONFIG}, [2023, 2024], as_of=LAST, seeds=[0])
    close, seen = long_prices.close, []
    done = []
    for t in trainings:
        d = league.days(series("s", t.protocol))
        year = int(t.protocol.test_from[:4])
        assert set(d.dates.year) == {year} and len(d.training) == (close.index < f"{year}-01-01").sum()
        seen += list(d.dates)
        done.append(outcome(t, 1.0, np.zeros(len(d.positions))))
    assert seen == list(close["2023-01-01":LAST].index)
    yearly = walk_forward.by_year(done, series)
    assert yearly["ratio"].tolist() == [1.0, 1.0] and yearly["year"].tolist() == [2023, 2024]
    joined = walk_forward.walk_test(done, series, "change")
    assert joined["ratio"] == pytest.approx(1.0) and math.isnan(joined["dm_p"])


# --- scores and verdict ---------------------------------------------------------------------------------------------


def test_the_verdict_needs_the_test():
    cases = ((0.9, 0.04), (1.1, 0.04), (0.9, 0.06), (1.0, math.nan), (math.nan, 0.0))
    assert [league.verdict(*case) for case in cases] == [
        "better", "worse", "no different", "no different", "failed",
    ]  # fmt: skip


def test_seeds_of_opposite_sign_are_no_finding(short_prices):
    """Two seeds, one better and one worse than yesterday's close by as much: their mean is tested, not the better."""
    series = validity.Series({"s": short_prices}, max_sequence_length=20)
    d = league.days(series("s", validity.series_protocol("change", as_of=LAST)))
    move = d.actual - d.yesterday
    better, worse = d.yesterday + 0.1 * move, d.yesterday - 0.1 * move  # errors of 0.9 and 1.1 of the move
    alone, both = league.score(d, better), league.score(d, better, worse)
    assert league.verdict(alone["ratio"], alone["dm_p"]) == "better" and alone["ratio"] == pytest.approx(0.81)
    assert both["ratio"] == pytest.approx((0.81 + 1.21) / 2) and both["u2"] == pytest.approx(math.sqrt(1.01))
    assert (both["least"], both["largest"]) == (pytest.approx(0.81), pytest.approx(1.21))
    assert league.verdict(both["ratio"], both["dm_p"]) != "better"
    assert both["pt"] == pytest.approx(-alone["pt"], rel=0.2) and both["pt"] < 0  # of two the lower
    assert league.mean_losses(d, [better, worse]) == pytest.approx(1.01 * league.mean_losses(d, [d.yesterday]))


def test_league_and_verdict_table(short_prices, tmp_path):
    series = validity.Series({"s": short_prices}, max_sequence_length=20)
    p = validity.series_protocol("level", as_of=LAST)
    d = league.days(series("s", p))
    truth = d.actual / d.yesterday - 1
    made = {
        "LSTM, level": [outcome(Training("s", p, CONFIG, s), 1.0, np.full(len(truth), -0.2)) for s in (0, 1)],
        "LSTM, change": [outcome(Training("s", p, CONFIG, s), 1.0, 0.5 * truth) for s in (0, 1)],
        "failed": [Outcome(Training("s", p, CONFIG, 0), "failed", "why", dict.fromkeys(METRICS, math.nan), 1.0, None)],
    }
    frame, spa = league.league(d, made)
    row = frame.set_index("model")
    assert row.loc["LSTM, change", "ratio"] == pytest.approx(0.25) and row.loc["LSTM, change", "verdict"] == "better"
    assert row.loc["LSTM, level", "verdict"] == "worse" and row.loc["failed", "verdict"] == "failed"
    assert row.loc["yesterday's close", "ratio"] == 1 and spa < 0.01
    assert row.loc["LSTM, change", "in_set"] == 1.0 and row.loc["LSTM, level", "in_set"] < 0.1
    verdicts = forecast_verdicts.series_table({"s": (d, frame, spa)}, "test part")
    outputs = paths.outputs(tmp_path)
    outputs.tables.mkdir(parents=True)
    with pytest.raises(validity.ValidityError, match="run notebook 08 first"):
        forecast_verdicts.verdict_markdown(tmp_path)
    verdicts.to_csv(outputs.tables / "V-tab05.csv", index=False)
    text = forecast_verdicts.verdict_markdown(tmp_path)
    assert "| s " in text and "0.2500 (better, p < 0.001)" in text and "(worse, p < 0.001)" in text
    verdicts["change_least"] = 0.2  # seeds that differ are shown
    assert (
        forecast_verdicts.verdict_table(verdicts).iloc[0]["LSTM, change"]
        == "0.2500 (0.2000 to 0.2500; better, p < 0.001)"
    )
    shown = forecast_verdicts.verdict_table(verdicts).iloc[0]
    drift = row.loc["drift", "ratio"]
    assert shown["Drift"].startswith(f"{number(drift, 4)} ({league.verdict(drift, row.loc['drift', 'dm_p'])}, p ")
    assert list(shown.index)[2:] == ["LSTM, level", "LSTM, change", "Drift", "ARIMA", "Any better?"]


def test_where_the_drift_beats_the_network_is_said():
    frame = pd.DataFrame(
        {
            "series": ["a", "b", "c", "d"],
            "period": "test part",
            "drift_ratio": [0.9992, 1.2, 0.9991450, math.nan],
            "change_ratio": [0.9999, 0.9, 0.9991457, 0.9],
        }
    )
    said = forecast_verdicts.drift_text(frame)
    assert said.endswith(" has the lower error in 1 of the 3 rows (a, test part: 0.9992 against 0.9999).")
    assert forecast_verdicts.drift_text(frame.iloc[1:]).endswith("in none of the 2 rows.")
    assert forecast_verdicts.drift_text(frame.iloc[3:]) == "No row has both a drift and a network of changes."


def test_tuning_on_the_test_part_is_refused(tmp_path, short_prices):
    series = validity.Series({"s": short_prices}, max_sequence_length=20)
    with pytest.raises(validity.ValidityError, match="tuning needs a validation part"):
        validity.tune({"x": ("s", windows.protocol("described"))}, series, validity.Budget(tmp_path))
    with pytest.raises(validity.ValidityError, match="Unknown series 't'; valid series are s"):
        series("t", windows.protocol("clean"))


def test_configurations_and_names():
    assert validity.published_best()["paper's generator"] == LstmConfig(1, 2, 1e-5, 16, 1, 0.1)
    drawn = validity.random_configs(30, seed=0)
    assert drawn == validity.random_configs(30, seed=0) and len(set(drawn)) > 25
    assert max(c.sequence_length for c in drawn) <= 60 and {c.layers for c in drawn} == {1, 2}
    assert validity.study_name("S&P 500", "level") == "validity_s-p-500_level"
    assert [forecast_verdicts.p_text(p) for p in (0.0001, 0.0312, 0.5, math.nan)] == ["< 0.001", "0.031", "0.50", "–"]


def test_workers_are_shared_and_start_at_the_first_training(tmp_path):
    budget = validity.Budget(tmp_path, jobs=2, seed=3, seeds=2)
    assert all(isinstance(w, Evaluator) and w.pid is None for w in budget.workers) and len(budget.workers) == 2
    assert list(budget.all_seeds) == [3, 4]


def test_a_year_in_which_a_training_failed_is_left_out_of_the_walk():
    series = validity.Series({"s": validity.random_walk(days=2500, end="2026-06-30")}, max_sequence_length=20)
    trainings = walk_forward.walk_trainings("s", {"change": CONFIG}, [2023, 2024], as_of=LAST, seeds=[0])
    done = [outcome(t, 1.0, np.zeros(len(league.days(series("s", t.protocol)).positions))) for t in trainings]
    failed = replace(done[0], status="failed", change=None)
    assert walk_forward.walk_test([failed, done[1]], series, "change")["ratio"] == pytest.approx(1.0)
    assert walk_forward.walk_test([failed], series, "change") == {}
