"""Versions of accounts: who changes one names the version that it is of (CTL-8)."""

import sqlalchemy as sa
from alembic import op

revision = "v0030"
down_revision = "v0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("account") as batch:
        for name, default in (("version", "1"), ("updated_ms", "0")):
            made = sa.text(default)
            batch.add_column(sa.Column(name, sa.BigInteger(), server_default=made, nullable=False))
    op.execute("UPDATE account SET updated_ms = created_ms")


def downgrade() -> None:
    with op.batch_alter_table("account") as batch:
        batch.drop_column("updated_ms")
        batch.drop_column("version")
