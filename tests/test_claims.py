"""Claims: the rule of verdicts, the printed tables judged by it, missing records."""

from __future__ import annotations

import math
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers import benchmark, claims, claims_words, forecast_shape, paths, published, replication, study
from helpers.claims import FAILS, HOLDS, PART, UNJUDGED, Judgement, Part
from helpers.evidence import (
    SHORT_RUN,
    Evidence,
    Missing,
    _over_seeds_and_days,
    _processor_seconds,
    _within,
    gather,
)
from helpers.intervals import Estimate
from helpers.samplers import GeneratorSampler
from helpers.space import GENERATOR_SPACE
from helpers.trial import TrialResult
from helpers.windows import Dataset, protocol
from tests.conftest import make_prices


def part(least: float, most: float, **region) -> Part:
    return Part("x", Estimate((least + most) / 2, least, most, 9), **region)


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ([part(0.6, 0.8, low=0.5)], HOLDS),
        ([part(0.1, 0.4, low=0.5)], FAILS),
        ([part(0.4, 0.6, low=0.5)], UNJUDGED),
        ([part(0.6, 0.8, low=0.5), part(0.1, 0.4, low=0.5)], PART),
        ([part(0.6, 0.8, low=0.5), part(0.4, 0.6, low=0.5)], PART),
        ([part(0.4, 0.6, low=0.5), part(0.1, 0.4, low=0.5)], FAILS),
        ([part(math.nan, math.nan, low=0.5)], UNJUDGED),
        ([], UNJUDGED),
    ],
)
def test_the_rule(parts, verdict):
    assert claims.judge(parts).verdict == verdict


def test_a_printed_fact_needs_no_interval():
    fact = Part("x", Estimate(0.7, math.nan, math.nan, 1), low=0.5, exact=True)
    assert claims.judge([fact]).verdict == HOLDS


def test_over_all_neither_printed_nor_clean_counts():
    holds, fails = Judgement(HOLDS), Judgement(FAILS)
    assert claims.overall({"printed": fails, "rows:described": holds, "rows:clean": fails}) == HOLDS
    assert claims.overall({"rows:described": holds, "tuners:described": fails}) == PART
    assert claims.overall({"printed": holds, "rows:described": Judgement(UNJUDGED)}) == UNJUDGED


@pytest.fixture(scope="module")
def as_printed() -> Evidence:
    """Rows that came out exactly as the papers print them, under both splits."""
    rows = []
    for table in replication.TABLES:
        for reading in replication.FOUR:
            for r in published.records(table).itertuples():
                numbers = dict.fromkeys((*forecast_shape.FORECAST, "r2", "mae"), 0.5)
                rows.append(
                    {
                        "table": table, "reading": reading, "row": r.iteration, "seed": 0, "status": "ok", **numbers,
                        "mse": r.mse, "rmse": r.rmse, "seconds": r.seconds, "published_mse": r.mse,
                        "published_seconds": r.seconds,
                    }
                )  # fmt: skip
    return Evidence(pd.DataFrame(rows))


def test_what_the_printed_tables_themselves_say(as_printed):
    judged = claims.verdicts(as_printed)
    printed = {key: j["printed"].verdict for key, j in judged.items() if "printed" in j}
    assert printed["lower_mse"] == HOLDS and printed["total_time"] == HOLDS
    assert printed["better_best"] == HOLDS  # generator: 0.000229, the first 20 of Bayesian: 0.005716
    assert printed["iterations"] == HOLDS  # 28 against 18
    assert printed["low_and_steady"] == HOLDS
    share = judged["rmse"]["printed"].parts[1].estimate.value
    rmse = np.sqrt(published.runs("bayesian")["mse"])
    assert share == pytest.approx(((rmse >= 0.15) & (rmse <= 0.20)).mean())


