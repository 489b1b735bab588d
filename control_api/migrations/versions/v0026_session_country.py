"""Where a session was begun: its rights are looked at again from there (CTL-10, CTL-132)."""

import sqlalchemy as sa
from alembic import op

revision = "v0026"
down_revision = "v0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("playback_session") as batch:
        batch.add_column(
            sa.Column(
                "country", sa.String(length=2), server_default=sa.text("'ZZ'"), nullable=False
            )
        )


def downgrade() -> None:
    with op.batch_alter_table("playback_session") as batch:
        batch.drop_column("country")
