"""Works that operators asked for (control-api section 3, `admin/jobs`)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "v0035"
down_revision = "v0034"
branch_labels = None
depends_on = None

STATES = "state in ('queued', 'running', 'done', 'failed', 'cancelled')"
OPEN = sa.text("state in ('queued', 'running')")


def upgrade() -> None:
    json = sa.JSON().with_variant(JSONB(), "postgresql")
    op.create_table(
        "job",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("target", sa.String(length=255)),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.Column("started_ms", sa.BigInteger()),
        sa.Column("ended_ms", sa.BigInteger()),
        sa.Column("taken_ms", sa.BigInteger()),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("done", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("total", sa.BigInteger()),
        sa.Column("error", sa.String(length=64)),
        sa.Column("detail", sa.String(length=255)),
        sa.Column("told", json, nullable=False),
        sa.Column("report", json),
        sa.CheckConstraint(STATES, name=op.f("ck_job_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index(op.f("ix_job_asked_ms_id"), "job", ["asked_ms", "id"])
    op.create_index(op.f("ix_job_ended_ms"), "job", ["ended_ms"])
    op.create_index("ix_job_open", "job", ["asked_ms"], sqlite_where=OPEN, postgresql_where=OPEN)


def downgrade() -> None:
    op.drop_table("job")
