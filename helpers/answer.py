"""The answer in short and in numbers, and the papers' claims in short, for the README and the supplement.

Everything is counted or divided from committed records and tables; nothing is trained or drawn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from helpers import figures, intervals, paths, published, study
from helpers.claims import VERDICTS

PROTOCOLS = ("described", "published")
# Tuner -> (study, its label, published run, iterations counted).
TUNERS = {
    "generator": ("Generator", "generator", 20),
    "bayesian": ("Bayesian optimisation, raw ranges", "bayesian", None),
    "bayesian_warped": ("Bayesian optimisation, warped space", None, None),
    "gan": ("GAN", "gan", 20),
}
NAIVE = "yesterday's close"
# What a cell of the claims' table says for a verdict; the verdict over all is written out.
SHORT = {"holds": "yes", "holds in part": "in part", "does not hold": "no", "cannot be judged": "?"}


class AnswerError(ValueError):
    """Something that the answer needs and that is not there; the message is one sentence."""


@dataclass(frozen=True)
class Tile:
    """One number of the answer: the number, what it counts, and a sentence."""

    number: str
    unit: str
    text: str


def shown() -> Path:
    """The studies that the rendered notebooks show: of the profile that notebook 02 was rendered with.

    Raises
    ------
    AnswerError
        If it was not rendered.
    """
    path = paths.outputs().rendered / f"02_generator_tuner_{PROTOCOLS[0]}.ipynb"
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        given = next(c["source"] for c in cells if "injected-parameters" in c["metadata"].get("tags", ()))
        return paths.outputs().studies(re.search(r'^profile = "(\w+)"$', "".join(given), re.MULTILINE)[1])
    except (OSError, ValueError, LookupError, TypeError, StopIteration):
        raise AnswerError(f"{path.name} is missing or damaged; run it first: make figures.") from None


def errors(folder: Path) -> list[float]:
    """MSE of yesterday's close under each protocol, as stored with the studies: closes are not ours to commit."""
    return [float(study.load(f"generator_{name}", folder).user_attrs["naive_mse"]) for name in PROTOCOLS]


def claims(root: str | Path = "") -> str:
    """The papers' claims, judged by notebook 06: its short table, the verdict first and the evidence in few words.

    Raises
    ------
    ValueError
        If the table has other columns than are known here.
    """
    lines = (paths.outputs(root).tables / "claims_short.md").read_text("utf-8").strip().splitlines()
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in lines)
    if head[:3] != ["Claim", "Where", "As printed"] or head[-1] != "Verdict":
        raise ValueError(f"claims_short.md has the columns {', '.join(head)}; Claim, Where, As printed, ..., Verdict.")
    said = [["Verdict", "Claim", "Where", *head[2:-1]]]
    for claim, where, *judged, verdict in rows:
        said.append([verdict, claim, where, *(_short(cell) for cell in judged)])
    said.insert(1, ["---"] * len(said[0]))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in said)


def _short(cell: str) -> str:
    """The verdicts of a cell in few words: "rows yes, tuners ?"."""
    parts = (part.rpartition(": ") for part in cell.split("; "))
    return ", ".join(f"{basis} {SHORT.get(verdict, verdict)}".strip() for basis, _, verdict in parts)


@dataclass(frozen=True)
class Contest:
    """The papers' tuners against random search on the benchmark, from the table of notebook 07.

    Attributes
    ----------
    better : mapping of str to list of Estimate
        Tuner -> the share of its searches that end below random search's, a problem each.
    problems : list of str
    seeds : int
        Of the problem with fewest.
    trained : mapping of str to mapping of str to Estimate
        Tuner -> problem -> the same with real trainings; empty where there are none.
    """

    better: Mapping[str, list[intervals.Estimate]]
    problems: list[str]
    seeds: int
    trained: Mapping[str, Mapping[str, intervals.Estimate]]

    def mean(self, tuner: str) -> float:
        """The mean share over the problems."""
        return sum(share.value for share in self.better[tuner]) / len(self.problems)

    def words(self, tuner: str) -> str:
        """On how many problems of the benchmark the tuner is better or worse than random search beyond chance."""
        return _words(self.better[tuner])


def _words(shares: Sequence[intervals.Estimate]) -> str:
    """On how many problems a tuner is better or worse than random search beyond chance, from a share of each."""
    n = len(shares)
    better, worse = sum(s.low > 0.5 for s in shares), sum(s.high < 0.5 for s in shares)
    if n == 1:
        return f"{'better than' if better else 'worse than' if worse else 'not distinguishable from'} random search"
    for count, word in ((better, "better than"), (worse, "worse than")):
        if count == n:
            return f"{word} random search on all {n} problems"
    found = [f"{word} on {count}" for count, word in ((better, "better"), (worse, "worse")) if count]
    if not found:
        return f"not distinguishable from random search on any of {n} problems"
    found[0] = found[0].replace(" on", " than random search on", 1)
    return f"{' and '.join(found)} of {n} problems"


