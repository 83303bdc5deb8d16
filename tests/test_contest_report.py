"""What notebook 07 reports: the contests asked for, its tables and words, and what its figures show."""

import math

import numpy as np
import pandas as pd
import pytest

from helpers import (
    contest,
    contest_asked,
    contest_plots,
    contest_report,
    contest_run,
    contest_stats,
    contest_words,
    feedback,
    feedback_plots,
    figures,
    tables,
)
from helpers.contest_asked import Asked, parse
from helpers.contest_words import answer
from helpers.intervals import Estimate
from helpers.problems import ContestError
from helpers.space import GENERATOR_SPACE, UnitCube

ONE, TWO = ("generator", "described"), ("gan", "published")


def searches(levels, seeds=8, evaluations=5, spread=0.05):
    """Made-up searches: each tuner's best lies at its level, times a little noise; the first is 10 times that."""
    cube, rows = UnitCube(GENERATOR_SPACE), []
    for i, (tuner, level) in enumerate(levels.items()):
        for seed in range(seeds):
            rng = np.random.default_rng([i, seed])
            for n in range(evaluations):
                params = cube.decode(rng.random(6))
                mse = level * np.exp(rng.normal(0, spread)) * (10 if n == 0 else 1)
                rows.append((tuner, seed, n + 1, *params.values(), mse, 2.0 + i, 0.01 * (i + 1), rng.random(), 0))
    columns = ["tuner", "seed", "evaluation", *GENERATOR_SPACE, "mse", "seconds", "thinking", "probability", "redraws"]
    return pd.DataFrame(rows, columns=columns)


LEVELS = {"random": 0.04, "generator": 0.06, "generator_zero": 0.06, "gan": 0.03, "tpe": 0.02, "hybrid": 0.01}
FRAME = searches(LEVELS)
FINALS = contest_stats.results(FRAME)
NAIVE = {ONE: 0.0005, TWO: 0.02}


# What is asked for.


def test_contests_are_read_from_text():
    assert parse("generator:described:100 gan:clean:10:50") == [
        Asked("generator", "described", 100, 20),
        Asked("gan", "clean", 10, 50),
    ]
    assert parse("") == [] and parse("gan:clean:1", evaluations=3)[0].evaluations == 3
    assert len(parse("gan:clean:1")[0].tuners) == 14  # all of them
    some = parse("gan:clean:2:random,hybrid gan:clean:2:50:gan generator:clean:2", tuners=["tpe"])
    assert [a.tuners for a in some] == [("random", "hybrid"), ("gan",), ("tpe",)]
    assert [a.evaluations for a in some] == [20, 50, 20]
    assert contest_asked.parse_tuners("gan random") == ["gan", "random"]
    assert contest_asked.parse_tuners("")[0] == "random" and len(contest_asked.parse_tuners("")) == 14


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "generator:described",
            "is written space:protocol:seeds, such as generator:described:10, .* not 'generator:desc",
        ),
        ("generator:described:0", "not 'generator:described:0'"),
        ("generator:described:x", "not 'generator:described:x'"),
        ("gan:clean:3:0:random", "not 'gan:clean:3:0:random'"),
        ("gan:clean:3:random:20", "not 'gan:clean:3:random:20'"),
        ("gan:clean:3:random,", "not 'gan:clean:3:random,'"),
        ("gan:clean:3:random,sgd", "Unknown tuner 'sgd'"),
        ("lstm:described:3", "Unknown space 'lstm'"),
        ("gan:honest:3", "Unknown protocol 'honest'"),
    ],
)
def test_contests_that_cannot_be_are_refused(text, message):
    with pytest.raises(ContestError, match=message):
        parse(text)
    with pytest.raises(ContestError, match=r"Unknown tuner 'sgd'; valid tuners are random, generator"):
        contest_asked.parse_tuners("gan sgd")


