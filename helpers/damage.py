"""Damaged files, full disks and a failing vendor: each must be found or refused, named, and leave what was there."""

from __future__ import annotations

import contextlib
import json
import random
import re
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import doctor, journals, ledger, lines, paths, prices, study
from helpers.faults import Broken, records_of, require, run_ledger, run_study

# --- records ----------------------------------------------------------------------------------------------------------


def damage_lines(content: bytes, rng: random.Random) -> tuple[bytes, int]:
    """A file of lines with one random damage, and the offset from which on it differs."""
    at = rng.randrange(len(content))
    kind = rng.choice(["flip", "foreign", "line", "lost", "doubled", "zeros", "cut"])
    starts = [0, *(m.end() for m in re.finditer(b"\n", content))][:-1]
    start = rng.choice(starts[:-1])  # any line but the last: without it the file is a whole one of a shorter study
    end = content.index(b"\n", start) + 1
    # A line that could be a record but for its checksum.
    false = b'{"op_code":8,"trial_id":0,"status":"ok","epochs":1,"engine":"fast","data_sha256":"","mse":0.0}\n'
    damaged = {
        "flip": content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :],
        "foreign": content[:at] + b"foreign text" + content[at:],
        "line": content[:start] + false + content[start:],
        "lost": content[:start] + content[end:],
        "doubled": content[:end] + content[start:end] + content[end:],
        "zeros": content[:at] + bytes(min(512, len(content) - at)) + content[at + 512 :],
        "cut": content[: at if content[at - 1 : at] != b"\n" and at else len(content) - 1],
    }[kind]
    differs = next((i for i, (a, b) in enumerate(zip(content, damaged, strict=False)) if a != b), min(at, len(damaged)))
    if kind == "cut":
        differs = len(damaged)
    return damaged, differs


def check_damage(whole: Path, folder: Path, *, cases: int, seed: int) -> int:
    """Damage copies of a journal or a ledger at random: each must be found, at its line, and what is before it kept.

    Returns
    -------
    int
        Damaged files tried.
    """
    rng, content, tried = random.Random(seed), whole.read_bytes(), 0
    is_study = whole.suffix == ".journal"
    is_record = journals.is_record if is_study else doctor.record_check(whole)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / whole.name
    while tried < cases:
        damaged, at = damage_lines(content, rng)
        path.write_bytes(damaged)
        tried += 1
        found = lines.scan(path, is_record=is_record)
        line = content[:at].count(b"\n") + 1
        where = f"damage number {tried}, in line {line} of {whole.name},"
        require(bool(found.damage), f"{where} was not found")
        # The damaged line itself, or the next where the damage swallowed a line's own mark.
        require(line <= found.lines + 1 <= line + 1, f"{where} was found in line {found.lines + 1}")
        if not found.cut:
            try:
                study.load(path.stem, folder) if is_study else ledger.read(path, is_record=is_record)
            except (study.StudyError, ledger.LedgerError) as error:
                require(f"line {found.lines + 1} is damaged" in str(error), f"{where} was told otherwise: {error}")
            else:
                raise Broken(f"{where} was read silently")
        journals.repair(path, damaged=not found.cut) if is_study else ledger.repair(path, is_record=is_record)
        kept = path.read_bytes()
        require(content.startswith(kept) and kept.count(b"\n") == found.lines, f"{where} was kept")
        if not is_study:
            require(len(ledger.read(path, is_record=is_record)) == found.lines, f"{where} made whole records unusable")
        for copy in folder.glob("*.damaged*"):
            copy.unlink()
    return tried


# --- what is made of them ---------------------------------------------------------------------------------------------


def check_files(made: Path, folder: Path, *, cases: int, seed: int) -> int:
    """Damage figures, tables, index entries, notebooks and forecasts of a reproduction at random: `doctor` names each.

    Half are cut off somewhere, as by a write that was interrupted; of those with a checksum half have a flipped bit.

    Parameters
    ----------
    made : pathlib.Path
        Folder of a finished reproduction; it is copied.
    folder : pathlib.Path
        To work in.

    Returns
    -------
    int
        Damaged files tried.
    """
    rng, outputs = random.Random(seed), paths.Outputs(folder / "made")
    shutil.copytree(made, outputs.root, ignore=shutil.ignore_patterns("build"))
    nowhere = folder / "none"
    _, before = doctor.examine(outputs, raw=nowhere)
    require(not before, f"the undamaged reproduction is suspected: {before[:1]}")
    entries = [json.loads(p.read_text("utf-8")) for p in (outputs.figures / "index").glob("*.json")]
    summed = {outputs.figures / name for entry in entries for name in entry.get("sha256", {})}
    studies = outputs.root / "data" / "studies"
    summed |= set(studies.rglob("*.npz"))
    others = {*(outputs.figures / "index").glob("*.json"), *outputs.rendered.glob("*.ipynb")}
    candidates = sorted(summed | others)
    require(len(candidates) > 0, "there is nothing to damage")
    for number in range(cases):
        path = rng.choice(candidates)
        whole = path.read_bytes()
        if path in summed and rng.random() < 0.5:
            at = rng.randrange(len(whole))
            damaged = whole[:at] + bytes([whole[at] ^ (1 << rng.randrange(8))]) + whole[at + 1 :]
        else:
            damaged = whole[: rng.randrange(len(whole.rstrip()))]
        path.write_bytes(damaged)
        _, found = doctor.examine(outputs, raw=nowhere)
        path.write_bytes(whole)
        named = [finding for finding in found if finding.path == path]
        require(bool(named), f"damage number {number + 1}, to {path.name}, was not found")
        require(all(finding.do for finding in named), f"nothing is said on what to do about {path.name}")
    shutil.rmtree(outputs.root)
    return cases


