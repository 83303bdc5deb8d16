"""A winner's forecast and its errors, as drawn."""

import numpy as np
import pandas as pd
import pytest
from plot_checks import NAIVE, fits, labelled, legend, line, series

from helpers import figures, forecast_plots


def forecasts(days=400, seed=0):
    rng = np.random.default_rng(seed)
    dates = pd.bdate_range("2023-06-01", periods=days)
    actual = 4500 + np.cumsum(rng.normal(0, 40, days))
    return dates, actual, actual + rng.normal(5, 60, days), np.concatenate([[4500], actual[:-1]])


def test_forecast_names_yesterdays_close_with_its_error():
    fig = forecast_plots.forecast(*forecasts(), mse=0.000229, naive_mse=NAIVE, last=100)
    over = " over all 400 test days"  # not of the hundred that are drawn
    said = ["Actual close", f"Generator's best LSTM: MSE 0.000229{over}", f"Yesterday's close: MSE 0.0000225{over}"]
    assert legend(fig) == said
    assert legend(forecast_plots.forecast(*forecasts(), mse=0.000229, naive_mse=NAIVE)) == [
        text.removesuffix(over) for text in said
    ]
    _, actual, predicted, naive = forecasts()
    top, low = fig.axes
    np.testing.assert_array_equal(line(top, "Actual close").get_ydata(), actual[-100:])
    np.testing.assert_array_equal(labelled(top, "Generator").get_ydata(), predicted[-100:])
    np.testing.assert_array_equal(labelled(top, "Yesterday").get_ydata(), naive[-100:])
    drawn = [found.get_ydata() for found in low.lines[1:]]
    assert any(np.allclose(y, actual[-100:] - predicted[-100:]) for y in drawn)
    assert any(np.allclose(y, actual[-100:] - naive[-100:]) for y in drawn)
    assert top.get_ylabel().endswith("(index points)")
    fig.draw_without_rendering()
    assert any("," in label.get_text() for label in top.get_yticklabels())
    assert fits(fig)


def test_forecast_of_a_span_of_time_in_any_order():
    dates, actual, predicted, naive = forecasts()
    order = np.random.default_rng(1).permutation(len(dates))
    fig = forecast_plots.forecast(
        dates[order], actual[order], predicted[order], naive[order], mse=1e-4, naive_mse=NAIVE, tuner="gan", last="365D"
    )
    shown = line(fig.axes[0], "Actual close")
    recent = dates > dates[-1] - pd.Timedelta("365D")
    np.testing.assert_array_equal(shown.get_ydata(), actual[recent])
    assert shown.get_marker() == "None"
    assert labelled(fig.axes[0], "GAN").get_color() == figures.COLOURS["gan"]


def test_scattered_test_days_are_points():
    dates, *values = forecasts()
    some = np.sort(np.random.default_rng(2).permutation(len(dates))[:80])
    fig = forecast_plots.forecast(dates[some], *(v[some] for v in values), mse=1e-4, naive_mse=NAIVE, errors=False)
    assert len(fig.axes) == 1 and line(fig.axes[0], "Actual close").get_marker() == "o"


def test_a_forecast_over_decades_of_prices_is_logarithmic_and_light():
    close = series("1927-12-30", 4000).to_numpy()
    dates = pd.date_range("1928-01-02", periods=len(close), freq="9D")  # scattered, as in a shuffled split
    fig = forecast_plots.forecast(dates, close, close + 40, close * 0.99, mse=1e-4, naive_mse=NAIVE)
    assert fig.axes[0].get_yscale() == "log"
    assert all(found.get_rasterized() for found in fig.axes[0].lines)
    assert fits(fig)


def test_dates_say_their_year_where_it_is_new():
    fig = forecast_plots.forecast(*forecasts(), mse=0.000229, naive_mse=NAIVE, last=100)
    fig.draw_without_rendering()
    ticks = [label.get_text() for label in fig.axes[-1].get_xticklabels()]
    assert ticks[0].endswith("\n2024") and all(tick[0].isalpha() for tick in ticks)
    assert [tick for tick in ticks if "\n" in tick] == [ticks[0]]


