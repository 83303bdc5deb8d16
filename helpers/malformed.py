"""Files of closes, malformed or in unusual dress, and what the importer must make of each."""

from __future__ import annotations

import functools
import random
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import prices
from helpers.faults import require

FORMATS = [",", ";", "\t"]
# What a cell may be replaced by; None where only a refusal is right, else the value.
BAD_CLOSES = [
    *("", "nan", "NaN", "null", "NA", "-", "inf", "-inf", "0", "0.0", "-1", "-12.5", "1e999", "1e-999", "abc", "1_000"),
    *(
        "0x10",
        "$12",
        "12 USD",
        "12%",
        "=1+1",
        "=cmd|'/c calc'!A0",
        "@SUM(1)",
        "+-1",
        "1.2.3",
        "1 234.5",
        "１２",
        "٣",
        "½",
    ),
    *("1,234", "--1", "1e", ".", "e5", "True", "1\x002", "12\u200b", "\ufeff1", "#N/A", "1;2", "'1'"),
]
BAD_DATES = [
    *("", "nan", "01/02/2000", "2000/01/02", "02.01.2000", "2000-1-2", "20000102", "2000-02-30", "2000-13-01", "0"),
    *("1e9", "Jan 2 2000", "2000-01", "2000-W01-1", "36526", "0000-01-01", "99999-01-01", "2000-01-02T25", "today"),
    *("=TODAY()", "-2000-01-01", "２０００-01-01", "2000-01-02 00:00:00 EST", "2000–01–02", "NaT", "1900-01-01"),
]


@functools.cache
def good_rows(count: int = prices.MIN_ROWS + 5) -> list[tuple[str, float]]:
    """Weekdays from 2000 on, closes with two decimals around 1,000."""
    days = pd.bdate_range("2000-01-03", periods=count).strftime("%Y-%m-%d")
    closes = 1000 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, count)))
    return list(zip(days, np.round(closes, 2).tolist(), strict=True))


def malformed(rng: random.Random) -> tuple[bytes, list[tuple[str, float]] | None]:
    """A CSV file of closes in some dress, perhaps with a fault; and what must be read of it, None for a refusal."""
    separator = rng.choice(FORMATS)
    decimal = "," if separator != "," and rng.random() < 0.3 else "."
    thousands = rng.random() < 0.2
    quoted = rng.random() < 0.2 or (separator == "," and thousands)
    stamp = rng.choice(["", "", " 00:00:00", "T16:00:00Z", " 00:00:00-05:00"])
    swap = {".": decimal, ",": "." if decimal == "," else ","}

    def close(value: float) -> str:
        text = f"{value:,.2f}" if thousands else f"{value:.2f}"
        return "".join(swap.get(c, c) for c in text)

    days = [day + stamp for day, _ in good_rows()]
    closes = [close(value) for _, value in good_rows()]
    expected: list[tuple[str, float]] | None = good_rows()
    i = rng.randrange(1, len(good_rows()))
    fault = rng.choice(["", "", "close", "date", "double", "swap", "field", "drop", "few", "tail"])
    if fault == "close":
        bad = rng.choice([b for b in BAD_CLOSES if b != "1,234" or decimal == "."])
        closes[i], expected = bad, None
        quoted = quoted or separator in bad
    elif fault == "date":
        days[i], expected = rng.choice(BAD_DATES), None
    elif fault == "double":
        days[i], expected = days[i - 1], None
    elif fault == "swap":
        days[i], days[i - 1], expected = days[i - 1], days[i], None
    elif fault == "drop":
        del days[i], closes[i]
        expected = good_rows()[:i] + good_rows()[i + 1 :]
    elif fault == "few":
        del days[i % 1000 :], closes[i % 1000 :]
        expected = None
    mark = '"' if quoted else ""
    rows = [f"{mark}{day}{mark}{separator}{mark}{value}{mark}" for day, value in zip(days, closes, strict=True)]
    if fault == "field":
        rows[i], expected = rng.choice([rows[i] + separator + "1", mark + days[i] + mark]), None
    head = separator.join(rng.choice([("Date", "Close"), ("date", "CLOSE"), (" Date ", " Close ")]))
    newline = rng.choice(["\n", "\r\n"])
    text = newline.join([head, *rows, ""])
    if fault == "tail":
        blank = rng.random() < 0.3  # a row without content does not count
        text += rng.choice(
            [separator, " ", '""'] if blank else [f"total{separator}1", "-- end --", "\x1a", "2031-01-01"]
        )
        expected = good_rows() if blank else None
    if thousands and separator != "," and decimal == ".":
        expected = None  # a comma in a close, and fields separated by something else: a decimal comma
    encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"])
    return text.encode(encoding, "surrogatepass"), expected


