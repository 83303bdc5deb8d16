"""The tabular benchmark, its surrogate and its datasheet."""

import dataclasses
import json
import math
import subprocess
import sys
import time
from functools import partial

import numpy as np
import optuna
import pandas as pd
import pytest

from helpers import benchmark, datasheet, paths, surrogate
from helpers.benchmark import BenchmarkError, Task
from helpers.space import SPACES, UnitCube, lstm_space, params_from_config
from helpers.study import trial_seed
from helpers.surrogate import Process, Surrogate, Trees
from helpers.trial import METRICS, TrialResult
from helpers.windows import Dataset, protocol
from tests.conftest import all_cores

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Worker:
    """Answers at once what a made-up law says; fails for dropout rates of 0.9; may be killed after some trainings."""

    def __init__(self, *, lives=math.inf, noise=0.1):
        self.left, self.noise = lives, noise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def close(self):
        pass

    def evaluate(self, config, dataset, *, epochs, seed, engine):
        if self.left < 1:
            raise KeyboardInterrupt
        self.left -= 1
        if config.dropout_rate > 0.85:
            return TrialResult("failed", "the forecasts' mse is not finite", seconds=1.0, cpu_percent=50.0)
        log_mse = law(config) + np.random.default_rng(seed).normal(0.0, self.noise)
        return TrialResult("ok", **dict.fromkeys(METRICS, 10.0**log_mse), seconds=2.0 * config.layers, cpu_percent=50.0)


def law(config):
    return -3.0 + 0.2 * config.layers + math.log2(config.batch_size) / 10.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory, short_dataset):
    """A benchmark of 200 made-up trainings, 30 configurations of it with five seeds."""
    folder = tmp_path_factory.mktemp("benchmark")
    path = benchmark.records_path("generator", "described", folder)
    wanted = benchmark.tasks("generator", "described", configs=200, noise=(30, 5))
    benchmark.collect(path, wanted, short_dataset, progress=False, evaluator=Worker)
    benchmark.pack("generator", folder)
    return folder


@pytest.fixture(scope="module")
def made_up(folder):
    return Surrogate("generator", folder=folder)


# Configurations.


@pytest.mark.parametrize("space", SPACES)
def test_configurations_are_uniform_and_stay_what_they_are(space):
    drawn = [benchmark.configuration(space, index) for index in range(2000)]
    assert drawn[:5] == [benchmark.configuration(space, index) for index in range(5)]
    cube = UnitCube(lstm_space(space))
    u = np.array([cube.encode(params_from_config(config)) for config in drawn])
    assert np.abs(u.mean(0) - 0.5).max() < 4 / math.sqrt(12 * 2000)
    assert np.abs(np.corrcoef(u.T) - np.eye(6)).max() < 0.1
    assert {config.dropout_rate for config in drawn} == {k / 10 for k in range(1, 10)}
    with pytest.raises(ValueError, match="at least 0"):
        benchmark.configuration(space, -1)


def test_spaces_do_not_share_their_draws():
    a, b = (UnitCube(SPACES[s]).encode(params_from_config(benchmark.configuration(s, 0))) for s in SPACES)
    assert not np.allclose(a, b, atol=0.1)


def test_tasks_are_trained_as_a_study_would():
    wanted = benchmark.tasks("gan", "clean", configs=3, noise=(2, 3))
    assert [(t.index, t.repeat) for t in wanted] == [(0, 0), (1, 0), (2, 0), (0, 1), (0, 2), (1, 1), (1, 2)]
    assert wanted[4].seed == trial_seed(2, 0) and wanted[4].config == wanted[0].config


# Collecting.


@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupted_at_any_moment_it_goes_on(jobs, tmp_path, short_dataset):
    path = benchmark.records_path("gan", "described", tmp_path)
    wanted = benchmark.tasks("gan", "described", configs=9)
    starts = 0
    while True:
        starts += 1
        try:
            benchmark.collect(path, wanted, short_dataset, jobs=jobs, progress=False, evaluator=lambda: Worker(lives=2))
            break
        except KeyboardInterrupt:
            with open(path, "ab") as file:
                file.write(b'{"space": "gan", "proto')  # killed while writing
    found = benchmark.read(path)
    assert sorted(r["index"] for r in found) == list(range(9)) and starts > 1
    if jobs == 1:
        assert [r["index"] for r in found] == list(range(9))
    assert benchmark.collect(path, wanted, short_dataset, progress=False, evaluator=Worker) == 0


