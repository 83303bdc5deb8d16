import gzip
import hashlib
import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import make_prices
from hypothesis import given, settings
from hypothesis import strategies as st
from yfinance.exceptions import YFPricesMissingError, YFRateLimitError

from helpers import prices as module
from helpers.prices import MIN_ROWS, PricesError, closes_sha256, download, import_csv, load

N = MIN_ROWS + 40
CLOSE = make_prices(N).close
NOON = datetime(2030, 1, 1, 17, tzinfo=UTC)


def write(path: Path, rows: list[tuple[str, str]], header: str = "Date,Close") -> Path:
    path.write_text("\n".join([header, *(f"{day},{close}" for day, close in rows)]) + "\n", encoding="utf-8")
    return path


def good_rows(close: pd.Series = CLOSE) -> list[tuple[str, str]]:
    return [(f"{day:%Y-%m-%d}", repr(float(value))) for day, value in close.items()]


def frame_of(close: pd.Series = CLOSE, zone: str | None = "America/New_York") -> pd.DataFrame:
    """An answer as yfinance 1.7 gives it for `history(auto_adjust=False, actions=False)`."""
    index = close.index if zone is None else close.index.tz_localize(zone)
    columns = ["Open", "High", "Low", "Close", "Adj Close", "Volume"]
    return pd.DataFrame({name: close.to_numpy() for name in columns}, index=index.rename("Date"))


class Fetch:
    """Answers in turn; an exception is raised, anything else returned; the last one repeats."""

    def __init__(self, *answers):
        self.answers, self.calls = list(answers), 0

    def __call__(self, symbol):
        answer = self.answers[min(self.calls, len(self.answers) - 1)]
        self.calls += 1
        if isinstance(answer, BaseException):
            raise answer
        return answer


def fetched(folder, *answers, symbol="^GSPC", force=False, now=NOON):
    waits = []
    fetch = Fetch(*answers)
    return download(symbol, folder=folder, fetch=fetch, sleep=waits.append, now=now, force=force), fetch, waits


# --- freezing and loading -------------------------------------------------------------------------------------------


def test_an_imported_file_comes_back_exactly(tmp_path):
    raw = tmp_path / "raw"
    imported = import_csv(write(tmp_path / "mine.csv", good_rows()), folder=raw)
    loaded = load(folder=raw)
    np.testing.assert_array_equal(loaded.close.to_numpy(), CLOSE.to_numpy())
    assert list(loaded.close.index) == list(CLOSE.index)
    assert (loaded.close.index.name, loaded.close.name, loaded.close.dtype) == ("Date", "Close", np.float64)
    assert loaded.source == imported.source == "file"
    assert (
        loaded.caption == f"S&P 500 daily closes, {N:,} rows 2000-01-03 to 2004-12-24, imported from the file mine.csv"
    )
    digest = hashlib.sha256((raw / "GSPC.csv").read_bytes()).hexdigest()
    assert loaded.sha256 == imported.sha256 == digest == closes_sha256(CLOSE)
    assert (raw / "GSPC.sha256").read_text() == f"{digest}  GSPC.csv\n"  # as `sha256sum --check` reads it
    record = json.loads((raw / "GSPC.provenance.json").read_text())
    assert record["rows"] == N and record["first"] == "2000-01-03" and record["file"] == "mine.csv"
    assert str(tmp_path) not in json.dumps(record)
    assert sorted(p.name for p in raw.iterdir()) == ["GSPC.csv", "GSPC.provenance.json", "GSPC.sha256"]


