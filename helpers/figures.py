"""One style for every figure, files named for the paper items, and the index of results.

A figure is made with `new`, shows itself when it is the last expression of a notebook cell, and is written by `save`
as PNG and SVG under the name of the item it reproduces. Beside it lies a small JSON file, `figures/index/<name>.json`,
with its caption and headline numbers; `write_index` turns these into `figures/INDEX.md`. `helpers.tables` does the
same for tables.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.figure
import matplotlib.style
from matplotlib import ticker
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image  # comes with matplotlib

from helpers import paths, provenance
from helpers.paths import Outputs

# Told apart by colour-blind readers; in grey, lines and markers of their own tell the tuners apart.
COLOURS: Mapping[str, str] = {
    "generator": "#0072B2",
    "gan": "#C23B22",
    "bayesian": "#009E73",
    "bayesian_warped": "#7B52AB",
    "random": "#666666",
    "tpe": "#8C6D1F",
    "cmaes": "#332288",
    "gp": "#882255",
    "hybrid": "#D6006C",
    "generator_product": "#3D8FC6",
    "generator_reinforce": "#5B7FA6",
    "generator_shuffled": "#6FB1DE",
    "generator_zero": "#A3CBE8",
    "gan_blind": "#E39A8C",
    "hybrid_uniform": "#E57FB3",
    "actual": "#1A1A1A",
    "level": "#CC6677",  # a network that forecasts levels
    "change": "#117A8B",  # one that forecasts changes
    "drift": "#999933",
    "arima": "#AA4499",
    "naive": "#E8A900",
    "train": "#4C6A92",
    "validation": "#B8860B",
    "test": "#C2185B",
    "published": "#8A8A8A",
}
MARKERS: Mapping[str, str] = {
    "generator": "o",
    "gan": "s",
    "bayesian": "^",
    "bayesian_warped": "D",
    "random": "x",
    "tpe": "v",
    "cmaes": "P",
    "gp": "*",
    "hybrid": "*",
    "generator_product": "<",
    "generator_reinforce": ">",
    "generator_shuffled": "p",
    "generator_zero": "h",
    "gan_blind": "d",
    "hybrid_uniform": "X",
}
LINES: Mapping[str, Any] = {
    "generator": "-",
    "gan": "-",
    "bayesian": (0, (5, 1.5)),
    "bayesian_warped": (0, (3, 1.2, 1, 1.2)),
    "random": (0, (1, 1)),
    "tpe": (0, (4, 1, 1, 1, 1, 1)),
    "cmaes": (0, (2, 1)),
    "hybrid": "-",
}
LABELS: Mapping[str, str] = {
    "generator": "Generator",
    "gan": "GAN",
    "bayesian": "Bayesian, raw ranges",
    "bayesian_warped": "Bayesian, warped",
    "random": "Random search",
    "tpe": "TPE",
    "cmaes": "CMA-ES",
    "gp": "Gaussian process",
    "hybrid": "Hybrid",
    "generator_product": "Generator, MSE times outputs",
    "generator_reinforce": "Generator, policy gradient",
    "generator_shuffled": "Generator, shuffled MSEs",
    "generator_zero": "Generator, no feedback",
    "gan_blind": "GAN, no discriminator",
    "hybrid_uniform": "Hybrid, no generator",
}
# Column headings of records, the same in figures and tables.
HEADINGS: Mapping[str, str] = {
    "iteration": "Iteration",
    "layers": "Layers",
    "units": "Units per layer",
    "learning_rate": "Learning rate",
    "batch_size": "Batch size",
    "sequence_length": "Sequence length (days)",
    "dropout_rate": "Dropout rate",
    "mse": "MSE (scaled units)",
    "rmse": "RMSE (scaled units)",
    "mae": "MAE (scaled units)",
    "r2": "R²",
    "mse_points": "MSE (index points²)",
    "rmse_points": "RMSE (index points)",
    "mae_points": "MAE (index points)",
    "seconds": "Time (s)",
    "cumulative_seconds": "Cumulative time (s)",
    "sampler_seconds": "Time of the tuner (s)",
    "cpu_percent": "CPU use (%)",
    "peak_rss_mb": "Peak memory (MB)",
    "status": "Status",
    "reason": "Reason",
    **{
        f"{key}_{what}": f"{name}: {words}"
        for key, name in (("level", "Level"), ("change", "Change"), ("drift", "Drift"), ("arima", "ARIMA"))
        for what, words in (
            ("ratio", "error over that of yesterday's close"),
            ("least", "least of a seed"),
            ("largest", "largest of a seed"),
            ("p", "p, errors"),
            ("pt_p", "p, directions"),
        )
    },
    "spa_p": "p, none beats yesterday's close",
}

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],  # the first comes with matplotlib
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "svg.fonttype": "none",  # text stays text: it can be searched, read aloud and edited
    "svg.hashsalt": "lstm-tuner-compendium",  # the same figure gives the same bytes
    "savefig.dpi": 200,
}
WIDTH = 5.6  # inches; 10 pt text is still 6 pt in a journal's column of 3.35 inches


@contextmanager
def style() -> Iterator[None]:
    """The compendium's style, for the length of a `with` block; matplotlib's global settings stay as they were."""
    with matplotlib.style.context(["default", _STYLE]):
        yield


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that is always drawn in the compendium's style and shows itself in a notebook."""

    def draw(self, renderer) -> None:
        with style():  # ticks are made on drawing, so the style must hold then too
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        """For a notebook: in 256 colours, which look the same and take a third of the bytes."""
        drawn, small = io.BytesIO(), io.BytesIO()
        with style():
            self.savefig(drawn, format="png", dpi=130)
        with Image.open(drawn) as image:
            palette = image.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            palette.save(small, format="png", optimize=True)
        return small.getvalue()


