"""The contest: one search, many searches, records, resuming, processes that are killed, a Dask cluster."""

import contextlib
import functools
import importlib
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
from conftest import make_prices
from contest_problems import ERROR, Bowl, Lethal, lesson, nothing
from distributed import Client

from helpers import contest, entrants, paths, problems, trial, windows
from helpers.contest import ContestError, hold
from helpers.entrants import Run, Task, play
from helpers.problems import Measurement, Trained
from helpers.samplers import GeneratorSampler
from helpers.samplers.base import configuration_key
from helpers.space import SPACES, UnitCube, config_from_params, lstm_space
from helpers.windows import Dataset, protocol

FAST = [name for name in entrants.ENTRANTS if not name.startswith("bayesian") and name != "hybrid"]
TASK = Task("generator", 3, "generator", "described")


def comparable(run):
    return json.dumps([run.params, run.mse, run.seconds, run.notes, run.failed])  # NaN equals NaN in text


# One search.


@pytest.mark.parametrize("tuner", [name for name in entrants.ENTRANTS if name != "hybrid"])
def test_every_entrant_searches_both_spaces_and_another_seed_searches_elsewhere(tuner):
    for space in SPACES:
        runs = []
        for seed in (0, 0, 1):
            bowl = Bowl()
            bowl.space = space
            runs.append(play(Task(tuner, seed, space, "described"), bowl, 3))
        assert comparable(runs[0]) == comparable(runs[1])
        assert runs[0].params != runs[2].params
        distributions = list(lstm_space(space).values())
        for row in runs[0].params:
            assert all(d._contains(v) for d, v in zip(distributions, row, strict=True))


def test_measurements_are_those_of_the_configurations_and_the_training_has_the_searchs_seed(tmp_path):
    log = tmp_path / "log"
    run = play(TASK, Bowl(log=str(log)), 6)
    names = list(lstm_space("generator"))
    distributions = lstm_space("generator")
    for row, mse, seconds in zip(run.params, run.mse, run.seconds, strict=True):
        config = config_from_params({n: distributions[n].to_external_repr(v) for n, v in zip(names, row, strict=True)})
        assert mse == pytest.approx(Bowl().mse(config), rel=1e-5, nan_ok=True) and seconds == config.layers
    assert {line.split()[1] for line in log.read_text().splitlines()} == {"3"}
    assert len(run.thinking) == 6 and min(run.thinking) >= 0


def test_a_repeated_configuration_and_a_failed_one_cost_an_evaluation():
    always = Measurement(0.5, 7.0)
    first = play(TASK, Bowl(), 1)
    known = {tuple(first.params[0]): always}
    run = play(TASK, Bowl(), 1, known=known)
    assert (run.mse, run.seconds) == ([0.5], [7.0])

    class Never(Bowl):
        def mse(self, config):
            return float("nan")

    run = play(TASK, Never(), 5)
    assert len(run) == 5 and np.isnan(run.mse).all()
    assert run.failed == dict.fromkeys("01234", "too deep")


@pytest.mark.parametrize("tuner", FAST)
@pytest.mark.parametrize("cut", [1, 4, 7])
def test_a_search_in_two_legs_is_the_search_in_one(tuner, cut):
    task = Task(tuner, 5, "generator", "described")
    whole = play(task, Bowl(), 8)
    run = play(task, Bowl(), cut)
    assert run.extend(play(task, Bowl(), 8, done=run))
    assert comparable(run) == comparable(whole)
    assert not run.extend(play(task, Bowl(), 8, done=Run(tuner, 5))), "a leg that begins elsewhere is not counted"
    assert len(run) == 8


def test_a_leg_ends_when_its_time_is_over_and_makes_one_evaluation_at_least():
    assert len(play(TASK, Bowl(pause=0.02), 20, limit=0.0)) == 1
    assert 1 < len(play(TASK, Bowl(pause=0.05), 20, limit=0.1)) < 6


