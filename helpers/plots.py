"""The data figures of both papers: pure functions from tables and arrays to a figure; nothing is saved here.

Every function returns a `helpers.figures.Figure`: left as the last expression of a notebook cell it shows itself, and
`helpers.figures.save` writes it. A table of records is what `helpers.study.records` returns. Where `records` is asked
for, one table (then `tuner` names it) or a mapping {tuner: table} will do; `published` is of the same kind
(`helpers.published.records`) and is drawn thin and grey.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
        date_axis(ax, close.index[0], close.index[-1])
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
        date_axis(ax, scaled.index[0], scaled.index[-1])
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
        axes[-1, 0].set_xlim(0.5, days + 1)  # there is no day 0
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
            ax.set_ylim(bottom=close.min() / 3 if log else 0)  # room for the marks
            for part in names[1:]:
                mine = close.index[parts == part]
                ax.plot(
                    mine, np.full(len(mine), 0.035), transform=ax.get_xaxis_transform(),
                    color=COLOURS[part], marker="|", ms=9, mew=0.3, alpha=0.25, ls="none", rasterized=True,
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
        date_axis(ax, close.index[0], close.index[-1])
        fig.supylabel(f"{symbol} close (index points)", fontsize=10)
        _place_legend(fig, handles, [handle.get_label() for handle in handles])
        return fig


def _zoom_on_split(ax: Axes, close: pd.Series, parts: np.ndarray, names: list[str], days: int = 100) -> None:
    late, late_parts = close.iloc[-days:], parts[-days:]
    ax.plot(late.index, late, color="#C9C9C9", lw=1)
    marks = {"train": ("o", 3.2, "white"), "validation": ("^", 5.0, COLOURS["validation"]), "test": ("D", 5.0, None)}
    for part in names:
        marker, size, face = marks[part]
        mine = late[late_parts == part]
        ax.plot(mine.index, mine, color=COLOURS[part], marker=marker, ms=size, mfc=face, ls="none")
    ax.set_title(f"The last {len(late)} days: train (circles) and test (diamonds)")
    ax.yaxis.set_major_formatter(thousands())
    date_axis(ax, late.index[0], late.index[-1])


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

    Several tuners get a panel each, all with the same axes.

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
    levels = [] if target is None else [(target, COLOURS["generator"], f"stop rule: {number(target)}", "-.")]
    return _over_iterations(
        _runs(records, tuner, "mse"),
        _runs(published, tuner, "mse"),
        "mse",
        log=log,
        best=True,
        early_stop=early_stop,
        levels=[*levels, *_naive_levels(naive, "mse")],
    )


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
            # Between two failures there is no line to draw, but a dash.
            there = np.concatenate([[False], np.isfinite(line), [False]])
            alone = np.flatnonzero(there[1:-1] & ~there[:-2] & ~there[2:]).tolist()
            ax.plot(
                run["iteration"], line, color=_colour(name, i), lw=2.4, label=says, marker="_", ms=7, mew=2.4,
                markevery=alone,
            )  # fmt: skip
            _failed(ax, run, "mse")
            _metric_axis(ax, [run], "mse", log=log)
            for level in _naive_levels(naive, "mse"):
                _level(ax, *level)
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
    "cumulative_seconds": Metric("Cumulative time (s)", log=True, spec=",.0f", unit=" s"),
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

    Several tuners get a panel each, all with the same axes.

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
        Logarithmic axis; by default as in `METRICS`. R² far below -1 is compressed instead.

    Raises
    ------
    ValueError
        For an unknown metric, or a table that is empty or lacks the column.
    """
    if metric not in METRICS:
        raise ValueError(f"Unknown metric {metric!r}; valid metrics are {', '.join(METRICS)}.")
    runs = _runs(records, tuner, metric)
    printed = {name: run for name, run in _runs(published, tuner).items() if metric in run}
    return _over_iterations(
        runs,
        printed,
        metric,
        log=METRICS[metric].log if log is None else log,
        average=average,
        claims=claims,
        levels=_naive_levels(naive, metric),
    )


