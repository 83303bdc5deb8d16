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
# # 8. Does the tuned LSTM forecast anything?
#
# Repeating yesterday's close scores a smaller error than every published result. What is left of the forecasts after
# honest evaluation: with simple forecasts beside them, without leaks, year by year, on other series, and on days later
# than all that anything was chosen by?
#
# Both papers ask for this: more metrics (MAPE, directional accuracy; generator paper, section 5), other markets
# (generator paper, sections 5 and 7; GAN paper, section 7), walk-forward validation (GAN paper, section 5).

# %% tags=["parameters"]
profile = "default"
symbol = "^GSPC"
source = "auto"
as_of = "2024-12-31"  # the last close that anything is chosen by; the last part alone reads later ones
seed = 0  # of the tuner and the first of the LSTMs' seeds
epochs = 10  # per training; fixed in both papers
short_run = 20  # iterations of notebooks 02 and 03 that count
others = "^IXIC ^DJI"  # other series, used where they are in data/raw
seeds = 3  # of every scored configuration
trials = 20  # of every search
leak_configs = 8  # configurations of the switchboard
walk_from = 1990  # first test year of the walk; later where too few closes come before
walk_seeds = 1
after_until = ""  # last day of the last part; empty: all there are
train = True  # False: redraw from the records
output = ""

# %%
import optuna
import pandas as pd
from IPython.display import Markdown

from helpers import (
    figures,
    forecast_verdicts,
    forecasts,
    league,
    leaks,
    paths,
    prices,
    provenance,
    tables,
    validity,
    validity_plots,
    walk_forward,
    windows,
)

optuna.logging.set_verbosity(optuna.logging.WARNING)
outputs = paths.outputs(output)
this = paths.NOTEBOOKS / "08_forecast_validity.py"

# %% [markdown]
# ## Setting
#
# The papers' index, other indices where they have been imported (`make data SYMBOL=^IXIC`), and two series that we
# make: a **random walk**, in which the pipeline must find nothing, and a **predictable series** (a season of 20 days
# and a pull towards the mean), in which it must find something.

# %%
data = prices.load(symbol, source=source)
main = prices.index_name(symbol)
loaded, absent = {main: data}, []
for other in others.split() if source != "packaged" else []:
    try:
        loaded[prices.index_name(other)] = prices.load(other, source="raw")
    except prices.PricesError:
        absent.append(other)
real = list(loaded)
made = {p.symbol: p for p in (validity.random_walk(end=as_of, seed=seed), validity.predictable(end=as_of, seed=seed))}
series = validity.Series(loaded | made)
budget = validity.Budget(outputs.studies(profile), epochs=epochs, seeds=seeds, trials=trials, seed=seed, train=train)
saved = dict(outputs=outputs, entries=[this], published="not in the papers")
where = f"{data.caption}; closes up to {as_of}."
Markdown(
    "\n".join(f"- {p.caption}" for p in series.prices.values())
    + (f"\n\nNot imported and left out: {', '.join(absent)}." if absent else "")
)

# %% [markdown]
# ## What is tuned, and on what
#
# Beside the papers' best published configurations and the winners of notebooks 02 to 04 we tune two networks on each
# series, under `clean`: scaled on the training part, judged by a validation part. The test part is never seen by a
# tuner. Both are the papers' LSTM; one gives the next close (**level**), as in the papers, the other its **change**
# from the last close, `target="change"`. The tuner is Bayesian optimisation over the warped cube.

# %%
studies = {
    validity.study_name(name, target): (name, validity.series_protocol(target, as_of=as_of))
    for name in series.prices
    for target in validity.TARGETS
}
best = validity.tune(studies, series, budget)
tuned = {(name, p.target): best[study] for study, (name, p) in studies.items()}
chosen = pd.DataFrame([{"series": n, "target": t, **c.as_dict()} for (n, t), c in tuned.items()])
tables.formatted(chosen).style.hide()