def new(width: float = WIDTH, height: float = 3.4, nrows: int = 1, ncols: int = 1, **subplots) -> tuple[Figure, Any]:
    """An empty figure and its axes, laid out by matplotlib's constrained layout.

    Parameters
    ----------
    width, height : float
        Inches.
    nrows, ncols, **subplots
        As for `matplotlib.figure.Figure.subplots`.

    Returns
    -------
    (Figure, matplotlib.axes.Axes or array of them)
    """
    with style():
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)  # measures text, whatever backend the reader has chosen
        return figure, figure.subplots(nrows, ncols, **subplots)


def thousands() -> ticker.FuncFormatter:
    """Tick labels with thousands separators: 6,000."""
    return ticker.FuncFormatter(lambda value, _: f"{value:,g}".replace("-", "−"))


def p_value(p: float) -> str:
    """A p-value as text: 0.031, 0.21, < 0.001."""
    return "–" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def number(value: float, digits: int = 3) -> str:
    """`value` to so many significant digits, without an exponent: 0.0000225, 1,750, 33.6."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, decimals):,.{max(decimals, 0)}f}"


class Item(NamedTuple):
    """One figure, table or appendix of a paper: its paper ("G" or "A"), what it shows, and our notebook's number."""

    paper: str
    title: str
    notebook: int


PAPERS: Mapping[str, str] = {
    "G": "LSTM adaptive hyperparameter tuning for financial time series forecasting using custom gradient-based "
    "methods: a comparative study with Bayesian optimization",
    "A": "A GAN-based method to tune LSTM hyperparameters for financial forecasting",
    "R": "Beyond the papers' own items: are the published numbers reproducible, and do the claims hold?",
    "B": "Beyond the papers: how good are the tuners?",
    "V": "Beyond the papers: does the tuned LSTM forecast anything?",
}
PAPER_NAMES: Mapping[str, str] = {
    "G": "Generator paper",
    "A": "GAN paper",
    "R": "Replication",
    "B": "Tuner benchmark",
    "V": "Forecast validity",
}
NOTEBOOKS: Mapping[int, str] = {
    1: "01_data_preparation",
    2: "02_generator_tuner",
    3: "03_gan_tuner",
    4: "04_bayesian_baseline",
    5: "05_comparison",
    6: "06_replication",
    7: "07_tuner_benchmark",
    8: "08_forecast_validity",
}

