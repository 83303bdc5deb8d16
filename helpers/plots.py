"""The data figures of both papers: pure functions from tables and arrays to a figure; nothing is saved here.

Every function returns a `helpers.figures.Figure`: left as the last expression of a notebook cell it shows itself, and
`helpers.figures.save` writes it. A table of records is what `helpers.study.records` returns. Where `records` is asked
for, one table (then `tuner` names it) or a mapping {tuner: table} will do; `published` is of the same kind
(`helpers.published.records`) and is drawn thin and grey.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import dates as mdates
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from scipy import ndimage, signal, stats

from helpers import published as papers
from helpers.figures import COLOURS, HEADINGS, LABELS, LINES, MARKERS, Figure, new, number, style, thousands
from helpers.space import HYPERPARAMETERS

if TYPE_CHECKING:
    from helpers.windows import Dataset

Records = pd.DataFrame | Mapping[str, pd.DataFrame]

# The episodes that the generator paper names in section 3.1. It gives years; where two episodes share one, the turning
# point of the market parts them (the low of 9 March 2009, the high of 19 February 2020).
EPISODES: tuple[tuple[str, str, str | None], ...] = (
    ("Great Depression", "1929-01-01", "1939-12-31"),
    ("Post-war expansion", "1945-01-01", "1969-12-31"),
    ("Oil crisis", "1973-01-01", "1974-12-31"),
    ("Dot-com bubble", "2000-01-01", "2002-12-31"),
    ("Financial crisis", "2007-01-01", "2009-03-09"),
    ("Long bull market", "2009-03-09", "2020-02-19"),
    ("COVID-19", "2020-02-19", "2020-12-31"),
    ("Recent trends", "2021-01-01", None),
)


def closes(close: pd.Series, *, symbol: str = "S&P 500", episodes: bool = True, log: bool = True) -> Figure:
    """Daily closes, with the episodes that the generator paper names (its figure 2; GAN paper, figure 1).

    Parameters
    ----------
    close : pandas.Series
        Closes in index points, indexed by date.
    symbol : str
        Name for the axis.
    episodes : bool
        Shade and name the episodes that the series covers.
    log : bool
        Logarithmic prices: equal distances are equal growth. The papers' axis is linear.
    """
    close = _series(close)
    with style():
        fig, ax = new(6.4, 4.2 if episodes else 3.4)
        ax.plot(close.index, close, color=COLOURS["actual"], lw=0.9)
        _price_axis(ax, close, log=log)
        ax.set_ylabel(f"{symbol} close (index points)")
        _date_axis(ax, close.index[0], close.index[-1])
        if episodes:
            _mark_episodes(ax, close.index[0], close.index[-1])
        return fig


def _mark_episodes(ax: Axes, first: pd.Timestamp, last: pd.Timestamp) -> None:
    tints, order = ("#EBC48A", "#DDEAF4"), [name for name, _, _ in EPISODES]  # neighbours differ
    seen = [(name, pd.Timestamp(a), pd.Timestamp(b) if b else last) for name, a, b in EPISODES]
    seen = [(name, max(a, first), min(b, last)) for name, a, b in seen if a < last and b > first]
    apart, place = (last - first) * 0.037, first  # slanted names closer than this would touch
    for name, start, end in seen:
        ax.axvspan(start, end, color=tints[order.index(name) % 2], lw=0, zorder=0)
        place = max(start + (end - start) / 2, place)
        ax.annotate(
            name,
            (place, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            rotation=55,
            rotation_mode="anchor",
            ha="left",
            va="center",
            fontsize=8.5,
            annotation_clip=False,
        )
        place += apart


def scaled_closes(scaled: pd.Series, *, symbol: str = "S&P 500") -> Figure:
    """Closes scaled to [0, 1] by their minimum and maximum (GAN paper, figure 2, equation 1).

    `scaled` is indexed by date, in scaled units; values beyond [0, 1] (scaling by the train part alone) are shown too.
    """
    scaled = _series(scaled)
    with style():
        fig, ax = new(6.4, 3.2)
        for bound in (0.0, 1.0):
            ax.axhline(bound, color="#777777", lw=0.8, ls=":")
        ax.plot(scaled.index, scaled, color=COLOURS["actual"], lw=0.9)
        ax.set_ylabel(f"{symbol} close (scaled units)")
        _date_axis(ax, scaled.index[0], scaled.index[-1])
        return fig


def first_windows(scaled: pd.Series, *, count: int = 3, length: int = 30) -> Figure:
    """The first `count` windows of `length` scaled closes, each with its target (generator paper, figure 3).

    Raises
    ------
    ValueError
        If the series is shorter than the windows need.
    """
    scaled = _series(scaled)
    days = count + length
    if count < 1 or length < 1 or len(scaled) < days:
        raise ValueError(
            f"{count} windows of {length} days need at least {max(days, 2)} closes, there are {len(scaled)}."
        )
    shown = scaled.iloc[:days]
    with style():
        fig, axes = new(5.6, 0.9 + 1.05 * count, count, 1, sharex=True, sharey=True, squeeze=False)
        for k, ax in enumerate(axes[:, 0]):
            window, target = shown.iloc[k : k + length], shown.iloc[k + length : k + length + 1]
            ax.plot(range(1, days + 1), shown, color="#C9C9C9", lw=1)
            ax.plot(range(k + 1, k + length + 1), window, color=COLOURS["train"], marker=".", ms=4)
            ax.plot([k + length + 1], target, color=COLOURS["test"], marker="D", ms=6, ls="none")
            ax.set_title(
                f"Window {k + 1}: {window.index[0]:%-d %b %Y} to {window.index[-1]:%-d %b %Y}, "
                f"target {target.index[0]:%-d %b %Y}",
                fontweight="normal",
                fontsize=9,
            )
            ax.yaxis.set_major_locator(ticker.MaxNLocator(3))
        fig.supylabel("Close (scaled units)", fontsize=10)
        axes[-1, 0].set_xlabel("Trading day of the series")
        axes[-1, 0].xaxis.set_major_locator(ticker.MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
        handles = [
            Line2D([], [], color=COLOURS["train"], marker=".", label=f"window, {length} closes"),
            Line2D([], [], color=COLOURS["test"], marker="D", ls="none", label="target, the next close"),
        ]
        fig.legend(handles=handles, loc="outside upper center", ncols=2)
        return fig


def split(dataset: Dataset, *, symbol: str = "S&P 500", log: bool = True) -> Figure:
    """Which days are trained on and which are tested on (generator paper, figure 4; GAN paper, figure 3).

    A chronological split is shown over the whole history; of a shuffled one a second panel shows the last 100 days,
    where single test days can be seen between train days.

    Parameters
    ----------
    dataset : helpers.windows.Dataset
    symbol : str
    log : bool
        Logarithmic prices.
    """
    close = dataset.close
    # The first days are only ever looked back upon; they are drawn as training days and not counted as targets.
    parts, counts = np.full(len(close), "train", dtype=object), {"train": len(dataset.train_targets("tune"))}
    if dataset.protocol.tune_on == "validation":
        parts[dataset.test_targets("tune")] = "validation"
    parts[dataset.test_targets("final")] = "test"
    counts |= {part: int((parts == part).sum()) for part in ("validation", "test") if (parts == part).any()}
    shuffled = dataset.protocol.split == "shuffled"
    names = list(counts)
    handles = [
        Line2D([], [], color=COLOURS[part], lw=2.5, label=f"{part}, {n:,} targets ({n / sum(counts.values()):.0%})")
        for part, n in counts.items()
    ]
    with style():
        fig, axes = new(6.4, 5.2 if shuffled else 3.4, 2 if shuffled else 1, 1, squeeze=False)
        ax = axes[0, 0]
        if shuffled:
            ax.plot(close.index, close, color=COLOURS["train"], lw=0.9)
            for part in names[1:]:
                mine = close.index[parts == part]
                ax.plot(
                    mine, np.full(len(mine), 0.035), transform=ax.get_xaxis_transform(),
                    color=COLOURS[part], marker="|", ms=9, mew=0.3, alpha=0.25, ls="none",
                )  # fmt: skip
            ax.set_title("The whole history: test days (marks below) lie everywhere")
            _zoom_on_split(axes[1, 0], close, parts, names)
        else:
            for part in names:
                ax.plot(close.index, close.where(parts == part), color=COLOURS[part], lw=1)
            for row, part in enumerate(reversed(names[1:])):
                start = close.index[parts == part][0]
                ax.axvline(start, color=COLOURS[part], lw=0.9, ls="--")
                ax.annotate(
                    f"{part} from {start:%-d %b %Y} ",
                    (start, 0.04 + 0.08 * row),
                    xycoords=("data", "axes fraction"),
                    ha="right",
                    fontsize=9,
                    color=COLOURS[part],
                    bbox={"fc": "white", "ec": "none", "pad": 0.8},
                )
        _price_axis(ax, close, log=log)
        _date_axis(ax, close.index[0], close.index[-1])
        fig.supylabel(f"{symbol} close (index points)", fontsize=10)
        _place_legend(fig, handles, [handle.get_label() for handle in handles])
        return fig


def _zoom_on_split(ax: Axes, close: pd.Series, parts: np.ndarray, names: list[str], days: int = 100) -> None:
    late, late_parts = close.iloc[-days:], parts[-days:]
    ax.plot(late.index, late, color="#C9C9C9", lw=1)
    for part, marker in zip(names, ("o", "^", "D"), strict=False):
        mine = late[late_parts == part]
        ax.plot(mine.index, mine, color=COLOURS[part], marker=marker if part != "test" else "D", ms=3.5, ls="none")
    ax.set_title(f"The last {len(late)} days: test days (diamonds) between train days")
    ax.yaxis.set_major_formatter(thousands())
    _date_axis(ax, late.index[0], late.index[-1])


def mse_over_iterations(
    records: Records,
    *,
    tuner: str = "generator",
    naive: float | None = None,
    target: float | None = None,
    early_stop: int | None = None,
    published: Records | None = None,
    log: bool = True,
) -> Figure:
    """MSE of every iteration, the best marked (generator paper, figures 7, 10, 15, 16; GAN paper, figures 6 and 8).

    Parameters
    ----------
    records : pandas.DataFrame or mapping of str to pandas.DataFrame
        With the columns `iteration` and `mse` (scaled units); an iteration without a finite MSE is marked as failed.
    tuner : str
        Whose records they are, where `records` is one table.
    naive : float, optional
        MSE of repeating yesterday's close, drawn as a horizontal line.
    target : float, optional
        MSE at which the stop rule ends the search, drawn as a horizontal line.
    early_stop : int, optional
        Iteration after which the papers stop; drawn where the run is longer.
    published : like `records`, optional
        The papers' own runs.
    log : bool
        Logarithmic MSE. The papers' axis is linear.

    Raises
    ------
    ValueError
        If a table is empty or lacks a column.
    """
    runs = _runs(records, tuner, "mse")
    with style():
        fig, ax = new(5.6, 3.1)
        _draw_runs(ax, runs, "mse", published=_runs(published, tuner, "mse"), best=True)
        _metric_axis(ax, runs, "mse", log=log)
        shown = [*runs.values(), *_runs(published, tuner, "mse").values()]
        ax.set_xlim(0.5, max(run["iteration"].max() for run in shown) + 0.5)
        if target is not None:
            _level(ax, target, COLOURS["generator"], f"stop rule: {number(target)}", ls="-.")
        _naive_level(ax, naive)
        _early_stop(ax, runs, early_stop)
        _legend(fig, ax)
        return fig


def _centred(values: np.ndarray, window: int) -> np.ndarray:
    return pd.Series(values).rolling(window, center=True, min_periods=1).mean().to_numpy()


def _savitzky_golay(values: np.ndarray, window: int) -> np.ndarray:
    return signal.savgol_filter(values, window, min(2, window - 1), mode="nearest")


def _gaussian(values: np.ndarray, window: int) -> np.ndarray:
    return ndimage.gaussian_filter1d(values, window / 4, mode="nearest")


SMOOTHERS: Mapping[str, tuple[Callable[[np.ndarray, int], np.ndarray], str]] = {
    "moving average": (_centred, "centred moving average, {window} iterations"),
    "savitzky-golay": (_savitzky_golay, "Savitzky-Golay, quadratic, {window} iterations"),
    "gaussian": (_gaussian, "Gaussian, standard deviation {sigma:g} iterations"),
}


def smooth(values: np.ndarray, *, method: str = "moving average", window: int = 5) -> np.ndarray:
    """`values`, shape (iterations,), smoothed over an odd `window`.

    The papers say that they smoothed, not how. `"moving average"` is centred, over fewer values at the ends;
    `"savitzky-golay"` fits parabolas; `"gaussian"` has a standard deviation of a quarter of the window. Missing values
    (failed iterations) are left out and stay missing.

    Raises
    ------
    ValueError
        For an unknown method or a window that is not odd and positive.
    """
    if method not in SMOOTHERS:
        raise ValueError(f"Unknown smoothing {method!r}; valid methods are {', '.join(SMOOTHERS)}.")
    if window < 1 or window % 2 == 0:
        raise ValueError(f"The window must be odd and at least 1, not {window!r}.")
    values = np.asarray(values, dtype=float)
    result, finite = np.full(values.shape, np.nan), np.isfinite(values)
    if finite.any():
        result[finite] = SMOOTHERS[method][0](values[finite], _window(window, int(finite.sum())))
    return result


def _window(window: int, values: int) -> int:
    """The largest odd window that `values` values allow, at most `window`."""
    return min(window, values if values % 2 else max(values - 1, 1))


def smoothed(
    records: Records,
    *,
    tuner: str = "generator",
    method: str = "moving average",
    window: int = 5,
    naive: float | None = None,
    early_stop: int | None = None,
    log: bool = True,
) -> Figure:
    """MSE of every iteration and smoothed (generator paper, figures 8, 9, 11; GAN paper, figure 7).

    Parameters
    ----------
    records, tuner, naive, early_stop, log
        As for `mse_over_iterations`. Several tuners get a panel each. What a smoother makes negative has no place on a
        logarithmic axis.
    method, window
        As for `smooth`; the window is cut to the number of iterations. The legend says which smoothing it is.

    Raises
    ------
    ValueError
        As for `smooth` and `mse_over_iterations`.
    """
    runs = _runs(records, tuner, "mse")
    with style():
        fig, axes = new(5.6, 1.0 + 2.5 * len(runs), len(runs), 1, squeeze=False)
        for i, (ax, (name, run)) in enumerate(zip(axes[:, 0], runs.items(), strict=True)):
            used = _window(window, int(run["mse"].notna().sum()))
            says = SMOOTHERS.get(method, (None, ""))[1].format(window=used, sigma=used / 4)
            line = smooth(run["mse"].to_numpy(), method=method, window=window)
            ax.plot(
                run["iteration"],
                run["mse"],
                color=_colour(name, i),
                lw=0.8,
                marker=".",
                ms=4,
                alpha=0.55,
                label="each iteration",
            )
            ax.plot(run["iteration"], line, color=_colour(name, i), lw=2.4, label=says)
            _failed(ax, run, "mse")
            _metric_axis(ax, {name: run}, "mse", log=log)
            _naive_level(ax, naive)
            _early_stop(ax, {name: run}, early_stop)
            if len(runs) > 1:
                ax.set_title(_label(name))
        _legend(fig, axes[0, 0])
        return fig


@dataclass(frozen=True)
class Metric:
    """How a column of the records is drawn: axis label, scale, and how its numbers are written ("" for 3 digits)."""

    label: str
    log: bool = False
    spec: str = ""
    unit: str = ""


METRICS: Mapping[str, Metric] = {
    "mse": Metric(HEADINGS["mse"], log=True),
    "rmse": Metric(HEADINGS["rmse"], log=True),
    "mae": Metric(HEADINGS["mae"], log=True),
    "r2": Metric(HEADINGS["r2"], spec=".4f"),
    "seconds": Metric("Time of the iteration (s)", log=True, unit=" s"),
    "cumulative_seconds": Metric("Cumulative time (s)", spec=",.0f", unit=" s"),
    "cpu_percent": Metric(HEADINGS["cpu_percent"], spec=".2f", unit=" %"),
    "peak_rss_mb": Metric(HEADINGS["peak_rss_mb"], spec=",.0f", unit=" MB"),
}


def metric_over_iterations(
    records: Records,
    metric: str,
    *,
    tuner: str = "generator",
    published: Records | None = None,
    naive: float | None = None,
    average: bool = False,
    claims: bool = False,
    log: bool | None = None,
) -> Figure:
    """One column of the records over the iterations (generator paper, figures 17 to 20; GAN paper, figures 9 to 14).

    Parameters
    ----------
    records, tuner
        As for `mse_over_iterations`, with the column `metric`.
    metric : str
        A key of `METRICS`.
    published : like `records`, optional
        The papers' own runs; a run without the column is left out (the papers print no R2, MAE, CPU or memory).
    naive : float, optional
        The metric of repeating yesterday's close.
    average : bool
        Draw the mean over the iterations.
    claims : bool
        Draw what the papers' text states for this metric (`helpers.published.CLAIMED` and averages).
    log : bool, optional
        Logarithmic axis; by default as in `METRICS`. R2 below -1 is compressed instead.

    Raises
    ------
    ValueError
        For an unknown metric, or a table that is empty or lacks the column.
    """
    if metric not in METRICS:
        raise ValueError(f"Unknown metric {metric!r}; valid metrics are {', '.join(METRICS)}.")
    runs = _runs(records, tuner, metric)
    printed = {name: run for name, run in _runs(published, tuner).items() if metric in run}
    with style():
        fig, ax = new(5.6, 3.1)
        _draw_runs(ax, runs, metric, published=printed)
        if average:
            for i, (name, run) in enumerate(runs.items()):
                mean = run[metric].mean()
                said = f"average {_amount(mean, metric)}"
                _level(ax, mean, _colour(name, i), f"{_label(name)}: {said}" if len(runs) > 1 else said, ls="--")
        if claims:
            _draw_claims(ax, runs, metric)
        _metric_axis(ax, runs, metric, log=METRICS[metric].log if log is None else log)
        if naive is not None:
            _level(ax, naive, COLOURS["naive"], f"yesterday's close: {_amount(naive, metric)}")
        _legend(fig, ax)
        return fig


def _draw_claims(ax: Axes, runs: Mapping[str, pd.DataFrame], metric: str) -> None:
    for name in runs:
        label = f"{_label(name)}, paper's text"
        claim = papers.CLAIMED.get((name, metric))
        stated = papers.headline(name) if name in papers.FILES else None
        mean = {"cpu_percent": stated and stated.cpu_percent, "peak_rss_mb": stated and stated.memory_mb}.get(metric)
        if mean is not None:
            _level(ax, mean, COLOURS["published"], f"{label}: average {_amount(mean, metric)}", ls="-.")
        if claim is not None and claim.low is not None and claim.high is not None:
            ax.axhspan(claim.low, claim.high, color=_colour(name), alpha=0.12, lw=0, label=f"{label}: {claim.says}")
        elif claim is not None:
            level = claim.high if claim.high is not None else claim.low
            _level(ax, level, _colour(name), f"{label}: {claim.says}", ls=":")


def forecast(
    dates: pd.DatetimeIndex,
    actual: np.ndarray,
    predicted: np.ndarray,
    naive: np.ndarray,
    *,
    mse: float,
    naive_mse: float,
    tuner: str = "generator",
    last: int | str | None = None,
    symbol: str = "S&P 500",
    errors: bool = True,
) -> Figure:
    """Actual and predicted closes with yesterday's close (generator paper, figures 12 and 13; GAN paper, figure 15).

    Parameters
    ----------
    dates : pandas.DatetimeIndex, shape (m,)
        Days of the test targets, in any order; days of a shuffled split are drawn as points.
    actual, predicted, naive : numpy.ndarray, shape (m,)
        Index points; `naive` is the close of the day before.
    mse, naive_mse : float
        Scaled units, over the whole test part; both stand in the legend.
    tuner : str
        Whose best LSTM predicts.
    last : int or str, optional
        The last so many test days (100), or those of a span of time ("365D"); all by default.
    symbol : str
    errors : bool
        A second panel with actual minus forecast.

    Raises
    ------
    ValueError
        If the lengths differ or no day is left.
    """
    table = _forecast_table(dates, actual, predicted, naive)
    if isinstance(last, str):
        table = table[table.index > table.index[-1] - pd.Timedelta(last)]
    elif last is not None:
        table = table.iloc[-last:] if last > 0 else table.iloc[:0]
    if table.empty:
        raise ValueError(f"No test day is left with last={last!r}; there are {len(dates)} test days.")
    # A shuffled split leaves most trading days out: a line alone would suggest that nothing is missing between points.
    trading_days = max(len(pd.bdate_range(table.index[0], table.index[-1])), 1)
    scattered, dense = len(table) < 0.8 * trading_days, len(table) > 1000
    points: dict[str, Any] = {"lw": 0.7 if scattered or dense else 1.4}
    if scattered:
        points |= {"marker": "o", "ms": 1.0 if dense else 2.8}
    drawn = {
        "naive": (COLOURS["naive"], (0, (4, 1.5)), f"Yesterday's close: MSE {number(naive_mse)}"),
        "predicted": (_colour(tuner), "-", f"{_label(tuner)}'s best LSTM: MSE {number(mse)}"),
        "actual": (COLOURS["actual"], "-", "Actual close"),
    }
    with style():
        heights = {"height_ratios": [2.4, 1]} if errors else {}
        fig, axes = new(5.6, 4.2 if errors else 3.0, 2 if errors else 1, 1, sharex=True, squeeze=False, **heights)
        ax = axes[0, 0]
        for name, (colour, line, label) in drawn.items():
            ax.plot(table.index, table[name], color=colour, ls=line, label=label, **points)
        ax.set_ylabel(f"{symbol} close\n(index points)")
        ax.yaxis.set_major_formatter(thousands())
        if errors:
            low = axes[1, 0]
            low.axhline(0, color=COLOURS["actual"], lw=0.9)
            missed = {name: table["actual"] - table[name] for name in ("predicted", "naive")}
            for name in sorted(missed, key=lambda name: -missed[name].abs().mean()):  # the smaller errors in front
                colour, line, _ = drawn[name]
                low.plot(table.index, missed[name], color=colour, ls=line, **{**points, "lw": 0.6 if dense else 1.0})
            low.set_ylabel("Actual minus\nforecast")
            low.yaxis.set_major_formatter(thousands())
        _date_axis(axes[-1, 0], table.index[0], table.index[-1])
        handles, labels = ax.get_legend_handles_labels()
        _place_legend(fig, handles[::-1], labels[::-1])
        return fig


def residuals(
    actual: np.ndarray, predicted: np.ndarray, naive: np.ndarray, *, tuner: str = "generator", bins: int = 60
) -> Figure:
    """Distribution of the errors, index points (generator paper, figure 14; GAN paper, figure 16).

    One panel for actual minus predicted closes, one for actual minus yesterday's close.

    Both panels have the same horizontal axis, which holds the central 99 % of each; a note counts what lies beyond.

    Parameters
    ----------
    actual, predicted, naive : numpy.ndarray, shape (m,)
        Index points.
    tuner : str
        Whose best LSTM predicts.
    bins : int
        Number of bars over the axis.

    Raises
    ------
    ValueError
        If the lengths differ or there is no value.
    """
    table = _forecast_table(pd.RangeIndex(len(np.asarray(actual))), actual, predicted, naive)
    errors = {"predicted": table["actual"] - table["predicted"], "naive": table["actual"] - table["naive"]}
    ends = [np.percentile(error, (0.5, 99.5)) for error in errors.values()]
    low, high = min(0.0, *(end[0] for end in ends)), max(0.0, *(end[1] for end in ends))
    low, high = (low - 1.0, high + 1.0) if low == high else (low - 0.02 * (high - low), high + 0.02 * (high - low))
    titles = {"predicted": f"{_label(tuner)}'s best LSTM", "naive": "Yesterday's close"}
    colours = {"predicted": _colour(tuner), "naive": COLOURS["naive"]}
    with style():
        fig, axes = new(5.6, 4.6, 2, 1, sharex=True, height_ratios=[1.5, 1])
        for ax, (name, error) in zip(axes, errors.items(), strict=True):
            ax.hist(
                error, bins=np.linspace(low, high, bins + 1), weights=_density_weights(error, low, high, bins),
                color=colours[name], alpha=0.4, lw=0,
            )  # fmt: skip
            if error.nunique() > 1:
                x = np.linspace(low, high, 800)
                ax.plot(x, stats.gaussian_kde(error, bw_method=_bandwidth)(x), color=colours[name], lw=2)
            ax.axvline(0, color=COLOURS["actual"], lw=1.2, ls="--")
            ax.axvline(error.mean(), color=colours[name], lw=1.2, ls=":")
            beyond = int(((error < low) | (error > high)).sum())
            ax.set_title(titles[name])
            ax.set_title(
                f"mean {error.mean():,.1f}, standard deviation {error.std(ddof=0):,.1f}\n"
                f"{beyond:,} of {len(error):,} days beyond the axis".replace("mean -", "mean −"),
                loc="right",
                fontsize=8.5,
                fontweight="normal",
            )
            ax.yaxis.set_major_locator(ticker.MaxNLocator(4))
        fig.supylabel("Density (per index point)", fontsize=10)
        axes[-1].set_xlabel("Actual minus forecast (index points)")
        axes[-1].xaxis.set_major_formatter(thousands())
        axes[-1].set_xlim(low, high)
        handles = [
            Line2D([], [], color="#777777", lw=6, alpha=0.5, label="histogram"),
            Line2D([], [], color="#777777", lw=2, label="density"),
            Line2D([], [], color=COLOURS["actual"], lw=1.2, ls="--", label="zero error"),
            Line2D([], [], color="#777777", lw=1.2, ls=":", label="mean"),
        ]
        fig.legend(handles=handles, loc="outside upper center", ncols=4)
        return fig


def _bandwidth(kde: stats.gaussian_kde) -> float:
    """Silverman's rule with the interquartile range: daily changes have tails that would smear the middle."""
    values = kde.dataset[0]
    spread = min(1.0, stats.iqr(values) / 1.349 / values.std(ddof=1)) or 1.0
    return 0.9 * spread * len(values) ** -0.2


