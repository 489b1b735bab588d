"""Quotas of recordings in bytes beside those in seconds (CTL-122)."""

import sqlalchemy as sa
from alembic import op

revision = "v0020"
down_revision = "v0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    none = sa.text("0")
    with op.batch_alter_table("account") as batch:
        batch.add_column(sa.Column("npvr_quota_bytes", sa.BigInteger()))
    with op.batch_alter_table("recording_asset") as batch:
        batch.add_column(sa.Column("size_bytes", sa.BigInteger()))
    with op.batch_alter_table("recording") as batch:
        batch.add_column(
            sa.Column("counted_bytes", sa.BigInteger(), server_default=none, nullable=False)
        )
    with op.batch_alter_table("quota") as batch:
        for name in ("used_bytes", "reserved_bytes"):
            batch.add_column(sa.Column(name, sa.BigInteger(), server_default=none, nullable=False))
        batch.create_check_constraint(
            op.f("ck_quota_bytes_not_negative"), "used_bytes >= 0 and reserved_bytes >= 0"
        )


def downgrade() -> None:
    with op.batch_alter_table("quota") as batch:
        batch.drop_constraint(op.f("ck_quota_bytes_not_negative"), type_="check")
        batch.drop_column("reserved_bytes")
        batch.drop_column("used_bytes")
    with op.batch_alter_table("recording") as batch:
        batch.drop_column("counted_bytes")
    with op.batch_alter_table("recording_asset") as batch:
        batch.drop_column("size_bytes")
    with op.batch_alter_table("account") as batch:
        batch.drop_column("npvr_quota_bytes")
