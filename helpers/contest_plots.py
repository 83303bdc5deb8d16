"""Figures of notebook 07: pure functions from tables to a figure; nothing is saved here.

A *problem* is a pair (space, protocol); one panel each, spaces below each other, protocols side by side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.lines import Line2D

from helpers import contest_stats
from helpers.figures import COLOURS, LABELS, LINES, MARKERS, Figure, new, style

Problem = tuple[str, str]
SPACE_NAMES: Mapping[str, str] = {"generator": "Generator's space", "gan": "GAN's space"}
PROTOCOLS = ("described", "published", "clean")
NAIVE, BETTER = COLOURS["naive"], "#FBF3DC"
PAPERS = ("generator", "gan", "bayesian")  # the papers' own tuners and their baseline: in bold
FINITE = 1e6  # of yesterday's close's error; a search without a success is drawn no farther


def name_of(problem: Problem) -> str:
    """What a problem is called."""
    return f"{SPACE_NAMES[problem[0]]}, {problem[1]}"


def _grid(
    problems: Sequence[Problem], width: float, height: float, *, beside: float = 1.0, **options: Any
) -> tuple[Figure, dict[Problem, Any]]:
    """A figure with one panel a problem; `width` and `height` are a panel's and `beside` what comes on top, inches."""
    spaces = [s for s in SPACE_NAMES if any(p[0] == s for p in problems)]
    protocols = [n for n in PROTOCOLS if any(p[1] == n for p in problems)]
    size = max(6.2, beside + width * len(protocols)), max(3.7, 0.9 + height * len(spaces))
    fig, axes = new(*size, len(spaces), len(protocols), squeeze=False, **options)
    found = {}
    for i, space in enumerate(spaces):
        for j, protocol in enumerate(protocols):
            if (space, protocol) in problems:
                found[space, protocol] = axes[i, j]
                axes[i, j].set_title(f"{SPACE_NAMES[space]},\n{protocol}", fontsize=9.5)
            else:
                axes[i, j].set_visible(False)
    return fig, found


def _plain(value: float, _: Any = None) -> str:
    return f"{value:,g}".replace("-", "−")


def _log(axis: Any, most: int = 8) -> None:
    """Ticks of a logarithmic axis as plain numbers, as fine as its range asks for; call it when the limits are set."""
    low, high = axis.get_view_interval()
    decades = math.log10(high / low) if low > 0 else 10.0
    steps = ((0.45, (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)), (1.0, (1, 1.5, 2, 3, 5, 7)), (1.8, (1, 2, 5)))
    subs = next((s for limit, s in steps if decades * 6 < limit * most), (1,))
    axis.set_major_locator(ticker.LogLocator(subs=subs, numticks=most))
    axis.set_minor_locator(ticker.NullLocator())
    axis.set_major_formatter(ticker.FuncFormatter(_plain))


def _to_lines(ax: Any) -> None:
    """The y-axis as wide as its lines are, not their bands."""
    shown = [v for line in ax.lines for v in line.get_ydata() if math.isfinite(v)]
    if shown:
        ax.set_ylim(min(shown) / 1.4, max(shown) * 1.4)


def _naive_line(ax: Any, *, vertical: bool = False) -> None:
    """Yesterday's close at 1 where it is near; else a word on which side it lies."""
    low, high = ax.get_xlim() if vertical else ax.get_ylim()
    if low < 4.0 and high > 0.25:
        low, high = min(low, 0.8), max(high, 1.25)
        if vertical:
            ax.axvspan(low, 1.0, color=BETTER, lw=0, zorder=-1)
            ax.axvline(1.0, color=NAIVE, lw=2.5, label="Yesterday's close")
            ax.set_xlim(low, high)
        else:
            ax.axhline(1.0, color=NAIVE, lw=2.5, label="Yesterday's close")
            ax.set_ylim(low, high)
        return
    arrow = ("◂" if low > 1 else "▸") if vertical else ("▾" if low > 1 else "▴")
    place = (0.02 if low > 1 else 0.98, 0.02) if vertical or low > 1 else (0.02, 0.93)
    side = "right" if vertical and low <= 1 else "left"
    text = f"{arrow} yesterday's close at 1"
    ax.text(*place, text, transform=ax.transAxes, fontsize=7.5, ha=side, va="bottom", color="#8A6A00", weight="bold")