def test_the_benchmarks_surrogate_is_a_problem():
    closes = contest_asked.benchmark.table("generator", "described")["data_sha256"].iloc[0]
    problem = contest_asked.tabular("generator", "described", naive={closes: 0.5, "others": 0.1}, noise=False)
    assert problem.naive == 0.5 and problem.noise is None and (problem.space, problem.protocol) == ONE
    assert problem.identity["surrogate"][0] == problem.surrogate.trainings and problem.identity["noise"] is None


def test_what_is_recorded_is_set_against_what_was_asked_for():
    asked = [Asked(*ONE, 10, 5, tuple(LEVELS)), Asked(*TWO, 3, 5, ("random", "gan"))]
    found = contest_asked.coverage(asked, {asked[0]: FRAME})
    assert found["searches asked for"].tolist() == [60, 6] and found["recorded"].tolist() == [48, 0]


# Tables and words.


def test_the_tables_can_be_written(tmp_path):
    summaries = {ONE: contest_stats.summary(FRAME, NAIVE[ONE])}
    wide = contest_report.overview({"surrogate": summaries, "training": {}})
    assert len(wide) == 6 and wide["Evaluated by"].unique().tolist() == ["surrogate"]
    tables.formatted(wide, contest_report.OVERVIEW_FORMATS)
    duels = contest_report.duels({"surrogate": {ONE: FINALS}, "training": {TWO: FINALS}}, ["random", "hybrid"])
    assert len(duels) == 2 * 2 * 5
    row = duels[(duels["Tuner"] == "TPE") & (duels["Rival"] == "Random search")].iloc[0]
    assert row["P(better)"] == 1.0 and row["p"] == 2 / 2**8 and row["Ratio of MSEs"] == pytest.approx(0.5, rel=0.1)
    ablated = contest_report.ablations({"surrogate": {ONE: FINALS}})
    assert ablated[["Tuner", "Rival"]].to_numpy().tolist() == [["Generator", "Generator, no feedback"]]
    assert ablated["p, Holm"].tolist() == ablated["p"].tolist(), "a family of one"
    assert set(contest_report.DUEL_FORMATS) <= set(ablated.columns)


def test_ablations_of_a_problem_are_corrected_together():
    frame = contest_stats.results(searches({**LEVELS, "generator_shuffled": 0.09, "gan_blind": 0.05}))
    found = contest_report.ablations({"surrogate": {ONE: frame, TWO: frame}})
    assert len(found) == 6
    least = found["p"].min()
    assert found.loc[found["p"] == least, "p, Holm"].tolist() == pytest.approx([min(1.0, 3 * least)] * 4)


def test_the_least_lead_is_named_by_model():
    led = contest_report.lead({"both": {ONE: FINALS}, "trees alone": {ONE: FINALS.assign(gan=FINALS["hybrid"] / 2)}})
    assert led["Surrogate"].tolist() == ["both", "trees alone"] and led["Rivals"].tolist() == [5, 5]
    assert led["P of 0.6 reached"].tolist() == [5, 4]
    assert led.iloc[1]["Least lead over"] == "GAN" and led.iloc[1]["P(better)"] == 0.0
    assert contest_report.lead({"both": {ONE: FINALS.drop(columns="hybrid")}}).empty


def test_a_tuner_that_wins_here_and_loses_there_is_not_called_equal():
    worse = FINALS.assign(gan=FINALS["random"] * 2)
    text = contest_words.standing({ONE: FINALS, TWO: worse}, "gan", "random", "random search")
    assert text == (
        "better than random search on 1 of 2 problems (Generator's space, described: 1.00 [0.63, 1.00]) and worse on 1 "
        "(GAN's space, published: 0.00 [0.00, 0.37]) (over all 2 P(improvement) 0.50 [0.32, 0.68] on average)"
    )
    text = contest_words.standing({ONE: FINALS, TWO: FINALS}, "gan", "random")
    assert text.startswith("better than Random search on all 2 problems (P(improvement) 1.00 [")


