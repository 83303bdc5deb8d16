"""The contest's statistics against values worked out by hand."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from helpers import contest_stats as cs

INF = math.inf


def frame(searches, **columns):
    """A table of searches: (tuner, seed) -> errors."""
    rows = [(t, s, i + 1, i, e) for (t, s), errors in searches.items() for i, e in enumerate(errors)]
    made = pd.DataFrame(rows, columns=["tuner", "seed", "evaluation", "layers", "mse"])
    return made.assign(**{"seconds": 1.0, "thinking": 0.1, "probability": math.nan, "redraws": math.nan} | columns)


SMALL = frame(
    {
        ("random", 0): [4.0, 2.0, 3.0],
        ("random", 1): [math.nan, 5.0, 1.0],
        ("gan", 0): [2.0, 2.0, 8.0],
        ("gan", 1): [9.0, 2.0, 0.5],
    }
)


def test_best_so_far_waits_for_the_first_success():
    np.testing.assert_array_equal(
        cs.best_so_far([[math.nan, 3, 4, 2], [1, 2, math.nan, 0]]), [[INF, 3, 3, 2], [1, 1, 1, 0]]
    )


def test_results_of_searches_by_seed():
    assert cs.results(SMALL).to_dict("list") == {"random": [2.0, 1.0], "gan": [2.0, 0.5]}
    assert cs.results(SMALL, evaluations=1).to_dict("list") == {"random": [4.0, INF], "gan": [2.0, 9.0]}
    short = SMALL[(SMALL["tuner"] == "random") | (SMALL["evaluation"] < 3)]
    found = cs.results(short, evaluations=3)
    assert found["random"].tolist() == [2.0, 1.0] and found["gan"].isna().all()


def test_a_search_that_is_shorter_has_no_result():
    whole = pd.DataFrame({"tuner": "a", "seed": 0, "evaluation": [1, 2, 3], "mse": [3.0, 2.0, math.nan]})
    short = whole.head(2).assign(seed=1)
    found = cs.results(pd.concat([whole, short], ignore_index=True))
    assert found.loc[0, "a"] == 2.0 and math.isnan(found.loc[1, "a"])
    assert cs.results(pd.concat([whole, short]), evaluations=2)["a"].tolist() == [2.0, 2.0]


def test_the_band_of_a_median_allows_for_searches_without_a_success():
    band = cs.median_band([[INF, 1.0], [4.0, 2.0], [INF, 3.0], [4.0, 2.0], [INF, 2.0]])
    assert band.middle.tolist() == [INF, 2.0]
    assert (band.low <= band.middle).all() and (band.middle <= band.high).all()
    assert band.low.tolist() == [4.0, 1.0] and band.high.tolist() == [INF, 3.0]
    few = cs.median_band([[1.0, 2.0]] * (cs.LEAST_SEEDS - 1))  # two would give the range, which holds half the time
    assert few.middle.tolist() == [1.0, 2.0] and np.isnan(few.low).all() and np.isnan(few.high).all()
    assert cs.median([]).n == 0 and cs.median([3.0] * 5).low == 3.0


def test_best_against_seconds_is_a_step_at_the_end_of_each_training():
    found = cs.at_seconds([[5.0, 3.0], [4.0, 4.0]], [[1.0, 2.0], [2.0, 2.0]], [0.5, 1.0, 2.5, 3.0, 10.0])
    assert found.tolist() == [[INF, 5.0, 5.0, 3.0, 3.0], [INF, INF, 4.0, 4.0, 4.0]]


def test_improvement_counts_pairs_and_ties_half():
    found = cs.improvement([1.0, 2.0, 3.0, INF], [2.0, 2.0, 1.0, INF])
    assert (found.value, found.n) == (0.5, 4)
    ten = cs.improvement(np.zeros(10), np.ones(10))
    assert ten.value == 1.0 and ten.low == pytest.approx(0.025**0.1)
    assert cs.improvement(np.ones(10), np.zeros(10)).value == 0.0


@pytest.mark.parametrize(
    ("differences", "p"),
    [([1.0, 1.0, 1.0], 2 / 8), ([3.0, 1.0], 2 / 4), ([1.0, -1.0], 1.0), ([2.0], 1.0), ([0.0, 0.0], 1.0)],
)
def test_all_sign_flips_of_a_few_pairs(differences, p):
    assert cs.sign_flip_p(differences) == p == cs.sign_flip_p(-np.array(differences))


def test_sign_flips_of_many_pairs_are_drawn():
    rng = np.random.default_rng(0)
    assert cs.sign_flip_p(rng.normal(1, 1, 40)) < 0.001
    assert math.isnan(cs.sign_flip_p([])) and math.isnan(cs.sign_flip_p([math.nan, 1.0, 2.0]))
    null = [cs.sign_flip_p(rng.normal(0, 1, 8)) for _ in range(200)]
    assert 0.01 < np.mean(np.array(null) < 0.05) < 0.12


def test_the_interval_of_a_mean_lies_between_means_of_subsets():
    """Of six pairs, 63 means of subsets leave 64 pieces; 2.5 % of them is one on each side, up to the least mean."""
    e = cs.mean_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert (e.value, e.low, e.high, e.n) == (3.5, 1.0, 6.0, 6)
    assert math.isnan(cs.mean_interval([1.0] * 5).low)  # 32 pieces: none can be left out
    assert cs.mean_interval(np.ones(40)).low == 1.0 and math.isnan(cs.mean_interval([]).value)
    assert math.isnan(cs.mean_interval([math.inf, 1.0]).value)


@settings(max_examples=60, deadline=None)
@given(st.integers(6, 12), st.integers(0, 10_000), st.floats(-1.5, 1.5))
def test_the_interval_leaves_out_what_the_test_refuses(n, seed, shift):
    d = np.random.default_rng(seed).standard_t(3, n) + shift
    e = cs.mean_interval(d)
    assert (e.low > 0 or e.high < 0) == (cs.sign_flip_p(d) <= 0.05)


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for n in (8, 20):
        ends = [cs.mean_interval(rng.normal(1, 2, n), flips=999) for _ in range(400)]
        assert 0.92 < np.mean([e.low <= 1 <= e.high for e in ends]) < 0.98


def test_holm_steps_down_and_never_below_the_p_before():
    np.testing.assert_allclose(cs.holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(cs.holm([0.5, 0.9, math.nan]), [1.0, 1.0, math.nan])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_order_and_lies_between_p_and_bonferroni(p):
    adjusted = cs.holm(p)
    assert (adjusted >= p).all() and (adjusted <= np.minimum(np.array(p) * len(p), 1) + 1e-12).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


def test_a_search_without_a_success_counts_as_the_worst_of_the_pair_of_tuners():
    np.testing.assert_allclose(cs.log_differences([1.0, INF], [math.e, 1.0]), [-1.0, 1.0])
    assert cs.log_differences([INF], [INF]).tolist() == [0.0]


def test_against_compares_on_the_seeds_that_both_have():
    finals = pd.DataFrame(
        {"random": [2.0, 2.0, 2.0, math.nan], "a": [1.0, 1.0, 1.0, 1.0], "b": [math.nan, 2.0, 4.0, 9.0]}
    )
    found = cs.against(finals, "random").set_index("tuner")
    assert list(found.index) == ["a", "b"] and found["seeds"].tolist() == [3, 2]
    assert found.loc["a", "win"] == 1.0 and found.loc["b", "win"] == 0.25
    assert found.loc["a", "ratio"] == pytest.approx(0.5) and found.loc["b", "ratio"] == pytest.approx(math.sqrt(2))
    assert found.loc["a", "p"] == 2 / 8 and found.loc["a", "p_holm"] == 4 / 8
    assert cs.against(finals, "tpe").empty and cs.against(finals, "random", ["b"])["p_holm"].tolist() == [1.0]


@pytest.mark.parametrize(("seeds", "counted"), [((9, 9), 9), ((100,) * 4, 100), ((4, 16), 7), ((1, 1000), 3)])
def test_problems_with_more_seeds_count_for_more(seeds, counted):
    """(1/2 + 1/4) / 2 = 3/8, and (8/3)^2 = 7.1: errors that go together add up by their size, not by their square."""
    finals = dict(enumerate(pd.DataFrame({"a": np.zeros(n), "b": np.ones(n)}) for n in seeds))
    (row,) = cs.pairs(finals, ["a"], ["b"]).itertuples()
    assert (row.win, row.seeds, row.problems) == (1.0, counted, len(seeds))
    assert row.win_low == pytest.approx(0.025 ** (1 / counted))


def test_problems_that_agree_add_nothing_and_those_that_do_not_make_the_average_more_certain():
    """The same wins on every problem are one problem's. Wins that are spread over the seeds are all averages of 1/2."""
    won = pd.DataFrame({"a": [0.0] * 5 + [2.0] * 5, "b": np.ones(10)})
    lost = won.iloc[::-1].reset_index(drop=True)
    one, same, spread = (
        next(cs.pairs(f, ["a"], ["b"]).itertuples()) for f in ({1: won}, {1: won, 2: won}, {1: won, 2: lost})
    )
    exact = binomtest(5, 10).proportion_ci(method="exact")
    for row in (one, same):
        assert (row.win, row.seeds) == (0.5, 10) and (row.win_low, row.win_high) == pytest.approx(
            (exact.low, exact.high)
        )
    assert (spread.win, spread.seeds, spread.problems) == (0.5, 10, 2)
    assert (spread.win_low, spread.win_high) == pytest.approx((0.5 * 0.025**0.1, 1 - 0.5 * 0.025**0.1))


