"""A damaged line is found, whatever the damage; whole lines are never suspected."""

import json
import resource

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import lines

RECORDS = [{"op_code": n, "text": f"record {n}", "value": n / 7} for n in range(6)]


def sealed(records=RECORDS):
    return lines.encode(records)[0]


def test_lines_remain_json_and_carry_their_sum(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(sealed())
    for record, line in zip(RECORDS, path.read_text().splitlines(), strict=True):
        content = json.loads(line)
        assert len(content.pop("sum")) == 16 and content == record
    found = lines.scan(path)
    assert (found.lines, found.size, found.damage) == (6, len(sealed()), "")


def test_appending_goes_on_where_the_file_ends(tmp_path):
    path = tmp_path / "a.jsonl"
    first, running = lines.encode(RECORDS[:2])
    path.write_bytes(first)
    assert lines.scan(path).running == running
    with path.open("ab") as file:
        file.write(lines.encode(RECORDS[2:], lines.scan(path).running)[0])
    assert path.read_bytes() == sealed()
    assert lines.scan(path, after=lines.Scan(2, len(first), running)) == lines.scan(path)


@settings(max_examples=400, deadline=None)
@given(at=st.integers(0, len(sealed()) - 1), bit=st.integers(0, 7))
def test_every_flipped_bit_is_found_at_its_line(tmp_path_factory, at, bit):
    content = bytearray(sealed())
    content[at] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / "flipped.jsonl"
    path.write_bytes(content)
    found, line = lines.scan(path), sealed()[:at].count(b"\n") + 1
    assert found.damage and line <= found.lines + 1 <= line + 1
    assert sealed().startswith(bytes(content[: found.size])) or found.lines + 1 == line + 1


@pytest.mark.parametrize(
    ("damage", "line", "what"),
    [
        (lambda s: s[1:], 1, "its checksum does not fit"),  # lost: the first
        (lambda s: s[:2] + s[3:], 3, "its checksum does not fit"),
        (lambda s: s[:3] + s[2:], 4, "its checksum does not fit"),  # doubled
        (lambda s: [s[0], s[2], s[1], *s[3:]], 2, "its checksum does not fit"),  # moved
        (lambda s: [*s[:2], b'{"op_code":1}\n', *s[2:]], 3, "it has no checksum"),
        (lambda s: [*s[:2], b"foreign text\n", *s[2:]], 3, "it is no record"),
        (lambda s: [*s[:5], s[5][:-9]], 6, "it is incomplete"),
    ],
)
def test_damage_is_named(tmp_path, damage, line, what):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(damage(sealed().splitlines(keepends=True))))
    found = lines.scan(path)
    assert found.lines + 1 == line and found.damage.startswith(what)
    assert found.cut == (what == "it is incomplete")


def test_lines_of_other_programs_are_not_taken_for_ours(tmp_path):
    path = tmp_path / "a.jsonl"
    plain = b"".join(json.dumps(r).encode() + b"\n" for r in RECORDS[:3])
    path.write_bytes(plain)
    assert lines.scan(path) == lines.Scan(damage="it has no checksum")
    path.write_bytes(sealed() + plain)
    assert lines.scan(path).lines == 6 and lines.scan(path).damage == "it has no checksum"


def test_appending_leaves_the_file_as_it_was_where_the_disk_is_full(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(sealed(RECORDS[:2]))
    known = lines.scan(path)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (known.size + 10, limit[1]))
    try:
        with pytest.raises(OSError):
            lines.append(path, RECORDS[2:], known)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert path.read_bytes() == sealed(RECORDS[:2])
    assert lines.append(path, RECORDS[2:], known) == lines.scan(path)
    assert path.read_bytes() == sealed()


def test_cutting_keeps_every_copy(tmp_path):
    path = tmp_path / "a.jsonl"
    for number in (1, 2):
        path.write_bytes(sealed() + b"x" * number)
        lines.cut(path, len(sealed()))
        assert path.read_bytes() == sealed()
    assert (tmp_path / "a.jsonl.damaged").read_bytes() == sealed() + b"x"
    assert (tmp_path / "a.jsonl.damaged-2").read_bytes() == sealed() + b"xx"
