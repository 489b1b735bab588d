"""Every form of a film from one set of samples: ranges, I frames, clips, packets (TR-94..117)."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import aiohttp
import imageio_ffmpeg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from native.bmff import parse_chunk, parse_init, walk
from native.http import Answer, Entity, Refusal, Request, serve
from native.mpegts import psi
from origin.vod import Library, register
from origin.vod.virtual import read_range

LEAVES = [
    "master.m3u8",
    "manifest.mpd",
    "bytes.m3u8",
    "ondemand.mpd",
    "ts.m3u8",
    *(f"v180/{leaf}" for leaf in ("media.m3u8", "iframe.m3u8", "bytes.m3u8", "ts.m3u8")),
    *(f"v180/{leaf}" for leaf in ("init.mp4", "2.m4s", "2.i.m4s", "2.ts", "track.mp4")),
    *(f"a-eng/{leaf}" for leaf in ("media.m3u8", "init.mp4", "4.m4s", "4.ts", "track.mp4")),
]


@pytest.fixture(scope="module")
def library(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    home = tmp_path_factory.mktemp("outputs")
    register(home, [film], "film")
    return Library(home)


def body(library: Library, leaf: str, query: str = "") -> bytes:
    answer = library.answer("film", leaf, query)
    assert isinstance(answer, Entity), (leaf, answer)
    return answer.body


@pytest.fixture
async def url(library: Library) -> AsyncIterator[str]:
    def handler(request: Request) -> Answer | Awaitable[Answer]:
        _, _, title, leaf = request.path.split("/", 3)
        return library.answer(title, leaf, request.query, request)

    server = await serve(handler, host="127.0.0.1", port=0)
    yield f"http://127.0.0.1:{server.port}/vod/film/"
    await server.close()


@pytest.mark.parametrize("leaf", LEAVES)
async def test_the_census_of_headers(url: str, leaf: str, film: Path) -> None:
    """O1..O4: validators, freshness, HEAD like GET, 304, one range, one that cannot be."""
    async with aiohttp.ClientSession() as http:
        async with http.get(url + leaf) as got:
            data = await got.read()
            assert got.status == 200 and got.headers["Content-Length"] == str(len(data))
            for name in ("ETag", "Last-Modified", "Cache-Control", "Date"):
                assert got.headers[name]
        async with http.head(url + leaf) as head:
            assert head.status == 200
            for name in ("ETag", "Last-Modified", "Content-Length", "Content-Type"):
                assert head.headers[name] == got.headers[name]
        for condition in ("If-None-Match", "If-Modified-Since"):
            value = got.headers["ETag" if condition == "If-None-Match" else "Last-Modified"]
            async with http.get(url + leaf, headers={condition: value}) as same:
                assert same.status == 304 and same.headers["ETag"] == got.headers["ETag"]
        async with http.get(url + leaf, headers={"Range": "bytes=10-29"}) as part:
            assert part.status == 206 and await part.read() == data[10:30]
            assert part.headers["Content-Range"] == f"bytes 10-29/{len(data)}"
        async with http.get(url + leaf, headers={"Range": f"bytes={len(data)}-"}) as out:
            assert out.status == 416
        async with http.get(
            url + leaf, headers={"Range": "bytes=10-29", "If-Range": '"other"'}
        ) as whole:
            assert whole.status == 200 and await whole.read() == data


def test_a_track_s_file_is_its_header_its_index_and_its_segments(library: Library) -> None:
    for track in ("v180", "a-fra"):
        file = body(library, f"{track}/track.mp4")
        segments = [body(library, f"{track}/{n}.m4s") for n in range(1, 5)]
        init = body(library, f"{track}/init.mp4")
        index = next(box for box in walk(file) if box.kind == "sidx")
        assert file == init + file[index.start : index.end] + b"".join(segments)
        rows = file[index.body + 32 : index.end]
        sizes = [int.from_bytes(rows[at : at + 4], "big") for at in range(0, len(rows), 12)]
        assert sizes == [len(s) for s in segments]  # TR-112
        mpd = body(library, "ondemand.mpd").decode()
        assert f'indexRange="{index.start}-{index.end - 1}"' in mpd
        playlist = body(library, f"{track}/bytes.m3u8").decode()
        for size, at in re.findall(r"EXT-X-BYTERANGE:(\d+)@(\d+)", playlist):
            assert file[int(at) : int(at) + int(size)] in segments  # TR-113
        assert f'BYTERANGE="{len(init)}@0"' in playlist


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(0, 400_000), size=st.integers(1, 400_000), open_=st.booleans())
def test_any_range_of_a_track_s_file(library: Library, first: int, size: int, open_: bool) -> None:
    whole = body(library, "v180/track.mp4")
    text = f"bytes={first}-" if open_ else f"bytes={first}-{first + size - 1}"
    request = Request("GET", "/", section=f"Range: {text}\r\n".encode())
    answer = library.answer("film", "v180/track.mp4", "", request)
    if first >= len(whole):
        assert isinstance(answer, Refusal) and answer.status == 416
        return
    assert isinstance(answer, Entity) and answer.status == 206
    assert answer.body == whole[first : None if open_ else first + size]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=-5", (95, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=90-9007199254740991", (90, 100)),
        ("bytes=5-2", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
    ],
)
def test_ranges(text: str, wanted: tuple[int, int] | None) -> None:
    assert read_range(text, 100) == wanted


def test_i_frames_are_fragments_of_their_own(library: Library, tmp_path: Path) -> None:
    """TR-94, TR-95: one sample, as long as its segment, with the bytes of the segment's first."""
    init = body(library, "v180/init.mp4")
    track = parse_init(init).tracks[0]
    playlist = body(library, "v180/iframe.m3u8").decode()
    assert "#EXT-X-I-FRAMES-ONLY" in playlist and playlist.count(".i.m4s") == 4
    frames = [body(library, f"v180/{n}.i.m4s") for n in range(1, 5)]
    for number, frame in enumerate(frames, 1):
        chunk = parse_chunk(frame, track)
        segment = body(library, f"v180/{number}.m4s")
        main = parse_chunk(segment, track)
        assert (chunk.samples, chunk.duration) == (1, main.duration)
        assert chunk.decode_time == main.earliest_pts and chunk.independent
        sample = frame[chunk.mdat.body :]
        assert segment[main.mdat.body :].startswith(sample)
    path = tmp_path / "frames.mp4"
    path.write_bytes(init + b"".join(frames))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-f", "framemd5"]
    out = subprocess.run([*command, "-"], capture_output=True, text=True, check=True, timeout=60)
    assert len([line for line in out.stdout.splitlines() if line[0] != "#"]) == 4
    assert not out.stderr
    master = body(library, "master.m3u8").decode()
    assert re.search(r'I-FRAME-STREAM-INF:BANDWIDTH=\d+.*URI="v180/iframe.m3u8"', master)
    mpd = body(library, "manifest.mpd").decode()
    assert "guidelines/trickmode" in mpd and 'codingDependency="false"' in mpd


