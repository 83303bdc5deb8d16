"""The replay: what is trained, recorded, resumed and refused; how agreement is measured."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import make_prices
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.samplers import RandomSampler

from helpers import faults, forecast_shape, ledger, paths, prices, published, replication, study, table_agreement
from helpers.intervals import Estimate
from helpers.space import GENERATOR_SPACE
from helpers.study import trial_seed
from helpers.trial import TrialResult
from helpers.windows import Dataset, protocol


class FakeWorker:
    """Answers at once: an MSE that depends on configuration and seed alone; forecasts are yesterday's close."""

    asked: list[tuple] = []  # noqa: RUF012

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def close(self):
        return None

    def evaluate(self, config, dataset, *, seed, keep_predictions=False, **arguments):
        FakeWorker.asked.append((config, dataset.protocol.name, seed))
        if config.learning_rate > 0.1:
            return TrialResult("failed", "The training loss was no longer finite in epoch 1 of 10", seconds=1.0)
        value = config.learning_rate * config.units + seed * 1e-9
        close = dataset.scaled.to_numpy()
        predictions = close[dataset.test_targets("tune") - 1].astype(np.float32) if keep_predictions else None
        numbers = dict.fromkeys(("rmse", "mae", "r2", "mse_points", "rmse_points", "mae_points"), 0.5)
        return TrialResult("ok", mse=value, seconds=float(config.layers), predictions=predictions, **numbers)


@pytest.fixture(autouse=True)
def fresh_worker():
    FakeWorker.asked = []


def run(prices, folder, **changes):
    arguments = dict(rows=2, epochs=1, as_of="2030-01-01", progress=False, evaluator=FakeWorker, jobs=2)
    return replication.replay(prices, folder=folder, **(arguments | changes))


def test_all_68_published_configurations_under_four_readings():
    made = replication.tasks()
    assert len(made) == 68 * 4
    assert {t.reading.protocol for t in made} == {"described", "published"}
    best = next(t for t in made if (t.table, t.row, t.reading.name) == ("gan", 17, "shuffled_x10"))
    assert best.config.as_dict() == {
        "layers": 2, "units": 34, "learning_rate": 0.01, "batch_size": 16, "sequence_length": 30, "dropout_rate": 0.2,
    }  # fmt: skip


def test_tenfold_is_uniform_also_above_the_searched_range():
    assert replication.published_config("bayesian", 1, factor=10.0).learning_rate == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: replication.reading("sorted"), "valid readings are chronological"),
        (lambda: replication.published_config("gan", 21), "rows 1 to 20, not 21"),
        (lambda: replication.tasks(tables=["genetic"]), "valid runs are generator, bayesian, gan"),
    ],
)
def test_unknown_names_are_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_records_are_complete_and_a_second_call_trains_nothing(short_prices_long, tmp_path):
    first = run(short_prices_long, tmp_path)
    assert len(first) == len(FakeWorker.asked) == 2 * 3 * 4
    assert (first["published_mse"] > 0).all()
    again = run(short_prices_long, tmp_path)
    assert len(FakeWorker.asked) == 24
    pd.testing.assert_frame_equal(first, again)
    pd.testing.assert_frame_equal(first, replication.records(tmp_path))


def test_the_papers_best_rows_know_the_luck_of_their_days(short_prices_long, tmp_path):
    frame = run(short_prices_long, tmp_path, tables=["gan"], readings=["shuffled"], rows=20)
    known = frame[frame["block_sd"].notna()]
    assert set(known["row"]) == {replication.BEST_ROWS["gan"]} and len(known) == 1
    assert all(set(sd) == set(forecast_shape.RESAMPLED) for sd in known["block_sd"])


def test_the_trial_seed_is_that_of_a_study(short_prices_long, tmp_path):
    run(short_prices_long, tmp_path, tables=["generator"], readings=["shuffled"], seeds=[3])
    rows = {t.config: t.row for t in replication.tasks(["generator"], ["shuffled"], [3])}
    for config, name, seed in FakeWorker.asked:
        assert (name, seed) == ("published", study.trial_seed(3, rows[config] - 1))


