"""Figures of notebook 07 on what a tuner's feedback is worth: pure functions from tables to a figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib import ticker
from matplotlib.lines import Line2D

from helpers.contest_plots import name_of
from helpers.feedback import Calibration
from helpers.figures import COLOURS, LABELS, LINES, MARKERS, Figure, new, style

# One a problem, in shapes and shades that no tuner has: marker, fill.
PROBLEMS = (("8", "#333333"), ("8", "white"), ("p", "#333333"), ("p", "white"), ("H", "#333333"), ("H", "white"))
INK = "#333333"


def _forest(ax: Any, rows: Sequence[tuple[str, Sequence[tuple[tuple[str, str], float, float, float]]]]) -> None:
    """Estimates with intervals: a row a label, in it marks one above the other, each (look, value, low, high)."""
    for i, (_, marks) in enumerate(reversed(rows)):
        for k, ((marker, fill), value, low, high) in enumerate(marks):
            y = i + 0.26 * ((len(marks) - 1) / 2 - k) / max(1, (len(marks) - 1) / 2)
            if math.isfinite(low + high):
                ax.plot([low, high], [y, y], color=INK, lw=1.2)
            ax.plot(value, y, marker, color=INK, mfc=fill, ms=5.5)
    ax.set_yticks(range(len(rows)), [label for label, _ in reversed(rows)])
    ax.set_ylim(-0.6, len(rows) - 0.4)


def feedback(
    compared: Mapping[tuple[str, str], pd.DataFrame],
    directions: pd.DataFrame,
    cosines: Mapping[str, tuple[float, float, float]],
) -> Figure:
    """What the generator's feedback is worth.

    Parameters
    ----------
    compared : mapping of problem to pandas.DataFrame
        From `contest_stats.pairs`: the generator with feedback against each rival.
    directions : pandas.DataFrame
        From `feedback.directions`.
    cosines : mapping of str to (value, low, high)
        Mean cosine of each tuner over its searches.
    """
    with style():
        fig, (left, right) = new(7.4, max(4.2, 1.2 + 0.85 * len(cosines)), 1, 2, width_ratios=(1, 1.5))
        rivals = list(dict.fromkeys(r for table in compared.values() for r in table["rival"]))
        rows = []
        for rival in rivals:
            marks = []
            for look, table in zip(PROBLEMS, compared.values(), strict=False):
                for row in table[table["rival"] == rival].itertuples():
                    marks.append((look, row.win, row.win_low, row.win_high))
            rows.append((LABELS[rival].replace(", ", ",\n"), marks))
        left.axvline(0.5, color="#777777", lw=0.8)
        _forest(left, rows)
        left.set_xlim(0, 1)
        left.tick_params(labelsize=8.5)
        left.set_xlabel("P(feedback on is better than ...)")
        handles = [
            Line2D([], [], color=INK, marker=marker, mfc=fill, lw=1.2, label=name_of(p))
            for (marker, fill), p in zip(PROBLEMS, compared, strict=False)
        ]
        fig.legend(handles=handles, loc="outside upper left", ncols=2, fontsize=8.5)
        panels = _inside(fig, right, max(1, len(cosines)), 1)
        for ax, (tuner, (value, low, high)) in zip(panels, cosines.items(), strict=False):
            mean = directions[directions["tuner"] == tuner].groupby("iteration")["cosine"].mean()
            interval = f" [{low:.2f}, {high:.2f}]" if math.isfinite(low + high) else ""
            ax.axhline(0.0, color="#777777", lw=0.8)
            ax.plot(mean.index, mean, color=COLOURS[tuner], marker=MARKERS[tuner], ms=3.5, lw=1.3, label=LABELS[tuner])
            ax.set_title(LABELS[tuner], fontsize=8, color=_ink(tuner))
            said = f"{value:.2f}{interval}".replace("-", "−")
            ax.set_title(said, loc="right", fontsize=8, fontweight="normal")
            ax.set_ylabel("Cosine", fontsize=8)
            ax.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=True))
            ax.yaxis.set_major_locator(ticker.MaxNLocator(3, steps=[2, 5, 10]))
        panels[-1].set_xlabel("Iteration")
        return fig


def _inside(fig: Figure, ax: Any, rows: int, columns: int) -> list[Any]:
    """Small panels with the same axes in the place of `ax`."""
    grid = ax.get_subplotspec().subgridspec(rows, columns)
    ax.remove()
    panels: list[Any] = []
    for k in range(rows * columns):
        shared = {"sharex": panels[0], "sharey": panels[0]} if panels else {}
        panels.append(fig.add_subplot(grid[k // columns, k % columns], **shared))
        panels[-1].tick_params(labelsize=8, labelbottom=k >= (rows - 1) * columns, labelleft=k % columns == 0)
    return panels


def _ink(tuner: str) -> str:
    """A colour for a tuner's name: that of its line, unless it is too pale to read."""
    return {"generator_zero": "#5B8DB8", "generator_shuffled": "#4A8DBB", "gan_blind": "#C06A58"}.get(
        tuner, COLOURS[tuner]
    )


