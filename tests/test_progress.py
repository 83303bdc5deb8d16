"""Progress: what a reader sees in a terminal, in a log and from another process."""

import io
import re

import pytest

from helpers import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_whole_lines_with_the_best_and_the_time_left(monkeypatch):
    monkeypatch.setattr(progress, "LOG_EVERY", 0.0)
    file = io.StringIO()
    with progress.Bar(3, "search", file=file) as bar:
        bar.update(best=0.5)
        bar.update(best=0.25, failed=1)
        bar.update(best=0.25, failed=1)
    lines = file.getvalue().splitlines()
    assert len(lines) == 3 and "\r" not in file.getvalue()
    assert re.fullmatch(r"search: 1 of 3 trials, best MSE 0\.5, \d+:\d\d gone, about \d+:\d\d left", lines[0])
    assert lines[1].startswith("search: 2 of 3 trials, best MSE 0.25, 1 failed, ")
    assert lines[2].endswith("gone"), "nothing is left"


def test_a_log_is_not_flooded_but_its_last_step_is_there():
    file = io.StringIO()
    with progress.Bar(1000, "search", file=file) as bar:
        for _ in range(1000):
            bar.update()
    lines = file.getvalue().splitlines()
    assert lines[0].startswith("search: 1 of 1000") and lines[-1].startswith("search: 1000 of 1000")
    assert len(lines) <= 4


def test_a_terminal_redraws_one_line():
    file = Terminal()
    with progress.Bar(2, "search", unit="study", file=file) as bar:
        bar.update(best=0.125)
        bar.update(best=0.125)
    last = file.getvalue().rstrip("\n").split("\r")[-1]
    assert "search: 100% |" in last and "2 of 2 studies, best MSE 0.125" in last and "left" in last


def test_time_left_counts_work_where_steps_differ(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.Bar(2, "replay", work=100.0, file=io.StringIO()) as bar:
        now[0] = 30.0
        bar.update(work=75.0)
        assert bar.line() == "replay: 1 of 2 trials, 0:30 gone, about 0:10 left"


@pytest.mark.parametrize("settings", [{"shown": False}, {"done": 3}])
def test_nothing_is_shown_where_nothing_is_wanted_or_left(settings, tmp_path, monkeypatch):
    monkeypatch.setenv(progress.STATE_FILE, str(tmp_path / "state"))
    file = io.StringIO()
    with progress.Bar(3, "search", file=file, **settings) as bar:
        bar.update()
    assert file.getvalue() == "" and progress.state(tmp_path / "state") == ""


def test_another_process_reads_the_state(tmp_path, monkeypatch):
    monkeypatch.setenv(progress.STATE_FILE, str(tmp_path / "state"))
    assert progress.state(tmp_path / "state") == ""
    with progress.Bar(2, "search", file=io.StringIO()) as bar:
        bar.update(best=0.5)
    assert progress.state(tmp_path / "state") == "search 1 of 2 trials, best MSE 0.5"


def test_a_state_that_cannot_be_written_ends_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv(progress.STATE_FILE, str(tmp_path / "missing" / "state"))
    file = io.StringIO()
    with progress.Bar(1, "search", file=file) as bar:
        bar.update()
    assert "1 of 1 trials" in file.getvalue()


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3661, "1:01:01"), (-1, "0:00")])
def test_clock(seconds, text):
    assert progress.clock(seconds) == text


def test_items_come_one_by_one_with_a_bar(capsys):
    seen = [item for item in progress.each("abc", "letters", unit="letter")]
    assert seen == ["a", "b", "c"]
    assert "letters: 3 of 3 letters" in capsys.readouterr().err


def test_plural():
    assert [progress.plural(unit) for unit in ("trial", "study", "search")] == ["trials", "studies", "searches"]