def test_missing_records_cannot_be_judged_and_say_why(as_printed):
    judged = claims.verdicts(as_printed)
    for key in ("beats_random", "gan_beats_random", "feedback", "memory", "within_20"):
        for judgement in judged[key].values():
            assert judgement.verdict == UNJUDGED and judgement.reason
    assert (
        "not trained under clean" in claims.verdicts(as_printed, protocols=["clean"])["lower_mse"]["rows:clean"].reason
    )


def test_every_claim_is_judged_on_each_of_its_bases(as_printed):
    judged = claims.verdicts(as_printed)
    assert len(judged) == len({c.key for c in claims.CLAIMS}) == len(claims.CLAIMS)
    for claim in claims.CLAIMS:
        assert list(judged[claim.key]) == claims.bases(claim, ("described", "published"))
        assert {j.verdict for j in judged[claim.key].values()} <= set(claims.VERDICTS)
    assert sum(claims_words.counts(judged).values()) == len(claims.CLAIMS)


def test_the_short_form_has_a_row_a_claim_with_its_verdict(as_printed):
    judged = claims.verdicts(as_printed)
    lines = claims_words.short_markdown(judged).strip().splitlines()
    assert len(lines) == 2 + len(claims.CLAIMS)
    assert len({line.count("|") for line in lines}) == 1
    for claim, line in zip(claims.CLAIMS, lines[2:], strict=True):
        assert claim.text in line and f"**{claims.overall(judged[claim.key])}**" in line
    assert len(claims_words.table(judged)) == sum(len(j) for j in judged.values())


def test_every_claim_links_to_a_figure_that_is_committed(as_printed):
    named = re.findall(r"\]\((figures/[^)]+)\)", claims_words.short_markdown(claims.verdicts(as_printed)))
    assert len(named) == len(claims.CLAIMS)
    assert [name for name in named if not (paths.ROOT / name).is_file()] == []


def test_no_claim_is_read_from_a_title():
    """A title makes no claim: the place is a section, a table or the abstract."""
    assert all(re.match(r"abstract|\d", claim.place) for claim in claims.CLAIMS)


def test_a_claim_that_holds_on_the_rows_alone_is_marked():
    holds, unjudged = Judgement(HOLDS), Judgement(UNJUDGED)
    alone = {"printed": holds, "rows:described": holds, "tuners:described": unjudged}
    assert claims.rests_on_rows(alone)
    assert not claims.rests_on_rows(alone | {"tuners:described": holds})  # both say so
    assert not claims.rests_on_rows({"rows:described": holds})  # nobody claims it of our tuners
    assert not claims.rests_on_rows(alone | {"rows:described": Judgement(FAILS)})
    assert not claims.rests_on_rows(alone | {"rows:described": unjudged, "rows:clean": holds})
    text = claims_words.short_markdown({"total_time": alone, "lower_mse": alone | {"tuners:described": holds}})
    lower, total = sorted(text.splitlines()[2:], key=lambda line: "takes longer in all" in line)
    assert ".png) (rows alone) | G" in total and "alone" not in lower


def test_what_was_never_trained_is_a_dash_and_what_cannot_be_decided_is_not():
    wide = claims.judge([Part("x", Estimate(0.5, 0.1, 0.9, 5), low=0.4)])
    none = Judgement(UNJUDGED, reason="no study generator_clean is recorded")
    said = {"rows:clean": wide, "tuners:clean": none, "rows:described": none, "tuners:described": none}
    line = claims_words.short_markdown({"total_time": said}).splitlines()[2]
    assert line.split(" | ")[3:5] == ["rows: cannot be judged; tuners: –", "–"]


def test_a_test_that_finds_nothing_decides_nothing():
    found, nothing = (
        Part("p =", Estimate(p, math.nan, math.nan, 20), high=0.05, exact=True, test=True) for p in (0.01, 0.4)
    )
    assert claims.judge([found]).verdict == HOLDS
    judged = claims.judge([nothing])
    assert judged.verdict == UNJUDGED and judged.reason.startswith("a test that finds nothing")


