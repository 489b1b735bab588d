"""Recordings, their assets, rules and quotas (control-api sections 2 and 7)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "v0010"
down_revision = "v0006"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "recording_rule",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("series_crid", sa.String(length=255), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("title_key", sa.String(length=255), nullable=True),
        sa.Column("channel_id", sa.String(length=64), nullable=True),
        sa.Column("policy", sa.String(length=8), nullable=False),
        sa.Column("keep_n", sa.BigInteger(), nullable=True),
        sa.Column("excluded_seasons", JSON, nullable=False),
        sa.Column("pad_before_s", sa.BigInteger(), nullable=False),
        sa.Column("pad_after_s", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "policy in ('new', 'unique', 'all')", name=op.f("ck_recording_rule_policy")
        ),
        sa.CheckConstraint("state in ('active', 'deleted')", name=op.f("ck_recording_rule_state")),
        sa.CheckConstraint(
            "(series_crid is null) <> (title_key is null)",
            name=op.f("ck_recording_rule_one_subject"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_recording_rule_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name=op.f("fk_recording_rule_channel_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_rule")),
    )
    op.create_index(
        op.f("ix_recording_rule_account_id"), "recording_rule", ["account_id"], unique=False
    )
    op.create_index(
        op.f("ix_recording_rule_series_crid"), "recording_rule", ["series_crid"], unique=False
    )
    op.create_index(
        op.f("ix_recording_rule_title_key"), "recording_rule", ["title_key"], unique=False
    )
    op.create_table(
        "recording_asset",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("channel_id", sa.String(length=64), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("copy_mode", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=True),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=True),
        sa.Column("missing_ms", sa.BigInteger(), nullable=False),
        sa.Column("tracks", JSON, nullable=True),
        sa.CheckConstraint(
            "copy_mode in ('shared', 'private')", name=op.f("ck_recording_asset_copy_mode")
        ),
        sa.CheckConstraint(
            "state in ('planned', 'held', 'checking', 'complete', 'partial', 'failed',"
            " 'releasing')",
            name=op.f("ck_recording_asset_state"),
        ),
        sa.CheckConstraint("end_ms > start_ms", name=op.f("ck_recording_asset_ends_after_start")),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name=op.f("fk_recording_asset_channel_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_asset")),
    )
    op.create_index(
        "ix_recording_asset_due",
        "recording_asset",
        ["due_ms"],
        unique=False,
        sqlite_where=sa.text("due_ms is not null"),
        postgresql_where=sa.text("due_ms is not null"),
    )
    op.create_index(
        "uq_recording_asset_range",
        "recording_asset",
        ["channel_id", "start_ms", "end_ms", "account_id", "copy_mode"],
        unique=True,
        sqlite_where=sa.text("state <> 'releasing'"),
        postgresql_where=sa.text("state <> 'releasing'"),
    )
    op.create_table(
        "recording_gap",
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("track", sa.String(length=64), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["recording_asset.id"], name=op.f("fk_recording_gap_asset_id")
        ),
        sa.PrimaryKeyConstraint("asset_id", "track", "start_ms", name=op.f("pk_recording_gap")),
    )
    op.create_table(
        "recording",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("channel_id", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=True),
        sa.Column("programme", sa.String(length=255), nullable=True),
        sa.Column("rule_id", sa.String(length=64), nullable=True),
        sa.Column("asset_id", sa.String(length=64), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("season_no", sa.BigInteger(), nullable=True),
        sa.Column("episode_no", sa.BigInteger(), nullable=True),
        sa.Column("prog_start_ms", sa.BigInteger(), nullable=False),
        sa.Column("prog_end_ms", sa.BigInteger(), nullable=False),
        sa.Column("pad_before_s", sa.BigInteger(), nullable=False),
        sa.Column("pad_after_s", sa.BigInteger(), nullable=False),
        sa.Column("counted_s", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("protected", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=True),
        sa.Column("due_ms", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state in ('requested', 'scheduled', 'recording', 'finalizing', 'completed', 'partial',"
            " 'failed', 'cancelled', 'expired', 'deleted')",
            name=op.f("ck_recording_state"),
        ),
        sa.CheckConstraint(
            "prog_end_ms > prog_start_ms", name=op.f("ck_recording_ends_after_start")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_recording_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["recording_asset.id"], name=op.f("fk_recording_asset_id")
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name=op.f("fk_recording_channel_id")
        ),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["recording_rule.id"], name=op.f("fk_recording_rule_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording")),
    )
    op.create_index(
        op.f("ix_recording_account_id_prog_start_ms_id"),
        "recording",
        ["account_id", "prog_start_ms", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_recording_account_id_programme"),
        "recording",
        ["account_id", "programme"],
        unique=False,
    )
    op.create_index(
        op.f("ix_recording_asset_id_state"), "recording", ["asset_id", "state"], unique=False
    )
    op.create_index(
        op.f("ix_recording_channel_id_state"), "recording", ["channel_id", "state"], unique=False
    )
    op.create_index(
        "ix_recording_due",
        "recording",
        ["due_ms"],
        unique=False,
        sqlite_where=sa.text("due_ms is not null"),
        postgresql_where=sa.text("due_ms is not null"),
    )
    op.create_index(op.f("ix_recording_rule_id"), "recording", ["rule_id"], unique=False)
    op.create_index(
        "uq_recording_event",
        "recording",
        ["account_id", "event_id"],
        unique=True,
        sqlite_where=sa.text(
            "state in ('requested', 'scheduled', 'recording', 'finalizing', 'completed', 'partial')"
        ),
        postgresql_where=sa.text(
            "state in ('requested', 'scheduled', 'recording', 'finalizing', 'completed', 'partial')"
        ),
    )
    op.create_table(
        "quota",
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("used_s", sa.BigInteger(), nullable=False),
        sa.Column("reserved_s", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used_s >= 0 and reserved_s >= 0", name=op.f("ck_quota_not_negative")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_quota_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_quota")),
    )
    op.create_table(
        "schedule_change",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("channel_id", sa.String(length=64), nullable=False),
        sa.Column("after_rule", sa.String(length=64), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_schedule_change")),
    )


def downgrade() -> None:
    for table in (
        "schedule_change",
        "quota",
        "recording",
        "recording_gap",
        "recording_asset",
        "recording_rule",
    ):
        op.drop_table(table)
