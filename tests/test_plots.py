from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import figures, plots, published
from helpers.space import HYPERPARAMETERS

NAIVE = 0.0000225


def legend(fig):
    return [text.get_text() for box in fig.legends for text in box.get_texts()]


def line(ax, label):
    return next(found for found in ax.lines if found.get_label() == label)


def labelled(ax, start):
    return next(found for found in ax.lines if str(found.get_label()).startswith(start))


def fits(fig):
    """Legend and axes, with their labels, lie within the figure and do not overlap."""
    fig.draw_without_rendering()
    renderer = fig.canvas.get_renderer()
    boxes = [box.get_window_extent(renderer) for box in fig.legends]
    axes = [ax.get_tightbbox(renderer) for ax in fig.axes]
    for extent in [*boxes, *axes]:
        assert extent.x0 >= -1 and extent.x1 <= fig.bbox.x1 + 1
        assert extent.y0 >= -1 and extent.y1 <= fig.bbox.y1 + 1
    for box in boxes:
        assert all(box.y0 >= extent.y1 - 1 for extent in axes)
    assert min(ax.get_window_extent(renderer).height for ax in fig.axes) > 0.4 * fig.dpi  # no panel squeezed flat
    return True


def series(first, days, low=5.0, high=6000.0):
    return pd.Series(
        np.geomspace(low, high, days), index=pd.bdate_range(first, periods=days, name="Date"), name="Close"
    )


@pytest.fixture(scope="module")
def century():
    return series("1927-12-30", 25_300)


@pytest.fixture
def generator():
    return published.records("generator").assign(r2=lambda t: 1 - t["mse"] / 0.032, mae=lambda t: 0.7 * t["rmse"])


@pytest.fixture
def bayesian():
    return published.records("bayesian").assign(r2=lambda t: 1 - t["mse"] / 0.032, mae=lambda t: 0.7 * t["rmse"])


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
    fig = plots.closes(century)
    ax = fig.axes[0]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), century)
    assert ax.get_yscale() == "log" and ax.get_ylabel() == "S&P 500 close (index points)"
    assert [text.get_text() for text in ax.texts] == [name for name, _, _ in plots.EPISODES]
    assert len(ax.patches) == len(plots.EPISODES) == 8
    fig.draw_without_rendering()
    assert "1,000" in [label.get_text() for label in ax.get_yticklabels()]
    assert "1960" in [label.get_text() for label in ax.get_xticklabels()]
    renderer = fig.canvas.get_renderer()
    assert all(0 <= text.get_window_extent(renderer).y1 <= fig.bbox.y1 for text in ax.texts)
    assert all(text.get_window_extent(renderer).x1 <= fig.bbox.x1 for text in ax.texts)


def test_closes_of_a_part_name_the_episodes_it_covers():
    names = [text.get_text() for text in plots.closes(series("1975-01-02", 7000)).axes[0].texts]
    assert names == ["Dot-com bubble"]


def test_closes_linear_and_plain(century):
    ax = plots.closes(century, log=False, episodes=False, symbol="FTSE 100").axes[0]
    assert ax.get_yscale() == "linear" and not ax.texts and ax.get_ylabel().startswith("FTSE 100")


def test_a_series_without_dates():
    with pytest.raises(ValueError, match="index of dates"):
        plots.closes(pd.Series([1.0, 2.0]))


def test_scaled_closes(century):
    scaled = (century - century.min()) / (century.max() - century.min())
    ax = plots.scaled_closes(scaled).axes[0]
    np.testing.assert_array_equal(ax.lines[-1].get_ydata(), scaled)
    assert "scaled units" in ax.get_ylabel()


def test_first_windows_hold_their_closes_and_targets():
    scaled = series("1928-01-02", 40, 0.1, 0.9)
    fig = plots.first_windows(scaled)
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
        plots.first_windows(series("1928-01-02", 32))