def test_failures_are_recorded_with_their_reason(folder):
    frame = benchmark.table("generator", "described", folder=folder)
    failed = frame[frame["status"] == "failed"]
    assert (failed["dropout_rate"] == 0.9).all() and failed["mse"].isna().all() and len(failed) > 5
    assert set(failed["reason"]) == {"the forecasts' mse is not finite"}
    assert (frame.loc[frame["status"] == "ok", "reason"] == "").all()


def test_processor_seconds_are_the_workers(folder):
    from helpers.provenance import cores

    frame = benchmark.table("generator", folder=folder)
    assert np.allclose(frame["cpu_seconds"], 0.5 * cores() * frame["seconds"], rtol=1e-5)


def test_other_closes_and_damage_are_refused(tmp_path, short_dataset, dataset):
    path = benchmark.records_path("gan", "described", tmp_path)
    wanted = benchmark.tasks("gan", "described", configs=2)
    benchmark.collect(path, wanted, short_dataset, progress=False, evaluator=Worker)
    with pytest.raises(BenchmarkError, match="other closes"):
        benchmark.collect(path, wanted, dataset, progress=False, evaluator=Worker)
    seeded = Dataset(short_dataset.prices, protocol("published", split_seed=1), max_sequence_length=20)
    with pytest.raises(BenchmarkError, match=r"presets, not of one with \{'split_seed': 1\}"):
        benchmark.collect(path, wanted, seeded, progress=False, evaluator=Worker)
    path.write_bytes(b"{}\n" + path.read_bytes())
    with pytest.raises(BenchmarkError, match="line 1 is damaged"):
        benchmark.read(path)


@pytest.fixture
def command(monkeypatch, tmp_path, short_dataset, caplog):
    """The command on synthetic closes; its exit status and what it says."""

    def run(*options):
        monkeypatch.setattr("helpers.prices.load", lambda: short_dataset.prices)
        monkeypatch.setattr(benchmark, "Dataset", lambda *_: short_dataset)
        caplog.clear()
        status = benchmark.main(["--space", "gan", "--configs", "2", "--folder", str(tmp_path / "b"), *options])
        return status, [record.getMessage() for record in caplog.records]

    return run


def test_the_command_says_that_no_worker_can_start(monkeypatch, tmp_path, command):
    (tmp_path / "python").write_text("")  # cannot be executed
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    assert command() == (1, ["The worker process cannot start: Permission denied."])


def test_the_command_refuses_no_workers(tmp_path, command):
    nothing = ("--configs", "0")  # so that it ends in any case
    assert command(*nothing, "--jobs", "0") == (1, ["jobs must be a whole number of at least 1, not 0."])
    assert not (tmp_path / "b").exists()


# The table.


def test_packing_loses_nothing_and_repeats_to_the_byte(folder):
    path = benchmark.table_path("generator", folder)
    before = path.read_bytes()
    assert benchmark.pack("generator", folder).read_bytes() == before
    frame = benchmark.table("generator", folder=folder)
    records = benchmark.read(benchmark.records_path("generator", "described", folder))
    assert len(frame) == len(records) == 200 + 30 * 4
    first = frame.iloc[0]
    kept = next(r for r in records if (r["index"], r["repeat"]) == (0, 0))
    assert {c: first[c] for c in ("seed", "mse", "learning_rate", "seconds")} == {
        c: kept[c] for c in ("seed", "mse", "learning_rate", "seconds")
    }


def test_packed_trainings_are_kept_without_their_records(folder, tmp_path):
    path = benchmark.table_path("generator", tmp_path)
    path.write_bytes(benchmark.table_path("generator", folder).read_bytes())
    assert len(benchmark.table("generator", folder=tmp_path)) == 320
    benchmark.pack("generator", tmp_path)
    assert path.read_bytes() == benchmark.table_path("generator", folder).read_bytes()