def scrambled(rng: random.Random) -> bytes:
    """A good file with some random bytes changed, put in or taken out."""
    content = bytearray(_good_file())
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(content))
        what = rng.randrange(4)
        if what == 0:
            content[at] = rng.randrange(256)
        elif what == 1:
            content[at:at] = rng.randbytes(rng.randint(1, 8))
        elif what == 2:
            del content[at : at + rng.randint(1, 200)]
        else:
            content[at:at] = rng.choice([b'"', b",", b"\r", b"\n\n", b"\x00", b";", b"\xef\xbb\xbf", b"1e", b"-", b" "])
    return bytes(content)


@functools.cache
def _good_file() -> bytes:
    return "".join(["Date,Close\n", *(f"{day},{value!r}\n" for day, value in good_rows())]).encode()


def read_closes(content: bytes, path: Path) -> list[tuple[str, float]] | prices.PricesError:
    """What the importer makes of a file's content: the closes, or the error, which must be one sentence."""
    path.write_bytes(content)
    try:
        close = prices._read_csv(path)
    except prices.PricesError as error:
        require("\n" not in str(error) and len(str(error)) < 600 and str(error).endswith("."), f"no sentence: {error}")
        return error
    return list(zip(close.index.strftime("%Y-%m-%d"), close.tolist(), strict=True))


def check_malformed(content: bytes, expected: list[tuple[str, float]] | None, path: Path) -> bool:
    """The importer on a file whose right reading is known; whether it was accepted."""
    found = read_closes(content, path)
    accepted = not isinstance(found, prices.PricesError)
    require(
        accepted == (expected is not None), f"accepted: {accepted}, but {found if not accepted else 'it is faulty'}"
    )
    require(not accepted or found == expected, "the closes were misread")
    return accepted


def check_scrambled(content: bytes, path: Path) -> bool:
    """The importer on scrambled bytes: refused, or each close is what its own line says; whether it was accepted."""
    found = read_closes(content, path)
    if isinstance(found, prices.PricesError):
        return False
    plain = {}
    for line in content.decode("utf-8-sig").replace("\r", "\n").split("\n"):
        day, _, value = line.replace('"', "").partition(",")
        plain[day.strip()[:10]] = value.strip()
    for day, close in found:
        require(float(plain[day].replace(",", "")) == close, f"{day}: {close!r} was read from {plain[day]!r}")
    return True


def check_cells(path: Path) -> int:
    """Put each of `BAD_CLOSES` and `BAD_DATES` into a good file: each must be refused, with its line; how many."""
    for column, cells in enumerate((BAD_DATES, BAD_CLOSES)):
        for cell in cells:
            found = read_closes(one_bad(cell, column), path)
            said = "is a binary file" if "\x00" in cell else "line 9"
            require(isinstance(found, prices.PricesError) and said in str(found), f"{cell!r}: {found!s:.200}")
    return len(BAD_DATES) + len(BAD_CLOSES)


def one_bad(cell: str, column: int) -> bytes:
    """A good file but for one cell in line 9: `column` 0 is the date, 1 the close."""
    rows = [[day, repr(close)] for day, close in good_rows()]
    rows[7][column] = cell
    return ("Date,Close\n" + "".join(f'"{a}","{b}"\n' for a, b in rows)).encode("utf-8", "surrogatepass")