def test_split_in_time():
    data = dataset()
    fig = plots.split(data)
    ax = fig.axes[0]
    train, test = ax.lines[0].get_ydata(), ax.lines[1].get_ydata()
    assert np.isfinite(train).sum() == 50 + 760 and np.isfinite(test).sum() == 190
    assert not (np.isfinite(train) & np.isfinite(test)).any()
    assert legend(fig) == ["train, 760 targets (80%)", "test, 190 targets (20%)"]
    assert fits(fig)


def test_split_with_validation_part():
    fig = plots.split(dataset(tune_on="validation"))
    assert [label.split(",")[0] for label in legend(fig)] == ["train", "validation", "test"]
    assert fits(fig)


def test_shuffled_split_shows_where_test_days_lie():
    data = dataset("shuffled")
    fig = plots.split(data)
    top, zoom = fig.axes
    assert len(top.lines[1].get_xdata()) == 190
    shown = [found for found in zoom.lines if found.get_marker() == "D"]
    late = data.test_targets("final")
    assert len(shown[0].get_xdata()) == (late >= 900).sum() > 5
    assert fits(fig)


def test_mse_over_iterations(generator):
    fig = plots.mse_over_iterations(generator, naive=NAIVE)
    ax = fig.axes[0]
    run = labelled(ax, "Generator")
    np.testing.assert_array_equal(run.get_ydata(), generator["mse"])
    assert run.get_color() == figures.COLOURS["generator"]
    assert ax.get_yscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Iteration", "MSE (scaled units)")
    assert legend(fig) == ["Generator: best 0.000229 at iteration 18", "yesterday's close: 0.0000225"]
    ring = next(found for found in ax.lines if found.get_markersize() == 11)
    assert ring.get_xydata().tolist() == [[18, 0.000229]]
    assert labelled(ax, "yesterday").get_ydata()[0] == NAIVE
    assert fits(fig)


def test_mse_of_several_tuners_beside_the_papers(generator, bayesian):
    fig = plots.mse_over_iterations(
        {"generator": generator, "bayesian": bayesian, "bayesian_warped": bayesian},
        naive=NAIVE,
        target=0.000229,
        published={"generator": generator, "bayesian": bayesian},
        log=False,
    )
    assert legend(fig) == ["as published", "stop rule: 0.000229", "yesterday's close: 0.0000225"]
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["Generator", "Bayesian, raw ranges", "Bayesian, warped"]
    assert fig.axes[0].get_title(loc="right") == (
        "as published: best 0.000229 at iteration 18\nours: best 0.000229 at iteration 18"
    )
    assert fig.axes[0].get_yscale() == "linear"
    assert labelled(fig.axes[0], "Generator, as published").get_color() == figures.COLOURS["published"]
    assert len({ax.get_ylim() for ax in fig.axes}) == len({ax.get_xlim() for ax in fig.axes}) == 1, "comparable"
    assert fig.axes[0].get_xlim() == (0.5, 28.5), "the longest run is drawn to its end"
    assert fits(fig)


def test_failed_iterations_are_marked_and_do_not_count(generator):
    generator.loc[[3, 17], "mse"] = [np.nan, np.inf]
    fig = plots.mse_over_iterations(generator)
    assert line(fig.axes[0], "failed").get_xdata().tolist() == [4, 18]
    assert legend(fig)[0] == "Generator: best 0.000296 at iteration 10"


def test_a_run_of_nothing_but_failures_is_drawn(generator):
    generator["mse"] = np.nan
    assert legend(plots.mse_over_iterations(generator)) == ["Generator", "failed"]


def test_early_stop_is_drawn_in_longer_runs_only(generator):
    longer = pd.concat([generator] * 3, ignore_index=True).assign(iteration=range(1, 61))
    assert "the papers stop after 20" in legend(plots.mse_over_iterations(longer, early_stop=20))
    assert "the papers stop after 20" not in legend(plots.mse_over_iterations(generator, early_stop=20))


