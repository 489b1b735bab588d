"""The programme guide: sources, import runs, events and their text (control-api section 2)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "v0002"
down_revision = "v0001"
branch_labels = None
depends_on = None

# int8range is [start, end): neighbours may touch. `=` on text in a GiST index is btree_gist's.
NO_OVERLAP = """
ALTER TABLE epg_event ADD CONSTRAINT ex_epg_event_overlap
EXCLUDE USING gist (channel_id WITH =, int8range(start_ms, end_ms) WITH &&)
DEFERRABLE INITIALLY DEFERRED
"""


def upgrade() -> None:
    op.create_table(
        "epg_source",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("tz", sa.String(length=64), server_default=sa.text("'UTC'"), nullable=False),
        sa.Column("lang", sa.String(length=35), server_default=sa.text("'und'"), nullable=False),
        sa.Column("refresh_s", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("format in ('xmltv')", name=op.f("ck_epg_source_format")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_epg_source")),
    )
    op.create_table(
        "channel_source",
        sa.Column("source_id", sa.String(length=64), nullable=False),
        sa.Column("xmltv_id", sa.String(length=255), nullable=False),
        sa.Column("channel_id", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tz", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["source_id"], ["epg_source.id"], name=op.f("fk_channel_source_source_id")
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name=op.f("fk_channel_source_channel_id")
        ),
        sa.PrimaryKeyConstraint("source_id", "xmltv_id", name=op.f("pk_channel_source")),
    )
    op.create_index(
        op.f("ix_channel_source_channel_id_priority"), "channel_source", ["channel_id", "priority"]
    )
    op.create_table(
        "epg_import_run",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("source_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("report", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.CheckConstraint(
            "state in ('running', 'applied', 'held', 'failed')",
            name=op.f("ck_epg_import_run_state"),
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["epg_source.id"], name=op.f("fk_epg_import_run_source_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_epg_import_run")),
    )
    op.create_index(
        op.f("ix_epg_import_run_source_id_started_ms"),
        "epg_import_run",
        ["source_id", "started_ms"],
    )
    op.create_table(
        "epg_event",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("channel_id", sa.String(length=64), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.String(length=64), nullable=False),
        sa.Column("ext_id", sa.String(length=128), nullable=True),
        sa.Column("crid", sa.String(length=255), nullable=True),
        sa.Column("series_crid", sa.String(length=255), nullable=True),
        sa.Column("content_id", sa.String(length=64), nullable=True),
        sa.Column("season_no", sa.BigInteger(), nullable=True),
        sa.Column("episode_no", sa.BigInteger(), nullable=True),
        sa.Column("flags", sa.String(length=64), server_default=sa.text("''"), nullable=False),
        sa.Column("lang", sa.String(length=35), nullable=False),
        sa.Column("allow_npvr", sa.Boolean(), nullable=True),
        sa.Column("allow_catchup", sa.Boolean(), nullable=True),
        sa.Column("allow_startover", sa.Boolean(), nullable=True),
        sa.Column("hash", sa.String(length=32), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("end_ms > start_ms", name=op.f("ck_epg_event_ends_after_start")),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name=op.f("fk_epg_event_channel_id")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["epg_source.id"], name=op.f("fk_epg_event_source_id")
        ),
        sa.ForeignKeyConstraint(
            ["content_id"], ["content.id"], name=op.f("fk_epg_event_content_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_epg_event")),
    )
    for columns in EVENT_INDICES:
        op.create_index(op.f(f"ix_epg_event_{'_'.join(columns)}"), "epg_event", list(columns))
    op.create_table(
        "epg_event_text",
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("lang", sa.String(length=35), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("sub_title", sa.Text(), nullable=True),
        sa.Column("descr", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"], ["epg_event.id"], name=op.f("fk_epg_event_text_event_id")
        ),
        sa.PrimaryKeyConstraint("event_id", "lang", name=op.f("pk_epg_event_text")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        op.execute(NO_OVERLAP)


def downgrade() -> None:
    for table in ("epg_event_text", "epg_event", "epg_import_run", "channel_source", "epg_source"):
        op.drop_table(table)


EVENT_INDICES = (
    ("channel_id", "start_ms"),
    ("channel_id", "end_ms"),
    ("series_crid", "start_ms"),
    ("source_id", "ext_id"),
    ("content_id",),
)
