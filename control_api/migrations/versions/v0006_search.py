"""Search: entries and their vocabulary; FTS5 with trigrams, or tsvector with pg_trgm."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "v0006"
down_revision = "v0005"
branch_labels = None
depends_on = None

POSTGRESQL = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX ix_search_entry_words ON search_entry"
    " USING gin (array_to_tsvector(string_to_array(words, ' '))) WITH (fastupdate = off)",
    "CREATE INDEX ix_search_word_trigrams ON search_word USING gin (word gin_trgm_ops)",
)
SQLITE = (
    "CREATE VIRTUAL TABLE search_fts USING fts5(words, content='search_entry',"
    " content_rowid='seq', tokenize='unicode61 remove_diacritics 0')",
    "CREATE TRIGGER search_entry_put AFTER INSERT ON search_entry BEGIN"
    " INSERT INTO search_fts(rowid, words) VALUES (new.seq, new.words); END",
    "CREATE TRIGGER search_entry_drop AFTER DELETE ON search_entry BEGIN"
    " INSERT INTO search_fts(search_fts, rowid, words) VALUES ('delete', old.seq, old.words); END",
    # Padded, so that the first and the last letters have trigrams of their own.
    "CREATE VIRTUAL TABLE search_trigrams USING fts5(padded, tokenize='trigram')",
    "CREATE TRIGGER search_word_put AFTER INSERT ON search_word BEGIN"
    " INSERT INTO search_trigrams(padded) VALUES ('__' || new.word || '_'); END",
)


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.create_table(
        "search_entry",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("target_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("people", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("facets", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_search_entry")),
        sa.UniqueConstraint("target_id", name=op.f("uq_search_entry_target_id")),
    )
    op.create_table(
        "search_word",
        sa.Column("word", sa.String(length=64, collation=None if sqlite else "C"), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("word", name=op.f("pk_search_word")),
    )
    for statement in SQLITE if sqlite else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in ("search_fts", "search_trigrams"):
            op.drop_table(table)
    for table in ("search_entry", "search_word"):
        op.drop_table(table)
