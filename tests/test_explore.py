"""Notebook 00's logic: what can be chosen, trials watched as they come, Optuna's plots of recorded studies."""

import contextlib

import matplotlib
import optuna
import pytest

from helpers import explore, figures, paths, samplers, study
from helpers.space import GENERATOR_SPACE, HYPERPARAMETERS
from helpers.trial import TrialResult

COMMITTED = paths.outputs().studies("full")


class Worker:
    """Answers with an MSE that falls from trial to trial; fails where it is told to."""

    def __init__(self, fail_at: tuple[int, ...] = ()) -> None:
        self.calls, self.fail_at = 0, fail_at

    def evaluate(self, config, dataset, **settings) -> TrialResult:
        self.calls += 1
        if self.calls in self.fail_at:
            return TrialResult("failed", "it broke", seconds=1.0)
        errors = dict.fromkeys(("mse", "rmse", "mae", "mse_points", "rmse_points", "mae_points"), 1.0 / self.calls)
        return TrialResult("ok", **errors, r2=0.5, seconds=1.0, cpu_percent=50.0, peak_rss_mb=1.0, memory_used_mb=1.0)


# --- choices --------------------------------------------------------------------------------------------------------


def test_every_exported_sampler_is_a_tuner_and_so_are_the_peers():
    found = explore.tuners()
    ours = {getattr(samplers, name) for name in samplers.__all__ if name.endswith("Sampler")}
    assert ours <= set(found.values()) and {"random", "tpe", "generator", "gan", "bayesian"} <= set(found)


def test_a_new_sampler_appears_by_itself(monkeypatch):
    class LuckySampler(samplers.GeneratorSampler):
        pass

    monkeypatch.setattr(samplers, "__all__", [*samplers.__all__, "LuckySampler"])
    monkeypatch.setattr(samplers, "LuckySampler", LuckySampler, raising=False)
    assert explore.tuners()["lucky"] is LuckySampler
    made = explore.make("lucky", 3)
    assert isinstance(made, LuckySampler) and made.seed == 3 and made.space == dict(GENERATOR_SPACE)


@pytest.mark.parametrize("tuner", ["random", "tpe"])
def test_peers_are_made_anew_for_each_trial_and_repeat(tuner):
    def first(number: int) -> dict:
        one = optuna.create_study(sampler=explore.make(tuner, 5)(number))
        return one.ask(dict(GENERATOR_SPACE)).params

    assert first(0) == first(0) != first(1)


def test_symbols_are_those_with_closes_at_hand(tmp_path, packaged):
    from helpers import prices

    assert explore.symbols(tmp_path) == ["^GSPC"], "packaged"
    for symbol in ("^IXIC", "ACME"):
        packaged.close.round(2).to_csv(tmp_path / "closes.txt", index_label="Date")
        prices.import_csv(tmp_path / "closes.txt", symbol, folder=tmp_path)
    assert explore.symbols(tmp_path) == ["^GSPC", "ACME", "^IXIC"]


# --- trials ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tuner", ["generator", "random"])
def test_every_trial_is_given_as_it_ends_and_a_larger_count_goes_on(tuner, tmp_path, short_dataset):
    worker = Worker()
    settings = dict(seed=1, folder=tmp_path, epochs=1, evaluator=worker, progress=False)
    lengths = []
    for rows in explore.trials(tuner, short_dataset, count=2, **settings):
        lengths.append(len(rows))
        assert worker.calls == len(rows), "given before the next is begun"
    assert lengths == [1, 2]
    *_, last = explore.trials(tuner, short_dataset, count=4, **settings)
    assert worker.calls == 4 and list(last["mse"]) == [1.0, 1 / 2, 1 / 3, 1 / 4]
    assert list(last.head(2)["units"]) == list(rows["units"])


def test_other_choices_are_other_studies(tmp_path, short_dataset):
    for seed, tuner in ((1, "generator"), (2, "generator"), (1, "gan")):
        settings = dict(count=1, seed=seed, folder=tmp_path, evaluator=Worker(), progress=False)
        list(explore.trials(tuner, short_dataset, **settings))
    assert len(explore.recorded(tmp_path)) == 3


def test_failed_trials_are_shown_with_their_reason(tmp_path, short_dataset):
    settings = dict(count=2, seed=1, folder=tmp_path, progress=False)
    *_, rows = explore.trials("generator", short_dataset, evaluator=Worker(fail_at=(1,)), **settings)
    assert list(explore.shown(rows)["reason"]) == ["it broke", ""]
    assert "best MSE 0.500 at iteration 2" in explore.said(rows, 0.1)
    assert "all of which failed:** it broke." in explore.said(rows.head(1), 0.1)


def test_records_are_shown_with_headings_that_a_reader_knows(tmp_path, short_dataset):
    *_, rows = explore.trials(
        "generator", short_dataset, count=1, seed=1, folder=tmp_path, evaluator=Worker(), progress=False
    )
    assert list(explore.shown(rows).columns) == ["iteration", *HYPERPARAMETERS, "mse", "seconds"]


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"tuner": "genrator"}, ["'genrator'", "generator", "random"]),
        ({"count": 0}, ["at least 1", "0"]),
        ({"count": True}, ["whole number", "True"]),
    ],
)
def test_bad_choices_are_one_sentence(choice, words, tmp_path, short_dataset):
    given = {"tuner": "generator", "count": 1} | choice
    with pytest.raises(explore.ExploreError) as refused:
        list(explore.trials(given["tuner"], short_dataset, count=given["count"], seed=0, folder=tmp_path))
    assert all(word in str(refused.value) for word in words)
    assert list(tmp_path.iterdir()) == [], "nothing was begun"