def test_results_do_not_depend_on_the_number_of_workers(short_prices_long, tmp_path):
    one = run(short_prices_long, tmp_path / "one", jobs=1, seeds=range(3))
    two = run(short_prices_long, tmp_path / "two", jobs=4, seeds=range(3))
    pd.testing.assert_frame_equal(one, two)


def test_an_interrupted_replay_goes_on(short_prices_long, tmp_path):
    whole = run(short_prices_long, tmp_path, tables=["generator"], readings=["shuffled"], seeds=range(3))
    path = tmp_path / replication.file_name("generator", "shuffled")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]) + lines[3][:40])  # killed while writing
    assert len(ledger.read(path)) == 3
    FakeWorker.asked = []
    resumed = run(short_prices_long, tmp_path, tables=["generator"], readings=["shuffled"], seeds=range(3))
    assert len(FakeWorker.asked) == len(lines) - 3
    pd.testing.assert_frame_equal(whole, resumed)
    assert len(ledger.read(path)) == len(lines)


def test_a_failed_training_is_recorded_with_its_reason(short_prices_long, tmp_path):
    frame = run(short_prices_long, tmp_path, tables=["bayesian"], readings=["chronological_x10"], rows=28)
    failed = frame[frame["status"] == "failed"]
    assert set(failed["learning_rate"]) == {1.0}
    assert failed["mse"].isna().all() and failed["reason"].str.contains("no longer finite").all()
    found = table_agreement.agreement(frame, "bayesian", "chronological_x10")
    assert found.failed == len(failed) and found.rows == 28 - len(failed)


def test_records_of_other_data_protocol_or_budget_are_refused(short_prices_long, tmp_path):
    only = dict(tables=["generator"], readings=["shuffled"])
    run(short_prices_long, tmp_path, **only)
    with pytest.raises(replication.ReplayError, match="another number of epochs, 1 instead of 2"):
        run(short_prices_long, tmp_path, epochs=2, **only)
    with pytest.raises(replication.ReplayError, match="another data"):
        run(short_prices_long, tmp_path, as_of="2001-12-31", **only)


def test_a_damaged_line_is_named(short_prices_long, tmp_path):
    only = dict(tables=["generator"], readings=["shuffled"])
    run(short_prices_long, tmp_path, **only)
    path = tmp_path / replication.file_name("generator", "shuffled")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"{}\n" + lines[1])
    with pytest.raises(ledger.LedgerError, match="line 1 is damaged, it is no record"):
        run(short_prices_long, tmp_path, **only)


def test_reading_only_says_what_is_missing(short_prices_long, tmp_path):
    with pytest.raises(replication.ReplayError, match="24 of 24 tasks"):
        run(short_prices_long, tmp_path, train=False)
    assert not FakeWorker.asked and not list(tmp_path.iterdir())


def test_lines_are_plain_json(short_prices_long, tmp_path):
    run(short_prices_long, tmp_path, tables=["bayesian"], readings=["chronological_x10"], rows=28)
    for line in (tmp_path / "replay_bayesian_chronological_x10.jsonl").read_text().splitlines():
        record = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        assert {"config", "seed", "mse", "rmse", "mae", "r2", "seconds", "engine", "data_sha256", "status"} <= set(
            record
        )


def test_a_worker_that_cannot_start_ends_the_replay(short_prices_long, tmp_path):
    class Broken(FakeWorker):
        def evaluate(self, *_, **__):
            raise RuntimeError("no worker")

    with pytest.raises(RuntimeError, match="no worker"):
        run(short_prices_long, tmp_path, evaluator=Broken)


def test_cost_estimates_order_the_extremes():
    cheap, dear = (replication.published_config(*which) for which in (("generator", 18), ("bayesian", 25)))
    assert replication.seconds_estimate(dear) > 100 * replication.seconds_estimate(cheap)


