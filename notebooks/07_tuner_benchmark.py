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
surrogate = "generator:described:100"  # contests on the benchmark, space:protocol:seeds
longer = "generator:described:10:50"  # contests on the benchmark with more evaluations, for the claim of the 20th
checks = "generator:described:10"  # the same on the surrogate's trees alone
real = "generator:described:2"  # contests with real trainings
tuners = ""  # those of the benchmark's contests; all of them if empty
real_tuners = ""  # those of the real ones
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
    contest_plots,
    contest_report,
    contest_stats,
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
asked = contest_report.parse(surrogate, evaluations=evaluations)
asked_longer = contest_report.parse(longer, evaluations=evaluations)
asked_checks = contest_report.parse(checks, evaluations=evaluations)
asked_real = contest_report.parse(real, evaluations=evaluations)
names, real_names = (contest_report.parse_tuners(text) for text in (tuners, real_tuners))
datasets = {p: windows.Dataset(data, windows.protocol(p, as_of=as_of)) for p in windows.PROTOCOLS}
saved = dict(outputs=outputs, entries=[this], published="not in the papers")
limits = "Intervals are over seeds, given the surrogate."
holding = dict(jobs=jobs, dask=os.environ.get("DASK", ""))

# %%
frames, naive, absent, models, checked = {}, {}, [], {}, {}
for a, model in [*((a, "mixed") for a in [*asked, *asked_longer]), *((a, "trees") for a in asked_checks)]:
    known = {datasets[a.protocol].data_sha256: datasets[a.protocol].naive_metrics()["mse"]}
    try:
        problem = contest_report.tabular(*a.problem, naive=known, model=model)
    except benchmark.BenchmarkError as error:
        absent.append(str(error))
        continue
    path = contest.records_path(folder, problem)
    if train:
        contest.hold(path, problem, names, range(seed, seed + a.seeds), evaluations=a.evaluations, **holding)
    found = contest.recorded(path, a.space, evaluations=a.evaluations)
    found = found[found["tuner"].isin(names) & found["seed"].between(seed, seed + a.seeds - 1)]
    if model == "trees":
        checked[a] = found
    else:
        frames[a], naive[a.problem], models[a.problem] = found, contest.naive(path), problem

# %%
real_frames, real_naive = {}, {}
for a in asked_real:
    problem = problems.Trained(datasets[a.protocol], a.space, epochs=epochs)
    path = contest.records_path(folder, problem)
    if train:
        contest.hold(path, problem, real_names, range(seed, seed + a.seeds), evaluations=a.evaluations, **holding)
    found = contest.recorded(path, a.space, evaluations=a.evaluations)
    found = found[found["tuner"].isin(real_names) & found["seed"].between(seed, seed + a.seeds - 1)]
    if len(found):
        real_frames[a.problem], real_naive[a.problem] = found, contest.naive(path)

# %%
short = {a.problem: frames[a] for a in asked if a in frames and len(frames[a])}
by_problem = {a: real_frames.get(a.problem) for a in asked_real}
pd.concat(
    {
        "benchmark": contest_report.coverage([*asked, *asked_longer], frames, names),
        "its trees alone": contest_report.coverage(asked_checks, checked, names),
        "real trainings": contest_report.coverage(asked_real, by_problem, real_names),
    },
    names=["evaluated by", "contest"],
).reset_index(level="contest", drop=True)