def _over_iterations(
    runs: Mapping[str, pd.DataFrame],
    printed: Mapping[str, pd.DataFrame],
    metric: str,
    *,
    log: bool,
    best: bool = False,
    average: bool = False,
    claims: bool = False,
    early_stop: int | None = None,
    levels: Sequence[tuple[float, str, str, Any]] = (),
) -> Figure:
    """One tuner in one panel, or several below each other on the same axes, each named and described above its panel.

    `levels` are horizontal lines of all panels: value, colour, label, line style.
    """
    names = list(runs) if len(runs) == 1 else list(dict.fromkeys([*runs, *printed]))
    several = len(names) > 1
    with style():
        height = 0.9 + 1.75 * len(names) if several else 3.1
        fig, axes = new(5.6, height, len(names), 1, sharex=True, sharey=True, squeeze=False)
        for i, (ax, name) in enumerate(zip(axes[:, 0], names, strict=True)):
            mine = {name: runs[name]} if name in runs else {}
            theirs = {k: run for k, run in printed.items() if k == name or not several}
            _draw_runs(ax, mine, metric, published=theirs, best=best, position=i)
            if average and mine:
                mean = runs[name][metric].mean()
                whose = f"{_label(name)}: " if several else ""
                _level(ax, mean, _colour(name, i), f"{whose}average {_amount(mean, metric)}", ls="--")
            if claims:
                _draw_claims(ax, name, metric)
            _metric_axis(ax, [*runs.values(), *printed.values()], metric, log=log)
            for level in levels:
                _level(ax, *level)
            _early_stop(ax, runs, early_stop)
        if several:
            _name_panels(fig, axes[:, 0], [(_label(name), _colour(name, i)) for i, name in enumerate(names)])
        else:
            _legend(fig, axes[0, 0])
        return fig


def _name_panels(fig: Figure, axes: Sequence[Axes], names: Sequence[tuple[str, str]]) -> None:
    """Above each panel the tuner's name and what belongs to it alone; in the legend what the panels have in common."""
    common: dict[str, Any] = {}
    for ax, (name, colour) in zip(axes, names, strict=True):
        notes = []
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            note = label.removeprefix(name).lstrip(":, ")
            if label == note:
                common.setdefault(label, handle)
                continue
            if note.startswith("as published"):
                common.setdefault("as published", handle)
            if note.startswith("paper's text"):
                common.setdefault("paper's text", Line2D([], [], color="#777777", lw=6, alpha=0.25))
            if ":" in note or note.startswith(("best", "average")):
                notes.append(f"ours: {note}" if note.startswith("best") else note)
        ax.set_title(name, color=colour)
        ax.set_title("\n".join(notes), loc="right", fontsize=8.5, fontweight="normal")
    fig.supylabel(axes[0].get_ylabel(), fontsize=10)
    for ax in axes:
        ax.set_ylabel("")
    for ax in axes[:-1]:
        ax.set_xlabel("")
    _place_legend(fig, list(common.values()), list(common))


