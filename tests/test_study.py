"""A study remembers every finished trial, goes on where it was, and refuses what does not belong together."""

import dataclasses
import itertools
import json
import os
import platform
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState

from helpers import paths, study
from helpers.metrics import error_metrics
from helpers.prices import Prices, closes_sha256
from helpers.samplers import GeneratorSampler
from helpers.space import GENERATOR_SPACE, HYPERPARAMETERS, UnitCube
from helpers.trial import METRICS, Evaluator, TrialResult, WorkerError
from helpers.windows import Dataset, protocol

SPACE = {**GENERATOR_SPACE, "sequence_length": optuna.distributions.IntDistribution(1, 10)}


def small_dataset(name="described", rows=300, scale=100.0):
    rng = np.random.default_rng(0)
    index = pd.bdate_range("2000-01-03", periods=rows, name="Date")
    close = pd.Series(scale * np.exp(np.cumsum(rng.normal(0.001, 0.01, rows))), index=index, name="Close")
    return Dataset(Prices("TEST", close, "file", closes_sha256(close), ""), protocol(name), max_sequence_length=10)


DATASET = small_dataset()


def invented_mse(config, seed):
    """A smooth function of the configuration with a little noise of the seed: what a trial would answer."""
    place = np.array(
        [config.layers / 10, config.units / 10, config.dropout_rate, np.log10(config.learning_rate) / 5 + 1]
    )
    return float(np.sum((place - 0.4) ** 2) / 10 + np.random.default_rng(seed).random() / 1000 + 1e-5)


class Invented:
    """Answers like `trial.Evaluator`, without training. Trials whose number of calls is in `failing` fail."""

    def __init__(self, failing=(), pause=0.0):
        self.failing, self.pause, self.calls = failing, pause, []

    def evaluate(self, config, dataset, *, seed, keep_predictions=False, stage="tune", **_):
        self.calls.append((config, seed, stage))
        time.sleep(self.pause)
        measured = {"seconds": 2.0, "cpu_percent": 50.0, "peak_rss_mb": 600.0, "memory_used_mb": 900.0}
        if len(self.calls) - 1 in self.failing:
            return TrialResult("failed", "the loss was no longer finite", **measured)
        value = invented_mse(config, seed)
        forecasts = np.full(len(dataset.test_targets(stage)), value, np.float32) if keep_predictions else None
        return TrialResult("ok", **dict.fromkeys(METRICS, value), **measured, predictions=forecasts)


def go(folder, *, trials=6, evaluator=None, name="s", seed=1, sampler=None, **changes):
    settings = {"space": SPACE, "dataset": DATASET, "progress": False} | changes
    sampler = GeneratorSampler(seed=seed, space=SPACE) if sampler is None else sampler
    evaluator = Invented() if evaluator is None else evaluator
    return study.run(name, sampler, trials=trials, seed=seed, folder=folder, evaluator=evaluator, **settings)


def outcome(a_study):
    """What must not depend on interruptions: numbers, states, parameters, values, what the sampler noted."""
    return [(t.number, t.state, t.params, t.value, t.system_attrs) for t in a_study.get_trials(deepcopy=False)]


def test_records(tmp_path):
    evaluator = Invented(failing={2})
    frame = study.records(go(tmp_path, trials=5, evaluator=evaluator))
    assert tuple(frame.columns) == study.COLUMNS
    assert list(frame["iteration"]) == [1, 2, 3, 4, 5]
    assert list(frame["status"]) == ["ok", "ok", "failed", "ok", "ok"]
    assert list(frame["reason"]) == ["", "", "the loss was no longer finite", "", ""]
    assert list(frame["cumulative_seconds"]) == [2.0, 4.0, 6.0, 8.0, 10.0]
    assert list(frame["mse"].isna()) == [False, False, True, False, False]
    for row, (config, seed, _) in zip(frame.to_dict("records"), evaluator.calls, strict=True):
        assert {key: row[key] for key in HYPERPARAMETERS} == config.as_dict()
        assert row["seed"] == seed == study.trial_seed(1, row["iteration"] - 1)
        assert row["status"] == "failed" or row["mse"] == invented_mse(config, seed)
    assert (frame["sampler_seconds"] > 0).all()
    assert frame["mse"].dtype == float and frame["layers"].dtype == int


