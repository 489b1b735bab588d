"""How far programmes that begin and end are told, and the indices that find the next ones."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "v0039"
down_revision = "v0038"
branch_labels = None
depends_on = None

# Most programmes have neither, and an import writes each index.
GIVEN = (("series_crid", "start_ms"), ("content_id",))


def upgrade() -> None:
    op.create_table(
        "epg_told",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("verb", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("event_id", sa.String(length=64), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_epg_told")),
    )
    op.drop_index("ix_epg_event_source_id_ext_id", "epg_event")
    for columns in GIVEN:
        given = sa.text(f"{columns[0]} is not null")
        _again(columns, sqlite_where=given, postgresql_where=given)
    for column in ("start_ms", "end_ms"):
        op.create_index(f"ix_epg_event_{column}", "epg_event", [column])


def downgrade() -> None:
    for column in ("start_ms", "end_ms"):
        op.drop_index(f"ix_epg_event_{column}", "epg_event")
    for columns in GIVEN:
        _again(columns)
    op.create_index("ix_epg_event_source_id_ext_id", "epg_event", ["source_id", "ext_id"])
    op.drop_table("epg_told")


def _again(columns: tuple[str, ...], **where: Any) -> None:
    name = f"ix_epg_event_{'_'.join(columns)}"
    op.drop_index(name, "epg_event")
    op.create_index(name, "epg_event", list(columns), **where)
