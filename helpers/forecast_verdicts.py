"""Whether anything beats yesterday's close, series by series: what notebook 08 and the README say of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from helpers import paths, tables
from helpers.figures import number
from helpers.league import Days, verdict
from helpers.validity import TARGET_NAMES, TARGETS, ValidityError


def series_table(leagues: Mapping[str, tuple[Days, pd.DataFrame, float]], period: str) -> pd.DataFrame:
    """The verdict's rows: one a series.

    Returns
    -------
    pandas.DataFrame
        `series`, `period`, `first`, `last`, `days`; for each of drift, ARIMA and the two networks `<key>_ratio`,
        `<key>_p` (Diebold-Mariano), `<key>_pt_p` (Pesaran-Timmermann), of the networks also `<key>_least` and
        `<key>_largest`, the ratios of single seeds; `spa_p`, the p-value of "none of them beats yesterday's close".
    """
    keys = {"drift": "drift", "ARIMA": "arima", TARGET_NAMES["level"]: "level", TARGET_NAMES["change"]: "change"}
    rows = []
    for name, (d, frame, p) in leagues.items():
        row: dict[str, Any] = {
            "series": name,
            "period": period,
            "first": f"{d.dates[0]:%Y-%m-%d}",
            "last": f"{d.dates[-1]:%Y-%m-%d}",
            "days": len(d.positions),
        }
        by_model = frame.set_index("model")
        for model, key in keys.items():
            columns = {"ratio": "ratio", "p": "dm_p", "pt_p": "pt_p"}
            if key in TARGETS:
                columns |= {"least": "least", "largest": "largest"}
            for column, source in columns.items():
                row[f"{key}_{column}"] = by_model.loc[model, source] if model in by_model.index else math.nan
        rows.append(row | {"spa_p": p})
    return pd.DataFrame(rows)


def p_text(p: float) -> str:
    """A p-value as it is read: 0.03, < 0.001."""
    if not math.isfinite(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def p_said(p: float) -> str:
    """The same as part of a sentence: p = 0.03, p < 0.001."""
    return f"p {p_text(p)}" if p < 0.001 else f"p = {p_text(p)}"


def _cell(row: Mapping[str, Any], key: str) -> str:
    ratio, p = row[f"{key}_ratio"], row[f"{key}_p"]
    if not math.isfinite(ratio):
        return "–"
    least, largest = (row.get(f"{key}_{end}", math.nan) for end in ("least", "largest"))
    seeds = f"{number(least, 4)} to {number(largest, 4)}; " if least < largest else ""
    return f"{number(ratio, 4)} ({seeds}{verdict(ratio, p)}, {p_said(p)})"


def verdict_table(frame: pd.DataFrame) -> pd.DataFrame:
    """The verdict as it is read: model against yesterday's close with the test's p-value, from `series_table` rows."""
    return pd.DataFrame(
        [
            {
                "Series": row["series"],
                "Days": f"{'–'.join(dict.fromkeys((row['first'][:4], row['last'][:4])))} ({row['days']:,})",
                **{
                    title: _cell(row, key)
                    for key, title in (
                        ("level", "LSTM, level"),
                        ("change", "LSTM, change"),
                        ("drift", "Drift"),
                        ("arima", "ARIMA"),
                    )
                },
                "Any better?": p_text(row["spa_p"]),
            }
            for row in frame.to_dict("records")
        ]
    )


def drift_text(frame: pd.DataFrame) -> str:
    """Where the drift, which needs no network, has a lower error than the network of changes, to four decimals.

    `frame` has rows of `series_table`.
    """
    both = frame.dropna(subset=["drift_ratio", "change_ratio"]).round({"drift_ratio": 4, "change_ratio": 4})
    if both.empty:
        return "No row has both a drift and a network of changes."
    lower = [row for row in both.to_dict("records") if row["drift_ratio"] < row["change_ratio"]]
    where = "; ".join(
        f"{row['series']}, {row['period']}: {row['drift_ratio']:.4f} against {row['change_ratio']:.4f}" for row in lower
    )
    return (
        f"The drift, which needs no network, has the lower error in {len(lower) or 'none'} of the {len(both)} rows"
        + (f" ({where})." if lower else ".")
    )


def verdict_markdown(root: str | Path = "") -> str:
    """The README's table of verdicts, from the committed table V-tab05.

    Raises
    ------
    ValidityError
        If notebook 08 has not been run there.
    """
    path = paths.outputs(root).tables / "V-tab05.csv"
    if not path.is_file():
        raise ValidityError(f"{path.name} is missing; run notebook 08 first.")
    frame = pd.read_csv(path, dtype={"first": str, "last": str})
    text = tables.markdown(verdict_table(frame))
    note = (
        "Squared error of returns over that of yesterday's close: below 1 is better. Of a network the mean over its "
        "seeds, that is, the error to expect of one whose seed nobody has chosen; in brackets the least and the "
        "largest of single seeds, and whether the mean's difference is beyond chance by the Diebold-Mariano test at "
        "5 %. A difference beyond chance can still be worth nothing, so look at the ratio first. *Any better?* is the "
        "p-value of \"no forecast here beats yesterday's close\" (Hansen's test, every forecast's gain over its "
        "standard error). Rows that end after 2024 are later than every close that anything was chosen by."
    )
    return f"{text}\n{note}\n"
