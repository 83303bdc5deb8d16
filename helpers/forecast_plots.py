"""Figures of a winner's forecast and its errors: pure functions from arrays to a figure; nothing is saved here.

Every function returns a `helpers.figures.Figure`: left as the last expression of a notebook cell it shows itself, and
`helpers.figures.save` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.lines import Line2D
from scipy import stats

from helpers.figures import COLOURS, Figure, new, number, style, thousands
from helpers.plot_parts import colour_of, date_axis, label_of, place_legend, price_axis


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
        Scaled units, over the whole test part; both stand in the legend, which says so where fewer days are drawn.
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
    days = len(table)
    if isinstance(last, str):
        table = table[table.index > table.index[-1] - pd.Timedelta(last)]
    elif last is not None:
        table = table.iloc[-last:] if last > 0 else table.iloc[:0]
    if table.empty:
        raise ValueError(f"No test day is left with last={last!r}; there are {len(dates)} test days.")
    over = f" over all {days:,} test days" if len(table) < days else ""
    # A shuffled split leaves most trading days out: a line alone would suggest that nothing is missing between points.
    trading_days = max(len(pd.bdate_range(table.index[0], table.index[-1])), 1)
    scattered, dense = len(table) < 0.8 * trading_days, len(table) > 1000
    # Yesterday's close is a wide pale line, so that a forecast that repeats it is seen upon it, in grey too.
    drawn: dict[str, tuple[str, dict[str, Any]]] = {
        "naive": (
            f"Yesterday's close: MSE {number(naive_mse)}{over}",
            {"color": COLOURS["naive"], "lw": 3.5, "alpha": 0.6},
        ),
        "predicted": (
            f"{label_of(tuner)}'s best LSTM: MSE {number(mse)}{over}",
            {"color": colour_of(tuner), "lw": 1.4, "ls": (0, (4, 1))},
        ),
        "actual": ("Actual close", {"color": COLOURS["actual"], "lw": 1.0}),
    }
    if dense:  # the forecast upon the close; yesterday's close, which nobody could tell from it, below and near by
        drawn = {name: drawn[name] for name in ("naive", "actual", "predicted")}
        drawn["actual"][1]["color"] = "#9A9A9A"
    for name, marker, size in (("naive", "o", 5.5), ("predicted", "D", 2.8), ("actual", "o", 2.8)):
        if dense:  # thousands of points would make a file of megabytes that nothing can be read in
            width = 2.2 if name == "actual" else 0.7
            drawn[name][1].update({"lw": width, "ls": "-", "alpha": 1.0, "rasterized": True})
        elif scattered:
            drawn[name][1].update({"marker": marker, "ms": size, "mew": 0})
        if dense and scattered:
            drawn[name][1].update({"marker": "o", "ms": 2.2 if name == "actual" else 1.0, "mew": 0, "ls": "none"})
    near = dense and not scattered and errors
    with style():
        rows = {"height_ratios": [2.4, 1, 1.8][: 1 + errors + near]}
        fig, axes = new(5.6, 3.0 + 1.2 * errors + 1.9 * near, 1 + errors + near, 1, squeeze=False, **rows)
        if errors:
            axes[0, 0].sharex(axes[1, 0])
            axes[0, 0].tick_params(labelbottom=False)
        ax = axes[0, 0]
        for name, (label, options) in drawn.items():
            if not (dense and name == "naive"):
                ax.plot(table.index, table[name], label=label, **options)
        ax.set_ylabel(f"{symbol} close\n(index points)")
        if table["actual"].min() > 0 and table["actual"].max() > 20 * table["actual"].min():
            price_axis(ax, table["actual"], log=True)
        ax.yaxis.set_major_formatter(thousands())
        if errors:
            low = axes[1, 0]
            low.axhline(0, color=COLOURS["actual"], lw=0.9)
            missed = {name: table["actual"] - table[name] for name in ("predicted", "naive")}
            for name in sorted(missed, key=lambda name: -missed[name].abs().mean()):  # the smaller errors in front
                options = drawn[name][1]
                thin = {key: min(options[key], most) for key, most in (("lw", 1.6), ("ms", 3.0)) if key in options}
                low.plot(table.index, missed[name], **options | thin | ({"alpha": 0.65} if dense else {}))
            low.set_ylabel("Actual minus\nforecast (points)")
            low.yaxis.set_major_formatter(thousands())
        date_axis(axes[int(errors), 0], table.index[0], table.index[-1])
        if near:
            _near(axes[2, 0], table.iloc[-NEAR:], drawn)
        handles = [Line2D([], [], **{"ls": "-", **options}) for _, options in drawn.values()]
        if dense:
            for handle in handles:
                handle.set(linewidth=2, linestyle="-")
        place_legend(fig, handles[::-1], [label for label, _ in drawn.values()][::-1])
        return fig


NEAR = 250  # test days of the panel in which a lag can be seen


def _near(ax: Any, table: pd.DataFrame, drawn: Mapping[str, tuple[str, dict[str, Any]]]) -> None:
    """The last test days of many, near by."""
    for name, (_, options) in drawn.items():
        ax.plot(table.index, table[name], color=options["color"], lw=2.2 if name == "actual" else 1.1)
    ax.set_title(f"The last {len(table)} test days", loc="left", fontsize=9)
    ax.yaxis.set_major_formatter(thousands())
    date_axis(ax, table.index[0], table.index[-1])


def residuals(actual: np.ndarray, predicted: np.ndarray, naive: np.ndarray, *, tuner: str = "generator") -> Figure:
    """Distribution of the errors, index points (generator paper, figure 14; GAN paper, figure 16).

    One panel for actual minus predicted closes, one for actual minus yesterday's close.

    Both panels have the same horizontal axis, which holds the central 99 % of each; a note counts what lies beyond.
    Bars are as wide as Freedman's and Diaconis' rule has them, and the curve's kernel has a standard deviation of half
    a bar: with a rule of its own it would be drawn where there are no errors, or contradict the bars.

    Parameters
    ----------
    actual, predicted, naive : numpy.ndarray, shape (m,)
        Index points.
    tuner : str
        Whose best LSTM predicts.

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
    titles = {"predicted": f"{label_of(tuner)}'s best LSTM", "naive": "Yesterday's close"}
    colours = {"predicted": colour_of(tuner), "naive": COLOURS["naive"]}
    with style():
        fig, axes = new(5.6, 4.6, 2, 1, sharex=True, height_ratios=[1.5, 1])
        for ax, (name, error) in zip(axes, errors.items(), strict=True):
            bars = _bars(error, high - low)
            width = (high - low) / bars
            weights = np.full(len(error), 1.0 / (width * len(error)))  # those beyond the axis count, as in the curve
            ax.hist(error, bins=np.linspace(low, high, bars + 1), weights=weights, color=colours[name], alpha=0.4, lw=0)
            if error.nunique() > 1:
                x = np.linspace(max(low, error.min()), min(high, error.max()), 1200)
                ax.plot(x, _density(error, 0.5 * width)(x), color=colours[name], lw=1.6)
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


