"""What the plots share: axes of prices and of dates, the legend above the axes, a tuner's colour and its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib import dates as mdates
from matplotlib import ticker
from matplotlib.axes import Axes

from helpers.figures import COLOURS, LABELS, Figure, thousands


def colour_of(name: str, position: int = 0) -> str:
    """A tuner's colour; one that has none of its own gets a spare one by its position."""
    spare = ("#56B4E9", "#B07AA1", "#6B8E23", "#A0522D")  # for tuners that have no colour of their own
    return COLOURS.get(name, spare[position % len(spare)])


def label_of(name: str) -> str:
    """A tuner's name in words."""
    return LABELS.get(name, name)


def place_legend(fig: Figure, handles: list[Any], labels: list[str]) -> None:
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


def price_axis(ax: Axes, close: pd.Series, *, log: bool) -> None:
    """The vertical axis of prices: logarithmic with ticks at 1, 2 and 5 times powers of ten, or linear from zero."""
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
