# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 7. How good are the tuners, really?
#
# Neither paper compares with random search, reports repeated runs, or removes the feedback. A tuner is worth something
# if it beats random choice at the same budget, over seeds, by more than noise.
#
# Here every tuner gets the same problems, the same seeds and the same number of evaluations, and a repeated
# configuration or a failed training costs one like any other. Most searches run on a tabular benchmark of this very
# problem, where an evaluation takes a millisecond; some are done again with real trainings, and we ask whether the two
# agree.

# %% tags=["parameters"]
profile = "default"
symbol = "^GSPC"
source = "auto"
as_of = "2024-12-31"
seed = 0  # the first one
epochs = 10  # per training; fixed in both papers
evaluations = 20  # of a search: both papers stop there
# Contests on the benchmark, space:protocol:seeds; the evaluations and the tuners may follow, as in
# "gan:described:10:50:random,hybrid".
surrogate = "generator:described:100"
longer = "generator:described:10:50"  # contests on the benchmark with more evaluations, for the claim of the 20th
checks = "generator:described:10"  # the same on other surrogates, each of contest_asked.CHECKS
real = "generator:described:2"  # contests with real trainings
fresh = ""  # some again with real trainings, with the seeds that follow: a conclusion from the first is tested on them
tuners = ""  # those of the benchmark's contests; all of them if empty
real_tuners = ""  # those of the real ones
fresh_tuners = ""  # those of the fresh seeds
direction_seeds = 10  # searches whose updates are followed
jobs = 2  # processes at a time
train = True  # False: redraw from the records
output = ""

# %%
import os

import pandas as pd
from IPython.display import Markdown

from helpers import (
    benchmark,
    contest,
    contest_asked,
    contest_plots,
    contest_report,
    contest_stats,
    contest_words,
    entrants,
    feedback,
    feedback_plots,
    figures,
    paths,
    prices,
    problems,
    provenance,
    tables,
    windows,
)
from helpers.contest_plots import name_of
from helpers.space import SPACES

outputs = paths.outputs(output)
folder = outputs.studies(profile)
this = paths.NOTEBOOKS / "07_tuner_benchmark.py"

# %% [markdown]
# ## Setting
#
# A *problem* is a search space (either paper's) under a protocol. What is asked for, and what is recorded of it:

# %%
data = prices.load(symbol, source=source)
names, real_names, fresh_names = (contest_asked.parse_tuners(text) for text in (tuners, real_tuners, fresh_tuners))
asked, asked_longer, asked_checks = (
    contest_asked.parse(text, evaluations=evaluations, tuners=names) for text in (surrogate, longer, checks)
)
asked_real = contest_asked.parse(real, evaluations=evaluations, tuners=real_names)
asked_fresh = contest_asked.parse(fresh, evaluations=evaluations, tuners=fresh_names)
datasets = {p: windows.Dataset(data, windows.protocol(p, as_of=as_of)) for p in windows.PROTOCOLS}
saved = dict(outputs=outputs, entries=[this], published="not in the papers")
limits = "Intervals on the benchmark are over seeds, each with a landscape of its own: for an average over landscapes."
holding = dict(jobs=jobs, dask=os.environ.get("DASK", ""))

# %%
frames, naive, absent, checked = {}, {}, [], {kind: {} for kind in contest_asked.CHECKS}
models = {kind: {} for kind in (contest_asked.DRAWN, *contest_asked.CHECKS)}
wanted = [(a, contest_asked.DRAWN) for a in [*asked, *asked_longer]]
wanted += [(a, kind) for kind in contest_asked.CHECKS for a in asked_checks]
for a, kind in wanted:
    known = {datasets[a.protocol].data_sha256: datasets[a.protocol].naive_metrics()["mse"]}
    try:
        problem = contest_asked.tabular(*a.problem, naive=known, kind=kind)
    except benchmark.BenchmarkError as error:
        absent.append(str(error))
        continue
    path, models[kind][a.problem] = contest.records_path(folder, problem), problem.surrogate
    if train:
        contest.hold(path, problem, a.tuners, range(seed, seed + a.seeds), evaluations=a.evaluations, **holding)
    found = contest.recorded(path, a.space, evaluations=a.evaluations)
    found = found[found["tuner"].isin(a.tuners) & found["seed"].between(seed, seed + a.seeds - 1)]
    if kind in checked:
        checked[kind][a] = found
    else:
        frames[a], naive[a.problem] = found, contest.naive(path)

