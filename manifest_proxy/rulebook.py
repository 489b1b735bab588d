"""Rule sets: what is done to the manifests of a channel, title or cohort.

The first set whose paths and cohorts match a request is used, or the one that a session names.
Source: manifest-proxy MP-1..MP-6.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Literal

import msgspec

from .policy import Carrier
from .selection import AudioRule, Span, TextRule, VideoRule

Folder = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")]
ChaosStatus = Literal[403, 404, 410, 429, 500, 502, 503, 504]
DrmSystem = Literal["widevine", "playready", "fairplay", "clearkey"]
KeySystem = Literal["widevine", "playready", "fairplay", "clearkey", "identity"]
KeyUri = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[!#-~]*$")]


class DrmRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`systems` that stay signalled (none named: all); where players get licences (DASH), and what
    the URIs of keys begin with and shall begin with (HLS).
    """

    systems: tuple[DrmSystem, ...] = ()
    licence_urls: dict[DrmSystem, str] = {}
    key_uris: dict[KeySystem, tuple[KeyUri, KeyUri]] = {}


class Clip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A title at the origin with the layout of those that it stands before or in for: what follows
    the first `depth` names of a path is looked for in `folder`. A rendition that it lacks gets
    gaps as long as those of `reference`.
    """

    folder: Annotated[str, msgspec.Meta(pattern=r"^(/[A-Za-z0-9._~-]+)+$")]
    reference: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._~/-]*$")] = ""
    depth: Annotated[int, msgspec.Meta(ge=1, le=16)] = 2

    def leaf(self, path: str) -> str:
        """What a path names within its title."""
        return "/".join(path.split("/")[self.depth + 1 :])


class Slate(Clip, frozen=True, forbid_unknown_fields=True):
    """A title for when a source is gone. Live playlists go on with its renditions once nothing new
    has come for `after_targets` target durations; without them only who starts then is shown it.
    """

    after_targets: Annotated[float, msgspec.Meta(ge=1.5, le=100)] | None = None


class Watermark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Folders of the media that are marked 0 and 1 (MP-21). Shell patterns over paths at the origin
    say of which playlists in HLS, and of which segments in DASH.
    """

    playlists: tuple[str, ...] = ("*",)
    folders: tuple[Folder, Folder] = ("a", "b")

    def covers(self, path: str) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in self.playlists)


class Blackout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A time in which something may not be watched: anywhere, or in the `countries` (ISO 3166-1),
    to which viewers of unknown place count. `replacement` is shown to those who start meanwhile.
    """

    start: Annotated[datetime, msgspec.Meta(tz=True)]
    end: Annotated[datetime, msgspec.Meta(tz=True)]
    countries: tuple[Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}$")], ...] = ()
    replacement: Clip | None = None

    def covers(self, now_s: float, country: str) -> bool:
        if not self.start.timestamp() <= now_s < self.end.timestamp():
            return False
        return not self.countries or not country or country.upper() in self.countries


class Chaos(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Faults on purpose (MP-22). Shell patterns over paths at the origin say for which playlists
    and MPDs, and for which segments of MPDs: a rung by its path. Manifests come `delay_s` late.
    Segments of these `numbers`, a `share` of them drawn by `seed`, come `segment_delay_s` late and
    answer with `status`, or come at no more than `throttle_bps`.
    """

    playlists: tuple[str, ...] = ("*",)
    numbers: Span = msgspec.field(default_factory=Span)
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    seed: int = 0
    status: ChaosStatus | None = None
    delay_s: Annotated[float, msgspec.Meta(ge=0, le=30)] = 0.0
    segment_delay_s: Annotated[float, msgspec.Meta(ge=0, le=30)] = 0.0
    throttle_bps: Annotated[int, msgspec.Meta(ge=8_000)] | None = None

    def covers(self, path: str) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in self.playlists)

    @property
    def spoils(self) -> bool:
        """Whether anything happens to segments."""
        return bool(self.status or self.segment_delay_s or self.throttle_bps)


