"""The closes, the windows and the split, as drawn."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from plot_checks import fits, legend, series

from helpers import data_plots


@pytest.fixture(scope="module")
def century():
    return series("1927-12-30", 25_300)


def dataset(split="chronological", tune_on="test", days=1000):
    close = series("2015-01-01", days)
    targets = np.arange(50, days)
    cut = 50 + int(0.8 * len(targets))
    if split == "shuffled":
        targets = np.random.default_rng(0).permutation(targets)
    train, test = np.sort(targets[: cut - 50]), np.sort(targets[cut - 50 :])
    tune = np.sort(train[-100:]) if tune_on == "validation" else test
    return SimpleNamespace(
        close=close,
        protocol=SimpleNamespace(split=split, tune_on=tune_on),
        train_targets=lambda stage: np.setdiff1d(train, tune) if stage == "tune" else train,
        test_targets=lambda stage: tune if stage == "tune" else test,
    )


def test_closes_show_the_series_and_all_episodes(century):
    fig = data_plots.closes(century)
    ax = fig.axes[0]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), century)
    assert ax.get_yscale() == "log" and ax.get_ylabel() == "S&P 500 close (index points)"
    assert [text.get_text() for text in ax.texts] == [name for name, _, _ in data_plots.EPISODES]
    assert len(ax.patches) == len(data_plots.EPISODES) == 8
    fig.draw_without_rendering()
    assert "1,000" in [label.get_text() for label in ax.get_yticklabels()]
    assert "1960" in [label.get_text() for label in ax.get_xticklabels()]
    renderer = fig.canvas.get_renderer()
    assert all(0 <= text.get_window_extent(renderer).y1 <= fig.bbox.y1 for text in ax.texts)
    assert all(text.get_window_extent(renderer).x1 <= fig.bbox.x1 for text in ax.texts)


def test_closes_of_a_part_name_the_episodes_it_covers():
    names = [text.get_text() for text in data_plots.closes(series("1975-01-02", 7000)).axes[0].texts]
    assert names == ["Dot-com bubble"]


def test_closes_linear_and_plain(century):
    ax = data_plots.closes(century, log=False, episodes=False, symbol="FTSE 100").axes[0]
    assert ax.get_yscale() == "linear" and not ax.texts and ax.get_ylabel().startswith("FTSE 100")


def test_a_series_without_dates():
    with pytest.raises(ValueError, match="index of dates"):
        data_plots.closes(pd.Series([1.0, 2.0]))


def test_scaled_closes(century):
    scaled = (century - century.min()) / (century.max() - century.min())
    ax = data_plots.scaled_closes(scaled).axes[0]
    np.testing.assert_array_equal(ax.lines[-1].get_ydata(), scaled)
    assert "scaled units" in ax.get_ylabel()


def test_first_windows_hold_their_closes_and_targets():
    scaled = series("1928-01-02", 40, 0.1, 0.9)
    fig = data_plots.first_windows(scaled)
    assert len(fig.axes) == 3
    for k, ax in enumerate(fig.axes):
        _, window, target = ax.lines
        np.testing.assert_array_equal(window.get_ydata(), scaled.iloc[k : k + 30])
        assert target.get_ydata().tolist() == [scaled.iloc[k + 30]]
        assert target.get_xdata().tolist() == [k + 31]  # the close after the window's last
    assert "2 Jan 1928 to 10 Feb 1928, target 13 Feb 1928" in fig.axes[0].get_title(loc="left")
    assert legend(fig) == ["window, 30 closes", "target, the next close"]
    assert fits(fig)


def test_first_windows_need_enough_closes():
    with pytest.raises(ValueError, match="3 windows of 30 days need at least 33 closes, there are 32"):
        data_plots.first_windows(series("1928-01-02", 32))


def test_split_in_time():
    data = dataset()
    fig = data_plots.split(data)
    ax = fig.axes[0]
    train, test = ax.lines[0].get_ydata(), ax.lines[1].get_ydata()
    assert np.isfinite(train).sum() == 50 + 760 and np.isfinite(test).sum() == 190
    assert not (np.isfinite(train) & np.isfinite(test)).any()
    assert legend(fig) == ["train, 760 targets (80%)", "test, 190 targets (20%)"]
    assert fits(fig)


def test_split_with_validation_part():
    fig = data_plots.split(dataset(tune_on="validation"))
    assert [label.split(",")[0] for label in legend(fig)] == ["train", "validation", "test"]
    assert fits(fig)


def test_shuffled_split_shows_where_test_days_lie():
    data = dataset("shuffled")
    fig = data_plots.split(data)
    top, zoom = fig.axes
    assert len(top.lines[1].get_xdata()) == 190
    shown = [found for found in zoom.lines if found.get_marker() == "D"]
    late = data.test_targets("final")
    assert len(shown[0].get_xdata()) == (late >= 900).sum() > 5
    assert fits(fig)