def test_what_lies_behind_a_gap_is_no_random_sample(tmp_path, short_dataset):
    path = benchmark.records_path("gan", "described", tmp_path)
    wanted = [Task("gan", "described", index) for index in (0, 1, 3, 4)]
    benchmark.collect(path, wanted, short_dataset, progress=False, evaluator=Worker)
    benchmark.pack("gan", tmp_path)
    assert list(benchmark.table("gan", folder=tmp_path)["index"]) == [0, 1]
    # Configuration 0 has further seeds and 1 has none yet: what 2 and its successors have is left out, although they
    # may have all.
    collect = partial(benchmark.collect, path, dataset=short_dataset, progress=False, evaluator=Worker)
    collect([Task("gan", "described", *which) for which in ((0, 1), (2, 0), (2, 1), (2, 2))])
    benchmark.pack("gan", tmp_path)
    frame = benchmark.table("gan", folder=tmp_path)
    assert frame[["index", "repeat"]].to_numpy().tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [0, 1]]
    page = datasheet.text(tmp_path)
    assert "not in the tables yet, in `records/`: 2 of `gan` under `described`." in page
    collect([Task("gan", "described", 1, 1)])
    benchmark.pack("gan", tmp_path)
    page = datasheet.text(tmp_path)
    assert len(benchmark.table("gan", folder=tmp_path)) == 9 and "not in the tables yet" not in page
    assert "| gan | described | 2 | 2 to 3 | 5 | " in page  # configuration 1 has a dropout rate of 0.9 and fails


def test_missing_and_damaged_tables_are_named(tmp_path):
    with pytest.raises(BenchmarkError, match=r"There is no gan.csv.gz"):
        benchmark.table("gan", folder=tmp_path)
    benchmark.table_path("gan", tmp_path).write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(BenchmarkError, match="damaged"):
        benchmark.table("gan", folder=tmp_path)
    with pytest.raises(ValueError, match="Unknown space"):
        benchmark.table("lstm", folder=tmp_path)
    with pytest.raises(ValueError, match="Unknown protocol"):
        benchmark.table("gan", "dirty", folder=tmp_path)


# Both regressions against scikit-learn.


def test_the_process_is_scikit_learns():
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    rng = np.random.default_rng(0)
    x = rng.random((60, 3))
    y = np.sin(5 * x[:, 0]) + x[:, 1] + rng.normal(0, 0.05, 60)
    kernel = ConstantKernel(1.0, (0.05, 50.0)) * Matern(np.full(3, 0.7), (0.05, 20.0), nu=2.5)
    y += x[:, 2]
    theirs = GaussianProcessRegressor(kernel + WhiteKernel(0.1, (1e-3, 2.0)), normalize_y=True).fit(x, y)
    ours, at = Process(x, y), rng.random((20, 3))
    assert np.allclose([ours.at(u) for u in at], theirs.predict(at), atol=1e-6)


def test_drawn_functions_have_the_posteriors_mean_and_deviation():
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern

    rng = np.random.default_rng(3)
    x = rng.random((40, 2)) * np.array([0.5, 1.0])  # nothing is known beyond x_1 = 0.5
    process = Process(x, np.sin(6 * x[:, 0]) + x[:, 1] + rng.normal(0, 0.05, 40))
    at = np.array([[0.25, 0.5], [0.45, 0.9], [0.7, 0.5], [1.0, 0.0]])
    found = np.array([[f.at(u) for u in at] for f in map(process.draw, range(400))])
    kernel = ConstantKernel(process.amplitude) * Matern(math.sqrt(5.0) / process.scales, nu=2.5)
    theirs = GaussianProcessRegressor(kernel, alpha=process.noise, optimizer=None).fit(x, process.values)
    mean, deviation, one = *theirs.predict(at, return_std=True), process.spread
    assert np.allclose(found.mean(0), [process.at(u) for u in at], atol=4 * one * deviation.max() / 20)
    assert np.allclose(found.mean(0), process.mean + one * mean, atol=4 * one * deviation.max() / 20)
    assert np.allclose(found.std(0), one * deviation, rtol=0.15)
    assert deviation[-1] > 2 * deviation[0], "the draws differ where no training is"
    assert process.draw(7).at(at[0]) == found[7, 0] and len(np.unique(found[:, 0])) == 400


def test_what_the_process_draws_deviates_by_one_and_what_is_rougher_by_more():
    rng = np.random.default_rng(5)
    x, at = rng.random((60, 2)), rng.random((400, 2))
    process = Process(x, np.sin(6 * x[:, 0]) + x[:, 1] + rng.normal(0, 0.1, 60))
    error = process.spread * math.sqrt(process.noise)
    drawn = np.array([[f.at(u) for u in at[:20]] for f in map(process.draw, range(200))])
    drawn += rng.normal(0, error, drawn.shape)
    found = np.array([process.deviations(at[:20], y) for y in drawn])
    assert abs(found.mean()) < 0.1 and found.std() == pytest.approx(1.0, abs=0.1)
    rough = np.array([process.at(u) for u in at]) + 10 * error * np.sign(np.sin(200 * at[:, 0]))
    assert process.deviations(at, rough).std() > 5
    # Far from all that is known, nothing is known but the mean, the amplitude and the noise.
    far = process.deviations(np.array([[1e3, 1e3]]), np.array([process.mean + 2 * process.spread]))
    assert far == pytest.approx(2 / math.sqrt(process.amplitude + process.noise))


