"""Look around: run a few trials of any tuner and watch them, and open Optuna's plots on a recorded study.

Notebook 00 is made of these. The tuners are those that `helpers.samplers` exports (a new one appears by itself) and
some of Optuna's own. Nothing that is committed is written: trials go to a folder that the caller names, and recorded
studies are only read.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from matplotlib.figure import Figure

from helpers import figures, paths, prices, samplers, search_plots, study, windows
from helpers.checks import whole
from helpers.lstm import EPOCHS
from helpers.progress import Bar, clock
from helpers.space import GENERATOR_SPACE, HYPERPARAMETERS, SearchSpace
from helpers.trial import Evaluator

PEERS = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}
# Parameters of the search space -> the hyperparameter's heading.
_HEADINGS = {
    **{name: figures.HEADINGS[name] for name in HYPERPARAMETERS},
    "log10_learning_rate": "Learning rate (log10)",
    "log2_batch_size": "Batch size (log2)",
}


class ExploreError(ValueError):
    """A choice that is not there, or a study that cannot be drawn; the message is one sentence for the reader."""


# What there is to choose from.


def tuners() -> dict[str, type[optuna.samplers.BaseSampler]]:
    """Every tuner by its short name: those of `helpers.samplers`, then Optuna's random search and TPE."""
    exported = (getattr(samplers, name) for name in sorted(samplers.__all__))
    ours = {
        made.__name__.removesuffix("Sampler").lower(): made
        for made in exported
        if inspect.isclass(made) and issubclass(made, optuna.samplers.BaseSampler)
    }
    return {**ours, **{name: made for name, made in PEERS.items() if name not in ours}}


def label(tuner: str) -> str:
    """A tuner's name in words, as in the figures."""
    return figures.LABELS.get(tuner, tuner)


def make(tuner: str, seed: int, space: SearchSpace = GENERATOR_SPACE) -> study.Sampler:
    """The tuner as `study.run` wants it.

    Parameters
    ----------
    tuner : str
        A key of `tuners()`.
    seed : int
    space : mapping of str to optuna.distributions.BaseDistribution

    Raises
    ------
    ExploreError
        For an unknown tuner.
    """
    known = tuners()
    if tuner not in known:
        raise ExploreError(f"Unknown tuner {tuner!r}; valid tuners are {', '.join(known)}.")
    made = known[tuner]
    if tuner in PEERS and made is PEERS[tuner]:  # their random state does not survive a restart: one for each trial
        return lambda number: made(seed=int(np.random.SeedSequence([seed, number]).generate_state(1)[0]))
    named = inspect.signature(made).parameters
    return made(**{key: value for key, value in {"seed": seed, "space": space}.items() if key in named})


def symbols(folder: Path = paths.RAW) -> list[str]:
    """Indices whose closes are at hand: those frozen in `folder`, and the packaged ^GSPC."""
    found = []
    for path in sorted(folder.glob("*.provenance.json")):
        name = path.name.removesuffix(".provenance.json")
        for symbol in (f"^{name}", name):
            with contextlib.suppress(prices.PricesError):
                found.append(prices.load(symbol, source="raw", folder=folder).symbol)
                break
    return ["^GSPC", *(symbol for symbol in found if symbol != "^GSPC")]


def recorded(folder: str | Path) -> pd.DataFrame:
    """The studies recorded in `folder`; those that cannot be read, or hold no good trial, are left out.

    Returns
    -------
    pandas.DataFrame
        Indexed by the study's name: trials, failed, best MSE, its iteration, and the MSE of yesterday's close.
    """
    found = {}
    for path in sorted(Path(folder).glob("*.journal")):
        with contextlib.suppress(study.StudyError):
            one = study.load(path.stem, folder)
            rows, best = study.records(one), study.best(one)
            found[path.stem] = {
                "trials": len(rows),
                "failed": int((rows["status"] != "ok").sum()),
                "best MSE": figures.number(best.mse),
                "at iteration": int(best.iteration),
                "yesterday's close": figures.number(one.user_attrs.get("naive_mse", math.nan)),
            }
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("study")


# A few trials, watched.


