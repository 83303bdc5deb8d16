"""Figures of notebooks 06 and 08: panels that can be told apart, nothing cut off."""

import numpy as np
import pandas as pd

from helpers import figures, forecast_shape, replication, replication_plots, validity_plots

K = np.arange(-3, 4)


def visible(fig):
    fig.draw_without_rendering()
    return [ax for ax in fig.axes if ax.get_visible()]


def test_each_forecaster_has_a_panel_with_yesterdays_close_under_it():
    names = ["paper's generator (shuffled)", "our GAN (shuffled)", "LSTM, level (clean)", "LSTM, change (clean)"]
    values = {"yesterday's close": np.eye(7)[4]} | {name: np.linspace(-0.5, 0.5, 7) for name in names}
    panels = visible(validity_plots.lags(values, K))
    assert [ax.get_title(loc="left") for ax in panels] == names
    for ax in panels:
        naive, forecast = (line for line in ax.lines if len(line.get_xdata()) == 7)
        np.testing.assert_array_equal(naive.get_ydata(), np.eye(7)[4])
        np.testing.assert_array_equal(forecast.get_ydata(), values[ax.get_title(loc="left")])
    assert panels[1].lines[-1].get_color() == figures.COLOURS["gan"]
    validity_plots.lags({"yesterday's close": np.eye(7)[4]}, K).draw_without_rendering()


def test_the_last_days_are_dated_and_scattered_days_marked():
    dates = pd.bdate_range("2024-08-01", periods=100)
    frame = pd.DataFrame({"close": 5500.0, "yesterday": 5490.0, "forecast": 5480.0}, index=dates)
    dense, scattered = visible(validity_plots.last_days({"LSTM, change": frame, "our GAN": frame.iloc[::5]}))
    assert {line.get_marker() for line in dense.lines} == {"None"}
    assert "o" in {line.get_marker() for line in scattered.lines}
    assert "2024" in dense.get_xticklabels()[0].get_text()


def test_lags_of_a_configuration_share_a_panel_with_every_seed_and_their_median():
    lags = len(forecast_shape.LAGS)
    name = replication.TABLE_NAMES["gan"] + ", row 17"
    other = replication.TABLE_NAMES["generator"] + ", row 18"
    level = np.ones(lags)
    seeds = np.array([0.9 * level, 0.9 * level, -0.8 * level])  # the mean, 0.33, is nobody's
    fig = replication_plots.lags(
        {other: {"shuffled": 0.1 * level[None]}, name: {"chronological": -0.4 * level[None], "shuffled": seeds}}
    )
    panels = visible(fig)
    assert [ax.get_title(loc="left") for ax in panels] == [other, name]
    low, high = panels[1].get_ylim()
    assert low < -0.8 and high >= 1.1 and panels[0].get_ylim() == (low, high)
    drawn = [line for line in panels[1].lines if len(line.get_xdata()) == lags]
    assert {line.get_color() for line in drawn} == {figures.COLOURS["gan"]}
    thin = [line.get_ydata()[0] for line in drawn if line.get_marker() == "None"]
    bold = {str(line.get_linestyle()): line.get_ydata()[0] for line in drawn if line.get_marker() != "None"}
    assert thin == [0.9, 0.9, -0.8] and sorted(bold.values()) == [-0.4, 0.9] and len(bold) == 2
    replication_plots.lags({}).draw_without_rendering()


def test_a_constant_forecast_is_left_out_of_the_median():
    values = np.array([[np.nan, np.nan], [0.2, np.nan], [0.4, np.nan]])
    np.testing.assert_allclose(replication_plots.medians(values), [0.3, np.nan])


def test_random_search_keeps_its_colour_among_the_simulated_searches():
    paths = np.random.default_rng(0).random((5, 8, 6))
    fig = replication_plots.low_shares(paths[0], {"feedback": paths, "random": paths, "another": paths})
    colours = {line.get_label().partition(",")[0]: line.get_color() for line in fig.axes[0].lines}
    assert colours["random"] == figures.COLOURS["random"] and len(set(colours.values())) == 4
    fig.draw_without_rendering()


def test_a_median_stands_at_its_tick_and_inside_the_axis():
    ratios = pd.DataFrame({"series": "S&P 500", "target": ["level"] * 3, "ratio": [130.0, 140.0, 1700.0]})
    fig = validity_plots.series(ratios, {})
    (ax,) = visible(fig)
    (text,) = ax.texts
    assert text.get_text() == "140" and text.xy[0] == 140
    assert any(line.get_marker() == "|" and list(line.get_xdata()) == [140] for line in ax.lines)
    box, axis = text.get_window_extent(), ax.get_window_extent()
    assert axis.x0 <= box.x0 and box.x1 <= axis.x1
