import pickle
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from conftest import make_prices
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import windows
from helpers.metrics import error_metrics
from helpers.prices import Prices, closes_sha256
from helpers.windows import PROTOCOLS, Dataset, Protocol, protocol


def prices_of(values) -> Prices:
    index = pd.bdate_range("2000-01-03", periods=len(values), name="Date")
    close = pd.Series(np.asarray(values, float), index=index, name="Close")
    return Prices("^TEST", close, "file", closes_sha256(close), "closes of a test")


# --- protocols ------------------------------------------------------------------------------------------------------


def test_presets_are_those_of_the_papers():
    fields = {name: (p.name, p.split, p.scale_on, p.tune_on, p.as_of) for name, p in PROTOCOLS.items()}
    assert fields == {
        "described": ("described", "chronological", "all", "test", "2024-12-31"),
        "published": ("published", "shuffled", "all", "test", "2024-12-31"),
        "clean": ("clean", "chronological", "train", "validation", "2024-12-31"),
    }


def test_a_changed_protocol_does_not_pass_under_the_name_of_its_preset():
    assert protocol("described", as_of="2000-01-03").name == "described"
    assert protocol("described", tune_on="validation").name == "described_tune_on_validation"
    assert protocol("described", tune_on="test") == PROTOCOLS["described"]
    assert protocol("described", split="shuffled", name="mine").name == "mine"


