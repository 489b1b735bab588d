"""What is sold, and what was bought."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    UniqueConstraint,
    text,
)

from control_api.schema.base import ends_after_start, key, metadata, ref, sold

package = Table(
    "package",
    metadata,
    key(),
    Column("kind", String(8), nullable=False),
    Column("tier", BigInteger, nullable=False),
    Column("name", String(128), nullable=False),
    *sold(),
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
    key(),
    ref("package_id", "package", nullable=True),
    ref("content_id", "content", nullable=True),
    Column("territory", String(2), nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("period", String(16)),
    Column("rental_s", BigInteger),
    Column("viewing_s", BigInteger),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    *sold(),
    CheckConstraint("(content_id is null) <> (package_id is null)", name="one_subject"),
    ends_after_start(),
    Index(None, "package_id"),
    Index(None, "content_id"),
)

entitlement = Table(
    "entitlement",
    metadata,
    key(),
    ref("account_id", "account"),
    ref("package_id", "package", nullable=True),
    ref("content_id", "content", nullable=True),
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
    ends_after_start(),
    UniqueConstraint("source", "source_ref"),
    Index(None, "account_id", "state", "end_ms"),
    Index(None, "package_id"),
    Index(None, "content_id"),
)