# %%
real_frames, real_naive, fresh_frames = {}, {}, {}
seen = {a.problem: seed + a.seeds for a in asked_real}
trained = [(a, seed, real_frames) for a in asked_real]
trained += [(a, seen.get(a.problem, seed), fresh_frames) for a in asked_fresh]
for a, start, into in trained:
    problem = problems.Trained(datasets[a.protocol], a.space, epochs=epochs)
    path = contest.records_path(folder, problem)
    if train:
        contest.hold(path, problem, a.tuners, range(start, start + a.seeds), evaluations=a.evaluations, **holding)
    found = contest.recorded(path, a.space, evaluations=a.evaluations)
    found = found[found["tuner"].isin(a.tuners) & found["seed"].between(start, start + a.seeds - 1)]
    if len(found):
        into[a.problem], real_naive[a.problem] = found, contest.naive(path)

# %%
short = {a.problem: frames[a] for a in asked if a in frames and len(frames[a])}
by_problem = {a: real_frames.get(a.problem) for a in asked_real}
fresh_by_problem = {a: fresh_frames.get(a.problem) for a in asked_fresh}
pd.concat(
    {
        "benchmark": contest_asked.coverage([*asked, *asked_longer], frames),
        **{
            f"its {called}": contest_asked.coverage(asked_checks, checked[kind])
            for kind, called in contest_asked.CHECKS.items()
        },
        "real trainings": contest_asked.coverage(asked_real, by_problem),
        "real trainings, fresh seeds": contest_asked.coverage(asked_fresh, fresh_by_problem),
    },
    names=["evaluated by", "contest"],
).reset_index(level="contest", drop=True)

# %%
said = f"{data.caption}. The benchmark's trainings: closes of the S&P 500 up to the end of 2024."
unasked = [name_of(p) for p in sorted({(s, p) for s in SPACES for p in windows.PROTOCOLS} - set(short))]
Markdown(
    said
    + (f" Without a benchmark: {' '.join(absent)}" if absent else "")
    + (f" Not on the benchmark in this run: {'; '.join(unasked)}." if unasked else "")
    + (f" Real trainings of {'; '.join(map(name_of, real_frames))} only." if real_frames else " No real trainings.")
)

