"""Who counted for what, and what that comes to (CTL-145)."""

from sqlalchemy import BigInteger, Column, Float, Index, String, Table

from control_api.schema import metadata

EVERYWHERE = "**"

# A viewer is a profile, or an account without one; counted again after a half-life.
watched = Table(
    "watched",
    metadata,
    Column("target_id", String(64), primary_key=True),
    Column("viewer", String(64), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Index(None, "at_ms"),
)

# `territory` is a country, or all of them; `score` was right at `at_ms`; `shown` is what the
# catalogue says.
popular = Table(
    "popular",
    metadata,
    Column("target_id", String(64), primary_key=True),
    Column("territory", String(2), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("score", Float, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("shown", BigInteger, nullable=False),
    Index(None, "territory", "shown"),
)