def contest() -> Contest:
    """How often each of the papers' tuners ends below random search, by problem of the benchmark.

    Raises
    ------
    AnswerError
        If notebook 07 has not been run.
    """
    path = paths.outputs().tables / "B-tab02.csv"
    if not path.is_file():
        raise AnswerError(f"{path.name} is missing; run notebook 07 first.")
    met = pd.read_csv(path)
    met = met[met["Rival"] == figures.LABELS["random"]]
    rows, trained = (
        {t: met[(met["Tuner"] == figures.LABELS[t]) & (met["Evaluated by"] == how)] for t in ("generator", "gan")}
        for how in ("surrogate", "training")
    )
    problems = list(rows["generator"]["Problem"])
    if not problems or problems != list(rows["gan"]["Problem"]):
        raise AnswerError(f"{path.name} holds no contest of the papers' tuners with random search.")
    shares, real = (
        {
            tuner: {
                r["Problem"]: intervals.proportion(r["P(better)"] * r["Seeds"], int(r["Seeds"]))
                for _, r in of_it.iterrows()
            }
            for tuner, of_it in tables.items()
        }
        for tables in (rows, trained)
    )
    better = {tuner: list(by_problem.values()) for tuner, by_problem in shares.items()}
    return Contest(better, problems, int(min(of_it["Seeds"].min() for of_it in rows.values())), real)


def in_short() -> str:
    """The answer in a few sentences."""
    tuners, (better, searches), counts = contest(), _better(), verdicts()
    said = f"the generator is {tuners.words('generator')}, and the GAN is {tuners.words('gan')}"
    return (
        f"With the same number of trials, on a benchmark fitted to trainings, {said}.{_trained(tuners)} "
        f"{better or 'None'} of the {searches} searches of notebooks 02 to 04 found an LSTM that forecasts better than "
        f"repeating {NAIVE}. {counts[VERDICTS[0]] or 'None'} of the papers' {sum(counts.values())} claims "
        f"{'holds' if counts[VERDICTS[0]] == 1 else 'hold'} by the rules of notebook 06."
    )


def _trained(tuners: Contest) -> str:
    """What real trainings say of the same, a sentence where there are any."""
    found = {t: list(shares.values()) for t, shares in tuners.trained.items() if shares}
    if not found:
        return ""
    names = {"generator": "generator", "gan": "GAN"}
    n = _from_to(s.n for shares in found.values() for s in shares)
    if any(s.low > 0.5 or s.high < 0.5 for shares in found.values() for s in shares):
        said = ", and ".join(f"the {names[t]} is {_words(shares)}" for t, shares in found.items())
        return f" With real trainings, {n} searches each, {said}."
    problems = max(map(len, found.values()))
    on = f" on each of {problems} problems" if problems > 1 else " each"
    return (
        f" {n} searches{on} with real trainings cannot tell {'either' if len(found) > 1 else 'it'} from random search."
    )


def _better() -> tuple[int, int]:
    """How many of our searches found an LSTM better than yesterday's close, and how many there are."""
    folder = shown()
    best = [
        (float(study.records(study.load(f"{tuner}_{name}", folder))["mse"].min()), error)
        for tuner in TUNERS
        for name, error in zip(PROTOCOLS, errors(folder), strict=True)
    ]
    return sum(mse < error for mse, error in best), len(best)


