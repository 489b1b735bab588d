"""What a new part costs: the playlist of a low-latency channel, rendered and deflated again.

    python -m bench.bench_live_render --json

A window of 60 s beside one of 24 h, both of 2 s segments in four parts, with the full playlist and
its delta update; the aim is 24 h within twice of 60 s. The peer writes the full playlist of 24 h
from a list of segments and compresses it, as one does who keeps nothing. Lower is better.
"""

import gzip
import tempfile
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path

from bench import harness
from bench.ingester import Synth
from native.http import Hot
from origin.hls.media import segment_lines
from origin.live.channels import Channels
from origin.live.kept import Kept, save
from origin.live.log import HEADER, TrackLog
from origin.live.records import INDEPENDENT
from origin.settings import Settings
from origin.tracks import Segment

SEGMENT_S = Fraction(2)
PARTS = 4
NOW_S = 1_800_000_000
WINDOWS_S = {"60s": 60, "24h": 86400}
ROUND_S = 1.0


def recorded(folder: Path, window_s: int) -> Channels:
    """A channel with a window's worth of segments in its log, opened."""
    synth = Synth("video", 1000, chunks=PARTS)
    chunk = next(synth.pieces(0))
    scale = synth.timescale
    first = int((NOW_S - window_s) / SEGMENT_S) - 64
    kept = Kept(part=str(SEGMENT_S / PARTS), first=first)
    kept.set_grid(SEGMENT_S)
    log = TrackLog(folder / "live" / "v", volume_ticks=window_s * scale // 4)
    (folder / "live" / "v" / HEADER).write_bytes(synth.header)
    ticks = int(SEGMENT_S * scale) // PARTS
    for number in range(first, int(NOW_S / SEGMENT_S)):
        for index in range(PARTS):
            at = number * PARTS * ticks + index * ticks
            flags = 0 if index else INDEPENDENT
            log.append(chunk, decode_time=at, duration=ticks, earliest=at, flags=flags)
        log.seal(number * PARTS * ticks)
    log.close()
    save(folder / "live", kept)
    settings = Settings(window_s=window_s, retention_s=2 * window_s + 600)
    channels = Channels(folder, settings, Hot(), lambda: NOW_S)
    channels.open()
    return channels


def rendering(channels: Channels, query: str) -> Callable[[], object]:
    """What the first request for the playlist costs after a change."""
    presentation = channels.presentations["live"]

    def render() -> object:
        presentation.faces[0].published([])
        return presentation.directed("v/media.m3u8", query)

    return render


def forgetful(channels: Channels) -> bytes:
    """Every segment written anew."""
    channel = channels.presentations["live"].channel
    track = channel.tracks["v"]
    ticks = int(SEGMENT_S * track.timescale)
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-TARGETDURATION:2"]
    for number in range(channels.presentations["live"].first_listed, channel.edge + 1):
        lines.append(segment_lines(Segment(number, number * ticks, ticks), track.timescale, 0))
    return gzip.compress("\n".join(lines).encode(), 6)


def measure() -> list[str]:
    lines = []
    with tempfile.TemporaryDirectory() as scratch:
        opened = {name: recorded(Path(scratch) / name, s) for name, s in WINDOWS_S.items()}
        for case, query in {"full": "", "delta": "_HLS_skip=YES"}.items():
            short, long = (rendering(opened[name], query) for name in WINDOWS_S)
            short(), long()
            a, b = harness.alternate(
                partial(harness.median_us, long, ROUND_S),
                partial(harness.median_us, short, ROUND_S),
            )
            lines.append(harness.line("playlist_render", f"24h_{case}", a, "us", "60s window", b))
        long = rendering(opened["24h"], "")
        anew = partial(forgetful, opened["24h"])
        a, b = harness.alternate(
            partial(harness.median_us, long, ROUND_S),
            partial(harness.median_us, anew, ROUND_S),
            1,
        )
        lines.append(harness.line("playlist_render", "24h_peer", a, "us", "all anew", b))
        for channels in opened.values():
            channels.close()
    return lines


if __name__ == "__main__":
    harness.main(__doc__, measure, harness.SERVER_CORE)