def _density_weights(error: pd.Series, low: float, high: float, bins: int) -> np.ndarray:
    """Weights that make bars a density over all values, those beyond the axis included, as the curve is."""
    return np.full(len(error), bins / (high - low) / len(error))


def hyperparameters_over_iterations(
    records: Records, *, tuner: str = "generator", published: Records | None = None
) -> Figure:
    """Each hyperparameter over the iterations, one panel each (generator paper, figure 21; GAN paper, appendix C).

    Parameters
    ----------
    records, tuner, published
        As for `mse_over_iterations`, with the six hyperparameters as columns.

    Raises
    ------
    ValueError
        If a table is empty or lacks a column.
    """
    runs, printed = _runs(records, tuner, *HYPERPARAMETERS), _runs(published, tuner, *HYPERPARAMETERS)
    longest = max(run["iteration"].max() for run in runs.values())
    with style():
        fig, axes = new(6.4, 6.0, 3, 2, sharex=True)
        for ax, name in zip(axes.flat, HYPERPARAMETERS, strict=True):
            _draw_runs(ax, runs, name, published=printed, small=True)
            ax.set_title(HEADINGS[name])
            if name == "learning_rate":
                ax.set_yscale("log")
                ax.yaxis.set_major_locator(ticker.LogLocator(10, numticks=8))
                ax.yaxis.set_minor_locator(ticker.NullLocator())
            elif name == "batch_size":
                ax.set_yscale("log", base=2)
                ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
            elif name == "dropout_rate":
                ax.yaxis.set_major_locator(ticker.MultipleLocator(0.2))
                ax.set_ylim(0, 1)
            else:
                ax.yaxis.set_major_locator(ticker.MaxNLocator(5, integer=True))
            ax.set_xlim(0.5, longest + 0.5)
            ax.xaxis.set_major_locator(ticker.MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
        for ax in axes[-1]:
            ax.set_xlabel("Iteration")
        _legend(fig, axes[0, 0])
        return fig


# What the functions above share.


def _series(series: pd.Series) -> pd.Series:
    if len(series) < 2 or not isinstance(series.index, pd.DatetimeIndex):
        raise ValueError("A series of closes needs at least two values and an index of dates.")
    return series


def _runs(records: Records | None, tuner: str, *columns: str) -> dict[str, pd.DataFrame]:
    if records is None:
        return {}
    runs = {tuner: records} if isinstance(records, pd.DataFrame) else dict(records)
    if not runs:
        raise ValueError("There are no records to draw.")
    for name, run in runs.items():
        lacking = [column for column in ("iteration", *columns) if column not in run]
        if lacking:
            raise ValueError(f"The records of {name} lack the column {', '.join(lacking)}.")
        if run.empty:
            raise ValueError(f"The records of {name} are empty.")
    return {name: run.sort_values("iteration").replace([np.inf, -np.inf], np.nan) for name, run in runs.items()}


def _forecast_table(index: pd.Index, actual: np.ndarray, predicted: np.ndarray, naive: np.ndarray) -> pd.DataFrame:
    columns = {"actual": actual, "predicted": predicted, "naive": naive}
    arrays = {name: np.asarray(values, dtype=float).ravel() for name, values in columns.items()}
    lengths = {name: len(values) for name, values in arrays.items()}
    if set(lengths.values()) != {len(index)} or len(index) == 0:
        said = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"A forecast needs as many values as days, at least one: {len(index)} days, {said}.")
    return pd.DataFrame(arrays, index=index).sort_index(kind="stable")


