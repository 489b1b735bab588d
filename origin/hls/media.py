"""HLS media playlists of fMP4 renditions, as pure functions (draft-pantos-hls-rfc8216bis-22).

Rule ids HLS-* are those of specs/hls.md, TR-* those of specs/tracks.md. A segment's lines depend on
the segment alone, so a sliding window only ever appends and removes whole blocks (HLS-3).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Literal

from origin.tracks import Segment

VERSION = 6  # HLS-20: EXT-X-MAP in a playlist that is not I-frames only
CONTENT_TYPE = "application/vnd.apple.mpegurl"


def target_duration_s(segments: Iterable[tuple[int, int]]) -> int:
    """EXT-X-TARGETDURATION for (duration, timescale) pairs of all renditions (HLS-1, TR-36)."""
    return max((half_up(Fraction(*pair)) for pair in segments), default=1) or 1


def media_playlist(
    segments: Sequence[Segment],
    *,
    timescale: int,
    target_duration_s: int,
    epoch_s: int | None = None,
    discontinuity_sequence: int = 0,
    playlist_type: Literal["VOD", "EVENT"] | None = None,
    end: bool = False,
) -> str:
    """One media playlist. `epoch_s` is the wall clock of media time 0; None writes no dates.

    The first segment's number is the media sequence, so numbers must be consecutive.
    """
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target_duration_s}",
        f"#EXT-X-MEDIA-SEQUENCE:{segments[0].number if segments else 0}",
    ]
    if discontinuity_sequence or any(s.discontinuity for s in segments):
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuity_sequence}")  # HLS-8, HLS-M9
    if playlist_type:
        lines.append(f"#EXT-X-PLAYLIST-TYPE:{playlist_type}")
    lines += ["#EXT-X-INDEPENDENT-SEGMENTS", '#EXT-X-MAP:URI="init.mp4"']
    lines += [segment_lines(s, timescale, epoch_s) for s in segments]
    if end:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def segment_lines(segment: Segment, timescale: int, epoch_s: int | None) -> str:
    """The block of one segment; EXTINF values telescope, so sums never drift (TR-35)."""
    lines = ["#EXT-X-DISCONTINUITY"] if segment.discontinuity else []
    if epoch_s is not None:
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{date_time(segment.start, timescale, epoch_s)}")
    if segment.gap:
        lines.append("#EXT-X-GAP")
    micros = half_up(Fraction(segment.end * 10**6, timescale))
    micros -= half_up(Fraction(segment.start * 10**6, timescale))
    lines.append(f"#EXTINF:{micros // 10**6}.{micros % 10**6:06d},")
    lines.append(f"{segment.number}.m4s")
    return "\n".join(lines)


def date_time(ticks: int, timescale: int, epoch_s: int) -> str:
    """Wall clock of a media time, ISO 8601 with milliseconds."""
    ms = half_up(Fraction(ticks * 1000, timescale))
    when = datetime.fromtimestamp(epoch_s, UTC) + timedelta(milliseconds=ms)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def half_up(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)
