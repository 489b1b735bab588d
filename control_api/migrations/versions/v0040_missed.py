"""What was published of a type, for who missed it."""

import sqlalchemy as sa
from alembic import op

revision = "v0040"
down_revision = "v0039"
branch_labels = None
depends_on = None

INDEX = "ix_outbox_topic_published_ms_seq"
PUBLISHED = sa.text("published_ms is not null")


def upgrade() -> None:
    op.create_index(
        INDEX,
        "outbox",
        ["topic", "published_ms", "seq"],
        sqlite_where=PUBLISHED,
        postgresql_where=PUBLISHED,
    )


def downgrade() -> None:
    op.drop_index(INDEX, table_name="outbox")
