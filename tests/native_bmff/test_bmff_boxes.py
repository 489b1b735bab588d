"""The walk, the splitter and their answers to boxes that lie (TR-1, I14)."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from native.bmff import BoxError, Splitter, tree, walk
from native.bmff.write import box

names = st.sampled_from(["free", "mdat", "abcd", "styp", "emsg"])
plain = st.tuples(names, st.binary(max_size=40))


def large(kind: str, body: bytes) -> bytes:
    return struct.pack(">I4sQ", 1, kind.encode(), 16 + len(body)) + body


@given(st.lists(st.tuples(plain, st.booleans()), max_size=20))
def test_walk_finds_what_was_written(items: list[tuple[tuple[str, bytes], bool]]) -> None:
    data = b""
    expected = []
    for (kind, body), wide in items:
        start = len(data)
        data += large(kind, body) if wide else box(kind, body)
        expected.append((kind, start, len(data) - len(body), len(data)))
    assert [tuple(found) for found in walk(data)] == expected


@given(st.binary(max_size=64))
def test_walk_of_noise_ends_in_boxes_or_a_box_error(data: bytes) -> None:
    try:
        found = walk(data)
    except BoxError as error:
        assert error.code in ("bad_box", "truncated")
    else:
        assert not data or found[-1].end == len(data)


def test_tree_opens_containers_and_no_deeper_than_sixteen() -> None:
    data = box("moov", box("trak", box("mdia")), box("free"))
    assert [(depth, b.kind) for depth, b in tree(data)] == [
        (0, "moov"),
        (1, "trak"),
        (2, "mdia"),
        (1, "free"),
    ]
    deep = b""
    for _ in range(18):
        deep = box("moov", deep)
    with pytest.raises(BoxError, match="deeper than 16"):
        tree(deep)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (struct.pack(">I4s", 4, b"mdia"), "bad_box"),
        (struct.pack(">I4s", 100, b"mdia"), "truncated"),
        (struct.pack(">I4sQ", 1, b"mdat", 15), "bad_box"),
        (struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1), "truncated"),
        (b"\0\0\0", "truncated"),
        (struct.pack(">I4s", 1, b"mdat"), "truncated"),
    ],
)
def test_lying_headers(data: bytes, code: str) -> None:
    with pytest.raises(BoxError) as caught:
        walk(data)
    assert caught.value.code == code


HEADER = box("ftyp", b"cmf2") + box("moov", b"x" * 30)
CHUNK = box("styp", b"msdh") + box("prft") + box("moof", b"y" * 20) + box("mdat", b"z" * 50)
END = box("mfra", b"w" * 12)


@given(st.lists(st.integers(0, 400), max_size=30))
def test_splitter_gives_the_same_units_for_any_pieces(cuts: list[int]) -> None:
    stream = HEADER + CHUNK + CHUNK + END
    marks = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
    splitter = Splitter(1000)
    units = []
    for a, b in pairwise(marks):
        units += splitter.feed(stream[a:b])
    splitter.finish()
    assert [(u.kind, u.data) for u in units] == [
        ("header", HEADER),
        ("chunk", CHUNK),
        ("chunk", CHUNK),
        ("end", END),
    ]
    assert splitter.pending_bytes == 0


def test_splitter_refuses_ten_gigabytes_at_the_header() -> None:
    splitter = Splitter(1 << 20)
    splitter.feed(box("moof", b"y" * 20))
    declared = struct.pack(">I4sQ", 1, b"mdat", 10 << 30)
    assert splitter.feed(declared[:15]) == []
    with pytest.raises(BoxError) as caught:
        splitter.feed(declared[15:])
    assert (caught.value.code, caught.value.status) == ("too_large", 413)


def test_splitter_bounds_the_sum_of_a_unit() -> None:
    splitter = Splitter(100)
    with pytest.raises(BoxError, match="too_large"):
        for _ in range(20):
            splitter.feed(box("emsg", b"e" * 20))


@pytest.mark.parametrize("cut", range(1, len(CHUNK)))
def test_splitter_reports_a_cut_unit(cut: int) -> None:
    splitter = Splitter()
    assert splitter.feed(CHUNK[:cut]) == []
    with pytest.raises(BoxError, match="truncated"):
        splitter.finish()


@pytest.mark.parametrize(
    "stream",
    [box("mdat", b"z"), box("moof") + box("styp"), box("moof") + box("moof"), b"\0\0\0\0mdat"],
)
def test_splitter_refuses_wrong_order(stream: bytes) -> None:
    with pytest.raises(BoxError, match="bad_box"):
        Splitter().feed(stream)


def test_splitter_ignores_padding_at_the_end() -> None:
    splitter = Splitter()
    assert len(splitter.feed(CHUNK + box("free", b"1234"))) == 1
    splitter.finish()
