"""Profiles, bookmarks and watchlists (control-api section 2)."""

import sqlalchemy as sa
from alembic import op

revision = "v0011"
down_revision = "v0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "profile",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("max_rating", sa.String(length=16), nullable=True),
        sa.Column("lang", sa.String(length=35), nullable=True),
        sa.Column("pin_hash", sa.Text(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind in ('adult', 'kids')", name=op.f("ck_profile_kind")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_profile_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile")),
    )
    op.create_index(
        op.f("ix_profile_account_id_created_ms"),
        "profile",
        ["account_id", "created_ms"],
        unique=False,
    )
    op.create_table(
        "bookmark",
        sa.Column("profile_id", sa.String(length=64), nullable=False),
        sa.Column("content_id", sa.String(length=64), nullable=False),
        sa.Column("position_ms", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profile.id"], name=op.f("fk_bookmark_profile_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("profile_id", "content_id", name=op.f("pk_bookmark")),
    )
    op.create_index(
        op.f("ix_bookmark_profile_id_updated_ms"),
        "bookmark",
        ["profile_id", "updated_ms"],
        unique=False,
    )
    op.create_table(
        "watchlist",
        sa.Column("profile_id", sa.String(length=64), nullable=False),
        sa.Column("target_id", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profile.id"], name=op.f("fk_watchlist_profile_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("profile_id", "target_id", name=op.f("pk_watchlist")),
    )
    op.create_index(
        op.f("ix_watchlist_profile_id_at_ms"), "watchlist", ["profile_id", "at_ms"], unique=False
    )


def downgrade() -> None:
    for table in (
        "watchlist",
        "bookmark",
        "profile",
    ):
        op.drop_table(table)