def test_a_tuner_that_wins_as_often_and_by_more_is_told():
    random = FINALS["random"].to_numpy()
    even = np.where(np.arange(len(random)) % 2 == 0, 0.01, 1.001) * random  # half are a hundred times lower
    text = contest_words.standing({ONE: FINALS.assign(gan=even)}, "gan", "random", "random search")
    assert text.startswith("not distinguishable from random search (P(improvement) 0.50 [0.16, 0.84]")
    p = contest_stats.against(FINALS.assign(gan=even), "random", ["gan"]).iloc[0]["p"]
    assert ("; its errors are, in the geometric mean, 0.10 [" in text) == (p < 0.05)
    more = pd.concat([FINALS.assign(gan=even)] * 3, ignore_index=True)
    text = contest_words.standing({ONE: more}, "gan", "random", "random search")
    assert "; its errors are, in the geometric mean, 0.10 [" in text
    assert "] times the other's on Generator's space, described)" in text
    assert "], errors 0.10 times |\n" in answer({ONE: more}, {})


def test_a_tuner_that_wins_more_often_and_by_nothing_certain_is_told():
    """Seven of eight by a thousandth, and once a hundred times worse: better by P, and by the ratio nobody knows."""
    often = FINALS["random"] * np.where(np.arange(len(FINALS)) == 0, 100.0, 0.999)
    many = pd.concat([FINALS.assign(gan=often)] * 2, ignore_index=True)
    text = contest_words.standing({ONE: many}, "gan", "random", "random search")
    assert text.startswith("better than random search (P(improvement) 0.88 [0.62, 0.98]; its errors are, in the geom")
    assert "] times the other's on Generator's space, described)" in text
    assert "| GAN over random search | **0.88 [0.62, 0.98]**, errors " in answer({ONE: many}, {})


def test_the_answer_says_what_the_numbers_say():
    text = answer({ONE: FINALS}, {}, evaluations=5)
    assert text.startswith(
        "On the tabular benchmark (1 problem, 8 paired seeds, 5 evaluations a search) P(improvement) over random "
        "search is 0.00 [0.00, 0.37] for the generator (worse), 1.00 [0.63, 1.00] for the GAN (better) and "
        "1.00 [0.63, 1.00] for the best of all that are no variants of others, TPE. With its feedback the generator "
        "has "
    )
    assert "] over itself told nothing (not distinguishable); real trainings have not been recorded.\n" in text
    assert text.count(". ") == 1
    rows = [line.split(" | ") for line in text.splitlines()[2:]]
    assert [row[0].strip("| ") for row in rows] == [
        "P(improvement)",
        "---",
        "Generator over random search",
        "GAN over random search",
        "TPE over random search",
        "Generator over itself told nothing",
    ]
    assert [row[1].strip(" |") for row in rows[:4]] == [
        "Generator's space, described",
        "---",
        "**0.00 [0.00, 0.37]**",
        "**1.00 [0.63, 1.00]**",
    ]
    assert "**" not in rows[5][1]

    agreement = {
        ONE: contest_words.Agreement(Estimate(0.9, 0.4, 1.0, 6), Estimate(0.7, -0.1, 1.0, 5), 0.031, "GAN, place 3")
    }
    worse = FINALS.assign(gan=FINALS["random"] * 2)
    text = answer({ONE: FINALS, TWO: worse}, agreement, real={ONE: FINALS.head(2)})
    assert "(2 problems, 8 paired seeds, 20 evaluations a search)" in text
    assert "is, on average, 0.00 [0.00, 0.37] for the generator (worse on all 2), 0.50 [" in text
    assert "] for the GAN (better on 1, worse on 1) and " in text
    assert "real trainings (2 seeds a problem) rank the tuners" in text
    assert "rank the tuners with a correlation of 0.70 with the benchmark, more than so few may agree" in text
    assert "by chance on 1 of 1 problems (variants left out, p < 0.05)" in text
    assert text.splitlines()[-1] == (
        "| Generator's space, described | 0.70 [-0.10, 1.00] (5 tuners) | 0.031 | 0.90 [0.40, 1.00] (6 tuners) | "
        "GAN, place 3 |"
    )
    head, gan = (next(line for line in text.splitlines() if line.startswith(f"| {of}")) for of in ("P(", "GAN over r"))
    assert head.endswith(
        "| Generator's space, described | GAN's space, published | Average | Real trainings, average |"
    )
    assert gan.startswith("| GAN over random search | **1.00 [0.63, 1.00]** | **0.00 [0.00, 0.37]** | 0.50 [")
    # Landscapes that know the searches: a column in either table.
    knowing = {ONE: agreement[ONE]._replace(distinct=Estimate(0.8, 0.2, 1.0, 5), p=0.012)}
    text = answer(
        {ONE: FINALS, TWO: FINALS}, agreement, real={ONE: FINALS}, searched={ONE: worse, TWO: worse}, knowing=knowing
    )
    gan = next(line for line in text.splitlines() if line.startswith("| GAN over random"))
    assert gan.split(" | ")[3:] == ["**1.00 [0.63, 1.00]**", "**0.00 [0.00, 0.37]**", "**1.00 [0.63, 1.00]** |"]
    assert text.splitlines()[-3].endswith("| Farthest apart | Landscapes that know searches |")
    assert text.splitlines()[-1].endswith("| GAN, place 3 | 0.80 [0.20, 1.00] (5 tuners), p 0.012 |")
    assert {line.count("|") for line in text.splitlines()[-3:]} == {7}
    other = contest_words.agreement_markdown(agreement, {TWO: agreement[ONE]})
    assert other.splitlines()[-1].endswith("| GAN, place 3 | – |")


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.5, -0.2, 0.9, 5), "rank correlation 0.50 [-0.20, 0.90] over 5 tuners (p 0.21)"),
        (Estimate(0.5, math.nan, math.nan, 5), "rank correlation 0.50 over 5 tuners, fewer than 5 seeds (p 0.21)"),
        (Estimate(math.nan, math.nan, math.nan, 2), "too few tuners or seeds to say"),
    ],
)
def test_agreement_in_words(estimate, text):
    assert text in contest_words.agreed({ONE: contest_words.Agreement(estimate, estimate, 0.21, "")})
    assert contest_words.agreed({}) == "no problem has both"


