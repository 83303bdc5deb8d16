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
    # One power of ten alone would leave the scale to be guessed.
    sparse = (1, 3) if math.floor(math.log10(high)) - math.ceil(math.log10(max(low, 1e-300))) < 1 else (1,)
    subs = next((s for limit, s in steps if decades * 6 < limit * most), sparse)
    axis.set_major_locator(ticker.LogLocator(subs=subs, numticks=most))
    axis.set_minor_locator(ticker.NullLocator())
    axis.set_major_formatter(ticker.FuncFormatter(_plain))


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
                    marker = "8" if row.tuner == "random" else MARKERS[row.tuner]  # a cross cannot be hollow
                    ax.plot(row.best / unit[problem], y, marker, color=colour, ms=5.5, mfc=face, mew=1.2)
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


Curve = tuple[np.ndarray, contest_stats.Band]


def _blocks(found: Mapping[Problem, Sequence[str]]) -> tuple[Figure, dict[Problem, dict[str, Any]]]:
    """A figure with a block of panels a problem, a panel a tuner; the panels of a block have the same axes."""
    most = max([1, *(len(tuners) for tuners in found.values())])
    columns = min(most, 4 if len(found) <= 3 else 7)
    rows = {problem: max(1, math.ceil(len(tuners) / columns)) for problem, tuners in found.items()}
    size = max(6.4, 0.9 + 1.2 * columns), 1.1 + 1.35 * sum(rows.values()) + 0.2 * len(rows)
    fig, axes = new(*size, sum(rows.values()), columns, squeeze=False)
    blocks, top = {}, 0
    for problem, tuners in found.items():
        block = list(axes[top : top + rows[problem]].flat)
        for place, ax in enumerate(block):
            if place:
                ax.sharex(block[0])
                ax.sharey(block[0])
            ax.tick_params(labelsize=8, labelleft=place % columns == 0, labelbottom=place + columns >= len(tuners))
            ax.set_visible(place < len(tuners))
        blocks[problem] = dict(zip(tuners, block, strict=False))
        top += rows[problem]
    return fig, blocks


def _draw_block(
    axes: Mapping[str, Any], problem: Problem, curves: Mapping[str, Curve], *, unit: float, known: bool, log_x: bool
) -> None:
    """In each panel one tuner in its colour, the others pale; the heading says where yesterday's close is if not here.

    `axes` names the tuners that have a panel; random search may be among the `curves` for comparison.
    """
    heading = name_of(problem)
    middles = {
        tuner: np.where(np.isfinite(band.middle), band.middle, math.nan) / unit for tuner, (_, band) in curves.items()
    }
    reached = np.concatenate([*middles.values(), [math.nan]])
    low, high = (np.nanmin(reached) / 1.4, np.nanmax(reached) * 1.4) if np.isfinite(reached).any() else (0.5, 2.0)
    near = known and low < 4.0 and high > 0.25
    if near:
        low, high = min(low, 0.8), max(high, 1.25)
    elif known:
        heading += f" (yesterday's close, at 1, is farther {'down' if low > 1 else 'up'})"
    for tuner, ax in axes.items():
        for other in axes:
            if other != tuner:
                ax.plot(curves[other][0], middles[other], color="#D2D2D2", lw=0.8, zorder=1.5)
        if near:
            ax.axhline(1.0, color=NAIVE, lw=2.5, zorder=1.6)
        ax.plot(curves[tuner][0], middles[tuner], color=COLOURS[tuner], lw=1.8, label=LABELS[tuner])
        ax.set_title(LABELS[tuner].replace(", ", ",\n"), fontsize=8.5, color=COLOURS[tuner])
        ax.set_yscale("log")
        ax.set_ylim(low, high)
        _log(ax.yaxis, 6)
        if log_x:
            ax.set_xscale("log")
            _log(ax.xaxis, 3)  # four labels touch in a panel this narrow
        else:
            ax.xaxis.set_major_locator(ticker.MaxNLocator(4, integer=True))
    for ax in list(axes.values())[:1]:
        # Empty lines in the title make room for a heading that is as wide as the block.
        title = ax.get_title(loc="left").split("\n")
        ax.set_title("\n".join([" "] * (3 - len(title)) + title), fontsize=8.5, color=ax.lines[-1].get_color())
        ax.annotate(
            heading, (0, 1), (0, 30), xycoords="axes fraction", textcoords="offset points", fontsize=9.5,
            weight="bold", annotation_clip=False,
        ).set_in_layout(False)  # fmt: skip


