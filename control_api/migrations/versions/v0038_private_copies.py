"""How far the private copies of recordings are (CTL-127)."""

import sqlalchemy as sa
from alembic import op

revision = "v0038"
down_revision = "v0037"
branch_labels = None
depends_on = None

INDEX = "ix_recording_asset_copying"
COPYING = sa.text("copy_mode = 'private' and state = 'checking'")


def upgrade() -> None:
    with op.batch_alter_table("recording_asset") as batch:
        batch.add_column(sa.Column("copied_objects", sa.BigInteger()))
        batch.add_column(sa.Column("left_objects", sa.BigInteger()))
        batch.add_column(sa.Column("copy_error", sa.String(length=32)))
    op.create_index(
        INDEX, "recording_asset", ["end_ms"], sqlite_where=COPYING, postgresql_where=COPYING
    )


def downgrade() -> None:
    op.drop_index(INDEX, table_name="recording_asset")
    with op.batch_alter_table("recording_asset") as batch:
        batch.drop_column("copy_error")
        batch.drop_column("left_objects")
        batch.drop_column("copied_objects")
