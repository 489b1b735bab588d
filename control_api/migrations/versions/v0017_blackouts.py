"""Blackouts, tries of a PIN, what a session was opened with, edges of windows (CTL-33, 76, 77)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "v0017"
down_revision = "v0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blackout",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("channel_id", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=True),
        sa.Column("territories", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("alternate_channel_id", sa.String(length=64), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("end_ms > start_ms", name=op.f("ck_blackout_ends_after_start")),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name=op.f("fk_blackout_channel_id")
        ),
        sa.ForeignKeyConstraint(
            ["alternate_channel_id"],
            ["channel.id"],
            name=op.f("fk_blackout_alternate_channel_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blackout")),
    )
    for columns in (
        ["channel_id", "end_ms"],
        ["start_ms", "id"],
        ["end_ms", "id"],
        ["alternate_channel_id"],
    ):
        op.create_index(op.f(f"ix_blackout_{'_'.join(columns)}"), "blackout", columns)
    op.create_table(
        "edge_mark",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_edge_mark")),
    )
    for edge in ("start_ms", "end_ms"):
        op.create_index(op.f(f"ix_rights_window_{edge}_id"), "rights_window", [edge, "id"])
    with op.batch_alter_table("channel") as batch:
        batch.add_column(sa.Column("min_age", sa.BigInteger()))
    with op.batch_alter_table("profile") as batch:
        for name in ("pin_tries", "pin_since_ms"):
            batch.add_column(
                sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
            )
    with op.batch_alter_table("playback_session") as batch:
        batch.add_column(
            sa.Column("pin_passed", sa.Boolean(), server_default=sa.false(), nullable=False)
        )


def downgrade() -> None:
    with op.batch_alter_table("playback_session") as batch:
        batch.drop_column("pin_passed")
    with op.batch_alter_table("profile") as batch:
        for name in ("pin_tries", "pin_since_ms"):
            batch.drop_column(name)
    with op.batch_alter_table("channel") as batch:
        batch.drop_column("min_age")
    for edge in ("start_ms", "end_ms"):
        op.drop_index(op.f(f"ix_rights_window_{edge}_id"), "rights_window")
    op.drop_table("edge_mark")
    op.drop_table("blackout")
