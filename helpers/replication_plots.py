"""Figures of notebook 06: the replay, the shape of a search, the lag of a forecast. Nothing is saved here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.lines import Line2D

from helpers import forecast_shape, replication, search_shape, table_agreement
from helpers.figures import COLOURS, MARKERS, Figure, new, style
from helpers.search_shape import Explanation

_SHORT = ("layers", "units", "rate", "batch", "length", "dropout")  # the six hyperparameters, for narrow panels


def replayed(
    frame: pd.DataFrame,
    *,
    quantity: str = "mse",
    readings: Sequence[str] = replication.FOUR,
    constants: Mapping[str, float] | None = None,
    naive: Mapping[str, float] | None = None,
) -> Figure:
    """Ours against theirs on logarithmic axes: a row of panels for each table, a column for each reading.

    Points are medians over the seeds, bars their range; the band is a factor of 3 around equality.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `replication.replay`.
    quantity : {"mse", "seconds"}
    readings : sequence of str
    constants : mapping of str to float, optional
        By protocol: MSE of forecasting the training mean, drawn as a horizontal line.
    naive : mapping of str to float, optional
        By protocol: MSE of repeating yesterday's close, likewise.
    """
    tables = [t for t in replication.TABLES if (frame["table"] == t).any()]
    readings = [r for r in readings if (frame["reading"] == r).any()]
    good = frame[(frame["status"] == "ok") & (frame[quantity] > 0)]
    both = np.concatenate([good[quantity], good[f"published_{quantity}"]])
    low, high = min([both.min(), *(naive or {}).values()]) / 2, both.max() * 30  # room for the numbers above the points
    theirs_low, theirs_high = good[f"published_{quantity}"].min() / 2, good[f"published_{quantity}"].max() * 2
    unit = "MSE, scaled units" if quantity == "mse" else "Time, s"
    with style():
        row = len(readings) == 1  # the tables side by side
        shape = (1, len(tables)) if row else (len(tables), len(readings))
        fig, axes = new(1.1 + 1.85 * shape[1], 1.2 + 1.75 * shape[0], *shape, sharex=True, sharey=True, squeeze=False)
        axes = axes.T if row else axes
        line = np.array([theirs_low, theirs_high])
        for i, table in enumerate(tables):
            for j, name in enumerate(readings):
                ax, r = axes[i, j], replication.READINGS[name]
                ax.fill_between(
                    line, line / table_agreement.FACTOR, line * table_agreement.FACTOR, color="#DDE6EE", lw=0
                )
                ax.plot(line, line, color="#777777", lw=0.8)
                mine = good[(good["table"] == table) & (good["reading"] == name)]
                grouped = mine.groupby("row")
                x, y = grouped[f"published_{quantity}"].first(), grouped[quantity].median()
                ends = np.stack([y - grouped[quantity].min(), grouped[quantity].max() - y])
                ax.errorbar(
                    x, y, yerr=ends, fmt=MARKERS[table], color=COLOURS[table], ms=4, mec="white", mew=0.4,
                    elinewidth=0.9, alpha=0.9,
                )  # fmt: skip
                for values, colour, ls in ((constants, "#444444", ":"), (naive, COLOURS["naive"], (0, (1.2, 1.2)))):
                    if values and r.protocol in values:
                        ax.axhline(values[r.protocol], color=colour, ls=ls, lw=1.3)
                ax.set(xscale="log", yscale="log", xlim=(theirs_low, theirs_high), ylim=(low, high))
                for axis in (ax.xaxis, ax.yaxis):
                    axis.set_major_locator(ticker.LogLocator(10, numticks=5))
                    axis.set_minor_locator(ticker.NullLocator())
                try:
                    found = table_agreement.agreement(frame, table, name, quantity=quantity)
                except replication.ReplayError:
                    continue
                said = f"rank corr. {found.spearman.value:.2f}\nwithin ×3: {found.within.value:.0%}".replace("-", "−")
                said += f"\nmean |log10| {found.distance.value:.2f}"
                ax.text(
                    0.04,
                    0.96,
                    said,
                    transform=ax.transAxes,
                    va="top",
                    fontsize=7.5,
                    linespacing=1.25,
                    bbox={"fc": "white", "ec": "none", "alpha": 0.75, "pad": 0.6},
                )
                if row:
                    ax.set_title(replication.TABLE_NAMES[table], fontsize=9, fontweight="normal")
                elif i == 0:
                    ax.set_title(r.text.replace(", ", ",\n"), fontsize=9, fontweight="normal")
                if j == 0 and not row:
                    ax.set_ylabel(replication.TABLE_NAMES[table], fontsize=9)
        fig.supxlabel(f"{unit}: the paper's", fontsize=10)
        fig.supylabel(f"{unit}: ours", fontsize=10)
        handles = [Line2D([], [], color="#DDE6EE", lw=7, label="within a factor of 3")]
        if len(frame["seed"].unique()) > 1:
            handles.append(Line2D([], [], color="#444444", marker="|", ls="none", ms=9, label="range over the seeds"))
        if constants:
            handles.append(Line2D([], [], color="#444444", ls=":", label="forecasting the training mean"))
        if naive:
            handles.append(Line2D([], [], color=COLOURS["naive"], ls=(0, (1.2, 1.2)), label="yesterday's close"))
        fig.legend(handles=handles, loc="outside upper center", ncols=len(handles))
        return fig


def in_the_cube(paths: Mapping[str, np.ndarray]) -> Figure:
    """Searches side by side: one panel a search, one line a trial, one cell a hyperparameter, dark at the upper end.

    Parameters
    ----------
    paths : mapping of str to numpy.ndarray, shape (iterations, 6)
        Coordinates from 0, the lower end of a hyperparameter's range, to 1, by title.
    """
    longest = max(len(path) for path in paths.values())
    with style():
        fig, axes = new(1.0 + 1.22 * len(paths), 1.7 + 0.125 * longest, 1, len(paths), sharey=True, squeeze=False)
        image = None
        for ax, (title, path) in zip(axes[0], paths.items(), strict=True):
            image = ax.imshow(
                path, cmap="cividis_r", vmin=0, vmax=1, aspect="auto", extent=(-0.5, 5.5, len(path) + 0.5, 0.5)
            )
            within, rho = path.std(axis=1).mean(), search_shape.mean_pairwise(search_shape.spearman_matrix(path))
            ax.set_title(f"{title}", fontsize=9, fontweight="bold")
            ax.set_xlabel(f"within rows {within:.2f}\nrank corr. {rho:.2f}", fontsize=8)
            ax.set_xticks(range(6), _SHORT, rotation=60, ha="right", fontsize=7, rotation_mode="anchor")
            ax.set_ylim(longest + 0.5, 0.5)
            ax.grid(False)
            ax.tick_params(which="both", length=0)
            ax.spines[:].set_visible(False)
            ax.set_xticks(np.arange(0.5, 5), minor=True)
            ax.grid(True, which="minor", axis="x", color="white", lw=1.2)
        axes[0, 0].set_ylabel("Iteration")
        axes[0, 0].yaxis.set_major_locator(ticker.FixedLocator([1, *range(5, longest + 1, 5)]))
        bar = fig.colorbar(image, ax=axes[0, -1], fraction=0.12, pad=0.08)
        bar.set_ticks([0, 0.5, 1], labels=["lower\nend", "", "upper\nend"], fontsize=8)
        bar.outline.set_visible(False)
        return fig


def distances(found: Mapping[str, Sequence[Explanation]]) -> Figure:
    """How far each mechanism's searches are from the published one, with intervals; hollow where it is ruled out.

    Parameters
    ----------
    found : mapping of str to sequence of Explanation
        By published table.
    """
    sizes = [len(list(e)) for e in found.values()]
    with style():
        fig, axes = new(
            5.8, 1.0 + 0.24 * sum(sizes) + 0.35 * len(sizes), len(sizes), 1, sharex=True, squeeze=False,
            gridspec_kw={"height_ratios": sizes},
        )  # fmt: skip
        for ax, (table, explanations) in zip(axes[:, 0], found.items(), strict=True):
            listed = sorted(explanations, key=lambda e: -e.distance.value)
            for y, e in enumerate(listed):
                ax.plot([e.distance.low, e.distance.high], [y, y], color=COLOURS[table], lw=1.6)
                face = "white" if e.ruled_out else COLOURS[table]
                ax.plot([e.distance.value], [y], MARKERS[table], color=COLOURS[table], mfc=face, ms=6, mew=1.3)
            labels = [search_shape.MECHANISMS[e.mechanism].text for e in listed]
            ax.set_yticks(range(len(listed)), labels)
            ax.set_ylim(-0.7, len(listed) - 0.3)
            ax.set_title(f"Distance to {replication.TABLE_NAMES[table]}")
        furthest = max(np.nanmax([e.distance.value, e.distance.high]) for listed in found.values() for e in listed)
        axes[-1, 0].set_xlim(0, 1.04 * furthest)  # once, for the shared axis
        axes[-1, 0].set_xlabel("Mean distance (standard deviations)")
        handles = [
            Line2D([], [], color="#444444", marker="o", label="not ruled out"),
            Line2D([], [], color="#444444", marker="o", mfc="white", label="ruled out at 5 %"),
        ]
        fig.legend(handles=handles, loc="outside upper right", ncols=2)
        return fig


def low_shares(published: np.ndarray, simulated: Mapping[str, np.ndarray]) -> Figure:
    """Share of hyperparameters at the lower end of their range at each iteration.

    Parameters
    ----------
    published : numpy.ndarray, shape (iterations, 6)
    simulated : mapping of str to numpy.ndarray, shape (runs, iterations, 6)
    """
    looks = {  # anything else gets what is left
        "feedback": (COLOURS["generator"], "-", 1.5),
        "no feedback": (COLOURS["generator_zero"], (0, (5, 1.5)), 2.4),
        "random": (COLOURS["random"], (0, (1, 1)), 1.8),
    }
    spare = [("#AA4499", "-.", 1.5), ("#999933", (0, (3, 1, 1, 1, 1, 1)), 1.5)]
    with style():
        fig, ax = new(5.6, 3.0)
        iterations = np.arange(1, len(published) + 1)
        ax.step(
            iterations, (published < search_shape.LOW).mean(axis=1), where="mid", color=COLOURS["published"], lw=2.2,
            label="as published",
        )  # fmt: skip
        for i, (name, paths) in enumerate(simulated.items()):
            colour, ls, lw = looks.get(name, spare[i % len(spare)])
            shares = search_shape.low_by_iteration(paths)
            label = f"{name}, mean of {len(paths):,} searches"
            ax.plot(iterations[: len(shares)], shares, color=colour, ls=ls, lw=lw, label=label)
        ax.set_xlabel("Iteration")
        ax.set_ylabel("Values at the lower end")
        ax.set_ylim(-0.03, 1.03)
        ax.yaxis.set_major_formatter(ticker.PercentFormatter(1.0, decimals=0))
        ax.set_xlim(0.5, len(published) + 0.5)
        ax.xaxis.set_major_locator(ticker.MaxNLocator(11, integer=True, steps=[1, 2, 5, 10]))
        fig.legend(loc="outside upper left", ncols=2)
        return fig


def lags(correlations: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Correlation of a forecast's daily changes with the close's changes k days before, one panel a configuration.

    Each seed is a thin line; the bold line with markers is their median at each lag. No mean: seeds whose correlations
    have opposite signs would average to one that none of them has.

    Parameters
    ----------
    correlations : mapping of str to mapping of str to numpy.ndarray, shape (seeds, lags)
        Configuration -> reading -> values at the lags of `forecast_shape.LAGS`.
    """
    readings = list(dict.fromkeys(reading for shown in correlations.values() for reading in shown))
    tables = {text: table for table, text in replication.TABLE_NAMES.items()}
    styles = [
        {"ls": "-", "marker": "o"},
        {"ls": (0, (4, 1.5)), "marker": "D", "mfc": "white"},
        {"ls": ":", "marker": "^"},
    ]
    looks = {reading: styles[i % len(styles)] for i, reading in enumerate(readings)}
    count = max(1, len(correlations))
    with style():
        fig, axes = new(max(3.6, 0.6 + 3.0 * count), 3.3, 1, count, sharey=True, squeeze=False)
        for ax, (configuration, shown) in zip(axes[0], correlations.items(), strict=False):
            colour = next((COLOURS[t] for text, t in tables.items() if configuration.startswith(text)), "#444444")
            ax.axhline(0, color="#777777", lw=0.8)
            ax.axvline(0, color="#777777", lw=0.8, ls=":")
            for reading, values in shown.items():
                for one in values if len(values) > 1 else ():
                    ax.plot(forecast_shape.LAGS, one, color=colour, lw=0.7, alpha=0.5, ls=looks[reading]["ls"])
                ax.plot(forecast_shape.LAGS, medians(values), color=colour, ms=4, lw=1.8, **looks[reading])
            for x, side, text in ((0.02, "left", "anticipates"), (0.98, "right", "follows late")):
                ax.annotate(text, (x, 0.99), xycoords="axes fraction", va="top", ha=side, fontsize=8.5, color="#444444")
            ax.set_title(configuration, fontsize=9, color=colour)
            ax.xaxis.set_major_locator(ticker.MultipleLocator(1))
            ax.yaxis.set_major_locator(ticker.FixedLocator(np.arange(-10, 11, 2) / 10))  # none in the room above 1
            ax.tick_params(labelsize=8)
        axes[0, 0].set_ylim(top=max(1.25, axes[0, 0].get_ylim()[1]))  # once, for the shared axis; room for the words
        fig.supxlabel("Lag of the forecast behind the close (trading days)", fontsize=10)
        fig.supylabel("Correlation of daily changes", fontsize=10)
        handles = [Line2D([], [], color="#444444", ms=4, label=reading, **looks[reading]) for reading in readings]
        if any(len(values) > 1 for shown in correlations.values() for values in shown.values()):
            handles.append(Line2D([], [], color="#444444", lw=0.7, alpha=0.5, label="one seed"))
        if handles:
            fig.legend(handles=handles, loc="outside upper center", ncols=len(handles))
        return fig


def medians(values: np.ndarray) -> np.ndarray:
    """Median over the seeds of values (seeds, lags), shape (lags,); a forecast that never changes (NaN) is left out."""
    values = np.asarray(values, dtype=float)
    return np.array([np.median(v[np.isfinite(v)]) if np.isfinite(v).any() else np.nan for v in values.T])
