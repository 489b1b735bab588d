"""The HLS multivariant playlist (draft-pantos-hls-rfc8216bis-22, 4.4.6), as a pure function.

What a listener chooses (language, role, label) is a member; how it is coded is a group. Every group
has every member (HLS-35): where a coding lacks one, the next best stands in, and its codec with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from origin.hls.forms import W3C_LEAVES
from origin.hls.groups import AudioGroup, Member, audio_groups, member, titles
from origin.hls.keys import ClearKey, output_rules, session_key_lines
from origin.hls.media import VERSION, half_up
from origin.tracks import Rendition

# TR-57: role -> CHARACTERISTICS; a forced subtitle is FORCED=YES instead
CHARACTERISTICS = {
    "description": "public.accessibility.describes-video",
    "caption": "public.accessibility.transcribes-spoken-dialog,"
    "public.accessibility.describes-music-and-sound",
    "easyreader": "public.easy-to-read",
}
FORCED = frozenset(["forced-subtitle", "forced_subtitle"])
IMAGES = "stpp.ttml.im1i"  # DASH only: HLS players read text alone (TR-87)
SIDECAR = "wvtt"  # offered as WebVTT files, which no CODECS names (TR-92)


@dataclass(frozen=True, slots=True)
class _Variant:
    """What one EXT-X-STREAM-INF plays together."""

    main: Rendition
    audio: AudioGroup | None
    text: Sequence[Rendition]


def multivariant(
    renditions: Sequence[Rendition], *, clearkey: ClearKey = "identity", session_keys: bool = True
) -> str:
    """The multivariant playlist: every video rung with every audio group and the subtitle group.

    A presentation without video lists its audio as variants. With ClearKey as browsers know it, the
    playlists are those that tell it so.
    """
    video = [r for r in renditions if r.kind == "video" and not r.trick_of]
    text = [r for r in renditions if r.kind == "text" and r.codecs != IMAGES]
    groups = audio_groups([r for r in renditions if r.kind == "audio"])
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}"]
    if all(r.sap == 1 for r in renditions):
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    lines += session_key_lines(renditions, clearkey) if session_keys else []
    if video:
        beside: list[AudioGroup | None] = [*groups] or [None]
        variants = [_Variant(r, group, text) for group in beside for r in video]
    elif any(len(group.members) > 1 for group in groups):
        variants = [_Variant(group.default, group, text) for group in groups]
    else:
        variants = [_Variant(group.default, None, text) for group in groups]
        groups = []
    for group in groups:
        lines += _media("AUDIO", group.name, group.members, group.default)
    lines += subtitle_lines(text)
    for variant in variants:
        lines += [_stream_inf(variant), f"{variant.main.name}/media.m3u8"]
    lines += [_iframe_stream_inf(r) for r in renditions if r.trick_of]
    playlist = "\n".join(lines) + "\n"
    for leaf in W3C_LEAVES if clearkey == "w3c" else ():
        playlist = playlist.replace(f"/{W3C_LEAVES[leaf]}", f"/{leaf}")
    return playlist


def subtitle_lines(text: Sequence[Rendition], leaf: str = "media.m3u8") -> list[str]:
    """EXT-X-MEDIA of the group "text"; playlists are called `leaf`."""
    return _media("SUBTITLES", "text", [(member(r), r) for r in text], _default_text(text), leaf)


def _default_text(text: Sequence[Rendition]) -> Rendition | None:
    return next((r for r in text if r.default and not FORCED & {*r.roles}), None)


def _media(
    kind: str,
    group: str,
    members: Sequence[tuple[Member, Rendition]],
    default: Rendition | None,
    leaf: str = "media.m3u8",
) -> list[str]:
    """EXT-X-MEDIA lines of a group: unique names, at most one default (HLS-M29)."""
    lines = []
    selectable: set[tuple[str, ...]] = set()
    for title, (_, r) in zip(titles([m for m, _ in members]), members, strict=True):
        forced = kind == "SUBTITLES" and bool(FORCED & {*r.roles})
        traits = ",".join(CHARACTERISTICS[role] for role in r.roles if role in CHARACTERISTICS)
        key = (r.language, traits, "forced" if forced else "")
        select = r is default or key not in selectable
        selectable.add(key)
        attributes = [f"TYPE={kind}", f'GROUP-ID="{group}"', f'NAME="{_quoted(title)}"']
        attributes += [f'LANGUAGE="{_quoted(r.language)}"'] if r.language != "und" else []
        attributes += ["DEFAULT=YES"] if r is default else []
        attributes += ["AUTOSELECT=YES"] if select or forced else []
        attributes += ["FORCED=YES"] if forced else []
        attributes += [f'CHARACTERISTICS="{traits}"'] if traits else []
        attributes += [f'CHANNELS="{channels(r)}"'] if kind == "AUDIO" and r.channels else []
        attributes.append(f'URI="{r.name}/{leaf}"')
        lines.append(f"#EXT-X-MEDIA:{','.join(attributes)}")
    return lines


def channels(r: Rendition) -> str:
    """CHANNELS (TR-65)."""
    return f"{r.joc}/JOC" if r.joc else str(r.channels)


def _stream_inf(variant: _Variant) -> str:
    r, text = variant.main, variant.text
    members = [] if variant.audio is None else [m for _, m in variant.audio.members]
    audio = [m for m in members if m is not r]
    peak = average = 0
    for together in ([r] if r.kind == "video" else [], members or [r] * (r.kind != "video"), text):
        peak += max((m.bandwidth for m in together), default=0)
        average += max((m.average_bandwidth for m in together), default=0)
    shown = [m.codecs for m in text if m.codecs != SIDECAR]
    codecs = dict.fromkeys([r.codecs, *(m.codecs for m in audio), *shown])
    attributes = [f"BANDWIDTH={max(peak, 1)}"]
    attributes += [f"AVERAGE-BANDWIDTH={min(average, peak)}"] if average else []
    attributes.append(f'CODECS="{",".join(codecs)}"')
    attributes += [f'SUPPLEMENTAL-CODECS="{r.supplemental}"'] if r.supplemental else []
    if r.kind == "video":
        attributes.append(_resolution(r))
        attributes += [f"FRAME-RATE={float(r.frame_rate):.3f}"] if r.frame_rate else []
        attributes.append(f"VIDEO-RANGE={r.video_range}")
    attributes += output_rules([r, *members])
    attributes += [f'AUDIO="{variant.audio.name}"'] if variant.audio is not None else []
    attributes += ['SUBTITLES="text"'] if text else []
    attributes += ["CLOSED-CAPTIONS=NONE"] if r.kind == "video" else []
    return f"#EXT-X-STREAM-INF:{','.join(attributes)}"


def _iframe_stream_inf(r: Rendition) -> str:
    """TR-94: video alone, with a bandwidth of its own."""
    attributes = [f"BANDWIDTH={max(r.bandwidth, 1)}"]
    attributes += [f"AVERAGE-BANDWIDTH={r.average_bandwidth}"] if r.average_bandwidth else []
    attributes += [f'CODECS="{r.codecs}"']
    attributes += [f'SUPPLEMENTAL-CODECS="{r.supplemental}"'] if r.supplemental else []
    attributes += [_resolution(r), f"VIDEO-RANGE={r.video_range}", *output_rules([r])]
    attributes.append(f'URI="{r.folder}/iframe.m3u8"')
    return f"#EXT-X-I-FRAME-STREAM-INF:{','.join(attributes)}"


def _resolution(r: Rendition) -> str:
    width, height = display_size(r)
    return f"RESOLUTION={width}x{height}"


def display_size(r: Rendition) -> tuple[int, int]:
    """Width and height after the sample aspect ratio, as shown (TR-53, TR-70)."""
    width = half_up(r.width * r.sample_aspect)
    return (r.height, width) if r.turned else (width, r.height)


def _quoted(text: str) -> str:
    """An attribute's quoted-string holds no quote and no line break (rfc8216bis section 4.2)."""
    return "".join("'" if c == '"' else c for c in text if c.isprintable())
