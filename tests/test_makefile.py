"""`make`: every target says what it does, and what is given wrongly is refused in one sentence before anything runs."""

import re
import shutil
import subprocess

import pytest

from helpers import paths, reproduce

MAKEFILE = (paths.ROOT / "Makefile").read_text("utf-8")
TARGETS = re.findall(r"^([a-z]+):.*?## ", MAKEFILE, re.M)
VARIABLES = re.findall(r"^([A-Z]+) \?=", MAKEFILE, re.M)


def make(*arguments: str, cwd=paths.ROOT) -> subprocess.CompletedProcess:
    """`make` without running anything (-n), the environment being taken as it is (-o)."""
    command = ["make", "-n", "-o", ".venv/.installed", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_help_lists_every_target_with_one_line():
    done = subprocess.run(["make"], cwd=paths.ROOT, capture_output=True, text=True, timeout=60, check=True)
    listed = dict(re.findall(r"^  ([a-z]+) +(.+)$", done.stdout, re.M))
    assert list(listed) == TARGETS and len(TARGETS) > 10
    for target in TARGETS:
        assert len(listed[target]) >= 9, target
        assert max(len(line) for line in done.stdout.splitlines()) <= 135
    phony = set(re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.M)[1].split())
    assert set(TARGETS) <= phony, "a file of that name must not stop a target"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["PROFIL=full"], ["Unknown variable PROFIL;", *VARIABLES]),
        (["profile=full"], ["Unknown variable profile;"]),
        (["PROFILE=fast"], ["'fast'", *reproduce.PROFILES]),
        (["PROFILE="], ["valid profiles are"]),
        (["JOBS=abc"], ["JOBS", "whole number", "'abc'"]),
        (["JOBS=0"], ["JOBS", "'0'"]),
        (["JOBS=2.5"], ["JOBS", "'2.5'"]),
        (["FORCE=2"], ["FORCE is 1 or left out", "'2'"]),
        (["MINUTES=x"], ["MINUTES is a number above 0", "'x'"]),
        (["MINUTES=0"], ["MINUTES", "'0'"]),
        (["SYMBOL="], ["SYMBOL", "^GSPC"]),
        (["SYMBOL=^GSPC ^DJI"], ["SYMBOL", "'^GSPC ^DJI'"]),
        (["SYMBOL=x'; touch broken; '"], ["SYMBOL"]),
        (["CSV=no such file.csv"], ["CSV", "there is no file 'no such file.csv'"]),
        (["CSV=helpers"], ["CSV", "there is no file 'helpers'"]),
        (["CSV=x'; touch broken; '"], ["CSV"]),
        (["REPAIR=none.journal"], ["REPAIR", "'none.journal'"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) and "=" in value[0] else "",
)
@pytest.mark.parametrize("target", ["reproduce", "help"])
def test_what_is_wrong_is_refused_with_what_would_be_right(target, given, words):
    done = make(target, *given)
    assert done.returncode == 2 and done.stdout == ""
    assert all(word in done.stderr for word in words), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (paths.ROOT / "broken").exists()


def test_an_unknown_target_is_refused_with_the_targets():
    done = subprocess.run(["make", "reprodce"], cwd=paths.ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"Unknown target 'reprodce'; valid targets are {' '.join(TARGETS)}." in done.stderr
    done = make("test", "reprodce")
    assert done.returncode == 2 and done.stdout == "", "nothing runs before the refusal"
    assert len(done.stderr.splitlines()) == 1


def test_right_values_reach_the_commands():
    done = make("reproduce", "PROFILE=smoke", "SYMBOL=BRK-B", "JOBS=3")
    assert done.returncode == 0
    assert "--profile smoke --symbol 'BRK-B' --jobs 3" in done.stdout
    done = make("endure", "MINUTES=0.5")
    counted, told = done.stdout.splitlines()
    assert done.returncode == 0 and "--minutes 0.5" in counted and "helpers.readme" in told


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "--profile full --symbol '^GSPC' --draw-only"),
        (["PROFILE=default"], "--profile default --symbol '^GSPC' --draw-only"),
        (["SYMBOL=^IXIC", "PROFILE=smoke"], "--profile smoke --symbol '^IXIC' --draw-only"),
    ],
)
def test_figures_are_those_of_the_committed_records_unless_others_are_asked_for(given, words):
    done = make("figures", *given)
    said = " ".join(done.stdout.replace("\\\n", " ").split())
    assert done.returncode == 0 and f"helpers.reproduce {words} --jobs 2" in said, said