def test_without_a_frozen_file_the_packaged_series_serves(tmp_path):
    prices = load(folder=tmp_path)
    assert prices.source == "packaged"
    assert prices.caption == "S&P 500 daily closes, 16,607 rows 1950-01-03 to 2015-12-31, packaged with great_tables"
    assert prices.close.iloc[0] == 16.66 and prices.close.index.is_monotonic_increasing
    import_csv(write(tmp_path / "mine.csv", good_rows()), folder=tmp_path)
    assert load(folder=tmp_path).source == "file"
    assert load(source="packaged", folder=tmp_path).source == "packaged"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "yahoo"}, "Unknown source 'yahoo'; valid sources are auto, raw, packaged"),
        ({"source": "raw"}, "no frozen closes of \\^GSPC; `make data` downloads"),
        ({"symbol": "^IXIC"}, "no frozen closes of \\^IXIC; `make data SYMBOL=\\^IXIC` downloads .* CSV=path` imports"),
        ({"symbol": "^DJI", "source": "packaged"}, "Only \\^GSPC is packaged, not \\^DJI"),
        ({"symbol": "../etc"}, "'../etc' is no symbol"),
        ({"symbol": ""}, "'' is no symbol"),
        ({"symbol": "A/B"}, "is no symbol"),
        ({"symbol": ".."}, "is no symbol"),
        ({"symbol": None}, "None is no symbol"),
    ],
)
def test_what_cannot_be_loaded_is_said_plainly(tmp_path, arguments, message):
    with pytest.raises(PricesError, match=message):
        load(folder=tmp_path, **arguments)


def test_any_symbol_has_a_file_of_its_own(tmp_path):
    path = write(tmp_path / "mine.csv", good_rows())
    for symbol, stem in (("^ixic", "IXIC"), ("BRK-B", "BRK-B"), ("EURUSD=X", "EURUSD=X"), ("000001.SS", "000001.SS")):
        import_csv(path, symbol, folder=tmp_path / "raw")
        assert (tmp_path / "raw" / f"{stem}.csv").exists()
        assert load(symbol, folder=tmp_path / "raw").symbol == symbol.upper()
    with pytest.raises(PricesError, match="holds the closes of \\^IXIC, not of IXIC"):
        load("IXIC", folder=tmp_path / "raw")


def test_an_interrupted_freezing_is_completed_by_the_same_closes_only(tmp_path):
    raw = tmp_path / "raw"
    path = write(tmp_path / "mine.csv", good_rows())
    import_csv(path, folder=raw)
    (raw / "GSPC.sha256").unlink()  # the last of the three to be written
    with pytest.raises(PricesError, match="no readable checksum"):
        import_csv(write(tmp_path / "other.csv", good_rows(CLOSE * 2)), folder=raw)
    import_csv(path, folder=raw)
    assert load(folder=raw).sha256 == closes_sha256(CLOSE)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: (raw / "GSPC.csv").write_bytes((raw / "GSPC.csv").read_bytes()[:-1]), "its checksum differs"),
        (lambda raw: (raw / "GSPC.sha256").unlink(), "no readable checksum"),
        (lambda raw: (raw / "GSPC.sha256").write_text(""), "no readable checksum"),
        (lambda raw: (raw / "GSPC.provenance.json").write_text("{"), "no readable checksum and provenance"),
        (lambda raw: (raw / "GSPC.provenance.json").write_text("[]"), "no readable checksum and provenance"),
    ],
)
def test_a_damaged_frozen_file_is_refused_and_force_mends_it(tmp_path, damage, message):
    path, raw = write(tmp_path / "mine.csv", good_rows()), tmp_path / "raw"
    import_csv(path, folder=raw)
    damage(raw)
    with pytest.raises(PricesError, match=message):
        load(folder=raw)
    import_csv(path, folder=raw, force=True)
    assert len(load(folder=raw).close) == N


def test_a_file_laid_into_the_folder_is_frozen_by_importing_it(tmp_path):
    laid = write(tmp_path / "GSPC.csv", good_rows(), header="date,close")
    with pytest.raises(PricesError, match="no readable checksum"):
        load(folder=tmp_path)
    import_csv(laid, folder=tmp_path)
    assert load(folder=tmp_path).sha256 == closes_sha256(CLOSE)


