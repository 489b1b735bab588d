"""Refresh tokens (control-api sections 2 and 10)."""

import sqlalchemy as sa
from alembic import op

revision = "v0012"
down_revision = "v0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "refresh_token",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("family", sa.String(length=32), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_refresh_token_account_id")
        ),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_refresh_token")),
    )
    op.create_index(
        op.f("ix_refresh_token_account_id"), "refresh_token", ["account_id"], unique=False
    )
    op.create_index(
        op.f("ix_refresh_token_expires_ms"), "refresh_token", ["expires_ms"], unique=False
    )
    op.create_index(op.f("ix_refresh_token_family"), "refresh_token", ["family"], unique=False)


def downgrade() -> None:
    op.drop_table("refresh_token")
