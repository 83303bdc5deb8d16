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
# # 5. The tuners side by side
#
# The generator paper concludes that its tuner is more stable, more accurate and cheaper than Bayesian optimisation.
# What do our records say, and how do all tuners compare with yesterday's close?
#
# This notebook reads the records of notebooks 02 to 04. Paper: generator paper, section 4.3 and figure 21.

# %% tags=["parameters"]
profile = "default"
protocol = "described"  # "described": split in time, the generator paper's text; "published": shuffled, what it fits
symbol = "^GSPC"
source = "auto"
as_of = "2024-12-31"
seed = 0  # of the studies that are read
short_run = 20  # iterations of the generator and the GAN that count; Bayesian optimisation has its stop rule
train = True  # False: an error where a forecast is missing from the records
output = ""

# %%
import optuna
import pandas as pd
from IPython.display import Markdown

from helpers import figures, paths, prices, provenance, published, search_plots, study, tables, windows
from helpers.space import HYPERPARAMETERS

optuna.logging.set_verbosity(optuna.logging.WARNING)
outputs = paths.outputs(output)
folder = outputs.studies(profile)
this = paths.NOTEBOOKS / "05_comparison.py"

# %% [markdown]
# ## Setting

# %%
data = prices.load(symbol, source=source)
dataset = windows.Dataset(data, windows.protocol(protocol, as_of=as_of))
naive = dataset.naive_metrics()
where = f"Protocol {protocol}: {dataset.protocol.text}. {data.caption}."
saved = dict(outputs=outputs, protocol=protocol, entries=[this])
Markdown(f"{where} **Yesterday's close scores an MSE of {naive['mse']:.7f}.**")

# %%
within = {"generator": short_run, "bayesian": None, "bayesian_warped": None, "gan": short_run}
runs = {tuner: study.load(f"{tuner}_{protocol}", folder) for tuner in within}
records = {tuner: study.records(run).head(within[tuner]) for tuner, run in runs.items()}
both = {tuner: records[tuner] for tuner in ("generator", "bayesian", "bayesian_warped")}
theirs = {tuner: published.records(tuner) for tuner in ("generator", "bayesian")}
pd.Series({figures.LABELS[tuner]: len(r) for tuner, r in records.items()}, name="iterations").to_frame()

# %% [markdown]
# ## Errors over the iterations
#
# The paper's two runs in grey, ours in colour. Bayesian optimisation over the warped space stands beside that over
# raw ranges (notebook 04).


# %%
papers = {tuner: figures.LABELS[tuner].partition(",")[0] for tuner in theirs}  # it names no ranges


def medians(column: str, spec: str, tables: dict[str, pd.DataFrame], labels=figures.LABELS) -> str:
    """The median of a column for the generator and for Bayesian optimisation, in words."""
    values = {tuner: r[column].median() for tuner, r in tables.items() if column in r}
    return ", ".join(f"{labels[tuner]} {value:{spec}}" for tuner, value in values.items())


fig = search_plots.mse_over_iterations(both, naive=naive["mse"], published=theirs)
figures.save(
    fig,
    "G-fig16",
    caption=f"MSE over the iterations, generator and Bayesian optimisation, the paper's runs in grey. {where}",
    ours="median " + medians("mse", ".6f", both),
    published="median " + medians("mse", ".6f", theirs, papers),
    **saved,
)
fig

# %% [markdown]
# Three other measures of the same errors, with what the paper's text states for them. R² is the share of the variance
# explained: 1 at best, below 0 where the mean of the test days would forecast better. RMSE is the root of the MSE, MAE
# the mean absolute error; both are in scaled units.

# %%
fig = search_plots.metric_over_iterations(both, "r2", naive=naive["r2"], claims=True)
figures.save(
    fig,
    "G-fig18",
    caption=f"R² over the iterations, with the ranges that the paper states. {where}",
    ours="median " + medians("r2", ".3f", both),
    published="; ".join(published.CLAIMED[tuner, "r2"].says for tuner in theirs),
    **saved,
)
fig

