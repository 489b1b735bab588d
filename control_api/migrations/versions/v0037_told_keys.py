"""Which signing keys were told of (control-api section 11, `key.rotated`)."""

import sqlalchemy as sa
from alembic import op

revision = "v0037"
down_revision = "v0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "told_key",
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("kid", sa.String(length=255), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("purpose", "kid", name=op.f("pk_told_key")),
    )


def downgrade() -> None:
    op.drop_table("told_key")
