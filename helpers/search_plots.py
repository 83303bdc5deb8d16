"""Figures of searches over their iterations: pure functions from tables to a figure; nothing is saved here.

Every function that draws returns a `helpers.figures.Figure`: left as the last expression of a notebook cell it shows
itself, and `helpers.figures.save` writes it. A table of records is what `helpers.study.records` returns. Where
`records` is asked for, one table (then `tuner` names it) or a mapping {tuner: table} will do; `published` is of the
same kind (`helpers.published.records`) and is drawn thin and grey.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from scipy import ndimage, signal

from helpers import published as papers
from helpers.figures import COLOURS, HEADINGS, LINES, MARKERS, Figure, new, number, style, thousands
from helpers.plot_parts import colour_of, label_of, place_legend
from helpers.space import HYPERPARAMETERS

Records = pd.DataFrame | Mapping[str, pd.DataFrame]
THEIRS = "the paper's run"  # not "published": that is the name of a protocol


def mse_over_iterations(
    records: Records,
    *,
    tuner: str = "generator",
    naive: float | None = None,
    target: float | None = None,
    published_target: float | None = None,
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
        MSE at which our stop rule ends the search, drawn as a horizontal line.
    published_target : float, optional
        The same of the papers' own runs, drawn where there are any.
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
    theirs: list[tuple[float, str, str, Any]] = []
    levels = [] if target is None else [(target, COLOURS["generator"], f"our stop rule: {number(target)}", "-.")]
    if published_target is not None:
        said = f"the paper's stop rule: {number(published_target)}"
        theirs = [(published_target, COLOURS["published"], said, "-.")]
    return _over_iterations(
        _runs(records, tuner, "mse"),
        _runs(published, tuner, "mse"),
        "mse",
        log=log,
        best=True,
        early_stop=early_stop,
        levels=[*levels, *_naive_levels(naive, "mse")],
        published_levels=theirs,
    )


def _centred(values: np.ndarray, window: int) -> np.ndarray:
    return pd.Series(values).rolling(window, center=True, min_periods=1).mean().to_numpy()


def _savitzky_golay(values: np.ndarray, window: int) -> np.ndarray:
    return signal.savgol_filter(values, window, min(2, window - 1), mode="nearest")


def _gaussian(values: np.ndarray, window: int) -> np.ndarray:
    return ndimage.gaussian_filter1d(values, window / 4, mode="nearest")


SMOOTHERS: Mapping[str, tuple[Callable[[np.ndarray, int], np.ndarray], str]] = {
    "moving average": (_centred, "centred moving average, {window} successful iterations, fewer at the ends"),
    "savitzky-golay": (_savitzky_golay, "Savitzky-Golay, quadratic, {window} iterations"),
    "gaussian": (_gaussian, "Gaussian, standard deviation {sigma:g} iterations"),
}


def smooth(values: np.ndarray, *, method: str = "moving average", window: int = 5) -> np.ndarray:
    """`values`, shape (iterations,), smoothed over an odd `window`.

    The papers say that they smoothed, not how. `"moving average"` is centred, over fewer values at the ends;
    `"savitzky-golay"` fits parabolas; `"gaussian"` has a standard deviation of a quarter of the window. Missing values
    (failed iterations) are left out and stay missing: a window then reaches over them to the next successful ones.

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
                color=colour_of(name, i),
                lw=0.8,
                marker=".",
                ms=4,
                alpha=0.55,
                label=f"each iteration{_said_best(run, 'mse')}" if len(runs) == 1 else "each iteration",
            )
            _circle_best(ax, run, "mse", colour_of(name, i))
            # Between two failures there is no line to draw, but a dash.
            there = np.concatenate([[False], np.isfinite(line), [False]])
            alone = np.flatnonzero(there[1:-1] & ~there[:-2] & ~there[2:]).tolist()
            ax.plot(
                run["iteration"], line, color=colour_of(name, i), lw=2.4, label=says, marker="_", ms=7, mew=2.4,
                markevery=alone,
            )  # fmt: skip
            _failed(ax, run, "mse")
            _metric_axis(ax, [run], "mse", log=log)
            for level in _naive_levels(naive, "mse"):
                _level(ax, *level)
            _early_stop(ax, {name: run}, early_stop)
            if len(runs) > 1:
                ax.set_title(label_of(name))
        _legend(fig, axes[0, 0])
        return fig