# %%
fig = search_plots.metric_over_iterations(both, "rmse", naive=naive["rmse"], published=theirs, claims=True)
figures.save(
    fig,
    "G-fig19",
    caption=f"RMSE over the iterations, with the ranges that the paper states; its runs are the roots of the MSEs of "
    f"tables 8 and 9. {where}",
    ours="median " + medians("rmse", ".4f", both),
    published="median " + medians("rmse", ".4f", theirs, papers) + " (roots of its MSEs)",
    **saved,
)
fig

# %%
fig = search_plots.metric_over_iterations(both, "mae", naive=naive["mae"], claims=True)
figures.save(
    fig,
    "G-fig20",
    caption=f"MAE over the iterations, with the ranges that the paper states. {where}",
    ours="median " + medians("mae", ".4f", both),
    published="; ".join(published.CLAIMED[tuner, "mae"].says for tuner in theirs),
    **saved,
)
fig

# %% [markdown]
# ## Time
#
# Cumulative time of training and evaluation. The time of a tuner's own computations is in the table at the end. The
# axis is logarithmic, so that seconds of unlike machines can be read together; jumps late in a search look small on it.
# The paper's text speaks of its generator at iteration 28 as well; its table 8, which is drawn here, ends at 20.

# %%
seconds = {tuner: r["seconds"].sum() for tuner, r in records.items()}
fig = search_plots.metric_over_iterations(both, "cumulative_seconds", published=theirs)
figures.save(
    fig,
    "G-fig17",
    caption="Cumulative time over the iterations, the paper's runs in grey; the axis is logarithmic, so that late "
    f"iterations look short: their times stand in G-tab08 and G-tab09. {where}",
    ours=", ".join(f"{figures.LABELS[tuner]} {seconds[tuner]:,.0f} s" for tuner in both),
    published=", ".join(
        f"{papers[tuner]} {r['seconds'].sum():,.0f} s, of which {r['seconds'].iloc[short_run:].sum():,.0f} s after "
        f"iteration {short_run}"
        if len(r) > short_run
        else f"{papers[tuner]} {r['seconds'].sum():,.0f} s"
        for tuner, r in theirs.items()
    ),
    **saved,
)
fig

# %% [markdown]
# ## Where the tuners search
#
# Each hyperparameter over the iterations. The paper reads its tuner's narrow lines as stability. They are also what a
# search looks like that leaves most of the space alone.

# %%
fig = search_plots.hyperparameters_over_iterations(both, published=theirs)
figures.save(
    fig,
    "G-fig21",
    caption=f"Each hyperparameter over the iterations, the paper's runs in grey. {where}",
    ours="; ".join(
        f"{figures.LABELS[tuner]}: {r['sequence_length'].min()} to {r['sequence_length'].max()} days"
        for tuner, r in both.items()
    ),
    published="; ".join(
        f"{papers[tuner]}: {r['sequence_length'].min()} to {r['sequence_length'].max()} days"
        for tuner, r in theirs.items()
    ),
    **saved,
)
fig

# %% [markdown]
# The paper compares the choices in words (table 7). In numbers: lowest, median and highest value of each.


# %%
def spread(values: pd.Series) -> str:
    """Lowest, median and highest value in one cell."""
    return f"{values.min():g} / {values.median():g} / {values.max():g}"


shown = {figures.LABELS[tuner]: r for tuner, r in both.items()}
shown |= {f"Paper's {figures.LABELS[tuner].partition(',')[0]}": r for tuner, r in theirs.items()}
choices = pd.DataFrame({label: r[[*HYPERPARAMETERS]].agg(spread) for label, r in shown.items()})
choices.insert(0, "hyperparameter", [figures.HEADINGS[h] for h in HYPERPARAMETERS])

