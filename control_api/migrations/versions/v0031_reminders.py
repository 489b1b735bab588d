"""Reminders of programmes (control-api section 2)."""

import sqlalchemy as sa
from alembic import op

revision = "v0031"
down_revision = "v0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reminder",
        sa.Column("profile_id", sa.String(length=64), nullable=False),
        sa.Column("target_id", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profile.id"], name=op.f("fk_reminder_profile_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("profile_id", "target_id", name=op.f("pk_reminder")),
    )
    for columns in (["profile_id", "at_ms"], ["at_ms"], ["target_id"]):
        name = op.f(f"ix_reminder_{'_'.join(columns)}")
        op.create_index(name, "reminder", columns, unique=False)


def downgrade() -> None:
    op.drop_table("reminder")
