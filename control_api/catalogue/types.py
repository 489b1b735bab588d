"""What travels between editors, viewers and the catalogue."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, field

from control_api import shapes
from control_api.catalogue.workflow import State
from control_api.types import (
    Answer,
    Audience,
    Cursor,
    Id,
    Instant,
    Lang,
    Milliseconds,
    Page,
    Request,
)

ContentKind = Literal["movie", "series", "season", "episode", "clip", "event"]
Territory = Annotated[str, Meta(pattern=r"^([A-Z]{2}|\*\*)$")]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]
Platform = Annotated[str, Meta(pattern=r"^(\*|tv|stb|mobile|web|cast)$")]
Words = Annotated[str, Meta(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$")]
Prose = Annotated[str, Meta(max_length=8_000, pattern=r"^[^\x00]*$")]
Slug = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Link = Annotated[
    str,
    Meta(
        max_length=1_024,
        pattern=r"^(https?://[^\s\x00-\x1f<>\"]+|/([^/\s\x00-\x1f<>\"][^\s\x00-\x1f<>\"]*)?)$",
    ),
]
Number = Annotated[int, Meta(ge=1, le=100_000)]
Pixels = Annotated[int, Meta(ge=1, le=32_768)]


class Text(Request):
    """Title and synopsis in one language."""

    lang: Lang
    title: Words
    sort_title: Words | None = None
    synopsis: Prose | None = None


class Credit(Request):
    name: Words
    role: Literal["actor", "director", "writer", "producer", "composer", "presenter", "guest"]
    character: Words | None = None


class Artwork(Request):
    kind: Literal["poster", "backdrop", "still", "logo", "banner"]
    url: Link
    lang: Lang | None = None
    width: Pixels | None = None
    height: Pixels | None = None


class ExternalId(Request):
    system: Literal["eidr", "crid", "tms", "imdb", "xmltv", "own"]
    value: Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]


class Availability(Request):
    """One window: where, when, on what and for whom; half-open in time (CTL-33)."""

    licence: Literal["svod", "tvod", "est", "avod", "free"]
    start_at: Instant
    end_at: Instant
    territory: Territory = "**"
    platform: Platform = "*"
    tier: Annotated[int, Meta(ge=0, le=1_000)] | None = None
    max_height: Annotated[int, Meta(ge=1, le=8_640)] | None = None
    hdcp: Annotated[str, Meta(pattern=r"^[0-9]\.[0-9]$")] | None = None
    offline: bool = False

    def __post_init__(self) -> None:
        if not self.start_at < self.end_at:
            raise ValueError("end_at lies after start_at")
        if self.start_at.year < 1970:
            raise ValueError("start_at is before 1970")


class Document(Request):
    """All that an editor says of a title; viewers see a part of it."""

    kind: ContentKind
    texts: Annotated[list[Text], Meta(min_length=1, max_length=64)]
    parent_id: Id | None = None
    season_no: Number | None = None
    episode_no: Number | None = None
    duration_ms: Milliseconds | None = None
    year: Annotated[int, Meta(ge=1870, le=2200)] | None = None
    rating: Annotated[str, Meta(pattern=r"^[A-Za-z0-9+ -]{1,16}$")] | None = None
    min_age: Annotated[int, Meta(ge=0, le=21)] | None = None
    orig_lang: Lang | None = None
    genres: Annotated[list[Slug], Meta(max_length=32)] = field(default_factory=list)
    audio_langs: Annotated[list[Lang], Meta(max_length=64)] = field(default_factory=list)
    subtitle_langs: Annotated[list[Lang], Meta(max_length=64)] = field(default_factory=list)
    credits: Annotated[list[Credit], Meta(max_length=200)] = field(default_factory=list)
    artwork: Annotated[list[Artwork], Meta(max_length=64)] = field(default_factory=list)
    external_ids: Annotated[list[ExternalId], Meta(max_length=16)] = field(default_factory=list)
    windows: Annotated[list[Availability], Meta(max_length=200)] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, keys in (
            ("texts", [text.lang.lower() for text in self.texts]),
            ("genres", self.genres),
            ("audio_langs", self.audio_langs),
            ("subtitle_langs", self.subtitle_langs),
            ("external_ids", [each.system for each in self.external_ids]),
        ):
            if len(set(keys)) != len(keys):
                raise ValueError(f"{name} says something twice")
        if self.kind in ("season", "episode") and self.parent_id is None:
            raise ValueError(f"a {self.kind} has a parent_id")
        if self.kind not in ("season", "episode") and self.parent_id is not None:
            raise ValueError(f"a {self.kind} has no parent_id")


class Windows(Request):
    """The windows of a document by themselves; its version is theirs."""

    windows: Annotated[list[Availability], Meta(max_length=200)]


class Entry(Answer):
    """A title as editors see it."""

    id: str
    status: State
    version: int
    updated_at: datetime
    document: Document


class EntryHead(Answer):
    id: str
    kind: str
    title: str
    status: State
    version: int
    updated_at: datetime


class EntryList(Answer):
    items: list[EntryHead]
    next_cursor: str | None


class EntryPage(Page):
    """`q` is an id, or part of the title in any of its languages, whatever the case of the letters
    A to Z; with one or two letters it is the title's beginning.
    """

    status: State | None = None
    q: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")] | None = None


class Move(Request):
    """The state to go to (workflow)."""

    to: State


class Version(Answer):
    """One version; `actor` is who made it."""

    version: int
    status: State
    actor: str
    at: datetime
    document: Document


class VersionList(Answer):
    items: list[Version]
    next_cursor: str | None


class AssetRequest(Request):
    """A title of the origin that holds the content."""

    origin_path: Annotated[str, Meta(pattern=r"^/vod/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}/$")]
    kind: Literal["vod", "trailer"] = "vod"
    state: Literal["pending", "ready", "failed"] = "ready"
    duration_ms: Milliseconds | None = None
    drm_policy: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,32}$")] | None = None


class Asset(Answer):
    id: str
    kind: str
    origin_path: str
    state: str
    duration_ms: int | None
    drm_policy: str | None


class AssetList(Answer):
    items: list[Asset]


class ImportRow(Answer):
    """What became of one row, counted from 1; `error` says why it was rejected."""

    row: int
    id: str | None
    outcome: Literal["created", "updated", "unchanged", "rejected"]
    error: str | None


class ImportReport(Answer):
    created: int
    updated: int
    unchanged: int
    rejected: int
    rows: list[ImportRow]


# -- what viewers see ------------------------------------------------------------------

FieldNames = Annotated[str, Meta(pattern=r"^[a-z_]{1,32}(,[a-z_]{1,32}){0,31}$")]


class Place(Audience):
    """Who looks, as far as a public answer depends on it; none: the setting's country, any device.

    `fields` leaves out what is not named (id always stays), `shape` names a device's field set.
    """

    territory: Country | None = None
    platform: Platform = "*"
    lang: Lang | None = None
    fields: FieldNames | None = None
    shape: shapes.Shape | None = None

    def shown(self, part: shapes.Part) -> str | None:
        """The fields asked for; None for the operation's own."""
        return shapes.fields(part, self.shape, self.fields)


