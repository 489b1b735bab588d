"""Every event of the API as data: what it is about, its fields, what to do about a dead one.

JSON Schema and Avro files, the check at emission and the tests are all made from these two tables
(control-api CTL-171). A released version never changes but by a new optional field: whatever else
is needed becomes the next version of the type.
"""

from typing import Final, Literal, NamedTuple

Kind = Literal["id", "text", "time", "int", "bool", "texts"]
OnDeath = Literal["page", "alert", "replay", "log", "drop"]


class Field(NamedTuple):
    """What a name means in whatever event it occurs."""

    kind: Kind
    doc: str


class Type(NamedTuple):
    """One event: `key` is the field that orders it (CTL-170), `on_death` is what its DLQ entry
    calls for.
    """

    name: str
    version: int
    key: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    on_death: OnDeath

    @property
    def domain(self) -> str:
        """The stream it goes to: `evt:{domain}`."""
        return self.name.partition(".")[0]

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.key, *self.required, *self.optional)

    @property
    def schema_id(self) -> str:
        return f"urn:headwater:schema:{self.name}:{self.version}"


# fmt: off
FIELDS: Final[dict[str, Field]] = {
    "account_id":        Field("id",    "the household"),
    "action":            Field("text",  "what was done"),
    "actor":             Field("text",  "who did it"),
    "asset_id":          Field("id",    "what is stored at the origin"),
    "at":                Field("time",  "when it happened"),
    "attempts":          Field("int",   "how often it was tried"),
    "blackout_id":       Field("id",    "the blackout"),
    "catchup":           Field("bool",  "may be watched after it was shown"),
    "cdn_id":            Field("id",    "the CDN"),
    "channel_id":        Field("id",    "the channel"),
    "consumer":          Field("text",  "the consumer group that gave up"),
    "content_id":        Field("id",    "the title"),
    "cti":               Field("text",  "the token's id, hexadecimal"),
    "dead_id":           Field("id",    "the dead letter"),
    "delivery_id":       Field("id",    "the webhook delivery"),
    "device_class":      Field("text",  "tv, stb, mobile, web or cast"),
    "device_id":         Field("id",    "the device"),
    "duration_ms":       Field("int",   "length in milliseconds"),
    "endpoint_id":       Field("id",    "the webhook endpoint"),
    "ends_at":           Field("time",  "when it ends"),
    "entitlement_id":    Field("id",    "the grant"),
    "error":             Field("text",  "what went wrong, without secrets"),
    "event_id":          Field("id",    "the programme of the guide"),
    "event_type":        Field("text",  "the type of the event in question"),
    "expires_at":        Field("time",  "when it is over unless renewed"),
    "finished":          Field("bool",  "watched to its end"),
    "import_id":         Field("id",    "the import run"),
    "kid":               Field("text",  "the key's id"),
    "kind":              Field("text",  "the kind of the subject"),
    "licence":           Field("text",  "svod, tvod, est, avod or free"),
    "limit":             Field("int",   "how many are allowed"),
    "message_id":        Field("id",    "the event in question"),
    "needed_s":          Field("int",   "quota that would be needed, seconds"),
    "origin_path":       Field("text",  "where the origin serves it"),
    "package_id":        Field("id",    "the package"),
    "paths":             Field("texts", "of the origin; one that ends in / stands for all below"),
    "position_ms":       Field("int",   "how far it was watched, milliseconds"),
    "profile_id":        Field("id",    "the profile"),
    "protected":         Field("bool",  "kept from automatic deletion"),
    "purpose":           Field("text",  "what the key signs: access_token or content_token"),
    "purge_id":          Field("id",    "the purge that was asked for"),
    "quota_s":           Field("int",   "the account's quota, seconds"),
    "reason":            Field("text",  "the code of what decided"),
    "recording_id":      Field("id",    "the recording"),
    "renditions":        Field("texts", "names of its renditions"),
    "rule":              Field("text",  "the rule that refused"),
    "rule_id":           Field("id",    "the series rule"),
    "session_id":        Field("id",    "the playback session"),
    "slug":              Field("text",  "its name in URLs"),
    "source":            Field("text",  "who said so"),
    "source_id":         Field("id",    "where the guide comes from"),
    "starts_at":         Field("time",  "when it begins"),
    "state":             Field("text",  "the state it is in now"),
    "target":            Field("text",  "what was acted on"),
    "target_id":         Field("id",    "what is played"),
    "territory":         Field("text",  "ISO 3166-1, or ** for all"),
    "title":             Field("text",  "its name for people"),
    "title_id":          Field("id",    "the origin's name of a film"),
    "topic":             Field("text",  "the stream or endpoint it failed on"),
    "used_s":            Field("int",   "quota in use, seconds"),
    "version":           Field("int",   "counts the subject's changes"),
    "window_id":         Field("id",    "the rights window"),
    "created":           Field("int",   "programmes that are new"),
    "removed":           Field("int",   "programmes that are gone"),
    "updated":           Field("int",   "programmes that changed"),
}

