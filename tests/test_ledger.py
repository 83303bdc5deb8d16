"""The ledger of trainings: nothing twice, nothing lost, nothing of other closes, no close given away."""

from __future__ import annotations

import errno
import fcntl
import json
import resource
import subprocess
import sys

import numpy as np
import pytest

from helpers import contest, doctor, ledger, lines, paths
from helpers.ledger import LedgerError, Training
from helpers.space import LstmConfig
from helpers.trial import TrialResult
from helpers.windows import Dataset, protocol

CONFIGS = [LstmConfig(1, units, 0.01, 64, 3, 0.1) for units in (2, 3)]


class Worker:
    """Yesterday's close plus 1 % stands in for a network; counts its trainings."""

    def __init__(self, count: list, fail_at: int | None = None):
        self.count, self.fail_at = count, fail_at

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def close(self):
        pass

    def evaluate(self, config, dataset, *, epochs, seed, engine, stage, keep_predictions):
        if self.fail_at == len(self.count):
            raise KeyboardInterrupt
        self.count.append((config, seed))
        w = dataset.windows(config.sequence_length, stage=stage)
        points = w.to_points(w.naive) * 1.01
        scaled = ((points - w.low) / (w.high - w.low)).astype(np.float32)
        metrics = dict.fromkeys(
            ("mse", "rmse", "mae", "r2", "mse_points", "rmse_points", "mae_points"), float(config.units)
        )
        return TrialResult("ok", **metrics, seconds=1.0, predictions=scaled if keep_predictions else None)


@pytest.fixture
def datasets(short_prices):
    return lambda name, p: Dataset(short_prices, p, max_sequence_length=20)


def trainings(**changes):
    p = protocol("clean", as_of="2024-12-31")
    return [Training("s", p, c, s, **changes) for c in CONFIGS for s in (0, 1)]


def complete(path, wanted, datasets, count, **options):
    fail_at = options.pop("fail_at", None)
    options = {"jobs": 1, "progress": False, "evaluator": lambda: Worker(count, fail_at)} | options
    return ledger.complete(path, wanted, datasets, **options)


def test_each_training_once_in_the_order_asked_for(tmp_path, datasets):
    path, count = tmp_path / "a.jsonl", []
    found = complete(path, trainings(), datasets, count)
    assert [(o.training.config, o.training.seed) for o in found] == [(c, s) for c in CONFIGS for s in (0, 1)]
    assert [o.metrics["mse"] for o in found] == [2, 2, 3, 3] and len(count) == 4
    complete(path, trainings()[::-1], datasets, count, train=False)
    assert len(count) == 4


def test_interrupted_it_goes_on_with_what_is_missing(tmp_path, datasets):
    path, count = tmp_path / "a.jsonl", []
    with pytest.raises(KeyboardInterrupt):
        complete(path, trainings(), datasets, count, fail_at=2)
    with path.open("ab") as file:  # a line that a kill cut short
        file.write(b'{"key": "half')
    found = complete(path, trainings(), datasets, count)
    assert len(count) == 4 and all(o.ok for o in found)
    assert len(ledger.read(path)) == 4


def test_forecasts_come_back_with_the_closes_and_are_no_closes(tmp_path, datasets, short_prices):
    path = tmp_path / "a.jsonl"
    wanted = trainings(keep=True)[:1]
    (found,) = complete(path, wanted, datasets, [])
    dataset = datasets("s", wanted[0].protocol)
    yesterday = dataset.close.to_numpy()[dataset.test_targets("final") - 1]
    assert found.forecast(yesterday) == pytest.approx(1.01 * yesterday, rel=1e-6)
    assert found.change == pytest.approx(np.full(len(yesterday), 0.01), abs=1e-5), "changes alone are recorded"
    with pytest.raises(LedgerError, match="not recorded for these days"):
        found.forecast(yesterday[:-1])


