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
# # 1. The closes, and what is trained on what
#
# Both papers forecast tomorrow's close of the S&P 500 from the closes before it. Which closes are these, how do they
# become windows, and what is trained and tested on what? The last question has two answers: what the generator paper's
# **text** says (protocol *described*), and what its **numbers** fit better (protocol *published*). The GAN paper's text
# does not say which days are tested on, and its numbers fit neither well. Notebooks 02 to 05 are run under both
# protocols.
#
# Papers: generator paper, section 3.1; GAN paper, section 3.1.

# %% tags=["parameters"]
profile = "default"
symbol = "^GSPC"
source = "auto"  # "raw": the frozen download or import; "packaged": the series in great_tables; "auto": what is there
as_of = "2024-12-31"  # the last close used; later closes are as good as unknown
output = ""  # folder to write into; empty: this repository

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown

from helpers import data_plots, figures, metrics, paths, prices, provenance, published, windows

outputs = paths.outputs(output)
this = paths.NOTEBOOKS / "01_data_preparation.py"

# %% [markdown]
# ## Setting
#
# The closes, and the same closes under the two protocols.

# %%
data = prices.load(symbol, source=source)
name = prices.index_name(symbol)
datasets = {p: windows.Dataset(data, windows.protocol(p, as_of=as_of)) for p in ("described", "published")}
dataset = datasets["described"]
close = dataset.close
Markdown(f"**Data:** {data.caption}. Of these, the {len(close):,} closes up to {as_of} are used.")

# %% [markdown]
# ## The closes
#
# The axis is logarithmic, so that equal distances are equal growth; on the papers' linear axis the first fifty years
# are a flat line. The shaded episodes are those that the generator paper names.

# %%
span = f"{len(close):,} closes, {close.index[0]:%Y-%m-%d} to {close.index[-1]:%Y-%m-%d}"
fig = data_plots.closes(close, symbol=name)
figures.save(
    fig,
    ["G-fig02", "A-fig01"],
    caption=f"{name}: every close used, with the episodes that the generator paper names. {data.caption}.",
    outputs=outputs,
    ours=span,
    published="from 1927 to the day of the download, which neither names",
    entries=[this],
)
fig

# %% [markdown]
# Two things to know about such a series. Days are not equally spaced:

# %%
gaps = close.index.to_series().diff().dt.days
pd.DataFrame({"days since the close before": gaps.nlargest(3).astype(int)})

# %% [markdown]
# And some closes lie more than 5 % off both neighbours, which lie within 2 % of each other. Some of these days were
# real (October 1929, March 2020), others look like typing errors of the vendor (April 1935, October 1938: one close far
# off, between days that hardly differ). They stay: they are what the papers trained on.

# %%
before, after = close.shift(1), close.shift(-1)
off = ((close / before - 1).abs() > 0.05) & ((close / after - 1).abs() > 0.05) & ((after / before - 1).abs() < 0.02)
spikes = pd.DataFrame({"the day before": before, "close": close, "the day after": after})[off]
spikes.style.format(precision=2).format_index(lambda day: f"{day:%Y-%m-%d}")

# %% [markdown]
# ## Scaled closes
#
# The generator paper scales the **whole** series to [0, 1] by its minimum and maximum, then splits it; the GAN paper
# scales and splits in the same order. The generator paper says that this avoids leakage; it is leakage: the training
# part is scaled by the maximum of the test part. We do as the papers do and keep a protocol `clean`, which does not.

# %%
fig = data_plots.scaled_closes(dataset.scaled, symbol=name)
figures.save(
    fig,
    "A-fig02",
    caption=f"Closes scaled to [0, 1] by minimum and maximum of the whole series, as both papers do. {data.caption}.",
    outputs=outputs,
    ours=f"0 is {dataset.low:,.2f}, 1 is {dataset.high:,.2f} index points",
    published="scaled to [0, 1] on the whole series",
    entries=[this],
)
fig

# %% [markdown]
# ## Windows
#
# A window of `sequence_length` closes is the input; the close that follows it is the target. The first three windows
# of 30 days overlap in all days but one at each end.

# %%
fig = data_plots.first_windows(dataset.scaled, count=3, length=30)
figures.save(
    fig,
    "G-fig03",
    caption=f"The first three windows of 30 scaled closes, each with its target, the close of day 31. {data.caption}.",
    outputs=outputs,
    ours=f"first target {close.index[30]:%Y-%m-%d}",
    published="three windows of 30 days",
    entries=[this],
)
fig

# %% [markdown]
# Shapes, for windows of 30 days: inputs (samples, 30, 1), targets (samples,). The test targets are the same dates for
# every sequence length, so that the errors of any two configurations can be compared.