def test_as_of_may_be_the_date_that_yaml_makes_of_it():
    assert protocol("clean", as_of=date(2001, 2, 3)).as_of == "2001-02-03"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "random"}, "split must be one of chronological, shuffled, not 'random'"),
        ({"scale_on": "test"}, "scale_on must be one of all, train, not 'test'"),
        ({"tune_on": None}, "tune_on must be one of test, validation, not None"),
        ({"as_of": "2024-13-01"}, "as_of must be a date written YYYY-MM-DD, not '2024-13-01'"),
        ({"as_of": "20241231"}, "as_of must be a date written YYYY-MM-DD"),
        ({"as_of": 2024}, "as_of must be a date written YYYY-MM-DD, not 2024"),
        ({"split_seed": -1}, "split_seed must be a whole number of at least 0, not -1"),
        ({"split_seed": True}, "split_seed must be a whole number"),
        ({"name": "../x"}, "part of file names"),
        ({"horizon": 2}, "Unknown protocol field 'horizon'; valid fields are name, as_of, split"),
    ],
)
def test_bad_fields_are_named_with_the_valid_ones(changes, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        protocol("described", **changes)


def test_unknown_protocol_names_the_valid_ones():
    with pytest.raises(ValueError, match="Unknown protocol 'honest'; valid protocols are described, published, clean"):
        protocol("honest")


# --- by hand --------------------------------------------------------------------------------------------------------


def test_windows_of_twenty_closes_by_hand():
    """Closes 0, 1, ..., 20 scale to themselves / 20; the last fifth of 21 begins at int(16.8) = 16."""
    dataset = Dataset(prices_of(range(21)), protocol("described"), max_sequence_length=3)
    w = dataset.windows(2)
    assert dataset.test_targets().tolist() == [16, 17, 18, 19, 20]
    assert dataset.train_targets().tolist() == list(range(3, 16))
    np.testing.assert_allclose(w.x_train[0, :, 0] * 20, [1, 2], rtol=1e-6)  # two closes before position 3
    np.testing.assert_allclose(w.y_train * 20, range(3, 16), rtol=1e-6)
    np.testing.assert_allclose(w.x_test[0, :, 0] * 20, [14, 15], rtol=1e-6)  # reaches back across the split
    np.testing.assert_allclose(w.y_test * 20, range(16, 21), rtol=1e-6)
    np.testing.assert_allclose(w.naive * 20, range(15, 20), rtol=1e-6)
    assert list(w.test_dates) == list(dataset.close.index[16:])
    naive = dataset.naive_metrics()  # always one point behind
    assert naive["mse_points"] == naive["rmse_points"] == naive["mae_points"] == 1.0
    assert naive["mse"] == pytest.approx(1 / 400)
    assert naive["r2"] == pytest.approx(1 - 5 / 10)


def test_clean_scales_each_stage_on_its_own_training_part():
    """Rising closes: the largest close of a training part is that of its last target."""
    dataset = Dataset(prices_of(range(1, 102)), protocol("clean"), max_sequence_length=10)
    assert dataset.train_targets("final").tolist() == list(range(10, 80))
    assert dataset.train_targets("tune").tolist() == list(range(10, 66))  # four fifths of 70
    assert dataset.test_targets("tune").tolist() == list(range(66, 80))
    assert dataset.test_targets("final").tolist() == list(range(80, 101))
    assert dataset.scaling("tune") == (1.0, 66.0)
    assert dataset.scaling("final") == (dataset.low, dataset.high) == (1.0, 80.0)
    assert dataset.scaled.iloc[[0, 79]].tolist() == [0.0, 1.0]
    for stage in ("tune", "final"):
        assert dataset.windows(5, stage=stage).y_train.max() == 1.0


def test_as_of_cuts_first_and_keeps_its_own_day():
    prices = make_prices(500)
    day = prices.close.index[399]
    cut = Dataset(prices, protocol("described", as_of=f"{day:%Y-%m-%d}"), max_sequence_length=20)
    short = Dataset(make_prices(400), protocol("described"), max_sequence_length=20)
    assert cut.close.index[-1] == day
    assert cut.data_sha256 == short.data_sha256 != Dataset(prices, protocol("described")).data_sha256
    np.testing.assert_array_equal(cut.windows(7).x_test, short.windows(7).x_test)


# --- properties -----------------------------------------------------------------------------------------------------

protocols = st.builds(
    Protocol,
    name=st.just("any"),
    split=st.sampled_from(["chronological", "shuffled"]),
    scale_on=st.sampled_from(["all", "train"]),
    tune_on=st.sampled_from(["test", "validation"]),
    split_seed=st.integers(0, 5),
)


@settings(max_examples=60, deadline=None)
@given(protocols, st.integers(60, 300), st.integers(1, 30), st.sampled_from(["tune", "final"]), st.data())
def test_every_protocol_splits_and_windows_soundly(p, n, longest, stage, data):
    dataset = Dataset(make_prices(n), p, max_sequence_length=longest)
    train, test = dataset.train_targets(stage), dataset.test_targets(stage)
    assert not set(train) & set(test)
    assert (np.diff(train) > 0).all() and (np.diff(test) > 0).all()
    everything = np.sort(np.concatenate([dataset.train_targets("final"), dataset.test_targets("final")]))
    assert everything.tolist() == list(range(longest, n))
    share = len(test) / (len(train) + len(test))
    assert 0.15 < share < 0.45  # a fifth of all closes, of which only those after the longest window are targets
    if p.tune_on == "validation":
        assert set(dataset.train_targets("tune")) | set(dataset.test_targets("tune")) == set(
            dataset.train_targets("final")
        )
    if p.split == "chronological":
        assert train[-1] < test[0]

    length = data.draw(st.integers(1, longest))
    w = dataset.windows(length, stage=stage)
    low, high = dataset.scaling(stage)
    scaled = (dataset.close.to_numpy() - low) / (high - low)
    assert w.x_train.shape == (len(train), length, 1) and w.x_test.shape == (len(test), length, 1)
    for x, y, targets in ((w.x_train, w.y_train, train), (w.x_test, w.y_test, test)):
        assert x.dtype == y.dtype == np.float32 and x.flags.c_contiguous
        i = data.draw(st.integers(0, len(targets) - 1))
        np.testing.assert_allclose(x[i, :, 0], scaled[targets[i] - length : targets[i]], rtol=1e-6, atol=1e-7)
        assert y[i] == np.float32(scaled[targets[i]])
    np.testing.assert_array_equal(w.naive, w.x_test[:, -1, 0])
    np.testing.assert_allclose(w.to_points(w.y_test), dataset.close.to_numpy()[test], rtol=1e-5)
    np.testing.assert_array_equal(w.to_points(w.y_test), dataset.to_points(w.y_test, stage=stage))


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("stage", ["tune", "final"])
def test_the_test_targets_are_the_same_days_for_every_sequence_length(packaged, name, stage):
    dataset = Dataset(packaged, protocol(name))
    days = dataset.close.index[dataset.test_targets(stage)]
    reference = dataset.windows(1, stage=stage)
    for length in (2, 34, 249, 250):
        w = dataset.windows(length, stage=stage)
        pd.testing.assert_index_equal(w.test_dates, days)
        np.testing.assert_array_equal(w.y_test, reference.y_test)
        np.testing.assert_array_equal(w.y_train, reference.y_train)
        np.testing.assert_array_equal(w.naive, reference.naive)


@pytest.mark.parametrize("stage", ["tune", "final"])
def test_clean_knows_nothing_of_what_it_is_judged_by(stage):
    """Other closes from the first test target on change neither the training windows nor the scaling."""
    prices = make_prices(400)
    clean = Dataset(prices, protocol("clean"), max_sequence_length=20)
    values = prices.close.to_numpy().copy()
    values[clean.test_targets(stage)[0] :] *= 3
    other = Dataset(prices_of(values), protocol("clean"), max_sequence_length=20)
    assert clean.scaling(stage) == other.scaling(stage)
    np.testing.assert_array_equal(clean.windows(9, stage=stage).x_train, other.windows(9, stage=stage).x_train)
    np.testing.assert_array_equal(clean.windows(9, stage=stage).y_train, other.windows(9, stage=stage).y_train)


def test_described_leaks_the_test_part_through_its_scaling():
    """What the papers do, and why `clean` exists: a higher close in the test part changes the training windows."""
    prices = make_prices(400)
    values = prices.close.to_numpy().copy()
    values[-1] *= 10
    a, b = (Dataset(p, protocol("described"), max_sequence_length=20) for p in (prices, prices_of(values)))
    assert not np.allclose(a.windows(5).y_train, b.windows(5).y_train)


def test_the_random_split_is_a_function_of_its_seed(packaged):
    first, same, other = (
        Dataset(packaged, protocol("published", split_seed=seed)).test_targets().tolist() for seed in (0, 0, 1)
    )
    assert first == same != other


def test_the_random_split_of_the_published_numbers_is_fixed(packaged):
    """The records hold results on these targets: the first five must not move with a library or an edit."""
    assert Dataset(packaged, protocol("published")).test_targets()[:5].tolist() == [253, 256, 258, 259, 268]


def test_naive_forecast_on_the_packaged_series(dataset):
    """Yesterday's close agrees with a computation that shares nothing with the module; it is hard to beat."""
    close = dataset.prices.close
    n = len(close)
    actual, before = close.iloc[int(0.8 * n) :], close.shift(1).iloc[int(0.8 * n) :]
    naive = dataset.naive_metrics()
    assert naive["mae_points"] == pytest.approx((actual - before).abs().mean())
    assert naive["mse"] == pytest.approx(((actual - before) ** 2).mean() / (close.max() - close.min()) ** 2)
    assert naive["r2"] > 0.99
    w = dataset.windows(30)
    assert error_metrics(w.y_test, w.naive)["mse"] == pytest.approx(naive["mse"], rel=1e-4)


def test_a_dataset_travels(short_dataset):
    copy = pickle.loads(pickle.dumps(short_dataset))
    np.testing.assert_array_equal(copy.windows(7).x_train, short_dataset.windows(7).x_train)
    assert copy.data_sha256 == short_dataset.data_sha256 and copy.protocol == short_dataset.protocol


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 21, 2.0, True, None, "5"])
def test_bad_sequence_lengths(short_dataset, length):
    with pytest.raises(ValueError, match="sequence_length must be a whole number from 1 to 20"):
        short_dataset.windows(length)


