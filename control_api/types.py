"""What travels: request and answer types of every operation.

Requests refuse unknown fields (CTL-4), answers may grow. The same types decode requests, encode
answers and make the OpenAPI document (CTL-1). Durations carry their unit in the name; times are
RFC 3339.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from control_api import ids

Id = Annotated[str, Meta(pattern=ids.PATTERN)]
Line = Annotated[str, Meta(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
Milliseconds = Annotated[int, Meta(ge=0, le=2**53)]
Mode = Literal["live", "vod", "recording", "startover", "catchup"]
Pin = Annotated[str, Meta(pattern=r"^[0-9]{4,8}$")]
DeviceClass = Literal["tv", "stb", "mobile", "web", "cast"]
Protocol = Literal["hls", "dash"]


class Request(Struct, forbid_unknown_fields=True):
    """A body or query from outside."""


class Answer(Struct):
    """A body from us."""


class Problem(Answer):
    """RFC 9457 problem details; some codes add members of their own. `trace_id` is there when the
    caller sent a `traceparent`, or spans are collected.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    trace_id: str | UnsetType = UNSET


# -- sign-in ---------------------------------------------------------------------------


Username = Annotated[str, Meta(min_length=1, max_length=254, pattern=r"^[^\x00-\x20\x7f]+$")]


class TokenRequest(Request):
    """Password grant of the built-in issuer (CTL-161)."""

    grant_type: Literal["password"]
    username: Username
    password: Annotated[str, Meta(min_length=1, max_length=1024)]


class TokenAnswer(Answer):
    """Names are those of RFC 6749 section 5.1; `expires_in` counts seconds."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str
    refresh_token: str
    refresh_expires_in: int


class KeySet(Answer):
    """RFC 7517 section 5."""

    keys: list[dict[str, Any]]


# -- catalogue -------------------------------------------------------------------------


MaxAge = Annotated[int, Meta(ge=0, le=21)]


class Audience(Request):
    """What is for older ones than `max_age` is left out; titles that nobody rated are for all.
    `profile_id`, of the account that asks, sets the profile's own limit; its answer is private.
    """

    max_age: MaxAge | None = None
    profile_id: Id | None = None


Cursor = Annotated[str, Meta(max_length=1_536)]


class Page(Request):
    """How lists are read (CTL-6)."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Cursor | None = None


# -- guide -----------------------------------------------------------------------------

Instant = Annotated[datetime, Meta(tz=True)]
ChannelIds = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}(,[A-Za-z0-9_.:-]{1,64})*$")]
Lang = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,35}$")]


class NowQuery(Audience):
    """Ids joined by comma, at most 100; none: the first channels by number."""

    channels: ChannelIds | None = None
    lang: Lang | None = None


class GridQuery(NowQuery, rename={"from_": "from"}):
    """At most 7 days; without times the next 4 hours."""

    from_: Instant | None = None
    to: Instant | None = None


class Programme(Answer):
    """Text in the language asked for, else in the default one. Numbers count from 1."""

    id: str
    start_at: datetime
    end_at: datetime
    title: str
    sub_title: str | None
    descr: str | None
    lang: str
    season_no: int | None
    episode_no: int | None
    flags: list[str]


class GridLine(Answer):
    channel_id: str
    events: list[Programme]


class Grid(Answer, rename={"from_": "from"}):
    from_: datetime
    to: datetime
    channels: list[GridLine]


class NowLine(Answer):
    channel_id: str
    now: Programme | None
    next: Programme | None


class NowList(Answer):
    channels: list[NowLine]


# -- rights ----------------------------------------------------------------------------


class DeviceInfo(Request):
    """The device that asks; `id` is the client's own name for it, stable over starts."""

    id: Id
    device_class: DeviceClass | None = field(name="class", default=None)
    name: Line = ""
    drm: Line | None = None
    protocols: Annotated[list[Protocol], Meta(min_length=1, max_length=2)] | None = None
    max_height: Annotated[int, Meta(ge=1, le=8640)] | None = None
    ll: bool = False


