"""Every route of a running origin, by every method, in every state: what their heads must have
(specs/origin-http.md O1 to O4, O7, O8, O11, O12, O24).
"""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from origin_rigs.fields import Token, dictionary
from origin_rigs.running import Origin, until

from origin.vod.package import register

V, A = "/ingest/{}/Streams(v.cmfv)", "/ingest/{}/Streams(a.cmfa)"
GRID_S = Fraction(96, 5)  # long: none of the tests sees the origin fill in what comes no more
GRID = {"segment_s": "96/5"}
LIFETIME = re.compile(r"(?:^|, )(?:max-age=\d+|no-store)(?:,|$)")
CHANGING = {"date", "age"}
TEXT, MEDIA, CLOCK = "text", "media", "clock"


@dataclass(frozen=True)
class Route:
    """A URL, the status of a GET, what it is, and its CMSD object type."""

    path: str
    status: int = 200
    kind: str = ""
    ot: str = ""


def text(path: str) -> Route:
    return Route(path, 200, TEXT, "m")


def media(path: str, ot: str = "v") -> Route:
    return Route(path, 200, MEDIA, ot)


def refused(status: int, *paths: str) -> list[Route]:
    return [Route(path, status) for path in paths]


def routes(n: int) -> list[Route]:
    """The whole origin, with numbers n to n + 5 published and n + 6 begun on `low`."""
    live, low, rec, vod = "/live/demo", "/live/low", "/rec/show", "/vod/film"
    span = f"start={epoch(n + 1)}&end={epoch(n + 3)}"
    return [
        *(text(f"{live}/{leaf}") for leaf in ("master.m3u8", "manifest.mpd")),
        *(text(f"{live}/{t}/media.m3u8") for t in ("v", "a")),
        text(f"{live}/v/iframe.m3u8"),
        text(f"{live}/v/media.m3u8?_HLS_msn={n + 5}"),
        text(f"{live}/v/media.m3u8?_HLS_skip=YES"),
        *(media(f"{live}/{t}/init.mp4", "i") for t in ("v", "a")),
        media(f"{live}/v/{n + 3}.m4s"),
        media(f"{live}/a/{n + 3}.m4s", "a"),
        media(f"{live}/v/{n + 3}.i.m4s"),
        *(text(f"{live}/{leaf}?{span}") for leaf in ("master.m3u8", "manifest.mpd")),
        text(f"{live}/v/media.m3u8?{span}"),
        text(f"{low}/ll.mpd"),
        text(f"{low}/v/media.m3u8?_HLS_msn={n + 6}&_HLS_part=0"),
        media(f"{low}/v/{n + 5}.1.m4s"),
        media(f"{low}/v/{n + 6}.0.m4s"),
        Route(f"{low}/v/{n + 6}.m4s", 200, "growing", "v"),
        *(text(f"{rec}/{leaf}") for leaf in ("master.m3u8", "manifest.mpd", "v/media.m3u8")),
        media(f"{rec}/v/init.mp4", "i"),
        media(f"{rec}/v/{n + 2}.m4s"),
        *(Route(f"{vod}/{leaf}", 200, "film", "m") for leaf in ("master.m3u8", "manifest.mpd")),
        Route(f"{vod}/v72/media.m3u8", 200, "film", "m"),
        media(f"{vod}/v72/init.mp4", "i"),
        media(f"{vod}/v72/1.m4s"),
        Route("/time", 200, CLOCK),
        *refused(404, "/", "/nothing", "/live/none/master.m3u8", "/live/none/v/1.m4s"),
        *refused(404, f"{live}/none/media.m3u8", f"{live}/none/{n}.m4s", f"{live}/v/none"),
        *refused(404, f"{live}/v/{n + 3}.vtt", f"{low}/v/{n + 3}.99.m4s"),
        *refused(404, "/rec/none/master.m3u8", f"{rec}/v/{n + 5}.m4s", f"{rec}/none/init.mp4"),
        *refused(
            404,
            f"{live}/master.m3u8?start=1&end=9",
            "/vod/none/master.m3u8",
            f"{vod}/none/media.m3u8",
            f"{rec}/none",
        ),
        *refused(410, f"{live}/v/{n - 9}.m4s", f"{live}/v/{n - 99999}.m4s"),
        *refused(410, "/live/low/manifest-1.mpp"),
        *refused(425, f"{live}/v/{n + 99}.m4s", f"{live}/v/{n + 6}.m4s"),
        *refused(400, f"{live}/v/media.m3u8?_HLS_msn=x", f"{live}/v/media.m3u8?_HLS_part=1"),
        *refused(400, f"{live}/v/media.m3u8?_HLS_msn={n + 99}", f"{live}/master.m3u8?start=x"),
        *refused(400, "/live/../demo", f"{live}/%zz", f"{live}/master.m3u8?end=9"),
        *refused(503, f"{live}/v/media.m3u8?_HLS_msn={n + 6}", "/live/unfit/master.m3u8"),
        *refused(503, "/live/unfit/manifest.mpd", "/live/unfit/v/media.m3u8"),
        media(f"/live/unfit/v/{n + 3}.m4s"),
    ]


