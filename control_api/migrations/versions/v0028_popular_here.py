"""What is popular in each territory (CTL-145); what was counted so far is of all of them."""

import sqlalchemy as sa
from alembic import op

revision = "v0028"
down_revision = "v0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("popular") as batch:
        batch.add_column(
            sa.Column(
                "territory", sa.String(length=2), server_default=sa.text("'**'"), nullable=False
            )
        )
        batch.drop_constraint(op.f("pk_popular"), type_="primary")
        batch.create_primary_key(op.f("pk_popular"), ["target_id", "territory"])


def downgrade() -> None:
    op.execute("DELETE FROM popular WHERE territory <> '**'")
    with op.batch_alter_table("popular") as batch:
        batch.drop_constraint(op.f("pk_popular"), type_="primary")
        batch.create_primary_key(op.f("pk_popular"), ["target_id"])
        batch.drop_column("territory")
