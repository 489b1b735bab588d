"""Whole origins: two that are fed alike, one whose manifests must fail, sources on real sockets."""

import http.client
import posixpath
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bench.ingester import GRID_S, Synth

SETTINGS = {"channels": {"demo": {"segment_s": str(GRID_S)}}}
TRACKS = {"v": Synth("video", 200_000, chunks=4), "a": Synth("audio", 64_000, chunks=4)}
SHOWN = ("etag", "last-modified", "cache-control", "content-type", "content-length")


def now_number() -> int:
    return int((time.time() - 300) / float(GRID_S))


def headers(origin: Any, source: str = "", tracks: dict[str, Any] = TRACKS) -> None:
    for name, made in tracks.items():
        path = f"/ingest/demo/Streams({name}.cmf{name})"
        assert origin.push(path, made.header, Headwater_Source=source or "A").status == 200


def push(
    origin: Any,
    number: int,
    source: str = "A",
    only: str = "va",
    tracks: dict[str, Any] = TRACKS,
) -> None:
    for name in only:
        path = f"/ingest/demo/Streams({name}.cmf{name})"
        body = tracks[name].segment(number)
        assert origin.push(path, body, Headwater_Source=source).status == 200


def crawl(origin: Any) -> dict[str, Any]:
    """Every URL that the manifests of the channel lead to: (status, body, headers that count)."""
    found: dict[str, Any] = {}
    todo = ["/live/demo/master.m3u8", "/live/demo/manifest.mpd", "/live/demo/ll.mpd"]
    connection = http.client.HTTPConnection("127.0.0.1", origin.delivery_port, timeout=60)
    while todo:
        path = todo.pop()
        if path in found:
            continue
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        found[path] = (answer.status, body, [answer.getheader(name) for name in SHOWN])
        if path.endswith(".m3u8") and answer.status == 200:
            base = path.rpartition("/")[0]
            lines = [x for x in body.decode().splitlines() if "PRELOAD-HINT" not in x]
            uris = [uri for x in lines for uri in re.findall(r'URI="([^"]+)"', x)]
            uris += [x for x in lines if x and not x.startswith("#")]
            todo += [posixpath.normpath(f"{base}/{uri}") for uri in uris]
    connection.close()
    return found


def test_two_origins_fed_the_same_answer_the_same(
    start: Callable[..., Any],
    tmp_path: Any,
    long_chunked: Any,
    long_audio: Any,
    long_number: int,
) -> None:
    """AB6, O17: equal status, body, ETag, Last-Modified, Cache-Control, in any order.

    Segments so long that neither origin fills in what comes no more while the other is crawled.
    """
    tracks = {"v": long_chunked, "a": long_audio}
    demo = {"segment_s": str(long_chunked.segment_s), "part_s": "96/25"}
    settings = {"channels": {"demo": demo}, "window_s": 480, "retention_s": 1_200}
    feed = partial(push, tracks=tracks)
    one = start(tmp_path / "one", **settings)
    two = start(tmp_path / "two", **settings)
    first = long_number
    for origin in (one, two):
        headers(origin, tracks=tracks)
    lost = {first + 6: "a"}
    for number in range(first, first + 14):
        feed(one, number, only=lost.get(number, "va"))
        feed(two, number, only=lost.get(number, "av")[::-1])
        if number % 3 == 0:
            feed(two, number, source="B", only=lost.get(number, "va"))
    for number in range(first + 14, first + 20):  # again if the clock moved an edge meanwhile
        feed(one, number)
        feed(two, number)
        a, b = crawl(one), crawl(two)
        if crawl(one) == a:
            break
    assert a.keys() == b.keys() and len(a) > 30
    assert {path for path in a if a[path] != b[path]} == set()
    two.kill()
    two.start()
    feed(one, number + 1)
    feed(two, number + 1)
    a, b = crawl(one), crawl(two)
    assert {path for path in a if a[path] != b.get(path)} == set(), "and after a restart"


def test_manifests_of_a_stale_channel_fail_and_segments_do_not(
    start: Callable[..., Any], wait: Callable[..., Any]
) -> None:
    """O15, AB7: a CDN fails over, and comes back when media does."""
    channel = {"segment_s": str(GRID_S), "force_error": {"on": ["stale"], "stale_s": 330}}
    origin = start(channels={"demo": channel})
    headers(origin)
    first = int((time.time() - 345) / float(GRID_S))
    for number in range(first, first + 3):
        push(origin, number)
    paths = ["/live/demo/master.m3u8", "/live/demo/manifest.mpd", "/live/demo/v/media.m3u8"]
    wait(lambda: all(origin.get(p).status == 503 for p in paths), "forced errors")
    answer = origin.get(paths[0])
    assert answer.json == {"error": "stale"} and answer.headers["retry-after"] == "1"
    assert origin.get(f"/live/demo/v/{first}.m4s").status == 200
    assert origin.get("/live/demo/v/init.mp4").status == 200
    for number in range(first + 3, first + 20):
        push(origin, number)
    wait(lambda: all(origin.get(p).status == 200 for p in paths), "recovery")


def test_operators_see_each_source(start: Callable[..., Any]) -> None:
    origin = start(**SETTINGS)
    headers(origin)
    first = now_number()
    for number in range(first, first + 3):
        push(origin, number, "A")
        push(origin, number, "B", only="v")
    figures = origin.push("/ingest/demo", method="GET").json
    assert set(figures["v"]) == {"A", "B"} and set(figures["a"]) == {"A"}
    assert figures["v"]["B"]["chunks"] == 12 and figures["v"]["B"]["off_grid_seconds"] == 0
    label = '{channel="demo",source="B",track="v"}'
    assert origin.metric(f"headwater_origin_source_stale{label}") == 0
    assert origin.metric(f"headwater_origin_source_lag_seconds{label}") >= 0
    assert origin.push("/ingest/none", method="GET").status == 404
    refused = origin.push(
        "/ingest/demo/Streams(v.cmfv)", TRACKS["v"].header, Headwater_Source="../x"
    )
    assert refused.status == 403