ITEMS: Mapping[str, Item] = {
    "G-fig01": Item("G", "Components of an LSTM cell, equations (1)-(6)", 2),
    "G-fig02": Item("G", "S&P 500 historical closes", 1),
    "G-fig03": Item("G", "First 3 sequences of closes", 1),
    "G-fig04": Item("G", "Train and test part", 1),
    "G-fig05": Item("G", "The generator tuner's loop", 2),
    "G-fig06": Item("G", "The generator's architecture", 2),
    "G-fig07": Item("G", "MSE over 50 iterations", 2),
    "G-fig08": Item("G", "Original and smoothed MSE over 50 iterations", 2),
    "G-fig09": Item("G", "Original and smoothed MSE over a longer run", 2),
    "G-fig10": Item("G", "MSE over 20 iterations", 2),
    "G-fig11": Item("G", "Original and smoothed MSE over 20 iterations", 2),
    "G-fig12": Item("G", "Actual and predicted closes over a year", 2),
    "G-fig13": Item("G", "Actual and predicted closes, 100 days", 2),
    "G-fig14": Item("G", "Distribution of the residuals", 2),
    "G-fig15": Item("G", "MSE of Bayesian optimisation over iterations", 4),
    "G-fig16": Item("G", "MSE over iterations, generator and Bayesian optimisation", 5),
    "G-fig17": Item("G", "Cumulative time over iterations, generator and Bayesian optimisation", 5),
    "G-fig18": Item("G", "R² over iterations, generator and Bayesian optimisation", 5),
    "G-fig19": Item("G", "RMSE over iterations, generator and Bayesian optimisation", 5),
    "G-fig20": Item("G", "MAE over iterations, generator and Bayesian optimisation", 5),
    "G-fig21": Item("G", "Each hyperparameter over iterations, generator and Bayesian optimisation", 5),
    "G-tab01": Item("G", "The search space", 2),
    "G-tab02": Item("G", "What each hyperparameter means", 2),
    "G-tab03": Item("G", "The generator, layer by layer", 2),
    "G-tab04": Item("G", "The LSTM, layer by layer", 2),
    "G-tab05": Item("G", "The generator tuner's best hyperparameters", 2),
    "G-tab06": Item("G", "Bayesian optimisation's best hyperparameters", 4),
    "G-tab07": Item("G", "The tuners' choices side by side", 5),
    "G-tab08": Item("G", "Every trial of the generator tuner", 2),
    "G-tab09": Item("G", "Every trial of Bayesian optimisation", 4),
    "A-fig01": Item("A", "S&P 500 historical closes", 1),
    "A-fig02": Item("A", "Scaled closes", 1),
    "A-fig03": Item("A", "Train and test part", 1),
    "A-fig04": Item("A", "The GAN tuner's loop", 3),
    "A-fig05": Item("A", "Components of an LSTM cell", 2),
    "A-fig06": Item("A", "MSE over 50 iterations", 3),
    "A-fig07": Item("A", "Cycles of the search: smoothed MSE", 3),
    "A-fig08": Item("A", "MSE over 20 iterations", 3),
    "A-fig09": Item("A", "RMSE over iterations", 3),
    "A-fig10": Item("A", "MAE over iterations", 3),
    "A-fig11": Item("A", "R² over iterations", 3),
    "A-fig12": Item("A", "CPU use over iterations", 3),
    "A-fig13": Item("A", "Memory use over iterations", 3),
    "A-fig14": Item("A", "Cumulative time over iterations", 3),
    "A-fig15": Item("A", "Actual and predicted closes", 3),
    "A-fig16": Item("A", "Distribution of the errors, with density and zero line", 3),
    "A-tab01": Item("A", "The search space", 3),
    "A-appA": Item("A", "The GAN's generator: one pathway per hyperparameter", 3),
    "A-appB": Item("A", "Every trial of the GAN tuner", 3),
    "A-appC": Item("A", "Each hyperparameter over iterations", 3),
    "R-tab01": Item("R", "Constant forecasts against the largest published MSE", 6),
    "R-fig01": Item("R", "Published configurations trained again: MSE", 6),
    "R-fig02": Item("R", "Published configurations trained again: time", 6),
    "R-tab02": Item("R", "Agreement by table and reading", 6),
    "R-fig03": Item("R", "Searches in the unit cube, feedback on and off", 6),
    "R-fig04": Item("R", "Distance of each mechanism from the published searches", 6),
    "R-fig05": Item("R", "Hyperparameters at the lower end, iteration by iteration", 6),
    "R-tab03": Item("R", "The shape of the searches", 6),
    "R-fig06": Item("R", "Lag of the forecasts behind the close", 6),
    "R-tab04": Item("R", "The papers' claims, judged", 6),
    "B-fig01": Item("B", "All tuners on every problem", 7),
    "B-fig02": Item("B", "Best error so far against evaluations", 7),
    "B-fig03": Item("B", "Best error so far against seconds", 7),
    "B-fig04": Item("B", "Random search's best of n, with the sequential tuners drawn on it", 7),
    "B-fig05": Item("B", "Which tuner beats which, and how often", 7),
    "B-fig06": Item("B", "What an evaluation buys: error against seconds in all", 7),
    "B-fig07": Item("B", "What the generator's feedback is worth", 7),
    "B-fig08": Item("B", "What the GAN's parts know: entropy and calibration", 7),
    "B-fig09": Item("B", "The tabular benchmark beside real trainings", 7),
    "B-tab01": Item("B", "Every tuner on every problem, in numbers", 7),
    "B-tab02": Item("B", "Every tuner against random search and against the best", 7),
    "B-tab03": Item("B", "Tuners without one of their parts", 7),
    "B-tab04": Item("B", "The hybrid's lead, by kind of surrogate", 7),
    "B-tab05": Item("B", "Trainings beside what the drawn landscapes allow", 7),
    "V-fig01": Item("V", "What each leak buys", 8),
    "V-fig02": Item("V", "Does the forecast follow the close? Correlations of changes by lag", 8),
    "V-fig03": Item("V", "The last 100 days with yesterday's close under the forecast", 8),
    "V-fig04": Item("V", "Walk-forward: error by year against yesterday's close", 8),
    "V-fig05": Item("V", "Other series and controls: error against yesterday's close", 8),
    "V-fig06": Item("V", "The days after all that was chosen: cumulative loss against yesterday's close", 8),
    "V-tab01": Item("V", "Every forecaster beside yesterday's close, with tests", 8),
    "V-tab02": Item("V", "What each leak buys, in numbers", 8),
    "V-tab03": Item("V", "How much of a forecast is yesterday's close", 8),
    "V-tab04": Item("V", "Walk-forward: all years together", 8),
    "V-tab05": Item("V", "Verdict: each series, model against yesterday's close", 8),
}


