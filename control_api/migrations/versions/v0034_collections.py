"""Collections of titles (control-api section 2)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "v0034"
down_revision = "v0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "collection",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("texts", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collection")),
    )
    op.create_table(
        "collection_item",
        sa.Column("collection_id", sa.String(length=64), nullable=False),
        sa.Column("content_id", sa.String(length=64), nullable=False),
        sa.Column("pos", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name=op.f("fk_collection_item_collection_id")
        ),
        sa.ForeignKeyConstraint(
            ["content_id"], ["content.id"], name=op.f("fk_collection_item_content_id")
        ),
        sa.PrimaryKeyConstraint("collection_id", "content_id", name=op.f("pk_collection_item")),
        sa.UniqueConstraint(
            "collection_id", "pos", name=op.f("uq_collection_item_collection_id_pos")
        ),
    )
    op.create_index(
        op.f("ix_collection_item_content_id"), "collection_item", ["content_id"], unique=False
    )


def downgrade() -> None:
    op.drop_table("collection_item")
    op.drop_table("collection")