def test_an_interpreter_for_an_environment_that_is_there_is_refused(tmp_path):
    shutil.copy(paths.ROOT / "Makefile", tmp_path)
    shutil.copy(paths.ROOT / "requirements.lock", tmp_path)
    assert make("env", "PYTHON=python3", cwd=tmp_path).returncode == 0
    (tmp_path / ".venv").mkdir()
    refused = make("env", "PYTHON=python3", cwd=tmp_path)
    assert refused.returncode == 2 and refused.stdout == ""
    assert ".venv exists" in refused.stderr and "remove .venv first" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert make("env", cwd=tmp_path).returncode == 0 == make("data", "PYTHON=python3", cwd=tmp_path).returncode
    environment = {"PYTHON": "python3", "PATH": "/usr/bin:/bin"}
    command = ["make", "-n", "-o", ".venv/.installed", "env"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, "a variable of the environment is no wish of this call"


def test_a_file_may_have_any_name_and_lie_in_the_home_folder(tmp_path):
    file = tmp_path / "it's my file.csv"
    file.write_text("Date,Close\n")
    done = make("data", f"CSV={file}", "FORCE=1")
    assert done.returncode == 0, done.stderr
    shown = str(file).replace("'", "'\\''")
    assert f"--csv '{shown}' --force" in done.stdout
    done = make("data", "CSV=~/it's my file.csv", f"HOME={tmp_path}")
    assert "Unknown variable HOME" in done.stderr, "HOME is no variable of this Makefile"
    command = ["make", "-n", "-o", ".venv/.installed", "data", "CSV=~/it's my file.csv"]
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr


def test_variables_of_the_environment_are_not_refused(monkeypatch):
    monkeypatch.setenv("UNRELATED", "1")
    monkeypatch.setenv("PROFILE", "smoke")
    assert "--profile smoke" in make("reproduce").stdout


def test_the_lab_opens_notebooks_with_this_environments_kernel():
    done = make("lab")
    assert "JUPYTER_PREFER_ENV_PATH=1" in done.stdout and "notebooks/.jupyter" in done.stdout
    assert (paths.NOTEBOOKS / ".jupyter" / "labconfig" / "default_setting_overrides.json").is_file()


def test_a_new_variable_is_known_by_its_default_alone(tmp_path):
    (tmp_path / "Makefile").write_text(MAKEFILE.replace("MINUTES ?= 60", "MINUTES ?= 60\nCOLOUR ?= red"))
    shutil.copy(paths.ROOT / "requirements.lock", tmp_path)
    assert make("help", "COLOUR=blue", cwd=tmp_path).returncode == 0
    assert "MINUTES COLOUR" in make("help", "COLOR=blue", cwd=tmp_path).stderr


@pytest.mark.parametrize("run", ["", "build/smoke", "build/default_seed-1"])
def test_clean_takes_nothing_from_a_reproduction(tmp_path, run):
    """Each run locks the folder that it writes into: the repository, or its own under build/."""
    shutil.copy(paths.ROOT / "Makefile", tmp_path)
    record = tmp_path / "data" / "studies" / "default" / "gan.journal"
    other = tmp_path / "build" / "other" / "build" / "reproduce.lock"
    for path in (record, other):
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    for name in ("helpers", "tests", "notebooks"):
        (tmp_path / name).mkdir()

    def clean() -> subprocess.CompletedProcess:
        command = ["make", "-o", ".venv/.installed", "clean"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    with reproduce.lock(paths.Outputs(tmp_path / run)):
        refused = clean()
        assert refused.returncode == 2 and "A reproduction writes into this folder" in refused.stderr
        assert record.exists() and other.exists() and (tmp_path / run / "build" / "reproduce.lock").exists()
    assert clean().returncode == 0
    assert not record.exists() and not (tmp_path / "build").exists()
