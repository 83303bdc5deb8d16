"""Executes the notebooks: from a profile to every figure, table and rendered notebook.

    python -m helpers.reproduce --profile smoke|default|full [--draw-only] [--only 02,05] [--set seed=1] [--jobs 2]

The percent scripts in `notebooks/` are the source. Each is converted to a notebook under `build/`, executed by
papermill with the parameters of its profile (`notebooks/params/<profile>.yml`) in a process of its own, and moved to
`notebooks/rendered/` when it succeeded. Whatever is wrong with a parameter is said before anything runs. Interrupted,
the next run continues: the studies' journals hold every finished trial.
"""

from __future__ import annotations

import argparse
import ast
import fcntl
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from helpers import figures, paths, prices, progress, records, schedule, windows

log = logging.getLogger(__name__)

PROFILES = ("smoke", "default", "full")
SYMBOL = "^GSPC"  # the papers' index

# Notebook -> the notebooks whose records it reads. Those that read none wait for 01, which meets bad data first.
NEEDS: dict[str, tuple[str, ...]] = {
    "00_explore": ("01_data_preparation",),
    "01_data_preparation": (),
    "02_generator_tuner": ("01_data_preparation",),
    "03_gan_tuner": ("01_data_preparation",),
    "04_bayesian_baseline": ("02_generator_tuner",),
    "05_comparison": ("02_generator_tuner", "03_gan_tuner", "04_bayesian_baseline"),
    "06_replication": ("02_generator_tuner", "03_gan_tuner", "04_bayesian_baseline"),
    "07_tuner_benchmark": ("01_data_preparation",),
    "08_forecast_validity": ("02_generator_tuner", "03_gan_tuner", "04_bayesian_baseline"),
}
# Chosen here for each run, not in a params file.
CHOSEN = ("profile", "protocol", "symbol", "output", "train")
# Whole numbers that must not be 0; none may be negative.
POSITIVE = ("epochs", "jobs", "short_run", "medium_run", "long_run", "cap", "trials", "evaluations", "seeds", "rows")
DAYS = ("as_of", "after_until")


class ReproduceError(ValueError):
    """A run that cannot start as asked; the message is one sentence for the reader."""


@dataclass(frozen=True)
class Step:
    """One notebook under one protocol.

    Attributes
    ----------
    notebook : str
        Name of the percent script without `.py`.
    protocol : str
        Name of the protocol; empty for a notebook that depends on none.
    parameters : mapping
        Value of every parameter, by name.
    outputs : paths.Outputs
        Where it writes.
    needs : tuple of str
        Names of the steps that must have succeeded.
    """

    notebook: str
    protocol: str
    parameters: Mapping[str, Any]
    outputs: paths.Outputs
    needs: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        return _name(self.notebook, self.protocol)

    @property
    def rendered(self) -> Path:
        return self.outputs.rendered / f"{self.name}.ipynb"


# --- the plan -------------------------------------------------------------------------------------------------------


def _name(notebook: str, protocol: str) -> str:
    return f"{notebook}_{protocol}" if protocol else notebook


def notebook_parameters(notebook: str) -> dict[str, Any]:
    """Names and default values in the parameters cell of a notebook's percent script.

    Raises
    ------
    ReproduceError
        If there is not exactly one such cell.
    """
    import jupytext

    cells = jupytext.read(paths.NOTEBOOKS / f"{notebook}.py").cells
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise ReproduceError(f'{notebook}.py has {len(tagged)} cells tagged "parameters"; it needs exactly one.')
    statements = ast.parse(tagged[0].source).body
    return {s.targets[0].id: ast.literal_eval(s.value) for s in statements if isinstance(s, ast.Assign)}


