"""The table of API keys (control-api section 2): what is kept of a key tells nobody the key."""

from sqlalchemy import BigInteger, Column, Index, String, Table, UniqueConstraint

from control_api.schema import Json, metadata

api_key = Table(
    "api_key",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("scopes", Json, nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("old_prefix", String(16)),
    Column("old_sha256", String(64)),
    Column("old_until_ms", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("last_used_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    UniqueConstraint("prefix"),
    Index(None, "old_prefix"),
)
