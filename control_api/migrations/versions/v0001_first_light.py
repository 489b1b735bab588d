"""Accounts, catalogue, rights and playback sessions (control-api section 2)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "v0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("max_streams", sa.BigInteger(), nullable=False),
        sa.Column("max_devices", sa.BigInteger(), nullable=False),
        sa.Column("npvr_quota_s", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "status in ('active', 'suspended', 'deleted')", name=op.f("ck_account_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
    )
    op.create_table(
        "channel",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("dvr_window_s", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("allow_startover", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("catchup_h", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("allow_npvr", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column(
            "copy_mode", sa.String(length=16), server_default=sa.text("'shared'"), nullable=False
        ),
        sa.Column("popularity", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("copy_mode in ('shared', 'private')", name=op.f("ck_channel_copy_mode")),
        sa.CheckConstraint(
            "status in ('draft', 'published', 'withdrawn')", name=op.f("ck_channel_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel")),
        sa.UniqueConstraint("slug", name=op.f("uq_channel_slug")),
    )
    op.create_index(op.f("ix_channel_number"), "channel", ["number"], unique=False)
    op.create_table(
        "content",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=True),
        sa.Column("season_no", sa.BigInteger(), nullable=True),
        sa.Column("episode_no", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("year", sa.BigInteger(), nullable=True),
        sa.Column("rating", sa.String(length=16), nullable=True),
        sa.Column("orig_lang", sa.String(length=35), nullable=True),
        sa.Column("popularity", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind in ('movie', 'series', 'season', 'episode', 'clip', 'event')",
            name=op.f("ck_content_kind"),
        ),
        sa.CheckConstraint(
            "status in ('draft', 'published', 'withdrawn')", name=op.f("ck_content_status")
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["content.id"], name=op.f("fk_content_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content")),
        sa.UniqueConstraint(
            "parent_id",
            "season_no",
            "episode_no",
            name=op.f("uq_content_parent_id_season_no_episode_no"),
        ),
    )
    op.create_index(
        op.f("ix_content_kind_status_updated_ms_id"),
        "content",
        ["kind", "status", "updated_ms", "id"],
        unique=False,
    )
    op.create_table(
        "package",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("tier", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.CheckConstraint("kind in ('svod', 'tvod', 'avod')", name=op.f("ck_package_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package")),
    )
    op.create_table(
        "asset",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("content_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("origin_path", sa.Text(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("drm_policy", sa.String(length=32), nullable=True),
        sa.Column("tracks", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.CheckConstraint("kind in ('vod', 'trailer')", name=op.f("ck_asset_kind")),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name=op.f("fk_asset_content_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset")),
    )
    op.create_index(op.f("ix_asset_content_id"), "asset", ["content_id"], unique=False)
    op.create_table(
        "content_text",
        sa.Column("content_id", sa.String(length=64), nullable=False),
        sa.Column("lang", sa.String(length=35), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("sort_title", sa.Text(), nullable=False),
        sa.Column("synopsis", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["content_id"], ["content.id"], name=op.f("fk_content_text_content_id")
        ),
        sa.PrimaryKeyConstraint("content_id", "lang", name=op.f("pk_content_text")),
    )
    op.create_table(
        "credential",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=254), nullable=False),
        sa.Column("hash", sa.Text(), nullable=True),
        sa.CheckConstraint("kind in ('password', 'oidc')", name=op.f("ck_credential_kind")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_credential_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential")),
        sa.UniqueConstraint("kind", "subject", name=op.f("uq_credential_kind_subject")),
    )
    op.create_index(op.f("ix_credential_account_id"), "credential", ["account_id"], unique=False)
    op.create_table(
        "device",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("class", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("drm", sa.String(length=32), nullable=True),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "class in ('tv', 'stb', 'mobile', 'web', 'cast')", name=op.f("ck_device_class")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_device_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
    )
    op.create_index(
        op.f("ix_device_account_id_revoked_ms"),
        "device",
        ["account_id", "revoked_ms"],
        unique=False,
    )
    op.create_table(
        "entitlement",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("package_id", sa.String(length=64), nullable=True),
        sa.Column("content_id", sa.String(length=64), nullable=True),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("source_ref", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=True),
        sa.Column("max_uses", sa.BigInteger(), nullable=True),
        sa.Column("uses", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_played_ms", sa.BigInteger(), nullable=True),
        sa.Column("viewing_s", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(content_id is null) <> (package_id is null)", name=op.f("ck_entitlement_one_subject")
        ),
        sa.CheckConstraint("end_ms > start_ms", name=op.f("ck_entitlement_ends_after_start")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_entitlement_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["content_id"], ["content.id"], name=op.f("fk_entitlement_content_id")
        ),
        sa.ForeignKeyConstraint(
            ["package_id"], ["package.id"], name=op.f("fk_entitlement_package_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entitlement")),
        sa.UniqueConstraint("source", "source_ref", name=op.f("uq_entitlement_source_source_ref")),
    )
    op.create_index(
        op.f("ix_entitlement_account_id_state_end_ms"),
        "entitlement",
        ["account_id", "state", "end_ms"],
        unique=False,
    )
    op.create_index(op.f("ix_entitlement_content_id"), "entitlement", ["content_id"], unique=False)
    op.create_index(op.f("ix_entitlement_package_id"), "entitlement", ["package_id"], unique=False)
    op.create_table(
        "offer",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("package_id", sa.String(length=64), nullable=True),
        sa.Column("content_id", sa.String(length=64), nullable=True),
        sa.Column("territory", sa.String(length=2), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("period", sa.String(length=16), nullable=True),
        sa.Column("rental_s", sa.BigInteger(), nullable=True),
        sa.Column("viewing_s", sa.BigInteger(), nullable=True),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(content_id is null) <> (package_id is null)", name=op.f("ck_offer_one_subject")
        ),
        sa.CheckConstraint("end_ms > start_ms", name=op.f("ck_offer_ends_after_start")),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name=op.f("fk_offer_content_id")),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name=op.f("fk_offer_package_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer")),
    )
    op.create_index(op.f("ix_offer_content_id"), "offer", ["content_id"], unique=False)
    op.create_index(op.f("ix_offer_package_id"), "offer", ["package_id"], unique=False)
    op.create_table(
        "package_content",
        sa.Column("package_id", sa.String(length=64), nullable=False),
        sa.Column("target_kind", sa.String(length=16), nullable=False),
        sa.Column("target_id", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "target_kind in ('content', 'series', 'channel', 'tier')",
            name=op.f("ck_package_content_target_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["package_id"], ["package.id"], name=op.f("fk_package_content_package_id")
        ),
        sa.PrimaryKeyConstraint(
            "package_id", "target_kind", "target_id", name=op.f("pk_package_content")
        ),
    )
    op.create_index(
        op.f("ix_package_content_target_kind_target_id"),
        "package_content",
        ["target_kind", "target_id"],
        unique=False,
    )
    op.create_table(
        "playback_session",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("profile_id", sa.String(length=64), nullable=True),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("target_id", sa.String(length=64), nullable=False),
        sa.Column("cti", sa.String(length=32), nullable=False),
        sa.Column("cdn", sa.String(length=32), nullable=True),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("end_reason", sa.String(length=32), nullable=True),
        sa.Column("position_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_playback_session_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_playback_session")),
    )
    op.create_index(
        op.f("ix_playback_session_account_id_started_ms"),
        "playback_session",
        ["account_id", "started_ms"],
        unique=False,
    )
    op.create_index(
        "ix_playback_session_live",
        "playback_session",
        ["last_seen_ms"],
        unique=False,
        sqlite_where=sa.text("ended_ms is null"),
        postgresql_where=sa.text("ended_ms is null"),
    )
    op.create_table(
        "rights_window",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("content_id", sa.String(length=64), nullable=True),
        sa.Column("channel_id", sa.String(length=64), nullable=True),
        sa.Column("territory", sa.String(length=2), nullable=False),
        sa.Column("licence", sa.String(length=8), nullable=False),
        sa.Column("platform", sa.String(length=16), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("tier", sa.BigInteger(), nullable=True),
        sa.Column("max_height", sa.BigInteger(), nullable=True),
        sa.Column("hdcp", sa.String(length=8), nullable=True),
        sa.Column("offline", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint(
            "licence in ('svod', 'tvod', 'est', 'avod', 'free')",
            name=op.f("ck_rights_window_licence"),
        ),
        sa.CheckConstraint(
            "(content_id is null) <> (channel_id is null)",
            name=op.f("ck_rights_window_one_subject"),
        ),
        sa.CheckConstraint("end_ms > start_ms", name=op.f("ck_rights_window_ends_after_start")),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name=op.f("fk_rights_window_channel_id")
        ),
        sa.ForeignKeyConstraint(
            ["content_id"], ["content.id"], name=op.f("fk_rights_window_content_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rights_window")),
    )
    op.create_index(
        op.f("ix_rights_window_channel_id_start_ms"),
        "rights_window",
        ["channel_id", "start_ms"],
        unique=False,
    )
    op.create_index(
        op.f("ix_rights_window_content_id_start_ms"),
        "rights_window",
        ["content_id", "start_ms"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_rights_window_content_id_start_ms"), table_name="rights_window")
    op.drop_index(op.f("ix_rights_window_channel_id_start_ms"), table_name="rights_window")
    op.drop_table("rights_window")
    op.drop_index(
        "ix_playback_session_live",
        table_name="playback_session",
        sqlite_where=sa.text("ended_ms is null"),
        postgresql_where=sa.text("ended_ms is null"),
    )
    op.drop_index(op.f("ix_playback_session_account_id_started_ms"), table_name="playback_session")
    op.drop_table("playback_session")
    op.drop_index(op.f("ix_package_content_target_kind_target_id"), table_name="package_content")
    op.drop_table("package_content")
    op.drop_index(op.f("ix_offer_package_id"), table_name="offer")
    op.drop_index(op.f("ix_offer_content_id"), table_name="offer")
    op.drop_table("offer")
    op.drop_index(op.f("ix_entitlement_package_id"), table_name="entitlement")
    op.drop_index(op.f("ix_entitlement_content_id"), table_name="entitlement")
    op.drop_index(op.f("ix_entitlement_account_id_state_end_ms"), table_name="entitlement")
    op.drop_table("entitlement")
    op.drop_index(op.f("ix_device_account_id_revoked_ms"), table_name="device")
    op.drop_table("device")
    op.drop_index(op.f("ix_credential_account_id"), table_name="credential")
    op.drop_table("credential")
    op.drop_table("content_text")
    op.drop_index(op.f("ix_asset_content_id"), table_name="asset")
    op.drop_table("asset")
    op.drop_table("package")
    op.drop_index(op.f("ix_content_kind_status_updated_ms_id"), table_name="content")
    op.drop_table("content")
    op.drop_index(op.f("ix_channel_number"), table_name="channel")
    op.drop_table("channel")
    op.drop_table("account")
