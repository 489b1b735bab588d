"""The HLS multivariant playlist (draft-pantos-hls-rfc8216bis-22, 4.4.6), as a pure function."""

from collections.abc import Sequence

from origin.hls.media import VERSION, half_up
from origin.tracks import Rendition


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
    return (half_up(r.width * r.sample_aspect), r.height)


def _quoted(text: str) -> str:
    """An attribute's quoted-string holds no quote and no line break (rfc8216bis section 4.2)."""
    return "".join("'" if c == '"' else c for c in text if c.isprintable())
