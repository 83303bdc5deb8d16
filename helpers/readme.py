"""The README's numbers, filled from the records: `python -m helpers.readme` rewrites the marked blocks.

A block stands between `<!-- NAME: generated -->` and `<!-- end -->`; whoever edits it by hand loses the edit, and a
test compares every block with the records.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from helpers import (
    answer,
    contest_words,
    endure,
    figures,
    forecast_verdicts,
    paths,
    published,
    replication,
    schedule,
    study,
    tables,
)
from helpers.answer import PROTOCOLS, TUNERS, claims, errors

README = paths.ROOT / "README.md"


def results() -> str:
    """The headline table: best MSE of each tuner, the papers' beside ours under both protocols, and yesterday's close.

    Raises
    ------
    study.StudyError
        If a study is missing from the records that the rendered notebooks show.
    """
    folder = answer.shown()
    rows = []
    for tuner, (label, which, within) in TUNERS.items():
        row = {"Tuner": label, "Paper": str(published.HEADLINE[which]) if which else "–"}
        for name in PROTOCOLS:
            records = study.records(study.load(f"{tuner}_{name}", folder)).head(within)
            best = records.loc[records["mse"].idxmin()]
            row[f"Ours, {name}"] = (
                f"best MSE {figures.number(best.mse)} at iteration {best.iteration} of {len(records)}, "
                f"{records['seconds'].sum():,.0f} s in all"
            )
        rows.append(row)
    naive = {"Tuner": "**Yesterday's close, no model**", "Paper": "–"}
    winners = []
    for name, error in zip(PROTOCOLS, errors(folder), strict=True):
        naive[f"Ours, {name}"] = f"**MSE {figures.number(error)}**"
        better = [label for tuner, (label, *_) in TUNERS.items() if _best(f"{tuner}_{name}", folder) < error]
        winners += [f"{label} under {name}" for label in better]
    papers = [p for p in ("generator", "bayesian", "gan") if published.headline(p).best_mse < max(errors(folder))]
    return f"{tables.markdown(pd.DataFrame([*rows, naive]))}\n{winners_text(winners, papers)}\n"


def winners_text(ours: Sequence[str], papers: Sequence[str]) -> str:
    """Which results beat yesterday's close, in a sentence: ours ("GAN under described") and the papers' by table."""
    if not ours and not papers:
        return "No result of ours under either protocol, and no published one, beats yesterday's close."
    mine = f"Of our results {', '.join(ours)}" if ours else "None of our results under either protocol"
    theirs = f"of the published ones those of {', '.join(papers)}" if papers else "none of the published ones"
    return f"{mine} and {theirs} beat yesterday's close."


def _best(name: str, folder: Path) -> float:
    return float(study.records(study.load(name, folder))["mse"].min())


def speed(root: str | Path = "") -> str:
    """What `make bench` last measured, as a table of the few numbers that answer how fast.

    Raises
    ------
    ValueError
        If the measurement lacks one of them.
    """
    totals = pd.read_csv(paths.outputs(root).tables / "bench_training_totals.csv", keep_default_na=False)
    note = (paths.outputs(root).tables / "bench_training_totals.md").read_text("utf-8").partition("\n")[0]
    measured = dict(
        zip(totals["quantity"], zip(totals["value"].astype(float), totals["unit"], strict=True), strict=True)
    )

    def value(quantity: str) -> float:
        if quantity not in measured:
            raise ValueError(f"bench_training_totals.csv has no {quantity!r}; run: make bench")
        return measured[quantity][0]

    least = "least ratio, all cores"
    rows = {
        "Keras `fit`, all cores": f"{value('Keras fit, all cores'):,.0f} s, extrapolated from the time of a step",
        "Fast engine, all cores": _times("fast engine, all cores", "total, all cores: times as fast", value),
        "Fast engine, one core": _times("fast engine, one core", "total, one core: times as fast", value),
        "Fast engine, two processes of one core each": _times(
            "fast engine, two workers", "total, two workers: times as fast", value
        ),
        "Least gain of one configuration, all cores": f"{value(least):,.1f} times as fast "
        f"({_row_text(measured[least][1])})",
        "Floor": f"{value('floor: the arithmetic at that speed'):,.0f} s: what the same multiplications and additions "
        "would take at the speed of one large matrix product, all cores",
    }
    count = f"{value('configurations'):.0f} published configurations, 10 epochs each"
    text = pd.DataFrame({count: rows.keys(), "Time": rows.values()})
    return f"{tables.markdown(text)}\n{note} [All that was measured](figures/tables/bench_training_totals.md).\n"


def _times(seconds: str, ratio: str, value: Callable[[str], float]) -> str:
    return f"{value(seconds):,.0f} s, {value(ratio):,.0f} times as fast"


def _row_text(row: str) -> str:
    """A published row in words: "gan 1" is row 1 of the GAN paper's table."""
    table, _, number = row.partition(" ")
    names = {"generator": "table 8", "bayesian": "table 9", "gan": "appendix B of the GAN paper"}
    return f"row {number} of {names[table]}" if table in names else row


def times(root: str | Path = "") -> str:
    """What `make reproduce` last took from nothing, notebook by notebook, and what the replay of profile full cost.

    Raises
    ------
    ledger.LedgerError
        For damaged records of the replay.
    """
    outputs = paths.outputs(root)
    last = schedule.read(outputs, "default")
    rows = pd.DataFrame({"Notebook": last["minutes"].keys(), "Minutes": [f"{m:.1f}" for m in last["minutes"].values()]})
    whole = f"{last['whole']:.0f} minutes from nothing" if last["whole"] else "as long as these"
    replayed = replication.records(outputs.studies("full"))
    return (
        f"`make reproduce` took {whole} on {last['machine']}, two notebooks at a time:\n\n{tables.markdown(rows)}\n"
        f"The committed records of notebook 06 (profile `full`, {replayed['seed'].nunique()} seeds) hold "
        f"{len(replayed):,} trainings of the published configurations, {replayed['seconds'].sum() / 3600:.1f} hours of "
        "one core; `make figures` redraws them in minutes.\n"
    )


BLOCKS: dict[str, Callable[[], str]] = {
    "answer": answer.markdown,
    "results": results,
    "forecasts": forecast_verdicts.verdict_markdown,
    "claims": claims,
    "tuners": contest_words.written_answer,
    "hybrid": lambda: contest_words.written_answer(name=contest_words.HYBRIDS),
    "speed": speed,
    "times": times,
    "promises": endure.promises,
}


def fill(text: str, blocks: dict[str, Callable[[], str]] | None = None) -> str:
    """`text` with every marked block made anew.

    Raises
    ------
    ValueError
        For a block of an unknown name, or one that has no end.
    """
    blocks = BLOCKS if blocks is None else blocks

    def made(match: re.Match) -> str:
        name = match["name"]
        if name not in blocks:
            raise ValueError(f"The README has a block named {name!r}; known blocks are {', '.join(blocks)}.")
        return f"<!-- {name}: generated -->\n\n{blocks[name]().strip()}\n\n<!-- end -->"

    starts = len(re.findall(r"<!-- \w+: generated -->", text))
    filled, done = re.subn(r"<!-- (?P<name>\w+): generated -->.*?<!-- end -->", made, text, flags=re.DOTALL)
    if done != starts:
        raise ValueError("A generated block of the README has no <!-- end -->.")
    return filled


def main() -> None:
    """Rewrite the README's generated blocks."""
    README.write_text(fill(README.read_text("utf-8")), "utf-8")
    sys.stdout.write("README.md is up to date with the records.\n")


if __name__ == "__main__":
    main()
