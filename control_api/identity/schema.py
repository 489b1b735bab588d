"""Refresh tokens (control-api section 2): only the SHA-256 of one is kept."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, Text

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