@dataclass(frozen=True)
class Metric:
    """How a column of the records is drawn: axis label, scale, and how its numbers are written ("" for 3 digits).

    `beside` is a column that a single tuner's panel draws too, where the records have it; `says` names both.
    """

    label: str
    log: bool = False
    spec: str = ""
    unit: str = ""
    beside: str = ""
    says: tuple[str, str] = ("", "")


METRICS: Mapping[str, Metric] = {
    "mse": Metric(HEADINGS["mse"], log=True),
    "rmse": Metric(HEADINGS["rmse"], log=True),
    "mae": Metric(HEADINGS["mae"], log=True),
    "r2": Metric(HEADINGS["r2"], spec=".4f"),
    "seconds": Metric("Time of the iteration (s)", log=True, unit=" s"),
    "cumulative_seconds": Metric("Cumulative time (s)", log=True, spec=",.0f", unit=" s"),
    "cpu_percent": Metric(HEADINGS["cpu_percent"], spec=".2f", unit=" %"),
    # The second is what the GAN paper's figure 13 seems to show; its claim of steadiness is judged by the first, to
    # which other programs do not add.
    "peak_rss_mb": Metric(
        "Memory (MB)",
        spec=",.0f",
        unit=" MB",
        beside="memory_used_mb",
        says=("peak of the process", "in use on the machine"),
    ),
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
        Draw what the papers' text states for this metric (`helpers.published.CLAIMED` and averages). An average far
        above all that is drawn is written instead, so that the axis stays that of the records.
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
    published_levels: Sequence[tuple[float, str, str, Any]] = (),
) -> Figure:
    """One tuner in one panel, or several below each other on the same axes, each named and described above its panel.

    `levels` are horizontal lines of all panels: value, colour, label, line style; `published_levels` of those that a
    run of the papers is drawn in.
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
                whose = f"{label_of(name)}: " if several else ""
                _level(ax, mean, colour_of(name, i), f"{whose}average {_amount(mean, metric)}", ls="--")
            if mine and not several:
                _draw_beside(ax, runs[name], metric, label_of(name), average=average)
            if claims:
                _draw_claims(ax, name, metric)
            _metric_axis(ax, [*runs.values(), *printed.values()], metric, log=log)
            for level in [*levels, *(published_levels if theirs else ())]:
                _level(ax, *level)
            _early_stop(ax, runs, early_stop)
        if several:
            _name_panels(fig, axes[:, 0], [(label_of(name), colour_of(name, i)) for i, name in enumerate(names)])
        else:
            _legend(fig, axes[0, 0])
        return fig


def _name_panels(fig: Figure, axes: Sequence[Axes], names: Sequence[tuple[str, str]]) -> None:
    """Above each panel the tuner's name and what belongs to it alone; in the legend what the panels have in common."""
    common: dict[str, Any] = {}
    stated: dict[str, list[Any]] = {}
    for ax, (name, colour) in zip(axes, names, strict=True):
        notes = []
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            note = label.removeprefix(name).lstrip(":, ")
            if label == note:
                common.setdefault(label, handle)
                continue
            if note.startswith(THEIRS):
                common.setdefault(THEIRS, handle)
            if note.startswith("paper's text"):
                kind = "limit" if isinstance(handle, Line2D) else "range"
                stated.setdefault(f"paper's text: {kind}", []).append(handle)
            if ":" in note or note.startswith(("best", "average")):
                notes.append(f"ours: {note}" if note.startswith("best") else note)
        ax.set_title(name, color=colour)
        ax.set_title("\n".join(notes), loc="right", fontsize=8.5, fontweight="normal")
    fig.supylabel(axes[0].get_ylabel(), fontsize=10)
    for ax in axes:
        ax.set_ylabel("")
    for ax in axes[:-1]:
        ax.set_xlabel("")
    for label, handles in stated.items():  # in its own colour where one panel has it, else in grey
        grey = Line2D([], [], color="#777777", **({"lw": 6, "alpha": 0.25} if "range" in label else {"ls": ":"}))
        common[label] = handles[0] if len(handles) == 1 else grey
    place_legend(fig, list(common.values()), list(common))


