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
from helpers.figures import COLOURS, LABELS, MARKERS, Figure, new, style

PROBLEMS = ("#0072B2", "#E08214", "#4D9221", "#762A83", "#B35806", "#555555")  # one a problem
PARTS = ("#C23B22", "#E39A8C", "#8C6D1F", "#7B52AB", "#009E73", "#0072B2")  # one a hyperparameter


def _forest(ax: Any, rows: Sequence[tuple[str, Sequence[tuple[str, float, float, float]]]]) -> None:
    """Estimates with intervals: a row a label, in it marks one above the other, each (colour, value, low, high)."""
    for i, (_, marks) in enumerate(reversed(rows)):
        for k, (colour, value, low, high) in enumerate(marks):
            y = i + 0.26 * ((len(marks) - 1) / 2 - k) / max(1, (len(marks) - 1) / 2)
            if math.isfinite(low + high):
                ax.plot([low, high], [y, y], color=colour, lw=1.6)
            ax.plot(value, y, "os^Dv<"[k % 6], color=colour, ms=4.5)
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
        fig, (left, right) = new(7.4, 4.8, 1, 2, width_ratios=(1, 1.05))
        rivals = list(dict.fromkeys(r for table in compared.values() for r in table["rival"]))
        rows = []
        for rival in rivals:
            marks = []
            for shade, table in zip(PROBLEMS, compared.values(), strict=False):
                for row in table[table["rival"] == rival].itertuples():
                    marks.append((shade, row.win, row.win_low, row.win_high))
            rows.append((LABELS[rival], marks))
        left.axvline(0.5, color="#777777", lw=0.8)
        _forest(left, rows)
        left.set_xlim(0, 1)
        left.set_xlabel("P(feedback on is better than ...)")
        handles = [
            Line2D([], [], color=c, marker="os^Dv<"[i % 6], lw=1.6, label=name_of(p))
            for i, (c, p) in enumerate(zip(PROBLEMS, compared, strict=False))
        ]
        left.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.3, -0.2), ncols=1, fontsize=8)
        right.axhline(0.0, color="#777777", lw=0.8)
        for tuner, (value, low, high) in cosines.items():
            mean = directions[directions["tuner"] == tuner].groupby("iteration")["cosine"].mean()
            interval = f" [{low:.2f}, {high:.2f}]" if math.isfinite(low + high) else ""
            right.plot(
                mean.index, mean, color=COLOURS[tuner], marker=MARKERS[tuner], ms=3.5, lw=1.1,
                label=f"{LABELS[tuner]}: {value:.2f}{interval}",
            )  # fmt: skip
        right.set_ylim(-1, 1)
        right.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=True))
        right.set_xlabel("Iteration")
        right.set_ylabel("Cosine with the way downhill")
        right.legend(loc="upper center", bbox_to_anchor=(0.45, -0.2), fontsize=8)
        return fig


def gan(entropies: Mapping[str, pd.DataFrame], names: Mapping[str, str], found: Calibration) -> Figure:
    """What the GAN's parts know: how its proposals narrow down, and whether its discriminator is right.

    Parameters
    ----------
    entropies : mapping of str to pandas.DataFrame
        Tuner -> `feedback.entropy`; the first is drawn by hyperparameter, the others as means.
    names : mapping of str to str
        Hyperparameter -> what to call it.
    found : Calibration
    """
    first, *others = entropies
    with style():
        fig, (left, right) = new(7.4, 4.4, 1, 2, width_ratios=(1.15, 1))
        for i, (name, values) in enumerate(entropies[first].items()):
            dashes = ("-", "--", "-.")[i % 3]
            left.plot(values.index, values, lw=1.1, color=PARTS[i % len(PARTS)], ls=dashes, label=names[name])
        for other in others:
            mean = entropies[other].mean(axis=1)
            left.plot(mean.index, mean, color=COLOURS[other], lw=3, alpha=0.5, label=f"{LABELS[other]}, mean")
        left.set_ylim(0, 1.04)
        left.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=True))
        left.set_xlabel("Evaluation")
        left.set_ylabel("Entropy (1: uniform)")
        left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=8)
        right.plot([0, 1], [0, 1], color="#777777", lw=0.8)
        if math.isfinite(found.base.value):
            right.axhline(found.base.value, color=COLOURS["random"], lw=1, ls="--", label="share of all proposals")
        table = found.table
        for row in table.itertuples():
            right.plot([row.said, row.said], [row.low, row.high], color=COLOURS["gan"], lw=1.4)
        sizes = 10 + 90 * table["n"] / max(1, table["n"].max()) if len(table) else []
        right.scatter(
            table["said"], table["share"], s=sizes, color=COLOURS["gan"], label="proposals (area: how many)", zorder=3
        )
        right.set_xlim(-0.02, 1.02)
        right.set_ylim(-0.02, 1.02)
        right.set_xlabel("Discriminator's probability")
        right.set_ylabel("Share among the best so far")
        right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=8)
        return fig