def tiles() -> list[Tile]:
    """The answer in numbers, each counted or divided from the committed records.

    Raises
    ------
    study.StudyError, AnswerError
        If a record is missing.
    """
    naive = errors(shown())
    better, searches = _better()
    tuners = contest()
    theirs = min(published.headline(run).best_mse for run in ("generator", "bayesian", "gan"))
    ratios = sorted(theirs / error for error in naive)
    series = _validity()
    counts = verdicts()
    return [
        Tile(
            " and ".join(f"{_percent(tuners.mean(t))}\N{NO-BREAK SPACE}%" for t in tuners.better),
            "of the searches",
            f"of the generator and of the GAN beat random search with the same seed; 50 % is a draw. {_where(tuners)}"
            + _in_trainings(tuners),
        ),
        Tile(
            f"{better} of {searches}",
            "searches",
            f"found an LSTM that forecasts better than repeating {NAIVE}. Each tuner searched under both readings of "
            "how the papers split their data.",
        ),
        Tile(
            f"{ratios[0]:.2g} to {ratios[-1]:.2g} times",
            f"the error of {NAIVE}",
            "is the lowest error that either paper prints, depending on how the test days were chosen.",
        ),
        Tile(
            f"{series['change_ratio']:.4f} times",
            f"the error of {NAIVE}",
            f"is the squared error (of returns) of an LSTM that forecasts the day's change and is tuned without the "
            f"test days ({series['name']}, {series['days']:,} days; single seeds {series['change_least']:.4f} to "
            f"{series['change_largest']:.4f}); a mere drift has {series['drift_ratio']:.4f} times. One that forecasts "
            f"the close itself, as in the papers: {figures.number(series['level_ratio'], 4)} times (single seeds "
            f"{figures.number(series['level_least'], 4)} to {figures.number(series['level_largest'], 4)}).",
        ),
        Tile(
            f"{counts[VERDICTS[0]]} of {sum(counts.values())}",
            "claims hold",
            "by the rules of notebook 06, over everything that can judge them: "
            + ", ".join(f"{counts[v]} {many(v, counts[v])}" for v in VERDICTS[1:])
            + ".",
        ),
    ]


def _percent(share: float) -> str:
    """A share in percent, rounded as notebook 07 prints it: to two digits first."""
    return f"{100 * float(f'{round(share, 9):.2f}'):.0f}"


def _where(tuners: Contest) -> str:
    """What the contest's shares are of, and how far they lie apart."""
    of = f"{tuners.seeds} seeds with 20 trials on the benchmark of notebook 07"
    if len(tuners.problems) == 1:
        return f"{of} ({tuners.problems[0]})."
    ranges = [
        f"{_percent(min(s.value for s in shares))} to {_percent(max(s.value for s in shares))}"
        for shares in tuners.better.values()
    ]
    return (
        f"{of}, on each of {len(tuners.problems)} problems (a space to search and a way to split the days): "
        f"{ranges[0]} % and {ranges[1]} % from problem to problem."
    )


def _in_trainings(tuners: Contest) -> str:
    """The shares in real trainings, where there are any: the tuners' in the order of the tile, problem by problem."""
    found = list(tuners.trained.values())
    problems = [p for p in found[0] if all(p in shares for shares in found)]
    if not problems:
        return ""
    n = _from_to(shares[p].n for shares in found for p in problems)
    widest = max(s.high - s.low for shares in found for s in (shares[p] for p in problems))
    ends = (_from_to(int(_percent(shares[p].value)) for p in problems) for shares in found)
    known = f"each with a 95 % interval of up to {100 * widest:.0f} points"
    return f" In {n} searches each with real trainings: {' % and '.join(ends)} %, {known}."


def _from_to(values: Iterable[int]) -> str:
    found = sorted(values)
    return f"{found[0]}" if found[0] == found[-1] else f"{found[0]} to {found[-1]}"


def many(verdict: str, count: int = 2) -> str:
    """A verdict as said of `count` claims: 5 hold in part, 1 does not hold."""
    if count == 1:
        return verdict
    return verdict.replace("does not", "do not").replace("holds", "hold")


def verdicts() -> dict[str, int]:
    """How many claims got each verdict over all, from the committed short table."""
    said = re.findall(r"^\| \*\*([a-z ]+)\*\* \|", claims(), re.MULTILINE)
    if not said:
        raise AnswerError("claims_short.md holds no verdicts; run notebook 06 again: `make figures`.")
    return {verdict: said.count(verdict) for verdict in VERDICTS}


def _validity() -> dict[str, float | str | int]:
    """Errors over that of yesterday's close on the test part of the first series of V-tab05, the papers' own."""
    path = paths.outputs().tables / "V-tab05.csv"
    if not path.is_file():
        raise AnswerError(f"{path.name} is missing; run notebook 08 first.")
    row = pd.read_csv(path).iloc[0]
    return {
        "name": row["series"],
        "days": int(row["days"]),
        **{f"change_{end}": float(row[f"change_{end}"]) for end in ("ratio", "least", "largest")},
        **{f"level_{end}": float(row[f"level_{end}"]) for end in ("ratio", "least", "largest")},
        "drift_ratio": float(row["drift_ratio"]),
    }


def markdown() -> str:
    """The answer as the README prints it."""
    said = [f"- **{tile.number} {tile.unit}** {tile.text}" for tile in tiles()]
    return "\n".join([f"**{in_short()}**", "", *said])