def test_bad_stage(short_dataset):
    for call in (short_dataset.windows, short_dataset.test_targets, short_dataset.naive_metrics):
        with pytest.raises(ValueError, match="Unknown stage 'test'; valid stages are tune, final"):
            call(*([5] if call == short_dataset.windows else []), stage="test")


@pytest.mark.parametrize("longest", [0, 2.5, True])
def test_bad_longest_window(short_prices, longest):
    with pytest.raises(ValueError, match="max_sequence_length must be a whole number of at least 1"):
        Dataset(short_prices, protocol("described"), max_sequence_length=longest)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_too_few_closes(name):
    with pytest.raises(ValueError, match="252 closes up to 2024-12-31 are too few"):
        Dataset(make_prices(252), protocol(name))
    with pytest.raises(ValueError, match="0 closes up to 1999-01-01 are too few"):
        Dataset(make_prices(400), protocol(name, as_of="1999-01-01"))


def test_closes_that_do_not_vary():
    with pytest.raises(ValueError, match="all 5: they cannot be scaled"):
        Dataset(prices_of([5.0] * 100), protocol("described"), max_sequence_length=5)


@pytest.mark.parametrize("stage", windows.STAGES)
@pytest.mark.parametrize("split", ["chronological", "shuffled"])
def test_scaled_on_train_knows_no_extreme_of_the_test_part(stage, split):
    prices_ = make_prices(400)
    p = protocol("clean", split=split)
    one = Dataset(prices_, p, max_sequence_length=20)
    close = prices_.close.copy()
    close.iloc[one.test_targets(stage)[5]] *= 50
    other = Dataset(replace(prices_, close=close), p, max_sequence_length=20)
    assert one.scaling(stage) == other.scaling(stage)
