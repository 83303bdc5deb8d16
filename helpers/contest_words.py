"""What notebook 07 says in words: who is better than whom, how far the bases agree, and the answer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from helpers import contest_stats, figures, paths
from helpers.contest_plots import Problem, name_of
from helpers.contest_report import ABLATIONS, led, rivals_of
from helpers.entrants import EVALUATIONS
from helpers.figures import LABELS, number
from helpers.intervals import Estimate

ANSWER = "tuners_answer.md"
HYBRIDS = "hybrid_answer.md"
LEAST = 0.6  # P(improvement) over every other tuner that the hybrid was to reach
TUNED_ON: Problem = ("generator", "described")  # the hybrid's settings were chosen on it, with other seeds


def share(row: Any) -> str:
    """P(improvement) with its interval. What sums leave in the last digits must not decide how 0.205 is rounded."""
    return f"{round(row.win, 9):.2f} [{row.win_low:.2f}, {row.win_high:.2f}]"


def word(row: Any) -> str:
    """Whether a tuner is better than its rival beyond chance, by the interval of P(improvement)."""
    return "better than" if row.win_low > 0.5 else "worse than" if row.win_high < 0.5 else UNDECIDED


UNDECIDED = "not distinguishable from"


def standing(finals: Mapping[Problem, pd.DataFrame], tuner: str, rival: str, called: str = "") -> str:
    """Whether a tuner is better or worse than a rival: on each problem by its own interval, then on average.

    An average alone would call a tuner that wins on one problem and loses on another the rival's equal. Where P's
    interval and the paired test of the errors' ratio, at 5 %, part, that is added: a tuner may win as often as it loses
    and win by more, or win more often and by nothing that the errors' spread leaves certain.

    Parameters
    ----------
    finals : mapping of problem to pandas.DataFrame
        `contest_stats.results`; both met in at least one.
    tuner, rival : str
    called : str
        What the rival is called; its label unless given.
    """
    rows = {p: row for p, f in finals.items() if (row := pair({p: f}, tuner, rival)) is not None}
    average, called = share(pair(finals, tuner, rival)), called or LABELS[rival]
    groups: dict[str, list[Problem]] = {}
    for problem, row in rows.items():
        groups.setdefault(word(row), []).append(problem)
    tested = {p: contest_stats.against(finals[p], rival, [tuner]).iloc[0] for p in rows}
    unlike = [
        f"{r['ratio']:.2f} [{r['ratio_low']:.2f}, {r['ratio_high']:.2f}] times the other's on {name_of(p)}"
        for p, r in tested.items()
        if (r["p"] < 0.05) != (p not in groups.get(UNDECIDED, ()))
    ]
    though = f"; its errors are, in the geometric mean, {', '.join(unlike)}" if unlike else ""
    if len(groups) == 1:
        where = "" if len(rows) == 1 else f" on all {len(rows)} problems"
        on_average = " on average" if where else ""
        return f"{next(iter(groups))} {called}{where} (P(improvement) {average}{on_average}{though})"
    parts = []
    for verdict in sorted(groups, key=["better than", "worse than", UNDECIDED].index):
        one_by_one = "; ".join(f"{name_of(p)}: {share(rows[p])}" for p in groups[verdict])
        first = f"{verdict} {called}" if not parts else verdict.removesuffix(" than").removesuffix(" from")
        on = f"on {len(groups[verdict])}" + ("" if parts else f" of {len(rows)} problems")
        parts.append(f"{first} {on}" + (f" ({one_by_one})" if verdict != UNDECIDED else ""))
    over_all = f"over all {len(rows)} P(improvement) {average} on average{though}"
    return f"{', '.join(parts[:-1])} and {parts[-1]} ({over_all})"


def pair(finals: Mapping[Any, pd.DataFrame], tuner: str, rival: str) -> Any:
    """The row of `contest_stats.pairs` for two tuners over several problems; None where they never met."""
    found = list(contest_stats.pairs(finals, [tuner], [rival]).itertuples())
    return found[0] if found else None


def aim(
    finals: Mapping[Problem, pd.DataFrame], tuner: str = "hybrid", *, least: float = LEAST, missed: bool = True
) -> str:
    """Whether the hybrid beats every other as often as it was to, P(improvement) of `least` and beyond chance.

    Its own variants do not count. What it reaches on the problem it was tuned on is told apart. `missed`: whether to
    list where it does not.
    """
    tables = {problem: led(frame, tuner) for problem, frame in finals.items()}
    reached = {p: _reached(t, least) for p, t in tables.items()}
    met, good = sum(map(len, reached.values())), int(sum(r.sum() for r in reached.values()))
    if not met:
        return "The hybrid took no part."
    fresh = [r for p, r in reached.items() if p != TUNED_ON]
    apart = ""
    if fresh and len(fresh) < len(reached):
        apart = (
            f" On the {len(fresh)} problem{'s' if len(fresh) > 1 else ''} that its settings were not chosen on: "
            f"{int(sum(r.sum() for r in fresh))} of {sum(map(len, fresh))}."
        )
    if good == met:
        variants = [without for whole, without in ABLATIONS if whole == tuner]
        but = " but its own variant" if any(v in frame for v in variants for frame in finals.values()) else ""
        return (
            f"The hybrid beats every other tuner{but} on every problem with P(improvement) of at least {least:g}: "
            f"{met} of {met} pairs.{apart}"
        )
    where = "; ".join(
        f"{name_of(p)}: {', '.join(f'{LABELS[r.tuner]} {share(r)}' for r in t[~reached[p]].itertuples())}"
        for p, t in tables.items()
        if not reached[p].all()
    )
    return (
        f"P(improvement) of at least {least:g}, with an interval above 1/2, is reached in {good} of {met} "
        f"pairs of another tuner and a problem.{apart}" + (f" Not reached on {where}." if missed else "")
    )


def reached(finals: Mapping[Problem, pd.DataFrame], tuner: str = "hybrid", *, least: float = LEAST) -> str:
    """In how many pairs of another tuner and a problem `aim` is reached: "47 of 48"."""
    pairs = [hit for frame in finals.values() for hit in _reached(led(frame, tuner), least)]
    return f"{sum(pairs)} of {len(pairs)}"


def _reached(table: pd.DataFrame, least: float) -> pd.Series:
    return (table["win"] >= least) & (table["win_low"] > 0.5)


def beside_random(final: pd.DataFrame) -> str:
    """Which tuners are better than random search on one problem beyond chance, which worse, and how many are neither.

    Parameters
    ----------
    final : pandas.DataFrame
        `contest_stats.results`.
    """
    named: dict[str, list[str]] = {}
    for row in contest_stats.against(final, "random").itertuples():
        named.setdefault(word(row), []).append(f"{LABELS[row.tuner]} {share(row)}")
    told = [verdict for verdict in ("better than", "worse than") if verdict in named]
    said = [f"{verdict.removesuffix(' than')}: {', '.join(named[verdict])}" for verdict in told]
    if UNDECIDED in named:
        many = len(named[UNDECIDED])
        said.append(f"not distinguishable: {many} tuner{'s' if many > 1 else ''}")
    return f"with {len(final.dropna())} seeds {'; '.join(said) or 'no other took part'}"


class Agreement(NamedTuple):
    """How alike two contests rank the tuners.

    Attributes
    ----------
    ranks : Estimate
        Rank correlation of the mean ranks, `n` the number of tuners.
    distinct : Estimate
        The same without variants of other tuners (`ABLATIONS`), which share their fate.
    p : float
        Of `distinct`, that so many tuners agree as much by chance: `contest_stats.ranks_p`.
    farthest : str
        The tuner whose places are farthest apart, in words; empty without one.
    """

    ranks: Estimate
    distinct: Estimate
    p: float
    farthest: str


def agreement(one: pd.DataFrame, other: pd.DataFrame) -> Agreement:
    """The contest on the benchmark beside that of real trainings, both from `contest_stats.results`."""
    common = [t for t in one if t in other]
    variants = {without for _, without in ABLATIONS}
    distinct = [t for t in common if t not in variants]
    both = [contest_stats.mean_ranks(f[distinct]).rank() for f in (one, other)]
    apart = (both[0] - both[1]).abs()
    farthest = ""
    if len(distinct) > 1 and apart.max() > 0:
        tuner = apart.idxmax()
        places = f"place {both[0][tuner]:g} of {len(distinct)} on the benchmark and {both[1][tuner]:g} in trainings"
        farthest = f"{LABELS[tuner]}, {places}"
    return Agreement(
        contest_stats.rank_agreement(one[common], other[common]),
        contest_stats.rank_agreement(one[distinct], other[distinct]),
        contest_stats.ranks_p(one[distinct], other[distinct]),
        farthest,
    )


def agreed(found: Mapping[Problem, Agreement]) -> str:
    """Whether the surrogate's contest and that of real trainings rank the tuners alike, in words."""
    if not found:
        return "no problem has both"
    said = []
    for problem, (e, distinct, p, farthest) in found.items():
        if not math.isfinite(distinct.value):
            said.append(f"{name_of(problem)}: too few tuners or seeds to say")
            continue
        few = "" if math.isfinite(distinct.low) else f", fewer than {contest_stats.LEAST_SEEDS} seeds"
        text = f"rank correlation {distinct:.2f} over {distinct.n} tuners{few} (p {figures.p_value(p)})"
        if distinct.n < e.n:
            text += f", {e:.2f} with their variants"
        said.append(f"{name_of(problem)}: {text}" + (f"; farthest apart: {farthest}" if farthest else ""))
    return "; ".join(said)


