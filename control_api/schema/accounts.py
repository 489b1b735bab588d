"""Accounts, how they sign in, and their devices."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from control_api.schema.base import key, metadata, ref

account = Table(
    "account",
    metadata,
    key(),
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
    key(),
    ref("account_id", "account"),
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
    key(),
    ref("account_id", "account"),
    Column("class", String(16), nullable=False),
    Column("name", String(128), nullable=False),
    Column("drm", String(32)),
    Column("last_seen_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
    CheckConstraint("class in ('tv', 'stb', 'mobile', 'web', 'cast')", name="class"),
    Index(None, "account_id", "revoked_ms"),
)
