"""What the README promises, tested by causing each fault. The long versions are in `python -m helpers.endure`."""

import ast
import contextlib
import logging
import os
import platform
import random
import re
import signal
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import nbformat
import numpy as np
import optuna
import pandas as pd
import pytest
from conftest import make_prices
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import (
    damage,
    endure,
    faults,
    figures,
    ledger,
    lines,
    machines,
    malformed,
    paths,
    prices,
    reproduce,
    safety,
    study,
    tables,
    windows,
)
from helpers.trial import TrialResult

optuna.logging.set_verbosity(optuna.logging.WARNING)
GOOD = malformed.good_rows()


# --- kills and two at once ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tuner", faults.TUNERS)
def test_a_study_killed_five_times_ends_as_if_undisturbed(tmp_path, tuner):
    """At least five kills among its trials; at most the trial in flight is trained again."""
    trials = 10 if "bayesian" in tuner else 20
    found = faults.kill_study(tuner, tmp_path, kills=5, seed=1, trials=trials)
    assert found.trained == 5 and found.repeated <= found.trained + found.outside


@pytest.mark.parametrize("kind", faults.LEDGERS)
def test_what_records_into_a_ledger_killed_five_times_ends_as_if_undisturbed(tmp_path, kind):
    found = faults.kill_ledger(kind, tmp_path, kills=5, seed=2, trials=30 if kind == "contest" else 20)
    assert found.trained == 5 and found.repeated <= 2 * (found.trained + found.outside)


def test_kills_that_lose_something_are_seen(tmp_path):
    """A study that forgets its journal when it is started again does not pass for one that survives."""

    def start(place):
        (place / "s.journal").unlink(missing_ok=True)
        return faults.start_study("generator", place, trials=20, pause=0.02)

    def finish(place):
        faults.run_study("generator", place, trials=20)

    class Moments(random.Random):
        """The first kill when trials have finished, every later one as soon as the study is started again."""

        waits = True

        def random(self):
            waits, self.waits = self.waits, False
            return 0.0 if waits else 1.0

        def uniform(self, a, b):
            return a

        def randint(self, a, b):
            return b

    faults.run_study("generator", tmp_path / "whole", trials=20)
    victim = faults.Victim(start, finish, 20, 0.2)
    with pytest.raises(faults.Broken, match="finished trials were lost"):
        faults.kill_often(victim, tmp_path / "whole", tmp_path, kills=5, rng=Moments(0))


def test_what_cannot_be_killed_or_fails_by_itself_counts_for_nothing(tmp_path):
    faults.run_study("generator", tmp_path / "whole", trials=2)
    for work, said in (("pass", "before it can be killed"), ("raise SystemExit(1)", "it failed by itself")):

        def start(place, work=work):
            process = faults.Reproduction.__new__(faults.Reproduction)
            process._process = subprocess.Popen([sys.executable, "-S", "-c", work])
            process._process.wait()
            return process

        victim = faults.Victim(start, lambda place: faults.run_study("generator", place, trials=2), 2, 0.0)
        with pytest.raises(faults.Broken, match=said):
            faults.kill_often(victim, tmp_path / "whole", tmp_path / said, kills=1, rng=random.Random(0))


def test_two_processes_share_a_study_without_lost_or_doubled_trials(tmp_path):
    assert faults.share_study("generator", tmp_path, trials=30) == 2, "one process did all the trials"


def test_who_waits_for_a_study_has_the_next_turn(tmp_path):
    faults.race(tmp_path / "s.journal", tmp_path / "turns", rounds=20)
    turns = (tmp_path / "turns").read_text().split()
    assert turns == [turn for number in range(20) for turn in (str(number), "again")]
    assert not list(tmp_path.glob("*.lock.*"))


