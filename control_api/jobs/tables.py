"""Works that operators asked for and no other table tells of."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, String, Table, text

from control_api.schema import Json, metadata

STATES = ("queued", "running", "done", "failed", "cancelled")
OPEN = "state in ('queued', 'running')"

# `told` is what was asked for, `report` what came of it; `taken_ms` says when a process last worked
# on it.
job = Table(
    "job",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("target", String(255)),
    Column("asked_by", String(64), nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("taken_ms", BigInteger),
    Column("state", String(16), nullable=False),
    Column("done", BigInteger, nullable=False, server_default=text("0")),
    Column("total", BigInteger),
    Column("error", String(64)),
    Column("detail", String(255)),
    Column("told", Json, nullable=False),
    Column("report", Json),
    CheckConstraint(f"state in {STATES}", name="state"),
    Index(None, "asked_ms", "id"),
    Index(None, "ended_ms"),
    Index("ix_job_open", "asked_ms", sqlite_where=text(OPEN), postgresql_where=text(OPEN)),
)
