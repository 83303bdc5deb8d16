"""Looks at everything that was measured and made, and says what is damaged, where, and what to do.

    python -m helpers.doctor [--output FOLDER] [--repair JOURNAL]

It reads only. `--repair` cuts a damaged journal (or file of JSON lines) back to the whole lines before the damage and
keeps the file as it was beside it.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import logging
import os
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from helpers import contest, figures, journals, ledger, lines, paths, prices, records, study
from helpers.paths import Outputs

log = logging.getLogger(__name__)

AGAIN = "make it again with `make figures`, or take it from git"


class Finding(NamedTuple):
    """One thing that is wrong.

    Attributes
    ----------
    path : pathlib.Path
    line : int
        From 1; 0 where a file has no lines.
    what : str
        What is wrong.
    do : str
        What to do about it.
    """

    path: Path
    line: int
    what: str
    do: str

    def __str__(self) -> str:
        where = os.path.relpath(self.path, paths.ROOT) if self.path.is_relative_to(paths.ROOT) else str(self.path)
        return f"{where}{f', line {self.line}' if self.line else ''}: {self.what}; {self.do}."


def examine(outputs: Outputs | None = None, *, raw: Path = paths.RAW) -> tuple[dict[str, int], list[Finding]]:
    """Check all that lies under `outputs`, and the frozen closes.

    Parameters
    ----------
    outputs : helpers.paths.Outputs, optional
        The repository unless given.
    raw : pathlib.Path
        Where frozen closes lie.

    Returns
    -------
    counts : dict of str to int
        Files looked at, by kind.
    findings : list of Finding
        Empty if all is well.
    """
    outputs = outputs or paths.outputs()
    studies, made = outputs.root / "data" / "studies", outputs.figures
    collected = outputs.root / "data" / "benchmark" / "records"
    kinds: dict[str, tuple[Sequence[Path], Callable[[Path], Iterator[Finding]]]] = {
        "series of closes": (sorted([*raw.glob("*.csv"), *raw.glob("*.sha256")]), _closes),
        "journals": (sorted(studies.rglob("*.journal")), _journal),
        "files of JSON lines": (sorted([*studies.rglob("*.jsonl"), *collected.glob("*.jsonl")]), _json_lines),
        "forecasts": (sorted(studies.rglob("*.npz")), _forecasts),
        "pictures": (sorted(p for end in ("png", "svg") for p in made.rglob(f"*.{end}")), _picture),
        "tables": (sorted([*made.rglob("*.csv"), *studies.rglob("*.csv"), *_published(outputs)]), _table),
        "index entries": (sorted((made / "index").glob("*.json")), _entry),
        "rendered notebooks": (sorted(outputs.rendered.glob("*.ipynb")), _notebook),
    }
    counts, findings = {}, []
    for kind, (files, check) in kinds.items():
        counts[kind] = len(files)
        for path in files:
            try:
                findings += list(check(path))
            except OSError as error:
                findings.append(Finding(path, 0, f"it cannot be read: {error.strerror}", "see to the file or the disk"))
    for folder in sorted(studies.glob("*")):
        closes = records.recorded(folder)
        if len(closes) > 1:
            what = f"its records were made on different closes ({', '.join(sha256[:8] for sha256 in closes)})"
            findings.append(Finding(folder, 0, what, "set it aside: `make reproduce` does, or rename the folder"))
    findings += [
        Finding(path, 0, "an interrupted write left it", "remove it")
        for folder in (studies, made, outputs.rendered, raw)
        for path in sorted(folder.rglob("*") if folder.is_dir() else ())
        if re.fullmatch(r"\..+\.\d+(\.[0-9a-f]{8})?|.+\.aside\.npz", path.name)
    ]
    return counts, findings


def _published(outputs: Outputs) -> list[Path]:
    """Tables that are data: those of the papers, and the benchmark's, packed or not."""
    data = outputs.root / "data"
    return [*(data / "published").glob("*.csv"), *(data / "benchmark").glob("*.csv*")]