def test_an_interval_of_a_share_stays_within_0_and_1():
    cut = _within(Estimate(0.9, 0.7, 1.1, 5), 0.0, 1.0)
    assert (cut.value, cut.low, cut.high, cut.n) == (0.9, 0.7, 1.0, 5)
    assert math.isnan(_within(Estimate(0.5, math.nan, math.nan, 1), 0.0, 1.0).low)
    assert set(forecast_shape.SHARES) < set(forecast_shape.FORECAST)


def rows_under(*tables_and_readings: tuple[str, str]) -> Evidence:
    """Each table was trained under these readings alone, so that no other can be the better one."""
    numbers = {"row": 1, "seed": 0, "status": "ok", "mse": 0.1, "published_mse": 0.1}
    return Evidence(pd.DataFrame([{"table": t, "reading": r, **numbers} for t, r in tables_and_readings]))


def test_other_learning_rates_on_the_two_sides_of_a_comparison_are_said():
    both = ("described", "published")
    unlike = [("generator", "chronological_x10"), ("bayesian", "chronological"), ("gan", "chronological")]
    evidence = rows_under(*unlike)
    said = claims_words.rates_in_words(evidence, both)
    assert said == "tenfold for table 8, as printed for table 9 and appendix B (under `described`)"
    assert (
        claims_words.rates_in_words(evidence, both, tables=["gan"]) == "as printed for appendix B (under `described`)"
    )
    assert "rows of table 9 (under `described`), one side has ten times" in claims_words.unlike_rates_in_words(
        evidence, both
    )

    alike = rows_under(("generator", "shuffled_x10"), ("bayesian", "shuffled_x10"), ("gan", "shuffled"))
    assert claims_words.unlike_rates_in_words(alike, both) == ""

    mixed = rows_under(*unlike, *((table, "shuffled") for table in replication.TABLES))
    said = claims_words.rates_in_words(mixed, both)
    assert said.endswith("(under `described`); as printed for table 8, table 9 and appendix B (under `published`)")
    assert "rows of table 9 (under `described`), one side has ten times" in claims_words.unlike_rates_in_words(
        mixed, both
    )

    assert claims_words.rates_in_words(Evidence(pd.DataFrame()), both) == "none were trained"
    assert claims_words.unlike_rates_in_words(Evidence(pd.DataFrame()), both) == ""


@pytest.mark.parametrize(("used", "verdict"), [((1000, 1010), HOLDS), ((500, 2000), FAILS)])
def test_memory_is_steady_or_not_and_other_programs_are_not_asked(used, verdict):
    claim = next(c for c in claims.CLAIMS if c.key == "memory")
    run = runs_of([0.1] * 20, peak_rss_mb=list(used) * 10)  # no `memory_used_mb`, the machine's
    evidence = Evidence(pd.DataFrame(), {("gan", "described"): [run] * 3})
    assert claims.judge(claim.parts(evidence, "tuners:described")).verdict == verdict
    one = claims.judge(claim.parts(Evidence(pd.DataFrame(), {("gan", "described"): [run]}), "tuners:described"))
    assert (one.verdict, one.reason) == (UNJUDGED, "one run says nothing about others")
    unmeasured = {("gan", "described"): [run.assign(peak_rss_mb=math.nan)]}
    with pytest.raises(Missing, match="not measured"):
        claim.parts(Evidence(pd.DataFrame(), unmeasured), "tuners:described")


def test_clean_is_reported_where_it_changes_a_verdict():
    judged = {"lower_mse": {"rows:described": Judgement(HOLDS), "rows:clean": Judgement(FAILS)}}
    assert claims_words.changed_by_clean(judged) == [("Lower MSE than Bayesian optimisation", HOLDS, FAILS)]
    judged["lower_mse"]["rows:clean"] = Judgement(UNJUDGED)
    assert claims_words.changed_by_clean(judged) == []