def save(
    fig: matplotlib.figure.Figure,
    item: str | Sequence[str],
    *,
    caption: str,
    outputs: Outputs,
    protocol: str = "",
    variant: str = "",
    paper_shows: str = "",
    ours: str = "",
    published: str = "",
    entries: Iterable[Path] = (),
) -> Path:
    """Write a figure as PNG (200 dpi) and SVG (text as text), named for its paper item, and list it in the index.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
    item : str or sequence of str
        A key of `ITEMS`, or several where one picture reproduces several items; the first names the file.
    caption : str
        What to see in the figure; also the alternative text of the picture.
    outputs : helpers.paths.Outputs
    protocol : str
        Name of the protocol the figure depends on; part of the file name. Empty if it depends on none.
    variant : str
        Tells apart several figures for one item, for example `"warped"`; part of the file name.
    paper_shows : str
        What the paper's item shows; by default the title in `ITEMS`.
    ours, published : str
        Our headline number and the paper's, as they should be read in the index.
    entries : iterable of pathlib.Path
        What computed the figure (a notebook's script); its code hash is recorded. By default the drawing modules.

    Returns
    -------
    pathlib.Path
        The PNG file.

    Raises
    ------
    ValueError
        For an unknown item, an empty caption, or a protocol or variant that cannot be part of a file name.
    """
    name = name_of(item, protocol=protocol, variant=variant)
    files = {f"{name}.png": {"dpi": 200, "metadata": {"Software": None}}, f"{name}.svg": {"metadata": {"Date": None}}}
    # The entry is checked before anything is written.
    entry = index_entry(
        item, "figure", list(files), caption, protocol, variant, paper_shows, ours, published, entries or _DRAWING
    )
    for file, options in files.items():
        buffer = io.BytesIO()
        with style():
            fig.savefig(buffer, format=Path(file).suffix[1:], **options)
        write_aside(outputs.figures / file, buffer.getvalue())
    write_entry(outputs, name, entry)
    return outputs.figures / f"{name}.png"


