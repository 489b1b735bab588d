"""From a track's header to the rendition that players are told about."""

from dataclasses import replace
from fractions import Fraction

from native.bmff.model import Track
from origin.codecs import codec_string
from origin.errors import UnsupportedMedia
from origin.tracks import VIDEO_RANGE, Kind, Rendition

HANDLERS: dict[str, Kind] = {  # TR-11
    "vide": "video",
    "soun": "audio",
    "text": "text",
    "sbtl": "text",
    "subt": "text",
}
# ISO/IEC 14496-3 table 1.19: channelConfiguration -> channels
AAC_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 14: 8}
# ETSI TS 102 366 table 4.3: acmod -> full-range channels
AC3_CHANNELS = (2, 1, 2, 3, 3, 4, 4, 5)
ROLE_SCHEME = "urn:mpeg:dash:role:2011"


def describe(name: str, track: Track, *, frame_rate: Fraction | None = None) -> Rendition:
    """The rendition of one track; bit rates are measured later."""
    kind = HANDLERS.get(track.handler)
    if kind is None:
        raise UnsupportedMedia(f"handler {track.handler!r} is neither video, audio nor text")
    entry = track.entry
    roles = tuple(k.value for k in track.kinds if k.scheme == ROLE_SCHEME) or ("main",)
    rendition = Rendition(
        name, kind, codec_string(entry), track.timescale, track.language, roles=roles
    )
    if kind == "video":
        return replace(
            rendition,
            width=entry.width,
            height=entry.height,
            sample_aspect=Fraction(*entry.pixel_aspect) if all(entry.pixel_aspect) else Fraction(1),
            frame_rate=frame_rate,
            video_range=VIDEO_RANGE.get(entry.colour.transfer, "SDR") if entry.colour else "SDR",
        )
    if kind == "audio":
        return replace(rendition, channels=channels(track), sample_rate=entry.sample_rate)
    return rendition


def channels(track: Track) -> int:
    """The channel count of the codec's own record, never the sample entry's (TR-55)."""
    entry = track.entry
    if entry.fourcc == "mp4a" and len(entry.setup) >= 2:
        bits = int.from_bytes(entry.setup[:8].ljust(8, b"\0"), "big")
        at = 5 if bits >> 59 != 31 else 11
        at += 4 if bits >> (60 - at) & 15 != 15 else 28
        return AAC_CHANNELS.get(bits >> (60 - at) & 15, entry.channels)
    if entry.fourcc == "Opus" and len(entry.config) > 1:
        return entry.config[1]
    if entry.fourcc == "ac-3" and len(entry.config) >= 3:
        word = int.from_bytes(entry.config[:3], "big")
        return AC3_CHANNELS[word >> 11 & 7] + (word >> 10 & 1)
    if entry.fourcc == "ec-3" and len(entry.config) >= 5:
        word = int.from_bytes(entry.config[2:5], "big")
        return AC3_CHANNELS[word >> 9 & 7] + (word >> 8 & 1)
    return entry.channels