# %%
said = f"{data.caption}. The benchmark's trainings: closes of the S&P 500 up to the end of 2024."
wanted = {(s, p) for s in SPACES for p in windows.PROTOCOLS}
unasked = [name_of(p) for p in sorted(wanted - set(short))]
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
# evaluations are random, half of a search of twenty.
#
# **The hybrid** fits Gaussian processes to the logarithms of the errors, with many length scales that vote. A generator
# of configurations is trained on them through their gradient, which the papers' generators lack; the best of what it
# generates and of random points, by expected improvement, is moved coordinate by coordinate to where that is largest.
# Its settings were chosen on *Generator's space, described*, with other seeds than those here. The other problems are
# the test.
#
# The policy gradient takes no part in the real trainings of profile full: it proposes large networks, and its searches
# took seven times as long as random search's.
#
# **The surrogate** is a model that tells the error of any configuration without a training: the mean of a Gaussian
# process and of randomised trees, fitted to configurations drawn at random and trained once. Where trainings were
# repeated, a configuration and a seed have the noise of a training; elsewhere there is none.
# `data/benchmark/README.md` says how far its predictions are from trainings that it has not seen. All intervals below
# are over seeds of searches on this one model: its own error is not in them. Half of it is a Gaussian process, as are
# the models of the hybrid and of Bayesian optimisation; B-tab04 repeats the contest on the trees alone.
#
# Every number is the lowest error that a search *observed*, one training each, and owes something to that training's
# luck.

# %% [markdown]
# ## 1. What each tuner reaches
#
# *P(improvement)* is the share of the seeds in which a tuner's search ends below its rival's with the same seed: 1/2 is
# a draw.

# %%
finals = {problem: contest_stats.results(frame) for problem, frame in short.items()}
real_finals = {problem: contest_stats.results(frame) for problem, frame in real_frames.items()}
summaries = {problem: contest_stats.summary(frame, naive[problem]) for problem, frame in short.items()}
real_summaries = {p: contest_stats.summary(frame, real_naive[p]) for p, frame in real_frames.items()}
ranks = pd.DataFrame({name_of(p): contest_stats.mean_ranks(f) for p, f in finals.items()}).mean(axis=1).sort_values()
order = list(ranks.index)
spread = f"{min(len(f.dropna()) for f in finals.values())} paired seeds at least"
fewest = min((len(f.dropna()) for f in real_finals.values()), default=0)
real_spread = f" ({fewest} paired seeds at least)" if fewest else ""
answer_of = {t: contest_report.pair(finals, t, "random") for t in order if t != "random"}
headline = "; ".join(f"{figures.LABELS[t]} {contest_report.share(r)}" for t, r in answer_of.items() if r)

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
    "with the same seed, Wilson's interval; p: paired permutation test of the mean log ratio, two-sided, corrected "
    f"over the tuners of a problem by Holm. Training: processor seconds of a whole search. {limits} {said}",
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
    ours=f"mean rank at the end, {name_of(first)}: " + ", ".join(f"{figures.LABELS[t]} {ends[t]}" for t in shown),
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
    caption="Best MSE so far against processor seconds of training and of the tuner's own thinking: median over the "
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
    f"thinking; the line joins the tuners that none beats in both. {said}",
    ours="; ".join(f"{name_of(p)}: {', '.join(found)}" for p, found in efficient.items()),
    **saved,
)
fig

# %% [markdown]
# ## 3. Against random search, and each against each
#
# Random search's best of n needs no luck: from all its evaluations the mean over every subset of n is known without
# bias, and the median best of n lies in a band that holds for all n together (`opda`, and order statistics where there
# are many). A sequential tuner is worth its name where its median leaves the band downwards.

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
    f"B-tab02 has each; bold: beyond chance (Wilson's 95 % interval of each pair for itself). {said}",
    ours=f"{figures.LABELS[top]} ranks first on average",
    **saved,
)
fig

# %%
rivals = [r for r in ("random", "hybrid") if r in order]
tables.save(
    contest_report.duels({"surrogate": finals, "training": real_finals}, rivals),
    "B-tab02",
    formats=contest_report.DUEL_FORMATS,
    caption="Every tuner against random search and against the hybrid: P(better), the share of paired seeds in "
    "which it ends lower, with Wilson's 95 % interval; geometric mean of the ratio of both MSEs, with a bootstrap "
    "interval; two-sided paired permutation test of the log ratio (all sign flips up to "
    f"{contest_stats.EXACT} seeds, {contest_stats.FLIPS:,} random ones else), corrected by Holm. {limits} {said}",
    ours=contest_report.aim(finals) if "hybrid" in order else "the hybrid took no part",
    **saved,
)