def _colour(name: str, position: int = 0) -> str:
    spare = ("#56B4E9", "#B07AA1", "#6B8E23", "#A0522D")  # for tuners that have no colour of their own
    return COLOURS.get(name, spare[position % len(spare)])


def _label(name: str) -> str:
    return LABELS.get(name, name)


def _amount(value: float, metric: str) -> str:
    spec = METRICS[metric].spec
    return f"{format(value, spec) if spec else number(value)}{METRICS[metric].unit}"


def _draw_runs(
    ax: Axes,
    runs: Mapping[str, pd.DataFrame],
    column: str,
    *,
    published: Mapping[str, pd.DataFrame],
    small: bool = False,
    best: bool = False,
) -> None:
    for name, run in published.items():
        ax.plot(
            run["iteration"], run[column], color=COLOURS["published"], lw=0.9, ls=LINES.get(name, "-"),
            marker=MARKERS.get(name, "o"), ms=2.8, mfc="white", mew=0.7,
            label=f"{_label(name)}, as published{_said_best(run, column) if best else ''}",
        )  # fmt: skip
    for i, (name, run) in enumerate(runs.items()):
        crowded = len(run) > 40 or small
        colour, line, marker = _colour(name, i), LINES.get(name, "-"), MARKERS.get(name, "o")
        ax.plot(
            run["iteration"], run[column], color=colour, lw=1.1 if crowded else 1.5, ls=line,
            marker=marker, ms=3 if crowded else 4.5,
            label=f"{_label(name)}{_said_best(run, column) if best else ''}",
        )  # fmt: skip
        if best and run[column].notna().any():
            row = run.loc[run[column].idxmin()]
            ax.plot(row["iteration"], row[column], marker="o", ms=11, mfc="none", mec=colour, mew=1.6, ls="none")
        _failed(ax, run, column)