def test_a_tuner_that_proposes_otherwise_than_recorded_is_refused():
    run = play(TASK, Bowl(), 2)
    run.params[1] = [1, 1, -5, 4, 1, 0.1]
    with pytest.raises(ContestError, match="evaluation 2 is recorded with another configuration"):
        play(TASK, Bowl(), 3, done=run)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("annealing", 0, "generator", "described"), "Unknown tuner 'annealing'; valid tuners are random, generator"),
        (("gan", 0, "lstm", "described"), "Unknown space 'lstm'; valid spaces are generator, gan"),
        (("gan", 0, "gan", "honest"), "Unknown protocol 'honest'; valid protocols are described"),
        (("gan", -1, "gan", "clean"), "seed must be a whole number of at least 0, not -1"),
    ],
)
def test_a_task_that_cannot_be_is_refused_in_one_sentence(values, message):
    with pytest.raises(ContestError, match=message):
        Task(*values)


def test_a_seed_of_numpys_can_be_recorded():
    assert type(Task("random", np.int64(3), "generator", "described").seed) is int


def test_a_surrogate_is_measured_as_it_says():
    surrogate = Bowl()
    problem = problems.Tabular(surrogate, "generator", "described", identity={"benchmark": "x"})
    deep = config_from_params(UnitCube(lstm_space("generator")).decode(np.full(6, 0.99)))
    middle = config_from_params(UnitCube(lstm_space("generator")).decode(np.full(6, 0.5)))
    with problem.opened() as measure:
        assert measure(middle, 0) == (surrogate.mse(middle), middle.layers, "")
        failed = measure(deep, 0)
    assert np.isnan(failed.mse) and failed.seconds == 10.0 and failed.reason
    assert np.isnan(problem.naive) and not problem.reuse


def test_the_noise_of_a_surrogate_belongs_to_configuration_and_seed():
    class Noise:
        def draw(self, level, rng):
            return level + rng.normal()

    surrogate = Bowl()
    problem = problems.Tabular(surrogate, "generator", "described", noise=Noise(), identity={})
    configs = [config_from_params(UnitCube(lstm_space("generator")).decode(np.full(6, u))) for u in (0.3, 0.5)]
    with problem.opened() as measure:
        once = [[measure(config, seed).mse for config in configs] for seed in (0, 1)]
        assert [[measure(config, seed).mse for config in configs] for seed in (0, 1)] == once
    residuals = np.log10(once) - 2 * np.log10([surrogate.mse(config) for config in configs])
    assert len(np.unique(residuals.round(9))) == 4


def test_a_drawn_landscape_belongs_to_the_seed():
    class Drawing(Bowl):
        def drawn(self, seed):
            other = Drawing()
            other.mse = lambda config: (1.0 + seed) * self.mse(config)
            return other

    bowl = Drawing()
    problem = problems.Tabular(bowl, "generator", "described", drawn=True, identity={})
    configs = [config_from_params(UnitCube(lstm_space("generator")).decode(np.full(6, u))) for u in (0.3, 0.5)]
    with problem.opened() as measure:
        for seed in (0, 3, 0):
            assert [measure(config, seed).mse for config in configs] == [(1 + seed) * bowl.mse(c) for c in configs]


# Many searches.


def test_many_searches_are_those_searched_alone_in_a_table(tmp_path):
    path = tmp_path / "c.jsonl"
    table = hold(path, Bowl(), ["random", "gan"], [0, 2], evaluations=5, jobs=1, progress=False)
    assert list(table.columns) == [
        *("tuner", "seed", "evaluation", *lstm_space("generator"), "mse", "seconds", "thinking"),
        *("probability", "redraws"),
    ]
    assert len(table) == 20 and list(table["evaluation"][:5]) == [1, 2, 3, 4, 5]
    for (tuner, seed), part in table.groupby(["tuner", "seed"]):
        alone = play(Task(tuner, seed, "generator", "described"), Bowl(), 5)
        np.testing.assert_array_equal(part["mse"], alone.mse)
        np.testing.assert_array_equal(part[list(lstm_space("generator"))], alone.params)
    assert table["probability"].notna().eq(table["tuner"] == "gan").all()
    assert contest.naive(path) == 0.02 and np.isnan(contest.naive(tmp_path / "none.jsonl"))