def test_when_one_of_two_is_killed_the_other_finishes_the_study(tmp_path):
    path = study.journal_path("s", tmp_path)
    first = faults.start_study("gan", tmp_path, trials=20, pause=0.2)
    while lines.scan(path).lines < 20 if path.exists() else True:
        time.sleep(0.01)
    second = faults.start_study("gan", tmp_path, trials=20)
    time.sleep(0.1)
    first.kill()
    first.join()
    second.join(60)
    assert (first.exitcode, second.exitcode) == (-signal.SIGKILL, 0)
    undisturbed = faults.run_study("gan", tmp_path / "whole", trials=20)
    assert faults.outcome(study.load("s", tmp_path)) == faults.outcome(undisturbed)


def test_a_second_reproduction_is_told_who_runs(tmp_path, capsys, monkeypatch):
    outputs = paths.Outputs(tmp_path)
    with reproduce.lock(outputs):
        arguments = ["--profile", "smoke", "--output", str(tmp_path), "--only", "01"]
        assert reproduce.main(arguments) == 2
    assert f"Another reproduction (process {os.getpid()}) writes into this folder" in capsys.readouterr().err
    with reproduce.lock(outputs):
        pass


# --- bad trials -----------------------------------------------------------------------------------------------------


class Failing(faults.Quick):
    def __init__(self, first=0):
        super().__init__()
        self.calls, self.first = 0, first

    def evaluate(self, *arguments, **named):
        self.calls += 1
        if self.first <= self.calls:
            return TrialResult("failed", "OSError: no such library", seconds=0.1)
        return super().evaluate(*arguments, **named)


def run_with(evaluator, folder, **changes):
    make, space = faults.TUNERS["generator"]
    arguments = {"trials": 20, "seed": 1, "folder": folder, "evaluator": evaluator, "progress": False} | changes
    return study.run("s", make(seed=1, space=space), space, faults.small_dataset(), **arguments)


def test_a_study_in_which_everything_fails_stops_early_and_says_why(tmp_path):
    said = "All 5 trials of the study 's' failed, 5 of them so: OSError: no such library. It stopped there, 20 were"
    for calls in (5, 0):  # nor does it go on when it is run again
        evaluator = Failing()
        with pytest.raises(study.StudyFailed, match=said):
            run_with(evaluator, tmp_path)
        assert evaluator.calls == calls
    with pytest.raises(study.StudyFailed, match="All 5 trials"):
        run_with(None, tmp_path, train=False)
    evaluator = Failing()
    with pytest.raises(study.StudyFailed, match="All 7 trials"):
        run_with(evaluator, tmp_path, give_up_after=7)
    with pytest.raises(study.StudyError, match="give_up_after must be a whole number of at least 1"):
        run_with(Failing(), tmp_path, give_up_after=0)