def test_variants_and_the_tuner_farthest_off_are_told():
    other = FINALS.assign(gan=FINALS["gan"] / 100)
    found = contest_words.agreement(FINALS, other)
    assert (found.ranks.n, found.distinct.n) == (6, 5)
    assert found.farthest == "GAN, place 3 of 5 on the benchmark and 1 in trainings"
    assert contest_words.agreement(FINALS, FINALS).farthest == ""


def test_the_hybrids_aim_is_reached_or_said_where_not():
    text = contest_words.aim({ONE: FINALS})
    assert "every other tuner on every problem with P(improvement) of at least 0.6: 5 of 5 pairs" in text
    worse = FINALS.assign(tpe=FINALS["hybrid"] / 2)
    text = contest_words.aim({ONE: FINALS, TWO: worse})
    assert "reached in 9 of 10" in text and "Not reached on GAN's space, published: TPE 0.00 [0.00, 0.37]." in text
    assert "On the 1 problem that its settings were not chosen on: 4 of 5." in text
    # Six of eight is above 0.6, and a coin may do as well.
    often = FINALS.assign(tpe=FINALS["hybrid"] * np.where(np.arange(8) < 6, 2.0, 0.5))
    assert "Not reached on Generator's space, described: TPE 0.75 [0.35, 0.97]." in contest_words.aim({ONE: often})
    # Its own variant does not count, and that is said.
    with_its_own = contest_words.aim({ONE: FINALS.assign(hybrid_uniform=FINALS["hybrid"])})
    assert with_its_own == contest_words.aim({ONE: FINALS}).replace("other tuner", "other tuner but its own variant")
    assert contest_words.aim({ONE: FINALS.drop(columns="hybrid")}) == "The hybrid took no part."
    # The same in few words.
    assert contest_words.reached({ONE: FINALS, TWO: worse}) == "9 of 10"
    assert contest_words.reached({ONE: often}) == "4 of 5"
    assert contest_words.reached({ONE: FINALS.drop(columns="hybrid")}) == "0 of 0"