def gan(entropies: Mapping[str, pd.DataFrame], names: Mapping[str, str], found: Calibration) -> Figure:
    """What the GAN's parts know: how its proposals narrow down, and whether its discriminator is right.

    Parameters
    ----------
    entropies : mapping of str to pandas.DataFrame
        Tuner -> `feedback.entropy`; one panel a hyperparameter.
    names : mapping of str to str
        Hyperparameter -> what to call it.
    found : Calibration
    """
    columns = list(next(iter(entropies.values())))
    with style():
        fig, (left, right) = new(7.4, 4.4, 1, 2, width_ratios=(1.25, 1))
        panels = _inside(fig, left, math.ceil(len(columns) / 2), 2)
        for ax, name in zip(panels, columns, strict=False):
            for tuner, values in reversed(entropies.items()):
                ls = {"gan": "-", "random": LINES["random"]}.get(tuner, (0, (4, 1.2)))
                ax.plot(values.index, values[name], color=COLOURS[tuner], ls=ls, lw=1.5, label=LABELS[tuner])
            ax.set_title(names[name], fontsize=8.5)
            ax.set_ylim(0, 1.04)
            ax.xaxis.set_major_locator(ticker.MaxNLocator(5, integer=True))
        for ax in panels[len(columns) :]:
            ax.set_visible(False)
        for ax in panels[-2:]:
            ax.set_xlabel("Evaluation", fontsize=9)
        fig.supylabel("Entropy (1: uniform)", fontsize=10)
        right.plot([0, 1], [0, 1], color="#777777", lw=0.8, label="said as often as true")
        if math.isfinite(found.base.value):
            right.axhline(found.base.value, color=COLOURS["random"], lw=1, ls="--", label="share of all proposals")
        table = found.table
        for row in table.itertuples():
            right.plot([row.said, row.said], [row.low, row.high], color=COLOURS["gan"], lw=1.4)
        sizes = 10 + 90 * table["n"] / max(1, table["n"].max()) if len(table) else []
        right.scatter(
            table["said"], table["share"], s=sizes, color=COLOURS["gan"], label="proposals (area: how many)", zorder=3,
            clip_on=False,
        )  # fmt: skip
        right.set_xlim(-0.02, 1.02)
        right.set_ylim(-0.02, 1.02)
        right.set_xlabel("Discriminator's probability")
        right.set_ylabel("Share among the best so far")
        handles, labels = panels[0].get_legend_handles_labels()
        fig.legend(handles[::-1], labels[::-1], loc="outside upper left", ncols=1, fontsize=8.5)
        fig.legend(*right.get_legend_handles_labels(), loc="outside upper right", fontsize=8.5)
        return fig
