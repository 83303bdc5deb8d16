# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 0. Look around
#
# What does a tuner do when one lets it run? Pick a tuner, a seed, an index and a protocol, run a few trials and watch
# the loop: a configuration is proposed, an LSTM is trained with it, its error comes back. Then look into any study
# that is recorded here.
#
# In JupyterLab (`make lab`) the two panels below have menus and a button. Without them, as on this page where it is
# rendered, the same is shown for the values in the next cell. Nothing here writes into the results of the other
# notebooks.

# %% tags=["parameters"]
profile = "default"
symbol = "^GSPC"
source = "auto"
as_of = "2024-12-31"
tuner = "generator"  # a name in the list of tuners below
watched_protocol = "described"
seed = 0
epochs = 10
trials = 3
looked_at = "generator_described"  # the recorded study whose plots are shown
interactive = True  # False: no menus and no buttons, for a page that is read
train = True  # False: the trials come from that record instead
output = ""

# %%
import tempfile

import optuna
import pandas as pd
from IPython.display import Markdown

from helpers import explore, figures, paths, prices, provenance, study, tables, windows

optuna.logging.set_verbosity(optuna.logging.WARNING)
this = paths.NOTEBOOKS / "00_explore.py"
records_of_ours = paths.outputs().studies("full")  # the committed ones: read, never written
scratch = tempfile.TemporaryDirectory()  # for the trials that are run here; gone when the kernel ends

# %% [markdown]
# ## What there is to choose from
#
# The papers' tuners, whatever has been added to `helpers/samplers/`, and two of Optuna's own:

# %%
named = [(name, explore.label(name), made.__name__) for name, made in explore.tuners().items()]
Markdown(tables.markdown(pd.DataFrame(named, columns=["tuner", "in words", "class"])))

# %% [markdown]
# Protocols, that is, what is scaled, trained and judged on what:

# %%
meant = [(name, p.text) for name, p in windows.PROTOCOLS.items()]
Markdown(tables.markdown(pd.DataFrame(meant, columns=["protocol", "what it means"])))

# %% [markdown]
# Indices: those whose closes are at hand. `make data SYMBOL=...` gets another.

# %%
data = prices.load(symbol, source=source)
dataset = windows.Dataset(data, windows.protocol(watched_protocol, as_of=as_of))
naive = dataset.naive_metrics()["mse"]
Markdown(f"**Data:** {data.caption}; at hand: {', '.join(explore.symbols())}.")

# %% [markdown]
# ## A few trials, watched
#
# Each row appears as its LSTM has been trained. The line to beat is yesterday's close, repeated.

# %%
if train:
    steps = explore.trials(tuner, dataset, count=trials, seed=seed, epochs=epochs, folder=scratch.name)
else:
    steps = iter([study.records(study.load(looked_at, records_of_ours)).head(trials)])
watched = explore.watch(steps, tuner, naive)

# %% [markdown]
# The panel does the same with your choices. *Interrupt the kernel* (the square above) stops it; *Run* goes on.

# %%
if interactive:
    chosen = dict(tuner=tuner, protocol=watched_protocol, seed=seed, count=trials)
    panel = explore.run_panel(folder=scratch.name, source=source, as_of=as_of, epochs=epochs, **chosen)
else:
    panel = Markdown("*In JupyterLab: menus for tuner, seed, index, protocol and number of trials, and a button.*")
panel

# %% [markdown]
# ## The recorded studies
#
# Every study behind the rendered notebooks:

# %%
explore.recorded(records_of_ours)

# %% [markdown]
# Optuna's plots work on each of them. The MSE spans decades, so its decimal logarithm is drawn.

# %%
if interactive:
    panel = explore.study_panel(records_of_ours, name=looked_at)
else:
    panel = Markdown(f"*In JupyterLab: menus for study and plot. Below, all three plots of `{looked_at}`.*")
panel

# %%
Markdown(f"**Parallel coordinates**, `{looked_at}`. {explore.CAPTIONS['parallel coordinates']}")

# %%
explore.plot("parallel coordinates", looked_at, records_of_ours)

# %%
Markdown(f"**Importance**, `{looked_at}`. {explore.CAPTIONS['importance']}")

# %%
explore.plot("importance", looked_at, records_of_ours)

# %%
Markdown(f"**Slice**, `{looked_at}`. {explore.CAPTIONS['slice']}")

# %%
explore.plot("slice", looked_at, records_of_ours)

# %% [markdown]
# Importance is measured on the configurations that the tuner happened to try. A tuner that moves all hyperparameters
# together cannot tell which of them mattered.

# %% [markdown]
# ## Findings

# %%
rows = study.records(study.load(looked_at, records_of_ours))
best = study.best(study.load(looked_at, records_of_ours))
first = watched["mse"].min()

# %%
Markdown(f"""
- {explore.label(tuner)}: best of the {len(watched)} trials above {figures.number(first)}, yesterday's close
  {figures.number(naive)}.
- The study looked at, `{looked_at}`, has {len(rows)} trials; its best MSE is {figures.number(best.mse)}, at iteration
  {best.iteration}.
- This run used {data.caption}; protocol {watched_protocol} ({dataset.protocol.text}).
- *To go on:* notebooks 02 to 04 explain the tuners, 05 compares them, 06 judges the papers' claims.
""")

# %% [markdown]
# ## Stamp

# %%
stamp = provenance.stamp(
    data_sha256=dataset.data_sha256, seeds=[seed], entries=[this], profile=profile, protocol=watched_protocol
)
Markdown(provenance.stamp_markdown(stamp))
