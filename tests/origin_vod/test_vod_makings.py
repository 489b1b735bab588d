"""Tables that ffmpeg writes in another form, or not at all: the base film with its boxes rewritten
gives the same segments, or is refused by name (TR-4, TR-15, TR-16, TR-62).
"""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from origin_rigs.media_rig import boxes
from origin_rigs.outputs_rig import Title
from origin_rigs.recipes import recipe

from origin.vod import Library, VodError, register

INSIDE = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"}
Change = Callable[[bytes], bytes]  # of a whole box


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def rewritten(data: bytes, changes: dict[bytes, Change]) -> bytes:
    """The boxes side by side, those of some kinds changed, at any depth."""
    out = b""
    for name, body, end in boxes(data):
        kind = name.encode("latin-1")
        whole = data[body - 8 : end]
        if kind in INSIDE:
            whole = box(kind, rewritten(data[body:end], changes))
        out += changes.get(kind, bytes)(whole)
    return out


def sizes_of(stsz: bytes) -> tuple[int, ...]:
    uniform, count = struct.unpack_from(">II", stsz, 12)
    assert not uniform
    return struct.unpack_from(f">{count}I", stsz, 20)


def co64(stco: bytes) -> bytes:
    (count,) = struct.unpack_from(">I", stco, 12)
    offsets = struct.unpack_from(f">{count}I", stco, 16)
    return box(b"co64", bytes(4), struct.pack(f">I{count}Q", count, *offsets))


def stz2(bits: int) -> Change:
    """Compact sizes; a table that does not fit stays."""

    def change(stsz: bytes) -> bytes:
        sizes = sizes_of(stsz)
        if max(sizes) >> bits:
            return stsz
        if bits == 4:
            even = [*sizes, 0] if len(sizes) % 2 else sizes
            rows = bytes(a << 4 | b for a, b in zip(even[::2], even[1::2], strict=True))
        else:
            rows = struct.pack(f">{len(sizes)}{'H' if bits == 16 else 'B'}", *sizes)
        return box(b"stz2", bytes(7), bytes([bits]), struct.pack(">I", len(sizes)), rows)

    return change


def negative(ctts: bytes) -> bytes:
    """Version 1 as version 0: writers put negative offsets there too (TR-15)."""
    return ctts[:8] + b"\0" + ctts[9:]


def large(mdat: bytes) -> bytes:
    """A 64-bit size, in the space of the `free` in front of it."""
    return struct.pack(">I4sQ", 1, b"mdat", len(mdat) + 8) + mdat[8:]


def without_free(data: bytes) -> bytes:
    """Room for the larger header, so that no offset moves."""
    at = data.index(b"free") - 4
    assert data[at : at + 4] == bytes([0, 0, 0, 8]) and data[at + 12 : at + 16] == b"mdat"
    return data[:at] + large(data[at + 8 : data.index(b"moov") - 4]) + data[
        data.index(b"moov") - 4 :
    ]  # fmt: skip


def edits(*rows: tuple[int, int, int]) -> Change:
    """Another list, as version 1 with 64 bits."""

    def change(_: bytes) -> bytes:
        packed = b"".join(struct.pack(">QqI", *row) for row in rows)
        return box(b"elst", b"\1\0\0\0", struct.pack(">I", len(rows)), packed)

    return change


def segments(film: bytes, folder: Path) -> dict[str, bytes]:
    path = folder / "film.mp4"
    path.write_bytes(film)
    register(folder, [path], "film")
    library = Library(folder)
    found = {name: output.file for name, output in Title(library).segmented().items()}
    library.close()
    return found


SAME: dict[str, tuple[str, Change]] = {
    "co64": ("base", lambda film: rewritten(film, {b"stco": co64})),
    "stz2 of 16 bits": ("base", lambda film: rewritten(film, {b"stsz": stz2(16)})),
    "stz2 of sound": ("audio_only", lambda film: rewritten(film, {b"stsz": stz2(16)})),
    "mdat of 64 bits": ("base", without_free),
    "ctts v0": ("neg_cts", lambda film: rewritten(film, {b"ctts": negative})),
}