# Forecasts.


def test_resampled_days_by_hand(short_dataset):
    """A forecast that is one point too low on every day owes nothing to the days."""
    positions = short_dataset.test_targets("tune")
    close = short_dataset.close.to_numpy()[positions]
    least, most = short_dataset.scaling("tune")
    drawn, blocks = forecast_shape.resampled_statistics(
        short_dataset, (close - 1.0 - least) / (most - least), stage="tune", draws=50
    )
    assert blocks == -(-len(positions) // forecast_shape.BLOCK) and set(drawn) == set(forecast_shape.RESAMPLED)
    assert np.allclose(drawn["residual_mean"], 1.0) and (drawn["share_under"] == 1.0).all()
    assert all(len(values) == 50 for values in drawn.values())


def test_yesterdays_close_lags_by_one_day_and_is_as_rough(short_dataset):
    positions = short_dataset.test_targets("tune")
    scaled = short_dataset.scaled.to_numpy()
    found = forecast_shape.forecast_statistics(short_dataset, scaled[positions - 1])
    assert found["lag_peak"] == 1 and found["lag_1"] == pytest.approx(1.0)
    assert found["roughness"] == pytest.approx(1.0, abs=0.1)
    assert abs(found["lag_0"]) < 0.5


def test_a_perfect_and_a_shifted_forecast(short_dataset):
    scaled = short_dataset.scaled.to_numpy()[short_dataset.test_targets("tune")]
    found = forecast_shape.forecast_statistics(short_dataset, scaled)
    assert found["lag_peak"] == 0 and found["within_50"] == 1.0 and found["slope"] == pytest.approx(1.0)
    low = scaled - 10 / (short_dataset.high - short_dataset.low)  # ten points too low every day
    found = forecast_shape.forecast_statistics(short_dataset, low)
    assert found["residual_mean"] == pytest.approx(10.0) and found["share_under"] == 1.0


def test_a_constant_forecast_has_no_lag(short_dataset):
    found = forecast_shape.forecast_statistics(short_dataset, np.full(80, 0.5))
    assert math.isnan(found["lag_peak"]) and found["roughness"] == 0.0
    with pytest.raises(ValueError, match="80 test targets"):
        forecast_shape.forecast_statistics(short_dataset, np.zeros(5))


def test_constant_forecasts_by_hand(short_dataset):
    scaled = short_dataset.scaled.to_numpy()
    train, test = (scaled[f("final")] for f in (short_dataset.train_targets, short_dataset.test_targets))
    found = table_agreement.constant_forecasts(short_dataset)
    assert found["best"] == pytest.approx(np.mean((test - test.mean()) ** 2))
    assert found["training_mean"] == pytest.approx(np.mean((test - train.mean()) ** 2))
    assert found["best"] <= min(found.values()) + 1e-15


# Agreement.


def frame_of(table: str, factor, seeds: int = 1, reading: str = "shuffled") -> pd.DataFrame:
    """Results that are the published ones times `factor(row)`."""
    runs = published.runs(table)
    rows = [
        {
            "table": table, "reading": reading, "row": r.iteration, "seed": s, "status": "ok",
            "mse": r.mse * factor(r.iteration), "published_mse": r.mse, "seconds": r.seconds,
            "published_seconds": r.seconds,
        }
        for r in runs.itertuples()
        for s in range(seeds)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_identical_results_are_reproduced():
    found = table_agreement.agreement(frame_of("gan", lambda row: 1.0), "gan", "shuffled")
    assert found.verdict == "reproduced"
    assert found.spearman.value == pytest.approx(1.0) and found.within.value == 1.0 and found.log_ratio.value == 0.0


def test_hundredfold_results_are_not_though_their_order_is_right():
    found = table_agreement.agreement(frame_of("gan", lambda row: 100.0), "gan", "shuffled")
    assert found.verdict == "not reproduced"
    assert found.log_ratio.value == pytest.approx(2.0) and found.within.value == 0.0
    assert found.spearman.value == pytest.approx(1.0)


def test_just_over_half_within_the_factor_is_reproduced_in_part():
    found = table_agreement.agreement(frame_of("gan", lambda row: 1.0 if row <= 11 else 5.0), "gan", "shuffled")
    assert found.within.value == pytest.approx(0.55) and found.within.low < 0.5
    assert found.verdict == "reproduced in part"


@settings(deadline=None, max_examples=10)
@given(st.floats(0.01, 100.0))
def test_the_interval_holds_the_value(factor):
    found = table_agreement.agreement(
        frame_of("generator", lambda row: factor ** (row % 3 - 1), 2), "generator", "shuffled"
    )
    for estimate in (found.spearman, found.log_ratio, found.distance, found.within):
        assert estimate.low - 1e-9 <= estimate.value <= estimate.high + 1e-9


def test_the_nearer_reading_wins_beyond_chance():
    frame = pd.concat(
        [frame_of("gan", lambda row: 1.1), frame_of("gan", lambda row: 30.0, reading="chronological")],
        ignore_index=True,
    )
    best = table_agreement.best_reading(
        [table_agreement.agreement(frame, "gan", r) for r in ("chronological", "shuffled")]
    )
    assert best.reading == "shuffled"
    gap = table_agreement.reading_gap(frame, "gan", "shuffled", "chronological")
    assert gap.low > 0 and gap.value == pytest.approx(math.log10(30) - math.log10(1.1))
    assert math.isnan(table_agreement.reading_gap(frame, "gan", "shuffled", "clean").value)
    # As the distance of an agreement: seeds on both sides of the printed error cancel.
    both = frame[frame["reading"] == "shuffled"].assign(mse=lambda f: f["published_mse"] * 10)
    both = pd.concat([both.assign(seed=0), both.assign(seed=1, mse=both["published_mse"] / 10)])
    wide = pd.concat([both, frame[frame["reading"] == "chronological"]])
    distances = {r: table_agreement.agreement(wide, "gan", r).distance.value for r in ("shuffled", "chronological")}
    gap = table_agreement.reading_gap(wide, "gan", "shuffled", "chronological")
    assert gap.value == pytest.approx(distances["chronological"] - distances["shuffled"])
    assert distances["shuffled"] == pytest.approx(0.0, abs=1e-9)


def test_the_best_reading_is_said_with_its_criterion_and_its_ties():
    frames = {"chronological": 1.1, "chronological_x10": 1.2, "shuffled": 30.0}
    frame = pd.concat([frame_of("gan", lambda row, f=f: f ** (row % 3), reading=r) for r, f in frames.items()])
    found = {r: table_agreement.agreement(frame, "gan", r) for r in frames}
    best, others = found["chronological"], [found["chronological_x10"], found["shuffled"]]
    wide, clear = Estimate(0.1, -0.1, 0.3, 20), Estimate(1.0, 0.5, 1.5, 20)
    said = table_agreement.fit_in_words("appendix B", best, others, {"chronological_x10": wide, "shuffled": clear})
    assert "appendix B fits best when *chronological, rates as printed* (0.04; 100% of the rows within" in said
    assert "): reproduced. In" in said
    assert "In this it cannot be distinguished from *chronological, rates tenfold* (0.08; 100% of" in said
    assert "shuffled" not in said
    alone = table_agreement.fit_in_words("appendix B", best, others, {"chronological_x10": clear, "shuffled": clear})
    assert "distinguished" not in alone
    unknown = Estimate(1.0, math.nan, math.nan, 1)  # one row: nothing is beyond chance
    assert "shuffled" in table_agreement.fit_in_words(
        "appendix B", best, others, {"chronological_x10": clear, "shuffled": unknown}
    )


def test_no_results_are_said():
    with pytest.raises(replication.ReplayError, match="No result"):
        table_agreement.agreement(frame_of("gan", lambda row: 1.0), "gan", "clean")


# Studies over seeds.


def test_seeded_studies_run_resume_and_stop_at_the_generators_best(short_prices_long, tmp_path):
    class Counting(FakeWorker):
        def evaluate(self, config, dataset, *, seed, **arguments):
            result = super().evaluate(config, dataset, seed=seed, keep_predictions=False)
            return replace(result, status="ok", mse=config.units / 1000, r2=0.0)

    dataset = Dataset(short_prices_long, protocol("described", as_of="2030-01-01"))
    planned = replication.seeded_studies("described", real_seeds=1, random_trials=3, trials=4, long_run=5, cap=6)
    assert [s.name for s in planned] == [
        "generator-paper-described-s00", "generator-zero-described-s00", "bayesian-described-s00",
        "random-generator-described",
    ]  # fmt: skip
    arguments = dict(folder=tmp_path, epochs=1, jobs=2, progress=False, evaluator=Counting)
    found = replication.tuner_studies(planned, dataset, **arguments)
    assert len(found["generator-paper-described-s00"]) == 5 and len(found["generator-zero-described-s00"]) == 4
    assert len(found["random-generator-described"]) == 3
    assert [s.within for s in planned if s.after] == [4]
    asked = len(FakeWorker.asked)
    again = replication.tuner_studies(planned, dataset, **arguments, train=False)
    assert len(FakeWorker.asked) == asked
    pd.testing.assert_frame_equal(found["random-generator-described"], again["random-generator-described"])


@pytest.fixture(scope="module")
def short_prices_long():
    """900 synthetic closes: enough for windows of 250."""
    from tests.conftest import make_prices

    return make_prices(900, seed=1)


def test_same_rates_under_another_split() -> None:
    assert replication.with_same_rates("chronological_x10", "clean") == "clean_x10"
    assert replication.with_same_rates("shuffled", "described") == "chronological"


TWO_STUDIES = """
import sys, time
from pathlib import Path
import optuna
from helpers import faults, replication
from helpers.space import GENERATOR_SPACE

optuna.logging.set_verbosity(optuna.logging.ERROR)
folder = Path(sys.argv[1])
studies = [
    replication.SeededStudy(name, lambda n: optuna.samplers.RandomSampler(seed=n), GENERATOR_SPACE, 12, 0)
    for name in ("a", "b")
]
(folder / f"{sys.argv[2]}.there").touch()
while len(list(folder.glob("*.there"))) < 2:
    time.sleep(0.01)
found = replication.tuner_studies(
    studies, faults.small_dataset(), folder=folder, epochs=1, progress=False, evaluator=lambda: faults.Quick(pause=0.02)
)
print({name: len(records) for name, records in found.items()})
"""


def test_two_processes_that_run_the_same_two_studies_take_turns(tmp_path):
    """Each holds one study's file while it waits for the other's: a further lock between them would never open."""
    environment = os.environ | {"PYTHONPATH": str(paths.ROOT)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", TWO_STUDIES, str(tmp_path), name], env=environment, stdout=subprocess.PIPE, text=True
        )
        for name in ("one", "other")
    ]
    try:
        assert [p.communicate(timeout=90)[0] for p in both] == ["{'a': 12, 'b': 12}\n"] * 2
    finally:
        for process in both:
            process.kill()
    assert all(len(study.load(name, tmp_path).trials) == 12 for name in ("a", "b"))


def test_an_interruption_does_not_wait_for_the_studies(short_prices_long, tmp_path):
    class Interrupting(faults.Quick):
        closed = 0

        def evaluate(self, *given, **named):
            result = super().evaluate(*given, **named)
            if named["seed"] == trial_seed(3, 1):
                raise KeyboardInterrupt
            return result

        def close(self):
            Interrupting.closed += 1

    dataset = Dataset(short_prices_long, protocol("described", as_of="2030-01-01"))
    studies = [
        replication.SeededStudy(f"s{s}", lambda n: RandomSampler(seed=n), GENERATOR_SPACE, 1000, s)
        for s in (1, 3, 5, 7)
    ]
    with pytest.raises(KeyboardInterrupt):
        replication.tuner_studies(
            studies, dataset, folder=tmp_path, epochs=1, progress=False, evaluator=lambda: Interrupting(pause=0.01)
        )
    assert Interrupting.closed >= 2
    done = study.records(study.load("s1", tmp_path))
    assert len(done) < 1000 and (done["status"] == "ok").all(), "no trial is recorded as failed"
    assert not (tmp_path / "s7.journal").exists()


def test_forecast_statistics_by_hand():
    n = 900
    close = pd.Series(
        1000 + np.cumsum(np.where(np.arange(n) % 3, 10.0, -12.0)),
        index=pd.bdate_range("2000-01-03", periods=n, name="Date"),
        name="Close",
    )
    dataset = Dataset(
        prices.Prices("T", close, "file", prices.closes_sha256(close), ""),
        protocol("described", as_of="2030-01-01", test_from="2001-01-01"),
        max_sequence_length=20,
    )
    at = dataset.test_targets("tune")
    actual, before, days = close.to_numpy()[at], close.to_numpy()[at - 1], close.index[at]

    def stat(points):
        return forecast_shape.forecast_statistics(dataset, (points - dataset.low) / (dataset.high - dataset.low))

    rising = stat(before + 1.0)  # always says up
    assert rising["direction"] == pytest.approx(np.mean(actual > before)) != pytest.approx(0.5)
    noise = 500 * np.sin(np.arange(len(at)))
    assert stat(0.5 * actual + 300 + noise - np.polyval(np.polyfit(actual, noise, 1), actual))[
        "slope"
    ] == pytest.approx(0.5)
    error = np.where(np.arange(len(at)) % 10 == 0, 90.0, -10.0)  # actual less forecast: a long right tail
    assert stat(actual - error)["residual_skew"] > 1
    last = days > days[-1] - pd.Timedelta(days=365)
    far = stat(actual - np.where(last, 10.0, 100.0))
    assert far["within_50_last_year"] == 1.0 and far["within_50"] == pytest.approx(last.mean())


def test_seconds_of_the_replay_are_the_processors(tmp_path):
    class Busy(FakeWorker):
        def evaluate(self, *given, **named):
            return replace(super().evaluate(*given, **named), seconds=10.0, cpu_percent=20.0)

    frame = run(make_prices(900), tmp_path, tables=["gan"], readings=["shuffled"], evaluator=Busy)
    from helpers.provenance import cores

    assert frame["seconds"].to_numpy() == pytest.approx(2.0 * cores())


def test_a_replays_limit_reaches_every_training(tmp_path):
    class Noting(FakeWorker):
        def evaluate(self, *given, **named):
            limits.append(named["time_limit"])
            return super().evaluate(*given, **named)

    limits = []
    run(make_prices(900), tmp_path, tables=["gan"], readings=["shuffled"], evaluator=Noting, time_limit=9.0)
    assert limits and set(limits) == {9.0}


def test_the_target_is_the_best_of_the_short_run(tmp_path):
    dataset = Dataset(make_prices(900), protocol("described", as_of="2030-01-01"))

    class Falling(FakeWorker):
        n = 0

        def evaluate(self, config, dataset, *, seed, **arguments):
            Falling.n += 1
            result = super().evaluate(config, dataset, seed=seed)
            # the generator: 5, 4, 3, 2, then 1 in its long run; whatever comes afterwards 1.5
            return replace(result, status="ok", reason="", mse=6.0 - Falling.n if Falling.n <= 5 else 1.5, r2=0.0)

    planned = [
        s
        for s in replication.seeded_studies("described", real_seeds=1, trials=4, long_run=5, cap=6)
        if "zero" not in s.name
    ]
    found = replication.tuner_studies(
        planned, dataset, folder=tmp_path, epochs=1, jobs=1, progress=False, evaluator=Falling
    )
    assert len(found["bayesian-described-s00"]) == 1, "1.5 reaches the best of the first four, 2"