def runs_of(mses, **columns) -> pd.DataFrame:
    n = len(mses)
    return pd.DataFrame({"iteration": range(1, n + 1), "mse": mses, "seconds": 1.0, "sampler_seconds": 0.0, **columns})


def test_best_of_random_by_hand():
    pool = np.array([0.1, 0.2, 0.3, 0.4])
    assert claims.best_of(pool, 2, 0.05) == 1.0
    assert claims.best_of(pool, 2, 0.1) == pytest.approx(0.75**2)
    assert claims.best_of(pool, 2, 0.4) == 0.0


def test_a_search_that_failed_throughout_never_beats_random_search():
    key = ("generator", "described"), ("random_generator", "described")
    runs = [runs_of([math.nan, math.nan]) for _ in range(6)], [runs_of(np.linspace(0.01, 1.0, 50))]
    claim = next(c for c in claims.CLAIMS if c.key == "beats_random")
    part = claim.parts(Evidence(pd.DataFrame(), dict(zip(key, runs, strict=True))), "tuners:described")[0]
    assert part.estimate.value == 0.0 and part.verdict == "fails"


def test_seeds_overturn_the_claim_on_random_search():
    pool = runs_of(np.linspace(0.01, 1.0, 50))
    good, bad = ([runs_of([x, 2.0]) for _ in range(6)] for x in (0.001, 0.9))
    key = ("generator", "described"), ("random_generator", "described")
    for runs, verdict in ((good, HOLDS), (bad, FAILS)):
        evidence = Evidence(pd.DataFrame(), dict(zip(key, (runs, [pool]), strict=True)))
        claim = next(c for c in claims.CLAIMS if c.key == "beats_random")
        assert claims.judge(claim.parts(evidence, "tuners:described")).verdict == verdict


def test_times_of_searches_that_shared_a_machine_are_those_of_the_processor():
    table = runs_of([0.1, 0.2, 0.3]).assign(seconds=[10.0, 10.0, 10.0], cpu_percent=[50.0, 20.0, math.nan])
    attrs = {"stamp": {"machine": {"cores": 2}}}
    assert _processor_seconds(table, attrs)["seconds"].tolist() == [10.0, 4.0, 10.0]
    assert _processor_seconds(table, {})["seconds"].tolist() == [10.0, 10.0, 10.0]


def test_a_random_configuration_that_failed_is_never_the_better_one():
    claim = next(c for c in claims.CLAIMS if c.key == "beats_random")
    pool = runs_of([0.5] * 10 + [math.nan] * 10)  # a search that ends above 0.5 loses unless all of its rivals fail
    runs = {("generator", "described"): [runs_of([0.6])] * 2, ("random_generator", "described"): [pool]}
    (judged,) = claim.parts(Evidence(pd.DataFrame(), runs), "tuners:described")
    assert judged.estimate.value == pytest.approx(0.5**SHORT_RUN)
    runs["random_generator", "described"] = [pool.head(19)]
    with pytest.raises(Missing, match="19 random configurations"):
        claim.parts(Evidence(pd.DataFrame(), runs), "tuners:described")


def test_the_benchmarks_configurations_are_random_ones_too(tmp_path):
    name = str(benchmark.table("generator", "described")["data_sha256"].iloc[0])
    dataset = SimpleNamespace(data_sha256=name, protocol=protocol("described"))
    evidence = gather(tmp_path, pd.DataFrame(), {"described": dataset})
    (pool,) = evidence.runs["random_generator", "described"]
    assert len(pool) == (benchmark.table("generator", "described")["repeat"] == 0).sum()
    other = SimpleNamespace(data_sha256="0" * 64, protocol=protocol("described"))
    evidence = gather(tmp_path, pd.DataFrame(), {"described": other})
    assert ("random_generator", "described") not in evidence.runs


