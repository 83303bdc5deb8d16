"""Searches over their iterations, as drawn."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from plot_checks import NAIVE, fits, labelled, legend, line

from helpers import figures, published, search_plots
from helpers.space import HYPERPARAMETERS


@pytest.fixture
def generator():
    return published.records("generator").assign(r2=lambda t: 1 - t["mse"] / 0.032, mae=lambda t: 0.7 * t["rmse"])


@pytest.fixture
def bayesian():
    return published.records("bayesian").assign(r2=lambda t: 1 - t["mse"] / 0.032, mae=lambda t: 0.7 * t["rmse"])


def test_mse_over_iterations(generator):
    fig = search_plots.mse_over_iterations(generator, naive=NAIVE)
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
    fig = search_plots.mse_over_iterations(
        {"generator": generator, "bayesian": bayesian, "bayesian_warped": bayesian},
        naive=NAIVE,
        target=0.000229,
        published_target=0.0002,
        published={"generator": generator, "bayesian": bayesian},
        log=False,
    )
    stops = ["our stop rule: 0.000229", "the paper's stop rule: 0.000200"]
    assert legend(fig) == ["the paper's run", stops[0], "yesterday's close: 0.0000225", stops[1]]
    assert [any(line.get_label() == stops[1] for line in ax.lines) for ax in fig.axes] == [True, True, False]
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["Generator", "Bayesian, raw ranges", "Bayesian, warped"]
    assert fig.axes[0].get_title(loc="right") == (
        "the paper's run: best 0.000229 at iteration 18\nours: best 0.000229 at iteration 18"
    )
    assert fig.axes[0].get_yscale() == "linear"
    assert labelled(fig.axes[0], "Generator, the paper's run").get_color() == figures.COLOURS["published"]
    assert len({ax.get_ylim() for ax in fig.axes}) == len({ax.get_xlim() for ax in fig.axes}) == 1, "comparable"
    assert fig.axes[0].get_xlim() == (0.5, 28.5), "the longest run is drawn to its end"
    assert fits(fig)


def test_failed_iterations_are_marked_and_do_not_count(generator):
    generator.loc[[3, 17], "mse"] = [np.nan, np.inf]
    fig = search_plots.mse_over_iterations(generator)
    assert line(fig.axes[0], "failed").get_xdata().tolist() == [4, 18]
    assert legend(fig)[0] == "Generator: best 0.000296 at iteration 10"


def test_a_run_of_nothing_but_failures_is_drawn(generator):
    generator["mse"] = np.nan
    figure = search_plots.mse_over_iterations(generator)
    assert legend(figure) == ["Generator", "failed"]
    figure.savefig(io.BytesIO())  # an axis that cannot be scaled shows only when it is drawn


def test_early_stop_is_drawn_in_longer_runs_only(generator):
    longer = pd.concat([generator] * 3, ignore_index=True).assign(iteration=range(1, 61))
    assert "the papers stop after 20" in legend(search_plots.mse_over_iterations(longer, early_stop=20))
    assert "the papers stop after 20" not in legend(search_plots.mse_over_iterations(generator, early_stop=20))


def test_bad_records(generator):
    with pytest.raises(ValueError, match="no records"):
        search_plots.mse_over_iterations({})
    with pytest.raises(ValueError, match="records of gan are empty"):
        search_plots.mse_over_iterations(generator.iloc[:0], tuner="gan")
    with pytest.raises(ValueError, match="records of generator lack the column mse"):
        search_plots.mse_over_iterations(generator.drop(columns="mse"))


def test_moving_average_by_hand():
    np.testing.assert_allclose(search_plots.smooth(np.array([1.0, 2, 6, 4, 5]), window=3), [1.5, 3, 4, 5, 4.5])


@pytest.mark.parametrize("method", search_plots.SMOOTHERS)
def test_smoothers_keep_a_constant_and_leave_failures_out(method):
    np.testing.assert_allclose(search_plots.smooth(np.full(20, 0.3), method=method, window=7), 0.3)
    assert np.isnan(search_plots.smooth(np.array([1.0, np.nan, 1.0]), method=method)).tolist() == [False, True, False]


def test_savitzky_golay_keeps_a_parabola():
    x = np.arange(15.0) ** 2
    np.testing.assert_allclose(search_plots.smooth(x, method="savitzky-golay", window=5)[2:-2], x[2:-2])


@given(
    values=st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=40),
    window=st.integers(0, 12).map(lambda n: 2 * n + 1),
    method=st.sampled_from(["moving average", "gaussian"]),
)
def test_averages_stay_between_least_and_greatest(values, window, method):
    line = search_plots.smooth(np.array(values), method=method, window=window)
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
        search_plots.smoothed(generator, **options)


def test_smoothed_says_which_smoothing(generator):
    fig = search_plots.smoothed(generator, window=5, naive=NAIVE)
    ax = fig.axes[0]
    assert "centred moving average, 5 successful iterations, fewer at the ends" in legend(fig)
    assert "each iteration: best 0.000229 at iteration 18" in legend(fig)
    drawn = line(ax, "centred moving average, 5 successful iterations, fewer at the ends").get_ydata()
    np.testing.assert_allclose(drawn, search_plots.smooth(generator["mse"], window=5))
    np.testing.assert_array_equal(
        line(ax, "each iteration: best 0.000229 at iteration 18").get_ydata(), generator["mse"]
    )
    assert fits(fig)


def test_smoothed_short_runs_use_what_there_is(generator):
    assert "centred moving average, 3 successful iterations, fewer at the ends" in legend(
        search_plots.smoothed(generator.iloc[:4], window=9)
    )


def test_smoothed_several_tuners_get_a_panel_each(generator, bayesian):
    fig = search_plots.smoothed({"generator": generator, "bayesian": bayesian}, method="gaussian", window=9)
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["Generator", "Bayesian, raw ranges"]
    assert "Gaussian, standard deviation 2.25 iterations" in legend(fig)
    assert fits(fig)


@pytest.mark.parametrize("metric", ["mse", "rmse", "mae", "r2", "seconds", "cumulative_seconds"])
def test_metrics(metric, generator, bayesian):
    fig = search_plots.metric_over_iterations(
        {"generator": generator, "bayesian": bayesian}, metric, average=True, claims=True
    )
    ax = fig.axes[1]
    np.testing.assert_array_equal(line(ax, "Bayesian, raw ranges").get_ydata(), bayesian[metric])
    assert ax.get_yscale() == ("log" if search_plots.METRICS[metric].log else "linear")
    means = [found.get_ydata()[0] for ax in fig.axes for found in ax.lines if ": average" in str(found.get_label())]
    assert all("average" in ax.get_title(loc="right") for ax in fig.axes)
    assert means == pytest.approx([generator[metric].mean(), bayesian[metric].mean()])
    assert fits(fig)


def test_units_stand_on_the_axes():
    assert search_plots.METRICS["peak_rss_mb"].label.endswith("(MB)")
    assert search_plots.METRICS["cpu_percent"].label.endswith("(%)")
    assert search_plots.METRICS["cumulative_seconds"].label.endswith("(s)")


def test_memory_has_its_own_axis_and_the_papers_average_is_written():
    run = pd.DataFrame({"iteration": [1, 2], "peak_rss_mb": [700.0, 900.0], "cpu_percent": [50.0, 60.0]})
    fig = search_plots.metric_over_iterations(run, "peak_rss_mb", tuner="gan", average=True, claims=True)
    assert legend(fig) == ["GAN", "average 800 MB"]
    ax = fig.axes[0]
    assert [text.get_text() for text in ax.texts] == ["paper's text: average 9,776 MB, beyond this axis"]
    assert ax.get_ylim()[0] == 0 and ax.get_ylim()[1] < 1500
    judged = run.assign(memory_used_mb=[1500.0, 1700.0])
    fig = search_plots.metric_over_iterations(judged, "peak_rss_mb", tuner="gan", average=True, claims=True)
    assert legend(fig) == [
        "GAN: peak of the process", "average 800 MB", "GAN: in use on the machine", "average 1,600 MB",
    ]  # fmt: skip
    np.testing.assert_array_equal(line(fig.axes[0], "GAN: in use on the machine").get_ydata(), [1500, 1700])
    assert fits(fig)
    near = judged.assign(memory_used_mb=9000.0)
    fig = search_plots.metric_over_iterations(near, "peak_rss_mb", tuner="gan", claims=True)
    assert "GAN, paper's text: average 9,776 MB" in legend(fig) and not fig.axes[0].texts
    fig.draw_without_rendering()
    assert "10,000" in [label.get_text() for label in fig.axes[0].get_yticklabels()]
    said = legend(search_plots.metric_over_iterations(run, "cpu_percent", tuner="gan", claims=True))
    assert "GAN, paper's text: average 33.59 %" in said and "GAN, paper's text: highest CPU use around 43 %" in said


def test_what_the_papers_text_states_is_in_the_legend_as_it_is_drawn(generator, bayesian):
    both = {"generator": generator, "bayesian": bayesian}
    fig = search_plots.metric_over_iterations(both, "rmse", claims=True)
    assert legend(fig) == ["paper's text: limit", "paper's text: range"]
    limit, span = fig.legends[0].legend_handles
    assert limit.get_color() == figures.COLOURS["published"] and limit.get_linestyle() == ":"
    assert span.get_facecolor()[:3] == to_rgb(figures.COLOURS["bayesian"])
    fig = search_plots.metric_over_iterations(both, "r2", claims=True)
    assert legend(fig) == ["paper's text: range"], "two colours: one entry, in grey"
    assert fig.legends[0].legend_handles[0].get_color() == "#777777"


def test_published_runs_without_the_metric_are_left_out(generator):
    printed = published.records("generator")
    assert "Generator, the paper's run" in legend(
        search_plots.metric_over_iterations(generator, "rmse", published=printed)
    )
    assert legend(search_plots.metric_over_iterations(generator, "r2", published=printed)) == ["Generator"]


def test_very_bad_r2_is_compressed(generator):
    generator["r2"] = np.linspace(-300, 0.9, 20)
    fig = search_plots.metric_over_iterations(generator, "r2", naive=0.9995)
    ax = fig.axes[0]
    assert ax.get_yscale() == "symlog" and ax.get_ylim()[0] < -300 and ax.get_ylim()[1] > 1
    assert "yesterday's close: 0.9995" in legend(fig)


def test_unknown_metric(generator):
    with pytest.raises(ValueError, match="Unknown metric 'mape'; valid metrics are mse, rmse, mae, r2"):
        search_plots.metric_over_iterations(generator, "mape")


def test_hyperparameters_get_a_panel_each(generator, bayesian):
    fig = search_plots.hyperparameters_over_iterations(generator, published=generator)
    assert [ax.get_title(loc="left") for ax in fig.axes] == [figures.HEADINGS[name] for name in HYPERPARAMETERS]
    for ax, name in zip(fig.axes, HYPERPARAMETERS, strict=True):
        np.testing.assert_array_equal(line(ax, "Generator").get_ydata(), generator[name])
        assert ax.get_yscale() == ("log" if name in ("learning_rate", "batch_size") else "linear")
    assert legend(fig) == ["Generator, the paper's run", "Generator"]
    assert fits(fig)


def test_hyperparameters_of_several_tuners_stand_side_by_side(generator, bayesian):
    fig = search_plots.hyperparameters_over_iterations(
        {"generator": generator, "bayesian": bayesian.head(11)}, published={"bayesian": bayesian}
    )
    right = fig.axes[1::2]
    assert [ax.get_title(loc="left") for ax in fig.axes[:2]] == ["Generator", "Bayesian, raw ranges"]
    for ax, name in zip(right, HYPERPARAMETERS, strict=True):
        np.testing.assert_array_equal(line(ax, "Bayesian, raw ranges").get_ydata(), bayesian[name].head(11))
        assert ax.get_xlim() == (0.5, 28.5), "the published run is drawn to its end"
    assert legend(fig) == ["the paper's run"]
    fig.draw_without_rendering()
    assert {"16", "1,024"} <= {label.get_text() for label in fig.axes[6].get_yticklabels()}
    assert fits(fig)


def test_a_tuner_of_ones_own_can_be_drawn(generator):
    fig = search_plots.mse_over_iterations(
        {"My tuner": generator, "Another": generator.assign(mse=generator["mse"] * 2)}
    )
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["My tuner", "Another"]
    assert fig.axes[0].get_title(loc="right").startswith("ours: best")
    colours = {labelled(ax, name).get_color() for ax, name in zip(fig.axes, ("My tuner", "Another"), strict=True)}
    assert len(colours) == 2


def test_the_records_are_left_as_they_are(generator):
    before = generator.copy()
    search_plots.mse_over_iterations(generator)
    search_plots.hyperparameters_over_iterations(generator)
    pd.testing.assert_frame_equal(generator, before)


def test_a_longer_published_run_is_not_cut() -> None:
    ours = pd.DataFrame({"iteration": [1, 2, 3], "mse": [0.3, 0.2, 0.1]})
    longer = pd.DataFrame({"iteration": range(1, 9), "mse": 0.2})
    figure = search_plots.mse_over_iterations(ours, tuner="bayesian", published={"bayesian": longer})
    assert figure.axes[0].get_xlim() == (0.5, 8.5)