def test_a_drawn_function_is_as_steep_as_the_kernel_says():
    """Mean square of the differences over a short way, prior alone: 2 (k(0) - k(r)) of the Matern kernel."""
    far = np.full((2, 1), 50.0)
    process = Process(far + np.array([[0.0], [0.01]]), np.array([0.0, 1.0]))
    process.scales, process.amplitude = np.array([math.sqrt(5.0)]), 1.0  # length scale 1
    process.points, process.noise, process.spread = far * math.sqrt(5.0), 1.0, 1.0
    ways = [
        f.at(np.array([0.3])) - f.at(np.array([0.0]))
        for f in map(process.draw, range(1500))
    ]  # fmt: skip
    r = 0.3 * math.sqrt(5.0)
    assert np.mean(np.square(ways)) == pytest.approx(2 * (1 - (1 + r + r * r / 3) * math.exp(-r)), rel=0.12)


def test_the_trees_are_scikit_learns():
    from sklearn.ensemble import ExtraTreesRegressor

    rng = np.random.default_rng(1)
    x, at = rng.random((80, 4)), rng.random((50, 4))
    y = (x[:, 0] > 0.5) + x[:, 2]
    theirs = ExtraTreesRegressor(surrogate.TREES, min_samples_leaf=2, random_state=0).fit(x.astype(np.float32), y)
    ours = Trees(x, y)
    assert np.allclose([ours.at(u) for u in at], theirs.predict(at), atol=1e-12)


def test_the_same_measurements_are_fitted_once():
    rng = np.random.default_rng(2)
    x, y = rng.random((30, 3)), rng.random(30)
    ours = surrogate.fitted(Trees, x, y)
    assert surrogate.fitted(Trees, x.copy(), y.copy()) is ours
    assert surrogate.fitted(Trees, x, 2 * y) is not ours
    assert surrogate.fitted(Trees, x[::-1], y) is not ours
    assert isinstance(surrogate.fitted(Process, x, y), Process)


def test_the_first_fit_of_a_python_process_has_the_numbers_of_the_second():
    """The first one loads the linear algebra, which would use all cores, and so another order of its sums."""
    code = """
import numpy as np
from helpers import surrogate

x = np.random.default_rng(3).random((700, 6))
for _ in range(2):
    surrogate._fitted.cache_clear()
    print(surrogate.fitted(surrogate.Process, x, x.sum(axis=1)).weights.tobytes().hex())
"""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=paths.ROOT, env=all_cores(), capture_output=True, text=True, check=True
    )
    first, second = run.stdout.split()
    assert first == second


# The surrogate.


def test_the_surrogate_knows_the_law(made_up):
    configs = [c for c in (benchmark.configuration("generator", i) for i in range(500, 600)) if c.dropout_rate < 0.9]
    error = [math.log10(made_up.mse(config)) - law(config) for config in configs]
    assert np.sqrt(np.mean(np.square(error))) < 0.12  # decades; the law spans 2.5
    assert np.mean([made_up.fails(config) for config in configs]) < 0.05
    failing = [c for c in (benchmark.configuration("generator", i) for i in range(500, 700)) if c.dropout_rate == 0.9]
    assert np.mean([made_up.fails(config) for config in failing]) > 0.9
    deep, flat = ({**params_from_config(configs[0]), "layers": n} for n in (9, 2))
    assert 3.5 < made_up.seconds(deep) / made_up.seconds(flat) < 5.5


def test_it_is_an_objective_and_the_same_again(made_up, folder):
    values = []
    for objective in (made_up, Surrogate("generator", folder=folder)):
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        study.optimize(objective, n_trials=40)
        values.append([trial.value for trial in study.trials])
    assert values[0] == values[1]
    failed = [t for t in study.trials if t.state == optuna.trial.TrialState.FAIL]
    assert failed and all(t.params["dropout_rate"] > 0.7 for t in failed)
    assert study.trials[0].user_attrs["seconds"] == made_up.seconds(study.trials[0].params)
    assert study.best_value == made_up.mse(study.best_params)