def test_the_summary_of_a_small_contest():
    found = cs.summary(SMALL, naive=0.25).set_index("tuner")
    assert found.loc["random", ["best", "regret", "seeds"]].tolist() == [1.5, 1.25, 2]
    assert found.loc["gan", ["best", "failed", "unique", "seconds"]].tolist() == [1.25, 0.0, 1.0, 3.0]
    assert found.loc["random", "failed"] == pytest.approx(1 / 6)
    assert found.loc["gan", "win"] == 0.75 and math.isnan(found.loc["random", "win"])
    slow = cs.summary(SMALL.assign(thinking=[0.1, 0.2, 0.9] * 4)).set_index("tuner")
    assert slow.loc["gan", "thinking"] == 0.2, "the median"
    twice = cs.summary(SMALL.assign(layers=[1, 1, 2] * 4)).set_index("tuner")
    assert twice.loc["gan", "unique"] == pytest.approx(2 / 3) and math.isnan(twice.loc["gan", "regret"])


def test_the_front_is_what_nothing_beats_in_both():
    assert cs.front([1, 2, 3, 3, 1], [5, 3, 1, 2, 5]).tolist() == [True, True, True, False, True]


def test_a_final_best_found_early():
    found = cs.found_within(SMALL, "gan", 1)
    assert (found.value, found.n) == (0.5, 2) and cs.found_within(SMALL, "gan", 3).value == 1.0
    assert cs.found_within(SMALL.assign(mse=math.nan), "gan", 1).value == 0.0  # nothing was found