def epoch(number: int) -> str:
    return f"{float(number * GRID_S):.2f}"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    sources = ["-f", "lavfi", "-i", "testsrc2=s=128x72:r=25:d=8"]
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-keyint_min", "50"]
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *sources, *codec, str(path)]
    subprocess.run(argv, check=True, timeout=60)
    return path


@pytest.fixture(scope="module")
def now_number() -> int:
    return int(Fraction(int(time.time()) - 600) / GRID_S)


@pytest.fixture(scope="module")
def origin(
    tmp_path_factory: pytest.TempPathFactory,
    film: Path,
    long_video: Any,
    long_audio: Any,
    long_chunked: Any,
    now_number: int,
) -> Iterator[Origin]:
    data = tmp_path_factory.mktemp("census")
    register(data, [film], "film")
    channels = {
        "demo": GRID,
        "low": GRID | {"part_s": "96/25"},
        "unfit": GRID | {"force_error": {"on": ["stale"], "status": 503}},
    }
    running = Origin(data, channels=channels, early_status=425, hold_s=0.5).start()
    try:
        fed = [("demo", V, long_video), ("demo", A, long_audio), ("low", V, long_chunked)]
        fed += [("unfit", V, long_video)]
        for channel, path, made in fed:
            assert running.push(path.format(channel), made.header).status == 200
        for number in range(now_number, now_number + 6):
            for channel, path, made in fed:
                assert running.push(path.format(channel), made.segment(number)).status == 200
        begun = b"".join(long_chunked.pieces(now_number + 6)[:2])
        assert running.push(V.format("low"), begun).status == 200
        show = {"id": "show", "channel": "demo", "start": epoch(now_number + 1)}
        show["end"] = epoch(now_number + 4)
        assert running.push("/recordings", json.dumps(show).encode(), "POST").status == 201
        until(lambda: running.get("/live/unfit/master.m3u8").status == 503, "the stale channel")
        yield running
    finally:
        running.kill()


def stable(headers: dict[str, str]) -> dict[str, str]:
    """Without what time alone changes."""
    return {name: value for name, value in headers.items() if name not in CHANGING}


def test_every_answer_has_what_its_status_needs(origin: Any, now_number: int) -> None:
    """O1, O3, O7, O8, O9, O11"""
    for route in routes(now_number):
        got = origin.get(route.path) if route.kind != "growing" else origin.get(route.path, "HEAD")
        assert got.status == route.status, f"{route} {got}"
        check_head(route, got.headers)
        if route.kind == "growing":
            continue
        head = origin.get(route.path, "HEAD")
        assert (head.status, head.body) == (got.status, b""), route
        if route.kind != CLOCK and "cmsd-dynamic" not in got.headers:
            assert stable(head.headers) == stable(got.headers), route
        if route.status != 400:
            assert origin.get(route.path, "OPTIONS").status == 204, route


def check_head(route: Route, headers: dict[str, str]) -> None:
    told = f"{route} {headers}"
    assert LIFETIME.search(headers["cache-control"]), told  # O7
    assert "set-cookie" not in headers, told  # O8
    assert "connection" not in headers, told  # O9
    assert headers["access-control-allow-origin"] == "*", told  # O11
    exposed = headers["access-control-expose-headers"].split(", ")
    assert {"Content-Length", "Content-Range", "Date", "CMSD-Static", "CMSD-Dynamic"} <= {*exposed}
    assert "date" in headers, told
    if route.status != 200:
        assert headers["content-type"] == "application/json", told
        assert ("retry-after" in headers) == (route.status == 503), told  # O5
        age_s = re.search(r"max-age=(\d+)", headers["cache-control"])
        assert age_s is not None, told
        if route.status in (404, 425, 503) and "not_found" not in told:
            assert int(age_s[1]) <= 60, told
        return
    if route.kind in (TEXT, "film"):
        assert headers["vary"] == "Accept-Encoding" if route.kind == TEXT else True, told
    if route.kind == TEXT:
        assert "accept-ranges" not in headers and "content-length" in headers, told
    if route.kind == MEDIA:
        assert headers["accept-ranges"] == "bytes" and "vary" not in headers, told
        assert "immutable" in headers["cache-control"], told
    if route.kind in (TEXT, MEDIA):
        assert re.fullmatch(r'"[^"]+"', headers["etag"]), told  # O1: strong
        assert headers["last-modified"].endswith(" GMT"), told