# %% [markdown]
# **The tuners.** The generator with each feedback that makes its loss differentiable (`paper`, `product`,
# `reinforce`), with shuffled errors and with none; the GAN, and the GAN without its discriminator; Bayesian
# optimisation over raw and over warped ranges, as in notebook 04; Optuna's random search, TPE and CMA-ES; and a
# hybrid of ours, of the kind that the generator paper names as future work (section 7), and the same without its
# generator. Optuna's Gaussian process is left out, for it needs PyTorch. All stand at their defaults: TPE's first ten
# evaluations are random, half of a search of twenty, and with one seed they are those of random search (CMA-ES's first
# is). Beside random search with the same seed TPE therefore starts from a draw, and leads it in more of the seeds than
# beside random search with another.
#
# **The hybrid** fits Gaussian processes to the logarithms of the errors, with many length scales that vote. A generator
# of configurations is trained on them through their gradient, which the papers' generators lack; the best of what it
# generates and of random points, by expected improvement, is moved coordinate by coordinate to where that is largest.
# Its settings were chosen on *Generator's space, described*, with other seeds than those here. No other problem was
# used to choose them, but when they were last changed, an earlier version's results on all of them were known, and so
# were its real trainings with the first ten seeds of the first problem. What was not is asked below, with fresh seeds.
#
# The policy gradient takes no part in the real trainings of profile full: it proposes large networks, and its searches
# took seven times as long as random search's. In the GAN's space, where a training takes longest, random search, both
# papers' tuners and the hybrid alone are trained, and in profile default these are all: its two seeds compare nothing.
# What real trainings say of the hybrid is asked again with seeds that nobody had looked at when it got its settings,
# beside random search and the two rivals that come closest (*fresh seeds*).
#
# **The surrogate** tells the error of any configuration without a training. It is fitted to configurations drawn at
# random and trained once, and it is no single regression: the mean of one is smoother than the trainings that it
# predicts, its valleys are shallower and fewer, and tuners that expect a smooth landscape may do better on it than they
# deserve. So every seed has a landscape of its own, the same for all tuners: a function drawn from the posterior of a
# Gaussian process, which goes up and down between the known configurations. The intervals are therefore those of an
# average over such landscapes; the true one is a single landscape, on which a tuner may do better or worse than on
# average, and it is rougher than they are where good configurations lie, of which a random table has few (B-tab05).
# Where trainings were repeated, a configuration and a seed have the noise of a training; elsewhere there is none.
# `data/benchmark/README.md` says how far the process's mean is from trainings that it has not seen. B-tab04 repeats the
# contest on that mean, averaged with randomised trees, and on the trees alone, for a Gaussian process is also what the
# hybrid and Bayesian optimisation assume. All three are fitted to the random table and share what it does not know. So
# the contest is repeated on landscapes that also know every training of the searches with real trainings: they come
# nearer to the roughness of those (B-tab05), and know the regions where tuners end. But they know them from the tuners
# of this contest, each of which searched ten times, and leave a region that none entered as it was. Section 5 sets all
# beside real trainings.
#
# Every number is the lowest error that a search *observed*, one training each. In real trainings, and where the
# benchmark has noise, it owes something to that training's luck.

# %% [markdown]
# ## 1. What each tuner reaches
#
# *P(improvement)* is the share of the seeds in which a tuner's search ends below its rival's with the same seed: 1/2 is
# a draw. A tuner is called *better* or *worse* than another if its exact 95 % interval (Clopper and Pearson's) lies
# above or below 1/2, and *not distinguishable* otherwise, each pair and problem for itself. An average over problems
# has an interval (Gaffke's) from the seeds' own averages, so that searches of one seed may depend on each other; with
# one problem it is Clopper and Pearson's. The tables also have a test of how much lower the errors are, corrected for
# the number of pairs; a tuner can win as often as it loses and win by more, so where the two part, the texts say so.

# %%
finals = {problem: contest_stats.results(frame) for problem, frame in short.items()}
real_finals = {problem: contest_stats.results(frame) for problem, frame in real_frames.items()}
fresh_finals = {problem: contest_stats.results(frame).dropna() for problem, frame in fresh_frames.items()}
entered = {a.problem: a.tuners for a in asked_fresh}
fresh_finals = {p: f for p, f in fresh_finals.items() if len(f) and set(f) == set(entered[p])}  # whole seeds
summaries = {problem: contest_stats.summary(frame, naive[problem]) for problem, frame in short.items()}
real_summaries = {p: contest_stats.summary(frame, real_naive[p]) for p, frame in real_frames.items()}
ranks = pd.DataFrame({name_of(p): contest_stats.mean_ranks(f) for p, f in finals.items()}).mean(axis=1).sort_values()
order = list(ranks.index)
spread = f"{min(len(f.dropna()) for f in finals.values())} paired seeds at least"
fewest = min((len(f.dropna()) for f in real_finals.values()), default=0)
real_spread = f" ({fewest} paired seeds at least)" if fewest else ""
answer_of = {t: contest_words.pair(finals, t, "random") for t in order if t != "random"}
headline = "; ".join(f"{figures.LABELS[t]} {contest_words.share(r)}" for t, r in answer_of.items() if r)

# %%
fig = contest_plots.ladder(summaries, naive, order, real=real_summaries, evaluations=evaluations)
figures.save(
    fig,
    "B-fig01",
    caption=f"What every tuner reaches in {evaluations} evaluations on every problem: median of the best MSE over the "
    f"seeds with 95 % intervals ({spread}), the best on average at the top; hollow: real trainings"
    f"{real_spread}. Grey: random search. Bold: the papers' tuners. {limits} {said}",
    ours=f"P(improvement over random search): {headline}",
    **saved,
)
fig

