"""What the tables of control-api section 2 have in common.

Every epoch is milliseconds UTC in a BigInteger named `*_ms`; JSON is JSONB on PostgreSQL (CTL-3,
CTL-21).
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    MetaData,
    String,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

SALE = ("active", "archived")
WORKFLOW = ("draft", "review", "approved", "published", "archived")
Json = JSON().with_variant(JSONB(), "postgresql")


def key() -> Column[str]:
    return Column("id", String(64), primary_key=True)


def sold() -> tuple[Column[Any] | CheckConstraint, ...]:
    """What operators edit of packages and offers: archived ones are not sold any more."""
    return (
        Column("status", String(16), nullable=False, server_default=text("'active'")),
        Column("version", BigInteger, nullable=False, server_default=text("1")),
        Column("updated_ms", BigInteger, nullable=False, server_default=text("0")),
        CheckConstraint(f"status in {SALE}", name="status"),
    )


def ref(name: str, target: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, String(64), ForeignKey(f"{target}.id"), nullable=nullable)


def ends_after_start() -> CheckConstraint:
    return CheckConstraint("end_ms > start_ms", name="ends_after_start")


def given(*columns: str) -> Index:
    """Of rows that have the first of the columns."""
    where = text(f"{columns[0]} is not null")
    return Index(None, *columns, sqlite_where=where, postgresql_where=where)
