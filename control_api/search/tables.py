"""Tables of search. Their indices are each engine's own (migration v0006), so they are not part of
the schema that both engines share.
"""

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text

from control_api.schema import Json

search_metadata = MetaData()

search_entry = Table(
    "search_entry",
    search_metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("target_id", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("label", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("people", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("facets", Json, nullable=False),
)

search_word = Table(
    "search_word",
    search_metadata,
    Column("word", String(64), primary_key=True),
    Column("n", BigInteger, nullable=False),
)
