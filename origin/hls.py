"""HLS playlists of fMP4 renditions, as pure functions (draft-pantos-hls-rfc8216bis-22).

Rule ids HLS-* are those of specs/hls.md, TR-* those of specs/tracks.md. A segment's lines depend on
the segment alone, so a sliding window only ever appends and removes whole blocks (HLS-3).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Literal

from origin.tracks import Rendition, Segment

VERSION = 6  # HLS-20: EXT-X-MAP in a playlist that is not I-frames only
CONTENT_TYPE = "application/vnd.apple.mpegurl"


def target_duration_s(segments: Iterable[tuple[int, int]]) -> int:
    """EXT-X-TARGETDURATION for (duration, timescale) pairs of all renditions (HLS-1, TR-36)."""
    return max((_half_up(Fraction(*pair)) for pair in segments), default=1) or 1


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
    micros = _half_up(Fraction(segment.end * 10**6, timescale))
    micros -= _half_up(Fraction(segment.start * 10**6, timescale))
    lines.append(f"#EXTINF:{micros // 10**6}.{micros % 10**6:06d},")
    lines.append(f"{segment.number}.m4s")
    return "\n".join(lines)


def date_time(ticks: int, timescale: int, epoch_s: int) -> str:
    """Wall clock of a media time, ISO 8601 with milliseconds."""
    ms = _half_up(Fraction(ticks * 1000, timescale))
    when = datetime.fromtimestamp(epoch_s, UTC) + timedelta(milliseconds=ms)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def multivariant(renditions: Sequence[Rendition]) -> str:
    """The multivariant playlist: every video rung with one audio and one subtitle group.

    Audio codecs of one kind share a group, so CODECS stays true per variant (TR-63, HLS-35); a
    presentation without video lists its audio renditions as variants.
    """
    video = [r for r in renditions if r.kind == "video"]
    audio = [r for r in renditions if r.kind == "audio"]
    text = [r for r in renditions if r.kind == "text"]
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if not video:
        for r in audio:
            lines += [_stream_inf([r], [], text, ""), f"{r.name}/media.m3u8"]
        return "\n".join(lines + _text_media(text)) + "\n"
    groups: dict[str, list[Rendition]] = {}
    for r in audio:
        groups.setdefault(f"audio-{r.codecs.lower()}", []).append(r)
    for group, members in groups.items():
        lines += _media("AUDIO", group, members)
    lines += _text_media(text)
    for group, members in groups.items() or [("", [])]:
        for r in video:
            lines += [_stream_inf([r], members, text, group), f"{r.name}/media.m3u8"]
    return "\n".join(lines) + "\n"


def _text_media(text: Sequence[Rendition]) -> list[str]:
    return _media("SUBTITLES", "text", text)


def _media(kind: str, group: str, members: Sequence[Rendition]) -> list[str]:
    """EXT-X-MEDIA lines of a group: unique names, at most one default (HLS-M29)."""
    lines = []
    taken: set[str] = set()
    default = next((r for r in members if r.default), members[0] if kind == "AUDIO" else None)
    languages: set[tuple[str, ...]] = set()
    for r in members:
        title = r.label or r.language
        title = title if title not in taken else f"{title} ({r.name})"
        taken.add(title)
        key = (r.language, *r.roles)
        select = r is default or key not in languages
        languages.add(key)
        attributes = [f"TYPE={kind}", f'GROUP-ID="{group}"', f'NAME="{_quoted(title)}"']
        attributes += [f'LANGUAGE="{_quoted(r.language)}"'] if r.language != "und" else []
        attributes += ["DEFAULT=YES"] if r is default else []
        attributes += ["AUTOSELECT=YES"] if select else []
        attributes += [f'CHANNELS="{r.channels}"'] if kind == "AUDIO" and r.channels else []
        attributes.append(f'URI="{r.name}/media.m3u8"')
        lines.append(f"#EXT-X-MEDIA:{','.join(attributes)}")
    return lines


def _stream_inf(
    main: Sequence[Rendition], audio: Sequence[Rendition], text: Sequence[Rendition], group: str
) -> str:
    peak = sum(r.bandwidth for r in main) + max((r.bandwidth for r in audio), default=0)
    average = sum(r.average_bandwidth for r in main)
    average += max((r.average_bandwidth for r in audio), default=0)
    codecs = dict.fromkeys(r.codecs for r in (*main, *audio, *text))
    attributes = [f"BANDWIDTH={max(peak, 1)}"]
    attributes += [f"AVERAGE-BANDWIDTH={min(average, peak)}"] if average else []
    attributes.append(f'CODECS="{",".join(codecs)}"')
    r = main[0]
    if r.kind == "video":
        width, height = display_size(r)
        attributes.append(f"RESOLUTION={width}x{height}")
        attributes += [f"FRAME-RATE={float(r.frame_rate):.3f}"] if r.frame_rate else []
        attributes.append(f"VIDEO-RANGE={r.video_range}")
    attributes += [f'AUDIO="{group}"'] if audio else []
    attributes += ['SUBTITLES="text"'] if text else []
    attributes += ["CLOSED-CAPTIONS=NONE"] if r.kind == "video" else []
    return f"#EXT-X-STREAM-INF:{','.join(attributes)}"


def display_size(r: Rendition) -> tuple[int, int]:
    """Width and height after the sample aspect ratio (TR-70)."""
    return (_half_up(r.width * r.sample_aspect), r.height)


def _half_up(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def _quoted(text: str) -> str:
    """An attribute's quoted-string holds no quote and no line break (rfc8216bis section 4.2)."""
    return "".join("'" if c == '"' else c for c in text if c.isprintable())
