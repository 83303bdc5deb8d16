"""On which closes the records of a profile were made; records on others are set aside whole, and come back.

A study refuses to go on with other closes, and with it a notebook, minutes into a run. `settle` says so before anything
runs. The closes are known by the SHA-256 of those up to a protocol's `as_of`, which every record carries, and in words
by `closes.json` beside the records.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from helpers import figures, paths, prices, validity
from helpers.paths import Outputs
from helpers.prices import Prices
from helpers.study import closes_text

MARK = "closes.json"


class RecordsError(ValueError):
    """Records that a run cannot go on with; the message is one sentence for the reader."""


def digest(data: Prices, as_of: str) -> str:
    """SHA-256 of the closes up to a day, as a `windows.Dataset` has it."""
    return prices.closes_sha256(data.close[data.close.index <= pd.Timestamp(as_of)])


def recorded(folder: Path) -> dict[str, str]:
    """SHA-256 of the closes that the records of a profile were made on -> these closes in words, "" if not known.

    Those of the profile's own index alone: names that begin with `validity` belong to several series (`series`). What
    is damaged is passed over; whoever reads it says so.
    """
    found: dict[str, str] = {}
    for path in sorted([*folder.glob("*.journal"), *folder.glob("*.jsonl")]):
        if not path.name.startswith("validity"):
            for sha256, words in _of(path):
                found[sha256] = found.get(sha256) or words
    mark = _mark(folder)
    if mark["sha256"] and (found or files(folder)):
        found[mark["sha256"]] = found.get(mark["sha256"]) or mark["closes"]
    return found


def series(folder: Path, name: str) -> dict[str, str]:
    """The same of the studies of the series `name` in notebook 08."""
    names = [validity.study_name(name, target) for target in validity.TARGETS]
    return dict(one for study in names for one in _of(folder / f"{study}.journal"))


def files(folder: Path) -> list[Path]:
    """What lies in a folder of records, but for its mark."""
    return [path for path in folder.iterdir() if path.name != MARK] if folder.is_dir() else []


def _mark(folder: Path) -> dict[str, str]:
    try:
        content = json.loads((folder / MARK).read_text(encoding="utf-8"))
        return {"sha256": str(content["sha256"]), "closes": str(content["closes"])}
    except (OSError, ValueError, LookupError, TypeError):
        return {"sha256": "", "closes": ""}


def _of(path: Path) -> Iterator[tuple[str, str]]:
    """(SHA-256, words) of the closes that one file's first lines name."""
    try:
        with open(path, "rb") as file:
            head = [json.loads(line) for line in itertools.islice(file, 12 if path.suffix == ".journal" else 1)]
    except (OSError, ValueError, RecursionError):
        return
    words = ""
    for line in (line for line in head if isinstance(line, Mapping)):
        attributes = line.get("user_attr") if path.suffix == ".journal" else line.get("problem", line)
        if not isinstance(attributes, Mapping):
            continue
        words = str(attributes.get("closes", words))
        identity = attributes.get("identity")
        sha256 = identity.get("data") if isinstance(identity, Mapping) else attributes.get("data_sha256")
        if isinstance(sha256, str) and len(sha256) == 64:
            yield sha256, words


def _all_text(closes: Mapping[str, str]) -> str:
    return " and on ".join(closes_text(words, sha256) for sha256, words in closes.items())


def _shown(folder: Path) -> str:
    return os.path.relpath(folder, paths.ROOT) if folder.is_relative_to(paths.ROOT) else folder.name


