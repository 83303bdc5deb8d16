"""What is damaged is named with its file and line; what is whole is not suspected."""

import gzip
import logging
import re
import struct

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import make_prices

from helpers import doctor, faults, figures, lines, paths, prices, provenance, study, tables

RECORDS = [{"row": n, "status": "ok", "epochs": 1, "engine": "fast", "data_sha256": "0" * 64} for n in (1, 2)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with one of everything, all of it whole."""
    root = tmp_path_factory.mktemp("made")
    outputs = paths.Outputs(root)
    sha256 = faults.small_dataset().data_sha256
    faults.run_study("generator", outputs.studies("full"), trials=4)
    (outputs.studies("full") / "replay_generator_x.jsonl").write_bytes(
        lines.encode([r | {"data_sha256": sha256} for r in RECORDS])[0]
    )
    fig, axes = plt.subplots(figsize=(1, 1))
    axes.plot([1, 2])
    figures.save(fig, "G-fig10", caption="A line.", outputs=outputs)
    plt.close(fig)
    tables.save(pd.DataFrame({"mse": [0.5, 0.25]}), "G-tab08", caption="Two numbers.", outputs=outputs)
    stamp = provenance.stamp_markdown(provenance.stamp(data_sha256="0" * 64))
    output = nbformat.v4.new_output("display_data", data={"text/markdown": stamp})
    cells = [nbformat.v4.new_code_cell("1"), nbformat.v4.new_code_cell("stamp", outputs=[output])]
    outputs.rendered.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), outputs.rendered / "02_x.ipynb")
    (root / "data" / "benchmark").mkdir(parents=True)
    (root / PACKED).write_bytes(gzip.compress(b"mse\n" + b"0.5\n" * 99))
    raw = root / "data" / "raw"
    close = make_prices(prices.MIN_ROWS).close
    text = "".join(f"{day:%Y-%m-%d},{value!r}\n" for day, value in close.items())
    (root / "mine.csv").write_text("Date,Close\n" + text)
    prices.import_csv(root / "mine.csv", folder=raw)
    return root


def findings(root):
    return doctor.examine(paths.Outputs(root), raw=root / "data" / "raw")[1]


def test_all_is_well(made):
    counts, found = doctor.examine(paths.Outputs(made), raw=made / "data" / "raw")
    assert found == [] and all(counts.values())


JOURNAL, TABLE, PNG = "data/studies/full/s.journal", "figures/tables/G-tab08.csv", "figures/G-fig10.png"
SVG, ENTRY, NOTEBOOK = "figures/G-fig10.svg", "figures/index/G-fig10.json", "notebooks/rendered/02_x.ipynb"
PACKED = "data/benchmark/generator.csv.gz"
REPLAY, CLOSES = "data/studies/full/replay_generator_x.jsonl", "data/raw/GSPC.csv"


ERROR = b'{"output_type": "error", "ename": "E", "evalue": "", "traceback": []}'


def flip(at):
    def damage(content):
        at_ = at % len(content)
        return content[:at_] + bytes([content[at_] ^ 1]) + content[at_ + 1 :]

    return damage


def swap(old, new):
    def damage(content):
        assert old in content
        return content.replace(old, new, 1)

    return damage


def bad_close(content):
    rows = content.splitlines(keepends=True)
    rows[6] = rows[6][:11] + b"-" + rows[6][11:]
    return b"".join(rows)


@pytest.mark.parametrize(
    ("name", "damage", "line", "said"),
    [
        (JOURNAL, swap(b'"units"', b'"unitz"'), 5, "its checksum does not fit"),
        (JOURNAL, swap(b"\n", b"\nforeign text\n"), 2, "it is no record"),
        (JOURNAL, lambda c: c[:-30], 0, "it is incomplete; nothing: the next run cuts it off"),
        (JOURNAL, lambda c: b"", 0, "it is empty"),
        (JOURNAL, lambda c: lines.encode([{"op_code": 0}])[0], 0, "it tells no study"),
        (REPLAY, swap(b'"row":2', b'"row":3'), 2, "its checksum does not fit it.*; restore the file, or"),
        (REPLAY, swap(b"}\n", b"\n"), 1, "it is no record"),
        (REPLAY, lambda c: lines.encode([{"foreign": 1}])[0] + c, 1, "it is no record"),
        (REPLAY, lambda c: c[:-3], 2, "it is incomplete; nothing: the next run cuts it off, the 1 lines"),
        (REPLAY, lambda c: lines._TAIL.sub(b"}\n", c), 2, "it has no checksum"),
        (PNG, flip(200), 0, "CRC-32 differs|cut off"),
        (PNG, lambda c: c[:-5], 0, "the picture is cut off"),
        (PNG, lambda c: b"GIF89a" + c, 0, "no PNG picture"),
        (SVG, lambda c: c[:-9], 0, "no whole SVG picture"),
        (SVG, swap(b"<g", b"<h"), 0, "no whole SVG picture"),
        (SVG, swap(b'x="9"', b'x="8"'), 0, "its checksum differs"),
        (TABLE, lambda c: c[:-1], 3, "the last line is incomplete"),
        (TABLE, swap(b"0.5", b"0.5,1"), 2, "2 fields where the header has 1"),
        (TABLE, swap(b"0.5", b"0.4"), 0, "its checksum differs"),
        (TABLE, swap(b"0.5", b"\xff"), 2, "not UTF-8 text"),
        (ENTRY, lambda c: c[:40], 0, "no entry of the index"),
        (ENTRY, lambda c: b"[]", 0, "no entry of the index"),
        (ENTRY, swap(b'"caption"', b'"captain"'), 0, "no entry of the index"),
        (PACKED, lambda c: c[:-9], 0, "packed table is damaged"),
        (PACKED, flip(-30), 0, "packed table is damaged|not UTF-8"),
        (NOTEBOOK, lambda c: c[:-20], 0, "no whole notebook"),
        (NOTEBOOK, swap(b"Data (SHA-256)", b"Data"), 0, "ends without a stamp"),
        (NOTEBOOK, swap(b'"outputs": []', b'"outputs": [' + ERROR + b"]"), 0, "cell 1 ended with an error"),
        (CLOSES, flip(500), 0, "its checksum differs; make it again"),
    ],
)  # fmt: skip
def test_damage_is_named(made, name, damage, line, said):
    path = made / name
    whole = path.read_bytes()
    try:
        path.write_bytes(damage(whole))
        assert path.read_bytes() != whole
        found = [f for f in findings(made) if f.path == path]
        assert found, "nothing was found"
        assert any(re.search(said, f"{f.what}; {f.do}") for f in found), found
        assert not line or any(f.line == line for f in found), found
        assert all(f.do and "\n" not in str(f) for f in found)
    finally:
        path.write_bytes(whole)


def test_records_of_different_closes_in_one_folder_are_named(tmp_path):
    folder = paths.Outputs(tmp_path).studies("default")
    sums = ["0" * 64, "1" * 64]
    for name, sha256 in zip(("gan_clean", "gan_shuffled"), sums, strict=True):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"replay_{name}.jsonl").write_bytes(lines.encode([RECORDS[0] | {"data_sha256": sha256}])[0])
    (found,) = findings(tmp_path)
    assert found.path == folder and "different closes (00000000, 11111111)" in found.what


def test_missing_and_left_over_files_are_named(made):
    moved = made / PNG
    whole = moved.read_bytes()
    moved.unlink()
    left = [made / "figures" / ".G-fig10.png.123", made / "data" / "studies" / "full" / "s.best-0001.7.aside.npz"]
    for path in left:
        path.write_bytes(b"")
    said = {f.path: f.what for f in findings(made)}
    for path in left:
        path.unlink()
    moved.write_bytes(whole)
    assert said == {moved: "it is missing"} | dict.fromkeys(left, "an interrupted write left it")


def test_damaged_forecasts(made):
    path = next((made / "data" / "studies" / "full").glob("*.npz"))
    whole = path.read_bytes()
    with np.load(path) as file:
        at = whole.index(file["predictions"].tobytes())
    for damaged in (whole[:-40], whole[: at + 9] + b"\x7f" + whole[at + 10 :], b"no archive"):
        path.write_bytes(damaged)
        assert [f.path for f in findings(made)] == [path]
    np.savez(path, predictions=np.array([np.nan], np.float32))
    assert [f.what for f in findings(made)] == ["predictions is not finite"]
    np.savez(path, predictions=np.array([print], object), allow_pickle=True)
    assert [f.path for f in findings(made)] == [path]  # an archive with objects is not opened
    path.write_bytes(whole)
    assert findings(made) == []


def test_a_picture_is_checked_chunk_by_chunk():
    end = struct.pack(">I4sI", 0, b"IEND", 0xAE426082)
    assert doctor._png(b"\x89PNG\r\n\x1a\n" + end) == ""
    assert doctor._png(b"\x89PNG\r\n\x1a\n" + end + b"x") == "something follows the picture's end"


def test_command_line_repairs_and_the_study_goes_on(tmp_path, monkeypatch, caplog):
    folder = tmp_path / "data" / "studies" / "full"
    whole = faults.outcome(faults.run_study("generator", folder, trials=6))
    path = study.journal_path("s", folder)
    content = path.read_bytes()
    lines_of = content.splitlines(keepends=True)
    at = len(lines_of) // 2
    path.write_bytes(b"".join([*lines_of[:at], lines_of[at].replace(b"1", b"2"), *lines_of[at + 1 :]]))
    monkeypatch.setattr(paths, "RAW", tmp_path / "none")
    with caplog.at_level(logging.INFO):
        assert doctor.main(["--output", str(tmp_path)]) == 1
        assert f"s.journal, line {at + 1}: its checksum does not fit" in caplog.text
        with pytest.raises(study.StudyError, match=f"line {at + 1} is damaged.*make doctor REPAIR="):
            faults.run_study("generator", folder, trials=6)
        assert doctor.main(["--repair", str(path)]) == 0
    assert content.startswith(path.read_bytes()) and len(path.read_bytes().splitlines()) == at
    assert path.with_name("s.journal.damaged").is_file()
    assert faults.outcome(faults.run_study("generator", folder, trials=6)) == whole
    assert doctor.main(["--output", str(tmp_path)]) == 0
    assert doctor.main(["--repair", str(tmp_path)]) == 2