_CONTENT = "kind state version", "title"
_CHANNEL = "slug state", "title version"
_WINDOW = "window_id starts_at ends_at", "kind licence territory"
_BLACKOUT = "blackout_id starts_at ends_at", "event_id"
_IMPORT = "import_id", "created updated removed reason error"
_PROGRAMME = "event_id starts_at ends_at version", "title content_id catchup"
_GRANT = "entitlement_id state", "package_id content_id source starts_at ends_at reason"
_DEVICE = "device_id", "device_class limit reason"
_SESSION = "session_id device_id kind target_id", "profile_id cdn_id reason position_ms"
_REFUSED = "device_id kind target_id reason", "rule limit"
_RECORDING = ("account_id channel_id starts_at ends_at state",
              "event_id rule_id asset_id reason expires_at protected title")
_RULE = "account_id state", "channel_id title reason"
_QUOTA = "quota_s used_s", "needed_s recording_id"
_HOLD = "asset_id starts_at ends_at", "recording_id reason"

_ROWS: Final[tuple[tuple[str, int, str, tuple[str, str], OnDeath], ...]] = (
    # type, version, key, (required, optional), on death: section 11's table of families
    ("catalog.content.created",        1, "content_id",   _CONTENT,    "alert"),
    ("catalog.content.updated",        1, "content_id",   _CONTENT,    "alert"),
    ("catalog.content.published",      1, "content_id",   _CONTENT,    "alert"),
    ("catalog.content.unpublished",    1, "content_id",   _CONTENT,    "alert"),
    ("catalog.content.deleted",        1, "content_id",   _CONTENT,    "alert"),
    ("catalog.channel.created",        1, "channel_id",   _CHANNEL,    "alert"),
    ("catalog.channel.updated",        1, "channel_id",   _CHANNEL,    "alert"),
    ("catalog.channel.deleted",        1, "channel_id",   _CHANNEL,    "alert"),
    ("title.ready",                    1, "title_id",     ("origin_path duration_ms renditions",
                                                           "asset_id content_id"), "alert"),
    ("rights.window.opened",           1, "target_id",    _WINDOW,     "page"),
    ("rights.window.closed",           1, "target_id",    _WINDOW,     "page"),
    ("rights.window.updated",          1, "target_id",    _WINDOW,     "page"),
    ("blackout.started",               1, "channel_id",   _BLACKOUT,   "page"),
    ("blackout.ended",                 1, "channel_id",   _BLACKOUT,   "page"),
    ("epg.import.started",             1, "source_id",    _IMPORT,     "alert"),
    ("epg.import.completed",           1, "source_id",    _IMPORT,     "alert"),
    ("epg.import.failed",              1, "source_id",    _IMPORT,     "alert"),
    ("epg.import.held",                1, "source_id",    _IMPORT,     "alert"),
    ("epg.event.created",              1, "channel_id",   _PROGRAMME,  "replay"),
    ("epg.event.updated",              1, "channel_id",   _PROGRAMME,  "replay"),
    ("epg.event.removed",              1, "channel_id",   _PROGRAMME,  "replay"),
    ("epg.event.started",              1, "channel_id",   _PROGRAMME,  "replay"),
    ("epg.event.ended",                1, "channel_id",   _PROGRAMME,  "replay"),
    ("entitlement.granted",            1, "account_id",   _GRANT,      "alert"),
    ("entitlement.renewed",            1, "account_id",   _GRANT,      "alert"),
    ("entitlement.revoked",            1, "account_id",   _GRANT,      "page"),
    ("entitlement.expired",            1, "account_id",   _GRANT,      "alert"),
    ("account.created",                1, "account_id",   ("state", "reason"), "alert"),
    ("account.suspended",              1, "account_id",   ("state", "reason"), "page"),
    ("account.deleted",                1, "account_id",   ("state", "reason"), "alert"),
    ("device.registered",              1, "account_id",   _DEVICE,     "alert"),
    ("device.removed",                 1, "account_id",   _DEVICE,     "alert"),
    ("device.limit_reached",           1, "account_id",   _DEVICE,     "alert"),
    ("playback.session.started",       1, "account_id",   _SESSION,    "alert"),
    ("playback.session.terminated",    1, "account_id",   _SESSION,    "alert"),
    ("playback.session.expired",       1, "account_id",   _SESSION,    "alert"),
    ("playback.session.ended",         1, "account_id",   _SESSION,    "alert"),
    ("playback.session.denied",        1, "account_id",   _REFUSED,    "alert"),
    ("playback.session.limit_reached", 1, "account_id",   _REFUSED,    "alert"),
    ("recording.requested",            1, "recording_id", _RECORDING,  "alert"),
    ("recording.scheduled",            1, "recording_id", _RECORDING,  "page"),
    ("recording.rescheduled",          1, "recording_id", _RECORDING,  "page"),
    ("recording.started",              1, "recording_id", _RECORDING,  "alert"),
    ("recording.finalizing",           1, "recording_id", _RECORDING,  "alert"),
    ("recording.completed",            1, "recording_id", _RECORDING,  "alert"),
    ("recording.partial",              1, "recording_id", _RECORDING,  "alert"),
    ("recording.failed",               1, "recording_id", _RECORDING,  "alert"),
    ("recording.cancelled",            1, "recording_id", _RECORDING,  "alert"),
    ("recording.protected",            1, "recording_id", _RECORDING,  "alert"),
    ("recording.expiring",             1, "recording_id", _RECORDING,  "alert"),
    ("recording.expired",              1, "recording_id", _RECORDING,  "alert"),
    ("recording.deleted",              1, "recording_id", _RECORDING,  "alert"),
    ("recording.restored",             1, "recording_id", _RECORDING,  "alert"),
    ("recording.rule.created",         1, "rule_id",      _RULE,       "alert"),
    ("recording.rule.updated",         1, "rule_id",      _RULE,       "alert"),
    ("recording.rule.deleted",         1, "rule_id",      _RULE,       "alert"),
    ("quota.warning",                  1, "account_id",   _QUOTA,      "alert"),
    ("quota.exceeded",                 1, "account_id",   _QUOTA,      "alert"),
    ("retention.hold.placed",          1, "channel_id",   _HOLD,       "page"),
    ("retention.hold.confirmed",       1, "channel_id",   _HOLD,       "alert"),
    ("retention.hold.released",        1, "channel_id",   _HOLD,       "alert"),
    ("bookmark.updated",               1, "profile_id",   ("account_id content_id position_ms",
                                                           "duration_ms finished"), "drop"),
    ("reminder.due",                   1, "profile_id",   ("account_id event_id channel_id "
                                                           "starts_at ends_at", "title"), "drop"),
    ("token.issued",                   1, "cti",          ("expires_at", "session_id"), "alert"),
    ("token.revoked",                  1, "cti",          ("reason", "session_id expires_at"),
                                                                       "page"),
    ("key.rotated",                    1, "kid",          ("at", "purpose reason"), "alert"),
    ("cdn.purge_requested",            1, "cdn_id",       ("purge_id paths at", "reason"), "alert"),
    ("webhook.endpoint_paused",        1, "endpoint_id",  ("reason", "attempts"), "log"),
    ("webhook.endpoint_disabled",      1, "endpoint_id",  ("reason", "attempts"), "log"),
    ("webhook.delivery_failed",        1, "endpoint_id",  ("delivery_id message_id error attempts",
                                                           "event_type"), "log"),
    ("dlq.message_added",              1, "topic",        ("dead_id consumer attempts error",
                                                           "message_id event_type"), "log"),
    ("audit.action",                   1, "actor",        ("action target at", "reason"), "log"),
)
# fmt: on

TYPES: Final[dict[str, Type]] = {
    name: Type(name, version, key, tuple(must.split()), tuple(may.split()), on_death)
    for name, version, key, (must, may), on_death in _ROWS
}
DOMAINS: Final[tuple[str, ...]] = tuple(dict.fromkeys(each.domain for each in TYPES.values()))