def test_a_tampered_frozen_file_is_not_sealed_again_by_importing_itself(tmp_path):
    raw = tmp_path / "raw"
    import_csv(write(tmp_path / "mine.csv", good_rows()), folder=raw)
    write(raw / "GSPC.csv", good_rows(CLOSE * 2))
    with pytest.raises(PricesError, match="its checksum differs"):
        import_csv(raw / "GSPC.csv", folder=raw)


def test_a_frozen_file_stays_unless_forced(tmp_path):
    raw = tmp_path / "raw"
    import_csv(write(tmp_path / "old.csv", good_rows()), folder=raw)
    before = {p.name: p.read_bytes() for p in raw.iterdir()}

    same = import_csv(write(tmp_path / "same.csv", good_rows(), header="DATE,CLOSE"), folder=raw)
    assert same.caption.endswith("old.csv")  # equal closes leave the first record as it is

    changed = CLOSE.copy()
    changed.iloc[[7, 9]] += 0.5
    longer = make_prices(N + 3).close
    cases = [
        (changed, f"2 of {N:,} common closes changed, the first on 2000-01-12"),
        (longer, "the new series has 3 later rows, up to 2004-12-29, all else is equal"),
        (CLOSE.drop(CLOSE.index[5]), "the new series lacks 1 of its dates, the first 2000-01-10"),
        (CLOSE.iloc[2:], "the new series lacks 2 of its dates, the first 2000-01-03"),
    ]
    for close, message in cases:
        with pytest.raises(PricesError, match=f"frozen and stays: {message}.*FORCE=1 replaces it"):
            import_csv(write(tmp_path / "new.csv", good_rows(close)), folder=raw)
        assert {p.name: p.read_bytes() for p in raw.iterdir()} == before
    assert len(import_csv(write(tmp_path / "new.csv", good_rows(longer)), folder=raw, force=True).close) == N + 3


def test_a_bad_file_never_replaces_a_good_one(tmp_path):
    raw = tmp_path / "raw"
    import_csv(write(tmp_path / "good.csv", good_rows()), folder=raw)
    before = {p.name: p.read_bytes() for p in raw.iterdir()}
    with pytest.raises(PricesError):
        import_csv(write(tmp_path / "bad.csv", [*good_rows(), ("2031-01-01", "nan")]), folder=raw, force=True)
    with pytest.raises(PricesError):
        fetched(raw, pd.DataFrame(), force=True)
    assert {p.name: p.read_bytes() for p in raw.iterdir()} == before


def test_a_failing_disk_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    raw = tmp_path / "raw"
    import_csv(write(tmp_path / "old.csv", good_rows()), folder=raw)
    before = {p.name: p.read_bytes() for p in raw.iterdir()}

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PricesError, match="cannot be written: No space left on device"):
        import_csv(write(tmp_path / "new.csv", good_rows(CLOSE * 2)), folder=raw, force=True)
    assert {p.name: p.read_bytes() for p in raw.iterdir()} == before


# --- what a file may look like --------------------------------------------------------------------------------------


def lines(close: pd.Series, fmt: str) -> str:
    return "".join(fmt.format(day=f"{day:%Y-%m-%d}", close=value) for day, value in close.items())