def test_a_failed_trial_is_one_failed_record(tmp_path):
    result = go(tmp_path, trials=3, evaluator=Invented(failing={1}))
    failed = result.trials[1]
    assert failed.state == TrialState.FAIL and failed.user_attrs["reason"] == "the loss was no longer finite"
    assert "mse" not in failed.user_attrs
    frame = study.records(result)
    assert study.failures(frame) == "1 of 3 trials failed: the loss was no longer finite"
    assert study.failures(frame.head(1)) == "None of 1 trials failed"
    twice = pd.concat([frame, frame.iloc[[1]].assign(reason="Killed")])
    assert study.failures(twice) == "2 of 4 trials failed, the first of them so: the loss was no longer finite"


def test_best_takes_the_least_mse_within_the_first_iterations(tmp_path):
    result = go(tmp_path, trials=12, evaluator=Invented(failing={0}))
    frame = study.records(result)
    assert study.best(result)["mse"] == frame["mse"].min()
    assert study.best(result, within=4)["mse"] == frame["mse"][:4].min()
    with pytest.raises(study.StudyFailed):
        study.best(result, within=1)


def test_trial_seeds_differ_and_fit_keras():
    seeds = {study.trial_seed(seed, number) for seed in range(5) for number in range(100)}
    assert len(seeds) > 495 and all(0 <= s and 1000 * s + 1000 < 2**31 for s in seeds)
    assert study.trial_seed(1, 2) == study.trial_seed(1, 2)


def test_a_study_is_continued_not_repeated(tmp_path):
    whole = go(tmp_path / "whole", trials=8)
    first, second = Invented(), Invented()
    go(tmp_path / "parts", trials=3, evaluator=first)
    parts = go(tmp_path / "parts", trials=8, evaluator=second)
    assert (len(first.calls), len(second.calls)) == (3, 5)
    assert outcome(parts) == outcome(whole)
    third = Invented()
    assert outcome(go(tmp_path / "parts", trials=5, evaluator=third)) == outcome(whole) and third.calls == []


@pytest.mark.parametrize("cut_lines", [1, 2, 5, 9])
def test_a_study_cut_anywhere_ends_as_if_undisturbed(tmp_path, cut_lines):
    """The journal cut back by some lines and half a line: what a kill leaves at different moments of a trial."""
    whole = go(tmp_path / "whole", trials=5, evaluator=Invented(failing={1}))
    expected = outcome(whole)
    path = study.journal_path("s", tmp_path / "whole")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-cut_lines]) + lines[-cut_lines][:20])
    assert outcome(go(tmp_path / "whole", trials=5)) == expected
    assert path.with_suffix(".journal.damaged").is_file()