def _scale(naive: Mapping[Problem, float]) -> tuple[dict[Problem, float], str]:
    """What errors are divided by, and how the axis is called: yesterday's close where it is known for all."""
    if all(math.isfinite(v) and v > 0 for v in naive.values()):
        return dict(naive), "Best MSE over that of yesterday's close"
    return dict.fromkeys(naive, 1.0), "Best MSE (scaled units)"


def _band(ax: Any, x: np.ndarray, band: contest_stats.Band, tuner: str, unit: float, **options: Any) -> None:
    shown = np.isfinite(band.middle)
    high = np.minimum(band.high, np.nanmax(band.middle[shown], initial=0.0) * 10 + 1e-30)
    ax.fill_between(x[shown], band.low[shown] / unit, high[shown] / unit, color=COLOURS[tuner], alpha=0.09, lw=0)
    ax.plot(
        x[shown],
        band.middle[shown] / unit,
        color=COLOURS[tuner],
        ls=LINES.get(tuner, "-"),
        label=LABELS[tuner],
        **options,
    )


def _legend(fig: Figure, axes: Mapping[Problem, Any], *, loc: str = "outside upper center", ncols: int = 4) -> None:
    handles = {}
    for ax in axes.values():
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    fig.legend(handles.values(), handles.keys(), loc=loc, ncols=ncols if len(axes) > 1 else min(ncols, 3), fontsize=8.5)


def ladder(
    tables: Mapping[Problem, pd.DataFrame],
    naive: Mapping[Problem, float],
    order: Sequence[str],
    *,
    real: Mapping[Problem, pd.DataFrame] | None = None,
    evaluations: int = 20,
) -> Figure:
    """All tuners, one panel a problem: what each reaches, beside random search and yesterday's close.

    Parameters
    ----------
    tables : mapping of problem to pandas.DataFrame
        From `contest_stats.summary`.
    naive : mapping of problem to float
    order : sequence of str
        Tuners from the top row down.
    real : mapping of problem to pandas.DataFrame, optional
        The same from real trainings, drawn hollow.
    evaluations : int
        Of every search, for the axis.
    """
    real = real or {}
    naive = {p: naive.get(p, math.nan) for p in [*tables, *(p for p in real if p not in tables)]}
    unit, label = _scale(naive)
    known = label != "Best MSE (scaled units)"
    place = {tuner: len(order) - 1 - i for i, tuner in enumerate(order)}
    with style():
        fig, axes = _grid(list(naive), 2.2, 0.26 * len(order) + 0.6, beside=2.2)
        for problem, ax in axes.items():
            for shown, table in enumerate((tables.get(problem), real.get(problem))):
                if table is None:
                    continue
                table = table[table["tuner"].isin(place)]
                for row in table.itertuples():
                    low, high = (v / unit[problem] for v in (row.best_low, row.best_high))
                    y, colour = place[row.tuner] - 0.26 * shown, COLOURS[row.tuner]
                    if row.tuner == "random" and not shown and math.isfinite(low + high):
                        ax.axvspan(low, high, color="#DDDDDD", lw=0, zorder=0)
                    if math.isfinite(low + high):
                        ax.plot([low, high], [y, y], color=colour, lw=2.2 - shown, solid_capstyle="butt")
                    face = "white" if shown else colour
                    ax.plot(row.best / unit[problem], y, MARKERS[row.tuner], color=colour, ms=5.5, mfc=face, mew=1.2)
            ax.set_xscale("log")
            low, high = ax.get_xlim()
            ax.set_xlim(low, min(high, FINITE))
            if known:
                _naive_line(ax, vertical=True)
            _log(ax.xaxis, 5)
            ax.tick_params(axis="x", labelsize=8)
            ax.grid(axis="y", color="#F0F0F0")
            leftmost = next(p for p in axes if p[0] == problem[0]) == problem
            ax.set_yticks(list(place.values()), [LABELS[t] if leftmost else "" for t in place])
            for text, tuner in zip(ax.get_yticklabels(), place, strict=True):
                text.set_weight("bold" if tuner in PAPERS else "normal")
            ax.set_ylim(-1.5, len(order) - 0.4)  # room for a word on yesterday's close
        fig.supxlabel(f"{label}, after {evaluations} evaluations", fontsize=10)
        handles = [
            Line2D([], [], color="#444444", marker="o", lw=2.2, label="median over the seeds, 95 % interval"),
            Line2D([], [], color="#DDDDDD", lw=8, label="random search"),
        ]
        if real:
            handles.insert(1, Line2D([], [], color="#444444", marker="o", mfc="white", lw=1.2, label="real trainings"))
        if known:
            handles.append(Line2D([], [], color=NAIVE, lw=2.5, label="yesterday's close"))
        fig.legend(handles=handles, loc="outside upper center", ncols=2 if len(axes) < 3 else 4)
        return fig


