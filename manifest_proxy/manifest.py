"""Both formats behind one door: bytes of the origin in, a compiled manifest out."""

from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from native.hls import Playlist, PlaylistError
from native.holes import Template
from native.mpd import SpanError

from .chaos import spoiled_hls, spoiled_mpd
from .errors import ManifestError
from .hls_delta import delta
from .hls_edit import compile_hls
from .hls_join import Joints
from .hls_slate import loop_of, told, unhurried, with_slate
from .hls_splice import filler, with_bumper
from .hls_stages import staged
from .hls_watermark import SIGN, choosing, is_media
from .holes import TOKEN_MARK, holed, shown
from .mpd import Document
from .mpd_data import with_session_data_mpd
from .mpd_defaults import with_defaults_mpd
from .mpd_edit import compile_mpd
from .mpd_filter import filtered_mpd
from .mpd_join import with_join_mpd
from .mpd_patch import compile_patch
from .mpd_patches import with_patches
from .mpd_slate import told_mpd, with_slate_mpd
from .mpd_splice import length_of, with_bumper_mpd
from .mpd_trim import windowed_mpd
from .mpd_watermark import choosing_mpd
from .outages import Shown, Told
from .policy import Policy
from .rulebook import Chaos, Ruleset, Watermark
from .urls import Origin, Url


class Format(StrEnum):
    HLS = "hls"
    DASH = "dash"
    PATCH = "patch"  # of an MPD


class Spot(NamedTuple):
    """A clip as it was fetched; of another rendition when `is_reference`. `joined_ms` is where it
    stands in something live: before the media of that clock; `shown` where it stands in for some.
    """

    body: bytes
    url: Url
    is_reference: bool = False
    joined_ms: int = 0
    shown: Shown | None = None

    @property
    def folder(self) -> bytes:
        """Where the references of a clip's MPD resolve."""
        return self.url.path[: self.url.path.rfind(b"/") + 1]

    def led(self, reference: bytes) -> bytes:
        """A reference of the clip as one that means the same anywhere at the origin."""
        there = self.url.join(reference)
        return reference if there is None or there.root != self.url.root else there.path_and_rest()


MAX_JOINTS = 64  # versions of playlists with their clips
SUFFIXES = {".m3u8": Format.HLS, ".mpd": Format.DASH, ".mpp": Format.PATCH}
CONTENT_TYPES = {
    Format.HLS: "application/vnd.apple.mpegurl",  # RFC 8216 section 10
    Format.DASH: "application/dash+xml",  # ISO/IEC 23009-1 annex C
    Format.PATCH: "application/dash-patch+xml",  # ISO/IEC 23009-1 annex C
}


def format_of(path: str) -> Format | None:
    """The format that a path's last suffix names, or None when it is no manifest."""
    return SUFFIXES.get(path[path.rfind(".") :])


def told_by(kind: Format, data: bytes, clip: bytes | None) -> tuple[Told | None, int]:
    """What a live manifest tells of its source, and how many segments of the clip repeat: none
    where it does not fit.
    """
    if kind is Format.DASH:
        return told_mpd(data), int(clip is not None and length_of(Document(clip)) is not None)
    facts = told(data)
    return facts, loop_of(clip, facts.period_ms) if facts and clip is not None else 0


def compile_manifest(
    kind: Format,
    data: bytes,
    url: Url,
    origin: Origin,
    policy: Policy | None,
    rules: Ruleset | None = None,
    bumper: Spot | None = None,
    pattern: bytes = b"",
    slate: Spot | None = None,
    *,
    skips: bool = False,
) -> Template:
    """Compile for a cohort; without policy and rules the bytes are checked and stay as they are.
    `pattern` holds the bits of a viewer's watermarks, where there are any: the template chooses by
    them. `slate` is what stands in for a source that is silent;
    `skips` asks for a delta.
    """
    marks = rules.watermark if pattern and rules is not None else None
    chaos = rules.chaos if rules is not None and policy is not None and policy.chaos_url else ()
    try:
        if kind is Format.HLS:  # while numbers are the origin's
            data = _placed_hls(data, url, origin, policy, marks, chaos)
        if slate is not None:
            data = _silenced(kind, data, slate)
        if bumper is not None:
            data = _spliced(kind, data, bumper)
        if rules is not None:
            data = STAGES[kind](data, rules)
        if kind is Format.DASH:
            clips = frozenset(one.folder.decode() for one in (bumper, slate) if one is not None)
            data = _placed_mpd(data, url, origin, policy, marks, chaos, clips)
        if skips and kind is Format.HLS and is_media(data):
            data = delta(data)
        if policy is None:
            return _checked(kind, data)
        if kind is Format.DASH and rules is not None and rules.patched:
            data, policy = with_patches(data, url, policy, rules.digest)
        template = COMPILERS[kind](data, url, origin, policy)
        if (chaos or marks is not None) and TOKEN_MARK in data:
            template = holed(shown(template))
        return template if marks is None else template.choosing(SIGN)
    except (PlaylistError, SpanError) as error:
        raise ManifestError(error.code, error.detail) from None