def test_cmsd_static_is_on_every_manifest_and_every_medium(origin: Any, now_number: int) -> None:
    """O24, O25: structured fields, read by another parser; no name unless there is a setting"""
    for route in routes(now_number):
        if not route.ot:
            continue
        growing = route.kind == "growing"
        headers = origin.get(route.path, "HEAD").headers
        static = dictionary(headers["cmsd-static"])
        told = f"{route} {static}"
        assert static["ot"] == Token(route.ot) and isinstance(static["ot"], Token), told
        assert isinstance(static["sf"], Token) and static["sf"] in ("h", "d", "o"), told
        film = route.path.startswith("/vod/")
        recorded = route.path.startswith("/rec/") and route.ot != "i"
        past = film or recorded or "start=" in route.path
        assert static["st"] == ("v" if past else "l"), told
        if not film:
            assert 0 < static["at"] - now_number * GRID_S * 1000 <= 20_000 * GRID_S, told
        if route.ot in "av" and not growing:
            assert static["d"] in (19_200, 3_840, 4_000) and 0 < static["br"] < 10_000, told
        assert ("su" in static) == (route.ot == "i"), told
        assert "n" not in static, told
        if "nor" in static:
            folder = route.path.partition("?")[0].rpartition("/")[0]
            assert headers["cdn-origin-assist-prefetch-path"] == f"{folder}/{static['nor']}", told
        else:
            assert "cdn-origin-assist-prefetch-path" not in headers, told


def test_two_viewers_get_the_same_bytes(origin: Any, now_number: int) -> None:
    """O8, O12: what players tell of themselves changes nothing, and costs no other render"""
    mine = {"User-Agent": "one", "CMCD-Object": "br=1", "Cookie": "a=1", "Origin": "https://a"}
    yours = {"User-Agent": "two", "CMCD-Session": 'sid="x"', "Accept-Language": "de"}
    for route in routes(now_number):
        if route.kind in (CLOCK, "growing") or route.status in (400, 503):
            continue
        mark = "&" if "?" in route.path else "?"
        first = origin.get(f"{route.path}{mark}CMCD=br%3D100", **mine)
        second = origin.get(f"{route.path}{mark}CMCD=br%3D200%2Csid%3D%22y%22", **yours)
        assert first.status == second.status == route.status, route
        assert first.body == second.body, route
        assert stable(first.headers) == stable(second.headers), route
    hits = "headwater_origin_delivery_hot_hits_total"
    before = origin.metric(hits)
    for value in range(20):
        assert origin.get(f"/live/demo/v/media.m3u8?CMCD=br%3D{value}").status == 200
    assert origin.metric(hits) == before + 20


def test_conditions_and_ranges_hold_on_every_route(origin: Any, now_number: int) -> None:
    """O2, O4"""
    old = "Thu, 01 Jan 1970 00:00:01 GMT"
    for route in routes(now_number):
        if route.kind not in (TEXT, MEDIA):
            continue
        plain = origin.get(route.path)
        tag, modified = plain.headers["etag"], plain.headers["last-modified"]
        for conditions, status in (
            ({"If-None-Match": tag}, 304),
            ({"If-None-Match": f'"x", W/{tag}'}, 304),
            ({"If-Modified-Since": modified}, 304),
            ({"If-Modified-Since": old}, 200),
            ({"If-None-Match": '"x"', "If-Modified-Since": modified}, 200),
            ({"If-None-Match": tag, "If-Modified-Since": old}, 304),
        ):
            got = origin.get(route.path, **conditions)
            assert got.status == status, f"{route} {conditions}"
            if status == 304:
                kept = ("etag", "last-modified", "cache-control", "cmsd-static")
                assert [got.headers[k] for k in kept] == [plain.headers[k] for k in kept], route
                assert got.body == b"" and "content-length" not in got.headers, route
        if route.kind == MEDIA:
            check_ranges(origin, route.path, plain)


def check_ranges(origin: Any, path: str, plain: Any) -> None:
    body, length = plain.body, len(plain.body)
    for wanted, piece in (
        ("bytes=0-9", body[:10]),
        ("bytes=5-", body[5:]),
        ("bytes=-7", body[-7:]),
        ("bytes=3-9007199254740991", body[3:]),
    ):
        got = origin.get(path, Range=wanted)
        assert (got.status, got.body) == (206, piece), f"{path} {wanted}"
        assert got.headers["etag"] == plain.headers["etag"]
        assert got.headers["cmsd-static"] == plain.headers["cmsd-static"]
        assert got.headers["content-range"].endswith(f"/{length}")
    beyond = origin.get(path, Range=f"bytes={length}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{length}")
    assert LIFETIME.search(beyond.headers["cache-control"])
    stale = origin.get(path, Range="bytes=0-9", If_Range='"other"')
    assert (stale.status, stale.body) == (206, body[:10]), "no field of that name"
    stale = origin.get(path, **{"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (stale.status, stale.body) == (200, body)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE", "BREW"])
def test_other_methods_are_refused_with_a_lifetime(origin: Any, method: str) -> None:
    """O7"""
    got = origin.get("/live/demo/master.m3u8", method)
    assert got.status in (405, 501)
    assert LIFETIME.search(got.headers["cache-control"])