def profile_values(profile: str) -> dict[str, Any]:
    """The params file of a profile: `protocols`, values for `all` notebooks, values by notebook.

    Raises
    ------
    ReproduceError
        Unknown profile, or a file that is not a mapping of plain data: tags that make objects or run code are refused.
    """
    import yaml

    if profile not in PROFILES:
        raise ReproduceError(f"Unknown profile {profile!r}; valid profiles are {', '.join(PROFILES)}.")
    try:
        values = yaml.safe_load((paths.PARAMS / f"{profile}.yml").read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ReproduceError(f"params/{profile}.yml{_where(error)}: {_problem(error)}.") from None
    if not isinstance(values, dict):
        raise ReproduceError(f"params/{profile}.yml is no mapping of names to values.")
    return values


def plan(
    profile: str,
    *,
    symbol: str = SYMBOL,
    protocols: Sequence[str] = (),
    only: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
    draw_only: bool = False,
    output: str = "",
) -> list[Step]:
    """Every notebook to execute, in order, with all its parameters; nothing runs and nothing is written.

    Parameters
    ----------
    profile : {"smoke", "default", "full"}
    symbol : str
        Yahoo Finance's name of the index.
    protocols : sequence of str
        Instead of those of the profile.
    only : sequence of str
        Notebooks, by name or by number ("02"); all unless given. Records of the others must be there.
    changes : mapping
        Parameters that differ from the profile, for every notebook that has them; for a text, a date stands for its
        ISO form and None for "", as YAML reads them.
    draw_only : bool
        Redraw from the records; train nothing.
    output : str
        Folder to write into, relative to the repository. Unless given: the repository itself for the profiles
        `default` and `full`, `build/smoke` for `smoke`, and a folder of its own under `build/` for a changed run.

    Raises
    ------
    ReproduceError
        Unknown profile, protocol, symbol, notebook or parameter, a value of the wrong type or out of range, or a params
        file of another form: one sentence that names the valid ones.
    """
    values = profile_values(profile)
    cells = {notebook: notebook_parameters(notebook) for notebook in NEEDS}
    unknown = set(values) - {"protocols", "all", *NEEDS}
    if unknown:
        raise ReproduceError(
            f"params/{profile}.yml: unknown section {sorted(unknown, key=str)[0]!r}; valid sections are "
            f"{', '.join(('protocols', 'all', *NEEDS))}."
        )
    source = "--protocols" if protocols else f"params/{profile}.yml: protocols"
    chosen_protocols = _protocols(source, protocols or values.get("protocols"))
    notebooks = [_notebook(which) for which in only] or list(NEEDS)

    common = _checked(f"params/{profile}.yml, all", values.get("all"), cells)
    own = {n: _checked(f"params/{profile}.yml, {n}", values.get(n), {n: cell}) for n, cell in cells.items()}
    changes = _checked("--set", changes, cells)

    outputs = paths.outputs(output or _output(profile, symbol, changes))
    output = "" if outputs.root == paths.ROOT else os.path.relpath(outputs.root, paths.ROOT)  # rendered, so relative
    chosen = {"profile": profile, "symbol": symbol, "output": output, "train": not draw_only}
    runs = {notebook: chosen_protocols if "protocol" in cells[notebook] else ("",) for notebook in NEEDS}
    steps = []
    for notebook in NEEDS:
        for protocol in runs[notebook]:
            given = {**common, **own[notebook], **changes, **chosen, "protocol": protocol}
            parameters = {name: given.get(name, default) for name, default in cells[notebook].items()}
            wanted = [n for n in NEEDS[notebook] if n in notebooks]
            same = {n: (protocol,) if protocol in runs[n] else runs[n] for n in wanted}
            needs = tuple(_name(n, p) for n in wanted for p in same[n])
            if notebook in notebooks:
                steps.append(Step(notebook, protocol, parameters, outputs, needs))
    for source, as_of in {(str(s.parameters.get("source", "auto")), str(s.parameters["as_of"])) for s in steps}:
        _check_prices(symbol, source, as_of)
    return steps


def _notebook(which: str) -> str:
    found = [n for n in NEEDS if which == n or (which.isdigit() and n.startswith(which.zfill(2)))]
    if not found:
        raise ReproduceError(f"Unknown notebook {which!r}; valid notebooks are {', '.join(NEEDS)}.")
    return found[0]


def _unknown_parameter(source: str, name: str, valid: Any) -> None:
    free = sorted(set(valid) - set(CHOSEN))
    raise ReproduceError(f"{source}: unknown parameter {name!r}; valid parameters are {', '.join(free)}.")


def _protocols(source: str, names: Any) -> tuple[str, ...]:
    """`names` as a tuple, each a protocol and none twice."""
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) for name in names):
        found = "and is missing" if names is None else f"not {names!r}"
        raise ReproduceError(f"{source} must be a list of names such as [described, published], {found}.")
    for name in names:
        if name not in windows.PROTOCOLS:
            raise ReproduceError(f"Unknown protocol {name!r}; valid protocols are {', '.join(windows.PROTOCOLS)}.")
        if names.count(name) > 1:
            raise ReproduceError(f"{source} must name each protocol once, not {name!r} {names.count(name)} times.")
    return tuple(names)


