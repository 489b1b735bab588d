"""Timed metadata through a running origin: event tracks and emsg in, date ranges and event streams
out (TM1..TM10, HLS-12, HLS-40, HLS-42).
"""

import base64
import re
from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from origin_rigs.events_rig import (
    EVTE,
    URIM,
    chunk,
    cue_in,
    cue_out,
    event_header,
    segment,
    time_signal,
)
from origin_rigs.hls_rig import FIRST, Rig

from native.bmff import BoxError
from native.bmff.events import EMPTY, emib, read_events
from native.bmff.model import Emsg
from native.bmff.write import box, full
from native.bmff.write import emsg as emsg_box
from origin.events import ID3, Message, spans
from origin.hls.daterange import DateRange
from origin.live.events import Heard, Journal, Shown
from origin.live.holds import Hold
from origin.live.ranges import Range
from origin.live.telling import cue_tags, date_ranges, event_streams

GRID_S = Fraction(48, 25)
MPD = "{urn:mpeg:dash:schema:mpd:2011}"
SCTE = "urn:scte:scte35:2013:bin"
SCALE = 1000


def told(time: int, data: bytes, number: int = 1, duration: int = 0, scheme: str = SCTE) -> Emsg:
    return Emsg(1, scheme, "", SCALE, time, duration, number, data)


@pytest.mark.parametrize("delta", [0, 700, -300])
def test_both_kinds_of_samples(delta: int) -> None:
    """TM1, TM2: emsg of both versions, emib, and the filler."""
    event = told(5000 + delta, b"data", 7, 30, "urn:x")
    old = full("emsg", 0, 0, b"urn:x\0\0", (SCALE).to_bytes(4, "big"),
               max(delta, 0).to_bytes(4, "big"), (30).to_bytes(4, "big"),
               (7).to_bytes(4, "big"), b"data")  # fmt: skip
    assert read_events(emsg_box(event) + EMPTY, 5000, SCALE) == [event]
    assert read_events(EMPTY + emib(event, 5000), 5000, SCALE) == [event]
    if delta >= 0:
        assert read_events(old, 5000, SCALE) == [event]
    assert read_events(EMPTY, 5000, SCALE) == []


@given(st.binary(max_size=200), st.sampled_from([b"emsg", b"emib", b"emeb", b"free"]))
def test_any_sample_is_read_or_refused(noise: bytes, kind: bytes) -> None:
    for data in (noise, box(kind.decode(), noise), emsg_box(told(1, b"x")) + noise):
        try:
            found = read_events(data, 1000, SCALE)
        except BoxError:
            continue
        assert all(isinstance(event, Emsg) for event in found)


def journal(folder: Path) -> Journal:
    return Journal(folder, 600)