def trials(
    tuner: str,
    dataset: windows.Dataset,
    *,
    count: int,
    seed: int,
    folder: str | Path,
    epochs: int = EPOCHS,
    evaluator: Any = None,
    progress: bool = True,
) -> Iterator[pd.DataFrame]:
    """Run `count` trials of a tuner; after each, the records so far as `study.records` gives them.

    The study is recorded in `folder` under the names of tuner, symbol, protocol, seed and epochs; asked for again with
    a larger `count` it goes on.

    Parameters
    ----------
    tuner : str
        A key of `tuners()`.
    dataset : Dataset
    count : int
        Trials in all, at least 1.
    seed : int
        Of the tuner and of the LSTMs.
    folder : path
    epochs : int
    evaluator : Evaluator, optional
        The warm worker to use; without one the trials have their own.
    progress : bool
        Whether to show progress on standard error.

    Raises
    ------
    ExploreError, study.StudyError
        For an unknown tuner, a number that is none, or records that do not fit.
    """
    count = whole("The number of trials", count, error=ExploreError)
    sampler = make(tuner, seed)
    symbol = "".join(c if c.isalnum() else "-" for c in dataset.prices.symbol.removeprefix("^"))
    name = f"{tuner}_{symbol}_{dataset.protocol.name}_s{seed}_e{epochs}"
    with contextlib.ExitStack() as stack:
        worker = stack.enter_context(Evaluator()) if evaluator is None else evaluator
        bar = stack.enter_context(Bar(count, label(tuner), shown=progress))
        for number in range(1, count + 1):
            with contextlib.suppress(study.StudyFailed):  # the first trials may fail and the next be good
                study.run(
                    name,
                    sampler,
                    GENERATOR_SPACE,
                    dataset,
                    trials=number,
                    seed=seed,
                    folder=folder,
                    epochs=epochs,
                    evaluator=worker,
                    progress=False,
                    keep_predictions=False,
                    give_up_after=max(count, study.GIVE_UP_AFTER) + 1,
                )
            rows = study.records(study.load(name, folder)).head(number)
            bar.update(best=rows["mse"].min(), failed=int((rows["status"] != "ok").sum()))
            yield rows


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """Records as a reader wants them: iteration, hyperparameters, MSE, seconds and, where a trial failed, why."""
    columns = ["iteration", *HYPERPARAMETERS, "mse", "seconds"]
    return rows[columns + (["reason"] if (rows["status"] != "ok").any() else [])]


def said(rows: pd.DataFrame, naive: float) -> str:
    """The records so far in one sentence, Markdown; `naive` is the MSE of yesterday's close."""
    good = rows["mse"].dropna()
    if good.empty:
        return f"**{len(rows)} trials, all of which failed:** {rows['reason'].iloc[-1]}."
    best = rows.loc[good.idxmin()]
    return (
        f"**{len(rows)} trial{'s' if len(rows) > 1 else ''}:** best MSE {figures.number(best.mse)} at iteration "
        f"{best.iteration:.0f}; yesterday's close scores {figures.number(naive)}."
    )


def states(rows: pd.DataFrame, tuner: str, naive: float) -> list[Any]:
    """The records so far as a reader sees them: a sentence, a table, and the MSE over iterations once there is one."""
    from IPython.display import Markdown

    found = [Markdown(said(rows, naive)), shown(rows)]
    if rows["mse"].notna().any():
        found.append(search_plots.mse_over_iterations(rows, tuner=tuner, naive=naive))
    return found


def watch(rows: Iterator[pd.DataFrame], tuner: str, naive: float) -> pd.DataFrame:
    """Show every state of `trials` in a notebook's cell, each in the place of the one before; the last records.

    Raises
    ------
    ExploreError
        If there are none.
    """
    from IPython.display import Markdown, display

    # Places in a fixed order, before the progress bar: what is written below stays one piece.
    places = [display(Markdown(text), display_id=True) for text in ("*The first trial runs ...*", "", "")]
    last = None
    for last in rows:
        for place, state in zip(places, states(last, tuner, naive), strict=False):
            place.update(state)
    if last is None:
        raise ExploreError("There is no trial to show.")
    return last


# Optuna's plots.


def _log_mse(trial: optuna.trial.FrozenTrial) -> float:
    return math.log10(trial.value)


