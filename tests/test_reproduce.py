"""Planning and executing notebooks: what is refused before anything runs, what a failure leaves behind, the lock."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import make_prices

from helpers import faults, lines, paths, prices, records, reproduce, validity, windows
from helpers.reproduce import ReproduceError


@pytest.fixture(scope="module")
def smoke() -> list[reproduce.Step]:
    return reproduce.plan("smoke")


def write_params(folder: Path, text: str, monkeypatch) -> None:
    (folder / "default.yml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(paths, "PARAMS", folder)


# --- the plan -------------------------------------------------------------------------------------------------------


def test_the_first_notebook_once_and_the_others_once_per_protocol(smoke):
    assert [step.name for step in smoke] == [
        "00_explore",
        "01_data_preparation",
        *(f"{n}_{p}" for n in list(reproduce.NEEDS)[2:6] for p in ("described", "published")),
        *list(reproduce.NEEDS)[6:],
    ]


def test_records_are_read_after_they_are_made_and_under_the_same_protocol(smoke):
    needs = {step.name: set(step.needs) for step in smoke}
    assert needs["04_bayesian_baseline_published"] == {"02_generator_tuner_published"}
    assert needs["05_comparison_described"] == {
        f"{n}_described" for n in ("02_generator_tuner", "03_gan_tuner", "04_bayesian_baseline")
    }
    assert needs["08_forecast_validity"] == {
        f"{n}_{p}"
        for n in ("02_generator_tuner", "03_gan_tuner", "04_bayesian_baseline")
        for p in ("described", "published")
    }, "a notebook without a protocol reads the records of all"


def test_values_come_from_the_profile_and_the_rest_from_the_parameters_cell(smoke):
    step = next(s for s in smoke if s.name == "02_generator_tuner_published")
    assert step.parameters["long_run"] == 4 and step.parameters["epochs"] == 1
    assert step.parameters["protocol"] == "published" and step.parameters["train"] is True
    assert set(step.parameters) == set(reproduce.notebook_parameters("02_generator_tuner"))


@pytest.mark.parametrize("profile", ["default", "full"])
def test_full_budgets_are_the_papers(profile):
    steps = {step.name: step for step in reproduce.plan(profile)}
    generator, gan = (steps[f"{n}_described"].parameters for n in ("02_generator_tuner", "03_gan_tuner"))
    assert (generator["short_run"], generator["medium_run"], generator["long_run"]) == (20, 50, 100)
    assert (gan["short_run"], gan["medium_run"], gan["epochs"]) == (20, 50, 10)
    assert steps["01_data_preparation"].outputs.root == paths.ROOT


def test_changes_reach_every_notebook_that_has_the_parameter_and_write_elsewhere():
    steps = reproduce.plan("default", changes={"seed": 3})
    assert {s.parameters["seed"] for s in steps if "seed" in s.parameters} == {3}
    assert steps[0].outputs.root == paths.ROOT / "build" / "default_seed-3"


def test_draw_only_trains_nothing():
    steps = reproduce.plan("full", draw_only=True)
    assert {s.parameters.get("train", False) for s in steps} == {False}


def test_one_notebook_alone_needs_no_other():
    (described, published) = reproduce.plan("smoke", only=["5"])
    assert described.name == "05_comparison_described" and described.needs == published.needs == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"profile": "fast"}, ["'fast'", "smoke, default, full"]),
        ({"profile": "smoke", "protocols": ["shuffled"]}, ["'shuffled'", "described", "published", "clean"]),
        ({"profile": "smoke", "only": ["9"]}, ["'9'", "02_generator_tuner"]),
        ({"profile": "smoke", "changes": {"epoch": 3}}, ["'epoch'", "epochs"]),
        ({"profile": "smoke", "changes": {"epochs": "three"}}, ["epochs", "whole number", "'three'"]),
        ({"profile": "smoke", "changes": {"seed": True}}, ["seed", "whole number", "True"]),
        ({"profile": "smoke", "changes": {"protocol": "published"}}, ["'protocol'", "unknown"]),
        (
            {"profile": "smoke", "protocols": ["clean", "clean"]},
            ["--protocols", "each protocol once", "'clean' 2 times"],
        ),
        ({"profile": "smoke", "changes": {"epochs": 0}}, ["--set: epochs", "at least 1, not 0"]),
        ({"profile": "smoke", "changes": {"epochs": None}}, ["--set: epochs", "whole number", "None"]),
        ({"profile": "smoke", "changes": {"jobs": 0}}, ["--set: jobs", "at least 1, not 0"]),
        ({"profile": "smoke", "changes": {"seed": -1}}, ["--set: seed", "at least 0, not -1"]),
        (
            {"profile": "smoke", "changes": {"as_of": "garbage"}},
            ["--set: as_of", "date written YYYY-MM-DD, not 'garbage'"],
        ),
        ({"profile": "smoke", "changes": {"as_of": "2020-02-30"}}, ["as_of", "YYYY-MM-DD", "'2020-02-30'"]),
        ({"profile": "smoke", "changes": {"as_of": "20201231"}}, ["as_of", "YYYY-MM-DD", "'20201231'"]),
        ({"profile": "smoke", "changes": {"as_of": None}}, ["as_of", "YYYY-MM-DD, not ''"]),
        ({"profile": "smoke", "changes": {"after_until": "soon"}}, ["after_until", "YYYY-MM-DD or empty, not 'soon'"]),
        (
            {"profile": "smoke", "changes": {"as_of": "1950-06-30"}},
            ["leaves 125 closes of ^GSPC", "from 1955-01-"],
        ),
        ({"profile": "smoke", "symbol": "^IXIC"}, ["^IXIC", "make data"]),
        ({"profile": "smoke", "symbol": "no symbol"}, ["'no symbol'", "^GSPC"]),
    ],
)
def test_bad_input_is_one_sentence_that_names_the_valid_choices(arguments, words):
    with pytest.raises(ReproduceError) as refused:
        reproduce.plan(**arguments)
    message = str(refused.value)
    assert all(word in message for word in words), message
    assert "\n" not in message and message.endswith(".")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("protocols: [described]\nall: {sead: 1}\n", ["all", "'sead'", "seed"]),
        ("protocols: [described]\n03_gan_tuner: {long_run: 5}\n", ["03_gan_tuner", "'long_run'", "medium_run"]),
        ("protocols: [described]\n02_generator: {}\n", ["'02_generator'", "02_generator_tuner"]),
        ("protocols: [described]\nall: {as_of: 2024-12-31 10:00:00}\n", ["as_of", "text"]),
        ("protocols: [described]\nall: {as_of: today}\n", ["all: as_of", "YYYY-MM-DD, not 'today'"]),
        ("protocols: [described]\n06_replication: {jobs: 0}\n", ["06_replication: jobs", "at least 1, not 0"]),
        ("protocols: [described]\n02_generator_tuner: 100\n", ["02_generator_tuner: ", "name: value", "not 100"]),
        ("protocols: [described]\nall: []\n", ["default.yml, all: ", "name: value", "not []"]),
        ("protocols: [described]\n1: {}\nother: {}\n", ["unknown section 1"]),
        ("protocols: [descried]\n", ["'descried'", "described"]),
        ("protocols: clean\n", ["default.yml: protocols must be a list", "[described, published], not 'clean'"]),
        ("protocols: [1]\n", ["protocols must be a list of names", "not [1]"]),
        ("protocols: []\n", ["protocols must be a list", "not []"]),
        ("all: {seed: 1}\n", ["protocols must be a list", "and is missing"]),
        (
            "protocols: [described, described]\n",
            ["default.yml: protocols", "each protocol once", "'described' 2 times"],
        ),
        ("- 1\n", ["default.yml", "mapping"]),
    ],
)
def test_a_bad_params_file_is_refused_by_name(tmp_path, monkeypatch, text, words):
    write_params(tmp_path, text, monkeypatch)
    with pytest.raises(ReproduceError) as refused:
        reproduce.plan("default")
    assert all(word in str(refused.value) for word in words), refused.value


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ("as_of=2010-12-31", "as_of", "2010-12-31"),
        ("as_of='2010-12-31'", "as_of", "2010-12-31"),
        ("others=", "others", ""),
        ("others=^IXIC", "others", "^IXIC"),
        ("after_until=", "after_until", ""),
        ("published_seeds=0", "published_seeds", 0),
        ("seed=0", "seed", 0),
    ],
)
def test_a_value_arrives_as_it_was_written(given, name, value):
    steps = reproduce.plan("smoke", changes=reproduce._changes([given]))
    found = [step.parameters[name] for step in steps if name in step.parameters]
    assert found and all(one == value and type(one) is type(value) for one in found)
    json.dumps([dict(step.parameters) for step in steps])
    assert steps[0].outputs.root.name == f"smoke_{name}-{value}".replace("^", "-")


def test_a_params_file_may_hold_a_date_and_an_empty_text(tmp_path, monkeypatch):
    write_params(
        tmp_path,
        "protocols: [described]\nall: {as_of: 2010-12-31}\n08_forecast_validity: {others: }\n07_tuner_benchmark:\n",
        monkeypatch,
    )
    steps = {step.notebook: step.parameters for step in reproduce.plan("default")}
    assert {parameters["as_of"] for parameters in steps.values()} == {"2010-12-31"}
    assert steps["08_forecast_validity"]["others"] == ""


@pytest.mark.parametrize("extra", [[], ["--only", "05"]])
def test_notebooks_run_alone_keep_the_records_of_the_others(tmp_path, monkeypatch, extra):
    """A whole profile smoke starts from nothing; notebook 05 alone has nothing to read without the records."""
    record = paths.Outputs(tmp_path).studies("smoke") / "gan_described.journal"
    record.parent.mkdir(parents=True)
    record.write_bytes(b"")
    there = []

    def run(steps, **_):
        there.append(record.exists())
        return {step.name: "" for step in steps}

    monkeypatch.setattr(reproduce, "run", run)
    reproduce.main(["--profile", "smoke", "--output", str(tmp_path), *extra])
    assert there == [bool(extra)]


def test_the_command_line_says_it_and_stops():
    command = [sys.executable, "-m", "helpers.reproduce", "--profile", "smoke", "--set", "iterations=3"]
    done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "unknown parameter 'iterations'" in done.stderr and "Traceback" not in done.stderr


# --- execution ------------------------------------------------------------------------------------------------------

HEAD = '# %% tags=["parameters"]\nprofile = "x"\noutput = ""\n\n'


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Run scripts of one's own as notebooks: `small(name=source, ...)` gives the outcome and the outputs."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path / "notebooks")
    outputs = paths.Outputs(tmp_path / "out")

    def execute(needs=None, **scripts):
        steps = []
        for name, source in scripts.items():
            (tmp_path / "notebooks" / f"{name}.py").write_text(HEAD + source, encoding="utf-8")
            steps.append(reproduce.Step(name, "", {"profile": "given"}, outputs, (needs or {}).get(name, ())))
        return reproduce.run(steps, jobs=2), outputs

    return execute


def test_a_notebook_gets_its_parameters_and_is_rendered_without_traces_of_the_run(small):
    source = "# %%\nprint(profile)\n\n# %%\nimport sys\nprint('a\\rb', file=sys.stderr)\nsys.executable == EXPECTED\n"
    done, outputs = small(plain=source.replace("EXPECTED", repr(sys.executable)))
    assert done == {"plain": ""}
    rendered = outputs.rendered / "plain.ipynb"
    cells = [c for c in nbformat.read(rendered, as_version=4).cells if c.cell_type == "code"]
    texts = [o.get("text") or o["data"]["text/plain"] for c in cells for o in c.outputs]
    assert texts == ["given\n", "b\n", "True"], "the kernel is that of this environment"
    raw = rendered.read_text(encoding="utf-8")
    assert "papermill" not in raw and str(outputs.root) not in raw


def test_the_protocols_of_a_notebook_run_side_by_side_from_files_of_their_own(tmp_path, smoke, monkeypatch):
    commands = []
    monkeypatch.setattr(reproduce.subprocess, "Popen", lambda command, **_: commands.append(command))
    for step in smoke:
        if step.notebook == "05_comparison":
            reproduce._start(step, tmp_path)
    files = [[Path(word) for word in command if word.startswith(str(tmp_path))] for command in commands]
    assert len(files) == 2 and not set(files[0]) & set(files[1]), "read, written and parameters"
    assert all(read.is_file() for read, *_ in files)


def test_a_failing_notebook_leaves_the_earlier_one_and_stops_only_what_needs_it(small):
    good, outputs = small(first="# %%\n1 + 1\n")
    before = (outputs.rendered / "first.ipynb").read_bytes()
    done, _ = small(
        first="# %%\nx = 1\nx / 0\n", second="# %%\n2\n", third="# %%\n3\n", needs={"second": ("first",), "third": ()}
    )
    assert good == {"first": ""}
    assert "ZeroDivisionError" in done["first"] and "x / 0" in done["first"]
    assert done["second"] == "not run: it needs first" and done["third"] == ""
    assert (outputs.rendered / "first.ipynb").read_bytes() == before
    assert not (outputs.rendered / "second.ipynb").exists()


def test_a_notebook_cut_off_while_it_was_written_stops_only_what_needs_it(small, monkeypatch):
    """Papermill killed, or the disk full: what its log said last is told, and the other notebooks go on."""
    start = reproduce._start

    def cut(step, build):
        if step.name != "first":
            return start(step, build)
        (build / "first.executed.ipynb").write_text('{"cells": [{"cell_ty', encoding="utf-8")
        (build / "first.log").write_text("No space left on device\n", encoding="utf-8")
        return subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])

    monkeypatch.setattr(reproduce, "_start", cut)
    done, _ = small(zero="# %%\n0\n", first="# %%\n1\n", second="# %%\n2\n", needs={"second": ("first",)})
    assert done == {"zero": "", "first": "No space left on device", "second": "not run: it needs first"}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"nbformat": 4}', '{"nbformat": 4, "cells": [{}]}'])
def test_no_error_is_read_from_what_is_no_whole_notebook(tmp_path, text):
    assert reproduce.error_in(tmp_path / "missing.ipynb") == ""
    (tmp_path / "cut.ipynb").write_text(text, encoding="utf-8")
    assert reproduce.error_in(tmp_path / "cut.ipynb") == ""


@pytest.mark.parametrize("content", [b'{"items": ["G-fig', b"foreign text", b"[]", b'{"files": []}', b"\xff", b""])
def test_a_damaged_entry_of_the_index_is_named(tmp_path, monkeypatch, capsys, content):
    path = tmp_path / "figures" / "index" / "G-fig10.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    monkeypatch.setattr(reproduce, "run", lambda steps, **_: {step.name: "" for step in steps})
    assert reproduce.main(["--profile", "smoke", "--only", "01", "--output", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("index/G-fig10.json is damaged") and "make figures" in said and said.count("\n") == 1
    assert path.read_bytes() == content


def test_progress_keeps_its_last_state_and_tensorflow_says_nothing():
    pieces = ["\rstudy: 0/2", "\rstudy: 1/2", "\rstudy: 2/2", "\n", "I0000 00:00:1.5 7 port.cc:153] oneDNN is on.\n"]
    streams = [nbformat.v4.new_output("stream", name="stderr", text=text) for text in pieces]
    (left,) = reproduce._tidy_streams(streams)
    assert left.text == "study: 2/2\n"


def test_a_second_run_in_one_folder_is_told_who_holds_it(tmp_path):
    outputs = paths.Outputs(tmp_path)
    with reproduce.lock(outputs):
        with pytest.raises(ReproduceError, match=f"process {os.getpid()}"), reproduce.lock(outputs):
            pass
    with reproduce.lock(outputs):
        pass


# --- prices for a reproduction --------------------------------------------------------------------------------------


def test_without_a_network_the_packaged_series_serves_and_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RAW", tmp_path)
    monkeypatch.setattr(prices.load, "__kwdefaults__", {"source": "auto", "folder": tmp_path})
    calls = []

    def unreachable(symbol):
        calls.append(symbol)
        raise OSError("no network")

    monkeypatch.setattr(prices, "fetch_yfinance", unreachable)
    said = reproduce.fetch("^GSPC")
    assert "packaged with great_tables" in said and "no closes of ^GSPC (OSError: no network): going on" in said
    with pytest.raises(ReproduceError, match=r"no closes of \^IXIC .*no network.*CSV=path.*Only \^GSPC"):
        reproduce.fetch("^IXIC")
    assert calls == ["^GSPC", "^IXIC"], "one attempt each"


def test_a_contest_is_not_recorded_beside_records_on_other_closes(tmp_path):
    records.same_closes(tmp_path, ONE, AS_OF)
    recorded_on(tmp_path, ONE)
    records.same_closes(tmp_path, ONE, AS_OF)
    with pytest.raises(records.RecordsError, match=r"were made on .* and the closes at hand are .*--output"):
        records.same_closes(tmp_path, OTHER, AS_OF)


# --- records on other closes ----------------------------------------------------------------------------------------

ONE, OTHER, AS_OF = make_prices(400), make_prices(400, seed=1), "2024-12-31"


def recorded_on(folder: Path, closes, trials: int = 2):
    """A study, a ledger and a contest's head on some closes, as a reproduction of the profile leaves them."""
    dataset = windows.Dataset(closes, windows.protocol("described", as_of=AS_OF), max_sequence_length=250)
    done = faults.run_study("generator", folder, trials=trials, dataset=dataset)
    sums = {"data_sha256": dataset.data_sha256, "status": "ok", "epochs": 1, "engine": "fast"}
    (folder / "replay_gan_clean.jsonl").write_bytes(lines.encode([sums])[0])
    (folder / "contest_generator_described.jsonl").write_bytes(lines.encode([{"problem": sums}])[0])
    return done


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_records_on_other_closes_are_set_aside_whole_and_put_back_with_their_closes(tmp_path):
    outputs = paths.Outputs(tmp_path)
    folder = outputs.studies("default")
    aside = [folder.with_name(f"default.on-{closes.sha256[:8]}") for closes in (ONE, OTHER)]
    assert records.settle(outputs, "default", ONE, AS_OF) == [], "the first run finds nothing"
    recorded_on(folder, ONE)
    before = contents(folder)
    assert records.settle(outputs, "default", ONE, AS_OF) == [] and contents(folder) == before

    (said,) = records.settle(outputs, "default", OTHER, AS_OF)
    assert contents(aside[0]) == before and list(contents(folder)) == [records.MARK]
    assert all(word in said for word in (ONE.caption, ONE.sha256[:8], "set aside whole in", aside[0].name))
    recorded_on(folder, OTHER)
    between = contents(folder)

    away, back = records.settle(outputs, "default", ONE, AS_OF)
    assert contents(folder) == before and contents(aside[1]) == between and not aside[0].exists()
    assert OTHER.sha256[:8] in away and "are back" in back
    whole = recorded_on(tmp_path / "whole", ONE, trials=5)
    assert faults.outcome(recorded_on(folder, ONE, trials=5)) == faults.outcome(whole), "the study goes on"