def test_bad_records(generator):
    with pytest.raises(ValueError, match="no records"):
        plots.mse_over_iterations({})
    with pytest.raises(ValueError, match="records of gan are empty"):
        plots.mse_over_iterations(generator.iloc[:0], tuner="gan")
    with pytest.raises(ValueError, match="records of generator lack the column mse"):
        plots.mse_over_iterations(generator.drop(columns="mse"))


def test_moving_average_by_hand():
    np.testing.assert_allclose(plots.smooth(np.array([1.0, 2, 6, 4, 5]), window=3), [1.5, 3, 4, 5, 4.5])


@pytest.mark.parametrize("method", plots.SMOOTHERS)
def test_smoothers_keep_a_constant_and_leave_failures_out(method):
    np.testing.assert_allclose(plots.smooth(np.full(20, 0.3), method=method, window=7), 0.3)
    assert np.isnan(plots.smooth(np.array([1.0, np.nan, 1.0]), method=method)).tolist() == [False, True, False]


def test_savitzky_golay_keeps_a_parabola():
    x = np.arange(15.0) ** 2
    np.testing.assert_allclose(plots.smooth(x, method="savitzky-golay", window=5)[2:-2], x[2:-2])


@given(
    values=st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=40),
    window=st.integers(0, 12).map(lambda n: 2 * n + 1),
    method=st.sampled_from(["moving average", "gaussian"]),
)
def test_averages_stay_between_least_and_greatest(values, window, method):
    line = plots.smooth(np.array(values), method=method, window=window)
    assert line.shape == (len(values),)
    assert min(values) - 1e-12 <= line.min() and line.max() <= max(values) + 1e-12


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"method": "spline"},
            "Unknown smoothing 'spline'; valid methods are moving average, savitzky-golay, gaussian",
        ),
        ({"window": 4}, "odd and at least 1, not 4"),
        ({"window": -1}, "odd and at least 1, not -1"),
    ],
)
def test_bad_smoothing(options, says, generator):
    with pytest.raises(ValueError, match=says):
        plots.smoothed(generator, **options)


def test_smoothed_says_which_smoothing(generator):
    fig = plots.smoothed(generator, window=5, naive=NAIVE)
    ax = fig.axes[0]
    assert "centred moving average, 5 iterations" in legend(fig)
    drawn = line(ax, "centred moving average, 5 iterations").get_ydata()
    np.testing.assert_allclose(drawn, plots.smooth(generator["mse"], window=5))
    np.testing.assert_array_equal(line(ax, "each iteration").get_ydata(), generator["mse"])
    assert fits(fig)


def test_smoothed_short_runs_use_what_there_is(generator):
    assert "centred moving average, 3 iterations" in legend(plots.smoothed(generator.iloc[:4], window=9))


def test_smoothed_several_tuners_get_a_panel_each(generator, bayesian):
    fig = plots.smoothed({"generator": generator, "bayesian": bayesian}, method="gaussian", window=9)
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["Generator", "Bayesian, raw ranges"]
    assert "Gaussian, standard deviation 2.25 iterations" in legend(fig)
    assert fits(fig)


@pytest.mark.parametrize("metric", ["mse", "rmse", "mae", "r2", "seconds", "cumulative_seconds"])
def test_metrics(metric, generator, bayesian):
    fig = plots.metric_over_iterations(
        {"generator": generator, "bayesian": bayesian}, metric, average=True, claims=True
    )
    ax = fig.axes[1]
    np.testing.assert_array_equal(line(ax, "Bayesian, raw ranges").get_ydata(), bayesian[metric])
    assert ax.get_yscale() == ("log" if plots.METRICS[metric].log else "linear")
    means = [found.get_ydata()[0] for ax in fig.axes for found in ax.lines if ": average" in str(found.get_label())]
    assert all("average" in ax.get_title(loc="right") for ax in fig.axes)
    assert means == pytest.approx([generator[metric].mean(), bayesian[metric].mean()])
    assert fits(fig)


def test_units_stand_on_the_axes():
    assert plots.METRICS["peak_rss_mb"].label.endswith("(MB)")
    assert plots.METRICS["cpu_percent"].label.endswith("(%)")
    assert plots.METRICS["cumulative_seconds"].label.endswith("(s)")