def _explain(fig: Figure, x_label: str, label: str, handles: Sequence[Line2D]) -> None:
    fig.supxlabel(x_label, fontsize=10)
    fig.supylabel(label, fontsize=10)
    common = [Line2D([], [], color="#D2D2D2", lw=0.8, label="the other tuners")]
    if any(line.get_color() == NAIVE for ax in fig.axes for line in ax.lines):
        common.append(Line2D([], [], color=NAIVE, lw=2.5, label="yesterday's close"))
    fig.legend(handles=[*handles, *common], loc="outside upper center", ncols=3, fontsize=8.5)


def curves(
    frames: Mapping[Problem, pd.DataFrame],
    naive: Mapping[Problem, float],
    tuners: Sequence[str],
    *,
    seconds: bool = False,
) -> Figure:
    """Median of the best error so far with its interval over the seeds, against evaluations or seconds.

    A panel a tuner, with random search for comparison.

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
    found = {p: {t: c for t in tuners if (c := _curve(frame, t, seconds=seconds))} for p, frame in frames.items()}
    alone = all(set(drawn) <= {"random"} for drawn in found.values())
    with style():
        fig, blocks = _blocks({p: [t for t in drawn if t != "random" or alone] for p, drawn in found.items()})
        for problem, axes in blocks.items():
            for tuner, ax in axes.items():
                x, band = found[problem][tuner]
                high = np.minimum(
                    band.high, np.nanmax(np.where(np.isfinite(band.middle), band.middle, 0.0)) * 10 + 1e-30
                )
                ax.fill_between(
                    x, band.low / unit[problem], high / unit[problem], where=np.isfinite(band.middle),
                    color=COLOURS[tuner], alpha=0.2, lw=0,
                )  # fmt: skip
                if "random" in found[problem] and tuner != "random":
                    x, band = found[problem]["random"]
                    ax.plot(
                        x, band.middle / unit[problem], color=COLOURS["random"], ls=LINES["random"], lw=1.4,
                        label=LABELS["random"],
                    )  # fmt: skip
            _draw_block(
                axes,
                problem,
                found[problem],
                unit=unit[problem],
                known=label != "Best MSE (scaled units)",
                log_x=seconds,
            )
        handles = [
            Line2D([], [], color="#444444", lw=1.8, label="median of the tuner named"),
            Line2D([], [], color="#444444", lw=7, alpha=0.2, label="its 95 % band"),
            Line2D([], [], color=COLOURS["random"], ls=LINES["random"], lw=1.4, label="random search"),
        ]
        _explain(fig, "Time of training and of the tuner (s)" if seconds else "Evaluations", label, handles)
        return fig


def _curve(frame: pd.DataFrame, tuner: str, *, seconds: bool) -> Curve | None:
    best = contest_stats.table(frame, tuner).dropna(how="all")
    if best.empty:
        return None
    x = best.columns.to_numpy(dtype=float)
    values = contest_stats.best_so_far(best)
    if seconds:
        spent = contest_stats.table(frame, tuner, "seconds").to_numpy()
        spent = spent + contest_stats.table(frame, tuner, "thinking").to_numpy()
        x = np.geomspace(max(np.median(spent[:, 0]), 1e-3), np.median(spent.sum(axis=1)), 60)
        values = contest_stats.at_seconds(values, spent, x)
    return x, contest_stats.median_band(values)


def random_best(
    frames: Mapping[Problem, pd.DataFrame], naive: Mapping[Problem, float], tuners: Sequence[str]
) -> Figure:
    """Random search's best of n, with the band that holds for all n together; on it, panel by panel, each tuner."""
    unit, label = _scale({p: naive.get(p, math.nan) for p in frames})
    grey = COLOURS["random"]
    found = {p: {t: c for t in tuners if (c := _curve(frame, t, seconds=False))} for p, frame in frames.items()}
    with style():
        fig, blocks = _blocks({p: list(drawn) for p, drawn in found.items()})
        for problem, axes in blocks.items():
            frame, u = frames[problem], unit[problem]
            n = np.arange(1, int(frame["evaluation"].max()) + 1)
            drawn = frame.loc[frame["tuner"] == "random", "mse"]
            curve = contest_stats.random_curve(drawn, n) if drawn.notna().any() else None
            for ax in axes.values():
                if curve is not None:
                    ax.fill_between(n, curve.low / u, curve.high / u, color="#E3E3E3", lw=0)
                    ax.plot(n, curve.median / u, color=grey, lw=1.2, label="random: median best of n")
                    ax.plot(n, curve.expected / u, color=grey, lw=1.0, ls="--", label="random: expected best of n")
            known = label != "Best MSE (scaled units)"
            _draw_block(axes, problem, found[problem], unit=u, known=known, log_x=False)
        handles = [
            Line2D([], [], color="#444444", lw=1.8, label="median of the tuner named"),
            Line2D([], [], color=grey, lw=1.2, label="random: median best of n"),
            Line2D([], [], color="#E3E3E3", lw=7, label="random: band of that median"),
            Line2D([], [], color=grey, lw=1.0, ls="--", label="random: expected best of n"),
        ]
        _explain(fig, "n, configurations evaluated", label, handles)
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
                    j, i, f"{100 * float(format(row['win'], '.2f')):.0f}", ha="center", va="center", fontsize=8,
                    weight="bold" if sure else "normal", color="#1A1A1A" if row["win"] < 0.55 else "white",
                )  # fmt: skip
        ax.imshow(values, cmap="cividis_r", vmin=0, vmax=1, aspect="auto")  # darker is better, in grey too
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
        one_row = len({space for space, _ in tables}) < 2
        fig, axes = _grid(list(tables), 2.3, 3.6 if one_row else 2.1)  # below a legend of five lines
        for problem, ax in axes.items():
            table = tables[problem]
            table = table[np.isfinite(table["best"])]
            spent = (table["seconds"] + evaluations * table["thinking"]).to_numpy()
            errors = table["best"].to_numpy() / unit[problem]
            best = np.flatnonzero(contest_stats.front(spent, errors))
            best = best[np.argsort(spent[best])]
            ax.plot(spent[best], errors[best], color="#999999", lw=1, drawstyle="steps-post", zorder=1)
            for tuner, x, y in zip(table["tuner"], spent, errors, strict=True):
                # A variant lies where its tuner does: below it, and hollow.
                variant = tuner.rpartition("_")[0] in set(table["tuner"]) and tuner != "bayesian_warped"
                look = {"ms": 7, "mfc": "none", "zorder": 2} if variant else {"ms": 6, "zorder": 3, "mew": 0.8}
                edge = COLOURS[tuner] if variant or MARKERS[tuner] in "x+" else "white"
                ax.plot(x, y, MARKERS[tuner], color=COLOURS[tuner], mec=edge, ls="none", label=LABELS[tuner], **look)
            ax.set_xscale("log")
            ax.set_yscale("log")
            ax.margins(0.08, 0.1)  # no marker on the frame
            low, high = ax.get_ylim()
            ax.set_ylim(low / (high / low) ** 0.1, high)  # room for a word on yesterday's close
            if label != "Best MSE (scaled units)":
                _naive_line(ax)
            _log(ax.xaxis, 5)
            _log(ax.yaxis)
            ax.tick_params(labelsize=8)
        fig.supxlabel(f"Seconds of {evaluations} trainings and of the tuner", fontsize=10)
        fig.supylabel(label.replace(" over that", "\nover that"), fontsize=10)
        _legend(fig, axes, ncols=3)
        return fig


