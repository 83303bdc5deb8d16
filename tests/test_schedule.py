"""How long a reproduction takes: the plan before, the line meanwhile, the summary after, and what is learnt."""

import io
import json
import logging
import math
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from helpers import paths, progress, reproduce, schedule, trial
from helpers.schedule import Expectation


@dataclass
class Step:
    name: str
    needs: tuple[str, ...] = ()
    outputs: paths.Outputs = None
    parameters: dict = field(default_factory=dict)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# --- the estimate ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jobs", "minutes"),
    [
        (1, 10.0),
        (2, 7.0),  # a 1, then b 2 beside c 4 (until 5), d waits for both and takes 2, e beside it 1
        (9, 7.0),
    ],
)
def test_makespan_by_hand(jobs, minutes):
    steps = [Step("a"), Step("b", ("a",)), Step("c", ("a",)), Step("d", ("b", "c")), Step("e", ("c",))]
    known = {"a": 1.0, "b": 2.0, "c": 4.0, "d": 2.0, "e": 1.0}
    assert schedule.makespan(steps, known, jobs) == pytest.approx(minutes)


def test_makespan_ignores_needs_outside_the_plan_and_steps_never_timed():
    assert schedule.makespan([Step("b", ("elsewhere",)), Step("c")], {"b": 3.0}, 1) == 3.0
    assert schedule.makespan([], {}, 2) == 0.0


def write(root, content):
    (root / "notebooks").mkdir(parents=True, exist_ok=True)
    (root / schedule.FILE).write_text(content if isinstance(content, str) else json.dumps(content))
    return paths.Outputs(root)


RECORD = {"machine": "M, 2 cores", "calibration_seconds": 2.0, "minutes": {"a": 4.0, "b": 6.0}}


def test_minutes_of_this_folder_come_before_the_repositorys_and_no_other_profile_serves(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path / "repository")
    write(tmp_path / "repository", {"full": RECORD | {"machine": "theirs"}})
    here = write(tmp_path / "here", {"full": RECORD | {"machine": "ours"}})
    assert schedule.read(here, "full")["machine"] == "ours"
    assert schedule.read(paths.Outputs(tmp_path / "nothing"), "full")["machine"] == "theirs"
    assert schedule.read(here, "default") == schedule.read(here, "smoke") == {}, "their budgets differ"


@pytest.mark.parametrize("content", ["", "[]", '{"full": {}}', '{"full": {"machine": 1, "minutes": {"a": "x"}}}'])
def test_a_damaged_file_costs_the_estimate_alone(tmp_path, monkeypatch, content):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    assert schedule.read(write(tmp_path, content), "full") == {}
    assert schedule.expect(["a"], paths.Outputs(tmp_path), "full").minutes == {}


@pytest.mark.parametrize(("seconds", "factor"), [(1.0, 0.5), (6.0, 3.0), (math.nan, 1.0)])
def test_the_reference_is_scaled_by_this_machines_speed(tmp_path, monkeypatch, seconds, factor):
    monkeypatch.setattr(schedule, "calibrate", lambda: seconds)
    found = schedule.expect(["a", "b", "new"], write(tmp_path, {"full": RECORD}), "full")
    assert found.minutes == {"a": 4.0 * factor, "b": 6.0 * factor} and found.factor == factor


def test_a_short_plan_is_not_worth_a_calibration(tmp_path, monkeypatch):
    monkeypatch.setattr(schedule, "calibrate", lambda: pytest.fail("calibrated"))
    outputs = write(tmp_path, {"full": RECORD, "smoke": RECORD})
    assert schedule.expect(["a"], outputs, "full").minutes == {"a": 4.0}
    assert schedule.expect(["a", "b"], outputs, "smoke").minutes == {"a": 4.0, "b": 6.0}


def test_calibration_trains_and_is_short():
    seconds = schedule.calibrate(limit=60)
    assert 0.05 < seconds < 30


def test_a_calibration_that_takes_too_long_gives_no_estimate():
    assert math.isnan(schedule.calibrate(limit=0.0))