def agreement_markdown(found: Mapping[Problem, Agreement], knowing: Mapping[Problem, Agreement] | None = None) -> str:
    """How alike benchmark and real trainings rank the tuners, as a table in Markdown.

    Parameters
    ----------
    found : mapping of problem to Agreement
    knowing : mapping of problem to Agreement, optional
        Of landscapes that know the searches with real trainings: a column of its own.
    """

    def shown(e: Estimate) -> str:
        if not math.isfinite(e.value):
            return "–"
        return f"{e:.2f} ({e.n} tuners)" if math.isfinite(e.low) else f"{e.value:.2f} ({e.n} tuners, too few seeds)"

    head = ["Benchmark and real trainings", "Rank correlation", "By chance, p", "With variants of tuners"]
    head += ["Farthest apart", *(["Landscapes that know searches"] if knowing else [])]
    lines = [head, ["---"] * len(head)]
    for problem, a in found.items():
        row = [name_of(problem), shown(a.distinct), figures.p_value(a.p), shown(a.ranks)]
        row += [a.farthest or "none, the same order"]
        if knowing:
            other = knowing.get(problem)
            row += [f"{shown(other.distinct)}, p {figures.p_value(other.p)}" if other else "–"]
        lines.append(row)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def levels(finals: Mapping[Problem, pd.DataFrame], real: Mapping[Problem, pd.DataFrame]) -> str:
    """How far the errors reached on the benchmark lie from those in real trainings, in words.

    Parameters
    ----------
    finals, real : mapping of problem to pandas.DataFrame
        `contest_stats.results`.
    """
    said = []
    for problem in [p for p in finals if p in real]:
        both = [found[problem].median() for found in (real, finals)]
        common = [t for t in both[1].index if t in both[0].index]
        ratio = (both[0][common] / both[1][common]).replace([math.inf, -math.inf], math.nan).dropna()
        if len(ratio):
            low, high = ratio.idxmin(), ratio.idxmax()
            said.append(f"{name_of(problem)}: {ratio[low]:.2g} ({LABELS[low]}) to {ratio[high]:.2g} ({LABELS[high]})")
    return "; ".join(said)