def curves(
    frames: Mapping[Problem, pd.DataFrame],
    naive: Mapping[Problem, float],
    tuners: Sequence[str],
    *,
    seconds: bool = False,
) -> Figure:
    """Median of the best error so far with its interval over the seeds, against evaluations or seconds.

    Parameters
    ----------
    frames : mapping of problem to pandas.DataFrame
        From `contest.frame`.
    naive : mapping of problem to float
    tuners : sequence of str
    seconds : bool
        Against the seconds of all trainings and of the tuner's own thinking, each curve until its median search ends.
    """
    unit, label = _scale({p: naive.get(p, math.nan) for p in frames})
    with style():
        fig, axes = _grid(list(frames), 2.3, 2.0)
        for problem, ax in axes.items():
            for tuner in tuners:
                best = contest_stats.table(frames[problem], tuner).dropna(how="all")
                if best.empty:
                    continue
                x = best.columns.to_numpy(dtype=float)
                values = contest_stats.best_so_far(best)
                if seconds:
                    spent = contest_stats.table(frames[problem], tuner, "seconds").to_numpy()
                    spent = spent + contest_stats.table(frames[problem], tuner, "thinking").to_numpy()
                    x = np.geomspace(max(np.median(spent[:, 0]), 1e-3), np.median(spent.sum(axis=1)), 60)
                    values = contest_stats.at_seconds(values, spent, x)
                _band(ax, x, contest_stats.median_band(values), tuner, unit[problem])
            ax.set_yscale("log")
            _to_lines(ax)
            if seconds:
                ax.set_xscale("log")
                _log(ax.xaxis, 5)
            else:
                ax.xaxis.set_major_locator(ticker.MaxNLocator(5, integer=True))
            ax.tick_params(labelsize=8)
            if label != "Best MSE (scaled units)":
                _naive_line(ax)
            _log(ax.yaxis)
        fig.supxlabel("Seconds of training and of the tuner" if seconds else "Evaluations", fontsize=10)
        fig.supylabel(label.replace(" over that", "\nover that"), fontsize=10)
        _legend(fig, axes)
        return fig


def random_best(
    frames: Mapping[Problem, pd.DataFrame], naive: Mapping[Problem, float], tuners: Sequence[str]
) -> Figure:
    """Random search's best of n, with the band that holds for all n together, and sequential tuners' medians on it."""
    unit, label = _scale({p: naive.get(p, math.nan) for p in frames})
    grey = COLOURS["random"]
    with style():
        fig, axes = _grid(list(frames), 2.3, 2.0)
        for problem, ax in axes.items():
            frame, u = frames[problem], unit[problem]
            n = np.arange(1, int(frame["evaluation"].max()) + 1)
            drawn = frame.loc[frame["tuner"] == "random", "mse"]
            if drawn.notna().any():
                curve = contest_stats.random_curve(drawn, n)
                ax.fill_between(
                    n, curve.low / u, curve.high / u, color="#DDDDDD", lw=0, label="random: band of the median"
                )
                ax.plot(n, curve.expected / u, color=grey, lw=1, ls="--", label="random: expected best of n")
            for tuner in tuners:
                values = contest_stats.table(frame, tuner).dropna(how="all")
                if len(values):
                    middle = contest_stats.median_band(contest_stats.best_so_far(values)).middle / u
                    middle = np.where(np.isfinite(middle), middle, math.nan)
                    ax.plot(n, middle, color=COLOURS[tuner], ls=LINES.get(tuner, "-"), label=LABELS[tuner])
            ax.set_yscale("log")
            _to_lines(ax)  # the band's lower end is 0 where the draws are too few to bound it
            _log(ax.yaxis)
            ax.xaxis.set_major_locator(ticker.MaxNLocator(5, integer=True))
            ax.tick_params(labelsize=8)
        fig.supxlabel("n, configurations evaluated", fontsize=10)
        fig.supylabel(label.replace(" over that", "\nover that"), fontsize=10)
        _legend(fig, axes)
        return fig


