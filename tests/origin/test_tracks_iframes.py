"""I frames of a live channel: HLS I-frame playlist and DASH trick set (TR-94..TR-98)."""

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import m3u8
import pytest
from lxml import etree

from native.bmff import parse_chunk
from native.bmff.samples import read_chunk_samples

GRID_S = Fraction(48, 25)
MPD = "{urn:mpeg:dash:schema:mpd:2011}"


def frames(data: bytes, folder: Path) -> list[str]:
    """Decoded pictures, as checksums."""
    path = folder / "in.mp4"
    path.write_bytes(data)
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-map", "0:v"]
    done = subprocess.run([*argv, "-f", "framemd5", "-"], check=True, capture_output=True)
    assert not done.stderr
    rows = [line for line in done.stdout.decode().splitlines() if not line.startswith("#")]
    return [line.rsplit(",", 1)[1].strip() for line in rows]


@pytest.mark.parametrize("chunked", [False, True])
def test_live_iframes(
    start: Callable[..., Any],
    wait: Callable[..., Any],
    video_media: Any,
    chunked_media: Any,
    other_media: Any,
    now_number: int,
    tmp_path: Path,
    chunked: bool,
) -> None:
    origin = start()
    n = now_number
    tracks = {"hi": chunked_media if chunked else video_media, "lo": other_media}
    for name, media in tracks.items():
        assert origin.push(f"/ingest/c/Streams({name}.cmfv)", media.header).status == 200
    for k in range(6):
        for name, media in tracks.items():
            body = media.segment(n + k)
            assert origin.push(f"/ingest/c/Streams({name}.cmfv)", body).status == 200

    def loaded(leaf: str) -> Any:
        answer = origin.get(f"/live/c/{leaf}")
        return m3u8.loads(answer.text) if answer.status == 200 else None

    wait(lambda: (p := loaded("lo/media.m3u8")) and len(p.segments) >= 5, "five segments")
    listed, main = loaded("lo/iframe.m3u8"), loaded("lo/media.m3u8")
    assert listed.is_i_frames_only and not main.is_i_frames_only
    assert listed.target_duration == main.target_duration, "HLS-38"
    for mine, theirs in zip(listed.segments, main.segments, strict=True):
        assert mine.uri == theirs.uri.replace(".m4s", ".i.m4s")
        assert mine.duration == theirs.duration, "to the next I frame (TR-94)"
        assert mine.program_date_time == theirs.program_date_time, "HLS-40"
        assert mine.init_section.uri == "init.mp4" and not mine.byterange
    assert origin.get("/live/c/hi/iframe.m3u8").status == 404, "the lowest rung alone (TR-98)"

    track = other_media.track
    (trick,) = loaded("master.m3u8").iframe_playlists
    assert trick.uri == "lo/iframe.m3u8"
    assert trick.iframe_stream_info.resolution == (64, 64)
    assert trick.iframe_stream_info.codecs == other_codec(loaded("master.m3u8"))
    biggest = 0
    for segment in listed.segments:
        got = origin.get(f"/live/c/lo/{segment.uri}")
        assert got.status == 200 and "immutable" in got.headers["cache-control"]
        whole = origin.get(f"/live/c/lo/{segment.uri.replace('.i', '')}").body
        chunk, parent = parse_chunk(got.body, track), parse_chunk(whole, track)
        assert chunk.samples == 1 and chunk.independent
        assert chunk.earliest_pts == parent.earliest_pts
        assert chunk.duration == parent.duration, "the sample lasts for the span (TR-95)"
        (one,), first = read_chunk_samples(got.body, track), read_chunk_samples(whole, track)[0]
        assert got.body[one.start : one.end] == whole[first.start : first.end]
        decoded = frames(other_media.header + got.body, tmp_path)
        assert decoded == frames(other_media.header + whole, tmp_path)[:1], "decodes alone"
        biggest = max(biggest, len(got.body) * 8 * track.timescale // chunk.duration)
    assert biggest <= trick.iframe_stream_info.bandwidth <= biggest * 1.2, "TR-68"

    mpd = etree.fromstring(origin.get("/live/c/manifest.mpd").body)
    sets = {e.get("id"): e for e in mpd.iter(f"{MPD}AdaptationSet")}
    (fast,) = [e for e in sets.values() if e.find(f"{MPD}EssentialProperty") is not None]
    essential = fast.find(f"{MPD}EssentialProperty")
    assert essential.get("schemeIdUri") == "http://dashif.org/guidelines/trickmode"
    mains = [r.get("id") for r in sets[essential.get("value")].iter(f"{MPD}Representation")]
    assert "lo" in mains, "TR-96: the value names one main set"
    (rep,) = fast.iter(f"{MPD}Representation")
    template = next(fast.iter(f"{MPD}SegmentTemplate"))
    number = int(template.get("startNumber"))
    name = template.get("media").replace("$RepresentationID$", rep.get("id"))
    name = name.replace("$Number$", str(max(number, n + 2)))
    assert parse_chunk(origin.get(f"/live/c/{name}").body, track).samples == 1
    assert rep.get("codingDependency") == "false" and float(rep.get("maxPlayoutRate")) > 1


def other_codec(master: Any) -> str:
    infos = {p.uri: p.stream_info for p in master.playlists}
    return str(infos["lo/media.m3u8"].codecs)