def _said_best(run: pd.DataFrame, column: str) -> str:
    if not run[column].notna().any():
        return ""
    row = run.loc[run[column].idxmin()]
    return f": best {number(row[column])} at iteration {row['iteration']:.0f}"


def _failed(ax: Axes, run: pd.DataFrame, column: str) -> None:
    failed = run.loc[run[column].isna(), "iteration"]
    if len(failed):
        ax.plot(
            failed, np.full(len(failed), 0.98), transform=ax.get_xaxis_transform(),
            color="#B00020", marker="x", ms=6, mew=1.6, ls="none", label="failed",
        )  # fmt: skip


def _metric_axis(ax: Axes, runs: Mapping[str, pd.DataFrame], metric: str, *, log: bool) -> None:
    values = pd.concat([run[metric] for run in runs.values()])
    ax.set_xlabel("Iteration")
    ax.set_ylabel(METRICS[metric].label)
    ax.set_xlim(0.5, max(run["iteration"].max() for run in runs.values()) + 0.5)
    ax.xaxis.set_major_locator(ticker.MaxNLocator(11, integer=True, steps=[1, 2, 5, 10]))
    if log:
        ax.set_yscale("log")
    elif metric == "r2":
        ax.axhline(0, color="#777777", lw=0.8)
        if values.min() < -1:
            ax.set_yscale("symlog", linthresh=1)
            ax.set_ylim(1.6 * values.min(), 1.4)
            ax.yaxis.set_major_formatter(thousands())
    else:
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_formatter(thousands())