def test_what_is_recorded_is_not_measured_again_and_a_longer_contest_continues(tmp_path):
    path, log = tmp_path / "c.jsonl", tmp_path / "log"
    problem = Bowl(log=str(log))
    short = hold(path, problem, ["random", "tpe"], [0], evaluations=3, jobs=1, progress=False)
    assert len(log.read_text().splitlines()) == 6
    again = hold(path, problem, ["random", "tpe"], [0], evaluations=3, train=False)
    assert again.equals(short)
    longer = hold(path, problem, ["random", "tpe"], [0], evaluations=5, jobs=1, progress=False)
    assert len(log.read_text().splitlines()) == 10
    assert longer[longer["evaluation"] <= 3].reset_index(drop=True).equals(short)
    assert hold(path, problem, ["random"], [0], evaluations=2, train=False).equals(short.head(2))
    assert contest.recorded(path, "generator", evaluations=5).equals(longer)
    assert contest.recorded(path, "generator", evaluations=6).empty
    hold(path, problem, ["generator"], [0], evaluations=3, jobs=1, progress=False)
    in_order = ["random", "generator", "tpe"]  # of the catalogue, not of recording
    assert list(dict.fromkeys(contest.recorded(path, "generator", evaluations=3)["tuner"])) == in_order
    with pytest.raises(ContestError, match=r"1 of 1 searches are not complete in c\.jsonl; run them first"):
        hold(path, problem, ["gan"], [0], evaluations=3, train=False)


def test_a_training_that_another_search_with_the_seed_did_is_not_done_again(tmp_path):
    log = tmp_path / "log"
    path = tmp_path / "c.jsonl"
    problem = Bowl(log=str(log), reuse=True)
    # Fed nothing or the errors, the generator's first proposal is the same.
    hold(path, problem, ["generator", "generator_zero"], [0, 1], evaluations=1, jobs=1, progress=False)
    assert len(log.read_text().splitlines()) == 2
    assert [len(r) for r in contest.read(path).values()] == [1, 1, 1, 1]


def test_an_interrupted_contest_loses_nothing_that_was_recorded(tmp_path):
    path, log = tmp_path / "c.jsonl", tmp_path / "log"
    problem, tuners = Bowl(log=str(log), reuse=True), ["random", "generator", "tpe"]
    expected = hold(tmp_path / "whole.jsonl", Bowl(reuse=True), tuners, [0, 1], evaluations=6, jobs=1, progress=False)
    append = contest.ledger.lines.append
    for limit in itertools.count(1):
        lines = 0

        def interrupted(path, records, after, limit=limit):
            nonlocal lines
            lines += 1
            if lines > 2 and limit < 4:
                with open(path, "ab") as file:
                    file.write(b'{"tuner":"ran')  # a write that was cut
                raise KeyboardInterrupt
            return append(path, records, after)

        contest.ledger.lines.append = interrupted
        try:
            table = hold(path, problem, tuners, [0, 1], evaluations=6, jobs=1, limit=0.0, progress=False)
            break
        except KeyboardInterrupt:
            pass
        finally:
            contest.ledger.lines.append = append
    assert limit == 4
    assert table.drop(columns="thinking").equals(expected.drop(columns="thinking"))


def test_what_a_killed_leg_had_trained_is_not_trained_again(tmp_path, monkeypatch):
    """Killed before its leg was recorded: the run after it knows each measurement but the one in flight."""
    path, log = tmp_path / "contest_x.jsonl", tmp_path / "log"
    problem, tuners = Bowl(log=str(log), reuse=True), ["random", "tpe"]
    opened, count = Bowl.opened, itertools.count(1)

    @contextlib.contextmanager
    def killed(self):
        with opened(self) as measure:

            def until_five(config, seed):
                if next(count) == 5:
                    raise KeyboardInterrupt
                return measure(config, seed)

            yield until_five

    monkeypatch.setattr(Bowl, "opened", killed)
    with pytest.raises(KeyboardInterrupt):
        hold(path, problem, tuners, [0, 1], evaluations=4, jobs=1, progress=False)
    assert len(log.read_text().splitlines()) == 4 and contest.read(path) == {}
    (notes,) = tmp_path.glob("*.measured-*")
    with notes.open("ab") as file:
        file.write(b'{"seed":0,"par')  # a write that was cut
    found = hold(path, problem, tuners, [0, 1], evaluations=4, jobs=1, progress=False)
    trained = len(log.read_text().splitlines())
    log.unlink()
    whole = hold(tmp_path / "whole.jsonl", problem, tuners, [0, 1], evaluations=4, jobs=1, progress=False)
    assert found.drop(columns="thinking").equals(whole.drop(columns="thinking"))
    assert trained == len(log.read_text().splitlines()) and not list(tmp_path.glob("*.measured-*"))


