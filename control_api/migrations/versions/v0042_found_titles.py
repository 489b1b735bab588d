"""Parts of titles, for editors who look for one (PostgreSQL; SQLite reads few titles fast)."""

from alembic import op

revision = "v0042"
down_revision = "v0041"
branch_labels = None
depends_on = None

INDEX = "ix_search_content_text_title"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"CREATE INDEX {INDEX} ON content_text USING gin (title gin_trgm_ops)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP INDEX {INDEX}")
