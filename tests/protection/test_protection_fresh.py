"""Segments that are encrypted where they were read equal those that are encrypted on a copy."""

import random
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from origin_rigs.protection_rig import VECTORS

from native.bmff import BoxError
from native.bmff.widen import widen
from native.bmff.write import box, full
from origin.protection.keys import ContentKey, Scheme
from origin.protection.sealer import Sealer
from origin.protection.secret import Secret
from origin.tracks import Rendition
from origin.vod import register
from origin.vod.catalog import folder, load_record
from origin.vod.index import load
from origin.vod.reading import open_reader
from origin.vod.served import Served

SOURCES = ("avc_bf2.mp4", "avc_cavlc_4slices.mp4", "hevc.mp4", "av1.mp4", "aac.mp4", "eac3.mp4")
PSSH = (full("pssh", 0, 0, bytes(16), bytes(4)),)


def content_key(scheme: Scheme) -> ContentKey:
    iv = bytes(range(2, 18)) if scheme == "cbcs" else b""
    return ContentKey(bytes(range(1, 17)), Secret(bytes(range(16))), scheme, "video", "film", iv)


class Fresh:
    """A guard that seals in place, and keeps what it was given."""

    tag = "t"

    def __init__(self, sealer: Sealer) -> None:
        self.sealer = sealer
        self.given: list[bytes] = []

    def shown(self, rendition: Rendition) -> Rendition:
        raise AssertionError

    def init(self, track: str, data: bytes) -> bytes:
        raise AssertionError

    def seal(self, track: str, data: bytes, first_sample: int) -> Sequence[bytes]:
        return self.sealer.seal(data, first_sample)

    def seal_fresh(
        self, track: str, head: bytes, sizes: bytes, media: bytes, first_sample: int
    ) -> Sequence[bytes]:
        self.given.append(media)
        return self.sealer.seal_fresh(head, sizes, media, first_sample)


@pytest.mark.parametrize("inband", [False, True])
@pytest.mark.parametrize("scheme", ["cbcs", "cenc"])
@pytest.mark.parametrize("source", SOURCES)
def test_fresh_segments_are_sealed_as_others(
    source: str, scheme: Scheme, inband: bool, tmp_path: Path
) -> None:
    """PR-160, PR-163"""
    register(tmp_path, [VECTORS / "src" / source], "film", segment_s=Fraction(1))
    home = folder(tmp_path, "film")
    record = load_record(home)
    assert record is not None
    index = load(home / record.indexes[0])
    reader = open_reader(index.source)
    (track,) = (Served(track, reader, "t", 1) for track in index.tracks)
    key = content_key(scheme)
    guard = Fresh(Sealer(track.index.init, key, number=3, boxes=PSSH, inband=inband))
    for segment in track.segments:
        n = segment.number
        clear = track.media(n, wait=True)
        assert clear is not None
        expected = guard.sealer.seal(clear, track.cutter.first(n))
        assert track.sealed(guard, n, wait=True) == expected
        assert guard.given[-1] == expected[-1] != clear[-len(expected[-1]) :]  # in place
    assert len(guard.given) == len(track.segments) > 0
    reader.close()


def test_widening_moves_every_offset() -> None:
    trun = full("trun", 0, 0x1, struct.pack(">Ii", 1, 500))
    other = full("trun", 0, 0x200, struct.pack(">II", 1, 500))
    traf = box("traf", trun, other, trun)
    moof = box("moof", full("mfhd", 0, 0, bytes(4)), traf, box("free", b"note"))
    lead, media = box("styp", b"cmfscmfs"), box("mdat", bytes(9))[:8]
    extra = full("saio", 0, 0, struct.pack(">II", 1, 40)) + box("senc", bytes(30))
    made = widen(lead + moof + media, extra, 16, box("pssh", bytes(5)))
    grown = len(extra) + 13
    moved = full("trun", 0, 0x1, struct.pack(">Ii", 1, 500 + grown))
    place = 8 + 16 + len(traf)  # of `extra` in the moof
    told = full("saio", 0, 0, struct.pack(">II", 1, 40 + place)) + box("senc", bytes(30))
    expected = box(
        "moof",
        full("mfhd", 0, 0, bytes(4)),
        box("traf", moved, other, moved, told),
        box("free", b"note"),
        box("pssh", bytes(5)),
    )
    assert made == lead + expected + media


def test_a_head_that_is_none_is_refused() -> None:
    chance = random.Random(5)
    whole = box("styp", bytes(8)) + box("moof", box("traf", full("trun", 0, 1, bytes(8))))
    for _ in range(3000):
        hurt = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            hurt[chance.randrange(len(hurt))] = chance.randrange(256)
        try:
            made = widen(bytes(hurt[: chance.randrange(len(hurt) + 1)]), b"x" * 8, 4, b"")
        except BoxError:
            continue
        assert len(made) <= len(whole) + 8
    with pytest.raises(BoxError, match="outside of the boxes"):
        widen(whole, b"xyz", 0, b"")
