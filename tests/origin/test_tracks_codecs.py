"""Real headers of every codec, pushed through ingest into HLS and DASH (HLS-35, TR-60..TR-66)."""

import subprocess
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import m3u8
import pytest
from lxml import etree

from native.bmff import Splitter, parse_chunk, parse_init

MPD = "{urn:mpeg:dash:schema:mpd:2011}"
SEGMENT_S = Fraction(48, 25)
CLOSED = (
    "-x265-params",
    "log-level=none:keyint=48:min-keyint=48:scenecut=0:bframes=0:open-gop=0",
)
PIX = ("-pix_fmt", "yuv420p", "-g", "48")
VIDEO = {
    "avc": ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-sc_threshold", "0", *PIX),
    "hevc": ("-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", *PIX, *CLOSED),
    "av1": ("-c:v", "libsvtav1", "-preset", "12", "-svtav1-params", "keyint=48:lookahead=0", *PIX),
}
DESCRIBED = ("-disposition:a:0", "descriptions")
SINE = "sine=r=48000"
AUDIO = {
    "en2": ("-ac", "2", "-c:a", "aac", "-b:a", "64k", "-metadata:s:a:0", "language=eng"),
    "fr2": ("-ac", "2", "-c:a", "aac", "-b:a", "64k", "-metadata:s:a:0", "language=fra"),
    "en6": ("-ac", "6", "-c:a", "ac3", "-b:a", "192k", "-metadata:s:a:0", "language=eng"),
    "en6p": ("-ac", "6", "-c:a", "eac3", "-b:a", "192k", "-metadata:s:a:0", "language=eng"),
    "opus": ("-ac", "2", "-c:a", "libopus", "-b:a", "64k", "-metadata:s:a:0", "language=eng"),
    "ad": ("-ac", "2", "-c:a", "aac", "-b:a", "64k", "-metadata:s:a:0", "language=eng", *DESCRIBED),
}


def encode(folder: Path, name: str, source: str, options: tuple[str, ...]) -> tuple[bytes, list]:
    """(header, one chunk a segment) of a few segments from time zero."""
    path = folder / f"{name}.mp4"
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", source, *options]
    argv += ["-t", str(float(5 * SEGMENT_S)), "-frag_duration", str(int(SEGMENT_S * 10**6))]
    flags = "cmaf+empty_moov+default_base_moof+skip_trailer+frag_discont"
    flags += "+delay_moov" if name.startswith("en6") else ""
    subprocess.run([*argv, "-movflags", flags, "-y", str(path)], check=True,
                   stderr=subprocess.DEVNULL)  # fmt: skip
    units = Splitter().feed(path.read_bytes())
    return units[0].data, [unit.data for unit in units[1:] if unit.kind == "chunk"]


def moved(chunk: bytes, to: int) -> bytes:
    """With another decode time: priming begins before zero."""
    at = chunk.index(b"tfdt") + 8
    assert chunk[at - 4] == 1
    return chunk[:at] + to.to_bytes(8, "big") + chunk[at + 8 :]


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, list[bytes]]]:
    folder = tmp_path_factory.mktemp("codecs")
    video = {name: encode(folder, name, "testsrc2=s=128x72:r=25", VIDEO[name]) for name in VIDEO}
    return video | {name: encode(folder, name, SINE, AUDIO[name]) for name in AUDIO}


def push(origin: Any, coded: dict[str, tuple[bytes, list[bytes]]]) -> None:
    """Every track from the same epoch boundary on, header first."""
    number = int(Fraction(int(time.time()) - 300) / SEGMENT_S)
    for name, (header, _) in coded.items():
        assert origin.push(f"/ingest/c/Streams({name}.cmfv)", header).status == 200, name
    tracks = {name: parse_init(header).tracks[0] for name, (header, _) in coded.items()}
    ends = {name: int(number * SEGMENT_S * track.timescale) for name, track in tracks.items()}
    for index in range(5):
        for name, (_, chunks) in coded.items():
            body = moved(chunks[index], ends[name])
            answer = origin.push(f"/ingest/c/Streams({name}.cmfv)", body)
            assert answer.status == 200, (name, answer.body)
            ends[name] += parse_chunk(body, tracks[name]).duration