# --- plots ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", explore.PLOTS)
def test_every_plot_of_a_committed_study_says_what_it_shows_and_changes_no_setting(kind):
    before = dict(matplotlib.rcParams)
    journal = (COMMITTED / "generator_described.journal").read_bytes()
    fig = explore.plot(kind, "generator_described", COMMITTED)
    assert dict(matplotlib.rcParams) == before
    assert (COMMITTED / "generator_described.journal").read_bytes() == journal
    axes = fig.axes
    texts = [t.get_text() for a in axes for t in (*a.get_xticklabels(), *a.get_yticklabels(), a.xaxis.label)]
    texts = " ".join(texts).replace("\n", " ")
    for name in ("Layers", "Units per layer", "Learning rate (log10)", "Batch size (log2)", "Sequence length (days)"):
        assert name in texts, name
    assert all(not a.get_title(loc=place) for a in axes for place in ("left", "center", "right"))
    assert kind in explore.CAPTIONS


def test_plots_work_on_every_committed_study():
    for name in explore.recorded(COMMITTED).index:
        assert explore.plot("slice", name, COMMITTED).axes, name


def test_importance_is_the_same_each_time():
    widths = [
        [round(bar.get_width(), 12) for bar in explore.plot("importance", "gan_published", COMMITTED).axes[0].patches]
        for _ in range(2)
    ]
    assert widths[0] == widths[1] and sum(widths[0]) == pytest.approx(1.0)


def test_a_plot_that_cannot_be_made_is_refused_by_name(tmp_path, short_dataset):
    with pytest.raises(explore.ExploreError, match="'pie'; valid plots are parallel coordinates, importance, slice"):
        explore.plot("pie", "generator_described", COMMITTED)
    with pytest.raises(study.StudyError, match="no study 'nobody'"):
        explore.plot("slice", "nobody", COMMITTED)
    settings = dict(count=1, seed=1, folder=tmp_path, evaluator=Worker(), progress=False)
    list(explore.trials("generator", short_dataset, **settings))
    (name,) = explore.recorded(tmp_path).index
    with pytest.raises(explore.ExploreError, match="has 1 good trials; the plot needs two that differ"):
        explore.plot("slice", name, tmp_path)


# --- panels ---------------------------------------------------------------------------------------------------------


def widgets(panel):
    """Every widget of a panel by its description."""
    found, waiting = {}, [panel]
    while waiting:
        one = waiting.pop()
        waiting += getattr(one, "children", ())
        if getattr(one, "description", ""):
            found[one.description] = one
    return found


def test_the_run_button_runs_what_was_chosen(tmp_path, monkeypatch):
    asked = []

    def trials(tuner, dataset, **settings):
        asked.append((tuner, dataset.prices.symbol, dataset.protocol.name, settings["count"], settings["seed"]))
        raise explore.ExploreError("Not today.")

    monkeypatch.setattr(explore, "trials", trials)
    panel = explore.run_panel(folder=tmp_path, source="packaged")
    chosen = widgets(panel)
    assert {"tuner", "seed", "index", "protocol", "trials", "Run"} == set(chosen)
    chosen["tuner"].value, chosen["seed"].value, chosen["protocol"].value = "gan", 7, "published"
    chosen["trials"].value = 5
    chosen["Run"].click()
    assert asked == [("gan", "^GSPC", "published", 5, 7)]
    assert not chosen["Run"].disabled, "a refusal does not lock the panel"
    assert "Not today." in labels(panel)


def labels(panel) -> list[str]:
    import ipywidgets

    return [
        one.value for line in panel.children for one in getattr(line, "children", ()) if type(one) is ipywidgets.Label
    ]


def test_the_panel_shows_every_trial_as_it_ends(tmp_path, monkeypatch):
    worker, seen = Worker(), []
    monkeypatch.setattr(explore, "Evaluator", lambda: contextlib.nullcontext(worker))
    states = explore.states
    monkeypatch.setattr(explore, "states", lambda rows, *given: seen.append(worker.calls) or states(rows, *given))
    panel = explore.run_panel(folder=tmp_path, source="packaged", count=2)
    widgets(panel)["Run"].click()
    assert seen == [1, 2] and labels(panel) == ["2 of 2, best MSE 0.5"]
    assert [type(state).__name__ for state in states(study_rows(tmp_path), "generator", 0.1)] == [
        "Markdown",
        "DataFrame",
        "Figure",
    ]


def study_rows(folder):
    (name,) = explore.recorded(folder).index
    return study.records(study.load(name, folder))


def test_the_study_panel_lists_every_study_and_draws_what_is_chosen(monkeypatch):
    drawn = []
    monkeypatch.setattr(explore, "plot", lambda kind, name, folder: drawn.append((kind, name)))
    chosen = widgets(explore.study_panel(COMMITTED))
    names = [name for _, name in chosen["study"].options]
    assert names == list(explore.recorded(COMMITTED).index) and "gan_published" in names
    labels = [text for text, _ in chosen["study"].options]
    assert any(text.startswith("gan_published: 50 trials, best MSE 0.0000") for text in labels)
    chosen["study"].value = "gan_published"
    chosen["plot"].value = "importance"
    assert drawn[-1] == ("importance", "gan_published")


def test_the_study_panel_of_an_empty_folder_says_so(tmp_path):
    with pytest.raises(explore.ExploreError, match="No study is recorded"):
        explore.study_panel(tmp_path)


def test_every_label_is_known_for_the_papers_tuners():
    assert explore.label("generator") == figures.LABELS["generator"]
    assert explore.label("somebody's") == "somebody's"
