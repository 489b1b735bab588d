"""The tables of viewers (control-api section 2). What is bookmarked is a title or a recording."""

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

from control_api.schema import metadata


def _profile() -> Column[str]:
    return Column(
        "profile_id", String(64), ForeignKey("profile.id", ondelete="CASCADE"), primary_key=True
    )


profile = Table(
    "profile",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", String(64), ForeignKey("account.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("max_rating", String(16)),
    Column("lang", String(35)),
    Column("pin_hash", Text),
    Column("pin_tries", BigInteger, nullable=False, server_default=text("0")),
    Column("pin_since_ms", BigInteger, nullable=False, server_default=text("0")),
    Column("created_ms", BigInteger, nullable=False),
    CheckConstraint("kind in ('adult', 'kids')", name="kind"),
    Index(None, "account_id", "created_ms"),
)

bookmark = Table(
    "bookmark",
    metadata,
    _profile(),
    Column("content_id", String(64), primary_key=True),
    Column("position_ms", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("finished", Boolean, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Index(None, "profile_id", "updated_ms"),
)

watchlist = Table(
    "watchlist",
    metadata,
    _profile(),
    Column("target_id", String(64), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Index(None, "profile_id", "at_ms"),
)

watch_history = Table(
    "watch_history",
    metadata,
    _profile(),
    Column("target_id", String(64), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Index(None, "profile_id", "at_ms"),
)

reminder = Table(
    "reminder",
    metadata,
    _profile(),
    Column("target_id", String(64), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Index(None, "profile_id", "at_ms"),
    Index(None, "at_ms"),
    Index(None, "target_id"),
)