_DRAWING = tuple(paths.HELPERS / f"{name}.py" for name in ("data_plots", "search_plots", "forecast_plots", "diagrams"))


def items_of(item: str | Sequence[str]) -> list[str]:
    """`item` as a list of known items.

    Raises
    ------
    ValueError
        If it is empty or names an item that is not in `ITEMS`.
    """
    items = [item] if isinstance(item, str) else list(item)
    if not items:
        raise ValueError("Name at least one item.")
    for name in items:
        if name not in ITEMS:
            near = [known for known in ITEMS if known[:5] == name[:5]] or list(ITEMS)
            raise ValueError(f"Unknown item {name!r}; valid items are {', '.join(near)}.")
    return items


def name_of(item: str | Sequence[str], *, protocol: str = "", variant: str = "") -> str:
    """File name, without ending, of the result for `item`: `<item>[_<variant>][_<protocol>]`."""
    for what, part in (("protocol", protocol), ("variant", variant)):
        if not re.fullmatch(r"[A-Za-z0-9_-]*", part):
            raise ValueError(f"A {what} is part of a file name: letters, digits, - and _ only, not {part!r}.")
    return "_".join(part for part in (items_of(item)[0], variant, protocol) if part)


def index_entry(
    item: str | Sequence[str],
    kind: str,
    files: list[str],
    caption: str,
    protocol: str,
    variant: str,
    paper_shows: str,
    ours: str,
    published: str,
    entries: Iterable[Path],
) -> dict[str, Any]:
    """What the index knows of one result; `files` are relative to the figures folder, `kind` is "figure" or "table"."""
    items = items_of(item)
    if not caption.strip():
        raise ValueError(f"{items[0]} needs a caption that says what to see.")
    return {
        "items": items,
        "kind": kind,
        "protocol": protocol,
        "variant": variant,
        "files": files,
        "caption": caption,
        "paper_shows": paper_shows or ITEMS[items[0]].title,
        "ours": ours,
        "published": published,
        "code_hash": provenance.code_hash(*entries),
    }


def write_entry(outputs: Outputs, name: str, entry: Mapping[str, Any]) -> None:
    """Store what the index knows of one result, with its files' checksums, aside first, then in its place."""
    entry = {**entry, "sha256": {file: provenance.file_sha256(outputs.figures / file) for file in entry["files"]}}
    suffix = "" if entry["kind"] == "figure" else f".{entry['kind']}"  # G-tab04 may be a table and a diagram
    text = json.dumps(entry, indent=2, ensure_ascii=False) + "\n"
    write_aside(outputs.figures / "index" / f"{name}{suffix}.json", text.encode())


class WriteError(OSError):
    """A result that cannot be written; the message is one sentence for the reader."""

    def __str__(self) -> str:
        return str(self.args[0])


