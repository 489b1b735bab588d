"""What operators edit of packages and offers: status, version, time of the last change."""

import sqlalchemy as sa
from alembic import op

revision = "v0018"
down_revision = "v0017"
branch_labels = None
depends_on = None

TABLES = ("package", "offer")


def upgrade() -> None:
    for table in TABLES:
        with op.batch_alter_table(table) as batch:
            status = sa.Column(
                "status",
                sa.String(length=16),
                server_default=sa.text("'active'"),
                nullable=False,
            )
            batch.add_column(status)
            for name, default in (("version", "1"), ("updated_ms", "0")):
                batch.add_column(
                    sa.Column(
                        name, sa.BigInteger(), server_default=sa.text(default), nullable=False
                    )
                )
            batch.create_check_constraint(
                op.f(f"ck_{table}_status"), "status in ('active', 'archived')"
            )


def downgrade() -> None:
    for table in TABLES:
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"ck_{table}_status"))
            for name in ("status", "version", "updated_ms"):
                batch.drop_column(name)