def _level(ax: Axes, value: float, colour: str, label: str, ls: Any = (0, (1.2, 1.2))) -> None:
    ax.axhline(value, color=colour, lw=1.6, ls=ls, label=label)


def _naive_level(ax: Axes, naive: float | None) -> None:
    if naive is not None:
        _level(ax, naive, COLOURS["naive"], f"yesterday's close: {number(naive)}")


def _early_stop(ax: Axes, runs: Mapping[str, pd.DataFrame], iteration: int | None) -> None:
    if iteration is not None and max(run["iteration"].max() for run in runs.values()) > iteration:
        ax.axvline(iteration + 0.5, color="#444444", lw=1, ls=":", label=f"the papers stop after {iteration}")


def _legend(fig: Figure, ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    _place_legend(fig, list(unique.values()), list(unique))


def _place_legend(fig: Figure, handles: list[Any], labels: list[str]) -> None:
    """Above the axes, in as many columns as fit; the figure grows by its rows, so that the axes keep their size."""
    if not labels:
        return
    width, height = fig.get_size_inches()
    for columns in (3, 2, 1):
        legend = fig.legend(handles, labels, loc="outside upper left", ncols=columns, columnspacing=1.4)
        extent = legend.get_window_extent(fig.canvas.get_renderer())
        if columns == 1 or extent.width <= 0.99 * width * fig.dpi:
            fig.set_size_inches(width, height + extent.height / fig.dpi)
            return
        legend.remove()


def _price_axis(ax: Axes, close: pd.Series, *, log: bool) -> None:
    if log:
        ax.set_yscale("log")
        ticks = [m * 10**k for k in range(-2, 7) for m in (1, 2, 5)]
        low, high = close.min(), close.max()
        ax.yaxis.set_major_locator(ticker.FixedLocator([t for t in ticks if low * 0.8 <= t <= high * 1.25]))
        ax.yaxis.set_minor_locator(ticker.NullLocator())
    else:
        ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(thousands())


def _date_axis(ax: Axes, first: pd.Timestamp, last: pd.Timestamp) -> None:
    span = last - first
    pad = span * 0.01
    ax.set_xlim(first - pad, last + pad)
    if span > pd.Timedelta(days=3 * 365):
        locator: mdates.DateLocator = mdates.AutoDateLocator(minticks=4, maxticks=9)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(mdates.DateFormatter("%Y"))
    else:
        locator = mdates.AutoDateLocator(minticks=4, maxticks=8)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