def _draw_claims(ax: Axes, name: str, metric: str) -> None:
    label = f"{_label(name)}, paper's text"
    claim = papers.CLAIMED.get((name, metric))
    stated = papers.headline(name) if name in papers.FILES else None
    mean = {"cpu_percent": stated and stated.cpu_percent, "peak_rss_mb": stated and stated.memory_mb}.get(metric)
    if mean is not None:
        _level(ax, mean, COLOURS["published"], f"{label}: average {_amount(mean, metric)}", ls="-.")
    if claim is not None and claim.low is not None and claim.high is not None:
        ax.axhspan(claim.low, claim.high, color=_colour(name), alpha=0.16, lw=0, label=f"{label}: {claim.says}")
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
    # Yesterday's close is a wide pale line, so that a forecast that repeats it is seen upon it, in grey too.
    drawn: dict[str, tuple[str, dict[str, Any]]] = {
        "naive": (f"Yesterday's close: MSE {number(naive_mse)}", {"color": COLOURS["naive"], "lw": 3.5, "alpha": 0.6}),
        "predicted": (
            f"{_label(tuner)}'s best LSTM: MSE {number(mse)}",
            {"color": _colour(tuner), "lw": 1.4, "ls": (0, (4, 1))},
        ),
        "actual": ("Actual close", {"color": COLOURS["actual"], "lw": 1.0}),
    }
    for name, marker, size in (("naive", "o", 5.5), ("predicted", "D", 2.8), ("actual", "o", 2.8)):
        if dense:  # thousands of points would make a file of megabytes that nothing can be read in
            drawn[name][1].update({"lw": 0.7, "ls": "-", "alpha": 1.0, "rasterized": True})
        elif scattered:
            drawn[name][1].update({"marker": marker, "ms": size, "mew": 0})
        if dense and scattered:
            drawn[name][1].update({"marker": "o", "ms": 1.0, "mew": 0, "ls": "none"})
    with style():
        heights = {"height_ratios": [2.4, 1]} if errors else {}
        fig, axes = new(5.6, 4.2 if errors else 3.0, 2 if errors else 1, 1, sharex=True, squeeze=False, **heights)
        ax = axes[0, 0]
        for name, (label, options) in drawn.items():
            ax.plot(table.index, table[name], label=label, **options)
        ax.set_ylabel(f"{symbol} close\n(index points)")
        if table["actual"].min() > 0 and table["actual"].max() > 20 * table["actual"].min():
            _price_axis(ax, table["actual"], log=True)
        ax.yaxis.set_major_formatter(thousands())
        if errors:
            low = axes[1, 0]
            low.axhline(0, color=COLOURS["actual"], lw=0.9)
            missed = {name: table["actual"] - table[name] for name in ("predicted", "naive")}
            for name in sorted(missed, key=lambda name: -missed[name].abs().mean()):  # the smaller errors in front
                options = drawn[name][1]
                thin = {key: min(options[key], most) for key, most in (("lw", 1.6), ("ms", 3.0)) if key in options}
                low.plot(table.index, missed[name], **options | thin)
            low.set_ylabel("Actual minus\nforecast (points)")
            low.yaxis.set_major_formatter(thousands())
        date_axis(axes[-1, 0], table.index[0], table.index[-1])
        handles = [Line2D([], [], **{"ls": "-", **options}) for _, options in drawn.values()]
        if dense:
            for handle in handles:
                handle.set(linewidth=2, linestyle="-")
        _place_legend(fig, handles[::-1], [label for label, _ in drawn.values()][::-1])
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

    Several tuners stand side by side, a column each.

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
    several = len(runs) > 1
    longest = max(run["iteration"].max() for run in [*runs.values(), *printed.values()])
    with style():
        if several:
            fig, axes = new(6.4, 1.2 + 1.1 * len(HYPERPARAMETERS), 6, len(runs), sharex=True, sharey="row")
            panels = [list(row) for row in axes]
        else:
            fig, axes = new(6.4, 6.0, 3, 2, sharex=True)
            panels = [[ax] for ax in axes.flat]
        for row, name in zip(panels, HYPERPARAMETERS, strict=True):
            for i, (ax, (who, run)) in enumerate(zip(row, runs.items(), strict=True)):
                theirs = {k: v for k, v in printed.items() if k == who or not several}
                _draw_runs(ax, {who: run}, name, published=theirs, small=True, position=i)
                _hyperparameter_axis(ax, name)
                ax.set_xlim(0.5, longest + 0.5)
                ax.xaxis.set_major_locator(ticker.MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
            if several:
                row[0].set_ylabel(HEADINGS[name].replace(" (", "\n(").replace(" per", "\nper"), fontsize=9)
            else:
                row[0].set_title(HEADINGS[name])
        for ax in axes[-1]:
            ax.set_xlabel("Iteration")
        if several:
            for i, (ax, who) in enumerate(zip(axes[0], runs, strict=True)):
                ax.set_title(_label(who), color=_colour(who, i), fontsize=9.5)
            fig.align_ylabels(axes[:, 0])
            handles = [line for ax in axes[0] for line in ax.lines if str(line.get_label()).endswith("as published")][
                :1
            ]
            _place_legend(fig, handles, ["as published"] * len(handles))
        else:
            _legend(fig, axes[0, 0])
        return fig


def _hyperparameter_axis(ax: Axes, name: str) -> None:
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
    position: int = 0,
) -> None:
    for name, run in published.items():
        ax.plot(
            run["iteration"], run[column], color=COLOURS["published"], lw=0.9, ls=LINES.get(name, "-"),
            marker=MARKERS.get(name, "o"), ms=2.8, mfc="white", mew=0.7,
            label=f"{_label(name)}, as published{_said_best(run, column) if best else ''}",
        )  # fmt: skip
    for i, (name, run) in enumerate(runs.items(), position):
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