def test_the_expected_best_of_n_is_the_mean_over_all_subsets():
    values = [0.9, 0.2, 0.4, 0.5, 0.1]
    curve = cs.random_curve(values, [1, 2, 3, 5])
    for n, expected in zip(curve.n, curve.expected, strict=True):
        assert expected == pytest.approx(np.mean([min(c) for c in itertools.combinations(values, n)]))
    assert (curve.low <= curve.median).all() and (curve.median <= curve.high).all()
    failed = cs.random_curve([0.3, math.nan, 0.1], [1, 3])
    assert failed.expected.tolist() == pytest.approx([(0.3 + 0.3 + 0.1) / 3, 0.1])


def test_the_simultaneous_band_holds_the_median_best_of_n_of_a_known_distribution():
    n = np.arange(1, 21)
    truth = 1 - 0.5 ** (1 / n)  # of uniform values
    rng = np.random.default_rng(1)
    for size, tries, least in ((30, 4, 3), (1000, 40, 34)):
        held = 0
        for _ in range(tries):
            curve = cs.random_curve(rng.random(size), n)
            held += bool((curve.low <= truth).all() and (truth <= curve.high).all())
        assert held >= least


def test_order_limits_by_hand():
    """Of 10 draws, the median lies between the second and the ninth with 97.9 %: fewer than 2 of 10 coins, 1.07 %."""
    low, high = cs.order_limits(np.arange(1.0, 11.0), [0.5, 0.001, 0.999], level=0.95)
    assert (low[0], high[0]) == (2.0, 9.0)
    assert low[1] == 0.0 and math.isinf(high[2])


def test_two_contests_agree_if_their_tuners_rank_alike():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.3, (30, 6))
    one = pd.DataFrame(np.arange(6) + noise, columns=list("abcdef"))
    other = pd.DataFrame(10 * np.arange(6) + rng.normal(0, 3, (10, 6)), columns=list("abcdef"))
    found = cs.rank_agreement(one, other)
    assert found.value == 1.0 and found.low > 0.7 and found.n == 6
    assert cs.rank_agreement(one, -other).value == -1.0
    assert math.isnan(cs.rank_agreement(one[["a", "b"]], other).value)
    for seeds in (1, 2, 4):
        few = cs.rank_agreement(one, other.head(seeds))
        assert few.value > 0.5 and math.isnan(few.low)
    assert math.isfinite(cs.rank_agreement(one, other.head(5)).low)
    # Of 6! = 720 orders, one is the same and one the reverse; of 3! = 6 the same.
    assert cs.ranks_p(one, other) == pytest.approx(2 / 720) == cs.ranks_p(one, -other)
    assert cs.ranks_p(one[["a", "b", "c"]], other) == pytest.approx(2 / 6)
    assert math.isnan(cs.ranks_p(one[["a", "b"]], other)) and math.isnan(cs.ranks_p(one, 0 * other))
    assert cs.mean_ranks(pd.DataFrame({"a": [1.0, 1.0, math.nan], "b": [1.0, 2.0, 0.0]})).to_dict() == {
        "a": 1.25,
        "b": 1.75,
    }


def test_a_drawn_p_is_never_zero():
    assert cs.sign_flip_p(np.ones(40)) == 1 / (1 + cs.FLIPS)


def test_each_interval_of_the_curve_is_at_bonferronis_level():
    values, n = np.random.default_rng(0).random(1000), np.arange(1, 21)
    q = 1 - 0.5 ** (1 / n)
    low, high = cs.order_limits(values, q, level=1 - 0.05 / 20)
    curve = cs.random_curve(values, n)
    assert (curve.low == low).all() and (curve.high == high).all()
