"""AdaptationSets and Representations of CMAF renditions: what is said of them beside addresses.

Rule ids TR-* are those of specs/tracks.md, D* of specs/dash.md.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple
from zlib import crc32

from origin.dash.protection import content_protection
from origin.dash.text import element, tag
from origin.tracks import Kind, Rendition

ROLE = "urn:mpeg:dash:role:2011"
CICP = "urn:mpeg:mpegB:cicp:"
# TR-72: channel count -> the usual ChannelConfiguration index (ISO/IEC 23091-3)
CHANNEL_CONFIGURATION = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 11, 8: 12}
DOLBY_CHANNELS = "tag:dolby.com,2014:dash:audio_channel_configuration:2011"
COLOUR = {"PQ": 16, "HLG": 18}  # TR-73: transfer characteristics of HDR sets
SWITCHING = "urn:mpeg:dash:adaptation-set-switching:2016"
TRICK_MODE = "http://dashif.org/guidelines/trickmode"
JOC = "tag:dolby.com,2018:dash:EC3_ExtensionType:2018"
JOC_INDEX = "tag:dolby.com,2018:dash:EC3_ExtensionComplexityIndex:2018"
MP3 = ("mp4a.40.34", "mp4a.6B")  # HLS and DASH disagree (specs/tracks.md, section 5)
IDS = 10**6  # lasting AdaptationSet@id are below


class Form(NamedTuple):
    """What a kind of media looks like in an MPD."""

    content_type: str
    mime_type: str
    same: Callable[[Rendition], tuple[object, ...]]  # equal within a set


def _video(r: Rendition) -> tuple[object, ...]:
    return (r.timescale, r.video_range, r.switching_set, r.trick_of, *_key(r))


def _spoken(r: Rendition) -> tuple[object, ...]:
    return (r.timescale, r.language, r.channels, r.roles, r.label, r.switching_set, *_key(r))


def _key(r: Rendition) -> tuple[str, ...]:
    """PR-41: one set per key."""
    return (r.protected.role,) if r.protected else ()


FORMS: dict[Kind, Form] = {  # C5, D11
    "video": Form("video", "video/mp4", _video),
    "audio": Form("audio", "audio/mp4", _spoken),
    "text": Form("text", "application/mp4", _spoken),
}


Sets = list[tuple[int, list[Rendition]]]  # AdaptationSet@id and members, in document order


def adaptation_sets(renditions: Sequence[Rendition], *, lasting: bool = False) -> Sets:
    """Sets in order of first appearance; event tracks are none.

    `lasting` ids follow from what a set is, never from its place, so that a set has the same id in
    every Period (D3, DASH-M3); otherwise sets are counted from 1.
    """
    sets: dict[tuple[object, ...], list[Rendition]] = {}
    for r in renditions:
        if (form := FORMS.get(r.kind)) is not None:
            sets.setdefault((r.kind, r.codecs.split(".")[0], *form.same(r)), []).append(r)
    if not lasting:
        return list(enumerate(sets.values(), 1))
    taken: dict[int, list[Rendition]] = {}
    for key, members in sets.items():
        number = crc32(repr(key).encode()) % IDS
        while number in taken:
            number = (number + 1) % IDS
        taken[number] = members
    return list(taken.items())


def set_opening(
    number: int,
    members: Sequence[Rendition],
    sets: Sets,
    producer: str = "",
) -> str:
    """From the start tag to before the first child that addresses media (DASH-MPD.xsd's order)."""
    first = members[0]
    form = FORMS[first.kind]
    par = Fraction(first.width, first.height or 1) * first.sample_aspect
    video = first.kind == "video"
    rates = [r.frame_rate for r in members if r.frame_rate]
    text = tag(
        "AdaptationSet",
        [
            ("id", number),
            ("lang", first.language if not video or first.language != "und" else None),
            ("contentType", form.content_type),
            ("par", f"{par.numerator}:{par.denominator}" if video else None),
            ("maxWidth", max(r.width for r in members) if video else None),
            ("maxHeight", max(r.height for r in members) if video else None),
            ("maxFrameRate", max(rates) if rates else None),
            ("mimeType", form.mime_type),
            ("startWithSAP", max(r.sap for r in members)),
            ("segmentAlignment", "true"),
        ],
    )
    text += content_protection(first.protected)
    if first.trick_of:
        main = next((n for n, rs in sets if any(r.name == first.trick_of for r in rs)), None)
        text += _property("EssentialProperty", TRICK_MODE, main)
    if first.video_range in COLOUR:
        sdr = any(r.kind == "video" and r.video_range == "SDR" for _, rs in sets for r in rs)
        name = "EssentialProperty" if sdr else "SupplementalProperty"
        for kind, code in (("ColourPrimaries", 9), ("MatrixCoefficients", 9)):
            text += _property(name, CICP + kind, code)
        text += _property(name, CICP + "TransferCharacteristics", COLOUR[first.video_range])
    if switching := _switching(number, first, sets):
        text += _property("SupplementalProperty", SWITCHING, switching)
    if first.joc:
        text += _property("SupplementalProperty", JOC, "JOC")
        text += _property("SupplementalProperty", JOC_INDEX, first.joc)
    for scheme, value in sorted({pair for r in members for pair in r.inband}):
        text += tag(
            "InbandEventStream", [("schemeIdUri", scheme), ("value", value or None)], close=True
        )
    text += element("Label", [], first.label) if first.label else ""
    text += producer
    if "description" in first.roles:  # ETSI TS 101 154 audio purpose 1, as DASH-IF IOP names it
        text += _property("Accessibility", "urn:tva:metadata:cs:AudioPurposeCS:2007", 1)
    return text + "".join(_property("Role", ROLE, role) for role in first.roles)


def _switching(number: int, first: Rendition, sets: Sets) -> str:
    """Sets that differ only in their key, which a player may switch between (PR-41)."""
    if first.protected is None or first.kind != "video":
        return ""
    like = (first.codecs.split(".")[0], *_video(first)[:-1])
    return ",".join(
        str(n)
        for n, (r, *_) in sets
        if n != number
        and r.protected is not None
        and r.kind == "video"
        and (r.codecs.split(".")[0], *_video(r)[:-1]) == like
    )


def representation_opening(r: Rendition) -> str:
    """The start tag of a Representation and what describes its media."""
    video = r.kind == "video"
    codec, _, brand = r.supplemental.partition("/")
    sar = r.sample_aspect
    text = tag(
        "Representation",
        [
            ("id", r.name),
            ("codecs", MP3[1] if r.codecs == MP3[0] else r.codecs),
            ("bandwidth", max(r.bandwidth, 1)),
            ("width", r.width if video else None),
            ("height", r.height if video else None),
            ("sar", f"{sar.numerator}:{sar.denominator}" if video else None),
            ("frameRate", r.frame_rate if video and r.frame_rate else None),
            ("scanType", "interlaced" if r.interlaced else None),
            ("audioSamplingRate", r.sample_rate or None),
            ("maxPlayoutRate", 16 if r.trick_of else None),
            ("codingDependency", "false" if r.trick_of else None),
            ("scte214:supplementalCodecs", codec or None),
            ("scte214:supplementalProfiles", brand or None),
        ],
    )
    return text + (_channels(r) if r.kind == "audio" else "")


def _channels(r: Rendition) -> str:
    """TR-72; nothing for a layout that has no name."""
    name = "AudioChannelConfiguration"
    if r.dolby_mask:
        return _property(name, DOLBY_CHANNELS, f"{r.dolby_mask:04X}")
    index = r.channel_index or CHANNEL_CONFIGURATION.get(r.channels)
    return _property(name, CICP + "ChannelConfiguration", index) if index else ""


def _property(name: str, scheme: str, value: object) -> str:
    return tag(name, [("schemeIdUri", scheme), ("value", value)], close=True)
