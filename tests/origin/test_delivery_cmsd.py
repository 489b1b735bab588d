"""What a running origin tells CDNs of its objects and of itself (CTA-5006; specs/origin-http.md
O16, O22, O24 to O27).
"""

import http.client
import json
import threading
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from fractions import Fraction
from typing import Any

import pytest
from origin_rigs.fields import dictionary, members

V, A = "/ingest/demo/Streams(v.cmfv)", "/ingest/demo/Streams(a.cmfa)"
GRID_S = Fraction(48, 25)
GRID = {"segment_s": "48/25"}
LOW = {"demo": {"segment_s": "96/5", "part_s": "96/25"}}  # long: held as long as may be, no gap yet
PREFETCH = "cdn-origin-assist-prefetch-path"
Start = Callable[..., Any]


def ask(origin: Any, path: str) -> tuple[int, dict[str, str]]:
    """Status and fields; repeated ones are joined, as caches do."""
    connection = http.client.HTTPConnection("127.0.0.1", origin.delivery_port, timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        fields: dict[str, str] = {}
        for name, value in response.getheaders():
            key = name.lower()
            fields[key] = f"{fields[key]}, {value}" if key in fields else value
        return response.status, fields
    finally:
        connection.close()


class Asking:
    """A request in a thread of its own."""

    def __init__(self, origin: Any, path: str) -> None:
        self.got: list[tuple[int, dict[str, str]]] = []
        self._thread = threading.Thread(target=lambda: self.got.append(ask(origin, path)))
        self._thread.start()

    def wait(self) -> tuple[int, dict[str, str]]:
        self._thread.join()
        return self.got[0]


def push(origin: Any, path: str, *bodies: bytes) -> None:
    for body in bodies:
        assert origin.push(path, body).status == 200


def test_the_next_object_is_there_or_is_held_until_it_is(
    start: Start, long_chunked: Any, long_number: int
) -> None:
    """O16: the hint of every object of a channel with parts, fetched"""
    origin, n = start(channels=LOW, hold_s=13), long_number
    push(origin, V, long_chunked.header, *(long_chunked.segment(n + i) for i in range(4)))
    pieces = long_chunked.pieces(n + 4)
    push(origin, V, pieces[0], pieces[1])
    base = "/live/demo/v"
    hints = {}
    for leaf in ("media.m3u8", f"{n}.m4s", f"{n + 2}.m4s", f"{n + 2}.1.m4s", f"{n + 2}.4.m4s"):
        hints[leaf] = ask(origin, f"{base}/{leaf}")[1][PREFETCH]
        if leaf != "media.m3u8":
            assert ask(origin, hints[leaf])[0] == 200, leaf
    assert hints == {
        "media.m3u8": f"{base}/{n + 4}.2.m4s",
        f"{n}.m4s": f"{base}/{n + 1}.m4s",
        f"{n + 2}.m4s": f"{base}/{n + 3}.m4s",
        f"{n + 2}.1.m4s": f"{base}/{n + 2}.2.m4s",
        f"{n + 2}.4.m4s": f"{base}/{n + 3}.0.m4s",
    }
    assert ask(origin, f"{base}/{n + 4}.1.m4s")[1][PREFETCH] == hints["media.m3u8"]
    held = Asking(origin, hints["media.m3u8"])
    push(origin, V, *pieces[2:])
    status, fields = held.wait()
    assert status == 200
    assert fields[PREFETCH] == f"{base}/{n + 4}.3.m4s"
    assert ask(origin, f"{base}/{n + 4}.4.m4s")[1][PREFETCH] == f"{base}/{n + 5}.0.m4s"


def test_what_was_hinted_and_did_not_come_is_taken_back(
    start: Start, video_media: Any, audio_media: Any, now_number: int
) -> None:
    """O16: a gap of one track"""
    origin, n = start(channels={"demo": GRID}), now_number
    push(origin, V, video_media.header)
    push(origin, A, audio_media.header)
    for number in range(n, n + 2):
        push(origin, V, video_media.segment(number))
        push(origin, A, audio_media.segment(number))
    edge = f"/live/demo/a/{n + 1}.m4s"
    assert ask(origin, edge)[1][PREFETCH] == f"/live/demo/a/{n + 2}.m4s"
    for number in range(n + 2, n + 7):
        push(origin, V, video_media.segment(number))
        push(origin, A, audio_media.segment(number)) if number > n + 2 else None
    assert ask(origin, f"/live/demo/a/{n + 2}.m4s")[0] == 404
    status, fields = ask(origin, edge)
    assert (
        status == 200 and PREFETCH not in fields and "nor" not in dictionary(fields["cmsd-static"])
    )
    assert ask(origin, f"/live/demo/v/{n + 1}.m4s")[1][PREFETCH] == f"/live/demo/v/{n + 2}.m4s"


def test_a_held_answer_says_how_long(
    start: Start, long_chunked: Any, long_number: int, wait: Callable[..., Any]
) -> None:
    """O26: ht and rd on what was held, neither on the same object asked for afterwards"""
    origin, n = start(channels=LOW, hold_s=13), long_number
    push(origin, V, long_chunked.header, *(long_chunked.segment(n + i) for i in range(3)))
    pieces = long_chunked.pieces(n + 3)
    push(origin, V, pieces[0])
    path = f"/live/demo/v/media.m3u8?_HLS_msn={n + 3}&_HLS_part=1"
    held = [Asking(origin, path), Asking(origin, path)]
    parked = 'headwater_origin_delivery_held_total{fate="parked"}'
    wait(lambda: origin.metric(parked) == 2, "two held requests")
    push(origin, V, pieces[1])
    seen = []
    for each in held:
        status, fields = each.wait()
        static, dynamic = dictionary(fields["cmsd-static"]), members(fields["cmsd-dynamic"])
        assert status == 200 and static["ot"] == "m"
        assert dynamic == [("headwater", {"rd": static["ht"]})]
        seen.append(static["ht"])
    assert seen[0] == seen[1] >= 0, "one number for all: no field is one viewer's (O8)"
    _, fields = ask(origin, path)
    assert "ht" not in dictionary(fields["cmsd-static"]) and "cmsd-dynamic" not in fields


def test_duress_is_told_while_it_lasts(
    start: Start, long_chunked: Any, long_number: int, wait: Callable[..., Any]
) -> None:
    """O27: on every answer, by the name of the origin, and on none once it is over"""
    origin, n = start(channels=LOW, hold_s=13, duress_share=1e-9, name="eu-1"), long_number
    push(origin, V, long_chunked.header, *(long_chunked.segment(n + i) for i in range(3)))
    _, fields = ask(origin, f"/live/demo/v/{n}.m4s")
    assert "cmsd-dynamic" not in fields and dictionary(fields["cmsd-static"])["n"] == "eu-1"
    held = Asking(origin, f"/live/demo/v/media.m3u8?_HLS_msn={n + 3}&_HLS_part=0")
    wait(lambda: origin.metric("headwater_origin_duress") == 1, "duress")
    for path, status in (
        (f"/live/demo/v/{n}.m4s", 200),
        ("/live/demo/master.m3u8", 200),
        ("/x", 404),
    ):
        got, fields = ask(origin, path)
        assert got == status and members(fields["cmsd-dynamic"]) == [("eu-1", {"du": True})]
    push(origin, V, long_chunked.pieces(n + 3)[0])
    status, fields = held.wait()
    told = dictionary(fields["cmsd-static"])["ht"]
    assert members(fields["cmsd-dynamic"]) == [("eu-1", {"rd": told, "du": True})]
    wait(lambda: origin.metric("headwater_origin_duress") == 0, "the end of duress")
    assert "cmsd-dynamic" not in ask(origin, f"/live/demo/v/{n}.m4s")[1]


def test_lifetimes_end_before_the_media_does(
    start: Start, video_media: Any, now_number: int
) -> None:
    """O22: at every edge, for all that is there; recorded media may be kept longer"""
    origin, n, keep_s = start(channels={"demo": GRID}, window_s=20, retention_s=60), now_number, 60
    push(origin, V, video_media.header)
    told = set()
    for edge in range(n, n + 50):
        push(origin, V, video_media.segment(edge))
        for number in range(max(n, edge - 31), edge) if edge > n + 1 else ():
            status, fields = ask(origin, f"/live/demo/v/{number}.m4s")
            assert status == 200, f"{number} at {edge}"
            left_s = keep_s - (edge - number) * GRID_S
            age_s = int(fields["cache-control"].split("max-age=")[1].split(",")[0])
            assert left_s / 2 - 1 <= age_s <= left_s + GRID_S, f"{number} at {edge}"
            gone = parsedate_to_datetime(fields["expires"]).timestamp()
            assert abs(gone - keep_s - (number + 1) * GRID_S) <= 1
            told.add(age_s)
    assert {32, 16, 8, 4} <= told
    n += 44
    show = {"id": "show", "channel": "demo", "start": float(n * GRID_S)}
    assert origin.push("/recordings", json.dumps(show).encode(), "POST").status == 201
    push(origin, V, video_media.segment(n + 6))
    path = f"/rec/show/v/{n + 2}.m4s"
    status, fields = ask(origin, path)
    assert (status, fields["cache-control"]) == (200, "public, max-age=1209600, immutable")
    assert dictionary(fields["cmsd-static"])["st"] == "v" and "expires" not in fields
    assert fields[PREFETCH] == f"/rec/show/v/{n + 3}.m4s"
    assert ask(origin, fields[PREFETCH])[0] == 200


@pytest.mark.parametrize(
    ("text", "value"),
    [('a=1,b="x\\"y", c', {"a": 1, "b": 'x"y', "c": True}), ("ot=v,su", {"ot": "v", "su": True})],
)
def test_the_oracle_reads_dictionaries(text: str, value: dict[str, Any]) -> None:
    assert dictionary(text) == value
