"""Ranges, IVs and bytes of every sample of the known answers (PR-24..PR-31, PR-175)."""

import hashlib
import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from native.bmff import parse_init, walk
from native.bmff.tables import read_samples
from native.cenc import Finder, SampleError, auxiliary, cbcs, cenc
from native.cenc.errors import CODES
from native.crypto import Aes

VECTORS = Path("/work/shared/vectors/protection")
CASES = [
    case
    for case in json.loads((VECTORS / "manifest.json").read_text())["cases"]
    if case["role"] == "emit"
]
MOST = 40


def samples_of(source: str):
    data = (VECTORS / source).read_bytes()
    mdats = [(box.body, box.end) for box in walk(data) if box.kind == "mdat"]
    track = parse_init(data).tracks[0]
    found = read_samples(data, track, mdats, len(data))
    return track, [data[at : at + size] for at, size in zip(found.offset, found.size, strict=True)]


def find(entry, scheme: str, media: bytes, sizes: bytes):
    if entry.config_kind not in ("avcC", "hvcC", "av1C"):
        return bytes(2 * (len(sizes) // 4)), b""
    return Finder(entry.config_kind, entry.config, scheme).find(media, 0, sizes, MOST)[:2]


def rows(counts: bytes, ranges: bytes):
    flat = iter(struct.iter_unpack("=II", ranges))
    return [[list(next(flat)) for _ in range(n)] for (n,) in struct.iter_unpack("=H", counts)]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_samples_come_out_as_the_known_answers(case) -> None:
    track, samples = samples_of(case["source"])
    facts = json.loads((VECTORS / case["facts"]).read_text())
    wanted = [row for fragment in facts["fragments"] for row in fragment["samples"]]
    assert [len(sample) for sample in samples] == [row[0] for row in wanted]
    media = bytearray(b"".join(samples))
    sizes = struct.pack(f"={len(samples)}I", *map(len, samples))
    counts, ranges = find(track.entry, case["scheme"], bytes(media), sizes)
    assert rows(counts, ranges) == [row[2] or [] for row in wanted]
    key = Aes(bytes.fromhex(case["key"]))
    if case["scheme"] == "cenc":
        ivs = b"".join(bytes.fromhex(row[1]) for row in wanted)
        cenc(key, media, sizes, counts, ranges, ivs)
    else:
        ivs = b""
        skip = 9 if track.handler == "vide" else 0
        pattern = (1, 9) if skip else (1, 0)
        cbcs(key, media, sizes, counts, ranges, bytes.fromhex(case["iv"]), *pattern)
    at = 0
    for row in wanted:
        sample = bytes(media[at : at + row[0]])
        assert hashlib.sha256(sample).hexdigest()[:16] == row[4]
        at += row[0]
    if ranges:
        wide, octets = auxiliary(counts, ranges, ivs, len(samples))
        told = [info for f in facts["fragments"] for info in sizes_told(f)]
        assert list(wide) == told
        assert len(octets) == sum(told)


def sizes_told(fragment):
    saiz = fragment["saiz"]
    return saiz["sample_info_sizes"] or [saiz["default_sample_info_size"]] * saiz["sample_count"]


@settings(max_examples=300, deadline=None)
@given(
    source=st.sampled_from(["avc_bf2", "avc_cavlc_4slices", "hevc", "av1"]),
    scheme=st.sampled_from(["cenc", "cbcs"]),
    changes=st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damaged_samples_are_refused_or_spanned(source, scheme, changes) -> None:
    """PR-27, PR-152: a clean error, or ranges that span every sample."""
    track, samples = samples_of(f"src/{source}.mp4")
    media = bytearray(b"".join(samples))
    for at, value in changes:
        media[at % len(media)] = value
    sizes = struct.pack(f"={len(samples)}I", *map(len, samples))
    try:
        counts, ranges = find(track.entry, scheme, bytes(media), sizes)
    except SampleError as error:
        assert error.code in CODES and 0 <= error.sample < len(samples)
        return
    spans = [sum(map(sum, table)) for table in rows(counts, ranges)]
    assert spans == [len(sample) for sample in samples]


@pytest.mark.parametrize("kind", ["avcC", "hvcC", "av1C"])
@settings(max_examples=100, deadline=None)
@given(config=st.binary(max_size=80))
def test_damaged_configurations_are_refused(kind, config) -> None:
    """PR-152"""
    try:
        Finder(kind, config, "cbcs")
    except SampleError as error:
        assert error.code in CODES and error.sample == -1
