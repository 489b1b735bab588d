"""Tables of terms beside those of `control_api.schema` (control-api section 2)."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    text,
)

from control_api.schema import Json, metadata

# A programme's blackout names it by `event_id`; the guide may drop programmes, so that is no key.
blackout = Table(
    "blackout",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("channel_id", String(64), ForeignKey("channel.id"), nullable=False),
    Column("event_id", String(64)),
    Column("territories", Json, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("alternate_channel_id", String(64), ForeignKey("channel.id")),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("updated_ms", BigInteger, nullable=False),
    CheckConstraint("end_ms > start_ms", name="ends_after_start"),
    Index(None, "channel_id", "end_ms"),
    Index(None, "start_ms", "id"),
    Index(None, "end_ms", "id"),
    Index(None, "alternate_channel_id"),
)

# How far the beginnings and ends of a kind have been told of: the last one's time and id.
edge_mark = Table(
    "edge_mark",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("last_id", String(64), nullable=False),
)
