"""Flags that somebody set; all others are at their defaults (control-api section 2)."""

from sqlalchemy import BigInteger, Column, String, Table

from control_api.schema import Json, metadata

feature_flag = Table(
    "feature_flag",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Json, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
)
