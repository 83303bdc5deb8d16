"""Daily closes: downloaded with yfinance, imported from a file, or the series packaged with great_tables.

Both papers take the S&P 500 from yfinance. A download (or a file of the reader's own) is checked and frozen once in
`data/raw/`: `<SYMBOL>.csv` with the columns Date and Close, `<SYMBOL>.sha256` and `<SYMBOL>.provenance.json`. Every
result is computed from the frozen file, so that two runs see the same closes. Without it, the S&P 500 series packaged
with great_tables (1950 to 2015) stands in.

    python -m helpers.prices [--symbol ^GSPC] [--csv PATH] [--force]

downloads, or imports the file at PATH, and freezes the closes.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import logging
import math
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from helpers import paths

log = logging.getLogger(__name__)

# Five trading years: the test fifth then holds a whole year of targets, which the forecast figures draw (generator
# paper, figure 12), and the first four years hold the longest window (250 closes) more than three times over.
MIN_ROWS = 1_260
# More than 500 years of days; a file beyond it is not one of daily closes.
MAX_ROWS = 200_000
MAX_BYTES = 1_000 * MAX_ROWS  # a longer file is not looked into: a single line of it could fill the memory

INDEX_NAMES = {"^GSPC": "S&P 500", "^IXIC": "NASDAQ Composite", "^DJI": "Dow Jones Industrial Average"}
SOURCES = ("auto", "raw", "packaged")

# Everything that yfinance 1.7 lets a caller choose. Its defaults have changed before (auto_adjust). `start` is given
# because period="max" counts 36,135 days back from today: from December 2026 on it would cut the head of 1927.
YFINANCE_ARGUMENTS: dict[str, Any] = {
    "period": None,
    "interval": "1d",
    "start": "1900-01-01",
    "end": None,
    "prepost": False,
    "actions": False,
    "auto_adjust": False,
    "back_adjust": False,
    "repair": False,
    "keepna": False,
    "rounding": False,
    "timeout": 30,
    "raise_errors": False,
}
RETRY_DELAYS = (2.0, 8.0, 30.0)  # seconds before the second, third and fourth attempt


class PricesError(ValueError):
    """Closes that cannot be had or cannot be trusted; the message is one sentence for the reader."""


class NoAnswer(PricesError):
    """Yahoo Finance gave no closes: `what` says that and why, and the message what to do besides."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(f"{what}; {advice}")
        self.what = what


@dataclass(frozen=True, eq=False)
class Prices:
    """Daily closes of one symbol.

    Attributes
    ----------
    symbol : str
        Yahoo Finance's name, such as `^GSPC`.
    close : pandas.Series, shape (n,)
        float64 closes in index points or currency; ascending DatetimeIndex named `Date`; name `Close`.
    source : str
        `"yfinance"`, `"file"` or `"packaged"`.
    sha256 : str
        Hexadecimal digest of the closes as a canonical CSV (`closes_sha256`), which is also that of the frozen file.
    caption : str
        One phrase for captions: which closes, how many, from when to when, from where.
    """

    symbol: str
    close: pd.Series
    source: str
    sha256: str
    caption: str


def load(symbol: str = "^GSPC", *, source: str = "auto", folder: Path = paths.RAW) -> Prices:
    """Closes of `symbol`: the frozen file where there is one, otherwise the packaged series.

    Parameters
    ----------
    symbol : str
        Yahoo Finance's name.
    source : {"auto", "raw", "packaged"}
        `"raw"` insists on the frozen file, `"packaged"` on the packaged series (S&P 500 only); `"auto"` prefers the
        first.
    folder : pathlib.Path
        Where frozen files lie.

    Raises
    ------
    PricesError
        Unknown source or symbol; no closes; a frozen file that fails its checksum or a check.
    """
    symbol, folder = _symbol(symbol), Path(folder)
    if source not in SOURCES:
        raise PricesError(f"Unknown source {source!r}; valid sources are {', '.join(SOURCES)}.")
    if source == "packaged" or (source == "auto" and symbol == "^GSPC" and not _frozen_path(symbol, folder).exists()):
        if symbol != "^GSPC":
            raise PricesError(f"Only ^GSPC is packaged, not {symbol}; {_how(symbol)}.")
        return _packaged()
    if not _frozen_path(symbol, folder).exists():
        raise PricesError(f"There are no frozen closes of {symbol}; {_how(symbol)}.")
    return _load_frozen(symbol, folder)