# %%
trainings = [
    validity.Training(name, validity.series_protocol(target, as_of=as_of), config, s, keep=True)
    for (name, target), config in tuned.items()
    for s in budget.all_seeds
]
scored = budget.complete("series", trainings, series)
networks = {
    name: {
        validity.TARGET_NAMES[target]: [
            o for o in scored if (o.training.series, o.training.protocol.target) == (name, target)
        ]
        for target in validity.TARGETS
    }
    for name in series.prices
}

# %% [markdown]
# ## 1. Simple forecasts beside every model
#
# Beside every network stand three forecasts that need none: **yesterday's close**; the **drift**, yesterday's close
# with the mean growth so far; and an **ARIMA** of the log closes, its order by Akaike's criterion, estimated before the
# first test day. What the columns say:
#
# - **Ratio**: the squared error of returns over that of yesterday's close. Below 1 is better than no model. It is the
#   square of **Theil's U2**. Errors of returns weigh all days alike, errors of the close in points the late days more,
#   when the index is high: the two can rank forecasts differently. Of a network trained with several seeds it is the
#   mean over them, the error to expect of one whose seed nobody has chosen; **Single seeds** are the ends of the range.
# - **RMSE**, **MAPE**, **MASE**: errors of the close in points, in percent, and over the mean daily change of the
#   training part. After a split in time the index moves by many more points than in the years trained on, so that all
#   MASE are large, that of yesterday's close too; after a shuffled split yesterday's close has a MASE near 1.
# - **Direction right**: how often the forecast rises or falls as the close does; **PT p** is the p-value of the
#   Pesaran-Timmermann test that this is chance, of the seed with the middle statistic.
# - **DM p**: the p-value of the Diebold-Mariano test against yesterday's close, with the correction of Harvey,
#   Leybourne and Newbold, for the loss's mean over the seeds. Below 0.05 a forecast is called *better* or *worse* than
#   yesterday's close, else *no different*.
# - **Confidence set p**: small values exclude the forecast from the set that holds the best one.
#
# RMSE, MAPE, MASE and the direction are medians over the seeds.

# %%
models = validity.published_best()
leagues, candidates = {}, {}
for name in ("described", "published", "clean"):
    protocol = windows.protocol(name, as_of=as_of)
    configs = models | validity.winners(budget.folder, name, within=short_run)
    todo = [validity.Training(main, protocol, c, s, keep=True) for c in configs.values() for s in budget.all_seeds[:1]]
    done = budget.complete("models", todo, series)
    found = {label: [o for o in done if o.training.config == c] for label, c in configs.items()}
    if name == "clean":
        found |= networks[main]
    candidates[name] = found
    days = league.days(series(main, protocol))
    leagues[name] = league.league(days, found, with_arima=name != "published", seed=seed)

# %%
columns = [
    "model",
    "verdict",
    "ratio",
    "range",
    "dm_p",
    "direction",
    "pt_p",
    "rmse",
    "mape",
    "mase",
    "u2",
    "in_set",
    "seeds",
]
headings = {
    "model": "Forecast", "seeds": "Seeds", "ratio": "Ratio", "rmse": "RMSE (points)", "mape": "MAPE (%)",
    "mase": "MASE", "u2": "Theil's U2", "direction": "Direction right", "dm_p": "DM p", "pt_p": "PT p",
    "in_set": "Confidence set p", "verdict": "Against yesterday's close", "range": "Single seeds",
}  # fmt: skip
formats = {
    "Seeds": ".0f", "Ratio": "4 digits", "RMSE (points)": ",.1f", "MAPE (%)": ",.2f", "MASE": ",.2f",
    "Theil's U2": "4 digits",
    "Direction right": ".1%", "DM p": "p", "PT p": "p", "Confidence set p": "p",
}  # fmt: skip


