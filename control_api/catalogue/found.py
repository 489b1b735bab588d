"""What titles and channels are found by (control-api CTL-143)."""

from sqlalchemy import select

from control_api.catalogue import documents, types
from control_api.schema import channel, content
from control_api.search import index
from control_api.search.tables import search_entry
from runtime.sql import Database

BATCH = 500
FILL_TIMEOUT_MS = 30_000  # CTL-188


def by(entry: types.Entry) -> index.Entry:
    """What a title is found by, and what is counted of it."""
    told = entry.document
    facets = {"genres": told.genres, "audio": told.audio_langs, "year": told.year}
    return index.Entry(
        target_id=entry.id,
        kind=told.kind,
        label=documents.title(told).title,
        titles=tuple(text.title for text in told.texts),
        people=tuple(each.name for each in told.credits),
        texts=(*(text.synopsis or "" for text in told.texts), *told.genres),
        facets=facets,
    )


def channel_by(key: str, slug: str, name: str | None) -> index.Entry:
    """The same of a channel."""
    return index.Entry(key, "channel", name or slug, (name or slug, slug))


async def fill(database: Database) -> int:
    """Index what is published and not yet found, as after an upgrade; how many that were."""
    async with database.read(timeout_ms=FILL_TIMEOUT_MS) as connection:
        known = select(search_entry.c.target_id)
        query = select(content.c.id).where(content.c.status == "published")
        missing = list(
            (await connection.execute(query.where(content.c.id.not_in(known)))).scalars()
        )
        query = select(channel).where(channel.c.status == "published")
        rows = (await connection.execute(query.where(channel.c.id.not_in(known)))).all()
    async with database.write(timeout_ms=FILL_TIMEOUT_MS) as connection:
        await index.put(connection, [channel_by(row.id, row.slug, row.name) for row in rows])
    for at in range(0, len(missing), BATCH):
        async with database.write(timeout_ms=FILL_TIMEOUT_MS) as connection:
            entries = await documents.load(connection, missing[at : at + BATCH])
            await index.put(connection, [by(entry) for entry in entries.values()])
    return len(missing) + len(rows)