def answer(
    finals: Mapping[Problem, pd.DataFrame],
    agreement: Mapping[Problem, Agreement],
    *,
    real: Mapping[Problem, pd.DataFrame] | None = None,
    evaluations: int = EVALUATIONS,
    searched: Mapping[Problem, pd.DataFrame] | None = None,
    knowing: Mapping[Problem, Agreement] | None = None,
) -> str:
    """How good the tuners are, in two sentences; below them problem by problem, and how far real trainings agree.

    Parameters
    ----------
    finals : mapping of problem to pandas.DataFrame
        `contest_stats.results` on the tabular benchmark.
    agreement : mapping of problem to Agreement
        Of the problems that were trained as well.
    real : mapping of problem to pandas.DataFrame, optional
        `contest_stats.results` of real trainings.
    evaluations : int
    searched : mapping of problem to pandas.DataFrame, optional
        As `finals`, on landscapes that know the searches with real trainings.
    knowing : mapping of problem to Agreement, optional
        As `agreement`, of those landscapes.
    """
    tuners = list(dict.fromkeys(t for frame in finals.values() for t in frame))
    against_random = {t: row for t in tuners if t != "random" and (row := pair(finals, t, "random"))}
    papers = [t for t in ("generator", "gan") if t in against_random]
    variants = {without for _, without in ABLATIONS}
    rest = [t for t in against_random if t not in papers and t not in variants]
    best = max(rest, key=lambda t: against_random[t].win, default=None)
    said = [f"{share(against_random[t])} for {_called(t)} ({_verdicts(finals, t, 'random')})" for t in papers]
    if best:
        said.append(f"{share(against_random[best])} for the best of all that are no variants of others, {LABELS[best]}")
    seeds = _from_to(len(frame.dropna()) for frame in finals.values())
    many = f"{len(finals)} problems" if len(finals) > 1 else "1 problem"
    first = (
        f"On the tabular benchmark ({many}, {seeds} paired seeds, {evaluations} evaluations a search) "
        f"P(improvement) over random search is{', on average,' if len(finals) > 1 else ''} "
        f"{_and(said) or 'not known of any tuner'}."
    )
    fed = {v: row for v in FED if (row := pair(finals, "generator", v))}
    parts = []
    if fed:
        over = (f"{share(row)} over {FED[v]} ({_verdicts(finals, 'generator', v)})" for v, row in fed.items())
        parts.append(f"with its feedback the generator has {_and(list(over))}")
    if real:
        seeds = _from_to(len(frame.dropna()) for frame in real.values())
        alike = [a for a in agreement.values() if math.isfinite(a.distinct.low)]
        found = "cannot yet be compared with it"
        if alike:
            values = sorted(a.distinct.value for a in alike)
            found = (
                f"rank the tuners with a correlation of {values[0]:.2f}"
                + (f" to {values[-1]:.2f}" if values[1:] else "")
                + f" with the benchmark, more than so few may agree by chance on {sum(a.p < 0.05 for a in alike)} of "
                f"{len(alike)} problems (variants left out, p < 0.05)"
            )
        parts.append(f"real trainings ({seeds} seed{'s' if seeds != '1' else ''} a problem) {found}")
    else:
        parts.append("real trainings have not been recorded")
    second = "; ".join(parts)
    met = [(t, "random", "random search") for t in (*papers, *([best] if best else []))]
    met += [("generator", v, FED[v]) for v in fed]
    met += [("gan", "gan_blind", "itself without its discriminator")] if pair(finals, "gan", "gan_blind") else []
    listed = f"\n{_by_problem(finals, met, searched or {}, real or {})}" if met else ""
    listed += f"\n{agreement_markdown(agreement, knowing)}" if real and agreement else ""
    return f"{first} {second[0].upper()}{second[1:]}.\n{listed}"