# %%
tables.save(
    contest_report.overview({"surrogate": summaries, "training": real_summaries}),
    "B-tab01",
    formats=contest_report.OVERVIEW_FORMATS,
    caption=f"Every tuner on every problem after {evaluations} evaluations. Best MSE: median over the seeds, 95 % "
    "interval by bootstrap. P(better than random): share of the seeds in which the search ends below random search's "
    "with the same seed, exact interval (TPE's first ten evaluations are random search's own); p: paired permutation "
    "test of the mean log ratio, two-sided, corrected over the tuners of a problem by Holm. Training: processor "
    "seconds of a whole search, on whichever machine trained; the benchmark's come from several. "
    f"{limits} {said}",
    ours=f"P(improvement over random search): {headline}",
    **saved,
)

# %%
shown = [t for t in contest_report.CURVES if t in names]
fig = contest_plots.curves(short, naive, shown)
first = next(iter(short))
ends = contest_stats.mean_ranks(finals[first]).round(1)
figures.save(
    fig,
    "B-fig02",
    caption=f"Best MSE so far against evaluations: median over the seeds, 95 % bootstrap bands. {said}",
    ours=f"mean rank at the end among {len(ends)} tuners, {name_of(first)}: "
    + ", ".join(f"{figures.LABELS[t]} {ends[t]}" for t in shown),
    **saved,
)
fig

# %% [markdown]
# ## 2. What it costs
#
# A tuner that proposes small networks is fast for that reason, whatever it knows. So the same curves against the
# seconds of the trainings and of the tuner's own thinking:

# %%
fig = contest_plots.curves(short, naive, shown, seconds=True)
thinking = pd.concat(summaries.values()).groupby("tuner", sort=False)["thinking"].median()
slowest = f"{figures.LABELS[thinking.idxmax()]} thinks longest, {thinking.max():.2g} s a suggestion in the median"
figures.save(
    fig,
    "B-fig03",
    caption="Best MSE so far against the processor seconds of training and the tuner's own thinking: median over the "
    f"seeds, 95 % bootstrap bands; each curve ends with its median search. {said}",
    ours=slowest,
    **saved,
)
fig

# %%
fig = contest_plots.fronts(summaries, naive, evaluations=evaluations)
efficient = {}
for problem, table in summaries.items():
    spent = table["seconds"] + evaluations * table["thinking"]
    efficient[problem] = [figures.LABELS[t] for t in table["tuner"][contest_stats.front(spent, table["best"])]]
figures.save(
    fig,
    "B-fig06",
    caption=f"Median of the best MSE after {evaluations} evaluations against the median seconds of training and "
    "thinking, those of the benchmark's trainings, made on several machines; the line joins the tuners that none beats "
    f"in both. {said}",
    ours="; ".join(f"{name_of(p)}: {', '.join(found)}" for p, found in efficient.items()),
    **saved,
)
fig

# %% [markdown]
# ## 3. Against random search, and each against each
#
# Random search's best of n needs no luck: from all its evaluations, of all seeds together, the mean over every subset
# of n is known without bias, and the median best of n lies in a band that holds for all n together (`opda`, and order
# statistics where there are many). The band takes the evaluations for independent, which those on one landscape are not
# quite, and it is that of random search alone: a tuner's median has an error of its own, that of its seeds, and random
# search's own median over the seeds may leave the band. Whether a tuner is better is for the pairs of seeds to say.

# %%
fig = contest_plots.random_best(short, naive, [t for t in shown if t != "random"])
figures.save(
    fig,
    "B-fig04",
    caption="Random search's best of n: its median with a 95 % band for all n together, and its expectation without "
    f"bias; drawn on it, the medians of the sequential tuners. {said}",
    ours=headline,
    **saved,
)
fig