# %% [markdown]
# ### Is it the surrogate?
#
# A tuner may do well on a surrogate because it assumes what the surrogate is made of. Here is the hybrid's lead over
# every other tuner on the surrogate as it is and on its trees alone, which are steps and share nothing with a Gaussian
# process.

# %%
by_trees = {a.problem: contest_stats.results(frame) for a, frame in checked.items() if len(frame)}
tables.save(
    contest_report.lead({"both": finals, "trees alone": by_trees}),
    "B-tab04",
    formats={"P(better)": ".2f"},
    caption="The hybrid's lead by problem and model of the surrogate: over how many of the other tuners it has a "
    "P(improvement) of at least 0.6 with an interval above 1/2, and over whom it leads least. "
    f"{limits} {said}",
    ours=f"on the trees alone: {contest_report.aim(by_trees)}" if by_trees else "not in this run",
    **saved,
)

# %% [markdown]
# ### Is 20 enough?
#
# Both papers stop after 20 iterations because the best comes before. With more evaluations, how often has the final
# best been found within the first 20? A blind walk, which finds it anywhere alike, would say 20 of 50, 40 %.

# %%
early = {
    a: {t: contest_stats.found_within(frames[a], t, evaluations) for t in names} for a in asked_longer if a in frames
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
# downhill: on the surrogate the true slope is known by finite differences, and the cosine with it is 1 for the
# steepest way down, 0 for a random direction.

# %%
space = SPACES[first[0]]
followed = [t for t in ("generator", "generator_reinforce", "generator_zero", "gan", "gan_blind") if t in names]
directions = feedback.directions(
    {t: (lambda s, t=t: entrants.ENTRANTS[t](s, space)) for t in followed},
    space,
    models[first].surrogate.mse,
    seeds=range(seed, seed + direction_seeds),
    trials=evaluations,
)
cosines = {t: feedback.mean_cosine(directions, t) for t in followed}
without = [b for a, b in contest_report.ABLATIONS if a == "generator"] + ["random"]
compared = {p: contest_stats.pairs({p: f}, ["generator"], without) for p, f in finals.items()}
fig = feedback_plots.feedback(compared, directions, {t: (e.value, e.low, e.high) for t, e in cosines.items()})
pointing = "; ".join(f"{figures.LABELS[t]} {e:.2f}" for t, e in cosines.items())
figures.save(
    fig,
    "B-fig07",
    caption="Left: how often the generator with the paper's feedback ends below itself with another or none, by "
    f"problem, Wilson's 95 % intervals. Right: cosine between an update's effect on the proposal and the way downhill, "
    f"mean over {direction_seeds} searches on {name_of(first)}; above each panel the mean over all updates with 95 % "
    f"intervals over the searches. {said}",
    ours=f"mean cosine with the way downhill: {pointing}",
    **saved,
)
fig

# %%
ablated = contest_report.ablations({"surrogate": finals, "training": real_finals})
told = [v for v in ("generator_shuffled", "generator_zero") if contest_report.pair(finals, "generator", v)]
fed = "; ".join(f"{figures.LABELS[v]}: {contest_report.standing(finals, 'generator', v, 'it')}" for v in told)
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
    f"against the share of such proposals that turned out to be among the best quarter so far; Wilson's 95 % "
    f"intervals. {said}",
    ours=f"P(a proposal that turned out well had the greater probability) {calibration.rank:.2f}; "
    f"{repeats:.0%} of the proposals were repeats",
    **saved,
)
fig

# %% [markdown]
# ## 5. Does the benchmark agree with real trainings?

# %%
both = {p: (finals[p], real_finals[p]) for p in finals if p in real_finals}
agreement = {p: contest_report.agreement(*pair) for p, pair in both.items()}
mean_ranks = {}
for p, (one, other) in both.items():
    common = [t for t in one if t in other]
    mean_ranks[p] = contest_stats.mean_ranks(one[common]), contest_stats.mean_ranks(other[common])