def test_a_leg_whose_parent_is_gone_begins_nothing_more(monkeypatch):
    parents = itertools.chain([1, 1], itertools.repeat(2))
    monkeypatch.setattr(entrants.os, "getppid", lambda: next(parents))
    assert len(play(TASK, Bowl(), 20)) < 4


def test_a_process_that_is_killed_loses_its_leg_alone(tmp_path):
    tuners, seeds = ["random", "generator"], [0, 1, 2]
    killed = hold(
        tmp_path / "a.jsonl", Lethal(log=str(tmp_path / "mark"), reuse=True), tuners, seeds, evaluations=4, jobs=2,
        progress=False,
    )  # fmt: skip
    whole = hold(tmp_path / "b.jsonl", Bowl(), tuners, seeds, evaluations=4, jobs=1, progress=False)
    assert (tmp_path / "mark").exists()
    assert killed.drop(columns="thinking").equals(whole.drop(columns="thinking"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"jobs": 0}, "jobs must be a whole number of at least 1, not 0"),
        ({"jobs": 1.5}, "jobs must be a whole number of at least 1, not 1.5"),
        ({"evaluations": 0}, "evaluations must be a whole number of at least 1, not 0"),
    ],
)
def test_a_contest_without_workers_or_evaluations_is_refused_before_a_record_is_made(tmp_path, wrong, message):
    with pytest.raises(ContestError, match=message):
        hold(tmp_path / "c.jsonl", Bowl(), ["random"], [0], progress=False, **wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ([211, 3.311, 3.205], [211, 3.311, 3.204], True),  # one table and model, fitted on two processors
        ([211, 3.311, 3.205], [212, 3.311, 3.205], False),
        ([211, 3.311, 3.205], [211, 3.311, 3.25], False),
        ([211, 3.311], [211, 3.311, 3.205], False),
        ("ddc8", "ddc9", False),
        (0.1458, None, False),
        (10, 10, True),
        (1000, 1001, False),
    ],
)
def test_a_model_fitted_on_another_processor_is_the_same(one, other, alike, tmp_path):
    class Fitted(Bowl):
        def __init__(self, about):
            super().__init__()
            self.identity = {"surrogate": about}

    path = tmp_path / "c.jsonl"
    hold(path, Fitted(one), ["random"], [0], evaluations=2, jobs=1, progress=False)
    with contextlib.nullcontext() if alike else pytest.raises(ContestError, match="with another surrogate"):
        assert len(hold(path, Fitted(other), ["random"], [0], evaluations=2, train=False)) == 2


def test_damaged_foreign_and_busy_records_are_refused(tmp_path):
    path = tmp_path / "c.jsonl"
    hold(path, Bowl(), ["random"], [0], evaluations=2, jobs=1, progress=False)
    with pytest.raises(ContestError, match=r"c\.jsonl holds searches with another bowl"):
        hold(path, Bowl(scale=2.0), ["random"], [0], evaluations=2)
    held = contest.ledger.appending(path, is_record=contest.is_record)
    with held, pytest.raises(ContestError, match="being written by another process"):
        hold(path, Bowl(), ["random"], [1], evaluations=2, progress=False)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace('"first":0', '"first":1')]) + "\n")
    with pytest.raises(ContestError, match=r"c\.jsonl, line 2 is damaged"):
        hold(path, Bowl(), ["random"], [0], evaluations=2)
    record = json.loads(lines[1])
    record["mse"].pop()
    path.write_text("\n".join([lines[0], json.dumps(record)]) + "\n")
    with pytest.raises(ContestError, match=r"c\.jsonl, line 2 is damaged"):
        contest.read(path)


# Trainings.


