"""Every recipe by every output: the samples and times of the source after its edits, the frames of
its decoders (TR-29, TR-30, tracks.md 11.1). ffprobe and ffmpeg read the source, a few lines of
Python our bytes.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from math import floor
from pathlib import Path

import pytest
from origin_rigs.media_rig import Piece, Sample, digest, frames, packets, pieces, transport
from origin_rigs.outputs_rig import Title
from origin_rigs.recipes import names, recipe

from origin.tracks import Rendition
from origin.vod import Library, VodError, register

REFUSED = {
    "encrypted_in": "encrypted", "res_change": "resolution_change", "lie_stsz": "bad_table",
    "lie_stts": "bad_table", "lie_stco": "offset_out_of_file", "lie_stsc": "bad_table",
    "lie_elst": "bad_table", "lie_size": "bad_box", "trunc_mdat": "truncated",
    "trunc_moov": "truncated",
}  # fmt: skip
SEGMENT_S = {"gap": 4, "frag_gap": 4, "frag_jump": 4, "huge_gop": 60, "ladder_bad_open": 8}
# Where ffmpeg's own reading is wrong, a copy of the same samples that it reads well: it moves the
# pictures of an edit that begins inside of one, and loses sound of fragments of one sample.
TIMES = {"mid_edit": "base"}
DECODED = {"mid_edit": "base", "frag_every": "no_elst"}
# A first packet that ends its stretched span (TR-19); ffprobe has it at the beginning
STRETCHED = {"no_elst", "frag_empty", "frag_in_moov", "frag_offsets", "frag_time"}
PLAYED = [name for name in names() if name not in REFUSED]
ORIGIN = 900_000  # TR-106
HALF = Fraction(1, 2)
WHOLE = ("mp4a.40.34", "ac-3", "ec-3")  # ffmpeg cuts their first and last packets by edit lists


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_packaged_is_refused(name: str, tmp_path: Path) -> None:
    """TR-28: the code, and the file's name."""
    with pytest.raises(VodError, match=name) as caught:
        register(tmp_path, [recipe(name)], "film")
    assert caught.value.code == REFUSED[name]


class Film:
    """A recipe, registered, beside what ffprobe says of it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        segment_s = Fraction(SEGMENT_S.get(name, 2))
        report = register(folder, [recipe(name)], "film", segment_s=segment_s)
        self.library = Library(folder)
        self.title = Title(self.library)
        self.tracks = report.renditions
        self.outputs = self.title.segmented()
        self.decoded = frames(recipe(DECODED.get(name, name)))
        found = packets(recipe(TIMES.get(name, name))).values()
        self.source = {t.name: rows for t, rows in zip(self.tracks, found, strict=True)}

    def pieces(self, track: Rendition) -> list[Piece]:
        output = self.outputs[track.name]
        return list(pieces(output.init, b"".join(output.media)))

    def samples(self, track: Rendition) -> list[tuple[Fraction, bytes]]:
        """What the objects of a track hold, in decode order."""
        return [
            (Fraction(pts, track.timescale), data)
            for piece in self.pieces(track)
            for _, pts, data in piece.samples
        ]


@pytest.fixture(scope="module", params=PLAYED)
def film(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Film]:
    found = Film(request.param, tmp_path_factory.mktemp(request.param))
    yield found
    found.library.close()


def kept(source: list[Sample], ours: list[str]) -> list[Sample]:
    """The run of the source's samples that has our bytes."""
    theirs = [sample.digest for sample in source]
    for first in range(len(theirs) - len(ours) + 1):
        if theirs[first : first + len(ours)] == ours:
            return source[first : first + len(ours)]
    raise AssertionError(f"{len(ours)} samples are no run of {len(theirs)}")


def test_samples_and_times_are_those_of_the_source(film: Film) -> None:
    """Every sample is there, and all tracks move by one amount, to half a tick of each clock."""
    moved: list[tuple[Fraction, Fraction]] = []
    for track in film.tracks:
        ours = [(pts_s, digest(data)) for pts_s, data in film.samples(track)]
        theirs = kept(film.source[track.name], [each for _, each in ours])
        whole = len(theirs) == len(film.source[track.name])
        assert whole == (film.name != "mid_edit")  # TR-17: from the next key frame on
        shifts = [a - b.pts_s for (a, _), b in zip(ours, theirs, strict=True)]
        if track.kind == "audio" and film.name in STRETCHED:
            first_s = shifts.pop(0)
            assert first_s - shifts[0] == Fraction(4000 - 1024, 48_000)
        assert len(set(shifts)) == 1, track.name
        moved.append((shifts[0], Fraction(1, 2 * track.timescale)))
    for shift_s, half_s in moved:
        assert abs(shift_s - moved[0][0]) <= half_s + moved[0][1]


