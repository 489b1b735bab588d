"""How many processes began with a file of the guide that waits."""

import sqlalchemy as sa
from alembic import op

revision = "v0033"
down_revision = "v0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("epg_import_file") as batch:
        batch.add_column(sa.Column("tries", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("epg_import_file") as batch:
        batch.drop_column("tries")
