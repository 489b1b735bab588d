"""What a new segment costs: the MPD of a live channel, rendered and deflated again, and its patch.

    python -m bench.bench_live_mpd --json

A window of 60 s beside one of 24 h, both of 2 s segments of three video rungs and an audio track
whose packets do not fit the grid; the aim is 24 h within twice of 60 s. The peer writes the 24 h
from lists of segments and compresses it, as one does who keeps nothing. Lower is better.
"""

import gzip
from fractions import Fraction
from functools import partial

from bench import harness
from origin import dash
from origin.tracks import Rendition, Segment

SEGMENT_S = 2
FIRST = 900_000_000
WINDOWS_S = {"60s": 60, "24h": 86400}
PACKET = 1024
ROUND_S = 1.0
VIDEO = [
    Rendition(f"v{height}", "video", "avc1.640028", 12800, width=height * 16 // 9, height=height)
    for height in (360, 540, 1080)
]
AUDIO = Rendition("a", "audio", "mp4a.40.2", 48000, language="en", channels=2, sample_rate=48000)


class Site:
    """A channel's timelines in the window, and what follows each new segment."""

    def __init__(self, window_s: int) -> None:
        self.segments = window_s // SEGMENT_S
        self.terms = dash.Terms(
            "live", "manifest", Fraction(SEGMENT_S), SEGMENT_S, window_s, "/time", 60
        )
        self.lines = {r.name: dash.Line() for r in (*VIDEO, AUDIO)}
        self.next = FIRST
        for _ in range(self.segments + 1024):
            self.append()
        self.edition = self.publish()

    def append(self) -> None:
        for r in (*VIDEO, AUDIO):
            start, end = bounds(r, self.next), bounds(r, self.next + 1)
            self.lines[r.name].append(self.next, start, end - start)
            self.lines[r.name].trim(self.next - self.segments)
        self.next += 1

    def publish(self) -> dash.Edition:
        shown = tuple(
            dash.Shown(r, self.lines[r.name], self.lines[r.name].mark()) for r in (*VIDEO, AUDIO)
        )
        span = dash.Span(FIRST, self.next - 1, shown)
        return dash.Edition(self.next * SEGMENT_S * 1000, (span,))

    def mpd(self) -> object:
        self.append()
        return dash.write(self.terms, self.publish()).finish()

    def patch(self) -> object:
        self.append()
        old, self.edition = self.edition, self.publish()
        return dash.patch(self.terms, old, self.edition)

    def anew(self) -> bytes:
        """Every segment written again."""
        self.append()
        numbers = range(self.next - self.segments, self.next)
        timelines = [dash.Timeline(r, [segment(r, n) for n in numbers]) for r in (*VIDEO, AUDIO)]
        period = dash.Period("p0", Fraction(numbers[0] * SEGMENT_S), timelines)
        return gzip.compress(dash.static_mpd(period, min_buffer_s=Fraction(2)).encode(), 6)


def bounds(r: Rendition, number: int) -> int:
    """Where a segment begins: audio with the first packet at or after the grid."""
    ticks = number * SEGMENT_S * r.timescale
    return -(-ticks // PACKET) * PACKET if r is AUDIO else ticks


def segment(r: Rendition, number: int) -> Segment:
    start = bounds(r, number)
    return Segment(number, start, bounds(r, number + 1) - start)


def measure() -> list[str]:
    short, long = (Site(window_s) for window_s in WINDOWS_S.values())
    lines = []
    for case in ("mpd", "patch"):
        a, b = harness.alternate(
            partial(harness.median_us, getattr(long, case), ROUND_S),
            partial(harness.median_us, getattr(short, case), ROUND_S),
        )
        lines.append(harness.line("mpd_render", f"24h_{case}", a, "us", "60s window", b))
    a, b = harness.alternate(
        partial(harness.median_us, long.mpd, ROUND_S),
        partial(harness.median_us, long.anew, ROUND_S),
        1,
    )
    lines.append(harness.line("mpd_render", "24h_peer", a, "us", "all anew", b))
    return lines


if __name__ == "__main__":
    harness.main(__doc__, measure, harness.SERVER_CORE)
