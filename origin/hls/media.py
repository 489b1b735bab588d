"""HLS media playlists of fMP4 renditions, as pure functions (draft-pantos-hls-rfc8216bis-22).

Rule ids HLS-* are those of specs/hls.md, TR-* those of specs/tracks.md. A segment's lines depend on
the segment alone, so a sliding window only ever appends and removes whole blocks (HLS-3).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Literal

from origin.hls.forms import MEDIA, Form
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
    form: Form = MEDIA,
    dated: Sequence[str] = (),
    keys: Sequence[str] = (),
) -> str:
    """One media playlist. `epoch_s` is the wall clock of media time 0; None writes no dates.
    `dated` are whole lines, of date ranges, in front of the segments; `keys` the line of each
    segment's own key, for all or for none.

    The first segment's number is the media sequence, so numbers must be consecutive.
    """
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{form.version}",
        f"#EXT-X-TARGETDURATION:{target_duration_s}",
        f"#EXT-X-MEDIA-SEQUENCE:{segments[0].number if segments else 0}",
    ]
    if discontinuity_sequence or any(s.discontinuity for s in segments):
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuity_sequence}")  # HLS-8, HLS-M9
    if playlist_type:
        lines.append(f"#EXT-X-PLAYLIST-TYPE:{playlist_type}")
    lines += ["#EXT-X-INDEPENDENT-SEGMENTS"] if form.independent else []
    lines += [*form.head, *dated]
    blocks = [segment_lines(s, timescale, epoch_s, form.suffix) for s in segments]
    lines += [line for pair in zip(keys, blocks, strict=True) for line in pair] if keys else blocks
    if end:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def segment_lines(
    segment: Segment, timescale: int, epoch_s: int | None, suffix: str = ".m4s"
) -> str:
    """The block of one segment; durations telescope, so sums never drift (TR-35)."""
    lines = opening_lines(segment, timescale, epoch_s, suffix)
    if segment.gap:
        lines.append("#EXT-X-GAP")
    lines.append(f"#EXTINF:{_length(segment.start, segment.end, timescale)},")
    lines.append(f"{segment.number}{suffix}")
    return "\n".join(lines)


def opening_lines(
    segment: Segment, timescale: int, epoch_s: int | None, suffix: str = ".m4s"
) -> list[str]:
    """What is known of a segment before it is whole: where it begins, and its parts (HLS-16)."""
    lines = ["#EXT-X-DISCONTINUITY"] if segment.discontinuity else []
    if epoch_s is not None:
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{date_time(segment.start, timescale, epoch_s)}")
    for index, part in enumerate(segment.parts):
        length = _length(part.start, part.start + part.duration, timescale)
        line = f'#EXT-X-PART:DURATION={length},URI="{part_name(segment.number, index, suffix)}"'
        line += ",INDEPENDENT=YES" if part.independent else ""
        lines.append(line + (",GAP=YES" if part.gap else ""))
    return lines


def part_name(number: int, index: int, suffix: str = ".m4s") -> str:
    """The URI of a part, which its preload hint names before (HLS-31)."""
    return f"{number}.{index}{suffix}"


def date_time(ticks: int, timescale: int, epoch_s: int) -> str:
    """Wall clock of a media time, ISO 8601 with milliseconds."""
    second, ms = divmod(_scaled(ticks, timescale, 1000), 1000)
    when = datetime.fromtimestamp(epoch_s + second, UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


def half_up(value: Fraction) -> int:
    return _scaled(value.numerator, value.denominator, 1)


def _length(start: int, end: int, timescale: int) -> str:
    micros = _scaled(end, timescale, 10**6) - _scaled(start, timescale, 10**6)
    return f"{micros // 10**6}.{micros % 10**6:06d}"


def _scaled(ticks: int, timescale: int, unit: int) -> int:
    """Ticks in units of a second, rounded half up."""
    return (2 * ticks * unit + timescale) // (2 * timescale)