def test_a_kill_between_setting_aside_and_putting_back_loses_nothing(tmp_path):
    outputs = paths.Outputs(tmp_path)
    folder = outputs.studies("default")
    recorded_on(folder.with_name(f"default.on-{ONE.sha256[:8]}"), ONE)
    before = contents(folder.with_name(f"default.on-{ONE.sha256[:8]}"))
    folder.mkdir()
    (folder / records.MARK).write_text('{"sha256": "half')
    (said,) = records.settle(outputs, "default", ONE, AS_OF)
    assert "are back" in said and contents(folder).items() >= before.items()


def test_records_on_two_closes_in_one_folder_are_set_aside_and_stay(tmp_path):
    outputs = paths.Outputs(tmp_path)
    folder = outputs.studies("default")
    recorded_on(folder, ONE)
    dataset = windows.Dataset(OTHER, windows.protocol("described", as_of=AS_OF))
    faults.run_study("gan", folder / "x", trials=1, dataset=dataset)
    (folder / "x" / "s.journal").rename(folder / "gan_described.journal")
    before = contents(folder)
    (said,) = records.settle(outputs, "default", OTHER, AS_OF)
    (aside,) = folder.parent.glob("default.on-*")
    assert aside.name == "default.on-" + "-and-".join(sorted((ONE.sha256[:8], OTHER.sha256[:8])))
    assert contents(aside) == before and "they stay there" in said
    recorded_on(folder, OTHER)
    (said,) = records.settle(outputs, "default", ONE, AS_OF)
    assert "set aside" in said and contents(aside) == before