def _checked(source: str, given: Any, cells: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The parameters that `source` gives to the notebooks of `cells`, each as these take it."""
    if not isinstance(given, Mapping | None):
        raise ReproduceError(f"{source}: parameters are written as name: value, such as seed: 0, not {given!r}.")
    checked = {}
    for name, value in (given or {}).items():
        having = [cell for cell in cells.values() if name in cell and name not in CHOSEN]
        if not having:
            _unknown_parameter(source, name, set().union(*cells.values()))
        for cell in having:
            value = _value(source, name, value, cell[name])
        checked[name] = value
    return checked


def _value(source: str, name: str, value: Any, default: Any) -> Any:
    """`value` as a notebook takes it whose parameters cell has `default`, refused if it does not fit."""
    if isinstance(default, str):  # YAML reads 2024-12-31 as a date, and nothing as null
        value = "" if value is None else value.isoformat() if type(value) is date else value
    if isinstance(default, float):
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    else:
        fits = type(value) is type(default)
    if not fits:
        wanted = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}
        kind = wanted.get(type(default).__name__, type(default).__name__)
        raise ReproduceError(f"{source}: {name} must be {kind} such as {default!r}, not {value!r}.")
    least = 1 if name in POSITIVE else 0
    if type(default) is int and value < least:
        raise ReproduceError(f"{source}: {name} must be a whole number of at least {least}, not {value!r}.")
    if name in DAYS and not _is_day(value) and (value or default):
        empty = "" if default else " or empty"
        raise ReproduceError(f"{source}: {name} must be a date written YYYY-MM-DD{empty}, not {value!r}.")
    return value


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _check_prices(symbol: str, source: str, as_of: str) -> None:
    try:
        close = prices.load(symbol, source=source).close
    except ValueError as error:
        raise ReproduceError(str(error)) from None
    if (count := len(close.loc[:as_of])) < prices.MIN_ROWS:
        raise ReproduceError(
            f"as_of={as_of} leaves {count:,} closes of {symbol}; at least {prices.MIN_ROWS:,} (five trading years) are "
            f"needed, which there are from {close.index[prices.MIN_ROWS - 1]:%Y-%m-%d} on."
        )


def _output(profile: str, symbol: str, changes: Mapping[str, Any]) -> str:
    """A changed run stays out of the repository's figures and records."""
    parts = [f"{name}-{value}" for name, value in sorted(changes.items())]
    if symbol != SYMBOL:
        parts.insert(0, symbol.removeprefix("^"))
    if parts:
        return "build/" + re.sub(r"[^A-Za-z0-9._-]+", "-", "_".join((profile, *parts)))
    return "build/smoke" if profile == "smoke" else ""


# --- one notebook ---------------------------------------------------------------------------------------------------


def convert(notebook: str, target: Path) -> None:
    """Write the notebook of a percent script to `target`, an .ipynb file; cell ids follow the cells' order."""
    import jupytext

    content = jupytext.read(paths.NOTEBOOKS / f"{notebook}.py")
    content.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    for number, cell in enumerate(content.cells):
        cell["id"] = f"cell-{number:03d}"
    target.parent.mkdir(parents=True, exist_ok=True)
    jupytext.write(content, target)


def tidy(source: Path, target: Path) -> None:
    """Copy an executed notebook without what only its run cared about: paths, time stamps, progress on the way.

    A progress bar redraws its line with carriage returns: its last state stays. What TensorFlow says of itself when it
    starts (its lines of level information and warning) goes.
    """
    import nbformat

    content = nbformat.read(source, as_version=4)
    content.metadata.pop("papermill", None)
    for number, cell in enumerate(content.cells):
        cell["id"] = f"cell-{number:03d}"
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = _tidy_streams(cell.outputs)
    figures.write_aside(target, (nbformat.writes(content).rstrip("\n") + "\n").encode())


_TENSORFLOW_SAYS = re.compile(
    r"^(?:WARNING: All log messages before absl|[IW]0000 \d\d:|To enable the following).*\n?", re.M
)


def _tidy_streams(outputs: Sequence[Any]) -> list[Any]:
    """Outputs with neighbouring pieces of one stream joined and cleaned; empty ones are left out."""
    joined: list[Any] = []
    for output in outputs:
        before = joined[-1] if joined else None
        if output.output_type == "stream" and before and before.get("name") == output.name:
            before.text += output.text
        else:
            joined.append(output)
    for output in joined:
        if output.output_type == "stream":
            text = re.sub(r"[^\n]*\r(?!\n|$)", "", output.text).replace("\r", "")
            output.text = _TENSORFLOW_SAYS.sub("", text)
    return [o for o in joined if o.output_type != "stream" or o.text.strip()]


def error_in(executed: Path) -> str:
    """The first error in an executed notebook, in short: its cell's source and the end of the traceback.

    Empty if there is none, or no whole notebook: papermill may have been killed or the disk full while it wrote.
    """
    import nbformat

    try:
        cells = nbformat.read(executed, as_version=4).cells
    except (OSError, ValueError, AttributeError, KeyError, TypeError, nbformat.ValidationError):
        return ""
    for cell in cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                trace = "\n".join(output.traceback)
                plain = re.sub(r"\x1b\[[0-9;]*m", "", trace).splitlines()
                shown = ["    " + line for line in cell.source.splitlines()[:12]] + ["", *plain[-12:]]
                return "\n".join(shown)
    return ""


def _start(step: Step, build: Path) -> subprocess.Popen:
    """Papermill on one step, in a process of its own."""
    source = build / f"{step.name}.ipynb"  # of this step alone: the other protocol's papermill may be reading its own
    convert(step.notebook, source)
    (build / f"{step.name}.json").write_text(json.dumps(dict(step.parameters)), encoding="utf-8")
    executed = build / f"{step.name}.executed.ipynb"
    executed.unlink(missing_ok=True)
    command = [sys.executable, "-m", "helpers.lifeline", str(os.getpid()), "papermill", str(source), str(executed)]
    command += ["-f", str(build / f"{step.name}.json"), "-k", "python3", "--cwd", str(paths.ROOT)]
    command += ["--no-progress-bar", "--log-level", "ERROR"]
    environment = os.environ | {
        "JUPYTER_PREFER_ENV_PATH": "1",  # this environment's kernel, not one of the same name in the home folder
        "PYTHONPATH": os.pathsep.join(filter(None, (str(paths.ROOT), os.environ.get("PYTHONPATH", "")))),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "-1"),  # the papers' networks are small
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # a debugger's warning at the kernel's start
        "PYTHONWARNINGS": "ignore:IProgress not found",  # tqdm misses a widget that rendered notebooks cannot show
        progress.STATE_FILE: str(build / f"{step.name}.state"),  # what the notebook's bars say, for this process
    }
    (build / f"{step.name}.state").unlink(missing_ok=True)
    with (build / f"{step.name}.log").open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=paths.ROOT)