def test_the_workers_start_is_not_timed(monkeypatch):
    """In a new checkout it compiles the fast engine for up to a minute, which would use up the limit."""
    now = [0.0]

    class Worker:
        started = False

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def evaluate(self, config, dataset, *, time_limit=math.inf, **_):
            now[0] += 2.0 if self.started else 60.0
            self.started = True
            return SimpleNamespace(ok=time_limit > 2.0, seconds=2.0)

    monkeypatch.setattr(trial, "Evaluator", Worker)
    monkeypatch.setattr(schedule, "time", SimpleNamespace(monotonic=lambda: now[0]))
    assert schedule.calibrate(limit=20.0) == 4.0, "a wide and a deep one, 2 s each"
    assert math.isnan(schedule.calibrate(limit=3.0)), "the second does not end in time"


def test_what_a_run_took_is_what_the_next_one_expects(tmp_path):
    outputs = paths.Outputs(tmp_path)
    schedule.learn(outputs, "smoke", {"a": 1.234}, math.nan)
    schedule.learn(outputs, "full", {"a": 5.0}, 1.5, whole=5.04)
    assert schedule.read(outputs, "smoke")["minutes"] == {"a": 1.23}
    assert schedule.read(outputs, "full")["calibration_seconds"] == 1.5
    assert schedule.read(outputs, "full")["whole"] == 5.0 and schedule.read(outputs, "smoke")["whole"] is None
    assert "cores" in schedule.read(outputs, "full")["machine"]


def test_the_committed_minutes_are_of_every_step_there_is():
    committed = json.loads((paths.ROOT / schedule.FILE).read_text(encoding="utf-8"))
    assert "default" in committed and committed["default"]["calibration_seconds"] > 0
    for profile, record in committed.items():
        assert set(record["minutes"]) == {step.name for step in reproduce.plan(profile)}, profile


@pytest.mark.parametrize("recorded", [False, True])
def test_what_is_redrawn_from_records_is_not_learnt_as_training(tmp_path, monkeypatch, recorded):
    outputs = paths.Outputs(tmp_path)
    if recorded:
        outputs.studies("default").mkdir(parents=True)
        (outputs.studies("default") / "contest_summary.csv").write_text("")
    monkeypatch.setattr(reproduce, "run", lambda steps, **_: {step.name: "" for step in steps})
    monkeypatch.setattr(schedule, "calibrate", lambda: math.nan)
    arguments = ["--profile", "default", "--set", "source=packaged", "--output", str(tmp_path)]
    assert reproduce.main(arguments) == 1, "no figure was made"
    assert (tmp_path / schedule.FILE).exists() != recorded


# --- what is said ---------------------------------------------------------------------------------------------------


def test_the_plan_names_every_step_with_its_minutes():
    steps = [Step("first"), Step("second", ("first",))]
    said = schedule.plan_text(steps, Expectation({"first": 2.0, "second": 3.0}, 0.5, 1.0, "M"), 2)
    lines = said.splitlines()
    assert lines[0] == (
        "Plan, about 5 minutes on this machine, which takes 0.5 times as long as M; less where records are there "
        "already:"
    )
    assert [line.split() for line in lines[1:]] == [["2.0", "min", "first"], ["3.0", "min", "second"]]
    said = schedule.plan_text(steps, Expectation({"first": 0.2, "second": 0.3}), 2)
    assert said.startswith("Plan, about a minute:\n")
    assert schedule.plan_text(steps, Expectation({}), 2).startswith("Plan; how long it takes has not been measured")
    said = schedule.plan_text(steps, Expectation({"first": 2.0, "second": 3.0}, machine="M, 2 cores"), 2)
    assert said.splitlines()[0] == (
        "Plan, about 5 minutes on M, 2 cores; this machine was not timed; less where records are there already:"
    )
    drawn = [Step("first", parameters={"train": False})]
    assert schedule.plan_text(drawn, Expectation({}), 2).startswith("Plan; nothing is trained:")


@pytest.mark.parametrize(
    ("minutes", "head"),
    [
        (
            4.0,
            "Plan, at least 4 minutes on this machine; 2 of 3 notebooks were never timed; less where records are",
        ),
        (0.4, "Plan; 2 of 3 notebooks were never timed, the others take about a minute:"),
    ],
)
def test_notebooks_that_were_never_timed_are_not_taken_for_none(minutes, head):
    steps = [Step("first"), Step("second", ("first",)), Step("third")]
    assert schedule.plan_text(steps, Expectation({"first": minutes}), 2).startswith(head)