def joined_at(data: bytes, bumper: Spot, slate: Spot | None) -> int:
    """The time that stands for the place in a media playlist where a viewer joined: one for all
    who joined at a segment, or before the window.
    """
    try:
        if slate is not None:
            data = _silenced(Format.HLS, data, slate)
        return _joints(data, bumper._replace(joined_ms=0)).time_of(bumper.joined_ms)
    except PlaylistError as error:
        raise ManifestError(error.code, error.detail) from None


def _placed_hls(
    data: bytes,
    url: Url,
    origin: Origin,
    policy: Policy | None,
    marks: Watermark | None,
    chaos: Sequence[Chaos],
) -> bytes:
    """A playlist with what gives single segments places of their own: watermarks and faults."""
    if marks is not None and is_media(data):
        data = choosing(data)
    return spoiled_hls(data, url, origin, chaos, policy) if chaos and policy is not None else data


def _placed_mpd(
    data: bytes,
    url: Url,
    origin: Origin,
    policy: Policy | None,
    marks: Watermark | None,
    chaos: Sequence[Chaos],
    clips: frozenset[str],
) -> bytes:
    """The same of an MPD, but for the Periods of clips."""
    if marks is not None:
        data = choosing_mpd(data, url, origin, marks, clips, policy)
    if chaos and policy is not None:
        data = spoiled_mpd(data, url, origin, chaos, policy, clips)
    return data


def _checked(kind: Format, data: bytes) -> Template:
    """The bytes as they are; the error of their format for what is not of it."""
    if kind is Format.HLS:
        Playlist(data)
    else:
        Document(data)
    return Template([data])


def _staged_mpd(data: bytes, rules: Ruleset) -> bytes:
    if rules.filters or rules.drm:
        data = filtered_mpd(data, rules)
    if rules.defaults:
        data = with_defaults_mpd(data, rules)
    if rules.session_data:
        data = with_session_data_mpd(data, rules.session_data)
    return data if rules.window_s is None else windowed_mpd(data, rules.window_s)


def _spliced(kind: Format, data: bytes, spot: Spot) -> bytes:
    if kind is Format.HLS and spot.joined_ms:
        return _joints(data, spot._replace(joined_ms=0)).at(spot.joined_ms)
    if kind is Format.HLS:
        return with_bumper(data, _clip(spot), spot.led)
    if kind is Format.PATCH:
        return data
    if spot.joined_ms:
        return with_join_mpd(data, spot.body, spot.folder, spot.joined_ms)
    return with_bumper_mpd(data, spot.body, spot.folder)


@lru_cache(MAX_JOINTS)
def _silenced(kind: Format, data: bytes, spot: Spot) -> bytes:
    """A live manifest whose session may meet a slate, with what it meets now; all who joined share
    it, wherever they did.
    """
    if kind is Format.DASH:
        return with_slate_mpd(data, spot.body, spot.folder, spot.shown) if spot.shown else data
    data = unhurried(data)
    return data if spot.shown is None else with_slate(data, _clip(spot), spot.led, spot.shown)


@lru_cache(MAX_JOINTS)
def _joints(data: bytes, spot: Spot) -> Joints:
    """What viewers who joined at different places share."""
    return Joints(data, _clip(spot), spot.led)


def _clip(spot: Spot) -> bytes:
    return filler(spot.body) if spot.is_reference else spot.body


def _patch_as_it_is(data: bytes, rules: Ruleset) -> bytes:
    """A patch selects what the rules may have taken away."""
    if rules.edits_sets:
        raise ManifestError("patch_unsafe", "rules edit this MPD", status=410)
    return data


STAGES = {Format.HLS: staged, Format.DASH: _staged_mpd, Format.PATCH: _patch_as_it_is}
COMPILERS = {Format.HLS: compile_hls, Format.DASH: compile_mpd, Format.PATCH: compile_patch}