def test_the_better_best_is_judged_over_the_seeds_of_the_rows():
    claim = next(c for c in claims.CLAIMS if c.key == "better_best")

    def replayed(generator: float, bayesian: float) -> pd.DataFrame:
        rows = [
            {
                "table": t,
                "reading": "shuffled",
                "row": row,
                "seed": seed,
                "status": "ok",
                "mse": mse,
                "published_mse": mse,
            }
            for t, mse in (("generator", generator), ("bayesian", bayesian))
            for row in (1, 2)
            for seed in range(6)  # of five that agree, one in 16 would do so by chance
        ]
        return pd.DataFrame(rows)

    for numbers, verdict in (((0.1, 0.2), HOLDS), ((0.2, 0.1), FAILS)):
        parts = claim.parts(Evidence(replayed(*numbers)), "rows:published")
        assert claims.judge(parts).verdict == verdict and parts[0].estimate.n == 6


def test_the_better_best_does_not_depend_on_the_bayesian_stop_rule():
    """It goes on until it is as good: what it finds after 20 iterations does not count, what it finds before does."""
    claim = next(c for c in claims.CLAIMS if c.key == "better_best")
    ours = [runs_of([0.5] * 19 + [0.2])] * 6
    for theirs, share in (([0.9] * 20 + [0.1], 1.0), ([0.9] * 4 + [0.1], 0.0)):
        runs = {("generator", "described"): ours, ("bayesian", "described"): [runs_of(theirs)] * 6}
        (part,) = claim.parts(Evidence(pd.DataFrame(), runs), "tuners:described")
        assert part.estimate.value == share and part.verdict == ("holds" if share else "fails")


def test_a_rows_forecast_has_the_luck_of_its_seeds_and_of_its_days():
    """Three seeds, 1 apart, t(2) = 4.303: 4.303 / sqrt(3) = 2.484; days of 1 and 2: 1.96 sqrt(5 / 2) = 3.099."""
    found = _over_seeds_and_days(pd.Series([1.0, 2.0, 3.0]), [1.0, 2.0])
    assert (found.value, found.n) == (2.0, 3) and found.high - 2.0 == pytest.approx(math.hypot(2.484, 3.099), rel=1e-3)
    assert found.low - 2.0 == pytest.approx(2.0 - found.high)
    for values, days in (([1.0], [1.0]), ([1.0, 2.0], []), ([1.0, 2.0], [math.nan])):  # nothing to say of others
        assert math.isnan(_over_seeds_and_days(pd.Series(values), days).low)


def test_rows_of_two_tables_are_compared_under_equal_learning_rates():
    def evidence(**bests: float) -> Evidence:
        """Best errors by table and reading; printed errors are such that table 8 fits tenfold, table 9 as printed."""
        rows = [
            {
                "table": t, "reading": f"shuffled{'_x10' * ten}", "row": row, "seed": seed, "status": "ok",
                "mse": bests[f"{t}_{'x10' if ten else 'x1'}"] * (1 + 0.01 * row),
                "published_mse": bests[f"{t}_{'x10' if t == 'generator' else 'x1'}"] * (1 + 0.01 * row),
            }
            for t in ("generator", "bayesian")
            for ten in (False, True)
            for row in (1, 2)
            for seed in range(6)
        ]  # fmt: skip
        return Evidence(pd.DataFrame(rows))

    claim = next(c for c in claims.CLAIMS if c.key == "better_best")

    def verdict(**bests: float) -> Judgement:
        return claims.verdicts(evidence(**bests), protocols=["published"], claims=[claim])[claim.key]["rows:published"]

    # Tenfold rates better the errors of both tables: the generator leads only where it alone has them.
    mixed = verdict(generator_x1=0.4, generator_x10=0.1, bayesian_x1=0.2, bayesian_x10=0.05)
    assert mixed.verdict == UNJUDGED and mixed.parts[0].estimate.low > 0.5
    assert mixed.reason.endswith("with equal ones: both as printed does not hold, both tenfold does not hold")
    assert verdict(generator_x1=0.1, generator_x10=0.01, bayesian_x1=0.2, bayesian_x10=0.05).verdict == HOLDS