fig = contest_plots.agreement(mean_ranks or {first: (pd.Series(dtype=float), pd.Series(dtype=float))})
figures.save(
    fig,
    "B-fig09",
    caption="Mean rank of each tuner over the seeds, on the tabular benchmark and in real trainings, for the problems "
    f"that have both; on the diagonal they agree. With one seed a tuner's first proposals are the same in both, which "
    f"makes them more alike. {said}",
    ours=contest_report.agreed(agreement),
    **saved,
)
fig

# %%
Markdown(f"The benchmark's contest and real trainings: {contest_report.agreed(agreement)}.")

# %% [markdown]
# ## The answer in two sentences
#
# This is what the README shows.

# %%
answer = contest_report.answer(finals, agreement, real=real_finals, evaluations=evaluations)
figures.write_aside(outputs.tables / contest_report.ANSWER, answer.encode())
Markdown(answer)

# %% [markdown]
# ## Findings

# %%
papers = [t for t in ("generator", "gan", "bayesian") if t in thinking]
median_thinking = "; ".join(f"{figures.LABELS[t]} {thinking[t]:.2g} s" for t in papers)
hopeful = summaries[first].set_index("tuner")
beyond = [t for t, row in answer_of.items() if row and contest_report.word(row) == "better than"]
parted = contest_report.pair(finals, "hybrid", "hybrid_uniform")
met_blind = contest_report.pair(finals, "gan", "gan_blind")
judged = contest_report.standing(finals, "gan", "gan_blind", "itself without") if met_blind else ""
blind = calibration.base.value * (1 - calibration.base.value)
real_words = "; ".join(
    f"{name_of(p)} (seeds: {len(f.dropna())}): "
    + ", ".join(
        f"{figures.LABELS[r.tuner]} {contest_report.share(r)}" for r in contest_stats.against(f, "random").itertuples()
    )
    for p, f in real_finals.items()
)
in_trainings = "; ".join(
    f"{name_of(p)}: {figures.LABELS[s.set_index('tuner')['best'].idxmin()]}" for p, s in real_summaries.items()
)
standings = "; ".join(
    f"the {figures.LABELS[t]} is {contest_report.standing(finals, t, 'random', 'random search')}"
    for t in ("generator", "gan")
    if answer_of.get(t) is not None
)
Markdown(f"""
- *On the benchmark* **{figures.LABELS[top]}** ranks first on average with {evaluations} evaluations; the lowest median
  in real trainings: {in_trainings or "none recorded"}. A reviewer should ask for random search, for paired seeds and
  for the feedback switched off wherever a tuner is proposed.
- **Better than random search beyond chance**, on average over the problems and each tuner for itself:
  {"; ".join(figures.LABELS[t] for t in beyond) or "none"}.
- **The papers' tuners**: {standings or "not in this run"}. In the first problem, {name_of(first)}, the best tuner's
  median error, the lowest of {evaluations} trainings, is
  {contest_report.over_naive(hopeful["best"].min(), naive[first])}.
- **The feedback.** The generator with it, beside {fed or "–"}. Mean cosine of the updates with the way downhill (1:
  straight downhill, 0: no direction): {pointing}.
- **The GAN's discriminator.** With it the GAN is {judged or "not in this run"}. It ranks a proposal that turns out well
  over one that does not with probability {calibration.rank:.2f}; it has a Brier score of
  {figures.number(calibration.brier)}, where always saying the share of all, {calibration.base:.2f}, would have
  {figures.number(blind)}.
- **The hybrid.** On the benchmark: {contest_report.aim(finals)} On the surrogate's trees alone:
  {contest_report.aim(by_trees)} With real trainings: {contest_report.aim(real_finals)} Beside the same without its
  generator: {contest_report.standing(finals, "hybrid", "hybrid_uniform", "it") if parted else "not in this run"}.
- **Thinking**, median seconds a suggestion: {median_thinking}. Of all tuners {slowest}.
- **Real trainings** over random search: {real_words or "none recorded"}. Benchmark and real trainings:
  {contest_report.agreed(agreement)}.
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