def _closes(path: Path) -> Iterator[Finding]:
    """The checksum stands beside the closes; one without the other is damage as well."""
    record, symbol = path.with_suffix(".provenance.json"), path.stem
    try:
        symbol = json.loads(record.read_text(encoding="utf-8"))["symbol"]
    except (OSError, ValueError, LookupError, TypeError):
        symbol = f"^{symbol}" if f"^{symbol}" in prices.INDEX_NAMES else symbol
    if path.suffix == ".sha256":
        if not path.with_suffix(".csv").exists():
            yield Finding(path, 0, "its closes are missing", f"`make data SYMBOL={symbol}`")
        return
    try:
        prices.load(symbol, source="raw", folder=path.parent)
    except prices.PricesError as error:
        line = re.search(r"line (\d+)", str(error))
        yield Finding(path, int(line[1]) if line else 0, *_split(str(error)))


def _split(message: str) -> tuple[str, str]:
    what, _, do = message.rstrip(".").rpartition("; ")
    return (what, do) if what else (do, "make it again: `make data`")


def _journal(path: Path) -> Iterator[Finding]:
    found = lines.scan(path, is_record=journals.is_record)
    if found.damage:
        yield _damaged(path, found)
        return
    if found.lines == 0:
        yield Finding(path, 0, "it is empty", "remove it")
        return
    try:
        recorded = study.records(study.load(path.stem, path.parent))
    except Exception as error:  # whole lines that tell no study raise whatever Optuna stumbles over
        yield Finding(path, 0, f"it tells no study: {type(error).__name__}: {error}", "restore it, or remove it")
        return
    good = recorded["status"] == "ok"
    for number in recorded.loc[good & recorded["mse"].isna(), "iteration"]:
        yield Finding(path, 0, f"trial {number} is finished and has no MSE", "restore it, or remove it")


def _damaged(path: Path, found: lines.Scan) -> Finding:
    kept = f"the {found.lines} lines before it stay"
    if found.cut:
        do = f"nothing: the next run cuts it off, {kept}"
    else:
        do = f"restore the file, or `make doctor REPAIR={os.path.relpath(path)}`: {kept}"
    return Finding(path, found.lines + 1, found.damage, do)


def record_check(path: Path) -> ledger.Check:
    """Whether the content of a line can be a record of a file, by the file's name."""
    return contest.is_record if path.name.startswith("contest_") else ledger.is_record


def _json_lines(path: Path) -> Iterator[Finding]:
    found = lines.scan(path, is_record=record_check(path))
    if found.damage:
        yield _damaged(path, found)


def _forecasts(path: Path) -> Iterator[Finding]:
    import numpy as np

    do = "remove it: the winner is trained again where it is needed"
    if path.name.endswith(".aside.npz"):
        return
    try:
        with np.load(path, allow_pickle=False) as file:  # reading a member checks its CRC-32
            values = {key: file[key] for key in file.files}
    except (
        OSError,
        ValueError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        KeyError,
        SyntaxError,
    ) as error:
        yield Finding(path, 0, f"it is no whole archive of arrays: {type(error).__name__}", do)
        return
    for key, value in values.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            yield Finding(path, 0, f"{key} is not finite", do)


def _picture(path: Path) -> Iterator[Finding]:
    content = path.read_bytes()
    if path.suffix == ".png":
        what = _png(content)
    else:
        try:
            what = "" if ElementTree.fromstring(content).tag.endswith("svg") else "it is no SVG picture"
        except ElementTree.ParseError as error:
            yield Finding(path, error.position[0], "it is no whole SVG picture", AGAIN)
            return
    if what:
        yield Finding(path, 0, what, AGAIN)