def show(name: str):
    """Save and show the table of one protocol."""
    frame, p = leagues[name]
    below = frame.loc[frame["seeds"].notna(), "ratio"].min()
    return tables.save(
        frame[columns].rename(columns=headings),
        "V-tab01",
        protocol=name,
        formats=formats,
        caption=f"Every forecaster on the test days of protocol {name}: "
        f'{windows.protocol(name, as_of=as_of).text}. "None here beats '
        f"yesterday's close\" has {forecast_verdicts.p_said(p)} (superior predictive ability, Hansen's test). "
        f"{data.caption}.",
        ours=f"the best network's squared error of returns is {figures.number(below, 4)} times yesterday's close's",
        **saved,
    )


Markdown(
    "The papers' best configurations and the winners of notebooks 02 to 04 (*our generator*, *our Bayesian*, *our "
    f"GAN*) are trained anew with seed {budget.seed}, so these are not the trainings of notebook 05, whose trials had "
    "other seeds, and the errors differ."
)

# %%
show("described")

# %% [markdown]
# The generator paper's numbers fit a shuffled split better; those of the GAN paper fit neither well. Shuffled, the
# networks interpolate between neighbouring days, and still:

# %%
show("published")

# %% [markdown]
# Without leaks:

# %%
show("clean")

# %% [markdown]
# ## 2. The leakage switchboard
#
# The same configurations, drawn at random, with each leak on and off: scaling on the whole series, the shuffled split,
# choosing the configuration by the test part, and at last reporting the best of all runs. What does each buy? Errors
# are in the papers' units, squared shares of the range of the whole series. A shuffled split also tests on other days,
# on which yesterday's close errs less as well; so what a leak buys is by how much it lowers the *ratio* to that.

# %%
drawn = validity.random_configs(leak_configs, seed=seed)
outcomes = budget.complete(
    "leaks", leaks.leak_trainings(main, drawn, as_of=as_of, seeds=list(budget.all_seeds)), series
)
switches = leaks.switchboard(outcomes, series)
board = leaks.board(switches)
fig = validity_plots.leaks(board)
every = board.set_index("leaks")
figures.save(
    fig,
    "V-fig01",
    caption=f"The error that would be reported with each combination of leaks; in brackets, how many times less than "
    f"with none, as a ratio to yesterday's close on the same days. Configurations: {leak_configs} random ones, seeds: "
    f"{seeds}. {where}",
    ours="; ".join(f"{leak}: {figures.number(v)} times less" for leak, v in every["buys"].iloc[1:].items()),
    **saved,
)
fig

# %%
tables.save(
    board.rename(
        columns={
            "leaks": "Leaks", "mse": "MSE (median)", "least": "Least", "largest": "Largest",
            "naive_mse": "Yesterday's close", "ratio": "Ratio to it", "buys": "Ratio, times less than with no leak",
        }
    ),
    "V-tab02",
    formats={
        "MSE (median)": ".2e", "Least": ".2e", "Largest": ".2e", "Yesterday's close": ".2e",
        "Ratio to it": ",.3g", "Ratio, times less than with no leak": ",.3g",
    },
    caption=f"What each leak buys, over {seeds} seeds. The ratio is to yesterday's close on the same days. {where}",
    ours=f"no leak {every.loc['none', 'mse']:.2e}, best of all runs with all leaks {board['mse'].iloc[-1]:.2e}",
    **saved,
)  # fmt: skip

# %% [markdown]
# ## 3. Just lagging?
#
# A forecast that repeats yesterday's close looks excellent in a figure of many years. Two questions tell: does the
# forecast's change go with the change of the day it is for (lag 0), or with that of the day before (lag 1)? And how
# much of the forecast's variance is yesterday's close? Of every network this shows the training with the first seed.