def test_memory_beside_the_papers_average():
    run = pd.DataFrame({"iteration": [1, 2], "peak_rss_mb": [700.0, 900.0], "cpu_percent": [50.0, 60.0]})
    fig = plots.metric_over_iterations(run, "peak_rss_mb", tuner="gan", average=True, claims=True)
    assert legend(fig) == ["GAN", "average 800 MB", "GAN, paper's text: average 9,776 MB"]
    fig.draw_without_rendering()
    assert "10,000" in [label.get_text() for label in fig.axes[0].get_yticklabels()]
    assert fig.axes[0].get_ylim()[0] == 0
    said = legend(plots.metric_over_iterations(run, "cpu_percent", tuner="gan", claims=True))
    assert "GAN, paper's text: average 33.59 %" in said and "GAN, paper's text: highest CPU use around 43 %" in said


def test_published_runs_without_the_metric_are_left_out(generator):
    printed = published.records("generator")
    assert "Generator, as published" in legend(plots.metric_over_iterations(generator, "rmse", published=printed))
    assert legend(plots.metric_over_iterations(generator, "r2", published=printed)) == ["Generator"]


def test_very_bad_r2_is_compressed(generator):
    generator["r2"] = np.linspace(-300, 0.9, 20)
    fig = plots.metric_over_iterations(generator, "r2", naive=0.9995)
    ax = fig.axes[0]
    assert ax.get_yscale() == "symlog" and ax.get_ylim()[0] < -300 and ax.get_ylim()[1] > 1
    assert "yesterday's close: 0.9995" in legend(fig)


def test_unknown_metric(generator):
    with pytest.raises(ValueError, match="Unknown metric 'mape'; valid metrics are mse, rmse, mae, r2"):
        plots.metric_over_iterations(generator, "mape")


def forecasts(days=400, seed=0):
    rng = np.random.default_rng(seed)
    dates = pd.bdate_range("2023-06-01", periods=days)
    actual = 4500 + np.cumsum(rng.normal(0, 40, days))
    return dates, actual, actual + rng.normal(5, 60, days), np.concatenate([[4500], actual[:-1]])