ROUNDED = (CLOSE * 50).round(2)  # between 1,000 and 10,000 somewhere: thousands separators occur


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(("\ufeffDate,Close\r\n" + lines(ROUNDED, "{day},{close!r}\r\n")).encode(), id="BOM and CRLF"),
        pytest.param(("date,CLOSE\n" + lines(ROUNDED, "{day},{close!r}\n")).encode("utf-16"), id="UTF-16"),
        pytest.param(
            ("Open,Close,Adj Close,Date\n" + lines(ROUNDED, "1,{close!r},2,{day}\n")).encode(), id="more columns"
        ),
        pytest.param(('"Date","Close"\n' + lines(ROUNDED, '"{day}","{close!r}"\n')).encode(), id="quoted"),
        pytest.param(("Date,Close\n" + lines(ROUNDED, '{day},"{close:,.2f}"\n')).encode(), id="thousands separators"),
        pytest.param(("Date\tClose\n" + lines(ROUNDED, "{day}\t{close!r}\n")).encode(), id="tabs"),
        pytest.param(
            ("Date;Close\n" + lines(ROUNDED, "{day};{close!r}\n").replace(".", ",")).encode(), id="decimal commas"
        ),
        pytest.param(
            ("Date;Close\n" + lines(ROUNDED, "{day};{close:,.2f}\n").translate(str.maketrans(",.", ".,"))).encode(),
            id="decimal commas and thousands points",
        ),
        pytest.param(
            ("Date,Close\n" + lines(ROUNDED, "{day} 00:00:00-05:00,{close!r}\n")).encode(), id="time stamps with zones"
        ),
        pytest.param(
            ("Date,Close\n" + lines(ROUNDED, "{day}T23:59:59.5Z, {close!r}\n")).encode(), id="ISO time stamps"
        ),
        pytest.param(("\n\nDate,Close\n" + lines(ROUNDED, "{day},{close!r}\n\n")).encode(), id="blank lines"),
        pytest.param(("Date,Close\n" + lines(ROUNDED, "{day},{close:.10e}\n")).encode(), id="exponents"),
    ],
)
def test_usual_files_give_the_same_closes(tmp_path, content):
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    assert ROUNDED.max() > 1_000
    np.testing.assert_array_equal(import_csv(path, folder=tmp_path).close, ROUNDED)


def with_row(i: int, day: str | None = None, close: str | None = None) -> list[tuple[str, str]]:
    rows = good_rows()
    rows[i] = (rows[i][0] if day is None else day, rows[i][1] if close is None else close)
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (with_row(3, close="nan"), "line 5 (2000-01-06): the close is missing"),
        (with_row(3, close=""), "line 5 (2000-01-06): the close is missing"),
        (with_row(3, close="0"), "line 5 (2000-01-06): the close is 0; closes must be positive and finite"),
        (with_row(3, close="-4.5"), "line 5 (2000-01-06): the close is -4.5"),
        (with_row(3, close="1e999"), "line 5 (2000-01-06): the close is inf; closes must be positive and finite"),
        (with_row(3, close="inf"), "line 5 (2000-01-06): 'inf' is no number"),
        (with_row(3, close="halted"), "line 5 (2000-01-06): 'halted' is no number"),
        (with_row(3, close="$99.5"), "line 5 (2000-01-06): '$99.5' is no number"),
        (with_row(3, close="1_000"), "'1_000' is no number"),
        (with_row(3, close="__import__('os')"), "is no number"),
        (with_row(3, close='"1,234"'), "'1,234' may have a thousands separator or a decimal sign"),
        (with_row(3, close='"1,23,456.7"'), "'1,23,456.7' is no number"),
        (with_row(3, close="3,257.85"), "line 5: 3 fields where the header names 2 columns"),
        (with_row(3, day="01/06/2000"), "line 5: '01/06/2000' is no date; dates are written YYYY-MM-DD"),
        (with_row(3, day="2000-02-30"), "line 5: '2000-02-30' is no date"),
        (with_row(3, day=""), "line 5: '' is no date"),
        (with_row(3, day="2000-01-06 noon"), "line 5: '2000-01-06 noon' is no date"),
        (with_row(3, day="2000-01-05"), "line 5 (2000-01-05): the date repeats"),
        (with_row(3, day="1999-12-31"), "line 5 (1999-12-31): the date lies before that of the row above, 2000-01-05"),
        (good_rows()[::-1], "line 3 (2004-12-23): the date lies before that of the row above, 2004-12-24"),
        (good_rows()[:1], "has 1 closes; at least 1,260"),
        (good_rows()[: MIN_ROWS - 1], "has 1,259 closes; at least 1,260 (five trading years)"),
        ([], "has 0 closes"),
    ],
)
def test_a_failing_check_is_one_sentence_that_names_the_row(tmp_path, rows, message):
    with pytest.raises(PricesError) as error:
        import_csv(write(tmp_path / "mine.csv", rows), folder=tmp_path / "raw")
    assert message in str(error.value) and str(error.value).startswith("mine.csv")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "raw").exists()