FED = {"generator_shuffled": "itself told the errors of other trials", "generator_zero": "itself told nothing"}


def _and(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _called(tuner: str) -> str:
    return "the GAN" if tuner == "gan" else f"the {LABELS[tuner].lower()}"


def _verdicts(finals: Mapping[Problem, pd.DataFrame], tuner: str, rival: str) -> str:
    """On how many problems a tuner is better or worse than a rival beyond chance, in few words."""
    rows = [row for p, f in finals.items() if (row := pair({p: f}, tuner, rival)) is not None]
    words = [word(row).removesuffix(" than").removesuffix(" from") for row in rows]
    if len(rows) == 1:
        return words[0]
    counted = {w: words.count(w) for w in ("better", "worse", UNDECIDED.removesuffix(" from")) if w in words}
    return ", ".join(f"{w} on {f'all {n}' if n == len(rows) else n}" for w, n in counted.items())


def _by_problem(
    finals: Mapping[Problem, pd.DataFrame],
    met: Iterable[tuple[str, str, str]],
    searched: Mapping[Problem, pd.DataFrame],
    real: Mapping[Problem, pd.DataFrame],
) -> str:
    """P(improvement) of pairs of tuners as a table in Markdown: by problem, and on average on each kind of problem.

    Bold is beyond chance. Where the paired test of the errors' ratio, at 5 %, says otherwise, the ratio is added.

    Parameters
    ----------
    finals, searched, real : mapping of problem to pandas.DataFrame
        `contest_stats.results` on the benchmark, on landscapes that know searches, of real trainings.
    met : iterable of (str, str, str)
        Tuner, rival, and what the rival is called.
    """
    columns: dict[str, Mapping[Problem, pd.DataFrame]] = {name_of(p): {p: f} for p, f in finals.items()}
    columns |= {"Average": finals} if len(finals) > 1 else {}
    columns |= {"Landscapes that know searches, average": searched} if searched else {}
    columns |= {"Real trainings, average": real} if real else {}
    return _met_table("P(improvement)", [(f"{LABELS[t]} over {called}", t, rival) for t, rival, called in met], columns)


def _met_table(
    head: str, met: Iterable[tuple[str, str, str]], columns: Mapping[str, Mapping[Problem, pd.DataFrame]]
) -> str:
    """A row a pair: what it is called, the tuner, its rival; a column a set of problems."""
    lines = [[head, *columns], ["---"] * (len(columns) + 1)]
    for called, tuner, rival in met:
        lines.append([called, *(_met(found, tuner, rival) for found in columns.values())])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _met(finals: Mapping[Problem, pd.DataFrame], tuner: str, rival: str) -> str:
    row = pair(finals, tuner, rival)
    if row is None:
        return "–"
    beyond = word(row) != UNDECIDED
    text = f"**{share(row)}**" if beyond else share(row)
    if len(finals) == 1:
        tested = contest_stats.against(next(iter(finals.values())), rival, [tuner]).iloc[0]
        text += f", errors {tested['ratio']:.2f} times" if (tested["p"] < 0.05) != beyond else ""
    return text


def _from_to(values: Iterable[int]) -> str:
    found = list(values)
    return f"{min(found)}" if min(found) == max(found) else f"{min(found)} to {max(found)}"


def hybrids_answer(
    finals: Mapping[Problem, pd.DataFrame],
    real: Mapping[Problem, pd.DataFrame],
    fresh: Mapping[Problem, pd.DataFrame] | None = None,
    *,
    searched: Mapping[Problem, pd.DataFrame] | None = None,
) -> str:
    """How the hybrid does beside every other tuner: on the benchmark, in real trainings, with fresh seeds of them.

    Of the trainings a table of all pairs follows.

    Parameters
    ----------
    finals, real, fresh : mapping of problem to pandas.DataFrame
        `contest_stats.results`; `fresh` of the seeds that follow those of `real`.
    searched : mapping of problem to pandas.DataFrame, optional
        As `finals`, on landscapes that know the searches with real trainings.
    """
    tuned = f"(chosen on {name_of(TUNED_ON)})"
    parted = pair(finals, "hybrid", "hybrid_uniform")
    said = [f"On the benchmark: {aim(finals)}"]
    if parted is not None:
        said[0] += f" It is {standing(finals, 'hybrid', 'hybrid_uniform', 'itself without its generator')}."
    said += [f"On landscapes that know the searches with real trainings too: {aim(searched)}"] if searched else []
    for found, what in ((real, "In real trainings"), (fresh or {}, "With fresh seeds")):
        said += [f"{what} of {_listed(found)}: {aim(found, missed=False)}{_averaged(found)}"] if found else []
    said += [] if real else ["No real trainings are recorded."]
    columns: dict[str, Mapping[Problem, pd.DataFrame]] = {name_of(p): {p: f} for p, f in real.items()}
    columns |= {"Average": real} if len(real) > 1 else {}
    columns |= {f"{name_of(p)}, fresh seeds": {p: f} for p, f in (fresh or {}).items()}
    others = rivals_of(dict.fromkeys(t for found in columns.values() for f in found.values() for t in f), "hybrid")
    met = [(LABELS[t], "hybrid", t) for t in others]
    return (
        f"With its settings as they are {tuned}:\n\n"
        + "".join(f"- {line}\n" for line in said)
        + (f"\n{_met_table('Hybrid over, in real trainings', met, columns)}" if met else "")
    )


def _averaged(finals: Mapping[Problem, pd.DataFrame], tuner: str = "hybrid") -> str:
    """On average over several problems, over how many others a tuner leads beyond chance and over whom least.

    Each average is over the problems in which both took part.
    """
    others = rivals_of(dict.fromkeys(t for f in finals.values() for t in f), tuner)
    table = contest_stats.pairs(finals, [tuner], others)
    if len(finals) < 2 or table.empty:
        return ""
    met = "" if all(set(others) <= set(f) for f in finals.values()) else ", or those of them in which both took part,"
    least, sure = table.loc[table["win"].idxmin()], int((table["win_low"] > 0.5).sum())
    return (
        f" On average over the {len(finals)} problems{met} its interval lies above 1/2 over {sure} of {len(table)} "
        f"others; least over {LABELS[least['rival']]}, {share(least)}."
    )


def _listed(finals: Mapping[Problem, pd.DataFrame]) -> str:
    """Problems with their seeds, in words."""
    return "; ".join(f"{name_of(p)} ({len(f.dropna())} seeds)" for p, f in finals.items())


def written_answer(root: str | Path = "", name: str = ANSWER) -> str:
    """An answer that notebook 07 wrote, for the README: `ANSWER` or `HYBRIDS`."""
    return (paths.outputs(root).tables / name).read_text("utf-8")


def over_naive(best: float, naive: float) -> str:
    """An error in words, over yesterday's close where that is known."""
    if math.isfinite(naive):
        return f"{number(best / naive)} times that of yesterday's close"
    return f"{number(best)} in scaled units; that of yesterday's close is not known without the benchmark's closes"
