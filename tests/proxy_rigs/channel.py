"""A live channel and titles whose pictures have one colour each, so that a pixel tells what plays.

Media are made once by ffmpeg, in segments of a second and two rungs; playlists and MPDs say, by the
wall clock, that the film began a while ago.
"""

import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import imageio_ffmpeg

from native.http import Answer, Entity, Refusal, Request

RATE, TICKS = 10, 10_240
RUNGS = ((160, 90, 100_000), (320, 180, 300_000))
COLOURS = {"live/c": ("green", "white"), "vod/b": ("red", "red"), "vod/s": ("blue", "blue")}
WINDOW_S, BUMPER_S, SLATE_S = 60, 3, 4
CODECS = "avc1.42c00d"
TYPES = {"m3u8": "application/vnd.apple.mpegurl", "mpd": "application/dash+xml"}


def films(folder: Path, live_s: int) -> None:
    """`{title}/v{rung}/init.mp4` and `{number}.m4s`, numbers from 1."""
    for title, length_s in (("live/c", live_s), ("vod/b", BUMPER_S), ("vod/s", SLATE_S)):
        argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y"]
        out: list[str] = []
        for rung, ((width, height, _), colour) in enumerate(
            zip(RUNGS, COLOURS[title], strict=True)
        ):
            (folder / title / f"v{rung}").mkdir(parents=True)
            picture = f"color=c={colour}:size={width}x{height}:rate={RATE}:duration={length_s}"
            argv += ["-f", "lavfi", "-i", picture]
            out += ["-map", f"{rung}:v"]
        out += ["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "baseline"]
        out += ["-pix_fmt", "yuv420p", "-g", str(RATE), "-sc_threshold", "0", "-threads", "1"]
        out += ["-seg_duration", "1", "-use_template", "1", "-use_timeline", "0", "-f", "dash"]
        out += ["-init_seg_name", "v$RepresentationID$/init.mp4"]
        out += ["-media_seg_name", "v$RepresentationID$/$Number$.m4s"]
        subprocess.run(
            [*argv, *out, str(folder / title / "x.mpd")], check=True, stdin=subprocess.DEVNULL
        )


class Channel:
    """What an origin says of the films; `silent` from a time on when its encoder is to be dead.
    It comes back with what it missed, or without the numbers that are `lost`.
    """

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self.silent_s: float | None = None
        self.lost = range(0)

    @property
    def last(self) -> int:
        """The number of the newest segment."""
        now_s = time.time() if self.silent_s is None else self.silent_s
        return int(now_s - self.began_s)

    def __call__(self, request: Request) -> Answer:
        title, _, leaf = request.path.lstrip("/").rpartition("/")
        rung = title.rpartition("/v")[2]
        if leaf == "master.m3u8" and title in COLOURS:
            body = self._master()
        elif leaf == "manifest.mpd" and title in COLOURS:
            body = self._mpd() if title.startswith("live") else self._title_mpd(title)
        elif leaf == "media.m3u8" and rung in ("0", "1"):
            body = self._media() if title.startswith("live") else self._title_media(title)
        else:
            return Refusal(404, "not_found")
        kind = TYPES[leaf.rpartition(".")[2]]
        return Entity(body.encode(), content_type=kind, cache_control="max-age=0")

    def _master(self) -> str:
        lines = ["#EXTM3U", "#EXT-X-INDEPENDENT-SEGMENTS"]
        for rung, (width, height, bandwidth) in enumerate(RUNGS):
            told = f'RESOLUTION={width}x{height},CODECS="{CODECS}"'
            lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},{told}", f"v{rung}/media.m3u8"]
        return "\n".join(lines) + "\n"

    def _media(self) -> str:
        first = max(1, self.last - WINDOW_S + 1)
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:1"]
        lines += [f"#EXT-X-MEDIA-SEQUENCE:{first}", '#EXT-X-MAP:URI="init.mp4"']
        for number in range(first, self.last + 1):
            clock = f"#EXT-X-PROGRAM-DATE-TIME:{_iso(self.began_s + number - 1)}"
            gap = ["#EXT-X-GAP"] if number in self.lost else []
            lines += [clock, *gap, "#EXTINF:1,", f"{number}.m4s"]
        return "\n".join(lines) + "\n"

    def _title_media(self, title: str) -> str:
        count = BUMPER_S if "vod/b" in title else SLATE_S
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:1"]
        lines.append('#EXT-X-MAP:URI="init.mp4"')
        for number in range(1, count + 1):
            lines += ["#EXTINF:1,", f"{number}.m4s"]
        return "\n".join([*lines, "#EXT-X-ENDLIST", ""])

    def _mpd(self) -> str:
        first = max(1, self.last - WINDOW_S + 1)
        behind = self.lost.stop or first
        periods = _period('id="p" start="PT0S"', first, (self.lost.start or self.last + 1) - first)
        if self.lost and self.last >= behind:
            offset = behind - 1
            attributes = f'id="q" start="PT{offset}S"'
            periods += _period(attributes, behind, self.last + 1 - behind, offset)
        head = (
            f'id="c" type="dynamic" availabilityStartTime="{_iso(self.began_s)}"'
            f' publishTime="{_iso(self.began_s + self.last)}" minimumUpdatePeriod="PT1S"'
            f' timeShiftBufferDepth="PT{WINDOW_S}S" suggestedPresentationDelay="PT5S"'
        )
        return _document(head, periods)

    def _title_mpd(self, title: str) -> str:
        length_s = BUMPER_S if "vod/b" in title else SLATE_S
        head = f'type="static" mediaPresentationDuration="PT{length_s}S"'
        return _document(head, _period('id="p"', 1, length_s))


def _document(head: str, periods: str) -> str:
    return (
        f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" minBufferTime="PT1S" {head}'
        f' profiles="urn:mpeg:dash:profile:isoff-live:2011">{periods}'
        '<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time"/></MPD>'
    )


def _period(attributes: str, first: int, count: int, begin_s: int = 0) -> str:
    """So many segments from the number on, in a Period that begins there on the film's timeline."""
    rungs = "".join(
        f'<Representation id="{rung}" bandwidth="{bandwidth}" width="{width}" height="{height}"'
        f' codecs="{CODECS}"/>'
        for rung, (width, height, bandwidth) in enumerate(RUNGS)
    )
    runs = f'<S t="{(first - 1) * TICKS}" d="{TICKS}" r="{count - 1}"/>'
    return (
        f"<Period {attributes}>"
        '<AdaptationSet id="1" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">'
        f'<SegmentTemplate timescale="{TICKS}" startNumber="{first}"'
        f' presentationTimeOffset="{begin_s * TICKS}"'
        ' initialization="v$RepresentationID$/init.mp4" media="v$RepresentationID$/$Number$.m4s">'
        f"<SegmentTimeline>{runs}</SegmentTimeline></SegmentTemplate>{rungs}</AdaptationSet>"
        "</Period>"
    )


def _iso(epoch_s: float) -> str:
    text = datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
