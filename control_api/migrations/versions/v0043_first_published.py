"""When titles were published first, by which they are new, and from which age on they are (CTL-77):
what editors say, else what their rating means.
"""

import sqlalchemy as sa
from alembic import op

from control_api.ratings import title_age

revision = "v0043"
down_revision = "v0042"
branch_labels = None
depends_on = None

MADE = (
    ["kind", "status", "published_ms", "id"],
    ["status", "published_ms", "id"],
    ["status", "popularity", "published_ms", "id"],
)
DROPPED = (["kind", "status", "updated_ms", "id"], ["status", "popularity", "updated_ms", "id"])
# What was published before versions were kept is as old as its last change.
PUBLISHED = """
UPDATE content SET published_ms = coalesce(
  (SELECT min(v.at_ms) FROM content_version v
   WHERE v.content_id = content.id AND v.status = 'published'),
  CASE WHEN status = 'published' THEN updated_ms ELSE 0 END)
"""
NAMES = ("published_ms", "age")
content = sa.table("content", sa.column("min_age"), sa.column("rating"), sa.column("age"))


def upgrade() -> None:
    for name in NAMES:
        column = sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
        op.add_column("content", column)
    op.execute(PUBLISHED)
    _rate()
    for columns in DROPPED:
        op.drop_index(_name(columns), table_name="content")
    for columns in MADE:
        op.create_index(_name(columns), "content", columns)


def downgrade() -> None:
    for columns in MADE:
        op.drop_index(_name(columns), table_name="content")
    for columns in DROPPED:
        op.create_index(_name(columns), "content", columns)
    for name in NAMES:
        op.drop_column("content", name)


def _rate() -> None:
    told = sa.select(content.c.min_age, content.c.rating).distinct()
    for min_age, rating in op.get_bind().execute(told).all():
        if age := title_age(min_age, rating):
            same = content.c.rating.is_not_distinct_from(rating)
            those = (content.c.min_age.is_not_distinct_from(min_age), same)
            op.execute(sa.update(content).where(*those).values(age=age))


def _name(columns: list[str]) -> str:
    return f"ix_content_{'_'.join(columns)}"