def test_failures_after_a_good_trial_are_counted_at_the_end(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        done = run_with(Failing(first=4), tmp_path)
    assert len(done.trials) == 20
    assert "s: 17 of 20 trials failed, 17 of them so: OSError: no such library." in caplog.text


def test_every_kind_of_bad_trial_is_one_failed_record_and_the_study_goes_on(tmp_path):
    """Exception, NaN, kill, memory, time, hang, in a worker; every second trial is good."""
    assert faults.bad_trials(tmp_path, cases=len(faults.BAD_TRIALS), seed=0) == len(faults.BAD_TRIALS) == 6


# --- damage ---------------------------------------------------------------------------------------------------------


def test_random_damage_to_a_journal_or_a_ledger_is_found_named_and_cut_off(tmp_path):
    faults.run_study("generator", tmp_path, trials=8, every=3)
    faults.run_ledger("replay", tmp_path, trials=10)
    faults.run_ledger("trainings", tmp_path, trials=10, every=3)
    files = [study.journal_path("s", tmp_path), tmp_path / "replay_gan_shuffled.jsonl", tmp_path / "trainings.jsonl"]
    for file in files:
        assert damage.check_damage(file, tmp_path / "damaged", cases=80, seed=3) == 80


def test_damage_that_is_not_found_is_seen(tmp_path, monkeypatch):
    faults.run_ledger("replay", tmp_path, trials=10)
    monkeypatch.setattr(damage, "damage_lines", lambda content, rng: (content, len(content) - 1))
    with pytest.raises(faults.Broken, match="was not found"):
        damage.check_damage(tmp_path / "replay_gan_shuffled.jsonl", tmp_path / "damaged", cases=1, seed=0)


# --- closes ---------------------------------------------------------------------------------------------------------


def test_a_bad_cell_is_refused_in_one_sentence_that_names_its_line(tmp_path):
    assert malformed.check_cells(tmp_path / "f.csv") >= 60


def text_file(rows=GOOD, head="Date,Close\n", fmt="{},{!r}\n"):
    return head + "".join(fmt.format(*row) for row in rows)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (text_file().encode("utf-16-be"), "binary file"),
        (text_file().encode("utf-32"), "UTF-8|binary|needs the columns"),
        (text_file(head="Datum,Schluß\n").encode("latin-1"), "not UTF-8 text"),
        (b"BZh9" + b"\x31\x41\x59\x26" * 30, "needs the columns|not UTF-8|binary"),
        (b"\xfd7zXZ\x00\x00\x04", "binary file"),
        (b"<html><body>Too many requests</body></html>\n", "needs the columns Date and Close"),
        (b'{"chart": {"result": null}}\n', "needs the columns Date and Close"),
        (b"sep=,\n" + text_file().encode(), "needs the columns Date and Close"),
        (text_file(head="Date Close\n", fmt="{} {!r}\n").encode(), "needs the columns Date and Close"),
        (text_file(head="Date|Close\n", fmt="{}|{!r}\n").encode(), "needs the columns Date and Close"),
        (text_file(head="# closes\nDate,Close\n").encode(), "needs the columns Date and Close"),
        (text_file(fmt="{},{!r},\n").encode(), "line 2: 3 fields where the header names 2"),
        (text_file(fmt="{}\n").encode(), "line 2: 1 fields where the header names 2"),
        (text_file(rows=GOOD[:1]).encode(), "has 1 closes; at least"),
        (text_file(rows=sorted(GOOD, reverse=True)).encode(), "lies before that of the row above"),
        (
            text_file(rows=[*GOOD[700:], *GOOD[:700]]).encode(),
            "lies before that of the row above",
        ),
        (text_file(rows=[*GOOD, GOOD[-1]]).encode(), "the date repeats"),
        (text_file(rows=[(d, 0.0) for d, _ in GOOD]).encode(), "the close is 0"),
        (text_file(rows=[(d, -c) for d, c in GOOD]).encode(), "the close is -"),
        (text_file(rows=[(d, float("nan")) for d, _ in GOOD]).encode(), "the close is missing"),
        (b"Date,Close\n" + b"2000-01-03,1\x00\n" * 9, "binary file|no number"),
        (b'Date,Close\n2000-01-03,"1\n' + text_file(head="").encode(), "no number|CSV"),
        (text_file().encode()[:-3] + b"\xc3", "not UTF-8 text"),
        ((text_file() + "Ø\n").encode("latin-1"), "not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_table_of_closes_is_refused_in_one_sentence(tmp_path, content, said):
    found = malformed.read_closes(content, tmp_path / "f.csv")
    assert isinstance(found, prices.PricesError)
    assert re.search(said, str(found)), found


def test_ten_million_rows_are_refused_before_they_fill_the_memory(tmp_path):
    path = tmp_path / "long.csv"
    with path.open("wb") as file:
        file.write(b"Date,Close\n")
        for _ in range(10):
            file.write(b"2000-01-03,1.5\n" * 1_000_000)
    said = r"long\.csv has more than 200,000 rows \(line 200,002 is one too many\): not a file of daily closes"
    started = time.process_time()
    with pytest.raises(prices.PricesError, match=said):
        prices.import_csv(path, folder=tmp_path / "raw")
    assert time.process_time() - started < 20
    tracemalloc.start()
    try:
        with pytest.raises(prices.PricesError, match=said):
            prices.import_csv(path, folder=tmp_path / "raw")
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
        with path.open("wb") as file:
            file.truncate(2 * prices.MAX_BYTES)  # one endless line
        with pytest.raises(prices.PricesError, match=r"long\.csv has 381 MiB: not a file of daily closes"):
            prices.import_csv(path, folder=tmp_path / "raw")
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()


def test_a_constant_series_is_read_as_it_is_and_refused_where_it_is_scaled(tmp_path):
    path = tmp_path / "flat.csv"
    path.write_text(text_file([(day, 5.0) for day, _ in GOOD]))
    flat = prices.import_csv(path, folder=tmp_path / "raw")
    assert (flat.close == 5.0).all()
    with pytest.raises(ValueError, match="closes to scale on are all 5: they cannot be scaled"):
        windows.Dataset(flat, windows.protocol("described")).scaled  # noqa: B018


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random=st.randoms(use_true_random=False))
def test_a_file_in_any_dress_is_read_right_or_refused(tmp_path, random):
    malformed.check_malformed(*malformed.malformed(random), tmp_path / "f.csv")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random=st.randoms(use_true_random=False))