def _png(content: bytes) -> str:
    """What is wrong with a PNG file: its signature, a chunk's length or CRC-32, or its end."""
    if content[:8] != b"\x89PNG\r\n\x1a\n":
        return "it is no PNG picture"
    at, kind = 8, b""
    while kind != b"IEND":
        if len(content) < at + 12:
            return "the picture is cut off"
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        chunk = content[at + 4 : at + 8 + size]
        if len(content) < at + 12 + size:
            return "the picture is cut off"
        if struct.pack(">I", zlib.crc32(chunk)) != content[at + 8 + size : at + 12 + size]:
            return "the picture is damaged (its CRC-32 differs)"
        at += 12 + size
    return "" if at == len(content) else "something follows the picture's end"


def _table(path: Path) -> Iterator[Finding]:
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
    except UnicodeDecodeError as error:
        yield Finding(path, error.object[: error.start].count(b"\n") + 1, "it is not UTF-8 text", AGAIN)
        return
    except (EOFError, gzip.BadGzipFile, zlib.error):  # reading checks its CRC-32
        yield Finding(path, 0, "the packed table is damaged", "take it from git")
        return
    if not text.endswith("\n"):
        yield Finding(path, text.count("\n") + 1, "the last line is incomplete", AGAIN)
        return
    reader = csv.reader(io.StringIO(text), strict=True)
    width = 0
    try:
        for row in reader:
            width = width or len(row)
            if len(row) != width:
                what = f"{len(row)} fields where the header has {width}"
                yield Finding(path, reader.line_num, what, AGAIN)
                return
    except csv.Error as error:
        yield Finding(path, reader.line_num, f"it is no CSV: {error}", AGAIN)


def _entry(path: Path) -> Iterator[Finding]:
    """An entry of the index names its files and their checksums."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        files, sums = list(entry["files"]), dict(entry.get("sha256", {}))
        if not figures.is_entry(entry):
            raise ValueError
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        yield Finding(path, getattr(error, "lineno", 0), "it is no entry of the index", AGAIN)
        return
    for name in files:
        file = path.parent.parent / name
        if not file.is_file():
            yield Finding(file, 0, "it is missing", AGAIN)
        elif name in sums and hashlib.sha256(file.read_bytes()).hexdigest() != sums[name]:
            yield Finding(file, 0, "it is not the file that was made (its checksum differs)", AGAIN)


def _notebook(path: Path) -> Iterator[Finding]:
    import nbformat

    try:
        content = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        nbformat.validate(content)
    except (ValueError, AttributeError, KeyError, TypeError, nbformat.ValidationError) as error:
        cause = error.__cause__ or error.__context__ or error
        yield Finding(path, getattr(cause, "lineno", 0), "it is no whole notebook", "execute it again: `make figures`")
        return
    for number, cell in enumerate(content.cells, start=1):
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            yield Finding(path, 0, f"cell {number} ended with an error", "execute it again: `make figures`")
    shown = json.dumps(content.cells[-1].get("outputs", [])) if content.cells else ""
    if "Data (SHA-256)" not in shown:
        yield Finding(path, 0, "it ends without a stamp of what made it", "execute it again: `make figures`")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 0 if nothing is wrong, 1 if something is, 2 if what was asked cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m helpers.doctor", description="Say what is damaged.")
    parser.add_argument("--output", default="", help="folder to look at, relative to the repository")
    parser.add_argument("--repair", default="", metavar="FILE", help="cut a damaged journal back to its whole lines")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        if options.repair:
            return _repair(Path(options.repair))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    counts, findings = examine(paths.outputs(options.output))
    log.info("Looked at %s.", ", ".join(f"{number} {kind}" for kind, number in counts.items()))
    for finding in findings:
        log.info("%s", finding)
    log.info("%s", f"{len(findings)} things are wrong." if findings else "Nothing is wrong.")
    return 1 if findings else 0


def _repair(path: Path) -> int:
    if path.suffix not in (".journal", ".jsonl") or not path.is_file():
        raise ValueError(f"{path} is no journal and no file of JSON lines.")
    if path.suffix == ".jsonl":
        damaged = ledger.repair(path, is_record=record_check(path))
    else:
        with journals.held(path):
            damaged = journals.repair(path, damaged=True)
    if not damaged:
        log.info("%s is whole.", path.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
