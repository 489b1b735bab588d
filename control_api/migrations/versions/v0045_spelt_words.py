"""Words that keep the marks they are spelt with (CTL-143): vowel signs, viramas, tones. What is
found by letters beyond ASCII is derived anew from its titles, people and texts, a batch at a time;
the tokenizer of FTS5 leaves words as they are.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic import op

from control_api.search import words

revision = "v0045"
down_revision = "v0044"
branch_labels = None
depends_on = None

BATCH_ROWS = 200
MAX_WORDS = 400  # of one entry
# Writers wait, so that no word's count is waited for by them and by us in a ring.
ALONE = "LOCK TABLE search_entry, search_word IN SHARE ROW EXCLUSIVE MODE"
DROP = "DROP TABLE search_fts"
CREATE = (
    "CREATE VIRTUAL TABLE search_fts USING fts5(words, content='search_entry',"
    " content_rowid='seq', tokenize=\"unicode61 remove_diacritics 0{}\")"
)
WHOLE = " categories 'L* M* N* P* S* C*'"  # all but spaces
REBUILD = (
    "INSERT INTO search_fts(search_fts) VALUES ('rebuild')",
    "DELETE FROM search_trigrams",
    "INSERT INTO search_trigrams(padded) SELECT '__' || word || '_' FROM search_word",
)
WIDE = {
    "sqlite": "length(CAST(words AS BLOB)) > length(words)",
    "postgresql": "octet_length(words) > length(words)",
}
ENTRIES = (
    "SELECT seq, target_id, kind, words FROM search_entry"
    " WHERE seq > :after AND {} ORDER BY seq LIMIT :most"
)
WRITE = sa.text(
    "UPDATE search_entry SET title = :title, people = :people, words = :words WHERE seq = :key"
)
COUNT = sa.text(
    "INSERT INTO search_word (word, n) VALUES (:word, :n)"
    " ON CONFLICT (word) DO UPDATE SET n = search_word.n + excluded.n"
)
FORGET = "DELETE FROM search_word WHERE n <= 0"
# Which part, and id, place and text of each.
CONTENT = (
    ("titles", "SELECT content_id, lang, title FROM content_text WHERE content_id IN :ids"),
    ("people", "SELECT content_id, pos, name FROM credit WHERE content_id IN :ids"),
    ("texts", "SELECT content_id, lang, synopsis FROM content_text WHERE content_id IN :ids"),
    ("texts", "SELECT content_id, genre, genre FROM content_genre WHERE content_id IN :ids"),
)
SPOKEN = (  # the text that is shown goes first
    "SELECT t.event_id, CASE WHEN t.lang = e.lang THEN '' ELSE t.lang END, t.{}"
    " FROM epg_event_text t JOIN epg_event e ON e.id = t.event_id WHERE t.event_id IN :ids"
)
READ = {
    "channel": (
        ("titles", "SELECT id, 1, coalesce(name, slug) FROM channel WHERE id IN :ids"),
        ("titles", "SELECT id, 2, slug FROM channel WHERE id IN :ids"),
    ),
    "programme": (("titles", SPOKEN.format("title")), ("texts", SPOKEN.format("sub_title"))),
}
# control_api.search.words as it was.
MAX_WORD = 40
WORD = re.compile(r"[^\W_]+")
ELIDED = re.compile(r"['\u2019](\w{3,})")
HYPHENED = re.compile(r"(?<!\w)\w++(?:[-\u2010\u2011]\w++)+")
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]{2,40}"
)
PLAIN = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ß": "ss", "æ": "ae", "œ": "oe", "\u0131": "i"}
)


class Rule(NamedTuple):
    """How words are cut, and which others a name is found by."""

    distinct: Callable[[Iterable[str]], list[str]]
    further: Callable[[Iterable[str]], list[str]]


class Named(NamedTuple):
    """What a target is found by, as `search.index.Entry`."""

    titles: list[str]
    people: list[str]
    texts: list[str]


def upgrade() -> None:
    _derive(Rule(words.distinct, words.further), WHOLE)


def downgrade() -> None:
    _derive(Rule(_distinct, _further), "")


def _derive(rule: Rule, categories: str) -> None:
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    op.execute(DROP if sqlite else ALONE)
    query = sa.text(ENTRIES.format(WIDE[connection.dialect.name]))
    after = 0
    while rows := connection.execute(query, {"after": after, "most": BATCH_ROWS}).all():
        after = rows[-1].seq
        _rewrite(connection, rule, rows)
    op.execute(FORGET)
    if sqlite:
        for statement in (CREATE.format(categories), *REBUILD):
            op.execute(statement)


def _rewrite(connection: sa.Connection, rule: Rule, rows: Sequence[Any]) -> None:
    """Entries whose target is not there stay as they are."""
    found = _named(connection, rows)
    changes: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    for row in rows:
        if row.target_id in found:
            change = _cut(rule, found[row.target_id])
            changes.append(change | {"key": row.seq})
            counts.subtract(row.words.split())
            counts.update(change["words"].split())
    if changes:
        connection.execute(WRITE, changes)
    if told := [{"word": word, "n": n} for word, n in sorted(counts.items()) if n]:
        connection.execute(COUNT, told)


def _cut(rule: Rule, named: Named) -> dict[str, str]:
    titles, people = rule.distinct(named.titles), rule.distinct(named.people)
    others = rule.further((*named.titles, *named.people))
    every = dict.fromkeys([*titles, *people, *others, *rule.distinct(named.texts)])
    cut = {"title": titles, "people": people, "words": list(every)[:MAX_WORDS]}
    return {name: " ".join(some) for name, some in cut.items()}


def _named(connection: sa.Connection, rows: Sequence[Any]) -> dict[str, Named]:
    """In the order in which they are told when a title is published or a guide read."""
    ids: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        ids[row.kind if row.kind in READ else "content"].append(row.target_id)
    found: dict[str, Named] = defaultdict(lambda: Named([], [], []))
    for kind, wanted in ids.items():
        for part, statement in READ.get(kind, CONTENT):
            query = sa.text(statement).bindparams(sa.bindparam("ids", wanted, expanding=True))
            told = connection.execute(query).all()
            for key, _, name in sorted(told, key=lambda one: one[:2]):
                if name:
                    getattr(found[key], part).append(name)
    return found


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(word for text in texts for word in _folded(text)))


def _folded(text: str) -> list[str]:
    plain = text.casefold().replace("'", "")
    if not plain.isascii():
        apart = unicodedata.normalize("NFKD", plain.replace("\u2019", ""))
        plain = "".join(c for c in apart if not unicodedata.combining(c)).translate(PLAIN)
    return [word[:MAX_WORD] for word in WORD.findall(plain)]


def _further(texts: Iterable[str]) -> list[str]:
    found: list[str] = []
    for text in texts:
        found += ELIDED.findall(text)
        found += ("".join(WORD.findall(each)) for each in HYPHENED.findall(text))
        if not text.isascii():
            runs = UNSPACED.findall(text)
            found += (run[at:] for run in runs for at in range(1, len(run)))
    return _distinct(found)