def download(
    symbol: str = "^GSPC",
    *,
    folder: Path = paths.RAW,
    force: bool = False,
    fetch: Callable[[str], pd.DataFrame | None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    delays: Sequence[float] = RETRY_DELAYS,
    now: datetime | None = None,
) -> Prices:
    """Download the full history of `symbol`, check it and freeze it in `folder`.

    A failing or empty answer is tried again after each of `delays`. Rows dated today or later in New York are
    dropped: their close is not final.

    Parameters
    ----------
    symbol : str
        Yahoo Finance's name.
    folder : pathlib.Path
        Where to freeze.
    force : bool
        Replace a frozen file whose closes differ.
    fetch : callable, optional
        Symbol -> frame with a column Close and a DatetimeIndex; yfinance unless given.
    sleep : callable
        Waits the given number of seconds.
    delays : sequence of float
        Seconds before the second attempt and those that follow; empty for one attempt.
    now : datetime, optional
        Aware time that counts as the present.

    Raises
    ------
    NoAnswer
        A failing or empty one, to the last attempt.
    PricesError
        An answer without a column Close, a failed check, or a frozen file that differs.
    """
    symbol = _symbol(symbol)
    frame = _fetch_with_retries(symbol, fetch or fetch_yfinance, sleep, delays)
    close = _closes_from_frame(frame, symbol)
    today = (now or datetime.now(UTC)).astimezone(ZoneInfo("America/New_York")).date()
    close = close[close.index < pd.Timestamp(today)]
    what = f"The download of {symbol}"
    _check(what, close.index.date, close.to_numpy(), [f"row {i + 1}" for i in range(len(close))])
    origin = {"source": "yfinance", "library": f"yfinance {version('yfinance')}", "arguments": YFINANCE_ARGUMENTS}
    return _freeze(close, symbol, Path(folder), force=force, origin=origin)


def import_csv(path: str | Path, symbol: str = "^GSPC", *, folder: Path = paths.RAW, force: bool = False) -> Prices:
    """Check the closes in a CSV file and freeze them in `folder`.

    The file is UTF-8 (or UTF-16 with a byte order mark) text with a header line that names one column Date and one
    column Close, in any case and among any others; fields are separated by commas, semicolons or tabs, and may be
    quoted. Dates are written YYYY-MM-DD; a time of day and a zone after the date are ignored. Where a close holds a
    comma and fields are separated by something else, the comma is the decimal sign of the whole file. Thousands
    separators are accepted only where they cannot be mistaken for a decimal sign (`1,234.56`, not `1,234`); a point
    alone is a decimal point (`1.234` is less than two).

    Parameters
    ----------
    path : str or pathlib.Path
        The file; a relative path counts from the current folder.
    symbol : str
        Whose closes they are.
    folder : pathlib.Path
        Where to freeze.
    force : bool
        Replace a frozen file whose closes differ.

    Raises
    ------
    PricesError
        The first thing wrong with the file, with its line and date; or a frozen file that differs.
    """
    symbol, path = _symbol(symbol), Path(path).expanduser()
    close = _read_csv(path)
    origin = {"source": "file", "file": path.name, "library": f"pandas {version('pandas')}"}
    return _freeze(close, symbol, Path(folder), force=force, origin=origin, replacing=path)


def fetch_yfinance(symbol: str) -> pd.DataFrame:
    """The daily history of `symbol` as yfinance answers, with every argument stated (`YFINANCE_ARGUMENTS`)."""
    import yfinance

    # Without this, yfinance answers a missing network with "possibly delisted". It is a global setting (the argument
    # raise_errors is deprecated in its favour), so it is put back.
    debug = yfinance.config.debug
    before, debug.hide_exceptions = debug.hide_exceptions, False
    try:
        return yfinance.Ticker(symbol).history(**YFINANCE_ARGUMENTS)
    finally:
        debug.hide_exceptions = before


def closes_sha256(close: pd.Series) -> str:
    """SHA-256 (64 hexadecimal digits) of closes as a canonical CSV: `Date,Close`, ISO dates, shortest exact floats."""
    return hashlib.sha256(_canonical_csv(close)).hexdigest()


def index_name(symbol: str) -> str:
    """What captions call `symbol`: `S&P 500` for `^GSPC`; the symbol itself where it has no name here."""
    return INDEX_NAMES.get(symbol, symbol)


# --- the frozen file ------------------------------------------------------------------------------------------------


def _symbol(symbol: str) -> str:
    """`symbol` in capitals, fit to be a file name."""
    if not isinstance(symbol, str) or not re.fullmatch(r"\^?[A-Za-z0-9][A-Za-z0-9.=-]{0,31}", symbol):
        raise PricesError(
            f"{symbol!r} is no symbol: expected letters, digits and . = - after an optional leading ^, such as ^GSPC."
        )
    return symbol.upper()


def _frozen_path(symbol: str, folder: Path) -> Path:
    return folder / f"{symbol.removeprefix('^')}.csv"


def _how(symbol: str) -> str:
    which = "" if symbol == "^GSPC" else f" SYMBOL={symbol}"
    return f"`make data{which}` downloads them and `make data{which} CSV=path` imports a file"


def _canonical_csv(close: pd.Series) -> bytes:
    days = close.index.strftime("%Y-%m-%d")
    lines = [f"{day},{value!r}\n" for day, value in zip(days, close.to_numpy(float).tolist(), strict=True)]
    return "".join(["Date,Close\n", *lines]).encode()


def _prices(symbol: str, close: pd.Series, source: str, origin: str) -> Prices:
    first, last = close.index[0], close.index[-1]
    caption = f"{index_name(symbol)} daily closes, {len(close):,} rows {first:%Y-%m-%d} to {last:%Y-%m-%d}, {origin}"
    return Prices(symbol=symbol, close=close, source=source, sha256=closes_sha256(close), caption=caption)


def _packaged() -> Prices:
    from great_tables.data import sp500  # columns date (ISO text), close; latest first

    frame = sp500.iloc[::-1]
    return _prices("^GSPC", _series(frame["date"], frame["close"]), "packaged", "packaged with great_tables")


def _series(days: Any, closes: Any) -> pd.Series:
    index = pd.DatetimeIndex(np.asarray(days, dtype="datetime64[D]"), name="Date").as_unit("us")
    return pd.Series(np.asarray(closes, dtype=np.float64), index=index, name="Close")


def _load_frozen(symbol: str, folder: Path) -> Prices:
    target = _frozen_path(symbol, folder)
    again = f"make it again: {_how(symbol)}, with FORCE=1"
    try:
        stated = target.with_suffix(".sha256").read_text(encoding="utf-8").split()[0]
        record = json.loads(target.with_suffix(".provenance.json").read_text(encoding="utf-8"))
        source, owner = record["source"], record["symbol"]
        origin = "downloaded with yfinance" if source == "yfinance" else f"imported from the file {record['file']}"
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise PricesError(f"{target.name} has no readable checksum and provenance beside it; {again}.") from error
    if owner != symbol:
        raise PricesError(f"{target.name} holds the closes of {owner}, not of {symbol}; {again}.")
    if hashlib.sha256(_bytes(target)).hexdigest() != stated:
        raise PricesError(f"{target.name} is not the file that was frozen: its checksum differs; {again}.")
    return _prices(symbol, _read_csv(target), source, origin)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PricesError(f"{path.name} cannot be read: {error.strerror}.") from error


def _freeze(
    close: pd.Series, symbol: str, folder: Path, *, force: bool, origin: dict[str, Any], replacing: Path | None = None
) -> Prices:
    """Write closes, checksum and provenance; a frozen file with other closes stays unless `force`."""
    target, content = _frozen_path(symbol, folder), _canonical_csv(close)
    if target.exists() and not force:
        try:
            frozen = _load_frozen(symbol, folder)
        except PricesError:
            # A file without a checksum was never frozen, or its freezing was interrupted (the checksum is written
            # last): the same closes complete it, and so does importing that very file.
            own = replacing is not None and replacing.samefile(target)
            if target.with_suffix(".sha256").exists() or not (own or _bytes(target) == content):
                raise
        else:
            if frozen.sha256 == hashlib.sha256(content).hexdigest():
                log.info("%s is frozen already and holds the same closes.", target.name)
                return frozen
            raise PricesError(
                f"{target.name} is frozen and stays: {_difference(frozen.close, close)}; FORCE=1 replaces it."
            )
    digest = hashlib.sha256(content).hexdigest()
    record = {
        "symbol": symbol,
        **origin,
        "retrieved_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": len(close),
        "first": f"{close.index[0]:%Y-%m-%d}",
        "last": f"{close.index[-1]:%Y-%m-%d}",
        "sha256": digest,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(target, content)
        _replace(target.with_suffix(".provenance.json"), (json.dumps(record, indent=2) + "\n").encode())
        _replace(target.with_suffix(".sha256"), f"{digest}  {target.name}\n".encode())
    except OSError as error:
        raise PricesError(f"{target.name} cannot be written: {error.strerror}.") from error
    return _load_frozen(symbol, folder)


def _replace(target: Path, content: bytes) -> None:
    """Write aside in the same folder, then move into place: a reader sees the old file or the new one."""
    aside = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with aside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)


def _difference(old: pd.Series, new: pd.Series) -> str:
    """How `new` differs from the frozen `old`, in words."""
    common = old.index.intersection(new.index)
    changed = common[old.loc[common].to_numpy() != new.loc[common].to_numpy()]
    gone = old.index.difference(new.index)
    later = new.index[new.index > old.index[-1]]
    other = new.index.difference(old.index).difference(later)
    parts = []
    if len(changed):
        day = changed[0]
        parts.append(
            f"{len(changed):,} of {len(common):,} common closes changed, the first on {day:%Y-%m-%d} "
            f"({float(old[day])!r} before, {float(new[day])!r} now)"
        )
    if len(gone):
        parts.append(f"the new series lacks {len(gone):,} of its dates, the first {gone[0]:%Y-%m-%d}")
    if len(other):
        parts.append(f"the new series has {len(other):,} earlier dates that it lacks, the first {other[0]:%Y-%m-%d}")
    if len(later):
        parts.append(f"the new series has {len(later):,} later rows, up to {later[-1]:%Y-%m-%d}")
        if len(parts) == 1:
            parts.append("all else is equal")
    return ", ".join(parts)


# --- answers of yfinance --------------------------------------------------------------------------------------------


def _fetch_with_retries(
    symbol: str,
    fetch: Callable[[str], pd.DataFrame | None],
    sleep: Callable[[float], None],
    delays: Sequence[float],
) -> pd.DataFrame:
    # yfinance reports a failed request as whatever broke first (its own errors, those of two HTTP libraries, a
    # TypeError on a missing body) or as an empty frame, so every exception counts as a failed attempt.
    reason = ""
    for delay in (*delays, None):
        try:
            frame = fetch(symbol)
            if frame is not None and len(frame):
                return frame
            reason = "the answer was empty"
        except Exception as error:
            reason = f"{type(error).__name__}: {_first_sentence(error)}"
        if delay is not None:
            log.warning("Yahoo Finance gave no closes of %s (%s); next attempt in %g s.", symbol, reason, delay)
            sleep(delay)
    which = "" if symbol == "^GSPC" else f" SYMBOL={symbol}"
    attempts = f" in {len(delays) + 1} attempts" if delays else ""
    raise NoAnswer(
        f"Yahoo Finance gave no closes of {symbol}{attempts} ({reason})",
        f"`make data{which} CSV=path` imports a file instead.",
    )


def _first_sentence(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].split(". ")[0].rstrip(".")[:200] if lines else "no message"


def _closes_from_frame(frame: pd.DataFrame, symbol: str) -> pd.Series:
    """The column Close of an answer; flat columns, or those of yfinance's MultiIndex in either order of its levels."""
    labels = [tuple(map(str, c)) if isinstance(c, tuple) else (str(c),) for c in frame.columns]
    found = [i for i, parts in enumerate(labels) if any(p.strip().casefold() == "close" for p in parts)]
    # Where columns name a symbol, it must be the one asked for.
    named = {i: {p.strip().casefold() for p in labels[i]} - {"close", ""} for i in found}
    found = [i for i in found if not named[i] or symbol.casefold() in named[i]]
    if len(found) != 1:
        have = ", ".join("/".join(parts) for parts in labels)
        how = "no column Close" if not found else f"{len(found)} columns Close"
        raise PricesError(f"The download of {symbol} has {how}; its columns are {have}; {_csv_instead(symbol)}.")
    if not isinstance(frame.index, pd.DatetimeIndex):
        raise PricesError(f"The download of {symbol} has no dates as its index; {_csv_instead(symbol)}.")
    if frame.index.hasnans:
        row = int(np.flatnonzero(frame.index.isna())[0]) + 1
        raise PricesError(f"The download of {symbol}, row {row}: the date is missing; {_csv_instead(symbol)}.")
    days = frame.index.tz_localize(None).normalize()  # exchange time: the day of the session
    closes = pd.to_numeric(frame.iloc[:, found[0]], errors="coerce")
    return _series(days.to_numpy(), closes.to_numpy(dtype=np.float64, na_value=np.nan))


def _csv_instead(symbol: str) -> str:
    which = "" if symbol == "^GSPC" else f" SYMBOL={symbol}"
    return f"`make data{which} CSV=path` imports a file instead"


# --- checks and CSV -------------------------------------------------------------------------------------------------


def _check(what: str, days: Sequence[date], closes: np.ndarray, places: Sequence[str]) -> None:
    """Dates ascend without repeats; closes are positive and finite; there are at least `MIN_ROWS`."""
    closes = np.asarray(closes, dtype=np.float64)
    ordinals = np.array([day.toordinal() for day in days], dtype=np.int64)
    bad_close = ~(np.isfinite(closes) & (closes > 0))
    bad_date = np.r_[False, np.diff(ordinals) <= 0] if len(ordinals) else np.zeros(0, dtype=bool)
    if (bad := bad_close | bad_date).any():
        i = int(np.argmax(bad))
        where = f"{what}, {places[i]} ({days[i].isoformat()})"
        if bad_date[i] and days[i] == days[i - 1]:
            raise PricesError(f"{where}: the date repeats that of the row before; dates must ascend.")
        if bad_date[i]:
            raise PricesError(f"{where}: the date lies before that of the row above, {days[i - 1]}; dates must ascend.")
        if math.isnan(closes[i]):
            raise PricesError(f"{where}: the close is missing.")
        raise PricesError(f"{where}: the close is {closes[i]:g}; closes must be positive and finite.")
    if len(closes) < MIN_ROWS:
        raise PricesError(
            f"{what} has {len(closes):,} closes; at least {MIN_ROWS:,} (five trading years) are needed for the longest "
            "window and a test part of one year."
        )


def _read_csv(path: Path) -> pd.Series:
    """Checked closes of a CSV file; see `import_csv` for what it may look like."""
    days: list[date] = []
    texts: list[str] = []
    lines: list[int] = []
    comma_separates = False
    for line, delimiter, day, close in _rows(path):
        if len(days) == MAX_ROWS:
            what = f"{path.name} has more than {MAX_ROWS:,} rows (line {line:,} is one too many)"
            raise PricesError(f"{what}: not a file of daily closes.")
        comma_separates = delimiter == ","
        lines.append(line)
        days.append(_date(day, f"{path.name}, line {line}"))
        texts.append(close)
    decimal = "," if not comma_separates and any("," in text for text in texts) else "."
    closes = np.array(
        [
            _number(text, decimal, f"{path.name}, line {line} ({day})")
            for text, line, day in zip(texts, lines, days, strict=True)
        ],
        dtype=np.float64,
    )
    _check(path.name, days, closes, [f"line {line}" for line in lines])
    if not comma_separates and decimal == ".":
        _refuse_thousands(path, texts, closes, lines)
    return _series(days, closes)


def _refuse_thousands(path: Path, texts: list[str], closes: np.ndarray, lines: list[int]) -> None:
    """Refuse points that may part thousands: in a file of 987 and 1.003, closes would fall a thousandfold."""
    pointed = [text for text in texts if "." in text]
    if not pointed or not all(re.fullmatch(r"\d{1,3}\.\d{3}", text, flags=re.ASCII) for text in pointed):
        return
    jumps = np.flatnonzero(np.abs(np.diff(np.log10(closes))) > 2)
    if len(jumps):
        first = int(jumps[0])
        raise PricesError(
            f"{path.name}, lines {lines[first]} and {lines[first + 1]}: {texts[first]} and {texts[first + 1]} lie more "
            "than a factor of 100 apart; if the points separate thousands, write the closes without."
        )


def _rows(path: Path) -> Iterator[tuple[int, str, str, str]]:
    """(line, delimiter, date, close) of every row, the last two as text."""
    if not path.is_file():
        raise PricesError(f"There is no file {path}.")
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise PricesError(f"{path.name} has {size / 2**20:,.0f} MiB: not a file of daily closes.")
        with path.open("rb") as file:
            head = file.read(4096)
        with path.open(encoding=_encoding(path, head), newline="") as file:
            header, skipped = "", 0
            while not header.strip():
                if not (header := file.readline(1_000_000)):
                    raise PricesError(f"{path.name} is empty.")
                skipped += 1
            delimiter, names, date_at, close_at = _header(path, header)
            reader = csv.reader(file, delimiter=delimiter)
            for row in reader:
                if not any(field.strip() for field in row):
                    continue
                line = skipped + reader.line_num
                if len(row) != len(names):
                    raise PricesError(
                        f"{path.name}, line {line}: {len(row)} fields where the header names {len(names)} columns."
                    )
                yield line, delimiter, row[date_at].strip(), row[close_at].strip()
    except UnicodeError as error:
        raise PricesError(f"{path.name} is not UTF-8 text.") from error
    except csv.Error as error:
        raise PricesError(f"{path.name} is not a CSV file: {error}.") from error
    except OSError as error:
        raise PricesError(f"{path.name} cannot be read: {error.strerror}.") from error


def _encoding(path: Path, head: bytes) -> str:
    if head.startswith(b"\x1f\x8b") or head.startswith(b"PK\x03\x04"):
        raise PricesError(f"{path.name} is a compressed file, not CSV text; unpack it first.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\x00" in head:
        raise PricesError(f"{path.name} is a binary file, not CSV text.")
    return "utf-8-sig"


def _header(path: Path, line: str) -> tuple[str, list[str], int, int]:
    """Delimiter, column names, and where Date and Close are."""
    for delimiter in ",;\t":
        names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter))]
        keys = [name.casefold() for name in names]
        if "date" not in keys or "close" not in keys:
            continue
        for key in ("date", "close"):
            if keys.count(key) > 1:
                which = ", ".join(name for name in names if name.casefold() == key)
                raise PricesError(f"{path.name} has {keys.count(key)} columns named {key.title()}: {which}.")
        return delimiter, names, keys.index("date"), keys.index("close")
    have = ", ".join(repr(name.strip()) for name in re.split(r"[,;\t]", line.strip()[:300]))
    raise PricesError(f"{path.name} needs the columns Date and Close in its header line, which reads {have}.")