SCRIPT = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
import test_study
test_study.go(sys.argv[1], trials=30, evaluator=test_study.Invented(pause=0.02))
"""


def test_killed_at_five_random_moments_a_study_ends_as_if_undisturbed(tmp_path):
    whole = go(tmp_path / "whole", trials=30)
    script = SCRIPT.format(root=str(paths.ROOT), tests=str(Path(__file__).parent))
    path, rng, killed = study.journal_path("s", tmp_path / "killed"), random.Random(0), 0
    seen = []
    while killed < 5:
        process = subprocess.Popen(
            [sys.executable, "-c", script, tmp_path / "killed"], stderr=subprocess.DEVNULL, start_new_session=True
        )
        size = path.stat().st_size if path.exists() else 0
        while process.poll() is None and not (path.exists() and path.stat().st_size > size):
            time.sleep(0.002)  # it has begun to write
        time.sleep(rng.uniform(0, 0.06))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        assert process.wait() == -signal.SIGKILL, "the study ended before it was killed five times"
        seen.append(len(study.load("s", tmp_path / "killed").get_trials(deepcopy=False, states=study._FINISHED)))
    assert seen[-1] < 30
    assert outcome(go(tmp_path / "killed", trials=30)) == outcome(whole)


def test_with_a_sampler_a_trial_optunas_own_samplers_resume_as_well(tmp_path):
    def tpe(number):
        return optuna.samplers.TPESampler(seed=100 + number, n_startup_trials=2)

    whole = go(tmp_path / "whole", trials=7, sampler=tpe)
    go(tmp_path / "parts", trials=3, sampler=tpe)
    assert outcome(go(tmp_path / "parts", trials=7, sampler=tpe)) == outcome(whole)
    assert len({tuple(t.params.values()) for t in whole.trials}) > 3


def test_stop_at_ends_with_the_first_trial_that_reaches_it(tmp_path):
    frame = study.records(go(tmp_path / "whole", trials=20))
    target = frame["mse"][:10].min()
    stopped = study.records(go(tmp_path / "stopped", trials=20, stop_at=target))
    assert len(stopped) == frame["mse"][:10].idxmin() + 1 and stopped["mse"].iloc[-1] == target
    again = Invented()
    assert len(go(tmp_path / "stopped", trials=20, stop_at=target, evaluator=again).trials) == len(stopped)
    assert again.calls == []


def test_a_study_in_which_everything_fails_says_so(tmp_path):
    with pytest.raises(study.StudyFailed, match="All 3 trials of the study 's' failed, 3 of them so: the loss"):
        go(tmp_path, trials=3, evaluator=Invented(failing={0, 1, 2}))


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("data", {"dataset": small_dataset(scale=101.0)}),
        ("protocol", {"dataset": small_dataset("published")}),
        ("protocol", {"dataset": Dataset(DATASET.prices, DATASET.protocol, max_sequence_length=11)}),  # other test days
        ("space", {"space": {**SPACE, "units": optuna.distributions.IntDistribution(1, 3)}}),
        ("epochs", {"epochs": 3}),
        ("seed", {"seed": 2}),
        ("sampler", {"sampler": GeneratorSampler(seed=1, space=SPACE, feedback="zero")}),
        ("engine", {"engine": "keras"}),
    ],
)
@pytest.mark.parametrize("train", [True, False])
def test_other_settings_are_refused_by_name(tmp_path, what, changes, train):
    go(tmp_path, trials=2)
    before = study.journal_path("s", tmp_path).read_bytes()
    with pytest.raises(
        study.StudyError, match="begun on other closes, " if what == "data" else f"begun with another {what}, "
    ):
        go(tmp_path, trials=3, train=train, **changes)
    assert study.journal_path("s", tmp_path).read_bytes() == before


def test_another_engine_in_one_study_is_refused(tmp_path):
    """`auto` means another one where TensorFlow sees a GPU."""

    class By(Invented):
        engine = "fast"

        def evaluate(self, *given, **named):
            return replace(super().evaluate(*given, **named), engine=self.engine)

    evaluator = By()
    done = go(tmp_path, trials=2, evaluator=evaluator)
    assert [t.user_attrs["engine"] for t in done.trials] == ["fast", "fast"]
    evaluator.engine = "keras"
    with pytest.raises(study.StudyError, match="with the engine fast, and this one with keras: name the engine"):
        go(tmp_path, trials=3, evaluator=evaluator)
    evaluator.engine = "fast"
    assert len(study.records(go(tmp_path, trials=3, evaluator=evaluator))) == 3


def test_a_sampler_typed_in_a_notebook_runs_though_it_has_no_file(tmp_path):
    class Own(optuna.samplers.RandomSampler):
        pass

    Own.__module__ = "__main__"
    sys.modules["__main__"], main = type(sys)("__main__"), sys.modules["__main__"]
    try:
        assert len(go(tmp_path, trials=2, sampler=Own(seed=1)).trials) == 2
    finally:
        sys.modules["__main__"] = main


def test_a_study_that_goes_on_with_other_code_says_so(tmp_path, monkeypatch, caplog):
    go(tmp_path, trials=2)
    monkeypatch.setattr(study.provenance, "code_hash", lambda *entries: " ".join(sorted(p.name for p in entries)))
    go(tmp_path, trials=2)
    assert "has changed" not in caplog.text, "it is complete"
    go(tmp_path, trials=3)
    assert "goes on with code that has changed" in caplog.text and "now generator.py study.py" in caplog.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"trials": 0}, "trials must be a whole number"),
        ({"trials": 2.5}, "trials must be a whole number"),
        ({"seed": -1, "sampler": optuna.samplers.RandomSampler()}, "seed must be a whole number"),
        ({"name": "../s"}, "file's name"),
        ({"stop_at": "low"}, "stop_at must be a number"),
    ],
)
def test_bad_arguments_are_one_sentence(tmp_path, changes, said):
    with pytest.raises(study.StudyError, match=said):
        go(tmp_path, **changes)
    assert list(tmp_path.iterdir()) == []


def test_reading_only_writes_nothing_and_names_what_is_missing(tmp_path):
    with pytest.raises(study.StudyError, match=r"no study 's' in .*recorded there: none"):
        go(tmp_path, train=False)
    whole = go(tmp_path, trials=3)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert outcome(go(tmp_path, trials=3, train=False)) == outcome(whole)
    assert outcome(study.load("s", tmp_path)) == outcome(whole)
    with pytest.raises(study.StudyError, match="has 3 of 4 trials"):
        go(tmp_path, trials=4, train=False)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_damage_inside_a_journal_is_named_by_line(tmp_path):
    go(tmp_path, trials=2)
    path = study.journal_path("s", tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[4] = b"foreign text\n"
    path.write_bytes(b"".join(lines))
    for train in (True, False):
        with pytest.raises(study.StudyError, match=r"s\.journal, line 5 is damaged"):
            go(tmp_path, trials=2, train=train)
    assert path.read_bytes() == b"".join(lines)


def test_a_process_does_not_wait_for_itself(tmp_path):
    class Second(Invented):
        def evaluate(self, *arguments, **named):
            with pytest.raises(study.StudyError, match=rf"being run by this process \(pid {os.getpid()}\)"):
                go(tmp_path, trials=9)
            return super().evaluate(*arguments, **named)

    evaluator = Second()
    go(tmp_path, trials=2, evaluator=evaluator)
    assert len(evaluator.calls) == 2
    assert sorted(p.suffix for p in tmp_path.iterdir() if p.suffix != ".npz") == [".journal"]
    assert len(go(tmp_path, trials=3).trials) == 3  # and it is free again


def test_a_study_runs_on_nfs_too(tmp_path, nfs):
    assert outcome(go(tmp_path / "nfs", trials=3)) == outcome(go(tmp_path / "here", trials=3))


def test_a_journal_may_travel(tmp_path):
    """Plain JSON lines, small, strict, with no name of the machine or of a folder."""
    go(tmp_path / "ten", trials=10, evaluator=Invented(failing={4}))
    content = study.journal_path("s", tmp_path / "ten").read_text()

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    for line in content.splitlines():
        json.loads(line, parse_constant=refuse)
        assert len(line) < 2500
    for private in (str(tmp_path), str(paths.ROOT), str(Path.home()) + "/", f'"{platform.node()}"'):
        assert private not in content
    assert len(content) / 10 < 9000


def test_the_winner_is_what_the_best_trial_forecast(tmp_path):
    result = go(tmp_path, trials=10)
    unused = Invented()
    won = study.winner(result, DATASET, folder=tmp_path, evaluator=unused, train=False)
    row = study.best(result)
    assert unused.calls == [] and won.iteration == row["iteration"]
    assert won.config.as_dict() == {key: row[key] for key in HYPERPARAMETERS}
    assert np.all(won.predictions == np.float32(row["mse"]))  # the invented forecast
    windows = DATASET.windows(won.config.sequence_length, stage="final")
    assert np.array_equal(won.actual, windows.y_test) and np.array_equal(won.naive, windows.naive)
    assert won.dates.equals(windows.test_dates)
    assert won.metrics["mse"] == pytest.approx(error_metrics(won.actual, won.predictions)["mse"], rel=1e-5)
    assert won.metrics["rmse_points"] == pytest.approx(won.metrics["rmse"] * (DATASET.high - DATASET.low))
    early = study.winner(result, DATASET, folder=tmp_path, within=2, train=False)
    assert early.iteration == study.best(result, within=2)["iteration"] <= 2
    with pytest.raises(study.StudyError, match="was run on other closes, closes with the checksum"):
        study.winner(result, small_dataset(scale=101.0), folder=tmp_path)


@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign"])
def test_forecasts_that_do_not_fit_are_trained_again(tmp_path, damage):
    result = go(tmp_path, trials=6)
    number = int(study.best(result)["iteration"])
    path = tmp_path / f"s.best-{number:04d}.npz"
    whole = study.winner(result, DATASET, folder=tmp_path)
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:100])
    else:
        np.savez(path, config="{}", data_sha256="", protocol="", predictions=whole.predictions)
    with pytest.raises(study.StudyError, match=path.name):
        study.winner(result, DATASET, folder=tmp_path, train=False)
    evaluator = Invented()
    again = study.winner(result, DATASET, folder=tmp_path, evaluator=evaluator)
    assert evaluator.calls == [(whole.config, study.trial_seed(1, number - 1), "final")]
    assert np.array_equal(again.predictions, whole.predictions)
    assert np.array_equal(study.winner(result, DATASET, folder=tmp_path, train=False).predictions, whole.predictions)


def test_a_winner_tuned_on_validation_is_trained_once_on_the_final_part(tmp_path):
    clean, evaluator = small_dataset("clean"), Invented()
    result = go(tmp_path, trials=4, dataset=clean)
    for _ in range(2):
        won = study.winner(result, clean, folder=tmp_path, evaluator=evaluator)
    assert [stage for _, _, stage in evaluator.calls] == ["final"]
    assert won.predictions.shape == clean.test_targets("final").shape != clean.test_targets("tune").shape


def test_a_winner_has_the_time_that_it_is_given(tmp_path):
    clean, given = small_dataset("clean"), []

    class Slow(Invented):
        def evaluate(self, config, dataset, *, time_limit, **named):
            given.append(time_limit)
            return TrialResult("failed", "time above its limit")

    result = go(tmp_path, trials=2, dataset=clean)
    with pytest.raises(study.StudyError, match="The winner of 's' could not be trained: time above its limit"):
        study.winner(result, clean, folder=tmp_path, evaluator=Slow(), time_limit=5.0)
    assert given == [5.0] and not list(tmp_path.glob("*.final*"))


class Longer(Invented):
    """The longer the training, the smaller the error."""

    def evaluate(self, config, dataset, *, epochs, **named):
        done = super().evaluate(config, dataset, **named)
        shorter = None if done.predictions is None else np.full_like(done.predictions, 0.1 / epochs)
        return dataclasses.replace(done, mse=0.1 / epochs, predictions=shorter)


@pytest.mark.parametrize("name", ["clean", "described"])
@pytest.mark.parametrize("noted", [True, False])
def test_a_new_study_does_not_take_the_forecasts_of_an_earlier_one(tmp_path, name, noted):
    """Its journal was removed, its forecasts stayed; also where these do not say how they were trained."""
    dataset, worker = small_dataset(name), Longer()

    def forecasts(epochs):
        result = go(tmp_path, trials=1, dataset=dataset, epochs=epochs, evaluator=worker)
        return study.winner(result, dataset, folder=tmp_path, evaluator=worker).predictions

    assert np.all(forecasts(1) == np.float32(0.1))
    study.journal_path("s", tmp_path).unlink()
    (path,) = tmp_path.glob("*.npz")
    if not noted:
        without_training(path)
    others = [tmp_path / other for other in ("t.best-0001.npz", "s.best-0001.best-0001.npz", "s.best-0001.npz.old")]
    for other in others:
        other.write_bytes(b"another study's")
    assert np.all(forecasts(10) == np.float32(0.01))
    assert all(other.exists() for other in others), "only its own forecasts are removed"


def without_training(path):
    """As forecasts were stored before they said how they were trained."""
    with np.load(path) as file:
        values = {key: file[key] for key in file.files if key != "training"}
    np.savez(path, **values)


def test_stored_forecasts_say_how_they_were_trained(tmp_path):
    result = go(tmp_path, trials=3)
    number = int(study.best(result)["iteration"])
    path = tmp_path / f"s.best-{number:04d}.npz"
    with np.load(path) as file:
        values = {key: file[key] for key in file.files}
    right = {"seed": study.trial_seed(1, number - 1), "epochs": 10, "engine": "auto"}
    assert json.loads(str(values["training"])) == right
    for wrong in ({"seed": 7}, {"epochs": 3}, {"engine": "keras"}):
        np.savez(path, **values | {"training": np.array(json.dumps(right | wrong))})
        with pytest.raises(study.StudyError, match=r"missing or do not fit the study"):
            study.winner(result, DATASET, folder=tmp_path, train=False)
    without_training(path)  # as those stored before it was noted
    assert study.winner(result, DATASET, folder=tmp_path, train=False).iteration == number


def test_a_study_that_goes_on_keeps_its_forecasts(tmp_path):
    go(tmp_path, trials=3)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.npz")}
    go(tmp_path, trials=4)
    assert before and before == {path: path.read_bytes() for path in before}


def test_describe_tells_samplers_apart():
    said = study.describe(GeneratorSampler(seed=3, feedback="zero"))
    assert said.startswith("GeneratorSampler(seed=3") and "feedback='zero'" in said
    assert said != study.describe(GeneratorSampler(seed=3, feedback="paper"))


def test_a_worker_that_cannot_start_is_not_blamed_on_the_journal(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("")  # cannot be executed
    monkeypatch.setattr(sys, "executable", str(python))
    with (
        Evaluator() as evaluator,
        pytest.raises(WorkerError, match=r"^The worker process cannot start: Permission denied\.$"),
    ):
        go(tmp_path / "s", trials=2, evaluator=evaluator)


def test_a_small_study_of_real_lstms(tmp_path):
    """The whole path, once: two trainings in one worker, metrics and forecasts that agree."""
    space = {**SPACE, "layers": optuna.distributions.IntDistribution(1, 2)}
    sampler = GeneratorSampler(seed=1, space=space)
    with Evaluator() as evaluator:
        result = go(tmp_path, trials=2, sampler=sampler, space=space, epochs=1, evaluator=evaluator)
    frame = study.records(result)
    assert list(frame["status"]) == ["ok", "ok"] and (frame["seconds"] > 0).all()
    won = study.winner(result, DATASET, folder=tmp_path, train=False)
    assert won.metrics["mse"] == pytest.approx(study.best(result)["mse"], rel=1e-6)
    assert won.metrics["mae_points"] == pytest.approx(study.best(result)["mae_points"], rel=1e-6)
    assert set(result.trials[0].params) == set(UnitCube(space).names)


def test_a_studys_limits_and_engine_reach_every_trial(tmp_path):
    class Noting(Invented):
        def evaluate(self, config, dataset, **given):
            seen.append({k: given[k] for k in ("epochs", "engine", "time_limit", "memory_limit_mb")})
            return super().evaluate(config, dataset, **given)

    seen = []
    limits = {"epochs": 3, "engine": "fast", "time_limit": 7.0, "memory_limit_mb": 900.0}
    go(tmp_path, trials=2, evaluator=Noting(), **limits)
    assert seen == [limits] * 2


def test_naive_mse_is_that_of_the_part_that_judges_the_trials(tmp_path):
    clean = small_dataset("clean")
    done = go(tmp_path, trials=1, dataset=clean)
    assert done.user_attrs["naive_mse"] == clean.naive_metrics("tune")["mse"] != clean.naive_metrics("final")["mse"]


def test_learning_from_a_trial_counts_as_the_samplers_time(tmp_path, monkeypatch):
    clock = itertools.count(0.0, 1.0)
    monkeypatch.setattr(study.time, "perf_counter", lambda: next(clock))
    frame = study.records(go(tmp_path, trials=3, evaluator=Invented()))
    assert frame["sampler_seconds"].tolist() == [1.0, 2.0, 2.0]
