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
# # 3. The GAN tuner
#
# The second paper replaces the one network by two. A generator with one pathway per hyperparameter proposes a
# configuration; a discriminator learns to tell the best configurations so far from random ones and pulls the
# generator towards the first. Does it find a better LSTM in 20 iterations, at what cost in time, processor and
# memory?
#
# Paper: "A GAN-based method to tune LSTM hyperparameters for financial forecasting" (the *GAN paper*), sections 3.2
# to 4.3 and its appendices.

# %% tags=["parameters"]
profile = "default"
protocol = "described"  # "described": split in time; "published": shuffled, nearer to the generator paper's numbers
symbol = "^GSPC"
source = "auto"
as_of = "2024-12-31"
seed = 0  # of the tuner; every trial's LSTM has one of its own, drawn from it
epochs = 10  # per trial; fixed in both papers
short_run = 20  # iterations after which the paper stops
medium_run = 50  # figures 6 and 7
train = True  # False: redraw from the records
output = ""

# %%
import optuna
import pandas as pd
from IPython.display import Markdown

from helpers import (
    diagrams,
    figures,
    forecast_plots,
    paths,
    prices,
    provenance,
    published,
    search_plots,
    study,
    tables,
    windows,
)
from helpers.samplers import GanSampler
from helpers.samplers.networks import discriminator_model, gan_generator_model
from helpers.space import GAN_SPACE, HYPERPARAMETERS, UnitCube, config_from_params

optuna.logging.set_verbosity(optuna.logging.WARNING)
outputs = paths.outputs(output)
this = paths.NOTEBOOKS / "03_gan_tuner.py"

# %% [markdown]
# ## Setting

# %%
data = prices.load(symbol, source=source)
name = prices.index_name(symbol)
dataset = windows.Dataset(data, windows.protocol(protocol, as_of=as_of))
naive = dataset.naive_metrics()
where = f"Protocol {protocol}: {dataset.protocol.text}. {data.caption}."
paper = published.HEADLINE["gan"]
saved = dict(outputs=outputs, entries=[this])
Markdown(f"{where} **Yesterday's close scores an MSE of {naive['mse']:.7f}.**")

# %% [markdown]
# ## What is tuned
#
# The same six hyperparameters as in the generator paper (their meaning stands in notebook 02), in another space: half
# as many layers, five times as many units.

# %%
lowest, highest = (
    config_from_params({n: getattr(d, end) for n, d in GAN_SPACE.items()}).as_dict() for end in ("low", "high")
)
grid = dict(zip(HYPERPARAMETERS, ("", "", "whole decades", "powers of two", "trading days", "tenths"), strict=True))
space = pd.DataFrame(
    {
        "hyperparameter": figures.HEADINGS[h],
        "from": f"{lowest[h]:g}",
        "to": f"{highest[h]:g}",
        "values": int(UnitCube({n: d}).cells()),
        "grid": grid[h] or "whole numbers",
    }
    for h, (n, d) in zip(HYPERPARAMETERS, GAN_SPACE.items(), strict=True)
)
size = UnitCube(GAN_SPACE).cells()

# %%
tables.save(
    space,
    "A-tab01",
    caption=f"The search space of the GAN paper, read off the space that the tuner searches: {size:,} configurations.",
    ours=f"{size:,} configurations",
    published="1 to 5 layers, 1 to 50 units, 10⁻⁵ to 0.1 on a logarithmic scale, powers of two, tenths, 1 to 250 days",
    **saved,
)

# %% [markdown]
# ## The tuner
#
# The best configurations so far are shown to the discriminator as real, random ones as fake. When the recent errors get
# worse, random ones are shown as real as well, so that the search widens.

# %%
fig = diagrams.tuner_loop("gan")
figures.save(
    fig,
    "A-fig04",
    caption="The loop of the GAN tuner: propose, train, measure, teach the discriminator, then the generator.",
    **saved,
)
fig