# --- the run --------------------------------------------------------------------------------------------------------


@contextmanager
def lock(outputs: paths.Outputs) -> Iterator[None]:
    """Holds the folder for this run; the system lets go of it when the process ends, however it ends.

    Raises
    ------
    ReproduceError
        If another run holds it.
    """
    path = outputs.root / "build" / "reproduce.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ReproduceError(
                f"Another reproduction (process {file.read().strip() or 'unknown'}) writes into this folder; "
                "wait for it, end it, or choose another folder with --output."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def run(steps: Sequence[Step], *, jobs: int = 2, watch: schedule.Watch | None = None) -> dict[str, str]:
    """Execute `steps`, at most `jobs` at a time, each after those it needs.

    A step that fails stops those that need it and no others; its rendered notebook of an earlier run stays.

    Parameters
    ----------
    steps : sequence of Step
    jobs : int
        Notebooks at the same time.
    watch : schedule.Watch, optional
        Says how it stands, and keeps the minutes.

    Returns
    -------
    dict
        Name of a step -> "" if it succeeded, otherwise why not.
    """
    watch = watch or schedule.Watch(steps, schedule.Expectation({}), jobs)
    waiting, running = list(steps), {}
    done: dict[str, str] = {}
    try:
        while waiting or running:
            for step in list(waiting):
                broken = [name for name in step.needs if done.get(name)]
                if broken:
                    done[step.name] = f"not run: it needs {broken[0]}"
                    watch.ended(step.name, done[step.name])
                    waiting.remove(step)
                elif len(running) < jobs and all(name in done for name in step.needs):
                    build = step.outputs.root / "build" / "notebooks"
                    running[step.name] = (step, build, time.monotonic(), _start(step, build))
                    waiting.remove(step)
            for name, (step, build, started, process) in list(running.items()):
                if process.poll() is None:
                    continue
                del running[name]
                done[name] = _finish(step, build, process.returncode)
                watch.ended(name, "failed" if done[name] else "done", (time.monotonic() - started) / 60)
                if done[name]:
                    log.error("%s", done[name])
            watch.tick(
                {
                    name: ((time.monotonic() - started) / 60, progress.state(build / f"{name}.state"))
                    for name, (_, build, started, _) in running.items()
                }
            )
            time.sleep(0.2)
    finally:
        watch.close()
        for *_, process in running.values():
            process.send_signal(signal.SIGINT)  # papermill then ends its kernel
        for *_, process in running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
    return done