def test_the_summary_says_what_took_how_long_and_what_was_made_where(tmp_path):
    outputs = paths.Outputs(tmp_path)
    outputs.figures.mkdir()
    outputs.rendered.mkdir(parents=True)
    for name in ("a.png", "b.png"):
        (outputs.figures / name).write_bytes(b"")
    (outputs.rendered / "first.ipynb").write_bytes(b"")
    steps = [Step(n, outputs=outputs) for n in ("first", "second", "third")]
    done = {"first": "", "second": "ZeroDivisionError", "third": "not run: it needs second"}
    took = {"first": 1.26, "second": 0.5}
    said = schedule.summary_text(steps, done, took, Expectation({"first": 2.0}), 0.0, "full").splitlines()
    assert [line.split() for line in said[1:4]] == [
        ["1.3", "2.0", "first"],
        ["0.5", "?", "second", "FAILED"],
        ["?", "?", "third", "not", "run"],
    ]
    assert any(line.split()[:2] == ["2", "figures"] for line in said)
    assert any(line.split()[:3] == ["1", "rendered", "notebooks"] for line in said)
    later = schedule.summary_text(steps, done, took, Expectation({}), 4e9, "full")
    assert " 0  figures in" in later, "files of an earlier run are not this one's"


@pytest.fixture
def watched(monkeypatch):
    """A watch of two steps at 3 of 10 minutes, in a log or in a terminal."""
    now = [0.0]
    monkeypatch.setattr(schedule.time, "monotonic", lambda: now[0])

    def make(file):
        steps = [Step("first"), Step("second", ("first",))]
        watch = schedule.Watch(steps, Expectation({"first": 10.0, "second": 5.0}), 2, file=file)
        now[0] = 180.0
        return watch

    return make


def test_a_log_gets_lines_with_the_best_so_far_and_the_time_left(watched, caplog):
    caplog.set_level(logging.INFO)
    watch = watched(io.StringIO())
    watch.tick({"first": (3.0, "search 31 of 100 trials, best MSE 0.5")})
    watch.tick({"first": (3.0, "search 32 of 100 trials, best MSE 0.5")})
    watch.ended("first", "done", 3.0)
    watch.ended("second", "not run: it needs first")
    assert [r.message for r in caplog.records] == [
        "0 of 2 done, 3:00 gone, about 12 min left | first: search 31 of 100 trials, best MSE 0.5",
        f"{'first':34} done, 3.0 min",
        f"{'second':34} not run: it needs first",
    ]
    assert watch.took == {"first": 3.0}


def test_a_terminal_redraws_one_line(watched):
    file = Terminal()
    watch = watched(file)
    watch.tick({"first": (3.0, "")})
    watch.close()
    drawn = file.getvalue()
    assert "\n" not in drawn and drawn.startswith("\r0 of 2 done") and drawn.endswith("\r\x1b[K")


def test_a_step_has_a_short_name_where_room_is_short():
    names = ["02_generator_tuner_described", "03_gan_tuner_published", "06_replication", "first"]
    assert [schedule._short(name) for name in names] == ["02 described", "03 published", "06", "first"]


def test_steps_never_timed_leave_the_time_open(watched):
    watch = watched(io.StringIO())
    watch.expected = Expectation({"first": 10.0})
    assert math.isnan(watch.left({}))
    watch.ended("second", "done", 1.0)
    assert watch.left({"first": 12.0}) == 0.0


def test_a_notebooks_bars_reach_the_process_that_waits(tmp_path, monkeypatch):
    """From `progress.Bar` in a notebook's kernel to `reproduce.run`."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path / "notebooks")
    source = (
        '# %% tags=["parameters"]\nprofile = "x"\n\n# %%\nimport time\nfrom helpers.progress import Bar\n'
        'with Bar(2, "search") as bar:\n    bar.update(best=0.25)\n    time.sleep(2)\n    bar.update(best=0.125)\n'
    )
    (tmp_path / "notebooks" / "one.py").write_text(source)
    heard = []

    class Listening(schedule.Watch):
        def tick(self, running):
            heard.extend(said for _, said in running.values())

    step = reproduce.Step("one", "", {"profile": "given"}, paths.Outputs(tmp_path / "out"))
    watch = Listening([step], Expectation({}), 1)
    assert reproduce.run([step], jobs=1, watch=watch) == {"one": ""}
    assert "search 1 of 2 trials, best MSE 0.25" in heard and "one" in watch.took
    assert progress.state(tmp_path / "out" / "build" / "notebooks" / "one.state") == (
        "search 2 of 2 trials, best MSE 0.125"
    )