def test_bad_forecasts():
    dates, actual, predicted, naive = forecasts(10)
    with pytest.raises(ValueError, match="10 days, actual 10, predicted 9, naive 10"):
        forecast_plots.forecast(dates, actual, predicted[1:], naive, mse=1, naive_mse=1)
    with pytest.raises(ValueError, match="No test day is left with last=0; there are 10"):
        forecast_plots.forecast(dates, actual, predicted, naive, mse=1, naive_mse=1, last=0)


def test_residuals_show_density_zero_line_and_yesterdays_close():
    _, actual, predicted, naive = forecasts(3000)
    fig = forecast_plots.residuals(actual, predicted, naive, tuner="gan")
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["GAN's best LSTM", "Yesterday's close"]
    for ax, forecast in zip(fig.axes, (predicted, naive), strict=True):
        error = actual - forecast
        heights = [bar.get_height() for bar in ax.patches]
        width = ax.patches[0].get_width()
        inside = ((error >= ax.get_xlim()[0]) & (error <= ax.get_xlim()[1])).mean()
        assert sum(heights) * width == pytest.approx(inside, abs=1e-9)  # bars and curve are the same density
        curve = max(ax.lines, key=lambda found: len(found.get_xdata()))
        area = np.trapezoid(curve.get_ydata(), curve.get_xdata())
        assert area == pytest.approx(inside, abs=0.02)
        assert curve.get_xdata()[[0, -1]] == pytest.approx(np.clip([error.min(), error.max()], *ax.get_xlim()))
        assert _bars_and_curve_agree(ax, curve)
        zero, mean = (found.get_xdata()[0] for found in ax.lines if len(found.get_xdata()) == 2)
        assert (zero, mean) == (0, pytest.approx(error.mean()))
        assert f"{len(error):,} days" in ax.get_title(loc="right")
    assert fig.axes[-1].get_xlabel() == "Actual minus forecast (index points)"
    assert legend(fig) == ["histogram", "density", "zero error", "mean"]
    assert fits(fig)


def _bars_and_curve_agree(ax, curve):
    """The curve's mean over a bar that holds a hundredth of the errors is within a factor of two of its height.

    But for the bars in which the errors begin and end.
    """
    x, y = curve.get_data()
    for bar in ax.patches:
        over = (x >= bar.get_x()) & (x <= bar.get_x() + bar.get_width())
        if not x[0] <= bar.get_x() <= x[-1] - bar.get_width():
            continue
        if bar.get_height() * bar.get_width() > 0.01 and over.sum() > 2:
            if not 0.5 < y[over].mean() / bar.get_height() < 2.0:
                return False
    return True


def test_bars_and_curve_of_a_pile_with_a_cliff_agree():
    """Errors that end sharply on one side, and days' changes with heavy tails: one rule for both would fail one."""
    rng = np.random.default_rng(0)
    actual = np.cumsum(12.0 * rng.standard_t(3, 4000)) + 3000.0
    naive = np.r_[actual[0], actual[:-1]]
    fig = forecast_plots.residuals(actual, actual + 48.0 - rng.exponential(200.0, 4000), naive)
    for ax in fig.axes:
        curve = max(ax.lines, key=lambda found: len(found.get_xdata()))
        assert len(ax.patches) >= 20 and _bars_and_curve_agree(ax, curve)
    assert fig.axes[0].lines[0].get_xdata()[0] >= -48.0  # nothing is drawn where there is no error


def test_residuals_of_constant_and_of_single_errors():
    forecast_plots.residuals(np.ones(5), np.zeros(5), np.ones(5)).draw_without_rendering()
    forecast_plots.residuals(np.array([1.0]), np.array([2.0]), np.array([0.0])).draw_without_rendering()
    with pytest.raises(ValueError, match="at least one"):
        forecast_plots.residuals(np.array([]), np.array([]), np.array([]))