def test_late_bests_overturn_the_first_twenty():
    claim = next(c for c in claims.CLAIMS if c.key == "within_20")
    late = [runs_of([0.5] * 60 + [0.1]) for _ in range(5)]
    evidence = Evidence(pd.DataFrame(), {("generator", "described"): late})
    assert claims.judge(claim.parts(evidence, "tuners:described")).verdict == FAILS
    for few in (late[:1], late[:2], [runs_of([0.1] + [0.5] * 60)]):
        evidence = Evidence(pd.DataFrame(), {("generator", "described"): few})
        found = claims.judge(claim.parts(evidence, "tuners:described"))
        assert found.verdict == UNJUDGED and "nothing about others" in found.reason


def test_forecast_estimates_of_yesterdays_close():
    dataset = Dataset(make_prices(1200), protocol("described", as_of="2030-01-01"))
    positions = dataset.test_targets("final")
    found = forecast_shape.forecast_estimates(dataset, dataset.scaled.to_numpy()[positions - 1], draws=50)
    assert found["lag_1_less_0"].low > 0.5
    assert found["roughness"].low < 1.0 < found["roughness"].high
    assert found["within_50_last_year"].value == 1.0


def test_gather_reads_studies_of_the_same_data_alone(tmp_path):
    class Worker:
        def evaluate(self, config, dataset, *, keep_predictions=False, **arguments):
            numbers = dict.fromkeys(("rmse", "mae", "r2", "mse_points", "rmse_points", "mae_points"), 0.5)
            close = dataset.scaled.to_numpy()[dataset.test_targets("tune") - 1].astype(np.float32)
            return TrialResult("ok", mse=config.units / 100, seconds=1.0, predictions=close, **numbers)

    prices = make_prices(900)
    dataset = Dataset(prices, protocol("described", as_of="2030-01-01"))
    arguments = dict(trials=3, seed=0, folder=tmp_path, epochs=1, evaluator=Worker(), progress=False)
    sampler = GeneratorSampler(seed=0, space=GENERATOR_SPACE)
    study.run("generator_described", sampler, GENERATOR_SPACE, dataset, **arguments)
    evidence = gather(tmp_path, pd.DataFrame(), {"described": dataset})
    assert [len(t) for t in evidence.runs["generator", "described"]] == [3]
    assert evidence.forecasts["generator", "described"]["lag_1"].value == pytest.approx(1.0, abs=0.01)
    assert "no study gan_described" in evidence.absent["gan", "described"]
    other = Dataset(prices, protocol("described", as_of="2002-12-31"))
    evidence = gather(tmp_path, pd.DataFrame(), {"described": other})
    assert not evidence.runs and "other data" in evidence.absent["generator", "described"]


def tuners(**runs):
    """Evidence of searches under *described*, by tuner."""
    return Evidence(pd.DataFrame(), {(k, "described"): v for k, v in runs.items()})


def verdict(key, ev):
    """What a claim's key is judged by the tuners under *described*."""
    claim = next(c for c in claims.CLAIMS if c.key == key)
    return claims.judge(claim.parts(ev, "tuners:described")).verdict


def runs(mse, n=20, **columns):
    """Five equal searches."""
    return [
        pd.DataFrame({"iteration": range(1, n + 1), "mse": mse, "seconds": 1.0, "sampler_seconds": 0.0, **columns})
    ] * 5


def about(**values):
    """Evidence of forecasts whose statistics are known to a hundredth."""
    e = {k: Estimate(v, v - 0.01, v + 0.01, 5) for k, v in values.items()}
    return Evidence(pd.DataFrame(), forecasts={(t, "described"): e for t in ("generator", "gan")})


