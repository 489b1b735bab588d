"""Who watched what, and what is popular for it (CTL-145)."""

import sqlalchemy as sa
from alembic import op

revision = "v0021"
down_revision = "v0019"
branch_labels = None
depends_on = None

STARTS = "ix_playback_session_started_ms_id"


def upgrade() -> None:
    op.create_table(
        "watched",
        sa.Column("target_id", sa.String(length=64), nullable=False),
        sa.Column("viewer", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("target_id", "viewer", name=op.f("pk_watched")),
    )
    op.create_index(op.f("ix_watched_at_ms"), "watched", ["at_ms"])
    op.create_table(
        "popular",
        sa.Column("target_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("shown", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("target_id", name=op.f("pk_popular")),
    )
    op.create_index(op.f(STARTS), "playback_session", ["started_ms", "id"])


def downgrade() -> None:
    op.drop_index(op.f(STARTS), "playback_session")
    op.drop_table("popular")
    op.drop_table("watched")