def test_a_record_without_forecasts_is_trained_again_where_they_are_wanted(tmp_path, datasets):
    path, count = tmp_path / "a.jsonl", []
    complete(path, trainings(), datasets, count)
    assert all(o.change is not None for o in complete(path, trainings(keep=True), datasets, count))
    assert len(count) == 8


def test_other_closes_budget_and_missing_records_are_refused(tmp_path, datasets):
    from tests.conftest import make_prices

    path, other = tmp_path / "a.jsonl", make_prices(seed=1)
    complete(path, trainings(), datasets, [])
    with pytest.raises(LedgerError, match="on other closes"):
        complete(path, trainings(), lambda n, p: Dataset(other, p, max_sequence_length=20), [])
    series = datasets("s", trainings()[0].protocol).prices
    with pytest.raises(LedgerError, match=r"other longest window \(20 instead of 25\)"):
        complete(path, trainings(), lambda n, p: Dataset(series, p, max_sequence_length=25), [])
    with pytest.raises(LedgerError, match=r"other number of epochs \(10 instead of 3\)"):
        complete(path, trainings(), datasets, [], epochs=3)
    with pytest.raises(LedgerError, match=r"4 of 4 trainings are not recorded in b\.jsonl"):
        complete(tmp_path / "b.jsonl", trainings(), datasets, [], train=False)


def test_a_later_protocol_field_leaves_old_keys_as_they_are():
    key = json.loads(trainings()[0].key)
    assert key[1] == {"name": "clean", "scale_on": "train", "tune_on": "validation"}


def bare(content):
    """As by a program that knows no checksums."""
    return b"".join(lines._TAIL.sub(b"}\n", line) for line in content.splitlines(keepends=True))