# %%
w = dataset.windows(30)
shapes = {part: getattr(w, part).shape for part in ("x_train", "y_train", "x_test", "y_test")}
pd.Series(shapes, name="shape").to_frame()

# %% [markdown]
# ## Train and test part
#
# Both papers train on 80 % and test on 20 %. The generator paper adds that data are typically split in time, the
# earlier part trained on and the later tested on (section 3.1.3). The GAN paper's section 3.1.3 does not say which days
# are which; `described` takes the same split for it.

# %%
fig = data_plots.split(dataset, symbol=name)
figures.save(
    fig,
    ["G-fig04", "A-fig03"],
    caption=f"Train and test part, protocol described: {dataset.protocol.text}. {data.caption}.",
    outputs=outputs,
    protocol="described",
    ours=f"test part from {dataset.windows(1).test_dates[0]:%Y-%m-%d} on",
    published="80 % and 20 %; the generator paper: the first and the last",
    entries=[this],
)
fig

# %% [markdown]
# The generator paper's errors do not fit this split; they fit a random one better, in which a test day lies between
# training days (see the table below): those of its table 9 as printed, those of table 8 with tenfold learning rates
# only. Those of the GAN paper fit neither well (notebook 06).

# %%
shuffled = datasets["published"]
fig = data_plots.split(shuffled, symbol=name)
figures.save(
    fig,
    ["G-fig04", "A-fig03"],
    caption=f"Train and test part, protocol published: {shuffled.protocol.text}. {data.caption}.",
    outputs=outputs,
    protocol="published",
    ours=f"{len(shuffled.windows(1).y_test):,} test days among {len(shuffled.windows(1).y_train):,} training days",
    published="80 % and 20 %; the generator paper: the first and the last",
    entries=[this],
)
fig

# %% [markdown]
# ## What a forecast without any model scores
#
# Three forecasts that need no training: the mean of the training targets, their maximum, and yesterday's close. Their
# mean squared errors (MSE) under both protocols are in the first table, in the papers' unit: squared closes scaled to
# [0, 1], so that 0.0001 is an error of one hundredth of the range of all closes. The second table has the least and the
# greatest error that the papers print.


# %%
def untrained(d: windows.Dataset) -> dict[str, float]:
    """MSE, scaled units, of three forecasts that need no training."""
    w = d.windows(1)
    return {
        "mean of the training targets": metrics.mse(w.y_test, np.full_like(w.y_test, w.y_train.mean())),
        "maximum of the training targets": metrics.mse(w.y_test, np.full_like(w.y_test, w.y_train.max())),
        "yesterday's close": d.naive_metrics()["mse"],
    }


# %%
scores = pd.DataFrame({p: untrained(d) for p, d in datasets.items()})
path = outputs.tables / "untrained.csv"
path.parent.mkdir(parents=True, exist_ok=True)
scores.to_csv(path, index_label="forecast")
scores.style.format("{:.7f}")

# %%
errors = pd.concat([published.runs(which)["mse"] for which in published.FILES])
spread = pd.DataFrame([{"published errors": len(errors), "least MSE": errors.min(), "greatest MSE": errors.max()}])
spread.style.format(precision=6).hide()

# %% [markdown]
# ## Findings

# %%
naive = {p: d.naive_metrics() for p, d in datasets.items()}
mean = scores.loc["mean of the training targets"]
Markdown(f"""
- **Yesterday's close is the forecast to beat.** It scores an MSE of {naive["described"]["mse"]:.7f} (R²
  {naive["described"]["r2"]:.4f}, a mean absolute error of {naive["described"]["mae_points"]:.1f} index points) on the
  chronological test part and {naive["published"]["mse"]:.7f} on the shuffled one. The least published MSE is
  {errors.min():.6f}, {errors.min() / naive["described"]["mse"]:.1f} times the first.
- **The split decides what an error means.** Forecasting the training mean scores {mean["described"]:.3f} on the
  chronological test part and {mean["published"]:.3f} on the shuffled one. Of {len(errors)} published errors, many of
  configurations that learned next to nothing, the greatest is {errors.max():.3f}.
- {len(spikes)} closes lie more than 5 % off both neighbours, {sum(spikes.index.year < 1950)} of them before 1950; the
  longest gap is {int(gaps.max())} days.
- *What differs from the papers.* The generator paper names one split, in time, the GAN paper none beyond 80/20. We run
  every study under that one and under the shuffled one, and say which at every figure.
- This run used {data.caption}; {span}.
""")

# %% [markdown]
# ## Stamp

# %%
stamp = provenance.stamp(data_sha256=dataset.data_sha256, entries=[this], profile=profile)
Markdown(provenance.stamp_markdown(stamp))
