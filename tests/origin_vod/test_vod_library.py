"""What the library answers, and that it keeps up with its files (TR-29..36, TR-42, TR-49..56)."""

import os
import shutil
from collections.abc import Awaitable
from fractions import Fraction
from pathlib import Path

import pytest

from native.bmff import parse_chunk, parse_init, walk
from native.http import Answer, Entity, Refusal
from origin.vod import Library, VodError, register
from origin.vod.source import Source


async def get(library: Library, leaf: str, title: str = "film") -> Answer:
    answer = library.answer(title, leaf, "")
    return await answer if isinstance(answer, Awaitable) else answer


async def body(library: Library, leaf: str) -> bytes:
    answer = await get(library, leaf)
    assert isinstance(answer, Entity), leaf
    return answer.body


@pytest.fixture
def library(film: Path, tmp_path: Path) -> Library:
    report = register(tmp_path, [film], "film")
    assert [r.name for r in report.renditions] == ["v180", "a-eng", "a-fra"]
    assert report.segments == 4
    return Library(tmp_path)


async def test_segments_follow_one_another_and_hold_the_source_s_samples(
    library: Library, film: Path
) -> None:
    source = Source.open(str(film))
    data = film.read_bytes()
    starts = {}
    try:
        for track, name in zip(source.media_tracks(), ("v180", "a-eng", "a-fra"), strict=True):
            samples = source.samples(track)
            want = b"".join(
                data[at : at + size] for at, size in zip(samples.offset, samples.size, strict=True)
            )
            ours = parse_init(await body(library, f"{name}/init.mp4")).tracks[0]
            assert (ours.id, ours.timescale, ours.edits) == (1, track.timescale, ())
            assert ours.entry.config == track.entry.config
            media, expected = b"", None
            for number in range(1, 5):
                segment = await body(library, f"{name}/{number}.m4s")
                chunk = parse_chunk(segment, ours)
                assert chunk.independent and chunk.sequence == number
                assert chunk.earliest_pts == chunk.decode_time  # TR-29
                assert expected in (None, chunk.decode_time)  # C4
                starts.setdefault(name, Fraction(chunk.decode_time, ours.timescale))
                expected = chunk.decode_time + chunk.duration
                media += segment[chunk.mdat.body :]
            assert media == want
            assert (await get(library, f"{name}/5.m4s")).status == 404
    finally:
        source.close()
    lag = starts["v180"] - starts["a-eng"]  # the priming, 1,024 samples, to half an audio tick
    assert abs(lag - Fraction(1024, 48000)) <= Fraction(1, 96000)


async def test_only_the_first_audio_segment_says_what_to_drop(library: Library) -> None:
    assert b"iTunSMPB" in await body(library, "a-fra/1.m4s")
    assert b"iTunSMPB" not in await body(library, "a-fra/2.m4s")
    assert b"iTunSMPB" not in await body(library, "v180/1.m4s")
    kinds = [box.kind for box in walk(await body(library, "a-fra/1.m4s"))]
    assert kinds == ["styp", "moof", "mdat"]


async def test_answers_carry_validators_and_freshness(library: Library) -> None:
    tags = set()
    for leaf in ("master.m3u8", "manifest.mpd", "v180/media.m3u8", "v180/init.mp4", "v180/1.m4s"):
        first, again = await get(library, leaf), await get(library, leaf)
        assert isinstance(first, Entity) and isinstance(again, Entity)
        assert first.etag and first.etag == again.etag and first.body == again.body
        tags.add(first.etag)
    assert len(tags) == 5
    playlist = (await body(library, "a-eng/media.m3u8")).decode()
    assert playlist.count("#EXTINF") == 4 and playlist.rstrip().endswith("#EXT-X-ENDLIST")
    master = (await body(library, "master.m3u8")).decode()
    assert 'LANGUAGE="en"' in master and 'LANGUAGE="fr"' in master


@pytest.mark.parametrize(
    "leaf",
    ["", "v180", "v180/0.m4s", "v180/01.m4s", "v180/99999.m4s", "x/1.m4s", "../film/1.m4s", "a\0"],
)
async def test_what_is_not_there_is_404(library: Library, leaf: str) -> None:
    answer = await get(library, leaf)
    assert isinstance(answer, Refusal) and answer.status == 404


@pytest.mark.parametrize("title", ["", "..", "nosuch", "a/b", "x" * 300, "\0"])
async def test_unknown_titles_are_404(library: Library, title: str) -> None:
    assert (await get(library, "master.m3u8", title)).status == 404


async def test_a_changed_source_is_indexed_again_and_a_cut_one_refused(
    film: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.mp4"
    shutil.copy(film, copy)
    register(tmp_path, [copy], "film")
    library = Library(tmp_path)
    before = await body(library, "v180/2.m4s")
    os.utime(copy, ns=(1, 1))
    assert await body(library, "v180/2.m4s") == before
    with copy.open("rb+") as file:
        file.truncate(50_000)
    answer = await get(library, "v180/2.m4s")
    assert isinstance(answer, Refusal) and answer.status >= 400


async def test_a_damaged_index_is_built_again(film: Path, tmp_path: Path) -> None:
    register(tmp_path, [film], "film")
    (path,) = (tmp_path / "origin" / "vod" / "film").glob("*.idx")
    damaged = bytearray(path.read_bytes())
    damaged[-5] ^= 1
    path.write_bytes(damaged)
    assert (await get(Library(tmp_path), "v180/1.m4s")).status == 200


@pytest.mark.parametrize("title", ["", "..", "a/b", "a b", ".hidden"])
def test_title_names_are_checked(film: Path, tmp_path: Path, title: str) -> None:
    with pytest.raises(VodError) as caught:
        register(tmp_path, [film], title)
    assert caught.value.code == "bad_title"
