"""The catalogue's workflow, what it says of titles, versions and audit; state of assets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "v0005"
down_revision = "v0003"
branch_labels = None
depends_on = None

BEFORE = ("draft", "published", "withdrawn")
AFTER = ("draft", "review", "approved", "published", "archived")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
ASSET_STATES = "state in ('pending', 'ready', 'failed')"


def upgrade() -> None:
    _statuses(AFTER, {"withdrawn": "archived"})
    with op.batch_alter_table("content") as batch:
        batch.add_column(sa.Column("min_age", sa.BigInteger()))
    with op.batch_alter_table("channel") as batch:
        batch.add_column(sa.Column("name", sa.Text()))
        batch.add_column(sa.Column("logo_url", sa.Text()))
        for name, default in (("version", "1"), ("updated_ms", "0")):
            batch.add_column(
                sa.Column(name, sa.BigInteger(), server_default=sa.text(default), nullable=False)
            )
    with op.batch_alter_table("asset") as batch:
        state = sa.Column(
            "state", sa.String(length=16), server_default=sa.text("'ready'"), nullable=False
        )
        batch.add_column(state)
        batch.create_check_constraint(op.f("ck_asset_state"), ASSET_STATES)
    _create()


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    _statuses(BEFORE, dict.fromkeys(("review", "approved"), "draft") | {"archived": "withdrawn"})
    with op.batch_alter_table("content") as batch:
        batch.drop_column("min_age")
    with op.batch_alter_table("channel") as batch:
        for name in ("name", "logo_url", "version", "updated_ms"):
            batch.drop_column(name)
    with op.batch_alter_table("asset") as batch:
        batch.drop_constraint(op.f("ck_asset_state"))
        batch.drop_column("state")


def _statuses(states: tuple[str, ...], renamed: dict[str, str]) -> None:
    """Let both tables have these states, and give rows their new names in between."""
    for table in ("content", "channel"):
        check = op.f(f"ck_{table}_status")
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(check)
        for old, new in renamed.items():
            change = sa.text(f"UPDATE {table} SET status = :new WHERE status = :old")
            op.execute(change.bindparams(new=new, old=old))
        with op.batch_alter_table(table) as batch:
            batch.create_check_constraint(check, f"status in {states}")


TABLES = (
    "audit_log",
    "content_version",
    "external_id",
    "artwork",
    "credit",
    "content_language",
    "content_genre",
)


def _child(name: str, *columns: sa.schema.SchemaItem, key: tuple[str, ...]) -> None:
    """A table of rows that belong to a title."""
    op.create_table(
        name,
        sa.Column("content_id", sa.String(length=64), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name=op.f(f"fk_{name}_content_id")),
        sa.PrimaryKeyConstraint("content_id", *key, name=op.f(f"pk_{name}")),
    )


def _create() -> None:
    _child(
        "content_genre", sa.Column("genre", sa.String(length=64), nullable=False), key=("genre",)
    )
    op.create_index(
        op.f("ix_content_genre_genre_content_id"), "content_genre", ["genre", "content_id"]
    )
    _child(
        "content_language",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("lang", sa.String(length=35), nullable=False),
        sa.CheckConstraint("kind in ('audio', 'subtitle')", name=op.f("ck_content_language_kind")),
        key=("kind", "lang"),
    )
    op.create_index(
        op.f("ix_content_language_kind_lang_content_id"),
        "content_language",
        ["kind", "lang", "content_id"],
    )
    _child(
        "credit",
        sa.Column("pos", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("character", sa.Text(), nullable=True),
        key=("pos",),
    )
    _child(
        "artwork",
        sa.Column("pos", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("lang", sa.String(length=35), nullable=True),
        sa.Column("width", sa.BigInteger(), nullable=True),
        sa.Column("height", sa.BigInteger(), nullable=True),
        key=("pos",),
    )
    op.create_table(
        "external_id",
        sa.Column("system", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.Column("target_kind", sa.String(length=16), nullable=False),
        sa.Column("target_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("system", "value", name=op.f("pk_external_id")),
    )
    op.create_index(
        op.f("ix_external_id_target_kind_target_id"), "external_id", ["target_kind", "target_id"]
    )
    op.create_table(
        "content_version",
        sa.Column("content_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("document", JSON, nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("content_id", "version", name=op.f("pk_content_version")),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("before", JSON, nullable=True),
        sa.Column("after", JSON, nullable=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index(op.f("ix_audit_log_at_ms_id"), "audit_log", ["at_ms", "id"])
    op.create_index(op.f("ix_audit_log_target_at_ms"), "audit_log", ["target", "at_ms"])