# %% [markdown]
# The generator, built: every hyperparameter has a pathway of its own, fed by the history of MSEs and by its own
# noise. Its raw outputs are scaled to the unit cube by |tanh|, as the generator paper's tuner scales its own:
# untrained, they start at the low ends of the ranges, where the published run spends its time. The discriminator sees
# them before rounding, so that its gradient reaches the generator.

# %%
generator, discriminator = gan_generator_model(seed), discriminator_model(seed)
fig = diagrams.network(generator)
figures.save(
    fig,
    "A-appA",
    caption=f"The GAN's generator, drawn from the built Keras model: {len(generator.outputs)} pathways.",
    ours=f"{len(generator.outputs)} pathways, {generator.count_params():,} weights",
    published="one pathway per hyperparameter",
    **saved,
)
fig

# %% [markdown]
# The discriminator, which the paper describes in words:

# %%
pd.DataFrame(
    {"layer": x.name, "units": x.units, "activation": x.activation.__name__, "weights": x.count_params()}
    for x in discriminator.layers
)

# %% [markdown]
# The generator minimises the probability of being called fake, a term weighted by the MSEs measured so far, and a
# term that keeps it away from what was tried; no configuration is proposed twice. The paper names these parts without
# formulas; ours stand in the documentation of `GanSampler`.
#
# ## The study
#
# Notebook 02 shows the loop that `study.run` goes through: ask, train, tell.

# %%
run = study.run(
    f"gan_{protocol}",
    GanSampler(seed=seed, space=GAN_SPACE),
    GAN_SPACE,
    dataset,
    trials=medium_run,
    seed=seed,
    epochs=epochs,
    folder=outputs.studies(profile),
    train=train,
)
records = study.records(run)
short = records.head(short_run)
best = study.best(run, within=short_run)


# %%
def headline(r: pd.DataFrame) -> str:
    """The best trial of records, as the papers' headlines are read."""
    b = r.loc[r["mse"].idxmin()]
    return f"best MSE {b.mse:.6f} at iteration {b.iteration} of {len(r)}, {r['seconds'].sum():,.0f} s in all"


saved |= dict(protocol=protocol)
theirs = published.records("gan")
said = {"Ours": headline(short), "The paper": str(paper), "Ours, continued": headline(records)}
Markdown("\n".join(f"- {who}: {what}" for who, what in said.items()))

# %% [markdown]
# ## 50 iterations, and why the paper stops after 20

# %%
fig = search_plots.mse_over_iterations(records, tuner="gan", naive=naive["mse"], early_stop=short_run)
figures.save(
    fig,
    "A-fig06",
    caption=f"MSE of the GAN tuner over {len(records)} iterations. {where}",
    ours=headline(records),
    published="lowest MSE within the first 20 iterations",
    **saved,
)
fig

# %% [markdown]
# The paper smooths the curve and reads cycles in it: down to a minimum, up again, down to the next. A moving average
# over independent numbers shows such waves too.

# %%
fig = search_plots.smoothed(records, tuner="gan", naive=naive["mse"], early_stop=short_run)
figures.save(
    fig,
    "A-fig07",
    caption=f"The search smoothed: the cycles that the paper reads in it. {where}",
    ours=headline(records),
    published="a cyclic search",
    **saved,
)
fig

# %% [markdown]
# ## 20 iterations: the errors
#
# The paper's run in grey. The paper prints MSEs; its RMSE follows from them, its MAE and R² are only in its
# figures.

# %%
fig = search_plots.mse_over_iterations(short, tuner="gan", naive=naive["mse"], published=theirs)
figures.save(
    fig,
    "A-fig08",
    caption=f"MSE of the GAN tuner over {len(short)} iterations, the best marked, the paper's run in grey. {where}",
    ours=headline(short),
    published=str(paper),
    **saved,
)
fig

# %%
fig = search_plots.metric_over_iterations(short, "rmse", tuner="gan", published=theirs, naive=naive["rmse"])
figures.save(
    fig,
    "A-fig09",
    caption=f"RMSE of the GAN tuner over {len(short)} iterations. {where}",
    ours=f"best RMSE {short['rmse'].min():.5f}",
    published=f"best RMSE {theirs['rmse'].min():.5f}",
    **saved,
)
fig