def agreement(ranks: Mapping[str, tuple[pd.Series, pd.Series]]) -> Figure:
    """Mean ranks of the tuners on the tabular benchmark and in real trainings, one panel a title."""
    wide = 4 if len(ranks) > 6 and len(ranks) % 4 == 0 else 3
    columns, rows, side = max(1, min(wide, len(ranks))), max(1, math.ceil(len(ranks) / wide)), 3.0 if wide == 3 else 2.6
    with style():
        fig, axes = new(max(6.2, 3.2 + side * columns), 0.7 + (side + 0.2) * rows, rows, columns, squeeze=False)
        panels = dict(zip(ranks, axes.flat, strict=False))
        for ax in list(axes.flat)[max(1, len(ranks)) :]:
            ax.set_visible(False)
        for title, ax in panels.items():
            one, other = ranks[title]
            last = max(2, len(one)) + 0.5
            ax.plot([0.5, last], [0.5, last], color="#777777", lw=0.8)
            for tuner in one.index:
                ax.plot(
                    one[tuner], other[tuner], MARKERS[tuner], color=COLOURS[tuner], ms=7, label=LABELS[tuner], ls="none"
                )
            ax.set_xlim(0.5, last)
            ax.set_ylim(0.5, last)
            ax.set_aspect("equal")
            ax.set_title(title, fontsize=9.5)
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_major_locator(ticker.MaxNLocator(6, integer=True))
        if not panels:
            said = "no problem was\nevaluated both ways"
            axes[0, 0].text(0.5, 0.5, said, transform=axes[0, 0].transAxes, ha="center", va="center")
            axes[0, 0].set_axis_off()
        fig.supxlabel("Mean rank on the tabular benchmark (1 is best)", fontsize=10)
        fig.supylabel("Mean rank in real trainings", fontsize=10)
        _legend(fig, panels, loc="outside right center", ncols=1)
        return fig
