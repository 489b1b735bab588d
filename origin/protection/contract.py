"""Which keys a content id has, by SPEKE v2's presets (AWS SPEKE v2 contract; PR-40, PR-104)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from origin.protection.errors import ProtectionError
from origin.protection.keys import AUDIO_ROLE, VIDEO_ROLES
from origin.systems import AudioPreset, VideoPreset
from origin.tracks import Rendition

SD, HD1, HD, UHD1 = 589_824, 921_600, 2_073_600, 8_847_360  # encoded pixels, inclusive


class Span(NamedTuple):
    """One intendedTrackType and the most pixels or channels it takes; None for any number."""

    track_type: str
    most: int | None


# PR-104; "+" joins types that have one key and a filter each
VIDEO: Mapping[VideoPreset, tuple[Span, ...]] = {
    "V1": (Span("VIDEO", None),),
    "V2": (Span("SD", SD), Span("HD", None)),
    "V3": (Span("SD", SD), Span("HD", HD), Span("UHD", None)),
    "V4": (Span("SD", SD), Span("HD", HD), Span("UHD1", UHD1), Span("UHD2", None)),
    "V5": (
        Span("SD", SD), Span("HD1", HD1), Span("HD2", HD), Span("UHD1", UHD1), Span("UHD2", None),
    ),
    "V6": (Span("SD", SD), Span("HD1", HD1), Span("HD2", HD), Span("UHD", None)),
    "V7": (Span("SD+HD1", HD1), Span("HD2", HD), Span("UHD", None)),
    "V8": (Span("SD+HD1", HD1), Span("HD2", HD), Span("UHD1", UHD1), Span("UHD2", None)),
}  # fmt: skip
AUDIO: Mapping[AudioPreset, tuple[Span, ...]] = {
    "A1": (Span("AUDIO", None),),
    "A2": (Span("STEREO_AUDIO", 2), Span("MULTICHANNEL_AUDIO", None)),
    "A3": (
        Span("STEREO_AUDIO", 2), Span("MULTICHANNEL_AUDIO_3_6", 6),
        Span("MULTICHANNEL_AUDIO_7", None),
    ),
}  # fmt: skip
LIMITS = {"SD": SD, "HD1": HD1}  # of the parts of a joined type
SHARED_TYPE = "ALL"


class Filter(NamedTuple):
    """A VideoFilter or AudioFilter; bounds are inclusive, None for none."""

    element: Literal["VideoFilter", "AudioFilter"]
    least: int | None
    most: int | None


class Rule(NamedTuple):
    """One key of a contract."""

    track_type: str
    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Contract:
    """The presets of pictures and sound. ProtectionError `bad_scheme` for a pair that SPEKE does
    not know.
    """

    video: VideoPreset = "V3"
    audio: AudioPreset = "A1"

    def __post_init__(self) -> None:
        pair = {self.video, self.audio}
        if "SHARED" in pair and len(pair) > 1:
            raise ProtectionError("bad_scheme", "SHARED is for pictures and sound alike (PR-104)")
        if pair == {"UNENCRYPTED"}:
            raise ProtectionError("bad_scheme", "UNENCRYPTED is not for both (PR-104)")

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The keys that are asked for, pictures first."""
        if self.video == "SHARED":
            bare = Filter("VideoFilter", None, None), Filter("AudioFilter", None, None)
            return (Rule(SHARED_TYPE, bare),)
        return (
            *_rules("VideoFilter", VIDEO.get(self.video, ())),
            *_rules("AudioFilter", AUDIO.get(self.audio, ())),
        )

    @property
    def roles(self) -> dict[str, Rule]:
        """The rules by the roles of their keys."""
        return {rule.track_type.lower(): rule for rule in self.rules}

    def of_role(self, role: str) -> str:
        """The intendedTrackType of one of our own roles (PR-40), by the most that it takes; "" for
        none.
        """
        if self.video == "SHARED":
            return SHARED_TYPE
        if role == AUDIO_ROLE:
            return next((t for t, most in AUDIO.get(self.audio, ()) if most in (None, 2)), "")
        size = dict((name, most) for most, name in VIDEO_ROLES).get(role)
        spans = VIDEO.get(self.video, ())
        return next((t for t, most in spans if most is None or (size and size <= most)), "")

    def role(self, r: Rendition) -> str:
        """The role of a rendition's key; with V3 and A1, or SHARED, that of keys.py."""
        return self.track_type(r).lower()

    def track_type(self, r: Rendition) -> str:
        """The intendedTrackType of a rendition; "" for what stays clear."""
        if r.kind not in ("video", "audio"):
            return ""
        if self.video == "SHARED":
            return SHARED_TYPE
        if r.kind == "audio":
            spans, size = AUDIO.get(self.audio, ()), r.channels
        else:
            spans, size = VIDEO.get(self.video, ()), r.width * r.height
        return next((t for t, most in spans if most is None or size <= most), "")


def contract_with(roles: Collection[str]) -> Contract:
    """The first contract that knows most of these roles, ours before others."""
    pairs = [Contract(v, a) for v in VIDEO for a in AUDIO]
    known = [Contract(), Contract("SHARED", "SHARED"), *pairs]
    return max(known, key=lambda contract: len(contract.roles.keys() & set(roles)))


def _rules(element: Literal["VideoFilter", "AudioFilter"], spans: tuple[Span, ...]) -> list[Rule]:
    rules, above = [], None
    for track_type, most in spans:
        filters = []
        for part in track_type.split("+"):
            limit = most if part == track_type.split("+")[-1] else LIMITS[part]
            filters.append(Filter(element, above, limit))
            above = None if limit is None else limit + 1
        rules.append(Rule(track_type, tuple(filters)))
    return rules
