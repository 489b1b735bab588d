"""Events that wait for the relay or were sent lately, and letters that nobody could handle."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, text

from control_api.schema import metadata

# Rows of a sent event stay for the retention, so that a listener can take up where it left.
outbox = Table(
    "outbox",
    metadata,
    Column(
        "seq",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("id", String(64), nullable=False, unique=True),
    Column("topic", String(64), nullable=False),
    Column("key", String(1024), nullable=False),
    Column("payload", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("published_ms", BigInteger),
    Index(
        "ix_outbox_waiting",
        "seq",
        sqlite_where=text("published_ms is null"),
        postgresql_where=text("published_ms is null"),
    ),
    Index(None, "published_ms", "seq"),
    Index(
        None,
        "topic",
        "published_ms",
        "seq",
        sqlite_where=text("published_ms is not null"),
        postgresql_where=text("published_ms is not null"),
    ),
)

dlq_message = Table(
    "dlq_message",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("topic", String(128), nullable=False),
    Column("consumer", String(64), nullable=False),
    Column("event_id", String(64), nullable=False),
    Column("payload", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Index(None, "at_ms", "id"),
)