def test_a_clip_is_cut_at_segments_of_the_pictures(library: Library) -> None:
    query = "start=5&end=9"
    master = body(library, "master.m3u8", query).decode()
    assert "v180/media.m3u8?start=5&end=9" in master and ".m3u8\n" not in master
    for track in ("v180", "a-eng"):
        playlist = body(library, f"{track}/media.m3u8", query).decode()
        assert re.findall(r"^(\d+)\.m4s", playlist, re.M) == ["2", "3"]
        assert "MEDIA-SEQUENCE:2" in playlist and "ENDLIST" in playlist
    mpd = body(library, "manifest.mpd", query).decode()
    assert 'startNumber="2"' in mpd and '<Period id="1" start="PT0S" duration="PT8S">' in mpd
    offset = re.search(r'timescale="48000" presentationTimeOffset="(\d+)"', mpd)
    assert offset and abs(int(offset[1]) - (4 * 48000 + 1024)) <= 3  # the tfdt stays (TR-117)
    assert body(library, "master.m3u8") == body(library, "master.m3u8", "CMCD=x")
    assert library.answer("film", "master.m3u8", "start=99&end=100").status == 404  # type: ignore[union-attr]
    assert library.answer("film", "master.m3u8", "start=9&end=5").status == 400  # type: ignore[union-attr]


