"""The ingest port over real sockets: every status of I5, both request styles, nothing lost."""

import gzip
import socket
from collections.abc import Callable
from typing import Any

import pytest

from origin.live.records import RECORD_BYTES

V = "/ingest/demo/Streams(v.cmfv)"
A = "/ingest/demo/Streams(a.cmfa)"


def listed(origin: Any, track: str) -> list[int]:
    text = origin.get(f"/live/demo/{track}/media.m3u8").text
    return [int(line[:-4]) for line in text.splitlines() if line.endswith(".m4s")]


def test_one_segment_per_request_is_served_byte_equal(
    start: Callable[..., Any], video_media: Any, audio_media: Any, now_number: int
) -> None:
    origin = start()
    assert origin.push(V).status == 200, "an empty body is a probe (I2)"
    assert not list(origin.data.glob("origin/live/*")), "and leaves no state"
    for path, media in ((V, video_media), (A, audio_media)):
        assert origin.push(path, media.header).status == 200
    for number in range(now_number, now_number + 5):
        assert origin.push(V, video_media.segment(number)).status == 200
        assert origin.push(A, audio_media.segment(number), "POST").status == 200
    assert listed(origin, "v") == listed(origin, "a") == list(range(now_number, now_number + 5))
    answer = origin.get(f"/live/demo/v/{now_number}.m4s")
    assert (answer.status, answer.body) == (200, video_media.segment(now_number))
    assert answer.headers["cache-control"] == "public, max-age=512, immutable"
    assert origin.get("/live/demo/a/init.mp4").body == audio_media.header
    assert origin.stop() == 0


