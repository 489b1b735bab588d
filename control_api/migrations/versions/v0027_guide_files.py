"""Files of guides that wait for their turn or for somebody's word, and why a run ended so."""

import sqlalchemy as sa
from alembic import op

revision = "v0027"
down_revision = "v0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("epg_import_run") as batch:
        batch.add_column(sa.Column("reason", sa.String(length=255)))
    op.create_table(
        "epg_import_file",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("taken_ms", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["run_id"], ["epg_import_run.id"], name=op.f("fk_epg_import_file_run_id")
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_epg_import_file")),
    )


def downgrade() -> None:
    op.drop_table("epg_import_file")
    with op.batch_alter_table("epg_import_run") as batch:
        batch.drop_column("reason")
