"""Endpoints, what is on its way to them, and what was taken in (control-api section 2)."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from control_api.schema import Json, metadata

webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Column("topics", Json, nullable=False),
    Column("filters", Json, nullable=False),
    Column("secret_current", Text, nullable=False),
    Column("secret_previous", Text),
    Column("previous_until_ms", BigInteger),
    Column("schedule", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(64)),
    Column("probe_ms", BigInteger),
    Column("dropped", BigInteger, nullable=False, server_default=text("0")),
    Column("created_ms", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    CheckConstraint("state in ('active', 'paused', 'disabled')", name="state"),
    CheckConstraint("schedule in ('standard', 'extended')", name="schedule"),
    Index(None, "account_id", "id"),
    Index(None, "state"),
)

# `seq` is the outbox row's, the order in which things happened; negative, by time, if that is gone.
webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    Column("id", String(64), primary_key=True),
    Column(
        "endpoint_id",
        String(64),
        ForeignKey("webhook_endpoint.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("event_id", String(64), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("topic", String(64), nullable=False),
    Column("key", String(1024), nullable=False),
    Column("payload", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempt", BigInteger, nullable=False, server_default=text("0")),
    Column("next_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("last_error", Text),
    Column("log", Json, nullable=False),
    CheckConstraint("status in ('pending', 'done', 'dead', 'dropped')", name="status"),
    UniqueConstraint("endpoint_id", "event_id"),
    Index(None, "status", "next_ms"),
    Index(None, "endpoint_id", "status", "seq"),
)

hook_receipt = Table(
    "hook_receipt",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("webhook_id", String(64), primary_key=True),
    Column("received_ms", BigInteger, nullable=False),
    Index(None, "received_ms"),
)

# How new the newest message about a subject is: an older one that comes late changes nothing.
hook_mark = Table(
    "hook_mark",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("subject", String(128), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
)