BARS = (20, 600)  # over the axis, at least and at most


def _bars(error: pd.Series, axis: float) -> int:
    """Bars over an axis so many points wide, by Freedman's and Diaconis' width 2 IQR n^(-1/3), within `BARS`."""
    width = 2.0 * stats.iqr(error) * len(error) ** (-1.0 / 3.0)
    return int(np.clip(round(axis / max(width, axis / BARS[1])), *BARS))


def _density(error: pd.Series, deviation: float) -> stats.gaussian_kde:
    """Kernel density with a standard deviation in points; SciPy takes it in standard deviations of the values."""
    return stats.gaussian_kde(error, bw_method=deviation / error.std(ddof=1))


def _forecast_table(index: pd.Index, actual: np.ndarray, predicted: np.ndarray, naive: np.ndarray) -> pd.DataFrame:
    columns = {"actual": actual, "predicted": predicted, "naive": naive}
    arrays = {name: np.asarray(values, dtype=float).ravel() for name, values in columns.items()}
    lengths = {name: len(values) for name, values in arrays.items()}
    if set(lengths.values()) != {len(index)} or len(index) == 0:
        said = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"A forecast needs as many values as days, at least one: {len(index)} days, {said}.")
    return pd.DataFrame(arrays, index=index).sort_index(kind="stable")