def write_aside(path: Path, data: bytes) -> None:
    """Write `data` beside `path`, then move it there: an interrupted run leaves the old file whole.

    Raises
    ------
    WriteError
        If the disk is full or the folder cannot be written; the old file stays.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(f"{path.name} cannot be written: {error.strerror}; what was there stays as it was.") from error


class EntryError(ValueError):
    """A damaged entry of the index; the message is one sentence for the reader."""


_PROTOCOL_ORDER = ("", "described", "published", "clean")


def read_entries(outputs: Outputs) -> list[dict[str, Any]]:
    """The entries of all results whose files are there, in the order in which the index shows them.

    Raises
    ------
    EntryError
        For a damaged one.
    """
    entries = [_read_entry(path) for path in sorted((outputs.figures / "index").glob("*.json"))]
    whole = [e for e in entries if all((outputs.figures / file).is_file() for file in e["files"])]

    def rank(entry: Mapping[str, Any]) -> tuple:
        known = entry["protocol"] in _PROTOCOL_ORDER
        place = _PROTOCOL_ORDER.index(entry["protocol"]) if known else len(_PROTOCOL_ORDER)
        return place, entry["protocol"], entry["kind"], entry["variant"]

    return sorted(whole, key=rank)


def is_entry(content: Any) -> bool:
    """Whether the content of a file can be an entry of the index."""
    needed = {"items", "kind", "files", "caption", "protocol", "variant", "paper_shows", "ours", "published"}
    return isinstance(content, dict) and content.keys() >= needed


def _read_entry(path: Path) -> dict[str, Any]:
    try:
        entry = json.loads(path.read_text("utf-8"))
        if not is_entry(entry):
            raise ValueError
    except (OSError, ValueError, RecursionError):
        raise EntryError(
            f"index/{path.name} is damaged, it is no entry of the index: make it again with `make figures`, or take it "
            "from git."
        ) from None
    return entry


def write_index(outputs: Outputs) -> Path:
    """Write `figures/INDEX.md`: every item of both papers, our files, our headline number beside the paper's.

    Returns
    -------
    pathlib.Path
        The index.
    """
    entries = read_entries(outputs)
    of_item = {name: [e for e in entries if name in e["items"]] for name in ITEMS}
    missing = [name for name, found in of_item.items() if not found]
    lines = [
        "# Results, item by item",
        "",
        "Every figure and table of both papers beside ours. This page is generated; its numbers and captions come from "
        "the notebook that made the file. Items that depend on how the data is split appear once per protocol: "
        "**described** follows the papers' text (chronological split), **published** what the generator paper's "
        "numbers fit better (shuffled split; those of its table 8 with tenfold learning rates only, notebook 06). "
        "Errors are in scaled units unless a unit is given; the papers' RMSE are the roots of their MSEs. Axes of "
        "errors and times are logarithmic, so that runs that differ tenfold can be read together.",
        "",
        f"{len(ITEMS) - len(missing)} of {len(ITEMS)} items are here."
        + (" Missing: " + ", ".join(missing) + "." if missing else " None is missing."),
    ]
    for paper, name in PAPER_NAMES.items():
        lines += ["", f"## {name}", "", f"*{PAPERS[paper]}*"]
        for notebook in sorted({item.notebook for item in ITEMS.values() if item.paper == paper}):
            lines += ["", f"### Notebook {_notebook(outputs, notebook)}", ""]
            lines += ["| Item | The paper shows | Ours | Our number | The paper's |", "| --- | --- | --- | --- | --- |"]
            for key, item in ITEMS.items():
                if (item.paper, item.notebook) == (paper, notebook):
                    lines.append(_row(key, item, of_item[key]))
    path = outputs.figures / "INDEX.md"
    write_aside(path, ("\n".join(lines) + "\n").encode())
    return path


def _notebook(outputs: Outputs, number: int) -> str:
    source = outputs.root / "notebooks" / f"{NOTEBOOKS[number]}.py"
    title = NOTEBOOKS[number].replace("_", " ")
    return f"[{title}](../notebooks/{source.name})" if source.is_file() else title


def _row(key: str, item: Item, entries: Sequence[Mapping[str, Any]]) -> str:
    # An entry that names several items keeps one description, which may belong to the other paper's item.
    shows = next((e["paper_shows"] for e in entries if e["items"][0] == key), item.title)
    ours = [f"{_label(e)}{e['ours']}" for e in entries if e["ours"]]
    published = list(dict.fromkeys(e["published"] for e in entries if e["published"]))
    cells = [
        f"**{key}**",
        shows,
        "<br>".join(_files(e) for e in entries) or "missing",
        "<br>".join(ours),
        "<br>".join(published),
    ]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _label(entry: Mapping[str, Any]) -> str:
    label = ", ".join(part.replace("_", " ") for part in (entry["protocol"], entry["variant"]) if part)
    return f"{label}: " if label else ""


def _files(entry: Mapping[str, Any]) -> str:
    links = ", ".join(f"[{Path(file).suffix[1:].upper()}]({file})" for file in entry["files"])
    picture = next((file for file in entry["files"] if file.endswith(".png")), "")
    if not picture:
        return f"{_label(entry)}{links}"
    alt = entry["caption"].replace('"', "'").replace("<", "&lt;")
    return f'{_label(entry)}{links}<br><a href="{picture}"><img src="{picture}" width="220" alt="{alt}"></a>'