def test_every_codec(
    start: Callable[..., Any], wait: Callable[..., Any], coded: dict[str, Any]
) -> None:
    origin = start(channels={"c": {"segment_s": str(SEGMENT_S)}})
    push(origin, coded)
    text = wait(
        lambda: (a := origin.get("/live/c/master.m3u8")).status == 200 and a.text, "a master"
    )
    master = m3u8.loads(text)
    by_uri = {}
    for variant in master.playlists:
        by_uri.setdefault(variant.uri.split("/")[0], []).append(variant.stream_info)
    assert set(by_uri) == set(VIDEO)
    first = {name: infos[0].codecs.split(",")[0] for name, infos in by_uri.items()}
    assert first["avc"].startswith("avc1.42c0") and first["hevc"].startswith("hvc1.1.6.L")
    assert first["av1"].startswith("av01.0.00M.08")
    assert {info.frame_rate for infos in by_uri.values() for info in infos} == {25.0}

    groups: dict[str, dict[tuple[str, str], Any]] = {}
    for media in master.media:
        if media.type == "AUDIO":
            groups.setdefault(media.group_id, {})[media.name, media.characteristics or ""] = media
    members = {frozenset(group) for group in groups.values()}
    assert len(members) == 1, "every group has the same members (HLS-35)"
    described = {"public.accessibility.describes-video"}
    assert {traits for _, traits in next(iter(members))} == {"", *described}
    for name, group in groups.items():
        audible = {
            {"en6": "ac-3", "en6p": "ec-3", "opus": "Opus"}.get(m.uri.split("/")[0], "mp4a.40.2")
            for m in group.values()
        }
        users = [v.stream_info for v in master.playlists if v.stream_info.audio == name]
        assert len(users) == len(VIDEO)
        assert all(set(u.codecs.split(",")[1:]) == audible for u in users), "exact CODECS (TR-63)"
        assert sum(m.default == "YES" for m in group.values()) == 1
        picked = [(m.language, m.characteristics) for m in group.values() if m.autoselect == "YES"]
        assert len(picked) == len(set(picked)), "HLS-M29"
    spoken = {(m.uri.split("/")[0], m.language, m.channels) for m in master.media}
    assert spoken == {
        ("en2", "en", "2"), ("fr2", "fr", "2"), ("ad", "en", "2"), ("opus", "en", "2"),
        ("en6", "en", "6"), ("en6p", "en", "6"),
    }  # fmt: skip

    mpd = etree.fromstring(origin.get("/live/c/manifest.mpd").body)
    codecs = {r.get("id"): r.get("codecs") for r in mpd.iter(f"{MPD}Representation")}
    codecs |= {
        r.get("id"): r.getparent().get("codecs")
        for r in mpd.iter(f"{MPD}Representation")
        if r.get("codecs") is None
    }
    assert {name: codecs[name] for name in VIDEO} == first
    assert (codecs["en6"], codecs["en6p"], codecs["opus"]) == ("ac-3", "ec-3", "Opus")
    for group in mpd.iter(f"{MPD}AdaptationSet"):
        names = [r.get("id") for r in group.iter(f"{MPD}Representation")]
        role = {r.get("value") for r in group.iter(f"{MPD}Role")}
        if "ad" in names:
            assert role >= {"description"} and names == ["ad"], "C11: the role that HLS tells too"
        if "fr2" in names:
            assert group.get("lang") == "fr"
    for name in (*VIDEO, *AUDIO):
        playlist = m3u8.loads(origin.get(f"/live/c/{name}/media.m3u8").text)
        assert not any(s.gap_tag for s in playlist.segments), name
        got = origin.get(f"/live/c/{name}/{playlist.segments[-1].uri}")
        assert got.status == 200 and b"moof" in got.body, name
