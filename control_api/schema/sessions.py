"""Who plays what."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    String,
    Table,
    false,
    text,
)

from control_api.schema.base import key, metadata, ref

playback_session = Table(
    "playback_session",
    metadata,
    key(),
    ref("account_id", "account"),
    Column("profile_id", String(64)),
    Column("device_id", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("target_id", String(64), nullable=False),
    Column("cti", String(32), nullable=False),
    Column("cdn", String(64)),
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
