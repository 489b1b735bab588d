"""Thumbnails: sheets, playlists, sets and indexes of them, beside clear films and protected ones
(TR-98..TR-104, TR-117).
"""

import re
import subprocess
from collections.abc import Awaitable, Callable
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import pytest
from origin_rigs.recipes import recipe

from native.bmff import parse_chunk, parse_init
from native.http import Entity, Refusal
from origin.protection.titles import Guards, protect
from origin.settings import Protection
from origin.tiles import Tiles
from origin.vod import Library, register, sheets, thumbnails
from origin.vod.catalog import folder, load_record

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


@pytest.fixture(scope="module")
def home(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("thumbnails")
    assert register(home, [film], "film", ffmpeg=FFMPEG).notes == []
    return home


@pytest.fixture(scope="module")
def library(home: Path) -> Library:
    return Library(home)


async def body(library: Library, leaf: str, query: str = "", title: str = "film") -> bytes:
    answer = library.answer(title, leaf, query)
    answer = await answer if isinstance(answer, Awaitable) else answer
    assert isinstance(answer, Entity), (leaf, answer)
    return answer.body


def pixels(data: bytes, crop: str, *before: str) -> bytes:
    """Grey pixels of a picture, or of a film's first frame after `before`."""
    command = [FFMPEG, "-v", "error", *before, "-i", "pipe:0", "-frames:v", "1"]
    command += ["-vf", f"{crop},format=gray", "-f", "rawvideo", "pipe:1"]
    return subprocess.run(command, input=data, capture_output=True, check=True, timeout=60).stdout


def at(film: Path, seconds: float) -> bytes:
    command = [FFMPEG, "-v", "error", "-i", str(film), "-vf"]
    command += [f"trim=start={seconds - 1e-3},scale=160:90,format=gray", "-frames:v", "1"]
    command += ["-f", "rawvideo", "pipe:1"]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def far(a: bytes, b: bytes) -> float:
    """Mean square error; PSNR 30 dB is 65."""
    assert len(a) == len(b) == 160 * 90
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / len(a)


async def test_every_tile_shows_the_film_at_its_time(library: Library, film: Path) -> None:
    """TR-102, TR-104"""
    index = (await body(library, "thumbnails.vtt")).decode()
    cues = re.findall(r"(\S+) --> (\S+)\n(\S+\.jpg)#xywh=(\d+),(\d+),160,90", index)
    assert len(cues) == 9 and cues[0][0] == "00:00:00.000" and cues[-1][1] == "00:00:16.021"
    assert [c[1] for c in cues[:-1]] == [c[0] for c in cues[1:]]
    sheet = await body(library, cues[0][2])
    assert sheet[:2] == b"\xff\xd8" and b"\xff\xc0" in sheet and b"\xff\xc2" not in sheet
    for number, (_, _, _, x, y) in enumerate(cues[:8]):
        tile = pixels(sheet, f"crop=160:90:{x}:{y}")
        assert far(tile, at(film, number * 2)) < 65, number
        assert far(tile, at(film, number * 2 + 1)) > 65, number


@pytest.mark.parametrize("gop", [41, 100])
async def test_frames_between_key_frames_are_drawn_too(
    encode: Callable[..., Path], tmp_path: Path, gop: int
) -> None:
    film = encode(tmp_path / "film.mp4", seconds=8, gop=gop)
    register(tmp_path, [film], "film", ffmpeg=FFMPEG)
    sheet = await body(Library(tmp_path), "thumbnails/1.jpg")
    for number in range(4):
        tile = pixels(sheet, f"crop=160:90:{160 * number}:0")
        assert far(tile, at(film, number * 2)) < 65, number


async def test_long_films_are_drawn_from_their_key_frames(
    encode: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnails, "DECODED_PIXELS", 0)
    film = encode(tmp_path / "film.mp4", seconds=8, gop=36)
    report = register(tmp_path, [film], "film", ffmpeg=FFMPEG)
    assert "last key frame before" in report.notes[0]
    sheet = await body(Library(tmp_path), "thumbnails/1.jpg")
    for number, second in enumerate([0, 1.5, 3, 6]):
        tile = pixels(sheet, f"crop=160:90:{160 * number}:0")
        assert far(tile, at(film, second)) < 65, number


async def test_playlists_and_sets(library: Library) -> None:
    """TR-99, TR-100"""
    master = (await body(library, "master.m3u8")).decode()
    told = re.search(r'IMAGE-STREAM-INF:BANDWIDTH=(\d+),CODECS="jpeg",RESOLUTION=160x90', master)
    size = len(await body(library, "thumbnails/1.jpg"))
    duration_s = Fraction("16.021403")
    assert told and abs(int(told[1]) - size * 8 / duration_s) < 2
    playlist = (await body(library, "thumbnails/media.m3u8")).decode()
    assert "#EXT-X-VERSION:7" in playlist and "#EXT-X-IMAGES-ONLY" in playlist
    tile = "#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=10x10,DURATION=2\n#EXTINF:16.021403,\n1.jpg\n"
    assert tile in playlist and "#EXT-X-ENDLIST" in playlist
    mpd = (await body(library, "manifest.mpd")).decode()
    assert 'contentType="image" mimeType="image/jpeg"' in mpd
    assert 'guidelines/thumbnail_tile" value="10x10"' in mpd
    assert 'width="1600" height="900"' in mpd
    assert (
        '<SegmentTemplate timescale="1" duration="200" startNumber="1" '
        'media="thumbnails/$Number$.jpg"/>' in mpd
    )
    for leaf in ("thumbnails/2.jpg", "thumbnails/1.vtt", "thumbnails/init.mp4"):
        refused = library.answer("film", leaf)
        assert isinstance(refused, Refusal) and refused.status == 404


async def test_pictures_one_by_one(library: Library, film: Path) -> None:
    """TR-101: a trick mode of JPEGs, the same pictures as in the sheets."""
    master = (await body(library, "master.m3u8")).decode()
    line = r'#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=(\d+),CODECS="mjpg",RESOLUTION=160x90,URI="(.+)"'
    told = re.search(line, master)
    assert told is not None and told[2] == "frames/media.m3u8"
    playlist = (await body(library, told[2])).decode()
    assert "#EXT-X-I-FRAMES-ONLY" in playlist and "TILES" not in playlist
    shown = re.findall(r"#EXTINF:([\d.]+),\n(\d+\.m4s)", playlist)
    assert [leaf for _, leaf in shown] == [f"{n}.m4s" for n in range(1, 10)]
    assert sum(Fraction(length) for length, _ in shown) == Fraction("16.021403")
    assert "#EXT-X-TARGETDURATION:2\n" in playlist and playlist.endswith("#EXT-X-ENDLIST\n")
    assert '#EXT-X-MAP:URI="init.mp4"' in playlist
    (track,) = parse_init(await body(library, "frames/init.mp4")).tracks
    assert (track.entry.fourcc, track.width, track.height) == ("mjpg", 160, 90)
    rates = []
    for number, (length, leaf) in enumerate(shown):
        fragment = await body(library, f"frames/{leaf}")
        rates.append(len(fragment) * 8 / max(Fraction(length), 1))
        chunk = parse_chunk(fragment, track)
        assert (chunk.decode_time, chunk.duration) == (2000 * number, 2000 if number < 8 else 21)
        picture = fragment[chunk.mdat.body :]
        assert picture[:2] == b"\xff\xd8" and picture[-2:] == b"\xff\xd9"
        if number < 8:  # the last one is the end, held
            assert far(pixels(picture, "crop=160:90:0:0"), at(film, number * 2)) < 65, number
    assert int(told[1]) - 1 < max(rates) <= int(told[1])
    refused = library.answer("film", "frames/10.m4s")
    assert isinstance(refused, Refusal) and refused.status == 404


async def test_clips(library: Library) -> None:
    """TR-117: the index and the set begin where the clip begins."""
    index = (await body(library, "thumbnails.vtt", "start=5&end=9")).decode()
    assert index.count(" --> ") == 5  # the clip begins with a segment, within a tile
    assert "00:00:00.000 --> 00:00:01.978\nthumbnails/1.jpg#xywh=320,0,160,90" in index
    mpd = (await body(library, "manifest.mpd", "start=5&end=9")).decode()
    assert 'presentationTimeOffset="4021" startNumber="1" media="thumbnails/' in mpd
    assert '<S t="0" d="200000"/>' in mpd
    assert "IMAGE-STREAM-INF" not in (await body(library, "master.m3u8", "start=5")).decode()
    first = (await body(library, "master.m3u8", "start=0&end=3")).decode()
    assert "IMAGE-STREAM-INF" in first and "thumbnails/media.m3u8?start=0&end=3" in first
    playlist = (await body(library, "thumbnails/media.m3u8", "start=0&end=3")).decode()
    assert "#EXTINF:4.021403" in playlist
    single = (await body(library, "frames/media.m3u8", "start=0&end=3")).decode()
    assert re.findall(r"\n(\d+)\.m4s", single) == ["1", "2", "3"]
    assert 'CODECS="mjpg"' not in (await body(library, "master.m3u8", "start=5")).decode()


async def test_sheets_are_kept_for_the_same_file_only(
    encode: Callable[..., Path], home: Path, film: Path, tmp_path: Path
) -> None:
    drawn = load_record(folder(home, "film"))
    assert drawn is not None and drawn.thumbnails is not None
    register(home, [film], "film")
    again = load_record(folder(home, "film"))
    assert again is not None and again.thumbnails == drawn.thumbnails
    register(tmp_path, [encode(tmp_path / "a.mp4", seconds=4)], "film", ffmpeg=FFMPEG)
    register(tmp_path, [film], "film")
    other = load_record(folder(tmp_path, "film"))
    assert other is not None and other.thumbnails is None


async def test_beside_a_protected_film(film: Path, tmp_path: Path) -> None:
    """Pictures stay clear, in every scheme."""
    register(tmp_path, [film], "film", ffmpeg=FFMPEG)
    licences = {"clearkey": "http://127.0.0.1:1/l", "identity": "http://127.0.0.1:1/k"}
    settings = Protection.model_validate({"systems": ["clearkey"], "urls": licences})
    protect(tmp_path, "film", ["cbcs", "cenc"], settings)
    library = Library(tmp_path, guards=Guards(tmp_path, settings))
    sheets = [await body(library, f"{scheme}thumbnails/1.jpg") for scheme in ("", "cenc/")]
    assert sheets[0] == sheets[1] and sheets[0][:2] == b"\xff\xd8"
    frames = [await body(library, f"{scheme}frames/1.m4s") for scheme in ("", "cenc/")]
    assert frames[0] == frames[1] and b"mdat\xff\xd8" in frames[0]
    for scheme in ("", "cenc/"):
        master = (await body(library, f"{scheme}master.m3u8")).decode()
        assert 'URI="thumbnails/media.m3u8"' in master and "EXT-X-SESSION-KEY" in master
        mpd = (await body(library, f"{scheme}manifest.mpd")).decode()
        image = mpd[mpd.index('contentType="image"') :]
        assert "ContentProtection" in mpd and "ContentProtection" not in image


def test_a_film_with_sound_alone(tmp_path: Path) -> None:
    report = register(tmp_path, [recipe("audio_only")], "film", ffmpeg=FFMPEG)
    assert [r.kind for r in report.renditions] == ["audio"]
    for leaf in ("thumbnails.vtt", "frames/media.m3u8", "frames/1.m4s", "frames/init.mp4"):
        assert isinstance(Library(tmp_path).answer("film", leaf), Refusal)


def test_a_title_without_pictures(film: Path, tmp_path: Path) -> None:
    report = register(tmp_path, [film], "film", ffmpeg="/bin/false")
    assert report.notes[-1].startswith("no thumbnails: v180: ffmpeg")
    assert isinstance(Library(tmp_path).answer("film", "thumbnails.vtt"), Refusal)


def test_sheets_of_a_long_film() -> None:
    """TR-103: whole sheets of 10x10, then the rest; what each covers, and where tiles lie."""
    tiles = Tiles("thumbnails", 160, 90, 10, 10, 4, Fraction(7205), tuple([200_000] * 19))
    listed = list(tiles.tiles())
    assert len(listed) == 1802 and listed[-1].end_s == 7205
    assert listed[1234] == (4936, 4940, 13, 640, 270)
    assert tiles.span_s(19) == (7200, 7205)
    assert tiles.bandwidth == 8 * 200_000 // 5
    assert sheets.index(tiles, Fraction(0), Fraction(7205)).count(" --> ") == 1802
