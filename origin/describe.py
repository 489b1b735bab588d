"""From a track's header to the rendition that players are told about."""

from dataclasses import replace
from fractions import Fraction

from native.bmff.model import SampleEntry, Track
from native.cenc.avc import interlaced
from native.cenc.errors import SampleError
from origin.codecs import codec_string, dolby_vision, supplemental
from origin.errors import UnsupportedMedia
from origin.languages import tag
from origin.layouts import layout
from origin.tracks import VIDEO_RANGE, Kind, Rendition, VideoRange

HANDLERS: dict[str, Kind] = {  # TR-11, TM1
    "vide": "video",
    "soun": "audio",
    "text": "text",
    "sbtl": "text",
    "subt": "text",
    "meta": "event",
}
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
            interlaced=_interlaced(entry),
        )
    if kind == "audio":
        told = layout(track)
        return replace(
            rendition,
            channels=told.channels,
            joc=told.joc,
            channel_index=told.configuration,
            dolby_mask=told.mask,
            sample_rate=entry.sample_rate,
        )
    return rendition


def _interlaced(entry: SampleEntry) -> bool:
    """A record that cannot be read says nothing here; what needs its sets refuses it."""
    try:
        return entry.config_kind == "avcC" and interlaced(entry.config)
    except SampleError:
        return False


def video_range(entry: SampleEntry) -> VideoRange:
    """VIDEO-RANGE of the colour box; Dolby Vision without a base layer is PQ (TR-64, TR-66)."""
    dolby = dolby_vision(entry)
    if dolby is not None and entry.colour is None:
        return DOLBY_COMPATIBLE.get(dolby[2], "PQ")
    return VIDEO_RANGE.get(entry.colour.transfer, "SDR") if entry.colour else "SDR"