def test_forecast_names_yesterdays_close_with_its_error():
    fig = plots.forecast(*forecasts(), mse=0.000229, naive_mse=NAIVE, last=100)
    assert legend(fig) == ["Actual close", "Generator's best LSTM: MSE 0.000229", "Yesterday's close: MSE 0.0000225"]
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
    fig = plots.forecast(
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
    fig = plots.forecast(dates[some], *(v[some] for v in values), mse=1e-4, naive_mse=NAIVE, errors=False)
    assert len(fig.axes) == 1 and line(fig.axes[0], "Actual close").get_marker() == "o"


def test_a_forecast_over_decades_of_prices_is_logarithmic_and_light():
    close = series("1927-12-30", 4000).to_numpy()
    dates = pd.date_range("1928-01-02", periods=len(close), freq="9D")  # scattered, as in a shuffled split
    fig = plots.forecast(dates, close, close + 40, close * 0.99, mse=1e-4, naive_mse=NAIVE)
    assert fig.axes[0].get_yscale() == "log"
    assert all(found.get_rasterized() for found in fig.axes[0].lines)
    assert fits(fig)


def test_dates_say_their_year_where_it_is_new():
    fig = plots.forecast(*forecasts(), mse=0.000229, naive_mse=NAIVE, last=100)
    fig.draw_without_rendering()
    ticks = [label.get_text() for label in fig.axes[-1].get_xticklabels()]
    assert ticks[0].endswith("\n2024") and all(tick[0].isalpha() for tick in ticks)
    assert [tick for tick in ticks if "\n" in tick] == [ticks[0]]


def test_bad_forecasts():
    dates, actual, predicted, naive = forecasts(10)
    with pytest.raises(ValueError, match="10 days, actual 10, predicted 9, naive 10"):
        plots.forecast(dates, actual, predicted[1:], naive, mse=1, naive_mse=1)
    with pytest.raises(ValueError, match="No test day is left with last=0; there are 10"):
        plots.forecast(dates, actual, predicted, naive, mse=1, naive_mse=1, last=0)


def test_residuals_show_density_zero_line_and_yesterdays_close():
    _, actual, predicted, naive = forecasts(3000)
    fig = plots.residuals(actual, predicted, naive, tuner="gan")
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
        zero, mean = (found.get_xdata()[0] for found in ax.lines if len(found.get_xdata()) == 2)
        assert (zero, mean) == (0, pytest.approx(error.mean()))
        assert f"{len(error):,} days" in ax.get_title(loc="right")
    assert fig.axes[-1].get_xlabel() == "Actual minus forecast (index points)"
    assert legend(fig) == ["histogram", "density", "zero error", "mean"]
    assert fits(fig)


def test_residuals_of_constant_and_of_single_errors():
    plots.residuals(np.ones(5), np.zeros(5), np.ones(5)).draw_without_rendering()
    plots.residuals(np.array([1.0]), np.array([2.0]), np.array([0.0])).draw_without_rendering()
    with pytest.raises(ValueError, match="at least one"):
        plots.residuals(np.array([]), np.array([]), np.array([]))


def test_hyperparameters_get_a_panel_each(generator, bayesian):
    fig = plots.hyperparameters_over_iterations(generator, published=generator)
    assert [ax.get_title(loc="left") for ax in fig.axes] == [figures.HEADINGS[name] for name in HYPERPARAMETERS]
    for ax, name in zip(fig.axes, HYPERPARAMETERS, strict=True):
        np.testing.assert_array_equal(line(ax, "Generator").get_ydata(), generator[name])
        assert ax.get_yscale() == ("log" if name in ("learning_rate", "batch_size") else "linear")
    assert legend(fig) == ["Generator, as published", "Generator"]
    assert fits(fig)


def test_hyperparameters_of_several_tuners_stand_side_by_side(generator, bayesian):
    fig = plots.hyperparameters_over_iterations(
        {"generator": generator, "bayesian": bayesian.head(11)}, published={"bayesian": bayesian}
    )
    right = fig.axes[1::2]
    assert [ax.get_title(loc="left") for ax in fig.axes[:2]] == ["Generator", "Bayesian, raw ranges"]
    for ax, name in zip(right, HYPERPARAMETERS, strict=True):
        np.testing.assert_array_equal(line(ax, "Bayesian, raw ranges").get_ydata(), bayesian[name].head(11))
        assert ax.get_xlim() == (0.5, 28.5), "the published run is drawn to its end"
    assert legend(fig) == ["as published"]
    fig.draw_without_rendering()
    assert {"16", "1,024"} <= {label.get_text() for label in fig.axes[6].get_yticklabels()}
    assert fits(fig)


def test_a_tuner_of_ones_own_can_be_drawn(generator):
    fig = plots.mse_over_iterations({"My tuner": generator, "Another": generator.assign(mse=generator["mse"] * 2)})
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["My tuner", "Another"]
    assert fig.axes[0].get_title(loc="right").startswith("ours: best")
    colours = {labelled(ax, name).get_color() for ax, name in zip(fig.axes, ("My tuner", "Another"), strict=True)}
    assert len(colours) == 2


def test_the_records_are_left_as_they_are(generator):
    before = generator.copy()
    plots.mse_over_iterations(generator)
    plots.hyperparameters_over_iterations(generator)
    pd.testing.assert_frame_equal(generator, before)


def test_a_longer_published_run_is_not_cut() -> None:
    ours = pd.DataFrame({"iteration": [1, 2, 3], "mse": [0.3, 0.2, 0.1]})
    longer = pd.DataFrame({"iteration": range(1, 9), "mse": 0.2})
    figure = plots.mse_over_iterations(ours, tuner="bayesian", published={"bayesian": longer})
    assert figure.axes[0].get_xlim() == (0.5, 8.5)