def wins(table: pd.DataFrame, tuners: Sequence[str]) -> Figure:
    """Which tuner beats which: P(improvement) of the row over the column.

    Parameters
    ----------
    table : pandas.DataFrame
        From `contest_stats.pairs`: columns `tuner`, `rival`, `win`, `win_low`, `win_high`.
    tuners : sequence of str
    """
    found = table.set_index(["tuner", "rival"])
    with style():
        fig, ax = new(1.9 + 0.42 * len(tuners), 1.7 + 0.36 * len(tuners))
        values = np.full((len(tuners), len(tuners)), math.nan)
        for i, a in enumerate(tuners):
            for j, b in enumerate(tuners):
                if a == b or (a, b) not in found.index:
                    continue
                row = found.loc[(a, b)]
                values[i, j] = row["win"]
                sure = row["win_low"] > 0.5 or row["win_high"] < 0.5
                ax.text(
                    j, i, f"{100 * row['win']:.0f}", ha="center", va="center", fontsize=8,
                    weight="bold" if sure else "normal", color="#1A1A1A" if abs(row["win"] - 0.5) < 0.33 else "white",
                )  # fmt: skip
        ax.imshow(values, cmap="RdBu", vmin=0, vmax=1, aspect="auto")
        names = [LABELS[t] for t in tuners]
        ax.set_xticks(range(len(tuners)), names, rotation=45, ha="left", rotation_mode="anchor")
        ax.xaxis.tick_top()
        ax.set_yticks(range(len(tuners)), names)
        ax.set_ylabel("P(better than the tuner above), %")
        ax.tick_params(length=0, labelsize=8.5)
        ax.grid(visible=False)
        for side in ax.spines.values():
            side.set_visible(False)
        return fig


def fronts(tables: Mapping[Problem, pd.DataFrame], naive: Mapping[Problem, float], *, evaluations: int = 20) -> Figure:
    """What the searches reach against what they spend in all; a line joins those that nothing beats in both."""
    unit, label = _scale({p: naive.get(p, math.nan) for p in tables})
    with style():
        fig, axes = _grid(list(tables), 2.3, 2.1 if len(tables) > 1 else 3.6)  # beside a legend of five lines
        for problem, ax in axes.items():
            table = tables[problem]
            table = table[np.isfinite(table["best"])]
            spent = (table["seconds"] + evaluations * table["thinking"]).to_numpy()
            errors = table["best"].to_numpy() / unit[problem]
            best = np.flatnonzero(contest_stats.front(spent, errors))
            best = best[np.argsort(spent[best])]
            ax.plot(spent[best], errors[best], color="#999999", lw=1, drawstyle="steps-post", zorder=1)
            for tuner, x, y in zip(table["tuner"], spent, errors, strict=True):
                ax.plot(x, y, MARKERS[tuner], color=COLOURS[tuner], ms=6, ls="none", label=LABELS[tuner])
            ax.set_xscale("log")
            ax.set_yscale("log")
            if label != "Best MSE (scaled units)":
                _naive_line(ax)
            _log(ax.xaxis, 5)
            _log(ax.yaxis)
            ax.tick_params(labelsize=8)
        fig.supxlabel(f"Seconds of {evaluations} trainings and of the tuner", fontsize=10)
        fig.supylabel(label.replace(" over that", "\nover that"), fontsize=10)
        _legend(fig, axes, ncols=3)
        return fig


def agreement(ranks: Mapping[Problem, tuple[pd.Series, pd.Series]]) -> Figure:
    """Mean ranks of the tuners on the tabular benchmark and in real trainings, one panel a problem that has both."""
    with style():
        fig, axes = _grid(list(ranks), 3.0, 2.9, beside=3.2)
        for problem, ax in axes.items():
            one, other = ranks[problem]
            if one.empty:
                ax.text(
                    0.5, 0.5, "no problem was\nevaluated both ways", transform=ax.transAxes, ha="center", va="center"
                )
                ax.set_axis_off()
                continue
            last = max(2, len(one)) + 0.5
            ax.plot([0.5, last], [0.5, last], color="#777777", lw=0.8)
            for tuner in one.index:
                ax.plot(
                    one[tuner], other[tuner], MARKERS[tuner], color=COLOURS[tuner], ms=7, label=LABELS[tuner], ls="none"
                )
            ax.set_xlim(0.5, last)
            ax.set_ylim(0.5, last)
            ax.set_aspect("equal")
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_major_locator(ticker.MaxNLocator(6, integer=True))
        fig.supxlabel("Mean rank on the tabular benchmark (1 is best)", fontsize=10)
        fig.supylabel("Mean rank in real trainings", fontsize=10)
        _legend(fig, axes, loc="outside right center", ncols=1)
        return fig