# %%
met = contest_stats.pairs(finals, order)
fig = contest_plots.wins(met, order)
top = order[0]
figures.save(
    fig,
    "B-fig05",
    caption=f"How often, in percent of the seeds, the tuner of the row ends below that of the column after "
    f"{evaluations} evaluations, on average over the problems ({len(finals)}), which hides where they differ: "
    f"B-tab02 has each; bold: beyond chance (95 % interval of the seeds' averages, each pair for itself). {said}",
    ours=f"{figures.LABELS[top]} ranks first on average",
    **saved,
)
fig

# %%
rivals = [r for r in ("random", "hybrid") if r in order]
tables.save(
    contest_report.duels({"surrogate": finals, "training": real_finals, "fresh training": fresh_finals}, rivals),
    "B-tab02",
    formats=contest_report.DUEL_FORMATS,
    caption="Every tuner against random search and against the hybrid: P(better), the share of paired seeds in "
    "which it ends lower, with an exact 95 % interval; geometric mean of the ratio of both MSEs, with the interval of "
    "those that the test would not refuse; two-sided paired permutation test of the log ratio (all sign flips up to "
    f"{contest_stats.EXACT} seeds, {contest_stats.FLIPS:,} random ones else), corrected by Holm. Fresh trainings have "
    f"the seeds that follow those of the trainings. {limits} {said}",
    ours=contest_words.aim(finals) if "hybrid" in order else "the hybrid took no part",
    **saved,
)

# %% [markdown]
# ### Is it the surrogate?
#
# A tuner may do well on a surrogate because it assumes what the surrogate is made of. Here is the hybrid's lead over
# every other tuner on the drawn landscapes; on the mean of both regressions, which is smoother; on the trees alone,
# which are steps and share nothing with a Gaussian process but the table that they are fitted to; and on landscapes
# that know the searches with real trainings as well, which are rougher.

# %%
on_others = {
    called: {a.problem: contest_stats.results(frame) for a, frame in checked[kind].items() if len(frame)}
    for kind, called in contest_asked.CHECKS.items()
}
by_kind = {"drawn landscapes": finals, **on_others}
aims = {called: contest_words.aim(found) for called, found in on_others.items() if found}
tables.save(
    contest_report.lead(by_kind),
    "B-tab04",
    formats={"P(better)": ".2f"},
    caption="The hybrid's lead by problem and kind of surrogate: over how many of the other tuners it has a "
    "P(improvement) of at least 0.6 with an interval above 1/2, and over whom it leads least. "
    f"{limits} On a regression all seeds have its one landscape. {said}",
    ours="; ".join(f"{called}: {aim}" for called, aim in aims.items()) or "not in this run",
    **saved,
)

# %% [markdown]
# ### Is 20 enough?
#
# Both papers stop after 20 iterations because the best comes before. With more evaluations, how often has the final
# best been found within the first 20? A blind walk, which finds it anywhere alike, would say 20 of 50, 40 %.

# %%
early = {
    a: {t: contest_stats.found_within(frames[a], t, evaluations) for t in a.tuners} for a in asked_longer if a in frames
}
shares = pd.DataFrame(
    {
        f"{name_of(a.problem)}, {a.evaluations} evaluations, {a.seeds} seeds": {
            figures.LABELS[t]: f"{e:.2f}" for t, e in by_tuner.items()
        }
        for a, by_tuner in early.items()
    }
)
shares if len(shares) else Markdown("The longer contest is not recorded in this run.")

# %% [markdown]
# ## 4. What the feedback is worth
#
# The generator paper's MSE is a constant to automatic differentiation. If its feedback carries anything, the tuner
# must do worse when the errors it is told are shuffled, or when it is told nothing. And its updates must point
# downhill: on the mean of the surrogate's regressions the true slope is known by finite differences, and the cosine
# with it is 1 for the steepest way down, 0 for a random direction. A network may drift where errors happen to be
# smaller whatever it is told: the generator is to be compared with itself told the errors of other trials, or none, not
# with 0, and the GAN with itself without its discriminator.

