"""The guide: where it comes from, and its programmes."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    text,
)

from control_api.schema.base import Json, ends_after_start, given, key, metadata, ref

epg_source = Table(
    "epg_source",
    metadata,
    key(),
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
    ref("channel_id", "channel"),
    Column("priority", BigInteger, nullable=False, server_default=text("0")),
    Column("tz", String(64)),
    Index(None, "channel_id", "priority"),
)

epg_import_run = Table(
    "epg_import_run",
    metadata,
    key(),
    ref("source_id", "epg_source"),
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
    key(),
    ref("channel_id", "channel"),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    ref("source_id", "epg_source"),
    Column("ext_id", String(128)),
    Column("crid", String(255)),
    Column("series_crid", String(255)),
    ref("content_id", "content", nullable=True),
    Column("season_no", BigInteger),
    Column("episode_no", BigInteger),
    Column("flags", String(64), nullable=False, server_default=text("''")),
    Column("lang", String(35), nullable=False),
    Column("allow_npvr", Boolean),
    Column("allow_catchup", Boolean),
    Column("allow_startover", Boolean),
    Column("hash", String(32), nullable=False),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    ends_after_start(),
    Index(None, "channel_id", "start_ms"),
    Index(None, "channel_id", "end_ms"),
    Index(None, "start_ms"),
    Index(None, "end_ms"),
    given("series_crid", "start_ms"),
    given("content_id"),
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