def plot(kind: str, name: str, folder: str | Path) -> Figure:
    """One of Optuna's plots of a recorded study; the MSE by its decimal logarithm, since it spans decades.

    Parameters
    ----------
    kind : str
        A key of `PLOTS`.
    name : str
        The study's name.
    folder : path
        The study's folder; nothing is written there.

    Raises
    ------
    ExploreError
        For an unknown kind, or a study whose good trials are fewer than two or all alike.
    study.StudyError
        If there is no such study or it is damaged.
    """
    if kind not in PLOTS:
        raise ExploreError(f"Unknown plot {kind!r}; valid plots are {', '.join(PLOTS)}.")
    found = study.load(name, folder)
    good = [t for t in found.get_trials(deepcopy=False) if t.value is not None]
    if len({tuple(t.params.items()) for t in good}) < 2 or len({t.value for t in good}) < 2:
        raise ExploreError(f"The study {name!r} has {len(good)} good trials; the plot needs two that differ.")
    return PLOTS[kind](found)


@contextlib.contextmanager
def _drawing() -> Iterator[None]:
    """Optuna's plots set matplotlib's style for the process and warn that they are experimental: neither lasts."""
    from matplotlib import pyplot, rc_context

    before = set(pyplot.get_fignums())
    with rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
        for number in set(pyplot.get_fignums()) - before:
            _plain(pyplot.figure(number))
            pyplot.close(number)  # a notebook would show it a second time


def _plain(fig: Figure) -> None:
    """White ground, pale grid, no title: as the compendium's own figures are."""
    fig.set_dpi(120)
    fig.set_facecolor("white")
    fig.suptitle("")
    for axes in fig.axes:
        for place in ("left", "center", "right"):
            axes.set_title("", loc=place)
        axes.set_facecolor("white")
        axes.tick_params(colors="#1A1A1A")
        for text in (axes.xaxis.label, axes.yaxis.label):
            text.set_color("#1A1A1A")
        for line in (*axes.get_xgridlines(), *axes.get_ygridlines()):
            line.set_color("#E3E3E3")


def _heading(parameter: str) -> str:
    """A parameter's heading on two lines where it has a unit."""
    return _HEADINGS.get(parameter, parameter).replace(" (", "\n(").replace(" per ", "\nper ")


def _parallel(found: optuna.Study) -> Figure:
    from optuna.visualization.matplotlib import plot_parallel_coordinate

    with _drawing():
        axes = plot_parallel_coordinate(found, target=_log_mse, target_name="MSE (log10)")
        fig = axes.figure
        fig.set_size_inches(8.4, 4.4)
        axes.set_xticks(axes.get_xticks(), [_heading(t.get_text()) for t in axes.get_xticklabels()])
        axes.tick_params(axis="x", labelrotation=0, labelsize=8)
        for label in axes.get_xticklabels():
            label.set(ha="center", rotation=0)
        return fig


def _importance(found: optuna.Study) -> Figure:
    from optuna.importance import FanovaImportanceEvaluator
    from optuna.visualization.matplotlib import plot_param_importances

    with _drawing():
        axes = plot_param_importances(
            found, evaluator=FanovaImportanceEvaluator(seed=0), target=_log_mse, target_name="MSE (log10)"
        )
        fig = axes.figure
        fig.set_size_inches(6.4, 3.0)
        fig.set_layout_engine("constrained")
        axes.set_yticks(axes.get_yticks(), [_HEADINGS.get(t.get_text(), t.get_text()) for t in axes.get_yticklabels()])
        axes.set_ylabel("")
        axes.set_xlabel("Share of the variance of log10 MSE (fANOVA)")
        if axes.get_legend():
            axes.get_legend().remove()
        return fig


def _slice(found: optuna.Study) -> Figure:
    from optuna.visualization.matplotlib import plot_slice

    with _drawing():
        every = np.ravel(plot_slice(found, target=_log_mse, target_name="MSE (log10)"))
        fig = every[0].figure
        fig.set_size_inches(11.0, 3.0)
        for axes in every:
            axes.set_xlabel(_heading(axes.get_xlabel()), fontsize=8.5)
            axes.tick_params(labelsize=8)
        return fig


PLOTS: dict[str, Callable[[optuna.Study], Figure]] = {
    "parallel coordinates": _parallel,
    "importance": _importance,
    "slice": _slice,
}
CAPTIONS = {
    "parallel coordinates": "One line a trial, through its hyperparameters to its MSE; the darkest line is the best.",
    "importance": "How much of the MSE's variation over the study's trials each hyperparameter accounts for.",
    "slice": "MSE against each hyperparameter alone, one point a trial; the darker, the later.",
}


# The panels of the notebook.


