"""Tables of the papers' items: as CSV in full precision, as Markdown to be read on the web, and shown in notebooks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from helpers import figures, paths
from helpers.paths import Outputs

if TYPE_CHECKING:
    import great_tables

_DIGITS = re.compile(r"(\d) digits")
# Format specifications of known columns; a column that is not named here shows its values as they are.
FORMATS: Mapping[str, str] = {
    "mse": ".6f",
    "rmse": ".5f",
    "mae": ".5f",
    "r2": ".4f",
    "mse_points": ",.0f",
    "rmse_points": ",.1f",
    "mae_points": ",.1f",
    "learning_rate": "decade",
    "dropout_rate": ".1f",
    "seconds": ",.2f",
    "cumulative_seconds": ",.1f",
    "sampler_seconds": ",.3f",
    "cpu_percent": ".1f",
    "peak_rss_mb": ",.0f",
}


def save(
    df: pd.DataFrame,
    item: str | Sequence[str],
    *,
    caption: str,
    outputs: Outputs,
    protocol: str = "",
    variant: str = "",
    formats: Mapping[str, str] | None = None,
    highlight: str | None = None,
    paper_shows: str = "",
    ours: str = "",
    published: str = "",
    entries: Iterable[Path] = (),
) -> great_tables.GT:
    """Write a table as CSV and Markdown under `figures/tables/`, list it in the index, and return it for a notebook.

    Parameters
    ----------
    df : pandas.DataFrame
        Its columns are written, its index is not. Columns with names from the records get readable headings.
    item, caption, outputs, protocol, variant, paper_shows, ours, published, entries
        As for `helpers.figures.save`.
    formats : mapping of str to str, optional
        Format specification for a column (`".6f"`, `",.0f"`); `"decade"` writes a learning rate as the papers do
        (0.00001), `"p"` a p-value (0.031, < 0.001), `"4 digits"` so many significant digits without an exponent
        (2,230,000). Known columns have one already (`FORMATS`). The CSV keeps full precision.
    highlight : str, optional
        Column whose least value marks the best row, shown bold.

    Returns
    -------
    great_tables.GT

    Raises
    ------
    ValueError
        For an unknown item, an empty caption, or a format or highlight for a column that is not there.
    """
    import great_tables

    for column in [*(formats or {}), *([highlight] if highlight else [])]:
        if column not in df.columns:
            raise ValueError(f"No column {column!r}; valid columns are {', '.join(map(str, df.columns))}.")
    name = figures.name_of(item, protocol=protocol, variant=variant)
    files = [f"tables/{name}.csv", f"tables/{name}.md"]
    entry = figures.index_entry(
        item,
        "table",
        files,
        caption,
        protocol,
        variant,
        paper_shows,
        ours,
        published,
        entries or (paths.HELPERS / "tables.py",),
    )
    text = formatted(df, formats)
    best = _best_row(df, highlight)
    csv = df.to_csv(index=False, lineterminator="\n")
    figures.write_aside(outputs.figures / files[0], csv.encode())
    figures.write_aside(outputs.figures / files[1], f"{markdown(text, bold_row=best)}\n*{caption}*\n".encode())
    figures.write_entry(outputs, name, entry)

    numeric = [column for column, label in zip(df.columns, text.columns, strict=True) if _is_numeric(df[column])]
    labels = dict(zip(df.columns, text.columns, strict=True))
    shown = (
        great_tables.GT(text)
        .tab_source_note(caption)
        .cols_align("right", columns=[labels[column] for column in numeric])
        .tab_options(table_font_size="13px", data_row_padding="3px", column_labels_font_weight="bold")
    )
    if best is not None:
        shown = shown.tab_style(great_tables.style.text(weight="bold"), great_tables.loc.body(rows=[best]))
    return shown


def formatted(df: pd.DataFrame, formats: Mapping[str, str] | None = None) -> pd.DataFrame:
    """`df` as text: values formatted, readable column headings; nothing is shown for a missing value but a dash."""
    formats = {**FORMATS, **(formats or {})}
    columns = {
        figures.HEADINGS.get(column, str(column)): [_text(value, formats.get(column, "")) for value in df[column]]
        for column in df.columns
    }
    return pd.DataFrame(columns, dtype=object)


def markdown(text: pd.DataFrame, *, bold_row: int | None = None) -> str:
    """A table of text as a Markdown table, columns padded to equal width; row `bold_row` (position) in bold."""
    rows = [[str(value).replace("|", "\\|").replace("\n", " ") for value in row] for row in text.to_numpy()]
    if bold_row is not None:
        rows[bold_row] = [f"**{value}**" for value in rows[bold_row]]
    head = [str(column) for column in text.columns]
    widths = [max(3, *(len(row[i]) for row in [head, *rows])) for i in range(len(head))]
    lines = [[value.ljust(width) for value, width in zip(row, widths, strict=True)] for row in [head, *rows]]
    lines.insert(1, ["-" * width for width in widths])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _best_row(df: pd.DataFrame, highlight: str | None) -> int | None:
    if highlight is None or not df[highlight].notna().any():
        return None
    return int(df[highlight].reset_index(drop=True).idxmin())


def _text(value: object, spec: str) -> str:
    if value is None or value is pd.NaT or (isinstance(value, Real) and value != value):
        return "–"
    if spec == "decade" and isinstance(value, Real):
        return f"{value:.5f}" if abs(value - round(value, 5)) < 1e-12 else f"{value:.3g}"
    if (digits := _DIGITS.fullmatch(spec)) and isinstance(value, Real):
        return figures.number(float(value), int(digits[1]))
    if spec == "p" and isinstance(value, Real):
        return figures.p_value(float(value))
    if spec and isinstance(value, Real) and not isinstance(value, bool):
        return format(value, spec)
    if isinstance(value, Integral) or not isinstance(value, Real):
        return str(value)
    return f"{float(value):g}"
