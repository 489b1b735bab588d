"""The outbox and the dead letters (control-api section 2; CTL-170, CTL-172)."""

import sqlalchemy as sa
from alembic import op

revision = "v0015"
down_revision = "v0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=1024), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("published_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
        sa.UniqueConstraint("id", name=op.f("uq_outbox_id")),
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["seq"],
        sqlite_where=sa.text("published_ms is null"),
        postgresql_where=sa.text("published_ms is null"),
    )
    op.create_index(op.f("ix_outbox_published_ms_seq"), "outbox", ["published_ms", "seq"])
    op.create_table(
        "dlq_message",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("topic", sa.String(length=128), nullable=False),
        sa.Column("consumer", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dlq_message")),
    )
    op.create_index(op.f("ix_dlq_message_at_ms_id"), "dlq_message", ["at_ms", "id"])


def downgrade() -> None:
    op.drop_table("dlq_message")
    op.drop_table("outbox")
