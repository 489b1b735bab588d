"""Room for a session's CDN, whose name has up to 64 letters as everywhere."""

import sqlalchemy as sa
from alembic import op

revision = "v0044"
down_revision = "v0043"
branch_labels = None
depends_on = None

SHORT, LONG = sa.String(length=32), sa.String(length=64)


def upgrade() -> None:
    with op.batch_alter_table("playback_session") as batch:
        batch.alter_column("cdn", existing_type=SHORT, type_=LONG, existing_nullable=True)


def downgrade() -> None:
    op.execute("UPDATE playback_session SET cdn = substr(cdn, 1, 32) WHERE length(cdn) > 32")
    with op.batch_alter_table("playback_session") as batch:
        batch.alter_column("cdn", existing_type=LONG, type_=SHORT, existing_nullable=True)
