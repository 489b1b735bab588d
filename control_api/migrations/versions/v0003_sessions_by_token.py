"""Sessions found by the id in their token: licence requests carry nothing else."""

from alembic import op

revision = "v0003"
down_revision = "v0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_playback_session_cti", "playback_session", ["cti"])


def downgrade() -> None:
    op.drop_index("ix_playback_session_cti", table_name="playback_session")
