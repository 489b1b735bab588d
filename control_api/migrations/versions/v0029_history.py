"""What profiles watched (control-api section 2); what is bookmarked was."""

import sqlalchemy as sa
from alembic import op

revision = "v0029"
down_revision = "v0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "watch_history",
        sa.Column("profile_id", sa.String(length=64), nullable=False),
        sa.Column("target_id", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["profile.id"],
            name=op.f("fk_watch_history_profile_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("profile_id", "target_id", name=op.f("pk_watch_history")),
    )
    op.create_index(
        op.f("ix_watch_history_profile_id_at_ms"),
        "watch_history",
        ["profile_id", "at_ms"],
        unique=False,
    )
    op.execute(
        "INSERT INTO watch_history (profile_id, target_id, at_ms) "
        "SELECT profile_id, content_id, updated_ms FROM bookmark"
    )


def downgrade() -> None:
    op.drop_table("watch_history")
