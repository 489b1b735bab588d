"""What lists are walked by: a column for titles by name, and an index for every order."""

import sqlalchemy as sa
from alembic import op

revision = "v0041"
down_revision = "v0040"
branch_labels = None
depends_on = None

INDICES = {
    "ix_content_updated_ms_id": ("content", ["updated_ms", "id"]),
    "ix_content_status_updated_ms_id": ("content", ["status", "updated_ms", "id"]),
    "ix_content_status_sort_title_id": ("content", ["status", "sort_title", "id"]),
    "ix_content_status_popularity_updated_ms_id": (
        "content",
        ["status", "popularity", "updated_ms", "id"],
    ),
    "ix_popular_territory_shown": ("popular", ["territory", "shown"]),
    "ix_credit_name_content_id": ("credit", ["name", "content_id"]),
    "ix_epg_import_run_started_ms_id": ("epg_import_run", ["started_ms", "id"]),
}
# In the original language, else in the first; 200 characters of it.
NAMED = """
UPDATE content SET sort_title = substr(coalesce(
  (SELECT t.sort_title FROM content_text t
   WHERE t.content_id = content.id AND t.lang = content.orig_lang),
  (SELECT t.sort_title FROM content_text t
   WHERE t.content_id = content.id ORDER BY t.lang LIMIT 1), id), 1, 200)
"""


def upgrade() -> None:
    column = sa.Column("sort_title", sa.String(200), nullable=False, server_default="")
    op.add_column("content", column)
    op.execute(NAMED)
    for name, (table, columns) in INDICES.items():
        op.create_index(name, table, columns)


def downgrade() -> None:
    for name, (table, _) in INDICES.items():
        op.drop_index(name, table_name=table)
    op.drop_column("content", "sort_title")