def hear(book: Journal, time_s: float, data: bytes, number: int, edge_s: int, **more: Any) -> bool:
    event = told(int(time_s * SCALE), data, number, **more)
    return book.hear(event, "", edge_s // 2 - 1, Fraction(edge_s))


def test_repeats_add_nothing(tmp_path: Path) -> None:
    """TM3: each event ten times."""
    book = journal(tmp_path)
    heard = [hear(book, 110, cue_out(7, 30), 1, 100) for _ in range(10)]
    assert heard == [True] + [False] * 9
    assert len(list(book)) == 1 and book.fates == {"told": 1, "repeated": 9}
    assert not hear(book, 110, cue_out(7, 30), 1, 200), "active events may be repeated for ever"


@pytest.mark.parametrize(("edge_s", "applied"), [(90, True), (100, True), (102, False)])
def test_what_is_late_is_dropped(tmp_path: Path, edge_s: int, applied: bool) -> None:
    """TM4: a break may begin where unpublished media begins, not before."""
    book = journal(tmp_path)
    assert hear(book, 100, cue_out(7, 30), 1, edge_s) is applied
    assert book.fates["late"] == (not applied)
    assert len(book.shown(edge_s // 2, Fraction(edge_s + 2)).spans) == applied


def test_a_late_end_still_ends(tmp_path: Path) -> None:
    book = journal(tmp_path)
    hear(book, 100, cue_out(7, 30), 1, 90)
    assert hear(book, 112, cue_in(7), 2, 120)
    (span,) = book.shown(99, Fraction(200)).spans
    assert span.end_s == 112


def test_bad_messages_are_counted(tmp_path: Path) -> None:
    """TM11."""
    book = journal(tmp_path)
    broken = cue_out(7, 30)[:-1] + b"\0"
    assert not hear(book, 100, broken, 1, 90)
    assert not book.hear(told(1, b"x")._replace(timescale=0), "", 0, Fraction(0))
    assert not book.hear(told(1, bytes(70_000), scheme="urn:x"), "", 0, Fraction(0))
    assert book.fates["bad"] == 3 and not list(book)


def test_an_id_used_again_is_another_event(tmp_path: Path) -> None:
    """TM10: before it began, a message with its key takes its place."""
    book = journal(tmp_path)
    hear(book, 100, cue_out(1, 30), 1, 90)
    hear(book, 104, cue_out(1, 20), 1, 92)
    (moved,) = book.shown(99, Fraction(96)).spans
    assert (moved.start_s, moved.planned_s) == (104, 20)
    hear(book, 124, cue_in(1), 2, 110)
    hear(book, 200, cue_out(1, 30), 1, 190)
    first, again = book.shown(999, Fraction(196)).spans
    assert first.id != again.id and (first.end_s, again.start_s) == (124, 200)
    (stream,) = event_streams(book.shown(999, Fraction(196)))
    assert len({event.id for event in stream.events}) == 3


def test_what_is_shown_is_a_function_of_journal_and_edge(tmp_path: Path) -> None:
    """HLS-40: nothing of an edge changes after it; a restart and a follower agree."""
    book, follower = journal(tmp_path), Journal(tmp_path, 600, read_only=True)
    hear(book, 100, cue_out(7, 30), 1, 90)
    before = book.shown(45, Fraction(92))
    hear(book, 112, cue_in(7), 2, 92)
    hear(book, 130, b"\1\2", 3, 92, scheme="urn:x", duration=500)
    assert book.shown(45, Fraction(92)).spans == before.spans, "heard at 45, shown from 46 on"
    after = book.shown(46, Fraction(94))
    assert after.spans[0].end_s == 112 and len(after.heard) == 3
    follower.tail()
    book.close()
    for other in (follower, journal(tmp_path)):
        assert other.shown(45, Fraction(92)).spans == before.spans
        assert other.shown(46, Fraction(94)) == after
    assert date_ranges(after, Fraction(2)) == date_ranges(
        follower.shown(46, Fraction(94)), Fraction(2)
    )


def test_old_events_leave_with_their_volume(tmp_path: Path) -> None:
    book = journal(tmp_path)
    for at in range(100, 1100, 10):
        hear(book, at, b"x", at, 90, scheme="urn:x", duration=1000)
    hear(book, 1100, cue_out(7, 30), 5000, 1090)
    book.expire(Fraction(1000), lambda start_s, end_s: start_s < 300 < end_s)
    held = [heard.message.id for heard in book]
    assert held[0] in range(100, 300) and held[-1] == 5000, "a recording keeps what it tells"
    before = book.shown(5000, Fraction(2000))
    book.expire(Fraction(1000), lambda *_: False)
    left = [heard.message.id for heard in book]
    assert left[0] == 1000 and left[-1] == 5000, "a volume of 150 s at a time"
    assert len(book.shown(5000, Fraction(2000)).heard) < len(before.heard)


def test_a_channel_lets_its_old_events_go_but_not_those_of_a_recording(tmp_path: Path) -> None:
    """Events leave with the media they speak of, and stay with it where it is held."""
    rig = Rig(tmp_path / "live", retention_s=60)
    rig.begin()
    holds = rig.channels.holds
    for number in range(FIRST, FIRST + 160, 5):
        rig.play(number, 5)
        end_s = (rig.channel.edge + 1) * GRID_S
        event = Emsg(1, "urn:x", "", SCALE, int((end_s + 4) * SCALE), SCALE, number, b"x")
        assert rig.channel.events.hear(event, "", rig.channel.edge, end_s)
        if number == FIRST + 10:
            asked = Range((number + 5) * GRID_S, (number + 25) * GRID_S)
            holds.put(Hold("film", "c", asked))
    ids = [heard.message.id for heard in rig.channel.events]
    assert FIRST + 15 in ids, "held"
    assert FIRST + 60 not in ids and FIRST + 155 in ids
    holds.remove("film")
    rig.play(FIRST + 160, 5)
    assert FIRST + 15 not in [heard.message.id for heard in rig.channel.events]
    rig.channels.close()


def test_id3_stays_in_the_media(tmp_path: Path) -> None:
    """One announcement, however many there are, and no date range."""
    book = journal(tmp_path)
    for at in range(100, 200):
        book.hear(told(at * SCALE, b"ID3x", at, 0xFFFFFFFF, ID3), "v", 40, Fraction(82))
    shown = book.shown(50, Fraction(102))
    assert len(list(book)) == 1 and shown.inband("v") == ((ID3, ""),) and not shown.inband("a")
    assert not date_ranges(shown, Fraction(2)) and not event_streams(shown)


def attributes(line: str) -> dict[str, str]:
    found = re.findall(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)', line.partition(":")[2])
    return {name: value.strip('"') for name, value in found}


def ranges(*messages: tuple[int, bytes]) -> list[DateRange]:
    heard = tuple(
        Heard(Message(SCTE, "", n, Fraction(at), None, data), n, 1)
        for n, (at, data) in enumerate(messages)
    )
    found = spans([(h.message, h.number) for h in heard], Fraction(10**6))
    return date_ranges(Shown(heard, tuple(found)), Fraction(2))


def test_the_tags_of_a_break() -> None:
    """HLS-42: OUT without DURATION, closed under the same ID with the real one."""
    (waiting,) = ranges((100, cue_out(7, 30)))
    (out,) = [attributes(line) for line in waiting.lines]
    assert "DURATION" not in out and out["PLANNED-DURATION"] == "30.000"
    assert out["SCTE35-OUT"] == "0x" + cue_out(7, 30).hex().upper()
    assert out["START-DATE"] == "1970-01-01T00:01:40.000Z"
    (closed,) = ranges((100, cue_out(7, 30)), (112, cue_in(7)))
    first, second = map(attributes, closed.lines)
    assert first == out and second["ID"] == out["ID"] and second["DURATION"] == "12.000"
    assert second["SCTE35-IN"] == "0x" + cue_in(7).hex().upper()
    assert second["START-DATE"] == out["START-DATE"]
    assert (waiting.end_s, closed.end_s) == (130, 112) and closed.since_s == 4
    (planned,) = ranges((101, cue_out(7, 30, auto_return=True)))
    assert planned.end_s == 131 and len(planned.lines) == 2
    assert planned.since_s == 132, "the edge that showed its end"
    named = ranges((10, time_signal(segment(5, 0x34, upid=(0x0F, b'urn:"x"')))))
    assert attributes(named[0].lines[0])["X-UPID"] == "uri:urn:'x'"
    moment = ranges((50, time_signal(segment(9, 0x35))))[0]
    assert "SCTE35-CMD" in moment.lines[0] and len(moment.lines) == 1


def test_cue_tags_move_to_the_next_boundary() -> None:
    """TM7, TM9."""
    sections = [(101, cue_out(7, 30), 1), (113, cue_in(7), 55), (120, cue_out(8, None), 56)]
    found = spans(
        [(Message(SCTE, "", n, Fraction(at), None, data), n) for at, data, n in sections],
        Fraction(200),
    )
    tags = {n: cue_tags(found, n, Fraction(2)) for n in range(45, 80)}
    assert {n: t for n, t in tags.items() if t} == {
        51: ["#EXT-X-CUE-OUT:30.000"],
        57: ["#EXT-X-CUE-IN"],
        60: ["#EXT-X-CUE-OUT"],
    }
    late = spans(
        [(Message(SCTE, "", n, Fraction(at), None, d), n + 60) for at, d, n in sections[:2]],
        Fraction(200),
    )
    assert not any("IN" in t for n in range(45, 80) for t in cue_tags(late, n, Fraction(2)))


def wall_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize("style", ["evte", "urim"])
def test_an_event_track_live(
    start: Callable[..., Any],
    wait: Callable[..., Any],
    video_media: Any,
    now_number: int,
    style: str,
) -> None:
    """A break is announced, begins, and ends early; a kill -9 between changes nothing."""
    origin = start(cue_tags=True)
    header = event_header(EVTE if style == "evte" else URIM)
    n = now_number
    at = [round(k * GRID_S * SCALE) for k in range(n, n + 20)]

    def tell(k: int, *events: Emsg) -> None:
        boxes = [emib(e, at[k]) if style == "evte" else emsg_box(e) for e in events]
        body = chunk(at[k], [(at[k + 1] - at[k], b"".join(boxes) or EMPTY)])
        assert origin.push("/ingest/c/Streams(meta.cmfm)", body).status == 200

    def video(k: int) -> None:
        assert origin.push("/ingest/c/Streams(v.cmfv)", video_media.segment(n + k)).status == 200

    def lines(name: str) -> list[str]:
        text = origin.get(f"/live/c/{name}/media.m3u8").text
        return [line for line in text.splitlines() if line.startswith("#EXT-X-DATERANGE")]

    for name, head in (("v", video_media.header), ("meta", header)):
        assert origin.push(f"/ingest/c/Streams({name}.cmfm)", head).status == 200
    out = told(at[8], cue_out(7, 30), 11)
    for k in range(5):
        tell(k, *([out] if k >= 3 else []))
        video(k)
    (opened,) = map(attributes, wait(lambda: lines("v"), "the range"))
    assert wall_ms(opened["START-DATE"]) == at[8] and opened["PLANNED-DURATION"] == "30.000"
    assert bytes.fromhex(opened["SCTE35-OUT"][2:]) == out.data and "DURATION" not in opened
    assert opened["ID"] == f"splice-00000007-{at[8]}"
    mpd = etree.fromstring(origin.get("/live/c/manifest.mpd").body)
    (stream,) = mpd.iter(f"{MPD}EventStream")
    (event,) = stream.iter(f"{MPD}Event")
    ticks = int(stream.get("timescale"))
    offset = int(stream.get("presentationTimeOffset") or 0)
    period_s = float(stream.getparent().get("start")[2:-1])
    begins_s = (int(event.get("presentationTime")) - offset) / ticks + period_s
    assert begins_s == pytest.approx(at[8] / SCALE, abs=0.001)
    assert base64.b64decode("".join(event.itertext()).strip()) == out.data
    assert "meta" not in origin.get("/live/c/master.m3u8").text, "no rendition of it"
    assert "meta" not in origin.get("/live/c/manifest.mpd").text
    for k in range(5, 10):
        tell(k, out)
        video(k)
    wait(lambda: len(lines("v")) == 1, "one range however often it is told")
    origin.kill()
    origin = start(data=origin.data, cue_tags=True)
    assert [attributes(line)["ID"] for line in lines("v")] == [opened["ID"]]
    tell(10, out, told(at[12], cue_in(7), 12))
    for k in range(10, 14):
        video(k)
    found = wait(lambda: len(lines("v")) == 2 and lines("v"), "the end")
    first, second = map(attributes, found)
    assert first == opened and second["ID"] == opened["ID"]
    assert float(second["DURATION"]) == pytest.approx((at[12] - at[8]) / SCALE, abs=0.001)
    assert bytes.fromhex(second["SCTE35-IN"][2:]) == cue_in(7)
    rows = origin.get("/live/c/v/media.m3u8").text.splitlines()
    for tag, k in (("#EXT-X-CUE-OUT:30.000", 8), ("#EXT-X-CUE-IN", 12)):
        named = [row for row in rows[rows.index(tag) :] if not row.startswith("#")]
        assert named[0] == f"{n + k}.m4s" and rows.count(tag) == 1


def test_messages_in_media(
    start: Callable[..., Any], wait: Callable[..., Any], video_media: Any, now_number: int
) -> None:
    """emsg boxes stay in the chunk, are announced in band, and splices become date ranges."""
    origin = start()
    n = now_number
    assert origin.push("/ingest/c/Streams(v.cmfv)", video_media.header).status == 200
    break_ms = round((n + 6) * GRID_S * SCALE)
    carried = emsg_box(told(break_ms, cue_out(9, 10), 21))
    tagged = emsg_box(told(round((n + 2) * GRID_S * SCALE), b"ID3\4", 5, 0xFFFFFFFF, ID3))
    for k in range(6):
        body = (carried if k == 3 else tagged if k == 1 else b"") + video_media.segment(n + k)
        assert origin.push("/ingest/c/Streams(v.cmfv)", body).status == 200

    def playlist() -> Any:
        return origin.get("/live/c/v/media.m3u8").text

    text = wait(lambda: "SCTE35-OUT" in playlist() and playlist(), "the range")
    assert text.count("#EXT-X-DATERANGE") == 1 and "ID3" not in text
    assert carried in origin.get(f"/live/c/v/{n + 3}.m4s").body
    assert tagged in origin.get(f"/live/c/v/{n + 1}.m4s").body
    mpd = etree.fromstring(origin.get("/live/c/manifest.mpd").body)
    announced = {e.get("schemeIdUri") for e in mpd.iter(f"{MPD}InbandEventStream")}
    assert announced == {SCTE, ID3}
    assert not list(mpd.iter(f"{MPD}EventStream")), "what is in band is not told twice"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"junkjunkjunk", 400),
        (box("free"), 200),
        (box("emib", b"x"), 400),
        (b"".join(emsg_box(told(1, b"x", n)) for n in range(257)), 400),
    ],
)
def test_broken_event_samples(
    start: Callable[..., Any], now_number: int, body: bytes, status: int
) -> None:
    origin = start(channels={"c": {"segment_s": str(GRID_S)}})
    header = event_header(EVTE)
    assert origin.push("/ingest/c/Streams(meta.cmfm)", header).status == 200
    data = chunk(round(now_number * GRID_S * SCALE), [(1000, body)])
    assert origin.push("/ingest/c/Streams(meta.cmfm)", data).status == status


def test_an_event_chunk_is_bounded(start: Callable[..., Any], now_number: int) -> None:
    """Events may stand in every sample; a thousand different ones may not."""
    origin = start(channels={"c": {"segment_s": str(GRID_S)}})
    assert origin.push("/ingest/c/Streams(meta.cmfm)", event_header(EVTE)).status == 200

    def push(distinct: bool) -> Any:
        samples = [
            (100, b"".join(emsg_box(told(1, b"x", 256 * k * distinct + n)) for n in range(256)))
            for k in range(5)
        ]
        data = chunk(round(now_number * GRID_S * SCALE), samples)
        return origin.push("/ingest/c/Streams(meta.cmfm)", data)

    assert push(False).status == 200
    refused = push(True)
    assert (refused.status, refused.json["error"]) == (400, "too_many_events")