def test_who_is_better_than_random_search_on_one_problem():
    assert contest_words.beside_random(FINALS) == (
        "with 8 seeds better: GAN 1.00 [0.63, 1.00], TPE 1.00 [0.63, 1.00], Hybrid 1.00 [0.63, 1.00]; "
        "worse: Generator 0.00 [0.00, 0.37], Generator, no feedback 0.00 [0.00, 0.37]"
    )
    # Lower in four of eight seeds: neither.
    even = FINALS["random"] * np.where(np.arange(8) < 4, 2.0, 0.5)
    some = FINALS[["random", "hybrid"]].assign(gan=even)
    found = contest_words.beside_random(some)
    assert found == "with 8 seeds better: Hybrid 1.00 [0.63, 1.00]; not distinguishable: 1 tuner"
    assert contest_words.beside_random(FINALS[["random"]]) == "with 8 seeds no other took part"


def test_what_the_readme_says_of_the_hybrid():
    few = FINALS.head(4).assign(gan=FINALS["hybrid"].head(4) / 2)
    text = contest_words.hybrids_answer({ONE: FINALS}, {ONE: few}, {ONE: few[["gan", "hybrid"]]})
    head, _, benchmark, trained, fresh, _, columns, _, *rows = text.splitlines()
    assert head == "With its settings as they are (chosen on Generator's space, described):"
    assert benchmark.startswith("- On the benchmark: The hybrid beats every other tuner on every problem with")
    assert trained.startswith("- In real trainings of Generator's space, described (4 seeds): P(improvement) of at ")
    assert "reached in 0 of 1 pairs" in fresh and "Not reached on" not in text
    assert columns == (
        "| Hybrid over, in real trainings | Generator's space, described | Generator's space, described, fresh seeds |"
    )
    named = ["Random search", "Generator", "Generator, no feedback", "GAN", "TPE"]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == named
    assert "| GAN | 0.00 [0.00, 0.60] | 0.00 [0.00, 0.60] |" in rows and rows[-1].endswith("| – |")
    assert "No real trainings are recorded." in contest_words.hybrids_answer({ONE: FINALS}, {})
    knowing = contest_words.hybrids_answer({ONE: FINALS}, {}, searched={ONE: few}).splitlines()
    assert knowing[3].startswith("- On landscapes that know the searches with real trainings too: P(improvement) of")
    assert "GAN 0.00 [0.00, 0.60]" in knowing[3]
    even = contest_words.hybrids_answer({ONE: FINALS.assign(hybrid_uniform=FINALS["hybrid"])}, {})
    assert "It is not distinguishable from itself without its generator (P(improvement) 0.50" in even
    levels = contest_words.levels({ONE: FINALS, TWO: FINALS}, {ONE: FINALS[["random", "gan"]] * [2.0, 0.1]})
    assert levels == "Generator's space, described: 0.1 (GAN) to 2 (Random search)"
    assert "On average" not in text
    # On the other problem it beats all: the mean of 0 and 1 over the GAN, of six seeds.
    few = FINALS.head(6).assign(gan=FINALS["hybrid"].head(6) / 2)
    both = contest_words.hybrids_answer({ONE: FINALS}, {ONE: few, TWO: FINALS.head(6)})
    assert "On average over the 2 problems its interval lies above 1/2 over 4 of 5 others; " in both
    assert "least over GAN, 0.50 [0.27, 0.73]." in both
    two = FINALS.head(6)[["random", "gan", "hybrid"]]
    both = contest_words.hybrids_answer({ONE: FINALS}, {ONE: few, TWO: two})
    assert "over the 2 problems, or those of them in which both took part, its interval lies above 1/2 over 4" in both