DAMAGE = {
    "a flipped digit": (lambda c: c.replace(b'"mse":3.0', b'"mse":2.0', 1), 1, "its checksum does not fit"),
    "a flipped bit": (lambda c: c[:-40] + bytes([c[-40] ^ 1]) + c[-39:], 4, "its checksum does not fit|no record"),
    "foreign text": (lambda c: c.replace(b"\n", b"\nforeign text\n", 1), 2, "it is no record"),
    "another program's line": (lambda c: c.replace(b"\n", b'\n{"mse":1}\n', 1), 2, "it is no record"),
    "a bare line": (lambda c: c + bare(c.splitlines(True)[0]), 5, "it has no checksum"),
    "no checksums": (bare, 1, "it has no checksum"),
    "a lost line": (lambda c: b"".join(c.splitlines(True)[1:]), 1, "its checksum does not fit"),
    "a doubled line": (lambda c: c.splitlines(True)[0] + c, 2, "its checksum does not fit"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named_by_its_line_and_repaired_on_request(tmp_path, datasets, damage):
    change, line, said = DAMAGE[damage]
    path, count = tmp_path / "a.jsonl", []
    whole = complete(path, trainings(), datasets, count)
    records, sound = ledger.read(path), path.read_bytes()
    path.write_bytes(change(sound))
    assert path.read_bytes() != sound
    for use in (ledger.read, lambda p: complete(p, trainings(), datasets, count)):
        with pytest.raises(LedgerError, match=rf"a\.jsonl, line {line} is damaged, ({said}).*make doctor REPAIR="):
            use(path)
    assert ledger.repair(path) and not ledger.repair(path)
    assert (tmp_path / "a.jsonl.damaged").read_bytes() == change(sound), "the file as it was stays"
    assert ledger.read(path) == records[: line - 1], "whole records before the damage are usable"
    again = complete(path, trainings(), datasets, count)
    assert [o.metrics for o in again] == [o.metrics for o in whole]
    assert len(count) == 4 + 4 - min(line - 1, 4)


@pytest.mark.parametrize("path", sorted((paths.DATA / "studies").rglob("*.jsonl")), ids=lambda p: p.stem)
def test_the_committed_records_are_whole(path):
    assert ledger.read(path, is_record=contest.is_record if path.name.startswith("contest_") else ledger.is_record)


def test_two_processes_do_not_write_one_ledger(tmp_path, datasets):
    """The second is told, trains nothing, and may read; when the first is gone, also killed, it goes on."""
    path = tmp_path / "a.jsonl"
    complete(path, trainings()[:2], datasets, [])
    holding = "import sys, pathlib, time\nfrom helpers import ledger\n"
    holding += "with ledger.appending(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
    with subprocess.Popen([sys.executable, "-c", holding, str(path)], stdout=subprocess.PIPE, cwd=paths.ROOT) as first:
        assert first.stdout.readline() == b"held\n"
        count = []
        for use in (lambda: complete(path, trainings(), datasets, count), lambda: ledger.repair(path)):
            with pytest.raises(LedgerError, match=r"a\.jsonl is being written by another process"):
                use()
        assert doctor.main(["--repair", str(path)]) == 2
        assert count == [] and len(ledger.read(path)) == 2
        first.kill()
    assert len(complete(path, trainings(), datasets, count)) == 4 and len(count) == 2


def test_a_ledger_is_held_on_nfs_too(tmp_path, datasets, nfs):
    path = tmp_path / "a.jsonl"
    assert len(complete(path, trainings(), datasets, [])) == 4
    assert not ledger.repair(path)


def test_where_locks_are_not_supported_it_is_said(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"

    def none(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with (
        pytest.raises(LedgerError, match=r"^a\.jsonl cannot be held against other processes: No locks available\.$"),
        ledger.appending(path),
    ):
        pass


def test_a_disk_that_fills_leaves_whole_records(tmp_path, datasets):
    path, count = tmp_path / "a.jsonl", []
    complete(path, trainings()[:1], datasets, [])
    before = path.read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + len(before) // 2, limit[1]))  # half a line more
    try:
        with pytest.raises(LedgerError, match=r"a\.jsonl cannot be written: .*; the trials that are recorded stay"):
            complete(path, trainings(), datasets, count)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert count and path.read_bytes() == before
    assert len(complete(path, trainings(), datasets, [])) == 4


@pytest.mark.parametrize("jobs", [0, -1, True, 1.5, "2"])
def test_a_number_of_workers_that_trains_nothing_is_refused(tmp_path, datasets, jobs):
    said, path = rf"^jobs must be a whole number of at least 1, not {jobs!r}\.$", tmp_path / "a.jsonl"
    with pytest.raises(LedgerError, match=said):
        complete(path, trainings(), datasets, [], jobs=jobs, train=False)  # ends in any case
    with pytest.raises(LedgerError, match=said):
        ledger.train_all([1], lambda worker, task: None, evaluator=lambda: Worker([]), jobs=jobs)
    assert not path.exists()


@pytest.mark.parametrize("order", [1, -1])
def test_forecasts_asked_for_once_are_recorded(tmp_path, datasets, order):
    """The same training is also asked for without them, before or after."""
    path, count = tmp_path / "a.jsonl", []
    kept, bare = trainings(keep=True)[:1], trainings()[:1]
    found = complete(path, (kept + bare)[::order], datasets, count)[::order]
    assert found[0].change is not None and found[1].change is None and found[0].metrics == found[1].metrics
    assert len(count) == len(ledger.read(path)) == 1 and "change" in ledger.read(path)[0]


def test_a_failing_worker_ends_the_others(tmp_path, datasets):
    closed = []

    class Watched(Worker):
        def close(self):
            closed.append(self)

    with pytest.raises(KeyboardInterrupt):
        complete(tmp_path / "a.jsonl", trainings(), datasets, [], jobs=2, evaluator=lambda: Watched([], 0))
    assert len(closed) == 2


def test_another_engine_is_refused(tmp_path, short_prices):
    def datasets(_, p):
        return Dataset(short_prices, p, max_sequence_length=20)

    complete(tmp_path / "a.jsonl", trainings(), datasets, [])
    with pytest.raises(ledger.LedgerError, match="other engine"):
        complete(tmp_path / "a.jsonl", trainings(), datasets, [], engine="keras")