def test_an_endless_body_stores_the_same_bytes(
    start: Callable[..., Any], chunked_media: Any, now_number: int, wait: Callable[..., Any]
) -> None:
    """I3: segments appear while the request is still open."""
    origin = start(channels={"demo": {"segment_s": "48/25"}})
    with socket.create_connection(("127.0.0.1", origin.ingest_port)) as encoder:
        encoder.sendall(
            f"POST {V} HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        body = chunked_media.header
        body += b"".join(chunked_media.segment(n) for n in range(now_number, now_number + 3))
        for at in range(0, len(body), 1500):
            piece = body[at : at + 1500]
            encoder.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        wait(lambda: len(listed(origin, "v")) == 3, "three segments of an open request")
        half = chunked_media.pieces(now_number + 3)
        torn = half[0] + half[1] + half[2][:-7]
        encoder.sendall(b"%x\r\n%s\r\n" % (len(torn), torn))
        log = origin.data / "origin/live/demo/v/00000001.cmaf"
        wait(
            lambda: log.stat().st_size == len(body + half[0] + half[1]) - len(chunked_media.header),
            "complete chunks of the cut segment (I14)",
        )
    assert len(listed(origin, "v")) == 3, "a cut segment is not listed"
    for number in range(now_number, now_number + 3):
        served = origin.get(f"/live/demo/v/{number}.m4s").body
        assert served == chunked_media.segment(number)
    # the encoder returns and sends the cut segment again: its missing chunks complete it (I6, I13)
    again = b"".join(chunked_media.segment(n) for n in (now_number + 3, now_number + 4))
    assert origin.push(V, chunked_media.header + again).status == 200
    assert len(listed(origin, "v")) == 5
    served = origin.get(f"/live/demo/v/{now_number + 3}.m4s").body
    assert served == chunked_media.segment(now_number + 3)


def test_a_repeat_is_accepted_and_ignored(
    start: Callable[..., Any], video_media: Any, now_number: int
) -> None:
    """I6: header and segment may be sent again; out of order within tolerance is put right."""
    origin = start(channels={"demo": {"segment_s": "48/25"}})
    origin.push(V, video_media.header)
    for number in (now_number, now_number + 2, now_number + 1, now_number, now_number + 2):
        assert origin.push(V, video_media.segment(number)).status == 200
    assert origin.push(V, video_media.header).status == 200
    assert listed(origin, "v") == [now_number, now_number + 1, now_number + 2]
    stored = (origin.data / "origin/live/demo/v/00000001.cmaf").stat().st_size
    assert stored == sum(len(video_media.segment(now_number + i)) for i in range(3))


def test_gzip_is_undone(start: Callable[..., Any], video_media: Any, now_number: int) -> None:
    origin = start()
    origin.push(V, gzip.compress(video_media.header), Content_Encoding="gzip")
    for number in (now_number, now_number + 1):
        body = gzip.compress(video_media.segment(number))
        assert origin.push(V, body, Content_Encoding="gzip").status == 200
    assert origin.get(f"/live/demo/v/{now_number}.m4s").body == video_media.segment(now_number)


@pytest.mark.parametrize(
    "path",
    [
        "/ingest/demo/../../etc/passwd.cmfv",
        "/ingest/demo/%2e%2e/%2e%2e/x.cmfv",
        "/ingest/demo/..%2f..%2fx.cmfv",
        "/ingest/../demo/x.cmfv",
        "/elsewhere/x.cmfv",
        "/ingest/demo/",
        "/ingest/de%20mo/x.cmfv",
        "/ingest/demo/Streams(a%00b.cmfv)",
        "/ingest/demo/Streams(.hidden.cmfv)",
    ],
)
def test_403_outside_the_publishing_point(
    start: Callable[..., Any], video_media: Any, path: str
) -> None:
    origin = start()
    answer = origin.push(path, video_media.header)
    assert (answer.status, answer.json["error"]) == (403, "wrong_path")
    assert not list(origin.data.glob("origin/live/*"))


def test_statuses_of_i5(
    start: Callable[..., Any], video_media: Any, other_media: Any, now_number: int
) -> None:
    origin = start(auto_channels=False, channels={"demo": {"segment_s": "48/25"}})
    segment = video_media.segment(now_number)
    unknown = video_media.header.replace(b"avc1", b"xyz1")
    huge = b"\0\0\0\1moof" + (10 << 30).to_bytes(8, "big")
    cut = segment[: len(segment) // 2]
    lie = segment.replace(b"trun", b"trxn")
    cases = [
        ("404 not configured", "/ingest/none/v.cmfv", video_media.header, 404, "unknown_channel"),
        ("412 no header", V, segment, 412, "no_header"),
        ("415 codec", V, unknown, 415, "unsupported_codec"),
        ("415 name", "/ingest/demo/film.mkv", b"x", 415, "unsupported_media"),
        ("200", V, video_media.header, 200, ""),
        ("412 other header", V, other_media.header, 412, "wrong_header"),
        ("400 truncated", V, cut, 400, "truncated"),
        ("400 ten gigabytes", V, huge, 400, "too_large"),
        ("400 nonsense", V, b"not a box at all, just text....", 400, ""),
        ("400 no samples", V, lie, 400, ""),
        ("400 manifest", "/ingest/demo/manifest.mpd", b"<MPD", 400, "bad_manifest"),
        ("200 manifest", "/ingest/demo/manifest.mpd", b"<MPD/>", 200, ""),
        (
            "400 ahead of the clock",
            V,
            video_media.segment(now_number + 10**3),
            400,
            "time_in_future",
        ),
        ("200 after all that", V, segment, 200, ""),
    ]
    for what, path, body, status, code in cases:
        answer = origin.push(path, body)
        assert answer.status == status, (what, answer.body)
        if code:
            assert answer.json["error"] == code, what
    assert origin.push(V, b"x", Content_Encoding="br").status == 415
    assert origin.push("/ingest/demo/chunk-stream0-00001.m4s", method="DELETE").status == 200
    assert origin.push("/ingest/demo/../x", method="DELETE").status == 403
    assert origin.push(V, video_media.segment(now_number + 1)).status == 200
    assert listed(origin, "v") == [now_number, now_number + 1]


def test_a_declared_box_too_large_is_refused_before_its_bytes_come(
    start: Callable[..., Any], video_media: Any
) -> None:
    origin = start()
    origin.push(V, video_media.header)
    with socket.create_connection(("127.0.0.1", origin.ingest_port), timeout=60) as encoder:
        encoder.sendall(
            f"PUT {V} HTTP/1.1\r\nHost: o\r\nContent-Length: {10 << 30}\r\n\r\n".encode()
        )
        encoder.sendall(b"\0\0\0\1mdat" + (10 << 30).to_bytes(8, "big"))
        assert encoder.recv(4096).startswith(b"HTTP/1.1 400")


def records(origin: Any) -> list[int]:
    """Index records of each track of the demo channel."""
    folder = origin.data / "origin/live/demo"
    return [path.stat().st_size // RECORD_BYTES for path in folder.glob("*/*.index")]


def test_tracks_that_open_a_channel_together_share_it(
    start: Callable[..., Any],
    wait: Callable[..., Any],
    video_media: Any,
    audio_media: Any,
    now_number: int,
) -> None:
    """All requests are open before the first header arrives, as with an encoder's endless form."""
    origin = start(channels={"demo": {"segment_s": "48/25"}})
    encoders = []
    for path in (V, A):
        encoder = socket.create_connection(("127.0.0.1", origin.ingest_port), timeout=60)
        head = f"POST {path} HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n"
        encoder.sendall(head.encode() + b"1\r\n\0\r\n")
        encoders.append(encoder)
    for round_, end in ((0, b""), (1, b"0\r\n\r\n")):
        for encoder, media in zip(encoders, (video_media, audio_media), strict=True):
            header = b"" if round_ else media.header[1:]
            body = header + media.segment(now_number + round_)
            encoder.sendall(b"%x\r\n%s\r\n%s" % (len(body), body, end))
        least = 2 * round_ + 1  # a chunk, its END, the next chunk
        wait(lambda n=least: len(r := records(origin)) == 2 and min(r) >= n, "both tracks")
    for encoder in encoders:
        assert encoder.recv(4096).startswith(b"HTTP/1.1 200")
        encoder.close()
    assert listed(origin, "v") == listed(origin, "a") == [now_number, now_number + 1]


def test_what_happens_is_counted(
    start: Callable[..., Any], video_media: Any, now_number: int
) -> None:
    origin = start(channels={"demo": {"segment_s": "48/25"}})
    origin.push(V, video_media.segment(now_number))
    origin.push(V, video_media.header)
    for number in (now_number, now_number + 1, now_number - 1):
        origin.push(V, video_media.segment(number))
    stored = sum(len(video_media.segment(now_number + i)) for i in range(2))
    assert origin.metric("headwater_origin_ingest_bytes_total") == stored
    assert origin.metric("headwater_origin_ingest_chunks_total") == 2
    assert origin.metric("headwater_origin_hot_bytes") == stored
    assert origin.metric("headwater_origin_late_chunks_total") == 1
    refused = 'headwater_origin_ingest_refusals_total{code="no_header",status="412"}'
    assert origin.metric(refused) == 1
    assert origin.metric('headwater_origin_live_edge_age_seconds{channel="demo"}') > 200