def test_a_surrogate_is_fitted_to_one_training_a_configuration(made_up):
    assert made_up.trainings == 200, "not to the 120 repeats"


def test_a_drawn_landscape_is_an_objective_near_the_mean_where_much_is_known(made_up, folder):
    one, again, other = made_up.drawn(1), Surrogate("generator", folder=folder).drawn(1), made_up.drawn(2)
    configs = [c for c in (benchmark.configuration("generator", i) for i in range(500, 560)) if c.dropout_rate < 0.9]
    logs = [np.log10([s.mse(c) for c in configs]) for s in (one, again, other, made_up)]
    assert (logs[0] == logs[1]).all() and (logs[0] != logs[2]).all()
    assert 0.0 < np.abs(logs[0] - logs[3]).mean() < 0.2  # decades; the law spans 2.5
    assert [one.seconds(c) for c in configs] == [made_up.seconds(c) for c in configs]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(one, n_trials=10)
    assert study.best_value == one.mse(study.best_params) != made_up.mse(study.best_params)
    with pytest.raises(ValueError, match="Trees have no posterior"):
        Surrogate("generator", model="trees", folder=folder).drawn(0)
    expected = np.array([10 ** made_up._mse.process.at(made_up._point(c)) for c in configs])
    assert np.allclose(made_up.deviations(configs, expected), 0.0, atol=1e-6)
    assert (made_up.deviations(configs, expected / 2) < 0).all() and made_up.deviations([], []).shape == (0,)
    with pytest.raises(ValueError, match="ask the surrogate that it was drawn from"):
        one.deviations(configs, logs[0])


def test_noise_is_that_of_the_repeats_and_belongs_to_the_trial(folder, made_up):
    assert surrogate.measured_noise("generator", folder=folder).sd == pytest.approx(0.1, rel=0.25)
    params = params_from_config(benchmark.configuration("generator", 0)) | {"dropout_rate": 0.2}

    def values(seed):
        objective = Surrogate("generator", noise=seed, folder=folder)
        study = optuna.create_study()
        for _ in range(300):
            study.enqueue_trial(params)
        study.optimize(objective, n_trials=300)
        return np.log10([trial.value for trial in study.trials])

    first = values(1)
    assert (first == values(1)).all() and (first != values(2)).any()
    assert first.std() == pytest.approx(0.1, rel=0.4)
    assert first.mean() == pytest.approx(math.log10(made_up.mse(params)), abs=0.05)


def test_cross_validation_tells_the_noise_from_the_law(folder):
    found = surrogate.cross_validate("generator", folds=4, folder=folder).set_index(["target", "model"])
    assert 0.09 < found.loc[("mse", "process"), "rmse"] < 0.16  # no model can go below the noise of 0.1
    assert found.loc[("mse", "mixed"), "r2"] > 0.85
    assert found.loc[("seconds", "process"), "spearman"] > 0.95


def test_what_a_surrogate_cannot_do_is_said(tmp_path, short_dataset, folder):
    path = benchmark.records_path("gan", "described", tmp_path)
    benchmark.collect(
        path, benchmark.tasks("gan", "described", configs=5), short_dataset, progress=False, evaluator=Worker
    )
    benchmark.pack("gan", tmp_path)
    with pytest.raises(BenchmarkError, match=r"needs 20"):
        Surrogate("gan", folder=tmp_path)
    with pytest.raises(BenchmarkError, match="noise is not known"):
        surrogate.measured_noise("gan", folder=tmp_path)
    with pytest.raises(BenchmarkError, match="no trainings under the protocol 'clean'"):
        Surrogate("generator", "clean", folder=folder)
    with pytest.raises(ValueError, match="mixed, process, trees"):
        Surrogate("generator", model="forest", folder=folder)


# What is committed.


def test_the_committed_benchmark_is_a_random_sample_without_closes():
    for space in SPACES:
        path = benchmark.table_path(space)
        if space == "gan" and not path.exists():
            continue
        frame = benchmark.table(space)
        assert path.stat().st_size < 2**20
        for _, part in frame[frame["repeat"] == 0].groupby("protocol"):
            assert list(part["index"]) == list(range(len(part)))
            assert part["data_sha256"].nunique() == 1
        for row in frame.head(20).to_dict("records"):
            task = Task(space, row["protocol"], row["index"], row["repeat"])
            assert task.config.as_dict() == {name: row[name] for name in task.config.as_dict()}
            assert task.seed == row["seed"]


