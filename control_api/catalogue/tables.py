"""Tables of the catalogue beside those of `control_api.schema` (control-api section 2)."""

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


def _content() -> Column[str]:
    return Column("content_id", String(64), ForeignKey("content.id"), primary_key=True)


content_genre = Table(
    "content_genre",
    metadata,
    _content(),
    Column("genre", String(64), primary_key=True),
    Index(None, "genre", "content_id"),
)

content_language = Table(
    "content_language",
    metadata,
    _content(),
    Column("kind", String(8), primary_key=True),
    Column("lang", String(35), primary_key=True),
    CheckConstraint("kind in ('audio', 'subtitle')", name="kind"),
    Index(None, "kind", "lang", "content_id"),
)

credit = Table(
    "credit",
    metadata,
    _content(),
    Column("pos", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("character", Text),
    Index(None, "name", "content_id"),
)

artwork = Table(
    "artwork",
    metadata,
    _content(),
    Column("pos", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("url", Text, nullable=False),
    Column("lang", String(35)),
    Column("width", BigInteger),
    Column("height", BigInteger),
)

external_id = Table(
    "external_id",
    metadata,
    Column("system", String(16), primary_key=True),
    Column("value", String(255), primary_key=True),
    Column("target_kind", String(16), nullable=False),
    Column("target_id", String(64), nullable=False),
    Index(None, "target_kind", "target_id"),
)

collection = Table(
    "collection",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("texts", Json, nullable=False),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("updated_ms", BigInteger, nullable=False),
)

collection_item = Table(
    "collection_item",
    metadata,
    Column("collection_id", String(64), ForeignKey("collection.id"), primary_key=True),
    _content(),
    Column("pos", BigInteger, nullable=False),
    UniqueConstraint("collection_id", "pos"),
    Index(None, "content_id"),
)

content_version = Table(
    "content_version",
    metadata,
    Column("content_id", String(64), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("status", String(16), nullable=False),
    Column("document", Json, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("actor", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("target", String(64), nullable=False),
    Column("before", Json),
    Column("after", Json),
    Column("at_ms", BigInteger, nullable=False),
    Index(None, "at_ms", "id"),
    Index(None, "target", "at_ms"),
)