# %%
LAGS = list(range(-3, 6))
lagging, shares = {}, []
picked = {}
for name, label in (("published", "shuffled"), ("clean", "clean")):
    days = league.days(series(main, windows.protocol(name, as_of=as_of)))
    if not lagging:
        lagging["yesterday's close"] = forecasts.lag_correlations(days.close, days.positions, days.yesterday, LAGS)
    for model, tried in candidates[name].items():
        if not tried or not tried[0].ok:
            continue
        predicted = tried[0].forecast(days.yesterday)
        title = f"{model} ({label})"
        correlations = forecasts.lag_correlations(days.close, days.positions, predicted, LAGS)
        shares.append(
            {
                "Forecast": title,
                "Explained by yesterday's close": forecasts.explained(predicted, days.yesterday),
                "Lag 0": correlations[LAGS.index(0)],
                "Lag 1": correlations[LAGS.index(1)],
                "Peak at lag": LAGS[int(pd.Series(correlations).idxmax())] if pd.notna(correlations).any() else None,
                "Peak": pd.Series(correlations).max(),
            }
        )
        if name == "published" or model in validity.TARGET_NAMES.values():
            lagging[title] = correlations
        picked[title] = (days, predicted)
fig = validity_plots.lags(lagging, pd.Index(LAGS).to_numpy())
figures.save(
    fig,
    "V-fig02",
    caption="Correlation of the forecast's daily change with the close's change k days before, test "
    f"part, one panel a forecast (seed {seed}), yesterday's close pale. A peak at 1 repeats what happened the day "
    f"before, a later one older days. {where}",
    ours="; ".join(
        f"{s['Forecast']}: {s['Lag 0']:.2f} at lag 0, peak {s['Peak']:.2f} at lag {s['Peak at lag']}"
        for s in shares[:3]
    ),
    **saved,
)
fig

# %%
shares = pd.DataFrame(shares)
tables.save(
    shares,
    "V-tab03",
    formats={"Explained by yesterday's close": ".4%", "Lag 0": ".3f", "Lag 1": ".3f", "Peak": ".3f"},
    caption=f"The share of a forecast's variance that yesterday's close explains, and the correlation of its changes "
    f"with those of the close on the same day and the day before, and where it is largest; networks with seed {seed}. "
    f"{where}",
    ours=f"median {shares.iloc[:, 1].median():.2%} explained by yesterday's close",
    **saved,
)

# %% [markdown]
# The last hundred test days, the best network of the shuffled split and the one that gives changes, with yesterday's
# close under them:

# %%
ranked = leagues["published"][0].loc[lambda f: f["model"].isin(candidates["published"])]
first = f"{ranked.loc[ranked['ratio'].idxmin(), 'model']} (shuffled)"
panels = {}
for title in (first, f"{validity.TARGET_NAMES['change']} (clean)"):
    days, predicted = picked[title]
    panels[title] = pd.DataFrame(
        {"close": days.actual, "yesterday": days.yesterday, "forecast": predicted}, index=days.dates
    ).iloc[-100:]
fig = validity_plots.last_days(panels)
figures.save(
    fig,
    "V-fig03",
    caption=f"The last 100 test days: close, yesterday's close and forecast (of a shuffled split, every fifth "
    f"day or so is a test day), networks with seed {seed}. {where}",
    ours=f"{first}: ratio {figures.number(ranked['ratio'].min(), 4)}",
    **saved,
)
fig

# %% [markdown]
# ## 4. Walk-forward
#
# One split is one experiment. Here networks are trained anew for every year on all closes before it and tested on its
# days. Their configurations were tuned once, on closes before the first test year alone.

# %%
years = walk_forward.walk_years(data.close.index, walk_from, as_of=as_of)
before = f"{years[0] - 1}-12-31"
walk_studies = {
    validity.study_name(main, target, "validity_walk"): (main, validity.series_protocol(target, as_of=before))
    for target in validity.TARGETS
}
walk_best = validity.tune(walk_studies, series, budget)
walk_configs = {p.target: walk_best[study] for study, (_, p) in walk_studies.items()}
walked = budget.complete(
    "walk",
    walk_forward.walk_trainings(main, walk_configs, years, as_of=as_of, seeds=list(budget.all_seeds[:walk_seeds])),
    series,
)
yearly = walk_forward.by_year(walked, series)
middle = yearly.groupby(["target", "year"])["ratio"].median()
better = {t: int((middle[t] < 1).sum()) for t in validity.TARGETS}
fig = validity_plots.walk(yearly)
figures.save(
    fig,
    "V-fig04",
    caption=f"Squared error by year over that of yesterday's close; networks trained anew for each year, tuned on "
    f"closes up to {before}; crises that the generator paper names are shaded. {where}",
    ours="; ".join(f"{validity.TARGET_NAMES[t]} below 1 in {n} of {len(years)} years" for t, n in better.items()),
    **saved,
)
fig