def test_scrambled_bytes_are_refused_or_read_as_they_stand(tmp_path, random):
    malformed.check_scrambled(malformed.scrambled(random), tmp_path / "f.csv")


def test_a_changed_past_is_shown_and_needs_force(tmp_path):
    """A split halves the past; a revision changes one close. The frozen file stays until FORCE=1 is given."""
    close = make_prices(prices.MIN_ROWS + 10).close

    def answer(series):
        return lambda symbol: pd.DataFrame({"Close": series.to_numpy()}, index=series.index)

    prices.download(folder=tmp_path, fetch=answer(close))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    split = pd.concat([close.iloc[:500] / 2, close.iloc[500:]])
    revised = close.copy()
    revised.iloc[42] += 0.01
    first = close.index[0]
    for series, said in (
        (split, rf"500 of {len(close):,} common closes changed, the first on {first:%Y-%m-%d} \(100\.\d+ before, 50"),
        (revised, rf"1 of {len(close):,} common closes changed, the first on {close.index[42]:%Y-%m-%d}"),
        (close.iloc[:-1], r"the new series lacks 1 of its dates"),
    ):
        with pytest.raises(prices.PricesError, match=f"GSPC.csv is frozen and stays: {said}.*; FORCE=1 replaces it"):
            prices.download(folder=tmp_path, fetch=answer(series))
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    forced = prices.download(folder=tmp_path, fetch=answer(split), force=True)
    np.testing.assert_array_equal(forced.close, split)
    assert prices.load(folder=tmp_path).sha256 == forced.sha256