# --- disks ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file can grow beyond `room` bytes meanwhile: to whoever writes, a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fill_disk(folder: Path, *, cases: int, seed: int) -> int:
    """Studies and ledgers on a disk that fills at a random byte: said in a sentence, whole records stay, it goes on.

    Returns
    -------
    int
        Writes that failed.
    """
    rng = random.Random(seed)
    trials = {"generator": 10, "trainings": 12}
    run_study("generator", folder / "whole", trials=trials["generator"])
    run_ledger("trainings", folder / "whole", trials=trials["trainings"])
    expected = records_of(folder / "whole")
    for number in range(cases):
        place = folder / f"full-{number}"
        run: Callable[..., object] = run_ledger if number % 2 else run_study
        kind, name = ("trainings", "trainings.jsonl") if number % 2 else ("generator", "s.journal")
        run(kind, place, trials=3)
        before = (place / name).read_bytes()
        whole = (folder / "whole" / name).stat().st_size
        with full_disk(len(before) + rng.randrange(max(1, whole - len(before) - 1))):
            try:
                run(kind, place, trials=trials[kind])
            except (study.StudyError, ledger.LedgerError) as error:
                require("cannot be written" in str(error) and "\n" not in str(error), f"no sentence: {error}")
            else:
                raise Broken(f"{name} was written on a full disk")
        after = place / name
        require(after.read_bytes().startswith(before), f"{name}: what was recorded before is lost")
        require(not lines.scan(after).damage, f"{name}: part of a record was left")
        run(kind, place, trials=trials[kind])
        require(records_of(place) == {name: expected[name]}, f"{name}: the record differs after a full disk")
        shutil.rmtree(place)
    return cases


# --- the vendor -------------------------------------------------------------------------------------------------------


def vendor_faults(close: pd.Series) -> dict[str, Callable[[str], pd.DataFrame | None]]:
    """Answers of Yahoo Finance that must not replace frozen closes `close`, by what is wrong with them."""
    from yfinance.exceptions import YFRateLimitError

    def answer(series: pd.Series, name: str = "Close") -> Callable[[str], pd.DataFrame]:
        return lambda symbol: pd.DataFrame({name: series.to_numpy()}, index=series.index)

    def failing(error: Exception) -> Callable[[str], pd.DataFrame]:
        def fetch(symbol: str) -> pd.DataFrame:
            raise error

        return fetch

    revised = close.copy()
    revised.iloc[42] *= 1.0001
    other = answer(close)("")
    other.columns = pd.MultiIndex.from_tuples([("Close", "^DJI")])
    return {
        "no network": failing(ConnectionError("Could not resolve host")),
        "no answer in time": failing(TimeoutError("timed out")),
        "rate limited": failing(YFRateLimitError()),
        "empty": lambda symbol: pd.DataFrame(),
        "nothing": lambda symbol: None,
        "renamed column": answer(close, "Last"),
        "columns of another symbol": lambda symbol: other,
        "missing close": answer(close.where(close.index != close.index[7])),
        "negative closes": answer(-close),
        "too few": answer(close.iloc[:50]),
        "backwards": answer(close.iloc[::-1]),
        "a split halves the past": answer(pd.concat([close.iloc[:500] / 2, close.iloc[500:]])),
        "a revised close": answer(revised),
        "a lost last day": answer(close.iloc[:-1]),
    }


def check_vendor(folder: Path) -> int:
    """Freeze closes, then let each of `vendor_faults` answer; how many were refused.

    Raises
    ------
    Broken
        If one is accepted, refused in no sentence, or changes a file.
    """
    days = pd.bdate_range("2000-01-03", periods=prices.MIN_ROWS + 20, name="Date")
    close = pd.Series(100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, len(days)))), index=days)
    prices.download(folder=folder, fetch=lambda _: pd.DataFrame({"Close": close}))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    faults = vendor_faults(close)
    for what, fetch in faults.items():
        try:
            prices.download(folder=folder, fetch=fetch, sleep=lambda seconds: None)
        except prices.PricesError as error:
            require("\n" not in str(error) and str(error).endswith("."), f"{what}: no sentence: {error}")
        else:
            raise Broken(f"{what}: it was accepted")
        require({p: p.read_bytes() for p in folder.iterdir()} == before, f"{what}: frozen files were changed")
    return len(faults)