def test_trainings_are_set_beside_what_the_landscapes_allow():
    class Known:
        """Every training lies some deviations below, the GAN's searches half as far again."""

        def __init__(self, below):
            self.below, self.asked = below, []

        def deviations(self, configs, mse, *, without):
            assert all(set(c) == set(GENERATOR_SPACE) for c in configs)
            self.asked.append(without)
            return self.below * np.linspace(-1.5 if without == "gan" else -1.0, 0.0, len(mse))

    one, other = Known(2.0), Known(4.0)
    known = {"random table": {ONE: one}, "more": {ONE: other}, "nothing": {}}
    found = contest_report.foreseen(known, {ONE: FRAME, TWO: FRAME})
    assert set(found["Problem"]) == {"Generator's space, described"} and len(found) == 2 * FRAME["tuner"].nunique()
    assert one.asked == other.asked == list(LEVELS), "each without its own searches"
    assert found["Trainings"].sum() == 2 * FRAME["mse"].notna().sum()
    means = found.set_index(["Tuner", "Landscapes"])["Mean"]
    assert means["Hybrid", "random table"] == pytest.approx(-1.0) and means["Hybrid", "more"] == pytest.approx(-2.0)
    assert means["GAN", "more"] == pytest.approx(-3.0)
    below = found.set_index(["Tuner", "Landscapes"])["Below -1.96"]
    assert below["Hybrid", "random table"] == pytest.approx(1 / 40) and below["Hybrid", "more"] > 0.4
    assert contest_report.foreseen({}, {ONE: FRAME}).empty
    deviation = found.set_index(["Tuner", "Landscapes"])["Standard deviation"]
    least, most = deviation["Hybrid", "more"], deviation["GAN", "more"]
    said = contest_report.widest(found).split("; ")
    assert said[1] == f"more: {least:.1f} to {most:.1f}, most for GAN on Generator's space, described"


def test_an_error_over_yesterdays_close():
    assert contest_words.over_naive(0.02, 0.01) == "2.00 times that of yesterday's close"
    assert contest_words.over_naive(0.02, math.nan).startswith("0.0200 in scaled units")


# Figures.


