"""Codes of devices that wait to be signed in (CTL-161)."""

import sqlalchemy as sa
from alembic import op

revision = "v0032"
down_revision = "v0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "device_grant",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("user_code", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("interval_s", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("polled_ms", sa.BigInteger()),
        sa.Column("account_id", sa.String(length=64)),
        sa.Column("scope", sa.Text()),
        sa.Column("allowed", sa.Boolean()),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_device_grant_account_id")
        ),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_device_grant")),
        sa.UniqueConstraint("user_code", name=op.f("uq_device_grant_user_code")),
    )
    for column in ("account_id", "expires_ms"):
        op.create_index(op.f(f"ix_device_grant_{column}"), "device_grant", [column], unique=False)


def downgrade() -> None:
    op.drop_table("device_grant")
