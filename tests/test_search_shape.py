"""The shape of a search: statistics by hand, simulated searches, distances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import paths, search_shape
from helpers.intervals import Estimate


def test_the_published_tables_have_the_shape_that_a_reader_sees():
    table_8, table_9 = (search_shape.describe(search_shape.published_path(t)) for t in ("generator", "bayesian"))
    assert table_8["within"] == pytest.approx(0.06, abs=0.01) and table_9["within"] == pytest.approx(0.31, abs=0.01)
    assert table_8["spearman"] == pytest.approx(0.63, abs=0.01) and table_9["spearman"] == pytest.approx(0.04, abs=0.01)
    assert table_8["low"] == pytest.approx(0.71, abs=0.01)
    assert table_8["first_component"] > 0.8 > 0.4 > table_9["first_component"]


def test_row_two_of_table_8_by_hand():
    row = search_shape.published_path("generator")[1]  # 7 layers, 7 units, 0.01, 512, 173 days, 0.7
    assert row == pytest.approx([6 / 9, 6 / 9, 3 / 4, 5 / 7, 172 / 249, 6 / 8])


def line(n: int = 12, d: int = 6) -> np.ndarray:
    return np.linspace(0, 1, n)[:, None].repeat(d, axis=1)


def test_a_straight_line_is_one_dimensional():
    found = search_shape.describe(line())
    assert found["within"] == pytest.approx(0.0) and found["spearman"] == pytest.approx(1.0)
    assert found["first_component"] == pytest.approx(1.0) and found["repeats"] == 0.0
    assert (found["low_first"], found["low_last"]) == (0.5, 0.0)  # of 0, 1/11, 2/11, 3/11 two lie below 0.15


def test_a_search_that_stands_still_repeats_itself():
    found = search_shape.describe(np.full((10, 6), 0.5))
    assert found["repeats"] == pytest.approx(0.9) and found["between"] == 0.0
    assert found["spearman"] == 0.0 and found["autocorrelation"] == 0.0 and found["first_component"] == 1.0


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(6, 30))
def test_statistics_are_finite_and_components_sum_to_one(seed, n):
    path = np.random.default_rng(seed).random((n, 6)).round(1)
    assert all(np.isfinite(v) for v in search_shape.describe(path).values())
    shares = search_shape.explained_variance(path)
    assert shares.sum() == pytest.approx(1.0) and (np.diff(shares) <= 1e-12).all()


def test_a_path_needs_six_iterations():
    with pytest.raises(ValueError, match="at least 6 iterations"):
        search_shape.describe(np.zeros((5, 6)))


def test_a_wave_is_a_cycle_and_its_shuffled_values_and_a_trend_are_not():
    wave = np.sin(2 * np.pi * np.arange(40) / 8) + 0.1 * np.random.default_rng(0).normal(size=40)
    found = search_shape.cycles(wave)
    assert found.found and found.period == pytest.approx(8.0) and found.g > 0.9
    shuffled = search_shape.cycles(np.random.default_rng(1).permutation(wave))
    assert not shuffled.found
    assert not search_shape.cycles(np.arange(40.0)).found
    with pytest.raises(ValueError, match="at least 6"):
        search_shape.cycles([1.0, np.nan, 2.0])


def test_searches_are_a_function_of_their_seed_and_lie_in_the_cube():
    mechanism = search_shape.MECHANISMS["generator-paper-tanh"]
    one, again, other = (search_shape.search(mechanism, seed, steps=8) for seed in (0, 0, 1))
    assert one.shape == (8, 6) and (one >= 0).all() and (one <= 1).all()
    assert (one == again).all() and (one != other).any()


def test_without_feedback_the_error_changes_nothing_with_it_the_network_hears_it():
    def path(name, error):
        return search_shape.search(search_shape.MECHANISMS[name], 0, objective=lambda i: error, steps=6)

    assert (path("generator-zero-tanh", 0.0) == path("generator-zero-tanh", 5.0)).all()
    assert (path("generator-paper-tanh", 0.0) != path("generator-paper-tanh", 5.0)).any()


def test_simulations_are_kept_and_extended(tmp_path):
    first = search_shape.simulate("generator-random", 3, folder=tmp_path)
    more = search_shape.simulate("generator-random", 5, folder=tmp_path)
    assert first.shape == (3, 20, 6) and more.shape == (5, 20, 6)
    assert (more[:3] == first).all()
    assert (search_shape.simulate("generator-random", 4, folder=tmp_path, train=False) == more[:4]).all()
    with pytest.raises(search_shape.ShapeError, match="holds 5 of 9"):
        search_shape.simulate("generator-random", 9, folder=tmp_path, train=False)
    with pytest.raises(search_shape.ShapeError, match="valid mechanisms are"):
        search_shape.simulate("annealing", 1, folder=tmp_path)


def test_a_damaged_or_foreign_file_is_made_again(tmp_path):
    made = search_shape.simulate("generator-random", 2, folder=tmp_path)
    path = tmp_path / "shape_generator-random.npz"
    path.write_bytes(path.read_bytes()[:50])
    assert (search_shape.simulate("generator-random", 2, folder=tmp_path) == made).all()
    assert (search_shape.simulate("generator-random", 2, folder=tmp_path, seed=7) != made).any()


def test_code_that_does_the_same_keeps_the_searches_and_other_code_does_not(tmp_path, monkeypatch):
    made = search_shape.simulate("generator-zero-tanh", 3, folder=tmp_path)
    monkeypatch.setattr(search_shape, "_sampler_code", lambda mechanism: "another")
    real, seeds = search_shape.search, []
    monkeypatch.setattr(search_shape, "search", lambda m, seed: seeds.append(seed) or real(m, seed))
    assert (search_shape.simulate("generator-zero-tanh", 3, folder=tmp_path) == made).all() and seeds == [0]
    assert (search_shape.simulate("generator-zero-tanh", 3, folder=tmp_path) == made).all() and seeds == [0]
    monkeypatch.setattr(search_shape, "_sampler_code", lambda mechanism: "a third")
    monkeypatch.setattr(search_shape, "search", lambda m, seed: seeds.append(seed) or 1.0 - real(m, seed))
    again = search_shape.simulate("generator-zero-tanh", 3, folder=tmp_path)
    assert again == pytest.approx(1.0 - made) and seeds == [0, 0, 0, 1, 2]


def test_an_interruption_loses_the_search_in_flight_alone(tmp_path, monkeypatch):
    real = search_shape.search

    def interrupted(mechanism, seed):
        if seed == 3:
            raise KeyboardInterrupt
        return real(mechanism, seed)

    monkeypatch.setattr(search_shape, "search", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search_shape.simulate("generator-zero-tanh", 5, folder=tmp_path)
    monkeypatch.setattr(search_shape, "search", real)
    kept = search_shape.simulate("generator-zero-tanh", 3, folder=tmp_path, train=False)
    whole = search_shape.simulate("generator-zero-tanh", 5, folder=tmp_path)
    assert len(kept) == 3 and (whole[:3] == kept).all() and len(whole) == 5
    assert [p.name for p in tmp_path.iterdir()] == ["shape_generator-zero-tanh.npz"]


def test_every_mechanism_takes_a_step():
    for mechanism in search_shape.MECHANISMS.values():
        assert search_shape.search(mechanism, 0, steps=6 if mechanism.kind == "bayesian" else 5).shape[1] == 6


def test_the_mechanism_that_made_a_path_explains_it_and_another_is_ruled_out():
    rng = np.random.default_rng(0)

    def along(n):
        return np.clip(rng.random((n, 20, 1)) + 0.02 * rng.normal(size=(n, 20, 6)), 0, 1)

    simulated = {"line": along(60), "cloud": rng.random((60, 20, 6))}
    nearest, other = search_shape.explanations(along(1)[0], simulated)
    assert (nearest.mechanism, nearest.ruled_out) == ("line", False)
    assert other.ruled_out and other.distance.value > nearest.distance.value


def test_influence_by_hand():
    one = np.zeros((4, 6, 6))
    other = one.copy()
    other[:, 3:] = 0.5  # of the five iterations after the first, three differ by a half
    found = search_shape.influence(one, other)
    assert found.same.value == pytest.approx(2 / 5) and found.moved.value == pytest.approx(0.3)
    assert found.between_seeds == 0.0 and found.beyond_seeds.value == pytest.approx(0.3)
    with pytest.raises(ValueError, match="one shape"):
        search_shape.influence(one, other[:2])


def test_what_a_seed_changes_is_the_mean_distance_to_all_other_runs():
    one = np.zeros((3, 6, 6))
    one[2] = 0.6  # pairs: 0, 0.6, 0.6
    assert search_shape.influence(one, one).between_seeds == pytest.approx(0.4)


def test_chance_is_compared_by_the_interval_of_the_difference():
    rng = np.random.default_rng(0)
    alike = 0.5 + 0.01 * rng.standard_normal((8, 10, 6))
    assert "less than" in search_shape.influence(alike, alike + 0.3).in_words  # all seeds moved alike, and far
    apart = np.linspace(0, 1, 8)[:, None, None] * np.ones((8, 10, 6))
    assert "more than" in search_shape.influence(apart, apart + 0.01).in_words
    moved = apart + np.where(np.arange(8) % 2, 0.05, 0.75)[:, None, None]  # on average as far as another seed
    assert "about as much" in search_shape.influence(apart, moved).in_words
    alone = search_shape.influence(apart[:1], apart[:1] + 0.3)
    assert np.isnan(alone.between_seeds) and "cannot say" in alone.in_words


# --- in words -------------------------------------------------------------------------------------------------------


def explained(*ruled_out: bool, runs: int = 200) -> list[search_shape.Explanation]:
    names = ("generator-paper-tanh", "generator-product-tanh", "generator-random")
    distances = (Estimate(0.8 + i / 10, 0.7, 1.2, runs) for i in range(3))
    return [
        search_shape.Explanation(name, distance, 0.01 if out else 0.5, out, 0)
        for name, distance, out in zip(names, distances, ruled_out, strict=True)
    ]


@pytest.mark.parametrize(
    ("ruled_out", "words", "unsaid"),
    [
        (
            (True, False, True),
            [
                "but it is ruled out too, as is one other",
                "only *MSE times outputs, |tanh|*, which scatters more, remains",
            ],
            "do",
        ),
        ((True, True, True), ["but every one of them, ours included, is ruled out"], "possible"),
        ((False, True, True), ["(ours) is nearest to it and remains possible; the other 2 are"], "too"),
        ((False, False, True), ["remains possible, as do *MSE times outputs, |tanh|*; the other is ruled out"], "too"),
        ((False, False, False), ["none is ruled out"], "only"),
    ],
)
def test_the_nearest_mechanism_is_not_called_possible_where_it_is_ruled_out(ruled_out, words, unsaid):
    said = search_shape.standing(explained(*ruled_out), ours="generator-paper-tanh")
    assert "*regressed on the MSE, |tanh|* (ours) is nearest" in said
    assert all(word in said for word in words) and f" {unsaid} " not in said.replace(",", " ").replace(".", " ")


def test_a_mechanism_of_too_few_searches_cannot_be_ruled_out_and_that_is_said():
    few, enough = (explained(False, False, False, runs=runs) for runs in (10, 19))
    assert search_shape.standing(few).endswith("none is ruled out. Too few searches were simulated to rule any out.")
    assert "Too few" not in search_shape.standing(enough)
    mixed = search_shape.standing([few[0], *explained(False, True, True)[1:]])
    assert mixed.endswith("Too few searches of *regressed on the MSE, |tanh|* were simulated to rule them out.")


def test_what_notebook_02_says_of_its_mechanism_is_true_of_the_committed_records():
    text = " ".join((paths.NOTEBOOKS / "02_generator_tuner.py").read_text("utf-8").replace("\n#", " ").split())
    assert "nearest to table 8 of those that notebook 06 tries, though its test rules this one out as well" in text
    folder = paths.outputs().studies("full")
    kept = {}
    for mechanism in search_shape.mechanisms("generator"):
        with np.load(folder / f"shape_{mechanism.name}.npz") as file:
            kept[mechanism.name] = file["paths"] / 10_000
    nearest = search_shape.explanations(search_shape.published_path("generator"), kept)[0]
    assert nearest.mechanism == "generator-paper-tanh" and nearest.ruled_out