def test_trainings_run_in_a_process_of_their_own(tmp_path):
    dataset = windows.Dataset(make_prices(), windows.protocol("described"))
    evaluator = functools.partial(trial.Evaluator, work=lesson, prepare=nothing)
    problem = problems.Trained(dataset, "generator", epochs=1, evaluator=evaluator)
    assert problem.naive == pytest.approx(dataset.naive_metrics()["mse"])
    path = contest.records_path(tmp_path, problem)
    assert path.name == "contest_generator_described.jsonl"
    table = hold(path, problem, ["random"], [0], evaluations=3, jobs=1, progress=False)
    np.testing.assert_allclose(table["mse"], table["layers"] / 100)
    np.testing.assert_allclose(table["seconds"], 0.01, err_msg="processor seconds: the wall's tell of the neighbours")
    other = problems.Trained(dataset, "generator", epochs=2)
    with pytest.raises(ContestError, match="another epochs"):
        hold(path, other, ["random"], [0], evaluations=3)
    shuffled = (windows.Dataset(make_prices(), windows.protocol("published", split_seed=s)) for s in (0, 1))
    problem, other = (problems.Trained(d, "generator", epochs=1, evaluator=evaluator) for d in shuffled)
    path = contest.records_path(tmp_path, problem)
    assert path == contest.records_path(tmp_path, other)
    hold(path, problem, ["random"], [0], evaluations=2, jobs=1, progress=False)
    with pytest.raises(ContestError, match="another protocol_changes"):  # the same days by name, others by the split
        hold(path, other, ["random"], [0], evaluations=3)


# Another machine.


