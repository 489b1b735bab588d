"""What lists read of titles, derived anew where an older release wrote a title last: until then
`content_age` takes it for the strictest.
"""

import asyncio

from sqlalchemy import select, update

from control_api.catalogue import documents
from control_api.loops import Loop
from control_api.schema import content
from runtime import logs
from runtime.service import Part
from runtime.sql import Database, SqlError

log = logs.get("control")
TURN_S = 60.0
TIMEOUT_MS = 10_000
MOST = 200
UNDERIVED = (
    select(content.c.id)
    .where(content.c.derived_version != content.c.version)
    .order_by(content.c.id)
    .limit(MOST)
)


async def catch_up(database: Database) -> int:
    """Titles that were derived, at most `MOST`."""
    async with database.read() as connection:
        if (await connection.execute(UNDERIVED.limit(1))).first() is None:
            return 0
    async with database.write(timeout_ms=TIMEOUT_MS) as connection:
        wanted = (await connection.execute(UNDERIVED)).scalars().all()
        entries = await documents.load(connection, wanted, lock=True)
        for key in wanted:
            if key in entries:
                change = update(content).where(content.c.id == key)
                await connection.execute(change.values(**documents.derived(entries[key])))
        never = (content.c.status == "published", content.c.published_ms == 0)
        change = update(content).where(content.c.id.in_(wanted), *never)
        await connection.execute(change.values(published_ms=content.c.updated_ms))
    return len(wanted)


async def forever(database: Database) -> None:
    """Until cancelled; a full turn is followed by the next at once."""
    done = 0
    while True:
        if done < MOST:
            await asyncio.sleep(TURN_S)
        try:
            done = await catch_up(database)
        except SqlError as error:
            log.warning("derived_waits", error=str(error))
            done = 0


def part(database: Database) -> Part:
    return Loop("derived", lambda: forever(database))
