"""Text, events and I frames where several processes serve, and beside low-latency parts."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from origin_rigs.events_rig import EVTE, chunk, cue_in, cue_out, event_header
from origin_rigs.text_rig import TIMESCALE, WVTT_HEADER, cue
from twins.crew import Crew, until

from native.bmff.events import EMPTY, emib
from native.bmff.model import Emsg

SCTE = "urn:scte:scte35:2013:bin"


def push_all(push: Callable[[str, bytes], Any], media: Any, n: int, numbers: range) -> None:
    """Video, a text track that is silent every other segment, and a break from 6 to 10."""

    def at(number: int) -> int:
        return round(number * media.segment_s * TIMESCALE)

    if numbers[0] == 0:
        for name, header in (("v", media.header), ("en", WVTT_HEADER), ("m", event_header(EVTE))):
            assert push(f"/ingest/ch/Streams({name}.cmfv)", header).status == 200
    for k in numbers:
        length = at(n + k + 1) - at(n + k)
        told = [
            emib(Emsg(1, SCTE, "", TIMESCALE, at(n + when), 0, when, data), at(n + k))
            for when, data in ((6, cue_out(7, 30)), (10, cue_in(7)))
            if when - 3 <= k < when
        ]
        bodies = {"m": chunk(at(n + k), [(length, b"".join(told) or EMPTY)])}
        if k % 2:
            bodies["en"] = chunk(at(n + k), [(length, cue(f"words {k}"))])
        bodies["v"] = media.segment(n + k)
        for name, body in bodies.items():
            assert push(f"/ingest/ch/Streams({name}.cmfv)", body).status == 200


def test_every_worker_tells_the_same(tmp_path: Path, long_video: Any, long_number: int) -> None:
    """Also after the one that wrote is gone, and another took its place; of segments so long that
    none is filled in meanwhile.
    """
    n = long_number
    with Crew(tmp_path, 2, window_s=480, retention_s=1_200) as crew:
        writer, other = crew.workers()[:2]

        def same(last: int) -> str:
            leaves = ("master.m3u8", "manifest.mpd", "v/media.m3u8", "en/media.m3u8",
                      "v/iframe.m3u8", f"en/{last}.vtt", f"en/{last - 1}.vtt", f"en/{last}.m4s",
                      f"v/{last}.i.m4s")  # fmt: skip
            until(
                lambda: all(f"\n{last}.vtt" in crew.get(w, "/live/ch/en/media.m3u8").text
                            for w in crew.workers()),
                f"all workers to list {last}",
            )  # fmt: skip
            for leaf in leaves:
                answers = [crew.get(worker, f"/live/ch/{leaf}") for worker in crew.workers()]
                assert {a.status for a in answers} == {200}, leaf
                assert len({a.body for a in answers}) == 1, leaf
            return crew.get(crew.workers()[0], "/live/ch/v/media.m3u8").text

        push_all(lambda path, body: crew.push(writer, path, body), long_video, n, range(6))
        text = same(n + 5)
        assert text.count("SCTE35-OUT") == 1 and "SCTE35-IN" not in text
        os.kill(writer, signal.SIGKILL)
        until(lambda: writer not in crew.workers() and len(crew.workers()) == 2, "a new worker")
        push_all(lambda path, body: crew.push(other, path, body), long_video, n, range(6, 12))
        text = same(n + 11)
        assert text.count("SCTE35-OUT") == 1 and text.count("SCTE35-IN") == 1
        assert "EXT-X-GAP" not in crew.get(other, "/live/ch/en/media.m3u8").text


def test_text_beside_parts(
    start: Callable[..., Any], wait: Callable[..., Any], chunked_media: Any, now_number: int
) -> None:
    """HLS-37, HLS-38: text and I frames have no parts, and the same control."""
    origin = start()
    n = now_number
    push_all(origin.push, chunked_media, n, range(10))

    def lines(leaf: str, tag: str) -> list[str]:
        text = origin.get(f"/live/ch/{leaf}").text
        return [line for line in text.splitlines() if line.startswith(tag)]

    wait(lambda: lines("v/media.m3u8", "#EXT-X-PART:"), "parts")
    for leaf in ("en/media.m3u8", "v/iframe.m3u8"):
        assert not lines(leaf, "#EXT-X-PART:") and not lines(leaf, "#EXT-X-PRELOAD-HINT")
        for tag in ("#EXT-X-SERVER-CONTROL", "#EXT-X-TARGETDURATION", "#EXT-X-DATERANGE"):
            assert lines(leaf, tag) == lines("v/media.m3u8", tag), (leaf, tag)
        msn = n + 9
        held = origin.get(f"/live/ch/{leaf}?_HLS_msn={msn}")
        assert held.status == 200, "a blocking reload, of segments"
    reports = lines("v/media.m3u8", "#EXT-X-RENDITION-REPORT")
    assert {line.split('"')[1] for line in reports} == {"../en/media.m3u8", "../v/iframe.m3u8"}