# %%
walk_rows = []
for target in validity.TARGETS:
    tests = walk_forward.walk_test(walked, series, target)
    walk_rows.append(
        {
            "Forecast": validity.TARGET_NAMES[target],
            "Years better": f"{better[target]} of {len(years)}",
            "Ratio": tests["ratio"],
            "Direction right": tests["direction"],
            "DM p": tests["dm_p"],
            "PT p": tests["pt_p"],
            "Against yesterday's close": league.verdict(tests["ratio"], tests["dm_p"]),
        }
    )
walk_table = pd.DataFrame(walk_rows)
tables.save(
    walk_table,
    "V-tab04",
    formats={k: formats[k] for k in ("Ratio", "Direction right", "DM p", "PT p")},
    caption=f"Walk-forward over {years[0]} to {years[-1]}, all years together. {where}",
    ours="; ".join(f"{r['Forecast']}: ratio {figures.number(r['Ratio'])}" for r in walk_rows),
    **saved,
)

# %% [markdown]
# ## 5. Other series and controls
#
# The same pipeline, tuned on each series' own training part. If it finds something in the random walk it is broken; if
# it finds nothing in the predictable series it is blind.

# %%
level = {name: windows.protocol("clean", as_of=as_of) for name in series.prices}
tested = {}
for name in series.prices:
    days = league.days(series(name, level[name]))
    tested[name] = (days, *league.league(days, networks[name], seed=seed))
ratios = pd.DataFrame(
    [
        {
            "series": name,
            "target": o.training.protocol.target,
            "ratio": league.score(d, o.forecast(d.yesterday))["ratio"],
        }
        for name, (d, _, _) in tested.items()
        for tried in networks[name].values()
        for o in tried
        if o.ok
    ]
)
(walk_name, control), days = list(made), tested[list(made)[1]][0]
limit = league.score(days, validity.attainable(days.close, days.positions))["ratio"]
fig = validity_plots.series(ratios, {control: limit})
medians = ratios.groupby(["series", "target"])["ratio"].median()
figures.save(
    fig,
    "V-fig05",
    caption=f"Squared error of returns on the test part over that of yesterday's close, one mark a seed, the median "
    f"ticked and numbered (the tables give the mean), protocol clean; the black mark is what the predictable series "
    f"allows. {where}",
    ours="; ".join(
        f"{name}: level {figures.number(medians[name, 'level'], 4)}, change "
        f"{figures.number(medians[name, 'change'], 4)}"
        for name in tested
    )
    + " (medians over the seeds)",
    **saved,
)
fig

# %% [markdown]
# ## 6. The days after all that was chosen
#
# Everything above was chosen on closes up to the date in the setting. Now the chosen configurations are trained on all
# of them, frozen, and scored once on every later close. Nothing is tuned on these days, and no other notebook sees
# them.

# %%
after = {}
for name in real:
    until = after_until if train or after_until else validity.recorded_until(budget.folder, name)
    try:
        after[name] = {
            t: validity.after_protocol(t, series.prices[name], as_of=as_of, until=until) for t in validity.TARGETS
        }
    except validity.ValidityError:
        pass  # this series ends too early; the table below shows which are there
