"""A key that signs from now on is told of once, by whichever node sees it first (section 11,
`key.rotated`).

Keys are read at a process's start, so that is when they are looked at. Which ones were told of is
kept for good: a node that still starts with an older key tells nothing, nor does one that starts
again. The first key of a purpose is no rotation.
"""

import asyncio
from collections.abc import Mapping, Sequence

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from control_api.calls import Services
from control_api.identity.schema import told_key
from control_api.loops import Loop
from control_api.outbox import emit
from control_api.times import now_ms, utc
from runtime import logs
from runtime.service import Part
from runtime.sql import Database, SqlError

log = logs.get("control")
row = told_key.c
PAUSE_S = 1.0


async def tell(database: Database, signing: Mapping[str, str], at_ms: int) -> None:
    """Tell of those kids, by what they sign, that nobody told of."""
    for purpose, kid in signing.items():
        try:
            await _tell(database, purpose, kid, at_ms)
        except IntegrityError:  # another node does, just now
            continue


async def _tell(database: Database, purpose: str, kid: str, at_ms: int) -> None:
    async with database.write() as connection:
        query = select(row.kid).where(row.purpose == purpose)
        known = set((await connection.execute(query)).scalars())
        if kid in known:
            return
        first = {"purpose": purpose, "kid": kid, "at_ms": at_ms}
        await connection.execute(insert(told_key).values(first))
        if known:
            told = {"kid": kid, "at": utc(at_ms), "purpose": purpose}
            await emit(connection, "key.rotated", told, at_ms)
            log.info("key_rotated", purpose=purpose, kid=kid)


async def look(database: Database, signing: Mapping[str, str]) -> None:
    """Once, as soon as the database answers; never ends."""
    while True:
        try:
            await tell(database, signing, now_ms())
            break
        except SqlError as error:
            log.warning("keys_untold", error=str(error))
            await asyncio.sleep(PAUSE_S)
    await asyncio.Event().wait()


def work(services: Services) -> Sequence[Part]:
    signing = {"access_token": services.issuer.kid}
    if services.token_signer is not None:
        signing["content_token"] = services.token_signer.kid
    return [Loop("key-rotations", lambda: look(services.database, signing))]