def settle(
    outputs: Outputs, profile: str, data: Prices, as_of: str, *, others: Sequence[Prices] = (), train: bool = True
) -> list[str]:
    """See to it that the records of a profile are those of the closes about to be used, or that there are none.

    Records on other closes move whole to `<profile>.on-<first 8 digits of their SHA-256>` beside them, and those made
    on these closes before, if such a folder is there, move back. The committed records are never moved.

    Parameters
    ----------
    outputs : helpers.paths.Outputs
    profile : str
    data : Prices
        The closes of the profile's index.
    as_of : str
        Last day used.
    others : sequence of Prices
        Closes of the other series of notebook 08.
    train : bool
        False reads only: nothing is moved.

    Returns
    -------
    list of str
        One sentence for each thing that was moved.

    Raises
    ------
    RecordsError
        Records on other closes that are committed or only to be read; none to read; records on other closes of one of
        `others`.
    """
    folder, ours = outputs.studies(profile), digest(data, as_of)
    here = closes_text(data.caption, ours)
    found = recorded(folder)
    strange = {sha256: words for sha256, words in found.items() if sha256 != ours}
    before = _all_text(strange)
    committed = profile == "full" and outputs.root == paths.ROOT
    back = folder.with_name(f"{profile}.on-{ours[:8]}")
    if not train and not found and not files(folder):
        raise RecordsError(f"There are no records in {_shown(folder)} to draw from; `make reproduce` makes them.")
    if strange and (committed or not train):
        own = f"; `make reproduce PROFILE={profile}` begins anew with these and keeps those" if not committed else ""
        own = own or ", or `make reproduce`, which trains everything again, begins records of your own with these"
        raise RecordsError(
            f"The {'committed ' if committed else ''}records in {_shown(folder)} were made on {before}, and the closes "
            f"at hand are {here}: import the former with `make data CSV=path FORCE=1`{own}."
        )
    for other in others:
        name, now = prices.index_name(other.symbol), digest(other, as_of)
        strangers = {sha256: words for sha256, words in series(folder, name).items() if sha256 != now}
        if strangers and not strange:  # what is set aside is no hindrance
            raise RecordsError(
                f"The records of {name} in {_shown(folder)} were made on "
                f"{_all_text(strangers)}, and the closes at hand are {closes_text(other.caption, now)}: import the "
                f"former with `make data SYMBOL={other.symbol} CSV=path FORCE=1`, or remove "
                f"{_shown(folder)}/validity_* to begin these anew."
            )
    if not train:
        return []
    said = []
    if strange:
        aside = _free(folder.with_name(f"{profile}.on-{'-and-'.join(sorted(s[:8] for s in found))}"))
        os.rename(folder, aside)
        comes = "they come back with those closes" if len(found) == 1 else "of different closes, they stay there"
        said.append(
            f"The records in {_shown(folder)} were made on {before} and are set aside whole in "
            f"{_shown(aside)}; {comes}."
        )
    if back.is_dir() and not files(folder):
        shutil.rmtree(folder, ignore_errors=True)  # a mark alone
        os.rename(back, folder)
        said.append(f"The records made on these closes before are back in {_shown(folder)}, from {_shown(back)}.")
    mark = {"sha256": ours, "closes": data.caption}
    if _mark(folder) != mark:
        figures.write_aside(folder / MARK, (json.dumps(mark, indent=1) + "\n").encode())
    return said


def same_closes(folder: Path, data: Prices, as_of: str) -> None:
    """See to it that what is added to a folder of records is on the closes of those that are there.

    Raises
    ------
    RecordsError
        If it is not: records on different closes in one folder can be drawn by none.
    """
    ours = digest(data, as_of)
    if strange := {sha256: words for sha256, words in recorded(folder).items() if sha256 != ours}:
        raise RecordsError(
            f"The records in {_shown(folder)} were made on {_all_text(strange)}, and the closes at hand are "
            f"{closes_text(data.caption, ours)}: import the former with `make data CSV=path FORCE=1`, or write "
            "elsewhere with --output."
        )


def _free(path: Path) -> Path:
    """`path`, or where that is taken, with a number."""
    numbered = (path.with_name(f"{path.name}-{number}") for number in itertools.count(2))
    return next(one for one in itertools.chain([path], numbered) if not one.exists())
