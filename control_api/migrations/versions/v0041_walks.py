"""What lists are walked by, and an index for every order: titles by name, when they were published
first, and from which age on they are (CTL-77), as of which version.

The columns come first and are filled by one statement, so that no index is kept up meanwhile.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "v0041"
down_revision = "v0040"
branch_labels = None
depends_on = None

BEFORE = ["kind", "status", "updated_ms", "id"]
INDICES = (
    ("content", ["kind", "status", "published_ms", "id"]),
    ("content", ["updated_ms", "id"]),
    ("content", ["status", "updated_ms", "id"]),
    ("content", ["status", "published_ms", "id"]),
    ("content", ["status", "sort_title", "id"]),
    ("content", ["status", "popularity", "published_ms", "id"]),
    ("popular", ["territory", "shown"]),
    ("credit", ["name", "content_id"]),
    ("epg_import_run", ["started_ms", "id"]),
)
UNDERIVED = "ix_content_underived"
WHERE = sa.text("derived_version <> version")
NUMBERS = ("published_ms", "age", "derived_version")

# The text in the longest language that the original one begins with, else the first.
NAMED = """substr(coalesce(
  (SELECT t.sort_title FROM content_text t WHERE t.content_id = content.id
   AND lower(content.orig_lang) || '-' LIKE lower(t.lang) || '-%'
   ORDER BY length(t.lang) DESC LIMIT 1),
  (SELECT t.sort_title FROM content_text t WHERE t.content_id = content.id
   ORDER BY t.lang LIMIT 1), lower(content.id)), 1, 200)"""
# What was published before versions were kept is as old as its last change.
PUBLISHED = """coalesce(
  (SELECT min(v.at_ms) FROM content_version v
   WHERE v.content_id = content.id AND v.status = 'published'),
  CASE WHEN content.status = 'published' THEN content.updated_ms ELSE 0 END)"""
# control_api.ratings as it was.
STRICTEST = 18
LETTERS = {
    **{"g": 0, "u": 0, "uc": 0, "tv-y": 0, "tv-g": 0, "tv-y7": 7, "pg": 8, "tv-pg": 8},
    **{"12a": 12, "pg-13": 13, "tv-14": 14, "r": 17, "tv-ma": 17, "nc-17": 18, "r18": 18},
}
NUMBER = re.compile(r"(?:[a-z]+[-_.]?)?([0-9]{1,2})[a-z+]?")

FILLED = ("id", "min_age", "rating", "version", "sort_title", *NUMBERS)
content = sa.table("content", *(sa.column(name) for name in FILLED))


def upgrade() -> None:
    named = sa.Column("sort_title", sa.String(200), nullable=False, server_default="")
    op.add_column("content", named)
    for name in NUMBERS:
        column = sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
        op.add_column("content", column)
    op.drop_index(_name("content", BEFORE), table_name="content")
    op.execute(
        sa.update(content).values(
            sort_title=sa.literal_column(NAMED),
            published_ms=sa.literal_column(PUBLISHED),
            age=_age(),
            derived_version=content.c.version,
        )
    )
    for table, columns in INDICES:
        op.create_index(_name(table, columns), table, columns)
    op.create_index(UNDERIVED, "content", ["id"], sqlite_where=WHERE, postgresql_where=WHERE)


def downgrade() -> None:
    op.drop_index(UNDERIVED, table_name="content")
    for table, columns in INDICES:
        op.drop_index(_name(table, columns), table_name=table)
    op.create_index(_name("content", BEFORE), "content", BEFORE)
    for name in ("sort_title", *NUMBERS):
        op.drop_column("content", name)


def _age() -> sa.ColumnElement[int]:
    """What editors say, else what the rating means; that of no board is for grown-ups."""
    told = sa.select(content.c.rating).distinct().where(content.c.rating.is_not(None))
    meant: dict[int, list[str]] = {}
    for rating in op.get_bind().execute(told).scalars():
        word = rating.casefold()
        number = NUMBER.fullmatch(word)
        if word in LETTERS:
            meant.setdefault(LETTERS[word], []).append(rating)
        elif number is not None:
            meant.setdefault(min(int(number[1]), STRICTEST), []).append(rating)
    rated = [(content.c.rating.in_(ratings), age) for age, ratings in sorted(meant.items())]
    return sa.case(
        (content.c.min_age.is_not(None), content.c.min_age),
        (content.c.rating.is_(None), 0),
        *rated,
        else_=STRICTEST,
    )


def _name(table: str, columns: list[str]) -> str:
    return f"ix_{table}_{'_'.join(columns)}"