# %%
fig = search_plots.metric_over_iterations(short, "mae", tuner="gan", naive=naive["mae"])
figures.save(
    fig,
    "A-fig10",
    caption=f"MAE of the GAN tuner over {len(short)} iterations. {where}",
    ours=f"best MAE {short['mae'].min():.5f}, {short['mae_points'].min():.1f} points",
    published="lower at iterations 4, 6 and 17 to 19",
    **saved,
)
fig

# %%
fig = search_plots.metric_over_iterations(short, "r2", tuner="gan", naive=naive["r2"])
figures.save(
    fig,
    "A-fig11",
    caption=f"R² of the GAN tuner over {len(short)} iterations. {where}",
    ours=f"R² from {short['r2'].min():.2f} to {short['r2'].max():.4f}",
    published="negative at first, near 1 later",
    **saved,
)
fig

# %% [markdown]
# Every trial, and each hyperparameter over the iterations:

# %%
columns = ["iteration", *HYPERPARAMETERS, "mse", "seconds"]
tables.save(
    short[columns],
    "A-appB",
    highlight="mse",
    caption=f"Every trial of the GAN tuner. Yesterday's close scores {naive['mse']:.7f}. {where}",
    ours=headline(short),
    published=str(paper),
    **saved,
)

# %%
fig = search_plots.hyperparameters_over_iterations(short, tuner="gan", published=theirs)
figures.save(
    fig,
    "A-appC",
    caption=f"Each hyperparameter over {len(short)} iterations, the paper's run in grey. {where}",
    ours=f"{len(short.drop_duplicates([*HYPERPARAMETERS]))} different configurations in {len(short)}",
    published=f"{len(theirs.drop_duplicates([*HYPERPARAMETERS]))} different configurations in {len(theirs)}",
    **saved,
)
fig

# %% [markdown]
# ## 20 iterations: the cost
#
# Processor use is that of the trial's process in percent of all cores, memory the most that this process held. The
# paper's numbers seem to be those of its whole machine, so the levels cannot be compared; the course over the
# iterations can, but for the processor:

# %%
cores = run.user_attrs.get("stamp", {}).get("machine", {}).get("cores")  # of the machine that trained
one_core = f"one core of {cores}, {100 / cores:.0f} %" if cores else "one core's share"
Markdown(
    f"A training of ours keeps one core busy: by construction it uses at most {one_core}, and nearly that whatever the "
    "configuration, unless it is over at once. The paper sees its processor use fluctuate; that can be neither "
    "confirmed nor contradicted here."
)

# %%
fig = search_plots.metric_over_iterations(short, "cpu_percent", tuner="gan", average=True, claims=True)
figures.save(
    fig,
    "A-fig12",
    caption="Processor use of every trial, percent of all cores, with its average; a training of ours uses at most "
    f"{one_core}. {where}",
    ours=f"average {short['cpu_percent'].mean():.1f} %",
    published=f"average {paper.cpu_percent:.2f} %",
    **saved,
)
fig

# %%
fig = search_plots.metric_over_iterations(short, "peak_rss_mb", tuner="gan", average=True, claims=True)
figures.save(
    fig,
    "A-fig13",
    caption="Peak memory of the trial's process, and pale the memory in use on the whole machine, other programs' "
    f"included, each with its average; the paper's seems to be the latter. {where}",
    ours=f"average {short['peak_rss_mb'].mean():,.0f} MB of the process, "
    f"{short['memory_used_mb'].mean():,.0f} MB in use on the machine",
    published=f"average {paper.memory_mb:,.2f} MB",
    **saved,
)
fig

# %%
fig = search_plots.metric_over_iterations(short, "cumulative_seconds", tuner="gan", published=theirs, claims=True)
figures.save(
    fig,
    "A-fig14",
    caption="Cumulative time of training and evaluation over the iterations; the axis is logarithmic, so that a late "
    f"jump, such as the paper's at iteration {theirs['seconds'].iloc[1:].idxmax() + 1}, looks smaller than on a linear "
    f"one. {where}",
    ours=f"{short['seconds'].sum():,.0f} s, {short['seconds'].mean():.1f} s an iteration",
    published=f"{paper.seconds:,.0f} s, {theirs['seconds'].mean():.1f} s an iteration",
    **saved,
)
fig