def test_committed_records_are_never_moved_and_drawing_is_refused_early(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    for profile, train, words in (
        ("full", True, ["committed records", "or `make reproduce`, which trains everything again"]),
        ("full", False, ["committed records"]),
        ("default", False, ["PROFILE=default` begins anew"]),
    ):
        outputs = paths.Outputs(tmp_path)
        if not outputs.studies(profile).exists():
            recorded_on(outputs.studies(profile), ONE)
        before = contents(tmp_path)
        with pytest.raises(records.RecordsError) as refused:
            records.settle(outputs, profile, OTHER, AS_OF, train=train)
        said = str(refused.value)
        assert all(w in said for w in [*words, ONE.caption, OTHER.caption, ONE.sha256[:8], OTHER.sha256[:8]]), said
        assert "\n" not in said and said.endswith(".") and contents(tmp_path) == before
        assert records.settle(outputs, profile, ONE, AS_OF, train=False) == [] and contents(tmp_path) == before
    with pytest.raises(records.RecordsError, match=r"no records in data/studies/smoke to draw from"):
        records.settle(outputs, "smoke", ONE, AS_OF, train=False)


def test_other_series_on_other_closes_are_refused_by_name(tmp_path):
    outputs = paths.Outputs(tmp_path)
    recorded_on(outputs.studies("default"), ONE)
    name = validity.study_name(ONE.symbol, "change")
    (outputs.studies("default") / "s.journal").rename(outputs.studies("default") / f"{name}.journal")
    assert records.settle(outputs, "default", ONE, AS_OF, others=[ONE]) == []
    with pytest.raises(records.RecordsError, match=r"The records of \^TEST in .*SYMBOL=\^TEST CSV=path.*validity_\*"):
        records.settle(outputs, "default", ONE, AS_OF, others=[OTHER])


@pytest.mark.parametrize(("extra", "status"), [([], 0), (["--draw-only"], 2)])
def test_a_reproduction_settles_its_records_before_anything_runs(tmp_path, monkeypatch, capsys, extra, status):
    """Records on other closes in the folder of the profile: trained anew beside them, or refused, before a notebook."""
    outputs = paths.Outputs(tmp_path)
    recorded_on(outputs.studies("default"), ONE)
    before, begun = contents(outputs.studies("default")), []

    def run(steps, **_):
        begun.append(contents(outputs.studies("default")))
        return {step.name: "" for step in steps}

    monkeypatch.setattr(reproduce, "run", run)
    arguments = ["--set", "source=packaged", "--set", "as_of='1956-12-31'", "--only", "02", "--output", str(tmp_path)]
    assert reproduce.main([*arguments, *extra]) == status
    said = capsys.readouterr()
    if status:
        assert begun == [] and "were made on" in said.err and said.err.count("\n") == 1
        assert contents(outputs.studies("default")) == before
    else:
        assert [list(found) for found in begun] == [[records.MARK]]
        assert contents(outputs.studies(f"default.on-{ONE.sha256[:8]}")) == before


def test_the_committed_records_were_made_on_one_series_which_is_named():
    folder = paths.outputs().studies("full")
    ((sha256, words),) = records.recorded(folder).items()
    assert "S&P 500 daily closes" in words and len(sha256) == 64


def test_what_is_set_aside_is_not_committed_and_goes_with_the_records(copy):
    name = "data/studies/default.on-01234567/s.journal"
    ignored = subprocess.run(["git", "check-ignore", "-q", name], cwd=paths.ROOT, check=False)
    assert ignored.returncode in (0, 128), "git ignores it, where there is git"
    (copy / name).parent.mkdir(parents=True)
    (copy / name).write_text("")
    subprocess.run(["make", "clean"], cwd=copy, check=True, capture_output=True, timeout=60)
    assert not (copy / name).parent.exists()