def _metric_axis(ax: Axes, runs: Sequence[pd.DataFrame], metric: str, *, log: bool) -> None:
    worst = min(run[metric].min() for run in runs)
    ax.set_xlabel("Iteration")
    ax.set_ylabel(METRICS[metric].label)
    ax.set_xlim(0.5, max(run["iteration"].max() for run in runs) + 0.5)
    ax.xaxis.set_major_locator(ticker.MaxNLocator(11, integer=True, steps=[1, 2, 5, 10]))
    if log:
        ax.set_yscale("log")
        if METRICS[metric].unit:
            ax.yaxis.set_major_formatter(thousands())
    elif metric == "r2":
        ax.axhline(0, color="#777777", lw=0.8)
        if worst < -4:
            ax.set_yscale("symlog", linthresh=1)
            ax.set_ylim(1.6 * worst, 1.4)
            ax.yaxis.set_major_formatter(thousands())
    else:
        ax.set_ymargin(0.08)
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_formatter(thousands())


def _level(ax: Axes, value: float, colour: str, label: str, ls: Any = (0, (1.2, 1.2))) -> None:
    ax.axhline(value, color=colour, lw=1.6, ls=ls, label=label)


def _naive_levels(naive: float | None, metric: str) -> list[tuple[float, str, str, Any]]:
    if naive is None:
        return []
    return [(naive, COLOURS["naive"], f"yesterday's close: {_amount(naive, metric)}", (0, (1.2, 1.2)))]


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


def date_axis(ax: Axes, first: pd.Timestamp, last: pd.Timestamp) -> None:
    """Dates from `first` to `last`: years over long spans, else months or days with the year below where it is new."""
    span = last - first
    pad = span * 0.01
    ax.set_xlim(first - pad, last + pad)
    years = span > pd.Timedelta(days=3 * 365)
    locator = mdates.AutoDateLocator(minticks=4, maxticks=9 if years else 8)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(mdates.DateFormatter("%Y") if years else _Months())


class _Months(ticker.Formatter):
    """Months, or days where a month has several ticks; the year stands under the first tick of each."""

    def __call__(self, value: float, position: int | None = None) -> str:
        return f"{mdates.num2date(value):%-d %b %Y}"  # what a reader's pointer shows

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        days = [mdates.num2date(value) for value in values]
        form = "%b" if all(day.day == 1 for day in days) else "%-d %b"
        before = [None, *(day.year for day in days)]
        return [
            f"{day:{form}}\n{day:%Y}" if day.year != year else f"{day:{form}}"
            for day, year in zip(days, before, strict=False)
        ]