def test_just_enough_rows_are_enough(tmp_path):
    assert len(import_csv(write(tmp_path / "m.csv", good_rows()[:MIN_ROWS]), folder=tmp_path).close) == MIN_ROWS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (
            b"Day,Close\n2000-01-03,1\n",
            "needs the columns Date and Close in its header line, which reads 'Day', 'Close'",
        ),
        (b"2000-01-03,17.66\n2000-01-04,17.7\n", "which reads '2000-01-03', '17.66'"),
        (b"Date,Close,close\n2000-01-03,1,2\n", "has 2 columns named Close: Close, close"),
        (b"Date,date,Close\n", "has 2 columns named Date: Date, date"),
        (b"Date,Adj Close\n", "needs the columns Date and Close"),
        (gzip.compress(b"Date,Close\n", mtime=0), "is a compressed file"),
        (b"PK\x03\x04rest", "is a compressed file"),
        (b"\x7fELF\x00\x00\x00", "is a binary file"),
        (b"Date,Close\n2000-01-03,\xff\xfe\n", "is not UTF-8 text"),
        (b"\xff\xfeD\x00a", "is not UTF-8 text"),
        (b'Date,Close\n2000-01-03,"' + b"1" * 200_000 + b'"\n', "is not a CSV file"),
    ],
)
def test_what_is_no_csv_file_of_closes(tmp_path, content, message):
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(PricesError, match=message):
        import_csv(path, folder=tmp_path / "raw")


def test_missing_files_folders_and_endless_files(tmp_path, monkeypatch):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(PricesError, match="There is no file"):
            import_csv(path, folder=tmp_path)
    monkeypatch.setattr(module, "MAX_ROWS", N - 1)
    with pytest.raises(PricesError, match="more than 1,299 rows"):
        import_csv(write(tmp_path / "long.csv", good_rows()), folder=tmp_path)


@settings(max_examples=300, deadline=None)
@given(st.floats(1e-300, 1e300))
def test_every_positive_close_survives_writing_and_reading(x):
    assert module._number(repr(x), ".", "") == x
    assert module._number(repr(x).replace(".", ","), ",", "") == x


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**12), st.integers(1, 4))
def test_thousands_separators_are_read_right_or_refused(whole, places):
    text = f"{whole:,}.{'5' * places}"
    assert module._number(text, ".", "") == float(text.replace(",", ""))
    if 1_000 <= whole < 1_000_000:
        with pytest.raises(PricesError, match="may have a thousands separator"):
            module._number(f"{whole:,}", ".", "here")