class SessionData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An EXT-X-SESSION-DATA tag (HLS 4.4.6.4), in DASH a SupplementalProperty. A `parameter` of the
    first request gives the value in place of `value`; without either there is none.
    """

    id: str
    value: str = ""
    language: str = ""
    parameter: Annotated[str, msgspec.Meta(pattern=r"^(data-[a-z0-9-]{1,32})?$")] = ""


class Ruleset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    name: str
    paths: tuple[str, ...] = ("*",)  # shell patterns over the path at the origin
    cohorts: tuple[str, ...] = ()  # none: whoever asks
    empty: Literal["nearest", "refuse"] = "nearest"  # when the numbers fit nothing
    video: VideoRule | None = None
    audio: AudioRule | None = None
    subtitles: TextRule | None = None
    captions: bool = True
    order: Literal["", "ascending", "descending"] = ""
    start_bandwidth: int | None = None
    default_audio: str = ""
    default_subtitles: str = ""  # a language, or `off`
    playlists: Literal["pathway", "proxy"] = "pathway"  # whom media playlists are asked of
    carrier: Carrier = "path"
    window_s: Annotated[int, msgspec.Meta(ge=1)] | None = None  # of live manifests (DVR)
    drm: DrmRule | None = None
    bumper: Clip | None = None  # before a title
    slate: Slate | None = None  # in place of a title or channel whose source is gone
    watermark: Watermark | None = None
    blackouts: tuple[Blackout, ...] = ()
    chaos: tuple[Chaos, ...] = ()
    session_data: tuple[SessionData, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Equal on every node for equal rules: a part of the key of what is compiled (MP-44)."""
        text = msgspec.json.encode(self, enc_hook=str, order="deterministic")
        return hashlib.sha256(text).hexdigest()[:16]

    @property
    def through(self) -> bool:
        """Whether media playlists come through the proxy, because something is done to them."""
        asked_here = self.playlists == "proxy" or self.carrier == "define"
        return asked_here or self.edits_media or bool(self.blackouts)

    @property
    def edits_media(self) -> bool:
        """Whether lines of media playlists come or go, so that deltas would not fit (HLS-M22)."""
        edits = self.drm or self.bumper or self.watermark or self.chaos or self.stands_in
        return bool(edits or self.window_s is not None)

    @property
    def stands_in(self) -> bool:
        """Whether a slate stands in for live sources that fall silent; it has no parts."""
        return self.slate is not None and self.slate.after_targets is not None

    @property
    def edits_sets(self) -> bool:
        """Whether sets of MPDs change, so that the origin's patches would not fit."""
        return bool(self.filters or self.edits_media or self.defaults)

    @property
    def defaults(self) -> tuple[tuple[str, str], ...]:
        """Kinds of media with the language that players of MPDs begin with."""
        wanted = ("audio", self.default_audio), ("text", self.default_subtitles)
        return tuple((kind, language) for kind, language in wanted if language not in ("", "off"))

    @property
    def patched(self) -> bool:
        """Whether patches of our own lead from MPD to MPD; clips come and go with no publishTime,
        and players patch no lists of segments.
        """
        clips = self.bumper or self.stands_in
        return self.edits_sets and not (clips or self.watermark or self.chaos)

    @property
    def shares(self) -> bool:
        """Whether a URL says all that a copy depends on, but for what is written into its holes."""
        seen = self.bumper or self.slate or self.watermark or self.blackouts or self.chaos
        return not seen

    @property
    def filters(self) -> bool:
        """Whether anything of a ladder may go."""
        return bool(self.video or self.audio or self.subtitles or not self.captions)

    def blackout(self, now_s: float, country: str) -> Blackout | None:
        """The one that holds at a time (since 1970) and place."""
        return next((one for one in self.blackouts if one.covers(now_s, country)), None)

    def covers(self, path: str, cohort: str) -> bool:
        return (not self.cohorts or cohort in self.cohorts) and any(
            fnmatchcase(path, pattern) for pattern in self.paths
        )


def pick(rulesets: Iterable[Ruleset], path: str, cohort: str = "") -> Ruleset | None:
    return next((one for one in rulesets if one.covers(path, cohort)), None)