# %%
tables.save(
    choices,
    "G-tab07",
    caption=f"The tuners' choices: lowest / median / highest value of each hyperparameter. {where}",
    ours="generator: median batch size {:g}".format(both["generator"]["batch_size"].median()),
    published="generator: low and steady; Bayesian: wide and unsteady",
    **saved,
)

# %% [markdown]
# ## All tuners and yesterday's close
#
# Every tuner's best LSTM on the test part, in scaled units and in index points.

# %%
winners = {
    tuner: study.winner(run, dataset, folder=folder, within=within[tuner], train=train) for tuner, run in runs.items()
}
final = dataset.naive_metrics("final")
kept = ("mse", "r2", "rmse_points", "mae_points")
summary = pd.DataFrame(
    [
        {
            "tuner": figures.LABELS[tuner],
            "trials": len(records[tuner]),
            "iteration": winners[tuner].iteration,
            **{k: winners[tuner].metrics[k] for k in kept},
            "seconds": seconds[tuner],
            "sampler_seconds": records[tuner]["sampler_seconds"].sum(),
        }
        for tuner in runs
    ]
    + [{"tuner": "Yesterday's close", **{k: final[k] for k in kept}}]
).convert_dtypes()

# %%
summary.to_csv(outputs.tables / f"summary_{protocol}.csv", index=False)
tables.formatted(summary.astype(object).where(summary.notna(), None), {"mse": ".7f"}).style.hide()

# %% [markdown]
# ## Findings

# %%
least = summary.loc[summary["mse"].idxmin(), "tuner"].replace("Yesterday's", "yesterday's")
below = {tuner: int((r["mse"] < naive["mse"]).sum()) for tuner, r in records.items()}
generator, raw, warped = (both[tuner] for tuner in both)
tried = {tuner: r["sequence_length"].nunique() for tuner, r in both.items()}

# %%
Markdown(f"""
- **The least MSE is that of {least}.** Trials better than yesterday's close: {sum(below.values())} of
  {sum(len(r) for r in records.values())}, over all tuners.
- **Accuracy.** Best MSE: generator {generator["mse"].min():.6f}, Bayesian {raw["mse"].min():.6f} over raw ranges and
  {warped["mse"].min():.6f} warped, GAN {records["gan"]["mse"].min():.6f}. The paper: generator
  {theirs["generator"]["mse"].min():.6f}, Bayesian {theirs["bayesian"]["mse"].min():.6f}; its own table has the lower
  error in the Bayesian row.
- **Steadiness.** The MSE of the trials spreads by {generator["mse"].std():.5f} (standard deviation) with the generator,
  by {raw["mse"].std():.5f} and {warped["mse"].std():.5f} with Bayesian optimisation (the paper:
  {theirs["generator"]["mse"].std():.5f} and {theirs["bayesian"]["mse"].std():.5f}), about a median of
  {generator["mse"].median():.5f}, {raw["mse"].median():.5f} and {warped["mse"].median():.5f} (the paper:
  {theirs["generator"]["mse"].median():.5f} and {theirs["bayesian"]["mse"].median():.5f}).
- **Time.** {seconds["generator"]:,.0f} s for {len(generator)} iterations of the generator, {seconds["bayesian"]:,.0f}
  s for {len(raw)} of Bayesian optimisation (the paper: {theirs["generator"]["seconds"].sum():,.0f} s and
  {theirs["bayesian"]["seconds"].sum():,.0f} s). An iteration costs what its LSTM costs: its windows' length, its
  layers and its batch size.
- *What differs from the paper.* One seed is one run; how often each tuner wins needs many. Errors here are those of
  the protocol named above.
- This run used {data.caption}; protocol {protocol} ({dataset.protocol.text}).
""")

# %% [markdown]
# ## Stamp

# %%
stamp = provenance.stamp(
    data_sha256=dataset.data_sha256, seeds=[seed], entries=[this], profile=profile, protocol=protocol
)
Markdown(provenance.stamp_markdown(stamp))