def test_points_that_may_part_thousands_are_decimal_unless_closes_jump(tmp_path):
    """Whole numbers as the Continent writes them: 987, then 1.003."""

    def file(name, closes):
        path = tmp_path / name
        path.write_text("Date;Close\n" + "".join(f"{d};{c}\n" for (d, _), c in zip(good_rows(), closes, strict=True)))
        return path

    n = len(good_rows())
    mixed = file("mixed.csv", [f"{987 + i:,}".replace(",", ".") for i in range(n)])
    with pytest.raises(PricesError, match=r"lines 14 and 15: 999 and 1\.000 lie more than a factor of 100 apart"):
        import_csv(mixed, folder=tmp_path / "raw")
    three = import_csv(file("three.csv", [f"1.{200 + i % 700}" for i in range(n)]), folder=tmp_path / "raw")
    assert three.close.iloc[0] == 1.2


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_a_sentence(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "any.csv"
    for head in (b"", b"Date,Close\n2000-01-03,"):
        path.write_bytes(head + content)
        with pytest.raises(PricesError):
            import_csv(path, folder=path.parent / "raw")


# --- the download, at its boundary ----------------------------------------------------------------------------------


def test_a_download_is_frozen_with_its_arguments(tmp_path):
    prices, fetch, waits = fetched(tmp_path, frame_of())
    np.testing.assert_array_equal(prices.close, CLOSE)
    assert list(prices.close.index) == list(CLOSE.index)  # exchange midnight is the day, not 05:00 of it
    assert prices.source == "yfinance" and prices.caption.endswith("downloaded with yfinance")
    assert (fetch.calls, waits) == (1, [])
    record = json.loads((tmp_path / "GSPC.provenance.json").read_text())
    assert record["arguments"]["auto_adjust"] is False and record["library"].startswith("yfinance ")
    assert load(folder=tmp_path).sha256 == prices.sha256


@pytest.mark.parametrize("order", [lambda name: (name, "^GSPC"), lambda name: ("^GSPC", name)])
def test_columns_of_two_levels(tmp_path, order):
    frame = frame_of(zone=None)
    frame.columns = pd.MultiIndex.from_tuples([order(name) for name in frame.columns])
    np.testing.assert_array_equal(fetched(tmp_path, frame)[0].close, CLOSE)


def test_columns_of_several_symbols_give_the_right_one(tmp_path):
    both = pd.concat({"^DJI": frame_of(CLOSE * 2), "^GSPC": frame_of()}, axis=1)
    np.testing.assert_array_equal(fetched(tmp_path, both)[0].close, CLOSE)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (frame_of().rename(columns={"Close": "Last"}), "has no column Close; its columns are Open, High, Low, Last"),
        (pd.concat([frame_of(), frame_of()], axis=1), "has 2 columns Close"),
        (pd.concat({"^DJI": frame_of()}, axis=1), "has no column Close; its columns are ^DJI/Open"),
        (frame_of().reset_index(), "has no dates as its index"),
        (frame_of().iloc[:100], "has 100 closes; at least 1,260"),
        (frame_of().iloc[::-1], "row 2 (2004-12-23): the date lies before"),
        (frame_of(CLOSE.where(CLOSE.index != CLOSE.index[4])), "row 5 (2000-01-07): the close is missing"),
        (
            frame_of(CLOSE.astype(object).where(CLOSE.index != CLOSE.index[4], "x")),
            "row 5 (2000-01-07): the close is mis",
        ),
        (frame_of(-CLOSE), "row 1 (2000-01-03): the close is -"),
        (frame_of(pd.concat([CLOSE.iloc[:9], CLOSE.iloc[8:]])), "row 10 (2000-01-13): the date repeats"),
    ],
)
def test_a_faulty_answer_is_refused_at_once(tmp_path, frame, message):
    with pytest.raises(PricesError) as error:
        fetched(tmp_path / "raw", frame)
    assert message in str(error.value)
    assert not (tmp_path / "raw").exists()


FAULTS = [
    pytest.param(YFRateLimitError(), "Too Many Requests", id="rate limit"),
    pytest.param(YFPricesMissingError("^GSPC", ""), "no price data found", id="no data"),
    pytest.param(TimeoutError("timed out"), "TimeoutError: timed out", id="timeout"),
    pytest.param(
        ConnectionError("Could not resolve host. See\nmore"), "(ConnectionError: Could not resolve host)", id="host"
    ),
    pytest.param(TypeError("'NoneType' object is not subscriptable"), "TypeError", id="no body"),
    pytest.param(pd.DataFrame(), "the answer was empty", id="empty frame"),
    pytest.param(None, "the answer was empty", id="nothing"),
]


@pytest.mark.parametrize(("fault", "reason"), FAULTS)
def test_a_failing_network_is_tried_again_then_said_plainly(tmp_path, fault, reason, caplog):
    with caplog.at_level(logging.WARNING):
        prices, fetch, waits = fetched(tmp_path / "a", fault, fault, frame_of())
    assert (fetch.calls, waits, len(prices.close)) == (3, [2.0, 8.0], N)
    assert len(caplog.records) == 2 and reason in caplog.text

    with pytest.raises(PricesError) as error:
        fetched(tmp_path / "b", fault)
    assert reason in str(error.value) and "in 4 attempts" in str(error.value)
    assert "`make data CSV=path` imports a file instead" in str(error.value) and "\n" not in str(error.value)