# %% [markdown]
# ## The best LSTM forecasts

# %%
winner = study.winner(run, dataset, folder=outputs.studies(profile), within=short_run, train=train)
actual, predicted, yesterday = (
    dataset.to_points(values, stage="final") for values in (winner.actual, winner.predictions, winner.naive)
)
residual = pd.Series(actual - predicted)
both = pd.DataFrame([{**winner.config.as_dict(), "mse": winner.metrics["mse"], "yesterday's close": naive["mse"]}])
tables.formatted(both, {"mse": ".7f", "yesterday's close": ".7f"}).style.hide()

# %%
fig = forecast_plots.forecast(
    winner.dates,
    actual,
    predicted,
    yesterday,
    mse=winner.metrics["mse"],
    naive_mse=naive["mse"],
    tuner="gan",
    symbol=name,
)
figures.save(
    fig,
    "A-fig15",
    caption=f"Actual and predicted closes of the test part, with yesterday's close. {where}",
    ours=f"MSE {winner.metrics['mse']:.7f}, yesterday's close {naive['mse']:.7f}",
    published=f"MSE {paper.best_mse:.6f}",
    **saved,
)
fig

# %%
fig = forecast_plots.residuals(actual, predicted, yesterday, tuner="gan")
figures.save(
    fig,
    "A-fig16",
    caption=f"Distribution of actual minus predicted closes with its density and the zero line, index points. {where}",
    ours=f"mean {residual.mean():+.1f} points, {(residual > 0).mean():.0%} above zero",
    published="most above zero: the model underestimates",
    **saved,
)
fig

# %% [markdown]
# ## Findings

# %%
overall = study.best(run)
theirs_below = (theirs["mse"] < naive["mse"]).sum()
repeated = len(records) - len(records.drop_duplicates([*HYPERPARAMETERS]))

# %%
Markdown(f"""
- **Best of {len(short)} iterations:** MSE {best.mse:.6f} at iteration {best.iteration} (the paper:
  {paper.best_mse:.6f} at iteration {paper.iteration}), {best.mse / naive["mse"]:,.1f} times that of yesterday's
  close. {(short["mse"] < naive["mse"]).sum()} of our {len(short)} trials and {theirs_below} of the paper's
  {paper.trials} are better than yesterday's close.
- **Is the lowest error found within {len(short)} iterations?** Over {len(records)} iterations the lowest is
  {overall.mse:.6f}, at iteration {overall.iteration}: here the paper's rule
  {"holds" if overall.iteration <= len(short) else "does not hold"}. One study cannot say how often.
- **Cost.** {short["seconds"].sum():,.0f} s for {len(short)} iterations (the paper: {paper.seconds:,.0f} s),
  {short["cpu_percent"].mean():.1f} % of the processor (by construction at most {one_core}) and
  {short["peak_rss_mb"].mean():,.0f} MB on average, with
  {short["memory_used_mb"].mean():,.0f} MB in use on the whole machine (the paper: {paper.cpu_percent:.1f} % and
  {paper.memory_mb:,.0f} MB, of another machine and measured in another way). The tuner itself took
  {short["sampler_seconds"].sum():.1f} s.
- {study.failures(records)}. {repeated} configurations were repeated.
- **Residuals.** The mean of actual minus predicted is {residual.mean():+.1f} points; {(residual > 0).mean():.0%} of
  the residuals are above zero.
- *What differs from the paper.* Formulas of the generator's loss are ours, where the paper gives words; learning
  rates are searched by whole decades; time, processor and memory are those of the trial's own process.
- This run used {data.caption}; protocol {protocol} ({dataset.protocol.text}).
""")

# %% [markdown]
# ## Stamp

# %%
stamp = provenance.stamp(
    data_sha256=dataset.data_sha256, seeds=[seed], entries=[this], profile=profile, protocol=protocol
)
Markdown(provenance.stamp_markdown(stamp))