@pytest.mark.parametrize("name", SAME)
def test_another_form_of_the_tables_gives_the_same(name: str, tmp_path: Path) -> None:
    source, change = SAME[name]
    film = recipe(source).read_bytes()
    changed = change(film)
    assert changed != film
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    assert segments(changed, second) == segments(film, first)


@pytest.mark.parametrize("bits", [4, 8])
def test_small_sizes(bits: int, tmp_path: Path) -> None:
    """stz2 with fields of 4 and 8 bits, the high half first: sizes that a film rarely has."""
    film = recipe("audio_only").read_bytes()
    limit = (1 << bits) - 1

    def small(stsz: bytes) -> bytes:
        sizes = [min(size, limit - number % 3) for number, size in enumerate(sizes_of(stsz))]
        return stsz[:20] + struct.pack(f">{len(sizes)}I", *sizes)

    moov = film.index(b"moov") - 4
    plain = film[:moov] + rewritten(film[moov:], {b"stsz": small})
    compact = film[:moov] + rewritten(film[moov:], {b"stsz": lambda s: stz2(bits)(small(s))})
    assert b"stz2" in compact
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    assert segments(compact, second) == segments(plain, first)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(1000, 1024, 1 << 16), (500, -1, 1 << 16), (1000, 20_000, 1 << 16)], "second edit"),
        ([(1000, 1024, 1 << 16), (1000, 30_000, 1 << 16)], "second edit"),
        ([(1000, 1024, 2 << 16)], "rate"),
        ([(1000, 1024, 0)], "dwell"),
    ],
)
def test_edit_lists_that_no_track_can_follow(
    rows: list[tuple[int, int, int]], words: str, tmp_path: Path
) -> None:
    """TR-16"""
    film = rewritten(recipe("base").read_bytes(), {b"elst": edits(*rows)})
    with pytest.raises(VodError, match=words) as caught:
        segments(film, tmp_path)
    assert caught.value.code == "unsupported_edit"


def test_empty_edits_add_up(tmp_path: Path) -> None:
    """Two of 250 ms are one of 500 ms (TR-16)."""
    film = recipe("base").read_bytes()
    (timescale,) = struct.unpack_from(">I", film, film.index(b"mvhd") + 16)
    found = []
    for name, empty in (("first", (2,)), ("second", (1, 1))):
        rows = [(timescale * n // 4, -1, 1 << 16) for n in empty]
        folder = tmp_path / name
        folder.mkdir()
        found.append(segments(rewritten(film, {b"elst": edits(*rows, (0, 1024, 1 << 16))}), folder))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("setup", "codec"),
    [
        ("131056e598", "mp4a.40.5"), ("130856e59d4880", "mp4a.40.29"), ("2b118800", "mp4a.40.5"),
        ("118856e500", "mp4a.40.2"),
    ],
)  # fmt: skip
def test_explicit_he_aac_is_told(setup: str, codec: str, tmp_path: Path) -> None:
    """TR-62, by the AudioSpecificConfig: no encoder at hand makes HE-AAC."""

    def esds(whole: bytes) -> bytes:
        config = bytes.fromhex(setup)
        decoder = bytes([4, 13 + 2 + len(config), 0x40, 0x15]) + bytes(11)
        specific = bytes([5, len(config)]) + config
        inner = bytes(2) + b"\0" + decoder + specific
        return box(b"esds", bytes(4), bytes([3, len(inner)]), inner)

    def stsd(whole: bytes) -> bytes:
        if b"mp4a" not in whole:
            return whole
        at = whole.index(b"esds") - 4
        (size,) = struct.unpack_from(">I", whole, at)
        new = esds(whole[at : at + size])
        (entry,) = struct.unpack_from(">I", whole, 16)
        grown = struct.pack(">I", entry + len(new) - size)
        inner = whole[8:16] + grown + whole[20:at] + new + whole[at + size :]
        return box(b"stsd", inner)

    path = tmp_path / "film.mp4"
    path.write_bytes(rewritten(recipe("base").read_bytes(), {b"stsd": stsd}))
    tracks = register(tmp_path, [path], "film").renditions
    assert [t.codecs for t in tracks if t.kind == "audio"] == [codec]