def _draw_beside(ax: Axes, run: pd.DataFrame, metric: str, name: str, *, average: bool) -> None:
    """The column that stands beside the metric, pale; the line of the metric is then named too."""
    shown = METRICS[metric]
    if not shown.beside or shown.beside not in run:
        return
    for line in ax.lines:
        if line.get_label() == name:
            line.set_label(f"{name}: {shown.says[0]}")
    pale = ax.lines[0].get_color() + "66"  # ours too: grey is what the papers draw
    ax.plot(run["iteration"], run[shown.beside], color=pale, lw=1.2, marker="D", ms=3, label=f"{name}: {shown.says[1]}")
    if average:
        mean = run[shown.beside].mean()
        _level(ax, mean, pale, f"average {_amount(mean, metric)}", ls="--")


def _draw_claims(ax: Axes, name: str, metric: str) -> None:
    label = f"{label_of(name)}, paper's text"
    claim = papers.CLAIMED.get((name, metric))
    stated = papers.headline(name) if name in papers.FILES else None
    mean = {"cpu_percent": stated and stated.cpu_percent, "peak_rss_mb": stated and stated.memory_mb}.get(metric)
    drawn = max((np.nanmax(line.get_ydata()) for line in ax.lines if np.isfinite(line.get_ydata()).any()), default=0)
    if mean is not None and METRICS[metric].beside and mean > 2 * drawn:
        ax.annotate(
            f"paper's text: average {_amount(mean, metric)}, beyond this axis", (0.99, 0.97),
            xycoords="axes fraction", ha="right", va="top", fontsize=9, color="#555555",
            bbox={"fc": "white", "ec": "none", "pad": 0.6},
        )  # fmt: skip
        ax.set_ymargin(0.25)
    elif mean is not None:
        _level(ax, mean, COLOURS["published"], f"{label}: average {_amount(mean, metric)}", ls="-.")
    if claim is not None and claim.low is not None and claim.high is not None:
        ax.axhspan(claim.low, claim.high, color=colour_of(name), alpha=0.16, lw=0, label=f"{label}: {claim.says}")
    elif claim is not None:
        level = claim.high if claim.high is not None else claim.low
        _level(ax, level, COLOURS["published"], f"{label}: {claim.says}", ls=":")


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
                ax.set_title(label_of(who), color=colour_of(who, i), fontsize=9.5)
            fig.align_ylabels(axes[:, 0])
            handles = [line for ax in axes[0] for line in ax.lines if str(line.get_label()).endswith(THEIRS)][:1]
            place_legend(fig, handles, [THEIRS] * len(handles))
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
            label=f"{label_of(name)}, {THEIRS}{_said_best(run, column) if best else ''}",
        )  # fmt: skip
    for i, (name, run) in enumerate(runs.items(), position):
        crowded = len(run) > 40 or small
        colour, line, marker = colour_of(name, i), LINES.get(name, "-"), MARKERS.get(name, "o")
        ax.plot(
            run["iteration"], run[column], color=colour, lw=1.1 if crowded else 1.5, ls=line,
            marker=marker, ms=3 if crowded else 4.5,
            label=f"{label_of(name)}{_said_best(run, column) if best else ''}",
        )  # fmt: skip
        if best:
            _circle_best(ax, run, column, colour)
        _failed(ax, run, column)


def _circle_best(ax: Axes, run: pd.DataFrame, column: str, colour: str) -> None:
    if run[column].notna().any():
        row = run.loc[run[column].idxmin()]
        ax.plot(row["iteration"], row[column], marker="o", ms=11, mfc="none", mec=colour, mew=1.6, ls="none")


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
    log = log and any(run[metric].max() > 0 for run in runs)  # where every trial failed there is nothing to scale
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
        ax.set_ymargin(max(ax.margins()[1], 0.08))
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
    place_legend(fig, list(unique.values()), list(unique))
