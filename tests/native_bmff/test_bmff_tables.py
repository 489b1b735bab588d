"""Sample tables against a plain-Python oracle, and tables that lie (TR-4..TR-7, TR-13, TR-15)."""

import struct
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from native.bmff import BoxError, SampleEntry, Track
from native.bmff.tables import read_samples
from native.bmff.write import box, full

TRACK = Track(1, "vide", 1000, 0, "und", (SampleEntry("avc1", b""),))
FILE = 1 << 40
MDATS = [(0, FILE)]


def u32s(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *(value & 0xFFFFFFFF for value in values))


def runs(values: list[int]) -> bytes:
    out: list[list[int]] = []
    for value in values:
        if out and out[-1][1] == value:
            out[-1][0] += 1
        else:
            out.append([1, value])
    return u32s(len(out), *(n for pair in out for n in pair))


def sizes_box(sizes: list[int], field: int) -> bytes:
    if field == 32:
        return full("stsz", 0, 0, u32s(0, len(sizes), *sizes))
    if field == 4:
        padded = [*sizes, 0]
        packed = bytes(padded[i] << 4 | padded[i + 1] for i in range(0, len(sizes), 2))
    else:
        packed = b"".join(size.to_bytes(field // 8, "big") for size in sizes)
    return full("stz2", 0, 0, u32s(field, len(sizes)), packed)


chunked = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 1 << 33)), min_size=1, max_size=12)


@given(data=st.data(), chunks=chunked, field=st.sampled_from([4, 8, 16, 32]), wide=st.booleans())
def test_tables_equal_the_oracle(
    data: st.DataObject, chunks: list[tuple[int, int]], field: int, wide: bool
) -> None:
    count = sum(n for n, _ in chunks)
    if not wide:
        chunks = [(n, offset & 0xFFFFFFFF) for n, offset in chunks]
    of = lambda low, high: st.lists(  # noqa: E731
        st.integers(low, high), min_size=count, max_size=count
    )
    sizes = data.draw(of(0, min((1 << field) - 1, 1 << 20)))
    durations = data.draw(of(0, 3))
    ctos = data.draw(of(-2, 2))
    sync = data.draw(st.none() | st.sets(st.integers(0, count - 1)))
    per_chunk = [n for n, _ in chunks]
    stsc = [(i + 1, n, 1) for i, n in enumerate(per_chunk) if i == 0 or per_chunk[i - 1] != n]
    parts = [
        sizes_box(sizes, field),
        full("stts", 0, 0, runs(durations)),
        full("ctts", 0, 0, runs(ctos)),  # negative in version 0, as some writers do
        full("stsc", 0, 0, u32s(len(stsc), *(v for row in stsc for v in row))),
        full(
            "co64", 0, 0, u32s(len(chunks)), struct.pack(f">{len(chunks)}Q", *dict_offsets(chunks))
        )
        if wide
        else full("stco", 0, 0, u32s(len(chunks), *dict_offsets(chunks))),
    ]
    if sync is not None:
        parts.append(full("stss", 0, 0, u32s(len(sync), *(i + 1 for i in sorted(sync)))))
    stbl = b"".join(parts)
    samples = read_samples(stbl, replace(TRACK, tables=(0, len(stbl))), MDATS, FILE)
    offsets = []
    at = 0
    for n, start in chunks:
        offsets += [start + sum(sizes[at : at + i]) for i in range(n)]
        at += n
    assert list(samples.offset) == offsets
    assert list(samples.size) == sizes
    assert list(samples.duration) == durations
    assert list(samples.dts) == [sum(durations[:i]) for i in range(count)]
    assert list(samples.cto) == ctos
    assert list(samples.sync) == [int(sync is None or i in sync) for i in range(count)]


def dict_offsets(chunks: list[tuple[int, int]]) -> list[int]:
    return [offset for _, offset in chunks]


GOOD = {
    "stsz": full("stsz", 0, 0, u32s(0, 2, 10, 10)),
    "stts": full("stts", 0, 0, u32s(1, 2, 512)),
    "stsc": full("stsc", 0, 0, u32s(1, 1, 2, 1)),
    "stco": full("stco", 0, 0, u32s(1, 100)),
}
LIES = [
    ("stsz", full("stsz", 0, 0, u32s(0, 0xFFFFFFFF, 10, 10)), "bad_table"),
    ("stsz", full("stsz", 0, 0, u32s(7, 0xFFFFFFFF)), "bad_table"),
    ("stsz", full("stz2", 0, 0, u32s(4, 0xFFFFFFFF, 0)), "bad_table"),
    ("stsz", full("stz2", 0, 0, u32s(5, 2, 0)), "bad_table"),
    ("stts", full("stts", 0, 0, u32s(0x20000000, 2, 512)), "bad_table"),
    ("stts", full("stts", 0, 0, u32s(1, 0x7FFFFFFF, 512)), "bad_table"),
    ("stsc", full("stsc", 0, 0, u32s(1, 0, 2, 1)), "bad_table"),
    ("stsc", full("stsc", 0, 0, u32s(1, 1, 0xFFFFFFFF, 1)), "bad_table"),
    ("stsc", full("stsc", 0, 0, u32s(1, 1, 1, 1)), "bad_table"),
    ("stsc", full("stsc", 0, 0, u32s(1, 1, 2, 2)), "resolution_change"),
    ("stco", full("stco", 0, 0, u32s(1, 0xF0000000)), "offset_out_of_file"),
    ("stco", full("stco", 0, 0, u32s(1, 995)), "offset_out_of_file"),
    ("stco", full("co64", 0, 0, u32s(1, 0xFFFFFFFF, 0xFFFFFFF0)), "offset_out_of_file"),
    ("stco", full("stco", 0, 0, u32s(0x40000000, 1)), "bad_table"),
    ("stts", box("free"), "bad_table"),
]


@pytest.mark.parametrize(("name", "lie", "code"), LIES)
def test_lying_tables_are_refused_before_they_cost_anything(
    name: str, lie: bytes, code: str
) -> None:
    stbl = b"".join((GOOD | {name: lie}).values())
    started = time.process_time()
    with pytest.raises(BoxError) as caught:
        read_samples(stbl, replace(TRACK, tables=(0, len(stbl))), [(50, 1000)], 1000)
    assert caught.value.code == code
    assert time.process_time() - started < 10  # a runaway loop, not a measurement


def test_the_good_tables_are_good() -> None:
    stbl = b"".join(GOOD.values())
    samples = read_samples(stbl, replace(TRACK, tables=(0, len(stbl))), [(50, 1000)], 1000)
    assert list(samples.offset) == [100, 110]