def run_panel(
    *,
    folder: str | Path,
    tuner: str = "generator",
    protocol: str = "described",
    seed: int = 0,
    count: int = 3,
    source: str = "auto",
    as_of: str = "2024-12-31",
    epochs: int = EPOCHS,
) -> Any:
    """Widgets: choose tuner, seed, index, protocol and number of trials; Run trains and shows every trial as it ends.

    The arguments are the choices to begin with. The kernel's Interrupt stops a run; Run with the same choices goes on.

    Returns
    -------
    ipywidgets.VBox
    """
    import ipywidgets as w
    from IPython.display import display

    wide = {"style": {"description_width": "70px"}}
    choices = {
        "tuner": w.Dropdown(options=[(label(t), t) for t in tuners()], value=tuner, description="tuner", **wide),
        "seed": w.BoundedIntText(value=seed, min=0, max=2**31 - 1, description="seed", **wide),
        "symbol": w.Dropdown(options=[(prices.index_name(s), s) for s in symbols()], description="index", **wide),
        "protocol": w.Dropdown(options=list(windows.PROTOCOLS), value=protocol, description="protocol", **wide),
        "count": w.IntSlider(value=count, min=1, max=50, description="trials", **wide),
    }
    button = w.Button(description="Run", button_style="primary", icon="play")
    done, note, output = w.IntProgress(value=0, max=1), w.Label(), w.Output()
    done.layout.visibility = "hidden"

    def run(_: Any) -> None:
        chosen = {name: widget.value for name, widget in choices.items()}
        button.disabled = True
        done.value, done.max, done.layout.visibility = 0, chosen["count"], "visible"
        note.value = "The first trial runs; it also starts the worker process ..."
        output.clear_output()
        try:
            data = prices.load(chosen["symbol"], source=source if chosen["symbol"] == "^GSPC" else "raw")
            dataset = windows.Dataset(data, windows.protocol(chosen["protocol"], as_of=as_of))
            naive, started = dataset.naive_metrics()["mse"], time.monotonic()
            for rows in trials(
                chosen["tuner"],
                dataset,
                count=chosen["count"],
                seed=chosen["seed"],
                folder=folder,
                epochs=epochs,
                progress=False,
            ):
                done.value = len(rows)
                left = (time.monotonic() - started) * (chosen["count"] - len(rows)) / len(rows)
                note.value = f"{len(rows)} of {chosen['count']}, best MSE {rows['mse'].min():.3g}"
                note.value += f", about {clock(left)} left" if len(rows) < chosen["count"] else ""
                # An update in place (`watch`) does not reach into an Output widget: it is drawn again as a whole.
                output.clear_output(wait=True)
                with output:
                    display(*states(rows, chosen["tuner"], naive))
        except ValueError as error:
            note.value = str(error)
        except KeyboardInterrupt:
            note.value = "Interrupted; Run goes on where it was."
        finally:
            button.disabled = False

    button.on_click(run)
    lines = [[choices["tuner"], choices["seed"]], [choices["symbol"], choices["protocol"]], [choices["count"], button]]
    return w.VBox([*(w.HBox(line) for line in lines), w.HBox([done, note]), output])


def study_panel(folder: str | Path, *, name: str = "") -> Any:
    """Widgets: choose a recorded study, at first `name`, and a plot.

    Returns
    -------
    ipywidgets.VBox

    Raises
    ------
    ExploreError
        If no study is recorded there.
    """
    import ipywidgets as w

    found = recorded(folder)
    if found.empty:
        raise ExploreError(f"No study is recorded in {Path(folder).name}/; make reproduce makes them.")
    which = w.Dropdown(
        options=[(f"{row.Index}: {row.trials} trials, best MSE {row[3]}", row.Index) for row in found.itertuples()],
        value=name if name in found.index else found.index[0],
        description="study",
    )
    which.layout.width = "520px"
    kind = w.ToggleButtons(options=list(PLOTS), description="plot", style={"button_width": "150px"})
    output = w.Output()

    def draw(*_: Any) -> None:
        from IPython.display import Markdown, display

        output.clear_output(wait=True)
        with output:
            try:
                display(plot(kind.value, which.value, folder))
            except ValueError as error:
                display(Markdown(str(error)))

    for chooser in (which, kind):
        chooser.observe(draw, names="value")
    draw()
    return w.VBox([which, kind, output])