def _finish(step: Step, build: Path, status: int) -> str:
    executed = build / f"{step.name}.executed.ipynb"
    if status == 0:
        tidy(executed, step.rendered)
        executed.unlink()
        return ""
    said = (build / f"{step.name}.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return error_in(executed) or "\n".join(said[-12:]) or f"the notebook's process ended with status {status}"


def missing_items(outputs: paths.Outputs) -> list[str]:
    """Items of the papers for which no figure or table is there."""
    there = {item for entry in figures.read_entries(outputs) for item in entry["items"]}
    return [item for item in figures.ITEMS if item not in there]


def fetch(symbol: str) -> str:
    """Have closes of `symbol` to work with: those in data/raw, else a download, else the packaged series.

    Returns
    -------
    str
        One sentence: what will be used.

    Raises
    ------
    ReproduceError
        If there are none: only the S&P 500 is packaged.
    """

    try:
        try:
            return prices.load(symbol, source="raw").caption + "."
        except prices.PricesError:
            if (paths.RAW / f"{symbol.upper().removeprefix('^')}.csv").exists():
                raise
        for name in ("helpers.prices", "yfinance"):  # their words on attempts; the outcome is said here
            logging.getLogger(name).setLevel(logging.CRITICAL)
        return prices.download(symbol, delays=()).caption + "."  # a reproduction does not wait; `make data` tries again
    except prices.NoAnswer as error:
        try:
            packaged = prices.load(symbol, source="packaged").caption
        except prices.PricesError:
            raise ReproduceError(f"{error} Only ^GSPC has a packaged series.") from None
        return f"{error.what}: going on with {packaged}."
    except prices.PricesError as error:
        raise ReproduceError(str(error)) from None


def _changes(pairs: Sequence[str]) -> dict[str, Any]:
    import yaml

    for pair in pairs:
        if "=" not in pair:
            raise ReproduceError(f"--set takes name=value, not {pair!r}.")
    changes = {}
    for name, value in (pair.split("=", 1) for pair in pairs):
        try:
            changes[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ReproduceError(f"--set {name}: {_problem(error)}.") from None
    return changes


def _where(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}" if mark else ""


def _problem(error: Any) -> str:
    """What is wrong with a YAML text, in one line."""
    return " ".join(str(getattr(error, "problem", None) or error).split())


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 0 if every notebook succeeded."""
    parser = argparse.ArgumentParser(prog="python -m helpers.reproduce", description="Execute the notebooks.")
    parser.add_argument("--profile", default="default", help=f"one of {', '.join(PROFILES)}")
    parser.add_argument("--symbol", default=SYMBOL, help="Yahoo Finance's name of the index")
    parser.add_argument("--protocols", default="", help="comma-separated, instead of those of the profile")
    parser.add_argument("--only", default="", help="comma-separated notebooks, such as 02,05")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a parameter")
    parser.add_argument("--draw-only", action="store_true", help="redraw from the records; train nothing")
    parser.add_argument("--jobs", type=int, default=2, help="notebooks at the same time")
    parser.add_argument("--output", default="", help="folder to write into, relative to the repository")
    parser.add_argument("--keep", action="store_true", help="go on with the records of a smoke run; --only always does")
    parser.add_argument("--fetch", action="store_true", help="only see to it that there are closes")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    only = [n for n in options.only.split(",") if n]
    try:
        if options.fetch:
            log.info("%s", fetch(options.symbol))
            return 0
        steps = plan(
            options.profile,
            symbol=options.symbol,
            protocols=[p for p in options.protocols.split(",") if p],
            only=only,
            changes=_changes(options.set),
            draw_only=options.draw_only,
            output=options.output,
        )
        with lock(steps[0].outputs):
            keep = options.keep or bool(only)  # notebooks run alone read the records of the others
            return _report(steps, max(1, options.jobs), options.draw_only, keep=keep)
    except (ReproduceError, records.RecordsError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (figures.WriteError, figures.EntryError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        if error.errno not in paths.UNWRITABLE:
            raise
        name = Path(os.fsdecode(error.filename)).name if error.filename else "A file under build/"
        sys.stderr.write(f"{name} cannot be written: {error.strerror}; what was made before stays as it was.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; the same command continues where it was.\n")
        return 130


def _report(steps: Sequence[Step], jobs: int, draw_only: bool, *, keep: bool = False) -> int:
    first, started, since = steps[0], time.monotonic(), time.time()
    profile, outputs = first.parameters["profile"], first.outputs
    where = os.path.relpath(outputs.root, paths.ROOT)
    data = prices.load(first.parameters["symbol"], source=first.parameters.get("source", "auto"))
    if profile == "smoke" and not (draw_only or keep):  # a check starts from nothing
        shutil.rmtree(outputs.studies("smoke"), ignore_errors=True)
    moved = _settle(steps, data)
    log.info("Profile %s: %d notebooks, %d at a time.", profile, len(steps), jobs)
    log.info("Data: %s.", data.caption)
    log.info("Writes into %s.%s", "the repository" if where == "." else where, " Trains nothing." if draw_only else "")
    for sentence in moved:
        log.info("%s", sentence)
    whole = {step.notebook for step in steps} == set(NEEDS)
    fresh = not draw_only and not records.files(outputs.studies(profile))
    expected = schedule.Expectation({}) if draw_only else schedule.expect([s.name for s in steps], outputs, profile)
    log.info("%s", schedule.plan_text(steps, expected, jobs))
    watch = schedule.Watch(steps, expected, jobs)
    done = run(steps, jobs=jobs, watch=watch)
    failed = [name for name, reason in done.items() if reason]
    figures.write_index(outputs)
    missing = missing_items(outputs) if whole and not failed else []
    if whole and fresh and not failed:
        schedule.learn(outputs, profile, watch.took, expected.calibrated, whole=(time.monotonic() - started) / 60)
    log.info("%s", schedule.summary_text(steps, done, watch.took, expected, since, profile))
    if missing:
        log.error("Items without a file: %s.", ", ".join(missing))
    minutes = (time.monotonic() - started) / 60
    log.info("%d of %d notebooks succeeded in %.1f minutes.", len(done) - len(failed), len(done), minutes)
    return 1 if failed or missing else 0


def _settle(steps: Sequence[Step], data: prices.Prices) -> list[str]:
    """Records on other closes are set aside or refused before a notebook stumbles over them; see `records.settle`."""
    reading = [step.parameters for step in steps if "train" in step.parameters]
    if not reading:
        return []
    first, others = reading[0], []
    for symbol in " ".join(str(p.get("others", "")) for p in reading).split():
        with suppress(prices.PricesError):  # notebook 08 leaves it out and says so
            others += [prices.load(symbol, source="raw")] if data.source != "packaged" else []
    return records.settle(
        steps[0].outputs, first["profile"], data, first["as_of"], others=others, train=bool(first["train"])
    )


if __name__ == "__main__":
    sys.exit(main())