frozen = budget.complete(
    "after",
    [
        validity.Training(name, p, tuned[name, target], s, keep=True)
        for name, both in after.items()
        for target, p in both.items()
        for s in budget.all_seeds
    ],
    series,
)
later, gaps = {}, {}
for name, both in after.items():
    days = league.days(series(name, both["level"]))
    found = {
        validity.TARGET_NAMES[t]: [o for o in frozen if (o.training.series, o.training.protocol) == (name, p)]
        for t, p in both.items()
    }
    later[name] = (days, *league.league(days, found, seed=seed))
    naive = forecasts.losses(days.actual, days.yesterday, days.yesterday)
    curves = {k: v for k, v in league.baselines(days).items() if k != league.BASELINES[0]}
    curves = {label: [p] for label, p in curves.items()}
    change = [o.forecast(days.yesterday) for o in found[validity.TARGET_NAMES["change"]] if o.ok]
    if change:
        curves = {validity.TARGET_NAMES["change"]: change} | curves
    gaps[name] = {
        label: pd.Series(naive - league.mean_losses(days, p), days.dates).cumsum() for label, p in curves.items()
    }
budget.close()
Markdown(
    "\n".join(
        f"- {name}: {len(d.positions):,} closes from {d.dates[0]:%Y-%m-%d} to {d.dates[-1]:%Y-%m-%d}"
        for name, (d, _, _) in later.items()
    )
    or f"No series here has closes after {as_of}: nothing to score."
)

# %%
if later:
    fig = validity_plots.cumulative(gaps)
    figures.save(
        fig,
        "V-fig06",
        caption=f"Squared errors of yesterday's close less those of the forecast, summed over the days after {as_of}; "
        f"a rising line beats yesterday's close; of the network the mean over its seeds. The network that gives levels "
        f"is in the table: it is off this scale. "
        f"{data.caption}.",
        ours="; ".join(
            f"{n}: {round(g[validity.TARGET_NAMES['change']].iloc[-1], 2) + 0.0:+.2f} %²" for n, g in gaps.items()
        ),
        **saved,
    )
fig if later else None

# %% [markdown]
# ## Verdict
#
# Squared error of returns over that of yesterday's close (below 1 is better), of a network the mean over its seeds and
# in brackets the range of single ones, and the p-value of the Diebold-Mariano test. *Any better?* is the p-value of "no
# forecast here beats yesterday's close", of Hansen's test with every forecast's gain over its standard error.

# %%
verdicts = pd.concat(
    [forecast_verdicts.series_table(tested, "test part"), forecast_verdicts.series_table(later, f"after {as_of}")],
    ignore_index=True,
)
tables.save(
    verdicts,
    "V-tab05",
    formats={
        c: "p" if c.endswith("_p") else "4 digits"
        for c in verdicts
        if c.endswith(("_p", "_ratio", "_least", "_largest"))
    },
    caption=f"Each series, model against yesterday's close: ratios of squared errors (of networks the mean over "
    f'{seeds} seeds, least and largest), p-values of Diebold-Mariano and Pesaran-Timmermann tests, and of "none beats '
    f"yesterday's close\" (spa_p). {where}",
    ours=f"{main}, change: ratio {figures.number(verdicts.loc[0, 'change_ratio'], 5)} (mean over the seeds), "
    + forecast_verdicts.p_said(verdicts.loc[0, "change_p"]),
    **saved,
)
shown = forecast_verdicts.verdict_table(verdicts)
shown.style.hide()

# %% [markdown]
# ## Findings