def test_an_interrupt_is_not_tried_again(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fetched(tmp_path, KeyboardInterrupt())


@pytest.mark.parametrize(
    ("now", "last"),
    [
        (datetime(2004, 12, 24, 19, tzinfo=UTC), "2004-12-23"),  # 14:00 in New York: still trading
        (datetime(2004, 12, 25, 4, tzinfo=UTC), "2004-12-23"),  # 23:00 in New York on the 24th
        (datetime(2004, 12, 25, 6, tzinfo=UTC), "2004-12-24"),  # the 25th there too
        (datetime(2004, 12, 22, 19, tzinfo=UTC), "2004-12-21"),  # rows of later days go as well
    ],
)
def test_a_close_that_is_not_final_is_dropped(tmp_path, now, last):
    assert f"{fetched(tmp_path, frame_of(), now=now)[0].close.index[-1]:%Y-%m-%d}" == last


def test_other_symbols_are_named_in_the_way_out(tmp_path):
    with pytest.raises(PricesError, match="`make data SYMBOL=\\^N225 CSV=path`"):
        fetched(tmp_path, None, symbol="^N225")
    with pytest.raises(PricesError, match="is no symbol"):
        fetched(tmp_path, frame_of(), symbol="a b")


def test_yfinance_is_asked_with_every_argument_that_it_has(monkeypatch):
    """A new release that adds, drops or renames an argument of `history` fails here, not in a download."""
    import inspect

    import yfinance
    from yfinance.scrapers.history import PriceHistory

    parameters = set(inspect.signature(PriceHistory.history).parameters) - {"self"}
    assert set(module.YFINANCE_ARGUMENTS) == parameters

    asked = {}
    hidden = yfinance.config.debug.hide_exceptions

    class Ticker:
        def __init__(self, symbol):
            asked["symbol"] = symbol

        def history(self, **arguments):
            assert yfinance.config.debug.hide_exceptions is False  # else a missing network reads "possibly delisted"
            asked.update(arguments)
            return frame_of()

    monkeypatch.setattr(yfinance, "Ticker", Ticker)
    assert len(module.fetch_yfinance("^GSPC")) == N
    assert asked == {"symbol": "^GSPC", **module.YFINANCE_ARGUMENTS}
    assert yfinance.config.debug.hide_exceptions is hidden is True


# --- the command line -----------------------------------------------------------------------------------------------


def test_command_line(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine.csv", good_rows())
    for name in ("import_csv", "download"):
        original = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, _f=original, **k: _f(*a, folder=tmp_path / "raw", **k))
    with caplog.at_level(logging.INFO):
        module.main(["--symbol", "^DJI", "--csv", "mine.csv"])
    assert "DJI.csv: Dow Jones Industrial Average daily closes, 1,300 rows" in caplog.text
    write(tmp_path / "mine.csv", good_rows(CLOSE * 2))
    with pytest.raises(SystemExit, match="frozen and stays"):
        module.main(["--symbol", "^DJI", "--csv", "mine.csv"])
    module.main(["--symbol", "^DJI", "--csv", "mine.csv", "--force"])
    monkeypatch.setattr(module, "fetch_yfinance", Fetch(frame_of()))
    module.main(["--symbol", "^IXIC", "--csv", ""])
    assert load("^IXIC", folder=tmp_path / "raw").source == "yfinance"


def test_the_day_is_the_exchanges_east_of_greenwich(tmp_path):
    close = make_prices(1300).close
    frame = pd.DataFrame({"Close": close.to_numpy()}, index=close.index.tz_localize("Asia/Tokyo"))
    found = download("^N225", folder=tmp_path, fetch=lambda _: frame)
    assert list(found.close.index) == list(close.index)