_TIME = r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?)?"


def _date(text: str, where: str) -> date:
    """The date at the head of an ISO 8601 date or time stamp, as it is written there."""
    match = re.fullmatch(r"(\d{4}-\d{2}-\d{2})" + _TIME, text, flags=re.ASCII)
    try:
        return date.fromisoformat(match[1] if match else "")
    except ValueError:
        shown = text[:40]
        raise PricesError(f"{where}: {shown!r} is no date; dates are written YYYY-MM-DD.") from None


def _number(text: str, decimal: str, where: str) -> float:
    """A close; thousands separators only where a decimal sign or a second separator makes them plain."""
    separator = "." if decimal == "," else ","
    d, s = re.escape(decimal), re.escape(separator)
    if re.fullmatch(rf"[+-]?(?:\d+{d}?\d*|{d}\d+)(?:[eE][+-]?\d{{1,3}})?", text, flags=re.ASCII):
        return float(text.replace(decimal, "."))
    if re.fullmatch(rf"\d{{1,3}}(?:{s}\d{{3}})+{d}\d+|\d{{1,3}}(?:{s}\d{{3}}){{2,}}", text, flags=re.ASCII):
        return float(text.replace(separator, "").replace(decimal, "."))
    if text.casefold() in ("", "nan", "null", "none", "na", "n/a", "-"):
        raise PricesError(f"{where}: the close is missing.")
    if re.fullmatch(rf"\d{{1,3}}{s}\d{{3}}", text, flags=re.ASCII):
        raise PricesError(f"{where}: {text!r} may have a thousands separator or a decimal sign; write it without.")
    raise PricesError(f"{where}: {text[:40]!r} is no number; closes must be positive and finite.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: download or import, and freeze."""
    parser = argparse.ArgumentParser(prog="python -m helpers.prices", description="Download or import daily closes.")
    parser.add_argument("--symbol", default="^GSPC", help="Yahoo Finance's name of the index or share")
    parser.add_argument("--csv", default="", metavar="PATH", help="import this file instead of downloading")
    parser.add_argument("--force", action="store_true", help="replace a frozen file that differs")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        if options.csv:
            prices = import_csv(options.csv, options.symbol, force=options.force)
        else:
            prices = download(options.symbol, force=options.force)
    except PricesError as error:
        raise SystemExit(str(error)) from None
    log.info("%s: %s (sha256 %s)", _frozen_path(prices.symbol, paths.RAW).name, prices.caption, prices.sha256[:16])


if __name__ == "__main__":
    main()
