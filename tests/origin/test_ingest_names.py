"""Names of pushed objects: templates (I4), extensions (I16), playlists and deletes (I12, I17)."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.ingester import GRID_S, Synth
from origin.errors import BadMedia, OriginError, UnsupportedMedia, WrongPath
from origin.ingest.names import target
from origin.ingest.naming import Naming
from origin.ingest.templates import templates, track_of

V = Synth("video", 64_000)


def mpd(inner: str, *, extra: str = "") -> bytes:
    return (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic"'
        f' availabilityStartTime="1970-01-01T00:00:00Z">{extra}<Period start="PT0S">'
        f'<AdaptationSet>{inner}<Representation id="hd_1"/></AdaptationSet></Period></MPD>'
    ).encode()


def template(media: str, initialization: str = "$RepresentationID$/start.mp4") -> str:
    return f'<SegmentTemplate media="{media}" initialization="{initialization}"/>'


@pytest.mark.parametrize(
    ("media", "path", "track"),
    [
        ("$RepresentationID$/s$Number$.m4s", "hd_1/s77.m4s", "hd_1"),
        ("a/b/$Number%06d$-$RepresentationID$.cmfv", "a/b/000012-hd_1.cmfv", "hd_1"),
        ("t$Time$_$RepresentationID$.m4s", "t0_x-y.m4s", "x-y"),
        ("$RepresentationID$.$Bandwidth$/$Number$.m4s", "v.6000000/1.m4s", "v"),
        ("$RepresentationID$/s$Number$.m4s", "hd_1/start.mp4", "hd_1"),
        ("$RepresentationID$/s$Number$.m4s", "hd_1/s7x.m4s", None),
        ("$RepresentationID$/s$Number$.m4s", "h d/s7.m4s", None),
        ("s.m$RepresentationID$/$Number$", "sxmv/1", None),
    ],
)
def test_templates_name_tracks(media: str, path: str, track: str | None) -> None:
    assert track_of(templates(mpd(template(media))), path) == track


@pytest.mark.parametrize(
    "body",
    [
        b"<MPD",
        b"<SmoothStreamingMedia/>",
        mpd(template("seg-$Number$.m4s")),
        mpd(template("$RepresentationID$/$Number$-$Time$.m4s")),
        mpd(template("$RepresentationID$/$RepresentationID$-$Number$.m4s")),
        mpd(template("$RepresentationID$.m4s")),
        mpd(template("$RepresentationID$/$Number$.m4s", "init.mp4")),
        mpd(template("$RepresentationID$/$SubNumber$-$Number$.m4s")),
        mpd(template("http://elsewhere/$RepresentationID$/$Number$.m4s")),
        mpd(template("/$RepresentationID$/$Number$.m4s")),
        mpd(template("$RepresentationID$/$Number$.m4s"), extra="<BaseURL>x/</BaseURL>"),
        mpd(template("$RepresentationID$/$Number$.m4s"), extra='<Period id="0"/>'),
        mpd("".join(template(f"{n}$RepresentationID$/$Number$.m4s") for n in range(80))),
    ],
)
def test_a_manifest_that_breaks_i4_is_bad(body: bytes) -> None:
    with pytest.raises(BadMedia) as caught:
        templates(body)
    assert caught.value.code == "bad_manifest"


def test_entities_are_not_expanded() -> None:
    bomb = b'<!DOCTYPE MPD [<!ENTITY a "' + b"x" * 1000 + b'">]><MPD>' + b"&a;" * 10 + b"</MPD>"
    assert templates(bomb) == []


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_template_and_any_path_are_harmless(media: str, path: str) -> None:
    text = re.sub(r'[<>&"\x00-\x1f\ud800-\udfff\ufffe\uffff]', "", media)
    try:
        shapes = templates(mpd(template(text)))
    except OriginError:
        return
    track = track_of(shapes, path)
    assert track is None or re.fullmatch(r"[A-Za-z0-9_~-]{1,64}", track)


@given(st.text(alphabet="ab/._-()%1\\Streams", max_size=80))
def test_any_path_is_a_track_or_a_refusal(path: str) -> None:
    try:
        aim = target(path)
    except (WrongPath, UnsupportedMedia):
        return
    assert aim.kind == "manifest" or re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_~-]{0,63}", aim.track)


def test_the_first_manifest_counts_and_outlives_the_process(tmp_path: Path) -> None:
    naming = Naming(tmp_path, 2)
    naming.announce("c", mpd(template("x/y/$RepresentationID$/$Number$.m4s")), None)
    for one in (naming, Naming(tmp_path, 2)):
        assert one.target("c", "x/y/v/7.m4s", None).track == "v"
    with pytest.raises(WrongPath):
        naming.target("other", "x/y/v/7.m4s", None)
    naming.announce("d", mpd(template("q/$RepresentationID$/$Number$.m4s")), None)
    with pytest.raises(BadMedia) as caught:
        naming.announce("e", mpd(template("q/$RepresentationID$/$Number$.m4s")), None)
    assert caught.value.code == "too_many_channels"


def test_mpd_first_then_segments_by_its_names(start: Callable[..., Any]) -> None:
    origin = start(channels={"demo": {"segment_s": str(GRID_S)}})
    names = template("live/0/$RepresentationID$-$Number%08d$.m4s", "live/0/$RepresentationID$.mp4")
    assert origin.push("/ingest/demo/live.mpd", mpd(names)).status == 200
    first = int((time.time() - 300) / float(GRID_S))
    assert origin.push("/ingest/demo/live/0/hd_1.mp4", V.header).status == 200

    def push(numbers: range) -> None:
        for number in numbers:
            path = f"/ingest/demo/live/0/hd_1-{number:08d}.m4s"
            assert origin.push(path, V.segment(number)).status == 200

    push(range(first, first + 3))
    origin.kill()
    origin.start()
    push(range(first + 3, first + 5))
    assert origin.push("/ingest/demo/live.mpd", mpd(template("seg.m4s"))).status == 200, "not read"
    assert origin.get(f"/live/demo/hd_1/{first + 4}.m4s").body == V.segment(first + 4)


def test_objects_of_interface_2(start: Callable[..., Any]) -> None:
    """I12, I16, I17: playlists are read, never published; media stays while it is listed."""
    origin = start(channels={"demo": {"segment_s": str(GRID_S)}})
    first = int((time.time() - 300) / float(GRID_S))
    assert origin.push("/ingest/demo/v/init.mp4", V.header).status == 200
    for number in (first, first + 1):
        assert origin.push(f"/ingest/demo/v/{number}.m4s", V.segment(number)).status == 200
    listing = f"#EXTM3U\n#EXTINF:2,\n{first + 9}.m4s\n".encode()
    assert origin.push("/ingest/demo/v/media.m3u8", listing).status == 200
    assert f"{first + 9}.m4s" not in origin.get("/live/demo/v/media.m3u8").text
    assert origin.push("/ingest/demo/v/media.m3u8", b"nonsense").status == 400
    assert origin.push(f"/ingest/demo/v/{first}.m4s", method="DELETE").status == 200
    assert origin.get(f"/live/demo/v/{first}.m4s").status == 200, "HLS-7"
    other = Synth("video", 64_000, seed=9).segment(first)
    assert origin.push(f"/ingest/demo/v/{first}.m4s", other).status == 200
    assert origin.get(f"/live/demo/v/{first}.m4s").body == V.segment(first) != other, "HLS-3"
    for name in ("v/1.ts", "v/1.key", "v/1.exe"):
        answer = origin.push(f"/ingest/demo/{name}", b"x")
        assert (answer.status, answer.json["error"]) == (415, "unsupported_media")
    assert origin.push("/ingest/demo/../x.m4s", method="DELETE").status == 403