class ChildPage(Place):
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Cursor | None = None


class TitlePage(ChildPage):
    kind: ContentKind | None = None
    genre: Slug | None = None
    audio: Lang | None = None
    sort: Literal["newest", "popular", "title"] = "newest"


class Title(Answer):
    """A published title; times are those of the caller's territory (CTL-32)."""

    id: str
    kind: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    synopsis: str | UnsetType | None = UNSET
    lang: str | UnsetType | None = UNSET
    parent_id: str | UnsetType | None = UNSET
    season_no: int | UnsetType | None = UNSET
    episode_no: int | UnsetType | None = UNSET
    duration_ms: int | UnsetType | None = UNSET
    year: int | UnsetType | None = UNSET
    rating: str | UnsetType | None = UNSET
    min_age: int | UnsetType | None = UNSET
    orig_lang: str | UnsetType | None = UNSET
    genres: list[str] | UnsetType = UNSET
    audio_langs: list[str] | UnsetType = UNSET
    subtitle_langs: list[str] | UnsetType = UNSET
    artwork: list[Artwork] | UnsetType = UNSET
    credits: list[Credit] | UnsetType = UNSET
    available_from: datetime | UnsetType | None = UNSET
    available_until: datetime | UnsetType | None = UNSET
    popularity: int | UnsetType = UNSET
    version: int | UnsetType = UNSET
    updated_at: datetime | UnsetType = UNSET


class TitleList(Answer):
    items: list[Title]
    next_cursor: str | None


class Genre(Answer):
    id: str
    titles: int


class GenreList(Answer):
    items: list[Genre]


class Rail(Answer):
    """A row of titles on a page; `source` says what filled it (CTL-145)."""

    id: str
    source: Literal["popularity", "editorial", "related"]
    items: list[Title]


class RailList(Answer):
    items: list[Rail]


class AuditPage(Page):
    target: Id | None = None


class AuditEntry(Answer):
    id: str
    actor: str
    action: str
    target: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    at: datetime


class AuditList(Answer):
    items: list[AuditEntry]
    next_cursor: str | None


# -- channels --------------------------------------------------------------------------


class ChannelRequest(Request):
    """A channel of the origin, by its slug, and what may be done with its programmes."""

    slug: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    number: Annotated[int, Meta(ge=1, le=99_999)]
    name: Words | None = None
    logo_url: Link | None = None
    dvr_window_s: Annotated[int, Meta(ge=0, le=1_209_600)] = 0
    allow_startover: bool = False
    catchup_h: Annotated[int, Meta(ge=0, le=336)] = 0
    allow_npvr: bool = False
    copy_mode: Literal["shared", "private"] = "shared"
    min_age: Annotated[int, Meta(ge=0, le=21)] | None = None
    windows: Annotated[list[Availability], Meta(max_length=200)] = field(default_factory=list)


class ChannelEntry(Answer):
    """A channel as editors see it."""

    id: str
    status: State
    version: int
    updated_at: datetime
    document: ChannelRequest


class ChannelEntryList(Answer):
    items: list[ChannelEntry]
    next_cursor: str | None


class ChannelPage(Audience):
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Cursor | None = None


class Channel(Answer):
    """A channel as viewers see it."""

    id: str
    slug: str
    number: int
    name: str | None
    logo_url: str | None
    dvr_window_s: int
    allow_startover: bool
    catchup_h: int
    allow_npvr: bool


class ChannelList(Answer):
    items: list[Channel]
    next_cursor: str | None
