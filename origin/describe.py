"""From a track's header to the rendition that players are told about."""

from dataclasses import replace
from fractions import Fraction

from native.bmff.model import SampleEntry, Track
from origin.codecs import codec_string, dolby_vision, supplemental
from origin.errors import UnsupportedMedia
from origin.languages import tag
from origin.tracks import VIDEO_RANGE, Kind, Rendition, VideoRange

HANDLERS: dict[str, Kind] = {  # TR-11, TM1
    "vide": "video",
    "soun": "audio",
    "text": "text",
    "sbtl": "text",
    "subt": "text",
    "meta": "event",
}
# ISO/IEC 14496-3 table 1.19: channelConfiguration -> channels
AAC_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 14: 8}
# ETSI TS 102 366 table 4.3: acmod -> full-range channels
AC3_CHANNELS = (2, 1, 2, 3, 3, 4, 4, 5)
# ETSI TS 102 366 F.6.2.13: chan_loc of dependent substreams, low bit first -> channels
EC3_ADDED = (2, 2, 1, 1, 2, 2, 2, 1, 1)
ROLE_SCHEME = "urn:mpeg:dash:role:2011"
SWITCHING_SET = "urn:dashif:ingest:switchingset_id"  # I11
DOLBY_COMPATIBLE: dict[int, VideoRange] = {1: "PQ", 2: "SDR", 4: "HLG"}  # TR-66


def describe(name: str, track: Track, *, frame_rate: Fraction | None = None) -> Rendition:
    """The rendition of one track; bit rates are btrt's until they are measured (I11)."""
    kind = HANDLERS.get(track.handler)
    if kind is None:
        raise UnsupportedMedia(f"handler {track.handler!r} is no video, audio, text or metadata")
    entry = track.entry
    if (kind == "event") != (entry.fourcc in ("urim", "evte")):
        raise UnsupportedMedia(f"a {entry.fourcc!r} entry behind handler {track.handler!r}")
    roles = tuple(dict.fromkeys(k.value for k in track.kinds if k.scheme == ROLE_SCHEME))
    rendition = Rendition(
        name,
        kind,
        codec_string(entry),
        track.timescale,
        tag(track.language),
        bandwidth=entry.max_bitrate,
        average_bandwidth=entry.avg_bitrate,
        roles=roles or ("main",),
        switching_set=next((k.value for k in track.kinds if k.scheme == SWITCHING_SET), ""),
    )
    if kind == "video":
        return replace(
            rendition,
            width=entry.width,
            height=entry.height,
            sample_aspect=Fraction(*entry.pixel_aspect) if all(entry.pixel_aspect) else Fraction(1),
            turned=track.turned,
            frame_rate=frame_rate,
            video_range=video_range(entry),
            supplemental=supplemental(entry),
        )
    if kind == "audio":
        count, joc = channels(track)
        return replace(rendition, channels=count, joc=joc, sample_rate=entry.sample_rate)
    return rendition


def video_range(entry: SampleEntry) -> VideoRange:
    """VIDEO-RANGE of the colour box; Dolby Vision without a base layer is PQ (TR-64, TR-66)."""
    dolby = dolby_vision(entry)
    if dolby is not None and entry.colour is None:
        return DOLBY_COMPATIBLE.get(dolby[2], "PQ")
    return VIDEO_RANGE.get(entry.colour.transfer, "SDR") if entry.colour else "SDR"


def channels(track: Track) -> tuple[int, int]:
    """Channel count of the codec's own record, never the sample entry's (TR-55), and the complexity
    index of joint object coding, 0 without it (TR-65).
    """
    entry = track.entry
    if entry.fourcc == "mp4a" and len(entry.setup) >= 2:
        bits = int.from_bytes(entry.setup[:8].ljust(8, b"\0"), "big")
        at = 5 if bits >> 59 != 31 else 11
        at += 4 if bits >> (60 - at) & 15 != 15 else 28
        return AAC_CHANNELS.get(bits >> (60 - at) & 15, entry.channels), 0
    if entry.fourcc == "Opus" and len(entry.config) > 1:
        return entry.config[1], 0
    if entry.fourcc == "ac-3" and len(entry.config) >= 3:
        word = int.from_bytes(entry.config[:3], "big")
        return AC3_CHANNELS[word >> 11 & 7] + (word >> 10 & 1), 0
    if entry.fourcc == "ec-3" and len(entry.config) >= 5:
        return _ec3(entry.config)
    return entry.channels, 0


def _ec3(config: bytes) -> tuple[int, int]:
    """dec3 (ETSI TS 102 366, F.6): the first independent substream with what depends on it."""
    word = int.from_bytes(config[2:5], "big")
    count = AC3_CHANNELS[word >> 9 & 7] + (word >> 8 & 1)
    at = 5
    for substream in range((config[1] & 7) + 1):
        head = int.from_bytes(config[at - 1 : at + 1].ljust(2, b"\0"), "big")
        if head >> 9 & 15:  # num_dep_sub
            if substream == 0:
                count += sum(n for bit, n in enumerate(EC3_ADDED) if head >> bit & 1)
            at += 1
        at += 3
    extension = config[at - 3 : at - 1]
    return count, extension[1] if len(extension) == 2 and extension[0] & 1 else 0
