"""Webhook endpoints, deliveries and receipts (control-api section 2; CTL-150..155)."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "v0016"
down_revision = "v0015"
branch_labels = None
depends_on = None


def _json() -> Any:
    return sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("topics", _json(), nullable=False),
        sa.Column("filters", _json(), nullable=False),
        sa.Column("secret_current", sa.Text(), nullable=False),
        sa.Column("secret_previous", sa.Text(), nullable=True),
        sa.Column("previous_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("schedule", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("probe_ms", sa.BigInteger(), nullable=True),
        sa.Column("dropped", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "state in ('active', 'paused', 'disabled')", name=op.f("ck_webhook_endpoint_state")
        ),
        sa.CheckConstraint(
            "schedule in ('standard', 'extended')", name=op.f("ck_webhook_endpoint_schedule")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
    )
    op.create_index(
        op.f("ix_webhook_endpoint_account_id_id"), "webhook_endpoint", ["account_id", "id"]
    )
    op.create_index(op.f("ix_webhook_endpoint_state"), "webhook_endpoint", ["state"])
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("endpoint_id", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=1024), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("log", _json(), nullable=False),
        sa.CheckConstraint(
            "status in ('pending', 'done', 'dead', 'dropped')",
            name=op.f("ck_webhook_delivery_status"),
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoint.id"],
            name=op.f("fk_webhook_delivery_endpoint_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint(
            "endpoint_id", "event_id", name=op.f("uq_webhook_delivery_endpoint_id_event_id")
        ),
    )
    op.create_index(
        op.f("ix_webhook_delivery_status_next_ms"), "webhook_delivery", ["status", "next_ms"]
    )
    op.create_index(
        op.f("ix_webhook_delivery_endpoint_id_status_seq"),
        "webhook_delivery",
        ["endpoint_id", "status", "seq"],
    )
    op.create_table(
        "hook_receipt",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("webhook_id", sa.String(length=64), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "webhook_id", name=op.f("pk_hook_receipt")),
    )
    op.create_index(op.f("ix_hook_receipt_received_ms"), "hook_receipt", ["received_ms"])
    op.create_table(
        "hook_mark",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "subject", name=op.f("pk_hook_mark")),
    )


def downgrade() -> None:
    op.drop_table("hook_mark")
    op.drop_table("hook_receipt")
    op.drop_table("webhook_delivery")
    op.drop_table("webhook_endpoint")