# %%
space = SPACES[first[0]]
followed = ("generator", "generator_reinforce", "generator_shuffled", "generator_zero", "gan", "gan_blind")
followed = [t for t in followed if t in names]
directions = feedback.directions(
    {t: (lambda s, t=t: entrants.ENTRANTS[t](s, space)) for t in followed},
    space,
    models[contest_asked.DRAWN][first].mse,
    seeds=range(seed, seed + direction_seeds),
    trials=evaluations,
)
cosines = {t: feedback.mean_cosine(directions, t) for t in followed}
without = [b for a, b in contest_report.ABLATIONS if a == "generator"] + ["random"]
compared = {p: contest_stats.pairs({p: f}, ["generator"], without) for p, f in finals.items()}
fig = feedback_plots.feedback(compared, directions, {t: (e.value, e.low, e.high) for t, e in cosines.items()})
pointing = "; ".join(f"{figures.LABELS[t]} {e:.2f}" for t, e in cosines.items())
controls = {
    (a, b): feedback.mean_cosine(directions, a, less=b)
    for a, b in (("generator", "generator_shuffled"), ("generator", "generator_zero"), ("gan", "gan_blind"))
    if a in followed and b in followed
}
parting = "; ".join(f"{figures.LABELS[a]} less *{figures.LABELS[b]}*: {e:.2f}" for (a, b), e in controls.items())
figures.save(
    fig,
    "B-fig07",
    caption="Left: how often the generator with the paper's feedback ends below itself with another or none, by "
    f"problem, exact 95 % intervals. Right: cosine between an update's effect on the proposal and the way downhill, "
    f"mean over {direction_seeds} searches on {name_of(first)}; above each panel the mean over all updates with 95 % "
    f"intervals over the searches. {said}",
    ours=f"mean cosine with the way downhill: {pointing}. Differences: {parting}",
    **saved,
)
fig

# %%
ablated = contest_report.ablations({"surrogate": finals, "training": real_finals})
told = [v for v in ("generator_shuffled", "generator_zero") if contest_words.pair(finals, "generator", v)]
fed = "; ".join(f"{figures.LABELS[v]}: {contest_words.standing(finals, 'generator', v, 'it')}" for v in told)
tables.save(
    ablated,
    "B-tab03",
    formats=contest_report.DUEL_FORMATS,
    caption="Tuners against themselves without a part: the generator with other feedback, shuffled errors or none, the "
    "GAN without its discriminator, the hybrid without its generator. Columns as in B-tab02, corrected by Holm over "
    f"the rows of a problem. {limits} {said}",
    ours=f"the generator, beside {fed}" if fed else "not in this run",
    **saved,
)

# %% [markdown]
# ### The GAN's parts
#
# Its generator should narrow down where errors are small, and its discriminator should know a good configuration
# before it is tried. A proposal that rounds to a configuration already tried is drawn again: how often?

# %%
gan_frame = short[first][short[first]["tuner"] == "gan"]
calibration = feedback.calibration(short[first])
shown_entropies = {t: feedback.entropy(short[first], t, space) for t in ("gan", "gan_blind", "random") if t in names}
headings = figures.HEADINGS | {"log10_learning_rate": "Learning rate", "log2_batch_size": "Batch size"}
fig = feedback_plots.gan(shown_entropies, headings, calibration)
repeats = gan_frame["redraws"].sum() / max(1.0, len(gan_frame) + gan_frame["redraws"].sum())
figures.save(
    fig,
    "B-fig08",
    caption=f"The GAN on {name_of(first)}. Left: entropy of each hyperparameter over the seeds, by "
    "evaluation (1: all values alike often). Right: the discriminator's probability that a proposal is real, "
    f"against the share of such proposals that turned out to be among the best quarter so far; 95 % intervals over "
    f"the searches, no shorter than exact ones of as many independent proposals. {said}",
    ours=f"P(a proposal that turned out well had the greater probability) {calibration.rank:.2f}; "
    f"{repeats:.0%} of the proposals repeated an earlier one and were drawn again",
    **saved,
)
fig

# %% [markdown]
# ## 5. Does the benchmark agree with real trainings?

# %%
agreements = {
    called: {p: contest_words.agreement(found[p], real_finals[p]) for p in found if p in real_finals}
    for called, found in by_kind.items()
}
agreement = agreements["drawn landscapes"]
mean_ranks = {}
for called, found in by_kind.items():
    for p in agreements[called]:
        common = [t for t in found[p] if t in real_finals[p]]
        ranked = [contest_stats.mean_ranks(f[p][common]) for f in (found, real_finals)]
        mean_ranks[f"{name_of(p)}:\n{called}"] = ranked[0], ranked[1]