# %%
by_series = verdicts.drop_duplicates("series").set_index("series")
said = {
    (row["series"], row["period"], key): league.verdict(row[f"{key}_ratio"], row[f"{key}_p"])
    for row in verdicts.to_dict("records")
    for key in ("level", "change")
}
count = lambda key, word: sum(v == word for (s, _, k), v in said.items() if k == key and s in real)  # noqa: E731
rows = sum(k == "change" for s, _, k in said if s in real)
change = by_series.loc[main]
nothing = said[walk_name, "test part", "change"] != "better" and said[walk_name, "test part", "level"] != "better"
something = said[control, "test part", "change"] == "better"
controls = {
    (True, True): "They pass: nothing in the random walk, something in the predictable series.",
    (
        True,
        False,
    ): "The negative control passes and the positive one fails: this run was too small to find what is there.",
    (False, True): "The negative control fails: this run finds what is not there, and its other findings are void.",
    (False, False): "Both controls fail: this run's findings are void.",
}[nothing, something]
gains = [f"{s} ({period})" for (s, period, k), v in said.items() if k == "change" and v == "better" and s in real]
won = verdicts[
    verdicts["series"].isin(real) & (verdicts["change_ratio"] < 1) & (verdicts["change_p"] < league.SIGNIFICANT)
]
largest = won.loc[won["change_ratio"].idxmin()] if len(won) else None
trader = (
    f"would ask what the networks' gains that the test calls significant ({', '.join(gains)}) are worth: the largest "
    f"takes {1 - largest['change_ratio']:.3%} off the squared error, where the mere drift of the same days takes "
    f"{1 - largest['drift_ratio']:.3%} off; {int(won['change_pt_p'].isna().sum())} of {len(won)} come "
    "from a network that forecasts the same direction every day, a drift"
    if gains
    else "finds nothing here to trade on: what is no better than yesterday's close says nothing of tomorrow's"
)

# %%
Markdown(f"""
- **The controls.** {controls} The network of changes reaches {by_series.loc[control, "change_ratio"]:.3g} times the
  error of yesterday's close in the predictable series, where its law allows {limit:.3g}.
- **The papers' way of forecasting, the level.** On real series it is worse than yesterday's close in
  {count("level", "worse")} of {rows} rows of the verdict and better in {count("level", "better")}; on the {main} its
  squared error is {figures.number(by_series.loc[main, "level_ratio"], 4)} times that of yesterday's close (single seeds
  {figures.number(by_series.loc[main, "level_least"], 4)} to
  {figures.number(by_series.loc[main, "level_largest"], 4)}). It cannot forecast closes
  beyond the range it was trained on.
- **The change.** Better in {count("change", "better")}, no different in {count("change", "no different")}, worse in
  {count("change", "worse")} of {rows} rows; on the {main} the ratio is {change["change_ratio"]:.5g} (single seeds
  {change["change_least"]:.5g} to {change["change_largest"]:.5g}; {forecast_verdicts.p_said(change["change_p"])}). "No
  forecast beats yesterday's close", simple ones counted, has {forecast_verdicts.p_said(change["spa_p"])} there.
  {forecast_verdicts.drift_text(verdicts[verdicts["series"].isin(real)])}
- **The leaks.** All three together make the same configurations look {figures.number(every["buys"].iloc[-2])} times
  better, beside yesterday's close, than an honest evaluation does; the shuffled split alone
  {figures.number(every.loc["shuffled split", "buys"])} times, scaling
  {figures.number(every.loc["scaled on the whole series", "buys"])} times, tuning on the test part
  {figures.number(every.loc["tuned on the test part", "buys"])} times, and these two together
  {figures.number(every.loc["scaling and tuning (described)", "buys"])} times.
- **The walk.** Below yesterday's close in {better["level"]} (level) and {better["change"]} (change) of
  {len(years)} years.
- *A trader* {trader}, and no costs are counted.
- *A risk manager* should not take a small scaled MSE for accuracy: in returns, the best of these errors is that of a
  random walk, and the level network is worse than that in {len(years) - better["level"]} of {len(years)} years.
- *A reviewer* should ask for yesterday's close in every table, for a split in time, for a test part that is read
  once, and for a control in which nothing can be found.
- This run used {data.caption}; closes up to {as_of} for everything that was chosen.
""")

# %% [markdown]
# ## Stamp

# %%
stamp = provenance.stamp(
    data_sha256=series(main, level[main]).data_sha256, seeds=list(budget.all_seeds), entries=[this], profile=profile
)
Markdown(provenance.stamp_markdown(stamp))