def test_the_committed_surrogate_is_quick():
    started = time.process_time()
    objective = Surrogate("generator")
    assert time.process_time() - started < 5.0
    configs = [benchmark.configuration("generator", index) for index in range(5000, 5100)]
    started = time.process_time()
    for config in configs:
        objective.mse(config)
    assert (time.process_time() - started) / len(configs) < 2e-3


def test_the_datasheet_says_what_the_files_hold():
    page = (benchmark.FOLDER / "README.md").read_text(encoding="utf-8")
    assert page == datasheet.text(), "write it again: python -m helpers.datasheet"
    found = pd.read_csv(benchmark.FOLDER / datasheet.ERRORS)
    for space, name, part in datasheet.held():
        good = ((part["repeat"] == 0) & (part["status"] == "ok")).sum()
        rows = found[(found["space"] == space) & (found["protocol"] == name)]
        assert good < surrogate.FEWEST or set(rows["n"]) == {good}


def test_the_datasheet_of_another_benchmark(folder):
    assert datasheet.main(["--folder", str(folder)]) == 0
    page = (folder / "README.md").read_text(encoding="utf-8")
    frame = benchmark.table("generator", folder=folder)
    failed = ((frame["status"] == "failed") & (frame["repeat"] == 0)).sum()
    assert f"| generator | described | 200 | {failed} | 120 |" in page
    assert all(f"| `{column}` |" in page for column in benchmark.COLUMNS)


# The command.


def test_the_command_collects_and_packs(tmp_path, monkeypatch, caplog, packaged):
    monkeypatch.setattr(benchmark, "Evaluator", Worker)
    monkeypatch.setattr("helpers.prices.load", lambda: packaged)
    command = ["--space", "gan", "--folder", str(tmp_path)]
    assert benchmark.main([*command, "--configs", "4", "--noise", "2x2"]) == 0
    lines = benchmark.records_path("gan", "described", tmp_path).read_text().splitlines()
    keys = [(r["index"], r["repeat"]) for r in map(json.loads, lines)]
    assert keys == [(0, 0), (1, 0), (2, 0), (3, 0), (0, 1), (1, 1)]
    assert benchmark.main([*command, "--pack"]) == 0
    assert len(benchmark.table("gan", folder=tmp_path)) == 6
    benchmark.records_path("gan", "described", tmp_path).unlink()
    assert benchmark.main([*command, "--configs", "4"]) == 0  # the table holds them
    assert benchmark.read(benchmark.records_path("gan", "described", tmp_path)) == []
    monkeypatch.setattr("helpers.prices.load", lambda: dataclasses.replace(packaged, close=packaged.close[:-1]))
    assert benchmark.main([*command, "--configs", "4"]) == 1
    assert "other closes" in caplog.text
    with pytest.raises(SystemExit):
        benchmark.main(["--space", "gan", "--noise", "many"])


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch, caplog, packaged):
    monkeypatch.setattr("helpers.prices.load", lambda: packaged)
    (tmp_path / "taken").write_text("a file where a folder should be")
    assert benchmark.main(["--space", "gan", "--configs", "1", "--folder", str(tmp_path / "taken")]) == 1
    assert "taken" in caplog.text and "use a --folder that can be written" in caplog.text


def test_noise_is_drawn_from_configurations_with_about_the_same_error():
    from helpers.surrogate import NEIGHBOURS, Noise

    noise = Noise(np.arange(40.0), [np.array([float(k)]) for k in range(40)])
    rng = np.random.default_rng(0)
    assert {noise.draw(0.0, rng) for _ in range(300)} == set(map(float, range(NEIGHBOURS)))


def test_configurations_count_alike_however_often_they_were_trained():
    from helpers.surrogate import Noise

    often, seldom = np.tile([-1.0, 1.0], 5), np.array([-3.0, 0.0, 3.0])
    noise = Noise(np.array([0.0, 0.1]), [often, seldom])
    assert noise.sd == pytest.approx(math.sqrt((1.0 + 6.0) / 2))
    drawn = np.array([noise.draw(0.0, np.random.default_rng(k)) for k in range(2000)])
    assert np.isin(drawn, seldom).mean() == pytest.approx(0.5, abs=0.04)


def test_cross_validation_predicts_what_it_was_not_fitted_to(folder):
    from helpers import surrogate

    found = surrogate.cross_validate("generator", folds=4, folder=folder).set_index(["target", "model"])
    assert found.loc[("mse", "trees"), "rmse"] > 0.1  # the noise; fitted to, trees have half of it