fig = contest_plots.agreement(mean_ranks)
figures.save(
    fig,
    "B-fig09",
    caption="Mean rank of each tuner over the seeds, on the tabular benchmark (drawn landscapes, the mean of both "
    "regressions, the trees alone, landscapes that know searches) and in real trainings, for the problems that have "
    "both; on the diagonal they agree. With one seed a tuner's first proposals are the same in both, and landscapes "
    "that know searches are fitted to these very trainings, which makes them more alike. " + said,
    ours=contest_words.agreed(agreement),
    **saved,
)
fig

# %% [markdown]
# Are the drawn landscapes as rough as the errors? A training's *deviation* is how far the logarithm of its error lies
# from the process's mean, in standard deviations of the process (its noise counted). If trainings were made of what the
# process is made of, deviations would have a standard deviation of 1 and one in 40 would lie below -1.96. Those of
# random search should come near; a tuner that seeks out small errors finds more that the process thinks too low to be
# possible, the rougher the errors are where they are small. A process that knows the searches of all *other* tuners has
# met such places, and its kernel and noise are fitted to some of them.

# %%
known_to = {
    called: {p: models[kind][p] for p in short if p in models[kind]}
    for kind, called in ((contest_asked.DRAWN, "random table"), ("searched", "with the others' searches"))
}
allowed = contest_report.foreseen(known_to, real_frames)
if len(allowed):
    tables.save(
        allowed,
        "B-tab05",
        formats=contest_report.FORESEEN_FORMATS,
        caption="Deviation of the recorded trainings from what drawn landscapes allow, by tuner: mean and standard "
        "deviation (0 and 1 if they were drawn from the process), and the share below -1.96 (2.5 %). The landscapes "
        "know the random table alone, or with it the searches of all other tuners, but not the tuner's own or its "
        f"variants'. Failed trainings are left out. {said}",
        ours=f"standard deviations, {contest_report.widest(allowed)}",
        **saved,
    )

# %% [markdown]
# And is a lead on the benchmark as large as in trainings? The same tuners' P(improvement) over random search:

# %%
found_levels = contest_words.levels(finals, real_finals)
Markdown(
    "A rank says nothing of size. The median of a tuner's best error in real trainings, over that on the benchmark, "
    f"least and largest of the tuners: {found_levels}. Where that lies far from 1, leads are comparable in their order "
    "alone."
    if found_levels
    else "No problem has both."
)

# %%
real_share = {
    (name_of(p), figures.LABELS[row.tuner]): {
        **{
            called: contest_words.share(contest_words.pair({p: found[p]}, row.tuner, "random"))
            for called, found in by_kind.items()
            if p in found and {row.tuner, "random"} <= set(found[p])
        },
        "real trainings": contest_words.share(row),
    }
    for p, f in real_finals.items()
    for row in contest_stats.against(f, "random").itertuples()
}
pd.DataFrame(real_share).T if real_share else Markdown("No problem has both.")

# %%
Markdown(
    "\n\n".join(
        f"*{called.capitalize()}* and real trainings:\n\n{contest_words.agreement_markdown(found)}"
        for called, found in agreements.items()
        if found
    )
    or "No problem has both."
)

# %% [markdown]
# ## The answer in two sentences
#
# This is what the README shows, and what it says of the hybrid.

# %%
called = contest_asked.CHECKS["searched"]
beside = dict(searched=by_kind[called], knowing=agreements[called])
answer = contest_words.answer(finals, agreement, real=real_finals, evaluations=evaluations, **beside)
hybrids_answer = contest_words.hybrids_answer(finals, real_finals, fresh_finals, searched=by_kind[called])
figures.write_aside(outputs.tables / contest_words.ANSWER, answer.encode())
figures.write_aside(outputs.tables / contest_words.HYBRIDS, hybrids_answer.encode())
Markdown(f"{answer}\n{hybrids_answer}")

