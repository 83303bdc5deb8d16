"""Figures of notebook 08: pure functions from tables and arrays to a figure; nothing is saved here."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.lines import Line2D

from helpers.data_plots import EPISODES
from helpers.figures import COLOURS, Figure, new, number, style, thousands
from helpers.plot_parts import date_axis

LEVEL, CHANGE, NAIVE = COLOURS["level"], COLOURS["change"], COLOURS["naive"]
TARGETS = {"level": ("LSTM, level", LEVEL, "s"), "change": ("LSTM, change", CHANGE, "o")}


def leaks(table: pd.DataFrame) -> Figure:
    """The error that would be reported with each combination of leaks, beside yesterday's close on the same days.

    Parameters
    ----------
    table : pandas.DataFrame
        From `leaks.board`.
    """
    rows = np.arange(len(table))[::-1]
    with style():
        fig, ax = new(6.4, 0.9 + 0.4 * len(table))
        ax.hlines(rows, table["least"], table["largest"], color=LEVEL, lw=5, alpha=0.3)
        ax.plot(table["mse"], rows, "s", color=LEVEL, ms=6)
        ax.plot(table["naive_mse"], rows, "|", color=NAIVE, ms=15, mew=3)
        for y, value, buys in zip(rows, table["mse"], table["buys"], strict=True):
            text = number(value, 2) if buys == 1 else f"{number(value, 2)} ({number(buys, 2)}×)"
            ax.annotate(text, (value, y), (0, 7), textcoords="offset points", ha="center", fontsize=8)
        ax.set_yticks(rows, table["leaks"])
        ax.set_ylim(-0.6, len(table) - 0.2)
        ax.set_xscale("log")
        ax.set_xlabel("MSE reported (squared shares of the series' range)")
        ax.grid(axis="y", visible=False)
        handles = [
            Line2D([], [], color=LEVEL, marker="s", lw=5, alpha=0.6, label="LSTM: median and range over the seeds"),
            Line2D([], [], color=NAIVE, marker="|", ms=12, mew=3, ls="none", label="yesterday's close, same days"),
        ]
        fig.legend(handles=handles, loc="outside upper center", ncols=2)
        return fig


def _colour(name: str) -> str:
    """The colour of the tuner or model that `name` speaks of."""
    words = ("generator", "bayesian", "gan", "level", "change", "drift", "arima")
    return next((COLOURS[word] for word in words if word in name.lower()), COLOURS["actual"])


def lags(correlations: Mapping[str, np.ndarray], k: np.ndarray, *, columns: int = 3) -> Figure:
    """Correlation of a forecast's daily change with the close's change k days before, one panel a forecaster.

    Parameters
    ----------
    correlations : mapping of str to numpy.ndarray
        Forecaster -> values, shape of `k`; the first is drawn pale in every panel.
    k : numpy.ndarray of int
    columns : int
        Panels in a row.
    """
    first, *names = correlations
    rows = max(1, math.ceil(len(names) / columns))
    with style():
        fig, axes = new(6.4, 1.1 + 1.45 * rows, rows, columns, sharex=True, sharey=True, squeeze=False)
        for ax, name in zip(axes.flat, names, strict=False):
            ax.axvspan(0.5, 1.5, color="#E6E6E6", lw=0, zorder=0)
            ax.axhline(0, color="#777777", lw=0.8)
            ax.plot(k, correlations[first], color=NAIVE, lw=3.5, alpha=0.6)
            ax.plot(k, correlations[name], color=_colour(name), marker="o", ms=3.5, lw=1.3)
            ax.set_title(name, fontsize=8, color=_colour(name))
            ax.set_xticks(k)
        for ax in list(axes.flat)[len(names) :]:
            ax.set_visible(False)
        for column in range(min(columns, len(names))):  # the lowest panel of a column may lie above an empty place
            axes[(len(names) - 1 - column) // columns, column].tick_params(labelbottom=True)
        fig.supxlabel("Lag k (days); 0: the day forecast, 1: the day before", fontsize=10)
        fig.supylabel("Correlation with the close's change", fontsize=10)
        handles = [
            Line2D([], [], color="#444444", marker="o", ms=3.5, lw=1.3, label="forecast"),
            Line2D([], [], color=NAIVE, lw=3.5, alpha=0.6, label=first),
            Line2D([], [], color="#E6E6E6", lw=8, label="repeats yesterday"),
        ]
        fig.legend(handles=handles, loc="outside upper center", ncols=3)
        return fig


def last_days(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """Close, yesterday's close and a forecast, one panel a forecaster.

    Parameters
    ----------
    panels : mapping of str to pandas.DataFrame
        Title -> columns `close`, `yesterday` and `forecast`, index points, indexed by date.
    """
    with style():
        fig, axes = new(6.4, 0.7 + 2.2 * len(panels), len(panels), 1, squeeze=False)
        for ax, (title, frame) in zip(axes[:, 0], panels.items(), strict=True):
            # Days of a shuffled split are marked: a line alone would suggest that nothing is missing between them.
            scattered = len(frame) < 0.8 * len(pd.bdate_range(frame.index[0], frame.index[-1]))
            dots = {"marker": "o", "ms": 2.4, "mew": 0} if scattered else {}
            ax.plot(frame.index, frame["yesterday"], color=NAIVE, lw=4, alpha=0.55)
            ax.plot(frame.index, frame["close"], color=COLOURS["actual"], lw=1, **dots)
            ax.plot(frame.index, frame["forecast"], color=_colour(title), lw=1.4, ls=(0, (4, 1)), **dots)
            ax.set_title(title, fontsize=9.5, color=_colour(title))
            ax.yaxis.set_major_formatter(thousands())
            ax.yaxis.set_major_locator(ticker.MaxNLocator(5))
            ax.tick_params(axis="x", labelsize=8)
            date_axis(ax, frame.index[0], frame.index[-1])
        fig.supylabel("Close (index points)", fontsize=10)
        handles = [
            Line2D([], [], color=NAIVE, lw=4, alpha=0.55, label="yesterday's close"),
            Line2D([], [], color=COLOURS["actual"], lw=1, label="close"),
            Line2D([], [], color="#555555", lw=1.4, ls=(0, (4, 1)), label="forecast"),
        ]
        fig.legend(handles=handles, loc="outside upper center", ncols=3)
        return fig


def walk(table: pd.DataFrame) -> Figure:
    """Error by year over that of yesterday's close, networks retrained each year; the papers' crises shaded.

    Parameters
    ----------
    table : pandas.DataFrame
        From `walk_forward.by_year`.
    """
    crises = ("Oil crisis", "Dot-com bubble", "Financial crisis", "COVID-19")
    first, last = table["year"].min(), table["year"].max()
    with style():
        fig, axes = new(6.4, 5.2, 3, 1, sharex=True, height_ratios=(2, 2, 1.2))
        for ax, (target, (label, colour, marker)) in zip(axes, TARGETS.items(), strict=False):
            mine = table[table["target"] == target]
            middle = mine.groupby("year")["ratio"].median()
            ax.axhline(1, color=NAIVE, lw=2.5)
            ax.plot(mine["year"], mine["ratio"], marker=marker, ms=3, ls="none", color=colour, alpha=0.4)
            ax.plot(middle.index, middle, marker=marker, ms=4.5, lw=1, color=colour)
            ax.set_title(f"{label}: squared error over that of yesterday's close")
            if middle.max() > 3:
                ax.set_yscale("log")
                ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v:,g}"))
        low, high = axes[0].get_ylim()  # room for the names of the crises
        axes[0].set_ylim(
            low, high * (high / low) ** 0.2 if axes[0].get_yscale() == "log" else high + 0.2 * (high - low)
        )
        volatility = table.groupby("year")["volatility"].first()
        axes[2].bar(volatility.index, volatility, color=COLOURS["published"], width=0.7)
        axes[2].set_title("How much the close moves: RMS of the daily returns (%)")
        for ax in axes:
            for name, start, end in EPISODES:
                a = int(start[:4])
                b = int(end[:4]) if end else int(last)
                if name in crises and a <= last and b >= first:
                    ax.axvspan(max(a, first) - 0.5, min(b, last) + 0.5, color="#EBC48A", alpha=0.45, lw=0, zorder=0)
                    if ax is axes[0]:
                        middle_year = (max(a, first) + min(b, last)) / 2
                        ax.annotate(
                            name,
                            (middle_year, 0.97),
                            xycoords=("data", "axes fraction"),
                            ha="center",
                            va="top",
                            fontsize=8,
                        )
        axes[2].xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        axes[2].set_xlabel("Test year")
        return fig


def series(ratios: pd.DataFrame, attainable: Mapping[str, float]) -> Figure:
    """Squared error over that of yesterday's close by series, one mark a seed, a tick and a number at the median.

    Parameters
    ----------
    ratios : pandas.DataFrame
        Columns `series`, `target` ("level", "change"), `ratio`.
    attainable : mapping of str to float
        Series -> the least ratio that its law allows, where that is known.
    """
    names = list(dict.fromkeys(ratios["series"]))
    with style():
        fig, ax = new(6.4, 1.2 + 0.75 * len(names))
        ax.axvline(1, color=NAIVE, lw=2.5)
        for row, name in enumerate(reversed(names)):
            for offset, (target, (_, colour, marker)) in zip((0.12, -0.12), TARGETS.items(), strict=True):
                values = ratios.loc[(ratios["series"] == name) & (ratios["target"] == target), "ratio"].dropna()
                ax.plot(values, np.full(len(values), row + offset), marker=marker, ls="none", color=colour, alpha=0.5)
                if len(values):  # the number stands over (under) the tick that it belongs to
                    middle, side = values.median(), 1 if offset > 0 else -1
                    ax.plot(middle, row + offset, marker="|", ms=11, mew=2, color=colour)
                    ax.annotate(
                        f"{middle:,.4g}", (middle, row + offset), (0, 7 * side),
                        textcoords="offset points", ha="center", va="bottom" if side > 0 else "top", fontsize=8,
                        color=colour, bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.6},
                    )  # fmt: skip
            if name in attainable:
                ax.plot(attainable[name], row, "|", color=COLOURS["actual"], ms=22, mew=1.5)
        ax.set_yticks(range(len(names)), list(reversed(names)))
        ax.set_ylim(-0.5, len(names) - 0.5)
        ax.set_xscale("log")
        low, high = ratios["ratio"].min(), ratios["ratio"].max()
        ax.set_xlim(min(low, *attainable.values(), 1) / 1.7, max(high, 1) * 2.5)
        ax.xaxis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v:,g}"))
        ax.set_xlabel("Squared error over that of yesterday's close (below 1 is better)")
        handles = [
            Line2D([], [], color=c, marker=m, ls="none", label=label) for label, c, m in TARGETS.values()
        ] + [
            Line2D([], [], color="#777777", marker="|", ms=11, mew=2, ls="none", label="median of the seeds"),
            Line2D([], [], color=NAIVE, lw=2.5, label="yesterday's close"),
            Line2D([], [], color=COLOURS["actual"], marker="|", ms=16, mew=1.5, ls="none", label="attainable"),
        ]  # fmt: skip
        fig.legend(handles=handles, loc="outside upper center", ncols=3, columnspacing=1.2)
        return fig


def cumulative(gaps: Mapping[str, Mapping[str, pd.Series]]) -> Figure:
    """Cumulative squared error of yesterday's close less that of the forecast; a rising line beats yesterday's close.

    Parameters
    ----------
    gaps : mapping of str to mapping of str to pandas.Series
        Series -> forecaster -> gap in squared percent, indexed by date.
    """
    with style():
        fig, axes = new(6.4, 1.0 + 1.9 * len(gaps), len(gaps), 1, squeeze=False, sharex=True)
        spans = [gap.index for curves in gaps.values() for gap in list(curves.values())[:1]]
        for ax, (name, curves) in zip(axes[:, 0], gaps.items(), strict=True):
            ax.axhline(0, color=NAIVE, lw=2.5)
            for i, (label, gap) in enumerate(curves.items()):
                ax.plot(gap.index, gap, color=_colour(label), ls=("-", "--", ":", "-.")[i % 4], label=label)
            ax.set_title(name)
            ax.tick_params(axis="x", labelsize=8)
            if curves:
                days = next(iter(curves.values())).index
                ax.set_title(f"{len(days):,} days to {days[-1]:%Y-%m-%d}", loc="right", fontsize=8.5)
        if spans:
            date_axis(axes[-1, 0], min(days[0] for days in spans), max(days[-1] for days in spans))
        fig.supylabel("Gain on yesterday's close (%²)", fontsize=10)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        fig.legend(
            [*handles, Line2D([], [], color=NAIVE, lw=2.5)], [*labels, "yesterday's close"],
            loc="outside upper center", ncols=4,
        )  # fmt: skip
        return fig