def test_manifests_agree_with_the_media(film: Film) -> None:
    """TR-29, TR-56, TR-111..113: one set of bytes; tfdt = first PTS = $Time$ = sidx; sync first."""
    timeline, on_demand, addressed = (
        film.title.timeline(), film.title.on_demand(), film.title.addressed()
    )  # fmt: skip
    for track in film.tracks:
        name = track.name
        for other in (timeline, on_demand, addressed):
            assert other[name].file == film.outputs[name].file
        found = film.pieces(track)
        starts = [piece.tfdt for piece in found]
        assert starts == [min(pts for _, pts, _ in piece.samples) for piece in found]
        assert starts == [at for at, _ in timeline[name].times]
        assert starts == [at for at, _ in on_demand[name].times]
        ends = [at + length for at, length in timeline[name].times]
        assert ends[:-1] == starts[1:]
        assert ends == [at + length for at, length in on_demand[name].times]
        assert all(piece.syncs[0] for piece in found)
        dts = [at for piece in found for at, _, _ in piece.samples]
        assert dts == sorted(dts)
        assert b"elst" not in film.outputs[name].init


def units(data: bytes, track: Rendition) -> list[bytes]:
    """What a PES packet holds, in the source's own framing."""
    if track.kind == "video":
        return [nal for nal in re.split(b"\0\0\0?\1", data)[1:] if nal[0] & 31 not in (7, 8, 9)]
    if not track.codecs.startswith("mp4a.40.2"):
        return [data]
    found = []
    while data:
        assert data[0] == 0xFF and data[1] & 0xF6 == 0xF0
        size = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
        found.append(data[7:size])
        data = data[size:]
    return found


def nals(data: bytes) -> list[bytes]:
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return [nal for nal in found if nal[0] & 31 not in (7, 8, 9)]


def test_packets_of_transport_hold_the_same(film: Film, tmp_path: Path) -> None:
    """TR-106: pictures NAL by NAL, sound frame by frame, times to half a tick of 90 kHz."""
    carried = [t for t in film.tracks if t.codecs.split(".")[0] in ("avc1", "mp4a", "ac-3", "ec-3")]
    if not carried or film.tracks[0] not in carried or film.name == "audio_odd":
        return
    by_name = {track.name: track for track in film.tracks}
    default = next((t for t in film.tracks if t.kind == "audio"), None)
    for name, data in film.title.transported().items():
        streams = transport(data)
        assert len(streams) == (2 if by_name[name].kind == "video" and default else 1)
        for pid, found in streams.items():
            track = by_name[name] if pid == 0x100 or by_name[name].kind == "audio" else default
            assert track is not None
            ours = film.samples(track)
            ticks = [floor(pts_s * 90_000 + HALF) + ORIGIN for pts_s, _ in ours]
            if track.kind == "video":
                assert [unit.pts for unit in found] == ticks
                assert [units(u.data, track) for u in found] == [nals(data) for _, data in ours]
            else:
                assert {unit.pts for unit in found} <= set(ticks)
                whole = b"".join(b"".join(units(u.data, track)) for u in found)
                assert whole == b"".join(data for _, data in ours)
        path = tmp_path / "film.ts"
        path.write_bytes(data)
        if by_name[name].kind == "video" and film.name not in ("mid_edit", "rotated"):
            assert frames(path)[0] == film.decoded[0]


def test_decoders_make_the_same_frames(film: Film, tmp_path: Path) -> None:
    """Stated exceptions: what an edit cuts inside of a packet is whole again (TR-30)."""
    for number, track in enumerate(film.tracks):
        path = tmp_path / f"{track.name}.mp4"
        path.write_bytes(film.outputs[track.name].file)
        (decoded,) = frames(path).values()
        source = film.decoded[number]
        if film.name == "mid_edit":  # its sound is random noise, from another seed
            source = source[-len(decoded) :] if track.kind == "video" else decoded
        assert len(decoded) == len(source)
        if track.kind == "audio":
            first = 1 if track.codecs in WHOLE else 0
            decoded, source = decoded[first:-1], source[first:-1]
        assert decoded == source, track.name


def test_a_picture_on_its_side_is_told_so(tmp_path: Path) -> None:
    """TR-53: HLS speaks of what is shown, DASH of what is coded."""
    register(tmp_path, [recipe("rotated")], "film")
    library = Library(tmp_path)
    title = Title(library)
    assert b"RESOLUTION=72x128" in title.get("master.m3u8")
    assert b'width="128" height="72"' in title.get("manifest.mpd")
    library.close()


@pytest.mark.parametrize("name", ["zero_last", "one_tick_last"])
def test_a_last_picture_without_length_gets_the_usual_one(name: str, tmp_path: Path) -> None:
    """TR-22"""
    assert register(tmp_path, [recipe(name)], "film").duration_s == 4