def lines_of(ax):
    return {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


def test_the_ladder_has_a_row_a_tuner_and_a_panel_a_problem():
    summaries = {p: contest_stats.summary(FRAME, NAIVE[p]) for p in NAIVE}
    order = list(LEVELS)
    fig = contest_plots.ladder(summaries, NAIVE, order, real={ONE: summaries[ONE]}, evaluations=5)
    panels = [ax for ax in fig.axes if ax.get_visible()]
    assert [ax.get_title(loc="left").replace("\n", " ") for ax in panels] == [
        "Generator's space, described",
        "GAN's space, published",
    ]
    best = summaries[ONE].set_index("tuner")["best"]
    marks = {line.get_color(): line.get_xdata()[0] for line in panels[0].lines if line.get_marker() == "*"}
    assert marks == {figures.COLOURS["hybrid"]: pytest.approx(best["hybrid"] / NAIVE[ONE])}
    labels = {t.get_text(): t.get_position()[1] for t in panels[0].get_yticklabels()}
    assert labels["Random search"] == 5 and labels["Hybrid"] == 0, "the first of the order is on top"
    assert "yesterday's close at 1" in "".join(t.get_text() for t in panels[0].texts), "far away on this problem"
    assert "Yesterday's close" in lines_of(panels[1]), "and near on that"
    fig.canvas.draw()


@pytest.mark.parametrize("seconds", [False, True])
def test_curves_end_at_the_median_of_the_results(seconds):
    fig = contest_plots.curves({ONE: FRAME}, NAIVE, ["random", "gan", "cmaes"], seconds=seconds)
    panels = [ax for ax in fig.axes if ax.get_visible()]
    assert [ax.get_title(loc="left").strip() for ax in panels] == ["GAN"], (
        "CMA-ES took no part, random search is everywhere"
    )
    drawn = lines_of(panels[0])
    assert set(drawn) == {"Random search", "GAN"}
    last = drawn["GAN"].get_ydata()[-1] * NAIVE[ONE]
    assert last == pytest.approx(FINALS["gan"].median())
    end = drawn["GAN"].get_xdata()[-1]
    assert end == pytest.approx(5 * (5.0 + 0.04) if seconds else 5)
    fig.canvas.draw()


def test_curves_of_two_problems_share_axes_within_a_problem_only():
    fig = contest_plots.curves({ONE: FRAME, TWO: FRAME.assign(mse=FRAME["mse"] * 9)}, NAIVE, list(LEVELS))
    panels = [ax for ax in fig.axes if ax.get_visible()]
    tuners = [t for t in LEVELS if t != "random" and (FRAME["tuner"] == t).any()]
    titles = [" ".join(ax.get_title(loc="left").split()) for ax in panels]
    assert titles == [figures.LABELS[t] for t in tuners] * 2
    limits = [ax.get_ylim() for ax in panels]
    assert len(set(limits[: len(tuners)])) == len(set(limits[len(tuners) :])) == 1 and len(set(limits)) == 2
    headings = [text.get_text() for ax in panels for text in ax.texts]
    assert [heading.partition(" (")[0] for heading in headings] == [contest_plots.name_of(p) for p in (ONE, TWO)]
    assert "yesterday's close, at 1, is farther down" in headings[0]
    assert any(line.get_ydata()[0] == 1 for line in panels[-1].lines), "near on the other problem"
    fig.canvas.draw()
    assert min(ax.get_window_extent().width for ax in panels) > 0.9 * fig.dpi, "no panel is squeezed"


def test_a_contest_of_random_search_alone_is_drawn():
    contest_plots.curves({ONE: FRAME}, NAIVE, ["random"]).canvas.draw()
    contest_plots.random_best({ONE: FRAME[FRAME["tuner"] == "random"]}, NAIVE, ["tpe"]).canvas.draw()


def test_sequential_tuners_are_drawn_on_random_searchs_band():
    fig = contest_plots.random_best({ONE: FRAME}, {ONE: math.nan}, ["tpe"])
    drawn = lines_of(fig.axes[0])
    curve = contest_stats.random_curve(FRAME.loc[FRAME["tuner"] == "random", "mse"], np.arange(1, 6))
    np.testing.assert_allclose(drawn["random: expected best of n"].get_ydata(), curve.expected)
    np.testing.assert_allclose(drawn["random: median best of n"].get_ydata(), curve.median)
    assert drawn["TPE"].get_ydata()[-1] == pytest.approx(FINALS["tpe"].median())
    assert "scaled units" in fig.get_supylabel()
    fig.canvas.draw()


def test_the_squares_say_who_beats_whom():
    met = contest_stats.pairs({ONE: FINALS, TWO: FINALS}, ["tpe", "gan", "random"])
    assert met.set_index(["tuner", "rival"]).loc[("tpe", "random"), ["problems", "seeds", "win"]].tolist() == [
        2,
        8,
        1.0,
    ]
    fig = contest_plots.wins(met, ["tpe", "gan", "random"])
    texts = {tuple(map(round, t.get_position())): (t.get_text(), t.get_weight()) for t in fig.axes[0].texts}
    assert texts[2, 0] == ("100", "bold") and texts[0, 2] == ("0", "bold") and (1, 1) not in texts
    fig.canvas.draw()


def test_the_front_joins_what_none_beats():
    fig = contest_plots.fronts({ONE: contest_stats.summary(FRAME)}, {ONE: math.nan}, evaluations=5)
    steps = next(line for line in fig.axes[0].lines if line.get_drawstyle() == "steps-post")
    assert len(steps.get_xdata()) == 4, "random, GAN, TPE, hybrid: each slower and better than the one before"
    fig.canvas.draw()


def test_feedback_and_the_gans_parts_are_drawn():
    compared = {ONE: contest_stats.pairs({ONE: FINALS}, ["generator"], ["generator_zero", "random"])}
    directions = pd.DataFrame(
        {"tuner": "generator", "seed": 0, "iteration": [1, 2], "cosine": [0.5, -0.5], "length": 1.0}
    )
    fig = feedback_plots.feedback(compared, directions, {"generator": (0.1, 0.0, 0.2)})
    left, right = fig.axes
    assert [t.get_text() for t in left.get_yticklabels()] == ["Random search", "Generator,\nno feedback"]
    assert (right.get_title(loc="left"), right.get_title(loc="right")) == ("Generator", "0.10 [0.00, 0.20]")
    assert lines_of(right)["Generator"].get_ydata().tolist() == [0.5, -0.5]
    fig.canvas.draw()
    spread = {t: feedback.entropy(FRAME, t, GENERATOR_SPACE) for t in ("gan", "random")}
    names = {name: name for name in GENERATOR_SPACE}
    fig = feedback_plots.gan(spread, names, feedback.calibration(FRAME))
    parts = [ax for ax in fig.axes if ax.get_title(loc="left")]
    assert [ax.get_title(loc="left") for ax in parts] == list(GENERATOR_SPACE)
    assert all(set(lines_of(ax)) == {"GAN", "Random search"} for ax in parts)
    fig.canvas.draw()
    feedback_plots.gan(spread, names, feedback.calibration(FRAME[FRAME["tuner"] == "random"])).canvas.draw()


def test_agreement_is_drawn_rank_against_rank():
    ranks = contest_stats.mean_ranks(FINALS)
    fig = contest_plots.agreement({"one": (ranks, ranks), "other": (ranks, ranks)})
    assert [ax.get_title(loc="left") for ax in fig.axes[:2]] == ["one", "other"]
    assert lines_of(fig.axes[0])["Hybrid"].get_xdata()[0] == lines_of(fig.axes[0])["Hybrid"].get_ydata()[0] == 1.0
    fig.canvas.draw()
    contest_plots.agreement({}).canvas.draw()
    two = contest_plots.agreement({name: (ranks, ranks) for name in "abcd"})
    two.canvas.draw()
    places = [ax.get_position() for ax in two.axes if ax.get_visible()]
    assert len(places) == 4, "three panels a row, and no empty ones"
    assert places[3].y1 < places[0].y0 and places[3].x0 == pytest.approx(places[0].x0, abs=0.01)
    eight = contest_plots.agreement({name: (ranks, ranks) for name in "abcdefgh"})
    assert eight.axes[0].get_gridspec().get_geometry() == (2, 4), "as many a row as leave no place empty"


# The command.


def test_the_command_holds_a_contest_and_says_what_is_wrong(tmp_path, caplog):
    written = ["--profile", "smoke", "--output", str(tmp_path)]
    asked = ["--surrogate", "generator:described:2", "--evaluations", "3", "--tuners", "random gan"]
    assert contest_run.main([*written, *asked]) == 0
    path = tmp_path / "data" / "studies" / "smoke" / "contest_surrogate_generator_described.jsonl"
    assert len(contest.recorded(path, "generator", evaluations=3)) == 2 * 2 * 3
    assert contest_run.main([*written, "--trees", "generator:described:1", *asked[2:]]) == 0
    other = contest.recorded(path.with_stem(f"{path.stem}_trees"), "generator", evaluations=3)
    first = contest.recorded(path, "generator", evaluations=3).query("seed == 0")
    assert len(other) == len(first) == 6 and (other["mse"].to_numpy() != first["mse"].to_numpy()).all()
    assert contest_run.main([*written, "--drawn", "generator:described:1", *asked[2:]]) == 0
    drawn = contest.recorded(path.with_stem(f"{path.stem}_drawn"), "generator", evaluations=3)
    assert (drawn["mse"].to_numpy() != first["mse"].to_numpy()).all()
    assert contest_run.main([*written, "--searched", "generator:described:1", *asked[2:]]) == 0
    knowing = contest.recorded(path.with_stem(f"{path.stem}_searched"), "generator", evaluations=3)
    assert len(knowing) == 6 and (knowing["mse"].to_numpy() != drawn["mse"].to_numpy()).all()
    same = drawn["tuner"].to_numpy() == "random"  # its proposals do not depend on what it is told
    assert (drawn[same].iloc[:, 3:9].to_numpy() == first[first["tuner"] == "random"].iloc[:, 3:9].to_numpy()).all()
    assert contest_run.main([*written, "--real", "generator:described"]) == 1
    assert "such as generator:described:10" in caplog.text
    assert contest_run.main(written) == 1 and "Name at least one contest" in caplog.text