@pytest.fixture
def cluster(tmp_path):
    """A Dask scheduler and two workers, each a process of its own: its address and the workers' process ids."""
    file = tmp_path / "scheduler.json"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(paths.ROOT), str(Path(__file__).parent)])}
    quiet = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}

    def start(module, *arguments):
        return subprocess.Popen([sys.executable, "-m", f"distributed.cli.{module}", *arguments], **quiet)

    shared = ("--scheduler-file", str(file), "--no-dashboard")
    options = ("--nthreads", "1", "--no-nanny", "--memory-limit", "0")
    processes = [start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", *shared)]
    processes += [start("dask_worker", *shared, *options) for _ in range(2)]
    try:
        for _ in range(600):
            if file.exists():
                break
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        with Client(address) as client:  # a worker that is still importing would find nothing left to do
            client.wait_for_workers(2, timeout=60)
            client.run(importlib.import_module, "contest_problems")
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_on_a_dask_cluster_a_killed_worker_loses_and_doubles_nothing(cluster, tmp_path):
    address, workers = cluster
    path, log = tmp_path / "c.jsonl", tmp_path / "log"
    tuners, seeds = ["random", "generator", "tpe"], [0, 1]
    problem = Bowl(log=str(log), pause=0.05, reuse=True)
    seen = []

    def kill():
        """One of the workers, as soon as both have measured something and some results are recorded."""
        while not seen:
            time.sleep(0.02)
            busy = {line.split()[0] for line in log.read_text().splitlines()} if log.exists() else set()
            recorded = path.exists() and path.read_bytes().count(b"\n")
            if len(busy) == 2 and recorded >= 3:
                os.kill(workers[0].pid, signal.SIGKILL)
                seen.append(recorded)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    table = hold(path, problem, tuners, seeds, evaluations=8, dask=address, limit=0.1, progress=False)
    killer.join(timeout=1)
    assert seen and workers[0].wait() == -signal.SIGKILL
    assert path.read_bytes().count(b"\n") > seen[0], "the contest went on after the kill"
    whole = hold(tmp_path / "b.jsonl", Bowl(reuse=True), tuners, seeds, evaluations=8, jobs=1, progress=False)
    assert table.drop(columns="thinking").equals(whole.drop(columns="thinking"))
    assert sum(len(r["mse"]) for r in map(json.loads, path.read_text().splitlines()[1:])) == len(table) == 48

    # The cluster trains as well: an evaluation is a subprocess of the worker.
    dataset = windows.Dataset(make_prices(), windows.protocol("described"))
    evaluator = functools.partial(trial.Evaluator, work=lesson, prepare=nothing)
    trained = problems.Trained(dataset, "generator", evaluator=evaluator)
    table = hold(tmp_path / "t.jsonl", trained, ["random"], [0], evaluations=2, dask=address, progress=False)
    np.testing.assert_allclose(table["mse"], table["layers"] / 100)


def test_a_scheduler_that_does_not_answer_is_said_in_one_sentence(tmp_path):
    with pytest.raises(ContestError, match=r"No Dask scheduler answers at 'nowhere'.*tcp://host:8786"):
        hold(tmp_path / "c.jsonl", Bowl(), ["random"], [0], evaluations=1, dask="nowhere", progress=False)


def test_the_middle_of_the_bowl_is_its_bottom():
    middle = config_from_params(UnitCube(lstm_space("generator")).decode(np.full(6, 0.5)))
    assert Bowl().mse(middle) == pytest.approx(ERROR, abs=0.02)


class BySeed(Bowl):
    """What is measured depends on the seed, as a training does."""

    @contextlib.contextmanager
    def opened(self):
        with super().opened() as measure:
            yield lambda config, seed: measure(config, seed)._replace(mse=1.0 + seed)


@pytest.mark.parametrize("searches_at_once", [1, 8])
def test_a_result_serves_its_own_seed_alone(tmp_path, monkeypatch, searches_at_once):
    monkeypatch.setattr(contest, "TOGETHER", searches_at_once)

    def same(seed, space):  # proposes the same for every seed
        return GeneratorSampler(seed=0, space=space)

    monkeypatch.setattr(entrants, "ENTRANTS", {**entrants.ENTRANTS, "generator": same})
    table = contest.hold(
        tmp_path / "c.jsonl", BySeed(reuse=True), ["generator"], [0, 1, 2], evaluations=1, jobs=1, progress=False
    )
    assert table["mse"].tolist() == [1.0, 2.0, 3.0]


def test_a_contest_of_another_engine_is_another(tmp_path, short_prices):
    d = Dataset(short_prices, protocol("described"), max_sequence_length=20)
    one, other = (Trained(d, "generator", engine=e).identity for e in ("fast", "keras"))
    assert one != other


def test_a_contest_whose_workers_are_always_killed_ends(tmp_path, monkeypatch):
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    class Pool:
        def __init__(self, **_):
            pass

        def __call__(self, calls):
            Pool.made += 1
            assert Pool.made < 9, "it goes on for ever"
            next(iter(calls))
            raise TerminatedWorkerError("killed")
            yield  # what it hands out would be results

    Pool.made = 0
    monkeypatch.setattr("joblib.Parallel", Pool)
    with pytest.raises(ContestError, match=r"killed 4 times in a row"):
        contest.hold(tmp_path / "c.jsonl", Bowl(), ["random"], [0], evaluations=2, jobs=2, progress=False)


@pytest.mark.parametrize("space", ["generator", "gan"])
@pytest.mark.parametrize("tuner", [t for t in entrants.ENTRANTS if not t.startswith("bayesian")])
def test_the_committed_searches_are_proposed_again(tuner, space):
    """A sampler that proposes something else than it did is another tuner than the one that is reported.

    Processors round differently, and a proposal near the border of two cells may fall into the other one: the search is
    another from there on. Such a first difference is one step of one hyperparameter, and comes late.
    """
    path = paths.outputs().studies("full") / f"contest_surrogate_{space}_described_drawn.jsonl"
    done, distributions = contest.read(path)[tuner, 0], dict(lstm_space(space))
    study = optuna.create_study(sampler=entrants.ENTRANTS[tuner](0, distributions))
    for number, (recorded, mse) in enumerate(zip(done.params, done.mse, strict=True)):
        trial = study.ask(distributions)
        proposed = list(configuration_key(distributions, trial.params))
        if proposed != recorded:
            steps = [abs(a - b) / d.step for a, b, d in zip(proposed, recorded, distributions.values(), strict=True)]
            assert number >= 10 and sum(steps) == pytest.approx(1.0), f"evaluation {number + 1}: {proposed}, {recorded}"
            return
        failed = math.isnan(mse)
        study.tell(trial, **({"state": optuna.trial.TrialState.FAIL} if failed else {"values": mse}))


def test_what_a_later_leg_found_has_its_reasons():
    """Failures are told by the number of the evaluation in the whole search."""
    leg = Run("random", 0, first=5, params=[[1.0], [2.0], [3.0]], mse=[0.1, math.nan, 0.3], seconds=[1.0, 2.0, 3.0])
    leg.failed = {"6": "the loss was no longer finite"}
    found = entrants.results(leg)
    assert [found[(u,)].reason for u in (1.0, 2.0, 3.0)] == ["", "the loss was no longer finite", ""]