# %% [markdown]
# ## Findings

# %%
papers = [t for t in ("generator", "gan", "bayesian") if t in thinking]
median_thinking = "; ".join(f"{figures.LABELS[t]} {thinking[t]:.2g} s" for t in papers)
hopeful = summaries[first].set_index("tuner")
beyond = [t for t, row in answer_of.items() if row and contest_words.word(row) == "better than"]
met_blind = contest_words.pair(finals, "gan", "gan_blind")
judged = contest_words.standing(finals, "gan", "gan_blind", "itself without") if met_blind else ""
blind = calibration.base.value * (1 - calibration.base.value)
real_words = "".join(f"\n  - {name_of(p)}: {contest_words.beside_random(f)}." for p, f in real_finals.items())
in_trainings = "; ".join(
    f"{name_of(p)}: {figures.LABELS[s.set_index('tuner')['best'].idxmin()]}" for p, s in real_summaries.items()
)
standings = "; ".join(
    f"the {figures.LABELS[t]} is {contest_words.standing(finals, t, 'random', 'random search')}"
    for t in ("generator", "gan")
    if answer_of.get(t) is not None
)
reached = {"on the benchmark": finals, **{f"on its {called}": found for called, found in on_others.items()}}
reached |= {"with real trainings": real_finals, "with fresh seeds of them": fresh_finals}
hybrid_words = ", ".join(f"{contest_words.reached(found)} {where}" for where, found in reached.items() if found)
best_trained = (
    "; of real trainings " + contest_words.over_naive(real_summaries[first]["best"].min(), real_naive[first])
    if first in real_summaries
    else ""
)
parted = contest_words.pair(finals, "hybrid", "hybrid_uniform")
of_generator = contest_words.standing(finals, "hybrid", "hybrid_uniform", "it") if parted else "not in this run"
Markdown(f"""
- *On the benchmark* **{figures.LABELS[top]}** ranks first on average with {evaluations} evaluations; the lowest median
  in real trainings: {in_trainings or "none recorded"}. A reviewer should ask for random search, for paired seeds and
  for the feedback switched off wherever a tuner is proposed.
- **Better than random search beyond chance**, on average over the problems and each tuner for itself:
  {"; ".join(figures.LABELS[t] for t in beyond) or "none"}.
- **The papers' tuners**: {standings or "not in this run"}. In the first problem, {name_of(first)}, the best tuner's
  median error, the lowest of {evaluations} evaluations on the benchmark, is
  {contest_words.over_naive(hopeful["best"].min(), naive[first])}{best_trained}.
- **The feedback.** The generator with it, beside {fed or "–"}. Mean cosine of the updates with the way downhill (1:
  straight downhill): {pointing}. What is left of it beside the same tuner without what it is told: {parting or "–"}.
- **The GAN's discriminator.** With it the GAN is {judged or "not in this run"}. It ranks a proposal that turns out well
  over one that does not with probability {calibration.rank:.2f}; it has a Brier score of
  {figures.number(calibration.brier)}, where always saying the share of all, {calibration.base:.2f}, would have
  {figures.number(blind)}.
- **The hybrid** was to beat every other tuner with a P(improvement) of at least {contest_words.LEAST:g} and an interval
  above 1/2. Pairs of another tuner and a problem in which it does: {hybrid_words or "none met"}. Beside the same
  without its generator: {of_generator}.
- **Thinking**, median seconds a suggestion: {median_thinking}. Of all tuners {slowest}.
- **Real trainings**, beside random search: {real_words or "none recorded."}
- **Do benchmark and real trainings agree?** {contest_words.agreed(agreement)}.
- This run used {data.caption}. On the benchmark: {"; ".join(map(name_of, finals))}; {spread}, {evaluations} evaluations
  a search.
""")

# %% [markdown]
# ## Stamp

# %%
stamp = provenance.stamp(
    data_sha256=datasets["described"].data_sha256,
    seeds=list(range(seed, seed + max(a.seeds for a in [*asked, *asked_real]))),
    entries=[this],
    profile=profile,
)
Markdown(provenance.stamp_markdown(stamp))