# --- full disks and read-only folders -------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A folder and a function that makes it full: a tmpfs of 512 KB where one may be mounted, else a limit to files.

    The function returns a context manager; within it, writing fails with the kernel's own error.
    """
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0

    @contextlib.contextmanager
    def filled():
        if not mounted:
            with damage.full_disk(0):
                yield
            return
        with (folder / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        try:
            yield
        finally:
            (folder / "filler").unlink()

    yield folder, filled
    if mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


FULL = "No space left on device|File too large"


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "filler"}


def test_a_study_on_a_full_disk_keeps_its_trials_and_goes_on(tmp_path, small_disk):
    folder, filled = small_disk
    whole = faults.outcome(faults.run_study("generator", tmp_path / "whole", trials=8))
    faults.run_study("generator", folder, trials=3)
    before = contents(folder)
    with (
        filled(),
        pytest.raises(study.StudyError, match=rf"s\.journal cannot be written: ({FULL}); the trials that are"),
    ):
        faults.run_study("generator", folder, trials=8)
    after = contents(folder)
    journal = Path("s.journal")
    assert after[journal].startswith(before[journal]) and lines.scan(folder / journal).damage == ""
    assert {name: after[name] for name in before if name != journal} == {n: before[n] for n in before if n != journal}
    assert faults.outcome(faults.run_study("generator", folder, trials=8)) == whole


def test_a_disk_that_fills_in_the_middle_of_a_write_leaves_whole_records(tmp_path):
    assert damage.fill_disk(tmp_path, cases=6, seed=1) == 6


def test_figures_tables_and_closes_on_a_full_disk(small_disk):
    import matplotlib.pyplot as plt

    folder, filled = small_disk
    outputs = paths.Outputs(folder)
    fig, axes = plt.subplots(figsize=(1, 1))

    def draw(value):
        axes.clear()
        axes.plot([1, value])
        figures.save(fig, "G-fig10", caption="A line.", outputs=outputs)

    def tabulate(value):
        tables.save(pd.DataFrame({"mse": [value]}), "G-tab08", caption="A number.", outputs=outputs)

    def freeze(value):
        close = make_prices(prices.MIN_ROWS).close * value
        answer = pd.DataFrame({"Close": close.to_numpy()}, index=close.index)
        prices.download(folder=folder / "raw", fetch=lambda _: answer, force=True)

    for make, error in ((draw, figures.WriteError), (tabulate, figures.WriteError), (freeze, prices.PricesError)):
        make(2.0)
        before = contents(folder)
        with filled(), pytest.raises(error, match=rf"cannot be written: ({FULL})") as raised:
            make(3.0)
        assert "\n" not in str(raised.value) and str(raised.value).endswith(".")
        assert contents(folder) == before
        make(3.0)
        assert contents(folder) != before
    plt.close(fig)


def test_a_reproduction_on_a_full_disk_says_so_and_keeps_what_was_made(small_disk, capsys):
    folder, filled = small_disk
    (folder / "build").mkdir()
    rendered = paths.Outputs(folder).rendered / "01_data_preparation.ipynb"
    rendered.parent.mkdir(parents=True)
    rendered.write_text("an earlier run's\n")
    with filled():
        status = reproduce.main(["--profile", "smoke", "--only", "01", "--output", str(folder)])
    said = capsys.readouterr().err
    assert status == 1 and "cannot be written" in said and said.count("\n") == 1
    assert rendered.read_text() == "an earlier run's\n"


def test_a_rendered_notebook_that_cannot_be_written_leaves_the_old_one(tmp_path, small_disk):
    folder, filled = small_disk
    source, target = tmp_path / "executed.ipynb", folder / "rendered.ipynb"
    reproduce.convert("01_data_preparation", source)
    reproduce.tidy(source, target)
    before = contents(folder)
    with filled(), pytest.raises(figures.WriteError, match=rf"rendered\.ipynb cannot be written: ({FULL})"):
        reproduce.tidy(source, target)
    assert contents(folder) == before


@pytest.fixture
def read_only(tmp_path):
    """A folder with a finished study that cannot be written any more, whoever runs the test.

    The super-user passes over permissions, so there the folder lies on a disk mounted read-only; where mounting is not
    allowed either, the test's process gives up its rights to pass over them.
    """
    folder = tmp_path / "fixed"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], capture_output=True).returncode == 0
    )
    faults.run_study("generator", folder, trials=3)
    (folder / "old").write_text("old")
    if mounted:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    else:
        for path in [*folder.iterdir(), folder]:
            path.chmod(0o555 if path.is_dir() else 0o444)
    given_up = os.geteuid() == 0 and not mounted
    if given_up:
        tmp_path.chmod(0o755)
        os.seteuid(65534)
    yield folder
    if given_up:
        os.seteuid(0)
    if mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)
    else:
        folder.chmod(0o755)


def test_read_only_folders(read_only):
    with pytest.raises(OSError):
        (read_only / "new").write_text("")  # it is read-only
    with pytest.raises(study.StudyError, match=r"s\.journal cannot be written: (Read-only|Permission denied)"):
        faults.run_study("generator", read_only, trials=5)
    with pytest.raises(ledger.LedgerError, match=r"trainings\.jsonl cannot be written: (Read-only|Permission denied)"):
        faults.run_ledger("trainings", read_only, trials=3)
    with pytest.raises(ledger.LedgerError, match=r"old cannot be opened for writing: (Read-only|Permission denied)"):
        ledger.repair(read_only / "old")
    with pytest.raises(figures.WriteError, match=r"cannot be written: (Read-only|Permission denied)"):
        figures.write_aside(read_only / "old", b"new")
    close = make_prices(prices.MIN_ROWS).close
    answer = pd.DataFrame({"Close": close.to_numpy()}, index=close.index)
    with pytest.raises(prices.PricesError, match=r"cannot be written: (Read-only|Permission denied)"):
        prices.download(folder=read_only / "raw", fetch=lambda _: answer)
    assert (read_only / "old").read_text() == "old"
    make, space = faults.TUNERS["generator"]
    arguments = {"trials": 3, "seed": 1, "folder": read_only, "train": False, "epochs": 1}
    sampler = make(seed=1, space=space)
    assert len(study.run("s", sampler, space, faults.small_dataset(), **arguments).trials) == 3  # it can be read


# --- determinism ----------------------------------------------------------------------------------------------------


def test_two_trained_studies_give_the_same_tables(tmp_path):
    """Real LSTMs in two fresh processes: CSV tables equal byte for byte but for times and memory."""
    frames = []
    for name in ("one", "other"):
        done = faults.run_study("generator", tmp_path / name, trials=2, real=True)
        frames.append(study.records(done))
        tables.save(frames[-1], "G-tab08", caption="Records.", outputs=paths.Outputs(tmp_path / name))
    folders = [tmp_path / name / "figures" / "tables" for name in ("one", "other")]
    assert faults.table_differences(*folders) == []
    assert (frames[0]["seconds"] != frames[1]["seconds"]).any()  # what is left out does differ


def test_committed_trials_trained_again_here_and_as_on_another_machine():
    """Two cheap ones on a synthetic series, which every machine can make."""
    trials = machines.committed("validity_predictable-series_change.journal")[:2]
    assert len(trials) == 2
    exact = platform.machine().lower() in ("x86_64", "amd64")
    *here, other = machines.differences([*trials, replace(trials[0], seed=trials[0].seed + 1)])
    assert max(here) == 0 if exact else machines.agree(np.array(here))
    assert other > machines.TOLERANCE, "another seed is another trial"
    elsewhere = machines.differences(trials, "AVX2, no AVX-512")
    assert elsewhere.max() == 0 if exact else machines.agree(elsewhere)
    nudged = machines.differences(trials, "start weights rounded otherwise")
    assert 0 < nudged.max() <= machines.TOLERANCE  # the start did differ


def test_tables_that_differ_are_told(tmp_path):
    for name, text in (("a", "mse,seconds\n0.5,1\n0.25,2\n"), ("b", "mse,seconds\n0.5,3\n0.26,4\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "t.csv").write_text(text)
    assert faults.table_differences(tmp_path / "a", tmp_path / "b") == ["t.csv, row 3 differs"]
    (tmp_path / "b" / "t.csv").write_text("mse,seconds\n0.5,3\n0.25,4\n")
    assert faults.table_differences(tmp_path / "a", tmp_path / "b") == []
    for name, text in (("a", "1.5 times"), ("b", "1.7 times")):  # a row that says in words what it measures
        (tmp_path / name / "v.csv").write_text(f'claim,statistic\nlower,0.5\nfaster,"time of a trial, {text}"\n')
    assert faults.table_differences(tmp_path / "a", tmp_path / "b") == []
    for name in ("a", "b"):
        (tmp_path / name / "v.csv").unlink()
    (tmp_path / "b" / "t.csv").write_text("mse,seconds\n0.5,3\n")
    (tmp_path / "b" / "u.csv").write_text("mse\n1\n")
    assert faults.table_differences(tmp_path / "a", tmp_path / "b") == [
        "t.csv has other rows",
        "u.csv is in one folder only",
    ]


# --- safe to open ---------------------------------------------------------------------------------------------------

PLANTED = "import pickle\nnp.load(p)\nnp.load(p, allow_pickle=True)\nyaml.load(t)\neval(t)\nfrom joblib import load\n"
PLANTED += "__import__('pickle')\nlibrary.CDLL(p)\n"


def test_nothing_that_travels_can_run_code():
    """No loader of executable formats, no notebook that needs trust, no package without its hash."""
    assert sorted(safety.unsafe(ast.parse(PLANTED))) == [1, 2, 3, 4, 5, 6, 7, 8]
    counts = endure.safe()
    assert counts["modules and notebooks that load no executable format"] > 40
    assert counts["packages pinned by hash"] > 50


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ({"application/javascript": "alert(1)"}, "cell 1 shows application/javascript"),
        ({"application/vnd.jupyter.widget-view+json": {}}, "cell 1 shows application/vnd"),
        ({"text/html": ["<b>", "<script>alert(1)</script>"]}, "cell 1 has '<script'"),
        ({"text/html": '<img src="x" onerror="alert(1)">'}, "cell 1 has 'onerror="),
        ({"text/markdown": "[a](javascript:alert)"}, "cell 1 has 'javascript:'"),
    ],
)
def test_a_notebook_that_needs_trust_is_seen(tmp_path, shown, said):
    output = nbformat.v4.new_output("display_data", data=shown)
    path = tmp_path / "n.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output])]), path)
    assert said in safety.scripts(path)[0]


def test_a_package_without_a_hash_is_seen(tmp_path):
    (tmp_path / "lock").write_text("a==1 \\\n    --hash=sha256:00\nb>=2\nc==3\n")
    assert safety.pinned(tmp_path / "lock") == (3, ["b>=2", "c==3"])


def test_arrays_with_objects_are_not_loaded(tmp_path):
    """A stored forecast that would run code when unpickled."""
    faults.run_study("generator", tmp_path, trials=3)
    marker = tmp_path / "ran"

    class Trap:
        def __reduce__(self):
            return Path.touch, (marker,)

    for path in tmp_path.glob("*.npz"):
        np.savez(path, predictions=np.array([Trap()], object), allow_pickle=True)
    with np.load(path, allow_pickle=True) as file:
        file["predictions"]
    assert marker.exists(), "the trap is none"
    marker.unlink()
    done = study.load("s", tmp_path)
    with pytest.raises(study.StudyError):
        study.winner(done, faults.small_dataset(), folder=tmp_path, train=False)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("all: !!python/object/apply:os.system ['touch {marker}']\n", "could not determine a constructor"),
        ("protocols: !!python/name:os.system\n", "could not determine a constructor"),
        ("all:\n  epochs: !!python/object/new:os.system ['touch {marker}']\n", "could not determine a constructor"),
        ("all: [1\n", "expected"),
        ("- a list\n", "no mapping"),
    ],
)
def test_a_params_file_cannot_run_code(tmp_path, monkeypatch, capsys, text, said):
    marker = tmp_path / "ran"
    (tmp_path / "smoke.yml").write_text(text.format(marker=marker))
    monkeypatch.setattr(paths, "PARAMS", tmp_path)
    assert reproduce.main(["--profile", "smoke", "--output", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("params/smoke.yml") and said in error and error.count("\n") == 1
    assert not marker.exists()


def test_a_changed_parameter_cannot_run_code(tmp_path, capsys):
    marker = tmp_path / "ran"
    value = f"epochs=!!python/object/apply:os.system ['touch {marker}']"
    assert reproduce.main(["--profile", "smoke", "--output", str(tmp_path), "--set", value]) == 2
    assert "--set epochs: could not determine a constructor" in capsys.readouterr().err
    assert not marker.exists()


# --- long studies ---------------------------------------------------------------------------------------------------


def test_a_long_study_keeps_memory_flat_and_writes_little(tmp_path):
    grown = endure.grow(tmp_path, trials=150)
    assert 1_000 < grown["bytes_per_trial"] < 8_000
    assert grown["mb_per_trial"] < 0.2


class Leaking(faults.Quick):
    """An evaluator that keeps a megabyte a trial."""

    kept: ClassVar[list[bytes]] = []

    def evaluate(self, *arguments, **named):
        self.kept.append(b"x" * 2**20)
        return super().evaluate(*arguments, **named)


def test_memory_that_grows_is_seen(tmp_path):
    assert endure.grow(tmp_path, trials=30, evaluator=Leaking)["mb_per_trial"] > 0.5


def test_the_endurance_run_refuses_a_folder_with_other_things(tmp_path):
    (tmp_path / "mine").write_text("")
    command = [sys.executable, "-m", "helpers.endure", "--output", str(tmp_path), "--minutes", "0"]
    done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "holds other things" in done.stderr and (tmp_path / "mine").exists()


def counts():
    return {what: 1000.0 + i for i, what in enumerate(endure.COUNTS)}


def test_the_counts_are_a_table_in_which_no_promise_lacks_its_figure(tmp_path):
    endure.write(counts() | {"journal": 5360.52}, tmp_path / "e.csv")
    frame = pd.read_csv(tmp_path / "e.csv")
    assert list(frame.columns) == ["promise", "what", "number", "unit"]
    assert set(frame["promise"].dropna()) == set(range(1, 11)) and 5361 in set(frame["number"])
    with pytest.raises(ValueError, match="Not counted: journal"):
        endure.write({k: v for k, v in counts().items() if k != "journal"}, tmp_path / "e.csv")


def test_without_an_endurance_run_the_promises_are_told_without_counts(tmp_path):
    text = endure.promises(tmp_path / "none.csv")
    assert text.count("- **") == len({number for number, _ in endure.COUNTS.values() if number}) == 10
    assert "`make endure`, has not been" in text


def test_the_promises_are_told_with_their_counts(tmp_path):
    endure.write(counts(), tmp_path / "e.csv")
    text = endure.promises(tmp_path / "e.csv")
    assert text.count("- **") == 10
    # What can be opened is counted when it is told, whatever an older run says.
    told = [what for what, number in (counts() | endure.safe()).items() if f"{number:,.0f}" in text]
    assert {endure.COUNTS[what][0] for what in told} == {0, *range(1, 11)}


def test_every_count_comes_from_a_part(tmp_path):
    source = ast.parse((paths.HELPERS / "endure.py").read_text(encoding="utf-8"))
    keys = {
        k.value for node in ast.walk(source) if isinstance(node, ast.Dict) for k in node.keys if hasattr(k, "value")
    }
    assert set(endure.COUNTS) <= keys | {"kills survived in all", "time"} | set(endure.KILLS.values())
    made = endure.parts(tmp_path, kills=100, fuzz=10_000, trials=500)
    killing = [part for part in made if part.name in {*endure.KILLS} or part.name.endswith("trained")]
    assert sum(part.wanted for part in killing) >= 100 and len({part.name for part in made}) == len(made)


def test_an_endurance_run_goes_on_where_it_was_and_ends_where_a_promise_breaks(tmp_path, monkeypatch):
    caused = []

    def cause(folder, number, seed):
        assert list(folder.iterdir()) == []
        (folder / "litter").write_text("")
        caused.append((number, seed))
        faults.require(len(caused) != 3, "it broke")
        return {"files of closes, malformed or in unusual dress": number}

    parts = [endure.Part("a", 25, 10, cause), endure.Part("b", 1, 1, cause)]
    monkeypatch.setattr(endure, "parts", lambda smoke, **_: parts)
    budget = {"kills": 1, "fuzz": 1, "trials": 1}
    with pytest.raises(faults.Broken, match="it broke"):
        list(endure.run(tmp_path, minutes=1, **budget))
    with (tmp_path / "counts.jsonl").open("ab") as file:
        file.write(b'{"part":"a","num')  # as a kill leaves it
    assert list(endure.run(tmp_path, minutes=0, **budget)) == []
    assert [name for name, _ in endure.run(tmp_path, minutes=1, **budget)] == ["a", "b"]
    assert caused == [(10, 0), (10, 10), (5, 20), (5, 20), (1, 0)]
    record = endure.Record(tmp_path / "counts.jsonl", budget)
    assert record.totals()["files of closes, malformed or in unusual dress"] == 26
    assert endure.Record(tmp_path / "counts.jsonl", budget | {"fuzz": 2}).number("a") == 0, "another budget"


def test_the_vendors_faults_leave_the_frozen_closes(tmp_path):
    assert damage.check_vendor(tmp_path / "raw") == 14