class Packets:
    """Transport packets of several segments, checked as they come (ISO/IEC 13818-1, 2.4.3)."""

    def __init__(self) -> None:
        self.counters: dict[int, int] = {}
        self.clocks: list[int] = []
        self.stamps: dict[int, list[int]] = {}

    def read(self, data: bytes) -> dict[int, int]:
        """Payload packets by PID."""
        assert len(data) % 188 == 0
        counts: dict[int, int] = {}
        for at in range(0, len(data), 188):
            packet = data[at : at + 188]
            assert packet[0] == 0x47
            pid = int.from_bytes(packet[1:3], "big") & 0x1FFF
            field, payload = packet[3] & 0x20, packet[3] & 0x10
            body_at = 4
            if field:
                length = packet[4]
                assert length <= (182 if payload else 183)  # TR-109
                if length and packet[5] & 0x10:
                    self.clocks.append(int.from_bytes(packet[6:11], "big") >> 7)
                body_at = 5 + length
            if payload:
                counts[pid] = counts.get(pid, 0) + 1
                before = self.counters.get(pid)
                assert before is None or packet[3] & 15 == before + 1 & 15, (pid, at)
                self.counters[pid] = packet[3] & 15
                if packet[1] & 0x40 and pid not in psi.PSI_PIDS:
                    self.pes(pid, packet[body_at:], data, at)
        return counts

    def pes(self, pid: int, head: bytes, data: bytes, at: int) -> None:
        assert head[:3] == b"\0\0\1"
        stamp = head[9:14]
        value = (stamp[0] >> 1 & 7) << 30 | stamp[1] << 22 | (stamp[2] >> 1) << 15
        self.stamps.setdefault(pid, []).append(value | stamp[3] << 7 | stamp[4] >> 1)


def test_packets_of_segments_made_alone_go_on(library: Library) -> None:
    """TR-106..TR-109: order, counters over segments, the clock, one delimiter an access unit."""
    packets = Packets()
    for number in range(1, 5):
        data = body(library, f"v180/{number}.ts")
        pids = [int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF for at in (0, 188)]
        assert pids == [psi.PAT_PID, psi.PMT_PID]
        counts = packets.read(data)
        assert counts[0x100] % 16 == counts[0x101] % 16 == 0
        assert data.count(b"\0\0\0\1\x09\xf0") == 96
        for table in (5, 193):
            size = int.from_bytes(data[table + 1 : table + 3], "big") & 0xFFF
            assert psi.crc(data[table : table + 3 + size]) == 0
    assert 0 <= packets.stamps[0x101][0] - 900_000 < 12  # TR-106
    assert len(packets.stamps[0x100]) == 384
    assert max(packets.stamps[0x100]) - min(packets.stamps[0x100]) == 383 * 3750
    gaps = [b - a for a, b in zip(packets.clocks, packets.clocks[1:], strict=False)]
    assert min(gaps) > 0 and max(gaps) <= 9000  # TR-108


async def frames(url: str, stream: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", url, "-map", stream),
        *("-f", "framemd5", "-"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    out, _ = await process.communicate()
    return [line.split(",")[-1].strip() for line in out.decode().splitlines() if line[0] != "#"]


@pytest.mark.slow
async def test_every_frame_of_every_form(url: str, film: Path) -> None:
    source = await frames(str(film), "0:v:0")
    sound = await frames(str(film), "0:a:0")
    assert len(source) == 384
    assert await frames(url + "ondemand.mpd", "0:v:0") == source
    assert await frames(url + "ondemand.mpd", "0:a:0") == sound
    assert await frames(url + "ts.m3u8", "0:v:0") == source
    assert (await frames(url + "v180/ts.m3u8", "0:a:0"))[
        -len(sound) :
    ] == sound  # priming first, TR-30
    assert await frames(url + "master.m3u8?start=5&end=8", "0:v:0") == source[96:192]
