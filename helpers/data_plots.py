"""Figures of the closes, the windows and the split: pure functions from series to a figure; nothing is saved here.

Every function returns a `helpers.figures.Figure`: left as the last expression of a notebook cell it shows itself, and
`helpers.figures.save` writes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from helpers.figures import COLOURS, Figure, new, style, thousands
from helpers.plot_parts import date_axis, place_legend, price_axis

if TYPE_CHECKING:
    from helpers.windows import Dataset

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
        price_axis(ax, close, log=log)
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
        price_axis(ax, close, log=log)
        date_axis(ax, close.index[0], close.index[-1])
        fig.supylabel(f"{symbol} close (index points)", fontsize=10)
        place_legend(fig, handles, [handle.get_label() for handle in handles])
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


def _series(series: pd.Series) -> pd.Series:
    if len(series) < 2 or not isinstance(series.index, pd.DatetimeIndex):
        raise ValueError("A series of closes needs at least two values and an index of dates.")
    return series
