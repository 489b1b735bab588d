"""Refresh tokens and device codes (control-api section 2): only the SHA-256 of one is kept."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from control_api.schema import metadata

refresh_token = Table(
    "refresh_token",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("account_id", String(64), ForeignKey("account.id"), nullable=False),
    Column("family", String(32), nullable=False),
    Column("scope", Text, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger),
    Index(None, "family"),
    Index(None, "account_id"),
    Index(None, "expires_ms"),
)

device_grant = Table(
    "device_grant",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("user_code", String(8), nullable=False),
    Column("name", String(128), nullable=False),
    Column("interval_s", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("polled_ms", BigInteger),
    Column("account_id", String(64), ForeignKey("account.id")),
    Column("scope", Text),
    Column("allowed", Boolean),
    UniqueConstraint("user_code"),
    Index(None, "account_id"),
    Index(None, "expires_ms"),
)

# Keys that sign, and signed: what a rotation was told of.
told_key = Table(
    "told_key",
    metadata,
    Column("purpose", String(32), primary_key=True),
    Column("kid", String(255), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
)
