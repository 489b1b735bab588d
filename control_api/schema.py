"""The tables of control-api section 2 that this release needs.

Every epoch is milliseconds UTC in a BigInteger named `*_ms`; JSON is JSONB on PostgreSQL (CTL-3,
CTL-21).
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

SALE = ("active", "archived")
WORKFLOW = ("draft", "review", "approved", "published", "archived")
Json = JSON().with_variant(JSONB(), "postgresql")


def _id() -> Column[str]:
    return Column("id", String(64), primary_key=True)


def _sold() -> tuple[Column[Any] | CheckConstraint, ...]:
    """What operators edit of packages and offers: archived ones are not sold any more."""
    return (
        Column("status", String(16), nullable=False, server_default=text("'active'")),
        Column("version", BigInteger, nullable=False, server_default=text("1")),
        Column("updated_ms", BigInteger, nullable=False, server_default=text("0")),
        CheckConstraint(f"status in {SALE}", name="status"),
    )


def _ref(name: str, target: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, String(64), ForeignKey(f"{target}.id"), nullable=nullable)


SORT_CHARS = 200  # of a title, that lists are sorted by


def _window() -> CheckConstraint:
    return CheckConstraint("end_ms > start_ms", name="ends_after_start")


def _given(*columns: str) -> Index:
    """Of rows that have the first of the columns."""
    where = text(f"{columns[0]} is not null")
    return Index(None, *columns, sqlite_where=where, postgresql_where=where)


account = Table(
    "account",
    metadata,
    _id(),
    Column("country", String(2), nullable=False),
    Column("status", String(16), nullable=False),
    Column("max_streams", BigInteger, nullable=False),
    Column("max_devices", BigInteger, nullable=False),
    Column("npvr_quota_s", BigInteger, nullable=False),
    Column("npvr_quota_bytes", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("updated_ms", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint("status in ('active', 'suspended', 'deleted')", name="status"),
)

credential = Table(
    "credential",
    metadata,
    _id(),
    _ref("account_id", "account"),
    Column("kind", String(16), nullable=False),
    Column("subject", String(254), nullable=False),
    Column("hash", Text),
    CheckConstraint("kind in ('password', 'oidc')", name="kind"),
    UniqueConstraint("kind", "subject"),
    Index(None, "account_id"),
)

device = Table(
    "device",
    metadata,
    _id(),
    _ref("account_id", "account"),
    Column("class", String(16), nullable=False),
    Column("name", String(128), nullable=False),
    Column("drm", String(32)),
    Column("last_seen_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
    CheckConstraint("class in ('tv', 'stb', 'mobile', 'web', 'cast')", name="class"),
    Index(None, "account_id", "revoked_ms"),
)

content = Table(
    "content",
    metadata,
    _id(),
    Column("kind", String(16), nullable=False),
    _ref("parent_id", "content", nullable=True),
    Column("season_no", BigInteger),
    Column("episode_no", BigInteger),
    Column("status", String(16), nullable=False),
    Column("duration_ms", BigInteger),
    Column("year", BigInteger),
    Column("rating", String(16)),
    Column("min_age", BigInteger),
    Column("orig_lang", String(35)),
    Column("sort_title", String(SORT_CHARS), nullable=False, server_default=text("''")),
    Column("popularity", BigInteger, nullable=False, server_default=text("0")),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("updated_ms", BigInteger, nullable=False),
    Column("published_ms", BigInteger, nullable=False, server_default=text("0")),  # first; 0: never
    Column("age", BigInteger, nullable=False, server_default=text("0")),  # ratings.title_age
    CheckConstraint(
        "kind in ('movie', 'series', 'season', 'episode', 'clip', 'event')", name="kind"
    ),
    CheckConstraint(f"status in {WORKFLOW}", name="status"),
    UniqueConstraint("parent_id", "season_no", "episode_no"),
    Index(None, "kind", "status", "published_ms", "id"),
    Index(None, "updated_ms", "id"),
    *(Index(None, "status", name, "id") for name in ("updated_ms", "published_ms", "sort_title")),
    Index(None, "status", "popularity", "published_ms", "id"),
)

content_text = Table(
    "content_text",
    metadata,
    Column("content_id", String(64), ForeignKey("content.id"), primary_key=True),
    Column("lang", String(35), primary_key=True),
    Column("title", Text, nullable=False),
    Column("sort_title", Text, nullable=False),
    Column("synopsis", Text),
)

asset = Table(
    "asset",
    metadata,
    _id(),
    _ref("content_id", "content"),
    Column("kind", String(16), nullable=False),
    Column("origin_path", Text, nullable=False),
    Column("duration_ms", BigInteger),
    Column("drm_policy", String(32)),
    Column("tracks", Json),
    Column("state", String(16), nullable=False, server_default=text("'ready'")),
    CheckConstraint("kind in ('vod', 'trailer')", name="kind"),
    CheckConstraint("state in ('pending', 'ready', 'failed')", name="state"),
    Index(None, "content_id"),
)

channel = Table(
    "channel",
    metadata,
    _id(),
    Column("slug", String(64), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("name", Text),
    Column("logo_url", Text),
    Column("status", String(16), nullable=False),
    Column("dvr_window_s", BigInteger, nullable=False, server_default=text("0")),
    Column("allow_startover", Boolean, nullable=False, server_default=false()),
    Column("catchup_h", BigInteger, nullable=False, server_default=text("0")),
    Column("allow_npvr", Boolean, nullable=False, server_default=false()),
    Column("copy_mode", String(16), nullable=False, server_default=text("'shared'")),
    Column("min_age", BigInteger),
    Column("popularity", BigInteger, nullable=False, server_default=text("0")),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("updated_ms", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint(f"status in {WORKFLOW}", name="status"),
    CheckConstraint("copy_mode in ('shared', 'private')", name="copy_mode"),
    UniqueConstraint("slug"),
    Index(None, "number"),
)

rights_window = Table(
    "rights_window",
    metadata,
    _id(),
    _ref("content_id", "content", nullable=True),
    _ref("channel_id", "channel", nullable=True),
    Column("territory", String(2), nullable=False),
    Column("licence", String(8), nullable=False),
    Column("platform", String(16), nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("tier", BigInteger),
    Column("max_height", BigInteger),
    Column("hdcp", String(8)),
    Column("offline", Boolean, nullable=False, server_default=false()),
    CheckConstraint("licence in ('svod', 'tvod', 'est', 'avod', 'free')", name="licence"),
    CheckConstraint("(content_id is null) <> (channel_id is null)", name="one_subject"),
    _window(),
    Index(None, "content_id", "start_ms"),
    Index(None, "channel_id", "start_ms"),
    Index(None, "start_ms", "id"),
    Index(None, "end_ms", "id"),
)

package = Table(
    "package",
    metadata,
    _id(),
    Column("kind", String(8), nullable=False),
    Column("tier", BigInteger, nullable=False),
    Column("name", String(128), nullable=False),
    *_sold(),
    CheckConstraint("kind in ('svod', 'tvod', 'avod')", name="kind"),
)

package_content = Table(
    "package_content",
    metadata,
    Column("package_id", String(64), ForeignKey("package.id"), primary_key=True),
    Column("target_kind", String(16), primary_key=True),
    Column("target_id", String(64), primary_key=True),
    CheckConstraint("target_kind in ('content', 'series', 'channel', 'tier')", name="target_kind"),
    Index(None, "target_kind", "target_id"),
)

offer = Table(
    "offer",
    metadata,
    _id(),
    _ref("package_id", "package", nullable=True),
    _ref("content_id", "content", nullable=True),
    Column("territory", String(2), nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("period", String(16)),
    Column("rental_s", BigInteger),
    Column("viewing_s", BigInteger),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    *_sold(),
    CheckConstraint("(content_id is null) <> (package_id is null)", name="one_subject"),
    _window(),
    Index(None, "package_id"),
    Index(None, "content_id"),
)

entitlement = Table(
    "entitlement",
    metadata,
    _id(),
    _ref("account_id", "account"),
    _ref("package_id", "package", nullable=True),
    _ref("content_id", "content", nullable=True),
    Column("source", String(32), nullable=False),
    Column("source_ref", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger),
    Column("max_uses", BigInteger),
    Column("uses", BigInteger, nullable=False, server_default=text("0")),
    Column("first_played_ms", BigInteger),
    Column("viewing_s", BigInteger),
    CheckConstraint("(content_id is null) <> (package_id is null)", name="one_subject"),
    _window(),
    UniqueConstraint("source", "source_ref"),
    Index(None, "account_id", "state", "end_ms"),
    Index(None, "package_id"),
    Index(None, "content_id"),
)

playback_session = Table(
    "playback_session",
    metadata,
    _id(),
    _ref("account_id", "account"),
    Column("profile_id", String(64)),
    Column("device_id", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("target_id", String(64), nullable=False),
    Column("cti", String(32), nullable=False),
    Column("cdn", String(32)),
    Column("started_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("end_reason", String(32)),
    Column("position_ms", BigInteger),
    Column("pin_passed", Boolean, nullable=False, server_default=false()),
    Column("country", String(2), nullable=False, server_default=text("'ZZ'")),
    Index(None, "account_id", "started_ms"),
    Index(None, "started_ms", "id"),
    Index(None, "cti"),
    Index(
        "ix_playback_session_account_live",
        "account_id",
        sqlite_where=text("ended_ms is null"),
        postgresql_where=text("ended_ms is null"),
    ),
    Index(
        "ix_playback_session_live",
        "last_seen_ms",
        sqlite_where=text("ended_ms is null"),
        postgresql_where=text("ended_ms is null"),
    ),
)

epg_source = Table(
    "epg_source",
    metadata,
    _id(),
    Column("url", Text),
    Column("format", String(16), nullable=False),
    Column("tz", String(64), nullable=False, server_default=text("'UTC'")),
    Column("lang", String(35), nullable=False, server_default=text("'und'")),
    Column("refresh_s", BigInteger),
    CheckConstraint("format in ('xmltv')", name="format"),
)

channel_source = Table(
    "channel_source",
    metadata,
    Column("source_id", String(64), ForeignKey("epg_source.id"), primary_key=True),
    Column("xmltv_id", String(255), primary_key=True),
    _ref("channel_id", "channel"),
    Column("priority", BigInteger, nullable=False, server_default=text("0")),
    Column("tz", String(64)),
    Index(None, "channel_id", "priority"),
)

epg_import_run = Table(
    "epg_import_run",
    metadata,
    _id(),
    _ref("source_id", "epg_source"),
    Column("state", String(16), nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("sha256", String(64)),
    Column("report", Json),
    Column("reason", String(255)),
    CheckConstraint("state in ('running', 'applied', 'held', 'failed')", name="state"),
    Index(None, "source_id", "started_ms"),
    Index(None, "started_ms", "id"),
)

# PostgreSQL also refuses overlaps on a channel, at commit (a deferrable exclusion constraint).
epg_event = Table(
    "epg_event",
    metadata,
    _id(),
    _ref("channel_id", "channel"),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    _ref("source_id", "epg_source"),
    Column("ext_id", String(128)),
    Column("crid", String(255)),
    Column("series_crid", String(255)),
    _ref("content_id", "content", nullable=True),
    Column("season_no", BigInteger),
    Column("episode_no", BigInteger),
    Column("flags", String(64), nullable=False, server_default=text("''")),
    Column("lang", String(35), nullable=False),
    Column("allow_npvr", Boolean),
    Column("allow_catchup", Boolean),
    Column("allow_startover", Boolean),
    Column("hash", String(32), nullable=False),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    _window(),
    Index(None, "channel_id", "start_ms"),
    Index(None, "channel_id", "end_ms"),
    Index(None, "start_ms"),
    Index(None, "end_ms"),
    _given("series_crid", "start_ms"),
    _given("content_id"),
)

epg_event_text = Table(
    "epg_event_text",
    metadata,
    Column("event_id", String(64), ForeignKey("epg_event.id"), primary_key=True),
    Column("lang", String(35), primary_key=True),
    Column("title", Text),
    Column("sub_title", Text),
    Column("descr", Text),
)