class Subject(Request):
    """What is to be played: a title, a channel, a recording, or a programme from its begin; by
    whom, the account's first profile if none is named, and the PIN where it asks for one (CTL-77).
    `mode` is checked where it is said.
    """

    device: DeviceInfo
    content_id: Id | None = None
    channel_id: Id | None = None
    recording_id: Id | None = None
    event_id: Id | None = None
    profile_id: Id | None = None
    pin: Pin | None = None
    mode: Mode | None = None

    def __post_init__(self) -> None:
        named = (self.content_id, self.channel_id, self.recording_id, self.event_id)
        if sum(each is not None for each in named) != 1:
            raise ValueError("name one of content_id, channel_id, recording_id and event_id")


class CheckRequest(Subject):
    """The question of CheckAccess (CTL-70..79)."""


class Constraints(Answer):
    max_height: int | None
    hdcp: str | None
    offline: bool
    ads: Literal["none", "required"]


class Streams(Answer):
    """Advice only: admission decides (CTL-102)."""

    limit: int
    in_use: int


class CheckAnswer(Answer):
    allowed: Literal[True]
    via: str
    licence: str
    expires_at: datetime
    constraints: Constraints
    streams: Streams
    source: str


# -- playback --------------------------------------------------------------------------


class StartRequest(Subject):
    """Start of a session; `terminate` holds codes of a 409 `stream_limit` answer (CTL-104)."""

    terminate: Annotated[list[Annotated[str, Meta(max_length=128)]], Meta(max_length=8)] = []


class Manifests(Answer):
    hls: str
    dash: str


class Cdn(Answer):
    """One pathway, in order of preference. `query` is what its CDN wants behind every URL, null
    where the token is enough.
    """

    id: str
    base_url: str
    query: str | None = None


class Decision(Answer):
    """Why the pathways stand in this order."""

    reason: str
    sentence: str
    ttl_s: int


class Steering(Answer):
    hls: str
    dash: str


class Heartbeat(Answer):
    url: str
    interval_s: int
    ttl_s: int


class Limits(Answer):
    max_streams: int
    in_use: int


DrmName = Literal["clearkey", "widevine", "playready", "fairplay"]


class Drm(Answer):
    """Where licences of one DRM system are asked for, and with which request headers."""

    system: DrmName
    key_system: str
    licence_url: str
    certificate_url: str | None
    headers: dict[str, str]


class StartAnswer(Answer):
    """Everything a player needs (CTL-101). `position_ms` counts from the begin of the title or
    programme, which lies `offset_ms` behind that of the manifest (CTL-128).
    """

    session_id: str
    manifest_url: str
    protocol: Protocol
    manifests: Manifests
    token: str
    expires_at: datetime
    cdns: list[Cdn]
    decision: Decision
    steering: Steering | None
    drm: list[Drm]
    position_ms: int
    offset_ms: int
    constraints: Constraints
    heartbeat: Heartbeat
    stop_url: str
    limits: Limits


CdnName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]  # as the router has them
MAX_CDNS = 64


class HeartbeatRequest(Request):
    """What the player says of itself (CTL-106)."""

    position_ms: Milliseconds = 0
    state: Literal["playing", "paused", "buffering", "ended"] = "playing"
    bitrate_kbps: Annotated[int, Meta(ge=0, le=10_000_000)] | None = None
    buffer_ms: Milliseconds | None = None
    dropped: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    cdn: CdnName | None = None


class RenewToken(Answer, tag_field="type", tag="renew_token"):
    token: str
    expires_at: datetime


class Stop(Answer, tag_field="type", tag="stop"):
    reason: str


class HeartbeatAnswer(Answer):
    next_in_s: int
    ttl_s: int
    commands: list[RenewToken | Stop]


class ActiveDevice(Answer):
    """A session that stands in the way of a new one (CTL-103)."""

    session_id: str
    device_name: str
    device_class: str
    content_title: str
    started_at: datetime
    last_seen: datetime
    termination_code: str