@pytest.mark.parametrize(
    ("key", "yes", "no"),
    [
        ("lag", about(lag_1_less_0=0.5), about(lag_1_less_0=-0.5)),
        ("smooth", about(roughness=0.5), about(roughness=1.5)),
        ("towards_mean", about(slope=0.5), about(slope=1.5)),
        ("direction", about(direction=0.6), about(direction=0.4)),
        ("underestimates", about(share_under=0.7, residual_mean=5.0), about(share_under=0.3, residual_mean=-5.0)),
        ("residuals", about(within_50=0.7, residual_skew=0.5), about(within_50=0.3, residual_skew=-0.5)),
        ("feedback", tuners(generator=runs(0.1), zero=runs(0.2)), tuners(generator=runs(0.2), zero=runs(0.1))),
        (
            "iteration_time",
            tuners(generator=runs(0.1), bayesian=runs(0.1, seconds=2.0)),
            tuners(generator=runs(0.1, seconds=2.0), bayesian=runs(0.1)),
        ),
        (
            "total_time",
            tuners(generator=runs(0.1), bayesian=runs(0.1, n=30)),
            tuners(generator=runs(0.1), bayesian=runs(0.1, n=10)),
        ),
        (
            "rising_time",
            tuners(bayesian=runs(0.1, seconds=np.arange(20.0))),
            tuners(bayesian=runs(0.1, seconds=-np.arange(20.0))),
        ),
        ("gan_r2", tuners(gan=runs(0.1, r2=[-1.0] * 6 + [0.5] * 8 + [0.95] * 6)), tuners(gan=runs(0.1, r2=[0.5] * 20))),
        (
            "steadier_mse",
            tuners(generator=runs([0.1, 0.11] * 10), bayesian=runs([0.1, 0.5] * 10)),
            tuners(generator=runs([0.1, 0.5] * 10), bayesian=runs([0.1, 0.11] * 10)),
        ),
        ("lower_mse", tuners(generator=runs(0.1), bayesian=runs(0.2)), tuners(generator=runs(0.2), bayesian=runs(0.1))),
    ],
)
def test_a_claim_holds_where_its_words_are_true_and_not_where_the_opposite_is(key, yes, no):
    assert (verdict(key, yes), verdict(key, no)) == (HOLDS, FAILS)


def test_ties_are_half_a_win():
    assert claims._superiority(np.array([1.0, 2.0]), np.array([1.0, 3.0])) == (0.5 + 1 + 0 + 1) / 4


def test_runs_of_unlike_length_are_judged_over_the_shortest():
    longer = [
        pd.DataFrame({"iteration": range(1, n + 1), "mse": [0.5] * 4 + [0.1] + [0.5] * 25 + [0.01] * (n - 30)})
        for n in (30, 40, 40, 40, 40)
    ]
    claim = next(c for c in claims.CLAIMS if c.key == "within_20")
    (part,) = claim.parts(tuners(generator=longer), "tuners:described")
    assert part.estimate.value == 1.0 and "30 iterations" in part.text


def test_a_search_that_gives_up_counts_as_one_more_than_tried():
    ev = tuners(generator=[runs([0.5, 0.1] + [0.5] * 18)[0]] * 3, bayesian=[runs(0.9, n=50)[0]] * 3)
    claim = next(c for c in claims.CLAIMS if c.key == "iterations")
    (part,) = claim.parts(ev, "tuners:described")
    assert part.estimate.value == pytest.approx(51 / 2)


def test_rows_are_medians_over_the_seeds():
    made = [
        {"table": "gan", "reading": "shuffled", "row": 1, "seed": s, "status": "ok", "mse": m, "published_mse": 1.0}
        for s, m in enumerate([1.0, 2.0, 90.0])
    ]
    assert Evidence(pd.DataFrame(made)).rows("gan", "published")["mse"].tolist() == [2.0]
